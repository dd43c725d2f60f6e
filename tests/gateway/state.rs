//! What policies keep from one exchange to the next: counted once, whoever asks at once, over reloads and deaths.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::support::*;

/// A window so long that no test meets its end.
const QUOTA: &str = "policies: {chain: [{id: quota, component: @quota, grants: [counters]}]}\n\
                     policy: {quota: {requests: 100, seconds: 31622400}}\n";

/// What counts, and in which words it refuses and can't tell: the example, and those that are bundled.
struct Counting {
    config: String,
    used_up: &'static str,
    unknown: &'static str,
}

/// Each of them lets a hundred requests pass, of which each takes so many tokens.
fn all(tokens: u64) -> [Counting; 3] {
    let limit = "policies: {chain: [rate-limit]}\n\
                 policy: {rate-limit: {limits: [{requests: 100, per: 31622400, by: [principal]}]}}\n";
    // What a request is taken to take is what it takes, so that a hundred of them are a hundred, settled or not.
    let budget = format!(
        "policies: {{chain: [budget]}}\n\
         policy: {{budget: {{budgets: [{{tokens: {}, per: month}}], estimate: {{bytes_per_token: 1000000, answer_tokens: {}}}}}}}\n",
        100 * tokens,
        tokens - 1
    );
    [
        Counting {
            config: QUOTA.into(),
            used_up: "quota.used-up",
            unknown: "quota.unknown",
        },
        Counting {
            config: limit.into(),
            used_up: "rate-limit.exceeded",
            unknown: "rate-limit.unknown",
        },
        Counting {
            config: budget,
            used_up: "budget.exceeded",
            unknown: "budget.unknown",
        },
    ]
}

/// What an upstream counts for a request of these tests and its answer.
async fn tokens(upstream: &Upstream) -> u64 {
    let url = format!("http://{}/v1/chat/completions", upstream.address);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(&url).header("content-type", "application/json");
    let response = request.body(ask("say: hi").to_string()).send();
    let answer = Reply::read(response.await.unwrap()).await.json();
    answer["usage"]["total_tokens"].as_u64().unwrap()
}

const CLIENTS: usize = 64;

