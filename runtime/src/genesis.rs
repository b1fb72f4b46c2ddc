//! Genesis presets: `development` and `local_testnet`.

use crate::{AccountId, BalancesConfig, RuntimeGenesisConfig, SudoConfig, constants::UNIT};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_genesis_builder::PresetId;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// Genesis balance of each well-known account: a million tokens.
const ENDOWMENT: u128 = 1_000_000 * UNIT;

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
        Sr25519Keyring::well_known().map(|key| key.to_account_id()).collect(),
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
        Sr25519Keyring::well_known().map(|key| key.to_account_id()).collect(),
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
