//! Calls between contracts: `call`, `delegate_call`, `instantiate` and `terminate` on the stack.
//!
//! Called by the host functions of [`crate::host_api`] after they have read their arguments, and by precompiles. The
//! rules are pallet-revive's: a failure inside the callee is an error code for the caller, which continues; a failure
//! that prevents the callee from starting is a failure of the caller.

use super::{
    CallError, Frame, Stack, account_nonce, ensure_input_fits, settle::spendable_without_deposit, trace::CallKind,
    transfer,
};
use crate::{
    BalanceOf, Config, Error, Event, Pallet, WeightInfo,
    address::AddressMapper,
    code, dust,
    metering::{cost::Cost, ethereum, ledger::Termination},
    types::{EntryPoint, Failure, Output},
};
use alloc::{format, vec::Vec};
use frame_support::weights::Weight;
use sp_core::{H160, H256, U256};
use sp_runtime::traits::Zero;

/// The limits that a contract sets for its callee.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits<T: Config> {
    /// Weight; the callee gets at most all but a 64th of what is left, which is what the maximum stands for.
    pub weight: Weight,
    /// Storage deposit; `None` for all that is left.
    pub deposit: Option<BalanceOf<T>>,
    /// Ethereum's gas, which pays for both weight and deposit.
    pub ethereum: Option<u64>,
    /// Whether it has only Ethereum's stipend, which doesn't pay for storage (EIP-2200).
    pub stipend: bool,
}

impl<T: Config> CallLimits<T> {
    /// No limits: everything that may be given.
    pub const fn none() -> Self {
        Self { weight: Weight::MAX, deposit: None, ethereum: None, stipend: false }
    }

    /// Limits of weight and deposit.
    pub const fn new(weight: Weight, deposit: Option<BalanceOf<T>>) -> Self {
        Self { weight, deposit, ..Self::none() }
    }

    /// Limits of an amount of Ethereum's gas, with additional weight.
    pub fn ethereum(gas: u64, on_top: Weight) -> Self {
        Self {
            weight: ethereum::weight::<T>(gas).saturating_add(on_top),
            deposit: Some(ethereum::deposit::<T>(gas)),
            ethereum: Some(gas.saturating_add(ethereum::used::<T>(on_top, Zero::zero()))),
            stipend: gas <= ethereum::STIPEND,
        }
    }
}

/// Reentry policy: whether a callee may call its waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reentry {
    /// The callee may reenter.
    Allowed,
    /// Neither the callee nor the contracts it calls may reenter.
    Denied,
}

/// The weight of a termination on top of [`Cost::Terminate`]: computing the balance to send, its dust, and possibly
/// removing its program.
pub(crate) fn termination_weight<T: Config>() -> Weight {
    let transfer = Cost::CallTransfer.weight::<T::WeightInfo>();
    dust::transfer_weight::<T>(transfer).saturating_add(transfer).saturating_add(T::WeightInfo::remove_code())
}

impl<T: Config> Stack<T> {
    /// Calls another account from the current contract. The output is also in the frame's `last_output`.
    ///
    /// # Errors
    ///
    /// The error of the callee, or the reason why it did not start.
    pub fn call_from_contract(
        &mut self,
        limits: &CallLimits<T>,
        dest: H160,
        value: U256,
        input: Vec<u8>,
        reentry: Reentry,
        read_only: bool,
    ) -> Result<(), CallError> {
        let top = self.top_mut();
        top.last_output = Output::default();
        top.allows_reentry = reentry == Reentry::Allowed;
        let result = self.try_call(limits, dest, value, input, read_only);
        let top = self.top_mut();
        top.allows_reentry = true;
        top.last_output = result?;
        Ok(())
    }

    fn try_call(
        &mut self,
        limits: &CallLimits<T>,
        dest: H160,
        value: U256,
        input: Vec<u8>,
        read_only: bool,
    ) -> Result<Output, CallError> {
        let read_only = read_only || self.top().read_only;
        if read_only && !value.is_zero() {
            return Err(Failure::new::<T>(Error::StateChangeDenied, "a read-only call can't send a value").into());
        }
        self.ensure_entry_allowed(&dest)?;
        self.ensure_depth()?;
        let caller = self.top().account.clone();
        self.call_account(caller, dest, value, input, limits, read_only)
    }

    /// Runs the program of another contract on the state of the current one, with its caller and value. Succeeds if
    /// there is no program.
    ///
    /// # Errors
    ///
    /// As [`Self::call_from_contract`].
    pub fn delegate_call(&mut self, limits: &CallLimits<T>, code: H160, input: Vec<u8>) -> Result<(), CallError> {
        self.top_mut().last_output = Output::default();
        ensure_input_fits::<T>(input.len())?;
        self.ensure_depth()?;
        let Some((callee, _)) = self.callee_at(&code)? else { return Ok(()) };
        let (top, gas) = (self.top(), self.callee_meter(limits));
        let caller = top.caller.clone();
        let frame = Frame {
            code_address: code,
            delegated: true,
            read_only: top.read_only,
            stipend: limits.stipend || top.stipend,
            ..Frame::new(EntryPoint::Call, top.address, top.trie_id, caller, top.value, input, gas)
        };
        let output = self.run(frame, None, callee, CallKind::DelegateCall, limits)?;
        self.top_mut().last_output = output;
        Ok(())
    }

