//! What was done to an instance since it began, so that it can be done again.
//!
//! A program does the same whenever the same is done to it, so nothing of what it did itself needs to be kept: neither
//! memory nor registers. Of each stop there is a digest, by which a replay sees whether it is true.

use pvm_host_interface::Stop;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use vm_core::Outcome;
use vm_core::interpreter::Instance;
use vm_core::isa::Reg;

/// Registers A0 to A5.
pub(crate) const ARGS: [Reg; 6] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5];

/// Something that was done to an instance.
enum Event {
    /// A function was called.
    Call { entry: u32 },
    /// It ran.
    Run { gas: i64, result: Option<u64>, stop: u64 },
    /// Its memory was written.
    Write { address: u32, data: Box<[u8]> },
    /// Its memory was set to zero.
    Zero { address: u32, length: u32 },
}

/// All that was done to an instance, in order.
#[derive(Default)]
pub(crate) struct Log {
    events: Vec<Event>,
    bytes: usize,
}

/// The interpreter does not do what compiled code did.
#[derive(Debug)]
pub(crate) struct Differs {
    /// Which run of the instance it was.
    pub run: usize,
    /// How the interpreter stopped.
    pub stop: Stop,
}

impl Log {
    /// Notes a call.
    pub fn call(&mut self, entry: u32) {
        self.push(Event::Call { entry });
    }

    /// Notes a run and how it stopped.
    pub fn run(&mut self, gas: i64, result: Option<u64>, stop: &Stop) {
        self.push(Event::Run { gas, result, stop: digest(stop) });
    }

    /// Notes a write that succeeded.
    pub fn write(&mut self, address: u32, data: &[u8]) {
        self.bytes += data.len();
        self.push(Event::Write { address, data: data.into() });
    }

    /// Notes zeros that were written.
    pub fn zero(&mut self, address: u32, length: u32) {
        self.push(Event::Zero { address, length });
    }

    fn push(&mut self, event: Event) {
        self.bytes += size_of::<Event>();
        self.events.push(event);
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Does to a fresh instance all that was done.
    ///
    /// # Errors
    /// At the first stop that is another one.
    pub fn replay(&self, instance: &mut Instance) -> Result<(), Differs> {
        let mut runs = 0;
        for event in &self.events {
            match event {
                Event::Call { entry } => instance.prepare_call(*entry, &[]),
                Event::Run { gas, result, stop } => {
                    let stopped = run_interpreted(instance, *gas, *result);
                    if digest(&stopped) != *stop {
                        return Err(Differs { run: runs, stop: stopped });
                    }
                    runs += 1;
                }
                // Both succeeded at this place, and what is accessible does not depend on the backend: should one fail
                // after all, the next stop tells.
                Event::Write { address, data } => drop(instance.write_memory(*address, data)),
                Event::Zero { address, length } => drop(instance.zero_memory(*address, *length)),
            }
        }
        Ok(())
    }
}

/// Runs the interpreter until the next stop.
pub(crate) fn run_interpreted(instance: &mut Instance, gas: i64, result: Option<u64>) -> Stop {
    if let Some(result) = result {
        instance.set_reg(Reg::A0, result);
    }
    instance.set_gas(gas);
    let outcome = instance.run();
    Stop { outcome, gas: instance.gas(), args: ARGS.map(|reg| instance.reg(reg)) }
}

fn digest(stop: &Stop) -> u64 {
    let mut hasher = DefaultHasher::new();
    // A match, so that an outcome of another kind is not forgotten.
    match stop.outcome {
        Outcome::Finished | Outcome::Trap | Outcome::OutOfGas | Outcome::Step => {}
        Outcome::HostCall(number) => number.hash(&mut hasher),
        Outcome::PageFault { address, write_protected } => (address, write_protected).hash(&mut hasher),
    }
    (std::mem::discriminant(&stop.outcome), stop.gas, stop.args).hash(&mut hasher);
    hasher.finish()
}
