//! The runtime's extrinsic: FRAME's, in which an Ethereum transaction counts as signed by its signer.
//!
//! Encoding, metadata and hash are those of the extrinsic inside. The one difference is what becomes of a bare extrinsic
//! with [`crate::Call::eth_transact`] when it is checked, in the pool and in a block.

use super::{EthereumRuntime, RuntimeCallOf, Sent, Transaction, budget::gas_price, plan, plan::terms};
use crate::{Call, Config, LOG_TARGET, address::AddressMapper};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    dispatch::{DispatchInfo, GetDispatchInfo},
    traits::{Get, InherentBuilder, IsSubType, SignedTransactionBuilder},
};
use scale_info::{StaticTypeInfo, TypeInfo};
use sp_runtime::{
    OpaqueExtrinsic,
    generic::{self, CheckedExtrinsic, ExtrinsicFormat},
    serde,
    traits::{Checkable, ExtrinsicCall, ExtrinsicLike, ExtrinsicMetadata, LazyExtrinsic},
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};

type Inner<Address, Signature, E> =
    generic::UncheckedExtrinsic<Address, RuntimeCallOf<E>, Signature, <E as EthereumRuntime>::Extension>;

type Checked<E> = CheckedExtrinsic<
    <<E as EthereumRuntime>::Config as frame_system::Config>::AccountId,
    RuntimeCallOf<E>,
    <E as EthereumRuntime>::Extension,
>;

/// An extrinsic as it comes from the wire, which may be an Ethereum transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, PartialEq, Eq, Debug)]
pub struct UncheckedExtrinsic<Address, Signature, E: EthereumRuntime>(pub Inner<Address, Signature, E>);

impl<Address, Signature, E: EthereumRuntime> UncheckedExtrinsic<Address, Signature, E> {
    /// A signed extrinsic.
    pub fn new_signed(call: RuntimeCallOf<E>, signed: Address, signature: Signature, extension: E::Extension) -> Self {
        Self(generic::UncheckedExtrinsic::new_signed(call, signed, signature, extension))
    }

    /// An extrinsic without a signature.
    pub fn new_bare(call: RuntimeCallOf<E>) -> Self {
        Self(generic::UncheckedExtrinsic::new_bare(call))
    }

    /// The bytes of the Ethereum transaction, if it is one.
    pub fn ethereum_payload(&self) -> Option<&[u8]> {
        match self.0.function.is_sub_type() {
            Some(Call::eth_transact { payload }) if matches!(self.0.preamble, generic::Preamble::Bare(_)) => {
                Some(payload)
            }
            _ => None,
        }
    }
}

impl<Lookup, Address, Signature, E> Checkable<Lookup> for UncheckedExtrinsic<Address, Signature, E>
where
    E: EthereumRuntime,
    <E::Config as frame_system::Config>::Nonce: From<u32>,
    Self: Encode,
    Inner<Address, Signature, E>: Checkable<Lookup, Checked = Checked<E>>,
{
    type Checked = Checked<E>;

    fn check(self, lookup: &Lookup) -> Result<Self::Checked, TransactionValidityError> {
        match self.ethereum_payload() {
            Some(payload) => {
                let length = u32::try_from(self.encoded_size()).map_err(|_| InvalidTransaction::ExhaustsResources)?;
                signed::<E>(payload, length)
            }
            None => self.0.check(lookup),
        }
    }

    #[cfg(feature = "try-runtime")]
    fn unchecked_into_checked_i_know_what_i_am_doing(
        self,
        lookup: &Lookup,
    ) -> Result<Self::Checked, TransactionValidityError> {
        match self.ethereum_payload() {
            // The signer isn't known without the signature.
            Some(_) => self.check(lookup),
            None => self.0.unchecked_into_checked_i_know_what_i_am_doing(lookup),
        }
    }
}

/// An Ethereum transaction as a call that is signed by its signer's account.
fn signed<E: EthereumRuntime>(payload: &[u8], length: u32) -> Result<Checked<E>, TransactionValidityError>
where
    <E::Config as frame_system::Config>::Nonce: From<u32>,
{
    let planned = || {
        let transaction = Transaction::decode(payload, <E::Config as Config>::ChainId::get())?;
        let (nonce, tip) = terms::<E::Config>(&transaction, gas_price::<E>())?;
        let sent = Sent { to: transaction.to, value: transaction.value, data: transaction.data };
        let plan = plan::<E>(sent, Some(transaction.gas_limit), length, nonce, tip)?;
        Ok((plan, transaction.signer))
    };
    let (plan, signer) = planned().map_err(|error: super::TransactionError| {
        log::debug!(target: LOG_TARGET, "an Ethereum transaction is refused: {error}");
        InvalidTransaction::from(error)
    })?;
    // The account that comes from the address, whatever is mapped to that: the one whose key signed.
    let account = <E::Config as Config>::AddressMapper::to_fallback_account_id(&signer);
    Ok(CheckedExtrinsic { format: ExtrinsicFormat::Signed(account, plan.extension), function: plan.call.into() })
}

