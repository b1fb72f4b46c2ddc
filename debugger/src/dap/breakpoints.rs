//! Breakpoints of a client, and what they are for the machine.

use super::arguments::{
    AccessType, DataBreakpointInfo, SetBreakpoints, SetDataBreakpoints, SetFunctionBreakpoints,
    SetInstructionBreakpoints,
};
use super::session::Run;
use crate::machine::{Hit, Watch};
use crate::navigator::Expression;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes that are watched at a time.
const WATCHED: u32 = 1 << 20;

/// All breakpoints of a client.
#[derive(Default)]
pub struct Breakpoints {
    last_id: u64,
    /// By the path of the client's file.
    lines: BTreeMap<String, Vec<Breakpoint>>,
    functions: Vec<Breakpoint>,
    instructions: Vec<Breakpoint>,
    data: Vec<(u64, Watch)>,
}

struct Breakpoint {
    id: u64,
    offsets: BTreeSet<u32>,
    import: Option<u32>,
    condition: Option<Expression>,
}

impl Breakpoints {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn all(&self) -> impl Iterator<Item = &Breakpoint> {
        self.lines.values().flatten().chain(&self.functions).chain(&self.instructions)
    }

    /// The numbers of those that a hit belongs to, and what kind they are.
    pub fn hit_by(&self, hit: &Hit) -> (&'static str, Vec<u64>) {
        let ids = |list: &mut dyn Iterator<Item = &Breakpoint>| -> Vec<u64> {
            let is_hit = |breakpoint: &&Breakpoint| match hit {
                Hit::Breakpoint(pc) => breakpoint.offsets.contains(pc),
                Hit::HostCall(import) => breakpoint.import == Some(*import),
                _ => false,
            };
            list.filter(is_hit).map(|breakpoint| breakpoint.id).collect()
        };
        if let Hit::Watch { watched, .. } = hit {
            let data = self.data.iter().filter(|(_, watch)| watch.address == *watched);
            return ("data breakpoint", data.map(|(id, _)| *id).collect());
        }
        let kinds = [
            ("breakpoint", ids(&mut self.lines.values().flatten())),
            ("function breakpoint", ids(&mut self.functions.iter())),
            ("instruction breakpoint", ids(&mut self.instructions.iter())),
        ];
        let kind = kinds.iter().find(|(_, ids)| !ids.is_empty()).map_or("breakpoint", |(kind, _)| kind);
        (kind, kinds.into_iter().flat_map(|(_, ids)| ids).collect())
    }
}

