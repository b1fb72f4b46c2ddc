//! Records for the linker (spec: docs/spec/abi.md#records-for-the-linker). The attributes make them; nobody else needs them.

/// A record: no padding, and the pointer is as wide as the machine's.
#[repr(C, packed)]
struct Record {
    version: u8,
    flags: u32,
    symbol_length: u32,
    symbol: *const u8,
    inputs: u8,
    outputs: u8,
}

/// About a function that the host can call.
#[repr(C, packed)]
pub struct Export(Record);

/// About a function of the host's.
#[repr(C, packed)]
pub struct Import {
    record: Record,
    has_index: u8,
    index: u32,
}

// SAFETY: the pointer is to constant bytes, and nobody but the linker reads it.
unsafe impl Sync for Export {}
// SAFETY: as above.
unsafe impl Sync for Import {}

impl Record {
    const fn new(version: u8, symbol: &'static str, inputs: u8, outputs: u8) -> Record {
        Record { version, flags: 0, symbol_length: symbol.len() as u32, symbol: symbol.as_ptr(), inputs, outputs }
    }
}

impl Export {
    /// A record: the name, and how many registers arguments and results take.
    pub const fn new(symbol: &'static str, inputs: u8, outputs: u8) -> Export {
        Export(Record::new(1, symbol, inputs, outputs))
    }
}

impl Import {
    /// The same, with the function's number if `has_index` is not 0.
    pub const fn new(symbol: &'static str, inputs: u8, outputs: u8, has_index: u8, index: u32) -> Import {
        Import { record: Record::new(2, symbol, inputs, outputs), has_index, index }
    }
}
