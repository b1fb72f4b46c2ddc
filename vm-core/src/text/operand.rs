//! Operand syntax: the list that both the printer and the parser follow.
//!
//! The order is that of assembly, destination first. Fields that a format lacks are ignored.

use crate::isa::{Format, Instruction, Reg};
use core::fmt;

/// Operand of an instruction, named by the field that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    R1,
    R2,
    R3,
    /// 32 bits, signed.
    Imm,
    /// 32 bits, signed.
    Imm2,
    /// 64 bits.
    Wide,
    Target,
}

/// Returns the operands of a format in the order in which they are written.
pub(super) const fn operands(format: Format) -> &'static [Operand] {
    use Operand::{Imm, Imm2, R1, R2, R3, Target, Wide};
    match format {
        Format::None => &[],
        Format::Imm => &[Imm],
        Format::Offset => &[Target],
        Format::ImmImm => &[Imm, Imm2],
        Format::RegImm => &[R1, Imm],
        Format::RegImmImm => &[R1, Imm, Imm2],
        Format::RegImmOffset => &[R1, Imm, Target],
        Format::RegReg => &[R1, R2],
        Format::RegRegImm => &[R1, R2, Imm],
        Format::RegRegOffset => &[R1, R2, Target],
        Format::RegRegReg => &[R3, R1, R2],
        Format::RegRegImmImm => &[R1, R2, Imm, Imm2],
        Format::RegImm64 => &[R1, Wide],
    }
}

/// True if one of the operands is a jump target.
pub(super) fn has_target(format: Format) -> bool {
    operands(format).contains(&Operand::Target)
}

/// A number for display: small ones in decimal, others in hex.
#[derive(Clone, Copy)]
pub(super) struct Number(pub i64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        match self.0.unsigned_abs() {
            value @ 0..=1023 => write!(f, "{sign}{value}"),
            value => write!(f, "{sign}{value:#x}"),
        }
    }
}

/// The text of an instruction, as in listings. A jump target is written as the label of its offset, `@12`, whether or
/// not there is such a label.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self, None, true)
    }
}

/// Writes an instruction; with `width`, as a jump with an explicit offset width; with `label`, its target as a label.
pub(super) fn write(f: &mut fmt::Formatter<'_>, i: &Instruction, width: Option<u8>, label: bool) -> fmt::Result {
    f.write_str(i.opcode.spec().mnemonic)?;
    if let Some(width) = width {
        write!(f, ".w{width}")?;
    }
    for (index, operand) in operands(i.format()).iter().enumerate() {
        f.write_str(if index == 0 { " " } else { ", " })?;
        match operand {
            Operand::Target if !label => write!(f, "{:#x}", i.target)?,
            _ => write_operand(f, i, *operand)?,
        }
    }
    Ok(())
}

fn write_operand(f: &mut fmt::Formatter<'_>, instruction: &Instruction, operand: Operand) -> fmt::Result {
    let reg = |f: &mut fmt::Formatter<'_>, reg: Reg| f.write_str(reg.name());
    match operand {
        Operand::R1 => reg(f, instruction.r1),
        Operand::R2 => reg(f, instruction.r2),
        Operand::R3 => reg(f, instruction.r3),
        Operand::Imm => write!(f, "{}", Number(instruction.imm)),
        Operand::Imm2 => write!(f, "{}", Number(i64::from(instruction.imm2))),
        Operand::Wide => match instruction.imm {
            small @ -1023..=1023 => write!(f, "{}", Number(small)),
            large => write!(f, "{large:#x}"),
        },
        Operand::Target => write!(f, "@{}", instruction.target),
    }
}

/// Pseudocode of an instruction, from the semantics column of the instruction table: `a0 = a1 + a2`.
pub fn pseudocode(instruction: &Instruction) -> Pseudocode<'_> {
    Pseudocode(instruction)
}

/// Displays an instruction as pseudocode; see [`pseudocode`].
#[derive(Clone, Copy, Debug)]
pub struct Pseudocode<'a>(&'a Instruction);

impl fmt::Display for Pseudocode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.opcode.spec().semantics;
        while !rest.is_empty() {
            let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, behind) = rest.split_at(word.max(rest.chars().next().map_or(1, char::len_utf8)));
            rest = behind;
            let operand = match name {
                "r1" => Operand::R1,
                "r2" => Operand::R2,
                "r3" => Operand::R3,
                "imm" if self.0.format() == Format::RegImm64 => Operand::Wide,
                "imm" => Operand::Imm,
                "imm2" => Operand::Imm2,
                "target" => Operand::Target,
                _ => {
                    f.write_str(name)?;
                    continue;
                }
            };
            write_operand(f, self.0, operand)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Opcode;
    use alloc::string::ToString;

    #[test]
    fn instructions_read_as_assembly_and_as_pseudocode() {
        for (instruction, text, does) in [
            (Instruction::rrr(Opcode::Sub64, Reg::A0, Reg::A1, Reg::T0), "sub_64 a0, a1, t0", "a0 = a1 - t0"),
            (
                Instruction::rri(Opcode::LoadIndirectU32, Reg::S0, Reg::SP, -8),
                "load_indirect_u32 s0, sp, -8",
                "s0 = zx(mem32[sp + -8])",
            ),
            (
                Instruction::rio(Opcode::BranchEqImm, Reg::A5, 0x1_0000, 99),
                "branch_eq_imm a5, 0x10000, @99",
                "if a5 == 0x10000: goto @99",
            ),
            (
                Instruction::rx(Opcode::LoadImm64, Reg::RA, i64::MIN),
                "load_imm64 ra, 0x8000000000000000",
                "ra = 0x8000000000000000 (64 bits)",
            ),
            (Instruction::none(Opcode::Trap), "trap", "stop with Trap"),
        ] {
            assert_eq!(instruction.to_string(), text);
            assert_eq!(pseudocode(&instruction).to_string(), does);
        }
    }
}
