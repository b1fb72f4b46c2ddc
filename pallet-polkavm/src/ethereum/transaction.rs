//! A transaction as it was signed: decoding, and the checks that need no state.
//!
//! Exposed to untrusted bytes. Called when an extrinsic is checked, and by nodes, which tell their clients the reason of a
//! refusal: the chain has room for a number only ([`TransactionError::code`]).

use crate::limits;
use alloc::vec::Vec;
use alloy_rlp::Header;
use core::fmt;
use sp_core::{H160, H256, U256};
use sp_io::{crypto::secp256k1_ecdsa_recover, hashing::keccak_256};
use sp_runtime::transaction_validity::InvalidTransaction;

/// Room for all that is in a transaction besides its data and its access list.
const ENVELOPE_BYTES: u32 = 256;

/// The longest transaction: the largest program, the longest call data, and a short access list.
pub const MAX_BYTES: u32 = limits::BLOB_BYTES + limits::CALLDATA_BYTES + 16 * ENVELOPE_BYTES;

/// Half the order of secp256k1's group: the largest `s` of a signature (EIP-2), as words of 64 bits, the lowest first.
const HALF_ORDER: [u64; 4] =
    [0xdfe9_2f46_681b_20a0, 0x5d57_6e73_57a4_501d, 0xffff_ffff_ffff_ffff, 0x7fff_ffff_ffff_ffff];

/// The kinds of transactions that this chain takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionKind {
    /// Without a type, with or without a chain's id in its signature (EIP-155).
    Legacy,
    /// With an access list.
    Eip2930,
    /// With an access list and two fees.
    Eip1559,
}

impl TransactionKind {
    /// Its number as clients know it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Legacy => 0,
            Self::Eip2930 => 1,
            Self::Eip1559 => 2,
        }
    }

    /// The byte before its list.
    fn type_byte(self) -> Option<u8> {
        (self != Self::Legacy).then_some(self.number())
    }
}

/// A transaction, and who signed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Its kind.
    pub kind: TransactionKind,
    /// The Keccak-256 hash of its bytes, by which clients know it.
    pub hash: H256,
    /// The address of the key that signed it.
    pub signer: H160,
    /// The chain that it is for; `None` where it is for any.
    pub chain_id: Option<u64>,
    /// The number of transactions that the signer has sent before.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Maximum fee per gas, in the contracts' unit.
    pub max_fee_per_gas: u128,
    /// Maximum priority fee per gas, in the contracts' unit.
    pub max_priority_fee_per_gas: u128,
    /// The receiver; `None` where it makes a contract.
    pub to: Option<H160>,
    /// The value, in the contracts' unit.
    pub value: U256,
    /// The call data; where it makes a contract, the program and then the constructor's data.
    pub data: Vec<u8>,
    /// Addresses with keys in their storage. On this chain they change nothing.
    pub access_list: Vec<(H160, Vec<H256>)>,
    /// The signature's first number.
    pub r: U256,
    /// The signature's second number.
    pub s: U256,
    /// Parity of the signature's y coordinate (`yParity`): true if odd.
    pub is_odd: bool,
}

/// The reason for which a transaction is refused before it is in a block.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TransactionError {
    /// It is longer than a transaction may be.
    TooLong {
        /// Its length in bytes.
        actual: usize,
        /// The limit.
        limit: u32,
    },
    /// It is of a type that this chain doesn't have.
    UnsupportedType {
        /// The type's number.
        number: u8,
    },
    /// It is not the canonical encoding of a transaction.
    Malformed,
    /// It was signed for another chain.
    WrongChain {
        /// The chain's id in the transaction.
        actual: u64,
        /// This chain's.
        expected: u64,
    },
    /// The signature is the other one of two that are both valid (EIP-2).
    HighS,
    /// There is no key whose signature it could be.
    BadSignature,
    /// The priority fee is larger than the whole fee (EIP-1559).
    PriorityFeeAboveMaxFee {
        /// The priority fee.
        priority: u128,
        /// The whole fee.
        max: u128,
    },
    /// The nonce is larger than an account's can be.
    NonceTooLarge {
        /// The nonce.
        nonce: u64,
    },
    /// It offers less for a unit of gas than that costs.
    FeeTooLow {
        /// The fee per gas offered.
        offered: u128,
        /// The price of a unit of gas.
        price: U256,
    },
    /// Its gas does not pay for the extrinsic that it is in.
    GasTooLow {
        /// Its gas limit.
        actual: u64,
        /// The least with which it could be in a block, and do nothing there.
        least: u64,
    },
    /// It has no receiver, and its data does not begin with a program.
    NoProgram,
}

