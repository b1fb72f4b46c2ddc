//! Varint: the variable-length u32 of program blobs (`docs/spec/blobs.md#variable-length-numbers`).
//!
//! Used by the reader, the writer and lazily read sections. Only the shortest form of a value is accepted.

use alloc::vec::Vec;

/// Error of the varint reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VarintError {
    /// The bytes end within the varint.
    Truncated,
    /// The first byte announces more than four further bytes, the value needs more than 32 bits, or a shorter form
    /// exists.
    Malformed,
}

/// Reads a varint from the front of `bytes`; returns its value and its length in bytes.
pub fn read(bytes: &[u8]) -> Result<(u32, usize), VarintError> {
    let &first = bytes.first().ok_or(VarintError::Truncated)?;
    let extra = first.leading_ones() as usize;
    if extra > 4 {
        return Err(VarintError::Malformed);
    }
    let rest = bytes.get(1..1 + extra).ok_or(VarintError::Truncated)?;
    let mut low = [0; 8];
    for (to, from) in low.iter_mut().zip(rest) {
        *to = *from;
    }
    let high = u64::from(first) & (0xff >> extra);
    let value = high << (8 * extra) | u64::from_le_bytes(low);
    let canonical = extra == 0 || value >> (7 * extra) != 0;
    match u32::try_from(value) {
        Ok(value) if canonical => Ok((value, 1 + extra)),
        _ => Err(VarintError::Malformed),
    }
}

/// Appends `value` as a varint.
pub fn write(out: &mut Vec<u8>, value: u32) {
    // Each further byte adds seven bits; the fifth byte leaves room for all 32.
    let extra = (1..=4).rev().find(|extra| value >> (7 * extra) != 0).unwrap_or(0u32);
    let high = (u64::from(value) >> (8 * extra)) as u8;
    let ones = !(0xffu32 >> extra) as u8;
    out.push(ones | high);
    out.extend(value.to_le_bytes().iter().take(extra as usize));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const GOOD: &[(u32, &[u8])] = &[
        (0, &[0x00]),
        (127, &[0x7f]),
        (128, &[0x80, 0x80]),
        (300, &[0x81, 0x2c]),
        (16383, &[0xbf, 0xff]),
        (16384, &[0xc0, 0x00, 0x40]),
        (0x01_2345, &[0xc1, 0x45, 0x23]),
        (0x1f_ffff, &[0xdf, 0xff, 0xff]),
        (0x20_0000, &[0xe0, 0x00, 0x00, 0x20]),
        (0x0fff_ffff, &[0xef, 0xff, 0xff, 0xff]),
        (0x1000_0000, &[0xf0, 0x00, 0x00, 0x00, 0x10]),
        (0x8000_0000, &[0xf0, 0x00, 0x00, 0x00, 0x80]),
        (0xffff_ffff, &[0xf0, 0xff, 0xff, 0xff, 0xff]),
    ];

    #[test]
    fn the_examples_of_the_specification_read_and_write() {
        for (value, bytes) in GOOD {
            assert_eq!(read(bytes), Ok((*value, bytes.len())), "{value:#x}");
            let mut out = vec![];
            write(&mut out, *value);
            assert_eq!(out, *bytes, "{value:#x}");
            for length in 0..bytes.len() {
                assert_eq!(read(&bytes[..length]), Err(VarintError::Truncated));
            }
        }
    }

    #[test]
    fn long_forms_and_values_over_32_bits_are_refused() {
        let bad: &[&[u8]] = &[
            &[0x80, 0x01],
            &[0x80, 0x00],
            &[0xc0, 0x01, 0x00],
            &[0xe0, 0x01, 0x00, 0x00],
            &[0xf0, 0x01, 0x00, 0x00, 0x00],
            &[0xf1, 0x00, 0x00, 0x00, 0x00],
            &[0xf8, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xff, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        for bytes in bad {
            assert_eq!(read(bytes), Err(VarintError::Malformed), "{bytes:02x?}");
        }
    }

    #[test]
    fn every_power_of_two_and_its_neighbours_survive_a_round_trip() {
        for shift in 0..32 {
            for value in [(1u32 << shift) - 1, 1 << shift, (1 << shift) | 1] {
                let mut out = vec![];
                write(&mut out, value);
                assert_eq!(read(&out), Ok((value, out.len())), "{value:#x}");
            }
        }
    }
}
