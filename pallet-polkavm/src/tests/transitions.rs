//! Tests that costs which belong to no instruction are charged: memory, machine code, waking a worker, settlement,
//! hashing for an address.
//!
//! Each test compares the weight of two executions that differ only in that cost.

use super::puppet::puppet;
use crate::{
    CodeInfoOf, Config,
    code::{Footprint, StoredFootprint, code_hash},
    exec::ExecConfig,
    metering::cost::{self, Cost},
    mock::*,
    program::{Contract, at},
    types::Code,
    weights::WeightInfo,
};
use codec::{Decode, Encode};
use frame_support::weights::Weight;
use vm_core::isa::{Instruction, Opcode, Reg};

type Weights = <Test as Config>::WeightInfo;

fn price(cost: Cost) -> Weight {
    cost.weight::<Weights>()
}

fn time(picoseconds: u64) -> Weight {
    Weight::from_parts(picoseconds, 0)
}

#[test]
fn memory_is_paid_by_the_page_at_every_instantiation() {
    run(|| {
        let with_memory = |bytes| Contract::with_call().memory(bytes).ret().build();
        let consumed = |bytes| {
            let code = with_memory(bytes);
            let len = code.len() as u32;
            // A larger size takes another byte or two of the blob.
            let load = price(Cost::LoadCode(len));
            let footprint = crate::code::check::check::<Test>(&code).unwrap().footprint;
            let compile = price(Cost::Compile { code_len: len, machine_code: footprint.machine_code });
            call(deploy(code), &[]).gas_consumed - load - compile
        };
        let page = time(cost::PAGE);
        assert_eq!(consumed(100 * 4096) - consumed(4096), page * 99);
        assert_eq!(consumed(4097) - consumed(4096), page, "a page that has begun is a page");
        // The largest contract pays the measured time of a thousand calls of it: more than a millisecond each.
        assert!(consumed(1_500_000).ref_time() > 366 * cost::PAGE);
    });
}

#[test]
fn code_that_becomes_much_machine_code_pays_for_compiling_it() {
    run(|| {
        let many = |opcode| {
            let one = Instruction::rrr(opcode, Reg::A0, Reg::A1, Reg::A2);
            (0..900).fold(Contract::with_call().ret(), |contract, _| contract.op(one)).trap().build()
        };
        let (additions, divisions) = (many(Opcode::Add64), many(Opcode::DivSigned64));
        assert_eq!(additions.len(), divisions.len());
        let [added, divided] = [&additions, &divisions].map(|code| {
            let footprint = crate::code::check::check::<Test>(code).unwrap().footprint;
            (footprint.machine_code, call(deploy(code.clone()), &[]).gas_consumed)
        });
        assert!(divided.0 > 5 * added.0, "{} and {} bytes", divided.0, added.0);
        assert!(divided.1.ref_time() > added.1.ref_time() + 900 * 64 * cost::MACHINE_CODE_BYTE / 2);
        // The largest program of divisions: 17 MiB, 49 ms.
        let largest = price(Cost::Compile { code_len: 1 << 20, machine_code: (1 << 20) / 3 * 64 });
        assert!((largest + price(Cost::LoadCode(1 << 20))).ref_time() > 49_000_000_000);
    });
}

#[test]
fn what_takes_longer_than_a_worker_waits_awake_pays_for_waking_it() {
    let extra = |cost: Cost, work: Weight| cost.weight::<Weights>().saturating_sub(work).ref_time();
    let short = cost::CROSSING;
    let long = cost::CROSSING + cost::WAKE;
    assert_eq!(extra(Cost::Basic, Weights::host_basic()), short);
    assert_eq!(extra(Cost::Keccak256(32), Weights::host_keccak_256(32)), short);
    assert_eq!(extra(Cost::Keccak256(131_072), Weights::host_keccak_256(131_072)), long);
    assert_eq!(extra(Cost::Sr25519Verify(131_072), Weights::host_sr25519_verify(131_072)), long);
    // A callee may take any time.
    for (cost, work) in [
        (Cost::Call, Weights::host_call()),
        (Cost::DelegateCall, Weights::host_delegate_call()),
        (Cost::Instantiate(0), Weights::host_instantiate(0)),
    ] {
        assert_eq!(extra(cost, work), long, "{cost:?}");
    }
    // A precompile's work is no stop, but takes time while the worker waits.
    assert_eq!(extra(Cost::CallPrecompile, Weights::host_call_precompile()), short);
    assert_eq!(extra(Cost::Bn128Mul, Weights::precompile_bn128_mul()), cost::WAKE);
    assert_eq!(extra(Cost::Blake2(1), Weights::precompile_blake2(1)), 0);
}

