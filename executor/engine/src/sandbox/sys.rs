//! System calls of the host side of the sandbox that `std` lacks, through `libc`. Used by this folder only.
//!
//! Each function is one call. Errors name the call and its error number.

use super::SandboxError;
use libc::{c_int, c_uint};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

const PAGE: usize = 0x1000;

/// Returns the error number of the call that has just failed.
fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Converts the result of a call that returns -1 on failure.
fn check<T: Copy + Default + PartialOrd>(call: &'static str, result: T) -> Result<T, SandboxError> {
    if result < T::default() { Err(SandboxError::Os { call, errno: errno() }) } else { Ok(result) }
}

/// Creates a memory file. `purpose` is `MFD_NOEXEC_SEAL` (never executable) or `MFD_EXEC`, which kernels before 6.3 do
/// not know.
pub(super) fn memfd(name: &'static std::ffi::CStr, purpose: c_uint) -> Result<OwnedFd, SandboxError> {
    const FLAGS: c_uint = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the kernel reads a text that ends with zero.
    let create = |purpose| check("memfd_create", unsafe { libc::memfd_create(name.as_ptr(), FLAGS | purpose) });
    let fd = match create(purpose) {
        Err(SandboxError::Os { errno: libc::EINVAL, .. }) => create(0)?,
        other => other?,
    };
    // SAFETY: the kernel has just created it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Checks that a file may have this length. Exceeding RLIMIT_FSIZE, which applies to memory files too, would kill the
/// process by SIGXFSZ, and the disposition of signals belongs to the embedder.
pub(super) fn check_file_size(length: u64) -> Result<(), SandboxError> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the limit.
    check("getrlimit", unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) })?;
    match limit.rlim_cur < length {
        true => Err(SandboxError::ResourceLimit {
            name: "the limit on the size of files (ulimit -f, in bytes)",
            needed: length,
            limit: limit.rlim_cur,
        }),
        false => Ok(()),
    }
}

/// Sets the length of a file, after [`check_file_size`].
pub(super) fn set_length(file: &OwnedFd, length: u64) -> Result<(), SandboxError> {
    check_file_size(length)?;
    // SAFETY: numbers only.
    check("ftruncate", unsafe { libc::ftruncate(file.as_raw_fd(), length as libc::off_t) }).map(|_| ())
}

/// Seals that fix the length of a file, and its set of seals.
pub(super) const SEAL_LENGTH: c_int = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;

/// Adds seals (`F_SEAL_…`) to a memory file.
pub(super) fn seal(file: &OwnedFd, seals: c_int) -> Result<(), SandboxError> {
    // SAFETY: numbers only.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    check("fcntl(F_ADD_SEALS)", result).map(|_| ())
}

/// Returns the process that owns a file (F_SETOWN), as numbered in this process's pid namespace; `None` if there is
/// none.
pub(super) fn owner(file: &OwnedFd) -> Option<u32> {
    // SAFETY: numbers only.
    let pid = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETOWN) };
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Returns the CPU time of all threads of a process; `None` if there is no such process.
pub(super) fn cpu_time(process: u32) -> Option<Duration> {
    // As the kernel's `MAKE_PROCESS_CPUCLOCK`, of the kind CPUCLOCK_SCHED.
    const CPUCLOCK_SCHED: libc::clockid_t = 2;
    clock((!(process as libc::clockid_t) << 3) | CPUCLOCK_SCHED)
}

/// Returns the CPU time of this thread.
pub(crate) fn thread_cpu_time() -> Option<Duration> {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the time.
    if unsafe { libc::clock_gettime(id, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Returns the number of pages of 4 KiB that a file occupies, including those swapped out.
pub(super) fn pages(file: &OwnedFd) -> Result<u64, SandboxError> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes a `stat`.
    check("fstat", unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: zeroed, and every value of its fields is valid. Its blocks have 512 bytes.
    let blocks = unsafe { stat.assume_init() }.st_blocks;
    Ok(blocks as u64 / (PAGE as u64 / 512))
}

/// Maps a file, shared, readable and writable, without reserving memory for it. Never executable.
pub(super) fn map(file: &OwnedFd, length: u64) -> Result<*mut u8, SandboxError> {
    const PROTECTION: c_int = libc::PROT_READ | libc::PROT_WRITE;
    const FLAGS: c_int = libc::MAP_SHARED | libc::MAP_NORESERVE;
    // SAFETY: the kernel chooses an unused range of addresses.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), length as usize, PROTECTION, FLAGS, file.as_raw_fd(), 0) };
    match address == libc::MAP_FAILED {
        true => Err(SandboxError::Os { call: "mmap", errno: errno() }),
        false => Ok(address.cast()),
    }
}

/// Maps a page for detecting forks: its first word is one here, and zero in a forked child.
pub(super) fn fork_mark() -> Option<&'static AtomicU32> {
    const PROTECTION: c_int = libc::PROT_READ | libc::PROT_WRITE;
    const FLAGS: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses an unused range of addresses.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, PROTECTION, FLAGS, -1, 0) };
    // SAFETY: our own fresh page; it is zeroed in children only.
    if page == libc::MAP_FAILED || unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) } != 0 {
        return None;
    }
    // SAFETY: never unmapped, aligned, used as an atomic only.
    let mark = unsafe { &*page.cast::<AtomicU32>() };
    mark.store(1, Relaxed);
    Some(mark)
}

