//! Execution of ops: the traits that the ops of [`super::op_table`] implement, and superinstructions.
//!
//! Each op is a type, so that every dispatcher is monomorphised for it; see [`super::dispatch`].

use super::dispatch::handle_slow_path;
use super::op::Op;
use super::run_state::{Flow, RunState, Stop};
use core::marker::PhantomData;

/// An op that dispatchers can execute.
pub(super) trait Execute {
    /// Number of ops executed: more than one for a superinstruction.
    const OPS: usize = 1;

    /// Executes the op. `rest` are the ops after it, from which a superinstruction takes its further ops. `last` is the
    /// value that the previous op wrote, and is set to the value that this op writes.
    ///
    /// With `FAST`, memory accesses that miss the fast path request a retry without it. With `CHAINED`, the op's source
    /// `b` is the result of the previous op, and is taken from `last`.
    fn execute<'a, const FAST: bool, const CHAINED: bool>(
        m: &mut RunState<'a>,
        op: &Op,
        rest: &mut &'a [Op],
        last: &mut u64,
    ) -> Flow;
}

/// Effect of an op, selected by the type that its body evaluates to.
pub(super) trait Effect {
    /// Applies the effect for op `op` of type `T`, whose source `b` has the value `base`. Parameters as in
    /// [`Execute::execute`].
    fn apply<T: Execute, const FAST: bool>(self, m: &mut RunState<'_>, op: &Op, base: u64, last: &mut u64) -> Flow;
}

/// A value: it is written to register `a`.
impl Effect for u64 {
    #[inline(always)]
    fn apply<T: Execute, const FAST: bool>(self, m: &mut RunState<'_>, op: &Op, _: u64, last: &mut u64) -> Flow {
        *last = self;
        m.set(op.a, self)
    }
}

/// A condition; if it holds, control goes to the op's target.
impl Effect for bool {
    #[inline(always)]
    fn apply<T: Execute, const FAST: bool>(self, _: &mut RunState<'_>, op: &Op, _: u64, _: &mut u64) -> Flow {
        if self { Flow::Enter(op.lo as usize) } else { Flow::Next }
    }
}

/// A control flow decision of an op that has done everything else.
impl Effect for Flow {
    #[inline(always)]
    fn apply<T: Execute, const FAST: bool>(self, _: &mut RunState<'_>, _: &Op, _: u64, _: &mut u64) -> Flow {
        self
    }
}

/// A load of `N` bytes from address `base + imm`, with their conversion to the value of register `a`.
pub(super) struct Load<const N: usize>(pub fn([u8; N]) -> u64);

impl<const N: usize> Effect for Load<N> {
    #[inline(always)]
    fn apply<T: Execute, const FAST: bool>(self, m: &mut RunState<'_>, op: &Op, base: u64, last: &mut u64) -> Flow {
        match m.load::<FAST, N>((base as u32).wrapping_add(op.imm)) {
            Some(bytes) => (self.0)(bytes).apply::<T, FAST>(m, op, base, last),
            None if FAST => Flow::SlowPath(handle_slow_path::<T>),
            None => Flow::Stop(Stop::Trap),
        }
    }
}

/// A store of these bytes to address `base + imm`.
pub(super) struct Store<const N: usize>(pub [u8; N]);

impl<const N: usize> Effect for Store<N> {
    #[inline(always)]
    fn apply<T: Execute, const FAST: bool>(self, m: &mut RunState<'_>, op: &Op, base: u64, _: &mut u64) -> Flow {
        match m.store::<FAST, N>((base as u32).wrapping_add(op.imm), self.0) {
            true => Flow::Next,
            false if FAST => Flow::SlowPath(handle_slow_path::<T>),
            false => Flow::Stop(Stop::Trap),
        }
    }
}

/// Two ops executed in sequence, of which the first may be a superinstruction itself. With `CHAIN`, the second takes
/// the result of the first as its source `b`.
pub(super) struct Superinstruction<A, B, const CHAIN: bool>(PhantomData<(A, B)>);

impl<A: Execute, B: Execute, const CHAIN: bool> Execute for Superinstruction<A, B, CHAIN> {
    const OPS: usize = A::OPS + B::OPS;

    #[inline(always)]
    fn execute<'a, const FAST: bool, const CHAINED: bool>(
        m: &mut RunState<'a>,
        op: &Op,
        rest: &mut &'a [Op],
        last: &mut u64,
    ) -> Flow {
        match A::execute::<FAST, CHAINED>(m, op, rest, last) {
            Flow::Next => match rest.split_first() {
                Some((second, after)) => {
                    *rest = after;
                    B::execute::<FAST, CHAIN>(m, second, rest, last)
                }
                None => Flow::Stop(Stop::Trap),
            },
            flow => flow,
        }
    }
}
