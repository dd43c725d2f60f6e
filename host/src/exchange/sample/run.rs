//! One sample, one way, through a chain of the one stage: what an exchange does, with the sample's answer in an upstream's place.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::Way;
use super::expect::{Came, Verdict};
use super::file::Sample;
use crate::exchange::heads::BY_POLICY;
use crate::exchange::passages::StageId;
use crate::exchange::request::{Asked, Facts};
use crate::exchange::stages::{Judged, Stages};
use crate::exchange::stream::{Broken, Streamer};
use crate::exchange::{millis, respond, whole};
use crate::generation::ExchangeCounter;
use crate::metrics::Hook;
use crate::policy::types::{Account, Delta, Ending};
use crate::policy::{Class, Failure, Outcome, Stage};
use crate::wire::Channel;
use crate::wire::choices::chunk::{Chunk, Piece};
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::whole::{AnswerText, WholeAnswer as Body};
use crate::wire::sse::{self, DONE, Framer};

const ID: &str = "00000000-0000-4000-8000-000000000000";
const ANSWER: &str = "chatcmpl-sample";
/// What stands for the target that answered.
const TARGET: &str = "sample";

/// The most that a streamed answer may become, in bytes: here no client takes it away while it grows.
const LARGEST: usize = 8 << 20;

/// Which call failed, and how.
type Failed = (Hook, Failure);

/// What the client gets.
struct Got {
    ended: Ending,
    target: Option<&'static str>,
    /// `None` where it gets an error.
    body: Option<Bytes>,
}

/// Runs it. A call that failed is an error, also under `on_error: skip`.
pub(super) async fn run(stage: &Arc<Stage>, sample: &Sample, way: Way) -> Result<Came, Failed> {
    let facts = Facts {
        id: ID.into(),
        principal: None,
        received_at: millis(),
        headers: HeaderMap::new(),
        targets: None,
    };
    let asked = Asked {
        facts: Arc::new(facts),
        chat: sample.request(way).clone(),
        allowed: None,
    };
    // Of no chain yet, and so of none whose time to drain may be over.
    let guard = ExchangeCounter::new().begin();
    let mut stages = Stages::new(std::slice::from_ref(stage), guard, Arc::new(asked));
    let got = match stages.judge(|| false).await {
        Judged::Deny(..) => Got::refused(Ending::Denied, None),
        Judged::Failed(_) => Got::refused(Ending::Faulted, None),
        Judged::Respond(deltas) => responded(&mut stages, &deltas, sample, way).await,
        Judged::Proceed(_) => answered(&mut stages, sample, way).await?,
    };
    let accounts = stages.accounts();
    let account = accounts[0].clone();
    if stages.wants_completion() {
        let model = sample.request(way).model();
        stages.complete(got.outcome(model, accounts, &stages)).await;
    }
    if let Some(failed) = stages.first_failure(StageId(0)) {
        return Err(failed.clone());
    }
    let mut findings: Vec<String> = account.findings.into_iter().map(|it| it.code).collect();
    findings.sort_unstable();
    findings.dedup();
    Ok(Came {
        verdict: match got.ended {
            Ending::Denied => Verdict::Deny,
            Ending::Responded => Verdict::Respond,
            _ => Verdict::Proceed,
        },
        code: account.denial.map(|denial| denial.code),
        text: got.body.map(|body| match way {
            Way::Whole => text_of_whole(body),
            Way::Characters | Way::AsGiven => text_of_stream(body),
        }),
        findings,
    })
}

/// The stage answers in the model's place. It doesn't see its own answer, so nothing of that is denied.
async fn responded(stages: &mut Stages, deltas: &[Delta], sample: &Sample, way: Way) -> Got {
    stages.begin_answer(&[0]);
    let model = sample.request(way).model();
    match respond::compose(stages, deltas).await {
        Err(_) => Got::refused(Ending::Faulted, Some(BY_POLICY)),
        Ok(composed) => Got {
            ended: Ending::Responded,
            target: Some(BY_POLICY),
            body: Some(match way {
                Way::Whole => composed.whole(ANSWER, model, stages),
                Way::Characters | Way::AsGiven => composed.stream(ANSWER, model, stages),
            }),
        },
    }
}

