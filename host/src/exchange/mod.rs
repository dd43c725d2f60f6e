//! The exchange: one request and its answer, from first byte to last. Here wire and policy meet, and nowhere else. It reads beside
//! the contract: the request through the stages, the targets in turn, the answer through the stages, and then, whatever happened,
//! `on-complete`.
//!
//! - [`begin`] puts it together, on the generation that runs.
//! - [`stages`] are the chain's in this exchange, each a [`stage_run`] with its [`stage_status`]; [`request`] is what they see and
//!   change of the request, and [`upstream`] who answers it.
//! - [`interest`] looks through a request for what any stage looks out for: most have nothing of it.
//! - [`passages`] takes the answer's text through them, and [`assembled`] is what came out: for a [`stream`], a [`whole`] answer and
//!   a [`synthetic`] one, which a stage gives itself.
//! - [`client`] is the only way to the client, [`errors`] what it is told in an answer's place; [`driver`] is how an exchange lives
//!   in its response, and outlives it; [`entries`] are what is left of it then.
//! - [`record`] is what is known of the exchange; [`translate`] stands between the wire's types and the contract's.
//! - [`scripted`] runs an exchange without a socket: samples do.

mod assembled;
mod begin;
mod client;
mod driver;
mod entries;
mod errors;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod interest;
mod passages;
mod record;
mod request;
mod scripted;
mod stage_run;
mod stage_status;
mod stages;
mod stream;
mod synthetic;
mod translate;
mod upstream;
mod whole;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use self::client::{ChainStatus, Client};
use self::driver::ClientGone;
use self::passages::{Aborted, AnswerStages as _};
use self::record::ExchangeRecord;
use self::stage_run::Response;
use self::stages::{RequestDecision, Stages};
use self::upstream::{NoAnswer, Upstream};
use self::whole::Filtered;
use crate::api::{ApiError, Permit, Turns};
use crate::metrics::Metrics;
use crate::policy::Outcome;
use crate::policy::types::Ending;
use crate::upstream::{Answer, WHOLE_BODY_CAP};
use crate::wire::Dialect;

pub use begin::{Begin, begin};
pub use scripted::{Played, Script, play};
#[cfg(any(test, fuzzing))]
pub(crate) use {fuzz::answer, fuzz::around, passages::fuzz::hold_back};

/// How long a whole answer may take to be read, once it began.
const WHOLE_TIME: Duration = Duration::from_secs(600);

/// One exchange. `U` answers it: the targets, or a script.
struct Exchange<U> {
    upstream: U,
    stages: Stages,
    client: Client,
    record: ExchangeRecord,
    metrics: Arc<Metrics>,
    permit: Permit,
}

/// What is left of an exchange at its very end.
struct Ended {
    ended: Ending,
    stages: Stages,
    permit: Permit,
}

impl<U: Upstream> Exchange<U> {
    /// Runs it to its very end, and returns how it ended.
    async fn run(mut self) -> Ended {
        // What few exchanges need is apart on the heap.
        let decision = if Turns::is_large(self.stages.request().weight()) {
            let turns = self.permit.turns.clone();
            let decision;
            (self, decision) = turns.apart(self, |it| it.judge().boxed()).boxed().await;
            decision
        } else {
            self.judge().await
        };
        let ended = match self.exchange(decision).await {
            Ok(ended) => ended,
            Err(ClientGone) => Ending::Disconnected,
        };
        match self.settled(ended).await {
            None => self.stages.collect(),
            Some(outcome)
                if Turns::is_large(self.stages.request().weight().max(outcome.sent_bytes)) =>
            {
                let turns = self.permit.turns.clone();
                let complete = turns.apart(self, |it| it.complete(outcome).boxed());
                (self, ()) = complete.boxed().await;
            }
            Some(outcome) => self.complete(outcome).await,
        }
        let Exchange { stages, permit, .. } = self;
        Ended {
            ended,
            stages,
            permit,
        }
    }

    /// Takes the request through the stages.
    async fn judge(&mut self) -> RequestDecision {
        let gone = || self.client.is_gone();
        self.stages.run_request(&self.permit.turns, gone).await
    }

    /// Does what the stages decided of the request.
    async fn exchange(&mut self, decision: RequestDecision) -> Result<Ending, ClientGone> {
        if self.client.is_gone() {
            return Err(ClientGone);
        }
        match decision {
            RequestDecision::Proceed => self.ask().await,
            RequestDecision::Respond(response) => self.respond(&response).await,
            RequestDecision::Deny(stage, denial) => {
                let error = errors::denied(self.stages.name(stage), &denial);
                Ok(self.refuse(error, Ending::Denied))
            }
            RequestDecision::Failed(aborted) => Ok(self.failed(aborted)),
        }
    }

