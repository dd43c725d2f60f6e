//! Certificates of both listeners: shown anew when their files change, and asked for where they are to be shown.

use std::io::Read as _;
use std::sync::Arc;

use crate::load::Load;
use crate::support::process::{Operator, run, witgate};
use crate::support::{Process, ask, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_was_replaced_is_shown_and_a_wrong_one_is_not() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let write = |(new, secret): &(String, String)| {
        std::fs::write(&key, secret).unwrap();
        std::fs::write(&cert, new).unwrap();
    };
    let (first, second) = (made(), made());
    write(&first);
    let files = [&cert, &key].map(|file| file.to_str().unwrap());
    let args = ["--simulate", "--tls-cert", files[0], "--tls-key", files[1]];
    let gateway = Process::with(folder.clone(), &args).await;
    let shown = async |(root, _): &(String, String)| {
        let root = reqwest::Certificate::from_pem(root.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(root);
        let url = format!("https://{}/v1/models", gateway.traffic);
        let sent = client.build().unwrap().get(url).send().await;
        sent.ok().map(|reply| assert_eq!(reply.status(), 200))
    };
    assert_eq!(shown(&first).await, Some(()));
    assert_eq!(shown(&second).await, None);
    // Only half of it: what was shown goes on being shown, and the log says what is wrong.
    std::fs::write(&cert, &second.0).unwrap();
    until("the log says what is wrong with it", async || {
        let log = gateway.log();
        let said = log.contains("isn't that of the first certificate");
        (said && log.contains(files[1])).then_some(())
    })
    .await;
    assert_eq!(shown(&first).await, Some(()));
    std::fs::write(&key, &second.1).unwrap();
    until("the new certificate is shown", async || {
        shown(&second).await
    })
    .await;
    assert_eq!(shown(&first).await, None);
    let metrics = gateway.ask_admin("/metrics").await.unwrap();
    let metrics = metrics.text();
    assert!(
        metrics.contains("witgate_certificate_renewals_total{result=\"ok\"} 1\n"),
        "{metrics}"
    );
    let mut pem = String::new();
    std::fs::File::open(&key)
        .unwrap()
        .read_to_string(&mut pem)
        .unwrap();
    let secret = pem.lines().nth(1).unwrap();
    assert!(!gateway.log().contains(secret), "the key is in the log");
}

/// A certificate for this machine that signs itself, and its key, as PEM.
fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A client that trusts one certificate, and may show another.
fn client(trusts: &str, shows: Option<&(String, String)>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(trusts.as_bytes()).unwrap();
    let mut client = reqwest::Client::builder().no_proxy();
    client = client.add_root_certificate(root).pool_max_idle_per_host(0);
    if let Some((cert, key)) = shows {
        let pem = format!("{cert}{key}");
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    client.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_in_their_files_under_load_and_no_request_is_lost() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let pairs: Vec<_> = (0..5).map(|_| made()).collect();
    let write = |(new, secret): &(String, String)| {
        std::fs::write(&key, secret).unwrap();
        std::fs::write(&cert, new).unwrap();
    };
    write(&pairs[0]);
    let files = [&cert, &key].map(|file| file.to_str().unwrap());
    let args = [
        "--simulate",
        "--tokens-per-second",
        "0",
        "--tls-cert",
        files[0],
        "--tls-key",
        files[1],
    ];
    let gateway = Process::with(folder.clone(), &args).await;
    let base = format!("https://{}", gateway.traffic);
    // Clients trust all of them, as roots are rolled in practice.
    let load = Load::start_with(&base, || {
        pairs
            .iter()
            .fold(reqwest::Client::builder(), |client, (root, _)| {
                client
                    .add_root_certificate(reqwest::Certificate::from_pem(root.as_bytes()).unwrap())
            })
    });
    load.goes_on("with the first certificate").await;
    for pair in &pairs[1..] {
        write(pair);
        let only = client(&pair.0, None);
        until("the next one is shown", async || {
            only.get(format!("{base}/v1/models"))
                .send()
                .await
                .ok()
                .map(drop)
        })
        .await;
        load.goes_on("with the next one").await;
    }
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_side_shows_its_own_certificate_and_lets_in_who_shows_one() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (own, next, operator, other) = (made(), made(), made(), made());
    for (name, text) in [
        ("cert.pem", &own.0),
        ("key.pem", &own.1),
        ("clients.pem", &operator.0),
        ("operator.pem", &operator.0),
        ("operator.key", &operator.1),
        ("own.pem", &own.0),
    ] {
        std::fs::write(at(name), text).unwrap();
    }
    let files = ["cert.pem", "key.pem", "clients.pem"].map(at);
    let args = [
        "--simulate",
        "--listen",
        "127.0.0.1:0",
        "--admin-tls-cert",
        &files[0],
        "--admin-tls-key",
        &files[1],
        "--admin-client-ca",
        &files[2],
    ];
    let as_operator = Operator {
        scheme: "https",
        http: client(&own.0, Some(&operator)),
    };
    let gateway =
        Process::start_for(as_operator, witgate(folder.path()), folder.clone(), &args).await;
    assert_eq!(
        gateway.chat(&ask("hi")).await.status,
        200,
        "traffic is in the clear"
    );
    let (admin, secured) = (gateway.admin, format!("https://{}/healthz", gateway.admin));
    let answers = async |client: reqwest::Client, url: &str| {
        let sent = client.get(url).send().await;
        sent.is_ok_and(|reply| reply.status() == 200)
    };
    assert!(answers(client(&own.0, Some(&operator)), &secured).await);
    for stranger in [
        client(&own.0, None),
        client(&own.0, Some(&other)),
        client(&other.0, Some(&operator)),
    ] {
        assert!(!answers(stranger, &secured).await);
    }
    assert!(!answers(client(&own.0, None), &format!("http://{admin}/healthz")).await);
    // As an operator types it.
    let url = format!("https://{admin}");
    let rollback = ["rollback", "--admin", &url, "--ca", &at("own.pem")];
    let refused = run(folder.path(), rollback).await;
    assert!(
        refused.err.contains("no gateway answers at https://"),
        "{refused:?}"
    );
    let shows = ["--cert", &at("operator.pem"), "--key", &at("operator.key")];
    let heard = run(folder.path(), [&rollback[..], &shows].concat()).await;
    assert!(
        heard.err.contains("there is no chain to go back to"),
        "{heard:?}"
    );
    // Both change: what it shows, and whom it lets in.
    std::fs::write(at("key.pem"), &next.1).unwrap();
    std::fs::write(at("cert.pem"), &next.0).unwrap();
    until("the new certificate is shown", async || {
        answers(client(&next.0, Some(&operator)), &secured)
            .await
            .then_some(())
    })
    .await;
    std::fs::write(at("clients.pem"), &other.0).unwrap();
    until("the other is let in", async || {
        answers(client(&next.0, Some(&other)), &secured)
            .await
            .then_some(())
    })
    .await;
    assert!(!answers(client(&next.0, Some(&operator)), &secured).await);
}
