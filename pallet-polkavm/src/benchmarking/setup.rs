//! Setup of benchmarks: accounts, programs, and contracts that wait for a host call.

use crate::{
    BalanceOf, Config, ExecConfig, Limits, Pallet,
    address::AddressMapper,
    code,
    contract::Key,
    exec::bench::Waiting,
    executor::{Executor, GuestInstance, Source},
    host_api::Halt,
    limits,
    precompiles::{self, Env, Precompiles},
    program::{Contract, at},
    types::{Code, EntryPoint, Output},
};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    dispatch::DispatchResultWithPostInfo,
    traits::{Time, fungible::Mutate},
    weights::Weight,
};
use sp_core::H160;
use vm_core::isa::{Instruction, Opcode, Reg};

/// Memory size of the benchmarks' contracts: enough for the longest call data.
pub(super) const MEMORY: u32 = 256 * 1024;
/// Address in it of a benchmark's longer data.
pub(super) const DATA: u32 = 64 * 1024;
/// Stands for "none" in lengths and pointers.
pub(super) const NONE: u64 = u32::MAX as u64;
/// Number of instructions per unit of an instruction benchmark.
pub(super) const INSTRUCTIONS: usize = 100;

/// Maps an account and gives it a large balance.
pub(super) fn rich<T: Config>(account: T::AccountId) -> T::AccountId {
    let much: BalanceOf<T> = u64::MAX.try_into().unwrap_or_else(|_| u32::MAX.into());
    T::Currency::set_balance(&account, much);
    let _ = T::AddressMapper::map(&account);
    account
}

pub(super) fn caller<T: Config>() -> T::AccountId {
    rich::<T>(whitelisted_caller())
}

pub(super) fn all<T: Config>() -> Limits<BalanceOf<T>> {
    Limits { gas: Weight::MAX, deposit: None }
}

/// A program of a given length that does nothing.
pub(super) fn program(len: u32) -> Vec<u8> {
    let build = |filling: u32| {
        Contract::with_call().ret().data(0, &vec![1; filling as usize]).memory(limits::BLOB_BYTES).build()
    };
    let least = build(1).len() as u32;
    let code = build(len.saturating_sub(least).max(1));
    debug_assert!(code.len() as u32 <= limits::BLOB_BYTES);
    code
}

/// Code of a given length that takes the longest to check and to load.
pub(super) fn busy_program(len: u32) -> Vec<u8> {
    let mut contract = Contract::with_call();
    // Three bytes each.
    for number in 0..len / 3 {
        contract = match number % 900 {
            899 => contract.op(Instruction::none(Opcode::Fallthrough)),
            _ => contract.op(Instruction::rrr(Opcode::Add64, Reg::A0, Reg::A1, Reg::A2)),
        };
    }
    contract.ret().build()
}

/// A contract that waits for a host call.
pub(super) fn idle() -> Contract {
    let mut contract = Contract::new().memory(MEMORY);
    for entry in 0..2 {
        if entry == 1 {
            contract = contract.call();
        }
        contract = contract.host("address", &[at(0)]).ret();
    }
    contract
}

/// Instantiates a contract from a program.
pub(super) fn made<T: Config>(origin: &T::AccountId, code: Vec<u8>) -> H160 {
    let value = BalanceOf::<T>::from(1_000_000u32);
    let made = Pallet::<T>::bare_instantiate(
        origin.clone(),
        value,
        all::<T>(),
        Code::Upload(code),
        Vec::new(),
        Some([7; 32]),
        ExecConfig::extrinsic(),
    );
    made.result.unwrap_or_else(|failure| panic!("{failure:?}")).address
}

