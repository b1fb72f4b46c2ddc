//! Profiles: where a run spent its gas, by function, line, host call and call stack, and which lines it covered.
//!
//! Counted are the blocks that were entered, for each call stack. Costs follow from the counts under any cost model, as a
//! block always costs the same; those of a block are shared by its instructions. Calls and returns are told by how code is
//! made: a jump that sets the return address calls, and a dynamic jump to where a call returns to returns.

use crate::machine::{Machine, ReplayError, Visit};
use crate::symbols::{Symbols, printable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vm_core::Outcome;
use vm_core::gas::{CostModelKind, block_cost};
use vm_core::isa::{CodeView, Opcode, Reg};
use vm_core::program::Program;

/// Deeper call stacks are not told apart.
const DEEPEST: usize = 256;

/// A call stack: a call in another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Stack {
    parent: u32,
    /// The code offset of the call.
    call: u32,
}

/// The number of the stack of a function that the host called.
const HOST: u32 = 0;

/// Profile of a run: counts by call stack and block.
#[derive(Debug)]
pub struct Profile {
    outcome: Outcome,
    /// All call stacks but that of the host, numbered from 1.
    stacks: Vec<Stack>,
    /// Number of entries of each block, by the number of the stack and the code offset.
    blocks: BTreeMap<(u32, u32), u64>,
    /// Calls of the host and gas that it charged, by the number of the stack, place and import.
    host_calls: BTreeMap<(u32, u32, u32), (u64, i64)>,
    /// Start of the last block, and the offset at which it was cut off.
    cut: Option<(u32, u32)>,
}

/// A line of a table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// Name of the function, line or host call.
    pub name: String,
    /// Gas of the code itself.
    pub own: u64,
    /// Gas of the code and of everything that it called.
    pub total: u64,
    /// Instructions executed, or calls of the host.
    pub count: u64,
}

/// Transfer of control at the end of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leave {
    /// By a call at this place, that returns to the other.
    Call {
        at: u32,
        back: Option<u32>,
    },
    /// By a dynamic jump that calls nothing.
    Dynamic,
    Otherwise,
}

/// Follows the calls.
struct Follower<'a> {
    program: &'a Program,
    stacks: Vec<Stack>,
    numbers: HashMap<Stack, u32>,
    leaves: HashMap<u32, Leave>,
    /// The calls that have not returned: where they return to, and the stack before them.
    open: Vec<(Option<u32>, u32)>,
    stack: u32,
    block: Option<u32>,
}

impl Follower<'_> {
    /// Notes that a block is entered.
    fn enter(&mut self, pc: u32) {
        if let Some(before) = self.block.replace(pc) {
            match self.leave(before) {
                Leave::Call { at, back } => {
                    self.open.push((back, self.stack));
                    if self.open.len() <= DEEPEST {
                        self.stack = self.number(Stack { parent: self.stack, call: at });
                    }
                }
                Leave::Dynamic => {
                    // Returns come back to the innermost call, or to one further out if others left by tail calls.
                    if let Some(index) = self.open.iter().rposition(|(back, _)| *back == Some(pc)) {
                        self.stack = self.open[index].1;
                        self.open.truncate(index);
                    }
                }
                Leave::Otherwise => {}
            }
        }
    }

    fn number(&mut self, stack: Stack) -> u32 {
        *self.numbers.entry(stack).or_insert_with(|| {
            self.stacks.push(stack);
            self.stacks.len() as u32
        })
    }

    fn leave(&mut self, block: u32) -> Leave {
        let program = self.program;
        *self.leaves.entry(block).or_insert_with(|| leave(program, block))
    }
}

fn leave(program: &Program, block: u32) -> Leave {
    let Some(decoded) = program.code().instructions_from(block).find(|decoded| decoded.ends_block()) else {
        return Leave::Otherwise;
    };
    let Some(instruction) = decoded.instruction else { return Leave::Otherwise };
    let back = |link: u32| program.jump_table().get((link / 2).checked_sub(1)?);
    match instruction.opcode {
        Opcode::LoadImmAndJump if instruction.r1 == Reg::RA => {
            Leave::Call { at: decoded.offset, back: back(instruction.imm as u32) }
        }
        Opcode::LoadImmAndJumpIndirect if instruction.r1 == Reg::RA => {
            Leave::Call { at: decoded.offset, back: back(instruction.imm2 as u32) }
        }
        Opcode::JumpIndirect => Leave::Dynamic,
        _ => Leave::Otherwise,
    }
}

