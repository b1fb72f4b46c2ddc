//! Tiers: an instance begins on the node's interpreter, and moves to compiled code once it has used some gas.
//!
//! Waking a worker costs more than a short call on the interpreter. So an instance moves at the first border of a basic
//! block after [`Flags::tier_gas`](crate::Flags::tier_gas), with its registers, memory and gas; the runtime observes no
//! difference. A program is compiled when an instance of it first gets so far, by a thread beside those that run
//! blocks; meanwhile the instance stays interpreted. New instances of a program with a recent move begin compiled.
//!
//! **Invariant**: an off-chain call changes neither when a program of a block is compiled nor on what its instances begin.

use crate::call::CallPurpose;
use crate::module::Loaded;
use crate::throttle::throttled;
use crate::{LOG_TARGET, Shared};
use pvm_engine::{Backend, Module};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use vm_core::Outcome;
use vm_core::gas::CostModelKind;

/// Instructions that an instance is given at a time while its program is being compiled: about a tenth of a millisecond.
const PENDING_INSTRUCTIONS: i64 = 20_000;
/// Number of instances that begin compiled after one that used much gas, if all of them use little.
const HOT_INSTANCES: u32 = 16;
/// Maximum number of programs that wait to be compiled. Further ones are compiled by the thread that runs them.
const WAITING: usize = 64;
/// Scheduling priority of the thread that compiles for off-chain calls.
const OFF_CHAIN_NICE: i32 = 10;

/// How the gas of a cost model relates to the time that the interpreter takes.
#[derive(Clone, Copy)]
pub(crate) struct TierGas {
    /// Gas of an instruction: less than most cost.
    instruction: i64,
    /// Gas of a host call for a handoff that the interpreter does without.
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

    /// Gas that an instance is given at a time while its program is being compiled.
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
    /// Answers once all jobs before it are done.
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

    /// Queues a program; true if there was room for it.
    fn request(&self, shared: &Arc<Shared>, loaded: &Arc<Loaded>, purpose: CallPurpose) -> bool {
        self.0.try_send(Message::Compile(Arc::downgrade(shared), loaded.clone(), purpose)).is_ok()
    }

    /// Waits until all that was queued is compiled.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.0.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// The compiling thread: ends once the other end of the queue is dropped.
fn work(queue: &Receiver<Message>, purpose: CallPurpose) {
    if purpose == CallPurpose::OffChain {
        // Affects this thread only. If it fails, it competes with blocks for processors.
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
    /// True if an instance of the program begins on the interpreter, to move later.
    pub(crate) fn begins_interpreted(&self, loaded: &Loaded) -> bool {
        self.tier_gas > 0 && !self.is_distrusted() && self.is_compiling && !loaded.is_refused() && !loaded.is_hot()
    }

    /// Has the program compiled, unless it is, and says whether it can go on so now.
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

    /// Compiles a loaded program, or loads its machine code from the disk, unless somebody did already.
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
        // Only a program that has room keeps its machine code.
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
    /// Counts an instance that ended, by whether it used as much gas as compiled code is worth from the beginning on.
    pub(crate) fn note_instance(&self, used_much: bool) {
        if used_much {
            self.set_heat(HOT_INSTANCES);
        } else {
            self.cool();
        }
    }
}
