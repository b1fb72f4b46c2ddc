//! The contract as a program for RISC-V: its entry points are those that ink! exports from the library.
#![no_std]
#![no_main]

extern crate flipper as _;
