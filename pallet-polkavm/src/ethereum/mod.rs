//! Ethereum's transactions on the chain, so that Ethereum's wallets and tools can be used.
//!
//! A client sends [`crate::Call::eth_transact`] with a transaction as it was signed, and without a signature of the chain's
//! own. [`UncheckedExtrinsic`], which the runtime has as its extrinsic, decodes it ([`Transaction`]), recovers its signer,
//! and makes of it a call that is signed by the signer's account and has all the runtime's transaction extensions: nonce,
//! weight and fee are treated as those of any signed extrinsic ([`plan()`]). The account is the one that comes from the
//! address alone ([`crate::address`]), so a key of Ethereum's needs no other.
//!
//! **Money.** One number limits what a transaction costs its sender, apart from its value: its gas, at [`gas_price`]. Fee and
//! storage deposit are paid from it in any proportion ([`Budget`]).
//!
//! Nodes use [`api`].

pub mod api;
mod budget;
mod dry_run;
mod execute;
mod extrinsic;
mod plan;
mod transaction;

pub use budget::{Budget, gas_price};
pub(crate) use execute::{call_weight, instantiate_weight};
pub use extrinsic::UncheckedExtrinsic;
pub use plan::{Plan, Sent, plan};
pub use transaction::{MAX_BYTES, Transaction, TransactionError, TransactionKind};

use crate::{BalanceOf, Call, Config};
use core::fmt::Debug;
use frame_support::{
    dispatch::{DispatchInfo, GetDispatchInfo, PostDispatchInfo},
    traits::IsSubType,
};
use sp_runtime::traits::{Dispatchable, TransactionExtension};

/// The runtime's own call.
pub type RuntimeCallOf<E> = <<E as EthereumRuntime>::Config as frame_system::Config>::RuntimeCall;

/// The runtime's part in Ethereum's transactions: its transaction extensions and its fee.
pub trait EthereumRuntime: Clone + Eq + Debug + Send + Sync + 'static {
    /// The runtime.
    type Config: Config
        + frame_system::Config<
            RuntimeCall: From<Call<Self::Config>>
                             + IsSubType<Call<Self::Config>>
                             + GetDispatchInfo
                             + Dispatchable<
                Info = DispatchInfo,
                PostInfo = PostDispatchInfo,
                RuntimeOrigin = <Self::Config as frame_system::Config>::RuntimeOrigin,
            >,
        >;

    /// The runtime's transaction extensions.
    type Extension: TransactionExtension<RuntimeCallOf<Self>>;

    /// The extensions of a transaction with this nonce and tip. `CheckNonce` and what charges the fee have to be among them.
    fn extension(nonce: <Self::Config as frame_system::Config>::Nonce, tip: BalanceOf<Self::Config>)
    -> Self::Extension;

    /// The fee of an extrinsic of this length, without a tip. Linear in its weight.
    fn fee(length: u32, info: &DispatchInfo) -> BalanceOf<Self::Config>;
}
