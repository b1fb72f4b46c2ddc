//! Transaction pool: pending transactions, and submission.

use super::{
    block,
    chain::{Answer, Chain},
    error,
};
use crate::service::FullClient;
use codec::Encode;
use jsonrpsee::types::ErrorObjectOwned;
use pallet_polkavm::ethereum::Transaction;
use runtime::{AccountId, Nonce, RuntimeCall, UncheckedExtrinsic, opaque::Block as OpaqueBlock};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::{
    InPoolTransaction as _, TransactionPool as _, TransactionSource, error::Error as PoolError,
    error::IntoPoolError as _,
};
use sp_core::{H256, U256};
use sp_runtime::transaction_validity::InvalidTransaction;

/// The node's transaction pool.
pub type Pool = TransactionPoolHandle<OpaqueBlock, FullClient>;

/// The nonce of an account's next transaction, after those that wait.
pub fn next_nonce(pool: &Pool, account: &AccountId, nonce: Nonce) -> Nonce {
    let mut next = nonce;
    // Those of one account come in the order of their nonces.
    for waiting in pool.ready() {
        if waiting.provides().contains(&(account, next).encode()) {
            next = next.saturating_add(1);
        }
    }
    next
}

/// A transaction that waits.
pub fn find(pool: &Pool, hash: H256, chain_id: u64) -> Option<Transaction> {
    let decode = |payload: Vec<u8>| Transaction::decode(&payload, chain_id).ok();
    let is_it = |payload: &Vec<u8>| sp_io::hashing::keccak_256(payload) == hash.0;
    let ready = pool.ready().find_map(|waiting| block::payload_of(&waiting.data().encode()).filter(is_it));
    let later = || {
        let later = pool.futures();
        later.iter().find_map(|waiting| block::payload_of(&waiting.data().encode()).filter(is_it))
    };
    ready.or_else(later).and_then(decode)
}

/// Puts a transaction into the pool, and returns its hash.
pub async fn submit(chain: &Chain, pool: &Pool, payload: Vec<u8>) -> Answer<H256> {
    let (best, _) = chain.best();
    let transaction = check(chain, best, &payload)?;
    let call = RuntimeCall::Polkavm(pallet_polkavm::Call::eth_transact { payload });
    let extrinsic = UncheckedExtrinsic::new_bare(call).into();
    match pool.submit_one(best, TransactionSource::External, extrinsic).await {
        Ok(_) => Ok(transaction.hash),
        Err(error) => Err(match error.into_pool_error() {
            Ok(error) => refused(&error, &transaction),
            Err(error) => error::server(error),
        }),
    }
}

/// Checks what the pool has no words for.
fn check(chain: &Chain, best: runtime::Hash, payload: &[u8]) -> Answer<Transaction> {
    let terms = chain.terms(best)?;
    let transaction = Transaction::decode(payload, terms.chain_id).map_err(error::server)?;
    let nonce = chain.nonce(best, transaction.signer)?;
    if transaction.nonce < nonce {
        let sent = transaction.nonce;
        return Err(error::server(format!("nonce too low: next nonce {nonce}, tx nonce {sent}")));
    }
    let price = terms.gas_price;
    if U256::from(transaction.max_fee_per_gas) < price {
        let offered = transaction.max_fee_per_gas;
        return Err(error::server(format!(
            "max fee per gas less than block base fee: maxFeePerGas {offered}, baseFee {price}"
        )));
    }
    let cost = transaction.effective_gas_price(price).saturating_mul(transaction.gas_limit.into());
    let cost = cost.saturating_add(transaction.value);
    let balance = chain.balance(best, transaction.signer)?;
    if balance < cost {
        return Err(error::server(format!(
            "insufficient funds for gas * price + value: address {:?} have {balance} want {cost}",
            transaction.signer
        )));
    }
    Ok(transaction)
}

/// A refusal of the pool, in the words of Ethereum's nodes.
fn refused(error: &PoolError, transaction: &Transaction) -> ErrorObjectOwned {
    error::server(match error {
        PoolError::AlreadyImported(_) => "already known".into(),
        PoolError::TooLowPriority { .. } => "replacement transaction underpriced".into(),
        PoolError::ImmediatelyDropped => "txpool is full".into(),
        PoolError::InvalidTransaction(InvalidTransaction::Stale) => "nonce too low".into(),
        PoolError::InvalidTransaction(InvalidTransaction::Future) => "nonce too high".into(),
        PoolError::InvalidTransaction(InvalidTransaction::Payment) => {
            "insufficient funds for gas * price + value".into()
        }
        PoolError::InvalidTransaction(InvalidTransaction::ExhaustsResources) => "exceeds block gas limit".into(),
        // The checks before have named all others.
        PoolError::InvalidTransaction(InvalidTransaction::Custom(GAS_TOO_LOW)) => {
            format!("intrinsic gas too low: gas {}", transaction.gas_limit)
        }
        PoolError::InvalidTransaction(InvalidTransaction::Custom(NO_PROGRAM)) => {
            pallet_polkavm::ethereum::TransactionError::NoProgram.to_string()
        }
        other => other.to_string(),
    })
}

const GAS_TOO_LOW: u8 = pallet_polkavm::ethereum::TransactionError::GasTooLow { actual: 0, least: 0 }.code();
const NO_PROGRAM: u8 = pallet_polkavm::ethereum::TransactionError::NoProgram.code();
