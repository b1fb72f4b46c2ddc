//! Stored programs: upload, removal, use counts and loading.
//!
//! Called by the extrinsics and the call stack. A program is checked once, at upload ([`check`]); the result (entry
//! points, imports as host function numbers) is stored beside it, so that a call resolves nothing by name.

pub mod check;

use crate::{
    BalanceOf, CodeInfoOf, Config, Error, Event, HoldReason, Pallet, PristineCode, TiedCode,
    host_api::HostFunction,
    metering::{cost::Cost, gas::GasMeter},
    types::{EntryPoint, Failure, Uploaded},
    weights::WeightInfo,
};
use alloc::{format, vec::Vec};
use codec::{Compact, Decode, Encode, Input, MaxEncodedLen};
use frame_support::{
    BoundedVec, CloneNoBound, DebugNoBound, PartialEqNoBound, ensure,
    traits::{ConstU32, Get, fungible::MutateHold, tokens::Precision},
};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::keccak_256;
use sp_runtime::{DispatchError, DispatchResult, Saturating, traits::BadOrigin};
use vm_core::{
    Semantics,
    gas::{CostModelKind, MemoryLatency},
};

/// Version of the host's observable behaviour with which new code is stored.
///
/// Whenever a running contract could observe a change (apart from weights), this number is raised, and code stored with
/// a lower one keeps the old behaviour.
pub const BEHAVIOUR_VERSION: u16 = 0;

/// Id of the semantics version ([`Semantics`]) with which new code is stored.
///
/// Code keeps its number for as long as it is stored, so that a fix of the interpreter or the compiler in a node's
/// release changes nothing for it.
pub const SEMANTICS: u16 = Semantics::LATEST.id();

/// The instruction set a program is written in. Only one is accepted so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum CodeIsa {
    /// `ReviveV1`, 64-bit.
    #[codec(index = 0)]
    ReviveV1,
}

/// The gas cost model of a program, fixed for as long as the program is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum CostModel {
    /// One unit of gas per instruction.
    #[codec(index = 0)]
    Naive,
    /// The cycles of an idealised processor, with data in the second-level cache.
    #[codec(index = 1)]
    Pipeline,
    /// Execution time of compiled code, in units of 10 picoseconds: the first calibration.
    #[codec(index = 2)]
    CalibratedV1,
}

impl CostModel {
    /// All cost models.
    pub const ALL: [CostModel; 3] = [CostModel::Naive, CostModel::Pipeline, CostModel::CalibratedV1];
}

impl From<CostModel> for CostModelKind {
    fn from(model: CostModel) -> Self {
        match model {
            CostModel::Naive => Self::Naive,
            CostModel::Pipeline => Self::Pipeline(MemoryLatency::L2),
            CostModel::CalibratedV1 => Self::CalibratedV1,
        }
    }
}

/// The resources that a program takes on a node beside its length, as found by the check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Footprint {
    /// Upper bound on the bytes of machine code if it is compiled.
    pub machine_code: u32,
    /// Number of memory pages of an instance.
    pub memory_pages: u32,
}

/// The footprint of stored code. Older records, which have none, end before it: their code is measured when it is first
/// loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, MaxEncodedLen, TypeInfo)]
pub struct StoredFootprint(pub Option<Footprint>);

impl Decode for StoredFootprint {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        match input.remaining_len()? {
            Some(0) => Ok(Self(None)),
            _ => Option::decode(input).map(Self),
        }
    }
}

/// Maximum number of imports of a program: the number of host functions.
pub const MAX_IMPORTS: u32 = HostFunction::COUNT;

/// Information stored beside a program.
#[derive(Encode, Decode, CloneNoBound, PartialEqNoBound, DebugNoBound, TypeInfo, MaxEncodedLen)]
#[codec(mel_bound())]
#[scale_info(skip_type_params(T))]
pub struct CodeInfo<T: Config> {
    /// The account that uploaded it, pays for it and may remove it.
    pub owner: T::AccountId,
    /// The deposit held for it on the owner's account.
    pub deposit: BalanceOf<T>,
    /// Number of contracts that run it.
    pub use_count: u64,
    /// Its length in bytes.
    pub code_len: u32,
    /// Its instruction set.
    pub isa: CodeIsa,
    /// Its gas cost model.
    pub cost_model: CostModel,
    /// The version of the host's behaviour it was stored with, see [`BEHAVIOUR_VERSION`].
    pub behaviour_version: u16,
    /// The id of its semantics version, see [`SEMANTICS`]. In older records this was the upper half of the number
    /// before it, which was always zero.
    pub semantics: u16,
    /// Code offset of the export `deploy`.
    pub deploy_entry: u32,
    /// Code offset of the export `call`.
    pub call_entry: u32,
    /// The host function behind each import, in the order of the program's import table.
    pub imports: BoundedVec<HostFunction, ConstU32<MAX_IMPORTS>>,
    /// The resources that it takes on a node.
    pub footprint: StoredFootprint,
}

