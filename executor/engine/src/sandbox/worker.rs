//! One caged worker, seen from the host. Made by `pool`, used through [`Cage`].
//!
//! The worker's memory is mapped here too. What the worker writes is copied once, and the copy checked; after the first
//! error the worker is killed, and every later run fails.

use super::deadline::{Clock, Deadline, Limits};
use super::mapping::Mapping;
use super::turn::Pace;
use super::zygote::{Zygote, is_forked, step_name};
use super::{Cage, CageError, Exit, Image, State, sys, turn};
use pvm_zygote::protocol::{self, CODE_BASE, CODE_SIZE, Control, GUEST_END, RANGES};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use vm_core::memory::MemoryMap;

/// The host's CPU time for setting less memory than this for the guest does not count.
const SHORT_FILL: u32 = 1 << 12;

/// A change of what the guest may access: start, end, protection.
type Change = (u32, u32, u32);

/// A caged process with the program that it has loaded.
#[derive(Debug)]
pub(crate) struct Worker {
    process: OwnedFd,
    tid: u32,
    control: Mapping,
    guest: Mapping,
    code: Mapping,
    /// Bytes of the code mapping that are not zero.
    code_used: usize,
    loaded: Option<Loaded>,
    /// Changes that the worker has not made yet, in order.
    changes: Vec<Change>,
    /// How host and worker wait for each other.
    host_pace: Pace,
    worker_pace: Pace,
    clock: Clock,
    deadline: Deadline,
    is_broken: bool,
    /// Workers live as long as it.
    _zygote: Arc<Zygote>,
}

/// What was loaded.
#[derive(Debug)]
struct Loaded {
    id: u64,
    enter: u32,
    map: MemoryMap,
    /// End of the read-write data with the heap.
    rw_end: u32,
    rw_data: Box<[u8]>,
}

impl Worker {
    /// A new worker that has loaded nothing.
    pub fn spawn(zygote: &Arc<Zygote>, limits: Limits) -> Result<Worker, CageError> {
        let (control, control_file) = Mapping::new(c"pvm-control", protocol::CONTROL_SIZE, false)?;
        let (guest, guest_file) = Mapping::new(c"pvm-guest", GUEST_END, false)?;
        let (code, code_file) = Mapping::new(c"pvm-code", CODE_SIZE, true)?;
        let spins = turn::spins();
        let page = page(&control);
        page.state.store(protocol::STATE_NEW, Relaxed);
        page.spins.store(spins, Relaxed);
        let (process, tid) = zygote.spawn([control_file.as_fd(), guest_file.as_fd(), code_file.as_fd()])?;
        let clock = Clock { process: sys::owner(&control_file) };
        let worker = Worker {
            process,
            tid,
            control,
            guest,
            code,
            code_used: 0,
            loaded: None,
            changes: Vec::with_capacity(RANGES),
            host_pace: Pace::new(spins),
            worker_pace: Pace::new(turn::worker_spins()),
            clock,
            deadline: Deadline::new(limits),
            is_broken: false,
            _zygote: zygote.clone(),
        };
        let page = worker.page();
        turn::first(&page.state, &worker.process, spins, (&mut Deadline::new(Limits::COMMAND), clock))?;
        match page.exit.load(Relaxed) {
            protocol::EXIT_DONE => Ok(worker),
            protocol::EXIT_SETUP => {
                let step = step_name(page.argument.load(Relaxed) as u32);
                Err(CageError::Setup { step, errno: page.detail.load(Relaxed) as i32 })
            }
            other => Err(CageError::Nonsense { what: "being ready", value: other.into() }),
        }
    }

    fn page(&self) -> &Control {
        page(&self.control)
    }

    /// Identity of the image that is loaded.
    pub fn image_id(&self) -> Option<u64> {
        self.loaded.as_ref().map(|loaded| loaded.id)
    }

    /// Bytes of memory that the last program's code takes.
    pub fn code_used(&self) -> usize {
        self.code_used
    }

    /// Whether it can be used on: no error so far, and the process is there.
    pub fn is_usable(&self) -> bool {
        !self.is_broken && !is_forked() && sys::is_readable(self.process.as_fd(), Duration::ZERO) == Ok(false)
    }

