//! Instance that survives the loss of its worker: the interpreter replays its log and continues.

use crate::call::{self, CallPurpose, OffChain, Permit, Refusal, refuse};
use crate::module::Loaded;
use crate::record::Record;
use crate::replay::{Differs, Late, Log, ReplayError, Stopped, run_interpreted};
use crate::throttle::throttled;
use crate::tier::Readiness;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Error, Module, RawInstance};
use pvm_host_interface::memory::Writable;
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
    /// Gas that it has used.
    used: i64,
}

/// An instance on one of the two backends.
pub(crate) enum BackendInstance {
    /// In a worker, with the log for recovery on the interpreter.
    Compiled {
        instance: RawInstance,
        log: Log,
        /// Permit for one of the off-chain calls' share of workers.
        _permit: Option<Permit>,
    },
    /// On the interpreter; with a lower tier, to move to a worker later.
    Interpreted { instance: Box<interpreter::Instance>, tier: Option<LowerTier> },
}

/// Calls the same method of either backend's instance.
macro_rules! on_backend {
    ($self:ident, $instance:ident => $call:expr) => {
        match $self {
            BackendInstance::Compiled { instance: $instance, .. } => $call,
            BackendInstance::Interpreted { instance: $instance, .. } => $call,
        }
    };
}

/// State of an instance on the interpreter that can still move to compiled code.
pub(crate) struct LowerTier {
    /// The log, which continues in the worker.
    log: Log,
    /// Gas until it moves.
    left: i64,
}

/// The first part of a run, on the interpreter.
enum Began {
    /// The run is complete.
    Stopped(Stopped),
    /// The instance moved to a worker, with this much gas left.
    Moved { gas: i64 },
    /// The instance stays interpreted, with this much gas left.
    Stayed { gas: i64 },
}

impl RecoverableInstance {
    /// Makes a fresh instance, interpreted if no worker is available.
    pub fn new(shared: &Arc<Shared>, loaded: Arc<Loaded>, purpose: CallPurpose) -> RecoverableInstance {
        let metrics = &shared.metrics;
        metrics.instances_total.inc();
        let backend = match shared.begins_interpreted(&loaded) {
            true => BackendInstance::beginning(shared, &loaded, purpose),
            false => BackendInstance::compiled(shared, &loaded, purpose).unwrap_or_else(|| {
                if shared.was_compiling() {
                    metrics.interpreted_total.inc();
                }
                BackendInstance::interpreted(&loaded)
            }),
        };
        RecoverableInstance { shared: shared.clone(), loaded, backend, purpose, stopped: None, used: 0 }
    }

