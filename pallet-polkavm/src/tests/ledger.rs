//! Compares the ledger of deposits with a model without layers, which copies everything at each frame and sums up from
//! scratch.

use crate::{
    ContractInfo,
    metering::{
        deposit::Diff,
        ledger::{Ledger, Termination},
    },
    mock::*,
    types::Deposit,
};
use proptest::prelude::*;
use sp_core::H160;
use std::collections::BTreeMap;

/// An operation on a ledger. Contracts are numbered; those of the lower half existed before.
#[derive(Clone, Debug)]
enum Step {
    /// A frame begins, with a limit or without.
    Begin(Option<u16>),
    /// It succeeds, if it is within its limit.
    End,
    /// It fails or reverts.
    Undo,
    /// A contract stores or removes: the length before and after.
    Write(u8, Option<u16>, Option<u16>),
    /// A contract is instantiated, by a frame that succeeds if the flag is set.
    Make(u8, bool),
    /// A contract terminates itself.
    Terminate(u8, bool),
    /// The origin pays an amount immediately, or receives one.
    Paid(u16, bool),
}

const CONTRACTS: u8 = 8;
const KEY: u32 = 32;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => proptest::option::weighted(0.3, 0u16..4_000).prop_map(Step::Begin),
        3 => Just(Step::End),
        1 => Just(Step::Undo),
        6 => (0..CONTRACTS, proptest::option::of(0u16..400), proptest::option::of(0u16..400))
            .prop_map(|(contract, old, new)| Step::Write(contract, old, new)),
        1 => (CONTRACTS / 2..CONTRACTS, any::<bool>()).prop_map(|(contract, done)| Step::Make(contract, done)),
        1 => (0..CONTRACTS, any::<bool>()).prop_map(|(contract, always)| Step::Terminate(contract, always)),
        1 => (0u16..500, any::<bool>()).prop_map(|(amount, back)| Step::Paid(amount, back)),
    ]
}

fn address(contract: u8) -> H160 {
    H160([contract + 1; 20])
}

/// A contract in the model.
#[derive(Clone, Debug)]
struct Contract {
    before: Option<ContractInfo<Test>>,
    info: ContractInfo<Test>,
    /// Bytes and items added or removed.
    bytes: i64,
    items: i64,
    termination: Option<bool>,
}

/// The model: all of it, copied for each frame.
#[derive(Clone, Debug, Default)]
struct Model {
    contracts: BTreeMap<u8, Contract>,
    paid: i128,
}

impl Model {
    fn price(contract: &Contract) -> i128 {
        let (mut bytes, mut items) = (contract.bytes, contract.items);
        let mut total = 0;
        for (net, price, count, paid) in [
            (&mut bytes, PER_BYTE, contract.info.storage_bytes, contract.info.storage_byte_deposit),
            (&mut items, PER_CHILD_ITEM, contract.info.storage_items, contract.info.storage_item_deposit),
        ] {
            total += if *net >= 0 {
                *net as i128 * price as i128
            } else {
                let gone = (-*net) as u128;
                -((if gone >= u128::from(count) { paid } else { paid * gone / u128::from(count) }) as i128)
            };
        }
        let held = contract.before.as_ref().map_or(0, |before| before.base_deposit);
        total + contract.info.base_deposit as i128 - held as i128
    }

    fn total(&self) -> i128 {
        self.paid + self.contracts.values().map(Self::price).sum::<i128>()
    }

    /// The total at the end of the transaction, including contracts that end.
    fn settled(&self) -> i128 {
        let end = |contract: &Contract| match contract.termination {
            Some(always) if always || contract.before.is_none() => {
                -(contract.before.as_ref().map_or(0, ContractInfo::total_deposit) as i128)
            }
            _ => Self::price(contract),
        };
        self.paid + self.contracts.values().map(end).sum::<i128>()
    }
}

fn number(deposit: Deposit<Balance>) -> i128 {
    match deposit {
        Deposit::Charge(amount) => amount as i128,
        Deposit::Refund(amount) => -(amount as i128),
    }
}

