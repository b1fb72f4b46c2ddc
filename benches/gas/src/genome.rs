//! Genomes: programs as lists of genes, which a genetic search can mutate and cross, and their assembly text.
//!
//! Every genome is a loop over its genes, unrolled `unroll` times, so that it ends whatever the genes are. `s1` counts,
//! `s0` is the address of a buffer that `initialize` fills with a cycle of offsets, one in each cache line, and random
//! numbers. `sp` is the state of a random generator, `t2` an offset in the cycle, `t1` an index, `t0` an address. `a0`
//! to `a5` hold values.

use pvm_test_support::Rng;
use std::fmt::Write as _;

/// A pattern with its parameters; all values are valid.
#[derive(Clone, Copy, Debug)]
pub struct Gene {
    /// Index of the pattern in [`KINDS`].
    pub kind: u8,
    /// Parameters.
    pub parameters: [u8; 4],
}

/// A program.
#[derive(Clone, Debug)]
pub struct Genome {
    /// Size of the buffer: 4 KiB shifted left by this, at most 1 MiB.
    pub memory: u8,
    /// Number of copies of the genes in the loop.
    pub unroll: u16,
    /// Whether the copies are laid out in random order, each jumping to the next.
    pub shuffle: bool,
    /// The genes.
    pub genes: Vec<Gene>,
}

/// The names of the patterns.
pub const KINDS: [&str; 27] = [
    "arithmetic of registers",
    "arithmetic with a constant",
    "product",
    "quotient",
    "load",
    "store",
    "pointer chase",
    "stride",
    "random number",
    "random branch forwards",
    "random branch backwards",
    "alternating branch",
    "random indirect jump",
    "load of two stores",
    "load across a border",
    "load 4 KiB from a store",
    "end of a block",
    "jump",
    "load at random",
    "load of a store",
    "store at random",
    "pointer chase over two blocks",
    "load at a loaded index",
    "chain of products",
    "chain of quotients",
    "indirect jump always to the same place",
    "chain over two blocks",
];

const THREE: [&str; 23] = [
    "add_64",
    "sub_64",
    "and",
    "or",
    "xor",
    "add_32",
    "sub_32",
    "shift_logical_left_64",
    "shift_logical_right_64",
    "shift_arithmetic_right_64",
    "shift_logical_left_32",
    "set_less_than_unsigned",
    "set_less_than_signed",
    "cmov_if_zero",
    "cmov_if_not_zero",
    "and_inverted",
    "or_inverted",
    "xnor",
    "maximum",
    "minimum_unsigned",
    "rotate_left_64",
    "rotate_right_64",
    "rotate_left_32",
];
const TWO: [&str; 15] = [
    "add_imm_64",
    "and_imm",
    "or_imm",
    "xor_imm",
    "add_imm_32",
    "shift_logical_left_imm_64",
    "shift_logical_right_imm_32",
    "set_less_than_unsigned_imm",
    "set_greater_than_signed_imm",
    "negate_and_add_imm_64",
    "rotate_right_imm_64",
    "rotate_right_imm_alt_64",
    "cmov_if_zero_imm",
    "mul_imm_32",
    "shift_logical_left_imm_alt_64",
];
const PRODUCTS: [&str; 6] = [
    "mul_64",
    "mul_32",
    "mul_upper_unsigned_unsigned",
    "mul_upper_signed_signed",
    "mul_upper_signed_unsigned",
    "mul_64",
];
const QUOTIENTS: [&str; 8] = [
    "div_unsigned_64",
    "div_signed_64",
    "rem_unsigned_64",
    "rem_signed_64",
    "div_unsigned_32",
    "div_signed_32",
    "rem_unsigned_32",
    "rem_signed_32",
];
const VALUES: [&str; 6] = ["a0", "a1", "a2", "a3", "a4", "a5"];
const LOADS: [&str; 4] = ["load_indirect_u64", "load_indirect_u32", "load_indirect_u8", "load_indirect_i16"];
const STORES: [&str; 3] = ["store_indirect_u64", "store_indirect_u32", "store_indirect_u8"];
const STRIDES: [u32; 8] = [8, 20, 64, 72, 4104, 4160, 16396, 262_152];
const BRANCHES: [&str; 4] =
    ["branch_eq_imm", "branch_not_eq_imm", "branch_less_unsigned_imm", "branch_greater_signed_imm"];