    /// The program that it runs.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Prepares a call of the function at a code offset.
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
        let used = gas.saturating_sub(stop.gas).saturating_sub(self.loaded.tier_gas().ignored(stop.outcome));
        self.used = self.used.saturating_add(used);
        if let Outcome::HostCall(_) = stop.outcome {
            metrics.host_calls_total.inc();
            self.stopped = Some(now);
        }
        stop
    }

    fn run_backend(&mut self, gas: i64, result: Option<u64>) -> Stopped {
        if self.shared.is_distrusted() {
            // Compiled code has been found to be wrong since this instance began.
            self.replay();
        }
        let off_chain = call::off_chain();
        let moved = match self.begin_run(gas, result, deadline(&off_chain)) {
            None => None,
            Some(Began::Stopped(stopped)) => {
                self.bound_log();
                return stopped;
            }
            Some(Began::Moved { gas }) => Some(gas),
            Some(Began::Stayed { gas }) => return self.interpret(gas, None, deadline(&off_chain)),
        };
        match self.backend.run(gas, result, moved) {
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
        self.interpret(gas, result, deadline(&off_chain))
    }

    /// Runs until the next stop on the interpreter, after a replay if it was compiled.
    fn interpret(&mut self, gas: i64, result: Option<u64>, deadline: Option<Instant>) -> Stopped {
        match run_interpreted(self.replay(), gas, result, deadline) {
            Ok(stopped) => stopped,
            Err(Late) => refuse(&self.shared, Refusal::Deadline),
        }
    }

    /// Begins a run of an instance on the lower tier, and moves the instance up if it has used enough gas. `None` if
    /// the instance is not on the lower tier.
    fn begin_run(&mut self, gas: i64, mut result: Option<u64>, deadline: Option<Instant>) -> Option<Began> {
        let BackendInstance::Interpreted { instance, tier: Some(tier) } = &mut self.backend else { return None };
        let units = self.loaded.tier_gas();
        let (all, given_result) = (gas, result);
        let mut gas = gas;
        loop {
            let given = gas.min(tier.left);
            let Ok(stopped) = run_interpreted(instance, given, result.take(), deadline) else {
                refuse(&self.shared, Refusal::Deadline)
            };
            let is_all = given == gas;
            let used = given - stopped.gas;
            gas -= used;
            tier.left -= used;
            instance.set_gas(gas);
            if stopped.outcome != Outcome::OutOfGas || is_all {
                tier.left += units.ignored(stopped.outcome);
                let stopped = Stopped { gas, ..stopped };
                tier.log.run(all, given_result, &stopped);
                return Some(Began::Stopped(stopped));
            }
            if instance.next_block().is_none() {
                // Inside a memset; the next block boundary is near.
                tier.left = units.pending();
                continue;
            }
            match self.shared.readiness(&self.loaded, self.purpose) {
                Readiness::Pending => tier.left = units.pending(),
                Readiness::Ready(module) => {
                    return Some(match self.move_up(&module) {
                        true => Began::Moved { gas },
                        false => Began::Stayed { gas },
                    });
                }
                Readiness::Never => {
                    self.leave_tier();
                    return Some(Began::Stayed { gas });
                }
            }
        }
    }

    /// Moves from the interpreter to a worker; returns false if none is available, and then it stays interpreted for
    /// good.
    fn move_up(&mut self, module: &Module) -> bool {
        if let BackendInstance::Interpreted { instance, tier } = &mut self.backend
            && let Some((compiled, permit)) = worker(&self.shared, self.purpose, || module.instantiate_from(instance))
            && let Some(LowerTier { log, .. }) = tier.take()
        {
            self.shared.metrics.tier_moves_total.inc();
            self.backend = BackendInstance::Compiled { instance: compiled, log, _permit: permit };
            return true;
        }
        self.leave_tier();
        false
    }

    /// Leaves the lower tier: the instance stays interpreted for good.
    fn leave_tier(&mut self) {
        if let BackendInstance::Interpreted { tier, .. } = &mut self.backend
            && tier.take().is_some()
        {
            self.shared.metrics.interpreted_total.inc();
        }
    }

    /// Moves to the interpreter if there is no more memory for the log. The replay takes no longer than interpretation
    /// from the start.
    fn bound_log(&mut self) {
        if self.backend.log().is_some_and(|log| !log.has_room()) {
            self.shared.metrics.long_logs_total.inc();
            log::debug!(target: LOG_TARGET, "A program goes on interpreted: the log of what it was given is full");
            self.replay();
        }
    }

    /// Replays the log on the interpreter, which continues from the worker's last stop. An instance that is already
    /// interpreted stays so for good.
    ///
    /// # Panics
    /// If the interpreter differs from the worker: a consensus bug, or a hostile worker. The runtime has acted on the
    /// worker's results, so no answer is right any more; the panic ends the runtime call. Nothing runs compiled after
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
            self.backend = BackendInstance::Interpreted { instance: Box::new(instance), tier: None };
        }
        self.leave_tier();
        match &mut self.backend {
            BackendInstance::Interpreted { instance, .. } => instance,
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

    /// Returns the regions that can be written. Not logged: a write that is made is, with its result, and so is one that
    /// is refused.
    pub fn writable(&self) -> Writable {
        let (map, heap_size) = (self.loaded.program.memory_map(), self.backend.heap_size());
        [(map.rw_base(), map.rw_end_with_heap(heap_size)), (map.stack_low(), map.stack_high())]
    }

    /// Reads guest memory. A dead worker's memory is still as it was at the last stop, because the host shares it.
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
        self.loaded.note_instance(self.used >= self.loaded.tier_gas().of_instructions(self.shared.tier_gas));
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
        let instance = Box::new(interpreter::Instance::new(loaded.program.clone()));
        BackendInstance::Interpreted { instance, tier: None }
    }

    /// Makes an instance on the interpreter that can move later.
    fn beginning(shared: &Shared, loaded: &Loaded, purpose: CallPurpose) -> BackendInstance {
        let instance = Box::new(interpreter::Instance::new(loaded.program.clone()));
        let tier =
            LowerTier { log: Log::new(shared, purpose), left: loaded.tier_gas().of_instructions(shared.tier_gas) };
        BackendInstance::Interpreted { instance, tier: Some(tier) }
    }

    /// Makes an instance in a worker, if the program is compiled and a worker is free.
    pub fn compiled(shared: &Shared, loaded: &Loaded, purpose: CallPurpose) -> Option<BackendInstance> {
        let module = loaded.compiled().filter(|_| !shared.is_distrusted())?;
        let (instance, permit) = worker(shared, purpose, || module.instantiate_compiled())?;
        Some(BackendInstance::Compiled { instance, log: Log::new(shared, purpose), _permit: permit })
    }

    /// The log, if it has one.
    fn log(&self) -> Option<&Log> {
        match self {
            BackendInstance::Compiled { log, .. } => Some(log),
            BackendInstance::Interpreted { tier, .. } => tier.as_ref().map(|tier| &tier.log),
        }
    }

    /// The log, if it has one, for appending.
    fn log_mut(&mut self) -> Option<&mut Log> {
        match self {
            BackendInstance::Compiled { log, .. } => Some(log),
            BackendInstance::Interpreted { tier, .. } => tier.as_mut().map(|tier| &mut tier.log),
        }
    }

    /// Prepares a call, and logs it.
    pub fn prepare_call(&mut self, entry: u32) {
        on_backend!(self, instance => instance.prepare_call(entry, &[]));
        if let Some(log) = self.log_mut() {
            log.call(entry);
        }
    }

    /// Runs compiled code until its next stop; `None` if the program is interpreted. `moved` is the gas at the move,
    /// for a run that began on the interpreter.
    ///
    /// # Errors
    /// If the worker was lost.
    pub fn run(&mut self, gas: i64, result: Option<u64>, moved: Option<i64>) -> Result<Option<Stopped>, Error> {
        let BackendInstance::Compiled { instance, log, .. } = self else { return Ok(None) };
        let stopped = match moved {
            None => run_compiled(instance, gas, result)?,
            Some(left) => run_compiled(instance, left, None)?,
        };
        log.run(gas, result, &stopped);
        Ok(Some(stopped))
    }

    /// Returns the code offset at which it stopped, and logs it.
    pub fn program_counter(&mut self) -> Option<u32> {
        let counter = on_backend!(self, instance => instance.pc());
        if let Some(log) = self.log_mut() {
            log.counter(counter);
        }
        counter
    }

    fn heap_size(&self) -> u32 {
        on_backend!(self, instance => instance.heap_size())
    }

    /// Reads guest memory, and logs a digest of it.
    pub fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        let result = on_backend!(self, instance => instance.read_memory(address, out)).map_err(out_of_bounds);
        if let Some(log) = self.log_mut() {
            log.read(address, out.len(), result.map(|()| &*out));
        }
        result
    }

    /// Writes guest memory, and logs it.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), AccessError> {
        let result = on_backend!(self, instance => instance.write_memory(address, data)).map_err(out_of_bounds);
        if let Some(log) = self.log_mut() {
            log.write(address, data, result);
        }
        result
    }

    /// Writes zeros to guest memory, and logs it.
    pub fn zero_memory(&mut self, address: u32, length: u32) -> Result<(), AccessError> {
        let result = on_backend!(self, instance => instance.zero_memory(address, length)).map_err(out_of_bounds);
        if let Some(log) = self.log_mut() {
            log.zero(address, length, result);
        }
        result
    }
}

/// Has `make` make a worker, if one is free; an off-chain call takes one of their share.
fn worker(
    shared: &Shared,
    purpose: CallPurpose,
    make: impl FnOnce() -> Result<RawInstance, Error>,
) -> Option<(RawInstance, Option<Permit>)> {
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
    match make() {
        Ok(instance) => Some((instance, permit)),
        Err(error) => {
            throttled!(log::Level::Warn, "A program is interpreted, there is no worker for it: {error}");
            shared.metrics.workers_refused_total.inc();
            None
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
