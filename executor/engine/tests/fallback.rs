//! A resource limit that is met after the engine was set up. Alone in its process, whose limits change.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use pvm_engine::{Backend, Config, Engine, Error, Module, Outcome, Sandbox, SandboxError};
use std::process::Command;

const TEXT: &str = ".isa ReviveV1\n.export \"main\" main\nmain: add_imm_64 a0, a0, 1\njump_indirect ra, 0\n";

fn runs(module: &Module) -> bool {
    let mut instance = module.instantiate_raw().unwrap();
    instance.set_gas(100);
    instance.prepare_call(0, &[41]);
    assert_eq!(instance.run().unwrap(), Outcome::Finished);
    assert_eq!(instance.reg(pvm_engine::Reg::A0), 42);
    instance.is_compiled()
}

#[test]
fn auto_falls_back_at_any_time_and_jit_names_the_limit() {
    let mut config = Config::new();
    // Every instance needs a new worker.
    config.set_sandbox(Sandbox::BestEffort).set_reserve(0).set_fresh_workers(true);
    let [auto, jit] = [Backend::Auto, Backend::Jit].map(|backend| Engine::new(config.set_backend(backend)).unwrap());
    let [auto, jit] = [&auto, &jit].map(|engine| common::metered(engine, TEXT));
    assert!(runs(&auto) && runs(&jit));
    assert!(auto.engine().fallback_reason().is_none());

    // A file in memory that is too long would end this process by a signal.
    let me = std::process::id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &me, "--fsize=1048576:"]).status().unwrap();
    assert!(limited.success(), "prlimit of util-linux");
    let refused = jit.instantiate_raw().map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::Sandbox(SandboxError::ResourceLimit { limit: 1_048_576, .. })), "{refused}");
    assert!(refused.to_string().contains("ulimit -f"), "{refused}");
    for _ in 0..3 {
        assert!(!runs(&auto));
    }
    assert_eq!(auto.engine().fallback_reason().unwrap().to_string(), refused.to_string());
    assert!(matches!(auto.instantiate_compiled(), Err(Error::Sandbox(SandboxError::ResourceLimit { .. }))));

    let lifted = Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited:"]).status().unwrap();
    assert!(lifted.success());
    assert!(runs(&jit));
    // It does not try at every instance.
    let start = std::time::Instant::now();
    while !runs(&auto) {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "compiled again in the end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
