//! Rate limits for warnings that contracts or clients can cause; each message has the number suppressed since the last.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval in which at most one message of a kind is logged.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time of the last message, and the number suppressed since.
pub(crate) struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    pub const fn new() -> Throttle {
        Throttle(Mutex::new((None, 0)))
    }

    /// Returns the number of suppressed messages if one may be logged now, else `None`.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, suppressed) = &mut *state;
        if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            *suppressed += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(suppressed))
    }
}

/// `log::log!` with this crate's target, at most once in ten seconds for each call site.
macro_rules! throttled {
    ($level:expr, $($argument:tt)+) => {{
        static THROTTLE: $crate::throttle::Throttle = $crate::throttle::Throttle::new();
        match THROTTLE.pass(std::time::Instant::now()) {
            None => {}
            Some(0) => log::log!(target: $crate::LOG_TARGET, $level, $($argument)+),
            Some(more) => log::log!(
                target: $crate::LOG_TARGET, $level, "{} ({more} more of this kind since the last one)", format_args!($($argument)+)
            ),
        }
    }};
}

pub(crate) use throttled;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_in_ten_seconds_says_how_many_were_not_logged() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        let passed: Vec<_> = (0..2500).map(|tick| throttle.pass(start + Duration::from_millis(10 * tick))).collect();
        assert_eq!(passed.iter().flatten().collect::<Vec<_>>(), [&0, &999, &999]);
    }
}
