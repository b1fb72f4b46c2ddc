//! Tests of nonces and the addresses of new contracts: for origins that sign, origins that never sign, and contracts.

use super::{
    nested::{default, last, two},
    puppet::{Call as Nested, SCRATCH, Script, puppet},
};
use crate::{Call, ContractInfoOf, Error, Event, address::create1, mock::*};
use frame_support::assert_ok;
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{H160, H256};
use sp_runtime::AccountId32;

fn code_hash() -> H256 {
    crate::code::code_hash(&puppet())
}

/// Instantiates a contract by an extrinsic without a salt; returns its address.
fn make(who: &AccountId32) -> H160 {
    let call = Call::instantiate {
        value: 0,
        gas_limit: GAS,
        storage_deposit_limit: START,
        code_hash: code_hash(),
        data: vec![],
        salt: None,
    };
    assert_ok!(dispatch(who.clone(), call));
    let made = |event| match event {
        Event::Instantiated { contract, .. } => Some(contract),
        _ => None,
    };
    events().into_iter().rev().find_map(made).unwrap()
}

/// Applies the effect that checking a signature has on an account.
fn sign(who: &AccountId32) {
    System::inc_account_nonce(who);
}

#[test]
fn a_signed_transactions_contracts_have_the_addresses_of_its_nonce_and_the_next() {
    run(|| {
        upload(puppet());
        let alice = Polkavm::view_address(&ALICE);
        for nonce in [0, 2, 4] {
            assert_eq!(System::account_nonce(&ALICE), nonce);
            sign(&ALICE);
            assert_eq!(make(&ALICE), create1(&alice, nonce.into()));
        }
        // Two in one transaction, as in a batch.
        sign(&ALICE);
        assert_eq!([make(&ALICE), make(&ALICE)], [6, 7].map(|nonce| create1(&alice, nonce)));
        assert_eq!(System::account_nonce(&ALICE), 9);
    });
}

#[test]
fn an_origin_that_never_signs_gets_a_new_address_for_each_contract() {
    run(|| {
        upload(puppet());
        let bob = Polkavm::view_address(&BOB);
        assert_eq!(System::account_nonce(&BOB), 0);
        assert_eq!([make(&BOB), make(&BOB), make(&BOB)], [0, 1, 2].map(|nonce| create1(&bob, nonce)));
        // It signs after all, and then others act for it again.
        let nonce = u64::from(System::account_nonce(&BOB));
        sign(&BOB);
        assert_eq!([make(&BOB), make(&BOB)], [nonce, nonce + 1].map(|nonce| create1(&bob, nonce)));
    });
}

#[test]
fn an_origin_whose_last_nonce_has_made_a_contract_gets_the_next_address() {
    run(|| {
        upload(puppet());
        let bob = Polkavm::view_address(&BOB);
        let first = make(&BOB);
        // Earlier versions left this state.
        frame_system::Account::<Test>::mutate(&BOB, |account| account.nonce = 1);
        let more = [make(&BOB), make(&BOB)];
        assert_eq!((first, more), (create1(&bob, 0), [1, 2].map(|nonce| create1(&bob, nonce))));
    });
}

#[test]
fn a_contract_that_makes_contracts_never_gets_an_address_twice() {
    run(|| {
        let (a, _) = two();
        let mut made = Vec::new();
        for _ in 0..6 {
            let mut script = Script::new();
            script.instantiate(code_hash(), &default(), &[], None, SCRATCH).expect(0).give(0, SCRATCH, 20);
            made.push(H160::from_slice(&call(a, &script.encode()).result.unwrap().data));
        }
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 6);
    });
}

#[test]
fn a_failed_constructor_has_used_up_its_creators_nonce() {
    run(|| {
        let (a, b) = two();
        let (reverts, mut traps, mut ends) = (Script::new().revert(b"x").encode(), Script::new(), Script::new());
        let little = Nested { ref_time: 1_000_000, ..default() };
        let nonce = || System::account_nonce(ethereum_account(a));
        let mut script = Script::new();
        script.instantiate(code_hash(), &default(), &reverts, None, SCRATCH);
        script.expect(ReturnErrorCode::CalleeReverted as u64);
        script.instantiate(code_hash(), &default(), &traps.trap().encode(), None, SCRATCH);
        script.expect(ReturnErrorCode::CalleeTrapped as u64);
        script.instantiate(code_hash(), &little, &[], None, SCRATCH).expect(ReturnErrorCode::OutOfResources as u64);
        script.instantiate(code_hash(), &default(), &[], None, SCRATCH).expect(0).give(0, SCRATCH, 20);
        let made = H160::from_slice(&call(a, &script.encode()).result.unwrap().data);
        assert_eq!(made, create1(&a, 4));
        assert_eq!(nonce(), 5);

        // A salt uses a nonce too, and so does an address that is occupied.
        let salt = Some([7; 32]);
        let mut script = Script::new();
        script.instantiate(code_hash(), &default(), &reverts, salt, SCRATCH);
        script.expect(ReturnErrorCode::CalleeReverted as u64);
        script.instantiate(code_hash(), &default(), &[], salt, SCRATCH).expect(0);
        script.instantiate(code_hash(), &default(), &[], salt, SCRATCH);
        assert_eq!(last(a, &mut script), ReturnErrorCode::DuplicateContractAddress as u64);
        assert_eq!(nonce(), 8);

        // In a delegate call it is the nonce of the contract that delegates.
        ends.instantiate(code_hash(), &default(), &reverts, None, SCRATCH);
        ends.expect(ReturnErrorCode::CalleeReverted as u64);
        assert_eq!(last(a, Script::new().delegate(b, 0, &ends.encode())), 0);
        assert_eq!((nonce(), System::account_nonce(ethereum_account(b))), (9, 1));
    });
}

#[test]
fn a_nonce_is_not_used_up_without_the_value_or_where_the_creator_itself_fails() {
    run(|| {
        let (a, b) = two();
        let nonce = |contract| System::account_nonce(ethereum_account(contract));
        let poor = Nested { value: RATIO.into(), ..default() };
        let mut script = Script::new();
        script.instantiate(code_hash(), &poor, &[], None, SCRATCH);
        assert_eq!(last(a, &mut script), ReturnErrorCode::TransferFailed as u64);
        assert_eq!(nonce(a), 1);

        let mut inner = Script::new();
        inner.instantiate(code_hash(), &default(), &[], None, SCRATCH).expect(0).revert(b"no");
        assert_eq!(last(a, Script::new().call(b, &default(), &inner)), ReturnErrorCode::CalleeReverted as u64);
        assert_eq!((nonce(a), nonce(b)), (1, 1));

        // A failed transaction leaves no change but that of its signature.
        sign(&ALICE);
        let code = crate::types::Code::Existing(code_hash());
        let constructor = Script::new().revert(b"no").encode();
        let made = unchanged(|| {
            Polkavm::bare_instantiate(ALICE, 0, no_limits(), code, constructor, None, crate::ExecConfig::extrinsic())
        });
        assert!(made.result.unwrap().output.did_revert());
        assert_eq!(ContractInfoOf::<Test>::iter().count(), 2);
        let unknown = Call::instantiate {
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code_hash: H256::zero(),
            data: vec![],
            salt: None,
        };
        let refused = unchanged(|| dispatch(BOB, unknown).unwrap_err());
        assert_eq!(refused.error, Error::<Test>::CodeNotFound.into());
    });
}
