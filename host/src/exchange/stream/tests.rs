//! A stream's bytes, with a stage that holds one channel.

#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::exchange::passages::{HoldLimits, StageFailure, StageId};
use crate::policy::types::{Denial, Edit};
use crate::wire::{Channel, ChannelKey};
use tokio::time::Duration;

/// Holds the texts of one channel to its end, then lets them go; forwards all others.
struct Holding(ChannelKey);

impl AnswerStages for Holding {
    /// Whether it holds this one.
    type Passage = bool;

    fn count(&self) -> usize {
        1
    }

    fn may_change_answer(&self) -> bool {
        true
    }

    fn stage(&self, at: usize) -> StageId {
        StageId(at)
    }

    fn name(&self, _: StageId) -> &str {
        "holding"
    }

    fn hold_limits(&self, _: usize) -> HoldLimits {
        HoldLimits {
            bytes: u64::MAX,
            time: Duration::from_secs(1),
        }
    }

    async fn on_answer(
        &mut self,
        _: usize,
        _: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<bool>, StageFailure> {
        Ok(Some(channel.key() == self.0))
    }

    async fn on_delta(&mut self, _: usize, holds: &bool, _: &str) -> Result<Edit, StageFailure> {
        Ok(if *holds { Edit::Hold } else { Edit::Forward })
    }

    async fn on_end(&mut self, _: usize, _: bool, _: &str) -> Result<Edit, StageFailure> {
        Ok(Edit::Forward)
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        panic!("stage {at} edits nothing")
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

/// Events with these arguments of two calls, and a finish.
fn calls(chunks: &[[&str; 2]]) -> Vec<Bytes> {
    let chunk = |[one, two]: &[&str; 2]| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[\
             {{\"function\":{{\"arguments\":\"{one}\"}},\"index\":0}},\
             {{\"function\":{{\"arguments\":\"{two}\"}},\"index\":1}}]}},\"index\":0}}]}}\n\n"
        )
    };
    let finish =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\",\"index\":0}]}\n\n";
    let events = chunks.iter().map(chunk).chain([finish.to_owned()]);
    events.map(Bytes::from).collect()
}

/// What goes out after each event.
async fn sent(stages: &mut impl AnswerStages, events: &[Bytes]) -> Vec<String> {
    let mut stream = AnswerStream::new(Dialect::Chat);
    let mut sent = Vec::new();
    for event in events {
        stream.read(stages, event.clone()).await.unwrap();
        let bytes = stream.take(Some(event)).unwrap_or_default();
        sent.push(String::from_utf8(bytes.to_vec()).unwrap());
    }
    sent
}

/// The arguments of a call in the order in which a client reads them.
fn arguments(sent: &str, call: u32) -> String {
    let mut all = String::new();
    for event in sent
        .split("\n\n")
        .filter_map(|it| it.strip_prefix("data: "))
    {
        let chunk = Chunk::parse(event.as_bytes()).unwrap();
        let mine = |piece: &&crate::wire::choices::chunk::Piece<'_>| {
            piece.channel.key() == ChannelKey::ToolArguments(call)
        };
        all.extend(chunk.pieces.iter().filter(mine).map(|piece| &*piece.text));
    }
    all
}

#[tokio::test]
async fn a_held_call_does_not_put_the_call_beside_it_out_of_order() {
    let events = calls(&[["a", "1"], ["b", "2"], ["c", "3"]]);
    let sent = sent(&mut Holding(ChannelKey::ToolArguments(1)), &events).await;
    assert_eq!(arguments(&sent.concat(), 0), "abc", "{sent:?}");
    assert_eq!(arguments(&sent.concat(), 1), "123", "{sent:?}");
    assert_eq!(
        arguments(&sent[..3].concat(), 0),
        "abc",
        "it waited: {sent:?}"
    );
    assert_eq!(arguments(&sent[..3].concat(), 1), "", "it didn't: {sent:?}");
}

#[tokio::test]
async fn chunks_of_which_every_text_was_held_go_as_they_came() {
    let events: Vec<Bytes> = ["a", "b"]
        .map(|text| {
            format!(
                "data: {{ \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
            )
        })
        .into_iter()
        .chain(["data: [DONE]\n\n".to_owned()])
        .map(Bytes::from)
        .collect();
    let sent = sent(&mut Holding(ChannelKey::Content), &events).await;
    assert_eq!(sent[..2], ["", ""]);
    assert_eq!(sent[2].as_bytes(), events.concat());
}
