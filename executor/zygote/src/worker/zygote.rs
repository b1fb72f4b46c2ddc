//! The zygote: waits for requests, and forks a worker for each. It is the first process of its pid namespace, so the
//! kernel kills all workers when it ends; it ends when the host closes the socket.

use crate::filter;
use crate::kernel::*;
use crate::launcher::{SOCKET, is_filtered, layer, must};
use crate::protocol::*;
use crate::syscall::*;
use crate::worker;

/// Makes this process end with its parent.
pub fn die_with_parent() -> Result {
    prctl(PR_SET_PDEATHSIG, SIGKILL)
}

/// Limits of the zygote and all workers: number of the resource, value.
const LIMITS: [(usize, u64); 12] = [
    (RLIMIT_FSIZE, 0),
    (RLIMIT_CORE, 0),
    (RLIMIT_MEMLOCK, 0),
    (RLIMIT_LOCKS, 0),
    (RLIMIT_MSGQUEUE, 0),
    (RLIMIT_NICE, 0),
    (RLIMIT_RTPRIO, 0),
    (RLIMIT_RTTIME, 0),
    // Private writable memory: stacks and data of this program.
    (RLIMIT_DATA, 1 << 20),
    // The stack made by the kernel, which is unmapped.
    (RLIMIT_STACK, 0),
    // The guest's window, compiled code, and little else.
    (RLIMIT_AS, GUEST_END + CODE_SIZE + (4 << 20)),
    // The socket, three files of a request, a pidfd, and one to spare.
    (RLIMIT_NOFILE, 6),
];

/// Main function of the zygote.
pub fn main(mode: u32, is_strict: bool) -> ! {
    must(Step::Fork, die_with_parent());
    let me = must(Step::Fork, getpid());
    // Everything above compiled code: the stack made by the kernel, vdso and vvar. And everything below this program.
    must(Step::Memory, unmap(CODE_BASE + CODE_SIZE, 0x7fff_ffff_f000));
    must(Step::Memory, unmap(0x1_0000, ZYGOTE_BASE));
    must(Step::Signals, reap_children());
    if mode != MODE_OFF {
        for (resource, value) in LIMITS {
            must(Step::Limits, limit(resource, value));
        }
    }
    let mut layers = WorkerLayers::default();
    if mode != MODE_OFF {
        let sealed = seal_image();
        layers.is_sealed = sealed.is_ok();
        layer(Layer::Seal, sealed);
    }
    if is_strict {
        let cookie = core_cookie();
        layers.has_core_cookie = cookie.is_ok();
        layer(Layer::CoreScheduling, cookie);
    }
    if is_filtered(mode) {
        must(Step::Filter, filter::install(&filter::ZYGOTE));
    }
    say(SOCKET, MESSAGE_READY, 0, 0, None);
    serve(SOCKET, mode, me, layers)
}

/// Serves the requests of a connection until its other end is closed.
fn serve(socket: usize, mode: u32, me: usize, layers: WorkerLayers) -> ! {
    loop {
        match receive(socket) {
            Ok(Some(Request::Spawn { files, cpu })) => spawn(socket, mode, me, files, cpu, layers),
            Ok(Some(Request::Connect)) => connect(socket, mode, layers),
            Ok(None) => exit(0),
            Err(EINTR) => {}
            Err(errno) => {
                say(socket, MESSAGE_FAILED, Step::Message as u32, errno, None);
                exit(1)
            }
        }
    }
}

/// Forks a zygote that serves a new connection, and sends the other end to the host. The new zygote ends with this one.
fn connect(socket: usize, mode: u32, layers: WorkerLayers) {
    let mut ends = [0u32; 2];
    // SAFETY: the kernel writes two descriptors.
    let pair = unsafe { syscall(number::SOCKETPAIR, [AF_UNIX, SOCK_SEQPACKET, 0, &raw mut ends as usize, 0, 0]) };
    if let Err(errno) = pair {
        return say(socket, MESSAGE_FAILED, Step::Fork as u32, errno, None);
    }
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    let [ours, theirs] = unsafe { (&raw const ends).read_volatile() };
    // SAFETY: a fork; both processes continue with their own copies of everything.
    let made = unsafe { syscall(number::CLONE, [SIGCHLD, 0, 0, 0, 0, 0]) };
    if made == Ok(0) {
        let (Ok(_), Ok(me)) = (die_with_parent(), getpid()) else { exit(1) };
        let _ = close(socket);
        let _ = close(theirs as usize);
        serve(ours as usize, mode, me, layers);
    }
    match made {
        Ok(_) => say(socket, MESSAGE_CONNECTION, 0, 0, Some(theirs)),
        Err(errno) => say(socket, MESSAGE_FAILED, Step::Fork as u32, errno, None),
    }
    let _ = close(ours as usize);
    let _ = close(theirs as usize);
}

/// Optional protections that the kernel has and that each worker has to set up for itself.
#[derive(Clone, Copy, Default)]
pub struct WorkerLayers {
    pub is_sealed: bool,
    pub has_core_cookie: bool,
}

/// Seals this program's own code and data, for workers too.
fn seal_image() -> Result {
    unsafe extern "C" {
        /// End of the program; defined by the linker script.
        static image_end: u8;
    }
    let end = &raw const image_end as usize;
    mseal(ZYGOTE_BASE as usize, end - ZYGOTE_BASE as usize, 0)
}

/// Reserves the core: only processes with the same new cookie run on its other hardware thread. Children inherit the
/// cookie until they have their own.
pub fn core_cookie() -> Result {
    const THIS_PROCESS: usize = 0;
    prctl2(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, THIS_PROCESS)
}

