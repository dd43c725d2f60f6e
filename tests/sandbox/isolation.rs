//! Nothing survives from one exchange into the next, on slots that were used hundreds of times.

use serde_json::json;
use witgate::policy::engine::EngineSettings;
use witgate::policy::types::Verdict;
use witgate::policy::{Class, Sandbox};

use crate::guests::forge::{Forged, VERDICT};
use crate::support::{guest, is, load, load_in, settings, spec, spec_of};

/// With the kernel asked for dirty pages, and with memory put back by hand.
#[tokio::test]
async fn nothing_survives_with_pagemap_scan() {
    nothing_survives(true).await;
}

#[tokio::test]
async fn nothing_survives_without_pagemap_scan() {
    nothing_survives(false).await;
}

/// The guest looks for what it left in statics, memory, files and elsewhere, then leaves more of it. Others use the same slots
/// in between, and some of them break off.
async fn nothing_survives(pagemap_scan: bool) {
    let settings = EngineSettings {
        exchanges: 1,
        stages: 1,
        pagemap_scan: Some(pagemap_scan),
        ..settings()
    };
    let sandbox = Sandbox::new(settings).unwrap();
    let peeking = load_in(&sandbox, spec_of("peek"), guest::component())
        .await
        .unwrap();
    let falling = load_in(&sandbox, spec_of("steps-in-on-request"), guest::component())
        .await
        .unwrap();
    let other = load_in(&sandbox, spec(&json!({})), &Forged::default().component())
        .await
        .unwrap();
    for round in 0..60 {
        // Several at once, so that more than one slot is in use, and each is used again and again.
        let mut open = Vec::new();
        for _ in 0..5 {
            let mut instance = peeking.started().await;
            let verdict = instance.on_request().await.unwrap().verdict;
            assert_eq!(verdict, Verdict::Proceed, "in round {round}");
            open.push(instance);
        }
        if round % 10 == 0 {
            let failure = falling.started().await.on_request().await.err().unwrap();
            is(&failure, Class::Memory, "over its limit");
        }
        other.started().await.on_request().await.unwrap();
    }
    assert_eq!(
        peeking.metrics.instances_created.get(),
        300,
        "nobody counts the self-test's"
    );
    assert_eq!(peeking.live(), 0);
}

/// Globals and tables aren't memory; they begin anew too.
#[tokio::test]
async fn globals_and_tables_begin_anew() {
    let forged = Forged {
        extra: "(table $seen 1 funcref) (elem declare func $mark) (func $mark)".into(),
        on_request: format!(
            "(if (i32.or (global.get $state) (i32.eqz (ref.is_null (table.get $seen (i32.const 0))))) (then unreachable))
             (global.set $state (i32.const 1))
             (table.set $seen (i32.const 0) (ref.func $mark))
             (i32.const {VERDICT})"
        ),
        ..Forged::default()
    };
    let loaded = load(spec(&json!({})), &forged.component()).await.unwrap();
    for _ in 0..300 {
        loaded.started().await.on_request().await.unwrap();
    }
    // In one exchange it does see them: the policy is able to tell.
    let mut instance = loaded.started().await;
    instance.on_request().await.unwrap();
    is(
        &instance.on_request().await.err().unwrap(),
        Class::Trap,
        "unreachable",
    );
}
