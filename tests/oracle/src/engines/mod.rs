//! The engines that are compared, one file each.

mod compiled;
mod core;
mod peer;
mod reference;

pub use self::core::Core;
pub use compiled::Compiled;
pub use peer::Peer;
pub use reference::Reference;

use crate::Engine;

/// All engines: the ways of `vm-core`, those of the compiler where it runs, the reference model, the peer. The first is the
/// one that others are compared with.
///
/// # Panics
/// If the peer cannot be set up.
pub fn engines() -> Vec<Box<dyn Engine>> {
    let mut engines: Vec<Box<dyn Engine>> =
        Core::ways().into_iter().map(|way| Box::new(way) as Box<dyn Engine>).collect();
    engines.extend(Compiled::ways().into_iter().map(|way| Box::new(way) as Box<dyn Engine>));
    engines.push(Box::new(Reference));
    engines.push(Box::new(Peer::new()));
    engines
}
