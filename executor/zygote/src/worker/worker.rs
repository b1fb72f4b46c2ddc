//! The worker: maps its memory, drops everything else, and then takes part in the handoff. Forked by `zygote`.

use crate::filter;
use crate::kernel::*;
use crate::launcher::is_filtered;
use crate::protocol::*;
use crate::run;
use crate::signals;
use crate::syscall::*;
use crate::zygote::{WorkerLayers, core_cookie, die_with_parent};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Resources whose limit is zero for a worker, beyond those of the zygote.
const LIMITS: [usize; 3] = [RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_SIGPENDING];

/// `struct robust_list_head`.
#[repr(C)]
struct RobustList {
    first: *const RobustList,
    /// Offset from an entry to its futex.
    offset: isize,
    pending: *const RobustList,
}

/// Main function of a worker. `zygote` is the process id of its zygote, `files` are control page, guest memory and
/// code, and `cpu` is its limit of CPU time in seconds, or zero.
pub fn main(mode: u32, zygote: usize, files: [usize; 3], cpu: u32, layers: WorkerLayers) -> ! {
    // Without a pid namespace, only this ends a worker with its zygote, unless that is already gone.
    if die_with_parent().is_err() || getppid() != Ok(zygote) {
        exit(1);
    }
    let [control_file, guest_file, code_file] = files;
    if map(CONTROL_BASE, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, control_file, 0).is_err() {
        exit(1);
    }
    // SAFETY: just mapped, at least as long, and made of atomics.
    let control = unsafe { &*(CONTROL_BASE as *const Control) };
    let mut list = RobustList { first: core::ptr::null(), offset: 0, pending: core::ptr::null() };
    let head = &raw const list;
    // An empty list points to itself. The kernel also checks the pending entry, which suffices here.
    (list.first, list.pending) = (head, head);
    list.offset = (CONTROL_BASE as isize).wrapping_sub(head as isize);
    if let Err((step, errno)) = prepare(mode, &list, guest_file, code_file, cpu, layers) {
        control.argument.store(step as u64, Relaxed);
        control.detail.store(errno as u64, Relaxed);
        control.exit.store(EXIT_SETUP, Relaxed);
        control.state.swap(STATE_IDLE, AcqRel);
        wake(control);
        exit(1);
    }
    control.exit.store(EXIT_DONE, Relaxed);
    control.state.swap(STATE_IDLE, AcqRel);
    wake(control);
    loop {
        wait(control);
        carry_out(control);
        if control.state.swap(STATE_IDLE, AcqRel) & STATE_WAITERS != 0 {
            wake(control);
        }
    }
}

fn prepare(
    mode: u32,
    list: &RobustList,
    guest_file: usize,
    code_file: usize,
    cpu: u32,
    layers: WorkerLayers,
) -> core::result::Result<(), (Step, u32)> {
    let at = |step: Step| move |errno: u32| (step, errno);
    let memory = at(Step::Memory);
    map(GUEST_START, GUEST_SIZE, 0, MAP_SHARED, guest_file, GUEST_START).map_err(memory)?;
    map(CODE_BASE, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, code_file, 0).map_err(memory)?;
    let stack_size = STACK_TOP - STACK_BASE;
    map(STACK_BASE, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, usize::MAX, 0).map_err(memory)?;
    if layers.is_sealed {
        // Everything but guest memory, whose protections change.
        for (start, length) in
            [(CONTROL_BASE, CONTROL_SIZE), (CODE_BASE, CODE_SIZE), (STACK_BASE, STACK_TOP - STACK_BASE)]
        {
            mseal(start as usize, length as usize, 0).map_err(memory)?;
        }
    }
    if layers.has_core_cookie {
        core_cookie().map_err(at(Step::Privileges))?;
    }
    signals::install().map_err(at(Step::Signals))?;
    // SAFETY: the list lives as long as the process; the kernel reads it when the process ends.
    unsafe { syscall(number::SET_ROBUST_LIST, [&raw const *list as usize, size_of::<RobustList>(), 0, 0, 0, 0]) }
        .map_err(at(Step::RobustFutex))?;
    close_range(0, u32::MAX as usize).map_err(at(Step::Close))?;
    if mode != MODE_OFF {
        for resource in LIMITS {
            limit(resource, 0).map_err(at(Step::Limits))?;
        }
        if cpu > 0 {
            // Exceeding it raises SIGXCPU, which the worker cannot handle: its filter allows no such call.
            soft_limit(RLIMIT_CPU, u64::from(cpu)).map_err(at(Step::Limits))?;
        }
    }
    if is_filtered(mode) {
        filter::install(&filter::WORKER).map_err(at(Step::Filter))?;
    }
    Ok(())
}

/// Waits for a command.
fn wait(control: &Control) {
    let mut spins = control.spins.load(Relaxed);
    loop {
        match control.state.load(Acquire) {
            STATE_IDLE if spins > 0 => {
                spins -= 1;
                core::hint::spin_loop();
            }
            STATE_IDLE => {
                let _ = control.state.compare_exchange(STATE_IDLE, STATE_ASLEEP, AcqRel, Acquire);
            }
            STATE_ASLEEP => {
                let args = [CONTROL_BASE as usize, FUTEX_WAIT, STATE_ASLEEP as usize, 0, 0, 0];
                // SAFETY: the kernel reads the word.
                let _ = unsafe { syscall(number::FUTEX, args) };
            }
            _ => return,
        }
    }
}

/// Wakes the host.
fn wake(control: &Control) {
    const WAITERS: usize = 1;
    // SAFETY: the kernel only uses the address.
    let _ = unsafe { syscall(number::FUTEX, [(&raw const control.state) as usize, FUTEX_WAKE, WAITERS, 0, 0, 0]) };
}

fn carry_out(control: &Control) {
    let mut failed = 0;
    let changes = control.changes.load(Relaxed) as usize;
    for range in control.ranges.iter().take(changes) {
        let (start, length) = (range.start.load(Relaxed) as usize, range.length.load(Relaxed) as usize);
        let protection = range.protection.load(Relaxed) as usize;
        if length > 0 && failed == 0 {
            // SAFETY: below 4 GiB there is guest memory only.
            if let Err(errno) = unsafe { syscall(number::MPROTECT, [start, length, protection, 0, 0, 0]) } {
                failed = errno;
            }
        }
    }
    control.detail.store(failed as u64, Relaxed);
    control.exit.store(EXIT_DONE, Relaxed);
    if changes > 0 {
        run::serialise();
    }
    let address = control.argument.load(Relaxed);
    let is_run = control.command.load(Relaxed) == COMMAND_RUN;
    if is_run && failed == 0 && (CODE_BASE..CODE_BASE + CODE_SIZE).contains(&address) {
        // SAFETY: the address is in compiled code.
        unsafe { run::enter(address) };
    }
}
