//! All limits of the system; shared by the virtual machine, the pallet, the linker and the tools.
//!
//! Each constant belongs to one of three kinds, which decides whether it may change:
//!
//! * **Format**: part of the blob format or the instruction sets. Never changes.
//! * **Observable**: a contract can notice it while it runs. It may neither grow nor shrink for contracts that are
//!   already deployed; another value needs a new behaviour version that only newly uploaded code gets.
//! * **Upload**: enforced once, by [`check()`], when code is uploaded. It may grow at any time, as code that was accepted
//!   stays accepted; it must not shrink, as the same code could then not be uploaded again.
//!
//! The observable and upload limits are those of `pallet-revive`, so that contracts made for it fit here. Sizes are in
//! bytes unless said otherwise.

mod check;
mod machine_code;

pub use check::{CodeInfo, Limit, LimitError, check};

/// Format: imports of a program.
pub const IMPORTS: u32 = 1024;

/// Format: code bytes of a program.
pub const FORMAT_CODE_BYTES: u32 = 32 * 1024 * 1024;

/// Format: jump table entries of a program.
pub const FORMAT_JUMP_TABLE_ENTRIES: u32 = 16 * 1024 * 1024;

/// Upload: length of a blob. Bounds what is stored on chain, and what is read and parsed for every call.
pub const BLOB_BYTES: u32 = 1024 * 1024;

/// Upload: length of the code inside of a blob. Bounds the time of [`check()`] and the interpreter's lookup tables.
pub const CODE_BYTES: u32 = BLOB_BYTES;

/// Upload: jump table entries. Real programs have one for every few dozen instructions at most.
pub const JUMP_TABLE_ENTRIES: u32 = 128 * 1024;

/// Upload: instructions in one basic block. Backends translate a block when it is first entered and charge for it in
/// one step, so this bounds the work between two checks of the gas.
pub const BASIC_BLOCK_INSTRUCTIONS: u32 = 1000;

/// Upload: memory that one instance holds for as long as it runs: its blob, and its data regions and stack, rounded up
/// to pages, as far as they are not in the blob. Together with [`CALL_DEPTH`] it bounds the memory of a transaction.
pub const STATIC_MEMORY_BYTES: u32 = BLOB_BYTES + 512 * 1024;

/// Observable: page size of contract memory. Regions are accessible up to the end of their last page.
pub const PAGE_SIZE: u32 = 4 * 1024;

/// Upload: ops that the interpreter can make of the code, counted as instructions plus twice the basic blocks (a
/// block's charge, and its continuation to the next one). Bounds the memory for translated code such that the
/// translation of stored code always fits: a program whose translation is dropped and made again would take many times
/// the time that it pays for. Compiled programs have an op for every two or three bytes of code.
pub const TRANSLATED_OPS: u32 = 400_000;

/// Memory for translated code per instance of the interpreter: 20 bytes per op, and at most four per byte of code for
/// the index. Not observable: translation that does not fit is dropped and made again.
pub const TRANSLATION_CACHE_BYTES: u32 = 20 * TRANSLATED_OPS + 4 * CODE_BYTES;

/// Observable: depth of nested contract calls, not counting the first call.
pub const CALL_DEPTH: u32 = 25;

/// Observable: data passed to a call, and data that a call returns.
pub const CALLDATA_BYTES: u32 = 128 * 1024;

/// Observable: a value in contract storage.
pub const STORAGE_VALUE_BYTES: u32 = 416;

/// Observable: a key in contract storage.
pub const STORAGE_KEY_BYTES: u32 = 128;

/// Observable: all keys and values in transient storage, with what is kept to roll them back.
pub const TRANSIENT_STORAGE_BYTES: u32 = 64 * 1024;

/// Observable: the data of an event.
pub const EVENT_BYTES: u32 = 64 * 1024;

/// Observable: the topics of an event. Ethereum has the same limit, so it is unlikely to change.
pub const EVENT_TOPICS: u32 = 4;

/// Observable: immutable data that a contract stores when it is deployed.
pub const IMMUTABLE_BYTES: u32 = 4 * 1024;

/// Format (of the host functions and of address derivation): the salt of an instantiation has exactly this length.
pub const SALT_BYTES: u32 = 32;

/// Size of the largest extrinsic payload that must be possible: a blob and its constructor data.
pub const TRANSACTION_PAYLOAD_BYTES: u32 = BLOB_BYTES + CALLDATA_BYTES;

/// Memory of an interpreter instance beside guest memory and translated code: an index of its code, and page tables.
pub const INSTANCE_OVERHEAD_BYTES: u32 = CODE_BYTES / 16 + 16 * 1024;

/// Maximum memory of a waiting interpreter instance: its blob, kept in one piece; its pages (initial data is both in
/// them and in the blob); and its tables. The sizes of pages, and of runs of a power of two of them, are not rounded up
/// by an allocator.
pub const INSTANCE_BYTES: u32 = BLOB_BYTES + STATIC_MEMORY_BYTES + INSTANCE_OVERHEAD_BYTES;

/// Memory for the deepest possible call stack in an allocator that rounds sizes up to powers of two and never merges
/// free blocks, as the one of a chain's runtime: instances and call data of every call; twice the translated code of
/// the innermost one (the others release theirs before they call), as a growing allocation does not reuse the blocks
/// that it outgrew; the blob as it is read from the state. A chain's runtime that interprets must be given at least
/// this much beyond its own needs.
///
/// `tests/allocator.rs` runs call stacks of the programs that take most in such an allocator.
pub const TRANSACTION_MEMORY_BYTES: u32 = (CALL_DEPTH + 1) * (INSTANCE_BYTES + 2 * CALLDATA_BYTES)
    + 2 * TRANSLATION_CACHE_BYTES
    + 3 * BLOB_BYTES
    + 2 * TRANSIENT_STORAGE_BYTES;

// The runtime's wasm memory is limited to 128 MiB; a fifth of it is for everything else.
const _: () = assert!(TRANSACTION_MEMORY_BYTES <= 103 * 1024 * 1024);
