//! Machine semantics: the effects of the AMD64 instruction forms that the compiler emits, as terms.
//!
//! Bytes are decoded by `iced-x86`. Anything not modelled is an error, so a proof fails if the compiler emits a form
//! without semantics here. Sources: Intel SDM, volume 2; AMD APM, volume 3; if they differ, or a flag is undefined in
//! one of them, it is undefined here: a new variable. `tests/processor.rs` compares every form with the processor.

mod alu;
mod operand;

use crate::term::{Term, Terms};
use iced_x86::{Code, ConditionCode, Instruction, Mnemonic, OpKind, Register};
use std::collections::HashMap;
use std::fmt;

/// The modelled flags. The adjust flag is not read by any form here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags {
    /// Carry.
    pub cf: Term,
    /// Parity of the low byte.
    pub pf: Term,
    /// Zero.
    pub zf: Term,
    /// Sign.
    pub sf: Term,
    /// Signed overflow.
    pub of: Term,
}

/// Registers and flags.
#[derive(Clone, Debug)]
pub struct State {
    /// By register number.
    pub registers: [Term; 16],
    /// The flags.
    pub flags: Flags,
}

impl State {
    /// A state with unknown contents.
    pub fn unknown(terms: &Terms) -> State {
        let names = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15",
        ];
        State { registers: names.map(|name| terms.variable(64, name)), flags: Flags::unknown(terms) }
    }
}

impl Flags {
    /// Unknown flags.
    pub fn unknown(terms: &Terms) -> Flags {
        let [cf, pf, zf, sf, of] = ["cf", "pf", "zf", "sf", "of"].map(|name| terms.variable(1, name));
        Flags { cf, pf, zf, sf, of }
    }
}

/// Number of the stack pointer.
pub const RSP: usize = 4;
const RAX: usize = 0;
const RDX: usize = 2;

/// Reason why execution cannot continue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stuck {
    /// Bytes that are not an instruction.
    NoInstruction {
        /// Their address.
        ip: u64,
    },
    /// A form without semantics here.
    NotModelled {
        /// Its address.
        ip: u64,
        /// The form.
        form: String,
    },
    /// A memory access that is neither to guest memory nor to memory that compiled code may access.
    Access {
        /// The instruction's address.
        ip: u64,
        /// The reason.
        why: String,
    },
    /// More steps than any rule has.
    TooLong,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stuck::NoInstruction { ip } => write!(f, "no instruction at {ip:#x}"),
            Stuck::NotModelled { ip, form } => write!(f, "no semantics for `{form}` at {ip:#x}"),
            Stuck::Access { ip, why } => write!(f, "the access at {ip:#x} {why}"),
            Stuck::TooLong => write!(f, "more steps than any rule has"),
        }
    }
}

/// Memory as seen by an instruction. Addresses have 64 bits.
pub trait Memory {
    /// Loads `width` bits.
    ///
    /// # Errors
    /// If compiled code must not load this.
    fn load(&mut self, state: &State, address: Term, width: u32) -> Result<Term, String>;

    /// Stores a value.
    ///
    /// # Errors
    /// If compiled code must not store this.
    fn store(&mut self, state: &State, address: Term, value: Term) -> Result<(), String>;
}

/// Fields of instructions whose bytes are symbolic, by the instruction's address: a term as wide as the field.
#[derive(Clone, Default, Debug)]
pub struct Fields {
    /// Immediates.
    pub immediates: HashMap<u64, Term>,
    /// Displacements of memory operands.
    pub displacements: HashMap<u64, Term>,
}

/// Position at which the machine continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// After the instruction.
    Behind,
    /// At this address.
    Goto(Term),
    /// At the address if the condition is 1, else after the instruction.
    GotoIf(Term, u64),
}

/// Execution of one instruction.
struct Execution<'a> {
    t: &'a Terms,
    i: &'a Instruction,
    fields: &'a Fields,
    memory: &'a mut dyn Memory,
    state: &'a mut State,
    /// Conditions under which the instruction faults.
    faults: &'a mut Vec<Term>,
}

/// Executes one instruction. Conditions under which it faults, other than by a memory access, are added to `faults`.
///
/// # Errors
/// If there are no semantics for it.
pub fn step(
    terms: &Terms,
    instruction: &Instruction,
    fields: &Fields,
    memory: &mut dyn Memory,
    state: &mut State,
    faults: &mut Vec<Term>,
) -> Result<Next, Stuck> {
    Execution { t: terms, i: instruction, fields, memory, state, faults }.run()
}

