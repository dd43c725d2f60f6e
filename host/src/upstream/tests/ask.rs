//! Which candidates are asked, how often, and what is said when none answers.

use super::*;
use crate::config::RetriesConfig;
use crate::upstream::ask::ask;
use crate::upstream::health_check::check;
use crate::upstream::retry::RetryBudget;

pub(super) struct Plain(pub(super) HeaderMap);

impl Question for Plain {
    fn id(&self) -> &str {
        "id"
    }

    fn path(&self) -> &str {
        "chat/completions"
    }

    async fn body(&self, model: &str, parameters: Parameters) -> Result<Outgoing, ApiError> {
        if parameters == Parameters::Strict {
            let (kind, code) = ("invalid_request_error", "wrong_api_format");
            return Err(
                ApiError::new(StatusCode::BAD_REQUEST, kind, code, "it is wrong").param("all"),
            );
        }
        Ok(Outgoing {
            body: Bytes::from(format!("{{\"model\":{model:?}}}")),
            dropped: (parameters == Parameters::Strip).then(|| HeaderValue::from_static("some")),
        })
    }

    fn headers(&self) -> &HeaderMap {
        &self.0
    }

    fn streams(&self) -> bool {
        true
    }

    fn tokens(&self) -> (u64, Option<u64>) {
        (100, Some(900))
    }

    fn reads_beginning(&self) -> ReadsBeginning {
        ReadsBeginning::with(|bytes| match &bytes[..] {
            bytes if bytes.starts_with(b"error") => Begins::Error(Bytes::copy_from_slice(bytes)),
            [b':', ..] => Begins::NotYet,
            _ => Begins::Content,
        })
    }
}

pub(super) async fn asked(targets: &Targets, policy: RetryPolicy) -> Result<Answer, AskFailed> {
    let budget = RetryBudget::new(RetriesConfig::default());
    asked_within(targets, policy, &budget).await
}

async fn asked_within(
    targets: &Targets,
    policy: RetryPolicy,
    budget: &RetryBudget,
) -> Result<Answer, AskFailed> {
    let candidates = targets.candidates("m").unwrap();
    soon(ask(&candidates, &Plain(HeaderMap::new()), &policy, budget)).await
}

pub(super) fn two(one: &Server, two: &Server) -> Targets {
    let target = |id: &str, server: &Server| {
        format!(
            "{{id: {id}, provider: cerebras, base_url: \"{}\", secret_key_ref: {{env: KEY}}}}",
            server.base
        )
    };
    targets(&format!("{}, {}", target("a", one), target("b", two)))
}

fn rounds(rounds: u32) -> RetryPolicy {
    RetryPolicy {
        rounds,
        within: Duration::from_secs(60),
        ..RetryPolicy::EACH_ONCE
    }
}

/// How often a server was asked so far.
pub(super) fn times(server: &mut Server) -> usize {
    std::iter::from_fn(|| server.requests.try_recv().ok()).count()
}

#[tokio::test]
async fn each_candidate_is_asked_once_until_one_answers() {
    let mut one = Server::start(&[&answer("503 Service Unavailable", "", "{}")]).await;
    let mut other = Server::start(&[&answer("200 OK", "", "{}")]).await;
    let answer = asked(&two(&one, &other), RetryPolicy::EACH_ONCE).await;
    assert_eq!(&*answer.unwrap().target, "b");
    for server in [&mut one, &mut other] {
        assert_eq!(
            soon(server.requests.recv()).await.unwrap().body,
            "{\"model\":\"m\"}"
        );
        assert!(server.requests.try_recv().is_err(), "it was asked twice");
    }
}

#[tokio::test]
async fn all_candidates_are_asked_before_one_is_asked_again() {
    let busy = answer("503 Service Unavailable", "", "{}");
    let mut one = Server::start(&[&busy, &answer("200 OK", "", "{}")]).await;
    let mut other = Server::start(&[&busy]).await;
    let targets = two(&one, &other);
    let answer = asked(&targets, rounds(2)).await;
    assert_eq!(&*answer.unwrap().target, "a");
    assert_eq!((times(&mut one), times(&mut other)), (2, 1));
}

