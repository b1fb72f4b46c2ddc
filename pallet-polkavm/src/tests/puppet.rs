//! A contract that executes its call data: any sequence of host calls.
//!
//! A [`Script`] is the call data. Its commands have fixed arguments; data for them is part of the script and is in the
//! contract's memory, at addresses that are known when the script is written. So contracts that call each other in any
//! way are nested scripts. Constructor and `call` behave the same.

use crate::host_api::HostFunction;
use crate::program::{Contract, RW, RW_LEN};
use vm_core::isa::{Instruction, Opcode, Reg};

/// Address of the script.
const SCRIPT: u32 = RW + 0x1000;
/// Address of the commands' results, eight bytes each.
pub const RESULTS: u64 = RW as u64 + 0x400;
/// Start of the script's own memory, which it may write to.
pub const SCRATCH: u64 = RW as u64;
/// Length of the script's header: the address of its commands, and their number.
const HEADER: usize = 16;
/// Length of a command: its number, and six arguments.
const COMMAND: u32 = 56;
/// A command that traps.
const TRAP: u64 = 255;
/// A command that traps unless the last result is its first argument.
const EXPECT: u64 = 254;

/// The blob.
pub fn puppet() -> Vec<u8> {
    let mut code = Contract::new();
    // Imports in the order of the table, so that a command's number is its import's index.
    for (name, _) in HostFunction::ALL {
        code = code.import(name.as_bytes());
    }
    let import = |name: &str| HostFunction::ALL.iter().position(|(known, _)| *known == name).unwrap() as i32;
    let load = |to, from, offset| Instruction::rri(Opcode::LoadIndirectU64, to, from, offset);
    let add = |to, from, number| Instruction::rri(Opcode::AddImm64, to, from, number);

    // `deploy` is here; `call` as well.
    code = code.call();
    code = code
        .op(Instruction::i(Opcode::Ecalli, import("call_data_size")))
        .op(Instruction::rr(Opcode::MoveReg, Reg::A1, Reg::A0))
        .set(Reg::A0, SCRIPT.into())
        .set(Reg::A2, 0)
        .op(Instruction::i(Opcode::Ecalli, import("call_data_copy")))
        .set(Reg::T2, SCRIPT.into())
        .op(load(Reg::S0, Reg::T2, 0))
        .op(load(Reg::S1, Reg::T2, 8))
        .set(Reg::T1, RESULTS)
        .set(Reg::A0, 0)
        .op(Instruction::none(Opcode::Fallthrough));
    let turn = code.here();
    // The number of instructions of one command's case, see below.
    let cases = HostFunction::ALL.len() as u32 + 2;
    let after_cases = turn + 9 + 4 * cases;
    let end = after_cases + 1 + 6;
    code = code.op(Instruction::rio(Opcode::BranchEqImm, Reg::S1, 0, end)).op(load(Reg::T0, Reg::S0, 0));
    // The last result is kept in T2 for the command that checks it.
    code = code.op(Instruction::rr(Opcode::MoveReg, Reg::T2, Reg::A0));
    for (index, reg) in Reg::ARGS.into_iter().take(6).enumerate() {
        code = code.op(load(reg, Reg::S0, 8 + 8 * index as i32));
    }
    let done = after_cases + 1;
    let case = |code: Contract, number: u64, does: Instruction| {
        let next = code.here() + 4;
        code.op(Instruction::rio(Opcode::BranchNotEqImm, Reg::T0, number as i32, next))
            .op(does)
            .op(Instruction::o(Opcode::Jump, done))
            .op(Instruction::none(Opcode::Fallthrough))
    };
    // A skipped case continues behind its four instructions, where the next one begins.
    for number in 0..HostFunction::ALL.len() {
        code = case(code, number as u64, Instruction::i(Opcode::Ecalli, number as i32));
    }
    code = case(code, TRAP, Instruction::none(Opcode::Trap));
    code = case(code, EXPECT, Instruction::rro(Opcode::BranchNotEq, Reg::T2, Reg::A0, after_cases));
    assert_eq!(code.here(), after_cases);
    code = code.op(Instruction::none(Opcode::Trap));
    code = code
        .op(Instruction::rri(Opcode::StoreIndirectU64, Reg::A0, Reg::T1, 0))
        .op(add(Reg::T1, Reg::T1, 8))
        .op(add(Reg::S0, Reg::S0, COMMAND as i32))
        .op(add(Reg::S1, Reg::S1, -1))
        .op(Instruction::o(Opcode::Jump, turn))
        .op(Instruction::none(Opcode::Fallthrough));
    assert_eq!(code.here(), end);
    code.ret().build()
}

/// Builder of a puppet's script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    data: Vec<u8>,
    commands: Vec<(u64, [u64; 6])>,
}

/// A call that a script makes, with its fields by name.
#[derive(Clone, Debug)]
pub struct Call {
    /// Flags of the call.
    pub flags: u32,
    /// Limits.
    pub ref_time: u64,
    /// Limits.
    pub proof_size: u64,
    /// Limits.
    pub deposit: Option<u128>,
    /// In the contracts' unit.
    pub value: u128,
}

