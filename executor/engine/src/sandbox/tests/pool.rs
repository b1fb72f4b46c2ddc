//! Tests of the pool: workers that are reused, for the same program and others.

use super::*;
use std::collections::HashSet;

fn pool(idle: usize, workers: usize) -> Arc<Pool> {
    // Nothing is made in advance, so that workers can be counted. One was made to probe the sandbox.
    let pool = Pool::new(Settings { idle, workers, reserve: 0, ..Settings::default() }).unwrap();
    assert_eq!(pool.counts(), counts(0, 0, 1));
    pool
}

fn counts(workers: usize, idle: usize, spawned: usize) -> Counts {
    Counts { workers, idle, fresh: 0, spawned }
}

/// Fills the words from A0 up to A1 with A2; then returns in A3 the union of all bits in the words from A4 up to A5.
fn filler_and_scanner() -> TestProgram {
    program(|asm| {
        let (fill, filled, scan, scanned) = (asm.new_label(), asm.new_label(), asm.new_label(), asm.new_label());
        asm.bind(fill);
        asm.push(forms::cmp_rr(R64, Reg::Rdi, Reg::Rsi));
        asm.jcc(Cond::AboveOrEqual, filled);
        asm.push(forms::mov_mr(Width::W64, Mem::base32(Reg::Rdi, 0), Reg::R8));
        asm.push(forms::add_ri(R64, Reg::Rdi, 8));
        asm.jmp(fill);
        asm.bind(filled);
        asm.push(forms::mov_ri(Reg::R9, 0));
        asm.bind(scan);
        asm.push(forms::cmp_rr(R64, Reg::R10, Reg::R11));
        asm.jcc(Cond::AboveOrEqual, scanned);
        asm.push(forms::or_rm(R64, Reg::R9, Mem::base32(Reg::R10, 0)));
        asm.push(forms::add_ri(R64, Reg::R10, 8));
        asm.jmp(scan);
        asm.bind(scanned);
        leave(asm, protocol::EXIT_TRAP);
    })
}

const PATTERN: u64 = 0xa5a5_5a5a_c3c3_3c3c;

fn fill(worker: &mut impl WorkerProcess, program: &TestProgram, from: u32, to: u32) {
    let mut state = program.state();
    (state.regs[7], state.regs[8], state.regs[9]) = (from.into(), to.into(), PATTERN);
    (state.regs[11], state.regs[12]) = (0, 0);
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap));
}

fn scan(worker: &mut impl WorkerProcess, program: &TestProgram, from: u32, to: u32) -> u64 {
    let mut state = program.state();
    (state.regs[7], state.regs[8]) = (0, 0);
    (state.regs[11], state.regs[12]) = (from.into(), to.into());
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap));
    state.regs[10]
}

/// Readable ranges without initial data: the first word of each kind of data is initial.
fn empty_regions(program: &TestProgram, heap: u32) -> [(u32, u32); 4] {
    let map = &program.map;
    [
        (MemoryMap::RO_BASE + 8, map.ro_end()),
        (map.rw_base() + 8, map.rw_end() + heap),
        (map.stack_low(), map.stack_high()),
        (map.aux_base(), map.aux_end()),
    ]
}

fn check_is_as_new(worker: &mut impl WorkerProcess, program: &TestProgram, heap: u32) {
    worker.grow_heap(program.map.rw_end(), program.map.rw_end() + heap).unwrap();
    for (from, to) in empty_regions(program, heap) {
        assert_eq!(scan(worker, program, from, to), 0, "{from:#x} to {to:#x}");
    }
    for (address, data) in
        [(MemoryMap::RO_BASE, program.data.ro_data()), (program.map.rw_base(), program.data.rw_data())]
    {
        let word = u64::from_le_bytes(data[..8].try_into().unwrap());
        assert_eq!(scan(worker, program, address, address + 8), word);
    }
}

