//! The subject of debugging or profiling: a call or a record, as a time machine.

use crate::args::SubjectArgs;
use crate::{Error, call, input};
use pvm_debugger::machine::{Live, Machine};
use pvm_debugger::record::{Limits, Record};
use pvm_debugger::symbols::Symbols;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use vm_core::blob::Blob;
use vm_core::program::Program;

/// A time machine at the start of a run, and its program.
pub struct Subject {
    pub machine: Machine,
    pub blob: Vec<u8>,
    pub symbols: Symbols,
}

impl Subject {
    /// Loads the call or record that the arguments name.
    ///
    /// # Errors
    /// If it cannot be read or run.
    pub fn load(args: &SubjectArgs) -> Result<Subject, Error> {
        let (machine, blob) = match (&args.record, args.call()) {
            (Some(path), _) => {
                let record = read(path)?;
                (Machine::replay(&record)?, record.blob)
            }
            (None, Some(args)) => {
                let bytes = input::bytes(&args.blob)?;
                let path = || input::name(&args.blob);
                let blob = Blob::parse(&bytes).map_err(|source| Error::Blob { path: path(), source })?;
                let program = Program::new(&blob, &call::config(&args))
                    .map_err(|source| Error::Program { path: path(), source })?;
                let live = Live {
                    entry: call::entry(&args, &program)?,
                    arguments: args.options.args.clone(),
                    gas: args.options.gas,
                    answers: call::answers(&args, &program)?,
                };
                (Machine::live(Arc::new(program), live)?, bytes)
            }
            // The command line requires one of them.
            (None, None) => return Err(Error::NoEntry { name: String::new(), known: "none".to_owned() }),
        };
        let symbols = Blob::parse(&blob).map(|blob| Symbols::new(&blob)).unwrap_or_default();
        Ok(Subject { machine, blob, symbols })
    }
}

fn read(path: &Path) -> Result<Record, Error> {
    let name = || input::name(path);
    let file = File::open(path).map_err(|source| Error::Read { path: name(), source })?;
    Record::read(BufReader::new(file), &Limits::default()).map_err(|source| Error::Record { path: name(), source })
}
