//! A session: the instances of one runtime call.

use crate::Shared;
use crate::call;
use crate::instance::RecoverableInstance;
use pvm_host_interface::memory::Writable;
use pvm_host_interface::{AccessError, Backend, INSTANCES, InstantiateError, NoInstance, ProgramRules, Stop};
use std::collections::HashMap;
use std::sync::Arc;

/// The backend of the host functions of one runtime call. Dropping it frees all instances.
pub struct Session {
    shared: Arc<Shared>,
    instances: HashMap<u32, RecoverableInstance>,
    next: u32,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        Session { shared, instances: HashMap::new(), next: 0 }
    }

    /// The number of instances.
    pub fn instances(&self) -> usize {
        self.instances.len()
    }

    fn get(&mut self, instance: u32) -> Result<&mut RecoverableInstance, NoInstance> {
        if let Some(call) = call::off_chain() {
            call.check(&self.shared);
        }
        self.instances.get_mut(&instance).ok_or(NoInstance)
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
        let purpose = self.shared.admit();
        let loaded = self.shared.load(code_hash, code, rules, purpose)?;
        let mut made = RecoverableInstance::new(&self.shared, loaded, purpose);
        made.prepare_call(entry);
        let number = self.next;
        // A runtime call that makes 2^32 instances would take days: the number is free again by then.
        self.next = self.next.wrapping_add(1);
        self.instances.insert(number, made);
        Ok(number)
    }

    fn run(&mut self, instance: u32, gas: i64, result: Option<u64>) -> Result<Stop, NoInstance> {
        Ok(self.get(instance)?.run(gas, result))
    }

    fn program_counter(&mut self, instance: u32) -> Result<Option<u32>, NoInstance> {
        Ok(self.get(instance)?.program_counter())
    }

    fn writable(&mut self, instance: u32) -> Result<Writable, NoInstance> {
        Ok(self.get(instance)?.writable())
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
