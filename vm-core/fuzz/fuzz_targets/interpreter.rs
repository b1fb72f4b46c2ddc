//! Fuzz target: any bytes as a program and the parameters of its run. `bodies` lists the properties checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vm_core_fuzz::bodies::interpreter(data));
