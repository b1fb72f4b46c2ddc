//! Calls: prepares an instance for a call, and describes its end.
//!
//! Used by `run` and `trace`.

use crate::args::{Backend, CallArgs};
use crate::{Error, input, output::printable};
use pvm_engine::{Config, Engine, Module, ProgramBlob, RawInstance};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::interpreter::Instance;
use vm_core::isa::{Instruction, Reg};
use vm_core::program::{Program, ProgramConfig};

/// Maximum number of arguments that a call can have.
pub const MAX_ARGUMENTS: usize = Reg::ARGS.len();

/// Program configuration of this tool.
pub fn config(args: &CallArgs) -> ProgramConfig {
    ProgramConfig { cost_model: args.options.cost_model.kind(), ..ProgramConfig::default() }
}

/// Returns the code offset of the entry point of the call.
///
/// # Errors
/// If there are too many arguments, or the program has no such entry.
pub fn entry(args: &CallArgs, program: &Program) -> Result<u32, Error> {
    if args.options.args.len() > MAX_ARGUMENTS {
        return Err(Error::TooManyArguments { actual: args.options.args.len(), limit: MAX_ARGUMENTS });
    }
    program.export(args.entry.as_bytes()).ok_or_else(|| {
        let known: Vec<String> = program.exports().map(|export| format!("`{}`", printable(export.symbol))).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Error::NoEntry { name: args.entry.clone(), known }
    })
}

/// Makes an interpreter instance that is ready for the call; `bytes` are its blob.
///
/// # Errors
/// If they are not a blob, it cannot be run, or it has no such entry.
pub fn interpreter(args: &CallArgs, bytes: &[u8]) -> Result<Instance, Error> {
    let path = || input::name(&args.blob);
    let blob = Blob::parse(bytes).map_err(|source| Error::Blob { path: path(), source })?;
    let program = Program::new(&blob, &config(args)).map_err(|source| Error::Program { path: path(), source })?;
    let entry = entry(args, &program)?;
    let mut instance = Instance::new(Arc::new(program));
    instance.set_gas(args.options.gas);
    instance.prepare_call(entry, &args.options.args);
    Ok(instance)
}

/// Makes an instance on the given backend that is ready for the call; `bytes` are its blob.
///
/// # Errors
/// As [`interpreter`]; and if the backend cannot run on this machine.
pub fn machine(
    args: &CallArgs,
    backend: Backend,
    time_limit: Option<Duration>,
    bytes: &[u8],
) -> Result<RawInstance, Error> {
    let path = || input::name(&args.blob);
    let named = |error| match error {
        pvm_engine::Error::Blob(source) => Error::Blob { path: path(), source },
        pvm_engine::Error::Program(source) => Error::Program { path: path(), source },
        other => Error::Engine(other),
    };
    let blob = ProgramBlob::parse(bytes).map_err(named)?;
    let mut config = Config::new();
    config.set_backend(backend.engine_backend()).set_time_limit(time_limit);
    let engine = Engine::new(&config).map_err(named)?;
    let module = Module::new(&engine, &self::config(args), &blob).map_err(named)?;
    let entry = entry(args, module.program())?;
    let mut instance = module.instantiate_raw().map_err(named)?;
    instance.set_gas(args.options.gas);
    instance.prepare_call(entry, &args.options.args);
    Ok(instance)
}

/// Returns the answers to host calls, by the numbers of their imports.
///
/// # Errors
/// If the program does not import a function that has an answer.
pub fn answers(args: &CallArgs, program: &Program) -> Result<BTreeMap<u32, u64>, Error> {
    let mut answers = BTreeMap::new();
    for (name, value) in &args.options.answers {
        let number = program.imports().position(|import| import == Some(name.as_bytes()));
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => answers.insert(number, *value),
            None => {
                let known = program.imports().flatten().map(|import| format!("`{}`", printable(import)));
                let known: Vec<String> = known.collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Error::NoImport { name: name.clone(), known });
            }
        };
    }
    Ok(answers)
}

/// State of a machine at a stop.
pub struct Stopped<'a> {
    program: &'a Program,
    pc: Option<u32>,
    registers: [u64; Reg::COUNT],
    gas: i64,
}

