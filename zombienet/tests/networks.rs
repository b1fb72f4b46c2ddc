//! The scenarios. The first is short and always runs; `make zombienet` runs all of them at length.

use anyhow::Result;
use zombienet_tests::{report::Report, scenarios};

/// Prints the report where it is easily found in a long log.
fn show(name: &str, report: Result<Report>) -> Result<()> {
    let report = report?;
    println!("zombienet: {name}: {report}");
    Ok(())
}

#[test]
fn nodes_of_both_kinds_agree() -> Result<()> {
    show("short", scenarios::mixed_validators(2))
}

#[test]
#[ignore = "long: make zombienet"]
fn a_two_compiling_and_two_interpreting_validators() -> Result<()> {
    show("(a) 2 jit and 2 interpreter validators under load", scenarios::mixed_validators(12))
}

#[test]
#[ignore = "long: make zombienet"]
fn b_full_nodes_of_the_other_kind_sync_from_genesis() -> Result<()> {
    show("(b) full nodes sync from genesis", scenarios::full_nodes_sync(8))
}

#[test]
#[ignore = "long: make zombienet"]
fn c_workers_are_killed() -> Result<()> {
    show("(c) workers killed under load", scenarios::workers_killed(8))
}

#[test]
#[ignore = "long: make zombienet"]
fn d_validators_are_restarted_with_the_other_backend() -> Result<()> {
    show("(d) validators restarted with the other backend", scenarios::backends_switched(4))
}

#[test]
#[ignore = "long: make zombienet"]
fn e_the_runtime_is_upgraded_to_host_functions() -> Result<()> {
    show("(e) runtime upgraded to host functions", scenarios::runtime_upgraded(4))
}

#[test]
#[ignore = "long: make zombienet"]
fn f_the_runtime_becomes_riscv_and_wasm_again() -> Result<()> {
    show("(f) runtime changed to RISC-V and back", scenarios::runtime_becomes_riscv(3))
}
