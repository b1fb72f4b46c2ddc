//! Amounts of money: their notation, and their conversion between the chain's unit and that of contracts.
//!
//! [`Amount`] is read by the command line before a chain is known; [`Money`] has the chain's token and converts
//! amounts. A chain counts in its smallest unit (10^-12 UNIT with 12 decimals). Contracts count as on Ethereum: one
//! token is 10^18. The ratio between the two is a constant of the pallet.

use crate::{error::Error, units::Token};
use alloy_primitives::U256;
use std::{fmt, str::FromStr};

/// The ratio of chains without this constant.
const DEFAULT_RATIO: u32 = 1;

/// The units of Ethereum's tools, with the number of their decimal places in the contracts' unit.
const ETHEREUM_UNITS: [(&str, u32); 3] = [("wei", 0), ("gwei", 9), ("ether", 18)];

/// A decimal number with an optional unit, such as `1.5UNIT`, `1e9` or `0.1 ether`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amount {
    /// All digits, without the point.
    digits: U256,
    /// The power of ten by which they are multiplied.
    exponent: i32,
    /// The unit; empty for the smallest.
    unit: String,
    /// The whole text.
    text: String,
}

impl From<u128> for Amount {
    fn from(amount: u128) -> Self {
        Self { digits: U256::from(amount), text: amount.to_string(), ..Self::default() }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount such as 1.5UNIT, 1e9 or 1000000000000");
        let text = text.trim();
        let (whole, rest) = digits(text);
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        let (exponent, unit) = exponent(rest);
        let unit = unit.trim_start();
        let all: String = [whole, fraction].concat().replace('_', "");
        if all.is_empty() || whole.is_empty() || !unit.chars().all(char::is_alphabetic) {
            return Err(wrong());
        }
        let places = fraction.chars().filter(char::is_ascii_digit).count();
        let exponent = i32::try_from(places).ok().and_then(|places| exponent?.checked_sub(places)).ok_or_else(wrong)?;
        let digits = U256::from_str_radix(&all, 10).map_err(|_| wrong())?;
        Ok(Self { digits, exponent, unit: unit.into(), text: text.into() })
    }
}

/// Splits off leading digits, with underscores.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '_').unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Splits off an exponent, such as `e9`. The inner `None` stands for one that is too large.
fn exponent(text: &str) -> (Option<i32>, &str) {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return (Some(0), text) };
    let (sign, unsigned) = match rest.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, rest.strip_prefix('+').unwrap_or(rest)),
    };
    match digits(unsigned) {
        // The `e` belongs to the unit: `ether`.
        ("", _) => (Some(0), text),
        (number, rest) => (number.parse::<i32>().ok().map(|number| sign * number), rest),
    }
}

/// The fraction `digits * 10^exponent * times / per`, if it is a whole number.
fn whole(digits: U256, exponent: i32, times: U256, per: U256) -> Result<U256, Inexact> {
    let power = U256::from(10).checked_pow(U256::from(exponent.unsigned_abs())).ok_or(Inexact::TooLarge);
    let product = digits.checked_mul(times).ok_or(Inexact::TooLarge)?;
    let (above, below) = match exponent {
        0.. => (product.checked_mul(power?).ok_or(Inexact::TooLarge)?, per),
        // No number with digits is a multiple of such a small part.
        _ => match power.ok().and_then(|power| power.checked_mul(per)) {
            Some(below) => (product, below),
            None if digits.is_zero() => (U256::ZERO, U256::from(1)),
            None => return Err(Inexact::TooFine),
        },
    };
    match above.checked_rem(below) {
        Some(U256::ZERO) => Ok(above / below),
        _ => Err(Inexact::TooFine),
    }
}

/// An amount that cannot be converted exactly.
enum Inexact {
    TooLarge,
    TooFine,
}

/// A chain's token, and the ratio to the contracts' unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// The token.
    pub token: Token,
    /// The contracts' units in one of the chain's smallest units (`NativeToEthRatio`).
    pub ratio: u32,
}

impl Default for Money {
    fn default() -> Self {
        Self { token: Token::default(), ratio: DEFAULT_RATIO }
    }
}