/// Unmaps what [`map`] mapped.
///
/// # Safety
/// Nobody uses the memory any more.
pub(super) unsafe fn unmap(address: *mut u8, length: u64) {
    // SAFETY: as above. It cannot fail for a whole mapping.
    let _ = unsafe { libc::munmap(address.cast(), length as usize) };
}

/// Frees the pages of a file behind a shared mapping: they read as zeros afterwards, for everyone.
///
/// # Safety
/// The range is in a mapping of [`map`], page aligned, and nobody holds a reference to its bytes.
pub(super) unsafe fn remove_pages(address: *mut u8, length: usize) -> Result<(), SandboxError> {
    // SAFETY: as above.
    let result = unsafe { libc::madvise(address.cast(), length, libc::MADV_REMOVE) };
    check("madvise(MADV_REMOVE)", result).map(|_| ())
}

/// Sets the soft limit of the CPU time that a process may use, in seconds.
pub(super) fn limit_cpu_time(process: u32, seconds: u64) -> Result<(), SandboxError> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = process as libc::pid_t;
    // SAFETY: the kernel writes the limit.
    check("prlimit", unsafe { libc::prlimit(pid, libc::RLIMIT_CPU, std::ptr::null(), &raw mut limit) })?;
    limit.rlim_cur = seconds.min(limit.rlim_max);
    // SAFETY: the kernel reads the limit.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_CPU, &raw const limit, std::ptr::null_mut()) };
    check("prlimit", result).map(|_| ())
}

/// Has the kernel allocate the pages of a mapping, as an access to them would; where there is no memory for a page, the
/// result is an error instead of SIGBUS.
///
/// # Safety
/// The range is in a mapping of [`map`] and page aligned.
pub(super) unsafe fn populate(address: *mut u8, length: usize, write: bool) -> Result<(), SandboxError> {
    let advice = if write { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
    // SAFETY: no byte changes.
    check("madvise(MADV_POPULATE)", unsafe { libc::madvise(address.cast(), length, advice) }).map(|_| ())
}

/// Returns true if the kernel's overcommit accounting is strict, so that a page of a memory file can be refused.
pub(super) fn is_memory_counted() -> bool {
    // For processes that can read the file at first but not later, after they have sandboxed themselves.
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

/// Reports which pages of a shared mapping exist: the lowest bit of one byte per page.
///
/// # Safety
/// The range is in a mapping of [`map`] and page aligned.
pub(super) unsafe fn resident(address: *mut u8, length: usize, to: &mut [u8]) -> Result<(), SandboxError> {
    assert!(length.div_ceil(PAGE) <= to.len(), "a byte for each page");
    // SAFETY: the kernel writes a byte for each page.
    check("mincore", unsafe { libc::mincore(address.cast(), length, to.as_mut_ptr()) }).map(|_| ())
}

/// Returns true if memory can be swapped out. If not, nothing is swapped out: `swapoff` brings all pages back.
pub(super) fn has_swap() -> bool {
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the kernel writes a `sysinfo`.
    let result = unsafe { libc::sysinfo(info.as_mut_ptr()) };
    // SAFETY: zeroed, and every value of its fields is valid.
    result != 0 || unsafe { info.assume_init() }.totalswap != 0
}

/// Makes a connected pair of sockets that preserve message boundaries.
pub(super) fn socket_pair() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    const KIND: c_int = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors.
    check("socketpair", unsafe { libc::socketpair(libc::AF_UNIX, KIND, 0, ends.as_mut_ptr()) })?;
    // SAFETY: the kernel has just created them for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Ends a connection for everyone who holds an end of it.
pub(super) fn shut_down(socket: &OwnedFd) {
    // SAFETY: numbers only. It fails only if the connection is gone.
    let _ = unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) };
}

