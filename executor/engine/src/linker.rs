//! Linker: host functions by name, and modules bound to them.

use crate::engine::Engine;
use crate::error::Error;
use crate::instance::{Instance, InstancePre};
use crate::module::Module;
use crate::raw::RawInstance;
use crate::value::{Argument, Arguments, Integer, for_each_arity, set_result};
use std::collections::HashMap;
use std::sync::Arc;
use vm_core::isa::Reg;
use vm_core::memory::MemoryError;

/// Error of a host function. It ends the guest's call.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// A host function. An error ends the guest's call.
pub(crate) type HostFunction<T> = dyn Fn(&mut Caller<'_, T>) -> Result<(), Error> + Send + Sync;

fn failed(error: HostError) -> Error {
    Error::Host(Arc::from(error))
}

/// The caller of a host function: the guest's instance, and the embedder's state.
pub struct Caller<'a, T> {
    pub(crate) instance: &'a mut RawInstance,
    pub(crate) data: &'a mut T,
}

impl<T> Caller<'_, T> {
    /// The state passed to the call.
    pub fn data(&self) -> &T {
        self.data
    }

    /// The state passed to the call, mutable.
    pub fn data_mut(&mut self) -> &mut T {
        self.data
    }

    /// The calling instance: registers, gas, memory. It must not be run from a host function.
    pub fn instance(&mut self) -> &mut RawInstance {
        self.instance
    }

    /// The value of a register.
    pub fn reg(&self, reg: Reg) -> u64 {
        self.instance.reg(reg)
    }

    /// Sets a register. A 32-bit program uses only the low 32 bits.
    pub fn set_reg(&mut self, reg: Reg, value: u64) {
        self.instance.set_reg(reg, value);
    }

    /// Gas left.
    pub fn gas(&self) -> i64 {
        self.instance.gas()
    }

    /// Sets the gas left. If it is negative, a metered guest stops after the host function, out of gas.
    pub fn set_gas(&mut self, gas: i64) {
        self.instance.set_gas(gas);
    }

    /// Reads guest memory.
    ///
    /// # Errors
    /// If the range is not readable.
    pub fn read_memory(&self, address: u32, out: &mut [u8]) -> Result<(), MemoryError> {
        self.instance.read_memory(address, out)
    }

    /// Writes guest memory.
    ///
    /// # Errors
    /// If the range is not writable; nothing is written then.
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), MemoryError> {
        self.instance.write_memory(address, data)
    }
}

/// Result of a host function: nothing, an integer, or a `Result` of these.
pub trait HostResult {
    /// Converts the result to the value for the guest, or the error.
    #[doc(hidden)]
    fn into_host_result(self) -> Result<Option<Argument>, HostError>;
}

impl HostResult for () {
    fn into_host_result(self) -> Result<Option<Argument>, HostError> {
        Ok(None)
    }
}

impl<I: Integer> HostResult for I {
    fn into_host_result(self) -> Result<Option<Argument>, HostError> {
        Ok(Some(self.into_argument()))
    }
}

impl<R: HostResult, E: Into<HostError>> HostResult for Result<R, E> {
    fn into_host_result(self) -> Result<Option<Argument>, HostError> {
        self.map_err(Into::into)?.into_host_result()
    }
}

/// A closure that can serve as a host function: it takes up to twelve integers, preceded by an optional `Caller`.
pub trait IntoHostFunction<T, Params> {
    /// Converts the closure into a host function.
    #[doc(hidden)]
    fn into_host_function(self) -> Arc<HostFunction<T>>;
}

/// Sets the result registers to the result of a host function.
fn return_to_guest<T>(caller: &mut Caller<'_, T>, result: impl HostResult) -> Result<(), Error> {
    if let Some(value) = result.into_host_result().map_err(failed)? {
        set_result(caller.instance, value);
    }
    Ok(())
}

