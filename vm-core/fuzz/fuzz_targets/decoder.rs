//! Fuzz target: any bytes as code with its bitmask. `bodies` lists the properties checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::decoder(data));
