//! Protocol between host and worker: the worker's address space, the control page, and the states of the handoff.
//! Compiled into both sides. The document is `docs/sandbox.md`.
//!
//! Nothing here has behaviour. The host believes nothing that it reads from the control page: it copies a field once
//! and checks the copy.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// End of the guest's addresses. Guest memory of a worker lies at the guest's own addresses, below this.
pub const GUEST_END: u64 = 1 << 32;

/// Start of guest memory: below it nothing can be mapped.
pub const GUEST_START: u64 = 0x1_0000;
/// Bytes of guest memory: up to the address at which a program's address space ends.
pub const GUEST_SIZE: u64 = 0xffff_0000 - GUEST_START;

/// Address at which the worker's own image is linked. The 4 GiB between the guest and it are never mapped.
pub const ZYGOTE_BASE: u64 = 0x2_0000_0000;

/// The control page: shared, readable and writable on both sides.
pub const CONTROL_BASE: u64 = 0x3_0000_0000;
/// Bytes of the control page.
pub const CONTROL_SIZE: u64 = 0x1000;

/// The stack of guest code, which only the compiler's own pushes and calls use. Private to the worker.
pub const STACK_BASE: u64 = 0x3_0001_0000;
/// Top of the stack, which grows down: the value of `rsp` whenever guest code runs. Compiled code reaches its jump
/// table from here.
pub const STACK_TOP: u64 = 0x3_0002_0000;

/// Compiled code: shared, written by the host, readable and executable in the worker. The jump table comes first.
pub const CODE_BASE: u64 = 0x3_1000_0000;
/// Maximum number of bytes of compiled code, jump table included.
pub const CODE_SIZE: u64 = 0x1000_0000;

/// Registers of the guest.
pub const REGS: usize = 13;

/// Register map: the AMD64 register, by its number, that holds each guest register while guest code runs. In the order
/// of the guest's registers: RA, SP, T0, T1, T2, S0, S1, A0 to A5. The compiler and the fault handler follow it.
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
/// `state` is the only word on which both wait; see the constants `STATE_…`. All other words are written by the side
/// that has control.
#[repr(C)]
pub struct Control {
    /// Side that has control. A futex, shared between processes.
    pub state: AtomicU32,
    /// Iterations of the worker's spin loop before it blocks. Set by the host.
    pub spins: AtomicU32,
    /// Command of the host: one of `COMMAND_…`.
    pub command: AtomicU32,
    /// Reason of the exit: one of `EXIT_…`.
    pub exit: AtomicU32,
    /// `COMMAND_RUN`: the native address of the entry code.
    pub argument: AtomicU64,
    /// Native address at which guest code resumes (set by the host), or at which it left (set by the worker).
    pub native_pc: AtomicU64,
    /// Value of the scratch register when guest code left; for `EXIT_FAULT` the address of the fault.
    pub detail: AtomicU64,
    /// Gas.
    pub gas: AtomicU64,
    /// The guest's registers.
    pub regs: [AtomicU64; REGS],
    /// Used by compiled code: where the worker's own stack was when it entered guest code.
    pub worker_stack: AtomicU64,
    /// Number of valid entries of `ranges`.
    pub changes: AtomicU32,
    /// Ranges of guest memory whose protection is to change before the command is carried out, in this order.
    pub ranges: [Range; RANGES],
}

/// Most ranges of one command.
pub const RANGES: usize = 12;

/// Part of the guest's memory.
#[repr(C)]
pub struct Range {
    /// First address, a multiple of 4 KiB.
    pub start: AtomicU32,
    /// Length in bytes, a multiple of 4 KiB. Zero: nothing is done.
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

/// The worker has nothing to do, and what the host reads is what it left. Also the first state that the host sees of a
/// worker that is ready.
pub const STATE_IDLE: u32 = 0;
/// As `STATE_IDLE`, and the worker sleeps: the host has to wake it.
pub const STATE_ASLEEP: u32 = 1 << 29 | 1;
/// The worker has not begun yet.
pub const STATE_NEW: u32 = 1 << 29;
/// Mask of the worker's thread id. The word holds it while the worker has a command to carry out, so that the kernel
/// marks it with `STATE_DEAD` and wakes the host if the worker dies (a robust futex). A thread id is below 2^22.
pub const STATE_COMMAND: u32 = STATE_NEW - 1;
/// FUTEX_WAITERS: beside the thread id, the host sleeps and has to be woken.
pub const STATE_WAITERS: u32 = 1 << 31;
/// FUTEX_OWNER_DIED: the worker died while it had control.
pub const STATE_DEAD: u32 = 1 << 30;

/// Run guest code.
pub const COMMAND_RUN: u32 = 1;
/// Command: apply the protection changes of `ranges` only.
pub const COMMAND_PROTECT: u32 = 2;

/// The command is done; nothing else happened. What `COMMAND_PROTECT` ends with; any command whose changes the kernel
/// refuses ends with it too and does nothing else. `detail` is the error number, or zero.
pub const EXIT_DONE: u32 = 0;
/// Trap or invalid instruction. `native_pc` is after the call that left.
pub const EXIT_TRAP: u32 = 1;
/// Host call; `detail` is its number, `native_pc` the address to resume at.
pub const EXIT_HOST_CALL: u32 = 2;
/// The gas went below zero; `native_pc` says which block's stub left.
pub const EXIT_OUT_OF_GAS: u32 = 3;
/// A dynamic jump to no valid target; `detail` is what the scratch register held.
pub const EXIT_JUMP: u32 = 4;
/// Single-step mode: before an instruction; `native_pc` is the address to resume at.
pub const EXIT_STEP: u32 = 5;
/// `sbrk`: the host grows the heap and resumes at `native_pc`.
pub const EXIT_SBRK: u32 = 6;
/// `memset`: the host does it and resumes at `native_pc`.
pub const EXIT_MEMSET: u32 = 7;
/// A memory access that is not allowed, by guest code in the guest's window; `native_pc` is the instruction.
pub const EXIT_FAULT: u32 = 8;
/// A signal that is not the guest's: `native_pc` and `detail` as for a fault, `argument` the signal's number. The host
/// reports a bug of its own and kills the worker.
pub const EXIT_UNEXPECTED_SIGNAL: u32 = 9;
/// The worker could not make itself ready and has ended: `argument` is the [`Step`], `detail` the error number.
pub const EXIT_SETUP: u32 = 10;

/// First message to the launcher, one word: how much protection it has to have.
pub const MODE_REQUIRED: u32 = 1;
/// Best effort: steps that make namespaces may fail; each is reported, and the launcher continues.
pub const MODE_BEST_EFFORT: u32 = 2;
/// No namespaces, limits or filters at all.
pub const MODE_OFF: u32 = 3;
/// All but the system call filters: for tests of what holds without them.
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
    /// Error number of what failed.
    pub errno: u32,
}

