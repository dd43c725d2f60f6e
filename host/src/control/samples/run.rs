//! One sample, cut one way, through a chain of the one stage: the exchange that serves, with the sample's answer in an upstream's
//! place.

use std::sync::Arc;

use bytes::Bytes;

use super::Cut;
use super::expect::{Actual, Verdict};
use super::file::Sample;
use crate::exchange::{Played, Script, play};
use crate::metrics::Hook;
use crate::policy::types::Ending;
use crate::policy::{Class, Failure, Stage};
use crate::wire::choices::compose::Composition;
use crate::wire::sse::Framer;
use crate::wire::{Channel, ChannelKey, Dialect};

const ANSWER: &str = "sample";
/// What stands for the target that answers.
const TARGET: &str = "sample";

/// The most that an answer may become, in bytes: here no client takes it away while it grows.
const LARGEST: usize = 8 << 20;

/// Which call failed, and how.
type Failed = (Hook, Failure);

/// Runs it. A call that failed is an error, also under `on_error: skip`.
pub(super) async fn run(stage: &Arc<Stage>, sample: &Sample, cut: Cut) -> Result<Actual, Failed> {
    let request = sample.request(cut);
    let script = Script {
        request: request.clone(),
        target: TARGET,
        answer: answer(sample, cut),
    };
    let Played {
        ended,
        account,
        failure,
        body,
    } = play(stage, script, LARGEST).await;
    if let Some(failed) = failure {
        return Err(failed);
    }
    let text = match body {
        None => None,
        Some(Some(body)) => Some(text_of(request.dialect(), body, request.stream())),
        Some(None) => {
            let form = if request.stream() { "stream" } else { "body" };
            let what =
                format!("its edits make a {form} of more than {LARGEST} bytes of this answer");
            return Err((Hook::OnDelta, Failure::new(Class::Output, what)));
        }
    };
    let mut findings: Vec<String> = account.findings.into_iter().map(|it| it.code).collect();
    findings.sort_unstable();
    findings.dedup();
    Ok(Actual {
        verdict: match ended {
            Ending::Denied => Verdict::Deny,
            Ending::Responded => Verdict::Respond,
            _ => Verdict::Proceed,
        },
        code: account.denial.map(|denial| denial.code),
        text: text.filter(|_| ended != Ending::Denied),
        findings,
    })
}

/// What the upstream says. A stream comes event by event, so that no more of it is made than the client takes.
fn answer(sample: &Sample, cut: Cut) -> Vec<Bytes> {
    let whole = sample.answer().concat();
    let texts: Vec<String> = match cut {
        Cut::Whole => vec![whole],
        Cut::Characters => whole.chars().map(String::from).collect(),
        Cut::AsGiven => sample.answer().to_vec(),
    };
    let texts = texts.into_iter().map(|text| (0, Channel::Content, text));
    let texts: Vec<_> = texts.collect();
    let request = sample.request(cut);
    let id = request.dialect().answer_id(ANSWER);
    let composition = Composition {
        id: &id,
        model: request.model(),
        choices: &[0],
        texts: &texts,
        denied: &[],
    };
    let answer = request.dialect().compose(&composition, request.stream());
    if !request.stream() {
        return vec![answer];
    }
    let mut framer = Framer::new(usize::MAX);
    framer.push(answer);
    let events = std::iter::from_fn(|| framer.next().expect("there is no cap"));
    events.map(|event| event.raw).collect()
}

/// The content of the first choice, as a client reads it.
fn text_of(dialect: Dialect, body: Bytes, stream: bool) -> String {
    let mut text = String::new();
    if !stream {
        let answer = dialect.whole(body).expect("the client gets an answer");
        let mut texts = answer.texts().iter();
        let mine = texts.find(|it| it.choice == 0 && it.channel == Channel::Content);
        text.extend(mine.map(|mine| mine.text.as_str()));
        return text;
    }
    let mut framer = Framer::new(usize::MAX);
    framer.push(body);
    while let Some(event) = framer.next().expect("the client gets a stream") {
        let Some(data) = event.data.as_deref().filter(|_| !dialect.is_end(&event)) else {
            continue;
        };
        let chunk = dialect.chunk(data).expect("the client gets chunks");
        let pieces = chunk.pieces.iter();
        let mine = pieces.filter(|it| it.choice == 0 && it.channel.key() == ChannelKey::Content);
        text.extend(mine.map(|piece| &*piece.text));
    }
    text
}
