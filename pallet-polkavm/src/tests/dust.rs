//! Tests of amounts below one unit of the chain's balance.

use super::{
    nested::{default, last, two, two_with},
    puppet::{Call as Nested, Script},
};
use crate::{DustOf, ExecConfig, UnitsInDust, mock::*, precompiles::abi};
use frame_support::{assert_ok, traits::fungible::Inspect};
use pallet_revive_uapi::ReturnErrorCode;
use proptest::prelude::*;
use sp_core::{H160, U256};
use sp_runtime::AccountId32;

const UNIT: u128 = RATIO as u128;

fn account(address: H160) -> AccountId32 {
    Polkavm::view_account_id(&address)
}

/// The balance that an account could send, in the contracts' unit.
fn wei(address: H160) -> u128 {
    Polkavm::balance(address).as_u128()
}

/// Has a contract send an amount.
fn send(from: H160, to: H160, value: u128) -> u64 {
    last(from, Script::new().call(to, &Nested { value, ..default() }, &Script::new()))
}

fn issuance() -> u128 {
    <Balances as Inspect<AccountId32>>::total_issuance() + UnitsInDust::<Test>::get()
}

#[test]
fn an_amount_below_a_unit_is_sent_and_nothing_is_lost() {
    run(|| {
        let (a, b) = two();
        let before = issuance();
        call_with_value(a, 10, &[]).result.unwrap();
        // A third of ten units of seven: 23, which is three units and two.
        assert_eq!(send(a, b, 23), 0);
        assert_eq!((wei(a), wei(b)), (10 * UNIT - 23, 23));
        assert_eq!(Balances::free_balance(account(b)), ED + 3);
        assert_eq!(Balances::free_balance(account(a)), ED + 6, "a unit of it is dust");
        assert_eq!((DustOf::<Test>::get(account(a)), DustOf::<Test>::get(account(b))), (5, 2));
        assert_eq!(UnitsInDust::<Test>::get(), 1);
        assert_eq!(issuance(), before);
        // The second third finds its dust, the last one as well.
        assert_eq!(send(a, b, 23), 0);
        assert_eq!(send(a, b, 24), 0);
        assert_eq!((wei(a), wei(b)), (0, 10 * UNIT));
        assert_eq!(Balances::free_balance(account(b)), ED + 10, "dust that is worth a unit becomes one");
        assert_eq!((DustOf::<Test>::iter().count(), UnitsInDust::<Test>::get()), (0, 0));
        assert_eq!(issuance(), before);
    });
}

#[test]
fn a_contract_sees_its_dust_and_what_was_sent_to_it_exactly() {
    run(|| {
        let (a, b) = two_with(10);
        let mut inner = Script::new();
        let room = inner.bytes(&[0; 96]);
        inner.host("value_transferred", &[room]).host("balance", &[room + 32]).give(0, room, 64);
        let mut script = Script::new();
        script.call(b, &Nested { value: 23, ..default() }, &inner).expect(0);
        let size = script.bytes(&64u32.to_le_bytes());
        let target = script.bytes(a.as_bytes());
        let room = script.bytes(&[0; 96]);
        script.host("return_data_copy", &[room, size, 0]).host("balance_of", &[target, room + 64]).give(0, room, 96);
        let data = call(a, &script.encode()).result.unwrap().data;
        let words: Vec<_> = data.chunks_exact(32).map(U256::from_little_endian).collect();
        assert_eq!(words, [23, 23, 10 * RATIO - 23].map(U256::from));
    });
}

#[test]
fn no_more_is_sent_than_there_is() {
    run(|| {
        let (a, b) = two_with(2);
        assert_eq!(send(a, b, 2 * UNIT + 1), ReturnErrorCode::TransferFailed as u64);
        assert_eq!(send(a, b, 2 * UNIT - 1), 0);
        assert_eq!(send(a, b, 2), ReturnErrorCode::TransferFailed as u64);
        assert_eq!(send(a, b, 1), 0);
        assert_eq!((wei(a), wei(b)), (0, 2 * UNIT));
    });
}

#[test]
fn dust_alone_makes_an_account_and_can_be_sent_to_oneself() {
    run(|| {
        let (a, _) = two();
        let nobody = H160([0x42; 20]);
        call_with_value(a, 1, &[]).result.unwrap();
        let before = Balances::free_balance(ALICE);
        assert_eq!(send(a, nobody, 3), 0);
        assert_eq!((wei(nobody), Balances::free_balance(ALICE)), (3, before - ED));
        assert_eq!(last(a, Script::new().call(a, &Nested { value: 4, flags: 8, ..default() }, &Script::new())), 0);
        assert_eq!(wei(a), 4);
    });
}

#[test]
fn a_failed_call_gives_its_dust_back() {
    run(|| {
        let (a, b) = two_with(10);
        let reverts = Script::new().revert(b"no").clone();
        let mut traps = Script::new();
        traps.trap();
        for inner in [reverts, traps] {
            let value = Nested { value: 23, ..default() };
            assert_ne!(last(a, Script::new().call(b, &value, &inner)), 0);
            assert_eq!((wei(a), wei(b)), (10 * UNIT, 0));
            assert_eq!((DustOf::<Test>::iter().count(), UnitsInDust::<Test>::get()), (0, 0));
        }
    });
}

#[test]
fn a_contract_that_ends_sends_its_dust_away_too() {
    run(|| {
        let (a, b) = two_with(10);
        assert_eq!(send(a, b, 23), 0);
        let mut end = Script::new();
        let input = [abi::selector("terminate(address)").as_slice(), &[0; 12], a.as_bytes()].concat();
        end.call_into(crate::precompiles::address(0x900), &default(), &input, super::puppet::NO_OUTPUT).expect(0);
        assert_ok!(Polkavm::bare_call(BOB, b, 0, no_limits(), end.encode(), ExecConfig::extrinsic()).result);
        assert!(Polkavm::contract_info(b).is_none());
        assert_eq!((wei(a), wei(b)), (10 * UNIT, 0));
        assert_eq!(Balances::total_balance(&account(b)), 0, "nothing keeps the account");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The balances of accounts are those of a ledger of exact amounts, for any transfers.
    #[test]
    fn dust_is_exact(sent in proptest::collection::vec((0usize..4, 0usize..4, 0u128..120), 1..24)) {
        run_in_runtime(|| {
            let all = [deploy(super::puppet::puppet()), deploy(super::puppet::puppet())];
            let all = [all[0], all[1], deploy(super::puppet::puppet()), deploy(super::puppet::puppet())];
            let before = issuance();
            let mut model = [0; 4];
            for (index, contract) in all.iter().enumerate() {
                call_with_value(*contract, 10 * index as u128, &[]).result.unwrap();
                model[index] = 10 * index as u128 * UNIT;
            }
            for (from, to, value) in sent {
                let mut script = Script::new();
                script.call(all[to], &Nested { value, flags: 8, ..default() }, &Script::new());
                let code = last(all[from], &mut script);
                if value <= model[from] {
                    assert_eq!(code, 0);
                    model[from] -= value;
                    model[to] += value;
                } else {
                    assert_eq!(code, ReturnErrorCode::TransferFailed as u64);
                }
                assert_eq!(all.map(wei), model);
                assert_eq!(issuance(), before);
                crate::integrity::check_state::<Test>().unwrap();
            }
        });
    }
}