impl TransactionError {
    /// The number that stands for it in [`InvalidTransaction::Custom`]. Never changes.
    pub const fn code(&self) -> u8 {
        match self {
            Self::TooLong { .. } => 1,
            Self::UnsupportedType { .. } => 2,
            Self::Malformed => 3,
            Self::WrongChain { .. } => 4,
            Self::HighS => 5,
            Self::BadSignature => 6,
            Self::PriorityFeeAboveMaxFee { .. } => 7,
            Self::NonceTooLarge { .. } => 8,
            Self::FeeTooLow { .. } => 9,
            Self::GasTooLow { .. } => 10,
            Self::NoProgram => 11,
        }
    }
}

impl From<TransactionError> for InvalidTransaction {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::HighS | TransactionError::BadSignature => Self::BadProof,
            TransactionError::FeeTooLow { .. } => Self::Payment,
            other => Self::Custom(other.code()),
        }
    }
}

// Where Ethereum's nodes have words for an error, clients look for them.
impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { actual, limit } => {
                write!(f, "oversized data: transaction size {actual}, limit {limit} bytes")
            }
            Self::UnsupportedType { number: 3 } => {
                write!(f, "transaction type not supported: 3 (EIP-4844): this chain has no blobs of data")
            }
            Self::UnsupportedType { number: 4 } => {
                write!(f, "transaction type not supported: 4 (EIP-7702): an account has no code here")
            }
            Self::UnsupportedType { number } => write!(f, "transaction type not supported: {number}"),
            Self::Malformed => write!(f, "rlp: the transaction is not in canonical encoding, or ends early or late"),
            Self::WrongChain { actual, expected } => {
                write!(f, "invalid chain id for signer: have {actual} want {expected}")
            }
            Self::HighS => write!(f, "invalid transaction v, r, s values: s is in the upper half (EIP-2)"),
            Self::BadSignature => write!(f, "invalid sender: no key has this signature"),
            Self::PriorityFeeAboveMaxFee { priority, max } => write!(
                f,
                "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas {priority}, maxFeePerGas {max}"
            ),
            Self::NonceTooLarge { nonce } => write!(f, "nonce too high: {nonce}, limit {}", u32::MAX),
            Self::FeeTooLow { offered, price } => {
                write!(f, "max fee per gas less than block base fee: maxFeePerGas {offered}, baseFee {price}")
            }
            Self::GasTooLow { actual, least } => {
                write!(f, "intrinsic gas too low: gas {actual}, minimum needed {least}")
            }
            Self::NoProgram => write!(
                f,
                "the data of a transaction without a receiver has to begin with a PolkaVM program (50 56 4d 00); \
                 resolc makes them of Solidity"
            ),
        }
    }
}

impl core::error::Error for TransactionError {}

