//! The one way to the client. A stream's head leaves with its first frame, or soon; what a head tells of the chain is what is known
//! when it leaves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::time::Instant;

use super::driver::{ClientGone, ResponseSink};
use super::record::Took;
use crate::api::headers::{CHAIN, POLICIES, TAGS, TARGET, USAGE};
use crate::api::{ApiError, Turns};
use crate::wire::bridge::{Bridge, StreamWriter};
use crate::wire::choices::chunk::NotAChunk;

/// How long a stream's head waits for its first frame, so that both leave together.
pub(super) const HEAD_WAIT: Duration = Duration::from_millis(50);

/// What a head tells of the exchange so far.
pub(super) struct ChainStatus<'a> {
    /// Who answered, once that is known.
    pub(super) target: Option<&'a str>,
    /// Stage and verdict, in order; empty without stages.
    pub(super) verdicts: String,
    /// What stages tagged.
    pub(super) tags: &'a [(String, String)],
    /// What stages put on it, in order: of two with one name the later counts, and each before the upstream's.
    pub(super) headers: Vec<&'a (String, String)>,
    /// What it took, once that is known.
    pub(super) took: Option<Took>,
}

/// The client of one exchange.
pub(super) struct Client {
    sink: ResponseSink,
    /// The value of `x-witgate-chain`.
    chain: HeaderValue,
    /// What the client speaks, where no upstream does.
    bridge: Option<Arc<Bridge>>,
    /// What writes a stream in its dialect.
    writer: Option<StreamWriter>,
    /// A stream's head that has not left, and until when it waits.
    head: Option<(Response<()>, Instant)>,
    /// It asked to be told what its exchange took.
    tells_usage: bool,
    /// Bytes of answers that were sent, errors left out.
    pub(super) bytes: u64,
}

impl Client {
    pub(super) fn new(sink: ResponseSink, chain: HeaderValue, bridge: Option<Arc<Bridge>>) -> Self {
        Client {
            sink,
            chain,
            writer: bridge.as_ref().and_then(|bridge| bridge.stream()),
            bridge,
            head: None,
            tells_usage: false,
            bytes: 0,
        }
    }

    /// With what its exchange took in the head of its answer, or at the end of a stream, where it asked for that.
    pub(super) fn telling_usage(self, tells_usage: bool) -> Self {
        Client {
            tells_usage,
            ..self
        }
    }

    /// Whether the client has left.
    pub(super) fn is_gone(&self) -> bool {
        self.sink.is_gone()
    }

    /// Waits for something outside of policies, and gives up when the client leaves.
    pub(super) async fn unless_gone<T>(
        &self,
        wait: impl Future<Output = T> + Unpin,
    ) -> Result<T, ClientGone> {
        self.sink.unless_gone(wait).await
    }

    /// Waits until the client has all that it gets. What follows delays no client: it runs on a task.
    pub(super) async fn left(&self) {
        self.sink.left().await;
    }

    /// Whether an answer of that kind, to a request for one of that kind, can be written in the client's dialect.
    pub(super) fn can_read(&self, is_stream: bool, asked: bool) -> bool {
        self.bridge.is_none() || is_stream == asked
    }

    /// A whole answer, as the client's dialect has it.
    ///
    /// # Errors
    /// Where it must be read for that, and can't be.
    pub(super) async fn translated(&self, body: Bytes, turns: &Turns) -> Result<Bytes, NotAChunk> {
        let Some(bridge) = self.bridge.clone() else {
            return Ok(body);
        };
        let bytes = body.len() as u64;
        turns.aside(bytes, move || bridge.whole(body)).await
    }

    /// Events of a stream, as the client's dialect has them; may be nothing.
    pub(super) fn written(&mut self, events: Bytes) -> Bytes {
        match &mut self.writer {
            Some(writer) => writer.write(events),
            None => events,
        }
    }