/// The value of a condition.
pub fn condition(t: &Terms, flags: &Flags, code: ConditionCode) -> Option<Term> {
    let Flags { cf, pf, zf, sf, of } = *flags;
    let less = t.xor(sf, of);
    Some(match code {
        ConditionCode::o => of,
        ConditionCode::no => t.not(of),
        ConditionCode::b => cf,
        ConditionCode::ae => t.not(cf),
        ConditionCode::e => zf,
        ConditionCode::ne => t.not(zf),
        ConditionCode::be => t.or(cf, zf),
        ConditionCode::a => t.not(t.or(cf, zf)),
        ConditionCode::s => sf,
        ConditionCode::ns => t.not(sf),
        ConditionCode::p => pf,
        ConditionCode::np => t.not(pf),
        ConditionCode::l => less,
        ConditionCode::ge => t.not(less),
        ConditionCode::le => t.or(zf, less),
        ConditionCode::g => t.not(t.or(zf, less)),
        ConditionCode::None => return None,
    })
}

impl Execution<'_> {
    fn not_modelled(&self) -> Stuck {
        Stuck::NotModelled { ip: self.i.ip(), form: format!("{:?}", self.i.code()) }
    }

    fn condition(&self) -> Result<Term, Stuck> {
        condition(self.t, &self.state.flags, self.i.condition_code()).ok_or_else(|| self.not_modelled())
    }

    fn run(mut self) -> Result<Next, Stuck> {
        use Mnemonic::*;
        let i = self.i;
        let t = self.t;
        // Locked, repeated and segmented forms have other semantics.
        let has_segment = i.segment_prefix() != Register::None;
        if i.has_lock_prefix() || i.has_rep_prefix() || i.has_repne_prefix() || has_segment {
            return Err(self.not_modelled());
        }
        match i.mnemonic() {
            Nop => {}
            Mov | Movzx | Movsx | Movsxd => {
                let value = self.read(1)?;
                let width = self.operand_width(0)?;
                let value = match i.mnemonic() {
                    Movzx => t.zext(value, width),
                    Movsx | Movsxd => t.sext(value, width),
                    _ => value,
                };
                self.write(0, value)?;
            }
            Lea => {
                let width = self.operand_width(0)?;
                let address = self.address()?;
                self.write(0, t.low(address, width))?;
            }
            Xchg if i.op0_kind() == OpKind::Register && i.op1_kind() == OpKind::Register => {
                let (a, b) = (self.read(0)?, self.read(1)?);
                self.write(0, b)?;
                self.write(1, a)?;
            }
            Push => {
                let value = self.read(0)?;
                self.push(value)?;
            }
            Pop if i.op0_kind() == OpKind::Register => {
                let value = self.pop()?;
                self.write(0, value)?;
            }
            Jmp => return self.target().map(Next::Goto),
            Call => {
                let target = self.target()?;
                self.push(t.c64(i.next_ip()))?;
                return Ok(Next::Goto(target));
            }
            Ret if i.code() == Code::Retnq => return self.pop().map(Next::Goto),
            _ if i.is_jcc_short_or_near() => return Ok(Next::GotoIf(self.condition()?, i.near_branch_target())),
            _ if self.i.condition_code() != ConditionCode::None => self.conditional()?,
            _ => self.compute()?,
        }
        Ok(Next::Behind)
    }

    /// The target of a jump or call.
    fn target(&mut self) -> Result<Term, Stuck> {
        match self.i.op0_kind() {
            OpKind::NearBranch64 => Ok(self.t.c64(self.i.near_branch_target())),
            _ if self.operand_width(0)? == 64 => self.read(0),
            _ => Err(self.not_modelled()),
        }
    }

    /// Conditional moves and sets.
    fn conditional(&mut self) -> Result<(), Stuck> {
        let condition = self.condition()?;
        match self.i.op_count() {
            // The source is read in either case, and the upper half of a 32-bit destination is cleared in either case.
            2 => {
                let (old, new) = (self.read(0)?, self.read(1)?);
                self.write(0, self.t.ite(condition, new, old))
            }
            1 => self.write(0, self.t.zext(condition, 8)),
            _ => Err(self.not_modelled()),
        }
    }

    fn push(&mut self, value: Term) -> Result<(), Stuck> {
        if self.t.width(value) != 64 {
            return Err(self.not_modelled());
        }
        let rsp = self.t.sub(self.state.registers[RSP], self.t.c64(8));
        self.store(rsp, value)?;
        self.state.registers[RSP] = rsp;
        Ok(())
    }

    fn pop(&mut self) -> Result<Term, Stuck> {
        let rsp = self.state.registers[RSP];
        let value = self.load(rsp, 64)?;
        self.state.registers[RSP] = self.t.add(rsp, self.t.c64(8));
        Ok(value)
    }
}