    /// Looks anew how many processors there are.
    pub fn tune(&mut self) {
        (self.host_pace, self.worker_pace) = (Pace::new(turn::spins()), Pace::new(turn::worker_spins()));
    }

    /// Whether it may be changed: what a forked child writes its parent's worker would see.
    fn check_is_ours(&self) -> Result<(), CageError> {
        if is_forked() {
            return Err(CageError::Forked);
        }
        if self.is_broken {
            return Err(CageError::Died);
        }
        Ok(())
    }

    /// Has the worker carry out a command, with all changes that are due.
    fn command(&mut self, command: u32) -> Result<(), CageError> {
        self.check_is_ours()?;
        let page = page(&self.control);
        for (range, (start, end, protection)) in page.ranges.iter().zip(&self.changes) {
            range.start.store(*start, Relaxed);
            range.length.store(end - start, Relaxed);
            range.protection.store(*protection, Relaxed);
        }
        page.changes.store(self.changes.len() as u32, Relaxed);
        page.command.store(command, Relaxed);
        // So that nothing of an earlier turn can be taken for this one's.
        page.exit.store(protocol::EXIT_DONE, Relaxed);
        page.detail.store(0, Relaxed);
        let paces = (&mut self.host_pace, &mut self.worker_pace);
        let mut short;
        let deadline = if command == protocol::COMMAND_RUN {
            &mut self.deadline
        } else {
            short = Deadline::new(Limits::COMMAND);
            &mut short
        };
        let result = turn::take(page, self.tid, &self.process, paces, (deadline, self.clock));
        self.changes.clear();
        if result.is_err() {
            self.kill();
        }
        result
    }

    /// Notes a change of what the guest may access; it is made before guest code runs.
    fn change(&mut self, start: u32, end: u32, protection: u32) -> Result<(), CageError> {
        if start >= end {
            return Ok(());
        }
        if let Some(last) = self.changes.last_mut().filter(|last| last.1 == start && last.2 == protection) {
            last.1 = end;
            return Ok(());
        }
        if self.changes.len() == RANGES {
            self.command(protocol::COMMAND_PROTECT)?;
            self.check_done()?;
        }
        self.changes.push((start, end, protection));
        Ok(())
    }

    /// After a command that runs nothing.
    fn check_done(&mut self) -> Result<(), CageError> {
        let page = self.page();
        let (exit, errno) = (page.exit.load(Relaxed), page.detail.load(Relaxed));
        match (exit, errno) {
            (protocol::EXIT_DONE, 0) => Ok(()),
            (protocol::EXIT_DONE, errno) => self.fail(refused(errno)),
            (other, _) => self.fail(CageError::Nonsense { what: "having changed memory", value: other.into() }),
        }
    }

    /// Kills the worker, and returns the error.
    fn fail<T>(&mut self, error: CageError) -> Result<T, CageError> {
        self.kill();
        Err(error)
    }

    /// A turn of guest code.
    fn turn(&mut self, state: &mut State) -> Result<Exit, CageError> {
        let Some(enter) = self.loaded.as_ref().map(|loaded| loaded.enter) else { return Err(CageError::NotLoaded) };
        self.check_is_ours()?;
        let page = self.page();
        for (to, from) in page.regs.iter().zip(&state.regs) {
            to.store(*from, Relaxed);
        }
        page.gas.store(state.gas as u64, Relaxed);
        page.native_pc.store(CODE_BASE + u64::from(state.native_pc), Relaxed);
        page.argument.store(CODE_BASE + u64::from(enter), Relaxed);
        self.command(protocol::COMMAND_RUN)?;
        self.outcome(self.code_used, state)
    }

