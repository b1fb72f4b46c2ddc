//! The engine: selects the backend, and owns the sandboxed workers if it is the compiler.

use crate::config::{Backend, Config};
use crate::error::Error;
use crate::sandbox::{ForkedPool, Pool, SandboxError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Runs programs. Cheap to clone; can be shared between threads.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    /// The worker pool, if programs are compiled.
    pool: Option<Arc<Pool>>,
    /// True if programs that cannot be compiled are interpreted.
    may_fall_back: bool,
    /// The first reason for which the interpreter was used instead of the compiler.
    fallback_reason: OnceLock<Error>,
    trouble: Mutex<Trouble>,
    trace_execution: bool,
    /// See [`Config::set_verify_code`].
    verifies_code: bool,
    next_module: AtomicU64,
}

/// An engine for a forked child: made by [`Engine::prepare_fork`] before the fork, used in the child.
#[must_use]
pub struct ForkedEngine {
    pool: Option<ForkedPool>,
    may_fall_back: bool,
    fallback_reason: OnceLock<Error>,
    trace_execution: bool,
    verifies_code: bool,
}

impl ForkedEngine {
    /// Converts it into the engine of this process, the forked child. Modules of the parent's engine are moved to it by
    /// [`crate::Module::for_engine`].
    pub fn into_engine(self) -> Engine {
        Engine(Arc::new(Inner {
            pool: self.pool.map(ForkedPool::into_pool),
            may_fall_back: self.may_fall_back,
            fallback_reason: self.fallback_reason,
            trouble: Mutex::default(),
            trace_execution: self.trace_execution,
            verifies_code: self.verifies_code,
            next_module: AtomicU64::new(1),
        }))
    }
}

/// Backoff after failures to get a worker.
#[derive(Default)]
struct Trouble {
    /// Time until which no worker is requested.
    until: Option<Instant>,
    /// Length of the next pause.
    pause: Duration,
}

