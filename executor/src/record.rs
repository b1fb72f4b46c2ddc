//! Records: files that reproduce a run in which compiled code and the interpreter differed.
//!
//! Written when a replay or an audit finds a difference; read by the node's command `polkavm-replay`. Text, with one
//! line per event of the instance (`docs/node.md#audits`). A record contains the program and the machine code that ran,
//! so that nothing else is needed to find the bug. The node's operation does not depend on records.

use crate::cache::Key;
use crate::call::CallPurpose;
use crate::instance::BackendInstance;
use crate::module::Loaded;
use crate::replay::{Differs, Event, Log, ReplayError};
use crate::{PolkaVm, Shared};
use pvm_engine::{Engine, Module, ProgramBlob};
use pvm_host_interface::{ProgramRules, program_config};
use sp_crypto_hashing::keccak_256;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use vm_core::Semantics;
use vm_core::gas::CostModelKind;
use vm_core::interpreter::Instance;

/// First line of a file.
const MAGIC: &str = "pvm-replay 1";
/// Maximum number of records per folder. The first ones are the most useful.
const RECORDS: usize = 16;

/// All events of an instance, with its program and machine code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// The difference.
    pub why: String,
    pub code: Vec<u8>,
    pub cost_model: u16,
    pub semantics: u16,
    /// Version of the engine that stored the machine code, and the stored code.
    pub engine: String,
    pub machine_code: Vec<u8>,
    pub events: Vec<Event>,
}

impl Record {
    pub fn new(loaded: &Loaded, events: &[Event], differs: &Differs) -> Record {
        let machine_code = loaded.compiled().and_then(|module| module.machine_code_to_store(&loaded.blob));
        Record {
            why: differs.to_string(),
            code: loaded.blob.as_bytes().to_vec(),
            cost_model: loaded.program.config().cost_model.id(),
            semantics: loaded.program.config().semantics.id(),
            engine: pvm_engine::FINGERPRINT.into(),
            machine_code: machine_code.unwrap_or_default(),
            events: events.to_vec(),
        }
    }

    /// Writes the record into a folder, which is created if necessary.
    ///
    /// # Errors
    /// If it cannot be written, or the folder has [`RECORDS`] already.
    pub fn save(&self, folder: &Path) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if fs::read_dir(folder)?.count() >= RECORDS {
            return Err(io::Error::other(format!("there are {RECORDS} records already")));
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        for number in 0..RECORDS {
            let path = folder.join(format!("{seconds}-{number}.replay"));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    file.write_all(self.to_text().as_bytes())?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many records in a second"))
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{MAGIC}\nwhy {}\nengine {}\ncost-model {}\nsemantics {}\ncode {}\nmachine-code {}\n",
            self.why.replace('\n', " "),
            self.engine,
            self.cost_model,
            self.semantics,
            hex(&self.code),
            hex(&self.machine_code)
        );
        for event in &self.events {
            // Writing to a string cannot fail.
            let _ = match event {
                Event::Call { entry } => writeln!(text, "call {entry}"),
                Event::Run { gas, result: None, .. } => writeln!(text, "run {gas}"),
                Event::Run { gas, result: Some(result), .. } => writeln!(text, "run {gas} {result}"),
                Event::Read { address, length } => writeln!(text, "read {address} {length}"),
                Event::Write { address, data } => writeln!(text, "write {address} {}", hex(data)),
                Event::Zero { address, length } => writeln!(text, "zero {address} {length}"),
                Event::Counter => writeln!(text, "counter"),
            };
        }
        text
    }

