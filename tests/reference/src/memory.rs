//! Guest memory: `docs/spec/memory.md#memory`. Pages exist once they are written; all others read as zero.

use crate::Isa;
use crate::blob::{Blob, Refused};
use std::collections::BTreeMap;

/// Granularity of the layout, and minimum distance between regions.
const G: u64 = 0x1_0000;
const PAGE: u64 = 0x1000;

/// The memory of one machine.
#[derive(Clone, Debug)]
pub struct Memory {
    page_size: u64,
    heap_base: u64,
    /// Bounds of the regions: read-only data, read-write data with the heap, stack, aux.
    regions: [(u64, u64); 4],
    heap_limit: u64,
    heap_size: u64,
    addressable: u64,
    /// Bytes of pages of 4 KiB.
    pages: BTreeMap<u64, Vec<u8>>,
}

fn up(x: u64, g: u64) -> u64 {
    x.div_ceil(g) * g
}

impl Memory {
    /// Makes the initial memory of a program.
    ///
    /// # Errors
    /// If the page size is invalid or the layout does not fit.
    pub fn new(blob: &Blob, page_size: u32, aux_size: u32) -> Result<Memory, Refused> {
        if !page_size.is_power_of_two() || !(0x1000..=0x1_0000).contains(&page_size) {
            return Err(Refused { what: "a page size that is none", offset: 0 });
        }
        let page = u64::from(page_size);
        let (ro, rw, stack) = (u64::from(blob.ro_size), u64::from(blob.rw_size), u64::from(blob.stack_size));
        let aux = u64::from(aux_size);
        if up(ro, G) + up(rw, G) + up(stack, G) + up(aux, G) > (1 << 32) - 5 * G {
            return Err(Refused { what: "a memory layout without room", offset: 0 });
        }
        let rw_base = G + up(ro, G) + G;
        let aux_base = 0xffff_0000 - up(aux, G);
        let stack_high = aux_base - G;
        let mut memory = Memory {
            page_size: page,
            heap_base: rw_base + rw,
            regions: [
                (G, G + up(ro, page)),
                (rw_base, rw_base + up(rw, page)),
                (stack_high - up(stack, page), stack_high),
                (aux_base, aux_base + up(aux, page)),
            ],
            heap_limit: stack_high - up(stack, G) - G,
            heap_size: 0,
            addressable: 0,
            pages: BTreeMap::new(),
        };
        let (_, rw_end) = memory.regions[1];
        memory.addressable = memory.regions.iter().map(|(from, to)| to - from).sum();
        if blob.isa == Isa::Latest32 {
            memory.addressable += memory.heap_limit.max(rw_end) - rw_end;
        }
        memory.put(G, &blob.ro_data);
        memory.put(rw_base, &blob.rw_data);
        Ok(memory)
    }

    /// Bounds of the regions that exist.
    pub fn regions(&self) -> Vec<(u32, u32)> {
        self.regions.iter().filter(|(from, to)| from < to).map(|(from, to)| (*from as u32, *to as u32)).collect()
    }

    /// Number of bytes that the program can address with any heap: `docs/spec/gas.md#the-calibrated-model`.
    pub fn addressable(&self) -> u64 {
        self.addressable
    }

    /// Size of the heap in bytes.
    pub fn heap_size(&self) -> u32 {
        self.heap_size as u32
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            self.pages.entry(at / PAGE).or_insert_with(|| vec![0; PAGE as usize])[(at % PAGE) as usize] = *byte;
        }
    }

    /// True if all of a range is in one of the regions with these numbers.
    fn allows(&self, regions: &[usize], address: u32, length: u32) -> bool {
        let (from, to) = (u64::from(address), u64::from(address) + u64::from(length));
        regions.iter().any(|region| self.regions[*region].0 <= from && to <= self.regions[*region].1)
    }

    /// Reads a range, if it is readable.
    pub fn read(&self, address: u32, length: u32) -> Option<Vec<u8>> {
        let byte = |at: u64| self.pages.get(&(at / PAGE)).map_or(0, |page| page[(at % PAGE) as usize]);
        let from = u64::from(address);
        self.allows(&[0, 1, 2, 3], address, length).then(|| (from..from + u64::from(length)).map(byte).collect())
    }

    /// Writes as the guest; false, and no change, if the range is not writable.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.write_to(&[1, 2], address, bytes)
    }

    /// Writes as the embedder, which may also write aux.
    pub fn write_as_embedder(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.write_to(&[1, 2, 3], address, bytes)
    }

    fn write_to(&mut self, regions: &[usize], address: u32, bytes: &[u8]) -> bool {
        let allowed = self.allows(regions, address, bytes.len() as u32);
        if allowed {
            self.put(u64::from(address), bytes);
        }
        allowed
    }

    /// "Heap": returns the new end, or `None` if it cannot grow that far.
    pub fn sbrk(&mut self, size: u32) -> Option<u32> {
        let size = self.heap_size + u64::from(size);
        let end = self.heap_base + size;
        if end > self.heap_limit {
            return None;
        }
        self.heap_size = size;
        self.regions[1].1 = up(end, self.page_size).max(self.regions[1].1);
        Some(end as u32)
    }

    /// The pages of 4 KiB with a nonzero byte, by address.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let set = self.pages.iter().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
        set.map(|(page, bytes)| ((page * PAGE) as u32, bytes.as_slice()))
    }
}