/// Pause after the first failure to get a worker; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Sets up an engine. For the compiler this starts the zygote.
    ///
    /// # Errors
    /// With [`Backend::Jit`], if programs cannot be compiled or sandboxed on this machine: the error says what is
    /// missing and what to change.
    pub fn new(config: &Config) -> Result<Engine, Error> {
        config.warn_of_ignored();
        if config.trace_execution {
            log::warn!(target: "pvm::engine", "every instruction is traced; programs are hundreds of times as slow");
        }
        let (pool, fallback_reason) = match config.backend {
            Backend::Interpreter => (None, None),
            Backend::Jit => (Some(pool(config)?), None),
            Backend::Auto => match pool(config) {
                Ok(pool) => (Some(pool), None),
                Err(error) => {
                    log::warn!(target: "pvm::engine", "programs are interpreted, not compiled: {error}");
                    (None, Some(error))
                }
            },
        };
        if let Some(pool) = &pool {
            for missing in pool.missing() {
                log::warn!(
                    target: "pvm::engine",
                    "the sandbox is weaker than it could be: no {} (error number {}); {}",
                    missing.what, missing.errno, missing.fix
                );
            }
        }
        Ok(Engine(Arc::new(Inner {
            pool,
            may_fall_back: config.backend == Backend::Auto,
            fallback_reason: fallback_reason.map_or_else(OnceLock::new, OnceLock::from),
            trouble: Mutex::default(),
            trace_execution: config.trace_execution,
            verifies_code: config.verifies_code(),
            next_module: AtomicU64::new(1),
        })))
    }

    /// The backend in use: [`Backend::Jit`] or [`Backend::Interpreter`].
    pub fn backend(&self) -> Backend {
        if self.0.pool.is_some() { Backend::Jit } else { Backend::Interpreter }
    }

    /// The first reason for which [`Backend::Auto`] fell back to the interpreter, at start or later for some instances.
    /// Later reasons are only logged.
    pub fn fallback_reason(&self) -> Option<&Error> {
        self.0.fallback_reason.get()
    }

    /// Protections that compiled code runs without, with [`crate::Sandbox::BestEffort`] on a machine that lacks them.
    pub fn missing_protection(&self) -> Vec<crate::Missing> {
        self.0.pool.as_ref().map(|pool| pool.missing()).unwrap_or_default()
    }

    /// Optional kernel protections around compiled code, present or missing. [`crate::Sandbox::Required`] requires none
    /// of them; each is an additional line of defence.
    pub fn layers(&self) -> Vec<crate::Layer> {
        self.0.pool.as_ref().map(|pool| pool.layers()).unwrap_or_default()
    }

    /// The total CPU time of this engine's workers, ended ones included: to be added to this process's own. Workers are
    /// no children of this process, so the kernel does not include their time in RUSAGE_CHILDREN. Zero if programs are
    /// interpreted.
    pub fn cpu_time(&self) -> Duration {
        self.0.pool.as_ref().map_or(Duration::ZERO, |pool| pool.cpu_time())
    }

    /// Prepares an engine for a child that this process is about to fork. The child cannot use anything that belongs to
    /// this engine; there [`ForkedEngine::into_engine`] makes an engine of its own, without system calls that open
    /// files or sockets, so that this process may have forbidden itself those after [`Engine::new`].
    ///
    /// The parent must drop the returned value after the fork. Then the child's workers end with the child, however it
    /// ends, and at the latest with the parent's engine. The child has to stay in the pid and user namespaces of its
    /// parent.
    ///
    /// # Errors
    /// If the zygote does not answer, or this is a forked child of the engine's process.
    pub fn prepare_fork(&self) -> Result<ForkedEngine, Error> {
        let pool = self.0.pool.as_ref().map(|pool| pool.prepare_fork()).transpose()?;
        Ok(ForkedEngine {
            pool,
            may_fall_back: self.0.may_fall_back,
            fallback_reason: self.0.fallback_reason.clone(),
            trace_execution: self.0.trace_execution,
            verifies_code: self.0.verifies_code,
        })
    }

    /// Returns true if `other` is a handle of the same engine.
    pub(crate) fn is(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        self.0.pool.as_ref()
    }

    pub(crate) fn may_fall_back(&self) -> bool {
        self.0.may_fall_back
    }

    /// Returns true if machine code is verified before it runs.
    #[cfg_attr(not(jit_supported), allow(dead_code, reason = "for compiled code"))]
    pub(crate) fn verifies_code(&self) -> bool {
        self.0.verifies_code
    }

    /// Returns true if the engine backs off after failures to get a worker.
    pub(crate) fn is_in_trouble(&self) -> bool {
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.may_fall_back && trouble.until.is_some_and(|until| Instant::now() < until)
    }

    /// Records that an instance is interpreted because it could not get a worker.
    pub(crate) fn fall_back(&self, error: &Error) {
        let is_news = {
            let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let is_news = trouble.until.is_none_or(|until| until <= now);
            if is_news {
                trouble.pause = (2 * trouble.pause).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                // Workers in use can be returned at any time.
                let may_pass = matches!(error, Error::Sandbox(SandboxError::TooManyWorkers { .. }));
                trouble.until = Some(if may_pass { now } else { now + trouble.pause });
            }
            is_news
        };
        let is_first = self.0.fallback_reason.set(error.clone()).is_ok();
        match is_first || is_news {
            true => log::warn!(target: "pvm::engine", "an instance is interpreted, not compiled: {error}"),
            false => log::debug!(target: "pvm::engine", "an instance is interpreted, not compiled: {error}"),
        }
    }

    /// Ends the backoff: a worker was available.
    pub(crate) fn end_trouble(&self) {
        let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.until.is_some() {
            *trouble = Trouble::default();
        }
    }

    /// Returns true if each instruction is logged.
    pub(crate) fn trace_execution(&self) -> bool {
        self.0.trace_execution
    }

    /// Returns a number that is unique among this engine's modules.
    pub(crate) fn next_module(&self) -> u64 {
        self.0.next_module.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(jit_supported)]
fn pool(config: &Config) -> Result<Arc<Pool>, Error> {
    use pvm_assembler::Feature;
    // Processor features required by the assembler's forms.
    let mut features = pvm_assembler::forms::required_features().map(|feature| match feature {
        Feature::Bmi1 => (std::is_x86_feature_detected!("bmi1"), "the processor has no BMI1 instructions"),
        Feature::Bmi2 => (std::is_x86_feature_detected!("bmi2"), "the processor has no BMI2 instructions"),
        Feature::Lzcnt => (std::is_x86_feature_detected!("lzcnt"), "the processor has no LZCNT instruction"),
        Feature::Popcnt => (std::is_x86_feature_detected!("popcnt"), "the processor has no POPCNT instruction"),
    });
    if let Some((_, missing)) = features.find(|(is_there, _)| !is_there) {
        return Err(Error::NoCompiler { missing });
    }
    Ok(Pool::new(config.settings.clone())?)
}

#[cfg(not(jit_supported))]
fn pool(_: &Config) -> Result<Arc<Pool>, Error> {
    Err(Error::NoCompiler { missing: "the compiler is for Linux on AMD64" })
}
