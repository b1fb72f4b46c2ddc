//! SHA-256 and Keccak-256 of a buffer, with the crates that contracts use.

use crate::region::Region;
use sha2::Digest;

const LENGTH: usize = 64 * 1024;
static DATA: Region<[u8; LENGTH]> = Region::new([0; LENGTH]);

/// Fills the buffer.
pub fn initialize() {
    DATA.with(|data| {
        let mut random = crate::Random::new(0x5eed);
        for byte in data {
            *byte = random.next_u64() as u8;
        }
    });
}

/// SHA-256 of 64 KiB, chained four times; returns the first eight bytes of the last hash.
pub fn sha256() -> u64 {
    DATA.with(|data| chain::<sha2::Sha256>(data, 4))
}

/// Keccak-256 of 64 KiB; returns the first eight bytes of the hash.
pub fn keccak() -> u64 {
    DATA.with(|data| chain::<sha3::Keccak256>(data, 1))
}

fn chain<D: Digest>(data: &[u8], rounds: u32) -> u64 {
    let mut first = [0; 8];
    for _ in 0..rounds {
        let hash = D::new().chain_update(first).chain_update(data).finalize();
        first.copy_from_slice(&hash[..8]);
    }
    u64::from_le_bytes(first)
}