/// Implements [`IntoHostFunction`] for closures with these arguments. In brackets: what precedes the parameters' types,
/// the type of the caller, if the closure has it, and its value.
macro_rules! host_function {
    ([$($marker:tt)*] [$($caller:tt)*] [$($value:ident,)?] $name:ident $($arg:ident)*) => {
        impl<T, Function, R, $($arg: Integer,)*> IntoHostFunction<T, ($($marker)* R, $($arg,)*)> for Function
        where
            Function: Fn($($caller)* $($arg),*) -> R + Send + Sync + 'static,
            R: HostResult,
        {
            #[allow(non_snake_case, unused_mut, unused_variables, reason = "for no arguments")]
            fn into_host_function(self) -> Arc<HostFunction<T>> {
                Arc::new(move |$name: &mut Caller<'_, T>| {
                    let mut arguments = Arguments::new($name.instance);
                    $(let $arg = arguments.next::<$arg>()?;)*
                    let result = self($($value,)? $($arg),*);
                    return_to_guest($name, result)
                })
            }
        }
    };
}

macro_rules! host_functions {
    ($($arg:ident)*) => {
        host_function!([] [] [] caller $($arg)*);
        host_function!([Caller<'static, ()>,] [&mut Caller<'_, T>,] [caller,] caller $($arg)*);
    };
}

for_each_arity!(host_functions);

/// Host functions by name. `T` is the embedder's state, which is passed to every call.
pub struct Linker<T> {
    engine: Engine,
    functions: HashMap<Vec<u8>, Arc<HostFunction<T>>>,
}

impl<T> Linker<T> {
    /// Makes a linker without functions, for modules of this engine.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker { engine: engine.clone(), functions: HashMap::new() }
    }

    /// Defines a host function. A closure takes up to twelve integers of 32 or 64 bits, optionally preceded by `&mut
    /// Caller<'_, T>`, and returns nothing, an integer, or a `Result`, whose error ends the guest's call.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_wrap<Params>(
        &mut self,
        name: impl AsRef<[u8]>,
        function: impl IntoHostFunction<T, Params>,
    ) -> Result<&mut Self, Error> {
        self.define(name.as_ref(), function.into_host_function())
    }

    /// Defines a host function that reads its arguments from registers and memory itself, and writes its result there.
    /// For functions whose parameters are known only at run time, and for results in two registers.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_new(
        &mut self,
        name: impl AsRef<[u8]>,
        function: impl Fn(&mut Caller<'_, T>) -> Result<(), HostError> + Send + Sync + 'static,
    ) -> Result<&mut Self, Error> {
        self.define(name.as_ref(), Arc::new(move |caller: &mut Caller<'_, T>| function(caller).map_err(failed)))
    }

    fn define(&mut self, name: &[u8], function: Arc<HostFunction<T>>) -> Result<&mut Self, Error> {
        if self.functions.contains_key(name) {
            return Err(Error::Duplicate { name: lossy(name) });
        }
        self.functions.insert(name.to_vec(), function);
        Ok(self)
    }

    /// Defines each import of `module` that is not defined yet as a function that ends the guest's call with
    /// [`Error::UndefinedImport`]. Call this last: those names are taken afterwards.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> &mut Self {
        for name in module.program().imports().flatten() {
            if !self.functions.contains_key(name) {
                let text = lossy(name);
                let function = move |_: &mut Caller<'_, T>| Err(Error::UndefinedImport { name: text.clone() });
                self.functions.insert(name.to_vec(), Arc::new(function));
            }
        }
        self
    }

    /// Binds a module's imports.
    ///
    /// # Errors
    /// If functions are missing: the error names all of them. If the module belongs to another engine.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>, Error> {
        if !module.engine().is(&self.engine) {
            return Err(Error::OtherEngine);
        }
        let mut missing = Vec::new();
        let mut functions = Vec::new();
        for name in module.program().imports() {
            // A malformed name matches no function: calling such an import is an error.
            let function = name.and_then(|name| self.functions.get(name));
            if let (Some(name), None) = (name, function) {
                missing.push(lossy(name));
            }
            functions.push(function.cloned());
        }
        if !missing.is_empty() {
            return Err(Error::MissingImports { names: missing });
        }
        Ok(InstancePre::new(module.clone(), functions.into()))
    }

    /// Binds a module's imports and makes an instance.
    ///
    /// # Errors
    /// As [`Linker::instantiate_pre`] and [`InstancePre::instantiate`].
    pub fn instantiate(&self, module: &Module) -> Result<Instance<T>, Error> {
        self.instantiate_pre(module)?.instantiate()
    }
}

/// Converts a name to text, for errors.
fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
