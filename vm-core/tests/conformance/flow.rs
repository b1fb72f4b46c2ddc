//! Cases for control flow, gas, host calls, entries, and the instructions that only Latest32 has. Hand-written.

use crate::case::{Case, Step, Step::*};
use vm_core::Outcome::{self, *};
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Instruction as I, Isa, Opcode as O, Reg::*};
use vm_core::program::ProgramConfig;

/// A program of raw bytes; `starts` are the offsets at which instructions start, `table` the jump table.
fn raw(name: &str, isa: Isa, code: &[u8], starts: &[usize], table: &[u32], script: Vec<Step>) -> Case {
    let mut bitmask = vec![0; code.len().div_ceil(8)];
    for start in starts {
        bitmask[start / 8] |= 1 << (start % 8);
    }
    let mut builder = BlobBuilder::new(isa);
    builder.stack_size(0x1000).rw_data(0x1000, &[]).raw_code(code.to_vec(), bitmask);
    for offset in table {
        builder.jump_table_entry(*offset);
    }
    let covers = starts.iter().filter_map(|start| isa.opcode(code[*start])).map(|opcode| opcode.spec().mnemonic);
    Case {
        name: name.to_string(),
        isa,
        covers: covers.collect(),
        blob: builder.build().unwrap(),
        config: ProgramConfig::default(),
        script,
    }
}

/// Case with code given as instructions; jumps and the table name them by index.
fn code(name: &str, isa: Isa, instructions: &[I], table: &[u32], script: Vec<Step>) -> Case {
    let mut builder = BlobBuilder::new(isa);
    builder.stack_size(0x1000).rw_data(0x1000, &[]).instructions(instructions.to_vec());
    for index in table {
        builder.jump_table_entry(*index);
    }
    Case {
        name: name.to_string(),
        isa,
        covers: instructions.iter().map(|instruction| instruction.opcode.spec().mnemonic).collect(),
        blob: builder.build().unwrap(),
        config: ProgramConfig::default(),
        script,
    }
}

/// Enters at 0 with 100 gas and runs once.
fn once(outcome: Outcome, pc: Option<u32>, next_pc: Option<u32>, gas_used: i64) -> Vec<Step> {
    vec![Gas(100), Enter(0), Run(outcome, pc, next_pc, 100 - gas_used)]
}

fn trap(pc: u32, gas_used: i64) -> Vec<Step> {
    once(Trap, Some(pc), None, gas_used)
}

fn with(mut script: Vec<Step>, more: Vec<Step>) -> Vec<Step> {
    script.extend(more);
    script
}

const RETURN: u64 = 0xffff_0000;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // JamV1 refuses code with invalid instructions, so it gets only what is valid there.
    for isa in Isa::ALL {
        valid_code(&mut cases, isa);
        dynamic_jumps(&mut cases, isa);
        metering(&mut cases, isa);
    }
    for isa in [Isa::ReviveV1, Isa::Latest32] {
        invalid_code(&mut cases, isa);
        ends_of_code(&mut cases, isa);
    }
    latest32(&mut cases);
    cases
}

