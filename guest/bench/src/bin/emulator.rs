//! Exports the module `emulator`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::emulator::initialize, bench_programs::emulator::run);
