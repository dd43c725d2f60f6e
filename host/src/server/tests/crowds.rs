//! Many clients at once: what is slow or large or too much of one keeps nobody else out.

use super::*;

const CHAT: &str = "POST /v1/chat/completions";
const HALF: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";

#[tokio::test]
async fn dribbled_bodies_hold_nobody_out() {
    let settings = ServerSettings {
        max_exchanges: 2,
        max_reading: 4,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut dribbles = Vec::new();
    for _ in 0..4 {
        let mut client = server.client().await;
        client.send_raw(HALF).await.unwrap();
        dribbles.push(client);
    }
    until(|| server.metrics.bodies_reading.get() == 4).await;
    assert_eq!(server.metrics.exchanges_running.get(), 0);
    let mut client = server.client().await;
    let body = "a".repeat(100_000);
    assert_eq!(client.ask(CHAT, &body).await.status, 200);
    // More of them than are read at once: the first gives way, and is told.
    let mut fifth = server.client().await;
    fifth.send_raw(HALF).await.unwrap();
    let mut given_way = dribbles.remove(0);
    let answer = given_way.answer(false).await;
    assert_eq!((answer.status, &*answer.headers["retry-after"]), (503, "1"));
    assert_eq!(client.ask(CHAT, &body).await.status, 200);
}

#[tokio::test]
async fn bodies_past_the_memory_are_a_503_and_small_ones_come_in() {
    let settings = ServerSettings {
        max_memory: 2 << 20,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let large = "a".repeat(300 << 10);
    let mut first = server.client().await;
    first.send(&format!("{CHAT}\nx-do: stream"), &large).await;
    first.read_until("first\n").await.unwrap();
    assert_eq!(server.metrics.memory.get(), 4 * (300 << 10));

    let mut second = server.client().await;
    let answer = second.ask(CHAT, &large).await;
    assert_eq!((answer.status, &*answer.code()), (503, "overloaded"));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(server.metrics.exchanges_refused.get(), 1);
    assert_eq!(second.ask(CHAT, &large[..64 << 10]).await.status, 200);

    server.go.add_permits(1);
    first.read_until("0\r\n\r\n").await.unwrap();
    until(|| server.metrics.memory.get() == 0).await;
    assert_eq!(second.ask(CHAT, &large).await.status, 200);
}

#[tokio::test]
async fn idle_connections_give_way_the_longest_idle_first() {
    let settings = ServerSettings {
        max_connections: 3,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let mut busy = server.client().await;
    busy.send(&format!("{CHAT}\nx-do: stream"), "").await;
    busy.read_until("first\n").await.unwrap();
    let mut idle = [server.client().await, server.client().await];
    for client in &mut idle {
        assert_eq!(client.ask("GET /v1/tcp_warming", "").await.status, 200);
    }
    let [first, second] = &mut idle;
    assert_eq!(first.ask("GET /v1/tcp_warming", "").await.status, 200);
    let mut third = server.client().await;
    assert_eq!(third.ask(CHAT, "{}").await.status, 200);
    assert!(second.is_closed().await, "it was idle for the longest");
    let mut fourth = server.client().await;
    assert_eq!(fourth.ask(CHAT, "{}").await.status, 200);
    assert!(first.is_closed().await);
    server.go.add_permits(1);
    busy.read_until("0\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn connections_that_never_say_anything_shut_nobody_out() {
    let settings = ServerSettings {
        max_connections: 2,
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let _silent = [server.client().await, server.client().await];
    until(|| server.metrics.connections.get() == 2).await;
    assert_eq!(server.ask("GET /v1/tcp_warming").await.status, 200);
}

#[tokio::test]
async fn exchanges_that_complete_refuse_nobody() {
    let settings = ServerSettings {
        max_exchanges: 1,
        // However busy the machine of the test is.
        room_wait: std::time::Duration::from_secs(600),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let late = format!("{CHAT}\nx-do: late");
    assert_eq!(server.ask(&late).await.body, "late");
    until(|| server.metrics.exchanges_running.get() == 0).await;
    assert_eq!(server.metrics.exchanges_open.get(), 1);
    // It waits for the room of the first one's instances.
    let mut second = server.client().await;
    second.send(CHAT, "{}").await;
    until(|| server.metrics.exchanges_running.get() == 1).await;
    server.go.add_permits(1);
    assert_eq!(second.answer(false).await.status, 200);
    assert_eq!(server.metrics.exchanges_refused.get(), 0);
    until(|| server.metrics.exchanges_open.get() == 0).await;
}

#[tokio::test]
async fn exchanges_that_never_complete_are_waited_for_no_longer_than_is_of_use() {
    let settings = ServerSettings {
        max_exchanges: 1,
        room_wait: std::time::Duration::from_millis(1),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let late = format!("{CHAT}\nx-do: late");
    assert_eq!(server.ask(&late).await.body, "late");
    let answer = server.ask(CHAT).await;
    assert_eq!((answer.status, &*answer.code()), (503, "overloaded"));
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(server.metrics.exchanges_refused.get(), 1);
    assert_eq!(server.metrics.exchanges_running.get(), 0);
    server.go.add_permits(1);
    until(|| server.metrics.exchanges_open.get() == 0).await;
    assert_eq!(server.ask(CHAT).await.status, 200);
}

#[tokio::test]
async fn one_client_does_not_take_all_exchanges_from_another() {
    let keys = Keys::new(["a", "b"].map(|name| {
        let caller = Caller::named(&format!("team-{name}"));
        crate::api::Client::with_key(caller, &format!("key-{name}"))
    }));
    let gateway = Fake {
        keys,
        ..Fake::default()
    };
    let settings = ServerSettings {
        max_exchanges: 4,
        share: Share(50),
        ..ServerSettings::default()
    };
    let server = Running::start(gateway, settings).await;
    let a = "authorization: Bearer key-a";
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut client = server.client().await;
        client.send(&format!("{CHAT}\nx-do: stream\n{a}"), "").await;
        client.read_until("first\n").await.unwrap();
        streams.push(client);
    }
    let answer = server.ask(&format!("{CHAT}\n{a}")).await;
    assert_eq!((answer.status, &*answer.code()), (429, "share_taken"));
    let other = format!("{CHAT}\nauthorization: Bearer key-b");
    assert_eq!(server.ask(&other).await.status, 200);
}
