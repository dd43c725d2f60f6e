//! Misdeeds that Rust can't do: policies written as core WebAssembly.

use serde_json::json;
use witgate::config::Grant;
use witgate::journal::{Journal, Options};
use witgate::metrics::Metrics;
use witgate::policy::types::{Channel, Edit, Hooks};
use witgate::policy::{Class, Failure, LoadError};

use crate::support::forge::{CONFIGURED, EDIT, Forged, OPENED, VERDICT, appending, returning};
use crate::support::{Loaded, failed_in, is, load, plan, refused, sandbox};

const LOOP: &str = "(loop $again (br $again)) unreachable";

async fn loaded(forged: Forged) -> Loaded {
    load(plan(&json!({})), &forged.component()).await.unwrap()
}

async fn refusal(forged: Forged) -> LoadError {
    refused(plan(&json!({})), &forged.component()).await
}

/// A policy that replaces the first segment, and proceeds.
pub(crate) async fn policy_that_edits() -> Loaded {
    let import = r#"(import "witgate:policy/request@0.1.0" "replace-segment" (func $replace (param i32 i32 i32)))"#;
    loaded(Forged {
        imports: import.into(),
        extra: r#"(data (i32.const 2048) "edited")"#.into(),
        on_request: format!(
            "(call $replace (i32.const 0) (i32.const 2048) (i32.const 6)) (i32.const {VERDICT})"
        ),
        ..Forged::default()
    })
    .await
}

/// What this policy's `on-delta` comes to.
async fn on_delta(on_delta: String) -> Result<Edit, Failure> {
    let loaded = loaded(Forged {
        on_delta,
        ..Forged::default()
    })
    .await;
    let (mut instance, passage) = loaded.answering().await;
    let answer = instance.on_delta(&passage, "hello").await;
    match &answer {
        Ok(_) => drop(instance),
        Err(_) => loaded.recovers(instance).await,
    }
    assert_eq!(loaded.live(), 0);
    answer
}

/// Else each test below could pass because the forging went wrong.
#[tokio::test]
async fn the_forged_policy_is_a_good_one() {
    let loaded = loaded(Forged::default()).await;
    assert_eq!(loaded.stage.policy(), ("forged", "1.0.0"));
    assert_eq!(loaded.stage.hooks(), Hooks::all());
    assert_eq!(
        on_delta(format!("i32.const {EDIT}")).await.unwrap(),
        Edit::Forward
    );
    let text = r#"(i32.store (i32.const 2048) (i32.const 0x6a6a6a6a)) "#.to_owned();
    let replaced = on_delta(text + &returning(EDIT, &[3, 2048, 4])).await;
    assert_eq!(replaced.unwrap(), Edit::Replace("jjjj".into()));
}

#[tokio::test]
async fn loop_in_describe() {
    let error = refusal(Forged {
        describe: LOOP.into(),
        ..Forged::default()
    })
    .await;
    failed_in(&error, "describe", Class::Deadline, "limit of 2000 ms");
}

#[tokio::test]
async fn loop_in_the_start_function() {
    let extra = format!(
        "(func $start {}) (start $start)",
        "(loop $again (br $again))"
    );
    let error = refusal(Forged {
        extra,
        ..Forged::default()
    })
    .await;
    failed_in(&error, "start", Class::Deadline, "limit of 2000 ms");
}

#[tokio::test]
async fn trap_in_describe() {
    let error = refusal(Forged {
        describe: "unreachable".into(),
        ..Forged::default()
    })
    .await;
    failed_in(&error, "describe", Class::Trap, "unreachable");
}

