//! Planted damage: for every rule of the verifier code that violates it and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use super::super::compile_unverified;
use super::tests::{config, everything, load, unmetered};
use super::*;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use std::collections::HashSet;
use vm_core::gas::CostModelKind;
use vm_core::program::ProgramConfig;

/// Compiled code, to be damaged.
struct Damaged {
    program: Program,
    compiled: Compiled,
    /// The program's instructions.
    native: Vec<Instruction>,
}

impl Damaged {
    fn new(config: &ProgramConfig, has_bad_entry: bool) -> Damaged {
        let program = load(&everything(has_bad_entry), config).unwrap();
        let compiled = compile_unverified(&program).unwrap();
        verify(&program, &compiled).unwrap();
        let code = compiled.enter as usize + ROUTINES.len();
        let bytes = &compiled.image[code..compiled.block_stubs as usize];
        let native = Decoder::with_ip(64, bytes, code as u64, DecoderOptions::NONE).iter().collect();
        Damaged { program, compiled, native }
    }

    /// The offset of the `index`-th instruction for which `is_it`.
    fn find(&self, index: usize, is_it: impl Fn(&Instruction) -> bool) -> usize {
        self.native.iter().filter(|native| is_it(native)).nth(index).unwrap().ip() as usize
    }

    fn mnemonic(&self, mnemonic: Mnemonic) -> usize {
        self.find(0, |native| native.mnemonic() == mnemonic)
    }

    /// The mask of a dynamic jump.
    fn mask(&self) -> usize {
        let check = self.mnemonic(Mnemonic::Ror) as u64;
        self.find(0, |native| native.mnemonic() == Mnemonic::And && native.ip() > check)
    }

