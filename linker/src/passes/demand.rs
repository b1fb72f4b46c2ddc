//! Demanded bits analysis: the number of low bits of each register that are needed at each point.
//!
//! Like `liveness`, but finer: an address demands 32 bits of its base, a stored byte 8 of the value, and an addition
//! demands of its operands as many bits as are demanded of its sum. A register without demanded bits is dead. Compilers
//! extend indexes to 64 bits before they add them to pointers; here addresses have 32 bits, so the extension is dead.

use crate::ir::{Address, BlockId, IrProgram, Op, Step, Terminator, Val, Var, Vars, width as bytes};
use vm_core::isa::Opcode as O;

/// All bits of a register.
pub const FULL: u8 = 64;

/// Demanded bits of each register, rounded up to 8, 16, 32 or all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bits([u8; Var::COUNT]);

impl Bits {
    /// No bits.
    pub const NONE: Bits = Bits([0; Var::COUNT]);

    /// All bits of `vars` are demanded.
    pub fn all_of(vars: Vars) -> Bits {
        let mut out = Bits::NONE;
        vars.iter().for_each(|var| out.0[var.index()] = FULL);
        out
    }

    /// Demanded bits of one variable.
    pub fn of(&self, var: Var) -> u8 {
        self.0[var.index()]
    }

    fn add(&mut self, var: Var, bits: u8) {
        let slot = &mut self.0[var.index()];
        *slot = (*slot).max(round(bits));
    }

    fn add_value(&mut self, value: Val, bits: u8) {
        if let Val::Var(var) = value {
            self.add(var, bits);
        }
    }

    fn clear(&mut self, vars: Vars) {
        vars.iter().for_each(|var| self.0[var.index()] = 0);
    }

    fn only(&self, vars: Vars) -> Bits {
        let mut out = *self;
        out.clear(Vars::ALL.without(vars));
        out
    }

    fn join(&mut self, other: &Bits) {
        for (mine, other) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(other);
        }
    }
}

const fn round(bits: u8) -> u8 {
    match bits {
        0 => 0,
        1..=8 => 8,
        9..=16 => 16,
        17..=32 => 32,
        _ => FULL,
    }
}

/// Number of bits up to the highest one set; all for a negative number.
fn width(mask: i64) -> u8 {
    (64 - mask.leading_zeros()) as u8
}

/// Backward transfer function of one operation: from the bits demanded after it to those demanded before it.
pub fn step(bits: &mut Bits, op: &Op, program: &IrProgram) {
    let needed = op.dst().map_or(FULL, |dst| bits.of(dst));
    if needed == 0 && op.is_pure() {
        return;
    }
    let keep = matches!(op, Op::Cmov { .. });
    if !keep {
        bits.clear(op.writes(&program.imports));
    }
    match *op {
        Op::Const { .. } => {}
        Op::Move { src, .. } => bits.add(src, needed),
        Op::Binary { op, a, b, .. } => {
            let (of_a, of_b) = operands(op, a, b, needed);
            bits.add_value(a, of_a);
            bits.add_value(b, of_b);
        }
        Op::Unary { op, src, .. } => bits.add(
            src,
            match op {
                O::CountLeadingZeroBits32 | O::CountTrailingZeroBits32 | O::CountSetBits32 => 32,
                O::SignExtend8 => 8,
                O::SignExtend16 | O::ZeroExtend16 => needed.min(16),
                _ => FULL,
            },
        ),
        Op::Cmov { value, cond, .. } => {
            bits.add_value(value, needed);
            bits.add(cond, FULL);
        }
        Op::Load { address: Address { base, .. }, .. } => base.into_iter().for_each(|base| bits.add(base, 32)),
        Op::Store { op, value, address: Address { base, .. } } => {
            base.into_iter().for_each(|base| bits.add(base, 32));
            bits.add_value(value, 8 * bytes(op) as u8);
        }
        Op::HostCall { .. } | Op::Memset => op.reads(&program.imports).iter().for_each(|var| bits.add(var, FULL)),
        Op::Sbrk { size, .. } => bits.add(size, FULL),
    }
}

/// Demanded bits of the operands, given that `needed` bits of the result are.
fn operands(op: O, a: Val, b: Val, needed: u8) -> (u8, u8) {
    let word = needed.min(32);
    // Only the low 5 or 6 bits of a shift amount count.
    const AMOUNT: u8 = 8;
    match op {
        O::And => {
            let mask = |value: Val| value.number().map_or(FULL, width);
            (needed.min(mask(b)), needed.min(mask(a)))
        }
        O::Add64 | O::Sub64 | O::Mul64 | O::Or | O::Xor | O::Xnor | O::AndInverted | O::OrInverted => (needed, needed),
        O::Add32 | O::Sub32 | O::Mul32 => (word, word),
        O::ShiftLogicalLeft64 => (needed, AMOUNT),
        O::ShiftLogicalLeft32 => (word, AMOUNT),
        O::ShiftLogicalRight64 => match b.number() {
            Some(by) if needed <= 32 => (needed.saturating_add(by as u8 & 63), AMOUNT),
            _ => (FULL, AMOUNT),
        },
        O::ShiftLogicalRight32 | O::ShiftArithmeticRight32 => match b.number() {
            Some(by) => (needed.saturating_add(by as u8 & 31).min(32), AMOUNT),
            _ => (32, AMOUNT),
        },
        O::RotateLeft32 | O::RotateRight32 => (32, AMOUNT),
        O::ShiftArithmeticRight64 | O::RotateLeft64 | O::RotateRight64 => (FULL, AMOUNT),
        O::DivUnsigned32 | O::DivSigned32 | O::RemUnsigned32 | O::RemSigned32 => (32, 32),
        _ => (FULL, FULL),
    }
}

