//! An exchange from its first byte to its last. It reads beside the contract: the request through the stages, the targets in
//! turn, the answer through the stages, and then, whatever happened, `on-complete`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::time::Instant;

use super::driver::{Gone, Out};
use super::heads::{self, BY_POLICY};
use super::passages::{Aborted, AnswerStages as _};
use super::request::Asked;
use super::respond;
use super::sending::{HEAD_WAIT, Next, Sending};
use super::stages::{Judged, Passage, Stages};
use super::stream::{Broken, Streamer};
use super::whole;
use crate::api::{ApiError, Permit};
use crate::generation::Generation;
use crate::metrics::{Metrics, TargetMetrics};
use crate::policy::Outcome;
use crate::policy::types::{Delta, Ending, Usage};
use crate::upstream::{
    Answer, AnswerBody, BodyError, Candidate, Failure, WHOLE_BODY_CAP, error_answer,
};
use crate::wire;
use crate::wire::choices::chunk::Chunk;
use crate::wire::choices::whole::WholeAnswer as Body;
use crate::wire::sse::{DONE, Framer};

/// How long a whole answer may take to be read, once it began.
const WHOLE_TIME: Duration = Duration::from_secs(600);
/// How much of an error's body is read, in bytes.
const ERROR_BODY: usize = 1 << 20;

/// One exchange.
pub(super) struct Exchange {
    pub(super) live: Arc<Generation>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) request: Arc<Asked>,
    pub(super) stages: Stages,
    pub(super) began: Instant,
    /// Given back when the last stage has heard of the end.
    pub(super) permit: Permit,
}

/// What is known of the answer at the end.
#[derive(Default)]
struct Told {
    target: Option<String>,
    model: Option<String>,
    status: Option<u16>,
    finishes: Vec<String>,
    usage: Option<Usage>,
    first_delta: Option<Instant>,
    deltas: u64,
    /// A target answered, or a stage did.
    answered: bool,
    /// Time in which the upstream was waited for.
    waited: Duration,
    counted: Option<Arc<TargetMetrics>>,
}

impl Exchange {
    pub(super) async fn run(mut self, out: Out) {
        let mut told = Told::default();
        let ended = match self.answer(&out, &mut told).await {
            Ok(ended) => ended,
            Err(Gone) => Ending::Disconnected,
        };
        let total = self.began.elapsed();
        if let Some(counted) = &told.counted {
            counted.total.observe(told.waited);
            counted.overhead.observe(total.saturating_sub(told.waited));
        }
        self.metrics.deltas.inc_by(told.deltas);
        if self.stages.wants_completion() {
            // Off the way of the answer: from here on this runs on a task of its own.
            out.left().await;
            let outcome = Outcome {
                ended,
                model: told.model,
                target: told.target.filter(|_| told.answered),
                status: told.status,
                finish_reasons: told.finishes,
                tokens: told.usage,
                stages: self.stages.accounts(),
                tags: self.stages.tags().to_vec(),
                first_delta_us: told.first_delta.map(|at| micros(at - self.began)),
                total_us: micros(total),
            };
            self.stages.complete(outcome).await;
        }
        // The room goes back when the instances have gone.
        drop(self.stages);
        drop(self.permit);
    }

    async fn answer(&mut self, out: &Out, told: &mut Told) -> Result<Ending, Gone> {
        match self.stages.judge(|| out.is_gone()).await {
            _ if out.is_gone() => Err(Gone),
            Judged::Deny(stage, denial) => {
                let error = heads::denied(self.stages.id(stage), &denial);
                self.refuse(out, error, told);
                Ok(Ending::Denied)
            }
            Judged::Failed(stage) => {
                self.refuse(out, heads::failed(&self.stages, stage), told);
                Ok(Ending::Faulted)
            }
            Judged::Respond(deltas) => self.respond(out, told, deltas).await,
            Judged::Proceed(request) => {
                self.request = request;
                self.ask(out, told).await
            }
        }
    }

