//! Ethereum's transactions, from their bytes to what they leave on the chain.

use super::puppet::{Script, puppet};
use crate::{
    AddressMapper as _, Call, Config, ContractInfoOf, Error, Event,
    address::create1,
    ethereum::{
        EthereumRuntime, MAX_BYTES, Transaction, TransactionError, TransactionKind, UncheckedExtrinsic,
        api::{EthereumCallV1, EthereumExecutionV1},
        gas_price,
    },
    mock::*,
    types::Deposit,
};
use alloy_rlp::{EMPTY_STRING_CODE, Header};
use codec::{Decode, Encode};
use frame_support::{
    dispatch::{DispatchInfo, GetDispatchInfo},
    traits::{
        Get,
        fungible::{Inspect, Mutate},
    },
};
use hex_literal::hex;
use proptest::prelude::*;
use sp_core::{H160, H256, Pair as _, U256, ecdsa};
use sp_io::hashing::keccak_256;
use sp_runtime::{
    AccountId32, DispatchError, MultiSignature,
    generic::Preamble,
    traits::{Applyable, Checkable},
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction},
};

const CHAIN: u64 = 42;

/// The tests' runtime, with the extensions that matter here.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wallets;

impl EthereumRuntime for Wallets {
    type Config = Test;
    type Extension = (
        frame_system::CheckNonce<Test>,
        frame_system::CheckWeight<Test>,
        pallet_transaction_payment::ChargeTransactionPayment<Test>,
    );

    fn extension(nonce: u32, tip: Balance) -> Self::Extension {
        (
            frame_system::CheckNonce::from(nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(tip),
        )
    }

    fn fee(length: u32, info: &DispatchInfo) -> Balance {
        TransactionPayment::compute_fee(length, info, 0)
    }
}

type Extrinsic = UncheckedExtrinsic<AccountId32, MultiSignature, Wallets>;

/// A key of Ethereum's, with balance on the account of its address.
struct Wallet(ecdsa::Pair);

impl Wallet {
    fn new(seed: u8) -> Self {
        let wallet = Self(ecdsa::Pair::from_seed(&[seed; 32]));
        Balances::set_balance(&wallet.account(), 1_000_000_000_000);
        wallet
    }

    fn address(&self) -> H160 {
        let key = sp_io::crypto::secp256k1_ecdsa_recover(&self.0.sign_prehashed(&[1; 32]).0, &[1; 32]);
        H160::from_slice(&keccak_256(&key.ok().unwrap())[12..])
    }

    fn account(&self) -> AccountId32 {
        ethereum_account(self.address())
    }

    fn sign(&self, sent: Sent) -> Vec<u8> {
        let signature = self.0.sign_prehashed(&keccak_256(&sent.encode(None))).0;
        sent.encode(Some(signature))
    }

