//! The system call filters: what launcher, zygote and worker may ask of the kernel, as data. Each is installed as the
//! last step of a set-up.
//!
//! Each filter checks the architecture first, then the x32 bit, then an allow-list; all else kills the process. The
//! machine is classic BPF (Linux `uapi/linux/filter.h`, `seccomp.h`); it sees the call's number and arguments.

use crate::protocol::CONTROL_BASE;
use crate::syscall::{Result, number, syscall};

/// A rule. Rules apply from above; what comes by the last one is killed.
#[derive(Clone, Copy)]
enum Rule {
    /// Looks at a word of `struct seccomp_data`.
    Load(u32),
    /// Kills if the word is anything else.
    Equal(u32),
    /// Kills if the word is not below this.
    Below(u32),
    /// Kills if the word has any of these bits.
    Without(u32),
    /// If the word, which is the call's number, is this, then the next rules apply, as many as the second number says.
    Call(usize, u8),
    /// Lets the call through.
    Allow,
    /// Lets the call with this number through.
    AllowCall(usize),
}
use Rule::*;

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// Lower half of an argument.
const fn low(argument: u32) -> u32 {
    16 + 8 * argument
}
/// Upper half of an argument.
const fn high(argument: u32) -> u32 {
    low(argument) + 4
}

/// AUDIT_ARCH_X86_64.
const AMD64: u32 = 0xc000_003e;
/// __X32_SYSCALL_BIT.
const X32: u32 = 0x4000_0000;

/// What a worker may do: two calls, with the arguments that it needs.
const WORKER_RULES: [Rule; 24] = [
    // Another architecture's numbers mean other calls (int 0x80). So do those of the x32 interface.
    Load(ARCH),
    Equal(AMD64),
    Load(NUMBER),
    Below(X32),
    // To sleep while the host has its turn, and to wake it: only on the word `state`, which lies first in the page.
    Call(number::FUTEX, 9),
    Load(high(0)),
    Equal((CONTROL_BASE >> 32) as u32),
    Load(low(0)),
    Equal(CONTROL_BASE as u32),
    // FUTEX_WAIT is 0 and FUTEX_WAKE 1, both shared between processes.
    Load(low(1)),
    Without(!1),
    Load(high(1)),
    Equal(0),
    Allow,
    // The guest's memory changes its extent. From an address below 4 GiB ...
    Call(number::MPROTECT, 9),
    Load(high(0)),
    Equal(0),
    // ... for less than 4 GiB: what ends above meets the hole of 4 GiB there, and fails.
    Load(high(1)),
    Equal(0),
    // Never PROT_EXEC (4), nor the flags that extend the range. PROT_READ is 1 and PROT_WRITE 2.
    Load(high(2)),
    Equal(0),
    Load(low(2)),
    Without(!3),
    Allow,
];

/// What the zygote may do: its own loop, and what a worker does before it has its own filter. A worker's calls pass both.
const ZYGOTE_RULES: [Rule; 30] = [
    Load(ARCH),
    Equal(AMD64),
    Load(NUMBER),
    Below(X32),
    // Of a worker that runs.
    AllowCall(number::FUTEX),
    AllowCall(number::MPROTECT),
    // The zygote's loop: a request, a new process, the answer.
    AllowCall(number::RECVMSG),
    AllowCall(number::SENDMSG),
    AllowCall(number::CLONE),
    AllowCall(number::CLOSE),
    // F_SETOWN is 8.
    Call(number::FCNTL, 3),
    Load(low(1)),
    Equal(8),
    Allow,
    // Another connection, for a process that the host forks: of the family AF_UNIX, which is 1.
    Call(number::SOCKETPAIR, 3),
    Load(low(0)),
    Equal(1),
    Allow,
    AllowCall(number::GETPID),
    // A worker's memory.
    AllowCall(number::MMAP),
    AllowCall(number::MSEAL),
    // Its handlers, and how its death is told.
    AllowCall(number::RT_SIGACTION),
    AllowCall(number::SIGALTSTACK),
    AllowCall(number::SET_ROBUST_LIST),
    AllowCall(number::PRCTL),
    AllowCall(number::GETPPID),
    // What it gives up.
    AllowCall(number::CLOSE_RANGE),
    AllowCall(number::PRLIMIT64),
    AllowCall(number::SECCOMP),
    // The end of either, if the host goes or a step fails.
    AllowCall(number::EXIT_GROUP),
];

/// What the launcher may do once it has the zygote: close its socket, and wait for its end.
const LAUNCHER_RULES: [Rule; 7] = [
    Load(ARCH),
    Equal(AMD64),
    Load(NUMBER),
    Below(X32),
    AllowCall(number::CLOSE),
    AllowCall(number::WAIT4),
    AllowCall(number::EXIT_GROUP),
];

/// An instruction: code, distances to jump if true and if false, operand.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Op(u16, u8, u8, u32);

/// SECCOMP_RET_KILL_PROCESS.
const KILL: Op = Op(0x06, 0, 0, 0x8000_0000);
/// SECCOMP_RET_ALLOW.
const ALLOW: Op = Op(0x06, 0, 0, 0x7fff_0000);

/// Rules as instructions: one for each, then the two verdicts.
const fn assemble<const RULES: usize, const OPS: usize>(rules: [Rule; RULES]) -> [Op; OPS] {
    assert!(OPS == RULES + 2, "two instructions more than rules");
    let mut ops = [KILL; OPS];
    ops[OPS - 1] = ALLOW;
    let mut index = 0;
    while index < RULES {
        let kill = (RULES - index - 1) as u8;
        ops[index] = match rules[index] {
            Load(offset) => Op(0x20, 0, 0, offset),
            Equal(value) => Op(0x15, 0, kill, value),
            Below(value) => Op(0x35, kill, 0, value),
            Without(bits) => Op(0x45, kill, 0, bits),
            Call(number, skip) => Op(0x15, 0, skip, number as u32),
            AllowCall(number) => Op(0x15, kill + 1, 0, number as u32),
            Allow => ALLOW,
        };
        index += 1;
    }
    ops
}

/// For workers.
pub static WORKER: [Op; 26] = assemble(WORKER_RULES);
/// For the zygote.
pub static ZYGOTE: [Op; 32] = assemble(ZYGOTE_RULES);
/// For the launcher.
pub static LAUNCHER: [Op; 9] = assemble(LAUNCHER_RULES);

/// Puts a filter on this process, for ever.
pub fn install(filter: &'static [Op]) -> Result {
    #[repr(C)]
    struct SockFprog {
        length: u16,
        ops: *const Op,
    }
    let program = SockFprog { length: filter.len() as u16, ops: filter.as_ptr() };
    // SAFETY: the kernel reads the program and its instructions. SECCOMP_SET_MODE_FILTER is 1.
    unsafe { syscall(number::SECCOMP, [1, 0, &raw const program as usize, 0, 0, 0]) }
}
