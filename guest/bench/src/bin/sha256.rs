//! Exports `hashes::sha256`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::hashes::initialize, bench_programs::hashes::sha256);
