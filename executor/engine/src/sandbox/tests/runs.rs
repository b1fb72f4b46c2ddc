//! Tests of workers with well-behaved programs.

use super::*;

#[test]
fn a_host_call_comes_back_with_registers_gas_and_where_to_go_on() {
    let program = program(|asm| {
        asm.push(forms::mov_ri(SCRATCH, 77));
        asm.push(forms::add_ri(R64, Reg::Rdi, 100));
        asm.push(forms::sub_ri(R64, Reg::R15, 5));
        leave(asm, protocol::EXIT_HOST_CALL);
        asm.push(forms::mov_ri(SCRATCH, 0));
        leave(asm, protocol::EXIT_TRAP);
    });
    let mut worker = worker(&program);
    let mut state = program.state();
    assert_eq!(worker.run(&mut state), Ok(Exit::HostCall(77)));
    assert_eq!(state.gas, 995);
    assert_eq!(state.regs, [0, 1, 2, 3, 4, 5, 6, 107, 8, 9, 10, 11, 12]);
    assert!(state.native_pc > program.start);
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap));
    assert_eq!(state.native_pc as usize, program.code.len());
}

/// Reads the guest byte at A0 into A1, and writes A2 to the address in A3.
fn reader_and_writer() -> TestProgram {
    program(|asm| {
        asm.push(forms::movzx8_rm(R64, Reg::Rsi, Mem::base32(Reg::Rdi, 0)));
        asm.push(forms::mov_mr(Width::W8, Mem::base32(Reg::R9, 0), Reg::R8));
        leave(asm, protocol::EXIT_TRAP);
    })
}

#[test]
fn guest_and_host_see_the_same_memory() {
    let program = reader_and_writer();
    let mut worker = worker(&program);
    for (from, to) in [
        (0x1_0000, program.map.rw_base()),
        (program.map.rw_base() + 1, program.map.rw_end() - 1),
        (program.map.aux_base(), program.map.stack_high() - 1),
    ] {
        let mut expected = [0];
        worker.read(from, &mut expected);
        let mut state = program.state();
        (state.regs[7], state.regs[9], state.regs[10]) = (from.into(), 0xa5, to.into());
        assert_eq!(worker.run(&mut state), Ok(Exit::Trap));
        assert_eq!(state.regs[8], expected[0].into());
        let mut written = [0];
        worker.read(to, &mut written);
        assert_eq!(written, [0xa5]);
    }
    worker.write(program.map.aux_base(), b"embedder");
    worker.fill(program.map.aux_base() + 8, 0x11, 8);
    let mut out = [0; 17];
    worker.read(program.map.aux_base(), &mut out);
    assert_eq!(&out, b"embedder\x11\x11\x11\x11\x11\x11\x11\x11\0");
}

#[test]
fn what_the_memory_map_does_not_allow_is_a_fault_at_that_address() {
    let program = reader_and_writer();
    let mut worker = worker(&program);
    let map = program.map;
    let fine = map.rw_base();
    let cases = [
        // Reads of nothing, then writes of nothing and to read-only data.
        (0, fine, 0),
        (0xffff, fine, 0xffff),
        (map.ro_end(), fine, map.ro_end()),
        (map.rw_end(), fine, map.rw_end()),
        (map.stack_low() - 1, fine, map.stack_low() - 1),
        (map.stack_high(), fine, map.stack_high()),
        (map.aux_end(), fine, map.aux_end()),
        (u32::MAX, fine, u32::MAX),
        (fine, 0x1_0000, 0x1_0000),
        (fine, map.aux_base(), map.aux_base()),
        (fine, map.rw_end(), map.rw_end()),
    ];
    for (read, write, fault) in cases {
        let mut state = program.state();
        (state.regs[7], state.regs[10]) = (read.into(), write.into());
        assert_eq!(worker.run(&mut state), Ok(Exit::Fault(fault.into())), "{read:#x} {write:#x}");
        let mut expected = program.state();
        (expected.regs[7], expected.regs[10]) = (read.into(), write.into());
        if fault == write {
            // The read came first.
            let mut byte = [0];
            worker.read(read, &mut byte);
            expected.regs[8] = byte[0].into();
        }
        assert_eq!((state.gas, state.regs), (1000, expected.regs));
        assert!(state.native_pc >= program.start);
    }
    let mut state = program.state();
    (state.regs[7], state.regs[10]) = (fine.into(), fine.into());
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap), "it still works");
}

#[test]
fn an_access_that_begins_below_4_gib_and_ends_above_is_a_fault() {
    let program = program(|asm| {
        asm.push(forms::mov_rm(R64, Reg::Rsi, Mem::base32(Reg::Rdi, 0)));
    });
    let mut worker = worker(&program);
    let mut state = program.state();
    state.regs[7] = 0xffff_fffc;
    assert!(matches!(worker.run(&mut state), Ok(Exit::Fault(0xffff_fffc..=0x1_0000_0000))));
}