    /// Asks the targets in turn, and takes the first answer through the stages.
    async fn ask(&mut self, out: &Out, told: &mut Told) -> Result<Ending, Gone> {
        let candidates = self.live.targets().candidates(self.request.chat.model());
        let candidates =
            candidates
                .map_err(|error| error.to_string())
                .and_then(|mut candidates| {
                    let allowed = self.request.allowed.as_ref();
                    let restricted = allowed.map_or(Ok(()), |ids| candidates.restrict(ids));
                    restricted
                        .map(|()| candidates)
                        .map_err(|error| error.to_string())
                });
        let candidates = match candidates {
            Ok(candidates) => candidates,
            Err(message) => {
                let error = ApiError::new(
                    StatusCode::NOT_FOUND,
                    "not_found_error",
                    "model_not_found",
                    message,
                );
                self.refuse(out, error.param("model"), told);
                return Ok(Ending::UpstreamFailed);
            }
        };
        let mut first_failure = None;
        for candidate in &candidates {
            let asked = Instant::now();
            let attempt = out.unless_gone(attempt(candidate, &self.request)).await;
            told.waited += asked.elapsed();
            let counted = self.live.target_metrics(candidate.target().id());
            match attempt? {
                Ok(answer) => {
                    counted.first_byte.observe(asked.elapsed());
                    told.answered = true;
                    told.counted = Some(counted);
                    told.target = Some(answer.target.to_string());
                    told.status = Some(answer.status.as_u16());
                    told.model = Some(answer.model.to_string());
                    return self.answered(out, told, answer).await;
                }
                Err(failure) => {
                    counted.failover(failure.reason());
                    let target = candidate.target().id();
                    tracing::warn!(target, request = %self.request.facts.id, "a target gave no answer: {failure}");
                    first_failure.get_or_insert((target.to_owned(), failure));
                }
            }
        }
        let (target, failure) = first_failure.expect("there is no Candidates without a candidate");
        told.target = Some(target);
        told.status = failure.status().map(|status| status.as_u16());
        // The first one's reason is told.
        self.refuse(out, failure.into(), told);
        Ok(Ending::UpstreamFailed)
    }

