//! Links ELF files of foreign compilers at every level and runs them on both backends.
//!
//! A program reports its result by its entry's return value or by calling the host's function `exit`; `scripts/corpora` and
//! `tests/programs.rs` have the expected results. A program that is refused has not failed: refusals are counted by
//! message.

use pvm_engine::{Backend, Config, Engine, Module, ProgramBlob};
use pvm_linker::{Level, Options, link};
use pvm_riscv::{Emulator, Outcome as RiscvOutcome};
use std::{fmt, time::Duration};
use vm_core::{Outcome, isa::Reg, program::ProgramConfig};

/// The optimization levels, with their command line names.
pub const LEVELS: [(Level, &str); 3] = [(Level::None, "-O 0"), (Level::Some, "-O 1"), (Level::Full, "-O 2")];

/// Gas limit of a run: far more than any program of the corpora needs.
const GAS: i64 = 4_000_000_000;

/// Time limit of a run on a busy machine; endless runs end by gas.
const TIME: Duration = Duration::from_secs(600);

/// Maximum number of instructions of a run on the RISC-V emulator.
const STEPS: u64 = 400_000_000;

/// End of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Returned this number; only the low 32 bits are compared.
    Returned(u32),
    /// Called `exit` with this number.
    Exit(u32),
    /// Trapped or accessed unmapped memory.
    Trap,
    /// Any other end, as text.
    Other(String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Returned(number) => write!(f, "{number}"),
            Ending::Exit(number) => write!(f, "exit {number}"),
            Ending::Trap => f.write_str("trap"),
            Ending::Other(what) => f.write_str(what),
        }
    }
}

/// Result for a file at one level on one backend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The expected result.
    Right,
    /// An unexpected result, but the same as on a RISC-V emulator: a fault of the compiler or the program, not of the
    /// linker.
    Foreign(Ending),
    /// The linker refused the file, with this message.
    Refused(String),
    /// A wrong result.
    Wrong(Ending),
}

/// The engines to run on.
pub struct Backends(Vec<(&'static str, Engine)>);

impl Backends {
    /// Makes the interpreter, and the compiler if this machine supports it.
    ///
    /// # Errors
    /// If not even the interpreter can be made.
    pub fn new() -> Result<Backends, pvm_engine::Error> {
        let engine = |backend| Engine::new(Config::new().set_backend(backend).set_time_limit(TIME));
        let mut engines = vec![("interpreter", engine(Backend::Interpreter)?)];
        match engine(Backend::Jit) {
            Ok(jit) => engines.push(("jit", jit)),
            Err(error) => eprintln!("corpora: no machine code here: {error}"),
        }
        Ok(Backends(engines))
    }

    /// Links `elf` at each level, runs `entry` on each backend, and compares with `expected`. The entry is exported unless
    /// the program marks it (`is_marked`).
    pub fn try_file(
        &self,
        elf: &[u8],
        entry: &str,
        is_marked: bool,
        expected: &Ending,
    ) -> Vec<(&'static str, &'static str, Verdict)> {
        let mut verdicts = Vec::new();
        let mut on_riscv = None;
        for (level, level_name) in LEVELS {
            let exports = if is_marked { Vec::new() } else { vec![entry.to_owned()] };
            let options = Options { level, exports, ..Options::default() };
            let blob = match link(elf, &options) {
                Ok(blob) => blob,
                Err(error) => {
                    let reason = error.to_string();
                    verdicts
                        .extend(self.0.iter().map(|(name, _)| (level_name, *name, Verdict::Refused(reason.clone()))));
                    continue;
                }
            };
            for (name, engine) in &self.0 {
                let ending = run(engine, &blob, entry).unwrap_or_else(|error| Ending::Other(error.to_string()));
                let verdict = if ending == *expected {
                    Verdict::Right
                } else if ending == *on_riscv.get_or_insert_with(|| run_on_riscv(elf, entry)) {
                    Verdict::Foreign(ending)
                } else {
                    Verdict::Wrong(ending)
                };
                verdicts.push((level_name, *name, verdict));
            }
        }
        verdicts
    }
}

/// Calls a symbol of the ELF file itself without arguments.
pub fn run_on_riscv(elf: &[u8], entry: &str) -> Ending {
    let mut machine = match Emulator::try_load(elf) {
        Ok(machine) => machine,
        Err(error) => return Ending::Other(format!("not on the RISC-V emulator: {error}")),
    };
    let mut code = None;
    let outcome = machine.call(entry.as_bytes(), &[], STEPS, |name, arguments| match name {
        b"exit" => {
            code = Some(arguments[0] as u32);
            None
        }
        _ => Some(0),
    });
    match outcome {
        RiscvOutcome::Finished { a0, .. } => Ending::Returned(a0 as u32),
        RiscvOutcome::Stopped => Ending::Exit(code.unwrap_or_default()),
        RiscvOutcome::Trap => Ending::Trap,
        RiscvOutcome::Endless => Ending::Other("does not end".to_owned()),
    }
}

/// Calls an export without arguments.
fn run(engine: &Engine, blob: &[u8], entry: &str) -> Result<Ending, pvm_engine::Error> {
    let module = Module::new(engine, &ProgramConfig::default(), &ProgramBlob::parse(blob)?)?;
    let Some(entry) = module.program().export(entry.as_bytes()) else {
        return Ok(Ending::Other("no such export".to_owned()));
    };
    let mut instance = module.instantiate_raw()?;
    instance.set_gas(GAS);
    instance.prepare_call(entry, &[]);
    Ok(loop {
        match instance.run()? {
            Outcome::Finished => break Ending::Returned(instance.reg(Reg::A0) as u32),
            Outcome::Trap | Outcome::PageFault { .. } => break Ending::Trap,
            Outcome::OutOfGas => break Ending::Other("does not end".to_owned()),
            Outcome::HostCall(number) => match module.program().import(number) {
                Some(b"exit") => break Ending::Exit(instance.reg(Reg::A0) as u32),
                other => break Ending::Other(format!("host call {number}, {other:?}")),
            },
            Outcome::Step => {}
        }
    })
}
