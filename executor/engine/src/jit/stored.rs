//! Serialization of compiled programs, to be stored and loaded again by the same version of the engine.
//!
//! Layout, all numbers little-endian: [`MAGIC`]; the fingerprint of the engine's sources (u64); the part of the
//! program's configuration that the code depends on; the length of the program's blob (u32) and its [`mix`] (u64);
//! `enter`, `block_stubs`, `jump_stubs` and the lengths of image, pc map, blocks and jumps (u32 each); then these four.
//!
//! Every number is checked against the range of what it refers to, and the verifier, where it is on, reads the machine code
//! as it reads that of the compiler. The results of stored code are not checked, and cannot be: it runs in the sandbox.

use super::pc_map::{Compiled, PcMapEntry, kept_image};
use super::verify::verify;
use crate::error::StoredError;
use pvm_zygote::protocol::CODE_SIZE;
use vm_core::gas::Metering;
use vm_core::program::Program;

const MAGIC: [u8; 8] = *b"pvm-code";

/// Bytes in front of the image.
const HEADER: usize = 8 + 8 + 16 + 4 + 8 + 7 * 4;

/// The fingerprint as a number.
fn fingerprint() -> u64 {
    crate::FINGERPRINT
        .bytes()
        .fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Returns the part of the configuration that machine code depends on.
fn configuration(program: &Program) -> [u32; 4] {
    let config = program.config();
    let metering = match config.metering {
        Metering::Off => 0,
        Metering::Sync => 1,
        Metering::Async => 2,
        // There is no other mode; a new one would change the fingerprint.
        _ => 3,
    };
    let switches = metering | u32::from(config.single_step) << 8 | u32::from(config.semantics.id()) << 16;
    [config.page_size, config.aux_size, u32::from(config.cost_model.id()), switches]
}

/// Fast hash that distinguishes programs: it detects mistakes, not attacks.
fn mix(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let words = words.iter().chain(core::iter::once(&last));
    words.fold(bytes.len() as u64, |sum, word| {
        (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}

/// Serializes a compiled program.
pub(crate) fn store(program: &Program, blob: &[u8], compiled: &Compiled) -> Vec<u8> {
    let tables = compiled.pc_map.len() * 8 + (compiled.blocks.len() + compiled.jumps.len()) * 4;
    let mut bytes = Vec::with_capacity(HEADER + compiled.image.len() + tables);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&fingerprint().to_le_bytes());
    let word = |bytes: &mut Vec<u8>, word: u32| bytes.extend_from_slice(&word.to_le_bytes());
    for part in configuration(program) {
        word(&mut bytes, part);
    }
    word(&mut bytes, blob.len() as u32);
    bytes.extend_from_slice(&mix(blob).to_le_bytes());
    // Each is at most the length of the image, which is less than 2^32.
    let lengths = [compiled.image.len(), compiled.pc_map.len(), compiled.blocks.len(), compiled.jumps.len()];
    for part in [compiled.enter, compiled.block_stubs, compiled.jump_stubs] {
        word(&mut bytes, part);
    }
    for length in lengths {
        word(&mut bytes, length as u32);
    }
    bytes.extend_from_slice(&compiled.image);
    for entry in &compiled.pc_map {
        word(&mut bytes, entry.guest);
        word(&mut bytes, entry.native);
    }
    for offset in compiled.blocks.iter().chain(&compiled.jumps) {
        word(&mut bytes, *offset);
    }
    bytes
}

/// Reads bytes from the front.
struct Reader<'a> {
    all: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], StoredError> {
        let truncated = StoredError::Truncated { offset: self.all - self.rest.len(), needed: length };
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, StoredError> {
        Ok(self.bytes(4)?.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }

    fn u64(&mut self) -> Result<u64, StoredError> {
        Ok(self.bytes(8)?.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// Reads numbers in ascending order, none above `limit`.
    fn ascending(&mut self, what: &'static str, count: u32, limit: u32) -> Result<Vec<u32>, StoredError> {
        // Nothing is allocated before the bytes are known to be there.
        let (words, _) = self.bytes(count as usize * 4)?.as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        check_ascending(what, words.iter().copied(), limit)?;
        Ok(words)
    }
}

fn check_ascending(what: &'static str, words: impl Iterator<Item = u32>, limit: u32) -> Result<(), StoredError> {
    let mut before = 0;
    for found in words {
        if found < before {
            return Err(StoredError::Order { what, found, before });
        }
        in_range(what, found, limit)?;
        before = found;
    }
    Ok(())
}

fn in_range(what: &'static str, found: u32, limit: u32) -> Result<u32, StoredError> {
    if found > limit { Err(StoredError::OutOfRange { what, found, limit }) } else { Ok(found) }
}

/// Deserializes a compiled program, and verifies it.
pub(crate) fn load(program: &Program, blob: &[u8], bytes: &[u8]) -> Result<Compiled, StoredError> {
    let compiled = load_unverified(program, blob, bytes)?;
    verify(program, &compiled)?;
    Ok(compiled)
}

/// Deserializes a compiled program.
pub(crate) fn load_unverified(program: &Program, blob: &[u8], bytes: &[u8]) -> Result<Compiled, StoredError> {
    let mut reader = Reader { all: bytes.len(), rest: bytes };
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(StoredError::NoCode);
    }
    if reader.u64()? != fingerprint() {
        return Err(StoredError::OtherEngine);
    }
    for expected in configuration(program) {
        if reader.u32()? != expected {
            return Err(StoredError::OtherConfiguration);
        }
    }
    if (reader.u32()? as usize, reader.u64()?) != (blob.len(), mix(blob)) {
        return Err(StoredError::OtherProgram);
    }
    let mut words = [0; 7];
    for word in &mut words {
        *word = reader.u32()?;
    }
    let [enter, block_stubs, jump_stubs, image, pc_map, blocks, jumps] = words;
    let image_length = in_range("the length of the image", image, CODE_SIZE as u32)?;
    let enter = in_range("the entry", enter, image_length.saturating_sub(1))?;
    let jump_stubs = in_range("the stubs of jumps", jump_stubs, image_length)?;
    let block_stubs = in_range("the stubs of blocks", block_stubs, jump_stubs)?;
    let image_bytes = reader.bytes(image_length as usize)?;
    let end = program.code().len();
    let (words, _) = reader.bytes(pc_map as usize * 8)?.as_chunks::<8>();
    let pc_map: Vec<PcMapEntry> = words
        .iter()
        .map(|word| {
            let both = u64::from_le_bytes(*word);
            PcMapEntry { guest: both as u32, native: (both >> 32) as u32 }
        })
        .collect();
    check_ascending("a code offset of the pc map", pc_map.iter().map(|entry| entry.guest), end)?;
    check_ascending("a native offset of the pc map", pc_map.iter().map(|entry| entry.native), image_length)?;
    let blocks = reader.ascending("the code offset of a block", blocks, end)?;
    let jumps = reader.ascending("the code offset of a jump", jumps, end)?;
    if !reader.rest.is_empty() {
        return Err(StoredError::TooLong { bytes: reader.rest.len() });
    }
    let mut image = kept_image();
    image.extend_from_slice(image_bytes);
    Ok(Compiled { image, enter, pc_map, blocks, block_stubs, jumps, jump_stubs })
}
