//! Tests of tracing: the log lines, and that results are the same, on both backends.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{blob, engines, engines_with, metered};
use pvm_engine::{
    CostModelKind, Engine, Error, Linker, MemoryLatency, Metering, Module, Outcome, ProgramConfig, RawInstance, Reg,
};
use std::cell::RefCell;

thread_local! {
    /// Log lines of this thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "pvm::trace"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn listen() {
    static COLLECTOR: Collector = Collector;
    // Another test of this program may have been first.
    let _ = log::set_logger(&COLLECTOR);
    log::set_max_level(log::LevelFilter::Trace);
}

fn logged() -> Vec<String> {
    LINES.take()
}

const DATA: u32 = 0x2_0000;

/// Loops over host calls, calls a function, stores.
const LOOP: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 16
.import "next"
.export "main" main
main:   load_imm s0, 4
        move_reg s1, ra
        fallthrough
again:  ecalli 0
        store_u64 a0, 0x20000
        load_imm_and_jump ra, 2, function
.jump_table back
back:   add_imm_64 s0, s0, -1
        branch_not_eq_imm s0, 0, again
        jump_indirect s1, 0
function: add_64 a1, a1, a0
        jump_indirect ra, 0
"#;

/// Program that stores outside of memory, after an instruction that works.
const TRAP: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 16
.export "main" main
main:   load_imm a0, 7
        store_u64 a0, 0x20000
        store_u64 a0, 0x10000
"#;

/// Fills memory, which is paid byte by byte, and grows the heap. Runs off its end.
const FILL: &str = r#"
.isa Latest32
.stack_size 4096
.rw_size 4096
.export "main" main
main:   load_imm a0, 0x20010
        load_imm a1, 0x5a
        load_imm a2, 100
        memset
        load_imm a3, 5000
        sbrk a4, a3
        store_imm_u32 0x20800, 99
"#;

const LOST: &str = ".isa JamV1\n.export \"main\" main\nmain: load_imm a0, 1\n jump_indirect a0, 0\n";

/// Everything that an embedder can observe at a stop.
#[derive(Debug, PartialEq)]
struct Seen {
    outcome: Outcome,
    at: [Option<u32>; 2],
    gas: i64,
    heap: u32,
    regs: [u64; Reg::COUNT],
    memory: Result<Vec<u8>, pvm_engine::MemoryError>,
}

fn see(instance: &RawInstance, outcome: Outcome) -> Seen {
    let mut memory = vec![0; 0x1000];
    Seen {
        outcome,
        at: [instance.pc(), instance.next_pc()],
        gas: instance.gas(),
        heap: instance.heap_size(),
        regs: Reg::ALL.map(|reg| instance.reg(reg)),
        memory: instance.read_memory(DATA, &mut memory).map(|()| memory),
    }
}

/// Runs to the end, adding gas in small portions; in between takes a snapshot and restores it.
fn watch(module: &Module, entry: u32, gas: i64) -> Vec<Seen> {
    let mut instance = module.instantiate_raw().unwrap();
    instance.set_gas(gas);
    instance.prepare_call(entry, &[1, 2]);
    let mut all = Vec::new();
    for answer in 0..400 {
        let outcome = instance.run().unwrap();
        all.push(see(&instance, outcome));
        let snapshot = instance.snapshot();
        instance.restore(&snapshot).unwrap();
        match outcome {
            Outcome::HostCall(_) => instance.set_reg(Reg::A0, answer << 33 | 5),
            Outcome::OutOfGas if instance.next_pc().is_some() => instance.set_gas(instance.gas() + 3),
            Outcome::Step => {}
            _ => break,
        }
    }
    // A finished run stays finished.
    let outcome = instance.run().unwrap();
    all.push(see(&instance, outcome));
    all
}

fn configurations() -> Vec<ProgramConfig> {
    let mut all = Vec::new();
    for metering in [Metering::Sync, Metering::Async, Metering::Off] {
        for cost_model in
            [CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2), CostModelKind::CalibratedV1]
        {
            for single_step in [false, true] {
                all.push(ProgramConfig { metering, cost_model, single_step, ..ProgramConfig::default() });
            }
        }
    }
    all
}

