//! Exit codes. They are part of the command line's interface: scripts distinguish outcomes by them.

use vm_core::Outcome;

/// Success; a run finished.
pub const DONE: u8 = 0;
/// The input is not a blob or program, or is refused by a check.
pub const REFUSED: u8 = 1;
/// The command line is wrong, or names an entry that the program does not have.
pub const USAGE: u8 = 2;
/// A file could not be read or written.
pub const FILE: u8 = 3;
/// The backend cannot run on this machine, or was lost during the run.
pub const BACKEND: u8 = 4;
/// A run trapped.
pub const TRAP: u8 = 10;
/// A run ran out of gas.
pub const OUT_OF_GAS: u8 = 11;
/// A run stopped at a page fault.
pub const PAGE_FAULT: u8 = 12;
/// A run stopped at a host call.
pub const HOST_CALL: u8 = 13;

/// Exit codes, as the help shows them.
pub const HELP: &str = "\
Exit codes:
  0   done; of a run: it finished
  1   what was given is no blob, no program, or refused by a check
  2   the command line is wrong, or names an entry that the program does not have
  3   a file could not be read or written
  4   the backend cannot run here, or was lost on the way
  10  the run trapped
  11  the run is out of gas
  12  the run stopped at a page that is not there
  13  the run stopped at a call of a host function";

/// The exit code of a run.
pub const fn of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Finished => DONE,
        // Single-step mode is not used here.
        Outcome::Trap | Outcome::Step => TRAP,
        Outcome::OutOfGas => OUT_OF_GAS,
        Outcome::PageFault { .. } => PAGE_FAULT,
        Outcome::HostCall(_) => HOST_CALL,
    }
}
