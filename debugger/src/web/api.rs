//! The page's requests, as JSON: `docs/debugging.md` lists them.

use crate::machine::{Hit, ReplayError};
use crate::navigator::{Motion, Navigator, Sources, Stop};
use crate::symbols::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vm_core::Outcome;
use vm_core::isa::Reg;

/// The most bytes of memory of an answer.
const MEMORY: u32 = 4096;
/// The most instructions of an answer, on either side of a place.
const INSTRUCTIONS: usize = 2000;
/// Instructions that are looked ahead for the end of the run.
const LOOK_AHEAD: u64 = 1 << 26;
/// Slices of a motion that are made for one request.
const SLICES: usize = 16;

/// See the module.
pub struct App {
    navigator: Navigator,
    sources: Sources,
    /// Position before the last motion; the page marks the changes since then.
    before: u64,
    /// Registers and gas there.
    old: ([u64; Reg::COUNT], i64),
    /// The furthest position that is known.
    furthest: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "motion")]
enum Go {
    Forward,
    Backward,
    Instruction,
    InstructionBack,
    Into,
    Over,
    Out,
    LineBack,
    Seek {
        position: u64,
    },
    End,
    Writer {
        address: u32,
        length: u32,
    },
    /// Goes on with the motion that took too long for one request.
    More,
    /// Ends it.
    Stop,
}

#[derive(Deserialize)]
struct Memory {
    address: u32,
    length: u32,
}

#[derive(Deserialize)]
struct CodeRequest {
    around: u32,
}

#[derive(Deserialize)]
struct Source {
    file: usize,
}

#[derive(Deserialize)]
struct Breakpoints {
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    instructions: BTreeSet<u32>,
    #[serde(default)]
    functions: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    file: u32,
    line: u32,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the request is malformed: {error}"))
}

impl App {
    /// Begins where the run is. How long it is is looked at first, as far as that is no matter.
    ///
    /// # Errors
    /// If the run does not follow its record.
    pub fn new(mut navigator: Navigator, sources: Sources) -> Result<App, ReplayError> {
        let machine = navigator.machine_mut();
        let before = machine.position();
        machine.seek(before.saturating_add(LOOK_AHEAD))?;
        let furthest = machine.position();
        machine.seek(before)?;
        let old = (machine.registers(), machine.gas());
        Ok(App { navigator, sources, before, old, furthest })
    }

    /// Answers a request, or says why it cannot.
    pub fn handle(&mut self, name: &str, body: &[u8]) -> Result<Value, String> {
        let replay = |error: ReplayError| error.to_string();
        match name {
            "program" => Ok(self.program()),
            "state" => Ok(self.state("")),
            "go" => self.go(parse(body)?).map_err(replay),
            "memory" => self.memory(&parse(body)?).map_err(replay),
            "code" => Ok(self.code(&parse(body)?)),
            "source" => Ok(self.source(&parse(body)?)),
            "breakpoints" => Ok(self.breakpoints(parse(body)?)),
            _ => Err(format!("there is no request `{}`", printable(name.as_bytes()))),
        }
    }

    fn program(&self) -> Value {
        let program = self.navigator.machine().program();
        let map = program.memory_map();
        let imports = program.imports().map(|import| import.map_or("?".to_owned(), printable));
        json!({
            "isa": program.isa().name(),
            "codeSize": program.code().len(),
            "files": self.navigator.symbols().files(),
            "exports": self.navigator.symbols().exports(),
            "imports": imports.collect::<Vec<_>>(),
            "memory": [
                { "name": "read-only data", "start": vm_core::memory::MemoryMap::RO_BASE, "end": map.ro_end() },
                { "name": "read-write data", "start": map.rw_base(), "end": map.rw_end() },
                { "name": "stack", "start": map.stack_low(), "end": map.stack_high() },
            ],
        })
    }

