//! The op table: the effect of each op, and the pairs that are combined into superinstructions.
//!
//! The only list of ops in the interpreter: the enum of kinds, the handlers of the threaded dispatcher, the match of
//! the looped one, and the maps from instructions to ops and from pairs of ops to superinstructions are generated from
//! it. Instructions follow `docs/spec/instructions.md#instructions`. Superinstructions are selected from a profile,
//! which `scripts/profile-superinstructions` makes.

use super::arith::*;
use super::dispatch::{Handler, handle};
use super::execute::{Effect, Execute, Load, Store, Superinstruction};
use super::op::Op;
use super::run_state::{Flow, RunState, Stop};
use crate::isa::Opcode;

/// Defines the type of an op, with the effect of the type that its body evaluates to (see [`Effect`]). In a body `b` is
/// the value of the op's first source and `c` that of its second.
macro_rules! op {
    ($kind:ident, |$m:ident, $op:ident, $b:ident, $c:ident| $body:expr) => {
        struct $kind;

        impl Execute for $kind {
            #[inline(always)]
            fn execute<'a, const FAST: bool, const CHAINED: bool>(
                $m: &mut RunState<'a>,
                $op: &Op,
                _: &mut &'a [Op],
                last: &mut u64,
            ) -> Flow {
                let base = if CHAINED { *last } else { $m.reg($op.b) };
                #[allow(unused_variables, reason = "not every op has both")]
                let ($b, $c) = (base, $m.reg_number($op.imm));
                let effect = $body;
                effect.apply::<Self, FAST>($m, $op, base, last)
            }
        }
    };
}

/// Generates the enum of kinds, and the tables with an entry for each kind.
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// Kind of an op.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub(super) enum OpKind {
            $($kind,)*
        }

        /// Executes one op: the match of the looped dispatcher.
        #[inline(always)]
        pub(super) fn execute<'a>(kind: OpKind, m: &mut RunState<'a>, op: &Op, rest: &mut &'a [Op]) -> Flow {
            let last = &mut 0;
            match kind {
                $(OpKind::$kind => $kind::execute::<false, false>(m, op, rest, last),)*
            }
        }

        /// The handlers of the threaded dispatcher, by kind.
        pub(super) static HANDLERS: [Handler; OpKind::ALL.len()] = [$(handle::<$kind>,)*];

        impl OpKind {
            /// All kinds, in order.
            pub const ALL: &[OpKind] = &[$(OpKind::$kind,)*];

            /// Number of ops that each kind executes.
            const OPS: [usize; OpKind::ALL.len()] = [$($kind::OPS,)*];

            /// Maximum number of ops that one kind executes.
            pub const MAX_OPS: usize = {
                let (mut most, mut index) = (0, 0);
                while index < OpKind::OPS.len() {
                    if OpKind::OPS[index] > most {
                        most = OpKind::OPS[index];
                    }
                    index += 1;
                }
                most
            };

            /// Number of ops that this kind executes: more than one for a superinstruction.
            #[inline(always)]
            pub fn ops(self) -> usize {
                OpKind::OPS[self as usize]
            }
        }
    };
}

/// Parses the list.
macro_rules! ops {
    (
        |$m:ident, $op:ident, $b:ident, $c:ident|
        instructions { $($instruction:ident => $does:expr,)* }
        internal { $($internal:ident => $effect:expr,)* }
        superinstructions { $($sequence:ident = $first:ident + $second:ident,)* }
        chained_superinstructions { $($chain:ident = $producer:ident + $consumer:ident,)* }
    ) => {
        $(op!($instruction, |$m, $op, $b, $c| $does);)*
        $(op!($internal, |$m, $op, $b, $c| $effect);)*
        $(type $sequence = Superinstruction<$first, $second, false>;)*
        $(type $chain = Superinstruction<$producer, $consumer, true>;)*
        kinds!($($internal)* $($instruction)* $($sequence)* $($chain)*);

        impl OpKind {
            /// For each opcode, the op of the same name, if there is one.
            pub const BY_OPCODE: [Option<OpKind>; Opcode::COUNT] = {
                let mut kinds = [None; Opcode::COUNT];
                $(kinds[Opcode::$instruction as usize] = Some(OpKind::$instruction);)*
                kinds
            };

            /// Returns the superinstruction for this op followed by `second`, if there is one. `chained`: the second
            /// takes the result of the first as its source `b`.
            pub const fn joined_with(self, second: OpKind, chained: bool) -> Option<OpKind> {
                match (self, second) {
                    $((OpKind::$producer, OpKind::$consumer) if chained => Some(OpKind::$chain),)*
                    $((OpKind::$first, OpKind::$second) => Some(OpKind::$sequence),)*
                    _ => None,
                }
            }

            /// Returns the first op of a superinstruction, or the kind itself if it is none.
            pub const fn first(self) -> OpKind {
                match self {
                    $(OpKind::$sequence => OpKind::$first.first(),)*
                    $(OpKind::$chain => OpKind::$producer.first(),)*
                    kind => kind,
                }
            }
        }
    };
}

