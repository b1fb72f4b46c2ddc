//! Flipper: one bit in storage that any account can flip. The same contract in Solidity:
//!
//! ```solidity
//! contract Flipper {
//!     bool value;
//!     constructor(bool initial) { value = initial; }
//!     function flip() external { value = !value; }
//!     function get() external view returns (bool) { return value; }
//! }
//! ```
//!
//! but that constructor data may be left out, which means `false`.
#![no_std]
#![no_main]

use contract_common::{
    Selector, Word,
    abi::{Reply, Revert, encode_bool},
    hash::selector,
    host::{self, CallData},
    storage,
};

const VALUE: Word = storage::variable(0);

const FLIP: Selector = selector("flip()");
const GET: Selector = selector("get()");

contract_common::entry_points!(deploy: construct, call: dispatch);

/// The constructor: `(bool initial)`, or nothing.
fn construct(input: &CallData) -> Result<Reply, Revert> {
    host::refuse_value()?;
    let arguments = input.constructor();
    let initial = if arguments.is_empty() { false } else { arguments.boolean(0)? };
    host::store(&VALUE, &encode_bool(initial));
    Ok(Reply::Empty)
}

/// Every later call: `flip()` or `get()`.
fn dispatch(input: &CallData) -> Result<Reply, Revert> {
    host::refuse_value()?;
    let (selector, _) = input.function()?;
    match selector {
        FLIP => {
            let value = !host::load_uint256(&VALUE).is_zero();
            host::store(&VALUE, &encode_bool(!value));
            Ok(Reply::Empty)
        }
        GET => Ok(Reply::Word(host::load(&VALUE))),
        _ => Err(Revert::Empty),
    }
}
