//! Hostile worker tests: whatever a worker sends, the host neither panics nor accesses memory outside of the map, and
//! returns an outcome that a guest could have caused, or a protocol violation.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use super::super::{CALL_LENGTH, CHARGE_COST, compile, image};
use super::{Compiled, Exit, JitInstance};
use crate::sandbox::{GuestState, Image, Pool, SandboxError, Settings, WorkerProcess, thread_cpu_time};
use std::sync::Arc;
use std::time::Duration;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::gas::Metering;
use vm_core::isa::Reg;
use vm_core::memory::MemoryMap;
use vm_core::program::{Program, ProgramConfig};
use vm_core::text::assemble;

/// A program with all kinds of exits: host calls, jumps, sbrk, memset, traps, faults, blocks that are charged.
const TEXT: &str = "
.isa Latest32
.rw_size 4096
.stack_size 4096
.import \"host\"
start: ecalli 0
       sbrk a0, a1
       memset
       load_indirect_i32 a0, a1, 8
       branch_eq_imm a0, 0, start
       load_imm_and_jump_indirect ra, a0, 4, 0
next:  trap
";

struct HostileWorker {
    random: u64,
    map: MemoryMap,
    code_length: u32,
    /// Native offsets of exits and faults.
    plausible: Vec<u32>,
    heap_end: u32,
    kills: u32,
}

impl HostileWorker {
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Returns a number that is often an edge case.
    fn number(&mut self) -> u64 {
        let number = self.next();
        match self.next() % 8 {
            0 => [0, 1, u64::MAX, i64::MAX as u64, i64::MIN as u64, u32::MAX.into()][number as usize % 6],
            1 => u64::from(self.heap_end).wrapping_sub(number % 5),
            2 => u64::from(self.map.rw_base()).wrapping_add(number % 0x1000),
            3 => number % 300,
            4 => number >> 40,
            _ => number,
        }
    }

    fn check_writable(&self, address: u32, length: u64) {
        let end = u64::from(address) + length;
        let regions = [(self.map.rw_base(), self.heap_end), (self.map.stack_low(), self.map.stack_high())];
        let is_there = regions.iter().any(|(from, to)| *from <= address && end <= u64::from(*to));
        assert!(length == 0 || is_there, "{length} bytes at {address:#x}");
    }
}

impl WorkerProcess for HostileWorker {
    fn load(&mut self, _: &Image<'_>) -> Result<(), SandboxError> {
        Ok(())
    }

    fn run(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        assert!(state.native_pc <= self.code_length, "the host goes on in the code");
        for index in 0..state.regs.len() {
            state.regs[index] = self.number();
        }
        // Mostly possible amounts of gas, as nothing else is checked if the gas is impossible.
        state.gas = match self.next() % 4 {
            0 => self.number() as i64,
            1 => -((self.next() % 9) as i64),
            _ => state.gas - state.gas.clamp(0, (self.next() % 9) as i64),
        };
        // The range that `Worker` accepts.
        state.native_pc = (self.next() % u64::from(self.code_length + 1)) as u32;
        let detail = self.number();
        if !self.next().is_multiple_of(8) {
            let index = self.next() as usize % self.plausible.len();
            state.native_pc = self.plausible[index];
        }
        Ok(match self.next() % 9 {
            0 => Exit::Trap,
            1 => Exit::HostCall(if self.next().is_multiple_of(2) { 0 } else { detail as u32 }),
            2 => Exit::OutOfGas,
            3 => Exit::Jump(detail as u32),
            4 => Exit::Step,
            5 => Exit::Sbrk,
            6 | 7 => Exit::Memset,
            _ => Exit::Fault(detail % ((1 << 32) + 8)),
        })
    }

    fn go_on(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        self.run(state)
    }

    fn read(&self, _: u32, _: &mut [u8]) {}

    fn pages(&self, _: u32, _: u32, _: &mut dyn FnMut(u32, &[u8; 0x1000])) {}

    fn write(&mut self, address: u32, data: &[u8]) {
        self.check_writable(address, data.len() as u64);
    }

