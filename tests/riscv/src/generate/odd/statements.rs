//! Statements that each [`Feature`](super::Feature) adds.

use super::{A, ALLOC, Form, Generator, Label, RA, S, SP, T, Table, WRITE};
use object::elf;

impl Generator {
    pub(super) fn weak_statement(&mut self) {
        let symbol = self.random.choose(&self.odd.weak);
        let [base] = self.free();
        if let Some(table) = self.odd.weak_pointers.filter(|_| self.random.one_in(3)) {
            self.address(base, table, 0, true);
            let offset = self.pointer_size() as i32 * self.random.below(2) as i32;
            self.load_pointer(base, base, offset);
        } else {
            self.address(base, symbol, 0, true);
        }
        if self.random.one_in(3) {
            let rd = self.target();
            self.r(0x33, 0, 3, rd, 0, base);
        }
        if self.depth > 0 || self.random.one_in(3) {
            return;
        }
        let (past, related) = (self.asm.label(), self.related());
        self.asm.branch(0, base, 0, past, related);
        if self.random.one_in(2) {
            self.call_symbol(symbol, RA);
        } else {
            self.i(0x67, 0, RA, base, 0);
        }
        self.after_call(2);
        self.asm.bind(past);
    }

    pub(super) fn ifunc_statement(&mut self) {
        if self.depth > 0 || self.last().is_none() {
            return self.memory();
        }
        let index = self.random.below(self.odd.ifuncs.len() as u64) as usize;
        let symbol = self.odd.ifuncs[index];
        match (self.random.below(3), self.odd.ifunc_pointers) {
            (0, Some(table)) => {
                self.address(T[1], table, index as i64 * self.pointer_size() as i64, true);
                self.load_pointer(T[1], T[1], 0);
                self.i(0x67, 0, RA, T[1], 0);
            }
            (1, _) => {
                self.address(T[1], symbol, 0, true);
                self.i(0x67, 0, RA, T[1], 0);
            }
            _ => self.call_symbol(symbol, RA),
        }
        self.after_call(2);
    }

    pub(super) fn alignment_statement(&mut self) {
        let (symbol, align) = self.random.choose(&self.odd.aligned);
        let [rd] = self.free();
        self.address(rd, symbol, 0, true);
        let bits = (if self.wide() { 64 } else { 32 }) - align.trailing_zeros() as i32;
        match align {
            1 => self.constant(rd),
            2..=1024 => self.i(0x13, 7, rd, rd, align as i32 - 1),
            _ => self.i(0x13, 1, rd, rd, bits),
        }
    }

    pub(super) fn relative_statement(&mut self) {
        let (table, at, r_type) = self.random.choose(&self.odd.relative);
        let [base, distance] = self.free();
        let kind = self.load_kind();
        self.address(base, table, at as i64, true);
        let unsigned = r_type == elf::R_RISCV_32 && self.wide() && self.random.one_in(2);
        self.i(0x03, if unsigned { 6 } else { 2 }, distance, base, 0);
        if r_type == elf::R_RISCV_32 {
            self.addi(base, distance, 0);
        } else {
            self.r(0x33, 0, 0, base, base, distance);
        }
        if r_type == elf::R_RISCV_GOT32_PCREL {
            self.load_pointer(base, base, 0);
        }
        self.constant(distance);
        let more = self.random.below(32) as i32;
        self.i(0x03, kind, base, base, more);
    }

    pub(super) fn relative_call(&mut self) {
        if self.depth > 0 || self.last().is_none() {
            return self.memory();
        }
        let (table, at) = self.random.choose(&self.odd.relative_functions);
        self.address(T[1], table, at as i64, true);
        self.i(0x03, 2, T[2], T[1], 0);
        self.r(0x33, 0, 0, T[2], T[1], T[2]);
        self.i(0x67, 0, RA, T[2], 0);
        self.after_call(2);
    }

