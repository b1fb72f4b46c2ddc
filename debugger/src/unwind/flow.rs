//! Stack frame layout by code analysis: frame depth and saved registers at each instruction of a function.
//!
//! A blob does not say where functions keep return addresses, so the code is followed from the entry of each function.
//! Code that is not reached that way, such as behind a jump through a table, is taken to be where the frame is complete.

use crate::symbols::Symbols;
use std::collections::{BTreeMap, BTreeSet};
use vm_core::blob::{Blob, JumpTable};
use vm_core::isa::{CodeView, Instruction, Opcode, Reg};
use vm_core::program::Program;

/// The registers that are tracked: callee-saved ones and the return address.
pub const FOLLOWED: [Reg; 3] = [Reg::RA, Reg::S0, Reg::S1];

/// Location of the value that a register had on entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryValue {
    InPlace,
    /// In memory, at this offset from the stack pointer on entry.
    Stored(i32),
    Lost,
}

/// The frame's layout before an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Frame depth: the stack pointer on entry minus the current one.
    pub depth: i32,
    pub registers: [EntryValue; FOLLOWED.len()],
}

/// The state on a function's entry.
pub const ENTRY: State = State { depth: 0, registers: [EntryValue::InPlace; FOLLOWED.len()] };

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
                for (index, reg) in FOLLOWED.iter().enumerate() {
                    if *reg == r1 && self.registers[index] == EntryValue::InPlace {
                        self.registers[index] = EntryValue::Stored(slot);
                    }
                }
                return Some(self);
            }
            Opcode::LoadIndirectU64 | Opcode::LoadIndirectU32 | Opcode::LoadIndirectI32 if r2 == Reg::SP => {
                let slot = offset.checked_sub(self.depth)?;
                for (index, reg) in FOLLOWED.iter().enumerate() {
                    if *reg == r1 && self.registers[index] == EntryValue::Stored(slot) {
                        self.registers[index] = EntryValue::InPlace;
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
        for (index, reg) in FOLLOWED.iter().enumerate() {
            if written == Some(*reg) && self.registers[index] == EntryValue::InPlace {
                self.registers[index] = EntryValue::Lost;
            }
        }
        Some(self)
    }
}

/// Returns the caller's state while it waits for a call: the return address register is overwritten.
pub fn called(mut state: State) -> State {
    if state.registers[0] == EntryValue::InPlace {
        state.registers[0] = EntryValue::Lost;
    }
    state
}

/// True if an instruction calls a function.
pub fn is_call(instruction: &Instruction) -> bool {
    matches!(instruction.opcode, Opcode::LoadImmAndJump | Opcode::LoadImmAndJumpIndirect) && instruction.r1 == Reg::RA
}

/// The control flow of a program.
pub struct Flow<'a> {
    code: CodeView<'a>,
    jump_table: JumpTable<'a>,
    exports: Vec<u32>,
}

impl<'a> From<&Blob<'a>> for Flow<'a> {
    fn from(blob: &Blob<'a>) -> Self {
        let exports = blob.exports().map(|export| export.code_offset).collect();
        Flow { code: blob.code_view(), jump_table: blob.jump_table(), exports }
    }
}

impl<'a> From<&'a Program> for Flow<'a> {
    fn from(program: &'a Program) -> Self {
        let exports = program.exports().map(|export| export.code_offset).collect();
        Flow { code: program.code(), jump_table: program.jump_table(), exports }
    }
}

impl Flow<'_> {
    /// The code offset that a call returns to.
    pub fn return_point(&self, link: i64) -> Option<u32> {
        let address = link as u32;
        if address == 0 || !address.is_multiple_of(2) { None } else { self.jump_table.get(address / 2 - 1) }
    }

    /// Returns the code offsets of all function entries.
    pub fn entries(&self, symbols: &Symbols) -> BTreeSet<u32> {
        let mut entries: BTreeSet<u32> = self.exports.iter().copied().collect();
        let mut return_points = BTreeSet::new();
        for decoded in self.code.instructions() {
            let Some(instruction) = decoded.instruction else { continue };
            match instruction.opcode {
                Opcode::LoadImmAndJump if instruction.r1 == Reg::RA => {
                    entries.insert(instruction.target);
                    return_points.extend(self.return_point(instruction.imm));
                }
                Opcode::LoadImmAndJumpIndirect if instruction.r1 == Reg::RA => {
                    return_points.extend(self.return_point(instruction.imm2.into()));
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
    pub fn follow(&self, entries: &BTreeSet<u32>) -> BTreeMap<u32, State> {
        let code = &self.code;
        // Only what is called is entered with a complete state; other entries may be reached from elsewhere.
        let mut called: BTreeSet<u32> = self.exports.iter().copied().collect();
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
                        work.extend(self.return_point(instruction.imm).map(|point| (point, next)));
                    }
                    Opcode::LoadImmAndJumpIndirect if is_call(&instruction) => {
                        work.extend(self.return_point(instruction.imm2.into()).map(|point| (point, next)));
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
}
