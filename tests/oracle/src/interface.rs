//! Interface that engines are compared through, and the state that is compared.

use crate::hash;

pub use pvm_reference::{Config, Metering, Model};

/// Registers, in the order of their numbers.
pub const REGISTERS: [&str; 13] = ["ra", "sp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5"];

/// A memory access for which the embedder has to supply a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The page's address.
    pub address: u32,
    /// True if the page is present but read-only.
    pub write_protected: bool,
}

/// Outcome of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The program returned.
    Finished,
    /// Guest fault.
    Trap,
    /// A block or operation cannot be paid for.
    OutOfGas,
    /// Call of the host function of this number.
    HostCall(u32),
    /// Page fault.
    PageFault(Fault),
    /// Single-step mode: before an instruction.
    Step,
}

/// Everything observable at a stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// Outcome, with the number of a host call and the address and kind of a fault.
    pub outcome: Outcome,
    /// Program counter of the stop.
    pub pc: Option<u32>,
    /// Next program counter.
    pub next_pc: Option<u32>,
    /// All registers; upper halves are zero in a 32-bit program.
    pub registers: [u64; 13],
    /// Gas left.
    pub gas: i64,
    /// Size of the heap in bytes.
    pub heap_size: u32,
    /// Bounds of the memory regions that exist.
    pub regions: Vec<(u32, u32)>,
    /// A hash of the addresses and bytes of all nonzero pages. If a heap is larger than [`HEAP_HASHED`] bytes the rest
    /// counts only for engines that list their pages.
    pub memory: u64,
}

/// Maximum number of bytes hashed of a heap.
pub const HEAP_HASHED: u32 = hash::MOST;

/// Situations in which some engines are known to differ from the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Situation {
    /// A run that begins exactly at the end of the code.
    EntryAtTheEnd,
    /// A run without a next pc.
    NoNextPc,
    /// A run that begins at another offset than the scenario did.
    EntryElsewhere,
}

/// Engine: loads programs.
pub trait Engine {
    /// Name of the engine in failures.
    fn name(&self) -> String;

    /// Checks that the engine follows the specification for this program. `Err` names the known difference; see
    /// `docs/spec/differences.md#differences-from-polkavms-own-interpreter`.
    ///
    /// # Errors
    /// If the program runs into a known difference.
    fn follows(&self, _blob: &[u8], _config: &Config) -> Result<(), &'static str> {
        Ok(())
    }

    /// True if loading takes much longer than running, so that tests with very many programs use the engine only for
    /// some.
    fn is_slow_to_load(&self) -> bool {
        false
    }

    /// Loads a program.
    ///
    /// # Errors
    /// If it is refused; the text is for people.
    fn load(&self, blob: &[u8], config: &Config) -> Result<Box<dyn EngineInstance>, String>;
}

/// A loaded program with its state. Registers are numbered 0 to 12.
pub trait EngineInstance {
    /// Sets a register.
    fn set_register(&mut self, number: usize, value: u64);
    /// The value of a register.
    fn register(&self, number: usize) -> u64;
    /// Sets the gas left.
    fn set_gas(&mut self, gas: i64);
    /// Gas left.
    fn gas(&self) -> i64;
    /// Sets the offset at which the next run begins.
    fn set_next_pc(&mut self, offset: u32);
    /// Program counter of the stop.
    fn pc(&self) -> Option<u32>;
    /// Code offset at which the next run resumes.
    fn next_pc(&self) -> Option<u32>;
    /// Continues to the next stop.
    fn run(&mut self) -> Outcome;
    /// Reads memory; false if part of the range is not readable.
    fn read(&mut self, address: u32, out: &mut [u8]) -> bool;
    /// Writes memory as the embedder; false, and no change, if part of the range is not writable.
    fn write(&mut self, address: u32, bytes: &[u8]) -> bool;
    /// Grows the heap; `None`, and no change, if it cannot grow that far.
    fn sbrk(&mut self, size: u32) -> Option<u32>;
    /// Size of the heap in bytes.
    fn heap_size(&self) -> u32;
    /// Bounds of the memory regions that exist now.
    fn regions(&self) -> Vec<(u32, u32)>;
    /// Cost of the block at this offset; `None` if no block begins there.
    fn block_cost(&mut self, offset: u32) -> Option<u32>;

    /// True if it is known to differ from the specification in this situation; it is excluded from there on.
    fn differs_in(&self, _situation: Situation) -> bool {
        false
    }

    /// True if it detects late that an asynchronous run cannot pay. It is then not compared any further, and for that
    /// stop only in what is specified.
    fn notices_late(&self) -> bool {
        false
    }

    /// Number of instructions executed since loading, from engines that count them.
    fn executed(&self) -> Option<u64> {
        None
    }

    /// Returns the hash of [`Observation::memory`].
    fn memory_hash(&mut self) -> u64 {
        hash::memory(&self.regions(), |address, part| self.read(address, part))
    }

    /// Observes everything, after a stop with this outcome.
    fn observe(&mut self, outcome: Outcome) -> Observation {
        Observation {
            outcome,
            pc: self.pc(),
            next_pc: self.next_pc(),
            registers: std::array::from_fn(|number| self.register(number)),
            gas: self.gas(),
            heap_size: self.heap_size(),
            regions: self.regions(),
            memory: self.memory_hash(),
        }
    }
}
