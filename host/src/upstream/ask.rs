//! Asks the candidates of a request in turn, each with a key that is ready, until one answers; and once more after a pause, where that
//! may help and the budget allows it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::beginning::ReadsBeginning;
use super::candidates::{Candidate, Candidates};
use super::connections::Connection;
use super::failure::Failure;
use super::health::Attempt;
use super::hedge::{Raced, race};
use super::keys::{Key, Need};
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

    /// Whether the answer is to be a stream.
    fn streams(&self) -> bool;

    /// About how many tokens it has, and how many its answer may have at most, where it says so.
    fn tokens(&self) -> (u64, Option<u64>);

    /// Reads where the content of a stream begins.
    fn reads_beginning(&self) -> ReadsBeginning;
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

/// What Cerebras keeps back of a limit for an answer at most, and where a request doesn't say how long its answer may be. Others keep back
/// what is said, or nothing; so for them it is a guess, which decides among keys and targets alone.
const RESERVED: u64 = 16_384;

/// Asks the candidates in their order and returns the first answer that begins. Each attempt's result is counted and
/// logged. What has failed for now is asked again in further rounds, as the policy says and the budget allows. Where an answer is late, another
/// attempt is made beside it, within the same budget.
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
    let (tokens, most) = question.tokens();
    let tokens = tokens.saturating_add(most.unwrap_or(RESERVED).min(RESERVED));
    let stream = question.streams();
    let mut left: SmallVec<[&Candidate; 4]> = candidates.iter().collect();
    let mut failures = Failures::default();
    for round in 0.. {
        failures.round = round;
        let mut turns = Turns::new(left, tokens);
        while let Some(candidate) = turns.next() {
            let target = candidate.target();
            // From here on it may be the probe, so whatever comes is told.
            let trial = target.health().attempt().at(candidate.kind(stream));
            let outgoing = question.body(candidate.model(), target.parameters());
            let outgoing = match outgoing.await {
                Ok(outgoing) => outgoing,
                // As an answer of the target's: others aren't asked after a request that one finds wrong.
                Err(refused) => return Ok(Answer::refused(candidate, &refused)),
            };
            let late = target.health().late(&candidate.kind(stream));
            let attempt = Trial {
                candidate,
                question,
                policy,
                tokens,
                // Whoever may be overtaken is waited for until there is something to take.
                patience: late.is_none().then_some(policy.peek),
            };
            // In its place, and moved no more: it is large, and every request has one.
            let mut first = pin!(attempt.watched(trial, outgoing));
            let mut beside = candidate;
            let raced = match late {
                None => Raced {
                    first: Some(first.as_mut().await),
                    second: None,
                },
                Some(late) => {
                    let second = Box::pin(async {
                        if !budget.allows() {
                            return None;
                        }
                        beside = turns.beside(candidate);
                        let (other, health) = (beside, beside.target().health());
                        let trial = health.attempt().at(other.kind(stream));
                        let parameters = other.target().parameters();
                        let outgoing = question.body(other.model(), parameters).await.ok()?;
                        target.metrics().hedged();
                        tracing::debug!(
                            target: "witgate::exchange::run",
                            target = target.id(), beside = other.target().id(), request = question.id(),
                            "an answer is late, so the request is sent once more"
                        );
                        let attempt = Trial {
                            candidate: other,
                            ..attempt
                        };
                        Some(attempt.watched(trial, outgoing).await)
                    });
                    race(first.as_mut(), late, second, |answer| {
                        answer.status.is_success()
                    })
                    .await
                }
            };
            match (raced.first, raced.second) {
                (Some(Ok(answer)), second) => {
                    if let Some(Err(failure)) = second {
                        failures.note(beside, question.id(), failure);
                    }
                    return Ok(answer);
                }
                (first, Some(Ok(answer))) => {
                    if let Some(Err(failure)) = first {
                        failures.note(candidate, question.id(), failure);
                    }
                    target.metrics().hedge_won();
                    return Ok(answer);
                }
                (first, second) => {
                    for (of, result) in [(candidate, first), (beside, second)] {
                        if let Some(Err(failure)) = result {
                            failures.note(of, question.id(), failure);
                        }
                    }
                }
            }
        }
        let goes_on = round + 1 < policy.rounds;
        let left_of_it = until.saturating_duration_since(Instant::now());
        let pause = failures.pause.take();
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
        left = std::mem::take(&mut failures.again);
        for candidate in &left {
            candidate.target().metrics().asked_again();
        }
    }
    Err(failures
        .first
        .expect("there is no Candidates without a candidate"))
}

