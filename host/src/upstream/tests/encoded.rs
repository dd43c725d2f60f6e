//! Answers that are encoded though nobody asked for it, and statuses that no API has.

use super::*;

const GZIP: &str = "content-encoding: gzip\r\n";

#[tokio::test]
async fn an_encoded_answer_is_no_answer() {
    for (status, headers) in [
        ("200 OK", GZIP),
        (
            "200 OK",
            "content-encoding: br\r\ncontent-type: text/event-stream\r\n",
        ),
        ("200 OK", "content-encoding: identity, Deflate\r\n"),
        (
            "200 OK",
            "content-encoding: identity\r\ncontent-encoding: x-made-up\r\n",
        ),
        ("201 Created", "content-encoding: zstd\r\n"),
    ] {
        let server = Server::start(&[&answer(status, headers, "\x1f rubbish")]).await;
        let failure = chat(&one(&server.base), &HeaderMap::new())
            .await
            .unwrap_err();
        assert!(matches!(failure, Failure::Coded(_)), "{failure:?}");
        let error = crate::api::ApiError::from(failure);
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (502, "upstream_unreadable")
        );
        assert!(error.message.contains("content-encoding: "), "{error}");
    }
}

#[tokio::test]
async fn an_encoded_answer_to_any_question_is_no_answer() {
    let server = Server::start(&[&answer("200 OK", GZIP, "rubbish")]).await;
    let error = listed(&one(&server.base), None).await.unwrap_err();
    assert_eq!(&*error.code, "upstream_unreadable", "{error}");
}

#[tokio::test]
async fn one_that_says_that_it_is_not_encoded_is_read() {
    for headers in [
        "content-encoding: identity\r\n",
        "content-encoding: IDENTITY\r\n",
        "content-encoding:\r\n",
    ] {
        let server = Server::start(&[&answer("200 OK", headers, "{}")]).await;
        let answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
        assert_eq!(
            answer
                .whole(100, Duration::from_secs(60), &mut Charge::unbound())
                .await
                .unwrap(),
            "{}"
        );
    }
}

#[tokio::test]
async fn an_encoded_error_keeps_its_status_and_says_that_it_could_not_be_read() {
    let rubbish = "\x1f rubbish";
    let server = Server::start(&[&answer("400 Bad Request", GZIP, rubbish)]).await;
    let answer_400 = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
    let error = answer_400.into_error(&mut Charge::unbound()).await;
    assert_eq!(error.status, StatusCode::BAD_REQUEST);
    assert!(error.message.contains("content-encoding: gzip"), "{error}");
    assert!(!error.message.contains("rubbish"), "{error}");

    let server = Server::start(&[&answer(
        "429 Slow Down",
        &format!("{GZIP}retry-after: 7\r\n"),
        rubbish,
    )])
    .await;
    let failure = chat(&one(&server.base), &HeaderMap::new())
        .await
        .unwrap_err();
    let error = crate::api::ApiError::from(failure);
    assert_eq!(error.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(error.headers["retry-after"], "7");
    assert!(error.message.contains("content-encoding: gzip"), "{error}");
}

#[tokio::test]
async fn a_status_that_is_no_answers_is_a_bad_gateway() {
    for status in ["101 Switching Protocols", "600 What", "999 Request Denied"] {
        let headers = "connection: upgrade\r\nupgrade: websocket\r\n";
        let server = Server::start(&[&answer(status, headers, "{}")]).await;
        let failure = soon(chat(&one(&server.base), &HeaderMap::new()))
            .await
            .unwrap_err();
        let error = crate::api::ApiError::from(failure);
        assert_eq!(error.status, StatusCode::BAD_GATEWAY, "{status}: {error}");
    }
}
