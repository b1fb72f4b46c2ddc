//! Tests of storage deposits: the amounts charged, held and refunded, and their recipients.

use crate::program::{Contract, SENTINEL, at};
use crate::{
    CodeInfoOf, ContractInfo, ContractInfoOf, Error, Event, ExecConfig, HoldReason, Limits,
    metering::deposit::Diff,
    mock::*,
    types::{Deposit, Execution, Output},
};
use codec::MaxEncodedLen;
use frame_support::traits::fungible::InspectHold;
use sp_core::H160;
use sp_runtime::AccountId32;

/// Bytes of a key that the contract gives as one byte: its hash of 16, and the byte.
const KEY: Balance = 17;

fn held(contract: H160) -> Balance {
    Balances::balance_on_hold(&HoldReason::StorageDepositReserve.into(), &ethereum_account(contract))
}

/// Stores as many bytes as the first two bytes of the input say under the key in the third byte; removes nothing.
fn store() -> Vec<u8> {
    use vm_core::isa::{Instruction, Opcode, Reg};
    Contract::with_call()
        .host("call_data_copy", &[at(0), 3, 0])
        .set(Reg::A0, 0)
        .set(Reg::A1, at(2))
        .set(Reg::A2, 1)
        .set(Reg::A3, at(100))
        .op(Instruction::ri(Opcode::LoadU16, Reg::A4, at(0) as i32))
        .import(b"set_storage")
        .op(Instruction::i(Opcode::Ecalli, 1))
        .ret()
        .build()
}

fn input(len: u16, key: u8) -> Vec<u8> {
    [len.to_le_bytes().as_slice(), &[key]].concat()
}

fn call_as(who: AccountId32, contract: H160, data: &[u8], limit: Option<Balance>) -> Execution<Output, Balance> {
    let limits = Limits { gas: GAS, deposit: limit };
    Polkavm::bare_call(who, contract, 0, limits, data.to_vec(), ExecConfig::extrinsic())
}

#[test]
fn a_new_contract_holds_a_deposit_for_itself_and_a_share_of_its_codes() {
    run(|| {
        let code_hash = upload(store());
        let before = Balances::free_balance(&ALICE);
        let config = ExecConfig::extrinsic();
        let code = crate::types::Code::Existing(code_hash);
        let execution = Polkavm::bare_instantiate(ALICE, 0, no_limits(), code, vec![], Some([0; 32]), config);
        let contract = execution.result.unwrap().address;

        let code_deposit = CodeInfoOf::<Test>::get(code_hash).unwrap().deposit;
        let record = ContractInfo::<Test>::max_encoded_len() as Balance;
        let base = record * PER_BYTE + PER_ITEM + (code_deposit * 3).div_ceil(10);
        assert_eq!(held(contract), base);
        assert_eq!(ContractInfoOf::<Test>::get(contract).unwrap().base_deposit, base);
        assert_eq!(execution.storage_deposit, Deposit::Charge(base + ED));
        assert_eq!(Balances::free_balance(&ALICE), before - base - ED);
        assert!(events().contains(&Event::StorageDepositTransferredAndHeld {
            from: ALICE,
            to: ethereum_account(contract),
            amount: base,
        }));
    });
}

#[test]
fn immutable_data_adds_its_bytes_and_an_item_to_the_base_deposit() {
    run(|| {
        let deploys = |len: u64| {
            let code = match len {
                0 => Contract::new().ret(),
                _ => Contract::new().host("set_immutable_data", &[at(0), len]).ret(),
            };
            let contract = deploy(code.call().ret().build());
            let info = ContractInfoOf::<Test>::get(contract).unwrap();
            let lockup = (CodeInfoOf::<Test>::get(info.code_hash).unwrap().deposit * 3).div_ceil(10);
            info.base_deposit - lockup
        };
        assert_eq!(deploys(100) - deploys(0), 100 * PER_BYTE + PER_ITEM);
    });
}