impl Gene {
    /// Returns a random genome.
    pub fn random(rng: &mut Rng) -> Gene {
        let bits = rng.next_u64().to_le_bytes();
        Gene { kind: rng.index(KINDS.len()) as u8, parameters: [bits[0], bits[1], bits[2], bits[3]] }
    }
}

impl Genome {
    /// A random one of the size of memory that is asked for.
    pub fn random(rng: &mut Rng) -> Genome {
        let genes = (0..1 + rng.index(10)).map(|_| Gene::random(rng)).collect();
        let unroll = rng.pick(&[1, 1, 1, 2, 4, 16, 200]);
        Genome { memory: rng.index(9) as u8, unroll, shuffle: rng.chance(15), genes }
    }

    /// One pattern alone, some times in a row.
    pub fn of_kind(kind: u8, memory: u8, rng: &mut Rng) -> Genome {
        let gene = Gene { kind, ..Gene::random(rng) };
        let genes = vec![gene; 1 + rng.index(3)];
        Genome { memory, unroll: rng.pick(&[1, 1, 4, 300]), shuffle: rng.chance(20), genes }
    }

    /// Changes something.
    pub fn mutate(&mut self, rng: &mut Rng) {
        for _ in 0..1 + rng.index(3) {
            let at = rng.index(self.genes.len());
            match rng.index(12) {
                0 | 1 => self.genes[at] = Gene::random(rng),
                2 | 3 => self.genes.insert(at, Gene::random(rng)),
                4 | 5 if self.genes.len() > 1 => _ = self.genes.remove(at),
                6 => {
                    let gene = self.genes[at];
                    self.genes.insert(at, gene);
                }
                7 => self.memory = rng.index(9) as u8,
                8 => self.unroll = rng.pick(&[1, 1, 2, 4, 8, 30, 200, 1000, 3000]),
                9 if rng.chance(30) => self.shuffle = !self.shuffle,
                10 => {
                    let other = rng.index(self.genes.len());
                    self.genes.swap(at, other);
                }
                _ => self.genes[at].parameters[rng.index(4)] = rng.next_u64() as u8,
            }
        }
        self.genes.truncate(24);
    }

    /// Crosses two genomes: some genes of one and the rest of the other.
    pub fn cross(&self, other: &Genome, rng: &mut Rng) -> Genome {
        let (cut, from) = (rng.index(self.genes.len() + 1), rng.index(other.genes.len()));
        let mut genes = self.genes[..cut].to_vec();
        genes.extend_from_slice(&other.genes[from..]);
        genes.truncate(24);
        let settings = if rng.chance(50) { self } else { other };
        Genome { memory: settings.memory, unroll: settings.unroll, shuffle: settings.shuffle, genes }
    }

    /// Size of the buffer in bytes.
    pub fn bytes(&self) -> u32 {
        4096 << self.memory.min(8)
    }

