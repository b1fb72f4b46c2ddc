//! Outcome of a run: the one type that every backend, the host interface and the pallet use.

/// Reason why a run stopped. Guest faults are values, never errors (`docs/spec/execution.md#outcomes`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use]
pub enum Outcome {
    /// The program returned to its caller: it jumped to the return-to-host address. No program counter is set.
    Finished,
    /// A guest fault. The program counter is at the instruction; the run cannot go on.
    Trap,
    /// The next basic block costs more gas than is left. With [`crate::gas::Metering::Sync`] nothing of it was executed
    /// or charged, and after gas is added the run can go on; with [`crate::gas::Metering::Async`] the run is over.
    OutOfGas,
    /// An access to memory that the embedder has to supply. Nothing changed; running again retries. Only backends with
    /// dynamic paging switched on give this; without it such an access is a [`Outcome::Trap`].
    PageFault {
        /// The page's address.
        address: u32,
        /// The page is there, but may only be read.
        write_protected: bool,
    },
    /// Call of host function number `.0`, an index into the program's imports that is not checked to exist. The program
    /// counter is at the call, the next one after it; running again resumes there.
    HostCall(u32),
    /// Single-step mode: the next instruction is about to run.
    Step,
}
