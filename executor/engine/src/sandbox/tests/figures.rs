//! How fast the cage is: `cargo test --release -p pvm-engine figures -- --ignored --nocapture`. Nothing is asserted of time.

use super::*;
use std::time::Instant;

fn host_call() -> Program {
    program(|asm| {
        let again = asm.new_label();
        asm.bind(again);
        asm.push(forms::mov_ri(Reg::Rcx, 5));
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

fn round_trips(cage: &mut impl Cage, program: &Program, count: u32) {
    let mut state = program.state();
    for _ in 0..count {
        assert_eq!(cage.run(&mut state), Ok(Exit::HostCall(5)));
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
        print("worker spawned, and killed", 500, || drop(Worker::spawn(&zygote, Duration::from_secs(1)).unwrap()));
        let mut workers = Vec::new();
        print("worker spawned", 500, || workers.push(Worker::spawn(&zygote, Duration::from_secs(1)).unwrap()));
    }
    drop(pool.take(&program.image()).unwrap());
    print("pooled worker taken and given back, never run", 2000, || drop(pool.take(&program.image()).unwrap()));
    print("pooled worker taken, run to one host call, given back", 2000, || {
        let mut cage = pool.take(&program.image()).unwrap();
        round_trips(&mut cage, &program, 1);
    });
    let other = host_call();
    print("pooled worker taken, another program loaded and run, twice", 1000, || {
        for program in [&program, &other] {
            let small = Pool::take(&pool, &program.image());
            round_trips(&mut small.unwrap(), program, 1);
        }
    });
    let mut cage = pool.take(&program.image()).unwrap();
    print("10000 host call round trips", 30, || round_trips(&mut cage, &program, 10_000));
    let kib = |name: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/meminfo").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    std::thread::sleep(Duration::from_millis(300));
    let before = kib("MemAvailable");
    let mut cages: Vec<_> = (0..400).map(|_| pool.take(&program.image()).unwrap()).collect();
    for cage in &mut cages {
        round_trips(cage, &program, 1);
    }
    std::thread::sleep(Duration::from_millis(300));
    let after = kib("MemAvailable");
    println!("memory of a worker that has run: {} KiB of the machine's", before.saturating_sub(after) / 400);
}
