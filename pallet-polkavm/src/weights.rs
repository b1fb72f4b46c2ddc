//! The weights of extrinsics and host functions.
//!
//! [`FirstModel`] is set by hand, high on purpose, from what each function touches: database
//! accesses at the chain's own price ([`RuntimeDbWeight`]), a fixed time, a time per byte, and an
//! upper estimate of the proof. Generated benchmarks replace it by implementing [`WeightInfo`].

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{RuntimeDbWeight, Weight},
};

/// Weights the pallet needs. Lengths are in bytes.
pub trait WeightInfo {
    /// The part of `upload_code` that doesn't depend on gas: check and store `code_len` bytes.
    fn upload_code(code_len: u32) -> Weight;
    /// `remove_code`.
    fn remove_code() -> Weight;
    /// `instantiate` without what the constructor does.
    fn instantiate(data_len: u32) -> Weight;
    /// `instantiate_with_code` without what the constructor does.
    fn instantiate_with_code(code_len: u32, data_len: u32) -> Weight;
    /// `call` without what the contract does.
    fn call(data_len: u32) -> Weight;
    /// `map_account`.
    fn map_account() -> Weight;
    /// `unmap_account`.
    fn unmap_account() -> Weight;

    /// Reading a program from storage and making it ready to run.
    fn load_code(code_len: u32) -> Weight;
    /// A host function that only moves a word or two.
    fn host_basic() -> Weight;
    /// A host function that derives an address from an account.
    fn host_address() -> Weight;
    /// Copying into the contract's memory.
    fn host_copy_in(len: u32) -> Weight;
    /// Copying out of the contract's memory.
    fn host_copy_out(len: u32) -> Weight;
    /// `balance`.
    fn host_balance() -> Weight;
    /// `balance_of`.
    fn host_balance_of() -> Weight;
    /// `code_hash`.
    fn host_code_hash() -> Weight;
    /// `code_size`.
    fn host_code_size() -> Weight;
    /// `get_storage` of a value of this length.
    fn host_get_storage(len: u32) -> Weight;
    /// `set_storage` of a new value over an old one.
    fn host_set_storage(old: u32, new: u32) -> Weight;
    /// `get_immutable_data`.
    fn host_get_immutable_data(len: u32) -> Weight;
    /// `set_immutable_data`.
    fn host_set_immutable_data(len: u32) -> Weight;
    /// `hash_keccak_256`.
    fn host_keccak_256(len: u32) -> Weight;
    /// `deposit_event`.
    fn host_deposit_event(topics: u32, len: u32) -> Weight;
}

/// Picoseconds in a microsecond.
const MICROS: u64 = 1_000_000;
/// Picoseconds in a nanosecond.
const NANOS: u64 = 1_000;

/// Proof of one entry of the main trie: its value and the nodes on the way to it.
const ENTRY_PROOF: u64 = 3_600;
/// Proof of one entry of a contract's own trie, its root included.
const CHILD_ENTRY_PROOF: u64 = 10_240;

/// Leaving the VM, entering the host function and going back.
const HOST_CALL: u64 = 500 * NANOS;
/// Checking one byte of a program at upload.
const CHECK_CODE_BYTE: u64 = 50 * NANOS;
/// Reading one byte of a program and making it ready to run. Most of it is for the interpreter's
/// translation of the byte, which happens later, when its block is first entered, and isn't charged then.
const LOAD_CODE_BYTE: u64 = 20 * NANOS;
/// Copying one byte between the contract's memory and the host.
const COPY_BYTE: u64 = NANOS;
/// Hashing one byte with Keccak-256, the copy out of the contract's memory included.
const KECCAK_BYTE: u64 = 6 * NANOS;
/// Reading one byte of a storage value.
const READ_BYTE: u64 = 2 * NANOS;
/// Writing one byte of a storage value, and hashing it into the state root.
const WRITE_BYTE: u64 = 10 * NANOS;
/// One byte of an event: it stays in memory until the end of the block and is written with it.
const EVENT_BYTE: u64 = 250 * NANOS;

/// The first, hand-set model. `Db` prices database accesses.
pub struct FirstModel<Db>(PhantomData<Db>);

/// The first model with the database weights of a runtime.
pub type SubstrateWeight<T> = FirstModel<<T as frame_system::Config>::DbWeight>;

