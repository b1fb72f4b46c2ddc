//! A prepared RISC-V runtime, and calls of its exports.

use super::heap::{Heap, HeapError};
use crate::LOG_TARGET;
use codec::Decode;
use pvm_engine::{Backend, Config, Engine, Module, Outcome, ProgramBlob, RawInstance, Reg};
use sc_executor::error::{Backtrace, Error, MessageWithBacktrace, WasmError};
use sc_executor::sp_wasm_interface::{self as wasm, Function, FunctionContext, Pointer, Value, ValueType, WordSize};
use sc_executor::{HeapAllocStrategy, RuntimeVersion, with_externalities_safe};
use sp_core::traits::Externalities;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use vm_core::blob::Blob;
use vm_core::memory::MemoryError;

/// Size of one of the chain's heap pages, in bytes.
const HEAP_PAGE: u64 = 64 << 10;

/// Maximum number of idle instances in the pool.
const POOLED: usize = 8;

/// The registers that pass the arguments of a host function.
const ARGUMENTS: [Reg; 9] = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4, Reg::A5, Reg::T0, Reg::T1, Reg::T2];

/// A runtime that is ready to be called.
pub struct Runtime {
    module: Module,
    blob: ProgramBlob,
    /// The interpreter's module, for calls whose worker was lost.
    interpreted: OnceLock<Module>,
    heap: Heap,
    imports: Vec<Import>,
    /// Idle instances; their memory is reset to that of the blob.
    pool: Mutex<Vec<RawInstance>>,
    encoded_version: Vec<u8>,
    version: RuntimeVersion,
}

/// A host function that the runtime imports.
struct Import {
    name: String,
    /// This node's implementation with its argument types, if it has one.
    function: Option<(&'static dyn Function, Vec<ValueType>)>,
    transaction: Transaction,
}

/// Effect of a host function on the number of open storage transactions.
#[derive(Clone, Copy)]
enum Transaction {
    Keeps,
    Opens,
    Closes,
}

/// Reason for which a call has no result.
enum Failure {
    /// The worker was lost: the call can be repeated.
    Lost(pvm_engine::Error),
    /// An error of the runtime or of a host function: final.
    Runtime(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Runtime(error)
    }
}

impl From<HeapError> for Failure {
    fn from(error: HeapError) -> Self {
        Failure::Runtime(Error::Other(error.to_string()))
    }
}

impl Runtime {
    /// Prepares a blob. With `allow_missing`, an import that this node lacks is an error only when it is called.
    ///
    /// # Errors
    /// If it is not the blob of a runtime, cannot be compiled, or imports functions that this node lacks.
    pub fn new(
        engine: &Engine,
        code: &[u8],
        functions: &[&'static dyn Function],
        allow_missing: bool,
    ) -> Result<Runtime, Error> {
        let other = |error: pvm_engine::Error| WasmError::Other(error.to_string());
        let blob = ProgramBlob::from_bytes(code);
        let module = Module::from_blob(engine, &blob).map_err(other)?;
        let imports: Vec<Import> =
            module.program().imports().map(|name| Import::new(name.unwrap_or_default(), functions)).collect();
        let missing: Vec<&str> =
            imports.iter().filter(|import| import.function.is_none()).map(|import| import.name.as_str()).collect();
        if !missing.is_empty() && !allow_missing {
            let text = format!("the runtime requires host functions that this node lacks: {}", missing.join(", "));
            return Err(WasmError::Other(text).into());
        }
        Ok(Runtime {
            heap: find_heap(&module)?,
            module,
            blob,
            interpreted: OnceLock::new(),
            imports,
            pool: Mutex::default(),
            encoded_version: Vec::new(),
            version: RuntimeVersion::default(),
        })
    }

    /// The SCALE-encoded version, as the runtime returned it.
    pub fn encoded_version(&self) -> &[u8] {
        &self.encoded_version
    }

    /// The version.
    pub fn version(&self) -> &RuntimeVersion {
        &self.version
    }

    /// Sets the version from the result of `Core_version`.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn set_version(&mut self, encoded: Vec<u8>) -> Result<(), Error> {
        self.version = RuntimeVersion::decode(&mut encoded.as_slice()).map_err(|error| {
            WasmError::Instantiation(format!("failed to decode the result of Core_version: {error}"))
        })?;
        self.encoded_version = encoded;
        Ok(())
    }

