//! Stop events: the reason for a stop, and its description.

use super::session::{Run, THREAD};
use crate::machine::{Hit, ReplayError};
use crate::navigator::Stop;
use crate::symbols::printable;
use serde_json::{Value, json};
use vm_core::Outcome;
use vm_core::interpreter::MemoryTouch;

type Event = (&'static str, Value);

/// The most bytes whose old and new value is shown.
const SHOWN: u32 = 32;

impl Run {
    /// The events of the end of a motion.
    pub fn stopped(&mut self, stop: Stop) -> Vec<Event> {
        let stop = match (stop, self.navigator.machine().outcome()) {
            (Stop::Done, Some(outcome)) => Stop::End(outcome),
            _ => stop,
        };
        match stop {
            Stop::Done => vec![self.stop_event(self.reason, "Stopped", None, &[])],
            Stop::NotFound => {
                let output = json!({ "category": "console", "output": "Nothing wrote there before.\n" });
                vec![("output", output), self.stop_event("goto", "Nothing was found", None, &[])]
            }
            Stop::Start => vec![self.stop_event("entry", "The start of the run", None, &[])],
            Stop::End(outcome) => {
                let (reason, text) = (end_reason(outcome), self.describe_end(outcome));
                let category = if outcome == Outcome::Finished { "console" } else { "stderr" };
                let output = json!({ "category": category, "output": format!("{text}\n") });
                vec![("output", output), self.stop_event(reason, "The end of the run", Some(&text), &[])]
            }
            Stop::Hit(hit @ Hit::Watch { access, watched }) => {
                let (reason, ids) = self.breakpoints.hit_by(&hit);
                let text = match self.change(watched, &access) {
                    Ok(text) => text,
                    Err(error) => error.to_string(),
                };
                let output = json!({ "category": "console", "output": format!("{text}\n") });
                vec![("output", output), self.stop_event(reason, "An access to data", Some(&text), &ids)]
            }
            Stop::Hit(Hit::GasBelow(below)) => {
                let text = format!("less than {below} gas is left");
                vec![self.stop_event("gas", "Gas", Some(&text), &[])]
            }
            Stop::Hit(hit) => {
                let (reason, ids) = self.breakpoints.hit_by(&hit);
                vec![self.stop_event(reason, "A breakpoint", None, &ids)]
            }
        }
    }

    /// The event of a stop.
    pub fn stop_event(&self, reason: &str, description: &str, text: Option<&str>, ids: &[u64]) -> Event {
        let mut body = json!({
            "reason": reason,
            "description": description,
            "threadId": THREAD,
            "allThreadsStopped": true,
        });
        if let Some(text) = text {
            body["text"] = text.into();
        }
        if !ids.is_empty() {
            body["hitBreakpointIds"] = json!(ids);
        }
        ("stopped", body)
    }

    /// Describes the end of the run: its outcome and place.
    fn describe_end(&self, outcome: Outcome) -> String {
        let machine = self.navigator.machine();
        let what = match outcome {
            Outcome::Finished => {
                let result = machine.reg(vm_core::isa::Reg::A0);
                return format!("returned to its host: a0 = {result} ({result:#x}), gas {}", machine.gas());
            }
            Outcome::Trap => "trap".to_owned(),
            Outcome::OutOfGas => "out of gas".to_owned(),
            Outcome::PageFault { address, .. } => format!("page fault at {address:#x}"),
            Outcome::HostCall(import) => {
                let name = machine.program().import(import).map_or("?".to_owned(), printable);
                format!("calls {name}, which nobody answers")
            }
            Outcome::Step => "stopped".to_owned(),
        };
        format!("{what} {}", self.place())
    }

    /// Describes the current place, for people.
    pub(super) fn place(&self) -> String {
        let machine = self.navigator.machine();
        let Some(pc) = machine.pc() else { return "in the host".to_owned() };
        let instruction = machine.program().code().decode(pc).and_then(|decoded| decoded.instruction);
        let instruction = instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
        let mut text = format!("at {pc:#x}: {instruction}");
        if let Some(frame) = self.navigator.stack().first() {
            text.push_str(&format!(", in {}", frame.function));
            if let (Some(file), true) = (&frame.file, frame.line > 0) {
                text.push_str(&format!(", {file}:{}", frame.line));
            }
        }
        text
    }

    /// Describes the change by a watched access, and the place of that access. Does not move the run.
    fn change(&mut self, watched: u32, access: &MemoryTouch) -> Result<String, ReplayError> {
        let watch = self.navigator.conditions().watches.iter().find(|watch| watch.address == watched);
        let (watched, length) = match watch {
            Some(watch) => (watched, watch.length),
            None => (access.address, access.length),
        };
        let here = self.navigator.machine().position();
        // Going forwards it just happened, going backwards it comes next.
        let before = if self.navigator.went_back() { here } else { here.saturating_sub(1) };
        self.navigator.machine_mut().seek(before)?;
        let (place, old) = (self.place(), self.bytes(watched, length.min(SHOWN)));
        self.navigator.machine_mut().seek(before + 1)?;
        let new = self.bytes(watched, length.min(SHOWN));
        self.navigator.machine_mut().seek(here)?;
        let data = format!("{length} bytes at {watched:#x}");
        Ok(match access.write {
            true => format!("{data} changed from {old} to {new} {place}"),
            false => format!("{data} are read as {old} {place}"),
        })
    }

    fn bytes(&self, address: u32, length: u32) -> String {
        let mut bytes = vec![0; length as usize];
        if self.navigator.machine().read_memory(address, &mut bytes).is_err() {
            return "what cannot be read".to_owned();
        }
        match bytes.len() {
            1 | 2 | 4 | 8 => {
                let mut wide = [0; 8];
                wide[..bytes.len()].copy_from_slice(&bytes);
                u64::from_le_bytes(wide).to_string()
            }
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Answers `exceptionInfo`, the request after a stop at the end of the run.
    pub fn exception_info(&self) -> Result<Value, String> {
        match self.navigator.machine().outcome() {
            Some(outcome) if outcome != Outcome::Finished => Ok(json!({
                "exceptionId": outcome.name(),
                "description": self.describe_end(outcome),
                "breakMode": "always",
            })),
            _ => Err("the run did not fail here".to_owned()),
        }
    }
}

fn end_reason(outcome: Outcome) -> &'static str {
    if outcome == Outcome::Finished { "end" } else { "exception" }
}
