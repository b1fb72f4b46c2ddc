//! A worker that lies: whatever comes from it, the host neither panics nor touches memory that the map does not have, and
//! either believes what a guest could have done or says that it is nonsense.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use super::super::compile;
use super::{Exit, JitInstance};
use crate::sandbox::{Cage, CageError, Image, State};
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::gas::Metering;
use vm_core::isa::Reg;
use vm_core::memory::MemoryMap;
use vm_core::program::{Program, ProgramConfig};
use vm_core::text::assemble;

/// All ways to leave: host calls, jumps, sbrk, memset, traps, faults, blocks that are charged.
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

struct Liar {
    random: u64,
    map: MemoryMap,
    code_length: u32,
    heap_end: u32,
    kills: u32,
}

impl Liar {
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A number that is often at an edge.
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

impl Cage for Liar {
    fn load(&mut self, _: &Image<'_>) -> Result<(), CageError> {
        Ok(())
    }

    fn run(&mut self, state: &mut State) -> Result<Exit, CageError> {
        assert!(state.native_pc <= self.code_length, "the host goes on in the code");
        for index in 0..state.regs.len() {
            state.regs[index] = self.number();
        }
        // Mostly gas that can be, as nothing else is looked at if it cannot.
        state.gas = match self.next() % 4 {
            0 => self.number() as i64,
            1 => -((self.next() % 9) as i64),
            _ => state.gas - state.gas.clamp(0, (self.next() % 9) as i64),
        };
        // What `Worker` lets through.
        state.native_pc = (self.next() % u64::from(self.code_length + 1)) as u32;
        let detail = self.number();
        Ok(match self.next() % 9 {
            0 => Exit::Trap,
            1 => Exit::HostCall(detail as u32),
            2 => Exit::OutOfGas,
            3 => Exit::Jump(detail as u32),
            4 => Exit::Step,
            5 => Exit::Sbrk,
            6 | 7 => Exit::Memset,
            _ => Exit::Fault(detail % ((1 << 32) + 8)),
        })
    }

    fn read(&self, _: u32, _: &mut [u8]) {}

    fn pages(&self, _: u32, _: u32, _: &mut dyn FnMut(u32, &[u8; 0x1000])) {}

    fn write(&mut self, address: u32, data: &[u8]) {
        self.check_writable(address, data.len() as u64);
    }

    fn fill(&mut self, address: u32, _: u8, length: u32) {
        self.check_writable(address, length.into());
    }

    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), CageError> {
        assert!(old_end == self.heap_end && old_end < new_end, "{old_end:#x} to {new_end:#x}");
        assert!(new_end <= self.map.rw_end_with_heap(self.map.max_heap_size()), "{new_end:#x}");
        self.heap_end = new_end;
        Ok(())
    }

    fn reset(&mut self) -> Result<(), CageError> {
        self.heap_end = self.map.rw_end();
        Ok(())
    }

    fn kill(&mut self) {
        self.kills += 1;
    }
}

#[test]
fn whatever_a_worker_says_is_an_outcome_or_nonsense_and_touches_only_what_the_map_has() {
    let bytes = assemble(TEXT).unwrap();
    let (mut outcomes, mut nonsense) = ([0u32; 6], 0u32);
    for metering in [Metering::Sync, Metering::Async, Metering::Off] {
        for single_step in [false, true] {
            let config = ProgramConfig { metering, single_step, ..ProgramConfig::default() };
            let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &config).unwrap());
            let compiled = Arc::new(compile(&program).unwrap());
            let (map, code_length) = (*program.memory_map(), compiled.image().len() as u32);
            let cage = Liar { random: 0x9e37_79b9_7f4a_7c15, map, code_length, heap_end: map.rw_end(), kills: 0 };
            let mut instance = JitInstance::new(program.clone(), compiled, cage);
            for round in 0..20_000 {
                instance.set_gas(1000);
                if instance.next_pc().is_none() {
                    instance.set_next_pc(0);
                }
                match instance.run() {
                    Ok(outcome) => {
                        assert!(metering == Metering::Off || instance.gas() <= 1000, "{}", instance.gas());
                        // A 32-bit program's registers have 32 bits whatever the worker says.
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
                    Err(CageError::Nonsense { .. }) => {
                        nonsense += 1;
                        assert_eq!(std::mem::take(&mut instance.cage.kills), 1, "it is not used again");
                        instance.set_next_pc(0);
                    }
                    Err(other) => panic!("{other}"),
                }
                let length = program.code().len();
                let places = [instance.pc(), instance.next_pc()];
                assert!(places.iter().flatten().all(|offset| *offset <= length), "{places:?}");
                if round % 50 == 0 {
                    instance.reset_memory().unwrap();
                }
            }
        }
    }
    println!("{outcomes:?}, nonsense {nonsense}");
    assert!(outcomes[1..5].iter().all(|count| *count > 100) && nonsense > 1000, "{outcomes:?} {nonsense}");
}