    /// Calls an export. If the worker is lost, all changes that the call made to the storage are rolled back, and the
    /// interpreter executes the call from its beginning.
    ///
    /// # Errors
    /// If the runtime has no such export, traps, or panics; if a host function fails.
    pub fn call(
        &self,
        ext: &mut dyn Externalities,
        method: &str,
        data: &[u8],
        heap: HeapAllocStrategy,
    ) -> Result<Vec<u8>, Error> {
        let instance = match self.take() {
            Ok(instance) => instance,
            Err(error) => return self.call_interpreted(ext, method, data, heap, &error),
        };
        // An interpreted run has no worker to lose, and needs no transaction around it.
        let can_be_lost = instance.is_compiled();
        if can_be_lost {
            ext.storage_start_transaction();
        }
        let (result, open) = self.attempt(ext, instance, method, data, heap);
        if can_be_lost {
            // Transactions that the runtime left open are rolled back, as for a wasm runtime.
            let closed = (0..open).try_for_each(|_| ext.storage_rollback_transaction());
            let ended = match &result {
                Err(Failure::Lost(_)) => ext.storage_rollback_transaction(),
                _ => ext.storage_commit_transaction(),
            };
            if closed.and(ended).is_err() {
                return Err(Error::Other(format!("{method} closed a storage transaction that it had not opened")));
            }
        }
        match result {
            Ok(output) => Ok(output),
            Err(Failure::Runtime(error)) => Err(error),
            Err(Failure::Lost(error)) => self.call_interpreted(ext, method, data, heap, &error),
        }
    }

    /// Executes a call on the interpreter because the compiled call failed.
    fn call_interpreted(
        &self,
        ext: &mut dyn Externalities,
        method: &str,
        data: &[u8],
        heap: HeapAllocStrategy,
        reason: &pvm_engine::Error,
    ) -> Result<Vec<u8>, Error> {
        log::warn!(target: LOG_TARGET, "{method} is executed again by the interpreter: {reason}");
        let module = match self.interpreted.get() {
            Some(module) => module,
            None => {
                let made = interpreted(&self.module).map_err(|error| WasmError::Other(error.to_string()))?;
                self.interpreted.get_or_init(|| made)
            }
        };
        let instance = module.instantiate_raw().map_err(|error| WasmError::Instantiation(error.to_string()))?;
        match self.attempt(ext, instance, method, data, heap).0 {
            Ok(output) => Ok(output),
            Err(Failure::Runtime(error)) => Err(error),
            Err(Failure::Lost(error)) => Err(Error::Other(error.to_string())),
        }
    }

    fn pool(&self) -> MutexGuard<'_, Vec<RawInstance>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<RawInstance, pvm_engine::Error> {
        let pooled = self.pool().pop();
        pooled.map_or_else(|| self.module.instantiate_raw(), Ok)
    }

    /// Returns an instance to the pool. Interpreted instances are dropped, as a reset would clear all of their memory.
    fn give_back(&self, mut instance: RawInstance) {
        if instance.is_compiled() && self.pool().len() < POOLED && instance.reset_memory().is_ok() {
            self.pool().push(instance);
        }
    }

    /// Executes a call once; also returns the number of storage transactions that it left open.
    fn attempt(
        &self,
        ext: &mut dyn Externalities,
        mut instance: RawInstance,
        method: &str,
        data: &[u8],
        heap: HeapAllocStrategy,
    ) -> (Result<Vec<u8>, Failure>, u32) {
        let mut open = 0;
        // Unwind safe: after a panic the instance is dropped, and the call has changed nothing else of the runtime.
        let mut run = AssertUnwindSafe(|| self.run(&mut instance, &mut open, method, data, heap));
        let result = with_externalities_safe(ext, move || {
            let AssertUnwindSafe(run) = &mut run;
            AssertUnwindSafe(run())
        });
        let result = result.map(|AssertUnwindSafe(result)| result);
        match result {
            Ok(Ok(output)) => {
                self.give_back(instance);
                (Ok(output), open)
            }
            Ok(Err(failure)) => (Err(failure), open),
            // A host function panicked.
            Err(error) => (Err(Failure::Runtime(error)), open),
        }
    }

