//! The claim about a case: on every path, its machine code has the effects of its instructions.
//!
//! Compared on each path: the charge (made before anything else, exact, refused if there is less gas than it costs, and
//! then nothing else has changed); each access to guest memory with its address, width and value, in order, with the
//! guest's registers at that moment as they were before the instruction, since a fault leaves them so; all thirteen
//! registers; the control flow, and its reason; the stack pointer; that division never faults; that the jump table is
//! read within its bounds for any register contents.

use crate::emit::{CALL, Compiled, Target};
use crate::guest::{self, Access, Effect, Flow, Immediates};
use crate::machine::{Fields, RSP, State, Stuck};
use crate::paths::{self, End, Path, Setup};
use crate::term::{Term, Terms};
use core::mem::offset_of;
use pvm_zygote::protocol::{self, CODE_BASE, Control, GUEST_END, NATIVE_GAS, NATIVE_REGS, NATIVE_SCRATCH, STACK_TOP};
use vm_core::isa::{Instruction, Reg};

/// The address by which a dynamic jump returns to the host: `docs/spec/execution.md#dynamic-jumps`.
const RETURN: u32 = 0xffff_0000;
/// Number of instructions of a charge.
const CHARGE: usize = 2;

/// A case to be proved, with terms for its symbolic parts.
pub struct Rule<'a> {
    /// The program it is in.
    pub program: &'a Compiled,
    /// Its number there.
    pub case: usize,
    /// Its instructions.
    pub instructions: &'a [Instruction],
    /// Target of its last instruction.
    pub target: Target,
    /// Their immediates.
    pub immediates: &'a [Immediates],
    /// Symbolic fields of the machine code.
    pub fields: &'a Fields,
}

/// The claim, and the parts it was made from.
pub struct Claim {
    /// 1 if the rule holds.
    pub term: Term,
    /// The paths of the machine code.
    pub paths: Vec<Path>,
    /// The guest's registers at the start.
    pub registers: [Term; Reg::COUNT],
    /// The gas at the start.
    pub gas: Term,
    /// Values of loads.
    pub loaded: Vec<Term>,
    /// The guest's side.
    pub meaning: Meaning,
}

/// The guest's side of a case.
pub struct Meaning {
    /// Accesses in their order, each with the registers before it.
    pub accesses: Vec<(Access, [Term; Reg::COUNT])>,
    /// Registers at the end.
    pub registers: [Term; Reg::COUNT],
    /// Registers written by it.
    pub written: Vec<Reg>,
    /// Control flow.
    pub flow: Flow,
    /// Whether control reaches the trap behind the instructions.
    pub falls_through: bool,
}

/// Width of registers.
fn width(program: &Compiled) -> u32 {
    if program.mode.isa.is_64_bit() { 64 } else { 32 }
}

/// Makes a machine state before a block, and the guest's registers in it.
pub fn start(terms: &Terms, width: u32) -> (State, [Term; Reg::COUNT]) {
    let mut state = paths::guest_state(terms);
    let registers = Reg::ALL.map(|reg| {
        let native = NATIVE_REGS[reg as usize] as usize;
        if width == 32 {
            // The upper halves of a 32-bit program's registers are clear.
            let low = terms.variable(32, format!("{reg:?}"));
            state.registers[native] = terms.zext(low, 64);
            low
        } else {
            state.registers[native]
        }
    });
    (state, registers)
}