fn valid_code(cases: &mut Vec<Case>, isa: Isa) {
    let mut add = |name, code: &[u8], starts: &[usize], script| cases.push(raw(name, isa, code, starts, &[], script));
    add("trap stops where it is", &[0], &[0], trap(0, 1));
    add("fallthrough ends its block", &[1, 0], &[0, 1], trap(1, 2));
    add("a jump goes to its target", &[40, 3, 0, 0], &[0, 2, 3], trap(3, 2));
    add("a jump to itself burns gas until none is left", &[40], &[0], once(OutOfGas, Some(0), Some(0), 100));
    add("a jump into an instruction traps", &[40, 1], &[0], trap(0, 1));
    add("a jump into a block traps", &[40, 4, 100, 0, 100, 0, 0], &[0, 2, 4, 6], trap(0, 1));
    add("a jump behind the code traps", &[40, 2], &[0], trap(0, 1));
    add("a jump before the code traps", &[40, 0xff], &[0], trap(0, 1));
    add("a jump back is taken", &[1, 40, 0xff], &[0, 1], once(OutOfGas, Some(0), Some(0), 100));
    // load_imm_and_jump A0, 5 -> +n
    let link = |script: Vec<Step>, value| with(script, vec![Only(A0, value)]);
    let taken = link(trap(4, 2), 5);
    add("load_imm_and_jump writes its register", &[80, 0x17, 5, 4, 0], &[0, 4], taken);
    let refused = link(trap(0, 1), 5);
    add("load_imm_and_jump writes its register even if the target is invalid", &[80, 0x17, 5, 3, 0], &[0, 4], refused);
    let extended = if isa.is_64_bit() { u64::MAX } else { 0xffff_ffff };
    let script = link(trap(4, 2), extended);
    add("load_imm_and_jump sign-extends", &[80, 0x17, 0xff, 4, 0], &[0, 4], script);
    // branch_eq_imm A0, 0 -> +4; branch_not_eq_imm A0, 0 -> +n
    add("a taken branch goes to its target", &[81, 0x07, 4, 0, 0], &[0, 3, 4], trap(4, 2));
    add("a branch that is not taken goes on behind it", &[82, 0x07, 4, 0, 0], &[0, 3, 4], trap(3, 2));
    add("a branch to an invalid target traps when taken", &[81, 0x07, 2, 0], &[0, 3], trap(0, 1));
    add("a branch to an invalid target traps when not taken", &[82, 0x07, 2, 0], &[0, 3], trap(0, 1));
    // ecalli
    add("a host call stops with its number", &[10, 77, 0], &[0, 2], once(HostCall(77), Some(0), Some(2), 2));
    add(
        "a host call's number is sign-extended",
        &[10, 0xff, 0],
        &[0, 2],
        once(HostCall(u32::MAX), Some(0), Some(2), 2),
    );
    let script = vec![
        Gas(3),
        Enter(0),
        Run(HostCall(1), Some(0), Some(2), 0),
        Set(A1, 9),
        Run(HostCall(2), Some(2), Some(4), 0),
        Unchanged,
        Run(Trap, Some(4), None, 0),
    ];
    add("a block with host calls is charged once", &[10, 1, 10, 2, 0], &[0, 2, 4], script);
    let script = vec![
        Gas(10),
        Enter(0),
        Run(HostCall(1), Some(0), Some(2), 7),
        Enter(2),
        Run(HostCall(2), Some(2), Some(4), 4),
        Gas(2),
        Enter(4),
        Run(OutOfGas, None, Some(4), 2),
    ];
    add("setting the next program counter charges the block again", &[10, 1, 10, 2, 0], &[0, 2, 4], script);
}

