//! Parser of vector files. Every error has the line number.

use crate::interface::{Model, Outcome, REGISTERS};
use vm_core::isa::Isa;

/// A malformed line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Its number, from 1 on.
    pub line: usize,
    /// Description of the error.
    pub what: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

/// State set before a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Before {
    /// Registers that are set.
    pub registers: Vec<(usize, u64)>,
    /// Memory that is written.
    pub memory: Vec<(u32, Vec<u8>)>,
    /// The gas.
    pub gas: Option<i64>,
    /// The next pc.
    pub enter: Option<u32>,
    /// Bytes by which the heap grows.
    pub sbrk: Option<u32>,
}

/// Expected state after a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct After {
    /// Outcome of the run.
    pub outcome: Outcome,
    /// Program counter.
    pub pc: Option<u32>,
    /// Next program counter.
    pub next_pc: Option<u32>,
    /// Registers that changed.
    pub registers: Vec<(usize, u64)>,
    /// Memory that changed.
    pub memory: Vec<(u32, Vec<u8>)>,
    /// Size of the heap.
    pub heap: u32,
    /// Gas left.
    pub gas: i64,
}

/// A statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Statement {
    /// `isa`
    Isa(Vec<Isa>),
    /// `model`
    Model(Model),
    /// `aux`
    Aux(u32),
    /// `program`
    Program(String),
    /// `case` (true) or `then` (false); without an `After` if there is a `?` in its place.
    Run(bool, Before, Option<After>),
    /// `cost`; without a number if there is a `?` in its place, and `Some(None)` for `none`.
    Cost(u32, Option<Option<u32>>),
}

/// A statement with its line number, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The number of its line.
    pub line: usize,
    /// The statement.
    pub statement: Statement,
}

/// Reads a file.
///
/// # Errors
/// The first malformed line.
pub fn parse(text: &str) -> Result<Vec<Item>, ParseError> {
    let mut items: Vec<Item> = Vec::new();
    for (index, whole) in text.lines().enumerate() {
        let line = index + 1;
        let content = whole.split('#').next().unwrap_or("").trim_end();
        if content.trim().is_empty() {
            continue;
        }
        if content.starts_with(' ') {
            match items.last_mut().map(|item| &mut item.statement) {
                Some(Statement::Program(program)) => {
                    program.push_str(content);
                    program.push('\n');
                    continue;
                }
                _ => return Err(ParseError { line, what: "an indented line that belongs to no program".into() }),
            }
        }
        let statement = statement(content).map_err(|what| ParseError { line, what })?;
        items.push(Item { line, statement });
    }
    Ok(items)
}

fn statement(content: &str) -> Result<Statement, String> {
    let (word, rest) = content.split_once(' ').unwrap_or((content, ""));
    let rest = rest.trim();
    Ok(match word {
        "isa" => {
            let named = |name: &str| Isa::ALL.into_iter().find(|isa| isa.name() == name);
            let isas: Option<Vec<Isa>> = rest.split_whitespace().map(named).collect();
            Statement::Isa(isas.filter(|isas| !isas.is_empty()).ok_or("an instruction set that is none")?)
        }
        "model" => Statement::Model(match rest.split_whitespace().collect::<Vec<_>>()[..] {
            ["naive"] => Model::Naive,
            ["pipeline", latency] => Model::Pipeline(number(latency)?),
            ["calibrated", "1"] => Model::CalibratedV1,
            _ => return Err("a model that is none".into()),
        }),
        "aux" => Statement::Aux(number(rest)?),
        "program" => Statement::Program(String::new()),
        "case" | "then" => {
            let (before, after) = rest.split_once("=>").ok_or("no =>")?;
            Statement::Run(word == "case", self::before(before)?, self::after(after.trim())?)
        }
        "cost" => {
            let (offset, cost) = rest.split_once('=').ok_or("no =")?;
            let cost = match cost.trim() {
                "?" => None,
                "none" => Some(None),
                cost => Some(Some(number(cost)?)),
            };
            Statement::Cost(number(offset.trim())?, cost)
        }
        _ => return Err(format!("no statement begins with {word:?}")),
    })
}

fn before(text: &str) -> Result<Before, String> {
    let mut before = Before::default();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} sets nothing"))?;
        match name {
            "gas" => before.gas = Some(number(value)?),
            "enter" => before.enter = Some(number(value)?),
            "sbrk" => before.sbrk = Some(number(value)?),
            _ => match assignment(name, value)? {
                Assignment::Register(register, value) => before.registers.push((register, value)),
                Assignment::Memory(address, bytes) => before.memory.push((address, bytes)),
            },
        }
    }
    Ok(before)
}

fn after(text: &str) -> Result<Option<After>, String> {
    if text == "?" {
        return Ok(None);
    }
    let mut words = text.split_whitespace();
    let (kind, pc) = match words.next().ok_or("no outcome")?.split_once('@') {
        Some((kind, pc)) => (kind, Some(number(pc)?)),
        None => (text.split_whitespace().next().unwrap_or(""), None),
    };
    let outcome = match kind.split_once(':') {
        Some(("host-call", called)) => Outcome::HostCall(number(called)?),
        None if kind == "finished" => Outcome::Finished,
        None if kind == "trap" => Outcome::Trap,
        None if kind == "out-of-gas" => Outcome::OutOfGas,
        _ => return Err(format!("{kind:?} is no outcome")),
    };
    let (registers, memory) = (Vec::new(), Vec::new());
    let mut after = After { outcome, pc, next_pc: None, registers, memory, heap: 0, gas: i64::MIN };
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} says nothing"))?;
        match name {
            "gas" => after.gas = number(value)?,
            "next" => after.next_pc = Some(number(value)?),
            "heap" => after.heap = number(value)?,
            _ => match assignment(name, value)? {
                Assignment::Register(register, value) => after.registers.push((register, value)),
                Assignment::Memory(address, bytes) => after.memory.push((address, bytes)),
            },
        }
    }
    if after.gas == i64::MIN {
        return Err("no gas".into());
    }
    Ok(Some(after))
}

enum Assignment {
    Register(usize, u64),
    Memory(u32, Vec<u8>),
}

fn assignment(name: &str, value: &str) -> Result<Assignment, String> {
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        let digits: Option<Vec<u32>> = value.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| format!("{value:?} is no bytes"))?;
        let bytes = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        return Ok(Assignment::Memory(number(address)?, bytes));
    }
    let register = REGISTERS.iter().position(|register| *register == name);
    Ok(Assignment::Register(register.ok_or_else(|| format!("{name:?} is no register"))?, number(value)?))
}

/// Parses a decimal or hexadecimal number, which may be negative.
fn number<T: TryFrom<i128>>(text: &str) -> Result<T, String> {
    let (minus, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse::<i128>(),
    };
    let value = value.map_err(|error| format!("{text:?}: {error}"))?;
    T::try_from(if minus { -value } else { value }).map_err(|_| format!("{text} does not fit"))
}
