//! The node's side of the host functions: the backend, and the extension through which the host functions find it.

use crate::memory::Writable;
use crate::{AccessError, InstantiateError, NoInstance, ProgramRules, Stop};
use sp_externalities::{Externalities, ExternalitiesExt as _, TransactionType, decl_extension};
use std::sync::OnceLock;

/// Runs programs for a sequence of runtime calls.
///
/// Every method returns the result that vm-core's interpreter has with [`crate::program_config`]. The runtime never
/// learns of a failure of the node: the implementation recovers, or panics, which ends the runtime call.
pub trait Backend: Send + 'static {
    /// Makes an instance that will run from code offset `entry`. Instances are numbered from 0, in order.
    ///
    /// # Errors
    /// In this order: [`InstantiateError::TooMany`] if there are [`crate::INSTANCES`] of them;
    /// [`InstantiateError::HashMismatch`] unless `code_hash` is the Keccak-256 hash of `code`;
    /// [`InstantiateError::NoProgram`].
    fn instantiate(
        &mut self,
        code_hash: &[u8; 32],
        code: &[u8],
        entry: u32,
        rules: ProgramRules,
    ) -> Result<u32, InstantiateError>;

    /// Sets A0 to `result`, if given, and runs until the next stop with this much gas.
    ///
    /// # Errors
    /// If there is no such instance.
    fn run(&mut self, instance: u32, gas: i64, result: Option<u64>) -> Result<Stop, NoInstance>;

    /// The code offset at which the instance stopped, if known.
    ///
    /// # Errors
    /// If there is no such instance.
    fn program_counter(&mut self, instance: u32) -> Result<Option<u32>, NoInstance>;

    /// Returns the regions that [`Self::write_memory`] can write, as they are until the next run: a range of at least
    /// one byte is writable if it lies in one of them.
    ///
    /// # Errors
    /// If there is no such instance.
    fn writable(&mut self, instance: u32) -> Result<Writable, NoInstance>;

    /// Reads guest memory.
    ///
    /// # Errors
    /// If part of the range is not readable, or there is no such instance.
    fn read_memory(&mut self, instance: u32, address: u32, out: &mut [u8]) -> Result<(), AccessError>;

    /// Writes guest memory: all of it or, on an error, none of it.
    ///
    /// # Errors
    /// If part of the range is not writable, or there is no such instance.
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

    /// Frees all instances and restarts their numbering: called at the end and before the beginning of a runtime call.
    fn release(&mut self);
}

decl_extension! {
    /// Externalities extension with the backend of runtime calls.
    ///
    /// A client makes one set of extensions for all calls that build a block, and wraps each call in a transaction of
    /// the host. The start and end of that transaction release instances that a runtime left behind, however the call
    /// ended.
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
        // The runtime's own transactions begin and end within a call.
        if ty.is_host() {
            self.0.release();
        }
    }
}

/// Makes the backend for runtime calls whose extensions have none.
type Factory = Box<dyn Fn() -> PolkavmExt + Send + Sync>;

static FACTORY: OnceLock<Factory> = OnceLock::new();

/// Sets the backend of this process's runtime calls whose extensions have none; it is made once for each set of
/// extensions. For commands that make runtime calls with extensions of their own, such as the SDK's benchmarks; a
/// node's client does not need it. Only the first call has an effect.
pub fn provide_backend(make: impl Fn() -> PolkavmExt + Send + Sync + 'static) {
    let _ = FACTORY.set(Box::new(make));
}

/// Returns the backend among the extensions.
///
/// # Panics
/// If the node registered none: running the program in another way would hide that mistake.
pub(crate) fn backend<'a>(externalities: &'a mut &mut dyn Externalities) -> &'a mut dyn Backend {
    if let Some(make) = FACTORY.get()
        && externalities.extension::<PolkavmExt>().is_none()
    {
        // Fails if extensions are not supported: then none is found below.
        let _ = externalities.register_extension(make());
    }
    match externalities.extension::<PolkavmExt>() {
        Some(PolkavmExt(backend)) => &mut **backend,
        None => panic!("the runtime calls a PolkaVM host function, but the node has registered no PolkavmExt"),
    }
}