    /// Sends a call that has all the gas that it may want.
    fn send(&self, to: Option<H160>, value: u128, data: Vec<u8>) -> Result<(), DispatchError> {
        let nonce = System::account_nonce(self.account());
        apply(&self.sign(Sent { nonce: nonce.into(), to, value, data, ..transfer() })).unwrap()
    }
}

/// A transaction to be signed.
#[derive(Clone)]
struct Sent {
    kind: TransactionKind,
    chain_id: Option<u64>,
    nonce: u64,
    priority_fee: u128,
    max_fee: u128,
    gas_limit: u64,
    to: Option<H160>,
    value: u128,
    data: Vec<u8>,
}

impl Sent {
    /// With a signature, or what is hashed for one.
    fn encode(&self, signature: Option<[u8; 65]>) -> Vec<u8> {
        let mut fields = Vec::new();
        if let (Some(chain_id), false) = (self.chain_id, self.kind == TransactionKind::Legacy) {
            rlp(&chain_id, &mut fields);
        }
        rlp(&self.nonce, &mut fields);
        if self.kind == TransactionKind::Eip1559 {
            rlp(&self.priority_fee, &mut fields);
        }
        rlp(&self.max_fee, &mut fields);
        rlp(&self.gas_limit, &mut fields);
        rlp(self.to.as_ref().map_or(&[][..], |to| &to.0), &mut fields);
        rlp(&self.value, &mut fields);
        rlp(&self.data[..], &mut fields);
        if self.kind != TransactionKind::Legacy {
            Header { list: true, payload_length: 0 }.encode(&mut fields);
        }
        match (signature, self.kind, self.chain_id) {
            (None, TransactionKind::Legacy, Some(chain_id)) => {
                rlp(&chain_id, &mut fields);
                fields.extend([EMPTY_STRING_CODE; 2]);
            }
            (None, ..) => {}
            (Some(signature), kind, chain_id) => {
                let v = match (kind, chain_id) {
                    (TransactionKind::Legacy, None) => 27,
                    (TransactionKind::Legacy, Some(chain_id)) => 35 + 2 * chain_id,
                    _ => 0,
                };
                rlp(&(v + u64::from(signature[64])), &mut fields);
                for part in signature[..64].chunks(32) {
                    let start = part.iter().position(|byte| *byte != 0).unwrap_or(32);
                    rlp(&part[start..], &mut fields);
                }
            }
        }
        let mut out = Vec::new();
        if self.kind != TransactionKind::Legacy {
            out.push(self.kind.number());
        }
        Header { list: true, payload_length: fields.len() }.encode(&mut out);
        [out, fields].concat()
    }
}

fn rlp(item: &(impl alloy_rlp::Encodable + ?Sized), out: &mut Vec<u8>) {
    item.encode(out);
}

const RECEIVER: H160 = H160([7; 20]);

fn price() -> u128 {
    gas_price::<Wallets>().as_u128()
}

/// A transfer, at the price that the chain asks for.
fn transfer() -> Sent {
    Sent {
        kind: TransactionKind::Eip1559,
        chain_id: Some(CHAIN),
        nonce: 0,
        priority_fee: 0,
        max_fee: price(),
        gas_limit: 1_000_000,
        to: Some(RECEIVER),
        value: 700,
        data: Vec::new(),
    }
}

fn legacy(chain_id: Option<u64>) -> Sent {
    Sent { kind: TransactionKind::Legacy, chain_id, ..transfer() }
}

fn extrinsic(payload: &[u8]) -> Extrinsic {
    Extrinsic::new_bare(RuntimeCall::Polkavm(Call::eth_transact { payload: payload.to_vec() }))
}

/// As the pool does.
fn validate(payload: &[u8]) -> Result<ValidTransaction, TransactionValidityError> {
    let extrinsic = extrinsic(payload);
    let length = extrinsic.encoded_size();
    let checked = extrinsic.check(&frame_system::ChainContext::<Test>::default())?;
    let info = checked.get_dispatch_info();
    unchanged(|| checked.validate::<Test>(TransactionSource::External, &info, length))
}

/// As a block does. The outer error is one with which the transaction is not in a block.
fn apply(payload: &[u8]) -> Result<Result<(), DispatchError>, TransactionValidityError> {
    let extrinsic = extrinsic(payload);
    let length = extrinsic.encoded_size();
    let checked = extrinsic.check(&frame_system::ChainContext::<Test>::default())?;
    let info = checked.get_dispatch_info();
    let applied = checked.apply::<Test>(&info, length)?;
    Ok(applied.map(drop).map_err(|failed| failed.error))
}

/// The reason for a refusal that the pool and the block have in common, and that leaves nothing.
fn refusal(payload: &[u8]) -> InvalidTransaction {
    let refused = |error| match error {
        TransactionValidityError::Invalid(reason) => reason,
        TransactionValidityError::Unknown(unknown) => panic!("{unknown:?}"),
    };
    let pooled = validate(payload).map_err(refused).unwrap_err();
    let included = unchanged(|| apply(payload)).map_err(refused).unwrap_err();
    assert_eq!(pooled, included);
    pooled
}

fn custom(error: &TransactionError) -> InvalidTransaction {
    InvalidTransaction::Custom(error.code())
}

fn balance(address: H160) -> Balance {
    Balances::free_balance(ethereum_account(address))
}

fn dry_run(call: EthereumCallV1) -> EthereumExecutionV1 {
    with_rollback(|| Polkavm::ethereum_dry_run::<Wallets>(call))
}

#[test]
fn a_transaction_of_each_kind_is_signed_by_the_account_of_its_key() {
    run(|| {
        let wallet = Wallet::new(1);
        let transactions = [
            wallet.sign(legacy(Some(CHAIN))),
            wallet.sign(Sent { nonce: 1, ..legacy(None) }),
            wallet.sign(Sent { kind: TransactionKind::Eip2930, nonce: 2, ..transfer() }),
            wallet.sign(Sent { nonce: 3, ..transfer() }),
        ];
        for (index, transaction) in transactions.iter().enumerate() {
            let decoded = Transaction::decode(transaction, CHAIN).unwrap();
            assert_eq!((decoded.signer, decoded.nonce), (wallet.address(), index as u64));
            assert_eq!(decoded.hash.0, keccak_256(transaction));
            validate(transaction).unwrap();
            let before = Balances::free_balance(wallet.account());
            apply(transaction).unwrap().unwrap();
            assert!(Balances::free_balance(wallet.account()) < before - 100, "value and fee");
            assert_eq!(System::account_nonce(wallet.account()), index as u32 + 1);
        }
        assert_eq!(balance(RECEIVER), 4 * 100 + ED);
    });
}

/// Signed with ethers 6.17 by the key of 32 bytes of 1.
#[test]
fn what_ethers_signs_is_understood() {
    let vectors = [
        (
            TransactionKind::Legacy,
            None,
            &hex!(
                "f866098202bc830f42409407070707070707070707070707070707070707078202bc8212341ba0808123b1de7c4498948724b27ba7cf2bd6ffc35a7ac8f2b193cc9591ebc6ad5fa0077a3265ad36c39f01a75903c5f21a4bbdb2272a682631fcdce3c90541242356"
            )[..],
            hex!("2d4810fb235e3bceb287801f274838a9ab865fd3f0aa3f5ca2b78a4cba027e13"),
        ),
        (
            TransactionKind::Legacy,
            Some(CHAIN),
            &hex!(
                "f866098202bc830f42409407070707070707070707070707070707070707078202bc82123477a0221a4220f2f5781ee340a630e1f67278a5778b989f10dcc3f309a4733469c88da04a6a4c2492919c0b3ef176516f7161fa7d0eee32cd99c90e8235020ebb95b589"
            )[..],
            hex!("45f40b38d7c3ad646ed67f56845263b20c0cf6695fdceaee79d67cb10e5e716d"),
        ),
        (
            TransactionKind::Eip2930,
            Some(CHAIN),
            &hex!(
                "01f8c42a098202bc830f42409407070707070707070707070707070707070707078202bc821234f85bf859941111111111111111111111111111111111111111f842a02222222222222222222222222222222222222222222222222222222222222222a0333333333333333333333333333333333333333333333333333333333333333380a024a8479188d18e2ff68a73e7d5cdf5a79935d5691bd42fa692422cff1611b576a04f1231373b64b483125eb70bbe72fc09ae0552db37a0483bfbd7b251430d34ae"
            )[..],
            hex!("0fb4db20192b27f2f9748ffce4f34e69ef13d631be816ff7a0ccea69f0c66a0b"),
        ),
        (
            TransactionKind::Eip1559,
            Some(CHAIN),
            &hex!(
                "02f8c52a090e820578830f42409407070707070707070707070707070707070707078202bc821234f85bf859941111111111111111111111111111111111111111f842a02222222222222222222222222222222222222222222222222222222222222222a0333333333333333333333333333333333333333333333333333333333333333380a0ecf8eaac5652b9437a0eba3401be7e85c53356da8c58483946d00e9c0e6350b0a036c7ae3c17f82eecf54310f24dc09c009bb27a78d74e7a9891f615361f1d9534"
            )[..],
            hex!("e73a7381e67ef160248ba08b8994c178c69b9654a9dffafe81d2f96f0d0327dd"),
        ),
    ];
    for (kind, chain_id, bytes, hash) in vectors {
        let decoded = Transaction::decode(bytes, CHAIN).unwrap();
        assert_eq!((decoded.kind, decoded.chain_id, decoded.hash.0), (kind, chain_id, hash));
        assert_eq!(decoded.signer.0, hex!("1a642f0e3c3af545e7acbd38b07251b3990914f1"));
        assert_eq!((decoded.nonce, decoded.gas_limit, decoded.value), (9, 1_000_000, 700.into()));
        assert_eq!((decoded.to, &decoded.data[..]), (Some(RECEIVER), &[0x12, 0x34][..]));
        let fees = if kind == TransactionKind::Eip1559 { (1400, 14) } else { (700, 700) };
        assert_eq!((decoded.max_fee_per_gas, decoded.max_priority_fee_per_gas), fees);
        let list = vec![(H160([0x11; 20]), vec![H256([0x22; 32]), H256([0x33; 32])])];
        assert_eq!(decoded.access_list, if kind == TransactionKind::Legacy { vec![] } else { list });
    }
}

#[test]
fn a_transaction_can_be_sent_once() {
    run(|| {
        let wallet = Wallet::new(1);
        let transaction = wallet.sign(transfer());
        apply(&transaction).unwrap().unwrap();
        assert_eq!(refusal(&transaction), InvalidTransaction::Stale);
    });
}

#[test]
fn a_nonce_of_the_future_waits_for_those_before_it() {
    run(|| {
        let wallet = Wallet::new(1);
        let later = wallet.sign(Sent { nonce: 5, ..transfer() });
        let valid = validate(&later).unwrap();
        assert_eq!(valid.requires, vec![Encode::encode(&(wallet.account(), 4_u32))]);
        assert_eq!(valid.provides, vec![Encode::encode(&(wallet.account(), 5_u32))]);
        assert_eq!(unchanged(|| apply(&later)).unwrap_err(), InvalidTransaction::Future.into());
        let nonce = u64::from(u32::MAX) + 1;
        let too_large = wallet.sign(Sent { nonce, ..transfer() });
        assert_eq!(refusal(&too_large), custom(&TransactionError::NonceTooLarge { nonce }));
    });
}

#[test]
fn a_transaction_for_another_chain_is_refused() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let wrong = TransactionError::WrongChain { actual: 1, expected: CHAIN };
        assert_eq!(refusal(&wallet.sign(Sent { chain_id: Some(1), ..transfer() })), custom(&wrong));
        assert_eq!(refusal(&wallet.sign(legacy(Some(1)))), custom(&wrong));
    });
}

