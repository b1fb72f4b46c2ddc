//! The encoding of results between node and runtime: plain integers, and a buffer of the caller for a [`Stop`].
//!
//! Part of the versioned host functions: an encoding never changes; a new one gets a new version. The result -5 exists
//! in version 2 only.

use crate::{AccessError, InstantiateError, NoInstance, Stop};
use vm_core::Outcome;

/// Length of a [`Stop`] on the wire: outcome (4 bytes), its number (4), gas (8), A0 to A5 (8 each), all little-endian.
pub const STOP_BYTES: usize = 64;

/// The caller's buffer for a [`Stop`].
#[derive(Clone, Copy, Debug)]
pub struct StopBuffer([u8; STOP_BYTES]);

impl Default for StopBuffer {
    fn default() -> Self {
        StopBuffer([0; STOP_BYTES])
    }
}

impl AsRef<[u8]> for StopBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for StopBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

const FINISHED: u32 = 0;
const TRAP: u32 = 1;
const OUT_OF_GAS: u32 = 2;
const HOST_CALL: u32 = 3;
const STEP: u32 = 4;
const PAGE_MISSING: u32 = 5;
const PAGE_PROTECTED: u32 = 6;

impl StopBuffer {
    /// Encodes a stop, on the node's side.
    #[cfg_attr(substrate_runtime, allow(dead_code, reason = "the node's side"))]
    pub fn encode(stop: &Stop) -> StopBuffer {
        let (kind, number) = match stop.outcome {
            Outcome::Finished => (FINISHED, 0),
            Outcome::Trap => (TRAP, 0),
            Outcome::OutOfGas => (OUT_OF_GAS, 0),
            Outcome::HostCall(number) => (HOST_CALL, number),
            Outcome::Step => (STEP, 0),
            Outcome::PageFault { address, write_protected: false } => (PAGE_MISSING, address),
            Outcome::PageFault { address, write_protected: true } => (PAGE_PROTECTED, address),
        };
        let mut bytes = [0; STOP_BYTES];
        bytes[0..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..16].copy_from_slice(&stop.gas.to_le_bytes());
        for (place, arg) in bytes[16..].chunks_exact_mut(8).zip(stop.args) {
            place.copy_from_slice(&arg.to_le_bytes());
        }
        StopBuffer(bytes)
    }

    /// Decodes a stop, on the runtime's side; `None` if it is invalid in this version.
    pub fn decode(&self) -> Option<Stop> {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| self.0[at + byte]));
        let number = (word(0) >> 32) as u32;
        let outcome = match word(0) as u32 {
            FINISHED => Outcome::Finished,
            TRAP => Outcome::Trap,
            OUT_OF_GAS => Outcome::OutOfGas,
            HOST_CALL => Outcome::HostCall(number),
            STEP => Outcome::Step,
            PAGE_MISSING => Outcome::PageFault { address: number, write_protected: false },
            PAGE_PROTECTED => Outcome::PageFault { address: number, write_protected: true },
            _ => return None,
        };
        Some(Stop { outcome, gas: word(8) as i64, args: core::array::from_fn(|arg| word(16 + 8 * arg)) })
    }
}

/// Encodes the number of an instance, or an error as a negative number.
#[cfg_attr(substrate_runtime, allow(dead_code, reason = "the node's side"))]
pub fn from_instantiated(result: Result<u32, InstantiateError>) -> i64 {
    match result {
        Ok(instance) => i64::from(instance),
        Err(InstantiateError::HashMismatch) => -1,
        Err(InstantiateError::NoProgram) => -2,
        Err(InstantiateError::NoCostModel { .. }) => -3,
        Err(InstantiateError::TooMany) => -4,
        // Not possible in version 1, which passes no number.
        Err(InstantiateError::NoSemantics { .. }) => -5,
    }
}

