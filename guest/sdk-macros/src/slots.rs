//! Assignment of values to registers (spec: docs/spec/abi.md#arguments-and-results).

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, Result, Type, spanned::Spanned as _};

/// The argument registers, in order.
pub const ARGUMENTS: [&str; 9] = ["a0", "a1", "a2", "a3", "a4", "a5", "t0", "t1", "t2"];

/// Number of argument registers in C's calling convention.
pub const IN_C: usize = 6;

/// Register class of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterClass {
    /// Sign-extended integer of at most 32 bits, or of pointer width.
    Signed,
    /// Zero-extended integer of at most 32 bits, or of pointer width.
    Unsigned,
    /// A boolean.
    Bool,
    /// A pointer.
    Pointer,
    /// 64 bits: a pair of 32-bit registers on 32-bit machines.
    Long,
}

impl RegisterClass {
    /// Returns the register class of a type by its name.
    pub fn of(ty: &Type) -> Result<RegisterClass> {
        let name = match ty {
            Type::Ptr(_) => return Ok(RegisterClass::Pointer),
            Type::Path(path) if path.qself.is_none() => path.path.get_ident().map(Ident::to_string),
            _ => None,
        };
        match name.as_deref() {
            Some("i8" | "i16" | "i32" | "isize") => Ok(RegisterClass::Signed),
            Some("u8" | "u16" | "u32" | "usize") => Ok(RegisterClass::Unsigned),
            Some("bool") => Ok(RegisterClass::Bool),
            Some("i64" | "u64") => Ok(RegisterClass::Long),
            _ => Err(Error::new(
                ty.span(),
                "only integers up to 64 bits, bool and raw pointers can be passed between guest and host",
            )),
        }
    }

    /// Number of registers that it occupies.
    pub fn slots(self, wide: bool) -> usize {
        if self == RegisterClass::Long && !wide { 2 } else { 1 }
    }

    /// Converts `value` to register contents of type `usize`.
    pub fn to_slots(self, value: &TokenStream, wide: bool) -> Vec<TokenStream> {
        match self {
            RegisterClass::Signed => vec![quote!(#value as isize as usize)],
            RegisterClass::Long if !wide => {
                vec![quote!(#value as u32 as usize), quote!((#value as u64 >> 32) as usize)]
            }
            _ => vec![quote!(#value as usize)],
        }
    }

    /// Converts the registers `slots` to a value of type `ty`.
    pub fn of_slots(self, ty: &Type, slots: &[Ident], wide: bool) -> TokenStream {
        let low = &slots[0];
        match (self, slots.get(1)) {
            (RegisterClass::Bool, _) => quote!((#low & 1 != 0)),
            (RegisterClass::Long, Some(high)) if !wide => quote!(((#high as u64) << 32 | #low as u64) as #ty),
            _ => quote!(#low as #ty),
        }
    }
}

/// Returns the register classes of parameter types, if they fit the argument registers for both widths.
pub fn arguments(types: &[&Type]) -> Result<Vec<RegisterClass>> {
    let kinds = types.iter().map(|ty| RegisterClass::of(ty)).collect::<Result<Vec<_>>>()?;
    let slots: usize = kinds.iter().map(|kind| kind.slots(true)).sum();
    if let Some(last) = types.last().filter(|_| slots > ARGUMENTS.len()) {
        let limit = ARGUMENTS.len();
        return Err(Error::new(last.span(), format!("{slots} arguments, there are registers for {limit}")));
    }
    Ok(kinds)
}

/// Generates an assertion that fails a 32-bit build whose arguments do not fit.
pub fn check_narrow(kinds: &[RegisterClass]) -> TokenStream {
    let slots: usize = kinds.iter().map(|kind| kind.slots(false)).sum();
    let limit = ARGUMENTS.len();
    if slots <= limit {
        return TokenStream::new();
    }
    let text = format!("{slots} argument registers on a 32-bit machine, there are {limit}; a 64-bit number takes two");
    quote!(::core::compile_error!(#text);)
}
