//! Exhaustive tests at reduced width: every combination of values from reduced domains.
//!
//! A domain has all small numbers of its width, and all at the edges of its bits: what a wide number can do wrong it does
//! there. Where a function's width is small enough to try all of it, its domain is all of it ([`all`]).

/// All numbers of so many bits.
pub fn all(bits: u32) -> Vec<u64> {
    (0..1 << bits).collect()
}

/// Numbers of so many bits, ascending: all up to 16, and those within two of a power of two or of the largest one.
pub fn edges(bits: u32) -> Vec<u64> {
    let largest = u64::MAX >> (64 - bits);
    let near = |edge: u64| (0..=4).map(move |offset| edge.saturating_sub(2).saturating_add(offset));
    let mut values: Vec<u64> = (0..=16).chain((0..bits).flat_map(|bit| near(1 << bit))).chain(near(largest)).collect();
    values.retain(|value| *value <= largest);
    values.sort_unstable();
    values.dedup();
    values
}

/// The numbers of a list and those next to them, ascending.
pub fn around(places: impl IntoIterator<Item = u32>) -> Vec<u64> {
    let near = |place: u32| (0..=4).map(move |offset| u64::from(place.saturating_sub(2).saturating_add(offset)));
    let mut values: Vec<u64> = places.into_iter().flat_map(near).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Calls `check` with every combination of a value of each domain; returns how many there are.
pub fn each<const N: usize>(domains: [&[u64]; N], mut check: impl FnMut([u64; N])) -> u64 {
    let mut indices = [0; N];
    let mut count = 0;
    if domains.iter().any(|domain| domain.is_empty()) {
        return 0;
    }
    loop {
        check(core::array::from_fn(|place| domains[place][indices[place]]));
        count += 1;
        let mut place = 0;
        loop {
            if place == N {
                return count;
            }
            indices[place] += 1;
            if indices[place] < domains[place].len() {
                break;
            }
            indices[place] = 0;
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_combination_comes_once() {
        let mut seen = BTreeSet::new();
        assert_eq!(each([&[1, 2, 3], &[7], &all(2)], |combination| assert!(seen.insert(combination))), 12);
        assert_eq!(seen.len(), 12);
        assert_eq!(each([&[1], &[]], |_| panic!("there is none")), 0);
    }

    #[test]
    fn edges_are_within_their_width() {
        for bits in 1..=64 {
            let edges = edges(bits);
            assert!(edges.is_sorted() && edges.contains(&0) && edges.contains(&(u64::MAX >> (64 - bits))), "{bits}");
            assert!(bits == 64 || edges.iter().all(|edge| *edge < 1 << bits), "{bits}");
        }
    }
}
