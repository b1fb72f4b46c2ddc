//! Exports the module `sieve`; see there.
#![no_std]
#![no_main]

bench_programs::program!(bench_programs::sieve::initialize, bench_programs::sieve::run);
