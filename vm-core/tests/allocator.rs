//! Memory of the deepest call stack in the allocator of a chain's runtime, which rounds sizes up to powers of two, never
//! joins or splits blocks, and puts eight bytes in front of each. The programs are the ones found to take the most
//! memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::interpreter::Instance;
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::limits::{self, CALL_DEPTH, CALLDATA_BYTES, TRANSACTION_MEMORY_BYTES};
use vm_core::outcome::Outcome;
use vm_core::program::{Program, ProgramConfig};

/// A model of the runtime's allocator, which counts what it would allocate.
struct Model;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
/// Free blocks by the exponents of their sizes.
static FREE: [AtomicUsize; 40] = [const { AtomicUsize::new(0) }; 40];
/// End of the heap.
static USED: AtomicUsize = AtomicUsize::new(0);

fn exponent(size: usize) -> usize {
    size.max(8).next_power_of_two().trailing_zeros() as usize
}

fn take(size: usize) {
    if IS_COUNTING.load(Relaxed) {
        let exponent = exponent(size);
        if FREE[exponent].fetch_update(Relaxed, Relaxed, |free| free.checked_sub(1)).is_err() {
            USED.fetch_add((1 << exponent) + 8, Relaxed);
        }
    }
}

fn give(size: usize) {
    if IS_COUNTING.load(Relaxed) {
        FREE[exponent(size)].fetch_add(1, Relaxed);
    }
}

// SAFETY: all calls are forwarded to the system's allocator; counting does not affect them.
unsafe impl GlobalAlloc for Model {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The runtime's allocator has no `realloc`: the new block exists before the old one is freed.
        take(size);
        give(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Model = Model;

/// A program with as many instructions, as much memory and data, that touches pages of its data in this order (from,
/// step), and then all of its stack.
struct Shape {
    instructions: usize,
    rw_kib: u32,
    stack_kib: u32,
    ro_data: usize,
    rw_data: usize,
    touched: &'static [(u32, u32)],
}

const ALL: &[(u32, u32)] = &[(0, 1)];
const ODD_THEN_EVEN: &[(u32, u32)] = &[(1, 2), (0, 2)];
const FROM_THE_MIDDLE: &[(u32, u32)] = &[(100, 1), (0, 1)];

const fn shape(
    instructions: usize,
    rw_kib: u32,
    stack_kib: u32,
    [ro_data, rw_data]: [usize; 2],
    touched: &'static [(u32, u32)],
) -> Shape {
    Shape { instructions, rw_kib, stack_kib, ro_data: ro_data * 1024, rw_data: rw_data * 1024, touched }
}

const SHAPES: [Shape; 9] = [
    shape(0, 1326, 182, [0, 976], ODD_THEN_EVEN),
    shape(126_722, 1028, 12, [0, 557], ODD_THEN_EVEN),
    shape(0, 1063, 237, [225, 631], FROM_THE_MIDDLE),
    shape(220_089, 260, 444, [0, 260], &[(0, 3), (1, 3)]),
    shape(0, 1499, 20, [0, 976], FROM_THE_MIDDLE),
    shape(0, 1028, 500, [0, 1000], ALL),
    shape(0, 516, 516, [260, 516], ODD_THEN_EVEN),
    shape(290_000, 400, 4, [0, 0], ALL),
    shape(0, 400, 4, [1000, 0], ALL),
];

fn blob(shape: &Shape) -> Vec<u8> {
    let mut code = Vec::new();
    let base = 0x2_0000 + if shape.ro_data == 0 { 0 } else { (shape.ro_data as u32).next_multiple_of(0x1_0000) };
    let push = |code: &mut Vec<Instruction>, instruction| {
        code.push(instruction);
        if code.len() % 900 == 899 {
            code.push(Instruction::none(Opcode::Fallthrough));
        }
    };
    for (from, step) in shape.touched {
        for page in (*from..shape.rw_kib / 4).step_by(*step as usize) {
            push(&mut code, Instruction::ri(Opcode::StoreU8, Reg::A0, (base + page * 4096) as i32));
        }
    }
    for page in 1..=shape.stack_kib as i32 / 4 {
        push(&mut code, Instruction::rri(Opcode::StoreIndirectU8, Reg::A0, Reg::SP, -page * 4096));
    }
    while code.len() < shape.instructions {
        push(&mut code, Instruction::rrr(Opcode::Add64, Reg::A0, Reg::A1, Reg::A2));
    }
    code.push(Instruction::i(Opcode::Ecalli, 0));
    code.push(Instruction::none(Opcode::Trap));
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.import(b"call").stack_size(shape.stack_kib * 1024).instructions(code);
    builder.rw_data(shape.rw_kib * 1024, &vec![1; shape.rw_data]);
    if shape.ro_data > 0 {
        builder.ro_data(shape.ro_data as u32, &vec![3; shape.ro_data]);
    }
    let blob = builder.build().unwrap();
    limits::check(&Blob::parse(&blob).unwrap()).unwrap();
    blob
}

/// Replays the runtime's allocations for a frame of a call stack and the frames above it.
fn frame(blobs: &[&[u8]]) {
    let Some((first, others)) = blobs.split_first() else { return };
    // The encoded value from the state, and the decoded one.
    let encoded = [&[0; 4], *first].concat();
    let code = encoded[4..].to_vec();
    drop(encoded);
    let program = Program::new(&Blob::parse(&code).unwrap(), &ProgramConfig::default()).unwrap();
    let mut instance = Instance::new(Arc::new(program));
    drop(code);
    instance.prepare_call(0, &[]);
    instance.set_gas(1 << 40);
    assert_eq!(instance.run(), Outcome::HostCall(0));
    instance.release_translation();
    let input = vec![1u8; CALLDATA_BYTES as usize];
    frame(others);
    black_box((instance, input, vec![1u8; CALLDATA_BYTES as usize]));
}

fn used_by(blobs: &[&[u8]]) -> usize {
    FREE.iter().for_each(|free| free.store(0, Relaxed));
    USED.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    frame(blobs);
    IS_COUNTING.store(false, Relaxed);
    USED.load(Relaxed)
}

#[test]
fn the_deepest_stack_of_the_largest_programs_takes_no_more_than_the_limit_in_any_order() {
    let blobs: Vec<Vec<u8>> = SHAPES.iter().map(blob).collect();
    let depth = CALL_DEPTH as usize + 1;
    let mut most = 0;
    // The programs of which many take most memory, with any other among them.
    for one in &blobs[..3] {
        for other in &blobs {
            // All programs are `one`, except the first, the last, or every third.
            for is_other in [|at: usize| at == 0, |at| at == CALL_DEPTH as usize, |at| at % 3 == 0] {
                let stack: Vec<&[u8]> = (0..depth).map(|at| if is_other(at) { &**other } else { &**one }).collect();
                most = most.max(used_by(&stack));
            }
        }
    }
    println!("{most} bytes, the limit is {TRANSACTION_MEMORY_BYTES}");
    assert!(most <= TRANSACTION_MEMORY_BYTES as usize, "{most} bytes, the limit is {TRANSACTION_MEMORY_BYTES}");
    // The limit is about something.
    assert!(most > TRANSACTION_MEMORY_BYTES as usize / 2, "{most} bytes, the limit is {TRANSACTION_MEMORY_BYTES}");
}
