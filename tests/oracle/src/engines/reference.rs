//! The reference interpreter as an engine, which decides between the others.

use crate::hash;
use crate::interface::{Config, Engine, EngineInstance, Outcome};
use pvm_reference as reference;

/// The reference model.
#[derive(Clone, Copy, Debug)]
pub struct Reference;

impl Engine for Reference {
    fn name(&self) -> String {
        "reference".into()
    }

    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String> {
        reference::Interpreter::new(blob, *config)
            .map(|instance| Box::new(instance) as Box<dyn EngineInstance>)
            .map_err(|error| error.to_string())
    }
}

impl EngineInstance for reference::Interpreter {
    fn set_register(&mut self, number: usize, value: u64) {
        self.set_register(number, value);
    }

    fn register(&self, number: usize) -> u64 {
        self.register(number)
    }

    fn set_gas(&mut self, gas: i64) {
        self.set_gas(gas);
    }

    fn gas(&self) -> i64 {
        self.gas()
    }

    fn set_next_pc(&mut self, offset: u32) {
        self.set_next_pc(offset);
    }

    fn pc(&self) -> Option<u32> {
        self.pc()
    }

    fn next_pc(&self) -> Option<u32> {
        self.next_pc()
    }

    fn run(&mut self) -> Outcome {
        match self.run() {
            reference::Outcome::Finished => Outcome::Finished,
            reference::Outcome::Trap => Outcome::Trap,
            reference::Outcome::OutOfGas => Outcome::OutOfGas,
            reference::Outcome::HostCall(number) => Outcome::HostCall(number),
            reference::Outcome::Step => Outcome::Step,
        }
    }

    fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
        let bytes = reference::Interpreter::read(self, address, out.len() as u32);
        if let Some(bytes) = &bytes {
            out.copy_from_slice(bytes);
        }
        bytes.is_some()
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.write(address, bytes)
    }

    fn sbrk(&mut self, size: u32) -> Option<u32> {
        self.sbrk(size)
    }

    fn heap_size(&self) -> u32 {
        self.memory().heap_size()
    }

    fn regions(&self) -> Vec<(u32, u32)> {
        self.memory().regions()
    }

    fn block_cost(&mut self, offset: u32) -> Option<u32> {
        self.block_cost(offset)
    }

    fn executed(&self) -> Option<u64> {
        Some(self.executed())
    }

    fn memory_hash(&mut self) -> u64 {
        let mut sum = 0;
        let regions = self.memory().regions();
        for (address, bytes) in self.memory().pages() {
            let near = regions
                .iter()
                .any(|(from, to)| (*from..*to).contains(&address) && address - from < crate::interface::HEAP_HASHED);
            if near {
                hash::add_page(&mut sum, address, bytes);
            }
        }
        sum
    }
}