#[test]
fn a_signature_has_one_form_only() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let mut signature = wallet.0.sign_prehashed(&keccak_256(&transfer().encode(None))).0;
        assert!(Transaction::decode(&transfer().encode(Some(signature)), CHAIN).is_ok());
        // The order of secp256k1's group, less s; and the other of the two points.
        let order = hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        let other = U256::from_big_endian(&order) - U256::from_big_endian(&signature[32..64]);
        signature[32..64].copy_from_slice(&other.to_big_endian());
        signature[64] ^= 1;
        let other = transfer().encode(Some(signature));
        assert_eq!(Transaction::decode(&other, CHAIN), Err(TransactionError::HighS));
        assert_eq!(refusal(&other), InvalidTransaction::BadProof);
        for zero in [0..32, 32..64, 0..64] {
            let mut signature = [1; 65];
            signature[zero].fill(0);
            let nothing = transfer().encode(Some(signature));
            assert_eq!(Transaction::decode(&nothing, CHAIN), Err(TransactionError::BadSignature));
            assert_eq!(refusal(&nothing), InvalidTransaction::BadProof);
        }
    });
}

#[test]
fn whoever_offers_too_little_is_refused() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let cheap = Sent { max_fee: price() - 1, ..transfer() };
        assert_eq!(refusal(&wallet.sign(cheap)), InvalidTransaction::Payment);
        let upside_down = Sent { max_fee: price(), priority_fee: price() + 1, ..transfer() };
        let error = TransactionError::PriorityFeeAboveMaxFee { priority: price() + 1, max: price() };
        assert_eq!(refusal(&wallet.sign(upside_down)), custom(&error));

        let error = Transaction::decode(&wallet.sign(transfer()), CHAIN).map(drop);
        assert_eq!(error, Ok(()));
        let refused = refusal(&wallet.sign(Sent { gas_limit: 100, ..transfer() }));
        assert_eq!(refused, custom(&TransactionError::GasTooLow { actual: 100, least: 0 }));
        // The least gas is enough to be in a block, and for nothing more.
        let short = dry_run(EthereumCallV1 { gas: Some(100), ..question(&wallet, Some(RECEIVER), vec![]) });
        assert!(short.result.unwrap_err().detail.contains("intrinsic gas too low"));
        let to = Some(deploy(puppet()));
        let least = wallet.sign(Sent { gas_limit: short.gas_required, to, value: 0, ..transfer() });
        assert_eq!(apply(&least).unwrap(), Err(Error::<Test>::OutOfGas.into()));

        // The sender has less than the fee.
        let poor = Wallet::new(2);
        Balances::set_balance(&poor.account(), ED + 1_000);
        assert_eq!(refusal(&poor.sign(transfer())), InvalidTransaction::Payment);
        Balances::set_balance(&poor.account(), 0);
        assert_eq!(refusal(&poor.sign(transfer())), InvalidTransaction::Payment);
    });
}

