//! Exports the module `ed25519`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::ed25519::initialize, bench_programs::ed25519::run);
