//! Ethereum's view of a block: its transactions, their outcomes, and logs.
//!
//! The outcome of a transaction is in the block's events, so its state is needed. Logs of contracts that an extrinsic of the
//! chain's own has called are among the block's logs: whoever follows a token sees all its transfers.

use super::chain::{Answer, Chain, to_wei};
use super::error;
use codec::{Decode, Encode};
use frame_system::{EventRecord, Phase};
use pallet_polkavm::{
    address::create1,
    ethereum::{Transaction, api::EthereumTermsV1},
    types::Deposit,
};
use pallet_transaction_payment::Event::TransactionFeePaid;
use runtime::{Balance, Hash, Header, RuntimeEvent, UncheckedExtrinsic};
use sc_client_api::BlockBackend as _;
use sp_core::{H160, H256, U256};
use sp_io::hashing::{blake2_256, keccak_256};

/// A block.
pub struct Block {
    pub hash: Hash,
    pub header: Header,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    pub terms: EthereumTermsV1,
    pub transactions: Vec<Mined>,
    pub logs: Vec<Log>,
    pub bloom: Bloom,
    pub gas_used: u64,
    /// Length of its body.
    pub size: usize,
}

/// A transaction in a block.
pub struct Mined {
    pub transaction: Transaction,
    /// True if it succeeded.
    pub succeeded: bool,
    pub gas_used: u64,
    pub cumulative_gas_used: u64,
    pub effective_gas_price: U256,
    /// The contract that it has made.
    pub contract: Option<H160>,
}

/// A log.
pub struct Log {
    pub address: H160,
    pub topics: Vec<H256>,
    pub data: Vec<u8>,
    /// The hash of its transaction; of an extrinsic of the chain's own, that of the extrinsic.
    pub transaction: H256,
    /// The index of its transaction among the block's transactions; of an extrinsic of the chain's own, that of the extrinsic.
    pub transaction_index: usize,
}

/// An extrinsic of a block and its outcome.
struct Extrinsic {
    hash: H256,
    index: usize,
    transaction: Option<Transaction>,
    paid: Balance,
    deposit: Deposit<Balance>,
    succeeded: bool,
    contract: Option<H160>,
}

/// The Ethereum transaction in an encoded extrinsic.
pub fn payload_of(extrinsic: &[u8]) -> Option<Vec<u8>> {
    let extrinsic = UncheckedExtrinsic::decode(&mut &extrinsic[..]).ok()?;
    extrinsic.ethereum_payload().map(<[u8]>::to_vec)
}

/// The body of a block: its extrinsics, encoded.
pub fn body(chain: &Chain, hash: Hash) -> Answer<Option<Vec<Vec<u8>>>> {
    let body = chain.client.block_body(hash).map_err(error::server)?;
    Ok(body.map(|body| body.iter().map(Encode::encode).collect()))
}

impl Block {
    /// The block with a hash, if this node has it.
    pub fn load(chain: &Chain, hash: Hash) -> Answer<Option<Self>> {
        let (Some(header), Some(body)) = (chain.header(hash)?, body(chain, hash)?) else { return Ok(None) };
        let terms = chain.terms(hash)?;
        let size = body.iter().map(Vec::len).sum();
        let mut count = 0;
        let mut extrinsics: Vec<_> = body
            .iter()
            .enumerate()
            .map(|(index, bytes)| {
                let transaction =
                    payload_of(bytes).and_then(|payload| Transaction::decode(&payload, terms.chain_id).ok());
                let (hash, index) = match &transaction {
                    Some(transaction) => {
                        count += 1;
                        (transaction.hash, count - 1)
                    }
                    None => (H256(blake2_256(bytes)), index),
                };
                let (paid, deposit) = (0, Deposit::default());
                Extrinsic { hash, index, transaction, paid, deposit, succeeded: true, contract: None }
            })
            .collect();
        let logs = replay(chain, hash, &mut extrinsics)?;
        let mut bloom = Bloom::default();
        logs.iter().for_each(|log| bloom.add(log));
        let mut cumulative = 0_u64;
        let transactions: Vec<_> = extrinsics
            .into_iter()
            .filter_map(|extrinsic| {
                let mined = mined(extrinsic, &terms, cumulative)?;
                cumulative = mined.cumulative_gas_used;
                Some(mined)
            })
            .collect();
        let milliseconds: u64 = chain.storage(hash, "Timestamp", "Now")?;
        let timestamp = milliseconds / 1000;
        Ok(Some(Self { hash, header, timestamp, terms, transactions, logs, bloom, gas_used: cumulative, size }))
    }

    /// The number.
    pub fn number(&self) -> U256 {
        self.header.number.into()
    }

    /// The gas limit: the gas for a block's weight, and at least the gas used, which includes storage deposits.
    pub fn gas_limit(&self) -> u64 {
        self.terms.block_gas.max(self.gas_used).max(pallet_polkavm::metering::ethereum::MOST)
    }

