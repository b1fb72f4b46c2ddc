//! Data and functions that each [`Feature`] adds; its statements are in `statements`.
//!
//! As everywhere, no result depends on an address: it is used as a base, masked by its alignment, or compared with
//! null.

mod statements;

use super::{A, ALL, DATA, Feature, Generator, RA, S, SP, T};
use crate::assembler::{Label, Nature};
use object::{
    SectionKind, elf,
    write::{SectionId, SymbolId},
};

/// A table of labels to fill in.
struct Table {
    section: SectionId,
    symbol: SymbolId,
    labels: Vec<Label>,
    /// Size of an entry in bytes, and its form.
    width: u64,
    form: Form,
}

/// Content of a table of labels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Pointer,
    Difference,
    Quiet,
}

/// Symbols and sections that the features of a program need.
#[derive(Default)]
pub(super) struct Odd {
    weak: Vec<SymbolId>,
    weak_pointers: Option<SymbolId>,
    ifuncs: Vec<SymbolId>,
    ifunc_pointers: Option<SymbolId>,
    /// Symbols of known alignment.
    aligned: Vec<(SymbolId, u64)>,
    /// Positions of distances and short addresses of data, with the type of each.
    relative: Vec<(SymbolId, u64, u32)>,
    relative_functions: Vec<(SymbolId, u64)>,
    tables: Vec<Table>,
    constructors: Vec<SymbolId>,
    /// Functions that return through a register, with it.
    outlined: Vec<(SymbolId, u32)>,
    save: Option<SymbolId>,
    restore: Option<SymbolId>,
    stack: Option<SymbolId>,
    contexts: Option<SymbolId>,
    swap: Option<SymbolId>,
    coroutine: Option<SymbolId>,
    falling: Vec<SymbolId>,
    /// The buffer, and the functions that save to it, jump back, and jump back from a frame.
    jumps: Option<(SymbolId, [SymbolId; 3])>,
    numbered: u32,
}

const ALLOC: u64 = elf::SHF_ALLOC as u64;
const WRITE: u64 = elf::SHF_WRITE as u64;

impl Generator {
    fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    fn name(&mut self, name: &str) -> String {
        self.odd.numbered += 1;
        format!("{name}{}", self.odd.numbered)
    }

    fn pointer_size(&self) -> u64 {
        if self.wide() { 8 } else { 4 }
    }

    fn load_pointer(&mut self, rd: u32, base: u32, offset: i32) {
        let kind = if self.wide() { 3 } else { 2 };
        self.i(0x03, kind, rd, base, offset);
    }

    fn store_pointer(&mut self, base: u32, value: u32, offset: i32) {
        let kind = if self.wide() { 3 } else { 2 };
        self.store(kind, base, value, offset);
    }

    /// Returns distinct registers that may be written.
    fn free<const N: usize>(&mut self) -> [u32; N] {
        let mut chosen = [0; N];
        for index in 0..N {
            chosen[index] = loop {
                let register = self.target();
                if !chosen[..index].contains(&register) {
                    break register;
                }
            };
        }
        chosen
    }

    fn data(&mut self) -> Vec<u8> {
        (0..DATA / 8).flat_map(|_| self.random.value().to_le_bytes()).collect()
    }

    /// A section of data with flags.
    fn data_section(&mut self, name: &str, flags: u64, data: &[u8], align: u64) -> SectionId {
        let kind = if flags & WRITE == 0 { SectionKind::ReadOnlyData } else { SectionKind::Data };
        let section = self.asm.section(name, kind, data, align);
        self.asm.set_flags(section, flags);
        section
    }

    /// Makes a table of pointers to functions or to nothing.
    fn pointer_table(&mut self, name: &str, symbols: &[SymbolId]) -> SymbolId {
        let size = self.pointer_size();
        let name = self.name(name);
        let section = self.data_section(
            &format!(".data.rel.ro.{name}"),
            ALLOC | WRITE,
            &vec![0; symbols.len() * size as usize],
            size,
        );
        for (index, symbol) in symbols.iter().enumerate() {
            self.asm.pointer(section, index as u64 * size, *symbol, 0);
        }
        self.asm.symbol(&name, section, 0, false)
    }

