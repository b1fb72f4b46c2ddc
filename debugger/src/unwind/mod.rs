//! Stack unwinding: the call stack at a position of a run, from its registers and memory.

pub(crate) mod flow;

use crate::machine::Machine;
use crate::symbols::Symbols;
use flow::{ENTRY, EntryValue, FOLLOWED, Flow, State, is_call};
use std::collections::{BTreeMap, BTreeSet};
use vm_core::isa::{Opcode, Reg};
use vm_core::memory::MemoryMap;
use vm_core::program::Program;

/// Maximum number of frames.
const FRAMES: usize = 512;

/// A function that was called and has not returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The code offset of its next instruction.
    pub pc: u32,
    /// The code offset of the call that it waits for; in the innermost frame that of the next instruction.
    pub site: u32,
    /// The stack pointer.
    pub sp: u64,
    /// The registers' values, as far as they are known.
    pub registers: [Option<u64>; Reg::COUNT],
}

/// Unwinder of a program's call stacks: frame layouts and call sites.
#[derive(Debug)]
pub struct Unwinder {
    states: BTreeMap<u32, State>,
    entries: BTreeSet<u32>,
    /// Return points by the code offset of the call.
    returns: BTreeMap<u32, u32>,
    /// The calls that return to a place.
    sites: BTreeMap<u32, Vec<u32>>,
    /// The functions that are called by name.
    targets: BTreeSet<u32>,
}

impl Unwinder {
    /// Follows the code of a program.
    pub fn new(program: &Program, symbols: &Symbols) -> Unwinder {
        let flow = Flow::from(program);
        let entries = flow.entries(symbols);
        let (mut returns, mut sites, mut targets) =
            (BTreeMap::new(), BTreeMap::<u32, Vec<u32>>::new(), BTreeSet::new());
        for decoded in program.code().instructions() {
            let Some(instruction) = decoded.instruction.filter(is_call) else { continue };
            let link = match instruction.opcode {
                Opcode::LoadImmAndJump => {
                    targets.insert(instruction.target);
                    instruction.imm
                }
                _ => instruction.imm2.into(),
            };
            if let Some(point) = flow.return_point(link) {
                returns.insert(decoded.offset, point);
                sites.entry(point).or_default().push(decoded.offset);
            }
        }
        targets.extend(program.exports().map(|export| export.code_offset));
        Unwinder { states: flow.follow(&entries), entries, returns, sites, targets }
    }

    /// Returns the return point of the call at this code offset; `None` if there is no call.
    pub fn return_point(&self, call: u32) -> Option<u32> {
        self.returns.get(&call).copied()
    }

    /// The calls that return to this code offset.
    pub fn call_sites(&self, point: u32) -> &[u32] {
        self.sites.get(&point).map_or(&[], Vec::as_slice)
    }

    /// The functions that are called by name, and the exports, that begin in a range.
    pub fn called_in(&self, range: std::ops::Range<u32>) -> impl Iterator<Item = u32> + '_ {
        self.targets.range(range).copied()
    }

    /// The stack pointer that the function of a place was entered with.
    pub fn entry_sp(&self, pc: u32, sp: u64) -> u64 {
        sp.wrapping_add(u64::from(self.state(pc).depth.max(0).unsigned_abs()))
    }

    fn state(&self, pc: u32) -> State {
        if let Some(state) = self.states.get(&pc) {
            return *state;
        }
        // Not reached by following the code: where the frame is complete, as most of a function is.
        let start = self.entries.range(..=pc).next_back().copied().unwrap_or(0);
        let end = self.entries.range(pc.saturating_add(1)..).next().copied().unwrap_or(u32::MAX);
        let states = self.states.range(start..end).map(|(_, state)| *state);
        states.max_by_key(|state| state.depth).unwrap_or(ENTRY)
    }

    /// The frames of a place, the innermost first. There is none where the run returned to its host.
    pub fn frames(&self, machine: &Machine) -> Vec<Frame> {
        let Some(pc) = machine.pc() else { return Vec::new() };
        let registers = machine.registers();
        let sp = registers[Reg::SP as usize];
        let mut frames = vec![Frame { pc, site: pc, sp, registers: registers.map(Some) }];
        while let Some(frame) = frames.last()
            && frames.len() < FRAMES
            && let Some(caller) = self.caller(machine, frame)
        {
            let is_same = caller.pc == frame.pc && caller.sp == frame.sp;
            // Only a function that called nobody has the frame of its caller.
            if is_same || (frames.len() > 1 && caller.sp < frame.sp) {
                break;
            }
            frames.push(caller);
        }
        frames
    }

    fn caller(&self, machine: &Machine, frame: &Frame) -> Option<Frame> {
        let state = self.state(frame.pc);
        let sp = self.entry_sp(frame.pc, frame.sp);
        let mut registers = [None; Reg::COUNT];
        let mut link = None;
        for (reg, place) in FOLLOWED.into_iter().zip(state.registers) {
            let value = match place {
                EntryValue::InPlace => frame.registers[reg as usize],
                EntryValue::Stored(slot) => load(machine, (sp as u32).wrapping_add_signed(slot)),
                EntryValue::Lost => None,
            };
            match reg {
                Reg::RA => link = value,
                reg => registers[reg as usize] = value,
            }
        }
        registers[Reg::SP as usize] = Some(sp);
        let link = link? as u32;
        if link == MemoryMap::RETURN_TO_HOST {
            return None;
        }
        let program = machine.program();
        let pc = Flow::from(&**program).return_point(link.into())?;
        let sites = self.call_sites(pc);
        let code = program.code();
        let before = sites.iter().find(|site| code.decode(**site).is_some_and(|decoded| decoded.next == pc));
        let site = *before.or(sites.first())?;
        Some(Frame { pc, site, sp, registers })
    }
}

/// Reads a value of the size of a register.
fn load(machine: &Machine, address: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    let size = if machine.program().isa().is_64_bit() { 8 } else { 4 };
    machine.read_memory(address, &mut bytes[..size]).ok()?;
    Some(u64::from_le_bytes(bytes))
}
