//! Host's side of one sandboxed worker. Made by `pool`, used through [`WorkerProcess`].
//!
//! The worker's memory is also mapped here. Its data is copied once, and the copy is checked. After the first error the
//! worker is killed, and every later run fails.

use super::deadline::{Deadline, Limits, Meter};
use super::handoff::AdaptiveSpin;
use super::mapping::Mapping;
use super::zygote::{Zygote, failed_setup};
use super::{Exit, GuestState, Image, SandboxError, WorkerProcess, handoff, sys};
use pvm_zygote::protocol::{self, CODE_BASE, CODE_SIZE, Control, GUEST_END, RANGES};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use vm_core::memory::{MemoryImage, MemoryMap};

/// Filling less guest memory than this does not count as CPU time of the host.
const SHORT_FILL: u32 = 1 << 12;

/// CPU time beyond one run's limit that a worker may use before the host raises its limit (RLIMIT_CPU).
const GRANT: Duration = Duration::from_secs(3);
/// CPU time after which a worker is not used for another instance.
const WORN_OUT: Duration = Duration::from_secs(2);
/// CPU time that a waiting worker may use; more means that it computes without having control.
const IDLE_CPU: Duration = Duration::from_millis(5);

/// A change of the protection of guest memory: start, end, protection.
type Change = (u32, u32, u32);

/// The process of a worker.
#[derive(Debug)]
pub(super) struct Process {
    fd: OwnedFd,
    /// Process id in this process's pid namespace.
    pid: Option<u32>,
    /// Its CPU time at the last reading, in nanoseconds.
    used: AtomicU64,
}

impl Process {
    /// Returns its CPU time so far; after its end, the last reading.
    pub fn cpu_time(&self) -> Duration {
        let read = || self.pid.and_then(sys::cpu_time);
        let used = match sys::is_readable(self.fd.as_fd(), Duration::ZERO) {
            // The process has not ended, so the pid that was read is still its own.
            Ok(false) => read().map_or(0, |used| u64::try_from(used.as_nanos()).unwrap_or(u64::MAX)),
            _ => 0,
        };
        Duration::from_nanos(used.max(self.used.fetch_max(used, Relaxed)))
    }
}

/// A sandboxed process with the program that it has loaded.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Arc<Process>,
    tid: u32,
    control: Mapping,
    guest: Mapping,
    /// File behind guest memory, to count its pages.
    guest_file: OwnedFd,
    code: Mapping,
    /// Bytes of the code mapping that are not zero.
    code_used: usize,
    loaded: Option<Loaded>,
    /// Changes of protection that the worker has not made yet, in order.
    changes: Vec<Change>,
    /// Adaptive spin of the host.
    host_spin: AdaptiveSpin,
    worker_spin: AdaptiveSpin,
    /// Maximum number of pages that its program can have with the current heap.
    most_pages: u64,
    deadline: Deadline,
    /// Total CPU time after which the kernel kills it; `None`: unlimited.
    granted: Option<Duration>,
    /// While it waits: its CPU time at the first check.
    waits_since: Option<Duration>,
    /// True if it is stopped because it is not needed.
    is_resting: bool,
    is_broken: bool,
    /// Workers live no longer than their zygote.
    zygote: Arc<Zygote>,
}

/// The program that was loaded.
#[derive(Debug)]
struct Loaded {
    id: u64,
    enter: u32,
    data: Arc<MemoryImage>,
    /// End of the read-write data with the heap.
    rw_end: u32,
}

