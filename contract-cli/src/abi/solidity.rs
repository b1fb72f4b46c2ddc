//! Solidity's ABI.

use super::{Decoded, Encoded, Returns, described, name_of};
use crate::{error::Error, money::Units, value::hex};
use alloy_dyn_abi::{DynSolType, DynSolValue, EventExt as _, FunctionExt as _, JsonAbiExt as _, Specifier as _};
use alloy_json_abi::{EventParam, Function, JsonAbi, Param};
use serde_json::Value as Json;

/// Encodes a call of a function such as `transfer(address,uint256)` with its arguments.
///
/// # Errors
///
/// If the signature is malformed, or the arguments do not fit.
pub fn call_data(signature: &str, arguments: &[String]) -> Result<Vec<u8>, Error> {
    Ok(by_signature(signature, arguments, Units::Offline)?.data)
}

/// Encodes a call by a signature, which may include result types: `balanceOf(address) returns (uint256)`.
pub fn by_signature(signature: &str, arguments: &[String], units: Units<'_>) -> Result<Encoded, Error> {
    let function = parse(signature)?;
    if function.name.is_empty() {
        return Err(Error::Usage(format!("`{signature}` has no name: write it as transfer(address,uint256)")));
    }
    let data = encode_function(&function, arguments, units)?;
    let returns = if function.outputs.is_empty() { Returns::Unknown } else { Returns::Solidity(Box::new(function)) };
    Ok(Encoded { data, returns })
}

/// Encodes the data of a constructor with parameters such as `(uint256)`.
///
/// # Errors
///
/// As [`call_data`].
pub fn constructor_data(signature: &str, arguments: &[String], units: Units<'_>) -> Result<Vec<u8>, Error> {
    // The grammar requires a name, which is not used.
    let parameters = signature.find('(').and_then(|start| signature.get(start..)).unwrap_or(signature);
    let function = parse(&format!("constructor{parameters}"))?;
    let values = values("the constructor", &function.inputs, arguments, units)?;
    function.abi_encode_input_raw(&values).map_err(|error| Error::Usage(error.to_string()))
}

fn parse(signature: &str) -> Result<Function, Error> {
    Function::parse(signature).map_err(|error| {
        Error::Usage(format!("`{signature}` is no signature such as transfer(address,uint256): {error}"))
    })
}

fn encode_function(function: &Function, arguments: &[String], units: Units<'_>) -> Result<Vec<u8>, Error> {
    let values = values(&function.signature(), &function.inputs, arguments, units)?;
    function.abi_encode_input(&values).map_err(|error| Error::Usage(error.to_string()))
}

/// Converts arguments to values of the parameters' types.
fn values(of: &str, parameters: &[Param], arguments: &[String], units: Units<'_>) -> Result<Vec<DynSolValue>, Error> {
    if parameters.len() != arguments.len() {
        let (wanted, given) = (parameters.len(), arguments.len());
        return Err(Error::Usage(format!("{of} takes {wanted} arguments, {given} were given")));
    }
    let value = |(parameter, argument): (&Param, &String)| {
        let ty = parameter.resolve().map_err(|error| Error::Usage(format!("{of}: {}: {error}", parameter.ty)))?;
        coerce(&ty, argument, units).map_err(|error| Error::Usage(format!("`{argument}` is no {ty}: {error}")))
    };
    parameters.iter().zip(arguments).map(value).collect()
}

/// Converts text to a value.
fn coerce(ty: &DynSolType, argument: &str, units: Units<'_>) -> Result<DynSolValue, String> {
    // A whole argument is taken literally: the shell has already handled quotes. In lists and tuples quotes are needed.
    if *ty == DynSolType::String {
        return Ok(DynSolValue::String(argument.to_owned()));
    }
    let coerced = ty.coerce_str(argument).map_err(|error| error.to_string());
    // A number with the name of the chain's token, which only this program knows.
    let with_unit = || units.argument(argument).filter(|_| coerced.is_err());
    match ty {
        DynSolType::Uint(_) | DynSolType::Int(_) => match with_unit() {
            Some(Ok(number)) => ty.coerce_str(&number.to_string()).map_err(|error| error.to_string()),
            Some(Err(error)) => Err(error.to_string()),
            None => coerced,
        },
        _ => coerced,
    }
}

