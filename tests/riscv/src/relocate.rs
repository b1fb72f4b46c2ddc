//! Relocation of ELF files, by the RISC-V ELF psABI.

use super::load::Sections;
use object::elf;
use std::collections::BTreeMap;

/// A relocation: its offset and type, and the value of its symbol with the addend (S + A).
pub(crate) struct Value {
    pub section: usize,
    pub offset: u64,
    pub r_type: u32,
    pub value: u64,
}

/// Applies relocations.
pub(crate) struct Relocator<'a> {
    pub sections: &'a mut Sections,
    /// Stand-in for the global offset table.
    pub table: Vec<u8>,
    pub table_at: u64,
    pub wide: bool,
}

/// The fields of instructions and data that are written.
struct Field<'a> {
    data: &'a mut [u8],
}

impl Field<'_> {
    fn get(&self, width: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.data.get(..width)?);
        Some(u64::from_le_bytes(bytes))
    }

    fn put(&mut self, width: usize, value: u64) -> Option<()> {
        self.data.get_mut(..width)?.copy_from_slice(&value.to_le_bytes()[..width]);
        Some(())
    }

    /// Replaces the bits of an immediate.
    fn patch(&mut self, width: usize, immediate: Immediate, value: u64) -> Option<()> {
        let mut word = self.get(width)?;
        for (from, count, to) in immediate {
            let mask = (1 << count) - 1;
            word = word & !(mask << to) | (value >> from & mask) << to;
        }
        self.put(width, word)
    }

    /// Adds to a number, modulo its width.
    fn add(&mut self, width: usize, value: u64) -> Option<()> {
        let old = self.get(width)?;
        self.put(width, old.wrapping_add(value))
    }

    /// Reads an unsigned LEB128 number and its length.
    fn uleb128(&self) -> Option<(u64, usize)> {
        let mut value = 0u64;
        for (index, byte) in self.data.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some((value, index + 1));
            }
        }
        None
    }

    /// Writes a LEB128 number of the same length.
    fn put_uleb128(&mut self, value: u64) -> Option<()> {
        let (_, length) = self.uleb128()?;
        for (index, byte) in self.data.iter_mut().enumerate().take(length) {
            let more = if index + 1 == length { 0 } else { 0x80 };
            *byte = (value.checked_shr(7 * index as u32).unwrap_or(0) & 0x7f) as u8 | more;
        }
        Some(())
    }
}

/// The bits of an immediate in an instruction: lowest bit of the value, number of bits, lowest bit in the instruction.
type Immediate = &'static [(u32, u32, u32)];

const U_TYPE: Immediate = &[(12, 20, 12)];
const I_TYPE: Immediate = &[(0, 12, 20)];
const S_TYPE: Immediate = &[(5, 7, 25), (0, 5, 7)];
const B_TYPE: Immediate = &[(12, 1, 31), (5, 6, 25), (1, 4, 8), (11, 1, 7)];
const J_TYPE: Immediate = &[(20, 1, 31), (1, 10, 21), (11, 1, 20), (12, 8, 12)];
const C_BRANCH: Immediate = &[(8, 1, 12), (3, 2, 10), (6, 2, 5), (1, 2, 3), (5, 1, 2)];
const C_JUMP: Immediate = &[(11, 1, 12), (4, 1, 11), (8, 2, 9), (10, 1, 8), (6, 1, 7), (7, 1, 6), (1, 3, 3), (5, 1, 2)];
const C_LUI: Immediate = &[(17, 1, 12), (12, 5, 2)];

/// Rounds so that the upper 20 bits match signed lower 12 bits.
fn rounded(value: u64) -> u64 {
    value.wrapping_add(0x800)
}