#[test]
fn storage_is_charged_per_byte_and_item_and_growth_only_for_what_is_new() {
    run(|| {
        let contract = deploy(store());
        let base = held(contract);
        let first = call(contract, &input(100, 1));
        let expected = (100 + KEY) * PER_BYTE + PER_CHILD_ITEM;
        assert_eq!(first.storage_deposit, Deposit::Charge(expected));
        assert_eq!(held(contract), base + expected);

        assert_eq!(call(contract, &input(100, 1)).storage_deposit, Deposit::Charge(0), "same length");
        assert_eq!(call(contract, &input(150, 1)).storage_deposit, Deposit::Charge(50 * PER_BYTE));
        assert_eq!(call(contract, &input(120, 1)).storage_deposit, Deposit::Refund(30 * PER_BYTE));
        let info = ContractInfoOf::<Test>::get(contract).unwrap();
        assert_eq!((info.storage_items, Balance::from(info.storage_bytes)), (1, 120 + KEY));
        assert_eq!(held(contract), info.total_deposit());
    });
}

/// Stores 32 bytes under a fixed key if the input begins with a one, and removes them if it begins with a zero.
fn toggle() -> Vec<u8> {
    Contract::with_call()
        .host("call_data_copy", &[at(0), 32, 0])
        .host("set_storage_or_clear", &[0, at(100), at(0)])
        .ret()
        .build()
}

#[test]
fn a_refund_goes_to_whoever_frees_the_storage() {
    run(|| {
        let contract = deploy(toggle());
        let base = held(contract);
        let paid = (32 + 32) * PER_BYTE + PER_CHILD_ITEM;
        assert_eq!(call(contract, &[1]).storage_deposit, Deposit::Charge(paid));
        let (alice, bob) = (Balances::free_balance(&ALICE), Balances::free_balance(&BOB));
        let freed = call_as(BOB, contract, &[0], Some(0));
        assert_eq!(freed.storage_deposit, Deposit::Refund(paid));
        assert_eq!(Balances::free_balance(&ALICE), alice);
        assert_eq!(Balances::free_balance(&BOB), bob + paid);
        assert_eq!(held(contract), base);
        assert!(events().contains(&Event::StorageDepositTransferredAndReleased {
            from: ethereum_account(contract),
            to: BOB,
            amount: paid,
        }));
    });
}

#[test]
fn removing_what_is_not_there_costs_and_refunds_nothing() {
    run(|| {
        let contract = deploy(toggle());
        assert_eq!(call(contract, &[0]).storage_deposit, Deposit::Charge(0));
    });
}

#[test]
fn the_limit_is_exact_and_beyond_it_nothing_is_left() {
    run(|| {
        let contract = deploy(store());
        let needed = (100 + KEY) * PER_BYTE + PER_CHILD_ITEM;
        let failure = unchanged(|| call_as(ALICE, contract, &input(100, 1), Some(needed - 1)).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::StorageDepositLimitExhausted.into());
        assert_eq!(failure.detail, format!("a storage deposit of {needed} is needed, the limit is {}", needed - 1));
        assert!(call_as(ALICE, contract, &input(100, 1), Some(needed)).result.is_ok());
    });
}

#[test]
fn the_limit_of_an_instantiation_covers_account_code_and_contract() {
    run(|| {
        let code = store();
        let make = |limit| {
            let limits = Limits { gas: GAS, deposit: Some(limit) };
            let code = crate::types::Code::Upload(code.clone());
            Polkavm::bare_instantiate(ALICE, 0, limits, code, vec![], Some([0; 32]), ExecConfig::extrinsic())
        };
        let needed = with_rollback(|| make(START).storage_deposit.amount());
        let failure = unchanged(|| make(needed - 1).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::StorageDepositLimitExhausted.into());
        let before = Balances::free_balance(&ALICE);
        assert!(make(needed).result.is_ok());
        assert_eq!(Balances::free_balance(&ALICE), before - needed, "that is all it costs");
    });
}

