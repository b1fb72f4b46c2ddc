//! The contract's memory that each host function reads, as far as it follows from the arguments.
//!
//! The executor has the node return these ranges with the stop at a call. They are an optimization: a range that is
//! missing here, or that the function turns out not to read, changes no result.

use super::HostFunction;
use pvm_host_interface::memory::{Argument, Length, ReadRange};

/// A fixed number of bytes behind a pointer.
const fn bytes(pointer: Argument, bytes: u8) -> ReadRange {
    ReadRange { pointer, length: Length::Bytes(bytes) }
}

/// As many bytes as an argument says.
const fn counted(pointer: Argument, length: Argument) -> ReadRange {
    ReadRange { pointer, length: Length::argument(length) }
}

/// A storage key: `SENTINEL` is the length of a fixed key.
const fn key(pointer: Argument, count: Argument) -> ReadRange {
    ReadRange { pointer, length: Length::Counted { count, unit: 1, sentinel: 32 } }
}

const fn topics(pointer: Argument, count: Argument) -> ReadRange {
    ReadRange { pointer, length: Length::Counted { count, unit: 32, sentinel: 0 } }
}

/// A buffer whose pointer and length share a register.
const fn packed(register: u8) -> ReadRange {
    counted(low(register), high(register))
}

const fn low(register: u8) -> Argument {
    Argument::low(register)
}

const fn high(register: u8) -> Argument {
    Argument::high(register)
}

impl HostFunction {
    /// The ranges that it reads, those that it always reads first.
    pub const fn reads(self) -> &'static [ReadRange] {
        match self {
            Self::SetStorage => const { &[key(low(1), low(2)), counted(low(3), low(4))] },
            Self::SetStorageOrClear => const { &[bytes(low(1), 32), bytes(low(2), 32)] },
            Self::GetStorage => const { &[key(low(1), low(2)), bytes(low(4), 4)] },
            Self::GetStorageOrZero => const { &[bytes(low(1), 32)] },
            Self::HashKeccak256 | Self::SetImmutableData => const { &[counted(low(0), low(1))] },
            Self::DepositEvent => const { &[topics(low(0), low(1)), counted(low(2), low(3))] },
            Self::SealReturn => const { &[counted(low(1), low(2))] },
            Self::ReturnDataCopy | Self::GetImmutableData => const { &[bytes(low(1), 4)] },
            Self::BalanceOf | Self::CodeHash | Self::CodeSize | Self::Terminate => const { &[bytes(low(0), 20)] },
            Self::BlockHash => const { &[bytes(low(0), 32)] },
            Self::EcdsaToEthAddress => const { &[bytes(low(0), 33)] },
            Self::Sr25519Verify => const { &[bytes(low(0), 64), bytes(low(1), 32), counted(low(3), low(2))] },
            Self::Call => {
                const { &[bytes(low(0), 20), bytes(high(3), 32), bytes(low(3), 32), bytes(high(5), 4), packed(4)] }
            }
            Self::CallEvm => const { &[bytes(low(1), 20), bytes(low(2), 32), bytes(high(5), 4), packed(4)] },
            Self::DelegateCall => const { &[bytes(low(0), 20), bytes(low(3), 32), bytes(high(5), 4), packed(4)] },
            Self::DelegateCallEvm => const { &[bytes(low(1), 20), bytes(high(4), 4), packed(3)] },
            Self::Instantiate => {
                const { &[bytes(low(2), 32), bytes(high(2), 32), bytes(low(5), 32), bytes(high(4), 4), packed(3)] }
            }
            Self::CallDataSize
            | Self::CallDataCopy
            | Self::CallDataLoad
            | Self::ReturnDataSize
            | Self::Caller
            | Self::Origin
            | Self::Address
            | Self::ValueTransferred
            | Self::Now
            | Self::BlockNumber
            | Self::RefTimeLeft
            | Self::GasLimit
            | Self::GasPrice
            | Self::BaseFee
            | Self::ChainId
            | Self::Balance
            | Self::ConsumeAllGas
            | Self::BlockAuthor => &[],
        }
    }
}
