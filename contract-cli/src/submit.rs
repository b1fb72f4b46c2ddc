//! Submission of transactions: signs, sends, waits until the transaction is in a block, and reads its events there.

use crate::{
    api::Weight,
    chain::{Chain, Signed},
    error::{Error, chain, tidy},
    names::{NamedError, name_error},
    output::progress,
    units,
    value::{self, hex},
};
use serde_json::Value as Json;
use std::time::Duration;
use subxt::{
    Metadata, PolkadotConfig,
    client::OnlineClientAtBlockImpl,
    dynamic::{At as _, transaction},
    ext::scale_encode::EncodeAsFields,
    ext::scale_value::{Composite, Value},
    tx::{TransactionInBlock, TransactionStatus},
};

/// The receipt of a transaction.
#[derive(Debug)]
pub struct Receipt {
    /// The number of the block it is in.
    pub block_number: u64,
    /// The hash of that block.
    pub block_hash: [u8; 32],
    /// The transaction's hash.
    pub extrinsic: [u8; 32],
    /// The weight it used, including its base weight.
    pub gas_used: Option<Weight>,
    /// The fee it paid.
    pub fee: Option<u128>,
    /// Its events, except for those that every transaction has.
    pub events: Vec<Event>,
    /// The error, if it failed.
    pub error: Option<NamedError>,
}

/// Maximum number of attempts to get a nonce that no other transaction of the account uses.
const NONCE_ATTEMPTS: u32 = 20;

/// The client's word for a transaction that was replaced by another one with the same nonce.
const USURPED: &str = "usurped";

/// A transaction that is not in a block.
enum Refused {
    /// Another transaction has its nonce, and it was not sent: it can be signed again with another nonce.
    NonceTaken(String),
    /// Another reason.
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// True if a node refuses a transaction because another one of the account has its nonce: one in a block, one in the
/// pool with the same or a higher priority, or the same transaction.
fn is_nonce_taken(message: &str) -> bool {
    let message = message.to_lowercase();
    ["outdated", "priority is too low", "already imported"].iter().any(|reason| message.contains(reason))
}

/// An event.
#[derive(Debug)]
pub struct Event {
    /// The pallet that emitted it.
    pub pallet: String,
    /// Its name.
    pub name: String,
    /// Its fields as JSON.
    pub fields: Json,
    /// Its fields with the numbers of their types.
    decoded: Composite<u32>,
}

impl Event {
    /// Decodes an event by the metadata of its block.
    fn decode(metadata: &Metadata, pallet: &str, number: u8, mut bytes: &[u8]) -> Result<Self, Error> {
        let undecodable = |reason: String| Error::Decode { what: format!("event {number} of {pallet}"), reason };
        let variant = metadata
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.event_variant_by_index(number))
            .ok_or_else(|| undecodable("it is not in the metadata".into()))?;
        let mut named = Vec::with_capacity(variant.fields.len());
        for (position, field) in variant.fields.iter().enumerate() {
            let value = value::decode(metadata.types(), field.ty.id, &mut bytes).map_err(undecodable)?;
            named.push((field.name.clone().unwrap_or_else(|| position.to_string()), value));
        }
        let decoded = Composite::Named(named);
        let fields = value::fields_to_json(metadata.types(), &decoded);
        Ok(Self { pallet: pallet.into(), name: variant.name.clone(), fields, decoded })
    }

    fn field(&self, name: &str) -> Option<&Value<u32>> {
        self.decoded.at(name)
    }
}

impl Chain {
    /// Sends a call of the pallet and waits until it is in a block.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, is refused by the pool, or is not included in a block. A call that fails in a block
    /// gives a receipt.
    pub async fn submit(&self, call: &str, args: impl EncodeAsFields) -> Result<Receipt, Error> {
        let payload = transaction(self.pallet.clone(), call.to_owned(), args);
        let mut attempt = 1;
        loop {
            let nonce = self.next_nonce().await?;
            let signed = self.signed(&payload, nonce).await?;
            match self.submit_signed(call, &signed).await {
                Err(Refused::NonceTaken(message)) if attempt == NONCE_ATTEMPTS => {
                    return Err(Error::NotIncluded(message));
                }
                Err(Refused::NonceTaken(_)) => {
                    progress!("another transaction of this account took the nonce {nonce}; trying the next one");
                    attempt += 1;
                    // Processes that started at the same time must not retry at the same time.
                    let pause = Duration::from_millis(u64::from(std::process::id() % 97) + 20 * u64::from(attempt));
                    tokio::time::sleep(pause).await;
                }
                Err(Refused::Other(error)) => return Err(error),
                Ok(receipt) => return Ok(receipt),
            }
        }
    }