impl Relocator<'_> {
    /// Applies all relocations.
    pub fn apply(&mut self, list: &[Value]) -> Result<(), String> {
        // Targets of upper parts, for the lower ones.
        let mut uppers = BTreeMap::new();
        let mut slots = BTreeMap::new();
        for relocation in list {
            let place = self.place(relocation);
            let value = match relocation.r_type {
                elf::R_RISCV_PCREL_HI20 => relocation.value,
                elf::R_RISCV_GOT_HI20 | elf::R_RISCV_GOT32_PCREL => {
                    let width = if self.wide { 8 } else { 4 };
                    let slot = self.table_at + self.table.len() as u64;
                    self.table.extend(&relocation.value.to_le_bytes()[..width]);
                    slots.insert(place, slot);
                    slot
                }
                _ => continue,
            };
            uppers.insert(place, value.wrapping_sub(place));
        }
        for relocation in list {
            self.one(relocation, &uppers, &slots)?;
        }
        Ok(())
    }

    fn place(&self, relocation: &Value) -> u64 {
        let base = self.sections.loaded.get(&relocation.section).map_or(0, |(base, ..)| *base);
        base.wrapping_add(relocation.offset)
    }

    fn one(
        &mut self,
        relocation: &Value,
        uppers: &BTreeMap<u64, u64>,
        slots: &BTreeMap<u64, u64>,
    ) -> Result<(), String> {
        let place = self.place(relocation);
        let (value, r_type) = (relocation.value, relocation.r_type);
        let broken = || format!("relocation of type {r_type} at {place:#x} is out of its section");
        let (_, data, _) = self.sections.loaded.get_mut(&relocation.section).ok_or_else(broken)?;
        let data =
            usize::try_from(relocation.offset).ok().and_then(|offset| data.get_mut(offset..)).ok_or_else(broken)?;
        let mut field = Field { data };
        let distance = value.wrapping_sub(place);
        let lower = || uppers.get(&value).copied();
        let done = match r_type {
            elf::R_RISCV_NONE | elf::R_RISCV_RELAX | elf::R_RISCV_ALIGN => Some(()),
            elf::R_RISCV_32 => field.put(4, value),
            elf::R_RISCV_64 => field.put(8, value),
            elf::R_RISCV_BRANCH => field.patch(4, B_TYPE, distance),
            elf::R_RISCV_JAL => field.patch(4, J_TYPE, distance),
            elf::R_RISCV_RVC_BRANCH => field.patch(2, C_BRANCH, distance),
            elf::R_RISCV_RVC_JUMP => field.patch(2, C_JUMP, distance),
            elf::R_RISCV_RVC_LUI => field.patch(2, C_LUI, rounded(value)),
            elf::R_RISCV_CALL | elf::R_RISCV_CALL_PLT => field.patch(4, U_TYPE, rounded(distance)).and_then(|()| {
                let mut second = Field { data: field.data.get_mut(4..)? };
                second.patch(4, I_TYPE, distance)
            }),
            elf::R_RISCV_PCREL_HI20 => field.patch(4, U_TYPE, rounded(distance)),
            elf::R_RISCV_GOT_HI20 => {
                slots.get(&place).and_then(|slot| field.patch(4, U_TYPE, rounded(slot.wrapping_sub(place))))
            }
            elf::R_RISCV_GOT32_PCREL => slots.get(&place).and_then(|slot| field.put(4, slot.wrapping_sub(place))),
            elf::R_RISCV_PCREL_LO12_I => lower().and_then(|value| field.patch(4, I_TYPE, value)),
            elf::R_RISCV_PCREL_LO12_S => lower().and_then(|value| field.patch(4, S_TYPE, value)),
            elf::R_RISCV_HI20 => field.patch(4, U_TYPE, rounded(value)),
            elf::R_RISCV_LO12_I => field.patch(4, I_TYPE, value),
            elf::R_RISCV_LO12_S => field.patch(4, S_TYPE, value),
            elf::R_RISCV_32_PCREL | elf::R_RISCV_PLT32 => field.put(4, distance),
            elf::R_RISCV_ADD8 => field.add(1, value),
            elf::R_RISCV_ADD16 => field.add(2, value),
            elf::R_RISCV_ADD32 => field.add(4, value),
            elf::R_RISCV_ADD64 => field.add(8, value),
            elf::R_RISCV_SUB8 => field.add(1, value.wrapping_neg()),
            elf::R_RISCV_SUB16 => field.add(2, value.wrapping_neg()),
            elf::R_RISCV_SUB32 => field.add(4, value.wrapping_neg()),
            elf::R_RISCV_SUB64 => field.add(8, value.wrapping_neg()),
            // Only the low 6 bits of the byte.
            elf::R_RISCV_SET6 => field.get(1).and_then(|old| field.put(1, old & 0xc0 | value & 0x3f)),
            elf::R_RISCV_SUB6 => field.get(1).and_then(|old| field.put(1, old & 0xc0 | old.wrapping_sub(value) & 0x3f)),
            elf::R_RISCV_SET8 => field.put(1, value),
            elf::R_RISCV_SET16 => field.put(2, value),
            elf::R_RISCV_SET32 => field.put(4, value),
            elf::R_RISCV_SET_ULEB128 => field.put_uleb128(value),
            elf::R_RISCV_SUB_ULEB128 => field.uleb128().and_then(|(old, _)| field.put_uleb128(old.wrapping_sub(value))),
            other => return Err(format!("relocation of type {other} at {place:#x}")),
        };
        done.ok_or_else(broken)
    }
}
