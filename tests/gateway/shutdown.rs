//! The end of the process: running exchanges finish, and the journal has them.

use crate::support::bench::entries;
use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::*;

/// Waits until nobody can connect any more. A request that comes before that is served, so none is sent.
async fn lets_nobody_in(gateway: &Process) {
    until("nobody new is let in", async || {
        let connected = tokio::net::TcpStream::connect(gateway.traffic).await;
        connected.is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_runs_finishes_before_the_gateway_ends() {
    let steps = [
        Step::Write(event("one ")),
        Step::Gate,
        Step::Write(event("two") + &finish(0) + DONE),
    ];
    let upstream = Scripted::serve(steps.to_vec()).await;
    let mut gateway = Process::run(
        "policies: {chain: [pii-detector, audit-logger]}",
        &[upstream.address],
    )
    .await;
    let mut stream = gateway.open(&ask_stream("hi")).await;
    stream.read_until("one").await;
    gateway.terminate();
    lets_nobody_in(&gateway).await;
    assert_eq!(
        gateway
            .ask_admin("/healthz")
            .await
            .map(|reply| reply.status),
        Some(200)
    );
    upstream.go_on();
    let reply = stream.finish().await;
    assert_eq!((reply.said().content(), reply.is_done()), ("one two", true));
    assert_eq!(gateway.ended().await.code(), Some(0));
    let journal = entries(&gateway.journal());
    assert_eq!(
        (journal.len(), &journal[0]["ended"]),
        (1, &json!("completed"))
    );
    assert_eq!(journal[0]["id"], reply.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_gateway_ends_at_once_and_a_second_signal_ends_any() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ")), Step::Gate]).await;
    let config = "policies: {chain: [audit-logger]}";
    let mut idle = Process::run(config, &[upstream.address]).await;
    idle.signal("INT");
    assert_eq!(idle.ended().await.code(), Some(0));

    let mut busy = Process::run(config, &[upstream.address]).await;
    let mut stream = busy.open(&ask_stream("hi")).await;
    stream.read_until("one").await;
    busy.signal("TERM");
    lets_nobody_in(&busy).await;
    busy.signal("TERM");
    assert_eq!(busy.ended().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_finish_in_time_is_cut_and_recorded() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ")), Step::Gate]).await;
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let config = bench::complete(
        "policies: {chain: [audit-logger]}",
        &[upstream.address],
        folder.path(),
    );
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, config).unwrap();
    let mut gateway = Process::with(
        folder,
        &["--policy-config", file.to_str().unwrap(), "--drain", "1"],
    )
    .await;
    let mut stream = gateway.open(&ask_stream("hi")).await;
    stream.read_until("one").await;
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(stream.finish().await.broken.is_some());
    let journal = entries(&gateway.journal());
    assert_eq!(
        (journal.len(), &journal[0]["ended"]),
        (1, &json!("disconnected"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_that_nobody_could_record_in_time_are_counted_in_the_journal() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ") + &finish(0) + DONE)]).await;
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    // The first stage is never done with the exchange's end, so the second never hears of it.
    let limits = "limits: {request_cpu: 1m, exchange_cpu: 10m, call_time: 1m}";
    let config = bench::complete(
        &format!(
            "policies: {{chain: [{{id: puppet, component: @puppet, {limits}}}, audit-logger]}}"
        ),
        &[upstream.address],
        folder.path(),
    );
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, config).unwrap();
    let mut gateway = Process::with(
        folder,
        &["--policy-config", file.to_str().unwrap(), "--drain", "1"],
    )
    .await;
    let body = with(ask_stream("hi"), json!({"puppet": {"complete": "spin"}}));
    let reply = gateway.chat(&body).await;
    assert_eq!((reply.said().content(), reply.is_done()), ("one ", true));
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
    let expected = json!({
        "code": "unrecorded",
        "unrecorded": {"failed": "on-complete", "class": "stopped", "exchanges": 1},
    });
    assert_eq!(entries(&gateway.journal()), [expected]);
}
