//! The interpreter's own instructions: fixed-size, decoded, with operands where the main loop wants them.
//!
//! Made by `translate`, run by `execute`. One kind serves several instructions where only the operands differ: absolute
//! loads and stores are indirect ones with the register that always reads as zero. A 32-bit program runs on the same
//! kinds, as its registers hold sign-extended values; the four operations for which that is not enough have a kind of
//! their own.

use crate::isa::Opcode;

/// The register number that reads as zero; no instruction writes it.
pub(super) const ZERO: u8 = 13;

/// A jump target that is not translated yet: this bit, and the index of the jumping op. As an index of an op it is out
/// of range, so the main loop needs no check for it.
pub(super) const UNLINKED: u32 = 1 << 31;

/// Value of [`Op::a`] in a [`Kind::Jump`]: where the jump comes from.
pub(super) mod jump {
    /// A jump instruction.
    pub const PLAIN: u8 = 0;
    /// Control going on behind a block; the next block may take this op's place.
    pub const NEXT_BLOCK: u8 = 1;
    /// Control going on inside a block that was translated in parts.
    pub const SAME_BLOCK: u8 = 2;
}

/// One op; 16 bytes. `a`, `b`, `c` are register numbers below 16 (`a` the destination or stored value, `b` the base or
/// first source), `imm` the immediate, or the address offset of memory accesses. `lo` and `hi` are, in jumps and
/// branches, the index and the code offset of the target; otherwise a second immediate in `lo`, or 64 bits of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub kind: Kind,
    pub a: u8,
    pub b: u8,
    pub c: u8,
    pub imm: u32,
    pub lo: u32,
    pub hi: u32,
}

const _: () = assert!(core::mem::size_of::<Op>() == 16);

impl Op {
    pub const fn new(kind: Kind) -> Op {
        Op { kind, a: 0, b: 0, c: 0, imm: 0, lo: 0, hi: 0 }
    }

    /// Whether this op leads to a later part of its own block.
    pub fn continues_block(&self) -> bool {
        self.kind == Kind::Jump && self.a == jump::SAME_BLOCK
    }
}

