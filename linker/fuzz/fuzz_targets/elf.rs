//! Fuzz target: any bytes as an ELF file, linked at every level: an error with a message, or a readable blob, which is
//! the same each time.
#![no_main]

use pvm_linker::{Level, Options, link};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for level in [Level::None, Level::Some, Level::Full] {
        let options = Options { level, ..Options::default() };
        match (link(data, &options), link(data, &options)) {
            (Ok(blob), Ok(again)) => {
                assert_eq!(blob, again, "linking twice gives two blobs");
                vm_core::blob::Blob::parse(&blob).expect("what the linker makes can be read");
            }
            (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
            _ => panic!("linking twice gives a blob and an error"),
        }
    }
});
