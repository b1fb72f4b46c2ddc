//! Checks every form over its whole operand space: an independent disassembler (iced-x86) must decode our encoding to
//! the intended mnemonic, operands and length. Lengths are also compared with a simple count of the parts that an
//! instruction needs, so that an encoding that is longer than necessary fails too.
//!
//! Called by the tests in the files below, which walk the tables of `forms`.

mod choices;
mod memory;
mod registers;
mod relative;
mod space;

use crate::assembler::Assembler;
use crate::inst::Inst;
use iced_x86::{Decoder, DecoderOptions, Instruction, MemorySize, Mnemonic, OpKind, Register};
use std::collections::HashMap;
use std::io::Write;
use std::string::String;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;
use std::{format, println};

/// Number of encodings that all tests of this process have checked.
static CHECKED: AtomicUsize = AtomicUsize::new(0);

/// Number of encodings that are decoded at once: few enough to stay in the cache.
const BATCH: usize = 1024;

/// Address at which code is decoded: not zero, so that an absolute address isn't mistaken for a relative one.
const ORIGIN: u64 = 0x1234_5678_9000;

/// An operand as it should be decoded.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Operand {
    Reg(Register),
    /// An address, and the access size in bytes (0: no access).
    Mem(Address, u8),
    /// An immediate, compared in its lowest `bits`.
    Imm(u64, u8),
    /// A displacement from the end of the instruction.
    Relative(i64),
}

/// An address as it should be decoded. No register: `Register::None`.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Address {
    base: Register,
    index: Register,
    scale: u8,
    disp: i32,
    is_32: bool,
    /// Bytes of ModRM, SIB, displacement and address-size prefix.
    len: u8,
    /// True if it uses a register from r8 to r15.
    needs_rex: bool,
}

struct Expected {
    mnemonic: Mnemonic,
    operands: [Option<Operand>; 4],
    len: usize,
}

/// Collects encodings and has them decoded in batches.
struct Checker {
    title: &'static str,
    asm: Assembler,
    expected: Vec<Expected>,
    mnemonics: HashMap<String, Mnemonic>,
    checked: usize,
}

impl Checker {
    fn new(title: &'static str) -> Checker {
        let mnemonics = Mnemonic::values().map(|mnemonic| (format!("{mnemonic:?}").to_lowercase(), mnemonic)).collect();
        let asm = Assembler::with_capacity(1 << 20, BATCH * 16, 0, 0);
        Checker { title, asm, expected: Vec::with_capacity(BATCH), mnemonics, checked: 0 }
    }

    fn mnemonic(&self, name: &str) -> Mnemonic {
        *self.mnemonics.get(name).unwrap_or_else(|| panic!("the disassembler knows no `{name}`"))
    }

    /// Records the expected decoding of `inst`.
    #[inline]
    fn check<const N: usize>(&mut self, inst: Inst, mnemonic: Mnemonic, operands: [Operand; N], len: usize) {
        let mut all = [None; 4];
        for (to, from) in all.iter_mut().zip(operands) {
            *to = Some(from);
        }
        self.asm.push(inst);
        self.expected.push(Expected { mnemonic, operands: all, len });
        if self.expected.len() == BATCH {
            self.decode();
        }
    }

    fn decode(&mut self) {
        let code = self.asm.finish().expect("the batch fits");
        let mut decoder = Decoder::with_ip(64, code, ORIGIN, DecoderOptions::NONE);
        let mut inst = Instruction::default();
        for expected in &self.expected {
            let start = decoder.position();
            assert!(decoder.can_decode(), "the code ends before {expected:?}");
            decoder.decode_out(&mut inst);
            if !matches(&inst, expected) {
                let bytes = code.get(start..start + inst.len()).unwrap_or_default();
                panic!("{bytes:02x?} should be {expected:?} but is {}", describe(&inst));
            }
        }
        assert!(!decoder.can_decode(), "the code goes on after {:?}", self.expected.last());
        self.checked += self.expected.len();
        self.expected.clear();
        self.asm.clear();
    }

