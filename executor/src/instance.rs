//! Instance that survives the loss of its worker: its log is replayed on the interpreter, which continues.

use crate::call::{self, CallPurpose, OffChain, Permit, Refusal, refuse};
use crate::module::Loaded;
use crate::record::Record;
use crate::replay::{Differs, Late, Log, ReplayError, Stopped, run_interpreted};
use crate::throttle::throttled;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Error, RawInstance};
use pvm_host_interface::{AccessError, Stop};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use vm_core::Outcome;
use vm_core::interpreter;
use vm_core::isa::Reg;
use vm_core::memory::MemoryError;

/// An instance that survives the loss of its worker.
pub(crate) struct RecoverableInstance {
    shared: Arc<Shared>,
    loaded: Arc<Loaded>,
    backend: BackendInstance,
    purpose: CallPurpose,
    /// The time at which it stopped for a host call.
    stopped: Option<Instant>,
}

/// An instance on one of the two backends.
pub(crate) enum BackendInstance {
    /// In a worker, with the log for recovery on the interpreter.
    Compiled {
        instance: RawInstance,
        log: Log,
        /// The worker is one of the share of off-chain calls.
        _permit: Option<Permit>,
    },
    Interpreted(Box<interpreter::Instance>),
}

impl RecoverableInstance {
    /// A fresh instance, interpreted if no worker is available.
    pub fn new(shared: &Arc<Shared>, loaded: Arc<Loaded>, purpose: CallPurpose) -> RecoverableInstance {
        let metrics = &shared.metrics;
        metrics.instances_total.inc();
        let backend = match BackendInstance::compiled(shared, &loaded, purpose) {
            Some(backend) => backend,
            None => {
                if shared.was_compiling() {
                    metrics.interpreted_total.inc();
                }
                BackendInstance::interpreted(&loaded)
            }
        };
        RecoverableInstance { shared: shared.clone(), loaded, backend, purpose, stopped: None }
    }

    /// The program.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Prepares to call the function at a code offset.
    pub fn prepare_call(&mut self, entry: u32) {
        self.backend.prepare_call(entry);
        self.stopped = None;
    }

    /// Runs until the next stop, even if the worker is lost.
    pub fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        let metrics = &self.shared.metrics;
        let started = Instant::now();
        if let Some(stopped) = self.stopped {
            metrics.host_call_seconds_total.inc_by(started.duration_since(stopped).as_secs_f64());
        }
        let stop = self.run_backend(gas, result).stop();
        let now = Instant::now();
        let metrics = &self.shared.metrics;
        metrics.guest_seconds_total.inc_by(now.duration_since(started).as_secs_f64());
        self.stopped = None;
        if let Outcome::HostCall(_) = stop.outcome {
            metrics.host_calls_total.inc();
            self.stopped = Some(now);
        }
        stop
    }

    fn run_backend(&mut self, gas: i64, result: Option<u64>) -> Stopped {
        if self.shared.is_distrusted() {
            // Compiled code was found to be wrong since this instance began.
            self.replay();
        }
        match self.backend.run(gas, result) {
            Ok(Some(stopped)) => {
                self.bound_log();
                return stopped;
            }
            Ok(None) => {}
            Err(error) => {
                self.shared.metrics.worker_deaths_total.inc();
                throttled!(
                    log::Level::Warn,
                    "A worker was lost while it ran a program; it is run again on the interpreter: {error}"
                );
                self.replay();
                self.shared.metrics.recoveries_total.inc();
            }
        }
        let off_chain = call::off_chain();
        match run_interpreted(self.replay(), gas, result, deadline(&off_chain)) {
            Ok(stopped) => stopped,
            Err(Late) => refuse(&self.shared, Refusal::Deadline),
        }
    }

    /// Moves to the interpreter once there is no memory for the log. The replay takes no longer than interpreting from the
    /// start.
    fn bound_log(&mut self) {
        if matches!(&self.backend, BackendInstance::Compiled { log, .. } if !log.has_room()) {
            self.shared.metrics.long_logs_total.inc();
            log::debug!(target: LOG_TARGET, "A program goes on interpreted: the log of what it was given is full");
            self.replay();
        }
    }

    /// Replays the log on the interpreter, which takes over from the worker's last stop. Does nothing if the instance is
    /// interpreted already.
    ///
    /// # Panics
    /// If the interpreter does anything else than the worker did: a consensus bug, or a hostile worker. The runtime has acted
    /// on what the worker did, so no answer is right any more; the panic ends the runtime call. Nothing runs compiled after
    /// that.
    fn replay(&mut self) -> &mut interpreter::Instance {
        if let BackendInstance::Compiled { log, .. } = &self.backend {
            self.shared.metrics.interpreted_total.inc();
            let off_chain = call::off_chain();
            let mut instance = interpreter::Instance::new(self.loaded.program.clone());
            match log.replay(&mut instance, deadline(&off_chain)) {
                Ok(()) => {}
                Err(ReplayError::Late) => refuse(&self.shared, Refusal::Deadline),
                Err(ReplayError::Differs(differs)) => self.end_with(&differs),
            }
            self.backend = BackendInstance::Interpreted(Box::new(instance));
        }
        match &mut self.backend {
            BackendInstance::Interpreted(instance) => instance,
            BackendInstance::Compiled { .. } => unreachable!("it was replayed"),
        }
    }

    fn end_with(&self, differs: &Differs) -> ! {
        if let BackendInstance::Compiled { log, .. } = &self.backend {
            self.shared.distrust(&Record::new(&self.loaded, log.events(), differs));
        }
        panic!("compiled code and the interpreter differ: {differs}");
    }

    /// The code offset at which it stopped.
    pub fn program_counter(&mut self) -> Option<u32> {
        let counter = self.backend.program_counter();
        self.bound_log();
        counter
    }

    /// Reads guest memory. The memory of a dead worker is as it was at the last stop: the host shares it.
    pub fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        let result = self.backend.read_memory(address, out);
        self.bound_log();
        result
    }

    /// Writes guest memory.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        let result = self.backend.write_memory(address, data);
        self.bound_log();
        result
    }

    /// Writes zeros to guest memory.
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        let result = self.backend.zero_memory(address, length);
        self.bound_log();
        result
    }
}

