//! All rules: each opcode of each instruction set, with every choice of registers, every shape of immediates and every
//! kind of target; and the few that do not belong to an opcode.

use crate::emit::{Case, Compiled, EmitError, Emitter, Mode, Target};
use crate::guest::Immediates;
use crate::machine::Fields;
use crate::rule::{self, Claim, Rule};
use crate::shape::{self, Shape, Values};
use crate::smt::{self, Query};
use crate::term::{Term, Terms};
use crate::{pairs, peepholes};
use std::fmt;
use vm_core::isa::{Format, Instruction, Isa, Opcode, Reg};

/// The subject of a proof.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// An opcode's rule.
    Opcode(Opcode),
    /// The routine that enters guest code.
    Enter,
    /// The stop before an instruction in single-step mode.
    Stop,
    /// An opcode followed by any other: if their code is not that of the two, it is a rule of its own.
    Pairs(Opcode),
    /// Sequences that the compiler may emit as one: the peephole with this number, with possible suffixes.
    Peephole(usize),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Opcode(opcode) => f.write_str(opcode.spec().mnemonic),
            Subject::Enter => f.write_str("(entering guest code)"),
            Subject::Stop => f.write_str("(stop before an instruction)"),
            Subject::Peephole(number) => write!(f, "(peephole: {})", peepholes::NAMES.get(*number).unwrap_or(&"")),
            Subject::Pairs(opcode) => write!(f, "{} and another", opcode.spec().mnemonic),
        }
    }
}

/// A rule in one compilation mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// Its subject.
    pub subject: Subject,
    /// Its compilation mode.
    pub mode: Mode,
}

impl Job {
    /// Returns the compilation mode as text.
    pub fn way(&self) -> String {
        let Mode { isa, metered, steps, bad_entry, calibrated } = self.mode;
        let mut text = isa.name().to_owned();
        for (is_so, what) in [
            (!metered, " without gas"),
            (steps, " with stops"),
            (bad_entry, " with an entry that is no target"),
            (calibrated, " with refunds"),
        ] {
            text += if is_so { what } else { "" };
        }
        text
    }
}

/// Returns all jobs, which `make prove` runs.
pub fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for isa in Isa::ALL {
        let plain = Mode::plain(isa);
        jobs.push(Job { subject: Subject::Enter, mode: plain });
        jobs.push(Job { subject: Subject::Stop, mode: Mode { steps: true, ..plain } });
        for opcode in Opcode::all().filter(|opcode| isa.number(*opcode).is_some()) {
            let subject = Subject::Opcode(opcode);
            jobs.push(Job { subject, mode: plain });
            if opcode.spec().format.has_target() && opcode.spec().can_fall_through {
                jobs.push(Job { subject, mode: Mode { calibrated: true, ..plain } });
            }
            if !opcode.spec().ends_block && isa != Isa::JamV1 {
                jobs.push(Job { subject: Subject::Pairs(opcode), mode: plain });
            }
            if isa == Isa::JamV1 {
                continue;
            }
            // Without metering, and in single-step mode, the instruction's own code is the same. The texts of the
            // queries then show this, and each is sent only once.
            let form = opcode.spec().format;
            if !matches!(form, Format::RegRegReg | Format::RegRegImm) || opcode == Opcode::Add32 {
                jobs.push(Job { subject, mode: Mode { metered: false, ..plain } });
                jobs.push(Job { subject, mode: Mode { steps: true, ..plain } });
            }
            if matches!(opcode, Opcode::JumpIndirect | Opcode::LoadImmAndJumpIndirect) {
                jobs.push(Job { subject, mode: Mode { bad_entry: true, ..plain } });
            }
        }
    }
    // Last, as they take longest.
    for isa in [Isa::ReviveV1, Isa::JamV1] {
        let job = |number| Job { subject: Subject::Peephole(number), mode: Mode::plain(isa) };
        jobs.extend((0..peepholes::NAMES.len()).map(job));
    }
    jobs
}

/// A proof obligation.
pub struct Obligation<'a> {
    /// The class: registers, immediates, target.
    pub class: String,
    /// The query for the solvers.
    pub query: &'a Query,
    /// Its origin; `None` if it does not concern a case.
    pub origin: Option<Origin<'a>>,
}

/// A case's claim and everything that it was made from.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The terms.
    pub terms: &'a Terms,
    /// The rule.
    pub rule: &'a Rule<'a>,
    /// Its claim.
    pub claim: &'a Claim,
}

/// Changes machine code, to check that proofs fail.
pub type Mutation<'a> = Option<&'a dyn Fn(&mut Compiled)>;

