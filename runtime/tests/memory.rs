//! Memory of the wasm runtime that interprets contracts itself: a block of the maximum length whose last transaction has
//! the deepest call stack, of the largest contracts in the worst order.
//!
//! The contracts have the shapes that take most memory in `vm-core/tests/allocator.rs`. Each first calls a contract that
//! returns as many bytes as it can, so that return data is held as well, and then the next one.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use codec::{Decode as _, Encode};
use frame_support::weights::Weight;
use pallet_polkavm::ethereum::EthereumRuntime as _;
use pallet_polkavm::limits::{CALL_DEPTH, CALLDATA_BYTES};
use pallet_polkavm::runtime_api::{CodeV1, ExecutionV2, InstantiatedV1};
use runtime::configs::Ethereum;
use runtime::constants::SLOT_DURATION;
use runtime::{
    AccountId, AuraConfig, Balance, BalancesConfig, Header, Runtime, RuntimeCall, RuntimeGenesisConfig, SignedPayload,
    TimestampCall, UncheckedExtrinsic, VERSION, predecessor,
};
use sc_executor::WasmExecutor;
use sp_consensus_aura::{AURA_ENGINE_ID, Slot};
use sp_core::H160;
use sp_core::traits::{CallContext, CodeExecutor as _, Externalities as _, RuntimeCode, WrappedRuntimeCode};
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring::Alice;
use sp_runtime::generic::{Digest, DigestItem};
use sp_runtime::{ApplyExtrinsicResult, BuildStorage as _};
use std::fmt::Write as _;

/// The default heap of the executor.
const HEAP: u64 = 128 * 1024 * 1024;
const WASM_PAGE: u64 = 64 * 1024;

/// Start of data, where there is no read-only data.
const DATA: u32 = 0x2_0000;

/// A contract with as much memory and data, that touches pages of its data in this order (from, step), and all of its
/// stack.
struct Shape {
    instructions: usize,
    rw_kib: u32,
    stack_kib: u32,
    ro_data: usize,
    rw_data: usize,
    touched: &'static [(u32, u32)],
}

const SHAPES: [Shape; 3] = [
    Shape { instructions: 0, rw_kib: 1320, stack_kib: 180, ro_data: 0, rw_data: 970 << 10, touched: &[(1, 2), (0, 2)] },
    Shape {
        instructions: 126_000,
        rw_kib: 1024,
        stack_kib: 12,
        ro_data: 0,
        rw_data: 552 << 10,
        touched: &[(1, 2), (0, 2)],
    },
    Shape {
        instructions: 0,
        rw_kib: 1060,
        stack_kib: 236,
        ro_data: 225 << 10,
        rw_data: 628 << 10,
        touched: &[(100, 1), (0, 1)],
    },
];

/// A contract that returns as much as it can, and is small otherwise.
const ECHO: Shape = Shape { instructions: 0, rw_kib: 160, stack_kib: 4, ro_data: 0, rw_data: 128, touched: &[] };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x} ");
        text
    })
}

