//! Exports `memory::byte_loops`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::memory::initialize, bench_programs::memory::byte_loops);
