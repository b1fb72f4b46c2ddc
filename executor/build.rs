//! Sets the `cfg` alias `jit_supported` where `pvm-engine` has it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(jit_supported)");
    if std::env::var_os("DEP_PVM_ENGINE_JIT_SUPPORTED").is_some() {
        println!("cargo::rustc-cfg=jit_supported");
    }
}
