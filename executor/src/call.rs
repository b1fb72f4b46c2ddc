//! The purpose of a runtime call, and the limits of off-chain calls.
//!
//! The node itself makes the calls that build and import blocks. Off-chain calls come from anyone with access to the
//! RPC (`state_call`) or the light client protocol (`remote_call`), without a fee and with arbitrary arguments. So an
//! off-chain call has a deadline from its beginning, the number of those that run contracts at once is limited, and
//! they have a share of workers and memory. A call that exceeds one of these limits ends with an error. Blocks have no
//! such limits.
//!
//! The purpose belongs to the thread for the duration of the call: a runtime call runs on the thread that makes it,
//! whatever extension the runtime uses.

use crate::{LOG_TARGET, Shared, throttle::throttled};
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The purpose of a runtime call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallPurpose {
    /// Builds or imports a block. The default.
    OnChain,
    /// Answers an RPC or light client request.
    OffChain,
}

/// The off-chain call that a thread is in.
pub(crate) struct OffChain {
    deadline: Instant,
    /// The permit, set once the call has run a contract.
    permit: OnceCell<Permit>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<OffChain>>> = const { RefCell::new(None) };
}

/// The off-chain call that this thread is in, if any.
pub(crate) fn off_chain() -> Option<Rc<OffChain>> {
    CURRENT.with_borrow(Clone::clone)
}

/// A guard that sets the thread's call for its lifetime.
struct Entered {
    before: Option<Rc<OffChain>>,
}

impl Entered {
    fn new(call: Option<Rc<OffChain>>) -> Entered {
        Entered { before: CURRENT.replace(call) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// Makes an on-chain call, even inside an off-chain one.
pub(crate) fn make_on_chain<R>(call: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(None);
    call()
}

/// Makes an off-chain call with a time limit.
pub(crate) fn make_off_chain<R>(limit: Duration, call: impl FnOnce() -> R) -> R {
    let off_chain = OffChain { deadline: Instant::now() + limit, permit: OnceCell::new() };
    let _entered = Entered::new(Some(Rc::new(off_chain)));
    call()
}

impl OffChain {
    /// The time at which the call must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the call if its deadline has passed.
    pub fn check(&self, shared: &Shared) {
        if Instant::now() >= self.deadline {
            refuse(shared, Refusal::Deadline);
        }
    }

    /// Waits until the call may run contracts; ends it at its deadline.
    pub fn admit(&self, shared: &Shared) {
        if self.permit.get().is_none() {
            match shared.gate.enter(self.deadline) {
                Some(permit) => drop(self.permit.set(permit)),
                None => refuse(shared, Refusal::TooMany),
            }
        }
        self.check(shared);
    }
}

/// The reason for ending an off-chain call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    Deadline,
    TooMany,
    Memory,
}

/// Ends the off-chain call that the thread is in, with an error for the caller.
///
/// Unwinds without the panic hook: this is not a bug, and a backtrace for each request would flood the log.
pub(crate) fn refuse(shared: &Shared, why: Refusal) -> ! {
    shared.metrics.offchain_refused_total.inc();
    let seconds = shared.off_chain_time.as_secs_f64();
    let text = match why {
        Refusal::Deadline => format!("the contracts of an off-chain call took longer than {seconds} s"),
        Refusal::TooMany => {
            format!("off-chain calls are waiting for others that run contracts, this one for longer than {seconds} s")
        }
        Refusal::Memory => "off-chain calls have no memory left for contracts".into(),
    };
    throttled!(log::Level::Warn, "An off-chain call was ended: {text}");
    log::debug!(target: LOG_TARGET, "An off-chain call was ended: {text}");
    std::panic::resume_unwind(Box::new(text))
}

/// A counting semaphore.
pub(crate) struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A permit of a gate, returned when dropped.
pub(crate) struct Permit(Arc<Gate>);

impl Gate {
    pub fn new(permits: usize) -> Arc<Gate> {
        Arc::new(Gate { free: Mutex::new(permits), freed: Condvar::new() })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit, if one is free.
    pub fn try_enter(self: &Arc<Gate>) -> Option<Permit> {
        let mut free = self.free();
        *free = free.checked_sub(1)?;
        Some(Permit(self.clone()))
    }

    /// Waits for a permit; `None` if none is free by `until`.
    fn enter(self: &Arc<Gate>, until: Instant) -> Option<Permit> {
        let mut free = self.free();
        while *free == 0 {
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            free = self.freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_kind_in_the_other_come_back_to_it() {
        assert!(off_chain().is_none());
        make_off_chain(Duration::from_secs(100), || {
            let outer = off_chain().unwrap();
            make_on_chain(|| assert!(off_chain().is_none()));
            assert!(Rc::ptr_eq(&outer, &off_chain().unwrap()));
            let unwound = std::panic::catch_unwind(|| make_on_chain(|| std::panic::resume_unwind(Box::new(()))));
            assert!(unwound.is_err() && off_chain().is_some());
        });
        assert!(off_chain().is_none());
    }

    #[test]
    fn a_permit_is_waited_for_until_the_deadline_and_no_longer() {
        let gate = Gate::new(1);
        let permit = gate.try_enter().unwrap();
        assert!(gate.try_enter().is_none());
        assert!(gate.enter(Instant::now() + Duration::from_millis(1)).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(Instant::now() + Duration::from_secs(600)).is_some());
            drop(permit);
            assert!(waiting.join().unwrap());
        });
        assert!(gate.try_enter().is_some());
    }
}
