//! Words of Solidity's ABI: arguments and results of 32 bytes.

use serde_json::Value;

/// Encodes a number as a word in hex, without `0x`.
pub fn number_word(number: u128) -> String {
    format!("{number:064x}")
}

/// Encodes an address as a word in hex, without `0x`.
pub fn address_word(address: &str) -> String {
    format!("{:0>64}", address.trim_start_matches("0x"))
}

/// Decodes the number in a returned word, if it is a single word and the number fits.
pub fn number_of(data: &Value) -> Option<u128> {
    let digits = data.as_str()?.strip_prefix("0x").filter(|digits| digits.len() == 64)?;
    let (high, low) = digits.split_at(32);
    high.bytes().all(|digit| digit == b'0').then(|| u128::from_str_radix(low, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_survives_the_round_trip_and_other_data_is_no_number() {
        assert_eq!(number_of(&json!(format!("0x{}", number_word(250)))), Some(250));
        assert_eq!(number_of(&json!(format!("0x1{}", &number_word(0)[1..]))), None);
        assert_eq!(number_of(&json!("0x")), None);
    }
}
