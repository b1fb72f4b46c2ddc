//! The call stack: frames, their storage transactions, and the way from a message to the VM and back.
//!
//! Called by [`crate::bare`] for every call and instantiation. A [`Stack`] lives as long as one
//! transaction. Each [`Frame`] on it is one contract at work and is wrapped in a storage
//! transaction of its own: what it did stays only if it returned without the revert flag. What it
//! used in weight is used in any case.
//!
//! There is one frame per stack as long as no host function pushes another one; everything here is
//! written for the top of a stack of any depth up to [`limits::CALL_DEPTH`].

mod run;
mod transfer;

use crate::{
    BalanceOf, Config, ContractInfo, ContractInfoOf, Error, Event, Pallet,
    address::{self, AddressMapper},
    code::Executable,
    contract::Key,
    limits,
    metering::Meters,
    types::{Code, ContractEvent, EntryPoint, Failure, Instantiated, Output},
};
use alloc::{format, vec::Vec};
use frame_support::{storage::with_transaction, traits::Time};
use sp_core::{H160, H256, U256};
use sp_runtime::{DispatchError, SaturatedConversion, TransactionOutcome};

/// How a stack behaves beyond what its transaction says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecConfig {
    /// Bump the deployer's nonce in an instantiation, so that two of them in one transaction get
    /// different addresses. Off where the caller takes care of the nonce.
    pub bump_nonce: bool,
    /// Keep the contracts' events for the result.
    pub collect_events: bool,
}

impl ExecConfig {
    /// An extrinsic: its nonce was bumped before it was dispatched.
    pub const fn extrinsic() -> Self {
        Self { bump_nonce: true, collect_events: false }
    }

    /// A dry run of an extrinsic.
    pub const fn dry_run() -> Self {
        Self { bump_nonce: true, collect_events: true }
    }
}

/// One contract at work.
pub struct Frame<T: Config> {
    /// The contract's account.
    pub account: T::AccountId,
    /// The contract's address.
    pub address: H160,
    /// The contract's record; written back when the frame ends well.
    pub contract: ContractInfo<T>,
    /// Which of its entry points runs.
    pub entry: EntryPoint,
    /// The value that came with the message.
    pub value: BalanceOf<T>,
    /// The message; gone once the contract forwarded it.
    pub input: Option<Vec<u8>>,
    /// What the frame may use.
    pub meters: Meters<T>,
    /// What the last contract that this one called gave back.
    pub last_output: Output,
}

/// The frames of one transaction. The last one is at work.
pub struct Stack<'a, T: Config> {
    origin: T::AccountId,
    /// Never empty while a host function runs: [`Stack::run`] pushes before and pops after.
    frames: Vec<Frame<T>>,
    meters: &'a mut Meters<T>,
    config: ExecConfig,
    now_millis: U256,
    block_number: U256,
    events: Vec<ContractEvent>,
}

/// What a stack leaves behind: its result and the events it was told to keep.
pub struct Finished<R> {
    /// The result.
    pub result: Result<R, Failure>,
    /// The events, where [`ExecConfig::collect_events`] is on.
    pub events: Vec<ContractEvent>,
}

impl<'a, T: Config> Stack<'a, T> {
    /// Calls the account at `dest`: runs the contract there, or only transfers the value where there is none.
    pub fn run_call(
        origin: T::AccountId,
        dest: H160,
        value: BalanceOf<T>,
        input: Vec<u8>,
        meters: &'a mut Meters<T>,
        config: ExecConfig,
    ) -> Finished<Output> {
        let mut stack = Self::new(origin, meters, config);
        let result = stack.call(dest, value, input);
        Finished { result, events: stack.events }
    }

    /// Makes a contract from `code` and runs its constructor.
    pub fn run_instantiate(
        origin: T::AccountId,
        code: Code,
        value: BalanceOf<T>,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
        meters: &'a mut Meters<T>,
        config: ExecConfig,
    ) -> Finished<Instantiated> {
        let mut stack = Self::new(origin, meters, config);
        let result = stack.instantiate(code, value, input, salt);
        Finished { result, events: stack.events }
    }

    fn new(origin: T::AccountId, meters: &'a mut Meters<T>, config: ExecConfig) -> Self {
        Self {
            origin,
            frames: Vec::new(),
            meters,
            config,
            now_millis: T::Time::now().into(),
            block_number: frame_system::Pallet::<T>::block_number().into(),
            events: Vec::new(),
        }
    }

    fn call(&mut self, dest: H160, value: BalanceOf<T>, input: Vec<u8>) -> Result<Output, Failure> {
        ensure_input_fits::<T>(&input)?;
        let Some(contract) = ContractInfoOf::<T>::get(dest) else {
            let to = T::AddressMapper::to_account_id(&dest);
            let from = self.origin.clone();
            transfer::transfer::<T>(&self.origin, &from, &to, value, &mut self.meters.deposit)?;
            return Ok(Output::default());
        };
        let executable = Executable::<T>::load(contract.code_hash, &mut self.meters.gas)?;
        let frame = Frame {
            account: T::AddressMapper::to_fallback_account_id(&dest),
            address: dest,
            contract,
            entry: EntryPoint::Call,
            value,
            input: Some(input),
            meters: self.meters.nested(),
            last_output: Output::default(),
        };
        let output = self.run(frame, executable)?;
        if !output.did_revert() {
            let caller = T::AddressMapper::to_address(&self.origin);
            Pallet::<T>::deposit_event(Event::Called { caller, contract: dest });
        }
        Ok(output)
    }

