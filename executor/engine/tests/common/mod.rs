//! Support for this crate's integration tests.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "each test file uses some of it, and one that cannot unwrap has failed"
)]

use pvm_engine::vm_core::text::assemble;
use pvm_engine::{Backend, Config, Engine, Module, ProgramBlob, ProgramConfig, Sandbox};

/// Makes an engine of each backend; `change` makes further settings.
pub fn engines_with(change: impl Fn(&mut Config)) -> Vec<Engine> {
    let mut config = Config::new();
    config.set_sandbox(Sandbox::BestEffort);
    change(&mut config);
    let engines =
        [Backend::Interpreter, Backend::Auto].map(|backend| Engine::new(config.set_backend(backend)).unwrap());
    // If programs cannot be compiled here, there is nothing to compare.
    let is_jit = engines[1].backend() == Backend::Jit;
    assert!(is_jit || cfg!(not(jit_supported)));
    engines.into()
}

/// An engine of each backend.
pub fn engines() -> Vec<Engine> {
    engines_with(|_| {})
}

/// Assembles a program.
pub fn blob(text: &str) -> ProgramBlob {
    ProgramBlob::parse(&assemble(text).unwrap()).unwrap()
}

/// A module that is not metered.
pub fn module(engine: &Engine, text: &str) -> Module {
    Module::from_blob(engine, &blob(text)).unwrap()
}

/// A module that is metered.
pub fn metered(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &ProgramConfig::default(), &blob(text)).unwrap()
}

/// Calls its one import with the arguments that it was called with, including those on the stack.
pub fn forwarder(isa: &str) -> String {
    format!(
        ".isa {isa}\n.stack_size 4096\n.import \"host\"\n.export \"call\" call\n\
         call: move_reg s0, ra\n ecalli 0\n jump_indirect s0, 0\n.export \"fault\" fault\nfault: trap\n"
    )
}
