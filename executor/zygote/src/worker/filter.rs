//! System call filters of launcher, zygote and worker, as data. Each is installed as the last step of an
//! initialization.
//!
//! A filter checks the architecture first, then the x32 bit, then an allow-list of calls with conditions on their
//! arguments; everything else kills the process. It is a program in classic BPF (Linux `uapi/linux/filter.h`,
//! `seccomp.h`), which [`assemble`] makes from the list.

use crate::kernel::*;
use crate::protocol::CONTROL_BASE;
use crate::syscall::{Result, number, syscall};

/// A call that is allowed if its arguments meet all conditions.
struct Call {
    number: usize,
    /// Argument numbers, from zero, and the conditions that these arguments have to meet.
    conditions: &'static [(u32, Condition)],
}

/// A condition on an argument. All 64 bits are compared unless the condition says otherwise.
#[derive(Clone, Copy)]
enum Condition {
    /// The argument equals this.
    Equals(u64),
    /// The lower half of the argument, which is all that the kernel uses, equals this.
    IntEquals(u32),
    /// The argument has no other bits than these.
    OnlyBits(u32),
    /// Its upper half is zero.
    Below4GiB,
}
use Condition::*;

/// A call that is allowed with any arguments.
const fn any(number: usize) -> Call {
    Call { number, conditions: &[] }
}

/// Calls of a worker: two, with the arguments that it needs.
const WORKER_CALLS: &[Call] = &[
    // To block while the host has control, and to wake it: only on the word `state`, which comes first in the page.
    // Both operations are shared between processes.
    Call {
        number: number::FUTEX,
        conditions: &[(0, Equals(CONTROL_BASE)), (1, OnlyBits((FUTEX_WAIT | FUTEX_WAKE) as u32))],
    },
    // For changing the protection of guest memory. A range that begins below 4 GiB and ends above overlaps the unmapped
    // 4 GiB there, and fails. Never PROT_EXEC, nor the flags that extend the range.
    Call {
        number: number::MPROTECT,
        conditions: &[(0, Below4GiB), (1, Below4GiB), (2, OnlyBits((PROT_READ | PROT_WRITE) as u32))],
    },
];

/// Calls of the zygote: its own loop, and the initialization of a worker before its own filter. A worker's calls have
/// to pass both filters.
const ZYGOTE_CALLS: &[Call] = &[
    // A running worker.
    any(number::FUTEX),
    any(number::MPROTECT),
    // The zygote's loop: a request, a new process, the answer.
    any(number::RECVMSG),
    any(number::SENDMSG),
    any(number::CLONE),
    any(number::CLOSE),
    Call { number: number::FCNTL, conditions: &[(1, IntEquals(F_SETOWN as u32))] },
    // Another connection, for a process that the host forks.
    Call { number: number::SOCKETPAIR, conditions: &[(0, IntEquals(AF_UNIX as u32))] },
    any(number::GETPID),
    // A worker's memory.
    any(number::MMAP),
    any(number::MSEAL),
    // Its handlers, and the notification of its death.
    any(number::RT_SIGACTION),
    any(number::SIGALTSTACK),
    any(number::SET_ROBUST_LIST),
    any(number::PRCTL),
    any(number::GETPPID),
    // Dropping resources.
    any(number::CLOSE_RANGE),
    any(number::PRLIMIT64),
    any(number::SECCOMP),
    // Ending, if the host is gone or a step fails.
    any(number::EXIT_GROUP),
];

/// Calls of the launcher once the zygote exists: close its socket, and wait for the zygote's end.
const LAUNCHER_CALLS: &[Call] = &[any(number::CLOSE), any(number::WAIT4), any(number::EXIT_GROUP)];

/// An instruction, `struct sock_filter`: code, distances to jump if true and if false, operand.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SockFilter(u16, u8, u8, u32);

