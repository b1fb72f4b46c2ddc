//! Converts decoded values to JSON.
//!
//! Called with the fields of events and other values described by the chain's metadata. Assumes that a value was
//! decoded with the types given. The same type always has the same JSON shape: bytes are hex even if there are none, a
//! list is a list even with one item, and numbers are text, as they may have 128 bits.

use serde_json::{Value as Json, json};
use subxt::ext::{
    scale_type_resolver::{Primitive as PrimitiveType, TypeResolver, visitor},
    scale_value::{Composite, Primitive, Value, ValueDef, scale},
};

/// Decodes bytes as a type. Bytes after it are left over.
///
/// # Errors
///
/// A message if there are too few bytes, or they do not fit the type.
pub fn decode<R>(types: &R, id: R::TypeId, bytes: &mut &[u8]) -> Result<Value<R::TypeId>, String>
where
    R: TypeResolver,
{
    scale::decode_as_type(bytes, id, types).map_err(|error| error.to_string())
}

/// Converts a value to JSON.
pub fn to_json<R: TypeResolver>(types: &R, value: &Value<R::TypeId>) -> Json {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(values)) => {
            match (shape(types, value.context.clone()), values.as_slice()) {
                (Shape::Bytes, bytes) => hex_of(bytes),
                (Shape::Wrapper, [inner]) => to_json(types, inner),
                (_, values) => Json::Array(values.iter().map(|value| to_json(types, value)).collect()),
            }
        }
        ValueDef::Composite(fields) => fields_to_json(types, fields),
        ValueDef::Variant(variant) if variant.values.is_empty() => Json::String(variant.name.clone()),
        ValueDef::Variant(variant) => json!({ &variant.name: fields_to_json(types, &variant.values) }),
        ValueDef::BitSequence(bits) => Json::String(bits.iter().map(|bit| if bit { '1' } else { '0' }).collect()),
        ValueDef::Primitive(primitive) => match primitive {
            Primitive::Bool(bool) => Json::Bool(*bool),
            Primitive::Char(char) => Json::String(char.to_string()),
            Primitive::String(text) => Json::String(text.clone()),
            Primitive::U128(number) => Json::String(number.to_string()),
            Primitive::I128(number) => Json::String(number.to_string()),
            Primitive::U256(bytes) | Primitive::I256(bytes) => Json::String(hex(bytes)),
        },
    }
}

/// Converts fields to a JSON object if they have names, otherwise to a list.
pub fn fields_to_json<R: TypeResolver>(types: &R, fields: &Composite<R::TypeId>) -> Json {
    match fields {
        Composite::Named(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), to_json(types, value))).collect())
        }
        Composite::Unnamed(values) => Json::Array(values.iter().map(|value| to_json(types, value)).collect()),
    }
}

/// Formats bytes as hex after `0x`.
pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// The shape of a type without field names.
enum Shape {
    /// A sequence or an array of `u8`.
    Bytes,
    /// A struct with one field, which is shown as that field.
    Wrapper,
    Other,
}

fn shape<R: TypeResolver>(types: &R, id: R::TypeId) -> Shape {
    let list_of = |item: R::TypeId| if is_byte(types, item) { Shape::Bytes } else { Shape::Other };
    let visitor = visitor::new((), |(), _| Shape::Other)
        .visit_sequence(|(), _, item| list_of(item))
        .visit_array(|(), item, _| list_of(item))
        .visit_composite(|(), _, _| Shape::Wrapper);
    types.resolve_type(id, visitor).unwrap_or(Shape::Other)
}

fn is_byte<R: TypeResolver>(types: &R, id: R::TypeId) -> bool {
    let visitor = visitor::new((), |(), _| false).visit_primitive(|(), primitive| primitive == PrimitiveType::U8);
    types.resolve_type(id, visitor).unwrap_or(false)
}

fn hex_of<T>(values: &[Value<T>]) -> Json {
    let bytes: Option<Vec<u8>> =
        values.iter().map(|value| value.as_u128().and_then(|number| u8::try_from(number).ok())).collect();
    // According to the type every item is a byte.
    Json::String(hex(&bytes.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;
    use subxt::ext::scale_type_resolver::{Field, ResolvedTypeVisitor};

    /// A few types, by number.
    struct Types;

    const BYTE: u32 = 0;
    const WIDE: u32 = 1;
    const BYTES: u32 = 2;
    const HASH: u32 = 3;
    const HASHES: u32 = 4;
    const WIDES: u32 = 5;
    const PAIR: u32 = 6;
    const WORD: u32 = 7;

    impl TypeResolver for Types {
        type TypeId = u32;
        type Error = String;

        fn resolve_type<'this, V: ResolvedTypeVisitor<'this, TypeId = u32>>(
            &'this self,
            id: u32,
            visitor: V,
        ) -> Result<V::Value, String> {
            let no_path = iter::empty::<&'this str>;
            Ok(match id {
                BYTE => visitor.visit_primitive(PrimitiveType::U8),
                WIDE => visitor.visit_primitive(PrimitiveType::U128),
                BYTES => visitor.visit_sequence(no_path(), BYTE),
                WORD => visitor.visit_array(BYTE, 3),
                HASH => visitor.visit_composite(no_path(), iter::once(Field::unnamed(WORD))),
                HASHES => visitor.visit_sequence(no_path(), HASH),
                WIDES => visitor.visit_sequence(no_path(), WIDE),
                PAIR => visitor.visit_tuple([BYTE, WIDE].into_iter()),
                _ => visitor.visit_not_found(),
            })
        }
    }

    fn decoded(id: u32, bytes: &[u8]) -> Json {
        let mut rest = bytes;
        let value = decode(&Types, id, &mut rest).unwrap();
        assert!(rest.is_empty());
        to_json(&Types, &value)
    }

    #[test]
    fn bytes_are_hex_even_when_there_are_none() {
        assert_eq!(decoded(BYTES, &[8, 0xab, 0xcd]), json!("0xabcd"));
        assert_eq!(decoded(BYTES, &[0]), json!("0x"));
    }

    #[test]
    fn a_wrapped_hash_is_hex_and_a_list_of_one_is_still_a_list() {
        assert_eq!(decoded(HASH, &[1, 2, 3]), json!("0x010203"));
        assert_eq!(decoded(HASHES, &[4, 1, 2, 3]), json!(["0x010203"]));
        assert_eq!(decoded(HASHES, &[0]), json!([]));
    }

    #[test]
    fn small_numbers_are_not_taken_for_bytes_and_large_ones_keep_all_their_digits() {
        assert_eq!(decoded(WIDES, &[[4].as_slice(), &7u128.to_le_bytes()].concat()), json!(["7"]));
        assert_eq!(decoded(WIDE, &u128::MAX.to_le_bytes()), json!(u128::MAX.to_string()));
        assert_eq!(decoded(PAIR, &[[9].as_slice(), &1u128.to_le_bytes()].concat()), json!(["9", "1"]));
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        assert!(decode(&Types, BYTES, &mut [8, 0xab].as_slice()).is_err());
        assert!(decode(&Types, WIDE, &mut [].as_slice()).is_err());
    }

    #[test]
    fn a_type_that_is_not_known_is_an_error() {
        assert!(decode(&Types, 99, &mut [1].as_slice()).is_err());
    }
}
