//! The pallet's operations, without the extrinsics around them.
//!
//! Called by the extrinsics, the runtime API's dry runs, and other pallets. Each function is atomic: after a failure or
//! a revert the state is unchanged, whatever the caller does with the result.

use crate::{
    BalanceOf, Config, ContractInfo, ContractInfoOf, DustOf, Error, Event, LOG_TARGET, Pallet, PristineCode,
    WeightInfo,
    address::AddressMapper,
    code::{self, Stay},
    contract::Key,
    exec::{ExecConfig, Stack},
    metering::ledger::Ledger,
    storage_layer::with_counted_layer,
    types::{Code, Execution, Failure, Instantiated, Output, Uploaded},
};
use alloc::{format, vec::Vec};
use frame_support::{
    storage::with_transaction,
    traits::{
        Get,
        fungible::Inspect,
        tokens::{Fortitude, Preservation},
    },
    weights::Weight,
};
use sp_core::{H160, H256, U256};
use sp_runtime::{DispatchError, DispatchResult, TransactionOutcome};

/// The limits of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits<Balance> {
    /// Weight, on top of the extrinsic's base weight.
    pub gas: Weight,
    /// Storage deposit; `None` for as much as the origin can pay.
    pub deposit: Option<Balance>,
}

impl<T: Config> Pallet<T> {
    /// Calls the account at `dest`.
    pub fn bare_call(
        origin: T::AccountId,
        dest: H160,
        value: BalanceOf<T>,
        limits: Limits<BalanceOf<T>>,
        data: Vec<u8>,
        config: ExecConfig,
    ) -> Execution<Output, BalanceOf<T>> {
        let value = Self::to_contract_value(value);
        Self::transaction(origin, limits, config, Output::did_revert, |stack| stack.run_call(dest, value, data))
    }

    /// Instantiates a contract, after uploading its code if that is given as bytes.
    pub fn bare_instantiate(
        origin: T::AccountId,
        value: BalanceOf<T>,
        limits: Limits<BalanceOf<T>>,
        code: Code,
        data: Vec<u8>,
        salt: Option<[u8; 32]>,
        config: ExecConfig,
    ) -> Execution<Instantiated, BalanceOf<T>> {
        let value = Self::to_contract_value(value);
        Self::transaction(
            origin,
            limits,
            config,
            |made: &Instantiated| made.output.did_revert(),
            |stack| stack.run_instantiate(code, value, data, salt),
        )
    }

    /// Uploads a program.
    ///
    /// # Errors
    ///
    /// Those of [`crate::code::upload`], [`Error::StorageDepositLimitExhausted`].
    pub fn bare_upload_code(
        origin: T::AccountId,
        code: Vec<u8>,
        deposit_limit: Option<BalanceOf<T>>,
    ) -> Result<Uploaded<BalanceOf<T>>, Failure> {
        let uploaded = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
            let result = crate::code::upload::<T>(&origin, code, Stay::Kept).and_then(|uploaded| {
                let mut ledger = Ledger::<T>::new(deposit_limit);
                ledger.record_paid(uploaded.deposit);
                ledger.ensure_within_limit()?;
                Ok(uploaded)
            });
            match result {
                Ok(uploaded) => TransactionOutcome::Commit(Ok(Ok(uploaded))),
                failed => TransactionOutcome::Rollback(Ok(failed)),
            }
        });
        uploaded.unwrap_or_else(|error| Err(error.into())).inspect_err(log_failure)
    }

    /// Makes a contract run another stored program from its next call on. The contract's deposit does not change.
    ///
    /// # Errors
    ///
    /// [`Error::ContractNotFound`], [`Error::CodeNotFound`], and [`Error::ReenteredPallet`] while contracts run.
    pub(crate) fn replace_code(contract: H160, code_hash: H256) -> DispatchResult {
        let replaced = guard::enter(|| {
            ContractInfoOf::<T>::try_mutate(contract, |info| -> DispatchResult {
                let info = info.as_mut().ok_or(Error::<T>::ContractNotFound)?;
                let old_code_hash = core::mem::replace(&mut info.code_hash, code_hash);
                code::increment_use_count::<T>(code_hash)?;
                code::decrement_use_count::<T>(old_code_hash)?;
                code::remove_if_unused::<T>(old_code_hash)?;
                Self::deposit_event(Event::ContractCodeUpdated { contract, code_hash, old_code_hash });
                Ok(())
            })
        });
        replaced.unwrap_or_else(|| Err(Error::<T>::ReenteredPallet.into()))
    }

    /// The record of the contract at an address.
    pub fn contract_info(address: H160) -> Option<ContractInfo<T>> {
        ContractInfoOf::<T>::get(address)
    }

    /// The value under a key of a contract; the outer `None` if there is no contract.
    pub fn contract_storage(address: H160, key: &Key) -> Option<Option<Vec<u8>>> {
        ContractInfoOf::<T>::get(address).map(|contract| contract.read(key))
    }

    /// The bytes of a stored program.
    pub fn code(code_hash: H256) -> Option<Vec<u8>> {
        PristineCode::<T>::get(code_hash)
    }

    /// The transferable balance of the account behind an address, in the contracts' unit.
    pub fn balance(address: H160) -> U256 {
        Self::spendable(&T::AddressMapper::to_account_id(&address))
    }

    /// The transferable balance of an account with its dust, in the contracts' unit.
    pub(crate) fn spendable(account: &T::AccountId) -> U256 {
        let balance = T::Currency::reducible_balance(account, Preservation::Preserve, Fortitude::Polite);
        Self::to_contract_value(balance).saturating_add(DustOf::<T>::get(account).into())
    }

    /// Converts a balance to the contracts' unit, by multiplying by [`Config::NativeToEthRatio`]. Exact: a balance has
    /// at most 128 bits and the ratio 32.
    pub fn to_contract_value(balance: BalanceOf<T>) -> U256 {
        balance.into().saturating_mul(T::NativeToEthRatio::get().into())
    }

    /// Maximum weight of an extrinsic of the normal class: the limit of a dry run without one.
    pub fn max_gas_limit() -> Weight {
        let weights = T::BlockWeights::get();
        weights.get(frame_support::dispatch::DispatchClass::Normal).max_extrinsic.unwrap_or(weights.max_block)
    }

    /// Runs a stack inside one storage transaction, which is committed only on success without a revert.
    pub(crate) fn transaction<R>(
        origin: T::AccountId,
        limits: Limits<BalanceOf<T>>,
        config: ExecConfig,
        did_revert: impl Fn(&R) -> bool,
        run: impl FnOnce(&mut Stack<T>) -> Result<R, Failure>,
    ) -> Execution<R, BalanceOf<T>> {
        let mut stack = Stack::<T>::new(origin, limits, config);
        let outcome = guard::enter(|| {
            with_counted_layer(|| match admit(&mut stack, config).and_then(|()| run(&mut stack)) {
                Ok(result) if !did_revert(&result) => TransactionOutcome::Commit(Ok(result)),
                undone => TransactionOutcome::Rollback(undone),
            })
        });
        let outcome = outcome.unwrap_or_else(|| Err(Error::<T>::ReenteredPallet.into()));
        let result = outcome.inspect_err(log_failure);
        stack.finish(result, did_revert)
    }
}

