//! A stack with a running frame, for benchmarks of host functions.

use super::{Frame, Stack};
use crate::{
    Config, ExecConfig, Limits,
    code::Executable,
    executor::{Executor, GuestInstance, Source},
    host_api::{Halt, Host, HostFunction},
    types::{EntryPoint, Failure},
};
use alloc::{format, vec::Vec};
use frame_support::weights::Weight;
use sp_core::H160;

/// A contract that has started and waits for its first host call.
pub(crate) struct Waiting<T: Config> {
    /// The stack; the contract is its first frame.
    pub stack: Stack<T>,
    /// The contract's instance.
    pub instance: <T::Executor as Executor>::Instance,
}

impl<T: Config> Waiting<T> {
    /// Starts a contract whose first action is a host call.
    pub fn new(origin: T::AccountId, contract: H160, entry: EntryPoint, input: Vec<u8>) -> Result<Self, Failure> {
        let limits = Limits { gas: Weight::MAX, deposit: None };
        let mut stack = Stack::<T>::new(origin.clone(), limits, ExecConfig::extrinsic());
        let info = stack.contract(&contract).map(|entry| entry.info.clone()).ok_or(crate::Error::<T>::CodeNotFound)?;
        let executable = Executable::<T>::load(info.code_hash, &mut stack.gas)?;
        let mut instance = executable
            .with_code(|code| {
                T::Executor::instantiate(Source {
                    code_hash: executable.hash,
                    code,
                    entry: executable.info.entry(entry),
                    cost_model: executable.info.cost_model,
                    semantics: executable.info.semantics,
                    imports: &executable.info.imports,
                })
            })?
            .map_err(|detail| Failure::new::<T>(crate::Error::ExecutionFailed, detail))?;
        let _ = instance.run(i64::MAX, None);
        stack.ledger.begin(None);
        stack.transient.begin();
        let gas = stack.gas.first(Weight::MAX);
        stack.frames.push(Frame::new(entry, contract, info.trie_id, origin, Default::default(), input, gas));
        Ok(Self { stack, instance })
    }

    /// Writes to the contract's memory.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.instance.write_memory(address as u32, bytes).unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Calls a host function as the contract would.
    pub fn call(&mut self, name: &str, args: &[u64]) -> Result<Option<u64>, Halt> {
        let function = HostFunction::by_name(name.as_bytes())
            .ok_or_else(|| Halt::failed::<T>(crate::Error::UnknownImport, format!("no {name}")))?;
        let mut all = [0; 6];
        all.iter_mut().zip(args).for_each(|(to, from)| *to = *from);
        function.call(&mut Host::new(&mut self.stack, &mut self.instance), all)
    }

    /// Settles the stack as a transaction does.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.stack.frames.clear();
        self.stack.ledger.commit()?;
        self.stack.settle()
    }
}

impl<T: Config> Stack<T> {
    /// Opens a layer of the transient storage, or undoes the last one.
    pub fn transient_layer(&mut self, open: bool) {
        if open { self.transient.begin() } else { self.transient.rollback() }
    }
}
