//! Tests of mapping accounts, and of origins that may act without a mapping.

use crate::program::Contract;
use crate::{Call, Error, Event, HoldReason, address::mapping_deposit, mock::*};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_core::H160;

#[test]
fn mapping_holds_a_deposit_and_unmapping_releases_it() {
    run(|| {
        let deposit = mapping_deposit::<Test>();
        assert_eq!(deposit, 52 * PER_BYTE + PER_ITEM);
        let address = Polkavm::view_address(&CHARLIE);
        assert_ok!(dispatch(CHARLIE, Call::map_account {}));
        assert_eq!(Balances::balance_on_hold(&HoldReason::AddressMapping.into(), &CHARLIE), deposit);
        assert_eq!(Polkavm::view_account_id(&address), CHARLIE);
        assert_noop!(dispatch(CHARLIE, Call::map_account {}), Error::<Test>::AccountAlreadyMapped);

        assert_ok!(dispatch(CHARLIE, Call::unmap_account {}));
        assert_eq!(Balances::free_balance(&CHARLIE), START);
        assert_eq!(Polkavm::view_account_id(&address), ethereum_account(address));
        assert_noop!(dispatch(CHARLIE, Call::unmap_account {}), Error::<Test>::AccountNotMapped);
        assert_eq!(
            events(),
            [
                Event::AccountMapped { account: CHARLIE, address, deposit },
                Event::AccountUnmapped { account: CHARLIE, address, released: deposit },
            ]
        );
    });
}

#[test]
fn accounts_derived_from_an_ethereum_address_need_no_mapping_and_get_none() {
    run(|| {
        let eth = ethereum_account(H160([7; 20]));
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), eth.clone(), START));
        assert_noop!(dispatch(eth.clone(), Call::map_account {}), Error::<Test>::AccountAlreadyMapped);
        let contract = deploy(Contract::with_call().host("caller", &[crate::program::at(0)]).give(0, 20).build());
        let execution = Polkavm::bare_call(eth, contract, 0, no_limits(), vec![], crate::ExecConfig::extrinsic());
        assert_eq!(execution.result.unwrap().data, [7; 20]);
    });
}

#[test]
fn an_account_that_cannot_pay_is_not_mapped() {
    run(|| {
        let poor = sp_runtime::AccountId32::new([8; 32]);
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), poor.clone(), ED));
        assert!(unchanged(|| dispatch(poor, Call::map_account {})).is_err());
    });
}

#[test]
fn an_unmapped_account_can_upload_but_neither_call_nor_instantiate() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let contract = deploy(code.clone());
        let code_hash = crate::code::code_hash(&code);
        let call = Call::call { dest: contract, value: 1, gas_limit: GAS, storage_deposit_limit: START, data: vec![] };
        let error = unchanged(|| dispatch(CHARLIE, call).unwrap_err());
        assert_eq!(error.error, Error::<Test>::AccountUnmapped.into());
        let instantiate = Call::instantiate {
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code_hash,
            data: vec![],
            salt: None,
        };
        let error = unchanged(|| dispatch(CHARLIE, instantiate).unwrap_err());
        assert_eq!(error.error, Error::<Test>::AccountUnmapped.into());
        let other = Contract::with_call().trap().build();
        assert_ok!(dispatch(CHARLIE, Call::upload_code { code: other, storage_deposit_limit: START }));
    });
}

/// Has a contract with balance send some of it to an address.
fn pay(to: H160, units: Balance) {
    let contract = deploy(super::puppet::puppet());
    call_with_value(contract, units, &[]).result.unwrap();
    let value = super::puppet::Call { value: units * Balance::from(RATIO), ..Default::default() };
    let mut script = super::puppet::Script::new();
    assert_eq!(super::nested::last(contract, script.call(to, &value, &super::puppet::Script::new())), 0);
}

