//! Tests of contracts that call, delegate to, instantiate and terminate each other.

use super::puppet::{Call, SCRATCH, Script, pack, puppet};
use crate::{
    ContractInfoOf, Error, ExecConfig, HoldReason, Limits,
    address::create1,
    contract::Key,
    exec::trace::CallKind,
    limits,
    mock::*,
    types::{Deposit, Failure, Output},
};
use frame_support::{traits::fungible::InspectHold, weights::Weight};
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{H160, H256};

const ALLOW_REENTRY: u32 = 8;
const READ_ONLY: u32 = 16;
const FORWARD_INPUT: u32 = 1;
const CLONE_INPUT: u32 = 2;
const TAIL_CALL: u32 = 4;
/// The flag of storage host functions that selects transient storage.
const TRANSIENT: u64 = 1;

pub(super) fn output(contract: H160, script: &Script) -> Output {
    call(contract, &script.encode()).result.unwrap()
}

/// The results of a script's commands, which it returns at its end.
fn results(contract: H160, script: &mut Script) -> Vec<u64> {
    let output = output(contract, script.give_results());
    assert!(!output.did_revert());
    output.data.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The result of a script's last command.
pub(super) fn last(contract: H160, script: &mut Script) -> u64 {
    *results(contract, script).last().unwrap()
}

pub(super) fn failure(contract: H160, script: &Script) -> Failure {
    unchanged(|| call(contract, &script.encode()).result.unwrap_err())
}

pub(super) fn stored(contract: H160, key: u8) -> Option<Vec<u8>> {
    Polkavm::contract_storage(contract, &Key::Fixed([key; 32])).unwrap()
}

/// Two contracts of the same program.
pub(super) fn two() -> (H160, H160) {
    (deploy(puppet()), deploy(puppet()))
}

/// Two contracts that run scripts, the first with this balance.
pub(super) fn two_with(units: Balance) -> (H160, H160) {
    let (a, b) = two();
    call_with_value(a, units, &[]).result.unwrap();
    (a, b)
}

pub(super) fn default() -> Call {
    Call::default()
}

pub(super) fn held(contract: H160) -> Balance {
    Balances::balance_on_hold(&HoldReason::StorageDepositReserve.into(), &ethereum_account(contract))
}

#[test]
fn a_call_gives_back_what_the_callee_returned() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        let data = inner.bytes(b"from b");
        inner.give(0, data, 6);
        let mut script = Script::new();
        let room = script.bytes(&100u32.to_le_bytes());
        let out = script.bytes(&[0; 16]);
        script.call_into(b, &default(), &inner.encode(), pack(room, out)).expect(0);
        script.host("return_data_size", &[]).expect(6);
        script.give(0, room, 16);
        let data = output(a, &script).data;
        assert_eq!(data[..4], 6u32.to_le_bytes(), "the length is written back");
        assert_eq!(&data[8..14], b"from b");
    });
}

#[test]
fn a_reverting_callee_is_undone_and_its_data_kept() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 1).revert(b"no");
        let mut script = Script::new();
        script.call(b, &default(), &inner).expect(ReturnErrorCode::CalleeReverted as u64);
        script.host("return_data_size", &[]).expect(2);
        script.store(2, 2);
        call(a, &script.encode()).result.unwrap();
        assert_eq!(stored(b, 1), None);
        assert_eq!(stored(a, 2), Some(vec![2; 32]));
    });
}

#[test]
fn a_trapping_callee_is_undone_and_tells_only_that() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 1).trap();
        let mut script = Script::new();
        let room = script.bytes(&100u32.to_le_bytes());
        let out = script.bytes(&[0; 16]);
        script.call_into(b, &default(), &inner.encode(), pack(room, out));
        script.expect(ReturnErrorCode::CalleeTrapped as u64);
        script.host("return_data_size", &[]).expect(0);
        script.give(0, room, 4);
        assert_eq!(output(a, &script).data, [0; 4], "no data, so no length");
        assert_eq!(stored(b, 1), None);
    });
}

