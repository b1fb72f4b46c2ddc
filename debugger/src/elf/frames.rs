//! Frames: for each place of the code, how to find its function's caller and the registers that the caller had.
//!
//! A blob does not say where functions keep return addresses, so the code is followed from the entry of each function:
//! how far the stack pointer moved, and where the return address and the saved registers were stored. Code that is not
//! reached that way, such as behind a jump through a table, is taken to be where the frame is complete.

use super::dwarf::encoding;
use super::{HOST, jump_table_base, jump_table_factor};
use crate::symbols::Symbols;
use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, DebugFrame, EndianVec, Expression, FrameDescriptionEntry,
    FrameTable,
};
use gimli::{LittleEndian, Register};
use std::collections::{BTreeMap, BTreeSet};
use vm_core::blob::Blob;
use vm_core::isa::{Instruction, Opcode, Reg};

/// DWARF's numbers of the registers.
const RA: Register = Register(1);
const SP: Register = Register(2);
const S0: Register = Register(8);
const S1: Register = Register(9);

/// The registers that are followed: those that a caller expects to find again, and the return address.
const FOLLOWED: [(Reg, Register); 3] = [(Reg::RA, RA), (Reg::S0, S0), (Reg::S1, S1)];

/// Where what a register had on entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Where {
    InPlace,
    /// At so many bytes from the stack pointer that the function was entered with.
    Stored(i32),
    Lost,
}

/// What is known at a place of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    /// What has to be added to the stack pointer for the one on entry.
    depth: i32,
    registers: [Where; FOLLOWED.len()],
}

const ENTRY: State = State { depth: 0, registers: [Where::InPlace; FOLLOWED.len()] };

impl State {
    /// The state after an instruction; `None` where the stack pointer is lost.
    fn after(mut self, instruction: &Instruction) -> Option<State> {
        let Instruction { opcode, r1, r2, imm, .. } = *instruction;
        let offset = imm as i32;
        match opcode {
            Opcode::AddImm64 | Opcode::AddImm32 if r1 == Reg::SP && r2 == Reg::SP => {
                self.depth = self.depth.checked_sub(offset)?;
                return Some(self);
            }
            Opcode::StoreIndirectU64 | Opcode::StoreIndirectU32 if r2 == Reg::SP => {
                let slot = offset.checked_sub(self.depth)?;
                for (index, (reg, _)) in FOLLOWED.iter().enumerate() {
                    if *reg == r1 && self.registers[index] == Where::InPlace {
                        self.registers[index] = Where::Stored(slot);
                    }
                }
                return Some(self);
            }
            Opcode::LoadIndirectU64 | Opcode::LoadIndirectU32 | Opcode::LoadIndirectI32 if r2 == Reg::SP => {
                let slot = offset.checked_sub(self.depth)?;
                for (index, (reg, _)) in FOLLOWED.iter().enumerate() {
                    if *reg == r1 && self.registers[index] == Where::Stored(slot) {
                        self.registers[index] = Where::InPlace;
                        return Some(self);
                    }
                }
            }
            _ => {}
        }
        let written = match opcode {
            Opcode::LoadImmAndJumpIndirect => Some(r1),
            _ => instruction.destination(),
        };
        if written == Some(Reg::SP) {
            return None;
        }
        for (index, (reg, _)) in FOLLOWED.iter().enumerate() {
            if written == Some(*reg) && self.registers[index] == Where::InPlace {
                self.registers[index] = Where::Lost;
            }
        }
        Some(self)
    }
}

