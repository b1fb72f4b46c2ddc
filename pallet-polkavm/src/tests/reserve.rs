//! Tests that a callee which uses up its gas leaves its caller a 64th of what that had (EIP-150).

use super::{
    nested::{default, two, two_with},
    puppet::{Call as Nested, NO_OUTPUT, SCRATCH, Script, pack, puppet},
};
use crate::{ExecConfig, Limits, contract::Key, mock::*, precompiles::abi, program::Contract};
use frame_support::weights::Weight;
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{H160, U256};

/// Limit of a call that never ends: a 64th of it and what is kept for the settlement pay for the caller's actions
/// afterwards.
const LIMIT: Weight = Weight::from_parts(20_000_000_000, 3 * 1024 * 1024);

/// Calls a puppet with the limit of these tests.
fn limited(contract: H160, script: &Script) -> crate::types::Execution<crate::types::Output, Balance> {
    let limits = Limits { gas: LIMIT, deposit: None };
    Polkavm::bare_call(ALICE, contract, 0, limits, script.encode(), ExecConfig::extrinsic())
}

/// Adds a call by Ethereum's functions, of the contract itself or of its program.
fn call_evm(script: &mut Script, callee: H160, gas: u64, delegate: bool) {
    let callee = script.bytes(callee.as_bytes());
    let value = script.word(Some(0));
    if delegate {
        script.host("delegate_call_evm", &[0, callee, gas, pack(0, 0), NO_OUTPUT]);
    } else {
        script.host("call_evm", &[0, callee, value, gas, pack(0, 0), NO_OUTPUT]);
    }
}

#[test]
fn a_callee_that_uses_up_all_gas_leaves_its_caller_a_64th() {
    run(|| {
        let a = deploy(puppet());
        let spin = deploy(Contract::with_call().spin().build());
        let spinning = upload(Contract::new().spin().call().ret().build());
        let large = Nested { ref_time: LIMIT.ref_time(), proof_size: LIMIT.proof_size(), ..default() };
        #[allow(clippy::type_complexity, reason = "a table of a test")]
        let calls: [(&str, &dyn Fn(&mut Script)); 9] = [
            ("call", &|script| {
                script.call(spin, &default(), &Script::new());
            }),
            ("call with a limit", &|script| {
                script.call(spin, &large, &Script::new());
            }),
            ("delegate_call", &|script| {
                script.delegate(spin, 0, &[]);
            }),
            ("call_evm", &|script| call_evm(script, spin, u64::MAX, false)),
            ("call_evm with gas", &|script| call_evm(script, spin, LIMIT.ref_time(), false)),
            ("delegate_call_evm", &|script| call_evm(script, spin, u64::MAX, true)),
            ("delegate_call_evm with gas", &|script| call_evm(script, spin, LIMIT.ref_time(), true)),
            ("instantiate", &|script| {
                script.instantiate(spinning, &default(), &[], None, SCRATCH);
            }),
            ("instantiate with a limit", &|script| {
                script.instantiate(spinning, &large, &[], Some([1; 32]), SCRATCH);
            }),
        ];
        for (name, add) in calls {
            let mut script = Script::new();
            add(&mut script);
            script.expect(ReturnErrorCode::OutOfResources as u64).store(1, 1);
            let execution = with_rollback(|| {
                let execution = limited(a, &script);
                let stored = Polkavm::contract_storage(a, &Key::Fixed([1; 32])).unwrap();
                assert!(execution.result.is_err() || stored == Some(vec![1; 32]));
                execution
            });
            assert!(execution.result.is_ok(), "{name}: {:?}", execution.result);
            assert!(execution.gas_consumed.ref_time() > LIMIT.ref_time() / 64 * 63, "{name}: the callee got less");
        }
    });
}

#[test]
fn a_callee_that_consumes_all_gas_leaves_a_64th_of_time_and_proof() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.host("consume_all_gas", &[]);
        let mut script = Script::new();
        script.call(b, &default(), &inner).expect(ReturnErrorCode::CalleeReverted as u64).store(1, 1);
        let execution = limited(a, &script);
        execution.result.unwrap();
        let used = execution.gas_consumed;
        assert!(used.all_lt(LIMIT) && used.all_gte(LIMIT - LIMIT / 60), "{used:?}");
    });
}