    /// Parses a record written by [`Self::save`].
    fn from_text(text: &str) -> Result<Record, RecordError> {
        let mut lines = text.lines().enumerate();
        let mut next = |name: &'static str| -> Result<&str, RecordError> {
            let (number, line) = lines.next().ok_or(RecordError::Missing { name })?;
            let line = line.strip_prefix(name).ok_or(RecordError::Line { line: number + 1 })?;
            Ok(line.strip_prefix(' ').unwrap_or(line))
        };
        next(MAGIC)?;
        let why = next("why")?.to_owned();
        let engine = next("engine")?.to_owned();
        let cost_model = next("cost-model")?.parse().map_err(|_| RecordError::Line { line: 4 })?;
        let semantics = next("semantics")?.parse().map_err(|_| RecordError::Line { line: 5 })?;
        let code = unhex(next("code")?).ok_or(RecordError::Line { line: 6 })?;
        let machine_code = unhex(next("machine-code")?).ok_or(RecordError::Line { line: 7 })?;
        let events = lines
            .map(|(number, line)| event(line).ok_or(RecordError::Line { line: number + 1 }))
            .collect::<Result<_, _>>()?;
        Ok(Record { why, code, cost_model, semantics, engine, machine_code, events })
    }

    /// Runs the events on compiled code, with the record's machine code if this version of the engine made it, and then
    /// on the interpreter. Returns the difference, and true if the machine code was the record's.
    fn reproduce(&self, shared: &Arc<Shared>) -> Result<(Option<Differs>, bool), RecordError> {
        let engine = shared.engine();
        let cost_model =
            CostModelKind::from_id(self.cost_model).ok_or(RecordError::CostModel { id: self.cost_model })?;
        let semantics = Semantics::from_id(self.semantics).ok_or(RecordError::Semantics { id: self.semantics })?;
        let (config, blob) =
            (program_config(ProgramRules { semantics, cost_model }), ProgramBlob::from_bytes(&self.code));
        let stored = self.stored_module(&engine, &blob, &config);
        let is_stored = stored.is_some();
        let module = match stored {
            Some(module) => module,
            None => Module::new(&engine, &config, &blob).map_err(RecordError::engine)?,
        };
        if !module.is_compiled() {
            return Err(RecordError::NotCompiling);
        }
        let key = Key::new(&keccak_256(&self.code), ProgramRules { semantics, cost_model });
        let loaded = Loaded::new_compiled(key, blob, module);
        let mut instance =
            BackendInstance::compiled(shared, &loaded, CallPurpose::OnChain).ok_or(RecordError::NotCompiling)?;
        Log::repeat(&self.events, &mut instance).map_err(RecordError::engine)?;
        let BackendInstance::Compiled { log, .. } = &instance else { return Err(RecordError::NotCompiling) };
        match log.replay(&mut Instance::new(loaded.program.clone()), None) {
            Ok(()) => Ok((None, is_stored)),
            Err(ReplayError::Differs(differs)) => Ok((Some(differs), is_stored)),
            Err(ReplayError::Late) => unreachable!("there is no deadline"),
        }
    }

    fn stored_module(
        &self,
        engine: &Engine,
        blob: &ProgramBlob,
        config: &vm_core::program::ProgramConfig,
    ) -> Option<Module> {
        if self.engine != pvm_engine::FINGERPRINT {
            return None;
        }
        Module::from_stored(engine, config, blob, &self.machine_code).ok()
    }
}

impl PolkaVm {
    /// Replays a record ([`crate::Folders::records`]) on compiled code and on the interpreter.
    ///
    /// # Errors
    /// If the file is not a record, or programs are not compiled here.
    pub fn replay_record(&self, path: &Path) -> Result<Replayed, RecordError> {
        let text = fs::read_to_string(path).map_err(|error| RecordError::Read { error: error.to_string() })?;
        let record = Record::from_text(&text)?;
        let (differs, is_recorded_code) = record.reproduce(&self.0)?;
        Ok(Replayed { difference: differs.map(|differs| differs.to_string()), is_recorded_code, recorded: record.why })
    }
}

/// The result of replaying a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// The difference found; `None` if compiled code and the interpreter agree.
    pub difference: Option<String>,
    /// True if the machine code was the recorded one; otherwise the program was compiled again, as another version of
    /// the engine made the record.
    pub is_recorded_code: bool,
    /// The difference that was recorded.
    pub recorded: String,
}

impl std::fmt::Display for Replayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = if self.is_recorded_code { "the recorded machine code" } else { "the program, compiled anew," };
        match &self.difference {
            Some(difference) => write!(f, "{code} and the interpreter differ: {difference}"),
            None => write!(
                f,
                "{code} and the interpreter agree, though they did not when it was recorded ({}): the worker or the machine \
                 was at fault, or the bug is fixed",
                self.recorded
            ),
        }
    }
}

