//! The SDK's virtualization host functions (`sp-virtualization`) on our engine.
//!
//! For runtimes written against that interface; the chain's own runtime is not. Programs are metered with one gas per
//! instruction. Modules have identifiers chosen by the runtime, within one set of extensions; compiled code comes from
//! the cache that all sessions share, by the hash of the code.

use crate::Shared;
use crate::call;
use crate::instance::RecoverableInstance;
use crate::module::Loaded;
use pvm_host_interface::{AccessError, ProgramRules};
use sp_crypto_hashing::keccak_256;
use sp_virtualization::{
    DestroyError, ExecBuffer, ExecError, ExecStatus, InstanceId, InstantiateError, MemoryError, ModuleError, ModuleId,
    SyscallSymbol, VirtManagerBackend,
};
use std::collections::HashMap;
use std::sync::Arc;
use vm_core::Outcome;
use vm_core::gas::CostModelKind;

/// A backend of `VirtManagerExt`.
pub struct Virtualization {
    shared: Arc<Shared>,
    modules: Vec<Arc<VirtModule>>,
    by_identifier: HashMap<Vec<u8>, Arc<VirtModule>>,
    instances: HashMap<u32, VirtInstance>,
    next_instance: u32,
}

struct VirtModule {
    loaded: Arc<Loaded>,
    imports: Vec<SyscallSymbol>,
}

struct VirtInstance {
    running: RecoverableInstance,
    module: Arc<VirtModule>,
    /// True if it can run: it was prepared, or is in a call.
    is_ready: bool,
}

impl Virtualization {
    pub(crate) fn new(shared: Arc<Shared>) -> Virtualization {
        Virtualization {
            shared,
            modules: Vec::new(),
            by_identifier: HashMap::new(),
            instances: HashMap::new(),
            next_instance: 0,
        }
    }

    fn add(&mut self, module: Arc<VirtModule>) -> Result<ModuleId, ModuleError> {
        let id = u32::try_from(self.modules.len()).map_err(|_| ModuleError::InvalidImage)?;
        self.modules.push(module);
        Ok(ModuleId::from(id))
    }

    /// Returns the instance, if it is in a call.
    fn ready(&mut self, id: InstanceId) -> Option<&mut VirtInstance> {
        if let Some(call) = call::off_chain() {
            call.check(&self.shared);
        }
        self.instances.get_mut(&u32::from(id)).filter(|managed| managed.is_ready)
    }
}

impl VirtManagerBackend for Virtualization {
    fn compile_from_bytes(&mut self, program: &[u8], identifier: Option<&[u8]>) -> Result<ModuleId, ModuleError> {
        let loaded = self
            .shared
            .load(&keccak_256(program), program, ProgramRules::version_1(CostModelKind::Naive), self.shared.admit())
            .map_err(|_| ModuleError::InvalidImage)?;
        let count = loaded.program.imports().count_all();
        let imports =
            (0..count).map(|number| SyscallSymbol::new(loaded.program.import(number)?)).collect::<Option<_>>();
        let module = Arc::new(VirtModule { imports: imports.ok_or(ModuleError::InvalidImage)?, loaded });
        if let Some(identifier) = identifier {
            self.by_identifier.insert(identifier.to_vec(), module.clone());
        }
        self.add(module)
    }

    fn lookup(&mut self, identifier: &[u8]) -> Result<ModuleId, ModuleError> {
        let module = self.by_identifier.get(identifier).cloned().ok_or(ModuleError::NotCached)?;
        self.add(module)
    }

    fn instantiate(&mut self, module_id: ModuleId) -> Result<InstanceId, InstantiateError> {
        let module = self.modules.get(u32::from(module_id) as usize).ok_or(InstantiateError::InvalidModule)?.clone();
        let running = RecoverableInstance::new(&self.shared, module.loaded.clone(), self.shared.admit());
        let id = self.next_instance;
        self.next_instance = id.wrapping_add(1);
        self.instances.insert(id, VirtInstance { running, module, is_ready: false });
        Ok(InstanceId::from(id))
    }

    fn prepare(&mut self, instance_id: InstanceId, function: &[u8]) -> Result<(), ExecError> {
        let managed = self.instances.get_mut(&u32::from(instance_id)).filter(|managed| !managed.is_ready);
        let managed = managed.ok_or(ExecError::InvalidInstance)?;
        let entry = managed.running.loaded().program.export(function).ok_or(ExecError::InvalidImage)?;
        managed.running.prepare_call(entry);
        managed.is_ready = true;
        Ok(())
    }

    fn run(&mut self, instance_id: InstanceId, gas: i64, a0: u64) -> Result<(ExecStatus, ExecBuffer), ExecError> {
        let managed = self.ready(instance_id).ok_or(ExecError::InvalidInstance)?;
        let stop = managed.running.run(gas, Some(a0));
        let Outcome::HostCall(number) = stop.outcome else {
            managed.is_ready = false;
            return match stop.outcome {
                Outcome::Finished => {
                    Ok((ExecStatus::Finished, ExecBuffer { gas_left: stop.gas, ..ExecBuffer::default() }))
                }
                Outcome::OutOfGas => Err(ExecError::OutOfGas),
                _ => Err(ExecError::Trap),
            };
        };
        let Some(syscall_symbol) = managed.module.imports.get(number as usize).copied() else {
            managed.is_ready = false;
            return Err(ExecError::InvalidImage);
        };
        let [a0, a1, a2, a3, a4, a5] = stop.args;
        Ok((ExecStatus::Syscall, ExecBuffer { gas_left: stop.gas, syscall_symbol, a0, a1, a2, a3, a4, a5 }))
    }

    fn destroy(&mut self, instance_id: InstanceId) -> Result<(), DestroyError> {
        self.instances.remove(&u32::from(instance_id)).map(drop).ok_or(DestroyError::InvalidInstance)
    }

    fn read_memory(&mut self, instance_id: InstanceId, offset: u32, dest: &mut [u8]) -> Result<(), MemoryError> {
        let managed = self.ready(instance_id).ok_or(MemoryError::InvalidInstance)?;
        managed.running.read_memory(offset, dest).map_err(memory_error)
    }

    fn write_memory(&mut self, instance_id: InstanceId, offset: u32, src: &[u8]) -> Result<(), MemoryError> {
        let managed = self.ready(instance_id).ok_or(MemoryError::InvalidInstance)?;
        managed.running.write_memory(offset, src).map_err(memory_error)
    }
}

fn memory_error(error: AccessError) -> MemoryError {
    match error {
        AccessError::OutOfBounds => MemoryError::OutOfBounds,
        AccessError::NoInstance => MemoryError::InvalidInstance,
    }
}
