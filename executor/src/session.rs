//! The instances of one runtime call.

use crate::Shared;
use crate::cache::{Key, Lookup};
use crate::instance::Running;
use crate::module::{Loaded, NoProgram};
use pvm_host_interface::{AccessError, Backend, INSTANCES, InstantiateError, NoInstance, Stop, program_config};
use sp_crypto_hashing::keccak_256;
use std::collections::HashMap;
use std::sync::Arc;
use vm_core::gas::CostModelKind;

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
        self.instances.get_mut(&instance).ok_or(NoInstance)
    }
}

impl Shared {
    /// The program of this code, from the cache or loaded.
    pub(crate) fn load(
        &self,
        code_hash: &[u8; 32],
        code: &[u8],
        cost_model: CostModelKind,
    ) -> Result<Arc<Loaded>, InstantiateError> {
        let key = Key::new(code_hash, cost_model);
        let found = self.cache().get(&key, code);
        match found {
            Lookup::Hit(loaded) => {
                self.metrics.cache_hits_total.inc();
                return Ok(loaded);
            }
            // What is in the cache has the hash, so this has not.
            Lookup::Other => return Err(InstantiateError::OtherHash),
            Lookup::Miss if keccak_256(code) != *code_hash => return Err(InstantiateError::OtherHash),
            Lookup::Miss => {}
        }
        // Not under the lock: another thread may load the same, and then one of the two is dropped.
        let config = program_config(cost_model);
        let loaded = Loaded::new(&self.engine, &self.metrics, self.disk.as_ref(), &key, code, &config);
        let loaded = Arc::new(loaded.map_err(|NoProgram| InstantiateError::NoProgram)?);
        if let Some(disk) = self.disk.as_ref().filter(|_| !loaded.is_from_disk) {
            disk.store(&key, &loaded);
        }
        let mut cache = self.cache();
        let evicted = cache.insert(key, &loaded);
        self.metrics.cache_evictions_total.inc_by(evicted as u64);
        self.metrics.cache_bytes.set(cache.bytes() as u64);
        Ok(loaded)
    }
}

impl Backend for Session {
    fn instantiate(
        &mut self,
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        cost_model: CostModelKind,
    ) -> Result<u32, InstantiateError> {
        if self.instances.len() >= INSTANCES as usize {
            return Err(InstantiateError::TooMany);
        }
        let loaded = self.shared.load(code_hash, code, cost_model)?;
        let mut running = Running::new(&self.shared, loaded);
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