#[test]
fn outcomes_gas_places_registers_and_memory_are_the_same_with_and_without_a_trace() {
    listen();
    let (plain, traced) = (engines(), engines_with(|config| _ = config.set_trace_execution(true)));
    let mut outcomes = std::collections::HashSet::new();
    for text in [LOOP, TRAP, FILL, LOST] {
        let blob = blob(text);
        for config in configurations() {
            for (plain, traced) in plain.iter().zip(&traced) {
                let [plain, traced] = [plain, traced].map(|engine| Module::new(engine, &config, &blob).unwrap());
                assert_eq!(plain.is_compiled(), traced.is_compiled());
                assert_eq!(traced.program().config().single_step, config.single_step);
                let entry = plain.program().export(b"main").unwrap();
                let inside = plain.program().code().decode(entry).unwrap().next;
                // From a block's beginning, from its middle, and from no instruction at all.
                for entry in [entry, inside, inside - 1, 99_999] {
                    for gas in [-1, 0, 2, 11, 1000] {
                        logged();
                        let expected = watch(&plain, entry, gas);
                        assert_eq!(logged(), [""; 0]);
                        assert_eq!(watch(&traced, entry, gas), expected, "{config:?} {entry} {gas}");
                        assert_ne!(logged(), [""; 0]);
                        outcomes.extend(expected.iter().map(|seen| std::mem::discriminant(&seen.outcome)));
                    }
                }
            }
        }
    }
    assert_eq!(outcomes.len(), 5, "all kinds of outcomes were compared");
}

#[test]
fn each_instruction_is_logged_once_with_what_it_changed() {
    listen();
    for engine in engines_with(|config| _ = config.set_trace_execution(true)) {
        let mut instance = metered(&engine, LOOP).instantiate_raw().unwrap();
        instance.set_gas(4);
        instance.prepare_call(0, &[]);
        logged();
        assert_eq!(instance.run().unwrap(), Outcome::OutOfGas);
        instance.set_gas(4);
        assert_eq!(instance.run().unwrap(), Outcome::HostCall(0));
        instance.set_reg(Reg::A0, 0x77);
        assert_eq!(instance.run().unwrap(), Outcome::OutOfGas);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = logged().iter().map(|line| words(line)).collect();
        let expected = [
            "0 load_imm s0, 4 s0=0x4 gas=1",
            "3 move_reg s1, ra s1=0xffff0000 gas=1",
            "5 fallthrough gas=1",
            "stopped: OutOfGas",
            "6 ecalli 0 gas=1",
            "host call 0: next",
            // Changes by the host are not shown as effects of the next instruction.
            "7 store_u64 a0, 0x20000 gas=1",
            "12 load_imm_and_jump ra, 2, @24 ra=0x2 gas=1",
            "stopped: OutOfGas",
        ];
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_trap_and_a_part_of_a_memset_are_logged() {
    listen();
    for engine in engines_with(|config| _ = config.set_trace_execution(true)) {
        let run = |text: &str, gas: i64| {
            let mut instance = metered(&engine, text).instantiate_raw().unwrap();
            instance.set_gas(gas);
            instance.prepare_call(0, &[]);
            logged();
            let outcome = instance.run().unwrap();
            (outcome, logged().split_off(2))
        };
        let (outcome, lines) = run(TRAP, 100);
        assert_eq!((outcome, lines.len()), (Outcome::Trap, 2));
        assert!(lines[0].contains("store_u64 a0, 0x10000") && lines[0].ends_with("gas=96"), "{lines:?}");
        let (outcome, lines) = run(FILL, 20);
        assert_eq!((outcome, lines.len()), (Outcome::OutOfGas, 3));
        assert!(lines[1].contains("memset") && lines[1].ends_with("gas=0"), "{lines:?}");
    }
}

#[test]
fn calls_by_name_give_the_same_and_a_snapshot_does_not_cross_over() {
    listen();
    let traced = engines_with(|config| _ = config.set_trace_execution(true));
    for (plain, traced) in engines().into_iter().zip(traced) {
        let call = |engine: &Engine| {
            let module = metered(engine, LOOP);
            let mut linker = Linker::<u64>::new(engine);
            linker
                .func_wrap("next", |caller: &mut pvm_engine::Caller<'_, u64>| {
                    *caller.data_mut() += 1;
                    *caller.data()
                })
                .unwrap();
            let instance = linker.instantiate(&module).unwrap();
            let function = instance.get_typed_func::<(), u64>("main").unwrap();
            instance.raw().unwrap().set_gas(20);
            let mut calls = 0;
            assert!(matches!(function.call(&mut calls, ()), Err(Error::OutOfGas)));
            instance.raw().unwrap().set_gas(100);
            let result = function.resume(&mut calls).unwrap();
            let gas = instance.raw().unwrap().gas();
            (result, calls, gas, instance)
        };
        let ((a, b, c, plain), (d, e, f, traced)) = (call(&plain), call(&traced));
        assert_eq!((a, b, c), (d, e, f));
        assert_eq!((a, b), (4, 4));
        let snapshot = plain.raw().unwrap().snapshot();
        assert!(matches!(traced.raw().unwrap().restore(&snapshot), Err(Error::Snapshot(_))));
    }
}