/// A dry run of a call without a value.
fn question(wallet: &Wallet, to: Option<H160>, data: Vec<u8>) -> EthereumCallV1 {
    let length = data.len() as u32 + 256;
    EthereumCallV1 { from: wallet.address(), to, value: U256::zero(), gas: None, data, length }
}

#[test]
fn what_is_not_a_transaction_is_refused() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let malformed = custom(&TransactionError::Malformed);
        for whole in [wallet.sign(transfer()), wallet.sign(legacy(Some(CHAIN)))] {
            for length in 0..whole.len() {
                assert_eq!(refusal(&whole[..length]), malformed, "{length} bytes");
            }
            assert_eq!(refusal(&[&whole[..], &[0]].concat()), malformed);
        }
        // A list whose length is written longer than need be.
        let whole = wallet.sign(transfer());
        assert_eq!(whole[1], 0xf8, "a list of 56 to 255 bytes");
        let long = [&[2, 0xf9, 0, whole[2]], &whole[3..]].concat();
        assert_eq!(refusal(&long), malformed);
        for number in [0, 3, 4, 5, 0x7f] {
            let error = TransactionError::UnsupportedType { number };
            assert_eq!(refusal(&[number, 0xc0]), custom(&error));
            assert_eq!(Transaction::decode(&[number], CHAIN), Err(error));
        }
        assert!(TransactionError::UnsupportedType { number: 3 }.to_string().contains("EIP-4844"));
        assert!(TransactionError::UnsupportedType { number: 4 }.to_string().contains("EIP-7702"));
        let long = wallet.sign(Sent { data: vec![1; MAX_BYTES as usize], ..transfer() });
        assert_eq!(refusal(&long), custom(&TransactionError::TooLong { actual: 0, limit: 0 }));
    });
}

