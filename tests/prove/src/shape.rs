//! Shapes of machine code: the bytes that depend on an immediate, and their formulas.
//!
//! The compiler compiles an instruction with many immediates. Code that is equal except for its immediates and
//! displacements has one shape; for each of these fields a formula is found that gives its bytes for the whole sample,
//! and the proof uses the field as that formula over a variable. A condition on the variable, its domain, distinguishes
//! a shape from the others; a query shows that the domains of all shapes together cover all values. So the proof holds
//! for every value for which the compiler emits what the formula says, which is known for the sample.

use crate::emit::{Compiled, EmitError};
use crate::machine::Fields;
use crate::term::{Term, Terms};
use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind};
use pvm_zygote::protocol::CODE_BASE;

/// Immediates of an instruction.
pub type Values = (i64, i32);

/// A field of machine code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Offset of its instruction in the case's code.
    pub offset: u64,
    /// True for a displacement, false for an immediate.
    pub is_displacement: bool,
    /// Its width in bits.
    pub bits: u32,
    /// Its value.
    pub value: u64,
}

/// Machine code of a case: the part that is equal in all cases of a shape, and the fields.
#[derive(Clone, Debug)]
pub struct CaseCode {
    /// Bytes with the fields zeroed, and the targets of jumps.
    pub shape: Vec<u8>,
    /// The fields in their order.
    pub fields: Vec<Field>,
    /// The instructions.
    pub instructions: Vec<Instruction>,
    /// Position-independent bytes of each: with a jump's target in place of its displacement.
    pub anywhere: Vec<Vec<u8>>,
}

impl CaseCode {
    /// Returns the code of the case's own instructions, without the charge before and the trap behind them.
    pub fn own(&self, charged: bool) -> &[Vec<u8>] {
        let from = if charged { 2 } else { 0 };
        let to = self.anywhere.len().saturating_sub(1);
        self.anywhere.get(from..to).unwrap_or_default()
    }
}

/// Decodes a case's code.
///
/// # Errors
/// If not all bytes are instructions.
pub fn read(program: &Compiled, case: usize) -> Result<CaseCode, EmitError> {
    let (start, end) = program.extent(case);
    let bytes = program.bytes((start, end));
    let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
    let mut code = CaseCode {
        shape: Vec::with_capacity(bytes.len() + 16),
        fields: Vec::new(),
        instructions: Vec::new(),
        anywhere: Vec::new(),
    };
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return Err(EmitError(format!("no instruction at {:#x}", instruction.ip())));
        }
        let offset = instruction.ip() - start;
        let from = offset as usize;
        let own = bytes.get(from..from + instruction.len()).unwrap_or_default();
        let places = decoder.get_constant_offsets(&instruction);
        let begin = code.shape.len();
        code.shape.extend_from_slice(own);
        let is_branch = instruction.op_count() == 1 && instruction.op0_kind() == OpKind::NearBranch64;
        let mut field = |place: usize, size: usize, is_displacement: bool| {
            let value = own.iter().skip(place).take(size).rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            if let Some(bytes) = code.shape.get_mut(begin + place..begin + place + size) {
                bytes.fill(0);
            }
            if !is_branch {
                code.fields.push(Field { offset, is_displacement, bits: size as u32 * 8, value });
            }
        };
        if places.has_displacement() {
            field(places.displacement_offset(), places.displacement_size(), true);
        }
        if places.has_immediate() {
            field(places.immediate_offset(), places.immediate_size(), false);
        }
        if is_branch {
            let target = instruction.near_branch_target();
            let place = if (start..end).contains(&target) {
                target.wrapping_sub(instruction.ip())
            } else if program.blocks.contains(&target) {
                u64::MAX
            } else if target >= end {
                // A stub; the claim checks which one.
                u64::MAX - 1
            } else {
                target - CODE_BASE
            };
            code.shape.extend(place.to_le_bytes());
        }
        let anywhere = if is_branch { code.shape.get(begin..).unwrap_or_default() } else { own };
        code.anywhere.push(anywhere.to_vec());
        code.instructions.push(instruction);
    }
    Ok(code)
}

/// Dependence of a field's bytes on an immediate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Formula {
    /// Always these bytes.
    Constant(u64),
    /// The low bits of an immediate (the second one if true), plus a number.
    Sum(bool, i64),
    /// As `Sum`, of the immediate modulo a power of two.
    Modulo(bool, u64),
}

const FORMULAS: [Formula; 8] = [
    Formula::Sum(false, 0),
    Formula::Sum(true, 0),
    Formula::Sum(false, -2),
    Formula::Sum(true, -2),
    Formula::Modulo(false, 32),
    Formula::Modulo(false, 64),
    Formula::Sum(false, 1),
    Formula::Sum(false, -1),
];