// The rest hands everything on to the extrinsic inside.

impl<Address, Signature, E: EthereumRuntime> From<Inner<Address, Signature, E>>
    for UncheckedExtrinsic<Address, Signature, E>
{
    fn from(inner: Inner<Address, Signature, E>) -> Self {
        Self(inner)
    }
}

impl<Address, Signature, E> TypeInfo for UncheckedExtrinsic<Address, Signature, E>
where
    Address: StaticTypeInfo,
    Signature: StaticTypeInfo,
    E: EthereumRuntime,
    RuntimeCallOf<E>: StaticTypeInfo,
    E::Extension: StaticTypeInfo,
{
    type Identity = Inner<Address, Signature, E>;

    fn type_info() -> scale_info::Type {
        Inner::<Address, Signature, E>::type_info()
    }
}

impl<Address: TypeInfo, Signature: TypeInfo, E: EthereumRuntime> ExtrinsicLike
    for UncheckedExtrinsic<Address, Signature, E>
{
    fn is_bare(&self) -> bool {
        self.0.is_bare()
    }
}

impl<Address, Signature, E: EthereumRuntime> ExtrinsicMetadata for UncheckedExtrinsic<Address, Signature, E> {
    const VERSIONS: &'static [u8] = <Inner<Address, Signature, E> as ExtrinsicMetadata>::VERSIONS;
    type TransactionExtensionPipelines =
        <Inner<Address, Signature, E> as ExtrinsicMetadata>::TransactionExtensionPipelines;
}

impl<Address: TypeInfo, Signature: TypeInfo, E: EthereumRuntime> ExtrinsicCall
    for UncheckedExtrinsic<Address, Signature, E>
{
    type Call = RuntimeCallOf<E>;

    fn call(&self) -> &Self::Call {
        self.0.call()
    }

    fn into_call(self) -> Self::Call {
        self.0.into_call()
    }
}

impl<Address, Signature, E: EthereumRuntime> GetDispatchInfo for UncheckedExtrinsic<Address, Signature, E> {
    fn get_dispatch_info(&self) -> DispatchInfo {
        self.0.get_dispatch_info()
    }
}

impl<Address, Signature, E> SignedTransactionBuilder for UncheckedExtrinsic<Address, Signature, E>
where
    Address: TypeInfo,
    Signature: TypeInfo,
    E: EthereumRuntime,
    E::Extension: TypeInfo,
{
    type Address = Address;
    type Signature = Signature;
    type Extension = E::Extension;

    fn new_signed_transaction(
        call: Self::Call,
        signed: Address,
        signature: Signature,
        extension: E::Extension,
    ) -> Self {
        Self::new_signed(call, signed, signature, extension)
    }
}

impl<Address: TypeInfo, Signature: TypeInfo, E: EthereumRuntime> InherentBuilder
    for UncheckedExtrinsic<Address, Signature, E>
{
    fn new_inherent(call: Self::Call) -> Self {
        Self::new_bare(call)
    }
}

impl<Address, Signature, E> From<UncheckedExtrinsic<Address, Signature, E>> for OpaqueExtrinsic
where
    E: EthereumRuntime,
    Inner<Address, Signature, E>: Into<OpaqueExtrinsic>,
{
    fn from(extrinsic: UncheckedExtrinsic<Address, Signature, E>) -> Self {
        extrinsic.0.into()
    }
}

impl<Address, Signature, E> LazyExtrinsic for UncheckedExtrinsic<Address, Signature, E>
where
    E: EthereumRuntime,
    Inner<Address, Signature, E>: LazyExtrinsic,
{
    fn decode_unprefixed(data: &[u8]) -> Result<Self, codec::Error> {
        Inner::<Address, Signature, E>::decode_unprefixed(data).map(Self)
    }
}

impl<Address: Encode, Signature: Encode, E: EthereumRuntime> serde::Serialize
    for UncheckedExtrinsic<Address, Signature, E>
where
    Inner<Address, Signature, E>: serde::Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'a, Address, Signature, E> serde::Deserialize<'a> for UncheckedExtrinsic<Address, Signature, E>
where
    E: EthereumRuntime,
    Inner<Address, Signature, E>: serde::Deserialize<'a>,
{
    fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        Inner::<Address, Signature, E>::deserialize(deserializer).map(Self)
    }
}
