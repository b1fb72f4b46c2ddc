//! Tests of the SDK's virtualization interface on our engine: its own suite, and the properties of its cache.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{compiling, interpreting};
use executor::PolkaVm;
use sp_virtualization::tests::{GAS_MAX, RunResult, make_handler, run_loop};
use sp_virtualization::{CompileStatus, Module, ModuleError, VirtManagerExt};
use vm_core::text::assemble;

/// The program that the suite expects: it isn't part of the crate, but the tests determine its exports, its imports and
/// their behaviour. One iteration of `increment_forever` is 126 instructions, so that 100000 gas is enough for 793.
fn program() -> Vec<u8> {
    let filler = "add_imm_64 s1, s1, 1\n".repeat(121);
    let text = format!(
        r#"
        .isa ReviveV1
        .rw_size 64
        .stack_size 4096
        .import "read_counter"
        .import "increment_counter"
        .import "exit"
        .import "subcall"
        .export "counter" counter
        .export "do_panic" do_panic
        .export "do_exit" do_exit
        .export "increment_forever" increment_forever
        .export "offset" offset
        .export "do_subcall" do_subcall

        counter:    load_imm a0, 0x20000
                    ecalli 0
                    branch_not_eq_imm a0, 1, wrong
                    load_u64 s0, 0x20000
                    load_imm a1, 8
                    store_u64 a1, 0x20000
                    load_imm a0, 0x20000
                    ecalli 1
                    shift_logical_right_imm_64 a0, a0, 56
                    branch_not_eq_imm a0, 2, wrong
                    load_imm a0, 0x20000
                    ecalli 0
                    load_u64 a1, 0x20000
                    add_imm_64 s0, s0, 8
                    branch_not_eq a1, s0, wrong
                    jump_indirect ra, 0
        wrong:      trap
        do_panic:   trap
        do_exit:    ecalli 2
                    trap
        increment_forever:
                    {filler}
                    load_imm a1, 1
                    store_u64 a1, 0x20008
                    load_imm a0, 0x20008
                    ecalli 1
                    jump increment_forever
        offset:     load_u64 a1, 0x20010
                    add_imm_64 a2, a1, 1
                    store_u64 a2, 0x20010
                    add_imm_64 a1, a1, 3
                    store_u64 a1, 0x20018
                    load_imm a0, 0x20018
                    ecalli 1
                    jump_indirect ra, 0
        do_subcall: ecalli 3
                    jump_indirect ra, 0
        "#
    );
    assemble(&text).unwrap()
}

fn externalities(node: &PolkaVm) -> sp_io::TestExternalities {
    let mut externalities = sp_io::TestExternalities::default();
    externalities.register_extension(VirtManagerExt::new(node.virtualization()));
    externalities
}

/// Asserts that the program counts to 8 from 0.
fn counts(module: &Module) {
    let execution = module.instantiate().unwrap().prepare(b"counter").unwrap();
    let (mut gas_left, mut counter) = (GAS_MAX, 0);
    assert!(matches!(run_loop(execution, &mut gas_left, make_handler(&mut counter)), RunResult::Ok(_)));
    assert_eq!(counter, 8);
}

#[test]
fn the_suite_of_sp_virtualization_passes() {
    for node in [interpreting(), compiling()] {
        externalities(&node).execute_with(|| sp_virtualization::run_tests(&program()));
    }
}

#[test]
fn modules_are_found_by_the_names_they_were_given() {
    let program = program();
    externalities(&compiling()).execute_with(|| {
        assert!(matches!(Module::lookup(b"name"), Err(ModuleError::NotCached)));
        Module::from_bytes(&program, None).unwrap();
        assert!(matches!(Module::lookup(b"name"), Err(ModuleError::NotCached)));
        let (module, status) = Module::from_bytes(&program, Some(b"name")).unwrap();
        assert_eq!(status, CompileStatus::Compiled);
        counts(&module);
        let (module, status) = Module::from_storage_key(b"name", b"").unwrap();
        assert_eq!(status, CompileStatus::Cached);
        counts(&module);
        counts(&Module::lookup(b"name").unwrap());
    });
    externalities(&compiling()).execute_with(|| {
        assert!(matches!(Module::lookup(b"name"), Err(ModuleError::NotCached)));
    });
}

#[test]
fn code_is_read_from_the_state() {
    let mut externalities = externalities(&compiling());
    externalities.insert(b"code".to_vec(), program());
    externalities.insert(b"noise".to_vec(), b"no program".to_vec());
    externalities.execute_with(|| {
        for expected in [CompileStatus::Compiled, CompileStatus::Cached] {
            let (module, status) = Module::from_storage_key(b"code", b"").unwrap();
            assert_eq!(status, expected);
            counts(&module);
        }
        assert!(matches!(Module::from_storage_key(b"noise", b""), Err(ModuleError::InvalidImage)));
        assert!(matches!(Module::from_storage_key(b"nothing", b""), Err(ModuleError::NotFound)));
    });
}