#[test]
fn a_value_is_the_calling_contracts_and_not_the_origins() {
    run(|| {
        let (a, b) = two_with(100);
        let before = Balances::free_balance(&ALICE);
        let value = |value: Balance| Call { value: value * Balance::from(RATIO), ..default() };
        let mut script = Script::new();
        script.call(b, &value(60), Script::new().host("value_transferred", &[SCRATCH]).give(0, SCRATCH, 32)).expect(0);
        script.call(b, &value(60), &Script::new());
        assert_eq!(last(a, &mut script), ReturnErrorCode::TransferFailed as u64, "40 are left");
        assert_eq!(Balances::free_balance(&ALICE), before);
        assert_eq!(Balances::free_balance(ethereum_account(a)), ED + 40);
        assert_eq!(Balances::free_balance(ethereum_account(b)), ED + 60);
    });
}

#[test]
fn a_call_of_an_account_without_a_program_only_sends() {
    run(|| {
        let a = deploy(puppet());
        call_with_value(a, 100, &[]).result.unwrap();
        let nobody = H160([0x77; 20]);
        let before = Balances::free_balance(&ALICE);
        let value = Call { value: 30 * u128::from(RATIO), ..default() };
        let execution = call(a, &Script::new().call(nobody, &value, &Script::new()).expect(0).encode());
        execution.result.unwrap();
        assert_eq!(Balances::free_balance(ethereum_account(nobody)), ED + 30);
        assert_eq!(execution.storage_deposit, Deposit::Charge(ED), "the origin brings it into being");
        assert_eq!(Balances::free_balance(&ALICE), before - ED);
        // A value that can't be transferred creates no account.
        let other = H160([0x78; 20]);
        let value = Call { value: 300 * u128::from(RATIO), ..default() };
        let code = last(a, Script::new().call(other, &value, &Script::new()));
        assert_eq!(code, ReturnErrorCode::TransferFailed as u64);
        assert!(!System::account_exists(&ethereum_account(other)));
    });
}

#[test]
fn a_callee_sees_the_contract_that_calls_and_the_origin_behind_it() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.host("caller", &[SCRATCH]).host("origin", &[SCRATCH + 20]).host("address", &[SCRATCH + 40]);
        inner.give(0, SCRATCH, 60);
        let mut script = Script::new();
        script.call(b, &Call { flags: TAIL_CALL, ..default() }, &inner).trap();
        let alice = Polkavm::view_address(&ALICE);
        assert_eq!(output(a, &script).data, [a.as_bytes(), alice.as_bytes(), b.as_bytes()].concat());
    });
}

#[test]
fn a_delegate_call_works_on_the_callers_state_as_the_caller() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 7).host("caller", &[SCRATCH]).host("address", &[SCRATCH + 20]);
        inner.host("value_transferred", &[SCRATCH + 40]).give(0, SCRATCH, 72);
        let mut script = Script::new();
        script.delegate(b, TAIL_CALL, &inner.encode()).trap();
        let data = call_with_value(a, 3, &script.encode()).result.unwrap().data;
        let alice = Polkavm::view_address(&ALICE);
        assert_eq!(&data[..40], [alice.as_bytes(), a.as_bytes()].concat());
        assert_eq!(data[40], 3 * RATIO as u8);
        assert_eq!(stored(a, 1), Some(vec![7; 32]));
        assert_eq!(stored(b, 1), None);
        assert_eq!(ContractInfoOf::<Test>::get(a).unwrap().storage_items, 1);
        // Without a program it succeeds.
        assert_eq!(last(a, Script::new().delegate(H160([0x77; 20]), 0, &[])), 0);
    });
}

#[test]
fn a_delegate_call_refuses_flags_that_make_no_sense() {
    run(|| {
        let (a, b) = two();
        for flags in [ALLOW_REENTRY, READ_ONLY, 32] {
            let failure = failure(a, Script::new().delegate(b, flags, &[]));
            assert_eq!(failure.error, Error::<Test>::InvalidCallFlags.into());
        }
        let failure = failure(a, Script::new().call(b, &Call { flags: 32, ..default() }, &Script::new()));
        assert_eq!(failure.error, Error::<Test>::InvalidCallFlags.into());
    });
}