#[test]
fn an_origin_that_cannot_pay_the_deposit_fails() {
    run(|| {
        let contract = deploy(store());
        let poor = ethereum_account(H160([6; 20]));
        Balances::force_set_balance(RuntimeOrigin::root(), poor.clone(), ED + 10).unwrap();
        let failure = unchanged(|| call_as(poor, contract, &input(100, 1), None).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::StorageDepositNotEnoughFunds.into());
    });
}

#[test]
fn a_price_change_neither_overcharges_refunds_nor_leaves_a_rest() {
    run(|| {
        let contract = deploy(store());
        let base = held(contract);
        call(contract, &input(100, 1)).result.unwrap();
        DepositPerByte::set(&(PER_BYTE * 5));
        call(contract, &input(100, 2)).result.unwrap();
        DepositPerByte::set(&1);
        call(contract, &input(0, 1)).result.unwrap();
        call(contract, &input(0, 2)).result.unwrap();
        let info = ContractInfoOf::<Test>::get(contract).unwrap();
        assert_eq!(held(contract), base + info.storage_byte_deposit + info.storage_item_deposit);
        assert_eq!(info.storage_items, 2);

        let mut info = info;
        let all = Diff { bytes_removed: info.storage_bytes, items_removed: 2, ..Default::default() };
        let rest = info.storage_byte_deposit + info.storage_item_deposit;
        assert_eq!(all.apply(&mut info), Deposit::Refund(rest));
        assert_eq!((info.storage_byte_deposit, info.storage_item_deposit), (0, 0));
    });
}

#[test]
fn the_net_of_a_call_is_what_counts() {
    run(|| {
        // Adds 64 bytes and an item, and removes them, in one call.
        let code = Contract::with_call()
            .data(0, &[1; 32])
            .host("set_storage", &[0, at(100), SENTINEL, at(0), 32])
            .host("set_storage_or_clear", &[0, at(100), at(200)])
            .ret()
            .build();
        let contract = deploy(code);
        let execution = call_as(ALICE, contract, &[], Some(0));
        assert!(execution.result.is_ok());
        assert_eq!(execution.storage_deposit, Deposit::Charge(0));
    });
}

mod model {
    use super::*;
    use crate::metering::ledger::Ledger;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// For all writes and prices, a contract's counters are the sum of what is stored, and refunds never exceed the
        /// amount paid.
        #[test]
        fn counters_agree_with_the_sum_of_writes(
            writes in proptest::collection::vec((0u8..4, proptest::option::of(0u32..400), 0u128..50), 1..60),
        ) {
            run(|| {
                let address = H160([1; 20]);
                let mut info = ContractInfo::<Test>::new(Default::default());
                let mut stored: [Option<u32>; 4] = [None; 4];
                let mut balance: i128 = 0;
                for (key, value, price) in writes.clone() {
                    DepositPerByte::set(&price);
                    let old = core::mem::replace(&mut stored[usize::from(key)], value);
                    let mut ledger = Ledger::<Test>::new(None);
                    ledger.enter(address, info.clone());
                    ledger.record(&address, &Diff::of_write(32, old, value));
                    let total = ledger.total();
                    let settled = ledger.close();
                    assert_eq!(ledger.total(), total);
                    assert_eq!(settled[0].deposit.amount(), total.amount());
                    info = settled[0].info.clone();
                    balance += match total {
                        Deposit::Charge(amount) => amount as i128,
                        Deposit::Refund(amount) => -(amount as i128),
                    };
                    let bytes: u32 = stored.iter().flatten().map(|len| len + 32).sum();
                    assert_eq!(info.storage_bytes, bytes);
                    assert_eq!(info.storage_items as usize, stored.iter().flatten().count());
                    assert_eq!(balance, (info.storage_byte_deposit + info.storage_item_deposit) as i128);
                    if bytes == 0 {
                        assert_eq!(balance, 0, "an empty contract owes nobody");
                    }
                }
            });
        }
    }
}
