#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use witgate_config::SecretRef;

const KEY: &str = "sk-top-secret-key";

/// A server that says the same to everyone, and what it was told.
struct Server {
    address: SocketAddr,
    told: UnboundedReceiver<String>,
}

impl Server {
    async fn saying(answer: impl Into<Vec<u8>>) -> Server {
        let answer: Vec<u8> = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut said = Vec::new();
                while !said.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut said).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                let _ = tell.send(String::from_utf8(said).unwrap());
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    // It never says a word.
                    std::future::pending::<()>().await;
                }
            }
        });
        Server { address, told }
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All that it was told so far.
    fn heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn host(url: &str, private: bool) -> HttpHost {
    HttpHost {
        url: Url::parse(url).unwrap(),
        private,
        secret: None,
        secret_header: None,
    }
}

/// The secret is in a file: tests share the environment.
fn with_key(mut host: HttpHost, header: Option<&str>) -> (tempfile::TempDir, HttpHost) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    host.secret = Some(SecretRef::File(file));
    host.secret_header = header.map(str::to_owned);
    (folder, host)
}

fn of(hosts: Vec<HttpHost>, change: impl FnOnce(&mut HttpConfig)) -> Outbound {
    let mut config = HttpConfig::of(hosts);
    config.timeout = Duration::from_secs(60);
    change(&mut config);
    Outbound::new(&config, Arc::new(StageMetrics::unregistered())).unwrap()
}

fn to(url: &str) -> Call {
    Call {
        method: "POST".into(),
        url: url.into(),
        body: b"{}".to_vec(),
        ..Call::default()
    }
}

#[tokio::test]
async fn the_host_is_shown_its_credentials_and_the_policy_is_not() {
    for (header, shown) in [
        (None, format!("authorization: Bearer {KEY}")),
        (Some("x-api-key"), format!("x-api-key: {KEY}")),
    ] {
        let mut server = Server::saying(ok("fine")).await;
        let (_folder, host) = with_key(host(&server.url(), true), header);
        let asks = of(vec![host], |_| ());
        let reply = asks.send(to(&format!("{}/x", server.url()))).await.unwrap();
        assert_eq!((reply.status, &*reply.body), (200, &b"fine"[..]));
        let heard = server.heard().concat();
        assert!(heard.starts_with("POST /v1/x HTTP/1.1\r\n"), "{heard}");
        assert!(heard.contains(&shown), "{heard}");
        let known = format!("host: {}\r\n", server.address);
        assert!(heard.contains(&known), "{heard}");
        assert!(!format!("{asks:?}").contains(KEY));
    }
}

#[tokio::test]
async fn a_reply_that_repeats_the_credentials_is_none() {
    let escaped = KEY.replace("sk", "\\u0073k");
    for body in [
        format!("you said {KEY}"),
        format!("{{\"key\":\"{escaped}\"}}"),
    ] {
        let server = Server::saying(ok(&body)).await;
        let (_folder, host) = with_key(host(&server.url(), true), None);
        let error = of(vec![host], |_| ())
            .send(to(&server.url()))
            .await
            .unwrap_err();
        assert!(matches!(error, NoReply::Failed(_)), "{error}");
        assert!(!error.to_string().contains(KEY));
    }
    // In a header it is left out, as cookies are.
    let head = format!(
        "HTTP/1.1 404 No\r\nx-you: Bearer {KEY}\r\nset-cookie: a=b\r\nX-Other: c\r\ncontent-length: 0\r\n\r\n"
    );
    let server = Server::saying(head).await;
    let (_folder, host) = with_key(host(&server.url(), true), None);
    let reply = of(vec![host], |_| ())
        .send(to(&server.url()))
        .await
        .unwrap();
    assert_eq!(reply.status, 404);
    assert_eq!(reply.headers, [("x-other".to_owned(), "c".to_owned())]);
}

/// A name is looked up when the connection is made, and it is that address which counts: whatever it was before.
#[tokio::test]
async fn a_private_address_is_asked_only_where_it_is_named_so() {
    let mut server = Server::saying(ok("inside")).await;
    let port = server.address.port();
    for name in ["127.0.0.1", "localhost"] {
        let url = format!("http://{name}:{port}/");
        let error = of(vec![host(&url, false)], |_| ())
            .send(to(&url))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, NoReply::Refused(why) if why.contains("private: true")),
            "{error}"
        );
        assert_eq!(server.heard(), [""; 0], "{name}");
        let reply = of(vec![host(&url, true)], |_| ())
            .send(to(&url))
            .await
            .unwrap();
        assert_eq!(reply.body, b"inside");
        assert_eq!(server.heard().len(), 1);
    }
    // Another host that may be private makes this one none.
    let (named, other) = (
        format!("http://localhost:{port}/"),
        host("http://127.0.0.2/", true),
    );
    let error = of(vec![other, host(&named, false)], |_| ())
        .send(to(&named))
        .await
        .unwrap_err();
    assert!(matches!(error, NoReply::Refused(_)), "{error}");
}

