//! The instances of one runtime call.

use crate::Shared;
use crate::cache::{Key, Lookup};
use crate::call::{self, CallKind, Refusal, refuse};
use crate::instance::Running;
use crate::module::{LoadError, Loaded};
use pvm_host_interface::{
    AccessError, Backend, INSTANCES, InstantiateError, NoInstance, ProgramRules, Stop, program_config,
};
use sp_crypto_hashing::keccak_256;
use std::collections::HashMap;
use std::sync::Arc;

/// What the host functions of one runtime call work on. Dropping it frees all instances.
pub struct Session {
    shared: Arc<Shared>,
    instances: HashMap<u32, Running>,
    next: u32,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        Session { shared, instances: HashMap::new(), next: 0 }
    }

    /// How many instances there are.
    pub fn instances(&self) -> usize {
        self.instances.len()
    }

    fn get(&mut self, instance: u32) -> Result<&mut Running, NoInstance> {
        if let Some(call) = call::off_chain() {
            call.check(&self.shared);
        }
        self.instances.get_mut(&instance).ok_or(NoInstance)
    }
}

impl Shared {
    /// The kind of the runtime call that this thread is in, which is about to run a contract.
    pub(crate) fn admit(&self) -> CallKind {
        match call::off_chain() {
            None => CallKind::OnChain,
            Some(call) => {
                call.admit(self);
                CallKind::OffChain
            }
        }
    }

    /// The program of this code, from the cache or loaded.
    pub(crate) fn load(
        &self,
        code_hash: &[u8; 32],
        code: &[u8],
        rules: ProgramRules,
        kind: CallKind,
    ) -> Result<Arc<Loaded>, InstantiateError> {
        let key = Key::new(code_hash, rules);
        match self.find(&key, code, kind) {
            Lookup::Hit(loaded) => {
                self.metrics.cache_hits_total.inc();
                self.store(&key, &loaded, kind);
                return Ok(loaded);
            }
            // What is in the cache has the hash, so this has not.
            Lookup::HashMismatch => return Err(InstantiateError::HashMismatch),
            Lookup::Miss if keccak_256(code) != *code_hash => return Err(InstantiateError::HashMismatch),
            Lookup::Miss => {}
        }
        // Not under the lock: another thread may load the same, and then one of the two is dropped.
        let config = program_config(rules);
        let loaded = match Loaded::new(self, kind, &key, code, &config) {
            Ok(loaded) => Arc::new(loaded),
            Err(LoadError::NoProgram) => return Err(InstantiateError::NoProgram),
            Err(LoadError::NoMemory) => refuse(self, Refusal::Memory),
        };
        self.store(&key, &loaded, kind);
        let mut cache = self.cache(kind);
        let evicted = cache.insert(key, &loaded);
        self.metrics.cache_evictions_total.inc_by(evicted as u64);
        if kind == CallKind::OnChain {
            self.metrics.cache_bytes.set(cache.bytes() as u64);
        }
        Ok(loaded)
    }

    /// Looks a program up: in the cache of blocks, in which off-chain calls change nothing, and for those in their own.
    fn find(&self, key: &Key, code: &[u8], kind: CallKind) -> Lookup {
        match kind {
            CallKind::OnChain => self.cache(kind).get(key, code),
            CallKind::OffChain => match self.cache(CallKind::OnChain).peek(key, code) {
                Lookup::Miss => self.cache(kind).get(key, code),
                found => found,
            },
        }
    }

    /// Keeps a program of a block on disk when it is used for the second time: what runs once is not worth a write.
    fn store(&self, key: &Key, loaded: &Arc<Loaded>, kind: CallKind) {
        if let Some(disk) = &self.disk
            && kind == CallKind::OnChain
            && !self.is_distrusted()
        {
            disk.used(key, loaded);
        }
    }
}

impl Backend for Session {
    fn instantiate(
        &mut self,
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        rules: ProgramRules,
    ) -> Result<u32, InstantiateError> {
        if self.instances.len() >= INSTANCES as usize {
            return Err(InstantiateError::TooMany);
        }
        let kind = self.shared.admit();
        let loaded = self.shared.load(code_hash, code, rules, kind)?;
        let mut running = Running::new(&self.shared, loaded, kind);
        running.prepare_call(entry);
        let number = self.next;
        // A runtime call that made 2^32 instances would take days: the number is free again by then.
        self.next = self.next.wrapping_add(1);
        self.instances.insert(number, running);
        Ok(number)
    }

    fn run(&mut self, instance: u32, gas: i64, result: Option<u64>) -> Result<Stop, NoInstance> {
        Ok(self.get(instance)?.run(gas, result))
    }

    fn program_counter(&mut self, instance: u32) -> Result<Option<u32>, NoInstance> {
        Ok(self.get(instance)?.program_counter())
    }

    fn read_memory(&mut self, instance: u32, address: u32, out: &mut [u8]) -> Result<(), AccessError> {
        self.get(instance)?.read_memory(address, out)
    }

    fn write_memory(&mut self, instance: u32, address: u32, data: &[u8]) -> Result<(), AccessError> {
        self.get(instance)?.write_memory(address, data)
    }

    fn zero_memory(&mut self, instance: u32, address: u32, length: u32) -> Result<(), AccessError> {
        self.get(instance)?.zero_memory(address, length)
    }

    fn destroy(&mut self, instance: u32) -> Result<(), NoInstance> {
        self.instances.remove(&instance).map(drop).ok_or(NoInstance)
    }

    fn release(&mut self) {
        self.instances.clear();
        self.next = 0;
    }
}
