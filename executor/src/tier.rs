//! Tiers: an instance begins on the node's interpreter, and moves to compiled code once it has used some gas.
//!
//! Waking a worker costs more than a short call on the interpreter. So an instance moves at the first block boundary
//! after [`Flags::tier_gas`](crate::Flags::tier_gas), with its registers, memory and gas; the runtime observes no
//! difference. A program is compiled the first time that an instance of it reaches that point, by a thread beside those
//! that run blocks; meanwhile the instance stays interpreted. New instances of a program with a recent move begin
//! compiled.
//!
//! **Invariant**: off-chain calls affect neither when a block's program is compiled nor on which tier its instances
//! begin.

use crate::call::CallPurpose;
use crate::module::Loaded;
use crate::throttle::throttled;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Backend, Module};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use vm_core::Outcome;
use vm_core::gas::CostModelKind;

/// Instructions that an instance executes at a time while its program is being compiled: about a tenth of a
/// millisecond.
const PENDING_INSTRUCTIONS: i64 = 20_000;
/// Number of instances that begin compiled after one that used much gas, even if all of them use little.
const HOT_INSTANCES: u32 = 16;
/// Maximum number of programs that wait to be compiled. Further ones are compiled by the thread that runs them.
const WAITING: usize = 64;
/// Scheduling priority of the thread that compiles for off-chain calls.
const OFF_CHAIN_NICE: i32 = 10;

/// Relation of a cost model's gas to the interpreter's time.
#[derive(Clone, Copy)]
pub(crate) struct TierGas {
    /// Gas of an instruction: less than most instructions cost.
    instruction: i64,
    /// Gas in a host call's cost that pays for a handoff, which the interpreter does not need.
    host_call: i64,
}

impl TierGas {
    pub fn new(model: CostModelKind) -> TierGas {
        let instruction = match model {
            // 0.2 ns of compiled code.
            CostModelKind::CalibratedV1 => 20,
            _ => 1,
        };
        TierGas { instruction, host_call: model.host_call().into() }
    }

    /// Gas of this number of instructions.
    pub fn of_instructions(self, count: i64) -> i64 {
        count.saturating_mul(self.instruction)
    }

    /// Gas that an instance gets at a time while its program is being compiled.
    pub fn pending(self) -> i64 {
        self.of_instructions(PENDING_INSTRUCTIONS)
    }

    /// The part of the gas up to a stop that does not count towards a move.
    pub fn ignored(self, outcome: Outcome) -> i64 {
        if let Outcome::HostCall(_) = outcome { self.host_call } else { 0 }
    }
}

/// Readiness of a program to move to compiled code.
pub(crate) enum Readiness {
    /// Compiled.
    Ready(Module),
    /// Being compiled.
    Pending,
    /// Never compiled.
    Never,
}

enum Message {
    Compile(Weak<Shared>, Arc<Loaded>, CallPurpose),
    /// Replied to once all earlier jobs are done.
    Flush(SyncSender<()>),
}

/// A thread that compiles programs.
pub(crate) struct Compiler(SyncSender<Message>);

impl Compiler {
    /// Starts the thread; `None` if it cannot be started.
    pub fn new(purpose: CallPurpose) -> Option<Compiler> {
        let (jobs, queue) = sync_channel(WAITING);
        match std::thread::Builder::new().name("polkavm-compile".into()).spawn(move || work(&queue, purpose)) {
            Ok(_) => Some(Compiler(jobs)),
            Err(error) => {
                log::warn!(target: LOG_TARGET, "Contracts are compiled while they wait, there is no thread: {error}");
                None
            }
        }
    }

    /// Queues a program; returns false if there is no room for it.
    fn request(&self, shared: &Arc<Shared>, loaded: &Arc<Loaded>, purpose: CallPurpose) -> bool {
        self.0.try_send(Message::Compile(Arc::downgrade(shared), loaded.clone(), purpose)).is_ok()
    }

    /// Waits until everything queued is compiled.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.0.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// Main function of the compiling thread, which ends once the other end of the queue is dropped.
fn work(queue: &Receiver<Message>, purpose: CallPurpose) {
    if purpose == CallPurpose::OffChain {
        // Affects this thread only. If it fails, the thread competes with blocks for processors.
        let _ = rustix::process::nice(OFF_CHAIN_NICE);
    }
    while let Ok(message) = queue.recv() {
        match message {
            Message::Flush(done) => drop(done.send(())),
            Message::Compile(shared, loaded, purpose) => {
                if let Some(shared) = shared.upgrade() {
                    shared.compile(&loaded, purpose);
                }
            }
        }
    }
}

impl Shared {
    /// True if instances of the program begin on the interpreter, to move later.
    pub(crate) fn begins_interpreted(&self, loaded: &Loaded) -> bool {
        self.tier_gas > 0 && !self.is_distrusted() && self.is_compiling && !loaded.is_refused() && !loaded.is_hot()
    }

    /// Requests compilation if necessary, and returns whether an instance can move to compiled code now.
    pub(crate) fn readiness(self: &Arc<Shared>, loaded: &Arc<Loaded>, purpose: CallPurpose) -> Readiness {
        if self.is_distrusted() {
            return Readiness::Never;
        }
        if !loaded.is_settled() {
            let compiler = match purpose {
                CallPurpose::OnChain => &self.compilers[0],
                CallPurpose::OffChain => &self.compilers[1],
            };
            match compiler {
                Some(compiler) if !loaded.request() || compiler.request(self, loaded, purpose) => {
                    return Readiness::Pending;
                }
                _ => self.compile(loaded, purpose),
            }
        }
        match loaded.compiled() {
            Some(module) => Readiness::Ready(module.clone()),
            None => Readiness::Never,
        }
    }

    /// Compiles a loaded program, or loads its machine code from disk, unless that was done before.
    fn compile(&self, loaded: &Arc<Loaded>, purpose: CallPurpose) {
        let engine = self.engine();
        if loaded.is_settled() || engine.backend() != Backend::Jit {
            return loaded.settle(None);
        }
        let stored =
            self.disk.as_ref().and_then(|disk| disk.load(&engine, &loaded.key, &loaded.blob, loaded.program.config()));
        let module = match stored {
            Some(module) => {
                loaded.set_stored();
                Some(module)
            }
            None => {
                self.metrics.compiles_total.inc();
                match Module::from_program(&engine, loaded.program.clone()) {
                    Ok(module) if module.is_compiled() => Some(module),
                    Ok(_) => None,
                    Err(error) => {
                        throttled!(log::Level::Warn, "A program is interpreted: {error}");
                        None
                    }
                }
            }
        };
        if module.is_none() {
            self.metrics.compile_failures_total.inc();
        }
        // Without a memory reservation the machine code is dropped.
        let module = module.filter(|module| {
            let has_room = loaded.reserve_more(Loaded::machine_code_bytes(module));
            if !has_room {
                self.metrics.memory_refused_total.inc();
            }
            has_room
        });
        loaded.settle(module);
        let mut cache = self.cache(purpose);
        let evicted = cache.measure_again(&loaded.key);
        self.metrics.cache_evictions_total.inc_by(evicted as u64);
        if purpose == CallPurpose::OnChain {
            self.metrics.cache_bytes.set(cache.bytes() as u64);
        }
    }
}

impl Loaded {
    /// Counts a finished instance; `used_much`: it used enough gas to have been worth compiled code from the start.
    pub(crate) fn note_instance(&self, used_much: bool) {
        if used_much {
            self.set_heat(HOT_INSTANCES);
        } else {
            self.cool();
        }
    }
}