impl Worker {
    /// Makes a worker without a program.
    pub fn spawn(zygote: &Arc<Zygote>, limits: Limits) -> Result<Worker, SandboxError> {
        let (control, control_file) = Mapping::new(c"pvm-control", protocol::CONTROL_SIZE, false)?;
        let (guest, guest_file) = Mapping::new(c"pvm-guest", GUEST_END, false)?;
        let (code, code_file) = Mapping::new(c"pvm-code", CODE_SIZE, true)?;
        let spins = handoff::spins();
        let page = page(&control);
        page.state.store(protocol::STATE_NEW, Relaxed);
        page.spins.store(spins, Relaxed);
        let granted = limits.cpu.map(|limit| whole_seconds(limit.saturating_add(GRANT)));
        let seconds = granted.map_or(0, |granted| u32::try_from(granted.as_secs()).unwrap_or(0));
        let files = [control_file.as_fd(), guest_file.as_fd(), code_file.as_fd()];
        let (fd, tid) = zygote.spawn(files, seconds)?;
        let process = Arc::new(Process { fd, pid: sys::owner(&control_file), used: AtomicU64::new(0) });
        let worker = Worker {
            process,
            tid,
            control,
            guest,
            guest_file,
            code,
            code_used: 0,
            loaded: None,
            changes: Vec::with_capacity(RANGES),
            host_spin: AdaptiveSpin::new(spins),
            worker_spin: AdaptiveSpin::new(handoff::worker_spins()),
            most_pages: GUEST_END / 0x1000,
            deadline: Deadline::new(limits),
            granted: granted.filter(|_| seconds > 0),
            waits_since: None,
            is_resting: false,
            is_broken: false,
            zygote: zygote.clone(),
        };
        let page = worker.page();
        handoff::wait_until_ready(
            &page.state,
            &worker.process.fd,
            spins,
            (&mut Deadline::new(Limits::COMMAND), worker.meter()),
        )?;
        match page.exit.load(Relaxed) {
            protocol::EXIT_DONE => Ok(worker),
            protocol::EXIT_SETUP => {
                Err(failed_setup(page.argument.load(Relaxed) as u32, page.detail.load(Relaxed) as u32))
            }
            other => Err(SandboxError::ProtocolViolation { what: "being ready", value: other.into() }),
        }
    }

    fn page(&self) -> &Control {
        page(&self.control)
    }

