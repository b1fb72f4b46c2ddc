//! Tests of blocks that are translated in several parts: both dispatchers find the parts wherever they are.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use vm_core::Outcome;
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::interpreter::{Dispatch, Instance};
use vm_core::isa::{Instruction, Isa, Opcode, Reg};
use vm_core::program::{Program, ProgramConfig};

/// Steps of the computation; with two instructions each many times what is translated at a time.
const STEPS: i32 = 1000;

#[test]
fn parts_of_a_block_that_do_not_lie_behind_each_other_run_in_order_and_in_full() {
    // A call to the host gives the chance to run another block before the rest of the first is translated.
    let mut list = vec![Instruction::i(Opcode::Ecalli, 7)];
    for step in 0..STEPS {
        list.push(Instruction::rri(Opcode::MulImm64, Reg::A0, Reg::A0, 3));
        list.push(Instruction::rri(Opcode::AddImm64, Reg::A0, Reg::A0, step));
    }
    list.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    let other = list.len() as u32;
    list.push(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0));
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    let bytes = builder.export(b"long", 0).export(b"other", other).instructions(list).build().unwrap();
    let program = Arc::new(Program::new(&Blob::parse(&bytes).unwrap(), &ProgramConfig::default()).unwrap());
    let (long, other) = (program.export(b"long").unwrap(), program.export(b"other").unwrap());
    let cost = 2 + 2 * i64::from(STEPS);

    for dispatch in [Dispatch::Threaded, Dispatch::Looped] {
        let mut instance = Instance::new(program.clone());
        instance.set_dispatch(dispatch);
        instance.set_gas(cost);
        instance.prepare_call(long, &[]);
        assert_eq!(instance.run(), Outcome::HostCall(7));
        instance.set_gas(1);
        instance.prepare_call(other, &[]);
        assert_eq!(instance.run(), Outcome::Finished);
        // The first time finds the parts missing, the others find them.
        for start in [5u64, 6, 7] {
            instance.set_gas(cost);
            instance.prepare_call(long, &[start]);
            assert_eq!(instance.run(), Outcome::HostCall(7));
            assert_eq!(instance.run(), Outcome::Finished);
            let result = (0..STEPS as u64).fold(start, |value, step| value.wrapping_mul(3).wrapping_add(step));
            assert_eq!((instance.reg(Reg::A0), instance.gas()), (result, 0), "{dispatch:?}, from {start}");
        }
    }
}
