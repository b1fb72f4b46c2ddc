//! The costs that the host charges for, as one enum.
//!
//! A host function names its cost before it does the work; the numbers come from
//! [`WeightInfo`], so a benchmark run can replace them all.

use crate::weights::WeightInfo;
use frame_support::weights::Weight;

/// One thing the host does for a contract. Lengths are in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cost {
    /// Reading a program of this length and making it ready to run.
    LoadCode(u32),
    /// A host function that only moves a word or two.
    Basic,
    /// A host function that derives an address from an account.
    Address,
    /// Copying this many bytes into the contract's memory.
    CopyIn(u32),
    /// Copying this many bytes out of the contract's memory.
    CopyOut(u32),
    /// Reading the contract's own balance.
    Balance,
    /// Reading the balance behind an address.
    BalanceOf,
    /// Reading the code hash behind an address.
    CodeHash,
    /// Reading the code size behind an address.
    CodeSize,
    /// Reading a storage value of this length.
    GetStorage(u32),
    /// Replacing a storage value.
    SetStorage {
        /// Length of the value that goes.
        old: u32,
        /// Length of the value that comes; zero for a removal.
        new: u32,
    },
    /// Reading immutable data of this length.
    GetImmutableData(u32),
    /// Writing immutable data of this length.
    SetImmutableData(u32),
    /// Hashing this many bytes with Keccak-256.
    Keccak256(u32),
    /// Emitting an event.
    DepositEvent {
        /// The number of its topics.
        topics: u32,
        /// Length of its data.
        len: u32,
    },
    /// Calling another account, without what it does.
    Call,
    /// Calling a precompile, without what it does.
    CallPrecompile,
    /// Running another contract's program, without what it does.
    DelegateCall,
    /// Sending a value with a call, on top of it.
    CallTransfer,
    /// Passing on the contract's own input of this length.
    CloneInput(u32),
    /// Making a contract with constructor data of this length, without what the constructor does and without a value.
    Instantiate(u32),
    /// Hashing a program of this length for its contract's address, on top of [`Self::Instantiate`].
    Create2(u32),
    /// Ending a contract.
    Terminate,
    /// Giving a contract another program.
    SetCodeHash,
    /// Reading the hash of an earlier block.
    BlockHash,
    /// Finding the author of the block.
    BlockAuthor,
    /// Finding the account behind an address.
    AccountId,
    /// Reading a value of this length from the transient storage.
    GetTransient(u32),
    /// Writing a value of this length to the transient storage, and undoing that.
    SetTransient(u32),
    /// Deriving an address from a compressed ECDSA key.
    EcdsaToEthAddress,
    /// Verifying an sr25519 signature of a message of this length.
    Sr25519Verify(u32),
    /// Recovering the key that signed a hash.
    EcRecover,
    /// Hashing this many bytes with SHA-256.
    Sha256(u32),
    /// Hashing this many bytes with RIPEMD-160.
    Ripemd160(u32),
    /// Hashing this many bytes with BLAKE2b.
    Blake2(u32),
    /// This many rounds of BLAKE2b's compression.
    Blake2F(u32),
    /// Adding two points of alt_bn128.
    Bn128Add,
    /// Multiplying a point of alt_bn128.
    Bn128Mul,
    /// Checking the pairing of this many pairs of points.
    Bn128Pairing(u32),
    /// Raising a number to a power, with this many multiplications of 64-bit words.
    ModExp(u32),
}

/// Cost of a stop of the VM for a host function, in picoseconds, the arguments and results
/// in its memory included. A node's compiler takes 0.2 microseconds for the stop alone where its worker is awake (see
/// benches/RESULTS.md), the interpreter less.
pub const CROSSING: u64 = 1_000_000;

/// Extra cost of a byte of an event, in picoseconds: it stays in memory until the block ends, so
/// a block must not have room for more of them than there may be in memory. At this price a second has 4 MiB.
pub const EVENT_BYTE: u64 = 250_000;

