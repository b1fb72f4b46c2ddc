//! Searching a run, forwards and backwards, for places where something happens.

use super::{Machine, Part, ReplayError};
use std::collections::BTreeSet;
use std::ops::Range;
use vm_core::Outcome;
use vm_core::interpreter::{MemoryTouch, Stops};
use vm_core::isa::Opcode;
use vm_core::program::Program;

/// Memory that is watched.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Watch {
    /// The first address.
    pub address: u32,
    /// Bytes.
    pub length: u32,
    /// Loads count.
    pub loads: bool,
    /// Stores count.
    pub stores: bool,
}

/// Conditions of a search: breakpoints, watchpoints and host calls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// Arriving at the instruction at one of these code offsets.
    pub breakpoints: BTreeSet<u32>,
    /// Arriving at a call of one of these imports, by number.
    pub host_calls: BTreeSet<u32>,
    /// An access to watched memory, by the program or its host.
    pub watches: BTreeSet<Watch>,
    /// An instruction with which gas falls below this.
    pub gas_below: Option<i64>,
}

/// Something that was searched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hit {
    /// A breakpoint at this code offset.
    Breakpoint(u32),
    /// A call of the import with this number.
    HostCall(u32),
    /// An access to watched memory.
    Watch {
        /// The access.
        access: MemoryTouch,
        /// The address that the watch begins with.
        watched: u32,
    },
    /// There is less gas left.
    GasBelow(i64),
}

/// The result of a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// This happens here: going forwards, it just happened or is what comes next; going backwards, it is what comes next.
    Hit(Hit),
    /// The run is over.
    End(Outcome),
    /// The start of the run.
    Start,
    /// Neither, after as many instructions as were to be searched at a time.
    Limit,
}

impl Conditions {
    /// Returns the address of the watch that an access hits. An access of no bytes hits none.
    fn watched(&self, access: &MemoryTouch) -> Option<u32> {
        if access.length == 0 {
            return None;
        }
        let end = u64::from(access.address) + u64::from(access.length);
        let watch = self.watches.iter().find(|watch| {
            (if access.write { watch.stores } else { watch.loads })
                && u64::from(watch.address) < end
                && u64::from(access.address) < u64::from(watch.address) + u64::from(watch.length)
        })?;
        Some(watch.address)
    }

    /// Converts the conditions to the interpreter's stops.
    fn stops(&self, program: &Program) -> Stops {
        let ranges = |kind: fn(&Watch) -> bool| -> Vec<Range<u32>> {
            let watches = self.watches.iter().filter(|watch| kind(watch));
            watches.map(|watch| watch.address..watch.address.saturating_add(watch.length)).collect()
        };
        let mut offsets = self.breakpoints.clone();
        if !self.host_calls.is_empty() {
            offsets.extend(program.code().instructions().filter_map(|decoded| {
                let instruction = decoded.instruction?;
                let is_call = instruction.opcode == Opcode::Ecalli;
                (is_call && self.host_calls.contains(&(instruction.imm as u32))).then_some(decoded.offset)
            }));
        }
        Stops {
            every_instruction: false,
            offsets,
            loads: ranges(|watch| watch.loads),
            stores: ranges(|watch| watch.stores),
        }
    }
}

/// A hit, and where it is.
#[derive(Clone, Copy, Debug)]
struct Located {
    hit: Hit,
    /// The position of the instruction that it belongs to.
    position: u64,
}

/// Result of a scan.
enum Scan {
    Hit(Located),
    End(Outcome),
    Limit,
}

