//! Wanting more than there is.

use witgate::policy::Class;

use super::{ends, listed, unloaded};
use crate::support::exchange::fails;
use crate::support::{guest, load, spec_of};

const OVER: &str = "bytes of memory, over its limit of 67108864";

#[tokio::test]
async fn memory_in_configure() {
    unloaded("memory-in-configure", Class::Memory, OVER).await;
}

#[tokio::test]
async fn memory_in_on_request() {
    ends("memory-in-on-request", OVER).await;
}

#[tokio::test]
async fn steps_in_on_request() {
    ends("steps-in-on-request", OVER).await;
}

/// Handles to things of the host's cost the host's memory.
#[tokio::test]
async fn pollables_in_on_request() {
    ends("pollables-in-on-request", "table").await;
}

/// So do handles to its own.
#[tokio::test]
async fn passages_in_on_request() {
    ends("passages-in-on-request", "handle limit").await;
}

#[tokio::test]
async fn steps_in_configure() {
    unloaded("steps-in-configure", Class::Memory, OVER).await;
}

#[tokio::test]
async fn memory_in_constructor() {
    ends("memory-in-constructor", OVER).await;
}

#[tokio::test]
async fn memory_in_on_delta() {
    ends("memory-in-on-delta", OVER).await;
}

#[tokio::test]
async fn steps_in_on_delta() {
    let mut spec = spec_of("steps-in-on-delta");
    // Not so many steps that the time for a delta is over first.
    spec.limits.memory = 4 << 20;
    let loaded = load(spec, guest::component()).await.unwrap();
    let ends = listed("steps-in-on-delta");
    fails("steps-in-on-delta", ends, &loaded, "over its limit of").await;
}