#[tokio::test]
async fn nobody_else_is_asked_and_no_redirect_followed() {
    let mut inside = Server::saying(ok("inside")).await;
    let head = format!(
        "HTTP/1.1 307 There\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        inside.url()
    );
    let server = Server::saying(head).await;
    let asks = of(vec![host(&server.url(), true)], |_| ());
    let reply = asks.send(to(&server.url())).await.unwrap();
    assert_eq!(reply.status, 307);
    assert!(
        reply
            .headers
            .contains(&("location".to_owned(), inside.url()))
    );
    for url in [
        inside.url(),
        format!("http://{}/", server.address),
        "http://169.254.169.254/latest".into(),
    ] {
        let error = asks.send(to(&url)).await.unwrap_err();
        assert!(
            matches!(&error, NoReply::Refused(why) if why.contains("doesn't name")),
            "{error}"
        );
    }
    assert_eq!(inside.heard(), [""; 0]);
}

#[tokio::test]
async fn a_reply_is_bounded_whether_it_says_its_length_or_not() {
    let large = "x".repeat(1001);
    let endless = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        format!("3e9\r\n{large}\r\n").repeat(3)
    );
    for answer in [ok(&large), endless] {
        let server = Server::saying(answer).await;
        let asks = of(vec![host(&server.url(), true)], |it| it.max_reply = 1000);
        let error = asks.send(to(&server.url())).await.unwrap_err();
        assert!(matches!(error, NoReply::TooLarge(1000)), "{error}");
    }
    let server = Server::saying(ok(&large)).await;
    let asks = of(vec![host(&server.url(), true)], |it| it.max_reply = 1001);
    assert_eq!(asks.send(to(&server.url())).await.unwrap().body.len(), 1001);
}

#[tokio::test]
async fn what_is_sent_is_bounded() {
    let mut server = Server::saying(ok("")).await;
    let asks = of(vec![host(&server.url(), true)], |it| it.max_request = 1);
    let error = asks.send(to(&server.url())).await.unwrap_err();
    assert!(
        matches!(&error, NoReply::Refused(why) if why.contains("max_request")),
        "{error}"
    );
    assert_eq!(server.heard(), [""; 0]);
}

#[tokio::test]
async fn a_compressed_reply_could_hide_anything_and_is_none() {
    let server =
        Server::saying("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx")
            .await;
    let error = of(vec![host(&server.url(), true)], |_| ())
        .send(to(&server.url()))
        .await
        .unwrap_err();
    assert!(matches!(error, NoReply::Failed(_)), "{error}");
}

/// One waits for a reply that never comes, and the next for its place: both for no longer than they may.
#[tokio::test]
async fn waiting_ends_for_a_reply_and_for_a_place() {
    let mut server = Server::saying("").await;
    let asks = of(vec![host(&server.url(), true)], |it| it.at_once = 1);
    let url = server.url();
    let first = tokio::spawn({
        let (asks, url) = (asks.clone(), url.clone());
        async move { asks.send(to(&url)).await }
    });
    server.told.recv().await.unwrap();
    let mut second = to(&url);
    second.timeout_ms = 1;
    let error = asks.send(second).await.unwrap_err();
    assert!(matches!(error, NoReply::Late(1)), "{error}");
    assert_eq!(server.heard(), [""; 0], "it had no place");
    first.abort();
    // Whoever leaves gives its place up.
    let mut third = to(&url);
    third.timeout_ms = 1;
    let error = of(vec![host(&url, true)], |it| {
        it.timeout = Duration::from_millis(1)
    })
    .send(to(&url))
    .await
    .unwrap_err();
    assert!(matches!(error, NoReply::Late(1)), "{error}");
    first.await.unwrap_err();
    assert_eq!(asks.0.slots.available_permits(), 1);
    assert!(matches!(
        asks.send(third).await.unwrap_err(),
        NoReply::Late(1)
    ));
}

#[tokio::test]
async fn another_secret_is_another_way_to_ask() {
    let server = host("https://a.example/", false);
    let (folder, keyed) = with_key(server.clone(), None);
    let one = of(vec![keyed.clone()], |_| ());
    assert!(one == of(vec![keyed.clone()], |_| ()));
    assert!(one != of(vec![server], |_| ()));
    std::fs::write(folder.path().join("key"), "another-key").unwrap();
    assert!(one != of(vec![keyed.clone()], |_| ()));
    std::fs::remove_file(folder.path().join("key")).unwrap();
    let gone = Outbound::new(
        &HttpConfig::of(vec![keyed]),
        Arc::new(StageMetrics::unregistered()),
    );
    assert!(matches!(gone, Err(OutboundError::Secret { .. })));
}

/// A connection that is kept lives where it was made. Where a policy runs on other threads for once, it isn't made there.
#[test]
fn connections_are_made_where_it_was_made() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (home, elsewhere) = (runtime(), runtime());
    let (asks, url, accepted) = home.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (accept, accepted) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                accept.send(()).unwrap();
                tokio::spawn(async move {
                    let mut said = Vec::new();
                    while stream.read_buf(&mut said).await.is_ok_and(|read| read > 0) {
                        if said.ends_with(b"{}") {
                            said.clear();
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                            stream.write_all(answer).await.unwrap();
                        }
                    }
                });
            }
        });
        (of(vec![host(&url, true)], |_| ()), url, accepted)
    });
    let first = elsewhere.block_on(asks.send(to(&url)));
    assert_eq!(first.unwrap().status, 200);
    // Whatever was made there is gone.
    drop(elsewhere);
    let second = home.block_on(asks.send(to(&url)));
    assert_eq!(second.unwrap().status, 200);
    assert_eq!(accepted.len(), 1, "the connection was kept");
}
