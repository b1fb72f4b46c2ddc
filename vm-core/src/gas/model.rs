//! Cost models and their numbers.
//!
//! Selected by a program's configuration. Models are versioned data: a released one never changes, and a better one is
//! a new model with a new number, so that a chain can name the model that its old blocks ran with.

use crate::isa::{CodeView, Opcode};
use crate::memory::MemoryMap;

/// A cost model: the rules for the costs of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum CostModelKind {
    /// One gas per instruction, invalid ones included. Spec: `docs/spec/gas.md#the-naive-model`.
    #[default]
    Naive,
    /// Cycles on an idealised out-of-order processor with the given latency of loads. Spec:
    /// `docs/spec/gas.md#the-pipeline-model`.
    Pipeline(MemoryLatency),
    /// Execution time of compiled code, in units of 10 picoseconds: throughput, dependency chains, and a latency of
    /// loads that depends on the memory that the program can address. The first calibration. Spec:
    /// `docs/spec/gas.md#the-calibrated-model`.
    CalibratedV1,
}

impl CostModelKind {
    /// The permanent number of this model with its parameter: the upper byte is the model (0 naive, 1 pipeline, 2
    /// calibrated), the lower one the pipeline's latency or the version of the calibration.
    pub const fn id(self) -> u16 {
        match self {
            CostModelKind::Naive => 0,
            CostModelKind::Pipeline(latency) => 1 << 8 | latency.cycles() as u16,
            CostModelKind::CalibratedV1 => 2 << 8 | 1,
        }
    }

    /// Gas that a conditional branch refunds when it goes the likely way (see [`super::branch_is_likely_taken`]); 0 if
    /// the model has no refunds. A block that ends with a branch costs at least as much.
    pub const fn branch_refund(self) -> u32 {
        match self {
            CostModelKind::Naive | CostModelKind::Pipeline(_) => 0,
            CostModelKind::CalibratedV1 => super::calibrated::MISPREDICTION,
        }
    }

    /// The part of a host call's cost that pays for the handoff between compiled code and its host; 0 if the model has
    /// none.
    pub const fn host_call(self) -> u32 {
        match self {
            CostModelKind::Naive | CostModelKind::Pipeline(_) => 0,
            CostModelKind::CalibratedV1 => super::calibrated::HOST_CALL,
        }
    }

    /// The model with this number, if there is one.
    pub const fn from_id(id: u16) -> Option<CostModelKind> {
        match (id >> 8, MemoryLatency::new(id as u8)) {
            (0, None) if id == 0 => Some(CostModelKind::Naive),
            (1, Some(latency)) => Some(CostModelKind::Pipeline(latency)),
            (2, Some(MemoryLatency(1))) => Some(CostModelKind::CalibratedV1),
            _ => None,
        }
    }
}

/// Facts about a program, beside the instructions of a block, that a cost model may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProgramFacts {
    /// True if registers have 64 bits.
    pub is_64_bit: bool,
    /// Bytes of memory that it can address: all regions in whole pages, with the largest possible heap if the
    /// instruction set has an instruction that grows it.
    pub memory: u32,
    /// Length of the code in bytes.
    pub code: u32,
}

impl ProgramFacts {
    /// Collects the facts about a program with this memory map and code.
    pub fn new(map: &MemoryMap, code: &CodeView<'_>) -> Self {
        let rw_end = match code.isa().number(Opcode::Sbrk) {
            Some(_) => map.rw_end_with_heap(map.max_heap_size()),
            None => map.rw_end(),
        };
        let regions = [
            (MemoryMap::RO_BASE, map.ro_end()),
            (map.rw_base(), rw_end),
            (map.stack_low(), map.stack_high()),
            (map.aux_base(), map.aux_end()),
        ];
        // Cannot overflow: regions are disjoint, so their sum is less than the address space.
        let memory = regions.iter().fold(0_u32, |sum, (from, to)| sum.saturating_add(to.saturating_sub(*from)));
        ProgramFacts { is_64_bit: code.isa().is_64_bit(), memory, code: code.len() }
    }
}

/// Latency of a load in the pipeline model, in cycles: 1 to 127.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemoryLatency(u8);

impl MemoryLatency {
    /// First-level cache: 4 cycles.
    pub const L1: MemoryLatency = MemoryLatency(4);
    /// Second-level cache: 25 cycles.
    pub const L2: MemoryLatency = MemoryLatency(25);
    /// Third-level cache: 37 cycles.
    pub const L3: MemoryLatency = MemoryLatency(37);

    /// Another latency; `None` unless it is 1 to 127 cycles.
    pub const fn new(cycles: u8) -> Option<MemoryLatency> {
        match cycles {
            1..=127 => Some(MemoryLatency(cycles)),
            _ => None,
        }
    }

    /// The latency in cycles.
    pub const fn cycles(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_models_never_change_and_name_one_model_each() {
        assert_eq!(CostModelKind::Naive.id(), 0);
        let pipelines = [MemoryLatency::L1, MemoryLatency::L2, MemoryLatency::L3];
        assert_eq!(pipelines.map(|latency| CostModelKind::Pipeline(latency).id()), [0x104, 0x119, 0x125]);
        let known = (0..=u16::MAX).filter(|id| match CostModelKind::from_id(*id) {
            Some(model) => {
                assert_eq!(model.id(), *id);
                true
            }
            None => false,
        });
        assert_eq!(CostModelKind::CalibratedV1.id(), 0x201);
        assert_eq!(known.count(), 1 + 127 + 1);
    }
}