#[test]
fn the_heap_grows_and_shrinks_again_at_a_reset() {
    let program = reader_and_writer();
    let mut worker = worker(&program);
    let (old, new) = (program.map.rw_end(), program.map.rw_end() + 0x20_0000);
    let touch = |worker: &mut Worker, address: u32| {
        let mut state = program.state();
        (state.regs[7], state.regs[9], state.regs[10]) = (address.into(), 0x77, address.into());
        worker.run(&mut state).map(|exit| (exit, state.regs[8]))
    };
    assert!(matches!(touch(&mut worker, new - 1), Ok((Exit::Fault(_), _))));
    for start in (old..new).step_by(0x1000) {
        worker.grow_heap(start, start + 0x1000).unwrap();
    }
    assert_eq!(touch(&mut worker, new - 1), Ok((Exit::Trap, 0)));
    assert_eq!(touch(&mut worker, new - 1), Ok((Exit::Trap, 0x77)));
    assert!(matches!(touch(&mut worker, new), Ok((Exit::Fault(_), _))));
    worker.reset().unwrap();
    assert!(matches!(touch(&mut worker, new - 1), Ok((Exit::Fault(_), _))));
    assert!(matches!(touch(&mut worker, old), Ok((Exit::Fault(_), _))));
    worker.grow_heap(old, new).unwrap();
    assert_eq!(touch(&mut worker, new - 1), Ok((Exit::Trap, 0)));
}

#[test]
fn code_that_never_leaves_is_killed_when_its_time_is_over() {
    let program = program(|asm| {
        let here = asm.new_label();
        asm.bind(here);
        asm.jmp(here);
    });
    let limit = Duration::from_millis(30);
    let mut worker = Worker::spawn(&zygote(), limits(limit)).unwrap();
    worker.load(&program.image()).unwrap();
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::TimedOut { limit }));
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
    assert!(!worker.is_usable());
}

#[test]
fn a_worker_that_is_stopped_for_ever_is_killed_when_the_real_time_is_over() {
    let program = reader_and_writer();
    let limit = Duration::from_millis(120);
    let limits = Limits { cpu: Some(Duration::from_millis(1)), real: Some(limit) };
    let mut worker = Worker::spawn(&zygote(), limits).unwrap();
    worker.load(&program.image()).unwrap();
    worker.stop_behind_its_back();
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Stalled { limit }));
    assert!(worker.has_ended());
}

#[test]
fn a_worker_that_is_stopped_for_longer_than_its_limit_and_continued_finishes() {
    let program = reader_and_writer();
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_millis(100))).unwrap();
    worker.load(&program.image()).unwrap();
    worker.stop_behind_its_back();
    let go_on = worker.continuer();
    let go_on = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        go_on();
    });
    let mut state = program.state();
    (state.regs[7], state.regs[10]) = (program.map.rw_base().into(), program.map.rw_base().into());
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap));
    go_on.join().unwrap();
}

#[test]
fn without_a_limit_a_run_may_take_any_time() {
    let program = counting(1 << 28, protocol::EXIT_TRAP);
    let mut worker = Worker::spawn(&zygote(), Limits { cpu: None, real: None }).unwrap();
    worker.load(&program.image()).unwrap();
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::Trap));
}

#[test]
fn a_worker_that_is_killed_in_its_turn_is_missed_at_once() {
    let program = program(|asm| asm.bytes(&[0xeb, 0xfe]));
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_secs(60))).unwrap();
    worker.load(&program.image()).unwrap();
    let killer = worker.killer();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        killer();
    });
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
    killer.join().unwrap();
}

#[test]
fn code_that_is_too_long_is_refused() {
    let code = vec![0; protocol::CODE_SIZE as usize + 1];
    let mut program = reader_and_writer();
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_secs(5))).unwrap();
    let kept = std::mem::replace(&mut program.code, code);
    let (length, limit) = (program.code.len(), protocol::CODE_SIZE as usize);
    assert_eq!(worker.load(&program.image()), Err(SandboxError::CodeTooLarge { length, limit }));
    program.code = kept;
    worker.load(&program.image()).unwrap();
    let mut state = program.state();
    state.regs[7..].fill(program.map.rw_base().into());
    assert_eq!(worker.run(&mut state), Ok(Exit::Trap), "it is as good as before");
}

#[test]
fn a_worker_that_was_killed_says_so() {
    let program = reader_and_writer();
    let mut worker = worker(&program);
    worker.kill();
    assert_eq!(worker.run(&mut program.state()), Err(SandboxError::Died));
}

#[test]
fn a_worker_without_a_program_runs_nothing() {
    let mut worker = Worker::spawn(&zygote(), limits(Duration::from_secs(5))).unwrap();
    assert_eq!(worker.run(&mut GuestState::default()), Err(SandboxError::NotLoaded));
}
