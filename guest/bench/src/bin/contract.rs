//! Exports the module `contract`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::contract::initialize, bench_programs::contract::run);