/// Demanded bits at the start of each block.
pub struct Demand {
    entry: Vec<Bits>,
    /// Demanded bits of result registers at a function's return, by block.
    results: Vec<Bits>,
}

impl Demand {
    /// Analyses a program. At a return, callee-saved registers are demanded (docs/linking.md#calling-conventions), and
    /// those bits of the result registers that some caller of the function reads.
    pub fn of(program: &IrProgram) -> Demand {
        let count = program.blocks.len();
        let mut demand = Demand { entry: vec![Bits::NONE; count], results: vec![Bits::NONE; count] };
        let predecessors = program.predecessors();
        let outside = super::liveness::Reachable::of(program).addressed;
        for (_, block, results) in &program.exports {
            demand.results[block.0 as usize].join(&Bits::all_of(*results));
        }
        for (index, _) in outside.iter().enumerate().filter(|(_, known)| **known) {
            demand.results[index].join(&Bits::all_of(Vars::RESULTS));
        }
        // Callers' demands of results depend on the demands after calls, and vice versa.
        let mut pending: Vec<BlockId> = program.ids().collect();
        loop {
            demand.backwards(program, &predecessors, pending);
            pending = demand.forwards(program);
            if pending.is_empty() {
                return demand;
            }
        }
    }

    fn backwards(&mut self, program: &IrProgram, predecessors: &[Vec<BlockId>], mut pending: Vec<BlockId>) {
        let mut queued = vec![false; program.blocks.len()];
        pending.iter().for_each(|id| queued[id.0 as usize] = true);
        while let Some(id) = pending.pop() {
            let index = id.0 as usize;
            queued[index] = false;
            let bits = self.at_start(program, id);
            if bits != self.entry[index] {
                self.entry[index] = bits;
                for predecessor in &predecessors[index] {
                    if !std::mem::replace(&mut queued[predecessor.0 as usize], true) {
                        pending.push(*predecessor);
                    }
                }
            }
        }
    }

    /// Propagates demands of results from callers to returns. Returns the blocks whose demands have changed.
    fn forwards(&mut self, program: &IrProgram) -> Vec<BlockId> {
        let mut pending: Vec<BlockId> = program.ids().collect();
        let mut queued = vec![true; program.blocks.len()];
        while let Some(id) = pending.pop() {
            queued[id.0 as usize] = false;
            let own = self.results[id.0 as usize];
            let mut give = |target: BlockId, bits: &Bits| {
                let slot = &mut self.results[target.0 as usize];
                let before = *slot;
                slot.join(bits);
                if *slot != before && !std::mem::replace(&mut queued[target.0 as usize], true) {
                    pending.push(target);
                }
            };
            match program.block(id).terminator {
                Terminator::Call { target, back, .. } => {
                    let needed = self.entry[back.0 as usize].only(Vars::RESULTS);
                    give(target, &needed);
                    give(back, &own);
                }
                Terminator::CallIndirect { back, .. } => give(back, &own),
                terminator => terminator.targets().for_each(|target| give(target, &own)),
            }
        }
        let returns =
            program.ids().filter(|id| matches!(program.block(*id).terminator, Terminator::JumpIndirect { .. }));
        returns.filter(|id| self.at_start(program, *id) != self.entry[id.0 as usize]).collect()
    }

    /// Demanded bits at the start of a block, computed from those of its successors.
    fn at_start(&self, program: &IrProgram, id: BlockId) -> Bits {
        if program.block(id).role.is_irregular {
            return Bits::all_of(Vars::ALL);
        }
        let mut bits = self.before_end(program, id);
        program.block(id).steps.iter().rev().for_each(|one| step(&mut bits, &one.op, program));
        bits
    }

    /// Demanded bits after each step of a block.
    pub fn after_steps(&self, program: &IrProgram, id: BlockId) -> Vec<Bits> {
        let mut bits = self.before_end(program, id);
        let back = |one: &Step| {
            let after = bits;
            step(&mut bits, &one.op, program);
            after
        };
        let mut out: Vec<Bits> = program.block(id).steps.iter().rev().map(back).collect();
        out.reverse();
        out
    }

    /// Demanded bits before a block's terminator.
    pub fn before_end(&self, program: &IrProgram, id: BlockId) -> Bits {
        let of = |id: BlockId| self.entry[id.0 as usize];
        let terminator = &program.block(id).terminator;
        let mut bits = match *terminator {
            Terminator::Jump(target) => of(target),
            Terminator::Branch { then, otherwise, .. } => {
                let mut bits = of(then);
                bits.join(&of(otherwise));
                bits
            }
            Terminator::Call { link, target, back } if link == Var::RA => {
                let mut bits = of(target);
                bits.join(&of(back));
                bits.clear(Vars::one(link));
                bits
            }
            Terminator::Call { .. } | Terminator::CallIndirect { .. } => Bits::all_of(Vars::ALL),
            Terminator::JumpIndirect { base } if base == Var::RA => {
                let mut bits = Bits::all_of(Vars::PRESERVED);
                bits.join(&self.results[id.0 as usize]);
                bits
            }
            Terminator::JumpIndirect { .. } => Bits::all_of(Vars::ALL),
            Terminator::Trap => Bits::NONE,
        };
        match *terminator {
            Terminator::CallIndirect { link, base, .. } => {
                bits.clear(Vars::one(link));
                bits.add(base, 32);
            }
            Terminator::Call { link, .. } => bits.clear(Vars::one(link)),
            _ => terminator.reads().iter().for_each(|var| bits.add(var, FULL)),
        }
        bits
    }
}
