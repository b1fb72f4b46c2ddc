//! Integers passed between host and guest: the registers and stack slots that they take (`docs/embedding.md#calls`,
//! `docs/spec/execution.md#a-call`).
//!
//! Used by typed and untyped calls. A value takes a slot of the guest's register width; in 32-bit programs a 64-bit
//! value takes two, low half first. The first nine slots are registers; the others are on the stack, from the stack
//! pointer upwards.

use crate::error::Error;
use crate::raw::RawInstance;
use vm_core::isa::Reg;
use vm_core::memory::MemoryError;

/// Calls a macro with each list of up to twelve names of types: `()`, `(A)`, `(A B)` and so on.
macro_rules! for_each_arity {
    ($name:ident) => {
        $name!();
        $name!(A);
        $name!(A B);
        $name!(A B C);
        $name!(A B C D);
        $name!(A B C D E);
        $name!(A B C D E F);
        $name!(A B C D E F G);
        $name!(A B C D E F G H);
        $name!(A B C D E F G H I);
        $name!(A B C D E F G H I J);
        $name!(A B C D E F G H I J K);
        $name!(A B C D E F G H I J K L);
    };
}
pub(crate) use for_each_arity;

/// A value whose type is known only at run time. A 32-bit one is sign-extended in a 64-bit register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Val {
    /// 32 bits.
    I32(i32),
    /// 64 bits.
    I64(i64),
}

impl From<u32> for Val {
    fn from(value: u32) -> Val {
        Val::I32(value.cast_signed())
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<u64> for Val {
    fn from(value: u64) -> Val {
        Val::I64(value.cast_signed())
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

/// An argument value: its bits, extended to 64 according to its type, and true if its type has 64 bits.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument {
    bits: u64,
    is_wide: bool,
}

impl From<Val> for Argument {
    fn from(value: Val) -> Argument {
        match value {
            Val::I32(value) => value.into_argument(),
            Val::I64(value) => value.into_argument(),
        }
    }
}

/// Integer types of arguments and results: `u32`, `i32`, `u64`, `i64`. In a 64-bit register the narrow ones are zero-extended if
/// unsigned and sign-extended if signed.
pub trait Integer: Copy + Into<Val> + sealed::Sealed + 'static {
    /// True for 64-bit types.
    #[doc(hidden)]
    const WIDE: bool;
    /// Converts to an argument for the guest.
    #[doc(hidden)]
    fn into_argument(self) -> Argument;
    /// Converts from a register's bits; a 32-bit type uses the low half.
    #[doc(hidden)]
    fn from_bits(bits: u64) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! integers {
    ($($type:ident $wide:literal $extended:ident;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Integer for $type {
            const WIDE: bool = $wide;
            fn into_argument(self) -> Argument {
                Argument { bits: $extended::from(self) as u64, is_wide: $wide }
            }
            fn from_bits(bits: u64) -> $type {
                bits as $type
            }
        }
    )*};
}

integers! {
    u32 false u64;
    i32 false i64;
    u64 true u64;
    i64 true i64;
}

/// Returns the size of a slot in bytes.
fn width(instance: &RawInstance) -> u32 {
    if instance.module().program().isa().is_64_bit() { 8 } else { 4 }
}

/// Appends the slots of a value.
fn push(slots: &mut Vec<u64>, value: Argument, width: u32) {
    match value.is_wide && width == 4 {
        true => slots.extend([value.bits & 0xffff_ffff, value.bits >> 32]),
        false => slots.push(value.bits),
    }
}

/// Prepares `instance` to call the function at `entry`.
///
/// # Errors
/// If the arguments beyond the registers do not fit on the stack; nothing changes then.
pub(crate) fn prepare_call(instance: &mut RawInstance, entry: u32, args: &[Argument]) -> Result<(), Error> {
    let width = width(instance);
    let mut slots = Vec::with_capacity(args.len());
    args.iter().for_each(|value| push(&mut slots, *value, width));
    let (registers, rest) = slots.split_at(slots.len().min(Reg::ARGS.len()));
    if rest.is_empty() {
        instance.prepare_call(entry, registers);
        return Ok(());
    }
    let high = instance.module().program().memory_map().stack_high();
    // Keeps the stack pointer a multiple of 16.
    let length = (rest.len() as u64).saturating_mul(u64::from(width)).saturating_add(15) & !15;
    let too_many = Error::Arguments(MemoryError { address: high, length, write: true });
    let low = u32::try_from(length).ok().and_then(|length| high.checked_sub(length)).ok_or(too_many)?;
    let bytes: Vec<u8> = rest.iter().flat_map(|slot| slot.to_le_bytes().into_iter().take(width as usize)).collect();
    instance.write_memory(low, &bytes).map_err(Error::Arguments)?;
    instance.prepare_call(entry, registers);
    instance.set_reg(Reg::SP, u64::from(low));
    Ok(())
}

/// Reads the result of a call that returned.
pub(crate) fn result<R: Integer>(instance: &RawInstance) -> R {
    let low = instance.reg(Reg::A0);
    match R::WIDE && width(instance) == 4 {
        true => R::from_bits(low | instance.reg(Reg::A1) << 32),
        false => R::from_bits(low),
    }
}

/// Sets the result of a host call.
pub(crate) fn set_result(instance: &mut RawInstance, value: Argument) {
    let mut slots = Vec::with_capacity(2);
    push(&mut slots, value, width(instance));
    for (reg, slot) in [Reg::A0, Reg::A1].into_iter().zip(slots) {
        instance.set_reg(reg, slot);
    }
}

/// Reads the arguments of a host call, in order.
pub(crate) struct Arguments<'a> {
    instance: &'a RawInstance,
    next: u32,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(instance: &'a RawInstance) -> Self {
        Arguments { instance, next: 0 }
    }

    fn slot(&mut self) -> Result<u64, Error> {
        let number = self.next;
        self.next += 1;
        if let Some(reg) = Reg::ARGS.get(number as usize) {
            return Ok(self.instance.reg(*reg));
        }
        let width = width(self.instance);
        let offset = (number - Reg::ARGS.len() as u32) * width;
        let mut bytes = [0; 8];
        let address = (self.instance.reg(Reg::SP) as u32).wrapping_add(offset);
        self.instance.read_memory(address, &mut bytes[..width as usize]).map_err(Error::Arguments)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads the next argument.
    pub(crate) fn next<A: Integer>(&mut self) -> Result<A, Error> {
        let low = self.slot()?;
        match A::WIDE && width(self.instance) == 4 {
            true => Ok(A::from_bits(low | self.slot()? << 32)),
            false => Ok(A::from_bits(low)),
        }
    }
}
