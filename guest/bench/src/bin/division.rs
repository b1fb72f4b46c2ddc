//! Exports the module `division`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::division::initialize, bench_programs::division::run);
