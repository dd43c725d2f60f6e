//! A second attempt where an answer is late: who is asked, who answers, and what becomes of the other. The race itself is tested where it
//! is, with time paused; here it is enough that one never answers.

use super::ask::{Plain, times};
use super::*;
use crate::config::RetriesConfig;
use crate::upstream::ask::ask;
use crate::upstream::first_tokens::Kind;
use crate::upstream::retry::RetryBudget;
use server::read_request;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

/// Targets of which enough is known to tell what is late.
fn hedged(list: &str) -> Targets {
    let text = format!(
        "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\n\
         providers: {{hedging: {{floor: 1ms}}, targets: [{list}]}}\n"
    );
    let config = Config::parse(&text, "test", Path::new("/")).unwrap();
    Targets::build_with(&config, None, &Metrics::new(), SecretRef::read).unwrap()
}

fn known(targets: &Targets) {
    for target in targets.iter() {
        for _ in 0..20 {
            let kind = Kind {
                model: "m".into(),
                stream: true,
            };
            target.health().attempt().at(kind).first_token();
        }
    }
}

fn target(id: &str, base: &str, more: &str) -> String {
    format!("{{id: {id}, provider: cerebras, base_url: \"{base}\"{more}}}")
}

fn pair(one: &str, other: &str) -> Targets {
    let targets = hedged(&format!(
        "{}, {}",
        target("a", one, ""),
        target("b", other, "")
    ));
    known(&targets);
    targets
}

async fn asked(targets: &Targets) -> Result<Answer, AskFailed> {
    let budget = RetryBudget::new(RetriesConfig::default());
    asked_within(targets, &budget).await
}

async fn asked_within(targets: &Targets, budget: &RetryBudget) -> Result<Answer, AskFailed> {
    let candidates = targets.candidates("m").unwrap();
    let (question, policy) = (Plain(HeaderMap::new()), RetryPolicy::EACH_ONCE);
    soon(ask(&candidates, &question, &policy, budget)).await
}

/// How many second attempts there were because of the first target, and how many of them answered.
fn hedges(targets: &Targets) -> (u64, u64) {
    targets.iter().next().unwrap().metrics().hedges()
}

fn open(targets: &Targets) -> Vec<serde_json::Value> {
    let open = targets
        .iter()
        .map(|it| it.state()["health"]["open"].clone());
    open.collect()
}

async fn read(answer: Answer) -> String {
    let mut body = answer.into_body();
    let mut read = Vec::new();
    while let Some(Ok(bytes)) = soon(body.next()).await {
        read.extend_from_slice(&bytes);
    }
    String::from_utf8(read).unwrap()
}

fn stream(pieces: &[&str]) -> String {
    let pieces = pieces
        .iter()
        .map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()));
    format!("{STREAM_HEAD}{}", pieces.collect::<String>())
}

#[tokio::test]
async fn a_late_answer_is_given_up_for_one_that_comes() {
    // One that says nothing at all, one that sends a head, and one that keeps the connection alive.
    for says in [
        vec![],
        vec![stream(&[])],
        vec![stream(&[": alive", ": alive"])],
    ] {
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        let mut one = Server::start(&says).await;
        let content = format!("{}0\r\n\r\n", stream(&[": b", "content"]));
        let mut other = Server::start(&[&content]).await;
        let targets = pair(&one.base, &other.base);
        let answer = asked(&targets).await.unwrap();
        assert_eq!(&*answer.target, "b");
        // It is given up before the other's answer is read.
        soon(one.closed.recv()).await.unwrap();
        assert_eq!(open(&targets), [0, 1]);
        assert_eq!(read(answer).await, ": bcontent");
        assert_eq!((times(&mut one), times(&mut other)), (1, 1));
        assert_eq!(
            (hedges(&targets), open(&targets)),
            ((1, 1), vec![0.into(), 0.into()])
        );
    }
}

#[tokio::test]
async fn whole_answers_are_raced_as_streams_are() {
    let (mut one, other) = (
        Server::start(&[]).await,
        Server::start(&[&answer("200 OK", "", "{}")]).await,
    );
    let targets = pair(&one.base, &other.base);
    let answer = asked(&targets).await.unwrap();
    assert_eq!(&*answer.target, "b");
    soon(one.closed.recv()).await.unwrap();
    assert_eq!(hedges(&targets), (1, 1));
}

#[tokio::test]
async fn a_second_attempt_that_is_overtaken_is_given_up() {
    let mut other = Server::start(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let targets = pair(&base, &other.base);
    let first = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        // It answers once the other was asked.
        soon(other.requests.recv()).await.unwrap();
        let said = answer("200 OK", "", "{}");
        socket.write_all(said.as_bytes()).await.unwrap();
        socket
    };
    let (answer, _socket) = tokio::join!(asked(&targets), first);
    assert_eq!(&*answer.unwrap().target, "a");
    soon(other.closed.recv()).await.unwrap();
    assert_eq!(hedges(&targets), (1, 0));
}

