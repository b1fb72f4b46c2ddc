//! The node's side of the host functions: the backend, and the extension by which they find it.

use crate::{AccessError, InstantiateError, NoInstance, ProgramRules, Stop};
use sp_externalities::{Externalities, ExternalitiesExt as _, TransactionType, decl_extension};
use std::sync::OnceLock;

/// Runs programs for one runtime call after the other.
///
/// Every method returns what vm-core's interpreter would, with [`crate::program_config`]. The runtime never learns of a
/// failure of the node: the implementation recovers, or panics, which ends the runtime call.
pub trait Backend: Send + 'static {
    /// Makes an instance that will run from code offset `entry`. Instances are numbered from 0, in order.
    ///
    /// # Errors
    /// In this order: [`InstantiateError::TooMany`] with [`crate::INSTANCES`] of them; [`InstantiateError::HashMismatch`]
    /// unless `code_hash` is the Keccak-256 hash of `code`; [`InstantiateError::NoProgram`].
    fn instantiate(
        &mut self,
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        rules: ProgramRules,
    ) -> Result<u32, InstantiateError>;

    /// Runs until the next stop with this much gas, with `result` in A0 first.
    ///
    /// # Errors
    /// If there is no such instance.
    fn run(&mut self, instance: u32, gas: i64, result: Option<u64>) -> Result<Stop, NoInstance>;

    /// The code offset at which the instance stopped, where it is known.
    ///
    /// # Errors
    /// If there is no such instance.
    fn program_counter(&mut self, instance: u32) -> Result<Option<u32>, NoInstance>;

    /// Reads guest memory.
    ///
    /// # Errors
    /// If not all of it can be read, or there is no such instance.
    fn read_memory(&mut self, instance: u32, address: u32, out: &mut [u8]) -> Result<(), AccessError>;

    /// Writes guest memory: all of it or, on an error, nothing.
    ///
    /// # Errors
    /// If not all of it can be written, or there is no such instance.
    fn write_memory(&mut self, instance: u32, address: u32, data: &[u8]) -> Result<(), AccessError>;

    /// Writes zeros to guest memory.
    ///
    /// # Errors
    /// As [`Self::write_memory`].
    fn zero_memory(&mut self, instance: u32, address: u32, length: u32) -> Result<(), AccessError>;

    /// Frees an instance.
    ///
    /// # Errors
    /// If there is no such instance.
    fn destroy(&mut self, instance: u32) -> Result<(), NoInstance>;

    /// Frees all instances and restarts their numbering: a runtime call is over, or about to begin.
    fn release(&mut self);
}

decl_extension! {
    /// Externalities extension with the backend of runtime calls.
    ///
    /// A client makes one set of extensions for all calls that build a block, and wraps each call in a transaction of the
    /// host. Its start and its end release instances that a runtime left behind, however the call ended.
    pub struct PolkavmExt(Box<dyn Backend>);

    impl PolkavmExt {
        fn start_transaction(&mut self, ty: TransactionType) {
            self.release_after_host(ty);
        }

        fn commit_transaction(&mut self, ty: TransactionType) {
            self.release_after_host(ty);
        }

        fn rollback_transaction(&mut self, ty: TransactionType) {
            self.release_after_host(ty);
        }
    }
}

impl PolkavmExt {
    /// Creates the extension with the backend of a runtime call.
    pub fn new(backend: impl Backend) -> Self {
        PolkavmExt(Box::new(backend))
    }

    fn release_after_host(&mut self, ty: TransactionType) {
        // The runtime's own transactions begin and end in the middle of a call.
        if ty.is_host() {
            self.0.release();
        }
    }
}

/// Makes the backend of runtime calls that come without one.
type Factory = Box<dyn Fn() -> PolkavmExt + Send + Sync>;

static FACTORY: OnceLock<Factory> = OnceLock::new();

/// Gives this process's runtime calls a backend where they have none, made once for each set of extensions. For commands
/// that make runtime calls with extensions of their own, as the SDK's benchmarks do; a node's client needs none of it. The first
/// call counts.
pub fn provide_backend(make: impl Fn() -> PolkavmExt + Send + Sync + 'static) {
    let _ = FACTORY.set(Box::new(make));
}

/// The backend among the extensions.
///
/// # Panics
/// If the node registered none: running the program in another way would hide that.
pub(crate) fn backend<'a>(externalities: &'a mut &mut dyn Externalities) -> &'a mut dyn Backend {
    if let Some(make) = FACTORY.get()
        && externalities.extension::<PolkavmExt>().is_none()
    {
        // It fails where extensions are not supported: then there is none below.
        let _ = externalities.register_extension(make());
    }
    match externalities.extension::<PolkavmExt>() {
        Some(PolkavmExt(backend)) => &mut **backend,
        None => panic!("the runtime calls a PolkaVM host function, but the node has registered no PolkavmExt"),
    }
}
