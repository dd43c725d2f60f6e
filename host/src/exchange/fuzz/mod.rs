//! A whole way of an answer: from the upstream's bytes through stages to the client's.
//!
//! Any chunks, any cuts, any stages. What must stay true: every text of every choice reaches the client as the last stage let it
//! go, or its choice is denied, or the exchange ended; everything that is no text stays; and what the client reads is the same at
//! every cut, streamed or whole.
//!
//! - [`upstream`]: an answer that the script draws, as events and as one body;
//! - [`recorder`]: a last stage that forwards and remembers;
//! - [`client`]: what a client reads, by another JSON reader than the one under test.

mod client;
mod recorder;
mod upstream;

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::time::{Duration, advance};

use self::client::Read;
pub(crate) use self::client::around;
use self::recorder::Recorder;
use self::upstream::{Limits, Upstream};
use super::passages::fuzz::{anyone, next, rewriters};
use super::passages::{AnswerStages, ChannelKey};
use super::stream::{AnswerStream, StreamError};
use super::whole;
use crate::config::UnknownMembers;
use crate::fuzzing::DIALECTS;
use crate::wire::Dialect;
use crate::wire::choices::whole::WholeAnswer;

/// Texts by choice and channel.
type Texts = BTreeMap<(u32, ChannelKey), String>;

/// The first byte says what the stages are and which dialect the answer is in, the rest is the script.
pub(crate) fn answer(data: &[u8]) {
    let Some((kind, script)) = data.split_first() else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let dialect = DIALECTS[usize::from(kind / 3) % DIALECTS.len()];
    match kind % 3 {
        0 => runtime.block_on(accounted_for(dialect, script)),
        1 => runtime.block_on(same_at_every_cut(dialect, script)),
        _ => runtime.block_on(untouched(dialect, script)),
    }
}

/// How a stream ended for the client.
#[derive(Debug)]
enum Ended {
    /// With all that the upstream sent.
    Well,
    /// A stage failed.
    Aborted,
    /// The upstream said that it was over, and a choice hadn't finished.
    Broke,
}

/// Runs a stream to its end and returns all that went out.
async fn stream<S: AnswerStages>(
    stages: &mut S,
    upstream: &Upstream,
    pieces: &[Bytes],
    mut pause: impl FnMut(&mut S) -> Duration,
) -> (Vec<u8>, Ended) {
    let mut streaming = AnswerStream::new(upstream.dialect, UnknownMembers::Drop);
    let mut out = Vec::new();
    for piece in pieces {
        advance(pause(stages)).await;
        let step = streaming.read(stages, piece.clone()).await;
        out.extend(streaming.take(Some(piece)).into_iter().flatten());
        match step {
            Ok(()) => {}
            Err(StreamError::Stage(_)) => return (out, Ended::Aborted),
            Err(broken) => panic!("the upstream's events can be read: {broken:?}"),
        }
    }
    let ended = match streaming.end(stages).await {
        Ok(()) if streaming.is_complete(upstream.choices as usize) => Ended::Well,
        Ok(()) => Ended::Broke,
        Err(StreamError::Stage(_)) => Ended::Aborted,
        Err(broken) => panic!("the upstream's events can be read: {broken:?}"),
    };
    out.extend(streaming.take(None).into_iter().flatten());
    (out, ended)
}

/// Stages that do anything: what the last of them let go is what the client reads.
async fn accounted_for(dialect: Dialect, script: &[u8]) {
    let mut script = Unstructured::new(script);
    let whole = next(&mut script, 3) == 0;
    let upstream = Upstream::draw(&mut script, Limits::any(dialect, whole));
    if whole {
        let mut stages = Recorder::new(anyone::Anyone::draw(script));
        return whole_accounted_for(&mut stages, &upstream).await;
    }
    let pieces = upstream.cut(&mut script);
    let mut stages = Recorder::new(anyone::Anyone::draw(script));
    let pause = |stages: &mut Recorder<anyone::Anyone<'_>>| match next(&mut stages.inner.script, 4)
    {
        0 => Duration::from_millis(u64::from(next(&mut stages.inner.script, 12))),
        _ => Duration::ZERO,
    };
    let (out, ended) = stream(&mut stages, &upstream, &pieces, pause).await;
    let read = Read::stream(&out);
    for (key, text) in &read.texts {
        let let_go = stages.texts.get(key).map_or("", String::as_str);
        assert!(
            let_go.starts_with(text.as_str()),
            "{key:?}: the client reads {text:?}, and the stages let {let_go:?} go"
        );
    }
    let finished = (0..upstream.choices).all(|choice| {
        let ended_by_stage =
            stages.denied.contains_key(&choice) || stages.inner.finished.contains(&choice);
        upstream.finishes.contains_key(&choice) || ended_by_stage
    });
    match ended {
        Ended::Aborted => return,
        Ended::Broke => {
            assert!(!read.done && !finished, "it was complete");
            return;
        }
        Ended::Well => {}
    }
    for (key, let_go) in &stages.texts {
        if !stages.denied.contains_key(&key.0) {
            let text = read.texts.get(key).map_or("", String::as_str);
            assert_eq!(text, let_go, "{key:?} lost a text");
        }
    }
    for (choice, finish) in &upstream.finishes {
        let expected = expected_finish(&stages, *choice, finish);
        assert_eq!(
            read.finishes.get(choice).map(Vec::as_slice),
            Some(&[expected.to_owned()][..]),
            "choice {choice}"
        );
    }
    assert_eq!(read.usages, upstream.usages, "a usage was lost");
    assert_eq!(read.done, upstream.done);
    assert!(
        read.denials_are_last,
        "something of a choice came after its denial"
    );
}

