//! RISC-V instructions and their decoder.
//!
//! [`decode()`] turns one instruction word into an [`Inst`]; `ir::lift` translates it. docs/linking.md#input-files
//! lists the accepted extensions.

mod compressed;
mod decode;

pub use decode::decode;

use vm_core::isa::{Opcode, Reg};

/// A register operand: x0 is `None`.
pub type Operand = Option<Reg>;

/// Conditions of branches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// Equal.
    Equal,
    /// Inequality.
    NotEqual,
    /// Less, signed.
    Less,
    /// Greater or equal, signed.
    GreaterOrEqual,
    /// Less, unsigned.
    LessUnsigned,
    /// Greater or equal, unsigned.
    GreaterOrEqualUnsigned,
}

/// Operation of an atomic read-modify-write instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Atomic {
    /// The operand replaces the value.
    Swap,
    /// A plain operation of the old value and the operand.
    Op(Opcode),
}

/// A decoded instruction. Immediates are sign-extended; offsets are relative to the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the fields are those of the RISC-V manual")]
pub enum Inst {
    /// `lui`: the immediate has its low 12 bits clear.
    Lui { rd: Operand, imm: i32 },
    /// `auipc`.
    Auipc { rd: Operand, imm: i32 },
    /// `jal`.
    Jal { rd: Operand, offset: i32 },
    /// `jalr`.
    Jalr { rd: Operand, rs1: Operand, offset: i32 },
    /// A conditional branch.
    Branch { condition: Condition, rs1: Operand, rs2: Operand, offset: i32 },
    /// A load; the opcode is the VM's `load_indirect_*`.
    Load { op: Opcode, rd: Operand, rs1: Operand, offset: i32 },
    /// A store; the opcode is the VM's `store_indirect_*`.
    Store { op: Opcode, rs1: Operand, rs2: Operand, offset: i32 },
    /// A register-register operation; the opcode is the VM's of the same meaning.
    Op { op: Opcode, rd: Operand, rs1: Operand, rs2: Operand },
    /// A register-immediate operation; the opcode is that of the register-register form.
    OpImm { op: Opcode, rd: Operand, rs1: Operand, imm: i32 },
    /// An operation of one register.
    Unary { op: Opcode, rd: Operand, rs1: Operand },
    /// `zext.w`, on RV64.
    ZeroExtend32 { rd: Operand, rs1: Operand },
    /// `sh?add(.uw)`, `add.uw`: `rd = (rs1 << shift) + rs2`, of the low half of `rs1` where `word` is set.
    ShiftAdd { shift: u8, word: bool, rd: Operand, rs1: Operand, rs2: Operand },
    /// `slli.uw`.
    ShiftLeftWord { rd: Operand, rs1: Operand, amount: i32 },
    /// `bset`, `bclr`, `binv`, `bext` with their bit in a register.
    Bit { op: BitOp, rd: Operand, rs1: Operand, rs2: Operand },
    /// Single-bit operation with an immediate index.
    BitImm { op: BitOp, rd: Operand, rs1: Operand, bit: u8 },
    /// `orc.b`.
    OrCombine { rd: Operand, rs1: Operand },
    /// `th.mveqz`, `th.mvnez`: a conditional move that otherwise keeps `rd`.
    MoveIf { zero: bool, rd: Operand, rs1: Operand, condition: Operand },
    /// `czero.eqz`, `czero.nez`: `rs1`, or 0 if the condition holds.
    ClearIf { zero: bool, rd: Operand, rs1: Operand, condition: Operand },
    /// `lr.w`, `lr.d`.
    LoadReserved { word: bool, rd: Operand, rs1: Operand },
    /// `sc.w`, `sc.d`.
    StoreConditional { word: bool, rd: Operand, rs1: Operand, rs2: Operand },
    /// An atomic read-modify-write.
    Atomic { op: Atomic, word: bool, rd: Operand, rs1: Operand, rs2: Operand },
    /// `fence`, `fence.i`: nothing to do for one hart.
    Fence,
    /// `unimp`, the all-zero halfword, `ebreak`.
    Trap,
    /// A host call; a pointer to its metadata follows (docs/linking.md#records-of-guests).
    HostCall,
    /// Heap growth.
    Sbrk { rd: Operand, rs1: Operand },
    /// Memory fill.
    Memset,
    /// The start address of the heap.
    HeapBase { rd: Operand },
}

/// Single-bit operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BitOp {
    /// Sets the bit.
    Set,
    /// Clears the bit.
    Clear,
    /// Inverts the bit.
    Invert,
    /// Reads the bit.
    Extract,
}

/// Reason for which an instruction word cannot be linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not an instruction of the accepted extensions.
    #[error("unsupported instruction {word:#010x}{}", group(*.word))]
    Unsupported {
        /// The instruction word; a compressed one is in its low half.
        word: u32,
    },
    /// A register that the VM does not have: x3, x4, x16 and up.
    #[error(
        "unsupported register x{register} in instruction {word:#010x} (only x0 to x2 and x5 to x15 are: compile for rv64e or rv32e)"
    )]
    Register {
        /// Its number.
        register: u32,
        /// The instruction word.
        word: u32,
    },
}

/// Names the extension of an instruction that the VM lacks, for messages.
const fn group(word: u32) -> &'static str {
    match (word & 0x7f, word >> 12 & 7) {
        _ if word & 3 != 3 => match (word & 3, word >> 13 & 7) {
            (0 | 2, 1 | 5) => " (floating-point: compile without the extensions F and D)",
            _ => "",
        },
        (0x73, 0) => match word {
            0x0000_0073 => " (ecall: there is no environment to call; import host functions instead)",
            _ => " (privileged)",
        },
        (0x73, 4) => " (hypervisor)",
        (0x73, _) => " (control and status register)",
        (0x07 | 0x27, 0 | 5..=7) | (0x57, _) => " (vector: compile without the extension V)",
        (0x07 | 0x27 | 0x43 | 0x47 | 0x4b | 0x4f | 0x53, _) => {
            " (floating-point: compile without the extensions F and D)"
        }
        (0x2f, _) => " (atomic, of a width or kind that is not understood)",
        (0x0f, _) => " (cache management)",
        _ => "",
    }
}

/// Returns the VM's register for a RISC-V register number (docs/linking.md#input-files).
fn register(number: u32, word: u32) -> Result<Operand, DecodeError> {
    Ok(match number {
        0 => None,
        1 | 2 => Some(Reg::ALL[number as usize - 1]),
        5..=15 => Some(Reg::ALL[number as usize - 3]),
        _ => return Err(DecodeError::Register { register: number, word }),
    })
}
