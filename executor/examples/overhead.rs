//! Prints what a cached call costs the node beside the contract's own work: instantiate, run to a host call, answer it,
//! run to the end, destroy.
//!
//!     cargo run --release -p executor --example overhead
#![allow(clippy::unwrap_used, reason = "an example that cannot unwrap has failed")]

use executor::{BackendChoice, Flags, PolkaVm};
use pvm_host_interface::{Backend as _, Stop};
use sp_crypto_hashing::keccak_256;
use std::time::Instant;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

const BATCHES: u32 = 200;
const CALLS: u32 = 100;

fn main() {
    println!("{:<12} {:>12} {:>14}", "backend", "code, bytes", "µs per call");
    for backend in [BackendChoice::Auto, BackendChoice::Interpreter] {
        let node = PolkaVm::new(&Flags { backend, ..Flags::default() }, None).unwrap();
        let name = if node.is_compiling() { "jit" } else { "interpreter" };
        for padding in [0, 2_000, 50_000] {
            let padding = "add_imm_64 a0, a0, 7\n".repeat(padding);
            let text = format!(".isa ReviveV1\n.import \"ask\"\necalli 0\njump_indirect ra, 0\n{padding}trap\n");
            let code = assemble(&text).unwrap();
            let hash = keccak_256(&code);
            let mut session = node.session();
            let mut call = || {
                let instance = session.instantiate(&hash, &code, 0, Naive).unwrap();
                let Stop { outcome, gas, .. } = session.run(instance, 1000, None).unwrap();
                assert_eq!(outcome, Outcome::HostCall(0));
                assert_eq!(session.run(instance, gas, Some(1)).unwrap().outcome, Outcome::Finished);
                session.destroy(instance).unwrap();
            };
            call();
            let batch = |_| {
                let started = Instant::now();
                (0..CALLS).for_each(|_| call());
                started.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
            };
            // The best batch is the one that other programs disturbed least.
            let micros = (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min);
            println!("{name:<12} {:>12} {micros:>14.1}", code.len());
        }
    }
}