    /// Returns the meter of its resources.
    fn meter(&self) -> Meter<'_> {
        Meter { process: self.process.pid, memory: Some((&self.guest_file, self.most_pages)) }
    }

    /// Its process.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Returns true if this process was forked from the one that may use the worker.
    fn is_forked(&self) -> bool {
        self.zygote.is_forked()
    }

    /// The number of the module whose image is loaded.
    pub fn image_id(&self) -> Option<u64> {
        self.loaded.as_ref().map(|loaded| loaded.id)
    }

    /// Returns true if it can be used further: it had no error, and the process exists.
    pub fn is_usable(&self) -> bool {
        !self.is_broken && !self.is_forked() && sys::is_readable(self.process.fd.as_fd(), Duration::ZERO) == Ok(false)
    }

    /// Adapts the spin to the current number of processors.
    pub fn tune(&mut self) {
        (self.host_spin, self.worker_spin) =
            (AdaptiveSpin::new(handoff::spins()), AdaptiveSpin::new(handoff::worker_spins()));
    }

    /// Fails in a forked child, whose writes the parent's worker would see.
    fn check_is_ours(&self) -> Result<(), SandboxError> {
        if self.is_forked() {
            return Err(SandboxError::Forked);
        }
        if self.is_broken {
            return Err(SandboxError::Died);
        }
        self.guest.check()?;
        self.code.check()
    }

    /// Sends a command to the worker, with all queued changes.
    fn command(&mut self, command: u32) -> Result<(), SandboxError> {
        self.check_is_ours()?;
        let page = page(&self.control);
        for (range, (start, end, protection)) in page.ranges.iter().zip(&self.changes) {
            range.start.store(*start, Relaxed);
            range.length.store(end - start, Relaxed);
            range.protection.store(*protection, Relaxed);
        }
        page.changes.store(self.changes.len() as u32, Relaxed);
        page.command.store(command, Relaxed);
        // Prevents the exit of an earlier handoff from being taken for this one's.
        page.exit.store(protocol::EXIT_DONE, Relaxed);
        page.detail.store(0, Relaxed);
        let spins = (&mut self.host_spin, &mut self.worker_spin);
        let meter = Meter { process: self.process.pid, memory: Some((&self.guest_file, self.most_pages)) };
        let mut short;
        let deadline = if command == protocol::COMMAND_RUN {
            &mut self.deadline
        } else {
            short = Deadline::new(Limits::COMMAND);
            &mut short
        };
        let result = handoff::hand_over(page, self.tid, &self.process.fd, spins, (deadline, meter));
        self.changes.clear();
        if result.is_err() {
            self.kill();
        }
        result
    }

    /// Queues a change of protection, to be made before guest code runs.
    fn change(&mut self, start: u32, end: u32, protection: u32) -> Result<(), SandboxError> {
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

    /// Checks the reply to a command, which runs no guest code.
    fn check_done(&mut self) -> Result<(), SandboxError> {
        let page = self.page();
        let (exit, errno) = (page.exit.load(Relaxed), page.detail.load(Relaxed));
        match (exit, errno) {
            (protocol::EXIT_DONE, 0) => Ok(()),
            (protocol::EXIT_DONE, errno) => self.fail(refused(errno)),
            (other, _) => {
                self.fail(SandboxError::ProtocolViolation { what: "having changed memory", value: other.into() })
            }
        }
    }

    /// Kills the worker, and returns the error.
    fn fail<T>(&mut self, error: SandboxError) -> Result<T, SandboxError> {
        self.kill();
        Err(error)
    }

    /// Raises the worker's limit of CPU time (RLIMIT_CPU) by that of another run.
    fn grant(&mut self) -> Result<(), SandboxError> {
        let (Some(granted), Some(limit), Some(process)) = (self.granted, self.deadline.limit(), self.process.pid)
        else {
            return Ok(());
        };
        let needed = self.deadline.used().saturating_add(limit).saturating_add(GRANT / 2);
        if needed <= granted || !self.is_usable() {
            return Ok(());
        }
        let granted = whole_seconds(needed.saturating_add(GRANT));
        match sys::limit_cpu_time(process, granted.as_secs()) {
            Ok(()) => {
                self.granted = Some(granted);
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    /// Returns true if it should not be reused, because its limit of CPU time would have to be raised.
    pub fn is_worn_out(&mut self) -> bool {
        self.granted.is_some()
            && self.deadline.read_if_slow(Meter { process: self.process.pid, memory: None }) > WORN_OUT
    }

    /// Checks a waiting worker: the first check records its CPU time, a later one stops it until [`Worker::wake`].
    /// Returns false if it should be dropped, because it used CPU time without having control, or has ended.
    pub fn rest(&mut self) -> bool {
        if !self.is_usable() {
            return false;
        }
        let Some(used) = self.meter().cpu_time().filter(|_| !self.is_resting) else { return true };
        let Some(before) = self.waits_since else {
            self.waits_since = Some(used);
            return true;
        };
        let spent = used.saturating_sub(before);
        if spent > IDLE_CPU {
            log::warn!("a worker that nobody used has spent {spent:?} of CPU time, and is killed");
            return false;
        }
        self.is_resting = sys::send_signal(&self.process.fd, libc::SIGSTOP).is_ok();
        self.is_resting
    }

    /// Returns true if it was stopped by [`Worker::rest`].
    pub fn is_resting(&self) -> bool {
        self.is_resting
    }

    /// Continues a stopped worker.
    pub fn wake(&mut self) -> Result<(), SandboxError> {
        self.waits_since = None;
        if std::mem::take(&mut self.is_resting) {
            sys::send_signal(&self.process.fd, libc::SIGCONT)?;
        }
        Ok(())
    }

    /// Enters guest code, and returns when it has exited.
    fn enter_guest(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        let Some(enter) = self.loaded.as_ref().map(|loaded| loaded.enter) else { return Err(SandboxError::NotLoaded) };
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

    /// Reads and checks the exit that the worker left in the control page.
    fn outcome(&mut self, code_length: usize, state: &mut GuestState) -> Result<Exit, SandboxError> {
        let page = self.page();
        for (to, from) in state.regs.iter_mut().zip(&page.regs) {
            *to = from.load(Relaxed);
        }
        state.gas = page.gas.load(Relaxed) as i64;
        let native_pc = page.native_pc.load(Relaxed);
        let detail = page.detail.load(Relaxed);
        let argument = page.argument.load(Relaxed);
        let reason = page.exit.load(Relaxed);
        if reason == protocol::EXIT_UNEXPECTED_SIGNAL {
            return self.fail(SandboxError::UnexpectedSignal { native_pc, address: detail, signal: argument as u32 });
        }
        if reason == protocol::EXIT_DONE {
            return self.fail(refused(detail));
        }
        // A call that exits may be the last instruction; the address behind it is then the end of the code.
        let offset = native_pc.wrapping_sub(CODE_BASE);
        if offset > code_length as u64 {
            return self
                .fail(SandboxError::ProtocolViolation { what: "where it left compiled code", value: native_pc });
        }
        state.native_pc = offset as u32;
        let exit = match reason {
            protocol::EXIT_TRAP => Exit::Trap,
            protocol::EXIT_HOST_CALL => match u32::try_from(detail) {
                Ok(number) => Exit::HostCall(number),
                Err(_) => {
                    return self.fail(SandboxError::ProtocolViolation { what: "a host call's number", value: detail });
                }
            },
            protocol::EXIT_OUT_OF_GAS => Exit::OutOfGas,
            protocol::EXIT_JUMP => Exit::Jump(detail as u32),
            protocol::EXIT_STEP => Exit::Step,
            protocol::EXIT_SBRK => Exit::Sbrk,
            protocol::EXIT_MEMSET => Exit::Memset,
            protocol::EXIT_FAULT if detail < GUEST_END + 8 => Exit::Fault(detail),
            protocol::EXIT_FAULT => {
                return self.fail(SandboxError::ProtocolViolation { what: "the address of a fault", value: detail });
            }
            other => {
                return self
                    .fail(SandboxError::ProtocolViolation { what: "why it left compiled code", value: other.into() });
            }
        };
        Ok(exit)
    }

    /// Checks, before the worker has a program, that everything it needs later works.
    pub fn probe(&mut self) -> Result<(), SandboxError> {
        self.change(MemoryMap::RO_BASE, MemoryMap::RO_BASE + 0x1000, protocol::PROTECT_WRITE)?;
        self.change(MemoryMap::RO_BASE, MemoryMap::RO_BASE + 0x1000, protocol::PROTECT_NONE)?;
        self.command(protocol::COMMAND_PROTECT)?;
        self.check_done()
    }

    /// Restores the initial read-only data. Returns its number of pages.
    fn restore_read_only(&mut self, data: &MemoryImage) -> u64 {
        let start = u64::from(MemoryMap::RO_BASE);
        let (data, end) = (data.ro_data(), u64::from(data.map().ro_end()));
        self.guest.write(start, data);
        let zeros = start + data.len() as u64;
        let pages = data.len().div_ceil(0x1000) as u64;
        self.guest.fill(zeros, 0, (start + pages * 0x1000 - zeros) as usize);
        pages + self.guest.clear(&[(start + pages * 0x1000, end)])
    }

    /// Queues the protection of the whole window, which reverts any change by the worker.
    fn protect_all(&mut self, map: &MemoryMap) -> Result<(), SandboxError> {
        self.changes.clear();
        let mut end = MemoryMap::RO_BASE;
        for (start, stop, protection) in [
            (MemoryMap::RO_BASE, map.ro_end(), protocol::PROTECT_READ),
            (map.rw_base(), map.rw_end(), protocol::PROTECT_WRITE),
            (map.stack_low(), map.stack_high(), protocol::PROTECT_WRITE),
            (map.aux_base(), map.aux_end(), protocol::PROTECT_READ),
            (MemoryMap::RETURN_TO_HOST, MemoryMap::RETURN_TO_HOST, protocol::PROTECT_NONE),
        ] {
            self.change(end, start, protocol::PROTECT_NONE)?;
            self.change(start, stop, protection)?;
            end = end.max(stop);
        }
        Ok(())
    }
}

/// Number of pages beyond those of the program that are tolerated: where the kernel makes files of huge pages of 2 MiB,
/// four regions may each extend this much further at both ends.
const HUGE_PAGES: u64 = 4 * 2 * 512;

/// Number of pages that a program with this memory map has before its heap grows.
fn first_pages(map: &MemoryMap) -> u64 {
    let regions = [
        (MemoryMap::RO_BASE, map.ro_end()),
        (map.rw_base(), map.rw_end()),
        (map.stack_low(), map.stack_high()),
        (map.aux_base(), map.aux_end()),
    ];
    HUGE_PAGES + regions.iter().map(|(start, end)| u64::from(end - start).div_ceil(0x1000)).sum::<u64>()
}

/// Rounds up to the whole seconds of a limit of CPU time.
fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)))
}