    fn go(&mut self, go: Go) -> Result<Value, ReplayError> {
        let motion = match go {
            Go::More => None,
            Go::Stop => {
                self.navigator.interrupt();
                return Ok(self.state("stopped"));
            }
            Go::Forward => Some(Motion::Forward),
            Go::Backward => Some(Motion::Backward),
            Go::Instruction => Some(Motion::Instruction),
            Go::InstructionBack => Some(Motion::InstructionBack),
            Go::Into => Some(Motion::Into),
            Go::Over => Some(Motion::Over),
            Go::Out => Some(Motion::Out),
            Go::LineBack => Some(Motion::LineBack),
            Go::Seek { position } => Some(Motion::Seek(position)),
            Go::End => Some(Motion::Seek(u64::MAX)),
            Go::Writer { address, length } => Some(Motion::Writer { address, length: length.max(1) }),
        };
        if let Some(motion) = motion {
            let machine = self.navigator.machine();
            (self.before, self.old) = (machine.position(), (machine.registers(), machine.gas()));
            self.navigator.begin(motion);
        }
        for _ in 0..SLICES {
            if let Some(stop) = self.navigator.advance()? {
                let text = self.describe(stop);
                return Ok(self.state(&text));
            }
        }
        Ok(self.state("goes on"))
    }

    fn describe(&self, stop: Stop) -> String {
        let program = self.navigator.machine().program();
        let import = |number| program.import(number).map_or("?".to_owned(), printable);
        match (stop, self.navigator.machine().outcome()) {
            (Stop::End(outcome), _) | (Stop::Done, Some(outcome)) => match outcome {
                Outcome::Finished => "returned to its host".to_owned(),
                Outcome::Trap => "trap".to_owned(),
                Outcome::OutOfGas => "out of gas".to_owned(),
                Outcome::HostCall(number) => format!("calls {}, which nobody answers", import(number)),
                outcome => format!("{outcome:?}"),
            },
            (Stop::Done, None) => String::new(),
            (Stop::Start, _) => "the start of the run".to_owned(),
            (Stop::NotFound, _) => "nothing was found".to_owned(),
            (Stop::Hit(hit), _) => match hit {
                Hit::Breakpoint(_) => "breakpoint".to_owned(),
                Hit::HostCall(number) => format!("calls {}", import(number)),
                Hit::GasBelow(below) => format!("less than {below} gas"),
                Hit::Watch { access, .. } => {
                    let what = if access.write { "writes" } else { "reads" };
                    format!("{what} {} bytes at {:#x}", access.length, access.address)
                }
            },
        }
    }

    /// All that is shown of a place but memory. Registers that are other than where the page was before are marked.
    fn state(&mut self, stop: &str) -> Value {
        let here = self.navigator.machine().position();
        self.furthest = self.furthest.max(here);
        let machine = self.navigator.machine();
        let (registers, gas) = (machine.registers(), machine.gas());
        let (old_registers, old_gas) = self.old;
        let registers =
            Reg::ALL.into_iter().zip(registers.into_iter().zip(old_registers)).map(|(reg, (value, old))| {
                json!({ "name": reg.name(), "value": format!("{value:#x}"), "decimal": format!("{}", value as i64),
                "changed": value != old })
            });
        let files = self.navigator.symbols().files();
        let stack: Vec<Value> = self
            .navigator
            .stack()
            .into_iter()
            .map(|frame| {
                let file = frame.file.and_then(|name| files.iter().position(|file| *file == name));
                json!({ "function": frame.function, "file": file, "line": frame.line, "pc": frame.pc,
                    "inlined": frame.inlined })
            })
            .collect();
        let access = machine.next_access();
        json!({
            "position": here,
            "before": self.before,
            "furthest": self.furthest,
            "end": machine.end().map(|end| end.position),
            "isEnd": machine.outcome().is_some(),
            "isGoing": self.navigator.is_going(),
            "stop": stop,
            "pc": machine.pc(),
            "registers": registers.collect::<Vec<_>>(),
            "gas": gas.to_string(),
            "gasChange": (i128::from(gas) - i128::from(old_gas)).to_string(),
            "heapSize": machine.heap_size(),
            "stack": stack,
            "nextAccess": access.map(|access| {
                json!({ "address": access.address, "length": access.length, "write": access.write })
            }),
        })
    }

    /// Bytes of memory up to the first that cannot be read, and which of them are other than where the page was before.
    fn memory(&mut self, wanted: &Memory) -> Result<Value, ReplayError> {
        let here = self.navigator.machine().position();
        let bytes = self.read(wanted);
        let old = match self.before == here || self.navigator.is_going() {
            true => bytes.clone(),
            false => {
                self.navigator.machine_mut().seek(self.before)?;
                let old = self.read(wanted);
                self.navigator.machine_mut().seek(here)?;
                old
            }
        };
        let changed = bytes.iter().enumerate().filter(|(index, byte)| old.get(*index) != Some(byte));
        Ok(json!({
            "address": wanted.address,
            "changed": changed.map(|(index, _)| index).collect::<Vec<_>>(),
            "bytes": bytes,
        }))
    }

