//! Proofs of the compiler's rules: for every instruction, two SMT solvers prove that the compiler's real machine code
//! has the instruction's semantics, for all register contents.
//!
//! Called by `make prove` (the binary `prove`) for all rules and by this crate's tests for some. `docs/proof.md` lists
//! what is proved, what is assumed and what is only tested. `guest` and `machine` are the two models, over the terms of
//! `term`; `emit` has the compiler emit code, `paths` executes it, `rule` states the claim, `smt` and `solver` decide
//! it.

#![forbid(unsafe_code)]

pub mod emit;
pub mod eval;
pub mod explain;
pub mod guest;
pub mod machine;
pub mod pairs;
pub mod paths;
pub mod peepholes;
pub mod prover;
pub mod rule;
pub mod rules;
pub mod shape;
pub mod smt;
pub mod solver;
pub mod term;
