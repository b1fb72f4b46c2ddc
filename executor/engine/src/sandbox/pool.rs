//! Pool of workers. One per engine, shared by its threads.
//!
//! A worker that is taken has the program loaded and its memory in the initial state, and never had another program. A
//! worker that was killed, or had an error, is never taken again. The number of workers never exceeds the limit. If the
//! zygote is lost a new one is started.

use super::keeper::Keeper;
use super::worker::{Process, Worker};
use super::zygote::{ForkedZygote, Zygote, generation};
use super::{Counts, Exit, GuestState, Image, Layer, Missing, SandboxError, Settings, WorkerProcess};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Size of the reserve after the first miss; each further miss doubles it.
const FIRST_RESERVE: usize = 2;
/// Divisor of the limit of workers: the reserve is at most a quarter of them.
const MOST_RESERVE: usize = 4;
/// Maximum number of killed workers that wait to be dropped.
const DOOMED: usize = 64;

/// The workers of an engine.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    keeper: Keeper,
}

/// Maximum wait for a worker that is being made in advance and takes the last place.
const MAKING: Duration = Duration::from_secs(1);

/// Purpose of a new worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// An instance that needs it now.
    Taker,
    /// The keeper, for the reserve.
    Keeper,
}

/// State that the pool's users share with the keeper.
#[derive(Debug)]
pub(super) struct Shared {
    settings: Settings,
    zygote: Mutex<Arc<Zygote>>,
    waiting: Mutex<Waiting>,
    /// Notified when the keeper has work.
    pub work: Condvar,
    /// Notified when the worker that was being made in advance is ready, or could not be made.
    pub made: Condvar,
    workers: AtomicUsize,
    spawned: AtomicUsize,
    usage: Mutex<Usage>,
    /// Generation of the process that may use the workers.
    generation: u32,
}

/// The CPU time of a pool's workers.
#[derive(Debug, Default)]
struct Usage {
    /// CPU time of workers that have ended.
    ended: Duration,
    /// Workers that have not ended.
    processes: Vec<Arc<Process>>,
}

/// A forked child's pool, made by its parent before the fork.
#[derive(Debug)]
pub(crate) struct ForkedPool {
    settings: Settings,
    zygote: ForkedZygote,
}

impl ForkedPool {
    /// Converts it into the pool of this process. Its first worker is made on demand.
    pub fn into_pool(self) -> Arc<Pool> {
        Arc::new(Pool {
            shared: Arc::new(Shared::new(self.settings, self.zygote.into_zygote())),
            keeper: Keeper::default(),
        })
    }
}

/// Waiting workers.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Workers with a program, the most recently used one last.
    pub idle: Vec<Worker>,
    /// Workers without a program.
    pub fresh: Vec<Worker>,
    /// Killed workers that wait to be dropped.
    pub doomed: Vec<Worker>,
    /// Target number of fresh workers.
    pub reserve: usize,
    /// True while a worker is being made in advance; the limit already counts it.
    pub is_making: bool,
    /// Number of workers taken so far.
    takes: usize,
    /// True if the keeper sleeps until it is woken.
    pub keeper_sleeps: bool,
    /// True when the pool is being dropped.
    pub is_over: bool,
}

impl Pool {
    /// Makes a pool with one fresh worker, which was probed, so that an error tells why there is no sandbox on this
    /// machine.
    pub fn new(settings: Settings) -> Result<Arc<Pool>, SandboxError> {
        let zygote = settings.zygote()?;
        let shared = Arc::new(Shared::new(settings, zygote));
        let mut first = shared.spawn(Maker::Taker)?;
        first.probe()?;
        if shared.settings.reserve > 0 {
            shared.waiting().fresh.push(first);
        } else {
            shared.discard(first);
        }
        Ok(Arc::new(Pool { shared, keeper: Keeper::default() }))
    }

    /// Protection that is missing, in best-effort mode.
    pub fn missing(&self) -> Vec<Missing> {
        lock(&self.shared.zygote).missing().to_vec()
    }

