//! The engines that are compared, one per file.

/// Methods that all engines but the reference forward to their `instance`.
macro_rules! forward_registers_and_gas {
    () => {
        fn set_register(&mut self, number: usize, value: u64) {
            self.instance.set_reg(Reg::ALL[number], value);
        }

        fn register(&self, number: usize) -> u64 {
            self.instance.reg(Reg::ALL[number])
        }

        fn set_gas(&mut self, gas: i64) {
            self.instance.set_gas(gas);
        }

        fn gas(&self) -> i64 {
            self.instance.gas()
        }
    };
}

/// Methods that our own engines forward to their `instance`. The peer's instance has other types.
macro_rules! forward_to_instance {
    () => {
        forward_registers_and_gas!();

        fn set_next_pc(&mut self, offset: u32) {
            self.instance.set_next_pc(offset);
        }

        fn pc(&self) -> Option<u32> {
            self.instance.pc()
        }

        fn next_pc(&self) -> Option<u32> {
            self.instance.next_pc()
        }

        fn read(&mut self, address: u32, out: &mut [u8]) -> bool {
            self.instance.read_memory(address, out).is_ok()
        }

        fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
            self.instance.write_memory(address, bytes).is_ok()
        }

        fn heap_size(&self) -> u32 {
            self.instance.heap_size()
        }
    };
}

mod compiled;
mod core;
mod peer;
mod reference;

pub use self::core::Core;
pub(crate) use self::core::{program_config, regions};
pub use compiled::Compiled;
pub use peer::Peer;
pub use reference::Reference;

use crate::Engine;

/// Returns all engines: the variants of `vm-core`, those of the compiler if this machine supports it, the reference
/// model, the peer. The others are compared with the first one.
///
/// # Panics
/// If the peer cannot be set up.
pub fn engines() -> Vec<Box<dyn Engine>> {
    let mut engines: Vec<Box<dyn Engine>> =
        Core::ways().into_iter().map(|way| Box::new(way) as Box<dyn Engine>).collect();
    engines.extend(Compiled::ways().into_iter().map(|way| Box::new(way) as Box<dyn Engine>));
    engines.push(Box::new(Reference));
    engines.push(Box::new(Peer::new()));
    engines
}
