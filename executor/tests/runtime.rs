//! Tests of runtimes as blobs: calls, the heap, host functions, faults, and lost workers, compiled and interpreted.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use codec::Encode;
use executor::{BackendChoice, RuntimeExecutor};
use sc_executor::error::Error;
use sc_executor::sp_wasm_interface::{
    Function, FunctionContext, HostFunctionRegistry, HostFunctions, Result as HostResult, Signature, Value, ValueType,
};
use sc_executor::{HeapAllocStrategy, RuntimeVersion, RuntimeVersionOf as _, WasmExecutor};
use sp_core::traits::{
    CallContext, CodeExecutor as _, Externalities as _, ReadRuntimeVersion as _, RuntimeCode, WrappedRuntimeCode,
};
use sp_io::TestExternalities;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use vm_core::text::assemble;

/// Host function that kills the worker that calls it, if the caller runs in one.
struct Kill;

static KILLED: AtomicU32 = AtomicU32::new(0);

impl Function for Kill {
    fn name(&self) -> &str {
        "ext_test_kill_version_1"
    }

    fn signature(&self) -> Signature {
        Signature { args: vec![].into(), return_value: None }
    }

    fn execute(&self, _: &mut dyn FunctionContext, _: &mut dyn Iterator<Item = Value>) -> HostResult<Option<Value>> {
        let (_, workers) = common::family();
        for worker in &workers {
            KILLED.fetch_add(1, Relaxed);
            let _ = Command::new("kill").arg("-KILL").arg(worker.to_string()).status();
        }
        Ok(None)
    }
}

/// Host function that fails.
struct Fail;

impl Function for Fail {
    fn name(&self) -> &str {
        "ext_test_fail_version_1"
    }

    fn signature(&self) -> Signature {
        Signature { args: vec![ValueType::I64, ValueType::I32].into(), return_value: None }
    }

    fn execute(
        &self,
        _: &mut dyn FunctionContext,
        arguments: &mut dyn Iterator<Item = Value>,
    ) -> HostResult<Option<Value>> {
        Err(format!("refused {:?}", arguments.collect::<Vec<_>>()))
    }
}

struct Tests;

impl HostFunctions for Tests {
    fn host_functions() -> Vec<&'static dyn Function> {
        vec![&Kill, &Fail]
    }

    fn register_static<T: HostFunctionRegistry>(_: &mut T) -> Result<(), T::Error> {
        Ok(())
    }
}

type Host = (sp_io::SubstrateHostFunctions, Tests);