/// Reentrancy guard: refuses to start a stack while another one runs.
///
/// A precompile of a runtime may dispatch calls. If it called a contract of this pallet in that way, it would bypass
/// the running stack, whose ledger holds the records of contracts until its end.
mod guard {
    environmental::environmental!(stack: ());

    /// Runs `f`, unless `f` is already running.
    pub(super) fn enter<R>(f: impl FnOnce() -> R) -> Option<R> {
        match stack::with(|_| ()) {
            Some(()) => None,
            None => Some(stack::using(&mut (), f)),
        }
    }
}

/// Refuses an origin that may not act, and maps one that is mapped automatically.
fn admit<T: Config>(stack: &mut Stack<T>, config: ExecConfig) -> Result<(), Failure> {
    let origin = stack.origin().clone();
    if config.any_origin {
        T::AddressMapper::map_without_deposit(&origin);
        return Ok(());
    }
    ensure_no_contract::<T>(&origin)?;
    if T::AddressMapper::is_mapped(&origin) {
        return Ok(());
    }
    if T::AutoMap::get() {
        stack.charge_origin(T::WeightInfo::map_account())?;
        T::AddressMapper::map_without_deposit(&origin);
    }
    ensure_mapped::<T>(&origin)
}

/// Refuses an origin whose address is that of a contract (EIP-3607).
///
/// Whoever finds a key whose address is that of a contract could otherwise act as that contract.
///
/// # Errors
///
/// [`Error::OriginIsContract`].
pub(crate) fn ensure_no_contract<T: Config>(origin: &T::AccountId) -> Result<(), Failure> {
    let address = T::AddressMapper::to_address(origin);
    if ContractInfoOf::<T>::contains_key(address) {
        return Err(Failure::new::<T>(
            Error::OriginIsContract,
            format!("there is a contract at the origin's address {address:?}"),
        ));
    }
    Ok(())
}

/// Refuses an origin whose account can't be recovered from its address: whatever a contract sent to that address would
/// go to another account.
fn ensure_mapped<T: Config>(origin: &T::AccountId) -> Result<(), Failure> {
    if T::AddressMapper::is_mapped(origin) {
        return Ok(());
    }
    let address = T::AddressMapper::to_address(origin);
    Err(Failure::new::<T>(
        Error::AccountUnmapped,
        format!("the account isn't mapped to its address {address:?}: submit `map_account` first"),
    ))
}

fn log_failure(failure: &Failure) {
    log::debug!(target: LOG_TARGET, "{:?}: {}", failure.error, failure.detail);
}
