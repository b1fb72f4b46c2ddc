//! The runtime API for Ethereum's JSON-RPC.
//!
//! Called by nodes, on a state that is thrown away. Views of contracts, code and balances are in
//! [`crate::runtime_api::PolkavmApi`]. As there, types carry their version in their name and never change.

use crate::runtime_api::{CallTraceV1, ContractEventV1, FailureV1, OutputV1};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;
use sp_core::{H160, U256};

/// Parameters of transactions: chain id, gas price, limits.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EthereumTermsV1 {
    /// The chain's EIP-155 id.
    pub chain_id: u64,
    /// The contracts' units in one of the chain's balance.
    pub native_to_eth_ratio: u32,
    /// The price of a unit of gas, in the contracts' unit.
    pub gas_price: U256,
    /// The gas that the weight of a whole block is.
    pub block_gas: u64,
}

/// A transaction to dry-run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EthereumCallV1 {
    /// The sender.
    pub from: H160,
    /// The receiver; `None` where it makes a contract.
    pub to: Option<H160>,
    /// The value, in the contracts' unit.
    pub value: U256,
    /// The gas limit; `None` for as much as there is.
    pub gas: Option<u64>,
    /// The call data; where it makes a contract, the program and then the constructor's data.
    pub data: Vec<u8>,
    /// The length of the extrinsic that the transaction would be in.
    pub length: u32,
}

/// The outcome of a dry run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EthereumExecutionV1 {
    /// Output or failure. A contract that reverted is `Ok` with bit 0 of its flags set.
    pub result: Result<OutputV1, FailureV1>,
    /// The address of the contract that was made.
    pub contract: Option<H160>,
    /// The gas that is paid for.
    pub gas_used: u64,
    /// The gas with which the same transaction passes, if it does not look at its own gas: where to begin a search.
    pub gas_required: u64,
    /// The events the contracts emitted, in order.
    pub events: Vec<ContractEventV1>,
}

/// A dry run with its call trace.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EthereumTraceV1 {
    /// The outcome.
    pub execution: EthereumExecutionV1,
    /// The first call. `None` if it did not start.
    pub trace: Option<CallTraceV1>,
    /// Picoseconds of `ref_time` in a unit of gas.
    pub ref_time_per_gas: u64,
}

sp_api::decl_runtime_apis! {
    /// Runtime API behind the node's Ethereum JSON-RPC.
    pub trait EthereumApi {
        /// Returns the parameters that a client needs to sign a transaction.
        fn terms() -> EthereumTermsV1;

        /// The number of transactions that an address has sent; of a contract, those of contracts that it has made.
        fn nonce(address: H160) -> u64;

        /// Dry-runs a transaction, with the limits that it would have in a block.
        fn dry_run(call: EthereumCallV1) -> EthereumExecutionV1;

        /// As `dry_run`, with a call trace.
        fn trace(call: EthereumCallV1) -> EthereumTraceV1;
    }
}
