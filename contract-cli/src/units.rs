//! Formats numbers with their units for people. Programs get the raw numbers (`--json`).
//!
//! Called by [`crate::plain`], and for progress and errors.

use crate::api::Weight;
use serde_json::{Map, Value as Json};

/// The token in which a chain's amounts are shown. Without the chain's properties amounts are shown as raw numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Token {
    /// Its name, such as `UNIT`. May be empty.
    pub symbol: String,
    /// The number of its decimal places.
    pub decimals: u32,
}

/// Maximum number of decimal places with which a 128-bit amount can be shown.
const MOST_DECIMALS: u32 = 38;
/// Maximum number of decimal places shown.
const SHOWN_DECIMALS: u32 = 6;
/// Number of digits shown of an amount too small for [`SHOWN_DECIMALS`].
const SHOWN_DIGITS: u32 = 3;

impl Token {
    /// Reads the token from a chain's properties (`system_properties`): the first one if there are several.
    pub fn of(properties: &Map<String, Json>) -> Self {
        let first = |name: &str| {
            properties.get(name).map(|value| value.as_array().and_then(|list| list.first()).unwrap_or(value))
        };
        let decimals = first("tokenDecimals").and_then(Json::as_u64).and_then(|decimals| u32::try_from(decimals).ok());
        let symbol = first("tokenSymbol").and_then(Json::as_str).unwrap_or_default();
        // Without both, an amount could be mistaken for another.
        match decimals.filter(|decimals| *decimals <= MOST_DECIMALS) {
            Some(decimals) if !symbol.is_empty() => Self { symbol: symbol.into(), decimals },
            _ => Self::default(),
        }
    }

    /// Formats an amount in the smallest unit, such as `0.000902 UNIT`: rounded to six decimal places, or to three
    /// digits if that is finer.
    pub fn amount(&self, amount: u128) -> String {
        if self.symbol.is_empty() {
            return amount.to_string();
        }
        let significant = amount.checked_ilog10().map_or(0, |log| self.decimals.saturating_sub(log + 1)) + SHOWN_DIGITS;
        let places = SHOWN_DECIMALS.max(significant).min(self.decimals);
        let cut = 10_u128.pow(self.decimals - places);
        let rounded = amount / cut + u128::from(amount % cut >= cut.div_ceil(2) && cut > 1);
        let one = 10_u128.pow(places);
        let (whole, fraction) = (rounded / one, rounded % one);
        let digits = format!("{fraction:0width$}", width = places as usize);
        match digits.trim_end_matches('0') {
            "" => format!("{whole} {}", self.symbol),
            digits => format!("{whole}.{digits} {}", self.symbol),
        }
    }

    /// Returns the name of the smallest unit, such as `10^-12 UNIT`.
    pub fn smallest(&self) -> String {
        match (self.symbol.as_str(), self.decimals) {
            ("", _) => "1".into(),
            (symbol, 0) => format!("1 {symbol}"),
            (symbol, decimals) => format!("10^-{decimals} {symbol}"),
        }
    }

    /// Formats an amount given as text, which may be negative. `None` if it is not an amount.
    pub fn amount_of_text(&self, text: &str) -> Option<String> {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        Some(format!("{sign}{}", self.amount(digits.parse().ok()?)))
    }
}

/// Units of time, in picoseconds.
const TIMES: [(&str, u64); 5] =
    [("ps", 1), ("ns", 1_000), ("µs", 1_000_000), ("ms", 1_000_000_000), ("s", 1_000_000_000_000)];

/// Units of size, in bytes.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("EiB", 1 << 60),
];

/// Reads a number with an optional unit, in the forms in which they are shown: whole numbers, or decimal ones with a
/// unit.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit.trim_start() {
        "" => 1,
        // The micro sign is hard to type.
        "us" => return read(&format!("{number}µs"), units),
        name => units.iter().find(|(other, _)| *other == name)?.1,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() {
        return None;
    }
    let one = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = digits.checked_mul(unit.into())?;
    // Parts of the smallest unit are accepted with a larger unit: 1.2 KiB is not a whole number of bytes.
    if unit == 1 && product % one != 0 {
        return None;
    }
    u64::try_from(product / one).ok()
}

/// Reads a time, such as `1.5ms`; a number alone is in picoseconds.
///
/// # Errors
///
/// A message with the expected form.
pub fn read_time(text: &str) -> Result<u64, String> {
    read(text, &TIMES).ok_or_else(|| "a time such as 5ms, 1.5s, or a number of picoseconds".into())
}

/// Reads a size, such as `64KiB`; a number alone is in bytes.
///
/// # Errors
///
/// A message with the expected form.
pub fn read_size(text: &str) -> Result<u64, String> {
    read(text, &SIZES).ok_or_else(|| "a size such as 64KiB, 1.5MiB, or a number of bytes".into())
}

/// Formats a number in the largest of these units that it reaches, with `places` decimal places, or none in the first
/// unit.
fn scaled(number: u64, units: &[(&str, u64)], places: u32) -> String {
    let one = 10_u128.pow(places);
    let number = u128::from(number);
    let mut shown = format!("{number} {}", units.first().map_or("", |(name, _)| name));
    for (name, unit) in units.iter().skip(1) {
        let unit = u128::from(*unit);
        // Rounded: 999.996 µs is 1.00 ms.
        let rounded = (number * one + unit / 2) / unit;
        if rounded < one {
            break;
        }
        shown = format!("{}.{:0width$} {name}", rounded / one, rounded % one, width = places as usize);
    }
    shown
}

