//! Program generator: functions that use all instructions and memory, and terminate.
//!
//! Functions call only later ones, loops count down, indexes are masked; and no result depends on an address. Calling
//! conventions are followed as compilers do: a function saves callee-saved registers, and nothing reads a clobbered
//! register after a call.

mod features;
mod odd;
mod statements;

use super::Random;
use super::assembler::{Assembler, Label};
pub use features::Feature;
use object::{SectionKind, elf, write::SymbolId};

/// Size of each data section in bytes.
const DATA: u64 = 128;

/// Size of a function's frame in bytes, and offset of its own slots.
const FRAME: i32 = 80;
const SLOTS: i32 = 0;
const SLOT_COUNT: u64 = 4;

/// Registers by number.
const SP: u32 = 2;
const RA: u32 = 1;
const T: [u32; 3] = [5, 6, 7];
const S: [u32; 2] = [8, 9];
const A: [u32; 6] = [10, 11, 12, 13, 14, 15];
const ALL: [u32; 11] = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A program.
#[derive(Clone, Debug)]
pub struct GeneratedProgram {
    /// A relocatable ELF file.
    pub elf: Vec<u8>,
    /// Exported functions of six arguments, and `checksum`, which has none and hashes the variables.
    pub exports: Vec<Vec<u8>>,
}

struct Generator {
    asm: Assembler,
    random: Random,
    functions: Vec<SymbolId>,
    stubs: Vec<SymbolId>,
    /// Writable data, and constant data.
    writable: Vec<SymbolId>,
    constants: Vec<SymbolId>,
    pointers: SymbolId,
    tables: Vec<(SymbolId, Vec<Label>)>,
    /// Variables that must not be written at this point.
    reserved: Vec<u32>,
    depth: u32,
    /// The function that is being generated.
    own: usize,
    features: Vec<Feature>,
    odd: odd::Odd,
}

/// Generates a program without rare features from a seed, for RV64E or RV32E.
pub fn generate(seed: u64, wide: bool) -> GeneratedProgram {
    generate_with(Random::new(seed), wide, &[])
}

/// Generates a program that also uses `features`.
pub fn generate_with(mut random: Random, wide: bool, features: &[Feature]) -> GeneratedProgram {
    let mut asm = Assembler::new(wide);
    let count = 2 + random.below(5) as usize;
    let functions: Vec<SymbolId> = (0..count).map(|index| asm.declare(&format!("f{index}"))).collect();
    let stubs: Vec<SymbolId> = (0..2).map(|index| asm.declare(&format!("host{index}"))).collect();

    let bytes = |random: &mut Random| (0..DATA / 8).flat_map(|_| random.value().to_le_bytes()).collect::<Vec<u8>>();
    let (constants, variables) = (bytes(&mut random), bytes(&mut random));
    let rodata = asm.section(".rodata", SectionKind::ReadOnlyData, &constants, 8);
    let data = asm.section(".data", SectionKind::Data, &variables, 8);
    let bss = asm.section(".bss", SectionKind::UninitializedData, &[0; DATA as usize], 8);
    let writable = vec![asm.symbol("variables", data, 0, false), asm.symbol("zeros", bss, 0, false)];
    let constants = vec![asm.symbol("constants", rodata, 0, false)];
    let size = if wide { 8 } else { 4 };
    let pointer_section = asm.section(".data.pointers", SectionKind::Data, &vec![0; count * size as usize], 8);
    let pointers = asm.symbol("pointers", pointer_section, 0, false);
    for (index, function) in functions.iter().enumerate() {
        asm.pointer(pointer_section, index as u64 * size, *function, 0);
    }

    let mut generator = Generator {
        asm,
        random,
        functions: functions.clone(),
        stubs: stubs.clone(),
        writable,
        constants,
        pointers,
        tables: Vec::new(),
        reserved: Vec::new(),
        depth: 0,
        own: 0,
        features: features.to_vec(),
        odd: odd::Odd::default(),
    };
    generator.begin_odd();
    for index in 0..count {
        generator.place_function(index);
        generator.function(index);
        generator.end_function(index);
    }
    let names: Vec<String> = stubs.iter().enumerate().map(|(index, _)| format!("host{index}")).collect();
    let text: Vec<u8> = names.concat().into_bytes();
    let strings = generator.asm.section(".rodata.names", SectionKind::ReadOnlyData, &text, 1);
    let strings = generator.asm.symbol("names", strings, 0, false);
    let mut at = 0;
    for (index, stub) in stubs.iter().enumerate() {
        generator.stub(*stub, strings, at, names[index].len());
        at += names[index].len() as i64;
    }
    let checksum = generator.checksum();
    generator.end_odd();

    let exported: Vec<(Vec<u8>, SymbolId)> = functions
        .iter()
        .enumerate()
        .take(2)
        .map(|(index, symbol)| (format!("f{index}").into_bytes(), *symbol))
        .chain([(b"checksum".to_vec(), checksum)])
        .collect();
    generator.exports(&exported);
    generator.tables();
    let exports = exported.iter().map(|(name, _)| name.clone()).filter(|name| name != b"checksum").collect();
    GeneratedProgram { elf: generator.asm.finish(), exports }
}

