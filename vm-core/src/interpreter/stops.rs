//! Stops for debuggers: before chosen instructions, and before accesses to watched memory.
//!
//! Translation inserts them as ops before the instructions concerned, so they cost nothing in a run without stops, and
//! little in one with a few. A stop is reported as [`crate::Outcome::Step`].

use super::translate::Translation;
use super::{Instance, MemoryTouch};
use crate::isa::{GasClass, Instruction, Opcode, Reg};
use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Range;

/// Set of stops: a run ends with [`crate::Outcome::Step`] before the instructions concerned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stops {
    /// Before every instruction.
    pub every_instruction: bool,
    /// Before the instructions at these code offsets.
    pub offsets: BTreeSet<u32>,
    /// Before an instruction that loads any byte of one of these ranges, or tries to.
    pub loads: Vec<Range<u32>>,
    /// Before an instruction that stores any byte of one of these ranges, or tries to.
    pub stores: Vec<Range<u32>>,
}

impl Stops {
    /// True if there are no stops.
    pub fn is_empty(&self) -> bool {
        !self.every_instruction && self.offsets.is_empty() && !self.watches()
    }

    /// True if any memory is watched.
    pub(super) fn watches(&self) -> bool {
        !self.loads.is_empty() || !self.stores.is_empty()
    }

    /// True if any memory is watched for stores (`write`), or for loads.
    pub(super) fn watches_kind(&self, write: bool) -> bool {
        !self.watched(write).is_empty()
    }

    fn watched(&self, write: bool) -> &[Range<u32>] {
        if write { &self.stores } else { &self.loads }
    }

    /// True if an access touches watched memory.
    pub(super) fn touches(&self, address: u32, length: u32, write: bool) -> bool {
        let end = u64::from(address) + u64::from(length);
        let touches = |range: &Range<u32>| !range.is_empty() && u64::from(range.start) < end && address < range.end;
        // A `memset` of no bytes touches nothing, at any address.
        length > 0 && self.watched(write).iter().any(touches)
    }

    /// True if there is a stop before the instruction at `offset`, which makes this access.
    pub(super) fn stops_before(&self, offset: u32, access: Option<MemoryTouch>) -> bool {
        self.every_instruction
            || self.offsets.contains(&offset)
            || access.is_some_and(|access| self.touches(access.address, access.length, access.write))
    }
}

/// A memory access of an instruction, by its operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Access {
    /// The register that holds the base address; `None` for zero.
    pub base: Option<Reg>,
    pub offset: u32,
    /// Length in bytes; `None` for a `memset`, which stores as many as register A2 says.
    pub length: Option<u32>,
    pub write: bool,
}

impl Access {
    /// Returns the access that an instruction makes, if any.
    pub fn of(instruction: &Instruction) -> Option<Access> {
        let Instruction { opcode, r1, r2, imm, .. } = *instruction;
        if opcode == Opcode::Memset {
            return Some(Access { base: Some(Reg::A0), offset: 0, length: None, write: true });
        }
        // These gas classes are exactly the loads and stores, by addressing mode.
        let (base, write) = match opcode.spec().gas_class {
            GasClass::Load => (None, false),
            GasClass::LoadIndirect => (Some(r2), false),
            GasClass::Store | GasClass::StoreImm => (None, true),
            GasClass::StoreIndirect => (Some(r2), true),
            GasClass::StoreImmIndirect => (Some(r1), true),
            _ => return None,
        };
        let digits = opcode.spec().mnemonic.rsplit(['u', 'i']).next()?;
        let length = digits.parse::<u32>().ok()? / 8;
        Some(Access { base, offset: imm as u32, length: Some(length), write })
    }
}

impl Instance {
    /// Replaces the set of stops. A run that resumes from a stop does not stop there again.
    pub fn set_stops(&mut self, stops: Stops) {
        if *self.code.stops() != stops {
            self.resume = self.lasting_resume();
            self.code = Translation::with_stops(&self.program, stops);
        }
    }

    /// Returns the memory access that the instruction at the next program counter is about to make, if any; for a
    /// `memset`, the whole range that it is to store.
    pub fn next_access(&self) -> Option<MemoryTouch> {
        let instruction = self.program.code().decode(self.next_pc?)?.instruction?;
        self.access(&instruction)
    }

    pub(super) fn access(&self, instruction: &Instruction) -> Option<MemoryTouch> {
        let Access { base, offset, length, write } = Access::of(instruction)?;
        let address = base.map_or(0, |base| self.reg(base) as u32).wrapping_add(offset);
        Some(MemoryTouch { address, length: length.unwrap_or(self.reg(Reg::A2) as u32), write })
    }
}
