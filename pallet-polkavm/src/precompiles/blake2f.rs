//! BLAKE2b's compression function (EIP-152), from which contracts build hashes of that family.

use super::{Env, bad_input};
use crate::{
    Config,
    metering::cost::Cost,
    types::{Failure, Output},
};
use alloc::vec::Vec;

/// Length of the input: rounds, state, message block, two counters and a flag.
const INPUT: usize = 213;

/// RFC 7693, section 2.6: the fractions of the square roots of the first eight primes.
const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// RFC 7693, section 2.7: the order of message words, for ten rounds in turn.
const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// The words of the working state mixed by each of a round's eight steps: columns, then diagonals.
const STEPS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

pub(super) fn blake2f<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let wrong_length = || bad_input::<T>("blake2f's input hasn't 213 bytes");
    if input.len() != INPUT {
        return Err(wrong_length());
    }
    let (rounds, words) = input.split_first_chunk::<4>().ok_or_else(wrong_length)?;
    let rounds = u32::from_be_bytes(*rounds);
    let _ = env.charge(Cost::Blake2F(rounds))?;
    let last = match words.last() {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(bad_input::<T>("blake2f's last byte is neither 0 nor 1")),
    };
    let mut numbers = [0; 26];
    for (number, bytes) in numbers.iter_mut().zip(words.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*bytes);
    }
    let mut state = [0; 8];
    let mut message = [0; 16];
    state.copy_from_slice(&numbers[..8]);
    message.copy_from_slice(&numbers[8..24]);
    compress(rounds, &mut state, &message, [numbers[24], numbers[25]], last);
    Ok(Output::data(state.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()))
}

/// RFC 7693, section 3.2.
fn compress(rounds: u32, state: &mut [u64; 8], message: &[u64; 16], counter: [u64; 2], last: bool) {
    let mut work = [0; 16];
    work[..8].copy_from_slice(state);
    work[8..].copy_from_slice(&IV);
    work[12] ^= counter[0];
    work[13] ^= counter[1];
    if last {
        work[14] = !work[14];
    }
    for schedule in SIGMA.iter().cycle().take(rounds as usize) {
        for (step, places) in STEPS.iter().enumerate() {
            mix(&mut work, *places, message[schedule[2 * step]], message[schedule[2 * step + 1]]);
        }
    }
    for (index, word) in state.iter_mut().enumerate() {
        *word ^= work[index] ^ work[index + 8];
    }
}

/// RFC 7693, section 3.1.
fn mix(work: &mut [u64; 16], [a, b, c, d]: [usize; 4], x: u64, y: u64) {
    work[a] = work[a].wrapping_add(work[b]).wrapping_add(x);
    work[d] = (work[d] ^ work[a]).rotate_right(32);
    work[c] = work[c].wrapping_add(work[d]);
    work[b] = (work[b] ^ work[c]).rotate_right(24);
    work[a] = work[a].wrapping_add(work[b]).wrapping_add(y);
    work[d] = (work[d] ^ work[a]).rotate_right(16);
    work[c] = work[c].wrapping_add(work[d]);
    work[b] = (work[b] ^ work[c]).rotate_right(63);
}