    fn instantiate(
        &mut self,
        code: Code,
        value: BalanceOf<T>,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> Result<Instantiated, Failure> {
        ensure_input_fits::<T>(&input)?;
        let code_hash = match code {
            Code::Existing(hash) => hash,
            Code::Upload(code) => {
                let uploaded = crate::code::upload::<T>(&self.origin, code)?;
                self.meters.deposit.record_paid(uploaded.deposit);
                uploaded.code_hash
            }
        };
        let executable = Executable::<T>::load(code_hash, &mut self.meters.gas)?;
        let deployer = T::AddressMapper::to_address(&self.origin);
        let nonce: u64 = frame_system::Pallet::<T>::account_nonce(&self.origin).saturated_into();
        let address = match &salt {
            Some(salt) => address::create2(&deployer, &executable.code, &input, salt),
            // The origin's nonce was bumped before the dispatch: the transaction's own is one less.
            None => address::create1(&deployer, nonce.saturating_sub(1)),
        };
        let contract = ContractInfo::<T>::new(&address, nonce, code_hash)
            .map_err(|error| Failure::new::<T>(error, format!("there is a contract at {address:?} already")))?;
        let frame = Frame {
            account: T::AddressMapper::to_fallback_account_id(&address),
            address,
            contract,
            entry: EntryPoint::Deploy,
            value,
            input: Some(input),
            meters: self.meters.nested(),
            last_output: Output::default(),
        };
        let output = self.run(frame, executable)?;
        if !output.did_revert() {
            Pallet::<T>::deposit_event(Event::Instantiated { deployer, contract: address, code_hash });
        }
        Ok(Instantiated { output, address, code_hash })
    }

    /// Runs a frame to its end in a storage transaction.
    fn run(&mut self, frame: Frame<T>, executable: Executable<T>) -> Result<Output, Failure> {
        if self.frames.len() as u32 > limits::CALL_DEPTH {
            return Err(Failure::new::<T>(
                Error::MaxCallDepthReached,
                format!("the call stack may have {} frames above the first", limits::CALL_DEPTH),
            ));
        }
        let kept_events = self.events.len();
        self.frames.push(frame);
        let outcome = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
            match run::run_top(self, executable) {
                Ok(output) if !output.did_revert() => TransactionOutcome::Commit(Ok(Ok(output))),
                undone => TransactionOutcome::Rollback(Ok(undone)),
            }
        });
        let result = outcome.unwrap_or_else(|error| Err(error.into()));
        if let Some(frame) = self.frames.pop() {
            let parent = self.frames.last_mut().map_or(&mut *self.meters, |frame| &mut frame.meters);
            match &result {
                Ok(output) if !output.did_revert() => parent.absorb(frame.meters),
                _ => {
                    parent.absorb_undone(frame.meters);
                    self.events.truncate(kept_events);
                }
            }
        }
        result
    }
}

/// What host functions see of the stack.
impl<T: Config> Stack<'_, T> {
    /// The frame at work.
    ///
    /// # Panics
    ///
    /// INV: a host function only runs inside [`Self::run`], which pushed its frame.
    pub fn top(&self) -> &Frame<T> {
        self.frames.last().unwrap_or_else(|| unreachable!("a host function runs in a frame"))
    }

    /// The frame at work.
    ///
    /// # Panics
    ///
    /// As [`Self::top`].
    pub fn top_mut(&mut self) -> &mut Frame<T> {
        self.frames.last_mut().unwrap_or_else(|| unreachable!("a host function runs in a frame"))
    }

    /// Who signed the transaction.
    pub fn origin(&self) -> &T::AccountId {
        &self.origin
    }

    /// Who called the contract at work.
    pub fn caller(&self) -> &T::AccountId {
        match self.frames.len().checked_sub(2).and_then(|below| self.frames.get(below)) {
            Some(caller) => &caller.account,
            None => &self.origin,
        }
    }

    /// The block's time in milliseconds since the Unix epoch.
    pub fn now_millis(&self) -> U256 {
        self.now_millis
    }

    /// The block's number.
    pub fn block_number(&self) -> U256 {
        self.block_number
    }

    /// Puts a value under a key of the contract at work, or removes it, and records the change.
    /// Returns the length of the value that was there.
    pub fn write_storage(&mut self, key: &Key, value: Option<&[u8]>) -> Result<Option<u32>, Failure> {
        let frame = self.top_mut();
        let (old, diff) = frame.contract.write(key, value);
        frame.meters.deposit.record(&diff);
        Ok(old)
    }

    /// Emits an event of the contract at work.
    pub fn emit(&mut self, topics: Vec<H256>, data: Vec<u8>) {
        let contract = self.top().address;
        if self.config.collect_events {
            self.events.push(ContractEvent { contract, topics: topics.clone(), data: data.clone() });
        }
        Pallet::<T>::deposit_event(Event::ContractEmitted { contract, topics, data });
    }
}

fn ensure_input_fits<T: Config>(input: &[u8]) -> Result<(), Failure> {
    if input.len() > limits::CALLDATA_BYTES as usize {
        return Err(Failure::new::<T>(
            Error::CallDataTooLarge,
            format!("the call data has {} bytes, the limit is {}", input.len(), limits::CALLDATA_BYTES),
        ));
    }
    Ok(())
}
