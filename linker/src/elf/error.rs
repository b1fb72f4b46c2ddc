//! Errors of reading an ELF file.

/// Error of [`super::Image::parse`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// Not an ELF file of a kind that contains a program.
    #[error("not an ELF object, executable or shared object")]
    NotElf,
    /// An ELF file for another machine.
    #[error("the ELF file is not for little-endian RISC-V")]
    NotRiscv,
    /// The file's structure is broken.
    #[error("malformed ELF file: {0}")]
    Malformed(String),
    /// A section's flags are invalid for its name or kind.
    #[error("section {section} is {is}, which {not} may not be")]
    Flags {
        /// Its name.
        section: String,
        /// The kind of file that was given.
        is: &'static str,
        /// The section kind that was expected.
        not: &'static str,
    },
    /// A section is larger than the address space.
    #[error("section {section} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its name.
        section: String,
        /// Its size in bytes.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A section's alignment is too large.
    #[error("section {section} is aligned to {align} bytes; powers of two up to {limit} are possible")]
    Align {
        /// Its name.
        section: String,
        /// Its alignment in bytes.
        align: u64,
        /// The maximum.
        limit: u64,
    },
    /// An unknown section with records for the linker.
    #[error("section {section} is not known; the linker reads {known}")]
    Record {
        /// Its name.
        section: String,
        /// The known names.
        known: String,
    },
    /// An indirect function, whose value is a resolver.
    #[error("`{symbol}` is an IFUNC: its value is a resolver, which nobody runs")]
    Ifunc {
        /// Its name.
        symbol: String,
    },
    /// Relocations whose addend is in the code.
    #[error("section {section}: relocations without addends (REL) are not supported")]
    ImplicitAddend {
        /// The section that they are for.
        section: String,
    },
    /// An unsupported relocation.
    #[error("{place}: unsupported relocation: {what}")]
    Relocation {
        /// The symbol or section.
        place: String,
        /// The relocation or instruction.
        what: String,
    },
    /// The section of stack sizes is not a list of 32-bit numbers.
    #[error(".polkavm_min_stack_size has {length} bytes, which is no multiple of 4")]
    MinStackSize {
        /// Its length in bytes.
        length: usize,
    },
    /// A malformed record for the linker.
    #[error("{place}: {what}")]
    Metadata {
        /// The symbol or section.
        place: String,
        /// The fault.
        what: String,
    },
}

impl From<object::Error> for ElfError {
    fn from(error: object::Error) -> Self {
        ElfError::Malformed(error.to_string())
    }
}
