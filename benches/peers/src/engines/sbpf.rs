//! The `solana-sbpf` crate's compiler. The toolchain that makes its programs is not in any package registry, so only the
//! sieve runs on it, written here in its assembly, instruction by instruction as our compilers make it.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use pvm_benches::engines::{Engine, Machine, Module, PLENTY};
use pvm_benches::programs::Program;
use solana_sbpf::{
    aligned_memory::AlignedMemory,
    assembler::assemble,
    ebpf,
    elf::Executable,
    memory_region::{MemoryMapping, MemoryRegion},
    program::BuiltinProgram,
    verifier::RequisiteVerifier,
    vm::{Config, ContextObject, EbpfVm, ExecutionMode},
};
use std::{ptr::NonNull, sync::Arc};

/// `r1` is a buffer of 2^20 bytes.
const SIEVE: &str = "
    add64 r10, 0
    mov64 r2, r1
    mov64 r6, r1
    add64 r6, 0x100000
    stdw [r2], 0
    add64 r2, 8
    jlt r2, r6, -3
    mov64 r0, 0
    mov64 r2, 2
    mov64 r3, r1
    add64 r3, r2
    ldxb r4, [r3]
    jne r4, 0, 9
    add64 r0, 1
    jgt r2, 0x400, 7
    mov64 r5, r2
    mul64 r5, r2
    mov64 r3, r1
    add64 r3, r5
    jge r3, r6, 3
    stb [r3], 1
    add64 r3, r2
    jlt r3, r6, -3
    add64 r2, 1
    jlt r2, 0x100000, -16
    exit
";
const BUFFER: usize = 1 << 20;

/// The compiler with its instruction meter.
#[derive(Default)]
pub struct Sbpf;

impl Engine for Sbpf {
    fn name(&self) -> &'static str {
        "sbpf"
    }

    fn read(&self, program: &Program) -> Result<Vec<u8>> {
        ensure!(program.name == "sieve", "only the sieve is written for it");
        Ok(SIEVE.into())
    }

    fn load(&self, bytes: &[u8]) -> Result<Box<dyn Module>> {
        let loader = Arc::new(BuiltinProgram::new_loader(Config::default()));
        let executable = assemble::<Context>(std::str::from_utf8(bytes)?, loader).map_err(|error| anyhow!("{error}"))?;
        executable.verify::<RequisiteVerifier>().map_err(|error| anyhow!("{error}"))?;
        executable.jit_compile().map_err(|error| anyhow!("{error}"))?;
        Ok(Box::new(Loaded(Arc::new(executable))))
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

struct Loaded(Arc<Executable<Context>>);

impl Module for Loaded {
    fn instantiate(&self) -> Result<Box<dyn Machine>> {
        let mut memory = vec![0; BUFFER].into_boxed_slice();
        let mut stack = AlignedMemory::<{ ebpf::HOST_ALIGN }>::zero_filled(self.0.get_config().stack_size());
        let regions = vec![
            self.0.get_ro_region(),
            MemoryRegion::new(&mut stack, ebpf::MM_STACK_START),
            MemoryRegion::new(&raw mut *memory, ebpf::MM_INPUT_START),
        ];
        #[allow(unsafe_code, reason = "the crate has no other way to give a program memory")]
        // SAFETY: the mapping is dropped before the memory that it names, which is moved but stays where it is.
        let mapping = unsafe { MemoryMapping::new(regions, self.0.get_config(), self.0.get_sbpf_version()) };
        let context = Context { mapping: mapping.map_err(|error| anyhow!("{error}"))?, meter: 0 };
        Ok(Box::new(Running { executable: self.0.clone(), context, stack, _memory: memory, used: 0 }))
    }
}

struct Running {
    executable: Arc<Executable<Context>>,
    context: Context,
    stack: AlignedMemory<{ ebpf::HOST_ALIGN }>,
    _memory: Box<[u8]>,
    used: u64,
}

impl Running {
    fn run(&mut self) -> Result<u64> {
        self.context.meter = PLENTY.unsigned_abs();
        let loader = self.executable.get_loader().clone();
        let version = self.executable.get_sbpf_version();
        let mut vm = EbpfVm::new(loader, version, &mut self.context, self.stack.len());
        vm.registers[1] = ebpf::MM_INPUT_START;
        let (used, result) = vm.execute_program(&self.executable, &mut ExecutionMode::Jit, &mut []);
        self.used = used;
        Result::from(result).map_err(|error: solana_sbpf::error::EbpfError| anyhow!("{error}"))
    }
}

impl Machine for Running {
    fn call(&mut self, export: &str) -> Result<u64> {
        match export {
            "initialize" => Ok(0),
            "run" => self.run(),
            "run_ten" => (0..10).map(|_| self.run()).last().context("ten runs")?,
            _ => bail!("no such export"),
        }
    }

    fn gas_used(&self) -> u64 {
        self.used
    }
}
