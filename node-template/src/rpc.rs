//! The JSON-RPC methods that the node adds to the client's own.

use crate::ethereum::Ethereum;
use jsonrpsee::{RpcModule, core::RpcResult};
use runtime::{AccountId, Balance, Nonce, opaque::Block};
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_block_builder::BlockBuilder;
use sp_blockchain::{Error as BlockChainError, HeaderBackend, HeaderMetadata};
use std::sync::Arc;

/// Dependencies of the methods.
pub struct FullDeps<C, P> {
    /// The client.
    pub client: Arc<C>,
    /// The transaction pool.
    pub pool: Arc<P>,
    /// The executor of contracts, and its flags.
    pub polkavm: (executor::PolkaVm, executor::Flags),
    /// Ethereum's methods, unless they are not to be served.
    pub ethereum: Option<Ethereum>,
}

/// The result of `polkavm_status`: the backend of this node.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolkavmStatus {
    /// `jit` or `interpreter`.
    backend: &'static str,
    /// The reason for using the interpreter, if the flags allow the JIT.
    fallback_reason: Option<String>,
    /// The line that is logged at the start, with the current state.
    description: String,
    /// The difference between compiled code and the interpreter, if one was found.
    alarm: Option<String>,
}

impl PolkavmStatus {
    /// Returns the current status. It changes if compiled code is found to be wrong.
    pub fn new(polkavm: &executor::PolkaVm, flags: &executor::Flags) -> Self {
        Self {
            backend: if polkavm.is_compiling() { "jit" } else { "interpreter" },
            fallback_reason: polkavm.fallback_reason(),
            description: polkavm.describe(flags),
            alarm: polkavm.alarm(),
        }
    }
}

/// Makes the methods `system_accountNextIndex`, `system_dryRun`, `payment_queryInfo`, `payment_queryFeeDetails` and
/// `polkavm_status`, and Ethereum's.
pub fn create_full<C, P>(
    FullDeps { client, pool, polkavm, ethereum }: FullDeps<C, P>,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + HeaderMetadata<Block, Error = BlockChainError>,
    C: Send + Sync + 'static,
    C::Api: substrate_frame_rpc_system::AccountNonceApi<Block, AccountId, Nonce>,
    C::Api: pallet_transaction_payment_rpc::TransactionPaymentRuntimeApi<Block, Balance>,
    C::Api: BlockBuilder<Block>,
    P: TransactionPool + 'static,
{
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    use substrate_frame_rpc_system::{System, SystemApiServer};

    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client).into_rpc())?;
    let (polkavm, flags) = polkavm;
    module.register_method("polkavm_status", move |_, (), _| RpcResult::Ok(PolkavmStatus::new(&polkavm, &flags)))?;
    if let Some(ethereum) = ethereum {
        module.merge(ethereum.into_module())?;
    }
    Ok(module)
}