impl<T: Config> CodeInfo<T> {
    /// The code offset of an entry point.
    pub fn entry(&self, entry: EntryPoint) -> u32 {
        match entry {
            EntryPoint::Deploy => self.deploy_entry,
            EntryPoint::Call => self.call_entry,
        }
    }
}

/// A program to execute. Its code is read when it is used.
#[derive(DebugNoBound)]
pub struct Executable<T: Config> {
    /// Its hash.
    pub hash: H256,
    /// The information stored beside it.
    pub info: CodeInfo<T>,
}

impl<T: Config> Executable<T> {
    /// Looks up a stored program. Charges for its length before it is read, and for its footprint.
    ///
    /// # Errors
    ///
    /// [`Error::CodeNotFound`], [`Error::OutOfGas`].
    pub fn load(hash: H256, gas: &mut GasMeter<T>) -> Result<Self, Failure> {
        let info = CodeInfoOf::<T>::get(hash).ok_or_else(|| not_found::<T>(hash))?;
        // Never refunded: preparing the program costs this in any case.
        let _ = gas.charge(Cost::LoadCode(info.code_len))?;
        let mut executable = Self { hash, info };
        let Footprint { machine_code, memory_pages } = match executable.info.footprint.0 {
            Some(footprint) => footprint,
            None => {
                let code = executable.with_code(<[u8]>::to_vec)?;
                measure(hash, &mut executable.info, &code, gas)?
            }
        };
        let _ = gas.charge(Cost::Compile { code_len: executable.info.code_len, machine_code })?;
        let _ = gas.charge(Cost::Memory(memory_pages))?;
        Ok(executable)
    }

    /// Reads the blob and passes it to `act`.
    ///
    /// Decoding the stored value would copy the blob once more, which takes a runtime longer than all else that it does
    /// to call a long program.
    ///
    /// # Errors
    ///
    /// [`Error::CodeNotFound`].
    pub fn with_code<R>(&self, act: impl FnOnce(&[u8]) -> R) -> Result<R, Failure> {
        let stored = sp_io::storage::get(&PristineCode::<T>::hashed_key_for(self.hash));
        // An encoded `Vec<u8>`: its length, and the bytes.
        let code = stored.as_ref().and_then(|stored| {
            let mut bytes = &stored[..];
            let length = Compact::<u32>::decode(&mut bytes).ok()?.0;
            bytes.get(..length as usize)
        });
        code.map(act).ok_or_else(|| not_found::<T>(self.hash))
    }
}

fn not_found<T: Config>(hash: H256) -> Failure {
    Failure::new::<T>(Error::CodeNotFound, format!("no code is stored under {hash:?}"))
}

/// Measures code whose record has no footprint, and stores the footprint. The first caller that loads it pays for that.
fn measure<T: Config>(
    hash: H256,
    info: &mut CodeInfo<T>,
    code: &[u8],
    gas: &mut GasMeter<T>,
) -> Result<Footprint, Failure> {
    gas.charge_weight(T::WeightInfo::upload_code(info.code_len))?;
    let footprint = check::check::<T>(code)?.footprint;
    info.footprint = StoredFootprint(Some(footprint));
    CodeInfoOf::<T>::insert(hash, &*info);
    Ok(footprint)
}

/// The key under which a program is stored.
pub fn code_hash(code: &[u8]) -> H256 {
    H256(keccak_256(code))
}

/// The deposit held on the uploader's account for a program of this length: for its bytes, those of its [`CodeInfo`],
/// and two items.
pub fn code_deposit<T: Config>(code_len: u32) -> BalanceOf<T> {
    let bytes = code_len.saturating_add(CodeInfo::<T>::max_encoded_len() as u32);
    T::DepositPerByte::get()
        .saturating_mul(bytes.into())
        .saturating_add(T::DepositPerItem::get().saturating_mul(2u32.into()))
}

/// Lifetime of a program after its last contract has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stay {
    /// It is kept until its owner removes it.
    Kept,
    /// It is removed with its last contract.
    Tied,
}

