//! Tests of the builtin precompiles: known answers, invalid inputs, and the rules of calls.

use super::{
    nested::{default, last, output, stored, two},
    puppet::{Call, NO_OUTPUT, SCRATCH, Script, pack, puppet},
};
use crate::{
    ContractInfoOf, Error,
    mock::*,
    precompiles::{abi, address},
    types::Output,
};
use codec::{Decode, Encode};
use hex_literal::hex;
use pallet_revive_uapi::ReturnErrorCode;
use sp_core::{H160, Pair, U256, ecdsa, sr25519};
use sp_io::hashing::{blake2_128, blake2_256, keccak_256, sha2_256};
use sp_runtime::DispatchError;

const READ_ONLY: u32 = 16;

/// Calls a builtin as a transaction.
fn builtin(number: u16, input: &[u8]) -> Output {
    call(address(number), input).result.unwrap()
}

fn answer(number: u16, input: &[u8]) -> Vec<u8> {
    let output = builtin(number, input);
    assert!(!output.did_revert(), "{:?}", String::from_utf8_lossy(&output.data));
    output.data
}

fn error(number: u16, input: &[u8]) -> DispatchError {
    call(address(number), input).result.unwrap_err().error
}

fn word(number: u64) -> [u8; 32] {
    U256::from(number).to_big_endian()
}

#[test]
fn ecrecover_finds_the_signer_or_nothing() {
    run(|| {
        let pair = ecdsa::Pair::from_seed(&[7; 32]);
        let hash = keccak_256(b"message");
        let signature = pair.sign_prehashed(&hash).0;
        let signer = {
            let key = libsecp(&signature, &hash);
            H160::from_slice(&keccak_256(&key)[12..])
        };
        let input = |v: u64| [&hash, &word(v), &signature[..32], &signature[32..64]].concat();
        let v = 27 + u64::from(signature[64]);
        let found = answer(1, &input(v));
        assert_eq!((&found[..12], &found[12..]), ([0; 12].as_slice(), signer.as_bytes()));
        assert_ne!(answer(1, &input(55 - v)), found);
        for bad in [0, 1, 26, 29, 27 + 256] {
            assert_eq!(answer(1, &input(bad)), b"", "{bad}");
        }
        assert_eq!(answer(1, &[]), b"");
        // Bytes behind the input are ignored.
        assert_eq!(answer(1, &[input(v), vec![9; 10]].concat()), found);
    });
}

fn libsecp(signature: &[u8; 65], hash: &[u8; 32]) -> [u8; 64] {
    sp_io::crypto::secp256k1_ecdsa_recover(signature, hash).ok().unwrap()
}