    /// Asks the upstream, and takes its answer through the stages.
    async fn ask(&mut self) -> Result<Ending, ClientGone> {
        let asked = Instant::now();
        let answer = self.upstream.ask(self.stages.request());
        let answer = self.client.unless_gone(pin!(answer)).await;
        self.record.waited_since(asked);
        let answer = match answer? {
            Ok(answer) => answer,
            Err(NoAnswer::NoTarget(why)) => {
                return Ok(self.refuse(errors::no_target(why), Ending::UpstreamFailed));
            }
            Err(NoAnswer::Failed(failed)) => {
                self.record.unanswered(&failed);
                return Ok(self.refuse(failed.failure.into(), Ending::UpstreamFailed));
            }
        };
        self.record.answered(&answer);
        self.stages.begin_answer();
        let asked = self.stages.request().body.stream();
        if !answer.status.is_success() {
            self.upstream_refused(answer).await
        } else if !self.client.can_read(answer.is_stream(), asked) {
            let why = if asked { "no stream" } else { "a stream" };
            let error = errors::unreadable(&format_args!("it is {why}"));
            Ok(self.refuse(error, Ending::UpstreamFailed))
        } else if answer.is_stream() {
            self.stream(answer).await
        } else {
            self.whole(answer).await
        }
    }

    /// The target answered, and what it says is no.
    async fn upstream_refused(&mut self, answer: Answer) -> Result<Ending, ClientGone> {
        let error = answer.into_error(&mut self.permit.charge);
        let error = self.client.unless_gone(pin!(error)).await?;
        Ok(self.refuse(error, Ending::UpstreamFailed))
    }

    /// A whole answer, through the stages.
    async fn whole(&mut self, answer: Answer) -> Result<Ending, ClientGone> {
        let (status, passed_on) = (answer.status, answer.passed_on());
        let secret = answer.secret().clone();
        let unknown = answer.unknown_members;
        let waited = Instant::now();
        let body = answer.whole(WHOLE_BODY_CAP, WHOLE_TIME, &mut self.permit.charge);
        let body = self.client.unless_gone(pin!(body)).await?;
        self.record.waited_since(waited);
        let body = match body {
            Ok(body) => body,
            Err(error) => return Ok(self.refuse(error.into(), Ending::UpstreamFailed)),
        };
        let judged = self.stages.may_change_answer().then_some(unknown);
        let turns = &self.permit.turns;
        let read = whole::read(turns, self.dialect(), body.clone(), judged, secret);
        let answer = match read.await {
            Ok(Some(answer)) => answer,
            // Something in the answer is unknown here. No enforcing stage sees the answer, so that does no harm.
            Ok(None) => {
                let ended = self.answer(status, passed_on, body, Ending::Completed);
                return Ok(ended.await);
            }
            Err(error) => return Ok(self.refuse(error, Ending::UpstreamFailed)),
        };
        let bytes = body.len() as u64;
        drop(body);
        self.record.whole(&answer);
        let choices = answer.choices();
        let filtered = if self.stages.count() > 0 {
            let filter = whole::filter(&mut self.stages, answer);
            self.permit.turns.run(bytes, pin!(filter)).await
        } else {
            Ok(Filtered::untouched(answer))
        };
        let filtered = match filtered {
            Ok(filtered) => filtered,
            Err(aborted) => return Ok(self.failed(aborted)),
        };
        let finished = filtered.assembled.finished();
        self.record.filtered(filtered.deltas, finished);
        if let Some(ended) = self.denied_wholly(&filtered.assembled, choices) {
            return Ok(ended);
        }
        let body = whole::written(&self.permit.turns, filtered.body).await;
        let ended = self.answer(status, passed_on, body, Ending::Completed);
        Ok(ended.await)
    }