/// The control page of a worker.
fn page(mapping: &Mapping) -> &Control {
    const { assert!(size_of::<Control>() <= protocol::CONTROL_SIZE as usize) };
    // SAFETY: mapped as long as the mapping lives, page aligned, long enough, and made of atomics: the other process
    // may write at any time.
    unsafe { &*mapping.start().cast_const().cast::<Control>() }
}

fn refused(errno: u64) -> SandboxError {
    match errno {
        1..4096 => SandboxError::Os { call: "mprotect in the worker", errno: errno as i32 },
        value => SandboxError::ProtocolViolation { what: "a command that it did not carry out", value },
    }
}

impl WorkerProcess for Worker {
    fn load(&mut self, image: &Image<'_>) -> Result<(), SandboxError> {
        self.check_is_ours()?;
        if image.code.len() as u64 > CODE_SIZE {
            return Err(SandboxError::CodeTooLarge { length: image.code.len(), limit: CODE_SIZE as usize });
        }
        if self.loaded.is_some() {
            return Err(SandboxError::AlreadyLoaded);
        }
        let data = image.data;
        self.code.write(0, image.code);
        self.code_used = image.code.len();
        self.protect_all(data.map())?;
        self.most_pages = first_pages(data.map());
        self.guest.write(MemoryMap::RO_BASE.into(), data.ro_data());
        self.guest.write(data.map().rw_base().into(), data.rw_data());
        self.loaded =
            Some(Loaded { id: image.id, enter: image.enter, data: data.clone(), rw_end: data.map().rw_end() });
        Ok(())
    }

