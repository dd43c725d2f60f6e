//! Upstreams whose bytes aren't what they should be: encoded, no events, an error with a status of success, or their own key.

use super::NONE;
use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::*;

const PII: &str = "policies: {chain: [pii-detector]}";
const STREAM: &str = "text/event-stream";
const JSON: &str = "application/json";

/// What the client gets of an upstream that answers so, whole or streamed, behind that chain.
async fn reply(
    chain: &str,
    (status, kind): (&'static str, &'static str),
    bytes: &[u8],
    stream: bool,
) -> Reply {
    // Written as it is, in two pieces.
    let upstream = Scripted::serve_as(status, kind, vec![Step::Cut(bytes.to_vec())]).await;
    let bench = Bench::to(chain, vec![upstream.address]).await;
    let question = if stream { ask_stream("hi") } else { ask("hi") };
    let reply = bench.chat(&question).await;
    bench.settled().await;
    reply
}

/// The beginning of what gzip makes of anything, with line ends in it.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xca\x48\n\n\xcd\xc9\xc9\x57\x28\n\n\xcf";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_encoded_answer_reaches_the_client() {
    for chain in [NONE, PII] {
        for (status, kind, told) in [
            ("200 OK", "text/event-stream\r\ncontent-encoding: gzip", 502),
            ("200 OK", "application/json\r\ncontent-encoding: br", 502),
            (
                "400 Bad Request",
                "application/json\r\ncontent-encoding: gzip",
                400,
            ),
            (
                "429 Too Many Requests",
                "application/json\r\ncontent-encoding: gzip",
                429,
            ),
            (
                "500 Internal Server Error",
                "text/plain\r\ncontent-encoding: zstd",
                500,
            ),
        ] {
            for stream in [false, true] {
                let reply = reply(chain, (status, kind), GZIP, stream).await;
                let (status, message) = (reply.status, reply.text());
                assert_eq!(status, told, "{kind}: {message}");
                assert!(message.contains("content-encoding: "), "{kind}: {message}");
                assert!(message.is_ascii(), "{kind}: {message}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_lines_of_events_never_go_on() {
    let tail = [event("one ").as_bytes(), b"<html>private</html>\n\n"].concat();
    for chain in [NONE, PII] {
        for bytes in [GZIP, b"<html>private</html>", b"private", b"private\n\n"] {
            let reply = reply(chain, ("200 OK", STREAM), bytes, true).await;
            let said = reply.text();
            assert_eq!(reply.status, 502, "{said}");
            assert!(
                said.contains("upstream_unreadable") && said.is_ascii(),
                "{said}"
            );
            assert!(!said.contains("private"), "{said}");
        }
        // What came before goes.
        let reply = reply(chain, ("200 OK", STREAM), &tail, true).await;
        assert_eq!(reply.said().content(), "one ");
        assert_eq!(
            reply.said().error.unwrap()["error"]["code"],
            "upstream_unreadable"
        );
        assert!(!reply.text().contains("private"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_go_on_as_they_came() {
    let stream = [
        ": waiting\n\n",
        &event("one "),
        ": still\n\n",
        &finish(0),
        DONE,
    ]
    .concat();
    for chain in [NONE, PII] {
        let reply = reply(chain, ("200 OK", STREAM), stream.as_bytes(), true).await;
        assert_eq!(reply.said().content(), "one ");
        assert!(
            reply.text().contains(": waiting\n\n") && reply.is_done(),
            "{}",
            reply.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_object_is_an_error_at_any_status() {
    let used_up = br#"{"error":{"message":"quota is used up","code":429}}"#;
    let unsaid = br#"{"error":{"message":"quota is used up","type":"quota"},"choices":[]}"#;
    let detail = br#"{"detail":[{"loc":["body","n"],"msg":"field required"}]}"#;
    for chain in [NONE, PII] {
        for (status, body, told) in [
            ("200 OK", &used_up[..], (429, "quota is used up")),
            ("200 OK", &unsaid[..], (502, "quota is used up")),
            (
                "422 Unprocessable Entity",
                &detail[..],
                (422, "body.n: field required"),
            ),
            ("200 OK", &detail[..], (502, "body.n: field required")),
        ] {
            let reply = reply(chain, (status, JSON), body, false).await;
            let message = reply.json()["error"]["message"].clone();
            assert_eq!((reply.status, message.as_str().unwrap()), told);
        }
        // Asked for its models, it says the same.
        let upstream = Scripted::serve_as("200 OK", JSON, vec![Step::Cut(used_up.to_vec())]).await;
        let bench = Bench::to(chain, vec![upstream.address]).await;
        for path in ["/v1/models", "/v1/models/x"] {
            let (status, body) = bench.get(path).await.error();
            assert_eq!(status, 429, "{body}");
        }
        // As the first event after a comment, too.
        let stream = [b": hello\n\ndata: ", &used_up[..], b"\n\n"].concat();
        let reply = reply(chain, ("200 OK", STREAM), &stream, true).await;
        let message = reply.text();
        assert!(message.contains("quota is used up"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_in_mid_stream_does_not_repeat_the_targets_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "csk-topsecret\n").unwrap();
    for chain in [NONE, PII] {
        let config = format!(
            "{chain}\nproviders: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://@0/v1\", \
             secret_key_ref: {{file: '{}'}}}}]}}",
            key.display()
        );
        for said in [
            r#"{"error":{"message":"Bad key csk-topsecret","code":"x"}}"#,
            r#"{"error":{"message":"Bad key csk\u002dtopsecret","code":"x"}}"#,
            r#"{"error":{"message":"gone"},"sent":{"authorization":["Bearer csk-topsecret"]}}"#,
        ] {
            let stream = format!("{}data: {said}\n\n", event("one. "));
            let steps = vec![Step::Write(event("one. ")), Step::Write(stream)];
            let upstream = Scripted::serve(steps).await;
            let bench = Bench::to(&config, vec![upstream.address]).await;
            let reply = bench.chat(&ask_stream("hi")).await;
            let text = reply.text();
            assert!(!text.contains("topsecret"), "{text}");
            let error = reply.said().error.unwrap();
            assert!(error["error"]["message"].is_string(), "{text}");
            bench.settled().await;
        }
    }
}
