//! Taking turns with a worker by the word `state`. Used by `worker`; the protocol is in `docs/cage.md`.
//!
//! Promises: the host looks a bounded number of times and then sleeps; it comes back with an error if the worker dies,
//! says nonsense or takes too long, whatever it does to the word.

use super::deadline::{Deadline, Meter};
use super::{CageError, sys};
use pvm_zygote::protocol::{Control, STATE_ASLEEP, STATE_DEAD, STATE_IDLE, STATE_NEW, STATE_WAITERS};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::time::{Duration, Instant};

/// For how long the host looks before it sleeps.
const LOOKING: Duration = Duration::from_micros(20);
/// How many times as long a worker looks. The host is busy with a host call then, which in a blockchain's runtime takes tens of
/// microseconds; to wake a processor that has gone to sleep can take more than that. Much longer is bad where processors
/// are busy: who looks keeps others from running (`benches/RESULTS.md`).
const WORKER_LOOKS: u32 = 5;
/// How many times as long the host looks where it had to wake the worker.
const WAKING: u32 = 5;
/// For how long the host sleeps before it looks after the worker.
const SLICE: Duration = Duration::from_millis(50);

/// How often to look: none on one processor, where looking only keeps the other side from running.
pub(super) fn spins() -> u32 {
    if sys::processors() > 1 { measured_spins() } else { 0 }
}

/// The same for a worker.
pub(super) fn worker_spins() -> u32 {
    spins().saturating_mul(WORKER_LOOKS)
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

/// Whether looking pays. Not where the other side computes for long, or waits for the same processor: then three tries in
/// a row fail, and nobody looks for a while, each time for longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How often to look if at all.
    spins: u32,
    failures: u32,
    /// Turns left without looking, and how many the next time.
    pause: u32,
    next_pause: u32,
}

impl Pace {
    const TRIES: u32 = 3;
    const PAUSES: std::ops::RangeInclusive<u32> = 4..=128;

    pub fn new(spins: u32) -> Pace {
        Pace { spins, failures: 0, pause: 0, next_pause: *Self::PAUSES.start() }
    }

    /// How often to look this time.
    fn spins(&self) -> u32 {
        if self.pause > 0 { 0 } else { self.spins }
    }

    /// Learns from a turn: whether somebody had to sleep.
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

/// Gives the turn to the worker with this thread id, and waits until it gives it back.
pub(super) fn take(
    page: &Control,
    tid: u32,
    process: &OwnedFd,
    (host, worker): (&mut Pace, &mut Pace),
    time: (&mut Deadline, Meter<'_>),
) -> Result<(), CageError> {
    let state = &page.state;
    let mut spins = host.spins();
    page.spins.store(worker.spins(), Relaxed);
    let busy = if spins > 0 { tid } else { tid | STATE_WAITERS };
    match state.swap(busy, AcqRel) {
        STATE_IDLE => worker.learn(false),
        STATE_ASLEEP => {
            worker.learn(true);
            sys::futex_wake(state);
            // To wake takes longer than to wait for one who is awake. Whoever sleeps meanwhile has to be woken, too.
            spins = spins.saturating_mul(WAKING);
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

/// Waits until a new worker is ready.
pub(super) fn first(
    state: &AtomicU32,
    process: &OwnedFd,
    spins: u32,
    time: (&mut Deadline, Meter<'_>),
) -> Result<(), CageError> {
    for _ in 0..spins {
        if state.load(Acquire) != STATE_NEW {
            break;
        }
        std::hint::spin_loop();
    }
    wait(state, STATE_NEW, process, time)
}

fn wait(
    state: &AtomicU32,
    busy: u32,
    process: &OwnedFd,
    (deadline, meter): (&mut Deadline, Meter<'_>),
) -> Result<(), CageError> {
    let sleeping = if busy == STATE_NEW { STATE_NEW } else { busy | STATE_WAITERS };
    let mut has_slept = false;
    loop {
        match state.load(Acquire) {
            STATE_IDLE | STATE_ASLEEP => return Ok(()),
            value if value == sleeping => {}
            value if value == busy => {
                // The worker, or the kernel if it dies, looks whether there is someone to wake.
                let _ = state.compare_exchange(busy, sleeping, AcqRel, Acquire);
            }
            other => return Err(unexpected(other)),
        }
        // At every round, as a hostile worker can change the word as often as it likes.
        let left = deadline.look(meter)?;
        // What ends in its turn wakes the host, unless it took care that the kernel does not know.
        if has_slept && sys::is_readable(process.as_fd(), Duration::ZERO)? {
            // It may have given the turn back before it ended.
            return match state.load(Acquire) {
                STATE_IDLE | STATE_ASLEEP => Ok(()),
                _ => Err(CageError::Died),
            };
        }
        sys::futex_wait(state, sleeping, left.min(SLICE))?;
        has_slept = true;
    }
}

fn unexpected(state: u32) -> CageError {
    if state & !STATE_WAITERS == STATE_DEAD {
        CageError::Died
    } else {
        CageError::Nonsense { what: "whose turn it is", value: state.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    /// How often a side looks in each of so many turns, if looking fails or not.
    fn turns(pace: &mut Pace, count: usize, slept: bool) -> Vec<u32> {
        (0..count)
            .map(|_| {
                let spins = pace.spins();
                pace.learn(slept);
                spins
            })
            .collect()
    }

    #[test]
    fn three_failures_in_a_row_stop_the_looking_for_a_while_and_then_for_longer() {
        let mut pace = Pace::new(9);
        assert_eq!(turns(&mut pace, 3, true), [9; 3]);
        assert_eq!(turns(&mut pace, 4, true), [0; 4]);
        assert_eq!(turns(&mut pace, 3, true), [9; 3]);
        assert_eq!(turns(&mut pace, 8, true), [0; 8]);
        let last = turns(&mut pace, 10_000, true);
        assert!(last.chunk_by(|left, right| left == right).all(|run| run.len() <= 128));
    }

    #[test]
    fn one_success_brings_the_looking_back() {
        let mut pace = Pace::new(9);
        turns(&mut pace, 500, true);
        while pace.spins() == 0 {
            pace.learn(false);
        }
        assert_eq!(turns(&mut pace, 1000, false), [9; 1000]);
        assert_eq!(turns(&mut pace, 7, true), [9, 9, 9, 0, 0, 0, 0]);
    }

    #[test]
    fn two_failures_now_and_then_change_nothing() {
        let mut pace = Pace::new(9);
        for _ in 0..100 {
            assert_eq!(turns(&mut pace, 2, true), [9; 2]);
            assert_eq!(turns(&mut pace, 1, false), [9]);
        }
    }
}
