//! A second opinion about accepted code, from `iced-x86` alone: follows control from every place where a run can begin, and
//! says whether it can leave the sandbox of guest code. Shares nothing with the verifier but the protocol and the routines'
//! place.

use iced_x86::{
    Code, ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, MemorySize,
    Mnemonic, OpAccess, OpKind, Register,
};
use pvm_zygote::protocol::{CODE_BASE, STACK_TOP};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The image under judgement, and the limits of its control flow.
pub(super) struct Judge<'a> {
    pub image: &'a [u8],
    /// The routines that may be called.
    pub calls: HashSet<u64>,
    /// The routines that do not come back.
    pub traps: HashSet<u64>,
    pub program: Range<u64>,
    /// Entries of the jump table, and those that it has room for.
    pub entries: u32,
    pub room: u32,
    pub metered: bool,
    pub refund: i32,
    /// Addresses at which the host starts runs.
    pub begins: Vec<u64>,
}

/// Abstract state before an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    pushed: u64,
    /// True if every path to here has charged since the last backward jump or change of block.
    charged: bool,
    /// Least gas that this block's charge leaves paid.
    paid: i64,
}

impl Judge<'_> {
    fn decode(&self, at: u64) -> Result<Instruction, String> {
        let bytes = self.image.get(at as usize..).unwrap_or_default();
        let mut decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return Err(format!("{at}: no instruction"));
        }
        Ok(instruction)
    }

    /// Says why the code can leave.
    pub(super) fn judge(&self) -> Result<(), String> {
        let mut seen: HashMap<u64, State> = HashMap::new();
        let fresh = State { pushed: 0, charged: false, paid: 0 };
        let mut open: Vec<(u64, State)> = self.begins.iter().map(|at| (*at, fresh)).collect();
        for index in 0..self.room {
            let entry = self.image.get(8 * index as usize..).and_then(|rest| rest.first_chunk()).unwrap();
            let entry = u64::from_le_bytes(*entry);
            if index >= self.entries && entry != 0 {
                return Err(format!("the table goes on behind its end: {entry:#x}"));
            }
            if entry != 0 {
                open.push((entry.checked_sub(CODE_BASE).ok_or("an entry below the code")?, fresh));
            }
        }
        let mut occupied: HashMap<u64, u64> = HashMap::new();
        while let Some((at, state)) = open.pop() {
            match seen.get(&at) {
                Some(known) if *known == state => continue,
                // Once with less is enough.
                Some(known)
                    if known.pushed == state.pushed && known.charged <= state.charged && known.paid <= state.paid =>
                {
                    continue;
                }
                Some(known) if known.pushed != state.pushed => return Err(format!("{at}: {known:?} and {state:?}")),
                _ => {}
            }
            seen.insert(at, state);
            if !self.program.contains(&at) && !self.is_stub(at) {
                return Err(format!("control leaves at {at}"));
            }
            let instruction = self.decode(at)?;
            for byte in at..instruction.next_ip() {
                if *occupied.entry(byte).or_insert(at) != at {
                    return Err(format!("{at}: instructions overlap"));
                }
            }
            self.step(at, &instruction, state, &mut open)?;
        }
        Ok(())
    }

    /// Stubs are behind the program: calls of routines that do not come back.
    fn is_stub(&self, at: u64) -> bool {
        at >= self.program.end && at < self.image.len() as u64
    }

    fn step(
        &self,
        at: u64,
        instruction: &Instruction,
        state: State,
        open: &mut Vec<(u64, State)>,
    ) -> Result<(), String> {
        let next = instruction.next_ip();
        if self.is_stub(at) {
            let is_exit = instruction.code() == Code::Call_rel32_64
                && self.calls.contains(&instruction.near_branch_target())
                && state.pushed == 0;
            return if is_exit { Ok(()) } else { Err(format!("{at}: not a stub")) };
        }
        self.registers(at, instruction)?;
        match instruction.flow_control() {
            FlowControl::Next => {
                let mut after = state;
                self.plain(at, instruction, &mut after)?;
                open.push((next, after));
            }
            FlowControl::Call => {
                let target = instruction.near_branch_target();
                if instruction.code() != Code::Call_rel32_64 || !self.calls.contains(&target) || state.pushed != 0 {
                    return Err(format!("{at}: a call"));
                }
                if !self.traps.contains(&target) {
                    open.push((next, state));
                }
            }
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                let target = instruction.near_branch_target();
                let is_conditional = instruction.flow_control() == FlowControl::ConditionalBranch;
                if is_conditional && instruction.condition_code() == ConditionCode::None {
                    return Err(format!("{at}: loop or jrcxz"));
                }
                // Within a sequence that pushes it goes on in the same block.
                let there = if state.pushed != 0 { state } else { State { charged: false, paid: 0, ..state } };
                let leaves_for_a_stub = self.is_stub(target);
                if self.metered && state.pushed == 0 && !leaves_for_a_stub {
                    self.is_charge(target)?;
                }
                if target <= at && state.pushed != 0 {
                    return Err(format!("{at}: back without paying"));
                }
                open.push((target, there));
                if is_conditional {
                    open.push((next, state));
                }
            }
            FlowControl::IndirectBranch => self.dynamic_jump(at, instruction, state)?,
            other => return Err(format!("{at}: {other:?}")),
        }
        Ok(())
    }

    /// Requires that a block begins here, perhaps behind a stop of single-step mode, by its charge.
    fn is_charge(&self, at: u64) -> Result<(), String> {
        let mut instruction = self.decode(at)?;
        if instruction.mnemonic() == Mnemonic::Call {
            instruction = self.decode(instruction.next_ip())?;
        }
        let jump = self.decode(instruction.next_ip())?;
        let is_charge = instruction.code() == Code::Sub_rm64_imm32
            && instruction.op0_register() == Register::R15
            && instruction.immediate(1) as i64 > 0
            && jump.condition_code() == ConditionCode::l
            && self.is_stub(jump.near_branch_target());
        if is_charge { Ok(()) } else { Err(format!("{at}: no charge")) }
    }

    /// Stack pointer and gas, and what an instruction may not read or write at all.
    fn registers(&self, at: u64, instruction: &Instruction) -> Result<(), String> {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(instruction);
        let is_stack = matches!(instruction.mnemonic(), Mnemonic::Push | Mnemonic::Pop | Mnemonic::Call);
        for used in info.used_registers() {
            let writes = matches!(
                used.access(),
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            );
            let register = used.register();
            if register.is_segment_register() && writes {
                return Err(format!("{at}: writes {register:?}"));
            }
            if !register.is_gpr() && !register.is_segment_register() {
                return Err(format!("{at}: uses {register:?}"));
            }
            match register.full_register() {
                Register::RSP if writes && !is_stack => return Err(format!("{at}: writes the stack pointer")),
                Register::R15 if writes && !self.is_gas(instruction) => {
                    return Err(format!("{at}: writes the gas"));
                }
                _ => {}
            }
        }
        for memory in info.used_memory() {
            let is_pushed = is_stack && memory.base() == Register::RSP && memory.index() == Register::None;
            let is_confined = memory.address_size() == iced_x86::CodeSize::Code32
                && !matches!(memory.segment(), Register::FS | Register::GS)
                && memory.memory_size() != MemorySize::Unknown
                && memory.memory_size().size() <= 8;
            let is_table = self.is_entry(instruction);
            if !is_pushed && !is_confined && !is_table {
                return Err(format!("{at}: an address {memory:?}"));
            }
        }
        Ok(())
    }

    /// A charge, or gas that a branch gives back.
    fn is_gas(&self, instruction: &Instruction) -> bool {
        match instruction.code() {
            Code::Sub_rm64_imm32 => instruction.immediate(1) as i64 > 0,
            Code::Lea_r64_m => {
                let by = instruction.memory_displacement64() as i64;
                instruction.memory_base() == Register::R15
                    && instruction.memory_index() == Register::None
                    && self.refund != 0
                    && (by == i64::from(self.refund) || by == -i64::from(self.refund))
            }
            _ => false,
        }
    }

    /// An instruction that control goes on behind.
    fn plain(&self, at: u64, instruction: &Instruction, state: &mut State) -> Result<(), String> {
        match instruction.mnemonic() {
            Mnemonic::Push => state.pushed += 8,
            Mnemonic::Pop if state.pushed == 0 => return Err(format!("{at}: pops what is not its own")),
            Mnemonic::Pop => state.pushed -= 8,
            _ => {}
        }
        if instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::R15 {
            match instruction.code() {
                Code::Sub_rm64_imm32 => {
                    state.charged = true;
                    state.paid = instruction.immediate(1) as i64;
                }
                Code::Lea_r64_m => {
                    state.paid -= instruction.memory_displacement64() as i64;
                    if state.paid <= 0 {
                        return Err(format!("{at}: a block for nothing"));
                    }
                }
                _ => {}
            }
        }
        if instruction.is_privileged() || instruction.has_lock_prefix() {
            return Err(format!("{at}: privileged or locked"));
        }
        Ok(())
    }

    /// An operand that is an entry of the jump table.
    fn is_entry(&self, instruction: &Instruction) -> bool {
        instruction.memory_base() == Register::RSP
            && instruction.memory_index() == Register::RDX
            && instruction.memory_index_scale() == 8
            && STACK_TOP.wrapping_add(instruction.memory_displacement64()) == CODE_BASE
    }

    /// A dynamic jump, by the bytes in front of it: the index is masked.
    fn dynamic_jump(&self, at: u64, instruction: &Instruction, state: State) -> Result<(), String> {
        if state.pushed != 0 {
            return Err(format!("{at}: jumps with a full stack"));
        }
        // Which instruction comes before is not to be read from the bytes backwards, so the block is read again.
        let mut before = Vec::new();
        let mut from = self.block_of(at)?;
        while from < at {
            let instruction = self.decode(from)?;
            from = instruction.next_ip();
            before.push(instruction);
        }
        if from != at {
            return Err(format!("{at}: not in line with its block"));
        }
        let masks = |instruction: &Instruction| {
            instruction.mnemonic() == Mnemonic::And
                && instruction.op0_register() == Register::EDX
                && instruction.immediate(1) as u32 == self.room - 1
        };
        let is_masked = match instruction.op0_kind() {
            OpKind::Memory => self.is_entry(instruction) && before.last().is_some_and(masks),
            _ => {
                let [.., mask, load, test, jump] = &before[..] else { return Err(format!("{at}: a jump")) };
                instruction.op0_register() == Register::RDX
                    && masks(mask)
                    && load.code() == Code::Mov_r64_rm64
                    && load.op0_register() == Register::RDX
                    && self.is_entry(load)
                    && test.mnemonic() == Mnemonic::Test
                    && jump.flow_control() == FlowControl::ConditionalBranch
            }
        };
        if is_masked { Ok(()) } else { Err(format!("{at}: a dynamic jump")) }
    }

    /// The last place where a run can begin that is not behind `at`.
    fn block_of(&self, at: u64) -> Result<u64, String> {
        self.begins.iter().copied().filter(|begin| *begin <= at).max().ok_or(format!("{at}: in no block"))
    }
}
