//! Runtimes that are PolkaVM blobs: the chain's own code, executed by our engine instead of as wasm.
//!
//! [`RuntimeExecutor`] wraps the client's executor. It inspects the first bytes of the decompressed code: a blob is
//! executed by the engine, anything else by the inner executor. A blob is prepared once for each code hash, and its
//! instances are pooled; each call starts with fresh memory.
//!
//! **Invariant:** a call whose worker is lost has no effect. The storage transaction that surrounds each call is rolled
//! back, and the interpreter executes the call from its beginning.

mod call;
mod heap;

use crate::{Flags, LOG_TARGET};
use call::Runtime;
use sc_executor::error::{Error, WasmError};
use sc_executor::{HeapAllocStrategy, HostFunctions, RuntimeVersion, RuntimeVersionOf};
use sp_core::traits::{
    CallContext, CodeExecutor, Externalities, FetchRuntimeCode as _, ReadRuntimeVersion, RuntimeCode,
};
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, decompress};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Magic number of a blob.
const MAGIC: &[u8] = b"PVM\0";

/// Limits of the CPU time and the real time between two host calls. The cost of a call is bounded by its weight; these
/// limits only stop a worker that hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);
const STALL_LIMIT: Duration = Duration::from_secs(600);

/// Number of workers that are made in advance.
const RESERVE: usize = 2;

/// Number of runtimes kept prepared: the chain's own, those before and after an upgrade, and one of a fork.
const KEPT: usize = 4;

/// Wrapper of a client's executor that also executes runtimes that are PolkaVM blobs.
pub struct RuntimeExecutor<E, H> {
    inner: E,
    runtimes: Arc<Runtimes>,
    heap: HeapAllocStrategy,
    host: PhantomData<fn() -> H>,
}

impl<E: Clone, H> Clone for RuntimeExecutor<E, H> {
    fn clone(&self) -> Self {
        let RuntimeExecutor { inner, runtimes, heap, host } = self;
        RuntimeExecutor { inner: inner.clone(), runtimes: runtimes.clone(), heap: *heap, host: *host }
    }
}

/// The engine, and the prepared runtimes.
struct Runtimes {
    config: pvm_engine::Config,
    engine: OnceLock<Result<pvm_engine::Engine, String>>,
    known: Mutex<Known>,
}

/// Runtimes by code hash, `None` for code that is not a blob; the most recently used last.
type Known = Vec<(Vec<u8>, Option<Arc<Runtime>>)>;

impl<E, H: HostFunctions> RuntimeExecutor<E, H> {
    /// Wraps an executor. Blobs run on the backend and in the sandbox that the flags select for contracts, but in
    /// workers of their own; `heap` applies where the chain does not set its heap pages.
    pub fn new(inner: E, flags: &Flags, heap: HeapAllocStrategy) -> Self {
        let mut config = flags.engine_config();
        config.set_time_limit(TIME_LIMIT).set_stall_limit(STALL_LIMIT).set_reserve(RESERVE);
        let runtimes = Runtimes { config, engine: OnceLock::new(), known: Mutex::default() };
        RuntimeExecutor { inner, runtimes: Arc::new(runtimes), heap, host: PhantomData }
    }

    /// Returns the prepared runtime, or `None` if the code is not a blob.
    fn runtime(&self, ext: &mut dyn Externalities, code: &RuntimeCode<'_>) -> Result<Option<Arc<Runtime>>, Error> {
        if let Some(known) = self.runtimes.find(&code.hash) {
            return Ok(known);
        }
        let bytes = code.fetch_runtime_code().ok_or(WasmError::CodeNotFound)?;
        let runtime = self.prepare(ext, &bytes, false)?;
        self.runtimes.keep(code.hash.clone(), runtime.clone());
        Ok(runtime)
    }

