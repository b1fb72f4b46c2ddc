//! Host's side of the zygote: starts it, requests workers, ends it. Used by `pool`.
//!
//! Every wait for an answer is bounded. When the value is dropped, the process and all its workers end and are reaped.

use super::error::fix;
use super::{Layer, Missing, Sandbox, SandboxError, sys};
use pvm_zygote::protocol::{self, Message, Step};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Maximum time for an answer of the launcher or the zygote.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running zygote.
#[derive(Debug)]
pub(crate) struct Zygote {
    /// Locked for each request, so that answers match requests.
    socket: Mutex<OwnedFd>,
    /// The process to reap; `None` if this process's parent reaps it, see [`Zygote::prepare_fork`].
    launcher: Option<Child>,
    missing: Vec<Missing>,
    layers: Vec<Layer>,
    /// Generation of the process that may use it.
    generation: u32,
}

/// A connection to a zygote, for a forked child.
#[derive(Debug)]
pub(super) struct ForkedZygote {
    socket: OwnedFd,
    missing: Vec<Missing>,
    layers: Vec<Layer>,
}

impl ForkedZygote {
    /// Converts it into the zygote of this process.
    pub fn into_zygote(self) -> Zygote {
        let ForkedZygote { socket, missing, layers } = self;
        Zygote { socket: Mutex::new(socket), launcher: None, missing, layers, generation: generation() }
    }
}

impl Zygote {
    /// Starts a zygote with this protection, in a cgroup if one is given.
    pub fn start(sandbox: Sandbox, is_strict: bool, cgroup: Option<&Path>) -> Result<Zygote, SandboxError> {
        let mode = match sandbox {
            Sandbox::Required => protocol::MODE_REQUIRED,
            Sandbox::BestEffort => protocol::MODE_BEST_EFFORT,
            Sandbox::OffForTests => protocol::MODE_OFF,
        };
        let strict = if is_strict { protocol::MODE_STRICT } else { 0 };
        Zygote::start_in_mode(mode | strict, cgroup)
    }

    /// Starts a zygote in a mode of the protocol.
    fn start_in_mode(mode: u32, cgroup: Option<&Path>) -> Result<Zygote, SandboxError> {
        let (ours, theirs) = sys::socket_pair()?;
        let program = program()?;
        let mut launcher = launch(&program, theirs)?;
        let begun = enter(cgroup, launcher.id())
            .and_then(|()| sys::send(&ours, &mode.to_ne_bytes(), &[]))
            .and_then(|()| until_ready(&ours, launcher.id()));
        match begun {
            Ok((missing, layers)) => {
                warn(mode, &missing);
                let (socket, launcher) = (Mutex::new(ours), Some(launcher));
                Ok(Zygote { socket, launcher, missing, layers, generation: generation() })
            }
            Err(error) => {
                end(&mut launcher);
                Err(error)
            }
        }
    }

