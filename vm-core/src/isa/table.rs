//! The instruction table, from which everything else is derived.
//!
//! Decoder, encoder, gas models, documentation and test generators read it; nothing else in the project lists opcode
//! numbers. `docs/spec/instructions.md#instructions` is printed from it. Supporting one more instruction set is one
//! more column.
//!
//! In the meaning column `r1 r2 r3 imm imm2 target` are the fields of [`super::Instruction`]. Immediates are
//! sign-extended to the register width, `(32)` says that the low 32 bits are computed and sign-extended, `_s`/`_u`
//! suffixes are signed and unsigned, memory addresses and `djump` arguments are taken modulo 2^32.

use super::Format;

/// Class of an instruction in cost models that distinguish instructions (`docs/spec/gas.md#latencies-and-units-of-instructions`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum GasClass {
    /// Register-register arithmetic and logic of full width.
    Alu,
    /// 32-bit register-register addition and subtraction.
    Alu32,
    /// Register-immediate arithmetic, logic and shifts of full width, and the byte swap.
    AluImm,
    /// 32-bit register-immediate addition, shifts and rotation.
    AluImm32,
    /// Leading zeros, population count, sign and zero extension.
    BitCount,
    /// Trailing zeros.
    TrailingZeros,
    /// 64-bit shifts and rotations by a register.
    Shift,
    /// 32-bit shifts and rotations by a register.
    Shift32,
    /// 64-bit shifts and rotations of an immediate by a register.
    ShiftAlt,
    /// 32-bit shifts and rotations of an immediate by a register.
    ShiftAlt32,
    /// Set-if-less of two registers.
    Compare,
    /// Set-if-less or set-if-greater with an immediate.
    CompareImm,
    /// Conditional move of a register.
    Cmov,
    /// Conditional move of an immediate.
    CmovImm,
    /// Minimum and maximum.
    MinMax,
    /// And, or with an inverted operand.
    LogicInverted,
    /// Exclusive nor.
    Xnor,
    /// Immediate minus register, full width.
    Negate,
    /// Immediate minus register, 32 bits.
    Negate32,
    /// Load of an immediate.
    LoadImm,
    /// Load of a 64-bit immediate.
    LoadImm64,
    /// Register move.
    Move,
    /// 64-bit multiplication.
    Mul,
    /// 32-bit multiplication.
    Mul32,
    /// 64-bit multiplication by an immediate.
    MulImm,
    /// 32-bit multiplication by an immediate.
    MulImm32,
    /// High half of a product of equal signedness.
    MulUpper,
    /// High half of a signed by unsigned product.
    MulUpperMixed,
    /// Division and remainder.
    Divide,
    /// Load from an absolute address.
    Load,
    /// Load relative to a register.
    LoadIndirect,
    /// Store of a register to an absolute address.
    Store,
    /// Store of a register relative to a register.
    StoreIndirect,
    /// Store of an immediate to an absolute address.
    StoreImm,
    /// Store of an immediate relative to a register.
    StoreImmIndirect,
    /// Branch that compares two registers.
    Branch,
    /// Branch that compares a register and an immediate.
    BranchImm,
    /// Direct jump.
    Jump,
    /// Jump through the jump table.
    JumpIndirect,
    /// Traps, fallthrough and invalid instructions.
    Trap,
    /// The unlikely hint.
    Unlikely,
    /// Host call and memset.
    HostCall,
    /// Heap growth.
    Sbrk,
}

/// Row of the instruction table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstructionSpec {
    /// The instruction of this row.
    pub opcode: Opcode,
    /// Its number in `ReviveV1`, `Latest32`, `JamV1` (the order of [`super::Isa::ALL`]), where it has one.
    pub numbers: [Option<u8>; 3],
    /// Its name in text.
    pub mnemonic: &'static str,
    /// The form of its operands.
    pub format: Format,
    /// True if it is the last of its basic block (`docs/spec/encoding.md#blocks-and-targets`).
    pub ends_block: bool,
    /// True if control can continue at the following instruction (`docs/spec/encoding.md#blocks-and-targets`).
    pub can_fall_through: bool,
    /// Its class in detailed cost models.
    pub gas_class: GasClass,
    /// Its semantics in one line of pseudocode.
    pub semantics: &'static str,
}