    fn call_symbol(&mut self, symbol: SymbolId, link: u32) {
        self.asm.relocate(elf::R_RISCV_CALL_PLT, symbol, 0);
        self.asm.word(link << 7 | 0x17);
        self.i(0x67, 0, link, link, 0);
    }

    /// Makes a symbol for a position in code that is no function.
    fn label_symbol(&mut self) -> SymbolId {
        let symbol = self.asm.declare("");
        let nature = Nature { kind: elf::STT_NOTYPE, binding: elf::STB_LOCAL, visibility: elf::STV_DEFAULT };
        self.asm.set_nature(symbol, nature);
        symbol
    }

    fn ret(&mut self) {
        self.asm.half(0x8082);
    }

    /// The last function, which all others may call.
    fn last(&self) -> Option<SymbolId> {
        self.functions.last().copied().filter(|_| self.own + 1 < self.functions.len())
    }

    /// Emits the data and symbols that must precede the functions.
    pub(super) fn begin_odd(&mut self) {
        if self.has(Feature::WeakUndefined) {
            self.odd.weak = (0..2).map(|index| self.asm.weak_undefined(&format!("absent{index}"))).collect();
            let table = self.odd.weak.clone();
            self.odd.weak_pointers = Some(self.pointer_table("absents", &table));
        }
        if self.has(Feature::Common) {
            for index in 0..2 {
                let align = 1 << self.random.below(13);
                let symbol = self.asm.common(&format!("common{index}"), DATA, align);
                self.writable.push(symbol);
                self.odd.aligned.push((symbol, align));
            }
        }
        if self.has(Feature::Ifunc) {
            for index in 0..2 {
                let symbol = self.asm.declare(&format!("chosen{index}"));
                let nature =
                    Nature { kind: elf::STT_GNU_IFUNC, binding: elf::STB_GLOBAL, visibility: elf::STV_DEFAULT };
                self.asm.set_nature(symbol, nature);
                self.odd.ifuncs.push(symbol);
            }
            let table = self.odd.ifuncs.clone();
            self.odd.ifunc_pointers = Some(self.pointer_table("chosen_pointers", &table));
        }
        if self.has(Feature::Sections) {
            self.begin_sections();
        }
        if self.has(Feature::Symbols) {
            self.symbols();
        }
        if self.has(Feature::Differences) || self.has(Feature::Uleb128) {
            self.differences();
        }
        if self.has(Feature::RelativeData) || self.has(Feature::RelativeFunctions) {
            self.relative();
        }
        if self.has(Feature::Constructors) || self.has(Feature::OldConstructors) {
            self.begin_constructors();
        }
        if self.has(Feature::LinkRegisters) {
            for link in [T[0], T[1], A[5]] {
                let name = self.name("outlined");
                let symbol = self.asm.declare(&name);
                self.odd.outlined.push((symbol, link));
            }
            self.odd.save = Some(self.asm.declare("save"));
            self.odd.restore = Some(self.asm.declare("restore"));
        }
        if self.has(Feature::StackSwitch) {
            let bss = |generator: &mut Generator, name: &str, size: usize| {
                let section = generator.asm.section(".bss.stacks", SectionKind::UninitializedData, &vec![0; size], 16);
                generator.asm.symbol(name, section, 0, false)
            };
            self.odd.stack = Some(bss(self, "other_stack", 4096));
            self.odd.contexts = Some(bss(self, "contexts", 128));
            self.odd.swap = Some(self.asm.declare("swap"));
            self.odd.coroutine = Some(self.asm.declare("coroutine"));
        }
        if self.has(Feature::Setjmp) {
            let section = self.asm.section(".bss.jump_buffer", SectionKind::UninitializedData, &[0; 32], 8);
            let buffer = self.asm.symbol("jump_buffer", section, 0, false);
            let functions = ["setjmp", "longjmp", "leave"].map(|name| self.asm.declare(name));
            self.odd.jumps = Some((buffer, functions));
        }
        if self.has(Feature::FallThrough) {
            self.odd.falling = ["falling", "fallen", "threaded"].map(|name| self.asm.declare(name)).to_vec();
        }
    }

