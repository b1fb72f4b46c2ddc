//! The attributes of `pvm-guest`: `#[pvm_import]` and `#[pvm_export]`.
//!
//! They generate a record for the linker with the name and the number of registers of each function
//! (docs/spec/abi.md#records-for-the-linker), and code that moves arguments between registers and Rust. On the
//! development machine, exports are plain functions, and imports panic.

mod export;
mod import;
mod slots;

use proc_macro::TokenStream;

/// On an `extern "C"` block: imports its functions from the host. On a function, `#[pvm(symbol = "name")]` sets the host's
/// name for it, if that differs, and `#[pvm(index = 3)]` its number.
#[proc_macro_attribute]
pub fn pvm_import(attribute: TokenStream, item: TokenStream) -> TokenStream {
    answer(import::expand(attribute.into(), item.into()))
}

/// On a function: exports it to the host. `#[pvm_export(symbol = "name")]` sets the export's name, if that differs.
#[proc_macro_attribute]
pub fn pvm_export(attribute: TokenStream, item: TokenStream) -> TokenStream {
    answer(export::expand(attribute.into(), item.into()))
}

fn answer(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
