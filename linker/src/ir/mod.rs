//! Intermediate representation: a control-flow graph over the machine's registers.
//!
//! The compiler has already allocated registers, and well; so the graph works on those 13, with a few temporaries that
//! some expansions need and that `emit::temporaries` maps back. Addresses stay symbolic until the end: [`Imm::Data`] is
//! resolved by `emit::data`, [`Imm::Code`] by `emit::code`; so passes are free to drop and move data and code.
//!
//! Registers hold 64-bit numbers; in a 32-bit program these are sign-extended 32-bit ones. Operations are named by the
//! VM's opcode in its register form, whatever their operands are; `emit::select` finds the form to encode.

mod constructors;
mod eval;
pub(crate) mod lift;
#[cfg(test)]
pub(crate) mod parse;
mod show;

pub use eval::{binary, condition, narrow, unary};
pub use lift::{Lifted, lift};

use crate::elf::{Field, Import, SectionKind, SectionOffset};
use std::fmt;
use vm_core::isa::{Opcode, Reg};

/// Variable: a register or a temporary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(u8);

impl Var {
    /// Number of variables.
    pub const COUNT: usize = Reg::COUNT + 4;
    /// Return address.
    pub const RA: Var = Var::of(Reg::RA);
    /// Stack pointer.
    pub const SP: Var = Var::of(Reg::SP);
    /// The alternative link register, which millicode uses.
    pub const T0: Var = Var::of(Reg::T0);
    /// The first argument and result.
    pub const A0: Var = Var::of(Reg::A0);
    /// The second argument and result.
    pub const A1: Var = Var::of(Reg::A1);

    /// A register.
    pub const fn of(reg: Reg) -> Var {
        Var(reg as u8)
    }

    /// A temporary, numbered from 0 to 3.
    pub const fn temporary(index: u8) -> Var {
        Var(Reg::COUNT as u8 + (index & 3))
    }

    /// The register; `None` for a temporary.
    pub fn reg(self) -> Option<Reg> {
        Reg::ALL.get(self.0 as usize).copied()
    }

    /// Its number, below [`Var::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All variables.
    pub fn all() -> impl Iterator<Item = Var> {
        (0..Var::COUNT as u8).map(Var)
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reg() {
            Some(reg) => f.write_str(reg.name()),
            None => write!(f, "e{}", self.0 as usize - Reg::COUNT),
        }
    }
}

/// A set of variables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Vars(u32);

impl Vars {
    /// The empty set.
    pub const NONE: Vars = Vars(0);
    /// All registers. Temporaries are never live across blocks.
    pub const ALL: Vars = Vars((1 << Reg::COUNT) - 1);
    /// Callee-saved registers: the stack pointer, s0 and s1.
    pub const PRESERVED: Vars = Vars(1 << Reg::SP as u32 | 1 << Reg::S0 as u32 | 1 << Reg::S1 as u32);
    /// Result registers.
    pub const RESULTS: Vars = Vars(1 << Reg::A0 as u32 | 1 << Reg::A1 as u32);
    /// The temporaries.
    pub const fn all_temporaries() -> Vars {
        Vars(((1 << Var::COUNT) - 1) & !Vars::ALL.0)
    }

    /// The set with one element.
    pub const fn one(var: Var) -> Vars {
        Vars(1 << var.0)
    }

    /// True if it contains `var`.
    pub const fn has(self, var: Var) -> bool {
        self.0 >> var.0 & 1 != 0
    }

    /// Union with `other`.
    pub const fn or(self, other: Vars) -> Vars {
        Vars(self.0 | other.0)
    }

    /// Intersection with `other`.
    pub const fn and(self, other: Vars) -> Vars {
        Vars(self.0 & other.0)
    }

    /// Difference: without the elements of `other`.
    pub const fn without(self, other: Vars) -> Vars {
        Vars(self.0 & !other.0)
    }

    /// Adds an element.
    pub fn insert(&mut self, var: Var) {
        self.0 |= 1 << var.0;
    }

    /// True if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the variables.
    pub fn iter(self) -> impl Iterator<Item = Var> {
        Var::all().filter(move |var| self.has(*var))
    }
}

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Var> for Vars {
    fn from_iter<I: IntoIterator<Item = Var>>(iter: I) -> Vars {
        let mut out = Vars::NONE;
        iter.into_iter().for_each(|var| out.insert(var));
        out
    }
}

/// A block's index in [`IrProgram::blocks`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockId(pub u32);

