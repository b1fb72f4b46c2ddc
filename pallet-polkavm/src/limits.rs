//! The limits for contracts and their users, in one place for the pallet.
//!
//! The numbers are defined in [`vm_core::limits`], shared with the linker and the command line client; the rest of the
//! pallet uses them through this module. A limit that a running contract can observe must never change for code that is
//! already stored: tie a new value to a new [`crate::code::BEHAVIOUR_VERSION`].

pub use vm_core::limits::*;
