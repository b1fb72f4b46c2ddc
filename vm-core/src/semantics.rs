//! Semantics versions: numbered sets of rules that programs run under.
//!
//! A node's release may change the effect of an instruction, the memory layout, or the cost of a basic block under a
//! cost model. Once chains have run programs, such a change needs a new number: code keeps the number that it was
//! stored with, and every release supports all numbers. So nodes of different releases never differ on a block.
//!
//! Each version is specified in `docs/spec` and tested by `tests/vectors`, whose files are locked to the number by
//! their hashes (`tests/vectors/semantics-0.lock`).

/// A semantics version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Semantics {
    /// Number 0: that of PolkaVM 0.37.
    #[default]
    V0,
}

impl Semantics {
    /// The version that new code is stored with.
    pub const LATEST: Semantics = Semantics::V0;

    /// All known versions.
    pub const ALL: [Semantics; 1] = [Semantics::V0];

    /// Its number, which never changes.
    pub const fn id(self) -> u16 {
        match self {
            Semantics::V0 => 0,
        }
    }

    /// Returns the version with this number; `None` if it is unknown to this release.
    pub fn from_id(id: u16) -> Option<Semantics> {
        Semantics::ALL.into_iter().find(|semantics| semantics.id() == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_again_and_others_are_unknown() {
        for semantics in Semantics::ALL {
            assert_eq!(Semantics::from_id(semantics.id()), Some(semantics));
        }
        assert_eq!(Semantics::LATEST, Semantics::ALL[Semantics::ALL.len() - 1]);
        for id in [Semantics::ALL.len() as u16, u16::MAX] {
            assert_eq!(Semantics::from_id(id), None);
        }
    }
}
