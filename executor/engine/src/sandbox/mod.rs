//! The sandbox: runs guest machine code in a process without privileges or resources.
//!
//! Called by the compiled backend, only through [`WorkerProcess`]. The protocol with the process is `docs/sandbox.md`.
//! A worker that dies, hangs or violates the protocol gives an error within a bounded time; everything read from it is
//! checked.

#[cfg(jit_supported)]
mod deadline;
mod error;
#[cfg(jit_supported)]
mod handoff;
#[cfg(jit_supported)]
mod keeper;
#[cfg(jit_supported)]
mod mapping;
#[cfg_attr(not(jit_supported), path = "none.rs")]
mod pool;
#[cfg(jit_supported)]
mod sys;
#[cfg(all(test, jit_supported))]
mod tests;
#[cfg(jit_supported)]
mod worker;
#[cfg(jit_supported)]
mod zygote;

pub use error::{Layer, Missing, SandboxError};
#[allow(unused_imports, reason = "for the engine")]
pub(crate) use pool::{ForkedPool, Pool, Pooled};
#[cfg(all(test, jit_supported))]
pub(crate) use sys::thread_cpu_time;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vm_core::memory::MemoryImage;

/// Protection that guest code must run under.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Sandbox {
    /// Full protection, or an error.
    #[default]
    Required,
    /// The namespaces that are available, with a warning for each that is not; limits and system call filters always.
    BestEffort,
    /// No sandbox: no namespaces, limits or filters. Guest code still runs in another process.
    OffForTests,
}

/// Counters of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Number of workers.
    pub workers: usize,
    /// Number of waiting workers that have a program.
    pub idle: usize,
    /// Number of waiting workers that have no program yet.
    pub fresh: usize,
    /// Number of workers made so far.
    pub spawned: usize,
}

/// Settings of a pool of workers.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub sandbox: Sandbox,
    /// Limit of a run's CPU time; `None`: unlimited.
    pub time_limit: Option<Duration>,
    /// Limit of its real time; `None`: sixty times the CPU time, or unlimited.
    pub stall_limit: Option<Duration>,
    /// Maximum number of idle workers: they have a program and wait for another instance of it.
    pub idle: usize,
    /// Maximum number of all workers.
    pub workers: usize,
    /// Maximum number of workers made in advance. The actual number depends on how often one was missing.
    pub reserve: usize,
    /// Every instance gets a fresh process.
    pub fresh_workers: bool,
    /// Protections against side channels, at the cost of speed.
    pub is_strict: bool,
    /// The cgroup into which workers, zygote and launcher are moved.
    pub cgroup: Option<Arc<Path>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sandbox: Sandbox::Required,
            time_limit: Some(Duration::from_secs(10)),
            stall_limit: None,
            idle: 64,
            workers: 4096,
            reserve: 64,
            fresh_workers: false,
            is_strict: false,
            cgroup: None,
        }
    }
}

#[cfg(jit_supported)]
impl Settings {
    fn zygote(&self) -> Result<zygote::Zygote, SandboxError> {
        zygote::Zygote::start(self.sandbox, self.is_strict, self.cgroup.as_deref())
    }

    fn limits(&self) -> deadline::Limits {
        let mut limits = match self.time_limit {
            Some(limit) => deadline::Limits::of_cpu_time(limit),
            None => deadline::Limits { cpu: None, real: None },
        };
        limits.real = self.stall_limit.or(limits.real);
        limits
    }
}

/// A process that runs guest code. The caller has checked ranges of memory against the memory map.
pub(crate) trait WorkerProcess {
    /// Loads a program. Possible once: another program needs another worker.
    fn load(&mut self, image: &Image<'_>) -> Result<(), SandboxError>;
    /// Runs guest code from `state` until it exits. Starts a new deadline.
    fn run(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError>;
    /// Continues a run after an exit that the host has handled; its deadline continues as well.
    fn go_on(&mut self, state: &mut GuestState) -> Result<Exit, SandboxError>;
    /// Copies guest memory out.
    fn read(&self, address: u32, out: &mut [u8]);
    /// Calls `visit` with the address and contents of each page of a range, except for pages known to be zero. The
    /// range consists of whole pages of 4 KiB.
    fn pages(&self, start: u32, end: u32, visit: &mut dyn FnMut(u32, &[u8; 0x1000]));
    /// Copies into guest memory.
    fn write(&mut self, address: u32, data: &[u8]);
    /// Fills guest memory with a value.
    fn fill(&mut self, address: u32, value: u8, length: u32);
    /// Makes `old_end .. new_end` writable for the guest; both are multiples of 4 KiB.
    fn grow_heap(&mut self, old_end: u32, new_end: u32) -> Result<(), SandboxError>;
    /// Resets memory to its state when the program was loaded.
    fn reset(&mut self) -> Result<(), SandboxError>;
    /// Ends the process. Every later run fails.
    fn kill(&mut self);
}

/// A program as a worker loads it. Borrowed: the module owns it.
pub(crate) struct Image<'a> {
    /// Unique number of the module: its workers are used for its instances only.
    pub id: u64,
    /// Jump table and machine code, for `protocol::CODE_BASE`.
    pub code: &'a [u8],
    /// Offset in `code` of the routine that enters guest code.
    pub enter: u32,
    /// Layout and initial contents of guest memory.
    pub data: &'a Arc<MemoryImage>,
}

/// The state with which guest code is entered, and that it has when it exits.
#[derive(Clone, Debug, Default)]
pub(crate) struct GuestState {
    /// Guest registers, in the order of `vm_core::isa::Reg`.
    pub regs: [u64; 13],
    /// Gas.
    pub gas: i64,
    /// Offset into the image's code at which guest code resumes, or at which it exited.
    pub native_pc: u32,
}

/// Exit: the reason for which guest code returned to the host. Numbers were checked to be in range, nothing else was
/// checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Trap,
    HostCall(u32),
    OutOfGas,
    /// Value of the scratch register.
    Jump(u32),
    Step,
    Sbrk,
    Memset,
    /// Guest address of the access.
    Fault(u64),
}

impl Exit {
    /// Name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Trap => "a trap",
            Exit::HostCall(_) => "a host call",
            Exit::OutOfGas => "running out of gas",
            Exit::Jump(_) => "a jump",
            Exit::Step => "a step",
            Exit::Sbrk => "sbrk",
            Exit::Memset => "memset",
            Exit::Fault(_) => "a fault",
        }
    }
}
