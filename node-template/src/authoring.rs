//! Decides whether this node may author blocks at the chain's prices.
//!
//! A chain whose contracts pay the price of compiled code ([`PricingV1::Compiled`]) needs authorities that compile: a
//! node that interprets would build blocks that take many times as long as their weight says. Such a node does not
//! start as an authority, and stops authoring when an upgrade of the runtime changes the pricing, or when it loses its
//! compiler. It imports blocks in any case. A development chain, whose only machine may not be able to compile, keeps
//! authoring.

use executor::{Flags, PolkaVm};
use futures::future::{Either, Ready, ready};
use pallet_polkavm::runtime_api::{PolkavmApi, PricingV1};
use runtime::{AccountId, Balance, Hash, opaque::Block};
use sc_service::ChainType;
use sp_api::{ApiError, ApiExt, ProvideRuntimeApi};
use sp_consensus::Environment;
use sp_runtime::traits::Block as BlockT;
use std::fmt;
use std::sync::Arc;

/// The version of `PolkavmApi` that added the function `pricing`. Earlier runtimes have no requirements on their
/// authorities.
const PRICING_SINCE: u32 = 5;

/// The node's part of the decision: its backend for contracts, and its flags.
#[derive(Clone)]
pub struct Authoring {
    polkavm: PolkaVm,
    flags: Flags,
    is_development: bool,
}

/// The error of a node that may not author.
#[derive(Debug)]
pub enum AuthoringError {
    /// This node interprets contracts, at prices of compiled code.
    Interprets {
        /// The backend, and the reason for it.
        backend: String,
    },
    /// The runtime could not be queried for its pricing.
    Runtime(ApiError),
}

impl fmt::Display for AuthoringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthoringError::Interprets { backend } => write!(
                f,
                "this node may not author blocks: the chain's prices are those of compiled contracts, and it interprets \
                 them ({backend}). Start it with --polkavm-backend jit, for which `polkavm-check` shows what this machine \
                 lacks, or as a full node; --polkavm-author-interpreted has it author all the same, slowly"
            ),
            AuthoringError::Runtime(error) => write!(f, "the chain's pricing is unknown: {error}"),
        }
    }
}

impl std::error::Error for AuthoringError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AuthoringError::Interprets { .. } => None,
            AuthoringError::Runtime(error) => Some(error),
        }
    }
}

impl Authoring {
    /// Makes the decision for a node with these flags, on a chain of this type.
    pub fn new(polkavm: PolkaVm, flags: &Flags, chain: ChainType) -> Self {
        Self { polkavm, flags: flags.clone(), is_development: chain == ChainType::Development }
    }

    /// Checks that this node may author on top of a block.
    ///
    /// # Errors
    ///
    /// If the chain's prices are those of compiled code and this node interprets contracts, or if the runtime cannot be
    /// queried.
    pub fn check<C>(&self, client: &C, parent: Hash) -> Result<(), AuthoringError>
    where
        C: ProvideRuntimeApi<Block>,
        C::Api: PolkavmApi<Block, AccountId, Balance>,
    {
        // A node that compiles need not query the runtime.
        if self.may_interpret() {
            return Ok(());
        }
        let pricing = pricing(client, parent).map_err(AuthoringError::Runtime)?;
        self.judge(pricing.as_ref())
    }

    fn may_interpret(&self) -> bool {
        self.is_development || self.flags.author_interpreted || self.polkavm.is_compiling()
    }

    fn judge(&self, pricing: Option<&PricingV1>) -> Result<(), AuthoringError> {
        match pricing {
            Some(PricingV1::Compiled(_)) if !self.may_interpret() => {
                Err(AuthoringError::Interprets { backend: self.polkavm.describe(&self.flags) })
            }
            _ => Ok(()),
        }
    }
}

/// Returns the pricing at a block; `None` if the runtime has no such function.
fn pricing<C>(client: &C, block: Hash) -> Result<Option<PricingV1>, ApiError>
where
    C: ProvideRuntimeApi<Block>,
    C::Api: PolkavmApi<Block, AccountId, Balance>,
{
    let api = client.runtime_api();
    match api.api_version::<dyn PolkavmApi<Block, AccountId, Balance>>(block)? {
        Some(version) if version >= PRICING_SINCE => api.pricing(block).map(Some),
        _ => Ok(None),
    }
}

/// Makes proposers through another environment, if the chain's pricing lets this node author.
pub struct PricedProposer<E, C> {
    inner: E,
    client: Arc<C>,
    authoring: Authoring,
}

impl<E, C> PricedProposer<E, C> {
    /// Wraps another environment.
    pub fn new(inner: E, client: Arc<C>, authoring: Authoring) -> Self {
        Self { inner, client, authoring }
    }
}

impl<E, C> Environment<Block> for PricedProposer<E, C>
where
    E: Environment<Block>,
    C: ProvideRuntimeApi<Block>,
    C::Api: PolkavmApi<Block, AccountId, Balance>,
{
    type Proposer = E::Proposer;
    type CreateProposer = Either<Ready<Result<E::Proposer, E::Error>>, E::CreateProposer>;
    type Error = E::Error;

    fn init(&mut self, parent: &<Block as BlockT>::Header) -> Self::CreateProposer {
        match self.authoring.check(&*self.client, parent.hash()) {
            Ok(()) => Either::Right(self.inner.init(parent)),
            Err(error) => Either::Left(ready(Err(sp_consensus::Error::Other(Box::new(error)).into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use executor::BackendChoice;

    fn interpreting(author_interpreted: bool, chain: ChainType) -> Authoring {
        let flags = Flags { backend: BackendChoice::Interpreter, author_interpreted, ..Flags::default() };
        Authoring::new(PolkaVm::new(&flags, None).unwrap_or_else(|error| panic!("{error}")), &flags, chain)
    }

    #[test]
    fn an_authority_that_interprets_is_refused_at_the_prices_of_compiled_code_and_told_the_flag() {
        let compiled = PricingV1::Compiled(Vec::new());
        let refused = interpreting(false, ChainType::Live).judge(Some(&compiled)).map_err(|error| error.to_string());
        let text = refused.expect_err("it interprets");
        for part in ["may not author", "interpreter, as the flags say", "--polkavm-backend jit", "polkavm-check"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(interpreting(false, ChainType::Local).judge(Some(&compiled)).is_err());
        assert!(interpreting(true, ChainType::Live).judge(Some(&compiled)).is_ok(), "it was asked to");
        assert!(interpreting(false, ChainType::Development).judge(Some(&compiled)).is_ok(), "nobody else would");
    }

    #[test]
    fn any_node_may_author_at_the_prices_of_the_interpreter_or_where_the_runtime_does_not_tell() {
        let authoring = interpreting(false, ChainType::Live);
        assert!(authoring.judge(Some(&PricingV1::Interpreted(Vec::new()))).is_ok());
        assert!(authoring.judge(None).is_ok());
    }
}
