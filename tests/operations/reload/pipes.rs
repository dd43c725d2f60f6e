//! What is no file stands where a file should be: everything comes back, and says why.

use std::path::Path;
use std::process::Command;

use crate::files::replace;
use crate::scene::{NONE, Scene, TONE_HERE, text};
use crate::support::{Upstream, ask};

fn pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_hangs_neither_reload_nor_rollback_nor_the_end() {
    let upstream = Upstream::simulated().await;
    let (mut scene, component) = Scene::of_tone_here(upstream.address).await;
    let folder = scene.folder().to_owned();
    let (key, wasm) = (folder.join("key"), folder.join("tone.wasm"));
    let samples = folder.join("tone.samples.yaml");
    std::fs::write(&key, "sesame").unwrap();
    let clients = format!(
        "{TONE_HERE}clients: {{keys: [{{id: a, secret_ref: {{file: {}}}}}]}}\n",
        key.display()
    );
    scene.configure(&clients).await;
    scene.runs(2).await;
    let configuration = text(&folder, &clients, upstream.address).await;

    for (path, whole) in [
        (scene.file(), Some(configuration.as_bytes())),
        (key, Some(&b"sesame"[..])),
        (wasm, Some(&component[..])),
        (samples, None),
    ] {
        pipe(&path);
        let refused = scene.tell_admin("/reload").await;
        assert_eq!(
            refused.status,
            422,
            "{}: {}",
            path.display(),
            refused.text()
        );
        assert!(refused.text().contains("a pipe"), "{}", refused.text());
        assert_eq!(
            scene.gateway.ask_admin("/healthz").await.unwrap().status,
            200
        );
        match whole {
            Some(bytes) => replace(&path, bytes),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let mended = scene.tell_admin("/reload").await;
        assert_eq!(mended.status, 200, "{}: {}", path.display(), mended.text());
    }
    assert_eq!(
        scene.gateway.chat(&ask("hello")).await.status,
        401,
        "it goes on as it was"
    );

    pipe(&scene.file());
    let back = scene.tell_admin("/rollback").await;
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(
        scene.gateway.chat(&ask("hello")).await.status,
        401,
        "who may ask stays as it is"
    );
    scene.gateway.terminate();
    assert!(scene.gateway.ended().await.success());
}

#[tokio::test]
async fn a_gateway_that_finds_a_pipe_at_its_start_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy-config.yaml");
    pipe(&file);
    let arguments = ["run", "--policy-config", file.to_str().unwrap()];
    let done = crate::support::process::run(folder.path(), arguments).await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("it is a pipe"), "{done:?}");
    // A file of the same name serves.
    let upstream = Upstream::simulated().await;
    replace(&file, text(folder.path(), NONE, upstream.address).await);
    let check = [
        "check",
        "--offline",
        "--policy-config",
        file.to_str().unwrap(),
    ];
    assert_eq!(
        crate::support::process::run(folder.path(), check)
            .await
            .code,
        0
    );
}
