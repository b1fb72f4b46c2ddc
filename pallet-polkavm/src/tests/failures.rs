//! Tests of calls that fail: their errors, and that all their changes are undone.

use crate::program::{Contract, NOWHERE, RW_LEN, at};
use crate::{
    Call, CodeInfoOf, Error, ExecConfig, Limits, WeightInfo,
    exec::Stack,
    mock::*,
    types::{Code, Output},
};
use frame_support::weights::Weight;
use sp_core::{H160, H256};
use sp_runtime::DispatchError;
use vm_core::isa::{Instruction, Opcode, Reg};

/// Makes all kinds of changes: storage, an event, and by its caller a value.
fn busy() -> Contract {
    Contract::with_call()
        .data(0, &[1; 64])
        .host("set_storage", &[0, at(0), 32, at(0), 64])
        .host("set_storage_or_clear", &[0, at(0), at(32)])
        .host("deposit_event", &[at(0), 1, at(0), 64])
}

fn extrinsic(dest: H160, gas_limit: Weight) -> Call<Test> {
    Call::call { dest, value: 1000, gas_limit, storage_deposit_limit: START, data: vec![] }
}

/// Calls with a value as an extrinsic; checks that it fails with `expected` and changes nothing. Returns the weight
/// used.
fn fails(contract: H160, gas_limit: Weight, expected: impl Into<DispatchError>) -> Weight {
    let error = unchanged(|| dispatch(ALICE, extrinsic(contract, gas_limit)).unwrap_err());
    assert_eq!(error.error, expected.into());
    let base = <Test as crate::Config>::WeightInfo::call(0);
    let used = error.post_info.actual_weight.unwrap().checked_sub(&base).unwrap();
    assert!(used.all_lte(gas_limit), "{used:?} of {gas_limit:?}");
    used
}

#[test]
fn a_trap_leaves_nothing_transfers_included() {
    run(|| {
        let contract = deploy(busy().trap().build());
        let used = fails(contract, GAS, Error::<Test>::ContractTrapped);
        assert!(used.ref_time() > 0, "what was used is paid for");
    });
}

#[test]
fn a_failed_first_frame_leaves_nothing_in_its_stack() {
    run(|| {
        for contract in [busy().trap(), busy().give_with(1, 0, 4)] {
            let contract = deploy(contract.build());
            // The state is undone by the caller, which has a storage layer for the whole stack.
            with_rollback(|| {
                let mut stack = Stack::<Test>::new(ALICE, no_limits(), ExecConfig::dry_run());
                let result = stack.run_call(contract, 1000.into(), vec![]);
                assert!(result.as_ref().map_or(true, Output::did_revert));
                let finished = stack.finish(result, Output::did_revert);
                assert!(finished.events.is_empty());
                assert_eq!(finished.storage_deposit.amount(), 0);
                assert!(finished.gas_consumed.ref_time() > 0);
            });
        }
    });
}

#[test]
fn a_call_undoes_itself_in_a_layer_and_outside_of_any() {
    run(|| {
        for contract in [busy().trap(), busy().give_with(1, 0, 4)] {
            let contract = deploy(contract.build());
            let fail =
                || assert!(call_with_value(contract, 1000, &[]).result.map_or(true, |output| output.did_revert()));
            unchanged(fail);
            unchanged(|| {
                let kept = frame_support::storage::with_storage_layer(|| {
                    fail();
                    Ok::<_, sp_runtime::DispatchError>(())
                });
                kept.unwrap();
            });
        }
    });
}

#[test]
fn a_revert_fails_the_extrinsic_and_leaves_nothing() {
    run(|| {
        let contract = deploy(busy().give_with(1, 0, 4).build());
        fails(contract, GAS, Error::<Test>::ContractReverted);
    });
}

#[test]
fn an_endless_loop_ends_out_of_gas_within_its_weight_and_leaves_nothing() {
    run(|| {
        let contract = deploy(busy().spin().build());
        let gas = Weight::from_parts(5_000_000_000, 1024 * 1024);
        let used = fails(contract, gas, Error::<Test>::OutOfGas);
        // All but less than one iteration of the loop.
        assert!(gas.ref_time() - used.ref_time() < 10_000, "{used:?}");
    });
}

#[test]
fn without_gas_nothing_starts() {
    run(|| {
        let contract = deploy(busy().ret().build());
        assert_eq!(fails(contract, Weight::zero(), Error::<Test>::OutOfGas), Weight::zero());
        fails(contract, Weight::from_parts(1, 1), Error::<Test>::OutOfGas);
        // Enough to load the code but not for its first instruction.
        let load = load_cost(&Polkavm::code(Polkavm::contract_info(contract).unwrap().code_hash).unwrap());
        assert_eq!(fails(contract, load, Error::<Test>::OutOfGas), load);
        // Plenty of time, but not enough proof size.
        fails(contract, Weight::from_parts(GAS.ref_time(), load.proof_size()), Error::<Test>::OutOfGas);
    });
}

