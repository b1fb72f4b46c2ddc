//! The compiler's real machine code: programs of many small blocks, one per case, compiled through the public interface
//! of `pvm-engine`. The jump table, which contains every block, gives the address of each one's code.

use pvm_engine::{Backend, Config, Engine, Module, ProgramBlob, Sandbox};
use pvm_zygote::protocol::CODE_BASE;
use std::collections::HashSet;
use vm_core::blob::BlobBuilder;
use vm_core::gas::{CostModelKind, Metering};
use vm_core::isa::{Instruction, Isa, Opcode, Reg, assemble};
use vm_core::program::ProgramConfig;

use crate::paths::Image;

/// Length in bytes of each program's read-write data, which begins at [`DATA`].
pub const DATA_LENGTH: u32 = 0x1000;
/// Address of each program's read-write data.
pub const DATA: u32 = 0x2_0000;

/// Length of a call in bytes, which is the length of a stub.
pub const CALL: u64 = 5;

/// Target of a case's last instruction, if it has one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// To a block in front of all cases.
    Back,
    /// To a block behind all cases.
    Forward,
    /// To an instruction that starts no block.
    Invalid,
}

/// Instructions of one block. If the last is no terminator, a trap follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// The instructions.
    pub instructions: Vec<Instruction>,
    /// Target of the last one.
    pub target: Target,
}

impl Case {
    /// Makes a case of one instruction.
    pub fn one(instruction: Instruction, target: Target) -> Case {
        Case { instructions: vec![instruction], target }
    }
}

/// Compilation mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// The instruction set.
    pub isa: Isa,
    /// Whether blocks are charged.
    pub metered: bool,
    /// Whether it stops before every instruction.
    pub steps: bool,
    /// Whether the jump table has an entry that is no valid target.
    pub bad_entry: bool,
    /// Whether block costs are those of the calibrated model, with which branches refund gas; else those of the naive
    /// one.
    pub calibrated: bool,
}

impl Mode {
    /// Metered, without stops, with valid entries only.
    pub const fn plain(isa: Isa) -> Mode {
        Mode { isa, metered: true, steps: false, bad_entry: false, calibrated: false }
    }

    /// Gas that a conditional branch refunds when it goes the likely way.
    pub fn refund(&self) -> u32 {
        if self.metered { self.config().cost_model.branch_refund() } else { 0 }
    }

    /// Returns the configuration of a program.
    pub fn config(&self) -> ProgramConfig {
        ProgramConfig {
            metering: if self.metered { Metering::Sync } else { Metering::Off },
            single_step: self.steps,
            cost_model: if self.calibrated { CostModelKind::CalibratedV1 } else { CostModelKind::Naive },
            ..ProgramConfig::default()
        }
    }
}

/// A compiled program.
pub struct Compiled {
    /// Its compilation mode.
    pub mode: Mode,
    /// Its blob.
    pub blob: Vec<u8>,
    /// Machine code, preceded by the jump table.
    pub image: Vec<u8>,
    /// Entries of the jump table.
    pub entries: u32,
    /// Code offset of each case.
    pub offsets: Vec<u32>,
    /// Native address of each case's block, followed by that of the block behind them.
    pub starts: Vec<u64>,
    /// Cost of each case's block.
    pub costs: Vec<u32>,
    /// Native address of the block before the cases.
    pub back: u64,
    /// Native addresses of all blocks.
    pub blocks: HashSet<u64>,
    stubs: u64,
}

/// Compiles programs.
pub struct Emitter {
    engine: Engine,
}

/// The reason why there is no machine code.
#[derive(Debug)]
pub struct EmitError(pub String);

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn failed(what: impl std::fmt::Display) -> EmitError {
    EmitError(what.to_string())
}

