//! Test support: drives programs with a random host, and records everything observable.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(dead_code, reason = "not every test uses all of it")]

use executor::{BackendChoice, Flags, Folders, Limits, PolkaVm, SandboxChoice};
use pvm_host_interface::{AccessError, Backend, ProgramRules, Stop, program_config};
use pvm_test_support::Rng;
use sp_crypto_hashing::{blake2_256, keccak_256};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::Blob;
use vm_core::gas::CostModelKind;
use vm_core::interpreter::Instance;
use vm_core::program::Program;

/// Real contracts and programs.
pub const REAL: [&[u8]; 4] = [
    include_bytes!("../../../tests/oracle/blobs/erc20.blob"),
    include_bytes!("../../../tests/oracle/blobs/flipper.blob"),
    include_bytes!("../../../tests/oracle/blobs/keccak.blob"),
    include_bytes!("../../../tests/oracle/blobs/sieve.blob"),
];

/// Child processes of these processes, without zombies.
fn children(of: &[u32]) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit(')').next()?.split_whitespace();
        let state = fields.next()?;
        fields.next().filter(|_| state != "Z")?.parse().ok()
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid).is_some_and(|parent| of.contains(&parent))).collect()
}

/// The zygotes and the workers of this process.
pub fn family() -> (Vec<u32>, Vec<u32>) {
    let launchers = children(&[std::process::id()]);
    let zygotes = children(&launchers);
    let workers = children(&zygotes);
    (zygotes, workers)
}

/// Maximum number of stops per program.
const STOPS: usize = 60;

/// Flags for a backend, with the sandbox that this machine has.
pub fn flags(backend: BackendChoice) -> Flags {
    // Compiled from the start, so that the tests test compiled code.
    Flags { backend, sandbox: SandboxChoice::BestEffort, tier_gas: 0, ..Flags::default() }
}

/// The limits of a node with those flags.
pub fn limits(backend: BackendChoice) -> Limits {
    Limits::new(&flags(backend))
}

/// The paths of a node that has this folder to itself.
pub fn folders(folder: &Path) -> Folders {
    Folders { cache: folder.join("cache"), key: folder.join("key"), records: folder.join("records") }
}

/// Computes the checksum of a file in the cache, as a node with this key does.
pub fn checksum(key: &Path, content: &[u8]) -> [u8; 32] {
    blake2_256(&[&fs::read(key).unwrap()[..], &blake2_256(content)].concat())
}

/// Makes the next node with these folders run altered machine code, as if the compiler had a bug. Runs the program
/// twice, so that it is stored on disk, and replaces some bytes of it, which must occur exactly once.
pub fn plant(places: &Folders, code: &[u8], from: &[u8], to: &[u8]) {
    let node = PolkaVm::with_folders(&flags(BackendChoice::Jit), None, places).unwrap();
    for _ in 0..2 {
        node.session().instantiate(&keccak_256(code), code, 0, ProgramRules::version_1(CostModelKind::Naive)).unwrap();
    }
    node.flush();
    let files: Vec<_> = fs::read_dir(&places.cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = files.try_into().unwrap();
    let bytes = fs::read(&file).unwrap();
    let mut content = bytes[..bytes.len() - 32].to_vec();
    let found: Vec<usize> = (0..content.len()).filter(|at| content[*at..].starts_with(from)).collect();
    let [at] = found.try_into().unwrap();
    content[at..at + to.len()].copy_from_slice(to);
    fs::write(&file, [&content[..], &checksum(&places.key, &content)].concat()).unwrap();
}

/// Kills all workers of this process, including those of other tests.
pub fn kill_workers() {
    let children = |parents: &str| {
        let output = std::process::Command::new("ps").args(["-o", "pid=", "--ppid", parents]).output().unwrap();
        let pids = String::from_utf8(output.stdout).unwrap();
        pids.split_whitespace().collect::<Vec<_>>().join(",")
    };
    let mut generation = std::process::id().to_string();
    for _ in 0..3 {
        generation = children(&generation);
        if generation.is_empty() {
            return;
        }
    }
    let _ = std::process::Command::new("kill").arg("-KILL").args(generation.split(',')).output();
}

/// Creates a node that interprets.
pub fn interpreting() -> PolkaVm {
    PolkaVm::new(&flags(BackendChoice::Interpreter), None).unwrap()
}

/// Creates a node that compiles. Where that is impossible the tests compare the interpreter with itself.
pub fn compiling() -> PolkaVm {
    let polkavm = PolkaVm::new(&flags(BackendChoice::Auto), None).unwrap();
    assert!(polkavm.is_compiling() || cfg!(not(jit_supported)));
    polkavm
}

/// An observation of a running program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    Refused,
    Stopped(Stop, Option<u32>),
    Read(Result<Vec<u8>, AccessError>),
    Written(Result<(), AccessError>),
}

