//! A random program in parts, so that it can be damaged before it is encoded as a blob.

use pvm_test_support::Rng;
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Assembly, Isa};

/// The parts.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The instruction set.
    pub isa: Isa,
    /// Code and bitmask.
    pub assembly: Assembly,
    /// Code offsets of jump table entries.
    pub jump_table: Vec<u32>,
    /// Sizes of read-only data, read-write data and stack, in bytes.
    pub sizes: [u32; 3],
    /// Initial data, of which as much is used as fits.
    pub data: Vec<u8>,
}

impl Parts {
    /// Code with random memory around it.
    pub fn new(isa: Isa, assembly: Assembly, jump_table: Vec<u32>, rng: &mut Rng) -> Parts {
        let sizes = [
            rng.pick(&[0, 1, 100, 0xfff, 0x1000, 0x1001]),
            rng.pick(&[0, 1, 100, 0xfff, 0x1000, 0x1ff0, 0x2000]),
            rng.pick(&[0, 1, 0x1000, 0x1800]),
        ];
        Parts { isa, assembly, jump_table, sizes, data: rng.bytes(64) }
    }

    /// The blob.
    ///
    /// # Panics
    /// If the parts are no program that the builder can write; generators do not make such.
    #[expect(clippy::expect_used, reason = "a generator that makes nothing is broken")]
    pub fn blob(&self) -> Vec<u8> {
        let mut builder = BlobBuilder::new(self.isa);
        let [ro, rw, stack] = self.sizes;
        let cut = |size: u32| &self.data[..self.data.len().min(size as usize)];
        builder.ro_data(ro, cut(ro)).rw_data(rw, cut(rw)).stack_size(stack);
        builder.import(b"first").import(b"second").export(b"main", 0);
        for entry in &self.jump_table {
            builder.jump_table_entry(*entry);
        }
        builder.raw_code(self.assembly.code.clone(), self.assembly.bitmask.clone());
        builder.build().expect("the parts fit")
    }
}
