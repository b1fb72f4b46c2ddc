//! Fuzz target: any bytes as a blob to be uploaded. `bodies` lists the properties checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::limits(data));