/// Number column of an instruction set that lacks the instruction.
const __: i16 = -1;
/// Ends no block, and control continues.
const PLAIN: (bool, bool) = (false, true);
/// Terminator after which control may continue.
const SPLIT: (bool, bool) = (true, true);
/// Terminator after which control never continues.
const END: (bool, bool) = (true, false);

const fn number(value: i16) -> Option<u8> {
    if value < 0 { None } else { Some(value as u8) }
}

const fn row(
    opcode: Opcode,
    numbers: [i16; 3],
    mnemonic: &'static str,
    format: Format,
    flow: (bool, bool),
    gas_class: GasClass,
    semantics: &'static str,
) -> InstructionSpec {
    InstructionSpec {
        opcode,
        numbers: [number(numbers[0]), number(numbers[1]), number(numbers[2])],
        mnemonic,
        format,
        ends_block: flow.0,
        can_fall_through: flow.1,
        gas_class,
        semantics,
    }
}

/// Generates [`Opcode`] and [`TABLE`] from the rows below.
macro_rules! instructions {
    ($($opcode:ident $numbers:tt $mnemonic:literal $format:ident $flow:ident $gas_class:ident $semantics:literal,)*) => {
        /// An instruction's operation, independent of its number in any instruction set.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Opcode {
            $(#[doc = concat!("`", $mnemonic, "`")] $opcode,)*
        }

        /// All instructions of all instruction sets, in the order of [`Opcode`].
        pub const TABLE: [InstructionSpec; Opcode::COUNT] = [
            $(row(Opcode::$opcode, $numbers, $mnemonic, Format::$format, $flow, GasClass::$gas_class, $semantics),)*
        ];

        impl Opcode {
            /// Number of opcodes.
            pub const COUNT: usize = [$($mnemonic),*].len();
        }
    };
}

