//! Frames: for each place of the code, how to find its function's caller and the registers that the caller had.
//!
//! Made from the layouts of [`crate::unwind`].

use super::dwarf::encoding;
use super::{HOST, jump_table_base, jump_table_factor};
use crate::symbols::Symbols;
use crate::unwind::flow::{ENTRY, EntryValue, FOLLOWED, Flow, State, called, is_call};
use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, DebugFrame, EndianVec, Expression, FrameDescriptionEntry,
    FrameTable,
};
use gimli::{LittleEndian, Register};
use vm_core::blob::Blob;
use vm_core::isa::Reg;

/// DWARF's numbers of the registers.
const RA: Register = Register(1);
const SP: Register = Register(2);
const S0: Register = Register(8);
const S1: Register = Register(9);

/// DWARF's numbers of the registers that are followed.
const NUMBERS: [Register; FOLLOWED.len()] = [RA, S0, S1];

/// Makes the section.
pub fn section(blob: &Blob<'_>, symbols: &Symbols) -> Result<Vec<u8>, gimli::write::Error> {
    let is_64_bit = blob.isa().is_64_bit();
    let encoding = encoding(is_64_bit);
    let mut table = FrameTable::default();
    let cie = table.add_cie(CommonInformationEntry::new(encoding, 1, -4, RA));

    let flow = Flow::from(blob);
    let entries = flow.entries(symbols);
    let states = flow.follow(&entries);
    let end = blob.code().len() as u32;
    let starts: Vec<u32> = entries.iter().copied().filter(|entry| *entry < end).collect();
    for (index, start) in starts.iter().enumerate() {
        let next = starts.get(index + 1).copied().unwrap_or(end);
        let mut fde = FrameDescriptionEntry::new(Address::Constant((*start).into()), next - start);
        let complete = states.range(start..&next).map(|(_, state)| *state).max_by_key(|state| state.depth);
        let mut last = None;
        for decoded in blob.code_view().instructions_from(*start).take_while(|decoded| decoded.offset < next) {
            let state = states.get(&decoded.offset).copied().or(complete).unwrap_or(ENTRY);
            if last != Some(state) {
                describe(&mut fde, decoded.offset - start, state, last, is_64_bit);
                last = Some(state);
            }
            // Whoever looks for the caller of a function that was called here looks inside of the call, and there the
            // return address of this function is lost unless it was stored.
            let called = called(state);
            if decoded.instruction.is_some_and(|instruction| is_call(&instruction))
                && called != state
                && decoded.next - decoded.offset > 1
            {
                describe(&mut fde, decoded.offset + 1 - start, called, last, is_64_bit);
                last = Some(called);
            }
        }
        table.add_fde(cie, fde);
    }
    // The host, which nobody called. Debuggers look before a return address for the place that called.
    let mut fde = FrameDescriptionEntry::new(Address::Constant((HOST - 16).into()), 32);
    fde.add_instruction(0, CallFrameInstruction::Cfa(SP, 0));
    fde.add_instruction(0, CallFrameInstruction::Undefined(RA));
    table.add_fde(cie, fde);

    let mut section = DebugFrame::from(EndianVec::new(LittleEndian));
    table.write_debug_frame(&mut section)?;
    Ok(section.slice().to_vec())
}

/// Adds the rules of a state, as far as they differ from those before.
fn describe(fde: &mut FrameDescriptionEntry, offset: u32, state: State, last: Option<State>, is_64_bit: bool) {
    if last.is_none_or(|last| last.depth != state.depth) {
        // A stack that is less deep than on entry is none that anybody can follow.
        fde.add_instruction(offset, CallFrameInstruction::Cfa(SP, state.depth.max(0)));
    }
    for (index, (reg, register)) in FOLLOWED.into_iter().zip(NUMBERS).enumerate() {
        let place = state.registers[index];
        if last.is_some_and(|last| last.registers[index] == place) {
            continue;
        }
        let rule = match place {
            EntryValue::Lost => CallFrameInstruction::Undefined(register),
            _ if reg == Reg::RA => CallFrameInstruction::ValExpression(RA, return_address(place, is_64_bit)),
            EntryValue::InPlace => CallFrameInstruction::SameValue(register),
            EntryValue::Stored(slot) => {
                // The expression begins with the stack pointer on entry.
                let mut expression = Expression::new();
                expression.op_consts(slot.into());
                expression.op(gimli::DW_OP_plus);
                CallFrameInstruction::Expression(register, expression)
            }
        };
        fde.add_instruction(offset, rule);
    }
}

/// The code offset that a function returns to: its return address looked up in the jump table, where it is not the host's.
fn return_address(place: EntryValue, is_64_bit: bool) -> Expression {
    let size = if is_64_bit { 8 } else { 4 };
    let mut expression = Expression::new();
    match place {
        EntryValue::Stored(slot) => {
            expression.op_consts(slot.into());
            expression.op(gimli::DW_OP_plus);
            expression.op_deref_size(size);
        }
        _ => expression.op_breg(RA, 0),
    }
    expression.op(gimli::DW_OP_dup);
    expression.op_constu(31);
    expression.op(gimli::DW_OP_shr);
    let branch = expression.op_bra();
    expression.op_constu(jump_table_factor(is_64_bit));
    expression.op(gimli::DW_OP_mul);
    expression.op_constu(jump_table_base(is_64_bit));
    expression.op(gimli::DW_OP_plus);
    expression.op_deref_size(size);
    expression.set_target(branch, expression.next_index());
    expression
}