#[test]
fn immutable_data_goes_with_the_program_in_a_delegate_call() {
    run(|| {
        let make = |byte: u8| {
            let mut script = Script::new();
            let data = script.bytes(&[byte; 4]);
            instantiate(puppet(), 0, &script.host("set_immutable_data", &[data, 4]).encode()).result.unwrap().address
        };
        let (a, b) = (make(1), make(2));
        let mut inner = Script::new();
        let room = inner.bytes(&8u32.to_le_bytes());
        inner.host("get_immutable_data", &[SCRATCH, room]).give(0, SCRATCH, 4);
        assert_eq!(output(a, &inner).data, [1; 4]);
        assert_eq!(output(a, Script::new().delegate(b, TAIL_CALL, &inner.encode())).data, [2; 4]);
    });
}

#[test]
fn reentry_is_denied_unless_the_caller_allows_it() {
    run(|| {
        let (a, b) = two();
        let mut innermost = Script::new();
        innermost.store(3, 3);
        let mut inner = Script::new();
        inner.call(a, &default(), &innermost);
        // The failure is that of the contract that calls back: for the first one its callee has trapped.
        let mut script = Script::new();
        script.call(b, &default(), &inner);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeTrapped as u64);
        assert_eq!(stored(a, 3), None);
        // Itself, at once.
        let failure = failure(a, Script::new().call(a, &default(), &innermost));
        assert_eq!(failure.error, Error::<Test>::ReentranceDenied.into());

        let allowed = Call { flags: ALLOW_REENTRY, ..default() };
        assert_eq!(last(a, Script::new().call(b, &allowed, &inner)), 0);
        assert_eq!(stored(a, 3), Some(vec![3; 32]));
        // And the guard is gone after the call.
        let mut script = Script::new();
        script.call(b, &default(), &Script::new()).expect(0);
        assert_eq!(last(a, script.call(a, &allowed, &Script::new())), 0);
    });
}

#[test]
fn storage_of_a_contract_that_is_entered_again_is_counted_once() {
    run(|| {
        let (a, b) = two();
        let base = held(a);
        let allowed = Call { flags: ALLOW_REENTRY, ..default() };
        // The outer frame writes before and after; the inner one writes another, and removes one of the outer's.
        let mut innermost = Script::new();
        innermost.store(2, 2).store(1, 0);
        let mut inner = Script::new();
        inner.call(a, &default(), &innermost).expect(0);
        let mut script = Script::new();
        script.store(1, 1).store(4, 4).call(b, &allowed, &inner).expect(0).store(3, 3);
        let execution = call(a, &script.encode());
        execution.result.unwrap();
        let info = ContractInfoOf::<Test>::get(a).unwrap();
        assert_eq!((info.storage_items, info.storage_bytes), (3, 3 * 64));
        let expected = 3 * (64 * PER_BYTE + PER_CHILD_ITEM);
        assert_eq!(execution.storage_deposit, Deposit::Charge(expected));
        assert_eq!(held(a), base + expected);
    });
}

