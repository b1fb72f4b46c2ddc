//! Exports `memory::small_copies`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::memory::initialize, bench_programs::memory::small_copies);
