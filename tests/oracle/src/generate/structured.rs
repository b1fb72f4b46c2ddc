//! Random structured programs, similar to compiled ones: functions that call each other and return through the jump
//! table, terminating loops, conditions, host calls, and memory accesses that mostly succeed and often straddle a page
//! boundary.

use super::{Parts, flat};
use pvm_test_support::Rng;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};

/// Registers with a fixed role: loop counters by depth, and the base of accesses. Nothing else writes them.
const COUNTERS: [Reg; 2] = [Reg::S1, Reg::T2];
const BASE: Reg = Reg::S0;
/// Registers that hold computed values.
const VALUES: [Reg; 8] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5, Reg::T0, Reg::T1];

struct Builder<'a> {
    isa: Isa,
    rng: &'a mut Rng,
    list: Vec<Instruction>,
    /// Indexes of instructions that the jump table leads to.
    table: Vec<usize>,
    /// Indexes of the first instructions of functions; main comes first, and callees before their callers after it.
    functions: Vec<usize>,
    /// Calls whose target is a function by number.
    calls: Vec<(usize, usize)>,
    values: Vec<Opcode>,
    loads: Vec<Opcode>,
    stores: Vec<Opcode>,
    branches: Vec<Opcode>,
    memset: bool,
}

/// A structured program.
pub fn program(isa: Isa, rng: &mut Rng) -> Parts {
    let all = flat::opcodes(isa);
    let named = |start: &str| -> Vec<Opcode> {
        all.iter().copied().filter(|opcode| opcode.spec().mnemonic.starts_with(start)).collect()
    };
    let computes = |opcode: &Opcode| {
        let format = opcode.spec().format;
        let mnemonic = opcode.spec().mnemonic;
        matches!(format, Format::RegRegReg | Format::RegReg | Format::RegRegImm | Format::RegImm64)
            && !mnemonic.starts_with("store_")
            && !mnemonic.starts_with("load_indirect")
            && *opcode != Opcode::Sbrk
    };
    let mut builder = Builder {
        isa,
        list: Vec::new(),
        table: Vec::new(),
        functions: Vec::new(),
        calls: Vec::new(),
        values: all.iter().copied().filter(computes).collect(),
        loads: named("load_indirect_"),
        stores: named("store_indirect_"),
        branches: named("branch_"),
        memset: rng.chance(20),
        rng,
    };
    let functions = 1 + builder.rng.below(3) as usize;
    for number in 0..functions {
        builder.function(number, functions);
    }
    if builder.rng.chance(80) || isa == Isa::JamV1 {
        builder.list.push(Instruction::none(Opcode::Trap));
    }
    for (call, function) in std::mem::take(&mut builder.calls) {
        builder.list[call].target = builder.functions[function] as u32;
    }
    let mut parts = flat::parts(isa, &builder.list, &builder.table, builder.rng);
    // Two pages of data around the addresses that are used, and a stack for return addresses.
    parts.sizes = [0, parts.sizes[1].max(0x1001), 0x1000];
    parts
}

