//! Tests of the gas meter by itself, and of the prices.

use crate::program::{Contract, at};
use crate::{
    Config, CostModel, Error, Pricing, WeightInfo,
    metering::{cost::Cost, gas::GasMeter, ledger::Ledger},
    mock::*,
    types::Deposit,
};
use frame_support::{traits::Hooks, weights::Weight};

type Weights = <Test as Config>::WeightInfo;

fn meter(ref_time: u64) -> GasMeter<Test> {
    GasMeter::new(Weight::from_parts(ref_time, 1 << 30))
}

#[test]
fn the_vm_gets_all_whole_units_and_the_rest_stays() {
    let mut gas = meter(1_000_000 + 9_999);
    assert_eq!(gas.to_vm(CostModel::Naive), 100);
    gas.from_vm(CostModel::Naive, 40).unwrap();
    assert_eq!(gas.consumed().ref_time(), 600_000);
    assert_eq!(gas.left().ref_time(), 409_999);
    assert_eq!(gas.to_vm(CostModel::Naive), 40);
    gas.from_vm(CostModel::Naive, 40).unwrap();
    assert_eq!(gas.consumed().ref_time(), 600_000);
}

#[test]
fn what_a_branch_gives_back_has_to_be_there() {
    // A unit of this model is 2 ns here, and up to 480 are refunded.
    let price = Pricing::INTERPRETED.ref_time_per_gas(CostModel::CalibratedV1);
    let mut gas = meter(10_000 * price);
    assert_eq!(gas.to_vm(CostModel::CalibratedV1), 10_000);
    gas.from_vm(CostModel::CalibratedV1, 9_000).unwrap();
    assert_eq!(gas.consumed().ref_time(), 1_000 * price);
    assert_eq!(gas.required().ref_time(), 1_480 * price);
    // At most the whole limit.
    gas.to_vm(CostModel::CalibratedV1);
    gas.from_vm(CostModel::CalibratedV1, 100).unwrap();
    assert_eq!(gas.required().ref_time(), 10_000 * price);
    // Other models refund nothing.
    let mut gas = meter(1_000_000);
    gas.to_vm(CostModel::Naive);
    gas.from_vm(CostModel::Naive, 40).unwrap();
    assert_eq!(gas.required(), gas.consumed());
}

#[test]
fn more_gas_than_was_given_is_no_gift_and_less_than_none_is_an_error() {
    let mut gas = meter(1_000_000);
    gas.to_vm(CostModel::Naive);
    gas.from_vm(CostModel::Naive, 1_000).unwrap();
    assert_eq!(gas.consumed(), Weight::zero());
    gas.to_vm(CostModel::Naive);
    assert_eq!(gas.from_vm(CostModel::Naive, -1), Err(Error::<Test>::OutOfGas.into()));
    assert_eq!(gas.consumed(), Weight::zero(), "what can't be paid isn't taken");
}

#[test]
fn a_limit_beyond_what_the_vm_can_count_is_cut() {
    let mut gas = GasMeter::<Test>::new(Weight::MAX);
    assert_eq!(gas.to_vm(CostModel::Naive), (u64::MAX / 10_000) as i64);
}

#[test]
fn a_charge_beyond_the_limit_takes_nothing() {
    let price = Cost::Basic.weight::<Weights>();
    let mut gas = GasMeter::<Test>::new(price);
    assert!(gas.charge(Cost::Basic).is_ok());
    assert_eq!(gas.charge(Cost::Basic).unwrap_err(), Error::<Test>::OutOfGas.into());
    assert_eq!(gas.consumed(), price);
    assert_eq!(gas.left(), Weight::zero());
}

#[test]
fn an_adjustment_gives_back_but_the_requirement_remembers() {
    let mut gas = meter(u64::MAX);
    let charged = gas.charge(Cost::GetStorage(416)).unwrap();
    gas.adjust(charged, Cost::GetStorage(16));
    assert_eq!(gas.consumed(), Cost::GetStorage(16).weight::<Weights>());
    assert_eq!(gas.required(), Cost::GetStorage(416).weight::<Weights>());
    // Never the other way.
    let charged = gas.charge(Cost::GetStorage(16)).unwrap();
    gas.adjust(charged, Cost::GetStorage(416));
    assert_eq!(gas.consumed(), Cost::GetStorage(16).weight::<Weights>() * 2);
}

#[test]
fn a_frames_meter_is_bounded_by_what_is_left_and_comes_back() {
    let mut outer = meter(1_000_000_000);
    let _ = outer.charge(Cost::Basic).unwrap();
    let mut inner = outer.first(Weight::MAX);
    assert_eq!(inner.left(), outer.left());
    let _ = inner.charge(Cost::Address).unwrap();
    outer.absorb(inner);
    assert_eq!(outer.consumed(), Cost::Basic.weight::<Weights>() + Cost::Address.weight::<Weights>());
    assert_eq!(outer.nested(Weight::from_parts(7, 9), Weight::zero()).left(), Weight::from_parts(7, 9));
    outer.consume_all();
    assert_eq!(outer.left(), Weight::zero());
}

