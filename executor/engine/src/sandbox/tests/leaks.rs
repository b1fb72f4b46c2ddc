//! Leak tests: file descriptors, mappings and processes are counted, in a process that does nothing else.

use super::*;
use pvm_test_support::descendants;
use std::process::Command;

/// Runs an ignored test of this module alone in a process of its own.
fn alone(name: &str) {
    let name = format!("sandbox::tests::leaks::{name}");
    // With the largest permitted number of file descriptors.
    let script = "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\"";
    check_passed(Command::new("sh").args(["-c", script]).arg(std::env::current_exe().unwrap()).args([
        "--exact",
        &name,
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]));
}

/// Runs a test in a process of its own, and checks that it passed.
pub(super) fn check_passed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// Resources of this process: file descriptors, mappings, and descendant processes that have not ended.
#[derive(PartialEq, Eq, Debug)]
struct Belongings {
    files: usize,
    mappings: usize,
    processes: usize,
}

impl Belongings {
    fn count() -> Belongings {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
        // The allocator's arenas grow and shrink; our mappings are memory files.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mappings = maps.lines().filter(|line| line.contains("memfd:pvm-")).count();
        Belongings { files, mappings, processes: descendants(std::process::id(), true) }
    }

    /// Polls until the resources are as expected, as processes end asynchronously; returns the last count.
    fn settle(expected: &Belongings) -> Belongings {
        for _ in 0..500 {
            let now = Belongings::count();
            if now == *expected {
                return now;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Belongings::count()
    }
}

/// Polls until this process has as many descendants as expected; returns the last count.
fn descendants_in_the_end(expected: usize) -> usize {
    let counts = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        descendants(std::process::id(), true)
    });
    let mut last = 0;
    for count in counts {
        last = count;
        if count == expected {
            break;
        }
    }
    last
}

fn host_call() -> TestProgram {
    leaving(protocol::EXIT_HOST_CALL)
}

#[test]
fn ten_thousand_workers_one_after_another_leave_nothing() {
    alone("ten_thousand_workers");
}

#[test]
#[ignore = "another test runs it alone"]
fn ten_thousand_workers() {
    let before = Belongings::count();
    {
        let zygote = zygote();
        let program = host_call();
        let with_zygote = Belongings::count();
        assert_eq!(with_zygote.processes, 2, "launcher and zygote");
        let mut at_first = 0;
        for round in 0..10_000 {
            if round == 1000 {
                at_first = resident();
            }
            let mut worker = Worker::spawn(&zygote, limits(Duration::from_secs(5))).unwrap();
            // In every state that a worker can be dropped in.
            if round % 4 > 0 {
                worker.load(&program.image()).unwrap();
            }
            if round % 4 > 1 {
                assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
            }
            if round % 4 > 2 {
                worker.kill();
            }
        }
        assert_eq!(Belongings::settle(&with_zygote), with_zygote);
        // Nine thousand times a page would be 36 MiB.
        let grown = resident().saturating_sub(at_first);
        assert!(grown < 8 << 10, "{grown} KiB more than after the first thousand");
    }
    assert_eq!(Belongings::settle(&before), before);
}

/// Memory of this process and of its page tables, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    number("VmRSS:") + number("VmPTE:")
}

#[test]
fn a_thousand_workers_at_once_leave_nothing() {
    alone("a_thousand_workers");
}

#[test]
#[ignore = "another test runs it alone"]
fn a_thousand_workers() {
    let before = Belongings::count();
    // A descriptor for each worker, and some more.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let files: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let count = 1000.min(files.saturating_sub(100));
    {
        let pool = Pool::new(Settings { idle: 10, reserve: 0, ..Settings::default() }).unwrap();
        let program = host_call();
        let mut workers: Vec<Pooled> = Vec::new();
        while workers.len() < count {
            match pool.take(&program.image()) {
                Ok(worker) => workers.push(worker),
                // EAGAIN: a limit on processes, of a container perhaps.
                Err(SandboxError::Setup { errno: 11, .. }) if workers.len() >= 100 => break,
                Err(error) => panic!("{error} after {}", workers.len()),
            }
        }
        let count = workers.len();
        for _ in 0..2 {
            for worker in &mut workers {
                assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
            }
        }
        assert_eq!(descendants_in_the_end(2 + count), 2 + count);
        // Threads of the kernel's choice end them in any order.
        drop(workers);
        assert_eq!(pool.counts().workers, 10);
    }
    assert_eq!(Belongings::settle(&before), before);
}

