//! How far the limits go.

use std::time::Duration;

use witgate::config::Limits;
use witgate::policy::types::Role;
use witgate::policy::{Class, Instance};

use crate::support::{guest, guest_that, is, load, request, spec_of};

/// 50 ms and 40 ms for each MiB.
#[tokio::test]
async fn request_cpu_grows_with_the_request() {
    let loaded = guest_that("loop-in-on-request").await;
    for (mebibytes, limit) in [(0, "of 50 ms"), (1, "of 90 ms"), (5, "of 250 ms")] {
        let request = request::saying("x".repeat(mebibytes << 20));
        assert_eq!(request.messages(), [Role::User]);
        let mut instance = Instance::start(&loaded.stage, request).await.unwrap();
        let failure = instance.on_request().await.err().unwrap();
        is(&failure, Class::Deadline, limit);
    }
}

#[tokio::test]
async fn limits_are_the_stage_s_own() {
    assert_eq!(Limits::default().memory, 64 << 20);
    let mut spec = spec_of("steps-in-on-request");
    spec.limits.memory = 8 << 20;
    let small = load(spec, guest::component()).await.unwrap();
    let failure = small.started().await.on_request().await.err().unwrap();
    is(&failure, Class::Memory, "over its limit of 8388608");

    let mut spec = spec_of("loop-in-on-delta");
    spec.limits.delta_cpu = Duration::from_millis(11);
    let slow = load(spec, guest::component()).await.unwrap();
    let (mut instance, passage) = slow.answering().await;
    let failure = instance.on_delta(&passage, "hello").await.unwrap_err();
    is(&failure, Class::Deadline, "limit of 11 ms");
}

/// What the host does for a guest is counted as the guest's, and for as long as it takes: to the ticks it is one step.
#[cfg(unix)]
#[tokio::test]
async fn what_the_host_does_for_it_is_counted() {
    let loaded = guest_that("segments-in-on-request").await;
    let (request, reads) = request::costing(Duration::from_millis(10));
    let mut instance = Instance::start(&loaded.stage, request).await.unwrap();
    let failure = instance.on_request().await.err().unwrap();
    is(&failure, Class::Deadline, "limit of 50 ms");
    let reads = reads.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1..=6).contains(&reads), "{reads} reads of 10 ms each");
}

/// An answer may be as long again as twice what was given, and 256 KiB.
#[tokio::test]
async fn a_long_delta_may_have_a_long_replacement() {
    let good = guest_that("").await;
    let (mut instance, passage) = good.answering().await;
    let text = "hello!".repeat(1 << 15);
    let edit = instance.on_delta(&passage, &text).await.unwrap();
    assert_eq!(
        edit,
        witgate::policy::types::Edit::Replace(text.replace('!', "."))
    );
}
