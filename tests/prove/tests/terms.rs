//! Tests that terms have the semantics of their evaluation: rewrites preserve it, and division is right in its special
//! cases.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_prove::eval::{Assignment, apply, eval, mask, signed};
use pvm_prove::term::{Op, Term, Terms};
use pvm_test_support::Rng;

/// A number of `width` bits, often a special one.
fn number(rng: &mut Rng, width: u32) -> u128 {
    let value = match rng.below(6) {
        0 => u128::from(rng.below(3)),
        1 => u128::MAX - u128::from(rng.below(3)),
        2 => 1 << (width - 1),
        3 => u128::from(rng.below(2 * width)),
        _ => u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64()),
    };
    value & mask(width)
}

/// Makes a random term through the constructors, and computes its value by the operations' semantics alone.
fn grow(t: &Terms, rng: &mut Rng, width: u32, depth: u32, values: &mut Assignment) -> (Term, u128) {
    if depth == 0 || rng.below(8) == 0 {
        let value = number(rng, width);
        if rng.below(3) == 0 {
            return (t.constant(width, value), value);
        }
        let variable = t.variable(width, "v");
        let Op::Var(number) = t.node(variable).op else { panic!("no variable") };
        values.insert(number, value);
        return (variable, value);
    }
    let mut sub = |width: u32| grow(t, rng, width, depth - 1, values);
    let (a, va) = sub(width);
    let (b, vb) = sub(width);
    let pair = |op: Op| apply(op, width, &[(va, width), (vb, width), (0, 0)]);
    match rng.below(24) {
        0 => (t.not(a), apply(Op::Not, width, &[(va, width), (0, 0), (0, 0)])),
        1 => (t.neg(a), apply(Op::Neg, width, &[(va, width), (0, 0), (0, 0)])),
        2 => (t.sub(a, b), pair(Op::Sub)),
        3 => (t.mul(a, b), pair(Op::Mul)),
        4 => (t.and(a, b), pair(Op::And)),
        5 => (t.or(a, b), pair(Op::Or)),
        6 => (t.xor(a, b), pair(Op::Xor)),
        7 => (t.shl(a, b), pair(Op::Shl)),
        8 => (t.lshr(a, b), pair(Op::Lshr)),
        9 => (t.ashr(a, b), pair(Op::Ashr)),
        10 => (t.ite(t.ult(a, b), a, b), va.min(vb)),
        11 => (t.ite(t.slt(a, b), a, b), if signed(va, width) < signed(vb, width) { va } else { vb }),
        12 => (t.ite(t.eq(a, b), a, t.not(b)), if va == vb { va } else { !vb & mask(width) }),
        13 => {
            let low = rng.below(width);
            let part = 1 + rng.below(width - low);
            let value = va >> low & mask(part);
            if rng.below(2) == 0 {
                (t.zext(t.extract(a, low, part), width), value)
            } else {
                (t.sext(t.extract(a, low, part), width), signed(value, part) as u128 & mask(width))
            }
        }
        14 if width > 1 => {
            let low = 1 + rng.below(width - 1);
            let joined = t.concat(t.extract(a, low, width - low), t.low(b, low));
            (joined, va >> low << low | vb & mask(low))
        }
        15 if width <= 64 => {
            let wide = t.add(t.zext(a, 2 * width), t.sext(b, 2 * width));
            let value = va.wrapping_add(signed(vb, width) as u128) & mask(2 * width);
            let low = rng.below(width);
            (t.extract(wide, low, width), value >> low & mask(width))
        }
        16 if width.is_power_of_two() && width >= 8 => {
            let bits = |value: u128, left: u128| {
                let left = (left % u128::from(width)) as u32;
                (value << left | value.checked_shr(width - left).unwrap_or(0)) & mask(width)
            };
            let back = u128::from(width) - vb % u128::from(width);
            if rng.below(2) == 0 { (t.rotate_left(a, b), bits(va, vb)) } else { (t.rotate_right(a, b), bits(va, back)) }
        }
        17 => (t.count_ones(a), u128::from(va.count_ones()) & mask(width)),
        18 => (t.leading_zeros(a), u128::from(va.leading_zeros() - (128 - width)) & mask(width)),
        19 => (t.trailing_zeros(a), u128::from(va.trailing_zeros().min(width)) & mask(width)),
        22 => {
            let sum = t.add(a, b);
            let value = u128::from(va.wrapping_add(vb) & mask(width) < if va & 1 == 0 { va } else { vb });
            (t.zext(t.ult(sum, if va & 1 == 0 { a } else { b }), width), value)
        }
        20 => (t.udiv(a, b), va.checked_div(vb).unwrap_or(mask(width))),
        21 => (t.urem(a, b), va.checked_rem(vb).unwrap_or(va)),
        _ => (t.add(a, b), pair(Op::Add)),
    }
}

#[test]
fn rewritten_terms_have_the_value_that_their_operations_say() {
    let mut rng = Rng::new(1);
    for round in 0..15_000 {
        let t = Terms::new();
        let width = [1, 8, 16, 32, 64, 7, 33][rng.below(7) as usize];
        let mut values = Assignment::new();
        let (term, expected) = grow(&t, &mut rng, width, 4, &mut values);
        assert_eq!(eval(&t, term, &values), expected, "round {round}");
    }
}

#[test]
fn division_at_eight_bits_is_what_smt_lib_says_for_every_pair() {
    let of = |op, a: u128, b: u128| apply(op, 8, &[(a, 8), (b, 8), (0, 0)]) as u8;
    for a in 0..=255u8 {
        for b in 0..=255u8 {
            let (x, y) = (a.into(), b.into());
            assert_eq!(of(Op::Udiv, x, y), a.checked_div(b).unwrap_or(255));
            assert_eq!(of(Op::Urem, x, y), a.checked_rem(b).unwrap_or(a));
            let (sa, sb) = (a as i8, b as i8);
            let by_zero = if sa < 0 { 1 } else { -1 };
            assert_eq!(of(Op::Sdiv, x, y) as i8, if b == 0 { by_zero } else { sa.wrapping_div(sb) });
            assert_eq!(of(Op::Srem, x, y) as i8, if b == 0 { sa } else { sa.wrapping_rem(sb) });
        }
    }
}

#[test]
fn the_upper_half_of_a_mixed_product_follows_from_the_unsigned_one_at_eight_bits() {
    for a in 0..=255u8 {
        for b in 0..=255u8 {
            let mixed = ((i32::from(a as i8) * i32::from(b)) >> 8) as u8;
            let unsigned = ((u16::from(a) * u16::from(b)) >> 8) as u8;
            assert_eq!(mixed, unsigned.wrapping_sub(if (a as i8) < 0 { b } else { 0 }));
        }
    }
}
