//! Blocks of one kind of instruction, to measure throughput (independent instructions) and latency (a dependency
//! chain).

use pvm_test_support::Rng;
use vm_core::isa::{Format, GasClass, InstructionSpec, TABLE};

/// Property that a block measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Throughput: the instructions are independent.
    Independent,
    /// Latency: each instruction depends on the previous one.
    Chained,
}

/// Number of instructions in a block.
pub const LENGTH: usize = 96;

/// The instructions of `ReviveV1` that compute or access memory.
pub fn computing() -> Vec<&'static InstructionSpec> {
    let left_out = |class| matches!(class, GasClass::HostCall | GasClass::Sbrk | GasClass::Unlikely | GasClass::Trap);
    TABLE.iter().filter(|spec| spec.numbers[0].is_some() && !spec.ends_block && !left_out(spec.gas_class)).collect()
}

/// Assembly text of one instruction that writes `d` and reads `b` and `c`.
fn text(spec: &InstructionSpec, d: &str, b: &str, c: &str, number: usize) -> String {
    let (name, offset) = (spec.mnemonic, 8 * (number % 64));
    match spec.format {
        Format::RegRegReg => format!("{name} {d}, {b}, {c}"),
        Format::RegReg => format!("{name} {d}, {b}"),
        Format::RegRegImm if name.starts_with("load") => format!("{name} {d}, s0, {offset}"),
        Format::RegRegImm if name.starts_with("store") => format!("{name} {b}, s0, {offset}"),
        Format::RegRegImm => format!("{name} {d}, {b}, 5"),
        Format::RegImm if name == "load_imm" => format!("{name} {d}, 77"),
        Format::RegImm => format!("{name} {d}, {}", 0x2_0000 + offset),
        Format::RegImm64 => format!("{name} {d}, 0x123456789abcdef"),
        Format::RegImmImm => format!("{name} s0, {offset}, 5"),
        Format::ImmImm => format!("{name} {}, 5", 0x2_0000 + offset),
        _ => String::new(),
    }
}

/// Assembly text of a program whose export `run` executes a body in a loop.
pub fn looped(memory: u32, body: &[String]) -> String {
    format!(
        ".isa ReviveV1\n.rw_size {memory}\n.export \"run\" run\nrun:\n move_reg s1, a0\n load_imm s0, 0x20000\n \
         load_imm64 a0, 0xfedcba9876543210\n load_imm64 a1, 0xfffffffffffffff1\n load_imm a2, 3\n \
         load_imm64 a3, 0x123456789\n load_imm64 a4, 0x8000000000000001\n load_imm a5, 7\n load_imm t0, 1\n fallthrough\nagain:\n {}\n \
         add_imm_64 s1, s1, -1\n branch_not_eq_imm s1, 0, again\n jump_indirect ra, 0\n",
        body.join("\n ")
    )
}

/// A block of one instruction, repeated [`LENGTH`] times.
pub fn block(spec: &InstructionSpec, shape: Shape) -> Vec<String> {
    const REGISTERS: [&str; 6] = ["a0", "a1", "a2", "t0", "t1", "t2"];
    let one = |number| match shape {
        Shape::Independent => text(spec, REGISTERS[number % 6], "a3", "a5", number),
        Shape::Chained => text(spec, "a0", "a0", "a5", number),
    };
    (0..LENGTH).map(one).collect()
}

/// A random block of instructions of these kinds, and the count of each, in the order of `kinds`.
pub fn mixed(kinds: &[&'static InstructionSpec], rng: &mut Rng) -> (Vec<String>, Vec<usize>) {
    const REGISTERS: [&str; 4] = ["a0", "a1", "a2", "t0"];
    let pool: Vec<usize> = (0..2 + rng.index(8)).map(|_| rng.index(kinds.len())).collect();
    let mut counts = vec![0; kinds.len()];
    let body = (0..LENGTH).map(|number| {
        let kind = rng.pick(&pool);
        counts[kind] += 1;
        text(kinds[kind], REGISTERS[number % 4], rng.pick(&["a3", "a4"]), "a5", number)
    });
    let body = body.collect();
    (body, counts)
}
