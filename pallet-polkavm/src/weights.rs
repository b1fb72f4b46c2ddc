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

    /// `call` without what the callee does.
    fn host_call() -> Weight;
    /// A call of a precompile without what it does.
    fn host_call_precompile() -> Weight;
    /// `delegate_call` without what the callee does.
    fn host_delegate_call() -> Weight;
    /// The transfer of a value, on top of a call or an instantiation.
    fn host_call_transfer() -> Weight;
    /// Copying a contract's own input for a call.
    fn host_clone_input(len: u32) -> Weight;
    /// `instantiate` without what the constructor does.
    fn host_instantiate(data_len: u32) -> Weight;
    /// The address from a salt, on top of `instantiate`.
    fn host_create2(code_len: u32) -> Weight;
    /// `terminate`, and what it makes of the end of the transaction.
    fn host_terminate() -> Weight;
    /// The system builtin's `setCodeHash`.
    fn host_set_code_hash() -> Weight;
    /// `block_hash`.
    fn host_block_hash() -> Weight;
    /// `block_author`.
    fn host_block_author() -> Weight;
    /// The account behind an address.
    fn host_account_id() -> Weight;
    /// `get_storage` from the transient storage.
    fn host_get_transient(len: u32) -> Weight;
    /// `set_storage` to the transient storage.
    fn host_set_transient(len: u32) -> Weight;
    /// `ecdsa_to_eth_address`.
    fn host_ecdsa_to_eth_address() -> Weight;
    /// `sr25519_verify`.
    fn host_sr25519_verify(len: u32) -> Weight;

    /// Ethereum's precompile 1.
    fn precompile_ecrecover() -> Weight;
    /// Ethereum's precompile 2.
    fn precompile_sha256(len: u32) -> Weight;
    /// Ethereum's precompile 3.
    fn precompile_ripemd160(len: u32) -> Weight;
    /// Ethereum's precompile 5, for this many multiplications of 64-bit words.
    fn precompile_modexp(multiplications: u32) -> Weight;
    /// Ethereum's precompile 6.
    fn precompile_bn128_add() -> Weight;
    /// Ethereum's precompile 7.
    fn precompile_bn128_mul() -> Weight;
    /// Ethereum's precompile 8.
    fn precompile_bn128_pairing(pairs: u32) -> Weight;
    /// Ethereum's precompile 9.
    fn precompile_blake2f(rounds: u32) -> Weight;
    /// The system builtin's hashes.
    fn precompile_blake2(len: u32) -> Weight;

    /// Looking whether there are tries to delete.
    fn deletion_base() -> Weight;
    /// Deleting a trie with this many entries.
    fn deletion(keys: u32) -> Weight;

    /// `rounds` times a hundred additions, and what it takes to load and begin a program of them.
    fn instruction_add(rounds: u32) -> Weight;
    /// The same of multiplications.
    fn instruction_multiply(rounds: u32) -> Weight;
    /// The same of divisions.
    fn instruction_divide(rounds: u32) -> Weight;
    /// The same of rotations.
    fn instruction_shift(rounds: u32) -> Weight;
    /// The same of loads.
    fn instruction_load(rounds: u32) -> Weight;
    /// The same of stores.
    fn instruction_store(rounds: u32) -> Weight;
    /// The same of branches, each to a block of its own.
    fn instruction_branch(rounds: u32) -> Weight;
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

    fn host_call() -> Weight {
        // The callee's record, its mapping, the account for a value.
        Self::time(HOST_CALL + 30 * MICROS, 0, 0).saturating_add(Self::entries(2, 1))
    }

    fn host_call_precompile() -> Weight {
        Self::time(HOST_CALL + 10 * MICROS, 0, 0)
    }

    fn host_delegate_call() -> Weight {
        Self::time(HOST_CALL + 30 * MICROS, 0, 0).saturating_add(Self::entries(1, 0))
    }

    fn host_call_transfer() -> Weight {
        // Both accounts, and the origin's where it pays an existential deposit.
        Self::time(60 * MICROS, 0, 0).saturating_add(Self::entries(3, 3))
    }

    fn host_clone_input(len: u32) -> Weight {
        Self::time(0, COPY_BYTE, len)
    }

    fn host_instantiate(data_len: u32) -> Weight {
        // Both accounts, the contract's record, its code's, the count of tries; and the deposit's hold at the end.
        Self::time(HOST_CALL + 150 * MICROS, COPY_BYTE, data_len).saturating_add(Self::entries(7, 7))
    }

    fn host_create2(code_len: u32) -> Weight {
        Self::time(2 * MICROS, KECCAK_BYTE, code_len)
    }

    fn host_terminate() -> Weight {
        // Three accounts and their holds, the record, immutable data, the code's record, the queue.
        Self::time(HOST_CALL + 150 * MICROS, 0, 0).saturating_add(Self::entries(10, 10))
    }

    fn host_set_code_hash() -> Weight {
        Self::time(HOST_CALL + 20 * MICROS, 0, 0).saturating_add(Self::entries(3, 3))
    }

    fn host_block_hash() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(1, 0))
    }

    fn host_block_author() -> Weight {
        Self::time(HOST_CALL + 10 * MICROS, 0, 0).saturating_add(Self::entries(2, 0))
    }

    fn host_account_id() -> Weight {
        Self::time(HOST_CALL + 5 * MICROS, 0, 0).saturating_add(Self::entries(1, 0))
    }

    fn host_get_transient(len: u32) -> Weight {
        Self::time(HOST_CALL + 3 * MICROS, COPY_BYTE, len)
    }

    fn host_set_transient(len: u32) -> Weight {
        // Written, remembered in each frame below, and undone.
        Self::time(HOST_CALL + 10 * MICROS, 4 * COPY_BYTE, len)
    }

    fn host_ecdsa_to_eth_address() -> Weight {
        Self::time(HOST_CALL + 150 * MICROS, 0, 0)
    }

    fn host_sr25519_verify(len: u32) -> Weight {
        Self::time(HOST_CALL + 150 * MICROS, KECCAK_BYTE, len)
    }

    fn precompile_ecrecover() -> Weight {
        Self::time(200 * MICROS, 0, 0)
    }

    fn precompile_sha256(len: u32) -> Weight {
        Self::time(3 * MICROS, KECCAK_BYTE, len)
    }

    fn precompile_ripemd160(len: u32) -> Weight {
        Self::time(3 * MICROS, 3 * KECCAK_BYTE, len)
    }

    fn precompile_modexp(multiplications: u32) -> Weight {
        Self::time(50 * MICROS, 20 * NANOS, multiplications)
    }

    fn precompile_bn128_add() -> Weight {
        Self::time(60 * MICROS, 0, 0)
    }

    fn precompile_bn128_mul() -> Weight {
        Self::time(1_500 * MICROS, 0, 0)
    }

    fn precompile_bn128_pairing(pairs: u32) -> Weight {
        Self::time(15_000 * MICROS, 15_000 * MICROS, pairs)
    }

    fn precompile_blake2f(rounds: u32) -> Weight {
        Self::time(3 * MICROS, 200 * NANOS, rounds)
    }

    fn precompile_blake2(len: u32) -> Weight {
        Self::time(3 * MICROS, KECCAK_BYTE, len)
    }

    fn deletion_base() -> Weight {
        Self::time(5 * MICROS, 0, 0).saturating_add(Self::entries(1, 1))
    }

    fn deletion(keys: u32) -> Weight {
        Self::time(30 * MICROS, 20 * MICROS, keys)
            .saturating_add(Self::entries(2, 2))
            .saturating_add(Db::get().reads_writes(1, 1).saturating_mul(keys.into()))
            .saturating_add(Self::proof(CHILD_ENTRY_PROOF.saturating_mul(keys.into())))
    }

    fn instruction_add(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 500 * NANOS, rounds)
    }

    fn instruction_multiply(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 600 * NANOS, rounds)
    }

    fn instruction_divide(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 900 * NANOS, rounds)
    }

    fn instruction_shift(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 600 * NANOS, rounds)
    }

    fn instruction_load(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 900 * NANOS, rounds)
    }

    fn instruction_store(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 900 * NANOS, rounds)
    }

    fn instruction_branch(rounds: u32) -> Weight {
        Self::time(100 * MICROS, 900 * NANOS, rounds)
    }
}
