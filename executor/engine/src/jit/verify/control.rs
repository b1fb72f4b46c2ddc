//! The verifier's rules of control flow: jumps, calls, dynamic jumps, what a branch gives back, and the sequences that use
//! the stack.

use super::{CALL, Result, Verifier, set};
use crate::error::CodeRule;
use pvm_zygote::protocol::{self, CODE_BASE, STACK_TOP};

/// From the stack pointer to the jump table.
const JUMP_TABLE: i32 = CODE_BASE.wrapping_sub(STACK_TOP) as i32;

/// Most bytes that sequences push at once, in registers.
const MOST_PUSHED: usize = 3;

/// Conditions of jumps: all but those of overflow, sign and parity.
const CONDITIONS: u16 = 0b1111_0000_1111_1100;

/// A comparison with a constant, or `and`, of edx: by the digit in ModRM.reg. Bytes of it, if it is that.
fn edx_with_constant(word: u64, modrm: u8, constant: i32) -> Option<usize> {
    let code = word as u16;
    if i8::try_from(constant).is_ok() {
        (code == u16::from_le_bytes([0x83, modrm]) && (word >> 16) as u8 == constant as u8).then_some(3)
    } else {
        (code == u16::from_le_bytes([0x81, modrm]) && (word >> 16) as u32 == constant as u32).then_some(6)
    }
}