    fn begin_sections(&mut self) {
        for _ in 0..3 {
            let name =
                self.random.choose(&[".data.x", ".sdata", "mine", ".data1", ".ldata", "set_mine", ".tm_clone_table"]);
            let (align, data) = (1 << self.random.below(13), self.data());
            let retain = if self.random.one_in(4) { u64::from(elf::SHF_GNU_RETAIN) } else { 0 };
            let section = self.data_section(name, ALLOC | WRITE | retain, &data, align);
            let label = self.name("variable");
            let symbol = self.asm.symbol(&label, section, 0, false);
            self.writable.push(symbol);
            self.odd.aligned.push((symbol, align));
        }
        let align = 1 << self.random.below(13);
        let name = self.random.choose(&[".sbss", ".bss.x", "zeroed", ".lbss"]);
        let section = self.asm.section(name, SectionKind::UninitializedData, &[0; DATA as usize], align);
        let symbol = self.asm.symbol("zeroed", section, 0, false);
        self.writable.push(symbol);
        self.odd.aligned.push((symbol, align));
        let merge = u64::from(elf::SHF_MERGE);
        for _ in 0..3 {
            let (name, flags) = self.random.choose(&[
                (".rodata.cst16", ALLOC | merge),
                (".srodata", ALLOC),
                (".rodata.str1.1", ALLOC | merge | elf::SHF_STRINGS as u64),
                ("constant_mine", ALLOC),
                (".data.rel.ro", ALLOC | WRITE),
                (".data.rel.ro.local", ALLOC | WRITE),
                (".lrodata", ALLOC),
                (".rodata1", ALLOC),
            ]);
            let (align, data) = (1 << self.random.below(13), self.data());
            let section = self.data_section(name, flags, &data, align);
            let label = self.name("constant");
            let symbol = self.asm.symbol(&label, section, 0, false);
            self.constants.push(symbol);
            self.odd.aligned.push((symbol, align));
        }
        // Unreferenced data.
        for _ in 0..3 {
            let (name, sh_type, flags) = self.random.choose(&[
                (".comment", elf::SHT_PROGBITS, u64::from(elf::SHF_MERGE | elf::SHF_STRINGS)),
                (".note.GNU-stack", elf::SHT_PROGBITS, 0),
                (".note.gnu.property", elf::SHT_NOTE, ALLOC),
                (".note.gnu.build-id", elf::SHT_NOTE, ALLOC),
                (".riscv.attributes", elf::SHT_RISCV_ATTRIBUTES, 0),
                (".eh_frame", elf::SHT_PROGBITS, ALLOC),
                (".eh_frame_hdr", elf::SHT_PROGBITS, ALLOC),
                (".gcc_except_table", elf::SHT_PROGBITS, ALLOC),
                (".debug_line", elf::SHT_PROGBITS, 0),
                (".debug_info", elf::SHT_PROGBITS, 0),
                (".stack_sizes", elf::SHT_PROGBITS, 0),
                (".llvmbc", elf::SHT_PROGBITS, u64::from(elf::SHF_EXCLUDE)),
                (".gnu.warning.x", elf::SHT_PROGBITS, 0),
                ("nobody", elf::SHT_PROGBITS, ALLOC | WRITE),
            ]);
            let data = self.data();
            let section = self.asm.section(name, SectionKind::Elf(sh_type), &data, 1);
            self.asm.set_flags(section, flags);
        }
    }

    fn symbols(&mut self) {
        let all: Vec<(SymbolId, u8)> = self
            .functions
            .iter()
            .map(|symbol| (*symbol, elf::STT_FUNC))
            .chain(self.writable.iter().chain(&self.constants).map(|symbol| (*symbol, elf::STT_OBJECT)))
            .collect();
        for (symbol, kind) in all {
            let kind = self.random.choose(&[kind, kind, elf::STT_NOTYPE]);
            let binding = self.random.choose(&[elf::STB_LOCAL, elf::STB_GLOBAL, elf::STB_WEAK]);
            let visibility = match binding {
                elf::STB_LOCAL => elf::STV_DEFAULT,
                _ => self.random.choose(&[elf::STV_DEFAULT, elf::STV_HIDDEN, elf::STV_PROTECTED, elf::STV_INTERNAL]),
            };
            // A symbol made by `common` or `ifunc` stays that.
            if !self.odd.aligned.iter().any(|(other, _)| *other == symbol) {
                self.asm.set_nature(symbol, Nature { kind, binding, visibility });
            }
        }
    }

