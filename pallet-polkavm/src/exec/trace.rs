//! The call trace: the tree of calls of a transaction, for debugging.
//!
//! Built by the stack if [`super::ExecConfig::trace`] is set, which only dry runs do: a trace takes memory for all data
//! passed between contracts.

use crate::types::{Failure, Output};
use alloc::vec::Vec;
use frame_support::weights::Weight;
use sp_core::{H160, U256};

/// The kind of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallKind {
    /// A call.
    Call,
    /// A read-only call.
    StaticCall,
    /// A call that runs another contract's program on the caller's state.
    DelegateCall,
    /// An instantiation whose address depends on the deployer's nonce.
    Create,
    /// An instantiation whose address depends on a salt.
    Create2,
}

/// A call and all calls made in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallTrace {
    /// The kind of the call.
    pub kind: CallKind,
    /// The caller.
    pub from: H160,
    /// The callee; in a delegate call, the contract whose program ran.
    pub to: H160,
    /// The value transferred, in the contracts' unit. `None` for a delegate call, which transfers none.
    pub value: Option<U256>,
    /// Its weight limit.
    pub gas_limit: Weight,
    /// The weight it used.
    pub gas_used: Weight,
    /// The data it was called with.
    pub input: Vec<u8>,
    /// The output, or the error.
    pub result: Result<Output, Failure>,
    /// The calls made in it, in order.
    pub calls: Vec<CallTrace>,
}

/// Builds a [`CallTrace`].
#[derive(Debug, Default)]
pub struct Tracer {
    /// Calls that have not ended.
    open: Vec<CallTrace>,
    /// The first call, once it has ended.
    done: Option<CallTrace>,
}

impl Tracer {
    /// Records the start of a call.
    pub fn enter(
        &mut self,
        kind: CallKind,
        from: H160,
        to: H160,
        value: Option<U256>,
        input: &[u8],
        gas_limit: Weight,
    ) {
        self.open.push(CallTrace {
            kind,
            from,
            to,
            value,
            gas_limit,
            gas_used: Weight::zero(),
            input: input.to_vec(),
            result: Ok(Output::default()),
            calls: Vec::new(),
        });
    }

    /// Records the end of the innermost open call.
    pub fn exit(&mut self, result: &Result<Output, Failure>, gas_used: Weight) {
        let Some(mut call) = self.open.pop() else { return };
        call.result.clone_from(result);
        call.gas_used = gas_used;
        match self.open.last_mut() {
            Some(parent) => parent.calls.push(call),
            None => self.done = Some(call),
        }
    }

    /// The tree, once the first call has ended.
    pub fn finish(self) -> Option<CallTrace> {
        self.done
    }
}
