//! Compares the machine's semantics with the processor: every instruction form that the compiler emits, with random
//! operands and flags, executed in this process and compared with the evaluation on numbers.
//!
//! The forms are those found in the compiled programs of all rules, so that a new one is compared at once. Jumps, calls
//! and the stack, whose forms contain addresses, are compared with hand-made pieces of code.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use core::arch::global_asm;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};
use pvm_prove::emit::{Emitter, Mode};
use pvm_prove::machine::{self, Fields, Flags, Memory, Next, State};
use pvm_prove::rules::{self, Job};
use pvm_prove::term::{Term, Terms};
use pvm_test_support::Rng;
use std::collections::{BTreeMap, HashMap};

/// Number of random operands for each piece of code.
const ROUNDS: usize = 60;
/// Number of pieces of code for each form: different registers and immediates.
const PIECES: usize = 24;

/// Registers by number, then the flags.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Context {
    registers: [u64; 16],
    flags: u64,
}

// `run(context, code)`: loads all registers but rsp and the flags, calls the code, and saves them.
global_asm!(
    ".global pvm_prove_run",
    "pvm_prove_run:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    "push rsi",
    "mov rax, rdi",
    "push qword ptr [rax + 128]",
    "popfq",
    "mov rcx, [rax + 8]",
    "mov rdx, [rax + 16]",
    "mov rbx, [rax + 24]",
    "mov rbp, [rax + 40]",
    "mov rsi, [rax + 48]",
    "mov rdi, [rax + 56]",
    "mov r8, [rax + 64]",
    "mov r9, [rax + 72]",
    "mov r10, [rax + 80]",
    "mov r11, [rax + 88]",
    "mov r12, [rax + 96]",
    "mov r13, [rax + 104]",
    "mov r14, [rax + 112]",
    "mov r15, [rax + 120]",
    "mov rax, [rax]",
    "call [rsp]",
    "push rax",
    "mov rax, [rsp + 16]",
    "pushfq",
    "pop qword ptr [rax + 128]",
    "mov [rax + 8], rcx",
    "mov [rax + 16], rdx",
    "mov [rax + 24], rbx",
    "mov [rax + 40], rbp",
    "mov [rax + 48], rsi",
    "mov [rax + 56], rdi",
    "mov [rax + 64], r8",
    "mov [rax + 72], r9",
    "mov [rax + 80], r10",
    "mov [rax + 88], r11",
    "mov [rax + 96], r12",
    "mov [rax + 104], r13",
    "mov [rax + 112], r14",
    "mov [rax + 120], r15",
    "pop qword ptr [rax]",
    "cld",
    "pop rsi",
    "pop rdi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
);

unsafe extern "C" {
    fn pvm_prove_run(context: *mut Context, code: *const u8);
}

/// Two pages below 2 GiB: code, and data for it.
struct Pages(*mut u8);

const PAGE: usize = 0x1000;

impl Pages {
    fn new() -> Pages {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        // SAFETY: new memory at an address that the kernel chooses.
        let pages = unsafe { libc::mmap(core::ptr::null_mut(), 2 * PAGE, protection, flags, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        Pages(pages.cast())
    }

    fn data_address(&self) -> u64 {
        self.0 as u64 + PAGE as u64
    }

    fn set(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= 2 * PAGE);
        // SAFETY: within the two pages, which nothing else refers to.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.add(at), bytes.len()) };
    }

    fn data(&self) -> Vec<u8> {
        // SAFETY: the second page, which nothing else refers to.
        unsafe { core::slice::from_raw_parts(self.0.add(PAGE), PAGE).to_vec() }
    }

    /// Runs code once; it must continue behind its end.
    fn run(&self, code: &[u8], context: &mut Context) {
        let mut whole = code.to_vec();
        whole.push(0xc3);
        self.set(0, &whole);
        // SAFETY: the code touches registers, the data page and its own part of the stack, and returns.
        unsafe { pvm_prove_run(context, self.0) };
    }
}

/// Bits of the flags register: carry, parity, zero, sign, overflow.
const BITS: [u32; 5] = [0, 2, 6, 7, 11];
/// Bits with fixed values.
const FIXED: u64 = 0x202;

fn flags(random: u64) -> u64 {
    FIXED | BITS.iter().map(|bit| random & 1 << bit).sum::<u64>()
}

/// The data page as numbers.
struct Data<'a> {
    terms: &'a Terms,
    base: u64,
    bytes: Vec<u8>,
    /// Words above and below an unknown stack pointer.
    stack: HashMap<Term, Term>,
}

