//! Names for the errors of a chain.
//!
//! Called with the `DispatchError` of a transaction or a dry run. The names and their documentation are those of the
//! chain's metadata.

use subxt::{
    Metadata,
    dynamic::At as _,
    ext::scale_value::{Value, ValueDef},
};

/// An error of the chain: its name and documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedError {
    /// Name, such as `Polkavm::OutOfGas`.
    pub name: String,
    /// Its documentation.
    pub docs: String,
}

/// Unwraps the `Module({index, error})` that names the error.
fn inner<T>(error: &Value<T>) -> &Value<T> {
    match error.at(0) {
        Some(module) if module.at("index").is_some() => module,
        _ => error,
    }
}

/// Returns the name of an error and its documentation, from a decoded `DispatchError`.
pub fn name_error<T>(metadata: &Metadata, error: &Value<T>) -> NamedError {
    let error = inner(error);
    if let (Some(index), Some(number)) = (
        error.at("index").and_then(|index| index.as_u128()),
        error.at("error").at(0).and_then(|number| number.as_u128()),
    ) && let (Ok(index), Ok(number)) = (u8::try_from(index), u8::try_from(number))
        && let Some(pallet) = metadata.pallet_by_error_index(index)
        && let Some(variant) = pallet.error_variant_by_index(number)
    {
        return NamedError { name: format!("{}::{}", pallet.name(), variant.name), docs: joined(&variant.docs) };
    }
    NamedError { name: format!("DispatchError::{}", variant_path(error)), docs: String::new() }
}

/// Formats a path such as `BadOrigin`, or `Token::FundsUnavailable` for a variant in a variant.
fn variant_path<T>(error: &Value<T>) -> String {
    match &error.value {
        ValueDef::Variant(variant) => match variant.values.at(0) {
            Some(inner) => format!("{}::{}", variant.name, variant_path(inner)),
            None => variant.name.clone(),
        },
        _ => error.to_string(),
    }
}

/// Returns an error of a pallet with its documentation.
pub fn error_by_name(metadata: &Metadata, pallet: &str, name: &str) -> NamedError {
    let variants = metadata.pallet_by_name(pallet).and_then(|pallet| pallet.error_variants()).unwrap_or_default();
    let docs = variants.iter().find(|variant| variant.name == name).map(|variant| joined(&variant.docs));
    NamedError { name: format!("{pallet}::{name}"), docs: docs.unwrap_or_default() }
}

fn joined(docs: &[String]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_of_no_pallet_are_named_by_their_variants() {
        assert_eq!(variant_path(&Value::unnamed_variant("BadOrigin", [])), "BadOrigin");
        let nested = Value::unnamed_variant("Token", [Value::unnamed_variant("FundsUnavailable", [])]);
        assert_eq!(variant_path(&nested), "Token::FundsUnavailable");
    }
}
