//! The system calls that the host side of the sandbox needs and `std` does not have. Used by this folder only.
//!
//! Each function is one call. Errors name the call and its error number.

use super::SandboxError;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

/// A system call.
///
/// # Safety
/// Whatever the kernel does with these arguments must be sound.
#[inline(always)]
unsafe fn syscall(number: usize, args: [usize; 6]) -> Result<usize, i32> {
    let result: isize;
    // SAFETY: the instruction changes rax, rcx, r11 and what the caller answers for.
    unsafe {
        std::arch::asm!(
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
    if (-4095..0).contains(&result) { Err(-result as i32) } else { Ok(result as usize) }
}

mod number {
    pub const FSTAT: usize = 5;
    pub const POLL: usize = 7;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const MINCORE: usize = 27;
    pub const MADVISE: usize = 28;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const SHUTDOWN: usize = 48;
    pub const SOCKETPAIR: usize = 53;
    pub const FCNTL: usize = 72;
    pub const FTRUNCATE: usize = 77;
    pub const SYSINFO: usize = 99;
    pub const FUTEX: usize = 202;
    pub const CLOCK_GETTIME: usize = 228;
    pub const SCHED_GETAFFINITY: usize = 204;
    pub const PRLIMIT64: usize = 302;
    pub const MEMFD_CREATE: usize = 319;
    pub const PIDFD_SEND_SIGNAL: usize = 424;
}

/// Error numbers that mean something to us.
pub(super) const EINTR: i32 = 4;
pub(super) const EAGAIN: i32 = 11;
pub(super) const ENOMEM: i32 = 12;
pub(super) const EINVAL: i32 = 22;
pub(super) const ETXTBSY: i32 = 26;
const ETIMEDOUT: i32 = 110;

fn named<T>(call: &'static str, result: Result<T, i32>) -> Result<T, SandboxError> {
    result.map_err(|errno| SandboxError::Os { call, errno })
}

/// MFD_NOEXEC_SEAL: a file that nobody may ever execute.
pub(super) const NO_EXEC: usize = 8;
/// MFD_EXEC: a file to execute.
pub(super) const EXEC: usize = 0x10;

/// A nameless file in memory. `purpose` is [`NO_EXEC`] or [`EXEC`], which kernels before 6.3 do not know.
pub(super) fn memfd(name: &'static std::ffi::CStr, purpose: usize) -> Result<OwnedFd, SandboxError> {
    // MFD_CLOEXEC | MFD_ALLOW_SEALING.
    // SAFETY: the kernel reads a text that ends with zero.
    let create = |purpose| unsafe { syscall(number::MEMFD_CREATE, [name.as_ptr() as usize, 3 | purpose, 0, 0, 0, 0]) };
    let result = match create(purpose) {
        Err(EINVAL) => create(0),
        other => other,
    };
    // SAFETY: the kernel made it for us.
    named("memfd_create", result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Whether a file may have this length. One that may not would end the process by SIGXFSZ (RLIMIT_FSIZE counts for files
/// in memory too), and what signals do is the embedder's affair.
pub(super) fn check_file_size(length: u64) -> Result<(), SandboxError> {
    // RLIMIT_FSIZE is 1. Soft and hard limit.
    let mut limits = [0u64; 2];
    let args = [0, 1, 0, limits.as_mut_ptr() as usize, 0, 0];
    // SAFETY: the kernel writes two words.
    named("prlimit64", unsafe { syscall(number::PRLIMIT64, args) })?;
    match limits[0] < length {
        true => Err(SandboxError::ResourceLimit {
            name: "the limit on the size of files (ulimit -f, in bytes)",
            needed: length,
            limit: limits[0],
        }),
        false => Ok(()),
    }
}

/// Sets the length of a file, which may have it ([`check_file_size`]).
pub(super) fn set_length(file: &OwnedFd, length: u64) -> Result<(), SandboxError> {
    check_file_size(length)?;
    // SAFETY: numbers only.
    let result = unsafe { syscall(number::FTRUNCATE, [file.as_raw_fd() as usize, length as usize, 0, 0, 0, 0]) };
    named("ftruncate", result).map(|_| ())
}

/// F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW.
pub(super) const SEAL_LENGTH: usize = 1 | 2 | 4;
/// F_SEAL_WRITE.
pub(super) const SEAL_WRITE: usize = 8;
/// F_SEAL_FUTURE_WRITE: what is mapped stays as it is, and nobody maps it writable any more.
pub(super) const SEAL_FUTURE_WRITE: usize = 0x10;

pub(super) fn seal(file: &OwnedFd, seals: usize) -> Result<(), SandboxError> {
    // F_ADD_SEALS is 1033.
    // SAFETY: numbers only.
    let result = unsafe { syscall(number::FCNTL, [file.as_raw_fd() as usize, 1033, seals, 0, 0, 0]) };
    named("fcntl(F_ADD_SEALS)", result).map(|_| ())
}

/// The process that a file's owner is (F_SETOWN), as this process's pid namespace numbers it; `None` if there is none.
pub(super) fn owner(file: &OwnedFd) -> Option<u32> {
    // F_GETOWN is 9.
    // SAFETY: numbers only.
    let result = unsafe { syscall(number::FCNTL, [file.as_raw_fd() as usize, 9, 0, 0, 0, 0]) };
    result.ok().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
}

/// The CPU time that a process has used, all of its threads; `None` if there is no such process.
pub(super) fn cpu_time(process: u32) -> Option<Duration> {
    // The id of a process's clock (`MAKE_PROCESS_CPUCLOCK`): its inverted pid, then CPUCLOCK_SCHED.
    clock((!(process as usize) << 3) | 2)
}

/// The CPU time that this thread has used.
pub(super) fn thread_cpu_time() -> Option<Duration> {
    // CLOCK_THREAD_CPUTIME_ID.
    clock(3)
}

fn clock(id: usize) -> Option<Duration> {
    let mut time = [0u64; 2];
    // A clock's id is an `int`.
    let args = [id as u32 as usize, time.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes two words.
    unsafe { syscall(number::CLOCK_GETTIME, args) }.ok()?;
    Some(Duration::new(time[0], u32::try_from(time[1]).ok()?))
}

/// How many pages of 4 KiB a file takes, those that were swapped out with them.
pub(super) fn pages(file: &OwnedFd) -> Result<u64, SandboxError> {
    // `struct stat` has 144 bytes; the ninth word is the number of blocks of 512 bytes.
    let mut stat = [0u64; 18];
    let place = stat.as_mut_ptr() as usize;
    // SAFETY: the kernel writes as much as there is.
    named("fstat", unsafe { syscall(number::FSTAT, [file.as_raw_fd() as usize, place, 0, 0, 0, 0]) })?;
    Ok(stat[8] / 8)
}

/// Maps a file, shared, readable and writable, without reserving memory for it. Never executable.
pub(super) fn map(file: &OwnedFd, length: u64) -> Result<*mut u8, SandboxError> {
    // PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE.
    // SAFETY: the kernel chooses a place where nothing is.
    let result = unsafe { syscall(number::MMAP, [0, length as usize, 3, 1 | 0x4000, file.as_raw_fd() as usize, 0]) };
    named("mmap", result).map(|address| address as *mut u8)
}

/// A page that a forked child sees as zeros (MADV_WIPEONFORK), with a one in it.
pub(super) fn fork_mark() -> Option<&'static AtomicU32> {
    // MAP_PRIVATE | MAP_ANONYMOUS.
    // SAFETY: the kernel chooses a place where nothing is.
    let page = unsafe { syscall(number::MMAP, [0, 4096, 3, 0x22, usize::MAX, 0]) }.ok()?;
    // SAFETY: our own fresh page; it is zeroed in children only.
    unsafe { syscall(number::MADVISE, [page, 4096, 18, 0, 0, 0]) }.ok()?;
    // SAFETY: mapped for ever, aligned, used as an atomic only.
    let mark = unsafe { &*(page as *const AtomicU32) };
    mark.store(1, std::sync::atomic::Ordering::Relaxed);
    Some(mark)
}

/// Unmaps what [`map`] mapped.
///
/// # Safety
/// Nobody uses the memory any more.
pub(super) unsafe fn unmap(address: *mut u8, length: u64) {
    // SAFETY: as above. It cannot fail for a whole mapping.
    let _ = unsafe { syscall(number::MUNMAP, [address as usize, length as usize, 0, 0, 0, 0]) };
}

/// Frees the pages of a file behind a shared mapping: they read as zeros afterwards, for everyone (MADV_REMOVE).
///
/// # Safety
/// The range is in a mapping of [`map`], page aligned, and nobody holds a reference to its bytes.
pub(super) unsafe fn remove_pages(address: *mut u8, length: usize) -> Result<(), SandboxError> {
    // SAFETY: as above.
    named("madvise(MADV_REMOVE)", unsafe { syscall(number::MADVISE, [address as usize, length, 9, 0, 0, 0]) })
        .map(|_| ())
}

/// Sets the soft limit of the CPU time that a process may use, in seconds.
pub(super) fn limit_cpu_time(process: u32, seconds: u64) -> Result<(), SandboxError> {
    // RLIMIT_CPU is 0. Soft and hard limit.
    let mut limits = [0u64; 2];
    let place = limits.as_mut_ptr() as usize;
    // SAFETY: the kernel writes two words.
    named("prlimit64", unsafe { syscall(number::PRLIMIT64, [process as usize, 0, 0, place, 0, 0]) })?;
    limits[0] = seconds.min(limits[1]);
    let place = limits.as_ptr() as usize;
    // SAFETY: the kernel reads two words.
    named("prlimit64", unsafe { syscall(number::PRLIMIT64, [process as usize, 0, place, 0, 0, 0]) }).map(|_| ())
}

/// Has the kernel make the pages of a mapping, as an access to them would; where it can't, that is an error instead of SIGBUS
/// (MADV_POPULATE_READ, MADV_POPULATE_WRITE).
///
/// # Safety
/// The range is in a mapping of [`map`] and page aligned.
pub(super) unsafe fn populate(address: *mut u8, length: usize, write: bool) -> Result<(), SandboxError> {
    let advice = if write { 23 } else { 22 };
    // SAFETY: no byte changes.
    let result = unsafe { syscall(number::MADVISE, [address as usize, length, advice, 0, 0, 0]) };
    named("madvise(MADV_POPULATE)", result).map(|_| ())
}

/// Whether the kernel counts memory strictly, so that there can be none for a page of a file in memory.
pub(super) fn is_memory_counted() -> bool {
    // For processes that can read the file at first and not later, as they have locked themselves up.
    static LAST: AtomicBool = AtomicBool::new(false);
    match std::fs::read_to_string("/proc/sys/vm/overcommit_memory") {
        Ok(mode) => {
            let is_counted = mode.trim() == "2";
            LAST.store(is_counted, Relaxed);
            is_counted
        }
        Err(_) => LAST.load(Relaxed),
    }
}

/// Which pages of a shared mapping exist: the lowest bit of a byte for each.
///
/// # Safety
/// The range is in a mapping of [`map`] and page aligned.
pub(super) unsafe fn resident(address: *mut u8, length: usize, to: &mut [u8]) -> Result<(), SandboxError> {
    assert!(length.div_ceil(4096) <= to.len(), "a byte for each page");
    // SAFETY: the kernel writes a byte for each page.
    let result = unsafe { syscall(number::MINCORE, [address as usize, length, to.as_mut_ptr() as usize, 0, 0, 0]) };
    named("mincore", result).map(|_| ())
}

/// Whether memory can be swapped out. If not, none is: taking swap space away brings everything back.
pub(super) fn has_swap() -> bool {
    // `struct sysinfo`: 112 bytes; the ninth word is the size of all swap space.
    let mut info = [0u64; 16];
    // SAFETY: the kernel writes less than there is.
    let result = unsafe { syscall(number::SYSINFO, [info.as_mut_ptr() as usize, 0, 0, 0, 0, 0]) };
    result.is_err() || info[8] != 0
}

/// Two ends of a connection that keeps messages apart.
pub(super) fn socket_pair() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let mut ends = [0i32; 2];
    // AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC.
    // SAFETY: the kernel writes two numbers.
    named("socketpair", unsafe {
        syscall(number::SOCKETPAIR, [1, 5 | 0x8_0000, 0, ends.as_mut_ptr() as usize, 0, 0])
    })?;
    // SAFETY: the kernel made them for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Ends a connection for everyone who holds an end of it.
pub(super) fn shut_down(socket: &OwnedFd) {
    // SHUT_RDWR is 2.
    // SAFETY: numbers only. It fails only if the connection is gone.
    let _ = unsafe { syscall(number::SHUTDOWN, [socket.as_raw_fd() as usize, 2, 0, 0, 0, 0]) };
}

/// Whether there is something to read, or the end, within the time.
pub(super) fn is_readable(fd: BorrowedFd<'_>, within: Duration) -> Result<bool, SandboxError> {
    // `struct pollfd`: descriptor, wanted events (POLLIN), events.
    let mut poll = [fd.as_raw_fd() as u32, 1];
    let milliseconds = within.as_millis().min(i32::MAX as u128) as usize;
    // SAFETY: the kernel reads and writes eight bytes.
    match unsafe { syscall(number::POLL, [poll.as_mut_ptr() as usize, 1, milliseconds, 0, 0, 0]) } {
        Ok(count) => Ok(count > 0),
        Err(EINTR) => Ok(false),
        Err(errno) => Err(SandboxError::Os { call: "poll", errno }),
    }
}

#[repr(C)]
struct Part {
    base: usize,
    length: usize,
}

/// `struct msghdr`.
#[repr(C)]
struct Header {
    name: usize,
    name_length: usize,
    parts: usize,
    part_count: usize,
    control: usize,
    control_length: usize,
    flags: usize,
}

/// `struct cmsghdr` with room for file descriptors.
#[repr(C)]
struct Files {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; 4],
}

/// SOL_SOCKET and SCM_RIGHTS.
const RIGHTS: (i32, i32) = (1, 1);

/// Sends a message, with up to four file descriptors.
pub(super) fn send(socket: &OwnedFd, message: &[u8], files: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
    let mut part = Part { base: message.as_ptr() as usize, length: message.len() };
    let mut control = Files { length: 16 + 4 * files.len(), level: RIGHTS.0, kind: RIGHTS.1, fds: [-1; 4] };
    assert!(files.len() <= control.fds.len(), "at most four");
    for (to, from) in control.fds.iter_mut().zip(files) {
        *to = from.as_raw_fd();
    }
    let header = Header {
        name: 0,
        name_length: 0,
        parts: &raw mut part as usize,
        part_count: 1,
        control: if files.is_empty() { 0 } else { &raw mut control as usize },
        control_length: if files.is_empty() { 0 } else { control.length.next_multiple_of(8) },
        flags: 0,
    };
    // MSG_NOSIGNAL | MSG_DONTWAIT.
    // SAFETY: the kernel reads header, message and control.
    let result =
        unsafe { syscall(number::SENDMSG, [socket.as_raw_fd() as usize, &raw const header as usize, 0x4040, 0, 0, 0]) };
    named("sendmsg", result).map(|_| ())
}

/// Receives a message without waiting, with at most one file descriptor. The length is zero at the end.
pub(super) fn receive(socket: &OwnedFd, to: &mut [u8]) -> Result<(usize, Option<OwnedFd>), SandboxError> {
    let mut part = Part { base: to.as_mut_ptr() as usize, length: to.len() };
    let mut control = Files { length: 0, level: 0, kind: 0, fds: [-1; 4] };
    let mut header = Header {
        name: 0,
        name_length: 0,
        parts: &raw mut part as usize,
        part_count: 1,
        control: &raw mut control as usize,
        // Room for one descriptor, so the kernel makes no more than one.
        control_length: 20,
        flags: 0,
    };
    // MSG_DONTWAIT | MSG_CMSG_CLOEXEC.
    // SAFETY: the kernel writes into message and control, as long as they are.
    let result = unsafe {
        syscall(number::RECVMSG, [socket.as_raw_fd() as usize, &raw mut header as usize, 0x4000_0040, 0, 0, 0])
    };
    // SAFETY: the kernel has written here, behind the compiler's back.
    let control = unsafe { (&raw const control).read_volatile() };
    let has_file = result.is_ok() && control.length == 20 && (control.level, control.kind) == RIGHTS;
    // SAFETY: the kernel made it for us.
    let file = has_file.then(|| unsafe { OwnedFd::from_raw_fd(control.fds[0]) });
    named("recvmsg", result).map(|length| (length, file))
}

/// Sends a signal to the process behind a pidfd; zero only asks whether that would be allowed.
pub(super) fn send_signal(process: &OwnedFd, signal: usize) -> Result<(), SandboxError> {
    // SAFETY: numbers only.
    let result = unsafe { syscall(number::PIDFD_SEND_SIGNAL, [process.as_raw_fd() as usize, signal, 0, 0, 0, 0]) };
    named("pidfd_send_signal", result).map(|_| ())
}

/// Sleeps while the word has this value, at most so long. The word is shared between processes.
pub(super) fn futex_wait(word: &AtomicU32, value: u32, at_most: Duration) -> Result<(), SandboxError> {
    let time = [at_most.as_secs(), u64::from(at_most.subsec_nanos())];
    let args = [word.as_ptr() as usize, 0, value as usize, time.as_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads word and time.
    match unsafe { syscall(number::FUTEX, args) } {
        Ok(_) | Err(EAGAIN | EINTR | ETIMEDOUT) => Ok(()),
        Err(errno) => Err(SandboxError::Os { call: "futex", errno }),
    }
}

/// Wakes who sleeps on the word.
pub(super) fn futex_wake(word: &AtomicU32) {
    // SAFETY: the kernel uses the address only. It fails for bad addresses only.
    let _ = unsafe { syscall(number::FUTEX, [word.as_ptr() as usize, 1, 1, 0, 0, 0]) };
}

/// How many processors this thread may use.
pub(super) fn processors() -> u32 {
    let mut mask = [0u64; 128];
    let args = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most as much as there is.
    match unsafe { syscall(number::SCHED_GETAFFINITY, args) } {
        Ok(_) => mask.iter().map(|word| word.count_ones()).sum(),
        Err(_) => 1,
    }
}