#[test]
fn call_data_has_the_limit_of_every_call() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let data = vec![1; crate::limits::CALLDATA_BYTES as usize + 1];
        let long = wallet.sign(Sent { data, gas_limit: 100_000_000, ..transfer() });
        assert_eq!(apply(&long).unwrap(), Err(Error::<Test>::CallDataTooLarge.into()));
    });
}

#[test]
fn a_transaction_without_a_receiver_makes_a_contract() {
    run(|| {
        let wallet = Wallet::new(1);
        let mut constructor = Script::new();
        constructor.store(1, 1);
        let data = [puppet(), constructor.encode()].concat();
        wallet.send(None, 0, data.clone()).unwrap();
        let address = create1(&wallet.address(), 0);
        assert_eq!(super::nested::stored(address, 1), Some(vec![1; 32]), "the constructor has had its data");
        // The next has the next nonce's address: making a contract takes one nonce.
        assert_eq!(System::account_nonce(wallet.account()), 1);
        wallet.send(None, 700, data).unwrap();
        assert!(ContractInfoOf::<Test>::contains_key(create1(&wallet.address(), 1)));
        assert_eq!(Polkavm::balance(create1(&wallet.address(), 1)), 700.into());

        wallet.send(Some(address), 0, Script::new().store(2, 2).encode()).unwrap();
        assert_eq!(super::nested::stored(address, 2), Some(vec![2; 32]));
        for no_program in [vec![], vec![0x60, 0x80, 0x60, 0x40], puppet()[..100].to_vec(), b"PVM\0".to_vec()] {
            let transaction = Sent { nonce: 3, to: None, data: no_program, ..transfer() };
            assert_eq!(refusal(&wallet.sign(transaction)), custom(&TransactionError::NoProgram));
        }
    });
}

