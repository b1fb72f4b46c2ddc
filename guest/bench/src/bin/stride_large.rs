//! Exports `strides::large`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::strides::initialize, bench_programs::strides::large);
