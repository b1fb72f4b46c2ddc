//! Exports `memory::library_calls`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::memory::initialize, bench_programs::memory::library_calls);
