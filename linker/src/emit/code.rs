//! Code emission: the list of instructions, the jump table, and their offsets.
//!
//! Blocks are emitted in the program's order. A branch target must follow an instruction that ends a block
//! (docs/spec/encoding.md#blocks-and-targets); where there is none, a `fallthrough` is inserted.

use super::data::Layout;
use super::select::{Selector, opposite};
use crate::LinkError;
use crate::elf::Image;
use crate::hash::Map;
use crate::ir::{BlockId, Imm, IrProgram, Op, Origin, Part, Terminator, lift::high};
use vm_core::isa::{Instruction, Isa, Opcode as O, assemble};
use vm_core::limits::BASIC_BLOCK_INSTRUCTIONS;

/// The jump table: the blocks whose address is taken, by address (docs/spec/execution.md#dynamic-jumps).
pub struct JumpTable {
    entries: Vec<BlockId>,
    addresses: Map<BlockId, u32>,
}

impl JumpTable {
    /// Builds the jump table of a program. Entries that code refers to come first, the most frequent ones first: small
    /// numbers give short instructions.
    pub fn new(program: &IrProgram) -> JumpTable {
        let mut uses: Map<BlockId, (u32, u32)> = Map::default();
        let mut order = Vec::new();
        let mut note = |imm: Imm, by_code: bool| {
            if let Imm::Code { block, .. } = imm {
                let entry = uses.entry(block).or_insert_with(|| {
                    order.push(block);
                    (0, order.len() as u32)
                });
                entry.0 += u32::from(by_code);
            }
        };
        for id in &program.order {
            let block = program.block(*id);
            let constants = block.steps.iter().flat_map(|step| step.op.constants()).chain(block.terminator.constants());
            constants.for_each(|imm| note(imm, true));
            match block.terminator {
                Terminator::Call { back, .. } | Terminator::CallIndirect { back, .. } => {
                    note(Imm::Code { block: back, part: Part::Full }, true);
                }
                _ => {}
            }
        }
        for fixup in program.data.iter().flatten().flat_map(|data| &data.fixups) {
            note(fixup.value.0, false);
            fixup.value.1.into_iter().for_each(|minus| note(minus, false));
        }
        order.sort_by_key(|block| (std::cmp::Reverse(uses[block].0), uses[block].1));
        let addresses = order.iter().enumerate().map(|(index, block)| (*block, (index as u32 + 1) * 2)).collect();
        JumpTable { entries: order, addresses }
    }

    /// The blocks by their index.
    pub fn entries(&self) -> &[BlockId] {
        &self.entries
    }
}

/// Resolves symbols to numbers.
pub struct Resolver<'a> {
    /// Addresses of data.
    pub layout: &'a Layout,
    /// Addresses of code.
    pub jump_table: &'a JumpTable,
}

impl Resolver<'_> {
    /// Returns the value of a constant.
    pub fn resolve(&self, imm: Imm) -> i64 {
        let (value, part) = match imm {
            Imm::Num(value) => (value, Part::Full),
            Imm::Data { part, .. } => (self.layout.resolve(imm).unwrap_or(0), part),
            Imm::HeapBase => (self.layout.resolve(imm).unwrap_or(0), Part::Full),
            Imm::Code { block, part } => (self.jump_table.addresses.get(&block).copied().unwrap_or(0).into(), part),
        };
        match part {
            Part::Full => value,
            Part::High => high(value),
            Part::Low => value - high(value),
        }
    }
}

/// Instructions whose targets are blocks.
pub struct Listing {
    instructions: Vec<Instruction>,
    origins: Vec<Origin>,
    /// The first instruction of each block.
    starts: Vec<Option<u32>>,
    /// Number of instructions since the last one that ends a basic block of the VM.
    since_start: u32,
}

/// Finished code.
pub struct EmittedCode {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Bitmask of instruction starts.
    pub bitmask: Vec<u8>,
    offsets: Vec<u32>,
    starts: Vec<Option<u32>>,
    origins: Vec<Origin>,
    /// Number of instructions before the first block.
    skipped: usize,
}