impl Default for Call {
    fn default() -> Self {
        Self { flags: 0, ref_time: u64::MAX, proof_size: u64::MAX, deposit: None, value: 0 }
    }
}

/// The register for a call whose output is not used.
pub const NO_OUTPUT: u64 = ((SCRATCH + 0x200) << 32) | u32::MAX as u64;

/// Packs two 32-bit arguments into one register.
pub fn pack(high: u64, low: u64) -> u64 {
    (high << 32) | (low & 0xffff_ffff)
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes to the script and returns their address.
    pub fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let address = u64::from(SCRIPT) + (HEADER + self.data.len()) as u64;
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        address
    }

    /// A number of 256 bits; all ones for `None`.
    pub fn word(&mut self, number: Option<u128>) -> u64 {
        let mut bytes = [0xff; 32];
        if let Some(number) = number {
            bytes.fill(0);
            bytes[..16].copy_from_slice(&number.to_le_bytes());
        }
        self.bytes(&bytes)
    }

    /// Calls a host function.
    pub fn host(&mut self, name: &str, args: &[u64]) -> &mut Self {
        let number = HostFunction::ALL.iter().position(|(known, _)| *known == name).unwrap();
        self.command(number as u64, args)
    }

    fn command(&mut self, number: u64, args: &[u64]) -> &mut Self {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        self.commands.push((number, all));
        self
    }

    /// Traps.
    pub fn trap(&mut self) -> &mut Self {
        self.command(TRAP, &[])
    }

    /// Traps unless the last result is this.
    pub fn expect(&mut self, result: u64) -> &mut Self {
        self.command(EXPECT, &[result])
    }

    /// Returns the results of all commands so far.
    pub fn give_results(&mut self) -> &mut Self {
        let len = 8 * self.commands.len() as u64;
        self.give(0, RESULTS, len)
    }

    /// Returns memory.
    pub fn give(&mut self, flags: u64, pointer: u64, len: u64) -> &mut Self {
        self.host("seal_return", &[flags, pointer, len])
    }

    /// Reverts with data.
    pub fn revert(&mut self, data: &[u8]) -> &mut Self {
        let pointer = self.bytes(data);
        self.give(1, pointer, data.len() as u64)
    }

    /// Stores a value under a fixed key.
    pub fn store(&mut self, key: u8, value: u8) -> &mut Self {
        let (key, value) = (self.bytes(&[key; 32]), self.bytes(&[value; 32]));
        self.host("set_storage_or_clear", &[0, key, value])
    }

    /// Calls another contract with another script.
    pub fn call(&mut self, callee: sp_core::H160, call: &Call, input: &Self) -> &mut Self {
        self.call_into(callee, call, &input.encode(), NO_OUTPUT)
    }

    /// Calls another contract; `output` is the register with the output's length pointer and pointer.
    pub fn call_into(&mut self, callee: sp_core::H160, call: &Call, input: &[u8], output: u64) -> &mut Self {
        let callee = self.bytes(callee.as_bytes());
        let value = self.word(Some(call.value));
        let deposit = self.word(call.deposit);
        let pointer = self.bytes(input);
        let args = [
            pack(call.flags.into(), callee),
            call.ref_time,
            call.proof_size,
            pack(deposit, value),
            pack(input.len() as u64, pointer),
            output,
        ];
        self.host("call", &args)
    }

    /// Runs another contract's program.
    pub fn delegate(&mut self, code: sp_core::H160, flags: u32, input: &[u8]) -> &mut Self {
        let code = self.bytes(code.as_bytes());
        let deposit = self.word(None);
        let pointer = self.bytes(input);
        let args =
            [pack(flags.into(), code), u64::MAX, u64::MAX, deposit, pack(input.len() as u64, pointer), NO_OUTPUT];
        self.host("delegate_call", &args)
    }

    /// Instantiates a contract, whose address is written to `address`.
    pub fn instantiate(
        &mut self,
        code_hash: sp_core::H256,
        call: &Call,
        input: &[u8],
        salt: Option<[u8; 32]>,
        address: u64,
    ) -> &mut Self {
        let value = self.word(Some(call.value));
        let deposit = self.word(call.deposit);
        let pointer = self.bytes(&[code_hash.as_bytes(), input].concat());
        let salt = salt.map_or(u32::MAX.into(), |salt| self.bytes(&salt));
        let args = [
            call.ref_time,
            call.proof_size,
            pack(deposit, value),
            pack(32 + input.len() as u64, pointer),
            NO_OUTPUT,
            pack(address, salt),
        ];
        self.host("instantiate", &args)
    }

    /// The call data.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = ((HEADER + self.data.len()) as u64 + u64::from(SCRIPT)).to_le_bytes().to_vec();
        bytes.extend((self.commands.len() as u64).to_le_bytes());
        bytes.extend(&self.data);
        for (number, args) in &self.commands {
            bytes.extend(number.to_le_bytes());
            args.iter().for_each(|arg| bytes.extend(arg.to_le_bytes()));
        }
        assert!(bytes.len() <= (RW_LEN - 0x1000) as usize, "the script has {} bytes", bytes.len());
        bytes
    }
}