impl Transaction {
    /// Decodes a transaction, checks it and finds its signer.
    ///
    /// # Errors
    ///
    /// The first that applies: length, type, encoding, chain id, signature, fees that contradict each other.
    pub fn decode(payload: &[u8], chain_id: u64) -> Result<Self, TransactionError> {
        if payload.len() > MAX_BYTES as usize {
            return Err(TransactionError::TooLong { actual: payload.len(), limit: MAX_BYTES });
        }
        // A list of RLP begins with 0xc0 or more: a legacy transaction. What is below is the type of EIP-2718.
        let (kind, list) = match payload {
            [0xc0..=0xff, ..] => (TransactionKind::Legacy, payload),
            [1, list @ ..] => (TransactionKind::Eip2930, list),
            [2, list @ ..] => (TransactionKind::Eip1559, list),
            [number @ 0..0x80, ..] => return Err(TransactionError::UnsupportedType { number: *number }),
            _ => return Err(TransactionError::Malformed),
        };
        let mut fields = Fields::whole(list).ok_or(TransactionError::Malformed)?;
        let decoded = Decoded::read(kind, &mut fields).ok_or(TransactionError::Malformed)?;
        // Without a chain's id: a legacy transaction from before EIP-155.
        if let Some(actual) = decoded.chain_id
            && actual != chain_id
        {
            return Err(TransactionError::WrongChain { actual, expected: chain_id });
        }
        if decoded.s > U256(HALF_ORDER) {
            return Err(TransactionError::HighS);
        }
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(&decoded.r.to_big_endian());
        signature[32..64].copy_from_slice(&decoded.s.to_big_endian());
        signature[64] = decoded.is_odd.into();
        let key = secp256k1_ecdsa_recover(&signature, &decoded.signed_hash(kind, &fields))
            .map_err(|_| TransactionError::BadSignature)?;
        let (priority, max) = (decoded.max_priority_fee_per_gas, decoded.max_fee_per_gas);
        if priority > max {
            return Err(TransactionError::PriorityFeeAboveMaxFee { priority, max });
        }
        Ok(Self {
            kind,
            hash: H256(keccak_256(payload)),
            signer: H160::from_slice(&keccak_256(&key)[12..]),
            chain_id: decoded.chain_id,
            nonce: decoded.nonce,
            gas_limit: decoded.gas_limit,
            max_fee_per_gas: max,
            max_priority_fee_per_gas: priority,
            to: decoded.to,
            value: decoded.value,
            data: decoded.data.to_vec(),
            access_list: decoded.access_list,
            r: decoded.r,
            s: decoded.s,
            is_odd: decoded.is_odd,
        })
    }

    /// Effective gas price at the base fee `price`.
    pub fn effective_gas_price(&self, price: U256) -> U256 {
        price.saturating_add(self.priority_fee(price))
    }

    /// Effective priority fee per gas at the base fee `price`.
    pub fn priority_fee(&self, price: U256) -> U256 {
        U256::from(self.max_fee_per_gas).saturating_sub(price).min(self.max_priority_fee_per_gas.into())
    }
}

/// The fields as they are written.
struct Decoded<'a> {
    chain_id: Option<u64>,
    nonce: u64,
    max_priority_fee_per_gas: u128,
    max_fee_per_gas: u128,
    gas_limit: u64,
    to: Option<H160>,
    value: U256,
    data: &'a [u8],
    access_list: Vec<(H160, Vec<H256>)>,
    /// The length of the fields up to here, which are the ones that are signed.
    signed_len: usize,
    is_odd: bool,
    r: U256,
    s: U256,
}