/// Lowers a program to a list of instructions.
///
/// # Errors
/// If the instruction set lacks an instruction.
pub fn list(program: &IrProgram, image: &Image, resolver: &Resolver<'_>, isa: Isa) -> Result<Listing, LinkError> {
    let selector = Selector { wide: program.wide, resolve: |imm| resolver.resolve(imm) };
    let mut out = Listing {
        instructions: Vec::new(),
        origins: Vec::new(),
        starts: vec![None; program.blocks.len()],
        since_start: 0,
    };
    let entered = entered(program, resolver.jump_table);
    for (position, id) in program.order.iter().enumerate() {
        let block = program.block(*id);
        let next = program.order.get(position + 1).copied();
        out.starts[id.0 as usize] = Some(out.instructions.len() as u32);
        let mut push = |instruction: Instruction, at: Origin| out.push(instruction, at);
        for step in &block.steps {
            if let Op::Move { dst, src } = step.op
                && dst == src
            {
                continue;
            }
            let instruction = selector
                .op(&step.op)
                .ok_or_else(|| LinkError::Internal { what: format!("there is no instruction for `{}`", step.op) })?;
            if isa.number(instruction.opcode).is_none() {
                return Err(LinkError::Unavailable {
                    place: image.describe(step.at.into()),
                    instruction: instruction.opcode.spec().mnemonic,
                    isa: isa.name(),
                });
            }
            push(instruction, step.at);
        }
        let at = block.at;
        let go_on = |target: BlockId| {
            if next != Some(target) {
                return Some(Instruction::o(O::Jump, target.0));
            }
            entered[target.0 as usize].then_some(Instruction::none(O::Fallthrough))
        };
        let no_form = || LinkError::Internal { what: format!("there is no instruction for `{}`", block.terminator) };
        match block.terminator {
            Terminator::Jump(target) => go_on(target).into_iter().for_each(|instruction| push(instruction, at)),
            Terminator::Branch { op, a, b, then, otherwise } => {
                let (op, target, other) = match next == Some(then) {
                    true => (opposite(op), otherwise, then),
                    false => (op, then, otherwise),
                };
                match selector.branch(op, a, b, target.0).ok_or_else(no_form)? {
                    Err(taken) => go_on(if taken { target } else { other }).into_iter().for_each(|i| push(i, at)),
                    Ok(branch) => {
                        push(branch, at);
                        if next != Some(other) {
                            push(Instruction::o(O::Jump, other.0), at);
                        }
                    }
                }
            }
            Terminator::Call { link, target, back } => {
                let address = resolver.resolve(Imm::Code { block: back, part: Part::Full });
                let link = link.reg().ok_or_else(no_form)?;
                push(Instruction::rio(O::LoadImmAndJump, link, address as i32, target.0), at);
            }
            Terminator::CallIndirect { link, base, back } => {
                let address = resolver.resolve(Imm::Code { block: back, part: Part::Full });
                let (link, base) = (link.reg().ok_or_else(no_form)?, base.reg().ok_or_else(no_form)?);
                push(Instruction::rrii(O::LoadImmAndJumpIndirect, link, base, address as i32, 0), at);
            }
            Terminator::JumpIndirect { base } => {
                push(Instruction::ri(O::JumpIndirect, base.reg().ok_or_else(no_form)?, 0), at);
            }
            Terminator::Trap => push(Instruction::none(O::Trap), at),
        }
    }
    Ok(out)
}

/// Finds the blocks that are entered other than by falling through from the previous block.
fn entered(program: &IrProgram, jump_table: &JumpTable) -> Vec<bool> {
    let mut out = vec![false; program.blocks.len()];
    for (position, id) in program.order.iter().enumerate() {
        let next = program.order.get(position + 1).copied();
        match program.block(*id).terminator {
            Terminator::Jump(target) if next == Some(target) => {}
            terminator => terminator.targets().for_each(|target| out[target.0 as usize] = true),
        }
    }
    jump_table.entries().iter().for_each(|block| out[block.0 as usize] = true);
    program.exports.iter().for_each(|(_, block, _)| out[block.0 as usize] = true);
    out
}

/// Returns the blocks that the dispatch table jumps to.
///
/// # Errors
/// If a name is not that of an export.
pub fn dispatch_table(program: &IrProgram, names: &[Vec<u8>]) -> Result<Vec<BlockId>, LinkError> {
    let find = |name: &Vec<u8>| {
        let found = program.exports.iter().find(|(symbol, _, _)| symbol == name).map(|(_, block, _)| *block);
        found.ok_or_else(|| LinkError::NoExport { name: String::from_utf8_lossy(name).into_owned() })
    };
    names.iter().map(find).collect()
}