/// Part of an address that an instruction holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The whole address.
    Full,
    /// The upper 20, rounded so that the lower 12, which are signed, can be added.
    High,
    /// The lower 12, signed.
    Low,
}

/// A constant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Imm {
    /// A number.
    Num(i64),
    /// An address in data.
    Data {
        /// Index of the section.
        section: u32,
        /// The part of the address.
        part: Part,
        /// Bytes from the section's start.
        offset: i64,
    },
    /// The address that a jump to a block takes (docs/spec/execution.md#dynamic-jumps).
    Code {
        /// The block.
        block: BlockId,
        /// The part of the address.
        part: Part,
    },
    /// Start address of the heap.
    HeapBase,
}

impl Imm {
    /// The number 0.
    pub const ZERO: Imm = Imm::Num(0);

    /// The number, if it is one.
    pub const fn number(self) -> Option<i64> {
        match self {
            Imm::Num(value) => Some(value),
            _ => None,
        }
    }

    /// Adds a number, if the result is still a constant.
    pub fn plus(self, number: i64) -> Option<Imm> {
        match self {
            _ if number == 0 => Some(self),
            Imm::Num(value) => Some(Imm::Num(value.wrapping_add(number))),
            Imm::Data { section, part: Part::Full, offset } => {
                // Far from any section a sum is no longer an address, and its high bits would matter.
                let offset = offset.checked_add(number).filter(|offset| offset.unsigned_abs() < 1 << 30)?;
                Some(Imm::Data { section, part: Part::Full, offset })
            }
            _ => None,
        }
    }
}

/// An operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Val {
    /// A register.
    Var(Var),
    /// A constant.
    Imm(Imm),
}

impl Val {
    /// The register, if it is one.
    pub const fn var(self) -> Option<Var> {
        match self {
            Val::Var(var) => Some(var),
            Val::Imm(_) => None,
        }
    }

    /// The constant, if it is one.
    pub const fn imm(self) -> Option<Imm> {
        match self {
            Val::Var(_) => None,
            Val::Imm(imm) => Some(imm),
        }
    }

    /// The constant, if it is one, mutable.
    pub const fn imm_mut(&mut self) -> Option<&mut Imm> {
        match self {
            Val::Var(_) => None,
            Val::Imm(imm) => Some(imm),
        }
    }

    /// The number, if it is one.
    pub const fn number(self) -> Option<i64> {
        match self {
            Val::Imm(imm) => imm.number(),
            Val::Var(_) => None,
        }
    }
}

impl From<Var> for Val {
    fn from(var: Var) -> Val {
        Val::Var(var)
    }
}

impl From<Imm> for Val {
    fn from(imm: Imm) -> Val {
        Val::Imm(imm)
    }
}

/// Address of a load or store: the sum modulo 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// The register part, if there is one.
    pub base: Option<Var>,
    /// The constant part.
    pub offset: Imm,
}

/// An operation.
#[allow(missing_docs, reason = "the variants say what their fields are")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// `dst = value`.
    Const { dst: Var, value: Imm },
    /// `dst = src`.
    Move { dst: Var, src: Var },
    /// `dst = op(a, b)`; the opcode is that of the form with three registers.
    Binary { op: Opcode, dst: Var, a: Val, b: Val },
    /// `dst = op(src)`.
    Unary { op: Opcode, dst: Var, src: Var },
    /// `if (cond == 0) == zero { dst = value }`.
    Cmov { zero: bool, dst: Var, value: Val, cond: Var },
    /// The opcode is `load_indirect_*`.
    Load { op: Opcode, dst: Var, address: Address },
    /// The opcode is `store_indirect_*`.
    Store { op: Opcode, value: Val, address: Address },
    /// Calls a host function, by index in [`IrProgram::imports`].
    HostCall { import: u32 },
    /// Grows the heap.
    Sbrk { dst: Var, size: Var },
    /// Fills memory: a0, a1, a2.
    Memset,
}

/// The terminator of a block.
#[allow(missing_docs, reason = "the variants say what their fields are")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Terminator {
    /// Jumps to a block.
    Jump(BlockId),
    /// Jumps to `then` if the condition holds, else to `otherwise`. The opcode is that of the form with two registers.
    Branch { op: Opcode, a: Val, b: Val, then: BlockId, otherwise: BlockId },
    /// Calls a function that returns to `back`, whose address is put into `link`.
    Call { link: Var, target: BlockId, back: BlockId },
    /// Calls through a pointer.
    CallIndirect { link: Var, base: Var, back: BlockId },
    /// Jumps through a pointer. A jump through ra is a return.
    JumpIndirect { base: Var },
    /// Stops with a trap.
    Trap,
}

