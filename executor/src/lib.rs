//! Node side of the PolkaVM host functions.
//!
//! A node makes one [`PolkaVm`] from its [`Flags`] and passes it to its client ([`PolkaVm::extensions`]), which adds a
//! [`Session`] to the extensions of every runtime call. A session holds the instances of one call. Modules are loaded
//! once, kept in a cache that all sessions share, and run in the engine's sandboxed workers. If a worker is lost, the
//! session replays the instance's log on the interpreter, and continues there.
//!
//! **Invariant**: results never depend on the flags, the cache or the fate of a worker. A replay that finds a
//! difference between compiled code and the interpreter ends the runtime call with a panic, as no answer would be
//! right.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod audit;
mod budget;
mod cache;
mod call;
mod check;
mod disk;
mod executor;
mod extension;
mod flags;
mod instance;
mod loader;
mod metrics;
mod module;
mod record;
mod replay;
mod runtime;
mod session;
mod throttle;
mod tier;
mod virtualization;

pub use call::CallPurpose;
pub use check::Report;
pub use executor::BoundedExecutor;
pub use extension::SessionFactory;
pub use flags::{BackendChoice, Flags, SandboxChoice};
pub use metrics::Metrics;
pub use record::{RecordError, Replayed};
pub use runtime::RuntimeExecutor;
pub use session::Session;
pub use virtualization::Virtualization;

use audit::Audit;
use budget::Budget;
use cache::Cache;
use call::Gate;
use disk::Disk;
use pvm_engine::{Backend, Config, Engine, Error};
use record::Record;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use substrate_prometheus_endpoint::{PrometheusError, Registry};
use tier::Compiler;

/// The log target of this crate.
pub const LOG_TARGET: &str = "polkavm";

/// CPU time that compiled code may take between two host calls before its worker counts as lost. A full block is a
/// second of interpretation, which compiled code executes in a fraction of that.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Limit of real time for compiled code, against a worker that is stopped or not scheduled. The interpreter takes over
/// then, so a throttled machine only becomes slower.
const STALL_LIMIT: Duration = Duration::from_secs(20);

/// Maximum length of an instance's log in bytes. Beyond it, the instance moves to the interpreter.
const LOG_BYTES: usize = 16 << 20;

/// Paths of files that outlive the node's process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folders {
    /// A folder of compiled programs.
    pub cache: PathBuf,
    /// The file with the node's own key; nothing in the cache is trusted without it. It must not be in a folder that is
    /// copied from node to node, such as the one of the chain's database.
    pub key: PathBuf,
    /// A folder of records of runs in which compiled code and the interpreter differed.
    pub records: PathBuf,
}

impl Folders {
    /// The default paths: the key in the node's folder, the others in the chain's folder.
    pub fn new(node: &Path, chain: &Path) -> Folders {
        Folders {
            cache: chain.join("polkavm-cache"),
            key: node.join("polkavm-cache.key"),
            records: chain.join("polkavm-records"),
        }
    }
}

/// All limits: those set by flags, and those without a flag. Tests lower them to reach them.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Limits {
    /// Maximum size of the module cache in bytes.
    pub cache_bytes: usize,
    /// Maximum size of an instance's log in bytes.
    pub log_bytes: usize,
    /// Size of the memory budget in bytes ([`Flags::memory_size`]).
    pub memory_bytes: usize,
    /// Maximum size of the disk cache in bytes.
    pub disk_bytes: u64,
    /// Maximum number of off-chain calls that run contracts at once, and the time limit of each.
    pub off_chain_calls: usize,
    pub off_chain_time: Duration,
    /// Share of audited instances, in percent.
    pub audit: u8,
    /// Gas after which an instance moves to compiled code ([`Flags::tier_gas`]).
    pub tier_gas: i64,
    /// True if programs are compiled by separate threads, given enough processors.
    pub compiles_beside: bool,
}

