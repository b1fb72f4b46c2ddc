//! Parser of the graph's text, in the form of `show`; for tests of passes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::{Address, Block, BlockId, Data, Imm, IrProgram, Op, Origin, Part, Step, Terminator, Val, Var, Vars};
use crate::elf::{Import, SectionKind};
use vm_core::isa::{Opcode, Reg};

/// Parses a 64-bit program. Its first block is exported, with one result; there are two host functions of two arguments
/// and a result; sections 1 to 3 are constants (bytes 0, 1, 2, …), variables and zeros, of 64 bytes each.
pub fn program(text: &str) -> IrProgram {
    let mut program = IrProgram { wide: true, ..IrProgram::default() };
    for name in ["first", "second"] {
        program.imports.push(Import { symbol: name.into(), inputs: 2, outputs: 1, index: None });
    }
    let data = |kind, bytes: Vec<u8>| Some(Data { kind, align: 8, bytes, size: 64, fixups: Vec::new() });
    program.data = vec![
        None,
        data(SectionKind::ReadOnly, (0..64).collect()),
        data(SectionKind::ReadWrite, vec![1; 64]),
        data(SectionKind::Zero, Vec::new()),
    ];
    let mut steps = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(label) = line.strip_suffix(':') {
            assert_eq!(block(label).0 as usize, program.blocks.len(), "blocks come in order");
            continue;
        }
        match terminator(line) {
            Some(terminator) => {
                program.blocks.push(Block::new(std::mem::take(&mut steps), terminator, Origin::default()));
            }
            None => steps.push(Step { op: op(line), at: Origin::default() }),
        }
    }
    program.exports.push((b"main".to_vec(), BlockId(0), Vars::one(Var::A0)));
    program
}

/// Returns the reachable blocks of a program as text.
pub fn text(program: &IrProgram) -> String {
    let reachable = crate::passes::liveness::Reachable::of(program).blocks;
    let ids = program.ids().filter(|id| reachable[id.0 as usize]);
    ids.map(|id| format!("{id}:\n{}", program.block(id))).collect()
}

/// Checks the result of a pass on a program.
pub fn check(pass: fn(&mut IrProgram) -> bool, before: &str, after: &str) {
    let mut changed = program(before);
    pass(&mut changed);
    let trim = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&text(&changed)), trim(after), "\nbefore:\n{}", trim(before));
}

fn block(text: &str) -> BlockId {
    BlockId(text.trim().strip_prefix('b').unwrap().parse().unwrap())
}

fn var(text: &str) -> Option<Var> {
    if let Some(number) = text.strip_prefix('e') {
        return number.parse().ok().map(Var::temporary);
    }
    Reg::ALL.into_iter().find(|reg| reg.name() == text).map(Var::of)
}

fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|value| value as i64),
        None => text.parse().ok(),
    }
}

fn imm(text: &str) -> Imm {
    let (part, inner) = match (text.strip_prefix("hi("), text.strip_prefix("lo(")) {
        (Some(rest), _) => (Part::High, rest.trim_end_matches(')')),
        (_, Some(rest)) => (Part::Low, rest.trim_end_matches(')')),
        _ => (Part::Full, text),
    };
    if let Some(code) = inner.strip_prefix('&') {
        return Imm::Code { block: block(code), part };
    }
    if let Some(data) = inner.strip_prefix('@') {
        let at = data.find(['+', '-']).unwrap();
        return Imm::Data { section: data[..at].parse().unwrap(), part, offset: data[at..].parse().unwrap() };
    }
    Imm::Num(number(inner).unwrap_or_else(|| panic!("no constant: {text}")))
}

fn val(text: &str) -> Val {
    let text = text.trim();
    var(text).map_or_else(|| imm(text).into(), Val::Var)
}

fn address(text: &str) -> Address {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    match inner.split_once(" + ") {
        Some((base, offset)) => Address { base: var(base), offset: imm(offset) },
        None => match var(inner) {
            Some(base) => Address { base: Some(base), offset: Imm::ZERO },
            None => Address { base: None, offset: imm(inner) },
        },
    }
}

fn opcode(name: &str) -> Opcode {
    Opcode::all().find(|opcode| opcode.spec().mnemonic == name).unwrap_or_else(|| panic!("no operation {name}"))
}

fn terminator(line: &str) -> Option<Terminator> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let inner = |text: &str| var(text.trim_start_matches('[').trim_end_matches(']')).unwrap();
    Some(match words[..] {
        ["trap"] => Terminator::Trap,
        ["jump", target] if target.starts_with('[') => Terminator::JumpIndirect { base: inner(target) },
        ["jump", target] => Terminator::Jump(block(target)),
        ["call", target, "back", "to", back, "by", link] => {
            let (back, link) = (block(back), var(link).unwrap());
            match target.starts_with('[') {
                true => Terminator::CallIndirect { link, base: inner(target), back },
                false => Terminator::Call { link, target: block(target), back },
            }
        }
        [op, a, b, "to", then, "else", otherwise] => Terminator::Branch {
            op: opcode(op),
            a: val(a.trim_end_matches(',')),
            b: val(b),
            then: block(then),
            otherwise: block(otherwise),
        },
        _ => return None,
    })
}

fn op(line: &str) -> Op {
    if let Some(import) = line.strip_prefix("host_call ") {
        return Op::HostCall { import: import.parse().unwrap() };
    }
    let (left, right) = line.split_once(" = ").unwrap_or_else(|| panic!("no operation: {line}"));
    if let Some((op, place)) = left.split_once(' ') {
        return Op::Store { op: opcode(op), value: val(right), address: address(place) };
    }
    let dst = var(left).unwrap();
    if let Some((value, condition)) = right.split_once(" if ") {
        let words: Vec<&str> = condition.split_whitespace().collect();
        return Op::Cmov { zero: words[1] == "==", dst, value: val(value), cond: var(words[0]).unwrap() };
    }
    let Some((name, operands)) = right.split_once(' ') else {
        return match val(right) {
            Val::Var(src) => Op::Move { dst, src },
            Val::Imm(value) => Op::Const { dst, value },
        };
    };
    if operands.starts_with('[') {
        return Op::Load { op: opcode(name), dst, address: address(operands) };
    }
    match operands.split_once(", ") {
        Some((a, b)) => Op::Binary { op: opcode(name), dst, a: val(a), b: val(b) },
        None => Op::Unary { op: opcode(name), dst, src: var(operands).unwrap() },
    }
}
