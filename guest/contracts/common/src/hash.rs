//! Keccak-256, function selectors and event topics.
//!
//! [`selector`] and [`topic`] are meant for constants: they cost nothing at run time. [`keccak256`] is for data that
//! is known only then: on the chain it is a host function, on the development machine the same hash in Rust.

use crate::{Selector, Word};

/// Returns the selector of a function signature such as `transfer(address,uint256)`: the start of its hash.
pub const fn selector(signature: &str) -> Selector {
    Selector::from_be_bytes(pallet_revive_uapi::solidity_selector(signature))
}

/// Returns the first topic of an event, such as `Transfer(address,address,uint256)`: its signature's hash.
pub const fn topic(signature: &str) -> Word {
    const_crypto::sha3::Keccak256::new().update(signature.as_bytes()).finalize()
}

/// Returns the Keccak-256 hash of `data`.
#[cfg(target_arch = "riscv64")]
pub fn keccak256(data: &[u8]) -> Word {
    use pallet_revive_uapi::{HostFn, HostFnImpl};

    let mut hash = [0; 32];
    HostFnImpl::hash_keccak_256(data, &mut hash);
    hash
}

/// Returns the Keccak-256 hash of `data`.
#[cfg(not(target_arch = "riscv64"))]
pub fn keccak256(data: &[u8]) -> Word {
    const_crypto::sha3::Keccak256::new().update(data).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_that_every_erc20_caller_uses() {
        assert_eq!(selector("totalSupply()"), 0x1816_0ddd);
        assert_eq!(selector("balanceOf(address)"), 0x70a0_8231);
        assert_eq!(selector("transfer(address,uint256)"), 0xa905_9cbb);
        assert_eq!(selector("approve(address,uint256)"), 0x095e_a7b3);
        assert_eq!(selector("allowance(address,address)"), 0xdd62_ed3e);
        assert_eq!(selector("transferFrom(address,address,uint256)"), 0x23b8_72dd);
        assert_eq!(selector("name()"), 0x06fd_de03);
        assert_eq!(selector("symbol()"), 0x95d8_9b41);
        assert_eq!(selector("decimals()"), 0x313c_e567);
        assert_eq!(selector("Error(string)"), 0x08c3_79a0);
        assert_eq!(selector("Panic(uint256)"), 0x4e48_7b71);
    }

    #[test]
    fn the_transfer_topic_is_the_one_that_indexers_look_for() {
        let expected = [
            0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa, 0x95, 0x2b,
            0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
        ];
        assert_eq!(topic("Transfer(address,address,uint256)"), expected);
    }

    #[test]
    fn the_hash_of_nothing_is_the_known_one() {
        let hash = keccak256(&[]);
        assert_eq!(hash[..4], [0xc5, 0xd2, 0x46, 0x01]);
        assert_eq!(hash[28..], [0x5d, 0x85, 0xa4, 0x70]);
    }
}
