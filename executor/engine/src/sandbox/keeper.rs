//! Keeper: the thread that maintains waiting workers. It makes fresh ones, drops dead ones, and stops those that are
//! not needed. Started by `pool` on demand.
//!
//! No run waits for it. It never holds the pool's lock while it makes or drops a worker.

use super::pool::Shared;
use super::worker::Worker;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Interval at which waiting workers are checked, until all are stopped.
const LOOK: Duration = Duration::from_millis(500);
/// Pause after failing to make a worker.
const PAUSE: Duration = Duration::from_secs(5);

/// A handle of the thread, started or not.
#[derive(Debug, Default)]
pub(super) struct Keeper(Mutex<ThreadState>);

#[derive(Debug, Default)]
enum ThreadState {
    #[default]
    Wanted,
    Running(JoinHandle<()>),
    /// The thread could not be started, or has ended. Everything works without it, but new workers are made only on
    /// demand.
    Gone,
}

impl Keeper {
    /// Starts the thread if it does not run. Failure to start it is no error.
    pub fn start(&self, shared: &Arc<Shared>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, ThreadState::Wanted) {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name("pvm-keeper".into()).spawn(move || keep(&shared));
            *state = thread.map_or(ThreadState::Gone, ThreadState::Running);
        }
    }

    /// Ends the thread, and waits for its end.
    pub fn stop(&self, shared: &Shared) {
        shared.waiting().is_over = true;
        shared.work.notify_all();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let ThreadState::Running(thread) = std::mem::replace(&mut *state, ThreadState::Gone) {
            // The panic handler has already reported a panic there.
            let _ = thread.join();
        }
    }
}

fn keep(shared: &Shared) {
    let mut paused: Option<Instant> = None;
    let mut looked = Instant::now();
    loop {
        let (doomed, mut gone) = {
            let mut waiting = shared.waiting();
            if waiting.is_over {
                return;
            }
            let doomed = std::mem::take(&mut waiting.doomed);
            let mut gone = Vec::new();
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                gone.extend(waiting.idle.extract_if(.., |worker| !worker.rest()));
            }
            (doomed, gone)
        };
        let was_busy = !doomed.is_empty();
        drop(doomed);
        gone.drain(..).for_each(|worker: Worker| shared.discard(worker));
        let made = match paused {
            Some(since) if since.elapsed() < PAUSE => None,
            _ => shared.refill(),
        };
        match made {
            Some(Ok(worker)) => {
                paused = None;
                shared.end_making(Some(worker));
                continue;
            }
            Some(Err(error)) => {
                log::debug!("no worker can be made in advance: {error}");
                paused = Some(Instant::now());
            }
            None if was_busy => continue,
            None => {}
        }
        let mut waiting = shared.waiting();
        if waiting.is_over || !waiting.doomed.is_empty() {
            continue;
        }
        let is_awake = waiting.idle.iter().any(|worker| !worker.is_resting());
        let wait = match (is_awake, paused) {
            (true, _) => LOOK,
            (false, Some(_)) => PAUSE,
            (false, None) => Duration::from_secs(3600),
        };
        waiting.keeper_sleeps = !is_awake;
        // After a spurious wakeup it checks and waits again.
        drop(shared.work.wait_timeout(waiting, wait));
    }
}
