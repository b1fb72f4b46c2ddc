//! Tests of contracts that instantiate and terminate contracts, and change their programs.

use super::{
    nested::{default, failure, held, last, output, stored, two},
    puppet::{Call, NO_OUTPUT, SCRATCH, Script, pack, puppet},
};
use crate::{
    CodeInfoOf, ContractInfoOf, DeletionQueueBounds, Error, Event, ExecConfig,
    address::{create1, create2},
    contract::Key,
    mock::*,
    precompiles::address,
    types::Deposit,
};
use frame_support::{
    traits::{Hooks, fungible::Inspect},
    weights::Weight,
};
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{H160, H256};
use sp_io::hashing::keccak_256;
use sp_runtime::AccountId32;

const ALLOW_REENTRY: u32 = 8;
const READ_ONLY: u32 = 16;
const TAIL_CALL: u32 = 4;

#[test]
fn a_contract_makes_contracts_at_addresses_that_can_be_computed() {
    run(|| {
        let a = deploy(puppet());
        let code = puppet();
        let code_hash = crate::code::code_hash(&code);
        let mut constructor = Script::new();
        constructor.store(5, 5);
        let input = constructor.encode();
        let salt = [3; 32];
        let mut script = Script::new();
        script.instantiate(code_hash, &default(), &input, None, SCRATCH).expect(0);
        script.instantiate(code_hash, &default(), &input, None, SCRATCH + 20).expect(0);
        script.instantiate(code_hash, &default(), &input, Some(salt), SCRATCH + 40).expect(0);
        script.instantiate(code_hash, &default(), &input, Some(salt), SCRATCH + 60);
        script.expect(ReturnErrorCode::DuplicateContractAddress as u64);
        script.give(0, SCRATCH, 60);
        let before = CodeInfoOf::<Test>::get(code_hash).unwrap().use_count;
        let execution = call(a, &script.encode());
        let data = execution.result.unwrap().data;
        let made: Vec<_> = data.chunks_exact(20).map(H160::from_slice).collect();
        assert_eq!(made, [create1(&a, 1), create1(&a, 2), create2(&a, &code, &input, &salt)]);
        for address in &made {
            assert_eq!(stored(*address, 5), Some(vec![5; 32]));
            assert!(events().contains(&Event::Instantiated { deployer: a, contract: *address, code_hash }));
        }
        assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, before + 3);
        // It starts at one, and the attempt at an occupied address has used one up, too (EIP-684).
        assert_eq!(System::account_nonce(ethereum_account(a)), 5);
        let all: Balance = made.iter().map(|address| held(*address) + ED).sum();
        assert_eq!(execution.storage_deposit, Deposit::Charge(all));
    });
}

