//! The derivation of addresses, against published vectors.

use crate::{
    AddressMapper,
    address::{create1, create2},
    mock::*,
};
use sp_core::{H160, H256};
use sp_io::hashing::keccak_256;
use sp_runtime::AccountId32;

fn address(hex: &str) -> H160 {
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    H160::from_slice(&bytes)
}

type Mapper = crate::AccountId32Mapper<Test>;

#[test]
fn addresses_without_a_salt_are_those_of_ethereum() {
    // A well-known series: the first contracts of one deployer.
    let deployer = address("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
    assert_eq!(create1(&deployer, 0), address("cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"));
    assert_eq!(create1(&deployer, 1), address("343c43a37d37dff08ae8c4a11544c718abb4fcf8"));
    assert_eq!(create1(&deployer, 2), address("f778b86fa74e846c4f0a1fbd1335fe81c00a0c91"));
    assert_eq!(create1(&deployer, 3), address("fffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"));
}

#[test]
fn nonces_of_any_size_are_encoded_with_their_significant_bytes() {
    let deployer = H160([0x11; 20]);
    for (nonce, tail) in [
        (0u64, vec![0x80]),
        (1, vec![0x01]),
        (0x7f, vec![0x7f]),
        (0x80, vec![0x81, 0x80]),
        (0xff, vec![0x81, 0xff]),
        (0x100, vec![0x82, 1, 0]),
        (u64::MAX, vec![0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ] {
        let mut rlp = vec![0xc0 + 21 + tail.len() as u8, 0x94];
        rlp.extend_from_slice(deployer.as_bytes());
        rlp.extend_from_slice(&tail);
        assert_eq!(create1(&deployer, nonce), H160::from_slice(&keccak_256(&rlp)[12..]), "nonce {nonce}");
    }
}

#[test]
fn addresses_with_a_salt_are_those_of_eip_1014() {
    let zero = H160::zero();
    let deadbeef = address("deadbeef00000000000000000000000000000000");
    let mut salt = [0; 32];
    assert_eq!(create2(&zero, &[0], &[], &salt), address("4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38"));
    assert_eq!(create2(&deadbeef, &[0], &[], &salt), address("b928f69bb1d91cd65274e3c79d8986362984fda3"));
    salt[12..16].copy_from_slice(&[0xfe, 0xed, 0, 0]);
    assert_eq!(create2(&deadbeef, &[0], &[], &salt), address("d04116cdd17bebe565eb2422f2497e06cc1c9833"));
    let deployer = address("00000000000000000000000000000000deadbeef");
    let mut salt = [0; 32];
    salt[28..].copy_from_slice(&[0xca, 0xfe, 0xba, 0xbe]);
    let expected = address("60f3f640a8508fc6a86d45df051962668e1e8ac7");
    assert_eq!(create2(&deployer, &[0xde, 0xad, 0xbe, 0xef], &[], &salt), expected);
    // Code and input count as one string.
    assert_eq!(create2(&deployer, &[0xde, 0xad], &[0xbe, 0xef], &salt), expected);
}

#[test]
fn an_account_with_the_mark_is_an_address_and_any_other_is_hashed() {
    run(|| {
        let eth = H160([5; 20]);
        assert_eq!(Mapper::to_address(&ethereum_account(eth)), eth);
        assert_eq!(Mapper::to_account_id(&eth), ethereum_account(eth));
        assert_eq!(Mapper::to_address(&CHARLIE), H160::from_slice(&keccak_256(&[3; 32])[12..]));

        // One byte off the mark is no mark.
        let mut bytes = [0xEE; 32];
        bytes[20] = 0xED;
        let account = AccountId32::new(bytes);
        assert_eq!(Mapper::to_address(&account), H160::from_slice(&keccak_256(&bytes)[12..]));
        assert!(!Mapper::is_mapped(&account));
    });
}

#[test]
fn the_way_back_needs_a_mapping() {
    run(|| {
        let alice = Mapper::to_address(&ALICE);
        assert_eq!(Mapper::to_account_id(&alice), ALICE);
        assert_eq!(Mapper::to_fallback_account_id(&alice), ethereum_account(alice));
        let charlie = Mapper::to_address(&CHARLIE);
        assert_eq!(Mapper::to_account_id(&charlie), ethereum_account(charlie));
    });
}

#[test]
fn a_deployed_contract_is_where_the_derivation_says() {
    run(|| {
        let code = crate::program::Contract::with_call().ret().build();
        let salt = [9; 32];
        let by_salt = Polkavm::bare_instantiate(
            ALICE,
            0,
            no_limits(),
            crate::types::Code::Upload(code.clone()),
            vec![1, 2],
            Some(salt),
            crate::ExecConfig::extrinsic(),
        );
        let alice = Mapper::to_address(&ALICE);
        let made = by_salt.result.unwrap();
        assert_eq!(made.address, create2(&alice, &code, &[1, 2], &salt));
        assert_eq!(made.code_hash, H256(keccak_256(&code)));

        // As a transaction with nonce 5 does: the nonce is bumped to 6 before it is dispatched.
        frame_system::Account::<Test>::mutate(&ALICE, |account| account.nonce = 6);
        let by_nonce = Polkavm::bare_instantiate(
            ALICE,
            0,
            no_limits(),
            crate::types::Code::Existing(made.code_hash),
            vec![],
            None,
            crate::ExecConfig::extrinsic(),
        );
        assert_eq!(by_nonce.result.unwrap().address, create1(&alice, 5));
        assert_eq!(System::account_nonce(&ALICE), 7, "so that the next one in the same transaction differs");
    });
}
