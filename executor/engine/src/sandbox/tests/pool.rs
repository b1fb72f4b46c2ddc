//! Workers that are used again and again, for the same program and others.

use super::*;
use std::collections::HashSet;

fn pool(idle: usize, workers: usize) -> Arc<Pool> {
    Pool::new(Settings { idle, workers, ..Settings::default() }).unwrap()
}

/// Fills the words from A0 up to A1 with A2; then says in A3 all bits that were set in those from A4 up to A5.
fn filler_and_scanner() -> Program {
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

fn fill(cage: &mut impl Cage, program: &Program, from: u32, to: u32) {
    let mut state = program.state();
    (state.regs[7], state.regs[8], state.regs[9]) = (from.into(), to.into(), PATTERN);
    (state.regs[11], state.regs[12]) = (0, 0);
    assert_eq!(cage.run(&mut state), Ok(Exit::Trap));
}

fn scan(cage: &mut impl Cage, program: &Program, from: u32, to: u32) -> u64 {
    let mut state = program.state();
    (state.regs[7], state.regs[8]) = (0, 0);
    (state.regs[11], state.regs[12]) = (from.into(), to.into());
    assert_eq!(cage.run(&mut state), Ok(Exit::Trap));
    state.regs[10]
}

/// Where the guest can read what is not initial data: the first word of each kind of data is initial.
fn empty_regions(program: &Program, heap: u32) -> [(u32, u32); 4] {
    let map = &program.map;
    [
        (MemoryMap::RO_BASE + 8, map.ro_end()),
        (map.rw_base() + 8, map.rw_end() + heap),
        (map.stack_low(), map.stack_high()),
        (map.aux_base(), map.aux_end()),
    ]
}

fn check_is_as_new(cage: &mut impl Cage, program: &Program, heap: u32) {
    cage.grow_heap(program.map.rw_end(), program.map.rw_end() + heap).unwrap();
    for (from, to) in empty_regions(program, heap) {
        assert_eq!(scan(cage, program, from, to), 0, "{from:#x} to {to:#x}");
    }
    for (address, data) in [(MemoryMap::RO_BASE, &program.ro_data), (program.map.rw_base(), &program.rw_data)] {
        let word = u64::from_le_bytes(data[..8].try_into().unwrap());
        assert_eq!(scan(cage, program, address, address + 8), word);
    }
}

fn soil(cage: &mut impl Cage, program: &Program, heap: u32) {
    let map = &program.map;
    fill(cage, program, map.rw_base(), map.rw_end() + heap);
    fill(cage, program, map.stack_low(), map.stack_high());
    cage.fill(map.aux_base(), 0x99, map.aux_end() - map.aux_base());
    for (from, to) in empty_regions(program, heap).into_iter().skip(1) {
        assert_ne!(scan(cage, program, from, to), 0, "what the next one would see");
    }
}

#[test]
fn no_byte_of_one_instance_is_seen_by_the_next_in_the_same_worker() {
    let sizes = [(0x1000, 0x1000, 0x1000), (0x3000, 0x2800, 0x3000), (0x9_0000, 0x8_0000, 0x10_0000)];
    let pool = pool(4, 4);
    let mut programs = Vec::new();
    for (ro, rw, stack) in sizes {
        let mut first = filler_and_scanner();
        first.map = map(ro, rw, stack, 0x2000);
        let mut second = filler_and_scanner();
        second.map = first.map;
        second.ro_data = b"other constant".to_vec();
        second.ro_data.truncate(8);
        programs.extend([first, second]);
    }
    let heaps = [0, 0x1000, 0x3_0000, 0x80_0000];
    for program in &programs {
        for heap in heaps {
            // The same program again, and then each other one.
            for _ in 0..2 {
                let mut cage = pool.take(&program.image()).unwrap();
                check_is_as_new(&mut cage, program, heap);
                soil(&mut cage, program, heap);
            }
            for next in &programs {
                let mut cage = pool.take(&next.image()).unwrap();
                check_is_as_new(&mut cage, next, heap);
                soil(&mut cage, next, heap);
            }
        }
    }
    assert_eq!(pool.counts(), Counts { workers: 1, idle: 1, spawned: 1 }, "it was the same worker all the time");
}

#[test]
fn a_reset_in_use_brings_the_first_contents_back() {
    let program = filler_and_scanner();
    let pool = pool(1, 1);
    let mut cage = pool.take(&program.image()).unwrap();
    for heap in [0, 0x10_0000, 0x1000] {
        check_is_as_new(&mut cage, &program, heap);
        soil(&mut cage, &program, heap);
        cage.reset().unwrap();
        let mut state = program.state();
        (state.regs[11], state.regs[12]) = (program.map.rw_end().into(), u64::from(program.map.rw_end()) + 8);
        (state.regs[7], state.regs[8]) = (0, 0);
        assert!(matches!(cage.run(&mut state), Ok(Exit::Fault(_))), "the heap is gone");
    }
}

#[test]
fn the_code_of_a_longer_program_is_gone_when_a_shorter_one_was_loaded() {
    let long = program(|asm| asm.bytes(&[0xcc; 10_000]));
    // Reads the code at A0.
    let short = program(|asm| {
        asm.push(forms::mov_rm(R64, Reg::Rsi, Mem::base(Reg::Rdi, 0)));
        leave(asm, protocol::EXIT_TRAP);
    });
    let pool = pool(1, 1);
    drop(pool.take(&long.image()).unwrap());
    let mut cage = pool.take(&short.image()).unwrap();
    let mut state = short.state();
    state.regs[7] = protocol::CODE_BASE + 9000;
    assert_eq!(cage.run(&mut state), Ok(Exit::Trap));
    assert_eq!(state.regs[8], 0);
}

#[test]
fn the_pool_prefers_a_worker_that_has_the_program() {
    let programs = [filler_and_scanner(), filler_and_scanner()];
    let pool = pool(2, 2);
    let mut ids = HashSet::new();
    let cages = programs.each_ref().map(|program| pool.take(&program.image()).unwrap());
    for cage in &cages {
        ids.insert(cage.tid());
    }
    let [first, second] = [cages[0].tid(), cages[1].tid()];
    drop(cages);
    for _ in 0..3 {
        assert_eq!(pool.take(&programs[0].image()).unwrap().tid(), first);
        assert_eq!(pool.take(&programs[1].image()).unwrap().tid(), second);
    }
    assert_eq!((ids.len(), pool.counts()), (2, Counts { workers: 2, idle: 2, spawned: 2 }));
}

#[test]
fn there_are_never_more_workers_than_allowed() {
    let program = filler_and_scanner();
    let pool = pool(1, 2);
    let first = pool.take(&program.image()).unwrap();
    let second = pool.take(&program.image()).unwrap();
    assert_eq!(pool.take(&program.image()).err(), Some(CageError::TooManyWorkers { limit: 2 }));
    drop(first);
    drop(second);
    assert_eq!(pool.counts(), Counts { workers: 1, idle: 1, spawned: 2 });
    let _first = pool.take(&program.image()).unwrap();
    let _second = pool.take(&program.image()).unwrap();
}

#[test]
fn a_worker_that_was_lost_is_replaced() {
    let program = filler_and_scanner();
    let pool = pool(4, 4);
    let mut cage = pool.take(&program.image()).unwrap();
    cage.kill();
    assert_eq!(cage.run(&mut program.state()), Err(CageError::Died));
    drop(cage);
    assert_eq!(pool.counts(), Counts { workers: 0, idle: 0, spawned: 1 });
    // One that dies while it waits.
    let cage = pool.take(&program.image()).unwrap();
    cage.kill_behind_its_back();
    drop(cage);
    let mut cage = pool.take(&program.image()).unwrap();
    check_is_as_new(&mut cage, &program, 0);
    // One that dies in use.
    cage.kill_behind_its_back();
    assert_eq!(cage.run(&mut program.state()), Err(CageError::Died));
    drop(cage);
    check_is_as_new(&mut pool.take(&program.image()).unwrap(), &program, 0);
    assert_eq!(pool.counts().workers, 1);
}

#[test]
fn a_zygote_that_was_lost_is_replaced() {
    let program = filler_and_scanner();
    let pool = pool(4, 4);
    let mut cage = pool.take(&program.image()).unwrap();
    pool.kill_zygote();
    assert!(cage.has_ended(), "workers die with their zygote");
    assert_eq!(cage.run(&mut program.state()), Err(CageError::Died));
    let mut other = pool.take(&program.image()).unwrap();
    check_is_as_new(&mut other, &program, 0);
    drop((cage, other));
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
                    let mut cage = pool.take(&program.image()).unwrap();
                    check_is_as_new(&mut cage, program, 0x1000);
                    soil(&mut cage, program, 0x1000);
                }
            });
        }
    });
    let counts = pool.counts();
    assert_eq!((counts.workers, counts.idle), (3, 3));
}
