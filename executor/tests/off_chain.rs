//! Tests that off-chain calls (RPC, light clients) are bounded in time, number, workers and memory, and take no
//! resources from blocks.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{flags, folders, limits};
use executor::{BackendChoice, Flags, Limits, PolkaVm, Session};
use pvm_host_interface::{Backend as _, ProgramRules};
use sc_executor::{RuntimeVersion, RuntimeVersionOf};
use sp_core::traits::{CallContext, CodeExecutor, Externalities, ReadRuntimeVersion, RuntimeCode};
use sp_crypto_hashing::keccak_256;
use sp_virtualization::VirtManagerBackend as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::time::Duration;
use vm_core::Outcome;
use vm_core::gas::CostModelKind::Naive;
use vm_core::text::assemble;

const ENDLESS: &str = ".isa ReviveV1\n.export \"run\" start\nstart: jump start\n";

/// Program that makes host calls without end.
const ASKING: &str = ".isa ReviveV1\n.rw_size 4096\n.import \"ask\"\nstart: ecalli 0\njump start\n";

fn node_with(backend: BackendChoice, change: impl FnOnce(&mut Limits)) -> PolkaVm {
    let mut limits = limits(backend);
    change(&mut limits);
    PolkaVm::with_limits(&flags(backend), None, &limits, None).unwrap()
}

/// Creates a node of each kind, whose off-chain calls may take 0.1 s.
fn nodes_with_short_time() -> [PolkaVm; 2] {
    [BackendChoice::Interpreter, BackendChoice::Auto]
        .map(|backend| node_with(backend, |limits| limits.off_chain_time = Duration::from_millis(100)))
}

/// Creates a node that runs so many off-chain calls at a time, each for so long.
fn node_with_calls(backend: BackendChoice, calls: usize, time: Duration) -> PolkaVm {
    node_with(backend, |limits| {
        limits.off_chain_calls = calls;
        limits.off_chain_time = time;
    })
}

/// Instantiates each program.
fn instantiate_all(session: &mut Session, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        instantiate(session, &text);
    }
}

fn instantiate(session: &mut Session, text: &str) -> u32 {
    let code = assemble(text).unwrap();
    session.instantiate(&keccak_256(&code), &code, 0, ProgramRules::version_1(Naive)).unwrap()
}

/// Returns the error with which an off-chain call ends.
fn refusal(node: &PolkaVm, call: impl FnOnce()) -> String {
    let ended = catch_unwind(AssertUnwindSafe(|| node.off_chain(call)));
    *ended.unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn an_endless_program_is_ended_at_the_deadline_whatever_runs_it() {
    for node in nodes_with_short_time() {
        let mut session = node.session();
        let text = refusal(&node, || {
            let instance = instantiate(&mut session, ENDLESS);
            // The worker is lost; the interpreter does not continue without a deadline.
            session.run(instance, i64::MAX, None).unwrap();
        });
        assert!(text.contains("took longer than 0.1 s"), "{text}");
        assert_eq!(node.metrics().offchain_refused_total.get(), 1);
        // The node continues to work.
        let mut session = node.session();
        let instance = instantiate(&mut session, ENDLESS);
        assert_eq!(session.run(instance, 100, None).unwrap().outcome, Outcome::OutOfGas);
    }
}

#[test]
fn a_program_that_only_asks_the_host_is_ended_at_the_deadline() {
    for node in nodes_with_short_time() {
        let mut session = node.session();
        let text = refusal(&node, || {
            let instance = instantiate(&mut session, ASKING);
            loop {
                assert_eq!(session.run(instance, 1000, None).unwrap().outcome, Outcome::HostCall(0));
            }
        });
        assert!(text.contains("took longer"), "{text}");
        let text = refusal(&node, || {
            let instance = instantiate(&mut session, ASKING);
            loop {
                session.read_memory(instance, 0x2_0000, &mut [0; 4096]).unwrap();
                session.zero_memory(instance, 0x2_0000, 4096).unwrap();
            }
        });
        assert!(text.contains("took longer"), "{text}");
        let text = refusal(&node, || {
            loop {
                let instance = instantiate(&mut session, ASKING);
                session.destroy(instance).unwrap();
            }
        });
        assert!(text.contains("took longer"), "{text}");
    }
}

#[test]
fn the_virtualization_interface_has_the_same_deadline() {
    let node = node_with(BackendChoice::Interpreter, |limits| limits.off_chain_time = Duration::from_millis(100));
    let mut backend = node.virtualization();
    let text = refusal(&node, || {
        let module = backend.compile_from_bytes(&assemble(ENDLESS).unwrap(), None).unwrap();
        let instance = backend.instantiate(module).unwrap();
        backend.prepare(instance, b"run").unwrap();
        let _ = backend.run(instance, i64::MAX, 0);
    });
    assert!(text.contains("took longer"), "{text}");
}

#[test]
fn so_many_off_chain_calls_run_at_once_and_blocks_wait_for_none() {
    let node = node_with_calls(BackendChoice::Auto, 2, Duration::from_secs(20));
    let (begun, over) = (Barrier::new(3), Barrier::new(3));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                node.off_chain(|| {
                    let mut session = node.session();
                    // A second instance needs no second permit.
                    instantiate(&mut session, ASKING);
                    instantiate(&mut session, ASKING);
                    begun.wait();
                    over.wait();
                });
            });
        }
        begun.wait();
        // Blocks continue,
        let mut session = node.session();
        let instance = node.on_chain(|| instantiate(&mut session, ASKING));
        assert_eq!(session.run(instance, 10, None).unwrap().outcome, Outcome::HostCall(0));
        // and so do calls that run no contract.
        node.off_chain(|| ());
        // A third call waits until one of the others ends.
        let waiting = scope.spawn(|| node.off_chain(|| instantiate(&mut node.session(), ASKING)));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        over.wait();
        waiting.join().unwrap();
    });
    // Calls that were stopped return their permits, too.
    for _ in 0..3 {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            node.off_chain(|| {
                instantiate(&mut node.session(), ASKING);
                panic!("in the runtime");
            })
        }));
        assert!(ended.is_err());
    }
    node.off_chain(|| instantiate(&mut node.session(), ASKING));
    assert_eq!(node.metrics().offchain_refused_total.get(), 0);
}