    /// Optional kernel protections: present or missing.
    pub fn layers(&self) -> Vec<Layer> {
        lock(&self.shared.zygote).layers().to_vec()
    }

    /// Prepares a pool for a child that this process is about to fork.
    pub fn prepare_fork(&self) -> Result<ForkedPool, SandboxError> {
        if self.shared.is_forked() {
            return Err(SandboxError::Forked);
        }
        let zygote = lock(&self.shared.zygote).clone();
        Ok(ForkedPool { settings: self.shared.settings.clone(), zygote: zygote.prepare_fork()? })
    }

    /// Returns the total CPU time of all workers, ended ones included.
    pub fn cpu_time(&self) -> Duration {
        if self.shared.is_forked() {
            return Duration::ZERO;
        }
        let usage = lock(&self.shared.usage);
        usage.processes.iter().fold(usage.ended, |sum, process| sum.saturating_add(process.cpu_time()))
    }

    /// Returns the pool's counters.
    pub fn counts(&self) -> Counts {
        let (idle, fresh) = {
            let waiting = self.shared.waiting();
            (waiting.idle.len(), waiting.fresh.len())
        };
        let (workers, spawned) = (self.shared.workers.load(Relaxed), self.shared.spawned.load(Relaxed));
        Counts { workers, idle, fresh, spawned }
    }

    /// Takes a worker that has loaded `image`.
    pub fn take(self: &Arc<Pool>, image: &Image<'_>) -> Result<Pooled, SandboxError> {
        if self.shared.is_forked() {
            // The waiting workers belong to the parent.
            return Err(SandboxError::Forked);
        }
        while let Some(worker) = self.shared.waiting_for(image) {
            // Counted as one of ours from here on, whatever happens to it.
            let mut pooled = Pooled { worker: Some(worker), pool: self.clone() };
            let Some(worker) = pooled.worker.as_mut().filter(|worker| worker.is_usable()) else { continue };
            worker.wake()?;
            worker.tune();
            self.keep_if_busy();
            return Ok(pooled);
        }
        let mut pooled = None;
        while let Some(worker) = self.shared.fresh() {
            let other = Pooled { worker: Some(worker), pool: self.clone() };
            if other.worker.as_ref().is_some_and(Worker::is_usable) {
                pooled = Some(other);
                break;
            }
        }
        let mut pooled = match pooled {
            Some(pooled) => pooled,
            None => Pooled { worker: Some(self.shared.spawn(Maker::Taker)?), pool: self.clone() },
        };
        self.keep_if_busy();
        pooled.load(image)?;
        Ok(pooled)
    }

    /// Starts the keeper once this pool has needed more than one worker.
    fn keep_if_busy(&self) {
        let is_busy = {
            let mut waiting = self.shared.waiting();
            waiting.takes = waiting.takes.saturating_add(1);
            waiting.takes > 1
        };
        if is_busy && (self.shared.settings.reserve > 0 || self.shared.keeps_idle()) {
            self.keeper.start(&self.shared);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A forked child has no keeper thread, and may have inherited a lock that is never released.
        if !self.shared.is_forked() {
            self.keeper.stop(&self.shared);
        }
    }
}

impl Shared {
    fn new(settings: Settings, zygote: Zygote) -> Shared {
        Shared {
            settings,
            zygote: Mutex::new(Arc::new(zygote)),
            waiting: Mutex::default(),
            work: Condvar::new(),
            made: Condvar::new(),
            workers: AtomicUsize::new(0),
            spawned: AtomicUsize::new(0),
            usage: Mutex::default(),
            generation: generation(),
        }
    }

    /// Returns true if this process was forked from the one that may use the workers.
    fn is_forked(&self) -> bool {
        self.generation != generation()
    }

    pub fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Returns true if idle workers are kept for another instance of their program.
    fn keeps_idle(&self) -> bool {
        self.settings.idle > 0 && !self.settings.fresh_workers
    }

