//! Bit-vector terms: hash-consed, folded where all operands are constants, printed as SMT-LIB 2 by `smt`.
//!
//! Both models, the guest's and the machine's, are written over these. With constants they compute numbers, with
//! variables they build formulas, by the same code. A boolean is a term of width 1. The few rewrites made here are
//! checked against the evaluator with random terms (`tests/terms.rs`).

use crate::eval::{apply, mask};
use std::cell::RefCell;
use std::collections::HashMap;

/// A term of one [`Terms`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Term(pub(crate) u32);

/// Operation of a term.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A number.
    Const(u128),
    /// A variable, by its index.
    Var(u32),
    /// Bitwise complement.
    Not,
    /// Two's complement.
    Neg,
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift to the left; zero if the count is the width or more.
    Shl,
    /// Logical shift to the right; zero if the count is the width or more.
    Lshr,
    /// Arithmetic shift to the right; all signs if the count is the width or more.
    Ashr,
    /// Unsigned quotient; all ones if the divisor is zero.
    Udiv,
    /// Unsigned remainder; the dividend if the divisor is zero.
    Urem,
    /// Signed quotient, rounded to zero; division by zero as in SMT-LIB.
    Sdiv,
    /// Signed remainder, with the dividend's sign; division by zero as in SMT-LIB.
    Srem,
    /// Equality.
    Eq,
    /// Unsigned less.
    Ult,
    /// Signed less.
    Slt,
    /// The second operand if the first is 1, else the third.
    Ite,
    /// The first operand above the second.
    Concat,
    /// Bits from this one on, as many as the term's width.
    Extract(u32),
    /// Zero extension.
    Zext,
    /// Sign extension.
    Sext,
}

/// A term's operation, width and operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Width in bits, 1 to 128.
    pub width: u32,
    /// Operands; unused ones repeat the first, or are the term 0.
    pub args: [Term; 3],
}

impl Node {
    /// Number of operands.
    pub fn arity(&self) -> usize {
        match self.op {
            Op::Const(_) | Op::Var(_) => 0,
            Op::Not | Op::Neg | Op::Extract(_) | Op::Zext | Op::Sext => 1,
            Op::Ite => 3,
            _ => 2,
        }
    }
}

#[derive(Default)]
struct Inner {
    nodes: Vec<Node>,
    index: HashMap<Node, Term>,
    variables: Vec<String>,
}

/// All terms of one proof.
#[derive(Default)]
pub struct Terms(RefCell<Inner>);

const NONE: Term = Term(0);

impl Terms {
    /// Makes an empty set of terms.
    pub fn new() -> Terms {
        Terms::default()
    }

    /// Drops all terms. Terms made before must not be used any more.
    pub fn clear(&self) {
        let mut inner = self.0.borrow_mut();
        inner.nodes.clear();
        inner.index.clear();
        inner.variables.clear();
    }

    /// Returns a term's operation, width and operands.
    pub fn node(&self, term: Term) -> Node {
        self.0.borrow().nodes[term.0 as usize]
    }

    /// Width in bits.
    pub fn width(&self, term: Term) -> u32 {
        self.node(term).width
    }

