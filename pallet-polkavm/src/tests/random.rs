//! Random extrinsics: for any interaction of contracts the pallet's state stays consistent, no balance is created or
//! lost, failed extrinsics change nothing, and all executors agree.

use super::puppet::{Call as Nested, NO_OUTPUT, SCRATCH, Script, puppet};
use crate::{
    Call, CodeInfoOf, ContractInfoOf, ExecConfig, Limits, UnitsInDust,
    mock::*,
    precompiles::{abi, address},
    program::Contract,
    types::{Execution, Output},
};
use frame_support::{
    traits::{Hooks, fungible::Inspect},
    weights::Weight,
};
use sp_core::{H160, H256};
use sp_runtime::AccountId32;

/// Numbers from a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// The accounts and programs that random scripts refer to.
struct World {
    contracts: Vec<H160>,
    others: Vec<H160>,
    codes: Vec<H256>,
}

impl World {
    fn now() -> Self {
        // Iteration is in the order of keys, so it does not depend on the order of execution.
        let mut contracts: Vec<_> = ContractInfoOf::<Test>::iter_keys().collect();
        contracts.sort_unstable();
        let mut codes: Vec<_> = CodeInfoOf::<Test>::iter_keys().collect();
        codes.sort_unstable();
        codes.push(H256::repeat_byte(1));
        let others = vec![
            Polkavm::view_address(&BOB),
            H160::repeat_byte(0x77),
            H160::repeat_byte(0x78),
            address(4),
            address(2),
            address(0x900),
            address(0x0a),
            address(REENTERS),
            address(CALLS_BACK),
            // Not mapped.
            Polkavm::view_address(&CHARLIE),
        ];
        Self { contracts, others, codes }
    }

    /// True if more contracts are acceptable: each is checked after each extrinsic.
    fn has_room(&self) -> bool {
        self.contracts.len() < 30
    }

    fn target(&self, random: &mut Random) -> H160 {
        if self.contracts.is_empty() || random.one_in(6) {
            random.pick(&self.others)
        } else {
            random.pick(&self.contracts)
        }
    }
}

fn nested(random: &mut Random) -> Nested {
    let mut flags = if random.one_in(3) { 0 } else { 8 };
    if random.one_in(8) {
        flags |= 16;
    }
    if random.one_in(12) {
        flags |= 4;
    }
    if random.one_in(20) {
        flags |= 1 << random.below(2);
    }
    Nested {
        flags,
        ref_time: if random.one_in(6) { random.below(3_000_000_000) } else { u64::MAX },
        proof_size: if random.one_in(10) { random.below(300_000) } else { u64::MAX },
        deposit: random.one_in(6).then(|| random.below(3_000).into()),
        // Amounts below a unit as well.
        value: if random.one_in(3) { random.below(300 * u64::from(RATIO)).into() } else { 0 },
    }
}

fn system(script: &mut Script, signature: &str, word: [u8; 32]) {
    let input = [abi::selector(signature).as_slice(), &word].concat();
    script.call_into(address(0x900), &Nested::default(), &input, NO_OUTPUT);
}

fn padded(address: H160) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address.as_bytes());
    word
}

/// A script of a few commands, with scripts for the contracts that it calls.
fn script(random: &mut Random, world: &World, depth: u32) -> Script {
    let mut script = Script::new();
    for _ in 0..random.below(5) + u64::from(depth) {
        let inner =
            |random: &mut Random| if depth == 0 { Script::new() } else { self::script(random, world, depth - 1) };
        match random.below(20) {
            0..=5 => {
                let (key, value) = (random.below(6) as u8 + 1, random.below(3) as u8);
                script.store(key, value);
            }
            6 => {
                let (key, len) = (script.bytes(&[random.below(4) as u8]), random.below(417));
                script.host("set_storage", &[random.below(2), key, 1, SCRATCH, len]);
            }
            7 => {
                script.host("deposit_event", &[0, 0, SCRATCH, random.below(40)]);
            }
            8..=12 => {
                let (target, call, inner) = (world.target(random), nested(random), inner(random));
                script.call(target, &call, &inner);
            }
            13 => {
                let (target, inner) = (world.target(random), inner(random));
                script.delegate(target, if random.one_in(10) { 4 } else { 0 }, &inner.encode());
            }
            14 | 15 if world.has_room() => {
                let salt = random.one_in(2).then(|| [random.below(4) as u8; 32]);
                let (code, call, inner) = (random.pick(&world.codes), nested(random), inner(random));
                script.instantiate(code, &call, &inner.encode(), salt, SCRATCH);
            }
            16 if random.one_in(2) => {
                let heir = script.bytes(world.target(random).as_bytes());
                script.host("terminate", &[heir]);
            }
            17 if random.one_in(2) || !world.has_room() => {
                system(&mut script, "terminate(address)", padded(world.target(random)))
            }
            18 if random.one_in(2) => system(&mut script, "setCodeHash(bytes32)", random.pick(&world.codes).0),
            19 => match random.below(8) {
                0 => drop(script.trap().encode()),
                1 => drop(script.revert(b"reverted").encode()),
                2 => drop(script.host("consume_all_gas", &[]).encode()),
                _ => drop(script.give(0, SCRATCH, 32).encode()),
            },
            _ => {
                let (key, value) = (script.bytes(&[1; 32]), script.bytes(&[random.below(2) as u8; 32]));
                script.host("set_storage_or_clear", &[1, key, value]);
            }
        }
    }
    script
}

/// A program that differs by a number.
fn other_program(number: u64) -> Vec<u8> {
    Contract::with_call().data(0, &number.to_le_bytes()).give(0, 8).build()
}