    async fn answered(
        &mut self,
        out: &Out,
        told: &mut Told,
        answer: Answer,
    ) -> Result<Ending, Gone> {
        self.stages.begin_answer(self.live.chain().answers());
        if !answer.status.is_success() {
            return self.refused_upstream(out, told, answer).await;
        }
        if is_stream(&answer) {
            return self.stream(out, told, answer).await;
        }
        let (status, passed_on) = (answer.status, answer.passed_on());
        let waited = Instant::now();
        let body = out
            .unless_gone(answer.whole(WHOLE_BODY_CAP, WHOLE_TIME))
            .await?;
        told.waited += waited.elapsed();
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                self.refuse(out, error.into(), told);
                return Ok(Ending::UpstreamFailed);
            }
        };
        let body = match Body::parse(body.clone()) {
            Ok(body) => body,
            Err(_) if !self.stages.may_change_answer() && has_choices(&body) => {
                // A completion with something in it that isn't known here; nobody judges it, so nobody needs to know.
                self.whole(out, told, status, passed_on, body);
                return Ok(Ending::Completed);
            }
            Err(error) => {
                self.refuse(out, unreadable(&error.to_string()), told);
                return Ok(Ending::UpstreamFailed);
            }
        };
        told.usage = body.usage().map(usage);
        told.finishes = body
            .finishes()
            .iter()
            .map(|(_, finish)| finish.clone())
            .collect();
        told.first_delta = Some(Instant::now());
        if let Some(model) = body.model() {
            told.model = Some(model.into());
        }
        let choices = body.choices();
        let passed = match self.stages.sees_answer() {
            true => whole::pass(&mut self.stages, body).await,
            false => Ok(whole::Passed::untouched(&body)),
        };
        let passed = match passed {
            Ok(passed) => passed,
            Err(Aborted(stage)) => {
                self.refuse(out, heads::failed(&self.stages, stage), told);
                return Ok(Ending::Faulted);
            }
        };
        told.deltas += passed.deltas;
        if passed.denied.len() >= choices {
            let (_, stage, denial) = &passed.denied[0];
            let error = heads::denied(self.stages.id(*stage), denial);
            self.refuse(out, error, told);
            return Ok(Ending::Denied);
        }
        self.whole(out, told, status, passed_on, passed.body);
        Ok(Ending::Completed)
    }

    fn whole(
        &self,
        out: &Out,
        told: &Told,
        status: StatusCode,
        passed_on: http::HeaderMap,
        body: Bytes,
    ) {
        self.metrics.answer_bytes.inc_by(body.len() as u64);
        self.send_whole(out, told, heads::json(status, passed_on, body));
    }

    /// The target answered, and what it says is no.
    async fn refused_upstream(
        &mut self,
        out: &Out,
        told: &mut Told,
        answer: Answer,
    ) -> Result<Ending, Gone> {
        let (status, passed_on) = (answer.status, answer.passed_on());
        let body = out
            .unless_gone(answer.whole(ERROR_BODY, WHOLE_TIME))
            .await?;
        let error = crate::upstream::ErrorBody::parse(status.as_u16(), &body.unwrap_or_default());
        self.refuse(out, error_answer(status, passed_on, error), told);
        Ok(Ending::UpstreamFailed)
    }

    /// Sends a whole response, with what it tells of the chain.
    fn send_whole(&self, out: &Out, told: &Told, mut response: http::Response<Bytes>) {
        heads::told(
            response.headers_mut(),
            &self.live,
            &self.stages,
            told.target.as_deref(),
        );
        out.whole(response);
    }

    /// An error in place of an answer.
    fn refuse(&self, out: &Out, error: ApiError, told: &Told) {
        self.send_whole(out, told, heads::error(error));
    }

    async fn stream(&mut self, out: &Out, told: &mut Told, answer: Answer) -> Result<Ending, Gone> {
        let head = heads::stream(answer.passed_on());
        let choices = self.request.chat.n() as usize;
        let mut sending = Sending::new(out, head);
        let mut streamer = Streamer::new(None);
        let ended = self
            .pump(
                &mut sending,
                &mut streamer,
                answer.into_body(),
                told,
                choices,
            )
            .await;
        let seen = &streamer.seen;
        told.usage = seen.usage.map(usage);
        told.finishes = seen
            .finishes
            .iter()
            .map(|(_, finish)| finish.clone())
            .collect();
        told.first_delta = seen.first_delta;
        told.deltas += streamer.answer.deltas();
        if let Some(model) = &seen.model {
            told.model = Some(model.clone());
        }
        self.metrics.answer_bytes.inc_by(sending.bytes);
        ended
    }

    /// Upstream's bytes through the stages to the client, until one of them ends.
    async fn pump(
        &mut self,
        sending: &mut Sending<'_>,
        streamer: &mut Streamer<Passage>,
        mut body: AnswerBody,
        told: &mut Told,
        choices: usize,
    ) -> Result<Ending, Gone> {
        let mut over = false;
        loop {
            let waited = Instant::now();
            let next = sending.wait(&mut body, streamer.answer.expiry()).await?;
            told.waited += waited.elapsed();
            let (step, read) = match next {
                Next::Head => {
                    sending.send_head(&self.live, &self.stages, told.target.as_deref());
                    continue;
                }
                Next::Expired => (streamer.expire(&mut self.stages).await, None),
                Next::Bytes(bytes) => (
                    streamer.read(&mut self.stages, bytes.clone()).await,
                    Some(bytes),
                ),
                Next::Over => {
                    over = true;
                    (streamer.end(&mut self.stages).await, None)
                }
                Next::Broke(error) => {
                    tracing::warn!(request = %self.request.facts.id, "an answer broke off: {error}");
                    return self
                        .cut(sending, told, error.into(), Ending::UpstreamFailed)
                        .await;
                }
            };
            if let Err(Broken::Stage(stage)) = step {
                // What had passed every stage before it failed still goes, unless nothing has gone yet.
                let error = heads::failed(&self.stages, stage);
                if !sending.began() {
                    self.refuse(sending.out, error, told);
                    return Ok(Ending::Faulted);
                }
                if let Some(bytes) = streamer.take(read.as_ref()) {
                    sending
                        .send(&self.live, &self.stages, told.target.as_deref(), bytes)
                        .await?;
                }
                return self.cut(sending, told, error, Ending::Faulted).await;
            }
            let all_denied = !streamer.denied().is_empty() && streamer.denied().len() >= choices;
            if all_denied && !sending.began() {
                self.refuse(sending.out, self.denied_by_all(), told);
                return Ok(Ending::Denied);
            }
            if let Some(bytes) = streamer.take(read.as_ref()) {
                sending
                    .send(&self.live, &self.stages, told.target.as_deref(), bytes)
                    .await?;
            }
            match step {
                Ok(()) if all_denied => {
                    // Dropping the body cancels the request upstream.
                    drop(body);
                    if !streamer.seen.done {
                        sending
                            .send(&self.live, &self.stages, told.target.as_deref(), DONE)
                            .await?;
                    }
                    sending.out.end();
                    return Ok(Ending::Denied);
                }
                Ok(()) if over => return self.over(sending, streamer, told, choices).await,
                Ok(()) => {}
                Err(Broken::Said) => {
                    sending.out.end();
                    return Ok(Ending::UpstreamFailed);
                }
                Err(Broken::NotAChunk(error)) => {
                    let error = unreadable(&error.to_string());
                    return self.cut(sending, told, error, Ending::UpstreamFailed).await;
                }
                Err(Broken::TooLong(error)) => {
                    let error = unreadable(&error.to_string());
                    return self.cut(sending, told, error, Ending::UpstreamFailed).await;
                }
                Err(Broken::Stage(_)) => unreachable!("told above"),
            }
        }
    }

    /// The upstream's bytes are over: well, if it said so or every choice has finished.
    async fn over(
        &mut self,
        sending: &mut Sending<'_>,
        streamer: &mut Streamer<Passage>,
        told: &Told,
        choices: usize,
    ) -> Result<Ending, Gone> {
        let whole = streamer.is_complete(choices);
        if !whole {
            let error = BodyError::Broken("it ended before its finish".into()).into();
            return self.cut(sending, told, error, Ending::UpstreamFailed).await;
        }
        if !sending.began() {
            sending.send_head(&self.live, &self.stages, told.target.as_deref());
        }
        sending.out.end();
        Ok(Ending::Completed)
    }

    /// What is told when no choice is left.
    fn denied_by_all(&self) -> ApiError {
        match self.stages.last_denial() {
            Some((stage, denial)) => heads::denied(self.stages.id(stage), denial),
            None => unreadable("no choice of it is left"),
        }
    }

    /// Ends a stream with an error: as the answer's status if nothing has gone out, else as an event.
    async fn cut(
        &mut self,
        sending: &mut Sending<'_>,
        told: &Told,
        error: ApiError,
        ended: Ending,
    ) -> Result<Ending, Gone> {
        if sending.began() {
            let event = heads::event(&error);
            sending
                .send(&self.live, &self.stages, told.target.as_deref(), event)
                .await?;
            sending.out.end();
        } else {
            self.refuse(sending.out, error, told);
        }
        Ok(ended)
    }

    /// A stage answers in the model's place.
    async fn respond(
        &mut self,
        out: &Out,
        told: &mut Told,
        deltas: Vec<Delta>,
    ) -> Result<Ending, Gone> {
        self.stages.begin_answer(self.live.chain().answers());
        told.target = Some(BY_POLICY.into());
        told.answered = true;
        told.usage = Some(usage(wire::Usage::default()));
        told.first_delta = Some(Instant::now());
        let id = format!("chatcmpl-{}", self.request.facts.id);
        let model = self.request.chat.model().to_owned();
        let composed = respond::compose(&mut self.stages, &deltas).await;
        let composed = match composed {
            Ok(composed) => composed,
            Err(Aborted(stage)) => {
                self.refuse(out, heads::failed(&self.stages, stage), told);
                return Ok(Ending::Faulted);
            }
        };
        told.deltas += composed.deltas;
        told.finishes = composed.finishes();
        if composed.all_denied() {
            self.refuse(out, self.denied_by_all(), told);
            return Ok(Ending::Denied);
        }
        if self.request.chat.stream() {
            let mut sending = Sending::new(out, heads::stream(http::HeaderMap::new()));
            let events = composed.stream(&id, &model, &self.stages);
            sending
                .send(&self.live, &self.stages, told.target.as_deref(), events)
                .await?;
            sending.out.end();
        } else {
            let body = composed.whole(&id, &model, &self.stages);
            self.whole(out, told, StatusCode::OK, http::HeaderMap::new(), body);
        }
        Ok(Ending::Responded)
    }
}

