//! Other contracts: `call`, `call_evm`, `delegate_call`, `delegate_call_evm`, `instantiate`, `terminate`,
//! `consume_all_gas`.
//!
//! Pairs of 32-bit arguments share a register if there would be more than six. The callee's output is written to the
//! output buffer as far as it fits (not at all if its pointer is [`SENTINEL`]), and stays available to
//! `return_data_copy`.
//!
//! The result is an error code: 0, `CalleeReverted` (with data), or without data `CalleeTrapped`, `TransferFailed`,
//! `OutOfResources`, `DuplicateContractAddress`. Failures that are not the callee's fault, such as a pointer outside of
//! memory or too deep a stack, end the caller.
//!
//! The callee gets the lesser of its limit and all but a 64th of what the caller has left (EIP-150), so a callee that
//! uses up its gas leaves its caller enough to continue. The forms without `_evm` pass weight in two numbers and a
//! deposit of 256 bits, the largest of which means no limit. The `_evm` forms pass one number. Up to [`ethereum::MOST`]
//! it is Ethereum's gas, as written in sources, and limits weight and deposit together. A larger number can only come
//! from `ref_time_left`: it is picoseconds, and the largest means no limit. If a value is transferred, or the gas is
//! Ethereum's stipend of 2300, [`stipend`] is added to it, taken from what the caller has; a callee that only has the
//! stipend can't write to its storage.

use super::{Args, Halt, Host, HostResult, SENTINEL, high, low};
use crate::{
    BalanceOf, CodeInfoOf, Config, Error,
    code::CostModel,
    dust,
    exec::{
        CallError, ensure_input_fits,
        nested::{CallLimits, Reentry, termination_weight},
    },
    executor::GuestInstance,
    limits,
    metering::{cost::Cost, ethereum},
    precompiles::Precompiles,
    types::Failure,
};
use alloc::{format, vec::Vec};
use frame_support::{traits::Get, weights::Weight};
use pallet_revive_uapi::{CallFlags, ReturnErrorCode, ReturnFlags};
use sp_core::{H160, H256};

/// A range of the contract's memory: its pointer, and its length or a pointer to the length.
#[derive(Clone, Copy)]
struct Buffer {
    pointer: u32,
    len: u32,
}

impl Buffer {
    /// Unpacks a register with the length, or a pointer to it, in the upper half.
    fn packed(register: u64) -> Self {
        Self { pointer: low(register), len: high(register) }
    }
}

/// `call(flags:callee_ptr, ref_time, proof_size, deposit_ptr:value_ptr, input_len:input_ptr,
/// output_len_ptr:output_ptr) -> error code`: calls an account.
pub(super) fn call<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let flags = call_flags::<T>(high(args[0]))?;
    let _ = host.charge(Cost::CopyOut(32))?;
    let limits = limits(host, args[1], args[2], high(args[3]))?;
    call_with(host, flags, low(args[0]), low(args[3]), limits, args[4], args[5])
}

/// `call_evm(flags, callee_ptr, value_ptr, gas, input_len:input_ptr, output_len_ptr:output_ptr) ->
/// error code`: calls an account.
pub(super) fn call_evm<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let flags = call_flags::<T>(low(args[0]))?;
    let [callee_ptr, value_ptr] = [low(args[1]), low(args[2])];
    let limits = match args[3] {
        u64::MAX => CallLimits::none(),
        gas => {
            let _ = host.charge(Cost::CopyOut(32))?;
            if gas == ethereum::STIPEND || !host.read_u256(value_ptr)?.is_zero() {
                let stipend = stipend::<T>();
                let settlement = host.stack.settlement_reserve();
                host.stack.top_mut().gas.ensure_lendable(stipend, settlement)?;
                // The stipend is worth more than this number.
                gas_limit(if gas == ethereum::STIPEND { 0 } else { gas }, stipend)
            } else {
                gas_limit(gas, Weight::zero())
            }
        }
    };
    call_with(host, flags, callee_ptr, value_ptr, limits, args[4], args[5])
}

fn call_with<T: Config>(
    host: &mut Host<'_, T>,
    flags: CallFlags,
    callee_ptr: u32,
    value_ptr: u32,
    limits: CallLimits<T>,
    input: u64,
    output: u64,
) -> HostResult {
    let callee = host.read_address(callee_ptr)?;
    charge_call(host, &callee, Cost::Call)?;
    let input = callee_input(host, flags, Buffer::packed(input))?;
    let value = host.read_u256(value_ptr)?;
    let read_only = flags.contains(CallFlags::READ_ONLY);
    if !value.is_zero() {
        if read_only {
            return Err(Halt::failed::<T>(Error::StateChangeDenied, "a read-only call can't send a value"));
        }
        host.stack.ensure_may_write()?;
        host.stack.top_mut().gas.charge_weight(dust::value_weight::<T>(value))?;
    }
    let reentry = if flags.contains(CallFlags::ALLOW_REENTRY) { Reentry::Allowed } else { Reentry::Denied };
    host.instance.release();
    let called = host.stack.call_from_contract(&limits, callee, value, input, reentry, read_only);
    answer(host, called, flags, Buffer::packed(output))
}