fn extrinsic(random: &mut Random, world: &World) -> Call<Test> {
    let value = if random.one_in(2) { random.below(2_000).into() } else { 0 };
    let gas_limit = if random.one_in(10) { Weight::from_parts(random.below(5_000_000_000), 500_000) } else { GAS };
    let storage_deposit_limit = if random.one_in(10) { random.below(5_000).into() } else { START };
    let salt = random.one_in(2).then(|| [random.below(4) as u8; 32]);
    match random.below(24) {
        0 | 1 if world.has_room() => {
            let data = script(random, world, 1).encode();
            let code_hash = random.pick(&world.codes);
            Call::instantiate { value, gas_limit, storage_deposit_limit, code_hash, data, salt }
        }
        2 if world.has_room() => {
            let code = if random.one_in(2) { puppet() } else { other_program(random.below(3)) };
            let data = script(random, world, 1).encode();
            Call::instantiate_with_code { value, gas_limit, storage_deposit_limit, code, data, salt }
        }
        3 => Call::upload_code { code: other_program(random.below(3)), storage_deposit_limit },
        4 => Call::remove_code { code_hash: random.pick(&world.codes) },
        5 if random.one_in(10) => Call::unmap_account {},
        6 if random.one_in(4) => Call::map_account {},
        6 if random.one_in(2) => {
            let call = RuntimeCall::Polkavm(extrinsic(random, world));
            Call::dispatch_as_fallback_account { call: Box::new(call) }
        }
        _ => {
            let data = script(random, world, 3).encode();
            Call::call { dest: world.target(random), value, gas_limit, storage_deposit_limit, data }
        }
    }
}

/// An origin that never signs.
const MULTISIG: AccountId32 = AccountId32::new([0x4d; 32]);

/// Dispatches `count` extrinsics and makes all checks after each. Returns the number of successful ones.
fn run_extrinsics(seed: u64, count: u32) -> u32 {
    let mut random = Random(seed);
    let issuance = || <Balances as Inspect<AccountId32>>::total_issuance() + UnitsInDust::<Test>::get();
    Balances::transfer_allow_death(RuntimeOrigin::signed(BOB), MULTISIG, START / 4).unwrap();
    let begin = issuance();
    upload(puppet());
    let mut passed = 0;
    for number in 0..count {
        let world = World::now();
        let who = random.pick(&[ALICE, ALICE, BOB, CHARLIE, MULTISIG]);
        let call = extrinsic(&mut random, &world);
        System::reset_events();
        // The account's nonce is incremented before the dispatch, except for a multisig's, which signs nothing itself.
        if who != MULTISIG {
            System::inc_account_nonce(&who);
        }
        // On a chain that maps accounts automatically, or not.
        AutoMap::set(&random.one_in(4));
        // The root of a state takes longer than an extrinsic.
        let before = random.one_in(8).then(root);
        let shown = format!("extrinsic {number}: {call:?}");
        let short = &shown[..shown.len().min(400)];
        match dispatch(who, call) {
            Ok(_) => passed += 1,
            Err(_) => {
                if let Some(before) = before {
                    assert_eq!(root(), before, "{short}: it failed and left something");
                }
            }
        }
        crate::integrity::check_state::<Test>().unwrap_or_else(|error| panic!("{short}: {error:?}"));
        assert_eq!(issuance(), begin, "{short}");
        AutoMap::set(&false);
        if random.one_in(5) {
            let limit = Weight::from_parts(random.below(2_000_000_000), 1 << 20);
            assert!(<Polkavm as Hooks<u64>>::on_idle(BLOCK, limit).all_lte(limit));
            crate::integrity::check_state::<Test>().unwrap();
        }
    }
    passed
}

/// For every call, the limits estimated by a dry run suffice. Returns the number of extrinsics.
fn try_estimates(seed: u64, count: u32) -> u32 {
    let mut random = Random(seed);
    upload(puppet());
    let mut tried = 0;
    for number in 0..count {
        let world = World::now();
        let data = script(&mut random, &world, 3).encode();
        let dest = world.target(&mut random);
        let value = random.below(2).into();
        let run = |limits: Limits<Balance>| {
            Polkavm::bare_call(ALICE, dest, value, limits, data.clone(), ExecConfig::dry_run())
        };
        let ended_well =
            |execution: &Execution<Output, Balance>| execution.result.as_ref().is_ok_and(|output| !output.did_revert());
        let (dry, state) = with_rollback(|| (run(no_limits()), root()));
        if ended_well(&dry) {
            tried += 1;
            let limits = Limits { gas: dry.gas_required, deposit: Some(dry.storage_deposit_required) };
            let (wet, same) = with_rollback(|| (run(limits), root()));
            assert_eq!((wet.result, wet.storage_deposit), (dry.result, dry.storage_deposit), "call {number}");
            assert_eq!(state, same, "call {number} leads to another state");
        }
        // On to another state.
        let _ = dispatch(ALICE, extrinsic(&mut random, &world));
    }
    tried
}

#[test]
fn limits_that_a_dry_run_tells_suffice_for_any_tree_of_calls() {
    run_in_runtime(|| {
        let tried = try_estimates(0x5eed_0003, 1_500);
        assert!(tried > 300, "{tried} calls went well");
    });
}

#[test]
fn all_executors_do_the_same_with_random_extrinsics() {
    run(|| {
        run_extrinsics(0x5eed_0001, 500);
    });
}

#[test]
fn ten_thousand_random_extrinsics_leave_the_state_in_order() {
    run_in_runtime(|| {
        let passed = run_extrinsics(0x5eed_0002, 10_000);
        assert!((3_000..9_500).contains(&passed), "{passed} of them went well");
        assert!(UnitsInDust::<Test>::get() > 0, "no dust was left");
        assert!(System::account_nonce(MULTISIG) > 0, "the multisig made no contract");
    });
}
