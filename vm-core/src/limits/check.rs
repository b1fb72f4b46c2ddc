//! Static checks that code must pass before a chain stores it.
//!
//! Called by the pallet on upload and by tools. Assumes a parsed blob; takes time linear in its code.

use super::{
    BASIC_BLOCK_INSTRUCTIONS, BLOB_BYTES, CODE_BYTES, JUMP_TABLE_ENTRIES, PAGE_SIZE, STATIC_MEMORY_BYTES,
    TRANSLATED_OPS, machine_code,
};
use crate::blob::Blob;
use crate::memory::{MapError, MemoryMap};
use core::fmt;

/// Statistics of a program that [`check`] accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CodeInfo {
    /// Instructions in the code.
    pub instructions: u32,
    /// Basic blocks in the code.
    pub basic_blocks: u32,
    /// Instructions in the largest basic block.
    pub largest_basic_block: u32,
    /// See [`super::STATIC_MEMORY_BYTES`].
    pub static_memory: u32,
    /// Pages of guest memory that an instance has before its heap grows.
    pub memory_pages: u32,
    /// Upper bound on the size of compiled code and its tables, in bytes.
    pub machine_code: u32,
}

/// A limit that [`check`] enforces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// [`super::BLOB_BYTES`].
    BlobBytes,
    /// [`super::CODE_BYTES`].
    CodeBytes,
    /// [`super::JUMP_TABLE_ENTRIES`].
    JumpTableEntries,
    /// [`super::STATIC_MEMORY_BYTES`].
    StaticMemoryBytes,
    /// [`super::BASIC_BLOCK_INSTRUCTIONS`].
    BasicBlockInstructions,
    /// [`super::TRANSLATED_OPS`].
    TranslatedOps,
}

impl Limit {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Limit::BlobBytes => "blob size in bytes",
            Limit::CodeBytes => "code size in bytes",
            Limit::JumpTableEntries => "jump table entries",
            Limit::StaticMemoryBytes => "static memory in bytes",
            Limit::BasicBlockInstructions => "basic block length in instructions",
            Limit::TranslatedOps => "instructions and twice the basic blocks",
        }
    }

    /// The value of the limit.
    pub const fn value(self) -> u32 {
        match self {
            Limit::BlobBytes => BLOB_BYTES,
            Limit::CodeBytes => CODE_BYTES,
            Limit::JumpTableEntries => JUMP_TABLE_ENTRIES,
            Limit::StaticMemoryBytes => STATIC_MEMORY_BYTES,
            Limit::BasicBlockInstructions => BASIC_BLOCK_INSTRUCTIONS,
            Limit::TranslatedOps => TRANSLATED_OPS,
        }
    }
}

/// Error of [`check`]: the reason why code is refused on upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LimitError {
    /// A limit is exceeded.
    Exceeded {
        /// The limit that is exceeded.
        limit: Limit,
        /// The value found.
        actual: u64,
        /// Code offset, if the limit concerns a place in the code.
        offset: Option<u32>,
    },
    /// The memory regions do not fit into the address space.
    MemoryMap(MapError),
    /// Bytes that are no instruction. They are refused to keep opcodes free for later: a stored contract cannot depend
    /// on what an undefined opcode does.
    InvalidInstruction {
        /// Code offset.
        offset: u32,
        /// The byte there.
        opcode: u8,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitError::Exceeded { limit, actual, offset } => {
                write!(f, "limit exceeded: {} is {actual}, at most {} allowed", limit.name(), limit.value())?;
                match offset {
                    Some(offset) => write!(f, " (at code offset {offset})"),
                    None => Ok(()),
                }
            }
            LimitError::MemoryMap(error) => error.fmt(f),
            LimitError::InvalidInstruction { offset, opcode } => {
                write!(f, "no valid instruction at code offset {offset} (byte {opcode})")
            }
        }
    }
}

impl core::error::Error for LimitError {}

fn enforce(limit: Limit, actual: u64, offset: Option<u32>) -> Result<(), LimitError> {
    match actual > u64::from(limit.value()) {
        true => Err(LimitError::Exceeded { limit, actual, offset }),
        false => Ok(()),
    }
}