impl<'a> From<&'a Instance> for Stopped<'a> {
    fn from(instance: &'a Instance) -> Self {
        let registers = Reg::ALL.map(|reg| instance.reg(reg));
        Stopped { program: instance.program(), pc: instance.pc(), registers, gas: instance.gas() }
    }
}

impl<'a> From<&'a RawInstance> for Stopped<'a> {
    fn from(instance: &'a RawInstance) -> Self {
        let registers = Reg::ALL.map(|reg| instance.reg(reg));
        Stopped { program: instance.module().program(), pc: instance.pc(), registers, gas: instance.gas() }
    }
}

/// Returns the target of a jump or branch.
fn jump_target(instruction: &Instruction) -> Option<u32> {
    instruction.format().has_target().then_some(instruction.target)
}

/// End of a call: outcome and result.
pub struct Ending {
    outcome: Outcome,
    pc: Option<u32>,
    instruction: Option<String>,
    note: Option<String>,
    import: Option<String>,
    registers: [u64; Reg::COUNT],
    gas_used: i128,
    gas_left: i64,
}

impl Ending {
    /// Inspects a machine at a stop; it began with `gas`.
    pub fn new<'a>(stopped: impl Into<Stopped<'a>>, outcome: Outcome, gas: i64) -> Self {
        let Stopped { program, pc, registers, gas: left } = stopped.into();
        // At an invalid entry, and past the end of the code, there is no instruction.
        let instruction = pc.and_then(|pc| program.code().decode(pc)).and_then(|decoded| decoded.instruction);
        // The most frequent mistake in programs written by hand.
        let target = instruction.and_then(|instruction| jump_target(&instruction));
        let note = target
            .filter(|target| outcome == Outcome::Trap && !program.code().is_jump_target(*target))
            .map(|target| format!("no block begins at {target}"));
        let import = match outcome {
            Outcome::HostCall(number) => program.import(number).map(printable),
            _ => None,
        };
        Ending {
            outcome,
            pc,
            instruction: instruction.map(|instruction| instruction.to_string()),
            note,
            import,
            registers,
            gas_used: i128::from(gas) - i128::from(left),
            gas_left: left,
        }
    }

    fn a0(&self) -> u64 {
        self.registers[Reg::A0 as usize]
    }

    /// Formats the ending as a JSON object. Fields that do not apply are null.
    pub fn json(&self) -> Value {
        let registers = Reg::ALL.into_iter().map(|reg| (reg.name().to_owned(), self.registers[reg as usize].into()));
        let page_fault = match self.outcome {
            Outcome::PageFault { address, write_protected } => {
                json!({ "address": address, "write_protected": write_protected })
            }
            _ => Value::Null,
        };
        let host_call = match self.outcome {
            Outcome::HostCall(number) => json!({ "number": number, "name": self.import }),
            _ => Value::Null,
        };
        json!({
            "outcome": self.outcome.name(),
            "pc": self.pc,
            "instruction": self.instruction,
            "note": self.note,
            "a0": self.a0(),
            "registers": Value::Object(registers.collect()),
            "gas_used": self.gas_used as i64,
            "gas_left": self.gas_left,
            "page_fault": page_fault,
            "host_call": host_call,
        })
    }

    /// Formats the ending as lines for people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("outcome   {}", self.outcome.name())];
        match self.outcome {
            Outcome::PageFault { address, write_protected } => {
                let why = if write_protected { "may only be read" } else { "is not there" };
                lines.push(format!("page      {address:#x} {why}"));
            }
            Outcome::HostCall(number) => {
                let name = self.import.as_deref().unwrap_or("there is no such import");
                lines.push(format!("import    {number}: {name}"));
            }
            _ => {}
        }
        if let Some(pc) = self.pc {
            let what = self.instruction.as_deref().unwrap_or("no instruction");
            lines.push(format!("pc        {pc}: {what}"));
        }
        lines.extend(self.note.iter().map(|note| format!("note      {note}")));
        lines.push(format!("a0        {0} ({0:#x})", self.a0()));
        lines.push(format!("gas used  {}", self.gas_used));
        lines.push(format!("gas left  {}", self.gas_left));
        lines.join("\n") + "\n"
    }
}
