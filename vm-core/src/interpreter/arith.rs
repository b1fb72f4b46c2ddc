//! Arithmetic whose edges need care: division, high halves of products, sign extension.
//!
//! Used by the main loop. Total: nothing here overflows or traps. Spec:
//! `docs/spec/instructions.md#instructions`.

/// Sign-extends the low 32 bits to 64.
#[inline(always)]
pub(super) const fn sx32(value: u32) -> u64 {
    value as i32 as i64 as u64
}

pub(super) const fn div_unsigned_32(a: u32, b: u32) -> u32 {
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => u32::MAX,
    }
}

pub(super) const fn div_unsigned_64(a: u64, b: u64) -> u64 {
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => u64::MAX,
    }
}

pub(super) const fn div_signed_32(a: i32, b: i32) -> i32 {
    if b == 0 { -1 } else { a.wrapping_div(b) }
}

pub(super) const fn div_signed_64(a: i64, b: i64) -> i64 {
    if b == 0 { -1 } else { a.wrapping_div(b) }
}

pub(super) const fn rem_unsigned_32(a: u32, b: u32) -> u32 {
    match a.checked_rem(b) {
        Some(remainder) => remainder,
        None => a,
    }
}

pub(super) const fn rem_unsigned_64(a: u64, b: u64) -> u64 {
    match a.checked_rem(b) {
        Some(remainder) => remainder,
        None => a,
    }
}

pub(super) const fn rem_signed_32(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { a.wrapping_rem(b) }
}

pub(super) const fn rem_signed_64(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { a.wrapping_rem(b) }
}

pub(super) const fn mul_upper_signed(a: u64, b: u64) -> u64 {
    ((a as i64 as i128 * b as i64 as i128) >> 64) as u64
}

pub(super) const fn mul_upper_unsigned(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

pub(super) const fn mul_upper_signed_unsigned(a: u64, b: u64) -> u64 {
    ((a as i64 as i128 * b as i128) >> 64) as u64
}

/// For 32-bit programs, whose registers hold sign-extended values.
pub(super) const fn mul_upper_signed_32(a: u64, b: u64) -> u64 {
    sx32(((a as i32 as i64 * b as i32 as i64) >> 32) as u32)
}

pub(super) const fn mul_upper_unsigned_32(a: u64, b: u64) -> u64 {
    sx32(((a as u32 as u64 * b as u32 as u64) >> 32) as u32)
}

pub(super) const fn mul_upper_signed_unsigned_32(a: u64, b: u64) -> u64 {
    sx32(((a as i32 as i64 * b as u32 as i64) >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_zero_and_overflow_give_the_riscv_answers() {
        assert_eq!((div_unsigned_32(7, 0), div_unsigned_64(7, 0)), (u32::MAX, u64::MAX));
        assert_eq!((div_signed_32(7, 0), div_signed_64(-7, 0)), (-1, -1));
        assert_eq!((div_signed_32(i32::MIN, -1), div_signed_64(i64::MIN, -1)), (i32::MIN, i64::MIN));
        assert_eq!((rem_unsigned_32(7, 0), rem_unsigned_64(7, 0)), (7, 7));
        assert_eq!((rem_signed_32(-7, 0), rem_signed_64(-7, 0)), (-7, -7));
        assert_eq!((rem_signed_32(i32::MIN, -1), rem_signed_64(i64::MIN, -1)), (0, 0));
        assert_eq!((div_signed_32(-7, 2), rem_signed_32(-7, 2)), (-3, -1));
    }

    #[test]
    fn high_halves_respect_the_signs() {
        let minus_one = u64::MAX;
        assert_eq!(mul_upper_signed(minus_one, minus_one), 0);
        assert_eq!(mul_upper_unsigned(minus_one, minus_one), minus_one - 1);
        assert_eq!(mul_upper_signed_unsigned(minus_one, minus_one), minus_one);
        assert_eq!(mul_upper_signed_32(minus_one, minus_one), 0);
        assert_eq!(mul_upper_unsigned_32(minus_one, minus_one), sx32(0xffff_fffe));
        assert_eq!(mul_upper_signed_unsigned_32(minus_one, minus_one), minus_one);
        assert_eq!(mul_upper_signed_unsigned_32(1, sx32(0x8000_0000)), 0);
    }
}