impl Generator {
    fn wide(&self) -> bool {
        self.asm.wide
    }

    fn function(&mut self, own: usize) {
        self.own = own;
        let symbol = self.functions[own];
        self.asm.define(symbol);
        let (store, load) = if self.wide() { (3, 3) } else { (2, 2) };
        if own + 1 < self.functions.len() && self.random.one_in(4) {
            return self.wrapper(own);
        }
        // Sometimes a leaf without a frame.
        let leaf = own + 1 == self.functions.len() && self.random.one_in(2);
        if leaf {
            for register in T {
                self.constant(register);
            }
            self.reserved = S.to_vec();
            for _ in 0..1 + self.random.below(6) {
                // Callee-saved registers must not be read.
                let (rd, rs1, rs2) = (self.random.choose(&A), self.random.choose(&A), self.random.choose(&T));
                let (funct7, funct3) = self.random.choose(&[(0, 0), (0, 4), (0x20, 0), (1, 0), (0, 3), (0x30, 5)]);
                self.r(0x33, funct7, funct3, rd, rs1, rs2);
            }
            self.reserved.clear();
            self.r(0x33, 0, 4, A[1], A[1], A[2]);
            self.asm.half(0x8082);
            return;
        }
        self.addi(SP, SP, -FRAME);
        self.store(store, SP, RA, FRAME - 8);
        self.store(store, SP, S[0], FRAME - 16);
        self.store(store, SP, S[1], FRAME - 24);
        for index in 0..SLOT_COUNT {
            let offset = SLOTS + 8 * index as i32;
            self.store(store, SP, A[index as usize], offset);
            if !self.wide() {
                self.store(store, SP, A[index as usize], offset + 4);
            }
        }
        for register in T.into_iter().chain(S) {
            self.constant(register);
        }
        self.statements(8);
        for _ in 0..self.random.below(3) {
            self.call(own);
            self.statements(6);
        }
        if self.random.one_in(12) {
            let (past, related) = (self.asm.label(), self.related());
            let (a, b) = (self.source(), self.source());
            self.asm.branch(1, a, b, past, related);
            self.asm.half(0);
            self.asm.bind(past);
        }
        // The results depend on all registers.
        for register in ALL.into_iter().skip(1) {
            if register != A[0] {
                self.r(0x33, 0, 0, A[0], A[0], register);
                self.i(0x13, 5, A[0], A[0], 0x600 | 7);
            }
        }
        for index in 0..SLOT_COUNT {
            self.i(0x03, load, T[0], SP, SLOTS + 8 * index as i32);
            self.r(0x33, 0, 4, A[1], A[1], T[0]);
        }
        self.i(0x03, load, RA, SP, FRAME - 8);
        self.i(0x03, load, S[0], SP, FRAME - 16);
        self.i(0x03, load, S[1], SP, FRAME - 24);
        self.addi(SP, SP, FRAME);
        self.asm.half(0x8082);
    }

