//! Tests that calls by name which run out of gas can be resumed, on both backends.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{blob, engines, metered};
use pvm_engine::{Caller, Engine, Error, Instance, Linker, Metering, Module, ProgramConfig, Reg, Val};

/// Sums up the host's answers, in as many rounds as the argument says. Four gas per round, and five around them.
const SUM: &str = r#"
.isa ReviveV1
.stack_size 4096
.import "next"
.export "sum" sum
.export "same" sum
.export "fault" fault
sum:    move_reg s0, a0
        load_imm s1, 0
        fallthrough
again:  ecalli 0
        add_64 s1, s1, a0
        add_imm_64 s0, s0, -1
        branch_not_eq_imm s0, 0, again
        move_reg a0, s1
        jump_indirect ra, 0
fault:  trap
"#;

/// Counts the calls of its host function.
fn instance(engine: &Engine, metering: Metering) -> Instance<u64> {
    let config = ProgramConfig { metering, ..ProgramConfig::default() };
    let module = Module::new(engine, &config, &blob(SUM)).unwrap();
    let mut linker = Linker::<u64>::new(engine);
    linker
        .func_wrap("next", |caller: &mut Caller<'_, u64>| {
            *caller.data_mut() += 1;
            *caller.data()
        })
        .unwrap();
    linker.instantiate(&module).unwrap()
}

fn nothing<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NothingToResume))
}

#[test]
fn a_call_goes_on_where_its_gas_ended_and_pays_for_nothing_twice() {
    for engine in engines() {
        let instance = instance(&engine, Metering::Sync);
        let typed = instance.get_typed_func::<(u64,), u64>("sum").unwrap();
        let mut calls = 0;
        let (mut given, mut shortages) = (0, 0);
        let mut result = typed.call(&mut calls, (10,));
        while let Err(error) = result {
            assert!(matches!(error, Error::OutOfGas), "{error}");
            shortages += 1;
            let gas = instance.raw().unwrap().gas();
            instance.raw().unwrap().set_gas(gas + 1);
            given += 1;
            result = typed.resume(&mut calls);
        }
        assert_eq!((result.unwrap(), calls, given, shortages), (55, 10, 45, 45));
        assert_eq!(instance.raw().unwrap().gas(), 0);
        assert!(nothing(typed.resume(&mut calls)), "it returned");
    }
}

#[test]
fn a_call_without_types_goes_on_as_well() {
    for engine in engines() {
        let instance = instance(&engine, Metering::Sync);
        let func = instance.get_func("sum").unwrap();
        let mut calls = 0;
        instance.raw().unwrap().set_gas(8);
        assert!(matches!(func.call(&mut calls, &[Val::I64(3)]), Err(Error::OutOfGas)));
        instance.raw().unwrap().set_gas(100);
        // Another name of the same function.
        let same = instance.get_func("same").unwrap();
        assert_eq!(same.resume(&mut calls).unwrap(), Val::I64(6));
        assert_eq!(instance.raw().unwrap().gas(), 100 - 8 - 2);
    }
}

#[test]
fn negative_gas_keeps_a_call_from_beginning_and_from_going_on_behind_a_host_call() {
    for engine in engines() {
        let module = metered(&engine, SUM);
        let mut linker = Linker::<u64>::new(&engine);
        linker
            .func_wrap("next", |caller: &mut Caller<'_, u64>| {
                let left = caller.gas() - 1000;
                caller.set_gas(left);
                5_u64
            })
            .unwrap();
        let instance = linker.instantiate(&module).unwrap();
        let function = instance.get_typed_func::<(u64,), u64>("sum").unwrap();
        instance.raw().unwrap().set_gas(-1);
        assert!(matches!(function.call(&mut 0, (1,)), Err(Error::OutOfGas)));
        instance.raw().unwrap().set_gas(9);
        assert!(matches!(function.resume(&mut 0), Err(Error::OutOfGas)));
        assert_eq!(instance.raw().unwrap().gas(), 9 - 7 - 1000);
        instance.raw().unwrap().set_gas(2);
        assert_eq!(function.resume(&mut 0).unwrap(), 5);
    }
}

