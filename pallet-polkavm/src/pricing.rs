//! The chain's pricing: the conversion of the VM's gas to weight, and the kind of nodes that can build blocks at that
//! price.
//!
//! Used by the gas meter for every frame, and by nodes through [`crate::runtime_api::PolkavmApi::pricing`]. A program
//! keeps the cost model that it was stored with, so a chain has a price for each model. `docs/add-the-pallet.md`
//! explains the choice, `docs/gas.md` has the measurements.

use crate::code::CostModel;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The price of a unit of gas, in picoseconds of weight, for each cost model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct GasPrices {
    /// For [`CostModel::Naive`], where a unit is an instruction.
    pub naive: u32,
    /// For [`CostModel::Pipeline`], where a unit is a cycle of an idealised processor.
    pub pipeline: u32,
    /// For [`CostModel::CalibratedV1`], where a unit is 10 picoseconds of compiled code.
    pub calibrated_v1: u32,
}

impl GasPrices {
    /// The price for a model.
    const fn of(&self, model: CostModel) -> u32 {
        match model {
            CostModel::Naive => self.naive,
            CostModel::Pipeline => self.pipeline,
            CostModel::CalibratedV1 => self.calibrated_v1,
        }
    }
}

/// Maximum number of instructions that one unit of the pipeline model's gas pays for; a test counts them.
pub const INSTRUCTIONS_PER_PIPELINE_GAS: u32 = 12;

/// Minimum charge of the calibrated model for an instruction, on average over a block; a test counts it.
pub const LEAST_CALIBRATED_GAS: u32 = 5;

/// The conversion of gas to weight. A change reprices every stored program; the gas that a program uses stays the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Pricing {
    /// The price of the slowest executor, which is the interpreter inside the runtime: any node can build blocks.
    #[codec(index = 0)]
    Interpreted(GasPrices),
    /// The price of compiled code. Authorities have to compile; nodes that only import blocks may interpret.
    #[codec(index = 1)]
    Compiled(GasPrices),
}

impl Pricing {
    /// Interpreted, with the prices measured for this repository.
    ///
    /// The slowest kind of instruction takes 8.1 ns inside the runtime (`make weights`), the price of an instruction is a
    /// quarter more. The pipeline model charges one unit for up to [`INSTRUCTIONS_PER_PIPELINE_GAS`] instructions, the
    /// calibrated one at least [`LEAST_CALIBRATED_GAS`] units for an instruction.
    pub const INTERPRETED: Pricing = Pricing::Interpreted(GasPrices {
        naive: 10_000,
        pipeline: 10_000 * INSTRUCTIONS_PER_PIPELINE_GAS,
        calibrated_v1: 10_000_u32.div_ceil(LEAST_CALIBRATED_GAS),
    });

    /// Compiled, with the prices measured for this repository.
    ///
    /// The worst case is a chain of loads, each of which misses the second-level cache: 93 ns for one unit of the naive
    /// model, so under that model compiled code can't be cheaper; and for 25 units of the pipeline model, 3.7 ns for
    /// each. The calibrated model's unit is already 10 ps, and is charged sixfold, which covers the worst programs
    /// found by a search (`docs/gas.md#the-price-of-compiled-code`).
    pub const COMPILED: Pricing = Pricing::Compiled(GasPrices { naive: 10_000, pipeline: 4_000, calibrated_v1: 60 });

    /// The prices of gas.
    pub const fn prices(&self) -> &GasPrices {
        match self {
            Pricing::Interpreted(prices) | Pricing::Compiled(prices) => prices,
        }
    }

    /// Picoseconds of weight per unit of a model's gas. Never zero: the integrity test refuses that, but divisions must
    /// not depend on it.
    pub const fn ref_time_per_gas(&self, model: CostModel) -> u64 {
        let price = self.prices().of(model);
        if price == 0 { 1 } else { price as u64 }
    }

    /// True if authorities have to compile.
    pub const fn requires_compiler(&self) -> bool {
        matches!(self, Pricing::Compiled(_))
    }
}
