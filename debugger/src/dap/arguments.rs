//! Arguments of requests, as far as they are used.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Launch configuration: the program or record, and the position to start at.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Launch {
    /// The blob.
    pub program: Option<String>,
    /// The export to call.
    pub entry: Option<String>,
    /// Arguments of the call.
    pub args: Vec<Number>,
    /// The gas limit.
    pub gas: Option<i64>,
    /// The cost model by its name on the command line.
    pub cost_model: Option<String>,
    /// Results of host functions, by name.
    pub answers: BTreeMap<String, Number>,
    /// The record, in place of a program.
    pub record: Option<String>,
    /// Folders of source files whose names are relative.
    pub source_folders: Vec<String>,
    /// Stop before the first instruction.
    pub stop_on_entry: bool,
    /// Go to the end of the run at once, and look back from there.
    pub stop_at_end: bool,
    /// Memory for snapshots, in MiB.
    pub snapshot_memory: Option<u32>,
}

/// The names of the attributes of a launch configuration.
pub const LAUNCH_ATTRIBUTES: [&str; 11] = [
    "program",
    "entry",
    "args",
    "gas",
    "costModel",
    "answers",
    "record",
    "sourceFolders",
    "stopOnEntry",
    "stopAtEnd",
    "snapshotMemory",
];

/// A number, or a text with one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// A number that is not negative.
    Unsigned(u64),
    /// A negative number.
    Signed(i64),
    /// A text, such as `0x10`.
    Text(String),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Unsigned(value) => value.fmt(f),
            Number::Signed(value) => value.fmt(f),
            Number::Text(text) => text.fmt(f),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialize {
    #[serde(default = "yes", rename = "linesStartAt1")]
    pub lines_start_at_1: bool,
    #[serde(default = "yes", rename = "columnsStartAt1")]
    pub columns_start_at_1: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
pub struct SetBreakpoints {
    pub source: Source,
    #[serde(default)]
    pub breakpoints: Vec<SourceBreakpoint>,
}

#[derive(Debug, Deserialize)]
pub struct Source {
    pub path: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct SourceBreakpoint {
    pub line: i64,
    pub condition: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct SetFunctionBreakpoints {
    pub breakpoints: Vec<FunctionBreakpoint>,
}

#[derive(Debug, Deserialize)]
pub struct FunctionBreakpoint {
    pub name: String,
    pub condition: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct SetInstructionBreakpoints {
    pub breakpoints: Vec<InstructionBreakpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstructionBreakpoint {
    pub instruction_reference: String,
    #[serde(default)]
    pub offset: i64,
    pub condition: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataBreakpointInfo {
    pub variables_reference: Option<u64>,
    pub name: String,
    pub frame_id: Option<u64>,
    pub bytes: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub struct SetDataBreakpoints {
    pub breakpoints: Vec<DataBreakpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataBreakpoint {
    pub data_id: String,
    #[serde(default)]
    pub access_type: AccessType,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessType {
    Read,
    #[default]
    Write,
    ReadWrite,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackTrace {
    #[serde(default)]
    pub start_frame: usize,
    #[serde(default)]
    pub levels: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scopes {
    pub frame_id: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variables {
    pub variables_reference: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadMemory {
    pub memory_reference: String,
    #[serde(default)]
    pub offset: i64,
    pub count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disassemble {
    pub memory_reference: String,
    #[serde(default)]
    pub offset: i64,
    #[serde(default)]
    pub instruction_offset: i64,
    pub instruction_count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluate {
    pub expression: String,
    pub frame_id: Option<u64>,
    pub context: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    #[default]
    Statement,
    Line,
    Instruction,
}

#[derive(Debug, Default, Deserialize)]
pub struct StepArguments {
    #[serde(default)]
    pub granularity: Granularity,
}
