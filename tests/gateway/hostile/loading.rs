//! What can't be loaded, put into a chain that runs: it is refused by name, and the chain doesn't notice.

use super::*;
use crate::guests::forge::Forged;
use crate::guests::forged;

/// The chain that runs, and one stage more.
fn with_stage(id: &str) -> String {
    format!(
        "policies: {{chain: [{{id: calm, component: @hostile}}, {{id: {id}, component: ./{id}.wasm}}]}}\n\
         policy: {{{id}: {{misdeed: {id}}}}}"
    )
}

/// Files that are no policies, or not for this gateway.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| wat::parse_str(text).unwrap();
    let whole = std::fs::read(build::hostile()).unwrap();
    let ungranted = forged::MISDEEDS
        .iter()
        .find(|(name, ..)| *name == "flood-of-journal-entries");
    vec![
        ("empty", Vec::new()),
        ("no-wasm", b"#!/bin/sh\n".to_vec()),
        ("core-module", Forged::default().module()),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("wrong-world", text("(component)")),
        (
            "wrong-version",
            text(
                r#"(component (instance $i) (export "witgate:policy/policy@0.2.0" (instance $i)))"#,
            ),
        ),
        ("ungranted-import", ungranted.unwrap().2()[0].component()),
        (
            "unknown-import",
            text(
                r#"(component (import "wasi:http/types@0.2.0" (instance))
                    (instance $i) (export "witgate:policy/policy@1.0.0" (instance $i)))"#,
            ),
        ),
    ]
}

/// Every component that must not load, and its name.
fn unloaded() -> Vec<(&'static str, Vec<u8>)> {
    let whole = std::fs::read(build::hostile()).unwrap();
    let mut all = files();
    for (name, ends) in MISDEEDS {
        // One that waits does so for ten seconds; in the sandbox's test of its name the clock is paused.
        if matches!(ends, Ends::Unloaded) && !name.starts_with("sleep-") {
            all.push((name, whole.clone()));
        }
    }
    for (name, ends, policies) in forged::MISDEEDS {
        if matches!(ends, Ends::Unloaded) {
            all.push((name, policies()[0].component()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_loaded_leaves_the_chain_that_runs() {
    let bench = Bench::of("policies: {chain: [{id: calm, component: @hostile}]}").await;
    let question = ask_stream("say: hello!");
    let right = bench.chat(&question).await;
    assert_eq!(right.said().content(), "hello.");
    let all = tokio::task::spawn_blocking(unloaded).await.unwrap();
    for (name, component) in all {
        let file = bench.folder.path().join(format!("{name}.wasm"));
        std::fs::write(file, component).unwrap();
        bench.configure(&with_stage(name));
        let refused = |last: &Value| {
            let error = last["error"].as_str();
            error.is_some_and(|error| error.contains(&format!("`{name}`")))
        };
        let status = bench.reloaded(name, refused).await;
        assert_eq!(status["generation"], 1, "{status}");
        is_right(&bench.chat(&question).await, name, &right);
    }
    bench.settled().await;
}

/// As a copy that is slow leaves it, and then as a deployment puts it right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_written_then_renamed() {
    let bench = Bench::of("policies: {chain: []}").await;
    let whole = std::fs::read(build::hostile()).unwrap();
    let file = bench.folder.path().join("calm.wasm");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    bench.configure("policies: {chain: [{id: calm, component: ./calm.wasm}]}");
    let refused = |last: &Value| last["ok"] == false;
    let status = bench.reloaded("half of it is refused", refused).await;
    assert_eq!(status["generation"], 1, "{status}");
    let aside = bench.folder.path().join("aside");
    std::fs::write(&aside, &whole).unwrap();
    std::fs::rename(aside, file).unwrap();
    let there = |last: &Value| last["generation"] == 2;
    bench.reloaded("all of it is there", there).await;
    let reply = bench.chat(&ask("say: hello!")).await;
    assert_eq!(reply.said().content(), "hello.");
    bench.settled().await;
}
