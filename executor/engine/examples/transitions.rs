//! Measures costs that belong to no instruction, on this machine: first touches of memory, reused and new workers,
//! waking a blocked worker, compiling. `docs/gas.md` has the prices that a chain derives from them.
//!
//!     cargo run -p pvm-engine --example transitions

use pvm_engine::vm_core::blob::BlobBuilder;
use pvm_engine::vm_core::isa::{Instruction, Isa, Opcode};
use pvm_engine::{Config, Engine, Error, Module, Outcome, ProgramBlob, ProgramConfig, Reg};
use std::hint::spin_loop;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// Pages of the largest memory that a contract can have.
const PAGES: u32 = 366;
/// Start of that memory.
const START: i32 = 0x2_0000;

fn main() -> Result<(), Failure> {
    let engine = Engine::new(&Config::new())?;
    println!("backend {:?}", engine.backend());
    for touched in [1, 16, 64, PAGES] {
        let module = module(&engine, &toucher(touched))?;
        report(&format!("a call that touches {touched} pages, in a worker used again"), 300, || call(&module))?;
    }
    for touched in [1, PAGES] {
        let modules: Vec<_> = (0..100).map(|_| self::module(&engine, &toucher(touched))).collect::<Result<_, _>>()?;
        let mut modules = modules.iter().cycle();
        report(&format!("a call that touches {touched} pages, in a new worker"), 100, || match modules.next() {
            Some(module) => call(module),
            None => Ok(Duration::ZERO),
        })?;
    }
    let waits = module(&engine, &host_calls())?;
    let mut instance = waits.instantiate_compiled()?;
    instance.prepare_call(0, &[]);
    for pause in [0, 20, 60, 150, 1000] {
        let pause = Duration::from_micros(pause);
        report(&format!("a host call of {pause:?}, the time beside it"), 2000, || {
            busy(pause);
            let start = Instant::now();
            instance.set_gas(1_000_000);
            match instance.run()? {
                Outcome::HostCall(_) => Ok(start.elapsed()),
                other => Err(format!("it stops with {other:?}").into()),
            }
        })?;
    }
    for (name, opcode) in [("divisions", Opcode::DivSigned64), ("additions", Opcode::Add64)] {
        let blob = ProgramBlob::from_bytes(&large(opcode)?);
        let config = ProgramConfig::default();
        let mut emitted = 0;
        report(&format!("compiling {} KiB of {name}", blob.as_bytes().len() >> 10), 10, || {
            let start = Instant::now();
            let module = Module::new(&engine, &config, &blob)?;
            emitted = module.machine_code_length().unwrap_or(0);
            Ok(start.elapsed())
        })?;
        let modules = (0..10).map(|_| Module::new(&engine, &config, &blob)).collect::<Result<Vec<_>, Error>>()?;
        let mut modules = modules.iter().cycle();
        report(&format!("its first call, with {} KiB of machine code", emitted >> 10), 10, || match modules.next() {
            Some(module) => call(module),
            None => Ok(Duration::ZERO),
        })?;
    }
    Ok(())
}

/// Prints the minimum and the median of repeated times.
fn report(what: &str, repeats: usize, mut run: impl FnMut() -> Result<Duration, Failure>) -> Result<(), Failure> {
    let mut times = (0..repeats).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    let [least, median] = [0, repeats / 2].map(|index| times.get(index).copied().unwrap_or_default());
    println!("{what}: least {least:?}, median {median:?}");
    Ok(())
}

/// Measures making an instance, running it to its end, and dropping it.
fn call(module: &Module) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut instance = module.instantiate_compiled()?;
    instance.prepare_call(0, &[]);
    instance.set_gas(1_000_000);
    match instance.run()? {
        Outcome::Finished => {
            drop(instance);
            Ok(start.elapsed())
        }
        other => Err(format!("it stops with {other:?}").into()),
    }
}

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        spin_loop();
    }
}

fn module(engine: &Engine, bytes: &Result<Vec<u8>, Failure>) -> Result<Module, Failure> {
    let bytes = bytes.as_ref().map_err(ToString::to_string)?;
    Ok(Module::new(engine, &ProgramConfig::default(), &ProgramBlob::from_bytes(bytes))?)
}

fn build(instructions: Vec<Instruction>) -> Result<Vec<u8>, Failure> {
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.rw_data(PAGES * 0x1000, &[]).stack_size(4096).import(b"host").export(b"run", 0);
    builder.instructions(instructions);
    Ok(builder.build().map_err(|error| format!("{error:?}"))?)
}

fn finish() -> Instruction {
    Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0)
}

fn toucher(pages: u32) -> Result<Vec<u8>, Failure> {
    let touch = |page: u32| Instruction::ri(Opcode::StoreU8, Reg::A0, START + (page * 0x1000) as i32);
    build((0..pages).map(touch).chain([finish()]).collect())
}

fn host_calls() -> Result<Vec<u8>, Failure> {
    let call = Instruction::i(Opcode::Ecalli, 0);
    build(vec![call, Instruction::o(Opcode::Jump, 0)])
}

fn large(opcode: Opcode) -> Result<Vec<u8>, Failure> {
    // Begins with a return, so that a call is short; then blocks as long as a chain accepts.
    let one = Instruction::rrr(opcode, Reg::A0, Reg::A1, Reg::A2);
    let block = || (0..999).map(|_| one).chain([Instruction::none(Opcode::Trap)]);
    build([finish()].into_iter().chain((0..300).flat_map(|_| block())).collect())
}