impl Terminator {
    /// The blocks that it refers to.
    pub fn targets(&self) -> impl Iterator<Item = BlockId> + use<> {
        let (a, b) = match *self {
            Terminator::Jump(target) => (Some(target), None),
            Terminator::Branch { then, otherwise, .. } => (Some(then), Some(otherwise)),
            Terminator::Call { target, back, .. } => (Some(target), Some(back)),
            Terminator::CallIndirect { back, .. } => (Some(back), None),
            Terminator::JumpIndirect { .. } | Terminator::Trap => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Changes the blocks that it refers to.
    pub fn retarget(&mut self, mut to: impl FnMut(BlockId) -> BlockId) {
        match self {
            Terminator::Jump(target) => *target = to(*target),
            Terminator::Branch { then, otherwise, .. } => {
                *then = to(*then);
                *otherwise = to(*otherwise);
            }
            Terminator::Call { target, back, .. } => {
                *target = to(*target);
                *back = to(*back);
            }
            Terminator::CallIndirect { back, .. } => *back = to(*back),
            Terminator::JumpIndirect { .. } | Terminator::Trap => {}
        }
    }

    /// The registers that it reads itself.
    pub fn reads(&self) -> Vars {
        match *self {
            Terminator::Branch { a, b, .. } => [a, b].into_iter().filter_map(Val::var).collect(),
            Terminator::CallIndirect { base, .. } | Terminator::JumpIndirect { base } => Vars::one(base),
            Terminator::Jump(_) | Terminator::Call { .. } | Terminator::Trap => Vars::NONE,
        }
    }

    /// Its constants.
    pub fn constants(&self) -> impl Iterator<Item = Imm> + use<> {
        let (a, b) = match *self {
            Terminator::Branch { a, b, .. } => (a.imm(), b.imm()),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// The operands, mutable.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Val> {
        let (a, b) = match self {
            Terminator::Branch { a, b, .. } => (Some(a), Some(b)),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }
}

/// Origin of an operation: a section of the ELF file, and an offset in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Origin {
    /// Index of the section.
    pub section: u32,
    /// Offset in the section in bytes.
    pub offset: u32,
}

impl From<Origin> for SectionOffset {
    fn from(origin: Origin) -> SectionOffset {
        SectionOffset { section: origin.section, offset: origin.offset.into() }
    }
}

/// An operation with its origin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// Origin: the instruction it was lifted from.
    pub at: Origin,
}

/// A basic block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Operations, in order.
    pub steps: Vec<Step>,
    /// The terminator.
    pub terminator: Terminator,
    /// Origin of the terminator.
    pub at: Origin,
    /// Assumptions that passes may make about the block.
    pub role: Role,
}

/// Assumptions that passes may make about a block, see `passes::calling_convention`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Role {
    /// The block belongs to a function that violates the calling convention, or is reached from one: it is not
    /// optimized, and nothing is assumed about the registers that it reads and changes.
    pub is_irregular: bool,
    /// Its address is taken, but it is inside of a function, as for a computed goto or a jump table: no function begins
    /// with it.
    pub is_label: bool,
}

impl Block {
    /// Makes a regular block.
    pub fn new(steps: Vec<Step>, terminator: Terminator, at: Origin) -> Block {
        Block { steps, terminator, at, role: Role::default() }
    }
}

/// Fixup: a number in data that depends on addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixup {
    /// Offset in the section.
    pub offset: u64,
    /// Bits that are written.
    pub field: Field,
    /// The value: the first address, minus the second.
    pub value: (Imm, Option<Imm>),
}

impl Fixup {
    /// Number of bytes that it changes.
    pub fn length(&self) -> u64 {
        self.field.length().into()
    }
}

