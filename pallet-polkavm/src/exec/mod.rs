//! The call stack: frames, their storage transactions, and the path from a message to the VM and back.
//!
//! Called by [`crate::bare`] for every call and instantiation, and by the host functions with which contracts call,
//! delegate to, instantiate and terminate each other ([`nested`]). A [`Stack`] lives as long as one transaction. Each
//! [`Frame`] on it is one contract call, wrapped in a storage transaction, a layer of the [`Ledger`] and a layer of the
//! transient storage: its changes are kept only if it returned without the revert flag. Its weight is used in any case.
//!
//! All frames share one record of each contract, the ledger's; the state's record is written when the stack has ended
//! ([`settle`]).

#[cfg(feature = "runtime-benchmarks")]
pub(crate) mod bench;
pub mod nested;
mod run;
mod settle;
pub mod trace;
mod transfer;
pub mod transient;

use crate::{
    BalanceOf, CodeInfoOf, Config, ContractInfo, ContractInfoOf, Error, Event, Pallet,
    address::{self, AddressMapper},
    bare::Limits,
    code::{self, Executable, Stay},
    contract::Key,
    limits,
    metering::{
        cost::Cost,
        gas::{Charged, GasMeter},
        ledger::{Entry, Ledger},
    },
    precompiles::{Precompile, Precompiles},
    types::{Code, ContractEvent, Deposit, EntryPoint, Execution, Failure, Instantiated, Output},
};
use alloc::{format, vec::Vec};
use frame_support::{traits::Time, weights::Weight};
use nested::CallLimits;
use sp_core::{H160, H256, U256};
use sp_runtime::SaturatedConversion;
use trace::{CallKind, Tracer};
use transient::TransientStorage;

/// Configuration of a stack beyond its transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecConfig {
    /// Increment the origin's nonce in an instantiation, so that two instantiations in one transaction get different
    /// addresses. False if the caller manages the nonce.
    pub bump_nonce: bool,
    /// Collect the contracts' events for the result.
    pub collect_events: bool,
    /// Collect the call trace for the result. Takes unlimited memory: not for transactions.
    pub trace: bool,
    /// Accept any account as origin: also an unmapped one, or a contract's. Not for transactions.
    pub any_origin: bool,
}

impl ExecConfig {
    /// For an extrinsic: its nonce was incremented before it was dispatched.
    pub const fn extrinsic() -> Self {
        Self { bump_nonce: true, collect_events: false, trace: false, any_origin: false }
    }

    /// For a dry run of an extrinsic.
    pub const fn dry_run() -> Self {
        Self { bump_nonce: true, collect_events: true, trace: false, any_origin: true }
    }

    /// For a dry run that collects the call trace.
    pub const fn tracing() -> Self {
        Self { trace: true, ..Self::dry_run() }
    }
}

/// One contract call on the call stack.
pub struct Frame<T: Config> {
    /// The account that it acts as, whose storage and balance it uses.
    pub account: T::AccountId,
    /// The address of that account.
    pub address: H160,
    /// The caller. In a delegate call, the caller of the delegating contract.
    pub caller: T::AccountId,
    /// The address of its program; differs from [`Self::address`] in a delegate call only.
    pub code_address: H160,
    /// Whether it is a delegate call.
    pub delegated: bool,
    /// Identifies the trie of its storage; zero for a precompile, which has none.
    pub trie_id: H256,
    /// Its entry point.
    pub entry: EntryPoint,
    /// The value transferred with the message, in the contracts' unit.
    pub value: U256,
    /// The message; `None` once the program has forwarded it.
    pub input: Option<Vec<u8>>,
    /// The meter of its weight.
    pub gas: GasMeter<T>,
    /// Read-only call: state changes are refused.
    pub read_only: bool,
    /// Whether it has only Ethereum's stipend, with which storage writes are refused.
    pub stipend: bool,
    /// Reentry guard: whether its account may be called while it waits for a call of its own.
    pub allows_reentry: bool,
    /// The output of its latest call.
    pub last_output: Output,
}

impl<T: Config> Frame<T> {
    /// Makes the frame of a contract at `address` that runs its own program and may change state.
    pub fn new(
        entry: EntryPoint,
        address: H160,
        trie_id: H256,
        caller: T::AccountId,
        value: U256,
        input: Vec<u8>,
        gas: GasMeter<T>,
    ) -> Self {
        Self {
            account: T::AddressMapper::to_fallback_account_id(&address),
            address,
            caller,
            code_address: address,
            delegated: false,
            trie_id,
            entry,
            value,
            input: Some(input),
            gas,
            read_only: false,
            stipend: false,
            allows_reentry: true,
            last_output: Output::default(),
        }
    }
}

