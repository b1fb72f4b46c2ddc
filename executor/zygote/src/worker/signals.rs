//! Signal handlers: write guest faults into the control page. Installed by `worker`.
//!
//! A fault is the guest's only if the instruction is in compiled code and the address in the guest's window; all others
//! are reported as bugs of our own. Handlers never return to the interrupted code, so `rt_sigreturn` is not needed.

use crate::kernel::*;
use crate::protocol::*;
use crate::run;
use crate::syscall::*;
use core::sync::atomic::Ordering::Relaxed;

/// Size of the signal stack: the processor's state as stored by the kernel (up to 11 KiB with AMX), and the handler's
/// own frames.
const STACK_SIZE: usize = 0x8000;

#[repr(C, align(4096))]
struct Stack(core::cell::UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: only the kernel and the handler use it, in a process with one thread.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(core::cell::UnsafeCell::new([0; STACK_SIZE]));

/// Installs the handlers.
pub fn install() -> Result<()> {
    // `stack_t`: address, flags, size.
    let stack = [STACK.0.get() as usize, 0, STACK_SIZE];
    // SAFETY: the kernel reads three words; the memory is used for nothing else.
    unsafe { syscall(number::SIGALTSTACK, [stack.as_ptr() as usize, 0, 0, 0, 0, 0]) }?;
    // The kernel requires SA_RESTORER; it is never returned to.
    const FLAGS: usize = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER;
    let action = [handler as *const () as usize, FLAGS, 0, 0];
    for signal in [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV] {
        // SAFETY: the kernel reads the action.
        unsafe { syscall(number::RT_SIGACTION, [signal as usize, action.as_ptr() as usize, 0, SIGSET_SIZE, 0, 0]) }?;
    }
    Ok(())
}

/// Start of `siginfo_t`.
#[repr(C)]
struct SigInfo {
    signal: u32,
    errno: u32,
    code: i32,
    padding: u32,
    address: u64,
}

/// Start of `ucontext_t`: the fields before the registers, and the registers.
#[repr(C)]
struct UContext {
    header: [u64; 5],
    registers: [u64; 17],
}

/// Index of a register in [`UContext`], by its hardware number: the kernel's order is r8 to r15, rdi, rsi, rbp, rbx,
/// rdx, rax, rcx, rsp, rip.
const PLACE: [u8; 16] = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7];
const RIP: usize = 16;

unsafe extern "C" fn handler(signal: u32, info: *const SigInfo, context: *const UContext) -> ! {
    // SAFETY: the kernel made both, on the handler's stack.
    let (info, context) = unsafe { (&*info, &*context) };
    // SAFETY: mapped before handlers are installed; made of atomics.
    let control = unsafe { &*(CONTROL_BASE as *const Control) };
    let get = |register: u8| {
        let place = PLACE.get(register as usize & 15).map_or(0, |place| *place as usize);
        context.registers.get(place).map_or(0, |value| *value)
    };
    for (to, from) in control.regs.iter().zip(NATIVE_REGS) {
        to.store(get(from), Relaxed);
    }
    control.gas.store(get(NATIVE_GAS), Relaxed);
    let rip = context.registers[RIP];
    control.native_pc.store(rip, Relaxed);
    // For a signal that the processor raised for an address, the kernel reports the address, with a positive code.
    // SI_KERNEL is for signals without an address, for instance for one that is not canonical.
    let has_address = matches!(signal, SIGSEGV | SIGBUS) && info.code > 0 && info.code < SI_KERNEL;
    let address = if has_address { info.address } else { u64::MAX };
    control.detail.store(address, Relaxed);
    control.argument.store(signal as u64, Relaxed);
    let is_guest_code = (CODE_BASE..CODE_BASE + CODE_SIZE).contains(&rip);
    // An access may begin below 4 GiB and end above.
    let is_guest_address = signal == SIGSEGV && address < GUEST_END + 8;
    let exit = if is_guest_code && is_guest_address { EXIT_FAULT } else { EXIT_UNEXPECTED_SIGNAL };
    control.exit.store(exit, Relaxed);
    if run::RESUME.load(Relaxed) == 0 {
        exit_now();
    }
    // SAFETY: compiled code is entered before anything can fault that is not a bug of this program, which ends above.
    unsafe { run::leave() }
}

#[cold]
fn exit_now() -> ! {
    exit(102)
}