    /// Generates a jump to one of four labels, which jump to the end or to each other.
    pub(super) fn label_statement(&mut self, form: Form) {
        if self.depth > 1 {
            return self.memory();
        }
        let labels: Vec<Label> = (0..4).map(|_| self.asm.label()).collect();
        let end = self.asm.label();
        let width = match form {
            Form::Pointer => self.pointer_size(),
            _ if self.wide() => self.random.choose(&[2, 4, 8]),
            _ => self.random.choose(&[2, 4]),
        };
        let name = self.name("labels");
        let flags = if form == Form::Pointer { ALLOC | WRITE } else { ALLOC };
        let prefix = if form == Form::Pointer { ".data.rel.ro" } else { ".rodata" };
        let section = self.data_section(&format!("{prefix}.{name}"), flags, &vec![0; 4 * width as usize], width);
        let symbol = self.asm.symbol(&name, section, 0, false);
        let [base, index] = self.free();
        // A jump through ra or t0 is a return.
        let (base, index) = if index == T[0] { (index, base) } else { (base, index) };
        let from = self.source();
        self.i(0x13, 7, index, from, 3);
        self.i(0x13, 1, index, index, width.trailing_zeros() as i32);
        self.address(base, symbol, 0, true);
        self.r(0x33, 0, 0, index, index, base);
        self.i(0x03, width.trailing_zeros(), index, index, 0);
        if form != Form::Pointer {
            let first = self.label_symbol();
            self.odd.tables.push(Table { section, symbol: first, labels: labels.clone(), width, form });
            self.address(base, first, 0, true);
            self.r(0x33, 0, 0, index, index, base);
        } else {
            self.odd.tables.push(Table { section, symbol, labels: labels.clone(), width, form });
        }
        self.i(0x67, 0, 0, index, 0);
        self.cases(&labels, [base, index], end, |generator| generator.random.one_in(2));
        self.constant(base);
        self.constant(index);
    }

    pub(super) fn break_statement(&mut self) {
        let (past, related) = (self.asm.label(), self.related());
        let (a, b) = (self.source(), self.source());
        let (funct3, b) = if self.random.one_in(8) { (1, b) } else { (0, a) };
        self.asm.branch(funct3, a, b, past, related);
        if self.random.one_in(2) {
            self.asm.half(0x9002);
        } else {
            self.asm.word(0x0010_0073);
        }
        self.asm.bind(past);
    }

    pub(super) fn outlined_statement(&mut self) {
        let (symbol, link) = self.random.choose(&self.odd.outlined);
        if self.random.one_in(2) {
            self.asm.relocate(elf::R_RISCV_JAL, symbol, 0);
            self.asm.word(link << 7 | 0x6f);
        } else {
            self.call_symbol(symbol, link);
        }
        self.constant(link);
    }

    pub(super) fn stack_statement(&mut self) {
        let (Some(stack), Some(contexts), Some(swap), Some(coroutine)) =
            (self.odd.stack, self.odd.contexts, self.odd.swap, self.odd.coroutine)
        else {
            return;
        };
        if self.depth > 0 {
            return self.memory();
        }
        let word = self.pointer_size() as i32;
        if let Some(last) = self.last().filter(|_| self.random.one_in(2)) {
            let kept = self.random.choose(&S);
            self.addi(kept, SP, 0);
            self.address(SP, stack, 4096, true);
            self.call_symbol(last, RA);
            self.addi(SP, kept, 0);
            self.constant(kept);
            return self.after_call(2);
        }
        // A new coroutine, which returns a function of its argument.
        let argument = self.random.choose(&A[2..]);
        self.address(T[0], contexts, 64, true);
        self.address(T[1], coroutine, 0, true);
        self.store_pointer(T[0], T[1], 0);
        self.address(T[1], stack, 4096, true);
        self.store_pointer(T[0], T[1], word);
        self.store_pointer(T[0], argument, 4 * word);
        self.addi(A[1], T[0], 0);
        self.addi(A[0], T[0], -64);
        self.call_symbol(swap, RA);
        self.after_call(0);
        let rd = self.random.choose(&A);
        self.address(rd, contexts, 64 + 4 * i64::from(word), true);
        self.load_pointer(rd, rd, 0);
    }

    pub(super) fn falling_statement(&mut self) {
        let symbol = self.random.choose(&self.odd.falling);
        if self.random.one_in(2) {
            self.call_symbol(symbol, RA);
        } else {
            self.address(T[1], symbol, 0, true);
            self.i(0x67, 0, RA, T[1], 0);
        }
        self.after_call(2);
    }

    /// Saves a position, does something, and jumps back to the position.
    pub(super) fn jump_statement(&mut self) {
        let Some((buffer, [save, back, leave])) = self.odd.jumps else { return };
        if self.depth > 0 {
            return self.memory();
        }
        let (past, related) = (self.asm.label(), self.related());
        self.address(A[0], buffer, 0, true);
        self.call_symbol(save, RA);
        self.after_call(1);
        self.asm.branch(1, A[0], 0, past, related);
        self.depth += 2;
        self.statements(4);
        self.depth -= 2;
        let result = 1 + self.random.below(100) as i32;
        self.addi(A[1], 0, result);
        self.address(A[0], buffer, 0, true);
        let last = self.random.choose(&[back, leave]);
        self.call_symbol(last, RA);
        self.asm.half(0);
        self.asm.bind(past);
    }
}