    /// Generates a wrapper of another function: with a frame, or by a jump.
    fn wrapper(&mut self, own: usize) {
        if self.odd_wrapper(own) {
            return;
        }
        let target = self.random.choose(&self.functions[own + 1..]);
        let (store, load) = if self.wide() { (3, 3) } else { (2, 2) };
        let jumps = self.random.one_in(2);
        if !jumps {
            self.addi(SP, SP, -16);
            self.store(store, SP, RA, 8);
        }
        for _ in 0..self.random.below(3) {
            let (rd, rs1, rs2) = (self.random.choose(&A), self.random.choose(&A), self.random.choose(&A));
            self.r(0x33, 0, 4, rd, rs1, rs2);
        }
        let spills = !jumps && self.random.one_in(3);
        if spills {
            self.store(store, SP, A[0], 0);
        }
        self.asm.relocate(elf::R_RISCV_CALL_PLT, target, 0);
        let through = if jumps { T[1] } else { RA };
        self.asm.word(through << 7 | 0x17);
        self.i(0x67, 0, if jumps { 0 } else { RA }, through, 0);
        if jumps {
            return;
        }
        if spills {
            self.i(0x03, load, A[2], SP, 0);
            self.r(0x33, 0, 0, A[0], A[0], A[2]);
        }
        self.i(0x03, load, RA, SP, 8);
        self.addi(SP, SP, 16);
        self.asm.half(0x8082);
    }

    /// Generates a function that calls the host (docs/linking.md#records-of-guests).
    fn stub(&mut self, symbol: SymbolId, strings: SymbolId, at: i64, length: usize) {
        let pointer = if self.wide() { 8 } else { 4 };
        let mut record = vec![1, 0, 0, 0, 0];
        record.extend((length as u32).to_le_bytes());
        record.extend(vec![0; pointer]);
        record.extend([6, 1]);
        let section = self.record_section(".polkavm_metadata", &record);
        self.asm.pointer(section, 9, strings, at);
        let record = self.asm.symbol("", section, 0, false);
        self.asm.define(symbol);
        self.asm.word(0x0b);
        let r_type = if self.wide() { elf::R_RISCV_64 } else { elf::R_RISCV_32 };
        self.asm.relocate(r_type, record, 0);
        self.asm.bytes(&vec![0; pointer]);
        self.asm.half(0x8082);
    }

    /// Generates a function that hashes the variables.
    fn checksum(&mut self) -> SymbolId {
        let symbol = self.asm.symbol_here("checksum", true);
        self.addi(A[0], 0, 0);
        for section in self.writable.clone() {
            self.address(A[1], section, 0, true);
            self.addi(A[2], A[1], DATA as i32);
            let again = self.asm.label();
            self.asm.bind(again);
            self.i(0x03, 4, A[3], A[1], 0);
            self.r(0x33, 0, 0, A[0], A[0], A[3]);
            self.i(0x13, 5, A[0], A[0], 0x600 | 5);
            self.addi(A[1], A[1], 1);
            self.asm.branch(1, A[1], A[2], again, false);
        }
        self.addi(A[1], 0, 0);
        self.asm.half(0x8082);
        symbol
    }

    fn exports(&mut self, list: &[(Vec<u8>, SymbolId)]) {
        let pointer: u64 = if self.wide() { 8 } else { 4 };
        let text: Vec<u8> = list.iter().flat_map(|(name, _)| name.clone()).collect();
        let strings = self.asm.section(".rodata.exports", SectionKind::ReadOnlyData, &text, 1);
        let strings = self.asm.symbol("export_names", strings, 0, false);
        let mut at = 0;
        let mut records = Vec::new();
        let mut metadata = Vec::new();
        for (name, _) in list {
            let mut record = vec![1, 0, 0, 0, 0];
            record.extend((name.len() as u32).to_le_bytes());
            record.extend(vec![0; pointer as usize]);
            record.extend([6, 2]);
            let section = self.record_section(".polkavm_metadata", &record);
            self.asm.pointer(section, 9, strings, at);
            at += name.len() as i64;
            metadata.push(self.asm.symbol("", section, 0, false));
            records.push(1);
            records.extend(vec![0; 2 * pointer as usize]);
        }
        let section = self.record_section(".polkavm_exports", &records);
        for (index, (_, function)) in list.iter().enumerate() {
            let start = index as u64 * (1 + 2 * pointer);
            self.asm.pointer(section, start + 1, metadata[index], 0);
            self.asm.pointer(section, start + 1 + pointer, *function, 0);
        }
    }

    /// Fills in the tables of switches, once the positions of their cases are known.
    fn tables(&mut self) {
        for (table, labels) in std::mem::take(&mut self.tables) {
            for (index, label) in labels.into_iter().enumerate() {
                let target = self.asm.declare("");
                self.asm.place(target, label);
                self.asm.table_entry(table, 4 * index as u64, target);
            }
        }
    }
}
