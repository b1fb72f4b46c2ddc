//! Errors of the engine. At the raw level guest faults are outcomes, not errors.

use crate::sandbox::SandboxError;
use std::fmt;
use std::sync::Arc;
use vm_core::blob::BlobError;
use vm_core::interpreter::SnapshotError;
use vm_core::memory::MemoryError;
use vm_core::program::ProgramError;

/// An error of the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// An environment variable has an invalid value.
    Environment {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// Its possible values.
        allowed: Vec<&'static str>,
    },
    /// The bytes are not a program blob that can be run.
    Blob(BlobError),
    /// The program cannot be loaded.
    Program(ProgramError),
    /// Programs cannot be compiled on this machine.
    NoCompiler {
        /// The missing requirement.
        missing: &'static str,
    },
    /// Stored machine code cannot be used.
    Stored(StoredError),
    /// The program cannot be compiled, for this reason; the interpreter could run it.
    Compile(String),
    /// The verifier refuses the code that the compiler emitted: a bug in one of the two. The interpreter could run the program.
    Verify(VerifyError),
    /// A sandboxed process could not be made, or was lost. An instance that it ran is unusable.
    Sandbox(SandboxError),
    /// The snapshot cannot be restored.
    Snapshot(SnapshotError),
    /// A host function of this name is already defined.
    Duplicate {
        /// The name.
        name: String,
    },
    /// The module's imports are not all defined.
    MissingImports {
        /// The missing imports.
        names: Vec<String>,
    },
    /// The module was loaded by another engine.
    OtherEngine,
    /// The program exports no function of this name.
    NoExport {
        /// The name.
        name: String,
    },
    /// The instance is already in a call.
    Busy,
    /// Arguments on the stack could not be read or written.
    Arguments(MemoryError),
    /// The guest called an import whose number does not exist.
    NoSuchImport {
        /// Its number.
        number: u32,
    },
    /// The guest called an undefined import, for which [`crate::Linker::define_unknown_imports_as_traps`] stood in.
    UndefinedImport {
        /// Its name.
        name: String,
    },
    /// Guest fault.
    Trap {
        /// The code offset of the instruction.
        pc: Option<u32>,
    },
    /// The guest ran out of gas. With synchronous metering the call can be resumed after gas is added:
    /// [`crate::TypedFunc::resume`].
    OutOfGas,
    /// There is no call of this function to resume: none ran out of gas, the instance's state was changed since, or
    /// metering is asynchronous.
    NothingToResume,
    /// A host function failed.
    Host(Arc<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Environment { variable, value, allowed } => {
                write!(f, "{variable} is {value:?}; it can be {}", allowed.join(", "))
            }
            Error::Blob(error) => write!(f, "not a program blob: {error}"),
            Error::Program(error) => write!(f, "the program cannot be loaded: {error}"),
            Error::NoCompiler { missing } => {
                write!(f, "programs cannot be compiled here: {missing}; use the backend interpreter, or auto")
            }
            Error::Compile(why) => write!(f, "the program cannot be compiled: {why}; the interpreter can run it"),
            Error::Verify(error) => {
                write!(f, "{error}; this is a bug of the compiler, the interpreter can run the program")
            }
            Error::Stored(error) => write!(f, "stored machine code: {error}"),
            Error::Sandbox(error) => error.fmt(f),
            Error::Snapshot(error) => error.fmt(f),
            Error::Duplicate { name } => write!(f, "there is a host function {name:?} already"),
            Error::MissingImports { names } => {
                write!(f, "the program imports functions that are not defined: {}", names.join(", "))
            }
            Error::OtherEngine => write!(f, "the module was loaded by another engine than the linker's"),
            Error::NoExport { name } => write!(f, "the program exports no function {name:?}"),
            Error::Busy => write!(f, "the instance is in a call already; a host function cannot call its caller"),
            Error::Arguments(error) => write!(f, "arguments on the stack: {error}"),
            Error::NoSuchImport { number } => write!(f, "the guest called import {number}, which it does not have"),
            Error::UndefinedImport { name } => write!(f, "the guest called {name:?}, which is not defined"),
            Error::Trap { pc: Some(pc) } => write!(f, "the guest trapped at code offset {pc}"),
            Error::Trap { pc: None } => write!(f, "the guest trapped"),
            Error::OutOfGas => write!(f, "the guest has no gas left"),
            Error::NothingToResume => write!(f, "no call of this function waits for gas"),
            Error::Host(error) => write!(f, "a host function failed: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Blob(error) => Some(error),
            Error::Program(error) => Some(error),
            Error::Verify(error) => Some(error),
            Error::Stored(error) => Some(error),
            Error::Sandbox(error) => Some(error),
            Error::Snapshot(error) => Some(error),
            Error::Arguments(error) => Some(error),
            Error::Host(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Error of loading stored machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StoredError {
    /// This engine does not compile programs.
    NotCompiling,
    /// The bytes are not stored machine code.
    NoCode,
    /// Stored by another version of the engine.
    OtherEngine,
    /// Stored for another configuration of the program.
    OtherConfiguration,
    /// Stored for another program.
    OtherProgram,
    /// The bytes end early.
    Truncated {
        /// Offset of the missing part.
        offset: usize,
        /// Its length.
        needed: usize,
    },
    /// There are bytes after the end.
    TooLong {
        /// Size in bytes.
        bytes: usize,
    },
    /// A number is too large.
    OutOfRange {
        /// The resource.
        what: &'static str,
        /// The number.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// Numbers that must ascend do not.
    Order {
        /// The resources.
        what: &'static str,
        /// The number.
        found: u32,
        /// The preceding number, which is larger.
        before: u32,
    },
    /// The verifier refuses the code.
    Verify(VerifyError),
}

impl fmt::Display for StoredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoredError::NotCompiling => write!(f, "this engine interprets, or the program is traced"),
            StoredError::NoCode => write!(f, "it is something else"),
            StoredError::OtherEngine => write!(f, "another version of the engine made it"),
            StoredError::OtherConfiguration => write!(f, "it was made for another configuration of the program"),
            StoredError::OtherProgram => write!(f, "it was made of another program"),
            StoredError::Truncated { offset, needed } => {
                write!(f, "{needed} bytes are needed at offset {offset}, where it ends earlier")
            }
            StoredError::TooLong { bytes } => write!(f, "{bytes} bytes are too much"),
            StoredError::OutOfRange { what, found, limit } => write!(f, "{what} is {found}, the limit is {limit}"),
            StoredError::Order { what, found, before } => write!(f, "{what} is {found}, after {before}"),
            StoredError::Verify(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoredError {}

/// Rule of the verifier: what has to hold of machine code before it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CodeRule {
    /// Jump table, routines, program and stubs follow each other without a gap.
    Layout,
    /// The routines that enter and leave guest code are known byte by byte.
    Routines,
    /// An instruction has one of the forms that the compiler emits.
    Form,
    /// Operands are registers of the guest and the scratch register.
    Register,
    /// Memory is accessed by 32-bit addresses: a register of the guest and a displacement, or a constant.
    Address,
    /// Each push is popped in the same sequence, which neither accesses memory nor leaves.
    Stack,
    /// A block begins with its charge, which is positive and whose stub is its own.
    Charge,
    /// A branch gives back what the cost model says, and less than its block's charge.
    Refund,
    /// The end of a block is followed by another block.
    BlockStart,
    /// A direct jump leads to the start of a block.
    Target,
    /// A call leads to a routine that the program may call.
    Call,
    /// A dynamic jump checks and masks the index of the entry that it reads.
    DynamicJump,
    /// An entry of the jump table is zero or the start of a block.
    JumpTable,
    /// An entry of the pc map is the start of an instruction.
    PcMap,
    /// A stub calls its routine.
    Stub,
}

impl fmt::Display for CodeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodeRule::Layout => "its parts do not follow each other without a gap",
            CodeRule::Routines => "these are not the routines that enter and leave guest code",
            CodeRule::Form => "no instruction that the compiler emits",
            CodeRule::Register => "an operand that instructions may not have",
            CodeRule::Address => "an address that may lie outside of guest memory",
            CodeRule::Stack => "pushes without their pops, or what may not be between them",
            CodeRule::Charge => "a block that does not begin with its charge",
            CodeRule::Refund => "gas that a branch must not give back",
            CodeRule::BlockStart => "no block starts behind the end of one",
            CodeRule::Target => "a jump leads here, where no block starts",
            CodeRule::Call => "a call of no routine that a program may call",
            CodeRule::DynamicJump => "a dynamic jump that is not checked",
            CodeRule::JumpTable => "an entry of the jump table that is no block",
            CodeRule::PcMap => "an entry of the pc map that is no instruction",
            CodeRule::Stub => "a stub that does not call its routine",
        })
    }
}

