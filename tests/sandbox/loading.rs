//! What is no policy, or not the one that was meant, or one that asks for too much: each has its sentence.

use serde_json::json;
use witgate::policy::{CONTRACT, Class, LoadError, MAX_SIZE, inspect};

use crate::guests::forge::{CONFIGURED, Forged, returning};
use crate::support::appending::appending;
use crate::support::{failed_in, guest, load, refusal_of, refused, spec, spec_of};

async fn refusal(bytes: &[u8]) -> LoadError {
    refused(spec(&json!({})), bytes).await
}

/// A component without code, in WebAssembly's text format.
async fn refusal_of_text(text: &str) -> LoadError {
    refusal(&wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn empty_file() {
    let error = refusal(b"").await;
    assert!(matches!(error, LoadError::Empty), "{error:?}");
}

#[tokio::test]
async fn not_wasm() {
    let error = refusal(b"\x7fELF and so on").await;
    assert!(matches!(error, LoadError::NotWasm), "{error:?}");
}

#[tokio::test]
async fn core_module() {
    let error = refusal(&Forged::default().module()).await;
    assert!(matches!(error, LoadError::CoreModule), "{error:?}");
}

#[tokio::test]
async fn too_large() {
    let mut bytes = guest::component().to_vec();
    bytes.resize(MAX_SIZE + 1, 0);
    let error = refusal(&bytes).await;
    assert!(
        matches!(error, LoadError::TooLarge { size } if size == MAX_SIZE + 1),
        "{error}"
    );
}

/// However much of it is there, and whichever byte is another: an error or an inspection, never a panic.
#[test]
fn truncated_or_damaged() {
    let whole = guest::component();
    for length in (0..whole.len()).step_by(997) {
        assert!(
            inspect(&whole[..length]).is_err(),
            "the first {length} bytes pass for all"
        );
    }
    let mut damaged = whole.to_vec();
    for place in (0..whole.len()).step_by(613) {
        damaged[place] ^= 0xff;
        let _ = inspect(&damaged);
        damaged[place] = whole[place];
    }
    inspect(&damaged).unwrap();
}

#[tokio::test]
async fn truncated() {
    let whole = guest::component();
    let error = refusal(&whole[..whole.len() / 2]).await;
    assert!(matches!(error, LoadError::Broken(_)), "{error}");
    assert!(
        error.to_string().contains("still being written?"),
        "{error}"
    );
}

#[tokio::test]
async fn wrong_world() {
    let error = refusal_of_text("(component)").await;
    assert!(matches!(error, LoadError::NotAPolicy), "{error:?}");
    let other =
        r#"(component (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))"#;
    let error = refusal_of_text(other).await;
    assert!(matches!(error, LoadError::NotAPolicy), "{error:?}");
}

#[tokio::test]
async fn wrong_version_of_the_contract() {
    for version in ["0.2.0", "2.0.0", "0.0.9"] {
        let text = format!(
            r#"(component (instance $i) (export "witgate:policy/policy@{version}" (instance $i)))"#
        );
        let error = refusal_of_text(&text).await;
        assert!(
            matches!(&error, LoadError::WrongVersion { found } if found == version),
            "{error}"
        );
        assert!(error.to_string().contains(CONTRACT), "{error}");
    }
}

#[tokio::test]
async fn right_name_and_wrong_shape() {
    let empty = r#"(component (instance $i) (export "witgate:policy/policy@1.0.0" (instance $i)))"#;
    let error = refusal_of_text(empty).await;
    assert!(matches!(error, LoadError::Misfit(_)), "{error}");
}

#[tokio::test]
async fn journal_without_the_grant() {
    let forged = Forged {
        world: "policy-component-with-all-grants",
        imports: r#"(import "witgate:policy/journal@1.0.0" "append" (func (param i32 i32 i32)))"#
            .into(),
        ..Forged::default()
    };
    let error = refusal(&forged.component()).await;
    assert!(
        matches!(&error, LoadError::NotGranted { grant, .. } if grant == "journal"),
        "{error}"
    );
    assert!(error.to_string().contains("`grants: [journal]`"), "{error}");
    let mut granted = spec(&json!({}));
    granted.grants = vec![witgate::config::Grant::Journal];
    load(granted, &forged.component()).await.unwrap();
}

#[tokio::test]
async fn grants_that_are_not_offered() {
    let error = refusal_of_text(&importing("witgate:policy/everything@1.0.0")).await;
    assert!(
        matches!(&error, LoadError::NotOffered(name) if name == "everything"),
        "{error}"
    );
    let error = refusal_of_text(&importing("witgate:policy/http@1.0.0")).await;
    let wanted = "`grants: [{http: {hosts: [{url: https://HOST,";
    assert!(error.to_string().contains(wanted), "{error}");
}

#[tokio::test]
async fn imports_that_no_policy_is_given() {
    for import in [
        "wasi:http/types@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "evil:thing/x@1.0.0",
        "thing",
    ] {
        let error = refusal_of_text(&importing(import)).await;
        assert!(
            matches!(&error, LoadError::UnknownImport(name) if name == import),
            "{error}"
        );
    }
}

fn importing(import: &str) -> String {
    format!(
        r#"(component (import "{import}" (instance))
            (instance $i) (export "witgate:policy/policy@1.0.0" (instance $i)))"#
    )
}

#[tokio::test]
async fn digest_mismatch() {
    let component = Forged::default().component();
    let found = inspect(&component).unwrap().digest;
    let mut pinned = spec(&json!({}));
    pinned.pinned = Some(found.to_uppercase());
    load(pinned.clone(), &component).await.unwrap();
    let wrong = format!("sha256:{}", "0".repeat(64));
    pinned.pinned = Some(wrong.clone());
    let error = refused(pinned, &component).await;
    assert!(
        error.to_string().contains(&found) && error.to_string().contains(&wrong),
        "{error}"
    );
    assert!(matches!(error, LoadError::WrongDigest { .. }), "{error:?}");
}

/// It takes its configuration and then falls over in each hook: no exchange has to find that out.
#[tokio::test]
async fn what_fails_from_the_start_is_found_by_the_self_test() {
    for (hook, step) in [
        ("constructor", "start"),
        ("on-request", "on-request"),
        ("on-answer", "on-answer"),
        ("on-delta", "on-delta"),
        ("on-end", "on-end"),
        ("on-complete", "on-complete"),
    ] {
        let settings = json!({"misdeed": format!("trap-in-{hook}"), "from_the_start": true});
        let error = refusal_of(spec(&settings)).await;
        failed_in(
            &error,
            &format!("self-test {step}"),
            Class::Trap,
            "unreachable",
        );
    }
}

#[tokio::test]
async fn settings_that_the_policy_does_not_know() {
    let error = refusal_of(spec_of("be-nice")).await;
    assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    assert!(
        error.to_string().ends_with("there is no misdeed be-nice"),
        "{error}"
    );
}

/// Memories of one component count together.
#[tokio::test]
async fn memories_together_over_the_limit() {
    let component = appending(Forged::default().component(), "(module (memory 1022))", 1);
    let error = refused(spec(&json!({})), &component).await;
    failed_in(&error, "start", Class::Memory, "over its limit of 67108864");
    // Two pages fewer fit beside the four of the policy's own.
    let component = appending(Forged::default().component(), "(module (memory 1020))", 1);
    load(spec(&json!({})), &component).await.unwrap();
}

#[tokio::test]
async fn memory_over_the_limit_from_the_start() {
    let mut spec = spec(&json!({}));
    spec.limits.memory = 1 << 20;
    let forged = Forged {
        memory: r#"(memory (export "memory") 17)"#,
        ..Forged::default()
    };
    let error = refused(spec, &forged.component()).await;
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
        let error = refused(spec(&json!({})), &component).await;
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
        "(module (memory 1 1 shared))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))",
    ] {
        let component = appending(Forged::default().component(), module, 1);
        let error = load(spec(&json!({})), &component).await.err();
        let error = error.unwrap_or_else(|| panic!("{module} loads"));
        assert!(
            matches!(error, LoadError::Uncompiled(_)),
            "{module}: {error}"
        );
    }
}