#[test]
fn a_value_is_exact_to_the_last_unit() {
    run(|| {
        let wallet = Wallet::new(1);
        let contract = deploy(puppet());
        for value in [1, 6, 7, 15] {
            let before = Polkavm::balance(contract);
            wallet.send(Some(contract), value, vec![]).unwrap();
            assert_eq!(Polkavm::balance(contract) - before, value.into());
        }
        let all = u128::MAX;
        assert_eq!(wallet.send(Some(contract), all, vec![]), Err(Error::<Test>::TransferFailed.into()));
    });
}

#[test]
fn gas_times_price_is_never_exceeded_and_an_event_says_what_the_deposit_was() {
    run(|| {
        let wallet = Wallet::new(1);
        let contract = deploy(puppet());
        for (stores, gas_limit) in [(0, 1_000_000), (3, 1_000_000), (10, 20_000), (10, 30_000), (30, 40_000)] {
            let nonce = u64::from(System::account_nonce(wallet.account()));
            let mut script = Script::new();
            (0..stores).for_each(|key| drop(script.store(nonce as u8 * 40 + key, 1).encode()));
            let before = Balances::total_balance(&wallet.account());
            System::reset_events();
            let sent = Sent { nonce, gas_limit, to: Some(contract), value: 0, data: script.encode(), ..transfer() };
            let result = apply(&wallet.sign(sent)).unwrap();
            let paid = before - Balances::total_balance(&wallet.account());
            assert!(paid * Balance::from(RATIO) <= Balance::from(gas_limit) * price(), "{paid} for {gas_limit}");
            let fee = System::events()
                .into_iter()
                .find_map(|record| match record.event {
                    RuntimeEvent::TransactionPayment(pallet_transaction_payment::Event::TransactionFeePaid {
                        actual_fee,
                        ..
                    }) => Some(actual_fee),
                    _ => None,
                })
                .unwrap();
            let deposit = events().into_iter().find_map(|event| match event {
                Event::EthereumTransactionExecuted { storage_deposit } => Some(storage_deposit),
                _ => None,
            });
            assert_eq!(deposit.is_some(), result.is_ok());
            assert_eq!(paid, fee + deposit.map_or(0, |deposit| deposit.charge_or_zero()));
        }
    });
}

#[test]
fn a_refund_is_told_as_one() {
    run(|| {
        let wallet = Wallet::new(1);
        let contract = deploy(puppet());
        wallet.send(Some(contract), 0, Script::new().store(1, 1).encode()).unwrap();
        System::reset_events();
        wallet.send(Some(contract), 0, Script::new().store(1, 0).encode()).unwrap();
        let refunded = events().iter().any(|event| {
            matches!(event, Event::EthereumTransactionExecuted { storage_deposit: Deposit::Refund(amount) } if *amount > 0)
        });
        assert!(refunded, "{:?}", events());
    });
}