#[test]
fn the_first_frame_gets_all_the_gas_of_its_transaction() {
    run(|| {
        let a = deploy(puppet());
        let mut all = Script::new();
        all.host("consume_all_gas", &[]);
        assert_eq!(limited(a, &all).gas_consumed, LIMIT);
        let spin = deploy(Contract::with_call().spin().build());
        let used = limited(spin, &Script::new()).gas_consumed.ref_time();
        assert!(used > LIMIT.ref_time() - 100_000, "{used}");
    });
}

#[test]
fn the_gas_that_a_callee_sees_is_all_but_a_64th_of_its_callers() {
    run(|| {
        let (a, b) = two();
        let mut inner = Script::new();
        inner.host("ref_time_left", &[]).give_results();
        let mut script = Script::new();
        let room = script.bytes(&8u32.to_le_bytes());
        script.host("ref_time_left", &[]).call_into(b, &default(), &inner.encode(), pack(room, SCRATCH)).expect(0);
        script.give(0, SCRATCH, 8);
        let left = |data: &[u8]| u64::from_le_bytes(data.try_into().unwrap());
        let callees = left(&limited(a, &script).result.unwrap().data);
        let mut script = Script::new();
        script.host("ref_time_left", &[]).give_results();
        let callers = left(&limited(a, &script).result.unwrap().data);
        assert!(callees < callers / 64 * 63, "the callee sees {callees}, the caller {callers}");
        assert!(callees > callers / 64 * 60, "the callee sees {callees}, the caller {callers}");
    });
}

#[test]
fn the_system_builtin_tells_what_is_left_to_the_contract_and_not_to_itself() {
    run(|| {
        let a = deploy(puppet());
        let mut script = Script::new();
        let room = script.bytes(&64u32.to_le_bytes());
        let ask = abi::selector("weightLeft()");
        script.call_into(crate::precompiles::address(0x900), &default(), &ask, pack(room, SCRATCH)).expect(0);
        script.host("ref_time_left", &[]).give(0, SCRATCH, 64);
        let data = limited(a, &script).result.unwrap().data;
        let (time, proof) = (U256::from_big_endian(&data[..32]), U256::from_big_endian(&data[32..]));
        assert!(time > (LIMIT.ref_time() / 64 * 63 + 1).into(), "{time}");
        assert!(proof > (LIMIT.proof_size() / 64 * 60).into(), "{proof}");
    });
}

#[test]
fn an_estimate_through_many_frames_suffices_exactly() {
    run(|| {
        let (a, b) = two();
        let allowed = Nested { flags: 8, ..default() };
        let mut script = Script::new();
        script.store(1, 1);
        for depth in 0..12 {
            let mut outer = Script::new();
            outer.call(if depth % 2 == 0 { b } else { a }, &allowed, &script).expect(0);
            script = outer;
        }
        let with = |gas: Weight| {
            let limits = Limits { gas, deposit: None };
            with_rollback(|| Polkavm::bare_call(ALICE, a, 0, limits, script.encode(), ExecConfig::extrinsic()))
        };
        let required = with(GAS).gas_required;
        assert!(with(required).result.is_ok());
        assert!(with(required - Weight::from_parts(1, 0)).result.is_err());
        assert!(with(required - Weight::from_parts(0, 1)).result.is_err());
    });
}

#[test]
fn an_estimate_has_room_for_a_stipend_that_nobody_uses() {
    run(|| {
        let (a, b) = two_with(100);
        let mut script = Script::new();
        let (callee, value) = (script.bytes(b.as_bytes()), script.word(Some(RATIO.into())));
        script.host("call_evm", &[0, callee, value, 2_300, pack(0, 0), NO_OUTPUT]).expect(0);
        let with = |gas: Weight| {
            let limits = Limits { gas, deposit: None };
            with_rollback(|| Polkavm::bare_call(ALICE, a, 0, limits, script.encode(), ExecConfig::extrinsic()))
        };
        let required = with(GAS).gas_required;
        assert!(with(required).result.is_ok());
    });
}