/// States all obligations of a job.
///
/// # Errors
/// If the code cannot be compiled, or violates a general rule.
pub fn state(
    emitter: &Emitter,
    job: &Job,
    mutation: Mutation,
    found: &mut dyn FnMut(Obligation),
) -> Result<(), EmitError> {
    let t = &Terms::new();
    let mut special = |class: &str, term: Term| {
        found(Obligation { class: class.into(), query: &smt::query(t, &[], term, true), origin: None });
    };
    let stuck = |stuck: crate::machine::Stuck| EmitError(stuck.to_string());
    match job.subject {
        Subject::Opcode(opcode) => opcode_rule(emitter, job.mode, opcode, mutation, found),
        Subject::Peephole(number) => peepholes::state(emitter, job.mode, number, found),
        Subject::Pairs(opcode) => pairs::state(emitter, job.mode, opcode, found),
        Subject::Enter => {
            let program = emitter.compile(job.mode, &[])?;
            special("all registers", rule::enter(t, &program).map_err(stuck)?);
            Ok(())
        }
        Subject::Stop => {
            let case = Case::one(Instruction::none(Opcode::Fallthrough), Target::Forward);
            let program = emitter.compile(job.mode, &[case])?;
            special("all registers", rule::stop(t, &program, 0).map_err(stuck)?);
            Ok(())
        }
    }
}

/// Returns the choices of the registers of a form.
fn registers(format: Format) -> Vec<[Reg; 3]> {
    let count = match format {
        Format::None | Format::Imm | Format::Offset | Format::ImmImm => 0,
        Format::RegImm | Format::RegImmImm | Format::RegImmOffset | Format::RegImm64 => 1,
        Format::RegReg | Format::RegRegImm | Format::RegRegOffset | Format::RegRegImmImm => 2,
        Format::RegRegReg => 3,
    };
    let all = |at: usize| if at < count { &Reg::ALL[..] } else { &Reg::ALL[..1] };
    let mut choices = Vec::new();
    for a in all(0) {
        for b in all(1) {
            choices.extend(all(2).iter().map(|c| [*a, *b, *c]));
        }
    }
    choices
}

/// Describes which of the registers coincide.
fn aliases(format: Format, [r1, r2, r3]: [Reg; 3]) -> &'static str {
    match format {
        Format::RegRegReg => match (r3 == r1, r3 == r2, r1 == r2) {
            (true, true, _) => "d=s1=s2",
            (true, false, _) => "d=s1",
            (false, true, _) => "d=s2",
            (false, false, true) => "s1=s2",
            (false, false, false) => "all different",
        },
        Format::RegReg | Format::RegRegImm | Format::RegRegOffset | Format::RegRegImmImm if r1 == r2 => "r1=r2",
        Format::RegReg | Format::RegRegImm | Format::RegRegOffset | Format::RegRegImmImm => "r1≠r2",
        Format::RegImm | Format::RegImmImm | Format::RegImmOffset | Format::RegImm64 => "any register",
        _ => "",
    }
}