impl Rule<'_> {
    /// States the claim.
    ///
    /// # Errors
    /// If the machine code violates a general rule.
    pub fn claim(&self, t: &Terms) -> Result<Claim, Stuck> {
        let width = width(self.program);
        let (state, registers) = start(t, width);
        let gas = state.registers[NATIVE_GAS as usize];
        let loaded: Vec<Term> = (0..self.instructions.len()).map(|at| t.variable(64, format!("loaded {at}"))).collect();
        let meaning = self.meaning(t, width, &registers, &loaded);
        let block = self.program.starts[self.case];
        let ip = if self.program.mode.steps { block + CALL } else { block };
        let mut behind_charge = ip;
        if self.program.mode.metered {
            for _ in 0..CHARGE {
                behind_charge = self.program.image().decode(behind_charge)?.next_ip();
            }
        }
        let setup = Setup {
            image: self.program.image(),
            fields: self.fields,
            blocks: &self.program.blocks,
            loaded: &loaded,
            forget_at: Some(behind_charge),
        };
        // An instruction without code of its own: its block is where the next one is.
        let is_empty = self.program.extent(self.case).0 == self.program.extent(self.case).1;
        let paths = if is_empty { vec![paths::none(block, state)] } else { paths::explore(t, &setup, ip, state)? };
        let side = Side { t, rule: self, registers: &registers, gas, meaning: &meaning };
        let term = t.all(paths.iter().map(|path| side.path(path)));
        Ok(Claim { term, paths, registers, gas, loaded, meaning })
    }

    fn meaning(&self, t: &Terms, width: u32, registers: &[Term; Reg::COUNT], loaded: &[Term]) -> Meaning {
        let mut meaning =
            Meaning { accesses: vec![], registers: *registers, written: vec![], flow: Flow::Trap, falls_through: true };
        for (instruction, immediates) in self.instructions.iter().zip(self.immediates) {
            let before = meaning.registers;
            let found = loaded.get(meaning.accesses.len()).copied();
            let load = |bits: u32| found.map_or_else(|| t.constant(bits, 0), |found| t.low(found, bits));
            let Effect { registers, written, access, flow } =
                guest::step(t, width, instruction, *immediates, &before, load);
            meaning.accesses.extend(access.map(|access| (access, before)));
            meaning.written.extend(written);
            meaning.registers = registers;
            if flow != Flow::Next || instruction.opcode.spec().ends_block {
                (meaning.flow, meaning.falls_through) = (flow, false);
                break;
            }
        }
        meaning
    }

    /// True if its last instruction traps because it has no valid target.
    fn leads_nowhere(&self) -> bool {
        let last = self.instructions.last();
        self.target == Target::Invalid && last.is_some_and(|last| last.format().has_target())
    }
}

/// Both sides of the comparison.
struct Side<'a> {
    t: &'a Terms,
    rule: &'a Rule<'a>,
    registers: &'a [Term; Reg::COUNT],
    gas: Term,
    meaning: &'a Meaning,
}

fn reg_offset(reg: Reg) -> u64 {
    (offset_of!(Control, regs) + 8 * reg as usize) as u64
}

