//! Tests that the documentation of the host API is complete, and names existing tests.

use crate::{host_api::HostFunction, precompiles::Precompiles};
use sp_core::H160;
use std::collections::BTreeSet;

const HOST_API: &str = include_str!("../../../docs/host-api.md");
const SOURCES: [&str; 10] = [
    include_str!("host.rs"),
    include_str!("nested.rs"),
    include_str!("lifecycle.rs"),
    include_str!("precompiles.rs"),
    include_str!("transient.rs"),
    include_str!("creation.rs"),
    include_str!("reserve.rs"),
    include_str!("dust.rs"),
    include_str!("ethereum_gas.rs"),
    include_str!("code.rs"),
];

/// The rows of the tables: their cells.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    HOST_API
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with(" |"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

#[test]
fn every_host_function_has_a_row_and_every_row_a_function() {
    let documented: BTreeSet<_> = rows()
        .filter(|cells| cells.len() == 3)
        .filter_map(|cells| cells[0].strip_prefix('`')?.split_once('(').map(|(name, _)| name))
        .collect();
    let known: BTreeSet<_> = HostFunction::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(documented, known);
}

#[test]
fn every_test_that_is_named_exists() {
    let mut count = 0;
    for cells in rows() {
        let Some(names) = cells.get(2) else { continue };
        for name in names.split(',').filter_map(|name| name.trim().strip_prefix('`')?.strip_suffix('`')) {
            assert!(SOURCES.iter().any(|source| source.contains(&format!("fn {name}()"))), "{name} is no test");
            count += 1;
        }
    }
    assert!(count > 50, "{count} tests were found");
}

#[test]
fn every_function_of_the_uapi_crate_is_there_but_one() {
    // The crate's names, as its version 0.15.4 has them.
    let uapi = [
        "address",
        "balance",
        "balance_of",
        "base_fee",
        "block_author",
        "block_hash",
        "block_number",
        "call",
        "call_data_copy",
        "call_data_load",
        "call_data_size",
        "call_evm",
        "caller",
        "chain_id",
        "code_hash",
        "code_size",
        "consume_all_gas",
        "delegate_call",
        "delegate_call_evm",
        "deposit_event",
        "gas_limit",
        "gas_price",
        "get_immutable_data",
        "get_storage",
        "get_storage_or_zero",
        "hash_keccak_256",
        "instantiate",
        "now",
        "origin",
        "ref_time_left",
        "return_data_copy",
        "return_data_size",
        "seal_return",
        "set_immutable_data",
        "set_storage",
        "set_storage_or_clear",
        "terminate",
        "value_transferred",
    ];
    for name in uapi {
        assert!(HostFunction::by_name(name.as_bytes()).is_some(), "{name} is missing");
    }
    assert!(HostFunction::by_name(b"instantiation_nonce").is_none());
}

#[test]
fn the_builtins_are_where_the_documentation_says() {
    let find = |number: u64| {
        let address = H160::from_low_u64_be(number);
        <crate::precompiles::Builtins as Precompiles<crate::mock::Test>>::find(&address).is_some()
    };
    let there: Vec<u64> = (0..0x1_0000).filter(|number| find(*number)).collect();
    // Those from 0x0a to 0x11 fail.
    let expected: Vec<u64> = (1..=0x11).chain([0x900, 0x901]).collect();
    assert_eq!(there, expected);
    assert!(!find(0x1_0001));
}
