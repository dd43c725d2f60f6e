//! The grant `http`: a policy that tries everything, a service that is as bad as can be, and the exchanges beside them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::support::*;

const KEY: &str = "sk-of-the-service";

/// A service that a policy asks. What comes goes by the path.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    /// The head of each request, and its body.
    heard: Arc<Mutex<Vec<(String, String)>>>,
    gate: Arc<Semaphore>,
}

impl Service {
    /// It says what that function makes of a request's path and body.
    pub(crate) async fn saying(
        says: impl Fn(&str, &str) -> String + Send + Sync + 'static,
    ) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        };
        let (serving, says) = (service.clone(), Arc::new(says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, says) = (serving.clone(), says.clone());
                tokio::spawn(async move { serving.serve(stream, &*says).await });
            }
        });
        service
    }

    async fn serve(&self, mut stream: TcpStream, says: &(impl Fn(&str, &str) -> String + Sync)) {
        let mut bytes = Vec::new();
        let (head, body) = loop {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.heard.lock().push((head, body.clone()));
        if path.ends_with("/gate") {
            self.gate.acquire().await.unwrap().forget();
        }
        if path.ends_with("/silence") {
            std::future::pending::<()>().await;
        }
        let answer = says(&path, &body);
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    pub(crate) fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().clone()
    }
}

