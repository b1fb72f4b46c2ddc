//! Instances whose functions are called by name, with or without types.

use crate::error::Error;
use crate::linker::{Caller, HostFunction};
use crate::module::Module;
use crate::raw::RawInstance;
use crate::value::{Argument, Integer, Val, for_each_arity, prepare_call, result};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use vm_core::Outcome;

type Functions<T> = Arc<[Option<Arc<HostFunction<T>>>]>;

/// A module bound to its host functions. Making instances of it is cheap.
pub struct InstancePre<T> {
    module: Module,
    functions: Functions<T>,
}

impl<T> InstancePre<T> {
    pub(crate) fn new(module: Module, functions: Functions<T>) -> Self {
        InstancePre { module, functions }
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// If no worker was available.
    pub fn instantiate(&self) -> Result<Instance<T>, Error> {
        let raw = Arc::new(Mutex::new(self.module.instantiate_raw()?));
        Ok(Instance { raw, module: self.module.clone(), functions: self.functions.clone() })
    }
}

/// A program with its memory, and its functions by name. A clone is another handle of the same instance.
///
/// Memory is kept from call to call. An instance executes one call at a time: a host function cannot call the guest
/// that called it.
pub struct Instance<T> {
    raw: Arc<Mutex<RawInstance>>,
    module: Module,
    functions: Functions<T>,
}

impl<T> Clone for Instance<T> {
    fn clone(&self) -> Self {
        Instance { raw: self.raw.clone(), module: self.module.clone(), functions: self.functions.clone() }
    }
}

impl<T> Instance<T> {
    /// Returns the exported function of this name, with types. A blob does not contain the types; the caller has to
    /// know them.
    ///
    /// # Errors
    /// If there is no such export.
    pub fn get_typed_func<Params, R>(&self, name: impl AsRef<[u8]>) -> Result<TypedFunc<T, Params, R>, Error>
    where
        Params: CallParams,
        R: CallResult,
    {
        Ok(TypedFunc { func: self.get_func(name)?, types: PhantomData })
    }

    /// Returns the exported function of this name.
    ///
    /// # Errors
    /// If there is no such export.
    pub fn get_func(&self, name: impl AsRef<[u8]>) -> Result<Func<T>, Error> {
        let name = name.as_ref();
        let entry = self.module.program().export(name);
        let entry = entry.ok_or_else(|| Error::NoExport { name: String::from_utf8_lossy(name).into_owned() })?;
        Ok(Func { instance: self.clone(), entry })
    }

    /// Returns the raw instance, between calls: memory, gas, registers.
    ///
    /// # Errors
    /// If it is in a call.
    pub fn raw(&self) -> Result<MutexGuard<'_, RawInstance>, Error> {
        match self.raw.try_lock() {
            Ok(raw) => Ok(raw),
            // A host function panicked; the instance itself is consistent, between two instructions.
            Err(TryLockError::Poisoned(error)) => Ok(error.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::Busy),
        }
    }

    /// Runs from `entry` until the guest returns.
    fn call(&self, state: &mut T, entry: u32, args: &[Argument]) -> Result<MutexGuard<'_, RawInstance>, Error> {
        let mut raw = self.raw()?;
        prepare_call(&mut raw, entry, args)?;
        self.go_on(raw, state, entry)
    }

    /// Resumes a call of `entry` that ran out of gas.
    fn resume(&self, state: &mut T, entry: u32) -> Result<MutexGuard<'_, RawInstance>, Error> {
        let raw = self.raw()?;
        match raw.interrupted() == Some(entry) {
            true => self.go_on(raw, state, entry),
            false => Err(Error::NothingToResume),
        }
    }

    /// Runs a call of `entry` from the instance's current position until the guest returns.
    fn go_on<'a>(
        &self,
        mut raw: MutexGuard<'a, RawInstance>,
        state: &mut T,
        entry: u32,
    ) -> Result<MutexGuard<'a, RawInstance>, Error> {
        loop {
            match raw.run()? {
                Outcome::Finished => return Ok(raw),
                Outcome::HostCall(number) => {
                    let function = self.functions.get(number as usize).and_then(Option::as_ref);
                    let function = function.ok_or(Error::NoSuchImport { number })?;
                    let mut caller = Caller { instance: &mut raw, data: state };
                    function(&mut caller)?;
                }
                Outcome::OutOfGas => {
                    raw.set_interrupted(entry);
                    return Err(Error::OutOfGas);
                }
                Outcome::Trap | Outcome::PageFault { .. } => return Err(Error::Trap { pc: raw.pc() }),
                // Single-step mode: nothing to do.
                Outcome::Step => {}
            }
        }
    }
}