// Opcode, numbers in ReviveV1, Latest32 and JamV1, mnemonic, format, flow, gas class, semantics.
instructions! {
    Trap [0, 0, 0] "trap" None END Trap "stop with Trap",
    Fallthrough [1, 1, 1] "fallthrough" None SPLIT Trap "end the block, go on",
    Memset [__, 2, __] "memset" None PLAIN HostCall "fill A2 bytes at A0 with A1, one gas a byte",
    Unlikely [__, 3, 2] "unlikely" None PLAIN Unlikely "nothing (a hint to the pipeline cost model)",
    JumpIndirect [50, 50, 50] "jump_indirect" RegImm END JumpIndirect "djump(lo32(r1 + imm))",
    LoadImm [51, 51, 51] "load_imm" RegImm PLAIN LoadImm "r1 = imm",
    LoadU8 [52, 52, 52] "load_u8" RegImm PLAIN Load "r1 = zx(mem8[imm])",
    LoadI8 [53, 53, 53] "load_i8" RegImm PLAIN Load "r1 = sx(mem8[imm])",
    LoadU16 [54, 54, 54] "load_u16" RegImm PLAIN Load "r1 = zx(mem16[imm])",
    LoadI16 [55, 55, 55] "load_i16" RegImm PLAIN Load "r1 = sx(mem16[imm])",
    LoadI32 [57, 57, 57] "load_i32" RegImm PLAIN Load "r1 = sx(mem32[imm])",
    LoadU32 [56, __, 56] "load_u32" RegImm PLAIN Load "r1 = zx(mem32[imm])",
    LoadU64 [58, __, 58] "load_u64" RegImm PLAIN Load "r1 = zx(mem64[imm])",
    StoreU8 [59, 59, 59] "store_u8" RegImm PLAIN Store "mem8[imm] = r1",
    StoreU16 [60, 60, 60] "store_u16" RegImm PLAIN Store "mem16[imm] = r1",
    StoreU32 [61, 61, 61] "store_u32" RegImm PLAIN Store "mem32[imm] = r1",
    StoreU64 [62, __, 62] "store_u64" RegImm PLAIN Store "mem64[imm] = r1",
    LoadImmAndJump [80, 80, 80] "load_imm_and_jump" RegImmOffset END Jump "r1 = imm; goto target",
    BranchEqImm [81, 81, 81] "branch_eq_imm" RegImmOffset SPLIT BranchImm "if r1 == imm: goto target",
    BranchNotEqImm [82, 82, 82] "branch_not_eq_imm" RegImmOffset SPLIT BranchImm "if r1 != imm: goto target",
    BranchLessUnsignedImm [83, 83, 83] "branch_less_unsigned_imm" RegImmOffset SPLIT BranchImm "if r1 <u imm: goto target",
    BranchLessSignedImm [87, 87, 87] "branch_less_signed_imm" RegImmOffset SPLIT BranchImm "if r1 <s imm: goto target",
    BranchGreaterOrEqualUnsignedImm [85, 85, 85] "branch_greater_or_equal_unsigned_imm" RegImmOffset SPLIT BranchImm "if r1 >=u imm: goto target",
    BranchGreaterOrEqualSignedImm [89, 89, 89] "branch_greater_or_equal_signed_imm" RegImmOffset SPLIT BranchImm "if r1 >=s imm: goto target",
    BranchLessOrEqualSignedImm [88, 88, 88] "branch_less_or_equal_signed_imm" RegImmOffset SPLIT BranchImm "if r1 <=s imm: goto target",
    BranchLessOrEqualUnsignedImm [84, 84, 84] "branch_less_or_equal_unsigned_imm" RegImmOffset SPLIT BranchImm "if r1 <=u imm: goto target",
    BranchGreaterSignedImm [90, 90, 90] "branch_greater_signed_imm" RegImmOffset SPLIT BranchImm "if r1 >s imm: goto target",
    BranchGreaterUnsignedImm [86, 86, 86] "branch_greater_unsigned_imm" RegImmOffset SPLIT BranchImm "if r1 >u imm: goto target",
    StoreImmIndirectU8 [70, 70, 70] "store_imm_indirect_u8" RegImmImm PLAIN StoreImmIndirect "mem8[r1 + imm] = imm2",
    StoreImmIndirectU16 [71, 71, 71] "store_imm_indirect_u16" RegImmImm PLAIN StoreImmIndirect "mem16[r1 + imm] = imm2",
    StoreImmIndirectU32 [72, 72, 72] "store_imm_indirect_u32" RegImmImm PLAIN StoreImmIndirect "mem32[r1 + imm] = imm2",
    StoreImmIndirectU64 [73, __, 73] "store_imm_indirect_u64" RegImmImm PLAIN StoreImmIndirect "mem64[r1 + imm] = imm2",
    StoreIndirectU8 [120, 120, 120] "store_indirect_u8" RegRegImm PLAIN StoreIndirect "mem8[r2 + imm] = r1",
    StoreIndirectU16 [121, 121, 121] "store_indirect_u16" RegRegImm PLAIN StoreIndirect "mem16[r2 + imm] = r1",
    StoreIndirectU32 [122, 122, 122] "store_indirect_u32" RegRegImm PLAIN StoreIndirect "mem32[r2 + imm] = r1",
    StoreIndirectU64 [123, __, 123] "store_indirect_u64" RegRegImm PLAIN StoreIndirect "mem64[r2 + imm] = r1",
    LoadIndirectU8 [124, 124, 124] "load_indirect_u8" RegRegImm PLAIN LoadIndirect "r1 = zx(mem8[r2 + imm])",
    LoadIndirectI8 [125, 125, 125] "load_indirect_i8" RegRegImm PLAIN LoadIndirect "r1 = sx(mem8[r2 + imm])",
    LoadIndirectU16 [126, 126, 126] "load_indirect_u16" RegRegImm PLAIN LoadIndirect "r1 = zx(mem16[r2 + imm])",
    LoadIndirectI16 [127, 127, 127] "load_indirect_i16" RegRegImm PLAIN LoadIndirect "r1 = sx(mem16[r2 + imm])",
    LoadIndirectI32 [129, 129, 129] "load_indirect_i32" RegRegImm PLAIN LoadIndirect "r1 = sx(mem32[r2 + imm])",
    LoadIndirectU32 [128, __, 128] "load_indirect_u32" RegRegImm PLAIN LoadIndirect "r1 = zx(mem32[r2 + imm])",
    LoadIndirectU64 [130, __, 130] "load_indirect_u64" RegRegImm PLAIN LoadIndirect "r1 = zx(mem64[r2 + imm])",
    AddImm32 [131, 131, 131] "add_imm_32" RegRegImm PLAIN AluImm32 "r1 = r2 + imm (32)",
    AddImm64 [149, __, 149] "add_imm_64" RegRegImm PLAIN AluImm "r1 = r2 + imm",
    AndImm [132, 132, 132] "and_imm" RegRegImm PLAIN AluImm "r1 = r2 & imm",
    XorImm [133, 133, 133] "xor_imm" RegRegImm PLAIN AluImm "r1 = r2 ^ imm",
    OrImm [134, 134, 134] "or_imm" RegRegImm PLAIN AluImm "r1 = r2 | imm",
    MulImm32 [135, 135, 135] "mul_imm_32" RegRegImm PLAIN MulImm32 "r1 = r2 * imm (32)",
    MulImm64 [150, __, 150] "mul_imm_64" RegRegImm PLAIN MulImm "r1 = r2 * imm",
    SetLessThanUnsignedImm [136, 136, 136] "set_less_than_unsigned_imm" RegRegImm PLAIN CompareImm "r1 = r2 <u imm",
    SetLessThanSignedImm [137, 137, 137] "set_less_than_signed_imm" RegRegImm PLAIN CompareImm "r1 = r2 <s imm",
    ShiftLogicalLeftImm32 [138, 138, 138] "shift_logical_left_imm_32" RegRegImm PLAIN AluImm32 "r1 = r2 << imm (32)",
    ShiftLogicalLeftImm64 [151, __, 151] "shift_logical_left_imm_64" RegRegImm PLAIN AluImm "r1 = r2 << imm",
    ShiftLogicalRightImm32 [139, 139, 139] "shift_logical_right_imm_32" RegRegImm PLAIN AluImm32 "r1 = r2 >>u imm (32)",
    ShiftLogicalRightImm64 [152, __, 152] "shift_logical_right_imm_64" RegRegImm PLAIN AluImm "r1 = r2 >>u imm",
    ShiftArithmeticRightImm32 [140, 140, 140] "shift_arithmetic_right_imm_32" RegRegImm PLAIN AluImm32 "r1 = r2 >>s imm (32)",
    ShiftArithmeticRightImm64 [153, __, 153] "shift_arithmetic_right_imm_64" RegRegImm PLAIN AluImm "r1 = r2 >>s imm",
    NegateAndAddImm32 [141, 141, 141] "negate_and_add_imm_32" RegRegImm PLAIN Negate32 "r1 = imm - r2 (32)",
    NegateAndAddImm64 [154, __, 154] "negate_and_add_imm_64" RegRegImm PLAIN Negate "r1 = imm - r2",
    SetGreaterThanUnsignedImm [142, 142, 142] "set_greater_than_unsigned_imm" RegRegImm PLAIN CompareImm "r1 = r2 >u imm",
    SetGreaterThanSignedImm [143, 143, 143] "set_greater_than_signed_imm" RegRegImm PLAIN CompareImm "r1 = r2 >s imm",
    ShiftLogicalRightImmAlt32 [145, 145, 145] "shift_logical_right_imm_alt_32" RegRegImm PLAIN ShiftAlt32 "r1 = imm >>u r2 (32)",
    ShiftLogicalRightImmAlt64 [156, __, 156] "shift_logical_right_imm_alt_64" RegRegImm PLAIN ShiftAlt "r1 = imm >>u r2",
    ShiftArithmeticRightImmAlt32 [146, 146, 146] "shift_arithmetic_right_imm_alt_32" RegRegImm PLAIN ShiftAlt32 "r1 = imm >>s r2 (32)",
    ShiftArithmeticRightImmAlt64 [157, __, 157] "shift_arithmetic_right_imm_alt_64" RegRegImm PLAIN ShiftAlt "r1 = imm >>s r2",
    ShiftLogicalLeftImmAlt32 [144, 144, 144] "shift_logical_left_imm_alt_32" RegRegImm PLAIN ShiftAlt32 "r1 = imm << r2 (32)",
    ShiftLogicalLeftImmAlt64 [155, __, 155] "shift_logical_left_imm_alt_64" RegRegImm PLAIN ShiftAlt "r1 = imm << r2",
    CmovIfZeroImm [147, 147, 147] "cmov_if_zero_imm" RegRegImm PLAIN CmovImm "if r2 == 0: r1 = imm",
    CmovIfNotZeroImm [148, 148, 148] "cmov_if_not_zero_imm" RegRegImm PLAIN CmovImm "if r2 != 0: r1 = imm",
    RotateRightImm32 [160, 160, 160] "rotate_right_imm_32" RegRegImm PLAIN AluImm32 "r1 = r2 ror imm (32)",
    RotateRightImmAlt32 [161, 161, 161] "rotate_right_imm_alt_32" RegRegImm PLAIN ShiftAlt32 "r1 = imm ror r2 (32)",
    RotateRightImm64 [158, __, 158] "rotate_right_imm_64" RegRegImm PLAIN AluImm "r1 = r2 ror imm",
    RotateRightImmAlt64 [159, __, 159] "rotate_right_imm_alt_64" RegRegImm PLAIN ShiftAlt "r1 = imm ror r2",
    BranchEq [170, 170, 170] "branch_eq" RegRegOffset SPLIT Branch "if r1 == r2: goto target",
    BranchNotEq [171, 171, 171] "branch_not_eq" RegRegOffset SPLIT Branch "if r1 != r2: goto target",
    BranchLessUnsigned [172, 172, 172] "branch_less_unsigned" RegRegOffset SPLIT Branch "if r1 <u r2: goto target",
    BranchLessSigned [173, 173, 173] "branch_less_signed" RegRegOffset SPLIT Branch "if r1 <s r2: goto target",
    BranchGreaterOrEqualUnsigned [174, 174, 174] "branch_greater_or_equal_unsigned" RegRegOffset SPLIT Branch "if r1 >=u r2: goto target",
    BranchGreaterOrEqualSigned [175, 175, 175] "branch_greater_or_equal_signed" RegRegOffset SPLIT Branch "if r1 >=s r2: goto target",
    Add32 [190, 190, 190] "add_32" RegRegReg PLAIN Alu32 "r3 = r1 + r2 (32)",
    Add64 [200, __, 200] "add_64" RegRegReg PLAIN Alu "r3 = r1 + r2",
    Sub32 [191, 191, 191] "sub_32" RegRegReg PLAIN Alu32 "r3 = r1 - r2 (32)",
    Sub64 [201, __, 201] "sub_64" RegRegReg PLAIN Alu "r3 = r1 - r2",
    And [210, 210, 210] "and" RegRegReg PLAIN Alu "r3 = r1 & r2",
    Xor [211, 211, 211] "xor" RegRegReg PLAIN Alu "r3 = r1 ^ r2",
    Or [212, 212, 212] "or" RegRegReg PLAIN Alu "r3 = r1 | r2",
    Mul32 [192, 192, 192] "mul_32" RegRegReg PLAIN Mul32 "r3 = r1 * r2 (32)",
    Mul64 [202, __, 202] "mul_64" RegRegReg PLAIN Mul "r3 = r1 * r2",
    MulUpperSignedSigned [213, 213, 213] "mul_upper_signed_signed" RegRegReg PLAIN MulUpper "r3 = high half of r1 *ss r2",
    MulUpperUnsignedUnsigned [214, 214, 214] "mul_upper_unsigned_unsigned" RegRegReg PLAIN MulUpper "r3 = high half of r1 *uu r2",
    MulUpperSignedUnsigned [215, 215, 215] "mul_upper_signed_unsigned" RegRegReg PLAIN MulUpperMixed "r3 = high half of r1 *su r2",
    SetLessThanUnsigned [216, 216, 216] "set_less_than_unsigned" RegRegReg PLAIN Compare "r3 = r1 <u r2",
    SetLessThanSigned [217, 217, 217] "set_less_than_signed" RegRegReg PLAIN Compare "r3 = r1 <s r2",
    ShiftLogicalLeft32 [197, 197, 197] "shift_logical_left_32" RegRegReg PLAIN Shift32 "r3 = r1 << r2 (32)",
    ShiftLogicalLeft64 [207, __, 207] "shift_logical_left_64" RegRegReg PLAIN Shift "r3 = r1 << r2",
    ShiftLogicalRight32 [198, 198, 198] "shift_logical_right_32" RegRegReg PLAIN Shift32 "r3 = r1 >>u r2 (32)",
    ShiftLogicalRight64 [208, __, 208] "shift_logical_right_64" RegRegReg PLAIN Shift "r3 = r1 >>u r2",
    ShiftArithmeticRight32 [199, 199, 199] "shift_arithmetic_right_32" RegRegReg PLAIN Shift32 "r3 = r1 >>s r2 (32)",
    ShiftArithmeticRight64 [209, __, 209] "shift_arithmetic_right_64" RegRegReg PLAIN Shift "r3 = r1 >>s r2",
    DivUnsigned32 [193, 193, 193] "div_unsigned_32" RegRegReg PLAIN Divide "r3 = r1 /u r2 (32)",
    DivUnsigned64 [203, __, 203] "div_unsigned_64" RegRegReg PLAIN Divide "r3 = r1 /u r2",
    DivSigned32 [194, 194, 194] "div_signed_32" RegRegReg PLAIN Divide "r3 = r1 /s r2 (32)",
    DivSigned64 [204, __, 204] "div_signed_64" RegRegReg PLAIN Divide "r3 = r1 /s r2",
    RemUnsigned32 [195, 195, 195] "rem_unsigned_32" RegRegReg PLAIN Divide "r3 = r1 %u r2 (32)",
    RemUnsigned64 [205, __, 205] "rem_unsigned_64" RegRegReg PLAIN Divide "r3 = r1 %u r2",
    RemSigned32 [196, 196, 196] "rem_signed_32" RegRegReg PLAIN Divide "r3 = r1 %s r2 (32)",
    RemSigned64 [206, __, 206] "rem_signed_64" RegRegReg PLAIN Divide "r3 = r1 %s r2",
    CmovIfZero [218, 218, 218] "cmov_if_zero" RegRegReg PLAIN Cmov "if r2 == 0: r3 = r1",
    CmovIfNotZero [219, 219, 219] "cmov_if_not_zero" RegRegReg PLAIN Cmov "if r2 != 0: r3 = r1",
    AndInverted [224, 224, 224] "and_inverted" RegRegReg PLAIN LogicInverted "r3 = r1 & !r2",
    OrInverted [225, 225, 225] "or_inverted" RegRegReg PLAIN LogicInverted "r3 = r1 | !r2",
    Xnor [226, 226, 226] "xnor" RegRegReg PLAIN Xnor "r3 = !(r1 ^ r2)",
    Maximum [227, 227, 227] "maximum" RegRegReg PLAIN MinMax "r3 = max_s(r1, r2)",
    MaximumUnsigned [228, 228, 228] "maximum_unsigned" RegRegReg PLAIN MinMax "r3 = max_u(r1, r2)",
    Minimum [229, 229, 229] "minimum" RegRegReg PLAIN MinMax "r3 = min_s(r1, r2)",
    MinimumUnsigned [230, 230, 230] "minimum_unsigned" RegRegReg PLAIN MinMax "r3 = min_u(r1, r2)",
    RotateLeft32 [221, 221, 221] "rotate_left_32" RegRegReg PLAIN Shift32 "r3 = r1 rol r2 (32)",
    RotateLeft64 [220, __, 220] "rotate_left_64" RegRegReg PLAIN Shift "r3 = r1 rol r2",
    RotateRight32 [223, 223, 223] "rotate_right_32" RegRegReg PLAIN Shift32 "r3 = r1 ror r2 (32)",
    RotateRight64 [222, __, 222] "rotate_right_64" RegRegReg PLAIN Shift "r3 = r1 ror r2",
    Jump [40, 40, 40] "jump" Offset END Jump "goto target",
    Ecalli [10, 10, 10] "ecalli" Imm PLAIN HostCall "host call imm",
    StoreImmU8 [30, 30, 30] "store_imm_u8" ImmImm PLAIN StoreImm "mem8[imm] = imm2",
    StoreImmU16 [31, 31, 31] "store_imm_u16" ImmImm PLAIN StoreImm "mem16[imm] = imm2",
    StoreImmU32 [32, 32, 32] "store_imm_u32" ImmImm PLAIN StoreImm "mem32[imm] = imm2",
    StoreImmU64 [33, __, 33] "store_imm_u64" ImmImm PLAIN StoreImm "mem64[imm] = imm2",
    MoveReg [100, 100, 100] "move_reg" RegReg PLAIN Move "r1 = r2",
    Sbrk [__, 101, __] "sbrk" RegReg PLAIN Sbrk "r1 = new heap top after growing by r2, or 0",
    CountLeadingZeroBits32 [105, 105, 104] "count_leading_zero_bits_32" RegReg PLAIN BitCount "r1 = leading_zeros(r2 as 32 bits)",
    CountLeadingZeroBits64 [104, __, 103] "count_leading_zero_bits_64" RegReg PLAIN BitCount "r1 = leading_zeros(r2 as 64 bits)",
    CountTrailingZeroBits32 [107, 107, 106] "count_trailing_zero_bits_32" RegReg PLAIN TrailingZeros "r1 = trailing_zeros(r2 as 32 bits)",
    CountTrailingZeroBits64 [106, __, 105] "count_trailing_zero_bits_64" RegReg PLAIN TrailingZeros "r1 = trailing_zeros(r2 as 64 bits)",
    CountSetBits32 [103, 103, 102] "count_set_bits_32" RegReg PLAIN BitCount "r1 = count_ones(r2 as 32 bits)",
    CountSetBits64 [102, __, 101] "count_set_bits_64" RegReg PLAIN BitCount "r1 = count_ones(r2 as 64 bits)",
    SignExtend8 [108, 108, 107] "sign_extend_8" RegReg PLAIN BitCount "r1 = sx(r2 as 8 bits)",
    SignExtend16 [109, 109, 108] "sign_extend_16" RegReg PLAIN BitCount "r1 = sx(r2 as 16 bits)",
    ZeroExtend16 [110, 110, 109] "zero_extend_16" RegReg PLAIN BitCount "r1 = zx(r2 as 16 bits)",
    ReverseByte [111, 111, 110] "reverse_byte" RegReg PLAIN AluImm "r1 = byte_swap(r2)",
    LoadImmAndJumpIndirect [180, 180, 180] "load_imm_and_jump_indirect" RegRegImmImm END JumpIndirect "a = lo32(r2 + imm2); r1 = imm; djump(a)",
    LoadImm64 [20, __, 20] "load_imm64" RegImm64 PLAIN LoadImm64 "r1 = imm (64 bits)",
}