    fn fill(&mut self, address: u32, _: u8, length: u32) {
        self.check_writable(address, length.into());
    }

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), SandboxError> {
        assert!(old_end == self.heap_end && old_end < new_end, "{old_end:#x} to {new_end:#x}");
        assert!(new_end <= self.map.rw_end_with_heap(self.map.max_heap_size()), "{new_end:#x}");
        self.heap_end = new_end;
        Ok(())
    }

    fn reset(&mut self) -> Result<(), SandboxError> {
        self.heap_end = self.map.rw_end();
        Ok(())
    }

    fn kill(&mut self) {
        self.kills += 1;
    }
}

/// Native offsets at which instructions and stubs begin and end.
fn ends(program: &Program, compiled: &Compiled) -> Vec<u32> {
    let offsets = program.code().instructions().flat_map(|decoded| [decoded.offset, decoded.next]);
    let mut ends: Vec<u32> = offsets.map(|offset| compiled.native_at(program, offset).unwrap().native).collect();
    ends.extend((0..4).map(|stub| compiled.block_stubs + stub * CALL_LENGTH));
    ends.extend((0..2).map(|stub| compiled.jump_stubs + stub * CALL_LENGTH));
    ends
}

#[test]
fn whatever_a_worker_says_is_an_outcome_or_a_protocol_violation_and_touches_only_what_the_map_has() {
    let bytes = assemble(TEXT).unwrap();
    let (mut outcomes, mut violations) = ([0u32; 6], 0u32);
    for metering in [Metering::Sync, Metering::Async, Metering::Off] {
        for single_step in [false, true] {
            let config = ProgramConfig { metering, single_step, ..ProgramConfig::default() };
            let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &config).unwrap());
            let compiled = Arc::new(compile(&program).unwrap());
            let (map, code_length) = (*program.memory_map(), compiled.image().len() as u32);
            let plausible = ends(&program, &compiled);
            let (random, heap_end) = (0x9e37_79b9_7f4a_7c15, map.rw_end());
            let worker = HostileWorker { random, map, code_length, plausible, heap_end, kills: 0 };
            let mut instance = JitInstance::new(program.clone(), compiled, worker);
            for round in 0..20_000 {
                instance.set_gas(1000);
                if instance.next_pc().is_none() {
                    instance.set_next_pc(0);
                }
                match instance.run() {
                    Ok(outcome) => {
                        assert!(metering == Metering::Off || instance.gas() <= 1000, "{}", instance.gas());
                        // The registers of a 32-bit program have 32 bits, whatever the worker sends.
                        assert!(Reg::ALL.iter().all(|reg| instance.reg(*reg) <= u32::MAX.into()));
                        let index = match outcome {
                            Outcome::Finished => 0,
                            Outcome::Trap => 1,
                            Outcome::OutOfGas => 2,
                            Outcome::HostCall(_) => 3,
                            Outcome::Step => 4,
                            Outcome::PageFault { .. } => 5,
                        };
                        outcomes[index] += 1;
                    }
                    Err(SandboxError::ProtocolViolation { .. }) => {
                        violations += 1;
                        assert_eq!(std::mem::take(&mut instance.worker.kills), 1, "it is not used again");
                        instance.set_next_pc(0);
                    }
                    Err(other) => panic!("{other}"),
                }
                let length = program.code().len();
                let pcs = [instance.pc(), instance.next_pc()];
                assert!(pcs.iter().flatten().all(|offset| *offset <= length), "{pcs:?}");
                if round % 50 == 0 {
                    instance.reset_memory().unwrap();
                }
            }
        }
    }
    println!("{outcomes:?}, violations {violations}");
    assert!(outcomes[1..5].iter().all(|count| *count > 100) && violations > 1000, "{outcomes:?} {violations}");
}

/// A worker that sends one exit, once.
struct Claim(Exit, u32);

impl WorkerProcess for Claim {
    fn load(&mut self, _: &Image<'_>) -> Result<(), SandboxError> {
        Ok(())
    }