/// The code that a frame runs.
enum Callee<T: Config> {
    Contract(Executable<T>),
    Precompile(Precompile<T>),
}

/// The error of a frame.
#[derive(Debug)]
pub struct CallError {
    /// The error.
    pub failure: Failure,
    /// Whether the callee failed while it ran. Otherwise the caller is at fault, and the callee never started.
    pub in_callee: bool,
}

impl<E: Into<Failure>> From<E> for CallError {
    fn from(error: E) -> Self {
        Self { failure: error.into(), in_callee: false }
    }
}

/// The frames of one transaction. The last one is the current one.
pub struct Stack<T: Config> {
    origin: T::AccountId,
    /// Never empty while a host function runs: [`Stack::run`] pushes before and pops after.
    frames: Vec<Frame<T>>,
    /// The transaction's own meter, from which the first frame's is derived.
    gas: GasMeter<T>,
    ledger: Ledger<T>,
    transient: TransientStorage,
    config: ExecConfig,
    /// Time and number of the block, once a contract has asked.
    now_millis: Option<U256>,
    block_number: Option<U256>,
    events: Vec<ContractEvent>,
    tracer: Option<Tracer>,
}

impl<T: Config> Stack<T> {
    /// Makes an empty stack. It must not hold anything that a rollback of the caller's storage transaction doesn't
    /// undo.
    pub fn new(origin: T::AccountId, limits: Limits<BalanceOf<T>>, config: ExecConfig) -> Self {
        Self {
            origin,
            frames: Vec::new(),
            gas: GasMeter::new(limits.gas),
            ledger: Ledger::new(limits.deposit),
            transient: TransientStorage::default(),
            config,
            now_millis: None,
            block_number: None,
            events: Vec::new(),
            tracer: config.trace.then(Tracer::default),
        }
    }

    /// Calls the account at `dest`: runs the program there, or only transfers the value if there is none. The value is in
    /// the contracts' unit. Settles the deposits on success.
    ///
    /// # Errors
    ///
    /// The error of the call. The caller must undo all changes of the state, as after a revert.
    pub fn run_call(&mut self, dest: H160, value: U256, input: Vec<u8>) -> Result<Output, Failure> {
        let output = self.call(dest, value, input)?;
        if !output.did_revert() {
            self.settle()?;
        }
        Ok(output)
    }

    /// Instantiates a contract from `code` and runs its constructor. Settles the deposits on success.
    ///
    /// # Errors
    ///
    /// As [`Self::run_call`].
    pub fn run_instantiate(
        &mut self,
        code: Code,
        value: U256,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> Result<Instantiated, Failure> {
        let made = self.instantiate(code, value, input, salt)?;
        if !made.output.did_revert() {
            self.settle()?;
        }
        Ok(made)
    }

    /// Charges the transaction for work before its first frame.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn charge_origin(&mut self, weight: Weight) -> Result<(), Failure> {
        Ok(self.gas.charge_weight(weight)?)
    }

    /// Ends the stack, once its result is known.
    pub fn finish<R>(
        mut self,
        result: Result<R, Failure>,
        did_revert: impl Fn(&R) -> bool,
    ) -> Execution<R, BalanceOf<T>> {
        let kept = result.as_ref().is_ok_and(|result| !did_revert(result));
        Execution {
            gas_consumed: self.gas.consumed(),
            gas_required: self.gas.required(),
            storage_deposit: if kept { self.ledger.total() } else { Deposit::default() },
            storage_deposit_required: self.ledger.required(),
            // Events are kept only if all other changes are.
            events: if kept { core::mem::take(&mut self.events) } else { Vec::new() },
            trace: self.tracer.take().and_then(Tracer::finish),
            result,
        }
    }

    fn call(&mut self, dest: H160, value: U256, input: Vec<u8>) -> Result<Output, Failure> {
        let caller = self.origin.clone();
        let output =
            self.call_account(caller, dest, value, input, &CallLimits::none(), false).map_err(|error| error.failure)?;
        // Only a contract has a record; calls of other accounts emit no event.
        if !output.did_revert() && self.ledger.get(&dest).is_some() {
            let caller = T::AddressMapper::to_address(&self.origin);
            Pallet::<T>::deposit_event(Event::Called { caller, contract: dest });
        }
        Ok(output)
    }