/// Makes the section.
pub fn section(blob: &Blob<'_>, symbols: &Symbols) -> Result<Vec<u8>, gimli::write::Error> {
    let is_64_bit = blob.isa().is_64_bit();
    let encoding = encoding(is_64_bit);
    let mut table = FrameTable::default();
    let cie = table.add_cie(CommonInformationEntry::new(encoding, 1, -4, RA));

    let entries = entries(blob, symbols);
    let states = follow(blob, &entries);
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

/// What is known in a function that called another one.
fn called(mut state: State) -> State {
    if state.registers[0] == Where::InPlace {
        state.registers[0] = Where::Lost;
    }
    state
}

/// Whether an instruction calls a function.
fn is_call(instruction: &Instruction) -> bool {
    matches!(instruction.opcode, Opcode::LoadImmAndJump | Opcode::LoadImmAndJumpIndirect) && instruction.r1 == Reg::RA
}

/// Adds the rules of a state, as far as they differ from those before.
fn describe(fde: &mut FrameDescriptionEntry, offset: u32, state: State, last: Option<State>, is_64_bit: bool) {
    if last.is_none_or(|last| last.depth != state.depth) {
        // A stack that is less deep than on entry is none that anybody can follow.
        fde.add_instruction(offset, CallFrameInstruction::Cfa(SP, state.depth.max(0)));
    }
    for (index, (reg, register)) in FOLLOWED.into_iter().enumerate() {
        let place = state.registers[index];
        if last.is_some_and(|last| last.registers[index] == place) {
            continue;
        }
        let rule = match place {
            Where::Lost => CallFrameInstruction::Undefined(register),
            _ if reg == Reg::RA => CallFrameInstruction::ValExpression(RA, return_address(place, is_64_bit)),
            Where::InPlace => CallFrameInstruction::SameValue(register),
            Where::Stored(slot) => {
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
fn return_address(place: Where, is_64_bit: bool) -> Expression {
    let size = if is_64_bit { 8 } else { 4 };
    let mut expression = Expression::new();
    match place {
        Where::Stored(slot) => {
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

/// The code offset that a call returns to.
fn return_point(blob: &Blob<'_>, link: i64) -> Option<u32> {
    let address = link as u32;
    if address == 0 || !address.is_multiple_of(2) { None } else { blob.jump_table().get(address / 2 - 1) }
}

/// Where functions begin.
fn entries(blob: &Blob<'_>, symbols: &Symbols) -> BTreeSet<u32> {
    let mut entries: BTreeSet<u32> = blob.exports().map(|export| export.code_offset).collect();
    let mut return_points = BTreeSet::new();
    for decoded in blob.code_view().instructions() {
        let Some(instruction) = decoded.instruction else { continue };
        match instruction.opcode {
            Opcode::LoadImmAndJump if instruction.r1 == Reg::RA => {
                entries.insert(instruction.target);
                return_points.extend(return_point(blob, instruction.imm));
            }
            Opcode::LoadImmAndJumpIndirect if instruction.r1 == Reg::RA => {
                return_points.extend(return_point(blob, instruction.imm2.into()));
            }
            _ => {}
        }
    }
    let mut before = None;
    for region in symbols.regions() {
        let function = region.places.first().map(|place| place.function);
        if function != before {
            // Or a part of one that is elsewhere, which is found by following the code.
            before = function;
            if !return_points.contains(&region.range.start) {
                entries.insert(region.range.start);
            }
        }
    }
    entries.insert(0);
    entries
}

/// Follows the code from the entries, and returns what is known at each instruction before it is executed.
fn follow(blob: &Blob<'_>, entries: &BTreeSet<u32>) -> BTreeMap<u32, State> {
    let code = blob.code_view();
    // Only what is called is entered with a complete state; other entries may be reached from elsewhere.
    let mut called: BTreeSet<u32> = blob.exports().map(|export| export.code_offset).collect();
    called.extend(code.instructions().filter_map(|decoded| {
        let instruction = decoded.instruction?;
        (instruction.opcode == Opcode::LoadImmAndJump && instruction.r1 == Reg::RA).then_some(instruction.target)
    }));
    let mut states: BTreeMap<u32, State> = BTreeMap::new();
    for round in [&called, entries] {
        let mut work: Vec<(u32, State)> = round.iter().rev().map(|entry| (*entry, ENTRY)).collect();
        while let Some((offset, state)) = work.pop() {
            if states.contains_key(&offset) {
                continue;
            }
            let Some(decoded) = code.decode(offset) else { continue };
            states.insert(offset, state);
            let Some(instruction) = decoded.instruction else { continue };
            let Some(next) = state.after(&instruction) else { continue };
            match instruction.opcode {
                Opcode::LoadImmAndJump if is_call(&instruction) => {
                    work.extend(return_point(blob, instruction.imm).map(|point| (point, next)));
                }
                Opcode::LoadImmAndJumpIndirect if is_call(&instruction) => {
                    work.extend(return_point(blob, instruction.imm2.into()).map(|point| (point, next)));
                }
                _ => {
                    // A jump to a function that begins as this one ends is a tail call, which is the same.
                    if instruction.format().has_target() {
                        work.push((instruction.target, next));
                    }
                    if decoded.can_fall_through() {
                        work.push((decoded.next, next));
                    }
                }
            }
        }
    }
    states
}
