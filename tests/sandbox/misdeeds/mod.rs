//! The hostile guest, one test per misdeed, each named after it.

mod endless;
mod failing;
mod greedy;
mod looking;
mod output;
mod telling;
mod untimely;

use witgate::policy::Class;

use crate::guests::list::{Ends, MISDEEDS};
use crate::support::exchange::{exchange, fails};
use crate::support::{failed_in, guest_that, once_each, refusal_of, spec_of, tests_below};

/// The list's word on it.
fn listed(misdeed: &str) -> &'static Ends {
    let found = MISDEEDS.iter().find(|(name, _)| *name == misdeed);
    &found.unwrap_or_else(|| panic!("{misdeed} isn't listed")).1
}

/// The misdeed loads, ends as the list says and with those words, and leaves nothing behind: the next exchange gets a fresh
/// instance.
async fn ends(misdeed: &str, words: &str) {
    let loaded = guest_that(misdeed).await;
    fails(misdeed, listed(misdeed), &loaded, words).await;
}

/// The misdeed isn't loaded: `configure` fails, in that class and with those words.
async fn unloaded(misdeed: &str, class: Class, words: &str) {
    assert!(matches!(listed(misdeed), Ends::Unloaded));
    let error = refusal_of(spec_of(misdeed)).await;
    failed_in(&error, "configure", class, words);
}

/// The misdeed harms nothing: the exchange goes on to its end.
async fn ends_well(misdeed: &str) {
    assert!(matches!(listed(misdeed), Ends::Well | Ends::Held));
    let loaded = guest_that(misdeed).await;
    assert!(exchange(&loaded).await.is_ok(), "{misdeed}");
    assert_eq!(loaded.live(), 0);
}

#[test]
fn every_misdeed_has_a_test_and_every_test_a_misdeed() {
    let names = MISDEEDS.iter().map(|(name, _)| *name);
    assert_eq!(tests_below("misdeeds::"), once_each(names));
}

#[tokio::test]
async fn without_a_misdeed_it_behaves() {
    let loaded = guest_that("").await;
    exchange(&loaded).await.unwrap();
    assert_eq!(loaded.live(), 0);
}
