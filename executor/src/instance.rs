//! One program in the course of being run, that outlives the worker it runs in.

use crate::module::Loaded;
use crate::replay::{ARGS, Log, run_interpreted};
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Error, RawInstance};
use pvm_host_interface::{AccessError, Stop};
use std::sync::Arc;
use std::time::Instant;
use vm_core::Outcome;
use vm_core::interpreter;
use vm_core::isa::Reg;
use vm_core::memory::MemoryError;

/// A program in the course of being run.
pub(crate) struct Running {
    shared: Arc<Shared>,
    loaded: Arc<Loaded>,
    machine: Machine,
    /// When it stopped for a host call.
    stopped: Option<Instant>,
}

enum Machine {
    /// In a worker, with what it takes to do without.
    Compiled {
        instance: RawInstance,
        log: Log,
    },
    Interpreted(Box<interpreter::Instance>),
}

impl Running {
    /// A fresh instance, interpreted if there is no worker for it.
    pub fn new(shared: &Arc<Shared>, loaded: Arc<Loaded>) -> Running {
        let metrics = &shared.metrics;
        metrics.instances_total.inc();
        let machine = match loaded.compiled.as_ref().map(|module| module.instantiate_compiled()) {
            Some(Ok(instance)) => Machine::Compiled { instance, log: Log::default() },
            Some(Err(error)) => {
                log::warn!(target: LOG_TARGET, "A program is interpreted, there is no worker for it: {error}");
                metrics.workers_refused_total.inc();
                metrics.interpreted_total.inc();
                Machine::interpreted(&loaded)
            }
            None => {
                if shared.engine.backend() == pvm_engine::Backend::Jit {
                    metrics.interpreted_total.inc();
                }
                Machine::interpreted(&loaded)
            }
        };
        Running { shared: shared.clone(), loaded, machine, stopped: None }
    }

    /// The program.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Prepares to call the function at a code offset.
    pub fn prepare_call(&mut self, entry: u32) {
        match &mut self.machine {
            Machine::Compiled { instance, log } => {
                instance.prepare_call(entry, &[]);
                log.call(entry);
            }
            Machine::Interpreted(instance) => instance.prepare_call(entry, &[]),
        }
        self.stopped = None;
    }

    /// Runs until the next stop, whatever becomes of the worker.
    pub fn run(&mut self, gas: i64, result: Option<u64>) -> Stop {
        let metrics = &self.shared.metrics;
        let started = Instant::now();
        if let Some(stopped) = self.stopped {
            metrics.host_call_seconds_total.inc_by(started.duration_since(stopped).as_secs_f64());
        }
        let stop = self.run_machine(gas, result);
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

    fn run_machine(&mut self, gas: i64, result: Option<u64>) -> Stop {
        let error = match &mut self.machine {
            Machine::Interpreted(instance) => return run_interpreted(instance, gas, result),
            Machine::Compiled { instance, log } => match run_compiled(instance, gas, result) {
                Ok(stop) => {
                    log.run(gas, result, &stop);
                    self.bound_log();
                    return stop;
                }
                Err(error) => error,
            },
        };
        let shared = self.shared.clone();
        shared.metrics.worker_deaths_total.inc();
        log::warn!(
            target: LOG_TARGET,
            "A worker was lost while it ran a program; it is run again on the interpreter: {error}"
        );
        let instance = self.replay();
        shared.metrics.recoveries_total.inc();
        run_interpreted(instance, gas, result)
    }

    /// Goes on interpreted once the log is too long. The replay takes no longer than running interpreted from the start.
    fn bound_log(&mut self) {
        if matches!(&self.machine, Machine::Compiled { log, .. } if log.bytes() > self.shared.log_bytes) {
            self.shared.metrics.long_logs_total.inc();
            log::debug!(target: LOG_TARGET, "A program goes on interpreted: the log of what it was given is full");
            self.replay();
        }
    }

    /// Brings the interpreter to where the worker was at its last stop, and goes on with it.
    ///
    /// # Panics
    /// If the interpreter does anything else than the worker did: a bug by which nodes differ. The runtime has acted on
    /// what the worker did, so no answer is right any more; the panic ends the runtime call.
    fn replay(&mut self) -> &mut interpreter::Instance {
        let mut instance = interpreter::Instance::new(self.loaded.program.clone());
        if let Machine::Compiled { log, .. } = &self.machine {
            self.shared.metrics.interpreted_total.inc();
            if let Err(differs) = log.replay(&mut instance) {
                log::error!(
                    target: LOG_TARGET,
                    "Compiled code and the interpreter differ: run {} of the program was otherwise than {:?}. Please \
                     report this; until it is mended run the node with --polkavm-backend interpreter",
                    differs.run, differs.stop
                );
                panic!("compiled code and the interpreter differ at run {}", differs.run);
            }
        }
        self.machine = Machine::Interpreted(Box::new(instance));
        match &mut self.machine {
            Machine::Interpreted(instance) => instance,
            Machine::Compiled { .. } => unreachable!("it was set in the line before"),
        }
    }

    /// The code offset at which it stopped.
    pub fn program_counter(&self) -> Option<u32> {
        match &self.machine {
            Machine::Compiled { instance, .. } => instance.pc(),
            Machine::Interpreted(instance) => instance.pc(),
        }
    }

    /// Reads guest memory. That of a dead worker is still what it was at the last stop: the host shares it.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        match &self.machine {
            Machine::Compiled { instance, .. } => instance.read_memory(address, out),
            Machine::Interpreted(instance) => instance.read_memory(address, out),
        }
        .map_err(out_of_bounds)
    }

    /// Writes guest memory.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        match &mut self.machine {
            Machine::Compiled { instance, log } => {
                instance.write_memory(address, data).map_err(out_of_bounds)?;
                log.write(address, data);
                self.bound_log();
                Ok(())
            }
            Machine::Interpreted(instance) => instance.write_memory(address, data).map_err(out_of_bounds),
        }
    }

    /// Writes zeros to guest memory.
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        match &mut self.machine {
            Machine::Compiled { instance, log } => {
                instance.zero_memory(address, length).map_err(out_of_bounds)?;
                log.zero(address, length);
                self.bound_log();
                Ok(())
            }
            Machine::Interpreted(instance) => instance.zero_memory(address, length).map_err(out_of_bounds),
        }
    }
}

impl Machine {
    fn interpreted(loaded: &Loaded) -> Machine {
        Machine::Interpreted(Box::new(interpreter::Instance::new(loaded.program.clone())))
    }
}

fn run_compiled(instance: &mut RawInstance, gas: i64, result: Option<u64>) -> Result<Stop, Error> {
    if let Some(result) = result {
        instance.set_reg(Reg::A0, result);
    }
    instance.set_gas(gas);
    let outcome = instance.run()?;
    Ok(Stop { outcome, gas: instance.gas(), args: ARGS.map(|reg| instance.reg(reg)) })
}

fn out_of_bounds(_: MemoryError) -> AccessError {
    AccessError::OutOfBounds
}
