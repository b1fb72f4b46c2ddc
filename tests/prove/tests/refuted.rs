//! Planted bugs: both solvers refute changed machine code, and their counterexample, run in a worker and on the
//! reference model, shows the difference.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use iced_x86::{Instruction as Native, Mnemonic};
use pvm_engine::{Backend, Config, Engine, Module, Outcome, ProgramBlob, RawInstance, Sandbox};
use pvm_prove::emit::{Case, Compiled, DATA, DATA_LENGTH, Emitter, Mode, Target};
use pvm_prove::eval::{Assignment, eval};
use pvm_prove::explain::{self, assignment};
use pvm_prove::guest::Immediates;
use pvm_prove::machine::Fields;
use pvm_prove::prover::Pool;
use pvm_prove::rule::{Claim, Rule};
use pvm_prove::rules::Origin;
use pvm_prove::solver::{self, Answer, SolverKind};
use pvm_prove::term::{Term, Terms};
use pvm_prove::{shape, smt};
use pvm_reference::Interpreter;
use pvm_zygote::protocol::{CODE_BASE, CONTROL_BASE, STACK_TOP};
use std::sync::OnceLock;
use vm_core::isa::Opcode::*;
use vm_core::isa::{Instruction, Isa, Reg};

/// A planted bug.
struct Planted {
    name: &'static str,
    instruction: Instruction,
    /// Changes the code of the case.
    edit: fn(&mut EditedCode),
    /// Assumptions that make the difference visible in a run, for instance that an address is in the program's data.
    assume: fn(&Terms, &Claim) -> Vec<Term>,
}

/// The code of a case, to be changed.
struct EditedCode<'a> {
    program: &'a mut Compiled,
}

impl EditedCode<'_> {
    /// Returns the bytes of the first instruction for which `is_it`, from the case's first on.
    fn find(&mut self, is_it: impl Fn(&Native) -> bool) -> &mut [u8] {
        let code = shape::read(self.program, 0).unwrap();
        let native = code.instructions.iter().find(|native| is_it(native)).expect("the instruction to change");
        self.at(native.ip(), native.len())
    }

    fn at(&mut self, address: u64, length: usize) -> &mut [u8] {
        let at = (address - CODE_BASE) as usize;
        &mut self.program.image[at..at + length]
    }

    fn mnemonic(&mut self, mnemonic: Mnemonic) -> &mut [u8] {
        self.find(|native| native.mnemonic() == mnemonic)
    }

    /// Replaces an instruction by nops.
    fn remove(&mut self, mnemonic: Mnemonic) {
        self.mnemonic(mnemonic).fill(0x90);
    }

    /// Changes a byte of an instruction.
    fn change(&mut self, mnemonic: Mnemonic, from: u8, to: u8) {
        let bytes = self.mnemonic(mnemonic);
        let byte = bytes.iter_mut().find(|byte| **byte == from).expect("the byte to change");
        *byte = to;
    }
}

fn nothing(_: &Terms, _: &Claim) -> Vec<Term> {
    Vec::new()
}

/// Assumes that accesses are to the program's data.
fn in_data(t: &Terms, claim: &Claim) -> Vec<Term> {
    let offsets = claim.meaning.accesses.iter().map(|(access, _)| t.sub(access.address, t.constant(32, DATA.into())));
    offsets.map(|offset| t.ult(offset, t.constant(32, u128::from(DATA_LENGTH - 8)))).collect()
}

/// As [`in_data`], through a base with bits above the guest's window.
fn in_data_by_a_wide_base(t: &Terms, claim: &Claim) -> Vec<Term> {
    let mut all = in_data(t, claim);
    all.push(t.eq_value(t.extract(claim.registers[Reg::A1 as usize], 32, 32), 0xffff));
    all
}

/// Assumes an amount of gas in this range.
fn gas(t: &Terms, claim: &Claim, least: u64, most: u64) -> Vec<Term> {
    vec![t.not(t.ult(claim.gas, t.c64(least))), t.not(t.ult(t.c64(most), claim.gas))]
}