fn unmap(start: u64, end: u64) -> Result {
    // SAFETY: nothing that this program uses lies in those ranges: its stack is in its own data.
    unsafe { syscall(number::MUNMAP, [start as usize, (end - start) as usize, 0, 0, 0, 0]) }
}

/// Has the kernel reap children that end (SA_NOCLDWAIT).
fn reap_children() -> Result {
    // Handler SIG_IGN, flags, restorer, mask.
    let action = [SIG_IGN, SA_NOCLDWAIT, 0, 0];
    // SAFETY: the kernel reads the action.
    unsafe { syscall(number::RT_SIGACTION, [SIGCHLD, action.as_ptr() as usize, 0, SIGSET_SIZE, 0, 0]) }
}

/// Forks a worker from control page, guest memory and code, with a limit of CPU time in seconds.
fn spawn(socket: usize, mode: u32, me: usize, files: [usize; 3], cpu: u32, layers: WorkerLayers) {
    // The kernel stores an `int`.
    let mut pidfd = 0u32;
    // SAFETY: a fork; both processes continue with their own copies of everything. The kernel stores the pidfd.
    let made = unsafe { syscall(number::CLONE, [CLONE_PIDFD | SIGCHLD, 0, &raw mut pidfd as usize, 0, 0, 0]) };
    if made == Ok(0) {
        worker::main(mode, me, files, cpu, layers);
    }
    if let Ok(tid) = made {
        // The host reads the owner as numbered in its own pid namespace, for the worker's CPU clock.
        let _ = fcntl(files[0], F_SETOWN, tid);
    }
    for fd in files {
        let _ = close(fd);
    }
    match made {
        Ok(tid) => {
            say(socket, MESSAGE_WORKER, tid as u32, 0, Some(pidfd));
            let _ = close(pidfd as usize);
        }
        Err(errno) => say(socket, MESSAGE_FAILED, Step::Fork as u32, errno, None),
    }
}

/// `struct iovec`.
#[repr(C)]
struct Iovec {
    base: usize,
    length: usize,
}

/// `struct msghdr`.
#[repr(C)]
struct Msghdr {
    name: usize,
    name_length: usize,
    parts: *mut Iovec,
    part_count: usize,
    control: *mut FilesMessage,
    control_length: usize,
    flags: usize,
}

/// `struct cmsghdr` with file descriptors.
#[repr(C)]
struct FilesMessage {
    length: usize,
    level: u32,
    kind: u32,
    fds: [u32; 4],
}

/// Level and type of a control message with file descriptors.
const RIGHTS: (u32, u32) = (SOL_SOCKET, SCM_RIGHTS);

/// Length of a control message with this many file descriptors (`CMSG_LEN`): their `cmsghdr` has 16 bytes.
const fn rights_length(files: usize) -> usize {
    16 + 4 * files
}

/// Sends a message to the host, with or without a file descriptor. An error means that the host is gone, and is
/// ignored.
fn say(socket: usize, kind: u32, number: u32, errno: u32, fd: Option<u32>) {
    let mut message = Message { kind, number, errno };
    let mut part = Iovec { base: &raw mut message as usize, length: size_of::<Message>() };
    let length = rights_length(1);
    let mut files = FilesMessage { length, level: RIGHTS.0, kind: RIGHTS.1, fds: [fd.unwrap_or(0), 0, 0, 0] };
    let (control, control_length) =
        if fd.is_some() { (&raw mut files, length.next_multiple_of(8)) } else { (core::ptr::null_mut(), 0) };
    let header =
        Msghdr { name: 0, name_length: 0, parts: &raw mut part, part_count: 1, control, control_length, flags: 0 };
    // SAFETY: the kernel reads header, part, message and control.
    let _ = unsafe { syscall(number::SENDMSG, [socket, &raw const header as usize, MSG_NOSIGNAL, 0, 0, 0]) };
}

/// A request of the host.
enum Request {
    /// Fork a worker with control page, guest memory and code, and a limit of CPU time in seconds.
    Spawn { files: [usize; 3], cpu: u32 },
    /// Add a connection.
    Connect,
}

/// Waits for a request. `None` if the host is gone.
fn receive(socket: usize) -> Result<Option<Request>> {
    let mut message = Message::default();
    let mut part = Iovec { base: &raw mut message as usize, length: size_of::<Message>() };
    let mut files = FilesMessage { length: 0, level: 0, kind: 0, fds: [u32::MAX; 4] };
    let mut header = Msghdr {
        name: 0,
        name_length: 0,
        parts: &raw mut part,
        part_count: 1,
        control: &raw mut files,
        control_length: size_of::<FilesMessage>(),
        flags: 0,
    };
    // SAFETY: the kernel writes into message and control, up to their lengths.
    let got = unsafe { syscall(number::RECVMSG, [socket, &raw mut header as usize, MSG_CMSG_CLOEXEC, 0, 0, 0]) }?;
    if got == 0 {
        return Ok(None);
    }
    // SAFETY: our own variables, which the kernel has written without the compiler's knowledge.
    let (message, files) = unsafe { ((&raw const message).read_volatile(), (&raw const files).read_volatile()) };
    if got != size_of::<Message>() {
        return Err(EBADMSG);
    }
    let has_files = files.length == rights_length(3) && (files.level, files.kind) == RIGHTS;
    match message.kind {
        MESSAGE_SPAWN if has_files => {
            let [control, guest, code, _] = files.fds;
            let files = [control as usize, guest as usize, code as usize];
            Ok(Some(Request::Spawn { files, cpu: message.number }))
        }
        MESSAGE_CONNECT if files.length == 0 => Ok(Some(Request::Connect)),
        _ => Err(EBADMSG),
    }
}