/// Returns true if there is something to read, or the end of the stream, within this time.
pub(super) fn is_readable(fd: BorrowedFd<'_>, within: Duration) -> Result<bool, SandboxError> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = c_int::try_from(within.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the kernel reads and writes one `pollfd`.
    match check("poll", unsafe { libc::poll(&raw mut poll, 1, milliseconds) }) {
        Ok(count) => Ok(count > 0),
        Err(SandboxError::Os { errno: libc::EINTR, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Maximum number of file descriptors in a message.
const MOST_FILES: usize = 4;

/// Buffer for a control message with file descriptors, aligned as `cmsghdr` requires.
type ControlBuffer = [u64; 8];

/// Makes a message header with one part, and a control buffer for this many descriptors.
fn header(part: &mut libc::iovec, control: &mut ControlBuffer, files: usize) -> libc::msghdr {
    // SAFETY: computes a length.
    let space = unsafe { libc::CMSG_SPACE((files * size_of::<RawFd>()) as c_uint) } as usize;
    assert!(space <= size_of::<ControlBuffer>(), "{files} descriptors fit");
    // SAFETY: every value of its fields is valid, zeros among them.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    if files > 0 {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = space;
    }
    header
}

/// Sends a message with up to four file descriptors, without waiting.
pub(super) fn send(socket: &OwnedFd, message: &[u8], files: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
    assert!(files.len() <= MOST_FILES, "at most {MOST_FILES}");
    let mut part = libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    let mut control: ControlBuffer = Default::default();
    let header = header(&mut part, &mut control, files.len());
    if !files.is_empty() {
        // SAFETY: the header's control buffer has room for one control message with this many descriptors, whose data
        // may be unaligned.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of_val(files) as c_uint) as usize;
            for (index, file) in files.iter().enumerate() {
                libc::CMSG_DATA(first).cast::<RawFd>().add(index).write_unaligned(file.as_raw_fd());
            }
        }
    }
    // SAFETY: the kernel reads header, message and control.
    let result =
        unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
    check("sendmsg", result).map(|_| ())
}

/// Receives a message without waiting, with at most one file descriptor. The length is zero at the end of the stream.
pub(super) fn receive(socket: &OwnedFd, to: &mut [u8]) -> Result<(usize, Option<OwnedFd>), SandboxError> {
    let mut part = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let mut control: ControlBuffer = Default::default();
    let mut header = header(&mut part, &mut control, 1);
    // SAFETY: computes a length. Without padding there is room for one descriptor only, so the kernel installs no more.
    let exact = unsafe { libc::CMSG_LEN(size_of::<RawFd>() as c_uint) } as usize;
    header.msg_controllen = exact;
    // SAFETY: the kernel writes into message and control, up to their lengths.
    let result =
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) };
    let length = check("recvmsg", result)?;
    // SAFETY: the kernel has written header and control.
    let file = unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        let has_file = !first.is_null()
            && ((*first).cmsg_level, (*first).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
            && (*first).cmsg_len == exact;
        has_file.then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(first).cast::<RawFd>().read_unaligned()))
    };
    Ok((length as usize, file))
}

/// Sends a signal to the process behind a pidfd; signal zero only checks whether that is permitted.
pub(super) fn send_signal(process: &OwnedFd, signal: c_int) -> Result<(), SandboxError> {
    const NO_INFO: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: numbers only.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, NO_INFO, 0) };
    check("pidfd_send_signal", result).map(|_| ())
}

/// Blocks while the word has this value, for at most this long. The word is shared between processes.
pub(super) fn futex_wait(word: &AtomicU32, value: u32, at_most: Duration) -> Result<(), SandboxError> {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(at_most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: at_most.subsec_nanos().into(),
    };
    // SAFETY: the kernel reads the word and the time.
    let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, &raw const time) };
    match check("futex", result) {
        Err(SandboxError::Os { errno: libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT, .. }) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Wakes one process that blocks on the word.
pub(super) fn futex_wake(word: &AtomicU32) {
    // SAFETY: the kernel only uses the address. It fails for invalid addresses only.
    let _ = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

/// Returns the number of processors that this thread may use.
pub(super) fn processors() -> u32 {
    // Larger than `cpu_set_t`, which the kernel refuses on machines with more than 1024 processors.
    let mut mask = [0u64; 128];
    // SAFETY: the kernel writes at most the length of the mask.
    match unsafe { libc::sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr().cast()) } {
        0 => mask.iter().map(|word| word.count_ones()).sum(),
        _ => 1,
    }
}