    /// Returns the number, if the term is a constant.
    pub fn value(&self, term: Term) -> Option<u128> {
        match self.node(term).op {
            Op::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Name of a variable.
    pub fn name(&self, variable: u32) -> String {
        self.0.borrow().variables[variable as usize].clone()
    }

    /// Number of terms.
    pub fn count(&self) -> usize {
        self.0.borrow().nodes.len()
    }

    fn make(&self, op: Op, width: u32, args: [Term; 3]) -> Term {
        assert!((1..=128).contains(&width), "a term of {width} bits");
        let node = Node { op, width, args };
        let mut inner = self.0.borrow_mut();
        if let Some(term) = inner.index.get(&node) {
            return *term;
        }
        let term = Term(inner.nodes.len() as u32);
        inner.nodes.push(node);
        inner.index.insert(node, term);
        term
    }

    /// Makes a constant.
    pub fn constant(&self, width: u32, value: u128) -> Term {
        self.make(Op::Const(value & mask(width)), width, [NONE; 3])
    }

    /// Makes a 64-bit constant.
    pub fn c64(&self, value: u64) -> Term {
        self.constant(64, value.into())
    }

    /// Makes a boolean.
    pub fn bool(&self, value: bool) -> Term {
        self.constant(1, value.into())
    }

    /// Makes a new variable.
    pub fn variable(&self, width: u32, name: impl Into<String>) -> Term {
        let number = {
            let mut inner = self.0.borrow_mut();
            inner.variables.push(name.into());
            inner.variables.len() as u32 - 1
        };
        self.make(Op::Var(number), width, [NONE; 3])
    }

    /// Folds the operation if all operands are constants, else makes a term.
    fn op(&self, op: Op, width: u32, args: &[Term]) -> Term {
        let mut values = [(0, 0); 3];
        let mut all = [args[0]; 3];
        let mut constant = true;
        for (at, arg) in args.iter().enumerate() {
            let node = self.node(*arg);
            all[at] = *arg;
            match node.op {
                Op::Const(value) => values[at] = (value, node.width),
                _ => constant = false,
            }
        }
        if constant {
            return self.constant(width, apply(op, width, &values));
        }
        self.make(op, width, all)
    }

    fn binary(&self, op: Op, a: Term, b: Term) -> Term {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "operands of {op:?}");
        self.op(op, width, &[a, b])
    }

    fn is(&self, term: Term, value: u128) -> bool {
        self.value(term) == Some(value)
    }

    fn is_ones(&self, term: Term) -> bool {
        self.value(term) == Some(mask(self.width(term)))
    }

    /// `!a`
    pub fn not(&self, a: Term) -> Term {
        let node = self.node(a);
        if node.op == Op::Not { node.args[0] } else { self.op(Op::Not, node.width, &[a]) }
    }

    /// `-a`
    pub fn neg(&self, a: Term) -> Term {
        self.op(Op::Neg, self.width(a), &[a])
    }

    /// `a + b`; constants come second, and sums of constants are folded.
    pub fn add(&self, a: Term, b: Term) -> Term {
        let (a, b) = if self.value(a).is_some() { (b, a) } else { (a, b) };
        if self.is(b, 0) {
            return a;
        }
        let node = self.node(a);
        if self.value(b).is_some() && node.op == Op::Add && self.value(node.args[1]).is_some() {
            return self.add(node.args[0], self.binary(Op::Add, node.args[1], b));
        }
        self.binary(Op::Add, a, b)
    }

    /// `a - b`; subtraction of a constant is a sum.
    pub fn sub(&self, a: Term, b: Term) -> Term {
        if self.value(b).is_some() && self.value(a).is_none() {
            return self.add(a, self.neg(b));
        }
        self.binary(Op::Sub, a, b)
    }

    /// `a * b`
    pub fn mul(&self, a: Term, b: Term) -> Term {
        self.binary(Op::Mul, a, b)
    }

    /// `a & b`
    pub fn and(&self, a: Term, b: Term) -> Term {
        let (a, b) = if self.value(a).is_some() { (b, a) } else { (a, b) };
        if self.is_ones(b) || a == b {
            return a;
        }
        if self.is(b, 0) { b } else { self.binary(Op::And, a, b) }
    }

    /// `a | b`
    pub fn or(&self, a: Term, b: Term) -> Term {
        let (a, b) = if self.value(a).is_some() { (b, a) } else { (a, b) };
        if self.is(b, 0) || a == b {
            return a;
        }
        if self.is_ones(b) { b } else { self.binary(Op::Or, a, b) }
    }

    /// `a ^ b`
    pub fn xor(&self, a: Term, b: Term) -> Term {
        let (a, b) = if self.value(a).is_some() { (b, a) } else { (a, b) };
        if a == b {
            return self.constant(self.width(a), 0);
        }
        if self.is(b, 0) { a } else { self.binary(Op::Xor, a, b) }
    }

    /// Conjunction; 1 for no terms.
    pub fn all(&self, terms: impl IntoIterator<Item = Term>) -> Term {
        terms.into_iter().fold(self.bool(true), |all, term| self.and(all, term))
    }

    /// Disjunction; 0 for no terms.
    pub fn any(&self, terms: impl IntoIterator<Item = Term>) -> Term {
        terms.into_iter().fold(self.bool(false), |any, term| self.or(any, term))
    }

    fn shift(&self, op: Op, a: Term, count: Term) -> Term {
        if self.is(count, 0) { a } else { self.binary(op, a, count) }
    }

    /// `a << count`; see [`Op::Shl`].
    pub fn shl(&self, a: Term, count: Term) -> Term {
        self.shift(Op::Shl, a, count)
    }

    /// `a >> count`; see [`Op::Lshr`].
    pub fn lshr(&self, a: Term, count: Term) -> Term {
        self.shift(Op::Lshr, a, count)
    }

    /// `a >> count`, signed; see [`Op::Ashr`].
    pub fn ashr(&self, a: Term, count: Term) -> Term {
        self.shift(Op::Ashr, a, count)
    }

    /// See [`Op::Udiv`].
    pub fn udiv(&self, a: Term, b: Term) -> Term {
        self.binary(Op::Udiv, a, b)
    }

    /// See [`Op::Urem`].
    pub fn urem(&self, a: Term, b: Term) -> Term {
        self.binary(Op::Urem, a, b)
    }

    /// See [`Op::Sdiv`].
    pub fn sdiv(&self, a: Term, b: Term) -> Term {
        self.binary(Op::Sdiv, a, b)
    }

    /// See [`Op::Srem`].
    pub fn srem(&self, a: Term, b: Term) -> Term {
        self.binary(Op::Srem, a, b)
    }

    /// `a == b`
    pub fn eq(&self, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "operands of an equality");
        if a == b { self.bool(true) } else { self.op(Op::Eq, 1, &[a, b]) }
    }

