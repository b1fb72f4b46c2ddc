//! Nothing is left over: file descriptors, mappings and processes are counted, in a process that does nothing else.

use super::*;
use std::process::Command;

/// Runs an ignored test of this module alone in a process of its own.
fn alone(name: &str) {
    let name = format!("sandbox::tests::leaks::{name}");
    check_passed(Command::new(std::env::current_exe().unwrap()).args([
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

/// What this process has: file descriptors, mappings, and processes below it that have not ended.
#[derive(PartialEq, Eq, Debug)]
struct Belongings {
    files: usize,
    mappings: usize,
    processes: usize,
}

impl Belongings {
    fn count() -> Belongings {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
        // The allocator's arenas grow and shrink as they like; ours are files in memory.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mappings = maps.lines().filter(|line| line.contains("memfd:pvm-")).count();
        Belongings { files, mappings, processes: descendants(std::process::id()) }
    }

    /// Counts until it is as expected, as processes end in their own time; in the end what there is.
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

/// How many processes there are below this one, dead ones that nobody has reaped among them.
fn descendants(process: u32) -> usize {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // Behind the name in parentheses: state, parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((id, parent))
        })
        .collect();
    let mut known = vec![process];
    let mut index = 0;
    while let Some(parent) = known.get(index).copied() {
        known.extend(parents.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        index += 1;
    }
    known.len() - 1
}

fn host_call() -> Program {
    program(|asm| {
        asm.push(forms::mov_ri(SCRATCH, 5));
        leave(asm, protocol::EXIT_HOST_CALL);
    })
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
        for round in 0..10_000 {
            let mut worker = Worker::spawn(&zygote, Duration::from_secs(5)).unwrap();
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
    }
    assert_eq!(Belongings::settle(&before), before);
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
        let pool = Pool::new(Settings { idle: 10, ..Settings::default() }).unwrap();
        let program = host_call();
        let mut cages: Vec<Pooled> = Vec::new();
        while cages.len() < count {
            match pool.take(&program.image()) {
                Ok(cage) => cages.push(cage),
                // EAGAIN: a limit on processes, of a container perhaps.
                Err(CageError::Setup { errno: 11, .. }) if cages.len() >= 100 => break,
                Err(error) => panic!("{error} after {}", cages.len()),
            }
        }
        let count = cages.len();
        for _ in 0..2 {
            for cage in &mut cages {
                assert_eq!(cage.run(&mut program.state()), Ok(Exit::HostCall(5)));
            }
        }
        assert_eq!(Belongings::count().processes, 2 + count);
        // Threads of the kernel's choice end them in any order.
        drop(cages);
        assert_eq!(pool.counts().workers, 10);
    }
    assert_eq!(Belongings::settle(&before), before);
}

#[test]
fn workers_end_when_the_host_dies_whatever_they_do() {
    // A host that is killed, with a worker that runs for ever and one that waits.
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::tests::leaks::a_host_that_hangs", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(host.stdout.take().unwrap()));
    let ready = lines.by_ref().map(Result::unwrap).find(|line| line.contains("launcher "));
    let ready = ready.unwrap();
    let launcher: u32 = ready.rsplit_once("launcher ").unwrap().1.parse().unwrap();
    // Until the one that runs for ever does: the zygote and two workers, with the launcher.
    assert_eq!(descendants(launcher), 3);
    host.kill().unwrap();
    host.wait().unwrap();
    for _ in 0..500 {
        if !std::path::Path::new(&format!("/proc/{launcher}")).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the launcher lives on, with {} processes", descendants(launcher));
}

#[test]
#[ignore = "another test runs it"]
fn a_host_that_hangs() {
    let zygote = zygote();
    let endless = program(|asm| asm.bytes(&[0xeb, 0xfe]));
    let mut idle = Worker::spawn(&zygote, Duration::from_secs(60)).unwrap();
    idle.load(&endless.image()).unwrap();
    let mut busy = Worker::spawn(&zygote, Duration::from_secs(60)).unwrap();
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
        let refused = worker.run(&mut State::default()) == Err(CageError::Forked);
        drop(worker);
        exit_group(if refused { 0 } else { 1 });
    }
    assert_eq!(wait_for(child), 0, "the child was refused");
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::HostCall(5)));
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