/// After a result was read, the guest may free it, and never come back from that.
#[tokio::test]
async fn loop_after_returning() {
    let name = "cabi_post_witgate:policy/policy@0.1.0#[method]passage.on-delta";
    let body = format!("(if (global.get $state) (then {LOOP}))");
    let loaded = loaded(Forged {
        extra: format!(r#"(func (export "{name}") (param i32) {body})"#),
        on_delta: format!("(global.set $state (i32.const 1)) (i32.const {EDIT})"),
        ..Forged::default()
    })
    .await;
    let (mut instance, passage) = loaded.answering().await;
    let failure = instance.on_delta(&passage, "hello").await.unwrap_err();
    is(&failure, Class::Deadline, "limit of 5 ms");
    loaded.recovers(instance).await;
}

#[tokio::test]
async fn loop_in_realloc() {
    let error = refusal(Forged {
        realloc: LOOP.into(),
        ..Forged::default()
    })
    .await;
    failed_in(&error, "configure", Class::Deadline, "limit of 2000 ms");
}

#[tokio::test]
async fn realloc_that_points_out_of_bounds() {
    for address in ["0xfffffff0", "262143", "0x7fffffff"] {
        let realloc = format!("i32.const {address}");
        let error = refusal(Forged {
            realloc,
            ..Forged::default()
        })
        .await;
        failed_in(&error, "configure", Class::Output, "realloc return");
    }
}

/// Every string at the same place: the guest overwrites what is its own, and that is all.
#[tokio::test]
async fn realloc_that_points_at_its_own_code_tables() {
    let loaded = loaded(Forged {
        realloc: "i32.const 0".into(),
        ..Forged::default()
    })
    .await;
    let (mut instance, passage) = loaded.answering().await;
    let text = "x".repeat(200_000);
    // Whatever it does with its own memory: the host gets an answer or a failure.
    let _ = instance.on_delta(&passage, &text).await;
    drop(instance);
    assert_eq!(loaded.live(), 0);
}

#[tokio::test]
async fn string_out_of_bounds() {
    for (pointer, length) in [(262_140, 8), (u32::MAX, 1), (0, 262_145), (16, u32::MAX)] {
        let failure = on_delta(returning(EDIT, &[3, pointer, length]))
            .await
            .unwrap_err();
        is(&failure, Class::Output, "out of bounds");
    }
}

#[tokio::test]
async fn result_out_of_bounds() {
    for address in [262_140_u32, u32::MAX - 3] {
        let failure = on_delta(format!("i32.const {}", address as i32))
            .await
            .unwrap_err();
        assert_eq!(failure.class, Class::Output, "{failure}");
    }
}

#[tokio::test]
async fn result_at_an_odd_address() {
    let failure = on_delta("i32.const 1281".into()).await.unwrap_err();
    is(&failure, Class::Output, "aligned");
}

#[tokio::test]
async fn invalid_utf8() {
    let bytes = "(i32.store (i32.const 2048) (i32.const -1)) ".to_owned();
    let failure = on_delta(bytes + &returning(EDIT, &[3, 2048, 4]))
        .await
        .unwrap_err();
    is(&failure, Class::Output, "utf-8");
}

#[tokio::test]
async fn edit_that_is_none() {
    let failure = on_delta(returning(EDIT, &[9])).await.unwrap_err();
    is(&failure, Class::Output, "discriminant");
}

/// `respond` with a list that is longer than all memory, or that says so little per element that the host's copy is the cost.
#[tokio::test]
async fn huge_lists() {
    for (length, words) in [(u32::MAX, ""), (0x1000_0000, ""), (8_000, "")] {
        let on_request = returning(VERDICT, &[2, 0, length]);
        let error = refusal(Forged {
            on_request,
            ..Forged::default()
        })
        .await;
        failed_in(&error, "self-test on-request", Class::Output, words);
    }
}

#[tokio::test]
async fn verdict_that_is_none() {
    let error = refusal(Forged {
        on_request: returning(VERDICT, &[3]),
        ..Forged::default()
    })
    .await;
    failed_in(
        &error,
        "self-test on-request",
        Class::Output,
        "discriminant",
    );
}

/// A passage that it never made.
#[tokio::test]
async fn forged_passage() {
    let error = refusal(Forged {
        on_answer: returning(OPENED, &[1, 77]),
        ..Forged::default()
    })
    .await;
    failed_in(
        &error,
        "self-test on-answer",
        Class::Output,
        "unknown handle index 77",
    );
}

/// A passage that it gave away already.
#[tokio::test]
async fn passage_given_twice() {
    let on_answer = format!(
        "(if (i32.eqz (global.get $state)) (then (global.set $state (call $new-passage (i32.const 1)))))
         (i32.store (i32.const {}) (global.get $state)) (i32.const {OPENED})",
        OPENED + 4
    );
    let loaded = loaded(Forged {
        on_answer,
        ..Forged::default()
    })
    .await;
    let (mut instance, _passage) = loaded.answering().await;
    let failure = instance.on_answer(1, &Channel::Content).await.unwrap_err();
    is(&failure, Class::Output, "unknown handle index");
    loaded.recovers(instance).await;
}

#[tokio::test]
async fn forged_exchange() {
    let error = refusal(Forged {
        constructor: "i32.const 99".into(),
        ..Forged::default()
    })
    .await;
    failed_in(
        &error,
        "self-test start",
        Class::Output,
        "unknown handle index 99",
    );
}

/// Flags that this contract doesn't know mean nothing.
#[tokio::test]
async fn hooks_that_are_none() {
    let loaded = loaded(Forged {
        configure: returning(CONFIGURED, &[0, 0xff]),
        ..Forged::default()
    })
    .await;
    assert_eq!(loaded.stage.hooks(), Hooks::all());
}

#[tokio::test]
async fn long_name() {
    let describe = returning(1024, &[16_384, 100_000, 72, 5, 0, 0, 0]);
    let error = refusal(Forged {
        describe,
        ..Forged::default()
    })
    .await;
    failed_in(
        &error,
        "describe",
        Class::Output,
        "its name is longer than 64 bytes",
    );
}

#[tokio::test]
async fn table_that_grows() {
    let loaded = loaded(Forged {
        extra: "(table $grown 1 funcref)".into(),
        on_delta: format!(
            "(drop (table.grow $grown (ref.null func) (i32.const 20000))) (i32.const {EDIT})"
        ),
        ..Forged::default()
    })
    .await;
    let (mut instance, passage) = loaded.answering().await;
    let failure = instance.on_delta(&passage, "hello").await.unwrap_err();
    is(&failure, Class::Memory, "a table of 20001 elements");
    loaded.recovers(instance).await;
}

/// Memories of one component count together.
#[tokio::test]
async fn memories_together_over_the_limit() {
    let component = appending(Forged::default().component(), "(module (memory 1022))", 1);
    let error = refused(plan(&json!({})), &component).await;
    failed_in(&error, "start", Class::Memory, "over its limit of 67108864");
    // Two pages fewer fit beside the four of the policy's own.
    let component = appending(Forged::default().component(), "(module (memory 1020))", 1);
    assert!(load(plan(&json!({})), &component).await.is_ok());
}

#[tokio::test]
async fn memory_over_the_limit_from_the_start() {
    let mut plan = plan(&json!({}));
    plan.limits.memory = 1 << 20;
    let forged = Forged {
        memory: r#"(memory (export "memory") 17)"#,
        ..Forged::default()
    };
    let error = refused(plan, &forged.component()).await;
    failed_in(
        &error,
        "start",
        Class::Memory,
        "wanted 1114112 bytes of memory, over its limit of 1048576",
    );
}

/// Else one component could use up what the pool keeps for others.
#[tokio::test]
async fn many_memories_tables_or_instances() {
    for (module, times, words) in [
        ("(module (memory 1))", 2, "memories"),
        ("(module (table 1 funcref))", 8, "tables"),
        ("(module)", 64, "core module instances"),
        ("(module (memory 1025))", 1, "memory"),
        ("(module (table 20001 funcref))", 1, "table"),
    ] {
        let component = appending(Forged::default().component(), module, times);
        let error = refused(plan(&json!({})), &component).await;
        assert!(
            matches!(error, LoadError::Uncompiled(_)),
            "{module}: {error}"
        );
        assert!(error.to_string().contains(words), "{module}: {error}");
    }
}

/// The fewest proposals is the smallest surface.
#[tokio::test]
async fn proposals_that_are_off() {
    for module in [
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (memory 1 1 shared))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))",
    ] {
        let component = appending(Forged::default().component(), module, 1);
        let error = load(plan(&json!({})), &component).await.err();
        let error = error.unwrap_or_else(|| panic!("{module} loads"));
        assert!(
            matches!(error, LoadError::Uncompiled(_)),
            "{module}: {error}"
        );
    }
}