#[test]
fn nothing_changes_in_a_read_only_call_or_below_it() {
    run(|| {
        let (a, b) = two();
        call_with_value(b, 100, &[]).result.unwrap();
        let code_hash = ContractInfoOf::<Test>::get(b).unwrap().code_hash;
        let with = |command: &dyn Fn(&mut Script)| {
            let mut script = Script::new();
            command(&mut script);
            script
        };
        let changes = [
            with(&|script| {
                script.store(1, 1);
            }),
            with(&|script| {
                let (key, value) = (script.bytes(&[1; 32]), script.bytes(&[1; 32]));
                script.host("set_storage", &[TRANSIENT, key, 32, value, 32]);
            }),
            with(&|script| {
                script.host("deposit_event", &[0, 0, 0, 0]);
            }),
            with(&|script| {
                script.instantiate(code_hash, &default(), &[], None, SCRATCH);
            }),
            with(&|script| {
                script.host("terminate", &[SCRATCH]);
            }),
            with(&|script| {
                script.call(a, &Call { value: RATIO.into(), ..default() }, &Script::new());
            }),
        ];
        let read_only = Call { flags: READ_ONLY | ALLOW_REENTRY, ..default() };
        for change in changes {
            assert!(with_rollback(|| call(b, &change.encode()).result).is_ok(), "{change:?}");
            let code = last(a, Script::new().call(b, &read_only, &change));
            assert_eq!(code, ReturnErrorCode::CalleeTrapped as u64, "{change:?}");
            // One call deeper, without the flag.
            let mut inner = Script::new();
            inner.call(b, &default(), &change).expect(0);
            let code = last(a, Script::new().call(a, &read_only, &inner));
            assert_eq!(code, ReturnErrorCode::CalleeTrapped as u64, "{change:?}");
        }
        // Reading is fine.
        let mut script = Script::new();
        let read = with(&|script| {
            script.host("get_storage_or_zero", &[0, SCRATCH, SCRATCH]);
        });
        assert_eq!(last(a, script.call(b, &read_only, &read)), 0);
        let failure = failure(a, Script::new().call(b, &Call { value: RATIO.into(), ..read_only }, &Script::new()));
        assert_eq!(failure.error, Error::<Test>::StateChangeDenied.into());
    });
}

#[test]
fn input_is_forwarded_once_and_cloned_at_will() {
    run(|| {
        let (a, b) = two();
        // The same script runs in both: in `a` it calls `b`, in `b` the call of itself is a reentry, which is refused.
        let mut script = Script::new();
        script.call(b, &Call { flags: FORWARD_INPUT, ..default() }, &Script::new());
        script.host("call_data_size", &[]);
        let seen = results(a, &mut script);
        assert_eq!(seen[0], ReturnErrorCode::CalleeTrapped as u64);
        assert_eq!(seen[1], 0, "it is gone");

        let mut twice = Script::new();
        twice.call(b, &Call { flags: FORWARD_INPUT, ..default() }, &Script::new());
        twice.call(b, &Call { flags: FORWARD_INPUT, ..default() }, &Script::new());
        assert_eq!(failure(a, &twice).error, Error::<Test>::InputForwarded.into());

        let mut script = Script::new();
        script.call(b, &Call { flags: CLONE_INPUT | FORWARD_INPUT, ..default() }, &Script::new());
        script.host("call_data_size", &[]);
        let seen = results(a, &mut script);
        assert_eq!(seen[1] as usize, script.encode().len());
    });
}

#[test]
fn a_tail_call_ends_the_caller_with_what_the_callee_gave() {
    run(|| {
        let (a, b) = two();
        let tail = Call { flags: TAIL_CALL, ..default() };
        let mut inner = Script::new();
        inner.revert(b"bad");
        let output = unchanged(|| output(a, Script::new().store(1, 1).call(b, &tail, &inner)));
        assert!(output.did_revert());
        assert_eq!(output.data, b"bad");
        // A failed callee returns no data: the caller continues.
        let code = last(a, Script::new().call(b, &tail, Script::new().trap()));
        assert_eq!(code, ReturnErrorCode::CalleeTrapped as u64);
    });
}

