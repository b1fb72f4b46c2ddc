//! Tests of calls and instantiations that succeed: value, accounts, events, weight.

use crate::program::{Contract, at};
use crate::{Call, CodeInfoOf, ContractInfoOf, Error, Event, WeightInfo, mock::*};
use frame_support::{assert_ok, weights::Weight};
use sp_core::H160;

fn extrinsic(dest: H160, value: Balance, data: &[u8]) -> Call<Test> {
    Call::call { dest, value, gas_limit: GAS, storage_deposit_limit: START, data: data.to_vec() }
}

#[test]
fn a_call_transfers_its_value_before_the_contract_runs() {
    run(|| {
        let contract = deploy(Contract::with_call().host("balance", &[at(0)]).give(0, 32).build());
        let before = Balances::free_balance(&ALICE);
        let output = call_with_value(contract, 77, &[]).result.unwrap();
        assert_eq!(output.data, sp_core::U256::from(77 * RATIO).to_little_endian());
        assert_eq!(Balances::free_balance(&ALICE), before - 77);
        assert_eq!(Balances::free_balance(Polkavm::view_account_id(&contract)), ED + 77);
    });
}

#[test]
fn a_call_and_an_instantiation_tell_who_did_what() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let contract = deploy(code.clone());
        assert_ok!(dispatch(BOB, extrinsic(contract, 0, &[])));
        let alice = Polkavm::view_address(&ALICE);
        let bob = Polkavm::view_address(&BOB);
        let code_hash = crate::code::code_hash(&code);
        let told = events();
        assert!(told.contains(&Event::Instantiated { deployer: alice, contract, code_hash }));
        assert_eq!(told.last(), Some(&Event::Called { caller: bob, contract }));
    });
}

#[test]
fn a_constructor_gets_data_and_value_and_its_contract_counts_as_a_user_of_the_code() {
    run(|| {
        let code = Contract::new()
            .host("call_data_copy", &[at(0), 4, 0])
            .host("value_transferred", &[at(4)])
            .host("set_storage", &[0, at(100), 1, at(0), 8])
            .give(0, 8)
            .call()
            .ret()
            .build();
        let made = instantiate(code, 40, b"init").result.unwrap();
        let expected = [b"init".as_slice(), &(40 * RATIO).to_le_bytes()].concat();
        assert_eq!(made.output.data, expected);
        let key = crate::contract::Key::variable(vec![0]).unwrap();
        assert_eq!(Polkavm::contract_storage(made.address, &key), Some(Some(expected)));
        assert_eq!(CodeInfoOf::<Test>::get(made.code_hash).unwrap().use_count, 1);
        let account = Polkavm::view_account_id(&made.address);
        assert_eq!(System::account_nonce(&account), 1);
        assert_eq!(System::consumers(&account), 2, "its hold and its being a contract");
    });
}

#[test]
fn instantiate_with_code_uploads_and_instantiates_in_one() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let code_hash = crate::code::code_hash(&code);
        let call = Call::instantiate_with_code {
            value: 5,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code,
            data: vec![],
            salt: Some([0; 32]),
        };
        assert_ok!(dispatch(ALICE, call));
        assert_eq!(ContractInfoOf::<Test>::iter().count(), 1);
        assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, 1);
    });
}

#[test]
fn the_same_salt_makes_a_duplicate_and_another_one_does_not() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let code_hash = upload(code);
        let instantiate = |salt: u8| Call::instantiate {
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code_hash,
            data: vec![],
            salt: Some([salt; 32]),
        };
        assert_ok!(dispatch(ALICE, instantiate(1)));
        let error = unchanged(|| dispatch(ALICE, instantiate(1)).unwrap_err());
        assert_eq!(error.error, Error::<Test>::DuplicateContract.into());
        assert_ok!(dispatch(ALICE, instantiate(2)));
        assert_ok!(dispatch(BOB, instantiate(1)));
        assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, 3);
    });
}

#[test]
fn a_call_to_no_contract_is_a_transfer_that_makes_the_account_at_the_origins_cost() {
    run(|| {
        let dest = H160([0x42; 20]);
        let before = Balances::free_balance(&ALICE);
        assert_ok!(dispatch(ALICE, extrinsic(dest, 30, b"ignored")));
        assert_eq!(Balances::free_balance(ethereum_account(dest)), 30 + ED);
        assert_eq!(Balances::free_balance(&ALICE), before - 30 - ED);
        // From then on it is there.
        let execution = call_with_value(dest, 12, &[]);
        assert_eq!(execution.storage_deposit.amount(), 0);
        assert!(execution.result.unwrap().data.is_empty());
        assert_eq!(Balances::free_balance(ethereum_account(dest)), 42 + ED);
        // To a mapped address, it goes to the account behind it.
        let bob = Balances::free_balance(&BOB);
        assert!(call_with_value(Polkavm::view_address(&BOB), 9, &[]).result.is_ok());
        assert_eq!(Balances::free_balance(&BOB), bob + 9);
    });
}

#[test]
fn a_call_without_value_to_no_contract_does_nothing() {
    run(|| {
        assert!(unchanged(|| call(H160([0x42; 20]), &[]).result).is_ok());
    });
}

#[test]
fn unused_weight_is_given_back() {
    run(|| {
        let contract = deploy(Contract::with_call().ret().build());
        let post_info = dispatch(ALICE, extrinsic(contract, 0, &[])).unwrap();
        let actual = post_info.actual_weight.unwrap();
        let base = <Test as crate::Config>::WeightInfo::call(0);
        let load = load_cost(&Polkavm::code(Polkavm::contract_info(contract).unwrap().code_hash).unwrap());
        // One instruction was run: the return.
        assert_eq!(actual, base + load + Weight::from_parts(10_000, 0));
    });
}

#[test]
fn an_account_that_was_funded_before_becomes_the_contracts() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let address = crate::address::create2(&Polkavm::view_address(&ALICE), &code, &[], &[3; 32]);
        assert!(call_with_value(address, 1000, &[]).result.is_ok());
        let execution = Polkavm::bare_instantiate(
            ALICE,
            0,
            no_limits(),
            crate::types::Code::Upload(code),
            vec![],
            Some([3; 32]),
            crate::ExecConfig::extrinsic(),
        );
        assert_eq!(execution.result.unwrap().address, address);
        assert_eq!(Balances::free_balance(ethereum_account(address)), 1000 + ED);
    });
}