/// Decodes the result of an instantiation; `None` if it is invalid in this version. `cost_model` and `semantics` are
/// those that the runtime passed.
pub fn to_instantiated(value: i64, cost_model: u32, semantics: u32) -> Option<Result<u32, InstantiateError>> {
    Some(match value {
        -1 => Err(InstantiateError::HashMismatch),
        -2 => Err(InstantiateError::NoProgram),
        -3 => Err(InstantiateError::NoCostModel { id: cost_model }),
        -4 => Err(InstantiateError::TooMany),
        -5 => Err(InstantiateError::NoSemantics { id: semantics }),
        instance => Ok(u32::try_from(instance).ok()?),
    })
}

/// Encodes the result of an access: 0, or an error as a negative number.
#[cfg_attr(substrate_runtime, allow(dead_code, reason = "the node's side"))]
pub fn from_access(result: Result<(), AccessError>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(AccessError::OutOfBounds) => -1,
        Err(AccessError::NoInstance) => -2,
    }
}

/// Decodes the result of an access; `None` if it is invalid in this version.
pub fn to_access(value: i32) -> Option<Result<(), AccessError>> {
    Some(match value {
        0 => Ok(()),
        -1 => Err(AccessError::OutOfBounds),
        -2 => Err(AccessError::NoInstance),
        _ => return None,
    })
}

/// Encodes a code offset; -1 for none, -2 if there is no such instance.
#[cfg_attr(substrate_runtime, allow(dead_code, reason = "the node's side"))]
pub fn from_counter(result: Result<Option<u32>, NoInstance>) -> i64 {
    match result {
        Ok(Some(offset)) => i64::from(offset),
        Ok(None) => -1,
        Err(NoInstance) => -2,
    }
}

/// Decodes a code offset; `None` if it is unknown.
pub fn to_counter(value: i64) -> Option<u32> {
    u32::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_comes_back_as_it_was() {
        let outcomes = [
            Outcome::Finished,
            Outcome::Trap,
            Outcome::OutOfGas,
            Outcome::HostCall(0),
            Outcome::HostCall(u32::MAX),
            Outcome::Step,
            Outcome::PageFault { address: 0x1_0000, write_protected: false },
            Outcome::PageFault { address: u32::MAX, write_protected: true },
        ];
        for outcome in outcomes {
            for gas in [0, 1, -1, i64::MIN, i64::MAX] {
                let stop = Stop { outcome, gas, args: [0, 1, u64::MAX, 1 << 63, 1 << 32, 42] };
                assert_eq!(StopBuffer::encode(&stop).decode(), Some(stop));
            }
        }
    }

    #[test]
    fn a_stop_of_a_later_version_is_noticed() {
        let mut buffer = StopBuffer::default();
        buffer.as_mut()[0] = PAGE_PROTECTED as u8 + 1;
        assert_eq!(buffer.decode(), None);
    }

    #[test]
    fn every_result_comes_back_as_it_was() {
        use InstantiateError::{HashMismatch, NoCostModel, NoProgram, NoSemantics, TooMany};
        let errors = [HashMismatch, NoProgram, NoCostModel { id: 9 }, NoSemantics { id: 7 }, TooMany];
        for result in [Ok(0), Ok(u32::MAX)].into_iter().chain(errors.map(Err)) {
            assert_eq!(to_instantiated(from_instantiated(result), 9, 7), Some(result));
        }
        assert_eq!((to_instantiated(-6, 0, 0), to_instantiated(1 << 32, 0, 0)), (None, None));
        for result in [Ok(()), Err(AccessError::OutOfBounds), Err(AccessError::NoInstance)] {
            assert_eq!(to_access(from_access(result)), Some(result));
        }
        assert_eq!((to_access(1), to_access(-3)), (None, None));
        assert_eq!(to_counter(from_counter(Ok(Some(u32::MAX)))), Some(u32::MAX));
        assert_eq!((to_counter(from_counter(Ok(None))), to_counter(from_counter(Err(NoInstance)))), (None, None));
    }
}
