//! Never coming back, by computing, by calling the host or by waiting.

use std::time::Duration;

use witgate::policy::Class;

use super::ends_in;
use crate::support::{failed_in, guest, guest_that, is, load, plan_of, refusal_of};

const RAN: &str = "ran for longer than its limit of";
const WAITED: &str = "waited for longer than";

#[tokio::test]
async fn loop_in_configure() {
    let error = refusal_of(plan_of("loop-in-configure")).await;
    failed_in(
        &error,
        "configure",
        Class::Deadline,
        "ran for longer than its limit of 2000 ms",
    );
}

#[tokio::test]
async fn loop_in_constructor() {
    ends_in(
        "loop-in-constructor",
        "constructor",
        Class::Deadline,
        "limit of 50 ms",
    )
    .await;
}

#[tokio::test]
async fn loop_in_on_request() {
    ends_in(
        "loop-in-on-request",
        "on-request",
        Class::Deadline,
        "limit of 50 ms",
    )
    .await;
}

#[tokio::test]
async fn loop_in_on_answer() {
    ends_in(
        "loop-in-on-answer",
        "on-answer",
        Class::Deadline,
        "limit of 5 ms",
    )
    .await;
}

#[tokio::test]
async fn loop_in_on_delta() {
    ends_in(
        "loop-in-on-delta",
        "on-delta",
        Class::Deadline,
        "limit of 5 ms",
    )
    .await;
}

#[tokio::test]
async fn loop_in_on_end() {
    ends_in("loop-in-on-end", "on-end", Class::Deadline, "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_in_on_complete() {
    ends_in(
        "loop-in-on-complete",
        "on-complete",
        Class::Deadline,
        "limit of 50 ms",
    )
    .await;
}

/// The passage is dropped after `on-end`, within its budget.
#[tokio::test]
async fn loop_in_destructor() {
    ends_in(
        "loop-in-destructor",
        "on-end",
        Class::Deadline,
        "limit of 5 ms",
    )
    .await;
}

/// The clock is paused: the wait is over as soon as nothing else can run.
#[tokio::test(start_paused = true)]
async fn sleep_in_configure() {
    let error = refusal_of(plan_of("sleep-in-configure")).await;
    failed_in(
        &error,
        "configure",
        Class::Deadline,
        "waited for longer than 10 s",
    );
}

#[tokio::test(start_paused = true)]
async fn sleep_in_on_request() {
    ends_in(
        "sleep-in-on-request",
        "on-request",
        Class::Deadline,
        "call_time of 5000 ms",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn sleep_in_on_delta() {
    ends_in(
        "sleep-in-on-delta",
        "on-delta",
        Class::Deadline,
        "call_time of 5000 ms",
    )
    .await;
}

/// Many short waits are one long one.
#[tokio::test(start_paused = true)]
async fn naps_in_on_request() {
    let loaded = guest_that("naps-in-on-request").await;
    let failure = loaded.started().await.on_request().await.err().unwrap();
    assert_eq!(failure.class, Class::Deadline, "{failure}");
    let told = [RAN, WAITED]
        .iter()
        .any(|words| failure.message.contains(words));
    assert!(told, "{failure}");
    assert_eq!(loaded.live(), 0);
}

#[tokio::test]
async fn clocks_in_on_request() {
    ends_in("clocks-in-on-request", "on-request", Class::Deadline, RAN).await;
}

#[tokio::test]
async fn logs_in_on_request() {
    ends_in("logs-in-on-request", "on-request", Class::Deadline, RAN).await;
}

#[tokio::test]
async fn reports_in_on_request() {
    ends_in("reports-in-on-request", "on-request", Class::Deadline, RAN).await;
}

#[tokio::test]
async fn gets_in_on_request() {
    ends_in("gets-in-on-request", "on-request", Class::Deadline, RAN).await;
}

#[tokio::test]
async fn segments_in_on_request() {
    ends_in("segments-in-on-request", "on-request", Class::Deadline, RAN).await;
}

/// Checked by the host, whose time isn't the guest's: so there are only so many.
#[tokio::test]
async fn edits_in_on_request() {
    ends_in(
        "edits-in-on-request",
        "on-request",
        Class::Output,
        "more than 4096 times",
    )
    .await;
}

#[tokio::test]
async fn targets_in_on_request() {
    ends_in(
        "targets-in-on-request",
        "on-request",
        Class::Output,
        "bring more than",
    )
    .await;
}

/// Each call keeps its limit; all of them together don't keep the exchange's.
#[tokio::test]
async fn burn_in_on_delta() {
    let mut plan = plan_of("burn-in-on-delta");
    plan.limits.delta_cpu = Duration::from_secs(60);
    plan.limits.exchange_cpu = Duration::from_millis(30);
    let loaded = load(plan, guest::component()).await.unwrap();
    let (mut instance, passage) = loaded.answering().await;
    let mut calls = 0;
    let failure = loop {
        match instance.on_delta(&passage, "hello").await {
            Ok(_) => calls += 1,
            Err(failure) => break failure,
        }
        assert!(calls < 10_000, "it goes on for ever");
    };
    is(&failure, Class::Deadline, "limit of 30 ms");
    assert!(calls > 0, "the first call was within its own limit");
    loaded.recovers(instance).await;
}
