//! A contract that computes and stores nothing, for benches and for load. Every function is given its expected result,
//! and reverts with an empty revert if the result differs, so that nobody measures a failed call.
//!
//! | call | what it does |
//! |---|---|
//! | `nothing()` | returns |
//! | `fibonacci(uint256 turns, uint256 expected)` | the Fibonacci number of this index, modulo 2^64 |
//! | `hash(uint256 turns, uint256 expected)` | SHA-256 of 32 zero bytes, of that hash, and so on; its last eight bytes |
//! | `verify(bool expected)` | verifies an ed25519 signature: a good one, or the same of another message |
#![no_std]
#![no_main]

use contract_common::{
    Selector, U256,
    abi::{Arguments, Reply, Revert},
    hash::selector,
    host::{self, CallData},
};
use core::hint::black_box;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// The first test vector of RFC 8032, section 7.1, whose message is empty.
const KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
    0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
const SIGNATURE: [u8; 64] = [
    0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a, 0x84, 0x87, 0x7f,
    0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55, 0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3,
    0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b, 0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65,
    0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b,
];

contract_common::entry_points!(deploy: |_| Ok(Reply::Empty), call: dispatch);

/// Every later call.
fn dispatch(input: &CallData) -> Result<Reply, Revert> {
    const NOTHING: Selector = selector("nothing()");
    const FIBONACCI: Selector = selector("fibonacci(uint256,uint256)");
    const HASH: Selector = selector("hash(uint256,uint256)");
    const VERIFY: Selector = selector("verify(bool)");

    let (selector, arguments) = input.function()?;
    let is_right = match selector {
        NOTHING => true,
        FIBONACCI => fibonacci(number(&arguments, 0)?) == number(&arguments, 1)?,
        HASH => hash(number(&arguments, 0)?) == number(&arguments, 1)?,
        VERIFY => {
            let expected = arguments.boolean(0)?;
            verify(if expected { &[] } else { &[1] }) == expected
        }
        _ => false,
    };
    if is_right { Ok(Reply::Empty) } else { Err(Revert::Empty) }
}

fn number(arguments: &Arguments<'_>, index: usize) -> Result<u64, Revert> {
    let number: U256 = arguments.uint256(index)?;
    u64::try_from(number).map_err(|_| Revert::Empty)
}

fn fibonacci(turns: u64) -> u64 {
    let (mut this, mut next) = (0_u64, 1_u64);
    for _ in 0..turns {
        // Keeps the compiler from combining several iterations.
        (this, next) = (next, black_box(this.wrapping_add(next)));
    }
    this
}

fn hash(turns: u64) -> u64 {
    let mut hash = [0; 32];
    for _ in 0..turns {
        hash = Sha256::digest(hash).into();
    }
    let mut last = [0; 8];
    last.copy_from_slice(&hash[24..]);
    u64::from_be_bytes(last)
}

fn verify(message: &[u8]) -> bool {
    let (key, signature) = (black_box(&KEY), black_box(&SIGNATURE));
    let Ok(key) = VerifyingKey::from_bytes(key) else { return false };
    key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}