    /// Generates the assembly text. Its export `run` takes the number of iterations.
    pub fn text(&self) -> String {
        let (bytes, lines) = (self.bytes(), self.bytes() / 64);
        let mut body = Body { out: String::new(), labels: 0, table: Vec::new(), mask: bytes - 1 };
        let unroll = usize::from(self.unroll.clamp(1, (6000 / self.genes.len()) as u16));
        let mut order: Vec<usize> = (0..unroll).collect();
        if self.shuffle {
            let mut rng = Rng::new(unroll as u64);
            (1..unroll).rev().for_each(|index| order.swap(index, rng.index(index)));
        }
        // `order` is the order in which the copies are executed.
        for copy in 0..unroll {
            let at = order.iter().position(|number| *number == copy).unwrap_or(0);
            if self.shuffle {
                let _ = writeln!(body.out, "copy{copy}:");
            }
            for gene in &self.genes {
                body.gene(gene);
            }
            if self.shuffle {
                match order.get(at + 1) {
                    Some(next) => _ = writeln!(body.out, " jump copy{next}"),
                    None => body.line("jump repeat"),
                }
            }
        }
        let first = order[0];
        let enter = if self.shuffle { format!(" jump copy{first}\n") } else { " fallthrough\n".into() };
        let close = if self.shuffle { "" } else { " fallthrough\n" };
        let table = match body.table.is_empty() {
            true => String::new(),
            false => format!(".jump_table {}\n", body.table.join(", ")),
        };
        format!(
            ".isa ReviveV1\n.rw_size {bytes}\n.import \"nothing\"\n.export \"initialize\" initialize\n.export \"run\" run\n{table}\
             initialize:\n load_imm s0, 0x20000\n load_imm a0, 0\n load_imm64 a3, 0x9e3779b97f4a7c15\n fallthrough\nfill:\n \
             mul_imm_32 a1, a0, 20021\n add_imm_32 a1, a1, 7\n and_imm a1, a1, {}\n shift_logical_left_imm_64 a1, a1, 6\n \
             store_indirect_u64 a1, s0, 0\n mul_64 a2, a3, a3\n mul_imm_64 a3, a3, 1566083941\n add_imm_64 a3, a3, 12345\n \
             store_indirect_u64 a3, s0, 8\n xor a2, a2, a3\n store_indirect_u64 a2, s0, 16\n rotate_right_imm_64 a2, a2, 29\n \
             store_indirect_u64 a2, s0, 24\n add_imm_64 s0, s0, 64\n add_imm_64 a0, a0, 1\n \
             branch_less_unsigned_imm a0, {lines}, fill\n jump_indirect ra, 0\n\
             run:\n move_reg s1, a0\n load_imm s0, 0x20000\n load_imm64 sp, 0x853c49e6748fea9b\n load_imm t2, 0\n load_imm t1, 0\n \
             load_imm64 a0, 0xfedcba9876543210\n load_imm64 a1, 0xfffffffffffffff1\n load_imm a2, 3\n load_imm64 a3, 0x123456789\n \
             load_imm64 a4, 0x8000000000000001\n load_imm a5, 7\n fallthrough\nagain:\n{enter}{}{close}repeat:\n add_imm_64 s1, s1, -1\n \
             branch_not_eq_imm s1, 0, again\n jump_indirect ra, 0\n",
            lines - 1,
            body.out,
        )
    }
}

struct Body {
    out: String,
    labels: usize,
    table: Vec<String>,
    mask: u32,
}

impl Body {
    fn line(&mut self, line: &str) {
        self.out.push(' ');
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn lines(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| self.line(line));
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("l{}", self.labels)
    }

    fn bind(&mut self, label: &str) {
        let _ = writeln!(self.out, "{label}:");
    }

    /// Emits the computation of an address into `t0` from the register `from`, masked so that accesses stay in the
    /// buffer.
    fn address(&mut self, from: &str) {
        let mask = self.mask & !63;
        self.line(&format!("and_imm t0, {from}, {mask}"));
        self.line("add_64 t0, t0, s0");
    }

