//! Taking turns with a worker by the word `state`. Used by `worker`; the protocol is in `docs/cage.md`.
//!
//! Promises: the host looks a bounded number of times and then sleeps; it comes back with an error if the worker dies,
//! says nonsense or takes too long.

use super::{CageError, sys};
use pvm_zygote::protocol::{STATE_ASLEEP, STATE_DEAD, STATE_IDLE, STATE_NEW, STATE_WAITERS};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::{Duration, Instant};

/// For how long either side looks before it sleeps.
const LOOKING: Duration = Duration::from_micros(20);
/// For how long the host sleeps before it looks after the worker.
const SLICE: Duration = Duration::from_millis(50);

/// How often to look: none on one processor, where looking only keeps the other side from running.
pub(super) fn spins() -> u32 {
    if sys::processors() > 1 { measured_spins() } else { 0 }
}

fn measured_spins() -> u32 {
    static SPINS: OnceLock<u32> = OnceLock::new();
    *SPINS.get_or_init(|| {
        const SAMPLE: u32 = 200;
        let word = AtomicU32::new(0);
        // The best of a few, as others use the processor too.
        let sample = || {
            let start = Instant::now();
            for _ in 0..SAMPLE {
                std::hint::black_box(word.load(Acquire));
                std::hint::spin_loop();
            }
            start.elapsed().as_nanos().max(1)
        };
        let nanoseconds = (0..8).map(|_| sample()).min().unwrap_or(1);
        (LOOKING.as_nanos() * u128::from(SAMPLE) / nanoseconds).clamp(1, 1_000_000) as u32
    })
}

/// Gives the turn to the worker with this thread id, and waits until it gives it back.
pub(super) fn take(
    state: &AtomicU32,
    tid: u32,
    process: &OwnedFd,
    spins: u32,
    limit: Duration,
) -> Result<(), CageError> {
    let busy = if spins > 0 { tid } else { tid | STATE_WAITERS };
    match state.swap(busy, AcqRel) {
        STATE_IDLE => {}
        STATE_ASLEEP => sys::futex_wake(state),
        other => return Err(unexpected(other)),
    }
    for _ in 0..spins {
        if state.load(Acquire) != busy {
            break;
        }
        std::hint::spin_loop();
    }
    wait(state, tid, process, limit)
}

/// Waits until a new worker is ready.
pub(super) fn first(state: &AtomicU32, process: &OwnedFd, spins: u32, limit: Duration) -> Result<(), CageError> {
    for _ in 0..spins {
        if state.load(Acquire) != STATE_NEW {
            break;
        }
        std::hint::spin_loop();
    }
    wait(state, STATE_NEW, process, limit)
}

fn wait(state: &AtomicU32, busy: u32, process: &OwnedFd, limit: Duration) -> Result<(), CageError> {
    let mut deadline = None;
    loop {
        let sleeping = if busy == STATE_NEW { STATE_NEW } else { busy | STATE_WAITERS };
        match state.load(Acquire) {
            STATE_IDLE | STATE_ASLEEP => return Ok(()),
            value if value == sleeping => {}
            value if value == busy => {
                // The worker, or the kernel if it dies, looks whether there is someone to wake.
                let _ = state.compare_exchange(busy, sleeping, AcqRel, Acquire);
                continue;
            }
            other => return Err(unexpected(other)),
        }
        let now = Instant::now();
        let left = deadline.get_or_insert(now + limit).saturating_duration_since(now);
        if left.is_zero() {
            return Err(CageError::TimedOut { limit });
        }
        if sys::is_readable(process.as_fd(), Duration::ZERO)? {
            // It may have given the turn back before it ended.
            return match state.load(Acquire) {
                STATE_IDLE | STATE_ASLEEP => Ok(()),
                _ => Err(CageError::Died),
            };
        }
        sys::futex_wait(state, sleeping, left.min(SLICE))?;
    }
}

fn unexpected(state: u32) -> CageError {
    if state & !STATE_WAITERS == STATE_DEAD {
        CageError::Died
    } else {
        CageError::Nonsense { what: "whose turn it is", value: state.into() }
    }
}