impl Side<'_> {
    /// States that `path`'s conditions imply all postconditions.
    fn path(&self, path: &Path) -> Term {
        let t = self.t;
        let faults = t.all(path.faults.iter().map(|fault| t.not(*fault)));
        let ends = match path.end {
            End::Left => self.left(path),
            End::Block(target) => self.arrived(path, target),
            End::Indirect(target) => self.jumped(path, target),
        };
        let condition = t.all(path.conditions.iter().copied());
        let implied = t.or(t.not(condition), t.all([faults, ends]));
        // Also on mispredicted paths.
        let bounds = path.entries.iter().map(|(address, _)| self.in_table(*address));
        t.all(bounds.chain([implied]))
    }

    fn in_table(&self, address: Term) -> Term {
        let t = self.t;
        let index = t.sub(address, t.c64(CODE_BASE));
        t.and(t.ult(index, t.c64(self.rule.program.image().table)), t.eq_value(t.low(index, 3), 0))
    }

    fn cost(&self) -> Term {
        self.t.c64(self.rule.program.costs[self.rule.case].into())
    }

    /// Returns the gas after the charge, and whether there was enough.
    fn charge(&self) -> (Term, Term) {
        if !self.rule.program.mode.metered {
            return (self.gas, self.t.bool(true));
        }
        (self.t.sub(self.gas, self.cost()), self.t.not(self.t.slt(self.gas, self.cost())))
    }

    /// Returns a guest's register as represented in a native one.
    fn native(&self, value: Term) -> Term {
        self.t.zext(value, 64)
    }

    /// As `==`, but an equality that is syntactically true is left to the solvers if the instruction is about it.
    fn same(&self, reg: Reg, machine: Term, guest: Term) -> Term {
        let guest = self.native(guest);
        if self.meaning.written.contains(&reg) { self.t.equation(machine, guest) } else { self.t.eq(machine, guest) }
    }

    fn same_registers(&self, native: &[Term; 16], guest: &[Term; Reg::COUNT]) -> Term {
        let pairs = Reg::ALL
            .iter()
            .map(|reg| self.same(*reg, native[NATIVE_REGS[*reg as usize] as usize], guest[*reg as usize]));
        self.t.all(pairs)
    }

    fn events(&self, path: &Path) -> Term {
        let t = self.t;
        if path.events.len() != self.meaning.accesses.len() {
            return t.bool(false);
        }
        let all = path.events.iter().zip(&self.meaning.accesses).map(|(event, (access, before))| {
            let value = match (event.stored, access.stored) {
                (Some(machine), Some(guest)) if event.width == access.width => t.equation(machine, guest),
                (None, None) if event.width == access.width => t.bool(true),
                _ => t.bool(false),
            };
            let window = t.ult(event.address, t.c64(GUEST_END));
            let address = t.equation(event.address, t.zext(access.address, 64));
            let (left, _) = self.charge();
            let gas = t.eq(event.registers[NATIVE_GAS as usize], left);
            let pairs = Reg::ALL.iter().map(|reg| {
                t.eq(event.registers[NATIVE_REGS[*reg as usize] as usize], self.native(before[*reg as usize]))
            });
            t.all([value, window, address, gas, t.all(pairs)])
        });
        t.all(all)
    }

    /// States the conditions for a path that left guest code, from the control page.
    fn left(&self, path: &Path) -> Term {
        let t = self.t;
        let word = |offset: usize| path.written.get(&(offset as u64)).copied();
        let words = [
            word(offset_of!(Control, exit)),
            word(offset_of!(Control, native_pc)),
            word(offset_of!(Control, detail)),
            word(offset_of!(Control, gas)),
        ];
        let [Some(exit), Some(native_pc), Some(detail), Some(gas)] = words else { return t.bool(false) };
        let (Some(exit), Some(native_pc)) = (t.value(exit), t.value(native_pc)) else { return t.bool(false) };
        // Nothing else in the control page changes.
        if path.written.len() != 4 + Reg::COUNT {
            return t.bool(false);
        }
        let saved = |guest: &[Term; Reg::COUNT]| {
            let pairs = Reg::ALL.iter().map(|reg| match path.written.get(&reg_offset(*reg)) {
                Some(word) => self.same(*reg, *word, guest[*reg as usize]),
                None => t.bool(false),
            });
            t.all(pairs)
        };
        let stack = path.read.get(&(offset_of!(Control, worker_stack) as u64));
        let stack = stack.map_or(t.bool(false), |stack| t.eq(path.state.registers[RSP], t.add(*stack, t.c64(8))));
        let (rest, enough) = self.charge();
        let gas = t.eq(gas, rest);
        let here = self.rule.program.extent(self.rule.case);
        let in_block = t.bool((here.0 + 1..=here.1).contains(&(native_pc as u64)));
        let reason = match exit as u32 {
            protocol::EXIT_OUT_OF_GAS => {
                let nothing = t.bool(path.events.is_empty());
                // The order of the stubs identifies the block.
                let stub = t.bool(native_pc as u64 == self.stub());
                return t.all([t.not(enough), nothing, stub, saved(self.registers), gas, stack]);
            }
            protocol::EXIT_TRAP => t.and(in_block, t.bool(self.traps())),
            // In single-step mode a stop comes before the trap behind the instructions.
            protocol::EXIT_STEP => t.and(in_block, t.bool(self.steps() && self.meaning.falls_through)),
            protocol::EXIT_HOST_CALL => match self.meaning.flow {
                Flow::HostCall(number) => t.and(in_block, t.equation(detail, t.zext(number, 64))),
                _ => t.bool(false),
            },
            protocol::EXIT_SBRK => t.and(in_block, t.bool(self.meaning.flow == Flow::Sbrk)),
            protocol::EXIT_MEMSET => t.and(in_block, t.bool(self.meaning.flow == Flow::Memset)),
            protocol::EXIT_JUMP => match self.meaning.flow {
                Flow::Dynamic(address) => self.no_entry(path, address, t.low(detail, 32)),
                _ => t.bool(false),
            },
            _ => t.bool(false),
        };
        t.all([enough, reason, saved(&self.meaning.registers), gas, stack, self.events(path)])
    }

    fn traps(&self) -> bool {
        let stops_before = self.steps() && self.meaning.falls_through;
        self.meaning.flow == Flow::Trap && !stops_before || self.rule.leads_nowhere()
    }

    fn steps(&self) -> bool {
        self.rule.program.mode.steps
    }

    /// Return address of the stub of the case's block: stubs are calls, one per block, in order, behind the last block.
    /// One block is before the cases.
    fn stub(&self) -> u64 {
        let program = self.rule.program;
        program.stubs() + CALL * (self.rule.case as u64 + 2)
    }

    /// States the conditions for a path that reached a block.
    fn arrived(&self, path: &Path, target: u64) -> Term {
        let t = self.t;
        let program = self.rule.program;
        let behind = program.starts.get(self.rule.case + 1).copied().filter(|next| *next == target).is_some();
        let wanted = match self.rule.target {
            Target::Back => program.back,
            Target::Forward => program.starts.last().copied().unwrap_or(0),
            Target::Invalid => 0,
        };
        let no = t.bool(false);
        let taken = match self.meaning.flow {
            _ if self.rule.leads_nowhere() => no,
            Flow::Next => t.bool(behind),
            Flow::Branch(condition) => {
                let there = if target == wanted { condition } else { no };
                let here = if behind { t.not(condition) } else { no };
                t.or(there, here)
            }
            _ => no,
        };
        self.inside(path, taken, self.refund())
    }

    /// Refund of a conditional branch: given when it goes the likely way, which is backwards here, as no side is marked
    /// as rare.
    fn refund(&self) -> Term {
        let t = self.t;
        let none = t.c64(0);
        let last = self.rule.instructions.last();
        match self.meaning.flow {
            Flow::Branch(condition) if last.is_some_and(|last| last.opcode.spec().can_fall_through) => {
                let is_likely = t.eq(condition, t.bool(self.rule.target == Target::Back));
                t.ite(is_likely, t.c64(self.rule.program.mode.refund().into()), none)
            }
            _ => none,
        }
    }

    /// States the conditions for a path that stays in guest code; its destination is right if `right` is 1.
    fn inside(&self, path: &Path, right: Term, refund: Term) -> Term {
        let t = self.t;
        let (rest, enough) = self.charge();
        let rest = t.add(rest, refund);
        let gas = t.eq(path.state.registers[NATIVE_GAS as usize], rest);
        let stack = t.eq(path.state.registers[RSP], t.c64(STACK_TOP));
        let untouched = t.bool(path.written.is_empty() && path.read.is_empty());
        let registers = self.same_registers(&path.state.registers, &self.meaning.registers);
        t.all([enough, right, gas, stack, untouched, registers, self.events(path)])
    }

    /// Returns whether a guest address refers to an entry of the jump table, and the entry's address.
    fn entry(&self, address: Term) -> (Term, Term) {
        let t = self.t;
        let even = t.not(t.low(address, 1));
        let index = t.sub(t.lshr(address, t.constant(32, 1)), t.constant(32, 1));
        let some = t.not(t.eq_value(address, 0));
        let within = t.ult(index, t.constant(32, self.rule.program.entries.into()));
        let place = t.add(t.c64(CODE_BASE), t.shl(t.zext(index, 64), t.c64(3)));
        (t.all([even, some, within]), place)
    }

    /// States the conditions for a dynamic jump that stays in guest code, to `target`.
    fn jumped(&self, path: &Path, target: Term) -> Term {
        let t = self.t;
        let (Flow::Dynamic(address), [(place, entry)]) = (self.meaning.flow, path.entries.as_slice()) else {
            return t.bool(false);
        };
        let (valid, wanted) = self.entry(address);
        let right = t.all([valid, t.equation(*place, wanted), t.eq(target, *entry)]);
        // An entry for an invalid target is zero, and must not be jumped to.
        let some = match self.rule.program.mode.bad_entry {
            true => t.not(t.eq_value(*entry, 0)),
            false => t.bool(true),
        };
        self.inside(path, t.and(right, some), t.c64(0))
    }

    /// States the conditions for a dynamic jump that left guest code: there is no entry, or it is zero. The host
    /// distinguishes a return by the value of the scratch register.
    fn no_entry(&self, path: &Path, address: Term, scratch: Term) -> Term {
        let t = self.t;
        let (valid, wanted) = self.entry(address);
        let none = match path.entries.as_slice() {
            [] => t.not(valid),
            [(place, entry)] => t.all([valid, t.equation(*place, wanted), t.eq_value(*entry, 0)]),
            _ => t.bool(false),
        };
        let jumped = t.add(t.rotate_left(scratch, t.constant(32, 1)), t.constant(32, 2));
        let says = t.equation(t.eq_value(jumped, RETURN.into()), t.eq_value(address, RETURN.into()));
        t.and(none, says)
    }
}

