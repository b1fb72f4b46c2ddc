//! The emulator: registers, memory, and the execution loop.

use std::collections::BTreeMap;

/// Return address of a call from outside.
pub(crate) const RETURN: u64 = 0xffff_0000;

/// The stack: its end, and its size in bytes.
const STACK_END: u64 = 0xf000_0000;
const STACK_SIZE: usize = 0x1_0000;

/// Maximum number of instructions of IFUNC resolvers and constructors.
const START_STEPS: u64 = 10_000_000;

/// End of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The call returned.
    Finished {
        /// The first result.
        a0: u64,
        /// The second.
        a1: u64,
    },
    /// The host ended it.
    Stopped,
    /// A trap.
    Trap,
    /// More steps than the limit.
    Endless,
}

/// A piece of memory.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub bytes: Vec<u8>,
    pub writable: bool,
}

/// A RISC-V machine with a program loaded.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// True if registers have 64 bits.
    pub wide: bool,
    pub(crate) registers: [u64; 32],
    pub(crate) pc: u64,
    pub(crate) regions: BTreeMap<u64, Region>,
    pub(crate) exports: Vec<(Vec<u8>, u64)>,
    /// Global symbols.
    pub(crate) symbols: BTreeMap<Vec<u8>, u64>,
    /// Symbols of host functions by the address of their record.
    pub(crate) imports: BTreeMap<u64, Vec<u8>>,
    /// Host functions, by the address of the pointer behind the host call.
    pub(crate) host_calls: BTreeMap<u64, u64>,
    /// IFUNC symbols by address: the resolver until it was called, then the address it returned.
    pub(crate) jumps: BTreeMap<u64, u64>,
    /// Constructors, which run before the first call in this order.
    pub(crate) constructors: Vec<u64>,
    /// Stack size that the program requests, in bytes.
    pub(crate) stack: usize,
    /// True if the first call was made.
    pub(crate) started: bool,
}

/// End of a step.
pub(crate) enum Stop {
    Trap,
    HostCall(Vec<u8>),
}

impl Emulator {
    /// Returns the names of all exports.
    pub fn exports(&self) -> impl Iterator<Item = &[u8]> {
        self.exports.iter().map(|(name, _)| &name[..])
    }

    /// Calls an export, or else a global symbol. `host` is given the name and the argument registers a0 to a5, and returns
    /// a0, or `None` to end the call. Before the first call resolvers of IFUNC symbols and constructors run.
    pub fn call(
        &mut self,
        export: &[u8],
        arguments: &[u64],
        steps: u64,
        mut host: impl FnMut(&[u8], [u64; 6]) -> Option<u64>,
    ) -> Outcome {
        let entry = self.exports.iter().find(|(name, _)| name == export).map(|(_, entry)| *entry);
        let Some(entry) = entry.or_else(|| self.symbols.get(export).copied()) else { return Outcome::Trap };
        if !std::mem::replace(&mut self.started, true) {
            for at in self.jumps.keys().copied().collect::<Vec<u64>>() {
                let resolver = self.jumps[&at];
                let Outcome::Finished { a0, .. } = self.enter(resolver, &[], START_STEPS, &mut host) else {
                    return Outcome::Trap;
                };
                self.jumps.insert(at, a0 & 0xffff_ffff);
            }
            for constructor in std::mem::take(&mut self.constructors) {
                let outcome = self.enter(constructor, &[], START_STEPS, &mut host);
                if !matches!(outcome, Outcome::Finished { .. }) {
                    return outcome;
                }
            }
        }
        self.enter(entry, arguments, steps, &mut host)
    }

    fn enter(
        &mut self,
        entry: u64,
        arguments: &[u64],
        steps: u64,
        host: &mut impl FnMut(&[u8], [u64; 6]) -> Option<u64>,
    ) -> Outcome {
        self.pc = entry;
        self.registers = [0; 32];
        self.registers[1] = RETURN;
        self.registers[2] = STACK_END;
        for (index, argument) in arguments.iter().enumerate().take(6) {
            self.set(10 + index, *argument);
        }
        let size = self.stack.max(STACK_SIZE).next_multiple_of(4096);
        self.regions.insert(STACK_END - size as u64, Region { bytes: vec![0; size], writable: true });
        for _ in 0..steps {
            if self.pc == RETURN {
                return Outcome::Finished { a0: self.registers[10], a1: self.registers[11] };
            }
            if let Some(target) = self.jumps.get(&self.pc) {
                self.pc = *target;
            }
            match self.step() {
                Ok(()) => {}
                Err(Stop::Trap) => return Outcome::Trap,
                Err(Stop::HostCall(name)) => {
                    let arguments = std::array::from_fn(|index| self.registers[10 + index]);
                    let Some(result) = host(&name, arguments) else { return Outcome::Stopped };
                    // Clobbers the registers that a call may change.
                    for register in [5, 6, 7, 11, 12, 13, 14, 15] {
                        self.set(register, 0xdead_0000 + register as u64);
                    }
                    self.set(10, result);
                }
            }
        }
        Outcome::Endless
    }

    /// Writes a register; x0 stays 0, and 32-bit ones hold sign-extended numbers.
    pub(crate) fn set(&mut self, register: usize, value: u64) {
        if register != 0 {
            self.registers[register] = if self.wide { value } else { value as i32 as u64 };
        }
    }

    fn locate(&mut self, address: u64, length: usize, write: bool) -> Result<&mut [u8], Stop> {
        let address = address & 0xffff_ffff;
        let (start, region) = self.regions.range_mut(..=address).next_back().ok_or(Stop::Trap)?;
        let offset = (address - start) as usize;
        if write && !region.writable {
            return Err(Stop::Trap);
        }
        region.bytes.get_mut(offset..offset.saturating_add(length)).ok_or(Stop::Trap)
    }

    pub(crate) fn load(&mut self, address: u64, length: usize) -> Result<u64, Stop> {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(self.locate(address, length, false)?);
        Ok(u64::from_le_bytes(bytes))
    }

    pub(crate) fn store(&mut self, address: u64, length: usize, value: u64) -> Result<(), Stop> {
        self.locate(address, length, true)?.copy_from_slice(&value.to_le_bytes()[..length]);
        Ok(())
    }
}