#[test]
fn hashes_and_identity_have_known_answers() {
    run(|| {
        assert_eq!(answer(2, b"abc"), sha2_256(b"abc"));
        assert_eq!(answer(2, b""), hex!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
        let ripemd = hex!("0000000000000000000000008eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
        assert_eq!(answer(3, b"abc"), ripemd);
        assert_eq!(answer(4, b"anything"), b"anything");
        assert_eq!(answer(4, b""), b"");
    });
}

/// Encodes lengths and numbers for `modexp`.
fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let len = |bytes: &[u8]| word(bytes.len() as u64);
    [&len(base), &len(exponent), &len(modulus), base, exponent, modulus].concat()
}

#[test]
fn modexp_raises_numbers_of_any_length() {
    run(|| {
        // Fermat's little theorem for the prime 2^256 - 2^32 - 977 (an example of EIP-198).
        let prime = hex!("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
        let exponent = hex!("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e");
        assert_eq!(answer(5, &power(&[3], &exponent, &prime)), word(1));
        assert_eq!(answer(5, &power(&[], &exponent, &prime)), word(0));
        for (base, exponent, modulus) in [(2u64, 10u64, 1000u64), (7, 0, 5), (0, 0, 7), (12345, 678, 90123), (9, 9, 2)]
        {
            let expected = (0..exponent).fold(1 % modulus, |power, _| power * (base % modulus) % modulus);
            let input = power(&base.to_be_bytes(), &exponent.to_be_bytes(), &modulus.to_be_bytes());
            assert_eq!(answer(5, &input), expected.to_be_bytes(), "{base}^{exponent} % {modulus}");
        }
        assert_eq!(answer(5, &power(&[3], &[4], &[0, 0])), [0, 0]);
        assert_eq!(answer(5, &power(&[3], &[4], &[1])), [0]);
        assert_eq!(answer(5, &[]), b"");
        // Numbers are padded with zeros at the end of the input.
        assert_eq!(answer(5, &[&word(1)[..], &word(1), &word(2), &[3, 2]].concat()), [0, 0]);
        let failed: DispatchError = Error::<Test>::PrecompileFailed.into();
        assert_eq!(error(5, &[word(1025), word(1), word(1)].concat()), failed);
        assert_eq!(error(5, &[[0xff; 32], word(1), word(1)].concat()), failed);
        // The price depends on the work.
        let gas = |len| call(address(5), &power(&vec![0xff; len], &vec![0xff; len], &vec![0xfd; len])).gas_consumed;
        assert!(gas(512).ref_time() > 100 * gas(64).ref_time());
    });
}

/// The generator of the first group.
const G1: [u8; 64] = {
    let mut point = [0; 64];
    point[31] = 1;
    point[63] = 2;
    point
};
/// The prime of the field of coordinates.
const FIELD: [u8; 32] = hex!("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47");
/// Twice the generator.
const TWICE: [u8; 64] = hex!(
    "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
    "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
);
/// The generator of the second group.
const G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);

/// The negated generator.
fn minus_g1() -> [u8; 64] {
    let mut point = G1;
    let y = U256::from_big_endian(&FIELD) - U256::from(2);
    point[32..].copy_from_slice(&y.to_big_endian());
    point
}

#[test]
fn points_of_alt_bn128_are_added_and_multiplied() {
    run(|| {
        assert_eq!(answer(6, &[G1, G1].concat()), TWICE);
        assert_eq!(answer(6, &[G1, [0; 64]].concat()), G1);
        assert_eq!(answer(6, &G1), G1, "what is missing is zero");
        assert_eq!(answer(6, &[G1, minus_g1()].concat()), [0; 64]);
        assert_eq!(answer(7, &[G1.as_slice(), &word(2)].concat()), TWICE);
        assert_eq!(answer(7, &[G1.as_slice(), &word(0)].concat()), [0; 64]);
        assert_eq!(answer(7, &[G1.as_slice(), &[0xff; 32]].concat()).len(), 64, "any number is a factor");
        let failed: DispatchError = Error::<Test>::PrecompileFailed.into();
        assert_eq!(error(6, &[word(1), word(3)].concat()), failed, "not on the curve");
        assert_eq!(error(6, &[FIELD, word(2)].concat()), failed, "not in the field");
        assert_eq!(error(7, &[word(1), word(3), word(1)].concat()), failed);
    });
}

#[test]
fn pairings_of_alt_bn128_are_checked() {
    run(|| {
        let pair = |point: &[u8]| [point, G2.as_slice()].concat();
        assert_eq!(answer(8, &[]), word(1));
        assert_eq!(answer(8, &pair(&G1)), word(0));
        assert_eq!(answer(8, &[pair(&G1), pair(&minus_g1())].concat()), word(1));
        // e(2P, Q) = e(P, Q)^2.
        assert_eq!(answer(8, &[pair(&TWICE), pair(&minus_g1()), pair(&minus_g1())].concat()), word(1));
        assert_eq!(answer(8, &pair(&[0; 64])), word(1));
        let failed: DispatchError = Error::<Test>::PrecompileFailed.into();
        assert_eq!(error(8, &G1), failed, "half a pair");
        let mut off = pair(&G1);
        off[191] ^= 1;
        assert_eq!(error(8, &off), failed);
    });
}

/// The input with which BLAKE2b hashes "abc" (RFC 7693, appendix A), for any number of rounds.
fn blake_input(rounds: u32, last: u8) -> Vec<u8> {
    let state = hex!(
        "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
        "d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"
    );
    let mut message = [0; 128];
    message[..3].copy_from_slice(b"abc");
    let counter = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&rounds.to_be_bytes(), state.as_slice(), &message, &counter, &[last]].concat()
}