impl<'a> Decoded<'a> {
    /// `None` where they are not the fields of a transaction of this kind, or more follows them.
    fn read(kind: TransactionKind, fields: &mut Fields<'a>) -> Option<Self> {
        let chain_id = match kind {
            TransactionKind::Legacy => None,
            TransactionKind::Eip2930 | TransactionKind::Eip1559 => Some(fields.u64()?),
        };
        let nonce = fields.u64()?;
        let max_priority_fee_per_gas = fields.u128()?;
        let max_fee_per_gas = match kind {
            TransactionKind::Eip1559 => fields.u128()?,
            // All of it goes to whoever makes the block.
            TransactionKind::Legacy | TransactionKind::Eip2930 => max_priority_fee_per_gas,
        };
        let gas_limit = fields.u64()?;
        let to = match fields.bytes()? {
            [] => None,
            address => Some(H160(address.try_into().ok()?)),
        };
        let value = fields.integer()?;
        let data = fields.bytes()?;
        let access_list = match kind {
            TransactionKind::Legacy => Vec::new(),
            TransactionKind::Eip2930 | TransactionKind::Eip1559 => fields.access_list()?,
        };
        let signed_len = fields.position();
        let v = fields.u128()?;
        let (chain_id, is_odd) = match (kind, v) {
            (TransactionKind::Legacy, 27 | 28) => (None, v == 28),
            (TransactionKind::Legacy, 35..) => (Some(((v - 35) / 2).try_into().ok()?), v % 2 == 0),
            (TransactionKind::Eip2930 | TransactionKind::Eip1559, 0 | 1) => (chain_id, v == 1),
            _ => return None,
        };
        let (r, s) = (fields.integer()?, fields.integer()?);
        fields.rest.is_empty().then_some(Self {
            chain_id,
            nonce,
            max_priority_fee_per_gas,
            max_fee_per_gas,
            gas_limit,
            to,
            value,
            data,
            access_list,
            signed_len,
            is_odd,
            r,
            s,
        })
    }

    /// The hash that the signature is for.
    fn signed_hash(&self, kind: TransactionKind, fields: &Fields<'_>) -> [u8; 32] {
        let mut signed = fields.all[..self.signed_len].to_vec();
        if let (TransactionKind::Legacy, Some(chain_id)) = (kind, self.chain_id) {
            // EIP-155: in place of a signature stand the chain's id and two zeros.
            alloy_rlp::Encodable::encode(&chain_id, &mut signed);
            signed.extend_from_slice(&[alloy_rlp::EMPTY_STRING_CODE; 2]);
        }
        let mut message = Vec::with_capacity(signed.len() + 10);
        message.extend(kind.type_byte());
        Header { list: true, payload_length: signed.len() }.encode(&mut message);
        message.append(&mut signed);
        keccak_256(&message)
    }
}

/// The fields of a list, one after the other. Every function gives `None` for what is not in canonical encoding, or not
/// what it is asked for.
struct Fields<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of a list that these bytes are, with nothing behind it.
    fn whole(mut bytes: &'a [u8]) -> Option<Self> {
        let all = Header::decode_bytes(&mut bytes, true).ok()?;
        bytes.is_empty().then_some(Self { all, rest: all })
    }

    /// Bytes that were read.
    fn position(&self) -> usize {
        self.all.len() - self.rest.len()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        Header::decode_bytes(&mut self.rest, false).ok()
    }

    fn list(&mut self) -> Option<Self> {
        let all = Header::decode_bytes(&mut self.rest, true).ok()?;
        Some(Self { all, rest: all })
    }

    /// An integer, without leading zeros.
    fn integer(&mut self) -> Option<U256> {
        match self.bytes()? {
            [0, ..] => None,
            bytes => (bytes.len() <= 32).then(|| U256::from_big_endian(bytes)),
        }
    }

    fn u64(&mut self) -> Option<u64> {
        self.integer()?.try_into().ok()
    }

    fn u128(&mut self) -> Option<u128> {
        self.integer()?.try_into().ok()
    }

    /// Addresses with keys in their storage (EIP-2930). On this chain they change nothing.
    fn access_list(&mut self) -> Option<Vec<(H160, Vec<H256>)>> {
        let (mut entries, mut list) = (Vec::new(), self.list()?);
        while !list.rest.is_empty() {
            let mut entry = list.list()?;
            let address = H160(entry.bytes()?.try_into().ok()?);
            let mut keys = entry.list()?;
            let mut storage_keys = Vec::new();
            while !keys.rest.is_empty() {
                storage_keys.push(H256(keys.bytes()?.try_into().ok()?));
            }
            if !entry.rest.is_empty() {
                return None;
            }
            entries.push((address, storage_keys));
        }
        Some(entries)
    }
}