/// A granted journal isn't one to fill a disk with.
#[tokio::test]
async fn flood_of_journal_entries() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db"), Options::default())
        .await
        .unwrap();
    let forged = Forged {
        world: "policy-component-with-all-grants",
        imports:
            r#"(import "witgate:policy/journal@0.1.0" "append" (func $append (param i32 i32 i32)))"#
                .into(),
        extra: r#"(data (i32.const 2048) "{}")"#.into(),
        on_complete: "(local $left i32) (local.set $left (i32.const 1000))
            (loop $again
              (call $append (i32.const 2048) (i32.const 2) (i32.const 3072))
              (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
            .into(),
        ..Forged::default()
    };
    let mut plan = plan(&json!({}));
    plan.grants = vec![Grant::Journal];
    let metrics = std::sync::Arc::new(Metrics::new());
    let stage = sandbox()
        .load(plan, &forged.component())
        .await
        .unwrap()
        .attached(Some(journal.clone()), &metrics, None);
    assert_eq!(
        journal.stats().entries,
        0,
        "the self-test's entries are not kept"
    );
    let loaded = Loaded { stage, metrics };
    loaded
        .started()
        .await
        .on_complete(crate::support::outcome())
        .await
        .unwrap();
    assert_eq!(journal.stats().entries, 64);
    journal.close().await;
}
