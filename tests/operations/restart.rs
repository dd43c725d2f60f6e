//! The listener's life beyond one process: handed over, and left in order.

use std::cell::Cell;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use crate::load::Load;
use crate::support::process::{run, through_shell, witgate};
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
