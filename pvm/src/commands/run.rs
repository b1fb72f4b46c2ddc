//! `pvm run`: calls an entry point.

use crate::args::{Backend, RunArgs};
use crate::call::{Ending, answers, config, machine};
use crate::output::Output;
use crate::{Error, exit, input};
use pvm_debugger::record::{RecordError, Recorder, Rules};
use pvm_engine::{Error as EngineError, RawInstance, SandboxError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use vm_core::Outcome;
use vm_core::isa::Reg;

/// Runs until the call ends, makes a host call without an answer, or runs out of gas.
///
/// # Errors
/// If the blob cannot be read or run, or has no such entry; if the backend cannot run on this machine.
pub fn execute(args: &RunArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.call.blob)?;
    let mut instance = machine(&args.call, args.backend, args.time_limit, &bytes)?;
    if let Some(reason) = instance.module().engine().fallback_reason() {
        eprintln!("pvm: the program is interpreted, not compiled: {reason}");
    }
    let answers = answers(&args.call, instance.module().program())?;
    let outcome = match run(args, &answers, &bytes, &mut instance)? {
        // Answers are constant, so the run can be repeated.
        Err(EngineError::Sandbox(error))
            if args.backend == Backend::Auto && !matches!(error, SandboxError::TimedOut { .. }) =>
        {
            eprintln!("pvm: the program is interpreted from its start: {error}");
            instance = machine(&args.call, Backend::Interpreter, None, &bytes)?;
            run(args, &answers, &bytes, &mut instance)?
        }
        other => other,
    }
    .map_err(Error::Engine)?;
    let ending = Ending::new(&instance, outcome, args.call.options.gas);
    let mut output = Output::open();
    match args.json {
        true => output.print(format_args!("{:#}\n", ending.json()))?,
        false => output.print(format_args!("{}", ending.text()))?,
    }
    output.finish()?;
    Ok(exit::of(outcome))
}

/// Runs to the end, answers host calls, and records the run if requested.
fn run(
    args: &RunArgs,
    answers: &BTreeMap<u32, u64>,
    bytes: &[u8],
    instance: &mut RawInstance,
) -> Result<Result<Outcome, EngineError>, Error> {
    let path = args.record.as_deref();
    let named = |source: RecordError| Error::Record { path: path.map(input::name).unwrap_or_default(), source };
    let mut recorder = match path {
        Some(path) => {
            let file = File::create(path).map_err(|source| Error::Write { path: input::name(path), source })?;
            let rules = Rules::from(&config(&args.call));
            let mut recorder = Recorder::new(BufWriter::new(file), &rules, bytes).map_err(named)?;
            if let Some(pc) = instance.next_pc() {
                recorder.start(pc, registers(instance), instance.gas()).map_err(named)?;
            }
            Some(recorder)
        }
        None => None,
    };
    loop {
        let outcome = match instance.run() {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(recorder) = &mut recorder {
            recorder.stop(outcome, instance.pc(), registers(instance), instance.gas()).map_err(named)?;
        }
        let answer = match outcome {
            Outcome::HostCall(import) => answers.get(&import),
            _ => None,
        };
        let Some(answer) = answer else {
            if let Some(recorder) = recorder {
                recorder.finish().map_err(named)?;
            }
            return Ok(Ok(outcome));
        };
        instance.set_reg(Reg::A0, *answer);
        if let Some(recorder) = &mut recorder {
            recorder.resume(registers(instance), instance.gas()).map_err(named)?;
        }
    }
}

fn registers(instance: &RawInstance) -> [u64; Reg::COUNT] {
    Reg::ALL.map(|reg| instance.reg(reg))
}