    /// Missing protections.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Optional kernel protections: present or missing.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Forks a worker with this memory and a limit of CPU time in seconds (zero: unlimited). Returns its pidfd and
    /// thread id.
    pub fn spawn(&self, files: [BorrowedFd<'_>; 3], cpu: u32) -> Result<(OwnedFd, u32), SandboxError> {
        let is_right =
            |kind, number| kind == protocol::MESSAGE_WORKER && (1..protocol::STATE_COMMAND).contains(&number);
        self.request(Message { kind: protocol::MESSAGE_SPAWN, number: cpu, errno: 0 }, &files, is_right)
    }

    /// Requests a connection for a process that this one is about to fork. The zygote that serves it ends, with its
    /// workers, once all copies of the connection are closed, or this zygote ends.
    pub fn prepare_fork(&self) -> Result<ForkedZygote, SandboxError> {
        let request = Message { kind: protocol::MESSAGE_CONNECT, ..Message::default() };
        let (socket, _) = self.request(request, &[], |kind, _| kind == protocol::MESSAGE_CONNECTION)?;
        Ok(ForkedZygote { socket, missing: self.missing.clone(), layers: self.layers.clone() })
    }

    /// Sends a request; returns file and number of the answer, if `is_right` accepts its kind and number.
    fn request(
        &self,
        request: Message,
        files: &[BorrowedFd<'_>],
        is_right: impl Fn(u32, u32) -> bool,
    ) -> Result<(OwnedFd, u32), SandboxError> {
        if self.is_forked() {
            return Err(SandboxError::Forked);
        }
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        sys::send(&socket, &bytes(request), files).map_err(|_| SandboxError::Died)?;
        match answer(&socket, Instant::now() + PATIENCE) {
            Ok((Message { kind, number, .. }, Some(file))) if is_right(kind, number) => Ok((file, number)),
            Ok((Message { kind: protocol::MESSAGE_FAILED, number, errno }, None)) => Err(failed_setup(number, errno)),
            other => {
                // A late answer would be taken for that of another request.
                sys::shut_down(&socket);
                Err(other.err().unwrap_or(SandboxError::Died))
            }
        }
    }

    /// Returns true if this process was forked from the one that may use it.
    pub fn is_forked(&self) -> bool {
        self.generation != generation()
    }

    /// Returns true if a new zygote may be started when this one is lost. False in a forked child, whose parent may
    /// have forbidden it the necessary system calls.
    pub fn is_replaceable(&self) -> bool {
        self.launcher.is_some()
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        if self.is_forked() {
            return;
        }
        sys::shut_down(self.socket.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(launcher) = &mut self.launcher {
            end(launcher);
        }
    }
}

/// Reaps the launcher, which ends when the zygote does. After a second it is killed, and the zygote with it.
fn end(launcher: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(1);
    let mut pause = Duration::from_micros(100);
    while matches!(launcher.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = launcher.kill();
            let _ = launcher.wait();
            return;
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

/// The fix if executable memory files are not permitted.
const MEMFD_FIX: &str =
    "set the sysctl vm.memfd_noexec to 0 or 1, and let a container's seccomp profile allow memfd_create";

/// Returns the zygote program in a sealed file that can be executed and no longer be written.
fn program() -> Result<File, SandboxError> {
    if pvm_zygote::ELF.is_empty() {
        return Err(SandboxError::Unsupported {
            missing: "a sandboxed process for this platform",
            errno: 0,
            fix: "use Linux on AMD64, or the interpreter",
        });
    }
    sys::check_file_size(pvm_zygote::ELF.len() as u64)?;
    let file = sys::memfd(c"pvm-zygote", libc::MFD_EXEC).map_err(|error| match error {
        SandboxError::Os { errno, .. } => SandboxError::Unsupported {
            missing: "an executable file in memory (memfd_create)",
            errno,
            fix: fix(errno, Some(MEMFD_FIX)).unwrap_or(MEMFD_FIX),
        },
        other => other,
    })?;
    let mut file = File::from(file);
    let io = |call| move |error: std::io::Error| SandboxError::Os { call, errno: error.raw_os_error().unwrap_or(0) };
    file.write_all(pvm_zygote::ELF).map_err(io("write"))?;
    let file = OwnedFd::from(file);
    sys::seal(&file, sys::SEAL_LENGTH | libc::F_SEAL_WRITE)?;
    // A file that is open for writing cannot be executed, even if it is sealed.
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(io("open /proc/self/fd"))
}

fn launch(program: &File, socket: OwnedFd) -> Result<Child, SandboxError> {
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    command.arg0("pvm-zygote").env_clear().stdin(socket).stdout(Stdio::null()).stderr(Stdio::null());
    // A thread that forks at the same time keeps the writable descriptor open in the child until that executes
    // something.
    for _ in 0..50 {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                let usual = "mount /proc, set the sysctl vm.memfd_noexec to 0 or 1, and let a container's seccomp profile \
                             and security modules allow clone3 and execve of it";
                let fix = fix(errno, Some(usual)).unwrap_or(usual);
                return Err(SandboxError::Unsupported { missing: "executing a file in memory", errno, fix });
            }
            Ok(child) => return Ok(child),
        }
    }
    Err(SandboxError::Os { call: "execve", errno: libc::ETXTBSY })
}

/// Receives messages until the zygote is ready. Returns missing protections, and the state of optional layers.
fn until_ready(socket: &OwnedFd, launcher: u32) -> Result<(Vec<Missing>, Vec<Layer>), SandboxError> {
    let deadline = Instant::now() + PATIENCE;
    let (mut missing, mut layers) = (Vec::new(), Vec::new());
    loop {
        let (message, _) = answer(socket, deadline)?;
        let (what, errno) = (step_name(message.number), message.errno as i32);
        match message.kind {
            protocol::MESSAGE_READY => return Ok((missing, layers)),
            protocol::MESSAGE_LAYER if layers.len() < protocol::Layer::ALL.len() => {
                let kind = protocol::Layer::from_number(message.number);
                layers.push(Layer { what: kind.map_or("an unknown protection", protocol::Layer::name), errno });
            }
            protocol::MESSAGE_MAP => sys::send(socket, &map_nobody(launcher).to_ne_bytes(), &[])?,
            protocol::MESSAGE_MISSING if missing.len() < Step::ALL.len() => {
                missing.push(Missing { what, errno, fix: step_fix(message.number, errno) });
            }
            protocol::MESSAGE_FAILED => {
                return Err(SandboxError::Unsupported { missing: what, errno, fix: step_fix(message.number, errno) });
            }
            other => {
                return Err(SandboxError::ProtocolViolation { what: "a message of the launcher", value: other.into() });
            }
        }
    }
}

/// Moves the launcher into a cgroup, while it waits for its first message and has no children.
fn enter(cgroup: Option<&Path>, launcher: u32) -> Result<(), SandboxError> {
    let Some(path) = cgroup else { return Ok(()) };
    std::fs::OpenOptions::new()
        .write(true)
        .open(path.join("cgroup.procs"))
        .and_then(|mut file| file.write_all(launcher.to_string().as_bytes()))
        .map_err(|error| SandboxError::Cgroup { path: path.into(), errno: error.raw_os_error().unwrap_or(0) })
}

/// Maps the unprivileged user and group, and nobody else, into the launcher's user namespace. Returns an error number,
/// or zero.
fn map_nobody(launcher: u32) -> u32 {
    let map = format!("{0} {0} 1", protocol::NOBODY);
    let write = |file: &str| std::fs::write(format!("/proc/{launcher}/{file}"), &map);
    let written = write("gid_map").and_then(|()| write("uid_map"));
    written.err().map_or(0, |error| error.raw_os_error().and_then(|errno| u32::try_from(errno).ok()).unwrap_or(5))
}

fn warn(mode: u32, missing: &[Missing]) {
    if mode & !protocol::MODE_STRICT == protocol::MODE_OFF {
        log::warn!("the sandbox is OFF: guest code runs in a process without namespaces, limits and filters");
    }
    for Missing { what, errno, fix } in missing {
        log::warn!("the sandbox is weaker than it should be: {what} failed (error number {errno}); {fix}");
    }
}

/// Receives the next message with its file descriptor.
fn answer(socket: &OwnedFd, deadline: Instant) -> Result<(Message, Option<OwnedFd>), SandboxError> {
    loop {
        let mut buffer = [0; size_of::<Message>()];
        match sys::receive(socket, &mut buffer) {
            Ok((12, file)) => return Ok((message(buffer), file)),
            Ok((0, _)) => return Err(SandboxError::Died),
            Ok((length, _)) => {
                return Err(SandboxError::ProtocolViolation { what: "a message's length", value: length as u64 });
            }
            Err(SandboxError::Os { errno: libc::EAGAIN | libc::EINTR, .. }) => {}
            // The other end was closed with messages of ours unread.
            Err(_) => return Err(SandboxError::Died),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SandboxError::Stalled { limit: PATIENCE });
        }
        sys::is_readable(socket.as_fd(), left)?;
    }
}

fn bytes(message: Message) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (to, from) in bytes.chunks_exact_mut(4).zip([message.kind, message.number, message.errno]) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    bytes
}

fn message(bytes: [u8; 12]) -> Message {
    let word = |index: usize| {
        let word = bytes.get(4 * index..).and_then(|rest| rest.first_chunk());
        word.map_or(0, |word| u32::from_ne_bytes(*word))
    };
    Message { kind: word(0), number: word(1), errno: word(2) }
}

/// The name of a step by its number.
fn step_name(step: u32) -> &'static str {
    Step::from_number(step).map_or("an unknown step", Step::name)
}