/// Finds a function by its name or its full signature.
pub fn find<'abi>(abi: &'abi JsonAbi, name: &str) -> Result<&'abi Function, Error> {
    let wanted: String = name.chars().filter(|char| !char.is_whitespace()).collect();
    let found: Vec<&Function> =
        abi.functions().filter(|function| function.name == wanted || function.signature() == wanted).collect();
    let signatures = |functions: &[&Function]| {
        let mut names: Vec<String> = functions.iter().map(|function| function.signature()).collect();
        names.sort();
        names.join(", ")
    };
    match found.as_slice() {
        [function] => Ok(function),
        [] => {
            let all: Vec<&Function> = abi.functions().collect();
            Err(Error::Usage(format!("the contract has no function {name}. It has: {}", signatures(&all))))
        }
        several => Err(Error::Usage(format!("{name} can be any of: {}", signatures(several)))),
    }
}

pub fn message(abi: &JsonAbi, name: &str, arguments: &[String], units: Units<'_>) -> Result<Encoded, Error> {
    let function = find(abi, name)?;
    let data = encode_function(function, arguments, units)?;
    Ok(Encoded { data, returns: Returns::Solidity(Box::new(function.clone())) })
}

/// Returns the signatures of all functions.
pub fn messages(abi: &JsonAbi) -> Vec<String> {
    let mut names: Vec<String> = abi.functions().map(Function::signature).collect();
    names.sort();
    names
}

pub fn constructor(
    abi: &JsonAbi,
    name: Option<&str>,
    arguments: &[String],
    units: Units<'_>,
) -> Result<Encoded, Error> {
    if let Some(name) = name {
        return Err(Error::Usage(format!("constructors of Solidity have no name, {name} was given")));
    }
    let inputs = abi.constructor.as_ref().map(|constructor| constructor.inputs.as_slice()).unwrap_or_default();
    let values = values("the constructor", inputs, arguments, units)?;
    let data = match &abi.constructor {
        Some(constructor) => {
            constructor.abi_encode_input_raw(&values).map_err(|error| Error::Usage(error.to_string()))?
        }
        None => Vec::new(),
    };
    Ok(Encoded { data, returns: Returns::Unknown })
}

pub fn output(function: &Function, data: &[u8]) -> Option<Decoded> {
    let values = function.abi_decode_output(data).ok()?;
    match values.as_slice() {
        [one] if function.outputs.len() == 1 => Some(Decoded { json: to_json(one), text: text_of(one) }),
        _ => Some(Decoded::named(arguments(&function.outputs, &values))),
    }
}

/// Returns the function that call data calls.
pub fn called<'abi>(abi: &'abi JsonAbi, data: &[u8]) -> Option<&'abi Function> {
    let selector = data.first_chunk::<4>()?;
    abi.functions().find(|function| function.selector().0 == *selector)
}

pub fn call(abi: &JsonAbi, data: &[u8]) -> Option<Json> {
    let function = called(abi, data)?;
    let values = function.abi_decode_input(data.get(4..)?).ok()?;
    Some(described("function", &function.signature(), arguments(&function.inputs, &values)))
}

/// Decodes the data of a constructor.
pub fn construction(abi: &JsonAbi, data: &[u8]) -> Option<Json> {
    let constructor = abi.constructor.as_ref()?;
    let values = constructor.abi_decode_input(data).ok()?;
    Some(described("function", "constructor", arguments(&constructor.inputs, &values)))
}

pub fn error(abi: &JsonAbi, data: &[u8]) -> Option<Json> {
    let (selector, body) = data.split_first_chunk::<4>()?;
    let error = abi.errors().find(|error| error.selector().0 == *selector)?;
    let values = error.abi_decode_input(body).ok()?;
    Some(described("error", &error.signature(), arguments(&error.inputs, &values)))
}

