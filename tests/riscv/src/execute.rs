//! Executes each instruction, by the RISC-V manual.

use super::compressed::expand;
use super::emulator::{Emulator, Stop};

fn sext(value: u64) -> u64 {
    value as i32 as u64
}

impl Emulator {
    /// Executes one instruction.
    pub(crate) fn step(&mut self) -> Result<(), Stop> {
        let half = self.load(self.pc, 2)? as u32;
        let (word, length) = match half & 3 {
            3 => (self.load(self.pc, 4)? as u32, 4),
            _ => (expand(half, self.wide).ok_or(Stop::Trap)?, 2),
        };
        let next = self.pc.wrapping_add(length);
        let (rd, rs1, rs2) = ((word >> 7 & 31) as usize, (word >> 15 & 31) as usize, (word >> 20 & 31) as usize);
        let (funct3, funct7) = (word >> 12 & 7, word >> 25);
        let (x, y) = (self.registers[rs1], self.registers[rs2]);
        let imm_i = (word as i32 >> 20) as i64 as u64;
        let mut target = next;
        match word & 0x7f {
            0x37 => self.set(rd, (word & !0xfff) as i32 as u64),
            0x17 => self.set(rd, self.pc.wrapping_add((word & !0xfff) as i32 as u64)),
            0x6f => {
                let offset = (word as i32 >> 31 << 20) as u32
                    | (word & 0xff000)
                    | (word >> 20 & 1) << 11
                    | (word >> 21 & 0x3ff) << 1;
                self.set(rd, next);
                target = self.pc.wrapping_add(offset as i32 as u64);
            }
            0x67 => {
                target = x.wrapping_add(imm_i) & !1;
                self.set(rd, next);
            }
            0x63 => {
                let taken = match funct3 {
                    0 => x == y,
                    1 => x != y,
                    4 => (x as i64) < y as i64,
                    5 => x as i64 >= y as i64,
                    6 => x < y,
                    7 => x >= y,
                    _ => return Err(Stop::Trap),
                };
                let offset = (word as i32 >> 31 << 12) as u32
                    | (word >> 7 & 1) << 11
                    | (word >> 25 & 0x3f) << 5
                    | (word >> 8 & 15) << 1;
                if taken {
                    target = self.pc.wrapping_add(offset as i32 as u64);
                }
            }
            0x03 => {
                let length = 1 << (funct3 & 3);
                let raw = self.load(x.wrapping_add(imm_i), length)?;
                let unused = 64 - 8 * length as u32;
                let value = if funct3 & 4 == 0 { ((raw << unused) as i64 >> unused) as u64 } else { raw };
                self.set(rd, value);
            }
            0x23 => {
                let offset = (word as i32 >> 25 << 5) as i64 as u64 | u64::from(word >> 7 & 31);
                self.store(x.wrapping_add(offset), 1 << (funct3 & 3), y)?;
            }
            0x13 => {
                let value = self.immediate(word, x, imm_i).ok_or(Stop::Trap)?;
                self.set(rd, value);
            }
            0x1b => {
                let amount = rs2 as u32;
                let value = match (funct3, funct7) {
                    (0, _) => sext(x.wrapping_add(imm_i)),
                    (1, 0) => sext(u64::from((x as u32) << amount)),
                    (1, 4 | 5) => (x & 0xffff_ffff) << (word >> 20 & 63),
                    (1, 0x30) => match amount {
                        0 => u64::from((x as u32).leading_zeros()),
                        1 => u64::from((x as u32).trailing_zeros()),
                        2 => u64::from((x as u32).count_ones()),
                        _ => return Err(Stop::Trap),
                    },
                    (5, 0) => sext(u64::from(x as u32 >> amount)),
                    (5, 0x20) => (x as i32 >> amount) as u64,
                    (5, 0x30) => sext(u64::from((x as u32).rotate_right(amount))),
                    _ => return Err(Stop::Trap),
                };
                self.set(rd, value);
            }
            0x33 => {
                let value = self.register(funct7, funct3, rs2, x, y).ok_or(Stop::Trap)?;
                self.set(rd, value);
            }
            0x3b => {
                let value = word_operation(funct7, funct3, x, y).ok_or(Stop::Trap)?;
                self.set(rd, value);
            }
            0x0f => {}
            0x2f => self.atomic(word, rd, x, y)?,
            0x0b => match (funct7, funct3) {
                (0x20, 1) if y == 0 => self.set(rd, x),
                (0x21, 1) if y != 0 => self.set(rd, x),
                (0x20 | 0x21, 1) => {}
                _ if word == 0x0b => {
                    let record = self.host_calls.get(&next).ok_or(Stop::Trap)?;
                    let name = self.imports.get(record).ok_or(Stop::Trap)?.clone();
                    self.pc = next + if self.wide { 8 } else { 4 };
                    return Err(Stop::HostCall(name));
                }
                _ => return Err(Stop::Trap),
            },
            _ => return Err(Stop::Trap),
        }
        self.pc = target & 0xffff_ffff;
        Ok(())
    }

