//! Tests of the chain's pricing: the conversion of gas to weight, for code of each cost model, and how clients read it.

use crate::{
    CodeInfoOf, CostModel, GasPrices, Pricing, integrity, limits,
    metering::gas::GasMeter,
    mock::*,
    pricing::{INSTRUCTIONS_PER_PIPELINE_GAS, LEAST_CALIBRATED_GAS},
    program::Contract,
    runtime_api::{GasPriceV1, PricingV1},
};
use frame_support::weights::Weight;
use vm_core::{
    blob::{Blob, BlobBuilder},
    isa::{Instruction, Isa, Opcode, Reg},
    program::{Program, ProgramConfig},
};

/// A price that differs from all defaults.
const CHEAP: Pricing = Pricing::Compiled(GasPrices { naive: 700, pipeline: 300, calibrated_v1: 20 });

/// A contract's `call`, with this many additions.
fn additions(count: usize) -> Contract {
    let add = Instruction::rri(Opcode::AddImm64, Reg::A1, Reg::A1, 1);
    (0..count).fold(Contract::with_call(), |contract, _| contract.op(add))
}

#[test]
fn gas_becomes_weight_at_the_price_of_the_chain_and_back() {
    for pricing in [Pricing::INTERPRETED, Pricing::COMPILED, CHEAP] {
        ChainPricing::set(pricing);
        let price = pricing.ref_time_per_gas(CostModel::Naive);
        let mut gas = GasMeter::<Test>::new(Weight::from_parts(1_000 * price + price - 1, 0));
        assert_eq!(gas.to_vm(CostModel::Naive), 1_000, "{pricing:?}: what is no whole unit is not lent");
        gas.from_vm(CostModel::Naive, 400).unwrap();
        assert_eq!(gas.consumed(), Weight::from_parts(600 * price, 0), "{pricing:?}");
        assert_eq!(gas.to_vm(CostModel::Naive), 400, "{pricing:?}");
    }
}

#[test]
fn a_price_of_zero_is_refused_by_name_and_never_divided_by() {
    let free = Pricing::Compiled(GasPrices { naive: 0, pipeline: 300, calibrated_v1: 20 });
    assert_eq!(free.ref_time_per_gas(CostModel::Naive), 1);
    ChainPricing::set(free);
    let refused = std::panic::catch_unwind(integrity::check::<Test>).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("Pricing"), "{message}");
    ChainPricing::set(CHEAP);
    integrity::check::<Test>();
}

#[test]
fn the_same_call_costs_what_its_instructions_cost_under_either_pricing() {
    run(|| {
        let (short, long) = (deploy(additions(1).ret().build()), deploy(additions(101).ret().build()));
        let difference = |pricing| {
            ChainPricing::set(pricing);
            let [short, long] = [short, long].map(|contract| call(contract, &[]));
            assert_eq!(long.gas_consumed, long.gas_required);
            (long.gas_consumed - short.gas_consumed).ref_time()
        };
        let (dear, cheap) = (difference(Pricing::INTERPRETED), difference(CHEAP));
        // Loading the longer code costs the same under both.
        let prices = [Pricing::INTERPRETED, CHEAP].map(|pricing| pricing.ref_time_per_gas(CostModel::Naive));
        assert_eq!(dear - cheap, 100 * (prices[0] - prices[1]));
    });
}

#[test]
fn what_a_dry_run_tells_and_a_contract_sees_follows_the_price() {
    run(|| {
        // Queries; then, in another block, computes for a while and returns the result.
        let add = Instruction::rri(Opcode::AddImm64, Reg::A1, Reg::A1, 1);
        let asks = Contract::with_call().host("ref_time_left", &[]).keep(0);
        let asks = asks.op(Instruction::none(Opcode::Fallthrough));
        let contract = deploy((0..100).fold(asks, |contract, _| contract.op(add)).give(0, 8).build());
        let shown = [Pricing::INTERPRETED, CHEAP].map(|pricing| {
            ChainPricing::set(pricing);
            let required = Polkavm::dry_run_call(ALICE, contract, 0, None, None, Vec::new()).gas_required;
            let with = |limit: Weight| Polkavm::dry_run_call(ALICE, contract, 0, Some(limit), None, Vec::new()).result;
            assert!(with(required - Weight::from_parts(1, 0)).is_err(), "{pricing:?}: it is the least");
            u64::from_le_bytes(with(required).unwrap().data.try_into().unwrap())
        });
        // What is left then is for the block, and for returning.
        let prices = [Pricing::INTERPRETED, CHEAP].map(|pricing| pricing.ref_time_per_gas(CostModel::Naive));
        let difference = prices[0] - prices[1];
        assert_eq!((shown[0] - shown[1]) % difference, 0);
        assert_eq!((shown[0] - shown[1]) / difference, 100 + 3 + 1 + 1, "additions, arguments, the call, a trap");
    });
}