/// Formats a time, such as `974.26 µs`.
pub fn time(picoseconds: u64) -> String {
    scaled(picoseconds, &TIMES, 2)
}

/// Formats a size, such as `1.2 KiB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, &SIZES, 1)
}

/// Formats a weight, such as `974.26 µs (ref_time), 1.2 KiB (proof size)`.
pub fn weight(weight: Weight) -> String {
    format!("{} (ref_time), {} (proof size)", time(weight.ref_time), size(weight.proof_size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unit() -> Token {
        Token { symbol: "UNIT".into(), decimals: 12 }
    }

    #[test]
    fn times_are_in_the_largest_unit_that_they_fill() {
        for (picoseconds, expected) in [
            (0, "0 ps"),
            (990, "990 ps"),
            (999, "1.00 ns"),
            (12_345, "12.35 ns"),
            (974_264_529, "974.26 µs"),
            (999_996_000, "1.00 ms"),
            (1_500_000_000_000, "1.50 s"),
            (u64::MAX, "18446744.07 s"),
        ] {
            assert_eq!(time(picoseconds), expected);
        }
    }

    #[test]
    fn sizes_are_in_powers_of_1024() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1_023), "1.0 KiB");
        assert_eq!(size(900), "900 B");
        assert_eq!(size(1_229), "1.2 KiB");
        assert_eq!(size(1024 * 1024), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
        assert_eq!(
            weight(Weight { ref_time: 974_264_529, proof_size: 1_229 }),
            "974.26 µs (ref_time), 1.2 KiB (proof size)"
        );
    }

    #[test]
    fn times_and_sizes_are_read_in_the_forms_in_which_they_are_shown() {
        for (text, expected) in
            [("974.26 µs", 974_260_000), ("974.26us", 974_260_000), ("1.5s", 1_500_000_000_000), ("7", 7)]
        {
            assert_eq!(read_time(text), Ok(expected), "{text}");
        }
        for (text, expected) in [("64KiB", 65_536), ("1.2 KiB", 1_228), ("3000000", 3_000_000)] {
            assert_eq!(read_size(text), Ok(expected), "{text}");
        }
        for none in ["", "ms", "-1", "1.5", "1.2.3ms", "5kg", ".5s", "99999999999s", "1e3"] {
            assert!(read_time(none).is_err(), "{none}");
        }
        assert!(read_size("5ms").is_err());
    }

    #[test]
    fn amounts_have_the_chains_decimals_and_symbol() {
        assert_eq!(unit().amount(902_000_000), "0.000902 UNIT");
        assert_eq!(unit().amount(902_345_678), "0.000902 UNIT");
        assert_eq!(unit().amount(0), "0 UNIT");
        assert_eq!(unit().amount(1_500_000_000_000), "1.5 UNIT");
        assert_eq!(unit().amount(999_999_999_999), "1 UNIT");
        assert_eq!(unit().amount(999_999_400_000), "0.999999 UNIT");
        assert_eq!(unit().amount(1_000_000 * 10_u128.pow(12)), "1000000 UNIT");
        // A nonzero amount is never shown as zero.
        assert_eq!(unit().amount(5), "0.000000000005 UNIT");
        assert_eq!(unit().amount(12_345), "0.0000000123 UNIT");
        assert_eq!(unit().amount(u128::MAX), "340282366920938463463374607.431768 UNIT");
        assert_eq!(Token { symbol: "WHOLE".into(), decimals: 0 }.amount(7), "7 WHOLE");
        let most = Token { symbol: "TINY".into(), decimals: 38 };
        assert_eq!(most.amount(u128::MAX), "3.402824 TINY");
    }

    #[test]
    fn amounts_in_text_may_be_negative_and_what_is_none_stays_none() {
        assert_eq!(unit().amount_of_text("-1500000000000").as_deref(), Some("-1.5 UNIT"));
        assert_eq!(unit().amount_of_text("1500000000000").as_deref(), Some("1.5 UNIT"));
        for none in ["", "-", "0x10", "many", "--1"] {
            assert_eq!(unit().amount_of_text(none), None, "{none}");
        }
    }

    #[test]
    fn a_chain_may_have_one_token_or_several_or_tell_nothing() {
        let token = |properties: Json| Token::of(properties.as_object().unwrap());
        assert_eq!(token(json!({ "tokenSymbol": "UNIT", "tokenDecimals": 12, "ss58Format": 42 })), unit());
        assert_eq!(token(json!({ "tokenSymbol": ["UNIT", "X"], "tokenDecimals": [12, 1] })), unit());
        for nothing in [
            json!({}),
            json!({ "tokenSymbol": "UNIT" }),
            json!({ "tokenDecimals": 12 }),
            json!({ "tokenSymbol": [], "tokenDecimals": [] }),
            json!({ "tokenSymbol": "UNIT", "tokenDecimals": 39 }),
        ] {
            assert_eq!(token(nothing), Token::default());
        }
        assert_eq!(Token::default().amount(902_345_678), "902345678");
    }
}
