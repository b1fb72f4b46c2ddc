//! Symbolic execution: all paths of machine code from an address on, each with its condition and effects.
//!
//! The stack pointer is a constant throughout, so every access is one of four, distinguished by the form of its
//! address: to the guest's window (32 bits, zero-extended), to the stack, to the control page (both at fixed
//! addresses), or into the jump table (an index, whose bounds the proof has to show). Anything else is an error.

use crate::emit::Compiled;
use crate::machine::{self, Fields, Memory, Next, RSP, State, Stuck};
use crate::term::{Op, Term, Terms};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use pvm_zygote::protocol::{CODE_BASE, CONTROL_BASE, CONTROL_SIZE, GUEST_END, NATIVE_SCRATCH, STACK_BASE, STACK_TOP};
use std::collections::{BTreeMap, HashSet};

/// Maximum number of instructions of a path.
const STEPS: usize = 400;

/// Machine code as mapped in workers.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The bytes at `CODE_BASE`.
    pub bytes: &'a [u8],
    /// Length of the jump table in bytes.
    pub table: u64,
}

impl Image<'_> {
    /// Decodes the instruction at an address.
    ///
    /// # Errors
    /// If there is none.
    pub fn decode(&self, ip: u64) -> Result<Instruction, Stuck> {
        let offset = ip.checked_sub(CODE_BASE).and_then(|offset| usize::try_from(offset).ok());
        let bytes = offset.and_then(|offset| self.bytes.get(offset..)).unwrap_or_default();
        let mut decoder = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() { Err(Stuck::NoInstruction { ip }) } else { Ok(instruction) }
    }
}

/// An access to guest memory.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its address, 64 bits.
    pub address: Term,
    /// Width in bits.
    pub width: u32,
    /// The stored value; `None` for a load.
    pub stored: Option<Term>,
    /// The registers at that time, which is the state that a fault leaves.
    pub registers: [Term; 16],
}

/// End of a path.
#[derive(Clone, Debug)]
pub enum End {
    /// It left guest code, as recorded in the control page.
    Left,
    /// At the start of a block.
    Block(u64),
    /// By a jump to an address that was read from the jump table, or from the control page.
    Indirect(Term),
}

/// One path.
#[derive(Clone, Debug)]
pub struct Path {
    /// Path conditions.
    pub conditions: Vec<Term>,
    /// Conditions under which it faults.
    pub faults: Vec<Term>,
    /// Its accesses to guest memory, in their order.
    pub events: Vec<Event>,
    /// Reads of the jump table: addresses and values.
    pub entries: Vec<(Term, Term)>,
    /// Words of the control page that it wrote, by offset.
    pub written: BTreeMap<u64, Term>,
    /// Words of the control page that it read before it wrote them.
    pub read: BTreeMap<u64, Term>,
    /// Registers and flags at the end.
    pub state: State,
    /// Its end.
    pub end: End,
    /// Addresses of its instructions.
    pub trace: Vec<u64>,
}

/// Memory effects of a path.
#[derive(Clone)]
struct Effects<'a> {
    terms: &'a Terms,
    loaded: &'a [Term],
    events: Vec<Event>,
    entries: Vec<(Term, Term)>,
    stack: BTreeMap<u64, Term>,
    written: BTreeMap<u64, Term>,
    read: BTreeMap<u64, Term>,
    /// The word behind a stack pointer that is no longer ours.
    returned: Option<Term>,
}

enum AccessTarget {
    Guest,
    Stack(u64),
    Control(u64),
    Table,
    Returned,
}

impl Effects<'_> {
    fn place(&self, address: Term, width: u32) -> Result<AccessTarget, String> {
        let node = self.terms.node(address);
        match node.op {
            Op::Const(value) => {
                let (start, end) = (value as u64, value as u64 + u64::from(width / 8));
                if start < GUEST_END {
                    Ok(AccessTarget::Guest)
                } else if start >= STACK_BASE && end <= STACK_TOP && start % 8 == 0 && width == 64 {
                    Ok(AccessTarget::Stack(start))
                } else if start >= CONTROL_BASE && end <= CONTROL_BASE + CONTROL_SIZE {
                    Ok(AccessTarget::Control(start - CONTROL_BASE))
                } else {
                    Err(format!("to {start:#x} is to none of guest memory, stack and control page"))
                }
            }
            Op::Zext if self.terms.width(node.args[0]) <= 32 => Ok(AccessTarget::Guest),
            _ if self.read.values().any(|word| *word == address) => Ok(AccessTarget::Returned),
            _ => Ok(AccessTarget::Table),
        }
    }
}