#[test]
fn a_callee_uses_no_more_than_it_is_given() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 1);
        let needed = 64 * PER_BYTE + PER_CHILD_ITEM;
        let out = ReturnErrorCode::OutOfResources as u64;
        let with_deposit = |deposit| Call { deposit: Some(deposit), ..default() };
        assert_eq!(last(a, Script::new().call(b, &with_deposit(needed - 1), &inner)), out);
        assert_eq!(last(a, Script::new().call(b, &with_deposit(0), &Script::new())), 0);
        let with_time = |ref_time| Call { ref_time, ..default() };
        assert_eq!(last(a, Script::new().call(b, &with_time(1_000_000), &inner)), out);
        assert_eq!(last(a, Script::new().call(b, &Call { proof_size: 10, ..default() }, &inner)), out);
        assert_eq!(stored(b, 1), None);
        assert_eq!(last(a, Script::new().call(b, &with_deposit(needed), &inner)), 0);
        assert_eq!(stored(b, 1), Some(vec![1; 32]));

        // The transaction's own limit holds for all together, whatever the callee is allowed.
        let mut inner = Script::new();
        inner.store(2, 2);
        let mut script = Script::new();
        script.store(2, 2).call(b, &with_deposit(needed), &inner);
        let stored_with = |limit| {
            with_rollback(|| {
                let limits = Limits { gas: GAS, deposit: Some(limit) };
                Polkavm::bare_call(ALICE, a, 0, limits, script.encode(), ExecConfig::extrinsic()).result.unwrap();
                stored(b, 2).is_some()
            })
        };
        // The callee has no more than is left, whatever it was allowed.
        assert!(stored_with(2 * needed));
        assert!(!stored_with(2 * needed - 1));
        assert!(!stored_with(needed));
    });
}

#[test]
fn the_stack_has_a_limit_and_what_is_within_it_works() {
    run(|| {
        let a = deploy(puppet());
        let allowed = Call { flags: ALLOW_REENTRY, ..default() };
        let nest = |depth: u32| {
            let mut script = Script::new();
            script.store(9, 9);
            for _ in 0..depth {
                let mut outer = Script::new();
                outer.call(a, &allowed, &script).expect(0);
                script = outer;
            }
            script
        };
        assert!(call(a, &nest(limits::CALL_DEPTH).encode()).result.is_ok());
        assert_eq!(stored(a, 9), Some(vec![9; 32]));
        // The frame that exceeds the depth traps, and so do those that expect it not to.
        let failure = failure(a, &nest(limits::CALL_DEPTH + 1));
        assert_eq!(failure.error, Error::<Test>::ContractTrapped.into());
    });
}

#[test]
fn consume_all_gas_is_a_revert_that_costs_everything() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 1).host("consume_all_gas", &[]);
        let little = Call { ref_time: 10_000_000_000, proof_size: 100_000, ..default() };
        let execution = call(a, Script::new().call(b, &little, &inner).expect(2).encode().as_slice());
        execution.result.unwrap();
        assert!(execution.gas_consumed.all_gte(Weight::from_parts(10_000_000_000, 100_000)));
        assert!(execution.gas_consumed.ref_time() < 12_000_000_000);
        assert_eq!(stored(b, 1), None);
        let execution = call(a, &inner.encode());
        assert_eq!(execution.gas_consumed, GAS);
        assert!(execution.result.unwrap().did_revert());
    });
}

#[test]
fn block_hash_knows_the_last_256_blocks() {
    run(|| {
        System::set_block_number(300);
        for number in 0..300u64 {
            frame_system::BlockHash::<Test>::insert(number, H256::from_low_u64_be(number + 1000));
        }
        let a = deploy(puppet());
        let hash = |number: Option<u128>| {
            let mut script = Script::new();
            let number = script.word(number);
            script.host("block_hash", &[number, SCRATCH]).give(0, SCRATCH, 32);
            H256::from_slice(&output(a, &script).data)
        };
        assert_eq!(hash(Some(299)), H256::from_low_u64_be(1299));
        assert_eq!(hash(Some(44)), H256::from_low_u64_be(1044));
        for unknown in [Some(43), Some(300), Some(301), None] {
            assert_eq!(hash(unknown), H256::zero(), "{unknown:?}");
        }
    });
}

#[test]
fn block_author_is_who_the_runtime_says() {
    run(|| {
        let a = deploy(puppet());
        let mut script = Script::new();
        script.host("block_author", &[SCRATCH]).give(0, SCRATCH, 20);
        assert_eq!(output(a, &script).data, Polkavm::view_address(&AUTHOR).as_bytes());
    });
}

