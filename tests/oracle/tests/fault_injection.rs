//! Fault injection: the oracle detects every defect of an engine, and accepts an engine that differs only in what the
//! specification leaves unspecified.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_oracle::compare::{Scenario, compare};
use pvm_oracle::engines::Reference;
use pvm_oracle::generate::scenario;
use pvm_oracle::{Config, Engine, EngineInstance, Metering, Outcome};

/// A defect of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Defect {
    /// A register is off by one bit after a run.
    Register(usize),
    /// A gas is missing after a run.
    Gas,
    /// The pc is one too high.
    Pc,
    /// The next pc is one too high.
    NextPc,
    /// A byte of memory is changed.
    Memory,
    /// The heap is a byte longer.
    Heap,
    /// A finished run is said to have trapped.
    Outcome,
    /// Host calls have other numbers.
    HostCall,
    /// Blocks cost one more.
    Cost,
    /// A region ends a page later.
    Regions,
    /// Has other registers when out of gas with asynchronous metering; allowed for engines that declare it.
    Late,
    /// As the one before, but undeclared.
    LateInSecret,
    /// A program is refused.
    Refuses,
}

struct DefectiveEngine(Defect);

impl Engine for DefectiveEngine {
    fn name(&self) -> String {
        format!("defective {:?}", self.0)
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
        match Reference.load(blob, config) {
            Ok(_) if self.0 == Defect::Refuses => Err("does not like it".into()),
            Ok(machine) => {
                let late = config.metering == Metering::Async && matches!(self.0, Defect::Late | Defect::LateInSecret);
                Ok(Box::new(DefectiveInstance { machine, defect: self.0, late }))
            }
            Err(error) => Err(error),
        }
    }
}

struct DefectiveInstance {
    machine: Box<dyn EngineInstance>,
    defect: Defect,
    late: bool,
}

impl EngineInstance for DefectiveInstance {
    fn set_register(&mut self, number: usize, value: u64) {
        self.machine.set_register(number, value);
    }

    fn register(&self, number: usize) -> u64 {
        self.machine.register(number)
    }

    fn set_gas(&mut self, gas: i64) {
        self.machine.set_gas(gas);
    }

    fn gas(&self) -> i64 {
        self.machine.gas()
    }

    fn set_next_pc(&mut self, offset: u32) {
        self.machine.set_next_pc(offset);
    }

    fn pc(&self) -> Option<u32> {
        self.machine.pc().map(|pc| pc.wrapping_add(u32::from(self.defect == Defect::Pc)))
    }

    fn next_pc(&self) -> Option<u32> {
        self.machine.next_pc().map(|pc| pc.wrapping_add(u32::from(self.defect == Defect::NextPc)))
    }

    fn run(&mut self) -> Outcome {
        let outcome = self.machine.run();
        match (self.defect, outcome) {
            (Defect::Register(number), _) => self.machine.set_register(number, self.machine.register(number) ^ 1 << 31),
            (Defect::Gas, _) => self.machine.set_gas(self.machine.gas() - 1),
            (Defect::Memory, _) => {
                let mut byte = [0];
                for (_, to) in self.machine.regions() {
                    if self.machine.read(to - 1, &mut byte) {
                        self.machine.write(to - 1, &[!byte[0]]);
                    }
                }
            }
            (Defect::Heap, _) => _ = self.machine.sbrk(1),
            (Defect::Outcome, Outcome::Finished) => return Outcome::Trap,
            (Defect::HostCall, Outcome::HostCall(number)) => return Outcome::HostCall(number ^ 1),
            // All engines detect a shortage at an entry into the middle of a block.
            (Defect::Late | Defect::LateInSecret, Outcome::OutOfGas)
                if self.late && self.machine.next_pc().is_none() =>
            {
                self.machine.set_register(5, !self.machine.register(5));
            }
            _ => {}
        }
        outcome
    }

    fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
        self.machine.read(address, out)
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.machine.write(address, bytes)
    }

    fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.machine.sbrk(size)
    }

    fn heap_size(&self) -> u32 {
        self.machine.heap_size()
    }

    fn regions(&self) -> Vec<(u32, u32)> {
        let mut regions = self.machine.regions();
        if let (Defect::Regions, Some((_, to))) = (self.defect, regions.first_mut()) {
            *to += 0x1000;
        }
        regions
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.machine.block_cost(offset).map(|cost| cost + u32::from(self.defect == Defect::Cost))
    }

    fn notices_late(&self) -> bool {
        self.defect == Defect::Late
    }
}

/// Number of scenarios that show a difference.
fn found(defect: Defect, scenarios: &[Scenario]) -> usize {
    let engines: Vec<Box<dyn Engine>> = vec![Box::new(Reference), Box::new(DefectiveEngine(defect))];
    scenarios.iter().filter(|scenario| compare(&engines, &[0, 1], scenario).is_err()).count()
}

#[test]
fn every_defect_is_found() {
    let scenarios: Vec<Scenario> = (0..400).map(scenario).collect();
    let mut defects: Vec<Defect> = (0..13).map(Defect::Register).collect();
    defects.extend([
        Defect::Gas,
        Defect::Pc,
        Defect::NextPc,
        Defect::Memory,
        Defect::Heap,
        Defect::Outcome,
        Defect::HostCall,
        Defect::Cost,
    ]);
    defects.extend([Defect::Regions, Defect::Refuses, Defect::LateInSecret]);
    for defect in defects {
        let count = found(defect, &scenarios);
        println!("{defect:?}: {count} of {}", scenarios.len());
        // These show in every program that both run; the others only in some.
        let always = matches!(defect, Defect::Register(_) | Defect::Gas | Defect::Refuses);
        assert!(count >= if always { 350 } else { 10 }, "{defect:?}: {count}");
    }
}

#[test]
fn an_engine_that_notices_an_asynchronous_shortage_late_is_right() {
    let scenarios: Vec<Scenario> = (0..400).map(scenario).collect();
    assert_eq!(found(Defect::Late, &scenarios), 0);
}