    /// Makes a section of constants that are distances.
    fn differences(&mut self) {
        let mut data = self.data();
        let mut fields = Vec::new();
        let mut at = 0u64;
        while at < DATA - 16 {
            let plain = self.has(Feature::Differences) && (!self.has(Feature::Uleb128) || self.random.one_in(2));
            let target = self.random.choose(&[self.writable[0], self.constants[0]]);
            let (low, high) = (self.random.below(40), self.random.below(80));
            if !plain {
                // With the length that the assembler left.
                let length = 1 + self.random.below(3);
                for index in 0..length {
                    data[(at + index) as usize] = if index + 1 == length { 0 } else { 0x80 };
                }
                let (low, high) = (low.min(high), low.max(high));
                fields.push((at, elf::R_RISCV_SET_ULEB128, elf::R_RISCV_SUB_ULEB128, target, high, low));
                at += length;
                continue;
            }
            let (plus, minus, width) = self.random.choose(&[
                (elf::R_RISCV_ADD8, elf::R_RISCV_SUB8, 1u64),
                (elf::R_RISCV_ADD16, elf::R_RISCV_SUB16, 2),
                (elf::R_RISCV_ADD32, elf::R_RISCV_SUB32, 4),
                (elf::R_RISCV_ADD64, elf::R_RISCV_SUB64, 8),
                (elf::R_RISCV_SET6, elf::R_RISCV_SUB6, 1),
                (elf::R_RISCV_SET8, elf::R_RISCV_SUB8, 1),
                (elf::R_RISCV_SET16, elf::R_RISCV_SUB16, 2),
                (elf::R_RISCV_SET32, elf::R_RISCV_SUB32, 4),
            ]);
            // A value that does not fit six bits would be a compiler error.
            let high = if plus == elf::R_RISCV_SET6 { low + high % 64 } else { high };
            // Assemblers leave zeros, to which they add.
            let adds = !matches!(plus, elf::R_RISCV_SET6 | elf::R_RISCV_SET8 | elf::R_RISCV_SET16 | elf::R_RISCV_SET32);
            if adds && !self.random.one_in(4) {
                data[at as usize..(at + width) as usize].fill(0);
            }
            fields.push((at, plus, minus, target, high, low));
            at += width;
            at += self.random.below(4);
        }
        let (name, flags) = self.random.choose(&[(".rodata.distances", ALLOC), (".data.distances", ALLOC | WRITE)]);
        let section = self.data_section(name, flags, &data, 8);
        for (at, plus, minus, target, high, low) in fields {
            self.asm.data_relocation(section, at, plus, target, high as i64);
            self.asm.data_relocation(section, at, minus, target, low as i64);
        }
        let symbol = self.asm.symbol("distances", section, 0, false);
        self.constants.push(symbol);
    }

    fn relative(&mut self) {
        let section = self.data_section(".rodata.relative", ALLOC, &[0; 128], 8);
        let table = self.asm.symbol("relative", section, 0, false);
        let mut at = 0;
        if self.has(Feature::RelativeData) {
            for _ in 0..6 {
                let target = self.random.choose(&[self.writable[0], self.writable[1], self.constants[0]]);
                let r_type = self.random.choose(&[
                    elf::R_RISCV_32_PCREL,
                    elf::R_RISCV_32,
                    elf::R_RISCV_ADD32,
                    elf::R_RISCV_PLT32,
                    elf::R_RISCV_GOT32_PCREL,
                ]);
                let offset = if r_type == elf::R_RISCV_GOT32_PCREL { 0 } else { self.random.below(64) as i64 };
                self.asm.data_relocation(section, at, r_type, target, offset);
                if r_type == elf::R_RISCV_ADD32 {
                    self.asm.data_relocation(section, at, elf::R_RISCV_SUB32, table, at as i64);
                }
                self.odd.relative.push((table, at, r_type));
                at += 4;
            }
        }
        if self.has(Feature::RelativeFunctions) {
            let last = self.functions[self.functions.len() - 1];
            for r_type in [elf::R_RISCV_PLT32, elf::R_RISCV_ADD32, elf::R_RISCV_32_PCREL] {
                self.asm.data_relocation(section, at, r_type, last, 0);
                if r_type == elf::R_RISCV_ADD32 {
                    self.asm.data_relocation(section, at, elf::R_RISCV_SUB32, table, at as i64);
                }
                self.odd.relative_functions.push((table, at));
                at += 4;
            }
        }
    }

