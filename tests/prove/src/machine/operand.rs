//! Operands: registers of all widths, immediates, memory and its addresses.

use super::{Execution, Stuck};
use crate::term::Term;
use iced_x86::{OpKind, Register};

impl Execution<'_> {
    /// Number and width of a general register. High bytes (`ah`) are not modelled: they are never emitted.
    fn register(&self, register: Register) -> Result<(usize, u32), Stuck> {
        let is_high = matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
        if !register.is_gpr() || is_high {
            return Err(self.not_modelled());
        }
        let full = register.full_register();
        Ok((full as usize - Register::RAX as usize, register.size() as u32 * 8))
    }

    /// The low `width` bits of a register.
    pub(super) fn get(&self, number: usize, width: u32) -> Term {
        self.t.low(self.state.registers[number], width)
    }

    /// Sets a register from `value`: 32 bits clear the upper half, 8 and 16 preserve the other bits.
    pub(super) fn set(&mut self, number: usize, value: Term) {
        let (t, width) = (self.t, self.t.width(value));
        self.state.registers[number] = match width {
            64 => value,
            32 => t.zext(value, 64),
            _ => t.concat(t.extract(self.state.registers[number], width, 64 - width), value),
        };
    }

    /// Width of an operand in bits.
    pub(super) fn operand_width(&self, operand: u32) -> Result<u32, Stuck> {
        match self.i.op_kind(operand) {
            OpKind::Register => Ok(self.register(self.i.op_register(operand))?.1),
            OpKind::Memory => match self.i.memory_size().size() {
                bytes @ (1 | 2 | 4 | 8) => Ok(bytes as u32 * 8),
                _ => Err(self.not_modelled()),
            },
            OpKind::Immediate8 => Ok(8),
            OpKind::Immediate16 | OpKind::Immediate8to16 => Ok(16),
            OpKind::Immediate32 | OpKind::Immediate8to32 => Ok(32),
            OpKind::Immediate64 | OpKind::Immediate8to64 | OpKind::Immediate32to64 => Ok(64),
            _ => Err(self.not_modelled()),
        }
    }

    /// Returns the value of an operand, in its width.
    pub(super) fn read(&mut self, operand: u32) -> Result<Term, Stuck> {
        let width = self.operand_width(operand)?;
        match self.i.op_kind(operand) {
            OpKind::Register => {
                let (number, width) = self.register(self.i.op_register(operand))?;
                Ok(self.get(number, width))
            }
            OpKind::Memory => {
                let address = self.address()?;
                self.load(address, width)
            }
            // An immediate shorter than its operand is sign-extended.
            _ => Ok(match self.fields.immediates.get(&self.i.ip()) {
                Some(field) => self.t.sext(*field, width),
                None => self.t.constant(width, self.i.immediate(operand).into()),
            }),
        }
    }

    /// Writes an operand of the value's width.
    pub(super) fn write(&mut self, operand: u32, value: Term) -> Result<(), Stuck> {
        if self.operand_width(operand)? != self.t.width(value) {
            return Err(self.not_modelled());
        }
        match self.i.op_kind(operand) {
            OpKind::Register => {
                let (number, _) = self.register(self.i.op_register(operand))?;
                self.set(number, value);
                Ok(())
            }
            OpKind::Memory => {
                let address = self.address()?;
                self.store(address, value)
            }
            _ => Err(self.not_modelled()),
        }
    }

    /// The address of the memory operand, 64 bits: computed in 32 and zero-extended if the instruction says so.
    pub(super) fn address(&self) -> Result<Term, Stuck> {
        let (t, i) = (self.t, self.i);
        let (base, index) = (i.memory_base(), i.memory_index());
        let named = [base, index].into_iter().find(|register| *register != Register::None);
        let width = match named {
            Some(register) => self.register(register)?.1,
            None if i.memory_displ_size() == 4 => 32,
            None => 64,
        };
        if width < 32 {
            return Err(self.not_modelled());
        }
        let mut address = match self.fields.displacements.get(&i.ip()) {
            Some(field) => t.sext(*field, width),
            None => t.constant(width, i.memory_displacement64().into()),
        };
        if index != Register::None {
            let scale = t.constant(width, i.memory_index_scale().trailing_zeros().into());
            address = t.add(t.shl(self.get(self.register(index)?.0, width), scale), address);
        }
        if base != Register::None {
            address = t.add(self.get(self.register(base)?.0, width), address);
        }
        Ok(t.zext(address, 64))
    }

    pub(super) fn load(&mut self, address: Term, width: u32) -> Result<Term, Stuck> {
        let ip = self.i.ip();
        self.memory.load(self.state, address, width).map_err(|why| Stuck::Access { ip, why })
    }

    pub(super) fn store(&mut self, address: Term, value: Term) -> Result<(), Stuck> {
        let ip = self.i.ip();
        self.memory.store(self.state, address, value).map_err(|why| Stuck::Access { ip, why })
    }
}
