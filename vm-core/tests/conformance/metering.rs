//! Cases of metering that vectors cannot state: without metering, in single steps, with negative gas, and of blocks that
//! are too long for them.

use crate::case::{Case, Step, Step::*};
use vm_core::Outcome::{self, *};
use vm_core::blob::BlobBuilder;
use vm_core::isa::{Instruction as I, Isa, Opcode as O, Reg::*};
use vm_core::program::ProgramConfig;

/// Case with code given as instructions.
fn code(name: &str, isa: Isa, instructions: &[I], script: Vec<Step>) -> Case {
    let mut builder = BlobBuilder::new(isa);
    builder.stack_size(0x1000).rw_data(0x1000, &[]).instructions(instructions.to_vec());
    Case {
        name: name.to_string(),
        isa,
        covers: instructions.iter().map(|instruction| instruction.opcode.spec().mnemonic).collect(),
        blob: builder.build().unwrap(),
        config: ProgramConfig::default(),
        script,
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for isa in Isa::ALL {
        metering(&mut cases, isa);
    }
    cases
}

fn metering(cases: &mut Vec<Case>, isa: Isa) {
    // Two blocks; instructions begin at 0, 3, 4, 7 and 10.
    let increment = I::rri(O::AddImm32, A0, A0, 1);
    let two = [increment, I::none(O::Fallthrough), increment, increment, I::none(O::Trap)];
    let script = vec![Gas(-1), Enter(0), Run(OutOfGas, None, Some(0), -1), Unchanged];
    cases.push(code("negative gas runs nothing", isa, &two, script));
    let mut case = code(
        "without metering gas does not change",
        isa,
        &two,
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
    let mut case = code(
        "single steps stop before every instruction",
        isa,
        &two,
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
    let mut long = vec![increment; count];
    long.push(I::none(O::Trap));
    let end = 3 * count as u32;
    let gas = count as i64 + 1;
    let script = vec![Gas(gas), Enter(0), Run(Trap, Some(end), None, 0), Reg(A0, count as u64)];
    cases.push(code("a long block runs whole", isa, &long, script));
    let script = vec![Gas(gas - 1), Enter(0), Run(OutOfGas, Some(0), Some(0), gas - 1), Unchanged];
    cases.push(code("a long block is paid at once", isa, &long, script));
    let script = vec![Gas(gas), Enter(end - 6), Run(Trap, Some(end), None, 0), Reg(A0, 2)];
    cases.push(code("a long block can be entered near its end", isa, &long, script));
}
