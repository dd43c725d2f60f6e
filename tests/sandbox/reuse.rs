//! `isolation: reused`: what one exchange can leave for the next, what it can't, and when an instance is retired.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use witgate::config::{Isolation, Reuse};
use witgate::policy::types::Channel;
use witgate::policy::{Class, Instance, StageSpec};

use crate::guests::forge::{Forged, VERDICT};
use crate::support::{Served, guest, is, load, outcome, request, spec, spec_of};

/// The same stage, but its instances are reused by these rules.
fn reusing(spec: StageSpec, rules: Reuse) -> StageSpec {
    StageSpec {
        isolation: Isolation::Reused(rules),
        ..spec
    }
}

/// That policy, its instances reused by the usual rules but for that change.
async fn reused(forged: Forged, change: fn(&mut Reuse)) -> Served {
    let mut rules = Reuse::default();
    change(&mut rules);
    let spec = reusing(spec(&json!({})), rules);
    load(spec, &forged.component()).await.unwrap()
}

/// The hostile guest, told to do that, its instances reused.
async fn reused_guest_that(misdeed: &str) -> Served {
    let spec = reusing(spec_of(misdeed), Reuse::default());
    load(spec, guest::component()).await.unwrap()
}

/// So many exchanges one after the other, each to a clean end; how many instances that took.
async fn instances_for(exchanges: u32, served: &Served) -> u64 {
    for _ in 0..exchanges {
        let mut instance = served.started().await;
        instance.on_request().await.unwrap();
        let passage = instance.on_answer(0, &Channel::Content).await.unwrap();
        let passage = passage.unwrap();
        instance.on_delta(&passage, "hello").await.unwrap();
        instance.on_end(passage, "stop").await.unwrap();
        instance.on_complete(outcome()).await.unwrap();
        instance.finish().await;
    }
    made(served)
}

fn made(served: &Served) -> u64 {
    served.metrics.instances_created.get()
}

/// Falls where an exchange before it was in the same instance.
fn remembering() -> Forged {
    Forged {
        on_request: format!(
            "(if (global.get $state) (then unreachable)) (global.set $state (i32.const 1)) (i32.const {VERDICT})"
        ),
        ..Forged::default()
    }
}

#[tokio::test]
async fn a_stage_that_does_not_say_so_reuses_nothing() {
    let served = load(spec(&json!({})), &remembering().component()).await;
    assert_eq!(instances_for(5, &served.unwrap()).await, 5);
}

/// This is what the setting trades away.
#[tokio::test]
async fn what_a_guest_keeps_in_its_memory_the_next_exchange_meets() {
    let served = reused(remembering(), |_| ()).await;
    assert_eq!(instances_for(1, &served).await, 1);
    let mut second = served.started().await;
    is(
        &second.on_request().await.err().unwrap(),
        Class::Trap,
        "unreachable",
    );
    second.finish().await;
    // The fault retired it: the third exchange meets nothing.
    assert_eq!(served.live(), 0);
    assert_eq!(instances_for(1, &served).await, 2);
}

#[tokio::test]
async fn an_instance_serves_so_many_exchanges_and_no_more() {
    let served = reused(Forged::default(), |rules| rules.exchanges = 3).await;
    assert_eq!(instances_for(3, &served).await, 1);
    assert_eq!(served.live(), 0, "the third was its last");
    assert_eq!(instances_for(4, &served).await, 3);
}

#[tokio::test]
async fn an_instance_that_is_too_old_is_retired() {
    let served = reused(Forged::default(), |rules| rules.age = Duration::ZERO).await;
    assert_eq!(instances_for(3, &served).await, 3);
    assert_eq!(served.live(), 0);
}

/// It has a caller's text in it, and room that other stages have none of.
#[tokio::test]
async fn an_instance_that_waits_is_retired_at_its_age_though_no_exchange_comes() {
    let served = reused(Forged::default(), |rules| {
        rules.age = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(instances_for(2, &served).await, 1);
    assert_eq!(served.live(), 1);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3599)).await;
    assert_eq!(served.live(), 1, "it is young enough");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(served.live(), 0);
    tokio::time::resume();
    // And the next one is watched, too.
    assert_eq!(instances_for(1, &served).await, 2);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert_eq!(served.live(), 0);
}

#[tokio::test]
async fn an_instance_whose_memory_has_grown_too_much_is_retired() {
    let growing = Forged {
        on_request: format!("(drop (memory.grow (i32.const 1))) (i32.const {VERDICT})"),
        ..Forged::default()
    };
    let served = reused(growing, |rules| rules.memory_growth = 2 * 65_536).await;
    // The third exchange makes it too large.
    assert_eq!(instances_for(7, &served).await, 3);
}