const fn rrr(opcode: vm_core::isa::Opcode) -> Instruction {
    Instruction::rrr(opcode, Reg::A0, Reg::A1, Reg::A2)
}

const fn rri(opcode: vm_core::isa::Opcode, imm: i32) -> Instruction {
    Instruction::rri(opcode, Reg::A0, Reg::A1, imm)
}

fn planted() -> Vec<Planted> {
    use Mnemonic::{Cmove, Cmp, Jl, Mov, Movsx, Movsxd, Neg, Sar, Setb, Shr, Sub, Xchg};
    let plant = |name, instruction, edit: fn(&mut EditedCode), assume| Planted { name, instruction, edit, assume };
    vec![
        plant("a 32-bit result is not extended", rrr(Add32), |code| code.remove(Movsxd), nothing),
        plant("a comparison is signed", rrr(SetLessThanUnsigned), |code| code.change(Setb, 0x92, 0x9c), nothing),
        plant(
            "zeros are shifted in as signs",
            rri(ShiftLogicalRightImm64, 5),
            |code| {
                let bytes = code.mnemonic(Shr);
                let modrm = bytes.len() - 2;
                // shr is /5, sar is /7.
                bytes[modrm] |= 2 << 3;
            },
            nothing,
        ),
        plant(
            "a store is too wide",
            rri(StoreIndirectU16, 8),
            |code| {
                let bytes = code.find(|native| native.memory_size().size() == 2);
                let prefix = bytes.iter().position(|byte| *byte == 0x66).unwrap();
                bytes[prefix] = 0x67;
            },
            |t, claim| {
                let mut all = in_data(t, claim);
                all.push(t.eq_value(t.extract(claim.registers[Reg::A0 as usize], 16, 16), 0x5555));
                all
            },
        ),
        plant(
            "a signed load is unsigned",
            rri(LoadIndirectI8, -3),
            |code| code.change(Movsx, 0xbe, 0xb6),
            |t, claim| {
                let mut all = in_data(t, claim);
                // The data are zeros except for what was written: see `run`.
                all.push(t.eq(t.low(claim.loaded[0], 8), t.constant(8, 0x81)));
                all
            },
        ),
        plant(
            "an address has 64 bits",
            rri(LoadIndirectU64, 16),
            |code| {
                code.find(|native| native.memory_size().size() == 8)[0] = 0x90;
            },
            in_data_by_a_wide_base,
        ),
        plant(
            "a branch is taken if equal",
            Instruction::rro(BranchLessSigned, Reg::A0, Reg::A1, 0),
            |code| {
                let start = code.program.extent(0).0;
                let bytes = code.find(|native| native.mnemonic() == Jl && native.ip() > start + 12);
                assert_eq!(bytes[0], 0x7c, "a short jump");
                bytes[0] = 0x7e;
            },
            nothing,
        ),
        plant(
            "a division by zero faults",
            rrr(DivSigned64),
            |code| {
                // The last byte is the immediate that zero plus one is compared with.
                *code.find(|native| native.mnemonic() == Cmp).last_mut().unwrap() = 0;
            },
            nothing,
        ),
        plant(
            "the last unit of gas is not enough",
            rrr(Xor),
            |code| {
                code.find(|native| native.mnemonic() == Jl)[1] = 0x8e;
            },
            |t, claim| gas(t, claim, 1, 100),
        ),
        plant(
            "a block costs too little",
            rrr(And),
            |code| {
                code.find(|native| native.mnemonic() == Sub)[3] -= 1;
            },
            |t, claim| gas(t, claim, 1, 100),
        ),
        plant(
            "the jump table is one longer",
            Instruction::ri(JumpIndirect, Reg::A0, 0),
            |code| {
                code.find(|native| native.mnemonic() == Cmp)[2] += 1;
            },
            nothing,
        ),
        plant(
            "a conditional move is for the other condition",
            rrr(CmovIfZero),
            |code| {
                code.change(Cmove, 0x44, 0x45);
            },
            nothing,
        ),
        plant("an operand is not negated", rri(NegateAndAddImm64, 300), |code| code.remove(Neg), nothing),
        plant("a sign is shifted too little", rrr(MulUpperSignedUnsigned), |code| code.change(Sar, 63, 62), nothing),
        plant(
            "a register is not put back",
            rrr(RotateRight64),
            |code| {
                let places: Vec<(u64, usize)> = {
                    let all = shape::read(code.program, 0).unwrap().instructions;
                    all.iter()
                        .filter(|native| native.mnemonic() == Xchg)
                        .map(|native| (native.ip(), native.len()))
                        .collect()
                };
                let (ip, length) = places[1];
                code.at(ip, length).fill(0x90);
            },
            nothing,
        ),
        plant(
            "a host call has another number",
            Instruction::i(Ecalli, 77),
            |code| {
                code.find(|native| native.mnemonic() == Mov)[1] ^= 1;
            },
            nothing,
        ),
        plant(
            "a register is saved in another's place",
            Instruction::rrr(Or, Reg::RA, Reg::A1, Reg::A2),
            |code| {
                // The first register saved by the exit routine, by its displacement from the stack pointer.
                let place = (CONTROL_BASE.wrapping_sub(STACK_TOP) as i32
                    + core::mem::offset_of!(pvm_zygote::protocol::Control, regs) as i32)
                    .to_le_bytes();
                let routines = (code.program.enter() - CODE_BASE) as usize;
                let image = &mut code.program.image;
                // The routine that enters guest code reads it first.
                let mut found = (routines..image.len() - 4).filter(|at| image[*at..*at + 4] == place);
                let (_, store) = (found.next().unwrap(), found.next().unwrap());
                image[store] += 8;
            },
            |t, claim| {
                let mut all = gas(t, claim, 10, 100);
                all.push(t.ne(claim.registers[0], claim.meaning.registers[0]));
                all
            },
        ),
    ]
}

