//! The admin listener.

use super::*;

async fn listening(gateway: Fake) -> (Client, SocketAddr) {
    let listener = bind("127.0.0.1:0", "--admin").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = admin_router(Arc::new(gateway), Arc::new(Metrics::new()));
    tokio::spawn(serve_admin(
        listener,
        router,
        None,
        CancellationToken::new(),
    ));
    (Client::connect(at).await, at)
}

async fn start(gateway: Fake) -> (Client, Arc<Metrics>, CancellationToken, JoinHandle<()>) {
    let listener = bind("127.0.0.1:0", "--admin").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (metrics, shutdown) = (Arc::new(Metrics::new()), CancellationToken::new());
    let router = admin_router(Arc::new(gateway), Arc::clone(&metrics));
    let served = tokio::spawn(serve_admin(listener, router, None, shutdown.clone()));
    (Client::connect(at).await, metrics, shutdown, served)
}

#[tokio::test]
async fn health_readiness_metrics_and_status_are_shown() {
    let (mut client, metrics, shutdown, served) = start(Fake::default()).await;
    metrics.generation.set(7);
    let answer = client.ask("GET /healthz", "").await;
    assert_eq!((answer.status, &*answer.body), (200, "ok\n"));
    assert_eq!(client.ask("GET /readyz", "").await.status, 200);
    assert_eq!(client.ask("HEAD /readyz", "").await.status, 200);
    let answer = client.ask("GET /metrics", "").await;
    assert!(
        answer.headers["content-type"].starts_with("application/openmetrics-text"),
        "{:?}",
        answer.headers["content-type"]
    );
    assert!(
        answer.body.contains("\nwitgate_config_generation 7\n"),
        "{}",
        answer.body
    );
    let answer = client.ask("GET /status", "").await;
    assert_eq!(answer.json()["generation"], 7);
    shutdown.cancel();
    soon(served).await.unwrap();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_is_not_ready_says_why() {
    let gateway = Fake {
        not_ready: Some("no target has a key".to_owned()),
        ..Fake::default()
    };
    let (mut client, ..) = start(gateway).await;
    let answer = client.ask("GET /readyz", "").await;
    assert_eq!(
        (answer.status, &*answer.body),
        (503, "no target has a key\n")
    );
    assert_eq!(client.ask("GET /healthz", "").await.status, 200);
}

#[tokio::test]
async fn a_name_that_was_bent_to_loopback_is_refused() {
    let (mut client, ..) = start(Fake::default()).await;
    let head = b"GET /metrics HTTP/1.1\r\nhost: evil.example:41003\r\n\r\n";
    client.send_raw(head).await.unwrap();
    let answer = client.answer(false).await;
    assert_eq!((answer.status, &*answer.code()), (403, "wrong_host"));
    let answer = client
        .ask("GET /metrics\norigin: https://evil.example", "")
        .await;
    assert_eq!((answer.status, &*answer.code()), (403, "wrong_origin"));
}

#[tokio::test]
async fn health_is_shown_however_many_reloads_hang() {
    let (go, reloads) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
    let gateway = Fake {
        go: Some(Arc::clone(&go)),
        reloads: Arc::clone(&reloads),
        ..Fake::default()
    };
    let (_, at) = listening(gateway).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(at).await;
        client.send("POST /reload", "").await;
        clients.push(client);
    }
    until(|| reloads.load(Ordering::SeqCst) == 8).await;
    // With these, more connections than the listener has places: some hang, the others are idle.
    for _ in 0..60 {
        let mut client = Client::connect(at).await;
        let refused = client.ask("POST /reload", "").await;
        assert_eq!((refused.status, &*refused.code()), (503, "overloaded"));
        clients.push(client);
    }
    let mut another = Client::connect(at).await;
    assert_eq!(another.ask("GET /healthz", "").await.status, 200);
    go.add_permits(9);
    for client in &mut clients[..8] {
        assert_eq!(client.answer(false).await.status, 200);
    }
    assert_eq!(another.ask("POST /reload", "").await.status, 200);
}

