//! Protocol between host and worker: the worker's address space, the control page, and the states of the handoff.
//! Compiled into both sides. Specified in `docs/sandbox.md`.
//!
//! There is no code here. The host trusts nothing that it reads from the control page: it copies a field once and
//! checks the copy.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// End of the guest's address space. A worker maps guest memory at the guest's own addresses, below this.
pub const GUEST_END: u64 = 1 << 32;

/// Start of guest memory: below it nothing can be mapped.
pub const GUEST_START: u64 = 0x1_0000;
/// Length of guest memory in bytes: up to the end of a program's address space.
pub const GUEST_SIZE: u64 = 0xffff_0000 - GUEST_START;

/// Address at which the worker's own image is linked. The 4 GiB above the guest's address space are never mapped.
pub const ZYGOTE_BASE: u64 = 0x2_0000_0000;

/// The control page: shared, readable and writable on both sides.
pub const CONTROL_BASE: u64 = 0x3_0000_0000;
/// Length of the control page in bytes.
pub const CONTROL_SIZE: u64 = 0x1000;

/// The stack of guest code, used only by pushes and calls of the compiler's own. Private to the worker.
pub const STACK_BASE: u64 = 0x3_0001_0000;
/// Top of the stack, which grows down: the value of `rsp` whenever guest code runs. Compiled code addresses its jump
/// table relative to it.
pub const STACK_TOP: u64 = 0x3_0002_0000;

/// Compiled code: shared, written by the host, readable and executable in the worker. The jump table comes first.
pub const CODE_BASE: u64 = 0x3_1000_0000;
/// Maximum number of bytes of compiled code, jump table included.
pub const CODE_SIZE: u64 = 0x1000_0000;

/// Number of guest registers.
pub const REGS: usize = 13;

/// Register map: for each guest register, the number of the AMD64 register that holds it while guest code runs. In the
/// order of the guest's registers: RA, SP, T0, T1, T2, S0, S1, A0 to A5. The compiler and the fault handler follow it.
///
/// `rdx` (2) is the compiler's scratch register, as wide products take a factor there, `rsp` (4) the stack above, `r15`
/// (15) the gas.
pub const NATIVE_REGS: [u8; REGS] = [
    14, // RA: r14
    5,  // SP: rbp
    13, // T0: r13
    0,  // T1: rax
    1,  // T2: rcx
    3,  // S0: rbx
    12, // S1: r12
    7,  // A0: rdi
    6,  // A1: rsi
    8,  // A2: r8
    9,  // A3: r9
    10, // A4: r10
    11, // A5: r11
];

/// Number of the register that holds the gas.
pub const NATIVE_GAS: u8 = 15;
/// Number of the scratch register; compiled code leaves an argument of the exit in it.
pub const NATIVE_SCRATCH: u8 = 2;

/// The control page.
///
/// `state` is the only word that both sides wait on; see the constants `STATE_…`. All other words are written by the
/// side that has control.
#[repr(C)]
pub struct Control {
    /// The side that has control. A futex, shared between processes.
    pub state: AtomicU32,
    /// Iterations of the worker's spin loop before it blocks. Set by the host.
    pub spins: AtomicU32,
    /// Command of the host: one of `COMMAND_…`.
    pub command: AtomicU32,
    /// Reason of the exit: one of `EXIT_…`.
    pub exit: AtomicU32,
    /// `COMMAND_RUN`: the native address of the entry code.
    pub argument: AtomicU64,
    /// Native address at which guest code resumes (set by the host), or at which it exited (set by the worker).
    pub native_pc: AtomicU64,
    /// Value of the scratch register when guest code exited; for `EXIT_FAULT` the address of the fault.
    pub detail: AtomicU64,
    /// Gas.
    pub gas: AtomicU64,
    /// The guest's registers.
    pub regs: [AtomicU64; REGS],
    /// Used by compiled code: the worker's own stack pointer when it entered guest code.
    pub worker_stack: AtomicU64,
    /// Number of valid entries of `ranges`.
    pub changes: AtomicU32,
    /// Ranges of guest memory whose protection changes before the command is executed, in this order.
    pub ranges: [Range; RANGES],
}

