//! What the wire costs: an event framed, a chunk read, a chunk rewritten, a request read.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use bytes::Bytes;
use witgate::wire::bridge::{Bridge, StreamWriter};
use witgate::wire::choices::chunk::{Chunk, needs_parse};
use witgate::wire::choices::compose::Composition;
use witgate::wire::choices::splice::set_texts;
use witgate::wire::choices::whole::WholeAnswer;
use witgate::wire::sse::{DEFAULT_CAP, Framer};
use witgate::wire::{Channel, Dialect, Endpoint, Request};

const CHUNK: &str = r#"{"id":"chatcmpl-7ac0d3d1-3082-4b14-969b-60a6c35699d8","choices":[{"delta":{"content":" a few tokens of text"},"index":0}],"created":1795254326,"model":"gpt-oss-120b","system_fingerprint":"fp_663064ddffdf41dfefb3","object":"chat.completion.chunk"}"#;

fn main() {
    divan::main();
}

/// A hundred events in one read.
#[divan::bench]
fn frame_100_events(bencher: divan::Bencher<'_, '_>) {
    let stream = Bytes::from(format!("data: {CHUNK}\n\n").repeat(100));
    bencher.bench(|| {
        let mut framer = Framer::new(DEFAULT_CAP);
        framer.push(stream.clone());
        let mut events = 0;
        while let Some(event) = framer.next().unwrap() {
            divan::black_box(&event);
            events += 1;
        }
        assert_eq!(events, 100);
    });
}

#[divan::bench]
fn chunk_skip() -> bool {
    needs_parse(divan::black_box(CHUNK.as_bytes()))
}

#[divan::bench]
fn chunk_parse() -> usize {
    Chunk::parse(divan::black_box(CHUNK.as_bytes()))
        .unwrap()
        .pieces
        .len()
}

#[divan::bench]
fn chunk_rewrite(bencher: divan::Bencher<'_, '_>) {
    let chunk = Chunk::parse(CHUNK.as_bytes()).unwrap();
    let slot = &chunk.pieces[0].slot;
    bencher.bench(|| {
        set_texts(
            CHUNK.as_bytes(),
            &[(slot, divan::black_box("[EMAIL] or call"))],
            &[],
        )
    });
}

#[divan::bench]
fn request_parse_and_read(bencher: divan::Bencher<'_, '_>) {
    let body = Bytes::from_static(
        br#"{"model":"gpt-oss-120b","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Explain WebAssembly and its use cases in three sentences, please."}],"temperature":0}"#,
    );
    bencher.bench(|| {
        Request::parse(Dialect::Chat, body.clone())
            .unwrap()
            .segments(0)
            .len()
    });
}

#[divan::bench]
fn answer_parse(bencher: divan::Bencher<'_, '_>) {
    let composition = Composition {
        id: "chatcmpl-1",
        model: "gpt-oss-120b",
        choices: &[0],
        texts: &[(0, Channel::Content, "text ".repeat(200))],
        denied: &[],
    };
    let body = composition.whole(Dialect::Chat);
    bencher.bench(|| WholeAnswer::parse(body.clone()).unwrap().texts().len());
}

/// A turn of a coding agent's, as it comes to chat and to messages: the same conversation.
const TOOL: &str = r#"{"type":"object","properties":{"path":{"type":"string","description":"The file's path."},"limit":{"type":"integer"}},"required":["path"]}"#;

fn turn(dialect: Endpoint) -> Bytes {
    let (said, code) = (
        "Please look at it closely. ".repeat(40),
        "let x = 1;\\n".repeat(200),
    );
    let input = r#"{"path":"src/main.rs"}"#;
    let (system, tools, turns) = match dialect {
        Endpoint::Messages => (
            format!(
                r#""system":[{{"type":"text","text":"{said}","cache_control":{{"type":"ephemeral"}}}}],"max_tokens":9,"#
            ),
            format!(r#"{{"name":"read","description":"{said}","input_schema":{TOOL}}}"#),
            format!(
                r#"{{"role":"user","content":[{{"type":"text","text":"{said}"}}]}},{{"role":"assistant","content":[{{"type":"thinking","thinking":"{said}","signature":"x"}},{{"type":"tool_use","id":"toolu_1","name":"read","input":{input}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"{code}"}}]}}"#
            ),
        ),
        _ => (
            r#""max_completion_tokens":9,"#.to_owned(),
            format!(
                r#"{{"type":"function","function":{{"name":"read","description":"{said}","parameters":{TOOL}}}}}"#
            ),
            format!(
                r#"{{"role":"system","content":"{said}"}},{{"role":"user","content":"{said}"}},{{"role":"assistant","reasoning":"{said}","tool_calls":[{{"id":"toolu_1","type":"function","function":{{"name":"read","arguments":"{{\"path\":\"src/main.rs\"}}"}}}}]}},{{"role":"tool","tool_call_id":"toolu_1","content":"{code}"}}"#
            ),
        ),
    };
    let (tools, turns) = (vec![tools; 12].join(","), vec![turns; 4].join(","));
    format!(r#"{{"model":"gpt-oss-120b",{system}"tools":[{tools}],"messages":[{turns}]}}"#).into()
}

/// What it costs to read one.
#[divan::bench(args = [Endpoint::Chat, Endpoint::Messages])]
fn agents_turn(bencher: divan::Bencher<'_, '_>, dialect: Endpoint) {
    let body = turn(dialect);
    bencher
        .counter(divan::counter::BytesCount::new(body.len()))
        .with_inputs(|| body.clone())
        .bench_values(|body| dialect.read(body).unwrap());
}

/// A hundred chunks, written as a dialect has them.
#[divan::bench]
fn written_100_chunks_as_messages(bencher: divan::Bencher<'_, '_>) {
    written_100_chunks(bencher, || Bridge::Messages.stream().unwrap());
}

fn written_100_chunks(bencher: divan::Bencher<'_, '_>, writer: impl Fn() -> StreamWriter + Sync) {
    let chunk = Bytes::from(format!("data: {CHUNK}\n\n"));
    bencher.bench(|| {
        let mut writer = writer();
        let mut bytes = 0;
        for _ in 0..100 {
            bytes += writer.write(chunk.clone()).len();
        }
        bytes
    });
}
