//! The compiler: guest code to AMD64 machine code, in one pass.
//!
//! Called by the engine once for each module; `instance` runs the result. Assumes a loaded program, with any code. Time
//! and memory are linear in the code's length, and the output is bounded by [`CODE_SIZE`]; block costs come from
//! `vm_core::gas`; guest loads and stores cannot address anything above 4 GiB.
//!
//! The image is the jump table (native addresses, eight bytes per entry, zeros up to a power of two), then the
//! routines, then the program, then the stubs that leave it: one per block for running out of gas, and one per dynamic
//! jump for invalid targets, both in order. A block begins with its charge, whose immediate is filled in at the end.

mod arith;
mod control;
mod instance;
mod lower;
mod pc_map;
mod peephole;
mod regs;
mod routines;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use instance::{JitInstance, JitSnapshot};
pub(crate) use pc_map::Compiled;

use crate::error::VerifyError;
use crate::sandbox::Image;
use control::{JumpTable, MAX_TABLE};
use core::cell::Cell;
use core::fmt;
use pc_map::{PC_MAP_INTERVAL, PcMapEntry};
use pvm_assembler::{Assembler, Cond, Label, Mark, RegSize, forms};
use pvm_zygote::protocol::{CODE_BASE, CODE_SIZE, STACK_TOP};
use regs::GAS;
use routines::Routines;
use vm_core::gas::Metering;
use vm_core::isa::CodeView;
use vm_core::program::Program;

/// Offsets of the cost and of the jump's displacement in a block's charge, and the length of the charge.
const CHARGE_COST: usize = 3;
const CHARGE_WAY: usize = 9;
const CHARGE_LENGTH: u32 = 13;
/// Bytes of a cache line.
const LINE: u32 = 64;
/// Length of a call in bytes, which is the length of a stub, and of a stop in single-step mode.
const CALL_LENGTH: u32 = 5;

/// Error of the compiler. The interpreter can run the program nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CompileError {
    /// The jump table is too long.
    JumpTable {
        /// Number of entries.
        entries: u32,
        /// The limit.
        limit: u32,
    },
    /// A block costs more gas than an instruction can subtract.
    BlockCost {
        /// Code offset of the block.
        offset: u32,
        /// Its cost.
        cost: u32,
        /// The limit.
        limit: u32,
    },
    /// The machine code does not fit.
    Code(pvm_assembler::Error),
    /// The verifier refuses the machine code: a bug.
    Verify(VerifyError),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::JumpTable { entries, limit } => {
                write!(f, "a jump table of {entries} entries cannot be compiled, the limit is {limit}")
            }
            CompileError::BlockCost { offset, cost, limit } => {
                write!(f, "the block at code offset {offset} costs {cost} gas, the limit of compiled code is {limit}")
            }
            CompileError::Code(error) => write!(f, "compiled code: {error}"),
            CompileError::Verify(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<pvm_assembler::Error> for CompileError {
    fn from(error: pvm_assembler::Error) -> Self {
        CompileError::Code(error)
    }
}

impl From<VerifyError> for CompileError {
    fn from(error: VerifyError) -> Self {
        CompileError::Verify(error)
    }
}

/// The image of a compiled program, for a worker to load. `id` is the unique number of the module.
pub(crate) fn image<'a>(program: &'a Program, compiled: &'a Compiled, id: u64) -> Image<'a> {
    Image { id, code: compiled.image(), enter: compiled.enter(), data: program.memory_image() }
}

/// Maximum length of machine code; the rest of [`CODE_SIZE`] is for the jump table.
const CODE_LIMIT: usize = CODE_SIZE as usize - 8 * MAX_TABLE as usize;

/// A thread keeps the buffers of programs up to this many bytes of code for the next one. Populating fresh memory can
/// take a quarter of the compilation time.
const KEPT: u32 = 1 << 20;

thread_local! {
    static KEPT_ASSEMBLER: Cell<Option<Assembler>> = const { Cell::new(None) };
}

/// Compiles a program and verifies its code.
pub(crate) fn compile(program: &Program) -> Result<Compiled, CompileError> {
    let compiled = compile_unverified(program)?;
    #[cfg(test)]
    let compiled = planted::apply(compiled);
    verify::verify(program, &compiled)?;
    Ok(compiled)
}

/// Compiles a program.
pub(crate) fn compile_unverified(program: &Program) -> Result<Compiled, CompileError> {
    let entries = program.jump_table().len();
    if entries > MAX_TABLE {
        return Err(CompileError::JumpTable { entries, limit: MAX_TABLE });
    }
    let mut asm = KEPT_ASSEMBLER.take().unwrap_or_else(|| {
        let length = program.code().len() as usize;
        Assembler::with_capacity(CODE_LIMIT, 1024 + 4 * length, length + length / 4, length / 8)
    });
    // Aligned to cache lines, so that code and table share none.
    let code_start = (control::room(entries) * 8).next_multiple_of(64);
    let compiled = Compiler::new(program, &mut asm, code_start).run();
    if program.code().len() <= KEPT {
        asm.clear();
        KEPT_ASSEMBLER.set(Some(asm));
    }
    compiled
}

struct Compiler<'a> {
    program: &'a Program,
    code: CodeView<'a>,
    asm: &'a mut Assembler,
    routines: Routines,
    table: JumpTable,
    /// Offset of the code in the image.
    code_start: u32,
    /// Number of the label of code offset 0. Those of the other offsets follow.
    labels: u32,
    pc_map: Vec<PcMapEntry>,
    blocks: Vec<Block>,
    jumps: Vec<(u32, Label)>,
    /// Target of the last branch or jump.
    last_target: Option<u32>,
    /// Code offset up to which loops were aligned: no code is emitted more than twice.
    aligned_up_to: u32,
    metered: bool,
    /// See [`Program::branch_refund`].
    branch_refund: u32,
    steps: bool,
}

