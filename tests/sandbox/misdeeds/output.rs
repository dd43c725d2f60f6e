//! Saying what it may not.

use std::time::Duration;

use witgate::policy::types::{Denial, Verdict};
use witgate::policy::{Class, LoadError};

use super::{ends, ends_well, listed};
use crate::support::exchange::fails;
use crate::support::{guest, guest_that, is, load, refusal_of, request, spec_of};

const CODE: &str = "denied with a code that doesn't match";

#[tokio::test]
async fn refusal() {
    let error = refusal_of(spec_of("refusal")).await;
    let sentence = "it refuses its configuration (policy.tested): it is not to my taste";
    assert_eq!(error.to_string(), sentence);
}

/// Two megabytes of refusal; the operator is spared most of it.
#[tokio::test]
async fn long_refusal() {
    let error = refusal_of(spec_of("long-refusal")).await;
    assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    assert!(error.to_string().len() < 5_000);
}

#[tokio::test]
async fn long_replacement() {
    ends("long-replacement", "too much data").await;
}

#[tokio::test]
async fn many_deltas() {
    // Making them takes a busy machine long, and that isn't what is at stake.
    let mut spec = spec_of("many-deltas");
    spec.limits.request_cpu = Duration::from_secs(10);
    spec.limits.exchange_cpu = Duration::from_secs(10);
    let loaded = load(spec, guest::component()).await.unwrap();
    fails(
        "many-deltas",
        listed("many-deltas"),
        &loaded,
        "too much data",
    )
    .await;
}

#[tokio::test]
async fn far_choice() {
    ends("far-choice", "past the 128th").await;
}

/// The largest number that there is; one more than it is none.
#[tokio::test]
async fn farthest_choice() {
    ends("farthest-choice", "past the 128th").await;
}

#[tokio::test]
async fn code_with_a_header() {
    ends("code-with-a-header", CODE).await;
}

#[tokio::test]
async fn code_with_a_header_mid_stream() {
    ends("code-with-a-header-mid-stream", CODE).await;
}

#[tokio::test]
async fn hold_at_the_end() {
    ends("hold-at-the-end", "answered on-end with hold").await;
}

#[tokio::test]
async fn odd_finding() {
    ends("odd-finding", "a finding's code must match").await;
}

#[tokio::test]
async fn odd_tag() {
    ends("odd-tag", "a tag's key and value must match").await;
}

#[tokio::test]
async fn segment_out_of_range() {
    ends("segment-out-of-range", "no segment 1000000").await;
}

/// A message goes into a body, where it can break nothing.
#[tokio::test]
async fn message_with_a_header() {
    let denial = denial_of("message-with-a-header").await;
    assert_eq!(denial.message, "no\r\nset-cookie: a=b");
}

#[tokio::test]
async fn long_message() {
    let denial = denial_of("long-message").await;
    assert_eq!(
        denial.message,
        "é".repeat(2048),
        "cut where a character ends"
    );
}

/// No status: the usual one of a denial.
#[tokio::test]
async fn status_of_success() {
    let denial = denial_of("status-of-success").await;
    assert_eq!((denial.status, &*denial.message), (None, "fine"));
}

async fn denial_of(misdeed: &str) -> Denial {
    let loaded = guest_that(misdeed).await;
    match loaded.started().await.on_request().await.unwrap().verdict {
        Verdict::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn edits_then_denial() {
    let loaded = guest_that("edits-then-denial").await;
    let requested = loaded.started().await.on_request().await.unwrap();
    // It said nothing; whoever reads it should know who was silent.
    match requested.verdict {
        Verdict::Deny(denial) => assert_eq!(denial.message, "The policy `tested` denied this."),
        other => panic!("{other:?}"),
    }
    assert!(requested.draft.is_none(), "a denial drops what was edited");
}

#[tokio::test]
async fn edits_then_trap() {
    let loaded = guest_that("edits-then-trap").await;
    let mut instance = loaded.started().await;
    let failure = instance.on_request().await.err().unwrap();
    is(&failure, Class::Trap, "unreachable");
    loaded.recovers(instance).await;
    // A good one's edits do arrive: the tests above would hold of a host that drops all of them.
    let good = crate::forged::policy_that_edits().await;
    let mut instance = good.started().await;
    let edited = instance.on_request().await.unwrap().draft.unwrap();
    let edited = edited.commit().unwrap();
    assert_eq!(edited.segments(0)[0].text, "edited");
    assert_eq!(request::small().segments(0)[0].text, "hello");
}

#[tokio::test]
async fn long_code() {
    ends("long-code", CODE).await;
}

#[tokio::test]
async fn long_tag() {
    ends("long-tag", "a tag's key and value must match").await;
}

/// A hundred years and more; it may say so.
#[tokio::test]
async fn far_retry() {
    let denial = denial_of("far-retry").await;
    assert_eq!(
        (denial.status, denial.retry_after),
        (Some(429), Some(u32::MAX))
    );
}

/// Where it goes onto the wire it is escaped: the gateway's tests see to that.
#[tokio::test]
async fn message_with_an_event_mid_stream() {
    ends_well("message-with-an-event-mid-stream").await;
}

#[tokio::test]
async fn replacement_with_an_event() {
    ends_well("replacement-with-an-event").await;
}

#[tokio::test]
async fn response_with_an_event() {
    ends_well("response-with-an-event").await;
}

/// An edit like any other to the sandbox: the exchange counts what is held, and for how long.
#[tokio::test]
async fn hold_for_ever() {
    ends_well("hold-for-ever").await;
}

#[tokio::test]
async fn hold_last_for_ever() {
    ends_well("hold-last-for-ever").await;
}

/// What it may not set is an error that it may overlook: the gateway's tests see that the request stays one.
#[tokio::test]
async fn deep_json() {
    ends_well("deep-json").await;
}

#[tokio::test]
async fn deep_pointer() {
    ends_well("deep-pointer").await;
}

#[tokio::test]
async fn other_shape() {
    ends_well("other-shape").await;
}
