//! Environment variables, tested in processes of their own: accepted and refused values.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_engine::{Config, Engine, Error};
use std::process::Command;

/// Runs the test below with the environment changed; returns what it printed.
fn child(variable: &str, value: &std::ffi::OsStr) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "says_what_the_environment_makes_of_it"])
        .env_remove("POLKAVM_BACKEND")
        .env_remove("POLKAVM_SANDBOX")
        .env_remove("POLKAVM_TRACE_EXECUTION")
        .env(variable, value)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "another test runs it"]
fn says_what_the_environment_makes_of_it() {
    match Config::from_env() {
        Ok(config) => match Engine::new(&config) {
            Ok(engine) => println!("runs with {:?}", engine.backend()),
            Err(error) => println!("there is no engine: {error}"),
        },
        Err(error @ Error::Environment { .. }) => println!("refused: {error}"),
        Err(error) => println!("another error: {error}"),
    }
}

#[test]
fn the_environment_is_read_and_its_mistakes_are_errors() {
    assert!(child("POLKAVM_BACKEND", "interpreter".as_ref()).contains("runs with Interpreter"));
    assert!(child("POLKAVM_TRACE_EXECUTION", "1".as_ref()).contains("runs with"));
    let refused = child("POLKAVM_BACKEND", "warp".as_ref());
    assert!(refused.contains("refused: POLKAVM_BACKEND is \"warp\"; it can be auto, jit, interpreter"), "{refused}");
    let refused = child("POLKAVM_TRACE_EXECUTION", "on".as_ref());
    assert!(refused.contains("refused: POLKAVM_TRACE_EXECUTION is \"on\""), "{refused}");
    assert!(child("POLKAVM_SANDBOX", "none".as_ref()).contains("refused: POLKAVM_SANDBOX is \"none\""));
}

#[test]
#[cfg(unix)]
fn a_value_that_is_no_text_is_an_error_too() {
    use std::os::unix::ffi::OsStrExt as _;
    let value = std::ffi::OsStr::from_bytes(b"jit\xff");
    assert!(child("POLKAVM_BACKEND", value).contains("refused: POLKAVM_BACKEND is \"jit\u{fffd}\""));
}
