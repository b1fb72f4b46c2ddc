//! Linking: from an ELF file to a blob.

use crate::elf::{ElfError, Export, Image};
use crate::{emit, ir, passes};
use vm_core::blob::{BlobError, BuildError};
use vm_core::isa::{EncodeError, Isa};

/// Optimization level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Level {
    /// No optimization: one instruction becomes one, in the order of the file.
    None,
    /// Optimizations that keep a program easy to follow in a debugger.
    Some,
    /// All optimizations.
    #[default]
    Full,
}

/// Default stack size in bytes, which is also the minimum (docs/linking.md#input-files).
pub const DEFAULT_STACK_SIZE: u32 = 8192;

/// Options of the linker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The instruction set; `None` for the file's default: `ReviveV1` for RV64E, `Latest32` for RV32E.
    pub isa: Option<Isa>,
    /// Optimization level.
    pub level: Level,
    /// The passes to run instead of the level's, by name; for finding a faulty one.
    pub passes: Option<Vec<String>>,
    /// Leave out names and source lines.
    pub strip: bool,
    /// The dispatch table: exports for which the code begins with a jump each, in this order (docs/linking.md#input-files).
    pub dispatch_table: Vec<Vec<u8>>,
    /// Names of functions to export in addition to those that the guest marks.
    pub exports: Vec<String>,
    /// Minimum stack size in bytes.
    pub min_stack_size: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            isa: None,
            level: Level::default(),
            passes: None,
            strip: false,
            dispatch_table: Vec::new(),
            exports: Vec::new(),
            min_stack_size: DEFAULT_STACK_SIZE,
        }
    }
}

/// Error of linking a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The file cannot be read.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The program has no exports.
    #[error(
        "the program exports nothing: mark functions with #[pvm_export] (or pvm_export in C), or name them by --export"
    )]
    NothingExported,
    /// A function to export does not exist.
    #[error("there is no global function `{name}` to export")]
    NoFunction {
        /// Its name.
        name: String,
    },
    /// Two exports have the same name.
    #[error("two functions are exported as `{name}`")]
    DuplicateExport {
        /// Their name.
        name: String,
    },
    /// A name in the dispatch table is not that of an export.
    #[error("the dispatch table names `{name}`, which is not exported")]
    NoExport {
        /// The name.
        name: String,
    },
    /// Code or data that cannot be linked.
    #[error("{place}: {what}")]
    Code {
        /// Symbol and section.
        place: String,
        /// The reason.
        what: String,
    },
    /// The instruction set lacks an instruction that the program needs.
    #[error("{place}: `{instruction}` does not exist in {isa}")]
    Unavailable {
        /// Symbol and section.
        place: String,
        /// The instruction.
        instruction: &'static str,
        /// The instruction set.
        isa: &'static str,
    },
    /// The register width of the instruction set differs from the file's.
    #[error("a {bits}-bit ELF file cannot become a program for {isa}")]
    Width {
        /// The file's register width in bits.
        bits: u32,
        /// The instruction set requested.
        isa: &'static str,
    },
    /// Some host functions have numbers and others have none.
    #[error("the host function `{symbol}` has no number, but others have")]
    ImportWithoutIndex {
        /// A host function without a number.
        symbol: String,
    },
    /// A host function's number is too large.
    #[error("the host function `{symbol}` has number {index}, the limit is {limit}")]
    ImportIndex {
        /// Its name.
        symbol: String,
        /// Its number.
        index: u32,
        /// The limit.
        limit: u32,
    },
    /// The program does not fit into memory.
    #[error("{ro_data} bytes of read-only data, {rw_data} of variables and {stack} of stack do not fit into memory")]
    Memory {
        /// Bytes.
        ro_data: u32,
        /// Bytes.
        rw_data: u32,
        /// Bytes.
        stack: u32,
    },
    /// The initial data is too large.
    #[error("{size} bytes of initial data, the limit is {limit}")]
    Payload {
        /// Bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Unknown name of a pass.
    #[error("there is no pass `{name}`; there are: {known}")]
    UnknownPass {
        /// The name given.
        name: String,
        /// The known names.
        known: String,
    },
    /// The code cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The blob cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The linker's own output is not a valid blob: a bug of the linker.
    #[error("the linker made a blob that cannot be read, which is a fault of its own: {0}")]
    SelfCheck(BlobError),
    /// An internal error of the linker.
    #[error("a fault of the linker: {what}")]
    Internal {
        /// The failed check.
        what: String,
    },
}

/// Links an ELF file.
///
/// The same input and options give the same bytes on any machine.
///
/// # Errors
/// If the file, or code that it exports, cannot be linked.
pub fn link(elf: &[u8], options: &Options) -> Result<Vec<u8>, LinkError> {
    let image = Image::parse(elf)?;
    let isa = options.isa.unwrap_or(if image.wide { Isa::ReviveV1 } else { Isa::Latest32 });
    if isa.is_64_bit() != image.wide {
        return Err(LinkError::Width { bits: if image.wide { 64 } else { 32 }, isa: isa.name() });
    }
    let exports = exports(&image, options)?;
    let mut program = passes::calling_convention::run(ir::lift(&image, &exports)?, &image)?;
    passes::run(&mut program, options)?;
    emit::emit(program, &image, isa, options)
}

/// Collects the exports: those that the guest marks or the options name, or else the entry point.
fn exports(image: &Image, options: &Options) -> Result<Vec<Export>, LinkError> {
    let mut exports = image.exports().to_vec();
    for name in &options.exports {
        let function = image.function(name).ok_or_else(|| LinkError::NoFunction { name: name.clone() })?;
        if function.is_ifunc {
            return Err(ElfError::Ifunc { symbol: name.clone() }.into());
        }
        exports.push(Export { symbol: name.clone().into_bytes(), place: function.place, outputs: 2 });
    }
    if exports.is_empty()
        && let Some(place) = image.entry()
    {
        let symbol = image.symbol_at(place).filter(|symbol| symbol.place == place);
        let name = symbol.map_or("_start", |symbol| &symbol.name);
        exports.push(Export { symbol: name.as_bytes().to_vec(), place, outputs: 2 });
    }
    if exports.is_empty() {
        return Err(LinkError::NothingExported);
    }
    let mut names: Vec<&[u8]> = exports.iter().map(|export| &export.symbol[..]).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(LinkError::DuplicateExport { name: String::from_utf8_lossy(pair[0]).into_owned() });
    }
    Ok(exports)
}
