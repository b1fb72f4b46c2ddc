//! Constants of the kernel's interface, for AMD64 (Linux `uapi` headers). Used by everything in this program.

#![allow(missing_docs, reason = "the names are the kernel's")]

// Error numbers (`asm-generic/errno.h`).
pub const EINTR: u32 = 4;
pub const EEXIST: u32 = 17;
pub const EINVAL: u32 = 22;
pub const EBADMSG: u32 = 74;

// Processes and namespaces (`linux/sched.h`).
pub const CLONE_PIDFD: usize = 0x1000;
pub const CLONE_NEWNS: usize = 0x2_0000;
pub const CLONE_NEWCGROUP: usize = 0x200_0000;
pub const CLONE_NEWUTS: usize = 0x400_0000;
pub const CLONE_NEWIPC: usize = 0x800_0000;
pub const CLONE_NEWUSER: usize = 0x1000_0000;
pub const CLONE_NEWPID: usize = 0x2000_0000;
pub const CLONE_NEWNET: usize = 0x4000_0000;

// `prctl` (`linux/prctl.h`, `linux/securebits.h`).
pub const PR_SET_PDEATHSIG: usize = 1;
pub const PR_SET_DUMPABLE: usize = 4;
pub const PR_CAPBSET_DROP: usize = 24;
pub const PR_SET_SECUREBITS: usize = 28;
pub const PR_SET_NO_NEW_PRIVS: usize = 38;
pub const PR_CAP_AMBIENT: usize = 47;
pub const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;
pub const PR_SET_SPECULATION_CTRL: usize = 53;
pub const PR_SPEC_STORE_BYPASS: usize = 0;
pub const PR_SPEC_INDIRECT_BRANCH: usize = 1;
pub const PR_SPEC_FORCE_DISABLE: usize = 8;
pub const PR_SCHED_CORE: usize = 62;
pub const PR_SCHED_CORE_CREATE: usize = 1;
pub const PR_SET_MDWE: usize = 65;
pub const PR_MDWE_REFUSE_EXEC_GAIN: usize = 1;
pub const SECBIT_NOROOT: usize = 1 << 0;
pub const SECBIT_NOROOT_LOCKED: usize = 1 << 1;
pub const SECBIT_NO_SETUID_FIXUP: usize = 1 << 2;
pub const SECBIT_NO_SETUID_FIXUP_LOCKED: usize = 1 << 3;
pub const SECBIT_KEEP_CAPS_LOCKED: usize = 1 << 5;
pub const SECBIT_NO_CAP_AMBIENT_RAISE: usize = 1 << 6;
pub const SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED: usize = 1 << 7;

// Capabilities (`linux/capability.h`).
pub const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
pub const CAP_KILL: u32 = 5;
pub const CAP_SETGID: u32 = 6;
pub const CAP_SETUID: u32 = 7;

// Files and mounts (`asm-generic/fcntl.h`, `linux/mount.h`).
pub const AT_FDCWD: usize = -100isize as usize;
pub const O_WRONLY: usize = 1;
pub const O_CLOEXEC: usize = 0x8_0000;
pub const F_SETOWN: usize = 8;
pub const MS_RDONLY: usize = 1;
pub const MS_NOSUID: usize = 2;
pub const MS_NODEV: usize = 4;
pub const MS_NOEXEC: usize = 8;
pub const MS_REMOUNT: usize = 32;
pub const MS_REC: usize = 0x4000;
pub const MS_PRIVATE: usize = 0x4_0000;
pub const MNT_DETACH: usize = 2;
pub const LANDLOCK_CREATE_RULESET_VERSION: usize = 1;

// Memory (`asm-generic/mman-common.h`).
pub const PROT_READ: usize = 1;
pub const PROT_WRITE: usize = 2;
pub const PROT_EXEC: usize = 4;
pub const MAP_SHARED: usize = 1;
pub const MAP_PRIVATE: usize = 2;
pub const MAP_ANONYMOUS: usize = 0x20;
pub const MAP_NORESERVE: usize = 0x4000;
pub const MAP_FIXED_NOREPLACE: usize = 0x10_0000;

// Signals (`asm/signal.h`, `asm-generic/siginfo.h`).
pub const SIGILL: u32 = 4;
pub const SIGTRAP: u32 = 5;
pub const SIGBUS: u32 = 7;
pub const SIGFPE: u32 = 8;
pub const SIGKILL: usize = 9;
pub const SIGSEGV: u32 = 11;
pub const SIGCHLD: usize = 17;
pub const SIG_IGN: usize = 1;
pub const SA_NOCLDWAIT: usize = 2;
pub const SA_SIGINFO: usize = 4;
pub const SA_RESTORER: usize = 0x400_0000;
pub const SA_ONSTACK: usize = 0x800_0000;
pub const SA_NODEFER: usize = 0x4000_0000;
pub const SI_KERNEL: i32 = 0x80;
/// Size of the kernel's `sigset_t` in bytes.
pub const SIGSET_SIZE: usize = 8;

// Resource limits (`asm-generic/resource.h`).
pub const RLIMIT_CPU: usize = 0;
pub const RLIMIT_FSIZE: usize = 1;
pub const RLIMIT_DATA: usize = 2;
pub const RLIMIT_STACK: usize = 3;
pub const RLIMIT_CORE: usize = 4;
pub const RLIMIT_NPROC: usize = 6;
pub const RLIMIT_NOFILE: usize = 7;
pub const RLIMIT_MEMLOCK: usize = 8;
pub const RLIMIT_AS: usize = 9;
pub const RLIMIT_LOCKS: usize = 10;
pub const RLIMIT_SIGPENDING: usize = 11;
pub const RLIMIT_MSGQUEUE: usize = 12;
pub const RLIMIT_NICE: usize = 13;
pub const RLIMIT_RTPRIO: usize = 14;
pub const RLIMIT_RTTIME: usize = 15;

// Sockets (`linux/socket.h`, `asm-generic/socket.h`).
pub const AF_UNIX: usize = 1;
pub const SOCK_SEQPACKET: usize = 5;
pub const SOL_SOCKET: u32 = 1;
pub const SCM_RIGHTS: u32 = 1;
pub const MSG_NOSIGNAL: usize = 0x4000;
pub const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;

// Futexes (`linux/futex.h`).
pub const FUTEX_WAIT: usize = 0;
pub const FUTEX_WAKE: usize = 1;

// System call filters (`linux/seccomp.h`, `linux/audit.h`, `asm/unistd.h`).
pub const SECCOMP_SET_MODE_FILTER: usize = 1;
pub const SECCOMP_RET_KILL_PROCESS: u32 = 0x8000_0000;
pub const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
pub const X32_SYSCALL_BIT: u32 = 0x4000_0000;

// Classic BPF (`linux/bpf_common.h`).
pub const BPF_LD: u16 = 0x00;
pub const BPF_JMP: u16 = 0x05;
pub const BPF_RET: u16 = 0x06;
pub const BPF_W: u16 = 0x00;
pub const BPF_ABS: u16 = 0x20;
pub const BPF_K: u16 = 0x00;
pub const BPF_JEQ: u16 = 0x10;
pub const BPF_JGE: u16 = 0x30;
pub const BPF_JSET: u16 = 0x40;
