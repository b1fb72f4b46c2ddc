//! Tests of the runtime API's functions: they return the extrinsic's effect, limits and cost.

use super::{
    nested::{default, two, two_with},
    puppet::{Call as Nested, Script},
};
use crate::program::{Contract, at};
use crate::{
    Call, Error, ExecConfig, Limits,
    mock::*,
    runtime_api::{CodeV1, ContractEventV1, DepositV1, StorageAccessErrorV1},
};
use frame_support::{assert_ok, weights::Weight};
use sp_core::{H160, H256};

fn busy() -> Vec<u8> {
    Contract::with_call()
        .data(0, &[1; 64])
        .host("get_storage_or_zero", &[0, at(0), at(100)])
        .host("set_storage", &[0, at(0), 32, at(0), 64])
        .host("hash_keccak_256", &[at(0), 64, at(0)])
        .host("deposit_event", &[at(0), 1, at(0), 3])
        .give(0, 2)
        .build()
}

#[test]
fn a_dry_run_of_a_call_gives_the_gas_that_suffices_and_not_a_unit_more() {
    run(|| {
        let contract = deploy(busy());
        let dry = with_rollback(|| Polkavm::dry_run_call(ALICE, contract, 0, None, None, vec![]));
        assert!(dry.result.is_ok());
        assert!(dry.gas_required.all_gte(dry.gas_consumed));
        let wet = |gas: Weight| Call::call {
            dest: contract,
            value: 0,
            gas_limit: gas,
            storage_deposit_limit: match &dry.storage_deposit {
                DepositV1::Charge(amount) => *amount,
                DepositV1::Refund(_) => 0,
            },
            data: vec![],
        };
        let required = dry.gas_required;
        for less in [required - Weight::from_parts(1, 0), required - Weight::from_parts(0, 1)] {
            let error = unchanged(|| dispatch(ALICE, wet(less)).unwrap_err());
            assert_eq!(error.error, Error::<Test>::OutOfGas.into());
        }
        assert_ok!(dispatch(ALICE, wet(required)));
    });
}

#[test]
fn a_dry_run_of_a_call_shows_output_and_events() {
    run(|| {
        let contract = deploy(busy());
        let dry = Polkavm::dry_run_call(ALICE, contract, 0, None, None, vec![]);
        let output = dry.result.unwrap();
        let hash = sp_io::hashing::keccak_256(&[1; 64]);
        assert_eq!((output.flags, output.data.as_slice()), (0, &hash[..2]));
        assert_eq!(dry.events, [ContractEventV1 { contract, topics: vec![H256(hash)], data: hash[..3].to_vec() }]);
    });
}

#[test]
fn a_dry_run_shows_the_data_of_a_revert_and_no_events_of_it() {
    run(|| {
        let code = Contract::with_call().data(0, b"why").host("deposit_event", &[0, 0, at(0), 3]).give_with(1, 0, 3);
        let contract = deploy(code.build());
        let dry = Polkavm::dry_run_call(ALICE, contract, 0, None, None, vec![]);
        let output = dry.result.unwrap();
        assert_eq!((output.flags, output.data.as_slice()), (1, b"why".as_slice()));
        assert_eq!(dry.events, []);
        assert_eq!(dry.storage_deposit, DepositV1::Charge(0));
    });
}

#[test]
fn a_dry_run_of_an_instantiation_gives_address_deposit_and_gas_of_the_extrinsic() {
    run(|| {
        // Nonce 4, as before a transaction: the dry run increments it as the transaction would.
        frame_system::Account::<Test>::mutate(&ALICE, |account| account.nonce = 4);
        let code = Contract::new().data(0, b"made").host("set_storage", &[0, at(0), 1, at(0), 4]).give(0, 4);
        let code = code.call().ret().build();
        let dry = with_rollback(|| {
            Polkavm::dry_run_instantiate(ALICE, 50, None, None, CodeV1::Upload(code.clone()), vec![9], None)
        });
        let made = dry.result.unwrap();
        assert_eq!(made.output.data, b"made");
        assert_eq!(made.code_hash, crate::code::code_hash(&code));
        assert_eq!(made.address, crate::address::create1(&Polkavm::view_address(&ALICE), 4));
        let DepositV1::Charge(deposit) = dry.storage_deposit else { panic!("it takes storage") };

        frame_system::Account::<Test>::mutate(&ALICE, |account| account.nonce = 5);
        let before = Balances::free_balance(&ALICE);
        assert_ok!(dispatch(
            ALICE,
            Call::instantiate_with_code {
                value: 50,
                gas_limit: dry.gas_required,
                storage_deposit_limit: deposit,
                code,
                data: vec![9],
                salt: None,
            }
        ));
        assert!(Polkavm::contract_info(made.address).is_some());
        assert_eq!(Balances::free_balance(&ALICE), before - 50 - deposit);
    });
}