/// Maximum number of ranges per command.
pub const RANGES: usize = 12;

/// Part of the guest's memory.
#[repr(C)]
pub struct Range {
    /// First address, a multiple of 4 KiB.
    pub start: AtomicU32,
    /// Length in bytes, a multiple of 4 KiB. Zero: no change.
    pub length: AtomicU32,
    /// `PROTECT_…`.
    pub protection: AtomicU32,
}

/// No access.
pub const PROTECT_NONE: u32 = 0;
/// Readable.
pub const PROTECT_READ: u32 = 1;
/// Readable and writable.
pub const PROTECT_WRITE: u32 = 3;

/// The worker is idle, and the control page holds its results. Also the first state that the host sees of a worker that
/// is ready.
pub const STATE_IDLE: u32 = 0;
/// As `STATE_IDLE`, and the worker is blocked: the host has to wake it.
pub const STATE_ASLEEP: u32 = 1 << 29 | 1;
/// The worker has not started yet.
pub const STATE_NEW: u32 = 1 << 29;
/// Mask of the worker's thread id. The word holds the id while the worker executes a command, so that the kernel marks
/// it with `STATE_DEAD` and wakes the host if the worker dies (a robust futex). Thread ids are below 2^22.
pub const STATE_COMMAND: u32 = STATE_NEW - 1;
/// FUTEX_WAITERS: beside the thread id; the host is blocked and has to be woken.
pub const STATE_WAITERS: u32 = 1 << 31;
/// FUTEX_OWNER_DIED: the worker died while it had control.
pub const STATE_DEAD: u32 = 1 << 30;

/// Command: run guest code.
pub const COMMAND_RUN: u32 = 1;
/// Command: only apply the protection changes of `ranges`.
pub const COMMAND_PROTECT: u32 = 2;

/// The command is done, and no guest code ran. The result of `COMMAND_PROTECT`, and of any command whose protection
/// changes the kernel refuses. `detail` is the error number, or zero.
pub const EXIT_DONE: u32 = 0;
/// Trap or invalid instruction. `native_pc` is after the call of the exit routine.
pub const EXIT_TRAP: u32 = 1;
/// Host call; `detail` is its number, `native_pc` the address to resume at.
pub const EXIT_HOST_CALL: u32 = 2;
/// The gas went below zero; `native_pc` identifies the block by its stub.
pub const EXIT_OUT_OF_GAS: u32 = 3;
/// A dynamic jump to an invalid target; `detail` is the value of the scratch register.
pub const EXIT_JUMP: u32 = 4;
/// Single-step mode: before an instruction; `native_pc` is the address to resume at.
pub const EXIT_STEP: u32 = 5;
/// `sbrk`: the host grows the heap and resumes at `native_pc`.
pub const EXIT_SBRK: u32 = 6;
/// `memset`: the host executes it and resumes at `native_pc`.
pub const EXIT_MEMSET: u32 = 7;
/// A forbidden memory access by guest code in the guest's window; `native_pc` is the instruction.
pub const EXIT_FAULT: u32 = 8;
/// A signal that guest code cannot cause: `native_pc` and `detail` as for a fault, `argument` the signal's number. The
/// host reports a bug of its own and kills the worker.
pub const EXIT_UNEXPECTED_SIGNAL: u32 = 9;
/// The worker failed to initialize and has ended: `argument` is the [`Step`], `detail` the error number.
pub const EXIT_SETUP: u32 = 10;

/// Modes, the first message to the launcher, one word. Required: full protection.
pub const MODE_REQUIRED: u32 = 1;
/// Best effort: steps that make namespaces may fail; each failure is reported, and the launcher continues.
pub const MODE_BEST_EFFORT: u32 = 2;
/// No namespaces, limits or filters.
pub const MODE_OFF: u32 = 3;
/// Everything except system call filters: for tests of the other protections.
pub const MODE_UNFILTERED: u32 = 4;
/// As `MODE_UNFILTERED`, but namespaces may be missing.
pub const MODE_UNFILTERED_BEST_EFFORT: u32 = 5;
/// Flag beside the mode: strict, see [`Layer::StoreBypass`] and the layers after it.
pub const MODE_STRICT: u32 = 0x100;

