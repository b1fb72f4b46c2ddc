//! Operands other than memory: registers, sizes, conditions, immediates. Used by every form. All values of these types
//! are valid, so an encoder has nothing to check.

/// A general-purpose register. Its number is the hardware's (Intel SDM, volume 2, table 3-1).
///
/// As an 8-bit operand `Rsp`, `Rbp`, `Rsi` and `Rdi` mean `spl`, `bpl`, `sil` and `dil`; `ah` to `bh` can't be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the processor's")]
pub enum Reg {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

impl Reg {
    /// All sixteen, in the order of their numbers.
    pub const ALL: [Reg; 16] = {
        use Reg::*;
        [Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15]
    };

    /// The register's number, 0 to 15.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The register as an index of a memory operand; `None` for `rsp`, whose number there means "no index".
    #[inline(always)]
    pub const fn index(self) -> Option<IndexReg> {
        match self {
            Reg::Rsp => None,
            reg => Some(IndexReg(reg)),
        }
    }
}

/// A register that can be the index of a memory operand: any but `rsp`. Made by [`Reg::index`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct IndexReg(Reg);

impl IndexReg {
    /// The register itself.
    #[inline(always)]
    pub const fn reg(self) -> Reg {
        self.0
    }
}

/// Operand size of an operation on registers. A 32-bit result clears the upper half of its register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum RegSize {
    /// 32 bits.
    R32 = 0,
    /// 64 bits.
    R64 = 1,
}

impl RegSize {
    /// The REX.W bit, or VEX.W.
    #[inline(always)]
    pub(crate) const fn w(self) -> u8 {
        self as u8
    }
}

/// Width of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Width {
    /// One byte.
    W8,
    /// Two bytes.
    W16,
    /// Four bytes.
    W32,
    /// Eight bytes.
    W64,
}

/// Immediate of a store, of the store's width.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StoreImm {
    /// One byte.
    W8(i8),
    /// Two bytes.
    W16(i16),
    /// Four bytes.
    W32(i32),
    /// Eight bytes: the number, sign-extended. The processor has no store of a full 64-bit constant.
    W64(i32),
}

/// Factor of the index in a memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Scale {
    X1 = 0,
    X2 = 1,
    X4 = 2,
    X8 = 3,
}

/// A condition on the flags. Its number is the hardware's (Intel SDM, volume 1, appendix B).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cond {
    /// OF.
    Overflow = 0,
    /// Not OF.
    NotOverflow = 1,
    /// CF: less, unsigned; a borrow or a carry.
    Below = 2,
    /// Not CF: greater or equal, unsigned.
    AboveOrEqual = 3,
    /// ZF.
    Equal = 4,
    /// Not ZF.
    NotEqual = 5,
    /// CF or ZF: less or equal, unsigned.
    BelowOrEqual = 6,
    /// Neither CF nor ZF: greater, unsigned.
    Above = 7,
    /// SF: negative.
    Sign = 8,
    /// Not SF.
    NotSign = 9,
    /// PF.
    Parity = 10,
    /// Not PF.
    NotParity = 11,
    /// SF differs from OF: less, signed.
    Less = 12,
    /// SF equals OF: greater or equal, signed.
    GreaterOrEqual = 13,
    /// ZF, or SF differs from OF: less or equal, signed.
    LessOrEqual = 14,
    /// Not ZF, and SF equals OF: greater, signed.
    Greater = 15,
}

impl Cond {
    /// All sixteen, in the order of their numbers.
    pub const ALL: [Cond; 16] = {
        use Cond::*;
        [
            Overflow,
            NotOverflow,
            Below,
            AboveOrEqual,
            Equal,
            NotEqual,
            BelowOrEqual,
            Above,
            Sign,
            NotSign,
            Parity,
            NotParity,
            Less,
            GreaterOrEqual,
            LessOrEqual,
            Greater,
        ]
    };

    /// Returns the negated condition.
    #[inline]
    pub const fn inverted(self) -> Cond {
        Cond::ALL[(self as usize ^ 1) & 15]
    }

    /// The condition's number, 0 to 15.
    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }
}