    fn gene(&mut self, gene: &Gene) {
        let [p, q, r, s] = gene.parameters;
        let value = |index: u8| VALUES[usize::from(index) % VALUES.len()];
        let of = |list: &[&'static str], index: u8| list[usize::from(index) % list.len()];
        let (d, b, c) = (value(p), value(q), value(r));
        // An address in the first page that overwrites no offset of the cycle.
        let near = (u32::from(s) * 64) % 4096 + 32;
        match gene.kind % KINDS.len() as u8 {
            0 => self.line(&format!("{} {d}, {b}, {c}", of(&THREE, s))),
            1 => self.line(&format!("{} {d}, {b}, {}", of(&TWO, s), u32::from(r) * 3 + 1)),
            2 => self.line(&format!("{} {d}, {b}, {c}", of(&PRODUCTS, s))),
            3 => self.line(&format!("{} {d}, {b}, {c}", of(&QUOTIENTS, s))),
            4 => self.line(&format!("{} {d}, s0, {near}", of(&LOADS, q))),
            5 => self.line(&format!("{} {d}, s0, {near}", of(&STORES, q))),
            6 => self.lines(&["add_64 t0, s0, t2", "load_indirect_u32 t2, t0, 0"]),
            7 => {
                let stride = STRIDES[usize::from(q) % STRIDES.len()];
                self.line(&format!("add_imm_64 t1, t1, {stride}"));
                self.address("t1");
                self.line(&format!("load_indirect_u64 {d}, t0, 0"));
            }
            8 => self.random(),
            9 | 10 => self.random_branch(gene),
            11 => {
                let (label, bit) = (self.label(), 1 << (q % 3));
                self.line(&format!("and_imm t0, s1, {bit}"));
                self.line(&format!("branch_eq_imm t0, 0, {label}"));
                self.line(&format!("add_imm_64 {d}, {d}, 1"));
                self.line("fallthrough");
                self.bind(&label);
            }
            12 | 25 => self.indirect_jump(gene),
            13 => {
                self.line(&format!("store_indirect_u32 {d}, s0, {near}"));
                self.line(&format!("store_indirect_u32 {b}, s0, {}", near + 4));
                self.line(&format!("load_indirect_u64 {c}, s0, {near}"));
            }
            14 => {
                let border = if q % 2 == 0 || self.mask < 8192 { 60 } else { 4092 };
                self.line(&format!("load_indirect_u64 {d}, s0, {border}"));
            }
            15 => {
                let other = if self.mask > 4096 { near + 4096 } else { near };
                self.line(&format!("store_indirect_u64 {d}, s0, {near}"));
                self.line(&format!("load_indirect_u64 {b}, s0, {other}"));
            }
            16 => self.line("fallthrough"),
            17 => {
                let label = self.label();
                self.line(&format!("jump {label}"));
                self.bind(&label);
            }
            18 | 20 => {
                self.random();
                self.line("shift_logical_right_imm_64 t0, sp, 33");
                self.address("t0");
                let what = if gene.kind == 18 { of(&LOADS, q) } else { of(&STORES, q) };
                self.line(&format!("{what} {d}, t0, 40"));
            }
            19 => {
                self.line(&format!("store_indirect_u64 {d}, s0, {near}"));
                self.line(&format!("load_indirect_u64 {d}, s0, {near}"));
            }
            21 => self.lines(&["add_64 t0, s0, t2", "load_indirect_u32 a0, t0, 0", "fallthrough", "move_reg t2, a0"]),
            22 => {
                self.address(d);
                self.line(&format!("load_indirect_u64 {d}, t0, 16"));
            }
            23 => self.line(&format!("{} a0, a0, {c}", of(&PRODUCTS, s))),
            24 => self.line(&format!("{} a0, a0, {c}", of(&QUOTIENTS, s))),
            _ => self.lines(&["add_64 a1, a0, a0", "fallthrough", "xor a0, a1, a5"]),
        }
    }

    /// Emits the next step of the random generator.
    fn random(&mut self) {
        self.lines(&["mul_imm_64 sp, sp, 1597334677", "add_imm_64 sp, sp, 12345"]);
    }

    /// Emits a branch on a random bit, forwards over an addition, or backwards to one and forwards from there.
    fn random_branch(&mut self, gene: &Gene) {
        let [p, q, r, _] = gene.parameters;
        let (to, next) = (self.label(), self.label());
        if gene.kind == 10 {
            let over = self.label();
            self.line(&format!("jump {over}"));
            self.bind(&to);
            self.line("add_imm_64 a2, a2, 1");
            self.line(&format!("jump {next}"));
            self.bind(&over);
        }
        if q % 2 == 0 {
            self.random();
        }
        self.line(&format!("shift_logical_right_imm_64 t0, sp, {}", 20 + p % 40));
        self.line(&format!("and_imm t0, t0, {}", [1, 3, 7][usize::from(r) % 3]));
        let (branch, constant) = (BRANCHES[usize::from(p) % BRANCHES.len()], if p % 4 == 2 { 1 } else { 0 });
        self.line(&format!("{branch} t0, {constant}, {to}"));
        if gene.kind == 9 {
            self.lines(&["add_imm_64 a3, a3, 1", "fallthrough"]);
            self.bind(&to);
        }
        self.bind(&next);
    }

    /// Emits an indirect jump to one of several targets, random or fixed, which then join.
    fn indirect_jump(&mut self, gene: &Gene) {
        if self.table.len() > 4000 {
            return;
        }
        let [p, q, ..] = gene.parameters;
        let (ways, join) = ([2, 4, 8, 16][usize::from(p) % 4], self.label());
        let first = 2 * (self.table.len() + 1);
        if gene.kind == 12 {
            if q % 2 == 0 {
                self.random();
            }
            self.line(&format!("shift_logical_right_imm_64 t0, sp, {}", 30 + q % 30));
            self.line(&format!("and_imm t0, t0, {}", ways - 1));
        } else {
            self.line("load_imm t0, 1");
        }
        self.lines(&["shift_logical_left_imm_64 t0, t0, 1", &format!("jump_indirect t0, {first}")]);
        for _ in 0..ways {
            let way = self.label();
            self.bind(&way);
            self.table.push(way);
            self.line(&format!("jump {join}"));
        }
        self.bind(&join);
    }
}