/// A message on the socket between host, launcher and zygote.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Message {
    /// Kind: one of `MESSAGE_…`.
    pub kind: u32,
    /// `MESSAGE_MISSING`, `MESSAGE_FAILED`: a [`Step`]. `MESSAGE_WORKER`: the worker's thread id in its namespace.
    /// `MESSAGE_SPAWN`: the limit of CPU time in seconds, which the host can raise; zero is no limit.
    pub number: u32,
    /// Error number of the failure.
    pub errno: u32,
}

/// A step failed; the launcher continues with less protection.
pub const MESSAGE_MISSING: u32 = 1;
/// A step failed, and the process ends.
pub const MESSAGE_FAILED: u32 = 2;
/// The zygote is ready for requests.
pub const MESSAGE_READY: u32 = 3;
/// Host to zygote: fork a worker, with the three file descriptors attached: control page, guest memory, code.
pub const MESSAGE_SPAWN: u32 = 4;
/// A worker was made; its pidfd is attached.
pub const MESSAGE_WORKER: u32 = 5;

/// Launcher to host, in a new user namespace: map [`NOBODY`]. The answer is one word, an error number or zero.
pub const MESSAGE_MAP: u32 = 6;

/// Launcher and zygote to host: state of an optional protection. The number is a [`Layer`], the error number zero if it is
/// present.
pub const MESSAGE_LAYER: u32 = 7;

/// Host to zygote: add a connection, for a process that the host is about to fork.
pub const MESSAGE_CONNECT: u32 = 8;
/// The other end of that connection is attached. Another zygote serves it, and ends with its workers once all copies of
/// that end are closed.
pub const MESSAGE_CONNECTION: u32 = 9;

/// User and group of launcher, zygote and workers if the host is root.
pub const NOBODY: usize = 65534;