    fn run(
        &self,
        instance: &mut RawInstance,
        open: &mut u32,
        method: &str,
        data: &[u8],
        heap: HeapAllocStrategy,
    ) -> Result<Vec<u8>, Failure> {
        let entry = self.module.program().export(method.as_bytes());
        let entry = entry.ok_or_else(|| Error::MethodNotFound(method.to_owned()))?;
        let bytes = match heap {
            HeapAllocStrategy::Static { extra_pages } => u64::from(extra_pages) * HEAP_PAGE,
            HeapAllocStrategy::Dynamic { maximum_pages } => {
                maximum_pages.map_or(u64::MAX, |pages| u64::from(pages) * HEAP_PAGE)
            }
        };
        self.heap.limit(instance, bytes)?;
        let length = u32::try_from(data.len())
            .map_err(|_| Error::Other(format!("the argument of {method} has {} bytes: too many", data.len())))?;
        let input = self.heap.allocate(instance, length)?;
        instance.write_memory(input, data).map_err(|_| Error::InvalidMemoryReference)?;
        instance.prepare_call(entry, &[input.into(), length.into()]);
        let mut panic = None;
        loop {
            match instance.run().map_err(Failure::Lost)? {
                Outcome::Finished => break,
                Outcome::HostCall(index) => self.host_call(instance, index, open, &mut panic)?,
                Outcome::Trap => return Err(self.trapped(instance.pc(), panic).into()),
                outcome @ (Outcome::OutOfGas | Outcome::PageFault { .. } | Outcome::Step) => {
                    return Err(Error::Other(format!("{method} ended with {outcome:?}")).into());
                }
            }
        }
        let result = instance.reg(Reg::A0);
        let (address, length) = (result as u32, (result >> 32) as u32);
        read(instance, address, length).map_err(|_| Error::OutputExceedsBounds.into())
    }

    fn host_call(
        &self,
        instance: &mut RawInstance,
        index: u32,
        open: &mut u32,
        panic: &mut Option<String>,
    ) -> Result<(), Failure> {
        let import = self.imports.get(index as usize);
        let import = import.ok_or_else(|| {
            Error::Other(format!("the runtime calls host function {index}, which it does not import"))
        })?;
        let Some((function, types)) = &import.function else {
            return Err(Error::Other(format!("this node has no host function {}", import.name)).into());
        };
        let mut arguments = [Value::I64(0); ARGUMENTS.len()];
        for ((argument, kind), register) in arguments.iter_mut().zip(types).zip(ARGUMENTS) {
            let value = instance.reg(register);
            *argument = match kind {
                ValueType::I32 => Value::I32(value as i32),
                ValueType::I64 => Value::I64(value as i64),
                ValueType::F32 => Value::F32(value as u32),
                ValueType::F64 => Value::F64(value),
            };
        }
        let mut context = Context { instance, heap: self.heap, panic };
        let result = function
            .execute(&mut context, &mut arguments.into_iter().take(types.len()))
            .map_err(|error| Error::FunctionExecution(import.name.clone(), error))?;
        if let Some(value) = result {
            let value = match value {
                Value::I32(value) => u64::from(value as u32),
                Value::I64(value) => value as u64,
                Value::F32(value) => value.into(),
                Value::F64(value) => value,
            };
            instance.set_reg(Reg::A0, value);
        }
        match import.transaction {
            Transaction::Keeps => {}
            Transaction::Opens => *open += 1,
            Transaction::Closes => *open = open.saturating_sub(1),
        }
        Ok(())
    }

    /// Returns the error for a trap: the panic's message, if a panic caused it, and the program's position.
    fn trapped(&self, pc: Option<u32>, panic: Option<String>) -> Error {
        let place = pc.map(|pc| Backtrace { backtrace_string: self.describe(pc) });
        match panic {
            Some(message) => Error::AbortedDueToPanic(MessageWithBacktrace { message, backtrace: place }),
            None => {
                let message = "trap: an `unimp` instruction, or an access outside of memory".to_owned();
                Error::AbortedDueToTrap(MessageWithBacktrace { message, backtrace: place })
            }
        }
    }

    /// Formats the functions that contain a code offset, innermost first, as far as the blob has names.
    fn describe(&self, pc: u32) -> String {
        let source = Blob::parse(self.blob.as_bytes()).ok().and_then(|blob| {
            let source = blob.source_at(pc).ok()??;
            let names = source.frames().rev().filter_map(|frame| {
                let function = frame.function().ok()??;
                let line = frame.line().map(|line| format!(":{line}")).unwrap_or_default();
                let path = frame.path().ok().flatten().unwrap_or_default();
                Some(format!("  {function} ({path}{line})"))
            });
            Some(names.collect::<Vec<_>>().join("\n"))
        });
        match source {
            Some(names) if !names.is_empty() => names,
            _ => format!("  code offset {pc}"),
        }
    }
}

