//! Misdeeds that Rust can't do: the policies of `tests/guests/forged.rs`, one test per misdeed, each named after it.

mod endless;
mod handles;
mod keeping;
mod lying;
mod values;

use serde_json::json;
use witgate::config::Grant;
use witgate::policy::types::{Edit, Hooks};
use witgate::policy::{Class, StageSpec};

use crate::guests::forge::{EDIT, Forged, VERDICT, returning};
use crate::guests::forged::{MISDEEDS, Misdeed};
use crate::guests::list::Ends;
use crate::support::exchange::{exchange, fails};
use crate::support::{Served, failed_in, load, once_each, refused, spec, tests_below};

/// A plan that gives all there is.
fn granted() -> StageSpec {
    let mut spec = spec(&json!({}));
    spec.grants = vec![Grant::Journal];
    spec
}

async fn loaded(forged: &Forged) -> Served {
    load(granted(), &forged.component()).await.unwrap()
}

fn listed(misdeed: &str) -> &'static Misdeed {
    let found = MISDEEDS.iter().find(|(name, ..)| *name == misdeed);
    found.unwrap_or_else(|| panic!("{misdeed} isn't listed"))
}

/// Each of the misdeed's policies loads, ends as the list says and with those words, and leaves nothing behind.
async fn ends(misdeed: &str, words: &str) {
    let (_, ends, policies) = listed(misdeed);
    for forged in policies() {
        fails(misdeed, ends, &loaded(&forged).await, words).await;
    }
}

/// Each of them isn't loaded: that step fails, in that class and with those words.
async fn unloaded(misdeed: &str, step: &str, class: Class, words: &str) {
    let (_, ends, policies) = listed(misdeed);
    assert!(matches!(ends, Ends::Unloaded), "{ends:?}");
    for forged in policies() {
        let error = refused(granted(), &forged.component()).await;
        failed_in(&error, step, class, words);
    }
}

/// Each of them harms nothing.
async fn ends_well(misdeed: &str) {
    let (_, ends, policies) = listed(misdeed);
    assert!(matches!(ends, Ends::Well), "{ends:?}");
    for forged in policies() {
        let loaded = loaded(&forged).await;
        assert!(exchange(&loaded).await.is_ok(), "{misdeed}");
        assert_eq!(loaded.live(), 0);
    }
}

#[tokio::test]
async fn a_component_of_0_1_0_calls_what_0_1_0_had_last() {
    let mut imports = String::new();
    for (interface, function, parameters) in [
        ("request", "team", "i32"),
        ("request", "roles", "i32"),
        ("request", "cost-of", "i32 i32 i32 i32 i32"),
        ("request", "tags", "i32"),
        ("request", "answer-header", "i32 i32 i32 i32 i32"),
        ("kv", "put-new", "i32 i32 i32 i32 i32 i32"),
    ] {
        imports += &format!(
            r#"(import "witgate:policy/{interface}@0.1.0" "{function}" (func ${function} (param {parameters})))"#
        );
    }
    let text = "(i32.const 64) (i32.const 6)";
    let forged = Forged {
        world: "policy-component-with-all-grants",
        contract: "0.1.0",
        imports,
        // The team, which is none, and the price of a model without one: what is returned there says so. Each word of 4 bytes begins as 1.
        on_request: format!(
            "(i32.store (i32.const 3072) (i32.const 1)) (i32.store (i32.const 3088) (i32.const 1)) \
             (call $team (i32.const 3072)) (call $roles (i32.const 3104)) (call $tags (i32.const 3104)) \
             (call $cost-of {text} (i32.const 1) (i32.const 1) (i32.const 3088)) \
             (call $answer-header {text} {text} (i32.const 3104)) \
             (call $put-new {text} {text} (i32.const 60) (i32.const 3104)) \
             (if (i32.or (i32.load8_u (i32.const 3072)) (i32.load8_u (i32.const 3088))) (then unreachable)) \
             (i32.const {VERDICT})"
        ),
        ..Forged::default()
    };
    let mut granted = spec(&json!({}));
    granted.grants = vec![Grant::Kv];
    let loaded = load(granted, &forged.component()).await.unwrap();
    exchange(&loaded).await.unwrap();
}

#[test]
fn every_misdeed_has_a_test_and_every_test_a_misdeed() {
    let names = MISDEEDS.iter().map(|(name, ..)| *name);
    assert_eq!(tests_below("forged::"), once_each(names));
}

/// A policy that replaces the first segment, and proceeds.
pub(crate) async fn policy_that_edits() -> Served {
    let import = r#"(import "witgate:policy/request@1.0.0" "replace-segment" (func $replace (param i32 i32 i32)))"#;
    loaded(&Forged {
        imports: import.into(),
        extra: r#"(data (i32.const 2048) "edited")"#.into(),
        on_request: format!(
            "(call $replace (i32.const 0) (i32.const 2048) (i32.const 6)) (i32.const {VERDICT})"
        ),
        ..Forged::default()
    })
    .await
}

/// Else each test could pass because the forging went wrong.
#[tokio::test]
async fn the_forged_policy_is_a_good_one() {
    let good = loaded(&Forged::default()).await;
    assert_eq!(good.stage.loaded().policy(), ("forged", "1.0.0"));
    assert_eq!(good.stage.hooks(), Hooks::all());
    exchange(&good).await.unwrap();
    let text = "(i32.store (i32.const 2048) (i32.const 0x6a6a6a6a)) ".to_owned();
    let replacing = loaded(&Forged {
        on_delta: text + &returning(EDIT, &[3, 2048, 4]),
        ..Forged::default()
    })
    .await;
    let (mut instance, passage) = replacing.answering().await;
    let edit = instance.on_delta(&passage, "hello").await.unwrap();
    assert_eq!(edit, Edit::Replace("jjjj".into()));
}