/// The fix for a step of launcher, zygote or worker that failed with this error number.
pub(super) fn step_fix(step: u32, errno: i32) -> &'static str {
    let usual = Step::from_number(step).map_or("use Linux 5.9 or newer", Step::fix);
    fix(errno, Some(usual)).unwrap_or(usual)
}

/// Makes the error of a worker that failed to initialize.
pub(super) fn failed_setup(step: u32, errno: u32) -> SandboxError {
    let errno = errno as i32;
    SandboxError::Setup { step: step_name(step), errno, fix: step_fix(step, errno) }
}

/// Generation number of this process, which differs from that of every process that it was forked from. Zygotes and
/// workers belong to the process that made them.
pub(super) fn generation() -> u32 {
    static MARK: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();
    static LAST: AtomicU32 = AtomicU32::new(1);
    let Some(mark) = MARK.get_or_init(sys::fork_mark) else { return 0 };
    match mark.load(Ordering::Relaxed) {
        // The kernel has cleared it: this is a forked child that has no number yet.
        0 => {
            let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            match mark.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => next,
                Err(other) => other,
            }
        }
        number => number,
    }
}

#[cfg(test)]
impl Zygote {
    /// For tests: starts a zygote whose workers have all protection but their system call filters.
    pub fn start_unfiltered() -> Result<Zygote, SandboxError> {
        Zygote::start_in_mode(protocol::MODE_UNFILTERED, None)
    }

    /// For tests: as [`Self::start_unfiltered`], on machines where namespaces may be missing.
    pub fn start_unfiltered_best_effort() -> Result<Zygote, SandboxError> {
        Zygote::start_in_mode(protocol::MODE_UNFILTERED_BEST_EFFORT, None)
    }

    /// For tests: kills the launcher, and with it the zygote.
    pub fn kill_behind_its_back(&self) {
        let launcher = self.launcher().to_string();
        assert!(Command::new("kill").args(["-9", &launcher]).status().unwrap().success());
        let socket = self.socket.lock().unwrap();
        assert!(sys::is_readable(socket.as_fd(), PATIENCE).unwrap(), "the zygote ends");
    }

    /// For tests: process id of the launcher.
    pub fn launcher(&self) -> u32 {
        self.launcher.as_ref().unwrap().id()
    }
}
