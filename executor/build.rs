//! Sets the `cfg` alias `jit_supported` for the targets that have the compiler and the sandbox, as `pvm-engine` does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(jit_supported)");
    let is = |variable: &str, value: &str| std::env::var_os(variable).is_some_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ARCH", "x86_64") {
        println!("cargo::rustc-cfg=jit_supported");
    }
}
