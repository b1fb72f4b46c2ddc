//! Figures of the sandbox: `cargo test --release -p pvm-engine figures -- --ignored --nocapture`. Nothing is asserted
//! of time.

use super::*;
use std::time::Instant;

fn host_call() -> TestProgram {
    program(|asm| {
        let again = asm.new_label();
        asm.bind(again);
        asm.push(forms::mov_ri(SCRATCH, 5));
        leave(asm, protocol::EXIT_HOST_CALL);
        asm.jmp(again);
    })
}

/// Prints best and median of the times of something.
fn print(what: &str, repeats: usize, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what}: best {:?}, median {:?}", times[0], times[repeats / 2]);
}

fn round_trips(worker: &mut impl WorkerProcess, program: &TestProgram, count: u32) {
    let mut state = program.state();
    for _ in 0..count {
        assert_eq!(worker.run(&mut state), Ok(Exit::HostCall(5)));
    }
}

#[test]
#[ignore = "measures"]
fn figures() {
    let settings = Settings::default();
    println!("processors {}", super::super::sys::processors());
    print("zygote started and ended", 20, || drop(zygote()));
    let pool = Pool::new(settings).unwrap();
    let program = host_call();
    {
        let zygote = zygote();
        print("worker spawned, and killed", 500, || {
            drop(Worker::spawn(&zygote, limits(Duration::from_secs(1))).unwrap())
        });
        let mut workers = Vec::new();
        print("worker spawned", 500, || workers.push(Worker::spawn(&zygote, limits(Duration::from_secs(1))).unwrap()));
    }
    drop(pool.take(&program.image()).unwrap());
    print("pooled worker taken and given back, never run", 2000, || drop(pool.take(&program.image()).unwrap()));
    print("pooled worker taken, run to one host call, given back", 2000, || {
        let mut worker = pool.take(&program.image()).unwrap();
        round_trips(&mut worker, &program, 1);
    });
    print("new program, its first worker, run to one host call, given back", 1000, || {
        let other = host_call();
        round_trips(&mut pool.take(&other.image()).unwrap(), &other, 1);
    });
    let pool = Pool::new(Settings { reserve: 0, ..Settings::default() }).unwrap();
    print("the same without a reserve", 1000, || {
        let other = host_call();
        round_trips(&mut pool.take(&other.image()).unwrap(), &other, 1);
    });
    let mut worker = pool.take(&program.image()).unwrap();
    print("10000 host call round trips", 30, || round_trips(&mut worker, &program, 10_000));
    for pause in [100, 1000, 10_000] {
        print(&format!("{pause} us of nothing, and a round trip"), 200, || {
            std::thread::sleep(Duration::from_micros(pause));
            round_trips(&mut worker, &program, 1);
        });
    }
}

#[test]
#[ignore = "measures"]
fn memory_of_a_worker() {
    let program = host_call();
    let zygote = zygote();
    // A number in KiB of a file of a process.
    let kib = |id: &str, file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let tables_before = kib("self", "status", "VmPTE");
    const COUNT: u64 = 200;
    let workers: Vec<Worker> = (0..COUNT)
        .map(|_| {
            let mut worker = worker_of(&zygote, &program);
            round_trips(&mut worker, &program, 1);
            worker
        })
        .collect();
    let tables = kib("self", "status", "VmPTE") - tables_before;
    let id = protection::last_child_of(protection::last_child_of(zygote.launcher())).to_string();
    println!(
        "a worker that has run: {} KiB resident of which {} shared with the host, {} proportional, {} of page tables; \
         the host's page tables for each: {} KiB",
        kib(&id, "status", "VmRSS"),
        kib(&id, "status", "RssShmem"),
        kib(&id, "smaps_rollup", "Pss:"),
        kib(&id, "status", "VmPTE"),
        tables / COUNT,
    );
    drop(workers);
}

#[test]
#[ignore = "measures"]
fn two_that_share_a_processor_without_knowing() {
    let program = host_call();
    let zygote = zygote();
    let mut worker = worker_of(&zygote, &program);
    let id = protection::last_child_of(protection::last_child_of(zygote.launcher()));
    print("1000 round trips", 30, || round_trips(&mut worker, &program, 1000));
    for id in [id, std::process::id()] {
        let moved = std::process::Command::new("taskset").args(["-apc", "0", &id.to_string()]).output().unwrap();
        assert!(moved.status.success());
    }
    print("1000 round trips on one processor", 30, || round_trips(&mut worker, &program, 1000));
    for id in [id, std::process::id()] {
        let moved = std::process::Command::new("taskset").args(["-apc", "0,1", &id.to_string()]).output().unwrap();
        assert!(moved.status.success());
    }
    print("1000 round trips on two again", 30, || round_trips(&mut worker, &program, 1000));
}
