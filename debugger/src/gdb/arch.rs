//! The architecture as gdb sees it: RV32E or RV64E, with gas and position as registers of their own.

use gdbstub::arch::{Arch, Registers};
use std::fmt::Write as _;
use vm_core::isa::Reg;

/// x0 to x15, the program counter, gas and position.
pub const COUNT: usize = 19;

/// The registers of RISC-V by their numbers: the guest's, and three that read as zero.
const NAMES: [(&str, Option<Reg>); 16] = [
    ("zero", None),
    ("ra", Some(Reg::RA)),
    ("sp", Some(Reg::SP)),
    ("gp", None),
    ("tp", None),
    ("t0", Some(Reg::T0)),
    ("t1", Some(Reg::T1)),
    ("t2", Some(Reg::T2)),
    ("fp", Some(Reg::S0)),
    ("s1", Some(Reg::S1)),
    ("a0", Some(Reg::A0)),
    ("a1", Some(Reg::A1)),
    ("a2", Some(Reg::A2)),
    ("a3", Some(Reg::A3)),
    ("a4", Some(Reg::A4)),
    ("a5", Some(Reg::A5)),
];

/// See the module.
pub enum Guest {}

impl Arch for Guest {
    type Usize = u64;
    type Registers = Values;
    type BreakpointKind = usize;
    type RegId = ();
}

/// The values of all registers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Values {
    pub is_64_bit: bool,
    pub values: [u64; COUNT],
}

impl Values {
    pub fn new(is_64_bit: bool, reg: impl Fn(Reg) -> u64, pc: u64, gas: i64, position: u64) -> Values {
        let mut values = [0; COUNT];
        for (value, (_, guest)) in values.iter_mut().zip(NAMES) {
            *value = guest.map_or(0, &reg);
        }
        values[16..].copy_from_slice(&[pc, gas as u64, position]);
        Values { is_64_bit, values }
    }
}

impl Registers for Values {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.values[16]
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for (index, value) in self.values.iter().enumerate() {
            let size = if self.is_64_bit || index > 16 { 8 } else { 4 };
            value.to_le_bytes().into_iter().take(size).for_each(|byte| write_byte(Some(byte)));
        }
    }

    fn gdb_deserialize(&mut self, _: &[u8]) -> Result<(), ()> {
        // They cannot be written.
        Err(())
    }
}

/// Target description for gdb: the registers, in the order of [`Values`].
pub fn description(is_64_bit: bool) -> String {
    let bits = if is_64_bit { 64 } else { 32 };
    // Without an operating system gdb leaves single steps to us, instead of reading RISC-V instructions that are not there.
    let mut xml = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>riscv:rv{bits}</architecture><osabi>none</osabi><feature name=\"org.gnu.gdb.riscv.cpu\">"
    );
    let mut reg = |name: &str, bits: u32, kind: &str, number: usize| {
        // Writing to a string does not fail.
        let _ = write!(xml, "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\"/>");
    };
    for (number, (name, _)) in NAMES.into_iter().enumerate() {
        reg(name, bits, if name == "sp" { "data_ptr" } else { "int" }, number);
    }
    reg("pc", bits, "code_ptr", 16);
    xml.push_str("</feature><feature name=\"pvm.run\">");
    for (number, (name, kind)) in [("gas", "int64"), ("position", "uint64")].into_iter().enumerate() {
        let _ = write!(
            xml,
            "<reg name=\"{name}\" bitsize=\"64\" type=\"{kind}\" regnum=\"{}\" group=\"general\"/>",
            17 + number
        );
    }
    xml.push_str("</feature></target>");
    xml
}
