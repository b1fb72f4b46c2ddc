//! The engine: which backend runs programs here, and the caged workers if it is the compiler.

use crate::config::{Backend, Config};
use crate::error::Error;
use crate::sandbox::Pool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs programs. Cheap to clone; many threads may use one.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    /// The workers, if programs are compiled.
    pool: Option<Arc<Pool>>,
    /// Whether a program that cannot be compiled is interpreted.
    may_fall_back: bool,
    fallback_reason: Option<Error>,
    trace_execution: bool,
    next_module: AtomicU64,
}

impl Engine {
    /// Sets an engine up. With the compiler this starts the process that makes workers.
    ///
    /// # Errors
    /// With [`Backend::Jit`], if programs cannot be compiled or caged on this machine: the error says what is missing and
    /// what to change.
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
            fallback_reason,
            trace_execution: config.trace_execution,
            next_module: AtomicU64::new(1),
        })))
    }

    /// How programs are run: [`Backend::Jit`] or [`Backend::Interpreter`].
    pub fn backend(&self) -> Backend {
        if self.0.pool.is_some() { Backend::Jit } else { Backend::Interpreter }
    }

    /// Why [`Backend::Auto`] came to be the interpreter, if it did.
    pub fn fallback_reason(&self) -> Option<&Error> {
        self.0.fallback_reason.as_ref()
    }

    /// What protection there is not around compiled code: with [`crate::Sandbox::BestEffort`] on a machine that lacks it.
    pub fn missing_protection(&self) -> Vec<crate::Missing> {
        self.0.pool.as_ref().map(|pool| pool.missing()).unwrap_or_default()
    }

    /// Whether `other` is a handle of the same engine.
    pub(crate) fn is(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        self.0.pool.as_ref()
    }

    pub(crate) fn may_fall_back(&self) -> bool {
        self.0.may_fall_back
    }

    /// Whether each instruction is logged.
    pub(crate) fn trace_execution(&self) -> bool {
        self.0.trace_execution
    }

    /// A number that no other module of this engine has.
    pub(crate) fn next_module(&self) -> u64 {
        self.0.next_module.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn pool(config: &Config) -> Result<Arc<Pool>, Error> {
    let features = [
        (std::is_x86_feature_detected!("bmi1"), "the processor has no BMI1 instructions"),
        (std::is_x86_feature_detected!("bmi2"), "the processor has no BMI2 instructions"),
        (std::is_x86_feature_detected!("lzcnt"), "the processor has no LZCNT instruction"),
        (std::is_x86_feature_detected!("popcnt"), "the processor has no POPCNT instruction"),
    ];
    if let Some((_, missing)) = features.into_iter().find(|(there, _)| !there) {
        return Err(Error::NoCompiler { missing });
    }
    Ok(Pool::new(config.settings.clone())?)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn pool(_: &Config) -> Result<Arc<Pool>, Error> {
    Err(Error::NoCompiler { missing: "the compiler is for Linux on AMD64" })
}
