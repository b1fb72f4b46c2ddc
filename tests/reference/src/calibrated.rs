//! The calibrated cost model: `docs/spec/gas.md#the-calibrated-model`.

use crate::code::{DecodedCode, Instruction};
use std::collections::BTreeMap;

/// Gas that a conditional branch refunds when it goes the likely way.
pub const MISPREDICTION: u32 = 480;

/// A resource that an instruction waits for, or makes ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Resource {
    Register(usize),
    Memory,
}

/// Cost of a block of a program that can address this many bytes of memory.
pub fn cost(code: &DecodedCode, memory: u64, block: &[Instruction]) -> u32 {
    let mut ready: BTreeMap<Resource, u64> = BTreeMap::new();
    let (mut throughput, mut serial, mut chain) = (0, 0, 0);
    for instruction in block {
        let row = Row::of(instruction, code.isa.wide(), memory);
        let at = |resource: &Resource| ready.get(resource).copied().unwrap_or(0);
        let operands = row.reads.iter().map(|register| at(&Resource::Register(*register))).max().unwrap_or(0);
        let result = match row.access {
            Access::None => operands + row.latency,
            Access::Load => (operands + row.latency).max(at(&Resource::Memory) + FORWARDING),
            Access::Store => operands.max(at(&Resource::Memory)),
        };
        if let Some(register) = row.writes {
            ready.insert(Resource::Register(register), result);
        }
        if row.access == Access::Store {
            ready.insert(Resource::Memory, result);
        }
        chain = chain.max(result);
        throughput += row.throughput;
        serial += row.serial;
    }
    let total = entry(u64::from(code.len())) + serial + throughput.max(chain);
    total.min(u64::from(u32::MAX)) as u32
}

/// True if the likely way of a branch is to its target.
pub fn is_likely_taken(code: &DecodedCode, branch: &Instruction) -> bool {
    match (code.looks_rare(branch.next), code.looks_rare(branch.target)) {
        (true, true) | (false, false) => branch.target <= branch.offset,
        (fall_through_is_rare, _) => fall_through_is_rare,
    }
}

/// Latency from the last store to a load.
const FORWARDING: u64 = 120;

const KIB: u64 = 1024;

/// Cost of entering a block.
fn entry(code: u64) -> u64 {
    match code {
        _ if code <= 4 * KIB => 35,
        _ if code <= 16 * KIB => 150,
        _ if code <= 64 * KIB => 400,
        _ => 900,
    }
}

