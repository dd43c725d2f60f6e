//! Asks the candidates of a request in turn, each with a key that is ready, until one answers; and once more after a pause, where that
//! may help and the budget allows it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::candidates::{Candidate, Candidates};
use super::connections::Connection;
use super::failure::Failure;
use super::health::Attempt;
use super::keys::Key;
use super::retry::{RetryBudget, RetryPolicy};
use crate::api::ApiError;
use crate::api::headers::DROPPED;
use crate::config::Parameters;

/// A request, in the form that each candidate gets.
pub trait Question: Sync {
    /// The request's id, for the log.
    fn id(&self) -> &str;

    /// The path of the request, below a target's address.
    fn path(&self) -> &str;

    /// The body for a target: with its name for the model in it, and with what it doesn't take dealt with in its way.
    ///
    /// # Errors
    /// What the target would say of it. The request isn't sent then.
    fn body(
        &self,
        model: &str,
        parameters: Parameters,
    ) -> impl Future<Output = Result<Outgoing, ApiError>> + Send;

    /// The client's headers. Only those that may go on are sent.
    fn headers(&self) -> &HeaderMap;

    /// The error that a stream's first bytes consist of, if they do.
    fn first_error(&self, bytes: &Bytes) -> Option<Bytes>;
}

/// The body that goes to a target.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// It.
    pub body: Bytes,
    /// What of the request isn't in it, or under another name: a list for the client.
    pub dropped: Option<HeaderValue>,
}

impl Outgoing {
    /// The answer to it, or the failure, which tells the client what was dropped.
    fn told(&self, answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
        match (answer, &self.dropped) {
            (Ok(mut answer), dropped) => {
                answer.dropped.clone_from(dropped);
                Ok(answer)
            }
            (Err(Failure::Status(mut failure)), Some(dropped)) => {
                failure.headers.insert(DROPPED, dropped.clone());
                Err(Failure::Status(failure))
            }
            (failed, _) => failed,
        }
    }
}

/// No candidate answered.
#[derive(Debug, thiserror::Error)]
#[error("{target}: {failure}")]
pub struct AskFailed {
    /// The id of the first target that was asked.
    pub target: Arc<str>,
    /// Why it gave no answer.
    #[source]
    pub failure: Failure,
}

/// Asks the candidates in their order and returns the first answer that begins. Each attempt's result is counted and
/// logged. What has failed for now is asked again in further rounds, as the policy says and the budget allows.
///
/// # Errors
/// When none answers: the first candidate's first failure.
pub(super) async fn ask(
    candidates: &Candidates,
    question: &impl Question,
    policy: &RetryPolicy,
    budget: &RetryBudget,
) -> Result<Answer, AskFailed> {
    budget.sent();
    let until = Instant::now() + policy.within;
    let mut first_failure = None;
    let mut left: SmallVec<[&Candidate; 4]> = candidates.iter().collect();
    for round in 0.. {
        let mut pause = None;
        let mut again = SmallVec::new();
        let (mut turns, all) = (0, left.len());
        while let Some(&candidate) = left.get(turns) {
            let target = candidate.target();
            turns += 1;
            // Who fails too often is asked when all others have failed.
            if all > 1 && turns <= all && !target.health().in_turn() {
                left.push(candidate);
                continue;
            }
            // From here on it may be the probe, so whatever comes is told.
            let trial = target.health().attempt();
            let outgoing = question.body(candidate.model(), target.parameters());
            let outgoing = match outgoing.await {
                Ok(outgoing) => outgoing,
                // As an answer of the target's: others aren't asked after a request that one finds wrong.
                Err(refused) => return Ok(Answer::refused(candidate, &refused)),
            };
            let answer = watched(trial, candidate, question, &outgoing.body, policy).await;
            let failure = match outgoing.told(answer) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            target.metrics().failover(failure.reason());
            tracing::warn!(
                target: "witgate::exchange::run",
                target = target.id(), request = question.id(),
                "a target gave no answer: {failure}"
            );
            if let Some(wait) = RetryPolicy::pause(&failure, round) {
                pause = Some(pause.map_or(wait, |pause: Duration| pause.min(wait)));
                again.push(candidate);
            }
            first_failure.get_or_insert_with(|| AskFailed {
                target: target.shared_id(),
                failure,
            });
        }
        let goes_on = round + 1 < policy.rounds;
        let left_of_it = until.saturating_duration_since(Instant::now());
        let Some(pause) = pause.filter(|pause| goes_on && *pause < left_of_it) else {
            break;
        };
        if !budget.allows() {
            tracing::warn!(
                target: "witgate::exchange::run", request = question.id(),
                "too many requests were sent again of late, so this one isn't"
            );
            break;
        }
        sleep(pause).await;
        left = again;
        for candidate in &left {
            candidate.target().metrics().asked_again();
        }
    }
    Err(first_failure.expect("there is no Candidates without a candidate"))
}

/// Makes one attempt at one target. What comes of it counts for the target, or against it.
async fn watched(
    mut trial: Attempt,
    candidate: &Candidate,
    question: &impl Question,
    body: &Bytes,
    policy: &RetryPolicy,
) -> Result<Answer, Failure> {
    let target = candidate.target();
    let asked = Instant::now();
    let send = |key| attempt(key, candidate, question, body, policy);
    let answer = target.with_a_key(candidate.model(), question.id(), send);
    match answer.await {
        Ok(answer) => {
            target.metrics().first_byte.observe(asked.elapsed());
            trial.answered(&answer.headers);
            Ok(answer.watched(trial))
        }
        Err(failure) => {
            match failure.blames_target() {
                Some(true) => trial.failed(),
                Some(false) => trial.answered(&HeaderMap::new()),
                None => {}
            }
            Err(failure)
        }
    }
}

/// Makes one attempt with one key. A stream that dies or begins with an error counts as a failed attempt, because the
/// client has got nothing of it yet.
async fn attempt(
    key: Arc<Key>,
    candidate: &Candidate,
    question: &impl Question,
    body: &Bytes,
    policy: &RetryPolicy,
) -> Result<Answer, Failure> {
    let send = |on| candidate.send_on(on, &key, question.path(), body.clone(), question.headers());
    let mut answer = renewed(policy, question.id(), send).await?;
    if answer.status.is_success()
        && answer.is_stream()
        && let Ok(first) = timeout(policy.peek, answer.peek()).await
        && let Some(error) = first?.and_then(|bytes| question.first_error(bytes))
    {
        return Err(Failure::said(error, answer.secret()));
    }
    Ok(answer)
}

/// Sends on a kept connection. Where that one was closed without an answer, sends once more on a new one. `request` is an id, for the log.
pub(super) async fn renewed<F>(
    policy: &RetryPolicy,
    request: &str,
    send: impl Fn(Connection) -> F,
) -> Result<Answer, Failure>
where
    F: Future<Output = Result<Answer, Failure>>,
{
    let began = Instant::now();
    match send(Connection::Kept).await {
        Err(Failure::Closed(why)) if policy.renew => {
            tracing::debug!(target: "witgate::exchange::run", request, "a kept connection was closed ({why}); the request goes on a new one");
            send(Connection::New(began)).await
        }
        answer => answer,
    }
}
