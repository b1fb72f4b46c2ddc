//! The weights of extrinsics and host functions.
//!
//! [`WeightInfo`] has a function for each operation that is charged for. [`SubstrateWeight`] has the results of the
//! benchmarks of the same names (`make weights`), with the database weights of the runtime it is used in.

mod measured;

pub use measured::SubstrateWeight;

use frame_support::weights::Weight;

/// Weights that the pallet needs. Lengths are in bytes.
pub trait WeightInfo {
    /// The part of `upload_code` that doesn't depend on gas: checking and storing `code_len` bytes.
    fn upload_code(code_len: u32) -> Weight;
    /// `remove_code`.
    fn remove_code() -> Weight;
    /// `instantiate` without the constructor's own weight.
    fn instantiate(data_len: u32) -> Weight;
    /// `instantiate_with_code` without the constructor's own weight.
    fn instantiate_with_code(code_len: u32, data_len: u32) -> Weight;
    /// `call` without the contract's own weight.
    fn call(data_len: u32) -> Weight;
    /// `map_account`.
    fn map_account() -> Weight;
    /// `unmap_account`.
    fn unmap_account() -> Weight;

    /// Reading a program from storage and preparing it for execution.
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

    /// `call` without the callee's own weight.
    fn host_call() -> Weight;
    /// A call of a precompile without its own weight.
    fn host_call_precompile() -> Weight;
    /// `delegate_call` without the callee's own weight.
    fn host_delegate_call() -> Weight;
    /// The transfer of a value, on top of a call or an instantiation.
    fn host_call_transfer() -> Weight;
    /// Copying a contract's own input for a call.
    fn host_clone_input(len: u32) -> Weight;
    /// `instantiate` without the constructor's own weight.
    fn host_instantiate(data_len: u32) -> Weight;
    /// Deriving the address from a salt, on top of `instantiate`.
    fn host_create2(code_len: u32) -> Weight;
    /// `terminate`, with the settlement at the end of the transaction.
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

    /// Checking whether there are tries to delete.
    fn deletion_base() -> Weight;
    /// Deleting a trie with this many entries.
    fn deletion(keys: u32) -> Weight;

    /// `rounds` times a hundred additions, including loading and starting the program.
    fn instruction_add(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with multiplications.
    fn instruction_multiply(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with divisions.
    fn instruction_divide(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with rotations.
    fn instruction_shift(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with loads.
    fn instruction_load(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with stores.
    fn instruction_store(rounds: u32) -> Weight;
    /// As [`Self::instruction_add`], with branches, each to a block of its own.
    fn instruction_branch(rounds: u32) -> Weight;
}