impl Memory for Effects<'_> {
    fn load(&mut self, state: &State, address: Term, width: u32) -> Result<Term, String> {
        let t = self.terms;
        match self.place(address, width)? {
            AccessTarget::Guest => {
                let value = *self.loaded.get(self.events.len()).ok_or("is one too many")?;
                self.events.push(Event { address, width, stored: None, registers: state.registers });
                // Its width is compared with the guest's.
                Ok(t.low(value, width))
            }
            AccessTarget::Stack(at) => {
                self.stack.get(&at).copied().ok_or_else(|| "reads a word that nobody pushed".into())
            }
            AccessTarget::Control(at) => {
                if let Some(word) = self.written.get(&at).or_else(|| self.read.get(&at)) {
                    return if t.width(*word) == width { Ok(*word) } else { Err("reads a part of a word".into()) };
                }
                let word = t.variable(width, format!("control page + {at:#x}"));
                self.read.insert(at, word);
                Ok(word)
            }
            AccessTarget::Table if width == 64 => {
                let entry = t.variable(64, "jump table's entry");
                self.entries.push((address, entry));
                Ok(entry)
            }
            AccessTarget::Returned if width == 64 => {
                let word = t.variable(64, "return address of the worker");
                self.returned = Some(word);
                Ok(word)
            }
            _ => Err("reads neither guest memory nor a word".into()),
        }
    }

    fn store(&mut self, state: &State, address: Term, value: Term) -> Result<(), String> {
        let width = self.terms.width(value);
        match self.place(address, width)? {
            AccessTarget::Guest => {
                self.events.push(Event { address, width, stored: Some(value), registers: state.registers });
            }
            AccessTarget::Stack(at) => drop(self.stack.insert(at, value)),
            AccessTarget::Control(at) => {
                let overlaps = self.written.iter().any(|(other, word)| {
                    let other_end = other + u64::from(self.terms.width(*word) / 8);
                    *other != at && *other < at + u64::from(width / 8) && at < other_end
                });
                if overlaps {
                    return Err("writes a part of a word".into());
                }
                self.written.insert(at, value);
            }
            AccessTarget::Table | AccessTarget::Returned => {
                return Err("writes to an address that is no guest's".into());
            }
        }
        Ok(())
    }
}

/// Start of symbolic execution, and its environment.
pub struct Setup<'a> {
    /// The code.
    pub image: Image<'a>,
    /// Symbolic fields of its instructions.
    pub fields: &'a Fields,
    /// Starts of blocks: there a path ends.
    pub blocks: &'a HashSet<u64>,
    /// Values of loads from guest memory, in order.
    pub loaded: &'a [Term],
    /// Address of an instruction before which flags and the scratch register become unknown, if any.
    pub forget_at: Option<u64>,
}

impl Compiled {
    /// Returns the setup in which nothing is loaded from guest memory and nothing forgotten.
    pub fn setup<'a>(&'a self, fields: &'a Fields) -> Setup<'a> {
        Setup { image: self.image(), fields, blocks: &self.blocks, loaded: &[], forget_at: None }
    }
}

/// Returns all paths from `ip` on.
///
/// # Errors
/// If execution cannot continue on one of them.
pub fn explore(terms: &Terms, setup: &Setup, ip: u64, state: State) -> Result<Vec<Path>, Stuck> {
    let effects = Effects {
        terms,
        loaded: setup.loaded,
        events: Vec::new(),
        entries: Vec::new(),
        stack: BTreeMap::new(),
        written: BTreeMap::new(),
        read: BTreeMap::new(),
        returned: None,
    };
    let mut waiting = vec![Way { ip, state, effects, conditions: vec![], faults: vec![], trace: vec![] }];
    let mut paths = Vec::new();
    while let Some(way) = waiting.pop() {
        way.run(terms, setup, &mut waiting, &mut paths)?;
    }
    Ok(paths)
}

/// The path of no instructions, to a block.
pub fn none(block: u64, state: State) -> Path {
    Path {
        conditions: vec![],
        faults: vec![],
        events: vec![],
        entries: vec![],
        written: BTreeMap::new(),
        read: BTreeMap::new(),
        state,
        end: End::Block(block),
        trace: vec![],
    }
}

#[derive(Clone)]
struct Way<'a> {
    ip: u64,
    state: State,
    effects: Effects<'a>,
    conditions: Vec<Term>,
    faults: Vec<Term>,
    trace: Vec<u64>,
}

impl<'a> Way<'a> {
    fn run(
        mut self,
        terms: &Terms,
        setup: &Setup,
        waiting: &mut Vec<Way<'a>>,
        paths: &mut Vec<Path>,
    ) -> Result<(), Stuck> {
        loop {
            if setup.forget_at == Some(self.ip) {
                let unknown = State::unknown(terms);
                self.state.flags = unknown.flags;
                self.state.registers[NATIVE_SCRATCH as usize] = unknown.registers[NATIVE_SCRATCH as usize];
            }
            if self.trace.len() > STEPS {
                return Err(Stuck::TooLong);
            }
            let instruction = setup.image.decode(self.ip)?;
            self.trace.push(self.ip);
            let state = &mut self.state;
            let next = machine::step(terms, &instruction, setup.fields, &mut self.effects, state, &mut self.faults)?;
            let target = match next {
                Next::Behind => instruction.next_ip(),
                Next::Goto(target) => match terms.value(target) {
                    Some(target) => target as u64,
                    None => {
                        let end = if self.effects.returned == Some(target) { End::Left } else { End::Indirect(target) };
                        paths.push(self.end(end));
                        return Ok(());
                    }
                },
                Next::GotoIf(condition, target) => match terms.value(condition) {
                    Some(1) => target,
                    Some(_) => instruction.next_ip(),
                    None => {
                        let mut other = self.clone();
                        other.conditions.push(condition);
                        self.conditions.push(terms.not(condition));
                        if setup.blocks.contains(&target) {
                            paths.push(other.end(End::Block(target)));
                        } else {
                            other.ip = target;
                            waiting.push(other);
                        }
                        instruction.next_ip()
                    }
                },
            };
            if setup.blocks.contains(&target) {
                paths.push(self.end(End::Block(target)));
                return Ok(());
            }
            self.ip = target;
        }
    }

    fn end(self, end: End) -> Path {
        let Effects { events, entries, written, read, .. } = self.effects;
        let Way { state, conditions, faults, trace, .. } = self;
        Path { conditions, faults, events, entries, written, read, state, end, trace }
    }
}

/// A state with unknown contents, except for the stack pointer, which is constant in guest code.
pub fn guest_state(terms: &Terms) -> State {
    let mut state = State::unknown(terms);
    state.registers[RSP] = terms.c64(STACK_TOP);
    state
}