impl Limits {
    /// The limits set by the flags.
    pub fn new(flags: &Flags) -> Limits {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let calls = if flags.offchain_calls == 0 { processors / 2 } else { flags.offchain_calls as usize };
        Limits {
            cache_bytes: (flags.cache_size as usize) << 20,
            log_bytes: LOG_BYTES,
            memory_bytes: (flags.memory_size as usize) << 20,
            disk_bytes: u64::from(flags.disk_cache_size) << 20,
            off_chain_calls: calls.max(1),
            off_chain_time: Duration::from_secs(flags.offchain_time.into()),
            audit: flags.audit,
            tier_gas: flags.tier_gas.into(),
            compiles_beside: processors > 1,
        }
    }
}

/// The node's PolkaVM executor. Cheap to clone; can be shared between threads.
#[derive(Clone)]
pub struct PolkaVm(Arc<Shared>);

/// The state that all sessions share.
pub(crate) struct Shared {
    /// The engine; replaced by an interpreting one once compiled code was found to be wrong.
    engine: RwLock<Engine>,
    pub metrics: Metrics,
    pub log_bytes: usize,
    pub budget: Arc<Budget>,
    pub disk: Option<Disk>,
    pub audit: Option<Audit>,
    /// Permits for off-chain calls to run contracts, and for their share of workers.
    pub gate: Arc<Gate>,
    pub off_chain_workers: Arc<Gate>,
    pub off_chain_time: Duration,
    /// True if the configured backend compiles.
    pub is_compiling: bool,
    pub tier_gas: i64,
    /// For blocks, and for off-chain calls. `None` if programs are compiled by the thread that needs them.
    pub compilers: [Option<Compiler>; 2],
    is_distrusted: AtomicBool,
    /// The first difference that was found between compiled code and the interpreter.
    alarm: Mutex<Option<String>>,
    records: Option<PathBuf>,
    cache: Mutex<Cache>,
    off_chain_cache: Mutex<Cache>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The guarded values are consistent after every statement that can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The cache for calls of this purpose.
    pub fn cache(&self, purpose: CallPurpose) -> MutexGuard<'_, Cache> {
        lock(match purpose {
            CallPurpose::OnChain => &self.cache,
            CallPurpose::OffChain => &self.off_chain_cache,
        })
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True if programs are compiled, or were until compiled code was found to be wrong.
    pub fn was_compiling(&self) -> bool {
        self.is_distrusted() || self.engine().backend() == Backend::Jit
    }

    /// True if compiled code was found to be wrong: nothing runs compiled any more.
    pub fn is_distrusted(&self) -> bool {
        self.is_distrusted.load(Relaxed)
    }

    /// Handles a difference between compiled code and the interpreter: raises the alarm, saves the record, drops the
    /// workers and everything compiled, and from now on interprets.
    pub fn distrust(&self, record: &Record) {
        self.metrics.differences_total.inc();
        let saved = match &self.records {
            None => "there is no folder for its record".into(),
            Some(folder) => match record.save(folder) {
                Ok(path) => format!("`polkavm-replay {}` shows it again", path.display()),
                Err(error) => format!("its record cannot be saved in {}: {error}", folder.display()),
            },
        };
        let text = format!("compiled code and the interpreter differ: {}; {saved}", record.why);
        log::error!(
            target: LOG_TARGET,
            "{text}. Contracts are interpreted from now on. Please report this; until it is fixed, run the node with \
             --polkavm-backend interpreter"
        );
        lock(&self.alarm).get_or_insert(text);
        if self.is_distrusted.swap(true, Relaxed) {
            return;
        }
        self.metrics.backend.set(0);
        match Engine::new(Config::new().set_backend(Backend::Interpreter)) {
            Ok(interpreting) => *self.engine.write().unwrap_or_else(PoisonError::into_inner) = interpreting,
            Err(error) => log::error!(target: LOG_TARGET, "The interpreter cannot be set up: {error}"),
        }
        for purpose in [CallPurpose::OnChain, CallPurpose::OffChain] {
            self.cache(purpose).clear();
        }
        self.metrics.cache_bytes.set(0);
    }
}