#[test]
fn what_was_paid_to_an_address_before_it_was_mapped_is_had_as_its_fallback_account() {
    run(|| {
        let address = Polkavm::view_address(&CHARLIE);
        pay(address, 500);
        let stranded = ethereum_account(address);
        assert_eq!(Balances::free_balance(&stranded), ED + 500);
        // Mapping alone doesn't return it.
        assert_ok!(dispatch(CHARLIE, Call::map_account {}));
        let before = Balances::free_balance(&CHARLIE);
        let fetch = || {
            let call = pallet_balances::Call::transfer_all { dest: CHARLIE, keep_alive: false };
            Call::dispatch_as_fallback_account { call: Box::new(RuntimeCall::Balances(call)) }
        };
        // Nobody else gets it.
        assert_ok!(dispatch(BOB, fetch()));
        assert_eq!(Balances::free_balance(&CHARLIE), before);
        assert_ok!(dispatch(CHARLIE, fetch()));
        assert_eq!(Balances::free_balance(&CHARLIE), before + ED + 500);
        assert_eq!(Balances::free_balance(&stranded), 0);
    });
}

#[test]
fn a_fallback_account_is_charged_what_its_call_takes_and_its_failure_is_told() {
    run(|| {
        use frame_support::dispatch::GetDispatchInfo;
        let call = |inner: RuntimeCall| Call::<Test>::dispatch_as_fallback_account { call: Box::new(inner) };
        let limit = frame_support::weights::Weight::from_parts(1_234_567, 89);
        let inner = RuntimeCall::Polkavm(Call::call {
            dest: H160([7; 20]),
            value: 0,
            gas_limit: limit,
            storage_deposit_limit: 0,
            data: vec![],
        });
        let inner_weight = inner.get_dispatch_info().call_weight;
        assert!(inner_weight.all_gte(limit));
        assert!(call(inner.clone()).get_dispatch_info().call_weight.all_gte(inner_weight));
        let transfer = RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive { dest: BOB, value: 5 });
        assert!(unchanged(|| dispatch(CHARLIE, call(transfer))).is_err(), "there is nothing to transfer");
        // A fallback account is that of an address, so it needs no mapping.
        assert_ok!(dispatch(CHARLIE, call(inner)));
    });
}

#[test]
fn a_runtime_may_have_accounts_mapped_by_themselves() {
    run(|| {
        AutoMap::set(&true);
        // An account that existed before is mapped when it first acts, without a deposit.
        let contract = deploy(Contract::with_call().ret().build());
        let extrinsic =
            || Call::call { dest: contract, value: 0, gas_limit: GAS, storage_deposit_limit: START, data: vec![] };
        assert_ok!(dispatch(CHARLIE, extrinsic()));
        let address = Polkavm::view_address(&CHARLIE);
        assert_eq!(Polkavm::view_account_id(&address), CHARLIE);
        assert_eq!(Balances::free_balance(&CHARLIE), START);
        assert_noop!(dispatch(CHARLIE, Call::unmap_account {}), Error::<Test>::AutoMapped);
        // A new account is mapped immediately: whatever a contract sends to its address reaches it.
        let new = sp_runtime::AccountId32::new([8; 32]);
        assert_ok!(Balances::transfer_allow_death(RuntimeOrigin::signed(ALICE), new.clone(), ED));
        pay(Polkavm::view_address(&new), 300);
        assert_eq!(Balances::free_balance(&new), ED + 300);
        // A reaped account leaves no mapping.
        assert_ok!(Balances::transfer_all(RuntimeOrigin::signed(new.clone()), ALICE, false));
        assert_ne!(Polkavm::view_account_id(&Polkavm::view_address(&new)), new);
        AutoMap::set(&false);
    });
}

#[test]
fn a_failed_call_maps_nobody() {
    run(|| {
        AutoMap::set(&true);
        let traps = deploy(Contract::with_call().trap().build());
        let call = Call::call { dest: traps, value: 0, gas_limit: GAS, storage_deposit_limit: START, data: vec![] };
        assert!(unchanged(|| dispatch(CHARLIE, call)).is_err());
        AutoMap::set(&false);
    });
}

#[test]
fn an_account_that_has_nothing_but_an_asset_can_be_paid_any_amount() {
    run(|| {
        let holder = ethereum_account(H160([0x33; 20]));
        // As an assets pallet does for an asset that is sufficient for an account's existence.
        System::inc_sufficients(&holder);
        pay(H160([0x33; 20]), 3);
        assert_eq!(Balances::free_balance(&holder), ED + 3);
    });
}

