//! Tests of branch-free choices: instructions that are emitted or not, or one instead of another.

use crate::operand::{Reg, RegSize, Scale, StoreImm};
use crate::{Assembler, Inst, Mem, forms};
use alloc::vec::Vec;

/// Instructions of each length and shape.
fn instructions() -> Vec<Inst> {
    let index = Reg::R9.index().unwrap();
    [
        forms::ret(),
        forms::mov_rr(RegSize::R64, Reg::Rax, Reg::R8),
        forms::add_ri(RegSize::R64, Reg::R12, 1 << 20),
        forms::mov_ri64(Reg::Rdx, u64::MAX / 3),
        forms::lea_rm(RegSize::R32, Reg::Rbx, Mem::base(Reg::Rsi, 0)),
        forms::lea_rm(RegSize::R64, Reg::Rbx, Mem::base_index32(Reg::R12, index, Scale::X8, 1 << 30)),
        forms::mov_mi(Mem::base32(Reg::Rsp, 0x1234), StoreImm::W64(-5)),
        forms::nop(9),
    ]
    .into()
}

fn bytes(emit: impl FnOnce(&mut Assembler)) -> Vec<u8> {
    let mut asm = Assembler::new(2000);
    emit(&mut asm);
    asm.finish().unwrap().into()
}

#[test]
fn an_instruction_is_emitted_if_the_condition_holds_and_leaves_nothing_if_not() {
    for first in instructions() {
        for second in instructions() {
            let with = bytes(|asm| (0..50).for_each(|_| [first, second].into_iter().for_each(|inst| asm.push(inst))));
            let without = bytes(|asm| (0..50).for_each(|_| asm.push(second)));
            for (condition, expected) in [(true, with), (false, without)] {
                let found = bytes(|asm| {
                    for _ in 0..50 {
                        asm.push_if(condition, first);
                        asm.push(second);
                    }
                });
                assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn of_two_instructions_the_condition_chooses_one() {
    for first in instructions() {
        for second in instructions() {
            for (condition, chosen) in [(true, first), (false, second)] {
                let inst = first.when(condition, second);
                assert_eq!(inst.len(), chosen.len());
                assert_eq!(bytes(|asm| asm.push(inst)), bytes(|asm| asm.push(chosen)));
            }
        }
    }
}

#[test]
fn what_is_not_emitted_is_no_error_at_the_limit() {
    let mut asm = Assembler::new(20);
    for _ in 0..20 {
        asm.push(forms::ret());
    }
    asm.push_if(false, forms::nop(9));
    assert_eq!(asm.finish().map(|code| code.len()), Ok(20));
    asm.push_if(true, forms::ret());
    assert!(asm.finish().is_err());
}