impl Memory for Data<'_> {
    fn load(&mut self, _: &State, address: Term, width: u32) -> Result<Term, String> {
        let Some(value) = self.terms.value(address) else {
            return self.stack.get(&address).copied().ok_or_else(|| "reads what nobody pushed".into());
        };
        let at = (value as u64 - self.base) as usize;
        let bytes = &self.bytes[at..at + width as usize / 8];
        Ok(self.terms.constant(width, bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte))))
    }

    fn store(&mut self, _: &State, address: Term, value: Term) -> Result<(), String> {
        let Some(place) = self.terms.value(address) else {
            self.stack.insert(address, value);
            return Ok(());
        };
        let at = (place as u64 - self.base) as usize;
        let width = self.terms.width(value) as usize / 8;
        let number = self.terms.value(value).ok_or("stores what is unknown")?;
        self.bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        Ok(())
    }
}

fn decode(bytes: &[u8], ip: u64) -> Instruction {
    Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode()
}

/// Evaluates code, which may jump forwards within itself; `None` if it would fault.
fn model<'a>(
    terms: &'a Terms,
    pages: &Pages,
    code: &[u8],
    context: &Context,
    data: Vec<u8>,
) -> Option<(State, Data<'a>)> {
    let flag = |at: usize| terms.bool(context.flags >> BITS[at] & 1 == 1);
    let mut state = State {
        registers: context.registers.map(|register| terms.c64(register)),
        flags: Flags { cf: flag(0), pf: flag(1), zf: flag(2), sf: flag(3), of: flag(4) },
    };
    state.registers[machine::RSP] = terms.variable(64, "rsp");
    let mut memory = Data { terms, base: pages.data_address(), bytes: data, stack: HashMap::new() };
    let start = pages.0 as u64;
    let (mut ip, mut faults) = (start, Vec::new());
    while ip < start + code.len() as u64 {
        let instruction = decode(&code[(ip - start) as usize..], ip);
        let next =
            machine::step(terms, &instruction, &Fields::default(), &mut memory, &mut state, &mut faults).unwrap();
        ip = match next {
            Next::Behind => instruction.next_ip(),
            Next::Goto(target) => terms.value(target).unwrap() as u64,
            Next::GotoIf(condition, target) if terms.value(condition) == Some(1) => target,
            Next::GotoIf(..) => instruction.next_ip(),
        };
    }
    faults.iter().all(|fault| terms.value(*fault) == Some(0)).then_some((state, memory))
}