#[test]
fn workers_end_when_the_host_dies_whatever_they_do() {
    // A host that is killed, with a worker in an endless run and a waiting one.
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::tests::leaks::a_host_that_hangs", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(host.stdout.take().unwrap()));
    let ready = lines.by_ref().map(Result::unwrap).find(|line| line.contains("launcher "));
    let ready = ready.unwrap();
    let launcher: u32 = ready.rsplit_once("launcher ").unwrap().1.parse().unwrap();
    // Until the endless run has begun: the zygote and two workers, with the launcher.
    assert_eq!(descendants(launcher, true), 3);
    host.kill().unwrap();
    host.wait().unwrap();
    for _ in 0..500 {
        if !std::path::Path::new(&format!("/proc/{launcher}")).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the launcher lives on, with {} processes", descendants(launcher, true));
}

#[test]
#[ignore = "another test runs it"]
fn a_host_that_hangs() {
    let zygote = zygote();
    let endless = program(|asm| asm.bytes(&[0xeb, 0xfe]));
    let mut idle = Worker::spawn(&zygote, limits(Duration::from_secs(60))).unwrap();
    idle.load(&endless.image()).unwrap();
    let mut busy = Worker::spawn(&zygote, limits(Duration::from_secs(60))).unwrap();
    busy.load(&endless.image()).unwrap();
    println!("\nlauncher {}", zygote.launcher());
    let _ = busy.run(&mut endless.state());
}

#[test]
fn a_forked_child_can_neither_use_nor_harm_the_workers_of_its_parent() {
    alone("forked");
}

#[test]
#[ignore = "another test runs it alone"]
fn forked() {
    let program = host_call();
    let mut worker = worker(&program);
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
    // SAFETY: the child does nothing that another thread could have been in the middle of, and exits at once. There is
    // no allocation in what it calls.
    let child = unsafe { fork() };
    if child == 0 {
        let refused = worker.run(&mut GuestState::default()) == Err(SandboxError::Forked);
        drop(worker);
        exit_group(if refused { 0 } else { 1 });
    }
    assert_eq!(wait_for(child), 0, "the child was refused");
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
}

#[test]
fn what_a_forked_child_does_with_instances_of_its_parent_is_not_seen_by_them() {
    alone("forked_with_a_pool");
}

#[test]
#[ignore = "another test runs it alone"]
fn forked_with_a_pool() {
    let program = host_call();
    let other = host_call();
    let pool = Pool::new(Settings { reserve: 0, ..Settings::default() }).unwrap();
    let mut worker = pool.take(&program.image()).unwrap();
    // One that waits.
    drop(pool.take(&program.image()).unwrap());
    let address = program.map.rw_base() + 0x100;
    worker.write(address, b"parent");
    let heap = (program.map.rw_end(), program.map.rw_end() + 0x1000);
    // SAFETY: the test has this one thread, and the child exits at once.
    let child = unsafe { fork() };
    if child == 0 {
        worker.write(address, b"child!");
        worker.fill(address, 0x11, 6);
        let refused = [
            worker.reset(),
            worker.load(&other.image()),
            worker.grow_heap(heap.0, heap.1),
            worker.run(&mut program.state()).map(|_| ()),
            pool.take(&other.image()).map(|_| ()),
            pool.take(&program.image()).map(|_| ()),
        ];
        let all = refused.iter().all(|result| *result == Err(SandboxError::Forked));
        // Nor if they are dropped.
        drop((worker, pool));
        exit_group(if all { 0 } else { 1 });
    }
    assert_eq!(wait_for(child), 0, "the child was refused");
    let mut bytes = [0; 6];
    worker.read(address, &mut bytes);
    assert_eq!(&bytes, b"parent");
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
    let mut waiting = pool.take(&program.image()).unwrap();
    assert_eq!(waiting.run(&mut program.state()), Ok(Exit::HostCall(5)));
    assert_eq!(pool.counts(), Counts { workers: 2, idle: 0, fresh: 0, spawned: 3 });
}

#[test]
fn signals_to_the_host_interrupt_nothing() {
    alone("interrupted");
}

static INTERRUPTIONS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

extern "C" fn count_interruption(_: i32) {
    INTERRUPTIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn siginterrupt(number: i32, on: i32) -> i32;
    fn setitimer(which: i32, new: *const [i64; 4], old: *mut [i64; 4]) -> i32;
}

#[test]
#[ignore = "another test runs it alone"]
fn interrupted() {
    const SIGALRM: i32 = 14;
    // SAFETY: the handler only counts; system calls are interrupted and not begun again. A tick every 300 us.
    unsafe {
        assert_ne!(signal(SIGALRM, count_interruption), usize::MAX);
        assert_eq!(siginterrupt(SIGALRM, 1), 0);
        assert_eq!(setitimer(0, &[0, 300, 0, 300], std::ptr::null_mut()), 0);
    }
    let program = host_call();
    // Counts to 2^22 and calls the host: the host sleeps meanwhile.
    let slow = counting(1 << 22, protocol::EXIT_HOST_CALL);
    for _ in 0..20 {
        let pool = Pool::new(Settings::default()).unwrap();
        let mut workers: Vec<Pooled> = (0..10).map(|_| pool.take(&program.image()).unwrap()).collect();
        for worker in &mut workers {
            for _ in 0..20 {
                assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
            }
        }
        drop(workers);
        let mut worker = pool.take(&slow.image()).unwrap();
        for _ in 0..5 {
            assert_eq!(worker.run(&mut slow.state()), Ok(Exit::HostCall(0)));
        }
    }
    // SAFETY: as before; no more ticks.
    assert_eq!(unsafe { setitimer(0, &[0; 4], std::ptr::null_mut()) }, 0);
    let count = INTERRUPTIONS.load(std::sync::atomic::Ordering::Relaxed);
    assert!(count > 100, "{count} signals came");
}

/// # Safety
/// The child must not touch what other threads hold.
unsafe fn fork() -> usize {
    let child: usize;
    // SAFETY: the caller answers for the child.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") 57usize => child, lateout("rcx") _, lateout("r11") _);
    }
    child
}

fn exit_group(status: usize) -> ! {
    // SAFETY: ends the process.
    unsafe { std::arch::asm!("syscall", in("rax") 231, in("rdi") status, options(noreturn)) }
}

fn wait_for(child: usize) -> u32 {
    let mut status = 0u32;
    // SAFETY: `wait4`; the kernel writes the status.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") 61usize => _, in("rdi") child, in("rsi") &raw mut status,
            in("rdx") 0, in("r10") 0, lateout("rcx") _, lateout("r11") _);
    }
    status
}