#[test]
fn a_constructor_that_reverts_or_fails_makes_nothing() {
    run(|| {
        let a = deploy(puppet());
        let code_hash = crate::code::code_hash(&puppet());
        let make = |constructor: &Script, call: &Call| {
            let mut script = Script::new();
            script.instantiate(code_hash, call, &constructor.encode(), None, SCRATCH);
            with_rollback(|| last(a, &mut script))
        };
        assert_eq!(make(Script::new().store(1, 1).revert(b"x"), &default()), ReturnErrorCode::CalleeReverted as u64);
        assert_eq!(make(Script::new().trap(), &default()), ReturnErrorCode::CalleeTrapped as u64);
        let poor = Call { value: RATIO.into(), ..default() };
        assert_eq!(make(&Script::new(), &poor), ReturnErrorCode::TransferFailed as u64);
        let little = Call { deposit: Some(ED), ..default() };
        assert_eq!(make(&Script::new(), &little), ReturnErrorCode::OutOfResources as u64);
        assert_eq!(make(&Script::new(), &default()), 0);
        // A missing program is an error of the caller.
        let mut script = Script::new();
        script.instantiate(H256::zero(), &default(), &[], None, SCRATCH);
        assert_eq!(failure(a, &script).error, Error::<Test>::CodeNotFound.into());
        // So is an input without a hash.
        let mut script = Script::new();
        script.host("instantiate", &[0, 0, 0, pack(31, SCRATCH), 0, 0]);
        assert_eq!(failure(a, &script).error, Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn a_contract_is_none_before_its_constructor_is_done() {
    run(|| {
        let (a, b) = two();
        let code_hash = crate::code::code_hash(&puppet());
        let address = create1(&a, 1);
        // The constructor makes `b` call the contract that is being instantiated, and read its code.
        let mut inner = Script::new();
        let target = inner.bytes(address.as_bytes());
        inner.call(address, &default(), Script::new().trap()).expect(0);
        inner.host("code_size", &[target]).expect(0);
        inner.host("code_hash", &[target, SCRATCH]).give(0, SCRATCH, 32);
        let mut constructor = Script::new();
        constructor.call(b, &Call { flags: ALLOW_REENTRY | TAIL_CALL, ..default() }, &inner);
        let mut script = Script::new();
        let room = script.bytes(&32u32.to_le_bytes());
        script.instantiate(code_hash, &default(), &constructor.encode(), None, SCRATCH).expect(0);
        script.host("return_data_copy", &[SCRATCH, room, 0]).give(0, SCRATCH, 32);
        assert_eq!(output(a, &script).data, keccak_256(&[]));
        assert!(ContractInfoOf::<Test>::contains_key(address));
    });
}

#[test]
fn a_contract_made_and_ended_in_one_transaction_leaves_nothing() {
    run(|| {
        let a = deploy(puppet());
        let code_hash = crate::code::code_hash(&puppet());
        let uses = CodeInfoOf::<Test>::get(code_hash).unwrap().use_count;
        let before = Balances::free_balance(&ALICE);
        let heir = Polkavm::view_address(&BOB);
        let address = create1(&a, 1);
        let mut end = Script::new();
        let to = end.bytes(heir.as_bytes());
        end.store(1, 1).host("terminate", &[to]).trap();
        let bob = Balances::free_balance(&BOB);
        let mut script = Script::new();
        let value = Call { value: 25 * u128::from(RATIO), ..default() };
        script.instantiate(code_hash, &value, &[], None, SCRATCH).expect(0);
        script.call(address, &default(), &end).expect(0);
        // It exists until the transaction ends, and balance that it gets until then also goes to the beneficiary.
        script.call(address, &value, Script::new().host("address", &[SCRATCH]).give(0, SCRATCH, 20)).expect(0);
        let execution = call_with_value(a, 50, &script.encode());
        execution.result.unwrap();
        assert_eq!(execution.storage_deposit, Deposit::Charge(0));
        assert_eq!(Balances::free_balance(&BOB), bob + 50);
        assert_eq!(Balances::free_balance(&ALICE), before - 50);
        assert!(!ContractInfoOf::<Test>::contains_key(address));
        assert!(!System::account_exists(&ethereum_account(address)));
        assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, uses);
        assert!(events().contains(&Event::Terminated { contract: address, beneficiary: heir }));
    });
}

#[test]
fn a_contract_of_an_earlier_transaction_only_sends_its_balance_away() {
    run(|| {
        let a = deploy(puppet());
        call_with_value(a, 70, &[]).result.unwrap();
        let heir = Polkavm::view_address(&BOB);
        let bob = Balances::free_balance(&BOB);
        let mut script = Script::new();
        let to = script.bytes(heir.as_bytes());
        script.store(1, 1).host("terminate", &[to]).trap();
        call(a, &script.encode()).result.unwrap();
        assert_eq!(Balances::free_balance(&BOB), bob + 70);
        assert!(ContractInfoOf::<Test>::contains_key(a));
        assert_eq!(stored(a, 1), Some(vec![1; 32]), "what it did stays");
    });
}

/// Calls the system builtin.
fn system(script: &mut Script, signature: &str, words: &[[u8; 32]]) {
    let mut input = crate::precompiles::abi::selector(signature).to_vec();
    words.iter().for_each(|word| input.extend(word));
    script.call_into(crate::precompiles::address(0x900), &default(), &input, NO_OUTPUT);
}

fn address_word(address: H160) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address.as_bytes());
    word
}

#[test]
fn the_system_builtin_ends_a_contract_for_good_and_its_trie_goes_when_there_is_time() {
    run(|| {
        let (a, b) = two();
        let code_hash = ContractInfoOf::<Test>::get(b).unwrap().code_hash;
        call_with_value(a, 70, &[]).result.unwrap();
        let mut fill = Script::new();
        for key in 1..40 {
            fill.store(key, 1);
        }
        call(a, &fill.encode()).result.unwrap();
        let trie_id = ContractInfoOf::<Test>::get(a).unwrap().trie_id;
        let all_held = held(a);
        let bob = Balances::free_balance(&BOB);
        let alice = Balances::free_balance(&ALICE);
        let mut script = Script::new();
        system(&mut script, "terminate(address)", &[address_word(Polkavm::view_address(&BOB))]);
        let execution = call(a, &script.expect(0).encode());
        execution.result.unwrap();
        assert_eq!(execution.storage_deposit, Deposit::Refund(all_held + ED));
        assert_eq!(Balances::free_balance(&ALICE), alice + all_held + ED);
        assert_eq!(Balances::free_balance(&BOB), bob + 70);
        assert!(!ContractInfoOf::<Test>::contains_key(a));
        assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, 1);
        crate::integrity::check_state::<Test>().unwrap();

        let key = Key::Fixed([1; 32]);
        assert!(crate::contract::read(&trie_id, &key).is_some(), "not yet");
        assert_eq!(<Polkavm as Hooks<u64>>::on_idle(BLOCK, Weight::zero()), Weight::zero());
        let mut rounds = 0;
        while DeletionQueueBounds::<Test>::get().first < DeletionQueueBounds::<Test>::get().end {
            let limit = Weight::from_parts(3_000_000_000, 150_000);
            let used = <Polkavm as Hooks<u64>>::on_idle(BLOCK, limit);
            assert!(used.all_lte(limit), "{used:?}");
            rounds += 1;
            assert!(rounds < 100);
        }
        for key in 1..40 {
            assert!(crate::contract::read(&trie_id, &Key::Fixed([key; 32])).is_none());
        }
    });
}

