//! Any bytes as a record, and as the events of one. See `bodies` for what is checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pvm_debugger_fuzz::bodies::record(data));