/// One attempt at one target. A stream that dies, or begins with an error, before anything has gone out counts as none.
async fn attempt(candidate: &Candidate, request: &Asked) -> Result<Answer, Failure> {
    let body = request.chat.to_bytes(Some(candidate.model()));
    let mut answer = candidate
        .send("chat/completions", body, &request.facts.headers)
        .await?;
    if answer.status.is_success() && is_stream(&answer) {
        // Not for longer than the head may wait: a slow first chunk is no failure.
        if let Ok(first) = tokio::time::timeout(HEAD_WAIT, answer.peek()).await {
            let error = first?.and_then(begins_with_error);
            if let Some(error) = error {
                return Err(Failure::said(error));
            }
        }
    }
    Ok(answer)
}

/// The first event of a stream, if it is an error.
fn begins_with_error(bytes: &Bytes) -> Option<Bytes> {
    let mut framer = Framer::new(crate::wire::sse::DEFAULT_CAP);
    framer.push(bytes.clone());
    let data = framer.next().ok()??.data?;
    let is_error = Chunk::parse(&data).ok()?.error.is_some();
    is_error.then_some(data)
}

fn is_stream(answer: &Answer) -> bool {
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/event-stream")
    })
}

fn unreadable(why: &str) -> ApiError {
    let message = format!("The upstream's answer can't be read: {why}.");
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream_error",
        "upstream_unreadable",
        message,
    )
}

/// Whether it is a completion at all, and not a web page.
fn has_choices(body: &[u8]) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    json.is_some_and(|json| json["choices"].is_array())
}

fn usage(usage: wire::Usage) -> Usage {
    Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        cached_tokens: usage.cached_tokens,
        reasoning_tokens: usage.reasoning_tokens,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