/// `delegate_call(flags:address_ptr, ref_time, proof_size, deposit_ptr, input_len:input_ptr,
/// output_len_ptr:output_ptr) -> error code`: runs another contract's program on this one's state.
pub(super) fn delegate_call<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let flags = call_flags::<T>(high(args[0]))?;
    let _ = host.charge(Cost::CopyOut(32))?;
    let limits = limits(host, args[1], args[2], low(args[3]))?;
    delegate_with(host, flags, low(args[0]), limits, args[4], args[5])
}

/// `delegate_call_evm(flags, address_ptr, gas, input_len:input_ptr, output_len_ptr:output_ptr) ->
/// error code`: as [`delegate_call`].
pub(super) fn delegate_call_evm<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let flags = call_flags::<T>(low(args[0]))?;
    let limits = gas_limit(args[2], Weight::zero());
    delegate_with(host, flags, low(args[1]), limits, args[3], args[4])
}

fn delegate_with<T: Config>(
    host: &mut Host<'_, T>,
    flags: CallFlags,
    address_ptr: u32,
    limits: CallLimits<T>,
    input: u64,
    output: u64,
) -> HostResult {
    let address = host.read_address(address_ptr)?;
    charge_call(host, &address, Cost::DelegateCall)?;
    if flags.intersects(CallFlags::ALLOW_REENTRY | CallFlags::READ_ONLY) {
        return Err(Halt::failed::<T>(
            Error::InvalidCallFlags,
            format!("a delegate call with flags {:#x}", flags.bits()),
        ));
    }
    let input = callee_input(host, flags, Buffer::packed(input))?;
    host.instance.release();
    let called = host.stack.delegate_call(&limits, address, input);
    answer(host, called, flags, Buffer::packed(output))
}

/// `instantiate(ref_time, proof_size, deposit_ptr:value_ptr, input_len:input_ptr, output_len_ptr:output_ptr,
/// address_ptr:salt_ptr) -> error code`: instantiates a contract.
///
/// The input begins with the hash of the program; the rest is passed to the constructor. Without a salt (its pointer is
/// [`SENTINEL`]) the address depends on the contract's nonce.
pub(super) fn instantiate<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    const HASH: u32 = 32;
    let input = Buffer::packed(args[3]);
    let (address_ptr, salt_ptr) = (high(args[5]), low(args[5]));
    let short = || {
        Halt::failed::<T>(
            Error::OutOfBounds,
            format!(
                "instantiate with {} bytes of input at {:#x}, it begins with a code hash",
                input.len, input.pointer
            ),
        )
    };
    let data_len = input.len.checked_sub(HASH).ok_or_else(short)?;
    let data_ptr = input.pointer.checked_add(HASH).ok_or_else(short)?;
    let _ = host.charge(Cost::Instantiate(data_len))?;
    host.stack.ensure_may_write()?;
    let value = host.read_u256(low(args[2]))?;
    if !value.is_zero() {
        host.stack.top_mut().gas.charge_weight(dust::value_weight::<T>(value))?;
    }
    let limits = limits(host, args[0], args[1], high(args[2]))?;
    let code_hash = H256(host.read_array(input.pointer)?);
    ensure_input_fits::<T>(data_len as usize)?;
    let data = host.read(data_ptr, data_len)?;
    let salt = if salt_ptr == SENTINEL { None } else { Some(host.read_array::<32>(salt_ptr)?) };
    if salt.is_some() {
        // The address is derived from a hash over the program and the data.
        let code_len = CodeInfoOf::<T>::get(code_hash).map_or(0, |code| code.code_len);
        let _ = host.charge(Cost::Create2(code_len.saturating_add(data_len)))?;
    }
    host.instance.release();
    let made = host.stack.instantiate_from_contract(&limits, code_hash, value, data, salt);
    if let Ok(address) = &made
        && address_ptr != SENTINEL
        && !host.stack.top().last_output.did_revert()
    {
        host.write(address_ptr, address.as_bytes())?;
    }
    answer(host, made.map(|_| ()), CallFlags::empty(), Buffer::packed(args[4]))
}

/// `terminate(beneficiary_ptr)`: ends the contract's run, sends its balance to the beneficiary, and removes it at the
/// end of the transaction if it was instantiated in the same one (EIP-6780).
pub(super) fn terminate<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let _ = host.charge(Cost::Terminate)?;
    host.stack.top_mut().gas.charge_weight(termination_weight::<T>())?;
    let beneficiary = host.read_address(low(args[0]))?;
    host.stack.terminate(beneficiary, false)?;
    Err(Halt::Ended)
}

/// `consume_all_gas()`: ends the contract as a revert without data does, and uses up all its weight.
pub(super) fn consume_all_gas<T: Config>(host: &mut Host<'_, T>, _: Args) -> HostResult {
    host.stack.top_mut().gas.consume_all();
    Err(Halt::Return { flags: ReturnFlags::REVERT.bits(), data: Vec::new() })
}