fn soil(worker: &mut impl WorkerProcess, program: &TestProgram, heap: u32) {
    let map = &program.map;
    fill(worker, program, map.rw_base(), map.rw_end() + heap);
    fill(worker, program, map.stack_low(), map.stack_high());
    worker.fill(map.aux_base(), 0x99, map.aux_end() - map.aux_base());
    for (from, to) in empty_regions(program, heap).into_iter().skip(1) {
        assert_ne!(scan(worker, program, from, to), 0, "what the next one would see");
    }
}

#[test]
fn no_byte_of_one_instance_is_seen_by_the_next_in_the_same_worker() {
    let sizes = [(0x1000, 0x1000, 0x1000), (0x3000, 0x2800, 0x3000), (0x9_0000, 0x8_0000, 0x10_0000)];
    let pool = pool(6, 6);
    let mut programs = Vec::new();
    for (ro, rw, stack) in sizes {
        let mut first = filler_and_scanner();
        first.set_memory(map(ro, rw, stack, 0x2000), b"constant", b"variable");
        let mut second = filler_and_scanner();
        second.set_memory(first.map, b"other co", b"variable");
        programs.extend([first, second]);
    }
    let heaps = [0, 0x1000, 0x3_0000, 0x80_0000];
    for program in &programs {
        for heap in heaps {
            // The same program again, and then each other one.
            for _ in 0..2 {
                let mut worker = pool.take(&program.image()).unwrap();
                check_is_as_new(&mut worker, program, heap);
                soil(&mut worker, program, heap);
            }
            for next in &programs {
                let mut worker = pool.take(&next.image()).unwrap();
                check_is_as_new(&mut worker, next, heap);
                soil(&mut worker, next, heap);
            }
        }
    }
    assert_eq!(pool.counts(), counts(6, 6, 7), "each program had the same worker all the time");
}

#[test]
fn a_reset_in_use_brings_the_first_contents_back() {
    let program = filler_and_scanner();
    let pool = pool(1, 1);
    let mut worker = pool.take(&program.image()).unwrap();
    for heap in [0, 0x10_0000, 0x1000] {
        check_is_as_new(&mut worker, &program, heap);
        soil(&mut worker, &program, heap);
        worker.reset().unwrap();
        let mut state = program.state();
        (state.regs[11], state.regs[12]) = (program.map.rw_end().into(), u64::from(program.map.rw_end()) + 8);
        (state.regs[7], state.regs[8]) = (0, 0);
        assert!(matches!(worker.run(&mut state), Ok(Exit::Fault(_))), "the heap is gone");
    }
}

/// Appends a call of `mprotect` that makes A1 bytes at A0 writable, if A3 is not 0.
fn make_writable_if_told(asm: &mut Assembler) {
    let after = asm.new_label();
    asm.push(forms::test_rr(R64, Reg::R9, Reg::R9));
    asm.jcc(Cond::Equal, after);
    asm.push(forms::mov_ri(Reg::Rdx, 3));
    asm.push(forms::mov_ri(Reg::Rax, 10));
    asm.bytes(&[0x0f, 0x05]);
    asm.bind(after);
}

/// Has the kernel make A1 bytes at A0 writable, if A3 is not 0, and stores A2 there.
fn compromised() -> TestProgram {
    program(|asm| {
        make_writable_if_told(asm);
        asm.push(forms::mov_mr(Width::W64, Mem::base32(Reg::Rdi, 0), Reg::R8));
        leave(asm, protocol::EXIT_TRAP);
    })
}