fn dynamic_jumps(cases: &mut Vec<Case>, isa: Isa) {
    // 0: jump_indirect A0 + 0; 2: trap; 3: move_reg; 5: trap
    let bytes = [50, 7, 0, 100, 0, 0];
    let starts = [0, 2, 3, 5];
    let high = if isa.is_64_bit() { 0x1234_5678_0000_0000 } else { 0 };
    for (name, address, table, expected) in [
        ("address 2 is the first table entry", 2, &[3, 2][..], trap(5, 3)),
        ("address 4 is the second table entry", 4, &[3, 2], trap(2, 2)),
        ("the upper half of the address does not count", high | 4, &[3, 2], trap(2, 2)),
        ("address 0 traps", 0, &[3, 2], trap(0, 1)),
        ("an odd address traps", 3, &[3, 2], trap(0, 1)),
        ("an address behind the table traps", 6, &[3, 2], trap(0, 1)),
        ("the highest address traps", 0xffff_fffe, &[3, 2], trap(0, 1)),
        ("without a table every address traps", 2, &[], trap(0, 1)),
        ("an entry into the middle of a block traps", 2, &[5], trap(0, 1)),
        ("an entry into an instruction traps", 2, &[4], trap(0, 1)),
        ("an entry at the end of the code traps", 2, &[6], trap(0, 1)),
        ("an entry far away traps", 2, &[0xffff_ffff], trap(0, 1)),
        ("the return address finishes", RETURN, &[3], once(Finished, None, None, 1)),
        ("the return address with upper bits finishes", high | RETURN, &[3], once(Finished, None, None, 1)),
    ] {
        let script = with(vec![Set(A0, address)], with(expected, vec![Unchanged]));
        cases.push(raw(&format!("dynamic jump: {name}"), isa, &bytes, &starts, table, script));
    }
    // jump_indirect A0 + 2, A0 - 2
    for (imm, address) in [(2, 0), (0xfe, 4), (3, 0xffff_ffff), (0x82, 0x80)] {
        let script = with(vec![Set(A0, address)], trap(3, 2));
        cases.push(raw("dynamic jump: the offset is added and wraps", isa, &[50, 7, imm, 0], &[0, 3], &[3], script));
    }
    // 0: load_imm_and_jump_indirect r1 = lo, r2 = hi, n1 = 1, imm1 = 6, imm2 = 2; 5: trap; 6: trap
    let call = |pair: u8| [180, pair, 1, 6, 2, 0, 0];
    let starts = [0, 5, 6];
    let table = [5, 6];
    let script = with(vec![Set(A0, 2)], with(trap(6, 2), vec![Only(A1, 6)]));
    cases.push(raw("a dynamic call writes the link register", isa, &call(0x78), &starts, &table, script));
    let script = with(vec![Set(A0, 2)], with(trap(6, 2), vec![Only(A0, 6)]));
    cases.push(raw("a dynamic call uses the old base", isa, &call(0x77), &starts, &table, script));
    let script = with(vec![Set(A0, 1)], with(trap(0, 1), vec![Only(A0, 6)]));
    cases.push(raw("a dynamic call that traps has written the link", isa, &call(0x77), &starts, &table, script));
    let script = with(vec![Set(A0, RETURN - 2)], with(once(Finished, None, None, 1), vec![Only(A1, 6)]));
    cases.push(raw("a dynamic call of the host finishes", isa, &call(0x78), &starts, &table, script));
    // An instruction that ends a run leaves no next pc until a new entry is set.
    let script = vec![
        Set(A0, RETURN),
        Gas(5),
        Enter(0),
        Run(Finished, None, None, 4),
        Run(Trap, None, None, 4),
        Enter(2),
        Run(Trap, Some(2), None, 3),
        Run(Trap, Some(2), None, 3),
    ];
    cases.push(raw("a finished run needs a new entry", isa, &bytes, &[0, 2, 3, 5], &[3], script));
}

