//! Any bytes as a blob to be uploaded. See `bodies` for what is checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::limits(data));
