//! Lifter: translates RISC-V machine code to the graph.
//!
//! Code is discovered from the exports along jumps, calls, and pointers in referenced data; unreachable functions and
//! data are never lifted. Pairs of instructions that form an address are combined by their relocations: `auipc` becomes
//! the whole address and its partner adds nothing. Instructions that the VM lacks are expanded
//! (docs/linking.md#input-files).

mod expand;

use super::{Address, Block, BlockId, Data, Fixup, Imm, IrProgram, Op, Origin, Part, Step, Terminator, Val, Var, Vars};
use crate::LinkError;
use crate::elf::{
    CodeRelocation, DataRelocation, DataValue, Export, Field, Image, Import, Link, SectionKind, SectionOffset,
};
use crate::hash::Map;
use crate::riscv::{self, Condition, Inst};
use vm_core::isa::{Opcode as O, Reg};

/// Maximum number of instructions, and of bytes of data, that are lifted. No blob holds more
/// (docs/spec/blobs.md#the-code-section).
const CODE_LIMIT: usize = 32 << 20;

/// The graph, with further information about its blocks.
pub struct Lifted {
    /// The graph.
    pub program: IrProgram,
    /// Function of each block, and true if it begins there; `None` if the file does not say.
    pub functions: Vec<Option<(u32, bool)>>,
    /// Blocks that begin functions marked as having a calling convention of their own.
    pub variants: Vec<BlockId>,
}

/// A position in no section: a jump there traps.
const NOWHERE: SectionOffset = SectionOffset { section: 0, offset: 0 };

/// A lifted instruction.
struct Instruction {
    steps: Vec<Op>,
    /// Terminator, if the instruction ends its block.
    terminator: Option<Terminator>,
    /// Position of the next instruction.
    next: SectionOffset,
}

struct Lifter<'a> {
    image: &'a Image,
    program: IrProgram,
    /// Blocks by their positions.
    blocks: Map<SectionOffset, BlockId>,
    /// Positions of blocks, by id.
    places: Vec<SectionOffset>,
    /// Worklist of blocks.
    pending: Vec<BlockId>,
    lifted: Map<SectionOffset, Instruction>,
    /// Worklist of data sections.
    pending_data: Vec<u32>,
    /// Host functions by the positions of their records.
    imports: Map<SectionOffset, u32>,
}

/// Builds the graph of everything that the exports reach.
///
/// # Errors
/// If a part of it cannot be linked.
pub fn lift(image: &Image, exports: &[Export]) -> Result<Lifted, LinkError> {
    let program = IrProgram {
        wide: image.wide,
        data: vec![None; image.sections.len()],
        min_stack_size: image.min_stack_size,
        ..IrProgram::default()
    };
    let mut lifter = Lifter {
        image,
        program,
        blocks: Map::default(),
        places: Vec::new(),
        pending: Vec::new(),
        lifted: Map::default(),
        pending_data: Vec::new(),
        imports: Map::default(),
    };
    for export in exports {
        let block = lifter.block(export.place)?;
        // The first result is kept even for functions declared without results: it costs little, and is useful in
        // debugging.
        let results = if export.outputs >= 2 { Vars::RESULTS } else { Vars::one(Var::A0) };
        lifter.program.exports.push((export.symbol.clone(), block, results));
    }
    lifter.follow_all()?;
    let constructors_done = lifter.constructors()?;
    let mut lifted = lifter.finish()?;
    if let Some(done) = constructors_done {
        super::constructors::call(&mut lifted.program, done);
        lifted.functions.resize(lifted.program.blocks.len(), None);
    }
    Ok(lifted)
}

