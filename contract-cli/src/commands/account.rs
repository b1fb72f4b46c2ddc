//! `account`, and the extrinsics that map an account to its address and back.

use crate::{
    abi,
    chain::{AtBlock, Chain},
    error::Error,
    output::Report,
};
use subxt::utils::AccountId32;
use subxt_signer::{SecretUri, sr25519::Keypair};

/// Reports on an account: the signer's, or one given as an address, in hex, in SS58 or as a development account.
pub async fn account(chain: &Chain, who: Option<String>) -> Result<Report, Error> {
    chain.at_best(async |at| shown(chain, at, who.as_deref()).await).await
}

async fn shown(chain: &Chain, at: &AtBlock, who: Option<&str>) -> Result<Report, Error> {
    let account = match who {
        None => chain.account(),
        Some(who) => match (abi::bytes::<20>(who), parse(who)) {
            (Some(address), _) => chain.account_of(at, address).await?,
            (_, Some(account)) => account,
            _ => {
                return Err(Error::Usage(format!(
                    "{who} is neither an address (20 bytes in hex) nor an account (32, SS58, or such as //Bob)"
                )));
            }
        },
    };
    let (nonce, balances) = chain.balances(at, account).await?;
    Ok(Report::new("account")
        .with_hex("account", &account)
        .with("ss58", AccountId32(account).to_string())
        .with_hex("address", &chain.address_of(at, account).await?)
        .with("mapped", chain.is_mapped(at, account).await?)
        .with("nonce", nonce)
        .with("free", balances.free.to_string())
        .with("held", balances.reserved.to_string()))
}

/// Sends a call without arguments.
pub async fn send(chain: &Chain, command: &str, call: &str) -> Result<Report, Error> {
    Ok(Report::new(command).with_receipt(&chain.submit(call, ()).await?, ""))
}

fn parse(account: &str) -> Option<[u8; 32]> {
    // A secret phrase should not be on a command line, but development accounts have none.
    if account.starts_with("//") {
        let uri: SecretUri = account.parse().ok()?;
        return Keypair::from_uri(&uri).ok().map(|pair| pair.public_key().0);
    }
    abi::bytes(account).or_else(|| account.parse::<AccountId32>().ok().map(|account| account.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_in_hex_and_in_ss58_of_any_chain() {
        let alice = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
        let expected = abi::bytes::<32>(alice);
        assert_eq!(parse(&format!("0x{alice}")), expected);
        assert_eq!(parse("//Alice"), expected);
        assert_eq!(parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"), expected);
        assert_eq!(parse("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"), expected);
    }

    #[test]
    fn a_mistyped_account_is_none() {
        assert_eq!(parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ"), None);
        assert_eq!(parse("Alice"), None);
    }
}
