//! Never coming back, and falling over, where nobody looks.

use witgate::policy::Class;

use super::{ends, ends_well, unloaded};

/// By the guest's own time, or on a busy machine by the clock on the wall.
const ENDED: &str = "for longer than";

#[tokio::test]
async fn loop_in_describe() {
    unloaded("loop-in-describe", "describe", Class::Deadline, ENDED).await;
}

#[tokio::test]
async fn loop_in_the_start_function() {
    unloaded(
        "loop-in-the-start-function",
        "start",
        Class::Deadline,
        ENDED,
    )
    .await;
}

/// After a result was read, the guest may free it, and never come back from that.
#[tokio::test]
async fn loop_after_describe() {
    unloaded("loop-after-describe", "describe", Class::Deadline, ENDED).await;
}

#[tokio::test]
async fn loop_after_configure() {
    unloaded("loop-after-configure", "configure", Class::Deadline, ENDED).await;
}

#[tokio::test]
async fn loop_after_on_request() {
    ends("loop-after-on-request", "limit of 50 ms").await;
}

#[tokio::test]
async fn loop_after_on_answer() {
    ends("loop-after-on-answer", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_after_on_delta() {
    ends("loop-after-on-delta", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_after_on_end() {
    ends("loop-after-on-end", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_in_realloc() {
    unloaded("loop-in-realloc", "configure", Class::Deadline, ENDED).await;
}

#[tokio::test]
async fn loop_in_realloc_later() {
    ends("loop-in-realloc-later", "limit of 5 ms").await;
}

/// Nobody runs it: an instance ends by being dropped.
#[tokio::test]
async fn loop_in_the_destructor_of_the_exchange() {
    ends_well("loop-in-the-destructor-of-the-exchange").await;
}

#[tokio::test]
async fn trap_in_describe() {
    unloaded("trap-in-describe", "describe", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_the_start_function() {
    unloaded(
        "trap-in-the-start-function",
        "start",
        Class::Trap,
        "unreachable",
    )
    .await;
}

#[tokio::test]
async fn trap_in_realloc() {
    unloaded("trap-in-realloc", "configure", Class::Trap, "unreachable").await;
}

#[tokio::test]
async fn trap_in_realloc_later() {
    ends("trap-in-realloc-later", "unreachable").await;
}

#[tokio::test]
async fn trap_after_on_delta() {
    ends("trap-after-on-delta", "unreachable").await;
}

/// The host is in the middle of handing something over.
#[tokio::test]
async fn host_call_in_realloc() {
    ends("host-call-in-realloc", "cannot leave").await;
}

#[tokio::test]
async fn host_call_after_on_delta() {
    ends("host-call-after-on-delta", "cannot leave").await;
}