    /// What the client's dialect says at the end of a stream; may be nothing.
    pub(super) fn last_words(&mut self) -> Bytes {
        self.writer
            .as_mut()
            .map(StreamWriter::end)
            .unwrap_or_default()
    }

    /// What its exchange took, at the end of a stream, where the client asked for that. A comment: nobody takes it for an event.
    pub(super) fn usage(&self, took: Option<Took>) -> Bytes {
        match took {
            Some(took) if self.tells_usage => format!(": {USAGE}: {took}\n\n").into(),
            _ => Bytes::new(),
        }
    }

    /// Sends a whole answer.
    pub(super) fn answer(
        &mut self,
        status: StatusCode,
        passed_on: HeaderMap,
        body: Bytes,
        told: &ChainStatus<'_>,
    ) {
        self.bytes += body.len() as u64;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = passed_on;
        let headers = response.headers_mut();
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        self.tell(headers, told);
        self.sink.whole(response);
    }

    /// Sends an error in an answer's place.
    pub(super) fn refuse(&mut self, error: ApiError, told: &ChainStatus<'_>) {
        let mut response = error.into_http().map(Bytes::from);
        self.tell(response.headers_mut(), told);
        self.sink.whole(response);
    }

    /// A stream begins. Its head waits for the first frame.
    pub(super) fn begin(&mut self, passed_on: HeaderMap) {
        let mut head = Response::new(());
        *head.headers_mut() = passed_on;
        let headers = head.headers_mut();
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        self.head = Some((head, Instant::now() + HEAD_WAIT));
    }

    /// Whether anything of the stream has gone out.
    pub(super) fn began(&self) -> bool {
        self.head.is_none()
    }

    /// Until when the stream's head waits, if it hasn't left.
    pub(super) fn head_leaves(&self) -> Option<Instant> {
        self.head.as_ref().map(|(_, until)| *until)
    }

    /// Sends the stream's head, if it hasn't left.
    pub(super) fn send_head<'a>(&mut self, told: impl FnOnce() -> ChainStatus<'a>) {
        if let Some((mut head, _)) = self.head.take() {
            self.tell(head.headers_mut(), &told());
            self.sink.head(head);
        }
    }

    /// Sends the stream's head together with its first frame. Where the head has left already, the frame is given back.
    pub(super) fn first<'a>(
        &mut self,
        bytes: Bytes,
        told: impl FnOnce() -> ChainStatus<'a>,
    ) -> Option<Bytes> {
        let Some((mut head, _)) = self.head.take() else {
            return Some(bytes);
        };
        self.bytes += bytes.len() as u64;
        self.tell(head.headers_mut(), &told());
        self.sink.first(head, bytes);
        None
    }

    /// Sends a frame of a stream whose head has left, once the frame before was taken.
    pub(super) async fn frame(&mut self, bytes: Bytes) -> Result<(), ClientGone> {
        let length = bytes.len() as u64;
        self.sink.frame(bytes).await?;
        self.bytes += length;
        Ok(())
    }

    /// The stream is over. Nothing may follow.
    pub(super) fn end(&self) {
        self.sink.end();
    }

    fn tell(&self, headers: &mut HeaderMap, told: &ChainStatus<'_>) {
        // Before the gateway's own, which no policy's may replace.
        for (name, value) in &told.headers {
            let name = HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        let mut put = |name: HeaderName, value: &str| {
            // Ids, verdicts and tags are names; a value that can't be a header isn't sent.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if let Some(target) = told.target {
            put(TARGET, target);
        }
        if !told.verdicts.is_empty() {
            put(POLICIES, &told.verdicts);
        }
        if !told.tags.is_empty() {
            let tags = told
                .tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"));
            put(TAGS, &tags.collect::<Vec<_>>().join(", "));
        }
        if self.tells_usage
            && let Some(took) = told.took
        {
            put(USAGE, &took.to_string());
        }
        headers.insert(CHAIN, self.chain.clone());
    }
}