#[test]
fn blake2f_is_what_blake2b_does_with_a_block() {
    run(|| {
        let hash = hex!(
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
        );
        assert_eq!(answer(9, &blake_input(12, 1)), hash);
        assert_ne!(answer(9, &blake_input(12, 0)), hash);
        assert_ne!(answer(9, &blake_input(11, 1)), hash);
        let failed: DispatchError = Error::<Test>::PrecompileFailed.into();
        assert_eq!(error(9, &blake_input(12, 2)), failed);
        assert_eq!(error(9, &blake_input(12, 1)[1..]), failed);
        assert_eq!(error(9, &blake_input(u32::MAX, 1)), Error::<Test>::OutOfGas.into(), "rounds are paid first");
    });
}

/// The call data of a function with arguments that are words.
fn function(signature: &str, words: &[[u8; 32]]) -> Vec<u8> {
    [abi::selector(signature).as_slice(), &words.concat()].concat()
}

/// The call data of a function of one byte string.
fn with_bytes(signature: &str, bytes: &[u8]) -> Vec<u8> {
    let mut input = function(signature, &[word(32), word(bytes.len() as u64)]);
    input.extend(bytes);
    input.resize(4 + (input.len() - 4).next_multiple_of(32), 0);
    input
}

#[test]
fn the_system_builtin_hashes_and_looks_up() {
    run(|| {
        assert_eq!(answer(0x900, &with_bytes("hashBlake256(bytes)", b"abc")), blake2_256(b"abc"));
        assert_eq!(answer(0x900, &with_bytes("hashBlake128(bytes)", b"abc"))[..16], blake2_128(b"abc"));
        let alice = Polkavm::view_address(&ALICE);
        let mut padded = [0; 32];
        padded[12..].copy_from_slice(alice.as_bytes());
        let account = answer(0x900, &function("toAccountId(address)", &[padded]));
        assert_eq!(account, [word(32), word(32), ALICE.encode().try_into().unwrap()].concat());
        let minimum = answer(0x900, &function("minimumBalance()", &[]));
        assert_eq!(minimum, word(u64::from(RATIO) * ED as u64));
        assert_eq!(answer(0x900, &function("callerIsRoot()", &[])), word(0));
        assert_eq!(answer(0x900, &function("originIsRoot()", &[])), word(0));
        let left = answer(0x900, &function("weightLeft()", &[]));
        let time = U256::from_big_endian(&left[..32]).as_u64();
        assert!(time < GAS.ref_time() && time > GAS.ref_time() / 2);
    });
}

#[test]
fn the_system_builtin_answers_for_the_contract_that_asks() {
    run(|| {
        let (a, b) = two();
        let ask = |script: &mut Script, signature: &str| {
            let room = script.bytes(&64u32.to_le_bytes());
            script.call_into(address(0x900), &default(), &function(signature, &[]), pack(room, SCRATCH)).expect(0);
            script.give(0, SCRATCH, 32);
        };
        let mut script = Script::new();
        ask(&mut script, "callerIsOrigin()");
        assert_eq!(output(a, &script).data, word(1));
        let mut outer = Script::new();
        outer.call_into(b, &Call { flags: 4, ..default() }, &script.encode(), NO_OUTPUT).trap();
        assert_eq!(output(a, &outer).data, word(0), "the contract in between called it");
        let mut script = Script::new();
        ask(&mut script, "ownCodeHash()");
        assert_eq!(output(a, &script).data, ContractInfoOf::<Test>::get(a).unwrap().code_hash.0);
    });
}