    /// What the worker left in the control page.
    fn outcome(&mut self, code_length: usize, state: &mut State) -> Result<Exit, CageError> {
        let page = self.page();
        for (to, from) in state.regs.iter_mut().zip(&page.regs) {
            *to = from.load(Relaxed);
        }
        state.gas = page.gas.load(Relaxed) as i64;
        let native_pc = page.native_pc.load(Relaxed);
        let detail = page.detail.load(Relaxed);
        let argument = page.argument.load(Relaxed);
        let reason = page.exit.load(Relaxed);
        if reason == protocol::EXIT_WILD {
            return self.fail(CageError::Wild { native_pc, address: detail, signal: argument as u32 });
        }
        if reason == protocol::EXIT_DONE {
            return self.fail(refused(detail));
        }
        // A call that leaves may be the last instruction, and the address behind it the end of the code.
        let offset = native_pc.wrapping_sub(CODE_BASE);
        if offset > code_length as u64 {
            return self.fail(CageError::Nonsense { what: "where it left compiled code", value: native_pc });
        }
        state.native_pc = offset as u32;
        let exit = match reason {
            protocol::EXIT_TRAP => Exit::Trap,
            protocol::EXIT_HOST_CALL => match u32::try_from(detail) {
                Ok(number) => Exit::HostCall(number),
                Err(_) => return self.fail(CageError::Nonsense { what: "a host call's number", value: detail }),
            },
            protocol::EXIT_OUT_OF_GAS => Exit::OutOfGas,
            protocol::EXIT_JUMP => Exit::Jump(detail as u32),
            protocol::EXIT_STEP => Exit::Step,
            protocol::EXIT_SBRK => Exit::Sbrk,
            protocol::EXIT_MEMSET => Exit::Memset,
            protocol::EXIT_FAULT if detail < GUEST_END + 8 => Exit::Fault(detail),
            protocol::EXIT_FAULT => {
                return self.fail(CageError::Nonsense { what: "the address of a fault", value: detail });
            }
            other => return self.fail(CageError::Nonsense { what: "why it left compiled code", value: other.into() }),
        };
        Ok(exit)
    }

    /// Makes zero all that the program and its embedder could have written, but the read-only data.
    fn clear_writable(&mut self) {
        if let Some(Loaded { map, rw_end, .. }) = &self.loaded {
            let ranges =
                [(map.rw_base(), *rw_end), (map.stack_low(), map.stack_high()), (map.aux_base(), map.aux_end())];
            self.guest.clear(&ranges.map(|(start, end)| (start.into(), end.into())));
        }
    }
}

/// The control page of a worker.
fn page(mapping: &Mapping) -> &Control {
    const { assert!(size_of::<Control>() <= protocol::CONTROL_SIZE as usize) };
    // SAFETY: mapped as long as the mapping lives, page aligned, long enough, and made of atomics: the other process may
    // write at any time.
    unsafe { &*mapping.start().cast_const().cast::<Control>() }
}

fn refused(errno: u64) -> CageError {
    match errno {
        1..4096 => CageError::Os { call: "mprotect in the worker", errno: errno as i32 },
        value => CageError::Nonsense { what: "a command that it did not carry out", value },
    }
}

impl Cage for Worker {
    fn load(&mut self, image: &Image<'_>) -> Result<(), CageError> {
        self.check_is_ours()?;
        if image.code.len() as u64 > CODE_SIZE {
            return Err(CageError::CodeTooLarge { length: image.code.len(), limit: CODE_SIZE as usize });
        }
        if let Some(old) = &self.loaded {
            let ro_end = old.map.ro_end();
            self.guest.clear(&[(MemoryMap::RO_BASE.into(), ro_end.into())]);
        }
        self.clear_writable();
        self.loaded = None;
        self.changes.clear();
        self.code.write(0, image.code);
        if self.code_used > image.code.len() {
            self.code.fill(image.code.len() as u64, 0, self.code_used - image.code.len());
        }
        self.code_used = image.code.len();
        let map = *image.map;
        self.change(MemoryMap::RO_BASE, MemoryMap::RETURN_TO_HOST, protocol::PROTECT_NONE)?;
        self.change(MemoryMap::RO_BASE, map.ro_end(), protocol::PROTECT_READ)?;
        self.change(map.rw_base(), map.rw_end(), protocol::PROTECT_WRITE)?;
        self.change(map.stack_low(), map.stack_high(), protocol::PROTECT_WRITE)?;
        self.change(map.aux_base(), map.aux_end(), protocol::PROTECT_READ)?;
        self.guest.write(MemoryMap::RO_BASE.into(), image.ro_data);
        self.guest.write(map.rw_base().into(), image.rw_data);
        let rw_data = image.rw_data.into();
        self.loaded = Some(Loaded { id: image.id, enter: image.enter, map, rw_end: map.rw_end(), rw_data });
        Ok(())
    }

