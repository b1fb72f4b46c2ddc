//! The attribute `#[pvm_export]`: exports a function to the host.

use crate::slots::{ARGUMENTS, IN_C, RegisterClass, arguments, check_narrow};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, FnArg, Ident, ItemFn, LitStr, Result, ReturnType, Type, parse::Parser as _, spanned::Spanned as _};

pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut symbol = None;
    syn::meta::parser(|meta| {
        if !meta.path.is_ident("symbol") {
            return Err(meta.error("there is symbol = \"…\""));
        }
        symbol = Some(meta.value()?.parse::<LitStr>()?.value());
        Ok(())
    })
    .parse2(attribute)?;
    let function: ItemFn = syn::parse2(item)?;
    let sig = &function.sig;
    if let Some(asyncness) = &sig.asyncness {
        return Err(Error::new(asyncness.span(), "an export cannot be async"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new(sig.generics.span(), "an export cannot be generic"));
    }
    let mut types: Vec<&Type> = Vec::new();
    for argument in &sig.inputs {
        match argument {
            FnArg::Typed(argument) => types.push(&argument.ty),
            FnArg::Receiver(receiver) => return Err(Error::new(receiver.span(), "an export has no self")),
        }
    }
    let kinds = arguments(&types)?;
    let result = match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => None,
        ReturnType::Type(_, ty) => Some(RegisterClass::of(ty)?),
    };
    let symbol = symbol.unwrap_or_else(|| sig.ident.to_string());
    let check = check_narrow(&kinds);
    let module = format_ident!("__pvm_export_{}", sig.ident);
    let wide = machinery(&sig.ident, &types, &kinds, result, true, &symbol, sig.unsafety.is_some());
    let narrow = machinery(&sig.ident, &types, &kinds, result, false, &symbol, sig.unsafety.is_some());
    Ok(quote! {
        #function

        #[cfg(target_arch = "riscv64")]
        #[doc(hidden)]
        mod #module { #[allow(unused_imports)] use super::*; #wide }
        #[cfg(target_arch = "riscv32")]
        #[doc(hidden)]
        mod #module { #[allow(unused_imports)] use super::*; #check #narrow }
    })
}

fn machinery(
    name: &Ident,
    types: &[&Type],
    kinds: &[RegisterClass],
    result: Option<RegisterClass>,
    wide: bool,
    symbol: &str,
    is_unsafe: bool,
) -> TokenStream {
    let inputs: usize = kinds.iter().map(|kind| kind.slots(wide)).sum();
    if inputs > ARGUMENTS.len() {
        return TokenStream::new();
    }
    let outputs = result.map_or(0, |kind| kind.slots(wide));
    let slots: Vec<Ident> = (0..inputs).map(|index| format_ident!("slot{index}")).collect();
    let mut next = 0;
    let mut values = Vec::new();
    for (kind, ty) in kinds.iter().zip(types) {
        let end = next + kind.slots(wide);
        values.push(kind.of_slots(ty, &slots[next..end], wide));
        next = end;
    }
    // An unsafe export is called with the host's arguments, for whose validity the host is responsible.
    let call = match is_unsafe {
        true => quote!(unsafe { #name(#(#values),*) }),
        false => quote!(#name(#(#values),*)),
    };
    let (output, body) = match (result, outputs) {
        (None, _) => (quote!(), quote!({ let _ = #call; })),
        // Two 32-bit registers are returned as a 64-bit number.
        (Some(_), 2) => (quote!(-> u64), quote!(#call as u64)),
        (Some(kind), _) => {
            let slot = kind.to_slots(&quote!(value), wide).remove(0);
            (quote!(-> usize), quote!({ let value = #call; #slot }))
        }
    };
    let entry = entry(inputs, wide);
    let padding = wide.then(|| quote!(".4byte 0",));
    let section = format!(".text.polkavm_export.{name}");
    let target = if inputs > IN_C { quote!(entry) } else { quote!(wrapper) };
    let (inputs, outputs) = (inputs as u8, outputs as u8);
    quote! {
        #[unsafe(link_section = ".polkavm_metadata")]
        static METADATA: ::pvm_guest::linker::Export = ::pvm_guest::linker::Export::new(#symbol, #inputs, #outputs);

        /// Takes the registers set by the host, whose upper bits may be anything.
        #[unsafe(link_section = #section)]
        extern "C" fn wrapper(#(#slots: usize),*) #output {
            #body
        }

        #entry

        ::core::arch::global_asm!(
            ".pushsection .polkavm_exports,\"aR\",@note",
            ".byte 1",
            "auipc zero, %pcrel_hi({metadata})",
            #padding
            "auipc zero, %pcrel_hi({function})",
            #padding
            ".popsection",
            metadata = sym METADATA,
            function = sym #target,
        );
    }
}

/// Returns code that moves the arguments from the seventh on to the stack, where C expects them.
fn entry(inputs: usize, wide: bool) -> Option<TokenStream> {
    if inputs <= IN_C {
        return None;
    }
    let (store, load, size) = if wide { ("sd", "ld", 8) } else { ("sw", "lw", 4) };
    let frame = 4 * size;
    let mut lines = vec![format!("addi sp, sp, -{frame}"), format!("{store} ra, {}(sp)", 3 * size)];
    for (index, register) in ARGUMENTS.iter().enumerate().take(inputs).skip(IN_C) {
        lines.push(format!("{store} {register}, {}(sp)", size * (index - IN_C)));
    }
    lines.push("call {wrapper}".to_owned());
    lines.extend([format!("{load} ra, {}(sp)", 3 * size), format!("addi sp, sp, {frame}"), "ret".to_owned()]);
    Some(quote! {
        #[unsafe(naked)]
        unsafe extern "C" fn entry() {
            ::core::arch::naked_asm!(#(#lines,)* wrapper = sym wrapper)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(item: &str) -> String {
        expand(TokenStream::new(), item.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        assert!(error("fn f(x: String) {}").contains("only integers"));
        assert!(error("fn f(x: &u8) {}").contains("only integers"));
        assert!(error("fn f(&self) {}").contains("no self"));
        assert!(error("async fn f() {}").contains("async"));
        assert!(error("fn f<T>() {}").contains("generic"));
        let ten = (0..10).map(|index| format!("a{index}: u32")).collect::<Vec<_>>().join(", ");
        assert!(error(&format!("fn f({ten}) {{}}")).contains("10 arguments, there are registers for 9"));
    }

    #[test]
    fn an_export_keeps_the_function_and_names_its_symbol() {
        let out = expand(
            quote!(symbol = "other"),
            quote!(
                pub extern "C" fn f(x: u64) -> bool {
                    x > 1
                }
            ),
        )
        .unwrap();
        let text = out.to_string();
        assert!(text.contains("pub extern \"C\" fn f (x : u64) -> bool"), "{text}");
        assert!(text.contains("\"other\""), "{text}");
        assert!(
            expand(
                quote!(name = "x"),
                quote!(
                    fn f() {}
                )
            )
            .is_err()
        );
    }

    #[test]
    fn a_long_argument_too_many_for_32_bits_fails_only_there() {
        let out = expand(
            TokenStream::new(),
            quote!(
                fn f(a: u64, b: u64, c: u64, d: u64, e: u64) {}
            ),
        )
        .unwrap();
        assert!(out.to_string().contains("10 argument registers on a 32-bit machine"));
    }
}
