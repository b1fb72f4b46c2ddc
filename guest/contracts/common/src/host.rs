//! Host functions of the chain as safe, typed calls; only for RISC-V.
//!
//! A contract's two entry points are one line each: [`answer`] reads the call data, hands it to the contract's own
//! function and ends the call with what that returns. Values in storage are whole words under whole-word keys; a word
//! of zeros and an absent one are the same, as in Solidity. The panic handler stands here too: a panic is a trap,
//! which undoes everything the call has done.

use pallet_revive_uapi::{HostFn, HostFnImpl, ReturnFlags, StorageFlags};

use crate::{
    Address, Selector, U256, Word,
    abi::{Arguments, Encoded, Reply, Revert, SELECTOR_LEN, WORD_LEN},
};

/// Turns a panic into a trap.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    trap()
}

/// Stops the contract with a trap: the call fails, and all its changes but the fee are undone.
pub fn trap() -> ! {
    // SAFETY: `unimp` has no operands and does not access memory; control never returns from it.
    unsafe { core::arch::asm!("unimp", options(noreturn, nomem, nostack)) }
}

/// Maximum number of arguments that a contract can read.
const MAX_ARGUMENTS: usize = 4;
const CALL_DATA_MAX: usize = SELECTOR_LEN + MAX_ARGUMENTS * WORD_LEN;

/// The call data: a selector and up to four words. Anything after that is not read.
pub struct CallData {
    bytes: [u8; CALL_DATA_MAX],
    len: usize,
}

impl CallData {
    /// Copies the call data from the host.
    fn read(&mut self) {
        self.len = HostFnImpl::call_data_size().min(CALL_DATA_MAX as u64) as usize;
        HostFnImpl::call_data_copy(&mut self.bytes[..self.len], 0);
    }

    /// The constructor's arguments.
    pub fn constructor(&self) -> Arguments<'_> {
        Arguments::of_constructor(&self.bytes[..self.len])
    }

    /// A function's selector and arguments. Less than a selector is an empty revert: these contracts have no
    /// fallback function.
    pub fn function(&self) -> Result<(Selector, Arguments<'_>), Revert> {
        Arguments::of_call(&self.bytes[..self.len]).ok_or(Revert::Empty)
    }
}

/// Answers the current call: `function` is given the call data; its reply is returned to the caller, or its revert, with
/// the flag that undoes all changes.
pub fn answer(function: impl FnOnce(&CallData) -> Result<Reply, Revert>) -> ! {
    let mut call_data = CallData { bytes: [0; CALL_DATA_MAX], len: 0 };
    call_data.read();
    let mut encoded = Encoded::new();
    let flags = match function(&call_data) {
        Ok(reply) => {
            reply.encode(&mut encoded);
            ReturnFlags::empty()
        }
        Err(revert) => {
            revert.encode(&mut encoded);
            ReturnFlags::REVERT
        }
    };
    HostFnImpl::return_value(flags, encoded.as_bytes())
}

/// Refuses a call that carries value, as Solidity does for functions that are not `payable`.
pub fn refuse_value() -> Result<(), Revert> {
    let mut value = [0; WORD_LEN];
    HostFnImpl::value_transferred(&mut value);
    if U256::from_le_bytes(value).is_zero() { Ok(()) } else { Err(Revert::Empty) }
}

/// Returns the address of the caller.
pub fn caller() -> Address {
    let mut address = [0; 20];
    HostFnImpl::caller(&mut address);
    address
}

/// Returns the word at `slot`; zeros if nothing was stored.
pub fn load(slot: &Word) -> Word {
    let mut word = [0; WORD_LEN];
    HostFnImpl::get_storage_or_zero(StorageFlags::empty(), slot, &mut word);
    word
}

/// Stores `word` at `slot`; zeros remove the entry.
pub fn store(slot: &Word, word: &Word) {
    HostFnImpl::set_storage_or_clear(StorageFlags::empty(), slot, word);
}

/// Returns the number at `slot`.
pub fn load_uint256(slot: &Word) -> U256 {
    U256::from_be_bytes(load(slot))
}

/// Stores a number at `slot`.
pub fn store_uint256(slot: &Word, value: U256) {
    store(slot, &value.to_be_bytes());
}

/// Emits an event. The first topic is by convention the [`topic`](crate::hash::topic) of its signature, the others are its
/// indexed arguments.
pub fn emit(topics: &[Word], data: &[u8]) {
    HostFnImpl::deposit_event(topics, data);
}

/// The host functions themselves, for those without a wrapper here.
pub use pallet_revive_uapi as uapi;
