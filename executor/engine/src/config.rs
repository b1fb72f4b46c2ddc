//! Configuration of an engine, by the embedder and in part from the environment.

use crate::error::Error;
use crate::sandbox::{Sandbox, Settings};
use std::path::Path;
use std::time::Duration;

/// Backend: the way programs are run. Affects speed only; results are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Backend {
    /// Compiled if possible on this machine, else interpreted. The reason for falling back is logged, and returned by
    /// [`crate::Engine::fallback_reason`].
    #[default]
    Auto,
    /// Compiled; an error if that is not possible.
    Jit,
    /// Interpreted.
    Interpreter,
}

impl Backend {
    const NAMES: [(&'static str, Backend); 3] =
        [("auto", Backend::Auto), ("jit", Backend::Jit), ("interpreter", Backend::Interpreter)];
}

/// Settings of an [`crate::Engine`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) backend: Backend,
    pub(crate) settings: Settings,
    /// A weaker sandbox requested by the environment, but not allowed yet.
    weaker: Option<Sandbox>,
    pub(crate) trace_execution: bool,
    /// See [`Config::set_verify_code`]; `None` until the embedder chooses.
    verify_code: Option<bool>,
}

impl Config {
    /// Makes the default configuration: [`Backend::Auto`], [`Sandbox::Required`].
    pub fn new() -> Config {
        Config::default()
    }

    /// Makes the default configuration, changed by `POLKAVM_BACKEND` (`auto`, `jit`, `interpreter`), `POLKAVM_SANDBOX`
    /// (`required`, `best-effort`) and `POLKAVM_TRACE_EXECUTION` (`0`, `1`, `false`, `true`). The environment can
    /// choose speed and logging, never the results of a program; a weaker sandbox only takes effect after
    /// [`Config::allow_weaker_sandbox`].
    ///
    /// # Errors
    /// If a variable has another value than these.
    pub fn from_env() -> Result<Config, Error> {
        Config::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let mut config = Config::default();
        if let Some(value) = get("POLKAVM_BACKEND") {
            config.backend = lookup("POLKAVM_BACKEND", &value, &Backend::NAMES)?;
        }
        if let Some(value) = get("POLKAVM_SANDBOX") {
            let names = [("required", Sandbox::Required), ("best-effort", Sandbox::BestEffort)];
            let wanted = lookup("POLKAVM_SANDBOX", &value, &names)?;
            config.weaker = (wanted != Sandbox::Required).then_some(wanted);
        }
        if let Some(value) = get("POLKAVM_TRACE_EXECUTION") {
            let names = [("0", false), ("1", true), ("false", false), ("true", true)];
            config.trace_execution = lookup("POLKAVM_TRACE_EXECUTION", &value, &names)?;
        }
        Ok(config)
    }

    /// Accepts a weaker sandbox that the environment requests.
    pub fn allow_weaker_sandbox(&mut self) -> &mut Config {
        if let Some(weaker) = self.weaker.take() {
            self.settings.sandbox = weaker;
        }
        self
    }

    /// Sets the backend.
    pub fn set_backend(&mut self, backend: Backend) -> &mut Config {
        self.backend = backend;
        self
    }

    /// Sets the protection that compiled code requires.
    pub fn set_sandbox(&mut self, sandbox: Sandbox) -> &mut Config {
        (self.settings.sandbox, self.weaker) = (sandbox, None);
        self
    }

    /// Sets the limit of CPU time for compiled code between two host calls; 10 seconds by default, `None` for no limit.
    /// A worker that exceeds it is killed, and the run is an error. Gas bounds a run much sooner; this limit contains
    /// bugs of the compiler. Time in which the machine is busy, throttled or suspended does not count.
    pub fn set_time_limit(&mut self, limit: impl Into<Option<Duration>>) -> &mut Config {
        self.settings.time_limit = limit.into();
        self
    }

    /// Sets the limit of real time for compiled code between two host calls: a backstop against a worker that is
    /// stopped or never scheduled. By default sixty times the limit of CPU time, or none if that is unlimited.
    pub fn set_stall_limit(&mut self, limit: Duration) -> &mut Config {
        self.settings.stall_limit = Some(limit);
        self
    }

    /// Sets the maximum number of idle workers, which have a module and no instance (64 by default), and of all workers
    /// (4096).
    pub fn set_workers(&mut self, idle: usize, all: usize) -> &mut Config {
        (self.settings.idle, self.settings.workers) = (idle, all);
        self
    }

    /// Sets the maximum number of workers made in advance, for programs that have none yet (64 by default). The reserve
    /// grows with demand; with 0 each new program waits for its worker to be made.
    pub fn set_reserve(&mut self, workers: usize) -> &mut Config {
        self.settings.reserve = workers;
        self
    }

    /// Gives every instance a fresh process. Off by default: a process is reused for instances of the same module, and
    /// of no other.
    pub fn set_fresh_workers(&mut self, fresh: bool) -> &mut Config {
        self.settings.fresh_workers = fresh;
        self
    }

