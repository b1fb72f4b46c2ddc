//! Tests of the engine's example with its guests: the text, and the one compiled from Rust.

use anyhow::{Result, ensure};
use integration_tests::paths;
use std::{path::Path, process::Command};

/// Runs the example, and checks its output.
fn run(guest: Option<&Path>) -> Result<()> {
    for backend in ["jit", "interpreter"] {
        for trace in ["0", "1"] {
            let mut example = Command::new(paths::program("examples/hello_world")?);
            example.args(guest).env("POLKAVM_BACKEND", backend).env("POLKAVM_TRACE_EXECUTION", trace);
            let output = example.env_remove("POLKAVM_SANDBOX").output()?;
            let [printed, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
            ensure!(output.status.success(), "{backend}: {complained}");
            ensure!(printed == "1 + 10 + 100 = 111\n".repeat(2), "{backend}: {printed}");
        }
    }
    Ok(())
}

#[test]
fn the_example_runs_its_guest_in_text_on_both_backends() {
    run(None).expect("the example runs");
}

#[test]
fn the_example_runs_its_guest_in_rust_on_both_backends() {
    let guest = paths::example_guest("hello_world").expect("scripts/build has run");
    run(Some(&guest)).expect("the example runs");
}

#[test]
fn a_guest_that_is_no_program_is_an_error() {
    let example = paths::program("examples/hello_world").expect("scripts/build has run");
    let output =
        Command::new(example).arg(file!()).current_dir(paths::repository()).output().expect("it can be started");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complained.contains("Blob"), "{complained}");
}