impl<Db: Get<RuntimeDbWeight>> FirstModel<Db> {
    fn time(base: u64, per_byte: u64, len: u32) -> Weight {
        Weight::from_parts(base.saturating_add(per_byte.saturating_mul(len.into())), 0)
    }

    /// `reads` and `writes` of entries of the main trie.
    fn entries(reads: u64, writes: u64) -> Weight {
        let touched = reads.max(writes);
        Db::get().reads_writes(reads, writes).saturating_add(Weight::from_parts(0, touched.saturating_mul(ENTRY_PROOF)))
    }

    fn proof(bytes: u64) -> Weight {
        Weight::from_parts(0, bytes)
    }
}

impl<Db: Get<RuntimeDbWeight>> WeightInfo for FirstModel<Db> {
    fn upload_code(code_len: u32) -> Weight {
        // Code, its info, and the account the deposit is held on.
        Self::time(100 * MICROS, CHECK_CODE_BYTE, code_len).saturating_add(Self::entries(3, 4))
    }

    fn remove_code() -> Weight {
        Self::time(60 * MICROS, 0, 0).saturating_add(Self::entries(3, 4))
    }

    fn instantiate(data_len: u32) -> Weight {
        // Origin and contract accounts with their holds, mapping, code info, contract info.
        Self::time(200 * MICROS, KECCAK_BYTE, data_len).saturating_add(Self::entries(9, 8))
    }

    fn instantiate_with_code(code_len: u32, data_len: u32) -> Weight {
        // With a salt the code is hashed once more for the address.
        Self::upload_code(code_len).saturating_add(Self::instantiate(data_len)).saturating_add(Self::time(
            0,
            KECCAK_BYTE,
            code_len,
        ))
    }

    fn call(data_len: u32) -> Weight {
        Self::time(100 * MICROS, COPY_BYTE, data_len).saturating_add(Self::entries(8, 5))
    }

    fn map_account() -> Weight {
        Self::time(60 * MICROS, 0, 0).saturating_add(Self::entries(3, 3))
    }

    fn unmap_account() -> Weight {
        Self::time(60 * MICROS, 0, 0).saturating_add(Self::entries(3, 3))
    }

    fn load_code(code_len: u32) -> Weight {
        Self::time(50 * MICROS, LOAD_CODE_BYTE, code_len)
            .saturating_add(Self::entries(2, 0))
            .saturating_add(Self::proof(code_len.into()))
    }

    fn host_basic() -> Weight {
        Self::time(HOST_CALL, 0, 0)
    }

    fn host_address() -> Weight {
        Self::time(HOST_CALL + 3 * MICROS, 0, 0)
    }

    fn host_copy_in(len: u32) -> Weight {
        Self::time(HOST_CALL, COPY_BYTE, len)
    }

    fn host_copy_out(len: u32) -> Weight {
        Self::time(HOST_CALL, COPY_BYTE, len)
    }

    fn host_balance() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(1, 0))
    }

    fn host_balance_of() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(2, 0))
    }

    fn host_code_hash() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(3, 0))
    }

    fn host_code_size() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(2, 0))
    }

    fn host_get_storage(len: u32) -> Weight {
        Self::time(HOST_CALL + 10 * MICROS, READ_BYTE, len)
            .saturating_add(Db::get().reads(1))
            .saturating_add(Self::proof(CHILD_ENTRY_PROOF + u64::from(len)))
    }

    fn host_set_storage(old: u32, new: u32) -> Weight {
        Self::time(HOST_CALL + 15 * MICROS, READ_BYTE, old)
            .saturating_add(Self::time(0, WRITE_BYTE, new))
            .saturating_add(Db::get().reads_writes(1, 1))
            .saturating_add(Self::proof(CHILD_ENTRY_PROOF + u64::from(old)))
    }

    fn host_get_immutable_data(len: u32) -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, READ_BYTE, len)
            .saturating_add(Self::entries(1, 0))
            .saturating_add(Self::proof(len.into()))
    }

    fn host_set_immutable_data(len: u32) -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, WRITE_BYTE, len).saturating_add(Self::entries(1, 1))
    }

    fn host_keccak_256(len: u32) -> Weight {
        Self::time(HOST_CALL + 2 * MICROS, KECCAK_BYTE, len)
    }

    fn host_deposit_event(topics: u32, len: u32) -> Weight {
        Self::time(HOST_CALL + 10 * MICROS, EVENT_BYTE, len).saturating_add(Self::time(0, EVENT_BYTE * 32, topics))
    }
}
