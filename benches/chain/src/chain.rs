//! A chain with one account, in memory: its wasm runtime, its state, and transactions signed by the account.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use codec::{Decode as _, Encode};
use executor::{BackendChoice, Flags, PolkaVm};
use frame_support::weights::Weight;
use pvm_host_interface::PolkavmExt;
use sc_executor::WasmExecutor;
use sp_core::{
    H160, H256,
    traits::{CallContext, CodeExecutor as _, RuntimeCode, WrappedRuntimeCode},
};
use sp_keyring::Sr25519Keyring::Alice;
use sp_runtime::{BuildStorage as _, generic::Era, traits::BlakeTwo256};
use sp_state_machine::TestExternalities;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Host functions of the node.
type HostFunctions = (sp_io::SubstrateHostFunctions, pvm_host_interface::HostFunctions);

/// The pallet and backend that run contracts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChainKind {
    /// Our pallet; the node compiles.
    OursJit,
    /// Our pallet; the node interprets.
    OursNodeInterpreter,
    /// Our pallet; the runtime interprets.
    OursInRuntime,
    /// The peer.
    Revive,
}

impl ChainKind {
    /// The name of the table column.
    pub fn name(self) -> &'static str {
        match self {
            ChainKind::OursJit => "ours, jit",
            ChainKind::OursNodeInterpreter => "ours, node interprets",
            ChainKind::OursInRuntime => "ours, in-runtime",
            ChainKind::Revive => "pallet-revive",
        }
    }

    fn wasm(self) -> Result<&'static [u8]> {
        match self {
            ChainKind::OursJit | ChainKind::OursNodeInterpreter => runtime::WASM_BINARY,
            ChainKind::OursInRuntime => runtime::predecessor::WASM_BINARY,
            ChainKind::Revive => revive_runtime::WASM_BINARY,
        }
        .context("the runtimes were built without wasm (SKIP_WASM_BUILD was set)")
    }
}

/// Weight limit of a call: close to the largest that fits into a block with its overhead.
const LIMIT: Weight = Weight::from_parts(500_000_000_000, 5_000_000);
/// Storage deposit limit of a call.
const DEPOSIT: u128 = u128::MAX / 8;

/// Content of a transaction.
enum Call<'a> {
    Remark,
    MapAccount,
    Deploy { code: &'a [u8], data: &'a [u8] },
    Contract { address: H160, data: &'a [u8] },
}

/// Defines a module that builds the genesis of a runtime and signs its transactions. Both pallets have the same calls,
/// but name the arguments differently.
macro_rules! transactions {
    ($module:ident, $runtime:ident, $contracts:ident) => {
        mod $module {
            use super::*;
            use $runtime::{Runtime, RuntimeCall};

            type Contracts = $contracts::Call<Runtime>;

            pub fn genesis() -> Result<sp_core::storage::Storage> {
                let balances = vec![(Alice.to_account_id(), u128::MAX / 4)];
                let balances = pallet_balances::GenesisConfig::<Runtime> { balances, ..Default::default() };
                let config = $runtime::RuntimeGenesisConfig { balances, ..Default::default() };
                config.build_storage().map_err(|error| anyhow!("no genesis: {error}"))
            }

            /// Signs a call with the account's key, for this version of the runtime.
            pub fn sign(call: Call<'_>, nonce: u32, spec_version: u32) -> Vec<u8> {
                let call: RuntimeCall = match call {
                    Call::Remark => frame_system::Call::remark { remark: Vec::new() }.into(),
                    Call::MapAccount => Contracts::new_call_variant_map_account().into(),
                    Call::Deploy { code, data } => Contracts::new_call_variant_instantiate_with_code(
                        0,
                        LIMIT,
                        DEPOSIT,
                        code.to_vec(),
                        data.to_vec(),
                        Some(SALT),
                    )
                    .into(),
                    Call::Contract { address, data } => {
                        Contracts::new_call_variant_call(address, 0, LIMIT, DEPOSIT, data.to_vec()).into()
                    }
                };
                let extension: $runtime::TxExtension = (
                    frame_system::AuthorizeCall::new(),
                    frame_system::CheckNonZeroSender::new(),
                    frame_system::CheckSpecVersion::new(),
                    frame_system::CheckTxVersion::new(),
                    frame_system::CheckGenesis::new(),
                    frame_system::CheckEra::from(Era::Immortal),
                    frame_system::CheckNonce::from(nonce),
                    frame_system::CheckWeight::new(),
                    pallet_transaction_payment::ChargeTransactionPayment::from(0),
                    frame_system::WeightReclaim::new(),
                );
                let version = $runtime::VERSION.transaction_version;
                let implicit = ((), (), spec_version, version, GENESIS, GENESIS, (), (), (), ());
                let signature = (&call, &extension, &implicit).using_encoded(|payload| match payload.len() {
                    // Signed payloads of more than 256 bytes are hashed first.
                    0..=256 => Alice.sign(payload),
                    _ => Alice.sign(&sp_crypto_hashing::blake2_256(payload)),
                });
                let account = Alice.to_account_id().into();
                $runtime::UncheckedExtrinsic::new_signed(call, account, signature.into(), extension).encode()
            }
        }
    };
}

transactions!(ours, runtime, pallet_polkavm);
transactions!(revive, revive_runtime, pallet_revive);

/// Parent hash of the first block, which is the hash of the genesis.
const GENESIS: H256 = H256::zero();
/// The salt of all contracts: their addresses then depend on code and data alone.
const SALT: [u8; 32] = [0; 32];

/// A chain.
pub struct Chain {
    kind: ChainKind,
    wasm: &'static [u8],
    hash: Vec<u8>,
    executor: WasmExecutor<HostFunctions>,
    state: TestExternalities<BlakeTwo256>,
    spec_version: u32,
    block: u32,
    nonce: u32,
    contracts: HashMap<&'static str, H160>,
}

