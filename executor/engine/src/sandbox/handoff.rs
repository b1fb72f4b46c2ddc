//! Handoff: control passes between host and worker through the word `state` of the control page. Called by `worker`;
//! the protocol is `docs/sandbox.md#handoff`.
//!
//! The host spins a bounded number of times and then blocks on the futex. It returns an error if the worker dies,
//! violates the protocol or takes too long, whatever the worker does to the word.

use super::deadline::{Deadline, Meter};
use super::{SandboxError, sys};
use pvm_zygote::protocol::{Control, STATE_ASLEEP, STATE_DEAD, STATE_IDLE, STATE_NEW, STATE_WAITERS};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::time::{Duration, Instant};

/// Spin time before the host blocks on the futex.
const SPIN_TIME: Duration = Duration::from_micros(20);
/// A worker's spin time, as a multiple of the host's. While the worker spins, the host executes a host call, which in a
/// blockchain's runtime takes tens of microseconds; waking an idle processor can take longer than that. A much longer
/// spin costs more than it saves on busy machines, because it keeps others from running (`benches/RESULTS.md`).
const WORKER_SPIN_FACTOR: u32 = 5;
/// The host's spin time after it had to wake the worker, as a multiple of its usual one.
const WAKE_SPIN_FACTOR: u32 = 5;
/// Maximum time that the host blocks before it checks the worker and its deadline.
const BLOCK_TIME: Duration = Duration::from_millis(50);

/// Iterations of the host's spin loop; zero on a single processor, where spinning only keeps the other side from
/// running.
pub(super) fn spins() -> u32 {
    if sys::processors() > 1 { measured_spins() } else { 0 }
}

/// Iterations of a worker's spin loop.
pub(super) fn worker_spins() -> u32 {
    spins().saturating_mul(WORKER_SPIN_FACTOR)
}

fn measured_spins() -> u32 {
    static SPINS: OnceLock<u32> = OnceLock::new();
    *SPINS.get_or_init(|| {
        const SAMPLE: u32 = 200;
        let word = AtomicU32::new(0);
        // The best of a few samples, as other processes use the processor too.
        let sample = || {
            let start = Instant::now();
            for _ in 0..SAMPLE {
                std::hint::black_box(word.load(Acquire));
                std::hint::spin_loop();
            }
            start.elapsed().as_nanos().max(1)
        };
        let nanoseconds = (0..8).map(|_| sample()).min().unwrap_or(1);
        (SPIN_TIME.as_nanos() * u128::from(SAMPLE) / nanoseconds).clamp(1, 1_000_000) as u32
    })
}

/// Adaptive spin: decides for each handoff whether to spin before blocking. Spinning fails if the other side computes
/// for long or waits for the same processor; after three failures in a row a side blocks at once for a number of
/// handoffs, which doubles each time.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdaptiveSpin {
    /// Iterations of the spin loop.
    spins: u32,
    failures: u32,
    /// Remaining handoffs without spinning, and their number next time.
    pause: u32,
    next_pause: u32,
}

impl AdaptiveSpin {
    const TRIES: u32 = 3;
    const PAUSES: std::ops::RangeInclusive<u32> = 4..=128;

    pub fn new(spins: u32) -> AdaptiveSpin {
        AdaptiveSpin { spins, failures: 0, pause: 0, next_pause: *Self::PAUSES.start() }
    }

    /// Returns the number of iterations for this handoff.
    fn spins(&self) -> u32 {
        if self.pause > 0 { 0 } else { self.spins }
    }

    /// Records the result of a handoff; `slept`: this side had to block.
    fn learn(&mut self, slept: bool) {
        if self.pause > 0 {
            self.pause -= 1;
        } else if !slept {
            (self.failures, self.next_pause) = (0, *Self::PAUSES.start());
        } else {
            self.failures += 1;
            if self.failures == Self::TRIES {
                (self.failures, self.pause) = (0, self.next_pause);
                self.next_pause = (2 * self.next_pause).min(*Self::PAUSES.end());
            }
        }
    }
}

/// Hands control to the worker with this thread id, and waits until the worker hands it back.
pub(super) fn hand_over(
    page: &Control,
    tid: u32,
    process: &OwnedFd,
    (host, worker): (&mut AdaptiveSpin, &mut AdaptiveSpin),
    time: (&mut Deadline, Meter<'_>),
) -> Result<(), SandboxError> {
    let state = &page.state;
    let mut spins = host.spins();
    page.spins.store(worker.spins(), Relaxed);
    let busy = if spins > 0 { tid } else { tid | STATE_WAITERS };
    match state.swap(busy, AcqRel) {
        STATE_IDLE => worker.learn(false),
        STATE_ASLEEP => {
            worker.learn(true);
            sys::futex_wake(state);
            // Waking a worker takes longer than a handoff to one that spins.
            spins = spins.saturating_mul(WAKE_SPIN_FACTOR);
        }
        other => return Err(unexpected(other)),
    }
    for _ in 0..spins {
        if state.load(Acquire) != busy {
            host.learn(false);
            return wait(state, tid, process, time);
        }
        std::hint::spin_loop();
    }
    host.learn(true);
    wait(state, tid, process, time)
}

/// Waits for the first handoff of a new worker, which reports that it is ready.
pub(super) fn wait_until_ready(
    state: &AtomicU32,
    process: &OwnedFd,
    spins: u32,
    time: (&mut Deadline, Meter<'_>),
) -> Result<(), SandboxError> {
    for _ in 0..spins {
        if state.load(Acquire) != STATE_NEW {
            break;
        }
        std::hint::spin_loop();
    }
    wait(state, STATE_NEW, process, time)
}

/// The handoff word, as far as the host waits on it. A test has one that changes at the worst times.
trait Word {
    fn load(&self) -> u32;

    /// Replaces one value by another, if it has that one.
    fn replace(&self, old: u32, new: u32);

    /// Blocks while it has this value, until it is woken or the time is over.
    fn block(&self, value: u32, time: Duration) -> Result<(), SandboxError>;
}

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        AtomicU32::load(self, Acquire)
    }

    fn replace(&self, old: u32, new: u32) {
        let _ = self.compare_exchange(old, new, AcqRel, Acquire);
    }

    fn block(&self, value: u32, time: Duration) -> Result<(), SandboxError> {
        sys::futex_wait(self, value, time)
    }
}

