//! Wanting more than there is.

use witgate::policy::Class;

use super::ends_in;
use crate::support::{failed_in, plan_of, refusal_of};

const OVER: &str = "bytes of memory, over its limit of 67108864";

#[tokio::test]
async fn memory_in_configure() {
    let error = refusal_of(plan_of("memory-in-configure")).await;
    failed_in(&error, "configure", Class::Memory, OVER);
}

#[tokio::test]
async fn memory_in_on_request() {
    ends_in("memory-in-on-request", "on-request", Class::Memory, OVER).await;
}

#[tokio::test]
async fn steps_in_on_request() {
    ends_in("steps-in-on-request", "on-request", Class::Memory, OVER).await;
}

/// Handles to things of the host's cost the host's memory.
#[tokio::test]
async fn pollables_in_on_request() {
    ends_in(
        "pollables-in-on-request",
        "on-request",
        Class::Memory,
        "table",
    )
    .await;
}

/// So do handles to its own.
#[tokio::test]
async fn passages_in_on_request() {
    ends_in(
        "passages-in-on-request",
        "on-request",
        Class::Output,
        "handle limit",
    )
    .await;
}