/// The sample's answer goes through the stage.
async fn answered(stages: &mut Stages, sample: &Sample, way: Way) -> Result<Got, Failed> {
    stages.begin_answer(&[0]);
    let model = sample.request(way).model();
    let whole = sample.answer().concat();
    match way {
        Way::Whole => Ok(passed(stages, model, whole).await),
        Way::Characters => streamed(stages, model, whole.chars().map(String::from)).await,
        Way::AsGiven => streamed(stages, model, sample.answer().iter().cloned()).await,
    }
}

async fn passed(stages: &mut Stages, model: &str, text: String) -> Got {
    let body = Body::respond(ANSWER, model, &[(0, Channel::Content, text)]);
    let body = Body::parse(body).expect("it was just written");
    match whole::pass(stages, body).await {
        Err(_) => Got::refused(Ending::Faulted, Some(TARGET)),
        Ok(passed) if !passed.denied.is_empty() => Got::refused(Ending::Denied, Some(TARGET)),
        Ok(passed) => Got {
            ended: Ending::Completed,
            target: Some(TARGET),
            body: Some(passed.body),
        },
    }
}

async fn streamed(
    stages: &mut Stages,
    model: &str,
    texts: impl Iterator<Item = String>,
) -> Result<Got, Failed> {
    let envelope = Envelope::fresh(ANSWER, model);
    let text = |text: String| envelope.text_chunk(0, &Channel::Content, &text);
    let chunks = std::iter::once(envelope.role_chunk(0))
        .chain(texts.map(text))
        .chain([envelope.finish_chunk(0, "stop", None)]);
    let events = chunks.map(|chunk| sse::event(&chunk)).chain([DONE]);
    let mut streamer = Streamer::new(None);
    let mut body = BytesMut::new();
    for event in events {
        match streamer.read(stages, event).await {
            Ok(()) => {}
            Err(Broken::Stage(_)) => return Ok(Got::refused(Ending::Faulted, Some(TARGET))),
            Err(broken) => unreachable!("the stream was just written: {broken:?}"),
        }
        if !streamer.denied().is_empty() {
            return Ok(Got::refused(Ending::Denied, Some(TARGET)));
        }
        body.extend(streamer.take(None));
        if body.len() > LARGEST {
            let what =
                format!("its edits make a stream of more than {LARGEST} bytes of this answer");
            return Err((Hook::OnDelta, Failure::new(Class::Output, what)));
        }
    }
    Ok(Got {
        ended: Ending::Completed,
        target: Some(TARGET),
        body: Some(body.freeze()),
    })
}

impl Got {
    fn refused(ended: Ending, target: Option<&'static str>) -> Self {
        Got {
            ended,
            target,
            body: None,
        }
    }

    fn outcome(&self, model: &str, accounts: Vec<Account>, stages: &Stages) -> Outcome {
        let answered = self.target.is_some();
        let finish = match self.ended {
            Ending::Denied => "content_filter",
            _ => "stop",
        };
        Outcome {
            ended: self.ended,
            model: answered.then(|| model.into()),
            target: self.target.map(Into::into),
            status: (self.target == Some(TARGET)).then_some(200),
            finish_reasons: Vec::from_iter(answered.then(|| finish.into())),
            tokens: None,
            stages: accounts,
            tags: stages.tags().to_vec(),
            first_delta_us: answered.then_some(0),
            total_us: 0,
        }
    }
}

/// The content of the first choice, as a client reads a whole answer.
fn text_of_whole(body: Bytes) -> String {
    let body = Body::parse(body).expect("the client gets a completion");
    let mine = |text: &&AnswerText| text.choice == 0 && text.channel == Channel::Content;
    body.texts()
        .iter()
        .filter(mine)
        .map(|text| text.text.as_str())
        .collect()
}

/// The same, as a client reads a stream.
fn text_of_stream(body: Bytes) -> String {
    let mut text = String::new();
    let mut framer = Framer::new(usize::MAX);
    framer.push(body);
    while let Some(event) = framer.next().expect("the client gets a stream") {
        let Some(data) = event.data.as_deref().filter(|_| !event.is_done()) else {
            continue;
        };
        let chunk = Chunk::parse(data).expect("the client gets chunks");
        let mine = |piece: &&Piece<'_>| piece.choice == 0 && piece.channel == Channel::Content;
        text.extend(chunk.pieces.iter().filter(mine).map(|piece| &*piece.text));
    }
    text
}