/// Refusal of machine code by the verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyError {
    rule: CodeRule,
    offset: u32,
    bytes: [u8; VerifyError::BYTES],
    length: u8,
}

impl VerifyError {
    /// The most bytes that an error shows: as many as an instruction can have.
    pub(crate) const BYTES: usize = 15;

    #[cfg_attr(not(jit_supported), allow(dead_code, reason = "for compiled code"))]
    pub(crate) fn new(rule: CodeRule, offset: u32, from: &[u8]) -> VerifyError {
        let mut bytes = [0; VerifyError::BYTES];
        let length = from.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        VerifyError { rule, offset, bytes, length: length as u8 }
    }

    /// The rule that is violated.
    pub fn rule(&self) -> CodeRule {
        self.rule
    }

    /// The offset in the image ([`crate::Module::machine_code`]).
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The bytes there, those of the longest instruction.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length as usize).unwrap_or_default()
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the verifier refuses machine code at offset {}, {} (bytes", self.offset, self.rule)?;
        for byte in self.bytes() {
            write!(f, " {byte:02x}")?;
        }
        write!(f, ")")
    }
}

impl std::error::Error for VerifyError {}

/// Implements the conversion of errors to the variants that wrap them.
macro_rules! wrap_errors {
    ($($from:ident => $to:ident::$variant:ident,)*) => {$(
        impl From<$from> for $to {
            fn from(error: $from) -> $to {
                $to::$variant(error)
            }
        }
    )*};
}

wrap_errors! {
    VerifyError => StoredError::Verify,
    StoredError => Error::Stored,
    SandboxError => Error::Sandbox,
    BlobError => Error::Blob,
    ProgramError => Error::Program,
}