/// The limits that a single number of gas stands for, with additional weight.
fn gas_limit<T: Config>(gas: u64, on_top: Weight) -> CallLimits<T> {
    match gas {
        0..=ethereum::MOST => CallLimits::ethereum(gas, on_top),
        u64::MAX => CallLimits::none(),
        // A share of the result of `ref_time_left`.
        time => CallLimits::new(on_top.saturating_add(Weight::from_parts(time, u64::MAX)), None),
    }
}

/// The weight of Ethereum's stipend, which pays for a few instructions of the receiver, and an event.
fn stipend<T: Config>() -> Weight {
    const INSTRUCTIONS: u64 = 5_000;
    const HOST_CALLS: u64 = 16;
    Weight::from_parts(T::Pricing::get().ref_time_per_gas(CostModel::Naive).saturating_mul(INSTRUCTIONS), 0)
        .saturating_add(Cost::Basic.weight::<T::WeightInfo>().saturating_mul(HOST_CALLS))
        .saturating_add(Cost::DepositEvent { topics: limits::EVENT_TOPICS, len: 64 }.weight::<T::WeightInfo>())
}

fn call_flags<T: Config>(flags: u32) -> Result<CallFlags, Halt> {
    CallFlags::from_bits(flags)
        .ok_or_else(|| Halt::failed::<T>(Error::InvalidCallFlags, format!("unknown call flags {flags:#x}")))
}

fn limits<T: Config>(
    host: &mut Host<'_, T>,
    ref_time: u64,
    proof_size: u64,
    deposit_ptr: u32,
) -> Result<CallLimits<T>, Halt> {
    let deposit = host.read_u256(deposit_ptr)?;
    // More than the type of balances can hold means no limit.
    let deposit: Option<BalanceOf<T>> = deposit.try_into().ok();
    Ok(CallLimits::new(Weight::from_parts(ref_time, proof_size), deposit))
}

fn charge_call<T: Config>(host: &mut Host<'_, T>, callee: &H160, cost: Cost) -> Result<(), Halt> {
    let cost = if T::Precompiles::find(callee).is_some() { Cost::CallPrecompile } else { cost };
    let _ = host.charge(cost)?;
    Ok(())
}

/// The callee's input: from memory, or the contract's own input, forwarded or cloned.
fn callee_input<T: Config>(host: &mut Host<'_, T>, flags: CallFlags, input: Buffer) -> Result<Vec<u8>, Halt> {
    ensure_input_fits::<T>(input.len as usize)?;
    if flags.contains(CallFlags::CLONE_INPUT) {
        let own = host.stack.top().input.as_ref().ok_or(Error::<T>::InputForwarded)?.clone();
        let _ = host.charge(Cost::CloneInput(own.len() as u32))?;
        Ok(own)
    } else if flags.contains(CallFlags::FORWARD_INPUT) {
        host.stack.top_mut().input.take().ok_or_else(|| Error::<T>::InputForwarded.into())
    } else {
        let _ = host.charge(Cost::CopyOut(input.len))?;
        host.read(input.pointer, input.len)
    }
}

/// The result of a nested call for its caller.
fn answer<T: Config>(
    host: &mut Host<'_, T>,
    called: Result<(), CallError>,
    flags: CallFlags,
    output: Buffer,
) -> HostResult {
    match called {
        Ok(()) if flags.contains(CallFlags::TAIL_CALL) => {
            let output = core::mem::take(&mut host.stack.top_mut().last_output);
            Err(Halt::Return { flags: output.flags.bits(), data: output.data })
        }
        Ok(()) => {
            let returned = core::mem::take(&mut host.stack.top_mut().last_output);
            let written = host.write_buffer(output.pointer, output.len, &returned.data, true, |host, len| {
                let _ = host.charge(Cost::CopyIn(len))?;
                Ok(())
            });
            let code = if returned.did_revert() { ReturnErrorCode::CalleeReverted } else { ReturnErrorCode::Success };
            host.stack.top_mut().last_output = returned;
            written?;
            Ok(Some(code.into()))
        }
        Err(error) => {
            let code = error_code::<T>(error)?;
            if output.len != SENTINEL {
                host.write(output.len, &0u32.to_le_bytes())?;
            }
            Ok(Some(code.into()))
        }
    }
}

/// The error code for a failed callee, or the failure of the caller.
fn error_code<T: Config>(error: CallError) -> Result<ReturnErrorCode, Failure> {
    let is = |named: Error<T>| error.failure.error == named.into();
    if is(Error::TransferFailed) {
        Ok(ReturnErrorCode::TransferFailed)
    } else if is(Error::DuplicateContract) {
        Ok(ReturnErrorCode::DuplicateContractAddress)
    } else if !error.in_callee {
        Err(error.failure)
    } else if is(Error::OutOfGas) || is(Error::StorageDepositLimitExhausted) {
        Ok(ReturnErrorCode::OutOfResources)
    } else {
        Ok(ReturnErrorCode::CalleeTrapped)
    }
}