fn mask(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

impl Formula {
    fn value(self, (imm, imm2): Values, bits: u32) -> u64 {
        let pick = |second: bool| if second { i64::from(imm2) } else { imm };
        let value = match self {
            Formula::Constant(value) => value,
            Formula::Sum(second, number) => pick(second).wrapping_add(number) as u64,
            Formula::Modulo(second, modulus) => pick(second) as u64 & (modulus - 1),
        };
        value & mask(bits)
    }

    fn term(self, t: &Terms, imm: Term, imm2: Term, bits: u32) -> Term {
        let pick = |second: bool| if second { t.sext(imm2, 64) } else { imm };
        let value = match self {
            Formula::Constant(value) => t.c64(value),
            Formula::Sum(second, number) => t.add(pick(second), t.c64(number as u64)),
            Formula::Modulo(second, modulus) => t.and(pick(second), t.c64(modulus - 1)),
        };
        t.low(value, bits)
    }

    /// Finds the formula of a field from its values in a sample.
    fn find(bits: u32, sample: &[(Values, u64)]) -> Option<Formula> {
        let first = sample.first()?.1;
        core::iter::once(Formula::Constant(first))
            .chain(FORMULAS)
            .find(|formula| sample.iter().all(|(values, value)| formula.value(*values, bits) == *value))
    }
}

/// A condition on an immediate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// Equal to this number.
    Is(i64),
    /// It plus a number, as 32 bits, fits 8 bits, sign-extended.
    FitsByte(i64),
    /// It is not negative.
    Positive,
    /// It fits 32 bits, sign-extended.
    FitsInt,
    /// It fits 32 bits, zero-extended.
    FitsWord,
    /// Equal to one modulo a power of two.
    OneModulo(i64),
}

const CONDITIONS: [Condition; 12] = [
    Condition::Is(0),
    Condition::Is(0xff),
    Condition::Is(0xffff),
    Condition::Is(2),
    Condition::FitsByte(0),
    Condition::FitsByte(-2),
    Condition::FitsByte(1),
    Condition::Positive,
    Condition::FitsInt,
    Condition::FitsWord,
    Condition::OneModulo(32),
    Condition::OneModulo(64),
];

impl Condition {
    fn holds(self, value: i64) -> bool {
        match self {
            Condition::Is(number) => value == number,
            Condition::FitsByte(number) => i8::try_from(value.wrapping_add(number) as i32).is_ok(),
            Condition::Positive => value >= 0,
            Condition::FitsInt => i32::try_from(value).is_ok(),
            Condition::FitsWord => u32::try_from(value).is_ok(),
            Condition::OneModulo(modulus) => value & (modulus - 1) == 1,
        }
    }

    fn term(self, t: &Terms, value: Term) -> Term {
        match self {
            Condition::Is(number) => t.eq(value, t.c64(number as u64)),
            Condition::FitsByte(number) => {
                let low = t.low(t.add(value, t.c64(number as u64)), 32);
                t.eq(t.sext(t.low(low, 8), 32), low)
            }
            Condition::Positive => t.not(t.sign(value)),
            Condition::FitsInt => t.eq(t.sext(t.low(value, 32), 64), value),
            Condition::FitsWord => t.eq(t.zext(t.low(value, 32), 64), value),
            Condition::OneModulo(modulus) => t.eq(t.and(value, t.c64(modulus as u64 - 1)), t.c64(1)),
        }
    }

    fn text(self, is_so: bool, name: &str) -> String {
        let (is, fits) = if is_so { ("=", "fits") } else { ("≠", "exceeds") };
        match self {
            Condition::Is(number) => format!("{name} {is} {number:#x}"),
            Condition::FitsByte(0) => format!("{name} {fits} i8"),
            Condition::FitsByte(number) => format!("{name}{number:+} {fits} i8"),
            Condition::Positive if is_so => format!("{name} ≥ 0"),
            Condition::Positive => format!("{name} < 0"),
            Condition::FitsInt => format!("{name} {fits} i32"),
            Condition::FitsWord => format!("{name} {fits} u32"),
            Condition::OneModulo(modulus) => format!("{name} mod {modulus} {is} 1"),
        }
    }
}

/// Condition that distinguishes the immediates of a shape from those of others.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Domain(Vec<(bool, Condition, bool)>);

impl Domain {
    /// Finds a minimal list of conditions, by a greedy search, that hold for all of `own` and for none of `others`.
    fn find(own: &[Values], others: &[Values]) -> Domain {
        let pick = |values: &Values, second: bool| if second { i64::from(values.1) } else { values.0 };
        let Some(first) = own.first() else { return Domain::default() };
        let mut candidates: Vec<(bool, Condition, bool)> = Vec::new();
        for second in [false, true] {
            let number = pick(first, second);
            let mut conditions = CONDITIONS.to_vec();
            if own.iter().all(|values| pick(values, second) == number) {
                conditions.insert(0, Condition::Is(number));
            }
            for condition in conditions {
                let is_so = condition.holds(number);
                if own.iter().all(|values| condition.holds(pick(values, second)) == is_so) {
                    candidates.push((second, condition, is_so));
                }
            }
        }
        let (mut domain, mut others) = (Vec::new(), others.to_vec());
        while !others.is_empty() {
            let excludes = |candidate: &(bool, Condition, bool), values: &Values| {
                candidate.1.holds(pick(values, candidate.0)) != candidate.2
            };
            let count = |candidate: &(bool, Condition, bool)| {
                others.iter().filter(|values| excludes(candidate, values)).count()
            };
            // The first of the best.
            let Some(best) = candidates.iter().rev().max_by_key(|candidate| count(candidate)).copied() else { break };
            if count(&best) == 0 {
                break;
            }
            others.retain(|values| !excludes(&best, values));
            domain.push(best);
        }
        Domain(domain)
    }