ops! {
    |m, op, b, c|

    // Ops named after the opcode that they implement.
    instructions {
        LoadImm => sx32(op.imm),
        LoadImm64 => u64::from(op.lo) | u64::from(op.hi) << 32,
        MoveReg => b,
        AddImm32 => sx32((b as u32).wrapping_add(op.imm)),
        AddImm64 => b.wrapping_add(sx32(op.imm)),
        AndImm => b & sx32(op.imm),
        XorImm => b ^ sx32(op.imm),
        OrImm => b | sx32(op.imm),
        MulImm32 => sx32((b as u32).wrapping_mul(op.imm)),
        MulImm64 => b.wrapping_mul(sx32(op.imm)),
        SetLessThanUnsignedImm => u64::from(b < sx32(op.imm)),
        SetLessThanSignedImm => u64::from((b as i64) < sx32(op.imm) as i64),
        SetGreaterThanUnsignedImm => u64::from(b > sx32(op.imm)),
        SetGreaterThanSignedImm => u64::from(b as i64 > sx32(op.imm) as i64),
        ShiftLogicalLeftImm32 => sx32((b as u32).wrapping_shl(op.imm)),
        ShiftLogicalLeftImm64 => b.wrapping_shl(op.imm),
        ShiftLogicalRightImm32 => sx32((b as u32).wrapping_shr(op.imm)),
        ShiftLogicalRightImm64 => b.wrapping_shr(op.imm),
        ShiftArithmeticRightImm32 => sx32((b as i32).wrapping_shr(op.imm) as u32),
        ShiftArithmeticRightImm64 => (b as i64).wrapping_shr(op.imm) as u64,
        NegateAndAddImm32 => sx32(op.imm.wrapping_sub(b as u32)),
        NegateAndAddImm64 => sx32(op.imm).wrapping_sub(b),
        ShiftLogicalRightImmAlt32 => sx32(op.imm.wrapping_shr(b as u32)),
        ShiftLogicalRightImmAlt64 => sx32(op.imm).wrapping_shr(b as u32),
        ShiftArithmeticRightImmAlt32 => sx32((op.imm as i32).wrapping_shr(b as u32) as u32),
        ShiftArithmeticRightImmAlt64 => (sx32(op.imm) as i64).wrapping_shr(b as u32) as u64,
        ShiftLogicalLeftImmAlt32 => sx32(op.imm.wrapping_shl(b as u32)),
        ShiftLogicalLeftImmAlt64 => sx32(op.imm).wrapping_shl(b as u32),
        CmovIfZeroImm => if b == 0 { sx32(op.imm) } else { m.reg(op.a) },
        CmovIfNotZeroImm => if b != 0 { sx32(op.imm) } else { m.reg(op.a) },
        RotateRightImm32 => sx32((b as u32).rotate_right(op.imm & 31)),
        RotateRightImmAlt32 => sx32(op.imm.rotate_right(b as u32 & 31)),
        RotateRightImm64 => b.rotate_right(op.imm & 63),
        RotateRightImmAlt64 => sx32(op.imm).rotate_right(b as u32 & 63),
        Add32 => sx32((b as u32).wrapping_add(c as u32)),
        Add64 => b.wrapping_add(c),
        Sub32 => sx32((b as u32).wrapping_sub(c as u32)),
        Sub64 => b.wrapping_sub(c),
        And => b & c,
        Xor => b ^ c,
        Or => b | c,
        Mul32 => sx32((b as u32).wrapping_mul(c as u32)),
        Mul64 => b.wrapping_mul(c),
        MulUpperSignedSigned => mul_upper_signed(b, c),
        MulUpperUnsignedUnsigned => mul_upper_unsigned(b, c),
        MulUpperSignedUnsigned => mul_upper_signed_unsigned(b, c),
        SetLessThanUnsigned => u64::from(b < c),
        SetLessThanSigned => u64::from((b as i64) < c as i64),
        ShiftLogicalLeft32 => sx32((b as u32).wrapping_shl(c as u32)),
        ShiftLogicalLeft64 => b.wrapping_shl(c as u32),
        ShiftLogicalRight32 => sx32((b as u32).wrapping_shr(c as u32)),
        ShiftLogicalRight64 => b.wrapping_shr(c as u32),
        ShiftArithmeticRight32 => sx32((b as i32).wrapping_shr(c as u32) as u32),
        ShiftArithmeticRight64 => (b as i64).wrapping_shr(c as u32) as u64,
        DivUnsigned32 => sx32(div_unsigned_32(b as u32, c as u32)),
        DivUnsigned64 => div_unsigned_64(b, c),
        DivSigned32 => sx32(div_signed_32(b as i32, c as i32) as u32),
        DivSigned64 => div_signed_64(b as i64, c as i64) as u64,
        RemUnsigned32 => sx32(rem_unsigned_32(b as u32, c as u32)),
        RemUnsigned64 => rem_unsigned_64(b, c),
        RemSigned32 => sx32(rem_signed_32(b as i32, c as i32) as u32),
        RemSigned64 => rem_signed_64(b as i64, c as i64) as u64,
        CmovIfZero => if c == 0 { b } else { m.reg(op.a) },
        CmovIfNotZero => if c != 0 { b } else { m.reg(op.a) },
        AndInverted => b & !c,
        OrInverted => b | !c,
        Xnor => !(b ^ c),
        Maximum => (b as i64).max(c as i64) as u64,
        MaximumUnsigned => b.max(c),
        Minimum => (b as i64).min(c as i64) as u64,
        MinimumUnsigned => b.min(c),
        RotateLeft32 => sx32((b as u32).rotate_left(c as u32 & 31)),
        RotateLeft64 => b.rotate_left(c as u32 & 63),
        RotateRight32 => sx32((b as u32).rotate_right(c as u32 & 31)),
        RotateRight64 => b.rotate_right(c as u32 & 63),
        CountLeadingZeroBits32 => u64::from((b as u32).leading_zeros()),
        CountLeadingZeroBits64 => u64::from(b.leading_zeros()),
        CountTrailingZeroBits32 => u64::from((b as u32).trailing_zeros()),
        CountTrailingZeroBits64 => u64::from(b.trailing_zeros()),
        CountSetBits32 => u64::from((b as u32).count_ones()),
        CountSetBits64 => u64::from(b.count_ones()),
        SignExtend8 => b as i8 as u64,
        SignExtend16 => b as i16 as u64,
        ZeroExtend16 => u64::from(b as u16),
        ReverseByte => b.swap_bytes(),
        Sbrk => sx32(m.memory.sbrk(b as u32).unwrap_or(0)),
        LoadU8 => Load(|bytes| u64::from(u8::from_le_bytes(bytes))),
        LoadI8 => Load(|bytes| i8::from_le_bytes(bytes) as i64 as u64),
        LoadU16 => Load(|bytes| u64::from(u16::from_le_bytes(bytes))),
        LoadI16 => Load(|bytes| i16::from_le_bytes(bytes) as i64 as u64),
        LoadU32 => Load(|bytes| u64::from(u32::from_le_bytes(bytes))),
        LoadI32 => Load(|bytes| i32::from_le_bytes(bytes) as i64 as u64),
        LoadU64 => Load(u64::from_le_bytes),
        StoreU8 => Store((m.reg(op.a) as u8).to_le_bytes()),
        StoreU16 => Store((m.reg(op.a) as u16).to_le_bytes()),
        StoreU32 => Store((m.reg(op.a) as u32).to_le_bytes()),
        StoreU64 => Store(m.reg(op.a).to_le_bytes()),
        StoreImmU8 => Store((op.lo as u8).to_le_bytes()),
        StoreImmU16 => Store((op.lo as u16).to_le_bytes()),
        StoreImmU32 => Store(op.lo.to_le_bytes()),
        StoreImmU64 => Store(sx32(op.lo).to_le_bytes()),
        Jump => true,
        BranchEq => b == c,
        BranchNotEq => b != c,
        BranchLessUnsigned => b < c,
        BranchLessSigned => (b as i64) < c as i64,
        BranchGreaterOrEqualUnsigned => b >= c,
        BranchGreaterOrEqualSigned => b as i64 >= c as i64,
        BranchEqImm => b == sx32(op.imm),
        BranchNotEqImm => b != sx32(op.imm),
        BranchLessUnsignedImm => b < sx32(op.imm),
        BranchLessSignedImm => (b as i64) < sx32(op.imm) as i64,
        BranchLessOrEqualUnsignedImm => b <= sx32(op.imm),
        BranchLessOrEqualSignedImm => b as i64 <= sx32(op.imm) as i64,
        BranchGreaterOrEqualUnsignedImm => b >= sx32(op.imm),
        BranchGreaterOrEqualSignedImm => b as i64 >= sx32(op.imm) as i64,
        BranchGreaterUnsignedImm => b > sx32(op.imm),
        BranchGreaterSignedImm => b as i64 > sx32(op.imm) as i64,
        // `imm` is the link value.
        LoadImmAndJump => {
            m.set(op.a, sx32(op.imm));
            Flow::Enter(op.lo as usize)
        },
        JumpIndirect => m.jump((b as u32).wrapping_add(op.imm)),
        // `imm` is the address offset, `lo` the link value.
        LoadImmAndJumpIndirect => {
            // The link register may also be the base.
            m.set(op.a, sx32(op.lo));
            m.jump((b as u32).wrapping_add(op.imm))
        },
        Memset => m.memset(),
        Trap => Flow::Stop(Stop::Trap),
    }

    // Internal ops of the interpreter.
    internal {
        // The first op of every block: pays `imm` gas for it, and counts its `lo` instructions. Jumps and branches to
        // the block do both themselves and continue after this op.
        Charge => m.charge(op),
        // Before or after a branch: refunds `imm` gas, or takes a refund back (a negative number).
        Refund => {
            m.gas += i64::from(op.imm as i32);
            Flow::Next
        },
        // The first op of a block in which the stop before the first instruction comes before the charge.
        Nop => Flow::Next,
        // Stops before the instruction that follows.
        Step => Flow::Stop(Stop::Step),
        // Stops before the instruction that follows if its access, of `lo` bytes (0: as many as a memset is to store),
        // touches watched memory; `hi` is not 0 for a store.
        Watch => match m.is_watched(op) {
            true => Flow::Stop(Stop::Step),
            false => Flow::Next,
        },
        // Host call number `imm`; the next instruction is at offset `lo`.
        HostCall => Flow::Stop(Stop::HostCall),
        // Falls through to the next block, whose translation may replace this op.
        NextBlock => true,
        // Continues inside a block that was translated in chunks; `lo` is not the first op of a block.
        SameBlock => Flow::Chunk(op.lo as usize),
        // Operations of 32-bit programs for which computing with sign-extended 64-bit registers does not suffice.
        MulUpperSignedSigned32 => mul_upper_signed_32(b, c),
        MulUpperUnsignedUnsigned32 => mul_upper_unsigned_32(b, c),
        MulUpperSignedUnsigned32 => mul_upper_signed_unsigned_32(b, c),
        ReverseByte32 => sx32((b as u32).swap_bytes()),
    }

    // Two ops in sequence, or more if the first is a superinstruction itself, executed by one handler. Each op stays in
    // place and can be executed alone, as a jump or a resumed run may begin with it.
    superinstructions {
        Add64Add64 = Add64 + Add64,
        Add64LoadU64 = Add64 + LoadU64,
        Add64StoreU64 = Add64 + StoreU64,
        Add64StoreU32 = Add64 + StoreU32,
        Add64MoveReg = Add64 + MoveReg,
        Add64SetLessThanUnsigned = Add64 + SetLessThanUnsigned,
        Add64LoadI32 = Add64 + LoadI32,
        Add64BranchLessUnsigned = Add64 + BranchLessUnsigned,
        LoadU64LoadU64 = LoadU64 + LoadU64,
        LoadU64StoreU64 = LoadU64 + StoreU64,
        LoadU64MoveReg = LoadU64 + MoveReg,
        LoadU64JumpIndirect = LoadU64 + JumpIndirect,
        LoadU64Add64 = LoadU64 + Add64,
        StoreU64StoreU64 = StoreU64 + StoreU64,
        StoreU64LoadU64 = StoreU64 + LoadU64,
        StoreU64AddImm64 = StoreU64 + AddImm64,
        StoreU64Mul64 = StoreU64 + Mul64,
        StoreU64MulUpperUnsignedUnsigned = StoreU64 + MulUpperUnsignedUnsigned,
        StoreU64MoveReg = StoreU64 + MoveReg,
        StoreU64LoadImmAndJump = StoreU64 + LoadImmAndJump,
        MoveRegMoveReg = MoveReg + MoveReg,
        MoveRegLoadU64 = MoveReg + LoadU64,
        MoveRegJump = MoveReg + Jump,
        MoveRegAndImm = MoveReg + AndImm,
        MoveRegJumpIndirect = MoveReg + JumpIndirect,
        MoveRegLoadImmAndJump = MoveReg + LoadImmAndJump,
        MoveRegStoreU64 = MoveReg + StoreU64,
        MoveRegAddImm64 = MoveReg + AddImm64,
        AddImm64AddImm64 = AddImm64 + AddImm64,
        AddImm64Add64 = AddImm64 + Add64,
        AddImm64LoadU64 = AddImm64 + LoadU64,
        AddImm64StoreU64 = AddImm64 + StoreU64,
        AddImm64MoveReg = AddImm64 + MoveReg,
        AddImm64StoreU8 = AddImm64 + StoreU8,
        SetLessThanUnsignedLoadU64 = SetLessThanUnsigned + LoadU64,
        SetLessThanUnsignedStoreU32 = SetLessThanUnsigned + StoreU32,
        LoadI32SetLessThanUnsigned = LoadI32 + SetLessThanUnsigned,
        LoadI32ShiftLogicalLeftImm64 = LoadI32 + ShiftLogicalLeftImm64,
        LoadI32LoadI32 = LoadI32 + LoadI32,
        LoadU32LoadU32 = LoadU32 + LoadU32,
        LoadU32Add64 = LoadU32 + Add64,
        LoadU8LoadU8 = LoadU8 + LoadU8,
        LoadU8MoveReg = LoadU8 + MoveReg,
        StoreU8BranchEqImm = StoreU8 + BranchEqImm,
        StoreU8AddImm64 = StoreU8 + AddImm64,
        StoreU8StoreU8 = StoreU8 + StoreU8,
        StoreU8LoadU8 = StoreU8 + LoadU8,
        StoreU32StoreU32 = StoreU32 + StoreU32,
        StoreU32AddImm64 = StoreU32 + AddImm64,
        StoreU32ShiftLogicalLeftImm64 = StoreU32 + ShiftLogicalLeftImm64,
        ShiftLogicalLeftImm64LoadI32 = ShiftLogicalLeftImm64 + LoadI32,
        ShiftLogicalLeftImm64LoadU64 = ShiftLogicalLeftImm64 + LoadU64,
        ShiftLogicalRightImm64StoreU8 = ShiftLogicalRightImm64 + StoreU8,
        RotateRightImm32RotateRightImm32 = RotateRightImm32 + RotateRightImm32,
        RotateRightImm64RotateRightImm64 = RotateRightImm64 + RotateRightImm64,
        XorLoadU64 = Xor + LoadU64,
        XorStoreU64 = Xor + StoreU64,
        XorXor = Xor + Xor,
        AndAnd = And + And,
        Mul64StoreU64 = Mul64 + StoreU64,
        Mul64MulUpperUnsignedUnsigned = Mul64 + MulUpperUnsignedUnsigned,
        MulUpperUnsignedUnsignedStoreU64 = MulUpperUnsignedUnsigned + StoreU64,
        MulUpperUnsignedUnsignedMul64 = MulUpperUnsignedUnsigned + Mul64,
        AndImmAddImm64 = AndImm + AddImm64,
        AddImm32MoveReg = AddImm32 + MoveReg,
        LoadImmLoadImm = LoadImm + LoadImm,
        Add64ShiftLogicalRightImm64 = Add64 + ShiftLogicalRightImm64,
        Add64BranchEqImm = Add64 + BranchEqImm,
        StoreU8Add64 = StoreU8 + Add64,
        ShiftLogicalRightImm64Add64 = ShiftLogicalRightImm64 + Add64,
        ShiftLogicalLeftImm64Add64 = ShiftLogicalLeftImm64 + Add64,
        LoadU32AddImm64 = LoadU32 + AddImm64,
        ShiftLogicalLeftImm64Add64ShiftLogicalRightImm64 = ShiftLogicalLeftImm64Add64 + ShiftLogicalRightImm64,
        ShiftLogicalRightImm64BranchNotEqImm = ShiftLogicalRightImm64 + BranchNotEqImm,
        AddImm64AddImm64ShiftLogicalLeftImm64 = AddImm64AddImm64 + ShiftLogicalLeftImm64,
        XorStoreU64LoadU64 = XorStoreU64 + LoadU64,
        StoreU8AddImm64AddImm64 = StoreU8AddImm64 + AddImm64,
        Add64ShiftLogicalRightImm64BranchNotEqImm = Add64ShiftLogicalRightImm64 + BranchNotEqImm,
        AddImm64StoreU64StoreU64 = AddImm64StoreU64 + StoreU64,
        AddImm64JumpIndirect = AddImm64 + JumpIndirect,
        Add64LoadU64LoadU64 = Add64LoadU64 + LoadU64,
        StoreU64AndInverted = StoreU64 + AndInverted,
        AddImm64LoadImmAndJump = AddImm64 + LoadImmAndJump,
        LoadU64LoadU64AddImm64 = LoadU64LoadU64 + AddImm64,
        LoadU64LoadU64LoadU64 = LoadU64LoadU64 + LoadU64,
        LoadU64AddImm64 = LoadU64 + AddImm64,
        RotateRightImm64LoadU64 = RotateRightImm64 + LoadU64,
        LoadImmBranchLessUnsignedImm = LoadImm + BranchLessUnsignedImm,
        StoreU64MoveRegLoadImm = StoreU64MoveReg + LoadImm,
        AddImm64Add64BranchGreaterOrEqualUnsignedImm = AddImm64Add64 + BranchGreaterOrEqualUnsignedImm,
        AndInvertedToXorStoreU64 = AndInvertedToXor + StoreU64,
        ShiftLogicalLeftImm64ShiftLogicalLeftImm64 = ShiftLogicalLeftImm64 + ShiftLogicalLeftImm64,
        LoadU8AddImm64 = LoadU8 + AddImm64,
        LoadU8StoreU8 = LoadU8 + StoreU8,
        LoadU64ToAdd64StoreU64 = LoadU64ToAdd64 + StoreU64,
        AddImm64AddImm64BranchNotEq = AddImm64AddImm64 + BranchNotEq,
        LoadU8StoreU8AddImm64 = LoadU8StoreU8 + AddImm64,
        ShiftLogicalLeftImm64AndImm = ShiftLogicalLeftImm64 + AndImm,
        AddImm64BranchNotEq = AddImm64 + BranchNotEq,
        ShiftLogicalLeftImm64AndImmXor = ShiftLogicalLeftImm64AndImm + Xor,
        StoreU64LoadU64AndImm = StoreU64LoadU64 + AndImm,
        LoadU8AddImm64StoreU8 = LoadU8AddImm64 + StoreU8,
        Mul64StoreU64MulUpperUnsignedUnsigned = Mul64StoreU64 + MulUpperUnsignedUnsigned,
        StoreU64ShiftLogicalLeftImm64 = StoreU64 + ShiftLogicalLeftImm64,
        RotateRightImm32ToXorLoadU64 = RotateRightImm32ToXor + LoadU64,
        AddImm64AddImm64BranchNotEqImm = AddImm64AddImm64 + BranchNotEqImm,
        StoreU64MulUpperUnsignedUnsignedStoreU64 = StoreU64MulUpperUnsignedUnsigned + StoreU64,
        LoadU64ToXorStoreU64 = LoadU64ToXor + StoreU64,
        LoadU64ToXorLoadU64 = LoadU64ToXor + LoadU64,
        LoadU64ToRotateRightImm64LoadU64 = LoadU64ToRotateRightImm64 + LoadU64,
        StoreU16StoreU16 = StoreU16 + StoreU16,
        StoreU64StoreU64StoreU64 = StoreU64StoreU64 + StoreU64,
        StoreU64Jump = StoreU64 + Jump,
        ShiftLogicalRightImm64ToXorStoreU64 = ShiftLogicalRightImm64ToXor + StoreU64,
        LoadU64ToAdd64LoadU64 = LoadU64ToAdd64 + LoadU64,
        LoadU16LoadU16 = LoadU16 + LoadU16,
        XorBranchNotEqImm = Xor + BranchNotEqImm,
        ShiftLogicalRight64ShiftLogicalRight64 = ShiftLogicalRight64 + ShiftLogicalRight64,
        StoreImmU64StoreImmU64 = StoreImmU64 + StoreImmU64,
        AndInvertedAndInverted = AndInverted + AndInverted,
        AndImmAndImm = AndImm + AndImm,
        Add64Add64LoadU64 = Add64Add64 + LoadU64,
        Add64RotateRightImm32 = Add64 + RotateRightImm32,
        XorStoreU64AndInverted = XorStoreU64 + AndInverted,
        ShiftLogicalLeftImm64AddImm64 = ShiftLogicalLeftImm64 + AddImm64,
        ShiftLogicalRightImm64LoadU64 = ShiftLogicalRightImm64 + LoadU64,
        ZeroExtend16BranchLessUnsigned = ZeroExtend16 + BranchLessUnsigned,
        LoadU64LoadU64ShiftLogicalRightImm64 = LoadU64LoadU64 + ShiftLogicalRightImm64,
        AndImmXor = AndImm + Xor,
        AddImm64StoreU64ShiftLogicalLeftImm64 = AddImm64StoreU64 + ShiftLogicalLeftImm64,
        Sub64ToZeroExtend16BranchLessUnsigned = Sub64ToZeroExtend16 + BranchLessUnsigned,
        XorStoreU64Jump = XorStoreU64 + Jump,
        AndImmXorBranchEqImm = AndImmXor + BranchEqImm,
        RotateRightImm64StoreU64 = RotateRightImm64 + StoreU64,
        StoreU64ShiftLogicalLeftImm64AndImm = StoreU64ShiftLogicalLeftImm64 + AndImm,
        RotateRightImm64StoreU64ShiftLogicalLeftImm64 = RotateRightImm64StoreU64 + ShiftLogicalLeftImm64,
        AddImm64AddImm64AddImm64 = AddImm64AddImm64 + AddImm64,
        LoadU8Sub64 = LoadU8 + Sub64,
        AddImm64BranchEqImm = AddImm64 + BranchEqImm,
        RotateRightImm64ToXorRotateRightImm64 = RotateRightImm64ToXor + RotateRightImm64,
        BranchEqCharge = BranchEq + Charge,
        XorBranchNotEq = Xor + BranchNotEq,
        BranchGreaterUnsignedImmCharge = BranchGreaterUnsignedImm + Charge,
        BranchLessUnsignedCharge = BranchLessUnsigned + Charge,
        BranchGreaterOrEqualUnsignedImmCharge = BranchGreaterOrEqualUnsignedImm + Charge,
        LoadU64LoadU64LoadU64LoadU64 = LoadU64LoadU64LoadU64 + LoadU64,
        ShiftLogicalRightImm64StoreU64 = ShiftLogicalRightImm64 + StoreU64,
        BranchEqImmCharge = BranchEqImm + Charge,
        Mul64StoreU64MulUpperUnsignedUnsignedStoreU64 = Mul64StoreU64MulUpperUnsignedUnsigned + StoreU64,
        RotateRightImm32RotateRightImm32ToXorStoreU64 = RotateRightImm32RotateRightImm32ToXor + StoreU64,
        AndImmShiftLogicalRightImm64 = AndImm + ShiftLogicalRightImm64,
        AddImm64Add64StoreU64 = AddImm64Add64 + StoreU64,
        LoadImm64ToMul64BranchLessOrEqualUnsignedImm = LoadImm64ToMul64 + BranchLessOrEqualUnsignedImm,
        LoadU64LoadImmAndJump = LoadU64 + LoadImmAndJump,
        AddImm64Add64BranchLessUnsignedImm = AddImm64Add64 + BranchLessUnsignedImm,
        BranchLessOrEqualUnsignedImmCharge = BranchLessOrEqualUnsignedImm + Charge,
        AndInvertedToXorStoreU64AndInverted = AndInvertedToXorStoreU64 + AndInverted,
        SetLessThanUnsignedLoadU64ToAdd64CmovIfZero = SetLessThanUnsignedLoadU64ToAdd64 + CmovIfZero,
        AddImm64StoreU64StoreU64StoreU64 = AddImm64StoreU64StoreU64 + StoreU64,
        StoreU16BranchLessUnsignedImm = StoreU16 + BranchLessUnsignedImm,
        LoadImmCharge = LoadImm + Charge,
        AddImm64StoreU64StoreU64BranchNotEqImm = AddImm64StoreU64StoreU64 + BranchNotEqImm,
        ReverseByteStoreU64 = ReverseByte + StoreU64,
        StoreU64StoreU64StoreU64StoreU64 = StoreU64StoreU64StoreU64 + StoreU64,
        LoadU64Charge = LoadU64 + Charge,
        StoreU64StoreU64StoreU64StoreU64Jump = StoreU64StoreU64StoreU64StoreU64 + Jump,
        MoveRegCharge = MoveReg + Charge,
        Add64StoreU64StoreU64 = Add64StoreU64 + StoreU64,
        Add64StoreU64StoreU64JumpIndirect = Add64StoreU64StoreU64 + JumpIndirect,
        ShiftLogicalLeft64AddImm64 = ShiftLogicalLeft64 + AddImm64,
        AddImm64Add64BranchLessUnsignedImmCharge = AddImm64Add64BranchLessUnsignedImm + Charge,
        AndImmAndImmOr = AndImmAndImm + Or,
        LoadU64ToBranchEqImmCharge = LoadU64ToBranchEqImm + Charge,
        ShiftLogicalRight64ShiftLogicalRight64AndImm = ShiftLogicalRight64ShiftLogicalRight64 + AndImm,
        LoadU16LoadU16LoadU8 = LoadU16LoadU16 + LoadU8,
        OrToOrCmovIfZeroImm = OrToOr + CmovIfZeroImm,
        BranchNotEqImmCharge = BranchNotEqImm + Charge,
        StoreU64LoadU64LoadU64 = StoreU64LoadU64 + LoadU64,
        LoadU8AddImm64BranchLessUnsigned = LoadU8AddImm64 + BranchLessUnsigned,
        LoadU8AddImm64BranchLessUnsignedCharge = LoadU8AddImm64BranchLessUnsigned + Charge,
        Add64Charge = Add64 + Charge,
        MoveRegLoadImm = MoveReg + LoadImm,
        StoreU64MulUpperUnsignedUnsignedStoreU64Mul64 = StoreU64MulUpperUnsignedUnsignedStoreU64 + Mul64,
        MulUpperUnsignedUnsignedMulUpperUnsignedUnsigned = MulUpperUnsignedUnsigned + MulUpperUnsignedUnsigned,
        OrToOrCmovIfZeroImmBranchEqImm = OrToOrCmovIfZeroImm + BranchEqImm,
        AddImm64BranchNotEqCharge = AddImm64BranchNotEq + Charge,
        StoreImmU64StoreImmU64Add64 = StoreImmU64StoreImmU64 + Add64,
        AndImmToAdd64LoadImm = AndImmToAdd64 + LoadImm,
        SignExtend8ToBranchLessOrEqualSignedImmCharge = SignExtend8ToBranchLessOrEqualSignedImm + Charge,
        ShiftLogicalRightImm32ToXorStoreU64 = ShiftLogicalRightImm32ToXor + StoreU64,
        DivUnsigned32AddImm64 = DivUnsigned32 + AddImm64,
        Add64ToLoadU8ToBranchNotEqImmCharge = Add64ToLoadU8ToBranchNotEqImm + Charge,
        DivUnsigned32AddImm64BranchLessUnsigned = DivUnsigned32AddImm64 + BranchLessUnsigned,
        StoreU64MulImm64 = StoreU64 + MulImm64,
        StoreU64Mul64MulUpperUnsignedUnsigned = StoreU64Mul64 + MulUpperUnsignedUnsigned,
        StoreU64StoreU64StoreU64StoreU64Charge = StoreU64StoreU64StoreU64StoreU64 + Charge,
        LoadU64ToXorStoreU64LoadU64 = LoadU64ToXorStoreU64 + LoadU64,
        StoreU64StoreU64StoreU64LoadU64 = StoreU64StoreU64StoreU64 + LoadU64,
        RotateRightImm64RotateRightImm64RotateRightImm64 = RotateRightImm64RotateRightImm64 + RotateRightImm64,
        XorStoreU64AndInvertedStoreU64 = XorStoreU64AndInverted + StoreU64,
        LoadU64ToXorLoadU64BranchNotEq = LoadU64ToXorLoadU64 + BranchNotEq,
        ReverseByteStoreU64ShiftLogicalRightImm64 = ReverseByteStoreU64 + ShiftLogicalRightImm64,
        ReverseByteStoreU64ShiftLogicalRightImm64StoreU64 = ReverseByteStoreU64ShiftLogicalRightImm64 + StoreU64,
        Add64ToSetLessThanUnsignedLoadU64 = Add64ToSetLessThanUnsigned + LoadU64,
        MulUpperUnsignedUnsignedMul64ShiftLogicalLeftImm64 = MulUpperUnsignedUnsignedMul64 + ShiftLogicalLeftImm64,
        Add64ToSetLessThanUnsignedToAdd64ShiftLogicalRightImm64 =
            Add64ToSetLessThanUnsignedToAdd64 + ShiftLogicalRightImm64,
        Add64ToSetLessThanUnsignedLoadU64ToAdd64LoadU64 = Add64ToSetLessThanUnsignedLoadU64ToAdd64 + LoadU64,
    }

    // Superinstructions whose last op takes the result of the one before it as its source `b`.
    chained_superinstructions {
        LoadU64ToAdd64 = LoadU64 + Add64,
        LoadU64ToXor = LoadU64 + Xor,
        LoadU64ToAnd = LoadU64 + And,
        LoadU64ToAndImm = LoadU64 + AndImm,
        LoadU64ToBranchEqImm = LoadU64 + BranchEqImm,
        LoadU64ToBranchNotEqImm = LoadU64 + BranchNotEqImm,
        LoadU64ToLoadU64 = LoadU64 + LoadU64,
        LoadU64ToJumpIndirect = LoadU64 + JumpIndirect,
        LoadI32ToAdd64 = LoadI32 + Add64,
        LoadI32ToBranchEqImm = LoadI32 + BranchEqImm,
        LoadU32ToAdd64 = LoadU32 + Add64,
        LoadU8ToAdd64 = LoadU8 + Add64,
        LoadU8ToXor = LoadU8 + Xor,
        LoadU8ToBranchEqImm = LoadU8 + BranchEqImm,
        LoadU8ToBranchNotEqImm = LoadU8 + BranchNotEqImm,
        LoadU8ToAndImm = LoadU8 + AndImm,
        Add64ToShiftLogicalRightImm64 = Add64 + ShiftLogicalRightImm64,
        Add64ToLoadI32 = Add64 + LoadI32,
        Add64ToLoadU32 = Add64 + LoadU32,
        Add64ToLoadU8 = Add64 + LoadU8,
        Add64ToLoadU64 = Add64 + LoadU64,
        Add64ToSetLessThanUnsigned = Add64 + SetLessThanUnsigned,
        Add64ToAdd64 = Add64 + Add64,
        Add64ToRotateRightImm32 = Add64 + RotateRightImm32,
        Add64ToXor = Add64 + Xor,
        Add64ToBranchNotEq = Add64 + BranchNotEq,
        RotateRightImm32ToXor = RotateRightImm32 + Xor,
        RotateRightImm64ToXor = RotateRightImm64 + Xor,
        SetLessThanUnsignedToAdd64 = SetLessThanUnsigned + Add64,
        AddImm64ToBranchLessUnsigned = AddImm64 + BranchLessUnsigned,
        AddImm64ToBranchNotEq = AddImm64 + BranchNotEq,
        AddImm64ToBranchNotEqImm = AddImm64 + BranchNotEqImm,
        AddImm64ToBranchEqImm = AddImm64 + BranchEqImm,
        AddImm64ToLoadU8 = AddImm64 + LoadU8,
        AddImm64ToLoadU64 = AddImm64 + LoadU64,
        ShiftLogicalLeftImm64ToAdd64 = ShiftLogicalLeftImm64 + Add64,
        ShiftLogicalLeftImm64ToOr = ShiftLogicalLeftImm64 + Or,
        ShiftLogicalRightImm64ToOr = ShiftLogicalRightImm64 + Or,
        ShiftLogicalRightImm64ToAndImm = ShiftLogicalRightImm64 + AndImm,
        ShiftLogicalRightImm64ToAdd64 = ShiftLogicalRightImm64 + Add64,
        ShiftLogicalRightImm64ToXor = ShiftLogicalRightImm64 + Xor,
        ShiftLogicalRightImm32ToXor = ShiftLogicalRightImm32 + Xor,
        Mul64ToAdd64 = Mul64 + Add64,
        MulUpperUnsignedUnsignedToAdd64 = MulUpperUnsignedUnsigned + Add64,
        XorToAnd = Xor + And,
        XorToXor = Xor + Xor,
        XorToRotateRightImm32 = Xor + RotateRightImm32,
        XorToRotateRightImm64 = Xor + RotateRightImm64,
        AndToXor = And + Xor,
        AndToOr = And + Or,
        AndToAdd64 = And + Add64,
        AndImmToBranchEqImm = AndImm + BranchEqImm,
        AndImmToBranchNotEqImm = AndImm + BranchNotEqImm,
        AndImmToAdd64 = AndImm + Add64,
        ZeroExtend16ToAdd64 = ZeroExtend16 + Add64,
        ZeroExtend16ToShiftLogicalLeftImm64 = ZeroExtend16 + ShiftLogicalLeftImm64,
        AddImm32ToBranchNotEqImm = AddImm32 + BranchNotEqImm,
        StoreU64AddImm64ToBranchLessUnsigned = StoreU64AddImm64 + BranchLessUnsigned,
        StoreU8AddImm64ToBranchNotEq = StoreU8AddImm64 + BranchNotEq,
        StoreU8Add64ToShiftLogicalRightImm64 = StoreU8Add64 + ShiftLogicalRightImm64,
        ShiftLogicalLeftImm64ToAdd64ToLoadU32 = ShiftLogicalLeftImm64ToAdd64 + LoadU32,
        RotateRightImm32RotateRightImm32ToXor = RotateRightImm32RotateRightImm32 + Xor,
        AndInvertedToXor = AndInverted + Xor,
        StoreU64LoadU64ToAdd64 = StoreU64LoadU64 + Add64,
        LoadU64ToRotateRightImm64 = LoadU64 + RotateRightImm64,
        RotateRightImm64LoadU64ToRotateRightImm64 = RotateRightImm64LoadU64 + RotateRightImm64,
        ShiftLogicalLeftImm64ToXor = ShiftLogicalLeftImm64 + Xor,
        ShiftLogicalLeftImm64ToXorToShiftLogicalRightImm64 = ShiftLogicalLeftImm64ToXor + ShiftLogicalRightImm64,
        LoadU64LoadU64ToAdd64 = LoadU64LoadU64 + Add64,
        Add64LoadU64ToAdd64 = Add64LoadU64 + Add64,
        XorToAndImm = Xor + AndImm,
        AddImm32ToBranchEqImm = AddImm32 + BranchEqImm,
        LoadU64LoadU64ToXor = LoadU64LoadU64 + Xor,
        XorToAndImmToBranchNotEqImm = XorToAndImm + BranchNotEqImm,
        XorLoadU64ToXor = XorLoadU64 + Xor,
        LoadU64ToAdd64ToSetLessThanUnsigned = LoadU64ToAdd64 + SetLessThanUnsigned,
        SetLessThanUnsignedLoadU64ToAdd64 = SetLessThanUnsignedLoadU64 + Add64,
        StoreU64LoadU64ToXor = StoreU64LoadU64 + Xor,
        LoadU64ToAdd64ToAdd64 = LoadU64ToAdd64 + Add64,
        LoadImmToAdd64 = LoadImm + Add64,
        AndInvertedAndInvertedToXor = AndInvertedAndInverted + Xor,
        Add64RotateRightImm32ToXor = Add64RotateRightImm32 + Xor,
        Sub64ToZeroExtend16 = Sub64 + ZeroExtend16,
        Add64ToLoadU8ToBranchNotEqImm = Add64ToLoadU8 + BranchNotEqImm,
        ShiftLogicalLeftImm64ToXorToShiftLogicalRightImm64ToXor =
            ShiftLogicalLeftImm64ToXorToShiftLogicalRightImm64 + Xor,
        ShiftLogicalLeftImm64ToXorToShiftLogicalRightImm64ToXorToShiftLogicalLeftImm64 =
            ShiftLogicalLeftImm64ToXorToShiftLogicalRightImm64ToXor + ShiftLogicalLeftImm64,
        LoadU64ToAdd64ToSetLessThanUnsignedToAdd64 = LoadU64ToAdd64ToSetLessThanUnsigned + Add64,
        ShiftLogicalLeftImm64ToShiftLogicalRightImm64 = ShiftLogicalLeftImm64 + ShiftLogicalRightImm64,
        ShiftLogicalLeftImm64ShiftLogicalLeftImm64ToSub64 = ShiftLogicalLeftImm64ShiftLogicalLeftImm64 + Sub64,
        LoadU64ToMulUpperUnsignedUnsigned = LoadU64 + MulUpperUnsignedUnsigned,
        StoreU64ShiftLogicalLeftImm64ToXor = StoreU64ShiftLogicalLeftImm64 + Xor,
        LoadImm64ToMul64 = LoadImm64 + Mul64,
        ShiftLogicalRightImm64LoadU64ToMulUpperUnsignedUnsigned =
            ShiftLogicalRightImm64LoadU64 + MulUpperUnsignedUnsigned,
        ShiftLogicalLeftImm64Add64ToSub64 = ShiftLogicalLeftImm64Add64 + Sub64,
        RotateRightImm32ToXorLoadU64ToAdd64 = RotateRightImm32ToXorLoadU64 + Add64,
        LoadU64LoadU64ToXorToXor = LoadU64LoadU64ToXor + Xor,
        OrToOr = Or + Or,
        AddImm64ToZeroExtend16 = AddImm64 + ZeroExtend16,
        LoadU64LoadU64ToAdd64ToLoadU16 = LoadU64LoadU64ToAdd64 + LoadU16,
        LoadU64ToLoadI32 = LoadU64 + LoadI32,
        ShiftLogicalLeftImm64AddImm64ToAdd64 = ShiftLogicalLeftImm64AddImm64 + Add64,
        LoadI32ToAdd64ToJumpIndirect = LoadI32ToAdd64 + JumpIndirect,
        AndImmToXorImm = AndImm + XorImm,
        ShiftLogicalLeftImm64ToAdd64ToAdd64 = ShiftLogicalLeftImm64ToAdd64 + Add64,
        StoreU64LoadU64ToShiftLogicalLeftImm64 = StoreU64LoadU64 + ShiftLogicalLeftImm64,
        SignExtend8ToBranchLessOrEqualSignedImm = SignExtend8 + BranchLessOrEqualSignedImm,
        LoadU64ToXorStoreU64LoadU64ToShiftLogicalRightImm64 = LoadU64ToXorStoreU64LoadU64 + ShiftLogicalRightImm64,
        LoadU64ToRotateRightImm64LoadU64ToRotateRightImm64 = LoadU64ToRotateRightImm64LoadU64 + RotateRightImm64,
        StoreU64LoadU64ToXorToXor = StoreU64LoadU64ToXor + Xor,
        Add64ToSetLessThanUnsignedToAdd64 = Add64ToSetLessThanUnsigned + Add64,
        Add64ToSetLessThanUnsignedLoadU64ToAdd64 = Add64ToSetLessThanUnsignedLoadU64 + Add64,
    }
}

#[cfg(test)]
mod tests {
    use super::OpKind;
    use alloc::format;

    #[test]
    fn superinstructions_are_named_after_their_parts() {
        let mut count = 0;
        for first in OpKind::ALL {
            for second in OpKind::ALL {
                for (chained, joint) in [(false, ""), (true, "To")] {
                    // Without a chained superinstruction, the one that reads the register serves as well.
                    let unchained = first.joined_with(*second, false);
                    if let Some(kind) =
                        first.joined_with(*second, chained).filter(|kind| !chained || unchained != Some(*kind))
                    {
                        assert_eq!(format!("{kind:?}"), format!("{first:?}{joint}{second:?}"));
                        assert_eq!((kind.ops(), kind.first()), (first.ops() + 1, first.first()));
                        count += 1;
                    }
                }
            }
        }
        assert_eq!(OpKind::ALL.iter().filter(|kind| kind.ops() > 1).count(), count);
    }
}
