//! One sample, cut one way, through a chain, mostly of the one stage: the exchange that serves, with the sample's answer in an upstream's
//! place.

use bytes::Bytes;

use super::Cut;
use super::expect::{Actual, Got, Verdict};
use super::file::Sample;
use crate::exchange::{Played, Script, play};
use crate::metrics::Hook;
use crate::policy::types::Ending;
use crate::policy::{Chain, Class, Failure};
use crate::wire::Dialect;
use crate::wire::choices::compose::Composition;
use crate::wire::sse::Framer;

const ANSWER: &str = "sample";
/// What stands for the target that answers.
const TARGET: &str = "sample";

/// The most that an answer may become, in bytes: here no client takes it away while it grows.
const LARGEST: usize = 8 << 20;

/// Which call failed, and how.
type Failed = (Hook, Failure);

/// Runs it. A call that failed is an error, also under `on_error: skip`.
pub(super) async fn run(chain: &Chain, sample: &Sample, cut: Cut) -> Result<Actual, Failed> {
    let request = sample.request(cut);
    let (caller, headers) = sample.asked();
    let script = Script {
        request: request.clone(),
        target: TARGET,
        caller: caller.clone(),
        headers: headers.clone(),
        answer: answer(sample, cut),
    };
    let Played {
        ended,
        accounts,
        failure,
        sent,
        told,
        body,
    } = play(chain, script, LARGEST).await;
    if let Some(failed) = failure {
        return Err(failed);
    }
    let got = match body {
        None => None,
        Some(Some(body)) => Some(got(request.dialect(), body, request.stream())),
        Some(None) => {
            let form = if request.stream() { "stream" } else { "body" };
            let what =
                format!("its edits make a {form} of more than {LARGEST} bytes of this answer");
            return Err((Hook::OnDelta, Failure::new(Class::Output, what)));
        }
    };
    let denial = accounts.iter().find_map(|it| it.denial.as_ref());
    let code = denial.map(|denial| denial.code.clone());
    let findings = accounts.into_iter().flat_map(|it| it.findings);
    let mut findings: Vec<String> = findings.map(|it| it.code).collect();
    findings.sort_unstable();
    findings.dedup();
    Ok(Actual {
        verdict: match ended {
            Ending::Denied => Verdict::Deny,
            Ending::Responded => Verdict::Respond,
            _ => Verdict::Proceed,
        },
        code,
        got: got.filter(|_| ended != Ending::Denied),
        findings,
        sent,
        told,
    })
}

/// What the upstream says. A stream comes event by event, so that no more of it is made than the client takes.
fn answer(sample: &Sample, cut: Cut) -> Vec<Bytes> {
    let said = sample.said();
    let pieces = said.pieces(cut).into_iter();
    let texts: Vec<_> = pieces.map(|(channel, text)| (0, channel, text)).collect();
    let request = sample.request(cut);
    let id = request.dialect().answer_id(ANSWER);
    let finishes: Vec<_> = said
        .finish
        .clone()
        .map(|finish| (0, finish))
        .into_iter()
        .collect();
    let composition = Composition {
        id: &id,
        model: request.model(),
        choices: &[0],
        texts: &texts,
        denied: &[],
        finishes: &finishes,
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

/// What the client gets of the first choice.
fn got(dialect: Dialect, body: Bytes, stream: bool) -> Got {
    let mut got = Got::default();
    if !stream {
        let answer = dialect.whole(body).expect("the client gets an answer");
        let mine = answer.texts().iter().filter(|it| it.choice == 0);
        mine.for_each(|it| got.add(it.channel.key(), &it.text));
        return got;
    }
    let mut framer = Framer::new(usize::MAX);
    framer.push(body);
    while let Some(event) = framer.next().expect("the client gets a stream") {
        let Some(data) = event.data.as_deref().filter(|_| !dialect.is_end(&event)) else {
            continue;
        };
        let chunk = dialect.chunk(data).expect("the client gets chunks");
        let mine = chunk.pieces.iter().filter(|it| it.choice == 0);
        mine.for_each(|it| got.add(it.channel.key(), &it.text));
    }
    got
}