impl Lifter<'_> {
    fn error(&self, place: SectionOffset, what: impl Into<String>) -> LinkError {
        LinkError::Code { place: self.image.describe(place), what: what.into() }
    }

    /// Processes the worklists until they are empty.
    fn follow_all(&mut self) -> Result<(), LinkError> {
        loop {
            if let Some(block) = self.pending.pop() {
                self.follow(block)?;
            } else if let Some(section) = self.pending_data.pop() {
                self.data(section)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Lifts the static constructors, unless the program calls them itself. Returns the variable that records whether
    /// they have run.
    fn constructors(&mut self) -> Result<Option<Imm>, LinkError> {
        let image = self.image;
        let Some(done) = image.constructors_done() else { return Ok(None) };
        // Code that refers to these sections is startup code, which calls the functions.
        if image.constructors().any(|(section, _)| self.program.data[section as usize].is_some()) {
            return Ok(None);
        }
        for (section, link) in image.constructors() {
            let place = self.code_place(SectionOffset { section, offset: 0 }, link)?;
            let block = self.block(place)?;
            self.program.constructors.push(block);
        }
        let done = self.address(done, &Link::Defined(done), Part::Full)?;
        self.follow_all()?;
        Ok(Some(done))
    }

    /// Returns the block that begins at a position of code.
    fn block(&mut self, place: SectionOffset) -> Result<BlockId, LinkError> {
        if let Some(block) = self.blocks.get(&place) {
            return Ok(*block);
        }
        let section = self.image.section(place.section);
        if section.kind != SectionKind::Code && place != NOWHERE {
            return Err(self.error(place, "jumps to, or is exported as, what is no code"));
        }
        // The end of a section is valid and traps: a call that does not return may come before it.
        if place.offset < 0 || place.offset as u64 > section.data.len() as u64 || place.offset % 2 != 0 {
            return Err(self.error(place, format!("a target outside of the section's {} bytes", section.data.len())));
        }
        let id = BlockId(self.places.len() as u32);
        self.places.push(place);
        self.blocks.insert(place, id);
        self.pending.push(id);
        Ok(id)
    }

    /// Returns the constant for the address of a link.
    fn address(&mut self, at: SectionOffset, link: &Link, part: Part) -> Result<Imm, LinkError> {
        match link {
            Link::Undefined(name) => Err(self.error(at, format!("undefined symbol `{name}`"))),
            Link::Refused(why) => Err(self.error(at, why)),
            Link::Absolute(value) => Ok(match part {
                Part::Full => Imm::Num(*value),
                Part::High => Imm::Num(high(*value)),
                Part::Low => Imm::Num(value.wrapping_sub(high(*value))),
            }),
            Link::Defined(place) => {
                let section = self.image.section(place.section);
                match section.kind {
                    SectionKind::Code => Ok(Imm::Code { block: self.block(*place)?, part }),
                    kind if kind.is_data() => {
                        self.need_data(place.section);
                        Ok(Imm::Data { section: place.section, part, offset: place.offset })
                    }
                    _ => {
                        let what = format!("the address of `{}`, which is not in the program's memory", section.name);
                        Err(self.error(at, what))
                    }
                }
            }
        }
    }

    fn need_data(&mut self, index: u32) {
        let slot = &mut self.program.data[index as usize];
        if slot.is_none() {
            let section = self.image.section(index);
            *slot = Some(Data {
                kind: section.kind,
                align: section.align,
                bytes: section.data.clone(),
                size: section.size,
                fixups: Vec::new(),
            });
            self.pending_data.push(index);
        }
    }

    /// Adds the relocations of a section of data.
    fn data(&mut self, index: u32) -> Result<(), LinkError> {
        let section = self.image.section(index);
        let mut fixups = Vec::new();
        for relocation in section.relocations.data() {
            let at = SectionOffset { section: index, offset: relocation.offset as i64 };
            let end = relocation.offset.saturating_add(relocation.field.length().into());
            if end > section.data.len() as u64 {
                return Err(self.error(at, "a relocation outside of the section"));
            }
            let value = self.sum(at, relocation)?;
            fixups.push(Fixup { offset: relocation.offset, field: relocation.field, value });
        }
        if let Some(data) = &mut self.program.data[index as usize] {
            data.fixups = fixups;
        }
        Ok(())
    }

    /// Computes the value of a data relocation at `at`: an address, a number, or the distance of two addresses.
    ///
    /// Sections move as a whole, so distances within one are numbers. Distances that involve code are computed from
    /// code's addresses in the VM, so that adding one to the other address gives the first.
    fn sum(&mut self, at: SectionOffset, relocation: &DataRelocation) -> Result<(Imm, Option<Imm>), LinkError> {
        let (plus, minus, mut constant) = match &relocation.value {
            DataValue::Sum { plus, minus, constant } => (plus, minus, *constant),
            DataValue::Refused(why) => return Err(self.error(at, format!("unsupported relocation: {why}"))),
        };
        let is_difference = !minus.is_empty();
        // The relocation's own position is only subtracted, so it makes nothing reachable.
        let mut addresses = |lifter: &mut Self, links: &[Link], sign: i64| {
            let mut out = Vec::new();
            for link in links {
                match lifter.address(at, link, Part::Full)? {
                    Imm::Num(value) => constant = constant.wrapping_add(value.wrapping_mul(sign)),
                    other => out.push(other),
                }
            }
            Ok::<_, LinkError>(out)
        };
        let (mut plus, mut minus) = (addresses(self, plus, 1)?, addresses(self, minus, -1)?);
        plus.retain(|one| {
            let Imm::Data { section, offset, .. } = *one else { return true };
            let same = |other: &Imm| matches!(other, Imm::Data { section: its, .. } if *its == section);
            let Some(index) = minus.iter().position(same) else { return true };
            if let Imm::Data { offset: other, .. } = minus.swap_remove(index) {
                constant = constant.wrapping_add(offset.wrapping_sub(other));
            }
            false
        });
        let complex = || self.error(at, "a sum of several addresses");
        let value = match (&plus[..], &minus[..]) {
            ([], []) => (Imm::Num(constant), None),
            ([], [minus]) => (Imm::Num(constant), Some(*minus)),
            ([plus], minus) if minus.len() <= 1 => {
                let plus = match (constant, *plus) {
                    (0, plus) => plus,
                    (constant, Imm::Data { section, part, offset }) => {
                        Imm::Data { section, part, offset: offset.wrapping_add(constant) }
                    }
                    _ => return Err(self.error(at, "a number is added to an address of code")),
                };
                (plus, minus.first().copied())
            }
            _ => return Err(complex()),
        };
        let is_code = |imm: Imm| matches!(imm, Imm::Code { .. });
        if matches!(relocation.field, Field::Bytes(1 | 2)) && !is_difference && is_code(value.0) {
            return Err(self.error(at, "the address of code in fewer than 4 bytes"));
        }
        Ok(value)
    }

    /// Lifts a block from its start, until its end or an instruction that is lifted already.
    fn follow(&mut self, block: BlockId) -> Result<(), LinkError> {
        let mut place = self.places[block.0 as usize];
        while !self.lifted.contains_key(&place) {
            if self.lifted.len() >= CODE_LIMIT {
                return Err(self.error(place, format!("over {CODE_LIMIT} instructions")));
            }
            let lifted = self.instruction(place)?;
            let (ends, next) = (lifted.terminator.is_some(), lifted.next);
            self.lifted.insert(place, lifted);
            if ends {
                break;
            }
            place = next;
        }
        Ok(())
    }

    fn word(&self, place: SectionOffset) -> Result<u32, LinkError> {
        let data = &self.image.section(place.section).data;
        let rest = usize::try_from(place.offset).ok().and_then(|offset| data.get(offset..)).unwrap_or_default();
        let mut bytes = [0; 4];
        let count = rest.len().min(4);
        bytes[..count].copy_from_slice(&rest[..count]);
        let word = u32::from_le_bytes(bytes);
        if count < 2 || count < 4 && word & 3 == 3 {
            return Err(self.error(place, "code runs off the terminator of its section"));
        }
        Ok(word)
    }

    /// Refuses a linked file without relocations, in which addresses cannot be distinguished from numbers.
    fn check_relocated(&self, at: SectionOffset, what: &str) -> Result<(), LinkError> {
        match self.image.has_lost_relocations() {
            true => {
                Err(self.error(at, format!("{what} in a linked file without relocations (link with --emit-relocs)")))
            }
            false => Ok(()),
        }
    }

    /// Decodes the next instruction, with its length.
    fn decode(&self, place: SectionOffset) -> Result<(Inst, u32), LinkError> {
        riscv::decode(self.word(place)?, self.image.wide).map_err(|error| self.error(place, error.to_string()))
    }

    fn relocation(&self, place: SectionOffset) -> Option<CodeRelocation> {
        self.image.section(place.section).relocations.code(u64::try_from(place.offset).ok()?).cloned()
    }

    /// Returns the upper part that the relocation of a lower part refers to.
    fn upper(&self, at: SectionOffset, low: &Link) -> Result<CodeRelocation, LinkError> {
        match low {
            Link::Defined(place) => match self.relocation(*place) {
                Some(found @ (CodeRelocation::PcrelHigh(_) | CodeRelocation::GotHigh(_))) => Ok(found),
                Some(CodeRelocation::Refused(why)) => Err(self.unsupported(at, &CodeRelocation::Refused(why))),
                _ => Err(self.error(at, "the lower part of an address whose upper part cannot be found")),
            },
            _ => Err(self.error(at, "the lower part of an address of nowhere")),
        }
    }

    /// Resolves the target of a relative jump.
    fn target(
        &mut self,
        at: SectionOffset,
        relocation: &Option<CodeRelocation>,
        offset: i32,
    ) -> Result<BlockId, LinkError> {
        let place = match relocation {
            None => self.resolve(at, offset.into())?,
            Some(CodeRelocation::Target(link) | CodeRelocation::Call(link)) => self.code_place(at, link)?,
            Some(other) => return Err(self.unsupported(at, other)),
        };
        self.block(place)
    }

    /// Makes the error for a relocation that is invalid for its instruction, or unsupported.
    fn unsupported(&self, at: SectionOffset, relocation: &CodeRelocation) -> LinkError {
        let what = match relocation {
            CodeRelocation::Refused(why) => why.clone(),
            CodeRelocation::Call(_) => "of a call, at another instruction than auipc".into(),
            CodeRelocation::PcrelHigh(_) | CodeRelocation::GotHigh(_) | CodeRelocation::High(_) => {
                "of the upper part of an address, at another instruction than lui or auipc".into()
            }
            CodeRelocation::PcrelLow(_) | CodeRelocation::Low(_) => {
                "of the lower part of an address, at an instruction that takes none".into()
            }
            CodeRelocation::Target(_) => "of a jump, at an instruction that does not jump".into(),
            CodeRelocation::Pointer(_) => "of a pointer, at an instruction".into(),
        };
        self.error(at, format!("unsupported relocation: {what}"))
    }

    fn code_place(&self, at: SectionOffset, link: &Link) -> Result<SectionOffset, LinkError> {
        match link {
            Link::Defined(place) => Ok(*place),
            Link::Undefined(name) => Err(self.error(at, format!("undefined symbol `{name}`"))),
            Link::Refused(why) => Err(self.error(at, why)),
            // The address of an undefined weak symbol. A jump there traps, however the address is formed.
            Link::Absolute(0) => Ok(NOWHERE),
            Link::Absolute(value) => Err(self.error(at, format!("a jump to the absolute address {value:#x}"))),
        }
    }

    /// Returns the position `distance` bytes from another one. In linked files it may be in another section.
    fn resolve(&self, at: SectionOffset, distance: i64) -> Result<SectionOffset, LinkError> {
        let place = SectionOffset { offset: at.offset.wrapping_add(distance), ..at };
        let own = self.image.section(at.section);
        if place.offset >= 0 && (place.offset as u64) < own.size {
            return Ok(place);
        }
        let address = own.address.wrapping_add(place.offset as u64);
        let holds = |section: &crate::elf::Section| {
            section.kind != SectionKind::Ignored && address.wrapping_sub(section.address) < section.size
        };
        match self.image.sections.iter().position(holds) {
            Some(index) if self.image.linked => Ok(SectionOffset {
                section: index as u32,
                offset: address.wrapping_sub(self.image.section(index as u32).address) as i64,
            }),
            _ => Err(self.error(at, format!("a jump by {distance:+#x}, out of the section"))),
        }
    }

    /// Lifts one instruction, or a call as a pair of instructions.
    fn instruction(&mut self, at: SectionOffset) -> Result<Instruction, LinkError> {
        if at == NOWHERE || at.offset == self.image.section(at.section).data.len() as i64 {
            return Ok(Instruction { steps: Vec::new(), terminator: Some(Terminator::Trap), next: at });
        }
        let (inst, length) = self.decode(at)?;
        let relocation = self.relocation(at);
        let next = SectionOffset { offset: at.offset + i64::from(length), ..at };
        let mut out = Instruction { steps: Vec::new(), terminator: None, next };
        let ops = &mut out.steps;
        let wide = self.image.wide;
        let add = if wide { O::Add64 } else { O::Add32 };
        match inst {
            Inst::Lui { rd, imm } => {
                let value = match &relocation {
                    None => {
                        self.check_relocated(at, "lui")?;
                        Imm::Num(imm.into())
                    }
                    Some(CodeRelocation::High(link)) => self.address(at, link, Part::High)?,
                    Some(other) => return Err(self.unsupported(at, other)),
                };
                ops.extend(rd.map(|rd| Op::Const { dst: Var::of(rd), value }));
            }
            Inst::Auipc { rd, imm } => return self.auipc(at, next, rd, imm, relocation),
            Inst::Jal { rd, offset } => {
                let target = self.target(at, &relocation, offset)?;
                out.terminator = Some(self.jump_or_call(rd, target, next)?);
            }
            Inst::Jalr { rd, rs1, offset } => {
                if let Some(CodeRelocation::Low(link)) = &relocation {
                    let place = self.code_place(at, link)?;
                    let target = self.block(place)?;
                    out.terminator = Some(self.jump_or_call(rd, target, next)?);
                    return Ok(out);
                }
                if let Some(CodeRelocation::PcrelLow(low)) = &relocation {
                    self.upper(at, low)?;
                } else if offset != 0 {
                    return Err(self.error(
                        at,
                        format!("an indirect jump with offset {offset}: code has no addresses between its blocks"),
                    ));
                }
                let Some(base) = rs1.map(Var::of) else {
                    return Err(self.error(at, "an indirect jump through x0"));
                };
                out.terminator = Some(match rd {
                    None => Terminator::JumpIndirect { base },
                    Some(link) => Terminator::CallIndirect { link: Var::of(link), base, back: self.block(next)? },
                });
            }
            Inst::Branch { condition, rs1, rs2, offset } => {
                let then = self.target(at, &relocation, offset)?;
                let otherwise = self.block(next)?;
                let op = match condition {
                    Condition::Equal => O::BranchEq,
                    Condition::NotEqual => O::BranchNotEq,
                    Condition::Less => O::BranchLessSigned,
                    Condition::GreaterOrEqual => O::BranchGreaterOrEqualSigned,
                    Condition::LessUnsigned => O::BranchLessUnsigned,
                    Condition::GreaterOrEqualUnsigned => O::BranchGreaterOrEqualUnsigned,
                };
                out.terminator = Some(Terminator::Branch { op, a: val(rs1), b: val(rs2), then, otherwise });
            }
            Inst::Load { op, rd, rs1, offset } => {
                let is_pointer = op == if wide { O::LoadIndirectU64 } else { O::LoadIndirectI32 };
                if let Some(CodeRelocation::PcrelLow(low)) = &relocation
                    && is_pointer
                    && let CodeRelocation::GotHigh(link) = self.upper(at, low)?
                {
                    // No GOT is needed: the pointer's value is known.
                    let value = self.address(at, &link, Part::Full)?;
                    ops.extend(rd.map(|rd| Op::Const { dst: Var::of(rd), value }));
                    return Ok(out);
                }
                match (rd, self.memory(at, rs1, offset, &relocation)?) {
                    (Some(rd), Some(address)) => ops.push(Op::Load { op, dst: Var::of(rd), address }),
                    // Loads into x0 have no effect.
                    (None, Some(_)) => {}
                    (_, None) => out.terminator = Some(Terminator::Trap),
                }
            }
            Inst::Store { op, rs1, rs2, offset } => match self.memory(at, rs1, offset, &relocation)? {
                Some(address) => ops.push(Op::Store { op, value: val(rs2), address }),
                None => out.terminator = Some(Terminator::Trap),
            },
            Inst::OpImm { op, rd, rs1, imm } => {
                let Some(dst) = rd.map(Var::of) else { return Ok(out) };
                let value = match &relocation {
                    None => Imm::Num(imm.into()),
                    // The instruction for an upper part of 0 may have been relaxed away; our address may differ.
                    Some(CodeRelocation::Low(link)) if rs1.is_none() => self.address(at, link, Part::Full)?,
                    Some(CodeRelocation::Low(link)) => self.address(at, link, Part::Low)?,
                    Some(CodeRelocation::PcrelLow(low)) => match self.upper(at, low)? {
                        CodeRelocation::GotHigh(_) => {
                            return Err(self.error(at, "the address of a pointer in the global offset table"));
                        }
                        _ => Imm::ZERO,
                    },
                    Some(other) => return Err(self.unsupported(at, other)),
                };
                ops.push(match (rs1, value) {
                    (None, value) if op == add => Op::Const { dst, value },
                    (Some(rs1), Imm::Num(0)) if op == add => Op::Move { dst, src: Var::of(rs1) },
                    _ => Op::Binary { op, dst, a: val(rs1), b: value.into() },
                });
            }
            Inst::Op { op, rd, rs1, rs2 } => {
                let Some(dst) = rd.map(Var::of) else { return Ok(out) };
                ops.push(match (rs1, rs2) {
                    (None, Some(src)) | (Some(src), None) if op == add => Op::Move { dst, src: Var::of(src) },
                    _ => Op::Binary { op, dst, a: val(rs1), b: val(rs2) },
                });
            }
            Inst::Fence => {}
            Inst::Trap => out.terminator = Some(Terminator::Trap),
            Inst::HostCall => {
                let size = if wide { 8 } else { 4 };
                let record = match self.relocation(next) {
                    Some(CodeRelocation::Pointer(link) | CodeRelocation::PcrelHigh(link)) => {
                        self.code_place(next, &link)?
                    }
                    _ => return Err(self.error(next, "a host call without a pointer to its metadata")),
                };
                out.next.offset += size;
                ops.push(Op::HostCall { import: self.import(record)? });
            }
            Inst::HeapBase { rd } => ops.extend(rd.map(|rd| Op::Const { dst: Var::of(rd), value: Imm::HeapBase })),
            _ => self.expand(inst, ops),
        }
        Ok(out)
    }

    fn jump_or_call(&mut self, rd: Option<Reg>, target: BlockId, next: SectionOffset) -> Result<Terminator, LinkError> {
        Ok(match rd {
            None => Terminator::Jump(target),
            Some(link) => Terminator::Call { link: Var::of(link), target, back: self.block(next)? },
        })
    }

    /// Lifts `auipc`, alone or as the first of a pair that calls.
    fn auipc(
        &mut self,
        at: SectionOffset,
        next: SectionOffset,
        rd: Option<Reg>,
        imm: i32,
        relocation: Option<CodeRelocation>,
    ) -> Result<Instruction, LinkError> {
        let mut out = Instruction { steps: Vec::new(), terminator: None, next };
        match &relocation {
            Some(CodeRelocation::Call(link)) => {
                let place = self.code_place(at, link)?;
                let target = self.block(place)?;
                match self.decode(next)? {
                    (Inst::Jalr { rd: link, rs1: Some(rs1), .. }, length) if Some(rs1) == rd => {
                        out.next.offset += i64::from(length);
                        out.terminator = Some(self.jump_or_call(link, target, out.next)?);
                    }
                    _ => return Err(self.error(at, "the first half of a call without the second")),
                }
            }
            Some(CodeRelocation::PcrelHigh(link)) => {
                let value = self.address(at, link, Part::Full)?;
                out.steps.extend(rd.map(|rd| Op::Const { dst: Var::of(rd), value }));
            }
            // The matching load already has the value.
            Some(CodeRelocation::GotHigh(_)) => {}
            None => {
                // Without a relocation the distance is final. It must be clear what it refers to.
                let (second, length) = self.decode(next)?;
                let (link, offset, is_jump) = match second {
                    Inst::Jalr { rd: link, rs1, offset } if rs1 == rd => (link, offset, true),
                    Inst::OpImm { op: O::Add64 | O::Add32, rd: to, rs1, imm } if rs1 == rd && to == rd => {
                        (to, imm, false)
                    }
                    _ => return Err(self.error(at, "auipc without a relocation (link with --emit-relocs)")),
                };
                let place = self.resolve(at, i64::from(imm).wrapping_add(offset.into()))?;
                out.next.offset += i64::from(length);
                if is_jump {
                    let target = self.block(place)?;
                    out.terminator = Some(self.jump_or_call(link, target, out.next)?);
                } else {
                    let value = self.address(at, &Link::Defined(place), Part::Full)?;
                    out.steps.extend(link.map(|dst| Op::Const { dst: Var::of(dst), value }));
                }
            }
            Some(other) => return Err(self.unsupported(at, other)),
        }
        Ok(out)
    }

    /// Resolves the address of a load or store; `None` if it always traps.
    fn memory(
        &mut self,
        at: SectionOffset,
        rs1: Option<Reg>,
        offset: i32,
        relocation: &Option<CodeRelocation>,
    ) -> Result<Option<Address>, LinkError> {
        let base = rs1.map(Var::of);
        let offset = match relocation {
            // Twelve bits only reach memory that is never accessible (docs/spec/memory.md#layout).
            None if base.is_none() => return Ok(None),
            None => Imm::Num(offset.into()),
            Some(CodeRelocation::PcrelLow(low)) => match self.upper(at, low)? {
                CodeRelocation::GotHigh(_) => {
                    return Err(self.error(at, "something else than loading a pointer from the global offset table"));
                }
                _ => Imm::ZERO,
            },
            Some(CodeRelocation::Low(link)) if base.is_none() => self.address(at, link, Part::Full)?,
            Some(CodeRelocation::Low(link)) => self.address(at, link, Part::Low)?,
            Some(other) => return Err(self.unsupported(at, other)),
        };
        Ok(Some(Address { base, offset }))
    }

    /// Returns the number of a host function.
    fn import(&mut self, record: SectionOffset) -> Result<u32, LinkError> {
        if let Some(index) = self.imports.get(&record) {
            return Ok(*index);
        }
        let import = self.image.import(record)?;
        let same =
            |other: &&Import| other.symbol == import.symbol || import.index.is_some() && other.index == import.index;
        if let Some(other) = self.program.imports.iter().find(same)
            && *other != import
        {
            return Err(self.error(
                record,
                format!(
                    "two host functions `{}` that differ in their arguments, results or number",
                    String::from_utf8_lossy(&import.symbol)
                ),
            ));
        }
        let found = self.program.imports.iter().position(|other| *other == import);
        let index = found.unwrap_or_else(|| {
            self.program.imports.push(import);
            self.program.imports.len() - 1
        }) as u32;
        self.imports.insert(record, index);
        Ok(index)
    }

    /// Assembles the blocks, in the order of the file.
    fn finish(mut self) -> Result<Lifted, LinkError> {
        let mut order: Vec<BlockId> = (0..self.places.len() as u32).map(BlockId).collect();
        order.sort_by_key(|id| self.places[id.0 as usize]);
        let mut renumbered = vec![BlockId(0); order.len()];
        for (new, old) in order.iter().enumerate() {
            renumbered[old.0 as usize] = BlockId(new as u32);
        }
        let (mut functions, mut variants) = (Vec::new(), Vec::new());
        for (new, old) in order.iter().enumerate() {
            let mut place = self.places[old.0 as usize];
            let around = self.image.function_around(place);
            let starts = |index: usize| self.image.symbols[index].place == place;
            functions.push(around.map(|index| (index as u32, starts(index))));
            if around.is_some_and(|index| starts(index) && self.image.symbols[index].is_variant) {
                variants.push(BlockId(new as u32));
            }
            let mut steps = Vec::new();
            let (terminator, at) = loop {
                let origin = Origin { section: place.section, offset: place.offset as u32 };
                let Some(lifted) = self.lifted.get(&place) else {
                    return Err(self.error(place, "code was not followed, which is a fault of the linker"));
                };
                steps.extend(lifted.steps.iter().map(|op| Step { op: *op, at: origin }));
                if let Some(terminator) = lifted.terminator {
                    break (terminator, origin);
                }
                place = lifted.next;
                if let Some(next) = self.blocks.get(&place) {
                    break (Terminator::Jump(*next), origin);
                }
            };
            self.program.blocks.push(Block::new(steps, terminator, at));
        }
        self.program.retarget(|id| renumbered[id.0 as usize]);
        Ok(Lifted { program: self.program, functions, variants })
    }
}

/// Upper part of an address for `lui`, adjusted for the sign of the lower part.
pub(crate) const fn high(value: i64) -> i64 {
    (value.wrapping_add(0x800) >> 12 << 12) as i32 as i64
}

fn val(operand: Option<Reg>) -> Val {
    operand.map_or(Val::Imm(Imm::ZERO), |reg| Val::Var(Var::of(reg)))
}