#[tokio::test]
async fn what_asking_again_does_not_change_is_not_asked_again() {
    for (status, asked_times) in [
        ("408 X", 3),
        ("429 X", 3),
        ("500 X", 3),
        ("502 X", 3),
        ("503 X", 3),
        ("504 X", 3),
        ("501 X", 1),
        ("529 X", 1),
        ("302 X", 1),
        ("401 X", 1),
        ("403 X", 1),
    ] {
        let said = answer(status, "", "{}");
        let mut server = Server::start(&[&said, &said, &said]).await;
        let failed = asked(&one(&server.base), rounds(3)).await;
        assert!(failed.is_err(), "{status}");
        assert_eq!(times(&mut server), asked_times, "{status}");
    }
}

#[tokio::test]
async fn a_target_that_asks_for_too_long_a_pause_is_not_asked_again() {
    // The longer ones are past what clocks count.
    for pause in ["61", "1e15", "10000000000000000000", "18446744073709549568"] {
        let busy = answer("429 X", &format!("retry-after: {pause}\r\n"), "{}");
        let mut server = Server::start(&[&busy]).await;
        let failed = asked(&one(&server.base), rounds(3)).await.unwrap_err();
        assert_eq!(times(&mut server), 1, "{pause}");
        let error = ApiError::from(failed.failure);
        assert_eq!(error.status, StatusCode::TOO_MANY_REQUESTS, "{pause}");
    }
}

#[test]
fn a_pause_is_the_targets_wish_or_any_time_up_to_a_bound_that_doubles() {
    let connect = Failure::Connect("no".into());
    for (round, most) in [(0, 100), (1, 200), (2, 400), (5, 2000), (40, 2000)] {
        let pauses = (0..1000).map(|_| RetryPolicy::pause(&connect, round).unwrap());
        let (least, longest) = pauses
            .fold((Duration::MAX, Duration::ZERO), |(least, longest), it| {
                (least.min(it), longest.max(it))
            });
        let most = Duration::from_millis(most);
        assert!(
            longest <= most && longest > most / 2,
            "{round}: {longest:?}"
        );
        assert!(least < most / 4, "{round}: {least:?}");
    }
    let wish = Duration::from_secs(7);
    let pause = RetryPolicy::pause(&Failure::Resting(wish), 0).unwrap();
    assert!(
        pause >= wish && pause <= wish + Duration::from_millis(100),
        "{pause:?}"
    );
    let timeout = Failure::FirstByteTimeout(wish);
    assert_eq!(RetryPolicy::pause(&timeout, 0), None);
}

#[tokio::test]
async fn the_budget_keeps_retries_from_becoming_the_outage() {
    let busy = answer("503 X", "", "{}");
    let all: Vec<&str> = std::iter::repeat_n(&*busy, 200).collect();
    let mut server = Server::start(&all).await;
    let targets = one(&server.base);
    let budget = RetryBudget::new(RetriesConfig {
        budget: 10,
        ..RetriesConfig::default()
    });
    for _ in 0..100 {
        assert!(asked_within(&targets, rounds(2), &budget).await.is_err());
    }
    let again = times(&mut server) - 100;
    // A tenth, and those that are always there, however long the hundred took.
    assert!((10..100).contains(&again), "{again}");
}

fn pooled(server: &Server) -> String {
    format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", secret_key_refs: [{{env: ONE}}, {{env: TWO}}]}}",
        server.base
    )
}

#[tokio::test]
async fn a_key_that_is_refused_or_has_used_up_its_limit_gives_way_to_another() {
    for (head, state) in [
        ("401 X", "refused"),
        ("402 X", "refused"),
        ("403 X", "resting"),
        ("429 X", "resting"),
    ] {
        let no = answer(head, "retry-after: 30\r\n", "{}");
        let well = answer("200 OK", "", "{}");
        let mut server = Server::start(&[&no, &well, &well]).await;
        let targets = targets(&pooled(&server));
        for _ in 0..2 {
            assert!(asked(&targets, rounds(1)).await.is_ok(), "{head}");
        }
        let sent = std::iter::from_fn(|| server.requests.try_recv().ok());
        let sent: Vec<String> = sent.map(|request| request.head).collect();
        let key = |head: &String| {
            head.lines()
                .find(|it| it.starts_with("authorization"))
                .unwrap()
                .to_owned()
        };
        let keys: Vec<String> = sent.iter().map(key).collect();
        assert_eq!(keys.len(), 3, "{head}");
        assert_ne!(keys[0], keys[1], "{head}");
        assert_eq!(keys[1], keys[2], "{head}: it was sent again");
        let target = targets.iter().next().unwrap();
        let mut states: Vec<_> = target.keys().states().map(|(_, state)| state).collect();
        states.sort_unstable();
        let mut expected = ["ready", state];
        expected.sort_unstable();
        assert_eq!(states, expected, "{head}");
    }
}