fn metering(cases: &mut Vec<Case>, isa: Isa) {
    // Two blocks: 0: add_imm_32 A0 += 1, 3: fallthrough | 4: add_imm_32 A0 += 1, 7: add_imm_32 A0 += 1, 10: trap
    let bytes = [131, 0x77, 1, 1, 131, 0x77, 1, 131, 0x77, 1, 0];
    let starts = [0, 3, 4, 7, 10];
    let mut add = |name, script| cases.push(raw(name, isa, &bytes, &starts, &[], script));
    let script = vec![Gas(1), Enter(0), Run(OutOfGas, Some(0), Some(0), 1), Unchanged];
    add("a block that cannot be paid is not entered", script);
    let script = vec![Gas(2), Enter(0), Run(OutOfGas, Some(4), Some(4), 0), Only(A0, 1)];
    add("a second block that cannot be paid has no effect", script);
    let script = vec![
        Gas(4),
        Enter(0),
        Run(OutOfGas, Some(4), Some(4), 2),
        Only(A0, 1),
        Run(OutOfGas, Some(4), Some(4), 2),
        Gas(3),
        Run(Trap, Some(10), None, 0),
        Only(A0, 3),
    ];
    add("a run goes on after gas is added", script);
    let script = vec![Gas(5), Enter(0), Run(Trap, Some(10), None, 0), Only(A0, 3)];
    add("gas for exactly both blocks is enough", script);
    add("negative gas runs nothing", vec![Gas(-1), Enter(0), Run(OutOfGas, None, Some(0), -1), Unchanged]);
    add("no gas runs nothing", vec![Gas(0), Enter(0), Run(OutOfGas, Some(0), Some(0), 0), Unchanged]);
    let script = vec![Gas(3), Enter(7), Run(Trap, Some(10), None, 0), Only(A0, 1)];
    add("an entry inside a block pays for all of it", script);
    let script = vec![Gas(2), Enter(7), Run(OutOfGas, None, Some(7), 2), Gas(3), Run(Trap, Some(10), None, 0)];
    add("an entry inside a block that cannot be paid changes nothing", script);
    let script = vec![Gas(5), Enter(3), Run(Trap, Some(10), None, 0), Only(A0, 2)];
    add("an entry at the last instruction of a block pays for the block", script);
    for bad in [1, 2, 5, 11, 12, 1000, u32::MAX] {
        let script =
            vec![Gas(9), Enter(bad), Run(Trap, Some(bad), Some(bad), 9), Run(Trap, Some(bad), Some(bad), 9), Unchanged];
        add("an entry where no instruction starts traps and costs nothing", script);
    }
    let mut case = raw(
        "without metering gas does not change",
        isa,
        &bytes,
        &starts,
        &[],
        vec![
            Gas(1),
            Enter(0),
            Run(Trap, Some(10), None, 1),
            Only(A0, 3),
            Enter(7),
            Run(Trap, Some(10), None, 1),
            Only(A0, 4),
        ],
    );
    case.config.metering = vm_core::gas::Metering::Off;
    cases.push(case);
    let step = |pc, gas| Run(Outcome::Step, Some(pc), Some(pc), gas);
    let mut case = raw(
        "single steps stop before every instruction",
        isa,
        &bytes,
        &starts,
        &[],
        vec![
            Gas(5),
            Enter(0),
            step(0, 5),
            step(3, 3),
            Only(A0, 1),
            step(4, 3),
            step(7, 0),
            step(10, 0),
            Only(A0, 3),
            Run(Trap, Some(10), None, 0),
        ],
    );
    case.config.single_step = true;
    cases.push(case);

    // A block longer than what is translated at a time, entered at its start and near its end.
    let count = 5000;
    let mut long = vec![I::rri(O::AddImm32, A0, A0, 1); count];
    long.push(I::none(O::Trap));
    let end = 3 * count as u32;
    let gas = count as i64 + 1;
    let script = vec![Gas(gas), Enter(0), Run(Trap, Some(end), None, 0), Reg(A0, count as u64)];
    cases.push(code("a long block runs whole", isa, &long, &[], script));
    let script = vec![Gas(gas - 1), Enter(0), Run(OutOfGas, Some(0), Some(0), gas - 1), Unchanged];
    cases.push(code("a long block is paid at once", isa, &long, &[], script));
    let script = vec![Gas(gas), Enter(end - 6), Run(Trap, Some(end), None, 0), Reg(A0, 2)];
    cases.push(code("a long block can be entered near its end", isa, &long, &[], script));

    // A loop, which comes back to translated code: sum 1..=100.
    let sum = [
        I::ri(O::LoadImm, A0, 100),
        I::none(O::Fallthrough),
        I::rrr(O::Add32, A1, A1, A0),
        I::rri(O::AddImm32, A0, A0, -1),
        I::rio(O::BranchNotEqImm, A0, 0, 2),
        I::ri(O::JumpIndirect, RA, 0),
    ];
    let script = vec![Set(RA, RETURN), Gas(1000), Enter(0), Run(Finished, None, None, 1000 - 303), Reg(A1, 5050)];
    cases.push(code("a loop runs as often as it says", isa, &sum, &[], script));

    // Calls through the table: 0: call 4 (return entry 1), 1: trap | 4: A0 += 7, return
    let call = [
        I::rio(O::LoadImmAndJump, RA, 2, 3),
        I::rio(O::LoadImmAndJump, RA, 4, 3),
        I::none(O::Trap),
        I::rri(O::AddImm32, A0, A0, 7),
        I::ri(O::JumpIndirect, RA, 0),
    ];
    let script = vec![Gas(100), Enter(0), Run(Trap, Some(8), None, 100 - 7), Reg(A0, 14), Reg(RA, 4)];
    cases.push(code("a function called twice returns to both places", isa, &call, &[1, 2], script));
}

