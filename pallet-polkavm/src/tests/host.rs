//! Tests of each host function, called by a real program: its results and its failures.

use crate::program::{Contract, NOWHERE, RW_LEN, SENTINEL, at};
use crate::{Error, Event, host_api::HostFunction, limits, mock::*, types::Output};
use frame_support::{
    traits::{Get, fungible::Inspect},
    weights::Weight,
};
use pallet_revive_uapi::ReturnFlags;
use sp_core::{H160, H256, U256};
use sp_io::hashing::keccak_256;
use sp_runtime::DispatchError;

/// The data returned by a contract with this `call`.
fn returned(contract: Contract, data: &[u8]) -> Vec<u8> {
    call(deploy(contract.build()), data).result.unwrap().data
}

/// The error of a contract with this `call`.
fn error(contract: Contract, data: &[u8]) -> DispatchError {
    let contract = deploy(contract.build());
    unchanged(|| call(contract, data).result.unwrap_err().error)
}

fn word(number: impl Into<U256>) -> Vec<u8> {
    number.into().to_little_endian().to_vec()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// A contract that calls a function which writes `len` bytes to a pointer, and returns them.
fn written(name: &str, len: u32) -> Contract {
    Contract::with_call().host(name, &[at(0)]).give(0, len)
}

/// A contract that returns the result of a function.
fn answered(name: &str, args: &[u64]) -> Contract {
    Contract::with_call().host(name, args).keep(0).give(0, 8)
}

#[test]
fn the_functions_and_their_names_are_those_of_the_table() {
    assert_eq!(HostFunction::COUNT, 40);
    for (name, function) in HostFunction::ALL {
        assert_eq!(HostFunction::by_name(name.as_bytes()), Some(*function));
    }
    assert_eq!(HostFunction::by_name(b"no_such_function"), None);
    // These numbers are stored on chains.
    assert_eq!(codec::Encode::encode(&HostFunction::CallDataSize), [0]);
    assert_eq!(codec::Encode::encode(&HostFunction::SetImmutableData), [28]);
    assert_eq!(codec::Encode::encode(&HostFunction::Sr25519Verify), [39]);
}

#[test]
fn call_data_size_is_the_length_of_the_input() {
    run(|| {
        assert_eq!(number(&returned(answered("call_data_size", &[]), &[])), 0);
        assert_eq!(number(&returned(answered("call_data_size", &[]), &[7; 300])), 300);
    });
}

#[test]
fn call_data_copy_fills_the_buffer_and_pads_with_zeros() {
    run(|| {
        let copy = |len: u64, offset: u64| {
            Contract::with_call().data(0, &[0xff; 16]).host("call_data_copy", &[at(0), len, offset]).give(0, 12)
        };
        assert_eq!(returned(copy(4, 0), b"abcdef"), b"abcd\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(returned(copy(4, 4), b"abcdef"), b"ef\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(returned(copy(4, 6), b"abcdef"), b"\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(returned(copy(4, SENTINEL), b"abcdef"), b"\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(returned(copy(0, 0), b"abcdef"), [0xff; 12]);
    });
}

#[test]
fn call_data_copy_out_of_the_contracts_memory_fails() {
    run(|| {
        let copy = |to: u64, len: u64| Contract::with_call().host("call_data_copy", &[to, len, 0]).ret();
        assert_eq!(error(copy(NOWHERE.into(), 4), b"abcd"), Error::<Test>::OutOfBounds.into());
        let at_the_end = at(RW_LEN - 2);
        assert_eq!(error(copy(at_the_end, 4), b"abcd"), Error::<Test>::OutOfBounds.into());
        assert_eq!(error(copy(at_the_end, 4), b"a"), Error::<Test>::OutOfBounds.into());
        assert_eq!(error(copy(at_the_end, 4), b""), Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn call_data_load_reads_a_big_endian_word() {
    run(|| {
        let load = |offset: u64| Contract::with_call().host("call_data_load", &[at(0), offset]).give(0, 32);
        let mut input = [0; 40];
        input[31] = 5;
        input[39] = 9;
        assert_eq!(returned(load(0), &input), word(5));
        // The bytes from 8 on, right-padded with zeros.
        let mut padded = [0; 32];
        padded[23] = 5;
        padded[31] = 9;
        assert_eq!(returned(load(8), &input), word(U256::from_big_endian(&padded)));
        let mut padded = [0; 32];
        padded[0] = 9;
        assert_eq!(returned(load(39), &input), word(U256::from_big_endian(&padded)));
        assert_eq!(returned(load(40), &input), word(0));
        assert_eq!(returned(load(SENTINEL), &input), word(0));
    });
}

#[test]
fn seal_return_ends_the_contract_with_data() {
    run(|| {
        let contract = deploy(Contract::with_call().data(0, b"hello").give(0, 5).build());
        let output = call(contract, &[]).result.unwrap();
        assert_eq!(output, Output { flags: ReturnFlags::empty(), data: b"hello".to_vec() });
    });
}

#[test]
fn seal_return_with_the_revert_flag_keeps_the_data_and_undoes_the_rest() {
    run(|| {
        let code = Contract::with_call()
            .data(0, b"sorry")
            .host("set_storage", &[0, at(0), 5, at(0), 5])
            .host("deposit_event", &[0, 0, at(0), 5])
            .give_with(1, 0, 5)
            .build();
        let contract = deploy(code);
        let output = unchanged(|| call_with_value(contract, 50, &[]).result.unwrap());
        assert_eq!(output, Output { flags: ReturnFlags::REVERT, data: b"sorry".to_vec() });
    });
}

#[test]
fn seal_return_refuses_unknown_flags_too_much_data_and_bad_pointers() {
    run(|| {
        let ends =
            |flags: u64, ptr: u64, len: u64| Contract::with_call().host("seal_return", &[flags, ptr, len]).trap();
        assert_eq!(error(ends(2, at(0), 0), &[]), Error::<Test>::InvalidReturnFlags.into());
        let too_long = u64::from(limits::CALLDATA_BYTES) + 1;
        assert_eq!(error(ends(0, at(0), too_long), &[]), Error::<Test>::ReturnDataTooLarge.into());
        assert_eq!(error(ends(0, NOWHERE.into(), 1), &[]), Error::<Test>::OutOfBounds.into());
        assert_eq!(error(ends(0, at(RW_LEN - 1), 2), &[]), Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn return_data_is_empty_before_any_call() {
    run(|| {
        assert_eq!(number(&returned(answered("return_data_size", &[]), &[])), 0);
        let copy = |offset: u64| {
            Contract::with_call()
                .data(0, &100u32.to_le_bytes())
                .host("return_data_copy", &[at(8), at(0), offset])
                .give(0, 4)
        };
        assert_eq!(returned(copy(0), &[]), 0u32.to_le_bytes(), "the length is written back");
        assert_eq!(error(copy(1), &[]), Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn set_storage_returns_the_old_length_and_get_storage_the_value() {
    run(|| {
        let code = Contract::with_call()
            .data(100, b"key")
            .data(200, b"value one")
            .data(300, b"two")
            .data(400, &32u32.to_le_bytes())
            .host("set_storage", &[0, at(100), 3, at(200), 9])
            .keep(0)
            .host("set_storage", &[0, at(100), 3, at(300), 3])
            .keep(8)
            .host("get_storage", &[0, at(100), 3, at(24), at(400)])
            .keep(16)
            .give(0, 32)
            .build();
        let data = call(deploy(code), &[]).result.unwrap().data;
        assert_eq!(number(&data[..8]), SENTINEL);
        assert_eq!(number(&data[8..16]), 9);
        assert_eq!(number(&data[16..24]), 0);
        assert_eq!(&data[24..], b"two\0\0\0\0\0");
    });
}

#[test]
fn get_storage_cuts_at_the_buffers_end_and_says_how_much_it_wrote() {
    run(|| {
        let read = |room: u32| {
            Contract::with_call()
                .data(100, b"value")
                .data(200, &room.to_le_bytes())
                .host("set_storage", &[0, at(100), 1, at(100), 5])
                .host("get_storage", &[0, at(100), 1, at(204), at(200)])
                .keep(212)
                .give(200, 20)
        };
        let data = returned(read(3), &[]);
        assert_eq!(&data[..12], b"\x03\0\0\0val\0\0\0\0\0");
        assert_eq!(number(&data[12..]), 0);
        assert_eq!(&returned(read(8), &[])[..12], b"\x05\0\0\0value\0\0\0");
        assert_eq!(&returned(read(0), &[])[..12], [0; 12]);
    });
}

#[test]
fn get_storage_of_a_missing_key_is_the_key_not_found_error_and_writes_nothing() {
    run(|| {
        let code = Contract::with_call()
            .data(0, &[0xff; 16])
            .host("get_storage", &[0, at(100), 3, at(0), at(8)])
            .keep(16)
            .give(0, 24);
        let data = returned(code, &[]);
        assert_eq!(data[..16], [0xff; 16]);
        assert_eq!(number(&data[16..]), 3);
    });
}

#[test]
fn keys_of_fixed_and_of_variable_length_do_not_meet() {
    run(|| {
        let code = Contract::with_call()
            .data(100, &[7; 32])
            .data(200, b"fixed")
            .data(300, b"var")
            .data(400, &32u32.to_le_bytes())
            .host("set_storage", &[0, at(100), SENTINEL, at(200), 5])
            .host("set_storage", &[0, at(100), 32, at(300), 3])
            .keep(0)
            .host("get_storage", &[0, at(100), SENTINEL, at(8), at(400)])
            .give(0, 13);
        let data = returned(code, &[]);
        assert_eq!(number(&data[..8]), SENTINEL, "the second write found nothing");
        assert_eq!(&data[8..], b"fixed");
    });
}

#[test]
fn storage_stays_between_calls_and_contracts_do_not_share_it() {
    run(|| {
        // Returns what was there, and stores the input.
        let code = Contract::with_call()
            .data(400, &4u32.to_le_bytes())
            .host("get_storage", &[0, at(0), 1, at(8), at(400)])
            .host("call_data_copy", &[at(16), 4, 0])
            .host("set_storage", &[0, at(0), 1, at(16), 4])
            .give(8, 4)
            .build();
        let one = deploy(code.clone());
        let other = deploy(code);
        assert_eq!(call(one, b"abcd").result.unwrap().data, [0; 4]);
        assert_eq!(call(other, b"efgh").result.unwrap().data, [0; 4]);
        assert_eq!(call(one, b"ijkl").result.unwrap().data, b"abcd");
        assert_eq!(call(other, b"mnop").result.unwrap().data, b"efgh");
    });
}

#[test]
fn set_storage_or_clear_removes_the_key_where_the_value_is_zero() {
    run(|| {
        let code = Contract::with_call()
            .data(100, &[1; 32])
            .data(200, &[2; 32])
            .host("set_storage_or_clear", &[0, at(100), at(200)])
            .keep(0)
            .host("get_storage_or_zero", &[0, at(100), at(32)])
            .host("set_storage_or_clear", &[0, at(100), at(300)])
            .keep(8)
            .host("get_storage_or_zero", &[0, at(100), at(64)])
            .host("set_storage_or_clear", &[0, at(100), at(300)])
            .keep(16)
            .give(0, 96);
        let data = returned(code, &[]);
        assert_eq!(number(&data[..8]), SENTINEL);
        assert_eq!(number(&data[8..16]), 32);
        assert_eq!(number(&data[16..24]), SENTINEL, "the key is gone");
        assert_eq!(data[32..64], [2; 32]);
        assert_eq!(data[64..], [0; 32]);
    });
}

#[test]
fn get_storage_or_zero_cuts_and_pads_to_32_bytes() {
    run(|| {
        let read = |len: u64| {
            Contract::with_call()
                .data(100, &[9; 64])
                .host("set_storage", &[0, at(100), SENTINEL, at(100), len])
                .host("get_storage_or_zero", &[0, at(100), at(0)])
                .give(0, 32)
        };
        let mut expected = [0; 32];
        expected[..3].fill(9);
        assert_eq!(returned(read(3), &[]), expected);
        assert_eq!(returned(read(64), &[]), [9; 32]);
    });
}

#[test]
fn storage_functions_enforce_their_limits() {
    run(|| {
        let most = u64::from(limits::STORAGE_VALUE_BYTES);
        let set = |key_len: u64, value_len: u64| {
            Contract::with_call().host("set_storage", &[0, at(0), key_len, at(0), value_len]).ret()
        };
        assert!(call(deploy(set(128, most).build()), &[]).result.is_ok());
        assert!(call(deploy(set(0, 0).build()), &[]).result.is_ok());
        assert_eq!(error(set(1, most + 1), &[]), Error::<Test>::ValueTooLarge.into());
        assert_eq!(error(set(129, 1), &[]), Error::<Test>::KeyTooLarge.into());
        let get = Contract::with_call().host("get_storage", &[0, at(0), 129, at(0), at(0)]).ret();
        assert_eq!(error(get, &[]), Error::<Test>::KeyTooLarge.into());
    });
}

#[test]
fn storage_functions_refuse_unknown_flags() {
    run(|| {
        for name in ["set_storage", "set_storage_or_clear", "get_storage", "get_storage_or_zero"] {
            let with_flags = |flags: u64| Contract::with_call().host(name, &[flags, at(0), 1, at(0), at(0)]).ret();
            assert_eq!(error(with_flags(2), &[]), Error::<Test>::InvalidStorageFlags.into(), "{name}");
        }
    });
}

#[test]
fn caller_and_origin_are_the_address_of_the_signer() {
    run(|| {
        let alice = Polkavm::view_address(&ALICE);
        assert_eq!(returned(written("caller", 20), &[]), alice.as_bytes());
        assert_eq!(returned(written("origin", 20), &[]), alice.as_bytes());
    });
}

#[test]
fn address_is_that_of_the_contract() {
    run(|| {
        let contract = deploy(written("address", 20).build());
        assert_eq!(call(contract, &[]).result.unwrap().data, contract.as_bytes());
    });
}

#[test]
fn value_transferred_is_in_the_contracts_unit() {
    run(|| {
        let contract = deploy(written("value_transferred", 32).build());
        assert_eq!(call_with_value(contract, 1000, &[]).result.unwrap().data, word(1000 * RATIO));
        assert_eq!(call(contract, &[]).result.unwrap().data, word(0));
    });
}

#[test]
fn now_is_in_seconds_and_block_number_is_that_of_the_block() {
    run(|| {
        assert_eq!(returned(written("now", 32), &[]), word(TIME / 1000));
        assert_eq!(returned(written("block_number", 32), &[]), word(BLOCK));
    });
}

#[test]
fn gas_price_base_fee_and_chain_id_are_those_of_the_configuration() {
    run(|| {
        assert_eq!(number(&returned(answered("gas_price", &[]), &[])), 1234);
        assert_eq!(returned(written("base_fee", 32), &[]), word(1234));
        assert_eq!(returned(written("chain_id", 32), &[]), word(42));
    });
}

#[test]
fn gas_limit_is_the_time_of_a_block() {
    run(|| {
        let block: frame_system::limits::BlockWeights = <Test as frame_system::Config>::BlockWeights::get();
        assert_eq!(number(&returned(answered("gas_limit", &[]), &[])), block.max_block.ref_time());
    });
}

#[test]
fn ref_time_left_goes_down_and_agrees_with_the_gas_limit() {
    run(|| {
        let code =
            Contract::with_call().host("ref_time_left", &[]).keep(0).host("ref_time_left", &[]).keep(8).give(0, 16);
        let data = returned(code, &[]);
        let (first, second) = (number(&data[..8]), number(&data[8..]));
        assert!(first < GAS.ref_time() && second < first, "{first} {second}");
        // The difference is the price of one call, without a block of instructions, as a host call doesn't end a block.
        let price = crate::metering::cost::Cost::Basic.weight::<<Test as crate::Config>::WeightInfo>().ref_time();
        assert_eq!(first - second, price);
    });
}

#[test]
fn balance_is_what_the_contract_could_send_away() {
    run(|| {
        let contract = deploy(written("balance", 32).build());
        assert_eq!(call(contract, &[]).result.unwrap().data, word(0), "neither deposits nor the existential one");
        assert_eq!(call_with_value(contract, 500, &[]).result.unwrap().data, word(500 * RATIO));
    });
}

/// Returns the 32 bytes with which a host function answers for an address.
fn asked_about(address: H160, function: &str) -> Vec<u8> {
    let code = Contract::with_call().data(0, address.as_bytes()).host(function, &[at(0), at(32)]).give(32, 32);
    returned(code, &[])
}

#[test]
fn balance_of_finds_accounts_that_are_mapped() {
    run(|| {
        let balance_of = |address| U256::from_little_endian(&asked_about(address, "balance_of"));
        let bob = Balances::reducible_balance(
            &BOB,
            frame_support::traits::tokens::Preservation::Preserve,
            frame_support::traits::tokens::Fortitude::Polite,
        );
        assert!(bob > 0);
        assert_eq!(balance_of(Polkavm::view_address(&BOB)), U256::from(bob) * RATIO);
        assert_eq!(balance_of(Polkavm::view_address(&CHARLIE)), U256::zero(), "not mapped");
        assert_eq!(balance_of(H160([9; 20])), U256::zero());
    });
}

#[test]
fn code_hash_tells_contracts_accounts_and_nothing_apart() {
    run(|| {
        let code_hash = |address| H256::from_slice(&asked_about(address, "code_hash"));
        let code = Contract::with_call().ret().build();
        let contract = deploy(code.clone());
        assert_eq!(code_hash(contract), H256(keccak_256(&code)));
        assert_eq!(code_hash(Polkavm::view_address(&BOB)), H256(keccak_256(&[])));
        assert_eq!(code_hash(H160([9; 20])), H256::zero());
    });
}

#[test]
fn code_size_is_zero_for_all_but_contracts() {
    run(|| {
        let code_size = |address: H160| {
            let code = Contract::with_call().data(8, address.as_bytes()).host("code_size", &[at(8)]).keep(0).give(0, 8);
            number(&returned(code, &[]))
        };
        let code = Contract::with_call().ret().build();
        let contract = deploy(code.clone());
        assert_eq!(code_size(contract), code.len() as u64);
        assert_eq!(code_size(Polkavm::view_address(&BOB)), 0);
        assert_eq!(code_size(H160([9; 20])), 0);
    });
}

#[test]
fn hash_keccak_256_hashes_and_may_overwrite_its_input() {
    run(|| {
        let hash = |len: u64, out: u32| {
            Contract::with_call().data(0, b"abc").host("hash_keccak_256", &[at(0), len, at(out)]).give(out, 32)
        };
        assert_eq!(returned(hash(3, 64), &[]), keccak_256(b"abc"));
        assert_eq!(returned(hash(3, 0), &[]), keccak_256(b"abc"));
        assert_eq!(returned(hash(0, 64), &[]), keccak_256(b""));
        let all = keccak_256(&[b"abc".as_slice(), &vec![0; RW_LEN as usize - 3]].concat());
        assert_eq!(returned(hash(RW_LEN.into(), 64), &[]), all);
        assert_eq!(error(hash(u64::from(RW_LEN) + 1, 64), &[]), Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn a_length_no_contract_has_is_refused_before_memory_is_taken_for_it() {
    run(|| {
        let contract = deploy(Contract::with_call().host("hash_keccak_256", &[at(0), SENTINEL, at(0)]).ret().build());
        // With any amount of gas, the length itself is refused.
        let limits = crate::Limits { gas: Weight::MAX, deposit: None };
        let execution = Polkavm::bare_call(ALICE, contract, 0, limits, Vec::new(), crate::ExecConfig::extrinsic());
        assert_eq!(execution.result.unwrap_err().error, Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn deposit_event_emits_topics_and_data() {
    run(|| {
        let emit = |topics: u64| {
            Contract::with_call()
                .data(0, &[1; 32])
                .data(32, &[2; 32])
                .data(128, b"data")
                .host("deposit_event", &[at(0), topics, at(128), 4])
                .ret()
                .build()
        };
        let contract = deploy(emit(2));
        assert!(call(contract, &[]).result.is_ok());
        let topics = vec![H256([1; 32]), H256([2; 32])];
        assert!(events().contains(&Event::ContractEmitted { contract, data: b"data".to_vec(), topics }));

        let contract = deploy(emit(0));
        assert!(call(contract, &[]).result.is_ok());
        assert!(events().contains(&Event::ContractEmitted { contract, data: b"data".to_vec(), topics: vec![] }));
    });
}

#[test]
fn deposit_event_enforces_its_limits() {
    run(|| {
        let emit =
            |topics: u64, len: u64| Contract::with_call().host("deposit_event", &[at(0), topics, at(0), len]).ret();
        assert!(call(deploy(emit(4, limits::EVENT_BYTES.into()).build()), &[]).result.is_ok());
        assert_eq!(error(emit(5, 0), &[]), Error::<Test>::TooManyTopics.into());
        assert_eq!(error(emit(0, u64::from(limits::EVENT_BYTES) + 1), &[]), Error::<Test>::EventTooLarge.into());
        let bad_pointer = Contract::with_call().host("deposit_event", &[NOWHERE.into(), 1, at(0), 0]).ret();
        assert_eq!(error(bad_pointer, &[]), Error::<Test>::OutOfBounds.into());
    });
}

#[test]
fn immutable_data_set_in_the_constructor_is_read_in_calls() {
    run(|| {
        let code = Contract::new()
            .data(0, b"for ever")
            .data(100, &64u32.to_le_bytes())
            .host("set_immutable_data", &[at(0), 8])
            .ret()
            .call()
            .host("get_immutable_data", &[at(104), at(100)])
            .give(100, 12);
        assert_eq!(returned(code, &[]), b"\x08\0\0\0for ever");
    });
}

#[test]
fn immutable_data_is_only_set_in_constructors_and_only_read_in_calls() {
    run(|| {
        let set_in_call = Contract::with_call().host("set_immutable_data", &[at(0), 8]).ret();
        assert_eq!(error(set_in_call, &[]), Error::<Test>::InvalidImmutableAccess.into());
        let get_without_any = Contract::with_call().host("get_immutable_data", &[at(0), at(0)]).ret();
        assert_eq!(error(get_without_any, &[]), Error::<Test>::InvalidImmutableAccess.into());

        let fails = |contract: Contract| {
            let code = contract.ret().call().ret().build();
            unchanged(|| instantiate(code, 0, &[]).result.unwrap_err().error)
        };
        let get_in_constructor =
            Contract::new().host("set_immutable_data", &[at(0), 8]).host("get_immutable_data", &[at(0), at(0)]);
        assert_eq!(fails(get_in_constructor), Error::<Test>::InvalidImmutableAccess.into());
        let empty = Contract::new().host("set_immutable_data", &[at(0), 0]);
        assert_eq!(fails(empty), Error::<Test>::InvalidImmutableAccess.into());
        let too_long = Contract::new().host("set_immutable_data", &[at(0), u64::from(limits::IMMUTABLE_BYTES) + 1]);
        assert_eq!(fails(too_long), Error::<Test>::ImmutableDataTooLarge.into());
    });
}

#[test]
fn pointers_and_lengths_are_the_low_half_of_their_register() {
    run(|| {
        let high = 0xdead_beef_0000_0000;
        let code =
            Contract::with_call().data(0, b"abc").host("hash_keccak_256", &[high | at(0), high | 3, high | at(64)]);
        assert_eq!(returned(code.give(64, 32), &[]), keccak_256(b"abc"));
    });
}

#[test]
fn empty_ranges_may_begin_anywhere() {
    run(|| {
        for pointer in [0, 1, 4, u64::from(NOWHERE), SENTINEL] {
            let code = Contract::with_call()
                .data(0, &[1; 64])
                .host("call_data_copy", &[pointer, 0, 0])
                .host("set_storage", &[0, pointer, 0, pointer, 0])
                .host("get_storage", &[0, pointer, 0, pointer, at(100)])
                .host("hash_keccak_256", &[pointer, 0, at(0)])
                .host("deposit_event", &[pointer, 0, pointer, 0])
                .host("return_data_copy", &[pointer, at(100), 0])
                .host("seal_return", &[0, pointer, 0])
                .trap();
            assert_eq!(returned(code, &[]), [0; 0], "{pointer:#x}");
        }
    });
}

#[test]
fn every_function_that_writes_fails_on_a_bad_pointer() {
    run(|| {
        let bad = u64::from(NOWHERE);
        for (name, args) in [
            ("call_data_load", vec![bad, 0]),
            ("caller", vec![bad]),
            ("origin", vec![bad]),
            ("address", vec![bad]),
            ("value_transferred", vec![bad]),
            ("now", vec![bad]),
            ("block_number", vec![bad]),
            ("base_fee", vec![bad]),
            ("chain_id", vec![bad]),
            ("balance", vec![bad]),
            ("balance_of", vec![at(0), bad]),
            ("balance_of", vec![bad, at(0)]),
            ("code_hash", vec![at(0), bad]),
            ("code_hash", vec![bad, at(0)]),
            ("code_size", vec![bad]),
            ("hash_keccak_256", vec![at(0), 1, bad]),
            ("return_data_copy", vec![at(0), bad, 0]),
            ("get_storage_or_zero", vec![0, at(0), bad]),
            ("get_storage_or_zero", vec![0, bad, at(0)]),
            ("set_storage", vec![0, bad, 1, at(0), 1]),
            ("set_storage", vec![0, at(0), 1, bad, 1]),
            ("set_storage_or_clear", vec![0, bad, at(0)]),
            ("set_storage_or_clear", vec![0, at(0), bad]),
        ] {
            let contract = Contract::with_call().data(0, &[1; 64]).host(name, &args).ret();
            assert_eq!(error(contract, &[]), Error::<Test>::OutOfBounds.into(), "{name} {args:x?}");
        }
    });
}