    /// Checks the remaining encodings and prints the count.
    fn done(mut self) {
        self.decode();
        assert!(self.checked > 0, "nothing was checked");
        let all = CHECKED.fetch_add(self.checked, Ordering::Relaxed) + self.checked;
        // Not `println`, which the test harness hides.
        let line = format!("{}: {} encodings checked, {all} so far\n", self.title, self.checked);
        std::io::stderr().write_all(line.as_bytes()).unwrap_or_else(|_| println!("{line}"));
    }
}

impl core::fmt::Debug for Expected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} {:x?} in {} bytes", self.mnemonic, self.operands.iter().flatten(), self.len)
    }
}

#[inline]
fn matches(inst: &Instruction, expected: &Expected) -> bool {
    let count = expected.operands.iter().flatten().count();
    inst.mnemonic() == expected.mnemonic
        && inst.len() == expected.len
        && inst.op_count() as usize == count
        && expected.operands.iter().flatten().enumerate().all(|(i, operand)| operand_matches(inst, i as u32, operand))
}

#[inline]
fn operand_matches(inst: &Instruction, i: u32, operand: &Operand) -> bool {
    let kind = inst.op_kind(i);
    match *operand {
        Operand::Reg(reg) => kind == OpKind::Register && inst.op_register(i) == reg,
        Operand::Mem(address, size) => {
            kind == OpKind::Memory && address_matches(inst, &address) && bytes_touched(inst.memory_size()) == Some(size)
        }
        Operand::Imm(value, bits) => is_immediate(kind) && (inst.immediate(i) ^ value) << (64 - bits) == 0,
        Operand::Relative(disp) => {
            kind == OpKind::NearBranch64 && inst.near_branch64() == inst.next_ip().wrapping_add_signed(disp)
        }
    }
}

#[inline]
fn address_matches(inst: &Instruction, address: &Address) -> bool {
    let disp = if address.base == Register::RIP {
        inst.next_ip().wrapping_add_signed(i64::from(address.disp))
    } else if address.is_32 {
        u64::from(address.disp.cast_unsigned())
    } else {
        i64::from(address.disp).cast_unsigned()
    };
    inst.memory_base() == address.base
        && inst.memory_index() == address.index
        && inst.memory_index_scale() == u32::from(address.scale)
        && inst.memory_displacement64() == disp
        && inst.segment_prefix() == Register::None
        // Without a register, only the size of the displacement distinguishes the two kinds of address.
        && (address.base != Register::None
            || address.index != Register::None
            || (inst.memory_displ_size() == 4) == address.is_32)
}

#[inline]
fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// Access size of an operand in bytes; `None` if no form here has its kind.
#[inline]
fn bytes_touched(size: MemorySize) -> Option<u8> {
    match size {
        MemorySize::Unknown => Some(0),
        MemorySize::UInt8 | MemorySize::Int8 => Some(1),
        MemorySize::UInt16 | MemorySize::Int16 => Some(2),
        MemorySize::UInt32 | MemorySize::Int32 => Some(4),
        MemorySize::UInt64 | MemorySize::Int64 | MemorySize::QwordOffset => Some(8),
        _ => None,
    }
}

/// Describes a decoded instruction for the message of a failure.
fn describe(inst: &Instruction) -> String {
    let operands: Vec<String> = (0..inst.op_count())
        .map(|i| match inst.op_kind(i) {
            OpKind::Register => format!("{:?}", inst.op_register(i)),
            OpKind::Memory => format!(
                "{:?} [{:?} + {:?} * {} + {:#x}]",
                inst.memory_size(),
                inst.memory_base(),
                inst.memory_index(),
                inst.memory_index_scale(),
                inst.memory_displacement64()
            ),
            kind if is_immediate(kind) => format!("{:#x}", inst.immediate(i)),
            kind => format!("{kind:?}"),
        })
        .collect();
    format!("{:?} {operands:?} in {} bytes", inst.mnemonic(), inst.len())
}
