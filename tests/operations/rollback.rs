//! `witgate rollback`, as an operator types it.

use crate::scene::{NONE, Scene, tone};
use crate::support::{Upstream, ask, json};

#[tokio::test]
async fn rollback_goes_one_step_back_and_says_so() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of(NONE, upstream.address).await;
    let admin = scene.gateway.admin.to_string();
    let rollback = ["rollback", "--admin", &admin];

    let none = scene.gateway.witgate(&rollback).await;
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.err.contains("there is no chain to go back to"),
        "{none:?}"
    );

    scene.configure(&tone(3)).await;
    scene.runs(2).await;
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 403);
    let done = scene.gateway.witgate(&rollback).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("generation 3 runs, 3-"), "{done:?}");
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 200);

    // The same step again is not a step forward.
    let again = [&rollback[..], &["--format", "json"]].concat();
    assert_eq!(scene.gateway.witgate(&again).await.code, 1);
    // A hangup is an operator's word: the files are loaded again.
    scene.signal("-HUP");
    scene.runs(4).await;
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 403);
    let done = scene.gateway.witgate(&again).await;
    assert_eq!((done.code, &done.json()["generation"]), (0, &json!(5)));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let done = crate::support::process::run(folder.path(), ["rollback", "--admin", &closed]).await;
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains(&closed) && done.err.contains("is it running"),
        "{done:?}"
    );

    // Something else listens there.
    let upstream = Upstream::simulated().await.address.to_string();
    let done =
        crate::support::process::run(folder.path(), ["rollback", "--admin", &upstream]).await;
    assert_eq!(done.code, 1, "{done:?}");
}
