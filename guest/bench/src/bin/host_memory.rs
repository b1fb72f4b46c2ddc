//! Exports the calls with memory of the module `host_calls`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::host_calls::initialize, bench_programs::host_calls::run_with_memory);