impl Machine {
    /// Goes on to the next hit, for at most `limit` instructions. What is here already does not count.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn run_forward(&mut self, conditions: &Conditions, limit: u64) -> Result<Found, ReplayError> {
        let stops = conditions.stops(self.program());
        let end = self.position.saturating_add(limit);
        Ok(match self.scan(conditions, &stops, end, false)? {
            Scan::Hit(located) => Found::Hit(located.hit),
            Scan::End(outcome) => Found::End(outcome),
            Scan::Limit => Found::Limit,
        })
    }

    /// Goes back to the last hit before this place, over at least one and at most about `limit` instructions more than
    /// there are between two snapshots.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn run_backward(&mut self, conditions: &Conditions, limit: u64) -> Result<Found, ReplayError> {
        let stops = conditions.stops(self.program());
        let lowest = self.position.saturating_sub(limit);
        let mut upper = self.position;
        while let Some(start) = self.snapshots.strictly_before(upper) {
            self.restore(start)?;
            let (mut last, mut here) = (None, true);
            while let Scan::Hit(located) = self.scan(conditions, &stops, upper, here)?
                && located.position < upper
            {
                // A breakpoint is where the scan stands, and is not to be found again.
                here = located.position != self.position;
                last = Some(located);
            }
            if let Some(located) = last {
                self.seek(located.position)?;
                return Ok(Found::Hit(located.hit));
            }
            upper = start;
            if start <= lowest && start > 0 {
                self.seek(start)?;
                return Ok(Found::Limit);
            }
        }
        self.seek(0)?;
        Ok(Found::Start)
    }

    /// Goes on to the next hit, but not further than to position `end`. With `here`, a breakpoint at this place counts.
    fn scan(&mut self, conditions: &Conditions, stops: &Stops, end: u64, here: bool) -> Result<Scan, ReplayError> {
        let mut here = here;
        loop {
            if here && let Some(hit) = self.arrival(conditions) {
                return Ok(Scan::Hit(Located { hit, position: self.position }));
            }
            if self.position >= end {
                return Ok(match self.outcome() {
                    Some(outcome) => Scan::End(outcome),
                    None => Scan::Limit,
                });
            }
            // An access that is watched is made by itself.
            let access = self.instance.next_access().filter(|_| self.outcome().is_none());
            let watch = access.and_then(|access| Some((access, conditions.watched(&access)?)));
            let (before, gas) = (self.position, self.gas());
            self.instance.set_stops(stops.clone());
            let part = self.part(if watch.is_some() { 1 } else { end - self.position })?;
            // A call that begins here stops here once more.
            here = self.position > before;
            if let Some((access, watched)) = watch
                && self.position > before
            {
                return Ok(Scan::Hit(Located { hit: Hit::Watch { access, watched }, position: before }));
            }
            let gas_before_host = if let Part::Host { gas_before, .. } = &part { *gas_before } else { self.gas() };
            if let Some(below) = conditions.gas_below
                && gas >= below
                && gas_before_host.min(self.gas()) < below
                && let Some(position) = self.gas_crossing(before, below)?
            {
                return Ok(Scan::Hit(Located { hit: Hit::GasBelow(below), position }));
            }
            if let Part::Host { accesses, .. } = &part
                && let Some((access, watched)) =
                    accesses.iter().find_map(|access| Some((*access, conditions.watched(access)?)))
            {
                return Ok(Scan::Hit(Located { hit: Hit::Watch { access, watched }, position: self.position - 1 }));
            }
            if let Part::End(outcome) = part {
                return Ok(Scan::End(outcome));
            }
        }
    }

    /// A breakpoint or host call at this place.
    fn arrival(&self, conditions: &Conditions) -> Option<Hit> {
        let pc = self.pc()?;
        if self.end().is_some_and(|end| end.position == self.position && end.counted) {
            return None;
        }
        if conditions.breakpoints.contains(&pc) {
            return Some(Hit::Breakpoint(pc));
        }
        if conditions.host_calls.is_empty() {
            return None;
        }
        let instruction = self.program().code().decode(pc)?.instruction?;
        let import = instruction.imm as u32;
        let is_hit = instruction.opcode == Opcode::Ecalli && conditions.host_calls.contains(&import);
        is_hit.then_some(Hit::HostCall(import))
    }

    /// Goes to the first position after `before`, and not after this one, with less gas than `below`; returns the position
    /// of the instruction before it. Between them gas only falls.
    fn gas_crossing(&mut self, before: u64, below: i64) -> Result<Option<u64>, ReplayError> {
        let (mut low, mut high) = (before, self.position);
        if self.gas() >= below {
            // The host gave more at once. Had the program got below before that, it was at this very instruction.
            high -= 1;
            if high <= low {
                return Ok(None);
            }
            self.seek(high)?;
            if self.gas() >= below {
                return self.seek(high + 1).map(|()| None);
            }
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            self.seek(middle)?;
            if self.gas() < below {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.seek(high)?;
        Ok(Some(low))
    }
}
