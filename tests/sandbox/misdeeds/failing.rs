//! Falling over. The instance is lost, the stage is not.

use witgate::policy::Class;

use super::ends_in;
use crate::support::{failed_in, plan_of, refusal_of};

#[tokio::test]
async fn trap_in_configure() {
    let error = refusal_of(plan_of("trap-in-configure")).await;
    failed_in(&error, "configure", Class::Trap, "unreachable");
}

#[tokio::test]
async fn trap_in_constructor() {
    ends_in(
        "trap-in-constructor",
        "constructor",
        Class::Trap,
        "unreachable",
    )
    .await;
}

#[tokio::test]
async fn trap_in_on_request() {
    ends_in(
        "trap-in-on-request",
        "on-request",
        Class::Trap,
        "unreachable",
    )
    .await;
}

#[tokio::test]
async fn trap_in_on_answer() {
    ends_in("trap-in-on-answer", "on-answer", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_delta() {
    ends_in("trap-in-on-delta", "on-delta", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_end() {
    ends_in("trap-in-on-end", "on-end", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_complete() {
    ends_in(
        "trap-in-on-complete",
        "on-complete",
        Class::Trap,
        "unreachable",
    )
    .await;
}

#[tokio::test]
async fn recursion_in_on_request() {
    ends_in(
        "recursion-in-on-request",
        "on-request",
        Class::Stack,
        "call stack exhausted",
    )
    .await;
}

/// Its message of half a megabyte goes to standard error, which is cut.
#[tokio::test]
async fn panic_in_on_request() {
    let log = crate::support::log::Log::new();
    ends_in(
        "panic-in-on-request",
        "on-request",
        Class::Trap,
        "unreachable",
    )
    .await;
    let said = log.of_policies();
    assert!(
        said.iter().any(|line| line.contains("oh no!")),
        "an author sees why"
    );
    let length: usize = said.iter().map(String::len).sum();
    assert!(length < 20_000, "{length} bytes were logged");
}

#[tokio::test]
async fn exit_in_on_request() {
    ends_in("exit-in-on-request", "on-request", Class::Trap, "exit").await;
}
