//! `pvm trace`: runs and shows each instruction.

use crate::args::TraceArgs;
use crate::machine::{Ending, prepare};
use crate::output::{Output, printable};
use crate::{Error, exit, input};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write as _;
use vm_core::blob::Blob;
use vm_core::interpreter::{Trace, TraceEvent};

/// Runs as `run` does, and tells of every instruction on its way.
///
/// # Errors
/// As `run`.
pub fn execute(args: &TraceArgs) -> Result<u8, Error> {
    let bytes = input::bytes(&args.call.blob)?;
    let mut instance = prepare(&args.call, &bytes)?;
    let blob = Blob::parse(&bytes).map_err(|source| Error::Blob { path: input::name(&args.call.blob), source })?;
    let mut printer =
        Printer { blob, json: args.json, last: args.last, kept: VecDeque::new(), output: Output::open(), failed: None };
    let outcome = instance.run_traced(&mut printer);
    let ending = Ending::new(&instance, outcome, args.call.gas);
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

/// Prints events, or keeps the last ones.
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
    /// The innermost place in the source, as `file:line:column`. What is wrong with debug information is shown in its
    /// place: the trace is what was asked for.
    fn source(&self, pc: u32) -> Option<String> {
        let frame = match self.blob.source_at(pc) {
            Ok(source) => source?.frames().rfind(|frame| !matches!(frame.path(), Ok(None)))?,
            Err(error) => return Some(error.to_string()),
        };
        let mut place = match frame.path() {
            Ok(path) => printable(path.unwrap_or_default().as_bytes()),
            Err(error) => return Some(error.to_string()),
        };
        if let Some(line) = frame.line() {
            place.push_str(&format!(":{line}"));
            if let Some(column) = frame.column() {
                place.push_str(&format!(":{column}"));
            }
        }
        Some(place)
    }

    fn as_json(&self, event: &TraceEvent) -> Value {
        let written = event.written.iter().flatten().map(|(reg, value)| (reg.name().to_owned(), (*value).into()));
        let memory = event
            .touched
            .map(|touch| json!({ "address": touch.address, "length": touch.length, "write": touch.write }));
        json!({
            "pc": event.pc,
            "instruction": event.instruction.map(|instruction| instruction.to_string()),
            "registers": Value::Object(written.collect()),
            "memory": memory,
            "source": self.source(event.pc),
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
        let source = self.source(event.pc).unwrap_or_default();
        format!("{:>7}  {what:<48} {effects:<36} {source}", event.pc).trim_end().to_owned()
    }
}
