//! Descendants of a process, from `/proc`.
#![allow(clippy::unwrap_used, reason = "test support: a test that cannot unwrap has failed")]

use std::fs;

/// Returns the number of descendant processes; with `dead`, including those that have ended and that nobody has reaped.
///
/// # Panics
/// If there is no `/proc`.
pub fn descendants(process: u32, dead: bool) -> usize {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // Behind the name in parentheses: state, parent.
            let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
            let is_alive = rest.next()? != "Z";
            let parent = rest.next()?.parse().ok()?;
            (dead || is_alive).then_some((id, parent))
        })
        .collect();
    let (mut known, mut next) = (vec![process], 0);
    while let Some(parent) = known.get(next).copied() {
        known.extend(parents.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        next += 1;
    }
    known.len() - 1
}
