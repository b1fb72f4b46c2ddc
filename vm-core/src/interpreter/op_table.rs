//! What every op means (`docs/spec/instructions.md#instructions`). The only place where that is written.
//!
//! Each meaning is a type, so that every dispatcher makes its own code from it; see `dispatch`.

use super::arith::*;
use super::dispatch::{Handler, handle, handle_slow_path};
use super::op::{Op, OpKind};
use super::run_state::{Flow, RunState, Stop};
use core::marker::PhantomData;

/// What an op of one kind does.
pub(super) trait Execute {
    /// Does it. `rest` is what comes after the op; an op that takes others along takes them from there. `last` is the
    /// value that the op before wrote, and becomes the one that this op writes.
    ///
    /// With `FAST`, memory accesses that need more than a look ask to be tried again without. With `CHAINED`, the op's
    /// source `b` is what the op before wrote, and is taken from where it still is.
    fn execute<'a, const FAST: bool, const CHAINED: bool>(
        m: &mut RunState<'a>,
        op: &Op,
        rest: &mut &'a [Op],
        last: &mut u64,
    ) -> Flow;
}

/// An op, or two, and the one after, which with `CHAIN` takes the result of the one before it as its source `b`.
pub(super) struct Superinstruction<A, B, const CHAIN: bool>(PhantomData<(A, B)>);

impl<A: Execute, B: Execute, const CHAIN: bool> Execute for Superinstruction<A, B, CHAIN> {
    #[inline(always)]
    fn execute<'a, const FAST: bool, const CHAINED: bool>(
        m: &mut RunState<'a>,
        op: &Op,
        rest: &mut &'a [Op],
        last: &mut u64,
    ) -> Flow {
        match A::execute::<FAST, CHAINED>(m, op, rest, last) {
            Flow::Next => match rest.split_first() {
                Some((second, after)) => {
                    *rest = after;
                    B::execute::<FAST, CHAIN>(m, second, rest, last)
                }
                None => Flow::Stop(Stop::Trap),
            },
            flow => flow,
        }
    }
}

macro_rules! meaning {
    ($kind:ident, |$m:ident, $op:ident, $b:ident, $c:ident, $last:ident, $fast:ident| $body:expr) => {
        struct $kind;

        impl Execute for $kind {
            #[inline(always)]
            fn execute<'a, const $fast: bool, const CHAINED: bool>(
                $m: &mut RunState<'a>,
                $op: &Op,
                _: &mut &'a [Op],
                $last: &mut u64,
            ) -> Flow {
                #[allow(unused_variables, reason = "not every op has both")]
                let ($b, $c) = (if CHAINED { *$last } else { $m.reg($op.b) }, $m.reg_number($op.imm));
                $body
            }
        }
    };
}

