//! System calls, with their numbers for AMD64 (Linux `arch/x86/entry/syscalls/syscall_64.tbl`). Called by everything else
//! in this program; other constants are in `kernel`.
//!
//! Each function is one call; it returns the kernel's result as a [`Result`] with the error number.

use crate::kernel::*;
use core::arch::asm;

/// Result of a system call: its value, or the error number.
pub type Result<T = usize> = core::result::Result<T, u32>;

/// A system call.
///
/// # Safety
/// Whatever the kernel does with these arguments must be sound.
#[inline(always)]
pub unsafe fn syscall(number: usize, args: [usize; 6]) -> Result {
    let result: isize;
    // SAFETY: the instruction changes rax, rcx, r11 and whatever the caller guarantees to be sound.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    if result < 0 { Err(result.unsigned_abs() as u32) } else { Ok(result as usize) }
}

/// Numbers of the system calls in use.
#[allow(missing_docs, reason = "the names are the kernel's")]
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const MPROTECT: usize = 10;
    pub const MUNMAP: usize = 11;
    pub const RT_SIGACTION: usize = 13;
    pub const GETPID: usize = 39;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const SOCKETPAIR: usize = 53;
    pub const CLONE: usize = 56;
    pub const WAIT4: usize = 61;
    pub const FCNTL: usize = 72;
    pub const CHDIR: usize = 80;
    pub const GETPPID: usize = 110;
    pub const SETGROUPS: usize = 116;
    pub const SETRESUID: usize = 117;
    pub const SETRESGID: usize = 119;
    pub const CAPGET: usize = 125;
    pub const CAPSET: usize = 126;
    pub const SIGALTSTACK: usize = 131;
    pub const PIVOT_ROOT: usize = 155;
    pub const PRCTL: usize = 157;
    pub const MOUNT: usize = 165;
    pub const UMOUNT2: usize = 166;
    pub const FUTEX: usize = 202;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const UNSHARE: usize = 272;
    pub const SET_ROBUST_LIST: usize = 273;
    pub const PRLIMIT64: usize = 302;
    pub const SECCOMP: usize = 317;
    pub const CLOSE_RANGE: usize = 436;
    pub const LANDLOCK_CREATE_RULESET: usize = 444;
    pub const LANDLOCK_RESTRICT_SELF: usize = 446;
    pub const MSEAL: usize = 462;
    pub const GETRESUID: usize = 118;
    pub const GETRESGID: usize = 120;
}

/// Defines calls whose arguments are numbers that the kernel does not interpret as addresses.
macro_rules! numeric {
    ($(#[$doc:meta])* $name:ident, $number:ident $(, $arg:ident)*) => {
        $(#[$doc])*
        pub fn $name($($arg: usize),*) -> Result {
            let mut args = [0; 6];
            let values: &[usize] = &[$($arg),*];
            for (slot, value) in args.iter_mut().zip(values) {
                *slot = *value;
            }
            // SAFETY: no argument is an address that the kernel reads or writes, and no memory changes.
            unsafe { syscall(number::$number, args) }
        }
    };
}

numeric!(
    /// Closes a file descriptor.
    close, CLOSE, fd
);
numeric!(
    /// Closes all file descriptors in a range, both ends included.
    close_range, CLOSE_RANGE, first, last
);
numeric!(
    /// An operation on a file descriptor with a numeric argument.
    fcntl, FCNTL, fd, operation, value
);
numeric!(
    /// Seals mappings: they cannot be changed, moved or unmapped.
    mseal, MSEAL, start, length, flags
);
numeric!(
    /// Id of this process.
    getpid, GETPID
);
numeric!(
    /// Id of the parent process, or of the process that adopted this one.
    getppid, GETPPID
);
numeric!(
    /// Moves this process into new namespaces.
    unshare, UNSHARE, flags
);
numeric!(
    /// Real, effective and saved user id.
    setresuid, SETRESUID, real, effective, saved
);
numeric!(
    /// Real, effective and saved group id.
    setresgid, SETRESGID, real, effective, saved
);

/// `prctl` for options whose arguments are not addresses.
pub fn prctl(option: usize, value: usize) -> Result {
    // SAFETY: the options used here take numbers only.
    unsafe { syscall(number::PRCTL, [option, value, 0, 0, 0, 0]) }
}

/// `prctl` with two arguments that are not addresses.
pub fn prctl2(option: usize, first: usize, second: usize) -> Result {
    // SAFETY: as above.
    unsafe { syscall(number::PRCTL, [option, first, second, 0, 0, 0]) }
}

/// Ends the process.
pub fn exit(status: usize) -> ! {
    loop {
        // SAFETY: does not return; if a filter forbids it, the process is killed.
        let _ = unsafe { syscall(number::EXIT_GROUP, [status, 0, 0, 0, 0, 0]) };
    }
}

/// Sets the soft and hard limit of a resource; a hard limit that is lower already stays, as it cannot be raised.
pub fn limit(resource: usize, value: u64) -> Result {
    let mut old = [0u64; 2];
    // SAFETY: the kernel writes two words.
    unsafe { syscall(number::PRLIMIT64, [0, resource, 0, old.as_mut_ptr() as usize, 0, 0]) }?;
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    let hard = unsafe { (&raw const old[1]).read_volatile() };
    let value = if value < hard { value } else { hard };
    let limit = [value, value];
    // SAFETY: the kernel reads two words.
    unsafe { syscall(number::PRLIMIT64, [0, resource, limit.as_ptr() as usize, 0, 0, 0]) }
}

/// Sets the soft limit of a resource, at most to the hard one, up to which it can be raised again.
pub fn soft_limit(resource: usize, value: u64) -> Result {
    let mut limit = [0u64; 2];
    let place = &raw mut limit as usize;
    // SAFETY: the kernel writes two words.
    unsafe { syscall(number::PRLIMIT64, [0, resource, 0, place, 0, 0]) }?;
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    let hard = unsafe { (&raw const limit[1]).read_volatile() };
    limit = [if value < hard { value } else { hard }, hard];
    // SAFETY: the kernel reads two words.
    unsafe { syscall(number::PRLIMIT64, [0, resource, &raw const limit as usize, 0, 0, 0]) }
}

/// Maps memory at an unused address.
pub fn map(start: u64, length: u64, protection: usize, kind: usize, fd: usize, offset: u64) -> Result<()> {
    let flags = kind | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
    let args = [start as usize, length as usize, protection, flags, fd, offset as usize];
    // SAFETY: the kernel does not replace existing mappings.
    let got = unsafe { syscall(number::MMAP, args) }?;
    // Kernels that don't know MAP_FIXED_NOREPLACE take the address as a hint.
    if got as u64 == start { Ok(()) } else { Err(EEXIST) }
}