#[test]
fn only_the_call_that_was_interrupted_can_be_resumed() {
    for engine in engines() {
        let instance = instance(&engine, Metering::Sync);
        let sum = instance.get_typed_func::<(u64,), u64>("sum").unwrap();
        let fault = instance.get_typed_func::<(), ()>("fault").unwrap();
        assert!(nothing(sum.resume(&mut 0)), "nothing was called");
        let interrupt = || {
            instance.raw().unwrap().set_gas(4);
            assert!(matches!(sum.call(&mut 0, (1,)), Err(Error::OutOfGas)));
            instance.raw().unwrap().set_gas(100);
        };

        interrupt();
        assert!(nothing(fault.resume(&mut 0)), "another function's call");
        assert_eq!(sum.resume(&mut 0).unwrap(), 1, "that changed nothing");

        interrupt();
        assert!(matches!(fault.call(&mut 0, ()), Err(Error::Trap { .. })));
        assert!(nothing(sum.resume(&mut 0)), "another call took the machine");
        assert!(nothing(fault.resume(&mut 0)), "it trapped");

        for change in [
            |instance: &Instance<u64>| instance.raw().unwrap().set_next_pc(0),
            |instance: &Instance<u64>| instance.raw().unwrap().prepare_call(0, &[]),
            |instance: &Instance<u64>| assert!(instance.raw().unwrap().run().is_ok()),
        ] {
            interrupt();
            change(&instance);
            assert!(nothing(sum.resume(&mut 0)), "the machine is elsewhere");
        }

        interrupt();
        let held = instance.raw().unwrap();
        assert!(matches!(sum.resume(&mut 0), Err(Error::Busy)));
        drop(held);
        let snapshot = instance.raw().unwrap().snapshot();
        for _ in 0..2 {
            assert_eq!(sum.resume(&mut 0).unwrap(), 1, "a snapshot keeps what was interrupted");
            instance.raw().unwrap().restore(&snapshot).unwrap();
        }
    }
}

#[test]
fn arguments_that_do_not_fit_leave_the_interrupted_call_alone() {
    for engine in engines() {
        let instance = instance(&engine, Metering::Sync);
        let sum = instance.get_func("sum").unwrap();
        instance.raw().unwrap().set_gas(4);
        assert!(matches!(sum.call(&mut 0, &[Val::I64(1)]), Err(Error::OutOfGas)));
        let before = Reg::ALL.map(|reg| instance.raw().unwrap().reg(reg));
        for count in [522, 1 << 16, 1 << 20] {
            let error = sum.call(&mut 0, &vec![Val::I64(7); count]).unwrap_err();
            assert!(matches!(error, Error::Arguments(_)), "{error}");
        }
        assert_eq!(Reg::ALL.map(|reg| instance.raw().unwrap().reg(reg)), before);
        instance.raw().unwrap().set_gas(100);
        assert_eq!(sum.resume(&mut 0).unwrap(), Val::I64(1));
        // As many as the stack holds are fine.
        let mut all = vec![Val::I64(1); 521];
        all[0] = Val::I64(2);
        assert_eq!(sum.call(&mut 0, &all).unwrap(), Val::I64(3));
    }
}

#[test]
fn with_asynchronous_metering_a_call_without_gas_is_over() {
    for engine in engines() {
        let instance = instance(&engine, Metering::Async);
        let sum = instance.get_typed_func::<(u64,), u64>("sum").unwrap();
        for gas in [-1, 4] {
            instance.raw().unwrap().set_gas(gas);
            assert!(matches!(sum.call(&mut 0, (1,)), Err(Error::OutOfGas)));
            instance.raw().unwrap().set_gas(100);
            assert!(nothing(sum.resume(&mut 0)));
        }
        assert_eq!(sum.call(&mut 0, (1,)).unwrap(), 1);
    }
}

#[test]
fn a_memset_goes_on_in_its_middle() {
    let text = ".isa Latest32\n.rw_size 4096\n.stack_size 4096\n.export \"fill\" fill\n\
        fill: move_reg a2, a0\n load_imm a0, 0x20000\n load_imm a1, 1\n memset\n jump_indirect ra, 0\n";
    for engine in engines() {
        let instance = Linker::<()>::new(&engine).instantiate(&metered(&engine, text)).unwrap();
        let fill = instance.get_typed_func::<(u32,), u32>("fill").unwrap();
        instance.raw().unwrap().set_gas(5 + 10);
        assert!(matches!(fill.call(&mut (), (100,)), Err(Error::OutOfGas)));
        instance.raw().unwrap().set_gas(90);
        assert_eq!(fill.resume(&mut ()).unwrap(), 0x2_0000 + 100);
        let mut bytes = [0; 101];
        instance.raw().unwrap().read_memory(0x2_0000, &mut bytes).unwrap();
        assert_eq!((bytes[99], bytes[100], instance.raw().unwrap().gas()), (1, 0, 0));
    }
}