struct Block {
    offset: u32,
    /// Its native offset.
    start: Mark,
    cost: u32,
}

impl<'a> Compiler<'a> {
    fn new(program: &'a Program, asm: &'a mut Assembler, code_start: u32) -> Self {
        let code = program.code();
        let length = code.len() as usize;
        let table = program.jump_table();
        Compiler {
            program,
            code,
            routines: routines::emit(asm),
            table: JumpTable {
                length: table.len(),
                room: control::room(table.len()),
                at: CODE_BASE.wrapping_sub(STACK_TOP) as i32,
                has_bad_entries: table.iter().any(|target| !code.is_jump_target(target)),
            },
            labels: asm.new_labels(code.len().saturating_add(1)).number(),
            asm,
            code_start,
            pc_map: Vec::with_capacity(length / 24 + 2),
            blocks: Vec::with_capacity(length / 24 + 1),
            jumps: Vec::new(),
            last_target: None,
            aligned_up_to: 0,
            metered: program.config().metering != Metering::Off,
            branch_refund: program.branch_refund(),
            steps: program.config().single_step,
        }
    }

    /// Returns the label of a code offset. Only those of blocks are bound.
    #[inline(always)]
    fn label(&self, offset: u32) -> Label {
        Label::from_number(self.labels.wrapping_add(offset))
    }

    #[inline(always)]
    fn here(&self) -> u32 {
        self.asm.len() as u32 + self.code_start
    }

    fn run(mut self) -> Result<Compiled, CompileError> {
        match self.program.isa().is_64_bit() {
            true => self.walk::<true>()?,
            false => self.walk::<false>()?,
        }
        self.finish()
    }

    /// Emits all instructions. `WIDE`: registers have 64 bits.
    fn walk<const WIDE: bool>(&mut self) -> Result<(), CompileError> {
        let mut cost = self.program.start_block_cost();
        let mut begins_block = true;
        let mut until_mapped = PC_MAP_INTERVAL;
        let mut instructions = self.code.encoded_instructions_from(0);
        while let Some(encoded) = instructions.next() {
            if begins_block {
                self.begin_block(encoded.offset());
                (begins_block, until_mapped) = (false, PC_MAP_INTERVAL);
            } else {
                until_mapped -= 1;
                if until_mapped == 0 {
                    self.map_pc(encoded.offset());
                    until_mapped = PC_MAP_INTERVAL;
                }
                if self.steps {
                    self.asm.call(self.routines.step);
                }
            }
            cost.feed_encoded(&self.code, &encoded);
            if encoded.ends_block() {
                self.control::<WIDE>(&encoded);
                begins_block = true;
                let cost = cost.finish_and_restart();
                self.end_block(cost)?;
                if let Some(start) = self.align_loop(encoded.next()) {
                    instructions = self.code.encoded_instructions_from(start);
                }
            } else {
                let peepholes = !self.steps;
                let emitted = lower::emit::<WIDE>(self.asm, &self.routines, &encoded, &instructions, peepholes);
                for _ in 1..emitted {
                    if let Some(encoded) = instructions.next() {
                        cost.feed_encoded(&self.code, &encoded);
                    }
                    until_mapped = until_mapped.saturating_sub(1).max(1);
                }
            }
        }
        self.map_pc(self.code.len());
        if !begins_block {
            if self.steps {
                self.asm.call(self.routines.step);
            }
            cost.feed_end_of_code();
            self.end_block(cost.finish())?;
        }
        self.trap();
        Ok(())
    }

    fn map_pc(&mut self, guest: u32) {
        self.pc_map.push(PcMapEntry { guest, native: self.here() });
    }