/// Runs code on both, with these registers. Returns whether it ran.
fn compare(pages: &Pages, rng: &mut Rng, code: &[u8], context: Context) -> bool {
    let data: Vec<u8> = (0..PAGE / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
    let terms = Terms::new();
    let Some((state, memory)) = model(&terms, pages, code, &context, data.clone()) else { return false };
    pages.set(PAGE, &data);
    let mut after = context;
    pages.run(code, &mut after);
    let what = || {
        let mut text = String::new();
        iced_x86::FastFormatter::new().format(&decode(code, pages.0 as u64), &mut text);
        format!("{text}, bytes {code:x?}, from {context:x?}")
    };
    for number in (0..16).filter(|number| *number != machine::RSP) {
        let expected = terms.value(state.registers[number]).unwrap_or_else(|| panic!("register {number}: {}", what()));
        assert_eq!(after.registers[number], expected as u64, "register {number} after {}", what());
    }
    let Flags { cf, pf, zf, sf, of } = state.flags;
    for (flag, bit) in [cf, pf, zf, sf, of].into_iter().zip(BITS) {
        // An undefined flag is not a number.
        if let Some(value) = terms.value(flag) {
            assert_eq!(u128::from(after.flags >> bit & 1), value, "flag {bit} after {}", what());
        }
    }
    assert!(memory.bytes == pages.data(), "memory after {}", what());
    true
}

/// True for forms that contain addresses: they are compared with hand-made code.
fn names_a_place(instruction: &Instruction) -> bool {
    let operands = 0..instruction.op_count();
    let is_branch = operands.clone().any(|operand| instruction.op_kind(operand) == OpKind::NearBranch64);
    let uses_stack = operands.clone().any(|operand| instruction.op_register(operand) == Register::RSP)
        || instruction.is_stack_instruction()
        || instruction.memory_base() == Register::RSP;
    is_branch || uses_stack || instruction.is_jmp_near_indirect()
}

/// Returns pieces of code of every form that the compiler emits.
fn pieces() -> BTreeMap<String, Vec<Vec<u8>>> {
    let emitter = Emitter::new().unwrap();
    let mut pieces: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut turn = 0_usize;
    for Job { subject, mode } in rules::jobs().into_iter().filter(|job| job.mode == Mode::plain(job.mode.isa)) {
        rules::programs(&emitter, &Job { subject, mode }, &mut |program| {
            let mut decoder = Decoder::with_ip(64, &program.image[program.first() as usize..], 0, DecoderOptions::NONE);
            while decoder.can_decode() {
                let start = program.first() as usize + decoder.position();
                let instruction = decoder.decode();
                if instruction.is_invalid() {
                    break;
                }
                let bytes = &program.image[start..start + instruction.len()];
                let own = pieces.entry(format!("{:?}", instruction.code())).or_default();
                turn += 1;
                // Later ones sometimes replace earlier ones, so that they are not all from one program.
                if own.iter().any(|other| other == bytes) {
                } else if own.len() < PIECES {
                    own.push(bytes.to_vec());
                } else if turn.is_multiple_of(1009) {
                    own[turn / 1009 % PIECES] = bytes.to_vec();
                }
            }
        })
        .unwrap();
    }
    pieces
}

/// Makes the memory operand of an instruction point into the data page: by its base register, or by its displacement.
fn place(pages: &Pages, rng: &mut Rng, code: &mut [u8], context: &mut Context) {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let is_lea = instruction.code() == Code::Lea_r32_m || instruction.code() == Code::Lea_r64_m;
    if is_lea || !(0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory) {
        return;
    }
    let target = pages.data_address() as u32 + (rng.next_u64() % (PAGE as u64 - 8)) as u32;
    match instruction.memory_base() {
        Register::None => {
            let places = decoder.get_constant_offsets(&instruction);
            let at = places.displacement_offset();
            code[at..at + 4].copy_from_slice(&target.to_le_bytes());
        }
        base => {
            assert_eq!(instruction.memory_index(), Register::None);
            let number = base.full_register() as usize - Register::RAX as usize;
            let low = target.wrapping_sub(instruction.memory_displacement64() as u32);
            // A guest's address has 32 bits; the upper bits may be anything.
            context.registers[number] = u64::from(low) | if base.size() == 4 { rng.next_u64() << 32 } else { 0 };
        }
    }
}

#[test]
fn every_form_that_the_compiler_emits_does_what_the_processor_does() {
    let pages = Pages::new();
    let mut rng = Rng::new(3);
    let (mut forms, mut runs) = (0, 0);
    for (form, pieces) in pieces() {
        if names_a_place(&decode(&pieces[0], 0)) && !form.starts_with("Mov") && !form.starts_with("Xchg") {
            println!("{form}: by hand");
            continue;
        }
        let (mut ran, mut own) = (0, 0);
        for piece in pieces.iter().filter(|piece| !names_a_place(&decode(piece, 0))) {
            for _ in 0..ROUNDS {
                let mut code = piece.clone();
                let mut context =
                    Context { registers: [0; 16].map(|_: u64| rng.value()), flags: flags(rng.next_u64()) };
                place(&pages, &mut rng, &mut code, &mut context);
                if form.starts_with("Div") || form.starts_with("Idiv") {
                    // A dividend of more than rax is not modelled.
                    let [rax, ..] = context.registers;
                    let sign = if form.ends_with("64") { rax as i64 >> 63 } else { i64::from(rax as i32 >> 31) } as u64;
                    context.registers[2] = if form.starts_with("Div") { 0 } else { sign };
                    // As the compiler emits it, since rdx has to be the extension of rax syntactically.
                    let before: &[u8] = match form.as_str() {
                        "Idiv_rm64" => &[0x48, 0x99],
                        "Idiv_rm32" => &[0x99],
                        _ => &[],
                    };
                    code.splice(0..0, before.iter().copied());
                }
                own += usize::from(compare(&pages, &mut rng, &code, context));
                ran += 1;
            }
        }
        println!("{form}: {} pieces, {own} of {ran} runs", pieces.len());
        assert!(own * 3 >= ran && own > 0, "{form} nearly always faults");
        forms += 1;
        runs += own;
    }
    println!("{forms} forms, {runs} runs");
    assert!(forms > 60, "the compiler has more forms than {forms}");
}

#[test]
fn jumps_calls_and_the_stack_do_what_the_processor_does() {
    let pages = Pages::new();
    let mut rng = Rng::new(5);
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for condition in 0..16 {
        // Over `mov al, 5`, with a near displacement and a far one.
        pieces.push(vec![0x70 | condition, 2, 0xb0, 5]);
        pieces.push(vec![0x0f, 0x80 | condition, 2, 0, 0, 0, 0xb0, 5]);
    }
    pieces.push(vec![0xeb, 2, 0xb0, 5]);
    pieces.push(vec![0xe9, 2, 0, 0, 0, 0xb0, 5]);
    // A call, and its return address from the stack.
    pieces.push(vec![0xe8, 2, 0, 0, 0, 0xb0, 5, 0x58]);
    // push rax, r13, rbp; pop rbx, r12, rcx.
    pieces.push(vec![0x50, 0x41, 0x55, 0x55, 0x5b, 0x41, 0x5c, 0x59]);
    // push rax; mov rbx, [rsp]; mov [rsp], rcx; pop rdx.
    pieces.push(vec![0x50, 0x48, 0x8b, 0x1c, 0x24, 0x48, 0x89, 0x0c, 0x24, 0x5a]);
    // A routine that returns: call +2; jmp +1; ret.
    pieces.push(vec![0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3]);
    // lea rax, of the return address; add to it; jmp rax: call 0; pop rax; add rax, 8; jmp rax; mov bl, 5.
    pieces.push(vec![0xe8, 0, 0, 0, 0, 0x58, 0x48, 0x83, 0xc0, 9, 0xff, 0xe0, 0xb3, 5]);
    for piece in pieces {
        for _ in 0..ROUNDS {
            let context = Context { registers: [0; 16].map(|_: u64| rng.value()), flags: flags(rng.next_u64()) };
            assert!(compare(&pages, &mut rng, &piece, context));
        }
    }
}

#[test]
fn nops_of_all_lengths_do_nothing() {
    let pages = Pages::new();
    let mut rng = Rng::new(9);
    for nop in [
        &[0x90][..],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0x00],
        &[0x0f, 0x1f, 0x40, 0x00],
        &[0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
        &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    ] {
        let context = Context { registers: [0; 16].map(|_: u64| rng.value()), flags: flags(rng.next_u64()) };
        assert!(compare(&pages, &mut rng, nop, context));
    }
}
