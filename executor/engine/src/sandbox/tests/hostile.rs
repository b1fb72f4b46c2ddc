//! Escape attempts: hostile machine code in a worker. Each attempt has to end with the death of that worker alone and a typed
//! error. `docs/security.md#attacks-tested` has the line of defence against each.

use super::*;
use pvm_assembler::RegSize;
use std::io::Write;

/// Expected result of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// Killed by the kernel.
    Killed,
    /// A signal that no guest can raise.
    UnexpectedSignal,
    /// A protocol violation.
    ProtocolViolation,
    /// It did not return.
    TimedOut,
    /// Any error: it depends on the kernel.
    Either,
}

struct Attempt {
    name: String,
    code: Box<dyn Fn(&mut Assembler)>,
    end: Expected,
}

/// Start address of the program's read-write data: see [`data`].
const DATA: u64 = 0x3_0000;

/// Strings and structures that attempts pass to the kernel.
fn data() -> Vec<u8> {
    let mut data = vec![0; 256];
    data[..12].copy_from_slice(b"/etc/passwd\0");
    // 16: an argument vector with the path. 32: sockaddr_in of 127.0.0.1, port 80.
    data[16..24].copy_from_slice(&DATA.to_le_bytes());
    data[32..40].copy_from_slice(&[2, 0, 0, 80, 127, 0, 0, 1]);
    // 64: a filter that allows everything, 72: its program.
    data[64..72].copy_from_slice(&[6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    data[72] = 1;
    // 160: no limit, soft and hard.
    data[160..176].fill(0xff);
    data[80..88].copy_from_slice(&(DATA + 64).to_le_bytes());
    data
}

const SYSCALL: &[u8] = &[0x0f, 0x05];
const INT_80: &[u8] = &[0xcd, 0x80];

/// Loads the arguments of a system call into registers.
fn arguments(asm: &mut Assembler, number: u64, args: &[u64]) {
    let registers = [Reg::Rdi, Reg::Rsi, Reg::Rdx, Reg::R10, Reg::R8, Reg::R9];
    for (register, value) in registers.into_iter().zip(args.iter().copied().chain(std::iter::repeat(0))) {
        asm.push(forms::mov_ri(register, value));
    }
    asm.push(forms::mov_ri(Reg::Rax, number));
}

/// A system call, followed by a host call if it returns.
fn call(name: &str, number: u64, args: &[u64]) -> Attempt {
    let args = args.to_vec();
    let code = move |asm: &mut Assembler| {
        arguments(asm, number, &args);
        asm.bytes(SYSCALL);
        // The kernel's result, as the number of the host call.
        asm.push(forms::mov_rr(RegSize::R32, SCRATCH, Reg::Rax));
        leave(asm, protocol::EXIT_HOST_CALL);
    };
    Attempt { name: name.into(), code: Box::new(code), end: Expected::Killed }
}

/// Other code, followed by a host call if it returns.
fn other(name: &str, end: Expected, code: impl Fn(&mut Assembler) + 'static) -> Attempt {
    let code = move |asm: &mut Assembler| {
        code(asm);
        asm.push(forms::mov_ri(SCRATCH, 0));
        leave(asm, protocol::EXIT_HOST_CALL);
    };
    Attempt { name: name.into(), code: Box::new(code), end }
}

fn bytes(name: &str, end: Expected, bytes: &'static [u8]) -> Attempt {
    other(name, end, move |asm| asm.bytes(bytes))
}

fn load(name: &str, address: u64) -> Attempt {
    other(name, Expected::UnexpectedSignal, move |asm| {
        asm.push(forms::mov_ri(Reg::Rdi, address));
        asm.push(forms::mov_rm(R64, Reg::Rax, Mem::base(Reg::Rdi, 0)));
    })
}

fn store(name: &str, address: u64) -> Attempt {
    other(name, Expected::UnexpectedSignal, move |asm| {
        asm.push(forms::mov_ri(Reg::Rdi, address));
        asm.push(forms::mov_mr(Width::W64, Mem::base(Reg::Rdi, 0), Reg::Rax));
    })
}

fn jump(name: &str, address: u64) -> Attempt {
    other(name, Expected::UnexpectedSignal, move |asm| {
        asm.push(forms::mov_ri(Reg::Rdi, address));
        asm.push(forms::jmp_r(Reg::Rdi));
    })
}

/// Writes words of the control page, then exits as usual.
fn lie(name: &str, end: Expected, words: &'static [(usize, u64)]) -> Attempt {
    let code = move |asm: &mut Assembler| {
        // The usual exit, except for its end, which is replaced.
        asm.push(forms::mov_ri(SCRATCH, 0));
        let native_pc = protocol::CODE_BASE + 16;
        for (offset, value) in
            [(offset_of!(Control, native_pc), native_pc), (offset_of!(Control, detail), 0)].iter().chain(words)
        {
            asm.push(forms::mov_ri(Reg::Rax, *value));
            asm.push(forms::mov_mr(Width::W32, control(*offset), Reg::Rax));
            if *offset >= offset_of!(Control, argument) {
                asm.push(forms::mov_mr(Width::W64, control(*offset), Reg::Rax));
            }
        }
        asm.push(forms::mov_rm(R64, Reg::Rsp, control(offset_of!(Control, worker_stack))));
        asm.push(forms::ret());
    };
    Attempt { name: name.into(), code: Box::new(code), end }
}

/// Files, network, other processes.
fn outside() -> Vec<Attempt> {
    let here = -100i64 as u64;
    vec![
        call("open a file", 2, &[DATA, 0]),
        call("openat a file", 257, &[here, DATA, 0]),
        call("openat2 a file", 437, &[here, DATA, DATA + 128, 24]),
        call("read from a guessed file descriptor", 0, &[0, DATA, 64]),
        call("write to a guessed file descriptor", 1, &[0, DATA, 12]),
        call("send to the zygote's socket", 46, &[0, DATA + 128, 0]),
        call("list a directory", 217, &[0, DATA, 64]),
        call("make a socket", 41, &[2, 1, 0]),
        call("connect a guessed socket", 42, &[0, DATA + 32, 16]),
        call("make a socket pair", 53, &[1, 1, 0, DATA]),
        call("kill the zygote", 62, &[1, 9]),
        call("kill everyone", 62, &[-1i64 as u64, 9]),
        call("signal a thread", 234, &[1, 1, 9]),
        call("signal through a guessed pidfd", 424, &[0, 9, 0, 0]),
        call("open a pidfd", 434, &[1, 0]),
        call("take a file descriptor of another process", 438, &[0, 0, 0]),
        call("trace the zygote", 101, &[16, 1]),
        call("read another process's memory", 310, &[1, DATA, 1, DATA, 1, 0]),
        call("write another process's memory", 311, &[1, DATA, 1, DATA, 1, 0]),
        call("fork", 57, &[]),
        call("vfork", 58, &[]),
        call("clone a thread", 56, &[0x10f00, DATA + 128]),
        call("clone3 a process", 435, &[DATA + 128, 88]),
        call("execute a program", 59, &[DATA, DATA + 16, 0]),
        call("execute a file descriptor", 322, &[0, DATA, DATA + 16, 0, 0x1000]),
        call("look at a file", 332, &[here, DATA, 0, 0x7ff, DATA + 256]),
        call("ask whether a file is there", 21, &[DATA, 0]),
        call("make a folder", 83, &[DATA, 0o777]),
        call("make a device", 133, &[DATA, 0o20666, 0x103]),
        call("remove a file", 87, &[DATA]),
        call("rename a file", 82, &[DATA, DATA]),
        call("link a file", 86, &[DATA, DATA]),
        call("link a file by name", 88, &[DATA, DATA]),
        call("change a file's mode", 90, &[DATA, 0o777]),
        call("change a file's owner", 92, &[DATA, 0, 0]),
        call("shorten a file", 76, &[DATA, 0]),
        call("change folder", 80, &[DATA]),
        call("watch files: inotify", 294, &[0]),
        call("watch files: fanotify", 300, &[0, 0]),
        call("bind a guessed socket", 49, &[0, DATA + 32, 16]),
        call("listen at a guessed socket", 50, &[0, 1]),
        call("accept from a guessed socket", 43, &[0, 0, 0]),
        call("receive from a guessed socket", 47, &[0, DATA + 128, 0]),
        call("change memory of another process", 440, &[0, DATA, 1, 4, 0]),
        call("exit one thread", 60, &[0]),
        call("exit as if all were well", 231, &[0]),
        call("return from a signal that was not", 15, &[]),
    ]
}

/// The kernel's larger interfaces, privileges, resources.
fn kernel() -> Vec<Attempt> {
    let here = -100i64 as u64;
    vec![
        call("set up io_uring", 425, &[8, DATA + 128]),
        call("enter io_uring", 426, &[0, 1, 0, 0]),
        call("register with io_uring", 427, &[0, 0, 0, 0]),
        call("load a BPF program", 321, &[5, DATA + 128, 128]),
        call("open a performance counter", 298, &[DATA + 128, 0]),
        call("handle page faults in user space", 323, &[0]),
        call("add a key", 248, &[DATA, DATA, DATA, 1]),
        call("load a module", 175, &[DATA, 8, DATA]),
        call("replace the filter by one that allows everything", 317, &[1, 0, DATA + 72]),
        call("replace the filter through prctl", 157, &[22, 2, DATA + 72]),
        call("become dumpable", 157, &[4, 1]),
        call("become root", 105, &[0]),
        call("set capabilities", 126, &[DATA, DATA]),
        call("make a user namespace", 272, &[0x1000_0000]),
        call("enter a namespace", 308, &[0, 0]),
        call("mount a file system", 165, &[DATA, DATA, DATA, 0, 0]),
        call("change the root", 161, &[DATA]),
        call("change the root by pivot_root", 155, &[DATA, DATA]),
        call("unmount a file system", 166, &[DATA, 2]),
        call("open a file system", 430, &[DATA, 0]),
        call("open a tree of mounts", 428, &[here, DATA, 1]),
        call("move a mount", 429, &[0, DATA, here, DATA, 4]),
        call("change mounts", 442, &[here, DATA, 0, DATA + 128, 32]),
        call("restart the machine", 169, &[0xfee1_dead, 672_274_793, 0x0123_4567]),
        call("load another kernel", 246, &[0, 0, 0, 0]),
        call("set the host's name", 170, &[DATA, 4]),
        call("set the clock", 164, &[DATA + 128, 0]),
        call("use ports: iopl", 172, &[3]),
        call("use ports: ioperm", 173, &[0x80, 1, 1]),
        call("use a swap file", 167, &[DATA, 0]),
        call("read the kernel's log", 103, &[3, DATA, 64]),
        call("exhaust file descriptors: timerfd", 283, &[1, 0]),
        call("exhaust file descriptors: signalfd", 289, &[-1i64 as u64, DATA, 8, 0]),
        call("exhaust memory: secret memory", 447, &[0]),
        call("raise a limit", 302, &[0, 9, DATA + 160, 0]),
        call("take over the robust list", 273, &[DATA, 24]),
        call("replace a signal handler", 13, &[11, DATA + 128, 0, 8]),
        call("move the handlers' stack", 131, &[DATA, 0]),
        call("change what processors it runs on", 203, &[0, 8, DATA]),
        call("ask for the time", 228, &[0, DATA]),
        call("sleep", 35, &[DATA + 128, 0]),
        call("exhaust file descriptors: dup", 32, &[0]),
        call("exhaust file descriptors: memfd_create", 319, &[DATA, 0]),
        call("exhaust file descriptors: eventfd", 290, &[0, 0]),
        call("exhaust file descriptors: pipe", 293, &[DATA, 0]),
        call("exhaust file descriptors: epoll", 291, &[0]),
        call("exhaust memory: brk", 12, &[0x4_0000_0000]),
        call("exhaust memory: mmap", 9, &[0, 1 << 40, 3, 0x22, u64::MAX, 0]),
        call("exhaust memory: mremap", 25, &[protocol::STACK_BASE, 0x1_0000, 1 << 40, 1]),
        call("exhaust memory: lock it", 149, &[DATA, 0x1000]),
        call("exhaust memory: shared memory", 29, &[0, 1 << 30, 0o1600]),
        call("exhaust memory: message queue", 68, &[0, 0o1600]),
        call("exhaust processes: a timer", 222, &[0, 0, DATA]),
        bytes(
            "a call of the 32-bit interface (int 0x80)",
            Expected::Either,
            &[0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80],
        ),
        other("a permitted number by the 32-bit interface", Expected::Either, |asm| {
            arguments(asm, 240, &[]);
            asm.bytes(INT_80);
        }),
        call("a call of the x32 interface", 0x4000_0000 | 202, &[CONTROL_BASE, 1, 1]),
        call("a call whose number has high bits", 1 << 32 | 39, &[]),
        call("a call with a negative number", u64::MAX, &[]),
        jump("a call through the vsyscall page", 0xffff_ffff_ff60_0000).ends(Expected::Either),
    ]
}

impl Attempt {
    fn ends(self, end: Expected) -> Attempt {
        Attempt { end, ..self }
    }
}

/// Memory and code.
fn memory() -> Vec<Attempt> {
    let (code, own, stack) = (protocol::CODE_BASE, protocol::ZYGOTE_BASE, protocol::STACK_BASE);
    vec![
        call("map executable memory", 9, &[0, 0x1000, 7, 0x22, u64::MAX, 0]),
        call("map over compiled code", 9, &[code, 0x1000, 3, 0x32, u64::MAX, 0]),
        call("unmap compiled code", 11, &[code, 0x1000]),
        call("make guest memory executable", 10, &[DATA, 0x1000, 5]),
        call("make guest memory writable and executable", 10, &[DATA, 0x1000, 7]),
        call("make guest memory executable with a key", 329, &[DATA, 0x1000, 7, 0]),
        call("make compiled code writable", 10, &[code, 0x1000, 3]),
        call("make all up to compiled code writable", 10, &[DATA, code - DATA + 0x1000, 3]),
        call("make the worker's own code writable", 10, &[own, 0x1000, 3]),
        call("make the control page read-only", 10, &[CONTROL_BASE, 0x1000, 1]),
        call("make the stack executable", 10, &[stack, 0x1000, 7]),
        call("move the stack", 25, &[stack, 0x1_0000, 0x1_0000, 3, 0x4_0000_0000]),
        call("extend a change of memory downwards", 10, &[DATA, 0x1000, 0x0100_0003]),
        call("change memory with hidden bits", 10, &[DATA, 0x1000, 1 << 32 | 3]),
        call("wait on another word", 202, &[CONTROL_BASE + 4, 0, 0]),
        call("wait on a word of the guest", 202, &[DATA, 0, 0]),
        call("use a futex operation that is not needed", 202, &[CONTROL_BASE, 4, 1, 1, CONTROL_BASE]),
        call("lock a futex with priority inheritance", 202, &[CONTROL_BASE, 6, 0]),
        call("wait for many futexes", 449, &[DATA, 1, 0, 0, 0]),
        load("read right above 4 GiB", 0x1_0000_0008),
        load("read between guest and worker", 0x1_8000_0000),
        load("read where libraries usually lie", 0x7fff_f7dd_0000),
        load("read where a stack usually lies", 0x7fff_ffff_e000),
        load("read where a program usually lies", 0x5555_5555_4000),
        load("read the kernel", 0xffff_8880_0000_0000),
        load("read an address that is not canonical", 0x8000_0000_0000_0000),
        load("read behind compiled code", code + protocol::CODE_SIZE),
        store("write compiled code", code),
        store("write the worker's own code", own),
        store("write the kernel", 0xffff_ffff_8100_0000),
        jump("run guest memory", DATA),
        jump("run the stack", stack),
        jump("run the control page", CONTROL_BASE),
        jump("run address zero", 0),
        bytes("halt the processor", Expected::UnexpectedSignal, &[0xf4]),
        bytes("write to a port", Expected::UnexpectedSignal, &[0xe6, 0x80]),
        bytes("read a model-specific register", Expected::UnexpectedSignal, &[0x0f, 0x32]),
        bytes("switch interrupts off", Expected::UnexpectedSignal, &[0xfa]),
        bytes("load a segment that is not there", Expected::UnexpectedSignal, &[0x66, 0xb8, 0xff, 0xff, 0x8e, 0xd8]),
        bytes("an invalid instruction", Expected::UnexpectedSignal, &[0x0f, 0x0b]),
        bytes("a breakpoint", Expected::UnexpectedSignal, &[0xcc]),
        bytes("divide by zero", Expected::UnexpectedSignal, &[0x31, 0xc9, 0xf7, 0xf1]),
    ]
}

/// False messages, and runs that never return.
fn protocol_attempts() -> Vec<Attempt> {
    const EXIT: usize = offset_of!(Control, exit);
    const STATE: usize = offset_of!(Control, state);
    const DETAIL: usize = offset_of!(Control, detail);
    const PC: usize = offset_of!(Control, native_pc);
    vec![
        lie("leave for an unknown reason", Expected::ProtocolViolation, &[(EXIT, 77)]),
        lie("leave as if nothing had been asked", Expected::ProtocolViolation, &[(EXIT, 0)]),
        lie(
            "leave as if the kernel had refused, with no error number",
            Expected::ProtocolViolation,
            &[(EXIT, 0), (DETAIL, 1 << 40)],
        ),
        lie("leave as if it had never been ready", Expected::ProtocolViolation, &[(EXIT, protocol::EXIT_SETUP as u64)]),
        lie(
            "leave from before compiled code",
            Expected::ProtocolViolation,
            &[(EXIT, 1), (PC, protocol::CODE_BASE - 1)],
        ),
        lie(
            "leave from behind compiled code",
            Expected::ProtocolViolation,
            &[(EXIT, 1), (PC, protocol::CODE_BASE + 0x10_0000)],
        ),
        lie("leave from the end of the address space", Expected::ProtocolViolation, &[(EXIT, 8), (PC, u64::MAX)]),
        lie("a host call with too large a number", Expected::ProtocolViolation, &[(EXIT, 2), (DETAIL, 1 << 32)]),
        lie("a fault far outside the window", Expected::ProtocolViolation, &[(EXIT, 8), (DETAIL, 1 << 33)]),
        lie("claim a bug of the host", Expected::UnexpectedSignal, &[(EXIT, 9)]),
        other("claim that the turn belongs to nobody", Expected::ProtocolViolation, |asm| {
            asm.push(forms::mov_ri(Reg::Rax, 0x1234_5678));
            asm.push(forms::mov_mr(Width::W32, control(STATE), Reg::Rax));
            asm.bytes(&[0xeb, 0xfe]);
        }),
        other("claim to have died", Expected::Killed, |asm| {
            asm.push(forms::mov_ri(Reg::Rax, u64::from(protocol::STATE_DEAD)));
            asm.push(forms::mov_mr(Width::W32, control(STATE), Reg::Rax));
            asm.bytes(&[0xeb, 0xfe]);
        }),
        other("claim to be new", Expected::ProtocolViolation, |asm| {
            asm.push(forms::mov_ri(Reg::Rax, u64::from(protocol::STATE_NEW)));
            asm.push(forms::mov_mr(Width::W32, control(STATE), Reg::Rax));
            asm.bytes(&[0xeb, 0xfe]);
        }),
        other("give the turn back and run on", Expected::ProtocolViolation, |asm| {
            asm.push(forms::mov_ri(Reg::Rax, 0));
            asm.push(forms::mov_mr(Width::W32, control(STATE), Reg::Rax));
            asm.bytes(&[0xeb, 0xfe]);
        }),
        other("scribble over the control page without end", Expected::ProtocolViolation, |asm| {
            let again = asm.new_label();
            asm.push(forms::mov_ri(Reg::Rax, 0x9e37_79b9_7f4a_7c15));
            asm.bind(again);
            asm.push(forms::mov_ri(Reg::Rdi, CONTROL_BASE));
            asm.push(forms::mov_ri(Reg::Rcx, 512));
            asm.bytes(&[0xf3, 0x48, 0xab]);
            asm.push(forms::add_ri(R64, Reg::Rax, 0x1357_9bdf));
            asm.jmp(again);
        }),
        other("destroy the worker's own data, then fault", Expected::Either, |asm| {
            // Includes the signal stack and return addresses; the last page of data is before the first unmapped page.
            asm.push(forms::mov_ri(Reg::Rdi, protocol::ZYGOTE_BASE + 0x4000));
            asm.push(forms::mov_ri(Reg::Rax, 0x1_0000_0000));
            asm.push(forms::mov_ri(Reg::Rcx, 1 << 20));
            asm.bytes(&[0xf3, 0x48, 0xab]);
        }),
        other("return to a wild address", Expected::UnexpectedSignal, |asm| {
            asm.push(forms::mov_ri(Reg::Rsp, protocol::STACK_BASE + 0x100));
            asm.push(forms::ret());
        }),
        other("fault with a wild stack pointer", Expected::UnexpectedSignal, |asm| {
            asm.push(forms::mov_ri(Reg::Rsp, 0xdead_0000_0000_0000));
            asm.bytes(&[0x0f, 0x0b]);
        }),
        bytes("spin for ever", Expected::TimedOut, &[0xeb, 0xfe]),
        other("sleep for ever", Expected::ProtocolViolation, |asm| {
            let again = asm.new_label();
            asm.bind(again);
            asm.push(forms::mov_rm(RegSize::R32, Reg::Rdx, control(STATE)));
            asm.push(forms::mov_ri(Reg::Rdi, CONTROL_BASE));
            asm.push(forms::mov_ri(Reg::Rsi, 0));
            asm.push(forms::mov_ri(Reg::R10, 0));
            asm.push(forms::mov_ri(Reg::Rax, 202));
            asm.bytes(SYSCALL);
            asm.jmp(again);
        }),
        other("change the word without end", Expected::TimedOut, |asm| {
            // Clears the bit that says that the host blocks, as fast as it can.
            let again = asm.new_label();
            asm.push(forms::mov_rm(RegSize::R32, Reg::Rcx, control(STATE)));
            asm.push(forms::and_ri(RegSize::R32, Reg::Rcx, 0x7fff_ffff));
            asm.bind(again);
            asm.push(forms::mov_mr(Width::W32, control(STATE), Reg::Rcx));
            asm.jmp(again);
        }),
        other("wake the host without end", Expected::TimedOut, |asm| {
            let again = asm.new_label();
            asm.bind(again);
            arguments(asm, 202, &[CONTROL_BASE, 1, 1]);
            asm.bytes(SYSCALL);
            asm.jmp(again);
        }),
    ]
}

/// Runs an attempt in a worker of its own; `Err` describes a failed check.
fn contained(attempt: &Attempt, zygote: &Arc<Zygote>) -> Result<(), String> {
    let mut program = program(|asm| (attempt.code)(asm));
    program.set_memory(program.map, b"constant", &data());
    let limit = if matches!(attempt.end, Expected::TimedOut | Expected::Either) {
        Duration::from_millis(40)
    } else {
        Duration::from_secs(10)
    };
    let mut worker = Worker::spawn(zygote, limits(limit)).map_err(|error| error.to_string())?;
    worker.load(&program.image()).map_err(|error| error.to_string())?;
    let result = worker.run(&mut program.state());
    let is_right = match attempt.end {
        Expected::Killed => matches!(result, Err(SandboxError::Died)),
        Expected::UnexpectedSignal => matches!(result, Err(SandboxError::UnexpectedSignal { .. })),
        Expected::ProtocolViolation => matches!(result, Err(SandboxError::ProtocolViolation { .. })),
        Expected::TimedOut => matches!(result, Err(SandboxError::TimedOut { .. })),
        Expected::Either => result.is_err(),
    };
    if !is_right {
        return Err(format!("should end as {:?}, but: {result:?}", attempt.end));
    }
    if !worker.has_ended() {
        return Err("the worker lives on".into());
    }
    Ok(())
}

/// Runs an attempt where there is no filter.
fn run_unfiltered(attempt: &Attempt, zygote: &Arc<Zygote>, limit: Duration) -> (Worker, Result<Exit, SandboxError>) {
    let mut program = program(|asm| (attempt.code)(asm));
    program.set_memory(program.map, b"constant", &data());
    let mut worker = Worker::spawn(zygote, limits(limit)).unwrap();
    worker.load(&program.image()).unwrap();
    let result = worker.run(&mut program.state());
    (worker, result)
}

/// Errno of attempts that the kernel refuses without a filter too; `None` if the worker ends.
fn unfiltered(attempt: &Attempt, zygote: &Arc<Zygote>) -> Option<i32> {
    match run_unfiltered(attempt, zygote, Duration::from_millis(50)).1 {
        Ok(Exit::HostCall(said)) => Some(said as i32),
        _ => None,
    }
}

/// Attempts that succeed without a filter, and do no harm: see docs/security.md.
const HARMLESS: [&str; 16] = [
    // The first process of a pid namespace gets no signals from inside.
    "kill the zygote",
    "signal a thread",
    // These change only the worker itself, and filters only add up.
    "replace the filter by one that allows everything",
    "replace the filter through prctl",
    "become dumpable",
    "take over the robust list",
    "replace a signal handler",
    "change what processors it runs on",
    "ask for the time",
    "sleep",
    // Says where the break is, and does not move it.
    "exhaust memory: brk",
    // Of the worker's own ipc namespace. It cannot be mapped, as the address space is full.
    "exhaust memory: shared memory",
    "exhaust memory: message queue",
    // `getpid`, both.
    "a permitted number by the 32-bit interface",
    "a call whose number has high bits",
    // Nobody waits on the word that it moves waiters to.
    "use a futex operation that is not needed",
];

/// Attempts that `mseal` refuses.
const SEALED: [&str; 7] = [
    "unmap compiled code",
    "map over compiled code",
    "make compiled code writable",
    "make the worker's own code writable",
    "make the control page read-only",
    "make the stack executable",
    "move the stack",
];

/// Attempts that `PR_SET_MDWE` refuses.
const EXECUTABLE: [&str; 3] =
    ["map executable memory", "make guest memory executable", "make guest memory writable and executable"];

/// Returns true if the workers of a zygote have this layer. Reports a missing one.
fn has(zygote: &Zygote, layer: protocol::Layer) -> bool {
    let name = layer.name();
    let is_there = zygote.layers().iter().any(|layer| layer.what == name && layer.is_there());
    if !is_there {
        let _ = writeln!(std::io::stderr(), "SKIPPED, as this kernel has it not: {name}");
    }
    is_there
}

/// The second line of defence against an attempt, on its own; `Err` describes a failed check.
fn contained_unfiltered(attempt: &Attempt, zygote: &Arc<Zygote>, harmless: &[&str]) -> Result<(), String> {
    let limit =
        if attempt.end == Expected::ProtocolViolation { Duration::from_secs(10) } else { Duration::from_millis(50) };
    match run_unfiltered(attempt, zygote, limit) {
        // The kernel's answer.
        (_, Ok(Exit::HostCall(said))) if (said as i32) < 0 || harmless.contains(&attempt.name.as_str()) => Ok(()),
        (worker, Err(_)) if worker.has_ended() => Ok(()),
        (_, result) => Err(format!("{result:?}")),
    }
}

#[test]
fn without_filters_the_second_line_contains_each_attempt() {
    let filtered = zygote();
    let program = bystander();
    let mut witness = Worker::spawn(&filtered, limits(Duration::from_secs(5))).unwrap();
    witness.load(&program.image()).unwrap();

    let zygote = Arc::new(Zygote::start_unfiltered().unwrap());
    let mut harmless = HARMLESS.to_vec();
    for (layer, names) in [(protocol::Layer::Seal, &SEALED[..]), (protocol::Layer::Mdwe, &EXECUTABLE)] {
        if !has(&zygote, layer) {
            harmless.extend(names);
        }
    }
    // Limits on processes don't apply to root, if the host is root and `nobody` is not mapped.
    let status = std::fs::read_to_string(format!("/proc/{}/status", zygote.launcher())).unwrap();
    if status.lines().any(|line| line.starts_with("Uid:\t0\t")) {
        harmless.extend(["fork", "vfork", "clone a thread", "become root"]);
    }

    let attempts: Vec<Attempt> = [outside(), kernel(), memory(), protocol_attempts()].into_iter().flatten().collect();
    let mut failures = Vec::new();
    for attempt in &attempts {
        let result = match attempt.name.as_str() {
            // It reaches the other workers of the zygote, which is why it gets one of its own.
            "kill everyone" => {
                let own = Arc::new(Zygote::start_unfiltered().unwrap());
                contained_unfiltered(attempt, &own, &["kill everyone"])
                    .and_then(|()| {
                        Worker::spawn(&own, limits(Duration::from_secs(1))).map_err(|error| error.to_string())
                    })
                    .map(drop)
            }
            _ => contained_unfiltered(attempt, &zygote, &harmless),
        };
        if let Err(why) = result {
            failures.push(format!("{}: {why}", attempt.name));
        }
        assert_eq!(witness.run(&mut program.state()), Ok(Exit::HostCall(5)), "after: {}", attempt.name);
    }
    let (attempted, contained) = (attempts.len(), attempts.len() - failures.len());
    let line = format!("hostile machine code without filters: {attempted} attempted, {contained} contained");
    // Past the test harness, as below.
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn without_filters_sealed_memory_stays_and_none_becomes_executable() {
    // EPERM of the seal; EACCES if a file's own seal, or the filter against executable memory, is checked first.
    const REFUSED: [Option<i32>; 2] = [Some(-1), Some(-13)];
    let zygote = Arc::new(Zygote::start_unfiltered().unwrap());
    let said = |name: &str| {
        let attempt = memory().into_iter().find(|attempt| attempt.name == name).unwrap();
        unfiltered(&attempt, &zygote)
    };
    if has(&zygote, protocol::Layer::Seal) {
        for name in SEALED {
            let said = said(name);
            assert!(REFUSED.contains(&said), "{name}: {said:?}");
        }
    }
    if has(&zygote, protocol::Layer::Mdwe) {
        for name in EXECUTABLE {
            assert_eq!(said(name), Some(-13), "{name}");
        }
    }
    // Expected values: PR_GET_SECUREBITS, PR_GET_MDWE.
    for (layer, option, value) in [(protocol::Layer::Securebits, 27, 0xef), (protocol::Layer::Mdwe, 66, 1)] {
        if has(&zygote, layer) {
            assert_eq!(unfiltered(&call("ask", 157, &[option]), &zygote), Some(value));
        }
    }
}

/// Makes a folder, by a path that is data of the program. For where there is no empty root.
pub(super) fn make_folder(zygote: &Arc<Zygote>, path: &str) -> Option<i32> {
    let mut program = program(|asm| (call("make a folder", 83, &[DATA, 0o777]).code)(asm));
    program.set_memory(program.map, b"", format!("{path}\0").as_bytes());
    let mut worker = Worker::spawn(zygote, limits(Duration::from_secs(1))).unwrap();
    worker.load(&program.image()).unwrap();
    match worker.run(&mut program.state()) {
        Ok(Exit::HostCall(said)) => Some(said as i32),
        _ => None,
    }
}

/// A well-behaved program, in a worker that must survive all attempts.
fn bystander() -> TestProgram {
    leaving(protocol::EXIT_HOST_CALL)
}

#[test]
fn machine_code_that_tries_to_get_out_ends_its_worker_and_nothing_else() {
    let zygote = zygote();
    let program = bystander();
    let mut witness = worker_of(&zygote, &program);
    let attempts: Vec<Attempt> = [outside(), kernel(), memory(), protocol_attempts()].into_iter().flatten().collect();
    let mut failures = Vec::new();
    for attempt in &attempts {
        if let Err(why) = contained(attempt, &zygote) {
            failures.push(format!("{}: {why}", attempt.name));
        }
        assert_eq!(witness.run(&mut program.state()), Ok(Exit::HostCall(5)), "after: {}", attempt.name);
    }
    // Written past the test harness, which shows the output of failed tests only.
    let (attempted, contained) = (attempts.len(), attempts.len() - failures.len());
    let _ = writeln!(std::io::stderr(), "hostile machine code: {attempted} attempted, {contained} contained");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_system_call_but_two_ends_the_worker() {
    let zygote = zygote();
    let mut allowed = Vec::new();
    for number in 0..=480u64 {
        let attempt = match number {
            // With the arguments that it needs.
            10 => call("mprotect", number, &[DATA, 0x1000, 3]),
            202 => call("futex", number, &[CONTROL_BASE, 1, 1]),
            _ => call("any", number, &[0, 0, 0, 0, 0, 0]),
        };
        // The kernel does not filter its own entry points for probes; without a probe they signal or do nothing.
        if matches!(number, 335 | 336) {
            continue;
        }
        if let Err(why) = contained(&attempt, &zygote) {
            assert!(why.contains("HostCall"), "{number}: {why}");
            allowed.push(number);
        }
    }
    assert_eq!(allowed, [10, 202]);
}

#[test]
fn random_machine_code_harms_nobody() {
    let zygote = zygote();
    let program = bystander();
    let mut witness = worker_of(&zygote, &program);
    // xorshift64: the same code every time.
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut lived, mut died) = (0, 0);
    for round in 0..1500 {
        let random = self::program(|asm| {
            for _ in 0..16 {
                asm.bytes(&next().to_le_bytes());
                // The instructions that matter most come more often than by chance.
                match next() % 8 {
                    0 => asm.bytes(SYSCALL),
                    1 => asm.push(forms::mov_mr(Width::W64, control(next() as usize % 512), Reg::Rax)),
                    _ => {}
                }
            }
            leave(asm, protocol::EXIT_TRAP);
        });
        let mut worker = Worker::spawn(&zygote, limits(Duration::from_millis(5))).unwrap();
        worker.load(&random.image()).unwrap();
        let mut state = random.state();
        state.regs = std::array::from_fn(|_| if next() % 2 == 0 { DATA } else { next() % 512 });
        match worker.run(&mut state) {
            Ok(_) => {
                assert!(state.native_pc as usize <= random.code.len());
                lived += 1;
            }
            Err(_) => {
                assert!(worker.has_ended(), "round {round}");
                died += 1;
            }
        }
        assert_eq!(witness.run(&mut program.state()), Ok(Exit::HostCall(5)), "after round {round}");
    }
    assert!(lived > 0 && died > 0, "{lived} lived, {died} died");
}
