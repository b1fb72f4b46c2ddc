//! One frame, from the transfer of its value to the last instruction of its contract.
//!
//! Called by [`Stack`] with the frame on top, inside the frame's storage transaction. Whatever goes
//! wrong here ends in an `Err`, upon which the caller undoes all of it.

use super::{Stack, transfer};
use crate::{
    Config, ContractInfoOf, Error,
    code::{self, Executable},
    executor::{Executor, Instance, Source, Stop},
    host_api::{Halt, Host},
    types::{EntryPoint, Failure, Output},
};
use alloc::format;
use pallet_revive_uapi::ReturnFlags;
use vm_core::outcome::Outcome;

/// Runs the top frame.
pub(super) fn run_top<T: Config>(stack: &mut Stack<'_, T>, mut executable: Executable<T>) -> Result<Output, Failure> {
    if stack.top().entry == EntryPoint::Deploy {
        create_account(stack)?;
        // Counted before the constructor runs, so that the code can't go while it does.
        code::increment_use_count::<T>(executable.hash)?;
    }
    transfer_value(stack)?;
    let output = execute(stack, &mut executable)?;
    if !output.did_revert() {
        finalize(stack, &executable)?;
    }
    Ok(output)
}

/// Makes the account of a new contract. The origin pays its existential deposit.
fn create_account<T: Config>(stack: &mut Stack<'_, T>) -> Result<(), Failure> {
    let origin = stack.origin().clone();
    let caller = stack.caller().clone();
    let bump_nonce = stack.config.bump_nonce || stack.frames.len() > 1;
    let frame = stack.top_mut();
    if !frame_system::Pallet::<T>::account_exists(&frame.account) {
        transfer::existential_deposit::<T>(&origin, &frame.account, &mut frame.meters.deposit)?;
    }
    // As long as the contract exists, its account must: a consumer keeps it from being reaped.
    frame_system::Pallet::<T>::inc_consumers(&frame.account)?;
    // A contract's nonce starts at one, as Ethereum's do.
    frame_system::Pallet::<T>::inc_account_nonce(&frame.account);
    if bump_nonce {
        frame_system::Pallet::<T>::inc_account_nonce(&caller);
    }
    Ok(())
}

fn transfer_value<T: Config>(stack: &mut Stack<'_, T>) -> Result<(), Failure> {
    let origin = stack.origin().clone();
    let caller = stack.caller().clone();
    let frame = stack.top_mut();
    transfer::transfer::<T>(&origin, &caller, &frame.account, frame.value, &mut frame.meters.deposit)
}

/// Books the deposits of a frame that ended well and writes its contract's record back.
fn finalize<T: Config>(stack: &mut Stack<'_, T>, executable: &Executable<T>) -> Result<(), Failure> {
    let frame = stack.top_mut();
    if frame.entry == EntryPoint::Deploy {
        // Only now: it depends on the immutable data the constructor left.
        let deposit = frame.contract.set_base_deposit(&executable.info);
        frame.meters.deposit.charge_to(&frame.account, deposit);
    }
    frame.meters.deposit.finalize(&frame.account, &mut frame.contract)?;
    ContractInfoOf::<T>::insert(frame.address, &frame.contract);
    Ok(())
}

/// Runs the program until it ends, serving its host calls.
fn execute<T: Config>(stack: &mut Stack<'_, T>, executable: &mut Executable<T>) -> Result<Output, Failure> {
    // The instance holds what it needs of the code. Letting go of it here keeps a deep stack small.
    let code = core::mem::take(&mut executable.code);
    let mut instance = T::Executor::instantiate(Source {
        code_hash: executable.hash,
        code: &code,
        entry: executable.info.entry(stack.top().entry),
        cost_model: executable.info.cost_model,
    })
    .map_err(|detail| Failure::new::<T>(Error::ExecutionFailed, detail))?;
    drop(code);
    let mut result = None;
    loop {
        let gas = stack.top_mut().meters.gas.to_vm();
        let Stop { outcome, gas, args } = instance.run(gas, result.take());
        stack.top_mut().meters.gas.from_vm(gas)?;
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
            Err(Halt::Failed(mut failure)) => {
                if failure.detail.is_empty() {
                    failure.detail = format!("in host function {function:?}");
                }
                return Err(failure);
            }
        }
    }
}

fn out_of_gas<T: Config>(stack: &Stack<'_, T>) -> Failure {
    let left = stack.top().meters.gas.left();
    Failure::new::<T>(
        Error::OutOfGas,
        format!("the next block of instructions costs more than the {} ps of time that are left", left.ref_time()),
    )
}

fn trapped<T: Config>(instance: &impl Instance, outcome: Outcome) -> Failure {
    let place = match instance.program_counter() {
        Some(offset) => format!(" at code offset {offset}"),
        None => Default::default(),
    };
    Failure::new::<T>(Error::ContractTrapped, format!("{outcome:?}{place}"))
}
