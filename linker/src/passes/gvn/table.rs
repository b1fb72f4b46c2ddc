//! Value table: two registers with the same value number hold the same value.
//!
//! Each value has a definition ([`Def`]), by which equal values are found, and facts about its bits. Defining a value
//! simplifies it; the identities used hold for all inputs.

use crate::hash::Map;
use crate::ir::{Imm, Part, binary, narrow, unary};
use vm_core::isa::Opcode as O;

/// A value's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vn(u32);

/// Definition of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Def {
    /// A constant.
    Const(Imm),
    /// Unknown; the number distinguishes values.
    Opaque(u32),
    /// A full-width sum of a value, which is neither a sum nor a number, and a number.
    Sum(Vn, i64),
    /// An operation on two values.
    Binary(O, Vn, Vn),
    /// An operation on one value.
    Unary(O, Vn),
}

/// Known bits of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The value is below 2 to the power of this, as an unsigned number.
    pub unsigned: u8,
    /// The value is the sign extension of this many low bits.
    pub signed: u8,
}

impl Facts {
    /// No known bits.
    pub const NONE: Facts = Facts { unsigned: 64, signed: 64 };

    /// Below 2 to the power of `bits`.
    pub const fn unsigned(bits: u8) -> Facts {
        let bits = if bits > 64 { 64 } else { bits };
        Facts { unsigned: bits, signed: if bits < 63 { bits + 1 } else { 64 } }
    }

    /// A sign extension.
    pub const fn signed(bits: u8) -> Facts {
        Facts { unsigned: 64, signed: if bits > 64 { 64 } else { bits } }
    }

    fn of(value: i64) -> Facts {
        let signed = 65 - (if value < 0 { value.leading_ones() } else { value.leading_zeros() }) as u8;
        Facts { unsigned: 64 - value.leading_zeros() as u8, signed }
    }

    /// Facts that hold for both values.
    pub fn either(self, other: Facts) -> Facts {
        Facts { unsigned: self.unsigned.max(other.unsigned), signed: self.signed.max(other.signed) }
    }
}

/// The values of one region of code.
pub struct Table {
    wide: bool,
    numbers: Map<Def, Vn>,
    values: Vec<(Def, Facts)>,
    opaque: u32,
}

impl Table {
    /// Makes an empty table, for registers of 64 bits or of 32.
    pub fn new(wide: bool) -> Table {
        Table { wide, numbers: Map::default(), values: Vec::new(), opaque: 0 }
    }

    /// Definition of a value.
    pub fn def(&self, vn: Vn) -> Def {
        self.values[vn.0 as usize].0
    }

    /// Known bits of a value.
    pub fn facts(&self, vn: Vn) -> Facts {
        self.values[vn.0 as usize].1
    }