    fn instantiate(
        &mut self,
        code: Code,
        value: U256,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
    ) -> Result<Instantiated, Failure> {
        ensure_input_fits::<T>(input.len())?;
        let code_hash = match code {
            Code::Existing(hash) => {
                // The extrinsic that uploads its code pays for hashing it.
                if salt.is_some() {
                    let code_len = CodeInfoOf::<T>::get(hash).map_or(0, |info| info.code_len);
                    let _ = self.gas.charge(Cost::Create2(code_len.saturating_add(input.len() as u32)))?;
                }
                hash
            }
            Code::Upload(code) => {
                let uploaded = code::upload::<T>(&self.origin, code, Stay::Tied)?;
                self.ledger.record_paid(uploaded.deposit);
                uploaded.code_hash
            }
        };
        let deployer = self.origin.clone();
        // With a salt, the address does not depend on a nonce.
        let nonce = if salt.is_none() { self.nonce_of_origin() } else { 0 };
        let (address, output) = self
            .construct(deployer, nonce, code_hash, value, input, salt, &CallLimits::none())
            .map_err(|error| error.failure)?;
        Ok(Instantiated { output, address, code_hash })
    }

    /// Returns the nonce for the address of the origin's next contract.
    ///
    /// Signing incremented the origin's nonce before the dispatch, so the transaction's own is one less. An origin that
    /// signed nothing (a proxied account, a multisig, one behind `sudo_as`) may have a nonce of zero, or one whose
    /// predecessor has already created a contract: then it is incremented here as a signature would have done.
    fn nonce_of_origin(&mut self) -> u64 {
        let nonce = account_nonce::<T>(&self.origin);
        let deployer = T::AddressMapper::to_address(&self.origin);
        match nonce.checked_sub(1) {
            Some(signed) if !self.is_taken(&address::create1(&deployer, signed)) => signed,
            _ => {
                if self.config.bump_nonce {
                    frame_system::Pallet::<T>::inc_account_nonce(&self.origin);
                }
                nonce
            }
        }
    }

    /// True if an address is occupied, so that no contract can be instantiated there.
    fn is_taken(&self, address: &H160) -> bool {
        self.ledger.get(address).is_some()
            || ContractInfoOf::<T>::contains_key(address)
            || T::Precompiles::find(address).is_some()
            // It is the address of somebody's key.
            || T::AddressMapper::to_account_id(address) != T::AddressMapper::to_fallback_account_id(address)
    }

    /// Calls the account at `dest`: runs the program there, or only transfers the value if there is none.
    fn call_account(
        &mut self,
        caller: T::AccountId,
        dest: H160,
        value: U256,
        input: Vec<u8>,
        limits: &CallLimits<T>,
        read_only: bool,
    ) -> Result<Output, CallError> {
        ensure_input_fits::<T>(input.len())?;
        let kind = if read_only { CallKind::StaticCall } else { CallKind::Call };
        let Some((callee, trie_id)) = self.callee_at(&dest)? else {
            let gas = self.callee_meter(limits).left();
            self.trace_enter(kind, &caller, dest, Some(value), &input, gas);
            let to = T::AddressMapper::to_account_id(&dest);
            let sent = transfer::transfer::<T>(&self.origin, &caller, &to, value, &mut self.ledger);
            let result = sent.map(|()| Output::default());
            self.trace_exit(&result, Weight::zero());
            return result.map_err(Into::into);
        };
        let gas = self.callee_meter(limits);
        let stipend = limits.stipend || self.frames.last().is_some_and(|caller| caller.stipend);
        let frame =
            Frame { read_only, stipend, ..Frame::new(EntryPoint::Call, dest, trie_id, caller, value, input, gas) };
        self.run(frame, None, callee, kind, limits)
    }

    /// Instantiates a contract from a stored program, and runs its constructor. Without a salt, the address depends on
    /// the deployer's `nonce`.
    ///
    /// The deployer's nonce is used up before the new contract's frame starts, and stays used up whatever the result
    /// (EIP-161): the address of a failed constructor is not reused. Only if the deployer can't pay the value nothing
    /// is used up, as on Ethereum.
    #[allow(clippy::too_many_arguments, reason = "all that makes a contract")]
    fn construct(
        &mut self,
        deployer: T::AccountId,
        nonce: u64,
        code_hash: H256,
        value: U256,
        input: Vec<u8>,
        salt: Option<[u8; 32]>,
        limits: &CallLimits<T>,
    ) -> Result<(H160, Output), CallError> {
        let executable = Executable::<T>::load(code_hash, self.gas_mut())?;
        let deployer_address = T::AddressMapper::to_address(&deployer);
        let (kind, address) = match &salt {
            Some(salt) => {
                let address = executable.with_code(|code| address::create2(&deployer_address, code, &input, salt))?;
                (CallKind::Create2, address)
            }
            None => (CallKind::Create, address::create1(&deployer_address, nonce)),
        };
        transfer::ensure_affordable::<T>(&deployer, value)?;
        if self.config.bump_nonce || !self.frames.is_empty() {
            frame_system::Pallet::<T>::inc_account_nonce(&deployer);
        }
        if self.is_taken(&address) {
            let detail = format!("there is a contract at {address:?} already");
            return Err(Failure::new::<T>(Error::DuplicateContract, detail).into());
        }
        let info = ContractInfo::<T>::new(code_hash);
        let gas = self.callee_meter(limits);
        let frame = Frame::new(EntryPoint::Deploy, address, info.trie_id, deployer, value, input, gas);
        let output = self.run(frame, Some(info), Callee::Contract(executable), kind, limits)?;
        if !output.did_revert() {
            Pallet::<T>::deposit_event(Event::Instantiated {
                deployer: deployer_address,
                contract: address,
                code_hash,
            });
        }
        Ok((address, output))
    }

