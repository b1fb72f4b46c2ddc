//! Exports `strides::small`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::strides::initialize, bench_programs::strides::small);
