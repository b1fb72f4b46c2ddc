//! A program: a parsed and validated blob that owns its data, ready for an engine.
//!
//! Made once per blob (or per call), then shared by instances. Construction copies the code and data and computes the
//! memory map; it does not translate code, so that short calls of large programs stay cheap.

use crate::blob::{Blob, Exports, Imports, JumpTable};
use crate::gas::{self, BlockCost, CostModelKind, Metering, ProgramFacts};
use crate::isa::{CodeView, Isa};
use crate::limits;
use crate::memory::{MapError, MemoryImage, MemoryMap};
use crate::semantics::Semantics;
use alloc::sync::Arc;
use core::fmt;

/// Configuration of a program. Guests can observe it, so on a chain it is fixed.
#[derive(Clone, Debug)]
pub struct ProgramConfig {
    /// Guest page size in bytes: a power of two, 0x1000 to 0x10000.
    pub page_size: u32,
    /// Size of the auxiliary memory region in bytes, which the embedder writes and the guest reads.
    pub aux_size: u32,
    /// Semantics version of the instructions.
    pub semantics: Semantics,
    /// Cost model for gas.
    pub cost_model: CostModelKind,
    /// Metering mode.
    pub metering: Metering,
    /// Stop before every instruction with [`crate::Outcome::Step`].
    pub single_step: bool,
    /// Memory that an interpreter instance may use for translated code, in bytes; code that does not fit is translated
    /// again as needed. Does not affect results.
    pub translation_cache: u32,
}

impl Default for ProgramConfig {
    fn default() -> Self {
        ProgramConfig {
            page_size: limits::PAGE_SIZE,
            aux_size: 0,
            semantics: Semantics::default(),
            cost_model: CostModelKind::default(),
            metering: Metering::default(),
            single_step: false,
            translation_cache: limits::TRANSLATION_CACHE_BYTES,
        }
    }
}

/// Error of [`Program::new`]: a parsed blob that cannot be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProgramError {
    /// The memory regions do not fit into the address space.
    MemoryMap(MapError),
    /// The instruction set requires valid code, and the code has an invalid instruction or can run off its end
    /// (`docs/spec/encoding.md#blocks-and-targets`).
    InvalidCode {
        /// Code offset.
        offset: u32,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::MemoryMap(error) => error.fmt(f),
            ProgramError::InvalidCode { offset } => write!(f, "no valid instruction at code offset {offset}"),
        }
    }
}

impl core::error::Error for ProgramError {}

impl From<MapError> for ProgramError {
    fn from(error: MapError) -> Self {
        ProgramError::MemoryMap(error)
    }
}

/// A program that can be run. It owns its data.
#[derive(Clone, Debug)]
pub struct Program {
    isa: Isa,
    config: ProgramConfig,
    /// Initial data, and the parts below.
    image: Arc<MemoryImage>,
    jump_table_entry_size: u8,
}

/// Indexes of the parts of the image.
const CODE: usize = 0;
const BITMASK: usize = 1;
const JUMP_TABLE: usize = 2;
const IMPORT_OFFSETS: usize = 3;
const IMPORT_SYMBOLS: usize = 4;
const EXPORTS: usize = 5;

impl Program {
    /// Copies the contents of `blob`.
    ///
    /// # Errors
    /// If the memory regions do not fit into the address space, or if the instruction set requires valid code and the
    /// code is not.
    pub fn new(blob: &Blob<'_>, config: &ProgramConfig) -> Result<Program, ProgramError> {
        let map = MemoryMap::new(config.page_size, blob.memory_config(), config.aux_size)?;
        if blob.isa() == Isa::JamV1 {
            validate(&blob.code_view())?;
        }
        let (jump_table, jump_table_entry_size) = blob.jump_table().raw();
        let (import_offsets, import_symbols) = blob.imports().raw();
        // In the order of their numbers.
        let parts = [blob.code(), blob.bitmask(), jump_table, import_offsets, import_symbols, blob.exports_section()];
        let image = Arc::new(MemoryImage::with_parts(map, blob.ro_data(), blob.rw_data(), parts));
        Ok(Program { isa: blob.isa(), config: config.clone(), image, jump_table_entry_size })
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Its configuration.
    pub fn config(&self) -> &ProgramConfig {
        &self.config
    }

    /// Its memory map.
    pub fn memory_map(&self) -> &MemoryMap {
        self.image.map()
    }

    /// Initial contents of its memory.
    pub fn memory_image(&self) -> &Arc<MemoryImage> {
        &self.image
    }

    /// The code.
    pub fn code(&self) -> CodeView<'_> {
        CodeView::new(self.isa, self.image.part::<CODE>(), self.image.part::<BITMASK>())
    }