/// A step failed, and without it there is less protection.
pub const MESSAGE_MISSING: u32 = 1;
/// A step failed, and that was the end.
pub const MESSAGE_FAILED: u32 = 2;
/// The zygote takes requests.
pub const MESSAGE_READY: u32 = 3;
/// Host to zygote: fork a worker, with the three file descriptors attached: control page, guest memory, code.
pub const MESSAGE_SPAWN: u32 = 4;
/// A worker was made; its pidfd comes along.
pub const MESSAGE_WORKER: u32 = 5;

/// Launcher to host, in a new user namespace: map [`NOBODY`]. The answer is one word, an error number or zero.
pub const MESSAGE_MAP: u32 = 6;

/// Launcher and zygote to host: state of an optional protection. The number is a [`Layer`], the error number zero if it is
/// present.
pub const MESSAGE_LAYER: u32 = 7;

/// Host to zygote: add a connection, for a process that the host is about to fork.
pub const MESSAGE_CONNECT: u32 = 8;
/// The other end of that connection comes along. A zygote of its own serves it, and ends with its workers once all
/// copies of that end are closed.
pub const MESSAGE_CONNECTION: u32 = 9;

/// The user and group that launcher, zygote and workers are if the host is root.
pub const NOBODY: usize = 65534;

/// Makes an enum that crosses the border as its number, and the texts that the host has for each value.
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
            /// All of them, in the order of their numbers.
            pub const ALL: &[$kind] = &[$($kind::$variant),*];

            /// The one with this number.
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
            /// The fix where it fails.
            pub const fn fix(self) -> &'static str {
                match self { $($kind::$variant => $fix),* }
            }
        }
    };
}

numbered! {
    /// A protection that not every kernel has.
    Layer, name;
    /// No memory becomes executable that was not.
    Mdwe: "no memory becomes executable (PR_SET_MDWE)";
    /// Capabilities never come back with a user or a program.
    Securebits: "locked securebits";
    /// No path can be opened or changed, no address bound or connected to, no process outside signalled.
    Landlock: "Landlock";
    /// The worker's own memory and compiled code cannot be changed, moved or unmapped.
    Seal: "sealed memory (mseal)";
    /// Strict: no speculative bypass of stores.
    StoreBypass: "no speculative store bypass (PR_SET_SPECULATION_CTRL)";
    /// Strict: no indirect branch speculation that others trained.
    IndirectBranch: "no indirect branch speculation (PR_SET_SPECULATION_CTRL)";
    /// Strict: no other process on the other half of a core while a worker runs (core scheduling).
    CoreScheduling: "a core for itself (PR_SCHED_CORE)";
}

/// The fix for namespaces other than those of users.
const NAMESPACE_FIX: &str = "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, the sysctls \
    user.max_*_namespaces above 0, and let a container's seccomp profile allow unshare";

numbered! {
    /// A step of launcher, zygote or worker that can fail.
    Step, name, fix;
    /// Closing inherited file descriptors.
    Close: "closing file descriptors",
        "use Linux 5.9 or newer, and let a container's seccomp profile allow close_range";
    /// Becoming an ordinary user, if the host is root.
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
    /// Giving up the file system for an empty one.
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
    /// A message of the host that is not as it should be.
    Message: "a message", "let a container's seccomp profile allow read, recvmsg and sendmsg";
    /// Having no further user namespaces inside.
    NestedNamespaces: "forbidding further user namespaces", "let /proc/sys/user/max_user_namespaces be written";
    /// Being the first to go when memory is short.
    OomScore: "being the first to end when memory is short", "let /proc/self/oom_score_adj be written";
}