#[test]
fn an_off_chain_call_waits_for_others_no_longer_than_its_time() {
    let node = node_with_calls(BackendChoice::Interpreter, 1, Duration::from_millis(100));
    let (begun, over) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            node.off_chain(|| {
                instantiate(&mut node.session(), ASKING);
                begun.wait();
                over.wait();
            });
        });
        begun.wait();
        let text = refusal(&node, || {
            instantiate(&mut node.session(), ASKING);
        });
        assert!(text.contains("waiting for others"), "{text}");
        over.wait();
    });
}

#[test]
fn off_chain_calls_have_a_share_of_the_workers_and_blocks_the_rest() {
    let flags = Flags { workers: 8, ..flags(BackendChoice::Auto) };
    let node = PolkaVm::new(&flags, None).unwrap();
    if !node.is_compiling() {
        return;
    }
    let interpreted = |node: &PolkaVm| node.metrics().interpreted_total.get();
    let (mut asked, mut block) = (node.session(), node.session());
    node.off_chain(|| instantiate_all(&mut asked, vec![ASKING.to_owned(); 10]));
    assert_eq!(interpreted(&node), 8, "a quarter of eight are compiled");
    node.on_chain(|| instantiate_all(&mut block, vec![ASKING.to_owned(); 6]));
    assert_eq!(interpreted(&node), 8, "a block finds the other six");
    // The results are the same.
    for instance in 0..10 {
        assert_eq!(asked.run(instance, 10, None).unwrap().outcome, Outcome::HostCall(0));
    }
    // Their share of the workers comes back.
    asked.release();
    node.off_chain(|| instantiate_all(&mut asked, vec![ASKING.to_owned(); 3]));
    assert_eq!(interpreted(&node), 9);
}

/// Program that returns its number; larger numbers have more code.
fn program(number: usize) -> String {
    let padding = "add_imm_64 a0, a0, 7\n".repeat(1000);
    format!(".isa ReviveV1\nload_imm a0, {number}\njump_indirect ra, 0\n{padding}trap\n")
}