    /// An instruction in the middle of a block, with room behind it in the block.
    fn middle(&self) -> usize {
        self.find(0, |native| native.memory_base() == Register::R12D)
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.compiled.image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn write_u32(&mut self, at: usize, word: u32) {
        self.write(at, &word.to_le_bytes());
    }

    /// Makes the jump or call whose displacement is at `at` lead to `target`.
    fn lead(&mut self, at: usize, target: usize) {
        self.write_u32(at, target.wrapping_sub(at + 4) as u32);
    }

    fn routine(&self, exit: u32) -> usize {
        self.compiled.enter as usize + offset_of_exit(exit) as usize
    }

    /// Native offset of a block.
    fn block(&self, index: usize) -> usize {
        let guest = self.compiled.blocks[index];
        self.compiled.pc_map.iter().find(|entry| entry.guest == guest).unwrap().native as usize
    }

    fn verify(&self) -> Result<()> {
        verify(&self.program, &self.compiled)
    }
}

fn naive() -> ProgramConfig {
    config(CostModelKind::Naive)
}

fn calibrated() -> ProgramConfig {
    config(CostModelKind::CalibratedV1)
}

/// Instructions by name, and the rule that each violates.
const INSTRUCTIONS: &[(&str, CodeRule, &[u8])] = &[
    ("syscall", CodeRule::Form, &[0x0f, 0x05]),
    ("sysenter", CodeRule::Form, &[0x0f, 0x34]),
    ("int 0x80", CodeRule::Form, &[0xcd, 0x80]),
    ("int3", CodeRule::Form, &[0xcc]),
    ("hlt", CodeRule::Form, &[0xf4]),
    ("in al, 0", CodeRule::Form, &[0xe4, 0]),
    ("out 0, al", CodeRule::Form, &[0xe6, 0]),
    ("rdtsc", CodeRule::Form, &[0x0f, 0x31]),
    ("cpuid", CodeRule::Form, &[0x0f, 0xa2]),
    ("rdmsr", CodeRule::Form, &[0x0f, 0x32]),
    ("wrmsr", CodeRule::Form, &[0x0f, 0x30]),
    ("wrfsbase rax", CodeRule::Form, &[0xf3, 0x48, 0x0f, 0xae, 0xd0]),
    ("swapgs", CodeRule::Form, &[0x0f, 0x01, 0xf8]),
    ("wrpkru", CodeRule::Form, &[0x0f, 0x01, 0xef]),
    ("xsave [eax]", CodeRule::Form, &[0x67, 0x0f, 0xae, 0x20]),
    ("clflush [eax]", CodeRule::Form, &[0x67, 0x0f, 0xae, 0x38]),
    ("ud2", CodeRule::Form, &[0x0f, 0x0b]),
    ("ret", CodeRule::Form, &[0xc3]),
    ("ret far", CodeRule::Form, &[0xcb]),
    ("iretq", CodeRule::Form, &[0x48, 0xcf]),
    ("leave", CodeRule::Form, &[0xc9]),
    ("enter", CodeRule::Form, &[0xc8, 0, 0, 0]),
    ("std", CodeRule::Form, &[0xfd]),
    ("cli", CodeRule::Form, &[0xfa]),
    ("popf", CodeRule::Form, &[0x9d]),
    ("pushf", CodeRule::Form, &[0x9c]),
    ("push 0", CodeRule::Form, &[0x6a, 0]),
    ("pop rax", CodeRule::Form, &[0x58]),
    ("rep stosb", CodeRule::Form, &[0xf3, 0xaa]),
    ("movsb", CodeRule::Form, &[0xa4]),
    ("xlatb", CodeRule::Form, &[0xd7]),
    ("mov al, [absolute]", CodeRule::Form, &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("call rax", CodeRule::Form, &[0xff, 0xd0]),
    ("jmp rax", CodeRule::Form, &[0xff, 0xe0]),
    ("jmp rdx", CodeRule::Form, &[0xff, 0xe2]),
    ("jmp [rax]", CodeRule::Form, &[0xff, 0x20]),
    ("call far [rax]", CodeRule::Form, &[0xff, 0x18]),
    ("loop", CodeRule::Form, &[0xe2, 0]),
    ("jrcxz", CodeRule::Form, &[0xe3, 0]),
    ("jo", CodeRule::Form, &[0x70, 0]),
    ("jp, far", CodeRule::Form, &[0x0f, 0x8a, 0, 0, 0, 0]),
    ("mov fs, eax", CodeRule::Form, &[0x8e, 0xe0]),
    ("fs: mov eax, [eax]", CodeRule::Form, &[0x64, 0x67, 0x8b, 0]),
    ("fs behind 67", CodeRule::Form, &[0x67, 0x64, 0x8b, 0]),
    ("lock add [eax], eax", CodeRule::Form, &[0xf0, 0x67, 0x01, 0]),
    ("add [eax], eax", CodeRule::Form, &[0x67, 0x01, 0]),
    ("xchg [eax], eax", CodeRule::Form, &[0x67, 0x87, 0]),
    ("movaps xmm0, xmm0", CodeRule::Form, &[0x0f, 0x28, 0xc0]),
    ("a VEX prefix of two bytes", CodeRule::Form, &[0xc5, 0xf8, 0x77]),
    ("an EVEX prefix", CodeRule::Form, &[0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc0]),
    ("two REX prefixes", CodeRule::Form, &[0x48, 0x48, 0x89, 0xc0]),
    ("REX before 67", CodeRule::Form, &[0x48, 0x67, 0x8b, 0]),
    ("16 bits in registers", CodeRule::Form, &[0x66, 0x89, 0xc0]),
    ("a 16-bit load", CodeRule::Form, &[0x67, 0x66, 0x8b, 0]),
    ("mov rsp, rax", CodeRule::Register, &[0x48, 0x89, 0xc4]),
    ("mov rax, rsp", CodeRule::Register, &[0x48, 0x89, 0xe0]),
    ("mov r15, rax", CodeRule::Register, &[0x49, 0x89, 0xc7]),
    ("mov rax, r15", CodeRule::Register, &[0x4c, 0x89, 0xf8]),
    ("add rsp, 8", CodeRule::Register, &[0x48, 0x83, 0xc4, 8]),
    ("add r15, 8", CodeRule::Register, &[0x49, 0x83, 0xc7, 8]),
    ("sub rax, 8", CodeRule::Register, &[0x48, 0x83, 0xe8, 8]),
    ("sub r15, imm32 within a block", CodeRule::Register, &[0x49, 0x81, 0xef, 1, 0, 0, 0]),
    ("xor esp, esp", CodeRule::Register, &[0x31, 0xe4]),
    ("neg r15", CodeRule::Register, &[0x49, 0xf7, 0xdf]),
    ("shl r15, 1", CodeRule::Register, &[0x49, 0xd1, 0xe7]),
    ("sete spl", CodeRule::Register, &[0x40, 0x0f, 0x94, 0xc4]),
    ("sete ah", CodeRule::Register, &[0x0f, 0x94, 0xc4]),
    ("movzx eax, ah", CodeRule::Register, &[0x0f, 0xb6, 0xc4]),
    ("cmovb rsp, rax", CodeRule::Register, &[0x48, 0x0f, 0x42, 0xe0]),
    ("imul r15, rax, 1", CodeRule::Register, &[0x4c, 0x6b, 0xf8, 1]),
    ("xchg rsp, rcx", CodeRule::Register, &[0x48, 0x87, 0xcc]),
    ("xchg rax, rsp", CodeRule::Form, &[0x48, 0x94]),
    ("xchg rax, r15", CodeRule::Form, &[0x49, 0x97]),
    ("mov rsp, imm64", CodeRule::Form, &[0x48, 0xbc, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("mov r15d, imm32", CodeRule::Form, &[0x41, 0xbf, 0, 0, 0, 0]),
    ("bswap r15", CodeRule::Form, &[0x49, 0x0f, 0xcf]),
    ("popcnt rsp, rax", CodeRule::Form, &[0xf3, 0x48, 0x0f, 0xb8, 0xe0]),
    ("shlx r15, rax, rcx", CodeRule::Form, &[0xc4, 0x62, 0xf1, 0xf7, 0xf8]),
    ("shlx rax, r15, rcx", CodeRule::Form, &[0xc4, 0xc2, 0xf1, 0xf7, 0xc7]),
    ("shlx rax, rcx, r15", CodeRule::Form, &[0xc4, 0xe2, 0x81, 0xf7, 0xc1]),
    ("mulx rsp, rax, rcx", CodeRule::Form, &[0xc4, 0xe2, 0xfb, 0xf6, 0xe1]),
    ("rorx rsp, rax, 1", CodeRule::Form, &[0xc4, 0xe3, 0xfb, 0xf0, 0xe0, 1]),
    ("lea rsp, [rax]", CodeRule::Register, &[0x48, 0x8d, 0x20]),
    ("lea rax, [rsp]", CodeRule::Register, &[0x48, 0x8d, 0x04, 0x24]),
    ("lea rax, [rip]", CodeRule::Register, &[0x48, 0x8d, 0x05, 0, 0, 0, 0]),
    ("lea r15, [rax]", CodeRule::Register, &[0x4c, 0x8d, 0x38]),
    ("mov rax, [rax]", CodeRule::Address, &[0x48, 0x8b, 0]),
    ("mov [rax], rax", CodeRule::Address, &[0x48, 0x89, 0]),
    ("mov [rax], 0", CodeRule::Address, &[0xc7, 0, 0, 0, 0, 0]),
    ("mov rax, [rsp]", CodeRule::Address, &[0x48, 0x8b, 0x04, 0x24]),
    ("mov rax, [rip]", CodeRule::Address, &[0x48, 0x8b, 0x05, 0, 0, 0, 0]),
    ("mov rax, [eip]", CodeRule::Address, &[0x67, 0x48, 0x8b, 0x05, 0, 0, 0, 0]),
    ("mov rax, [esp]", CodeRule::Address, &[0x67, 0x48, 0x8b, 0x04, 0x24]),
    ("mov rax, [eax + ecx]", CodeRule::Address, &[0x67, 0x48, 0x8b, 0x04, 0x08]),
    ("mov rax, [r12d + ecx]", CodeRule::Address, &[0x67, 0x49, 0x8b, 0x04, 0x0c]),
    ("mov rax, [edx]", CodeRule::Address, &[0x67, 0x48, 0x8b, 0x02]),
    ("mov rax, [r15d]", CodeRule::Address, &[0x67, 0x49, 0x8b, 0x07]),
    ("mov rsp, [eax]", CodeRule::Address, &[0x67, 0x48, 0x8b, 0x20]),
    ("mov [eax], r15", CodeRule::Address, &[0x67, 0x4c, 0x89, 0x38]),
    ("mov [eax], ah", CodeRule::Address, &[0x67, 0x88, 0x20]),
    ("mov r15, [absolute]", CodeRule::Address, &[0x67, 0x4c, 0x8b, 0x3c, 0x25, 0, 0, 0, 0]),
    ("mov rax, [absolute], 64 bits", CodeRule::Address, &[0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]),
];

#[test]
fn instructions_that_no_rule_emits_are_refused() {
    let mut wrong = Vec::new();
    for (name, rule, bytes) in INSTRUCTIONS {
        for config in [naive(), unmetered()] {
            let mut damaged = Damaged::new(&config, false);
            let at = damaged.middle();
            damaged.write(at, bytes);
            match damaged.verify() {
                Err(error)
                    if (error.rule(), error.offset() as usize) == (*rule, at) && error.bytes().starts_with(bytes) => {}
                other => wrong.push(format!("{name}: {other:?}, not {rule:?} at {at}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Damage by what it does: the rule that it violates, the configuration, whether the jump table has a bad entry, the change.
type Edit = (&'static str, CodeRule, fn() -> ProgramConfig, bool, fn(&mut Damaged));

const EDITS: &[Edit] = &[
    ("a byte too few", CodeRule::Layout, naive, false, |code| {
        code.compiled.image.pop();
    }),
    ("a byte too many", CodeRule::Layout, naive, false, |code| code.compiled.image.push(0)),
    ("another entry", CodeRule::Layout, naive, false, |code| code.compiled.enter += 3),
    ("a stub too few", CodeRule::Layout, naive, false, |code| code.compiled.block_stubs += 5),
    ("a block too few", CodeRule::Layout, naive, false, |code| {
        code.compiled.blocks.remove(1);
    }),
    ("a dynamic jump too many", CodeRule::Layout, naive, false, |code| code.compiled.jumps.push(0)),
    ("an exit for another reason", CodeRule::Routines, naive, false, |code| {
        let at = code.routine(protocol::EXIT_TRAP) + 7;
        code.write(at, &[9]);
    }),
    ("a push without its pop", CodeRule::Stack, naive, false, |code| {
        let at = code.find(0, |native| native.mnemonic() == Mnemonic::Pop);
        code.write(at, &[0x50]);
    }),
    ("a pop of the stack pointer", CodeRule::Stack, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Pop);
        code.write(at, &[0x5c]);
    }),
    ("an access between push and pop", CodeRule::Stack, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Push);
        code.write(at + 1, &[0x67, 0x48, 0x8b, 0x00]);
    }),
    ("a jump out of a sequence that pushes", CodeRule::Stack, naive, false, |code| {
        let at = code.find(0, |native| native.mnemonic() == Mnemonic::Jmp && native.len() == 2);
        code.write(at + 1, &[100]);
    }),
    ("a jump back in a sequence that pushes", CodeRule::Stack, naive, false, |code| {
        let at = code.find(0, |native| native.mnemonic() == Mnemonic::Jmp && native.len() == 2);
        code.write(at + 1, &[0xfe]);
    }),
    ("a jump over a pop", CodeRule::Stack, naive, false, |code| {
        let at = code.find(0, |native| native.mnemonic() == Mnemonic::Jmp && native.len() == 2);
        let pops = code.native.iter().filter(|native| native.mnemonic() == Mnemonic::Pop);
        let target = pops.map(|native| native.next_ip() as usize).find(|next| *next > at).unwrap();
        code.write(at + 1, &[(target - at - 2) as u8]);
    }),
    ("a call between push and pop", CodeRule::Form, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Push);
        code.write(at + 1, &[0xe8]);
        code.lead(at + 2, code.routine(protocol::EXIT_HOST_CALL));
    }),
    ("a block for nothing", CodeRule::Charge, naive, false, |code| {
        let at = code.block(0);
        code.write_u32(at + 3, 0);
    }),
    ("a block that gives gas", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write_u32(at + 3, -1i32 as u32);
    }),
    ("a charge that adds", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write(at + 2, &[0xc7]);
    }),
    ("a charge to another register", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write(at + 2, &[0xee]);
    }),
    ("a charge of 32 bits", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write(at, &[0x41]);
    }),
    ("a charge with another block's stub", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        let stub = code.compiled.block_stubs as usize;
        code.lead(at + 9, stub);
    }),
    ("a charge that goes on without gas", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.lead(at + 9, at + 13);
    }),
    ("a charge with another condition", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write(at + 8, &[0x8f]);
    }),
    ("no charge", CodeRule::Charge, naive, false, |code| {
        let at = code.block(1);
        code.write(at, &[0x48, 0x89, 0xc0]);
    }),
    (
        "no stop before a block",
        CodeRule::Charge,
        || ProgramConfig { single_step: true, ..naive() },
        false,
        |code| {
            let at = code.block(1);
            code.lead(at + 1, code.routine(protocol::EXIT_HOST_CALL));
        },
    ),
    ("too much gas back", CodeRule::Refund, calibrated, false, |code| {
        let at = code.find(0, refunds);
        let more = code.compiled.image[at + 3] ^ 1;
        code.write(at + 3, &[more]);
    }),
    ("gas back and not taken again", CodeRule::Refund, calibrated, false, |code| {
        let at = code.find(1, refunds);
        code.write(at + 3, &[0]);
    }),
    ("gas back for a branch that goes on", CodeRule::Refund, calibrated, false, |code| {
        let at = code.find(2, refunds);
        code.write(at + 3, &[0]);
    }),
    ("all gas of a block back", CodeRule::Refund, calibrated, false, |code| {
        let refund = code.program.branch_refund();
        let at = code.block(2);
        code.write_u32(at + 3, refund);
    }),
    ("a jump in the middle of a block", CodeRule::BlockStart, naive, false, |code| {
        let at = code.middle();
        code.write(at, &[0xe9]);
        code.lead(at + 1, code.block(0));
    }),
    ("a branch in the middle of a block", CodeRule::BlockStart, unmetered, false, |code| {
        let at = code.middle();
        code.write(at, &[0x0f, 0x85]);
        code.lead(at + 2, code.block(0));
    }),
    ("nops in the middle of a block", CodeRule::BlockStart, naive, false, |code| {
        let at = code.middle();
        code.write(at, &[0x90]);
    }),
    ("no trap behind the code", CodeRule::BlockStart, naive, false, |code| {
        let at = code.compiled.pc_map.last().unwrap().native as usize;
        code.lead(at + 1, code.routine(protocol::EXIT_HOST_CALL));
    }),
    ("a jump behind a charge", CodeRule::Target, naive, false, |code| {
        let at = code.find(0, |native| native.mnemonic() == Mnemonic::Jmp && native.len() == 5);
        let target = code.block(0) + 13;
        code.lead(at + 1, target);
    }),
    ("a branch into an instruction", CodeRule::Target, naive, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.lead(branch + 2, code.block(1) + 1);
    }),
    ("a branch to the routines", CodeRule::Target, naive, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.lead(branch + 2, code.compiled.enter as usize);
    }),
    ("a branch to a stub", CodeRule::Target, naive, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.lead(branch + 2, code.compiled.block_stubs as usize);
    }),
    ("a branch out of the image", CodeRule::Target, naive, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.write_u32(branch + 2, i32::MIN as u32);
    }),
    ("a branch into the check of a dynamic jump", CodeRule::Target, unmetered, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.lead(branch + 2, code.mask());
    }),
    ("a branch to what lies between push and pop", CodeRule::Target, unmetered, false, |code| {
        let branch = code.find(0, |native| native.is_jcc_near() && native.mnemonic() == Mnemonic::Je);
        code.lead(branch + 2, code.mnemonic(Mnemonic::Push) + 1);
    }),
    ("a call of what enters guest code", CodeRule::Call, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Call);
        code.lead(at + 1, code.compiled.enter as usize);
    }),
    ("a call of what leaves guest code", CodeRule::Call, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Call);
        code.lead(at + 1, code.routine(protocol::EXIT_TRAP) - 1);
    }),
    ("a call of a block", CodeRule::Call, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Call);
        code.lead(at + 1, code.block(0));
    }),
    ("a stop where there are none", CodeRule::Call, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Call);
        code.lead(at + 1, code.routine(protocol::EXIT_STEP));
    }),
    ("an exit for want of gas with gas", CodeRule::Call, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Call);
        code.lead(at + 1, code.routine(protocol::EXIT_OUT_OF_GAS));
    }),
    ("an index that is one too large", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Ror) + 2;
        code.write(at + 2, &[4]);
    }),
    ("a comparison of another register", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Ror) + 2;
        code.write(at + 1, &[0xf9]);
    }),
    ("a check for less", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Jae);
        code.write(at + 1, &[0x82]);
    }),
    ("a check that goes on", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mnemonic(Mnemonic::Jae);
        code.write_u32(at + 2, 0);
    }),
    ("a mask too wide", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mask();
        code.write(at + 2, &[7]);
    }),
    ("no mask", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mask();
        code.write(at, &[0x83, 0xca]);
    }),
    ("another table", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mask() + 3;
        code.write(at + 3, &[8]);
    }),
    ("a jump by another register", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mask() + 3;
        code.write(at + 2, &[0xcc]);
    }),
    ("entries of four bytes", CodeRule::DynamicJump, naive, false, |code| {
        let at = code.mask() + 3;
        code.write(at + 2, &[0x94]);
    }),
    ("a jump to an entry that is not checked", CodeRule::DynamicJump, naive, true, |code| {
        let at = code.mask() + 3 + 8 + 3;
        code.write(at + 1, &[0x85]);
    }),
    ("a jump to another register than the entry's", CodeRule::DynamicJump, naive, true, |code| {
        let at = code.mask() + 3 + 8 + 3 + 6;
        code.write(at + 1, &[0xe0]);
    }),
    ("an entry behind the charge", CodeRule::JumpTable, naive, false, |code| code.compiled.image[0] += 13),
    ("an entry far away", CodeRule::JumpTable, naive, false, |code| code.compiled.image[7] = 1),
    ("an entry of the routines", CodeRule::JumpTable, naive, false, |code| {
        let entry = CODE_BASE + u64::from(code.compiled.enter);
        code.write(0, &entry.to_le_bytes());
    }),
    ("an entry that is not there", CodeRule::JumpTable, naive, false, |code| code.write(0, &[0; 8])),
    ("an entry behind the last one", CodeRule::JumpTable, naive, false, |code| {
        let entry = code.compiled.image[..8].to_vec();
        code.write(24, &entry);
    }),
    ("bytes behind the jump table", CodeRule::JumpTable, naive, false, |code| code.write(32, &[1])),
    ("an entry of the pc map in an instruction", CodeRule::PcMap, unmetered, false, |code| {
        code.compiled.pc_map[1].native -= 1;
    }),
    ("a pc map that ends early", CodeRule::PcMap, naive, false, |code| {
        code.compiled.pc_map.last_mut().unwrap().guest -= 1;
    }),
    ("a stub of another routine", CodeRule::Stub, naive, false, |code| {
        let at = code.compiled.block_stubs as usize;
        code.lead(at + 1, code.routine(protocol::EXIT_TRAP));
    }),
    ("a stub of a dynamic jump that is none", CodeRule::Stub, naive, false, |code| {
        let at = code.compiled.jump_stubs as usize;
        code.write(at, &[0xe9]);
    }),
];

