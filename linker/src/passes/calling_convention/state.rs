//! Abstract state of registers and of the stack frame at a point in a function.

use crate::ir::{Address, Imm, Part, Val, Var, Vars, width};
use vm_core::isa::{Opcode as O, Reg};

/// Maximum number of slots of a frame that are tracked. Further ones are unknown, which makes a function irregular that
/// saves its registers there.
/// its registers there.
const SLOTS: usize = 256;

/// Abstract value of a register or slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// The value of a register at function entry.
    Entry(Var),
    /// The stack pointer at the entry plus this many bytes.
    Stack(i64),
    /// A number, such as the size of a frame that no immediate holds.
    Number(i64),
    /// The return address of a call.
    Return,
    /// The return address of the subroutine call that is being followed.
    Subroutine,
    /// The address of code.
    Code,
    /// The upper part of the address of code.
    CodeHigh,
    /// An address in a section of data.
    Data(u32),
    /// A value loaded from a data section.
    From(u32),
    /// The difference of two addresses of code.
    Difference,
    /// An unknown value.
    Unknown,
    /// An address of code plus a value that is not a difference of such addresses.
    Computed,
}

impl Value {
    /// Returns the abstract value of a constant.
    pub fn of(imm: Imm) -> Value {
        match imm {
            Imm::Code { part: Part::Full, .. } => Value::Code,
            Imm::Code { part: Part::High, .. } => Value::CodeHigh,
            Imm::Data { section, part: Part::Full | Part::High, .. } => Value::Data(section),
            Imm::Num(number) => Value::Number(number),
            _ => Value::Unknown,
        }
    }

    /// Returns the least upper bound of two values.
    pub fn join(self, other: Value) -> Value {
        match (self, other) {
            (a, b) if a == b => a,
            (Value::Computed, _) | (_, Value::Computed) => Value::Computed,
            _ => Value::Unknown,
        }
    }

    /// True if the convention forbids a function that was entered with this link register to use the value, other than
    /// to save and restore it.
    pub fn is_hidden(self, link: Option<Var>) -> bool {
        match self {
            Value::Return => true,
            Value::Entry(var) => Some(var) == link || var == Var::of(Reg::S0) || var == Var::of(Reg::S1),
            _ => false,
        }
    }
}

/// An operand.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    /// The value of a register.
    Value(Value),
    /// A constant.
    Imm(Imm),
}

impl Operand {
    pub fn value(self) -> Value {
        match self {
            Operand::Value(value) => value,
            Operand::Imm(imm) => Value::of(imm),
        }
    }
}

/// Returns the value of a binary operation, and true if it is a difference of code addresses.
pub(super) fn binary(op: O, a: Operand, b: Operand, differences: &[bool], wide: bool) -> (Value, bool) {
    if let (Value::Number(a), Value::Number(b)) = (a.value(), b.value()) {
        return (crate::ir::binary(op, a, b, wide).map_or(Value::Unknown, Value::Number), false);
    }
    let is_code_low = |operand: Operand| matches!(operand, Operand::Imm(Imm::Code { part: Part::Low, .. }));
    let value = match op {
        O::Add64 | O::Add32 => match (a.value(), b.value()) {
            (Value::CodeHigh, _) if is_code_low(b) => Value::Code,
            (_, Value::CodeHigh) if is_code_low(a) => Value::Code,
            (Value::Data(section), Value::Data(_)) => Value::Data(section),
            (Value::Stack(at), Value::Number(by)) | (Value::Number(by), Value::Stack(at)) => {
                at.checked_add(by).map_or(Value::Unknown, Value::Stack)
            }
            (value, Value::Number(0)) | (Value::Number(0), value) => value,
            (Value::Code, Value::Difference) | (Value::Difference, Value::Code) => Value::Code,
            (Value::Code | Value::Computed, other) | (other, Value::Code | Value::Computed) => match other {
                Value::From(section) if differences.get(section as usize).copied().unwrap_or(false) => Value::Code,
                Value::Unknown if differences.iter().any(|has| *has) => Value::Unknown,
                _ => Value::Computed,
            },
            // An index into a table.
            (Value::Data(section), _) | (_, Value::Data(section)) => Value::Data(section),
            _ => Value::Unknown,
        },
        O::Sub64 | O::Sub32 => match (a.value(), b.value()) {
            (Value::Code, Value::Code) => return (Value::Difference, true),
            (Value::Stack(at), Value::Number(by)) => at.checked_sub(by).map_or(Value::Unknown, Value::Stack),
            _ => Value::Unknown,
        },
        // Distances may be kept in other widths or units.
        O::ShiftLogicalLeft32
        | O::ShiftLogicalLeft64
        | O::ShiftArithmeticRight32
        | O::ShiftArithmeticRight64
        | O::ShiftLogicalRight32
        | O::ShiftLogicalRight64 => match a.value() {
            value @ (Value::From(_) | Value::Difference) => value,
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    };
    (value, false)
}

/// Argument registers.
pub(super) const ARGUMENTS: [Reg; 6] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5];

/// Abstract state at a point of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct State {
    /// The register that holds the function's return address at its entry; `None` if paths differ.
    pub link: Option<Var>,
    registers: [Value; Var::COUNT],
    /// Known register-sized slots of the frame, by their distance from the stack pointer at the entry, sorted.
    slots: Vec<(i64, Value)>,
}