const KILL: SockFilter = SockFilter(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
const ALLOW: SockFilter = SockFilter(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);

/// Loads a word of `struct seccomp_data`.
const fn load(offset: u32) -> SockFilter {
    SockFilter(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn low(argument: u32) -> u32 {
    16 + 8 * argument
}
const fn high(argument: u32) -> u32 {
    low(argument) + 4
}

/// Number of instructions before the first call: checks of the architecture and the x32 bit.
const PREAMBLE: usize = 4;

/// Number of instructions of a condition.
const fn condition_length(condition: Condition) -> usize {
    match condition {
        Equals(_) | OnlyBits(_) => 4,
        IntEquals(_) | Below4GiB => 2,
    }
}

/// Number of instructions of a call: its number, its conditions and, if it has any, a verdict of its own.
const fn call_length(call: &Call) -> usize {
    let (mut length, mut index) = (1, 0);
    while index < call.conditions.len() {
        length += condition_length(call.conditions[index].1);
        index += 1;
    }
    if call.conditions.is_empty() { length } else { length + 1 }
}

/// Number of instructions of a filter, with the two verdicts at its end.
const fn length(calls: &[Call]) -> usize {
    let (mut length, mut index) = (PREAMBLE, 0);
    while index < calls.len() {
        length += call_length(&calls[index]);
        index += 1;
    }
    length + 2
}

/// A filter that is being assembled.
struct FilterBuilder<const LENGTH: usize> {
    ops: [SockFilter; LENGTH],
    next: usize,
}

impl<const LENGTH: usize> FilterBuilder<LENGTH> {
    const KILL: usize = LENGTH - 2;
    const ALLOW: usize = LENGTH - 1;

    /// Returns the distance of a jump, counted from the next instruction.
    const fn distance(&self, to: usize) -> u8 {
        let distance = to - self.next - 1;
        assert!(distance <= u8::MAX as usize, "a jump's distance is a byte");
        distance as u8
    }

    const fn push(&mut self, op: SockFilter) {
        self.ops[self.next] = op;
        self.next += 1;
    }

    /// Emits a check that kills unless the loaded word equals `value`.
    const fn kill_unless_equal(&mut self, value: u32) {
        self.push(SockFilter(BPF_JMP | BPF_JEQ | BPF_K, 0, self.distance(Self::KILL), value));
    }

    const fn condition(&mut self, argument: u32, condition: Condition) {
        match condition {
            Equals(value) => {
                self.push(load(high(argument)));
                self.kill_unless_equal((value >> 32) as u32);
                self.push(load(low(argument)));
                self.kill_unless_equal(value as u32);
            }
            IntEquals(value) => {
                self.push(load(low(argument)));
                self.kill_unless_equal(value);
            }
            OnlyBits(bits) => {
                self.push(load(high(argument)));
                self.kill_unless_equal(0);
                self.push(load(low(argument)));
                self.push(SockFilter(BPF_JMP | BPF_JSET | BPF_K, self.distance(Self::KILL), 0, !bits));
            }
            Below4GiB => {
                self.push(load(high(argument)));
                self.kill_unless_equal(0);
            }
        }
    }

    /// Emits the check of a call. The loaded word is the number; it is overwritten if it is this call's.
    const fn call(&mut self, call: &Call) {
        const JEQ: u16 = BPF_JMP | BPF_JEQ | BPF_K;
        let number = call.number as u32;
        if call.conditions.is_empty() {
            return self.push(SockFilter(JEQ, self.distance(Self::ALLOW), 0, number));
        }
        let behind = self.next + call_length(call);
        self.push(SockFilter(JEQ, 0, self.distance(behind), number));
        let mut index = 0;
        while index < call.conditions.len() {
            let (argument, condition) = call.conditions[index];
            self.condition(argument, condition);
            index += 1;
        }
        self.push(ALLOW);
    }
}

/// Assembles a filter from a list of calls.
const fn assemble<const LENGTH: usize>(calls: &[Call]) -> [SockFilter; LENGTH] {
    let mut program = FilterBuilder { ops: [KILL; LENGTH], next: 0 };
    // Numbers have other meanings for other architectures (int 0x80), and for the x32 interface.
    program.push(load(ARCH));
    program.kill_unless_equal(AUDIT_ARCH_X86_64);
    program.push(load(NUMBER));
    program.push(SockFilter(BPF_JMP | BPF_JGE | BPF_K, program.distance(LENGTH - 2), 0, X32_SYSCALL_BIT));
    let mut index = 0;
    while index < calls.len() {
        program.call(&calls[index]);
        index += 1;
    }
    program.push(KILL);
    program.push(ALLOW);
    assert!(program.next == LENGTH, "the length is that of the list");
    program.ops
}

/// Filter of workers.
pub static WORKER: [SockFilter; length(WORKER_CALLS)] = assemble(WORKER_CALLS);
/// Filter of the zygote.
pub static ZYGOTE: [SockFilter; length(ZYGOTE_CALLS)] = assemble(ZYGOTE_CALLS);
/// Filter of the launcher.
pub static LAUNCHER: [SockFilter; length(LAUNCHER_CALLS)] = assemble(LAUNCHER_CALLS);

/// Installs a filter on this process, irrevocably.
pub fn install(filter: &'static [SockFilter]) -> Result {
    #[repr(C)]
    struct SockFprog {
        length: u16,
        ops: *const SockFilter,
    }
    let program = SockFprog { length: filter.len() as u16, ops: filter.as_ptr() };
    // SAFETY: the kernel reads the program and its instructions.
    unsafe { syscall(number::SECCOMP, [SECCOMP_SET_MODE_FILTER, 0, &raw const program as usize, 0, 0, 0]) }
}
