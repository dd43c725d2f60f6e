//! The admin listener's tokens, as operators have them.

use std::sync::Arc;

use crate::scene::{NONE, Scene, tone};
use crate::support::{Process, Upstream, ask, bench, process, until};

async fn asked(gateway: &Process, method: &str, path: &str, token: Option<&str>) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{path}", gateway.admin);
    let mut request = http.request(method.parse().unwrap(), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().status().as_u16()
}

const TOKENS: &str = "admin: {tokens: [{id: eyes, secret_ref: {file: ./eyes}, role: viewer}, {id: op, secret_ref: {file: ./op}, role: operator}]}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_say_who_reads_and_who_changes_and_a_change_of_them_counts_at_once() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("eyes"), "sees-all\n").unwrap();
    std::fs::write(at("op"), "turns-knobs\n").unwrap();
    let upstream = Upstream::simulated().await;
    let config = format!("{NONE}{TOKENS}");
    let scene = Scene::within(folder.clone(), &config, upstream.address).await;
    let (viewer, operator) = (Some("sees-all"), Some("turns-knobs"));
    for (method, path, expected) in [
        ("GET", "/readyz", [200, 200, 200]),
        ("GET", "/status", [401, 200, 200]),
        ("GET", "/metrics", [401, 200, 200]),
        ("POST", "/reload", [401, 403, 200]),
    ] {
        for (token, expected) in [None, viewer, operator].into_iter().zip(expected) {
            let status = asked(&scene.gateway, method, path, token).await;
            assert_eq!(status, expected, "{method} {path} {token:?}");
        }
    }

    // As an operator types it.
    let admin = scene.gateway.admin.to_string();
    let rollback = ["rollback", "--admin", &admin];
    scene.configure(&format!("{}{TOKENS}", tone(3))).await;
    until("the new chain denies", async || {
        (scene.gateway.chat(&ask("LOUD")).await.status == 403).then_some(())
    })
    .await;
    for (with, told) in [
        (None, "wants a token"),
        (Some(at("eyes")), "wants an operator's"),
        (Some(at("none")), "none"),
    ] {
        let mut args = rollback.to_vec();
        if let Some(file) = &with {
            args.extend(["--admin-token-file", file]);
        }
        let done = scene.gateway.witgate(&args).await;
        assert!(done.code == 1 && done.err.contains(told), "{done:?}");
    }
    let file = at("op");
    let done = scene
        .gateway
        .witgate(&[&rollback[..], &["--admin-token-file", &file]].concat())
        .await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(scene.gateway.chat(&ask("LOUD")).await.status, 200);

    // A token that was changed is the one that counts, without a signal.
    crate::files::replace(&folder.path().join("op"), "turns-others");
    until("the token before is taken no more", async || {
        (asked(&scene.gateway, "GET", "/status", operator).await == 401).then_some(())
    })
    .await;
    assert_eq!(
        asked(&scene.gateway, "POST", "/reload", Some("turns-others")).await,
        200
    );
    let log = scene.gateway.log();
    assert!(log.contains("an operator asks for /rollback"), "{log}");
    for token in ["sees-all", "turns-knobs", "turns-others"] {
        assert!(!log.contains(token), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_listener_that_others_can_reach_keeps_its_tokens() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let made = "clients new --id op --admin operator --expires 2100-01-01";
    let made = process::run(folder.path(), made.split(' ')).await;
    let mut words = made.err.split_whitespace();
    let token = words.find(|word| word.starts_with("wg_"));
    let token = token.unwrap_or_else(|| panic!("{made:?}"));
    let upstream = Upstream::simulated().await;
    let open = bench::complete(NONE, &[upstream.address], folder.path());
    let closed = format!("{open}admin:\n  tokens:\n{}", made.out);
    let file = folder.path().join("policy-config.yaml");
    let path = file.to_str().unwrap();
    let run = ["run", "--policy-config", path, "--listen", "127.0.0.1:0"];

    std::fs::write(&file, &open).unwrap();
    let refused = process::run(
        folder.path(),
        [&run[..], &["--admin", "0.0.0.0:0"]].concat(),
    )
    .await;
    assert!(
        refused.code == 1
            && refused.err.contains("admin.tokens")
            && refused.err.contains("--admin-client-ca"),
        "{refused:?}"
    );

    std::fs::write(&file, &closed).unwrap();
    let args = ["--policy-config", path, "--admin", "0.0.0.0:0"];
    let gateway = Process::with(folder.clone(), &args).await;
    std::fs::write(&file, &open).unwrap();
    until("the reload is refused", async || {
        gateway.log().contains("has no admin.tokens").then_some(())
    })
    .await;
    assert_eq!(asked(&gateway, "GET", "/status", None).await, 401);
    assert_eq!(asked(&gateway, "POST", "/check", Some(token)).await, 200);
}
