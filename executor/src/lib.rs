//! The node's side of the PolkaVM host functions.
//!
//! A node makes one [`PolkaVm`] from its [`Flags`] and gives it to its client ([`PolkaVm::extensions`]), which puts a
//! [`Session`] among the extensions of every runtime call. A session holds the instances of one call. Modules are loaded
//! once, kept in a cache that all sessions share, and run in the engine's sandboxed workers; if one is lost, the session
//! replays what was done on the interpreter, and goes on there.
//!
//! Promises: what a runtime sees never depends on the flags, the cache or the fate of a worker. A difference between
//! compiled code and the interpreter that comes to light in a replay ends the runtime call with a panic, as no answer
//! would be right.

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
mod metrics;
mod module;
mod record;
mod replay;
mod session;
mod throttle;
mod virtualization;

pub use call::CallKind;
pub use check::Report;
pub use executor::BoundedExecutor;
pub use extension::SessionFactory;
pub use flags::{BackendChoice, Flags, SandboxChoice};
pub use metrics::Metrics;
pub use record::{RecordError, Replayed};
pub use session::Session;
pub use virtualization::Virtualization;

use audit::Audit;
use budget::Budget;
use cache::Cache;
use call::Gate;
use disk::Disk;
use pvm_engine::{Backend, Config, Engine, Error, Sandbox};
use record::Record;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use substrate_prometheus_endpoint::{PrometheusError, Registry};

/// The target of everything that is logged here.
pub const LOG_TARGET: &str = "polkavm";

/// For how long compiled code may run between two host calls before its worker is taken for lost. A block's whole weight
/// is a second of interpretation, which compiled code does in a fraction of it.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The same in real time: a worker that is stopped, or gets no processor, is not waited for longer. The interpreter goes on
/// in its place, so on a throttled machine nothing is lost but speed.
const STALL_LIMIT: Duration = Duration::from_secs(20);

/// Most bytes that an instance's log takes. Beyond, the instance goes on interpreted.
const LOG_BYTES: usize = 16 << 20;

/// Where a node keeps what belongs to contracts and outlives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folders {
    /// A folder of compiled programs.
    pub cache: PathBuf,
    /// A file with the node's own key, without which nothing in the cache is believed. Not in a folder that is copied from
    /// node to node, such as that of the chain's database.
    pub key: PathBuf,
    /// A folder of records of runs in which compiled code and the interpreter differed.
    pub records: PathBuf,
}

impl Folders {
    /// The usual places: the key in the node's folder, the others in that of the chain.
    pub fn new(node: &Path, chain: &Path) -> Folders {
        Folders {
            cache: chain.join("polkavm-cache"),
            key: node.join("polkavm-cache.key"),
            records: chain.join("polkavm-records"),
        }
    }
}

/// What the flags say in numbers, and what they do not say. For tests of what happens at the limits.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of programs that are kept for later calls.
    pub cache_bytes: usize,
    /// Bytes of an instance's log.
    pub log_bytes: usize,
    /// Bytes of all that [`Flags::memory_size`] is about.
    pub memory_bytes: usize,
    /// Bytes of programs on disk.
    pub disk_bytes: u64,
    /// Off-chain calls that may run contracts at once, and for how long each may last.
    pub off_chain_calls: usize,
    pub off_chain_time: Duration,
    /// Audited instances of a hundred.
    pub audit: u8,
}

impl Limits {
    /// What the flags say.
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
        }
    }
}

/// What runs PolkaVM programs in this node. Cheap to clone; many threads may use one.
#[derive(Clone)]
pub struct PolkaVm(Arc<Shared>);

/// What all sessions share.
pub(crate) struct Shared {
    /// Replaced by one that interprets once compiled code was found to be wrong.
    engine: RwLock<Engine>,
    pub metrics: Metrics,
    pub log_bytes: usize,
    pub budget: Arc<Budget>,
    pub disk: Option<Disk>,
    pub audit: Option<Audit>,
    /// Off-chain calls that may run contracts, and the workers that they may have.
    pub gate: Arc<Gate>,
    pub off_chain_workers: Arc<Gate>,
    pub off_chain_time: Duration,
    is_distrusted: AtomicBool,
    /// What was found, for whoever asks.
    alarm: Mutex<Option<String>>,
    records: Option<PathBuf>,
    cache: Mutex<Cache>,
    off_chain_cache: Mutex<Cache>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind one is consistent after every statement that can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The programs that calls of a kind have loaded.
    pub fn cache(&self, kind: CallKind) -> MutexGuard<'_, Cache> {
        lock(match kind {
            CallKind::OnChain => &self.cache,
            CallKind::OffChain => &self.off_chain_cache,
        })
    }

    /// What loads programs.
    pub fn engine(&self) -> Engine {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether programs are compiled, or were until compiled code was found to be wrong.
    pub fn was_compiling(&self) -> bool {
        self.is_distrusted() || self.engine().backend() == Backend::Jit
    }

    /// Whether compiled code was found to be wrong: nothing runs compiled any more.
    pub fn is_distrusted(&self) -> bool {
        self.is_distrusted.load(Relaxed)
    }

    /// Compiled code did something else than the interpreter: raises the alarm, keeps the record, drops the workers and
    /// everything compiled, and interprets from now on.
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
            "{text}. Contracts are interpreted from now on. Please report this; until it is mended run the node with \
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
        for kind in [CallKind::OnChain, CallKind::OffChain] {
            self.cache(kind).clear();
        }
        self.metrics.cache_bytes.set(0);
    }
}

