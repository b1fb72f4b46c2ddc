//! Tests of the verifier: it accepts what the compiler makes, refuses planted damage by the rule that it violates, and
//! accepts no other damage than such as cannot leave the sandbox, as an independent judge finds.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use super::super::{compile_unverified, planted};
use super::judge::Judge;
use super::*;
use crate::{Backend, Config, Engine, Error, Module, ProgramBlob, Sandbox};
use pvm_test_support::{RandomProgram, Rng};
use vm_core::blob::{Blob, BlobBuilder};
use vm_core::gas::{CostModelKind, MemoryLatency};
use vm_core::isa::Opcode::*;
use vm_core::isa::{Instruction, Isa, Reg};
use vm_core::program::ProgramConfig;

const MODELS: [CostModelKind; 3] =
    [CostModelKind::Naive, CostModelKind::Pipeline(MemoryLatency::L2), CostModelKind::CalibratedV1];

pub(super) fn config(cost_model: CostModelKind) -> ProgramConfig {
    ProgramConfig { cost_model, ..ProgramConfig::default() }
}

pub(super) fn unmetered() -> ProgramConfig {
    ProgramConfig { metering: Metering::Off, ..ProgramConfig::default() }
}

pub(super) fn load(bytes: &[u8], config: &ProgramConfig) -> Option<Program> {
    Program::new(&Blob::parse(bytes).unwrap(), config).ok()
}

/// A program with every kind of sequence. `has_bad_entry`: an entry of the jump table leads nowhere.
pub(super) fn everything(has_bad_entry: bool) -> Vec<u8> {
    let list = vec![
        Instruction::ri(LoadImm, Reg::A0, 7),
        Instruction::rri(LoadIndirectU64, Reg::A1, Reg::A0, 16),
        Instruction::rri(StoreIndirectU16, Reg::A1, Reg::S1, 1),
        Instruction::ri(StoreU32, Reg::A1, 0x2_0000),
        Instruction::ii(StoreImmU16, 0x2_0000, 5),
        Instruction::rrr(Add64, Reg::A2, Reg::A1, Reg::A0),
        Instruction::none(Fallthrough),
        // A branch back, which is likely.
        Instruction::rrr(DivSigned64, Reg::T1, Reg::A1, Reg::T1),
        Instruction::rrr(MulUpperSignedUnsigned, Reg::T1, Reg::A1, Reg::T1),
        Instruction::rro(BranchEq, Reg::A0, Reg::A1, 0),
        Instruction::i(Ecalli, 0),
        Instruction::rr(CountSetBits64, Reg::A3, Reg::A4),
        Instruction::rrr(RotateLeft32, Reg::A3, Reg::A4, Reg::A5),
        // A branch forward, which is not.
        Instruction::rio(BranchLessSignedImm, Reg::A0, 1000, 16),
        Instruction::rrr(SetLessThanSigned, Reg::A0, Reg::A1, Reg::A2),
        Instruction::o(Jump, 0),
        Instruction::rrr(ShiftLogicalLeft64, Reg::A0, Reg::A1, Reg::A2),
        Instruction::rrii(LoadImmAndJumpIndirect, Reg::RA, Reg::A0, 4, 0),
        Instruction::none(Trap),
    ];
    let mut builder = BlobBuilder::new(Isa::ReviveV1);
    builder.import(b"host");
    builder.instructions(list);
    for entry in [0, 7, if has_bad_entry { 8 } else { 16 }] {
        builder.jump_table_entry(entry);
    }
    builder.build().unwrap()
}

/// The judge of a compiled program.
fn judge<'a>(program: &Program, compiled: &'a Compiled) -> Judge<'a> {
    let room = program.jump_table().len().next_power_of_two();
    let routines = u64::from((8 * room).next_multiple_of(64));
    let exit = |exit: u32| routines + u64::from(offset_of_exit(exit));
    let steps = program.config().single_step.then(|| exit(protocol::EXIT_STEP));
    let calls = [
        protocol::EXIT_TRAP,
        protocol::EXIT_HOST_CALL,
        protocol::EXIT_SBRK,
        protocol::EXIT_MEMSET,
        protocol::EXIT_OUT_OF_GAS,
        protocol::EXIT_JUMP,
    ];
    Judge {
        image: &compiled.image,
        calls: calls.into_iter().map(exit).chain(steps).collect(),
        traps: [exit(protocol::EXIT_TRAP)].into(),
        program: routines + ROUTINES.len() as u64..u64::from(compiled.block_stubs),
        entries: program.jump_table().len(),
        room,
        metered: program.config().metering != Metering::Off,
        refund: program.branch_refund() as i32,
        begins: compiled
            .pc_map
            .iter()
            .filter(|entry| compiled.blocks.binary_search(&entry.guest).is_ok())
            .map(|entry| u64::from(entry.native))
            .collect(),
    }
}

#[test]
fn what_the_compiler_makes_is_accepted_by_verifier_and_judge() {
    let mut programs = 0;
    for seed in 0..3000 {
        let rng = &mut Rng::new(seed);
        let isa = rng.pick(&Isa::ALL);
        let bytes = RandomProgram::any(isa, rng).blob();
        for config in MODELS
            .map(config)
            .into_iter()
            .chain([unmetered(), ProgramConfig { single_step: true, ..ProgramConfig::default() }])
        {
            let Some(program) = load(&bytes, &config) else { continue };
            let compiled = compile_unverified(&program).unwrap();
            verify(&program, &compiled).unwrap_or_else(|error| panic!("seed {seed} {config:?}: {error}"));
            judge(&program, &compiled).judge().unwrap_or_else(|error| panic!("seed {seed} {config:?}: {error}"));
            programs += 1;
        }
    }
    assert!(programs > 10_000, "{programs}");
}