/// Understands a condition.
fn condition(text: Option<&String>) -> Result<Option<Expression>, String> {
    match text.map(|text| text.trim()).filter(|text| !text.is_empty()) {
        Some(text) => Expression::parse(text).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

fn unverified(id: u64, why: &str) -> Value {
    json!({ "id": id, "verified": false, "message": why })
}

impl Run {
    /// Has the machine stop at what there is now.
    fn set(&mut self) {
        let mut filters: BTreeMap<u32, Expression> = BTreeMap::new();
        let mut unconditional = BTreeSet::new();
        for breakpoint in self.breakpoints.all() {
            for offset in &breakpoint.offsets {
                match &breakpoint.condition {
                    // Several at one place: each could be the one to stop for.
                    Some(condition) if !filters.contains_key(offset) => {
                        filters.insert(*offset, condition.clone());
                    }
                    _ => {
                        unconditional.insert(*offset);
                    }
                }
            }
        }
        filters.retain(|offset, _| !unconditional.contains(offset));
        let conditions = self.navigator.conditions_mut();
        conditions.breakpoints = self.breakpoints.all().flat_map(|breakpoint| &breakpoint.offsets).copied().collect();
        conditions.host_calls = self.breakpoints.all().filter_map(|breakpoint| breakpoint.import).collect();
        conditions.watches = self.breakpoints.data.iter().map(|(_, watch)| watch.clone()).collect();
        self.navigator.set_filters(filters);
    }

    pub fn set_breakpoints(&mut self, arguments: SetBreakpoints, lines: i64) -> Result<Value, String> {
        let path = arguments.source.path.or(arguments.source.name).ok_or("the source has no path")?;
        let files = self.sources.files_of(self.navigator.symbols(), &path);
        let mut list = Vec::new();
        let mut told = Vec::new();
        for wanted in arguments.breakpoints {
            let id = self.breakpoints.id();
            let line = wanted.line.saturating_add(lines);
            let found = u32::try_from(line).ok().and_then(|line| self.navigator.offsets_of_line(&files, line));
            told.push(match (found, condition(wanted.condition.as_ref())) {
                (_, Err(why)) => unverified(id, &why),
                (None, _) if files.is_empty() => unverified(id, "the program has no code of this file"),
                (None, _) => unverified(id, "no code of this file is at this line or after it"),
                (Some((line, offsets)), Ok(condition)) => {
                    let first = offsets.first().map(|offset| format!("{offset:#x}"));
                    list.push(Breakpoint { id, offsets, import: None, condition });
                    json!({
                        "id": id, "verified": true, "line": i64::from(line) - lines,
                        "source": { "path": path }, "instructionReference": first,
                    })
                }
            });
        }
        self.breakpoints.lines.insert(path, list);
        self.breakpoints.lines.retain(|_, list| !list.is_empty());
        self.set();
        Ok(json!({ "breakpoints": told }))
    }

    pub fn set_function_breakpoints(&mut self, arguments: SetFunctionBreakpoints) -> Result<Value, String> {
        self.breakpoints.functions.clear();
        let mut told = Vec::new();
        for wanted in arguments.breakpoints {
            let id = self.breakpoints.id();
            let name = wanted.name.trim();
            let (offsets, import) = match self.navigator.import(name) {
                // The function that makes the call, if it is one of its own, would stop the run once more.
                Some(import) => (BTreeSet::new(), Some(import)),
                None => (self.navigator.offsets_of_function(name), None),
            };
            told.push(match condition(wanted.condition.as_ref()) {
                Err(why) => unverified(id, &why),
                Ok(Some(_)) if import.is_some() => unverified(id, "calls of host functions have no conditions"),
                _ if offsets.is_empty() && import.is_none() => {
                    unverified(id, "the program has no function and calls no host function of this name")
                }
                Ok(condition) => {
                    let first = offsets.first().map(|offset| format!("{offset:#x}"));
                    self.breakpoints.functions.push(Breakpoint { id, offsets, import, condition });
                    json!({ "id": id, "verified": true, "instructionReference": first })
                }
            });
        }
        self.set();
        Ok(json!({ "breakpoints": told }))
    }

    pub fn set_instruction_breakpoints(&mut self, arguments: SetInstructionBreakpoints) -> Result<Value, String> {
        self.breakpoints.instructions.clear();
        let mut told = Vec::new();
        for wanted in arguments.breakpoints {
            let id = self.breakpoints.id();
            let offset = reference(&wanted.instruction_reference)
                .and_then(|reference| reference.checked_add(wanted.offset))
                .and_then(|offset| u32::try_from(offset).ok())
                .filter(|offset| self.navigator.machine().program().code().is_instruction_start(*offset));
            told.push(match (offset, condition(wanted.condition.as_ref())) {
                (_, Err(why)) => unverified(id, &why),
                (None, _) => unverified(id, "no instruction begins there"),
                (Some(offset), Ok(condition)) => {
                    let offsets = [offset].into();
                    self.breakpoints.instructions.push(Breakpoint { id, offsets, import: None, condition });
                    json!({ "id": id, "verified": true, "instructionReference": format!("{offset:#x}") })
                }
            });
        }
        self.set();
        Ok(json!({ "breakpoints": told }))
    }

    pub fn data_breakpoint_info(&mut self, arguments: &DataBreakpointInfo) -> Result<Value, String> {
        let refused = |why: String| json!({ "dataId": null, "description": why });
        let frames = self.navigator.frames();
        let by_reference = arguments.variables_reference.filter(|reference| *reference > 0);
        let frame = match by_reference {
            Some(reference) if !Run::is_of_memory(reference) => {
                return Ok(refused("registers cannot be watched: memory can".to_owned()));
            }
            Some(reference) => frames.get(Run::frame_of(reference)),
            None => arguments.frame_id.and_then(|id| self.frame(id)).and_then(|index| frames.get(index)),
        };
        let found = Expression::parse(&arguments.name)
            .and_then(|expression| self.navigator.address(&expression, frame))
            .map_err(|error| error.to_string());
        let size = if self.navigator.machine().program().isa().is_64_bit() { 8 } else { 4 };
        Ok(match found {
            Err(why) => refused(why),
            Ok((address, bytes)) => {
                let length = arguments.bytes.or(bytes).unwrap_or(size).clamp(1, WATCHED);
                json!({
                    "dataId": format!("{address:#x}:{length}"),
                    "description": format!("{length} bytes at {address:#x}"),
                    "accessTypes": ["read", "write", "readWrite"],
                    "canPersist": true,
                })
            }
        })
    }

    pub fn set_data_breakpoints(&mut self, arguments: SetDataBreakpoints) -> Result<Value, String> {
        self.breakpoints.data.clear();
        let mut told = Vec::new();
        for wanted in arguments.breakpoints {
            let id = self.breakpoints.id();
            let range = wanted.data_id.split_once(':').and_then(|(address, length)| {
                let address = u32::try_from(reference(address)?).ok()?;
                let length: u32 = length.parse().ok().filter(|length| (1..=WATCHED).contains(length))?;
                Some((address, length))
            });
            told.push(match range {
                None => unverified(id, "this is no data of the program"),
                Some((address, length)) => {
                    let loads = wanted.access_type != AccessType::Write;
                    let stores = wanted.access_type != AccessType::Read;
                    self.breakpoints.data.push((id, Watch { address, length, loads, stores }));
                    json!({ "id": id, "verified": true })
                }
            });
        }
        self.set();
        Ok(json!({ "breakpoints": told }))
    }
}

/// A reference to memory or an instruction: a number.
pub(super) fn reference(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-'])),
        None => text.parse().ok(),
    }
}