/// Everything observable of a run.
#[derive(PartialEq, Eq, Debug)]
struct Shown {
    outcome: String,
    pc: Option<u32>,
    gas: i64,
    registers: Vec<u64>,
    /// Nonzero bytes, with their positions.
    data: Vec<(usize, u8)>,
}

fn written(data: &[u8]) -> Vec<(usize, u8)> {
    data.iter().copied().enumerate().filter(|(_, byte)| *byte != 0).collect()
}

/// The state to run from: registers, gas, and eight bytes of data at an address.
struct Start {
    registers: Vec<u64>,
    gas: i64,
    data: Option<(u32, [u8; 8])>,
}

fn run_reference(program: &Compiled, start: &Start) -> Shown {
    let config = pvm_reference::Config {
        page_size: 0x1000,
        aux_size: 0,
        model: pvm_reference::Model::Naive,
        metering: pvm_reference::Metering::Sync,
        single_step: false,
    };
    let mut machine = Interpreter::new(&program.blob, config).unwrap();
    start.registers.iter().enumerate().for_each(|(number, value)| machine.set_register(number, *value));
    machine.set_gas(start.gas);
    if let Some((address, bytes)) = start.data {
        assert!(machine.write(address, &bytes));
    }
    machine.set_next_pc(program.offsets[0]);
    let outcome = format!("{:?}", machine.run());
    Shown {
        outcome,
        pc: machine.pc(),
        gas: machine.gas(),
        registers: (0..Reg::COUNT).map(|number| machine.register(number)).collect(),
        data: written(&machine.read(DATA, DATA_LENGTH).unwrap()),
    }
}

/// An engine that runs wrong code: the verifier refuses some of what is planted here.
fn unverified() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort).set_verify_code(false);
        Engine::new(&config).unwrap()
    })
}

