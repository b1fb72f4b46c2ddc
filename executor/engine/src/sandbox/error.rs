//! Errors of the sandbox, returned by all functions of this folder.

use std::fmt;
use std::time::Duration;

/// A protection that could not be set up, in best-effort mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Missing {
    /// The missing protection.
    pub what: &'static str,
    /// Error number.
    pub errno: i32,
    /// Instruction to the user that fixes it.
    pub fix: &'static str,
}

/// An optional protection, which not every kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Layer {
    /// Name of the protection.
    pub what: &'static str,
    /// Zero if it is present, else the error number with which the kernel refused it.
    pub errno: i32,
}

impl Layer {
    /// Returns true if it is present.
    pub fn is_there(&self) -> bool {
        self.errno == 0
    }
}

/// Error of the sandbox: a worker could not be made, or was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SandboxError {
    /// The sandbox cannot be set up on this machine as it is configured.
    Unsupported {
        /// The missing requirement.
        missing: &'static str,
        /// Error number of the step that failed; zero if no step was tried.
        errno: i32,
        /// Instruction to the user that fixes it.
        fix: &'static str,
    },
    /// A system call of the host failed.
    Os {
        /// Its name.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
    /// A new worker could not be initialized.
    Setup {
        /// The step that failed.
        step: &'static str,
        /// Error number.
        errno: i32,
        /// Instruction to the user that fixes it.
        fix: &'static str,
    },
    /// A resource limit of this process is too low.
    ResourceLimit {
        /// Name of the limit.
        name: &'static str,
        /// The value required.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The worker or the zygote has ended: killed by its system call filter or from outside.
    Died,
    /// A run exceeded its limit of CPU time, and its worker was killed.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// A run exceeded its limit of real time, though not of CPU time, and its worker was killed.
    Stalled {
        /// The limit.
        limit: Duration,
    },
    /// Protocol violation: the worker sent something that no correct worker can send, and was killed.
    ProtocolViolation {
        /// The part of the protocol.
        what: &'static str,
        /// The value that was sent.
        value: u64,
    },
    /// Unexpected signal: the worker raised a signal that no guest can cause, which is a bug of the compiler or the
    /// sandbox. It was killed.
    UnexpectedSignal {
        /// Address of the instruction.
        native_pc: u64,
        /// Address that it accessed; all ones if it accessed none.
        address: u64,
        /// Number of the signal.
        signal: u32,
    },
    /// The limit of workers is reached.
    TooManyWorkers {
        /// The limit.
        limit: usize,
    },
    /// Compiled code does not fit.
    CodeTooLarge {
        /// Its length in bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The workers could not be moved into the configured cgroup.
    Cgroup {
        /// Its folder.
        path: std::path::PathBuf,
        /// Error number.
        errno: i32,
    },
    /// This process is a forked child; the worker belongs to its parent.
    Forked,
    /// The worker has no program.
    NotLoaded,
    /// The worker already has a program. It runs only one in its life.
    AlreadyLoaded,
}

/// Returns the fix for a system call that failed with this error number. Error numbers with a single cause come first,
/// then causes known for the step.
pub(super) fn fix(errno: i32, step: Option<&'static str>) -> Option<&'static str> {
    // Linux error numbers, as errors can be printed on any platform.
    const EPERM: i32 = 1;
    const EAGAIN: i32 = 11;
    const ENOMEM: i32 = 12;
    const EACCES: i32 = 13;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOSYS: i32 = 38;
    match (errno, step) {
        (EAGAIN, _) => Some("raise the limit on processes (ulimit -u, or the cgroup's pids.max)"),
        (ENOMEM, _) => Some(
            "raise the limit on address space (ulimit -v), of which every worker needs 5 GiB and the host 5 GiB for each \
             worker, or have more memory free",
        ),
        (ENFILE, _) => Some("raise the sysctl fs.file-max"),
        (EMFILE, _) => Some("raise the limit on open files (ulimit -n)"),
        (_, Some(fix)) => Some(fix),
        (EPERM | EACCES | ENOSYS, None) => Some("let a container's seccomp profile and security modules allow it"),
        _ => None,
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SandboxError::Unsupported { missing, errno, fix } => {
                write!(f, "no sandbox for guest code here: {missing} failed (error number {errno}); {fix}")
            }
            SandboxError::Os { call, errno } => match fix(*errno, None) {
                Some(fix) => write!(f, "{call} failed (error number {errno}); {fix}"),
                None => write!(f, "{call} failed with error number {errno}"),
            },
            SandboxError::Setup { step, errno, fix } => {
                write!(f, "a new worker could not make itself ready: {step} failed (error number {errno}); {fix}")
            }
            SandboxError::ResourceLimit { name, needed, limit } => {
                write!(f, "{name} is {limit}, and {needed} are needed; raise it")
            }
            SandboxError::Died => write!(f, "the worker died: killed by its system call filter, or from outside"),
            SandboxError::TimedOut { limit } => {
                write!(f, "the run took more than {limit:?} of CPU time, the limit, and its worker was killed")
            }
            SandboxError::Stalled { limit } => write!(
                f,
                "the worker did not come back within {limit:?}, though it got less CPU time than it may use, and was \
                 killed: somebody stopped it, or it gets no processor"
            ),
            SandboxError::ProtocolViolation { what, value } => {
                write!(f, "protocol violation by the worker: {what}, {value:#x}; the worker was killed")
            }
            SandboxError::UnexpectedSignal { native_pc, address, signal } => write!(
                f,
                "a bug of the host, not of the guest: signal {signal} at native address {native_pc:#x}, \
                 accessing {address:#x}; the worker was killed"
            ),
            SandboxError::TooManyWorkers { limit } => {
                write!(f, "there are {limit} workers already, the limit is {limit}")
            }
            SandboxError::CodeTooLarge { length, limit } => {
                write!(f, "compiled code has {length} bytes, the limit is {limit}")
            }
            SandboxError::Cgroup { path, errno } => write!(
                f,
                "workers cannot be moved into the cgroup {} (error number {errno}); create it, and let this process write \
                 its cgroup.procs and that of the cgroup above",
                path.display()
            ),
            SandboxError::Forked => write!(f, "the worker belongs to the process that this one was forked from"),
            SandboxError::NotLoaded => write!(f, "the worker has no program"),
            SandboxError::AlreadyLoaded => write!(f, "the worker has a program, and never gets another one"),
        }
    }
}

impl std::error::Error for SandboxError {}