/// Assembles a contract that calls `echo` and then `next`, unless it is the innermost one.
fn contract(shape: &Shape, calls: Option<[H160; 2]>) -> Vec<u8> {
    let base = DATA + (shape.ro_data as u32).next_multiple_of(0x1_0000);
    let buffer = base + 4096;
    let mut data = vec![1; shape.rw_data];
    // The value that calls transfer.
    data[64..96].fill(0);
    let mut body = String::new();
    let mut count = 0;
    let mut op = |text: &str| {
        let _ = writeln!(body, " {text}");
        count += 1;
        if count % 900 == 0 {
            let _ = writeln!(body, " fallthrough");
        }
        count
    };
    for (from, step) in shape.touched {
        for page in (*from..shape.rw_kib / 4).step_by(*step as usize) {
            op(&format!("store_u8 a0, {:#x}", base + page * 4096 + 128));
        }
    }
    for page in 1..=shape.stack_kib / 4 {
        op(&format!("store_indirect_u8 a0, sp, -{}", page * 4096));
    }
    while op("add_64 a0, a1, a2") < shape.instructions {}
    for (index, address) in calls.into_iter().flatten().enumerate() {
        data[32 * index..32 * index + 20].copy_from_slice(address.as_bytes());
        for text in [
            "load_imm a0, 0".into(),
            format!("load_imm a1, {:#x}", base + 32 * index as u32),
            format!("load_imm a2, {:#x}", base + 64),
            "load_imm a3, -1".into(),
            format!("load_imm64 a4, {:#x}", u64::from(CALLDATA_BYTES) << 32 | u64::from(buffer)),
            "load_imm64 a5, 0xffffffff".into(),
            "ecalli 0".into(),
            "branch_not_eq_imm a0, 0, failed".into(),
        ] {
            op(&text);
        }
    }
    let (ro, rw) = (vec![3; shape.ro_data], data);
    let ro = if ro.is_empty() { String::new() } else { format!(".ro_size {}\n.ro_data {}\n", ro.len(), hex(&ro)) };
    let text = format!(
        ".isa ReviveV1\n{ro}.rw_size {}\n.rw_data {}\n.stack_size {}\n.import \"call_evm\"\n.import \"seal_return\"\n\
         .export \"deploy\" deploy\n.export \"call\" call\ndeploy:\n jump_indirect ra, 0\nfailed:\n trap\ncall:\n{body}\
         \n load_imm a0, 0\n load_imm a1, {buffer:#x}\n load_imm a2, {CALLDATA_BYTES}\n ecalli 1\n trap\n",
        shape.rw_kib * 1024,
        hex(&rw),
        shape.stack_kib * 1024,
    );
    vm_core::text::assemble(&text).unwrap()
}

/// A chain with one account.
struct Chain {
    state: TestExternalities,
    executor: WasmExecutor<sp_io::SubstrateHostFunctions>,
    hash: Vec<u8>,
}

impl Chain {
    fn new() -> Chain {
        let balances =
            BalancesConfig { balances: vec![(Alice.to_account_id(), Balance::MAX / 4)], ..Default::default() };
        let aura = AuraConfig { authorities: vec![Alice.public().into()] };
        let storage = RuntimeGenesisConfig { balances, aura, ..Default::default() }.build_storage().unwrap();
        let wasm = wasm();
        Chain {
            state: TestExternalities::new_with_code(wasm, storage),
            executor: WasmExecutor::builder().build(),
            hash: sp_crypto_hashing::blake2_256(wasm).to_vec(),
        }
    }

    /// Calls a function of the runtime, which gets a heap of this many bytes.
    fn call(&mut self, heap: u64, function: &str, data: &[u8]) -> Result<Vec<u8>, String> {
        let fetcher = WrappedRuntimeCode(wasm().into());
        let code = RuntimeCode { code_fetcher: &fetcher, heap_pages: Some(heap / WASM_PAGE), hash: self.hash.clone() };
        let context = CallContext::Onchain { import: false };
        let (result, _) = self.executor.call(&mut self.state.ext(), &code, function, data, context);
        result.map_err(|error| format!("{function}: {error}"))
    }

    /// Instantiates a contract by a dry run, whose changes stay in this state.
    fn instantiate(&mut self, code: Vec<u8>) -> H160 {
        let limit: Option<Weight> = None;
        let deposit: Option<Balance> = None;
        let salt: Option<[u8; 32]> = None;
        let arguments =
            (Alice.to_account_id(), 0 as Balance, limit, deposit, CodeV1::Upload(code), Vec::<u8>::new(), salt);
        let result = self.call(HEAP, "PolkavmApi_instantiate", &arguments.encode()).unwrap();
        let execution = ExecutionV2::<InstantiatedV1, Balance>::decode(&mut &result[..]).unwrap();
        execution.result.unwrap().address
    }

    /// Applies a transaction of a block that is being built.
    fn apply(&mut self, transaction: &UncheckedExtrinsic) {
        let result = self.call(HEAP, "BlockBuilder_apply_extrinsic", &transaction.encode()).unwrap();
        ApplyExtrinsicResult::decode(&mut &result[..]).unwrap().unwrap().unwrap();
    }

