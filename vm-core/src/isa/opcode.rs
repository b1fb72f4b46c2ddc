//! The mnemonics: one enum for all instruction sets.
//!
//! A variant names what an instruction means, not its number: the numbers differ per instruction set and stand in
//! [`super::table`]. The order is that of the table, so that `opcode as usize` indexes it (checked by a test there).

use super::table::{InstructionSpec, TABLE};

/// What an instruction does, independent of its number in any instruction set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// `trap`
    Trap,
    /// `fallthrough`
    Fallthrough,
    /// `memset`
    Memset,
    /// `unlikely`
    Unlikely,
    /// `jump_indirect`
    JumpIndirect,
    /// `load_imm`
    LoadImm,
    /// `load_u8`
    LoadU8,
    /// `load_i8`
    LoadI8,
    /// `load_u16`
    LoadU16,
    /// `load_i16`
    LoadI16,
    /// `load_i32`
    LoadI32,
    /// `load_u32`
    LoadU32,
    /// `load_u64`
    LoadU64,
    /// `store_u8`
    StoreU8,
    /// `store_u16`
    StoreU16,
    /// `store_u32`
    StoreU32,
    /// `store_u64`
    StoreU64,
    /// `load_imm_and_jump`
    LoadImmAndJump,
    /// `branch_eq_imm`
    BranchEqImm,
    /// `branch_not_eq_imm`
    BranchNotEqImm,
    /// `branch_less_unsigned_imm`
    BranchLessUnsignedImm,
    /// `branch_less_signed_imm`
    BranchLessSignedImm,
    /// `branch_greater_or_equal_unsigned_imm`
    BranchGreaterOrEqualUnsignedImm,
    /// `branch_greater_or_equal_signed_imm`
    BranchGreaterOrEqualSignedImm,
    /// `branch_less_or_equal_signed_imm`
    BranchLessOrEqualSignedImm,
    /// `branch_less_or_equal_unsigned_imm`
    BranchLessOrEqualUnsignedImm,
    /// `branch_greater_signed_imm`
    BranchGreaterSignedImm,
    /// `branch_greater_unsigned_imm`
    BranchGreaterUnsignedImm,
    /// `store_imm_indirect_u8`
    StoreImmIndirectU8,
    /// `store_imm_indirect_u16`
    StoreImmIndirectU16,
    /// `store_imm_indirect_u32`
    StoreImmIndirectU32,
    /// `store_imm_indirect_u64`
    StoreImmIndirectU64,
    /// `store_indirect_u8`
    StoreIndirectU8,
    /// `store_indirect_u16`
    StoreIndirectU16,
    /// `store_indirect_u32`
    StoreIndirectU32,
    /// `store_indirect_u64`
    StoreIndirectU64,
    /// `load_indirect_u8`
    LoadIndirectU8,
    /// `load_indirect_i8`
    LoadIndirectI8,
    /// `load_indirect_u16`
    LoadIndirectU16,
    /// `load_indirect_i16`
    LoadIndirectI16,
    /// `load_indirect_i32`
    LoadIndirectI32,
    /// `load_indirect_u32`
    LoadIndirectU32,
    /// `load_indirect_u64`
    LoadIndirectU64,
    /// `add_imm_32`
    AddImm32,
    /// `add_imm_64`
    AddImm64,
    /// `and_imm`
    AndImm,
    /// `xor_imm`
    XorImm,
    /// `or_imm`
    OrImm,
    /// `mul_imm_32`
    MulImm32,
    /// `mul_imm_64`
    MulImm64,
    /// `set_less_than_unsigned_imm`
    SetLessThanUnsignedImm,
    /// `set_less_than_signed_imm`
    SetLessThanSignedImm,
    /// `shift_logical_left_imm_32`
    ShiftLogicalLeftImm32,
    /// `shift_logical_left_imm_64`
    ShiftLogicalLeftImm64,
    /// `shift_logical_right_imm_32`
    ShiftLogicalRightImm32,
    /// `shift_logical_right_imm_64`
    ShiftLogicalRightImm64,
    /// `shift_arithmetic_right_imm_32`
    ShiftArithmeticRightImm32,
    /// `shift_arithmetic_right_imm_64`
    ShiftArithmeticRightImm64,
    /// `negate_and_add_imm_32`
    NegateAndAddImm32,
    /// `negate_and_add_imm_64`
    NegateAndAddImm64,
    /// `set_greater_than_unsigned_imm`
    SetGreaterThanUnsignedImm,
    /// `set_greater_than_signed_imm`
    SetGreaterThanSignedImm,
    /// `shift_logical_right_imm_alt_32`
    ShiftLogicalRightImmAlt32,
    /// `shift_logical_right_imm_alt_64`
    ShiftLogicalRightImmAlt64,
    /// `shift_arithmetic_right_imm_alt_32`
    ShiftArithmeticRightImmAlt32,
    /// `shift_arithmetic_right_imm_alt_64`
    ShiftArithmeticRightImmAlt64,
    /// `shift_logical_left_imm_alt_32`
    ShiftLogicalLeftImmAlt32,
    /// `shift_logical_left_imm_alt_64`
    ShiftLogicalLeftImmAlt64,
    /// `cmov_if_zero_imm`
    CmovIfZeroImm,
    /// `cmov_if_not_zero_imm`
    CmovIfNotZeroImm,
    /// `rotate_right_imm_32`
    RotateRightImm32,
    /// `rotate_right_imm_alt_32`
    RotateRightImmAlt32,
    /// `rotate_right_imm_64`
    RotateRightImm64,
    /// `rotate_right_imm_alt_64`
    RotateRightImmAlt64,
    /// `branch_eq`
    BranchEq,
    /// `branch_not_eq`
    BranchNotEq,
    /// `branch_less_unsigned`
    BranchLessUnsigned,
    /// `branch_less_signed`
    BranchLessSigned,
    /// `branch_greater_or_equal_unsigned`
    BranchGreaterOrEqualUnsigned,
    /// `branch_greater_or_equal_signed`
    BranchGreaterOrEqualSigned,
    /// `add_32`
    Add32,
    /// `add_64`
    Add64,
    /// `sub_32`
    Sub32,
    /// `sub_64`
    Sub64,
    /// `and`
    And,
    /// `xor`
    Xor,
    /// `or`
    Or,
    /// `mul_32`
    Mul32,
    /// `mul_64`
    Mul64,
    /// `mul_upper_signed_signed`
    MulUpperSignedSigned,
    /// `mul_upper_unsigned_unsigned`
    MulUpperUnsignedUnsigned,
    /// `mul_upper_signed_unsigned`
    MulUpperSignedUnsigned,
    /// `set_less_than_unsigned`
    SetLessThanUnsigned,
    /// `set_less_than_signed`
    SetLessThanSigned,
    /// `shift_logical_left_32`
    ShiftLogicalLeft32,
    /// `shift_logical_left_64`
    ShiftLogicalLeft64,
    /// `shift_logical_right_32`
    ShiftLogicalRight32,
    /// `shift_logical_right_64`
    ShiftLogicalRight64,
    /// `shift_arithmetic_right_32`
    ShiftArithmeticRight32,
    /// `shift_arithmetic_right_64`
    ShiftArithmeticRight64,
    /// `div_unsigned_32`
    DivUnsigned32,
    /// `div_unsigned_64`
    DivUnsigned64,
    /// `div_signed_32`
    DivSigned32,
    /// `div_signed_64`
    DivSigned64,
    /// `rem_unsigned_32`
    RemUnsigned32,
    /// `rem_unsigned_64`
    RemUnsigned64,
    /// `rem_signed_32`
    RemSigned32,
    /// `rem_signed_64`
    RemSigned64,
    /// `cmov_if_zero`
    CmovIfZero,
    /// `cmov_if_not_zero`
    CmovIfNotZero,
    /// `and_inverted`
    AndInverted,
    /// `or_inverted`
    OrInverted,
    /// `xnor`
    Xnor,
    /// `maximum`
    Maximum,
    /// `maximum_unsigned`
    MaximumUnsigned,
    /// `minimum`
    Minimum,
    /// `minimum_unsigned`
    MinimumUnsigned,
    /// `rotate_left_32`
    RotateLeft32,
    /// `rotate_left_64`
    RotateLeft64,
    /// `rotate_right_32`
    RotateRight32,
    /// `rotate_right_64`
    RotateRight64,
    /// `jump`
    Jump,
    /// `ecalli`
    Ecalli,
    /// `store_imm_u8`
    StoreImmU8,
    /// `store_imm_u16`
    StoreImmU16,
    /// `store_imm_u32`
    StoreImmU32,
    /// `store_imm_u64`
    StoreImmU64,
    /// `move_reg`
    MoveReg,
    /// `sbrk`
    Sbrk,
    /// `count_leading_zero_bits_32`
    CountLeadingZeroBits32,
    /// `count_leading_zero_bits_64`
    CountLeadingZeroBits64,
    /// `count_trailing_zero_bits_32`
    CountTrailingZeroBits32,
    /// `count_trailing_zero_bits_64`
    CountTrailingZeroBits64,
    /// `count_set_bits_32`
    CountSetBits32,
    /// `count_set_bits_64`
    CountSetBits64,
    /// `sign_extend_8`
    SignExtend8,
    /// `sign_extend_16`
    SignExtend16,
    /// `zero_extend_16`
    ZeroExtend16,
    /// `reverse_byte`
    ReverseByte,
    /// `load_imm_and_jump_indirect`
    LoadImmAndJumpIndirect,
    /// `load_imm64`
    LoadImm64,
}

impl Opcode {
    /// How many mnemonics there are.
    pub const COUNT: usize = 141;

    /// The table row: numbers, operand format, block and gas facts, meaning.
    pub const fn spec(self) -> &'static InstructionSpec {
        &TABLE[self as usize]
    }

    /// Every opcode, in table order.
    pub fn all() -> impl Iterator<Item = Opcode> + Clone {
        TABLE.iter().map(|spec| spec.opcode)
    }
}
