//! The weights, measured. Made by `make weights`: change the benchmarks and run it again, nothing here.
//!
//! WAY: contracts interpreted inside the runtime
//! DATE: 2026-11-25, STEPS: 20, REPEAT: 8, CPU: AMD EPYC, WASM-EXECUTION: Compiled

// Executed command:
//   target/benchmarks/debug/node-template
//   benchmark
//   --chain
//   dev
//   --pallet
//   pallet_polkavm
//   --extrinsic
//   *
//   --steps
//   20
//   --repeat
//   8
//   --template
//   scripts/weights.hbs
//   --output
//   pallet-polkavm/src/weights/measured.rs

#![cfg_attr(rustfmt, rustfmt_skip)]

use super::WeightInfo;
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// The weights of the benchmarks, with the database weights of a runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// The range of component `c` is `[0, 262144]`.
	fn upload_code(c: u32, ) -> Weight {
		// Minimum execution time: 113_309_000 picoseconds.
		Weight::from_parts(107_880_366, 3563)
			// Standard error: 6
			.saturating_add(Weight::from_parts(5_259, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn remove_code() -> Weight {
		// Minimum execution time: 95_833_000 picoseconds.
		Weight::from_parts(99_198_000, 3726)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	/// The range of component `i` is `[0, 131072]`.
	fn instantiate(i: u32, ) -> Weight {
		// Minimum execution time: 347_357_000 picoseconds.
		Weight::from_parts(365_115_972, 4834)
			// Standard error: 12
			.saturating_add(Weight::from_parts(3_513, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}

	/// The range of component `c` is `[0, 262144]`.
	/// The range of component `i` is `[0, 131072]`.
	fn instantiate_with_code(c: u32, i: u32, ) -> Weight {
		// Minimum execution time: 855_053_000 picoseconds.
		Weight::from_parts(549_428_705, 6124)
			// Standard error: 88
			.saturating_add(Weight::from_parts(10_212, 0).saturating_mul(c.into()))
			// Standard error: 176
			.saturating_add(Weight::from_parts(2_782, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	/// The range of component `i` is `[0, 131072]`.
	fn call(i: u32, ) -> Weight {
		// Minimum execution time: 160_619_000 picoseconds.
		Weight::from_parts(168_808_861, 5083)
			// Standard error: 4
			.saturating_add(Weight::from_parts(379, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn map_account() -> Weight {
		// Minimum execution time: 103_735_000 picoseconds.
		Weight::from_parts(107_170_000, 3471)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn unmap_account() -> Weight {
		// Minimum execution time: 93_790_000 picoseconds.
		Weight::from_parts(97_656_000, 3603)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	/// The range of component `c` is `[0, 262144]`.
	fn load_code(c: u32, ) -> Weight {
		// Minimum execution time: 23_085_000 picoseconds.
		Weight::from_parts(17_456_893, 3754)
			// Standard error: 21
			.saturating_add(Weight::from_parts(15_413, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(Weight::from_parts(0, 1).saturating_mul(c.into()))
	}

	fn host_basic() -> Weight {
		// Minimum execution time: 2_764_000 picoseconds.
		Weight::from_parts(3_195_000, 0)
	}

	fn host_address() -> Weight {
		// Minimum execution time: 3_965_000 picoseconds.
		Weight::from_parts(4_467_000, 0)
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_copy_in(n: u32, ) -> Weight {
		// Minimum execution time: 781_000 picoseconds.
		Weight::from_parts(2_370_411, 0)
			// Standard error: 3
			.saturating_add(Weight::from_parts(769, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_copy_out(n: u32, ) -> Weight {
		// Minimum execution time: 831_000 picoseconds.
		Weight::from_parts(1_463_340, 0)
			// Standard error: 0
			.saturating_add(Weight::from_parts(275, 0).saturating_mul(n.into()))
	}

	fn host_balance() -> Weight {
		// Minimum execution time: 12_068_000 picoseconds.
		Weight::from_parts(13_190_000, 3643)
			.saturating_add(T::DbWeight::get().reads(1))
	}

	fn host_balance_of() -> Weight {
		// Minimum execution time: 16_435_000 picoseconds.
		Weight::from_parts(17_616_000, 3760)
			.saturating_add(T::DbWeight::get().reads(2))
	}

	fn host_code_hash() -> Weight {
		// Minimum execution time: 18_437_000 picoseconds.
		Weight::from_parts(19_820_000, 3698)
			.saturating_add(T::DbWeight::get().reads(3))
	}

	fn host_code_size() -> Weight {
		// Minimum execution time: 19_349_000 picoseconds.
		Weight::from_parts(20_801_000, 3924)
			.saturating_add(T::DbWeight::get().reads(2))
	}

	/// The range of component `n` is `[0, 416]`.
	fn host_get_storage(n: u32, ) -> Weight {
		// Minimum execution time: 12_869_000 picoseconds.
		Weight::from_parts(14_909_331, 3712)
			// Standard error: 58
			.saturating_add(Weight::from_parts(1_518, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(Weight::from_parts(0, 1).saturating_mul(n.into()))
	}

	/// The range of component `o` is `[0, 416]`.
	/// The range of component `n` is `[0, 416]`.
	fn host_set_storage(o: u32, _n: u32, ) -> Weight {
		// Minimum execution time: 15_263_000 picoseconds.
		Weight::from_parts(17_343_387, 3712)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(Weight::from_parts(0, 1).saturating_mul(o.into()))
	}

	/// The range of component `n` is `[1, 4096]`.
	fn host_get_immutable_data(n: u32, ) -> Weight {
		// Minimum execution time: 11_877_000 picoseconds.
		Weight::from_parts(13_165_458, 3625)
			// Standard error: 5
			.saturating_add(Weight::from_parts(623, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(Weight::from_parts(0, 1).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[1, 4096]`.
	fn host_set_immutable_data(n: u32, ) -> Weight {
		// Minimum execution time: 6_239_000 picoseconds.
		Weight::from_parts(7_266_056, 0)
			// Standard error: 3
			.saturating_add(Weight::from_parts(545, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_keccak_256(n: u32, ) -> Weight {
		// Minimum execution time: 4_096_000 picoseconds.
		Weight::from_parts(3_470_940, 0)
			// Standard error: 3
			.saturating_add(Weight::from_parts(3_161, 0).saturating_mul(n.into()))
	}

	/// The range of component `t` is `[0, 4]`.
	/// The range of component `n` is `[0, 65536]`.
	fn host_deposit_event(t: u32, n: u32, ) -> Weight {
		// Minimum execution time: 10_425_000 picoseconds.
		Weight::from_parts(9_511_547, 0)
			// Standard error: 11_310
			.saturating_add(Weight::from_parts(596_041, 0).saturating_mul(t.into()))
			// Standard error: 0
			.saturating_add(Weight::from_parts(642, 0).saturating_mul(n.into()))
	}

	fn host_call() -> Weight {
		// Minimum execution time: 42_914_000 picoseconds.
		Weight::from_parts(45_388_000, 4110)
			.saturating_add(T::DbWeight::get().reads(3))
	}

	fn host_call_precompile() -> Weight {
		// Minimum execution time: 8_753_000 picoseconds.
		Weight::from_parts(10_335_000, 0)
	}

	fn host_delegate_call() -> Weight {
		// Minimum execution time: 42_263_000 picoseconds.
		Weight::from_parts(45_427_000, 4110)
			.saturating_add(T::DbWeight::get().reads(3))
	}

	fn host_call_transfer() -> Weight {
		// Minimum execution time: 189_923_000 picoseconds.
		Weight::from_parts(196_983_000, 6351)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_clone_input(n: u32, ) -> Weight {
		// Minimum execution time: 491_000 picoseconds.
		Weight::from_parts(1_178_983, 0)
			// Standard error: 0
			.saturating_add(Weight::from_parts(94, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_instantiate(n: u32, ) -> Weight {
		// Minimum execution time: 264_444_000 picoseconds.
		Weight::from_parts(297_485_682, 6822)
			// Standard error: 6
			.saturating_add(Weight::from_parts(285, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	/// The range of component `n` is `[0, 1048576]`.
	fn host_create2(n: u32, ) -> Weight {
		// Minimum execution time: 2_143_000 picoseconds.
		Weight::from_parts(2_274_000, 0)
			// Standard error: 1
			.saturating_add(Weight::from_parts(2_945, 0).saturating_mul(n.into()))
	}

	fn host_terminate() -> Weight {
		// Minimum execution time: 324_613_000 picoseconds.
		Weight::from_parts(333_096_000, 6676)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(8))
	}

	fn host_set_code_hash() -> Weight {
		// Minimum execution time: 50_446_000 picoseconds.
		Weight::from_parts(53_911_000, 6311)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn host_block_hash() -> Weight {
		// Minimum execution time: 10_426_000 picoseconds.
		Weight::from_parts(11_628_000, 3557)
			.saturating_add(T::DbWeight::get().reads(1))
	}

	fn host_block_author() -> Weight {
		// Minimum execution time: 3_946_000 picoseconds.
		Weight::from_parts(4_537_000, 0)
	}

	fn host_account_id() -> Weight {
		// Minimum execution time: 7_040_000 picoseconds.
		Weight::from_parts(7_732_000, 3548)
			.saturating_add(T::DbWeight::get().reads(1))
	}

	/// The range of component `n` is `[0, 416]`.
	fn host_get_transient(n: u32, ) -> Weight {
		// Minimum execution time: 1_502_000 picoseconds.
		Weight::from_parts(2_286_338, 0)
			// Standard error: 20
			.saturating_add(Weight::from_parts(498, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 416]`.
	fn host_set_transient(n: u32, ) -> Weight {
		// Minimum execution time: 2_794_000 picoseconds.
		Weight::from_parts(3_663_012, 0)
			// Standard error: 25
			.saturating_add(Weight::from_parts(652, 0).saturating_mul(n.into()))
	}

	fn host_ecdsa_to_eth_address() -> Weight {
		// Minimum execution time: 12_900_000 picoseconds.
		Weight::from_parts(13_480_000, 0)
	}

	/// The range of component `n` is `[0, 131072]`.
	fn host_sr25519_verify(n: u32, ) -> Weight {
		// Minimum execution time: 48_362_000 picoseconds.
		Weight::from_parts(52_546_514, 0)
			// Standard error: 18
			.saturating_add(Weight::from_parts(5_039, 0).saturating_mul(n.into()))
	}

	fn precompile_ecrecover() -> Weight {
		// Minimum execution time: 45_277_000 picoseconds.
		Weight::from_parts(46_479_000, 0)
	}

	/// The range of component `n` is `[0, 131072]`.
	fn precompile_sha256(n: u32, ) -> Weight {
		// Minimum execution time: 2_043_000 picoseconds.
		Weight::from_parts(2_838_852, 0)
			// Standard error: 0
			.saturating_add(Weight::from_parts(609, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn precompile_ripemd160(n: u32, ) -> Weight {
		// Minimum execution time: 1_352_000 picoseconds.
		Weight::from_parts(1_399_196, 0)
			// Standard error: 0
			.saturating_add(Weight::from_parts(3_227, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 500000]`.
	fn precompile_modexp(n: u32, ) -> Weight {
		// Minimum execution time: 114_771_000 picoseconds.
		Weight::from_parts(66_909_043, 0)
			// Standard error: 11
			.saturating_add(Weight::from_parts(14_908, 0).saturating_mul(n.into()))
	}

	fn precompile_bn128_add() -> Weight {
		// Minimum execution time: 13_089_000 picoseconds.
		Weight::from_parts(15_052_000, 0)
	}

	fn precompile_bn128_mul() -> Weight {
		// Minimum execution time: 929_284_000 picoseconds.
		Weight::from_parts(1_021_792_000, 0)
	}

	/// The range of component `n` is `[0, 8]`.
	fn precompile_bn128_pairing(n: u32, ) -> Weight {
		// Minimum execution time: 1_633_000 picoseconds.
		Weight::from_parts(7_696_374_823, 0)
			// Standard error: 161_986_805
			.saturating_add(Weight::from_parts(5_778_997_590, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 10000]`.
	fn precompile_blake2f(n: u32, ) -> Weight {
		// Minimum execution time: 1_272_000 picoseconds.
		Weight::from_parts(1_742_904, 0)
			// Standard error: 4
			.saturating_add(Weight::from_parts(20_866, 0).saturating_mul(n.into()))
	}

	/// The range of component `n` is `[0, 131072]`.
	fn precompile_blake2(n: u32, ) -> Weight {
		// Minimum execution time: 922_000 picoseconds.
		Weight::from_parts(1_550_847, 0)
			// Standard error: 0
			.saturating_add(Weight::from_parts(925, 0).saturating_mul(n.into()))
	}

	fn deletion_base() -> Weight {
		// Minimum execution time: 2_774_000 picoseconds.
		Weight::from_parts(3_585_000, 1491)
			.saturating_add(T::DbWeight::get().reads(1))
	}

	/// The range of component `n` is `[0, 500]`.
	fn deletion(n: u32, ) -> Weight {
		// Minimum execution time: 21_392_000 picoseconds.
		Weight::from_parts(22_584_000, 3786)
			// Standard error: 5_528
			.saturating_add(Weight::from_parts(1_949_392, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 77).saturating_mul(n.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_add(r: u32, ) -> Weight {
		// Minimum execution time: 10_616_000 picoseconds.
		Weight::from_parts(21_728_433, 0)
			// Standard error: 932
			.saturating_add(Weight::from_parts(244_491, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_multiply(r: u32, ) -> Weight {
		// Minimum execution time: 10_796_000 picoseconds.
		Weight::from_parts(14_938_604, 0)
			// Standard error: 871
			.saturating_add(Weight::from_parts(813_978, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_divide(r: u32, ) -> Weight {
		// Minimum execution time: 10_555_000 picoseconds.
		Weight::from_parts(16_493_634, 0)
			// Standard error: 224
			.saturating_add(Weight::from_parts(337_168, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_shift(r: u32, ) -> Weight {
		// Minimum execution time: 10_566_000 picoseconds.
		Weight::from_parts(19_899_329, 0)
			// Standard error: 441
			.saturating_add(Weight::from_parts(337_782, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_load(r: u32, ) -> Weight {
		// Minimum execution time: 10_576_000 picoseconds.
		Weight::from_parts(34_556_933, 0)
			// Standard error: 706
			.saturating_add(Weight::from_parts(443_674, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_store(r: u32, ) -> Weight {
		// Minimum execution time: 10_596_000 picoseconds.
		Weight::from_parts(31_967_650, 0)
			// Standard error: 539
			.saturating_add(Weight::from_parts(473_071, 0).saturating_mul(r.into()))
	}

	/// The range of component `r` is `[0, 1000]`.
	fn instruction_branch(r: u32, ) -> Weight {
		// Minimum execution time: 10_565_000 picoseconds.
		Weight::from_parts(25_188_947, 0)
			// Standard error: 281
			.saturating_add(Weight::from_parts(579_601, 0).saturating_mul(r.into()))
	}

}