/// The rule of the routine that enters guest code: registers, gas and pc come from the control page, and the worker's own
/// stack pointer is kept there.
///
/// # Errors
/// If the machine code violates a general rule.
pub fn enter(t: &Terms, program: &Compiled) -> Result<Term, Stuck> {
    let state = State::unknown(t);
    let fields = Fields::default();
    let setup = program.setup(&fields);
    let paths = paths::explore(t, &setup, program.enter(), state.clone())?;
    let claims = paths.iter().map(|path| {
        let read = |offset: u64| path.read.get(&offset).copied();
        let is = |machine: Term, offset: u64| read(offset).map_or(t.bool(false), |word| t.equation(machine, word));
        let End::Indirect(target) = path.end else { return t.bool(false) };
        let registers =
            Reg::ALL.iter().map(|reg| is(path.state.registers[NATIVE_REGS[*reg as usize] as usize], reg_offset(*reg)));
        let stack = path.written.get(&(offset_of!(Control, worker_stack) as u64));
        let kept = stack.map_or(t.bool(false), |word| t.equation(*word, state.registers[RSP]));
        t.all([
            t.all(registers),
            is(target, offset_of!(Control, native_pc) as u64),
            is(path.state.registers[NATIVE_GAS as usize], offset_of!(Control, gas) as u64),
            kept,
            t.eq(path.state.registers[RSP], t.c64(STACK_TOP)),
            t.bool(path.written.len() == 1 && path.events.is_empty() && path.entries.is_empty()),
        ])
    });
    let all = t.all(claims);
    Ok(t.and(all, t.bool(!paths.is_empty())))
}

