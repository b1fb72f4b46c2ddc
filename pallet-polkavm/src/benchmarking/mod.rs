//! Benchmarks of the weights of [`WeightInfo`]: each benchmark has the name of its function.
//!
//! A host function is called in the same way as by the call stack, with a contract that waits for it, so its weight is
//! the host's work. The VM's stop and continuation are not included: they are [`crate::metering::cost::CROSSING`]. The
//! weight of a call, and of an instantiation, includes an empty contract, whose program is charged a second time when
//! it is loaded: the result is slightly too high rather than too low.
//!
//! The benchmarks named `instruction_*` run a hundred instructions of a kind for each unit of their component. They
//! justify the prices of gas in [`Config::Pricing`]: no kind may take longer than the time that it is charged.

#![allow(missing_docs, reason = "a benchmark has the documentation of the weight function with its name")]

mod setup;
mod vectors;

use crate::{
    BalanceOf, Call, CodeInfoOf, Config, ContractInfoOf, DeletionQueueBounds, Pallet,
    address::AddressMapper,
    code::{self, Executable},
    contract::{self, ContractInfo, Key},
    exec::bench::Waiting,
    host_api::Halt,
    limits,
    metering::gas::GasMeter,
    precompiles,
    program::{Contract, at},
    types::EntryPoint,
};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{traits::fungible::Mutate, weights::Weight};
use frame_system::RawOrigin;
use pallet_revive_uapi::ReturnErrorCode;
use setup::*;
use sp_core::{H160, H256};
use vectors::*;
use vm_core::isa::{Instruction, Opcode, Reg};

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark(pov_mode = Measured)]
    fn upload_code(c: Linear<0, { limits::CODE_BYTES / 4 }>) {
        let origin = caller::<T>();
        let code = busy_program(c);
        let code_hash = code::code_hash(&code);

        #[block]
        {
            Pallet::<T>::bare_upload_code(origin, code, None).unwrap_or_else(|failure| panic!("{failure:?}"));
        }
        assert!(CodeInfoOf::<T>::contains_key(code_hash));
    }

    #[benchmark(pov_mode = Measured)]
    fn remove_code() {
        let origin = caller::<T>();
        let code = program(1000);
        let code_hash = code::code_hash(&code);
        let _ = Pallet::<T>::bare_upload_code(origin.clone(), code, None);

        #[extrinsic_call]
        _(RawOrigin::Signed(origin), code_hash);

        assert!(!CodeInfoOf::<T>::contains_key(code_hash));
    }

    #[benchmark(pov_mode = Measured)]
    fn instantiate(i: Linear<0, { limits::CALLDATA_BYTES }>) {
        let origin = caller::<T>();
        let code = program(1000);
        let code_hash = code::code_hash(&code);
        let _ = Pallet::<T>::bare_upload_code(origin.clone(), code, None);
        let value = BalanceOf::<T>::from(1_000u32);
        let limit = BalanceOf::<T>::try_from(u64::MAX).unwrap_or_else(|_| u32::MAX.into());
        let data = vec![1; i as usize];

        #[block]
        {
            read_block_context::<T>();
            let origin = RawOrigin::Signed(origin).into();
            succeed(Pallet::<T>::instantiate(origin, value, Weight::MAX, limit, code_hash, data, Some([1; 32])));
        }

        assert_eq!(ContractInfoOf::<T>::iter().count(), 1);
    }

    #[benchmark(pov_mode = Measured)]
    fn instantiate_with_code(c: Linear<0, { limits::CODE_BYTES / 4 }>, i: Linear<0, { limits::CALLDATA_BYTES }>) {
        let origin = caller::<T>();
        let value = BalanceOf::<T>::from(1_000u32);
        let limit = BalanceOf::<T>::try_from(u64::MAX).unwrap_or_else(|_| u32::MAX.into());
        let (code, data) = (busy_program(c), vec![1; i as usize]);

        #[block]
        {
            read_block_context::<T>();
            let origin = RawOrigin::Signed(origin).into();
            succeed(Pallet::<T>::instantiate_with_code(origin, value, Weight::MAX, limit, code, data, Some([1; 32])));
        }

        assert_eq!(ContractInfoOf::<T>::iter().count(), 1);
    }

    #[benchmark(pov_mode = Measured)]
    fn call(i: Linear<0, { limits::CALLDATA_BYTES }>) {
        let origin = caller::<T>();
        let contract = made::<T>(&origin, program(1000));
        let value = BalanceOf::<T>::from(1_000u32);
        let data = vec![1; i as usize];

        #[block]
        {
            read_block_context::<T>();
            let origin = RawOrigin::Signed(origin).into();
            succeed(Pallet::<T>::call(origin, contract, value, Weight::MAX, 0u32.into(), data));
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn map_account() {
        let origin: T::AccountId = whitelisted_caller();
        T::Currency::set_balance(&origin, BalanceOf::<T>::try_from(u64::MAX).unwrap_or_else(|_| u32::MAX.into()));

        #[extrinsic_call]
        _(RawOrigin::Signed(origin.clone()));

        assert!(T::AddressMapper::is_mapped(&origin));
    }

    #[benchmark(pov_mode = Measured)]
    fn unmap_account() {
        let origin = caller::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(origin.clone()));

        assert!(!T::AddressMapper::is_mapped(&origin));
    }

    #[benchmark(pov_mode = Measured)]
    fn load_code(c: Linear<0, { limits::CODE_BYTES / 4 }>) {
        let origin = caller::<T>();
        // Each instruction runs once, including its translation.
        let code = busy_program(c);
        let code_hash = code::code_hash(&code);
        let _ = Pallet::<T>::bare_upload_code(origin, code, None);

        #[block]
        {
            let executable = Executable::<T>::load(code_hash, &mut GasMeter::new(Weight::MAX));
            let executable = executable.unwrap_or_else(|failure| panic!("{failure:?}"));
            executable.with_code(run::<T>).unwrap_or_else(|failure| panic!("{failure:?}"));
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn host_basic() {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("now", &[at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_address() {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("origin", &[at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_copy_in(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = waiting::<T>(EntryPoint::Call, vec![1; n as usize]);
        let result;
        #[block]
        {
            result = waiting.call("call_data_copy", &[at(DATA), n.into(), 0]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_copy_out(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("seal_return", &[0, at(DATA), n.into()]);
        }
        assert!(matches!(result, Err(Halt::Return { .. })));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_balance() {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("balance", &[at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_balance_of() {
        let mut waiting = called::<T>();
        let other = rich::<T>(account("other", 0, 0));
        waiting.write(at(0), T::AddressMapper::to_address(&other).as_bytes());
        let result;
        #[block]
        {
            result = waiting.call("balance_of", &[at(0), at(32)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_code_hash() {
        let mut waiting = called::<T>();
        // An address without an account takes the most lookups.
        waiting.write(at(0), &[9; 20]);
        let result;
        #[block]
        {
            result = waiting.call("code_hash", &[at(0), at(32)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_code_size() {
        let mut waiting = called::<T>();
        let other = made::<T>(&rich::<T>(account("other", 0, 0)), program(1000));
        waiting.write(at(0), other.as_bytes());
        let result;
        #[block]
        {
            result = waiting.call("code_size", &[at(0)]);
        }
        assert!(matches!(result, Ok(Some(size)) if size > 0));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_get_storage(n: Linear<0, { limits::STORAGE_VALUE_BYTES }>) {
        let mut waiting = called::<T>();
        let key = Key::variable(vec![1; limits::STORAGE_KEY_BYTES as usize]).unwrap_or(Key::Fixed([1; 32]));
        waiting.stack.write_storage(&key, Some(&vec![1; n as usize]));
        waiting.write(at(0), &[1; limits::STORAGE_KEY_BYTES as usize]);
        waiting.write(at(1000), &limits::STORAGE_VALUE_BYTES.to_le_bytes());
        let result;
        #[block]
        {
            result = waiting.call("get_storage", &[0, at(0), limits::STORAGE_KEY_BYTES.into(), at(2000), at(1000)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_set_storage(o: Linear<0, { limits::STORAGE_VALUE_BYTES }>, n: Linear<0, { limits::STORAGE_VALUE_BYTES }>) {
        let mut waiting = called::<T>();
        let key = Key::variable(vec![1; limits::STORAGE_KEY_BYTES as usize]).unwrap_or(Key::Fixed([1; 32]));
        waiting.stack.write_storage(&key, Some(&vec![1; o as usize]));
        waiting.write(at(0), &[1; limits::STORAGE_KEY_BYTES as usize]);
        let result;
        #[block]
        {
            result = waiting.call("set_storage", &[0, at(0), limits::STORAGE_KEY_BYTES.into(), at(2000), n.into()]);
        }
        assert!(matches!(result, Ok(Some(len)) if len == u64::from(o)));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_get_immutable_data(n: Linear<1, { limits::IMMUTABLE_BYTES }>) {
        let origin = caller::<T>();
        let code = Contract::new()
            .memory(MEMORY)
            .host("set_immutable_data", &[at(0), n.into()])
            .ret()
            .call()
            .host("address", &[at(0)])
            .ret()
            .build();
        let contract = made::<T>(&origin, code);
        let mut waiting = Waiting::<T>::new(origin, contract, EntryPoint::Call, Vec::new())
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        waiting.write(at(0), &n.to_le_bytes());
        let result;
        #[block]
        {
            result = waiting.call("get_immutable_data", &[at(DATA), at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_set_immutable_data(n: Linear<1, { limits::IMMUTABLE_BYTES }>) {
        let mut waiting = waiting::<T>(EntryPoint::Deploy, Vec::new());
        let result;
        #[block]
        {
            result = waiting.call("set_immutable_data", &[at(DATA), n.into()]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_keccak_256(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("hash_keccak_256", &[at(DATA), n.into(), at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_deposit_event(t: Linear<0, { limits::EVENT_TOPICS }>, n: Linear<0, { limits::EVENT_BYTES }>) {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("deposit_event", &[at(0), t.into(), at(DATA), n.into()]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_call() {
        let mut waiting = called::<T>();
        let callee = made::<T>(&rich::<T>(account("other", 0, 0)), program(100));
        let args = call_args(&mut waiting, callee, 0u32.into(), &[]);
        let result;
        #[block]
        {
            result = waiting.call("call", &args);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_call_precompile() {
        let mut waiting = called::<T>();
        let args = call_args(&mut waiting, precompiles::address(4), 0u32.into(), &[]);
        let result;
        #[block]
        {
            result = waiting.call("call", &args);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_delegate_call() {
        let mut waiting = called::<T>();
        let callee = made::<T>(&rich::<T>(account("other", 0, 0)), program(100));
        waiting.write(at(100), callee.as_bytes());
        waiting.write(at(300), &[0xff; 32]);
        let args = [pack(0, at(100)), u64::MAX, u64::MAX, at(300), pack(0, at(0)), no_output()];
        let result;
        #[block]
        {
            result = waiting.call("delegate_call", &args);
        }
        assert!(succeeded(result));
    }

    /// A transfer to an account that has to be created.
    #[benchmark(pov_mode = Measured)]
    fn host_call_transfer() {
        let mut waiting = called::<T>();
        let args = call_args(&mut waiting, H160([9; 20]), 1_000u32.into(), &[]);
        let result;
        #[block]
        {
            result = waiting.call("call", &args);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_clone_input(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let waiting = waiting::<T>(EntryPoint::Call, vec![1; n as usize]);
        let copy;
        #[block]
        {
            copy = waiting.stack.top().input.clone();
        }
        assert_eq!(copy.map(|copy| copy.len()), Some(n as usize));
    }

    /// Includes the settlement of its deposit at the end of the transaction.
    #[benchmark(pov_mode = Measured)]
    fn host_instantiate(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let code = program(100);
        let code_hash = code::code_hash(&code);
        let _ = Pallet::<T>::bare_upload_code(rich::<T>(account("other", 0, 0)), code, None);
        waiting.write(at(DATA), code_hash.as_bytes());
        waiting.write(at(200), &[0; 32]);
        waiting.write(at(300), &[0xff; 32]);
        let args = [
            u64::MAX,
            u64::MAX,
            pack(at(300), at(200)),
            pack(32 + u64::from(n), at(DATA)),
            no_output(),
            pack(NONE, NONE),
        ];
        let result;
        #[block]
        {
            result = waiting.call("instantiate", &args);
            waiting.settle().unwrap_or_else(|failure| panic!("{failure:?}"));
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_create2(n: Linear<0, { limits::BLOB_BYTES }>) {
        let code = vec![1; n as usize];
        let address;
        #[block]
        {
            address = crate::address::create2(&H160::zero(), &code, &[], &[1; 32]);
        }
        assert!(!address.is_zero());
    }

    /// By the system builtin, including the settlement at the end of the transaction.
    #[benchmark(pov_mode = Measured)]
    fn host_terminate() {
        let mut waiting = called::<T>();
        let heir = T::AddressMapper::to_address(&rich::<T>(account("other", 0, 0)));
        let address = waiting.stack.top().address;
        #[block]
        {
            waiting.stack.terminate(heir, true).unwrap_or_else(|failure| panic!("{failure:?}"));
            waiting.settle().unwrap_or_else(|failure| panic!("{failure:?}"));
        }
        assert!(!ContractInfoOf::<T>::contains_key(address));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_set_code_hash() {
        let mut waiting = called::<T>();
        let code = program(100);
        let code_hash = code::code_hash(&code);
        let _ = Pallet::<T>::bare_upload_code(rich::<T>(account("other", 0, 0)), code, None);
        let address = waiting.stack.top().address;
        let mut input = precompiles::abi::selector("setCodeHash(bytes32)").to_vec();
        input.extend(code_hash.as_bytes());
        let args = call_args(&mut waiting, precompiles::address(0x900), 0u32.into(), &input);
        let result;
        #[block]
        {
            result = waiting.call("call", &args);
        }
        assert!(succeeded(result));
        assert_eq!(waiting.stack.contract(&address).map(|entry| entry.info.code_hash), Some(code_hash));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_block_hash() {
        frame_system::Pallet::<T>::set_block_number(10u32.into());
        let number: frame_system::pallet_prelude::BlockNumberFor<T> = 9u32.into();
        frame_system::BlockHash::<T>::insert(number, T::Hash::default());
        let mut waiting = called::<T>();
        waiting.write(at(0), &sp_core::U256::from(9).to_little_endian());
        let result;
        #[block]
        {
            result = waiting.call("block_hash", &[at(0), at(32)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_block_author() {
        let mut waiting = called::<T>();
        let result;
        #[block]
        {
            result = waiting.call("block_author", &[at(0)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_account_id() {
        let address = T::AddressMapper::to_address(&caller::<T>());
        let found;
        #[block]
        {
            found = T::AddressMapper::to_account_id(&address);
        }
        assert_eq!(T::AddressMapper::to_address(&found), address);
    }

    #[benchmark(pov_mode = Measured)]
    fn host_get_transient(n: Linear<0, { limits::STORAGE_VALUE_BYTES }>) {
        let mut waiting = called::<T>();
        fill_transient(&mut waiting);
        let _ = waiting.stack.write_transient(&Key::Fixed([1; 32]), Some(vec![1; n as usize]));
        waiting.write(at(0), &[1; 32]);
        waiting.write(at(1000), &limits::STORAGE_VALUE_BYTES.to_le_bytes());
        let result;
        #[block]
        {
            result = waiting.call("get_storage", &[1, at(0), NONE, at(2000), at(1000)]);
        }
        assert!(succeeded(result));
    }

    /// Includes undoing it.
    #[benchmark(pov_mode = Measured)]
    fn host_set_transient(n: Linear<0, { limits::STORAGE_VALUE_BYTES }>) {
        let mut waiting = called::<T>();
        fill_transient(&mut waiting);
        waiting.write(at(0), &[1; 32]);
        let result;
        #[block]
        {
            waiting.stack.transient_layer(true);
            result = waiting.call("set_storage", &[1, at(0), NONE, at(2000), n.into()]);
            waiting.stack.transient_layer(false);
        }
        assert!(matches!(result, Ok(Some(NONE))));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_ecdsa_to_eth_address() {
        let mut waiting = called::<T>();
        waiting.write(at(0), &ECDSA_KEY);
        let result;
        #[block]
        {
            result = waiting.call("ecdsa_to_eth_address", &[at(0), at(100)]);
        }
        assert!(succeeded(result));
    }

    #[benchmark(pov_mode = Measured)]
    fn host_sr25519_verify(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let key = sp_io::crypto::sr25519_generate(sp_core::crypto::KeyTypeId(*b"benc"), None);
        let message = vec![1; n as usize];
        let signature = sp_io::crypto::sr25519_sign(sp_core::crypto::KeyTypeId(*b"benc"), &key, &message)
            .unwrap_or_else(|| panic!("no key"));
        waiting.write(at(0), &signature.0);
        waiting.write(at(100), &key.0);
        waiting.write(at(DATA), &message);
        let result;
        #[block]
        {
            result = waiting.call("sr25519_verify", &[at(0), at(100), n.into(), at(DATA)]);
        }
        assert!(matches!(result, Ok(Some(code)) if code == ReturnErrorCode::Success as u64));
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_ecrecover() {
        let mut waiting = called::<T>();
        let output;
        #[block]
        {
            output = precompile(&mut waiting, 1, &RECOVERABLE);
        }
        assert_eq!(output.data.len(), 32);
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_sha256(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let input = vec![1; n as usize];
        #[block]
        {
            precompile(&mut waiting, 2, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_ripemd160(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let mut waiting = called::<T>();
        let input = vec![1; n as usize];
        #[block]
        {
            precompile(&mut waiting, 3, &input);
        }
    }

    /// An even modulus is the slower kind; the exponent is all ones.
    #[benchmark(pov_mode = Measured)]
    fn precompile_modexp(n: Linear<0, 500_000>) {
        let mut waiting = called::<T>();
        // 256 bytes have 32 words: 1024 multiplications for each bit of the exponent.
        let bits = (n / 1024).max(1);
        let exponent_len = bits.div_ceil(8) as usize;
        let mut input = vec![0; 96];
        input[30] = 1;
        input[62..64].copy_from_slice(&(exponent_len as u16).to_be_bytes());
        input[94] = 1;
        input.extend(vec![0xab; 256]);
        input.extend(vec![0xff; exponent_len]);
        input.extend(vec![0xfe; 256]);
        #[block]
        {
            precompile(&mut waiting, 5, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_bn128_add() {
        let mut waiting = called::<T>();
        let input = [POINT, OTHER_POINT].concat();
        #[block]
        {
            precompile(&mut waiting, 6, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_bn128_mul() {
        let mut waiting = called::<T>();
        let input = [POINT.as_slice(), &[0x2f; 32]].concat();
        #[block]
        {
            precompile(&mut waiting, 7, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_bn128_pairing(n: Linear<0, 8>) {
        let mut waiting = called::<T>();
        let input = [POINT.as_slice(), &TWISTED_POINT].concat().repeat(n as usize);
        #[block]
        {
            precompile(&mut waiting, 8, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_blake2f(n: Linear<0, 10_000>) {
        let mut waiting = called::<T>();
        let mut input = vec![1; 213];
        input[..4].copy_from_slice(&n.to_be_bytes());
        #[block]
        {
            precompile(&mut waiting, 9, &input);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn precompile_blake2(n: Linear<0, { limits::CALLDATA_BYTES }>) {
        let input = vec![1; n as usize];
        let hash;
        #[block]
        {
            hash = sp_io::hashing::blake2_256(&input);
        }
        assert_ne!(hash, [0; 32]);
    }

    #[benchmark(pov_mode = Measured)]
    fn deletion_base() {
        #[block]
        {
            crate::deletion::process::<T>(Weight::MAX);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn deletion(n: Linear<0, 500>) {
        let trie_id = ContractInfo::<T>::new(H256::zero()).trie_id;
        for number in 0..n {
            let key = Key::Fixed(sp_io::hashing::blake2_256(&number.to_le_bytes()));
            contract::write(&trie_id, &key, Some(&[1; limits::STORAGE_VALUE_BYTES as usize]));
        }
        crate::deletion::queue::<T>(trie_id);
        #[block]
        {
            crate::deletion::process::<T>(Weight::MAX);
        }
        let bounds = DeletionQueueBounds::<T>::get();
        assert_eq!(bounds.first, bounds.end);
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_add(r: Linear<0, 1_000>) {
        let code = repeated(r, &[Instruction::rrr(Opcode::Add64, Reg::A0, Reg::A1, Reg::A2)]);
        #[block]
        {
            run::<T>(&code);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_multiply(r: Linear<0, 1_000>) {
        let code = repeated(r, &[Instruction::rrr(Opcode::MulUpperUnsignedUnsigned, Reg::A0, Reg::A1, Reg::A1)]);
        #[block]
        {
            run::<T>(&code);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_divide(r: Linear<0, 1_000>) {
        let code = repeated(r, &[Instruction::rrr(Opcode::DivSigned64, Reg::A0, Reg::A1, Reg::A2)]);
        #[block]
        {
            run::<T>(&code);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_shift(r: Linear<0, 1_000>) {
        let code = repeated(r, &[Instruction::rrr(Opcode::RotateRight64, Reg::A0, Reg::A1, Reg::A2)]);
        #[block]
        {
            run::<T>(&code);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_load(r: Linear<0, 1_000>) {
        let loads: Vec<_> =
            (0..8).map(|page| Instruction::rri(Opcode::LoadIndirectU64, Reg::A0, Reg::A3, page * 4096 + 4)).collect();
        let code = repeated(r, &loads);
        #[block]
        {
            run::<T>(&code);
        }
    }

    #[benchmark(pov_mode = Measured)]
    fn instruction_store(r: Linear<0, 1_000>) {
        let stores: Vec<_> =
            (0..8).map(|page| Instruction::rri(Opcode::StoreIndirectU64, Reg::A1, Reg::A3, page * 4096 + 4)).collect();
        let code = repeated(r, &stores);
        #[block]
        {
            run::<T>(&code);
        }
    }

    /// A branch to the next instruction, so that each one is a block.
    #[benchmark(pov_mode = Measured)]
    fn instruction_branch(r: Linear<0, 1_000>) {
        let first = repeated_start();
        let branches: Vec<_> = (0..INSTRUCTIONS as u32)
            .map(|number| Instruction::rro(Opcode::BranchEq, Reg::A1, Reg::A1, first + number + 1))
            .collect();
        let code = repeated(r, &branches);
        #[block]
        {
            run::<T>(&code);
        }
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_externalities(), crate::mock::Test);
}
