//! `pvm debug --dap`: a debug adapter for editors.

use super::listener::{Listener, failed};
use crate::args::{CallOptions, CostModel, DebugArgs, SubjectArgs, argument};
use crate::output::Output;
use crate::subject::Subject;
use crate::{Error, exit};
use clap::ValueEnum as _;
use pvm_debugger::dap::{self, Launch, Launched};
use std::path::{Path, PathBuf};

/// Serves an editor over standard input and output, or at a port or socket.
///
/// # Errors
/// If the editor cannot be served.
pub fn execute(args: &DebugArgs) -> Result<u8, Error> {
    let memory = args.snapshot_memory;
    let launch = |launch: &Launch| load(launch, memory).map_err(|error| error.to_string());
    let Some(place) = &args.listen else {
        dap::serve(std::io::stdin(), std::io::stdout().lock(), launch)?;
        return Ok(exit::DONE);
    };
    let listener = Listener::open(place)?;
    let mut output = Output::open();
    output.print(format_args!("waiting for an editor at {}\n", listener.name()?))?;
    output.finish()?;
    let named = |source| failed(place, source);
    match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().map_err(named)?;
            stream.set_nodelay(true).map_err(named)?;
            dap::serve(stream.try_clone().map_err(named)?, stream, launch)?;
        }
        Listener::Unix(listener, _guard) => {
            let (stream, _) = listener.accept().map_err(named)?;
            dap::serve(stream.try_clone().map_err(named)?, stream, launch)?;
        }
    }
    Ok(exit::DONE)
}

/// Loads what a launch configuration names. `memory` is for snapshots, in MiB, if it does not say how much.
fn load(launch: &Launch, memory: u32) -> Result<Launched, Error> {
    let bad = |attribute: &'static str, text: &str| Error::Launch { attribute, text: text.to_owned() };
    let number = |attribute, value: &dap::Number| {
        let text = value.to_string();
        argument(&text).map_err(|_| bad(attribute, &text))
    };
    let path = match (&launch.program, &launch.record) {
        (Some(_), Some(record)) => return Err(bad("record", record)),
        (None, None) => return Err(bad("program", "")),
        (Some(path), None) | (None, Some(path)) => path,
    };
    // Standard input may be what the editor talks to.
    if path == "-" {
        return Err(bad(if launch.program.is_some() { "program" } else { "record" }, path));
    }
    let cost_model = match &launch.cost_model {
        Some(name) => CostModel::from_str(name, false).map_err(|_| bad("costModel", name))?,
        None => CostModel::Naive,
    };
    let answers = launch.answers.iter().map(|(name, value)| Ok((name.clone(), number("answers", value)?)));
    let subject = SubjectArgs {
        blob: launch.program.as_ref().map(PathBuf::from),
        record: launch.record.as_ref().map(PathBuf::from),
        // Without a name, the error lists those that there are.
        entry: launch.program.as_ref().map(|_| launch.entry.clone().unwrap_or_default()),
        options: CallOptions {
            args: launch.args.iter().map(|value| number("args", value)).collect::<Result<_, Error>>()?,
            gas: launch.gas.unwrap_or(i64::MAX),
            cost_model,
            answers: answers.collect::<Result<_, Error>>()?,
        },
    };
    if subject.options.gas < 0 {
        return Err(bad("gas", &subject.options.gas.to_string()));
    }
    let Subject { mut machine, symbols, .. } = Subject::load(&subject)?;
    machine.set_snapshot_memory((launch.snapshot_memory.unwrap_or(memory) as usize) << 20);
    let folder = Path::new(path).parent().map(Path::to_owned).unwrap_or_default();
    // A relative path would be one of the editor's folder, which may be another.
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    Ok(Launched { machine, symbols, folders: vec![folder] })
}
