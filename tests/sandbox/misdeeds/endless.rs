//! Never coming back, by computing, by calling the host or by waiting.

use std::time::Duration;

use witgate::policy::Class;

use super::{ends, unloaded};
use crate::support::{guest, guest_that, is, load, spec_of};

const RAN: &str = "ran for longer than its limit of";
const WAITED: &str = "waited for longer than";
/// One or the other: on a busy machine its own time passes slowly.
const ENDED: &str = "for longer than";

#[tokio::test]
async fn loop_in_configure() {
    unloaded("loop-in-configure", Class::Deadline, ENDED).await;
}

#[tokio::test]
async fn loop_in_constructor() {
    ends("loop-in-constructor", "limit of 50 ms").await;
}

#[tokio::test]
async fn loop_in_on_request() {
    ends("loop-in-on-request", "limit of 50 ms").await;
}

#[tokio::test]
async fn loop_in_on_answer() {
    ends("loop-in-on-answer", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_in_on_delta() {
    ends("loop-in-on-delta", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_in_on_end() {
    ends("loop-in-on-end", "limit of 5 ms").await;
}

#[tokio::test]
async fn loop_in_on_complete() {
    ends("loop-in-on-complete", "limit of 50 ms").await;
}

/// The passage is dropped after `on-end`, within its budget.
#[tokio::test]
async fn loop_in_destructor() {
    ends("loop-in-destructor", "limit of 5 ms").await;
}

/// The clock is paused: the wait is over as soon as nothing else can run.
#[tokio::test(start_paused = true)]
async fn sleep_in_configure() {
    unloaded(
        "sleep-in-configure",
        Class::Deadline,
        "waited for longer than 10 s",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn sleep_in_on_request() {
    ends("sleep-in-on-request", "call_time of 5000 ms").await;
}

#[tokio::test(start_paused = true)]
async fn sleep_in_on_delta() {
    ends("sleep-in-on-delta", "call_time of 5000 ms").await;
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
    ends("clocks-in-on-request", RAN).await;
}

#[tokio::test]
async fn logs_in_on_request() {
    ends("logs-in-on-request", RAN).await;
}

#[tokio::test]
async fn reports_in_on_request() {
    ends("reports-in-on-request", RAN).await;
}

#[tokio::test]
async fn gets_in_on_request() {
    ends("gets-in-on-request", RAN).await;
}

#[tokio::test]
async fn segments_in_on_request() {
    ends("segments-in-on-request", RAN).await;
}

/// Checked by the host: so there are only so many, however fast it is.
#[tokio::test]
async fn edits_in_on_request() {
    let mut spec = spec_of("edits-in-on-request");
    spec.limits.request_cpu = Duration::from_secs(60);
    spec.limits.exchange_cpu = Duration::from_secs(60);
    let loaded = load(spec, guest::component()).await.unwrap();
    let mut instance = loaded.started().await;
    let failure = instance.on_request().await.err().unwrap();
    is(&failure, Class::Output, "more than 4096 times");
    loaded.recovers(instance).await;
}

#[tokio::test]
async fn targets_in_on_request() {
    ends("targets-in-on-request", "bring more than").await;
}

/// Each call keeps its limit; all of them together don't keep the exchange's.
#[tokio::test]
async fn burn_in_on_delta() {
    let mut spec = spec_of("burn-in-on-delta");
    spec.limits.delta_cpu = Duration::from_secs(60);
    spec.limits.exchange_cpu = Duration::from_millis(30);
    let loaded = load(spec, guest::component()).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn sleep_in_on_complete() {
    ends("sleep-in-on-complete", "call_time of 5000 ms").await;
}

#[tokio::test]
async fn prints_in_on_request() {
    ends("prints-in-on-request", RAN).await;
}

#[tokio::test]
async fn headers_in_on_request() {
    ends("headers-in-on-request", RAN).await;
}

#[tokio::test]
async fn answer_headers_in_on_request() {
    ends("answer-headers-in-on-request", RAN).await;
}

#[tokio::test]
async fn randoms_in_on_request() {
    ends("randoms-in-on-request", RAN).await;
}

/// Filling memory is one step to the clock, however much it is.
#[tokio::test]
async fn fills_in_on_request() {
    ends("fills-in-on-request", RAN).await;
}

#[tokio::test]
async fn inserts_in_on_request() {
    ends("inserts-in-on-request", "bring more than").await;
}

/// What stands in a pointer stays in the request, as what stands in a value does.
#[tokio::test]
async fn keys_in_on_request() {
    ends("keys-in-on-request", "bring more than").await;
}

#[tokio::test]
async fn outcomes_in_on_complete() {
    ends("outcomes-in-on-complete", RAN).await;
}