fn invalid_code(cases: &mut Vec<Case>, isa: Isa) {
    let mut add = |name, code: &[u8], starts: &[usize], script| cases.push(raw(name, isa, code, starts, &[], script));
    add("an undefined opcode traps", &[255, 0], &[0, 1], trap(0, 1));
    add("an undefined opcode is charged with its block", &[100, 0, 255], &[0, 2], trap(2, 2));
    add("behind an undefined opcode a block starts", &[40, 3, 255, 0], &[0, 2, 3], trap(3, 2));
    add("code that begins with a gap traps there", &[1, 1, 0], &[1, 2], trap(0, 1));
    add("a jump into the gap at the beginning is fine", &[1, 1, 40, 0xfe], &[2], trap(0, 1));
    let mut long = vec![100; 60];
    add("bytes behind the longest instruction trap", &long, &[0, 58], trap(25, 2));
    let script = vec![Gas(9), Enter(25), Run(Trap, Some(25), None, 7)];
    add("the trap behind the longest instruction can be entered", &long, &[0, 58], script);
    let script = vec![Gas(9), Enter(26), Run(Trap, Some(26), Some(26), 9)];
    add("but not the bytes behind it", &long, &[0, 58], script);
    long[0] = 1;
    add("the trap behind the longest instruction can begin a block", &long, &[0, 58], trap(25, 2));
    add("without any instruction start everything is one trap", &[1, 1, 1], &[], trap(0, 1));
    add("an entry into empty code traps", &[], &[], once(Trap, Some(0), Some(0), 0));
}

fn ends_of_code(cases: &mut Vec<Case>, isa: Isa) {
    let mut add = |name, code: &[u8], starts: &[usize], script| cases.push(raw(name, isa, code, starts, &[], script));
    add("code that runs off its end pays for a trap there", &[100, 0], &[0], trap(2, 2));
    add("a fallthrough at the end traps itself", &[1], &[0], trap(0, 1));
    add("a branch at the end traps when taken", &[1, 81, 0x07, 0xff], &[0, 1], trap(1, 2));
    add("a branch at the end traps when not taken", &[1, 82, 0x07, 0xff], &[0, 1], trap(1, 2));
    add("a jump at the end is fine", &[1, 40, 0xff], &[0, 1], once(OutOfGas, Some(0), Some(0), 100));
    let script = vec![Gas(2), Enter(0), Run(HostCall(0), Some(0), Some(1), 0), Run(Trap, Some(1), None, 0)];
    add("behind a host call at the end is a trap", &[10], &[0], script);
    let script = vec![Gas(5), Enter(1), Run(Trap, Some(1), Some(1), 5)];
    add("the trap at the end cannot be entered", &[10], &[0], script);
    // load_imm A0 whose immediate is cut off by the end; its register byte lies behind the end, too.
    add("operands behind the end are zero", &[51], &[0], with(trap(1, 2), vec![Unchanged]));
}