/// A whole answer.
pub(crate) fn answer(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn config(key: &Path, more: &str) -> String {
    format!(
        "policies: {{chain: [{{id: player, component: @player, on_error: deny, grants: [journal, counters, kv, \
         {{http: {{hosts: [{{url: \"http://@1/v1\", private: true, secret_key_ref: {{file: {}}}}}, \"http://localhost:@port\"]{more}}}}}]}}]}}\n",
        key.display()
    )
}

/// A gateway whose policy may ask a service, and the file of the key that is shown to that.
struct Scene {
    bench: Bench,
    key: PathBuf,
    _folder: tempfile::TempDir,
    _upstream: Upstream,
}

async fn scene(service: &Service, more: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let upstream = Upstream::simulated().await;
    let config = config(&key, more).replace("@port", &service.address.port().to_string());
    let bench = Bench::to(&config, vec![upstream.address, service.address]).await;
    Scene {
        bench,
        key,
        _folder: folder,
        _upstream: upstream,
    }
}

/// What these calls gave.
async fn gave(bench: &Bench, calls: Value) -> Value {
    let script = json!({"on-request": calls}).to_string();
    let reply = bench
        .send(ask("say: hi").to_string(), &[("x-play", &script)])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.header("x-request-id").to_owned();
    let journal = bench.journal().await;
    let entry = journal.iter().find(|entry| entry["id"] == *id);
    entry.unwrap()["gave"]["on-request"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_shown_the_credentials_and_the_policy_its_reply() {
    let service = Service::saying(|path, body| answer(&format!("{path} {body}"))).await;
    let scene = scene(&service, "").await;
    let (bench, key) = (&scene.bench, &scene.key);
    let url = format!("http://{}/v1/check", service.address);
    let calls = json!([["ask", "POST", url, {"Content-Type": "text/plain"}, "is this fine?"]]);
    let gave = gave(bench, calls.clone()).await;
    assert_eq!(gave, json!([[200, "/v1/check is this fine?", null]]));
    let heard = service.heard();
    let (head, body) = &heard[0];
    for line in [
        &format!("authorization: Bearer {KEY}"),
        "content-type: text/plain",
        &format!("host: {}", service.address),
    ] {
        assert!(head.lines().any(|it| it == line), "{line}: {head}");
    }
    assert_eq!(body, "is this fine?");
    // A key that was changed is the one that is shown, and nothing is compiled for that.
    std::fs::write(key, "sk-another").unwrap();
    assert_eq!(bench.tell_admin("/reload").await.status, 200);
    self::gave(bench, calls).await;
    let (head, _) = service.heard().pop().unwrap();
    assert!(head.contains("authorization: Bearer sk-another"), "{head}");
    let status = bench.ask_admin("/status").await;
    assert!(
        status
            .text()
            .contains(&format!("http://{}/v1", service.address))
    );
    assert!(!status.text().contains("sk-another"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_is_met_and_nothing_gets_past_it() {
    let inside = Service::saying(|_, _| answer("inside")).await;
    let there = inside.address;
    let service = Service::saying(move |path, _| match path {
        "/v1/large" => answer(&"x".repeat(2000)),
        "/v1/away" => format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: http://{there}/\r\ncontent-length: 0\r\n\r\n"
        ),
        "/v1/mirror" => answer(&format!("you sent Bearer {KEY}")),
        "/v1/nonsense" => "what?\r\n\r\n".into(),
        _ => answer("fine"),
    })
    .await;
    let more = ", max_reply: 1000, max_request: 1000, calls: 13, timeout: 60s";
    let scene = scene(&service, more).await;
    let bench = &scene.bench;
    let own = |path: &str| format!("http://{}/v1{path}", service.address);
    let elsewhere = |url: String| json!(["ask", "GET", url]);
    let port = service.address.port();
    let tries = [
        (elsewhere(own("/large")), "more than 1000 bytes"),
        (
            json!(["ask", "POST", own(""), {}, ["x", 1001]]),
            "more than 1000 bytes",
        ),
        (
            json!(["ask", "GET", own("/silence"), {}, "", 50]),
            "within 50 ms",
        ),
        (elsewhere(format!("http://{there}/")), "doesn't name"),
        (
            elsewhere("http://169.254.169.254/latest/meta-data".into()),
            "doesn't name",
        ),
        (elsewhere(own("/../admin")), "doesn't name"),
        (
            elsewhere(format!("http://localhost:{port}/")),
            "isn't public",
        ),
        (elsewhere(own("/mirror")), "repeats the credentials"),
        (elsewhere(own("/nonsense")), "broke off"),
        (
            json!(["ask", "GET", own(""), {"authorization": "Bearer mine"}]),
            "these headers alone",
        ),
        (
            json!(["ask", "GET", own(""), {"accept": "a\r\nhost: b"}]),
            "visible ASCII",
        ),
    ];
    let mut calls: Vec<Value> = tries.iter().map(|(call, _)| call.clone()).collect();
    calls.push(elsewhere(own("/away")));
    calls.extend(std::iter::repeat_n(elsewhere(own("")), 3));
    let gave = gave(bench, calls.into()).await;
    for ((call, words), gave) in tries.iter().zip(gave.as_array().unwrap()) {
        let said = gave["refused"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{call}: {gave}");
    }
    // A redirect is a reply like any other, and nobody goes there.
    assert_eq!(gave[11], json!([302, "", format!("http://{there}/")]));
    assert_eq!(gave[12], json!([200, "fine", null]));
    for late in [13, 14] {
        let said = gave[late]["refused"].as_str().unwrap();
        assert!(said.contains("no more than 13 calls"), "{said}");
    }
    assert!(!gave.to_string().contains(KEY));
    assert_eq!(inside.heard(), []);
    let metrics = bench.ask_admin("/metrics").await;
    for (outcome, count) in [
        ("replied", 2),
        ("refused", 7),
        ("late", 1),
        ("too_large", 1),
        ("failed", 2),
    ] {
        let line =
            format!(r#"witgate_http_calls_total{{stage="player",outcome="{outcome}"}} {count}"#);
        assert!(metrics.text().contains(&line), "{line}: {}", metrics.text());
    }
}

/// One exchange waits for its policy's service. Others, of the same stage, come and go meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exchange_that_waits_for_a_service_holds_up_nobody() {
    let service = Service::saying(|_, _| answer("at last")).await;
    let scene = scene(&service, ", timeout: 60s").await;
    let bench = &scene.bench;
    let url = format!("http://{}/v1/gate", service.address);
    // The request is a large one: what waits has no turn.
    let large = format!("{}{}", ask("say: hi"), " ".repeat(100_000));
    let script = json!({"on-request": [["ask", "GET", url]]}).to_string();
    let headers = [("x-play", &*script)];
    let waits = bench.send(large.clone(), &headers);
    let others = async {
        until("it asks", async || {
            (!service.heard().is_empty()).then_some(())
        })
        .await;
        for _ in 0..8 {
            assert_eq!(bench.send(large.clone(), &[]).await.status, 200);
            assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
        }
        service.gate.add_permits(1);
    };
    let (reply, ()) = tokio::join!(waits, others);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Its own time is that of its hook: a service that never answers is the stage's failure, whatever the grant lets it wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_hook_bounds_what_it_waits_for() {
    let service = Service::saying(|_, _| String::new()).await;
    let scene = scene(&service, ", timeout: 60s").await;
    let bench = &scene.bench;
    let config = std::fs::read_to_string(bench.folder.path().join("policy-config.yaml")).unwrap();
    let short = config.replace(
        "on_error: deny",
        "on_error: deny, limits: {call_time: 50ms}",
    );
    std::fs::write(bench.folder.path().join("policy-config.yaml"), short).unwrap();
    assert_eq!(bench.tell_admin("/reload").await.status, 200);
    let url = format!("http://{}/v1/silence", service.address);
    let script = json!({"on-request": [["ask", "GET", url]]}).to_string();
    let reply = bench
        .send(ask("say: hi").to_string(), &[("x-play", &script)])
        .await;
    assert_eq!(reply.error(), (500, "deadline".into()));
    assert_eq!(bench.chat(&ask("say: hi")).await.status, 200);
}
