//! Damage: small changes to programs, which then behave as no compiled program does.

use super::Parts;
use pvm_test_support::Rng;
use vm_core::isa::Isa;

/// Changes bytes of code, bits of the bitmask, the end of the code, or the jump table.
pub fn parts(parts: &mut Parts, rng: &mut Rng) {
    let assembly = &mut parts.assembly;
    for _ in 0..1 + rng.below(4) {
        let length = assembly.code.len() as u32;
        match rng.below(4) {
            0 if length > 0 => assembly.code[rng.below(length) as usize] = rng.next_u64() as u8,
            1 if length > 0 => {
                let bit = rng.below(length);
                assembly.bitmask[bit as usize / 8] ^= 1 << (bit % 8);
            }
            2 if length > 0 => {
                let length = length - rng.below(length.min(12));
                assembly.code.truncate(length as usize);
                assembly.bitmask.truncate(length.div_ceil(8) as usize);
                if let (Some(last), bits @ 1..) = (assembly.bitmask.last_mut(), length % 8) {
                    *last &= (1 << bits) - 1;
                }
            }
            _ => {
                let entry = rng.below(length + 2);
                parts.jump_table.push(entry);
            }
        }
    }
}

/// Changes bytes anywhere in a blob, mostly after its header, and sometimes its instruction set.
pub fn bytes(blob: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut blob = blob.to_vec();
    if rng.chance(40) {
        blob[4] = rng.pick(&Isa::ALL) as u8;
        blob[4] = if blob[4] == 2 { 3 } else { blob[4] };
    }
    for _ in 0..rng.below(6) {
        let from = if rng.chance(95) { blob.len() as u32 / 8 } else { 0 };
        let at = from + rng.below(blob.len() as u32 - from);
        blob[at as usize] = rng.next_u64() as u8;
    }
    blob
}
