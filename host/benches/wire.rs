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

/// A conversation of about so many bytes, with as many messages of prose and code.
fn conversation(bytes: usize) -> Request {
    let prose = r#"Explain WebAssembly and its use cases, please.\n\n```rust\nfn main() {\n    println!(\"hi\");\n}\n```\n"#.repeat(3);
    let mut body = r#"{"model":"gpt-oss-120b","messages":[{"role":"system","content":"You are a helpful assistant."}"#.to_owned();
    let mut turn = 0;
    while body.len() + 150 < bytes {
        let role = ["user", "assistant"][turn % 2];
        body += &format!(r#",{{"role":"{role}","content":"{prose}"}}"#);
        turn += 1;
    }
    body += r#"],"temperature":0.2,"top_p":1,"max_completion_tokens":512,"stream":true,"stream_options":{"include_usage":true}}"#;
    Request::parse(Dialect::Chat, body.into()).unwrap()
}

/// A request of an agent's: so many tools, each with a schema of about a kilobyte.
fn agent(tools: usize) -> Request {
    let property = r#"{"type":"string","description":"What the tool is to do, in a sentence of about this length, with an example."}"#;
    let properties: Vec<_> = (0..8)
        .map(|n| format!(r#""property_{n}":{property}"#))
        .collect();
    let schema = format!(
        r#"{{"type":"object","properties":{{{}}},"required":["property_0"]}}"#,
        properties.join(",")
    );
    let tools: Vec<_> = (0..tools)
        .map(|n| format!(r#"{{"type":"function","function":{{"name":"tool_{n}","description":"A tool.","parameters":{schema}}}}}"#))
        .collect();
    let body = format!(
        r#"{{"model":"gpt-oss-120b","messages":[{{"role":"user","content":"go on"}}],"tools":[{}],"tool_choice":"auto"}}"#,
        tools.join(",")
    );
    Request::parse(Dialect::Chat, body.into()).unwrap()
}

/// A request that fits, gone over by the table of what upstream takes.
#[divan::bench(args = [1 << 10, 100 << 10])]
fn request_fits(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let request = conversation(bytes);
    bencher.bench(|| {
        let fitted = divan::black_box(&request).fitted("gpt-oss-120b");
        assert!(fitted.dropped.is_none());
    });
}

/// The same reading, for comparison.
#[divan::bench(args = [1 << 10, 100 << 10])]
fn request_parse(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let body = conversation(bytes).to_bytes(None);
    bencher.bench(|| Request::parse(Dialect::Chat, body.clone()).unwrap());
}

#[divan::bench]
fn request_fits_100_tools(bencher: divan::Bencher<'_, '_>) {
    let request = agent(100);
    bencher.bench(|| {
        let fitted = divan::black_box(&request).fitted("gpt-oss-120b");
        assert!(fitted.dropped.is_none());
    });
}

#[divan::bench]
fn request_parse_100_tools(bencher: divan::Bencher<'_, '_>) {
    let body = agent(100).to_bytes(None);
    bencher.bench(|| Request::parse(Dialect::Chat, body.clone()).unwrap());
}

/// A request with something to strip: thoughts in the history, and a parameter that isn't there upstream.
#[divan::bench]
fn request_stripped(bencher: divan::Bencher<'_, '_>) {
    let body = br#"{"model":"gpt-oss-120b","messages":[{"role":"user","content":"Explain WebAssembly."},{"role":"assistant","content":"It is a format.","reasoning_content":"They want to know.","refusal":null},{"role":"user","content":"And its use cases?"}],"temperature":0,"store":false}"#;
    let request = Request::parse(Dialect::Chat, Bytes::from_static(body)).unwrap();
    bencher.bench(|| {
        let fitted = divan::black_box(&request).fitted("gpt-oss-120b");
        assert!(fitted.dropped.is_some());
    });
}

#[divan::bench]
fn answer_parse(bencher: divan::Bencher<'_, '_>) {
    let body = answer();
    bencher.bench(|| WholeAnswer::parse(body.clone()).unwrap().texts().len());
}

/// A whole answer of a thousand bytes.
fn answer() -> Bytes {
    let composition = Composition {
        id: "chatcmpl-1",
        model: "gpt-oss-120b",
        choices: &[0],
        texts: &[(0, Channel::Content, "text ".repeat(200))],
        denied: &[],
        finishes: &[],
    };
    composition.whole(Dialect::Chat)
}

/// The same question as in [`request_parse_and_read`], asked as a response: what becomes of it is read as a chat request.
#[divan::bench]
fn response_request_converted(bencher: divan::Bencher<'_, '_>) {
    let body = Bytes::from_static(
        br#"{"model":"gpt-oss-120b","instructions":"You are a helpful assistant.","input":[{"role":"user","content":"Explain WebAssembly and its use cases in three sentences, please."}],"temperature":0}"#,
    );
    bencher.bench(|| {
        let request = Endpoint::Responses.read(body.clone()).unwrap();
        request.segments(0).len()
    });
}

/// A hundred chunks, framed, read and written as events.
#[divan::bench]
fn response_stream_of_100_chunks(bencher: divan::Bencher<'_, '_>) {
    let request = Bytes::from_static(br#"{"model":"gpt-oss-120b","input":"hi","stream":true}"#);
    let request = Endpoint::Responses.read(request).unwrap();
    let bridge = request.bridge().unwrap();
    let event = Bytes::from(format!("data: {CHUNK}\n\n"));
    bencher.bench(|| {
        let mut writer = bridge.stream().unwrap();
        let mut bytes = 0;
        for _ in 0..100 {
            bytes += writer.write(event.clone()).len();
        }
        bytes
    });
}

#[divan::bench]
fn response_of_an_answer(bencher: divan::Bencher<'_, '_>) {
    let request = Bytes::from_static(br#"{"model":"gpt-oss-120b","input":"hi"}"#);
    let request = Endpoint::Responses.read(request).unwrap();
    let bridge = request.bridge().unwrap();
    let body = answer();
    bencher.bench(|| bridge.whole(body.clone()).unwrap().len());
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
