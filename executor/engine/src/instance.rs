//! Instances whose functions are called by name, typed or not.

use crate::error::Error;
use crate::linker::{Caller, HostFunction};
use crate::module::Module;
use crate::raw::RawInstance;
use crate::value::{Argument, Integer, Val, prepare_call, result};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use vm_core::Outcome;

type Functions<T> = Arc<[Option<Arc<HostFunction<T>>>]>;

/// A module bound to its host functions. Instances of it are cheap.
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
    /// If no worker could be had.
    pub fn instantiate(&self) -> Result<Instance<T>, Error> {
        let raw = Arc::new(Mutex::new(self.module.instantiate_raw()?));
        Ok(Instance { raw, module: self.module.clone(), functions: self.functions.clone() })
    }
}

/// A program with its memory, and its functions by name. Cloning it gives another handle of the same instance.
///
/// Memory stays from call to call. An instance does one call at a time: a host function cannot call the guest that
/// called it.
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
    /// The exported function of this name, with types. A blob does not say what the types are; the caller has to know.
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

    /// The exported function of this name.
    ///
    /// # Errors
    /// If there is no such export.
    pub fn get_func(&self, name: impl AsRef<[u8]>) -> Result<Func<T>, Error> {
        let name = name.as_ref();
        let entry = self.module.program().export(name);
        let entry = entry.ok_or_else(|| Error::NoExport { name: String::from_utf8_lossy(name).into_owned() })?;
        Ok(Func { instance: self.clone(), entry })
    }

    /// The instance, between calls: memory, gas, registers.
    ///
    /// # Errors
    /// If it is in a call.
    pub fn raw(&self) -> Result<MutexGuard<'_, RawInstance>, Error> {
        match self.raw.try_lock() {
            Ok(raw) => Ok(raw),
            // A host function panicked in it; the instance itself is between two instructions.
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

    /// Goes on with a call of `entry` that had no gas left.
    fn resume(&self, state: &mut T, entry: u32) -> Result<MutexGuard<'_, RawInstance>, Error> {
        let raw = self.raw()?;
        match raw.interrupted() == Some(entry) {
            true => self.go_on(raw, state, entry),
            false => Err(Error::NothingToResume),
        }
    }

    /// Runs a call of `entry` from where the instance is until the guest returns.
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
                // Of no interest here.
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
    /// Calls it; returns what is in the first result register, as wide as that is.
    ///
    /// # Errors
    /// If the guest traps or has no gas left, a host function fails, or the instance is in a call or lost; if the
    /// arguments do not fit on the guest's stack, and nothing changes.
    pub fn call(&self, state: &mut T, args: &[Val]) -> Result<Val, Error> {
        let args: Vec<Argument> = args.iter().map(|value| Argument::from(*value)).collect();
        Ok(untyped(&*self.instance.call(state, self.entry, &args)?))
    }

    /// Goes on with a call of this function that ended with [`Error::OutOfGas`], once the instance has gas again:
    /// `instance.raw()?.set_gas(…)`. It can end so any number of times. Nothing is executed or paid twice.
    ///
    /// What happened to the instance since is as it is; if it was called, run or sent elsewhere, there is nothing to
    /// resume.
    ///
    /// # Errors
    /// As [`Func::call`]; [`Error::NothingToResume`] if no call of this function waits, and nothing changes.
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
    /// Calls it.
    ///
    /// # Errors
    /// As [`Func::call`].
    pub fn call(&self, state: &mut T, args: Params) -> Result<R, Error> {
        let Func { instance, entry } = &self.func;
        Ok(R::of(&*args.with(|args| instance.call(state, *entry, args))?))
    }

    /// Goes on with a call of this function that had no gas left, as [`Func::resume`] does.
    ///
    /// # Errors
    /// As [`Func::resume`].
    pub fn resume(&self, state: &mut T) -> Result<R, Error> {
        Ok(R::of(&*self.func.instance.resume(state, self.func.entry)?))
    }
}

/// Parameters of a typed function: a tuple of up to twelve integers.
pub trait CallParams {
    /// Hands the values on.
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

call_params!();
call_params!(A);
call_params!(A B);
call_params!(A B C);
call_params!(A B C D);
call_params!(A B C D E);
call_params!(A B C D E F);
call_params!(A B C D E F G);
call_params!(A B C D E F G H);
call_params!(A B C D E F G H I);
call_params!(A B C D E F G H I J);
call_params!(A B C D E F G H I J K);
call_params!(A B C D E F G H I J K L);

/// Result of a typed function: nothing, or an integer.
pub trait CallResult {
    /// Takes it from where it is.
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
