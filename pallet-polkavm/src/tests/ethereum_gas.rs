//! Tests of calls that are limited to a number of Ethereum's gas.

use super::{
    nested::{last, stored, two},
    puppet::{NO_OUTPUT, Script, pack},
};
use crate::{Config, metering::ethereum, mock::*};
use frame_support::{traits::Get, weights::Weight};
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::H160;

const OUT: u64 = ReturnErrorCode::OutOfResources as u64;

/// Has a contract call another with this much gas.
fn call_evm(from: H160, to: H160, gas: u64, value: u128, inner: &Script) -> u64 {
    let mut script = Script::new();
    let callee = script.bytes(to.as_bytes());
    let value = script.word(Some(value));
    let input = inner.encode();
    let pointer = script.bytes(&input);
    script.host("call_evm", &[0, callee, value, gas, pack(input.len() as u64, pointer), NO_OUTPUT]);
    last(from, &mut script)
}

fn event() -> Script {
    let mut script = Script::new();
    let topics = script.bytes(&[7; 64]);
    let data = script.bytes(&[8; 32]);
    script.host("deposit_event", &[topics, 2, data, 32]);
    script
}

#[test]
fn the_stipend_pays_for_an_event_and_not_for_a_storage_write() {
    run(|| {
        let (a, b) = two();
        call_with_value(a, 100, &[]).result.unwrap();
        for (gas, value) in [(2_300, 0), (2_300, 5), (0, 5)] {
            assert_eq!(call_evm(a, b, gas, value, &event()), 0, "gas {gas}, value {value}");
            assert_eq!(call_evm(a, b, gas, value, Script::new().store(2, 2)), OUT, "gas {gas}, value {value}");
            // Nor behind another call, nor by the builtin.
            let mut behind = Script::new();
            behind.delegate(b, 0, &Script::new().store(2, 2).encode()).expect(0);
            assert_ne!(call_evm(a, b, gas, value, &behind), 0);
        }
        assert_eq!(stored(b, 2), None);
        assert_eq!(call_evm(a, b, 0, 0, &event()), OUT, "nothing comes with nothing");
        // An account without code, as `transfer` of Solidity has it.
        assert_eq!(call_evm(a, H160([9; 20]), 2_300, 5, &Script::new()), 0);
    });
}

#[test]
fn the_stipend_pays_for_no_storage_write_on_the_fastest_database() {
    run(|| {
        let (a, b) = two();
        call_with_value(a, 100, &[]).result.unwrap();
        // A slot that is there takes no deposit.
        call(b, &Script::new().store(2, 1).encode()).result.unwrap();
        Database::free(true);
        for (gas, value) in [(2_300, 0), (2_300, 5), (0, 5)] {
            assert_eq!(call_evm(a, b, gas, value, &event()), 0);
            assert_eq!(call_evm(a, b, gas, value, Script::new().store(2, 2)), OUT, "gas {gas}, value {value}");
        }
        assert_eq!(stored(b, 2), Some(vec![1; 32]));
        assert_eq!(call_evm(a, b, 5_000, 0, Script::new().store(2, 2)), 0, "5,000 are what it takes on Ethereum");
        Database::free(false);
    });
}

#[test]
fn a_number_of_gas_does_what_it_does_on_ethereum() {
    run(|| {
        let (a, b) = two();
        // As callers of `supportsInterface` do.
        let mut question = Script::new();
        question.host("call_data_size", &[]).host("now", &[super::puppet::SCRATCH]);
        assert_eq!(call_evm(a, b, 30_000, 0, &question), 0);
        assert_eq!(call_evm(a, b, 3_000, 0, Script::new().store(1, 1)), OUT, "a slot takes 20,000 and more");
        assert_eq!(call_evm(a, b, 20_000, 0, Script::new().store(1, 1)), OUT);
        assert_eq!(stored(b, 1), None);
        assert_eq!(call_evm(a, b, 30_000, 0, Script::new().store(1, 1)), 0);
        // Three slots and an event, and not thirty slots.
        let mut some = event();
        some.store(2, 1).store(3, 1).store(4, 1);
        assert_eq!(call_evm(a, b, 100_000, 0, &some), 0);
        let mut many = Script::new();
        (10..40).for_each(|key| drop(many.store(key, 1).encode()));
        assert_eq!(call_evm(a, b, 100_000, 0, &many), OUT);
        assert_eq!(stored(b, 10), None);
        assert_eq!(call_evm(a, b, 1_000_000, 0, &many), 0);
        // Storage removed in the same call does not count.
        let mut back = Script::new();
        (40..50).for_each(|key| drop(back.store(key, 1).store(key, 0).encode()));
        assert_eq!(call_evm(a, b, 200_000, 0, &back), 0);
    });
}

#[test]
fn a_larger_number_is_a_share_of_the_time_that_is_left() {
    run(|| {
        let (a, b) = two();
        // Too little for a storage write; nothing else is limited.
        let little = ethereum::MOST + 1;
        assert_eq!(call_evm(a, b, little, 0, Script::new().store(1, 1)), OUT);
        assert_eq!(call_evm(a, b, 1_000_000_000, 0, Script::new().store(1, 1)), 0);
        assert_eq!(call_evm(a, b, u64::MAX, 0, Script::new().store(2, 1)), 0);

        let delegate = |gas: u64, inner: &Script| {
            let mut script = Script::new();
            let code = script.bytes(b.as_bytes());
            let input = inner.encode();
            let pointer = script.bytes(&input);
            script.host("delegate_call_evm", &[0, code, gas, pack(input.len() as u64, pointer), NO_OUTPUT]);
            last(a, &mut script)
        };
        assert_eq!(delegate(90, &event()), OUT);
        assert_eq!(delegate(30_000, &event()), 0);
        assert_eq!(delegate(2_300, Script::new().store(3, 1)), OUT);
        assert_eq!(delegate(u64::MAX, Script::new().store(3, 1)), 0);
    });
}

#[test]
fn weight_and_deposit_count_against_one_number() {
    run(|| {
        let scale = <Test as Config>::RefTimePerEthGas::get();
        let slot = (32 + 32) * PER_BYTE + PER_CHILD_ITEM;
        assert_eq!(ethereum::deposit::<Test>(20_000), slot);
        assert_eq!(ethereum::used::<Test>(Weight::zero(), slot), 20_000);
        assert_eq!(ethereum::used::<Test>(Weight::from_parts(scale, 9), slot), 20_001);
        assert_eq!(ethereum::used::<Test>(Weight::from_parts(scale + 1, 0), slot), 20_002);
        assert_eq!(ethereum::weight::<Test>(3).ref_time(), 3 * scale);
        assert_eq!(ethereum::used::<Test>(Weight::MAX, Balance::MAX), u64::MAX);
    });
}