    fn read(&self, wanted: &Memory) -> Vec<u8> {
        let machine = self.navigator.machine();
        let length = wanted.length.min(MEMORY).min((u32::MAX - wanted.address).saturating_add(1));
        let mut bytes = vec![0; length as usize];
        if machine.read_memory(wanted.address, &mut bytes).is_ok() {
            return bytes;
        }
        let mut addresses = wanted.address..=u32::MAX;
        let is_readable = |byte: &mut u8| {
            addresses.next().is_some_and(|address| machine.read_memory(address, std::slice::from_mut(byte)).is_ok())
        };
        let count = bytes.iter_mut().map(is_readable).take_while(|is_readable| *is_readable).count();
        bytes.truncate(count);
        bytes
    }

    /// Instructions around a code offset.
    fn code(&self, wanted: &CodeRequest) -> Value {
        let code = self.navigator.machine().program().code();
        let around = wanted.around.min(code.len());
        let starts = (0..around).rev().filter(|offset| code.is_instruction_start(*offset));
        let first = starts.take(INSTRUCTIONS).last().unwrap_or(around);
        let symbols = self.navigator.symbols();
        let list = code.instructions_from(first).take(2 * INSTRUCTIONS).map(|decoded| {
            let text = decoded.instruction.map_or("no instruction".to_owned(), |instruction| instruction.to_string());
            let line = symbols.line_at(decoded.offset);
            let file = line.and_then(|(name, _)| symbols.files().iter().position(|file| file == name));
            json!({
                "offset": decoded.offset,
                "text": text,
                "file": file,
                "line": line.map(|(_, line)| line),
                "function": symbols.functions_at(decoded.offset).last(),
                "block": code.is_jump_target(decoded.offset),
            })
        });
        json!({ "instructions": list.collect::<Vec<_>>() })
    }

    fn source(&self, wanted: &Source) -> Value {
        let Some(name) = self.navigator.symbols().files().get(wanted.file) else {
            return json!({ "name": null, "text": null, "lines": [] });
        };
        let number = wanted.file as u32;
        let places = self.navigator.symbols().regions().iter().flat_map(|region| &region.places);
        // The lines that a breakpoint can be at.
        let lines: BTreeSet<u32> =
            places.filter(|place| place.file == Some(number) && place.line > 0).map(|place| place.line).collect();
        json!({ "name": name, "text": self.sources.text(name), "lines": lines })
    }

    /// Sets all breakpoints; returns the code offsets of each.
    fn breakpoints(&mut self, wanted: Breakpoints) -> Value {
        let lines: Vec<Option<(u32, BTreeSet<u32>)>> =
            wanted.lines.iter().map(|line| self.navigator.offsets_of_line(&[line.file], line.line)).collect();
        let imports: BTreeSet<u32> = wanted.functions.iter().filter_map(|name| self.navigator.import(name)).collect();
        // The function that calls its host, if it is one of its own, would stop the run once more.
        let offsets_of = |name: &String| match self.navigator.import(name) {
            Some(_) => BTreeSet::new(),
            None => self.navigator.offsets_of_function(name),
        };
        let functions: Vec<BTreeSet<u32>> = wanted.functions.iter().map(offsets_of).collect();
        let code = self.navigator.machine().program().code();
        let mut offsets: BTreeSet<u32> =
            wanted.instructions.into_iter().filter(|offset| code.is_instruction_start(*offset)).collect();
        offsets.extend(lines.iter().flatten().flat_map(|(_, offsets)| offsets));
        offsets.extend(functions.iter().flatten());
        let told: Vec<Value> = lines
            .iter()
            .map(|found| match found {
                Some((line, offsets)) => json!({ "line": line, "offsets": offsets }),
                None => Value::Null,
            })
            .collect();
        let all = json!({ "lines": told, "functions": functions, "offsets": offsets });
        let conditions = self.navigator.conditions_mut();
        conditions.breakpoints = offsets;
        conditions.host_calls = imports;
        all
    }
}