/// Latency and throughput of a load.
fn load(memory: u64) -> (u64, u64) {
    match memory {
        _ if memory <= 16 * KIB => (150, 12),
        _ if memory <= 32 * KIB => (170, 12),
        _ if memory <= 64 * KIB => (240, 12),
        _ if memory <= 128 * KIB => (290, 12),
        _ if memory <= 256 * KIB => (380, 15),
        _ if memory <= 512 * KIB => (500, 20),
        _ if memory <= 1024 * KIB => (800, 40),
        _ if memory <= 2048 * KIB => (1000, 60),
        _ => (7000, 1000),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    None,
    Load,
    Store,
}

/// A row of the table, for one instruction.
struct Row {
    throughput: u64,
    serial: u64,
    latency: u64,
    access: Access,
    writes: Option<usize>,
    reads: Vec<usize>,
}

impl Row {
    fn of(i: &Instruction, wide: bool, memory: u64) -> Row {
        let x = if wide { 30 } else { 0 };
        let (d, sources) = match i.form {
            "RRR" => (i.r3, vec![i.r1, i.r2]),
            _ => (i.r1, vec![i.r2]),
        };
        let computed = |throughput: u64, latency: u64| Row {
            throughput,
            serial: 0,
            latency,
            access: Access::None,
            writes: Some(d),
            reads: sources.clone(),
        };
        let nothing = Row { throughput: 0, serial: 0, latency: 0, access: Access::None, writes: None, reads: vec![] };
        let (load_latency, load_throughput) = load(memory);
        let loaded = |reads: Vec<usize>| Row {
            throughput: load_throughput,
            latency: load_latency,
            access: Access::Load,
            writes: Some(i.r1),
            reads,
            ..nothing
        };
        let name = i.name;
        let is = |start: &str| name.starts_with(start);
        match name {
            "and" | "or" | "xor" | "add_64" | "sub_64" => computed(8, 30),
            "and_imm" | "or_imm" | "xor_imm" | "add_imm_64" | "rotate_right_imm_64" | "reverse_byte" => computed(8, 30),
            "shift_logical_left_imm_64" | "shift_logical_right_imm_64" | "shift_arithmetic_right_imm_64" => {
                computed(8, 30)
            }
            "add_32" | "sub_32" | "add_imm_32" | "rotate_right_imm_32" => computed(13, 30 + x),
            "shift_logical_left_imm_32" | "shift_logical_right_imm_32" | "shift_arithmetic_right_imm_32" => {
                computed(13, 30 + x)
            }
            _ if is("count_trailing_zero_bits") => computed(15, 60),
            _ if is("count_") || is("sign_extend_") || is("zero_extend_") => computed(8, 30),
            "rotate_left_32" | "rotate_right_32" | "rotate_left_64" | "rotate_right_64" => computed(35, 65),
            "rotate_right_imm_alt_32" | "rotate_right_imm_alt_64" => computed(35, 65),
            _ if is("shift_") && name.ends_with("_imm_alt_64") => computed(16, 30),
            _ if is("shift_") && name.ends_with("_imm_alt_32") => computed(20, 30 + x),
            _ if is("shift_") && name.ends_with("_64") => computed(14, 30),
            _ if is("shift_") && name.ends_with("_32") => computed(16, 30 + x),
            _ if is("set_") => computed(15, 90),
            "cmov_if_zero" | "cmov_if_not_zero" => Row { reads: vec![d, i.r1, i.r2], ..computed(12, 30) },
            "cmov_if_zero_imm" | "cmov_if_not_zero_imm" => Row { reads: vec![d, i.r2], ..computed(20, 60) },
            _ if is("maximum") || is("minimum") => computed(16, 60),
            "and_inverted" | "or_inverted" => computed(14, 30),
            "xnor" => computed(12, 60),
            "negate_and_add_imm_64" => computed(14, 60),
            "negate_and_add_imm_32" => computed(20, 60 + x),
            "load_imm" => Row { reads: vec![], ..computed(5, 0) },
            "load_imm64" => Row { reads: vec![], ..computed(8, 0) },
            "move_reg" => computed(5, 0),
            "mul_64" | "mul_imm_64" => computed(30, 90),
            "mul_32" | "mul_imm_32" => computed(30, 90 + x),
            "mul_upper_unsigned_unsigned" => computed(30, 115),
            "mul_upper_signed_signed" => computed(45, 120),
            "mul_upper_signed_unsigned" => computed(70, 165),
            _ if (is("div_") || is("rem_")) && name.ends_with("_32") => computed(200, 350),
            _ if is("div_") || is("rem_") => computed(320, 560),
            _ if is("load_indirect_") => loaded(vec![i.r2]),
            "load_imm_and_jump" | "jump" => Row { throughput: 30, ..nothing },
            "jump_indirect" | "load_imm_and_jump_indirect" => Row { throughput: 30, serial: 420, ..nothing },
            _ if is("load_") => loaded(vec![]),
            _ if is("store_") => {
                let reads = match name {
                    _ if is("store_imm_indirect_") => vec![i.r1],
                    _ if is("store_imm_") => vec![],
                    _ if is("store_indirect_") => vec![i.r1, i.r2],
                    _ => vec![i.r1],
                };
                Row { throughput: 30, access: Access::Store, reads, ..nothing }
            }
            _ if is("branch_") => {
                let reads = if i.form == "RRO" { vec![i.r1, i.r2] } else { vec![i.r1] };
                Row { throughput: 10, serial: u64::from(MISPREDICTION), latency: 30, reads, ..nothing }
            }
            "ecalli" | "memset" => Row { serial: 60_000, ..nothing },
            "sbrk" => Row { serial: 60_000, ..computed(0, 0) },
            // trap, fallthrough, unlikely, and invalid instructions
            _ => nothing,
        }
    }
}
