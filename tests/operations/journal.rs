//! The journal: complete, unbroken, and closed to what nobody could write down.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::scene::{Scene, text};
use crate::support::bench::entries;
use crate::support::process::{Done, run};
use crate::support::{Process, Reply, Upstream, Value, ask, ask_stream, until};

const AUDITED: &str = "policies: {chain: [{id: tone, component: \"@third-party\"}, audit-logger]}\npolicy: {tone: {limit: 3}}\n";

/// The most exchanges that run at once under load.
const RUNNING: usize = 16;

async fn audit(folder: &Path, line: &str) -> Done {
    let mut args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    args.insert(0, "audit".into());
    args.push("--store".into());
    args.push(format!("sqlite:{}", folder.join("journal.db").display()));
    run(folder, args).await
}

async fn verified(folder: &Path, more: &str) -> Value {
    let done = audit(folder, &format!("verify --format json {more}")).await;
    let found = done.json();
    assert_eq!(
        done.code == 0,
        found["sound"] == true && found["given_head"]["found"] != false,
        "{done:?}"
    );
    found
}

fn count(folder: &Path) -> usize {
    entries(&folder.join("journal.db")).len()
}

#[tokio::test]
async fn every_exchange_is_there_once_however_it_ended() {
    let upstream = Upstream::simulated().await;
    let mut scene = Scene::of(AUDITED, upstream.address).await;
    let gateway = &scene.gateway;
    let completed = gateway.chat(&ask("say: hello")).await;
    let denied = gateway.chat(&ask("LOUD")).await;
    let failed = gateway.chat(&ask("fault: 500 | say: x")).await;
    let mut left = gateway.open(&ask_stream("fault: stall | words: 50")).await;
    left.read_until("data:").await;
    let left_id = left.header("x-request-id");
    drop(left);
    assert_eq!((completed.status, denied.status), (200, 403));
    assert!(failed.status >= 500, "{}", failed.text());
    until("the journal has all four", async || {
        (count(scene.folder()) >= 4).then_some(())
    })
    .await;
    scene.gateway.terminate();
    assert!(scene.gateway.ended().await.success());

    let id = |reply: &Reply| reply.header("x-request-id").to_owned();
    let expected: BTreeSet<_> = [
        (id(&completed), "completed".to_owned()),
        (id(&denied), "denied".to_owned()),
        (id(&failed), "upstream-failed".to_owned()),
        (left_id, "disconnected".to_owned()),
    ]
    .into();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = entries(&scene.gateway.journal());
    let found: BTreeSet<_> = entries
        .iter()
        .map(|entry| (text(entry, "id"), text(entry, "ended")))
        .collect();
    assert_eq!((found, entries.len()), (expected, 4));

    let folder = scene.folder();
    assert_eq!(verified(folder, "").await["entries"], 4);
    let found = audit(folder, "query --format json --verdict deny")
        .await
        .json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["request_id"], id(&denied));
    assert_eq!(found[0]["body"]["policy"], "tone");
    let table = audit(folder, "query --limit 2").await;
    assert_eq!((table.code, table.out.lines().count()), (0, 3), "{table:?}");
    let lines = audit(folder, "export").await.out;
    let seqs: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].clone())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    let csv = audit(folder, "export --format csv").await.out;
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let at = csv
        .headers()
        .unwrap()
        .iter()
        .position(|title| title == "request_id")
        .unwrap();
    let ids: Vec<_> = csv
        .records()
        .map(|row| row.unwrap()[at].to_owned())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.contains(&id(&failed)));
}

