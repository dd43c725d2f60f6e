//! What stands for the target: it answers at once, whole or as a stream of chunks, and paces these as the request's text says.
//!
//! A role of the benchmark's own program, because its CPU time must be nobody else's. It is a plain server and not the simulator, which
//! does much more for each chunk: what stands before it is what is measured.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::load::now;

/// Words of a request that ask for a chunk each so many microseconds, and for so many of them, in [`letters`].
const PACE: &str = "pace:";
const CHUNKS: &str = "chunks:";
/// Words that ask for an answer that is a JSON object, and for one with [`ADDRESS`] in it though that isn't in the request.
pub const AS_JSON: &str = "as-json";
pub const FIND: &str = "find-it";
/// The address that the redacted answers have in them.
pub const ADDRESS: &str = "jane.doe@example.com";

const WORDS: &[&str] = &[
    "The",
    " river",
    " runs",
    " past the",
    " old mill",
    ",",
    " and",
    " in",
    " spring",
    " it",
    " carries",
    " leaves",
    " and",
    " small",
    " branches",
    " down to",
    " the",
    " sea",
    ".",
    " People",
    " who live",
    " there",
    " say",
    " that",
    " the",
    " water",
    " remembers",
    " every",
    " winter",
    ".",
    " They",
    " walk",
    " along",
    " it",
    " in",
    " the",
    " evening",
    " and",
    " talk",
    " about",
    " work",
    ",",
    " weather",
    " and",
    " what",
    " they",
    " will",
    " cook",
    ".",
    " ",
];
/// What stands in their place where there is something to find.
const FOUND: &[&str] = &[
    " Write", " to", " jane", ".d", "oe@", "exam", "ple.com", " or", " pay", " with", " 4111",
    " 1111", " 1111", " 1111", ".",
];

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! This is a short answer that shows what stands between costs."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":16,"total_tokens":28}}"#;

/// What asks for a stream of so many chunks, one at each `pace`.
pub fn paced(pace: Duration, chunks: u64) -> String {
    format!(
        "{PACE}{} {CHUNKS}{}",
        letters(pace.as_micros()),
        letters(chunks.into())
    )
}

/// A number whose digits are letters, `a` for 0: digits would be for a policy to look at.
fn letters(number: u128) -> String {
    number
        .to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect()
}

/// Serves to the end of the process.
pub async fn serve(listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        tokio::spawn(async move {
            let serving = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
            // A client that leaves is no fault.
            serving.ok();
        });
    }
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Either<Events, Full<Bytes>>>, Infallible> {
    let path = request.uri().path().to_owned();
    let asked = beginning(request.into_body()).await;
    let says = |what: &str| memmem::find(&asked, what.as_bytes()).is_some();
    let number = |word: &str| {
        let at = memmem::find(&asked, word.as_bytes())? + word.len();
        let digits = asked[at..]
            .iter()
            .take_while(|it| matches!(it, b'a'..=b'j'));
        Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'a')))
    };
    if path.ends_with("/moderations") {
        return Ok(whole(moderated(&asked)));
    }
    let (hit, as_json) = (says(ADDRESS) || says(FIND), says(AS_JSON));
    if says(r#""stream":true"#) {
        let events = Events {
            hit,
            as_json,
            number: 0,
            chunks: number(CHUNKS).unwrap_or(500),
            pace: Duration::from_micros(number(PACE).unwrap_or(2000)),
            next: Box::pin(sleep_until(Instant::now())),
        };
        return Ok(answering("text/event-stream", Either::Left(events)));
    }
    if !hit && !as_json {
        return Ok(whole(Bytes::from_static(WHOLE.as_bytes())));
    }
    let mut text = WHOLE.to_owned();
    if hit {
        text = text.replace("a short answer", ADDRESS);
    }
    if as_json {
        text = text.replace("Hello!", r#"{\"say\": \"Hello!"#);
        text = text.replace("costs.", r#"costs.\"}"#);
    }
    Ok(whole(text.into()))
}

fn whole(body: Bytes) -> Response<Either<Events, Full<Bytes>>> {
    answering("application/json", Either::Right(Full::new(body)))
}

fn answering(
    kind: &'static str,
    body: Either<Events, Full<Bytes>>,
) -> Response<Either<Events, Full<Bytes>>> {
    let mut response = Response::new(body);
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Reads a body, and keeps its beginning: a large one must not take the time of those who ask little.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    const KEPT: usize = 64 << 10;
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            let rest = KEPT - kept.len();
            kept.extend_from_slice(&data[..data.len().min(rest)]);
        }
    }
    kept
}

/// What a moderation service says of texts in which there is nothing.
fn moderated(asked: &[u8]) -> Bytes {
    let asked: serde_json::Value = serde_json::from_slice(asked).unwrap_or_default();
    let texts = asked["input"].as_array().map_or(1, Vec::len);
    let fine = serde_json::json!({"flagged": false, "categories": {"hate": false}, "category_scores": {"hate": 0.01}});
    let results = vec![fine; texts];
    serde_json::json!({"results": results}).to_string().into()
}

/// A stream's body: a chunk at a time, each with the moment it was sent at.
struct Events {
    hit: bool,
    as_json: bool,
    number: u64,
    chunks: u64,
    pace: Duration,
    next: Pin<Box<Sleep>>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.number > self.chunks {
            return Poll::Ready(None);
        }
        ready!(self.next.as_mut().poll(cx));
        let next = self.next.deadline() + self.pace;
        self.next.as_mut().reset(next);
        self.number += 1;
        let event = if self.number > self.chunks {
            "data: [DONE]\n\n".to_owned()
        } else if self.number == self.chunks {
            chunk(r#""delta":{},"finish_reason":"stop""#)
        } else {
            let at = self.number as usize % WORDS.len();
            let word = FOUND.get(at).filter(|_| self.hit).unwrap_or(&WORDS[at]);
            let (before, behind) = match self.as_json {
                true if self.number == 1 => (r#"{\"say\": \""#, ""),
                true if self.number + 1 == self.chunks => ("", r#"\"}"#),
                _ => ("", ""),
            };
            chunk(&format!(
                r#""delta":{{"content":"{before}{word}{behind}"}},"finish_reason":null"#
            ))
        };
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

/// An event with these members of its choice. Its fingerprint is the moment.
fn chunk(choice: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\
         \"system_fingerprint\":\"{}{}\",\"choices\":[{{\"index\":0,{choice}}}]}}\n\n",
        crate::load::MARK,
        now()
    )
}