#[tokio::test]
async fn a_client_is_never_told_that_a_key_of_ours_is_wrong() {
    for status in ["401 X", "402 X", "403 X"] {
        let body = r#"{"message":"Wrong API Key","code":"wrong_api_key"}"#;
        let mut server = Server::start(&[&answer(status, "", body)]).await;
        let targets = one(&server.base);
        let failed = asked(&targets, rounds(3)).await.unwrap_err();
        let log = failed.to_string();
        assert!(log.contains("Wrong API Key"), "{log}");
        let error = ApiError::from(failed.failure);
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (502, "upstream_credentials")
        );
        assert!(!error.message.contains("Wrong"), "{}", error.message);
        assert_eq!(times(&mut server), 1, "{status}");
    }
}

/// A request isn't sent to be refused, and a reload forgets nothing.
#[tokio::test]
async fn a_key_that_has_used_up_its_limit_rests_for_that_model() {
    let last = answer(
        "200 OK",
        "x-ratelimit-remaining-requests-minute: 0\r\nx-ratelimit-reset-requests-minute: 30.5\r\n",
        "{}",
    );
    let mut server = Server::start(&[&last]).await;
    let list = format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", secret_key_ref: {{env: KEY}}}}",
        server.base
    );
    let before = targets(&list);
    assert!(asked(&before, rounds(1)).await.is_ok());
    assert_eq!(times(&mut server), 1);
    let after = targets_after(&list, Some(&before));
    for targets in [&before, &after] {
        let failed = asked(targets, rounds(1)).await.unwrap_err();
        let Failure::Resting(rest) = failed.failure else {
            panic!("{failed:?}");
        };
        assert!(
            rest > Duration::from_secs(1) && rest < Duration::from_secs(31),
            "{rest:?}"
        );
        let error = ApiError::from(failed.failure);
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (429, "upstream_quota")
        );
    }
    assert_eq!(times(&mut server), 0, "it was sent to be refused");
}