    /// Returns true if the domain contains these values.
    pub fn contains(&self, values: Values) -> bool {
        self.0.iter().all(|(second, condition, is_so)| {
            condition.holds(if *second { i64::from(values.1) } else { values.0 }) == *is_so
        })
    }

    /// Returns the domain as a term.
    pub fn term(&self, t: &Terms, imm: Term, imm2: Term) -> Term {
        t.all(self.0.iter().map(|(second, condition, is_so)| {
            let term = condition.term(t, if *second { t.sext(imm2, 64) } else { imm });
            if *is_so { term } else { t.not(term) }
        }))
    }

    /// Narrows immediates to the domain: if a byte determines one, as a term of that byte. The machine code then
    /// contains the same byte syntactically, which solvers need for multiplications.
    pub fn narrowed(&self, t: &Terms, (imm, imm2): (Term, Term)) -> (Term, Term) {
        let narrow = |which: bool, value: Term| {
            let found = self.0.iter().find_map(|(second, condition, is_so)| match condition {
                Condition::FitsByte(number) if *second == which && *is_so => Some(*number),
                _ => None,
            });
            found.map_or(value, |number| {
                let byte = t.sext(t.variable(8, "byte"), 32);
                let value32 = t.sub(byte, t.constant(32, number as u128));
                t.sext(value32, t.width(value))
            })
        };
        (narrow(false, imm), narrow(true, imm2))
    }

    /// Returns the domain as text; empty if it contains everything.
    pub fn text(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(second, condition, is_so)| condition.text(*is_so, if *second { "imm2" } else { "imm" }))
            .collect();
        parts.join(", ")
    }
}

/// A shape: the cases of a sample whose code has it, and the formulas of its fields.
pub struct Shape {
    /// The first of its cases.
    pub case: usize,
    /// Number of its cases.
    pub count: usize,
    /// Condition that distinguishes it from the others.
    pub domain: Domain,
    /// Formulas of the fields.
    pub formulas: Vec<(Field, Formula)>,
}

impl Shape {
    /// Returns the fields as terms, for a case's code at `start`.
    pub fn fields(&self, t: &Terms, start: u64, imm: Term, imm2: Term) -> Fields {
        let mut fields = Fields::default();
        for (field, formula) in &self.formulas {
            if !matches!(formula, Formula::Constant(_)) {
                let map = if field.is_displacement { &mut fields.displacements } else { &mut fields.immediates };
                map.insert(start + field.offset, formula.term(t, imm, imm2, field.bits));
            }
        }
        fields
    }
}

/// A case of a sample: its number, immediates and fields.
type Member = (usize, Values, Vec<Field>);

/// Finds the shapes of cases that only differ in their immediates.
///
/// # Errors
/// If a field has no formula.
pub fn shapes(program: &Compiled, cases: &[(usize, Values)]) -> Result<Vec<Shape>, EmitError> {
    let mut groups: Vec<(Vec<u8>, Vec<Member>)> = Vec::new();
    for (case, values) in cases {
        let code = read(program, *case)?;
        let member = (*case, *values, code.fields);
        match groups.iter_mut().find(|(shape, _)| *shape == code.shape) {
            Some((_, members)) => members.push(member),
            None => groups.push((code.shape, vec![member])),
        }
    }
    let mut shapes = Vec::new();
    for (at, (_, members)) in groups.iter().enumerate() {
        let own: Vec<Values> = members.iter().map(|member| member.1).collect();
        let others = groups.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<Values> = others.flat_map(|(_, (_, members))| members.iter().map(|member| member.1)).collect();
        let Some((case, _, fields)) = members.first() else { continue };
        let mut formulas = Vec::new();
        for (number, field) in fields.iter().enumerate() {
            let sample: Vec<(Values, u64)> =
                members.iter().filter_map(|(_, values, fields)| Some((*values, fields.get(number)?.value))).collect();
            let formula = Formula::find(field.bits, &sample).ok_or_else(|| {
                EmitError(format!("no formula for the {} bits at byte {} of case {case}", field.bits, field.offset))
            })?;
            formulas.push((field.clone(), formula));
        }
        shapes.push(Shape { case: *case, count: members.len(), domain: Domain::find(&own, &others), formulas });
    }
    Ok(shapes)
}