#[test]
fn what_a_compromised_worker_made_writable_is_as_at_first_for_the_next_instance() {
    let program = compromised();
    let pool = pool(1, 1);
    let map = program.map;
    let places = [
        MemoryMap::RO_BASE,
        map.ro_end(),
        map.rw_end(),
        map.rw_end() + 0x123_4000,
        map.stack_high(),
        map.aux_base(),
        map.aux_end(),
        0xfffe_f000,
    ];
    let store = |worker: &mut Pooled, address: u32, compromised: bool| {
        let mut state = program.state();
        (state.regs[7], state.regs[8], state.regs[9]) = (address.into(), 0x1000, PATTERN);
        state.regs[10] = compromised.into();
        worker.run(&mut state)
    };
    let bytes = |worker: &Pooled, address: u32| {
        let mut bytes = [0; 8];
        worker.read(address, &mut bytes);
        bytes
    };
    let mut worker = pool.take(&program.image()).unwrap();
    let tid = worker.tid();
    let before = places.map(|address| bytes(&worker, address));
    for address in places {
        assert!(matches!(store(&mut worker, address, false), Ok(Exit::Fault(_))));
        assert_eq!(store(&mut worker, address, true), Ok(Exit::Trap), "{address:#x}");
        assert_eq!(bytes(&worker, address), PATTERN.to_le_bytes());
    }
    drop(worker);
    let mut worker = pool.take(&program.image()).unwrap();
    assert_eq!(worker.tid(), tid, "the same worker");
    let mut wrong = Vec::new();
    for (address, before) in places.into_iter().zip(before) {
        if bytes(&worker, address) != before {
            wrong.push(format!("{address:#x}: its content"));
        }
        if !matches!(store(&mut worker, address, false), Ok(Exit::Fault(_))) {
            wrong.push(format!("{address:#x}: its protection"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_worker_never_gets_another_program() {
    let (first, second) = (filler_and_scanner(), filler_and_scanner());
    let pool = pool(4, 4);
    let mut worker = pool.take(&first.image()).unwrap();
    assert_eq!(worker.load(&second.image()), Err(SandboxError::AlreadyLoaded));
    assert_eq!(worker.load(&first.image()), Err(SandboxError::AlreadyLoaded));
    drop(worker);
    drop(pool.take(&second.image()).unwrap());
    assert_eq!(pool.counts(), counts(2, 2, 3));
}

#[test]
fn fresh_workers_are_never_used_again() {
    let program = filler_and_scanner();
    let settings = Settings { reserve: 0, fresh_workers: true, ..Settings::default() };
    let pool = Pool::new(settings).unwrap();
    for taken in 1..4 {
        drop(pool.take(&program.image()).unwrap());
        assert_eq!(pool.counts(), counts(0, 0, 1 + taken));
    }
}

/// Waits until a condition holds.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn fresh_workers_are_made_in_advance_once_they_are_missed_and_never_more_than_allowed() {
    let programs: [TestProgram; 8] = std::array::from_fn(|_| filler_and_scanner());
    let pool = Pool::new(Settings { workers: 10, reserve: 3, ..Settings::default() }).unwrap();
    assert_eq!(pool.counts(), Counts { workers: 1, idle: 0, fresh: 1, spawned: 1 });
    let mut workers = vec![pool.take(&programs[0].image()).unwrap()];
    assert_eq!(pool.counts().spawned, 1, "one program needs one worker");
    workers.push(pool.take(&programs[1].image()).unwrap());
    until("there are fresh workers", || pool.counts().fresh == 2);
    // A third is made in advance only if two are too few, which depends on timing.
    for program in &programs[2..] {
        workers.push(pool.take(&program.image()).unwrap());
    }
    until("there are two workers left", || matches!(pool.counts(), Counts { workers: 10, idle: 0, fresh: 2, .. }));
    for program in &programs[..2] {
        workers.push(pool.take(&program.image()).unwrap());
    }
    assert_eq!(pool.take(&programs[0].image()).err(), Some(SandboxError::TooManyWorkers { limit: 10 }));
    for worker in &mut workers {
        check_is_as_new(worker, &programs[0], 0);
    }
}

#[test]
fn workers_that_wait_make_room_for_fresh_ones() {
    let programs: [TestProgram; 20] = std::array::from_fn(|_| filler_and_scanner());
    let pool = Pool::new(Settings { idle: 8, workers: 8, reserve: 8, ..Settings::default() }).unwrap();
    for program in &programs {
        check_is_as_new(&mut pool.take(&program.image()).unwrap(), program, 0);
        assert!(pool.counts().workers <= 8);
    }
    until("there are fresh workers", || pool.counts().fresh == 2);
    assert!(pool.counts().idle > 0 && pool.counts().workers <= 8);
}

/// A hostile worker that hands control back as usual, and continues computing.
fn spinner() -> TestProgram {
    program(|asm| {
        for (offset, value) in [
            (offset_of!(Control, native_pc), protocol::CODE_BASE + 16),
            (offset_of!(Control, exit), u64::from(protocol::EXIT_TRAP)),
            (offset_of!(Control, state), 0),
        ] {
            asm.push(forms::mov_ri(Reg::Rax, value));
            let width = if offset == offset_of!(Control, native_pc) { Width::W64 } else { Width::W32 };
            asm.push(forms::mov_mr(width, control(offset), Reg::Rax));
        }
        asm.bytes(&[0xeb, 0xfe]);
    })
}

#[test]
fn a_worker_that_waits_and_computes_is_killed() {
    let (honest, hostile) = (filler_and_scanner(), spinner());
    let pool = Pool::new(Settings { reserve: 0, ..Settings::default() }).unwrap();
    let [mut first, mut second] = [&honest, &hostile].map(|program| pool.take(&program.image()).unwrap());
    check_is_as_new(&mut first, &honest, 0);
    assert_eq!(second.run(&mut hostile.state()), Ok(Exit::Trap));
    drop((first, second));
    until("the one that computes is gone", || pool.counts().idle == 1);
    until("the other one is stopped", || pool.all_rest());
    let mut first = pool.take(&honest.image()).unwrap();
    check_is_as_new(&mut first, &honest, 0);
    assert_eq!(pool.counts(), counts(1, 0, 3));
}

#[test]
fn a_worker_that_computes_while_the_host_has_its_turn_runs_out_of_cpu_time() {
    let program = spinner();
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_millis(10))).unwrap();
    worker.load(&program.image()).unwrap();
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::Trap));
    until("the kernel has ended it", || !worker.is_usable());
}