/// Runs machine code in a worker: `image` in place of the compiled one.
fn run_worker(emitter: &Emitter, program: &Compiled, image: &[u8], start: &Start) -> Result<Shown, String> {
    let blob = ProgramBlob::parse(&program.blob).unwrap();
    let config = program.mode.config();
    let module = Module::new(emitter.engine(), &config, &blob).unwrap();
    let own = module.machine_code().unwrap();
    let mut stored = module.machine_code_to_store(&blob).unwrap();
    let at = stored.windows(own.len()).position(|window| window == own).unwrap();
    stored[at..at + image.len()].copy_from_slice(image);
    let module = Module::from_stored(unverified(), &config, &blob, &stored).unwrap();
    let mut machine: RawInstance = module.instantiate_raw().unwrap();
    for reg in Reg::ALL {
        machine.set_reg(reg, start.registers[reg as usize]);
    }
    machine.set_gas(start.gas);
    if let Some((address, bytes)) = start.data {
        machine.write_memory(address, &bytes).unwrap();
    }
    machine.set_next_pc(program.offsets[0]);
    let outcome = machine.run().map_err(|error| error.to_string())?;
    let outcome = match outcome {
        Outcome::HostCall(number) => format!("HostCall({number})"),
        other => format!("{other:?}"),
    };
    let mut data = vec![0; DATA_LENGTH as usize];
    machine.read_memory(DATA, &mut data).unwrap();
    let registers = Reg::ALL.iter().map(|reg| machine.reg(*reg)).collect();
    Ok(Shown { outcome, pc: machine.pc(), gas: machine.gas(), registers, data: written(&data) })
}

fn start(t: &Terms, claim: &Claim, values: &Assignment) -> Start {
    let value = |term: Term| eval(t, term, values) as u64;
    let access = claim.meaning.accesses.first();
    let found = value(claim.loaded[0]).to_le_bytes();
    Start {
        registers: claim.registers.iter().map(|register| value(*register)).collect(),
        gas: value(claim.gas) as i64,
        data: access.map(|(access, _)| (value(access.address) as u32, found)),
    }
}

#[test]
fn planted_bugs_are_refuted_and_their_counterexamples_differ_in_a_worker() {
    if !solver::are_there() {
        return;
    }
    let (emitter, pool) = (Emitter::new().unwrap(), Pool::start().unwrap());
    for Planted { name, instruction, edit, assume } in planted() {
        // Backwards, as the forward target of the only case is also what comes next.
        let case = Case::one(instruction, Target::Back);
        let mut program = emitter.compile(Mode::plain(Isa::ReviveV1), std::slice::from_ref(&case)).unwrap();
        let right = program.image.clone();
        for is_planted in [false, true] {
            if is_planted {
                edit(&mut EditedCode { program: &mut program });
                assert!(right != program.image, "{name}");
            }
            let t = &Terms::new();
            let immediates =
                [Immediates { imm: t.c64(instruction.imm as u64), imm2: t.constant(32, instruction.imm2 as u128) }];
            let fields = Fields::default();
            let rule = Rule {
                program: &program,
                case: 0,
                instructions: &case.instructions,
                target: case.target,
                immediates: &immediates,
                fields: &fields,
            };
            let claim = rule.claim(t).unwrap_or_else(|stuck| panic!("{name}: {stuck}"));
            // Gas in a run is not negative.
            let mut assumed = assume(t, &claim);
            assumed.push(t.not(t.sign(claim.gas)));
            let query = smt::query(t, &assumed, claim.term, true);
            for (kind, answer) in pool.both(query.clone()) {
                let Answer::Refuted(values) = answer else {
                    assert!(!is_planted && answer == Answer::Proved, "{name}: {kind} says {answer:?}");
                    continue;
                };
                let values = assignment(&query, &values);
                let text = explain::describe(Origin { terms: t, rule: &rule, claim: &claim }, &values);
                assert!(is_planted, "{name}: {kind} refutes what is right\n{text}");
                assert_eq!(eval(t, claim.term, &values), 0, "{name}: no counterexample of {kind}\n{text}");
                let start = start(t, &claim, &values);
                let expected = run_reference(&program, &start);
                assert_eq!(run_worker(&emitter, &program, &right, &start).as_ref(), Ok(&expected), "{name}");
                let shown = run_worker(&emitter, &program, &program.image, &start);
                assert_ne!(shown.as_ref(), Ok(&expected), "{name}: {kind}'s counterexample is none\n{text}");
                println!("{name}: refuted by {kind}, and by a run");
            }
        }
    }
    assert!(planted().len() >= 10 && SolverKind::ALL.len() == 2);
}
