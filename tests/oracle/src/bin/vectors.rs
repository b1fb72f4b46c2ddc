//! Writes the generated vectors to `tests/vectors`: `cargo run -p pvm-oracle --bin vectors`.
//!
//! With file names as arguments it fills in the question marks of those files instead, which helps when writing one by
//! hand.

use pvm_oracle::vectors::{drafts, fill, folder};
use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        let draft = fs::read_to_string(file)?;
        fs::write(file, fill(&draft).map_err(|error| format!("{file}: {error}"))?)?;
    }
    if files.is_empty() {
        for (name, draft) in drafts() {
            fs::write(folder().join(&name), fill(&draft).map_err(|error| format!("{name}: {error}"))?)?;
        }
    }
    Ok(())
}
