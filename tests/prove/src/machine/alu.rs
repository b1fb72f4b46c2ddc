//! Arithmetic, logic, shifts, counts, products and quotients, with their flags.

use super::{Execution, Flags, RAX, RDX, Stuck};
use crate::term::Term;
use iced_x86::Mnemonic;

/// A flag that the manuals leave undefined.
enum Flag {
    Is(Term),
    Undefined,
}

use Flag::{Is, Undefined};

impl Execution<'_> {
    /// Sets carry, parity, zero, sign and overflow.
    fn flags(&mut self, flags: [Flag; 5]) {
        let Flags { cf, pf, zf, sf, of } = self.state.flags;
        let mut old = [cf, pf, zf, sf, of];
        for (old, new) in old.iter_mut().zip(flags) {
            match new {
                Is(term) => *old = term,
                Undefined => *old = self.t.variable(1, "undefined"),
            }
        }
        let [cf, pf, zf, sf, of] = old;
        self.state.flags = Flags { cf, pf, zf, sf, of };
    }

    /// Even parity of the low byte.
    fn parity(&self, result: Term) -> Term {
        let bits = (0..8).map(|bit| self.t.extract(result, bit, 1));
        self.t.not(bits.fold(self.t.bool(false), |sum, bit| self.t.xor(sum, bit)))
    }

    fn zero(&self, result: Term) -> Term {
        self.t.eq_value(result, 0)
    }

    /// Flags by a result, with these for carry and overflow.
    fn result_flags(&mut self, result: Term, cf: Term, of: Term) {
        let (pf, zf, sf) = (self.parity(result), self.zero(result), self.t.sign(result));
        self.flags([Is(cf), Is(pf), Is(zf), Is(sf), Is(of)]);
    }

    /// Flags by a result, with `overflow`'s sign as overflow; returns the result.
    fn overflow_flags(&mut self, result: Term, cf: Term, overflow: Term) -> Term {
        let of = self.t.sign(overflow);
        self.result_flags(result, cf, of);
        result
    }

    fn logic_flags(&mut self, result: Term) {
        let no = self.t.bool(false);
        self.result_flags(result, no, no);
    }

    /// `a + b + carry` with flags.
    fn sum(&mut self, a: Term, b: Term, carry: Option<Term>) -> Term {
        let (t, width) = (self.t, self.t.width(a));
        let (result, cf) = match carry {
            None => {
                let result = t.add(a, b);
                (result, t.ult(result, a))
            }
            Some(carry) => {
                let wide = t.add(t.add(t.zext(a, width + 1), t.zext(b, width + 1)), t.zext(carry, width + 1));
                (t.add(t.add(a, b), t.zext(carry, width)), t.sign(wide))
            }
        };
        self.overflow_flags(result, cf, t.and(t.xor(a, result), t.xor(b, result)))
    }

    /// `a - b - borrow` with flags.
    fn difference(&mut self, a: Term, b: Term, borrow: Option<Term>) -> Term {
        let (t, width) = (self.t, self.t.width(a));
        let (result, cf) = match borrow {
            None => (t.sub(a, b), t.ult(a, b)),
            Some(borrow) => {
                let wide = t.sub(t.sub(t.zext(a, width + 1), t.zext(b, width + 1)), t.zext(borrow, width + 1));
                (t.sub(t.sub(a, b), t.zext(borrow, width)), t.sign(wide))
            }
        };
        self.overflow_flags(result, cf, t.and(t.xor(a, b), t.xor(a, result)))
    }

    pub(super) fn compute(&mut self) -> Result<(), Stuck> {
        use Mnemonic::*;
        let t = self.t;
        match self.i.mnemonic() {
            Add | Adc | Sub | Sbb | And | Or | Xor | Cmp | Test => {
                let (a, b) = (self.read(0)?, self.read(1)?);
                let carry = self.state.flags.cf;
                let result = match self.i.mnemonic() {
                    Add => self.sum(a, b, None),
                    Adc => self.sum(a, b, Some(carry)),
                    Sub | Cmp => self.difference(a, b, None),
                    Sbb => self.difference(a, b, Some(carry)),
                    And | Test => t.and(a, b),
                    Or => t.or(a, b),
                    _ => t.xor(a, b),
                };
                if matches!(self.i.mnemonic(), And | Or | Xor | Test) {
                    self.logic_flags(result);
                }
                if !matches!(self.i.mnemonic(), Cmp | Test) {
                    self.write(0, result)?;
                }
            }
            Not => {
                let a = self.read(0)?;
                self.write(0, t.not(a))?;
            }
            Neg => {
                let a = self.read(0)?;
                let zero = t.constant(t.width(a), 0);
                let result = t.neg(a);
                self.difference(zero, a, None);
                self.write(0, result)?;
            }
            Shl | Shr | Sar | Rol | Ror => self.shift()?,
            Shlx | Shrx | Sarx | Rorx => self.shift_without_flags()?,
            Andn => {
                let (a, b) = (self.read(1)?, self.read(2)?);
                let result = t.and(t.not(a), b);
                let no = t.bool(false);
                self.flags([Is(no), Undefined, Is(self.zero(result)), Is(t.sign(result)), Is(no)]);
                self.write(0, result)?;
            }
            Popcnt => {
                let a = self.read(1)?;
                let no = t.bool(false);
                self.flags([Is(no), Is(no), Is(self.zero(a)), Is(no), Is(no)]);
                self.write(0, t.count_ones(a))?;
            }
            Lzcnt | Tzcnt => {
                let a = self.read(1)?;
                let result = if self.i.mnemonic() == Lzcnt { t.leading_zeros(a) } else { t.trailing_zeros(a) };
                self.flags([Is(self.zero(a)), Undefined, Is(self.zero(result)), Undefined, Undefined]);
                self.write(0, result)?;
            }
            Bswap => {
                let a = self.read(0)?;
                if t.width(a) < 32 {
                    return Err(self.not_modelled());
                }
                self.write(0, t.reverse_bytes(a))?;
            }
            Cdq => self.set(RDX, self.signs(32)),
            Cqo => self.set(RDX, self.signs(64)),
            Mul | Imul | Mulx => self.product()?,
            Div | Idiv => self.quotient()?,
            _ => return Err(self.not_modelled()),
        }
        Ok(())
    }

    /// The sign of rax, in each of `width` bits.
    fn signs(&self, width: u32) -> Term {
        let a = self.get(RAX, width);
        self.t.ashr(a, self.t.constant(width, u128::from(width - 1)))
    }

    /// Returns a shift count, truncated to the width of the shifted operand, 32 or 64, and extended to it.
    fn count(&mut self, operand: u32, width: u32) -> Result<Term, Stuck> {
        if width < 32 {
            return Err(self.not_modelled());
        }
        let count = self.read(operand)?;
        let t = self.t;
        let count = if t.width(count) < width { t.zext(count, width) } else { count };
        Ok(t.and(count, t.constant(width, u128::from(width - 1))))
    }

    fn shift(&mut self) -> Result<(), Stuck> {
        use Mnemonic::{Rol, Ror, Sar, Shl, Shr};
        let t = self.t;
        let a = self.read(0)?;
        let width = t.width(a);
        let count = self.count(1, width)?;
        let mnemonic = self.i.mnemonic();
        let result = match mnemonic {
            Shl => t.shl(a, count),
            Shr => t.lshr(a, count),
            Sar => t.ashr(a, count),
            Rol => t.rotate_left(a, count),
            _ => t.rotate_right(a, count),
        };
        let one = t.constant(width, 1);
        let bit = |value: Term, at: Term| t.low(t.lshr(value, at), 1);
        let high = t.sign(result);
        let cf = match mnemonic {
            Shl => bit(a, t.sub(t.constant(width, width.into()), count)),
            Shr | Sar => bit(a, t.sub(count, one)),
            Rol => t.low(result, 1),
            _ => high,
        };
        // Only defined for a count of one.
        let of = match mnemonic {
            Shl | Rol => t.xor(high, cf),
            Shr => t.sign(a),
            Sar => t.bool(false),
            _ => t.xor(high, t.extract(result, width - 2, 1)),
        };
        let old = self.state.flags;
        let (no_shift, once) = (self.zero(count), t.eq(count, one));
        let undefined = t.variable(1, "undefined");
        let changed = |old: Term, new: Term| t.ite(no_shift, old, new);
        let mut flags = Flags { cf: changed(old.cf, cf), of: changed(old.of, t.ite(once, of, undefined)), ..old };
        if !matches!(mnemonic, Rol | Ror) {
            flags.pf = changed(old.pf, self.parity(result));
            flags.zf = changed(old.zf, self.zero(result));
            flags.sf = changed(old.sf, high);
        }
        self.state.flags = flags;
        self.write(0, result)
    }

    fn shift_without_flags(&mut self) -> Result<(), Stuck> {
        use Mnemonic::{Sarx, Shlx, Shrx};
        let t = self.t;
        let a = self.read(1)?;
        let count = self.count(2, t.width(a))?;
        let result = match self.i.mnemonic() {
            Shlx => t.shl(a, count),
            Shrx => t.lshr(a, count),
            Sarx => t.ashr(a, count),
            _ => t.rotate_right(a, count),
        };
        self.write(0, result)
    }

    fn product(&mut self) -> Result<(), Stuck> {
        use Mnemonic::{Imul, Mulx};
        let t = self.t;
        let is_signed = self.i.mnemonic() == Imul;
        let extend = |a: Term| if is_signed { t.sext(a, 2 * t.width(a)) } else { t.zext(a, 2 * t.width(a)) };
        if self.i.mnemonic() == Mulx {
            let b = self.read(2)?;
            let width = t.width(b);
            let full = t.mul(extend(self.get(RDX, width)), extend(b));
            // The low half first: if both destinations are one register it gets the high half.
            self.write(1, t.low(full, width))?;
            return self.write(0, t.extract(full, width, width));
        }
        let (a, b) = match self.i.op_count() {
            1 => (self.get(RAX, self.operand_width(0)?), self.read(0)?),
            2 => (self.read(0)?, self.read(1)?),
            _ => (self.read(1)?, self.read(2)?),
        };
        let width = t.width(a);
        if width < 32 {
            return Err(self.not_modelled());
        }
        let full = t.mul(extend(a), extend(b));
        let (low, high) = (t.mul(a, b), t.extract(full, width, width));
        let fits = t.eq(full, extend(low));
        let overflow = t.not(fits);
        self.flags([Is(overflow), Undefined, Undefined, Undefined, Is(overflow)]);
        if self.i.op_count() == 1 {
            self.set(RAX, low);
            self.set(RDX, high);
            return Ok(());
        }
        self.write(0, low)
    }

    /// Division of rdx:rax. Modelled only if that is the extension of rax, which is all that compilers emit.
    fn quotient(&mut self) -> Result<(), Stuck> {
        let t = self.t;
        let b = self.read(0)?;
        let width = t.width(b);
        if width < 32 {
            return Err(self.not_modelled());
        }
        let (low, high) = (self.get(RAX, width), self.get(RDX, width));
        let by_zero = self.zero(b);
        let is_signed = self.i.mnemonic() == Mnemonic::Idiv;
        let extension = if is_signed { self.signs(width) } else { t.constant(width, 0) };
        if high != extension {
            return Err(Stuck::NotModelled { ip: self.i.ip(), form: "division of more than an extended rax".into() });
        }
        let (quotient, remainder) = if is_signed {
            let least = t.eq_value(low, 1 << (width - 1));
            let minus_one = t.eq_value(b, u128::MAX);
            self.faults.push(t.or(by_zero, t.and(least, minus_one)));
            (t.sdiv(low, b), t.srem(low, b))
        } else {
            self.faults.push(by_zero);
            (t.udiv(low, b), t.urem(low, b))
        };
        self.flags([Undefined, Undefined, Undefined, Undefined, Undefined]);
        self.set(RAX, quotient);
        self.set(RDX, remainder);
        Ok(())
    }
}