    /// The contract at an address, as this transaction sees it. `None` while its constructor is running.
    pub fn contract(&mut self, address: &H160) -> Option<&Entry<T>> {
        if self.ledger.get(address).is_none() {
            let info = ContractInfoOf::<T>::get(address)?;
            self.ledger.enter(*address, info);
        }
        self.ledger.get(address).filter(|entry| !entry.constructing)
    }

    /// The callee of a call to an address, and the trie of the contract there; `None` if there is no program to run.
    /// Charges the last frame for loading a program.
    fn callee_at(&mut self, address: &H160) -> Result<Option<(Callee<T>, H256)>, Failure> {
        if let Some(precompile) = T::Precompiles::find(address) {
            return Ok(Some((Callee::Precompile(precompile), H256::zero())));
        }
        let Some(entry) = self.contract(address) else { return Ok(None) };
        let (code_hash, trie_id) = (entry.info.code_hash, entry.info.trie_id);
        let executable = Executable::<T>::load(code_hash, self.gas_mut())?;
        Ok(Some((Callee::Contract(executable), trie_id)))
    }

    /// The meter of the current frame, or of the transaction.
    fn gas_mut(&mut self) -> &mut GasMeter<T> {
        self.frames.last_mut().map_or(&mut self.gas, |frame| &mut frame.gas)
    }

    /// The meter of a frame that the current frame, or the transaction, is about to call.
    fn callee_meter(&self, limits: &CallLimits<T>) -> GasMeter<T> {
        match self.frames.last() {
            Some(caller) => caller.gas.nested(limits.weight, self.settlement_reserve()),
            None => self.gas.first(limits.weight),
        }
    }

    fn trace_enter(
        &mut self,
        kind: CallKind,
        from: &T::AccountId,
        to: H160,
        value: Option<U256>,
        input: &[u8],
        gas: Weight,
    ) {
        if let Some(tracer) = &mut self.tracer {
            let from = T::AddressMapper::to_address(from);
            tracer.enter(kind, from, to, value, input, gas);
        }
    }

    fn trace_exit(&mut self, result: &Result<Output, Failure>, gas: Weight) {
        if let Some(tracer) = &mut self.tracer {
            tracer.exit(result, gas);
        }
    }
}

/// The stack as used by host functions.
impl<T: Config> Stack<T> {
    /// The current frame.
    ///
    /// # Panics
    ///
    /// INV: a host function only runs inside [`Self::run`], which pushed its frame.
    pub fn top(&self) -> &Frame<T> {
        self.frames.last().unwrap_or_else(|| unreachable!("a host function runs in a frame"))
    }

    /// The current frame.
    ///
    /// # Panics
    ///
    /// As [`Self::top`].
    pub fn top_mut(&mut self) -> &mut Frame<T> {
        self.frames.last_mut().unwrap_or_else(|| unreachable!("a host function runs in a frame"))
    }

    /// The origin of the transaction.
    pub fn origin(&self) -> &T::AccountId {
        &self.origin
    }

    /// The caller of the current contract.
    pub fn caller(&self) -> &T::AccountId {
        &self.top().caller
    }

    /// The frame that called the current one, unless it is the transaction's first.
    pub fn calling_frame(&self) -> Option<&Frame<T>> {
        self.frames.len().checked_sub(2).and_then(|below| self.frames.get(below))
    }

    /// Fails if the current frame is read-only.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`].
    pub fn ensure_may_write(&self) -> Result<(), Failure> {
        if self.top().read_only {
            return Err(Failure::new::<T>(Error::StateChangeDenied, "the call is read-only"));
        }
        Ok(())
    }

