//! Evaluator: the semantics of a term's operations on numbers, and the value of a term under an assignment of its
//! variables.

use crate::term::{Op, Term, Terms};
use std::collections::HashMap;

/// The low `width` bits.
pub const fn mask(width: u32) -> u128 {
    if width >= 128 { u128::MAX } else { (1 << width) - 1 }
}

/// A number of `width` bits as a signed one.
pub const fn signed(value: u128, width: u32) -> i128 {
    ((value << (128 - width)) as i128) >> (128 - width)
}

/// Applies an operation of `width` bits to operands, each with its width.
pub fn apply(op: Op, width: u32, args: &[(u128, u32); 3]) -> u128 {
    let [(a, a_width), (b, b_width), (c, _)] = *args;
    let count = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
    let (sa, sb) = (signed(a, a_width.max(1)), signed(b, b_width.max(1)));
    let result = match op {
        Op::Const(value) => value,
        Op::Var(_) => unreachable!("a variable has no value of its own"),
        Op::Not => !a,
        Op::Neg => a.wrapping_neg(),
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => a.checked_shl(count(b)).unwrap_or(0),
        Op::Lshr => a.checked_shr(count(b)).unwrap_or(0),
        Op::Ashr => (sa >> count(b).min(127)) as u128,
        Op::Udiv => a.checked_div(b).unwrap_or(u128::MAX),
        Op::Urem => a.checked_rem(b).unwrap_or(a),
        // Division by zero: 1 for a negative dividend, else -1.
        Op::Sdiv if b == 0 => {
            if sa < 0 {
                1
            } else {
                u128::MAX
            }
        }
        Op::Sdiv => sa.wrapping_div(sb) as u128,
        Op::Srem if b == 0 => a,
        Op::Srem => sa.wrapping_rem(sb) as u128,
        Op::Eq => u128::from(a == b),
        Op::Ult => u128::from(a < b),
        Op::Slt => u128::from(sa < sb),
        Op::Ite => {
            if a == 1 {
                b
            } else {
                c
            }
        }
        Op::Concat => a << b_width | b,
        Op::Extract(low) => a >> low,
        Op::Zext => a,
        Op::Sext => sa as u128,
    };
    result & mask(width)
}

/// Values of variables, by index; missing ones are zero.
pub type Assignment = HashMap<u32, u128>;

/// Returns the value of a term.
pub fn eval(terms: &Terms, term: Term, assignment: &Assignment) -> u128 {
    eval_with(terms, term, assignment, &mut HashMap::new())
}

/// As [`eval`], with a cache of known values.
pub fn eval_with(terms: &Terms, term: Term, assignment: &Assignment, known: &mut HashMap<Term, u128>) -> u128 {
    // No recursion: terms can be deep.
    let mut stack = vec![term];
    while let Some(&top) = stack.last() {
        if known.contains_key(&top) {
            stack.pop();
            continue;
        }
        let node = terms.node(top);
        let args = &node.args[..node.arity()];
        let waiting = stack.len();
        stack.extend(args.iter().filter(|arg| !known.contains_key(arg)));
        if stack.len() > waiting {
            continue;
        }
        let value = match node.op {
            Op::Var(variable) => assignment.get(&variable).copied().unwrap_or(0) & mask(node.width),
            op => {
                let mut values = [(0, 0); 3];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = (known[arg], terms.width(*arg));
                }
                apply(op, node.width, &values)
            }
        };
        known.insert(top, value);
        stack.pop();
    }
    known[&term]
}