    fn run(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError> {
        state.native_pc = self.1;
        Ok(self.0)
    }

    fn go_on(&mut self, _: &mut GuestState) -> Result<Exit, SandboxError> {
        Err(SandboxError::Died)
    }

    fn read(&self, _: u32, _: &mut [u8]) {}

    fn pages(&self, _: u32, _: u32, _: &mut dyn FnMut(u32, &[u8; 0x1000])) {}

    fn write(&mut self, _: u32, _: &[u8]) {}

    fn fill(&mut self, _: u32, _: u8, _: u32) {}

    fn grow_heap(&mut self, _: u32, _: u32) -> Result<(), SandboxError> {
        Ok(())
    }

    fn reset(&mut self) -> Result<(), SandboxError> {
        Ok(())
    }

    fn kill(&mut self) {}
}

fn program(text: &str, metering: Metering) -> Arc<Program> {
    let config = ProgramConfig { metering, ..ProgramConfig::default() };
    Arc::new(Program::new(&Blob::parse(&assemble(text).unwrap()).unwrap(), &config).unwrap())
}

#[test]
fn an_exit_that_the_instruction_at_the_pc_cannot_cause_is_a_protocol_violation() {
    // For each instruction the exits that it can cause, and whether they are reported at its end.
    let revive = [
        ("ecalli 7", &[Exit::HostCall(7)][..]),
        ("load_indirect_u64 a0, a1, 8", &[Exit::Fault(0)]),
        ("store_imm_u8 32, 1", &[Exit::Fault(0)]),
        ("add_64 a0, a1, a2", &[]),
        ("load_imm64 a0, 0xe800000007ba", &[]),
        ("shift_logical_left_imm_alt_32 a0, a1, 7", &[]),
        ("trap", &[Exit::Trap]),
    ];
    let latest = [
        ("ecalli 7", &[Exit::HostCall(7)][..]),
        ("sbrk a0, a1", &[Exit::Sbrk]),
        ("memset", &[Exit::Memset]),
        ("add_32 a0, a1, a2", &[]),
    ];
    let exits = [
        Exit::Trap,
        Exit::HostCall(7),
        Exit::HostCall(8),
        Exit::OutOfGas,
        Exit::Jump(0),
        Exit::Step,
        Exit::Sbrk,
        Exit::Memset,
        Exit::Fault(0),
    ];
    let mut wrong = Vec::new();
    for (isa, instructions) in [("ReviveV1", &revive[..]), ("Latest32", &latest)] {
        for (instruction, possible) in instructions {
            let text = format!(
                ".isa {isa}\n.import \"host\"\nadd_imm_32 a3, a3, 1\n{instruction}\nadd_imm_32 a3, a3, 1\ntrap"
            );
            let program = program(&text, Metering::Off);
            let compiled = Arc::new(compile(&program).unwrap());
            let offset = program.code().instructions().nth(1).unwrap();
            for exit in exits {
                let at = if matches!(exit, Exit::Fault(_)) { offset.offset } else { offset.next };
                let native = compiled.native_at(&program, at).unwrap().native;
                let mut instance = JitInstance::new(program.clone(), compiled.clone(), Claim(exit, native));
                instance.set_next_pc(0);
                let result = instance.run();
                let is_right = match possible.contains(&exit) {
                    // Resuming after the host has done its part fails then.
                    true => matches!(result, Ok(_) | Err(SandboxError::Died)),
                    false => matches!(result, Err(SandboxError::ProtocolViolation { .. })),
                };
                if !is_right {
                    wrong.push(format!("{instruction}: {exit:?}: {result:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs an endless program in a worker with a short time limit; `corrupt` changes its machine code.
fn endless(
    text: &str,
    metering: Metering,
    corrupt: impl FnOnce(&Program, &mut Compiled),
) -> Result<Outcome, SandboxError> {
    let program = program(text, metering);
    let mut compiled = compile(&program).unwrap();
    corrupt(&program, &mut compiled);
    let limit = Duration::from_millis(50);
    let settings = Settings {
        sandbox: crate::Sandbox::BestEffort,
        time_limit: Some(limit),
        // A busy machine may take long to give the worker this much CPU time.
        stall_limit: Some(Duration::from_secs(60)),
        ..Settings::default()
    };
    let compiled = Arc::new(compiled);
    let worker = Pool::new(settings).unwrap().take(&image(&program, &compiled, 1)).unwrap();
    let mut instance = JitInstance::new(program, compiled, worker);
    instance.set_gas(1000);
    for (reg, value) in
        [(Reg::A0, 0x2_0000), (Reg::A1, 7), (Reg::A2, 0x400_0000), (Reg::S0, 0x400_0000), (Reg::S1, 0x2_0000)]
    {
        instance.set_reg(reg, value);
    }
    instance.set_next_pc(0);
    instance.run()
}

#[test]
fn what_the_host_does_for_a_program_takes_nothing_away_from_its_deadline() {
    let timed_out = Err(SandboxError::TimedOut { limit: Duration::from_millis(50) });
    let sbrk = ".isa Latest32\nagain: sbrk a0, a1\njump again";
    let memset = ".isa Latest32\n.rw_size 67108864\nagain: move_reg a0, s1\nmove_reg a2, s0\nmemset\njump again";
    for text in [sbrk, memset] {
        let before = thread_cpu_time().unwrap();
        assert_eq!(endless(text, Metering::Off, |_, _| {}), timed_out, "{text}");
        // A hundred times the limit. Each memset takes the host thousands of times as long as the worker, so that the
        // worker's own time ends much later.
        let spent = thread_cpu_time().unwrap() - before;
        assert!(spent < Duration::from_secs(5), "{spent:?} of CPU time for {text}");
    }
    // A worker that exits endlessly and pays for nothing.
    let result = endless(sbrk, Metering::Sync, |program, compiled| {
        for charge in [0].map(|block| compiled.charge_of(program, block).unwrap() as usize + CHARGE_COST) {
            compiled.image[charge..charge + 4].fill(0);
        }
    });
    assert_eq!(result, timed_out);
}

#[test]
fn a_memset_before_all_code_by_a_hostile_stored_program_is_a_protocol_violation() {
    let program = program(".isa Latest32\n.rw_size 4096\nmemset\ntrap", Metering::Sync);
    let mut compiled = compile(&program).unwrap();
    let (first, rest) = compiled.pc_map.split_first_mut().unwrap();
    first.native = 0;
    rest.iter_mut().for_each(|place| place.native = compiled.block_stubs);
    let mut instance = JitInstance::new(program, Arc::new(compiled), Claim(Exit::Memset, 3));
    instance.set_gas(0);
    for (reg, value) in [(Reg::A0, 0x2_0000), (Reg::A2, 10)] {
        instance.set_reg(reg, value);
    }
    instance.set_next_pc(0);
    assert_eq!(instance.run(), Err(SandboxError::ProtocolViolation { what: Exit::Memset.name(), value: 3 }));
}

/// Exhaustive at reduced width: gas before and after, by the words of the rule.
#[test]
fn gas_that_a_worker_reports_is_what_a_run_can_leave() {
    use pvm_test_support::exhaustive::{each, edges};
    let numbers: Vec<u64> = edges(64);
    let exits = [Exit::Trap, Exit::HostCall(0), Exit::Jump(0), Exit::Step, Exit::Sbrk, Exit::Memset, Exit::Fault(0)];
    let count = each([&numbers, &numbers], |[before, after]| {
        let (before, after) = (before as i64, after as i64);
        for exit in exits {
            let is_possible = after >= 0 && after <= before;
            assert_eq!(super::check_gas(before, after, exit).is_ok(), is_possible, "{before} {after} {exit:?}");
        }
        // A block costs less than 2^31, and one that is out of gas has charged it.
        let is_possible = after < 0 && after > -(1 << 31);
        assert_eq!(super::check_gas(before, after, Exit::OutOfGas).is_ok(), is_possible, "{before} {after}");
    });
    assert!(count > 50_000);
}
