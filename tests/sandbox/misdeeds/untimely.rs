//! Calling the host when it may not.

use witgate::policy::Class;

use super::{ends, unloaded};

const REQUEST: &str = "asked for the request while being configured";
const OUTCOME: &str = "asked for the outcome outside of on-complete";
const HEADER: &str = "put a header on the answer outside of on-request";
const CHANGED: &str = "changed the request outside of on-request";

#[tokio::test]
async fn request_in_configure() {
    unloaded("request-in-configure", Class::Misuse, REQUEST).await;
}

#[tokio::test]
async fn tag_in_configure() {
    unloaded("tag-in-configure", Class::Misuse, REQUEST).await;
}

#[tokio::test]
async fn outcome_in_configure() {
    unloaded("outcome-in-configure", Class::Misuse, OUTCOME).await;
}

#[tokio::test]
async fn report_in_configure() {
    unloaded(
        "report-in-configure",
        Class::Misuse,
        "reported a finding while being configured",
    )
    .await;
}

#[tokio::test]
async fn set_in_configure() {
    unloaded("set-in-configure", Class::Misuse, CHANGED).await;
}

#[tokio::test]
async fn outcome_in_on_request() {
    ends("outcome-in-on-request", OUTCOME).await;
}

#[tokio::test]
async fn outcome_in_on_delta() {
    ends("outcome-in-on-delta", OUTCOME).await;
}

#[tokio::test]
async fn set_in_constructor() {
    ends("set-in-constructor", CHANGED).await;
}

#[tokio::test]
async fn set_in_on_answer() {
    ends("set-in-on-answer", CHANGED).await;
}

#[tokio::test]
async fn set_in_on_delta() {
    ends("set-in-on-delta", CHANGED).await;
}

#[tokio::test]
async fn set_in_on_complete() {
    ends("set-in-on-complete", CHANGED).await;
}

#[tokio::test]
async fn outcome_in_constructor() {
    ends("outcome-in-constructor", OUTCOME).await;
}

#[tokio::test]
async fn set_in_on_end() {
    ends("set-in-on-end", CHANGED).await;
}

#[tokio::test]
async fn answer_header_in_configure() {
    unloaded("answer-header-in-configure", Class::Misuse, HEADER).await;
}

#[tokio::test]
async fn answer_header_in_on_answer() {
    ends("answer-header-in-on-answer", HEADER).await;
}

#[tokio::test]
async fn answer_header_in_on_delta() {
    ends("answer-header-in-on-delta", HEADER).await;
}

#[tokio::test]
async fn answer_header_in_on_complete() {
    ends("answer-header-in-on-complete", HEADER).await;
}