#[test]
fn weight_and_deposit_share_the_gas() {
    run(|| {
        let wallet = Wallet::new(1);
        let contract = deploy(puppet());
        let mut script = Script::new();
        (0..20).for_each(|key| drop(script.store(key, 1).encode()));
        let free = question(&wallet, Some(contract), script.encode());
        let enough = dry_run(free.clone());
        assert!(enough.result.is_ok());
        let with = |gas| dry_run(EthereumCallV1 { gas: Some(gas), ..free.clone() });
        assert!(with(enough.gas_required).result.is_ok());
        // Either alone would be within this: it is both together that are not.
        let error = with(enough.gas_used - 3).result.unwrap_err().error;
        assert_eq!(error, Error::<Test>::OutOfGas.into());
        let sent = |gas_limit| Sent {
            nonce: System::account_nonce(wallet.account()).into(),
            gas_limit,
            to: Some(contract),
            value: 0,
            data: script.encode(),
            ..transfer()
        };
        // A few bytes less than the dry run takes a transaction to have make no difference of more.
        let failed = apply(&wallet.sign(sent(enough.gas_used - 30))).unwrap();
        assert_eq!(failed, Err(Error::<Test>::OutOfGas.into()));
        assert_eq!(super::nested::stored(contract, 1), None);
        apply(&wallet.sign(sent(enough.gas_required))).unwrap().unwrap();
        assert_eq!(super::nested::stored(contract, 1), Some(vec![1; 32]));
    });
}

#[test]
fn what_a_dry_run_requires_suffices() {
    run(|| {
        let wallet = Wallet::new(1);
        let (a, b) = super::nested::two();
        let mut nested = Script::new();
        nested.call(b, &super::puppet::Call::default(), Script::new().store(1, 1));
        let mut back = Script::new();
        (1..5).for_each(|key| drop(back.store(key, 1).store(key, 0).encode()));
        let creation = [puppet(), Script::new().store(1, 1).encode()].concat();
        let calls = [
            (Some(RECEIVER), 700, vec![]),
            (Some(RECEIVER), 700, vec![]),
            (Some(a), 0, nested.encode()),
            (Some(a), 3, back.encode()),
            (None, 0, creation.clone()),
            (None, 10, creation),
        ];
        for (to, value, data) in calls {
            let call = EthereumCallV1 { value: value.into(), ..question(&wallet, to, data.clone()) };
            let dry = dry_run(call.clone());
            assert!(dry.result.is_ok(), "{dry:?}");
            assert!(dry.gas_used <= dry.gas_required);
            assert_eq!(dry_run(EthereumCallV1 { gas: Some(dry.gas_required), ..call }).result, dry.result);
            let sent = Sent {
                nonce: System::account_nonce(wallet.account()).into(),
                gas_limit: dry.gas_required,
                to,
                value,
                data,
                ..transfer()
            };
            apply(&wallet.sign(sent)).unwrap().unwrap();
            if let Some(contract) = dry.contract {
                assert!(ContractInfoOf::<Test>::contains_key(contract));
            }
        }
    });
}

#[test]
fn what_is_offered_above_the_price_is_a_tip_and_comes_first() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let generous = Sent { max_fee: price() + 70, priority_fee: 14, ..transfer() };
        let (plain, tipped) = (wallet.sign(transfer()), wallet.sign(generous));
        assert!(validate(&tipped).unwrap().priority > validate(&plain).unwrap().priority);
        let before = Balances::free_balance(wallet.account());
        apply(&tipped).unwrap().unwrap();
        let paid = before - Balances::free_balance(wallet.account());
        assert!(paid > 14 * 1_000_000 / Balance::from(RATIO), "{paid}");
    });
}

#[test]
fn the_call_that_carries_a_transaction_is_for_nobody_to_sign() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let payload = wallet.sign(transfer());
        let failed = unchanged(|| dispatch(ALICE, Call::eth_transact { payload: payload.clone() }));
        assert_eq!(failed.unwrap_err().error, DispatchError::BadOrigin);
        let call = RuntimeCall::Polkavm(Call::eth_transact { payload: payload.clone() });
        let signature = MultiSignature::from(ecdsa::Signature::default());
        let signed = Extrinsic::new_signed(call, ALICE, signature, Wallets::extension(0, 0));
        assert_eq!(signed.ethereum_payload(), None);
        assert_eq!(
            signed.check(&frame_system::ChainContext::<Test>::default()).unwrap_err(),
            InvalidTransaction::BadProof.into()
        );
    });
}