/// Defines an enum that is transmitted as a number, and the host's texts for each value.
macro_rules! numbered {
    (
        $(#[$doc:meta])*
        $kind:ident, $($text:ident),+;
        $($(#[$variant_doc:meta])* $variant:ident: $($value:expr),+;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum $kind {
            $($(#[$variant_doc])* $variant),*
        }

        impl $kind {
            /// All values, in the order of their numbers.
            pub const ALL: &[$kind] = &[$($kind::$variant),*];

            /// Returns the value with this number.
            pub fn from_number(number: u32) -> Option<$kind> {
                $kind::ALL.get(number as usize).copied()
            }
        }

        numbered!(@texts $kind [$($text)+] $($variant [$($value),+])*);
    };
    (@texts $kind:ident [name] $($variant:ident [$name:expr])*) => {
        impl $kind {
            /// Its name, for messages.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$variant => $name),* }
            }
        }
    };
    (@texts $kind:ident [name fix] $($variant:ident [$name:expr, $fix:expr])*) => {
        numbered!(@texts $kind [name] $($variant [$name])*);
        impl $kind {
            /// The instruction to the user that fixes its failure.
            pub const fn fix(self) -> &'static str {
                match self { $($kind::$variant => $fix),* }
            }
        }
    };
}

numbered! {
    /// An optional protection, which not every kernel has.
    Layer, name;
    /// Memory that was not executable cannot become executable.
    Mdwe: "no memory becomes executable (PR_SET_MDWE)";
    /// Neither a change of user nor a new program brings capabilities back.
    Securebits: "locked securebits";
    /// No path can be opened or changed, no address bound or connected to, no process outside signalled.
    Landlock: "Landlock";
    /// The worker's own memory and compiled code cannot be changed, moved or unmapped.
    Seal: "sealed memory (mseal)";
    /// Strict: no speculative bypass of stores.
    StoreBypass: "no speculative store bypass (PR_SET_SPECULATION_CTRL)";
    /// Strict: no indirect branch speculation trained by other processes.
    IndirectBranch: "no indirect branch speculation (PR_SET_SPECULATION_CTRL)";
    /// Strict: no other process on the other hardware thread of a core while a worker runs (core scheduling).
    CoreScheduling: "a core for itself (PR_SCHED_CORE)";
}

/// The fix for namespaces other than the user namespace.
const NAMESPACE_FIX: &str = "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, the sysctls \
    user.max_*_namespaces above 0, and let a container's seccomp profile allow unshare";

numbered! {
    /// A step of launcher, zygote or worker that can fail.
    Step, name, fix;
    /// Closing inherited file descriptors.
    Close: "closing file descriptors",
        "use Linux 5.9 or newer, and let a container's seccomp profile allow close_range";
    /// Becoming an unprivileged user, if the host is root.
    User: "becoming an ordinary user",
        "run as an ordinary user, or in a user namespace that has the user 65534 (nobody), and let a container's seccomp \
         profile allow setgroups, setresgid, setresuid and prctl";
    /// The user namespace.
    UserNamespace: "a user namespace",
        "set the sysctls kernel.unprivileged_userns_clone to 1, user.max_user_namespaces above 0 and \
         kernel.apparmor_restrict_unprivileged_userns to 0, and let a container's seccomp profile allow unshare";
    /// Writing its maps of user and group ids.
    IdMaps: "the id maps of a user namespace",
        "run as an ordinary user, or as root with the capabilities SETUID, SETGID, SETFCAP and KILL; set the sysctl \
         kernel.apparmor_restrict_unprivileged_userns to 0 (or give the program an AppArmor profile that allows \
         userns), and in a container unmask /proc";
    /// The mount namespace.
    MountNamespace: "a mount namespace", NAMESPACE_FIX;
    /// The pid namespace.
    PidNamespace: "a pid namespace", NAMESPACE_FIX;
    /// The network namespace.
    NetworkNamespace: "a network namespace", NAMESPACE_FIX;
    /// The namespace of System V IPC and message queues.
    IpcNamespace: "an ipc namespace", NAMESPACE_FIX;
    /// The namespace of host names.
    UtsNamespace: "a uts namespace", NAMESPACE_FIX;
    /// The cgroup namespace.
    CgroupNamespace: "a cgroup namespace", NAMESPACE_FIX;
    /// Replacing the file system by an empty one.
    Root: "an empty file system",
        "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0 (or give the program an AppArmor profile \
         that allows userns), and in a container unmask /proc and allow mount and pivot_root";
    /// Dropping capabilities.
    Capabilities: "dropping capabilities", "let a container's seccomp profile allow prctl and capset";
    /// No new privileges, not dumpable.
    Privileges: "giving up privileges", "let a container's seccomp profile allow prctl";
    /// Making the zygote, or a worker.
    Fork: "a new process", "let a container's seccomp profile allow clone, prctl, getpid and socketpair";
    /// Resource limits.
    Limits: "resource limits", "let a container's seccomp profile allow prlimit64";
    /// System call filters.
    Filter: "a system call filter (seccomp)",
        "use a kernel with CONFIG_SECCOMP_FILTER, and let a container's seccomp profile allow seccomp";
    /// Mapping and unmapping memory.
    Memory: "mapping memory",
        "set the sysctl vm.mmap_min_addr to 65536 or less, and let a container's seccomp profile allow mmap and munmap";
    /// Signal handlers.
    Signals: "handlers of signals", "let a container's seccomp profile allow rt_sigaction and sigaltstack";
    /// The list of robust futexes.
    RobustFutex: "a robust futex", "let a container's seccomp profile allow set_robust_list";
    /// An invalid message of the host.
    Message: "a message", "let a container's seccomp profile allow read, recvmsg and sendmsg";
    /// Disallowing further user namespaces inside.
    NestedNamespaces: "forbidding further user namespaces", "let /proc/sys/user/max_user_namespaces be written";
    /// Being killed first when memory is short.
    OomScore: "being the first to end when memory is short", "let /proc/self/oom_score_adj be written";
}
