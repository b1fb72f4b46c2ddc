//! Builder of the blobs that tests and benchmarks upload: a few instructions around host calls.

#![allow(dead_code, reason = "the tests need all of it, the benchmarks a part")]

use alloc::vec::Vec;
use vm_core::{
    blob::BlobBuilder,
    isa::{Instruction, Isa, Opcode, Reg},
};

/// Start of a contract's writable memory; it has no read-only data.
pub const RW: u32 = 0x2_0000;
/// Length of a contract's writable memory.
pub const RW_LEN: u32 = 64 * 1024;
/// An address outside of every contract's memory.
pub const NOWHERE: u32 = 0x1000;
/// Stands for "none" in lengths and pointers.
pub const SENTINEL: u64 = u32::MAX as u64;

/// Builder of a contract. Instructions are added in order; [`Contract::call`] begins the export `call`. Instructions
/// before that belong to `deploy`.
pub struct Contract {
    imports: Vec<Vec<u8>>,
    code: Vec<Instruction>,
    call: Option<u32>,
    deploy: bool,
    data: Vec<u8>,
    memory: u32,
    builder: BlobBuilder,
}

impl Contract {
    /// Makes an empty contract, whose `deploy` begins.
    pub fn new() -> Self {
        let mut builder = BlobBuilder::new(Isa::ReviveV1);
        builder.stack_size(4096);
        Self {
            imports: Vec::new(),
            code: Vec::new(),
            call: None,
            deploy: true,
            data: Vec::new(),
            memory: RW_LEN,
            builder,
        }
    }

    /// Makes a contract whose `deploy` returns immediately and whose `call` begins.
    pub fn with_call() -> Self {
        Self::new().ret().call()
    }

    /// Begins the export `call`.
    pub fn call(mut self) -> Self {
        self.call = Some(self.here());
        self
    }

    /// Omits the export `deploy`.
    pub fn without_deploy(mut self) -> Self {
        self.deploy = false;
        self
    }

    /// The index of the next instruction, as a jump target.
    pub fn here(&self) -> u32 {
        self.code.len() as u32
    }

    /// Appends any instruction.
    pub fn op(mut self, instruction: Instruction) -> Self {
        self.code.push(instruction);
        self
    }

    /// Adds an import without calling it.
    pub fn import(mut self, symbol: &[u8]) -> Self {
        self.imports.push(symbol.to_vec());
        self
    }

    /// Sets bytes of the writable memory, at this offset from [`RW`].
    pub fn data(mut self, offset: u32, bytes: &[u8]) -> Self {
        let end = offset as usize + bytes.len();
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data[offset as usize..end].copy_from_slice(bytes);
        self
    }

    /// Sets a register.
    pub fn set(self, reg: Reg, value: u64) -> Self {
        self.op(Instruction::rx(Opcode::LoadImm64, reg, value as i64))
    }

    /// Calls a host function. Its result is in A0.
    pub fn host(mut self, name: &str, args: &[u64]) -> Self {
        for (reg, arg) in Reg::ARGS.into_iter().zip(args) {
            self = self.set(reg, *arg);
        }
        let known = self.imports.iter().position(|import| import == name.as_bytes());
        let index = known.unwrap_or_else(|| {
            self.imports.push(name.as_bytes().to_vec());
            self.imports.len() - 1
        });
        self.op(Instruction::i(Opcode::Ecalli, index as i32))
    }

    /// Stores A0 as eight bytes at this offset from [`RW`].
    pub fn keep(self, offset: u32) -> Self {
        self.op(Instruction::ri(Opcode::StoreU64, Reg::A0, (RW + offset) as i32))
    }

    /// Ends with `seal_return` of the bytes at this offset from [`RW`].
    pub fn give(self, offset: u32, len: u32) -> Self {
        self.give_with(0, offset, len)
    }

    /// As [`Self::give`], with flags.
    pub fn give_with(self, flags: u32, offset: u32, len: u32) -> Self {
        self.host("seal_return", &[flags.into(), at(offset), len.into()]).op(Instruction::none(Opcode::Trap))
    }

    /// Returns without data.
    pub fn ret(self) -> Self {
        self.op(Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0))
    }

    /// Traps.
    pub fn trap(self) -> Self {
        self.op(Instruction::none(Opcode::Trap))
    }

    /// Loops for ever.
    pub fn spin(self) -> Self {
        // A jump target must be the start of a block.
        let contract = self.op(Instruction::none(Opcode::Fallthrough));
        let here = contract.here();
        contract.op(Instruction::o(Opcode::Jump, here))
    }

    /// Sets the size of the writable memory.
    pub fn memory(mut self, bytes: u32) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets the size of the stack.
    pub fn stack(mut self, bytes: u32) -> Self {
        self.builder.stack_size(bytes);
        self
    }

    /// Builds the blob.
    pub fn build(mut self) -> Vec<u8> {
        self.builder.rw_data(self.memory, &self.data);
        for import in &self.imports {
            self.builder.import(import);
        }
        if self.deploy {
            self.builder.export(b"deploy", 0);
        }
        if let Some(call) = self.call {
            self.builder.export(b"call", call);
        }
        self.builder.instructions(self.code);
        self.builder.build().unwrap_or_else(|error| panic!("the program can't be written: {error}"))
    }
}

/// The address of an offset into the writable memory.
pub fn at(offset: u32) -> u64 {
    (RW + offset).into()
}