    /// Sends a signed transaction and waits until it is in a block.
    async fn submit_signed(&self, call: &str, signed: &Signed) -> Result<Receipt, Refused> {
        let since = self.at_best(async |at| Ok(at.block_number())).await?;
        progress!(
            "sending {}.{call}, waiting for a {} block",
            self.pallet,
            if self.finalized { "final" } else { "best" }
        );
        let mut status = match signed.submit_and_watch().await {
            Ok(status) => status,
            Err(error) if is_nonce_taken(&error.to_string()) => {
                return Err(Refused::NonceTaken(tidy(&error.to_string())));
            }
            Err(error) => return Err(self.refused_by_pool(&error.to_string(), signed).await.into()),
        };
        while let Some(step) = status.next().await {
            let in_block = match step.map_err(chain)? {
                TransactionStatus::InBestBlock(block) if !self.finalized => block,
                TransactionStatus::InFinalizedBlock(block) => block,
                TransactionStatus::Invalid { message } if message.contains(USURPED) => {
                    return Err(self.replaced(signed, since).await?);
                }
                TransactionStatus::Error { message }
                | TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message } => {
                    return Err(self.refused_by_pool(&message, signed).await.into());
                }
                _ => continue,
            };
            let receipt = match receipt(&in_block).await {
                Ok(receipt) => receipt,
                Err(Error::Chain(_)) if self.is_retracted(in_block.block_hash()).await => {
                    // The node will include the transaction in another block.
                    progress!("the block that it was in was retracted; waiting for another one");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            progress!("in block #{} 0x{}", receipt.block_number, hex::encode(receipt.block_hash));
            return Ok(receipt);
        }
        Err(Error::NotIncluded("the node stopped reporting on it".into()).into())
    }

    /// Finds out what happened to a transaction that another one replaced in this node's pool: other nodes may still
    /// have included it, and then it must not be sent again.
    async fn replaced(&self, signed: &Signed, since: u64) -> Result<Refused, Error> {
        progress!("another transaction of this account, with the same nonce, replaced it in the pool");
        let nonce = || self.at_best(async |at| Ok(self.balances(at, self.account()).await?.0));
        let before = nonce().await?;
        // One of the two will be included, which increments the nonce.
        while nonce().await? == before && !self.is_included(signed.encoded(), since).await? {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if self.is_included(signed.encoded(), since).await? {
            let hash = hex(&sp_crypto_hashing::blake2_256(signed.encoded()));
            let message = format!("it was replaced in the node's pool, but another node included it: look for {hash}");
            return Ok(Refused::Other(Error::NotIncluded(message)));
        }
        Ok(Refused::NonceTaken("another transaction of this account replaced it in the pool".into()))
    }

    /// Returns the reason why a node refuses a transaction, with advice if the node gives none.
    async fn refused_by_pool(&self, message: &str, signed: &Signed) -> Error {
        let message = tidy(message);
        if !message.contains("exhaust the block limits") {
            return Error::NotIncluded(message);
        }
        let weights =
            self.at_best(async |at| Ok((self.weight_of(at, signed.encoded()).await?, self.extrinsic_limit(at)?)));
        Error::NotIncluded(match weights.await {
            Ok((weight, limit)) => too_heavy(&message, weight, limit),
            Err(_) => message,
        })
    }

    /// Maps the signer's account if necessary and allowed.
    ///
    /// # Errors
    ///
    /// If it is not allowed or fails.
    pub async fn ensure_mapped(&self) -> Result<(), Error> {
        if self.at_best(async |at| self.is_mapped(at, self.account()).await).await? {
            return Ok(());
        }
        let account = format!("0x{}", hex::encode(self.account()));
        if !self.may_map {
            return Err(Error::Unmapped(account));
        }
        progress!("mapping the account {account} to its address, which it needs to deal with contracts");
        let receipt = self.submit("map_account", ()).await?;
        match receipt.error {
            // The block was retracted while it was read, and another block then included the transaction.
            Some(error) if error.name == format!("{}::AccountAlreadyMapped", self.pallet) => Ok(()),
            Some(error) => Err(Error::NotIncluded(format!("map_account failed with {}: {}", error.name, error.docs))),
            None => Ok(()),
        }
    }
}

impl Receipt {
    /// Separates events that every transaction has from the others.
    fn take(&mut self, metadata: &Metadata, event: Event) {
        match (event.pallet.as_str(), event.name.as_str()) {
            ("System", "ExtrinsicSuccess") => self.gas_used = weight(&event),
            ("System", "ExtrinsicFailed") => {
                self.gas_used = weight(&event);
                let error = event.field("dispatch_error").map(|error| name_error(metadata, error));
                self.error = Some(error.unwrap_or_else(|| NamedError { name: "unknown".into(), docs: String::new() }));
            }
            ("TransactionPayment", "TransactionFeePaid") => {
                self.fee = event.field("actual_fee").and_then(|fee| fee.as_u128());
            }
            _ => self.events.push(event),
        }
    }

    /// Returns the last event of a pallet with this name.
    pub fn last_event(&self, pallet: &str, name: &str) -> Option<&Event> {
        self.events.iter().rfind(|event| event.pallet == pallet && event.name == name)
    }
}

/// Reads the result of a transaction in a block.
async fn receipt(
    in_block: &TransactionInBlock<PolkadotConfig, OnlineClientAtBlockImpl<PolkadotConfig>>,
) -> Result<Receipt, Error> {
    let events = in_block.fetch_events().await.map_err(chain)?;
    let at = in_block.at().await.map_err(chain)?;
    let mut receipt = Receipt {
        block_number: at.block_number(),
        block_hash: in_block.block_hash().0,
        extrinsic: in_block.extrinsic_hash().0,
        gas_used: None,
        fee: None,
        events: Vec::new(),
        error: None,
    };
    for event in events.iter() {
        let event = event.map_err(chain)?;
        let metadata = at.metadata_ref();
        let event = Event::decode(metadata, event.pallet_name(), event.event_index(), event.field_bytes())?;
        receipt.take(metadata, event);
    }
    Ok(receipt)
}

/// Explains by how much a transaction exceeds the room of a block.
fn too_heavy(message: &str, weight: Weight, limit: Weight) -> String {
    format!(
        "{message}: it takes {}, and a transaction may take {}. Give less --gas, or a smaller program",
        units::weight(weight),
        units::weight(limit)
    )
}

/// Returns the weight in a system event's dispatch info.
fn weight(event: &Event) -> Option<Weight> {
    let info = event.field("dispatch_info")?;
    let weight = info.at("weight");
    let part = |name| weight.at(name).and_then(|part| part.as_u128()).and_then(|part| u64::try_from(part).ok());
    Some(Weight { ref_time: part("ref_time")?, proof_size: part("proof_size")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pallet: &str, name: &str, fields: Vec<(&str, Value<u32>)>) -> Event {
        let named = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Event { pallet: pallet.into(), name: name.into(), fields: Json::Null, decoded: Composite::Named(named) }
    }

    fn number(number: u128) -> Value<u32> {
        Value::u128(number).map_context(|()| 0)
    }

    fn record(named: Vec<(&str, Value<u32>)>) -> Value<u32> {
        let named = named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Value { value: subxt::ext::scale_value::ValueDef::Composite(Composite::Named(named)), context: 0 }
    }

    #[test]
    fn a_weight_is_read_from_the_dispatch_info_and_a_malformed_one_is_none() {
        let info = |name| {
            let weight = record(vec![("ref_time", number(5)), (name, number(6))]);
            event("System", "ExtrinsicSuccess", vec![("dispatch_info", record(vec![("weight", weight)]))])
        };
        assert_eq!(weight(&info("proof_size")), Some(Weight { ref_time: 5, proof_size: 6 }));
        assert_eq!(weight(&info("size")), None);
        assert_eq!(weight(&event("System", "ExtrinsicSuccess", vec![])), None);
        let large = record(vec![("ref_time", number(u128::MAX)), ("proof_size", number(0))]);
        let info = record(vec![("weight", large)]);
        assert_eq!(weight(&event("System", "ExtrinsicSuccess", vec![("dispatch_info", info)])), None);
    }

    #[test]
    fn a_nonce_that_another_transaction_has_is_told_from_other_refusals() {
        for taken in [
            "RPC error: ErrorObject { code: 1010, message: \"Invalid Transaction\", data: \"Transaction is outdated\" }",
            "RPC error: Priority is too low: (1 vs 1): The transaction has too low priority to replace another transaction",
            "RPC error: Transaction Already Imported",
        ] {
            assert!(is_nonce_taken(taken), "{taken}");
        }
        for other in ["Transaction would exhaust the block limits", "Inability to pay some fees", "bad signature"] {
            assert!(!is_nonce_taken(other), "{other}");
        }
    }

    #[test]
    fn a_transaction_that_does_not_fit_a_block_is_told_how_much_does() {
        let weight = Weight { ref_time: 751_000_000_000, proof_size: 4096 };
        let limit = Weight { ref_time: 700_000_000_000, proof_size: u64::MAX };
        let refusal = too_heavy("Transaction would exhaust the block limits", weight, limit);
        assert!(refusal.contains("it takes 751.00 ms (ref_time), 4.0 KiB (proof size)"), "{refusal}");
        assert!(refusal.contains("may take 700.00 ms (ref_time)"), "{refusal}");
        assert!(refusal.contains("less --gas"), "{refusal}");
    }
}