#[tokio::test]
async fn a_target_that_is_alone_is_asked_on_a_second_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    // Another model's target is none to be asked beside it.
    let last = target("last", "http://127.0.0.1:9/v1", ", model: other");
    let targets = hedged(&format!("{}, {last}", target("a", &base, "")));
    known(&targets);
    let server = async {
        let (mut silent, _) = listener.accept().await.unwrap();
        read_request(&mut silent).await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        let said = answer("200 OK", "", "{}");
        socket.write_all(said.as_bytes()).await.unwrap();
        // Nothing more comes on the first: it is closed.
        assert!(soon(read_request(&mut silent)).await.is_none());
        socket
    };
    let (answer, _socket) = tokio::join!(asked(&targets), server);
    assert_eq!(&*answer.unwrap().target, "a");
    assert_eq!(hedges(&targets), (1, 1));
}

#[tokio::test]
async fn a_second_attempt_that_fails_or_is_refused_leaves_the_first_to_answer() {
    for says in ["503 X", "404 X"] {
        let mut other = Server::start(&[&answer(says, "", "{}")]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let targets = pair(&base, &other.base);
        let first = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await.unwrap();
            soon(other.requests.recv()).await.unwrap();
            let said = answer("200 OK", "", "{}");
            socket.write_all(said.as_bytes()).await.unwrap();
            socket
        };
        let (answer, _socket) = tokio::join!(asked(&targets), first);
        let answer = answer.unwrap();
        assert_eq!(
            (&*answer.target, answer.status.as_u16()),
            ("a", 200),
            "{says}"
        );
        assert_eq!(hedges(&targets), (1, 0), "{says}");
    }
}

#[tokio::test]
async fn both_may_fail_and_each_is_asked_once() {
    let mut other = Server::start(&[&answer("503 X", "", "{}")]).await;
    let mut one = Server::start(&[]).await;
    let targets = hedged(&format!(
        "{}, {}",
        target("a", &one.base, ", timeouts: {first_byte: 1s}"),
        target("b", &other.base, "")
    ));
    known(&targets);
    let failed = asked(&targets).await.unwrap_err();
    assert_eq!(hedges(&targets), (1, 0));
    assert!(["a", "b"].contains(&&*failed.target), "{failed}");
    assert_eq!((times(&mut one), times(&mut other)), (1, 1));
}

/// Where nothing is sent twice, the first fails in the end, and then the other is asked as ever.
#[tokio::test]
async fn nothing_is_sent_twice_past_the_budget_or_before_enough_is_known_or_where_it_is_off() {
    let nothing_left = RetryBudget::new(RetriesConfig::default());
    while nothing_left.allows() {}
    let plenty = RetryBudget::new(RetriesConfig::default());
    for (budget, knows, hedges_at_all) in [
        (&nothing_left, true, true),
        (&plenty, false, true),
        (&plenty, true, false),
    ] {
        let mut one = Server::start(&[]).await;
        let mut other = Server::start(&[&answer("200 OK", "", "{}")]).await;
        let list = format!(
            "{}, {}",
            target("a", &one.base, ", timeouts: {first_byte: 50ms}"),
            target("b", &other.base, "")
        );
        let targets = if hedges_at_all {
            hedged(&list)
        } else {
            targets(&list)
        };
        if knows {
            known(&targets);
        }
        let answer = asked_within(&targets, budget).await.unwrap();
        assert_eq!(&*answer.target, "b");
        assert_eq!(hedges(&targets), (0, 0));
        assert_eq!((times(&mut one), times(&mut other)), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_overtaken_counts_among_the_times() {
    let targets = hedged(&target("a", "http://a.example/v1", ""));
    let health = targets.iter().next().unwrap().health();
    let kind = || Kind {
        model: "m".into(),
        stream: true,
    };
    assert_eq!(health.late(&kind()), None);
    for _ in 0..100 {
        let mut attempt = health.attempt().at(kind());
        tokio::time::advance(Duration::from_millis(20)).await;
        attempt.first_token();
    }
    assert_eq!(health.late(&kind()), Some(Duration::from_millis(20)));
    for _ in 0..128 {
        let given_up = health.attempt().at(kind());
        tokio::time::advance(Duration::from_millis(70)).await;
        drop(given_up);
    }
    assert_eq!(health.late(&kind()), Some(Duration::from_millis(70)));
    // A client that left early says nothing.
    for _ in 0..128 {
        drop(health.attempt().at(kind()));
    }
    assert_eq!(health.late(&kind()), Some(Duration::from_millis(70)));
}
