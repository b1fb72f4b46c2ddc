//! Tests that compiling is linear: machine code, memory and number of allocations grow with the program and no faster,
//! whatever the program consists of. Time is not measured.
#![cfg(jit_supported)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use pvm_engine::vm_core::blob::BlobBuilder;
use pvm_engine::vm_core::gas::{CostModelKind, MemoryLatency};
use pvm_engine::vm_core::isa::{Instruction, Isa, Opcode, Reg};
use pvm_engine::{Backend, Config, Engine, Module, ProgramBlob, ProgramConfig, Sandbox};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // Fails if the thread is ending; then nothing is counted.
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
    let _ = CALLS.try_with(|all| all.set(all.get() + 1));
}

// SAFETY: all calls are forwarded to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's guarantees are those that the system's allocator requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as before.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as before.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Family of programs: generates one with the given number of instructions.
type Family = fn(u32) -> (Vec<Instruction>, bool);

/// Families, each with whether all its blocks are in the jump table.
const FAMILIES: [(&str, Family); 10] = [
    ("one giant block", |count| {
        (vec![Instruction::rrr(Opcode::Add64, Reg::T1, Reg::T1, Reg::T2); count as usize], false)
    }),
    ("all divisions", |count| {
        (vec![Instruction::rrr(Opcode::DivSigned64, Reg::T1, Reg::T1, Reg::T1); count as usize], false)
    }),
    ("all branches back to the start", |count| {
        (vec![Instruction::rro(Opcode::BranchEq, Reg::A0, Reg::A1, 0); count as usize], false)
    }),
    ("all branches to themselves", |count| {
        ((0..count).map(|at| Instruction::rio(Opcode::BranchNotEqImm, Reg::A0, i32::MIN, at)).collect(), false)
    }),
    // Nested small loops, whose beginnings may be moved.
    ("all branches a few blocks back", |count| {
        (
            (0..count)
                .map(|at| Instruction::rro(Opcode::BranchEq, Reg::A0, Reg::A1, at.saturating_sub(at % 7)))
                .collect(),
            false,
        )
    }),
    ("all branches to the end", |count| {
        (vec![Instruction::rro(Opcode::BranchLessSigned, Reg::A0, Reg::A1, count); count as usize], false)
    }),
    ("all jump targets", |count| (vec![Instruction::none(Opcode::Fallthrough); count as usize], true)),
    ("all dynamic jumps", |count| {
        (vec![Instruction::rrii(Opcode::LoadImmAndJumpIndirect, Reg::A0, Reg::A1, -1, i32::MIN); count as usize], true)
    }),
    ("biggest immediates", |count| {
        (vec![Instruction::rx(Opcode::LoadImm64, Reg::A5, i64::MIN + 1); count as usize], false)
    }),
    ("all traps", |count| (vec![Instruction::none(Opcode::Trap); count as usize], false)),
];

/// Maximum number of bytes of machine code per byte of guest code.
const PER_BYTE: usize = 32;

/// Cost of compiling a program: size of the machine code, allocated bytes, number of allocations.
fn cost(engine: &Engine, family: Family, count: u32, config: &ProgramConfig) -> (usize, [usize; 3]) {
    let (mut list, in_table) = family(count);
    list.push(Instruction::none(Opcode::Trap));
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.instructions(list);
    if in_table {
        (0..count).for_each(|at| _ = builder.jump_table_entry(at));
    }
    let blob = ProgramBlob::parse(&builder.build().unwrap()).unwrap();
    // In a new thread, without buffers kept from the last program.
    let (engine, config) = (engine.clone(), config.clone());
    let thread = std::thread::spawn(move || {
        let (bytes, calls) = (BYTES.get(), CALLS.get());
        let module = Module::new(&engine, &config, &blob).unwrap();
        let length = module.program().code().len() as usize;
        let machine = module.machine_code_length().unwrap();
        (length, [machine, BYTES.get() - bytes, CALLS.get() - calls])
    });
    thread.join().unwrap()
}

#[test]
fn what_compiling_yields_and_takes_is_linear_in_the_program_for_every_family() {
    let mut config = Config::new();
    let engine = Engine::new(config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort)).unwrap();
    for cost_model in [CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2), CostModelKind::CalibratedV1] {
        for single_step in [false, true] {
            let config = ProgramConfig { cost_model, single_step, ..ProgramConfig::default() };
            for (name, family) in FAMILIES {
                let [(small, one), (large, four)] = [2_000, 8_000].map(|count| cost(&engine, family, count, &config));
                assert!(large <= 5 * small && large >= 3 * small, "{name}: {small} and {large} bytes");
                for (what, one, four) in [("machine code", one[0], four[0]), ("memory", one[1], four[1])] {
                    // A quarter for steps in which things grow; anything that is not linear would be 16 times.
                    let most = one * large / small * 5 / 4 + 0x1_0000;
                    assert!(four <= most, "{name}: {four} bytes of {what} for {large}, {one} for {small}");
                }
                // Vectors that double grow a few times more.
                assert!(four[2] <= one[2] + 40, "{name}: {} requests for memory, {} before", four[2], one[2]);
                let ratio = four[0] / large;
                println!("{name}: {ratio} bytes of machine code for one, {} of memory", four[1] / large);
                assert!(ratio <= PER_BYTE, "{name}: {ratio} bytes of machine code for one");
            }
        }
    }
}
