//! Code: `docs/spec/encoding.md#encoding`. Made once for a program; answers every question about its code.

use crate::blob::{Blob, Refused};
use crate::table;
use crate::{Isa, gas};
use std::collections::BTreeMap;

/// An instruction, valid or not.
#[derive(Clone, Debug, Default)]
pub struct Instruction {
    /// Its code offset.
    pub offset: u32,
    /// The offset after it.
    pub next: u32,
    /// Its name; "invalid" for an invalid one.
    pub name: &'static str,
    /// Its form; "N" for an invalid one.
    pub form: &'static str,
    /// The register fields, 0 to 12; 0 if the form has none.
    pub r1: usize,
    pub r2: usize,
    pub r3: usize,
    /// The immediates, sign-extended; 0 if the form has none.
    pub imm: i64,
    pub imm2: i64,
    /// Jump target, if the form has one.
    pub target: u32,
}

impl Instruction {
    pub fn ends_block(&self) -> bool {
        self.name == "invalid" || table::ends_block(self.name)
    }

    pub fn falls_through(&self) -> bool {
        self.name != "invalid" && table::falls_through(self.name)
    }
}

/// The code of a program.
#[derive(Clone, Debug)]
pub struct DecodedCode {
    pub isa: Isa,
    bytes: Vec<u8>,
    starts: Vec<bool>,
    /// Instructions by code offset, invalid ones included.
    instructions: BTreeMap<u32, Instruction>,
    /// Names by opcode.
    names: Vec<Option<(&'static str, &'static str)>>,
    /// Cache of block costs, by model.
    costs: BTreeMap<u32, u32>,
}

