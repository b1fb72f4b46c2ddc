//! Plans a transaction: the call or instantiation that it becomes, with the limits that its gas buys.
//!
//! Called for a transaction when its extrinsic is checked, and for a dry run: both have the same limits, so what passes in
//! one passes in the other.

use super::{
    Budget, EthereumRuntime, RuntimeCallOf, Transaction, TransactionError,
    budget::{balance_of_gas, budget, gas_of_balance, gas_price},
};
use crate::{BalanceOf, Call, Config};
use alloc::vec::Vec;
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    traits::Get,
    weights::Weight,
};
use sp_core::{H160, U256};
use sp_runtime::traits::{Bounded, TransactionExtension, Zero};

/// The parts of a transaction that decide what it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The receiver; `None` where it makes a contract.
    pub to: Option<H160>,
    /// The value, in the contracts' unit.
    pub value: U256,
    /// The call data; where it makes a contract, the program and then the constructor's data.
    pub data: Vec<u8>,
}

/// The call that a transaction becomes.
pub struct Plan<E: EthereumRuntime> {
    /// The call, signed by the sender's account.
    pub call: Call<E::Config>,
    /// The extensions that it is signed with.
    pub extension: E::Extension,
    /// The fee without what the call's gas limit adds to it.
    pub fixed_fee: BalanceOf<E::Config>,
}

/// The nonce and tip of a transaction, as the chain has them.
///
/// # Errors
///
/// [`TransactionError::NonceTooLarge`], [`TransactionError::FeeTooLow`].
pub(super) fn terms<T: Config>(
    transaction: &Transaction,
    price: U256,
) -> Result<(T::Nonce, BalanceOf<T>), TransactionError> {
    let nonce = transaction.nonce;
    let nonce = u32::try_from(nonce).map_err(|_| TransactionError::NonceTooLarge { nonce })?;
    if U256::from(transaction.max_fee_per_gas) < price {
        return Err(TransactionError::FeeTooLow { offered: transaction.max_fee_per_gas, price });
    }
    // What is offered above the price is for all of the gas limit, as a tip is paid for an extrinsic and not for its weight.
    let tip = balance_of_gas::<T>(transaction.gas_limit.into(), transaction.priority_fee(price));
    Ok((nonce.into(), tip))
}

/// Makes the call. `gas` is `None` in a dry run that has all there is.
///
/// # Errors
///
/// [`TransactionError::NoProgram`], [`TransactionError::GasTooLow`].
pub fn plan<E: EthereumRuntime>(
    sent: Sent,
    gas: Option<u64>,
    length: u32,
    nonce: <E::Config as frame_system::Config>::Nonce,
    tip: BalanceOf<E::Config>,
) -> Result<Plan<E>, TransactionError> {
    let Sent { to, value, data } = sent;
    let none = Budget { ref_time: 0, deposit: Zero::zero() };
    let gas_limit = Weight::zero();
    let mut call = match to {
        Some(dest) => Call::<E::Config>::eth_call { dest, value, gas_limit, budget: none, data },
        None => {
            let (code, data) = split(data)?;
            Call::<E::Config>::eth_instantiate_with_code { value, gas_limit, budget: none, code, data }
        }
    };
    let extension = E::extension(nonce, tip);
    let runtime_call = RuntimeCallOf::<E>::from(call.clone());
    let mut info = runtime_call.get_dispatch_info();
    info.extension_weight = extension.weight(&runtime_call);
    let fixed_fee = E::fee(length, &info);

    let price = gas_price::<E>();
    let bought = match gas {
        Some(actual) => {
            let paid = balance_of_gas::<E::Config>(actual.into(), price);
            if paid < fixed_fee {
                let least = gas_of_balance::<E::Config>(fixed_fee, price);
                return Err(TransactionError::GasTooLow { actual, least });
            }
            budget::<E::Config>(paid - fixed_fee, price)
        }
        None => Budget { ref_time: u64::MAX, deposit: Bounded::max_value() },
    };
    // The extrinsic itself counts as proof.
    let most =
        most::<E::Config>().saturating_sub(info.total_weight()).saturating_sub(Weight::from_parts(0, length.into()));
    let ref_time = bought.ref_time.min(most.ref_time());
    let weight = Weight::from_parts(ref_time, share(ref_time, most.ref_time(), most.proof_size()));
    match &mut call {
        Call::eth_call { gas_limit, budget, .. } | Call::eth_instantiate_with_code { gas_limit, budget, .. } => {
            *gas_limit = weight;
            *budget = bought;
        }
        _ => {}
    }
    Ok(Plan { call, extension, fixed_fee })
}

/// Maximum weight of an extrinsic of the normal class.
pub(super) fn most<T: Config>() -> Weight {
    let weights = T::BlockWeights::get();
    let class = weights.get(DispatchClass::Normal);
    class.max_extrinsic.unwrap_or_else(|| {
        let all = class.max_total.unwrap_or(weights.max_block);
        all.saturating_sub(weights.base_block).saturating_sub(class.base_extrinsic)
    })
}

/// Returns `part / whole` of another whole, rounded down. Gas buys time, and with it as much proof size: all of an
/// extrinsic's time comes with all of its proof size.
pub(super) fn share(part: u64, whole: u64, other: u64) -> u64 {
    let share = u128::from(part) * u128::from(other) / u128::from(whole.max(1));
    share.try_into().unwrap_or(u64::MAX)
}

/// A contract's program and its constructor's data, which follow each other without a mark. The program's header has its
/// length.
fn split(mut data: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), TransactionError> {
    let length = vm_core::blob::declared_length(&data).and_then(|length| usize::try_from(length).ok());
    match length {
        Some(length) if length <= data.len() => {
            let constructor_data = data.split_off(length);
            Ok((data, constructor_data))
        }
        _ => Err(TransactionError::NoProgram),
    }
}
