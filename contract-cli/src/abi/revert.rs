//! Decodes revert reasons as Solidity encodes them.
//!
//! Called with the data of a revert, which the contract chose and which may be anything.

use serde_json::{Value as Json, json};

/// `Error(string)`.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
/// `Panic(uint256)`.
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];

/// Returns the reason in words, if the data has one of the two common forms.
pub fn reason(data: &[u8]) -> Option<String> {
    let (selector, body) = data.split_at_checked(4)?;
    if selector == ERROR {
        let at = usize::try_from(number(body.get(..32)?)?).ok()?;
        let rest = body.get(at..)?;
        let length = usize::try_from(number(rest.get(..32)?)?).ok()?;
        let text = rest.get(32..)?.get(..length)?;
        return Some(String::from_utf8_lossy(text).into_owned());
    }
    if selector == PANIC {
        let code = number(body.get(..32)?)?;
        return Some(format!("panic {code:#04x}: {}", panic(code)));
    }
    None
}

/// Decodes the two errors that every Solidity contract has and that no interface contains.
pub fn decoded(data: &[u8]) -> Option<Json> {
    let reason = reason(data)?;
    let (selector, body) = data.split_at_checked(4)?;
    if selector == ERROR {
        let text = format!("Error({reason:?})");
        return Some(json!({ "error": "Error(string)", "arguments": { "message": reason }, "text": text }));
    }
    let code = number(body.get(..32)?)?;
    let text = format!("Panic({code:#04x}): {}", panic(code));
    Some(json!({ "error": "Panic(uint256)", "arguments": { "code": code.to_string() }, "text": text }))
}

/// Decodes a word that fits in 64 bits.
fn number(word: &[u8]) -> Option<u64> {
    let (high, low) = word.split_at_checked(24)?;
    high.iter().all(|byte| *byte == 0).then(|| low.try_into().map(u64::from_be_bytes).ok())?
}

/// The meaning of Solidity's panic codes.
fn panic(code: u64) -> &'static str {
    match code {
        0x00 => "a check that the compiler added failed",
        0x01 => "an assertion failed",
        0x11 => "arithmetic overflow",
        0x12 => "division by zero",
        0x21 => "a number that is no value of its enum",
        0x22 => "bytes in storage that are encoded wrongly",
        0x31 => "pop from an empty array",
        0x32 => "index out of bounds",
        0x41 => "too much memory allocated",
        0x51 => "call of a function variable that is not set",
        _ => "unknown code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: u64) -> Vec<u8> {
        [[0; 24].as_slice(), &number.to_be_bytes()].concat()
    }

    fn error(offset: u64, length: u64, text: &[u8]) -> Vec<u8> {
        [ERROR.as_slice(), &word(offset), &word(length), text].concat()
    }

    #[test]
    fn a_reason_is_read() {
        assert_eq!(reason(&error(32, 4, b"oops\0\0\0\0")).as_deref(), Some("oops"));
        assert_eq!(
            reason(&[PANIC.as_slice(), &word(0x11)].concat()).as_deref(),
            Some("panic 0x11: arithmetic overflow")
        );
    }

    #[test]
    fn the_errors_of_every_contract_are_decoded_without_an_interface() {
        let expected =
            json!({ "error": "Error(string)", "arguments": { "message": "oops" }, "text": "Error(\"oops\")" });
        assert_eq!(decoded(&error(32, 4, b"oops\0\0\0\0")), Some(expected));
        let overflow = decoded(&[PANIC.as_slice(), &word(0x11)].concat()).unwrap();
        assert_eq!(overflow["text"], "Panic(0x11): arithmetic overflow");
        assert_eq!(overflow["arguments"]["code"], "17");
        assert_eq!(decoded(&[1; 36]), None);
    }

    #[test]
    fn data_of_other_forms_is_no_reason() {
        for data in [
            vec![],
            vec![1, 2, 3],
            vec![1; 68],
            error(32, 4, b"oo"),
            error(31, 4, b"oops"),
            error(u64::MAX, 4, b"oops"),
            error(32, u64::MAX, b"oops"),
            [ERROR.as_slice(), &[0xff; 64]].concat(),
            [PANIC.as_slice(), &[0xff; 32]].concat(),
            [PANIC.as_slice(), &[0; 31]].concat(),
        ] {
            assert_eq!(reason(&data), None, "{data:?}");
        }
    }
}