impl DecodedCode {
    /// Decodes the code of a blob.
    ///
    /// # Errors
    /// If it is JamV1 code with an invalid instruction.
    pub fn new(blob: &Blob) -> Result<DecodedCode, Refused> {
        let mut code = DecodedCode {
            isa: blob.isa,
            bytes: blob.code.clone(),
            starts: blob.starts.clone(),
            instructions: BTreeMap::new(),
            names: table::names(blob.isa),
            costs: BTreeMap::new(),
        };
        let mut offset = 0;
        while offset < code.len() {
            let instruction = code.decode(offset);
            offset = instruction.next;
            code.instructions.insert(instruction.offset, instruction);
        }
        if code.isa == Isa::JamV1 {
            if let Some(bad) = code.instructions.values().find(|instruction| instruction.name == "invalid") {
                return Err(Refused { what: "no instruction", offset: bad.offset as usize });
            }
            if code.instructions.values().last().is_none_or(Instruction::falls_through) {
                return Err(Refused { what: "code that runs off its end", offset: code.bytes.len() });
            }
        }
        Ok(code)
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// The byte at an offset; zero past the end.
    fn byte(&self, offset: u32) -> u8 {
        self.bytes.get(offset as usize).copied().unwrap_or(0)
    }

    fn starts(&self, offset: u32) -> bool {
        self.starts.get(offset as usize) == Some(&true)
    }

    /// "Length", "Forms" and "What is no instruction", for an offset at which an instruction begins or that none
    /// covers.
    fn decode(&self, p: u32) -> Instruction {
        let next_start = (p + 1..self.len()).find(|offset| self.starts(*offset)).unwrap_or(self.len());
        let mut instruction =
            Instruction { offset: p, next: next_start, name: "invalid", form: "N", ..Instruction::default() };
        if !self.starts(p) {
            return instruction;
        }
        instruction.next = next_start.min(p + 25);
        let Some((name, form)) = self.names[self.byte(p) as usize] else { return instruction };
        (instruction.name, instruction.form) = (name, form);

        let arguments = i64::from(instruction.next - p - 1);
        let (b1, b2) = (u32::from(self.byte(p + 1)), u32::from(self.byte(p + 2)));
        let register = |field: u32| (field & 15).min(12) as usize;
        let c = |x: i64| x.clamp(0, 4) as u32;
        let size = |field: u32| (field & 7).min(4);
        let immediate = |k: u32, n: u32| {
            let unsigned = (0..n).fold(0i64, |value, index| value | i64::from(self.byte(p + k + index)) << (8 * index));
            if n > 0 && unsigned >> (8 * n - 1) & 1 == 1 { unsigned - (1 << (8 * n)) } else { unsigned }
        };
        let i = &mut instruction;
        match form {
            "I" | "O" => i.imm = immediate(1, c(arguments)),
            "II" => {
                let n = size(b1);
                i.imm = immediate(2, n);
                i.imm2 = immediate(2 + n, c(arguments - i64::from(n) - 1));
            }
            "RI" => {
                i.r1 = register(b1);
                i.imm = immediate(2, c(arguments - 1));
            }
            "RX" => {
                i.r1 = register(b1);
                i.imm = (0..8).fold(0, |value, index| value | i64::from(self.byte(p + 2 + index)) << (8 * index));
            }
            "RII" | "RIO" => {
                i.r1 = register(b1);
                let n = size(b1 >> 4);
                i.imm = immediate(2, n);
                i.imm2 = immediate(2 + n, c(arguments - i64::from(n) - 1));
            }
            "RR" => (i.r1, i.r2) = (register(b1), register(b1 >> 4)),
            "RRI" | "RRO" => {
                (i.r1, i.r2) = (register(b1), register(b1 >> 4));
                i.imm = immediate(2, c(arguments - 1));
            }
            "RRR" => (i.r1, i.r2, i.r3) = (register(b1), register(b1 >> 4), register(b2)),
            "RRII" => {
                (i.r1, i.r2) = (register(b1), register(b1 >> 4));
                let n = size(b2);
                i.imm = immediate(3, n);
                i.imm2 = immediate(3 + n, c(arguments - i64::from(n) - 2));
            }
            _ => {}
        }
        match form {
            "O" | "RRO" => i.target = p.wrapping_add(i.imm as u32),
            "RIO" => i.target = p.wrapping_add(i.imm2 as u32),
            _ => {}
        }
        instruction
    }

    /// The instruction at an offset; the end of the code acts as an invalid one.
    pub fn at(&self, offset: u32) -> Option<Instruction> {
        if offset == self.len() {
            let empty = Instruction { offset, next: offset, ..self.decode(offset) };
            return Some(empty);
        }
        self.instructions.get(&offset).cloned()
    }

    /// "Blocks and targets".
    pub fn is_target(&self, t: u32) -> bool {
        if t >= self.len() || !self.instructions.contains_key(&t) {
            return false;
        }
        match (1..=25).filter_map(|back| t.checked_sub(back)).find(|offset| self.starts(*offset)) {
            Some(before) => self.names[self.byte(before) as usize].is_none_or(|(name, _)| table::ends_block(name)),
            None => true,
        }
    }

    /// The start of the block that the instruction at `offset` belongs to; `None` if none begins there.
    pub fn block_start(&self, offset: u32) -> Option<u32> {
        if offset >= self.len() || !self.instructions.contains_key(&offset) {
            return None;
        }
        let before = self.instructions.range(..offset).rev().find(|(_, instruction)| instruction.ends_block());
        Some(before.map_or(0, |(_, ender)| ender.next))
    }

    /// The instructions of the block that starts at `start`, the end of the code included if it runs into that.
    pub fn block(&self, start: u32) -> Vec<Instruction> {
        let mut block = Vec::new();
        let mut offset = start;
        while let Some(instruction) = self.at(offset) {
            offset = instruction.next;
            let last = instruction.ends_block();
            block.push(instruction);
            if last {
                break;
            }
        }
        block
    }

    /// Cost of the block that starts at `start`, of a program that can address this many bytes of memory.
    pub fn cost(&mut self, model: gas::Model, memory: u64, start: u32) -> u32 {
        if let Some(cost) = self.costs.get(&start) {
            return *cost;
        }
        let cost = gas::cost(model, self, memory, &self.block(start));
        self.costs.insert(start, cost);
        cost
    }

    /// True if a branch to or past this offset is predicted: the end of `docs/spec/gas.md#latencies-and-units-of-instructions`.
    pub fn looks_rare(&self, offset: u32) -> bool {
        let Some(byte) = self.bytes.get(offset as usize) else { return true };
        self.names[*byte as usize].is_some_and(|(name, _)| name == "trap" || name == "unlikely")
    }
}
