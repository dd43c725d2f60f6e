//! What a target says goes on without the target's own secret, wherever it stands.

use super::ask::asked;
use super::*;
use crate::api::ApiError;

const SAID: &str = r#"{"error":{"message":"Bad key csk-topsecret","type":"Bearer csk-topsecret","param":"csk-topsecret","code":"csk-topsecret"}}"#;

fn shows_nothing(error: &ApiError) {
    let shown = format!("{error:?} {}", String::from_utf8_lossy(&error.to_json()));
    assert!(!shown.contains("topsecret"), "{shown}");
    assert!(shown.contains("Bad key [key]"), "{shown}");
}

#[tokio::test]
async fn no_error_repeats_the_targets_secret() {
    let headers =
        format!("retry-after: 7\r\ninference-id: {KEY}\r\nx-ratelimit-key: Bearer {KEY}\r\n");
    for status in ["400 X", "404 X", "413 X"] {
        let server = Server::start(&[&answer(status, &headers, SAID)]).await;
        let answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
        let error = answer.into_error(&mut Charge::unbound()).await;
        shows_nothing(&error);
        assert_eq!(error.headers.len(), 1);
    }
    for status in ["408 X", "429 X", "500 X"] {
        let server = Server::start(&[&answer(status, &headers, SAID)]).await;
        let failed = asked(&one(&server.base), RetryPolicy::EACH_ONCE)
            .await
            .unwrap_err();
        // This is what the line of the log says.
        let line = format!("{failed} {failed:?}");
        assert!(
            line.contains("Bad key [key]") && !line.contains("topsecret"),
            "{line}"
        );
        shows_nothing(&failed.failure.into());
    }
}

#[tokio::test]
async fn a_stream_that_begins_with_an_error_does_not_repeat_it() {
    let event = format!("error: {SAID}");
    let stream = format!("{STREAM_HEAD}{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
    let server = Server::start(&[&stream]).await;
    let failed = asked(&one(&server.base), RetryPolicy::EACH_ONCE)
        .await
        .unwrap_err();
    let line = format!("{failed} {failed:?}");
    assert!(
        line.contains("Bad key [key]") && !line.contains("topsecret"),
        "{line}"
    );
}

#[tokio::test]
async fn a_header_of_an_answer_does_not_repeat_it() {
    let headers = format!("inference-id: {KEY}\r\nx-ratelimit-limit-requests-day: 9\r\n");
    let server = Server::start(&[&answer("200 OK", &headers, "{}")]).await;
    let answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
    let passed_on = answer.passed_on();
    assert_eq!(passed_on.len(), 1, "{passed_on:?}");
    assert_eq!(passed_on["x-ratelimit-limit-requests-day"], "9");
}

#[tokio::test]
async fn a_line_of_the_log_stays_one() {
    let body = "{\"message\":\"no\\nWARN witgate: forged\\u001b[31m\"}";
    let server = Server::start(&[&answer("503 X", "", body)]).await;
    let failed = asked(&one(&server.base), RetryPolicy::EACH_ONCE)
        .await
        .unwrap_err();
    let line = failed.to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(line.contains("no WARN witgate: forged"), "{line:?}");
}