/// Checks and stores a program. If it is already stored, nothing is held; the only change is that a program which its
/// owner uploads to be kept is kept from then on.
///
/// # Errors
///
/// Those of [`check::check`], [`Error::StorageDepositNotEnoughFunds`].
pub fn upload<T: Config>(owner: &T::AccountId, code: Vec<u8>, stay: Stay) -> Result<Uploaded<BalanceOf<T>>, Failure> {
    check::length::<T>(&code)?;
    let code_hash = code_hash(&code);
    if let Some(info) = CodeInfoOf::<T>::get(code_hash) {
        if stay == Stay::Kept && info.owner == *owner {
            TiedCode::<T>::remove(code_hash);
        }
        return Ok(Uploaded { code_hash, deposit: Default::default() });
    }
    let checked = check::check::<T>(&code)?;
    let code_len = code.len() as u32;
    let deposit = code_deposit::<T>(code_len);
    T::Currency::hold(&HoldReason::CodeUploadDepositReserve.into(), owner, deposit).map_err(|error| {
        Failure::new::<T>(
            Error::StorageDepositNotEnoughFunds,
            format!("the uploader can't pay a code deposit of {deposit:?}: {error:?}"),
        )
    })?;
    CodeInfoOf::<T>::insert(
        code_hash,
        CodeInfo {
            owner: owner.clone(),
            deposit,
            use_count: 0,
            code_len,
            isa: checked.isa,
            cost_model: T::CostModel::get(),
            behaviour_version: BEHAVIOUR_VERSION,
            semantics: SEMANTICS,
            deploy_entry: checked.deploy_entry,
            call_entry: checked.call_entry,
            imports: checked.imports,
            footprint: StoredFootprint(Some(checked.footprint)),
        },
    );
    PristineCode::<T>::insert(code_hash, code);
    if stay == Stay::Tied {
        TiedCode::<T>::insert(code_hash, ());
    }
    Pallet::<T>::deposit_event(Event::CodeStored { code_hash, deposit_held: deposit, uploader: owner.clone() });
    Ok(Uploaded { code_hash, deposit })
}

/// Removes a program that no contract runs, and releases its owner's deposit.
///
/// # Errors
///
/// [`Error::CodeNotFound`], [`Error::CodeInUse`], `BadOrigin` for any account but the owner.
pub fn remove<T: Config>(origin: &T::AccountId, code_hash: H256) -> DispatchResult {
    let info = CodeInfoOf::<T>::get(code_hash).ok_or(Error::<T>::CodeNotFound)?;
    ensure!(info.owner == *origin, BadOrigin);
    ensure!(info.use_count == 0, Error::<T>::CodeInUse);
    take_away(code_hash, &info, origin)?;
    Ok(())
}

/// An account, and the deposit that was refunded to it.
pub type Refund<T> = (<T as frame_system::Config>::AccountId, BalanceOf<T>);

/// Removes a program that is tied to its contracts if none of them is left. Returns its owner and the refund.
///
/// # Errors
///
/// The currency's.
pub fn remove_if_unused<T: Config>(code_hash: H256) -> Result<Option<Refund<T>>, DispatchError> {
    let Some(info) = CodeInfoOf::<T>::get(code_hash) else { return Ok(None) };
    if info.use_count > 0 || !TiedCode::<T>::contains_key(code_hash) {
        return Ok(None);
    }
    let released = take_away(code_hash, &info, &info.owner)?;
    Ok(Some((info.owner, released)))
}

/// Removes a program and releases its owner's deposit.
fn take_away<T: Config>(
    code_hash: H256,
    info: &CodeInfo<T>,
    remover: &T::AccountId,
) -> Result<BalanceOf<T>, DispatchError> {
    let released = T::Currency::release(
        &HoldReason::CodeUploadDepositReserve.into(),
        &info.owner,
        info.deposit,
        Precision::BestEffort,
    )?;
    CodeInfoOf::<T>::remove(code_hash);
    PristineCode::<T>::remove(code_hash);
    TiedCode::<T>::remove(code_hash);
    Pallet::<T>::deposit_event(Event::CodeRemoved { code_hash, deposit_released: released, remover: remover.clone() });
    Ok(released)
}

/// Counts one more contract that runs the code.
///
/// # Errors
///
/// [`Error::CodeNotFound`], [`Error::UseCountOverflow`].
pub fn increment_use_count<T: Config>(code_hash: H256) -> DispatchResult {
    CodeInfoOf::<T>::try_mutate(code_hash, |info| -> Result<(), DispatchError> {
        let info = info.as_mut().ok_or(Error::<T>::CodeNotFound)?;
        info.use_count = info.use_count.checked_add(1).ok_or(Error::<T>::UseCountOverflow)?;
        Ok(())
    })
}

/// Counts one contract less that runs the code.
///
/// # Errors
///
/// [`Error::CodeNotFound`].
pub fn decrement_use_count<T: Config>(code_hash: H256) -> DispatchResult {
    CodeInfoOf::<T>::try_mutate(code_hash, |info| -> Result<(), DispatchError> {
        let info = info.as_mut().ok_or(Error::<T>::CodeNotFound)?;
        info.use_count = info.use_count.saturating_sub(1);
        Ok(())
    })
}