impl PolkaVm {
    /// Sets up the backend selected by the flags. Registers its metrics, if there is a registry. Nothing is kept on
    /// disk.
    /// # Errors
    /// With [`BackendChoice::Jit`], if this machine cannot compile or sandbox programs: the error names what is missing
    /// and how to fix it. If the registry already has metrics of the same names.
    pub fn new(flags: &Flags, registry: Option<&Registry>) -> Result<PolkaVm, SetupError> {
        PolkaVm::with_limits(flags, registry, &Limits::new(flags), None)
    }

    /// As [`PolkaVm::new`], with a disk cache (unless the flags give it no space) and a folder for records of
    /// differences. Creates the folders if necessary. A folder that is unusable, or writable by others, is logged and
    /// otherwise ignored.
    ///
    /// # Errors
    /// As [`PolkaVm::new`].
    pub fn with_folders(flags: &Flags, registry: Option<&Registry>, folders: &Folders) -> Result<PolkaVm, SetupError> {
        PolkaVm::with_limits(flags, registry, &Limits::new(flags), Some(folders))
    }

    /// As [`PolkaVm::with_folders`], with other limits: for tests that reach them.
    #[doc(hidden)]
    pub fn with_limits(
        flags: &Flags,
        registry: Option<&Registry>,
        limits: &Limits,
        folders: Option<&Folders>,
    ) -> Result<PolkaVm, SetupError> {
        let engine = Engine::new(&flags.engine_config()).map_err(SetupError::Engine)?;
        let metrics = Metrics::new(registry).map_err(SetupError::Metrics)?;
        let is_compiling = engine.backend() == Backend::Jit;
        metrics.backend.set(u64::from(is_compiling));
        let memory = limits.memory_bytes;
        Ok(PolkaVm(Arc::new(Shared {
            engine: RwLock::new(engine),
            log_bytes: limits.log_bytes,
            budget: Budget::new(memory, &metrics),
            disk: folders.filter(|_| is_compiling).and_then(|folders| open_disk(folders, limits, &metrics)),
            audit: if is_compiling { Audit::new(limits.audit, memory) } else { None },
            gate: Gate::new(limits.off_chain_calls),
            // The other workers are reserved for blocks.
            off_chain_workers: Gate::new(flags.workers as usize / OFF_CHAIN_PART),
            off_chain_time: limits.off_chain_time,
            is_compiling,
            tier_gas: limits.tier_gas,
            compilers: match is_compiling && limits.tier_gas > 0 && limits.compiles_beside {
                true => [CallPurpose::OnChain, CallPurpose::OffChain].map(Compiler::new),
                false => [None, None],
            },
            is_distrusted: AtomicBool::new(false),
            alarm: Mutex::new(None),
            records: folders.map(|folders| folders.records.clone()),
            // Running programs need memory beside the cached ones.
            cache: Mutex::new(Cache::new(limits.cache_bytes.min(memory / 2))),
            off_chain_cache: Mutex::new(Cache::new((limits.cache_bytes / OFF_CHAIN_PART).min(memory / 8))),
            metrics,
        })))
    }

    /// Waits until the queues of the compilers, the disk cache and audits are empty, for tests.
    #[doc(hidden)]
    pub fn flush(&self) {
        self.0.compilers.iter().flatten().for_each(Compiler::flush);
        if let Some(disk) = &self.0.disk {
            disk.flush();
        }
        if let Some(audit) = &self.0.audit {
            audit.flush();
        }
    }

    /// Makes an off-chain runtime call with its limits: on time, on the number of calls that run contracts at once, and
    /// on workers and memory. A call that exceeds a limit unwinds, as a host function that panics does.
    pub fn off_chain<R>(&self, call: impl FnOnce() -> R) -> R {
        call::make_off_chain(self.0.off_chain_time, call)
    }

