//! Exports the module `evm`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::evm::initialize, bench_programs::evm::run);
