//! Data layout: read-only sections from 0x10000 on, then initialized variables, then zeroed ones.
//!
//! Sections keep the order of the file and their alignment. The memory map is that of docs/spec/memory.md#layout.

use super::code::Resolver;
use crate::LinkError;
use crate::elf::{Field, Image, SectionKind, SectionOffset};
use crate::ir::{Data, Imm, IrProgram};
use vm_core::memory::MemoryMap;

/// Granularity of regions in bytes.
const REGION: u64 = 0x1_0000;

/// Limit of data addresses: a larger address is not a positive 32-bit number.
const LIMIT: u64 = i32::MAX as u64;

/// Maximum number of bytes of initial data in a blob.
const PAYLOAD: usize = 256 << 20;

/// True if a section is initially all zeros.
fn is_zeros(data: &Data) -> bool {
    data.fixups.is_empty() && data.bytes.iter().all(|byte| *byte == 0)
}

/// Writes a number to a field; returns false if it does not fit.
fn write(bytes: &mut [u8], field: Field, value: i64) -> bool {
    match field {
        Field::Bytes(width) => {
            let fits = match width {
                1 => (-128..256).contains(&value),
                2 => (-32768..65536).contains(&value),
                4 => (i64::from(i32::MIN)..1 << 32).contains(&value),
                _ => true,
            };
            bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
            fits
        }
        Field::SixBits => {
            bytes.iter_mut().for_each(|byte| *byte = *byte & 0xc0 | value as u8 & 0x3f);
            (-32..64).contains(&value)
        }
        Field::Uleb128(_) => {
            let mut rest = value as u64;
            let last = bytes.len().saturating_sub(1);
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = (rest & 0x7f) as u8 | if index < last { 0x80 } else { 0 };
                rest >>= 7;
            }
            rest == 0
        }
    }
}

/// The addresses of data.
pub struct Layout {
    addresses: Vec<u32>,
    /// Size of read-only data in bytes.
    pub ro_size: u32,
    /// Size of variables in bytes.
    pub rw_size: u32,
    /// Start address of the heap.
    pub heap_base: u32,
    rw_base: u32,
}

impl Layout {
    /// Lays out the sections of a program.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn new(program: &IrProgram) -> Result<Layout, LinkError> {
        let mut addresses = vec![0; program.data.len()];
        let mut place = |base: u64, kinds: &[SectionKind]| {
            let mut end = base;
            // Sections of zeros come last in their region, where they take no bytes in the blob.
            let parts = kinds.iter().flat_map(|kind| [(kind, false), (kind, true)]);
            for (kind, is_zero) in parts {
                for (index, data) in program.data.iter().enumerate() {
                    let wanted = |data: &&Data| data.kind == *kind && is_zeros(data) == is_zero;
                    if let Some(data) = data.as_ref().filter(wanted) {
                        let start = end.next_multiple_of(data.align.min(REGION));
                        end = start.saturating_add(data.size);
                        if end > LIMIT {
                            let size = |kind: SectionKind| {
                                let of = program.data.iter().flatten().filter(|data| data.kind == kind);
                                of.fold(0u64, |sum, data| sum.saturating_add(data.size)).min(u32::MAX.into()) as u32
                            };
                            return Err(LinkError::Memory {
                                ro_data: size(SectionKind::ReadOnly),
                                rw_data: size(SectionKind::ReadWrite).saturating_add(size(SectionKind::Zero)),
                                stack: 0,
                            });
                        }
                        addresses[index] = start as u32;
                    }
                }
            }
            Ok(end)
        };
        let ro_base = u64::from(MemoryMap::RO_BASE);
        let ro_end = place(ro_base, &[SectionKind::ReadOnly])?;
        let rw_base = ro_base + (ro_end - ro_base).next_multiple_of(REGION) + REGION;
        let rw_end = place(rw_base, &[SectionKind::ReadWrite, SectionKind::Zero])?;
        Ok(Layout {
            addresses,
            ro_size: (ro_end - ro_base) as u32,
            rw_size: (rw_end - rw_base) as u32,
            heap_base: rw_end as u32,
            rw_base: rw_base as u32,
        })
    }

    /// Returns a section's address.
    pub fn address(&self, section: u32) -> u32 {
        self.addresses.get(section as usize).copied().unwrap_or(0)
    }

    /// Returns the initial contents of read-only data and of variables, without trailing zeros.
    ///
    /// # Errors
    /// If a relocated number does not fit its field.
    pub fn contents(
        &self,
        program: &IrProgram,
        image: &Image,
        resolver: &Resolver<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>), LinkError> {
        let region = |base: u32, wanted: SectionKind| {
            let mut out: Vec<u8> = Vec::new();
            for (index, data) in program.data.iter().enumerate() {
                let Some(data) = data.as_ref().filter(|data| data.kind == wanted && !is_zeros(data)) else {
                    continue;
                };
                let start = (self.addresses[index] - base) as usize;
                if start + data.bytes.len() > PAYLOAD {
                    return Err(LinkError::Payload { size: start + data.bytes.len(), limit: PAYLOAD });
                }
                if out.len() < start + data.bytes.len() {
                    out.resize(start + data.bytes.len(), 0);
                }
                let bytes = &mut out[start..start + data.bytes.len()];
                bytes.copy_from_slice(&data.bytes);
                for fixup in &data.fixups {
                    let value = resolver.resolve(fixup.value.0);
                    let value = value.wrapping_sub(fixup.value.1.map_or(0, |minus| resolver.resolve(minus)));
                    let at = fixup.offset as usize;
                    let Some(bytes) = bytes.get_mut(at..at + usize::from(fixup.field.length())) else { continue };
                    if !write(bytes, fixup.field, value) {
                        let place = SectionOffset { section: index as u32, offset: fixup.offset as i64 };
                        let what = match fixup.field {
                            Field::SixBits => format!("{value} does not fit into 6 bits"),
                            field => format!("{value} does not fit into {} bytes", field.length()),
                        };
                        return Err(LinkError::Code { place: image.describe(place), what });
                    }
                }
            }
            let used = out.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            out.truncate(used);
            Ok(out)
        };
        Ok((
            region(MemoryMap::RO_BASE, SectionKind::ReadOnly)?,
            // Zeros have no bytes; they come last.
            region(self.rw_base, SectionKind::ReadWrite)?,
        ))
    }

    /// Returns a constant's value, if it is a data address.
    pub fn resolve(&self, imm: Imm) -> Option<i64> {
        match imm {
            Imm::Data { section, offset, .. } => Some(i64::from(self.address(section)).wrapping_add(offset)),
            Imm::HeapBase => Some(self.heap_base.into()),
            _ => None,
        }
    }
}