/// Whose turn it is in one round.
struct Turns<'a> {
    left: SmallVec<[&'a Candidate; 4]>,
    next: usize,
    /// How many there are. Behind them stand those of them who were put off.
    all: usize,
    tokens: u64,
}

impl<'a> Turns<'a> {
    fn new(left: SmallVec<[&'a Candidate; 4]>, tokens: u64) -> Self {
        Turns {
            all: left.len(),
            left,
            next: 0,
            tokens,
        }
    }

    /// Who fails too often, or has no room by all that is known, is asked when all others have failed.
    fn next(&mut self) -> Option<&'a Candidate> {
        loop {
            let candidate = *self.left.get(self.next)?;
            self.next += 1;
            if self.all > 1 && self.next <= self.all && !self.is_ready(candidate) {
                self.left.push(candidate);
                continue;
            }
            return Some(candidate);
        }
    }

    /// Who is asked beside one that is late: the next that is asked for the same model, in its turn; else the same one again.
    fn beside(&mut self, late: &'a Candidate) -> &'a Candidate {
        let alike = |at: &usize| {
            let other = self.left[*at];
            other.model() == late.model() && self.is_ready(other)
        };
        let Some(place) = (self.next..self.all).find(alike) else {
            return late;
        };
        let other = self.left[place];
        self.left[self.next..=place].rotate_right(1);
        self.next += 1;
        other
    }

    fn is_ready(&self, candidate: &Candidate) -> bool {
        let target = candidate.target();
        let need = Need {
            model: candidate.model(),
            tokens: self.tokens,
        };
        !target.keys().lacks_room(need) && target.health().in_turn()
    }
}

/// What failed.
#[derive(Default)]
struct Failures<'a> {
    round: u32,
    first: Option<AskFailed>,
    /// Who may be asked again, and the shortest time after which one may.
    again: SmallVec<[&'a Candidate; 4]>,
    pause: Option<Duration>,
}

impl<'a> Failures<'a> {
    fn note(&mut self, candidate: &'a Candidate, request: &str, failure: Failure) {
        let target = candidate.target();
        target.metrics().failover(failure.reason());
        tracing::warn!(
            target: "witgate::exchange::run",
            target = target.id(), request,
            "a target gave no answer: {failure}"
        );
        if let Some(wait) = RetryPolicy::pause(&failure, self.round) {
            self.pause = Some(self.pause.map_or(wait, |pause| pause.min(wait)));
            if !self.again.iter().any(|it| std::ptr::eq(*it, candidate)) {
                self.again.push(candidate);
            }
        }
        self.first.get_or_insert_with(|| AskFailed {
            target: target.shared_id(),
            failure,
        });
    }
}

/// An attempt at one target.
struct Trial<'a, Q> {
    candidate: &'a Candidate,
    question: &'a Q,
    policy: &'a RetryPolicy,
    tokens: u64,
    /// How long a stream's first content is waited for. `None`: for as long as the target has for it.
    patience: Option<Duration>,
}

impl<Q> Clone for Trial<'_, Q> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q> Copy for Trial<'_, Q> {}

impl<Q: Question> Trial<'_, Q> {
    /// Makes it. What comes of it counts for the target, or against it.
    async fn watched(self, mut trial: Attempt, outgoing: Outgoing) -> Result<Answer, Failure> {
        let (target, body) = (self.candidate.target(), &outgoing.body);
        let need = Need {
            model: self.candidate.model(),
            tokens: self.tokens,
        };
        let send = |key| self.with(key, body);
        let answer = target.with_a_key(need, self.question.id(), send).await;
        let answer = match answer {
            Ok(answer) => {
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
        };
        outgoing.told(answer)
    }

    /// The same with one key. A stream that dies or says of an error before it says anything else counts as a failed attempt, because the
    /// client has got nothing of it yet.
    async fn with(self, key: Arc<Key>, body: &Bytes) -> Result<Answer, Failure> {
        let Trial {
            candidate,
            question,
            policy,
            ..
        } = self;
        let asked = Instant::now();
        let send =
            |on| candidate.send_on(on, &key, question.path(), body.clone(), question.headers());
        let mut answer = renewed(policy, question.id(), send).await?;
        answer.metrics.first_byte.observe(asked.elapsed());
        if !answer.status.is_success() || !answer.is_stream() {
            return Ok(answer);
        }
        answer.begins_by(question.reads_beginning());
        let error = match self.patience {
            None => answer.begin().await?,
            Some(most) => match timeout(most, answer.begin()).await {
                Ok(begun) => begun?,
                Err(_) => None,
            },
        };
        match error {
            Some(error) => Err(Failure::said(error, answer.secret())),
            None => Ok(answer),
        }
    }
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
