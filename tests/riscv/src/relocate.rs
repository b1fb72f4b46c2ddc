//! What relocations write, by the RISC-V ELF psABI.

use super::load::Sections;
use object::elf;
use std::collections::BTreeMap;

/// A relocation: where, which, and the value of its symbol with the addend (S + A).
pub(crate) struct Value {
    pub section: usize,
    pub offset: u64,
    pub r_type: u32,
    pub value: u64,
}

/// Applies relocations.
pub(crate) struct Relocator<'a> {
    pub sections: &'a mut Sections,
    /// What stands for the global offset table.
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

    fn patch(&mut self, width: usize, clear: u32, set: u32) -> Option<()> {
        let word = self.get(width)?;
        self.put(width, word & !u64::from(clear) | u64::from(set))
    }

    /// An unsigned LEB128 number and its length.
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

    /// Writes one of the same length.
    fn put_uleb128(&mut self, value: u64) -> Option<()> {
        let (_, length) = self.uleb128()?;
        for (index, byte) in self.data.iter_mut().enumerate().take(length) {
            let more = if index + 1 == length { 0 } else { 0x80 };
            *byte = (value.checked_shr(7 * index as u32).unwrap_or(0) & 0x7f) as u8 | more;
        }
        Some(())
    }
}

fn bits(value: u64, from: u32, count: u32, to: u32) -> u32 {
    ((value >> from) as u32 & ((1 << count) - 1)) << to
}

fn high(value: u64) -> u32 {
    (value.wrapping_add(0x800) as u32) & 0xffff_f000
}

fn low_i(value: u64) -> u32 {
    bits(value, 0, 12, 20)
}

fn low_s(value: u64) -> u32 {
    bits(value, 5, 7, 25) | bits(value, 0, 5, 7)
}

impl Relocator<'_> {
    /// Applies them all.
    pub fn apply(&mut self, list: &[Value]) -> Result<(), String> {
        // What upper parts refer to, for the lower ones.
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
            elf::R_RISCV_BRANCH => field.patch(
                4,
                0xfe00_0f80,
                bits(distance, 12, 1, 31)
                    | bits(distance, 5, 6, 25)
                    | bits(distance, 1, 4, 8)
                    | bits(distance, 11, 1, 7),
            ),
            elf::R_RISCV_JAL => field.patch(
                4,
                0xffff_f000,
                bits(distance, 20, 1, 31)
                    | bits(distance, 1, 10, 21)
                    | bits(distance, 11, 1, 20)
                    | bits(distance, 12, 8, 12),
            ),
            elf::R_RISCV_RVC_BRANCH => field.patch(
                2,
                0x1c7c,
                bits(distance, 8, 1, 12)
                    | bits(distance, 3, 2, 10)
                    | bits(distance, 6, 2, 5)
                    | bits(distance, 1, 2, 3)
                    | bits(distance, 5, 1, 2),
            ),
            elf::R_RISCV_RVC_JUMP => field.patch(
                2,
                0x1ffc,
                bits(distance, 11, 1, 12)
                    | bits(distance, 4, 1, 11)
                    | bits(distance, 8, 2, 9)
                    | bits(distance, 10, 1, 8)
                    | bits(distance, 6, 1, 7)
                    | bits(distance, 7, 1, 6)
                    | bits(distance, 1, 3, 3)
                    | bits(distance, 5, 1, 2),
            ),
            elf::R_RISCV_RVC_LUI => {
                let part = u64::from(high(value));
                field.patch(2, 0x107c, bits(part, 17, 1, 12) | bits(part, 12, 5, 2))
            }
            elf::R_RISCV_CALL | elf::R_RISCV_CALL_PLT => field.patch(4, 0xffff_f000, high(distance)).and_then(|()| {
                let mut second = Field { data: field.data.get_mut(4..)? };
                second.patch(4, 0xfff0_0000, low_i(distance))
            }),
            elf::R_RISCV_PCREL_HI20 => field.patch(4, 0xffff_f000, high(distance)),
            elf::R_RISCV_GOT_HI20 => {
                slots.get(&place).and_then(|slot| field.patch(4, 0xffff_f000, high(slot.wrapping_sub(place))))
            }
            elf::R_RISCV_GOT32_PCREL => slots.get(&place).and_then(|slot| field.put(4, slot.wrapping_sub(place))),
            elf::R_RISCV_PCREL_LO12_I => lower().and_then(|value| field.patch(4, 0xfff0_0000, low_i(value))),
            elf::R_RISCV_PCREL_LO12_S => lower().and_then(|value| field.patch(4, 0xfe00_0f80, low_s(value))),
            elf::R_RISCV_HI20 => field.patch(4, 0xffff_f000, high(value)),
            elf::R_RISCV_LO12_I => field.patch(4, 0xfff0_0000, low_i(value)),
            elf::R_RISCV_LO12_S => field.patch(4, 0xfe00_0f80, low_s(value)),
            elf::R_RISCV_32_PCREL | elf::R_RISCV_PLT32 => field.put(4, distance),
            elf::R_RISCV_ADD8 => field.get(1).and_then(|old| field.put(1, old.wrapping_add(value))),
            elf::R_RISCV_ADD16 => field.get(2).and_then(|old| field.put(2, old.wrapping_add(value))),
            elf::R_RISCV_ADD32 => field.get(4).and_then(|old| field.put(4, old.wrapping_add(value))),
            elf::R_RISCV_ADD64 => field.get(8).and_then(|old| field.put(8, old.wrapping_add(value))),
            elf::R_RISCV_SUB8 => field.get(1).and_then(|old| field.put(1, old.wrapping_sub(value))),
            elf::R_RISCV_SUB16 => field.get(2).and_then(|old| field.put(2, old.wrapping_sub(value))),
            elf::R_RISCV_SUB32 => field.get(4).and_then(|old| field.put(4, old.wrapping_sub(value))),
            elf::R_RISCV_SUB64 => field.get(8).and_then(|old| field.put(8, old.wrapping_sub(value))),
            // Of these the low 6 bits of the byte.
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
