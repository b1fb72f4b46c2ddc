//! Exports the module `calls`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::calls::initialize, bench_programs::calls::run);
