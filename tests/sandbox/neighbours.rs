//! What a hostile exchange does to the others: nothing.

use std::task::Poll;
use std::time::Duration;

use witgate::policy::types::Edit;
use witgate::policy::{Class, Sandbox};

use crate::support::{Served, guest, guest_that, is, load, load_in, outcome, settings, spec_of};

/// A whole exchange of a policy that behaves.
async fn a_good_exchange(good: &Served) {
    let (mut instance, passage) = good.answering().await;
    for _ in 0..100 {
        let edit = instance.on_delta(&passage, "hello!").await.unwrap();
        assert_eq!(edit, Edit::Replace("hello.".into()));
        tokio::task::yield_now().await;
    }
    assert_eq!(
        instance.on_end(passage, "stop").await.unwrap(),
        Edit::Forward
    );
    instance.on_complete(outcome()).await.unwrap();
}

/// On one thread: the loop may run for ten minutes, and the good ones are done long before.
#[tokio::test]
async fn an_endless_loop_lets_others_run() {
    let good = guest_that("").await;
    for misdeed in [
        "loop-in-on-request",
        "logs-in-on-request",
        "gets-in-on-request",
        "clocks-in-on-request",
    ] {
        let mut spec = spec_of(misdeed);
        spec.limits.request_cpu = Duration::from_secs(600);
        spec.limits.exchange_cpu = Duration::from_secs(600);
        spec.limits.call_time = Duration::from_secs(600);
        let bad = load(spec, guest::component()).await.unwrap();
        let mut looping = bad.started().await;
        tokio::select! {
            biased;
            _ = looping.on_request() => panic!("{misdeed}: ten minutes are over"),
            () = async { for _ in 0..3 { a_good_exchange(&good).await } } => {}
        }
        // Its call was broken off half-way.
        bad.recovers(looping).await;
    }
    assert_eq!(good.live(), 0);
}

/// In a crowd a call that only runs waits for its turn again and again. That makes no failure of it, however long it takes.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_no_waiting_of_a_guest() {
    let mut spec = spec_of("loop-in-on-request");
    // So much that a clock that comes late on a busy machine still comes in time.
    spec.limits.request_cpu = Duration::from_millis(100);
    spec.limits.call_time = Duration::from_millis(100);
    let loaded = load(spec, guest::component()).await.unwrap();
    let mut instance = loaded.started().await;
    let mut call = Box::pin(instance.on_request());
    let mut turns = 0;
    let failure = loop {
        if let Poll::Ready(done) = futures_util::poll!(call.as_mut()) {
            break done.err().unwrap();
        }
        turns += 1;
        tokio::time::advance(Duration::from_millis(200)).await;
    };
    drop(call);
    is(&failure, Class::Deadline, "limit of 100 ms");
    assert!(turns > 0, "it was never put aside");
    loaded.recovers(instance).await;
}

/// Traps, floods and greed beside a good exchange, in turns on one thread.
#[tokio::test]
async fn failures_beside_it_are_not_its_own() {
    let good = guest_that("").await;
    let mut bad = Vec::new();
    for misdeed in [
        "trap-in-on-request",
        "steps-in-on-request",
        "recursion-in-on-request",
        "passages-in-on-request",
    ] {
        bad.push(guest_that(misdeed).await);
    }
    let failing = async {
        for loaded in bad.iter().cycle().take(40) {
            let answer = loaded.started().await.on_request().await;
            let verdict = answer.map(|requested| requested.verdict);
            assert!(verdict.is_err(), "{verdict:?}");
            tokio::task::yield_now().await;
        }
    };
    let behaving = async {
        for _ in 0..10 {
            a_good_exchange(&good).await;
        }
    };
    tokio::join!(failing, behaving);
    assert_eq!(bad.iter().map(Served::live).sum::<i64>() + good.live(), 0);
}

/// After 2,000 exchanges that failed in every way or were dropped half-way, all slots of the pool can be had at once.
#[tokio::test]
async fn slots_are_given_back() {
    let sandbox = Sandbox::new(settings()).unwrap();
    let mut bad = Vec::new();
    for misdeed in [
        "trap-in-constructor",
        "trap-in-on-request",
        "recursion-in-on-request",
        "loop-in-on-request",
        "memory-in-on-request",
        "outcome-in-on-request",
        "many-deltas",
        "exit-in-on-request",
        "sleep-in-on-request",
        "loop-in-constructor",
    ] {
        let mut spec = spec_of(misdeed);
        spec.limits.request_cpu = Duration::from_millis(1);
        bad.push(load_in(&sandbox, spec, guest::component()).await.unwrap());
    }
    for loaded in bad.iter().cycle().take(2_000) {
        let Ok(mut instance) = loaded.start().await else {
            continue;
        };
        let call = std::pin::pin!(instance.on_request());
        if let Poll::Ready(answer) = futures_util::poll!(call) {
            let verdict = answer.map(|requested| requested.verdict);
            assert!(verdict.is_err(), "{verdict:?}");
        }
        // Still running, or asleep: dropped as it is.
    }
    assert_eq!(bad.iter().map(Served::live).sum::<i64>(), 0);

    let good = load_in(&sandbox, spec_of(""), guest::component())
        .await
        .unwrap();
    // Exchanges times stages, and 64 for loading.
    let slots = 16 * 2 + 64;
    let mut open = Vec::new();
    for _ in 0..slots {
        open.push(good.started().await);
    }
    assert_eq!(good.live(), slots);
    // One too many is the host's failure, and no policy's.
    is(
        &good.start().await.err().unwrap(),
        Class::Host,
        "maximum concurrent",
    );
    drop(open);
    assert_eq!(good.live(), 0);
    good.started().await;
}