#[test]
fn a_called_frame_gets_all_but_a_64th_and_the_requirement_has_room_for_it() {
    for used in [0, 1, 62, 63, 64, 65, 126, 127, 128, 6_400, 1_000_003] {
        let lends = |limit: u64| {
            let gas =
                GasMeter::<Test>::new(Weight::from_parts(limit, limit)).nested(Weight::MAX, Weight::zero()).left();
            assert_eq!(gas, Weight::from_parts(limit - limit / 64, limit - limit / 64));
            gas.ref_time()
        };
        let mut outer = GasMeter::<Test>::new(Weight::from_parts(10_000_000, 10_000_000));
        let mut inner = outer.nested(Weight::MAX, Weight::zero());
        inner.charge_weight(Weight::from_parts(used, used)).unwrap();
        outer.absorb(inner);
        assert_eq!(outer.consumed(), Weight::from_parts(used, used), "only what was used is taken");
        let required = outer.required().ref_time();
        assert!(lends(required) >= used, "{required} for {used}");
        assert!(required == 0 || lends(required - 1) < used, "{required} for {used}");
        assert_eq!(outer.required().proof_size(), required);
    }
}

#[test]
fn what_a_callee_must_get_is_required_though_it_is_not_used() {
    let mut gas = meter(1_000_000);
    assert_eq!(
        gas.ensure_lendable(Weight::from_parts(984_376, 0), Weight::zero()),
        Err(Error::<Test>::OutOfGas.into())
    );
    gas.ensure_lendable(Weight::from_parts(984_375, 0), Weight::zero()).unwrap();
    assert_eq!((gas.consumed(), gas.required().ref_time()), (Weight::zero(), 1_000_000 - 1));
}

#[test]
fn a_frame_keeps_its_settlement_besides_a_64th_and_the_requirement_has_room_for_both() {
    let settlement = Weight::from_parts(5_000, 300);
    let lends = |limit: Weight| GasMeter::<Test>::new(limit).nested(Weight::MAX, settlement).left();
    assert_eq!(lends(Weight::from_parts(640_000, 640_000)), Weight::from_parts(625_000, 629_700));
    assert_eq!(lends(Weight::from_parts(6_400, 640)), Weight::from_parts(5_900, 590), "five 64ths at most");
    assert_eq!(lends(Weight::MAX).ref_time(), u64::MAX - u64::MAX / 64 - 5_000);
    for used in
        [0, 1, 58, 59, 60, 117, 118, 119, 4_000, 4_499, 4_500, 73_000, 73_749, 73_750, 73_751, 100_000, 1_000_003]
    {
        let mut outer = GasMeter::<Test>::new(Weight::from_parts(10_000_000, 10_000_000));
        let mut inner = outer.nested(Weight::MAX, settlement);
        inner.charge_weight(Weight::from_parts(used, used)).unwrap();
        outer.absorb(inner);
        let required = outer.required();
        assert!(lends(required).all_gte(Weight::from_parts(used, used)), "{required} for {used}");
        let less = |time, proof| lends(required.saturating_sub(Weight::from_parts(time, proof)));
        assert!(required.ref_time() == 0 || less(1, 0).ref_time() < used, "{required} for {used}");
        assert!(required.proof_size() == 0 || less(0, 1).proof_size() < used, "{required} for {used}");
        let mut gas = GasMeter::<Test>::new(required);
        gas.ensure_lendable(Weight::from_parts(used, used), settlement).unwrap();
        assert_eq!(gas.required(), required);
    }
}

#[test]
fn a_frames_deposit_is_bounded_by_what_is_left_and_undone_with_it() {
    let mut ledger = Ledger::<Test>::new(Some(1000));
    ledger.record_paid(400);
    ledger.begin(None);
    ledger.record_paid(601);
    assert!(ledger.commit().is_err(), "it has 600");
    ledger.rollback();
    assert_eq!(ledger.total(), Deposit::Charge(400));

    ledger.begin(Some(500));
    ledger.record_paid(501);
    assert!(ledger.commit().is_err(), "it was given 500");
    ledger.record_returned(1);
    ledger.begin(Some(5000));
    ledger.record_returned(300);
    ledger.record_paid(300);
    ledger.commit().unwrap();
    ledger.commit().unwrap();
    assert_eq!(ledger.total(), Deposit::Charge(900));
}

