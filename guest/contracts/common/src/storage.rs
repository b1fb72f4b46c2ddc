//! Storage layout of Solidity, so that its tools can read a Rust contract's state.
//!
//! State variables take the slots 0, 1, 2, … in order of declaration. A mapping leaves its own slot empty; the value
//! under `key` stands at `keccak256(key ‖ slot)`.

use crate::{
    Address, Word,
    abi::{encode_address, encode_u8},
    hash::keccak256,
};

/// Returns the slot of the state variable declared as number `index`, from 0.
pub const fn variable(index: u8) -> Word {
    encode_u8(index)
}

/// Returns the storage slot of the value under `key` in the mapping at `slot`.
pub fn mapping(slot: &Word, key: &Address) -> Word {
    let mut preimage = [0; 64];
    preimage[..32].copy_from_slice(&encode_address(key));
    preimage[32..].copy_from_slice(slot);
    keccak256(&preimage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variables_slot_is_its_number_big_endian() {
        let slot = variable(7);
        assert_eq!(slot[31], 7);
        assert_eq!(slot[..31], [0; 31]);
    }

    #[test]
    fn the_mapping_at_slot_zero_hashes_64_zero_bytes_for_the_zero_address() {
        // A well-known number: the first inner node of a Keccak Merkle tree of zeros.
        let expected = [
            0xad, 0x32, 0x28, 0xb6, 0x76, 0xf7, 0xd3, 0xcd, 0x42, 0x84, 0xa5, 0x44, 0x3f, 0x17, 0xf1, 0x96, 0x2b, 0x36,
            0xe4, 0x91, 0xb3, 0x0a, 0x40, 0xb2, 0x40, 0x58, 0x49, 0xe5, 0x97, 0xba, 0x5f, 0xb5,
        ];
        assert_eq!(mapping(&variable(0), &[0; 20]), expected);
    }

    #[test]
    fn nested_mappings_and_other_keys_have_other_slots() {
        let (alice, bob) = ([1; 20], [2; 20]);
        let outer = variable(1);
        let of_alice = mapping(&outer, &alice);
        assert_ne!(of_alice, mapping(&outer, &bob));
        assert_ne!(of_alice, mapping(&variable(0), &alice));
        assert_ne!(mapping(&of_alice, &bob), mapping(&mapping(&outer, &bob), &alice));
    }
}