#[test]
fn every_byte_of_the_routines_is_checked() {
    let program = load(&everything(false), &ProgramConfig::default()).unwrap();
    let mut compiled = compile_unverified(&program).unwrap();
    let routines = compiled.enter as usize;
    for at in routines..routines + ROUTINES.len() {
        for bit in 0..8 {
            compiled.image[at] ^= 1 << bit;
            let error = verify(&program, &compiled).unwrap_err();
            assert_eq!((error.rule(), error.offset()), (CodeRule::Routines, routines as u32));
            compiled.image[at] ^= 1 << bit;
        }
    }
    verify(&program, &compiled).unwrap();
}

/// Every byte of program, stubs and jump table takes all other values, a third of them here and there, for programs of
/// every kind.
#[test]
fn damage_of_a_byte_is_refused_or_cannot_leave_the_sandbox() {
    let steps = ProgramConfig { single_step: true, ..ProgramConfig::default() };
    let configs = [config(CostModelKind::Naive), config(CostModelKind::CalibratedV1), unmetered(), steps];
    let (mut refused, mut accepted) = (0, 0);
    for (index, config) in configs.iter().enumerate() {
        let program = load(&everything(index % 2 == 0), config).unwrap();
        let mut compiled = compile_unverified(&program).unwrap();
        let routines = compiled.enter as usize;
        for at in (0..routines).chain(routines + ROUTINES.len()..compiled.image.len()) {
            let byte = compiled.image[at];
            let values = (0..=255).filter(|value| *value != byte && (usize::from(*value) + at) % 3 == 0);
            for value in values.chain((0..8).map(|bit| byte ^ 1 << bit)) {
                compiled.image[at] = value;
                match verify(&program, &compiled) {
                    Err(_) => refused += 1,
                    Ok(()) => {
                        accepted += 1;
                        let judged = judge(&program, &compiled).judge();
                        assert_eq!(judged, Ok(()), "config {index}: {value:#x} for {byte:#x} at {at}");
                    }
                }
            }
            compiled.image[at] = byte;
        }
    }
    println!("{refused} refused, {accepted} accepted, none of which can leave");
    assert!(refused > 100_000 && accepted > 10_000, "{refused} {accepted}");
}

/// Several bytes at once, in random programs.
#[test]
fn random_damage_is_refused_or_cannot_leave_the_sandbox() {
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..2000 {
        let rng = &mut Rng::new(seed);
        let isa = rng.pick(&Isa::ALL);
        let bytes = RandomProgram::any(isa, rng).blob();
        let config = match rng.below(4) {
            3 => unmetered(),
            model => config(MODELS[model as usize]),
        };
        let Some(program) = load(&bytes, &config) else { continue };
        let compiled = compile_unverified(&program).unwrap();
        let mut damaged = compile_unverified(&program).unwrap();
        let code = compiled.enter + ROUTINES.len() as u32;
        for _ in 0..50 {
            damaged.image.copy_from_slice(&compiled.image);
            let at = code + rng.below(compiled.image.len() as u32 - code);
            for offset in 0..1 + rng.below(4) {
                let byte = rng.below(256) as u8;
                if let Some(place) = damaged.image.get_mut((at + offset) as usize) {
                    *place = if rng.chance(50) { byte } else { *place ^ 1 << (byte % 8) };
                }
            }
            match verify(&program, &damaged) {
                Err(_) => refused += 1,
                Ok(()) => {
                    accepted += 1;
                    assert_eq!(judge(&program, &damaged).judge(), Ok(()), "seed {seed} at {at}");
                }
            }
        }
    }
    println!("{refused} refused, {accepted} accepted, none of which can leave");
    assert!(refused > 10_000 && accepted > 1_000, "{refused} {accepted}");
}

/// Without the verifier it would run.
#[test]
fn a_bug_of_the_compiler_is_interpreted_or_an_error() {
    let blob = ProgramBlob::parse(&everything(false)).unwrap();
    for (backend, verifies) in
        [(Backend::Auto, true), (Backend::Jit, true), (Backend::Auto, false), (Backend::Jit, false)]
    {
        let mut config = Config::new();
        config.set_backend(backend).set_sandbox(Sandbox::BestEffort).set_verify_code(verifies);
        let engine = Engine::new(&config).unwrap();
        planted::BUG.set(Some(|image| image[0] ^= 1));
        let result = Module::new(&engine, &ProgramConfig::default(), &blob);
        planted::BUG.set(None);
        match (backend, result) {
            (_, Ok(module)) if !verifies => assert!(module.is_compiled()),
            (Backend::Auto, Ok(module)) => assert!(!module.is_compiled()),
            (Backend::Jit, Err(Error::Verify(error))) => {
                assert_eq!((error.rule(), error.offset()), (CodeRule::JumpTable, 0));
                let text = error.to_string();
                assert!(text.starts_with("the verifier refuses machine code at offset 0, "), "{text}");
            }
            (_, result) => panic!("{backend:?}: {:?}", result.err()),
        }
        assert!(Module::new(&engine, &ProgramConfig::default(), &blob).unwrap().is_compiled());
    }
}
