//! What the wire costs: an event framed, a chunk read, a chunk rewritten, a request read.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use bytes::Bytes;
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