#[test]
fn the_extrinsic_is_encoded_as_frame_encodes_its_own() {
    run_in_runtime(|| {
        let call = RuntimeCall::System(frame_system::Call::remark { remark: vec![1, 2, 3] });
        let signature = MultiSignature::from(ecdsa::Signature::default());
        let signed = Extrinsic::new_signed(call.clone(), ALICE, signature, Wallets::extension(3, 5));
        assert_eq!(signed.encode(), signed.0.encode());
        let decoded = Extrinsic::decode(&mut &signed.encode()[..]).unwrap();
        assert_eq!(decoded, signed);
        assert!(matches!(decoded.0.preamble, Preamble::Signed(ALICE, ..)));
        // Other bare calls are what they were: this runtime takes none.
        let bare = Extrinsic::new_bare(call);
        let length = bare.encoded_size();
        let checked = bare.check(&frame_system::ChainContext::<Test>::default()).unwrap();
        let info = checked.get_dispatch_info();
        let refused = checked.validate::<Test>(TransactionSource::External, &info, length);
        assert!(refused.is_err());
    });
}

#[test]
fn a_key_whose_address_is_a_contract_sends_nothing() {
    run_in_runtime(|| {
        let wallet = Wallet::new(1);
        let contract = ContractInfoOf::<Test>::get(deploy(puppet())).unwrap();
        ContractInfoOf::<Test>::insert(wallet.address(), contract);
        assert_eq!(wallet.send(Some(RECEIVER), 700, vec![]), Err(Error::<Test>::OriginIsContract.into()));
        ContractInfoOf::<Test>::remove(wallet.address());
    });
}

#[test]
fn the_price_covers_the_weight_that_a_unit_buys() {
    run_in_runtime(|| {
        let scale: u64 = <Test as Config>::RefTimePerEthGas::get();
        assert_eq!(price(), u128::from(scale / 1000) * u128::from(RATIO));
        let terms = Polkavm::ethereum_terms::<Wallets>();
        assert_eq!((terms.chain_id, terms.native_to_eth_ratio, terms.gas_price), (CHAIN, RATIO, price().into()));
        assert_eq!(terms.block_gas, 10 * 1_000_000);
        let wallet = Wallet::new(1);
        assert_eq!(Polkavm::ethereum_nonce(&wallet.address()), 0);
        wallet.send(Some(RECEIVER), 700, vec![]).unwrap();
        assert_eq!(Polkavm::ethereum_nonce(&wallet.address()), 1);
        assert_eq!(crate::AccountId32Mapper::<Test>::to_address(&wallet.account()), wallet.address());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_the_decoder_fail_otherwise_than_by_an_error(
        start in prop::sample::select(vec![0_u8, 1, 2, 0xc0, 0xf8, 0xf9]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Transaction::decode(&[&[start], &rest[..]].concat(), CHAIN);
    }

    #[test]
    fn a_changed_byte_is_another_transaction_or_none(at in 0..110_usize, flip in 1..=255_u8) {
        let mut decoded = None;
        let mut original = None;
        let mut externalities = sp_io::TestExternalities::default();
        externalities.execute_with(|| {
            let wallet = Wallet(ecdsa::Pair::from_seed(&[1; 32]));
            let transaction = Sent {
                kind: TransactionKind::Eip1559,
                chain_id: Some(CHAIN),
                nonce: 3,
                priority_fee: 5,
                max_fee: 1_000_000,
                gas_limit: 21_000,
                to: Some(RECEIVER),
                value: 700,
                data: vec![1, 2, 3],
            };
            let mut bytes = wallet.sign(transaction);
            original = Transaction::decode(&bytes, CHAIN).ok();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            decoded = Transaction::decode(&bytes, CHAIN).ok();
        });
        let original = original.unwrap();
        if let Some(other) = decoded {
            prop_assert_ne!(other.hash, original.hash);
            prop_assert_ne!(other.signer, original.signer, "the same key can't have signed both");
        }
    }
}