/// What an op does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// Pays `imm` gas for the block that begins here.
    Charge,
    /// Stops before the instruction that follows.
    Step,
    Trap,
    /// Host call number `imm`; the next instruction is at offset `lo`.
    HostCall,
    Jump,
    JumpIndirect,
    /// `imm` is the link value.
    LoadImmAndJump,
    /// `imm` is the address offset, `lo` the link value.
    LoadImmAndJumpIndirect,
    LoadImm,
    /// The value is in `lo` and `hi`.
    LoadImm64,
    MoveReg,
    Sbrk,
    Memset,
    MulUpperSignedSignedNarrow,
    MulUpperUnsignedUnsignedNarrow,
    MulUpperSignedUnsignedNarrow,
    ReverseByteNarrow,
    LoadU8,
    LoadI8,
    LoadU16,
    LoadI16,
    LoadI32,
    LoadU32,
    LoadU64,
    StoreU8,
    StoreU16,
    StoreU32,
    StoreU64,
    BranchEqImm,
    BranchNotEqImm,
    BranchLessUnsignedImm,
    BranchLessSignedImm,
    BranchGreaterOrEqualUnsignedImm,
    BranchGreaterOrEqualSignedImm,
    BranchLessOrEqualSignedImm,
    BranchLessOrEqualUnsignedImm,
    BranchGreaterSignedImm,
    BranchGreaterUnsignedImm,
    StoreImmU8,
    StoreImmU16,
    StoreImmU32,
    StoreImmU64,
    AddImm32,
    AddImm64,
    AndImm,
    XorImm,
    OrImm,
    MulImm32,
    MulImm64,
    SetLessThanUnsignedImm,
    SetLessThanSignedImm,
    ShiftLogicalLeftImm32,
    ShiftLogicalLeftImm64,
    ShiftLogicalRightImm32,
    ShiftLogicalRightImm64,
    ShiftArithmeticRightImm32,
    ShiftArithmeticRightImm64,
    NegateAndAddImm32,
    NegateAndAddImm64,
    SetGreaterThanUnsignedImm,
    SetGreaterThanSignedImm,
    ShiftLogicalRightImmAlt32,
    ShiftLogicalRightImmAlt64,
    ShiftArithmeticRightImmAlt32,
    ShiftArithmeticRightImmAlt64,
    ShiftLogicalLeftImmAlt32,
    ShiftLogicalLeftImmAlt64,
    CmovIfZeroImm,
    CmovIfNotZeroImm,
    RotateRightImm32,
    RotateRightImmAlt32,
    RotateRightImm64,
    RotateRightImmAlt64,
    BranchEq,
    BranchNotEq,
    BranchLessUnsigned,
    BranchLessSigned,
    BranchGreaterOrEqualUnsigned,
    BranchGreaterOrEqualSigned,
    Add32,
    Add64,
    Sub32,
    Sub64,
    And,
    Xor,
    Or,
    Mul32,
    Mul64,
    MulUpperSignedSigned,
    MulUpperUnsignedUnsigned,
    MulUpperSignedUnsigned,
    SetLessThanUnsigned,
    SetLessThanSigned,
    ShiftLogicalLeft32,
    ShiftLogicalLeft64,
    ShiftLogicalRight32,
    ShiftLogicalRight64,
    ShiftArithmeticRight32,
    ShiftArithmeticRight64,
    DivUnsigned32,
    DivUnsigned64,
    DivSigned32,
    DivSigned64,
    RemUnsigned32,
    RemUnsigned64,
    RemSigned32,
    RemSigned64,
    CmovIfZero,
    CmovIfNotZero,
    AndInverted,
    OrInverted,
    Xnor,
    Maximum,
    MaximumUnsigned,
    Minimum,
    MinimumUnsigned,
    RotateLeft32,
    RotateLeft64,
    RotateRight32,
    RotateRight64,
    CountLeadingZeroBits32,
    CountLeadingZeroBits64,
    CountTrailingZeroBits32,
    CountTrailingZeroBits64,
    CountSetBits32,
    CountSetBits64,
    SignExtend8,
    SignExtend16,
    ZeroExtend16,
    ReverseByte,
}