    fn run(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        let meter = Meter { process: self.process.pid, memory: Some((&self.guest_file, self.most_pages)) };
        if let Err(error) = self.deadline.begin(meter) {
            return self.fail(error);
        }
        self.grant()?;
        self.enter_guest(state)
    }

    fn go_on(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        let meter = Meter { process: self.process.pid, memory: Some((&self.guest_file, self.most_pages)) };
        match self.deadline.go_on(meter) {
            Ok(()) => self.enter_guest(state),
            Err(error) => self.fail(error),
        }
    }

    fn read(&self, address: u32, out: &mut [u8]) {
        self.guest.read(address.into(), out);
    }

    fn pages(&self, start: u32, end: u32, visit: &mut dyn FnMut(u32, &[u8; 0x1000])) {
        // No truncation: guest memory ends at the end of the guest's address space.
        self.guest.pages(start.into(), end.into(), &mut |offset, page| visit(offset as u32, page));
    }

    fn write(&mut self, address: u32, data: &[u8]) {
        if !self.is_forked() {
            self.guest.write(address.into(), data);
        }
    }

    fn fill(&mut self, address: u32, value: u8, length: u32) {
        if self.is_forked() {
            return;
        }
        let before = (length > SHORT_FILL).then(sys::thread_cpu_time).flatten();
        self.guest.fill(address.into(), value, length as usize);
        if let (Some(before), Some(after)) = (before, before.and_then(|_| sys::thread_cpu_time())) {
            self.deadline.spend(after.saturating_sub(before));
        }
    }

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), SandboxError> {
        if self.is_forked() {
            return Err(SandboxError::Forked);
        }
        if let Some(loaded) = &mut self.loaded {
            loaded.rw_end = loaded.rw_end.max(new_end);
        }
        self.most_pages += u64::from(new_end.saturating_sub(old_end)) / 0x1000;
        self.change(old_end, new_end, protocol::PROTECT_WRITE)
    }

    fn reset(&mut self) -> Result<(), SandboxError> {
        self.check_is_ours()?;
        let Some(loaded) = &mut self.loaded else { return Ok(()) };
        let data = loaded.data.clone();
        let map = data.map();
        let regions =
            [(map.rw_base(), map.rw_end()), (map.stack_low(), map.stack_high()), (map.aux_base(), map.aux_end())];
        let heap = (map.rw_end(), std::mem::replace(&mut loaded.rw_end, map.rw_end()));
        self.most_pages = first_pages(map);
        // The next instance does not have this memory at first, so it must have no pages.
        self.guest.remove(heap.0.into(), heap.1.into());
        let written = self.guest.clear(&regions.map(|(start, end)| (start.into(), end.into())));
        let read_only = self.restore_read_only(&data);
        // A compromised worker may have made other memory writable: then there are pages elsewhere.
        if sys::pages(&self.guest_file)? != written + read_only {
            self.guest.remove_all();
            self.restore_read_only(&data);
        }
        self.guest.write(map.rw_base().into(), data.rw_data());
        let page = self.page();
        for word in page.regs.iter().chain([&page.gas, &page.native_pc, &page.detail]) {
            word.store(0, Relaxed);
        }
        self.protect_all(map)
    }

    fn kill(&mut self) {
        let was_broken = std::mem::replace(&mut self.is_broken, true);
        if !self.is_forked() {
            if !was_broken {
                // Keeps the last reading for later calls.
                self.process.cpu_time();
            }
            // Fails only if the worker has already ended.
            let _ = sys::send_signal(&self.process.fd, libc::SIGKILL);
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
    /// For tests: the thread id.
    pub fn tid(&self) -> u32 {
        self.tid
    }

    /// For tests: kills the process without the pool's knowledge.
    pub fn kill_behind_its_back(&self) {
        sys::send_signal(&self.process.fd, libc::SIGKILL).unwrap();
        assert!(self.has_ended(), "it ends");
    }

    /// For tests: stops the process without the pool's knowledge.
    pub fn stop_behind_its_back(&self) {
        sys::send_signal(&self.process.fd, libc::SIGSTOP).unwrap();
    }

    /// For tests: its CPU time.
    pub fn cpu_time(&self) -> Duration {
        self.meter().cpu_time().unwrap()
    }

    /// For tests: returns a closure that continues the stopped process, for another thread.
    pub fn continuer(&self) -> impl FnOnce() + Send + 'static {
        let process = self.process.fd.try_clone().unwrap();
        move || sys::send_signal(&process, libc::SIGCONT).unwrap()
    }

    /// For tests: returns a closure that kills the process, for another thread.
    pub fn killer(&self) -> impl FnOnce() + Send + 'static {
        let process = self.process.fd.try_clone().unwrap();
        move || sys::send_signal(&process, libc::SIGKILL).unwrap()
    }

    /// For tests: true if the process ends soon.
    pub fn has_ended(&self) -> bool {
        sys::is_readable(self.process.fd.as_fd(), Duration::from_secs(10)) == Ok(true)
    }
}
