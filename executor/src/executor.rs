//! A wrapper of the client's code executor that records the purpose of each runtime call for contract runs.

use crate::PolkaVm;
use sc_executor::{RuntimeVersion, RuntimeVersionOf};
use sp_core::traits::{CallContext, CodeExecutor, Externalities, ReadRuntimeVersion, RuntimeCode};

/// A client's executor with limits for off-chain calls, made by [`PolkaVm::executor`].
#[derive(Clone)]
pub struct BoundedExecutor<E> {
    inner: E,
    polkavm: PolkaVm,
}

impl PolkaVm {
    /// Wraps the executor that a client calls its runtime with. Without this wrapper all calls count as on-chain, and
    /// are limited by gas only.
    pub fn executor<E>(&self, inner: E) -> BoundedExecutor<E> {
        BoundedExecutor { inner, polkavm: self.clone() }
    }
}

impl<E: CodeExecutor> CodeExecutor for BoundedExecutor<E> {
    type Error = E::Error;

    fn call(
        &self,
        ext: &mut dyn Externalities,
        runtime_code: &RuntimeCode<'_>,
        method: &str,
        data: &[u8],
        context: CallContext,
    ) -> (Result<Vec<u8>, E::Error>, bool) {
        let call = || self.inner.call(ext, runtime_code, method, data, context);
        match context {
            CallContext::Offchain => self.polkavm.off_chain(call),
            CallContext::Onchain { .. } => self.polkavm.on_chain(call),
        }
    }
}

impl<E: ReadRuntimeVersion> ReadRuntimeVersion for BoundedExecutor<E> {
    fn read_runtime_version(&self, wasm_code: &[u8], ext: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        self.inner.read_runtime_version(wasm_code, ext)
    }
}

impl<E: RuntimeVersionOf> RuntimeVersionOf for BoundedExecutor<E> {
    fn runtime_version(
        &self,
        ext: &mut dyn Externalities,
        runtime_code: &RuntimeCode<'_>,
    ) -> Result<RuntimeVersion, sc_executor::error::Error> {
        self.inner.runtime_version(ext, runtime_code)
    }
}