/// The op kind of an instruction; `None` for the few that translate to no op or to one that depends on more than the
/// opcode. `wide` says whether registers have 64 bits.
pub(super) fn kind_of(opcode: Opcode, wide: bool) -> Option<Kind> {
    use Kind as K;
    use Opcode as O;
    Some(match opcode {
        O::Trap | O::Fallthrough | O::Unlikely | O::Ecalli => return None,
        O::Jump => K::Jump,
        O::JumpIndirect => K::JumpIndirect,
        O::LoadImmAndJump => K::LoadImmAndJump,
        O::LoadImmAndJumpIndirect => K::LoadImmAndJumpIndirect,
        O::LoadImm => K::LoadImm,
        O::LoadImm64 => K::LoadImm64,
        O::MoveReg => K::MoveReg,
        O::Sbrk => K::Sbrk,
        O::Memset => K::Memset,
        O::MulUpperSignedSigned if !wide => K::MulUpperSignedSignedNarrow,
        O::MulUpperUnsignedUnsigned if !wide => K::MulUpperUnsignedUnsignedNarrow,
        O::MulUpperSignedUnsigned if !wide => K::MulUpperSignedUnsignedNarrow,
        O::ReverseByte if !wide => K::ReverseByteNarrow,
        O::LoadU8 | O::LoadIndirectU8 => K::LoadU8,
        O::LoadI8 | O::LoadIndirectI8 => K::LoadI8,
        O::LoadU16 | O::LoadIndirectU16 => K::LoadU16,
        O::LoadI16 | O::LoadIndirectI16 => K::LoadI16,
        O::LoadI32 | O::LoadIndirectI32 => K::LoadI32,
        O::LoadU32 | O::LoadIndirectU32 => K::LoadU32,
        O::LoadU64 | O::LoadIndirectU64 => K::LoadU64,
        O::StoreU8 | O::StoreIndirectU8 => K::StoreU8,
        O::StoreU16 | O::StoreIndirectU16 => K::StoreU16,
        O::StoreU32 | O::StoreIndirectU32 => K::StoreU32,
        O::StoreU64 | O::StoreIndirectU64 => K::StoreU64,
        O::BranchEqImm => K::BranchEqImm,
        O::BranchNotEqImm => K::BranchNotEqImm,
        O::BranchLessUnsignedImm => K::BranchLessUnsignedImm,
        O::BranchLessSignedImm => K::BranchLessSignedImm,
        O::BranchGreaterOrEqualUnsignedImm => K::BranchGreaterOrEqualUnsignedImm,
        O::BranchGreaterOrEqualSignedImm => K::BranchGreaterOrEqualSignedImm,
        O::BranchLessOrEqualSignedImm => K::BranchLessOrEqualSignedImm,
        O::BranchLessOrEqualUnsignedImm => K::BranchLessOrEqualUnsignedImm,
        O::BranchGreaterSignedImm => K::BranchGreaterSignedImm,
        O::BranchGreaterUnsignedImm => K::BranchGreaterUnsignedImm,
        O::StoreImmIndirectU8 | O::StoreImmU8 => K::StoreImmU8,
        O::StoreImmIndirectU16 | O::StoreImmU16 => K::StoreImmU16,
        O::StoreImmIndirectU32 | O::StoreImmU32 => K::StoreImmU32,
        O::StoreImmIndirectU64 | O::StoreImmU64 => K::StoreImmU64,
        O::AddImm32 => K::AddImm32,
        O::AddImm64 => K::AddImm64,
        O::AndImm => K::AndImm,
        O::XorImm => K::XorImm,
        O::OrImm => K::OrImm,
        O::MulImm32 => K::MulImm32,
        O::MulImm64 => K::MulImm64,
        O::SetLessThanUnsignedImm => K::SetLessThanUnsignedImm,
        O::SetLessThanSignedImm => K::SetLessThanSignedImm,
        O::ShiftLogicalLeftImm32 => K::ShiftLogicalLeftImm32,
        O::ShiftLogicalLeftImm64 => K::ShiftLogicalLeftImm64,
        O::ShiftLogicalRightImm32 => K::ShiftLogicalRightImm32,
        O::ShiftLogicalRightImm64 => K::ShiftLogicalRightImm64,
        O::ShiftArithmeticRightImm32 => K::ShiftArithmeticRightImm32,
        O::ShiftArithmeticRightImm64 => K::ShiftArithmeticRightImm64,
        O::NegateAndAddImm32 => K::NegateAndAddImm32,
        O::NegateAndAddImm64 => K::NegateAndAddImm64,
        O::SetGreaterThanUnsignedImm => K::SetGreaterThanUnsignedImm,
        O::SetGreaterThanSignedImm => K::SetGreaterThanSignedImm,
        O::ShiftLogicalRightImmAlt32 => K::ShiftLogicalRightImmAlt32,
        O::ShiftLogicalRightImmAlt64 => K::ShiftLogicalRightImmAlt64,
        O::ShiftArithmeticRightImmAlt32 => K::ShiftArithmeticRightImmAlt32,
        O::ShiftArithmeticRightImmAlt64 => K::ShiftArithmeticRightImmAlt64,
        O::ShiftLogicalLeftImmAlt32 => K::ShiftLogicalLeftImmAlt32,
        O::ShiftLogicalLeftImmAlt64 => K::ShiftLogicalLeftImmAlt64,
        O::CmovIfZeroImm => K::CmovIfZeroImm,
        O::CmovIfNotZeroImm => K::CmovIfNotZeroImm,
        O::RotateRightImm32 => K::RotateRightImm32,
        O::RotateRightImmAlt32 => K::RotateRightImmAlt32,
        O::RotateRightImm64 => K::RotateRightImm64,
        O::RotateRightImmAlt64 => K::RotateRightImmAlt64,
        O::BranchEq => K::BranchEq,
        O::BranchNotEq => K::BranchNotEq,
        O::BranchLessUnsigned => K::BranchLessUnsigned,
        O::BranchLessSigned => K::BranchLessSigned,
        O::BranchGreaterOrEqualUnsigned => K::BranchGreaterOrEqualUnsigned,
        O::BranchGreaterOrEqualSigned => K::BranchGreaterOrEqualSigned,
        O::Add32 => K::Add32,
        O::Add64 => K::Add64,
        O::Sub32 => K::Sub32,
        O::Sub64 => K::Sub64,
        O::And => K::And,
        O::Xor => K::Xor,
        O::Or => K::Or,
        O::Mul32 => K::Mul32,
        O::Mul64 => K::Mul64,
        O::MulUpperSignedSigned => K::MulUpperSignedSigned,
        O::MulUpperUnsignedUnsigned => K::MulUpperUnsignedUnsigned,
        O::MulUpperSignedUnsigned => K::MulUpperSignedUnsigned,
        O::SetLessThanUnsigned => K::SetLessThanUnsigned,
        O::SetLessThanSigned => K::SetLessThanSigned,
        O::ShiftLogicalLeft32 => K::ShiftLogicalLeft32,
        O::ShiftLogicalLeft64 => K::ShiftLogicalLeft64,
        O::ShiftLogicalRight32 => K::ShiftLogicalRight32,
        O::ShiftLogicalRight64 => K::ShiftLogicalRight64,
        O::ShiftArithmeticRight32 => K::ShiftArithmeticRight32,
        O::ShiftArithmeticRight64 => K::ShiftArithmeticRight64,
        O::DivUnsigned32 => K::DivUnsigned32,
        O::DivUnsigned64 => K::DivUnsigned64,
        O::DivSigned32 => K::DivSigned32,
        O::DivSigned64 => K::DivSigned64,
        O::RemUnsigned32 => K::RemUnsigned32,
        O::RemUnsigned64 => K::RemUnsigned64,
        O::RemSigned32 => K::RemSigned32,
        O::RemSigned64 => K::RemSigned64,
        O::CmovIfZero => K::CmovIfZero,
        O::CmovIfNotZero => K::CmovIfNotZero,
        O::AndInverted => K::AndInverted,
        O::OrInverted => K::OrInverted,
        O::Xnor => K::Xnor,
        O::Maximum => K::Maximum,
        O::MaximumUnsigned => K::MaximumUnsigned,
        O::Minimum => K::Minimum,
        O::MinimumUnsigned => K::MinimumUnsigned,
        O::RotateLeft32 => K::RotateLeft32,
        O::RotateLeft64 => K::RotateLeft64,
        O::RotateRight32 => K::RotateRight32,
        O::RotateRight64 => K::RotateRight64,
        O::CountLeadingZeroBits32 => K::CountLeadingZeroBits32,
        O::CountLeadingZeroBits64 => K::CountLeadingZeroBits64,
        O::CountTrailingZeroBits32 => K::CountTrailingZeroBits32,
        O::CountTrailingZeroBits64 => K::CountTrailingZeroBits64,
        O::CountSetBits32 => K::CountSetBits32,
        O::CountSetBits64 => K::CountSetBits64,
        O::SignExtend8 => K::SignExtend8,
        O::SignExtend16 => K::SignExtend16,
        O::ZeroExtend16 => K::ZeroExtend16,
        O::ReverseByte => K::ReverseByte,
    })
}