    /// Takes an idle worker that has loaded the image.
    fn waiting_for(&self, image: &Image<'_>) -> Option<Worker> {
        let mut waiting = self.waiting();
        let index = waiting.idle.iter().rposition(|worker| worker.image_id() == Some(image.id))?;
        Some(waiting.idle.remove(index))
    }

    /// Takes a worker of the reserve; if it is empty, increases its size.
    fn fresh(&self) -> Option<Worker> {
        let mut waiting = self.waiting();
        let worker = waiting.fresh.pop();
        if worker.is_none() {
            let most = self.settings.reserve.min(self.settings.workers / MOST_RESERVE);
            waiting.reserve = (2 * waiting.reserve).max(FIRST_RESERVE).min(most);
        }
        let is_short = waiting.fresh.len() < waiting.reserve;
        drop(waiting);
        if is_short {
            self.work.notify_one();
        }
        worker
    }

    /// Makes another fresh worker, if the reserve needs one and the limit allows it. The caller puts it into the
    /// reserve by [`Shared::end_making`].
    pub fn refill(&self) -> Option<Result<Worker, SandboxError>> {
        {
            let mut waiting = self.waiting();
            // An idle worker can be discarded to make room.
            let has_room = self.workers.load(Relaxed) < self.settings.workers || !waiting.idle.is_empty();
            if waiting.fresh.len() >= waiting.reserve || !has_room {
                return None;
            }
            waiting.is_making = true;
        }
        let made = self.spawn(Maker::Keeper);
        if made.is_err() {
            self.end_making(None);
        }
        Some(made)
    }

    /// Puts a new worker into the reserve, and wakes threads that found no room because it was being made.
    pub fn end_making(&self, worker: Option<Worker>) {
        let mut waiting = self.waiting();
        waiting.fresh.extend(worker);
        waiting.is_making = false;
        drop(waiting);
        self.made.notify_all();
    }

    /// Makes a new worker. If the limit is reached, discards an idle one, or waits for one that is being made in
    /// advance.
    fn spawn(&self, maker: Maker) -> Result<Worker, SandboxError> {
        let limit = self.settings.workers;
        while self.workers.fetch_add(1, AcqRel) >= limit {
            self.workers.fetch_sub(1, AcqRel);
            let waiting = {
                let mut waiting = self.waiting();
                if waiting.idle.is_empty() && waiting.fresh.is_empty() && maker == Maker::Taker {
                    let ended = self.made.wait_timeout_while(waiting, MAKING, |waiting| waiting.is_making);
                    waiting = ended.unwrap_or_else(PoisonError::into_inner).0;
                }
                let has_idle = !waiting.idle.is_empty();
                if has_idle { Some(waiting.idle.remove(0)) } else { waiting.fresh.pop() }
            };
            match waiting {
                Some(worker) => self.discard(worker),
                None => return Err(SandboxError::TooManyWorkers { limit }),
            }
        }
        let result = self.spawn_from_zygote();
        match &result {
            Ok(worker) => {
                lock(&self.usage).processes.push(worker.process().clone());
                self.spawned.fetch_add(1, Relaxed)
            }
            Err(_) => self.workers.fetch_sub(1, AcqRel),
        };
        result
    }

    fn spawn_from_zygote(&self) -> Result<Worker, SandboxError> {
        let zygote = lock(&self.zygote).clone();
        let limits = self.settings.limits();
        let lost = match Worker::spawn(&zygote, limits) {
            Err(
                error @ (SandboxError::Died | SandboxError::Stalled { .. } | SandboxError::ProtocolViolation { .. }),
            ) => error,
            other => return other,
        };
        if !zygote.is_replaceable() {
            return Err(lost);
        }
        log::warn!("the process that makes workers was lost, starting another one: {lost}");
        let renewed = {
            let mut current = lock(&self.zygote);
            // Another thread may have replaced it already.
            if Arc::ptr_eq(&current, &zygote) {
                *current = Arc::new(self.settings.zygote()?);
            }
            current.clone()
        };
        Worker::spawn(&renewed, limits)
    }

