//! Random programs: valid ones, damaged ones and random bytes.
#![allow(clippy::unwrap_used, reason = "test support: a test that cannot unwrap has failed")]

use crate::Rng;
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Assembly, Format, Instruction, Isa, Opcode, Reg, assemble};

/// Returns the indexes of the instructions at which basic blocks begin.
pub fn block_starts(list: &[Instruction]) -> Vec<u32> {
    (0..list.len() as u32).filter(|index| *index == 0 || list[*index as usize - 1].opcode.spec().ends_block).collect()
}

/// Generates random bytes as code of this length, with a random bitmask.
pub fn noise(length: u32, rng: &mut Rng) -> Assembly {
    let density = rng.pick(&[3, 30, 60, 100]);
    let mut bitmask = vec![0; length.div_ceil(8) as usize];
    for bit in 0..length {
        if rng.chance(density) {
            bitmask[bit as usize / 8] |= 1 << (bit % 8);
        }
    }
    Assembly { code: rng.bytes(length as usize), bitmask, offsets: Vec::new() }
}

/// Sets the targets of instructions at random, mostly to one of `starts`.
pub fn set_targets(list: &mut [Instruction], starts: &[u32], rng: &mut Rng) {
    let length = list.len() as u32;
    for instruction in list {
        instruction.target = if rng.chance(95) { rng.pick(starts) } else { rng.below(length) };
    }
}

/// Picks an opcode. Traps and host calls, which end most runs, are rare.
pub fn pick_opcode(opcodes: &[Opcode], rng: &mut Rng) -> Opcode {
    match rng.pick(opcodes) {
        Opcode::Trap | Opcode::Ecalli if rng.chance(70) => Opcode::Fallthrough,
        opcode => opcode,
    }
}

/// Makes an instruction of those operands that its format has; its target is 0. Offsets from a base register are mostly
/// small.
pub fn with_operands(opcode: Opcode, [r1, r2, r3]: [Reg; 3], [imm, imm2]: [i32; 2], rng: &mut Rng) -> Instruction {
    let small = if is_based(opcode) && rng.chance(80) { imm >> 24 } else { imm };
    match opcode.spec().format {
        Format::None => Instruction::none(opcode),
        Format::Imm => Instruction::i(opcode, imm),
        Format::Offset => Instruction::o(opcode, 0),
        Format::ImmImm => Instruction::ii(opcode, imm, imm2),
        Format::RegImm if opcode == Opcode::JumpIndirect => Instruction::ri(opcode, r1, imm >> 28 & !1),
        Format::RegImm => Instruction::ri(opcode, r1, imm),
        Format::RegImmImm => Instruction::rii(opcode, r1, small, imm2),
        Format::RegImmOffset => Instruction::rio(opcode, r1, imm, 0),
        Format::RegReg => Instruction::rr(opcode, r1, r2),
        Format::RegRegImm => Instruction::rri(opcode, r1, r2, small),
        Format::RegRegOffset => Instruction::rro(opcode, r1, r2, 0),
        Format::RegRegReg => Instruction::rrr(opcode, r3, r1, r2),
        Format::RegRegImmImm => Instruction::rrii(opcode, r1, r2, imm, imm2 >> 28 & !1),
        Format::RegImm64 => Instruction::rx(opcode, r1, rng.value() as i64),
    }
}

/// True if the instruction accesses memory at a base register plus an immediate.
pub fn is_based(opcode: Opcode) -> bool {
    let mnemonic = opcode.spec().mnemonic;
    mnemonic.contains("indirect") && (mnemonic.starts_with("load_i") || mnemonic.starts_with("st"))
}

/// A random program in parts, so that it can be damaged before it is encoded as a blob.
#[derive(Clone, Debug)]
pub struct RandomProgram {
    /// Instruction set.
    pub isa: Isa,
    /// Code, bitmask and instruction offsets.
    pub assembly: Assembly,
    /// Jump table entries: code offsets.
    pub jump_table: Vec<u32>,
    /// Size of the read-only data.
    pub ro_size: u32,
    /// Size of the read-write data.
    pub rw_size: u32,
    /// Size of the stack.
    pub stack_size: u32,
    /// Initial bytes of both data regions.
    pub data: Vec<u8>,
}

impl RandomProgram {
    /// Encodes the program as a blob.
    ///
    /// # Panics
    /// If the builder refuses it, which does not happen for generated parts.
    pub fn blob(&self) -> Vec<u8> {
        let mut builder = BlobBuilder::new(self.isa);
        let cut = |size: u32| &self.data[..self.data.len().min(size as usize)];
        builder.ro_data(self.ro_size, cut(self.ro_size)).rw_data(self.rw_size, cut(self.rw_size));
        builder.stack_size(self.stack_size).import(b"first").import(b"second").export(b"main", 0);
        for entry in &self.jump_table {
            builder.jump_table_entry(*entry);
        }
        builder.raw_code(self.assembly.code.clone(), self.assembly.bitmask.clone()).build().unwrap()
    }