    fn run(&mut self, state: &mut State) -> Result<Exit, CageError> {
        self.deadline.begin();
        self.turn(state)
    }

    fn go_on(&mut self, state: &mut State) -> Result<Exit, CageError> {
        match self.deadline.go_on(self.clock) {
            Ok(()) => self.turn(state),
            Err(error) => self.fail(error),
        }
    }

    fn read(&self, address: u32, out: &mut [u8]) {
        self.guest.read(address.into(), out);
    }

    fn pages(&self, start: u32, end: u32, visit: &mut dyn FnMut(u32, &[u8; 0x1000])) {
        // Guest memory ends where addresses do.
        self.guest.pages(start.into(), end.into(), &mut |offset, page| visit(offset as u32, page));
    }

    fn write(&mut self, address: u32, data: &[u8]) {
        if !is_forked() {
            self.guest.write(address.into(), data);
        }
    }

    fn fill(&mut self, address: u32, value: u8, length: u32) {
        if is_forked() {
            return;
        }
        let before = (length > SHORT_FILL).then(sys::thread_cpu_time).flatten();
        self.guest.fill(address.into(), value, length as usize);
        if let (Some(before), Some(after)) = (before, before.and_then(|_| sys::thread_cpu_time())) {
            self.deadline.spend(after.saturating_sub(before));
        }
    }

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), CageError> {
        if is_forked() {
            return Err(CageError::Forked);
        }
        if let Some(loaded) = &mut self.loaded {
            loaded.rw_end = loaded.rw_end.max(new_end);
        }
        self.change(old_end, new_end, protocol::PROTECT_WRITE)
    }

    fn reset(&mut self) -> Result<(), CageError> {
        self.check_is_ours()?;
        self.clear_writable();
        let Some(loaded) = &mut self.loaded else { return Ok(()) };
        self.guest.write(loaded.map.rw_base().into(), &loaded.rw_data);
        let (first, heap_end) = (loaded.map.rw_end(), loaded.rw_end);
        loaded.rw_end = first;
        let page = self.page();
        for word in page.regs.iter().chain([&page.gas, &page.native_pc, &page.detail]) {
            word.store(0, Relaxed);
        }
        self.change(first, heap_end, protocol::PROTECT_NONE)
    }

    fn kill(&mut self) {
        self.is_broken = true;
        if !is_forked() {
            // It fails only for a worker that has ended.
            let _ = sys::send_signal(&self.process, 9);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
impl Worker {
    /// For tests: which process it is.
    pub fn tid(&self) -> u32 {
        self.tid
    }

    /// For tests: kills the process and tells nobody.
    pub fn kill_behind_its_back(&self) {
        sys::send_signal(&self.process, 9).unwrap();
        assert!(self.has_ended(), "it ends");
    }

    /// For tests: stops the process and tells nobody.
    pub fn stop_behind_its_back(&self) {
        sys::send_signal(&self.process, 19).unwrap();
    }

    /// For tests: continues a stopped process from another thread.
    pub fn continuer(&self) -> impl FnOnce() + Send + 'static {
        let process = self.process.try_clone().unwrap();
        move || sys::send_signal(&process, 18).unwrap()
    }

    /// For tests: kills the process from another thread.
    pub fn killer(&self) -> impl FnOnce() + Send + 'static {
        let process = self.process.try_clone().unwrap();
        move || sys::send_signal(&process, 9).unwrap()
    }

    /// For tests: whether the process ends soon.
    pub fn has_ended(&self) -> bool {
        sys::is_readable(self.process.as_fd(), Duration::from_secs(10)) == Ok(true)
    }
}