    /// Strict mode: protects workers against side channels at the cost of speed, as far as kernel and processor support
    /// it ([`crate::Engine::layers`]): no speculative store bypass, no indirect branch speculation, and no other
    /// process on the other hardware thread of a core. Off by default.
    pub fn set_strict(&mut self, strict: bool) -> &mut Config {
        self.settings.is_strict = strict;
        self
    }

    /// Sets the cgroup of the workers: a folder such as `/sys/fs/cgroup/polkavm`, into which the workers and no other
    /// process of this program are moved. Its `memory.max` bounds their total memory, its `cpu.weight` lowers their
    /// priority. It has to exist, and to be writable.
    pub fn set_cgroup(&mut self, folder: impl AsRef<Path>) -> &mut Config {
        self.settings.cgroup = Some(folder.as_ref().into());
        self
    }

    /// Logs each instruction: its code offset, its text, the registers that it changed, and the gas left, to the target
    /// `pvm::trace` at level trace. Off by default. Results are the same, but a run takes hundreds of times longer, and
    /// the time limit then applies to each instruction.
    pub fn set_trace_execution(&mut self, trace: bool) -> &mut Config {
        self.trace_execution = trace;
        self
    }

    /// Sets whether machine code is verified before it runs, compiled or stored: a pass that is independent of the compiler
    /// and accepts only what its rules can have made. By default on in builds with debug assertions and in strict mode
    /// ([`Config::set_strict`]), and off otherwise, as it adds up to two thirds to the time of compiling. Code that it refuses
    /// is a bug of the compiler; the program is interpreted or refused then, as the backend says.
    pub fn set_verify_code(&mut self, verify: bool) -> &mut Config {
        self.verify_code = Some(verify);
        self
    }

    /// Returns true if machine code is verified.
    pub(crate) fn verifies_code(&self) -> bool {
        self.verify_code.unwrap_or(cfg!(debug_assertions) || self.settings.is_strict)
    }

    pub(crate) fn warn_of_ignored(&self) {
        if let Some(weaker) = self.weaker {
            log::warn!(target: "pvm::engine", "POLKAVM_SANDBOX asks for {weaker:?}, which this program does not allow: ignored");
        }
    }
}

fn lookup<T: Copy>(variable: &'static str, value: &str, names: &[(&'static str, T)]) -> Result<T, Error> {
    names.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning).ok_or_else(|| Error::Environment {
        variable,
        value: value.to_owned(),
        allowed: names.iter().map(|(name, _)| *name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_variables(find)
    }

    #[test]
    fn the_environment_chooses_the_backend() {
        assert_eq!(config(&[]).unwrap().backend, Backend::Auto);
        assert_eq!(config(&[("POLKAVM_BACKEND", "jit")]).unwrap().backend, Backend::Jit);
        let error = config(&[("POLKAVM_BACKEND", "fast")]).unwrap_err().to_string();
        assert_eq!(error, "POLKAVM_BACKEND is \"fast\"; it can be auto, jit, interpreter");
    }

    #[test]
    fn the_environment_weakens_the_sandbox_only_if_it_is_allowed_to() {
        let mut config = config(&[("POLKAVM_SANDBOX", "best-effort")]).unwrap();
        assert_eq!(config.settings.sandbox, Sandbox::Required);
        config.allow_weaker_sandbox();
        assert_eq!(config.settings.sandbox, Sandbox::BestEffort);
    }

    #[test]
    fn the_environment_asks_for_a_trace_and_the_program_has_the_last_word() {
        for (value, expected) in [("1", true), ("true", true), ("0", false), ("false", false)] {
            assert_eq!(config(&[("POLKAVM_TRACE_EXECUTION", value)]).unwrap().trace_execution, expected);
        }
        let mut config = config(&[("POLKAVM_TRACE_EXECUTION", "1")]).unwrap();
        assert!(!config.set_trace_execution(false).trace_execution);
    }

    #[test]
    fn a_value_that_means_nothing_is_refused_with_those_that_do() {
        for (variable, value, allowed) in [
            ("POLKAVM_BACKEND", "JIT", "auto, jit, interpreter"),
            ("POLKAVM_BACKEND", "", "auto, jit, interpreter"),
            ("POLKAVM_SANDBOX", "off", "required, best-effort"),
            ("POLKAVM_SANDBOX", "off-for-tests", "required, best-effort"),
            ("POLKAVM_TRACE_EXECUTION", "yes", "0, 1, false, true"),
            ("POLKAVM_TRACE_EXECUTION", "1 ", "0, 1, false, true"),
        ] {
            let error = config(&[(variable, value)]).unwrap_err();
            assert!(matches!(&error, Error::Environment { variable: named, .. } if *named == variable));
            assert_eq!(error.to_string(), format!("{variable} is {value:?}; it can be {allowed}"));
        }
        assert!(config(&[("POLKAVM_OTHER", "anything"), ("POLKAVM_SANDBOX", "required")]).is_ok());
    }
}
