//! The configuration and its components change while exchanges run.

use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::*;

const REDACTS: &str =
    "policies: {chain: [pii-detector, audit-logger]}\npolicy: {pii-detector: {requests: false}}";
const SHOWS: &str = "policies: {chain: [audit-logger]}";

fn generation(wanted: u64) -> impl Fn(&Value) -> bool {
    move |last| last["generation"] == wanted
}

fn failed(with: &str) -> impl Fn(&Value) -> bool {
    move |last| {
        last["error"]
            .as_str()
            .is_some_and(|error| error.contains(with))
    }
}

async fn reloads(bench: &Bench, result: &str) -> u64 {
    let name = format!("witgate_reloads_total{{result=\"{result}\"}} ");
    let metrics = bench.ask_admin("/metrics").await;
    metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(&name)?.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_began_before_finish_on_the_chain_they_began_on() {
    let rest = event("is ann@example.org, ") + &event("or so.") + &finish(0) + DONE;
    let upstream = Scripted::serve(vec![
        Step::Write(event("It ")),
        Step::Gate,
        Step::Write(rest),
    ])
    .await;
    let bench = Bench::to(REDACTS, vec![upstream.address]).await;
    let mut before = Vec::new();
    for _ in 0..3 {
        let mut stream = bench.open(&ask_stream("hi"), &[]).await;
        assert!(
            stream.header("x-witgate-chain").starts_with("1-"),
            "{}",
            stream.header("x-witgate-chain")
        );
        stream.read_until("It ").await;
        before.push(stream);
    }
    bench.configure(SHOWS);
    let status = bench
        .reloaded("the new chain is there", generation(2))
        .await;
    assert_eq!(
        (
            &status["generation"],
            status["stages"].as_array().unwrap().len()
        ),
        (&json!(2), 1)
    );
    let after = bench.open(&ask_stream("hi"), &[]).await;
    assert_eq!(
        after.header("x-witgate-chain"),
        status["chain"].as_str().unwrap()
    );
    assert!(
        after.header("x-witgate-chain").starts_with("2-"),
        "{}",
        after.header("x-witgate-chain")
    );
    for _ in 0..4 {
        upstream.go_on();
    }
    for stream in before {
        let reply = stream.finish().await;
        assert_eq!(
            (reply.said().content(), reply.is_done()),
            ("It is [EMAIL], or so.", true)
        );
    }
    assert_eq!(
        after.finish().await.said().content(),
        "It is ann@example.org, or so."
    );
    assert_eq!(bench.journal().await.len(), 4);
    assert_eq!(
        (reloads(&bench, "ok").await, reloads(&bench, "failed").await),
        (1, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_configuration_leaves_the_chain_and_a_good_one_recovers() {
    let bench = Bench::of(SHOWS).await;
    let broken = [
        ("policies: {chian: []}", "did you mean `chain`"),
        (
            "policies: {chain: [pii-detector]}\npolicy: {pii-detector: {action: shrug}}",
            "policy.pii-detector.action: expected one of",
        ),
        (
            "policies: {chain: [{id: a, component: ./nowhere.wasm}]}",
            "nowhere.wasm",
        ),
        (
            "policies: {chain: []}\nclients: {keys: [{id: a, secret_ref: {env: WITGATE_TEST_NO_SUCH_KEY}}]}",
            "WITGATE_TEST_NO_SUCH_KEY",
        ),
    ];
    for (number, (text, named)) in broken.into_iter().enumerate() {
        bench.configure(text);
        let status = bench.reloaded(named, failed(named)).await;
        assert_eq!(
            (&status["generation"], &status["last_reload"]["ok"]),
            (&json!(1), &json!(false))
        );
        // More than once, perhaps: a file that appears is looked at again.
        assert!(reloads(&bench, "failed").await > number as u64);
        let reply = bench.chat(&ask("say: hi")).await;
        assert_eq!(
            (reply.status, reply.header("x-witgate-policies")),
            (200, "audit-logger=proceed")
        );
    }
    bench.configure(REDACTS);
    let status = bench
        .reloaded("it recovers", |last| last["ok"] == true)
        .await;
    assert_eq!(status["last_reload"]["error"], json!(null));
    let chain = bench
        .chat(&ask("say: hi"))
        .await
        .header("x-witgate-chain")
        .to_owned();
    assert_eq!(json!(chain), status["chain"]);
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_to_what_runs_clears_the_error() {
    let bench = Bench::of(SHOWS).await;
    bench.configure("policies: 7");
    bench
        .reloaded("it is refused", |last| last["ok"] == false)
        .await;
    bench.configure(SHOWS);
    bench
        .reloaded("it recovers", |last| last["ok"] == true)
        .await;
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_file_is_watched_too() {
    let chain =
        "policies: {chain: [{id: tone, component: ./tone.wasm}]}\npolicy: {tone: {limit: 3}}";
    let bench = Bench::of(SHOWS).await;
    let good = tokio::task::spawn_blocking(policies::third_party)
        .await
        .unwrap();
    let other = tokio::task::spawn_blocking(policies::puppet).await.unwrap();
    let component = bench.folder.path().join("tone.wasm");
    std::fs::copy(good, &component).unwrap();
    bench.configure(chain);
    bench.reloaded("it is there", generation(2)).await;
    assert_eq!(
        bench.chat(&ask("say: LOUD")).await.error(),
        (403, "shouting".into())
    );

    // Half a file, as a slow copy leaves it, and then another policy, which knows no `limit`.
    std::fs::write(&component, &std::fs::read(good).unwrap()[..50_000]).unwrap();
    let status = bench.reloaded("it is refused", failed("tone")).await;
    assert_eq!(status["generation"], 2);
    std::fs::copy(other, &component).unwrap();
    bench.reloaded("it is refused", failed("limit")).await;
    assert_eq!(
        bench.chat(&ask("say: LOUD")).await.error(),
        (403, "shouting".into())
    );

    // By a rename, as deployments do.
    let aside = bench.folder.path().join("aside.wasm");
    std::fs::copy(good, &aside).unwrap();
    std::fs::rename(&aside, &component).unwrap();
    bench
        .reloaded("it recovers", |last| last["ok"] == true)
        .await;
    std::fs::remove_file(&component).unwrap();
    bench.reloaded("it is refused", failed("tone.wasm")).await;
    assert_eq!(
        bench.chat(&ask("say: LOUD")).await.error(),
        (403, "shouting".into())
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_that_did_not_change_are_kept_and_orders_count() {
    let bench = Bench::of("policies: {chain: [pii-detector, audit-logger]}").await;
    let first = bench.status().await;
    bench.configure(
        "policies: {chain: [audit-logger, pii-detector], answers: [pii-detector, audit-logger]}",
    );
    let second = bench.reloaded("it is there", generation(2)).await;
    assert_ne!(first["digest"], second["digest"]);
    assert_eq!(
        (&first["stages"][0]["snapshot"], &second["answers"]),
        (
            &second["stages"][1]["snapshot"],
            &json!(["pii-detector", "audit-logger"])
        )
    );
    // A comment changes nothing, and the same content written again neither.
    bench.configure("# a comment\npolicies: {chain: [audit-logger, pii-detector], answers: [pii-detector, audit-logger]}");
    bench.configure("policies: {chain: [audit-logger]}");
    let third = bench
        .reloaded("it is there", |last| last["generation"].as_u64() >= Some(3))
        .await;
    assert_eq!(
        (
            third["generation"].as_u64(),
            third["stages"].as_array().unwrap().len()
        ),
        (Some(3), 1)
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_and_targets_change_with_the_configuration() {
    let bench = Bench::before(
        SHOWS,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    let key = bench.folder.path().join("key");
    std::fs::write(&key, "sesame\n").unwrap();
    let with_clients = format!(
        "policies: {{chain: [audit-logger]}}\n\
         clients: {{keys: [{{id: team-a, secret_ref: {{file: {}}}}}]}}\n\
         providers: {{targets: [{{id: other, provider: cerebras, base_url: \"http://@1/v1\"}}]}}",
        key.display()
    );
    bench.configure(&with_clients);
    bench.reloaded("it is there", generation(2)).await;
    assert_eq!(
        bench.chat(&ask("say: hi")).await.error(),
        (401, "missing_api_key".into())
    );
    let wrong = bench
        .send(
            ask("say: hi").to_string(),
            &[("authorization", "Bearer wrong")],
        )
        .await;
    assert_eq!(wrong.error(), (401, "wrong_api_key".into()));
    for header in [("authorization", "Bearer sesame"), ("x-api-key", "sesame")] {
        let right = bench.send(ask("say: hi").to_string(), &[header]).await;
        assert_eq!(
            (right.status, right.header("x-witgate-target")),
            (200, "other")
        );
    }
    assert!(bench.upstreams[0].bodies().is_empty());
    // A client's key is for the gateway alone.
    let received = bench.upstreams[1].recorder.requests();
    for request in received.iter() {
        for key in ["authorization", "x-api-key"] {
            assert_eq!(request.headers.get(key), None, "{key}");
        }
    }
    assert_eq!(bench.journal().await[0]["principal"], "team-a");
    assert!(!bench.status().await.to_string().contains("sesame"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_moves_takes_a_restart_and_status_says_so() {
    let bench = Bench::of(SHOWS).await;
    let moved = format!(
        "{SHOWS}\njournal: {{store: \"sqlite:{}/other.db\"}}",
        bench.folder.path().display()
    );
    bench.configure(&moved);
    let status = bench.reloaded("it is there", generation(2)).await;
    assert!(
        status["last_reload"]["needs_restart"]
            .to_string()
            .contains("restart witgate"),
        "{status}"
    );
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
    assert_eq!(bench.journal().await.len(), 1, "entries go where they went");
    // It still does after the next change.
    bench.configure(&moved.replace("[audit-logger]", "[pii-detector, audit-logger]"));
    let status = bench.reloaded("it is there", generation(3)).await;
    assert!(
        status["last_reload"]["needs_restart"]
            .to_string()
            .contains("restart witgate"),
        "{status}"
    );
    bench.configure(SHOWS);
    let status = bench.reloaded("it is there", generation(4)).await;
    assert_eq!(status["last_reload"]["needs_restart"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_never_quiet_holds_no_reload_back() {
    // The journal lies beside the configuration, and is written all the time.
    let bench = Bench::of(SHOWS).await;
    let busy = async {
        loop {
            assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
            std::fs::write(bench.folder.path().join("noise.log"), "noise").unwrap();
        }
    };
    let reloaded = async {
        bench.configure(REDACTS);
        bench.reloaded("it is there", generation(2)).await;
    };
    tokio::select! {
        () = busy => {}
        () = reloaded => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_others_can_reach_keeps_its_clients() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("key"), "sesame").unwrap();
    let upstream = Upstream::simulated().await;
    let open = bench::complete("policies: {chain: []}", &[upstream.address], folder.path());
    let closed = open.clone() + "clients: {keys: [{id: team-a, secret_ref: {file: ./key}}]}\n";
    let file = folder.path().join("policy-config.yaml");
    let path = file.to_str().unwrap();
    let args = ["--policy-config", path, "--listen", "0.0.0.0:0"];

    std::fs::write(&file, &open).unwrap();
    let refused = process::run(
        folder.path(),
        [&["run", "--admin", "127.0.0.1:0"], &args[..]].concat(),
    )
    .await;
    assert!(
        refused.code == 1 && refused.err.contains("--open"),
        "{refused:?}"
    );

    std::fs::write(&file, &closed).unwrap();
    let gateway = Process::start(process::witgate(folder.path()), folder.clone(), &args).await;
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 401);
    std::fs::write(&file, &open).unwrap();
    until("the reload is refused", async || {
        let status = gateway.ask_admin("/status").await?.json();
        failed("clients")(&status["last_reload"]).then_some(())
    })
    .await;
    assert_eq!(gateway.chat(&ask("say: hi")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_reads_keys_anew() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let secret = folder.path().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("key"), "old").unwrap();
    let upstream = Upstream::simulated().await;
    let config =
        "policies: {chain: []}\nclients: {keys: [{id: team-a, secret_ref: {file: ./secret/key}}]}";
    let gateway = Process::again(folder.clone(), config, &[upstream.address]).await;
    let status = async |key: &str| {
        let url = format!("http://{}/v1/models", gateway.traffic);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .get(url)
            .header("x-api-key", key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((status("old").await, status("new").await), (200, 401));
    std::fs::write(secret.join("key"), "new").unwrap();
    gateway.signal("HUP");
    until("the new key is right", async || {
        (status("new").await == 200).then_some(())
    })
    .await;
    assert_eq!(status("old").await, 401);
}
