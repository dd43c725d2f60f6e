//! A component in the version of the contract that it speaks: what the gateway calls of it is the same for both.

use wasmtime::component::{Instance, InstancePre, ResourceAny};
use wasmtime::{Engine, Store};

use super::bindings;
use super::component::Contract;
use super::earlier;
use super::guest::Guest;
use super::types::{Channel, Description, Edit, Verdict, Wants};

/// A linked component, from which instances are made.
#[derive(Clone)]
pub(super) enum PolicyPre {
    /// Of the present contract.
    Now(bindings::BindingsPre<Guest>),
    /// Of the one before.
    Earlier(earlier::BindingsPre<Guest>),
}

/// An instance.
pub(super) enum Policy {
    /// Of the present contract.
    Now(bindings::Bindings),
    /// Of the one before.
    Earlier(earlier::Bindings),
}

impl PolicyPre {
    /// Of a linked component, in its version.
    pub(super) fn new(pre: InstancePre<Guest>, contract: Contract) -> wasmtime::Result<Self> {
        Ok(match contract {
            Contract::Now => PolicyPre::Now(bindings::BindingsPre::new(pre)?),
            Contract::Earlier => PolicyPre::Earlier(earlier::BindingsPre::new(pre)?),
        })
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            PolicyPre::Now(pre) => pre.engine(),
            PolicyPre::Earlier(pre) => pre.engine(),
        }
    }

    /// What is linked, whatever it speaks.
    pub(super) fn instance_pre(&self) -> &InstancePre<Guest> {
        match self {
            PolicyPre::Now(pre) => pre.instance_pre(),
            PolicyPre::Earlier(pre) => pre.instance_pre(),
        }
    }

    pub(super) async fn instantiate_async(
        &self,
        store: &mut Store<Guest>,
    ) -> wasmtime::Result<Policy> {
        Ok(match self {
            PolicyPre::Now(pre) => Policy::Now(pre.instantiate_async(store).await?),
            PolicyPre::Earlier(pre) => Policy::Earlier(pre.instantiate_async(store).await?),
        })
    }

    /// Of an instance that was made of [`instance_pre`](Self::instance_pre).
    pub(super) fn policy(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
    ) -> wasmtime::Result<Policy> {
        Ok(match self {
            PolicyPre::Now(_) => Policy::Now(bindings::Bindings::new(store, instance)?),
            PolicyPre::Earlier(_) => Policy::Earlier(earlier::Bindings::new(store, instance)?),
        })
    }
}

/// A call of the component's, in whichever version. What one of the contract before gives is made the present one's.
macro_rules! call {
    ($policy:ident, $it:ident => $call:expr, $gave:ident => $now:expr) => {
        match $policy {
            Policy::Now(policy) => {
                let $it = policy.witgate_policy_policy();
                $call.await
            }
            Policy::Earlier(policy) => {
                let $it = policy.witgate_policy_policy();
                let $gave = $call.await?;
                Ok($now)
            }
        }
    };
}

impl Policy {
    pub(super) async fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Description> {
        call!(self, it => it.call_describe(store), gave => gave.into())
    }

    pub(super) async fn configure(
        &self,
        store: &mut Store<Guest>,
        settings: &str,
    ) -> wasmtime::Result<Result<Wants, String>> {
        call!(self, it => it.call_configure(store, settings), gave => gave.map(Into::into))
    }

    pub(super) async fn begin(&self, store: &mut Store<Guest>) -> wasmtime::Result<ResourceAny> {
        call!(self, it => it.exchange().call_constructor(store), gave => gave)
    }

    pub(super) async fn on_request(
        &self,
        store: &mut Store<Guest>,
        exchange: ResourceAny,
    ) -> wasmtime::Result<Verdict> {
        call!(self, it => it.exchange().call_on_request(store, exchange), gave => gave.into())
    }

    pub(super) async fn on_answer(
        &self,
        store: &mut Store<Guest>,
        exchange: ResourceAny,
        choice: u32,
        channel: &Channel,
    ) -> wasmtime::Result<Option<ResourceAny>> {
        match self {
            Policy::Now(policy) => {
                let exports = policy.witgate_policy_policy().exchange();
                exports
                    .call_on_answer(store, exchange, choice, channel)
                    .await
            }
            Policy::Earlier(policy) => {
                let exports = policy.witgate_policy_policy().exchange();
                let channel = channel.clone().into();
                exports
                    .call_on_answer(store, exchange, choice, &channel)
                    .await
            }
        }
    }

    pub(super) async fn on_delta(
        &self,
        store: &mut Store<Guest>,
        passage: ResourceAny,
        text: &str,
    ) -> wasmtime::Result<Edit> {
        call!(self, it => it.passage().call_on_delta(store, passage, text), gave => gave.into())
    }

    pub(super) async fn on_end(
        &self,
        store: &mut Store<Guest>,
        passage: ResourceAny,
        finish: &str,
    ) -> wasmtime::Result<Edit> {
        call!(self, it => it.passage().call_on_end(store, passage, finish), gave => gave.into())
    }

    pub(super) async fn on_complete(
        &self,
        store: &mut Store<Guest>,
        exchange: ResourceAny,
    ) -> wasmtime::Result<()> {
        match self {
            Policy::Now(policy) => {
                let exports = policy.witgate_policy_policy().exchange();
                exports.call_on_complete(store, exchange).await
            }
            Policy::Earlier(policy) => {
                let exports = policy.witgate_policy_policy().exchange();
                exports.call_on_complete(store, exchange).await
            }
        }
    }
}