macro_rules! meanings {
    (
        |$m:ident, $op:ident, $b:ident, $c:ident|
        values { $($value:ident => $result:expr,)* }
        loads { $($load:ident => $from:expr,)* }
        stores { $($store:ident => $stored:expr,)* }
        branches { $($branch:ident => $taken:expr,)* }
        others { $($other:ident => $flow:expr,)* }
        pairs { $($pair:ident = $first:ident + $second:ident,)* }
        chains { $($chain:ident = $producer:ident + $consumer:ident,)* }
    ) => {
        $(meaning!($value, |$m, $op, $b, $c, last, FAST| {
            *last = $result;
            $m.set($op.a, *last)
        });)*
        $(meaning!($load, |$m, $op, $b, $c, last, FAST| {
            match $m.load::<FAST, _>(($b as u32).wrapping_add($op.imm)) {
                Some(bytes) => {
                    *last = $from(bytes);
                    $m.set($op.a, *last)
                }
                None if FAST => Flow::SlowPath(handle_slow_path::<Self>),
                None => Flow::Stop(Stop::Trap),
            }
        });)*
        $(meaning!($store, |$m, $op, $b, $c, last, FAST| {
            match $m.store::<FAST, _>(($b as u32).wrapping_add($op.imm), ($stored).to_le_bytes()) {
                true => Flow::Next,
                false if FAST => Flow::SlowPath(handle_slow_path::<Self>),
                false => Flow::Stop(Stop::Trap),
            }
        });)*
        $(meaning!($branch, |$m, $op, $b, $c, last, FAST| {
            if $taken { Flow::Enter($op.lo as usize) } else { Flow::Next }
        });)*
        $(meaning!($other, |$m, $op, $b, $c, last, FAST| $flow);)*
        $(type $pair = Superinstruction<$first, $second, false>;)*
        $(type $chain = Superinstruction<$producer, $consumer, true>;)*

        /// The kind that does what ops of two kinds do one after the other, if there is one. `chained` says whether the
        /// second takes the first one's result as its source `b`.
        pub(super) const fn superinstruction(first: OpKind, second: OpKind, chained: bool) -> Option<OpKind> {
            match (first, second) {
                $((OpKind::$producer, OpKind::$consumer) if chained => Some(OpKind::$chain),)*
                $((OpKind::$first, OpKind::$second) => Some(OpKind::$pair),)*
                _ => None,
            }
        }

        /// Does what an op of this kind does.
        #[inline(always)]
        pub(super) fn execute<'a>(kind: OpKind, m: &mut RunState<'a>, op: &Op, rest: &mut &'a [Op]) -> Flow {
            let last = &mut 0;
            match kind {
                $(OpKind::$value => $value::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$load => $load::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$store => $store::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$branch => $branch::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$other => $other::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$pair => $pair::execute::<false, false>(m, op, rest, last),)*
                $(OpKind::$chain => $chain::execute::<false, false>(m, op, rest, last),)*
            }
        }

        /// For every kind the handler of the threaded dispatcher.
        pub(super) static HANDLERS: [Handler; OpKind::COUNT] = {
            let mut handlers: [Handler; OpKind::COUNT] = [handle::<Trap>; OpKind::COUNT];
            $(handlers[OpKind::$value as usize] = handle::<$value>;)*
            $(handlers[OpKind::$load as usize] = handle::<$load>;)*
            $(handlers[OpKind::$store as usize] = handle::<$store>;)*
            $(handlers[OpKind::$branch as usize] = handle::<$branch>;)*
            $(handlers[OpKind::$other as usize] = handle::<$other>;)*
            $(handlers[OpKind::$pair as usize] = handle::<$pair>;)*
            $(handlers[OpKind::$chain as usize] = handle::<$chain>;)*
            handlers
        };
    };
}

meanings! {
    |m, op, b, c|
    values {
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
        MulUpperSignedSigned32 => mul_upper_signed_32(b, c),
        MulUpperUnsignedUnsigned32 => mul_upper_unsigned_32(b, c),
        MulUpperSignedUnsigned32 => mul_upper_signed_unsigned_32(b, c),
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
        ReverseByte32 => sx32((b as u32).swap_bytes()),
    }
    loads {
        LoadU8 => |bytes| u64::from(u8::from_le_bytes(bytes)),
        LoadI8 => |bytes| i8::from_le_bytes(bytes) as i64 as u64,
        LoadU16 => |bytes| u64::from(u16::from_le_bytes(bytes)),
        LoadI16 => |bytes| i16::from_le_bytes(bytes) as i64 as u64,
        LoadU32 => |bytes| u64::from(u32::from_le_bytes(bytes)),
        LoadI32 => |bytes| i32::from_le_bytes(bytes) as i64 as u64,
        LoadU64 => u64::from_le_bytes,
    }
    stores {
        StoreU8 => (m.reg(op.a) as u8),
        StoreU16 => (m.reg(op.a) as u16),
        StoreU32 => (m.reg(op.a) as u32),
        StoreU64 => m.reg(op.a),
        StoreImmU8 => (op.lo as u8),
        StoreImmU16 => (op.lo as u16),
        StoreImmU32 => op.lo,
        StoreImmU64 => sx32(op.lo),
    }
    branches {
        Jump => true,
        NextBlock => true,
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
    }
    others {
        Charge => match m.pay(op) {
            true => Flow::Next,
            false => Flow::Stop(Stop::OutOfGas),
        },
        Nop => Flow::Next,
        Step => Flow::Stop(Stop::Step),
        Trap => Flow::Stop(Stop::Trap),
        HostCall => Flow::Stop(Stop::HostCall),
        SameBlock => Flow::Chunk(op.lo as usize),
        LoadImmAndJump => {
            m.set(op.a, sx32(op.imm));
            Flow::Enter(op.lo as usize)
        },
        JumpIndirect => m.jump((b as u32).wrapping_add(op.imm)),
        LoadImmAndJumpIndirect => {
            // The link register may be the base as well.
            m.set(op.a, sx32(op.lo));
            m.jump((b as u32).wrapping_add(op.imm))
        },
        Memset => m.memset(),
        Sbrk => {
            let end = m.memory.sbrk(b as u32).unwrap_or(0);
            m.set(op.a, sx32(end))
        },
    }
    pairs {
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
    }
    chains {
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
    }
}
