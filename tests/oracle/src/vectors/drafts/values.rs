//! Drafts for arithmetic instructions: boundary values of their operands, and the destination being a source.

use super::case;
use vm_core::isa::{Format, InstructionSpec, Opcode};

/// Boundary values of both widths; a 32-bit register holds the lower half.
const EDGES: [u64; 10] = [
    0,
    1,
    u64::MAX,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff_8000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    33,
    0x1234_5678_9abc_def0,
];
/// Those of them that differ in 32 bits.
const NARROW: [u64; 7] = [0, 1, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 33, 0x9abc_def0];
const IMMEDIATES: [i32; 9] = [0, 1, -1, 31, 32, 63, i32::MAX, i32::MIN, 0x1234_5678];

/// True for these instructions.
pub fn applies(spec: &InstructionSpec) -> bool {
    match spec.format {
        Format::RegRegReg | Format::RegImm64 => true,
        Format::RegReg => spec.opcode != Opcode::Sbrk,
        Format::RegRegImm => !super::memory::applies(spec),
        Format::RegImm => spec.opcode == Opcode::LoadImm,
        _ => false,
    }
}

/// A line that tests whether the first operand is negative. An engine that keeps 32-bit values in wider registers may
/// have the right lower half and yet treat it as positive.
pub fn sign_of(operands: &str) -> String {
    format!("    set_less_than_signed_imm a4, {}, 0\n", operands.split(',').next().unwrap_or_default())
}

/// Returns the cases for one register width.
pub fn draft(spec: &InstructionSpec, wide: bool) -> String {
    let edges: &[u64] = if wide { &EDGES } else { &NARROW };
    let name = spec.mnemonic;
    let program = |operands: &str| {
        let sign = if wide { String::new() } else { sign_of(operands) };
        format!("program\n    {name} {operands}\n{sign}    jump_indirect ra, 0\n")
    };
    let mut text = String::new();
    match spec.format {
        Format::RegRegReg => {
            text += &program("a2, a0, a1");
            for a in edges {
                for b in edges {
                    text += &case(&format!("a0={a:#x} a1={b:#x}"));
                }
            }
            for (operands, what) in
                [("a0, a0, a1", "first"), ("a1, a0, a1", "second"), ("a0, a0, a0", "both"), ("a5, ra, sp", "none")]
            {
                text += &format!("# the destination is a source: {what}\n{}", program(operands));
                for (a, b) in [(7, 3), (edges[4], edges[2]), (1, 0)] {
                    text += &case(&format!("a0={a:#x} a1={b:#x}"));
                }
            }
        }
        Format::RegRegImm => {
            for imm in IMMEDIATES {
                text += &program(&format!("a1, a0, {imm}"));
                for a in edges {
                    text += &case(&format!("a0={a:#x}"));
                }
            }
            text += &format!("# the destination is the source\n{}", program("a0, a0, 5"));
            for a in edges {
                text += &case(&format!("a0={a:#x}"));
            }
        }
        Format::RegReg => {
            text += &program("a1, a0");
            for a in edges.iter().chain(&[0x80, 0xff7f, 0x8000, 0xffff_0000, 0x1_0000_0000_u64]) {
                if wide || *a <= u64::from(u32::MAX) {
                    text += &case(&format!("a0={a:#x}"));
                }
            }
            text += &format!("# the destination is the source\n{}", program("a0, a0"));
            for a in edges {
                text += &case(&format!("a0={a:#x}"));
            }
        }
        Format::RegImm64 => {
            for value in EDGES {
                text += &program(&format!("a1, {value:#x}"));
                text += &case("");
            }
        }
        _ => {
            for value in IMMEDIATES.into_iter().chain([127, -128, 128, -129, 32767, -32768, 0x7f_ffff, -0x80_0000]) {
                text += &program(&format!("a1, {value}"));
                text += &case("");
            }
        }
    }
    text
}