/// The engine has several memories in a module for its own use.
#[tokio::test]
async fn a_module_with_two_memories() {
    for module in [
        "(module (memory 1) (memory 1))",
        r#"(module (import "" "m" (memory 1)) (memory 1))"#,
    ] {
        let component = appending(Forged::default().component(), module, 0);
        let error = refusal(&component).await;
        assert!(matches!(error, LoadError::Memories), "{module}: {error}");
    }
}

/// One part calls the other with a text: what the engine writes between them has two memories. Without that it broke down.
#[tokio::test]
async fn a_component_of_two_parts_is_compiled() {
    let error = refusal_of_text(
        r#"(component
          (component $A
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
              (func (export "take") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "text" string)
              (canon lift (core func $i "take") (memory $i "memory") (realloc (func $i "realloc")))))
          (instance $a (instantiate $A))
          (component $B
            (import "take" (func $take (param "text" string)))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (core func $take (canon lower (func $take) (memory $memory "memory")))
            (core module $m
              (import "" "take" (func $take (param i32 i32)))
              (func (export "give") i32.const 0 i32.const 1 call $take))
            (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
            (func (export "give") (canon lift (core func $i "give"))))
          (instance $b (instantiate $B (with "take" (func $a "take"))))
          (export "witgate:policy/policy@1.0.0" (instance $b)))"#,
    )
    .await;
    // It was compiled, and is no policy.
    assert!(matches!(error, LoadError::Misfit(_)), "{error}");
}