    /// `a == b`, as a term even if it is syntactically true, for solvers to decide.
    pub fn equation(&self, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "operands of an equality");
        self.op(Op::Eq, 1, &[a, b])
    }

    /// `a != b`
    pub fn ne(&self, a: Term, b: Term) -> Term {
        self.not(self.eq(a, b))
    }

    /// `a == value`
    pub fn eq_value(&self, a: Term, value: u128) -> Term {
        self.eq(a, self.constant(self.width(a), value))
    }

    /// Unsigned `a < b`
    pub fn ult(&self, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "operands of a comparison");
        if a == b {
            return self.bool(false);
        }
        // A carry: a sum is less than both of its operands, or than none. Both models use one form.
        let node = self.node(a);
        let [x, y, _] = node.args;
        if node.op == Op::Add && (b == x || b == y) && self.value(y).is_none() {
            let (first, second) = if x.0 < y.0 { (x, y) } else { (y, x) };
            return self.op(Op::Ult, 1, &[self.binary(Op::Add, first, second), first]);
        }
        self.op(Op::Ult, 1, &[a, b])
    }

    /// Signed `a < b`
    pub fn slt(&self, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "operands of a comparison");
        if a == b { self.bool(false) } else { self.op(Op::Slt, 1, &[a, b]) }
    }

    /// `a` if `condition`, else `b`
    pub fn ite(&self, condition: Term, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "sides of a choice");
        match self.value(condition) {
            Some(1) => a,
            Some(_) => b,
            None if a == b => a,
            None => self.op(Op::Ite, self.width(a), &[condition, a, b]),
        }
    }

    /// `high` above `low`
    pub fn concat(&self, high: Term, low: Term) -> Term {
        let width = self.width(high) + self.width(low);
        if self.is(high, 0) { self.zext(low, width) } else { self.op(Op::Concat, width, &[high, low]) }
    }

    /// `width` bits from bit `low` on.
    pub fn extract(&self, a: Term, low: u32, width: u32) -> Term {
        let node = self.node(a);
        assert!(low + width <= node.width, "bits {low} to {} of {}", low + width, node.width);
        if width == node.width {
            return a;
        }
        let [x, y, _] = node.args;
        match node.op {
            Op::Extract(inner) => return self.extract(x, inner + low, width),
            Op::Concat => {
                let below = self.width(y);
                if low + width <= below {
                    return self.extract(y, low, width);
                } else if low >= below {
                    return self.extract(x, low - below, width);
                }
            }
            Op::Zext | Op::Sext if low + width <= self.width(x) => return self.extract(x, low, width),
            Op::Zext if low >= self.width(x) => return self.constant(width, 0),
            Op::Sext if low == 0 => return self.sext(x, width),
            Op::Zext if low == 0 => return self.zext(x, width),
            // The low bits of these only depend on low bits.
            Op::Mul if low == 0 => return self.mul(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::Add if low == 0 => return self.add(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::Sub if low == 0 => return self.sub(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::And if low == 0 => return self.and(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::Or if low == 0 => return self.or(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::Xor if low == 0 => return self.xor(self.extract(x, 0, width), self.extract(y, 0, width)),
            Op::Not if low == 0 => return self.not(self.extract(x, 0, width)),
            Op::Neg if low == 0 => return self.neg(self.extract(x, 0, width)),
            _ => {}
        }
        self.op(Op::Extract(low), width, &[a])
    }

    /// The low `width` bits.
    pub fn low(&self, a: Term, width: u32) -> Term {
        self.extract(a, 0, width)
    }

    /// The highest bit.
    pub fn sign(&self, a: Term) -> Term {
        self.extract(a, self.width(a) - 1, 1)
    }

    /// Zero extension to `width`.
    pub fn zext(&self, a: Term, width: u32) -> Term {
        let node = self.node(a);
        if width == node.width {
            return a;
        }
        if node.op == Op::Zext { self.zext(node.args[0], width) } else { self.op(Op::Zext, width, &[a]) }
    }

    /// Sign extension to `width`.
    pub fn sext(&self, a: Term, width: u32) -> Term {
        let node = self.node(a);
        if width == node.width {
            return a;
        }
        match node.op {
            Op::Sext => self.sext(node.args[0], width),
            Op::Zext => self.zext(node.args[0], width),
            _ => self.op(Op::Sext, width, &[a]),
        }
    }

    /// A count modulo the width of what it counts in, which is a power of two.
    fn modulo(&self, count: Term, width: u32) -> Term {
        self.and(count, self.constant(width, u128::from(width - 1)))
    }

    /// `a` rotated left by a count modulo its width, a power of two.
    pub fn rotate_left(&self, a: Term, count: Term) -> Term {
        let width = self.width(a);
        let (left, right) = (self.modulo(count, width), self.modulo(self.neg(count), width));
        self.or(self.shl(a, left), self.lshr(a, right))
    }

    /// `a` rotated right by a count modulo its width, a power of two.
    pub fn rotate_right(&self, a: Term, count: Term) -> Term {
        let width = self.width(a);
        let (right, left) = (self.modulo(count, width), self.modulo(self.neg(count), width));
        self.or(self.lshr(a, right), self.shl(a, left))
    }

    /// Bytes in reverse.
    pub fn reverse_bytes(&self, a: Term) -> Term {
        let bytes = (0..self.width(a) / 8).map(|byte| self.extract(a, 8 * byte, 8));
        bytes.reduce(|high, low| self.concat(high, low)).unwrap_or(a)
    }

    /// Number of ones, as wide as `a`.
    pub fn count_ones(&self, a: Term) -> Term {
        let width = self.width(a);
        let bits = (0..width).map(|bit| self.zext(self.extract(a, bit, 1), width));
        bits.reduce(|sum, bit| self.add(sum, bit)).unwrap_or(a)
    }

    /// Number of zeros above the highest one; the width if there is none.
    pub fn leading_zeros(&self, a: Term) -> Term {
        let width = self.width(a);
        (0..width).fold(self.constant(width, width.into()), |count, bit| {
            self.ite(self.extract(a, bit, 1), self.constant(width, u128::from(width - 1 - bit)), count)
        })
    }

    /// Number of zeros below the lowest one; the width if there is none.
    pub fn trailing_zeros(&self, a: Term) -> Term {
        let width = self.width(a);
        (0..width).rev().fold(self.constant(width, width.into()), |count, bit| {
            self.ite(self.extract(a, bit, 1), self.constant(width, bit.into()), count)
        })
    }
}
