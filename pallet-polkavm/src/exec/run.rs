//! Execution of one frame, from the transfer of its value to the last instruction of its program.
//!
//! Called by the rest of [`super`] with a frame to push. Any failure in it is returned as an `Err`, upon which the
//! storage transaction, the ledger's layer and the transient storage's layer are undone.

use super::{CallError, Callee, Frame, Stack, nested::CallLimits, trace::CallKind, transfer};
use crate::{
    Config, ContractInfo, Error,
    code::{self, Executable},
    executor::{Executor, GuestInstance, Source, Stop},
    host_api::{Halt, Host},
    limits,
    metering::ethereum,
    precompiles::{Env, Precompile},
    storage_layer::with_layer,
    types::{EntryPoint, Failure, Output},
};
use alloc::format;
use pallet_revive_uapi::ReturnFlags;
use sp_runtime::TransactionOutcome;
use vm_core::outcome::Outcome;

impl<T: Config> Stack<T> {
    /// Runs a frame to its end. `new` is the record of the contract that it constructs, if any.
    pub(super) fn run(
        &mut self,
        frame: Frame<T>,
        new: Option<ContractInfo<T>>,
        callee: Callee<T>,
        kind: CallKind,
        limits: &CallLimits<T>,
    ) -> Result<Output, CallError> {
        self.ensure_depth()?;
        if self.tracer.is_some() {
            let (from, to) =
                if frame.delegated { (&frame.account, frame.code_address) } else { (&frame.caller, frame.address) };
            let value = (!frame.delegated).then_some(frame.value);
            let (from, input) = (from.clone(), frame.input.clone().unwrap_or_default());
            self.trace_enter(kind, &from, to, value, &input, frame.gas.left());
        }
        let kept_events = self.events.len();
        // The first frame is undone with the whole transaction, which has a storage layer.
        let is_first = self.frames.is_empty();
        self.frames.push(frame);
        self.ledger.begin(limits.deposit);
        self.transient.begin();
        let run = || match run_top(self, new, callee) {
            Ok(output) if !output.did_revert() => {
                match self.ensure_ethereum_gas(limits).and_then(|()| self.ledger.commit()) {
                    Ok(()) => TransactionOutcome::Commit(Ok(output)),
                    Err(failure) => TransactionOutcome::Rollback(Err(CallError { failure, in_callee: true })),
                }
            }
            undone => TransactionOutcome::Rollback(undone),
        };
        let result = match is_first {
            true => match run() {
                TransactionOutcome::Commit(result) | TransactionOutcome::Rollback(result) => result,
            },
            false => with_layer(run),
        };
        if result.as_ref().is_ok_and(|output| !output.did_revert()) {
            // The ledger's layer was closed inside the storage transaction, as closing it may fail.
            self.transient.commit();
        } else {
            self.ledger.rollback();
            self.transient.rollback();
            self.events.truncate(kept_events);
        }
        if let Some(frame) = self.frames.pop() {
            if self.tracer.is_some() {
                let result = result.as_ref().map(Output::clone).map_err(|error| error.failure.clone());
                self.trace_exit(&result, frame.gas.consumed());
            }
            self.gas_mut().absorb(frame.gas);
        }
        result
    }

    /// Fails if the last frame has used more weight and deposit together than its Ethereum gas allows.
    fn ensure_ethereum_gas(&self, limits: &CallLimits<T>) -> Result<(), Failure> {
        let Some(limit) = limits.ethereum else { return Ok(()) };
        let used = ethereum::used::<T>(self.top().gas.consumed(), self.ledger.used().charge_or_zero());
        if used > limit {
            let detail =
                format!("the call needs {used} of Ethereum's gas for weight and deposit, the limit is {limit}");
            return Err(Failure::new::<T>(Error::OutOfGas, detail));
        }
        Ok(())
    }

    /// Fails if the stack has its maximum depth.
    pub(super) fn ensure_depth(&self) -> Result<(), Failure> {
        if self.frames.len() as u32 > limits::CALL_DEPTH {
            return Err(Failure::new::<T>(
                Error::MaxCallDepthReached,
                format!("the call stack may have {} frames above the first", limits::CALL_DEPTH),
            ));
        }
        Ok(())
    }
}

/// Runs the top frame.
fn run_top<T: Config>(
    stack: &mut Stack<T>,
    new: Option<ContractInfo<T>>,
    callee: Callee<T>,
) -> Result<Output, CallError> {
    if let Some(info) = new {
        create_account(stack, info)?;
    }
    if !stack.top().delegated {
        let Frame { caller, account, value, .. } = stack.top();
        let (caller, account, value) = (caller.clone(), account.clone(), *value);
        transfer::transfer::<T>(&stack.origin, &caller, &account, value, &mut stack.ledger)?;
    }
    let code_deposit = match &callee {
        Callee::Contract(executable) => executable.info.deposit,
        Callee::Precompile(_) => Default::default(),
    };
    let output = match callee {
        Callee::Contract(executable) => execute(stack, executable),
        Callee::Precompile(precompile) => execute_precompile(stack, precompile),
    };
    let output = output.map_err(|failure| CallError { failure, in_callee: true })?;
    if output.did_revert() {
        return Ok(output);
    }
    if stack.top().entry == EntryPoint::Deploy {
        let address = stack.top().address;
        stack.ledger.change(&address, |entry| {
            entry.constructing = false;
            // Only known now: it depends on the immutable data that the constructor stored.
            entry.info.set_base_deposit(code_deposit);
        });
    }
    Ok(output)
}

