//! Looking around, and taking along what a snapshot can't keep.

use witgate::policy::Instantiation;
use witgate::policy::types::Verdict;

use super::exchange;
use crate::support::log::Log;
use crate::support::{Served, guest_that};

#[tokio::test]
async fn peek() {
    let loaded = guest_that("peek").await;
    for _ in 0..10 {
        let verdict = loaded.started().await.on_request().await.unwrap().verdict;
        assert_eq!(verdict, Verdict::Proceed);
    }
    // It would tell: a second look in the same exchange finds what the first left.
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    match instance.on_request().await.unwrap().verdict {
        Verdict::Deny(denial) => assert_eq!(denial.message, "memory"),
        other => panic!("{other:?}"),
    }
}

/// Each of its tries is denied to it: else it panics.
#[tokio::test]
async fn network_in_on_request() {
    let loaded = guest_that("network-in-on-request").await;
    exchange(&loaded).await.unwrap();
}

#[tokio::test]
async fn print_in_configure() {
    let log = Log::new();
    let loaded = guest_that("print-in-configure").await;
    assert!(
        log.of_policies()
            .contains(&"printed: printed while configuring".into()),
        "{:?}",
        log.of_policies()
    );
    works_per_instance(&loaded).await;
}

#[tokio::test]
async fn pollable_in_configure() {
    let loaded = guest_that("pollable-in-configure").await;
    works_per_instance(&loaded).await;
}

/// Not as a snapshot, for a reason that is told; but it works.
async fn works_per_instance(loaded: &Served) {
    match loaded.stage.loaded().instantiation() {
        Instantiation::PerInstance(why) => assert!(why.contains("handles"), "{why}"),
        Instantiation::Snapshot => panic!("a snapshot of handles"),
    }
    assert_eq!(loaded.stage.loaded().snapshot_digest(), None);
    for _ in 0..3 {
        exchange(loaded).await.unwrap();
    }
    assert_eq!(loaded.live(), 0);
}

/// What `configure` drew is every exchange's; what an exchange draws is its own.
#[tokio::test]
async fn draw_in_configure() {
    let loaded = guest_that("draw-in-configure").await;
    let found = loaded.stage.loaded().instantiation();
    assert!(matches!(found, Instantiation::Snapshot), "{found:?}");
    let ((first, own), (second, other)) = (seen(&loaded).await, seen(&loaded).await);
    assert_eq!(first, second);
    assert_ne!(own, other);
    let again = guest_that("draw-in-configure").await;
    assert_eq!(seen(&again).await.0, first, "another load draws the same");
}

/// Clocks stand still at 1970 while it is configured, and go in an exchange.
#[tokio::test]
async fn clock_in_configure() {
    let loaded = guest_that("clock-in-configure").await;
    let (configuring, now) = seen(&loaded).await;
    assert_eq!(configuring, 0);
    assert!(now > 0);
}

/// The two numbers that the guest denies with: of `configure`, and of this exchange.
async fn seen(loaded: &Served) -> (u64, u64) {
    let verdict = loaded.started().await.on_request().await.unwrap().verdict;
    let Verdict::Deny(denial) = verdict else {
        panic!("{verdict:?}");
    };
    let (configuring, now) = denial.message.split_once(' ').unwrap();
    (configuring.parse().unwrap(), now.parse().unwrap())
}
