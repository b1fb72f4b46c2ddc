//! Lifecycle of instances: dropped in every state and a thousand at once, without leaks. Alone in its process, as
//! processes, descriptors and mappings are counted.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use pvm_engine::{Backend, Config, Engine, Error, Module, Outcome, RawInstance, Reg, Sandbox, SandboxError};
use std::process::Command;

/// Counts in memory, calls the host, and acts on its answer: returns, traps, faults, or loops until it is out of gas.
const TEXT: &str = r#"
.isa ReviveV1
.stack_size 4096
.rw_size 4096
.import "next"
.export "main" main

main:   load_u64 a1, 0x20000
        add_imm_64 a1, a1, 1
        store_u64 a1, 0x20000
        load_imm s0, 0x5a5a5a5a
        ecalli 0
        branch_eq_imm a0, 1, traps
        branch_eq_imm a0, 2, faults
        branch_eq_imm a0, 3, loops
        jump_indirect ra, 0
traps:  trap
faults: store_u64 a1, 0
        trap
loops:  jump loops
"#;

/// Resources of this process.
#[derive(PartialEq, Eq, Debug)]
struct Belongings {
    files: usize,
    mappings: usize,
    processes: usize,
}

/// Descendants of this process that have not ended, or were not reaped.
fn below() -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let with_parent = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Behind the name in parentheses: state, parent.
        Some((id, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
    };
    let all: Vec<(u32, u32)> = ids.filter_map(with_parent).collect();
    let (mut found, mut next) = (vec![std::process::id()], 0);
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        next += 1;
    }
    found.split_off(1)
}

impl Belongings {
    fn count() -> Belongings {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Belongings {
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            mappings: maps.lines().filter(|line| line.contains("memfd:pvm-")).count(),
            processes: below().len(),
        }
    }

    /// Polls until the resources are as expected, as processes end asynchronously; returns the last count.
    fn settle(expected: &Belongings) -> Belongings {
        for _ in 0..500 {
            let now = Belongings::count();
            if now == *expected {
                return now;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Belongings::count()
    }
}

fn counter(instance: &RawInstance) -> u64 {
    let mut bytes = [0; 8];
    instance.read_memory(0x2_0000, &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// Runs a new instance up to the host call.
fn to_the_host(module: &Module) -> RawInstance {
    let mut instance = module.instantiate_raw().unwrap();
    // Nothing of the worker's previous instance may be left.
    assert_eq!(counter(&instance), 0);
    assert!(Reg::ALL.iter().all(|reg| instance.reg(*reg) == 0) && instance.gas() == 0);
    instance.set_gas(100);
    instance.prepare_call(module.program().export(b"main").unwrap(), &[]);
    assert_eq!(instance.run().unwrap(), Outcome::HostCall(0));
    instance
}

/// A new instance in one of the states that it can be dropped in.
fn in_state(module: &Module, state: u32) -> RawInstance {
    if state == 0 {
        return module.instantiate_raw().unwrap();
    }
    let mut instance = to_the_host(module);
    let ends = [Outcome::Finished, Outcome::Trap, Outcome::Trap, Outcome::OutOfGas];
    match state {
        1 => {}
        2..6 => {
            instance.set_reg(Reg::A0, u64::from(state - 2));
            assert_eq!(instance.run().unwrap(), ends[state as usize - 2]);
        }
        6 => {
            instance.sbrk(0x10_0000).unwrap().unwrap();
            let snapshot = instance.snapshot();
            instance.reset_memory().unwrap();
            instance.restore(&snapshot).unwrap();
        }
        // Its worker is killed: undetected yet, or detected by a failed run.
        _ => {
            let all = below();
            let newest = all.iter().max().unwrap().to_string();
            assert!(Command::new("kill").args(["-9", &newest]).status().unwrap().success());
            let path = format!("/proc/{newest}/stat");
            while std::fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z ")) {
                std::thread::yield_now();
            }
            if state == 8 {
                assert!(matches!(instance.run(), Err(Error::Sandbox(SandboxError::Died))));
            }
        }
    }
    instance
}

#[test]
fn instances_dropped_in_any_state_and_a_thousand_at_once_leave_nothing() {
    let mut config = Config::new();
    config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort).set_workers(1, 4096).set_reserve(0);
    let before = Belongings::count();
    {
        let engine = Engine::new(&config).unwrap();
        let module = common::metered(&engine, TEXT);
        // Launcher and zygote. The worker that was tried ends in its own time.
        let with_engine = Belongings { processes: 2, ..Belongings::count() };
        assert_eq!(Belongings::settle(&with_engine), with_engine);
        for round in 0..270 {
            // At most one worker waits, so a kill hits the only one that there is.
            drop(in_state(&module, round % 9));
        }
        drop(in_state(&module, 7));
        assert_eq!(Belongings::settle(&with_engine), with_engine, "the last one was killed, and none waits");

        // Two at a time, dropped in either order, in all pairs of states that leave the worker alive.
        for (first, second) in (0..49).map(|pair| (pair / 7, pair % 7)) {
            let (left, right) = (in_state(&module, first), in_state(&module, second));
            if (first + second) % 2 == 0 {
                drop(left);
                drop(to_the_host(&module));
            }
            drop(right);
        }

        // Two descriptors for each would be too many for some; these need one.
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let files: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
        let count = 1000.min(files.saturating_sub(50));
        let mut all: Vec<RawInstance> = (0..count).map(|_| to_the_host(&module)).collect();
        let now = Belongings { processes: 2 + count, ..Belongings::count() };
        assert_eq!(Belongings::settle(&now), now);
        for (number, instance) in all.iter_mut().enumerate() {
            instance.write_memory(0x2_0000, &(number as u64).to_le_bytes()).unwrap();
        }
        for (number, instance) in all.iter_mut().enumerate() {
            assert_eq!(
                (counter(instance), instance.reg(Reg::A1), instance.reg(Reg::S0)),
                (number as u64, 1, 0x5a5a_5a5a)
            );
            instance.set_reg(Reg::A0, 0);
            assert_eq!(instance.run().unwrap(), Outcome::Finished);
        }
    }
    assert_eq!(Belongings::settle(&before), before);
}
