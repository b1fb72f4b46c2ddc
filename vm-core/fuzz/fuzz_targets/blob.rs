//! Any bytes as a program blob. See `bodies` for what is checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::blob(data));
