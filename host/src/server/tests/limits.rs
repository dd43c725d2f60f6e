//! The limits that one client meets.

use super::*;

#[tokio::test]
async fn past_the_cap_it_is_a_503_at_once_until_a_stream_ends() {
    let settings = ServerSettings {
        max_exchanges: 2,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut streams = [server.client().await, server.client().await];
    for client in &mut streams {
        client
            .send("POST /v1/chat/completions\nx-do: stream", "")
            .await;
        client.read_until("first\n").await.unwrap();
    }
    assert_eq!(server.metrics.exchanges_running.get(), 2);

    let mut third = server.client().await;
    for head in ["POST /v1/chat/completions", "GET /v1/models"] {
        let answer = third.ask(head, "").await;
        assert_eq!((answer.status, &*answer.headers["retry-after"]), (503, "1"));
        let [_, kind, _, _] = answer.error();
        assert_eq!(kind, "overloaded");
    }
    assert_eq!(server.metrics.exchanges_refused.get(), 2);
    assert_eq!(third.ask("GET /v1/tcp_warming", "").await.status, 200);

    server.go.add_permits(1);
    let [first, second] = &mut streams;
    tokio::select! {
        end = first.read_until("0\r\n\r\n") => end.unwrap(),
        end = second.read_until("0\r\n\r\n") => end.unwrap(),
    };
    assert_eq!(third.ask("POST /v1/chat/completions", "").await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_back() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    client
        .send("POST /v1/chat/completions\nx-do: stream", "")
        .await;
    client.read_until("first\n").await.unwrap();
    drop(client);
    until(|| server.metrics.exchanges_running.get() == 0).await;
    until(|| server.metrics.connections.get() == 0).await;
}

#[tokio::test]
async fn a_head_too_large_or_with_too_many_headers_is_a_431() {
    let server = Running::plain().await;
    let large = format!("x: {}\r\n", "a".repeat(70_000));
    let many: String = (0..101).map(|at| format!("x-{at}: a\r\n")).collect();
    for headers in [large, many] {
        let mut client = server.client().await;
        let head = format!("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        // The server may have answered and closed before all of it is sent.
        let _ = client.send_raw(head.as_bytes()).await;
        assert_eq!(client.answer(false).await.status, 431);
        assert!(client.is_closed().await);
    }
    // Just below both limits.
    let many: String = (0..95)
        .map(|at| format!("\nx-{at}: {}", "a".repeat(600)))
        .collect();
    assert_eq!(
        server.ask(&format!("GET /v1/models{many}")).await.status,
        200
    );
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let settings = ServerSettings {
        head_timeout: Duration::from_millis(20),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut client = server.client().await;
    client
        .send_raw(b"GET /v1/models HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    assert!(client.is_closed().await);
    let mut silent = server.client().await;
    assert!(silent.is_closed().await);
}

#[tokio::test]
async fn a_body_past_its_cap_is_a_413_that_the_sender_gets_to_see() {
    let body = BodyLimits {
        size: 1 << 20,
        ..BodyLimits::default()
    };
    let settings = ServerSettings {
        body,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut client = server.client().await;
    // All of it is written before the answer is looked for.
    let large = "a".repeat(12 << 20);
    let answer = client.ask("POST /v1/chat/completions", &large).await;
    assert_eq!((answer.status, &*answer.code()), (413, "request_too_large"));
    let answer = client
        .ask("POST /v1/chat/completions", &large[..1 << 20])
        .await;
    assert_eq!(answer.status, 200, "the connection lives on");
    assert!(answer.body.ends_with(" 1048576"), "{}", answer.body);
}

#[tokio::test]
async fn a_refusal_reads_the_body_away_but_does_not_ask_for_it() {
    let gateway = Fake {
        keys: team_a(),
        ..Fake::default()
    };
    let server = Running::start(gateway, ServerSettings::default()).await;
    let mut client = server.client().await;
    let large = "a".repeat(8 << 20);
    for _ in 0..2 {
        let answer = client.ask("POST /v1/chat/completions", &large).await;
        assert_eq!(answer.status, 401, "and again on the same connection");
    }
    let head =
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    client.send_raw(head).await.unwrap();
    assert_eq!(client.answer(false).await.status, 401, "and no 100 before");
}
