//! Precompiles: addresses whose calls the runtime itself executes.
//!
//! The call stack calls [`Precompiles::find`] before it looks for a contract. [`Builtins`] has those that Solidity
//! expects (1 to 9; calls of Ethereum's later ones up to 0x11 fail), and two for functions of the chain that Ethereum
//! lacks: [`system`] at `0x900` and [`storage`] at `0x901`. A runtime adds its own:
//!
//! ```ignore
//! /// Tells contracts how many blocks there were.
//! pub struct Height;
//!
//! impl Precompiles<Runtime> for Height {
//!     fn find(address: &H160) -> Option<Precompile<Runtime>> {
//!         (*address == precompiles::address(0xa001)).then_some(Precompile(|_input, env| {
//!             env.charge_weight(<Runtime as frame_system::Config>::DbWeight::get().reads(1))?;
//!             Ok(Output::data(abi::uint(System::block_number())))
//!         }))
//!     }
//! }
//!
//! impl pallet_polkavm::Config for Runtime {
//!     type Precompiles = (Builtins, Height);
//!     // ...
//! }
//! ```
//!
//! A precompile sees the value that it was sent and may call contracts ([`Env::value`], [`Env::call`]).
//!
//! A precompile charges for its work before it does it. Like a contract it may fail ([`crate::types::Failure`]: the
//! caller only learns that it failed) or revert with a reason.

pub mod abi;
mod blake2f;
mod bn128;
mod ethereum;
mod modexp;
pub mod storage;
pub mod system;

use crate::{
    Config, Error, dust,
    exec::{
        Stack,
        nested::{CallLimits, Reentry},
    },
    metering::{cost::Cost, gas::Charged},
    types::{Failure, Output},
};
use alloc::vec::Vec;
use frame_support::weights::Weight;
use sp_core::{H160, U256};
use sp_runtime::DispatchError;

/// The function of a precompile: from its input to its output.
pub struct Precompile<T: Config>(pub fn(&[u8], &mut Env<'_, T>) -> Result<Output, Failure>);

impl<T: Config> Precompile<T> {
    /// Executes it.
    pub(crate) fn run(&self, input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
        (self.0)(input, env)
    }
}

/// The addresses of a runtime's precompiles.
pub trait Precompiles<T: Config> {
    /// The precompile at an address. The result for an address must never change: no contract can be instantiated
    /// there.
    fn find(address: &H160) -> Option<Precompile<T>>;
}

macro_rules! precompiles_of_tuples {
    ($(($($one:ident),+))*) => {
        $(impl<T: Config, $($one: Precompiles<T>),+> Precompiles<T> for ($($one,)+) {
            fn find(address: &H160) -> Option<Precompile<T>> {
                None$(.or_else(|| $one::find(address)))+
            }
        })*
    };
}

precompiles_of_tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) }

/// No precompiles.
impl<T: Config> Precompiles<T> for () {
    fn find(_: &H160) -> Option<Precompile<T>> {
        None
    }
}

/// Returns the address with this number.
pub const fn address(number: u16) -> H160 {
    let mut bytes = [0; 20];
    [bytes[18], bytes[19]] = number.to_be_bytes();
    H160(bytes)
}

/// The code of a precompile as seen by contracts: a revert, in EVM code. Solidity requires code at an address before it
/// calls an interface there.
pub const CODE: [u8; 5] = [0x60, 0x00, 0x60, 0x00, 0xfd];

/// The precompiles that every chain should have.
pub struct Builtins;

impl<T: Config> Precompiles<T> for Builtins {
    fn find(address: &H160) -> Option<Precompile<T>> {
        let (zeros, number) = address.0.split_at(18);
        if zeros.iter().any(|byte| *byte != 0) {
            return None;
        }
        Some(Precompile(match u16::from_be_bytes([number[0], number[1]]) {
            1 => ethereum::ecrecover,
            2 => ethereum::sha256,
            3 => ethereum::ripemd160,
            4 => ethereum::identity,
            5 => modexp::modexp,
            6 => bn128::add,
            7 => bn128::mul,
            8 => bn128::pairing,
            9 => blake2f::blake2f,
            UNSUPPORTED_FIRST..=UNSUPPORTED_LAST => unsupported,
            0x900 => system::system,
            0x901 => storage::storage,
            _ => return None,
        }))
    }
}

