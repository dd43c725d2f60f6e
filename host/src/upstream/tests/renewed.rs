//! What becomes of a request on a connection that the target closes.

use super::ask::{asked, two};
use super::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

/// What a target does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answers,
    /// Waits until another request waits as well, on another connection.
    AnswersTwo,
    Closes,
    /// Closes with a reset, as one that had unread bytes.
    Resets,
}

/// A target that does with the n-th request of each connection what `does` says, and tells of each request its connection's number.
async fn target(
    does: fn(connection: usize, request: usize) -> Does,
) -> (String, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel();
    let two = Arc::new(Barrier::new(2));
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (sender, two) = (sender.clone(), two.clone());
            tokio::spawn(async move {
                for request in 0.. {
                    if server::read_request(&mut socket).await.is_none() {
                        return;
                    }
                    sender.send(connection).unwrap();
                    let does = does(connection, request);
                    match does {
                        Does::Answers | Does::AnswersTwo => {
                            if let Does::AnswersTwo = does {
                                two.wait().await;
                            }
                            let bytes = answer("200 OK", "", "{}");
                            socket.write_all(bytes.as_bytes()).await.unwrap();
                        }
                        Does::Closes => return,
                        Does::Resets => return reset(socket),
                    }
                }
            });
        }
    });
    (base, requests)
}

fn reset(socket: TcpStream) {
    socket.set_zero_linger().unwrap();
}

fn seen(requests: &mut mpsc::UnboundedReceiver<usize>) -> Vec<usize> {
    std::iter::from_fn(|| requests.try_recv().ok()).collect()
}

/// Asks so often in turn, and reads each answer to its end.
async fn in_turn(targets: &Targets, times: usize) -> Vec<bool> {
    let mut answered = Vec::new();
    for _ in 0..times {
        let answer = asked(targets, RetryPolicy::EACH_ONCE).await;
        answered.push(match answer {
            Ok(answer) => answer
                .whole(100, Duration::from_secs(60), &mut Charge::unbound())
                .await
                .is_ok(),
            Err(_) => false,
        });
    }
    answered
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nobody_an_answer() {
    for second in [
        |_, request| match request {
            0 => Does::Answers,
            _ => Does::Closes,
        },
        |_, request| match request {
            0 => Does::Answers,
            _ => Does::Resets,
        },
    ] {
        let (base, mut requests) = target(second).await;
        let targets = one(&base);
        assert_eq!(in_turn(&targets, 4).await, [true; 4]);
        // Two requests of four found a kept connection and were sent twice.
        let seen = seen(&mut requests);
        assert!((5..=7).contains(&seen.len()), "{seen:?}");
    }
}

#[tokio::test]
async fn the_list_of_models_has_it_too() {
    let (base, _requests) = target(|_, request| match request {
        0 => Does::Answers,
        _ => Does::Closes,
    })
    .await;
    let targets = one(&base);
    for _ in 0..3 {
        listed(&targets, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_connection_that_closes_without_an_answer_is_asked_once() {
    for does in [|_, _| Does::Closes, |_, _| Does::Resets] {
        let (base, mut requests) = target(does).await;
        let failed = asked(&one(&base), RetryPolicy::EACH_ONCE)
            .await
            .unwrap_err();
        assert!(
            matches!(failed.failure, Failure::Broken(_)),
            "{:?}",
            failed.failure
        );
        assert_eq!(seen(&mut requests), [0]);
    }
}

#[tokio::test]
async fn a_request_goes_once_more_and_not_twice() {
    let (base, mut requests) = target(|connection, request| match (connection, request) {
        (0, 0) => Does::Answers,
        _ => Does::Closes,
    })
    .await;
    let targets = one(&base);
    assert_eq!(in_turn(&targets, 2).await, [true, false]);
    assert_eq!(seen(&mut requests), [0, 0, 1]);
}

#[tokio::test]
async fn the_second_goes_out_on_a_new_connection_though_others_are_kept() {
    let (base, mut requests) = target(|connection, request| match (connection, request) {
        (0 | 1, 0) => Does::AnswersTwo,
        (_, 0) => Does::Answers,
        _ => Does::Closes,
    })
    .await;
    let targets = one(&base);
    // Two connections are kept, and the target will close either of them.
    let (one, other) = tokio::join!(in_turn(&targets, 1), in_turn(&targets, 1));
    assert_eq!([one, other].concat(), [true; 2]);
    let kept = seen(&mut requests);
    assert_eq!(kept.len(), 2);
    assert_eq!(in_turn(&targets, 1).await, [true]);
    let last = seen(&mut requests);
    assert!(
        last.last().is_some_and(|last| !kept.contains(last)),
        "{kept:?} {last:?}"
    );
}

#[tokio::test]
async fn where_the_policy_says_so_it_is_a_failure() {
    let (base, _requests) = target(|_, request| match request {
        0 => Does::Answers,
        _ => Does::Closes,
    })
    .await;
    let targets = one(&base);
    assert_eq!(in_turn(&targets, 1).await, [true]);
    let policy = RetryPolicy {
        renew: false,
        ..RetryPolicy::EACH_ONCE
    };
    let failed = asked(&targets, policy).await.unwrap_err();
    assert!(
        matches!(failed.failure, Failure::Closed(_)),
        "{:?}",
        failed.failure
    );
}

#[tokio::test]
async fn an_answer_that_has_begun_is_never_asked_for_again() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let mut server = Server::start(&[&answer("200 OK", "", "{}"), begun]).await;
    let other = Server::start(&[]).await;
    let targets = two(&server, &other);
    assert_eq!(in_turn(&targets, 1).await, [true]);
    let cut = asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap();
    let mut body = cut.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    drop(body);
    assert_eq!(server.requests.recv().await.unwrap().connection, 0);
    assert_eq!(server.requests.recv().await.unwrap().connection, 0);
    assert!(server.requests.try_recv().is_err());
}
