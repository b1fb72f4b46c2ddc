//! Workers to take and to give back. Made once for an engine, used from all its threads.
//!
//! Promises: a worker that is taken has the program loaded and its memory as at first; one that was killed, or had an
//! error, is never taken again; there are never more workers than allowed; if the zygote is lost a new one is started.

use super::worker::Worker;
use super::zygote::{Zygote, is_forked};
use super::{Cage, CageError, Exit, Image, Missing, Settings, State};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A worker whose last program's code was longer by so much than the next one's is not used for that.
const STALE_CODE: usize = 1 << 20;

/// What a pool has and has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Workers that there are.
    pub workers: usize,
    /// Those of them that wait for use.
    pub idle: usize,
    /// Workers made so far.
    pub spawned: usize,
}

/// The workers of an engine.
#[derive(Debug)]
pub(crate) struct Pool {
    settings: Settings,
    zygote: Mutex<Arc<Zygote>>,
    /// The one used last is at the end.
    idle: Mutex<Vec<Worker>>,
    workers: AtomicUsize,
    spawned: AtomicUsize,
}

impl Pool {
    /// A pool without workers. Starts the zygote, so that an error says that there is no cage here.
    pub fn new(settings: Settings) -> Result<Arc<Pool>, CageError> {
        let zygote = Mutex::new(Arc::new(Zygote::start(settings.sandbox)?));
        let (workers, spawned) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Arc::new(Pool { settings, zygote, idle: Mutex::new(Vec::new()), workers, spawned }))
    }

    /// What protection is missing, in best-effort mode.
    pub fn missing(&self) -> Vec<Missing> {
        lock(&self.zygote).missing().to_vec()
    }

    /// What there is.
    pub fn counts(&self) -> Counts {
        let idle = lock(&self.idle).len();
        Counts { workers: self.workers.load(Relaxed), idle, spawned: self.spawned.load(Relaxed) }
    }

    /// A worker that has loaded `image`.
    pub fn take(self: &Arc<Pool>, image: &Image<'_>) -> Result<Pooled, CageError> {
        if is_forked() {
            // The workers that wait are the parent's.
            return Err(CageError::Forked);
        }
        while let Some(worker) = self.waiting(image) {
            // Counted as one of ours from here on, whatever happens to it.
            let mut pooled = Pooled { worker: Some(worker), pool: self.clone() };
            let Some(worker) = pooled.worker.as_mut().filter(|worker| worker.is_usable()) else { continue };
            worker.tune();
            if worker.image_id() != Some(image.id) {
                worker.load(image)?;
            }
            return Ok(pooled);
        }
        let mut pooled = Pooled { worker: Some(self.spawn()?), pool: self.clone() };
        pooled.load(image)?;
        Ok(pooled)
    }

    /// The waiting worker that suits best: one that has the image, else the one that was not used for longest.
    fn waiting(&self, image: &Image<'_>) -> Option<Worker> {
        let mut idle = lock(&self.idle);
        let is_same = |worker: &Worker| worker.image_id() == Some(image.id);
        let suits = |worker: &Worker| worker.code_used() <= image.code.len() + STALE_CODE;
        let index = idle.iter().rposition(is_same).or_else(|| idle.iter().position(suits))?;
        Some(idle.remove(index))
    }

    fn spawn(&self) -> Result<Worker, CageError> {
        let limit = self.settings.workers;
        while self.workers.fetch_add(1, AcqRel) >= limit {
            self.workers.fetch_sub(1, AcqRel);
            // One that waits can make room.
            let waiting = lock(&self.idle).pop();
            match waiting {
                Some(worker) => self.discard(worker),
                None => return Err(CageError::TooManyWorkers { limit }),
            }
        }
        let result = self.spawn_from_zygote();
        match result {
            Ok(_) => self.spawned.fetch_add(1, Relaxed),
            Err(_) => self.workers.fetch_sub(1, AcqRel),
        };
        result
    }

    fn spawn_from_zygote(&self) -> Result<Worker, CageError> {
        let zygote = lock(&self.zygote).clone();
        let lost = match Worker::spawn(&zygote, self.settings.limits()) {
            Err(error @ (CageError::Died | CageError::Stalled { .. } | CageError::Nonsense { .. })) => error,
            other => return other,
        };
        log::warn!("the process that makes workers was lost, starting another one: {lost}");
        let renewed = {
            let mut current = lock(&self.zygote);
            // Another thread may have done it already.
            if Arc::ptr_eq(&current, &zygote) {
                *current = Arc::new(Zygote::start(self.settings.sandbox)?);
            }
            current.clone()
        };
        Worker::spawn(&renewed, self.settings.limits())
    }

    fn give_back(&self, mut worker: Worker) {
        let has_room = |idle: &Vec<Worker>| idle.len() < self.settings.idle;
        if has_room(&lock(&self.idle)) && worker.is_usable() && worker.reset().is_ok() {
            let mut idle = lock(&self.idle);
            if has_room(&idle) {
                idle.push(worker);
                return;
            }
        }
        self.discard(worker);
    }

    fn discard(&self, worker: Worker) {
        drop(worker);
        self.workers.fetch_sub(1, AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker of a pool. Goes back to it when dropped, with its memory as at first, if it is still of use.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// There until it is dropped.
    worker: Option<Worker>,
    pool: Arc<Pool>,
}

impl Pooled {
    fn worker(&mut self) -> Result<&mut Worker, CageError> {
        self.worker.as_mut().ok_or(CageError::Died)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.give_back(worker);
        }
    }
}

impl Cage for Pooled {
    fn load(&mut self, image: &Image<'_>) -> Result<(), CageError> {
        self.worker()?.load(image)
    }

    fn run(&mut self, state: &mut State) -> Result<Exit, CageError> {
        self.worker()?.run(state)
    }

    fn go_on(&mut self, state: &mut State) -> Result<Exit, CageError> {
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

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), CageError> {
        self.worker()?.grow_heap(old_end, new_end)
    }

    fn reset(&mut self) -> Result<(), CageError> {
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
    /// For tests: which process it is.
    pub fn tid(&self) -> u32 {
        self.worker.as_ref().map_or(0, Worker::tid)
    }

    /// For tests: whether the process ends soon.
    pub fn has_ended(&self) -> bool {
        self.worker.as_ref().is_some_and(Worker::has_ended)
    }

    /// For tests: kills the process and tells nobody.
    pub fn kill_behind_its_back(&self) {
        if let Some(worker) = &self.worker {
            worker.kill_behind_its_back();
        }
    }
}

#[cfg(test)]
impl Pool {
    /// For tests: kills the launcher, and with it the zygote.
    pub fn kill_zygote(&self) {
        lock(&self.zygote).kill_behind_its_back();
    }
}
