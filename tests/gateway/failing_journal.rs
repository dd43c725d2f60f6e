//! A journal that can't be written, and what the gateway does until it can.

use std::process::Command;
use std::sync::Arc;

use crate::support::bench::entries;
use crate::support::*;

const BUNDLED: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_was_moved_away_closes_the_gateway_until_it_is_back() {
    let bench = Bench::of(BUNDLED).await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    bench.settled().await;
    let (journal, away) = (
        bench.folder.path().join("journal.db"),
        bench.folder.path().join("away.db"),
    );
    std::fs::rename(&journal, &away).unwrap();
    until("the gateway is closed", async || {
        (bench.chat(&ask("say: hi")).await.status == 503).then_some(())
    })
    .await;
    let refused = bench.chat(&ask_stream("say: hi")).await;
    assert_eq!(refused.error(), (503, "journal_failed".into()));
    assert_eq!(refused.header("retry-after"), "5");
    let ready = bench.ask_admin("/readyz").await;
    assert!(
        ready.status == 503 && ready.text().contains("journal"),
        "{}",
        ready.text()
    );
    assert_eq!(bench.ask_admin("/healthz").await.status, 200);
    assert_eq!(bench.status().await["journal"]["ok"], false);

    std::fs::rename(&away, &journal).unwrap();
    until("it is open again", async || {
        (bench.ask_admin("/readyz").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_stage_must_write_a_failing_journal_closes_nothing() {
    let bench = Bench::of("policies: {chain: [{id: audit-logger, on_error: skip}]}").await;
    std::fs::remove_file(bench.folder.path().join("journal.db")).unwrap();
    until("the journal fails", async || {
        assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
        (bench.status().await["journal"]["ok"] == false).then_some(())
    })
    .await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    let ready = bench.ask_admin("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_instance_waits_for_the_disk() {
    let bench = Bench::of("policies: {chain: [audit-logger]}").await;
    // Another program has the file locked: the commit waits for it.
    let database = rusqlite::Connection::open(bench.folder.path().join("journal.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    until("the policy has written its entry", async || {
        let metrics = bench.ask_admin("/metrics").await;
        let done =
            r#"witgate_hook_duration_seconds_count{stage="audit-logger",hook="on-complete"} 1"#;
        metrics.text().contains(done).then_some(())
    })
    .await;
    until("no instance is left", async || {
        let metrics = bench.ask_admin("/metrics").await;
        metrics
            .text()
            .contains("witgate_instances_live 0")
            .then_some(())
    })
    .await;
    let stats = bench.gateway.services().journal.stats();
    assert_eq!((stats.entries, stats.failures), (0, 0));
    database.execute_batch("COMMIT").unwrap();
    assert_eq!(bench.journal().await.len(), 1);
}

/// A disk that takes nothing more: a limit on the size of files, which the process outlives.
fn limit(process: &Process, bytes: &str) {
    let id = process.id().to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &id, &format!("--fsize={bytes}")])
        .status();
    assert!(
        limited
            .expect("prlimit (util-linux) is needed for this test")
            .success()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_closes_the_gateway_until_there_is_room() {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gateway = Process::run_unstoppable_by("XFSZ", folder, BUNDLED, &[upstream.address]).await;
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 200);
    let journal = gateway.journal();
    until("it is written", async || {
        (entries(&journal).len() == 1).then_some(())
    })
    .await;

    let used = std::fs::metadata(journal.with_extension("db-wal"))
        .unwrap()
        .len();
    limit(&gateway, &format!("{used}:unlimited"));
    let mut unrecorded = Vec::new();
    until("the gateway is closed", async || {
        let reply = gateway.chat(&ask("say: hi")).await;
        if reply.status == 200 {
            unrecorded.push(reply.header("x-request-id").to_owned());
        }
        (reply.status == 503).then_some(())
    })
    .await;
    assert_eq!(
        gateway.chat(&ask("say: hi")).await.error(),
        (503, "journal_failed".into())
    );
    assert_eq!(gateway.ask_admin("/readyz").await.unwrap().status, 503);
    until("it is counted", async || {
        let metrics = gateway.ask_admin("/metrics").await?;
        (!metrics.text().contains("witgate_journal_failures_total 0")).then_some(())
    })
    .await;

    limit(&gateway, "unlimited:unlimited");
    until("it is open again", async || {
        (gateway.ask_admin("/readyz").await?.status == 200).then_some(())
    })
    .await;
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 200);
    // What went out as the disk filled up is in it now, in the least form at least.
    for id in unrecorded {
        let recorded = entries(&journal)
            .into_iter()
            .any(|entry| entry["id"] == *id);
        assert!(recorded, "{id}");
    }
    let store = format!("sqlite:{}", journal.display());
    let verified = gateway
        .witgate(&["audit", "verify", "--store", &store])
        .await;
    assert_eq!(verified.code, 0, "{verified:?}");
}
