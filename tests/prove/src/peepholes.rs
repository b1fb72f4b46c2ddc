//! Sequences that the compiler may emit as one: wide products, sums with carries, combined words. Each is compiled with
//! every way in which its registers can coincide, and with instructions behind it that read, overwrite or keep its
//! results, or can stop before that. If the code is not that of the single instructions, the whole is proved.
//!
//! The compiler's peepholes are not known here: any that handles one of these sequences is detected by its code.

use crate::emit::{EmitError, Emitter, Mode};
use crate::pairs;
use crate::rules::Obligation;
use vm_core::isa::Opcode::{
    Add64, CmovIfZeroImm, LoadImm, LoadU64, MoveReg, Mul64, MulUpperUnsignedUnsigned, Or, RotateRightImm32,
    SetLessThanUnsigned, ShiftLogicalLeftImm32, ShiftLogicalRightImm32, Xor,
};
use vm_core::isa::{Instruction, Reg};

/// Names of the sequences.
pub const NAMES: [&str; 5] = ["wide product", "sum and carry", "sum, carry added", "wide sum", "two words combined"];

/// For each way in which registers coincide, this many of the sequences and suffixes of each number are compiled,
/// different ones each time: seven registers can coincide in very many ways.
const VARIANTS: [usize; 5] = [4, 2, 2, 1, 6];
const SUFFIXES: [usize; 5] = [1, 6, 3, 2, 6];

/// Ways in which `count` registers can coincide: for each register the number of the first one equal to it.
fn partitions(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|partition: Vec<usize>| {
                let next = partition.iter().max().map_or(0, |most| most + 1);
                (0..=next).map(move |number| [partition.clone(), vec![number]].concat())
            })
            .collect();
    }
    all
}

fn rrr(opcode: vm_core::isa::Opcode, d: Reg, b: Reg, c: Reg) -> Instruction {
    Instruction::rrr(opcode, d, b, c)
}

/// Returns the sequences of a number with these registers, and the registers that may be left unset.
fn sequences(number: usize, r: &[Reg]) -> (Vec<Vec<Instruction>>, Vec<Reg>) {
    let carries = |r: &[Reg]| [r[0], r[1]].map(|source| rrr(SetLessThanUnsigned, r[3], r[2], source));
    let sum = |r: &[Reg]| rrr(Add64, r[2], r[0], r[1]);
    let mut all = Vec::new();
    match number {
        0 => {
            let low = rrr(Mul64, r[2], r[0], r[1]);
            for (b, c) in [(r[0], r[1]), (r[1], r[0])] {
                let high = rrr(MulUpperUnsignedUnsigned, r[3], b, c);
                all.extend([vec![low, high], vec![high, low]]);
            }
            (all, vec![])
        }
        1 => (carries(r).map(|carry| vec![sum(r), carry]).to_vec(), vec![r[3]]),
        2 => {
            for carry in carries(r) {
                for (b, c) in [(r[4], r[3]), (r[3], r[4])] {
                    all.push(vec![sum(r), carry, rrr(Add64, r[5], b, c)]);
                }
            }
            (all, vec![r[3]])
        }
        3 => {
            for carry in carries(r) {
                for (b, c) in [(r[6], r[3]), (r[3], r[6])] {
                    all.push(vec![sum(r), carry, rrr(Add64, r[6], r[4], r[5]), rrr(Add64, r[6], b, c)]);
                }
            }
            (all, vec![r[3]])
        }
        _ => {
            let words = [RotateRightImm32, ShiftLogicalRightImm32, ShiftLogicalLeftImm32];
            for (at, (first, second)) in words.iter().flat_map(|a| words.iter().map(move |b| (*a, *b))).enumerate() {
                let imm = [0, 1, 7, 18, 31, 32, -1][at % 7];
                let p = Instruction::rri(first, r[0], r[3], imm);
                let q = Instruction::rri(second, r[1], r[4], 13 - imm);
                all.push(vec![p, q, rrr(Xor, r[2], r[0], r[1])]);
                all.push(vec![p, q, rrr(Or, r[2], r[1], r[0])]);
            }
            (all, vec![r[0], r[1]])
        }
    }
}

/// Possible suffixes of a sequence that may leave `dead` unset; `other` is a register that it does not use.
fn suffixes(dead: &[Reg], other: Reg) -> Vec<(&'static str, Vec<Instruction>)> {
    let mut all = vec![("then a trap", vec![])];
    let overwrite = |reg: Reg| Instruction::ri(LoadImm, reg, 5);
    for reg in dead {
        all.push(("overwritten", vec![overwrite(*reg)]));
        all.push(("read, overwritten", vec![Instruction::rr(MoveReg, other, *reg), overwrite(*reg)]));
        all.push(("read and overwritten at once", vec![rrr(Xor, *reg, *reg, other)]));
        all.push(("a load, overwritten", vec![Instruction::ri(LoadU64, other, 0x100), overwrite(*reg)]));
        all.push(("perhaps overwritten", vec![Instruction::rri(CmovIfZeroImm, *reg, other, 3)]));
    }
    if let [a, b] = dead {
        all.push(("both overwritten", vec![overwrite(*a), overwrite(*b)]));
    }
    all
}

/// States the obligations for the sequences of a number, in a 64-bit instruction set.
///
/// # Errors
/// As [`crate::rules::state`].
pub fn state(emitter: &Emitter, mode: Mode, number: usize, found: &mut dyn FnMut(Obligation)) -> Result<(), EmitError> {
    let mut all = Vec::new();
    for (turn, partition) in partitions([4, 4, 6, 7, 5][number]).into_iter().enumerate() {
        // Any register but the last can be any other; the choice varies.
        let order = |at: usize| Reg::ALL[(at * 5 + turn * 3) % (Reg::COUNT - 1)];
        let registers: Vec<Reg> = partition.iter().map(|at| order(*at)).collect();
        let (own, dead) = sequences(number, &registers);
        for (place, sequence) in own.iter().cycle().skip(turn).take(VARIANTS[number].min(own.len())).enumerate() {
            let suffixes = suffixes(&dead, Reg::A5);
            let count = SUFFIXES[number].min(suffixes.len());
            for (class, suffix) in suffixes.iter().cycle().skip(turn + place).take(count) {
                all.push(((*class).to_owned(), [sequence.clone(), suffix.clone()].concat()));
            }
        }
    }
    pairs::sequences(emitter, mode, &all, found)
}
