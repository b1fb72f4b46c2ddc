//! A client's session: which request does what.

use super::arguments::{Granularity, Initialize, StepArguments};
use super::breakpoints::Breakpoints;
use super::{Launch, Launched};
use crate::navigator::{Motion, Navigator, Sources};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The one thread that there is.
pub(super) const THREAD: u64 = 1;

/// See the module.
pub struct Session<L> {
    launch: L,
    /// The run, once it was launched.
    run: Option<Run>,
    begin: Option<Begin>,
    lines_start_at_1: bool,
    columns_start_at_1: bool,
    events: Vec<(&'static str, Value)>,
    over: bool,
}

/// A run that is debugged.
pub(super) struct Run {
    pub navigator: Navigator,
    pub sources: Sources,
    pub breakpoints: Breakpoints,
    /// Stop reason to report if the motion in progress ends normally.
    pub reason: &'static str,
}

/// Start position, which is applied once the client has set its breakpoints.
enum Begin {
    Start,
    End,
    First,
}

/// Reads the arguments of a request.
pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    let arguments = if arguments.is_null() { json!({}) } else { arguments };
    serde_json::from_value(arguments).map_err(|error| format!("the arguments are malformed: {error}"))
}

impl<L> Session<L> {
    /// True if a motion is in progress.
    pub fn is_going(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.navigator.is_going())
    }

    /// True if the client has disconnected.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The events since they were last asked for.
    pub fn take_events(&mut self) -> Vec<(&'static str, Value)> {
        std::mem::take(&mut self.events)
    }

    /// Makes a slice of the motion that is being made.
    pub fn advance(&mut self) {
        let Some(run) = &mut self.run else { return };
        match run.navigator.advance() {
            Ok(None) => {}
            Ok(Some(stop)) => self.events.extend(run.stopped(stop)),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    /// Ends the session because the run cannot be gone through.
    fn fail(&mut self, why: &str) {
        self.events.push(("output", json!({ "category": "stderr", "output": format!("{why}\n") })));
        self.events.push(("terminated", json!({})));
    }
}

impl<L: FnMut(&Launch) -> Result<Launched, String>> Session<L> {
    pub fn new(launch: L) -> Self {
        Session {
            launch,
            run: None,
            begin: None,
            lines_start_at_1: true,
            columns_start_at_1: true,
            events: Vec::new(),
            over: false,
        }
    }

    /// Does what a request asks for; returns what it is answered, or why it is refused.
    pub fn handle(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        match command {
            "initialize" => {
                let arguments: Initialize = parse(arguments)?;
                self.lines_start_at_1 = arguments.lines_start_at_1;
                self.columns_start_at_1 = arguments.columns_start_at_1;
                Ok(capabilities())
            }
            "launch" => self.launch(&parse(arguments)?),
            "attach" => Err("there is nothing to attach to: use a launch configuration".to_owned()),
            "disconnect" | "terminate" => {
                self.over = command == "disconnect";
                if !self.over {
                    self.interrupt();
                    self.events.push(("terminated", json!({})));
                }
                Ok(json!({}))
            }
            "threads" => Ok(json!({ "threads": [{ "id": THREAD, "name": "run" }] })),
            "setExceptionBreakpoints" => Ok(json!({ "breakpoints": [] })),
            _ => self.handle_for_run(command, arguments),
        }
    }

    fn interrupt(&mut self) {
        if let Some(run) = &mut self.run {
            run.navigator.interrupt();
        }
    }

    fn launch(&mut self, arguments: &Launch) -> Result<Value, String> {
        if self.run.is_some() {
            return Err("a run is being debugged already".to_owned());
        }
        let Launched { machine, symbols, folders } = (self.launch)(arguments)?;
        let functions = symbols.regions().is_empty();
        let navigator = Navigator::new(machine, symbols);
        let folders = arguments.source_folders.iter().map(Into::into).chain(folders).collect();
        let sources = Sources::new(folders);
        self.run = Some(Run { navigator, sources, breakpoints: Breakpoints::default(), reason: "step" });
        self.begin = Some(match (arguments.stop_at_end, arguments.stop_on_entry) {
            (true, _) => Begin::End,
            (false, true) => Begin::Start,
            (false, false) => Begin::First,
        });
        if functions {
            let output = "The program has no debug information: there are instructions, and no lines.\n";
            self.events.push(("output", json!({ "category": "console", "output": output })));
        }
        self.events.push(("initialized", json!({})));
        Ok(json!({}))
    }

    /// Requests for a run that was launched.
    fn handle_for_run(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        let lines = i64::from(!self.lines_start_at_1);
        let columns = u32::from(!self.columns_start_at_1);
        let is_known = is_for_run(command);
        let run = match &mut self.run {
            Some(run) if is_known => run,
            None if is_known => return Err(format!("`{command}` before `launch`")),
            _ => return Err(format!("there is no request `{command}`")),
        };
        match command {
            "setBreakpoints" => return run.set_breakpoints(parse(arguments)?, lines),
            "setFunctionBreakpoints" => return run.set_function_breakpoints(parse(arguments)?),
            "setInstructionBreakpoints" => return run.set_instruction_breakpoints(parse(arguments)?),
            "setDataBreakpoints" => return run.set_data_breakpoints(parse(arguments)?),
            "pause" => {
                // The stop is told after the answer, by the next slice.
                run.navigator.interrupt();
                self.events.push(run.stop_event("pause", "Paused", None, &[]));
                return Ok(json!({}));
            }
            _ => {}
        }
        if run.navigator.is_going() {
            return Err(format!("`{command}` has to wait: the run goes on"));
        }
        match command {
            "configurationDone" => {
                match self.begin.take() {
                    Some(Begin::Start) => self.events.push(run.stop_event("entry", "The start of the run", None, &[])),
                    Some(Begin::End) => run.begin(Motion::Seek(u64::MAX), "end"),
                    Some(Begin::First) => run.begin(Motion::Forward, "step"),
                    None => {}
                }
                Ok(json!({}))
            }
            "continue" | "reverseContinue" => {
                let is_back = command == "reverseContinue";
                if !is_back && let Some(outcome) = run.navigator.machine().outcome() {
                    let code = i32::from(outcome != vm_core::Outcome::Finished);
                    self.events.push(("exited", json!({ "exitCode": code })));
                    self.events.push(("terminated", json!({})));
                } else {
                    run.begin(if is_back { Motion::Backward } else { Motion::Forward }, "step");
                }
                Ok(json!({ "allThreadsContinued": true }))
            }
            "next" | "stepIn" | "stepOut" | "stepBack" => {
                let arguments: StepArguments = parse(arguments)?;
                let by_instruction = arguments.granularity == Granularity::Instruction;
                let motion = match command {
                    "stepBack" if by_instruction => Motion::InstructionBack,
                    "stepBack" => Motion::LineBack,
                    "stepOut" => Motion::Out,
                    _ if by_instruction => Motion::Instruction,
                    "next" => Motion::Over,
                    _ => Motion::Into,
                };
                run.begin(motion, "step");
                Ok(json!({}))
            }
            "stackTrace" => run.stack_trace(parse(arguments)?, lines, columns),
            "scopes" => run.scopes(&parse(arguments)?),
            "variables" => run.variables(&parse(arguments)?),
            "readMemory" => run.read_memory(&parse(arguments)?),
            "disassemble" => run.disassemble(&parse(arguments)?, lines),
            "dataBreakpointInfo" => run.data_breakpoint_info(&parse(arguments)?),
            "exceptionInfo" => run.exception_info(),
            "evaluate" => run.evaluate(parse(arguments)?),
            _ => Err(format!("there is no request `{command}`")),
        }
    }
}

impl Run {
    /// Begins a motion; `reason` is told if it ends as it should.
    pub fn begin(&mut self, motion: Motion, reason: &'static str) {
        self.reason = reason;
        self.navigator.begin(motion);
    }
}

fn is_for_run(command: &str) -> bool {
    matches!(
        command,
        "setBreakpoints"
            | "setFunctionBreakpoints"
            | "setInstructionBreakpoints"
            | "setDataBreakpoints"
            | "pause"
            | "configurationDone"
            | "continue"
            | "reverseContinue"
            | "next"
            | "stepIn"
            | "stepOut"
            | "stepBack"
            | "stackTrace"
            | "scopes"
            | "variables"
            | "readMemory"
            | "disassemble"
            | "dataBreakpointInfo"
            | "exceptionInfo"
            | "evaluate"
    )
}

fn capabilities() -> Value {
    json!({
        "supportsConfigurationDoneRequest": true,
        "supportsFunctionBreakpoints": true,
        "supportsConditionalBreakpoints": true,
        "supportsDataBreakpoints": true,
        "supportsDataBreakpointBytes": true,
        "supportsInstructionBreakpoints": true,
        "supportsStepBack": true,
        "supportsSteppingGranularity": true,
        "supportsReadMemoryRequest": true,
        "supportsDisassembleRequest": true,
        "supportsEvaluateForHovers": true,
        "supportsExceptionInfoRequest": true,
        "supportsTerminateRequest": true,
    })
}
