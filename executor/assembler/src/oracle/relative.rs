//! Tests of relative jumps and of the instructions without operands.

use super::Checker;
use super::Operand::Relative;
use super::space::{EDGES, conditions};
use crate::forms::{self, control};
use iced_x86::{Code, Decoder, DecoderOptions};
use std::format;

#[test]
fn relative_jumps_decode_to_what_they_say() {
    let mut checker = Checker::new("relative jumps");
    for &(mnemonic, form) in control::RELATIVE8 {
        let expected = checker.mnemonic(mnemonic);
        for disp in i8::MIN..=i8::MAX {
            checker.check(form(disp), expected, [Relative(disp.into())], 2);
        }
    }
    for &(mnemonic, form) in control::RELATIVE32 {
        let expected = checker.mnemonic(mnemonic);
        for disp in EDGES {
            checker.check(form(disp), expected, [Relative(disp.into())], 5);
        }
    }
    for (cond, suffix) in conditions() {
        for &(mnemonic, form) in control::RELATIVE8_IF {
            let expected = checker.mnemonic(&format!("{mnemonic}{suffix}"));
            for disp in i8::MIN..=i8::MAX {
                checker.check(form(cond, disp), expected, [Relative(disp.into())], 2);
            }
        }
        for &(mnemonic, form) in control::RELATIVE32_IF {
            let expected = checker.mnemonic(&format!("{mnemonic}{suffix}"));
            for disp in EDGES {
                checker.check(form(cond, disp), expected, [Relative(disp.into())], 6);
            }
        }
    }
    checker.done();
}

#[test]
fn a_condition_and_its_inverse_exclude_each_other() {
    for (cond, suffix) in conditions() {
        let inverse = conditions().find(|&(other, _)| other == cond.inverted()).map(|(_, suffix)| suffix);
        let expected = match suffix.strip_prefix('n') {
            Some(positive) => positive.into(),
            None if suffix == "b" => "ae".into(),
            None if suffix == "ae" => "b".into(),
            None if suffix == "a" => "be".into(),
            None if suffix == "be" => "a".into(),
            None if suffix == "l" => "ge".into(),
            None if suffix == "ge" => "l".into(),
            None if suffix == "g" => "le".into(),
            None if suffix == "le" => "g".into(),
            None => format!("n{suffix}"),
        };
        assert_eq!(inverse, Some(expected.as_str()), "inverse of {suffix}");
        assert_eq!(cond.inverted().inverted(), cond);
    }
}

#[test]
fn instructions_without_operands_decode_to_what_they_say() {
    let codes = [
        Code::Retnq,
        Code::Ud2,
        Code::Int3,
        Code::Cdq,
        Code::Cqo,
        Code::Stosb_m8_AL,
        Code::Syscall,
        Code::Endbr64,
        Code::Pause,
    ];
    assert_eq!(codes.len(), control::PLAIN.len());
    for (&(mnemonic, form), code) in control::PLAIN.iter().zip(codes) {
        let mut window = [0; 16];
        form().write(&mut window);
        let inst = Decoder::new(64, &window[..form().len()], DecoderOptions::NONE).decode();
        assert_eq!((inst.code(), inst.len()), (code, form().len()));
        assert_eq!(format!("{:?}", inst.mnemonic()).to_lowercase(), mnemonic);
        assert_eq!(inst.has_rep_prefix(), mnemonic == "stosb");
    }
}

#[test]
fn a_nop_of_every_length_is_one_instruction() {
    let mut checker = Checker::new("nops");
    let nop = checker.mnemonic("nop");
    for len in 1..=forms::MAX_NOP {
        let mut window = [0; 16];
        forms::nop(len).write(&mut window);
        let inst = Decoder::new(64, &window[..forms::nop(len).len()], DecoderOptions::NONE).decode();
        assert_eq!((inst.mnemonic(), inst.len()), (nop, len));
    }
    assert_eq!(forms::nop(0).len(), 1);
    assert_eq!(forms::nop(usize::MAX).len(), forms::MAX_NOP);
    checker.check(forms::nop(1), nop, [], 1);
    checker.done();
}