    #[inline(always)]
    fn begin_block(&mut self, offset: u32) {
        self.map_pc(offset);
        self.blocks.push(Block { offset, start: self.asm.mark(), cost: 0 });
        let label = self.label(offset);
        self.asm.bind(label);
        if self.steps {
            self.asm.call(self.routines.step);
        }
        if self.metered {
            let charge = self.asm.len() as u32;
            // Cost and displacement are filled in at the end; small placeholders would shorten the instructions.
            self.asm.push(forms::sub_ri(RegSize::R64, GAS, i32::MAX));
            self.asm.push(forms::jcc_rel32(Cond::Less, 0));
            debug_assert!(self.asm.error().is_some() || self.asm.len() as u32 == charge + CHARGE_LENGTH);
        }
    }

    /// Loop alignment: if the loop that has just ended would fit into one cache line but straddles two, which can halve
    /// its speed, removes it from the code, skips to the next line, and returns the loop's code offset, from which it
    /// is emitted again. `next` is the offset behind the loop. No code is removed twice.
    #[inline(always)]
    fn align_loop(&mut self, next: u32) -> Option<u32> {
        let target = self.last_target.take()?;
        if target >= next || target < self.aligned_up_to {
            return None;
        }
        self.move_loop(target, next)
    }

    fn move_loop(&mut self, target: u32, next: u32) -> Option<u32> {
        // A block has at least one byte.
        let blocks = self.blocks.iter().rev().take(LINE as usize);
        let index = self.blocks.len().checked_sub(blocks.take_while(|block| block.offset >= target).count())?;
        let start = self.blocks.get(index).filter(|block| block.offset == target)?.start;
        let (first, last) = (start.offset() + self.code_start, self.here().checked_sub(1)?);
        if last.saturating_sub(first) >= LINE || first / LINE == last / LINE {
            return None;
        }
        let labels = self.labels;
        let bound = self.blocks.drain(index..).map(|block| Label::from_number(labels.wrapping_add(block.offset)));
        self.asm.rewind(start, bound);
        while self.pc_map.pop_if(|place| place.guest >= target).is_some() {}
        while self.jumps.pop_if(|(offset, _)| *offset >= target).is_some() {}
        self.asm.align(LINE as usize);
        self.aligned_up_to = next;
        Some(target)
    }

    #[inline(always)]
    fn end_block(&mut self, cost: u32) -> Result<(), CompileError> {
        if self.metered
            && let Some(block) = self.blocks.last_mut()
        {
            block.cost = cost;
            let limit = i32::MAX as u32;
            if cost > limit {
                return Err(CompileError::BlockCost { offset: block.offset, cost, limit });
            }
        }
        self.asm.error().map_or(Ok(()), |error| Err(error.into()))
    }

    fn finish(self) -> Result<Compiled, CompileError> {
        let block_stubs = self.here();
        if self.metered {
            for _ in &self.blocks {
                self.asm.call(self.routines.out_of_gas);
            }
        }
        let jump_stubs = self.here();
        for (_, label) in &self.jumps {
            self.asm.bind(*label);
            self.asm.call(self.routines.jump);
        }
        let code = self.asm.finish()?;
        let mut image = pc_map::kept_image();
        image.reserve_exact(self.code_start as usize + code.len());
        image.resize(self.code_start as usize, 0);
        image.extend_from_slice(code);
        if self.metered {
            let mut stub = block_stubs;
            for block in &self.blocks {
                let charge = self.code_start + block.start.offset() + if self.steps { CALL_LENGTH } else { 0 };
                if let Some(bytes) = image
                    .get_mut(charge as usize..)
                    .and_then(|rest| rest.first_chunk_mut::<{ CHARGE_LENGTH as usize }>())
                {
                    bytes[CHARGE_COST..][..4].copy_from_slice(&block.cost.to_le_bytes());
                    bytes[CHARGE_WAY..][..4].copy_from_slice(&(stub - charge - CHARGE_LENGTH).to_le_bytes());
                }
                stub += CALL_LENGTH;
            }
        }
        for (entry, target) in image.chunks_exact_mut(8).zip(self.program.jump_table().iter()) {
            if self.code.is_jump_target(target)
                && let Some(native) = self.asm.offset_of(self.label(target))
            {
                entry.copy_from_slice(&(CODE_BASE + u64::from(self.code_start + native)).to_le_bytes());
            }
        }
        let enter = self.asm.offset_of(self.routines.enter).unwrap_or(0);
        Ok(Compiled {
            image,
            enter: self.code_start + enter,
            pc_map: self.pc_map,
            blocks: self.blocks.iter().map(|block| block.offset).collect(),
            block_stubs,
            jumps: self.jumps.iter().map(|(offset, _)| *offset).collect(),
            jump_stubs,
        })
    }
}

/// A bug of the compiler, for tests.
#[cfg(test)]
mod planted {
    use super::{Cell, Compiled};

    /// Changes an image.
    type Bug = fn(&mut [u8]);

    thread_local! {
        /// The bug in what this thread compiles.
        pub(super) static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    pub(super) fn apply(mut compiled: Compiled) -> Compiled {
        if let Some(bug) = BUG.get() {
            bug(&mut compiled.image);
        }
        compiled
    }
}