/// A contract that existed before: it has storage, paid at another price than the current one.
fn old(contract: u8) -> ContractInfo<Test> {
    let mut info = ContractInfo::<Test>::new(Default::default());
    info.storage_bytes = 1_000 * (u32::from(contract) + 1);
    info.storage_items = 10;
    info.storage_byte_deposit = 7_777;
    info.storage_item_deposit = 333;
    info.set_base_deposit(500);
    info
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// For every order of frames, writes, terminations and reverts, the ledger's total is the model's, its limits are
    /// the model's, and the settlement moves the total.
    #[test]
    fn the_ledger_agrees_with_a_model_that_copies(
        steps in proptest::collection::vec(step(), 0..120),
        limit in proptest::option::weighted(0.2, 0u32..20_000),
    ) {
        run_in_runtime(|| {
            let mut ledger = Ledger::<Test>::new(limit.map(Into::into));
            let mut model = Model::default();
            // For each frame, the model before it, and its limit.
            let mut frames: Vec<(Model, i128)> = Vec::new();
            let most = limit.map_or(i128::MAX / 4, i128::from);
            for contract in 0..CONTRACTS / 2 {
                let info = old(contract);
                ledger.enter(address(contract), info.clone());
                let before = Some(info.clone());
                model.contracts.insert(contract, Contract { before, info, bytes: 0, items: 0, termination: None });
            }
            for step in steps.clone() {
                match step {
                    Step::Begin(limit) => {
                        let (start, allowed) = frames.last().map_or((0, most), |(start, allowed)| (start.total(), *allowed));
                        let left = (allowed - (model.total() - start)).max(0);
                        let allowed = limit.map_or(left, |limit| left.min(limit.into()));
                        ledger.begin(limit.map(Into::into));
                        frames.push((model.clone(), allowed));
                    }
                    Step::End => {
                        let Some((before, allowed)) = frames.last().cloned() else { continue };
                        let fits = model.total() - before.total() <= allowed;
                        assert_eq!(ledger.commit().is_ok(), fits);
                        if fits {
                            frames.pop();
                        } else {
                            // As the call stack does with a frame beyond its limit.
                            ledger.rollback();
                            model = frames.pop().unwrap().0;
                        }
                    }
                    Step::Undo => {
                        let Some((before, _)) = frames.pop() else { continue };
                        ledger.rollback();
                        model = before;
                    }
                    Step::Write(contract, old, new) => {
                        let Some(entry) = model.contracts.get_mut(&contract) else { continue };
                        let diff = Diff::of_write(KEY, old.map(Into::into), new.map(Into::into));
                        entry.bytes += i64::from(diff.bytes_added) - i64::from(diff.bytes_removed);
                        entry.items += i64::from(diff.items_added) - i64::from(diff.items_removed);
                        ledger.record(&address(contract), &diff);
                    }
                    Step::Make(contract, done) => {
                        if model.contracts.contains_key(&contract) {
                            continue;
                        }
                        let info = ContractInfo::<Test>::new(Default::default());
                        ledger.create(address(contract), info.clone());
                        let mut made = Contract { before: None, info, bytes: 0, items: 0, termination: None };
                        if done {
                            made.info.set_base_deposit(100);
                            ledger.change(&address(contract), |entry| entry.info.set_base_deposit(100));
                        }
                        model.contracts.insert(contract, made);
                    }
                    Step::Terminate(contract, always) => {
                        let Some(entry) = model.contracts.get_mut(&contract) else { continue };
                        entry.termination = Some(always || entry.termination == Some(true));
                        ledger.terminate(&address(contract), Termination { beneficiary: H160::zero(), always });
                    }
                    Step::Paid(amount, back) => {
                        let amount = u128::from(amount);
                        if back {
                            ledger.record_returned(amount);
                            model.paid -= amount as i128;
                        } else {
                            ledger.record_paid(amount);
                            model.paid += amount as i128;
                        }
                    }
                }
                assert_eq!(number(ledger.total()), model.total(), "{step:?}");
            }
            while let Some((before, _)) = frames.pop() {
                ledger.rollback();
                model = before;
            }
            let settled = ledger.close();
            assert_eq!(number(ledger.total()), model.settled());
            let moved: i128 = settled.iter().map(|contract| number(contract.deposit)).sum();
            assert_eq!(moved + model.paid, model.settled(), "what moves is the total, less what was paid at once");
            for contract in &settled {
                // The deposit held afterwards is that of the record.
                let entry = &model.contracts[&(contract.address.0[0] - 1)];
                let held = entry.before.as_ref().map_or(0, ContractInfo::total_deposit) as i128;
                let after = if contract.termination.is_some() { 0 } else { contract.info.total_deposit() as i128 };
                assert_eq!(held + number(contract.deposit), after);
            }
        });
    }
}