/// A policy of the future: the interfaces that it imports have functions that this host's haven't.
#[tokio::test]
async fn what_needs_a_newer_host_is_told_so() {
    for (version, interface, function) in [
        ("1.7.0", "host", "sing"),
        ("1.7.0", "request", "rewind"),
        ("1.7.0", "counters", "halve"),
        // Of the contract before, which hadn't what the present one has.
        ("0.1.7", "host", "sing"),
        ("0.1.0", "request", "respond-finish"),
    ] {
        let text = format!(
            r#"(component
              (import "witgate:policy/{interface}@{version}" (instance (export "{function}" (func))))
              (instance $i) (export "witgate:policy/policy@{version}" (instance $i)))"#
        );
        let mut all = spec(&json!({}));
        all.grants = witgate::config::Grant::ALL.to_vec();
        let error = refused(all, &wat::parse_str(text).unwrap()).await;
        let newer = |error: &LoadError| matches!(error, LoadError::Newer { interface: i, function: f } if i == interface && f == function);
        assert!(newer(&error), "{error}");
        let sentence = error.to_string();
        assert!(
            sentence.contains("a newer gateway") && sentence.contains(CONTRACT),
            "{sentence}"
        );
    }
    // What it takes of another's shape is no sign of age.
    let text = r#"(component
      (import "witgate:policy/request@1.0.0" (instance (export "size" (func (result string)))))
      (instance $i) (export "witgate:policy/policy@1.0.0" (instance $i)))"#;
    let error = refusal_of_text(text).await;
    assert!(matches!(error, LoadError::Misfit(_)), "{error}");
}

/// A policy that says it looks out for this.
fn interested(expression: &str) -> Vec<u8> {
    let length = u32::try_from(expression.len()).unwrap();
    let forged = Forged {
        configure: returning(CONFIGURED, &[0, 7, 1, 3000, length]),
        extra: format!("(data (i32.const 3000) {expression:?})"),
        ..Forged::default()
    };
    forged.component()
}

#[tokio::test]
async fn an_interest_that_is_no_expression_or_too_large() {
    let good = load(spec(&json!({})), &interested("a|b")).await.unwrap();
    assert_eq!(good.stage.interest().unwrap().source(), "a|b");
    for (expression, why) in [
        ("(", "unclosed group"),
        (r"(\w{0,200}x){0,200}", "more than 4 MiB when compiled"),
    ] {
        let error = refusal(&interested(expression)).await;
        assert!(matches!(error, LoadError::Interest { .. }), "{error}");
        let sentence = error.to_string();
        assert!(
            sentence.contains("`forged`") && sentence.contains(why),
            "{sentence}"
        );
    }
}
