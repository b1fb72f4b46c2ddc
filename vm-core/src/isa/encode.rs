//! The encoder: turns instructions into code bytes and a bitmask.
//!
//! Called by the blob writer, by tests and by the linker. Jump targets are given as instruction indexes and become
//! offsets; every immediate takes its smallest size (`docs/spec/encoding.md#forms`). Jump offsets start empty and grow
//! until all of them fit; they never shrink, so this terminates.

use super::{Format, Instruction, Isa, Opcode};
use alloc::vec::Vec;
use core::fmt;

/// Code made by [`assemble`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assembly {
    /// The code bytes.
    pub code: Vec<u8>,
    /// Bitmask: one bit per code byte, set where an instruction starts; `ceil(code length / 8)` bytes.
    pub bitmask: Vec<u8>,
    /// Code offset of each instruction; one more entry at the end holds the code length.
    pub offsets: Vec<u32>,
}

/// Error of the encoder.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The instruction is not in the instruction set.
    NotInIsa {
        /// Position in the list of instructions.
        index: usize,
        /// The opcode.
        opcode: Opcode,
        /// The instruction set.
        isa: Isa,
    },
    /// A jump refers to an instruction that does not exist.
    TargetOutOfRange {
        /// Position of the jump in the list of instructions.
        index: usize,
        /// The instruction index given.
        target: u32,
        /// Number of instructions.
        count: usize,
    },
    /// The code is longer than offsets can address.
    TooLong {
        /// Code bytes needed.
        length: u64,
        /// Maximum length that offsets can address.
        limit: u64,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::NotInIsa { index, opcode, isa } => {
                write!(f, "instruction {index}: `{}` does not exist in {}", opcode.spec().mnemonic, isa.name())
            }
            EncodeError::TargetOutOfRange { index, target, count } => {
                write!(f, "instruction {index}: jumps to instruction {target}, but there are only {count}")
            }
            EncodeError::TooLong { length, limit } => write!(f, "code of {length} bytes, the limit is {limit}"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Minimum number of bytes from which sign extension restores `value`.
const fn immediate_size(value: i32) -> u32 {
    if value == 0 {
        0
    } else if value == value as i8 as i32 {
        1
    } else if value == value as i16 as i32 {
        2
    } else if value == (value << 8) >> 8 {
        3
    } else {
        4
    }
}

/// Length of the instruction in bytes, without its jump offset.
const fn base_length(instruction: &Instruction) -> u32 {
    let first = immediate_size(instruction.imm as i32);
    let second = immediate_size(instruction.imm2);
    match instruction.format() {
        Format::None | Format::Offset => 1,
        Format::Imm => 1 + first,
        Format::ImmImm | Format::RegImmImm => 2 + first + second,
        Format::RegImm | Format::RegRegImm | Format::RegImmOffset => 2 + first,
        Format::RegReg | Format::RegRegOffset => 2,
        Format::RegRegReg => 3,
        Format::RegRegImmImm => 3 + first + second,
        Format::RegImm64 => 10,
    }
}

fn push(code: &mut Vec<u8>, value: i32, size: u32) {
    code.extend(value.to_le_bytes().iter().take(size as usize));
}

/// Appends one instruction; `jump` is the distance to its target and the width of its offset in bytes.
fn emit(code: &mut Vec<u8>, number: u8, instruction: &Instruction, jump: (i32, u32)) {
    let pair = instruction.r1 as u8 | (instruction.r2 as u8) << 4;
    let imm = instruction.imm as i32;
    let first = immediate_size(imm);
    let second = immediate_size(instruction.imm2);
    let sized_register = instruction.r1 as u8 | (first as u8) << 4;
    code.push(number);
    match instruction.format() {
        Format::None | Format::Offset => {}
        Format::Imm => push(code, imm, first),
        Format::ImmImm => {
            code.push(first as u8);
            push(code, imm, first);
            push(code, instruction.imm2, second);
        }
        Format::RegImm => {
            code.push(instruction.r1 as u8);
            push(code, imm, first);
        }
        Format::RegImmImm => {
            code.push(sized_register);
            push(code, imm, first);
            push(code, instruction.imm2, second);
        }
        Format::RegImmOffset => {
            code.push(sized_register);
            push(code, imm, first);
        }
        Format::RegReg | Format::RegRegOffset => code.push(pair),
        Format::RegRegImm => {
            code.push(pair);
            push(code, imm, first);
        }
        Format::RegRegReg => code.extend([pair, instruction.r3 as u8]),
        Format::RegRegImmImm => {
            code.extend([pair, first as u8]);
            push(code, imm, first);
            push(code, instruction.imm2, second);
        }
        Format::RegImm64 => {
            code.push(instruction.r1 as u8);
            code.extend(instruction.imm.to_le_bytes());
        }
    }
    push(code, jump.0, jump.1);
}

/// Encodes `instructions` for `isa`. Jump targets (the field `target` of formats that have one) are indexes into the
/// list; a jump past its end is refused.
///
/// Takes time linear in the code per round of growing offsets (a handful for real code).
pub fn assemble(isa: Isa, instructions: &[Instruction]) -> Result<Assembly, EncodeError> {
    const LIMIT: u64 = i32::MAX as u64;
    let mut lengths = Vec::with_capacity(instructions.len());
    for (index, instruction) in instructions.iter().enumerate() {
        let Instruction { opcode, target, .. } = *instruction;
        if isa.number(opcode).is_none() {
            return Err(EncodeError::NotInIsa { index, opcode, isa });
        }
        if instruction.format().has_target() && target as usize >= instructions.len() {
            return Err(EncodeError::TargetOutOfRange { index, target, count: instructions.len() });
        }
        lengths.push(base_length(instruction));
    }
    let mut jump_sizes = alloc::vec![0u32; instructions.len()];
    let mut offsets = alloc::vec![0u32; instructions.len() + 1];
    loop {
        let mut end = 0u64;
        for (index, (length, jump_size)) in lengths.iter().zip(&jump_sizes).enumerate() {
            end += u64::from(length + jump_size);
            // A value that is truncated here is refused below, before it is used.
            offsets[index + 1] = end as u32;
        }
        if end > LIMIT {
            return Err(EncodeError::TooLong { length: end, limit: LIMIT });
        }
        let mut grown = false;
        for (index, instruction) in instructions.iter().enumerate() {
            if instruction.format().has_target() {
                let distance = offsets[instruction.target as usize].wrapping_sub(offsets[index]) as i32;
                let needed = immediate_size(distance);
                if needed > jump_sizes[index] {
                    jump_sizes[index] = needed;
                    grown = true;
                }
            }
        }
        if !grown {
            break;
        }
    }

    let length = offsets[instructions.len()] as usize;
    let mut assembly =
        Assembly { code: Vec::with_capacity(length), bitmask: alloc::vec![0; length.div_ceil(8)], offsets };
    for (index, instruction) in instructions.iter().enumerate() {
        let offset = assembly.offsets[index];
        assembly.bitmask[offset as usize / 8] |= 1 << (offset % 8);
        let distance = match instruction.format().has_target() {
            true => assembly.offsets[instruction.target as usize].wrapping_sub(offset) as i32,
            false => 0,
        };
        let number = isa.number(instruction.opcode).unwrap_or_default();
        emit(&mut assembly.code, number, instruction, (distance, jump_sizes[index]));
    }
    Ok(assembly)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{CodeView, Reg};
    use alloc::vec;

    #[test]
    fn immediates_take_the_smallest_size_that_restores_them() {
        for (value, size) in [
            (0, 0),
            (1, 1),
            (-128, 1),
            (127, 1),
            (128, 2),
            (-129, 2),
            (-32768, 2),
            (32768, 3),
            (-0x80_0000, 3),
            (0x7f_ffff, 3),
            (0x80_0000, 4),
            (i32::MIN, 4),
        ] {
            assert_eq!(immediate_size(value), size, "{value}");
        }
    }

    #[test]
    fn what_is_assembled_decodes_to_the_same_instructions() {
        let values = [0, 1, -1, 127, 128, -129, 40000, -9_000_000, i32::MIN, i32::MAX];
        for isa in Isa::ALL {
            let mut instructions = Vec::new();
            for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
                for (index, &value) in values.iter().enumerate() {
                    let other = values[(index * 7 + 3) % values.len()];
                    let reg = |n: usize| Reg::ALL[(index + n) % Reg::COUNT];
                    instructions.push(match opcode.spec().format {
                        Format::None => Instruction::none(opcode),
                        Format::Imm => Instruction::i(opcode, value),
                        Format::Offset => Instruction::o(opcode, (index * 90) as u32),
                        Format::ImmImm => Instruction::ii(opcode, value, other),
                        Format::RegImm => Instruction::ri(opcode, reg(0), value),
                        Format::RegImmImm => Instruction::rii(opcode, reg(0), value, other),
                        Format::RegImmOffset => Instruction::rio(opcode, reg(0), value, (index * 90) as u32),
                        Format::RegReg => Instruction::rr(opcode, reg(0), reg(5)),
                        Format::RegRegImm => Instruction::rri(opcode, reg(0), reg(5), value),
                        Format::RegRegOffset => Instruction::rro(opcode, reg(0), reg(5), (index * 90) as u32),
                        Format::RegRegReg => Instruction::rrr(opcode, reg(0), reg(5), reg(9)),
                        Format::RegRegImmImm => Instruction::rrii(opcode, reg(0), reg(5), value, other),
                        Format::RegImm64 => Instruction::rx(opcode, reg(0), i64::from(value) << 20),
                    });
                }
            }
            let assembly = assemble(isa, &instructions).unwrap();
            let view = CodeView::new(isa, &assembly.code, &assembly.bitmask);
            let mut count = 0;
            for (decoded, expected) in view.instructions().zip(&instructions) {
                let mut expected = *expected;
                if expected.format().has_target() {
                    expected.target = assembly.offsets[expected.target as usize];
                }
                assert_eq!(decoded.instruction, Some(expected), "{isa:?} at {}", decoded.offset);
                assert_eq!(decoded.offset, assembly.offsets[count]);
                count += 1;
            }
            assert_eq!(count, instructions.len());
        }
    }

    #[test]
    fn a_jump_to_itself_needs_no_offset_bytes() {
        let assembly = assemble(Isa::ReviveV1, &[Instruction::o(Opcode::Jump, 0)]).unwrap();
        assert_eq!(assembly.code, vec![40]);
        assert_eq!(assembly.bitmask, vec![1]);
    }

    #[test]
    fn wrong_requests_are_refused_by_name() {
        let missing = assemble(Isa::ReviveV1, &[Instruction::none(Opcode::Memset)]).unwrap_err();
        assert_eq!(alloc::format!("{missing}"), "instruction 0: `memset` does not exist in ReviveV1");
        let far = assemble(Isa::ReviveV1, &[Instruction::o(Opcode::Jump, 1)]).unwrap_err();
        assert_eq!(far, EncodeError::TargetOutOfRange { index: 0, target: 1, count: 1 });
    }
}
