//! The attribute `#[pvm_import]`: imports host functions.

use crate::slots::{ARGUMENTS, RegisterClass, arguments, check_narrow};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, FnArg, ForeignItem, ForeignItemFn, Ident, ItemForeignMod, LitInt, LitStr, Pat, Result,
    ReturnType, Type, spanned::Spanned as _,
};

pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(
            attribute.span(),
            "pvm_import takes nothing; say #[pvm(symbol = \"…\")] on a function in the block",
        ));
    }
    let block: ItemForeignMod = syn::parse2(item)?;
    if block.abi.name.as_ref().is_none_or(|name| name.value() != "C") {
        return Err(Error::new(block.abi.span(), "the host's functions are extern \"C\""));
    }
    block.items.iter().map(function).collect()
}

/// Attributes of `#[pvm(…)]`.
#[derive(Default)]
struct Named {
    symbol: Option<LitStr>,
    index: Option<LitInt>,
}

impl Named {
    fn read(attributes: &[Attribute]) -> Result<(Named, Vec<&Attribute>)> {
        let (mut named, mut others) = (Named::default(), Vec::new());
        for attribute in attributes {
            if !attribute.path().is_ident("pvm") {
                others.push(attribute);
                continue;
            }
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("symbol") {
                    named.symbol = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("index") {
                    named.index = Some(meta.value()?.parse()?);
                } else {
                    return Err(meta.error("there are symbol and index"));
                }
                Ok(())
            })?;
        }
        Ok((named, others))
    }
}

fn function(item: &ForeignItem) -> Result<TokenStream> {
    let ForeignItem::Fn(function) = item else {
        return Err(Error::new(item.span(), "the host has functions only"));
    };
    let ForeignItemFn { attrs, vis, sig, .. } = function;
    let (named, others) = Named::read(attrs)?;
    let name = &sig.ident;
    let mut names = Vec::new();
    let mut types: Vec<&Type> = Vec::new();
    for (index, argument) in sig.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = argument else {
            return Err(Error::new(argument.span(), "the host's functions have no self"));
        };
        names.push(match &*argument.pat {
            Pat::Ident(pat) => pat.ident.clone(),
            _ => format_ident!("argument{index}"),
        });
        types.push(&argument.ty);
    }
    if let Some(variadic) = &sig.variadic {
        return Err(Error::new(variadic.span(), "the host's functions have a fixed number of arguments"));
    }
    let kinds = arguments(&types)?;
    let result = match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some((RegisterClass::of(ty)?, &**ty)),
    };
    let symbol = named.symbol.map_or_else(|| name.to_string(), |symbol| symbol.value());
    let (has_index, index) = match &named.index {
        Some(index) => (1u8, quote!(#index)),
        None => (0, quote!(0)),
    };
    let check = check_narrow(&kinds);
    let wide = body(&names, &kinds, result, true, &symbol, has_index, &index);
    let narrow = body(&names, &kinds, result, false, &symbol, has_index, &index);
    let output = &sig.output;
    let missing = format!("{symbol} is a function of the host's, which is not here");
    Ok(quote! {
        #(#others)*
        #[cfg_attr(not(any(target_arch = "riscv32", target_arch = "riscv64")), allow(unused_variables))]
        #vis unsafe fn #name(#(#names: #types),*) #output {
            #[cfg(target_arch = "riscv64")]
            { #wide }
            #[cfg(target_arch = "riscv32")]
            { #check #narrow }
            #[cfg(not(any(target_arch = "riscv32", target_arch = "riscv64")))]
            { ::core::panic!(#missing) }
        }
    })
}

fn body(
    names: &[Ident],
    kinds: &[RegisterClass],
    result: Option<(RegisterClass, &Type)>,
    wide: bool,
    symbol: &str,
    has_index: u8,
    index: &TokenStream,
) -> TokenStream {
    let slots: Vec<TokenStream> =
        names.iter().zip(kinds).flat_map(|(name, kind)| kind.to_slots(&quote!(#name), wide)).collect();
    let inputs = slots.len();
    let outputs = result.map_or(0, |(kind, _)| kind.slots(wide));
    if inputs > ARGUMENTS.len() {
        return TokenStream::new();
    }
    let results = [format_ident!("result0"), format_ident!("result1")];
    let mut operands = Vec::new();
    for (position, register) in ARGUMENTS.iter().enumerate().take(inputs.max(outputs)) {
        operands.push(match (slots.get(position), results.get(position).filter(|_| position < outputs)) {
            (Some(slot), Some(result)) => quote!(inlateout(#register) #slot => #result),
            (Some(slot), None) => quote!(inlateout(#register) #slot => _),
            (None, Some(result)) => quote!(lateout(#register) #result),
            (None, None) => continue,
        });
    }
    let declared = results.iter().take(outputs);
    let value = result.map(|(kind, ty)| kind.of_slots(ty, &results[..outputs], wide));
    let padding = wide.then(|| quote!(".4byte 0",));
    let (inputs, outputs) = (inputs as u8, outputs as u8);
    quote! {
        #[unsafe(link_section = ".polkavm_metadata")]
        static METADATA: ::pvm_guest::linker::Import =
            ::pvm_guest::linker::Import::new(#symbol, #inputs, #outputs, #has_index, #index);

        /// Trampoline that the linker turns into the host call.
        #[unsafe(naked)]
        #[unsafe(link_section = ".text.polkavm_import")]
        unsafe extern "C" fn trampoline() {
            ::core::arch::naked_asm!(
                ".insn r 0xb, 0, 0, zero, zero, zero",
                "auipc zero, %pcrel_hi({metadata})",
                #padding
                "ret",
                metadata = sym METADATA,
            )
        }

        #(let #declared: usize;)*
        // SAFETY: the trampoline reads the registers given here and changes what a function of C may change, as the
        // linker's convention for host calls says; what the host does with pointers is the caller's promise.
        unsafe {
            ::core::arch::asm!("call {trampoline}", trampoline = sym trampoline, #(#operands,)* clobber_abi("C"));
        }
        #value
    }
}