#[test]
fn the_system_builtin_ends_no_contract_where_it_may_not() {
    run(|| {
        let (a, b) = two();
        let code_hash = ContractInfoOf::<Test>::get(b).unwrap().code_hash;
        let mut end = Script::new();
        system(&mut end, "terminate(address)", &[address_word(b)]);
        let trapped = ReturnErrorCode::CalleeTrapped as u64;
        end.expect(trapped);
        // In its constructor, in a delegate call, in a read-only call.
        let mut script = Script::new();
        script.instantiate(code_hash, &default(), &end.encode(), None, SCRATCH).expect(0);
        script.delegate(b, 0, &end.encode()).expect(0);
        script.call(b, &Call { flags: READ_ONLY, ..default() }, &end).expect(0);
        call(a, &script.encode()).result.unwrap();
        assert!(ContractInfoOf::<Test>::contains_key(a) && ContractInfoOf::<Test>::contains_key(b));
    });
}

#[test]
fn an_end_that_is_reverted_is_none() {
    run(|| {
        let (a, b) = two();
        call_with_value(b, 70, &[]).result.unwrap();
        let mut end = Script::new();
        system(&mut end, "terminate(address)", &[address_word(a)]);
        end.expect(0).revert(b"changed my mind");
        let code = unchanged_events(|| last(a, Script::new().call(b, &default(), &end)));
        assert_eq!(code, ReturnErrorCode::CalleeReverted as u64);
        assert_eq!(Balances::free_balance(ethereum_account(b)), ED + 70);
        assert!(ContractInfoOf::<Test>::contains_key(b));
    });
}

fn unchanged_events<R>(f: impl FnOnce() -> R) -> R {
    let count = events().len();
    let result = f();
    // Only the call of the first contract emits an event.
    assert_eq!(events().len(), count + 1);
    result
}

#[test]
fn a_contract_can_be_given_another_program() {
    run(|| {
        let a = deploy(puppet());
        // It stays without contracts.
        let old = upload(puppet());
        let other = crate::program::Contract::with_call().data(0, b"new").give(0, 3).build();
        let new = upload(other);
        let mut script = Script::new();
        system(&mut script, "setCodeHash(bytes32)", &[new.0]);
        script.expect(0).host("address", &[SCRATCH]).give(0, SCRATCH, 20);
        assert_eq!(output(a, &script).data, a.as_bytes(), "the call goes on as it began");
        assert_eq!(call(a, &[]).result.unwrap().data, b"new");
        assert_eq!(CodeInfoOf::<Test>::get(old).unwrap().use_count, 0);
        assert_eq!(CodeInfoOf::<Test>::get(new).unwrap().use_count, 1);
        assert!(events().contains(&Event::ContractCodeUpdated { contract: a, code_hash: new, old_code_hash: old }));
        crate::integrity::check_state::<Test>().unwrap();

        let b = deploy(puppet());
        let mut script = Script::new();
        system(&mut script, "setCodeHash(bytes32)", &[[1; 32]]);
        assert_eq!(last(b, &mut script), ReturnErrorCode::CalleeTrapped as u64, "there is no such program");
    });
}

