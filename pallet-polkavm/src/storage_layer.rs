//! Storage layers of frames: transactions of the state, opened and closed in the host alone.
//!
//! `frame_support::storage::with_transaction` also counts its levels in the state, with two reads and two writes for
//! each layer. A stack's depth is limited by [`crate::limits::CALL_DEPTH`] and needs no other limit.

use frame_support::storage::transactional::{is_transactional, with_transaction_opaque_err};
use sp_io::storage::{commit_transaction, rollback_transaction, start_transaction};
use sp_runtime::TransactionOutcome;

/// Runs `f` in a storage layer of its own.
pub(crate) fn with_layer<R>(f: impl FnOnce() -> TransactionOutcome<R>) -> R {
    start_transaction();
    match f() {
        TransactionOutcome::Commit(result) => {
            commit_transaction();
            result
        }
        TransactionOutcome::Rollback(result) => {
            rollback_transaction();
            result
        }
    }
}

/// As [`with_layer`], for code that must find itself in a layer that is counted ([`is_transactional`]). An extrinsic is
/// dispatched in one.
pub(crate) fn with_counted_layer<R>(f: impl FnOnce() -> TransactionOutcome<R>) -> R {
    if is_transactional() {
        return with_layer(f);
    }
    let counted = with_transaction_opaque_err(|| match f() {
        TransactionOutcome::Commit(result) => TransactionOutcome::Commit(Ok::<R, ()>(result)),
        TransactionOutcome::Rollback(result) => TransactionOutcome::Rollback(Ok(result)),
    });
    match counted {
        Ok(Ok(result)) => result,
        // INV: there is no level yet, and the limit is above one.
        Ok(Err(())) | Err(()) => unreachable!("the first of many storage layers is refused"),
    }
}
