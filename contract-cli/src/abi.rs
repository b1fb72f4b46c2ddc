//! Call data from a Solidity signature: enough of the ABI for static arguments.

use crate::error::Error;
use sp_crypto_hashing::keccak_256;

/// The call data of a function such as `transfer(address,uint256)` with its arguments.
///
/// # Errors
///
/// When the signature is malformed, has a type that is not static, or the arguments do not fit it.
pub fn call_data(signature: &str, arguments: &[String]) -> Result<Vec<u8>, Error> {
    let signature: String = signature.chars().filter(|char| !char.is_whitespace()).collect();
    let types = parameter_types(&signature)?;
    let name = signature.split('(').next().unwrap_or_default();
    let mut data = keccak_256(format!("{name}({})", types.join(",")).as_bytes())[..4].to_vec();
    data.extend(encode(&types, arguments)?);
    Ok(data)
}

/// The data of a constructor with parameters such as `(uint256)`.
///
/// # Errors
///
/// As [`call_data`].
pub fn constructor_data(signature: &str, arguments: &[String]) -> Result<Vec<u8>, Error> {
    let signature: String = signature.chars().filter(|char| !char.is_whitespace()).collect();
    encode(&parameter_types(&signature)?, arguments)
}

fn parameter_types(signature: &str) -> Result<Vec<String>, Error> {
    let malformed = || Error::Usage(format!("`{signature}` is no signature such as transfer(address,uint256)"));
    let (name, rest) = signature.split_once('(').ok_or_else(malformed)?;
    let inner = rest.strip_suffix(')').ok_or_else(malformed)?;
    let plain = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '$';
    if !name.chars().all(plain) || inner.contains(['(', ')']) {
        return Err(malformed());
    }
    Ok(if inner.is_empty() { Vec::new() } else { inner.split(',').map(canonical).collect() })
}

/// A type by the name that counts for the selector.
fn canonical(ty: &str) -> String {
    match ty {
        "uint" => "uint256".into(),
        other => other.into(),
    }
}

fn encode(types: &[String], arguments: &[String]) -> Result<Vec<u8>, Error> {
    if types.len() != arguments.len() {
        return Err(Error::Usage(format!(
            "the function takes {} arguments, {} were given",
            types.len(),
            arguments.len()
        )));
    }
    let mut data = Vec::with_capacity(types.len() * 32);
    for (ty, argument) in types.iter().zip(arguments) {
        let word = word(ty, argument)
            .ok_or_else(|| Error::Usage(format!("`{argument}` is no {ty}, or {ty} is not a type this tool encodes")))?;
        data.extend(word);
    }
    Ok(data)
}

/// One argument as a word, big-endian.
fn word(ty: &str, argument: &str) -> Option<[u8; 32]> {
    let mut word = [0; 32];
    match ty {
        "address" => word[12..].copy_from_slice(&bytes::<20>(argument)?),
        "bool" => word[31] = u8::from(argument.parse::<bool>().ok()?),
        _ => {
            if let Some(bits) = ty.strip_prefix("uint") {
                let bits: usize = bits.parse().ok().filter(|bits| (8..=256).contains(bits) && bits % 8 == 0)?;
                let value = unsigned(argument)?;
                if value[..32 - bits / 8].iter().any(|byte| *byte != 0) {
                    return None;
                }
                word = value;
            } else {
                let length: usize =
                    ty.strip_prefix("bytes")?.parse().ok().filter(|length| (1..=32).contains(length))?;
                let value = hex::decode(argument.strip_prefix("0x")?).ok().filter(|value| value.len() == length)?;
                word[..length].copy_from_slice(&value);
            }
        }
    }
    Some(word)
}

/// A number of up to 256 bits, decimal or after `0x` hexadecimal, big-endian.
fn unsigned(argument: &str) -> Option<[u8; 32]> {
    let (digits, radix) = match argument.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (argument, 10),
    };
    if !digits.contains(|char: char| char != '_') {
        return None;
    }
    let mut value = [0u8; 32];
    for digit in digits.chars().filter(|char| *char != '_') {
        let mut carry = digit.to_digit(radix)?;
        for byte in value.iter_mut().rev() {
            carry += u32::from(*byte) * radix;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(value)
}

/// Exactly `N` bytes after `0x`.
pub fn bytes<const N: usize>(argument: &str) -> Option<[u8; N]> {
    hex::decode(argument.strip_prefix("0x").unwrap_or(argument)).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(signature: &str, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).into()).collect();
        call_data(signature, &arguments).map(hex::encode).map_err(|error| error.to_string())
    }

    #[test]
    fn a_transfer_is_encoded_as_solidity_does() {
        let address = "0x00112233445566778899aabbccddeeff00112233";
        let expected = [
            "a9059cbb",
            "00000000000000000000000000112233445566778899aabbccddeeff00112233",
            "00000000000000000000000000000000000000000000000000000000000003e8",
        ]
        .concat();
        assert_eq!(encoded("transfer(address,uint256)", &[address, "1000"]).as_deref(), Ok(&*expected));
        assert_eq!(encoded("transfer( address, uint256 )", &[address, "0x3e8"]).as_deref(), Ok(&*expected));
    }

    #[test]
    fn a_type_by_its_short_name_gives_the_same_selector() {
        let address = "0x00112233445566778899aabbccddeeff00112233";
        assert_eq!(
            encoded("transfer(address,uint)", &[address, "7"]),
            encoded("transfer(address,uint256)", &[address, "7"])
        );
    }

    #[test]
    fn bytes_are_left_aligned_and_booleans_are_words() {
        let expected =
            [&*hex::encode(&keccak_256(b"f(bytes4,bool)")[..4]), "deadbeef", &"0".repeat(56), &"0".repeat(63), "1"];
        assert_eq!(encoded("f(bytes4,bool)", &["0xdeadbeef", "true"]), Ok(expected.concat()));
    }

    #[test]
    fn a_number_is_checked_against_its_width() {
        assert!(encoded("f(uint8)", &["255"]).is_ok());
        assert!(encoded("f(uint8)", &["256"]).is_err());
        let largest = format!("0x{}", "f".repeat(64));
        assert!(encoded("f(uint256)", &[&largest]).is_ok());
        assert!(encoded("f(uint256)", &[&format!("{largest}0")]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        assert!(encoded("f(uint256)", &[]).is_err_and(|reason| reason.contains("takes 1 arguments, 0 were given")));
        assert!(encoded("f(string)", &["x"]).is_err_and(|reason| reason.contains("string")));
        for malformed in ["f", "f(", "f)", "f((uint8))", "f(uint8", "f-g()"] {
            assert!(encoded(malformed, &["1"]).is_err(), "{malformed}");
        }
        for argument in ["", "-1", "0x", "1g", "0xzz", "_", "0x__"] {
            assert!(encoded("f(uint256)", &[argument]).is_err(), "{argument}");
        }
        assert!(encoded("f(address)", &["0x0011"]).is_err());
    }
}
