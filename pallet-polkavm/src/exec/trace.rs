//! The tree of calls of a transaction, for those who look for why it did what it did.
//!
//! Filled by the stack where [`super::ExecConfig::trace`] is on, which only dry runs have: a trace
//! takes memory for all that passes between contracts.

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
    /// An instantiation whose address comes from the deployer's nonce.
    Create,
    /// An instantiation whose address comes from a salt.
    Create2,
}

/// One call and all calls made in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallTrace {
    /// The kind of the call.
    pub kind: CallKind,
    /// The caller.
    pub from: H160,
    /// The callee; in a delegate call, the contract whose program ran.
    pub to: H160,
    /// The value that was sent, in the contracts' unit. `None` for a delegate call, which sends none.
    pub value: Option<U256>,
    /// The weight it was allowed.
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
    /// Calls that have begun and not ended.
    open: Vec<CallTrace>,
    /// The first call, when it has ended.
    done: Option<CallTrace>,
}

impl Tracer {
    /// A call begins.
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

    /// The call that began last has ended.
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