/// A list of models may have limits of its own, whatever asks for it: a client, or a check.
#[tokio::test]
async fn a_list_of_models_uses_up_no_limit_of_the_model_that_a_target_is_pinned_to() {
    let last =
        "x-ratelimit-remaining-requests-minute: 0\r\nx-ratelimit-reset-requests-minute: 30\r\n";
    let list = answer("200 OK", last, r#"{"object":"list","data":[{"id":"m"}]}"#);
    let well = answer("200 OK", "", "{}");
    for is_client in [true, false] {
        let mut server = Server::start(&[&list, &well]).await;
        let targets = targets(&format!(
            "{{id: a, provider: cerebras, model: m, base_url: \"{}\", secret_key_ref: {{env: KEY}}}}",
            server.base
        ));
        match is_client {
            true => drop(listed(&targets, None).await.unwrap()),
            false => check(targets.iter().next().unwrap(), Duration::from_secs(60)).await,
        }
        assert!(asked(&targets, RetryPolicy::EACH_ONCE).await.is_ok());
        assert_eq!(times(&mut server), 2);
    }
}

#[tokio::test]
async fn the_first_failure_of_the_first_candidate_is_told() {
    let one = Server::start(&[&answer("429 Too Many Requests", "", "{}")]).await;
    let other = Server::start(&[&answer("500 Internal Server Error", "", "{}")]).await;
    let failed = asked(&two(&one, &other), RetryPolicy::EACH_ONCE).await;
    let failed = failed.unwrap_err();
    let status = failed.failure.status().map(|status| status.as_u16());
    assert_eq!((&*failed.target, status), ("a", Some(429)));
}

#[tokio::test]
async fn a_stream_that_begins_with_an_error_is_no_answer() {
    let stream = |first: &str| format!("{STREAM_HEAD}{:x}\r\n{first}\r\n0\r\n\r\n", first.len());
    let one = Server::start(&[&stream("error: no")]).await;
    let other = Server::start(&[&stream("well")]).await;
    let answer = asked(&two(&one, &other), RetryPolicy::EACH_ONCE).await;
    assert_eq!(&*answer.unwrap().target, "b");
}

/// The target `a` deals with parameters in that way, `b` in the usual one.
fn dealing(one: &Server, other: &Server, parameters: &str) -> Targets {
    let target = |id: &str, server: &Server, more: &str| {
        let base = &server.base;
        format!(
            "{{id: {id}, provider: cerebras, base_url: \"{base}\", secret_key_ref: {{env: KEY}}{more}}}"
        )
    };
    let more = format!(", parameters: {parameters}");
    targets(&format!(
        "{}, {}",
        target("a", one, &more),
        target("b", other, "")
    ))
}

#[tokio::test]
async fn a_request_that_a_target_would_refuse_is_its_answer_and_is_not_sent() {
    let (mut one, mut other) = (Server::start(&[]).await, Server::start(&[]).await);
    let answer = asked(&dealing(&one, &other, "strict"), RetryPolicy::EACH_ONCE).await;
    let answer = answer.unwrap();
    assert_eq!((&*answer.target, answer.status.as_u16()), ("a", 400));
    let error = answer.into_error(&mut Charge::unbound()).await;
    assert_eq!(
        (&*error.message, &*error.param, &*error.code),
        ("it is wrong", "all", "wrong_api_format")
    );
    for server in [&mut one, &mut other] {
        assert!(server.requests.try_recv().is_err(), "it was sent");
    }
}

#[tokio::test]
async fn a_client_is_told_what_the_target_that_answered_did_not_get() {
    let told = |answer: Result<Answer, AskFailed>| match answer {
        Ok(answer) => answer.passed_on().get(DROPPED).cloned(),
        Err(AskFailed {
            failure: Failure::Status(it),
            ..
        }) => it.headers.get(DROPPED).cloned(),
        Err(other) => panic!("{other}"),
    };
    let (busy, well) = (
        answer(
            "503 Service Unavailable",
            "x-witgate-dropped: all\r\n",
            "{}",
        ),
        answer("200 OK", "x-witgate-dropped: all\r\n", "{}"),
    );
    for (first, parameters, expected) in [
        (&well, "strip", Some("some")),
        (&well, "pass", None),
        // The other one answers, and it didn't get all.
        (&busy, "pass", Some("some")),
    ] {
        let (one, other) = (Server::start(&[first]).await, Server::start(&[&well]).await);
        let answer = asked(&dealing(&one, &other, parameters), RetryPolicy::EACH_ONCE).await;
        let told = told(answer);
        assert_eq!(
            told.as_ref().map(|it| it.to_str().unwrap()),
            expected,
            "{parameters}"
        );
    }
    let (one, other) = (Server::start(&[&busy]).await, Server::start(&[&busy]).await);
    let failed = asked(&dealing(&one, &other, "strip"), RetryPolicy::EACH_ONCE).await;
    assert_eq!(told(failed).unwrap(), "some");
}

#[tokio::test]
async fn an_error_before_any_content_is_no_answer_whatever_came_before_it() {
    let pieces = [": alive\n\n", "error: no"];
    let pieces = pieces.map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()));
    let one = Server::start(&[&format!("{STREAM_HEAD}{}0\r\n\r\n", pieces.concat())]).await;
    let other = Server::start(&[&answer("200 OK", "", "{}")]).await;
    let answer = asked(&two(&one, &other), RetryPolicy::EACH_ONCE).await;
    assert_eq!(&*answer.unwrap().target, "b");
}

/// A pool of five keys, of which each says the same of every request but for those that it serves.
async fn refusing(says: &[&str], requests: usize) -> (Server, Vec<usize>, Vec<String>) {
    let mut server = Server::start(says).await;
    let keys = ["ONE", "TWO", "THREE", "FOUR", "FIVE"];
    let keys = keys.map(|key| format!("{{env: {key}}}")).join(", ");
    let targets = targets(&format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", secret_key_refs: [{keys}]}}",
        server.base
    ));
    let mut asked_times = Vec::new();
    for _ in 0..requests {
        asked(&targets, RetryPolicy::EACH_ONCE).await.ok();
        asked_times.push(times(&mut server));
    }
    let states = targets.iter().next().unwrap().keys().states();
    let states = states.map(|(_, state)| state.to_owned()).collect();
    (server, asked_times, states)
}

