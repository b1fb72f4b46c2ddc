//! Fuzz target: any bytes as assembly, and as a blob to be listed. `bodies` lists the properties checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::text(data));
