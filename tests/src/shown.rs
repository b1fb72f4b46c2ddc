//! Formats numbers of the command line's JSON with units, for the output of the demo and the scenarios.

use crate::contract::Cli;
use anyhow::Result;
use contract_cli::{api::Weight, units, units::Token};
use serde_json::Value;

/// Returns the chain's token.
///
/// # Errors
///
/// If the chain does not answer.
pub fn token(cli: &Cli) -> Result<Token> {
    let info = cli.succeed(&["info"])?;
    let token = &info["token"];
    let decimals = token["decimals"].as_u64().and_then(|decimals| u32::try_from(decimals).ok());
    Ok(Token { symbol: text(&token["symbol"]), decimals: decimals.unwrap_or_default() })
}

/// Formats the weight that a transaction or a dry run used, if the output has one.
pub fn gas(answer: &Value) -> Option<String> {
    let weight = answer.get("gas_used").or_else(|| answer.get("gas_consumed"))?;
    let part = |name: &str| weight[name].as_u64();
    Some(units::weight(Weight { ref_time: part("ref_time")?, proof_size: part("proof_size")? }))
}

/// Formats an amount; other values are printed unchanged.
pub fn amount(token: &Token, value: &Value) -> String {
    let shown = text(value);
    token.amount_of_text(&shown).unwrap_or(shown)
}

/// Formats a value as text, without quotes.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_used_and_what_it_cost_have_units() {
        let token = Token { symbol: "UNIT".into(), decimals: 12 };
        let answer = json!({ "gas_used": { "ref_time": 974_264_529, "proof_size": 1_229 }, "fee": "902000000" });
        assert_eq!(gas(&answer).as_deref(), Some("974.26 µs (ref_time), 1.2 KiB (proof size)"));
        assert_eq!(gas(&json!({})), None);
        assert_eq!(amount(&token, &answer["fee"]), "0.000902 UNIT");
        assert_eq!(amount(&token, &Value::Null), "null");
    }
}