/// Extra cost of a stored byte, in picoseconds: it is hashed into the root of
/// the contract's trie when the block ends, which no benchmark sees.
pub const STATE_BYTE: u64 = 10_000;

impl Cost {
    /// The weight of it.
    pub fn weight<W: WeightInfo>(self) -> Weight {
        let crossing = if self.is_host_call() { CROSSING } else { 0 };
        self.work::<W>().saturating_add(Weight::from_parts(crossing, 0))
    }

    /// Whether the VM stops for it. What comes on top of another cost, and what precompiles do, is paid without that.
    const fn is_host_call(self) -> bool {
        !matches!(
            self,
            Self::LoadCode(_)
                | Self::CallTransfer
                | Self::CloneInput(_)
                | Self::Create2(_)
                | Self::EcRecover
                | Self::Sha256(_)
                | Self::Ripemd160(_)
                | Self::Blake2(_)
                | Self::Blake2F(_)
                | Self::Bn128Add
                | Self::Bn128Mul
                | Self::Bn128Pairing(_)
                | Self::ModExp(_)
        )
    }

    fn work<W: WeightInfo>(self) -> Weight {
        match self {
            Self::LoadCode(len) => W::load_code(len),
            Self::Basic => W::host_basic(),
            Self::Address => W::host_address(),
            Self::CopyIn(len) => W::host_copy_in(len),
            Self::CopyOut(len) => W::host_copy_out(len),
            Self::Balance => W::host_balance(),
            Self::BalanceOf => W::host_balance_of(),
            Self::CodeHash => W::host_code_hash(),
            Self::CodeSize => W::host_code_size(),
            Self::GetStorage(len) => W::host_get_storage(len),
            Self::SetStorage { old, new } => {
                let hashed = Weight::from_parts(STATE_BYTE.saturating_mul(new.into()), 0);
                W::host_set_storage(old, new).saturating_add(hashed)
            }
            Self::GetImmutableData(len) => W::host_get_immutable_data(len),
            Self::SetImmutableData(len) => W::host_set_immutable_data(len),
            Self::Keccak256(len) => W::host_keccak_256(len),
            Self::DepositEvent { topics, len } => {
                let kept = Weight::from_parts(EVENT_BYTE.saturating_mul(len.into()), 0);
                W::host_deposit_event(topics, len).saturating_add(kept)
            }
            Self::Call => W::host_call(),
            Self::CallPrecompile => W::host_call_precompile(),
            Self::DelegateCall => W::host_delegate_call(),
            Self::CallTransfer => W::host_call_transfer(),
            Self::CloneInput(len) => W::host_clone_input(len),
            Self::Instantiate(len) => W::host_instantiate(len),
            Self::Create2(len) => W::host_create2(len),
            Self::Terminate => W::host_terminate(),
            Self::SetCodeHash => W::host_set_code_hash(),
            Self::BlockHash => W::host_block_hash(),
            Self::BlockAuthor => W::host_block_author(),
            Self::AccountId => W::host_account_id(),
            Self::GetTransient(len) => W::host_get_transient(len),
            Self::SetTransient(len) => W::host_set_transient(len),
            Self::EcdsaToEthAddress => W::host_ecdsa_to_eth_address(),
            Self::Sr25519Verify(len) => W::host_sr25519_verify(len),
            Self::EcRecover => W::precompile_ecrecover(),
            Self::Sha256(len) => W::precompile_sha256(len),
            Self::Ripemd160(len) => W::precompile_ripemd160(len),
            Self::Blake2(len) => W::precompile_blake2(len),
            Self::Blake2F(rounds) => W::precompile_blake2f(rounds),
            Self::Bn128Add => W::precompile_bn128_add(),
            Self::Bn128Mul => W::precompile_bn128_mul(),
            Self::Bn128Pairing(pairs) => W::precompile_bn128_pairing(pairs),
            Self::ModExp(multiplications) => W::precompile_modexp(multiplications),
        }
    }
}