pub fn event(abi: &JsonAbi, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
    let words = || topics.iter().map(|topic| (*topic).into());
    // Anonymous events cannot be identified by their topics, so they are not considered.
    let fitting = abi.events().filter(|event| !event.anonymous && Some(&event.selector().0) == topics.first());
    let decoded = fitting.filter_map(|event| event.decode_log_parts(words(), data).ok().map(|parts| (event, parts)));
    let (event, parts) = decoded.into_iter().next()?;
    let (mut indexed, mut body) = (parts.indexed.iter(), parts.body.iter());
    let value = |(position, parameter): (usize, &EventParam)| {
        let value = if parameter.indexed { indexed.next() } else { body.next() }?;
        Some((name_of(&parameter.name, position), Decoded { json: to_json(value), text: text_of(value) }))
    };
    let arguments: Vec<(String, Decoded)> = event.inputs.iter().enumerate().map(value).collect::<Option<_>>()?;
    Some(described("event", &event.signature(), arguments))
}

/// Pairs values with the names of their parameters.
fn arguments(parameters: &[Param], values: &[DynSolValue]) -> Vec<(String, Decoded)> {
    let pairs = parameters.iter().zip(values).enumerate();
    let decoded = |value| Decoded { json: to_json(value), text: text_of(value) };
    pairs.map(|(at, (parameter, value))| (name_of(&parameter.name, at), decoded(value))).collect()
}

/// Formats a value in Solidity's notation.
fn text_of(value: &DynSolValue) -> String {
    let list = |values: &[DynSolValue]| values.iter().map(text_of).collect::<Vec<_>>().join(", ");
    match value {
        DynSolValue::String(text) => format!("{text:?}"),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => format!("[{}]", list(values)),
        DynSolValue::Tuple(values) => format!("({})", list(values)),
        DynSolValue::Bool(bool) => bool.to_string(),
        other => to_json(other).as_str().unwrap_or_default().to_owned(),
    }
}

