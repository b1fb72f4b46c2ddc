//! Audits: replays on the interpreter of a random share of the instances that ran compiled in blocks.
//!
//! Audits find compiler bugs, and hostile workers that return wrong results of their own guest, even if no worker was
//! lost. They only need the replay log of a finished instance. One thread of the lowest priority runs them: nothing
//! waits for it, and an audit for which there is no time or memory is skipped.

use crate::module::Loaded;
use crate::record::Record;
use crate::replay::{Log, ReplayError};
use crate::{LOG_TARGET, Shared};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use vm_core::interpreter::Instance;

/// Maximum number of instances that wait for an audit.
const WAITING: usize = 64;
/// Divisor of the node's memory: the part that logs waiting for an audit may hold.
const MEMORY_PART: usize = 16;
/// Time limit of an audit. A full block is a second of interpretation at normal priority.
const TIME_LIMIT: Duration = Duration::from_secs(60);

struct Job {
    shared: Weak<Shared>,
    loaded: Arc<Loaded>,
    log: Log,
}

enum Message {
    Audit(Box<Job>),
    /// Replied to once all earlier jobs are done.
    Flush(SyncSender<()>),
}

/// Samples finished instances and queues them for the audit thread.
pub(crate) struct Audit {
    /// Sampling rate, in percent.
    percent: u8,
    random: RandomState,
    offered: AtomicU64,
    memory: usize,
    waiting: Arc<AtomicUsize>,
    jobs: SyncSender<Message>,
}

impl Audit {
    /// Starts audits of this percentage of instances; `None` if it is zero or the thread cannot be started.
    pub fn new(percent: u8, memory: usize) -> Option<Audit> {
        if percent == 0 {
            return None;
        }
        let (jobs, queue) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let bytes = waiting.clone();
        match std::thread::Builder::new().name("polkavm-audit".into()).spawn(move || work(&queue, &bytes)) {
            Ok(_) => {}
            Err(error) => {
                log::warn!(target: LOG_TARGET, "Contracts are not audited, there is no thread for it: {error}");
                return None;
            }
        }
        let (random, memory) = (RandomState::new(), memory / MEMORY_PART);
        Some(Audit { percent, random, offered: AtomicU64::new(0), memory, waiting, jobs })
    }

    /// Queues the log of a finished instance if the instance is sampled.
    pub fn offer(&self, shared: &Arc<Shared>, loaded: &Arc<Loaded>, log: impl FnOnce() -> Log) {
        let number = self.offered.fetch_add(1, Relaxed);
        if self.random.hash_one(number) % 100 >= u64::from(self.percent) {
            return;
        }
        let log = log();
        if !log.has_run() {
            return;
        }
        let bytes = log.bytes();
        let is_room = self.waiting.fetch_add(bytes, Relaxed) + bytes <= self.memory;
        let job = Job { shared: Arc::downgrade(shared), loaded: loaded.clone(), log };
        if !is_room || self.jobs.try_send(Message::Audit(Box::new(job))).is_err() {
            self.waiting.fetch_sub(bytes, Relaxed);
            shared.metrics.audits_skipped_total.inc();
        }
    }

    /// Waits until all queued audits are done.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.jobs.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// Main function of the audit thread, which ends once the other end of the queue is dropped.
fn work(queue: &Receiver<Message>, waiting: &AtomicUsize) {
    // Affects this thread only. If it fails, audits run at normal priority.
    let _ = rustix::process::nice(19);
    while let Ok(message) = queue.recv() {
        match message {
            Message::Flush(done) => drop(done.send(())),
            Message::Audit(job) => {
                let bytes = job.log.bytes();
                job.audit();
                waiting.fetch_sub(bytes, Relaxed);
            }
        }
    }
}

impl Job {
    fn audit(self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut instance = Instance::new(self.loaded.program.clone());
        match self.log.replay(&mut instance, Some(Instant::now() + TIME_LIMIT)) {
            Ok(()) => shared.metrics.audits_total.inc(),
            Err(ReplayError::Late) => shared.metrics.audits_skipped_total.inc(),
            Err(ReplayError::Differs(differs)) => {
                shared.metrics.audits_total.inc();
                shared.distrust(&Record::new(&self.loaded, self.log.events(), &differs));
            }
        }
    }
}
