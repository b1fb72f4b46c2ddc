//! The builtin at `0x900`: functions of the chain that Ethereum lacks.
//!
//! The functions are those of `ISystem.sol` of pallet-revive-uapi, and `setCodeHash(bytes32)`, which changes the
//! program of the calling contract. Origins are always signed here, so the origin is never root.

use super::{
    Env,
    abi::{self, Arguments},
};
use crate::{
    AddressMapper, Config, WeightInfo,
    metering::cost::Cost,
    types::{Failure, Output},
};
use codec::Encode;
use frame_support::{crypto::ecdsa::ECDSAExt, traits::fungible::Inspect};
use sp_core::{H256, ecdsa, sr25519};
use sp_io::{
    crypto::sr25519_verify,
    hashing::{blake2_128, blake2_256},
};
use sp_runtime::DispatchError;

/// Calls the function whose selector the input begins with.
pub(super) fn system<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::CopyIn(input.len() as u32))?;
    let Some((selector, arguments)) = Arguments::split(input) else { return Ok(abi::revert("no function selector")) };
    for (signature, function) in functions::<T>() {
        if abi::selector(signature) == selector {
            return function(arguments, env);
        }
    }
    Ok(abi::revert("the system builtin has no such function"))
}

/// Charges for the termination of a contract: its own cost, the dust that it may leave, and the possible removal of its
/// program.
fn charge_termination<T: Config>(env: &mut Env<'_, T>) -> Result<(), DispatchError> {
    let _ = env.charge(Cost::Terminate)?;
    env.charge_weight(crate::exec::nested::termination_weight::<T>())
}

type Function<T> = fn(Arguments<'_>, &mut Env<'_, T>) -> Result<Output, Failure>;

fn functions<T: Config>() -> [(&'static str, Function<T>); 13] {
    [
        ("hashBlake256(bytes)", |arguments, env| {
            let input = arguments.bytes::<T>(0)?;
            let _ = env.charge(Cost::Blake2(input.len() as u32))?;
            Ok(Output::data(blake2_256(input).to_vec()))
        }),
        ("hashBlake128(bytes)", |arguments, env| {
            let input = arguments.bytes::<T>(0)?;
            let _ = env.charge(Cost::Blake2(input.len() as u32))?;
            Ok(Output::data(abi::fixed(&blake2_128(input))))
        }),
        ("toAccountId(address)", |arguments, env| {
            let address = arguments.address::<T>(0)?;
            let _ = env.charge(Cost::AccountId)?;
            Ok(Output::data(abi::bytes(&T::AddressMapper::to_account_id(&address).encode())))
        }),
        ("callerIsOrigin()", |_, env| {
            let _ = env.charge(Cost::Basic)?;
            // The query is about the calling contract.
            let origin = env.stack().origin().clone();
            let is_origin = env.stack().calling_frame().is_some_and(|frame| frame.caller == origin);
            Ok(Output::data(abi::uint(u32::from(is_origin))))
        }),
        ("callerIsRoot()", |_, env| {
            let _ = env.charge(Cost::Basic)?;
            Ok(Output::data(abi::uint(0u32)))
        }),
        ("originIsRoot()", |_, env| {
            let _ = env.charge(Cost::Basic)?;
            Ok(Output::data(abi::uint(0u32)))
        }),
        ("minimumBalance()", |_, env| {
            let _ = env.charge(Cost::Basic)?;
            Ok(Output::data(abi::uint(crate::Pallet::<T>::to_contract_value(T::Currency::minimum_balance()))))
        }),
        ("ownCodeHash()", |_, env| {
            let _ = env.charge(Cost::CodeHash)?;
            let address = env.stack().calling_frame().map(|frame| frame.address);
            let hash = address.and_then(|address| env.stack().code_hash_of(&address)).unwrap_or_default();
            Ok(Output::data(hash.as_bytes().to_vec()))
        }),
        ("weightLeft()", |_, env| {
            let _ = env.charge(Cost::Basic)?;
            let left = env.stack().weight_left_to_caller();
            let mut words = abi::uint(left.ref_time());
            words.extend(abi::uint(left.proof_size()));
            Ok(Output::data(words))
        }),
        ("terminate(address)", |arguments, env| {
            charge_termination(env)?;
            let beneficiary = arguments.address::<T>(0)?;
            env.stack().terminate_caller(beneficiary)?;
            Ok(Output::default())
        }),
        ("setCodeHash(bytes32)", |arguments, env| {
            let _ = env.charge(Cost::SetCodeHash)?;
            // The program that it no longer runs may have to be removed.
            env.charge_weight(T::WeightInfo::remove_code())?;
            let code_hash = H256(arguments.word::<T>(0)?);
            env.stack().set_callers_code(code_hash)?;
            Ok(Output::default())
        }),
        ("sr25519Verify(uint8[64],bytes,bytes32)", |arguments, env| {
            let signature = arguments.byte_array::<T, 64>(0)?;
            let message = arguments.bytes::<T>(64)?;
            let key = arguments.word::<T>(65)?;
            let _ = env.charge(Cost::Sr25519Verify(message.len() as u32))?;
            let signature = sr25519::Signature::from_raw(signature);
            let valid = sr25519_verify(&signature, message, &sr25519::Public::from_raw(key));
            Ok(Output::data(abi::uint(u32::from(valid))))
        }),
        ("ecdsaToEthAddress(uint8[33])", |arguments, env| {
            let key = arguments.byte_array::<T, 33>(0)?;
            let _ = env.charge(Cost::EcdsaToEthAddress)?;
            match ecdsa::Public::from_raw(key).to_eth_address() {
                Ok(address) => Ok(Output::data(abi::fixed(&address))),
                Err(()) => Ok(abi::revert("the key isn't a point of the curve")),
            }
        }),
    ]
}