#[test]
fn a_trace_shows_every_call_and_its_end() {
    run(|| {
        let (a, b) = two();
        let mut script = Script::new();
        script.call(b, &Call { flags: READ_ONLY, ..default() }, Script::new().store(1, 1)).expect(1);
        script.delegate(b, 0, Script::new().revert(b"no").encode().as_slice()).expect(2);
        script.call(H160([0x77; 20]), &default(), &Script::new()).expect(0);
        let code_hash = crate::code::code_hash(&puppet());
        script.instantiate(code_hash, &default(), &[], None, SCRATCH).expect(0);
        let execution =
            with_rollback(|| Polkavm::bare_call(ALICE, a, 0, no_limits(), script.encode(), ExecConfig::tracing()));
        let trace = execution.trace.unwrap();
        let alice = Polkavm::view_address(&ALICE);
        assert_eq!((trace.kind, trace.from, trace.to), (CallKind::Call, alice, a));
        assert_eq!(trace.input, script.encode());
        assert!(trace.gas_used.all_lte(execution.gas_consumed));
        let kinds: Vec<_> = trace.calls.iter().map(|call| (call.kind, call.from, call.to)).collect();
        let expected = [
            (CallKind::StaticCall, a, b),
            (CallKind::DelegateCall, a, b),
            (CallKind::Call, a, H160([0x77; 20])),
            (CallKind::Create, a, create1(&a, 1)),
        ];
        assert_eq!(kinds, expected);
        let denied = trace.calls[0].result.as_ref().unwrap_err();
        assert_eq!(denied.error, Error::<Test>::StateChangeDenied.into());
        assert_eq!(trace.calls[1].result.as_ref().unwrap().data, b"no");
        assert_eq!(trace.calls[1].value, None);
        assert_eq!(trace.calls[2].value, Some(0.into()));
        assert!(Polkavm::bare_call(ALICE, a, 0, no_limits(), vec![], ExecConfig::extrinsic()).trace.is_none());
    });
}

#[test]
fn an_estimate_with_nested_calls_suffices_exactly() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.store(1, 1);
        let mut script = Script::new();
        script.call(b, &Call { ref_time: 200_000_000_000, ..default() }, &inner).expect(0);
        script.call(b, &default(), Script::new().trap()).expect(1);
        let dry = with_rollback(|| call(a, &script.encode()));
        let Deposit::Charge(deposit) = dry.storage_deposit else { panic!("it stores something") };
        let with = |gas: Weight, deposit| {
            with_rollback(|| {
                let limits = Limits { gas, deposit: Some(deposit) };
                Polkavm::bare_call(ALICE, a, 0, limits, script.encode(), ExecConfig::extrinsic()).result
            })
        };
        assert!(with(dry.gas_required, deposit).is_ok());
        assert!(with(dry.gas_required - Weight::from_parts(1, 0), deposit).is_err());
        assert!(with(dry.gas_required - Weight::from_parts(0, 1), deposit).is_err());
        assert!(with(dry.gas_required, deposit - 1).is_err());
    });
}

#[test]
fn events_of_nested_contracts_are_theirs_and_go_with_a_revert() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        let data = inner.bytes(b"kept");
        inner.host("deposit_event", &[0, 0, data, 4]);
        let mut lost = Script::new();
        lost.host("deposit_event", &[0, 0, data, 4]).trap();
        let mut script = Script::new();
        script.call(b, &default(), &inner).call(b, &default(), &lost).host("deposit_event", &[0, 0, 0, 0]);
        let execution = Polkavm::bare_call(ALICE, a, 0, no_limits(), script.encode(), ExecConfig::dry_run());
        let seen: Vec<_> = execution.events.iter().map(|event| (event.contract, event.data.as_slice())).collect();
        assert_eq!(seen, [(b, b"kept".as_slice()), (a, b"".as_slice())]);
    });
}