    /// About how much memory it takes.
    pub fn memory(&self) -> usize {
        let logs: usize = self.logs.iter().map(|log| size_of::<Log>() + log.data.len() + 32 * log.topics.len()).sum();
        self.size + logs + self.transactions.len() * size_of::<Mined>() + size_of::<Self>()
    }
}

/// Reads from a block's events what became of its extrinsics, and collects the logs.
fn replay(chain: &Chain, hash: Hash, extrinsics: &mut [Extrinsic]) -> Answer<Vec<Log>> {
    let events: Vec<EventRecord<RuntimeEvent, Hash>> = chain.storage(hash, "System", "Events")?;
    let mut logs = Vec::new();
    for record in events {
        let Phase::ApplyExtrinsic(index) = record.phase else { continue };
        let Some(extrinsic) = extrinsics.get_mut(index as usize) else { continue };
        match record.event {
            RuntimeEvent::System(frame_system::Event::ExtrinsicFailed { .. }) => extrinsic.succeeded = false,
            RuntimeEvent::TransactionPayment(TransactionFeePaid { actual_fee, .. }) => extrinsic.paid = actual_fee,
            RuntimeEvent::Polkavm(pallet_polkavm::Event::EthereumTransactionExecuted { storage_deposit }) => {
                extrinsic.deposit = storage_deposit;
            }
            RuntimeEvent::Polkavm(pallet_polkavm::Event::Instantiated { deployer, contract, .. })
                if extrinsic.transaction.as_ref().is_some_and(|transaction| transaction.signer == deployer) =>
            {
                extrinsic.contract = Some(contract);
            }
            RuntimeEvent::Polkavm(pallet_polkavm::Event::ContractEmitted { contract, data, topics }) => {
                let (transaction, transaction_index) = (extrinsic.hash, extrinsic.index);
                logs.push(Log { address: contract, topics, data, transaction, transaction_index });
            }
            _ => {}
        }
    }
    Ok(logs)
}

/// A transaction with what became of it. `None` for an extrinsic of the chain's own.
fn mined(extrinsic: Extrinsic, terms: &EthereumTermsV1, before: u64) -> Option<Mined> {
    let transaction = extrinsic.transaction?;
    let effective_gas_price = transaction.effective_gas_price(terms.gas_price).max(U256::one());
    let paid = match extrinsic.deposit {
        Deposit::Charge(amount) => extrinsic.paid.saturating_add(amount),
        // Who gets back more than the fee has used no gas.
        Deposit::Refund(amount) => extrinsic.paid.saturating_sub(amount),
    };
    let gas = to_wei(paid, terms).saturating_add(effective_gas_price - 1) / effective_gas_price;
    let gas_used = u64::try_from(gas).unwrap_or(u64::MAX).min(transaction.gas_limit);
    // A contract that could not be made has the address that it would have had, as clients expect.
    let contract = match transaction.to {
        None => extrinsic.contract.or_else(|| Some(create1(&transaction.signer, transaction.nonce))),
        Some(_) => None,
    };
    Some(Mined {
        succeeded: extrinsic.succeeded,
        gas_used,
        cumulative_gas_used: before.saturating_add(gas_used),
        effective_gas_price,
        contract,
        transaction,
    })
}

/// Ethereum's filter of 2048 bits, in which a log sets three for its address and for each of its topics.
#[derive(Clone)]
pub struct Bloom(pub [u8; 256]);

impl Default for Bloom {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Bloom {
    /// Adds a log.
    pub fn add(&mut self, log: &Log) {
        self.set(log.address.as_bytes());
        log.topics.iter().for_each(|topic| self.set(topic.as_bytes()));
    }

    fn set(&mut self, item: &[u8]) {
        let hash = keccak_256(item);
        for pair in [0, 2, 4] {
            let bit = usize::from(u16::from_be_bytes([hash[pair], hash[pair + 1]]) & 0x7ff);
            self.0[255 - bit / 8] |= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bloom_has_three_bits_for_each_item() {
        let mut bloom = Bloom::default();
        let log = Log {
            address: H160([0x22; 20]),
            topics: vec![H256([0x33; 32]), H256([0x44; 32])],
            data: vec![1],
            transaction: H256::zero(),
            transaction_index: 0,
        };
        bloom.add(&log);
        let bits: u32 = bloom.0.iter().map(|byte| byte.count_ones()).sum();
        assert!((7..=9).contains(&bits), "{bits}");
        let again = bloom.0;
        bloom.add(&log);
        assert_eq!(bloom.0, again);
        // keccak256 of the empty string begins with c5d2 4601 86f7.
        let mut empty = Bloom::default();
        empty.set(&[]);
        for bit in [0x5d2_usize, 0x601, 0x6f7] {
            assert_ne!(empty.0[255 - bit / 8] & 1 << (bit % 8), 0);
        }
    }
}