impl Chain {
    /// Starts a chain and maps the account to its Ethereum address.
    pub fn new(kind: ChainKind) -> Result<Chain> {
        let wasm = kind.wasm()?;
        let storage = if kind == ChainKind::Revive { revive::genesis()? } else { ours::genesis()? };
        let mut state = TestExternalities::new_with_code(wasm, storage);
        let backend = match kind {
            ChainKind::OursJit => BackendChoice::Jit,
            _ => BackendChoice::Interpreter,
        };
        let polkavm = PolkaVm::new(&Flags { backend, ..Flags::default() }, None)?;
        state.register_extension(PolkavmExt::new(polkavm.session()));
        let spec_version = match kind {
            ChainKind::Revive => revive_runtime::VERSION.spec_version,
            ChainKind::OursInRuntime => runtime::VERSION.spec_version - 1,
            _ => runtime::VERSION.spec_version,
        };
        let mut chain = Chain {
            kind,
            wasm,
            hash: sp_crypto_hashing::blake2_256(wasm).to_vec(),
            executor: WasmExecutor::builder().build(),
            state,
            spec_version,
            block: 0,
            nonce: 0,
            contracts: HashMap::new(),
        };
        chain.begin_block()?;
        let map = chain.sign(Call::MapAccount);
        chain.apply(&map)?;
        Ok(chain)
    }

    /// Instantiates a contract and registers it under a name.
    pub fn deploy(&mut self, name: &'static str, code: &[u8], data: &[u8]) -> Result<()> {
        self.begin_block()?;
        let transaction = self.sign(Call::Deploy { code, data });
        self.apply(&transaction).with_context(|| format!("{} does not take {name}", self.kind.name()))?;
        let account = sp_crypto_hashing::keccak_256(&Alice.to_raw_public());
        let deployer = H160::from_slice(&account[12..]);
        self.contracts.insert(name, pallet_polkavm::address::create2(&deployer, code, data, &SALT));
        self.state.commit_all().map_err(|error| anyhow!("the state is not kept: {error}"))
    }

    /// Applies `calls` transactions, `in_block` of them per block, that all call a contract with this data, or none;
    /// returns the time that it took.
    pub fn measure(&mut self, contract: Option<&str>, data: &[u8], calls: usize, in_block: usize) -> Result<Duration> {
        let address = match contract {
            Some(name) => Some(*self.contracts.get(name).with_context(|| format!("there is no {name}"))?),
            None => None,
        };
        let first = self.nonce;
        let transactions: Vec<Vec<u8>> = (0..calls)
            .map(|_| match address {
                Some(address) => self.sign(Call::Contract { address, data }),
                None => self.sign(Call::Remark),
            })
            .collect();
        self.nonce = first;
        let mut took = Duration::ZERO;
        for block in transactions.chunks(in_block) {
            self.begin_block()?;
            for transaction in block {
                took += self.apply(transaction)?;
            }
        }
        self.state.commit_all().map_err(|error| anyhow!("the state is not kept: {error}"))?;
        Ok(took)
    }

    /// Signs a transaction with the account's nonce, and increments the nonce.
    fn sign(&mut self, call: Call<'_>) -> Vec<u8> {
        let sign = if self.kind == ChainKind::Revive { revive::sign } else { ours::sign };
        let transaction = sign(call, self.nonce, self.spec_version);
        self.nonce += 1;
        transaction
    }

    fn begin_block(&mut self) -> Result<()> {
        self.block += 1;
        let header = sp_runtime::generic::Header::<u32, BlakeTwo256> {
            parent_hash: GENESIS,
            number: self.block,
            state_root: H256::zero(),
            extrinsics_root: H256::zero(),
            digest: Default::default(),
        };
        self.call("Core_initialize_block", &header.encode()).map(drop)
    }

    /// Applies a transaction; returns the time that it took.
    fn apply(&mut self, transaction: &[u8]) -> Result<Duration> {
        let started = Instant::now();
        let result = self.call("BlockBuilder_apply_extrinsic", transaction)?;
        let took = started.elapsed();
        // The nonce has been incremented even if the dispatch failed, but not if the transaction was invalid.
        self.nonce = self.account_nonce()?;
        match sp_runtime::ApplyExtrinsicResult::decode(&mut &result[..]).context("no result of a transaction")? {
            Ok(Ok(())) => Ok(took),
            Ok(Err(error)) => bail!("{}: a transaction fails: {error:?}", self.kind.name()),
            Err(error) => bail!("{}: a transaction is not taken: {error:?}", self.kind.name()),
        }
    }

    fn account_nonce(&mut self) -> Result<u32> {
        let account = Alice.to_raw_public();
        let prefix = [sp_crypto_hashing::twox_128(b"System"), sp_crypto_hashing::twox_128(b"Account")].concat();
        let key = [&prefix[..], &sp_crypto_hashing::blake2_128(&account), &account].concat();
        let value = sp_core::traits::Externalities::storage(&mut self.state.ext(), &key).context("no account")?;
        ensure!(value.len() >= 4, "an account of {} bytes", value.len());
        Ok(u32::decode(&mut &value[..])?)
    }

    fn call(&mut self, function: &str, data: &[u8]) -> Result<Vec<u8>> {
        let fetcher = WrappedRuntimeCode(self.wasm.into());
        let code = RuntimeCode { code_fetcher: &fetcher, heap_pages: None, hash: self.hash.clone() };
        let context = CallContext::Onchain { import: false };
        let (result, _) = self.executor.call(&mut self.state.ext(), &code, function, data, context);
        result.map_err(|error| anyhow!("{}: {function}: {error}", self.kind.name()))
    }
}
