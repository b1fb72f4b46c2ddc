//! A guest that calls its host. Run with `POLKAVM_BACKEND=jit` or `=interpreter` to choose.
//!
//! The guest is the text beside this file, or the blob given as an argument: `scripts/build-guest hello_world` builds
//! `out/examples/hello_world.polkavm` from the same guest in Rust.

use pvm_engine::vm_core::text::assemble;
use pvm_engine::{Config, Engine, Linker, Module, ProgramBlob, Val};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => assemble(include_str!("hello_world.pvm"))?,
    };
    let blob = ProgramBlob::parse(&bytes)?;

    let config = Config::from_env()?;
    let engine = Engine::new(&config)?;
    let module = Module::from_blob(&engine, &blob)?;

    // Host functions. They can share state of any type with the caller; here there is none.
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("get_third_number", || -> u32 { 100 })?;
    let instance = linker.instantiate_pre(&module)?.instantiate()?;

    // Call with typed parameters.
    let function = instance.get_typed_func::<(u32, u32), u32>("add_numbers")?;
    println!("1 + 10 + 100 = {}", function.call(&mut (), (1, 10))?);

    // Call with dynamic parameters.
    let function = instance.get_func("add_numbers")?;
    match function.call(&mut (), &[Val::I32(1), Val::I32(10)])? {
        Val::I32(sum) => println!("1 + 10 + 100 = {sum}"),
        Val::I64(sum) => println!("1 + 10 + 100 = {sum}"),
    }
    Ok(())
}