impl Import {
    fn new(name: &[u8], functions: &[&'static dyn Function]) -> Import {
        let function = functions.iter().find(|function| function.name().as_bytes() == name);
        let function = function.map(|function| (*function, function.signature().args.to_vec()));
        // A function with more arguments than argument registers can't be called.
        let function = function.filter(|(_, arguments)| arguments.len() <= ARGUMENTS.len());
        let name = String::from_utf8_lossy(name).into_owned();
        let is = |start: &str| name.starts_with(start);
        let transaction = match () {
            () if is("ext_storage_start_transaction_") => Transaction::Opens,
            () if is("ext_storage_rollback_transaction_") || is("ext_storage_commit_transaction_") => {
                Transaction::Closes
            }
            () => Transaction::Keeps,
        };
        Import { name, function, transaction }
    }
}

/// Prepares the program of a module for the interpreter.
fn interpreted(module: &Module) -> Result<Module, pvm_engine::Error> {
    let engine = Engine::new(Config::new().set_backend(Backend::Interpreter))?;
    Module::from_program(&engine, module.program().clone())
}

/// Queries the runtime for the address of its heap's state. This calls no host function.
fn find_heap(module: &Module) -> Result<Heap, Error> {
    let other = |error: pvm_engine::Error| WasmError::Other(error.to_string());
    let (outcome, address) = match run_pvm_heap(module) {
        Ok(answer) => answer,
        // The worker was lost.
        Err(_) => run_pvm_heap(&interpreted(module).map_err(other)?).map_err(other)?,
    };
    match outcome {
        Some(Outcome::Finished) => Ok(Heap::new(address)?),
        Some(outcome) => Err(WasmError::Other(format!("the runtime's export pvm_heap ended with {outcome:?}")).into()),
        None => Err(WasmError::Other("the runtime has no export pvm_heap: it is not one for this node".into()).into()),
    }
}

/// Runs the export `pvm_heap`; returns its outcome, `None` if there is no such export, and its result.
fn run_pvm_heap(module: &Module) -> Result<(Option<Outcome>, u64), pvm_engine::Error> {
    let Some(entry) = module.program().export(b"pvm_heap") else { return Ok((None, 0)) };
    let mut instance = module.instantiate_raw()?;
    instance.prepare_call(entry, &[]);
    let outcome = instance.run()?;
    Ok((Some(outcome), instance.reg(Reg::A0)))
}

/// Reads memory whose length the guest chose: the last byte is read first, before the buffer is allocated.
fn read(instance: &RawInstance, address: u32, length: u32) -> Result<Vec<u8>, MemoryError> {
    if let Some(last) = length.checked_sub(1) {
        instance.read_memory(address.saturating_add(last), &mut [0])?;
    }
    let mut bytes = vec![0; length as usize];
    instance.read_memory(address, &mut bytes)?;
    Ok(bytes)
}

/// Context of a host function: the runtime's memory and heap.
struct Context<'a> {
    instance: &'a mut RawInstance,
    heap: Heap,
    panic: &'a mut Option<String>,
}

impl FunctionContext for Context<'_> {
    fn read_memory(&mut self, address: Pointer<u8>, size: WordSize) -> wasm::Result<Vec<u8>> {
        read(self.instance, address.into(), size).map_err(|error| error.to_string())
    }

    fn read_memory_into(&mut self, address: Pointer<u8>, out: &mut [u8]) -> wasm::Result<()> {
        self.instance.read_memory(address.into(), out).map_err(|error| error.to_string())
    }

    fn write_memory(&mut self, address: Pointer<u8>, data: &[u8]) -> wasm::Result<()> {
        self.instance.write_memory(address.into(), data).map_err(|error| error.to_string())
    }

    fn allocate_memory(&mut self, size: WordSize) -> wasm::Result<Pointer<u8>> {
        self.heap.allocate(self.instance, size).map(Pointer::new).map_err(|error| error.to_string())
    }

    fn deallocate_memory(&mut self, _: Pointer<u8>) -> wasm::Result<()> {
        Err("this runtime's heap is its own: it frees memory itself".into())
    }

    fn register_panic_error_message(&mut self, message: &str) {
        *self.panic = Some(message.to_owned());
    }
}