/// Returns numbers at which shapes may change, and some in between.
fn numbers() -> Vec<i32> {
    let mut numbers = vec![0xff, 0xffff, 0xfe, 0xfffe, i32::MIN, i32::MIN + 1, i32::MIN + 2, i32::MIN + 3];
    numbers.extend(-4..=4);
    for bits in [5, 6, 7, 8, 15, 16, 24, 31] {
        let power = 1_i32.wrapping_shl(bits);
        numbers.extend((-3..=3).flat_map(|near| [power.wrapping_add(near), power.wrapping_neg().wrapping_add(near)]));
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for width in (2..32).cycle().take(45) {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        numbers.push((state >> 32) as i32 >> (32 - width));
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Returns samples of the immediates of a form.
fn samples(format: Format) -> Vec<Values> {
    let one = numbers();
    match format {
        Format::Imm | Format::RegImm | Format::RegRegImm | Format::RegImmOffset => {
            one.iter().map(|imm| (i64::from(*imm), 0)).collect()
        }
        Format::RegImm64 => {
            let wide = one.iter().flat_map(|high| {
                let high = i64::from(*high);
                [high, high << 32, high << 32 | 0xffff_ffff, high << 29, i64::from(high as u32)]
            });
            wide.map(|imm| (imm, 0)).collect()
        }
        Format::ImmImm | Format::RegImmImm | Format::RegRegImmImm => {
            let few: Vec<i32> = one.iter().copied().step_by(5).chain([0, 1, 2, -1, 127, 128, 129, 130, 131]).collect();
            few.iter().flat_map(|imm| few.iter().map(|imm2| (i64::from(*imm), *imm2))).collect()
        }
        _ => vec![(0, 0)],
    }
}

fn has_second(format: Format) -> bool {
    matches!(format, Format::ImmImm | Format::RegImmImm | Format::RegRegImmImm)
}

/// Maximum number of blocks of one program.
const BLOCKS: usize = 60_000;

fn cases(opcode: Opcode, registers: &[[Reg; 3]], samples: &[Values], target: Target) -> Vec<Case> {
    let all = registers.iter().flat_map(|[r1, r2, r3]| {
        samples.iter().map(|(imm, imm2)| {
            let (r1, r2, r3, imm, imm2) = (*r1, *r2, *r3, *imm, *imm2);
            Case::one(Instruction { opcode, r1, r2, r3, imm, imm2, target: 0 }, target)
        })
    });
    all.collect()
}

/// Compiles programs with every choice of registers and some immediates of a job's opcode: for tests that inspect
/// forms.
///
/// # Errors
/// If it cannot be compiled.
pub fn programs(emitter: &Emitter, job: &Job, found: &mut dyn FnMut(&Compiled)) -> Result<(), EmitError> {
    let Subject::Opcode(opcode) = job.subject else { return Ok(()) };
    let format = opcode.spec().format;
    let samples = samples(format);
    let few: Vec<Values> =
        samples.iter().copied().step_by(samples.len().div_ceil(12)).chain([(0, 0), (1, 1)]).collect();
    found(&emitter.compile(job.mode, &cases(opcode, &registers(format), &few, Target::Forward))?);
    Ok(())
}

fn opcode_rule(
    emitter: &Emitter,
    mode: Mode,
    opcode: Opcode,
    mutation: Mutation,
    found: &mut dyn FnMut(Obligation),
) -> Result<(), EmitError> {
    let format = opcode.spec().format;
    let samples = samples(format);
    let targets: &[Target] = match format.has_target() {
        false => &[Target::Forward],
        // Refused in this instruction set.
        true if mode.isa == Isa::JamV1 => &[Target::Forward, Target::Back],
        true => &[Target::Forward, Target::Back, Target::Invalid],
    };
    for target in targets {
        for part in registers(format).chunks((BLOCKS / samples.len()).max(1)) {
            let cases = cases(opcode, part, &samples, *target);
            let mut program = emitter.compile(mode, &cases)?;
            if let Some(mutation) = mutation {
                mutation(&mut program);
            }
            for (number, registers) in part.iter().enumerate() {
                let first = number * samples.len();
                let own: Vec<(usize, Values)> =
                    samples.iter().enumerate().map(|(at, values)| (first + at, *values)).collect();
                let mut class = aliases(format, *registers).to_owned();
                if format.has_target() {
                    class += match target {
                        Target::Forward => " forward",
                        Target::Back => " back",
                        Target::Invalid => " to no target",
                    };
                }
                group(&program, &cases, &own, class.trim(), found)?;
            }
        }
    }
    Ok(())
}

/// States the obligations for cases that only differ in their immediates.
///
/// # Errors
/// If their code cannot be decoded, or violates a general rule.
pub fn group(
    program: &Compiled,
    cases: &[Case],
    own: &[(usize, Values)],
    class: &str,
    found: &mut dyn FnMut(Obligation),
) -> Result<(), EmitError> {
    let shapes = shape::shapes(program, own)?;
    for shape in &shapes {
        one_shape(program, cases, shape, class, found)?;
    }
    if shapes.len() > 1 {
        let t = &Terms::new();
        let format = cases.get(own.first().map_or(0, |first| first.0)).map(|case| case.instructions[0].format());
        let (imm, imm2) = variables(t, format.unwrap_or(Format::None));
        let any = t.any(shapes.iter().map(|shape| shape.domain.term(t, imm, imm2)));
        let class = format!("{class}, {} shapes are all", shapes.len());
        found(Obligation { class, query: &smt::query(t, &[], any, true), origin: None });
    }
    Ok(())
}

/// Makes variables for the immediates of a form, as in [`Immediates`].
fn variables(t: &Terms, format: Format) -> (Term, Term) {
    let imm = match format {
        Format::RegImm64 => t.variable(64, "imm"),
        _ => t.sext(t.variable(32, "imm"), 64),
    };
    (imm, if has_second(format) { t.variable(32, "imm2") } else { t.constant(32, 0) })
}

fn one_shape(
    program: &Compiled,
    cases: &[Case],
    shape: &Shape,
    class: &str,
    found: &mut dyn FnMut(Obligation),
) -> Result<(), EmitError> {
    let t = &Terms::new();
    let case = &cases[shape.case];
    let instruction = case.instructions[0];
    let format = instruction.format();
    let (imm, imm2) = match shape.count {
        // A single sample does not allow generalization.
        1 => (t.c64(instruction.imm as u64), t.constant(32, instruction.imm2 as u32 as u128)),
        _ => shape.domain.narrowed(t, variables(t, format)),
    };
    let fields = match shape.count {
        1 => Fields::default(),
        _ => shape.fields(t, program.starts[shape.case], imm, imm2),
    };
    let immediates = [Immediates { imm, imm2 }];
    let rule = Rule {
        program,
        case: shape.case,
        instructions: &case.instructions,
        target: case.target,
        immediates: &immediates,
        fields: &fields,
    };
    let claim = rule.claim(t).map_err(|stuck| EmitError(format!("{instruction:?}: {stuck}")))?;
    let domain = shape.domain.term(t, imm, imm2);
    let query = smt::query(t, &[domain], claim.term, true);
    let domain = shape.domain.text();
    let class = [class, &domain].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    found(Obligation { class, query: &query, origin: Some(Origin { terms: t, rule: &rule, claim: &claim }) });
    Ok(())
}
