//! Exports the module `pointer_chase`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::pointer_chase::initialize, bench_programs::pointer_chase::run);