/// A section of data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    /// Kind: constants, variables, or zeros.
    pub kind: SectionKind,
    /// Alignment in bytes, a power of two.
    pub align: u64,
    /// Its first bytes; the rest is zero.
    pub bytes: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
    /// Fixups: values that depend on addresses, by offset.
    pub fixups: Vec<Fixup>,
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IrProgram {
    /// True if registers have 64 bits.
    pub wide: bool,
    /// The code. May include unreachable blocks, which cost nothing.
    pub blocks: Vec<Block>,
    /// Exports: names, entry blocks, and registers that have results.
    pub exports: Vec<(Vec<u8>, BlockId, Vars)>,
    /// The host functions that may be called.
    pub imports: Vec<Import>,
    /// Data by section index of the ELF file.
    pub data: Vec<Option<Data>>,
    /// The order of blocks in the code. Empty until `passes::layout` has run.
    pub order: Vec<BlockId>,
    /// The stack size that the guest requests, in bytes.
    pub min_stack_size: u32,
    /// Functions to be called before any export, until `constructors` has inserted the calls.
    constructors: Vec<BlockId>,
}

impl IrProgram {
    /// Returns a block.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// Returns a block, mutable.
    pub fn block_mut(&mut self, id: BlockId) -> &mut Block {
        &mut self.blocks[id.0 as usize]
    }

    /// Adds a block.
    pub fn add(&mut self, block: Block) -> BlockId {
        self.blocks.push(block);
        BlockId(self.blocks.len() as u32 - 1)
    }

    /// Predecessors of each block: the blocks whose terminators refer to it.
    pub fn predecessors(&self) -> Vec<Vec<BlockId>> {
        let mut out = vec![Vec::new(); self.blocks.len()];
        for id in self.ids() {
            self.block(id).terminator.targets().for_each(|target| out[target.0 as usize].push(id));
        }
        out
    }

    /// Renames blocks everywhere: in exports, terminators, and addresses in code and data.
    pub fn retarget(&mut self, to: impl Fn(BlockId) -> BlockId) {
        let imm = |imm: &mut Imm| {
            if let Imm::Code { block, .. } = imm {
                *block = to(*block);
            }
        };
        self.exports.iter_mut().for_each(|(_, block, _)| *block = to(*block));
        self.constructors.iter_mut().for_each(|block| *block = to(*block));
        for block in &mut self.blocks {
            block.steps.iter_mut().for_each(|step| step.op.constants_mut().for_each(imm));
            block.terminator.retarget(&to);
            block.terminator.values_mut().filter_map(Val::imm_mut).for_each(imm);
        }
        for fixup in self.data.iter_mut().flatten().flat_map(|data| &mut data.fixups) {
            imm(&mut fixup.value.0);
            fixup.value.1.iter_mut().for_each(imm);
        }
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.blocks.len() as u32).map(BlockId)
    }
}

/// Access size of a load or store, in bytes.
pub fn width(op: Opcode) -> i64 {
    match op {
        Opcode::LoadIndirectU8 | Opcode::LoadIndirectI8 | Opcode::StoreIndirectU8 => 1,
        Opcode::LoadIndirectU16 | Opcode::LoadIndirectI16 | Opcode::StoreIndirectU16 => 2,
        Opcode::LoadIndirectU32 | Opcode::LoadIndirectI32 | Opcode::StoreIndirectU32 => 4,
        _ => 8,
    }
}

impl Op {
    /// Operation that copies a value into a register.
    pub const fn copy(dst: Var, value: Val) -> Op {
        match value {
            Val::Var(src) => Op::Move { dst, src },
            Val::Imm(value) => Op::Const { dst, value },
        }
    }

    /// The register that it writes. A host call also writes its results, see [`Op::writes`].
    pub fn dst(mut self) -> Option<Var> {
        self.dst_mut().copied()
    }

    /// The register that it writes, mutable.
    pub fn dst_mut(&mut self) -> Option<&mut Var> {
        match self {
            Op::Const { dst, .. }
            | Op::Move { dst, .. }
            | Op::Binary { dst, .. }
            | Op::Unary { dst, .. }
            | Op::Cmov { dst, .. }
            | Op::Load { dst, .. }
            | Op::Sbrk { dst, .. } => Some(dst),
            Op::Store { .. } | Op::HostCall { .. } | Op::Memset => None,
        }
    }

    /// The registers that are certainly overwritten.
    pub fn writes(&self, imports: &[Import]) -> Vars {
        match *self {
            Op::HostCall { import } => {
                let outputs = imports.get(import as usize).map_or(0, |import| import.outputs);
                [Var::A0, Var::A1].into_iter().take(outputs.into()).collect()
            }
            Op::Memset => [Reg::A0, Reg::A2].into_iter().map(Var::of).collect(),
            _ => self.dst().into_iter().collect(),
        }
    }

