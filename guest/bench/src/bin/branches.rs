//! Exports the module `branches`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::branches::initialize, bench_programs::branches::run);