    /// The constant, if it is one.
    pub fn constant(&self, vn: Vn) -> Option<Imm> {
        match self.def(vn) {
            Def::Const(imm) => Some(imm),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self, vn: Vn) -> Option<i64> {
        self.constant(vn).and_then(Imm::number)
    }

    fn intern(&mut self, def: Def, facts: impl FnOnce(&Table) -> Facts) -> Vn {
        if let Some(vn) = self.numbers.get(&def) {
            return *vn;
        }
        let facts = facts(self);
        let vn = Vn(self.values.len() as u32);
        self.values.push((def, facts));
        self.numbers.insert(def, vn);
        vn
    }

    /// Makes a value of which only these facts are known.
    pub fn opaque(&mut self, facts: Facts) -> Vn {
        self.opaque += 1;
        self.intern(Def::Opaque(self.opaque), |_| facts)
    }

    /// Returns the value of a constant.
    pub fn imm(&mut self, imm: Imm) -> Vn {
        let imm = match imm {
            Imm::Num(value) => Imm::Num(narrow(value, self.wide)),
            other => other,
        };
        self.intern(Def::Const(imm), |_| match imm {
            Imm::Num(value) => Facts::of(value),
            Imm::Data { part: Part::Low, .. } | Imm::Code { part: Part::Low, .. } => Facts::signed(12),
            _ => Facts::unsigned(31),
        })
    }

    /// Returns the value of a number.
    pub fn num(&mut self, value: i64) -> Vn {
        self.imm(Imm::Num(value))
    }

    fn full(&self, narrow: O, wide: O) -> O {
        if self.wide { wide } else { narrow }
    }

    /// Returns the full-width sum of a value and a number.
    pub fn sum(&mut self, base: Vn, number: i64) -> Vn {
        let number = narrow(number, self.wide);
        match self.def(base) {
            _ if number == 0 => base,
            Def::Sum(inner, more) => self.sum(inner, more.wrapping_add(number)),
            Def::Const(imm) if let Some(total) = imm.plus(number) => self.imm(total),
            _ => self.intern(Def::Sum(base, number), |_| Facts::NONE),
        }
    }

    /// Splits a value into one that is no sum, and the number added to it.
    pub fn split(&self, vn: Vn) -> (Vn, i64) {
        match self.def(vn) {
            Def::Sum(base, number) => (base, number),
            _ => (vn, 0),
        }
    }

    /// Returns the cheapest value with the same low 32 bits as `vn`.
    pub fn low_word(&self, vn: Vn) -> Vn {
        match self.def(vn) {
            Def::Binary(O::And, inner, mask) if self.number(mask).is_some_and(|mask| mask as u32 == u32::MAX) => {
                self.low_word(inner)
            }
            Def::Binary(O::Add32, inner, zero) if self.wide && self.number(zero) == Some(0) => self.low_word(inner),
            _ => vn,
        }
    }

    /// Returns the value of a one-operand operation.
    pub fn unary(&mut self, op: O, a: Vn) -> Vn {
        if let Some(value) = self.number(a).and_then(|a| unary(op, a, self.wide)) {
            return self.num(value);
        }
        let Facts { unsigned, signed } = self.facts(a);
        match op {
            O::ZeroExtend16 if unsigned <= 16 => return a,
            O::SignExtend8 if signed <= 8 => return a,
            O::SignExtend16 if signed <= 16 => return a,
            O::ZeroExtend16 | O::SignExtend8 | O::SignExtend16 => {
                // An extension of the low bits ignores bits that were masked away.
                let bits = if op == O::SignExtend8 { 8 } else { 16 };
                if let Def::Binary(O::And, inner, mask) = self.def(a)
                    && self.number(mask).is_some_and(|mask| mask & ((1 << bits) - 1) == (1 << bits) - 1)
                {
                    return self.unary(op, inner);
                }
            }
            _ => {}
        }
        self.intern(Def::Unary(op, a), |_| match op {
            O::SignExtend8 => Facts::signed(8),
            O::SignExtend16 => Facts::signed(16),
            O::ZeroExtend16 => Facts::unsigned(16),
            O::ReverseByte => Facts::NONE,
            _ => Facts::unsigned(7),
        })
    }

    /// Returns the value of a two-operand operation.
    pub fn binary(&mut self, op: O, a: Vn, b: Vn) -> Vn {
        let (op, a, b) = self.canonical(op, a, b);
        let wide = self.wide;
        let (na, nb) = (self.number(a), self.number(b));
        if let (Some(a), Some(b)) = (na, nb)
            && let Some(value) = binary(op, a, b, wide)
        {
            return self.num(value);
        }
        if let Some(vn) = self.identity(op, a, b, na, nb) {
            return vn;
        }
        self.intern(Def::Binary(op, a, b), |table| table.binary_facts(op, a, b, nb))
    }

    /// Canonical form of an operation: constants come second, subtraction of a constant is addition.
    fn canonical(&mut self, op: O, a: Vn, b: Vn) -> (O, Vn, Vn) {
        let commutes = matches!(
            op,
            O::Add32
                | O::Add64
                | O::And
                | O::Or
                | O::Xor
                | O::Xnor
                | O::Mul32
                | O::Mul64
                | O::MulUpperSignedSigned
                | O::MulUpperUnsignedUnsigned
                | O::Maximum
                | O::MaximumUnsigned
                | O::Minimum
                | O::MinimumUnsigned
        );
        let (a, b) = match commutes && (self.constant(a).is_some(), a) > (self.constant(b).is_some(), b) {
            true => (b, a),
            false => (a, b),
        };
        let Some(number) = self.number(b) else { return (op, a, b) };
        let (op, number) = match op {
            O::Sub64 if number != i64::MIN => (O::Add64, -number),
            O::Sub32 => (O::Add32, i64::from((number as i32).wrapping_neg())),
            O::AndInverted => (O::And, !number),
            O::OrInverted => (O::Or, !number),
            O::Xnor => (O::Xor, !number),
            O::RotateLeft32 => (O::RotateRight32, i64::from((number as i32).wrapping_neg() & 31)),
            O::RotateLeft64 => (O::RotateRight64, number.wrapping_neg() & 63),
            // Only the low half of the number counts.
            O::Mul32 if number as i32 > 1 && (number as i32).count_ones() == 1 => {
                (O::ShiftLogicalLeft32, i64::from((number as i32).trailing_zeros()))
            }
            O::Add32 | O::Mul32 => (op, i64::from(number as i32)),
            O::ShiftLogicalLeft32 | O::ShiftLogicalRight32 | O::ShiftArithmeticRight32 | O::RotateRight32 => {
                (op, number & 31)
            }
            O::ShiftLogicalLeft64 | O::ShiftLogicalRight64 | O::ShiftArithmeticRight64 | O::RotateRight64 => {
                (op, number & 63)
            }
            O::Mul64 if number > 1 && number.count_ones() == 1 => {
                (O::ShiftLogicalLeft64, i64::from(number.trailing_zeros()))
            }
            _ => return (op, a, b),
        };
        (op, a, self.num(number))
    }

    /// Returns the simpler value that an operation is equal to, if any.
    fn identity(&mut self, op: O, a: Vn, b: Vn, na: Option<i64>, nb: Option<i64>) -> Option<Vn> {
        let (fa, def_a) = (self.facts(a), self.def(a));
        let full_add = self.full(O::Add32, O::Add64);
        if a == b {
            match op {
                O::And | O::Or | O::Maximum | O::MaximumUnsigned | O::Minimum | O::MinimumUnsigned => return Some(a),
                O::Xor | O::Sub32 | O::Sub64 | O::SetLessThanSigned | O::SetLessThanUnsigned | O::AndInverted => {
                    return Some(self.num(0));
                }
                O::Xnor | O::OrInverted => return Some(self.num(-1)),
                _ => {}
            }
        }
        if let Some(number) = nb {
            match op {
                _ if op == full_add => return Some(self.sum(a, number)),
                O::Add32 if number == 0 && fa.signed <= 32 => return Some(a),
                O::Add32 => {
                    // A sign-extended sum: the operands need not be extended.
                    match def_a {
                        Def::Binary(O::Add32, inner, more) if let Some(more) = self.number(more) => {
                            let total = self.num(i64::from((number as i32).wrapping_add(more as i32)));
                            return Some(self.binary(O::Add32, inner, total));
                        }
                        Def::Sum(inner, more) => {
                            let total = self.num(i64::from((number as i32).wrapping_add(more as i32)));
                            return Some(self.binary(O::Add32, inner, total));
                        }
                        _ if number == 0 => {
                            let word = self.low_word(a);
                            if word != a {
                                return Some(self.binary(O::Add32, word, b));
                            }
                            let narrowed = match def_a {
                                Def::Binary(O::Add64, x, y) => Some((O::Add32, x, y)),
                                Def::Binary(O::Sub64, x, y) => Some((O::Sub32, x, y)),
                                Def::Binary(O::Mul64, x, y) => Some((O::Mul32, x, y)),
                                Def::Binary(O::ShiftLogicalLeft64, x, y)
                                    if self.number(y).is_some_and(|by| by < 32) =>
                                {
                                    Some((O::ShiftLogicalLeft32, x, y))
                                }
                                _ => None,
                            };
                            if let Some((op, x, y)) = narrowed {
                                return Some(self.binary(op, x, y));
                            }
                        }
                        _ => {}
                    }
                }
                O::And if number == 0 => return Some(b),
                O::And if number == -1 => return Some(a),
                O::And => {
                    if number >= 0 && fa.unsigned < 64 {
                        let bits = (1i64 << fa.unsigned.min(62)) - 1;
                        if fa.unsigned <= 62 && number & bits == bits {
                            return Some(a);
                        }
                    }
                    if let Def::Binary(O::And, inner, mask) = def_a
                        && let Some(mask) = self.number(mask)
                    {
                        let both = self.num(mask & number);
                        return Some(self.binary(O::And, inner, both));
                    }
                    if number == 0xffff {
                        return Some(self.unary(O::ZeroExtend16, a));
                    }
                    // A sign extension above the bits that are kept has no effect.
                    if let Def::Binary(O::Add32, inner, zero) = def_a
                        && self.number(zero) == Some(0)
                        && (0..=i64::from(i32::MAX)).contains(&number)
                    {
                        return Some(self.binary(O::And, inner, b));
                    }
                }
                O::Or | O::Xor if number == 0 => return Some(a),
                O::Or if number == -1 => return Some(b),
                O::Mul32 | O::Mul64 if number == 0 => return Some(b),
                O::Mul64 if number == 1 => return Some(a),
                O::Mul32 if number == 1 => {
                    let zero = self.num(0);
                    return Some(self.binary(O::Add32, a, zero));
                }
                O::DivUnsigned64 | O::DivSigned64 if number == 1 => return Some(a),
                O::DivUnsigned64 if number > 1 && number.count_ones() == 1 => {
                    let by = self.num(i64::from(number.trailing_zeros()));
                    return Some(self.binary(O::ShiftLogicalRight64, a, by));
                }
                O::RemUnsigned64 if number > 0 && number.count_ones() == 1 => {
                    let mask = self.num(number - 1);
                    return Some(self.binary(O::And, a, mask));
                }
                O::ShiftLogicalLeft64 | O::ShiftLogicalRight64 | O::ShiftArithmeticRight64 | O::RotateRight64
                    if number == 0 =>
                {
                    return Some(a);
                }
                O::ShiftLogicalLeft32 | O::ShiftLogicalRight32 | O::ShiftArithmeticRight32 | O::RotateRight32
                    if number == 0 =>
                {
                    let zero = self.num(0);
                    return Some(self.binary(O::Add32, a, zero));
                }
                O::ShiftLogicalLeft64 => {
                    if let Def::Binary(O::ShiftLogicalLeft64, inner, more) = def_a
                        && let Some(more) = self.number(more)
                        && more + number < 64
                    {
                        let by = self.num(more + number);
                        return Some(self.binary(O::ShiftLogicalLeft64, inner, by));
                    }
                }
                O::ShiftLogicalRight64 => {
                    if i64::from(fa.unsigned) <= number {
                        return Some(self.num(0));
                    }
                    if let Def::Binary(O::ShiftLogicalLeft64, inner, by) = def_a
                        && self.number(by) == Some(number)
                    {
                        let mask = self.num((u64::MAX >> number) as i64);
                        return Some(self.binary(O::And, inner, mask));
                    }
                    if let Def::Binary(O::ShiftLogicalRight64, inner, more) = def_a
                        && let Some(more) = self.number(more)
                        && more + number < 64
                    {
                        let by = self.num(more + number);
                        return Some(self.binary(op, inner, by));
                    }
                }
                O::ShiftArithmeticRight64 => {
                    if let Def::Binary(O::ShiftLogicalLeft64, inner, by) = def_a
                        && self.number(by) == Some(number)
                    {
                        match number {
                            32 => {
                                let zero = self.num(0);
                                return Some(self.binary(O::Add32, inner, zero));
                            }
                            48 => return Some(self.unary(O::SignExtend16, inner)),
                            56 => return Some(self.unary(O::SignExtend8, inner)),
                            _ if i64::from(self.facts(inner).signed) <= 64 - number => return Some(inner),
                            _ => {}
                        }
                    }
                }
                O::ShiftLogicalRight32 if !self.wide => {
                    if let Def::Binary(O::ShiftLogicalLeft32, inner, by) = def_a
                        && self.number(by) == Some(number)
                    {
                        let mask = self.num(i64::from((u32::MAX >> number) as i32));
                        return Some(self.binary(O::And, inner, mask));
                    }
                }
                O::ShiftArithmeticRight32 if !self.wide => {
                    if let Def::Binary(O::ShiftLogicalLeft32, inner, by) = def_a
                        && self.number(by) == Some(number)
                    {
                        match number {
                            16 => return Some(self.unary(O::SignExtend16, inner)),
                            24 => return Some(self.unary(O::SignExtend8, inner)),
                            _ => {}
                        }
                    }
                }
                O::SetLessThanUnsigned if number == 0 => return Some(b),
                O::SetLessThanUnsigned if number == 1 && fa.unsigned <= 1 => {
                    let one = self.num(1);
                    return Some(self.binary(O::Xor, a, one));
                }
                O::Xor => {
                    if let Def::Binary(O::Xor, inner, more) = def_a
                        && let Some(more) = self.number(more)
                    {
                        let both = self.num(more ^ number);
                        return Some(self.binary(O::Xor, inner, both));
                    }
                }
                _ => {}
            }
        }
        match (op, na) {
            (O::Sub64 | O::Sub32, _) if a == b => Some(self.num(0)),
            (O::AndInverted, Some(0)) => Some(a),
            (O::SetLessThanUnsigned, Some(0)) if self.facts(b).unsigned <= 1 => Some(b),
            (
                O::ShiftLogicalLeft64
                | O::ShiftLogicalRight64
                | O::ShiftArithmeticRight64
                | O::ShiftLogicalLeft32
                | O::ShiftLogicalRight32
                | O::ShiftArithmeticRight32
                | O::RotateLeft64
                | O::RotateRight64
                | O::RotateLeft32
                | O::RotateRight32,
                Some(0),
            ) => Some(a),
            _ => None,
        }
    }

    fn binary_facts(&self, op: O, a: Vn, b: Vn, nb: Option<i64>) -> Facts {
        let (fa, fb) = (self.facts(a), self.facts(b));
        let by = nb.unwrap_or(0) as u8 & 63;
        match op {
            O::And => Facts { unsigned: fa.unsigned.min(fb.unsigned), signed: fa.signed.max(fb.signed) },
            O::Or | O::Xor => fa.either(fb),
            O::Minimum | O::Maximum => Facts { unsigned: 64, signed: fa.signed.max(fb.signed) },
            O::MinimumUnsigned => Facts::unsigned(fa.unsigned.min(fb.unsigned)),
            O::MaximumUnsigned => Facts::unsigned(fa.unsigned.max(fb.unsigned)),
            O::SetLessThanSigned | O::SetLessThanUnsigned => Facts::unsigned(1),
            O::ShiftLogicalRight64 if nb.is_some() => Facts::unsigned(fa.unsigned.saturating_sub(by)),
            O::ShiftLogicalRight64 => Facts::unsigned(fa.unsigned),
            O::ShiftLogicalRight32 if by & 31 > 0 => Facts::unsigned(32 - (by & 31)),
            O::ShiftArithmeticRight64 if nb.is_some() => Facts {
                unsigned: if fa.unsigned < 64 { fa.unsigned.saturating_sub(by) } else { 64 },
                signed: fa.signed.saturating_sub(by).max(1),
            },
            O::ShiftArithmeticRight32 if nb.is_some() => Facts::signed((32 - (by & 31)).max(1)),
            O::ShiftLogicalLeft64 if nb.is_some() => {
                Facts { unsigned: fa.unsigned.saturating_add(by).min(64), signed: fa.signed.saturating_add(by).min(64) }
            }
            O::DivUnsigned64 if nb.is_some_and(|by| by != 0) => Facts::unsigned(fa.unsigned),
            O::RemUnsigned64 if nb.is_some_and(|by| by > 0) => {
                Facts::unsigned(fa.unsigned.min(64 - nb.unwrap_or(0).leading_zeros() as u8))
            }
            O::Add32
            | O::Sub32
            | O::Mul32
            | O::ShiftLogicalLeft32
            | O::ShiftLogicalRight32
            | O::ShiftArithmeticRight32
            | O::DivSigned32
            | O::DivUnsigned32
            | O::RemSigned32
            | O::RemUnsigned32
            | O::RotateLeft32
            | O::RotateRight32 => Facts::signed(32),
            _ if !self.wide => Facts::signed(32),
            _ => Facts::NONE,
        }
    }
}