    /// Makes a runtime call for a block, limited by gas only. The default for calls of unknown purpose.
    pub fn on_chain<R>(&self, call: impl FnOnce() -> R) -> R {
        call::make_on_chain(call)
    }

    /// Makes a backend for the host functions, for a sequence of runtime calls.
    pub fn session(&self) -> Session {
        Session::new(self.0.clone())
    }

    /// Makes a backend for the SDK's virtualization host functions.
    pub fn virtualization(&self) -> Virtualization {
        Virtualization::new(self.0.clone())
    }

    /// The extensions factory for a client's runtime calls.
    pub fn extensions(&self) -> SessionFactory {
        SessionFactory::new(self.clone())
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// True if programs are compiled.
    pub fn is_compiling(&self) -> bool {
        self.0.engine().backend() == Backend::Jit
    }

    /// The difference found between compiled code and the interpreter, if any: since then programs are interpreted.
    pub fn alarm(&self) -> Option<String> {
        lock(&self.0.alarm).clone()
    }

    /// The reason for which [`BackendChoice::Auto`] chose the interpreter, if it did.
    pub fn fallback_reason(&self) -> Option<String> {
        self.0.engine().fallback_reason().map(ToString::to_string)
    }

    /// Logs the backend, as a warning if it is weaker than the flags allow.
    pub fn announce(&self, flags: &Flags) {
        let is_less = self.fallback_reason().is_some() || !self.0.engine().missing_protection().is_empty();
        let level = if is_less { log::Level::Warn } else { log::Level::Info };
        log::log!(target: LOG_TARGET, level, "{}", self.describe(flags));
    }

    /// Describes the backend and the reason for it, for the operator's log.
    pub fn describe(&self, flags: &Flags) -> String {
        let missing = self.0.engine().missing_protection();
        if let Some(alarm) = self.alarm() {
            return format!("PolkaVM: interpreter, as {alarm}");
        }
        match self.fallback_reason() {
            None if !self.is_compiling() => "PolkaVM: interpreter, as the flags say".into(),
            Some(reason) => format!("PolkaVM: interpreter, slower than need be: {reason}"),
            None if missing.is_empty() => format!("PolkaVM: jit, sandbox: full, {} workers", flags.workers),
            None => {
                let missing: Vec<_> = missing.iter().map(|missing| missing.what).collect();
                format!("PolkaVM: jit, sandbox: without {}, {} workers", missing.join(", "), flags.workers)
            }
        }
    }
}

/// Divisor of the number of workers: the part that off-chain calls may have.
const OFF_CHAIN_PART: usize = 4;
/// Divisor of the memory: the part that programs waiting for the disk may hold.
const DISK_PART: usize = 16;

fn open_disk(folders: &Folders, limits: &Limits, metrics: &Metrics) -> Option<Disk> {
    let (folder, limit) = (folders.cache.as_path(), limits.disk_bytes);
    if limit == 0 {
        return None;
    }
    match Disk::open(folder, &folders.key, limit, limits.memory_bytes / DISK_PART, metrics) {
        Ok(disk) => {
            let size = limit >> 20;
            log::info!(target: LOG_TARGET, "Compiled contracts are kept in {}, up to {size} MiB", folder.display());
            Some(disk)
        }
        Err(error) => {
            log::warn!(target: LOG_TARGET, "Compiled contracts are not kept in {}: {error}", folder.display());
            None
        }
    }
}

/// Error of setting up the backend that the flags select.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The engine could not be set up.
    Engine(Error),
    /// The metrics could not be registered.
    Metrics(PrometheusError),
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetupError::Engine(error) => write!(
                f,
                "--polkavm-backend jit: {error}. `polkavm-check` shows what this machine supports; \
                 --polkavm-backend auto starts without the JIT"
            ),
            SetupError::Metrics(error) => write!(f, "PolkaVM metrics: {error}"),
        }
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SetupError::Engine(error) => Some(error),
            SetupError::Metrics(error) => Some(error),
        }
    }
}