impl State {
    /// Makes the state at the entry of a function whose return address is in `link`.
    pub fn entry(link: Var) -> State {
        let mut registers = [Value::Unknown; Var::COUNT];
        for var in Vars::ALL.iter() {
            registers[var.index()] = Value::Entry(var);
        }
        registers[Var::SP.index()] = Value::Stack(0);
        State { link: Some(link), registers, slots: Vec::new() }
    }

    /// Makes the state in which nothing is known.
    pub fn unknown() -> State {
        State { link: None, registers: [Value::Unknown; Var::COUNT], slots: Vec::new() }
    }

    /// Returns the value of a register.
    pub fn value(&self, var: Var) -> Value {
        self.registers[var.index()]
    }

    /// Returns the value of an operand.
    pub fn operand(&self, value: Val) -> Operand {
        match value {
            Val::Var(var) => Operand::Value(self.value(var)),
            Val::Imm(imm) => Operand::Imm(imm),
        }
    }

    /// Sets a register.
    pub fn set(&mut self, var: Var, value: Value) {
        self.registers[var.index()] = value;
    }

    /// Joins with `other`; returns true if this lost information.
    pub fn join(&mut self, other: &State) -> bool {
        let before = self.clone();
        if self.link != other.link {
            self.link = None;
        }
        for (mine, other) in self.registers.iter_mut().zip(other.registers) {
            *mine = mine.join(other);
        }
        self.slots.retain_mut(|(at, value)| {
            let found = other.slot(*at);
            *value = value.join(found);
            *value != Value::Unknown
        });
        *self != before
    }

    fn slot(&self, at: i64) -> Value {
        let found = self.slots.binary_search_by_key(&at, |(at, _)| *at);
        found.map_or(Value::Unknown, |index| self.slots[index].1)
    }

    /// Returns an address's distance from the stack pointer at the entry.
    fn at(&self, address: Address) -> Option<i64> {
        match (self.value(address.base?), address.offset) {
            (Value::Stack(at), Imm::Num(offset)) => at.checked_add(offset),
            _ => None,
        }
    }

    /// True if an address is in the function's own frame, below the stack pointer at its entry.
    pub fn is_own_slot(&self, address: Address) -> bool {
        self.at(address).is_some_and(|at| at < 0)
    }

    /// Returns the value that a load reads.
    pub fn load(&self, op: O, address: Address, wide: bool) -> Value {
        let whole = width(op) == if wide { 8 } else { 4 };
        if let Some(at) = self.at(address) {
            return if whole { self.slot(at) } else { Value::Unknown };
        }
        let base = address.base.map_or(Value::Unknown, |base| self.value(base));
        match (base, Value::of(address.offset), address.offset) {
            (Value::Data(section), ..) | (_, Value::Data(section), _) => Value::From(section),
            (_, _, Imm::Data { section, .. }) => Value::From(section),
            _ => Value::Unknown,
        }
    }

    /// Records a store to the frame.
    pub fn store(&mut self, op: O, value: Val, address: Address, wide: bool) {
        let Some(at) = self.at(address) else { return };
        let register = if wide { 8 } else { 4 };
        let end = at.saturating_add(width(op));
        self.slots.retain(|(slot, _)| *slot >= end || slot + register <= at);
        let value = self.operand(value).value();
        if width(op) == register && value != Value::Unknown && self.slots.len() < SLOTS {
            let index = self.slots.partition_point(|(slot, _)| *slot < at);
            self.slots.insert(index, (at, value));
        }
    }

    /// Applies a call that follows the convention.
    pub fn call(&mut self) {
        for var in Var::all().filter(|var| !Vars::PRESERVED.has(*var)) {
            self.set(var, Value::Unknown);
        }
        self.set(Var::RA, Value::Return);
        // Nothing below the stack pointer is preserved.
        if let Value::Stack(depth) = self.value(Var::SP) {
            self.slots.retain(|(at, _)| *at >= depth);
        }
    }

    /// True if the callee-saved registers are unchanged.
    pub fn preserves(&self) -> bool {
        let kept = |reg: Reg| self.value(Var::of(reg)) == Value::Entry(Var::of(reg));
        self.value(Var::SP) == Value::Stack(0) && kept(Reg::S0) && kept(Reg::S1)
    }

    /// True if a function could begin here: only argument and scratch registers differ from its entry.
    pub fn is_clean(&self) -> bool {
        self.preserves() && self.link.is_some_and(|link| self.value(link) == Value::Entry(link))
    }

    /// True if an argument register holds the return address.
    pub fn shows_return_address(&self) -> bool {
        self.link.is_some_and(|link| {
            let shown = |reg: &Reg| self.value(Var::of(*reg)) == Value::Entry(link);
            ARGUMENTS.iter().any(shown)
        })
    }

    /// True if a result register holds the return address.
    pub fn results_show_return_address(&self) -> bool {
        let shown = |var: Var| {
            let value = self.value(var);
            value == Value::Return || self.link.is_some_and(|link| value == Value::Entry(link))
        };
        shown(Var::A0) || shown(Var::A1)
    }
}