#[test]
fn out_of_bounds_accesses_trap() {
    run(|| {
        for address in [0, 8, NOWHERE, 0x1_0000, 0x2_0000 + RW_LEN, 0x2_0000 + RW_LEN - 4, 0xffff_0000, u32::MAX] {
            let store = busy().op(Instruction::ri(Opcode::StoreU64, Reg::A0, address as i32)).ret();
            fails(deploy(store.build()), GAS, Error::<Test>::ContractTrapped);
            let load = busy().op(Instruction::ri(Opcode::LoadU64, Reg::A0, address as i32)).ret();
            fails(deploy(load.build()), GAS, Error::<Test>::ContractTrapped);
        }
    });
}

#[test]
fn a_jump_to_nowhere_traps() {
    run(|| {
        let jump = busy().set(Reg::A0, 123_456).op(Instruction::ri(Opcode::JumpIndirect, Reg::A0, 0));
        fails(deploy(jump.build()), GAS, Error::<Test>::ContractTrapped);
    });
}

#[test]
fn a_host_call_without_an_import_fails() {
    run(|| {
        for index in [3, 1000, -1] {
            let contract = deploy(busy().op(Instruction::i(Opcode::Ecalli, index)).ret().build());
            fails(contract, GAS, Error::<Test>::InvalidImport);
        }
    });
}

#[test]
fn a_constructor_that_fails_makes_no_contract() {
    run(|| {
        let begin = || Contract::new().data(0, &[1; 64]).host("set_storage", &[0, at(0), 32, at(0), 64]);
        for (contract, expected) in [
            (begin().trap(), Error::<Test>::ContractTrapped),
            (begin().spin(), Error::<Test>::OutOfGas),
            (begin().give_with(1, 0, 0), Error::<Test>::ContractReverted),
        ] {
            let expected = DispatchError::from(expected);
            let code = contract.call().ret().build();
            let code_hash = upload(code.clone());
            for call in [
                Call::instantiate {
                    value: 10,
                    gas_limit: GAS,
                    storage_deposit_limit: START,
                    code_hash,
                    data: vec![],
                    salt: None,
                },
                Call::instantiate_with_code {
                    value: 10,
                    gas_limit: GAS,
                    storage_deposit_limit: START,
                    code,
                    data: vec![],
                    salt: None,
                },
            ] {
                let error = unchanged(|| dispatch(ALICE, call).unwrap_err());
                assert_eq!(error.error, expected);
                assert!(error.post_info.actual_weight.is_some());
            }
            assert_eq!(CodeInfoOf::<Test>::get(code_hash).unwrap().use_count, 0);
        }
    });
}

#[test]
fn a_failed_instantiation_with_code_leaves_no_code_either() {
    run(|| {
        let code = Contract::new().trap().call().ret().build();
        let failure = unchanged(|| instantiate(code, 0, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::ContractTrapped.into());
    });
}

#[test]
fn a_value_the_origin_does_not_have_fails() {
    run(|| {
        let contract = deploy(busy().ret().build());
        let failure = unchanged(|| call_with_value(contract, START * 2, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::TransferFailed.into());
        let failure = unchanged(|| call_with_value(H160([5; 20]), START * 2, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::TransferFailed.into());
        // The origin has to stay alive.
        let all = Balances::free_balance(&ALICE);
        let failure = unchanged(|| call_with_value(contract, all, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::TransferFailed.into());
    });
}

#[test]
fn unknown_code_and_too_much_data_are_refused() {
    run(|| {
        let make = |code, data| {
            let config = ExecConfig::extrinsic();
            unchanged(|| Polkavm::bare_instantiate(ALICE, 0, no_limits(), code, data, None, config).result.unwrap_err())
        };
        let failure = make(Code::Existing(H256([1; 32])), vec![]);
        assert_eq!(failure.error, Error::<Test>::CodeNotFound.into());
        let too_much = vec![0; crate::limits::CALLDATA_BYTES as usize + 1];
        let failure = make(Code::Existing(H256([1; 32])), too_much.clone());
        assert_eq!(failure.error, Error::<Test>::CallDataTooLarge.into());
        assert_eq!(failure.detail, "the call data has 131073 bytes, the limit is 131072");
        let contract = deploy(busy().ret().build());
        let failure = unchanged(|| call(contract, &too_much).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::CallDataTooLarge.into());
        assert!(call(contract, &too_much[1..]).result.is_ok());
    });
}

#[test]
fn a_failure_says_where_it_happened() {
    run(|| {
        let contract = deploy(Contract::with_call().trap().build());
        let failure = call(contract, &[]).result.unwrap_err();
        assert!(failure.detail.starts_with("Trap at code offset "), "{}", failure.detail);
        let contract = deploy(Contract::with_call().host("caller", &[NOWHERE.into()]).ret().build());
        let failure = call(contract, &[]).result.unwrap_err();
        assert_eq!(failure.detail, "a host function can't write 20 bytes of the contract's memory at 0x1000");
    });
}

#[test]
fn a_limit_of_all_weight_there_is_does_not_overflow() {
    run(|| {
        let contract = deploy(busy().ret().build());
        let limits = Limits { gas: Weight::MAX, deposit: None };
        let execution = Polkavm::bare_call(ALICE, contract, 0, limits, vec![], ExecConfig::extrinsic());
        assert!(execution.result.is_ok());
    });
}