#[tokio::test]
async fn checks_that_hang_hold_up_no_reload_and_no_health() {
    let go = Arc::new(Semaphore::new(0));
    let gateway = Fake {
        go: Some(Arc::clone(&go)),
        ..Fake::default()
    };
    let (_, at) = listening(gateway).await;
    let mut hanging = Vec::new();
    // Of three, one is told so, whichever comes last.
    for _ in 0..3 {
        let mut client = Client::connect(at).await;
        client.send("POST /check", "").await;
        hanging.push(client);
    }
    let mut other = Client::connect(at).await;
    assert_eq!(other.ask("GET /healthz", "").await.status, 200);
    go.add_permits(1);
    assert_eq!(other.ask("POST /rollback", "").await.status, 409);
    go.add_permits(3);
    let mut told = Vec::new();
    for client in &mut hanging {
        told.push(client.answer(false).await.status);
    }
    told.sort_unstable();
    assert_eq!(told, [200, 200, 503]);
    assert_eq!(other.ask("GET /check", "").await.status, 405);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_in_the_usual_shape() {
    let (mut client, ..) = start(Fake::default()).await;
    let answer = client.ask("GET /v1/models", "").await;
    assert_eq!((answer.status, &*answer.code()), (404, "unknown_route"));
}

#[tokio::test]
async fn pages_of_other_ports_and_two_hosts_are_refused() {
    let (mut client, ..) = start(Fake::default()).await;
    for from in ["origin: http://localhost:3000", "sec-fetch-site: same-site"] {
        let answer = client.ask(&format!("POST /reload\n{from}"), "").await;
        assert_eq!((answer.status, &*answer.code()), (403, "wrong_origin"));
    }
    let own = "origin: http://localhost\nsec-fetch-site: same-origin";
    let answer = client.ask(&format!("POST /reload\n{own}"), "").await;
    assert_eq!(answer.status, 200);
    let head = b"GET /status HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n";
    client.send_raw(head).await.unwrap();
    let answer = client.answer(false).await;
    assert_eq!((answer.status, &*answer.code()), (400, "bad_host"));
}

/// Who shows the token of a viewer, and who an operator's.
fn admins() -> Keys {
    Keys::new([("eyes", "token-v"), ("op", "token-o")].map(|(id, token)| {
        let caller = Caller::named(id);
        crate::api::Client::with_key(caller, token)
    }))
}

#[tokio::test]
async fn where_there_are_tokens_a_viewer_reads_an_operator_changes_and_probes_need_none() {
    let gateway = Fake {
        admins: admins(),
        ..Fake::default()
    };
    let reloads = Arc::clone(&gateway.reloads);
    let (mut client, _) = listening(gateway).await;
    let shown = [
        "",
        "\nauthorization: Bearer token-x",
        "\nauthorization: Bearer token-v",
        "\nauthorization: Bearer token-o",
    ];
    for (route, expected) in [
        ("GET /healthz", [200, 200, 200, 200]),
        ("GET /readyz", [200, 200, 200, 200]),
        ("GET /status", [401, 401, 200, 200]),
        ("HEAD /status", [401, 401, 200, 200]),
        ("GET /metrics", [401, 401, 200, 200]),
        ("POST /check", [401, 401, 403, 200]),
        ("POST /reload", [401, 401, 403, 200]),
        ("POST /rollback", [401, 401, 403, 409]),
        ("GET /nothing", [404, 404, 404, 404]),
    ] {
        for (shown, expected) in shown.iter().zip(expected) {
            let answer = client.ask(&format!("{route}{shown}"), "").await;
            assert_eq!(answer.status, expected, "{route}{shown}");
            let wanted = answer.headers.get("www-authenticate");
            assert_eq!(wanted.is_some(), expected == 401, "{route}{shown}");
        }
    }
    assert_eq!(reloads.load(Ordering::SeqCst), 1);
    for (shown, code) in
        shown
            .iter()
            .zip(["missing_admin_token", "wrong_admin_token", "operators_only"])
    {
        let answer = client.ask(&format!("POST /reload{shown}"), "").await;
        assert_eq!(answer.code(), code);
        assert!(!answer.body.contains("token-"), "{}", answer.body);
    }
}

#[tokio::test]
async fn who_shows_no_token_takes_no_place_of_an_operators() {
    let go = Arc::new(Semaphore::new(0));
    let gateway = Fake {
        admins: admins(),
        go: Some(Arc::clone(&go)),
        ..Fake::default()
    };
    let reloads = Arc::clone(&gateway.reloads);
    let (mut other, at) = listening(gateway).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(at).await;
        let shown = "POST /reload\nauthorization: Bearer token-o";
        client.send(shown, "").await;
        clients.push(client);
    }
    until(|| reloads.load(Ordering::SeqCst) == 8).await;
    // Told who it isn't, and not how it stands with the places.
    assert_eq!(other.ask("POST /reload", "").await.status, 401);
    go.add_permits(8);
    for client in &mut clients {
        assert_eq!(client.answer(false).await.status, 200);
    }
}