/// The rule of a stop before an instruction: all registers and the gas unchanged, and the resume address.
///
/// # Errors
/// If the machine code violates a general rule.
pub fn stop(t: &Terms, program: &Compiled, case: usize) -> Result<Term, Stuck> {
    let width = width(program);
    let (state, registers) = start(t, width);
    let fields = Fields::default();
    let setup = program.setup(&fields);
    let block = program.starts[case];
    let paths = paths::explore(t, &setup, block, state.clone())?;
    let claims = paths.iter().map(|path| {
        let is = |offset: u64, value: Term| {
            path.written.get(&offset).map_or(t.bool(false), |word| match t.width(*word) == t.width(value) {
                true => t.equation(*word, value),
                false => t.bool(false),
            })
        };
        let saved = Reg::ALL.iter().map(|reg| is(reg_offset(*reg), t.zext(registers[*reg as usize], 64)));
        t.all([
            t.bool(matches!(path.end, End::Left) && path.conditions.is_empty() && path.events.is_empty()),
            t.all(saved),
            is(offset_of!(Control, exit) as u64, t.constant(32, protocol::EXIT_STEP.into())),
            is(offset_of!(Control, native_pc) as u64, t.c64(block + CALL)),
            is(offset_of!(Control, gas) as u64, state.registers[NATIVE_GAS as usize]),
            is(offset_of!(Control, detail) as u64, state.registers[NATIVE_SCRATCH as usize]),
        ])
    });
    let all = t.all(claims);
    Ok(t.and(all, t.bool(!paths.is_empty())))
}