/// The code offsets of the instructions from one on to the end of its block.
fn rest_of_block(code: &CodeView<'_>, offset: u32) -> Vec<u32> {
    let mut list = Vec::new();
    for decoded in code.instructions_from(offset) {
        list.push(decoded.offset);
        if decoded.ends_block() {
            break;
        }
    }
    list
}

impl Profile {
    /// Counts a run, from where the machine stands to its end.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn new(machine: &mut Machine) -> Result<Profile, ReplayError> {
        let program = machine.program().clone();
        let mut follower = Follower {
            program: &program,
            stacks: Vec::new(),
            numbers: HashMap::new(),
            leaves: HashMap::new(),
            open: Vec::new(),
            stack: HOST,
            block: None,
        };
        let mut blocks: HashMap<(u32, u32), u64> = HashMap::new();
        let mut host_calls: BTreeMap<(u32, u32, u32), (u64, i64)> = BTreeMap::new();
        let mut cut = None;
        let outcome = machine.visit_blocks(|visit| match visit {
            Visit::Call => {
                follower.open.clear();
                (follower.stack, follower.block) = (HOST, None);
            }
            Visit::Block { pc } => {
                follower.enter(pc);
                *blocks.entry((follower.stack, pc)).or_default() += 1;
            }
            Visit::HostCall { import, gas } => {
                let place = follower.block.unwrap_or_default();
                let (calls, charged) = host_calls.entry((follower.stack, place, import)).or_default();
                *calls += 1;
                *charged = charged.saturating_add(gas);
            }
            Visit::Cut { pc, outcome } => {
                let Some(block) = follower.block else { return };
                let unpaid = outcome == Outcome::OutOfGas && pc.is_none_or(|pc| pc == block);
                match blocks.get_mut(&(follower.stack, block)) {
                    Some(count) if unpaid => *count -= 1,
                    _ => cut = pc.map(|pc| (block, pc)),
                }
            }
        })?;
        let stacks = follower.stacks;
        Ok(Profile { outcome, stacks, blocks: blocks.into_iter().collect(), host_calls, cut })
    }

    /// The outcome of the run.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns the execution count of each instruction, by code offset.
    pub fn instructions(&self, program: &Program) -> BTreeMap<u32, u64> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        let code = program.code();
        for ((_, block), count) in &self.blocks {
            for offset in rest_of_block(&code, *block) {
                *counts.entry(offset).or_default() += count;
            }
        }
        if let Some((block, pc)) = self.cut {
            for offset in rest_of_block(&code, block).into_iter().filter(|offset| *offset >= pc) {
                if let Some(count) = counts.get_mut(&offset) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        counts
    }

    /// The gas of each instruction that was executed under a cost model, by the number of the stack and the code offset.
    /// Branches count with their misprediction, of which the calibrated model gives back what the likely way does not take.
    fn gas(&self, program: &Program, model: CostModelKind) -> Vec<(u32, u32, u64)> {
        let code = program.code();
        let mut list = Vec::new();
        for ((stack, pc), count) in &self.blocks {
            let Some(start) = code.block_start(*pc) else { continue };
            let cost = u64::from(block_cost(model, program.facts(), &code, start).unwrap_or(0));
            let offsets = rest_of_block(&code, *pc);
            let number = offsets.len() as u64;
            for (index, offset) in offsets.into_iter().enumerate() {
                let index = index as u64;
                let share = cost * (index + 1) / number - cost * index / number;
                list.push((*stack, offset, share * count));
            }
        }
        list
    }

    /// The functions of a place of a call stack, the outermost first, with those that were inlined.
    fn names(&self, symbols: &Symbols, stack: u32, offset: u32) -> Vec<String> {
        let mut calls = vec![offset];
        let mut at = stack;
        while let Some(Stack { parent, call }) = (at as usize).checked_sub(1).and_then(|index| self.stacks.get(index)) {
            calls.push(*call);
            at = *parent;
        }
        calls.reverse();
        let mut names = Vec::new();
        for offset in calls {
            let functions = symbols.functions_at(offset);
            if functions.is_empty() {
                names.push(format!("@{offset}"));
            }
            names.extend(functions.into_iter().map(str::to_owned));
        }
        names
    }

    /// Gas by call stack, in the form that flame graphs are made of: functions from the outermost on, joined by semicolons,
    /// and gas. Host calls are functions of their own, with the gas that the host charged.
    pub fn collapsed(&self, program: &Program, symbols: &Symbols, model: CostModelKind) -> Vec<String> {
        let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
        let joined = |names: Vec<String>| -> String {
            names.iter().map(|name| name.replace([';', '\n'], ":")).collect::<Vec<_>>().join(";")
        };
        // Most instructions have the functions of the one before.
        let mut last: Option<((u32, Vec<&str>), String)> = None;
        for (stack, offset, gas) in self.gas(program, model) {
            let key = (stack, symbols.functions_at(offset));
            let name = match &last {
                Some((same, name)) if *same == key && !key.1.is_empty() => name.clone(),
                _ => joined(self.names(symbols, stack, offset)),
            };
            *stacks.entry(name.clone()).or_default() += gas;
            last = Some((key, name));
        }
        for ((stack, place, import), (_, gas)) in &self.host_calls {
            let mut names = self.names(symbols, *stack, *place);
            names.push(host_call_name(program, *import));
            *stacks.entry(joined(names)).or_default() += u64::try_from(*gas).unwrap_or(0);
        }
        stacks.into_iter().filter(|(_, gas)| *gas > 0).map(|(name, gas)| format!("{name} {gas}")).collect()
    }

    /// Gas by function, the most first.
    pub fn functions(&self, program: &Program, symbols: &Symbols, model: CostModelKind) -> Vec<Row> {
        let executed = self.instructions(program);
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for (stack, offset, gas) in self.gas(program, model) {
            let names = self.names(symbols, stack, offset);
            if let Some(own) = names.last() {
                rows.entry(own.clone()).or_default().own += gas;
            }
            // A function that calls itself counts once.
            for name in names.into_iter().collect::<BTreeSet<_>>() {
                rows.entry(name).or_default().total += gas;
            }
        }
        for (offset, count) in executed {
            if let Some(own) = self.names(symbols, HOST, offset).pop() {
                rows.entry(own).or_default().count += count;
            }
        }
        sorted(rows)
    }

    /// Gas by line, the most first: of the innermost function whose line is known.
    pub fn lines(&self, program: &Program, symbols: &Symbols, model: CostModelKind) -> Vec<Row> {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let name = |offset| symbols.line_at(offset).map(|(file, line)| format!("{file}:{line}"));
        for (_, offset, gas) in self.gas(program, model) {
            if let Some(name) = name(offset) {
                let row = rows.entry(name).or_default();
                row.own += gas;
                row.total += gas;
            }
        }
        for (offset, count) in self.instructions(program) {
            if let Some(name) = name(offset) {
                rows.entry(name).or_default().count += count;
            }
        }
        sorted(rows)
    }

    /// Host calls by name: how often, and the gas that the host charged.
    pub fn host_calls(&self, program: &Program) -> Vec<Row> {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for ((_, _, import), (calls, gas)) in &self.host_calls {
            let row = rows.entry(host_call_name(program, *import)).or_default();
            let gas = u64::try_from(*gas).unwrap_or(0);
            row.count += calls;
            row.own += gas;
            row.total += gas;
        }
        sorted(rows)
    }

    /// All gas of the program's own instructions.
    pub fn total(&self, program: &Program, model: CostModelKind) -> u64 {
        self.gas(program, model).iter().map(|(_, _, gas)| gas).sum()
    }

    /// Which lines of which files were covered, in the form of lcov.
    pub fn lcov(&self, program: &Program, symbols: &Symbols) -> String {
        let executed = self.instructions(program);
        let mut files: BTreeMap<&str, BTreeMap<u32, u64>> = BTreeMap::new();
        for decoded in program.code().instructions() {
            if let Some((file, line)) = symbols.line_at(decoded.offset) {
                let count = executed.get(&decoded.offset).copied().unwrap_or(0);
                let covered = files.entry(file).or_default().entry(line).or_default();
                // A line is executed as often as the instruction of it that is executed most.
                *covered = count.max(*covered);
            }
        }
        let mut text = String::new();
        for (file, lines) in files {
            text.push_str(&format!("TN:\nSF:{file}\n"));
            for (line, count) in &lines {
                text.push_str(&format!("DA:{line},{count}\n"));
            }
            let hit = lines.values().filter(|count| **count > 0).count();
            text.push_str(&format!("LF:{}\nLH:{hit}\nend_of_record\n", lines.len()));
        }
        text
    }
}

fn sorted(rows: BTreeMap<String, Row>) -> Vec<Row> {
    let mut list: Vec<Row> = rows.into_iter().map(|(name, row)| Row { name, ..row }).collect();
    list.sort_by(|a, b| (b.own, b.total).cmp(&(a.own, a.total)).then_with(|| a.name.cmp(&b.name)));
    list
}

fn host_call_name(program: &Program, import: u32) -> String {
    match program.import(import) {
        Some(name) => format!("host call {}", printable(name)),
        None => format!("host call {import}"),
    }
}
