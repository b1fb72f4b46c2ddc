//! Going through a run block by block, for profiles.

use super::{Machine, Part, ReplayError};
use vm_core::Outcome;
use vm_core::interpreter::Stops;

/// Something on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visit {
    /// A call by the host begins.
    Call,
    /// A basic block is entered, or its middle.
    Block {
        /// The code offset of the first instruction that is executed of it.
        pc: u32,
    },
    /// The host answered a call.
    HostCall {
        /// The number of the import.
        import: u32,
        /// The gas that it charged.
        gas: i64,
    },
    /// The block that was visited last could not be paid, or went on no further than to the instruction at `pc`.
    Cut {
        /// The code offset of the instruction that was not done.
        pc: Option<u32>,
        /// The reason.
        outcome: Outcome,
    },
}

impl Machine {
    /// Goes to the end, and tells `visit` of everything on the way.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn visit_blocks(&mut self, mut visit: impl FnMut(Visit)) -> Result<Outcome, ReplayError> {
        let program = self.program().clone();
        let code = program.code();
        let offsets = code.instructions().map(|decoded| decoded.offset).filter(|offset| code.is_jump_target(*offset));
        self.instance.set_stops(Stops { offsets: offsets.collect(), ..Stops::default() });
        if let Some(outcome) = self.outcome() {
            return Ok(outcome);
        }
        visit(Visit::Call);
        if let Some(pc) = self.arrived() {
            visit(Visit::Block { pc });
        }
        loop {
            match self.part(u64::MAX)? {
                // A part may end in the middle of a block as well.
                Part::Step => {
                    if let Some(pc) = self.pc().filter(|pc| code.is_jump_target(*pc)) {
                        visit(Visit::Block { pc });
                    }
                }
                Part::Host { outcome: Outcome::HostCall(import), gas_before, .. } => {
                    visit(Visit::HostCall { import, gas: gas_before.wrapping_sub(self.gas()) });
                }
                Part::Host { outcome: Outcome::OutOfGas, .. } if self.is_resumed() => {}
                Part::Host { .. } => {
                    visit(Visit::Call);
                    if let Some(pc) = self.arrived() {
                        visit(Visit::Block { pc });
                    }
                }
                Part::End(outcome) => {
                    if outcome != Outcome::Finished {
                        visit(Visit::Cut { pc: self.pc(), outcome });
                    }
                    return Ok(outcome);
                }
            }
        }
    }

    /// Returns the current code offset if the run stopped there already; `None` at the start of a call.
    fn arrived(&self) -> Option<u32> {
        self.instance.next_pc().filter(|pc| self.instance.pc() == Some(*pc))
    }

    /// True if the run continues from a stop; false at the start of a call.
    fn is_resumed(&self) -> bool {
        self.instance.pc().is_some()
    }
}