#[test]
fn the_effect_of_a_call_tells_apart_what_differs_in_storage_alone() {
    run(|| {
        let stores_gas = Contract::with_call().host("ref_time_left", &[]).keep(0);
        let stores_gas = deploy(stores_gas.host("set_storage", &[0, at(32), 32, at(0), 8]).ret().build());
        let busy = deploy(busy());
        let effect = |contract: H160, gas: Weight| {
            with_rollback(|| Polkavm::effect_of_call(ALICE, contract, 0, Some(gas), None, vec![]))
        };
        let (much, less) = (effect(stores_gas, GAS), effect(stores_gas, GAS / 2));
        assert!(much.execution.result.is_ok());
        assert_eq!(much.execution, less.execution);
        assert_ne!(much.state, less.state);
        assert_eq!(much, effect(stores_gas, GAS));
        assert_eq!(effect(busy, GAS), effect(busy, GAS / 2));

        let code = CodeV1::Upload(Contract::new().ret().call().ret().build());
        let made = |data: Vec<u8>| {
            with_rollback(|| Polkavm::effect_of_instantiate(ALICE, 0, None, None, code.clone(), data, None))
        };
        assert!(made(vec![1]).execution.result.is_ok());
        assert_eq!(made(vec![1]), made(vec![1]));
    });
}

#[test]
fn a_dry_run_of_an_upload_gives_hash_and_deposit_or_the_particulars_of_a_refusal() {
    run(|| {
        let code = busy();
        let dry = with_rollback(|| Polkavm::dry_run_upload_code(ALICE, code.clone(), None)).unwrap();
        assert_eq!(dry.code_hash, crate::code::code_hash(&code));
        assert_eq!(dry.deposit, crate::code::code_deposit::<Test>(code.len() as u32));
        let unknown = Contract::with_call().import(b"what").ret().build();
        let failure = Polkavm::dry_run_upload_code(ALICE, unknown, None).unwrap_err();
        assert_eq!(failure.error, Error::<Test>::UnknownImport.into());
        assert!(failure.detail.contains("`what`"), "{}", failure.detail);
    });
}

#[test]
fn a_dry_run_fails_as_its_extrinsic_would() {
    run(|| {
        let contract = deploy(busy());
        let tiny = Some(Weight::from_parts(1, 1));
        let dry = Polkavm::dry_run_call(ALICE, contract, 0, tiny, None, vec![]);
        assert_eq!(dry.result.unwrap_err().error, Error::<Test>::OutOfGas.into());
        let dry = Polkavm::dry_run_call(ALICE, contract, 0, None, Some(1), vec![]);
        assert_eq!(dry.result.unwrap_err().error, Error::<Test>::StorageDepositLimitExhausted.into());
    });
}

#[test]
fn a_dry_run_takes_an_origin_that_is_not_mapped_as_if_it_were() {
    run(|| {
        let (a, _) = two_with(10);
        let mut script = Script::new();
        let back = Nested { value: 2 * u128::from(RATIO), ..default() };
        script.call(Polkavm::view_address(&CHARLIE), &back, &Script::new()).expect(0).store(1, 1);
        let nobody = sp_runtime::AccountId32::new([0x99; 32]);
        for (origin, value) in [(CHARLIE, 3), (nobody, 0)] {
            let data = if value == 0 { vec![] } else { script.encode() };
            let dry = with_rollback(|| Polkavm::dry_run_call(origin, a, value, None, None, data));
            assert!(dry.result.is_ok(), "{:?}", dry.result);
        }
        let dry = with_rollback(|| Polkavm::dry_run_call(CHARLIE, a, 3, None, None, script.encode()));
        // And it tells what is needed once it is mapped.
        assert_ok!(dispatch(CHARLIE, Call::map_account {}));
        let before = Balances::free_balance(&CHARLIE);
        let DepositV1::Charge(deposit) = dry.storage_deposit else { panic!("it takes storage") };
        let (gas_limit, storage_deposit_limit) = (dry.gas_required, dry.storage_deposit_required);
        assert_ok!(dispatch(
            CHARLIE,
            Call::call { dest: a, value: 3, gas_limit, storage_deposit_limit, data: script.encode() }
        ));
        assert_eq!(Balances::free_balance(&CHARLIE), before - 3 + 2 - deposit);
    });
}

