//! Keys that change where they are kept while requests go out with them: nothing is lost, and what can't be had takes nothing away.

mod vault;

use std::os::unix::fs::PermissionsExt as _;

use crate::load::Load;
use crate::scene::{Scene, replace};
use crate::support::{Upstream, until};

/// A gateway without stages before a simulator, with a key that is to be found as `secret` says.
async fn scene(upstream: &Upstream, secret: &str) -> Scene {
    Scene::of(&config(secret), upstream.address).await
}

fn config(secret: &str) -> String {
    format!(
        "policies: {{chain: []}}\nproviders: {{targets: [{{id: sim, provider: x, base_url: \"http://@0/v1\", secret_key_ref: {secret}}}]}}\n"
    )
}

/// Waits until requests reach the upstream with this key.
async fn sent_with(upstream: &Upstream, key: &str) {
    let wanted = format!("Bearer {key}");
    until(&format!("requests go out with {key}"), async || {
        let requests = upstream.recorder.requests();
        let last = requests.last()?.headers.get("authorization")?;
        (last == wanted.as_str()).then_some(())
    })
    .await;
}

/// Every key that the upstream was shown, each once, in order.
fn shown(upstream: &Upstream) -> Vec<String> {
    let requests = upstream.recorder.requests();
    let keys = requests.iter().map(|it| {
        let key = it.headers["authorization"].to_str().unwrap();
        key.trim_start_matches("Bearer ").to_owned()
    });
    let mut keys: Vec<String> = keys.collect();
    // Two requests may meet on the way.
    keys.sort();
    keys.dedup();
    keys
}

/// Waits until `/status` says of the only secret that it can be had, or can't be.
async fn had(scene: &Scene, ok: bool) {
    until(&format!("the secret is had: {ok}"), async || {
        (scene.status().await["secrets"][0]["ok"] == ok).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_a_file_is_replaced_under_load_and_nothing_is_lost() {
    let upstream = Upstream::simulated().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "csk-0\n").unwrap();
    let scene = scene(&upstream, &format!("{{file: \"{}\"}}", file.display())).await;
    let load = Load::start(scene.gateway.traffic);
    load.goes_on("with the first key").await;
    for number in 1..5 {
        let key = format!("csk-{number}");
        // By a rename, as secrets are mounted, and in place.
        match number % 2 {
            0 => replace(&file, &key),
            _ => std::fs::write(&file, &key).unwrap(),
        }
        sent_with(&upstream, &key).await;
    }
    load.goes_on("with the last key").await;
    load.stop().await;
    assert_eq!(
        shown(&upstream),
        ["csk-0", "csk-1", "csk-2", "csk-3", "csk-4"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_from_a_program_changes_under_load_and_one_that_fails_keeps_the_last() {
    let upstream = Upstream::simulated().await;
    let folder = tempfile::tempdir().unwrap();
    let (program, key) = (folder.path().join("helper"), folder.path().join("key"));
    replace(&key, "csk-0");
    // As a command line of a cloud's: it prints the secret, or fails with words.
    let text = format!("#!/bin/sh\nexec cat {}\n", key.display());
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let secret = format!(
        "{{exec: {{command: [\"{}\"], timeout: 30s, cache: 200ms}}}}",
        program.display()
    );
    let scene = scene(&upstream, &secret).await;
    let load = Load::start(scene.gateway.traffic);
    load.goes_on("with the first key").await;
    for number in 1..4 {
        let new = format!("csk-{number}");
        replace(&key, &new);
        sent_with(&upstream, &new).await;
    }
    std::fs::remove_file(&key).unwrap();
    had(&scene, false).await;
    assert_eq!(scene.status().await["secrets"][0]["had"], true);
    assert_eq!(scene.metric("witgate_secrets_failing").await, 1);
    assert!(
        scene
            .metric("witgate_secret_renewals_total{result=\"failed\"}")
            .await
            > 0
    );
    scene
        .logs("a secret can't be had anew, so the old one stays")
        .await;
    load.goes_on("while the program fails").await;
    sent_with(&upstream, "csk-3").await;
    replace(&key, "csk-4");
    sent_with(&upstream, "csk-4").await;
    had(&scene, true).await;
    load.stop().await;
    assert_eq!(
        shown(&upstream),
        ["csk-0", "csk-1", "csk-2", "csk-3", "csk-4"]
    );
    assert!(!scene.gateway.log().contains("csk-"), "a key is in the log");
}
