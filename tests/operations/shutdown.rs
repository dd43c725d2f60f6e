//! The end: what runs finishes, nothing new begins.

use std::sync::Arc;

use crate::scene::{Scene, in_two_parts, text};
use crate::support::bench::entries;
use crate::support::{Process, ask, ask_stream, until};

const AUDITED: &str = "policies: {chain: [audit-logger]}\n";

#[tokio::test]
async fn a_running_stream_finishes_whole_and_new_connections_are_refused() {
    let upstream = in_two_parts().await;
    let mut scene = Scene::of(AUDITED, upstream.address).await;
    let mut stream = scene.gateway.open(&ask_stream("hello")).await;
    stream.read_until("one!").await;
    scene.gateway.terminate();
    until("new connections are refused", async || {
        let connected = tokio::net::TcpStream::connect(scene.gateway.traffic).await;
        connected.is_err().then_some(())
    })
    .await;
    assert!(scene.gateway.try_chat(&ask("hello")).await.is_none());
    assert_eq!(
        scene.gateway.ask_admin("/healthz").await.unwrap().status,
        200
    );

    upstream.go_on();
    let stream = stream.finish().await;
    assert_eq!(stream.broken, None);
    assert!(stream.is_done());
    assert_eq!(stream.said().content(), "one! two!");
    assert_eq!(scene.gateway.ended().await.code(), Some(0));
    let entries = entries(&scene.gateway.journal());
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["id"], stream.header("x-request-id"));
    assert_eq!(entries[0]["ended"], "completed");
}

#[tokio::test]
async fn the_drain_deadline_cuts_what_does_not_finish() {
    // Nobody opens its gate.
    let stuck = in_two_parts().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, text(folder.path(), AUDITED, stuck.address).await).unwrap();
    let args = ["--policy-config", file.to_str().unwrap(), "--drain", "1"];
    let mut gateway = Process::with(folder.clone(), &args).await;
    let mut stream = gateway.open(&ask_stream("hello")).await;
    stream.read_until("one!").await;
    gateway.terminate();
    let stream = stream.finish().await;
    assert!(stream.broken.is_some(), "it was not cut: {}", stream.text());
    assert!(!stream.is_done());
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(
        gateway.log().contains("cut at the drain deadline"),
        "{}",
        gateway.log()
    );
    let entries = entries(&gateway.journal());
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["ended"], "disconnected");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let stuck = in_two_parts().await;
    let mut scene = Scene::of(AUDITED, stuck.address).await;
    let mut stream = scene.gateway.open(&ask_stream("hello")).await;
    stream.read_until("one!").await;
    scene.gateway.terminate();
    scene.logs("stopping").await;
    scene.signal("-INT");
    assert_eq!(scene.gateway.ended().await.code(), Some(1));
}
