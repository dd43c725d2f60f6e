//! Calling the host when it may not.

use witgate::policy::Class;

use super::ends_in;
use crate::support::{failed_in, plan_of, refusal_of};

const REQUEST: &str = "asked for the request while being configured";
const OUTCOME: &str = "asked for the outcome outside of on-complete";
const CHANGED: &str = "changed the request outside of on-request";

#[tokio::test]
async fn request_in_configure() {
    let error = refusal_of(plan_of("request-in-configure")).await;
    failed_in(&error, "configure", Class::Misuse, REQUEST);
}

#[tokio::test]
async fn tag_in_configure() {
    let error = refusal_of(plan_of("tag-in-configure")).await;
    failed_in(&error, "configure", Class::Misuse, REQUEST);
}

#[tokio::test]
async fn outcome_in_configure() {
    let error = refusal_of(plan_of("outcome-in-configure")).await;
    failed_in(&error, "configure", Class::Misuse, OUTCOME);
}

#[tokio::test]
async fn report_in_configure() {
    let error = refusal_of(plan_of("report-in-configure")).await;
    failed_in(
        &error,
        "configure",
        Class::Misuse,
        "reported a finding while being configured",
    );
}

#[tokio::test]
async fn set_in_configure() {
    let error = refusal_of(plan_of("set-in-configure")).await;
    failed_in(&error, "configure", Class::Misuse, CHANGED);
}

#[tokio::test]
async fn outcome_in_on_request() {
    ends_in(
        "outcome-in-on-request",
        "on-request",
        Class::Misuse,
        OUTCOME,
    )
    .await;
}

#[tokio::test]
async fn outcome_in_on_delta() {
    ends_in("outcome-in-on-delta", "on-delta", Class::Misuse, OUTCOME).await;
}

#[tokio::test]
async fn set_in_constructor() {
    ends_in("set-in-constructor", "constructor", Class::Misuse, CHANGED).await;
}

#[tokio::test]
async fn set_in_on_answer() {
    ends_in("set-in-on-answer", "on-answer", Class::Misuse, CHANGED).await;
}

#[tokio::test]
async fn set_in_on_delta() {
    ends_in("set-in-on-delta", "on-delta", Class::Misuse, CHANGED).await;
}

#[tokio::test]
async fn set_in_on_complete() {
    ends_in("set-in-on-complete", "on-complete", Class::Misuse, CHANGED).await;
}