    /// Prepares the code, or returns `None` if it is not a blob.
    fn prepare(
        &self,
        ext: &mut dyn Externalities,
        code: &[u8],
        allow_missing: bool,
    ) -> Result<Option<Arc<Runtime>>, Error> {
        let code = decompress(code, CODE_BLOB_BOMB_LIMIT).map_err(|error| WasmError::Other(error.to_string()))?;
        if !code.starts_with(MAGIC) {
            return Ok(None);
        }
        let started = std::time::Instant::now();
        let engine = self.runtimes.engine()?;
        let mut runtime = Runtime::new(engine, &code, &H::host_functions(), allow_missing)?;
        let version = runtime.call(ext, "Core_version", &[], self.heap)?;
        runtime.set_version(version)?;
        log::info!(
            target: LOG_TARGET,
            "Prepared a RISC-V runtime of {} KiB in {:.1} ms",
            code.len() / 1024,
            started.elapsed().as_secs_f64() * 1e3,
        );
        Ok(Some(Arc::new(runtime)))
    }

    /// Returns the heap limit of a call.
    fn heap(&self, code: &RuntimeCode<'_>, context: CallContext) -> HeapAllocStrategy {
        let chain = code
            .heap_pages
            .map(|pages| HeapAllocStrategy::Static { extra_pages: pages.try_into().unwrap_or(u32::MAX) });
        match context {
            CallContext::Offchain => self.heap,
            // Doubled like that of wasm: importing a block must not fail if building it succeeded.
            CallContext::Onchain { import: true } => chain.unwrap_or(self.heap).double(),
            CallContext::Onchain { import: false } => chain.unwrap_or(self.heap),
        }
    }
}

impl Runtimes {
    /// Returns the engine, created for the first blob: nodes of other chains start no process for it.
    fn engine(&self) -> Result<&pvm_engine::Engine, Error> {
        let made = self.engine.get_or_init(|| {
            let engine = pvm_engine::Engine::new(&self.config).map_err(|error| error.to_string())?;
            if let Some(reason) = engine.fallback_reason() {
                log::warn!(target: LOG_TARGET, "RISC-V runtimes are interpreted: {reason}");
            }
            Ok(engine)
        });
        made.as_ref().map_err(|error| WasmError::Other(error.clone()).into())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up a code hash; the inner option is `None` if the code is not a blob.
    fn find(&self, hash: &[u8]) -> Option<Option<Arc<Runtime>>> {
        let mut known = self.lock();
        let index = known.iter().position(|(other, _)| other == hash)?;
        // The most recently used is the last to be dropped.
        known[index..].rotate_left(1);
        known.last().map(|(_, runtime)| runtime.clone())
    }

    fn keep(&self, hash: Vec<u8>, runtime: Option<Arc<Runtime>>) {
        let mut known = self.lock();
        if known.len() >= KEPT {
            known.remove(0);
        }
        known.push((hash, runtime));
    }
}

impl<E, H> CodeExecutor for RuntimeExecutor<E, H>
where
    E: CodeExecutor<Error = Error>,
    H: HostFunctions,
{
    type Error = Error;

    fn call(
        &self,
        ext: &mut dyn Externalities,
        runtime_code: &RuntimeCode<'_>,
        method: &str,
        data: &[u8],
        context: CallContext,
    ) -> (Result<Vec<u8>, Error>, bool) {
        match self.runtime(ext, runtime_code) {
            Ok(None) => self.inner.call(ext, runtime_code, method, data, context),
            Ok(Some(runtime)) => (runtime.call(ext, method, data, self.heap(runtime_code, context)), false),
            Err(error) => (Err(error), false),
        }
    }
}

impl<E, H> ReadRuntimeVersion for RuntimeExecutor<E, H>
where
    E: ReadRuntimeVersion,
    H: HostFunctions,
{
    fn read_runtime_version(&self, code: &[u8], ext: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        // Missing host functions are allowed: nodes of different versions have to agree on the code's version.
        match self.prepare(ext, code, true) {
            Ok(None) => self.inner.read_runtime_version(code, ext),
            Ok(Some(runtime)) => Ok(runtime.encoded_version().to_vec()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl<E, H> RuntimeVersionOf for RuntimeExecutor<E, H>
where
    E: RuntimeVersionOf,
    H: HostFunctions,
{
    fn runtime_version(&self, ext: &mut dyn Externalities, code: &RuntimeCode<'_>) -> Result<RuntimeVersion, Error> {
        match self.runtime(ext, code)? {
            None => self.inner.runtime_version(ext, code),
            Some(runtime) => Ok(runtime.version().clone()),
        }
    }
}
