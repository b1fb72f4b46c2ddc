//! Statements of function bodies: operations in every form, all kinds of memory accesses, and control flow.

use super::{A, ALL, DATA, Generator, RA, S, SLOT_COUNT, SLOTS, SP, T};
use crate::assembler::Label;
use object::{SectionKind, elf, write::SymbolId};

impl Generator {
    pub(super) fn source(&mut self) -> u32 {
        if self.random.one_in(10) { 0 } else { self.random.choose(&ALL) }
    }

    /// Returns a register that may be written.
    pub(super) fn target(&mut self) -> u32 {
        loop {
            let register = self.random.choose(&ALL);
            if !self.reserved.contains(&register) {
                return register;
            }
        }
    }

    pub(super) fn i(&mut self, opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: i32) {
        self.asm.word((imm as u32) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
    }

    pub(super) fn r(&mut self, opcode: u32, funct7: u32, funct3: u32, rd: u32, rs1: u32, rs2: u32) {
        self.asm.word(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
    }

    pub(super) fn addi(&mut self, rd: u32, rs1: u32, imm: i32) {
        self.i(0x13, 0, rd, rs1, imm);
    }

    pub(super) fn imm12(&mut self) -> i32 {
        match self.random.below(3) {
            0 => self.random.choose(&[0, 1, -1, 2047, -2048, 255, 128, -128]),
            _ => self.random.below(4096) as i32 - 2048,
        }
    }

    /// Loads a constant as assemblers do.
    pub(super) fn constant(&mut self, rd: u32) {
        let value = self.random.value() as i32;
        match self.random.below(4) {
            0 if (2..32).contains(&rd) && (-32..32).contains(&value) => {
                // c.li
                let imm = value as u32;
                self.asm.half(0x4001 | (imm >> 5 & 1) << 12 | rd << 7 | (imm & 31) << 2);
            }
            0 | 1 => {
                let imm = self.imm12();
                self.addi(rd, 0, imm);
            }
            _ => {
                let high = (value as u32).wrapping_add(0x800) & 0xffff_f000;
                self.asm.word(high | rd << 7 | 0x37);
                let low = value.wrapping_sub(high as i32);
                self.i(if self.wide() { 0x1b } else { 0x13 }, 0, rd, rd, low);
                if self.wide() && self.random.one_in(3) {
                    let amount = self.random.below(64) as i32;
                    self.i(0x13, 1, rd, rd, amount);
                }
            }
        }
    }

    /// Bit patterns of registers: `(funct7, funct3)`.
    pub(super) fn register_operation(&mut self) {
        const FULL: [(u32, u32); 33] = [
            (0, 0),
            (0, 1),
            (0, 2),
            (0, 3),
            (0, 4),
            (0, 5),
            (0, 6),
            (0, 7),
            (0x20, 0),
            (0x20, 4),
            (0x20, 5),
            (0x20, 6),
            (0x20, 7),
            (1, 0),
            (1, 1),
            (1, 2),
            (1, 3),
            (1, 4),
            (1, 5),
            (1, 6),
            (1, 7),
            (5, 4),
            (5, 5),
            (5, 6),
            (5, 7),
            (0x30, 1),
            (0x30, 5),
            (0x10, 2),
            (0x10, 4),
            (0x10, 6),
            (0x14, 1),
            (0x24, 1),
            (0x24, 5),
        ];
        const MORE: [(u32, u32); 3] = [(0x34, 1), (7, 5), (7, 7)];
        const WORD: [(u32, u32); 16] = [
            (0, 0),
            (0, 1),
            (0, 5),
            (0x20, 0),
            (0x20, 5),
            (1, 0),
            (1, 4),
            (1, 5),
            (1, 6),
            (1, 7),
            (0x30, 1),
            (0x30, 5),
            (4, 0),
            (0x10, 2),
            (0x10, 4),
            (0x10, 6),
        ];
        let (rd, rs1, rs2) = (self.target(), self.source(), self.source());
        match self.random.below(5) {
            0 if self.wide() => {
                let (funct7, funct3) = self.random.choose(&WORD);
                self.r(0x3b, funct7, funct3, rd, rs1, rs2);
            }
            1 => {
                let (funct7, funct3) = self.random.choose(&MORE);
                self.r(0x33, funct7, funct3, rd, rs1, rs2);
            }
            2 => {
                let zero = self.random.below(2) as u32;
                self.r(0x0b, 0x20 + zero, 1, rd, rs1, rs2);
            }
            _ => {
                let (funct7, funct3) = self.random.choose(&FULL);
                self.r(0x33, funct7, funct3, rd, rs1, rs2);
            }
        }
    }

    pub(super) fn immediate_operation(&mut self) {
        let (rd, rs1) = (self.target(), self.source());
        let bits = if self.wide() { 64 } else { 32 };
        let amount = self.random.below(bits) as i32;
        match self.random.below(10) {
            0 => self.i(0x13, 1, rd, rs1, amount),
            1 => self.i(0x13, 5, rd, rs1, amount),
            2 => self.i(0x13, 5, rd, rs1, 0x400 | amount),
            3 => self.i(0x13, 5, rd, rs1, 0x600 | amount),
            4 => {
                let (funct3, top) = self.random.choose(&[(1, 0x280), (1, 0x480), (1, 0x680), (5, 0x480)]);
                self.i(0x13, funct3, rd, rs1, top | amount);
            }
            5 => {
                let unary = self.random.choose(&[0x600, 0x601, 0x602, 0x604, 0x605]);
                self.i(0x13, 1, rd, rs1, unary);
            }
            6 => {
                let swap = if self.wide() { 0x6b8 } else { 0x698 };
                let kind = self.random.choose(&[0x287, swap]);
                self.i(0x13, 5, rd, rs1, kind);
            }
            7 if self.wide() => match self.random.below(5) {
                0 => {
                    let imm = self.imm12();
                    self.i(0x1b, 0, rd, rs1, imm);
                }
                1 => self.i(0x1b, 1, rd, rs1, amount & 31),
                2 => self.i(0x1b, 5, rd, rs1, amount & 31),
                3 => self.i(0x1b, 5, rd, rs1, 0x400 | amount & 31),
                _ => self.i(0x1b, 1, rd, rs1, 0x080 | amount),
            },
            _ => {
                let funct3 = self.random.choose(&[0, 2, 3, 4, 6, 7]);
                let imm = self.imm12();
                self.i(0x13, funct3, rd, rs1, imm);
            }
        }
    }

    /// Generates an idiom of two instructions: an extension, a boolean.
    pub(super) fn idiom(&mut self) {
        let (rd, rs1, rs2) = (self.target(), self.source(), self.source());
        let amount = if self.wide() { self.random.choose(&[32, 48, 56, 40]) } else { self.random.choose(&[16, 24]) };
        match self.random.below(6) {
            0 => {
                self.i(0x13, 1, rd, rs1, amount);
                self.i(0x13, 5, rd, rd, amount);
            }
            1 => {
                self.i(0x13, 1, rd, rs1, amount);
                self.i(0x13, 5, rd, rd, 0x400 | amount);
            }
            2 => {
                self.i(0x13, 1, rd, rs1, amount);
                self.i(0x13, 5, rd, rd, amount - 3);
            }
            3 => {
                self.r(0x33, 0, 4, rd, rs1, rs2);
                self.i(0x13, 3, rd, rd, 1);
            }
            4 => {
                self.r(0x33, 0x20, 0, rd, rs1, rs2);
                self.r(0x33, 0, 3, rd, 0, rd);
            }
            _ => {
                self.r(0x33, 0, 3, rd, rs1, rs2);
                self.i(0x13, 4, rd, rd, 1);
            }
        }
    }

    pub(super) fn compressed(&mut self) {
        let free: Vec<u32> = (8..16).filter(|register| !self.reserved.contains(register)).collect();
        let (rd, rs2) = (self.random.choose(&free), self.random.choose(&[8u32, 9, 10, 11, 12, 13, 14, 15]));
        let (short_d, short_s) = (rd - 8, rs2 - 8);
        let imm = self.random.below(64) as u32;
        let spread = |imm: u32| (imm >> 5 & 1) << 12 | (imm & 31) << 2;
        match self.random.below(8) {
            0 => self.asm.half(0x8002 | rd << 7 | rs2 << 2),
            1 => self.asm.half(0x9002 | rd << 7 | rs2 << 2),
            2 if imm != 0 => self.asm.half(0x0001 | rd << 7 | spread(imm)),
            3 => {
                let op = self.random.below(4) as u32;
                self.asm.half(0x8c01 | short_d << 7 | op << 5 | short_s << 2);
            }
            4 => self.asm.half(0x8801 | short_d << 7 | spread(imm)),
            5 if self.wide() && imm != 0 => self.asm.half(0x0002 | rd << 7 | spread(imm)),
            6 if self.wide() && imm != 0 => self.asm.half(0x8001 | short_d << 7 | spread(imm)),
            7 if self.wide() => {
                let op = self.random.below(2) as u32;
                self.asm.half(0x9c01 | short_d << 7 | op << 5 | short_s << 2);
            }
            _ => self.asm.half(0x8002 | rd << 7 | rs2 << 2),
        }
    }

    /// Loads the address of a data location into `rd`. On request leaves out its lower part, and returns the relocation
    /// for it.
    pub(super) fn address(
        &mut self,
        rd: u32,
        symbol: SymbolId,
        offset: i64,
        whole: bool,
    ) -> Option<(u32, u32, SymbolId, i64)> {
        let form = self.random.below(if whole { 3 } else { 2 });
        let add = 0x13;
        match form {
            0 => {
                let label = self.asm.symbol_here("", false);
                self.asm.relocate(elf::R_RISCV_PCREL_HI20, symbol, offset);
                self.asm.word(rd << 7 | 0x17);
                if whole {
                    self.asm.relocate(elf::R_RISCV_PCREL_LO12_I, label, 0);
                    self.i(add, 0, rd, rd, 0);
                    return None;
                }
                Some((elf::R_RISCV_PCREL_LO12_I, elf::R_RISCV_PCREL_LO12_S, label, 0))
            }
            1 => {
                self.asm.relocate(elf::R_RISCV_HI20, symbol, offset);
                self.asm.word(rd << 7 | 0x37);
                if whole {
                    self.asm.relocate(elf::R_RISCV_LO12_I, symbol, offset);
                    self.i(add, 0, rd, rd, 0);
                    return None;
                }
                Some((elf::R_RISCV_LO12_I, elf::R_RISCV_LO12_S, symbol, offset))
            }
            _ => {
                let label = self.asm.symbol_here("", false);
                self.asm.relocate(elf::R_RISCV_GOT_HI20, symbol, offset);
                self.asm.word(rd << 7 | 0x17);
                self.asm.relocate(elf::R_RISCV_PCREL_LO12_I, label, 0);
                self.i(0x03, if self.wide() { 3 } else { 2 }, rd, rd, 0);
                None
            }
        }
    }

    pub(super) fn load_kind(&mut self) -> u32 {
        if self.wide() {
            self.random.choose(&[0, 1, 2, 3, 3, 4, 5, 6])
        } else {
            self.random.choose(&[0, 1, 2, 2, 4, 5])
        }
    }

    pub(super) fn store_kind(&mut self) -> u32 {
        self.random.below(if self.wide() { 4 } else { 3 }) as u32
    }

    /// Generates a load or store of a section.
    pub(super) fn memory(&mut self) {
        let store = self.random.one_in(2);
        let count = self.writable.len() + if store { 0 } else { self.constants.len() };
        let index = self.random.below(count as u64) as usize;
        let symbol = self.writable.iter().chain(&self.constants).nth(index).copied().unwrap_or(self.writable[0]);
        let offset = self.random.below(DATA - 16) as i64;
        let base = self.target();
        let indexed = self.random.one_in(3);
        let kind = if store { self.store_kind() } else { self.load_kind() };
        let value = loop {
            let value = self.source();
            if value != base {
                break value;
            }
        };
        if indexed {
            let index = loop {
                let index = self.target();
                if index != base && index != value {
                    break index;
                }
            };
            let from = self.source();
            let mask = self.random.choose(&[7, 0x38, 0x3f]);
            self.i(0x13, 7, index, from, mask);
            if self.wide() && self.random.one_in(2) {
                self.i(0x13, 1, index, index, 32);
                self.i(0x13, 5, index, index, 32);
            }
            self.address(base, symbol, 0, true);
            self.r(0x33, 0, 0, base, base, index);
            let offset = self.random.below(48) as i32;
            match store {
                true => self.store(kind, base, value, offset),
                false => self.i(0x03, kind, base, base, offset),
            }
        } else if self.random.one_in(2) {
            self.address(base, symbol, offset, true);
            let more = self.random.below(8) as i32;
            match store {
                true => self.store(kind, base, value, more),
                false => self.i(0x03, kind, base, base, more),
            }
        } else if let Some((load, stored, low, addend)) = self.address(base, symbol, offset, false) {
            self.asm.relocate(if store { stored } else { load }, low, addend);
            match store {
                true => self.store(kind, base, value, 0),
                false => self.i(0x03, kind, base, base, 0),
            }
        }
        // No address may remain in a register.
        if store {
            self.constant(base);
        }
    }

    pub(super) fn store(&mut self, funct3: u32, rs1: u32, rs2: u32, offset: i32) {
        let imm = offset as u32;
        self.asm.word((imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | 0x23);
    }

    pub(super) fn atomic(&mut self) {
        let wide = self.wide() && self.random.one_in(2);
        let (rd, base) = (self.target(), self.target());
        let value = loop {
            let value = self.source();
            if value != base {
                break value;
            }
        };
        let symbol = self.random.choose(&self.writable);
        let offset = self.random.below(8) as i64 * 8;
        self.address(base, symbol, offset, true);
        let op = self.random.choose(&[0u32, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28]);
        let (rd, value) = match op {
            2 => (rd, 0),
            _ => (rd, value),
        };
        self.r(0x2f, op << 2, 2 + u32::from(wide), rd, base, value);
        if rd != base {
            self.constant(base);
        }
    }

    pub(super) fn slot(&mut self) {
        let offset = SLOTS + 8 * self.random.below(SLOT_COUNT) as i32;
        let kind = self.store_kind();
        match self.random.below(4) {
            0 => {
                let value = self.source();
                self.store(kind, SP, value, offset);
            }
            1 => {
                let (rd, kind) = (self.target(), self.load_kind());
                self.i(0x03, kind, rd, SP, offset);
            }
            // Through a pointer to it.
            2 => {
                let (base, value) = (self.target(), self.source());
                self.addi(base, SP, offset);
                if value != base {
                    self.store(kind, base, value, 0);
                }
                self.constant(base);
            }
            _ => {
                let base = self.target();
                let kind = self.load_kind();
                self.addi(base, SP, offset);
                self.i(0x03, kind, base, base, 0);
            }
        }
    }

    pub(super) fn related(&mut self) -> bool {
        self.random.one_in(2)
    }

    pub(super) fn choice(&mut self) {
        let (skip, related) = (self.asm.label(), self.related());
        let funct3 = self.random.choose(&[0, 1, 4, 5, 6, 7]);
        let (a, b) = (self.source(), self.source());
        self.asm.branch(funct3, a, b, skip, related);
        self.depth += 1;
        self.statements(4);
        if self.random.one_in(2) {
            let (end, related) = (self.asm.label(), self.related());
            self.asm.jump(0, end, related);
            self.asm.bind(skip);
            self.statements(4);
            self.asm.bind(end);
        } else {
            self.asm.bind(skip);
        }
        self.depth -= 1;
    }

    pub(super) fn repeat(&mut self) {
        let counter = self.random.choose(&S);
        if self.reserved.contains(&counter) {
            return self.choice();
        }
        let times = 1 + self.random.below(5) as i32;
        self.addi(counter, 0, times);
        self.reserved.push(counter);
        let (again, related) = (self.asm.label(), self.related());
        self.asm.bind(again);
        self.depth += 1;
        self.statements(5);
        self.depth -= 1;
        self.addi(counter, counter, -1);
        self.asm.branch(1, counter, 0, again, related);
        self.reserved.pop();
    }

    pub(super) fn switch(&mut self) {
        let labels: Vec<Label> = (0..4).map(|_| self.asm.label()).collect();
        let end = self.asm.label();
        let name = format!("table{}", self.tables.len());
        let table = self.asm.section(&format!(".rodata.{name}"), SectionKind::ReadOnlyData, &[0; 16], 4);
        let table = self.asm.symbol(&name, table, 0, false);
        let free: Vec<u32> = ALL.into_iter().filter(|register| !self.reserved.contains(register)).collect();
        let base = self.random.choose(&free);
        let index = loop {
            let index = self.random.choose(&free);
            if index != base {
                break index;
            }
        };
        let from = self.source();
        self.i(0x13, 7, index, from, 3);
        self.i(0x13, 1, index, index, 2);
        self.address(base, table, 0, true);
        self.r(0x33, 0, 0, index, index, base);
        self.i(0x03, 2, index, index, 0);
        self.r(0x33, 0, 0, index, index, base);
        // A jump through ra or t0 is a return.
        let through = if index == 5 { base } else { index };
        if through != index {
            self.addi(through, index, 0);
        }
        self.i(0x67, 0, 0, through, 0);
        self.cases(&labels, [base, index], end, |_| true);
        self.tables.push((table, labels));
    }

    /// Generates a case for each label, then `end`. A case overwrites both registers, and ends with a jump to `end` if
    /// `jumps` says so.
    pub(super) fn cases(
        &mut self,
        labels: &[Label],
        registers: [u32; 2],
        end: Label,
        mut jumps: impl FnMut(&mut Self) -> bool,
    ) {
        self.depth += 1;
        for label in labels {
            self.asm.bind(*label);
            for register in registers {
                self.constant(register);
            }
            self.statements(2);
            if jumps(self) {
                let related = self.related();
                self.asm.jump(0, end, related);
            }
        }
        self.depth -= 1;
        self.asm.bind(end);
    }

    /// Generates a call of a later function or of the host.
    pub(super) fn call(&mut self, own: usize) {
        let later = &self.functions[own + 1..];
        let host = later.is_empty() || self.random.one_in(3);
        let symbol = if host { self.random.choose(&self.stubs) } else { self.random.choose(later) };
        let index = self.functions.iter().position(|function| *function == symbol);
        match (index, self.random.below(3)) {
            (Some(index), 0) => {
                let size = if self.wide() { 8 } else { 4 };
                let (base, pointers) = (T[1], self.pointers);
                self.address(base, pointers, index as i64 * size, true);
                self.i(0x03, if self.wide() { 3 } else { 2 }, base, base, 0);
                self.i(0x67, 0, RA, base, 0);
            }
            (Some(_), 1) => {
                // A whole address in a register.
                self.address(T[2], symbol, 0, true);
                self.i(0x67, 0, RA, T[2], 0);
            }
            _ => {
                self.asm.relocate(elf::R_RISCV_CALL_PLT, symbol, 0);
                self.asm.word(RA << 7 | 0x17);
                self.i(0x67, 0, RA, RA, 0);
            }
        }
        self.after_call(if host { 1 } else { 2 });
    }

    /// Overwrites everything that a call may have changed, except for its results.
    pub(super) fn after_call(&mut self, results: usize) {
        for register in T.into_iter().chain(A.into_iter().skip(results)) {
            self.constant(register);
        }
    }

    pub(super) fn statements(&mut self, most: u64) {
        for _ in 0..1 + self.random.below(most) {
            if !self.features.is_empty() && self.random.one_in(5) {
                self.odd_statement();
                continue;
            }
            match self.random.below(24) {
                0..6 => self.register_operation(),
                6..10 => self.immediate_operation(),
                10 => {
                    let rd = self.target();
                    self.constant(rd);
                }
                11 | 12 => self.idiom(),
                13 | 14 => self.compressed(),
                15..18 => self.memory(),
                18 => self.atomic(),
                19 | 20 => self.slot(),
                21 if self.depth < 3 => self.choice(),
                22 if self.depth < 2 => self.repeat(),
                23 if self.depth < 2 && self.random.one_in(2) => self.switch(),
                _ => {
                    let rd = self.target();
                    let rs = self.source();
                    self.addi(rd, rs, 0);
                }
            }
        }
    }
}
