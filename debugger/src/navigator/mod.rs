//! The navigator: moves through a run by lines and functions, to breakpoints, and to the last write of a byte.
//!
//! Shared by [`crate::dap`] and [`crate::web`]. gdb does this by itself and uses [`crate::machine`] alone.
//! A motion is made in slices, so that requests of the client are served in between.

mod expression;
mod motion;
mod places;
mod sources;

pub use expression::{Expression, ExpressionError};
pub use motion::Motion;
pub use sources::{Sources, TEXT_SIZE};

use crate::machine::{Conditions, Hit, Machine};
use crate::symbols::{Place, Symbols};
use crate::unwind::{Frame, Unwinder};
use motion::Going;
use std::collections::BTreeMap;
use vm_core::Outcome;
use vm_core::isa::Reg;

/// Reason for the end of a motion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It was made.
    Done,
    /// Something that was asked for happens here.
    Hit(Hit),
    /// The end of the run.
    End(Outcome),
    /// The start of the run.
    Start,
    /// There is no such place, and the run is where it was.
    NotFound,
}

/// A function of the call stack, inlined or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackFrame {
    /// Its name, `?` if it has none.
    pub function: String,
    /// The file, if it is known.
    pub file: Option<String>,
    /// The line, from 1; 0 if it is not known.
    pub line: u32,
    /// The column, from 1; 0 if it is not known.
    pub column: u32,
    /// The code offset of what comes next in it, or of the call that it waits for.
    pub pc: u32,
    /// Whether it is inlined into its caller.
    pub inlined: bool,
    /// The index of its frame among those of [`Navigator::frames`].
    pub frame: usize,
}

/// A run with its symbols, and what is to stop it.
#[derive(Debug)]
pub struct Navigator {
    machine: Machine,
    symbols: Symbols,
    unwinder: Unwinder,
    conditions: Conditions,
    /// Expressions that are not to be zero where breakpoints stop.
    filters: BTreeMap<u32, Expression>,
    going: Option<Going>,
    went_back: bool,
}

impl Navigator {
    /// A navigator at the place where the machine is.
    pub fn new(machine: Machine, symbols: Symbols) -> Navigator {
        let unwinder = Unwinder::new(machine.program(), &symbols);
        let (conditions, filters) = (Conditions::default(), BTreeMap::new());
        Navigator { machine, symbols, unwinder, conditions, filters, going: None, went_back: false }
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, for going to places.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The symbols.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The conditions at which runs stop.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The conditions at which runs stop, for changing them.
    pub fn conditions_mut(&mut self) -> &mut Conditions {
        &mut self.conditions
    }

    /// Sets the expressions that are not to be zero where the breakpoint at a code offset stops.
    pub fn set_filters(&mut self, filters: BTreeMap<u32, Expression>) {
        self.filters = filters;
    }

    /// True if the last motion went backwards.
    pub fn went_back(&self) -> bool {
        self.went_back
    }

    /// The frames of this place, the innermost first.
    pub fn frames(&self) -> Vec<Frame> {
        self.unwinder.frames(&self.machine)
    }

    /// The call stack with inlined functions, the innermost first.
    pub fn stack(&self) -> Vec<StackFrame> {
        let mut stack = Vec::new();
        for (index, frame) in self.frames().into_iter().enumerate() {
            match self.symbols.region(frame.site) {
                Some(region) => {
                    for (depth, place) in region.places.iter().enumerate().rev() {
                        stack.push(StackFrame {
                            function: self.symbols.function(place.function).to_owned(),
                            file: place.file.map(|file| self.symbols.file(file).to_owned()),
                            line: if place.file.is_some() { place.line } else { 0 },
                            column: place.column,
                            pc: frame.site,
                            inlined: depth > 0,
                            frame: index,
                        });
                    }
                }
                None => {
                    let names = self.symbols.functions_at(frame.site);
                    let function = names.last().map_or("?", |name| *name).to_owned();
                    let (pc, frame) = (frame.site, index);
                    stack.push(StackFrame { function, file: None, line: 0, column: 0, pc, inlined: false, frame });
                }
            }
        }
        stack
    }

    fn pc_and_sp(&self) -> (Option<u32>, u64) {
        (self.machine.pc(), self.machine.reg(Reg::SP))
    }

    /// The functions of a code offset, the outermost first, if the line of the innermost one is known.
    fn places_at(&self, pc: u32) -> Option<&[Place]> {
        let places = self.symbols.region(pc)?.places.as_slice();
        places.last().is_some_and(|place| place.line > 0 && place.file.is_some()).then_some(places)
    }
}
