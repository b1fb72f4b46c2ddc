//! Compiles programs again and again, with or without the verifier, for a counter of instructions to compare:
//!
//! ```text
//! perf stat -e instructions:u verifier_cost on naive 1000 BLOB…
//! ```
//!
//! Arguments: `on` or `off`; the cost model, `naive`, `calibrated` or `none`; how often; program blobs. Programs are parsed
//! once.

use pvm_engine::vm_core::blob::Blob;
use pvm_engine::{Backend, Config, CostModelKind, Engine, Metering, Module, Program, ProgramConfig, Sandbox};
use std::error::Error;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [verify, model, times, paths @ ..] = &args[..] else { return Err("on|off MODEL TIMES BLOB…".into()) };
    let mut config = Config::new();
    config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort).set_verify_code(verify == "on");
    let engine = Engine::new(&config)?;
    let program = match model.as_str() {
        "calibrated" => ProgramConfig { cost_model: CostModelKind::CalibratedV1, ..ProgramConfig::default() },
        "none" => ProgramConfig { metering: Metering::Off, ..ProgramConfig::default() },
        _ => ProgramConfig::default(),
    };
    let mut programs = Vec::new();
    for path in paths {
        programs.push(Arc::new(Program::new(&Blob::parse(&std::fs::read(path)?)?, &program)?));
    }
    let mut length = 0;
    for _ in 0..times.parse::<u32>()? {
        for program in &programs {
            length += Module::from_program(&engine, program.clone())?.machine_code_length().unwrap_or(0);
        }
    }
    println!("{length} bytes of machine code");
    Ok(())
}
