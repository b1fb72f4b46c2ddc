//! Tests of the raw level on both backends: host calls, gas, memory, snapshots, threads, and hostile programs.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::engines;
use pvm_engine::vm_core::blob::BlobBuilder;
use pvm_engine::vm_core::interpreter::Instance;
use pvm_engine::vm_core::isa::{Instruction, Isa, Opcode};
use pvm_engine::{Backend, Config, Engine, Error, Module, Outcome, ProgramBlob, ProgramConfig, RawInstance, Reg};

/// Adds the host's answer to its arguments, and counts its calls in memory.
const ADDER: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 8
.import "get_third_number"
.export "add_numbers" add_numbers

add_numbers: add_64 s0, a0, a1
             ecalli 0
             add_64 a0, a0, s0
             load_u64 a1, 0x20000
             add_imm_64 a1, a1, 1
             store_u64 a1, 0x20000
             jump_indirect ra, 0
"#;

fn module(engine: &Engine, text: &str) -> Module {
    let module = common::metered(engine, text);
    assert_eq!(module.is_compiled(), engine.backend() == Backend::Jit);
    module
}

/// Calls `add_numbers(1, 10)` with a host that answers 100.
fn call(instance: &mut RawInstance) -> u64 {
    instance.set_gas(100);
    instance.prepare_call(instance.module().program().export(b"add_numbers").unwrap(), &[1, 10]);
    assert_eq!(instance.run().unwrap(), Outcome::HostCall(0));
    instance.set_reg(Reg::A0, 100);
    assert_eq!(instance.run().unwrap(), Outcome::Finished);
    assert_eq!(instance.gas(), 93);
    instance.reg(Reg::A0)
}

