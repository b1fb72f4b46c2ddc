//! Host functions that fail, panic, are missing, or work on registers themselves; on both backends.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{engines, engines_with, forwarder, metered, module};
use pvm_engine::{Caller, Error, Linker, Reg};
use std::error::Error as _;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An error of the embedder's own.
#[derive(Debug, PartialEq)]
struct NoSuchAccount(u32);

impl fmt::Display for NoSuchAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no account {}", self.0)
    }
}

impl std::error::Error for NoSuchAccount {}

#[test]
fn the_error_of_a_host_function_ends_the_call_and_is_its_source() {
    for engine in engines() {
        let module = module(&engine, &forwarder("ReviveV1"));
        let mut typed = Linker::<()>::new(&engine);
        typed.func_wrap("host", |account: u32| if account == 7 { Err(NoSuchAccount(7)) } else { Ok(account) }).unwrap();
        let mut untyped = Linker::<()>::new(&engine);
        untyped
            .func_new("host", |caller| match caller.reg(Reg::A0) {
                7 => Err(NoSuchAccount(7).into()),
                _ => Ok(()),
            })
            .unwrap();
        for linker in [typed, untyped] {
            let instance = linker.instantiate(&module).unwrap();
            let function = instance.get_typed_func::<(u32,), u32>("call").unwrap();
            let error = function.call(&mut (), (7,)).unwrap_err();
            assert_eq!(error.to_string(), "a host function failed: there is no account 7");
            assert_eq!(error.source().unwrap().downcast_ref(), Some(&NoSuchAccount(7)));
            assert!(matches!(function.resume(&mut ()), Err(Error::NothingToResume)));
            assert_eq!(function.call(&mut (), (8,)).unwrap(), 8);
        }
    }
}

