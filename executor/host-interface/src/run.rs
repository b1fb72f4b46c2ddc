//! The node's side of a run with the guest memory that crosses with it. Called by the host function; uses nothing of a
//! backend but its methods, so that a backend sees the same accesses as if each were a host function call of its own.

use crate::backend::Backend;
use crate::memory::{MemoryStop, Write, writes};
use crate::{AccessError, NoInstance};

const NO_INSTANCE: i32 = -1;
const BAD_WRITE: i32 = -2;

/// Makes `pending` writes, runs, and fills `stop`. Returns 0, or a negative number for an error.
pub(crate) fn run(
    backend: &mut dyn Backend,
    instance: u32,
    gas: i64,
    result: Option<u64>,
    pending: &[u8],
    reads: &[u8],
    stop: &mut MemoryStop,
) -> i32 {
    for write in writes(pending) {
        let written = match write {
            Some(Write::Bytes(address, data)) => backend.write_memory(instance, address, data),
            Some(Write::Zeros(address, length)) => backend.zero_memory(instance, address, length),
            None => return BAD_WRITE,
        };
        match written {
            Ok(()) => {}
            Err(AccessError::OutOfBounds) => return BAD_WRITE,
            Err(AccessError::NoInstance) => return NO_INSTANCE,
        }
    }
    let Ok(stopped) = backend.run(instance, gas, result) else { return NO_INSTANCE };
    let writable = match backend.writable(instance) {
        Ok(writable) => writable,
        Err(NoInstance) => return NO_INSTANCE,
    };
    stop.encode(&stopped, writable, reads, |address, out| {
        let is_read = backend.read_memory(instance, address, out).is_ok();
        if !is_read {
            // The contents after an error are unspecified, and must not depend on the backend.
            out.fill(0);
        }
        is_read
    });
    0
}
