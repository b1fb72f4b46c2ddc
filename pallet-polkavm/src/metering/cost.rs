//! What the host charges for, as one enum.
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
        /// How many topics it has.
        topics: u32,
        /// Length of its data.
        len: u32,
    },
}

impl Cost {
    /// The weight of it.
    pub fn weight<W: WeightInfo>(self) -> Weight {
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
            Self::SetStorage { old, new } => W::host_set_storage(old, new),
            Self::GetImmutableData(len) => W::host_get_immutable_data(len),
            Self::SetImmutableData(len) => W::host_set_immutable_data(len),
            Self::Keccak256(len) => W::host_keccak_256(len),
            Self::DepositEvent { topics, len } => W::host_deposit_event(topics, len),
        }
    }
}