impl Emitter {
    /// Starts the engine.
    ///
    /// # Errors
    /// If programs cannot be compiled on this machine.
    pub fn new() -> Result<Emitter, EmitError> {
        let mut config = Config::new();
        // The proofs are about code, not about the sandbox.
        config.set_backend(Backend::Jit).set_sandbox(Sandbox::BestEffort);
        Ok(Emitter { engine: Engine::new(&config).map_err(failed)? })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a program of these cases.
    ///
    /// # Errors
    /// If the program cannot be written, is refused or cannot be compiled.
    pub fn compile(&self, mode: Mode, cases: &[Case]) -> Result<Compiled, EmitError> {
        let trap = Instruction::none(Opcode::Trap);
        let count: usize = cases.iter().map(|case| case.instructions.len() + 1).sum();
        let mut code = Vec::with_capacity(count + 4);
        // No side is marked as rare, so the likely way of a branch is backwards.
        code.extend([Instruction::ri(Opcode::LoadImm, Reg::A0, 2), trap]);
        let mut at = Vec::with_capacity(cases.len() + 1);
        for case in cases {
            at.push(code.len());
            code.extend(&case.instructions);
            let last = case.instructions.last();
            if !last.is_some_and(|last| last.opcode.spec().ends_block) {
                code.push(trap);
            }
        }
        let behind = code.len();
        at.push(behind);
        code.extend([Instruction::ri(Opcode::LoadImm, Reg::A0, 1), trap]);
        for (case, at) in cases.iter().zip(&at) {
            if let Some(last) = code.get_mut(at + case.instructions.len() - 1).filter(|i| i.format().has_target()) {
                last.target = match case.target {
                    Target::Back => 0,
                    Target::Forward => behind as u32,
                    Target::Invalid => behind as u32 + 1,
                };
            }
        }
        let assembly = assemble(mode.isa, &code).map_err(failed)?;
        let offset = |index: usize| assembly.offsets.get(index).copied().unwrap_or(0);
        let offsets: Vec<u32> = at.iter().map(|at| offset(*at)).collect();
        let mut builder = BlobBuilder::new(mode.isa);
        builder.import(b"host").rw_data(DATA_LENGTH, &[]);
        builder.jump_table_entry(0);
        for offset in &offsets {
            builder.jump_table_entry(*offset);
        }
        if mode.bad_entry {
            builder.jump_table_entry(offset(behind + 1));
        }
        builder.raw_code(assembly.code, assembly.bitmask);
        let blob = builder.build().map_err(failed)?;
        let costs = costs(mode, &blob, &offsets)?;
        let program = ProgramBlob::parse(&blob).map_err(failed)?;
        let module = Module::new(&self.engine, &mode.config(), &program).map_err(failed)?;
        let image = module.machine_code().ok_or_else(|| failed("not compiled"))?.to_vec();
        let entry = |index: usize| {
            let entry = image.get(8 * index..).and_then(|rest| rest.first_chunk::<8>());
            entry.map(|entry| u64::from_le_bytes(*entry)).filter(|entry| *entry >= CODE_BASE)
        };
        let back = entry(0).ok_or_else(|| failed("no entry for the first block"))?;
        let starts: Option<Vec<u64>> = (1..=offsets.len()).map(entry).collect();
        let starts = starts.ok_or_else(|| failed("a block without an entry"))?;
        if mode.bad_entry && entry(offsets.len() + 1).is_some() {
            return Err(failed("an invalid target has an entry"));
        }
        let blocks = starts.iter().copied().chain([back]).collect();
        let stubs = if mode.metered { stubs(mode, &image, &starts)? } else { 0 };
        let entries = offsets.len() as u32 + 1 + u32::from(mode.bad_entry);
        Ok(Compiled { mode, blob, image, entries, offsets, starts, costs, back, blocks, stubs })
    }
}

/// Returns the address of the first stub, from the jump in the last block's charge.
fn stubs(mode: Mode, image: &[u8], starts: &[u64]) -> Result<u64, EmitError> {
    let image = Image { bytes: image, table: 0 };
    let start = starts.last().copied().unwrap_or(0) + if mode.steps { CALL } else { 0 };
    let decode = |ip: u64| image.decode(ip).map_err(failed);
    let jump = decode(decode(start)?.next_ip())?;
    // One block is before the cases, and one behind them.
    let before = starts.len() as u64 * CALL;
    jump.near_branch_target().checked_sub(before).ok_or_else(|| failed("the last block has no charge"))
}

/// Returns the blocks' costs according to the reference model.
fn costs(mode: Mode, blob: &[u8], offsets: &[u32]) -> Result<Vec<u32>, EmitError> {
    let config = pvm_reference::Config {
        page_size: mode.config().page_size,
        aux_size: 0,
        model: match mode.calibrated {
            true => pvm_reference::Model::CalibratedV1,
            false => pvm_reference::Model::Naive,
        },
        metering: pvm_reference::Metering::Sync,
        single_step: mode.steps,
    };
    let mut reference =
        pvm_reference::Interpreter::new(blob, config).map_err(|refused| failed(format!("{refused:?}")))?;
    let costs: Option<Vec<u32>> = offsets.iter().map(|offset| reference.block_cost(*offset)).collect();
    costs.ok_or_else(|| failed("a case that starts no block"))
}

impl Compiled {
    /// The code to decode.
    pub fn image(&self) -> Image<'_> {
        Image { bytes: &self.image, table: u64::from(self.entries.next_power_of_two()) * 8 }
    }

    /// Address of the first routine, which enters guest code: the first cache line behind the jump table.
    pub fn enter(&self) -> u64 {
        CODE_BASE + self.image().table.next_multiple_of(64)
    }

    /// Address of the first block's stub, according to the last block's charge: there is one per block, in order. Zero
    /// without charges.
    pub fn stubs(&self) -> u64 {
        self.stubs
    }

    /// Address range of a case's code, from its first byte to the next block's.
    pub fn extent(&self, case: usize) -> (u64, u64) {
        (self.starts[case], self.starts[case + 1])
    }

    /// Offset in the image of the first instruction of the program.
    pub fn first(&self) -> u64 {
        self.back - CODE_BASE
    }

    /// Bytes between two addresses.
    pub fn bytes(&self, (start, end): (u64, u64)) -> &[u8] {
        self.image.get((start - CODE_BASE) as usize..(end - CODE_BASE) as usize).unwrap_or_default()
    }
}