#[test]
fn the_first_change_of_a_contracts_storage_pays_for_its_settlement() {
    run(|| {
        let writes = |lengths: [u64; 2]| {
            Contract::with_call()
                .data(0, &32u32.to_le_bytes())
                .host("set_storage", &[0, at(0), 4, at(0), lengths[0]])
                .host("set_storage", &[0, at(0), 4, at(0), lengths[1]])
                .ret()
                .build()
        };
        let contract = deploy(writes([10, 20]));
        let set = |old, new| price(Cost::SetStorage { old, new });
        // The values have 0, then 10, then 20 bytes; the second time 20, 10, 20.
        let first = call(contract, &[]).gas_consumed - set(0, 10) - set(10, 20);
        let second = call(contract, &[]).gas_consumed - set(20, 10) - set(10, 20);
        assert_eq!(first, second, "once for the contract, however often it writes");

        let same = deploy(writes([20, 20]));
        let fresh = call(same, &[]).gas_consumed - set(0, 20) - set(20, 20);
        let unchanged = call(same, &[]).gas_consumed - set(20, 20) - set(20, 20);
        assert_eq!(fresh, first);
        assert_eq!(fresh - unchanged, price(Cost::Settle), "no deposit moves for a value of the same length");
        assert!(price(Cost::Settle).ref_time() > 0);
    });
}

#[test]
fn an_address_from_a_salt_pays_for_hashing_the_stored_code() {
    run(|| {
        let program = |bytes: usize| Contract::with_call().ret().data(0, &vec![1; bytes]).build();
        let make = |code: &[u8], salt| {
            let limits = no_limits();
            let code = Code::Existing(code_hash(code));
            let made = Polkavm::bare_instantiate(ALICE, 0, limits, code, vec![7; 5], salt, ExecConfig::extrinsic());
            assert!(made.result.is_ok());
            made.gas_consumed
        };
        for len in [10, 50_000] {
            let code = program(len);
            upload(code.clone());
            let (salted, counted) = (make(&code, Some([3; 32])), make(&code, None));
            assert_eq!(salted - counted, price(Cost::Create2(code.len() as u32 + 5)));
        }
        // The extrinsic that brings its code pays for hashing it with its base weight.
        let code = program(20);
        let (brought, stored) = (instantiate(code.clone(), 0, &[7; 5]).gas_consumed, make(&code, Some([4; 32])));
        assert_eq!(stored - brought, price(Cost::Create2(code.len() as u32 + 5)));
    });
}

#[test]
fn code_of_before_footprints_is_measured_by_the_first_that_loads_it() {
    run(|| {
        let contract = deploy(puppet());
        let hash = code_hash(&puppet());
        let expected = CodeInfoOf::<Test>::get(hash).unwrap();
        let usual = call(contract, &[]).gas_consumed;
        // As it was stored then: the record ends before the footprint.
        let key = CodeInfoOf::<Test>::hashed_key_for(hash);
        let now = sp_io::storage::get(&key).unwrap();
        let footprint = expected.footprint.encode();
        sp_io::storage::set(&key, &now[..now.len() - footprint.len()]);
        assert_eq!(CodeInfoOf::<Test>::get(hash).unwrap().footprint, StoredFootprint(None));

        let first = call(contract, &[]).gas_consumed;
        assert_eq!(CodeInfoOf::<Test>::get(hash).unwrap(), expected);
        assert_eq!(first - usual, Weights::upload_code(expected.code_len));
        assert_eq!(call(contract, &[]).gas_consumed, usual);
    });
}

#[test]
fn a_footprint_is_stored_as_it_is_and_a_damaged_one_is_an_error() {
    let some = StoredFootprint(Some(Footprint { machine_code: 1, memory_pages: 2 }));
    assert_eq!(some.encode(), [1, 1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(StoredFootprint::decode(&mut &some.encode()[..]), Ok(some));
    assert_eq!(StoredFootprint::decode(&mut &[][..]), Ok(StoredFootprint(None)));
    assert!(StoredFootprint::decode(&mut &some.encode()[..5]).is_err());
}