/// A client chooses the gas limit, but must not thereby choose how much the node computes.
#[test]
fn no_dry_run_gets_more_gas_than_an_extrinsic_can_have() {
    run(|| {
        let most = Polkavm::max_gas_limit();
        let endless = Contract::new().spin().call().spin().build();
        let hash = upload(endless.clone());
        // A deployment that ends, of a contract that never ends.
        let contract = deploy(Contract::with_call().spin().build());
        for limit in [None, Some(Weight::MAX), Some(most.saturating_add(Weight::from_parts(1, 1)))] {
            let call = with_rollback(|| Polkavm::dry_run_call(ALICE, contract, 0, limit, None, vec![]));
            let traced = with_rollback(|| Polkavm::trace_call(ALICE, contract, 0, limit, None, vec![]));
            let codes = [CodeV1::Upload(endless.clone()), CodeV1::Existing(hash)];
            let made = codes
                .clone()
                .map(|code| with_rollback(|| Polkavm::dry_run_instantiate(ALICE, 0, limit, None, code, vec![], None)));
            let made_and_traced = codes.map(|code| {
                with_rollback(|| Polkavm::trace_instantiate(ALICE, 0, limit, None, code, vec![], None).execution)
            });
            for dry in [call, traced.execution] {
                assert_eq!(dry.result.unwrap_err().error, Error::<Test>::OutOfGas.into());
                assert!(dry.gas_consumed.all_lte(most) && dry.gas_required.all_lte(most), "{:?}", dry.gas_consumed);
            }
            for dry in made.into_iter().chain(made_and_traced) {
                assert_eq!(dry.result.unwrap_err().error, Error::<Test>::OutOfGas.into());
                assert!(dry.gas_consumed.all_lte(most) && dry.gas_required.all_lte(most), "{:?}", dry.gas_consumed);
            }
        }
        // A limit below that is kept.
        let less = Weight::from_parts(most.ref_time() / 2, most.proof_size() / 2);
        let dry = with_rollback(|| Polkavm::dry_run_call(ALICE, contract, 0, Some(less), None, vec![]));
        assert!(dry.gas_consumed.all_lte(less));
    });
}

#[test]
fn views_show_contracts_code_and_accounts() {
    run(|| {
        let code = busy();
        let contract = deploy(code.clone());
        call(contract, &[]).result.unwrap();
        let info = Polkavm::view_contract_info(contract).unwrap();
        assert_eq!(info.account, ethereum_account(contract));
        assert_eq!((info.storage_items, info.storage_bytes), (1, 48 + 64));
        assert_eq!(Polkavm::code(info.code_hash), Some(code));
        assert_eq!(Polkavm::view_storage_var_key(contract, vec![1; 32]), Ok(Some(vec![1; 64])));
        assert_eq!(Polkavm::view_storage_var_key(contract, vec![1; 31]), Ok(None));
        assert_eq!(Polkavm::view_storage(contract, [1; 32]), Ok(None));
        assert_eq!(Polkavm::view_storage_var_key(contract, vec![1; 129]), Err(StorageAccessErrorV1::KeyTooLarge));
        let nobody = H160([9; 20]);
        assert_eq!(Polkavm::view_storage(nobody, [1; 32]), Err(StorageAccessErrorV1::ContractNotFound));
        assert_eq!(Polkavm::view_contract_info(nobody), None);
        assert_eq!(Polkavm::view_account_id(&Polkavm::view_address(&ALICE)), ALICE);
    });
}

#[test]
fn two_contracts_in_one_transaction_have_different_addresses() {
    run(|| {
        let code_hash = upload(busy());
        let make = || {
            let limits = Limits { gas: GAS, deposit: None };
            let code = crate::types::Code::Existing(code_hash);
            Polkavm::bare_instantiate(ALICE, 0, limits, code, vec![], None, ExecConfig::extrinsic()).result
        };
        frame_system::Account::<Test>::mutate(&ALICE, |account| account.nonce = 1);
        assert_ne!(make().unwrap().address, make().unwrap().address);
    });
}

#[test]
fn a_dry_run_tells_the_most_that_is_charged_at_once_beside_the_net() {
    run(|| {
        let (a, b) = two();
        // One callee adds two slots, a later one removes them, and the last one adds another.
        let inner = |keys: [u8; 2], value: u8| {
            let mut script = Script::new();
            script.store(keys[0], value).store(keys[1], value);
            script
        };
        let mut script = Script::new();
        for (keys, value) in [([1, 2], 1), ([1, 2], 0), ([3, 3], 1)] {
            script.call(b, &default(), &inner(keys, value)).expect(0);
        }
        let slot = (32 + 32) * PER_BYTE + PER_CHILD_ITEM;
        let dry = with_rollback(|| Polkavm::dry_run_call(ALICE, a, 0, None, None, script.encode()));
        assert_eq!(dry.storage_deposit, DepositV1::Charge(slot));
        assert_eq!(dry.storage_deposit_required, 2 * slot);
        let wet = |storage_deposit_limit| {
            let (gas_limit, data) = (dry.gas_required, script.encode());
            dispatch(ALICE, Call::call { dest: a, value: 0, gas_limit, storage_deposit_limit, data })
        };
        assert!(unchanged(|| wet(dry.storage_deposit_required - 1)).is_err());
        assert_ok!(wet(dry.storage_deposit_required));
    });
}