fn wait(
    state: &impl Word,
    busy: u32,
    process: &OwnedFd,
    (deadline, meter): (&mut Deadline, Meter<'_>),
) -> Result<(), SandboxError> {
    let sleeping = if busy == STATE_NEW { STATE_NEW } else { busy | STATE_WAITERS };
    let mut has_slept = false;
    loop {
        match state.load() {
            STATE_IDLE | STATE_ASLEEP => return Ok(()),
            value if value == sleeping => {}
            value if value == busy => {
                // Makes the worker, or the kernel if the worker dies, wake the host.
                state.replace(busy, sleeping);
            }
            other => return Err(unexpected(other)),
        }
        // Checked in every round, as a hostile worker can change the word as often as it likes.
        let left = deadline.look(meter)?;
        // The kernel wakes the host if the worker dies with control, unless the worker has removed its robust list.
        if has_slept && sys::is_readable(process.as_fd(), Duration::ZERO)? {
            // It may have handed control back before it ended.
            return match state.load() {
                STATE_IDLE | STATE_ASLEEP => Ok(()),
                _ => Err(SandboxError::Died),
            };
        }
        state.block(sleeping, left.min(BLOCK_TIME))?;
        has_slept = true;
    }
}

fn unexpected(state: u32) -> SandboxError {
    if state & !STATE_WAITERS == STATE_DEAD {
        SandboxError::Died
    } else {
        SandboxError::ProtocolViolation { what: "the handoff word", value: state.into() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod tests {
    use super::super::deadline::Limits;
    use super::*;
    use std::cell::Cell;

    /// The word of a worker that takes back each change of the host at once.
    struct Flipping {
        busy: u32,
        loads: Cell<u32>,
    }

    impl Word for Flipping {
        fn load(&self) -> u32 {
            self.loads.set(self.loads.get() + 1);
            // So that a host that does not look at its deadline fails the test, and does not hang it.
            if self.loads.get() > 1_000_000 { STATE_IDLE } else { self.busy }
        }

        fn replace(&self, _: u32, _: u32) {}

        fn block(&self, _: u32, _: Duration) -> Result<(), SandboxError> {
            Ok(())
        }
    }

    #[test]
    fn a_worker_that_takes_back_each_change_of_the_word_does_not_keep_the_host_from_its_deadline() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let word = Flipping { busy: 7, loads: Cell::new(0) };
        let limit = Duration::from_millis(1);
        let mut deadline = Deadline::new(Limits { cpu: Some(limit), real: Some(limit) });
        let result = wait(&word, 7, &reader.into(), (&mut deadline, Meter { process: None, memory: None }));
        assert!(matches!(result, Err(SandboxError::TimedOut { .. })), "{result:?}");
    }

    /// Returns the spin iterations of `count` handoffs, which all block or all do not.
    fn handoffs(spin: &mut AdaptiveSpin, count: usize, slept: bool) -> Vec<u32> {
        (0..count)
            .map(|_| {
                let spins = spin.spins();
                spin.learn(slept);
                spins
            })
            .collect()
    }

    #[test]
    fn three_failures_in_a_row_stop_the_spinning_for_a_while_and_then_for_longer() {
        let mut spin = AdaptiveSpin::new(9);
        assert_eq!(handoffs(&mut spin, 3, true), [9; 3]);
        assert_eq!(handoffs(&mut spin, 4, true), [0; 4]);
        assert_eq!(handoffs(&mut spin, 3, true), [9; 3]);
        assert_eq!(handoffs(&mut spin, 8, true), [0; 8]);
        let last = handoffs(&mut spin, 10_000, true);
        assert!(last.chunk_by(|left, right| left == right).all(|run| run.len() <= 128));
    }

    #[test]
    fn one_success_brings_the_spinning_back() {
        let mut spin = AdaptiveSpin::new(9);
        handoffs(&mut spin, 500, true);
        while spin.spins() == 0 {
            spin.learn(false);
        }
        assert_eq!(handoffs(&mut spin, 1000, false), [9; 1000]);
        assert_eq!(handoffs(&mut spin, 7, true), [9, 9, 9, 0, 0, 0, 0]);
    }

    #[test]
    fn two_failures_now_and_then_change_nothing() {
        let mut spin = AdaptiveSpin::new(9);
        for _ in 0..100 {
            assert_eq!(handoffs(&mut spin, 2, true), [9; 2]);
            assert_eq!(handoffs(&mut spin, 1, false), [9]);
        }
    }
}
