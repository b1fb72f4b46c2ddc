//! Weight limit of a transaction: the room of a block.
//!
//! Called before a transaction is sent, for its maximum gas limit, and to explain a refusal. All numbers come from the
//! chain.

use crate::{
    api::Weight,
    chain::{AtBlock, Chain, LIFETIME},
    error::{Error, chain},
};
use subxt::{
    PolkadotConfig,
    config::DefaultExtrinsicParamsBuilder,
    dynamic,
    ext::{
        codec::{Compact, Decode},
        scale_decode::DecodeAsType,
        scale_encode::EncodeAsFields,
    },
};

/// Maximum encoded length of a weight in bytes.
const LONGEST_WEIGHT: u64 = 2 * 9;

/// The runtime API that returns a transaction's weight.
const PAYMENT: &str = "TransactionPaymentApi";

/// The parts of the constant `System::BlockWeights` that are used here.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct BlockWeights {
    max_block: Weight,
    per_class: PerClass,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct PerClass {
    normal: Limits,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Limits {
    max_extrinsic: Option<Weight>,
    max_total: Option<Weight>,
}

impl Chain {
    /// Returns the maximum weight of a transaction of the normal class.
    ///
    /// # Errors
    ///
    /// If the chain does not answer.
    pub fn extrinsic_limit(&self, at: &AtBlock) -> Result<Weight, Error> {
        let weights = dynamic::constant::<BlockWeights>("System", "BlockWeights");
        let weights = at.constants().entry(weights).map_err(chain)?;
        let normal = weights.per_class.normal;
        Ok(normal.max_extrinsic.or(normal.max_total).unwrap_or(weights.max_block))
    }

    /// Returns the maximum gas limit of a transaction: the room of a block, minus the rest of the transaction's weight.
    /// The arguments are those with a limit of zero.
    ///
    /// # Errors
    ///
    /// If the chain's answer is unexpected.
    pub async fn room(&self, at: &AtBlock, call: &str, args: impl EncodeAsFields) -> Result<Weight, Error> {
        let limit = self.extrinsic_limit(at)?;
        let payload = dynamic::transaction(self.pallet.clone(), call.to_owned(), args);
        // It is not sent, so the nonce does not matter; its mortality does, as checking an era reads a block's hash.
        let params = DefaultExtrinsicParamsBuilder::<PolkadotConfig>::new().nonce(0).mortal(LIFETIME).build();
        let signed = at.transactions().create_signed(&payload, &self.signer, params).await.map_err(chain)?;
        let besides = self.weight_of(at, signed.encoded()).await?;
        // The chain counts the transaction itself towards its proof size.
        let length = signed.encoded().len() as u64 + LONGEST_WEIGHT;
        Ok(Weight {
            ref_time: limit.ref_time.saturating_sub(besides.ref_time),
            proof_size: limit.proof_size.saturating_sub(besides.proof_size).saturating_sub(length),
        })
    }

    /// Returns the weight of a signed transaction, with everything that is charged before it is dispatched; zero if the
    /// chain lacks the runtime API.
    ///
    /// # Errors
    ///
    /// If the chain's answer is unexpected.
    pub async fn weight_of(&self, at: &AtBlock, signed: &[u8]) -> Result<Weight, Error> {
        if at.metadata_ref().runtime_api_trait_by_name(PAYMENT).is_none() {
            return Ok(Weight::default());
        }
        let args = [signed, &(signed.len() as u32).to_le_bytes()].concat();
        let answer = at.runtime_apis().call_raw(&format!("{PAYMENT}_query_info"), Some(&args)).await.map_err(chain)?;
        // Its class and its fee follow, whose type depends on the chain.
        let decoded = <(Compact<u64>, Compact<u64>)>::decode(&mut answer.as_slice());
        let (Compact(ref_time), Compact(proof_size)) = decoded
            .map_err(|reason| Error::Decode { what: "a transaction's weight".into(), reason: reason.to_string() })?;
        Ok(Weight { ref_time, proof_size })
    }
}