#[tokio::test]
async fn an_exchange_that_came_to_no_clean_end_leaves_no_instance() {
    let served = reused(Forged::default(), |_| ()).await;
    drop(served.started().await);
    assert_eq!(served.live(), 0, "it was dropped");
    let (instance, _passage) = served.answering().await;
    instance.finish().await;
    assert_eq!(served.live(), 0, "a passage is left over");
    let mut instance = served.started().await;
    instance.cannot_be_committed("why");
    instance.finish().await;
    assert_eq!(served.live(), 0, "it failed");
    let instance = served.started().await;
    instance.finish().await;
    assert_eq!(served.live(), 1, "this one ended well");
}

/// The destructor of an exchange's resource is in the guest's hands, and has a budget like any call.
#[tokio::test]
async fn a_destructor_that_fails_or_never_ends_retires_the_instance() {
    for destructor in ["unreachable", "(loop $for_ever (br $for_ever))"] {
        let forged = Forged {
            extra: format!(
                r#"(func (export "witgate:policy/policy@1.0.0#[dtor]exchange") (param i32) {destructor})"#
            ),
            ..Forged::default()
        };
        let served = reused(forged, |_| ()).await;
        assert_eq!(instances_for(2, &served).await, 2, "{destructor}");
        assert_eq!(served.live(), 0);
    }
}

#[tokio::test]
async fn two_exchanges_at_the_same_time_have_two_instances() {
    let served = reused(remembering(), |_| ()).await;
    let (mut first, mut second) = (served.started().await, served.started().await);
    first.on_request().await.unwrap();
    second.on_request().await.unwrap();
    first.finish().await;
    second.finish().await;
    assert_eq!((made(&served), served.live()), (2, 2));
    drop(served.started().await);
    assert_eq!((made(&served), served.live()), (2, 1));
}

/// What the host keeps for an exchange ends with it: the request's text, findings, tags, and what they count for.
#[tokio::test]
async fn nothing_that_the_host_keeps_reaches_the_next_exchange() {
    for misdeed in ["flood-of-tags", "flood-of-findings"] {
        let served = reused_guest_that(misdeed).await;
        let kept =
            |instance: &mut Instance| (instance.take_tags().len(), instance.take_findings().len());
        let text = request::small();
        let mut instance = Instance::start(&served.stage, text.clone()).await.unwrap();
        instance.on_request().await.unwrap();
        instance.on_complete(outcome()).await.unwrap();
        // Nobody has taken them.
        instance.finish().await;
        assert_eq!(Arc::strong_count(&text), 1, "nobody holds the request");

        let mut next = served.started().await;
        assert_eq!(made(&served), 1, "{misdeed}: it is the same instance");
        assert_eq!(kept(&mut next), (0, 0), "{misdeed}");
        next.on_request().await.unwrap();
        let (tags, findings) = kept(&mut next);
        assert!(
            tags == 16 || findings == 64,
            "{misdeed}: {tags}, {findings}"
        );
    }
}

/// Those that wait are bounded for all stages together.
#[tokio::test]
async fn no_more_instances_wait_than_there_is_room_for() {
    let sandbox = witgate::policy::Sandbox::new(crate::support::settings()).unwrap();
    let spec = reusing(spec(&json!({})), Reuse::default());
    let component = Forged::default().component();
    let served = crate::support::load_in(&sandbox, spec, &component)
        .await
        .unwrap();
    let mut open = Vec::new();
    for _ in 0..260 {
        open.push(served.started().await);
    }
    for instance in open {
        instance.finish().await;
    }
    assert_eq!(served.live(), 256);
    let Served { stage, metrics } = served;
    drop(stage);
    assert_eq!(metrics.instances_live.get(), 0, "they go with the stage");
}

/// A handle that the guest keeps to what is the host's would lead into the next exchange. This one has it from the time when it was
/// configured, so it is configured anew each time.
#[tokio::test]
async fn a_guest_that_keeps_a_handle_of_the_hosts_is_not_reused() {
    let served = reused_guest_that("pollable-in-configure").await;
    for made_so_far in 1..=2 {
        let mut instance = served.started().await;
        instance.on_request().await.unwrap();
        instance.finish().await;
        assert_eq!((made(&served), served.live()), (made_so_far, 0));
    }
}