fn latest32(cases: &mut Vec<Case>) {
    let isa = Isa::Latest32;
    let base = 0x2_0000u32;
    let rw = u64::from(base);
    // memset, trap
    let fill = |name, to: u64, count: u64, gas: i64, rest: Vec<Step>| {
        let setup = vec![Set(A0, to), Set(A1, 0x1_ab & 0xffff_ffff), Set(A2, count), Gas(gas), Enter(0)];
        raw(name, isa, &[2, 0], &[0, 1], &[], with(setup, rest))
    };
    let after = |to: u64, left: u64| vec![Reg(A0, to), Reg(A1, 0x1ab), Reg(A2, left)];
    cases.push(fill(
        "memset fills and costs a gas a byte",
        rw + 1,
        5000 % 0x1000,
        2000,
        with(
            vec![Run(Trap, Some(1), None, 2000 - 2 - 904), Memory(base, with_bytes(0, 1, 0xab, 904, 3))],
            after(rw + 905, 0),
        ),
    ));
    cases.push(fill("memset of nothing does nothing", 0, 0, 2, with(vec![Run(Trap, Some(1), None, 0)], after(0, 0))));
    cases.push(fill(
        "memset stops when gas runs out and goes on",
        rw,
        10,
        6,
        with(
            vec![
                Run(OutOfGas, Some(0), Some(0), 0),
                Reg(A0, rw + 4),
                Reg(A2, 6),
                Memory(base, with_bytes(0, 0, 0xab, 4, 4)),
                Run(OutOfGas, Some(0), Some(0), 0),
                Gas(6),
                Run(Trap, Some(1), None, 0),
                Memory(base, with_bytes(0, 0, 0xab, 10, 4)),
            ],
            after(rw + 10, 0),
        ),
    ));
    cases.push(fill(
        "memset that runs out of memory traps with its progress",
        rw + 0xffe,
        10,
        100,
        with(vec![Run(Trap, Some(0), None, 96), Memory(base + 0xffe, vec![0xab; 2])], after(rw + 0x1000, 8)),
    ));
    cases.push(fill(
        "memset of read-only memory traps at once",
        0x1_0000,
        3,
        100,
        with(vec![Run(Trap, Some(0), None, 98)], after(0x1_0000, 3)),
    ));
    // sbrk A1 = sbrk(A0), trap
    let grow = |name, steps: Vec<Step>| raw(name, isa, &[101, 0x78, 0], &[0, 2], &[], steps);
    let run = |by: u64, top: u64| {
        vec![Set(A0, by), Set(A1, 0xdd), Gas(2), Enter(0), Run(Trap, Some(2), None, 0), Only(A1, top)]
    };
    let heap = rw + 0x1000;
    cases.push(grow(
        "sbrk grows the heap and tells its new end",
        with(run(0, heap), with(run(16, heap + 16), run(0, heap + 16))),
    ));
    cases.push(grow("sbrk that asks for too much changes nothing", with(run(0xffff_0000, 0), run(0, heap))));
    cases.push(grow(
        "sbrk that overflows changes nothing",
        with(run(8, heap + 8), with(run(0xffff_ffff, 0), run(0, heap + 8))),
    ));
    // The heap is memory: grow by A0, then store A2 at A3.
    let use_heap = [I::rr(O::Sbrk, A1, A0), I::rri(O::StoreIndirectU8, A2, A3, 0), I::none(O::Trap)];
    for (by, at, fault) in [(0, heap, true), (1, heap, false), (1, heap + 0xfff, false), (1, heap + 0x1000, true)] {
        let setup = vec![Set(A0, by), Set(A2, 0x55), Set(A3, at), Gas(3), Enter(0)];
        let end = Run(Trap, Some(if fault { 2 } else { 4 }), None, 0);
        let seen = if fault { vec![end] } else { vec![end, Memory(at as u32, vec![0x55])] };
        cases.push(code("heap pages can be used once the heap reaches them", isa, &use_heap, &[], with(setup, seen)));
    }
    for isa in [Isa::Latest32, Isa::JamV1] {
        let hint = [I::none(O::Unlikely), I::rri(O::AddImm32, A0, A0, 1), I::none(O::Trap)];
        cases.push(code("unlikely costs gas and does nothing", isa, &hint, &[], with(trap(4, 3), vec![Only(A0, 1)])));
    }
    // Registers have 32 bits, whatever is put into them.
    let add = [I::rrr(O::Add32, A2, A0, A1), I::none(O::Trap)];
    let script = vec![
        Set(A0, 0x1234_5678_ffff_ffff),
        Set(A1, 0x8000_0000),
        Gas(2),
        Enter(0),
        Run(Trap, Some(3), None, 0),
        Reg(A0, 0xffff_ffff),
        Reg(A2, 0x7fff_ffff),
    ];
    cases.push(code("registers keep 32 bits", isa, &add, &[], script));
}

/// `zeros` + `before` bytes of 0, `count` of `value`, `behind` of 0.
fn with_bytes(zeros: usize, before: usize, value: u8, count: usize, behind: usize) -> Vec<u8> {
    [vec![0; zeros + before], vec![value; count], vec![0; behind]].concat()
}
