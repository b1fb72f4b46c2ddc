//! Tests of the externalities extension: a runtime has the host functions for as long as a runtime call lasts.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{compiling, interpreting};
use executor::PolkaVm;
use pvm_host_interface::{AccessError, INSTANCES, InstantiateError, PolkavmExt, ProgramRules, RemoteInstance};
use sp_crypto_hashing::keccak_256;
use sp_externalities::{Extension as _, Extensions, TransactionType};
use sp_io::TestExternalities;
use std::any::TypeId;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

/// Program that calls the host, then doubles the result.
fn program() -> Vec<u8> {
    let text = ".isa ReviveV1\n.rw_size 64\n.import \"ask\"\necalli 0\nadd_64 a0, a0, a0\njump_indirect ra, 0\n";
    assemble(text).unwrap()
}

fn remote() -> Result<RemoteInstance, InstantiateError> {
    let code = program();
    RemoteInstance::new(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive))
}

fn externalities(node: &PolkaVm) -> TestExternalities {
    let mut externalities = TestExternalities::default();
    externalities.register_extension(PolkavmExt::new(node.session()));
    externalities
}

#[test]
fn a_runtime_runs_a_program_through_the_host_functions() {
    for node in [interpreting(), compiling()] {
        externalities(&node).execute_with(|| {
            let mut instance = remote().unwrap();
            let stop = instance.run(100, None);
            assert_eq!((stop.outcome, instance.program_counter()), (Outcome::HostCall(0), Some(0)));
            instance.write_memory(0x2_0000, b"hello").unwrap();
            instance.zero_memory(0x2_0001, 2).unwrap();
            let mut read = [0; 5];
            instance.read_memory(0x2_0000, &mut read).unwrap();
            assert_eq!(&read, b"h\0\0lo");
            assert_eq!(instance.write_memory(0x1000, b"x"), Err(AccessError::OutOfBounds));
            assert_eq!(instance.zero_memory(u32::MAX, 2), Err(AccessError::OutOfBounds));
            assert_eq!(instance.read_memory(u32::MAX, &mut read), Err(AccessError::OutOfBounds));
            let stop = instance.run(stop.gas, Some(21));
            assert_eq!((stop.outcome, stop.gas, stop.args[0]), (Outcome::Finished, 97, 42));
        });
    }
}

#[test]
fn instances_that_a_call_leaves_behind_are_freed_with_it() {
    let node = compiling();
    let mut externalities = externalities(&node);
    let extension = |externalities: &mut TestExternalities, act: fn(&mut PolkavmExt)| {
        let extension = externalities.extensions.get_mut(TypeId::of::<PolkavmExt>());
        act(extension.unwrap().downcast_mut().unwrap());
    };
    let fill = || {
        for _ in 0..INSTANCES {
            std::mem::forget(remote().unwrap());
        }
        assert_eq!(remote().unwrap_err(), InstantiateError::TooMany);
    };
    let ends: [fn(&mut PolkavmExt); 3] = [
        |extension| extension.start_transaction(TransactionType::Host),
        |extension| extension.commit_transaction(TransactionType::Host),
        |extension| extension.rollback_transaction(TransactionType::Host),
    ];
    for end in ends {
        externalities.execute_with(fill);
        extension(&mut externalities, |extension| {
            // Rolling back storage does not end a call's instances.
            extension.start_transaction(TransactionType::Runtime);
            extension.rollback_transaction(TransactionType::Runtime);
            extension.commit_transaction(TransactionType::Runtime);
        });
        externalities.execute_with(|| assert_eq!(remote().unwrap_err(), InstantiateError::TooMany));
        extension(&mut externalities, end);
    }
    externalities.execute_with(|| drop(remote().unwrap()));
}

/// Runtimes of old blocks import version 1 of the host function, which also determines the semantics of instructions.
#[test]
fn every_version_of_a_host_function_stays() {
    let names: Vec<&str> = <pvm_host_interface::HostFunctions as sc_executor::HostFunctions>::host_functions()
        .iter()
        .map(|function| function.name())
        .collect();
    for name in ["instantiate", "run", "program_counter", "read_memory", "write_memory", "zero_memory", "destroy"] {
        assert!(names.contains(&&*format!("ext_polkavm_{name}_version_1")), "{name}: {names:?}");
    }
    assert!(names.contains(&"ext_polkavm_instantiate_version_2"), "{names:?}");
    assert_eq!(ProgramRules::version_1(Naive).semantics.id(), 0);
}

#[test]
#[should_panic(expected = "has registered no PolkavmExt")]
fn without_the_extension_the_functions_panic() {
    TestExternalities::default().execute_with(|| drop(remote()));
}

#[test]
fn a_client_gets_a_session_of_its_own_for_every_call() {
    use sc_client_api::execution_extensions::ExtensionsFactory;
    type Block = sp_runtime::generic::Block<
        sp_runtime::generic::Header<u32, sp_runtime::traits::BlakeTwo256>,
        sp_runtime::OpaqueExtrinsic,
    >;
    let factory = compiling().extensions();
    let extensions: Extensions = ExtensionsFactory::<Block>::extensions_for(&factory, Default::default(), 1);
    assert!(extensions.is_registered(TypeId::of::<PolkavmExt>()));
}
