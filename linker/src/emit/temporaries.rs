//! Register allocation for temporaries.
//!
//! A temporary lives for a few operations inside a block. Usually a dead register is available; otherwise a register
//! that the operations do not use is spilled to memory and restored after them.

use crate::elf::SectionKind;
use crate::ir::{Address, Block, BlockId, Data, Imm, IrProgram, Op, Step, Terminator, Val, Var, Vars};
use crate::passes::liveness::Liveness;
use vm_core::isa::Opcode as O;

fn is_temporary(var: Var) -> bool {
    var.reg().is_none()
}

fn touched(op: &Op, program: &IrProgram) -> Vars {
    op.reads(&program.imports).or(op.writes(&program.imports)).or(op.clobbers())
}

/// Replaces all temporaries.
pub fn run(program: &mut IrProgram) {
    let uses = |block: &Block| {
        let all = Vars::all_temporaries();
        let ends = !block.terminator.reads().and(all).is_empty();
        ends || block.steps.iter().any(|step| step.op.dst().is_some_and(is_temporary))
    };
    if !program.blocks.iter().any(uses) {
        return;
    }
    // A function may not clobber a caller-saved register if its callers rely on it being preserved.
    let liveness = Liveness::of(program);
    let mut spill = None;
    for id in program.ids() {
        if uses(program.block(id)) {
            replace(program, id, liveness.live_out(program, id), &mut spill);
        }
    }
}

/// Returns the spill slot of a register; creates the section for spill slots on first use.
fn slot(program: &mut IrProgram, spill: &mut Option<u32>, index: usize) -> Address {
    let section = *spill.get_or_insert_with(|| {
        let size = 8 * Var::COUNT as u64;
        program.data.push(Some(Data {
            kind: SectionKind::Zero,
            align: 8,
            bytes: Vec::new(),
            size,
            fixups: Vec::new(),
        }));
        program.data.len() as u32 - 1
    });
    let offset = 8 * index as i64;
    Address { base: None, offset: Imm::Data { section, part: crate::ir::Part::Full, offset } }
}

fn replace(program: &mut IrProgram, id: BlockId, live_out: Vars, spill: &mut Option<u32>) {
    let steps = std::mem::take(&mut program.block_mut(id).steps);
    let terminator = program.block(id).terminator;
    // Live variables before each step, and finally before the terminator.
    let mut live = vec![Vars::NONE; steps.len() + 1];
    live[steps.len()] = live_out.or(terminator.reads());
    for (index, step) in steps.iter().enumerate().rev() {
        let after = live[index + 1];
        live[index] = after.without(step.op.writes(&program.imports)).or(step.op.reads(&program.imports));
    }
    let temporaries = Vars::all_temporaries();
    let mut out: Vec<Step> = Vec::with_capacity(steps.len());
    let mut index = 0;
    while index < steps.len() {
        let first = steps[index];
        if touched(&first.op, program).and(temporaries).is_empty() {
            out.push(first);
            index += 1;
            continue;
        }
        // The run of steps up to a point where no temporary is live.
        let start = index;
        let mut named = Vars::NONE;
        let mut busy = live[start];
        while index < steps.len() {
            named = named.or(touched(&steps[index].op, program));
            index += 1;
            busy = busy.or(live[index]);
            if live[index].and(temporaries).is_empty() {
                break;
            }
        }
        let to_end = index == steps.len() && !terminator.reads().and(temporaries).is_empty();
        if to_end {
            named = named.or(terminator.reads());
        }
        let after = if to_end { live_out } else { live[index] };
        let mut map = [None; Var::COUNT];
        let mut taken = named;
        let mut saved = Vec::new();
        for temporary in named.and(temporaries).iter() {
            let free = Vars::ALL.without(taken);
            let dead = free.without(busy).without(after).iter().next();
            let Some(reg) = dead.or(free.without(Vars::one(Var::SP)).iter().next()) else { break };
            if dead.is_none() {
                saved.push(reg);
            }
            taken.insert(reg);
            map[temporary.index()] = Some(reg);
        }
        let rename = |var: &mut Var| *var = map[var.index()].unwrap_or(*var);
        let rename_value = |value: &mut Val| {
            if let Val::Var(var) = value {
                rename(var);
            }
        };
        let (load, store) = if program.wide {
            (O::LoadIndirectU64, O::StoreIndirectU64)
        } else {
            (O::LoadIndirectI32, O::StoreIndirectU32)
        };
        for reg in &saved {
            let address = slot(program, spill, reg.index());
            out.push(Step { op: Op::Store { op: store, value: (*reg).into(), address }, at: first.at });
        }
        for step in &steps[start..index] {
            let mut op = step.op;
            op.values_mut().for_each(rename_value);
            op.vars_mut().for_each(rename);
            op.dst_mut().into_iter().for_each(rename);
            out.push(Step { op, at: step.at });
        }
        let restore: Vec<Step> = saved
            .iter()
            .map(|reg| Step {
                op: Op::Load { op: load, dst: *reg, address: slot(program, spill, reg.index()) },
                at: first.at,
            })
            .collect();
        if to_end {
            let mut terminator = terminator;
            terminator.values_mut().for_each(rename_value);
            // After a branch there are two places to restore at.
            if !restore.is_empty() {
                terminator.retarget(|target| {
                    let id = program.add(Block::new(restore.clone(), Terminator::Jump(target), first.at));
                    program.order.push(id);
                    id
                });
            }
            program.block_mut(id).terminator = terminator;
        } else {
            out.extend(restore);
        }
    }
    program.block_mut(id).steps = out;
}
