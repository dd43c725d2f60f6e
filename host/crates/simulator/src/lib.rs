//! Cerebras as its clients see it: the Inference API without a model, for tests, demonstrations and measurements.
//!
//! The one idea: **an answer is planned whole and then played back**. So its usage is known from the start, a stream is
//! a list of cuts with a due time each, and every fault is a change to that list or to the bytes around it.
//!
//! What must stay true: a request that Cerebras would refuse is refused here, with its words; a stream has the shapes,
//! the key order and the event order that were recorded; and a stream costs no task and no lock, so that hundreds of
//! them can be played at full speed.
//!
//! # What it answers
//!
//! The last user message (or the prompt of a text completion) may say what the answer shall be. Parts are separated by
//! ` | `, in this order, each of them optional:
//!
//! | part | meaning |
//! |---|---|
//! | `fault: NAME` | see below |
//! | `chunk: SIZES` | as `x-simulate-chunk` |
//! | `think: TEXT` | the reasoning, on any model; no text, no reasoning |
//! | `say: TEXT` | the content: all that follows, to the byte; one white-space character after the colon is no part of it |
//! | `words: N` | instead of `say:`, so many words of filler |
//! | `call: NAME JSON` | instead of `say:`, a tool call with these arguments, as written, even if they aren't JSON; again after ` \| ` for more. Needs `tools`; not repeated once the tool has answered |
//!
//! Any other message gets a fixed sentence that repeats nothing of it, `tool_choice` a call with the least arguments, and
//! `response_format` the least JSON that fits. A reasoning model reasons first, in a fixed sentence of its own.
//!
//! # Knobs
//!
//! | header | value |
//! |---|---|
//! | `x-simulate-fault` | fault names with commas between |
//! | `x-simulate-chunk` | `token` (as is usual: one to about fifteen tokens each, decided by `seed` or else by the content), `whole`, or characters per chunk: `1`, or a list such as `3,1,7` whose last size goes on |
//! | `x-simulate-tokens-per-second` | a pace for this request; 0 for none |
//!
//! A fault can also stand behind the model's name (`gpt-oss-120b+stall`) or at the beginning of the last user message
//! (`fault: stall | say: hello`), for clients that can't set headers. Faults combine: `crlf,bytewise`. With a count,
//! `500*2`, a fault comes only to the first two requests with the same body, so that retries can be tried.
//!
//! | fault | what happens |
//! |---|---|
//! | `401` `402` `404` `408` `413` `422` `500` `503` | that status, with Cerebras's body |
//! | `403-html` | Cloudflare's page |
//! | `429-requests` `429-tokens` `429-queue` | the three kinds of 429, with `retry-after` |
//! | `html-200` | a page of HTML with status 200 |
//! | `not-json` | a body of half the JSON; in a stream, one event of half a JSON object, and the stream goes on |
//! | `penalties` | penalties, `logit_bias`, `parallel_tool_calls` and `service_tier` are refused, as before 2026 |
//! | `silent` | the request is taken and never answered |
//! | `slow-first-byte=2s` | nothing, headers included, for that time |
//! | `error-first` | a stream whose only event is an error; a 500 without streaming |
//! | `error-mid-stream` | an error event after some content, and the end; a 500 without streaming |
//! | `cut` | the connection breaks after some content, or within the body |
//! | `stall` | nothing more after some content, or within the body; the connection stays |
//! | `no-done` | a stream without `[DONE]` |
//! | `empty-length` | empty content, finish reason `length` |
//! | `text-and-tools` | text and a tool call in one answer, as GLM does |
//! | `huge-event=4` | content of so many megabytes, in one line |
//! | `crlf` | a stream with CR LF and with comments |
//! | `bytewise` | each byte a write of its own |
//!
//! Rate limits, when there are any, are kept for each key and model. A request is admitted if its prompt and
//! `max_completion_tokens` (at most 16384, which is also the default) still fit, and charged with what it used.

mod catalog;
mod completion;
mod decode;
mod directive;
mod fault;
mod knobs;
mod limits;
mod models;
mod pieces;
mod plan;
mod playback;
mod prompt;
mod random;
mod recorder;
mod refusal;
mod render;
mod rules;
mod sample;
mod schema;
mod serve;
mod service;
mod shapes;
mod strict;
mod tokens;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use limits::{RateLimits, Windows};
pub use recorder::{Received, Recorder, TrafficCounts};
pub use serve::serve;

/// How the simulator behaves. The default answers at once, takes any key, and limits nobody.
#[derive(Clone, Default)]
pub struct Options {
    /// How fast each choice is written. `None`, or nothing positive: as fast as it can be sent.
    pub tokens_per_second: Option<f64>,
    /// The only right key. `None`: any key that isn't empty.
    pub api_key: Option<String>,
    /// Anyone may ask, without a key: for a gateway in the same process.
    pub keyless: bool,
    /// Limits for each key and model. `None`: no limits; the headers then show those of a paying account, untouched.
    pub rate_limits: Option<RateLimits>,
    /// Refuse penalties and their like, as Cerebras did before 2026.
    pub legacy_penalties: bool,
    /// Keeps what arrives, and counts what becomes of it.
    pub recorder: Option<Arc<Recorder>>,
    /// Stops the clock at this second since 1970 and draws ids from the request's body, so that the same request gets
    /// the same bytes; only `cached_tokens` and the rate limits still change.
    pub frozen: Option<u64>,
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("tokens_per_second", &self.tokens_per_second)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("keyless", &self.keyless)
            .field("rate_limits", &self.rate_limits)
            .field("legacy_penalties", &self.legacy_penalties)
            .field("recorder", &self.recorder.is_some())
            .field("frozen", &self.frozen)
            .finish()
    }
}

/// The simulator as a router, to be served, nested, or called in-process.
pub fn router(options: Options) -> axum::Router {
    let simulator = Arc::new(service::Simulator::new(options));
    axum::Router::new()
        .fallback(service::answer)
        .with_state(simulator)
}