#[test]
fn nodes_are_told_the_pricing_with_a_price_for_each_cost_model() {
    for (pricing, ref_time) in [(Pricing::INTERPRETED, 10_000), (CHEAP, 700)] {
        ChainPricing::set(pricing);
        let price = |cost_model, model| GasPriceV1 { cost_model, ref_time: pricing.ref_time_per_gas(model) };
        let prices = vec![
            GasPriceV1 { cost_model: 0, ref_time },
            price(0x119, CostModel::Pipeline),
            price(0x201, CostModel::CalibratedV1),
        ];
        let expected = match pricing {
            Pricing::Interpreted(_) => PricingV1::Interpreted(prices),
            Pricing::Compiled(_) => PricingV1::Compiled(prices),
        };
        assert_eq!(Polkavm::view_pricing(), expected);
        assert_eq!(matches!(expected, PricingV1::Compiled(_)), pricing.requires_compiler());
    }
}

#[test]
fn the_layout_of_the_pricing_is_fixed() {
    use codec::Encode;
    assert_eq!(Pricing::Interpreted(GasPrices { naive: 1, pipeline: 1, calibrated_v1: 1 }).encode()[0], 0);
    assert_eq!(Pricing::Compiled(GasPrices { naive: 1, pipeline: 1, calibrated_v1: 1 }).encode()[0], 1);
    let told = PricingV1::Compiled(vec![GasPriceV1 { cost_model: 0x119, ref_time: 2 }]);
    assert_eq!(told.encode(), [1, 4, 0x19, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn stored_code_keeps_its_cost_model_through_an_upgrade_of_the_runtime() {
    run(|| {
        ChainCostModel::set(CostModel::Naive);
        let model_of = |code_hash| CodeInfoOf::<Test>::get(code_hash).unwrap().cost_model;
        let code = |count: usize| additions(count).ret().build();
        let (old, old_hash) = (deploy(code(50)), crate::code::code_hash(&code(50)));
        let before = call(old, &[]).gas_consumed;
        assert_eq!(model_of(old_hash), CostModel::Naive);

        // The new runtime stores code with another model.
        ChainCostModel::set(CostModel::Pipeline);
        assert_eq!(call(old, &[]).gas_consumed, before, "the old code runs as it did");
        upload(code(50));
        assert_eq!(model_of(old_hash), CostModel::Naive, "another upload of the same code changes nothing");

        // A contract with the old code, and one with new code that has one more instruction.
        let new = deploy(code(51));
        let price = |model| ChainPricing::get().ref_time_per_gas(model);
        assert_eq!(model_of(crate::code::code_hash(&code(51))), CostModel::Pipeline);
        ChainCostModel::set(CostModel::Naive);
        let ran = call(new, &[]).gas_consumed - load_cost(&code(51));
        let naive = before - load_cost(&code(50));
        assert_eq!(naive.ref_time() % price(CostModel::Naive), 0);
        assert_eq!(naive.ref_time() / price(CostModel::Naive), 51, "fifty additions and a return");
        assert_eq!(ran.ref_time() % price(CostModel::Pipeline), 0);
        assert_eq!(
            ran.ref_time() / price(CostModel::Pipeline),
            u64::from(cost_of(CostModel::Pipeline, 51, Opcode::AddImm64))
        );
    });
}

/// The cost of a block of this many instructions of a kind and a return.
fn cost_of(model: CostModel, count: usize, opcode: Opcode) -> u32 {
    let one = match opcode {
        Opcode::MoveReg => Instruction::rr(opcode, Reg::A1, Reg::A1),
        Opcode::LoadImm => Instruction::ri(opcode, Reg::A1, 1),
        _ => Instruction::rri(opcode, Reg::A1, Reg::A1, 1),
    };
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    let instructions = (0..count).map(|_| one).chain([Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0)]);
    builder.instructions(instructions.collect());
    let program = Program::new(
        &Blob::parse(&builder.build().unwrap()).unwrap(),
        &ProgramConfig { cost_model: model.into(), ..ProgramConfig::default() },
    );
    program.unwrap().block_cost(0).unwrap()
}

#[test]
fn no_block_has_more_instructions_for_a_unit_of_gas_than_the_interpreted_price_assumes() {
    // The instructions with the highest throughput.
    for opcode in [Opcode::MoveReg, Opcode::LoadImm, Opcode::AddImm64] {
        // All short ones, and the longest.
        for count in (1..64).chain([limits::BASIC_BLOCK_INSTRUCTIONS - 1]) {
            let (instructions, cost) = (count + 1, |model| cost_of(model, count as usize, opcode));
            let pipeline = cost(CostModel::Pipeline);
            assert!(
                instructions <= pipeline * INSTRUCTIONS_PER_PIPELINE_GAS,
                "{instructions} of {opcode:?}: {pipeline}"
            );
            let calibrated = cost(CostModel::CalibratedV1);
            assert!(instructions * LEAST_CALIBRATED_GAS <= calibrated, "{instructions} of {opcode:?}: {calibrated}");
        }
    }
}
