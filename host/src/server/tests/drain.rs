//! The end of a listener: which connections finish, and which are dropped.

use tokio::net::TcpStream;

use super::*;

const STREAM: &str = "POST /v1/chat/completions\nx-do: stream";

async fn refused(at: SocketAddr) {
    soon(async { while TcpStream::connect(at).await.is_ok() {} }).await;
}

fn impatient() -> ServerSettings {
    ServerSettings {
        drain_deadline: Duration::from_millis(20),
        ..ServerSettings::default()
    }
}

#[tokio::test]
async fn a_running_stream_finishes_and_nobody_new_comes_in() {
    let settings = ServerSettings {
        head_timeout: Duration::from_millis(20),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut idle = server.client().await;
    idle.ask("GET /v1/tcp_warming", "").await;
    let mut running = server.client().await;
    running.send(STREAM, "").await;
    running.read_until("first\n").await.unwrap();

    server.shutdown.cancel();
    assert!(idle.is_closed().await);
    refused(server.at).await;
    assert!(!server.served.is_finished());

    server.go.add_permits(1);
    let rest = running.read_until("0\r\n\r\n").await.unwrap();
    assert!(rest.contains("last\n"), "{rest}");
    assert!(running.is_closed().await);
    assert_eq!(soon(server.served).await.unwrap(), Drained::default());
}

#[tokio::test]
async fn the_answer_at_hand_is_the_connections_last_and_says_so() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    client
        .send("POST /v1/chat/completions\nx-do: slow", "")
        .await;
    until(|| server.metrics.exchanges_running.get() == 1).await;
    server.shutdown.cancel();
    refused(server.at).await;
    server.go.add_permits(1);
    let answer = client.answer(false).await;
    assert_eq!((answer.status, &*answer.body), (200, "slow"));
    assert_eq!(answer.headers["connection"], "close");
    assert!(client.is_closed().await);
    assert_eq!(soon(server.served).await.unwrap(), Drained::default());
}

#[tokio::test]
async fn a_request_that_was_on_its_way_is_served() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    let (first, rest) = (
        "POST /v1/chat/compl",
        "etions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\r\n",
    );
    client.send_raw(first.as_bytes()).await.unwrap();
    // A connection that came later is served, which shows that the bytes on the first were read.
    until(|| server.metrics.connections.get() == 1).await;
    server.ask("GET /v1/tcp_warming").await;
    server.shutdown.cancel();
    refused(server.at).await;
    client.send_raw(rest.as_bytes()).await.unwrap();
    assert_eq!(client.answer(false).await.status, 200);
    assert_eq!(soon(server.served).await.unwrap(), Drained::default());
}

#[tokio::test]
async fn after_the_deadline_what_still_runs_is_dropped() {
    let server = Running::start(Fake::default(), impatient()).await;
    let mut client = server.client().await;
    client.send(STREAM, "").await;
    client.read_until("first\n").await.unwrap();
    server.shutdown.cancel();
    client.read_until("0\r\n\r\n").await.unwrap_err();
    let left = soon(server.served).await.unwrap();
    assert_eq!((left.connections, left.exchanges), (1, 0));
    assert_eq!(server.metrics.exchanges_running.get(), 0);
    assert_eq!(server.metrics.connections.get(), 0);
}

#[tokio::test]
async fn an_exchange_that_outlives_its_answer_is_waited_for() {
    const LATE: &str = "POST /v1/chat/completions\nx-do: late";
    let patient = Running::plain().await;
    assert_eq!(patient.ask(LATE).await.body, "late");
    patient.shutdown.cancel();
    refused(patient.at).await;
    patient.go.add_permits(1);
    assert_eq!(soon(patient.served).await.unwrap(), Drained::default());

    let server = Running::start(Fake::default(), impatient()).await;
    assert_eq!(server.ask(LATE).await.body, "late");
    server.shutdown.cancel();
    let left = soon(server.served).await.unwrap();
    assert_eq!((left.connections, left.exchanges), (0, 1));
}

#[tokio::test]
async fn while_it_lingers_everyone_is_served_and_told_to_go() {
    let settings = ServerSettings {
        linger: Duration::from_secs(3600),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut kept = server.client().await;
    let answer = kept.ask("GET /v1/tcp_warming", "").await;
    assert!(!answer.headers.contains_key("connection"));
    server.shutdown.cancel();
    for mut client in [kept, server.client().await] {
        let answer = client.ask("POST /v1/chat/completions", "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["connection"], "close");
        assert!(client.is_closed().await);
    }
    assert!(!server.served.is_finished());
}