    fn begin_constructors(&mut self) {
        let mut names = Vec::new();
        if self.has(Feature::Constructors) {
            names.extend([
                (".preinit_array", elf::SHT_PREINIT_ARRAY),
                (".init_array", elf::SHT_INIT_ARRAY),
                (".init_array.00100", elf::SHT_INIT_ARRAY),
                (".init_array.00099", elf::SHT_INIT_ARRAY),
                (".init_array.65534", elf::SHT_INIT_ARRAY),
            ]);
        }
        if self.has(Feature::OldConstructors) {
            names.extend([
                (".ctors", elf::SHT_PROGBITS),
                (".ctors.65000", elf::SHT_PROGBITS),
                (".ctors.00100", elf::SHT_PROGBITS),
            ]);
        }
        let size = self.pointer_size();
        for _ in 0..1 + self.random.below(4) {
            let (name, sh_type) = self.random.choose(&names);
            let count = 1 + self.random.below(2);
            let section = self.asm.section(name, SectionKind::Elf(sh_type), &vec![0; (count * size) as usize], size);
            self.asm.set_flags(section, ALLOC | WRITE);
            for index in 0..count {
                let label = self.name("constructor");
                let symbol = self.asm.declare(&label);
                self.asm.pointer(section, index * size, symbol, 0);
                self.odd.constructors.push(symbol);
            }
        }
    }

    /// Adds a section of records for the linker.
    pub(super) fn record_section(&mut self, name: &str, data: &[u8]) -> SectionId {
        if !self.has(Feature::Records) {
            return self.asm.section(name, SectionKind::ReadOnlyData, data, 1);
        }
        let (sh_type, flags) = self.random.choose(&[
            (elf::SHT_PROGBITS, ALLOC),
            (elf::SHT_PROGBITS, 0),
            (elf::SHT_NOTE, u64::from(elf::SHF_GNU_RETAIN)),
            (elf::SHT_NOTE, ALLOC),
            (elf::SHT_PROGBITS, ALLOC | WRITE),
        ]);
        let section = self.asm.section(name, SectionKind::Elf(sh_type), data, 1);
        self.asm.set_flags(section, flags);
        section
    }

    /// Sometimes puts the next function into a section of its own.
    pub(super) fn place_function(&mut self, index: usize) {
        if self.has(Feature::Sections) && self.random.one_in(2) {
            let name = self.random.choose(&[".text.unlikely", ".text.hot.x", ".text.startup", "code_mine", ".text.x"]);
            self.asm
                .enter(&format!("{name}{}", if name.ends_with('x') { index.to_string() } else { String::new() }), 0);
        }
    }

    pub(super) fn end_function(&mut self, index: usize) {
        if self.has(Feature::Symbols) && self.random.one_in(2) {
            self.asm.end(self.functions[index]);
        }
    }