/// Error of replaying a record.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// The file cannot be read.
    Read {
        /// The reason.
        error: String,
    },
    /// A line is missing.
    Missing {
        /// Its first word.
        name: &'static str,
    },
    /// A line is malformed.
    Line {
        /// Its number.
        line: usize,
    },
    /// No cost model has this number.
    CostModel {
        /// The number.
        id: u16,
    },
    /// No semantics version has this number.
    Semantics {
        /// The number.
        id: u16,
    },
    /// Programs are not compiled here.
    NotCompiling,
    /// The engine cannot load or run the program.
    Engine {
        /// The reason.
        error: String,
    },
}

impl RecordError {
    fn engine(error: pvm_engine::Error) -> RecordError {
        RecordError::Engine { error: error.to_string() }
    }
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RecordError::Read { error } => write!(f, "the record cannot be read: {error}"),
            RecordError::Missing { name } => write!(f, "the record ends before the line {name:?}"),
            RecordError::Line { line } => write!(f, "line {line} of the record makes no sense"),
            RecordError::CostModel { id } => write!(f, "no gas cost model has the number {id}"),
            RecordError::Semantics { id } => write!(f, "no semantics of instructions has the number {id}"),
            RecordError::NotCompiling => write!(f, "programs are not compiled here: see `polkavm-check`"),
            RecordError::Engine { error } => write!(f, "the record cannot be run: {error}"),
        }
    }
}

impl std::error::Error for RecordError {}

fn event(line: &str) -> Option<Event> {
    let words: Vec<&str> = line.split(' ').collect();
    Some(match *words.as_slice() {
        ["call", entry] => Event::Call { entry: entry.parse().ok()? },
        ["run", gas] => Event::Run { gas: gas.parse().ok()?, result: None, seen: 0 },
        ["run", gas, result] => Event::Run { gas: gas.parse().ok()?, result: Some(result.parse().ok()?), seen: 0 },
        ["read", address, length] => Event::Read { address: address.parse().ok()?, length: length.parse().ok()? },
        ["write", address, data] => Event::Write { address: address.parse().ok()?, data: unhex(data)?.into() },
        ["zero", address, length] => Event::Zero { address: address.parse().ok()?, length: length.parse().ok()? },
        ["counter"] => Event::Counter,
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| (byte as char).to_digit(16);
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect::<Option<_>>();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            why: "run 1".into(),
            code: vec![0, 1, 0xab],
            cost_model: 0,
            semantics: 0,
            engine: "123".into(),
            machine_code: vec![],
            events: vec![
                Event::Call { entry: 7 },
                Event::Run { gas: -1, result: None, seen: 0 },
                Event::Run { gas: i64::MAX, result: Some(u64::MAX), seen: 0 },
                Event::Read { address: u32::MAX, length: 0 },
                Event::Write { address: 1, data: Box::new([0xff, 0]) },
                Event::Write { address: 1, data: Box::new([]) },
                Event::Zero { address: 2, length: 3 },
                Event::Counter,
            ],
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        assert_eq!(Record::from_text(&record().to_text()), Ok(record()));
    }

    #[test]
    fn what_is_no_record_is_refused_by_line() {
        let text = record().to_text();
        assert_eq!(Record::from_text(""), Err(RecordError::Missing { name: MAGIC }));
        assert_eq!(Record::from_text("hello"), Err(RecordError::Line { line: 1 }));
        let short: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
        assert_eq!(Record::from_text(&short), Err(RecordError::Missing { name: "code" }));
        for (old, new, line) in [
            ("cost-model 0", "cost-model x", 4),
            ("semantics 0", "semantics 65536", 5),
            ("code 0001ab", "code 0001a", 6),
            ("code 0001ab", "code 0001ag", 6),
            ("call 7", "call -7", 8),
            ("run -1", "run", 9),
            ("counter", "sleep", 15),
        ] {
            assert_eq!(Record::from_text(&text.replacen(old, new, 1)), Err(RecordError::Line { line }), "{new}");
        }
    }

    #[test]
    fn a_folder_takes_so_many_records_and_not_one_more() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..RECORDS {
            record().save(folder.path()).unwrap();
        }
        assert!(record().save(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), RECORDS);
    }
}
