//! Programs of `guest/bench`: paths of their compiled forms, and their expected results.

use anyhow::{Context, Result};
use bench_programs as host;
use std::{fs, path::PathBuf};

/// A program, as compiled for the engines and for the host.
pub struct BenchProgram {
    /// Its name: that of its binary in `guest/bench`.
    pub name: &'static str,
    /// Purpose of the program.
    pub kind: WorkloadKind,
    /// The host's copy of the export `initialize`.
    initialize: fn(),
    /// The host's copy of the export `run`.
    run: fn() -> u64,
}

/// Purpose of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkloadKind {
    /// A realistic workload, as of a contract. The geometric means are over these.
    Work,
    /// A loop that stresses one part of a gas model.
    Probe,
}

impl BenchProgram {
    /// Reads the `.polkavm` blob.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn blob(&self) -> Result<Vec<u8>> {
        self.file("polkavm")
    }

    /// Reads the wasm module.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn wasm(&self) -> Result<Vec<u8>> {
        self.file("wasm")
    }

    /// Prepares the host's copy for [`Self::run_on_host`].
    pub fn initialize_on_host(&self) {
        (self.initialize)();
    }

    /// Reads the ELF file that the blob was linked from.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn elf(&self) -> Result<Vec<u8>> {
        self.file("elf")
    }

    /// Returns the expected result.
    pub fn run_on_host(&self) -> u64 {
        (self.run)()
    }

    fn file(&self, extension: &str) -> Result<Vec<u8>> {
        read(&format!("{}.{extension}", self.name))
    }
}

/// Reads the example contracts' ELF files, with their names.
///
/// # Errors
/// If they cannot be read.
pub fn contract_elfs() -> Result<Vec<(String, Vec<u8>)>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../out/contracts/debug");
    let mut found = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {} (run make contracts)", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "elf") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, fs::read(&path)?));
        }
    }
    found.sort();
    anyhow::ensure!(!found.is_empty(), "no ELF files in {} (run make contracts)", folder.display());
    Ok(found)
}

/// Reads the assembly of the programs that are compiled for sBPF.
///
/// # Errors
/// If it cannot be read.
pub fn sbpf_assembly() -> Result<String> {
    Ok(String::from_utf8(read("sbpf.s")?)?)
}

fn read(name: &str) -> Result<Vec<u8>> {
    let path = folder().join(name);
    fs::read(&path).with_context(|| format!("cannot read {} (run scripts/build-bench)", path.display()))
}

/// Output folder of `scripts/build-bench`.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../out/bench")
}

const fn work(name: &'static str, initialize: fn(), run: fn() -> u64) -> BenchProgram {
    BenchProgram { name, kind: WorkloadKind::Work, initialize, run }
}

const fn probe(name: &'static str, initialize: fn(), run: fn() -> u64) -> BenchProgram {
    BenchProgram { name, kind: WorkloadKind::Probe, initialize, run }
}

/// All programs.
pub const ALL: &[BenchProgram] = &[
    work("sieve", host::sieve::initialize, host::sieve::run),
    work("sha256", host::hashes::initialize, host::hashes::sha256),
    work("keccak", host::hashes::initialize, host::hashes::keccak),
    work("ed25519", host::ed25519::initialize, host::ed25519::run),
    work("byte_loops", host::memory::initialize, host::memory::byte_loops),
    work("library_calls", host::memory::initialize, host::memory::library_calls),
    work("small_copies", host::memory::initialize, host::memory::small_copies),
    work("evm", host::evm::initialize, host::evm::run),
    work("emulator", host::emulator::initialize, host::emulator::run),
    probe("stride_sequential", host::strides::initialize, host::strides::sequential),
    probe("stride_large", host::strides::initialize, host::strides::large),
    probe("stride_small", host::strides::initialize, host::strides::small),
    probe("pointer_chase", host::pointer_chase::initialize, host::pointer_chase::run),
    probe("division", host::division::initialize, host::division::run),
    probe("branches", host::branches::initialize, host::branches::run),
    probe("calls", host::calls::initialize, host::calls::run),
];

/// Calls of a host function.
pub const HOST_CALLS: BenchProgram = probe("host_calls", host::host_calls::initialize, host::host_calls::run);
/// Calls of a host function that reads 128 bytes and writes 8.
pub const HOST_MEMORY: BenchProgram =
    probe("host_memory", host::host_calls::initialize, host::host_calls::run_with_memory);

/// Number of host calls in a run of [`HOST_CALLS`] and of [`HOST_MEMORY`].
pub const HOST_CALL_COUNT: u64 = host::host_calls::CALLS;

/// A large program whose `run` does little.
pub const CONTRACT: BenchProgram = work("contract", host::contract::initialize, host::contract::run);