impl Opcode {
    /// The table row: numbers, operand format, block and gas facts, meaning.
    pub const fn spec(self) -> &'static InstructionSpec {
        &TABLE[self as usize]
    }

    /// True for conditional branches.
    #[inline(always)]
    pub const fn is_branch(self) -> bool {
        matches!(self.spec().gas_class, GasClass::Branch | GasClass::BranchImm)
    }

    /// Every opcode, in table order.
    pub fn all() -> impl Iterator<Item = Opcode> + Clone {
        TABLE.iter().map(|spec| spec.opcode)
    }
}

/// Properties of an opcode byte that iteration over code needs, in one lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operation {
    /// `Trap` if the byte is no opcode.
    pub opcode: Opcode,
    pub is_valid: bool,
    pub ends_block: bool,
}

impl Operation {
    /// Operation for a byte that is no opcode, which acts as a trap.
    pub const INVALID: Operation = Operation { opcode: Opcode::Trap, is_valid: false, ends_block: true };
}

/// Operations by opcode byte, followed by the invalid one, for bytes that belong to no instruction.
pub(super) type Operations = [Operation; 257];
/// Index of the invalid operation.
pub(super) const NO_OPERATION: usize = 256;

/// Operations by instruction set.
pub(super) static OPERATIONS: [Operations; 3] = operations();