/// Creates the account of a new contract. The origin pays its existential deposit.
fn create_account<T: Config>(stack: &mut Stack<T>, info: ContractInfo<T>) -> Result<(), Failure> {
    let code_hash = info.code_hash;
    let Frame { account, address, .. } = stack.top();
    let (account, address) = (account.clone(), *address);
    stack.ledger.record_paid(transfer::existential_deposit::<T>(&stack.origin, &account)?);
    // The account must exist as long as the contract does: a consumer reference keeps it from being reaped.
    frame_system::Pallet::<T>::inc_consumers(&account)?;
    // A contract's nonce starts at one, as Ethereum's do.
    frame_system::Pallet::<T>::inc_account_nonce(&account);
    // Counted before the constructor runs, so that the code can't be removed meanwhile.
    code::increment_use_count::<T>(code_hash)?;
    stack.ledger.create(address, info);
    Ok(())
}

fn execute_precompile<T: Config>(stack: &mut Stack<T>, precompile: Precompile<T>) -> Result<Output, Failure> {
    let input = stack.top_mut().input.take().unwrap_or_default();
    let output = precompile.run(&input, &mut Env::new(stack))?;
    if output.data.len() > limits::CALLDATA_BYTES as usize {
        return Err(Failure::new::<T>(
            Error::ReturnDataTooLarge,
            format!("the precompile returns {} bytes, the limit is {}", output.data.len(), limits::CALLDATA_BYTES),
        ));
    }
    Ok(output)
}

/// Runs the program to its end, and serves its host calls.
fn execute<T: Config>(stack: &mut Stack<T>, executable: Executable<T>) -> Result<Output, Failure> {
    // The instance has its own copy of the code, which is freed here: that keeps a deep stack small.
    let mut instance = executable
        .with_code(|code| {
            T::Executor::instantiate(Source {
                code_hash: executable.hash,
                code,
                entry: executable.info.entry(stack.top().entry),
                cost_model: executable.info.cost_model,
                semantics: executable.info.semantics,
                imports: &executable.info.imports,
            })
        })?
        .map_err(|detail| Failure::new::<T>(Error::ExecutionFailed, detail))?;
    let cost_model = executable.info.cost_model;
    let mut result = None;
    loop {
        let gas = stack.top_mut().gas.to_vm(cost_model);
        let Stop { outcome, gas, args } = instance.run(gas, result.take());
        stack.top_mut().gas.from_vm(cost_model, gas)?;
        let index = match outcome {
            Outcome::HostCall(index) => index,
            Outcome::Finished => return Ok(Output::default()),
            Outcome::OutOfGas => return Err(out_of_gas(stack)),
            other => return Err(trapped::<T>(&instance, other)),
        };
        let Some(function) = executable.info.imports.get(index as usize) else {
            return Err(Failure::new::<T>(
                Error::InvalidImport,
                format!("host call {index}, the program has {} imports", executable.info.imports.len()),
            ));
        };
        match function.call(&mut Host::new(stack, &mut instance), args) {
            Ok(value) => result = value,
            Err(Halt::Return { flags, data }) => {
                let flags = ReturnFlags::from_bits(flags).ok_or_else(|| {
                    Failure::new::<T>(Error::InvalidReturnFlags, format!("seal_return with flags {flags:#x}"))
                })?;
                return Ok(Output { flags, data });
            }
            Err(Halt::Ended) => return Ok(Output::default()),
            Err(Halt::Failed(mut failure)) => {
                if failure.detail.is_empty() {
                    failure.detail = format!("in host function {function:?}");
                }
                return Err(failure);
            }
        }
    }
}

fn out_of_gas<T: Config>(stack: &Stack<T>) -> Failure {
    let left = stack.top().gas.left();
    Failure::new::<T>(
        Error::OutOfGas,
        format!("the next block of instructions costs more than the {} ps of time that are left", left.ref_time()),
    )
}

fn trapped<T: Config>(instance: &impl GuestInstance, outcome: Outcome) -> Failure {
    let place = match instance.program_counter() {
        Some(offset) => format!(" at code offset {offset}"),
        None => Default::default(),
    };
    Failure::new::<T>(Error::ContractTrapped, format!("{outcome:?}{place}"))
}