/// Converts a value to JSON: numbers as text, as they may have 256 bits; bytes in hex.
fn to_json(value: &DynSolValue) -> Json {
    match value {
        DynSolValue::Bool(bool) => Json::Bool(*bool),
        DynSolValue::Int(number, _) => Json::String(number.to_string()),
        DynSolValue::Uint(number, _) => Json::String(number.to_string()),
        DynSolValue::FixedBytes(word, length) => Json::String(hex(word.get(..*length).unwrap_or_default())),
        DynSolValue::Address(address) => Json::String(hex(address.as_slice())),
        DynSolValue::Function(function) => Json::String(hex(function.as_slice())),
        DynSolValue::Bytes(bytes) => Json::String(hex(bytes)),
        DynSolValue::String(text) => Json::String(text.clone()),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) | DynSolValue::Tuple(values) => {
            Json::Array(values.iter().map(to_json).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money::Money, units::Token};
    use serde_json::json;

    const ADDRESS: &str = "0x00112233445566778899aabbccddeeff00112233";

    fn encoded(signature: &str, arguments: &[&str]) -> Result<String, String> {
        call_data(signature, &owned(arguments)).map(hex::encode).map_err(|error| error.to_string())
    }

    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|argument| (*argument).into()).collect()
    }

    #[test]
    fn a_transfer_is_encoded_as_solidity_does() {
        let expected = [
            "a9059cbb",
            "00000000000000000000000000112233445566778899aabbccddeeff00112233",
            "00000000000000000000000000000000000000000000000000000000000003e8",
        ]
        .concat();
        assert_eq!(encoded("transfer(address,uint256)", &[ADDRESS, "1000"]).as_deref(), Ok(&*expected));
        assert_eq!(encoded("transfer( address, uint256 )", &[ADDRESS, "0x3e8"]).as_deref(), Ok(&*expected));
    }

    #[test]
    fn a_type_by_its_short_name_gives_the_same_selector() {
        let long = encoded("transfer(address,uint256)", &[ADDRESS, "7"]);
        assert!(long.is_ok());
        assert_eq!(encoded("transfer(address,uint)", &[ADDRESS, "7"]), long);
    }

    #[test]
    fn dynamic_types_are_encoded_behind_the_words_that_point_at_them() {
        let data = encoded("f(string,uint8[],(bool,bytes))", &["hi \"you\"", "[1,2]", "(true,0xabcd)"]).unwrap();
        let words: Vec<&str> = (0..(data.len() - 8) / 64).map(|word| &data[8 + word * 64..][..64]).collect();
        let offsets = [96, 160, 256].map(|offset| format!("{offset:064x}"));
        assert_eq!(words[..3], offsets);
        assert_eq!(words[3], format!("{:064x}", 8));
        assert!(words[4].starts_with(&hex::encode("hi \"you\"")));
        assert_eq!(words[5..8], [2, 1, 2].map(|number| format!("{number:064x}")));
        assert_eq!(words[8..10], [format!("{:064x}", 1), format!("{:064x}", 64)]);
    }

    #[test]
    fn a_number_is_checked_against_its_width() {
        assert!(encoded("f(uint8)", &["255"]).is_ok());
        assert!(encoded("f(uint8)", &["256"]).is_err());
        let largest = format!("0x{}", "f".repeat(64));
        assert!(encoded("f(uint256)", &[&largest]).is_ok());
        assert!(encoded("f(uint256)", &[&format!("{largest}0")]).is_err());
        assert!(encoded("f(int8)", &["-128"]).is_ok());
        assert!(encoded("f(int8)", &["-129"]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        assert!(encoded("f(uint256)", &[]).is_err_and(|reason| reason.contains("takes 1 arguments, 0 were given")));
        for malformed in ["f", "f(", "f)", "f(uint8", "f-g()", "(uint8)", ""] {
            assert!(encoded(malformed, &["1"]).is_err(), "{malformed}");
        }
        for argument in ["-1", "1g", "0xzz", "_", "true"] {
            assert!(encoded("f(uint256)", &[argument]).is_err(), "{argument}");
        }
        assert!(encoded("f(address)", &["0x0011"]).is_err());
        assert!(encoded("f(nonsense)", &["1"]).is_err());
    }

    #[test]
    fn numbers_may_have_a_unit_and_text_keeps_it() {
        let money = Money { token: Token { symbol: "UNIT".into(), decimals: 12 }, ratio: 1_000_000 };
        let encoded = |argument: &str, units: Units<'_>| {
            by_signature("f(uint256)", &owned(&[argument]), units).map(|made| made.data).map_err(|it| it.to_string())
        };
        let expected = encoded("1500000000000000000", Units::Offline);
        for same in ["1.5UNIT", "1.5 unit", "1.5ether", "1500000000gwei", "15e17"] {
            assert_eq!(encoded(same, Units::Chain(&money)), expected, "{same}");
        }
        assert!(encoded("1.5DOT", Units::Chain(&money)).unwrap_err().contains("the chain's token is UNIT"));
        assert!(encoded("1.5UNIT", Units::Offline).unwrap_err().contains("only known with a chain"));
        assert!(encoded("1.5UNIT", Units::Unchecked).is_ok());
        let text = by_signature("f(string)", &owned(&["5UNIT"]), Units::Chain(&money)).unwrap().data;
        assert_eq!(text, call_data("f(string)", &owned(&["5UNIT"])).unwrap());
        assert!(by_signature("f(uint8)", &owned(&["1UNIT"]), Units::Chain(&money)).is_err());
    }

    #[test]
    fn a_constructor_has_no_selector() {
        assert_eq!(constructor_data("(uint256)", &owned(&["1"]), Units::Offline).unwrap().len(), 32);
        assert_eq!(constructor_data("constructor(bool)", &owned(&["true"]), Units::Offline).unwrap().len(), 32);
        assert!(constructor_data("uint256", &owned(&["1"]), Units::Offline).is_err());
    }

    #[test]
    fn a_signature_may_say_what_comes_back() {
        let made = by_signature("balanceOf(address) returns (uint256)", &owned(&[ADDRESS]), Units::Offline).unwrap();
        let Returns::Solidity(function) = made.returns else { panic!("nothing comes back") };
        let mut word = [0; 32];
        word[31] = 7;
        assert_eq!(output(&function, &word).unwrap().json, json!("7"));
        assert!(output(&function, &word[1..]).is_none());
        assert_eq!(made.data[..4], hex::decode("70a08231").unwrap());
    }

    fn token() -> JsonAbi {
        JsonAbi::parse([
            "constructor(string name, uint256 supply)",
            "function transfer(address to, uint256 amount) returns (bool)",
            "function send(address to)",
            "function send(address to, bytes data)",
            "function both() returns (uint8 a, string)",
            "event Transfer(address indexed from, address indexed to, uint256 amount)",
            "error TooMuch(uint256 wanted, uint256 there)",
        ])
        .unwrap()
    }

    #[test]
    fn a_function_is_found_by_its_name_and_one_of_several_by_its_signature() {
        let abi = token();
        let by_name = message(&abi, "transfer", &owned(&[ADDRESS, "5"]), Units::Offline).unwrap();
        assert_eq!(by_name.data, call_data("transfer(address,uint256)", &owned(&[ADDRESS, "5"])).unwrap());
        let error = message(&abi, "send", &owned(&[ADDRESS]), Units::Offline).unwrap_err().to_string();
        assert!(error.contains("send(address), send(address,bytes)"), "{error}");
        assert_eq!(message(&abi, "send(address)", &owned(&[ADDRESS]), Units::Offline).unwrap().data.len(), 36);
        let error = message(&abi, "mint", &[], Units::Offline).unwrap_err().to_string();
        assert!(error.contains("transfer(address,uint256)"), "{error}");
        assert_eq!(constructor(&abi, None, &owned(&["T", "1"]), Units::Offline).unwrap().data.len(), 128);
        assert!(constructor(&abi, Some("new"), &owned(&["T", "1"]), Units::Offline).is_err());
    }

    #[test]
    fn calls_results_events_and_errors_are_read_back() {
        let abi = token();
        let data = message(&abi, "transfer", &owned(&[ADDRESS, "5"]), Units::Offline).unwrap().data;
        let expected = json!({
            "function": "transfer(address,uint256)", "arguments": { "to": ADDRESS, "amount": "5" },
            "text": format!("transfer(to: {ADDRESS}, amount: 5)"),
        });
        assert_eq!(call(&abi, &data), Some(expected));

        let function = find(&abi, "both").unwrap();
        let values = [
            DynSolValue::Uint(alloy_dyn_abi::DynSolType::Uint(8).coerce_str("3").unwrap().as_uint().unwrap().0, 8),
            DynSolValue::String("x".into()),
        ];
        let data = function.abi_encode_output(&values).unwrap();
        let decoded = output(function, &data).unwrap();
        assert_eq!((decoded.json, decoded.text.as_str()), (json!({ "a": "3", "1": "x" }), "a: 3, \"x\""));

        let topic = abi.events().next().unwrap().selector().0;
        let mut party = [0; 32];
        party[12..].copy_from_slice(&hex::decode(&ADDRESS[2..]).unwrap());
        let mut amount = [0; 32];
        amount[31] = 9;
        let expected = json!({
            "event": "Transfer(address,address,uint256)",
            "arguments": { "from": ADDRESS, "to": ADDRESS, "amount": "9" },
            "text": format!("Transfer(from: {ADDRESS}, to: {ADDRESS}, amount: 9)"),
        });
        assert_eq!(event(&abi, &[topic, party, party], &amount), Some(expected));

        let selector = abi.errors().next().unwrap().selector();
        let data = [&selector.0[..], &amount, &amount].concat();
        let expected = json!({
            "error": "TooMuch(uint256,uint256)", "arguments": { "wanted": "9", "there": "9" },
            "text": "TooMuch(wanted: 9, there: 9)",
        });
        assert_eq!(error(&abi, &data), Some(expected));
    }

    #[test]
    fn what_a_contract_made_up_is_not_decoded() {
        let abi = token();
        assert_eq!(call(&abi, &[1, 2, 3]), None);
        assert_eq!(call(&abi, &[0; 100]), None);
        let topic = abi.events().next().unwrap().selector().0;
        assert_eq!(event(&abi, &[topic], &[0; 32]), None);
        assert_eq!(event(&abi, &[], &[]), None);
        // A text length far beyond the end of the data.
        let function = find(&abi, "both").unwrap();
        let lies = [[0; 32], [0xff; 32]].concat();
        assert!(output(function, &lies).is_none());
    }
}