/// Checks a program against the upload limits.
///
/// # Errors
/// The first limit that is exceeded, with the value found, or the first invalid instruction.
pub fn check(blob: &Blob<'_>) -> Result<CodeInfo, LimitError> {
    enforce(Limit::BlobBytes, blob.length() as u64, None)?;
    enforce(Limit::CodeBytes, blob.code().len() as u64, None)?;
    enforce(Limit::JumpTableEntries, u64::from(blob.jump_table().len()), None)?;

    let map = MemoryMap::new(PAGE_SIZE, blob.memory_config(), 0).map_err(LimitError::MemoryMap)?;
    let regions = u64::from(map.ro_end() - MemoryMap::RO_BASE)
        + u64::from(map.rw_end() - map.rw_base())
        + u64::from(map.stack_high() - map.stack_low());
    let in_blob = (blob.ro_data().len() + blob.rw_data().len()) as u64;
    let static_memory = blob.length() as u64 + regions.saturating_sub(in_blob);
    enforce(Limit::StaticMemoryBytes, static_memory, None)?;

    let mut info = CodeInfo {
        static_memory: static_memory as u32,
        memory_pages: (regions / u64::from(PAGE_SIZE)) as u32,
        machine_code: blob.jump_table().len() * machine_code::JUMP_TABLE_ENTRY,
        ..CodeInfo::default()
    };
    let mut block_start = 0;
    let mut block_length = 0;
    for decoded in blob.code_view().instructions() {
        let Some(instruction) = decoded.instruction else {
            let opcode = blob.code().get(decoded.offset as usize).copied().unwrap_or_default();
            return Err(LimitError::InvalidInstruction { offset: decoded.offset, opcode });
        };
        info.instructions += 1;
        info.machine_code += machine_code::of(instruction.opcode);
        block_length += 1;
        enforce(Limit::BasicBlockInstructions, u64::from(block_length), Some(block_start))?;
        info.largest_basic_block = info.largest_basic_block.max(block_length);
        if decoded.ends_block() {
            info.basic_blocks += 1;
            block_start = decoded.next;
            block_length = 0;
        }
    }
    info.basic_blocks += u32::from(block_length > 0);
    let ops = u64::from(info.instructions) + 2 * u64::from(info.basic_blocks);
    enforce(Limit::TranslatedOps, ops, None)?;
    info.machine_code += info.basic_blocks * machine_code::BLOCK;
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobBuilder;
    use crate::isa::{Instruction, Isa, Opcode, Reg};
    use alloc::{string::ToString, vec, vec::Vec};

    fn check_built(builder: &BlobBuilder) -> Result<CodeInfo, LimitError> {
        check(&Blob::parse(&builder.build().unwrap()).unwrap())
    }

    fn moves(count: usize) -> Vec<Instruction> {
        let mut list = vec![Instruction::rr(Opcode::MoveReg, Reg::A0, Reg::A1); count];
        list.push(Instruction::none(Opcode::Trap));
        list
    }

    #[test]
    fn a_block_of_the_longest_length_passes_and_one_more_instruction_does_not() {
        let limit = BASIC_BLOCK_INSTRUCTIONS as usize;
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        let info = check_built(builder.instructions(moves(limit - 1))).unwrap();
        assert_eq!((info.instructions, info.basic_blocks, info.largest_basic_block), (1000, 1, 1000));
        let error = check_built(builder.instructions([moves(0), moves(limit)].concat())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "limit exceeded: basic block length in instructions is 1001, at most 1000 allowed (at code offset 1)"
        );
    }

    #[test]
    fn memory_up_to_the_limit_passes_and_a_page_more_does_not() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(moves(1));
        // The blob itself takes part of a page.
        let most = STATIC_MEMORY_BYTES - PAGE_SIZE;
        assert!(check_built(builder.stack_size(most)).is_ok());
        let error = check_built(builder.stack_size(most + 1)).unwrap_err();
        assert!(matches!(error, LimitError::Exceeded { limit: Limit::StaticMemoryBytes, .. }), "{error}");
        let error = check_built(builder.stack_size(u32::MAX)).unwrap_err();
        assert!(matches!(error, LimitError::MemoryMap(_)), "{error}");
    }

    #[test]
    fn large_blobs_and_jump_tables_are_refused_by_name() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(moves(1)).optional_section(200, &vec![0; BLOB_BYTES as usize]);
        let error = check_built(&builder).unwrap_err();
        assert!(matches!(error, LimitError::Exceeded { limit: Limit::BlobBytes, .. }), "{error}");

        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(moves(1));
        for _ in 0..=JUMP_TABLE_ENTRIES {
            builder.jump_table_entry(0);
        }
        let error = check_built(&builder).unwrap_err();
        let actual = u64::from(JUMP_TABLE_ENTRIES) + 1;
        assert_eq!(error, LimitError::Exceeded { limit: Limit::JumpTableEntries, actual, offset: None });
    }

    #[test]
    fn code_that_would_not_fit_the_translation_cache_is_refused() {
        // Each of them takes three ops.
        let most = TRANSLATED_OPS as usize / 3;
        let blocks = |count| vec![Instruction::none(Opcode::Trap); count];
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        assert!(check_built(builder.instructions(blocks(most))).is_ok());
        let error = check_built(builder.instructions(blocks(most + 1))).unwrap_err();
        let actual = 3 * (most as u64 + 1);
        assert_eq!(error, LimitError::Exceeded { limit: Limit::TranslatedOps, actual, offset: None });
    }

    #[test]
    fn a_program_is_known_by_its_memory_and_by_the_machine_code_that_it_becomes() {
        let of = |instruction: Instruction, count: usize, stack: u32| {
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            let mut list = vec![instruction; count];
            list.push(Instruction::none(Opcode::Trap));
            check_built(builder.instructions(list).stack_size(stack)).unwrap()
        };
        let moves = Instruction::rr(Opcode::MoveReg, Reg::A0, Reg::A1);
        let divides = Instruction::rrr(Opcode::DivSigned64, Reg::A0, Reg::A1, Reg::A2);
        let [empty, moved, divided] = [of(moves, 0, 1), of(moves, 100, 1), of(divides, 100, 4097)];
        assert_eq!((empty.memory_pages, divided.memory_pages), (1, 2), "the stack, rounded up to pages");
        assert_eq!(moved.machine_code - empty.machine_code, 300);
        assert_eq!(divided.machine_code - empty.machine_code, 6400);
    }

    #[test]
    fn undefined_opcodes_and_gaps_are_refused_with_their_place() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        let error = check_built(builder.raw_code(vec![1, 255], vec![3])).unwrap_err();
        assert_eq!(error, LimitError::InvalidInstruction { offset: 1, opcode: 255 });
        let error = check_built(builder.raw_code(vec![1, 0], vec![2])).unwrap_err();
        assert_eq!(error, LimitError::InvalidInstruction { offset: 0, opcode: 1 });
    }
}
