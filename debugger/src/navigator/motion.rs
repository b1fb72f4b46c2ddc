//! Motions: steps, runs and searches in both directions, made in slices.

use super::{Navigator, Stop};
use crate::machine::{Conditions, Found, Hit, ReplayError, Watch};
use crate::symbols::Place;
use vm_core::isa::Opcode;

/// Number of instructions of a slice.
const SLICE: u64 = 1 << 22;
/// Number of single steps of a slice; they take longer.
const STEPS: usize = 1 << 12;
/// Number of single steps back of a slice; each may be a run from a snapshot.
const STEPS_BACK: usize = 1 << 6;

/// A motion: a step, a run or a search, forwards or backwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Motion {
    /// To the next hit, or the end.
    Forward,
    /// Back to the last hit, or the start.
    Backward,
    /// One instruction.
    Instruction,
    /// One instruction back.
    InstructionBack,
    /// To the next line, into functions that are called.
    Into,
    /// To the next line of this function, or its caller.
    Over,
    /// To where this function returns to, inlined or not.
    Out,
    /// Back to the start of this line, or of the line before it. Functions that were called in between are passed.
    LineBack,
    /// Back to the last write to one of these bytes, whatever else happens on the way.
    Writer {
        /// The first address.
        address: u32,
        /// Bytes.
        length: u32,
    },
    /// To a position, or the end.
    Seek(u64),
}

/// A line of a function that was entered with a stack pointer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    places: Vec<Place>,
    entry_sp: u64,
}

/// A place to return to: the code offset and the stack pointer.
type Point = (u32, u64);

/// The motion in progress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Going {
    Run {
        backward: bool,
    },
    /// Back to a hit of these conditions, or to where it began if there is none.
    Find {
        conditions: Conditions,
        origin: u64,
    },
    Instruction,
    InstructionBack,
    /// Until the line is another one.
    Line {
        line: Line,
        over: bool,
        returning: Option<Point>,
    },
    /// Until the function that was inlined at this depth is left.
    Inlined {
        line: Line,
        returning: Option<Point>,
    },
    Out(Point),
    /// `line` is the one that is arrived at, and `first` the first position of it.
    LineBack {
        line: Option<Line>,
        first: u64,
        called_from: Option<Point>,
    },
    Seek(u64),
}

/// Result of a step of a motion.
enum Step {
    Stopped(Stop),
    /// The slice is over.
    Pause,
    /// An instruction, or a call with all that it did.
    Made,
}

impl Line {
    /// True if a place belongs to it; with `over`, also if it is inlined there.
    fn contains(&self, places: &[Place], over: bool) -> bool {
        let same = |a: &Place, b: &Place| (a.function, a.file, a.line) == (b.function, b.file, b.line);
        let long_enough = if over { places.len() >= self.places.len() } else { places.len() == self.places.len() };
        long_enough && self.places.iter().zip(places).all(|(a, b)| same(a, b))
    }

    /// True if a place belongs to its innermost function, at any line.
    fn is_in_function(&self, places: &[Place]) -> bool {
        let Some((innermost, outer)) = self.places.split_last() else { return false };
        let calls = |a: &Place, b: &Place| (a.function, a.file, a.line) == (b.function, b.file, b.line);
        places.get(outer.len()).is_some_and(|place| place.function == innermost.function)
            && outer.iter().zip(places).all(|(a, b)| calls(a, b))
    }
}

impl Navigator {
    /// Begins a motion, in place of one that may be going on.
    pub fn begin(&mut self, motion: Motion) {
        use Motion::{Backward, InstructionBack, LineBack, Writer};
        self.went_back = matches!(motion, Backward | InstructionBack | LineBack | Writer { .. });
        let line = self.line();
        let run = |backward| Going::Run { backward };
        self.going = Some(match motion {
            Motion::Forward => run(false),
            Motion::Backward => run(true),
            Motion::Instruction => Going::Instruction,
            Motion::InstructionBack => Going::InstructionBack,
            Motion::Into | Motion::Over => match line {
                Some(line) => Going::Line { line, over: motion == Motion::Over, returning: None },
                None => Going::Instruction,
            },
            Motion::Out => match (line, self.frames().get(1)) {
                (Some(line), _) if line.places.len() > 1 => Going::Inlined { line, returning: None },
                (_, Some(caller)) => Going::Out((caller.pc, caller.sp)),
                _ => run(false),
            },
            Motion::LineBack => match line {
                Some(_) => Going::LineBack { line: None, first: 0, called_from: None },
                None => Going::InstructionBack,
            },
            Motion::Writer { address, length } => {
                let watches = [Watch { address, length, loads: false, stores: true }].into();
                let conditions = Conditions { watches, ..Conditions::default() };
                Going::Find { conditions, origin: self.machine.position() }
            }
            Motion::Seek(position) => Going::Seek(position),
        });
    }

