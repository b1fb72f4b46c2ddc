//! The oracle itself: an engine that lies about any one thing, once, is found out; one that only leaves unspecified what
//! the specification leaves unspecified is not.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_oracle::compare::{Scenario, compare};
use pvm_oracle::engines::Reference;
use pvm_oracle::generate::scenario;
use pvm_oracle::{Config, Engine, Machine, Metering, Outcome};

/// What an engine does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    /// After a run a register is off by one bit.
    Register(usize),
    /// After a run one gas is missing.
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
    /// Runs out of gas with other registers when metered asynchronously; this is allowed to those who say so.
    Late,
    /// The same, without saying so.
    LateInSecret,
    /// A program is refused.
    Refuses,
}

struct Liar(Lie);

impl Engine for Liar {
    fn name(&self) -> String {
        format!("liar {:?}", self.0)
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn Machine>, String> {
        match Reference.load(blob, config) {
            Ok(_) if self.0 == Lie::Refuses => Err("does not like it".into()),
            Ok(machine) => {
                let late = config.metering == Metering::Async && matches!(self.0, Lie::Late | Lie::LateInSecret);
                Ok(Box::new(Lying { machine, lie: self.0, late }))
            }
            Err(error) => Err(error),
        }
    }
}

struct Lying {
    machine: Box<dyn Machine>,
    lie: Lie,
    late: bool,
}

impl Machine for Lying {
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
        self.machine.pc().map(|pc| pc.wrapping_add(u32::from(self.lie == Lie::Pc)))
    }

    fn next_pc(&self) -> Option<u32> {
        self.machine.next_pc().map(|pc| pc.wrapping_add(u32::from(self.lie == Lie::NextPc)))
    }

    fn run(&mut self) -> Outcome {
        let outcome = self.machine.run();
        match (self.lie, outcome) {
            (Lie::Register(number), _) => self.machine.set_register(number, self.machine.register(number) ^ 1 << 31),
            (Lie::Gas, _) => self.machine.set_gas(self.machine.gas() - 1),
            (Lie::Memory, _) => {
                let mut byte = [0];
                for (_, to) in self.machine.regions() {
                    if self.machine.read(to - 1, &mut byte) {
                        self.machine.write(to - 1, &[!byte[0]]);
                    }
                }
            }
            (Lie::Heap, _) => _ = self.machine.sbrk(1),
            (Lie::Outcome, Outcome::Finished) => return Outcome::Trap,
            (Lie::HostCall, Outcome::HostCall(number)) => return Outcome::HostCall(number ^ 1),
            // A shortage at an entry into the middle of a block is noticed by all.
            (Lie::Late | Lie::LateInSecret, Outcome::OutOfGas) if self.late && self.machine.next_pc().is_none() => {
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
        if let (Lie::Regions, Some((_, to))) = (self.lie, regions.first_mut()) {
            *to += 0x1000;
        }
        regions
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.machine.block_cost(offset).map(|cost| cost + u32::from(self.lie == Lie::Cost))
    }

    fn notices_late(&self) -> bool {
        self.lie == Lie::Late
    }
}

/// How many of the scenarios show a difference.
fn found(lie: Lie, scenarios: &[Scenario]) -> usize {
    let engines: Vec<Box<dyn Engine>> = vec![Box::new(Reference), Box::new(Liar(lie))];
    scenarios.iter().filter(|scenario| compare(&engines, &[0, 1], scenario).is_err()).count()
}

#[test]
fn every_lie_is_found_out() {
    let scenarios: Vec<Scenario> = (0..400).map(scenario).collect();
    let mut lies: Vec<Lie> = (0..13).map(Lie::Register).collect();
    lies.extend([Lie::Gas, Lie::Pc, Lie::NextPc, Lie::Memory, Lie::Heap, Lie::Outcome, Lie::HostCall, Lie::Cost]);
    lies.extend([Lie::Regions, Lie::Refuses, Lie::LateInSecret]);
    for lie in lies {
        let count = found(lie, &scenarios);
        println!("{lie:?}: {count} of {}", scenarios.len());
        // These show in every program that both run; the others only where it comes to that.
        let always = matches!(lie, Lie::Register(_) | Lie::Gas | Lie::Refuses);
        assert!(count >= if always { 350 } else { 10 }, "{lie:?}: {count}");
    }
}

#[test]
fn an_engine_that_notices_an_asynchronous_shortage_late_is_right() {
    let scenarios: Vec<Scenario> = (0..400).map(scenario).collect();
    assert_eq!(found(Lie::Late, &scenarios), 0);
}
