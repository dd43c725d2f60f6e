//! What is measured: an instance, and each of its calls, at the sizes that exchanges have.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy::types::{Channel, Ending, Hooks};
use crate::policy::{Failure, FixedRequest, Instance, Outcome, Passage, Stage};

/// A piece of work. A size is that of the text that the call is about, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A fresh copy of the snapshot, and its `exchange`.
    Instantiate,
    OnRequest(usize),
    OnAnswer,
    OnDelta(usize),
    OnEnd,
    OnComplete,
}

/// All that is measured. A delta of a stream has about four bytes; a whole answer comes in pieces of 4 KiB.
pub(super) const WORK: [Work; 10] = [
    Work::Instantiate,
    Work::OnRequest(100),
    Work::OnRequest(4 << 10),
    Work::OnRequest(64 << 10),
    Work::OnAnswer,
    Work::OnDelta(4),
    Work::OnDelta(64),
    Work::OnDelta(4 << 10),
    Work::OnEnd,
    Work::OnComplete,
];

/// How often it is done in a round; a round's figure is the mean of these.
const TIMES: u32 = 10;

/// Ordinary text, in which most policies find nothing.
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and nobody knows why. ";

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.bytes() {
            Some(bytes) if bytes < 1 << 10 => write!(f, ", {bytes} B"),
            Some(bytes) => write!(f, ", {} KiB", bytes >> 10),
            None => Ok(()),
        }
    }
}

impl Work {
    pub(super) fn name(self) -> &'static str {
        match self {
            Work::Instantiate => "instantiate",
            Work::OnRequest(_) => "on-request",
            Work::OnAnswer => "on-answer",
            Work::OnDelta(_) => "on-delta",
            Work::OnEnd => "on-end",
            Work::OnComplete => "on-complete",
        }
    }

    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Work::OnRequest(bytes) | Work::OnDelta(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether a policy with these hooks is asked to do it.
    pub(super) fn is_wanted(self, hooks: Hooks) -> bool {
        match self {
            Work::Instantiate => true,
            Work::OnRequest(_) => hooks.contains(Hooks::ON_REQUEST),
            Work::OnAnswer | Work::OnDelta(_) | Work::OnEnd => hooks.contains(Hooks::ON_ANSWER),
            Work::OnComplete => hooks.contains(Hooks::ON_COMPLETE),
        }
    }

    /// How long it takes, by the mean of a few. Each is done in an instance of its own, but for deltas, which an answer has many of.
    pub(super) async fn time(self, stage: &Arc<Stage>) -> Result<Duration, Failure> {
        let mut took = Duration::ZERO;
        if let Work::OnDelta(bytes) = self {
            let text = text(bytes);
            let (mut instance, passage) = opened(stage).await?;
            // A policy that passes on the whole channel is asked nothing more.
            let Some(passage) = passage else {
                return Ok(took);
            };
            for _ in 0..TIMES {
                let began = Instant::now();
                instance.on_delta(&passage, &text).await?;
                took += began.elapsed();
            }
            return Ok(took / TIMES);
        }
        for _ in 0..TIMES {
            took += self.once(stage).await?;
        }
        Ok(took / TIMES)
    }

    async fn once(self, stage: &Arc<Stage>) -> Result<Duration, Failure> {
        if self == Work::Instantiate {
            let began = Instant::now();
            let instance = fresh(stage, 0).await?;
            let took = began.elapsed();
            drop(instance);
            return Ok(took);
        }
        if self == Work::OnEnd {
            let (mut instance, passage) = opened(stage).await?;
            let Some(passage) = passage else {
                return Ok(Duration::ZERO);
            };
            instance.on_delta(&passage, TEXT).await?;
            let began = Instant::now();
            instance.on_end(passage, "stop").await?;
            return Ok(began.elapsed());
        }
        let mut instance = fresh(stage, self.bytes().unwrap_or_default()).await?;
        let outcome = outcome();
        let began = Instant::now();
        match self {
            Work::OnRequest(_) => {
                instance.on_request().await?;
            }
            Work::OnAnswer => {
                instance.on_answer(0, &Channel::Content).await?;
            }
            _ => instance.on_complete(outcome).await?,
        }
        Ok(began.elapsed())
    }
}

/// An exchange that is under way, as far as the policy takes part in it.
pub(super) async fn begun(stage: &Arc<Stage>) -> Result<Instance, Failure> {
    let mut instance = fresh(stage, 100).await?;
    if stage.hooks().contains(Hooks::ON_REQUEST) {
        instance.on_request().await?;
    }
    if stage.hooks().contains(Hooks::ON_ANSWER)
        && let Some(passage) = instance.on_answer(0, &Channel::Content).await?
    {
        instance.on_delta(&passage, TEXT).await?;
    }
    Ok(instance)
}

async fn opened(stage: &Arc<Stage>) -> Result<(Instance, Option<Passage>), Failure> {
    let mut instance = fresh(stage, 0).await?;
    let passage = instance.on_answer(0, &Channel::Content).await?;
    Ok((instance, passage))
}

async fn fresh(stage: &Arc<Stage>, bytes: usize) -> Result<Instance, Failure> {
    let request = FixedRequest::saying(text(bytes));
    Instance::start(stage, Arc::new(request)).await
}

/// So many bytes of text.
fn text(bytes: usize) -> String {
    TEXT.chars().cycle().take(bytes).collect()
}

fn outcome() -> Arc<Outcome> {
    Arc::new(Outcome {
        ended: Ending::Completed,
        model: Some("a-model".into()),
        target: Some("a-target".into()),
        status: Some(200),
        finish_reasons: vec!["stop".into()],
        tokens: None,
        cost_micros: None,
        stages: Vec::new(),
        tags: Vec::new(),
        deltas: 2,
        sent_bytes: 400,
        first_delta_us: Some(10_000),
        total_us: 200_000,
    })
}