impl Money {
    /// Converts an amount to the chain's smallest unit.
    ///
    /// # Errors
    ///
    /// If it has a unit that the chain doesn't have, is finer than the smallest unit, or too large.
    pub fn in_chain(&self, amount: &Amount) -> Result<u128, Error> {
        let ratio = U256::from(self.ratio.max(1));
        let (decimals, per) = match self.unit(amount)? {
            Unit::Smallest => (0, U256::from(1)),
            Unit::Token => (self.token.decimals, U256::from(1)),
            Unit::Ethereum(decimals) => (decimals, ratio),
        };
        let refused = |inexact| match inexact {
            Inexact::TooLarge => Error::Usage(format!("{amount} is more than any account can have")),
            Inexact::TooFine => Error::Usage(format!(
                "{amount} cannot be sent: it is no multiple of the chain's smallest unit, which is {} ({} wei)",
                self.token.smallest(),
                self.ratio
            )),
        };
        let found = whole(amount.digits, exponent_with(amount, decimals), U256::from(1), per).map_err(refused)?;
        u128::try_from(found).map_err(|_| refused(Inexact::TooLarge))
    }

    /// Converts an amount to the contracts' unit, for an argument.
    ///
    /// # Errors
    ///
    /// As [`Money::in_chain`].
    pub fn in_contract(&self, amount: &Amount) -> Result<U256, Error> {
        let (decimals, times) = match self.unit(amount)? {
            Unit::Smallest => (0, U256::from(1)),
            Unit::Token => (self.token.decimals, U256::from(self.ratio.max(1))),
            Unit::Ethereum(decimals) => (decimals, U256::from(1)),
        };
        whole(amount.digits, exponent_with(amount, decimals), times, U256::from(1)).map_err(|inexact| match inexact {
            Inexact::TooLarge => Error::Usage(format!("{amount} has more than 256 bits")),
            Inexact::TooFine => Error::Usage(format!("{amount} is finer than the smallest unit of contracts, 1 wei")),
        })
    }

    /// Formats an amount in the contracts' unit: in the token if it is a whole number of the chain's units.
    pub fn of_contract(&self, amount: &str) -> String {
        let ratio = U256::from(self.ratio.max(1));
        let shown = amount.parse::<U256>().ok().and_then(|amount| {
            let (whole, rest) = amount.div_rem(ratio);
            (rest.is_zero() && !self.token.symbol.is_empty()).then(|| u128::try_from(whole).ok())?
        });
        shown.map_or_else(|| format!("{amount} wei"), |whole| self.token.amount(whole))
    }

    fn unit(&self, amount: &Amount) -> Result<Unit, Error> {
        let ethereum = ETHEREUM_UNITS.iter().find(|(name, _)| amount.unit.eq_ignore_ascii_case(name));
        match (amount.unit.as_str(), ethereum) {
            ("", _) => Ok(Unit::Smallest),
            (unit, _) if unit.eq_ignore_ascii_case(&self.token.symbol) => Ok(Unit::Token),
            (_, Some((_, decimals))) => Ok(Unit::Ethereum(*decimals)),
            (unit, None) => Err(Error::Usage(match self.token.symbol.as_str() {
                "" => format!("{amount}: the chain does not tell the name of its token, so {unit} is not known"),
                symbol => {
                    format!("{amount}: the chain's token is {symbol}, not {unit}; wei, gwei and ether are known too")
                }
            })),
        }
    }
}

/// The unit of an amount.
enum Unit {
    Smallest,
    Token,
    /// In the contracts' unit, with this number of decimal places.
    Ethereum(u32),
}

fn exponent_with(amount: &Amount, decimals: u32) -> i32 {
    amount.exponent.saturating_add(i32::try_from(decimals).unwrap_or(i32::MAX))
}

/// The interpretation of units in arguments.
#[derive(Debug, Clone, Copy)]
pub enum Units<'a> {
    /// There is no chain, so the name of its token is unknown: only Ethereum's units are accepted.
    Offline,
    /// The chain is not connected yet: any unit is accepted, and the result is not used.
    Unchecked,
    /// The units of a chain.
    Chain(&'a Money),
}

