//! The instruction sets: registers, operand formats, the instruction table, decoding and encoding.
//!
//! Used by everything that reads code. Nothing here executes; `interpreter` does. Spec:
//! `docs/spec/encoding.md#encoding` and `docs/spec/instructions.md#instructions`.

mod code;
mod encode;
mod encoded;
mod instruction;
mod table;

pub use code::{CodeView, Decoded, EncodedInstructions, Instructions, MAX_INSTRUCTION_LENGTH};
pub use encode::{Assembly, EncodeError, assemble};
pub use encoded::Encoded;
pub use instruction::Instruction;
pub use table::{GasClass, InstructionSpec, Opcode, TABLE};

/// An instruction set that this crate decodes and runs. The number is also the column of the instruction table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Isa {
    /// 64-bit, blob version 0: what live chains, `resolc` and ink! 6 use.
    ReviveV1 = 0,
    /// 32-bit, blob version 1.
    Latest32 = 1,
    /// 64-bit, blob version 3: JAM services.
    JamV1 = 2,
}

impl Isa {
    /// All instruction sets, in the order of the table's columns.
    pub const ALL: [Isa; 3] = [Isa::ReviveV1, Isa::Latest32, Isa::JamV1];

    /// The blob version byte of this instruction set (`docs/spec/blobs.md#envelope`).
    pub const fn version(self) -> u8 {
        match self {
            Isa::ReviveV1 => 0,
            Isa::Latest32 => 1,
            Isa::JamV1 => 3,
        }
    }

    /// Returns the supported instruction set with this blob version byte, if there is one.
    pub const fn from_version(version: u8) -> Option<Isa> {
        match version {
            0 => Some(Isa::ReviveV1),
            1 => Some(Isa::Latest32),
            3 => Some(Isa::JamV1),
            _ => None,
        }
    }

    /// The name, as in messages and on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::ReviveV1 => "ReviveV1",
            Isa::Latest32 => "Latest32",
            Isa::JamV1 => "JamV1",
        }
    }

    /// True if registers are 64 bits wide (else 32).
    pub const fn is_64_bit(self) -> bool {
        !matches!(self, Isa::Latest32)
    }

    /// Opcode of a byte; `None` for an undefined one, which acts as a trap.
    pub const fn opcode(self, byte: u8) -> Option<Opcode> {
        table::LOOKUP[self as usize][byte as usize]
    }

    /// Operations by opcode byte, for walking code.
    fn operations(self) -> &'static table::Operations {
        &table::OPERATIONS[self as usize]
    }

    /// The byte of `opcode`, if this instruction set has it.
    pub const fn number(self, opcode: Opcode) -> Option<u8> {
        opcode.spec().numbers[self as usize]
    }

    /// True if an instruction with this opcode byte ends its block. Undefined opcodes do (they act as a trap).
    pub const fn byte_ends_block(self, byte: u8) -> bool {
        match self.opcode(byte) {
            Some(opcode) => opcode.spec().ends_block,
            None => true,
        }
    }
}

/// A register (`docs/spec/encoding.md#registers`; its role in a call: `docs/spec/execution.md#a-call`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reg {
    /// Return address.
    RA = 0,
    /// Stack pointer.
    SP = 1,
    /// Temporary 0, argument 7.
    T0 = 2,
    /// Temporary 1, argument 8.
    T1 = 3,
    /// Temporary 2, argument 9.
    T2 = 4,
    /// Saved by the callee.
    S0 = 5,
    /// Saved by the callee.
    S1 = 6,
    /// Argument 1, first result.
    A0 = 7,
    /// Argument 2, second result.
    A1 = 8,
    /// Argument 3.
    A2 = 9,
    /// Argument 4.
    A3 = 10,
    /// Argument 5.
    A4 = 11,
    /// Argument 6.
    A5 = 12,
}

impl Reg {
    /// Number of registers.
    pub const COUNT: usize = 13;

    /// All registers by number.
    pub const ALL: [Reg; Reg::COUNT] = [
        Reg::RA,
        Reg::SP,
        Reg::T0,
        Reg::T1,
        Reg::T2,
        Reg::S0,
        Reg::S1,
        Reg::A0,
        Reg::A1,
        Reg::A2,
        Reg::A3,
        Reg::A4,
        Reg::A5,
    ];

    /// Argument registers in order (`docs/spec/execution.md#a-call`).
    pub const ARGS: [Reg; 9] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5, Reg::T0, Reg::T1, Reg::T2];

    /// The register of a 4-bit code field; 13, 14 and 15 mean `A5`. Higher bits are ignored.
    pub const fn from_field(field: u8) -> Reg {
        const FIELDS: [Reg; 16] = {
            let mut fields = [Reg::A5; 16];
            let mut index = 0;
            while index < Reg::COUNT {
                fields[index] = Reg::ALL[index];
                index += 1;
            }
            fields
        };
        FIELDS[(field & 15) as usize]
    }

    /// The name in text: `ra`, `sp`, `a0`, …
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; Reg::COUNT] =
            ["ra", "sp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5"];
        NAMES[self as usize]
    }
}

/// The form of an instruction's operands (`docs/spec/encoding.md#forms`). The names list the operands in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// No operands.
    None,
    /// An immediate.
    Imm,
    /// A jump target.
    Offset,
    /// Two immediates.
    ImmImm,
    /// A register, an immediate.
    RegImm,
    /// A register, two immediates.
    RegImmImm,
    /// A register, an immediate, a jump target.
    RegImmOffset,
    /// Two registers.
    RegReg,
    /// Two registers, an immediate.
    RegRegImm,
    /// Two registers, a jump target.
    RegRegOffset,
    /// Three registers.
    RegRegReg,
    /// Two registers, two immediates.
    RegRegImmImm,
    /// A register, a 64-bit immediate.
    RegImm64,
}

impl Format {
    /// True if one of the operands is a jump target.
    pub const fn has_target(self) -> bool {
        matches!(self, Format::Offset | Format::RegImmOffset | Format::RegRegOffset)
    }
}
