//! Genesis presets: `development` and `local_testnet`.

use crate::{AccountId, BalancesConfig, Runtime, RuntimeGenesisConfig, SudoConfig, constants::UNIT};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use hex_literal::hex;
use pallet_polkavm::{AccountId32Mapper, AddressMapper as _};
use serde_json::Value;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::H160;
use sp_genesis_builder::PresetId;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// Genesis balance of each well-known account: a million tokens.
const ENDOWMENT: u128 = 1_000_000 * UNIT;

/// The addresses of the first two keys of the mnemonic that Ethereum's development nodes have ("test test … junk").
pub const ETHEREUM_DEVELOPMENT_ADDRESSES: [[u8; 20]; 2] =
    [hex!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"), hex!("70997970c51812dc3a010c7d01b50e0d17dc79c8")];

/// Endowed accounts: those of the well-known development keys, the chain's own and Ethereum's.
fn well_known() -> Vec<AccountId> {
    let ethereum = ETHEREUM_DEVELOPMENT_ADDRESSES
        .map(|address| AccountId32Mapper::<Runtime>::to_fallback_account_id(&H160(address)));
    Sr25519Keyring::well_known().map(|key| key.to_account_id()).chain(ethereum).collect()
}

/// Builds a genesis in which the well-known development accounts are endowed, `root` holds sudo, and `authorities`
/// author and finalise blocks.
fn testnet(authorities: Vec<(AuraId, GrandpaId)>, endowed: Vec<AccountId>, root: AccountId) -> Value {
    build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances: endowed.into_iter().map(|account| (account, ENDOWMENT)).collect::<Vec<_>>(),
        },
        aura: pallet_aura::GenesisConfig {
            authorities: authorities.iter().map(|(aura, _)| aura.clone()).collect::<Vec<_>>(),
        },
        grandpa: pallet_grandpa::GenesisConfig {
            authorities: authorities.into_iter().map(|(_, grandpa)| (grandpa, 1)).collect::<Vec<_>>(),
        },
        sudo: SudoConfig { key: Some(root) },
    })
}

/// Development genesis: one authority, Alice, who also holds sudo.
fn development() -> Value {
    testnet(
        vec![(Sr25519Keyring::Alice.public().into(), Ed25519Keyring::Alice.public().into())],
        well_known(),
        Sr25519Keyring::Alice.to_account_id(),
    )
}

/// Two authorities, Alice and Bob.
fn local() -> Value {
    testnet(
        vec![
            (Sr25519Keyring::Alice.public().into(), Ed25519Keyring::Alice.public().into()),
            (Sr25519Keyring::Bob.public().into(), Ed25519Keyring::Bob.public().into()),
        ],
        well_known(),
        Sr25519Keyring::Alice.to_account_id(),
    )
}

/// Returns the preset with this name as a JSON patch of the default genesis, or `None` if the name is unknown.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    let patch = match id.as_ref() {
        sp_genesis_builder::DEV_RUNTIME_PRESET => development(),
        sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET => local(),
        _ => return None,
    };
    serde_json::to_vec(&patch).ok()
}

/// Returns the names that [`get_preset`] knows.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(sp_genesis_builder::DEV_RUNTIME_PRESET),
        PresetId::from(sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_preset_is_there_and_an_unknown_one_is_not() {
        for id in preset_names() {
            assert!(get_preset(&id).is_some(), "{id:?}");
        }
        assert!(get_preset(&PresetId::from("no such preset")).is_none());
    }
}
