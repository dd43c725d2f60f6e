//! The listener's life beyond one process and one certificate: handed over, left in order, shown anew.

use std::cell::Cell;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use crate::load::Load;
use crate::support::process::{Operator, run, through_shell, witgate};
use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::{Process, Reply, ask, ask_stream, bench, until};

/// Takes what stands in for a service manager's socket from its standard input to where the program looks for it.
const AS_THIRD: &str = "exec 3<&0 </dev/null";

/// A gateway before a simulator that is handed this listener, as systemd does it.
async fn handed(listener: &TcpListener, args: &[&str]) -> Process {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut command = through_shell(folder.path(), AS_THIRD, "LISTEN_PID=$$ LISTEN_FDS=1");
    command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
    let args = [&["--simulate", "--tokens-per-second", "0"], args].concat();
    Process::start(command, folder, &args).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_takes_over_and_no_request_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut first = handed(&listener, &["--linger", "1"]).await;
    assert_eq!(first.traffic, at);
    let load = Load::start(at);
    load.goes_on("before").await;
    let mut second = handed(&listener, &[]).await;
    load.goes_on("while both are there").await;
    first.terminate();
    assert_eq!(first.ended().await.code(), Some(0));
    load.goes_on("after the first has gone").await;
    // The same the other way round, while nobody else accepts: what connects meanwhile waits.
    second.terminate();
    assert_eq!(second.ended().await.code(), Some(0));
    let _third = handed(&listener, &[]).await;
    load.goes_on("after a gap").await;
    load.stop().await;
}

/// One journal has one writer: the new process waits for it, and whoever connects waits for the new process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_journal_the_second_begins_when_the_first_has_drained_and_no_request_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let upstream = Scripted::serve(vec![
        Step::Write(event("one ")),
        Step::Gate,
        Step::Write(finish(0)),
        Step::Write(DONE.into()),
    ])
    .await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    let config = "policies: {chain: [audit-logger]}";
    std::fs::write(
        &file,
        bench::complete(config, &[upstream.address], folder.path()),
    )
    .unwrap();
    let file = file.to_str().unwrap().to_owned();
    let start = |more: &'static [&'static str]| {
        let (listener, folder, file) =
            (listener.try_clone().unwrap(), folder.clone(), file.clone());
        async move {
            let mut command = through_shell(folder.path(), AS_THIRD, "LISTEN_PID=$$ LISTEN_FDS=1");
            command.stdin(OwnedFd::from(listener));
            let args = [&["--policy-config", &file, "--drain", "3600"], more].concat();
            Process::start(command, folder, &args).await
        }
    };
    let mut first = start(&[]).await;
    let mut stream = first.open(&ask_stream("hi")).await;
    stream.read_until("one").await;
    let serves = Cell::new(false);
    let second = async {
        let second = start(&["--await-journal", "3600"]).await;
        serves.set(true);
        second
    };
    let rest = async {
        first.terminate();
        until("the first takes nobody any more", async || {
            (first.ask_admin("/readyz").await?.status == 503).then_some(())
        })
        .await;
        let url = format!("http://{at}/v1/chat/completions");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.post(url).header("content-type", "application/json");
        let waits = tokio::spawn(asked.body(ask_stream("hi").to_string()).send());
        // The journal is the first's as long as its stream runs.
        assert!(!serves.get());
        upstream.go_on();
        upstream.go_on();
        assert!(stream.finish().await.is_done());
        assert_eq!(first.ended().await.code(), Some(0));
        waits.await.unwrap().unwrap()
    };
    let (mut second, answer) = tokio::join!(second, rest);
    let reply = Reply::read(answer).await;
    assert!(reply.is_done(), "{}", reply.text());
    second.terminate();
    assert_eq!(second.ended().await.code(), Some(0));
    let journal = second.journal();
    assert_eq!(bench::entries(&journal).len(), 2);
    let store = format!("sqlite:{}", journal.display());
    let verified = second
        .witgate(&["audit", "verify", "--store", &store])
        .await;
    assert_eq!(verified.code, 0, "{verified:?}");
}

/// That a process waits for the journal of another is said, and not for longer than it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_another_process_has_is_waited_for_as_long_as_was_said() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let first = Process::with(folder.clone(), &["--simulate"]).await;
    let listen = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let second = [&["run", "--simulate", "--await-journal", "1"], &listen[..]].concat();
    let done = run(folder.path(), second).await;
    assert_eq!(done.code, 1, "{done:?}");
    let holder = format!("process {}", first.id());
    assert!(
        done.err
            .contains(&format!("waiting until {holder} has ended")),
        "{done:?}"
    );
    let refusal = done.err.lines().last().unwrap();
    assert!(refusal.contains(&holder), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_balances_hears_that_it_stops_before_it_stops() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut gateway = Process::with(folder, &["--simulate", "--linger", "3600"]).await;
    gateway.terminate();
    let said = until("it isn't ready any more", async || {
        let reply = gateway.ask_admin("/readyz").await.unwrap();
        (reply.status == 503).then(|| reply.text().to_owned())
    })
    .await;
    assert_eq!(said, "the gateway is stopping\n");
    assert_eq!(gateway.ask_admin("/healthz").await.unwrap().status, 200);
    let reply = gateway.chat(&ask("hi")).await;
    assert_eq!((reply.status, reply.header("connection")), (200, "close"));
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_is_told_of_each_step() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut command = witgate(folder.path());
    command.env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", "20000");
    let args = ["--simulate", "--listen", "127.0.0.1:0"];
    let mut gateway = Process::start(command, folder.clone(), &args).await;
    let mut beats = 0;
    let mut hears = async |what: &str| {
        let mut bytes = [0; 256];
        until(&format!("the service manager hears {what}"), async || {
            let length = socket.recv(&mut bytes).ok()?;
            let said = std::str::from_utf8(&bytes[..length]).unwrap();
            beats += usize::from(said == "WATCHDOG=1\n");
            said.starts_with(what).then(|| said.to_owned())
        })
        .await
    };
    hears("READY=1\n").await;
    gateway.signal("HUP");
    let reloading = hears("RELOADING=1\n").await;
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    hears("READY=1\n").await;
    hears("WATCHDOG=1\n").await;
    gateway.terminate();
    let stopping = hears("STOPPING=1\n").await;
    assert!(
        stopping.contains("EXTEND_TIMEOUT_USEC=40000000"),
        "{stopping}"
    );
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(beats > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_was_replaced_is_shown_and_a_wrong_one_is_not() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let make = || {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let write = |(new, secret): &(String, String)| {
        std::fs::write(&key, secret).unwrap();
        std::fs::write(&cert, new).unwrap();
    };
    let (first, second) = (make(), make());
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