/// What one request is told by two keys is about the request, or the target: the other keys aren't asked with it, and none rests.
#[tokio::test]
async fn a_bad_request_makes_no_key_rest_and_is_tried_with_one_other() {
    let left = "x-ratelimit-remaining-tokens-minute: 20000\r\nretry-after: 30\r\n";
    for (status, headers, body, tries) in [
        ("403 X", "", "{}", 2),
        ("429 X", "retry-after: 30\r\n", "{}", 2),
        ("429 X", left, "{}", 2),
        ("429 X", "", "{}", 2),
        // Busy for everybody: that is said of no key.
        (
            "429 X",
            "retry-after: 30\r\n",
            r#"{"message":"busy","code":"queue_exceeded"}"#,
            1,
        ),
        // Here the key is meant.
        ("401 X", "", "{}", 5),
    ] {
        let no = answer(status, headers, body);
        let all = vec![&*no; 30];
        let (_server, asked_times, states) = refusing(&all, 1).await;
        assert_eq!(asked_times, [tries], "{status} {headers} {body}");
        let expected = if tries == 5 { "refused" } else { "ready" };
        assert!(
            states.iter().all(|it| it == expected),
            "{status} {headers}: {states:?}"
        );
    }
    // However often it is sent.
    let no = answer("429 X", "retry-after: 30\r\n", "{}");
    let (_server, asked_times, states) = refusing(&vec![&*no; 30], 10).await;
    assert_eq!(asked_times, [2; 10]);
    assert!(states.iter().all(|it| it == "ready"), "{states:?}");
}

#[tokio::test]
async fn keys_that_have_used_up_their_limits_are_all_passed_over() {
    let used_up =
        "x-ratelimit-remaining-requests-minute: 0\r\nx-ratelimit-reset-requests-minute: 30\r\n";
    let no = answer("429 X", used_up, "{}");
    let well = answer("200 OK", "", "{}");
    let (_server, asked_times, states) = refusing(&[&no, &no, &no, &no, &well, &well], 2).await;
    assert_eq!(asked_times, [5, 1]);
    let resting = states.iter().filter(|it| *it == "resting").count();
    assert_eq!(resting, 4, "{states:?}");
}

/// What is left of a limit of tokens, told with each answer.
fn leaves(tokens: u64) -> String {
    let left = format!(
        "x-ratelimit-remaining-tokens-minute: {tokens}\r\nx-ratelimit-reset-tokens-minute: 60\r\n"
    );
    answer("200 OK", &left, "{}")
}

/// The request takes a thousand.
#[tokio::test]
async fn a_request_goes_where_its_tokens_fit() {
    let (few, many) = (leaves(999), leaves(100_000));
    let mut one = Server::start(&[&few, &few]).await;
    let mut other = Server::start(&[&many, &many, &few]).await;
    let targets = two(&one, &other);
    let ask = async || {
        let answer = asked(&targets, RetryPolicy::EACH_ONCE).await.unwrap();
        answer.target.to_string()
    };
    // The first is the preferred one, until its limit is known to be too short.
    assert_eq!(ask().await, "a");
    for _ in 0..3 {
        assert_eq!(ask().await, "b");
    }
    // Neither has room. It is a guess, so it is sent all the same, and in the usual order.
    assert_eq!(ask().await, "a");
    assert_eq!((times(&mut one), times(&mut other)), (2, 3));
}

#[tokio::test]
async fn a_request_goes_out_with_the_key_that_has_room() {
    let (few, many) = (leaves(999), leaves(100_000));
    let mut server = Server::start(&[&few, &many, &many, &many, &many]).await;
    let targets = targets(&pooled(&server));
    for _ in 0..5 {
        assert!(asked(&targets, RetryPolicy::EACH_ONCE).await.is_ok());
    }
    let sent = std::iter::from_fn(|| server.requests.try_recv().ok());
    let keys = sent.map(|request| {
        let mut lines = request.head.lines();
        lines
            .find(|it| it.starts_with("authorization"))
            .unwrap()
            .to_owned()
    });
    let keys: Vec<String> = keys.collect();
    assert_eq!(keys.len(), 5);
    assert!(keys[1..].iter().all(|key| *key != keys[0]), "{keys:?}");
}

#[tokio::test]
async fn a_target_without_a_key_is_not_said_to_refuse_one() {
    for status in ["401 X", "403 X"] {
        let body = r#"{"message":"who are you?"}"#;
        let server = Server::start(&[&answer(status, "", body)]).await;
        let targets = targets(&format!(
            "{{id: a, provider: vllm, base_url: \"{}\"}}",
            server.base
        ));
        let failed = asked(&targets, rounds(1)).await.unwrap_err();
        let log = failed.to_string();
        assert!(
            log.contains("no key for it") && log.contains("who are you?"),
            "{log}"
        );
        let state = targets.iter().next().unwrap().state();
        assert_eq!(state["keys"][0]["state"], "ready");
        let error = ApiError::from(failed.failure);
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (502, "upstream_credentials")
        );
        assert!(error.message.contains("no key for it"), "{}", error.message);
    }
}
