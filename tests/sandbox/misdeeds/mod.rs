//! The hostile guest, one test per misdeed, each named after it.

mod endless;
mod failing;
mod greedy;
mod looking;
mod output;
mod telling;
mod untimely;

use std::collections::BTreeSet;
use std::process::Command;

use witgate::policy::types::Channel;
use witgate::policy::{Class, Failure, Instance};

use crate::support::guest::MISDEEDS;
use crate::support::{Loaded, Request, guest_that, is, outcome};

/// A call that failed, and the instance that it failed in, where there was one.
struct Fallen {
    hook: &'static str,
    failure: Failure,
    instance: Option<Instance>,
}

/// An exchange from the constructor to `on-complete`, up to the first failure.
async fn exchange(loaded: &Loaded) -> Result<(), Fallen> {
    let fallen = |hook, failure, instance| Fallen {
        hook,
        failure,
        instance,
    };
    let started = Instance::start(&loaded.stage, Request::small()).await;
    let mut instance = started.map_err(|failure| fallen("constructor", failure, None))?;
    macro_rules! hook {
        ($hook:literal, $call:expr) => {
            match $call.await {
                Ok(value) => value,
                Err(failure) => return Err(fallen($hook, failure, Some(instance))),
            }
        };
    }
    hook!("on-request", instance.on_request());
    let opened = hook!("on-answer", instance.on_answer(0, &Channel::Content));
    if let Some(passage) = opened {
        hook!("on-delta", instance.on_delta(&passage, "hello!"));
        hook!("on-end", instance.on_end(passage, "stop"));
    }
    hook!("on-complete", instance.on_complete(outcome()));
    Ok(())
}

/// The misdeed loads, ends in that hook with that class and those words, and leaves nothing behind: the next exchange gets a fresh
/// instance.
async fn ends_in(misdeed: &str, hook: &str, class: Class, words: &str) {
    let loaded = guest_that(misdeed).await;
    let Err(fallen) = exchange(&loaded).await else {
        panic!("nothing failed");
    };
    assert_eq!(fallen.hook, hook, "{}", fallen.failure);
    is(&fallen.failure, class, words);
    match fallen.instance {
        Some(instance) if hook == "on-complete" => assert!(instance.is_lost()),
        Some(instance) => loaded.recovers(instance).await,
        None => {}
    }
    assert_eq!(loaded.live(), 0);
}

#[test]
fn every_misdeed_has_a_test_and_every_test_a_misdeed() {
    let listed = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| {
            line.strip_prefix("misdeeds::")?
                .strip_suffix(": test")?
                .split_once("::")
        })
        .map(|(_, test)| test.replace('_', "-"))
        .collect();
    let misdeeds: BTreeSet<String> = MISDEEDS.iter().map(|misdeed| misdeed.to_string()).collect();
    assert_eq!(tests, misdeeds);
    assert_eq!(misdeeds.len(), MISDEEDS.len(), "none is listed twice");
}

#[tokio::test]
async fn without_a_misdeed_it_behaves() {
    let loaded = guest_that("").await;
    assert!(exchange(&loaded).await.is_ok());
    assert_eq!(loaded.live(), 0);
}