/// Lets every client ask `each` times, and says how often it was let through. One that can't be reached isn't asked again.
async fn ask_all(
    gateway: &Process,
    used_up: &'static str,
    each: usize,
    answered: &Arc<AtomicUsize>,
) -> usize {
    let url = format!("http://{}/v1/chat/completions", gateway.traffic);
    let clients = (0..CLIENTS).map(|_| {
        let (url, answered) = (url.clone(), answered.clone());
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut passed = 0;
            for _ in 0..each {
                let request = client.post(&url).header("content-type", "application/json");
                let Ok(response) = request.body(ask("say: hi").to_string()).send().await else {
                    break;
                };
                let reply = Reply::read(response).await;
                match reply.status {
                    200 => passed += 1,
                    429 => assert_eq!(reply.error().1, used_up),
                    other => panic!("{other}: {}", reply.text()),
                }
                answered.fetch_add(1, SeqCst);
            }
            passed
        })
    });
    let mut passed = 0;
    for client in clients.collect::<Vec<_>>() {
        passed += client.await.unwrap();
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_are_a_hundred_over_a_reload() {
    let upstream = Upstream::simulated().await;
    for counting in all(tokens(&upstream).await) {
        a_hundred_over_a_reload(&upstream, counting).await;
    }
}

async fn a_hundred_over_a_reload(upstream: &Upstream, counting: Counting) {
    let gateway = Process::run(&counting.config, &[upstream.address]).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let reload = async {
        until("some have asked", async || {
            (answered.load(SeqCst) > 20).then_some(())
        })
        .await;
        let file = gateway.folder.path().join("policy-config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("version: 1.0.0", "version: 1.0.1")).unwrap();
        gateway.signal("HUP");
        until("the new generation runs", async || {
            let status = gateway.ask_admin("/status").await?;
            status.text().contains("\"generation\":2").then_some(())
        })
        .await;
    };
    let (passed, ()) = tokio::join!(ask_all(&gateway, counting.used_up, 4, &answered), reload);
    assert_eq!(passed, 100, "{}", counting.config);
}

/// What was counted for a request is counted, also where the process dies before it answers: nobody gets more than there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_are_no_more_after_the_gateway_was_killed() {
    let upstream = Upstream::simulated().await;
    for counting in all(tokens(&upstream).await) {
        no_more_after_a_kill(&upstream, counting).await;
    }
}

async fn no_more_after_a_kill(upstream: &Upstream, counting: Counting) {
    let (config, used_up) = (&counting.config, counting.used_up);
    let mut gateway = Process::run(config, &[upstream.address]).await;
    let folder = gateway.folder.clone();
    let answered = Arc::new(AtomicUsize::new(0));
    let before = {
        let id = gateway.id().to_string();
        let kill = async {
            until("some have asked", async || {
                (answered.load(SeqCst) > 20).then_some(())
            })
            .await;
            let killed = std::process::Command::new("kill")
                .args(["-KILL", &id])
                .status();
            assert!(killed.unwrap().success());
        };
        tokio::join!(ask_all(&gateway, used_up, 4, &answered), kill).0
    };
    gateway.ended().await;
    let gateway = Process::again(folder, config, &[upstream.address]).await;
    let after = ask_all(&gateway, used_up, 4, &answered).await;
    let passed = before + after;
    assert!(
        (100 - CLIENTS..=100).contains(&passed),
        "{before} and {after}: {config}"
    );
    // All of it is used up now, whatever was in flight.
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_something_else_is_an_error_before_anything_serves() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("other.db");
    std::fs::write(&store, "a text, and no database at all. ".repeat(40)).unwrap();
    let config = format!("{QUOTA}state: {{store: \"sqlite:{}\"}}\n", store.display());
    let text = bench::complete(&config, &["127.0.0.1:9".parse().unwrap()], folder.path());
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, text).unwrap();
    let args = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--policy-config",
    ];
    let done = process::run(
        folder.path(),
        args.into_iter().chain([file.to_str().unwrap()]),
    )
    .await;
    assert_eq!(done.code, 1, "{done:?}");
    let wanted = "stage `quota` keeps counters or values: ";
    assert!(done.err.contains(wanted), "{}", done.err);
    assert!(
        done.err.contains("it is not an SQLite database"),
        "{}",
        done.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_away_is_told_and_nothing_passes_until_it_is_back() {
    let upstream = Upstream::simulated().await;
    for counting in all(tokens(&upstream).await) {
        nothing_passes_without_a_store(&upstream, counting).await;
    }
}

async fn nothing_passes_without_a_store(upstream: &Upstream, counting: Counting) {
    let gateway = Process::run(&counting.config, &[upstream.address]).await;
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 200);
    let store = gateway.folder.path().join("witgate/state.db");
    let aside = store.with_extension("aside");
    std::fs::rename(&store, &aside).unwrap();
    let reply = gateway.chat(&ask("say: hi")).await;
    assert_eq!((reply.status, &*reply.error().1), (503, counting.unknown));
    assert!(!reply.text().contains("state.db"), "{}", reply.text());
    let status = gateway.ask_admin("/status").await.unwrap();
    assert!(
        status.text().contains("moved, replaced or deleted"),
        "{}",
        status.text()
    );
    until("the log says it", async || {
        let log = gateway.log();
        log.contains("moved, replaced or deleted").then_some(())
    })
    .await;
    std::fs::rename(&aside, &store).unwrap();
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 200);
    let status = gateway.ask_admin("/status").await.unwrap();
    assert!(
        !status.text().contains("moved, replaced"),
        "{}",
        status.text()
    );
    // Where it can be read and not written, nothing passes either.
    let file = rusqlite::Connection::open(&store).unwrap();
    let kept = |trigger: &str| file.execute_batch(trigger).unwrap();
    kept(
        "CREATE TRIGGER no_more BEFORE INSERT ON sums BEGIN SELECT RAISE(FAIL, 'no'); END;\
          CREATE TRIGGER no_other BEFORE UPDATE ON sums BEGIN SELECT RAISE(FAIL, 'no'); END;",
    );
    let reply = gateway.chat(&ask("say: hi")).await;
    assert_eq!((reply.status, &*reply.error().1), (503, counting.unknown));
    kept("DROP TRIGGER no_more; DROP TRIGGER no_other;");
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 200);
}