impl Units<'_> {
    /// Converts an argument with a token's name to the contracts' unit; `None` if it is not an amount with a unit.
    ///
    /// # Errors
    ///
    /// As [`Money::in_contract`], or without a chain.
    pub fn argument(&self, argument: &str) -> Option<Result<U256, Error>> {
        let amount: Amount = argument.parse().ok().filter(|amount: &Amount| !amount.unit.is_empty())?;
        Some(match self {
            Self::Chain(money) => money.in_contract(&amount),
            Self::Unchecked => Ok(U256::ZERO),
            Self::Offline => Err(Error::Usage(format!(
                "`{argument}`: the name of a token is only known with a chain; write it with wei, gwei or ether"
            ))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money() -> Money {
        Money { token: Token { symbol: "UNIT".into(), decimals: 12 }, ratio: 1_000_000 }
    }

    fn sent(text: &str) -> Result<u128, String> {
        money().in_chain(&text.parse::<Amount>()?).map_err(|error| error.to_string())
    }

    #[test]
    fn one_token_is_10_to_the_12_for_the_chain_and_10_to_the_18_for_contracts() {
        for one in ["1UNIT", "1 unit", "1ether", "1000000000gwei", "1e12", "1000000000000", "0.001e3UNIT", "1_000e9"] {
            assert_eq!(sent(one), Ok(1_000_000_000_000), "{one}");
        }
        let in_contract = |text: &str| money().in_contract(&text.parse().unwrap()).unwrap().to_string();
        assert_eq!(in_contract("1UNIT"), "1000000000000000000");
        assert_eq!(in_contract("1.5 UNIT"), "1500000000000000000");
        assert_eq!(in_contract("1gwei"), "1000000000");
        assert_eq!(in_contract("0.000000000000000001UNIT"), "1");
    }

    #[test]
    fn amounts_may_have_a_fraction_and_an_exponent() {
        assert_eq!(sent("1.5UNIT"), Ok(1_500_000_000_000));
        assert_eq!(sent("1e9"), Ok(1_000_000_000));
        assert_eq!(sent("1.25e2"), Ok(125));
        assert_eq!(sent("2500e-2"), Ok(25));
        assert_eq!(sent("0"), Ok(0));
        assert_eq!(sent("0e-4000UNIT"), Ok(0));
        assert_eq!(sent("1000000wei"), Ok(1));
        assert_eq!(sent(&u128::MAX.to_string()), Ok(u128::MAX));
    }

    #[test]
    fn an_amount_that_cannot_be_sent_says_why() {
        let refused = |text: &str| sent(text).unwrap_err();
        assert!(
            refused("1wei").contains("no multiple of the chain's smallest unit, which is 10^-12 UNIT (1000000 wei)")
        );
        assert!(refused("0.5").contains("no multiple"));
        assert!(refused("0.0000000000001UNIT").contains("no multiple"));
        assert!(refused("1e-4000UNIT").contains("no multiple"));
        assert!(refused("1.5DOT").contains("the chain's token is UNIT, not DOT"));
        assert!(refused("1e39").contains("more than any account"));
        assert!(refused("1e4000UNIT").contains("more than any account"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for none in ["", "-1", "UNIT", ".5", "1.2.3", "0x10", "1e99999999999", "1UNIT2", "e9", "_", "1,5"] {
            assert!(none.parse::<Amount>().is_err(), "{none}");
        }
    }

    #[test]
    fn amounts_of_contracts_are_shown_in_the_token_if_they_are_whole_units_of_the_chain() {
        assert_eq!(money().of_contract("1500000000000000000"), "1.5 UNIT");
        assert_eq!(money().of_contract("0"), "0 UNIT");
        assert_eq!(money().of_contract("1500000000000000001"), "1500000000000000001 wei");
        assert_eq!(Money::default().of_contract("7"), "7 wei");
    }

    #[test]
    fn the_units_of_arguments_need_a_chain_and_are_never_guessed() {
        let (money, one) = (money(), "1UNIT");
        let number = |units: Units<'_>, text| units.argument(text).map(|amount| amount.map(|it| it.to_string()).ok());
        assert_eq!(number(Units::Chain(&money), one), Some(Some("1000000000000000000".into())));
        assert_eq!(number(Units::Chain(&money), "1DOT"), Some(None));
        assert_eq!(number(Units::Offline, one), Some(None));
        for none in ["1", "true", "0x10", "-1"] {
            assert_eq!(number(Units::Chain(&money), none), None);
        }
    }
}
