//! Registers a session as an extension of every runtime call that a client makes.

use crate::PolkaVm;
use pvm_host_interface::PolkavmExt;
use sc_client_api::execution_extensions::ExtensionsFactory;
use sp_externalities::Extensions;
use sp_runtime::traits::{Block, NumberFor};

/// Makes the extensions of runtime calls; for `ExecutionExtensions::set_extensions_factory`.
pub struct SessionFactory(PolkaVm);

impl SessionFactory {
    pub(crate) fn new(polkavm: PolkaVm) -> SessionFactory {
        SessionFactory(polkavm)
    }
}

impl<B: Block> ExtensionsFactory<B> for SessionFactory {
    fn extensions_for(&self, _: B::Hash, _: NumberFor<B>) -> Extensions {
        PolkavmExt::new(self.0.session()).into()
    }
}