#[test]
fn signatures_of_the_chain_are_verified_by_builtin_and_host_function() {
    run(|| {
        let pair = sr25519::Pair::from_seed(&[5; 32]);
        let message = b"a message".as_slice();
        let signature = pair.sign(message).0;
        let key = pair.public().0;
        let signature_words: Vec<_> = signature.iter().map(|byte| word(u64::from(*byte))).collect();
        let input = |message: &[u8]| {
            let mut words = signature_words.clone();
            words.extend([word(66 * 32), key, word(message.len() as u64)]);
            let mut input = function("sr25519Verify(uint8[64],bytes,bytes32)", &words);
            input.extend(message);
            input
        };
        assert_eq!(answer(0x900, &input(message)), word(1));
        assert_eq!(answer(0x900, &input(b"another")), word(0));

        let a = deploy(puppet());
        let verify = |message: &[u8]| {
            let mut script = Script::new();
            let [signature, key, text] = [script.bytes(&signature), script.bytes(&key), script.bytes(message)];
            script.host("sr25519_verify", &[signature, key, message.len() as u64, text]);
            last(a, &mut script)
        };
        assert_eq!(verify(message), 0);
        assert_eq!(verify(b"another"), ReturnErrorCode::Sr25519VerifyFailed as u64);
    });
}

#[test]
fn addresses_of_compressed_keys_are_derived_by_builtin_and_host_function() {
    run(|| {
        let pair = ecdsa::Pair::from_seed(&[7; 32]);
        let hash = [1; 32];
        let expected = H160::from_slice(&keccak_256(&libsecp(&pair.sign_prehashed(&hash).0, &hash))[12..]);
        let key = pair.public().0;
        let words: Vec<_> = key.iter().map(|byte| word(u64::from(*byte))).collect();
        let derived = answer(0x900, &function("ecdsaToEthAddress(uint8[33])", &words));
        assert_eq!((&derived[..20], &derived[20..]), (expected.as_bytes(), [0; 12].as_slice()));
        assert!(builtin(0x900, &function("ecdsaToEthAddress(uint8[33])", &[word(9); 33])).did_revert());

        let a = deploy(puppet());
        let derive = |key: &[u8]| {
            let mut script = Script::new();
            let key = script.bytes(key);
            script.host("ecdsa_to_eth_address", &[key, SCRATCH]);
            script
        };
        let mut script = derive(&key);
        assert_eq!(output(a, script.expect(0).give(0, SCRATCH, 20)).data, expected.as_bytes());
        assert_eq!(last(a, &mut derive(&[9; 33])), ReturnErrorCode::EcdsaRecoveryFailed as u64);
    });
}

#[test]
fn builtins_refuse_what_they_cannot_read() {
    run(|| {
        for number in [0x900, 0x901] {
            assert!(builtin(number, b"abc").did_revert(), "no selector");
            assert!(builtin(number, b"abcd").did_revert(), "no such function");
        }
        let failed: DispatchError = Error::<Test>::PrecompileFailed.into();
        assert_eq!(error(0x900, &function("hashBlake256(bytes)", &[])), failed);
        assert_eq!(error(0x900, &function("hashBlake256(bytes)", &[word(32), word(1)])), failed);
        assert_eq!(error(0x900, &function("hashBlake256(bytes)", &[word(33), word(0)])), failed);
        assert_eq!(error(0x900, &function("hashBlake256(bytes)", &[[0xff; 32]])), failed);
        assert_eq!(error(0x900, &function("toAccountId(address)", &[[0xff; 32]])), failed);
        assert_eq!(error(0x900, &function("ecdsaToEthAddress(uint8[33])", &[word(256); 33])), failed);
    });
}

/// A call of the storage builtin, as a delegate call or not.
fn storage(script: &mut Script, delegated: bool, name: &str, flags: u64, key: &[u8]) {
    let mut words = vec![word(flags), word(u64::from(key.len() == 32)), word(96), word(key.len() as u64)];
    let mut padded = key.to_vec();
    padded.resize(key.len().next_multiple_of(32), 0);
    words.extend(padded.chunks_exact(32).map(|chunk| <[u8; 32]>::try_from(chunk).unwrap()));
    let input = function(&format!("{name}(uint32,bool,bytes)"), &words);
    if delegated {
        script.delegate(address(0x901), 0, &input);
    } else {
        script.call_into(address(0x901), &default(), &input, NO_OUTPUT);
    }
}

