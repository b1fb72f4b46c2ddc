//! `pvm trace`: runs a call and prints each instruction.

use crate::args::TraceArgs;
use crate::call::{Ending, answers, interpreter};
use crate::output::{Output, printable};
use crate::{Error, exit, input};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write as _;
use vm_core::Outcome;
use vm_core::blob::{Blob, DebugError, Frame};
use vm_core::interpreter::{Trace, TraceEvent};
use vm_core::isa::Reg;

/// Runs as `run` does, and reports every instruction.
///
/// # Errors
/// As `run`.
pub fn execute(args: &TraceArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.call.blob)?;
    let mut instance = interpreter(&args.call, &bytes)?;
    let blob = Blob::parse(&bytes).map_err(|source| Error::Blob { path: input::name(&args.call.blob), source })?;
    let mut printer =
        Printer { blob, json: args.json, last: args.last, kept: VecDeque::new(), output: Output::open(), failed: None };
    let answers = answers(&args.call, instance.program())?;
    let outcome = loop {
        let outcome = instance.run_traced(&mut printer);
        let answer = if let Outcome::HostCall(import) = outcome { answers.get(&import) } else { None };
        match answer {
            Some(answer) => instance.set_reg(Reg::A0, *answer),
            None => break outcome,
        }
    };
    let ending = Ending::new(&instance, outcome, args.call.options.gas);
    let Printer { kept, mut output, failed, .. } = printer;
    failed.map_or(Ok(()), Err)?;
    for line in kept {
        output.print(format_args!("{line}\n"))?;
    }
    match args.json {
        true => output.print(format_args!("{}\n", ending.json()))?,
        false => output.print(format_args!("\n{}", ending.text()))?,
    }
    output.finish()?;
    Ok(exit::of(outcome))
}

/// Prints events, or keeps the last ones for later.
struct Printer<'a> {
    blob: Blob<'a>,
    json: bool,
    last: Option<usize>,
    kept: VecDeque<String>,
    output: Output,
    failed: Option<Error>,
}

impl Trace for Printer<'_> {
    fn executed(&mut self, event: &TraceEvent) {
        let line = match self.json {
            true => self.as_json(event).to_string(),
            false => self.as_text(event),
        };
        match self.last {
            Some(last) => {
                self.kept.push_back(line);
                if self.kept.len() > last {
                    self.kept.pop_front();
                }
            }
            None if self.failed.is_none() => self.failed = self.output.print(format_args!("{line}\n")).err(),
            None => {}
        }
    }
}

impl Printer<'_> {
    /// Returns the innermost known function, and the innermost known source position as `file:line:column`. An error in
    /// the debug information takes the place of the position, as it must not end the trace.
    fn source(&self, pc: u32) -> (Option<String>, Option<String>) {
        let source = match self.blob.source_at(pc) {
            Ok(Some(source)) => source,
            Ok(None) => return (None, None),
            Err(error) => return (None, Some(error.to_string())),
        };
        let (mut function, mut place) = (None, None);
        for frame in source.frames() {
            match (function_name(&frame), place_name(&frame)) {
                (Ok(newer_function), Ok(newer_place)) => {
                    function = newer_function.or(function);
                    place = newer_place.or(place);
                }
                (Err(error), _) | (_, Err(error)) => return (None, Some(error.to_string())),
            }
        }
        (function, place)
    }

    fn as_json(&self, event: &TraceEvent) -> Value {
        let written = event.written.iter().flatten().map(|(reg, value)| (reg.name().to_owned(), (*value).into()));
        let memory = event
            .touched
            .map(|touch| json!({ "address": touch.address, "length": touch.length, "write": touch.write }));
        let (function, source) = self.source(event.pc);
        json!({
            "pc": event.pc,
            "instruction": event.instruction.map(|instruction| instruction.to_string()),
            "registers": Value::Object(written.collect()),
            "memory": memory,
            "function": function,
            "source": source,
        })
    }

    fn as_text(&self, event: &TraceEvent) -> String {
        let what = event.instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
        let mut effects = String::new();
        for (reg, value) in event.written.iter().flatten() {
            // Writing to a string does not fail.
            let _ = write!(effects, "{}={value:#x} ", reg.name());
        }
        if let Some(touch) = event.touched {
            let verb = if touch.write { "write" } else { "read" };
            let _ = write!(effects, "{verb} {:#x}+{} ", touch.address, touch.length);
        }
        let (function, source) = self.source(event.pc);
        let (function, source) = (function.unwrap_or_default(), source.unwrap_or_default());
        format!("{:>7}  {what:<48} {effects:<36} {function} {source}", event.pc).trim_end().to_owned()
    }
}

/// Returns the name of a frame's function with its namespace, if it has one.
fn function_name(frame: &Frame<'_>) -> Result<Option<String>, DebugError> {
    let Some(function) = frame.function()? else { return Ok(None) };
    let name = match frame.namespace()? {
        Some(namespace) => format!("{namespace}::{function}"),
        None => function.to_owned(),
    };
    Ok(Some(printable(name.as_bytes())))
}

/// Returns a frame's source position, as far as known.
fn place_name(frame: &Frame<'_>) -> Result<Option<String>, DebugError> {
    let Some(path) = frame.path()? else { return Ok(None) };
    let mut place = printable(path.as_bytes());
    if let Some(line) = frame.line() {
        place.push_str(&format!(":{line}"));
        if let Some(column) = frame.column() {
            place.push_str(&format!(":{column}"));
        }
    }
    Ok(Some(place))
}