    /// Generates a wrapper of another function in an unusual way.
    pub(super) fn odd_wrapper(&mut self, own: usize) -> bool {
        let (Some(save), Some(restore)) = (self.odd.save, self.odd.restore) else { return false };
        if self.random.one_in(3) {
            return false;
        }
        let target = self.random.choose(&self.functions[own + 1..]);
        if self.random.one_in(2) {
            // Its frame is set up and released by other functions.
            self.call_symbol(save, T[0]);
            self.r(0x33, 0, 4, S[0], A[0], A[1]);
            self.call_symbol(target, RA);
            self.r(0x33, 0, 0, A[0], A[0], S[0]);
            self.asm.relocate(elf::R_RISCV_CALL_PLT, restore, 0);
            self.asm.word(T[1] << 7 | 0x17);
            self.i(0x67, 0, 0, T[1], 0);
        } else {
            // The address left in the register is not used: the target returns for us.
            let link = self.random.choose(&[T[0], T[1]]);
            self.asm.relocate(elf::R_RISCV_CALL_PLT, target, 0);
            self.asm.word(T[2] << 7 | 0x17);
            self.i(0x67, 0, link, T[2], 0);
            if self.random.one_in(2) {
                self.asm.half(0);
            }
        }
        true
    }

    pub(super) fn odd_statement(&mut self) {
        match self.random.choose(&self.features) {
            Feature::WeakUndefined => self.weak_statement(),
            Feature::Ifunc => self.ifunc_statement(),
            Feature::Common | Feature::Sections => self.alignment_statement(),
            Feature::RelativeData => self.relative_statement(),
            Feature::RelativeFunctions => self.relative_call(),
            Feature::LabelPointers => self.label_statement(Form::Pointer),
            Feature::LabelDifferences => self.label_statement(Form::Difference),
            Feature::QuietDifferences => self.label_statement(Form::Quiet),
            Feature::Ebreak => self.break_statement(),
            Feature::LinkRegisters => self.outlined_statement(),
            Feature::StackSwitch => self.stack_statement(),
            Feature::FallThrough => self.falling_statement(),
            Feature::Setjmp => self.jump_statement(),
            Feature::Differences | Feature::Uleb128 => {
                let (rd, kind) = (self.target(), self.load_kind());
                let (offset, symbol) = (self.random.below(DATA - 16) as i64, self.constants[self.constants.len() - 1]);
                self.address(rd, symbol, offset, true);
                self.i(0x03, kind, rd, rd, 0);
            }
            Feature::Constructors | Feature::OldConstructors | Feature::Symbols | Feature::Records => self.memory(),
        }
    }