    fn immediate(&self, word: u32, x: u64, imm: u64) -> Option<u64> {
        let width = if self.wide { 64 } else { 32 };
        let amount = word >> 20 & (width - 1);
        let kind = word >> 26 << 1;
        let unsigned = if self.wide { x } else { x & 0xffff_ffff };
        let bit = 1u64 << amount;
        Some(match word >> 12 & 7 {
            0 => x.wrapping_add(imm),
            2 => u64::from((x as i64) < imm as i64),
            3 => u64::from(x < imm),
            4 => x ^ imm,
            6 => x | imm,
            7 => x & imm,
            1 => match (kind, word >> 20) {
                (0, _) => x << amount,
                (_, 0x600) => u64::from(if self.wide { x.leading_zeros() } else { (x as u32).leading_zeros() }),
                (_, 0x601) => u64::from(if self.wide { x.trailing_zeros() } else { (x as u32).trailing_zeros() }),
                (_, 0x602) => u64::from(unsigned.count_ones()),
                (_, 0x604) => x as i8 as u64,
                (_, 0x605) => x as i16 as u64,
                (0x14, _) => x | bit,
                (0x24, _) => x & !bit,
                (0x34, _) => x ^ bit,
                _ => return None,
            },
            _ => match (kind, word >> 20) {
                (_, 0x287) => u64::from_le_bytes(x.to_le_bytes().map(|byte| if byte == 0 { 0 } else { 0xff })),
                (_, 0x6b8) if self.wide => x.swap_bytes(),
                (_, 0x698) if !self.wide => u64::from((x as u32).swap_bytes()),
                (0, _) => unsigned >> amount,
                (0x20, _) => (x as i64 >> amount) as u64,
                (0x30, _) if self.wide => x.rotate_right(amount),
                (0x30, _) => u64::from((x as u32).rotate_right(amount)),
                (0x24, _) => unsigned >> amount & 1,
                _ => return None,
            },
        })
    }

