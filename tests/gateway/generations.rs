//! Generations: how a chain drains when another takes its place, and how the one before comes back.

use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::*;

const REDACTS: &str =
    "policies: {chain: [pii-detector]}\npolicy: {pii-detector: {requests: false}}";
const NONE: &str = "policies: {chain: []}";

fn generation(wanted: u64) -> impl Fn(&Value) -> bool {
    move |last| last["generation"] == wanted
}

/// `one `, then, behind a gate, an address; behind another the end.
async fn gated() -> Scripted {
    let steps = [
        Step::Write(event("one ")),
        Step::Gate,
        Step::Write(event("ann@example.org, ")),
        Step::Gate,
        Step::Write(event("two") + &finish(0) + DONE),
    ];
    Scripted::serve(steps.to_vec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_drains_in_sight_and_is_gone_with_its_last_exchange() {
    let upstream = gated().await;
    let bench = Bench::to(REDACTS, vec![upstream.address]).await;
    let mut stream = bench.open(&ask_stream("hi"), &[]).await;
    stream.read_until("one").await;
    let began_on = std::sync::Arc::downgrade(&bench.gateway.current());
    assert_eq!(bench.status().await["exchanges"], 1);

    bench.configure(NONE);
    let status = bench.reloaded("it is there", generation(2)).await;
    assert_eq!(
        (&status["exchanges"], &status["before"]),
        (&json!(0), &status["draining"][0]["chain"])
    );
    let draining = &status["draining"][0];
    assert_eq!(
        (
            &draining["generation"],
            &draining["exchanges"],
            &draining["expired"]
        ),
        (&json!(1), &json!(1), &json!(false))
    );
    assert!(draining["deadline_s"].as_u64().unwrap() > 500, "{draining}");
    assert!(began_on.upgrade().is_some());

    upstream.go_on();
    upstream.go_on();
    let reply = stream.finish().await;
    assert_eq!(reply.said().content(), "one [EMAIL], two");
    bench.settled().await;
    until("nothing is left of generation 1", async || {
        (began_on.strong_count() == 0).then_some(())
    })
    .await;
    assert_eq!(bench.status().await["draining"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_drain_deadline_stages_take_their_on_error() {
    for on_error in ["deny", "skip"] {
        let upstream = gated().await;
        let config = format!(
            "policies: {{chain: [{{id: pii-detector, on_error: {on_error}}}, audit-logger]}}\n\
             policy: {{pii-detector: {{requests: false}}}}"
        );
        let bench = Bench::to(&config, vec![upstream.address]).await;
        let mut stream = bench.open(&ask_stream("hi"), &[]).await;
        stream.read_until("one").await;

        bench.configure("policies: {chain: []}\nreload: {drain: 1s}");
        until("its time is over", async || {
            let status = bench.status().await;
            let draining = status["draining"].get(0)?;
            (draining["expired"] == true).then_some(())
        })
        .await;
        upstream.go_on();
        upstream.go_on();
        let reply = stream.finish().await;
        if on_error == "skip" {
            let said = reply.said();
            assert_eq!(said.content(), "one ann@example.org, two");
            assert!(reply.is_done(), "{}", reply.text());
        } else {
            let last = reply.events().pop().unwrap();
            assert_eq!(last["error"]["type"], "policy_failed", "{last}");
            assert_eq!(last["error"]["code"], "drained", "{last}");
            assert!(!reply.text().contains("ann@"), "{}", reply.text());
            assert!(!reply.is_done(), "{}", reply.text());
        }
        // The stages that hear of the end hear of it all the same.
        let journal = bench.journal().await;
        let ended = if on_error == "skip" {
            "completed"
        } else {
            "faulted"
        };
        assert_eq!((journal.len(), &journal[0]["ended"]), (1, &json!(ended)));
        assert_eq!(bench.status().await["draining"], json!([]));
        let metrics = bench.ask_admin("/metrics").await;
        assert!(
            !metrics.text().contains("class=\"drained\""),
            "its stages are gone, and their counts"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_brings_back_what_ran_before_from_memory() {
    let bench = Bench::of("policies: {chain: []}").await;
    let refused = bench.tell_admin("/rollback").await;
    assert_eq!(refused.error(), (409, "nothing_before".into()));

    let good = tokio::task::spawn_blocking(policies::third_party)
        .await
        .unwrap();
    let component = bench.folder.path().join("tone.wasm");
    std::fs::copy(good, &component).unwrap();
    bench.configure(
        "policies: {chain: [{id: tone, component: ./tone.wasm}]}\npolicy: {tone: {limit: 3}}",
    );
    let tone = bench.reloaded("it is there", generation(2)).await;
    bench.configure(REDACTS);
    bench.reloaded("it is there", generation(3)).await;
    // Its bytes are not read again: on the disk is another file by now.
    std::fs::write(&component, "not a component").unwrap();

    let done = bench.tell_admin("/rollback").await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(
        (&done.json()["result"], &done.json()["generation"]),
        (&json!("rolled-back"), &json!(4))
    );
    let loud = bench.chat(&ask("say: LOUD")).await;
    assert_eq!(loud.error(), (403, "shouting".into()));
    let status = bench.status().await;
    assert_eq!(status["digest"], tone["digest"]);
    assert!(
        status["last_rollback"]["from"]
            .as_str()
            .unwrap()
            .starts_with("3-"),
        "{status}"
    );
    assert!(
        status["last_rollback"]["to"]
            .as_str()
            .unwrap()
            .starts_with("4-"),
        "{status}"
    );

    // One step and no other.
    let again = bench.tell_admin("/rollback").await;
    assert_eq!(again.error(), (409, "nothing_before".into()));
    // The files say what was left, and stay without effect until somebody asks, or changes them.
    bench.configure(&format!("# touched\n{REDACTS}"));
    let asked = bench.tell_admin("/reload").await;
    assert_eq!(
        (asked.status, asked.json()["generation"].as_u64()),
        (200, Some(5)),
        "{}",
        asked.text()
    );
    assert_eq!(bench.chat(&ask("say: LOUD")).await.said().content(), "LOUD");
    let metrics = bench.ask_admin("/metrics").await;
    let counted = "witgate_rollbacks_total{cause=\"operator\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_is_asked_for_says_what_came_of_it() {
    let bench = Bench::of(NONE).await;
    let same = bench.tell_admin("/reload").await;
    assert_eq!(
        (same.status, &same.json()["result"]),
        (200, &json!("unchanged"))
    );
    assert_eq!(same.json()["chain"], bench.status().await["chain"]);

    bench.configure("policies: {chian: []}");
    let wrong = bench.tell_admin("/reload").await;
    assert_eq!(wrong.error(), (422, "wrong_configuration".into()));
    assert!(
        wrong.text().contains("did you mean `chain`?"),
        "{}",
        wrong.text()
    );
    bench.configure("policies: {chain: [{id: none, component: ./none.wasm}]}");
    let wrong = bench.tell_admin("/reload").await;
    assert_eq!(wrong.error(), (422, "cannot_be_built".into()));
    bench.configure("policies: {chain: [pii-detector]}\npolicy: {pii-detector: {fromat: hash}}");
    bench
        .reloaded("it is refused", |last| {
            last["error"]
                .as_str()
                .is_some_and(|why| why.contains("fromat"))
        })
        .await;
    // What failed is not tried again as it is, whoever asks.
    let failed = reloads_failed(&bench).await;
    let again = bench.tell_admin("/reload").await;
    assert_eq!(again.error(), (409, "failed_before".into()));
    assert!(again.text().contains("fromat"), "{}", again.text());
    assert_eq!(reloads_failed(&bench).await, failed);

    bench.configure(REDACTS);
    until("it is there", async || {
        let reply = bench.tell_admin("/reload").await;
        (reply.json()["generation"] == 2).then_some(())
    })
    .await;
    assert_eq!(bench.ask_admin("/reload").await.status, 405);
}

async fn reloads_failed(bench: &Bench) -> String {
    let metrics = bench.ask_admin("/metrics").await;
    let name = "witgate_reloads_total{result=\"failed\"}";
    let line = metrics.text().lines().find(|line| line.starts_with(name));
    line.unwrap().to_owned()
}
