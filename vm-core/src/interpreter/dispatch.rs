//! Op dispatch: threaded code and a loop around a match, with the same results.
//!
//! *Threaded*: every kind of op has a handler that ends with a tail call of the next op's handler. An optimising
//! compiler turns such calls into jumps, and a processor predicts many jumps better than the one jump of a loop. The
//! language does not guarantee this, so the depth is bounded: after some ops the handlers return to a trampoline, which
//! continues. *Looped*: a loop around one match, for targets without such jumps (WebAssembly).

use super::execute::Execute;
use super::op::Op;
use super::op_table::{HANDLERS, execute};
use super::run_state::{Flow, RunState, Stop};

/// Dispatch technique of the interpreter. Affects speed only; all results are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dispatch {
    /// Threaded code: each op's handler ends by jumping to the next one's. Needs up to a few hundred stack frames in
    /// unoptimised builds. The default except in WebAssembly.
    Threaded,
    /// A loop around a match. The default in WebAssembly.
    Looped,
}

impl Default for Dispatch {
    fn default() -> Self {
        if cfg!(target_family = "wasm") { Dispatch::Looped } else { Dispatch::Threaded }
    }
}

/// Instructions of entered blocks after which threaded handlers return to the trampoline; exceeded by up to one chunk
/// of a block.
const BUDGET: i32 = 256;

/// Handler of an op: executes it and all ops that follow it, until one stops the run.
pub(super) type Handler = for<'a> fn(&'a Op, &'a [Op], &mut RunState<'a>);

/// Resolves the flow after an op: returns the ops to continue with, or `None` with the reason in the run state.
#[inline(always)]
fn follow<'a>(m: &mut RunState<'a>, flow: Flow, rest: &'a [Op]) -> Option<&'a [Op]> {
    let here = |m: &RunState<'a>| m.ops.len() - rest.len() - 1;
    match flow {
        Flow::Next => Some(rest),
        Flow::Enter(index) => {
            let Some(first) = m.ops.get(index) else {
                m.stop = (Stop::Unlinked, here(m));
                return None;
            };
            let left = m.budget - first.lo as i32;
            if left < 0 {
                m.enter_over_budget(first, index, left);
                return None;
            }
            if !m.pay(first) {
                m.stop = (Stop::OutOfGas, index);
                return None;
            }
            m.budget = left;
            Some(&m.ops[index + 1..])
        }
        Flow::Chunk(index) => {
            m.stop = if index < m.ops.len() { (Stop::Yield, index) } else { (Stop::Unlinked, here(m)) };
            None
        }
        // Only fast handlers request the slow path, and they call it themselves.
        Flow::SlowPath(_) => None,
        Flow::Stop(stop) => {
            m.stop = (stop, here(m));
            None
        }
    }
}

/// Handler of one kind of op.
pub(super) fn handle<'a, T: Execute>(op: &'a Op, mut rest: &'a [Op], m: &mut RunState<'a>) {
    match T::execute::<true, false>(m, op, &mut rest, &mut 0) {
        Flow::SlowPath(handler) => handler(op, rest, m),
        flow => dispatch(m, flow, rest),
    }
}

#[inline(always)]
fn dispatch<'a>(m: &mut RunState<'a>, flow: Flow, rest: &'a [Op]) {
    if let Some(rest) = follow(m, flow, rest)
        && let Some((next, rest)) = rest.split_first()
    {
        HANDLERS[next.kind as usize](next, rest, m)
    }
}

/// Handler of one kind of op for accesses that miss the fast path of [`handle`]. It is a function of its own so that
/// `handle` needs no stack. The first argument is ignored.
#[inline(never)]
pub(super) fn handle_slow_path<'a, T: Execute>(_: &'a Op, mut rest: &'a [Op], m: &mut RunState<'a>) {
    if let Some(op) = m.ops.get(m.ops.len() - rest.len() - 1) {
        let flow = T::execute::<false, false>(m, op, &mut rest, &mut 0);
        dispatch(m, flow, rest)
    }
}

impl Dispatch {
    /// Runs from op `index` on; returns the reason for the stop and the op at which it happened.
    pub(super) fn run(self, m: &mut RunState<'_>, index: usize) -> (Stop, usize) {
        match self {
            Dispatch::Threaded => threaded(m, index),
            Dispatch::Looped => looped(m, index),
        }
    }
}

fn threaded(m: &mut RunState<'_>, mut index: usize) -> (Stop, usize) {
    loop {
        m.take_budget(BUDGET);
        m.stop = (Stop::Trap, index);
        if let Some((op, rest)) = m.ops.get(index..).and_then(|ops| ops.split_first()) {
            HANDLERS[op.kind as usize](op, rest, m);
        }
        m.return_budget();
        match m.stop {
            (Stop::Yield, at) => index = at,
            stop => return stop,
        }
    }
}

fn looped(m: &mut RunState<'_>, index: usize) -> (Stop, usize) {
    m.take_budget(i32::MAX);
    m.stop = (Stop::Trap, index);
    let mut rest = m.ops.get(index..).unwrap_or_default();
    while let Some((op, after)) = rest.split_first() {
        rest = after;
        let flow = execute(op.kind, m, op, &mut rest);
        match follow(m, flow, rest) {
            Some(next) => rest = next,
            None => {
                m.return_budget();
                match m.stop {
                    (Stop::Yield, at) => {
                        m.take_budget(i32::MAX);
                        rest = m.ops.get(at..).unwrap_or_default();
                    }
                    stop => return stop,
                }
            }
        }
    }
    m.return_budget();
    m.stop
}