/// Assembles a runtime with a heap of 1 MiB.
fn runtime(version: u32, more_imports: &str) -> Vec<u8> {
    let version = RuntimeVersion { spec_version: version, ..RuntimeVersion::default() }.encode();
    let hex: String = version.iter().map(|byte| format!("{byte:02x} ")).collect();
    let returned = |address: u64, length: u64| address | length << 32;
    let text = format!(
        r#".isa ReviveV1
.ro_size {length}
.ro_data {hex}
.rw_size 0x110000
.rw_data 00 10 03 00 00 00 00 00 00 10 13 00 00 00 00 00
.stack_size 4096
.import "ext_storage_set_version_1"
.import "ext_storage_start_transaction_version_1"
.import "ext_hashing_blake2_256_version_1"
.import "ext_panic_handler_abort_on_panic_version_1"
.import "ext_test_kill_version_1"
.import "ext_test_fail_version_1"
.import "ext_storage_append_version_1"
{more_imports}
.export "Core_version" version
.export "pvm_heap" heap
.export "echo" echo
.export "hash" hash
.export "set" set
.export "append_open_kill" append_open_kill
.export "trap" trap
.export "panic" panic
.export "fail" fail
.export "wild" wild
.export "count" count
.export "missing" missing
version:
 load_imm64 a0, {version:#x}
 jump_indirect ra, 0
heap:
 load_imm a0, 0x30000
 jump_indirect ra, 0
echo:
 shift_logical_left_imm_64 a1, a1, 32
 or a0, a0, a1
 jump_indirect ra, 0
hash:
 shift_logical_left_imm_64 a1, a1, 32
 or a0, a0, a1
 ecalli 2
 load_imm64 a1, {hash:#x}
 or a0, a0, a1
 jump_indirect ra, 0
set:
 shift_logical_left_imm_64 a1, a1, 32
 or a0, a0, a1
 move_reg a1, a0
 ecalli 0
 load_imm a0, 0
 jump_indirect ra, 0
append_open_kill:
 shift_logical_left_imm_64 a1, a1, 32
 or s0, a0, a1
 move_reg a0, s0
 move_reg a1, s0
 ecalli 6
 ecalli 1
 move_reg a0, s0
 move_reg a1, s0
 ecalli 6
 ecalli 4
 move_reg a0, s0
 move_reg a1, s0
 ecalli 6
 load_imm a0, 0
 jump_indirect ra, 0
trap:
 trap
panic:
 shift_logical_left_imm_64 a1, a1, 32
 or a0, a0, a1
 ecalli 3
 trap
fail:
 load_imm a0, 7
 load_imm a1, -1
 ecalli 5
 jump_indirect ra, 0
wild:
 load_imm64 a0, {wild:#x}
 jump_indirect ra, 0
count:
 load_imm a2, 0x40000
 load_indirect_u64 a1, a2, 0
 add_imm_64 a1, a1, 1
 store_indirect_u64 a1, a2, 0
 load_imm64 a0, {count:#x}
 jump_indirect ra, 0
missing:
 ecalli 7
 trap
"#,
        length = version.len(),
        version = returned(0x10000, version.len() as u64),
        hash = returned(0, 32),
        wild = returned(0xffff_0000, 0xffff_ffff),
        count = returned(0x40000, 8),
    );
    assemble(&text).unwrap()
}

type Subject = RuntimeExecutor<WasmExecutor<Host>, Host>;

fn executor(backend: BackendChoice) -> Subject {
    RuntimeExecutor::new(
        WasmExecutor::builder().build(),
        &common::flags(backend),
        HeapAllocStrategy::Static { extra_pages: 16 },
    )
}

fn call(
    executor: &Subject,
    ext: &mut TestExternalities,
    code: &[u8],
    pages: Option<u64>,
    method: &str,
    data: &[u8],
) -> Result<Vec<u8>, Error> {
    let fetcher = WrappedRuntimeCode(code.into());
    let hash = sp_crypto_hashing::twox_128(code).to_vec();
    let code = RuntimeCode { code_fetcher: &fetcher, heap_pages: pages, hash };
    executor.call(&mut ext.ext(), &code, method, data, CallContext::Onchain { import: false }).0
}

/// Runs a check on both backends.
fn both(check: impl Fn(&Subject, &mut TestExternalities)) {
    for backend in [BackendChoice::Jit, BackendChoice::Interpreter] {
        check(&executor(backend), &mut TestExternalities::default());
    }
}

#[test]
fn arguments_and_results_pass_through_the_guests_heap() {
    let code = runtime(1, "");
    both(|executor, ext| {
        for length in [0, 1, 64, 65, 4096, 100_000] {
            let data: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
            assert_eq!(call(executor, ext, &code, None, "echo", &data).unwrap(), data);
        }
        // The result of a host function, in memory that the node allocated.
        let hash = sp_crypto_hashing::blake2_256(b"abc");
        assert_eq!(call(executor, ext, &code, None, "hash", b"abc").unwrap(), hash);
    });
}

#[test]
fn memory_starts_anew_with_each_call() {
    let code = runtime(1, "");
    both(|executor, ext| {
        for _ in 0..3 {
            assert_eq!(call(executor, ext, &code, None, "count", &[]).unwrap(), 1_u64.to_le_bytes());
        }
    });
}

#[test]
fn the_chains_heap_pages_are_the_limit_of_the_heap() {
    let code = runtime(1, "");
    both(|executor, ext| {
        let mut echo = |pages, length| call(executor, ext, &code, Some(pages), "echo", &vec![1; length]);
        assert!(echo(1, 60_000).is_ok());
        let error = echo(1, 70_000).unwrap_err().to_string();
        assert!(error.contains("heap is exhausted") && error.contains("heap pages"), "{error}");
        assert!(echo(2, 70_000).is_ok());
        // The capacity that the runtime reserved is another limit.
        assert!(echo(1 << 20, 2 << 20).is_err());
        assert!(echo(1 << 20, 900_000).is_ok());
    });
}

#[test]
fn faults_are_errors_with_the_reason() {
    let code = runtime(1, "");
    both(|executor, ext| {
        let mut error = |method, data: &[u8]| call(executor, ext, &code, None, method, data).unwrap_err();
        assert!(matches!(error("trap", &[]), Error::AbortedDueToTrap(_)));
        let panic = error("panic", b"no luck");
        assert!(matches!(&panic, Error::AbortedDueToPanic(message) if message.message == "no luck"), "{panic}");
        let Error::FunctionExecution(name, reason) = error("fail", &[]) else { unreachable!("it fails") };
        assert_eq!((name.as_str(), reason.as_str()), ("ext_test_fail_version_1", "refused [I64(7), I32(-1)]"));
        assert!(matches!(error("wild", &[]), Error::OutputExceedsBounds));
        assert!(matches!(error("nothing", &[]), Error::MethodNotFound(name) if name == "nothing"));
    });
}

#[test]
fn functions_that_the_node_lacks_are_an_error_when_a_chain_runs_but_not_when_its_version_is_read() {
    let code = runtime(1, ".import \"ext_future_function_version_9\"");
    both(|executor, ext| {
        let error = call(executor, ext, &code, None, "echo", &[]).unwrap_err().to_string();
        assert!(error.contains("ext_future_function_version_9"), "{error}");
        assert!(executor.read_runtime_version(&code, &mut ext.ext()).is_ok());
    });
}

#[test]
fn versions_are_read_and_what_is_no_runtime_is_refused() {
    both(|executor, ext| {
        for version in [1, 77] {
            let code = runtime(version, "");
            let compressed = sp_maybe_compressed_blob::compress_weakly(&code, 1 << 20).unwrap();
            for code in [code, compressed] {
                let fetcher = WrappedRuntimeCode(code.as_slice().into());
                let known = RuntimeCode { code_fetcher: &fetcher, heap_pages: None, hash: code.clone() };
                assert_eq!(executor.runtime_version(&mut ext.ext(), &known).unwrap().spec_version, version);
                let read = executor.read_runtime_version(&code, &mut ext.ext()).unwrap();
                assert_eq!(read, RuntimeVersion { spec_version: version, ..RuntimeVersion::default() }.encode());
            }
        }
        for (code, reason) in [
            (b"PVM\0 and nothing".to_vec(), "blob"),
            (assemble(".isa ReviveV1\n.export \"Core_version\" a\na:\n trap\n").unwrap(), "pvm_heap"),
        ] {
            let error = call(executor, ext, &code, None, "echo", &[]).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    });
}

#[test]
fn a_lost_worker_changes_nothing() {
    let code = runtime(1, "");
    let mut storages = Vec::new();
    for backend in [BackendChoice::Interpreter, BackendChoice::Jit] {
        let (executor, mut ext) = (executor(backend), TestExternalities::default());
        call(&executor, &mut ext, &code, None, "set", b"before").unwrap();
        // It appends to a key, again in a transaction that it leaves open, loses its worker, and appends once more.
        let output = call(&executor, &mut ext, &code, None, "append_open_kill", b"key").unwrap();
        assert_eq!(output, b"");
        call(&executor, &mut ext, &code, None, "set", b"after").unwrap();
        let mut seen = || {
            let root = ext.execute_with(|| sp_io::storage::root(sp_core::storage::StateVersion::V1));
            let values = [&b"before"[..], b"key", b"after"].map(|key| ext.execute_with(|| sp_io::storage::get(key)));
            (root, values)
        };
        let all = seen();
        // The only open transaction is the runtime's own.
        let mut open = 0;
        while ext.ext().storage_rollback_transaction().is_ok() {
            open += 1;
        }
        storages.push((all, open, ext.execute_with(|| sp_io::storage::get(b"key"))));
    }
    assert!(KILLED.load(Relaxed) > 0, "no worker was killed");
    assert_eq!(storages[0], storages[1]);
    assert_eq!(storages[0].1, 1);
}