#[test]
fn prices_grow_with_lengths() {
    for (small, large) in [
        (Cost::LoadCode(0), Cost::LoadCode(1)),
        (Cost::CopyIn(0), Cost::CopyIn(1)),
        (Cost::CopyOut(0), Cost::CopyOut(1)),
        (Cost::GetStorage(0), Cost::GetStorage(1)),
        (Cost::SetStorage { old: 0, new: 0 }, Cost::SetStorage { old: 1, new: 0 }),
        (Cost::SetStorage { old: 0, new: 0 }, Cost::SetStorage { old: 0, new: 1 }),
        (Cost::GetImmutableData(0), Cost::GetImmutableData(1)),
        (Cost::SetImmutableData(0), Cost::SetImmutableData(1)),
        (Cost::Keccak256(0), Cost::Keccak256(1)),
        (Cost::DepositEvent { topics: 0, len: 0 }, Cost::DepositEvent { topics: 1, len: 0 }),
        (Cost::DepositEvent { topics: 0, len: 0 }, Cost::DepositEvent { topics: 0, len: 1 }),
    ] {
        assert!(large.weight::<Weights>().any_gt(small.weight::<Weights>()), "{large:?}");
        assert!(small.weight::<Weights>().ref_time() > 0, "{small:?} is free");
    }
    // No length overflows to a low price.
    let most = Cost::DepositEvent { topics: u32::MAX, len: u32::MAX }.weight::<Weights>();
    assert!(most.ref_time() > 1_000_000_000_000_000);
}

#[test]
fn a_host_call_costs_its_price_and_its_instructions() {
    run(|| {
        let once = Contract::with_call().host("address", &[at(0)]).ret().build();
        let twice = Contract::with_call().host("address", &[at(0)]).host("address", &[at(0)]).ret().build();
        // The longer program also takes longer to load.
        let load = load_cost(&twice) - load_cost(&once);
        let difference = call(deploy(twice), &[]).gas_consumed - call(deploy(once), &[]).gas_consumed;
        // Two additional instructions: set A0, call.
        assert_eq!(difference, load + Cost::Basic.weight::<Weights>() + Weight::from_parts(2 * 10_000, 0));
    });
}

#[test]
fn storage_is_paid_by_the_true_length_of_its_values() {
    run(|| {
        // Writes as many bytes as the input has, twice, and reads them.
        let stores = |len: u64| {
            Contract::with_call()
                .data(0, &32u32.to_le_bytes())
                .host("set_storage", &[0, at(0), 4, at(0), len])
                .host("set_storage", &[0, at(0), 4, at(0), len])
                .host("get_storage", &[0, at(0), 4, at(32), at(0)])
                .ret()
                .build()
        };
        let price = |len: u32| {
            Cost::SetStorage { old: 0, new: len }.weight::<Weights>()
                + Cost::SetStorage { old: len, new: len }.weight::<Weights>()
                + Cost::GetStorage(len).weight::<Weights>()
        };
        let consumed = |len: u64| call(deploy(stores(len)), &[]).gas_consumed;
        assert_eq!(consumed(300) - consumed(2), price(300) - price(2));

        let clears = |value: u32| {
            Contract::with_call()
                .data(0, &[1; 32])
                .host("set_storage_or_clear", &[0, at(0), at(0)])
                .host("set_storage_or_clear", &[0, at(0), at(value)])
                .host("get_storage_or_zero", &[0, at(0), at(64)])
                .ret()
                .build()
        };
        let consumed = |value: u32| call(deploy(clears(value)), &[]).gas_consumed;
        let kept = Cost::SetStorage { old: 32, new: 32 }.weight::<Weights>() + Cost::GetStorage(32).weight::<Weights>();
        let cleared =
            Cost::SetStorage { old: 32, new: 0 }.weight::<Weights>() + Cost::GetStorage(0).weight::<Weights>();
        assert_eq!(consumed(0) - consumed(32), kept - cleared);
    });
}

#[test]
fn the_integrity_test_passes_for_a_sane_configuration() {
    run(<Polkavm as Hooks<u64>>::integrity_test);
}

#[test]
fn no_instruction_takes_longer_than_its_gas_pays_for() {
    // The benchmarks run a hundred of a kind for each unit.
    type Measured = fn(u32) -> Weight;
    let kinds: [(&str, Measured); 7] = [
        ("add", Weights::instruction_add),
        ("multiply", Weights::instruction_multiply),
        ("divide", Weights::instruction_divide),
        ("shift", Weights::instruction_shift),
        ("load", Weights::instruction_load),
        ("store", Weights::instruction_store),
        ("branch", Weights::instruction_branch),
    ];
    let price = Pricing::INTERPRETED.ref_time_per_gas(CostModel::Naive);
    for (kind, weight) in kinds {
        let taken = weight(1).saturating_sub(weight(0)).ref_time() / 100;
        assert!(taken > 0, "{kind} was not measured");
        assert!(taken <= price, "a {kind} takes {taken} ps, its gas pays {price}");
    }
}
