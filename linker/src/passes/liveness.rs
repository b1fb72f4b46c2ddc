//! Liveness analysis of registers.
//!
//! A backward analysis over the whole program, for other passes: at a call those registers are live that the called
//! function reads, and those that the code after the call reads and the call does not overwrite. At a return all
//! registers count as live, so that a pass which writes to a dead register need not rely on the calling convention.

use crate::ir::{BlockId, Imm, IrProgram, Terminator, Var, Vars};

/// The registers that are live at the start of each block.
pub struct Liveness {
    live_in: Vec<Vars>,
}

impl Liveness {
    /// Analyses a program.
    pub fn of(program: &IrProgram) -> Liveness {
        let count = program.blocks.len();
        let mut liveness = Liveness { live_in: vec![Vars::NONE; count] };
        let mut reads = Vec::with_capacity(count);
        let mut writes = Vec::with_capacity(count);
        let predecessors = program.predecessors();
        for id in program.ids() {
            let block = program.block(id);
            let (mut read, mut written) = (Vars::NONE, Vars::NONE);
            for step in &block.steps {
                read = read.or(step.op.reads(&program.imports).without(written));
                written = written.or(step.op.writes(&program.imports));
            }
            reads.push(read.or(block.terminator.reads().without(written)));
            writes.push(written);
        }
        let mut pending: Vec<BlockId> = program.ids().collect();
        let mut queued = vec![true; count];
        while let Some(id) = pending.pop() {
            let at = id.0 as usize;
            queued[at] = false;
            let out = liveness.live_out(program, id);
            let live = reads[at].or(out.without(writes[at]));
            if live != liveness.live_in[at] {
                liveness.live_in[at] = live;
                for predecessor in &predecessors[at] {
                    if !std::mem::replace(&mut queued[predecessor.0 as usize], true) {
                        pending.push(*predecessor);
                    }
                }
            }
        }
        liveness
    }

    /// Variables that are live after a block's terminator, without those that the terminator itself reads.
    pub fn live_out(&self, program: &IrProgram, id: BlockId) -> Vars {
        let of = |id: BlockId| self.live_in[id.0 as usize];
        match program.block(id).terminator {
            Terminator::Jump(target) => of(target),
            Terminator::Branch { then, otherwise, .. } => of(then).or(of(otherwise)),
            Terminator::Call { link, target, back } if link == Var::RA => {
                of(target).or(of(back)).without(Vars::one(link))
            }
            // Another link register means another convention.
            Terminator::Call { .. } | Terminator::CallIndirect { .. } | Terminator::JumpIndirect { .. } => Vars::ALL,
            Terminator::Trap => Vars::NONE,
        }
    }
}

/// Reachable blocks and data sections, by index.
pub struct Reachable {
    /// Reachable blocks.
    pub blocks: Vec<bool>,
    /// Blocks whose address is taken, to which indirect jumps can go.
    pub addressed: Vec<bool>,
    /// Reachable data sections.
    pub data: Vec<bool>,
}

impl Reachable {
    /// Follows all references from the exports.
    pub fn of(program: &IrProgram) -> Reachable {
        let mut out = Reachable {
            blocks: vec![false; program.blocks.len()],
            addressed: vec![false; program.blocks.len()],
            data: vec![false; program.data.len()],
        };
        let mut pending: Vec<Node> = program.exports.iter().map(|(_, block, _)| Node::Block(*block)).collect();
        while let Some(node) = pending.pop() {
            match node {
                Node::Block(id) => {
                    if std::mem::replace(&mut out.blocks[id.0 as usize], true) {
                        continue;
                    }
                    let block = program.block(id);
                    pending.extend(block.terminator.targets().map(Node::Block));
                    // Few operations have symbols; the others are skipped quickly.
                    for step in &block.steps {
                        if step.op.may_have_symbols() {
                            step.op.constants().for_each(|imm| out.note(imm, &mut pending));
                        }
                    }
                    block.terminator.constants().for_each(|imm| out.note(imm, &mut pending));
                }
                Node::Data(section) => {
                    if std::mem::replace(&mut out.data[section as usize], true) {
                        continue;
                    }
                    let fixups = program.data[section as usize].iter().flat_map(|data| &data.fixups);
                    for fixup in fixups {
                        out.note(fixup.value.0, &mut pending);
                        fixup.value.1.into_iter().for_each(|imm| out.note(imm, &mut pending));
                    }
                }
            }
        }
        out
    }

    fn note(&mut self, imm: Imm, pending: &mut Vec<Node>) {
        match imm {
            Imm::Code { block, .. } => {
                self.addressed[block.0 as usize] = true;
                pending.push(Node::Block(block));
            }
            Imm::Data { section, .. } => pending.push(Node::Data(section)),
            Imm::Num(_) | Imm::HeapBase => {}
        }
    }
}

enum Node {
    Block(BlockId),
    Data(u32),
}
