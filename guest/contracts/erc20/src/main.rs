//! A fungible token with the interface of ERC-20 and Solidity's ABI and storage layout, so that Ethereum's tools can
//! call it and read it.
//!
//! Constructor: `(uint256 initialSupply)`, all of it to the deployer. The rules are those of ERC-20: every move emits
//! `Transfer`, the first one from the zero address; an allowance of 2²⁵⁶ - 1 is never used up; the zero address neither
//! receives nor spends. What breaks a rule reverts with `Error(string)`; see [`INSUFFICIENT_BALANCE`] and the others.
#![no_std]
#![no_main]

use contract_common::{
    Address, Selector, U256, Word,
    abi::{Arguments, Reply, Revert, ShortText, encode_address, encode_bool, encode_u8, encode_uint256},
    hash::{selector, topic},
    host::{self, CallData},
    storage,
};

const NAME: ShortText = ShortText::new("Example Token");
const SYMBOL: ShortText = ShortText::new("EXT");
const DECIMALS: u8 = 18;

// mapping(address => uint256) balances
const BALANCES: Word = storage::variable(0);
// mapping(address owner => mapping(address spender => uint256)) allowances
const ALLOWANCES: Word = storage::variable(1);
// uint256 totalSupply
const TOTAL_SUPPLY: Word = storage::variable(2);

const TRANSFER_EVENT: Word = topic("Transfer(address,address,uint256)");
const APPROVAL_EVENT: Word = topic("Approval(address,address,uint256)");

const ZERO_ADDRESS: Address = [0; 20];

const INSUFFICIENT_BALANCE: Revert = Revert::Reason(ShortText::new("insufficient balance"));
const INSUFFICIENT_ALLOWANCE: Revert = Revert::Reason(ShortText::new("insufficient allowance"));
const INVALID_RECEIVER: Revert = Revert::Reason(ShortText::new("invalid receiver"));
const INVALID_SPENDER: Revert = Revert::Reason(ShortText::new("invalid spender"));

/// The functions' selectors.
mod function {
    use super::{Selector, selector};

    pub const NAME: Selector = selector("name()");
    pub const SYMBOL: Selector = selector("symbol()");
    pub const DECIMALS: Selector = selector("decimals()");
    pub const TOTAL_SUPPLY: Selector = selector("totalSupply()");
    pub const BALANCE_OF: Selector = selector("balanceOf(address)");
    pub const ALLOWANCE: Selector = selector("allowance(address,address)");
    pub const TRANSFER: Selector = selector("transfer(address,uint256)");
    pub const APPROVE: Selector = selector("approve(address,uint256)");
    pub const TRANSFER_FROM: Selector = selector("transferFrom(address,address,uint256)");
}

contract_common::entry_points!(deploy: construct, call: dispatch);

/// The constructor: `(uint256 initialSupply)`.
fn construct(input: &CallData) -> Result<Reply, Revert> {
    host::refuse_value()?;
    let supply = input.constructor().uint256(0)?;
    let owner = host::caller();
    host::store_uint256(&TOTAL_SUPPLY, supply);
    host::store_uint256(&balance_slot(&owner), supply);
    emit(TRANSFER_EVENT, &ZERO_ADDRESS, &owner, supply);
    Ok(Reply::Empty)
}

/// Every later call.
fn dispatch(input: &CallData) -> Result<Reply, Revert> {
    host::refuse_value()?;
    let (selector, arguments) = input.function()?;
    match selector {
        function::NAME => Ok(Reply::Text(NAME)),
        function::SYMBOL => Ok(Reply::Text(SYMBOL)),
        function::DECIMALS => Ok(Reply::Word(encode_u8(DECIMALS))),
        function::TOTAL_SUPPLY => Ok(Reply::Word(host::load(&TOTAL_SUPPLY))),
        function::BALANCE_OF => Ok(Reply::Word(host::load(&balance_slot(&arguments.address(0)?)))),
        function::ALLOWANCE => {
            let (owner, spender) = (arguments.address(0)?, arguments.address(1)?);
            Ok(Reply::Word(host::load(&allowance_slot(&owner, &spender))))
        }
        function::TRANSFER => transfer(&arguments),
        function::APPROVE => approve(&arguments),
        function::TRANSFER_FROM => transfer_from(&arguments),
        _ => Err(Revert::Empty),
    }
}

fn transfer(arguments: &Arguments<'_>) -> Result<Reply, Revert> {
    let (to, amount) = (arguments.address(0)?, arguments.uint256(1)?);
    move_tokens(&host::caller(), &to, amount)?;
    Ok(SUCCESS)
}

fn approve(arguments: &Arguments<'_>) -> Result<Reply, Revert> {
    let (spender, amount) = (arguments.address(0)?, arguments.uint256(1)?);
    if spender == ZERO_ADDRESS {
        return Err(INVALID_SPENDER);
    }
    let owner = host::caller();
    host::store_uint256(&allowance_slot(&owner, &spender), amount);
    emit(APPROVAL_EVENT, &owner, &spender, amount);
    Ok(SUCCESS)
}

fn transfer_from(arguments: &Arguments<'_>) -> Result<Reply, Revert> {
    let (from, to, amount) = (arguments.address(0)?, arguments.address(1)?, arguments.uint256(2)?);
    let slot = allowance_slot(&from, &host::caller());
    let allowance = host::load_uint256(&slot);
    if allowance != U256::MAX {
        let rest = allowance.checked_sub(amount).ok_or(INSUFFICIENT_ALLOWANCE)?;
        host::store_uint256(&slot, rest);
    }
    move_tokens(&from, &to, amount)?;
    Ok(SUCCESS)
}

/// Result of the functions that change state: `true`.
const SUCCESS: Reply = Reply::Word(encode_bool(true));

/// Moves `amount` and emits `Transfer`. On an error something may have been stored already: the revert undoes it.
fn move_tokens(from: &Address, to: &Address, amount: U256) -> Result<(), Revert> {
    if *to == ZERO_ADDRESS {
        return Err(INVALID_RECEIVER);
    }
    let from_slot = balance_slot(from);
    let rest = host::load_uint256(&from_slot).checked_sub(amount).ok_or(INSUFFICIENT_BALANCE)?;
    host::store_uint256(&from_slot, rest);
    // Read after the store: sender and receiver may be the same account.
    let to_slot = balance_slot(to);
    let sum = host::load_uint256(&to_slot).checked_add(amount).ok_or(Revert::OVERFLOW)?;
    host::store_uint256(&to_slot, sum);
    emit(TRANSFER_EVENT, from, to, amount);
    Ok(())
}

/// Emits an event with two indexed addresses and an amount, the shape of both of ERC-20's events.
fn emit(topic: Word, first: &Address, second: &Address, amount: U256) {
    host::emit(&[topic, encode_address(first), encode_address(second)], &encode_uint256(amount));
}

fn balance_slot(owner: &Address) -> Word {
    storage::mapping(&BALANCES, owner)
}

fn allowance_slot(owner: &Address, spender: &Address) -> Word {
    storage::mapping(&storage::mapping(&ALLOWANCES, owner), spender)
}