    /// True if a motion is in progress.
    pub fn is_going(&self) -> bool {
        self.going.is_some()
    }

    /// Ends the motion where it is.
    pub fn interrupt(&mut self) {
        self.going = None;
    }

    /// Makes a slice of the motion; returns why it ended, if it did.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn advance(&mut self) -> Result<Option<Stop>, ReplayError> {
        let Some(mut going) = self.going.take() else { return Ok(Some(Stop::Done)) };
        let stop = self.slice(&mut going)?;
        if stop.is_none() {
            self.going = Some(going);
        }
        Ok(stop)
    }

    /// Makes a motion to its end.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn go(&mut self, motion: Motion) -> Result<Stop, ReplayError> {
        self.begin(motion);
        loop {
            if let Some(stop) = self.advance()? {
                return Ok(stop);
            }
        }
    }

    fn slice(&mut self, going: &mut Going) -> Result<Option<Stop>, ReplayError> {
        match going {
            Going::Run { backward } => {
                let found = match backward {
                    true => self.machine.run_backward(&self.conditions, SLICE)?,
                    false => self.machine.run_forward(&self.conditions, SLICE)?,
                };
                Ok(self.wanted(found))
            }
            Going::Find { conditions, origin } => match self.machine.run_backward(conditions, SLICE)? {
                Found::Limit => Ok(None),
                Found::Hit(hit) => Ok(Some(Stop::Hit(hit))),
                Found::Start | Found::End(_) => {
                    self.machine.seek(*origin)?;
                    Ok(Some(Stop::NotFound))
                }
            },
            Going::Instruction => match self.machine.run_forward(&self.conditions, 1)? {
                Found::Limit => Ok(Some(Stop::Done)),
                found => Ok(Some(self.wanted(found).unwrap_or(Stop::Done))),
            },
            Going::InstructionBack => Ok(Some(if self.machine.reverse_step()? { Stop::Done } else { Stop::Start })),
            Going::Line { line, over, returning } => self.over_line(line, *over, returning),
            Going::Inlined { line, returning } => {
                for _ in 0..STEPS {
                    match self.step_over(returning)? {
                        Step::Stopped(stop) => return Ok(Some(stop)),
                        Step::Pause => return Ok(None),
                        Step::Made => {}
                    }
                    let is_left = |here: &Line| here.entry_sp != line.entry_sp || !line.is_in_function(&here.places);
                    if self.line().is_some_and(|here| is_left(&here)) {
                        return Ok(Some(Stop::Done));
                    }
                }
                Ok(None)
            }
            Going::Out(point) => Ok(match self.run_to(*point)? {
                Step::Stopped(stop) => Some(stop),
                Step::Pause => None,
                Step::Made => Some(Stop::Done),
            }),
            Going::LineBack { line, first, called_from } => self.line_back(line, first, called_from),
            Going::Seek(position) => {
                let next = (*position).min(self.machine.position().saturating_add(SLICE));
                self.machine.seek(next)?;
                let is_there = next == *position || self.machine.outcome().is_some();
                Ok(is_there.then_some(Stop::Done))
            }
        }
    }

    fn over_line(
        &mut self,
        line: &Line,
        over: bool,
        returning: &mut Option<Point>,
    ) -> Result<Option<Stop>, ReplayError> {
        for _ in 0..STEPS {
            let call = self.machine.pc().filter(|pc| self.unwinder.return_point(*pc).is_some());
            let step = match over || returning.is_some() {
                true => self.step_over(returning)?,
                false => self.step_into()?,
            };
            match step {
                Step::Stopped(stop) => return Ok(Some(stop)),
                Step::Pause => return Ok(None),
                Step::Made => {}
            }
            match (self.line(), call) {
                (Some(here), _) if here.entry_sp == line.entry_sp && line.contains(&here.places, over) => {}
                (Some(_), _) => return Ok(Some(Stop::Done)),
                // A function whose lines nobody knows is not for stepping into.
                (None, Some(call)) if returning.is_none() && !over && self.is_called() => {
                    let sp = self.machine.reg(vm_core::isa::Reg::SP);
                    *returning = self.unwinder.return_point(call).map(|point| (point, sp));
                }
                (None, _) => {}
            }
        }
        Ok(None)
    }

    fn line_back(
        &mut self,
        line: &mut Option<Line>,
        first: &mut u64,
        called_from: &mut Option<Point>,
    ) -> Result<Option<Stop>, ReplayError> {
        for _ in 0..STEPS_BACK {
            match self.step_back_over(called_from)? {
                // The first line of the run begins with it.
                Step::Stopped(Stop::Start) if line.is_some() => return Ok(Some(Stop::Done)),
                Step::Stopped(stop) => return Ok(Some(stop)),
                Step::Pause => return Ok(None),
                Step::Made => {}
            }
            let here = self.line();
            match (&line, here) {
                (None, Some(here)) => *line = Some(here),
                (Some(line), Some(here)) if line.entry_sp != here.entry_sp || !line.contains(&here.places, false) => {
                    self.machine.seek(*first)?;
                    return Ok(Some(Stop::Done));
                }
                _ => {}
            }
            *first = self.machine.position();
        }
        Ok(None)
    }

    /// One instruction.
    fn step_into(&mut self) -> Result<Step, ReplayError> {
        Ok(match self.machine.run_forward(&self.conditions, 1)? {
            Found::Limit => Step::Made,
            found => self.wanted(found).map_or(Step::Made, Step::Stopped),
        })
    }

    /// One instruction, or a call with all that it does.
    fn step_over(&mut self, returning: &mut Option<Point>) -> Result<Step, ReplayError> {
        if returning.is_none() {
            let (pc, sp) = self.pc_and_sp();
            let point = pc.and_then(|pc| self.unwinder.return_point(pc));
            match self.step_into()? {
                Step::Made if point.is_some_and(|point| self.machine.pc() != Some(point)) => {
                    *returning = point.map(|point| (point, sp));
                }
                step => return Ok(step),
            }
        }
        let Some(point) = *returning else { return Ok(Step::Made) };
        let step = self.run_to(point)?;
        if !matches!(step, Step::Pause) {
            *returning = None;
        }
        Ok(step)
    }

    /// Goes on to a place with this stack pointer, unless something that was asked for comes first.
    fn run_to(&mut self, (pc, sp): Point) -> Result<Step, ReplayError> {
        let mut conditions = self.conditions.clone();
        conditions.breakpoints.insert(pc);
        let found = self.machine.run_forward(&conditions, SLICE)?;
        if self.pc_and_sp() == (Some(pc), sp) && matches!(found, Found::Hit(Hit::Breakpoint(_))) {
            let is_wanted = self.conditions.breakpoints.contains(&pc) && self.wanted(found).is_some();
            return Ok(if is_wanted { Step::Stopped(Stop::Hit(Hit::Breakpoint(pc))) } else { Step::Made });
        }
        Ok(self.asked_for(found).map_or(Step::Pause, Step::Stopped))
    }

    /// One instruction back, or a call with all that it did.
    fn step_back_over(&mut self, called_from: &mut Option<Point>) -> Result<Step, ReplayError> {
        if called_from.is_none() {
            let (pc, sp) = self.pc_and_sp();
            if !self.machine.reverse_step()? {
                return Ok(Step::Stopped(Stop::Start));
            }
            let code = self.machine.program().code();
            let instruction = self.machine.pc().and_then(|pc| code.decode(pc)?.instruction);
            let returns = instruction.is_some_and(|instruction| instruction.opcode == Opcode::JumpIndirect);
            match pc {
                Some(pc) if returns && !self.unwinder.call_sites(pc).is_empty() => *called_from = Some((pc, sp)),
                _ => return Ok(Step::Made),
            }
        }
        let Some((point, sp)) = *called_from else { return Ok(Step::Made) };
        let sites = self.unwinder.call_sites(point).to_vec();
        let mut conditions = self.conditions.clone();
        conditions.breakpoints.extend(sites.iter().copied());
        let found = self.machine.run_backward(&conditions, SLICE)?;
        let (pc, here) = self.pc_and_sp();
        if here == sp && pc.is_some_and(|pc| sites.contains(&pc)) && matches!(found, Found::Hit(Hit::Breakpoint(_))) {
            *called_from = None;
            return Ok(Step::Made);
        }
        Ok(self.asked_for(found).map_or(Step::Pause, Step::Stopped))
    }

    /// Converts a search's result to a stop; `None` for an internal breakpoint.
    fn asked_for(&self, found: Found) -> Option<Stop> {
        match found {
            Found::Hit(Hit::Breakpoint(pc)) if !self.conditions.breakpoints.contains(&pc) => None,
            found => self.wanted(found),
        }
    }

    /// Converts a search's result to a stop; `None` for a breakpoint whose expression is zero here.
    fn wanted(&self, found: Found) -> Option<Stop> {
        match found {
            Found::Limit => None,
            Found::Hit(Hit::Breakpoint(pc)) if self.filters.get(&pc).is_some_and(|filter| self.is_zero(filter)) => None,
            Found::Hit(hit) => Some(Stop::Hit(hit)),
            Found::End(outcome) => Some(Stop::End(outcome)),
            Found::Start => Some(Stop::Start),
        }
    }

    /// The line of this place, if it is known.
    fn line(&self) -> Option<Line> {
        let (pc, sp) = self.pc_and_sp();
        let places = self.places_at(pc?)?.to_vec();
        Some(Line { places, entry_sp: self.unwinder.entry_sp(pc?, sp) })
    }

    /// True at the entry of a function that is called directly.
    fn is_called(&self) -> bool {
        self.machine.pc().is_some_and(|pc| self.unwinder.called_in(pc..pc.saturating_add(1)).next().is_some())
    }
}