#[test]
fn a_worker_may_use_any_cpu_time_over_many_runs() {
    // About a quarter of a second for each run.
    let slow = counting(1 << 29, protocol::EXIT_TRAP);
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_secs(1))).unwrap();
    worker.load(&slow.image()).unwrap();
    assert!(!worker.is_worn_out());
    // More than its first limit.
    while worker.cpu_time() < Duration::from_secs(5) {
        assert_eq!(worker.run(&mut slow.state()), Ok(Exit::Trap));
    }
    assert!(worker.is_worn_out());
}

#[test]
fn the_pool_prefers_a_worker_that_has_the_program() {
    let programs = [filler_and_scanner(), filler_and_scanner()];
    let pool = pool(2, 2);
    let mut ids = HashSet::new();
    let workers = programs.each_ref().map(|program| pool.take(&program.image()).unwrap());
    for worker in &workers {
        ids.insert(worker.tid());
    }
    let [first, second] = [workers[0].tid(), workers[1].tid()];
    drop(workers);
    for _ in 0..3 {
        assert_eq!(pool.take(&programs[0].image()).unwrap().tid(), first);
        assert_eq!(pool.take(&programs[1].image()).unwrap().tid(), second);
    }
    assert_eq!((ids.len(), pool.counts()), (2, counts(2, 2, 3)));
}

#[test]
fn there_are_never_more_workers_than_allowed() {
    let program = filler_and_scanner();
    let pool = pool(1, 2);
    let first = pool.take(&program.image()).unwrap();
    let second = pool.take(&program.image()).unwrap();
    assert_eq!(pool.take(&program.image()).err(), Some(SandboxError::TooManyWorkers { limit: 2 }));
    drop(first);
    drop(second);
    assert_eq!(pool.counts(), counts(1, 1, 3));
    let _first = pool.take(&program.image()).unwrap();
    let _second = pool.take(&program.image()).unwrap();
}

/// A program, and a pool of which a worker is in use for it.
fn taken() -> (TestProgram, Arc<Pool>, Pooled) {
    let program = filler_and_scanner();
    let pool = pool(4, 4);
    let worker = pool.take(&program.image()).unwrap();
    (program, pool, worker)
}