#[test]
fn another_program_has_no_say_over_a_contracts_life_and_program() {
    run(|| {
        let (a, b) = two();
        let new = upload(crate::program::Contract::with_call().ret().build());
        let trapped = ReturnErrorCode::CalleeTrapped as u64;
        for (signature, word) in [("terminate(address)", address_word(b)), ("setCodeHash(bytes32)", new.0)] {
            // The library calls the builtin.
            let mut library = Script::new();
            system(&mut library, signature, &[word]);
            library.expect(trapped);
            assert_eq!(last(a, Script::new().delegate(b, 0, &library.encode())), 0, "{signature}");
            // The contract delegates to the builtin.
            let input = [crate::precompiles::abi::selector(signature).as_slice(), &word].concat();
            assert_eq!(last(a, Script::new().delegate(address(0x900), 0, &input)), trapped, "{signature}");
        }
        assert_eq!(ContractInfoOf::<Test>::get(a).unwrap().code_hash, crate::code::code_hash(&puppet()));
    });
}

/// Locks balance of an account, as vesting or voting does.
fn lock(account: &AccountId32, amount: Balance) {
    use frame_support::traits::{LockableCurrency, WithdrawReasons};
    <Balances as LockableCurrency<_>>::set_lock(*b"a lock..", account, amount, WithdrawReasons::all());
}

#[test]
fn a_locked_balance_neither_keeps_a_contract_from_ending_nor_leaves_with_it() {
    for (value, locked) in [(1_000, 400), (1_000, 5_000), (0, 1_000_000), (10, 1_000), (1_000, 1_100)] {
        run(|| {
            let (a, b) = two();
            call(b, &Script::new().store(1, 1).encode()).result.unwrap();
            call_with_value(b, value, &[]).result.unwrap();
            let account = ethereum_account(b);
            let (deposit, before) = (held(b), Balances::free_balance(&ALICE));
            lock(&account, locked);
            let mut end = Script::new();
            system(&mut end, "terminate(address)", &[address_word(a)]);
            let ended = call(b, &end.expect(0).encode());
            assert!(ended.result.is_ok(), "{value}, {locked}: {:?}", ended.result);
            assert!(!ContractInfoOf::<Test>::contains_key(b));
            // The deposit always goes to the origin. The locked part of the rest stays.
            let free = ED + value;
            let left = if locked >= free { free } else { locked.max(ED) };
            let sent = free - left;
            assert_eq!(Balances::free_balance(ethereum_account(a)), ED + sent, "{value}, {locked}");
            assert_eq!(<Balances as Inspect<AccountId32>>::total_balance(&account), left, "{value}, {locked}");
            assert_eq!(Balances::free_balance(&ALICE), before + deposit, "{value}, {locked}");
        });
    }
}

#[test]
fn an_origin_that_can_receive_no_refund_frees_storage_all_the_same() {
    run(|| {
        let (a, _) = two();
        let store = |len: u64| {
            let mut script = Script::new();
            let key = script.bytes(&[1]);
            script.host("set_storage", &[0, key, 1, SCRATCH, len]);
            script.encode()
        };
        call(a, &store(30)).result.unwrap();
        let refund = 30 * PER_BYTE;
        assert!(refund < ED);
        let (before, had) = (held(a), Balances::free_balance(ethereum_account(a)));
        // An account that exists only through an asset, without any of the chain's balance.
        let poor = ethereum_account(H160([0x55; 20]));
        System::inc_sufficients(&poor);
        let freed = Polkavm::bare_call(poor.clone(), a, 0, no_limits(), store(0), ExecConfig::extrinsic());
        assert!(freed.result.is_ok(), "{:?}", freed.result);
        assert_eq!(held(a), before - refund);
        assert_eq!(freed.storage_deposit, Deposit::Charge(0));
        assert_eq!(Balances::free_balance(ethereum_account(a)), had + refund, "it stays with the contract");
        // An origin that is refunded more than the existential deposit receives the refund.
        call(a, &store(40)).result.unwrap();
        let freed = Polkavm::bare_call(poor.clone(), a, 0, no_limits(), store(0), ExecConfig::extrinsic());
        assert_eq!(freed.storage_deposit, Deposit::Refund(40 * PER_BYTE));
        assert_eq!(Balances::free_balance(&poor), 40 * PER_BYTE);
    });
}
