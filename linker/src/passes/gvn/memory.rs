//! Known memory contents, for load and store forwarding.
//!
//! A short list of locations and values, from stores and loads of the same region of code. A location is a base, of
//! which only equality is known, and a constant offset.

use super::table::{Def, Facts, Table, Vn};
use crate::ir::{Imm, Part, width};
use vm_core::isa::Opcode as O;

/// Maximum number of remembered locations. More would cost time and find little.
const LIMIT: usize = 24;

/// A location in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SectionOffset {
    /// The variable part, if there is one.
    pub base: Option<Vn>,
    /// The constant part.
    pub offset: Imm,
    /// True if the base is the stack pointer.
    pub is_stack: bool,
}

/// Known bits of a loaded value.
pub fn load_facts(op: O) -> Facts {
    match op {
        O::LoadIndirectU8 => Facts::unsigned(8),
        O::LoadIndirectI8 => Facts::signed(8),
        O::LoadIndirectU16 => Facts::unsigned(16),
        O::LoadIndirectI16 => Facts::signed(16),
        O::LoadIndirectU32 => Facts::unsigned(32),
        O::LoadIndirectI32 => Facts::signed(32),
        _ => Facts::NONE,
    }
}

/// Returns the low bytes of `value` as a load reads them.
fn extended(table: &mut Table, op: O, value: Vn) -> Vn {
    match op {
        O::LoadIndirectU8 => {
            let mask = table.num(0xff);
            table.binary(O::And, value, mask)
        }
        O::LoadIndirectI8 => table.unary(O::SignExtend8, value),
        O::LoadIndirectU16 => table.unary(O::ZeroExtend16, value),
        O::LoadIndirectI16 => table.unary(O::SignExtend16, value),
        O::LoadIndirectU32 => {
            let mask = table.num(0xffff_ffff);
            table.binary(O::And, value, mask)
        }
        O::LoadIndirectI32 => {
            let zero = table.num(0);
            table.binary(O::Add32, value, zero)
        }
        _ => value,
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    place: SectionOffset,
    width: i64,
    value: Vn,
    /// The load opcode that extended the value; `None` if it was stored.
    loaded: Option<O>,
}

/// The list.
#[derive(Clone, Default, Debug)]
pub struct Memory(Vec<Cell>);

impl Memory {
    /// Invalidates all contents: memory may have been written elsewhere.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Returns the value that a load reads, if known.
    pub fn load(&self, table: &mut Table, place: SectionOffset, op: O) -> Option<Vn> {
        let cell = self.0.iter().find(|cell| cell.place == place && cell.width == width(op))?;
        match cell.loaded {
            Some(loaded) if loaded == op => Some(cell.value),
            _ => Some(extended(table, op, cell.value)),
        }
    }

    /// Records the value read by a load.
    pub fn loaded(&mut self, place: SectionOffset, op: O, value: Vn) {
        self.remember(Cell { place, width: width(op), value, loaded: Some(op) });
    }

    /// True if a store is redundant: the location already holds the value.
    pub fn holds(&self, place: SectionOffset, op: O, value: Vn) -> bool {
        self.0.iter().any(|cell| cell.place == place && cell.width == width(op) && cell.value == value)
    }

    /// Records the value written by a store, and invalidates locations that it may have overwritten.
    pub fn stored(&mut self, table: &Table, place: SectionOffset, op: O, value: Vn) {
        let width = width(op);
        self.0.retain(|cell| !may_overlap(table, cell.place, cell.width, place, width));
        self.remember(Cell { place, width, value, loaded: None });
    }

    fn remember(&mut self, cell: Cell) {
        self.0.retain(|other| other.place != cell.place || other.width != cell.width);
        if self.0.len() >= LIMIT {
            self.0.remove(0);
        }
        self.0.push(cell);
    }
}

/// Alias check: true if two locations may overlap. The stack and data sections never do.
fn may_overlap(table: &Table, a: SectionOffset, a_width: i64, b: SectionOffset, b_width: i64) -> bool {
    let is_static = |place: &SectionOffset| place.base.is_none() && matches!(place.offset, Imm::Data { .. });
    if a.is_stack && is_static(&b) || b.is_stack && is_static(&a) {
        return false;
    }
    if a.base != b.base {
        let opaque = |base: Option<Vn>| base.is_none_or(|base| !matches!(table.def(base), Def::Const(_)));
        return opaque(a.base) || opaque(b.base);
    }
    let ranges = |a: i64, b: i64| a < b.saturating_add(b_width) && b < a.saturating_add(a_width);
    match (a.offset, b.offset) {
        (Imm::Num(a), Imm::Num(b)) => ranges(a, b),
        (
            Imm::Data { section: a, part: Part::Full, offset: at },
            Imm::Data { section: b, part: Part::Full, offset: bt },
        ) => a == b && ranges(at, bt),
        _ => true,
    }
}
