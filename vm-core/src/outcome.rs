//! Outcome of a run: the type that every backend, the host interface and the pallet use.

/// Reason for which a run stopped. Guest faults are values, never errors (`docs/spec/execution.md#outcomes`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use]
pub enum Outcome {
    /// The program returned to its caller: it jumped to the return-to-host address. No program counter is set.
    Finished,
    /// A guest fault. The program counter is at the faulting instruction; the run cannot be resumed.
    Trap,
    /// The next basic block costs more gas than is left. With [`crate::gas::Metering::Sync`] none of it was executed or
    /// charged, and the run can be resumed after gas is added; with [`crate::gas::Metering::Async`] the run is over.
    OutOfGas,
    /// An access to memory that the embedder has to supply. Nothing changed; running again retries it. Only backends
    /// with dynamic paging enabled return this; otherwise such an access is a [`Outcome::Trap`].
    PageFault {
        /// The page's address.
        address: u32,
        /// True if the page is present but read-only.
        write_protected: bool,
    },
    /// A call of the host function with this index into the program's imports, which may be out of range. The program
    /// counter is at the call, the next one after it, where a further run resumes.
    HostCall(u32),
    /// Single-step mode: the next instruction is about to run.
    Step,
}

impl Outcome {
    /// Its name, for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::Trap => "trap",
            Outcome::OutOfGas => "out-of-gas",
            Outcome::PageFault { .. } => "page-fault",
            Outcome::HostCall(_) => "host-call",
            Outcome::Step => "step",
        }
    }
}