    fn register(&self, funct7: u32, funct3: u32, rs2: usize, x: u64, y: u64) -> Option<u64> {
        let wide = self.wide;
        let (sx, sy) = (x as i64, y as i64);
        let amount = y as u32 & if wide { 63 } else { 31 };
        let (ux, uy) = if wide { (x, y) } else { (x & 0xffff_ffff, y & 0xffff_ffff) };
        let half = if wide { 64 } else { 32 };
        let rotate = |left: bool| match (wide, left) {
            (true, true) => x.rotate_left(amount),
            (true, false) => x.rotate_right(amount),
            (false, true) => u64::from((x as u32).rotate_left(amount)),
            (false, false) => u64::from((x as u32).rotate_right(amount)),
        };
        Some(match (funct7, funct3) {
            (0, 0) => x.wrapping_add(y),
            (0, 1) => x << amount,
            (0, 2) => u64::from(sx < sy),
            (0, 3) => u64::from(x < y),
            (0, 4) => x ^ y,
            (0, 5) => ux >> amount,
            (0, 6) => x | y,
            (0, 7) => x & y,
            (0x20, 0) => x.wrapping_sub(y),
            (0x20, 4) => !(x ^ y),
            (0x20, 5) => (sx >> amount) as u64,
            (0x20, 6) => x | !y,
            (0x20, 7) => x & !y,
            (1, 0) => x.wrapping_mul(y),
            (1, 1) => ((i128::from(sx) * i128::from(sy)) >> half) as u64,
            (1, 2) => ((i128::from(sx) * i128::from(uy)) >> half) as u64,
            (1, 3) => ((u128::from(ux) * u128::from(uy)) >> half) as u64,
            (1, 4) if y == 0 => u64::MAX,
            // In 32 bits the one quotient that does not fit wraps when it is written.
            (1, 4) => sx.wrapping_div(sy) as u64,
            (1, 5) => ux.checked_div(uy).unwrap_or(u64::MAX),
            (1, 6) if y == 0 => x,
            (1, 6) => sx.wrapping_rem(sy) as u64,
            (1, 7) => ux.checked_rem(uy).unwrap_or(ux),
            (5, 4) => sx.min(sy) as u64,
            (5, 5) => x.min(y),
            (5, 6) => sx.max(sy) as u64,
            (5, 7) => x.max(y),
            (0x30, 1) => rotate(true),
            (0x30, 5) => rotate(false),
            (0x10, 2) => (x << 1).wrapping_add(y),
            (0x10, 4) => (x << 2).wrapping_add(y),
            (0x10, 6) => (x << 3).wrapping_add(y),
            (0x14, 1) => x | 1 << amount,
            (0x24, 1) => x & !(1 << amount),
            (0x24, 5) => ux >> amount & 1,
            (0x34, 1) => x ^ 1 << amount,
            (7, 5) => {
                if y == 0 {
                    0
                } else {
                    x
                }
            }
            (7, 7) => {
                if y != 0 {
                    0
                } else {
                    x
                }
            }
            (4, 4) if !wide && rs2 == 0 => x & 0xffff,
            _ => return None,
        })
    }

    fn atomic(&mut self, word: u32, rd: usize, address: u64, y: u64) -> Result<(), Stop> {
        let length = match word >> 12 & 7 {
            2 => 4,
            3 if self.wide => 8,
            _ => return Err(Stop::Trap),
        };
        let cut = |value: u64| if length == 4 { value as i32 as u64 } else { value };
        if word >> 27 == 3 {
            self.store(address, length, y)?;
            self.set(rd, 0);
            return Ok(());
        }
        let old = cut(self.load(address, length)?);
        let y = cut(y);
        let new = match word >> 27 {
            2 => {
                self.set(rd, old);
                return Ok(());
            }
            1 => y,
            0 => old.wrapping_add(y),
            4 => old ^ y,
            8 => old | y,
            12 => old & y,
            16 => (old as i64).min(y as i64) as u64,
            20 => (old as i64).max(y as i64) as u64,
            24 => old.min(y),
            28 => old.max(y),
            _ => return Err(Stop::Trap),
        };
        self.store(address, length, new)?;
        self.set(rd, old);
        Ok(())
    }
}

fn word_operation(funct7: u32, funct3: u32, x: u64, y: u64) -> Option<u64> {
    let (a, b) = (x as u32, y as u32);
    let (sa, sb) = (a as i32, b as i32);
    let amount = b & 31;
    Some(match (funct7, funct3) {
        (4, 0) => (x & 0xffff_ffff).wrapping_add(y),
        (4, 4) => x & 0xffff,
        (0x10, 2) => ((x & 0xffff_ffff) << 1).wrapping_add(y),
        (0x10, 4) => ((x & 0xffff_ffff) << 2).wrapping_add(y),
        (0x10, 6) => ((x & 0xffff_ffff) << 3).wrapping_add(y),
        _ => sext(u64::from(match (funct7, funct3) {
            (0, 0) => a.wrapping_add(b),
            (0, 1) => a << amount,
            (0, 5) => a >> amount,
            (0x20, 0) => a.wrapping_sub(b),
            (0x20, 5) => (sa >> amount) as u32,
            (1, 0) => a.wrapping_mul(b),
            (1, 4) => {
                if b == 0 {
                    u32::MAX
                } else {
                    sa.wrapping_div(sb) as u32
                }
            }
            (1, 5) => a.checked_div(b).unwrap_or(u32::MAX),
            (1, 6) => {
                if b == 0 {
                    a
                } else {
                    sa.wrapping_rem(sb) as u32
                }
            }
            (1, 7) => a.checked_rem(b).unwrap_or(a),
            (0x30, 1) => a.rotate_left(amount),
            (0x30, 5) => a.rotate_right(amount),
            _ => return None,
        })),
    })
}