/// An exported function.
pub struct Func<T> {
    instance: Instance<T>,
    entry: u32,
}

impl<T> Func<T> {
    /// Calls the function; returns the first result register in its full width.
    ///
    /// # Errors
    /// If the guest traps or runs out of gas, a host function fails, or the instance is in a call or lost; and, without
    /// any change, if the arguments do not fit on the guest's stack.
    pub fn call(&self, state: &mut T, args: &[Val]) -> Result<Val, Error> {
        let args: Vec<Argument> = args.iter().map(|value| Argument::from(*value)).collect();
        Ok(untyped(&*self.instance.call(state, self.entry, &args)?))
    }

    /// Resumes a call of this function that ended with [`Error::OutOfGas`], once the instance has gas again:
    /// `instance.raw()?.set_gas(…)`. It may run out of gas any number of times. Nothing is executed or paid twice.
    ///
    /// The call continues with the instance's current state; if the instance was called, run, or given another program
    /// counter since, there is nothing to resume.
    ///
    /// # Errors
    /// As [`Func::call`]; [`Error::NothingToResume`], without any change, if there is no call of this function to
    /// resume.
    pub fn resume(&self, state: &mut T) -> Result<Val, Error> {
        Ok(untyped(&*self.instance.resume(state, self.entry)?))
    }
}

/// The value of the first result register.
fn untyped(raw: &RawInstance) -> Val {
    match raw.module().program().isa().is_64_bit() {
        true => Val::I64(result(raw)),
        false => Val::I32(result(raw)),
    }
}

/// An exported function with types.
pub struct TypedFunc<T, Params, R> {
    func: Func<T>,
    types: PhantomData<fn(Params) -> R>,
}

impl<T, Params: CallParams, R: CallResult> TypedFunc<T, Params, R> {
    /// Calls the function.
    ///
    /// # Errors
    /// As [`Func::call`].
    pub fn call(&self, state: &mut T, args: Params) -> Result<R, Error> {
        let Func { instance, entry } = &self.func;
        Ok(R::of(&*args.with(|args| instance.call(state, *entry, args))?))
    }

    /// Resumes a call of this function that ran out of gas, as [`Func::resume`] does.
    ///
    /// # Errors
    /// As [`Func::resume`].
    pub fn resume(&self, state: &mut T) -> Result<R, Error> {
        Ok(R::of(&*self.func.instance.resume(state, self.func.entry)?))
    }
}

/// Parameters of a typed function: a tuple of up to twelve integers.
pub trait CallParams {
    /// Passes the values to `user`.
    #[doc(hidden)]
    fn with<O>(self, user: impl FnOnce(&[Argument]) -> O) -> O;
}

macro_rules! call_params {
    ($($arg:ident)*) => {
        impl<$($arg: Integer,)*> CallParams for ($($arg,)*) {
            #[allow(non_snake_case, reason = "the types' names serve as the values'")]
            fn with<O>(self, user: impl FnOnce(&[Argument]) -> O) -> O {
                let ($($arg,)*) = self;
                user(&[$($arg.into_argument(),)*])
            }
        }
    };
}

for_each_arity!(call_params);

/// Result of a typed function: nothing, or an integer.
pub trait CallResult {
    /// Reads the result from its registers.
    #[doc(hidden)]
    fn of(instance: &RawInstance) -> Self;
}

impl CallResult for () {
    fn of(_: &RawInstance) -> Self {}
}

impl<I: Integer> CallResult for I {
    fn of(instance: &RawInstance) -> Self {
        result(instance)
    }
}