/// Length in bytes of each jump in a dispatch table but the last (docs/linking.md#input-files).
const DISPATCH_JUMP: usize = 5;

impl Listing {
    /// Appends an instruction. If a basic block would exceed the limit of a chain, a `fallthrough` starts another one.
    fn push(&mut self, instruction: Instruction, at: Origin) {
        let ends_block = instruction.opcode.spec().ends_block;
        if !ends_block && self.since_start + 1 >= BASIC_BLOCK_INSTRUCTIONS {
            self.instructions.push(Instruction::none(O::Fallthrough));
            self.origins.push(at);
            self.since_start = 0;
        }
        self.instructions.push(instruction);
        self.origins.push(at);
        self.since_start = if ends_block { 0 } else { self.since_start + 1 };
    }

    /// Encodes the instructions, preceded by a jump for each entry of the dispatch table.
    ///
    /// # Errors
    /// If the code is too long.
    pub fn assemble(self, isa: Isa, dispatch: &[BlockId]) -> Result<EmittedCode, LinkError> {
        let Listing { mut instructions, origins, starts, .. } = self;
        let start = |block: u32| {
            starts[block as usize].ok_or_else(|| LinkError::Internal { what: format!("block {block} has no place") })
        };
        for instruction in &mut instructions {
            if instruction.format().has_target() {
                instruction.target = start(instruction.target)?;
            }
        }
        let mut code = assemble(isa, &instructions)?;
        let mut front = Vec::new();
        let mut front_mask = Vec::new();
        if !dispatch.is_empty() {
            // All jumps but the last have a fixed length; the length of the last one only depends on itself.
            let fixed = DISPATCH_JUMP * (dispatch.len() - 1);
            let offset_of = |block: &BlockId| Ok::<u32, LinkError>(code.offsets[start(block.0)? as usize]);
            let last = offset_of(&dispatch[dispatch.len() - 1])?;
            // The last jump skips itself, so its own length counts.
            let size = |length: u32| {
                let distance = (length + last) as i32;
                1 + (1..=4).find(|bytes| distance << (32 - 8 * bytes) >> (32 - 8 * bytes) == distance).unwrap_or(4)
                    as u32
            };
            let length = (2..=5).find(|length| size(*length) <= *length).unwrap_or(5);
            let total = fixed + length as usize;
            let number = isa.number(O::Jump).unwrap_or_default();
            for (index, block) in dispatch.iter().enumerate() {
                let at = DISPATCH_JUMP * index;
                let width = if index + 1 == dispatch.len() { length as usize } else { DISPATCH_JUMP };
                let distance = total as u32 + offset_of(block)? - at as u32;
                front.push(number);
                front.extend(&distance.to_le_bytes()[..width - 1]);
                front_mask.push(true);
                front_mask.extend(std::iter::repeat_n(false, width - 1));
            }
        }
        let shift = front.len();
        if shift > 0 {
            let mut bits = front_mask;
            bits.extend((0..code.code.len()).map(|index| code.bitmask[index / 8] >> (index % 8) & 1 != 0));
            let mut bitmask = vec![0u8; bits.len().div_ceil(8)];
            for (index, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
                bitmask[index / 8] |= 1 << (index % 8);
            }
            code.bitmask = bitmask;
            front.append(&mut code.code);
            code.code = front;
            code.offsets.iter_mut().for_each(|offset| *offset += shift as u32);
        }
        Ok(EmittedCode {
            bytes: code.code,
            bitmask: code.bitmask,
            offsets: code.offsets,
            starts,
            origins,
            skipped: shift,
        })
    }
}

impl EmittedCode {
    /// Returns the offset of a block.
    pub fn offset(&self, block: BlockId) -> u32 {
        let start = self.starts.get(block.0 as usize).copied().flatten();
        start.and_then(|start| self.offsets.get(start as usize)).copied().unwrap_or(self.skipped as u32)
    }

    /// Returns the origin of each instruction, with the range of its bytes.
    pub fn origins(&self) -> Vec<(std::ops::Range<u32>, Origin)> {
        let ranges = self.offsets.windows(2).map(|pair| pair[0]..pair[1]);
        ranges.zip(self.origins.iter().copied()).collect()
    }
}