/// Returns the output of the last call.
fn give_last(script: &mut Script, len: u64) {
    let room = script.bytes(&len.to_le_bytes());
    script.host("return_data_copy", &[SCRATCH, room, 0]).give(0, SCRATCH, len);
}

#[test]
fn the_storage_builtin_works_on_the_contract_that_delegates_to_it() {
    run(|| {
        let a = deploy(puppet());
        call(a, &Script::new().store(1, 7).store(2, 8).encode()).result.unwrap();
        let ask = |name: &str, flags: u64, key: &[u8], len: u64| {
            let mut script = Script::new();
            storage(&mut script, true, name, flags, key);
            script.expect(0);
            give_last(&mut script, len);
            output(a, &script).data
        };
        assert_eq!(ask("containsStorage", 0, &[1; 32], 64), [word(1), word(32)].concat());
        assert_eq!(ask("containsStorage", 0, &[3; 32], 64), [word(0), word(0)].concat());
        assert_eq!(ask("containsStorage", 1, &[1; 32], 64), [word(0), word(0)].concat(), "nothing is transient");
        assert_eq!(ask("takeStorage", 0, &[1; 32], 96), [word(32), word(32), [7; 32]].concat());
        assert_eq!(stored(a, 1), None);
        assert_eq!(ask("takeStorage", 0, &[1; 32], 64), [word(32), word(0)].concat());
        assert_eq!(ask("clearStorage", 0, &[2; 32], 64), [word(1), word(32)].concat());
        assert_eq!(stored(a, 2), None);
        assert_eq!(ContractInfoOf::<Test>::get(a).unwrap().storage_items, 0);

        // Values under keys of other lengths, and transient ones.
        let mut script = Script::new();
        let key = script.bytes(b"key");
        script.host("set_storage", &[1, key, 3, key, 3]);
        storage(&mut script, true, "takeStorage", 1, b"key");
        give_last(&mut script, 67);
        assert_eq!(output(a, &script).data, [word(32).as_slice(), &word(3), b"key"].concat());

        let mut script = Script::new();
        storage(&mut script, false, "containsStorage", 0, &[1; 32]);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeReverted as u64, "not by a call");
        let mut script = Script::new();
        storage(&mut script, true, "containsStorage", 2, &[1; 32]);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeReverted as u64, "no such flag");
        let mut script = Script::new();
        storage(&mut script, true, "containsStorage", 0, &[1; 200]);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeReverted as u64, "too long");

        // Not in a read-only call.
        let mut inner = Script::new();
        storage(&mut inner, true, "clearStorage", 0, &[2; 32]);
        inner.expect(ReturnErrorCode::CalleeTrapped as u64);
        let b = deploy(puppet());
        let mut script = Script::new();
        script.call(b, &Call { flags: READ_ONLY, ..default() }, &inner);
        assert_eq!(last(a, &mut script), 0);
    });
}

#[test]
fn a_precompile_has_code_and_takes_values_but_no_contract_can_be_made_there() {
    run(|| {
        let a = deploy(puppet());
        let mut script = Script::new();
        let target = script.bytes(address(1).as_bytes());
        script.host("code_size", &[target]).expect(5);
        script.host("code_hash", &[target, SCRATCH]).give(0, SCRATCH, 32);
        assert_eq!(output(a, &script).data, keccak_256(&crate::precompiles::CODE));

        call_with_value(address(4), 50, b"x").result.unwrap();
        assert_eq!(Balances::free_balance(ethereum_account(address(4))), ED + 50);
    });
}

#[test]
fn a_precompile_is_paid_and_limited_like_a_contract() {
    run(|| {
        let (a, _) = two();
        let mut script = Script::new();
        let little = Call { ref_time: 1_000, ..default() };
        script.call_into(address(2), &little, b"abc", NO_OUTPUT);
        assert_eq!(last(a, &mut script), ReturnErrorCode::OutOfResources as u64);
        let gas = |len: usize| call(address(2), &vec![0; len]).gas_consumed;
        assert!(gas(10_000).ref_time() > gas(10).ref_time());
    });
}