const fn operations() -> [Operations; 3] {
    let mut result = [[Operation::INVALID; 257]; 3];
    let mut isa = 0;
    while isa < 3 {
        let mut byte = 0;
        while byte < 256 {
            if let Some(opcode) = LOOKUP[isa][byte] {
                let ends_block = TABLE[opcode as usize].ends_block;
                result[isa][byte] = Operation { opcode, is_valid: true, ends_block };
            }
            byte += 1;
        }
        isa += 1;
    }
    result
}

/// Opcodes by instruction set and byte.
pub(super) const LOOKUP: [[Option<Opcode>; 256]; 3] = lookup();

const fn lookup() -> [[Option<Opcode>; 256]; 3] {
    let mut result = [[None; 256]; 3];
    let mut isa = 0;
    while isa < 3 {
        let mut index = 0;
        while index < TABLE.len() {
            if let Some(byte) = TABLE[index].numbers[isa] {
                assert!(result[isa][byte as usize].is_none(), "two instructions share a number");
                result[isa][byte as usize] = Some(TABLE[index].opcode);
            }
            index += 1;
        }
        isa += 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_opcode_indexes_its_own_row() {
        for (index, spec) in TABLE.iter().enumerate() {
            assert_eq!(spec.opcode as usize, index, "{}", spec.mnemonic);
            assert_eq!(spec.opcode.spec().mnemonic, spec.mnemonic);
        }
    }

    #[test]
    fn the_instruction_sets_have_the_sizes_the_specification_counts() {
        for (isa, count) in [(Isa::ReviveV1, 138), (Isa::Latest32, 106), (Isa::JamV1, 139)] {
            assert_eq!(TABLE.iter().filter(|spec| spec.numbers[isa as usize].is_some()).count(), count, "{isa:?}");
        }
    }

    #[test]
    fn mnemonics_are_unique_and_only_jumps_and_traps_stop_control() {
        assert_eq!(TABLE.iter().map(|spec| spec.mnemonic).collect::<BTreeSet<_>>().len(), TABLE.len());
        let stops: BTreeSet<_> = TABLE.iter().filter(|spec| !spec.can_fall_through).map(|spec| spec.mnemonic).collect();
        let expected = ["trap", "jump", "jump_indirect", "load_imm_and_jump", "load_imm_and_jump_indirect"];
        assert_eq!(stops, expected.into_iter().collect());
    }
}