#[test]
fn the_error_of_another_machine_is_not_taken_for_this_ones() {
    for engine in engines() {
        let module = metered(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<()>::new(&engine);
        linker.func_wrap("host", || Err::<(), _>(Error::OutOfGas)).unwrap();
        let instance = linker.instantiate(&module).unwrap();
        instance.raw().unwrap().set_gas(100);
        let function = instance.get_typed_func::<(), ()>("call").unwrap();
        let error = function.call(&mut (), ()).unwrap_err();
        assert!(matches!(&error, Error::Host(inner) if matches!(inner.downcast_ref(), Some(Error::OutOfGas))));
        assert!(matches!(function.resume(&mut ()), Err(Error::NothingToResume)));
    }
}

#[test]
fn a_host_function_that_panics_takes_its_caller_along_and_nothing_else() {
    // One worker in all: that it comes back is seen.
    for engine in engines_with(|config| _ = config.set_workers(1, 1)) {
        let module = metered(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<u32>::new(&engine);
        linker
            .func_wrap("host", |caller: &mut Caller<'_, u32>, value: u32| {
                *caller.data_mut() += 1;
                assert_ne!(value, 13, "an unlucky number");
                value * 2
            })
            .unwrap();
        let pre = linker.instantiate_pre(&module).unwrap();
        for _ in 0..3 {
            let instance = pre.instantiate().unwrap();
            let function = instance.get_typed_func::<(u32,), u32>("call").unwrap();
            let mut calls = 0;
            instance.raw().unwrap().set_gas(100);
            let panic = catch_unwind(AssertUnwindSafe(|| function.call(&mut calls, (13,)))).unwrap_err();
            assert!(panic.downcast_ref::<String>().unwrap().contains("an unlucky number"));
            // The instance is after the host call, which is charged, and still usable.
            assert_eq!(instance.raw().unwrap().gas(), 97);
            assert!(matches!(function.resume(&mut calls), Err(Error::NothingToResume)));
            assert_eq!(function.call(&mut calls, (21,)).unwrap(), 42);
            assert_eq!((calls, instance.raw().unwrap().gas()), (2, 94));

            // It is not in use any more if the panic takes it along.
            let last = pre.instantiate().unwrap();
            assert!(!last.raw().unwrap().is_compiled(), "there is one worker");
            drop((last, instance, function));
            let lost = catch_unwind(AssertUnwindSafe(|| {
                let instance = pre.instantiate().unwrap();
                assert_eq!(instance.raw().unwrap().is_compiled(), module.is_compiled());
                instance.raw().unwrap().set_gas(100);
                instance.get_typed_func::<(u32,), u32>("call").unwrap().call(&mut calls, (13,))
            }));
            assert!(lost.is_err());
        }
    }
}

const THREE: &str = ".isa ReviveV1\n.stack_size 4096\n.import \"first\"\n.import \"second\"\n.import \"\\xff\"\n\
    .export \"first\" first\n.export \"second\" second\n.export \"third\" third\n.export \"none\" none\n\
    first: ecalli 0\n jump_indirect ra, 0\nsecond: ecalli 1\n jump_indirect ra, 0\n\
    third: ecalli 2\n jump_indirect ra, 0\nnone: ecalli 77\n jump_indirect ra, 0\n";

#[test]
fn imports_that_nobody_defined_can_be_traps() {
    for engine in engines() {
        let module = module(&engine, THREE);
        let mut linker = Linker::<()>::new(&engine);
        linker.func_wrap("second", || 2_u32).unwrap();
        assert!(matches!(linker.instantiate(&module), Err(Error::MissingImports { names }) if names.len() == 2));
        linker.define_unknown_imports_as_traps(&module).define_unknown_imports_as_traps(&module);
        let instance = linker.instantiate(&module).unwrap();
        let call = |name: &str| instance.get_typed_func::<(), u32>(name).unwrap().call(&mut (), ());
        assert_eq!(call("second").unwrap(), 2, "what is defined stays");
        assert_eq!(call("first").unwrap_err().to_string(), "the guest called \"first\", which is not defined");
        assert!(matches!(call("third"), Err(Error::UndefinedImport { name }) if name == "\u{fffd}"));
        assert!(matches!(call("none"), Err(Error::NoSuchImport { number: 77 })));
        assert_eq!(call("second").unwrap(), 2, "the instance is of use afterwards");
        assert!(matches!(linker.func_wrap("first", || {}), Err(Error::Duplicate { .. })), "the name is taken");
    }
}

#[test]
fn a_function_without_types_reads_registers_and_writes_two_results() {
    for engine in engines() {
        let module = module(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<Vec<u64>>::new(&engine);
        linker
            .func_new("host", |caller| {
                let seen = Reg::ARGS.map(|reg| caller.reg(reg));
                caller.data_mut().extend(seen);
                let mut slot = [0; 8];
                caller.read_memory(caller.reg(Reg::SP) as u32, &mut slot)?;
                caller.data_mut().push(u64::from_le_bytes(slot));
                caller.set_reg(Reg::A0, 70);
                caller.set_reg(Reg::A1, 71);
                Ok(())
            })
            .unwrap();
        assert!(matches!(linker.func_new("host", |_| Ok(())), Err(Error::Duplicate { .. })));
        let instance = linker.instantiate(&module).unwrap();
        type Ten = (u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);
        let function = instance.get_typed_func::<Ten, u64>("call").unwrap();
        let mut seen = Vec::new();
        assert_eq!(function.call(&mut seen, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)).unwrap(), 70);
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
        assert_eq!(instance.raw().unwrap().reg(Reg::A1), 71);
    }
}

fn unreachable_from_the_guest() {
    panic!("there are no arguments to call it with")
}

#[test]
fn arguments_on_a_stack_that_is_not_there_end_the_call() {
    let text = ".isa ReviveV1\n.import \"host\"\n.export \"call\" call\ncall: load_imm sp, 64\n ecalli 0\n trap\n";
    for engine in engines() {
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("host", |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
                unreachable_from_the_guest()
            })
            .unwrap();
        let instance = linker.instantiate(&module(&engine, text)).unwrap();
        let error = instance.get_func("call").unwrap().call(&mut (), &[]).unwrap_err();
        assert!(matches!(error, Error::Arguments(error) if error.address == 64), "{error}");
    }
}
