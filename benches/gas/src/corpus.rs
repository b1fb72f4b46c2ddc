//! The corpus: mispriced programs that the search found, as assembly text in `benches/gas-corpus`.
//!
//! The first lines of a file are comments: what the program is and how it was found, and `; iterations N`, the argument
//! for its export `run`.

use anyhow::{Context, Result};
use std::{fs, path::PathBuf};
use vm_core::text::assemble;

/// A program of the corpus.
pub struct CorpusProgram {
    /// Name of its file, without the extension.
    pub name: String,
    /// Its blob.
    pub blob: Vec<u8>,
    /// The argument for its export `run`.
    pub iterations: u64,
}

/// Returns the path of the corpus.
pub fn folder() -> PathBuf {
    crate::benches_folder().join("gas-corpus")
}

/// Reads the whole corpus, ordered by name.
///
/// # Errors
/// If a file cannot be read or assembled.
pub fn read() -> Result<Vec<CorpusProgram>> {
    let mut programs = Vec::new();
    for entry in fs::read_dir(folder()).with_context(|| folder().display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)?;
        let blob = assemble(&text).with_context(|| name.clone())?;
        let iterations = text.lines().find_map(|line| line.strip_prefix("; iterations ")).unwrap_or("1");
        programs.push(CorpusProgram { name, blob, iterations: iterations.trim().parse()? });
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}