    fn give_back(&self, mut worker: Worker) {
        if self.is_forked() {
            return;
        }
        if !self.keeps_idle() || !worker.is_usable() || worker.is_worn_out() || worker.reset().is_err() {
            return self.discard(worker);
        }
        let (oldest, keeper_sleeps) = {
            let mut waiting = self.waiting();
            let is_full = waiting.idle.len() >= self.settings.idle;
            let oldest = is_full.then(|| waiting.idle.remove(0));
            waiting.idle.push(worker);
            (oldest, std::mem::take(&mut waiting.keeper_sleeps))
        };
        if let Some(oldest) = oldest {
            self.discard(oldest);
        }
        // Only if necessary: waking a thread costs more than everything else here.
        if keeper_sleeps {
            self.work.notify_one();
        }
    }

    /// Ends a worker. Releasing its memory takes longer than making a worker, so it is left to the keeper if that keeps
    /// up.
    pub fn discard(&self, mut worker: Worker) {
        worker.kill();
        self.workers.fetch_sub(1, AcqRel);
        {
            let mut usage = lock(&self.usage);
            if let Some(index) = usage.processes.iter().position(|process| Arc::ptr_eq(process, worker.process())) {
                let ended = usage.processes.swap_remove(index);
                usage.ended = usage.ended.saturating_add(ended.cpu_time());
            }
        }
        let mut waiting = self.waiting();
        if waiting.reserve > 0 && !waiting.is_over && waiting.doomed.len() < DOOMED {
            waiting.doomed.push(worker);
            drop(waiting);
            self.work.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker that belongs to a pool. When dropped it returns to the pool with its memory reset, if it is still usable.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// The worker; present until dropped.
    worker: Option<Worker>,
    pool: Arc<Pool>,
}

impl Pooled {
    fn worker(&mut self) -> Result<&mut Worker, SandboxError> {
        self.worker.as_mut().ok_or(SandboxError::Died)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.shared.give_back(worker);
        }
    }
}
impl WorkerProcess for Pooled {
    fn load(&mut self, image: &Image<'_>) -> Result<(), SandboxError> {
        self.worker()?.load(image)
    }

    fn run(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        self.worker()?.run(state)
    }

    fn go_on(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        self.worker()?.go_on(state)
    }

    fn read(&self, address: u32, out: &mut [u8]) {
        if let Some(worker) = &self.worker {
            worker.read(address, out);
        }
    }

    fn pages(&self, start: u32, end: u32, visit: &mut dyn FnMut(u32, &[u8; 0x1000])) {
        if let Some(worker) = &self.worker {
            worker.pages(start, end, visit);
        }
    }

    fn write(&mut self, address: u32, data: &[u8]) {
        if let Some(worker) = &mut self.worker {
            worker.write(address, data);
        }
    }

    fn fill(&mut self, address: u32, value: u8, length: u32) {
        if let Some(worker) = &mut self.worker {
            worker.fill(address, value, length);
        }
    }

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), SandboxError> {
        self.worker()?.grow_heap(old_end, new_end)
    }

    fn reset(&mut self) -> Result<(), SandboxError> {
        self.worker()?.reset()
    }

    fn kill(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.kill();
        }
    }
}

#[cfg(test)]
impl Pooled {
    /// For tests: the thread id.
    pub fn tid(&self) -> u32 {
        self.worker.as_ref().map_or(0, Worker::tid)
    }

    /// For tests: true if the process ends soon.
    pub fn has_ended(&self) -> bool {
        self.worker.as_ref().is_some_and(Worker::has_ended)
    }

    /// For tests: kills the process without the pool's knowledge.
    pub fn kill_behind_its_back(&self) {
        if let Some(worker) = &self.worker {
            worker.kill_behind_its_back();
        }
    }
}

#[cfg(test)]
impl Pool {
    /// For tests: true if all idle workers are stopped.
    pub fn all_rest(&self) -> bool {
        self.shared.waiting().idle.iter().all(Worker::is_resting)
    }

    /// For tests: kills the launcher, and with it the zygote.
    pub fn kill_zygote(&self) {
        lock(&self.shared.zygote).kill_behind_its_back();
    }
}
