//! Tests of integer arguments and results at the boundary to the host, in registers and beyond: every instruction set,
//! both backends, both directions.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{engines, forwarder, module};
use pvm_engine::{Caller, Linker, Reg, Val};

const ISAS: [&str; 3] = ["ReviveV1", "Latest32", "JamV1"];

/// Twelve values that differ in every byte.
const TWELVE: [u64; 12] = {
    let mut all = [0; 12];
    let mut index = 0;
    while index < 12 {
        all[index] = 0x0102_0304_0506_0708 + 0x1010_1010_1010_1010 * index as u64;
        index += 1;
    }
    all
};

type Wide = (u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

fn wide() -> Wide {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = TWELVE;
    (a, b, c, d, e, f, g, h, i, j, k, l)
}

#[test]
fn a_wide_argument_lies_half_in_the_last_register_and_half_on_the_stack() {
    // Eight narrow arguments are in a0 to a5, t0 and t1.
    type Params = (u32, u32, u32, u32, u32, u32, u32, u32, u64, u32);
    let text = ".isa Latest32\n.stack_size 4096\n.export \"ninth\" ninth\n.export \"tenth\" tenth\n\
        ninth: move_reg a0, t2\n load_indirect_i32 a1, sp, 0\n jump_indirect ra, 0\n\
        tenth: load_indirect_i32 a0, sp, 4\n load_indirect_i32 a1, sp, 8\n jump_indirect ra, 0\n";
    let ninth = 0x1122_3344_5566_7788;
    let args = (1, 2, 3, 4, 5, 6, 7, 8, ninth, 0x99aa_bbcc);
    for engine in engines() {
        let instance = Linker::<()>::new(&engine).instantiate(&module(&engine, text)).unwrap();
        let function = instance.get_typed_func::<Params, u64>("ninth").unwrap();
        assert_eq!(function.call(&mut (), args).unwrap(), ninth);
        // Behind the last one the stack is as it was: zero.
        let function = instance.get_typed_func::<Params, u64>("tenth").unwrap();
        assert_eq!(function.call(&mut (), args).unwrap(), 0x99aa_bbcc);
        // The same without types.
        let mut values = vec![Val::I32(1); 8];
        values.extend([Val::from(ninth), Val::from(0x99aa_bbcc_u32)]);
        let function = instance.get_func("ninth").unwrap();
        assert_eq!(function.call(&mut (), &values).unwrap(), Val::I32(0x5566_7788));
        assert_eq!(instance.raw().unwrap().reg(Reg::A1), 0x1122_3344);
    }
}

#[test]
fn a_host_function_finds_an_argument_that_the_guest_split() {
    let text = ".isa Latest32\n.stack_size 4096\n.import \"host\"\n.export \"call\" call\n\
        call: add_imm_32 sp, sp, -16\n move_reg s0, ra\n\
        load_imm t2, 0x55667788\n store_imm_indirect_u32 sp, 0, 0x11223344\n store_imm_indirect_u32 sp, 4, -7\n\
        load_imm a0, 11\n load_imm t1, 18\n ecalli 0\n\
        move_reg t0, a0\n move_reg t1, a1\n jump_indirect s0, 0\n";
    type Seen = Option<(u32, u32, u64, i32)>;
    for engine in engines() {
        let mut linker = Linker::<Seen>::new(&engine);
        linker
            .func_wrap(
                "host",
                |caller: &mut Caller<'_, Seen>,
                 a: u32,
                 _: u32,
                 _: u32,
                 _: u32,
                 _: u32,
                 _: u32,
                 _: u32,
                 h: u32,
                 i: u64,
                 j: i32| {
                    *caller.data_mut() = Some((a, h, i, j));
                    0xaabb_ccdd_1234_5678_u64
                },
            )
            .unwrap();
        let instance = linker.instantiate(&module(&engine, text)).unwrap();
        let mut seen = None;
        let result = instance.get_typed_func::<(), u64>("call").unwrap().call(&mut seen, ()).unwrap();
        assert_eq!(seen, Some((11, 18, 0x1122_3344_5566_7788, -7)));
        // A wide result takes two registers on its way out and on its way in.
        assert_eq!(result, 0xaabb_ccdd_1234_5678);
        assert_eq!(instance.raw().unwrap().reg(Reg::T1), 0xaabb_ccdd);
    }
}

#[test]
fn a_guest_gets_as_many_arguments_as_a_call_can_have() {
    for engine in engines() {
        for isa in ISAS {
            let width = if isa == "Latest32" { 4 } else { 8 };
            let instance = {
                let mut linker = Linker::<()>::new(&engine);
                linker.define_unknown_imports_as_traps(&module(&engine, &forwarder(isa)));
                linker.instantiate(&module(&engine, &forwarder(isa))).unwrap()
            };
            // The import is a trap: what was passed can be seen where the guest stopped.
            instance.get_typed_func::<Wide, ()>("call").unwrap().call(&mut (), wide()).unwrap_err();
            let machine = instance.raw().unwrap();
            let low = machine.reg(Reg::SP) as u32;
            let mut stack = vec![0; (machine.module().program().memory_map().stack_high() - low) as usize];
            machine.read_memory(low, &mut stack).unwrap();
            let mut bytes: Vec<u8> = Vec::new();
            Reg::ARGS.iter().for_each(|reg| bytes.extend(&machine.reg(*reg).to_le_bytes()[..width]));
            bytes.extend(&stack);
            let expected: Vec<u8> = TWELVE.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(bytes[..expected.len()], expected, "{isa}");
            assert_eq!(low % 16, 0);
            assert!(stack.len() < expected.len() - 9 * width + 16, "no more of the stack is taken than needed");
        }
    }
}

#[test]
fn a_host_function_gets_as_many_arguments_as_it_can_have() {
    for engine in engines() {
        for isa in ISAS {
            let module = module(&engine, &forwarder(isa));
            let mut linker = Linker::<Option<Wide>>::new(&engine);
            linker
                .func_wrap("host", |caller: &mut Caller<'_, Option<Wide>>, a, b, c, d, e, f, g, h, i, j, k, l| {
                    *caller.data_mut() = Some((a, b, c, d, e, f, g, h, i, j, k, l));
                })
                .unwrap();
            let instance = linker.instantiate(&module).unwrap();
            let mut seen = None;
            instance.get_typed_func::<Wide, ()>("call").unwrap().call(&mut seen, wide()).unwrap();
            assert_eq!(seen, Some(wide()), "{isa}");

            // Without a caller, and with a result made of the last argument.
            let mut linker = Linker::<()>::new(&engine);
            linker
                .func_wrap(
                    "host",
                    |a: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, l: u64| {
                        a ^ l
                    },
                )
                .unwrap();
            let instance = linker.instantiate(&module).unwrap();
            let result = instance.get_typed_func::<Wide, u64>("call").unwrap().call(&mut (), wide()).unwrap();
            assert_eq!(result, TWELVE[0] ^ TWELVE[11], "{isa}");
        }
    }
}