fn counter(instance: &RawInstance) -> u64 {
    let mut bytes = [0; 8];
    instance.read_memory(0x2_0000, &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

#[test]
fn a_program_calls_the_host_and_returns() {
    for engine in engines() {
        let mut instance = module(&engine, ADDER).instantiate_raw().unwrap();
        for calls in 1..=3 {
            assert_eq!(call(&mut instance), 111);
            assert_eq!(counter(&instance), calls);
        }
    }
}

#[test]
fn instances_have_nothing_in_common_and_leave_nothing_behind() {
    for engine in engines() {
        let module = module(&engine, ADDER);
        let (mut first, mut second) = (module.instantiate_raw().unwrap(), module.instantiate_raw().unwrap());
        assert_eq!((call(&mut first), call(&mut first), call(&mut second)), (111, 111, 111));
        assert_eq!((counter(&first), counter(&second)), (2, 1));
        drop(first);
        assert_eq!(counter(&module.instantiate_raw().unwrap()), 0);
    }
}

#[test]
fn a_snapshot_brings_registers_memory_and_place_back() {
    for engine in engines() {
        let mut instance = module(&engine, ADDER).instantiate_raw().unwrap();
        instance.set_gas(100);
        instance.prepare_call(0, &[1, 10]);
        assert_eq!(instance.run().unwrap(), Outcome::HostCall(0));
        let snapshot = instance.snapshot();
        for answer in [100, 7] {
            instance.set_reg(Reg::A0, answer);
            assert_eq!(instance.run().unwrap(), Outcome::Finished);
            assert_eq!((instance.reg(Reg::A0), counter(&instance), instance.gas()), (answer + 11, 1, 93));
            instance.restore(&snapshot).unwrap();
            assert_eq!((counter(&instance), instance.next_pc()), (0, snapshot_pc(&instance)));
        }
        let other = module(&engine, ".isa ReviveV1\n trap\n").instantiate_raw().unwrap();
        assert!(matches!(instance.restore(&other.snapshot()), Err(Error::Snapshot(_))));
    }
}

#[test]
fn a_snapshot_knows_of_initial_data_that_became_zero_and_of_much_memory_that_nobody_wrote() {
    // Enough for its pages to be released when it becomes zero.
    let data = vec![0x5a; 0x10_0000];
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.rw_data(0x12_0000, &data).instructions(vec![Instruction::none(Opcode::Trap)]);
    let blob = ProgramBlob::parse(&builder.build().unwrap()).unwrap();
    for engine in engines() {
        let module = Module::new(&engine, &ProgramConfig::default(), &blob).unwrap();
        let mut instance = module.instantiate_raw().unwrap();
        let base = module.program().memory_map().rw_base();
        let all = |instance: &RawInstance| {
            let mut bytes = vec![1; 0x12_0000];
            instance.read_memory(base, &mut bytes).unwrap();
            bytes
        };
        let heap = instance.sbrk(0x4000_0000).unwrap().unwrap();
        instance.write_memory(heap - 0x2000_0001, &[7]).unwrap();
        instance.zero_memory(base + 5, 0xf_0000).unwrap();
        let expected = all(&instance);
        assert_eq!((expected[4], expected[5], expected[0xf_0004], expected[0xf_0005]), (0x5a, 0, 0, 0x5a));
        let snapshot = instance.snapshot();
        instance.reset_memory().unwrap();
        assert!(all(&instance).starts_with(&data));
        instance.restore(&snapshot).unwrap();
        assert!(all(&instance) == expected);
        let mut bytes = [1; 3];
        instance.read_memory(heap - 0x2000_0002, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 7, 0]);
    }
}

/// Code offset after the host call.
fn snapshot_pc(instance: &RawInstance) -> Option<u32> {
    instance.module().program().code().decode(instance.pc()?).map(|call| call.next)
}

/// Clears its initial data, which ends the block.
const CLEARS: &str = r"
.isa ReviveV1
.rw_data 01 02 03 04
.rw_size 8
start: store_imm_u32 0x20000, 0
       jump next
next:  load_u64 a0, 0x20000
       jump_indirect ra, 0
";

#[test]
fn an_instance_goes_on_where_one_on_the_interpreter_is() {
    for engine in engines() {
        let clearing = module(&engine, CLEARS);
        let mut first = Instance::new(clearing.program().clone());
        let is_compiled = engine.backend() == Backend::Jit;
        assert_eq!(clearing.instantiate_from(&first).is_err(), is_compiled, "it is nowhere yet");
        first.prepare_call(0, &[]);
        first.set_gas(2);
        assert_eq!(first.run(), Outcome::OutOfGas);
        first.set_gas(3);
        let mut second = clearing.instantiate_from(&first).unwrap();
        assert_eq!(second.is_compiled(), is_compiled);
        assert_eq!(second.run().unwrap(), Outcome::Finished);
        assert_eq!((second.reg(Reg::A0), second.gas()), (0, 1));
        // The first one is unaffected.
        assert_eq!((first.run(), first.reg(Reg::A0)), (Outcome::Finished, 0));

        let other = module(&engine, ADDER);
        assert!(matches!(other.instantiate_from(&first), Err(Error::Snapshot(_))), "it is of another program");
        let mut waiting = Instance::new(other.program().clone());
        waiting.set_gas(100);
        waiting.prepare_call(other.program().export(b"add_numbers").unwrap(), &[1, 10]);
        assert_eq!(waiting.run(), Outcome::HostCall(0));
        assert_eq!(other.instantiate_from(&waiting).is_err(), is_compiled, "the block is paid for");
    }
}

#[test]
fn threads_use_one_engine() {
    for engine in engines() {
        let module = module(&engine, ADDER);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(call(&mut module.instantiate_raw().unwrap()), 111)));
            }
        });
    }
}

#[test]
fn bytes_that_are_no_program_are_an_error() {
    let error = ProgramBlob::parse(b"PVM").unwrap_err();
    assert!(matches!(error, Error::Blob(_)), "{error}");
}

#[test]
fn auto_says_why_it_interprets_and_jit_refuses() {
    let mut config = Config::new();
    let engine = Engine::new(config.set_backend(Backend::Auto)).unwrap();
    match engine.backend() {
        Backend::Jit => assert!(engine.fallback_reason().is_none()),
        _ => {
            assert!(engine.fallback_reason().is_some());
            assert!(Engine::new(config.set_backend(Backend::Jit)).is_err());
        }
    }
}