    /// The targets of dynamic jumps.
    pub fn jump_table(&self) -> JumpTable<'_> {
        JumpTable::new(self.image.part::<JUMP_TABLE>(), self.jump_table_entry_size)
    }

    /// The code offset of the first export named `symbol`.
    pub fn export(&self, symbol: &[u8]) -> Option<u32> {
        self.exports().find(|export| export.symbol == symbol).map(|export| export.code_offset)
    }

    /// All exports.
    pub fn exports(&self) -> Exports<'_> {
        Exports::new(self.image.part::<EXPORTS>())
    }

    /// Returns the name of import `index`; `None` if there is none or its name is malformed.
    pub fn import(&self, index: u32) -> Option<&[u8]> {
        self.imports().get(index)
    }

    /// All imports.
    pub fn imports(&self) -> Imports<'_> {
        Imports::from_raw(self.image.part::<IMPORT_OFFSETS>(), self.image.part::<IMPORT_SYMBOLS>())
    }

    /// True if `other` behaves the same in everything that can be observed: it has the same blob and configuration,
    /// however they were loaded.
    pub fn same_as(&self, other: &Program) -> bool {
        // All fields are named, so that a new one cannot be forgotten here.
        let ProgramConfig { page_size, aux_size, semantics, cost_model, metering, single_step, translation_cache: _ } =
            self.config;
        let Program { isa, config: _, image, jump_table_entry_size } = self;
        let config = &other.config;
        (page_size, aux_size, semantics, cost_model, metering, single_step)
            == (
                config.page_size,
                config.aux_size,
                config.semantics,
                config.cost_model,
                config.metering,
                config.single_step,
            )
            && *isa == other.isa
            && *image == other.image
            && *jump_table_entry_size == other.jump_table_entry_size
    }

    /// Returns the gas cost of entering the block at `offset`; `None` if no block starts there; at or past the end of
    /// the code, the cost of a lone trap. Takes time linear in the block's length.
    pub fn block_cost(&self, offset: u32) -> Option<u32> {
        gas::block_cost(self.config.cost_model, self.facts(), &self.code(), offset)
    }

    /// Facts that its cost model may use.
    pub fn facts(&self) -> ProgramFacts {
        ProgramFacts::new(self.memory_map(), &self.code())
    }

    /// Starts the cost of a block, which stays 0 if gas is not metered.
    pub fn start_block_cost(&self) -> BlockCost {
        match self.config.metering {
            Metering::Off => BlockCost::free(),
            Metering::Sync | Metering::Async => BlockCost::new(self.config.cost_model, self.facts()),
        }
    }

    /// Gas that a conditional branch refunds when it goes the likely way (see [`CostModelKind::branch_refund`]); 0 if
    /// gas is not metered.
    pub fn branch_refund(&self) -> u32 {
        match self.config.metering {
            Metering::Off => 0,
            Metering::Sync | Metering::Async => self.config.cost_model.branch_refund(),
        }
    }
}

/// Refuses code with invalid instructions, and code that can run off its end
/// (`docs/spec/encoding.md#blocks-and-targets`).
fn validate(code: &CodeView<'_>) -> Result<(), ProgramError> {
    let mut runs_off = true;
    for decoded in code.instructions() {
        if decoded.instruction.is_none() {
            return Err(ProgramError::InvalidCode { offset: decoded.offset });
        }
        runs_off = decoded.can_fall_through();
    }
    match runs_off {
        true => Err(ProgramError::InvalidCode { offset: code.len() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobBuilder;
    use crate::isa::{Instruction, Opcode};
    use alloc::{vec, vec::Vec};

    fn program(builder: &BlobBuilder, config: &ProgramConfig) -> Result<Program, ProgramError> {
        Program::new(&Blob::parse(&builder.build().unwrap()).unwrap(), config)
    }

    #[test]
    fn a_program_outlives_its_blob_and_knows_its_names() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.import(b"first").import(b"second").export(b"deploy", 0).export(b"call", 1).export(b"call", 0);
        builder.instructions(vec![Instruction::none(Opcode::Fallthrough), Instruction::none(Opcode::Trap)]);
        let program = program(&builder, &ProgramConfig::default()).unwrap();
        assert_eq!(program.import(1), Some(&b"second"[..]));
        assert_eq!(program.import(2), None);
        assert_eq!(
            (program.export(b"deploy"), program.export(b"call"), program.export(b"other")),
            (Some(0), Some(1), None)
        );
        assert_eq!(program.exports().count(), 3);
        assert_eq!((program.block_cost(0), program.block_cost(1), program.block_cost(2)), (Some(1), Some(1), Some(1)));
    }

    #[test]
    fn only_jam_demands_valid_code() {
        let raw: [(&[u8], u8, Option<u32>); 5] = [
            (&[1, 0], 3, None),
            (&[1, 255, 0], 7, Some(1)),
            (&[1, 1, 0], 6, Some(0)),
            (&[0, 1], 3, Some(2)),
            (&[], 0, Some(0)),
        ];
        for (code, mask, refused_at) in raw {
            let mask: Vec<u8> = if code.is_empty() { vec![] } else { vec![mask] };
            let mut builder = BlobBuilder::new(Isa::JamV1);
            let result = program(builder.raw_code(code.to_vec(), mask.clone()), &ProgramConfig::default());
            assert_eq!(result.err(), refused_at.map(|offset| ProgramError::InvalidCode { offset }), "{code:?}");
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            assert!(program(builder.raw_code(code.to_vec(), mask), &ProgramConfig::default()).is_ok());
        }
    }

    #[test]
    fn a_wrong_page_size_is_refused() {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.instructions(vec![Instruction::none(Opcode::Trap)]);
        let config = ProgramConfig { page_size: 0x1800, ..ProgramConfig::default() };
        let expected = ProgramError::MemoryMap(MapError::BadPageSize { page_size: 0x1800 });
        assert_eq!(program(&builder, &config).err(), Some(expected));
    }
}
