//! Gas estimation for a transaction: the minimum limit with which a call has the same effect as with a whole block's
//! gas, plus a tenth.
//!
//! Called by [`super::execution`]. The gas used by a run is not a sufficient limit for a contract that reads the gas
//! left: with a smaller limit it may refuse to start, or do less. So limits are tried (`same`), and the minimum is
//! found by bisection. Assumes that more gas does no harm; otherwise the result is the limit that was tried first.

use crate::{api::Weight, error::Error};

/// Precision of the bisection, as a divisor of the limit: a 64th.
const PRECISION: u64 = 64;

/// Margin added to a sufficient limit, as a divisor: a tenth. The state may change before the transaction is in a
/// block.
const MARGIN: u64 = 10;

/// The two parts of a weight, which are minimized one at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    RefTime,
    ProofSize,
}

impl Part {
    fn of(self, weight: Weight) -> u64 {
        match self {
            Self::RefTime => weight.ref_time,
            Self::ProofSize => weight.proof_size,
        }
    }

    fn set(self, weight: Weight, part: u64) -> Weight {
        match self {
            Self::RefTime => Weight { ref_time: part, ..weight },
            Self::ProofSize => Weight { proof_size: part, ..weight },
        }
    }
}

/// Adds a tenth to a limit, up to the maximum.
pub fn with_margin(weight: Weight, most: Weight) -> Weight {
    let more = |part: u64, most: u64| part.saturating_add(part / MARGIN).min(most);
    Weight { ref_time: more(weight.ref_time, most.ref_time), proof_size: more(weight.proof_size, most.proof_size) }
}

/// Reduces a part by the precision.
fn less(part: u64) -> u64 {
    part - part.div_ceil(PRECISION)
}

/// Finds the minimum limit, within a 64th, for which `same` holds; `required` is the gas that the run at `most` used,
/// for which `same` holds. `None` if even slightly less than `most` does not suffice: the contract's effect depends on
/// the gas itself.
///
/// # Errors
///
/// Those of `same`.
pub async fn least(
    required: Weight,
    most: Weight,
    same: impl AsyncFn(Weight) -> Result<bool, Error>,
) -> Result<Option<Weight>, Error> {
    if same(required).await? {
        // This is the minimum for most contracts, but not for one that spends all its gas and continues.
        let below = Part::RefTime.set(required, less(required.ref_time));
        return match same(below).await? {
            false => Ok(Some(required)),
            true => bisect(Part::RefTime, 0, below, &same).await.map(Some),
        };
    }
    let top = Weight { ref_time: less(most.ref_time), proof_size: most.proof_size };
    let frugal = Part::ProofSize.set(top, required.proof_size);
    let known = if same(frugal).await? {
        frugal
    } else if same(top).await? {
        top
    } else {
        return Ok(None);
    };
    let found = bisect(Part::RefTime, required.ref_time, known, &same).await?;
    if known == frugal {
        return Ok(Some(found));
    }
    bisect(Part::ProofSize, required.proof_size, found, &same).await.map(Some)
}

/// Lowers one part of a limit by bisection while `same` holds, but not to `low`.
async fn bisect(
    part: Part,
    mut low: u64,
    known: Weight,
    same: &impl AsyncFn(Weight) -> Result<bool, Error>,
) -> Result<Weight, Error> {
    let mut high = part.of(known);
    while low < less(high) {
        let middle = middle(low, high);
        match same(part.set(known, middle)).await? {
            true => high = middle,
            false => low = middle,
        }
    }
    Ok(part.set(known, high))
}

/// Returns a number between two, halfway on a logarithmic scale, as the larger one may have any size.
fn middle(low: u64, high: u64) -> u64 {
    let product = u128::from(low.max(1)) * u128::from(high);
    let root = u64::try_from(product.isqrt()).unwrap_or(high);
    root.clamp(low + 1, high - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const MOST: Weight = Weight { ref_time: 700_000_000_000, proof_size: u64::MAX / 4 * 3 };

    /// Returns the estimate for a contract with the same effect from a limit on, and the number of limits tried.
    async fn found(required: Weight, needed: Weight) -> (Option<Weight>, u32) {
        let tried = Cell::new(0);
        let same = async |limit: Weight| {
            tried.set(tried.get() + 1);
            Ok(limit.ref_time >= needed.ref_time && limit.proof_size >= needed.proof_size)
        };
        (least(required, MOST, same).await.unwrap(), tried.get())
    }

    fn is_close(found: u64, needed: u64) -> bool {
        found >= needed && found - needed <= needed / (PRECISION - 2) + 1
    }

    #[tokio::test]
    async fn what_a_run_used_is_the_least_for_most_contracts() {
        let required = Weight { ref_time: 263_344_581, proof_size: 70_000 };
        assert_eq!(found(required, required).await, (Some(required), 2));
        let nothing = Weight { ref_time: 0, proof_size: 0 };
        assert_eq!(found(nothing, nothing).await.0, Some(nothing));
    }

    #[tokio::test]
    async fn more_than_was_used_is_found_for_a_contract_that_asks_for_more() {
        let required = Weight { ref_time: 263_344_581, proof_size: 70_000 };
        for ref_time in [263_344_582, 1_000_000_000, 50_000_000_000, 600_000_000_000] {
            for proof_size in [0, 70_000, 70_001, 3_000_000, u64::MAX / 2] {
                let (limit, tried) = found(required, Weight { ref_time, proof_size }).await;
                let limit = limit.unwrap();
                assert!(is_close(limit.ref_time, ref_time), "{limit:?} for {ref_time}");
                assert!(is_close(limit.proof_size, proof_size.max(70_000)), "{limit:?} for {proof_size}");
                assert!(tried < 40, "{tried} were tried");
            }
        }
    }

    #[tokio::test]
    async fn less_than_was_used_is_found_for_a_contract_that_spends_what_it_gets() {
        let required = Weight { ref_time: MOST.ref_time - 5, proof_size: 70_000 };
        for ref_time in [0, 1, 2, 1_000, 20_000_000_000] {
            let (limit, tried) = found(required, Weight { ref_time, proof_size: 70_000 }).await;
            assert!(is_close(limit.unwrap().ref_time, ref_time.max(1)), "{limit:?} for {ref_time}");
            assert!(tried < 40, "{tried} were tried");
        }
    }

    #[tokio::test]
    async fn nothing_is_found_where_the_outcome_is_the_gas_itself() {
        let required = Weight { ref_time: 263_344_581, proof_size: 70_000 };
        assert_eq!(found(required, MOST).await.0, None);
    }

    #[tokio::test]
    async fn an_error_ends_the_search() {
        let same = async |_| Err(Error::Chain("gone".into()));
        assert!(least(MOST, MOST, same).await.is_err());
    }

    #[test]
    fn the_margin_is_a_tenth_and_ends_at_what_there_is() {
        let weight = Weight { ref_time: 100, proof_size: 10 };
        assert_eq!(with_margin(weight, MOST), Weight { ref_time: 110, proof_size: 11 });
        let most = Weight { ref_time: 105, proof_size: 10 };
        assert_eq!(with_margin(weight, most), most);
        let all = Weight { ref_time: u64::MAX, proof_size: u64::MAX };
        assert_eq!(with_margin(all, all), all);
    }
}
