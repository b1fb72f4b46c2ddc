//! Printer of the graph as text, for debugging and tests.

use super::{Address, Block, BlockId, Imm, IrProgram, Op, Part, Terminator, Val};
use std::fmt;

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for Imm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrap = |part: &Part| match part {
            Part::Full => ("", ""),
            Part::High => ("hi(", ")"),
            Part::Low => ("lo(", ")"),
        };
        match self {
            Imm::Num(value) if value.unsigned_abs() < 1024 => write!(f, "{value}"),
            Imm::Num(value) => write!(f, "{value:#x}"),
            Imm::Data { section, part, offset } => {
                let (open, close) = wrap(part);
                write!(f, "{open}@{section}{offset:+}{close}")
            }
            Imm::Code { block, part } => {
                let (open, close) = wrap(part);
                write!(f, "{open}&{block}{close}")
            }
            Imm::HeapBase => f.write_str("heap_base"),
        }
    }
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Val::Var(var) => write!(f, "{var:?}"),
            Val::Imm(imm) => imm.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.base, self.offset) {
            (Some(base), Imm::Num(0)) => write!(f, "[{base:?}]"),
            (Some(base), offset) => write!(f, "[{base:?} + {offset}]"),
            (None, offset) => write!(f, "[{offset}]"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Const { dst, value } => write!(f, "{dst:?} = {value}"),
            Op::Move { dst, src } => write!(f, "{dst:?} = {src:?}"),
            Op::Binary { op, dst, a, b } => write!(f, "{dst:?} = {} {a}, {b}", op.spec().mnemonic),
            Op::Unary { op, dst, src } => write!(f, "{dst:?} = {} {src:?}", op.spec().mnemonic),
            Op::Cmov { zero, dst, value, cond } => {
                write!(f, "{dst:?} = {value} if {cond:?} {} 0", if *zero { "==" } else { "!=" })
            }
            Op::Load { op, dst, address } => write!(f, "{dst:?} = {} {address}", op.spec().mnemonic),
            Op::Store { op, value, address } => write!(f, "{} {address} = {value}", op.spec().mnemonic),
            Op::HostCall { import } => write!(f, "host_call {import}"),
            Op::Sbrk { dst, size } => write!(f, "{dst:?} = sbrk {size:?}"),
            Op::Memset => f.write_str("memset"),
        }
    }
}

impl fmt::Display for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Terminator::Jump(target) => write!(f, "jump {target}"),
            Terminator::Branch { op, a, b, then, otherwise } => {
                write!(f, "{} {a}, {b} to {then} else {otherwise}", op.spec().mnemonic)
            }
            Terminator::Call { link, target, back } => write!(f, "call {target} back to {back} by {link:?}"),
            Terminator::CallIndirect { link, base, back } => write!(f, "call [{base:?}] back to {back} by {link:?}"),
            Terminator::JumpIndirect { base } => write!(f, "jump [{base:?}]"),
            Terminator::Trap => f.write_str("trap"),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "    {}", step.op)?;
        }
        writeln!(f, "    {}", self.terminator)
    }
}

impl fmt::Display for IrProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, block, _) in &self.exports {
            writeln!(f, "export {} {block}", String::from_utf8_lossy(name))?;
        }
        for id in self.ids() {
            write!(f, "{id}:\n{}", self.block(id))?;
        }
        Ok(())
    }
}
