//! Prints a hash of the machine code that the compiler emits for each program given, and one of all of them.
//!
//! For checking that a change of the compiler does not change its output. Programs are blobs (`.polkavm`), test vectors
//! (`.txt`, see `tests/vectors/README.md`) or assembly text (`.pvm`). Each is compiled with and without metering, with
//! every cost model, and in single-step mode. `scripts/hash-machine-code` runs it on all of them.

use pvm_engine::vm_core::text::assemble;
use pvm_engine::{
    Backend, Config, CostModelKind, Engine, MemoryLatency, Metering, Module, ProgramBlob, ProgramConfig, Sandbox,
};
use std::error::Error;
use std::path::Path;

/// 64-bit FNV-1a. It detects accidental changes, not attacks.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// Reads the blobs in a file.
fn blobs(path: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("txt") => vectors(std::str::from_utf8(&bytes)?),
        Some("pvm") => Ok(vec![assemble(std::str::from_utf8(&bytes)?)?]),
        _ => Ok(vec![bytes]),
    }
}

/// Assembles the programs of a file of test vectors, each in all of its instruction sets.
fn vectors(text: &str) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let (mut isas, mut blobs) = (Vec::new(), Vec::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(names) = line.strip_prefix("isa ") {
            isas = names.split_whitespace().take_while(|name| !name.starts_with('#')).collect();
        } else if line.trim_end() == "program" {
            let mut program = String::new();
            while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(' ')) {
                program.push_str(line);
                program.push('\n');
            }
            for isa in &isas {
                blobs.push(assemble(&format!(".isa {isa}\n{program}"))?);
            }
        }
    }
    Ok(blobs)
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(Config::new().set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort))?;
    let models = [CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2)];
    let meterings = [(Metering::Off, false), (Metering::Sync, false), (Metering::Async, false), (Metering::Sync, true)];
    let (mut all, mut programs, mut total) = (Fnv::new(), 0u32, 0usize);
    for path in std::env::args_os().skip(1) {
        let path = Path::new(&path);
        let (mut hash, mut length) = (Fnv::new(), 0);
        for blob in blobs(path).map_err(|error| format!("{}: {error}", path.display()))? {
            let blob = ProgramBlob::parse(&blob)?;
            for cost_model in models {
                for (metering, single_step) in meterings {
                    let config = ProgramConfig { metering, single_step, cost_model, ..ProgramConfig::default() };
                    let module = Module::new(&engine, &config, &blob)?;
                    let code = module.machine_code().ok_or("not compiled")?;
                    hash.feed(code);
                    length += code.len();
                    programs += 1;
                }
            }
        }
        // Prints the file name only, so that two checkouts can be compared.
        println!("{:016x} {length:>9} {}", hash.0, path.file_name().unwrap_or_default().display());
        all.feed(&hash.0.to_le_bytes());
        total += length;
    }
    println!("{:016x} {total:>9} all, {programs} times compiled", all.0);
    Ok(())
}