impl Verifier<'_> {
    /// Checks what the tables of `forms` do not have; returns the offset behind it.
    pub(super) fn irregular_or_control(&mut self, at: usize) -> Result<usize> {
        let word = self.word(at);
        let [first, second, ..] = word.to_le_bytes();
        match (first, second) {
            (0x70..=0x7f, _) if CONDITIONS >> (first & 15) & 1 == 1 => {
                self.target(at, at + 2, i64::from(second as i8))?;
                self.behind_branch(at + 2)
            }
            (0x0f, 0x80..=0x8f) if CONDITIONS >> (second & 15) & 1 == 1 => {
                self.target(at, at + 6, i64::from(self.i32(at + 2)))?;
                self.behind_branch(at + 6)
            }
            (0xeb, _) => {
                self.target(at, at + 2, i64::from(second as i8))?;
                self.has_ended = true;
                Ok(at + 2)
            }
            (0xe9, _) => {
                self.target(at, at + 5, i64::from(self.i32(at + 1)))?;
                self.has_ended = true;
                Ok(at + 5)
            }
            (0xe8, _) => self.call(at),
            // ror edx, 1
            (0xd1, 0xca) => self.dynamic_jump(at),
            // push
            (0x50..=0x57, _) | (0x41, 0x50..=0x57) => self.pushes(at),
            // lea r15
            (0x4d, 0x8d) if self.lea_gas(at).is_some() => self.likely_branch(at),
            // nop
            (0x90, _) | (0x66, 0x90 | 0x0f) | (0x0f, 0x1f) => self.padding(at),
            _ => match self.irregular(at) {
                Some(length) => Ok(at + length),
                None => self.refuse(at, self.rule_of(at)),
            },
        }
    }

    /// A direct jump: that it leads to a block is checked when all of them are known.
    #[inline(always)]
    fn target(&mut self, at: usize, next: usize, way: i64) -> Result<()> {
        let target = next as i64 + way;
        if target < 0 || target >= self.end as i64 {
            return self.refuse(at, CodeRule::Target);
        }
        set(self.targets, target as usize);
        Ok(())
    }

    /// Calls of routines.
    fn call(&mut self, at: usize) -> Result<usize> {
        if self.calls(at, protocol::EXIT_TRAP) {
            self.has_ended = true;
        } else {
            let goes_on = [protocol::EXIT_HOST_CALL, protocol::EXIT_SBRK, protocol::EXIT_MEMSET];
            let is_step = self.steps && self.calls(at, protocol::EXIT_STEP);
            if !is_step && !goes_on.into_iter().any(|exit| self.calls(at, exit)) {
                return self.refuse(at, CodeRule::Call);
            }
        }
        Ok(at + CALL)
    }

    /// Nops, which come before a block.
    pub(super) fn padding(&mut self, mut at: usize) -> Result<usize> {
        while let Some(length) = nop(self.word(at)) {
            at += length;
            self.has_ended = true;
        }
        if self.has_ended { Ok(at) } else { self.refuse(at, CodeRule::Form) }
    }

    /// Verifies the fall-through of a branch: a block, or the branch's refund before one.
    #[inline(always)]
    fn behind_branch(&mut self, at: usize) -> Result<usize> {
        self.has_ended = true;
        match self.refund {
            0 => Ok(at),
            _ => self.behind_unlikely_branch(at),
        }
    }

    #[inline(never)]
    fn behind_unlikely_branch(&mut self, at: usize) -> Result<usize> {
        match self.lea_gas(at) {
            Some((length, gas)) => {
                self.refunds(at, gas)?;
                Ok(at + length)
            }
            None => Ok(at),
        }
    }

    /// `lea r15, [r15 + gas]`: its length, and the gas.
    fn lea_gas(&self, at: usize) -> Option<(usize, i32)> {
        let word = self.word(at);
        match word as u32 & 0xff_ffff {
            0x7f_8d4d => Some((4, i32::from((word >> 24) as i8))),
            0xbf_8d4d => Some((7, (word >> 24) as i32)),
            _ => None,
        }
    }

    /// Gas that is given back is what the cost model says, and less than the block's charge.
    fn refunds(&self, at: usize, gas: i32) -> Result<()> {
        let is_permitted = self.refund != 0 && i64::from(gas) == i64::from(self.refund) && self.cost > self.refund;
        if is_permitted { Ok(()) } else { self.refuse(at, CodeRule::Refund) }
    }

    /// A branch that gives gas back if it is taken: gas back, a comparison, the branch, and the gas taken again.
    fn likely_branch(&mut self, at: usize) -> Result<usize> {
        let Some((length, gas)) = self.lea_gas(at) else { return self.refuse(at, CodeRule::Register) };
        self.refunds(at, gas)?;
        let compare = at + length;
        let branch = compare + self.regular(compare);
        let [first, second, ..] = self.word(branch).to_le_bytes();
        let (next, way) = if first & 0xf0 == 0x70 {
            (branch + 2, i64::from(second as i8))
        } else if first == 0x0f && second & 0xf0 == 0x80 {
            (branch + 6, i64::from(self.i32(branch + 2)))
        } else {
            return self.refuse(branch, CodeRule::Refund);
        };
        let condition = if first == 0x0f { second } else { first } & 15;
        if branch == compare || !self.is_comparison(compare) || CONDITIONS >> condition & 1 == 0 {
            return self.refuse(compare, CodeRule::Refund);
        }
        self.target(branch, next, way)?;
        self.has_ended = true;
        match self.lea_gas(next) {
            Some((length, gas)) if i64::from(gas) == -i64::from(self.refund) => Ok(next + length),
            _ => self.refuse(next, CodeRule::Refund),
        }
    }

    /// Returns whether a regular instruction is cmp or test.
    fn is_comparison(&self, at: usize) -> bool {
        let word = self.word(at);
        let word = if word & 0xf0 == 0x40 { word >> 8 } else { word };
        match word as u8 {
            0x39 | 0x85 => true,
            0x81 | 0x83 => word >> 11 & 7 == 7,
            _ => false,
        }
    }

    /// A dynamic jump: half of edx is compared with the length of the jump table, masked, and is the index of an entry.
    fn dynamic_jump(&mut self, at: usize) -> Result<usize> {
        let stub = self.jump_stubs + CALL * self.jumps;
        match self.end_of_dynamic_jump(at + 2, stub) {
            Some(end) => {
                self.jumps += 1;
                self.has_ended = true;
                Ok(end)
            }
            None => self.refuse(at, CodeRule::DynamicJump),
        }
    }

    fn end_of_dynamic_jump(&mut self, mut at: usize, stub: usize) -> Option<usize> {
        let room = self.entries.checked_next_power_of_two()?;
        // A conditional jump of six bytes to the stub.
        let leaves = |verifier: &Self, at: usize, code: u64| {
            let way = stub.wrapping_sub(at + 6) as u32;
            verifier.word(at) & 0xffff_ffff_ffff == code | u64::from(way) << 16
        };
        at += edx_with_constant(self.word(at), 0xfa, self.entries as i32)?;
        // jae
        if !leaves(self, at, 0x830f) {
            return None;
        }
        at += 6;
        at += edx_with_constant(self.word(at), 0xe2, (room as i32).wrapping_sub(1))?;
        // jmp [rsp + rdx * 8 + table], or mov rdx, of that; test rdx, rdx; je; jmp rdx
        if self.word(at) as u32 & 0xff_ffff == 0xd4_a4ff && self.i32(at + 3) == JUMP_TABLE {
            self.reads_every_entry = true;
            return Some(at + 7);
        }
        let loads = self.word(at) as u32 == 0xd494_8b48 && self.i32(at + 4) == JUMP_TABLE;
        let tests = self.word(at + 8) as u32 & 0xff_ffff == 0xd2_8548 && leaves(self, at + 11, 0x840f);
        let jumps = self.word(at + 17) as u16 == 0xe2ff;
        (loads && tests && jumps).then_some(at + 19)
    }

    /// A sequence that pushes registers, up to where all of them are popped again. Jumps in it go forward to instructions
    /// of it that have as much on the stack; it neither accesses memory nor leaves.
    #[inline(never)]
    fn pushes(&mut self, from: usize) -> Result<usize> {
        // Bit maps of offsets, by how many are pushed.
        let (mut starts, mut targets) = ([0u128; MOST_PUSHED + 1], [0u128; MOST_PUSHED + 1]);
        let (mut pushed, mut at) = (0, from);
        loop {
            let offset = at - from;
            let Some(starts) = starts.get_mut(pushed).filter(|_| offset < 128) else {
                return self.refuse(at, CodeRule::Stack);
            };
            *starts |= 1 << offset;
            let word = self.word(at);
            let (has_rex, code) = if word as u8 == 0x41 { (1, (word >> 8) as u8) } else { (0, word as u8) };
            match (code & 0xf8, word as u8) {
                (0x50 | 0x58, _) => {
                    if !super::is_operand(code & 7 | has_rex << 3) {
                        return self.refuse(at, CodeRule::Stack);
                    }
                    at += 1 + usize::from(has_rex);
                    pushed = if code & 0xf8 == 0x50 { pushed + 1 } else { pushed - 1 };
                    if pushed == 0 {
                        break;
                    }
                }
                (_, first @ (0x70..=0x7f | 0xeb)) => {
                    let target = offset + 2 + usize::from((word >> 8) as u8);
                    let is_permitted = first == 0xeb || CONDITIONS >> (first & 15) & 1 == 1;
                    match targets.get_mut(pushed).filter(|_| is_permitted && target < 128) {
                        Some(targets) => *targets |= 1 << target,
                        None => return self.refuse(at, CodeRule::Stack),
                    }
                    at += 2;
                }
                // A memory access.
                (_, 0x67) => return self.refuse(at, CodeRule::Stack),
                _ => match self.regular(at) {
                    0 => match self.irregular(at) {
                        Some(length) => at += length,
                        None => return self.refuse(at, self.rule_of(at)),
                    },
                    length => at += length,
                },
            }
        }
        if starts.iter().zip(targets).any(|(starts, targets)| targets & !starts != 0) {
            return self.refuse(from, CodeRule::Stack);
        }
        Ok(at)
    }
}

/// Bytes of a nop, if the word begins with one.
fn nop(word: u64) -> Option<usize> {
    const NOPS: [(u64, usize); 9] = [
        (0x90, 1),
        (0x9066, 2),
        (0x00_1f0f, 3),
        (0x0040_1f0f, 4),
        (0x00_0044_1f0f, 5),
        (0x0000_441f_0f66, 6),
        (0x0080_1f0f, 7),
        (0x0000_0000_0084_1f0f, 8),
        (0x0000_0000_841f_0f66, 9),
    ];
    NOPS.into_iter().find_map(|(bytes, length)| {
        let shown = 8 * length.min(8) as u32;
        (word << (64 - shown) == bytes << (64 - shown)).then_some(length)
    })
}