impl Drop for RecoverableInstance {
    fn drop(&mut self) {
        if self.purpose == CallPurpose::OffChain {
            return;
        }
        if let Some(audit) = &self.shared.audit
            && let BackendInstance::Compiled { log, .. } = &mut self.backend
            && log.has_room()
        {
            audit.offer(&self.shared, &self.loaded, || log.take());
        }
    }
}

fn deadline(off_chain: &Option<Rc<OffChain>>) -> Option<Instant> {
    off_chain.as_ref().map(|call| call.deadline())
}

impl BackendInstance {
    fn interpreted(loaded: &Loaded) -> BackendInstance {
        BackendInstance::Interpreted(Box::new(interpreter::Instance::new(loaded.program.clone())))
    }

    /// An instance in a worker, if the program is compiled and a worker is free.
    pub fn compiled(shared: &Shared, loaded: &Loaded, purpose: CallPurpose) -> Option<BackendInstance> {
        let module = loaded.compiled.as_ref().filter(|_| !shared.is_distrusted())?;
        let permit = match purpose {
            CallPurpose::OnChain => None,
            CallPurpose::OffChain => match shared.off_chain_workers.try_enter() {
                Some(permit) => Some(permit),
                None => {
                    shared.metrics.workers_refused_total.inc();
                    return None;
                }
            },
        };
        match module.instantiate_compiled() {
            Ok(instance) => {
                Some(BackendInstance::Compiled { instance, log: Log::new(shared, purpose), _permit: permit })
            }
            Err(error) => {
                throttled!(log::Level::Warn, "A program is interpreted, there is no worker for it: {error}");
                shared.metrics.workers_refused_total.inc();
                None
            }
        }
    }

    /// See [`RecoverableInstance::prepare_call`], here and below.
    pub fn prepare_call(&mut self, entry: u32) {
        match self {
            BackendInstance::Compiled { instance, log, .. } => {
                instance.prepare_call(entry, &[]);
                log.call(entry);
            }
            BackendInstance::Interpreted(instance) => instance.prepare_call(entry, &[]),
        }
    }

    /// Runs compiled code until its next stop; `None` if the program is interpreted.
    ///
    /// # Errors
    /// If the worker was lost.
    pub fn run(&mut self, gas: i64, result: Option<u64>) -> Result<Option<Stopped>, Error> {
        let BackendInstance::Compiled { instance, log, .. } = self else { return Ok(None) };
        let stopped = run_compiled(instance, gas, result)?;
        log.run(gas, result, &stopped);
        Ok(Some(stopped))
    }

    pub fn program_counter(&mut self) -> Option<u32> {
        match self {
            BackendInstance::Compiled { instance, log, .. } => {
                let counter = instance.pc();
                log.counter(counter);
                counter
            }
            BackendInstance::Interpreted(instance) => instance.pc(),
        }
    }

    pub fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        match self {
            BackendInstance::Compiled { instance, log, .. } => {
                let length = out.len();
                let result = instance.read_memory(address, out).map_err(out_of_bounds);
                log.read(address, length, result.map(|()| &*out));
                result
            }
            BackendInstance::Interpreted(instance) => instance.read_memory(address, out).map_err(out_of_bounds),
        }
    }

    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        match self {
            BackendInstance::Compiled { instance, log, .. } => {
                let result = instance.write_memory(address, data).map_err(out_of_bounds);
                log.write(address, data, result);
                result
            }
            BackendInstance::Interpreted(instance) => instance.write_memory(address, data).map_err(out_of_bounds),
        }
    }

    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        match self {
            BackendInstance::Compiled { instance, log, .. } => {
                let result = instance.zero_memory(address, length).map_err(out_of_bounds);
                log.zero(address, length, result);
                result
            }
            BackendInstance::Interpreted(instance) => instance.zero_memory(address, length).map_err(out_of_bounds),
        }
    }
}

fn run_compiled(instance: &mut RawInstance, gas: i64, result: Option<u64>) -> Result<Stopped, Error> {
    if let Some(result) = result {
        instance.set_reg(Reg::A0, result);
    }
    instance.set_gas(gas);
    let outcome = instance.run()?;
    Ok(Stopped { outcome, gas: instance.gas(), regs: Reg::ALL.map(|reg| instance.reg(reg)) })
}

fn out_of_bounds(_: MemoryError) -> AccessError {
    AccessError::OutOfBounds
}
