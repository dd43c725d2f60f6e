//! Telling too much. None of it fails the exchange: it is cut.

use witgate::policy::types::Verdict;

use crate::support::log::Log;
use crate::support::{guest_that, outcome};

#[tokio::test]
async fn flood_of_logs() {
    let loaded = guest_that("flood-of-logs").await;
    let log = Log::new();
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    // Later hooks have no allowance of their own.
    instance.on_complete(outcome()).await.unwrap();
    drop(instance);
    let lines = log.of_policies();
    assert_eq!(lines.len(), 100);
    assert_eq!(lines[99], "line 99");
    let told = log
        .lines()
        .iter()
        .filter(|line| line.contains("logs more than 100 lines"))
        .count();
    assert_eq!(told, 1, "the operator is told once");
}

#[tokio::test]
async fn flood_of_findings() {
    let loaded = guest_that("flood-of-findings").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    let findings = instance.take_findings();
    assert_eq!(findings.len(), 64);
    assert_eq!(findings[63].code, "code-63");
}

/// The guest counts how many are taken, and panics where it isn't 16.
#[tokio::test]
async fn flood_of_tags() {
    let loaded = guest_that("flood-of-tags").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    assert_eq!(instance.take_tags().len(), 16);
}

/// The guest panics where more are taken, as above.
#[tokio::test]
async fn flood_of_answer_headers() {
    let loaded = guest_that("flood-of-answer-headers").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    assert_eq!(instance.take_answer_headers().len(), 16);
}

/// The guest panics where one of them is taken.
#[tokio::test]
async fn odd_answer_headers() {
    let loaded = guest_that("odd-answer-headers").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    assert_eq!(instance.take_answer_headers(), []);
}

#[tokio::test]
async fn flood_of_prints() {
    let loaded = guest_that("flood-of-prints").await;
    let log = Log::new();
    let mut instance = loaded.started().await;
    let found = instance.on_request().await.unwrap().verdict;
    assert!(matches!(found, Verdict::Proceed), "{found:?}");
    drop(instance);
    assert_eq!(log.of_policies().len(), 100);
}

/// A line break in a line would begin another, which looks like the host's.
#[tokio::test]
async fn forged_log_line() {
    let loaded = guest_that("forged-log-line").await;
    let log = Log::new();
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    drop(instance);
    let lines = log.of_policies();
    assert_eq!(lines[0], r"one\n2026-01-01 ERROR forged\r\u{1b}[31mred");
    assert_eq!(lines[1], r"printed: two \u{1b}[31mred");
}

#[tokio::test]
async fn long_log_line() {
    let loaded = guest_that("long-log-line").await;
    let log = Log::new();
    loaded.started().await.on_request().await.unwrap();
    assert_eq!(log.of_policies(), ["é".repeat(4096)]);
}

#[tokio::test]
async fn long_finding() {
    let loaded = guest_that("long-finding").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    assert_eq!(instance.take_findings()[0].detail, Some("é".repeat(512)));
}

/// What is cut off isn't kept either.
#[tokio::test]
async fn flood_of_long_findings() {
    let loaded = guest_that("flood-of-long-findings").await;
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    let findings = instance.take_findings();
    assert_eq!(findings.len(), 64);
    for detail in findings
        .iter()
        .filter_map(|finding| finding.detail.as_ref())
    {
        assert_eq!((detail.len(), detail.capacity()), (1024, 1024));
    }
}