#[tokio::test]
async fn a_gateway_killed_under_load_leaves_an_unbroken_chain() {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    let text = text(folder.path(), AUDITED, upstream.address).await;
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let most = RUNNING.to_string();
    let args = ["--policy-config", file, "--max-exchanges", &most];
    let mut gateway = Process::with(folder.clone(), &args).await;
    let (sent, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://{}/v1/chat/completions", gateway.traffic);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (sent, answered, url, http) =
                (sent.clone(), answered.clone(), url.clone(), http.clone());
            tokio::spawn(async move {
                loop {
                    sent.fetch_add(1, Relaxed);
                    let request = http.post(&url).body(ask_stream("words: 20").to_string());
                    let Ok(response) = request.send().await else {
                        return;
                    };
                    let reply = Reply::read(response).await;
                    if reply.status == 503 {
                        // Exchanges that wait for their entry count as running.
                        continue;
                    }
                    if reply.broken.is_some() || !reply.is_done() {
                        return;
                    }
                    answered.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    // What was acknowledged by then, and its head, are on the disk: they must be there afterwards.
    until("some are answered", async || {
        (answered.load(Relaxed) > 50).then_some(())
    })
    .await;
    let before = verified(folder.path(), "").await;
    let enough = answered.load(Relaxed) + 20;
    until("some more are answered", async || {
        (answered.load(Relaxed) > enough).then_some(())
    })
    .await;
    gateway.kill();
    for client in clients {
        client.await.unwrap();
    }

    let (sent, answered) = (sent.load(Relaxed), answered.load(Relaxed));
    let head = before["head"].as_str().unwrap();
    let after = verified(folder.path(), &format!("--head {head}")).await;
    assert_eq!(after["sound"], true, "{after}");
    assert_eq!(after["given_head"]["found"], true, "{after}");
    let entries = after["entries"].as_u64().unwrap() as usize;
    assert!(entries <= sent, "{entries} entries of {sent} requests");
    // An answer may be out before its entry is, and its exchange runs until then.
    assert!(
        entries + RUNNING >= answered,
        "{entries} entries of {answered} answers"
    );
    assert!(entries as u64 >= before["entries"].as_u64().unwrap());

    let gateway = Process::again(folder.clone(), AUDITED, &[upstream.address]).await;
    assert_eq!(gateway.chat(&ask("hello")).await.status, 200);
    until("the chain goes on", async || {
        (count(folder.path()) > entries).then_some(())
    })
    .await;
    assert_eq!(verified(folder.path(), "").await["sound"], true);
}

#[tokio::test]
async fn tampering_is_found_and_named() {
    let upstream = Upstream::simulated().await;
    let mut scene = Scene::of(AUDITED, upstream.address).await;
    for _ in 0..5 {
        assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    }
    scene.gateway.terminate();
    assert!(scene.gateway.ended().await.success());
    let folder = scene.folder();
    let whole = verified(folder, "").await;
    assert_eq!(whole["entries"], 5);
    let (journal, kept) = (folder.join("journal.db"), folder.join("kept.db"));
    std::fs::copy(&journal, &kept).unwrap();
    for (sql, seq) in [
        (
            "UPDATE entries SET body = replace(body, 'proceed', 'deny') WHERE seq = 3",
            3,
        ),
        ("UPDATE entries SET at = at + 1 WHERE seq = 2", 2),
        ("DELETE FROM entries WHERE seq = 4", 4),
    ] {
        std::fs::copy(&kept, &journal).unwrap();
        let database = rusqlite::Connection::open(&journal).unwrap();
        database.execute_batch(&drop_triggers(&database)).unwrap();
        database.execute_batch(sql).unwrap();
        drop(database);
        let found = verified(folder, "").await;
        assert_eq!(found["sound"], false, "{sql}");
        let named = found["broken"]["seq"].as_u64().unwrap();
        assert!(
            named == seq || (sql.starts_with("DELETE") && named == seq + 1),
            "{sql}: {found}"
        );
        let told = audit(folder, "verify").await;
        assert_eq!(told.code, 1);
        assert!(
            told.out.contains("BROKEN") && told.out.contains(&named.to_string()),
            "{told:?}"
        );
    }

    // The end cut off: the chain can't show it, a head that was kept does.
    std::fs::copy(&kept, &journal).unwrap();
    let database = rusqlite::Connection::open(&journal).unwrap();
    database.execute_batch(&drop_triggers(&database)).unwrap();
    database
        .execute_batch("DELETE FROM entries WHERE seq = 5")
        .unwrap();
    drop(database);
    let head = whole["head"].as_str().unwrap();
    let found = verified(folder, &format!("--head {head}")).await;
    assert_eq!(found["given_head"]["found"], false, "{found}");
}

/// What someone does who may write to the file.
fn drop_triggers(database: &rusqlite::Connection) -> String {
    let mut select = database
        .prepare("SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type = 'trigger'")
        .unwrap();
    let drops = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    drops.map(Result::unwrap).collect()
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_answered() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of(AUDITED, upstream.address).await;
    let (gateway, folder) = (&scene.gateway, scene.folder());
    assert_eq!(gateway.chat(&ask("hello")).await.status, 200);
    let (journal, away) = (gateway.journal(), folder.join("away.db"));
    std::fs::rename(&journal, &away).unwrap();
    // The first that can't be written is how it is found out.
    until("the gateway is not ready", async || {
        gateway.chat(&ask("hello")).await;
        let ready = gateway.ask_admin("/readyz").await?;
        (ready.status == 503 && ready.text().contains("journal")).then_some(())
    })
    .await;
    let reached = upstream.bodies().len();
    let refused = gateway.chat(&ask("hello")).await;
    assert_eq!(refused.error(), (503, "journal_failed".into()));
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(upstream.bodies().len(), reached);
    assert_eq!(scene.status().await["journal"]["ok"], false);
    assert_eq!(gateway.ask_admin("/healthz").await.unwrap().status, 200);
    until("failures are counted", async || {
        (scene.metric("witgate_journal_failures_total").await > 0).then_some(())
    })
    .await;

    std::fs::rename(&away, &journal).unwrap();
    until("the gateway is ready again", async || {
        (gateway.ask_admin("/readyz").await?.status == 200).then_some(())
    })
    .await;
    let there = count(folder);
    assert_eq!(gateway.chat(&ask("hello")).await.status, 200);
    until("it is written down", async || {
        (count(folder) > there).then_some(())
    })
    .await;
    assert_eq!(verified(folder, "").await["sound"], true);
}

#[tokio::test]
async fn a_stage_that_may_be_skipped_lets_requests_through_without_the_journal() {
    let upstream = Upstream::simulated().await;
    let config = "policies: {chain: [{id: audit-logger, component: bundled:audit-logger, on_error: skip, grants: [journal]}]}\n";
    let folder = Arc::new(tempfile::tempdir().unwrap());
    // A second gateway on the same journal is told whose it is.
    let gateway = Process::again(folder.clone(), config, &[upstream.address]).await;
    let file = folder.path().join("second.yaml");
    std::fs::write(&file, text(folder.path(), config, upstream.address).await).unwrap();
    let file = file.to_str().unwrap();
    let second = run(
        folder.path(),
        [
            "run",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--policy-config",
            file,
        ],
    )
    .await;
    assert_eq!(second.code, 1);
    assert!(second.err.contains(&gateway.id().to_string()), "{second:?}");

    std::fs::rename(gateway.journal(), folder.path().join("away.db")).unwrap();
    until("the journal fails", async || {
        assert_eq!(gateway.chat(&ask("hello")).await.status, 200);
        let status = gateway.ask_admin("/status").await?.json();
        (status["journal"]["ok"] == false).then_some(())
    })
    .await;
    assert_eq!(gateway.chat(&ask("hello")).await.status, 200);
}