#[test]
fn calls_of_ethereums_precompiles_that_are_not_here_fail() {
    run(|| {
        let a = deploy(puppet());
        call_with_value(a, 50, &[]).result.unwrap();
        for number in 0x0a..=0x11 {
            assert_eq!(error(number, b"points"), Error::<Test>::PrecompileFailed.into());
            let with_value = Call { value: 7 * u128::from(RATIO), ..default() };
            let mut script = Script::new();
            script.call_into(address(number), &with_value, b"points", NO_OUTPUT);
            assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeTrapped as u64, "{number:#x}");
            assert_eq!(Balances::free_balance(ethereum_account(address(number))), 0);
        }
        // Addresses without a precompile on Ethereum are ordinary accounts.
        assert!(call(address(0x12), &[]).result.is_ok());
    });
}

#[test]
fn a_precompile_cannot_call_contracts_behind_the_back_of_its_caller() {
    run(|| {
        let (a, b) = two();
        let mut script = Script::new();
        let input = [b.as_bytes(), &Script::new().store(1, 1).encode()].concat();
        let room = script.bytes(&64u32.to_le_bytes());
        script.store(2, 2).call_into(address(REENTERS), &default(), &input, pack(room, SCRATCH)).expect(0);
        script.give(0, SCRATCH, 64);
        let data = output(a, &script).data;
        let reentered: Option<DispatchError> = Some(Error::<Test>::ReenteredPallet.into());
        assert_eq!(Option::<DispatchError>::decode(&mut data.as_slice()).unwrap(), reentered);
        assert_eq!((stored(b, 1), stored(a, 2)), (None, Some(vec![2; 32])));
        // The guard goes with the call.
        assert!(call(b, &Script::new().store(1, 1).encode()).result.is_ok());
    });
}

#[test]
fn a_precompile_sees_its_value_and_calls_contracts_as_itself() {
    run(|| {
        let a = deploy(puppet());
        call_with_value(a, 50, &[]).result.unwrap();
        let mut back = Script::new();
        let room = back.bytes(&[0; 64]);
        back.store(1, 1).host("value_transferred", &[room]).host("caller", &[room + 32]).give(0, room, 52);
        // An amount that is no whole unit, sent and returned.
        let with_value = Call { value: 23, flags: 8, ..default() };
        let mut script = Script::new();
        script.call_into(address(CALLS_BACK), &with_value, &back.encode(), NO_OUTPUT).expect(0);
        give_last(&mut script, 52);
        let data = output(a, &script).data;
        assert_eq!((data[0], &data[32..]), (23, address(CALLS_BACK).as_bytes()));
        assert_eq!(stored(a, 1), Some(vec![1; 32]));
        assert_eq!(Polkavm::balance(a), (50 * RATIO).into());

        // The reentrancy guard applies to it too, and failed calls are undone.
        let mut script = Script::new();
        script.call_into(address(CALLS_BACK), &default(), &Script::new().store(2, 2).encode(), NO_OUTPUT);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeTrapped as u64);
        let mut script = Script::new();
        let reverts = Script::new().store(3, 3).revert(b"no").encode();
        script.call_into(address(CALLS_BACK), &with_value, &reverts, NO_OUTPUT);
        assert_eq!(last(a, &mut script), ReturnErrorCode::CalleeReverted as u64);
        assert_eq!((stored(a, 2), stored(a, 3)), (None, None));
        assert_eq!(Polkavm::balance(a), (50 * RATIO).into());
        // In a read-only call it can change nothing, either.
        let read_only = Call { flags: 8 | READ_ONLY, ..default() };
        let mut script = Script::new();
        script.call_into(address(CALLS_BACK), &read_only, &Script::new().store(4, 4).encode(), NO_OUTPUT);
        assert_ne!(last(a, &mut script), 0);
    });
}

#[test]
fn a_runtime_has_precompiles_of_its_own() {
    run(|| {
        assert_eq!(answer(DOUBLER, &word(21)), word(42));
        assert!(builtin(DOUBLER, b"short").did_revert());
        let own = call(address(DOUBLER), &word(1)).gas_consumed;
        assert!(own.ref_time() >= DOUBLER_TIME);
    });
}