    /// A stage answers in the model's place.
    async fn respond(&mut self, response: &Response) -> Result<Ending, ClientGone> {
        self.stages.begin_answer();
        self.record.responded();
        let synthetic = match synthetic::respond(&mut self.stages, response).await {
            Ok(synthetic) => synthetic,
            Err(aborted) => return Ok(self.failed(aborted)),
        };
        let finishes = synthetic.finishes(&self.stages);
        self.record.synthesized(synthetic.deltas, finishes);
        if let Some(ended) = self.denied_wholly(&synthetic.assembled, synthetic.choices()) {
            return Ok(ended);
        }
        let request = self.stages.request();
        let (dialect, stream) = (request.body.dialect(), request.body.stream());
        let id = dialect.answer_id(&request.meta.id);
        let named = (&*id, request.body.model());
        let answer = synthetic.render(dialect, named, stream, &self.stages);
        if stream {
            self.client.begin(HeaderMap::new());
            self.send(answer).await?;
            self.end().await?;
            return Ok(Ending::Responded);
        }
        let ended = self.answer(StatusCode::OK, HeaderMap::new(), answer, Ending::Responded);
        Ok(ended.await)
    }

    /// Counts what the exchange came to, and waits until the client has all that it gets. Returns what the stages are told of it, if any wants it.
    async fn settled(&mut self, ended: Ending) -> Option<Outcome> {
        let total = self.record.elapsed();
        self.record.observe(total);
        self.metrics.deltas.inc_by(self.record.deltas());
        self.metrics.answer_bytes.inc_by(self.client.bytes);
        if !self.stages.wants_completion() {
            return None;
        }
        self.client.left().await;
        let (accounts, tags) = (self.stages.accounts(), self.stages.tags().to_vec());
        let sent = self.client.bytes;
        Some(self.record.outcome(ended, sent, total, accounts, tags))
    }

    /// Tells every stage that wants it how the exchange ended.
    async fn complete(&mut self, outcome: Outcome) {
        self.stages.complete(outcome, &self.permit.turns).await;
    }

    /// Where no choice is left, before anything has gone out: the answer is one denial.
    fn denied_wholly(
        &mut self,
        assembled: &assembled::Assembled,
        choices: usize,
    ) -> Option<Ending> {
        let it = assembled.denial_of_all(choices)?;
        let error = errors::denied(self.stages.name(it.stage), &it.denial);
        Some(self.refuse(error, Ending::Denied))
    }

    /// A stage failed, and its `on_error` is deny.
    fn failed(&mut self, aborted: Aborted) -> Ending {
        let error = self.failure(aborted);
        self.refuse(error, Ending::Faulted)
    }

    fn failure(&self, Aborted(stage): Aborted) -> ApiError {
        errors::failed(self.stages.name(stage), self.stages.failed_as(stage))
    }

    fn refuse(&mut self, error: ApiError, ended: Ending) -> Ending {
        let told = told(&self.stages, &self.record);
        self.client.refuse(error, &told);
        ended
    }

    async fn answer(
        &mut self,
        status: StatusCode,
        passed_on: HeaderMap,
        body: Bytes,
        ended: Ending,
    ) -> Ending {
        let body = match self.client.translated(body, &self.permit.turns).await {
            Ok(body) => body,
            Err(error) => return self.refuse(errors::unreadable(&error), Ending::UpstreamFailed),
        };
        // A slow client may take longer for it than the exchange lasts.
        let body = self.permit.charge.ride_with(body);
        let told = told(&self.stages, &self.record);
        self.client.answer(status, passed_on, body, &told);
        ended
    }

    /// Sends events of a stream.
    async fn send(&mut self, events: Bytes) -> Result<(), ClientGone> {
        let frame = self.client.written(events);
        self.send_frame(frame).await
    }

    /// A stream is over: what its dialect says last goes, and nothing after it but what the exchange took, if that is known and wanted.
    async fn end(&mut self) -> Result<(), ClientGone> {
        let frame = self.client.last_words();
        self.send_frame(frame).await?;
        let usage = self.client.usage(self.record.took());
        self.send_frame(usage).await?;
        self.client.send_head(|| told(&self.stages, &self.record));
        self.client.end();
        Ok(())
    }

    async fn send_frame(&mut self, bytes: Bytes) -> Result<(), ClientGone> {
        if bytes.is_empty() {
            return Ok(());
        }
        let first = (self.client).first(bytes, || told(&self.stages, &self.record));
        match first {
            Some(bytes) => self.client.frame(bytes).await,
            None if self.client.is_gone() => Err(ClientGone),
            None => Ok(()),
        }
    }

    fn dialect(&self) -> Dialect {
        self.stages.request().body.dialect()
    }
}

/// What a head tells of the exchange so far.
fn told<'a>(stages: &'a Stages, record: &'a ExchangeRecord) -> ChainStatus<'a> {
    ChainStatus {
        target: record.target(),
        verdicts: stages.verdicts(),
        tags: stages.tags(),
        headers: stages.answer_headers().collect(),
        took: record.took(),
    }
}
