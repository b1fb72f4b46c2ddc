//! Host functions and calls by name, on both backends and both register widths.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{engines, forwarder, metered, module};
use pvm_engine::{Backend, Caller, Config, Engine, Error, Instance, Linker, Reg, Val};

#[test]
fn integers_of_both_widths_pass_in_registers_and_on_the_stack() {
    type Twelve = (u32, i32, u64, i64, u32, u32, u32, u32, u32, u64, i32, u32);
    for engine in engines() {
        for isa in ["ReviveV1", "Latest32", "JamV1"] {
            let module = module(&engine, &forwarder(isa));
            let mut linker = Linker::<Option<Twelve>>::new(&engine);
            linker
                .func_wrap("host", |caller: &mut Caller<'_, Option<Twelve>>, a, b, c, d, e, f, g, h, i, j, k| -> u64 {
                    *caller.data_mut() = Some((a, b, c, d, e, f, g, h, i, j, k, 0));
                    u64::MAX - 5
                })
                .unwrap();
            let instance = linker.instantiate(&module).unwrap();
            let function = instance.get_typed_func::<Twelve, i64>("call").unwrap();
            let args = (1, -2, u64::MAX - 3, i64::MIN + 4, 5, 6, 7, 8, 9, 1 << 63 | 10, -11, 0);
            let mut seen = None;
            assert_eq!(function.call(&mut seen, args).unwrap(), -6, "{isa}");
            assert_eq!(seen, Some(args), "{isa}");
        }
    }
}

#[test]
fn narrow_integers_are_extended_as_their_sign_says() {
    let text = ".isa ReviveV1\n.import \"host\"\n.export \"high\" high\n.export \"answer\" answer\n\
        high: shift_logical_right_imm_64 a0, a0, 32\n jump_indirect ra, 0\n\
        answer: ecalli 0\n shift_logical_right_imm_64 a0, a0, 32\n jump_indirect ra, 0\n";
    for engine in engines() {
        let module = module(&engine, text);
        let mut unsigned = Linker::<()>::new(&engine);
        let mut signed = Linker::<()>::new(&engine);
        unsigned.func_wrap("host", || u32::MAX).unwrap();
        signed.func_wrap("host", || -1_i32).unwrap();
        for (linker, expected) in [(unsigned, 0), (signed, 0xffff_ffff)] {
            let instance = linker.instantiate(&module).unwrap();
            assert_eq!(instance.get_typed_func::<(), u64>("answer").unwrap().call(&mut (), ()).unwrap(), expected);
            let high = |args: &[Val]| instance.get_func("high").unwrap().call(&mut (), args).unwrap();
            assert_eq!(high(&[Val::I32(-1)]), Val::I64(0xffff_ffff));
            let typed = instance.get_typed_func::<(u32,), u64>("high").unwrap();
            assert_eq!(typed.call(&mut (), (u32::MAX,)).unwrap(), 0);
        }
    }
}

#[test]
fn a_host_function_reaches_memory_and_state_and_its_error_ends_the_call() {
    for engine in engines() {
        let module = module(&engine, &forwarder("ReviveV1").replace(".stack_size", ".rw_size 8\n.stack_size"));
        let mut linker = Linker::<Vec<u8>>::new(&engine);
        linker
            .func_wrap("host", |caller: &mut Caller<'_, Vec<u8>>, address: u32| -> Result<u32, std::io::Error> {
                let mut bytes = [0; 4];
                caller.read_memory(address, &mut bytes).map_err(|_| std::io::Error::other("no such memory"))?;
                caller.data_mut().extend(bytes);
                Ok(u32::from(bytes[0]))
            })
            .unwrap();
        let instance = linker.instantiate(&module).unwrap();
        instance.raw().unwrap().write_memory(0x2_0000, &[7, 8, 9, 10]).unwrap();
        let function = instance.get_typed_func::<(u32,), u32>("call").unwrap();
        let mut state = Vec::new();
        assert_eq!(function.call(&mut state, (0x2_0000,)).unwrap(), 7);
        assert_eq!(state, [7, 8, 9, 10]);
        let error = function.call(&mut state, (3,)).unwrap_err();
        assert!(matches!(error, Error::Host(_)), "{error}");
        assert_eq!(error.to_string(), "a host function failed: no such memory");
    }
}

#[test]
fn what_goes_wrong_has_a_name() {
    for engine in engines() {
        let module = module(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<()>::new(&engine);
        let missing = linker.instantiate_pre(&module).err().unwrap();
        assert_eq!(missing.to_string(), "the program imports functions that are not defined: host");
        linker.func_wrap("host", || {}).unwrap();
        assert!(matches!(linker.func_wrap("host", || 5_u32), Err(Error::Duplicate { .. })));

        let instance = linker.instantiate(&module).unwrap();
        assert!(matches!(instance.get_func("absent"), Err(Error::NoExport { .. })));
        let fault = instance.get_func("fault").unwrap().call(&mut (), &[]).unwrap_err();
        assert!(matches!(fault, Error::Trap { pc: Some(_) }), "{fault}");
        let many = vec![Val::I64(0); 4096];
        assert!(matches!(instance.get_func("call").unwrap().call(&mut (), &many), Err(Error::Arguments(_))));

        let other = Engine::new(Config::new().set_backend(Backend::Interpreter)).unwrap();
        assert!(matches!(Linker::<()>::new(&other).instantiate_pre(&module), Err(Error::OtherEngine)));
    }
}

#[test]
fn gas_ends_a_call_and_a_busy_instance_is_not_entered() {
    for engine in engines() {
        let module = metered(&engine, &forwarder("ReviveV1"));
        let mut linker = Linker::<Option<Instance<()>>>::new(&engine);
        linker.func_wrap("host", |caller: &mut Caller<'_, Option<Instance<()>>>| caller.instance().gas()).unwrap();
        let instance = linker.instantiate(&module).unwrap();
        let function = instance.get_typed_func::<(), i64>("call").unwrap();
        assert!(matches!(function.call(&mut None, ()), Err(Error::OutOfGas)));
        instance.raw().unwrap().set_gas(10);
        assert_eq!(function.call(&mut None, ()).unwrap(), 7);

        let busy = instance.raw().unwrap();
        assert!(matches!(function.call(&mut None, ()), Err(Error::Busy)));
        assert_eq!(busy.reg(Reg::A0), 7);
    }
}
