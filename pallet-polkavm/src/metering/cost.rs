//! The host's costs, as one enum.
//!
//! A host function names its cost before it does the work; the numbers come from [`WeightInfo`], so that a benchmark
//! run can replace all of them.

use crate::weights::WeightInfo;
use frame_support::weights::Weight;

/// An operation that the host charges for. Lengths are in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cost {
    /// Loading a program of this length, and preparing it for execution.
    LoadCode(u32),
    /// Compiling a program, beyond the part covered by [`Self::LoadCode`].
    Compile {
        /// Length of the program.
        code_len: u32,
        /// Upper bound on the bytes of machine code.
        machine_code: u32,
    },
    /// Pages of zeroed memory for an instance, and the first touch of each.
    Memory(u32),
    /// Moving the deposit of a contract whose storage changed, and storing its record, at the end of the transaction.
    Settle,
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
        /// Length of the old value.
        old: u32,
        /// Length of the new value; zero for a removal.
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
    /// Calling another account, without the callee's own cost.
    Call,
    /// Calling a precompile, without its own cost.
    CallPrecompile,
    /// Running another contract's program, without its own cost.
    DelegateCall,
    /// Transferring a value with a call, on top of the call.
    CallTransfer,
    /// Cloning the contract's own input of this length.
    CloneInput(u32),
    /// Instantiating a contract with constructor data of this length, without the constructor's own cost and without a
    /// value.
    Instantiate(u32),
    /// Hashing a program of this length for its contract's address, on top of [`Self::Instantiate`].
    Create2(u32),
    /// Terminating a contract.
    Terminate,
    /// Changing a contract's program.
    SetCodeHash,
    /// Reading the hash of an earlier block.
    BlockHash,
    /// Finding the author of the block.
    BlockAuthor,
    /// Finding the account behind an address.
    AccountId,
    /// Reading a value of this length from the transient storage.
    GetTransient(u32),
    /// Writing a value of this length to the transient storage, and undoing the write.
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
    /// Modular exponentiation with this many multiplications of 64-bit words.
    ModExp(u32),
}

/// Cost of a stop of the VM for a host function, in picoseconds, including its arguments and results in memory. For
/// compiled code the stop alone takes 0.2 microseconds if the worker is spinning (see benches/RESULTS.md), and less for
/// interpreted code.
pub const CROSSING: u64 = 1_000_000;

/// Extra cost of an operation that takes the host longer than [`WORKER_SPIN`], in picoseconds: the contract's worker
/// has blocked meanwhile and has to be woken. `docs/gas.md#costs-outside-of-instructions` describes how this and the
/// following constants were measured.
pub const WAKE: u64 = 50_000_000;

/// The time for which a worker spins while it waits for its host, in picoseconds.
pub const WORKER_SPIN: u64 = 100_000_000;

/// Cost of a page of an instance's memory, in picoseconds.
pub const PAGE: u64 = 2_500_000;

/// Cost of a byte of machine code, in picoseconds: for emitting it, and passing it to a worker.
pub const MACHINE_CODE_BYTE: u64 = 2_500;

/// Part of [`Cost::LoadCode`] per byte of a program beyond reading it, in picoseconds: the interpreter's translation,
/// which a node that compiles does not do.
pub const TRANSLATED_BYTE: u64 = 8_000;

/// Extra cost of a byte of an event, in picoseconds. Events stay in memory until the block ends, so this price bounds
/// their total size: to 4 MiB per second of weight.
pub const EVENT_BYTE: u64 = 250_000;

/// Extra cost of a stored byte, in picoseconds: it is hashed into the root of the contract's trie when the block ends,
/// which no benchmark includes.
pub const STATE_BYTE: u64 = 10_000;

impl Cost {
    /// The weight of this cost.
    pub fn weight<W: WeightInfo>(self) -> Weight {
        let work = self.work::<W>();
        let crossing = if self.is_host_call() { CROSSING } else { 0 };
        let wake = if self.runs_others() || !self.is_part() && work.ref_time() > WORKER_SPIN { WAKE } else { 0 };
        work.saturating_add(Weight::from_parts(crossing.saturating_add(wake), 0))
    }

    /// True if the VM stops for it. Additional costs on top of another one, and operations of precompiles, need no stop
    /// of their own.
    const fn is_host_call(self) -> bool {
        let is_precompile = matches!(
            self,
            Self::EcRecover
                | Self::Sha256(_)
                | Self::Ripemd160(_)
                | Self::Blake2(_)
                | Self::Blake2F(_)
                | Self::Bn128Add
                | Self::Bn128Mul
                | Self::Bn128Pairing(_)
                | Self::ModExp(_)
        );
        !is_precompile && !self.is_part()
    }

    /// True if another contract runs meanwhile, which may take any time.
    const fn runs_others(self) -> bool {
        matches!(self, Self::Call | Self::DelegateCall | Self::Instantiate(_))
    }

    /// True if it is part of another operation, whose cost includes waking the worker.
    const fn is_part(self) -> bool {
        matches!(
            self,
            Self::LoadCode(_)
                | Self::Compile { .. }
                | Self::Memory(_)
                | Self::Settle
                | Self::CallTransfer
                | Self::CloneInput(_)
                | Self::Create2(_)
        )
    }

    fn work<W: WeightInfo>(self) -> Weight {
        match self {
            Self::LoadCode(len) => W::load_code(len),
            Self::Compile { code_len, machine_code } => {
                let emitted = MACHINE_CODE_BYTE.saturating_mul(machine_code.into());
                Weight::from_parts(emitted.saturating_sub(TRANSLATED_BYTE.saturating_mul(code_len.into())), 0)
            }
            Self::Memory(pages) => Weight::from_parts(PAGE.saturating_mul(pages.into()), 0),
            // A deposit moves as a value does, and a record is written.
            Self::Settle => W::host_call_transfer().saturating_add(W::host_set_immutable_data(1)),
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
            // Other code changes the deposit.
            Self::SetCodeHash => W::host_set_code_hash().saturating_add(Self::Settle.work::<W>()),
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