/// Starts a contract's call or constructor, up to its first host call.
pub(super) fn waiting<T: Config>(entry: EntryPoint, input: Vec<u8>) -> Waiting<T> {
    let origin = caller::<T>();
    let contract = made::<T>(&origin, idle().build());
    Waiting::new(origin, contract, entry, input).unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// Starts a contract's call.
pub(super) fn called<T: Config>() -> Waiting<T> {
    waiting(EntryPoint::Call, Vec::new())
}

/// Packs two 32-bit arguments into one register.
pub(super) fn pack(high: u64, low: u64) -> u64 {
    (high << 32) | (low & NONE)
}

/// The register for an unused output.
pub(super) fn no_output() -> u64 {
    pack(at(0), NONE)
}

/// True if a host function returned success.
pub(super) fn succeeded(result: Result<Option<u64>, Halt>) -> bool {
    matches!(result, Ok(None | Some(0)))
}

/// Calls a precompile and returns its output.
pub(super) fn precompile<T: Config>(waiting: &mut Waiting<T>, number: u16, input: &[u8]) -> Output {
    let precompile = <precompiles::Builtins as Precompiles<T>>::find(&precompiles::address(number));
    let precompile = precompile.unwrap_or_else(|| panic!("no precompile {number}"));
    precompile.run(input, &mut Env::new(&mut waiting.stack)).unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// Runs a program to its end, as a contract's call without host functions.
pub(super) fn run<T: Config>(code: &[u8]) {
    let entry = vm_core::blob::Blob::parse(code)
        .ok()
        .and_then(|blob| blob.exports().find(|export| export.symbol == b"call").map(|export| export.code_offset))
        .unwrap_or_default();
    let (code_hash, cost_model) = (code::code_hash(code), code::CostModel::Naive);
    let source = Source { code_hash, code, entry, cost_model, semantics: code::SEMANTICS, imports: &[] };
    let mut instance = T::Executor::instantiate(source).unwrap_or_else(|detail| panic!("{detail}"));
    let stop = instance.run(i64::MAX, None);
    assert_eq!(stop.outcome, vm_core::outcome::Outcome::Finished);
}

/// A program that runs a hundred of these instructions `rounds` times.
pub(super) fn repeated(rounds: u32, instructions: &[Instruction]) -> Vec<u8> {
    let mut contract = Contract::with_call()
        .set(Reg::S0, u64::from(rounds) + 1)
        .set(Reg::A1, 0x0123_4567_89ab_cdef)
        .set(Reg::A2, 13)
        .set(Reg::A3, at(0))
        .op(Instruction::none(Opcode::Fallthrough));
    let top = contract.here();
    contract = contract.op(Instruction::rri(Opcode::AddImm64, Reg::S0, Reg::S0, -1));
    let leave = top + 3;
    contract = contract.op(Instruction::rio(Opcode::BranchNotEqImm, Reg::S0, 0, leave)).ret();
    for instruction in instructions.iter().cycle().take(INSTRUCTIONS) {
        contract = contract.op(*instruction);
    }
    contract.op(Instruction::o(Opcode::Jump, top)).build()
}

/// The index of the first of the instructions that [`repeated`] repeats.
pub(super) fn repeated_start() -> u32 {
    let contract = Contract::with_call().set(Reg::S0, 0).set(Reg::A1, 0).set(Reg::A2, 0).set(Reg::A3, 0);
    contract.op(Instruction::none(Opcode::Fallthrough)).here() + 3
}

/// Fills the transient storage to one half.
pub(super) fn fill_transient<T: Config>(waiting: &mut Waiting<T>) {
    for number in 0..100u8 {
        let _ = waiting.stack.write_transient(&Key::Fixed([number.wrapping_add(100); 32]), Some(vec![1; 100]));
    }
}

/// Writes the arguments of `call` to the contract's memory, without limits and output; returns the registers for
/// `call`.
pub(super) fn call_args<T: Config>(
    waiting: &mut Waiting<T>,
    callee: H160,
    value: BalanceOf<T>,
    input: &[u8],
) -> [u64; 6] {
    waiting.write(at(100), callee.as_bytes());
    waiting.write(at(200), &Pallet::<T>::to_contract_value(value).to_little_endian());
    waiting.write(at(300), &[0xff; 32]);
    waiting.write(at(400), input);
    let input = pack(input.len() as u64, at(400));
    [pack(0, at(100)), u64::MAX, u64::MAX, pack(at(300), at(200)), input, no_output()]
}

/// Reads what a stack reads when a contract first asks for it, which a call's base weight pays for.
pub(super) fn read_block_context<T: Config>() {
    let _ = T::Time::now();
    let _ = frame_system::Pallet::<T>::block_number();
}

/// Panics if an extrinsic fails.
pub(super) fn succeed(result: DispatchResultWithPostInfo) {
    if let Err(error) = result {
        panic!("{error:?}");
    }
}