    /// Fails if the current frame may not write to persistent storage.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`], and [`Error::OutOfGas`] if it has only Ethereum's stipend (EIP-2200).
    pub fn ensure_may_store(&self) -> Result<(), Failure> {
        self.ensure_may_write()?;
        if self.top().stipend {
            return Err(Failure::new::<T>(Error::OutOfGas, "Ethereum's stipend doesn't pay for storage"));
        }
        Ok(())
    }

    /// The block's time in milliseconds since the Unix epoch. The call's base weight pays for reading it once.
    pub fn now_millis(&mut self) -> U256 {
        *self.now_millis.get_or_insert_with(|| T::Time::now().into())
    }

    /// The block's number. The call's base weight pays for reading it once.
    pub fn block_number(&mut self) -> U256 {
        *self.block_number.get_or_insert_with(|| frame_system::Pallet::<T>::block_number().into())
    }

    /// The value under a key of the current contract.
    pub fn read_storage(&self, key: &Key) -> Option<Vec<u8>> {
        crate::contract::read(&self.top().trie_id, key)
    }

    /// The length of the value under a key of the current contract.
    pub fn storage_len(&self, key: &Key) -> Option<u32> {
        crate::contract::value_len(&self.top().trie_id, key)
    }

    /// Writes a value under a key of the current contract, or removes it, and records the change. Returns the length of
    /// the previous value.
    pub fn write_storage(&mut self, key: &Key, value: Option<&[u8]>) -> Option<u32> {
        let frame = self.top();
        let (old, diff) = crate::contract::write(&frame.trie_id, key, value);
        let address = frame.address;
        self.ledger.record(&address, &diff);
        old
    }

    /// Charges for the settlement before the current contract's storage is changed: after its first change its deposit
    /// moves and its record is stored at the end of the transaction.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn charge_settlement(&mut self) -> Result<Option<Charged>, Failure> {
        if self.is_settled_anyway() {
            return Ok(None);
        }
        Ok(Some(self.top_mut().gas.charge(Cost::Settle)?))
    }

    /// Weight that the current frame must keep when it calls another, so that it can change its storage
    /// afterwards: the price of the settlement, if it may have to pay that.
    pub fn settlement_reserve(&self) -> Weight {
        if self.top().read_only || self.top().stipend || self.is_settled_anyway() {
            return Weight::zero();
        }
        Cost::Settle.weight::<T::WeightInfo>()
    }

    /// Gives that charge back if the change made no difference to the deposit.
    pub fn adjust_settlement(&mut self, charged: Option<Charged>) {
        if let Some(charged) = charged
            && !self.is_settled_anyway()
        {
            self.top_mut().gas.give_back(charged);
        }
    }

    /// True if the current contract's deposit already has to move at the end of the transaction. A contract
    /// instantiated in the transaction has paid for that with its instantiation.
    fn is_settled_anyway(&self) -> bool {
        self.ledger.get(&self.top().address).is_some_and(|entry| entry.before.is_none() || !entry.diff.is_none())
    }

    /// The value under a key of the current contract in the transient storage.
    pub fn read_transient(&self, key: &Key) -> Option<&[u8]> {
        self.transient.get(self.top().address, key)
    }

    /// Writes a value under a key of the current contract in the transient storage, or removes it. Returns the old one.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfTransientStorage`].
    pub fn write_transient(&mut self, key: &Key, value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
        let address = self.top().address;
        self.transient.set::<T>(address, key, value)
    }

    /// Records the length of the current contract's immutable data.
    pub fn set_immutable_len(&mut self, len: u32) {
        let address = self.top().address;
        self.ledger.change(&address, |entry| entry.info.immutable_data_len = len);
    }

    /// Emits an event of the current contract.
    pub fn emit(&mut self, topics: Vec<H256>, data: Vec<u8>) {
        let contract = self.top().address;
        if self.config.collect_events {
            self.events.push(ContractEvent { contract, topics: topics.clone(), data: data.clone() });
        }
        Pallet::<T>::deposit_event(Event::ContractEmitted { contract, topics, data });
    }
}

/// An account's nonce.
fn account_nonce<T: Config>(account: &T::AccountId) -> u64 {
    frame_system::Pallet::<T>::account_nonce(account).saturated_into()
}

/// Fails if call data exceeds its maximum length.
///
/// # Errors
///
/// [`Error::CallDataTooLarge`].
pub(crate) fn ensure_input_fits<T: Config>(len: usize) -> Result<(), Failure> {
    if len > limits::CALLDATA_BYTES as usize {
        return Err(Failure::new::<T>(
            Error::CallDataTooLarge,
            format!("the call data has {len} bytes, the limit is {}", limits::CALLDATA_BYTES),
        ));
    }
    Ok(())
}
