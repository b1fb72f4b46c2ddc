//! Tests of threads: instances that move between them, and engines, modules and bound modules that they share.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{engines, forwarder, metered};
use pvm_engine::{Caller, Linker, Module, Outcome, Reg};
use std::thread;

/// Counts its rounds in memory, and tells the host of each.
const ROUNDS: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 8
.import "round"
.export "main" main
main:   load_imm s0, 20
        fallthrough
again:  load_u64 a0, 0x20000
        add_imm_64 a0, a0, 1
        store_u64 a0, 0x20000
        ecalli 0
        add_imm_64 s0, s0, -1
        branch_not_eq_imm s0, 0, again
        jump_indirect ra, 0
"#;

#[test]
fn a_machine_moves_from_thread_to_thread_between_outcomes() {
    for engine in engines() {
        let mut instance = metered(&engine, ROUNDS).instantiate_raw().unwrap();
        instance.set_gas(1000);
        instance.prepare_call(0, &[]);
        for round in 1..=20 {
            // Each thread ends before the next one begins.
            let run = move || {
                assert_eq!(instance.run().unwrap(), Outcome::HostCall(0));
                assert_eq!(instance.reg(Reg::A0), round);
                let snapshot = instance.snapshot();
                (instance, snapshot)
            };
            let snapshot;
            (instance, snapshot) = thread::spawn(run).join().unwrap();
            instance.restore(&snapshot).unwrap();
        }
        assert_eq!(instance.run().unwrap(), Outcome::Finished);
        assert_eq!(instance.gas(), 1000 - 2 - 20 * 6 - 1);
    }
}

#[test]
fn many_threads_share_an_engine_a_module_and_its_host_functions() {
    for engine in engines() {
        let module = metered(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<u64>::new(&engine);
        linker
            .func_wrap("host", |caller: &mut Caller<'_, u64>, value: u64| {
                *caller.data_mut() += value;
                value + 1
            })
            .unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        thread::scope(|scope| {
            for number in 0..16_u64 {
                let (pre, engine) = (&pre, &engine);
                scope.spawn(move || {
                    let mut sum = 0;
                    let instance = pre.instantiate().unwrap();
                    let function = instance.get_typed_func::<(u64,), u64>("call").unwrap();
                    for round in 0..50 {
                        instance.raw().unwrap().set_gas(10);
                        assert_eq!(function.call(&mut sum, (number,)).unwrap(), number + 1);
                        assert_eq!(instance.raw().unwrap().gas(), 7);
                        // Now and then one of its own, loaded while others run.
                        if round % 10 == 0 {
                            let other: Module = metered(engine, ROUNDS);
                            let mut machine = other.instantiate_raw().unwrap();
                            machine.set_gas(100);
                            machine.prepare_call(0, &[]);
                            assert_eq!(machine.run().unwrap(), Outcome::HostCall(0));
                        }
                    }
                    assert_eq!(sum, 50 * number);
                });
            }
        });
    }
}

#[test]
fn threads_that_share_an_instance_take_turns_or_are_told_that_it_is_busy() {
    for engine in engines() {
        let module = metered(&engine, ROUNDS);
        let mut linker = Linker::<()>::new(&engine);
        linker.func_wrap("round", thread::yield_now).unwrap();
        let instance = linker.instantiate(&module).unwrap();
        instance.raw().unwrap().set_gas(i64::MAX);
        let calls: u64 = thread::scope(|scope| {
            let call = || {
                let function = instance.get_typed_func::<(), ()>("main").unwrap();
                let results = (0..20).map(|_| function.call(&mut (), ()));
                results
                    .filter(|result| match result {
                        Ok(()) => true,
                        Err(error) => {
                            assert!(matches!(error, pvm_engine::Error::Busy), "{error}");
                            false
                        }
                    })
                    .count() as u64
            };
            let threads = [scope.spawn(call), scope.spawn(call), scope.spawn(call)];
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let mut rounds = [0; 8];
        instance.raw().unwrap().read_memory(0x2_0000, &mut rounds).unwrap();
        assert!(calls > 0);
        assert_eq!(u64::from_le_bytes(rounds), 20 * calls, "every call ran alone and to its end");
    }
}
