//! A contract that misbehaves on request, so that tests can see how the chain handles it.
//!
//! No function refuses value, so that a test can check that a transfer is undone too. Slot 0 holds what the functions
//! named `storeThen…` write (the number 42); `stored()` reads it.
//!
//! | call | what it does |
//! |---|---|
//! | constructor, no data | succeeds |
//! | constructor `(uint256 mode)` | stores 42, then: 1 traps, 2 reverts with `Error("constructor")`, 3 loops, else succeeds |
//! | `stored()` | returns slot 0 |
//! | `store()` | stores 42 and returns |
//! | `loop()` | never ends |
//! | `trap()` | executes a trap |
//! | `panic()` | panics |
//! | `recurse()` | calls itself until the stack is used up |
//! | `readOutOfBounds()`, `writeOutOfBounds()` | touch an address that no contract has |
//! | `jumpOutOfBounds()` | jumps to an address that is no code |
//! | `hostOutOfBounds()` | passes such an address to a host function |
//! | `storeThenTrap()`, `storeThenRevert()`, `storeThenLoop()` | store 42 and emit an event before they fail |
//! | `big(uint256 n)` | returns n bytes, or traps above 256 KiB |
//! | `bigEvent(uint256 n)`, `bigValue(uint256 n)`, `bigKey(uint256 n)` | an event, a storage value, a storage key of n bytes |
#![no_std]
#![no_main]

use core::{cell::UnsafeCell, hint::black_box};

use contract_common::{
    Selector, Word,
    abi::{Arguments, Reply, Revert, ShortText, encode_u8},
    hash::{selector, topic},
    host::{
        self, CallData,
        uapi::{HostFn, HostFnImpl, ReturnFlags, StorageFlags},
    },
    storage,
};

const VALUE: Word = storage::variable(0);
const FORTY_TWO: Word = encode_u8(42);
const STORED_EVENT: Word = topic("Stored()");

/// An address below every region of the memory map.
const NOWHERE: usize = 0x40;

contract_common::entry_points!(deploy: construct, call: dispatch);

/// The constructor.
fn construct(input: &CallData) -> Result<Reply, Revert> {
    let arguments = input.constructor();
    if arguments.is_empty() {
        return Ok(Reply::Empty);
    }
    store();
    match arguments.word(0)?[31] {
        1 => host::trap(),
        2 => Err(Revert::Reason(ShortText::new("constructor"))),
        3 => endless(),
        _ => Ok(Reply::Empty),
    }
}

/// Every later call.
fn dispatch(input: &CallData) -> Result<Reply, Revert> {
    const STORED: Selector = selector("stored()");
    const STORE: Selector = selector("store()");
    const LOOP: Selector = selector("loop()");
    const TRAP: Selector = selector("trap()");
    const PANIC: Selector = selector("panic()");
    const RECURSE: Selector = selector("recurse()");
    const READ_OUT_OF_BOUNDS: Selector = selector("readOutOfBounds()");
    const WRITE_OUT_OF_BOUNDS: Selector = selector("writeOutOfBounds()");
    const JUMP_OUT_OF_BOUNDS: Selector = selector("jumpOutOfBounds()");
    const HOST_OUT_OF_BOUNDS: Selector = selector("hostOutOfBounds()");
    const STORE_THEN_TRAP: Selector = selector("storeThenTrap()");
    const STORE_THEN_REVERT: Selector = selector("storeThenRevert()");
    const STORE_THEN_LOOP: Selector = selector("storeThenLoop()");
    const BIG: Selector = selector("big(uint256)");
    const BIG_EVENT: Selector = selector("bigEvent(uint256)");
    const BIG_VALUE: Selector = selector("bigValue(uint256)");
    const BIG_KEY: Selector = selector("bigKey(uint256)");

    let (selector, arguments) = input.function()?;
    match selector {
        STORED => return Ok(Reply::Word(host::load(&VALUE))),
        STORE => store(),
        LOOP => endless(),
        TRAP => host::trap(),
        PANIC => panic!("asked to"),
        RECURSE => recurse(&[0; 64]),
        READ_OUT_OF_BOUNDS => read_out_of_bounds(),
        WRITE_OUT_OF_BOUNDS => write_out_of_bounds(),
        JUMP_OUT_OF_BOUNDS => jump_out_of_bounds(),
        HOST_OUT_OF_BOUNDS => host_out_of_bounds(),
        STORE_THEN_TRAP => {
            store();
            host::trap()
        }
        STORE_THEN_REVERT => {
            store();
            return Err(Revert::Reason(ShortText::new("reverted on request")));
        }
        STORE_THEN_LOOP => {
            store();
            endless()
        }
        BIG => HostFnImpl::return_value(ReturnFlags::empty(), bytes(&arguments)?),
        BIG_EVENT => host::emit(&[], bytes(&arguments)?),
        BIG_VALUE => {
            HostFnImpl::set_storage(StorageFlags::empty(), &VALUE, bytes(&arguments)?);
        }
        BIG_KEY => {
            HostFnImpl::set_storage(StorageFlags::empty(), bytes(&arguments)?, &FORTY_TWO);
        }
        _ => return Err(Revert::Empty),
    }
    Ok(Reply::Empty)
}

fn store() {
    host::store(&VALUE, &FORTY_TWO);
    host::emit(&[STORED_EVENT], &[]);
}

fn endless() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Every level keeps its own array alive, so that the compiler can't turn the recursion into a loop.
#[allow(unconditional_recursion, reason = "the stack must run out")]
#[inline(never)]
fn recurse(outer: &[u8; 64]) {
    let mut inner = *outer;
    inner[0] = black_box(inner[0].wrapping_add(1));
    recurse(black_box(&inner));
    black_box(&inner);
}

fn read_out_of_bounds() {
    let address = black_box(NOWHERE) as *const u8;
    // SAFETY: intentionally unsound: the address is in no region, so the machine must stop the contract here.
    black_box(unsafe { address.read_volatile() });
}

fn write_out_of_bounds() {
    let address = black_box(NOWHERE) as *mut u8;
    // SAFETY: intentionally unsound: the address is in no region, so the machine must stop the contract here.
    unsafe { address.write_volatile(1) };
}

fn jump_out_of_bounds() {
    // SAFETY: intentionally unsound: an odd number is never a code address, so the machine must stop the contract.
    let target: extern "C" fn() = unsafe { core::mem::transmute(black_box(0x7fff_ffff_usize)) };
    target();
}

fn host_out_of_bounds() {
    // SAFETY: intentionally unsound: the host must find that the bytes are in no region, and stop the contract.
    let slice = unsafe { core::slice::from_raw_parts(black_box(NOWHERE) as *const u8, 32) };
    host::emit(&[], slice);
}

/// Buffer for the functions named `big…`: larger than the limits of the chain that they test.
struct Room(UnsafeCell<[u8; ROOM]>);
const ROOM: usize = 256 * 1024;

// SAFETY: a contract has one thread.
unsafe impl Sync for Room {}

static BYTES: Room = Room(UnsafeCell::new([0; ROOM]));

/// Returns a buffer of the length in argument 0, its first byte 1; traps for more than [`ROOM`].
fn bytes(arguments: &Arguments<'_>) -> Result<&'static [u8], Revert> {
    let len = arguments.uint256(0)?.saturating_to::<usize>();
    // SAFETY: called once in a call, so that this is the only reference to the array.
    let room = unsafe { &mut *BYTES.0.get() };
    room[0] = 1;
    match room.get(..len) {
        Some(bytes) => Ok(bytes),
        None => host::trap(),
    }
}