/// An instance on any backend.
pub trait AnyInstance {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop;
    fn counter(&mut self) -> Option<u32>;
    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError>;
    fn write(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError>;
    fn zero(&mut self, address: u32, length: u32) -> Result<(), AccessError>;
}

/// An instance in the runtime, without host functions.
pub struct InRuntime(Instance);

impl InRuntime {
    pub fn new(code: &[u8], entry: u32) -> Option<InRuntime> {
        let program =
            Program::new(&Blob::parse(code).ok()?, &program_config(ProgramRules::version_1(CostModelKind::Naive)))
                .ok()?;
        let mut instance = Instance::new(Arc::new(program));
        instance.prepare_call(entry, &[]);
        Some(InRuntime(instance))
    }
}

impl AnyInstance for InRuntime {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        Stop::of_run(&mut self.0, gas, result)
    }
    fn counter(&mut self) -> Option<u32> {
        self.0.pc()
    }
    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        self.0.read_memory(address, out).map_err(|_| AccessError::OutOfBounds)
    }
    fn write(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        self.0.write_memory(address, data).map_err(|_| AccessError::OutOfBounds)
    }
    fn zero(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        self.0.zero_memory(address, length).map_err(|_| AccessError::OutOfBounds)
    }
}

/// An instance in the node, through the host functions.
pub struct InNode<B: Backend> {
    backend: B,
    instance: u32,
}

impl<B: Backend> InNode<B> {
    pub fn new(mut backend: B, code: &[u8], entry: u32) -> Option<InNode<B>> {
        let instance =
            backend.instantiate(&keccak_256(code), code, entry, ProgramRules::version_1(CostModelKind::Naive)).ok()?;
        Some(InNode { backend, instance })
    }
}

impl<B: Backend> AnyInstance for InNode<B> {
    fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        self.backend.run(self.instance, gas, result).unwrap()
    }
    fn counter(&mut self) -> Option<u32> {
        self.backend.program_counter(self.instance).unwrap()
    }
    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        self.backend.read_memory(self.instance, address, out)
    }
    fn write(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        self.backend.write_memory(self.instance, address, data)
    }
    fn zero(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        self.backend.zero_memory(self.instance, address, length)
    }
}

/// Runs a program with a host whose actions depend on `seed` and on the program's; `between` is called before each run
/// with the number of stops so far.
pub fn drive(instance: Option<impl AnyInstance>, seed: u64, mut between: impl FnMut(usize)) -> Vec<Seen> {
    let Some(mut instance) = instance else { return vec![Seen::Refused] };
    let rng = &mut Rng::new(seed ^ 0x5eed);
    let mut seen = Vec::new();
    let mut gas = i64::from(rng.pick(&[0, 30, 500, 20_000, 2_000_000]));
    let mut result = None;
    for stops in 0..STOPS {
        between(stops);
        let stop = instance.run(gas, result.take());
        seen.push(Seen::Stopped(stop, instance.counter()));
        gas = stop.gas;
        match stop.outcome {
            Outcome::HostCall(_) => {
                result = rng.chance(80).then(|| rng.value());
                for _ in 0..rng.below(4) {
                    // An address that the program passed, or any.
                    let address = if rng.chance(60) { rng.pick(&stop.args) as u32 } else { rng.address() };
                    let length = rng.pick(&[0, 1, 8, 32, 100, 5000]);
                    seen.push(match rng.below(3) {
                        0 => {
                            let mut out = vec![0; length as usize];
                            let read = instance.read(address, &mut out);
                            Seen::Read(read.map(|()| out))
                        }
                        1 => Seen::Written(instance.write(address, &rng.bytes(length as usize))),
                        _ => Seen::Written(instance.zero(address, length)),
                    });
                }
            }
            // Continuing after the end is observed too: it must not benefit a program.
            Outcome::OutOfGas if rng.chance(70) => gas = gas.saturating_add(i64::from(rng.below(3000))),
            _ if rng.chance(10) => {}
            _ => break,
        }
    }
    for address in [0x1_0000, 0x2_0000, 0x3_0000, 0xfefd_f000] {
        for page in 0..4 {
            let mut out = vec![0; 0x1000];
            let read = instance.read(address + page * 0x1000, &mut out);
            seen.push(Seen::Read(read.map(|()| out)));
        }
    }
    seen
}

/// Returns programs with their entries and seeds: the real ones and `random` random ones.
pub fn programs(random: u64) -> Vec<(Vec<u8>, u32, u64)> {
    let mut programs = Vec::new();
    for (number, code) in REAL.iter().enumerate() {
        let blob = Blob::parse(code).unwrap();
        for export in blob.exports() {
            programs.extend((0..8).map(|seed| (code.to_vec(), export.code_offset, 100 * number as u64 + seed)));
        }
    }
    for seed in 0..random {
        let scenario = pvm_oracle::generate::scenario(seed);
        programs.push((scenario.blob, scenario.entry, seed));
    }
    programs
}