    /// Emits the data and symbols that must follow the functions.
    pub(super) fn end_odd(&mut self) {
        let last = self.functions[self.functions.len() - 1];
        for symbol in self.odd.ifuncs.clone() {
            self.asm.define(symbol);
            self.address(A[0], last, 0, true);
            self.ret();
        }
        for symbol in self.odd.constructors.clone() {
            self.asm.define(symbol);
            let (variables, number) = (self.random.choose(&self.writable), self.random.below(1000) as i32);
            self.address(A[0], variables, 0, true);
            self.i(0x03, 2, A[1], A[0], 8);
            self.i(0x13, 1, A[2], A[1], 2);
            self.r(0x33, 0, 0, A[1], A[1], A[2]);
            self.addi(A[1], A[1], number);
            self.store(2, A[0], A[1], 8);
            self.ret();
        }
        for (symbol, link) in self.odd.outlined.clone() {
            self.asm.define(symbol);
            for _ in 0..1 + self.random.below(4) {
                let others: Vec<u32> =
                    ALL.into_iter().filter(|register| *register != link && !S.contains(register)).collect();
                let (rd, rs1, rs2) =
                    (self.random.choose(&others), self.random.choose(&others), self.random.choose(&others));
                let (funct7, funct3) = self.random.choose(&[(0, 0), (0, 4), (0x20, 0), (1, 0), (0, 3)]);
                self.r(0x33, funct7, funct3, rd, rs1, rs2);
            }
            self.i(0x67, 0, 0, link, 0);
        }
        let word = self.pointer_size() as i32;
        if let (Some(save), Some(restore)) = (self.odd.save, self.odd.restore) {
            self.asm.define(save);
            self.addi(SP, SP, -16);
            self.store_pointer(SP, RA, 8);
            self.store_pointer(SP, S[0], 0);
            self.i(0x67, 0, 0, T[0], 0);
            self.asm.define(restore);
            self.load_pointer(S[0], SP, 0);
            self.load_pointer(RA, SP, 8);
            self.addi(SP, SP, 16);
            self.ret();
        }
        if let (Some(swap), Some(coroutine), Some(contexts)) = (self.odd.swap, self.odd.coroutine, self.odd.contexts) {
            self.asm.define(swap);
            for (index, register) in [RA, SP, S[0], S[1]].into_iter().enumerate() {
                self.store_pointer(A[0], register, word * index as i32);
            }
            for (index, register) in [RA, SP, S[0], S[1], A[0]].into_iter().enumerate() {
                self.load_pointer(register, A[1], word * index as i32);
            }
            self.ret();
            self.asm.define(coroutine);
            self.i(0x13, 1, A[2], A[0], 3);
            self.r(0x33, 0, 4, A[2], A[2], A[0]);
            self.address(A[0], contexts, 64, true);
            self.store_pointer(A[0], A[2], 4 * word);
            self.address(A[1], contexts, 0, true);
            self.call_symbol(swap, RA);
            // Control does not return.
            self.asm.half(0);
        }
        if let Some((_, [save, back, leave])) = self.odd.jumps {
            self.asm.define(save);
            for (index, register) in [RA, SP, S[0], S[1]].into_iter().enumerate() {
                self.store_pointer(A[0], register, word * index as i32);
            }
            self.addi(A[0], 0, 0);
            self.ret();
            self.asm.define(back);
            for (index, register) in [RA, SP, S[0], S[1]].into_iter().enumerate() {
                self.load_pointer(register, A[0], word * index as i32);
            }
            self.addi(A[0], A[1], 0);
            self.ret();
            self.asm.define(leave);
            self.addi(SP, SP, -16);
            self.store_pointer(SP, RA, 8);
            self.store_pointer(SP, S[0], 0);
            self.r(0x33, 0, 4, S[0], A[1], A[0]);
            self.call_symbol(back, RA);
            self.asm.half(0);
        }
        if let [falling, fallen, threaded] = self.odd.falling[..] {
            self.asm.define(falling);
            self.addi(A[0], A[0], 77);
            self.asm.define(fallen);
            self.r(0x33, 0, 4, A[1], A[1], A[0]);
            self.ret();
            self.asm.define(threaded);
            let (label, out) = (self.label_symbol(), self.asm.label());
            self.addi(SP, SP, -16);
            self.store_pointer(SP, RA, 8);
            self.address(T[1], label, 0, true);
            self.store_pointer(SP, T[1], 0);
            self.i(0x13, 7, A[2], A[1], 3);
            self.asm.define(label);
            self.addi(A[0], A[0], 1000);
            self.addi(A[2], A[2], -1);
            self.asm.branch(4, A[2], 0, out, false);
            self.load_pointer(T[1], SP, 0);
            self.i(0x67, 0, 0, T[1], 0);
            self.asm.bind(out);
            self.load_pointer(RA, SP, 8);
            self.addi(SP, SP, 16);
            self.ret();
        }
        self.odd_tables();
    }

    fn odd_tables(&mut self) {
        for table in std::mem::take(&mut self.odd.tables) {
            let first = table.labels[0];
            if table.form != Form::Pointer {
                self.asm.place(table.symbol, first);
            }
            for (index, label) in table.labels.into_iter().enumerate() {
                let offset = index as u64 * table.width;
                if table.form == Form::Quiet {
                    let distance = self.asm.distance(first, label);
                    self.asm.overwrite(table.section, offset, &distance.to_le_bytes()[..table.width as usize]);
                    continue;
                }
                let target = self.label_symbol();
                self.asm.place(target, label);
                if table.form == Form::Pointer {
                    self.asm.pointer(table.section, offset, target, 0);
                    continue;
                }
                let (plus, minus) = match table.width {
                    2 => (elf::R_RISCV_ADD16, elf::R_RISCV_SUB16),
                    4 => (elf::R_RISCV_ADD32, elf::R_RISCV_SUB32),
                    _ => (elf::R_RISCV_ADD64, elf::R_RISCV_SUB64),
                };
                self.asm.data_relocation(table.section, offset, plus, target, 0);
                self.asm.data_relocation(table.section, offset, minus, table.symbol, 0);
            }
        }
    }
}