impl PolkaVm {
    /// Sets up what the flags ask for. Metrics go to the registry, if there is one. Nothing is kept on disk.
    ///
    /// # Errors
    /// With [`BackendChoice::Jit`], if this machine cannot compile or sandbox programs: the error says what is missing and
    /// what to change. If the registry has other metrics of the same names.
    pub fn new(flags: &Flags, registry: Option<&Registry>) -> Result<PolkaVm, SetupError> {
        PolkaVm::with_limits(flags, registry, &Limits::new(flags), None)
    }

    /// The same, and keeps compiled programs in a folder for the next start, unless the flags give it no room, and records of
    /// differences in another. Folders are made if need be. One that cannot be used, or that others could write, is logged and
    /// otherwise ignored.
    ///
    /// # Errors
    /// As [`PolkaVm::new`].
    pub fn with_folders(flags: &Flags, registry: Option<&Registry>, folders: &Folders) -> Result<PolkaVm, SetupError> {
        PolkaVm::with_limits(flags, registry, &Limits::new(flags), Some(folders))
    }

    /// The same with other limits, for tests of what happens at them.
    #[doc(hidden)]
    pub fn with_limits(
        flags: &Flags,
        registry: Option<&Registry>,
        limits: &Limits,
        folders: Option<&Folders>,
    ) -> Result<PolkaVm, SetupError> {
        let mut config = Config::new();
        config
            .set_backend(match flags.backend {
                BackendChoice::Auto => Backend::Auto,
                BackendChoice::Jit => Backend::Jit,
                BackendChoice::Interpreter => Backend::Interpreter,
            })
            .set_sandbox(match flags.sandbox {
                SandboxChoice::Required => Sandbox::Required,
                SandboxChoice::BestEffort => Sandbox::BestEffort,
            })
            .set_time_limit(TIME_LIMIT)
            .set_stall_limit(STALL_LIMIT)
            .set_workers(flags.workers as usize, flags.workers as usize);
        let engine = Engine::new(&config).map_err(SetupError::Engine)?;
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
            // The others are there for blocks.
            off_chain_workers: Gate::new(flags.workers as usize / OFF_CHAIN_PART),
            off_chain_time: limits.off_chain_time,
            is_distrusted: AtomicBool::new(false),
            alarm: Mutex::new(None),
            records: folders.map(|folders| folders.records.clone()),
            // What runs needs memory beside what is kept.
            cache: Mutex::new(Cache::new(limits.cache_bytes.min(memory / 2))),
            off_chain_cache: Mutex::new(Cache::new((limits.cache_bytes / OFF_CHAIN_PART).min(memory / 8))),
            metrics,
        })))
    }

    /// Waits until all that was compiled is on disk, and all that is to be audited is, for tests.
    #[doc(hidden)]
    pub fn flush(&self) {
        if let Some(disk) = &self.0.disk {
            disk.flush();
        }
        if let Some(audit) = &self.0.audit {
            audit.flush();
        }
    }

    /// Makes a runtime call for somebody who asks, with the bounds for that: its contracts may take no longer than the flags
    /// say, wait for each other, and get a share of workers and memory. Beyond them the call unwinds, as a host function that
    /// panics does.
    pub fn off_chain<R>(&self, call: impl FnOnce() -> R) -> R {
        call::make_off_chain(self.0.off_chain_time, call)
    }

    /// Makes a runtime call for a block, which nothing bounds but gas. So are all calls that nothing is said about.
    pub fn on_chain<R>(&self, call: impl FnOnce() -> R) -> R {
        call::make_on_chain(call)
    }

    /// A backend for the host functions of one runtime call after the other.
    pub fn session(&self) -> Session {
        Session::new(self.0.clone())
    }

    /// A backend for the SDK's virtualization host functions.
    pub fn virtualization(&self) -> Virtualization {
        Virtualization::new(self.0.clone())
    }

    /// What makes a client use this for its runtime calls.
    pub fn extensions(&self) -> SessionFactory {
        SessionFactory::new(self.clone())
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Whether programs are compiled.
    pub fn is_compiling(&self) -> bool {
        self.0.engine().backend() == Backend::Jit
    }

    /// What compiled code did that the interpreter did not, if that ever came to light: then programs are interpreted.
    pub fn alarm(&self) -> Option<String> {
        lock(&self.0.alarm).clone()
    }

    /// Why [`BackendChoice::Auto`] came to be the interpreter, if it did.
    pub fn fallback_reason(&self) -> Option<String> {
        self.0.engine().fallback_reason().map(ToString::to_string)
    }

    /// Logs what runs programs here, as a warning if that is not what the flags hoped for.
    pub fn announce(&self, flags: &Flags) {
        let is_less = self.fallback_reason().is_some() || !self.0.engine().missing_protection().is_empty();
        let level = if is_less { log::Level::Warn } else { log::Level::Info };
        log::log!(target: LOG_TARGET, level, "{}", self.describe(flags));
    }

    /// One line for the operator: what runs programs here and why.
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

/// The share of workers that off-chain calls may have: one part in so many.
const OFF_CHAIN_PART: usize = 4;
/// The share of memory that programs which wait for the disk may hold.
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

/// Why programs cannot be run as the flags ask for.
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