    /// Builds a block of these transactions on this state, which stays as it was.
    fn build(&mut self, transactions: Vec<UncheckedExtrinsic>) -> runtime::Block {
        self.state.ext().storage_start_transaction();
        let digest = Digest { logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, Slot::from(SLOT).encode())] };
        let header = Header {
            parent_hash: Default::default(),
            number: 1,
            state_root: Default::default(),
            extrinsics_root: Default::default(),
            digest,
        };
        self.call(HEAP, "Core_initialize_block", &header.encode()).unwrap();
        let timestamp = UncheckedExtrinsic::new_bare(TimestampCall::set { now: SLOT * SLOT_DURATION }.into());
        let extrinsics: Vec<_> = [timestamp].into_iter().chain(transactions).collect();
        for extrinsic in &extrinsics {
            self.apply(extrinsic);
        }
        let header = self.call(HEAP, "BlockBuilder_finalize_block", &[]).unwrap();
        self.state.ext().storage_rollback_transaction().unwrap();
        runtime::Block { header: Header::decode(&mut &header[..]).unwrap(), extrinsics }
    }

    /// Executes a block with a heap of this many bytes, on this state, which stays as it was.
    fn execute(&mut self, heap: u64, block: &runtime::Block) -> Result<(), String> {
        self.state.ext().storage_start_transaction();
        let result = self.call(heap, "Core_execute_block", &block.encode());
        // A call that traps leaves its own storage layers open.
        while self.state.ext().storage_rollback_transaction().is_ok() {}
        result.map(drop)
    }
}

/// Aura's slot of the block.
const SLOT: u64 = 1_000_000_000;

fn wasm() -> &'static [u8] {
    predecessor::WASM_BINARY.expect("the runtimes were built without wasm (SKIP_WASM_BUILD was set)")
}

fn sign(call: RuntimeCall, nonce: u32) -> UncheckedExtrinsic {
    let extension = Ethereum::extension(nonce, 0);
    let zero = sp_core::H256::zero();
    let implicit = ((), (), VERSION.spec_version - 1, VERSION.transaction_version, zero, zero, (), (), (), ());
    let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
    let signature = payload.using_encoded(|payload| Alice.sign(payload));
    UncheckedExtrinsic::new_signed(call, Alice.to_account_id().into(), signature.into(), extension)
}

#[test]
fn the_deepest_stack_of_the_largest_contracts_fits_into_a_runtime_that_executes_a_full_block() {
    let mut chain = Chain::new();
    chain.state.execute_with(|| {
        let origin: AccountId = Alice.to_account_id();
        pallet_polkavm::Pallet::<Runtime>::map_account(frame_system::RawOrigin::Signed(origin).into()).unwrap();
    });
    let echo = chain.instantiate(contract(&ECHO, None));
    let mut next = None;
    for depth in (0..=CALL_DEPTH as usize).rev() {
        let shape = &SHAPES[usize::from(depth % 3 == 0)];
        next = Some(chain.instantiate(contract(shape, next.map(|next| [echo, next]))));
    }
    chain.state.commit_all().unwrap();

    let nonce = chain.state.execute_with(|| frame_system::Pallet::<Runtime>::account_nonce(Alice.to_account_id()));
    let mut transactions = Vec::new();
    // Sizes that an allocator which rounds up to powers of two takes twice as much for.
    for length in [(1 << 20) + 1, (1 << 20) + 1, (1 << 20) + 1, (1 << 19) + 1] {
        let call = frame_system::Call::<Runtime>::remark { remark: vec![7; length] };
        transactions.push(sign(call.into(), nonce + transactions.len() as u32));
    }
    let call = pallet_polkavm::Call::<Runtime>::call {
        dest: next.unwrap(),
        value: 0,
        gas_limit: Weight::from_parts(630_000_000_000, 100_000_000),
        storage_deposit_limit: Balance::MAX / 8,
        data: vec![7; CALLDATA_BYTES as usize],
    };
    transactions.push(sign(call.into(), nonce + transactions.len() as u32));
    let block = chain.build(transactions);
    // It needs between 100 and 104 MiB: 12 MiB are left for what else a transaction's block may hold, and more.
    let enough = HEAP - (12 << 20);
    chain.execute(enough, &block).unwrap();

    // The test is about something, and the state is as before each execution.
    let error = chain.execute(HEAP / 2, &block).unwrap_err();
    assert!(error.to_lowercase().contains("alloc"), "{error}");
    chain.execute(enough, &block).unwrap();
}