#[test]
fn an_origin_at_whose_address_a_contract_is_may_not_act_but_be_asked_about() {
    run(|| {
        let contract = deploy(super::puppet::puppet());
        let account = ethereum_account(contract);
        assert_ok!(Balances::transfer_allow_death(RuntimeOrigin::signed(ALICE), account.clone(), START / 10));
        let call = Call::call { dest: contract, value: 1, gas_limit: GAS, storage_deposit_limit: START, data: vec![] };
        let refused = |call: Call<Test>| unchanged(|| dispatch(account.clone(), call).unwrap_err()).error;
        assert_eq!(refused(call), Error::<Test>::OriginIsContract.into());
        assert_eq!(refused(Call::map_account {}), Error::<Test>::OriginIsContract.into());
        let remark = RuntimeCall::System(frame_system::Call::remark { remark: vec![] });
        let as_fallback = Call::dispatch_as_fallback_account { call: Box::new(remark) };
        assert_eq!(refused(as_fallback), Error::<Test>::OriginIsContract.into());
        let dry = with_rollback(|| Polkavm::dry_run_call(account.clone(), contract, 1, None, None, vec![]));
        assert!(dry.result.is_ok());
    });
}

#[test]
fn no_contract_is_made_at_an_address_that_somebody_has_a_key_of() {
    run(|| {
        let code_hash = upload(super::puppet::puppet());
        let salt = [5; 32];
        let address = crate::address::create2(&Polkavm::view_address(&ALICE), &super::puppet::puppet(), &[], &salt);
        // As if the address were that of a key of Bob's.
        crate::OriginalAccount::<Test>::insert(address, BOB);
        let make = Call::instantiate {
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code_hash,
            data: vec![],
            salt: Some(salt),
        };
        let error = dispatch(ALICE, make).unwrap_err().error;
        assert_eq!(error, Error::<Test>::DuplicateContract.into());
        crate::OriginalAccount::<Test>::remove(address);
    });
}

#[test]
fn a_runtime_says_who_may_upload_code_and_who_may_make_contracts() {
    run(|| {
        for account in [DAVE, EVE] {
            assert_ok!(Balances::transfer_allow_death(RuntimeOrigin::signed(ALICE), account.clone(), START / 10));
            assert_ok!(dispatch(account, Call::map_account {}));
        }
        let code = super::puppet::puppet();
        let code_hash = upload(code.clone());
        let limits = |salt| (GAS, START / 20, vec![], Some([salt; 32]));
        let upload = Call::upload_code { code: Contract::with_call().ret().build(), storage_deposit_limit: START / 20 };
        let with_code = |salt| {
            let (gas_limit, storage_deposit_limit, data, salt) = limits(salt);
            let code = code.clone();
            Call::instantiate_with_code { value: 0, gas_limit, storage_deposit_limit, code, data, salt }
        };
        let existing = |salt| {
            let (gas_limit, storage_deposit_limit, data, salt) = limits(salt);
            Call::instantiate { value: 0, gas_limit, storage_deposit_limit, code_hash, data, salt }
        };
        let bad_origin = sp_runtime::DispatchError::BadOrigin;
        for (who, calls) in
            [(DAVE, vec![upload.clone(), with_code(1)]), (EVE, vec![upload.clone(), with_code(2), existing(3)])]
        {
            for call in calls {
                assert_eq!(unchanged(|| dispatch(who.clone(), call).unwrap_err()).error, bad_origin);
            }
        }
        assert_ok!(dispatch(DAVE, existing(4)));
        assert_ok!(dispatch(ALICE, with_code(5)));
        // Anyone may call, and contracts may create contracts whoever calls them.
        let contract = deploy(super::puppet::puppet());
        let mut script = super::puppet::Script::new();
        let (call, scratch) = (super::puppet::Call::default(), super::puppet::SCRATCH);
        script.instantiate(code_hash, &call, &[], Some([6; 32]), scratch).expect(0);
        let call = Call::call {
            dest: contract,
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START / 20,
            data: script.encode(),
        };
        assert_ok!(dispatch(EVE, call));
    });
}
