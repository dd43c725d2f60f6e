#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use std::borrow::Cow;

use crate::ToolCall;
use crate::choices::chunk::Chunk;

const FINISH: &[u8] = br#"{"id":"chatcmpl-1","choices":[{"delta":{},"finish_reason":"stop","index":0}],"created":1775751421,"model":"m","system_fingerprint":"fp_4c","object":"chat.completion.chunk","usage":{"a":1},"time_info":{},"service_tier":"flex"}"#;

fn around(choice: &str, more: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","choices":[{choice}],"created":1775751421,"model":"m","system_fingerprint":"fp_4c","object":"chat.completion.chunk","service_tier":"flex"{more}}}"#
    )
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn new_chunks_look_like_the_upstreams() {
    let envelope = Envelope::of(Dialect::Chat, FINISH).unwrap();
    assert_eq!(
        text(envelope.text_chunk(2, &Channel::Content, "a\"b")),
        around(r#"{"delta":{"content":"a\"b"},"index":2}"#, "")
    );
    let call = Channel::ToolArguments(ToolCall::new(1, "c", "f"));
    assert_eq!(
        text(envelope.text_chunk(0, &call, "")),
        around(
            r#"{"delta":{"tool_calls":[{"function":{"name":"f","arguments":""},"type":"function","id":"c","index":1}]},"index":0}"#,
            ""
        )
    );
    assert_eq!(
        text(envelope.role_chunk(0)),
        around(r#"{"delta":{"role":"assistant"},"index":0}"#, "")
    );
    assert_eq!(
        text(envelope.finish_chunk(0, "stop", None)),
        around(r#"{"delta":{},"finish_reason":"stop","index":0}"#, "")
    );
    assert_eq!(
        text(envelope.denied_chunk(&Denied {
            choice: 1,
            policy: "tone",
            code: "rude",
            message: "no \"such\" words",
            status: 403,
            retry_after: None,
        })),
        around(
            r#"{"delta":{},"finish_reason":"content_filter","index":1}"#,
            r#","witgate":{"policy":"tone","code":"rude","message":"no \"such\" words","status":403}"#
        )
    );
}

#[test]
fn what_is_written_is_read_again() {
    let usage = Usage {
        prompt_tokens: 1,
        completion_tokens: 2,
        cached_tokens: 3,
        reasoning_tokens: 4,
    };
    for envelope in [
        Envelope::of(Dialect::Chat, b"{}").unwrap(),
        Envelope::at(Dialect::Chat, "i", "m", 7),
        Envelope::of(Dialect::Chat, FINISH).unwrap(),
    ] {
        let data = envelope.finish_chunk(3, "length", Some(&usage));
        let chunk = Chunk::parse(&data).unwrap();
        assert_eq!(
            (chunk.usage, &chunk.finishes[..]),
            (Some(usage), &[(3, Cow::Borrowed("length"))][..])
        );
        for channel in [Channel::Reasoning, Channel::Refusal] {
            let data = envelope.text_chunk(3, &channel, "t");
            assert_eq!(Chunk::parse(&data).unwrap().pieces[0].channel, channel);
        }
    }
}

#[test]
fn a_fresh_envelope_has_what_clients_need() {
    let value: serde_json::Value =
        serde_json::from_slice(&Envelope::fresh(Dialect::Chat, "chatcmpl-9", "a\"b").role_chunk(0))
            .unwrap();
    assert_eq!(value["id"], "chatcmpl-9");
    assert_eq!(value["model"], "a\"b");
    assert_eq!(value["object"], "chat.completion.chunk");
    assert_eq!(value["system_fingerprint"], FINGERPRINT);
    assert!(value["created"].as_u64().unwrap() > 1_700_000_000);
}