    /// Flips bits of code, bitmask and jump table.
    pub fn damage(&mut self, rng: &mut Rng) {
        for _ in 0..1 + rng.below(4) {
            let length = self.assembly.code.len() as u32;
            match rng.below(4) {
                0 if length > 0 => self.assembly.code[rng.below(length) as usize] = rng.next_u64() as u8,
                1 if length > 0 => {
                    let bit = rng.below(length);
                    self.assembly.bitmask[bit as usize / 8] ^= 1 << (bit % 8);
                }
                2 if length > 0 => {
                    // Truncate the end.
                    let length = length - rng.below(length.min(12));
                    self.assembly.code.truncate(length as usize);
                    self.assembly.bitmask.truncate(length.div_ceil(8) as usize);
                    if let (Some(last), bits @ 1..) = (self.assembly.bitmask.last_mut(), length % 8) {
                        *last &= (1 << bits) - 1;
                    }
                }
                _ => {
                    let entry = rng.below(length + 2);
                    self.jump_table.push(entry);
                }
            }
        }
    }

    /// Generates random bytes as code, with a random bitmask.
    pub fn noise(isa: Isa, rng: &mut Rng) -> Self {
        let length = rng.below(120);
        let assembly = noise(length, rng);
        let mut program = RandomProgram::memory(isa, rng);
        program.jump_table = (0..rng.below(4)).map(|_| rng.below(length + 2)).collect();
        program.assembly = assembly;
        program
    }

    fn memory(isa: Isa, rng: &mut Rng) -> Self {
        RandomProgram {
            isa,
            assembly: Assembly::default(),
            jump_table: Vec::new(),
            ro_size: rng.pick(&[0, 1, 100, 0xfff, 0x1000, 0x1001]),
            rw_size: rng.pick(&[0, 1, 100, 0xfff, 0x1000, 0x1ff0, 0x2000]),
            stack_size: rng.pick(&[0, 1, 0x1000, 0x1800]),
            data: rng.bytes(300),
        }
    }

    /// Generates valid instructions with mostly valid branch targets and mostly mapped addresses.
    ///
    /// # Panics
    /// If the assembler refuses an instruction, which does not happen for generated ones.
    pub fn valid(isa: Isa, rng: &mut Rng) -> Self {
        let count = 2 + rng.below(60);
        let opcodes: Vec<Opcode> = Opcode::all().filter(|opcode| isa.number(*opcode).is_some()).collect();
        let mut list: Vec<Instruction> = Vec::new();
        while list.len() < count as usize {
            let opcode = pick_opcode(&opcodes, rng);
            let [r1, r2, r3] = [(); 3].map(|()| rng.pick(&Reg::ALL));
            let (imm, imm2) = (rng.immediate(), rng.immediate());
            if is_based(opcode) && rng.chance(60) {
                // Set the base near memory.
                let base = if opcode.spec().format == Format::RegImmImm { r1 } else { r2 };
                list.push(Instruction::ri(Opcode::LoadImm, base, rng.address() as i32));
            }
            if opcode == Opcode::Memset {
                list.push(Instruction::ri(Opcode::LoadImm, Reg::A0, rng.address() as i32));
                list.push(Instruction::ri(Opcode::LoadImm, Reg::A2, rng.below(300) as i32));
            }
            if opcode == Opcode::Sbrk && rng.chance(80) {
                list.push(Instruction::ri(Opcode::LoadImm, r2, rng.below(9000) as i32));
            }
            if matches!(opcode, Opcode::JumpIndirect | Opcode::LoadImmAndJumpIndirect) && rng.chance(80) {
                let base = if opcode == Opcode::JumpIndirect { r1 } else { r2 };
                list.push(Instruction::ri(Opcode::LoadImm, base, 2 * rng.below(8) as i32));
            }
            list.push(with_operands(opcode, [r1, r2, r3], [imm, imm2], rng));
        }
        if rng.chance(90) {
            list.push(Instruction::none(Opcode::Trap));
        }
        let starts = block_starts(&list);
        let length = list.len() as u32;
        set_targets(&mut list, &starts, rng);
        let mut program = RandomProgram::memory(isa, rng);
        program.assembly = assemble(isa, &list).unwrap();
        program.jump_table = (0..rng.below(6))
            .map(|_| if rng.chance(90) { rng.pick(&starts) } else { rng.below(length) })
            .map(|index| program.assembly.offsets[index as usize])
            .collect();
        program
    }

    /// Generates a program that is valid (60 %), damaged (30 %) or of random bytes (10 %).
    pub fn any(isa: Isa, rng: &mut Rng) -> Self {
        match rng.below(10) {
            0 => RandomProgram::noise(isa, rng),
            1..4 => {
                let mut program = RandomProgram::valid(isa, rng);
                program.damage(rng);
                program
            }
            _ => RandomProgram::valid(isa, rng),
        }
    }
}
