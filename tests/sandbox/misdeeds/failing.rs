//! Falling over. The instance is lost, the stage is not.

use witgate::policy::Class;

use super::{ends, unloaded};

#[tokio::test]
async fn trap_in_configure() {
    unloaded("trap-in-configure", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_constructor() {
    ends("trap-in-constructor", "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_request() {
    ends("trap-in-on-request", "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_answer() {
    ends("trap-in-on-answer", "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_delta() {
    ends("trap-in-on-delta", "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_end() {
    ends("trap-in-on-end", "unreachable").await;
}

#[tokio::test]
async fn trap_in_on_complete() {
    ends("trap-in-on-complete", "unreachable").await;
}

#[tokio::test]
async fn recursion_in_on_request() {
    ends("recursion-in-on-request", "call stack exhausted").await;
}

/// Its message of half a megabyte goes to standard error, which is cut.
#[tokio::test]
async fn panic_in_on_request() {
    let log = crate::support::log::Log::new();
    ends("panic-in-on-request", "unreachable").await;
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
    ends("exit-in-on-request", "exit").await;
}

#[tokio::test]
async fn trap_in_destructor() {
    ends("trap-in-destructor", "unreachable").await;
}

/// It took its configuration and passed the self-test; then nothing works.
#[tokio::test]
async fn trap_in_every_hook() {
    ends("trap-in-every-hook", "unreachable").await;
}

#[tokio::test]
async fn recursion_in_configure() {
    unloaded(
        "recursion-in-configure",
        Class::Stack,
        "call stack exhausted",
    )
    .await;
}

#[tokio::test]
async fn recursion_in_on_delta() {
    ends("recursion-in-on-delta", "call stack exhausted").await;
}

#[tokio::test]
async fn panic_in_configure() {
    unloaded("panic-in-configure", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn exit_in_configure() {
    unloaded("exit-in-configure", Class::Trap, "exit").await;
}