#[test]
fn a_worker_that_was_lost_is_replaced() {
    let (program, pool, mut worker) = taken();
    worker.kill();
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
    drop(worker);
    assert_eq!(pool.counts(), counts(0, 0, 2));
    // One that dies while it waits.
    let worker = pool.take(&program.image()).unwrap();
    worker.kill_behind_its_back();
    drop(worker);
    let mut worker = pool.take(&program.image()).unwrap();
    check_is_as_new(&mut worker, &program, 0);
    // One that dies in use.
    worker.kill_behind_its_back();
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
    drop(worker);
    check_is_as_new(&mut pool.take(&program.image()).unwrap(), &program, 0);
    assert_eq!(pool.counts().workers, 1);
}

#[test]
fn a_zygote_that_was_lost_is_replaced() {
    let (program, pool, mut worker) = taken();
    pool.kill_zygote();
    assert!(worker.has_ended(), "workers die with their zygote");
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
    let mut other = pool.take(&program.image()).unwrap();
    check_is_as_new(&mut other, &program, 0);
    drop((worker, other));
    assert_eq!(pool.counts().workers, 1);
}

#[test]
fn many_threads_use_one_pool() {
    let programs = [filler_and_scanner(), filler_and_scanner(), filler_and_scanner()];
    let pool = pool(3, 8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (pool, programs) = (&pool, &programs);
            scope.spawn(move || {
                for round in 0..30 {
                    let program = &programs[(thread + round) % 3];
                    let mut worker = pool.take(&program.image()).unwrap();
                    check_is_as_new(&mut worker, program, 0x1000);
                    soil(&mut worker, program, 0x1000);
                }
            });
        }
    });
    let counts = pool.counts();
    assert_eq!((counts.workers, counts.idle), (3, 3));
}

/// Makes the whole window writable, if A3 is not 0, and writes one byte per page to A1 bytes at A0.
fn glutton() -> TestProgram {
    program(|asm| {
        let next = asm.new_label();
        asm.push(forms::mov_rr(R64, Reg::Rbx, Reg::Rdi));
        asm.push(forms::add_rr(R64, Reg::Rbx, Reg::Rsi));
        make_writable_if_told(asm);
        asm.bind(next);
        asm.push(forms::mov_mr(Width::W8, Mem::base32(Reg::Rdi, 0), Reg::Rdi));
        asm.push(forms::add_ri(R64, Reg::Rdi, 0x1000));
        asm.push(forms::cmp_rr(R64, Reg::Rdi, Reg::Rbx));
        asm.jcc(Cond::Below, next);
        leave(asm, protocol::EXIT_TRAP);
    })
}

#[test]
fn a_worker_that_takes_more_memory_than_its_program_can_have_is_killed() {
    let mut program = glutton();
    program.set_memory(map(0x1000, 0x1000, 0x1000, 0x1000), b"constant", b"variable");
    let pool = pool(1, 1);
    let run = |worker: &mut Pooled, start: u32, length: u64, compromised: bool| {
        let mut state = program.state();
        (state.regs[7], state.regs[8], state.regs[10]) = (start.into(), length, compromised.into());
        worker.run(&mut state)
    };
    // The memory map allows all of this, including a heap of 64 MiB.
    let mut worker = pool.take(&program.image()).unwrap();
    let heap = program.map.rw_end();
    worker.grow_heap(heap, heap + 0x400_0000).unwrap();
    for _ in 0..5 {
        assert_eq!(run(&mut worker, heap, 0x400_0000, false), Ok(Exit::Trap));
    }
    drop(worker);
    // All of the window in one run, or a few pages in each of many short ones.
    for pages in [0xf_ff00, 8] {
        let mut worker = pool.take(&program.image()).unwrap();
        let result = (0..1000).find_map(|round| {
            let start = 0x10_0000 + if pages == 8 { 0x8000 * round } else { 0 };
            run(&mut worker, start, 0x1000 * pages, true).err()
        });
        assert!(matches!(result, Some(SandboxError::ProtocolViolation { .. })), "{pages}: {result:?}");
        assert!(worker.has_ended());
    }
}