impl Builder<'_> {
    fn push(&mut self, instruction: Instruction) {
        self.list.push(instruction);
    }

    /// Makes the next instruction a jump target; returns its index.
    fn label(&mut self) -> usize {
        if self.list.last().is_some_and(|last| !last.opcode.spec().ends_block) {
            self.push(Instruction::none(Opcode::Fallthrough));
        }
        self.list.len()
    }

    fn word(&self, wide: Opcode, narrow: Opcode) -> Opcode {
        if self.isa.is_64_bit() { wide } else { narrow }
    }

    fn add_imm(&mut self, reg: Reg, value: i32) {
        let opcode = self.word(Opcode::AddImm64, Opcode::AddImm32);
        self.push(Instruction::rri(opcode, reg, reg, value));
    }

    /// Generates a function: saves its return address, computes, returns. Main sets up the stack and returns to the
    /// host.
    fn function(&mut self, number: usize, functions: usize) {
        let start = self.label();
        self.functions.push(start);
        let (store, load) = (
            self.word(Opcode::StoreIndirectU64, Opcode::StoreIndirectU32),
            self.word(Opcode::LoadIndirectU64, Opcode::LoadIndirectI32),
        );
        if number == 0 {
            let high = self.rng.pick(&[0xfffe_0000u32, 0xfffe_0000, 0xfffd_0000]);
            self.push(Instruction::ri(Opcode::LoadImm, Reg::SP, high as i32));
            self.push(Instruction::ri(Opcode::LoadImm, BASE, 0x2_1000 - 4));
        }
        self.add_imm(Reg::SP, -8);
        self.push(Instruction::rri(store, Reg::RA, Reg::SP, 0));
        for _ in 0..1 + self.rng.below(5) {
            self.statement(0, number, functions);
        }
        self.push(Instruction::rri(load, Reg::RA, Reg::SP, 0));
        self.add_imm(Reg::SP, 8);
        if number == 0 && self.rng.chance(80) {
            self.push(Instruction::ri(Opcode::LoadImm, Reg::RA, 0xffff_0000u32 as i32));
        }
        self.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    }

    fn statement(&mut self, depth: usize, number: usize, functions: usize) {
        match self.rng.below(12) {
            0 | 1 if depth < COUNTERS.len() => self.repeat(depth, number, functions),
            2 | 3 if depth < 3 => self.either(depth, number, functions),
            4 if number + 1 < functions && depth == 0 => self.call(number, functions),
            5 | 6 => self.access(),
            7 if self.rng.chance(40) => self.push(Instruction::i(Opcode::Ecalli, self.list.len() as i32 % 3)),
            7 if self.isa == Isa::Latest32 => self.heap(),
            _ => self.compute(),
        }
    }

    fn compute(&mut self) {
        for _ in 0..1 + self.rng.below(6) {
            let opcode = self.rng.pick(&self.values);
            let mut instruction = flat::instruction(opcode, self.rng);
            instruction.r1 = self.rng.pick(&VALUES);
            instruction.r3 = self.rng.pick(&VALUES);
            self.push(instruction);
        }
    }

    /// Generates a store and a load near a page boundary.
    fn access(&mut self) {
        let (store, load) = (self.rng.pick(&self.stores), self.rng.pick(&self.loads));
        let (from, to) = (self.rng.pick(&VALUES), self.rng.pick(&VALUES));
        let at = if self.rng.chance(97) { self.rng.below(16) as i32 - 8 } else { self.rng.immediate() };
        self.push(Instruction::rri(store, from, BASE, at));
        let near = at.wrapping_add(self.rng.below(4) as i32 - 2);
        self.push(Instruction::rri(load, to, BASE, near));
    }

    fn repeat(&mut self, depth: usize, number: usize, functions: usize) {
        let counter = COUNTERS[depth];
        let times = self.rng.below(6) as i32 + 1;
        self.push(Instruction::ri(Opcode::LoadImm, counter, times));
        let start = self.label();
        for _ in 0..1 + self.rng.below(3) {
            self.statement(depth + 1, number, functions);
        }
        self.add_imm(counter, -1);
        self.push(Instruction::rio(Opcode::BranchNotEqImm, counter, 0, start as u32));
    }

    fn either(&mut self, depth: usize, number: usize, functions: usize) {
        let branch = self.list.len();
        let opcode = self.rng.pick(&self.branches);
        let mut instruction = flat::instruction(opcode, self.rng);
        instruction.r1 = self.rng.pick(&VALUES);
        instruction.r2 = self.rng.pick(&VALUES);
        self.push(instruction);
        self.statement(depth + 1, number, functions);
        if self.rng.chance(50) {
            let jump = self.list.len();
            self.push(Instruction::o(Opcode::Jump, 0));
            self.list[branch].target = self.label() as u32;
            self.statement(depth + 1, number, functions);
            self.list[jump].target = self.label() as u32;
        } else {
            self.list[branch].target = self.label() as u32;
        }
        // The label must be at an instruction even if nothing follows.
        self.compute();
    }

    /// Generates a call of a later function, which returns through the jump table.
    fn call(&mut self, number: usize, functions: usize) {
        let callee = number + 1 + self.rng.below((functions - number - 1) as u32) as usize;
        let address = 2 * (self.table.len() as i32 + 1);
        if self.rng.chance(70) {
            self.calls.push((self.list.len(), callee));
            self.push(Instruction::rio(Opcode::LoadImmAndJump, Reg::RA, address, 0));
        } else {
            self.push(Instruction::ri(Opcode::LoadImm, Reg::RA, address));
            self.calls.push((self.list.len(), callee));
            self.push(Instruction::o(Opcode::Jump, 0));
        }
        self.table.push(self.list.len());
        self.compute();
    }

    /// Generates heap growth and memory fills.
    fn heap(&mut self) {
        let size = self.rng.below(5000) as i32;
        self.push(Instruction::ri(Opcode::LoadImm, Reg::A1, size));
        self.push(Instruction::rr(Opcode::Sbrk, Reg::A3, Reg::A1));
        if self.memset {
            let at = 0x2_0ff0 + self.rng.below(64) as i32;
            self.push(Instruction::ri(Opcode::LoadImm, Reg::A0, at));
            self.push(Instruction::ri(Opcode::LoadImm, Reg::A2, self.list.len() as i32 % 100));
            self.push(Instruction::none(Opcode::Memset));
        }
    }
}