    /// Instantiates a contract from the current one. Its output is in the frame's `last_output`.
    ///
    /// # Errors
    ///
    /// As [`Self::call_from_contract`]; [`Error::DuplicateContract`].
    pub fn instantiate_from_contract(
        &mut self,
        limits: &CallLimits<T>,
        code_hash: H256,
        value: U256,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> Result<H160, CallError> {
        self.top_mut().last_output = Output::default();
        self.ensure_may_write()?;
        ensure_input_fits::<T>(input.len())?;
        self.ensure_depth()?;
        let deployer = self.top().account.clone();
        let nonce = account_nonce::<T>(&deployer);
        let (address, output) = self.construct(deployer, nonce, code_hash, value, input, salt, limits)?;
        self.top_mut().last_output = output;
        Ok(address)
    }

    /// Sends the current contract's spendable balance to the beneficiary, and removes the contract at the end of the
    /// transaction if it was instantiated in it (EIP-6780) or `always`.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`], [`Error::TransferFailed`].
    pub fn terminate(&mut self, beneficiary: H160, always: bool) -> Result<(), Failure> {
        self.ensure_may_write()?;
        let frame = self.top();
        let (account, address) = (frame.account.clone(), frame.address);
        self.terminate_contract(&account, &address, beneficiary, always)
    }

    /// As [`Self::terminate`], for the contract that called the current precompile.
    ///
    /// # Errors
    ///
    /// Also [`Error::TerminationDenied`] in a constructor, in a delegate call, or if the caller is no contract.
    pub fn terminate_caller(&mut self, beneficiary: H160) -> Result<(), Failure> {
        let caller = self.master()?;
        let denied = |detail| Failure::new::<T>(Error::TerminationDenied, detail);
        if self.frames.iter().any(|frame| frame.address == caller.address && frame.entry == EntryPoint::Deploy) {
            return Err(denied("the contract is in its constructor"));
        }
        let (account, address) = (caller.account.clone(), caller.address);
        self.terminate_contract(&account, &address, beneficiary, true)
    }

    /// The frame of the contract that called the current precompile and may terminate or change that contract.
    ///
    /// Only a contract's own program may: a program that it delegates to could be anybody's.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`], [`Error::TerminationDenied`].
    fn master(&self) -> Result<&Frame<T>, Failure> {
        self.ensure_may_write()?;
        let denied = |detail| Failure::new::<T>(Error::TerminationDenied, detail);
        if self.top().delegated {
            return Err(denied("the builtin was called by a delegate call"));
        }
        let caller = self.calling_frame().ok_or_else(|| denied("no contract called the builtin"))?;
        if caller.delegated {
            return Err(denied("the contract is in a delegate call"));
        }
        Ok(caller)
    }

    fn terminate_contract(
        &mut self,
        account: &T::AccountId,
        address: &H160,
        beneficiary: H160,
        always: bool,
    ) -> Result<(), Failure> {
        let to = T::AddressMapper::to_account_id(&beneficiary);
        if to != *account {
            // The deposit of a terminated contract is refunded at the end of the transaction.
            let entry = self.ledger.get(address).filter(|_| always);
            let all = match entry.and_then(|entry| entry.before.as_ref()) {
                Some(before) => spendable_without_deposit::<T>(account, &self.origin, before.total_deposit()),
                None => Pallet::<T>::spendable(account),
            };
            transfer::transfer::<T>(&self.origin, account, &to, all, &mut self.ledger)?;
        }
        self.ledger.terminate(address, Termination { beneficiary, always });
        Ok(())
    }

    /// Makes the contract that called the current precompile run another program from its next call on.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`], [`Error::CodeNotFound`], [`Error::TerminationDenied`] in a delegate call or if the
    /// caller is no contract.
    pub fn set_callers_code(&mut self, code_hash: H256) -> Result<(), Failure> {
        let address = self.master()?.address;
        let Some(old) = self.ledger.get(&address).map(|entry| entry.info.code_hash) else {
            return Err(Error::<T>::TerminationDenied.into());
        };
        let new = crate::CodeInfoOf::<T>::get(code_hash)
            .ok_or_else(|| Failure::new::<T>(Error::CodeNotFound, format!("no code is stored under {code_hash:?}")))?;
        code::increment_use_count::<T>(code_hash)?;
        code::decrement_use_count::<T>(old)?;
        self.ledger.change(&address, |entry| {
            entry.info.code_hash = code_hash;
            // While the constructor runs, the deposit is not known: it is set at the end.
            if !entry.constructing {
                entry.info.set_base_deposit(new.deposit);
            }
        });
        Pallet::<T>::deposit_event(Event::ContractCodeUpdated { contract: address, code_hash, old_code_hash: old });
        Ok(())
    }

    /// The weight left to the contract that called the current precompile, or to the precompile if the caller is no
    /// contract.
    pub(crate) fn weight_left_to_caller(&self) -> Weight {
        let gas = &self.top().gas;
        self.calling_frame().map_or_else(|| gas.left(), |caller| caller.gas.left().saturating_sub(gas.consumed()))
    }

    /// Fails if any frame of the contract at an address waits for a call that must not reenter it.
    fn ensure_entry_allowed(&self, dest: &H160) -> Result<(), Failure> {
        if self.frames.iter().any(|frame| frame.address == *dest && !frame.allows_reentry) {
            return Err(Failure::new::<T>(
                Error::ReentranceDenied,
                format!("{dest:?} called without the flag that lets it be called back"),
            ));
        }
        Ok(())
    }
}