fn refunds(native: &Instruction) -> bool {
    native.mnemonic() == Mnemonic::Lea && native.op0_register() == Register::R15
}

#[test]
fn damage_is_refused_by_the_rule_that_it_violates() {
    let mut wrong = Vec::new();
    for (name, rule, config, has_bad_entry, edit) in EDITS {
        let mut damaged = Damaged::new(&config(), *has_bad_entry);
        edit(&mut damaged);
        match damaged.verify() {
            Err(error) if error.rule() == *rule => {}
            other => wrong.push(format!("{name}: {other:?}, not {rule:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_is_violated_by_some_damage() {
    use CodeRule::*;
    let all = [
        Layout,
        Routines,
        Form,
        Register,
        Address,
        Stack,
        Charge,
        Refund,
        BlockStart,
        Target,
        Call,
        DynamicJump,
        JumpTable,
        PcMap,
        Stub,
    ];
    let planted: HashSet<String> = EDITS
        .iter()
        .map(|(_, rule, ..)| rule)
        .chain(INSTRUCTIONS.iter().map(|(_, rule, _)| rule))
        .map(|rule| format!("{rule:?}"))
        .collect();
    for rule in all {
        assert!(planted.contains(&format!("{rule:?}")), "{rule:?}");
    }
    assert_eq!(planted.len(), all.len());
}