#[test]
fn off_chain_calls_drop_nothing_of_what_blocks_have_loaded_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let places = folders(folder.path());
    let flags = flags(BackendChoice::Auto);
    let small = Limits { cache_bytes: 400_000, ..limits(BackendChoice::Auto) };
    let node = PolkaVm::with_limits(&flags, None, &small, Some(&places)).unwrap();
    let mut block = node.session();
    instantiate_all(&mut block, (0..4).map(program));
    let (compiles, cached) = (node.metrics().compiles_total.get(), node.metrics().cache_bytes.get());
    assert_eq!(compiles, 4);
    node.off_chain(|| {
        let mut session = node.session();
        // Programs that blocks have loaded are reused,
        instantiate_all(&mut session, (0..4).map(program));
        assert_eq!(node.metrics().compiles_total.get(), 4);
        // and all others go to a cache of their own, however many there are.
        for number in 10..60 {
            let instance = instantiate(&mut session, &program(number));
            assert_eq!(session.run(instance, 10, None).unwrap().args[0], number as u64);
            session.destroy(instance).unwrap();
            let instance = instantiate(&mut session, &program(number));
            session.destroy(instance).unwrap();
        }
    });
    assert_eq!(node.metrics().compiles_total.get(), 54);
    assert_eq!(node.metrics().cache_bytes.get(), cached);
    instantiate_all(&mut block, (0..4).map(program));
    assert_eq!(node.metrics().compiles_total.get(), 54);
    node.flush();
    let files = fs::read_dir(&places.cache).map_or(0, Iterator::count);
    assert_eq!(files, if node.is_compiling() { 4 } else { 0 });
}

#[test]
fn an_off_chain_call_that_takes_too_much_memory_is_ended_and_a_block_is_not() {
    let small = |limits: &mut Limits| (limits.memory_bytes, limits.cache_bytes) = (1 << 20, 1 << 20);
    for backend in [BackendChoice::Interpreter, BackendChoice::Auto] {
        let node = node_with(backend, small);
        let (mut asked, mut block) = (node.session(), node.session());
        let text = refusal(&node, || instantiate_all(&mut asked, (0..60).map(program)));
        assert!(text.contains("no memory left"), "{text}");
        assert!(node.metrics().memory_bytes.get() <= 1 << 18, "a quarter");
        // Many more than the limit: a block is not refused.
        instantiate_all(&mut block, (0..60).map(program));
        for number in 0..60 {
            assert_eq!(block.run(number, 10, None).unwrap().args[0], u64::from(number));
        }
        drop((asked, block));
    }
}

/// Backend that runs an endless program.
#[derive(Clone)]
struct Endless(PolkaVm);

impl CodeExecutor for Endless {
    type Error = String;

    fn call(
        &self,
        _: &mut dyn Externalities,
        _: &RuntimeCode<'_>,
        _: &str,
        _: &[u8],
        _: CallContext,
    ) -> (Result<Vec<u8>, String>, bool) {
        let mut session = self.0.session();
        let instance = instantiate(&mut session, ENDLESS);
        // Takes half a second or more.
        let run = || session.run(instance, 1_000_000_000, None).map(|stop| format!("{:?}", stop.outcome));
        let ended = catch_unwind(AssertUnwindSafe(run));
        (ended.map(|outcome| outcome.unwrap().into_bytes()).map_err(|why| *why.downcast().unwrap()), false)
    }
}

impl ReadRuntimeVersion for Endless {
    fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        Err("none".into())
    }
}

impl RuntimeVersionOf for Endless {
    fn runtime_version(
        &self,
        _: &mut dyn Externalities,
        _: &RuntimeCode<'_>,
    ) -> Result<RuntimeVersion, sc_executor::error::Error> {
        Ok(RuntimeVersion::default())
    }
}

/// The client tells the extension the context of a call, whatever the runtime's method.
#[test]
fn a_clients_off_chain_calls_are_bounded_and_its_blocks_are_not() {
    let node = node_with(BackendChoice::Interpreter, |limits| limits.off_chain_time = Duration::from_millis(50));
    let executor = node.executor(Endless(node.clone()));
    let mut externalities = sp_io::TestExternalities::default();
    let mut call = |method, context| {
        let code = RuntimeCode::empty();
        executor.call(&mut externalities.ext(), &code, method, &[], context).0
    };
    for method in ["PolkavmApi_call", "Core_execute_block", "BlockBuilder_apply_extrinsic"] {
        let ended = call(method, CallContext::Offchain).unwrap_err();
        assert!(ended.contains("took longer than 0.05 s"), "{ended}");
    }
    for import in [false, true] {
        assert_eq!(call("Core_execute_block", CallContext::Onchain { import }), Ok(b"OutOfGas".to_vec()));
    }
}