    /// The registers whose values may have changed afterwards (docs/linking.md#calling-conventions).
    pub fn clobbers(&self) -> Vars {
        match *self {
            Op::HostCall { .. } => Vars::ALL.without(Vars::PRESERVED).without(Vars::one(Var::RA)),
            Op::Memset => [Reg::A0, Reg::A2].into_iter().map(Var::of).collect(),
            _ => self.dst().into_iter().collect(),
        }
    }

    /// The registers that it reads.
    pub fn reads(&self, imports: &[Import]) -> Vars {
        let of = |values: &[Val]| values.iter().copied().filter_map(Val::var).collect::<Vars>();
        match *self {
            Op::Const { .. } => Vars::NONE,
            Op::Move { src, .. } | Op::Unary { src, .. } => Vars::one(src),
            Op::Binary { a, b, .. } => of(&[a, b]),
            Op::Cmov { dst, value, cond, .. } => of(&[value, dst.into(), cond.into()]),
            Op::Load { address, .. } => address.base.into_iter().collect(),
            Op::Store { value, address, .. } => of(&[value]).or(address.base.into_iter().collect()),
            Op::HostCall { import } => {
                let inputs = imports.get(import as usize).map_or(9, |import| import.inputs);
                Reg::ARGS.into_iter().take(inputs.into()).map(Var::of).collect::<Vars>().or(Vars::one(Var::SP))
            }
            Op::Sbrk { size, .. } => Vars::one(size),
            Op::Memset => [Reg::A0, Reg::A1, Reg::A2].into_iter().map(Var::of).collect(),
        }
    }

    /// True if it can be eliminated when its results are dead. This includes loads, whose faults are then lost
    /// (docs/linking.md#passes).
    pub fn is_pure(&self) -> bool {
        !matches!(self, Op::Store { .. } | Op::HostCall { .. } | Op::Sbrk { .. } | Op::Memset)
    }

    /// True if it may change memory.
    pub fn writes_memory(&self) -> bool {
        matches!(self, Op::Store { .. } | Op::HostCall { .. } | Op::Memset)
    }

    /// True if one of its constants may be a symbol.
    pub fn may_have_symbols(&self) -> bool {
        let symbol = |imm: &Imm| !matches!(imm, Imm::Num(_));
        let value = |value: &Val| matches!(value, Val::Imm(imm) if symbol(imm));
        match self {
            Op::Const { value, .. } => symbol(value),
            Op::Binary { a, b, .. } => value(a) || value(b),
            Op::Cmov { value: moved, .. } => value(moved),
            Op::Load { address, .. } => symbol(&address.offset),
            Op::Store { value: stored, address, .. } => value(stored) || symbol(&address.offset),
            _ => false,
        }
    }

    /// Its constants.
    pub fn constants(&self) -> impl Iterator<Item = Imm> + use<> {
        let (a, b) = match *self {
            Op::Const { value, .. } => (Some(value), None),
            Op::Binary { a, b, .. } => (a.imm(), b.imm()),
            Op::Cmov { value, .. } => (value.imm(), None),
            Op::Load { address, .. } => (Some(address.offset), None),
            Op::Store { value, address, .. } => (value.imm(), Some(address.offset)),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Operands that it reads, mutable, except for those that must stay registers.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Val> {
        let (a, b) = match self {
            Op::Binary { a, b, .. } => (Some(a), Some(b)),
            Op::Cmov { value, .. } | Op::Store { value, .. } => (Some(value), None),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Operands that must be registers, mutable.
    pub fn vars_mut(&mut self) -> impl Iterator<Item = &mut Var> {
        let one = match self {
            Op::Move { src, .. } | Op::Unary { src, .. } => Some(src),
            Op::Cmov { cond, .. } => Some(cond),
            Op::Load { address, .. } | Op::Store { address, .. } => address.base.as_mut(),
            Op::Sbrk { size, .. } => Some(size),
            _ => None,
        };
        one.into_iter()
    }

    /// Its constants, mutable.
    pub fn constants_mut(&mut self) -> impl Iterator<Item = &mut Imm> {
        let (a, b) = match self {
            Op::Const { value, .. } => (Some(value), None),
            Op::Binary { a, b, .. } => (a.imm_mut(), b.imm_mut()),
            Op::Cmov { value, .. } => (value.imm_mut(), None),
            Op::Load { address, .. } => (Some(&mut address.offset), None),
            Op::Store { value, address, .. } => (value.imm_mut(), Some(&mut address.offset)),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }
}
