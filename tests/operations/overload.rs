//! A gateway with more to do than it may: what is refused, and who is answered all the same.

use std::sync::Arc;

use crate::support::scripted::{Scripted, Step, event};
use crate::support::{Process, ask, ask_stream, bench};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_operates_it_is_answered_while_clients_are_refused() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ")), Step::Gate]).await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let config = bench::complete(
        "policies: {chain: [audit-logger]}",
        &[upstream.address],
        folder.path(),
    );
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, config).unwrap();
    let args = [
        "--policy-config",
        file.to_str().unwrap(),
        "--max-exchanges",
        "2",
    ];
    let gateway = Process::with(folder, &args).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = gateway.open(&ask_stream("hi")).await;
        stream.read_until("one").await;
        streams.push(stream);
    }
    for _ in 0..3 {
        let refused = gateway.chat(&ask("hi")).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    }
    for path in ["/healthz", "/readyz", "/status", "/metrics"] {
        assert_eq!(gateway.ask_admin(path).await.unwrap().status, 200, "{path}");
    }
    let metrics = gateway.ask_admin("/metrics").await.unwrap();
    let refused = "witgate_exchanges_refused_total 3\n";
    assert!(metrics.text().contains(refused), "{}", metrics.text());
    // A reload takes instances too, for the check of the new chain: there is room for these beside the exchanges.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    std::fs::write(
        &file,
        std::fs::read_to_string(&file).unwrap() + "reload: {drain: 5m}\n",
    )
    .unwrap();
    let url = format!("http://{}/reload", gateway.admin);
    let reloaded = http.post(url).send().await.unwrap();
    assert_eq!(reloaded.status(), 200, "{}", reloaded.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_exchanges_as_may_have_an_instance_of_every_stage_of_a_long_chain() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ")), Step::Gate]).await;
    // More stages than the least that there is room for.
    let each = |entry: fn(u8) -> String| (0..9).map(entry).collect::<Vec<_>>().join(", ");
    let config = format!(
        "policies: {{chain: [{}]}}\npolicy: {{{}}}",
        each(|number| format!("{{id: tone-{number}, component: \"@third-party\"}}")),
        each(|number| format!("tone-{number}: {{limit: 3}}"))
    );
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    let text = {
        let (at, folder) = (upstream.address, folder.clone());
        let text = move || bench::complete(&config, &[at], folder.path());
        tokio::task::spawn_blocking(text).await.unwrap()
    };
    std::fs::write(&file, text).unwrap();
    let args = [
        "--policy-config",
        file.to_str().unwrap(),
        "--max-exchanges",
        "3",
    ];
    let gateway = Process::with(folder, &args).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = gateway.open(&ask_stream("hi")).await;
        stream.read_until("one").await;
        streams.push(stream);
    }
    let refused = gateway.chat(&ask("hi")).await;
    assert_eq!(refused.error(), (503, "overloaded".into()));
    let metrics = gateway.ask_admin("/metrics").await.unwrap();
    let metrics = metrics.text();
    assert!(metrics.contains("witgate_instances_live 27\n"), "{metrics}");
    assert!(
        !metrics.contains("witgate_stage_failures_total{"),
        "{metrics}"
    );
}
