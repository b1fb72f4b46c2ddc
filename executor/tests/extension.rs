//! Tests of the externalities extension: a runtime has the host functions for as long as a runtime call lasts.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{compiling, interpreting};
use executor::{PolkaVm, Session};
use pvm_host_interface::memory::{Argument, Length, ReadRange, Reads, Writable};
use pvm_host_interface::{
    AccessError, Backend, INSTANCES, InstantiateError, NoInstance, PolkavmExt, ProgramRules, RemoteInstance, Stop,
};
use sp_crypto_hashing::keccak_256;
use sp_externalities::{Extension as _, Extensions, TransactionType};
use sp_io::TestExternalities;
use std::any::TypeId;
use std::sync::{Arc, Mutex};
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
    RemoteInstance::new(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive), Reads::default())
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

/// A session that lists the calls of its methods.
struct Listing(Session, Arc<Mutex<Vec<&'static str>>>);

impl Listing {
    fn session(&mut self, method: &'static str) -> &mut Session {
        self.1.lock().unwrap().push(method);
        &mut self.0
    }
}

impl Backend for Listing {
    fn instantiate(
        &mut self,
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        rules: ProgramRules,
    ) -> Result<u32, InstantiateError> {
        self.0.instantiate(code_hash, code, entry, rules)
    }

    fn run(&mut self, instance: u32, gas: i64, result: Option<u64>) -> Result<Stop, NoInstance> {
        self.session("run").run(instance, gas, result)
    }

    fn program_counter(&mut self, instance: u32) -> Result<Option<u32>, NoInstance> {
        self.0.program_counter(instance)
    }

    fn writable(&mut self, instance: u32) -> Result<Writable, NoInstance> {
        self.0.writable(instance)
    }

    fn read_memory(&mut self, instance: u32, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        self.session("read").read_memory(instance, address, out)
    }

    fn write_memory(&mut self, instance: u32, address: u32, data: &[u8]) -> Result<(), AccessError> {
        self.session("write").write_memory(instance, address, data)
    }

    fn zero_memory(&mut self, instance: u32, address: u32, length: u32) -> Result<(), AccessError> {
        self.session("zero").zero_memory(instance, address, length)
    }

    fn destroy(&mut self, instance: u32) -> Result<(), NoInstance> {
        self.0.destroy(instance)
    }

    fn release(&mut self) {
        self.0.release();
    }
}

/// Program that passes the host two pointers, to data and to its stack, and returns the first eight bytes of data.
const POINTERS: &str = ".isa ReviveV1
.ro_data 01 02 03 04 05 06 07 08
.rw_size 64
.stack_size 4096
.import \"ask\"
load_imm a0, 0x30000
add_imm_64 a1, sp, -16
load_imm a2, 3
ecalli 0
load_u64 a0, 0x30000
jump_indirect ra, 0
";

/// Runs a test on each backend with an instance of [`POINTERS`] at its host call, and the list of the backend's calls.
fn with_pointers(test: impl Fn(RemoteInstance, Stop, &dyn Fn() -> Vec<&'static str>)) {
    let counted = |pointer, count| ReadRange { pointer, length: Length::argument(count) };
    let row = [
        ReadRange { pointer: Argument::low(0), length: Length::Bytes(8) },
        counted(Argument::low(1), Argument::low(2)),
        counted(Argument::low(2), Argument::low(2)),
    ];
    let code = assemble(POINTERS).unwrap();
    for node in [interpreting(), compiling()] {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut externalities = TestExternalities::default();
        externalities.register_extension(PolkavmExt::new(Listing(node.session(), calls.clone())));
        externalities.execute_with(|| {
            let reads = Reads::new([&row[..]].into_iter());
            let rules = ProgramRules::version_1(Naive);
            let mut instance = RemoteInstance::new(&keccak_256(&code), &code, 0, rules, reads).unwrap();
            let stop = instance.run(100, None);
            assert_eq!((stop.outcome, stop.args[0]), (Outcome::HostCall(0), 0x3_0000));
            let take = || std::mem::take(&mut *calls.lock().unwrap());
            // The third range is at address 3, where there is nothing.
            assert_eq!(take(), ["run", "read", "read", "read"]);
            test(instance, stop, &take);
        });
    }
}

#[test]
fn memory_that_a_host_call_reads_comes_with_the_stop() {
    with_pointers(|mut instance, stop, calls| {
        let stack = stop.args[1] as u32;
        let (mut data, mut bytes) = ([9; 8], [9; 3]);
        instance.read_memory(0x3_0000, &mut data).unwrap();
        instance.read_memory(stack, &mut bytes).unwrap();
        assert_eq!((data, bytes), ([0; 8], [0; 3]));
        assert!(calls().is_empty());
        assert_eq!(instance.read_memory(3, &mut bytes), Err(AccessError::OutOfBounds));
        assert_eq!(instance.read_memory(0x1_0000, &mut data), Ok(()));
        assert_eq!(data, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(instance.read_memory(stack, &mut data), Ok(()), "longer than what was read");
        assert_eq!(calls(), ["read", "read", "read"]);
    });
}

#[test]
fn writes_go_with_the_next_run() {
    with_pointers(|mut instance, stop, calls| {
        instance.write_memory(0x3_0000, &[1; 8]).unwrap();
        instance.zero_memory(0x3_0002, 2).unwrap();
        instance.write_memory(0x3_0003, &[5]).unwrap();
        instance.write_memory(stop.args[1] as u32, b"stack").unwrap();
        assert!(calls().is_empty());
        let stop = instance.run(stop.gas, Some(0));
        assert_eq!(calls(), ["write", "zero", "write", "write", "run"]);
        assert_eq!((stop.outcome, stop.args[0]), (Outcome::Finished, u64::from_le_bytes([1, 1, 0, 5, 1, 1, 1, 1])));
    });
}

#[test]
fn what_was_written_is_read_before_it_has_crossed() {
    with_pointers(|mut instance, _, calls| {
        let mut data = [0; 8];
        instance.write_memory(0x3_0004, &[7; 8]).unwrap();
        // Not changed by it.
        instance.read_memory(0x3_0000, &mut data[..4]).unwrap();
        assert!(calls().is_empty());
        instance.read_memory(0x3_0000, &mut data).unwrap();
        assert_eq!(data, [0, 0, 0, 0, 7, 7, 7, 7]);
        assert_eq!(calls(), ["write", "read"]);
        // What came with the stop is not used any more.
        instance.write_memory(0x3_0000, &[6; 2048][..64]).unwrap();
        instance.read_memory(0x3_0000, &mut data).unwrap();
        assert_eq!(data, [6; 8]);
    });
}

#[test]
fn a_write_that_is_out_of_bounds_fails_at_once() {
    with_pointers(|mut instance, stop, calls| {
        let end = 0x3_1000;
        let high = 0xffff_0000 - 0x1_0000;
        for (address, length) in [(0x1_0000, 1), (end - 1, 2), (end, 1), (high - 1, 2), (0x2_ffff, 2), (0, 8)] {
            assert_eq!(
                instance.write_memory(address, &[1; 8][..length]),
                Err(AccessError::OutOfBounds),
                "{address:#x}"
            );
            assert_eq!(instance.zero_memory(address, length as u32), Err(AccessError::OutOfBounds), "{address:#x}");
            assert_eq!(calls(), ["write", "zero"]);
        }
        assert_eq!(instance.write_memory(u32::MAX, &[1; 2]), Err(AccessError::OutOfBounds));
        assert!(calls().is_empty());
        instance.write_memory(end - 1, &[1]).unwrap();
        instance.write_memory(high - 1, &[1]).unwrap();
        instance.write_memory(0x3_0000, &[1; 0]).unwrap();
        // The empty one is none for the backend to leave out.
        assert_eq!(calls(), ["write", "write", "write"]);
        assert_eq!(instance.run(stop.gas, None).outcome, Outcome::Finished);
    });
}

#[test]
fn a_long_write_is_made_after_those_before_it() {
    with_pointers(|mut instance, stop, calls| {
        instance.write_memory(0x3_0000, &[1; 8]).unwrap();
        instance.write_memory(0x3_0000, &[2; 2000]).unwrap();
        instance.write_memory(0x3_0001, &[3]).unwrap();
        assert_eq!(calls(), ["write", "write"]);
        let stop = instance.run(stop.gas, None);
        assert_eq!((calls(), stop.args[0]), (vec!["write", "run"], u64::from_le_bytes([2, 3, 2, 2, 2, 2, 2, 2])));
    });
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
    for name in ["instantiate", "run"] {
        assert!(names.contains(&&*format!("ext_polkavm_{name}_version_2")), "{name}: {names:?}");
    }
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
