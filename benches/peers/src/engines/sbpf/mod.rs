//! The `solana-sbpf` crate: its compiler with its default instruction meter and checks of every access.
//!
//! Solana's own toolchain is in no package registry. LLVM's BPF target is close enough, so the programs are those that
//! it can compile: see `guest/bench/src/sbpf.rs`. They are for version 3, with 64-bit arithmetic alone, as narrower
//! results are not extended as LLVM expects.

mod translate;

use anyhow::{Context as _, Result, anyhow, bail};
use pvm_benches::engines::{Engine, EngineInstance, Module, PLENTY};
use pvm_benches::programs::{BenchProgram, sbpf_assembly};
use solana_sbpf::{
    aligned_memory::AlignedMemory,
    assembler::assemble,
    ebpf,
    elf::Executable,
    memory_region::{MemoryMapping, MemoryRegion},
    program::{BuiltinProgram, FunctionRegistry, SBPFVersion},
    verifier::RequisiteVerifier,
    vm::{Config, ContextObject, EbpfVm, ExecutionMode},
};
use std::{ptr::NonNull, sync::Arc};

/// The programs that LLVM cannot compile for sBPF.
const LEFT_OUT: [&str; 6] = ["library_calls", "small_copies", "ed25519", "evm", "emulator", "contract"];

/// The compiler.
#[derive(Default)]
pub struct Sbpf;

fn loader() -> Arc<BuiltinProgram<Context>> {
    let config = Config { enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3, ..Config::default() };
    Arc::new(BuiltinProgram::new_loader(config))
}

impl Engine for Sbpf {
    fn name(&self) -> &'static str {
        "sbpf"
    }

    fn takes(&self, program: &BenchProgram) -> bool {
        !LEFT_OUT.contains(&program.name)
    }

    /// File format: the length of all data and of the initialized data, the data, and the code.
    fn read(&self, program: &BenchProgram) -> Result<Vec<u8>> {
        let translated = translate::translate(&sbpf_assembly()?, program.name)?;
        let executable = assemble::<Context>(&translated.text, loader()).map_err(|error| anyhow!("{error}"))?;
        let mut bytes = Vec::new();
        for length in [translated.data_length, translated.data.len()] {
            bytes.extend(u32::try_from(length)?.to_le_bytes());
        }
        bytes.extend(translated.data);
        bytes.extend(executable.get_text_bytes().1);
        Ok(bytes)
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let (lengths, rest) = bytes.split_at_checked(8).context("too short")?;
        let length = |at: usize| lengths[at..at + 4].try_into().map(|bytes| u32::from_le_bytes(bytes) as usize);
        let (data, code) = rest.split_at_checked(length(4)?).context("too short")?;
        let executable = Executable::from_text_bytes(code, loader(), SBPFVersion::V3, FunctionRegistry::default());
        let executable = executable.map_err(|error| anyhow!("{error}"))?;
        executable.verify::<RequisiteVerifier>().map_err(|error| anyhow!("{error}"))?;
        executable.jit_compile().map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(Loaded { executable: Arc::new(executable), data: data.into(), data_length: length(0)? }))
    }
}

struct Context {
    mapping: MemoryMapping,
    meter: u64,
}

impl ContextObject for Context {
    fn consume(&mut self, amount: u64) {
        self.meter = self.meter.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.meter
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from(&mut self.mapping)
    }
}

struct Loaded {
    executable: Arc<Executable<Context>>,
    data: Box<[u8]>,
    data_length: usize,
}

impl Module for Loaded {
    fn code_length(&self) -> Option<usize> {
        Some(self.executable.get_compiled_program()?.machine_code_length())
    }

    fn instantiate(&self) -> Result<Box<dyn EngineInstance>> {
        let mut data = vec![0; self.data_length].into_boxed_slice();
        data[..self.data.len()].copy_from_slice(&self.data);
        let (config, version) = (self.executable.get_config(), self.executable.get_sbpf_version());
        let mut stack = AlignedMemory::<{ ebpf::HOST_ALIGN }>::zero_filled(config.stack_size());
        let regions = vec![
            self.executable.get_ro_region(),
            MemoryRegion::new(&mut stack, ebpf::MM_STACK_START),
            MemoryRegion::new(&raw mut *data, translate::DATA),
        ];
        #[allow(unsafe_code, reason = "the crate has no other way to give a program memory")]
        // SAFETY: the mapping is dropped before the memory that it names, which is moved but stays where it is.
        let mapping = unsafe { MemoryMapping::new(regions, config, version) };
        let context = Context { mapping: mapping.map_err(|error| anyhow!("{error}"))?, meter: 0 };
        Ok(Box::new(Running { context, executable: self.executable.clone(), stack, _data: data, used: 0 }))
    }
}

/// The machine; the context is its first field, so that it is dropped first.
struct Running {
    context: Context,
    executable: Arc<Executable<Context>>,
    stack: AlignedMemory<{ ebpf::HOST_ALIGN }>,
    _data: Box<[u8]>,
    used: u64,
}

impl EngineInstance for Running {
    fn call(&mut self, export: &str) -> Result<u64> {
        self.context.meter = PLENTY.unsigned_abs();
        let loader = self.executable.get_loader().clone();
        let version = self.executable.get_sbpf_version();
        let mut vm = EbpfVm::new(loader, version, &mut self.context, self.stack.len());
        (vm.registers[1], vm.registers[2]) = match export {
            "initialize" => (0, 0),
            "run" => (1, 1),
            "run_ten" => (1, 10),
            _ => bail!("no such export"),
        };
        let (used, result) = vm.execute_program(&self.executable, &mut ExecutionMode::Jit, &mut []);
        self.used = used;
        Result::from(result).map_err(|error: solana_sbpf::error::EbpfError| anyhow!("{error}"))
    }

    fn gas_used(&self) -> u64 {
        self.used
    }
}