/// Address of the first of Ethereum's precompiles that are not supported: KZG point evaluation (EIP-4844).
const UNSUPPORTED_FIRST: u16 = 0x0a;
/// Address of the last of them: those of BLS12-381 (EIP-2537).
const UNSUPPORTED_LAST: u16 = 0x11;

/// Fails: a call that only transferred its value would look like a check that passed.
fn unsupported<T: Config>(_: &[u8], _: &mut Env<'_, T>) -> Result<Output, Failure> {
    Err(Failure::new::<T>(Error::PrecompileFailed, "this chain doesn't have this precompile of Ethereum's"))
}

/// The environment of a precompile: the call and the stack.
pub struct Env<'a, T: Config> {
    stack: &'a mut Stack<T>,
}

impl<'a, T: Config> Env<'a, T> {
    pub(crate) fn new(stack: &'a mut Stack<T>) -> Self {
        Self { stack }
    }

    /// Charges for an operation before it is done.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn charge(&mut self, cost: Cost) -> Result<Charged, DispatchError> {
        self.stack.top_mut().gas.charge(cost)
    }

    /// Lowers a charge to the actual cost.
    pub fn adjust(&mut self, charged: Charged, actual: Cost) {
        self.stack.top_mut().gas.adjust(charged, actual);
    }

    /// Charges a weight.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfGas`].
    pub fn charge_weight(&mut self, weight: Weight) -> Result<(), DispatchError> {
        self.stack.top_mut().gas.charge_weight(weight)
    }

    /// The caller.
    pub fn caller(&self) -> &T::AccountId {
        self.stack.caller()
    }

    /// Fails if the call is read-only. To be called before any change of the state.
    ///
    /// # Errors
    ///
    /// [`Error::StateChangeDenied`].
    pub fn ensure_may_write(&self) -> Result<(), Failure> {
        self.stack.ensure_may_write()
    }

    /// The value transferred with the call, in the contracts' unit. The account that the call acts as has received it.
    pub fn value(&self) -> U256 {
        self.stack.top().value
    }

    /// The address that the call acts as: the precompile's own, or in a delegate call the calling contract's.
    pub fn address(&self) -> H160 {
        self.stack.top().address
    }

    /// Calls an account as [`Self::address`], with a value in the contracts' unit.
    ///
    /// The callee gets at most the weight in `limits`, and at most all but a 64th of what is left. It may call back any
    /// contract that its callers allow. Its changes are undone if it fails or reverts, and the precompile may continue.
    ///
    /// # Errors
    ///
    /// The error of the callee, or the reason why it did not start.
    pub fn call(
        &mut self,
        dest: H160,
        value: U256,
        input: Vec<u8>,
        limits: &CallLimits<T>,
        read_only: bool,
    ) -> Result<Output, Failure> {
        let _ = self.charge(if T::Precompiles::find(&dest).is_some() { Cost::CallPrecompile } else { Cost::Call })?;
        let _ = self.charge(Cost::CloneInput(input.len() as u32))?;
        if !value.is_zero() {
            self.ensure_may_write()?;
            self.charge_weight(dust::value_weight::<T>(value))?;
        }
        let called = self.stack.call_from_contract(limits, dest, value, input, Reentry::Allowed, read_only);
        let output = core::mem::take(&mut self.stack.top_mut().last_output);
        called.map(|()| output).map_err(|error| error.failure)
    }

    /// True for a delegate call, which acts as the calling contract.
    pub fn is_delegated(&self) -> bool {
        self.stack.top().delegated
    }

    /// The call stack.
    pub(crate) fn stack(&mut self) -> &mut Stack<T> {
        self.stack
    }
}

/// Makes the error for malformed input.
fn bad_input<T: Config>(detail: &'static str) -> Failure {
    Failure::new::<T>(Error::PrecompileFailed, detail)
}

/// `N` bytes of `input` from `from` on, padded with zeros, as Ethereum's precompiles read.
fn padded<const N: usize>(input: &[u8], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let rest = input.get(from..).unwrap_or_default();
    let len = rest.len().min(N);
    bytes[..len].copy_from_slice(&rest[..len]);
    bytes
}
