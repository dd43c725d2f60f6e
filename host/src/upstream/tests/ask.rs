//! Which candidates are asked, how often, and what is said when none answers.

use super::*;

struct Plain(HeaderMap);

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

    fn first_error(&self, bytes: &Bytes) -> Option<Bytes> {
        bytes.starts_with(b"error").then(|| bytes.clone())
    }
}

pub(super) async fn asked(targets: &Targets, policy: RetryPolicy) -> Result<Answer, AskFailed> {
    let candidates = targets.candidates("m").unwrap();
    soon(ask(&candidates, &Plain(HeaderMap::new()), &policy)).await
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

fn tries(tries: u32) -> RetryPolicy {
    RetryPolicy {
        tries,
        ..RetryPolicy::EACH_ONCE
    }
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
async fn a_candidate_is_asked_as_often_as_the_policy_says() {
    let busy = answer("503 Service Unavailable", "", "{}");
    let one = Server::start(&[&busy, &answer("200 OK", "", "{}")]).await;
    let mut other = Server::start(&[]).await;
    let answer = asked(&two(&one, &other), tries(2)).await;
    assert_eq!(&*answer.unwrap().target, "a");
    assert!(other.requests.try_recv().is_err(), "the next was asked");
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