/// Why a choice ended, as the client should read it.
fn expected_finish<'a>(
    stages: &Recorder<anyone::Anyone<'_>>,
    choice: u32,
    finish: &'a str,
) -> &'a str {
    if stages.denied.contains_key(&choice) {
        "content_filter"
    } else if stages.inner.finished.contains(&choice) {
        "stop"
    } else {
        finish
    }
}

async fn whole_accounted_for(stages: &mut Recorder<anyone::Anyone<'_>>, upstream: &Upstream) {
    let body = upstream.whole();
    let Ok(filtered) = whole::filter(stages, parsed(upstream.dialect, &body)).await else {
        return;
    };
    let read = Read::whole(&filtered.body.to_bytes());
    for (key, text) in &read.texts {
        assert_eq!(stages.texts.get(key), Some(text), "{key:?}");
    }
    for (key, let_go) in &stages.texts {
        let denied = stages.denied.contains_key(&key.0);
        let expected = (!denied && !let_go.is_empty()).then_some(let_go);
        assert_eq!(read.texts.get(key), expected, "{key:?}");
    }
    for (choice, finish) in &upstream.finishes {
        let expected = expected_finish(stages, *choice, finish);
        assert_eq!(read.finishes[choice], [expected]);
    }
    if stages.denied.is_empty() && stages.inner.finished.is_empty() {
        assert_eq!(
            client::without_texts(&filtered.body.to_bytes()),
            client::without_texts(&body)
        );
    }
}

/// Stages whose output is a function of the text: the client reads what the rules make of it, however the answer was cut.
async fn same_at_every_cut(dialect: Dialect, script: &[u8]) {
    let mut script = Unstructured::new(script);
    let rules = rewriters::draw(&mut script);
    let upstream = Upstream::draw(&mut script, Limits::plain(dialect));
    let rest = script.peek_bytes(script.len()).unwrap_or_default().to_vec();
    let stages = || rewriters::Rewriters::new(Unstructured::new(&rest), &rules);
    let mut expected = Texts::new();
    let mut texts = upstream.texts();
    for choice in 0..upstream.choices {
        // A choice without any content has an empty one.
        texts.entry((choice, ChannelKey::Content)).or_default();
    }
    for (key, text) in texts {
        let text = rewriters::applied(&rules, text);
        if !text.is_empty() {
            expected.insert(key, text);
        }
    }
    let rechunked = upstream.rechunked(&mut script);
    let ways = [
        vec![upstream.stream()],
        upstream.cut(&mut script),
        vec![rechunked.stream()],
        rechunked.cut(&mut script),
    ];
    for pieces in ways {
        let (out, ended) = stream(&mut stages(), &upstream, &pieces, |_| Duration::ZERO).await;
        assert!(matches!(ended, Ended::Well), "{ended:?}");
        assert_eq!(
            Read::stream(&out).texts,
            expected,
            "{}\nfrom\n{}",
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&pieces.concat())
        );
    }
    let filtered = whole::filter(&mut stages(), parsed(dialect, &upstream.whole())).await;
    let filtered = filtered.expect("no stage fails");
    assert_eq!(Read::whole(&filtered.body.to_bytes()).texts, expected);
}

/// Stages that hold and forward and do nothing else: every byte goes as it came.
async fn untouched(dialect: Dialect, script: &[u8]) {
    let mut script = Unstructured::new(script);
    let rules = vec![rewriters::Rule::Same; usize::from(next(&mut script, 4))];
    let upstream = Upstream::draw(&mut script, Limits::one_text_a_chunk(dialect));
    let pieces = upstream.cut(&mut script);
    let mut stages = rewriters::Rewriters::new(script, &rules);
    let (out, _) = stream(&mut stages, &upstream, &pieces, |_| Duration::ZERO).await;
    if rules.is_empty() {
        assert_eq!(
            out,
            upstream.stream(),
            "nobody sees it, and it isn't the same"
        );
    }
    // A chunk without a text waits for nothing, and so may overtake one that is held.
    let mut came = client::events(&upstream.stream());
    let mut went = client::events(&out);
    assert_eq!(out.len(), upstream.stream().len());
    came.sort_unstable();
    went.sort_unstable();
    assert_eq!(went, came);
    let whole = upstream.whole();
    let filtered = whole::filter(&mut stages, parsed(dialect, &whole)).await;
    let filtered = filtered.expect("no stage fails");
    assert_eq!(filtered.body.to_bytes(), whole);
}

fn parsed(dialect: Dialect, body: &Bytes) -> WholeAnswer {
    dialect
        .whole(body.clone())
        .expect("the upstream's answer can be read")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_chunks_any_cuts_any_stages(script in prop::collection::vec(any::<u8>(), 0..700)) {
            super::answer(&script);
        }
    }
}
