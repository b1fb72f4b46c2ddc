//! The node's side of the PolkaVM host functions.
//!
//! A node makes one [`PolkaVm`] from its [`Flags`] and gives it to its client ([`PolkaVm::extensions`]), which puts a
//! [`Session`] among the extensions of every runtime call. A session holds the instances of one call. Modules are loaded
//! once, kept in a cache that all sessions share, and run in the engine's caged workers; if one is lost, the session
//! replays what was done on the interpreter, and goes on there.
//!
//! Promises: what a runtime sees never depends on the flags, the cache or the fate of a worker. A difference between
//! compiled code and the interpreter that comes to light in a replay ends the runtime call with a panic, as no answer
//! would be right.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

mod cache;
mod check;
mod disk;
mod extension;
mod flags;
mod instance;
mod metrics;
mod module;
mod replay;
mod session;
mod virtualization;

pub use check::Report;
pub use extension::SessionFactory;
pub use flags::{BackendChoice, Flags, SandboxChoice};
pub use metrics::Metrics;
pub use session::Session;
pub use virtualization::Virtualization;

use cache::Cache;
use disk::Disk;
use pvm_engine::{Backend, Config, Engine, Error, Sandbox};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use substrate_prometheus_endpoint::{PrometheusError, Registry};

/// The target of everything that is logged here.
pub const LOG_TARGET: &str = "polkavm";

/// For how long compiled code may run between two host calls before its worker is taken for lost. A block's whole weight
/// is a second of interpretation, which compiled code does in a fraction of it.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Most bytes that an instance's log takes. Beyond, the instance goes on interpreted.
const LOG_BYTES: usize = 16 << 20;

/// What runs PolkaVM programs in this node. Cheap to clone; many threads may use one.
#[derive(Clone)]
pub struct PolkaVm(Arc<Shared>);

/// What all sessions share.
pub(crate) struct Shared {
    pub engine: Engine,
    pub metrics: Metrics,
    pub log_bytes: usize,
    pub disk: Option<Disk>,
    cache: Mutex<Cache>,
}

impl Shared {
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        // The cache is consistent after every statement that can panic.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PolkaVm {
    /// Sets up what the flags ask for. Metrics go to the registry, if there is one. Nothing is kept on disk.
    ///
    /// # Errors
    /// With [`BackendChoice::Jit`], if this machine cannot compile or cage programs: the error says what is missing and
    /// what to change. If the registry has other metrics of the same names.
    pub fn new(flags: &Flags, registry: Option<&Registry>) -> Result<PolkaVm, SetupError> {
        let memory = (flags.cache_size as usize) << 20;
        PolkaVm::with_limits(flags, registry, memory, LOG_BYTES, None)
    }

    /// The same, and keeps compiled programs in a folder for the next start, unless the flags give it no room. The folder is
    /// made if need be; it has to be safe from others' writing. If it cannot be used that is logged, and all.
    ///
    /// # Errors
    /// As [`PolkaVm::new`].
    pub fn with_disk_cache(flags: &Flags, registry: Option<&Registry>, folder: &Path) -> Result<PolkaVm, SetupError> {
        let memory = (flags.cache_size as usize) << 20;
        let disk = u64::from(flags.disk_cache_size) << 20;
        PolkaVm::with_limits(flags, registry, memory, LOG_BYTES, Some((folder, disk)))
    }

    /// The same with other limits in bytes, for tests of what happens at them.
    #[doc(hidden)]
    pub fn with_limits(
        flags: &Flags,
        registry: Option<&Registry>,
        cache_bytes: usize,
        log_bytes: usize,
        disk: Option<(&Path, u64)>,
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
            .set_workers(flags.workers as usize, flags.workers as usize);
        let engine = Engine::new(&config).map_err(SetupError::Engine)?;
        let metrics = Metrics::new(registry).map_err(SetupError::Metrics)?;
        metrics.backend.set(u64::from(engine.backend() == Backend::Jit));
        let disk = disk.filter(|(_, limit)| *limit > 0 && engine.backend() == Backend::Jit);
        let disk = disk.and_then(|(folder, limit)| match Disk::open(folder, limit, &metrics) {
            Ok(disk) => {
                log::info!(
                    target: LOG_TARGET,
                    "Compiled contracts are kept in {}, up to {} MiB",
                    folder.display(),
                    limit >> 20
                );
                Some(disk)
            }
            Err(error) => {
                log::warn!(target: LOG_TARGET, "Compiled contracts are not kept on disk, {}: {error}", folder.display());
                None
            }
        });
        let cache = Mutex::new(Cache::new(cache_bytes));
        Ok(PolkaVm(Arc::new(Shared { engine, metrics, log_bytes, disk, cache })))
    }

    /// Waits until all that was compiled is on disk, for tests.
    #[doc(hidden)]
    pub fn flush_disk_cache(&self) {
        if let Some(disk) = &self.0.disk {
            disk.flush();
        }
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
        self.0.engine.backend() == Backend::Jit
    }

    /// Why [`BackendChoice::Auto`] came to be the interpreter, if it did.
    pub fn fallback_reason(&self) -> Option<String> {
        self.0.engine.fallback_reason().map(ToString::to_string)
    }

    /// Logs what runs programs here, as a warning if that is not what the flags hoped for.
    pub fn announce(&self, flags: &Flags) {
        let is_less = self.fallback_reason().is_some() || !self.0.engine.missing_protection().is_empty();
        let level = if is_less { log::Level::Warn } else { log::Level::Info };
        log::log!(target: LOG_TARGET, level, "{}", self.describe(flags));
    }

    /// One line for the operator: what runs programs here and why.
    pub fn describe(&self, flags: &Flags) -> String {
        let missing = self.0.engine.missing_protection();
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
