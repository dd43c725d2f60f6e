//! A stream's bytes, with a stage that holds one channel.

#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::exchange::passages::tests::{Script, forward};
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

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        panic!("stage {at} edits nothing")
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn event(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
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
    let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
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
        .chain([FINISH.to_owned(), DONE.to_owned()])
        .map(Bytes::from)
        .collect();
    let sent = sent(&mut Holding(ChannelKey::Content), &events).await;
    assert_eq!(sent[..2], ["", ""]);
    assert_eq!(sent.concat().as_bytes(), events.concat());
}

#[tokio::test]
async fn text_that_nobody_could_judge_with_the_rest_is_the_upstreams_fault() {
    let say = event(r#"{"content":"say"}"#);
    let call = |name: &str| {
        event(&format!(
            r#"{{"tool_calls":[{{"index":0,"function":{{"name":"{name}","arguments":""}}}}]}}"#
        ))
    };
    let nameless = event(r#"{"tool_calls":[{"index":0,"id":"1","function":{"arguments":""}}]}"#);
    for (events, fault) in [
        ([&say, FINISH, &say].concat(), OutOfTurn::AfterFinish),
        ([&say, FINISH, DONE, &say].concat(), OutOfTurn::AfterFinish),
        ([&say, DONE, &say].concat(), OutOfTurn::AfterEnd),
        ([call("one"), call("other")].concat(), OutOfTurn::LateName),
        ([nameless, call("late")].concat(), OutOfTurn::LateName),
    ] {
        let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
        let mut stages = Holding(ChannelKey::Refusal);
        let read = stream.read(&mut stages, events.clone().into()).await;
        match read {
            Err(StreamError::OutOfTurn(found)) => assert_eq!(found, fault, "{events}"),
            other => panic!("{events}: {other:?}"),
        }
    }
    // The same name again is nothing new, and neither is usage behind the finish.
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    let events = [
        call("one"),
        call("one"),
        FINISH.into(),
        usage.into(),
        DONE.into(),
    ]
    .concat();
    let sent = sent(&mut Holding(ChannelKey::Refusal), &[events.clone().into()]).await;
    assert_eq!(sent.concat(), events);
}

#[tokio::test]
async fn a_stream_is_complete_when_each_choice_has_finished() {
    let say = event(r#"{"content":"say"}"#);
    let other = say.replace("\"index\":0", "\"index\":1");
    let both = FINISH.replace("\"index\":0", "\"index\":1") + FINISH;
    for (events, choices, complete) in [
        (DONE.to_owned(), 1, false),
        ([&say, DONE].concat(), 1, false),
        (say.clone(), 1, false),
        ([&say, FINISH].concat(), 1, true),
        ([&say, FINISH].concat(), 2, false),
        ([&say, FINISH, DONE].concat(), 1, true),
        // It was asked for two, and says that one is all.
        ([&say, FINISH, DONE].concat(), 2, true),
        ([&say, &other, FINISH, DONE].concat(), 2, false),
        ([&say, &other, &both, DONE].concat(), 2, true),
    ] {
        let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
        let mut stages = Holding(ChannelKey::Content);
        stream
            .read(&mut stages, events.clone().into())
            .await
            .unwrap();
        assert_eq!(stream.is_complete(choices), complete, "{events}");
        let sent = stream.take(None).unwrap_or_default();
        let sent = String::from_utf8(sent.to_vec()).unwrap();
        assert!(complete || !sent.contains("[DONE]"), "{events}");
    }
}

#[tokio::test]
async fn what_stands_around_held_texts_is_not_kept_without_bound() {
    let padded =
        |bytes: usize| event(r#"{"content":"a"}"#).replace('[', &format!("[{}", " ".repeat(bytes)));
    for (bytes, events, fits) in [(100, 10_000, true), (900 << 10, 32, false)] {
        let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
        let mut stages = Holding(ChannelKey::Content);
        let mut read = Ok(());
        for _ in 0..events {
            if read.is_ok() {
                read = stream.read(&mut stages, padded(bytes).into()).await;
            }
        }
        match read {
            Ok(()) => assert!(fits, "{bytes}"),
            Err(StreamError::OutOfTurn(OutOfTurn::Heavy)) => assert!(!fits, "{bytes}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A stage that holds everything to the end, and one that adds to what is thought.
struct HoldsAndAdds;

impl AnswerStages for HoldsAndAdds {
    type Passage = ChannelKey;

    fn count(&self) -> usize {
        2
    }

    fn may_change_answer(&self) -> bool {
        true
    }

    fn stage(&self, at: usize) -> StageId {
        StageId(at)
    }

    fn name(&self, _: StageId) -> &str {
        "stage"
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
    ) -> Result<Option<ChannelKey>, StageFailure> {
        Ok(Some(channel.key()))
    }

    async fn on_delta(&mut self, at: usize, _: &ChannelKey, _: &str) -> Result<Edit, StageFailure> {
        Ok(if at == 0 { Edit::Hold } else { Edit::Forward })
    }

    async fn on_end(&mut self, at: usize, key: ChannelKey, _: &str) -> Result<Edit, StageFailure> {
        Ok(match (at, key) {
            (1, ChannelKey::Reasoning) => Edit::Replace("!".into()),
            _ => Edit::Forward,
        })
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        panic!("stage {at} {why}")
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        panic!("stage {at} edits nothing")
    }

    fn denied(&mut self, _: StageId, _: u32, _: &Denial) {}
}

#[tokio::test]
async fn a_text_that_goes_along_with_another_keeps_its_place() {
    // When the reasoning's last word goes, the chunk with "2" goes in parts, for the sake of its reasoning. Its content goes along: behind
    // that of the chunk before, which still waits for its refusal.
    let events = [
        r#"{"content":"0"}"#,
        r#"{"reasoning":"w"}"#,
        r#"{"content":"1","refusal":"a"}"#,
        r#"{"reasoning":"x","content":"2","refusal":"b"}"#,
    ];
    let mut events: Vec<Bytes> = events.map(|delta| event(delta).into()).into();
    events.push(FINISH.into());
    let sent = sent(&mut HoldsAndAdds, &events).await.concat();
    let said = |member: &str| -> String {
        let member = format!("\"{member}\":\"");
        sent.split(&member).skip(1).map(|it| &it[..1]).collect()
    };
    let said = ["reasoning", "content", "refusal"].map(said);
    assert_eq!(said, ["wx!", "012", "ab"], "{sent}");
}

#[tokio::test]
async fn comments_do_not_pile_up_behind_a_text_that_waits() {
    let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
    let mut stages = Holding(ChannelKey::Content);
    let held = event(r#"{"content":"a"}"#);
    stream.read(&mut stages, held.into()).await.unwrap();
    let (short, long) = (": ping\n\n", format!(": {}\n\n", "x".repeat(1_000)));
    let mut sent = 0;
    for comment in [short, &long].repeat(100) {
        let read = Bytes::from(comment.to_owned());
        stream.read(&mut stages, read).await.unwrap();
        sent += stream.take(None).map_or(0, |bytes| bytes.len());
    }
    // All of the long ones went at once, and of the short ones all but a few.
    assert_eq!(sent, 100 * long.len() + (100 - 16) * short.len());
}

/// A stage that finishes a choice at that text.
fn finishes_at(at: &'static str) -> Script {
    let says = move |text: &str| match text == at {
        true => Edit::Finish("!".into()),
        false => Edit::Forward,
    };
    Script::of(says, forward)
}

#[tokio::test]
async fn a_choice_that_a_stage_finished_has_stopped_whatever_the_upstream_says() {
    let say = event(r#"{"content":"now"}"#);
    let length = FINISH.replace("stop", "length");
    let together = say.replace("}}]}", "},\"finish_reason\":\"length\"}]}");
    assert!(together.contains("length"), "{together}");
    for events in [[say, length].concat(), together] {
        let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
        let mut stages = finishes_at("now");
        stream.read(&mut stages, events.into()).await.unwrap();
        assert_eq!(stream.facts().finishes, [(0, "stop".to_owned())]);
    }
}

#[tokio::test]
async fn a_client_is_told_who_speaks_where_the_first_chunk_is_the_last() {
    // Also where the chunk that says it waits.
    for (holds, texts) in [("", vec!["now"]), ("wait", vec!["wait", "now"])] {
        let says = move |text: &str| match text {
            "now" => Edit::Finish("!".into()),
            _ if text == holds => Edit::Hold,
            _ => Edit::Forward,
        };
        let mut stages = Script::of(says, forward);
        let events = texts.iter().enumerate().map(|(at, text)| {
            let role = if at == 0 {
                r#""role":"assistant","#
            } else {
                ""
            };
            event(&format!(r#"{{{role}"content":"{text}"}}"#)).into()
        });
        let events: Vec<Bytes> = events.collect();
        let sent = sent(&mut stages, &events).await.concat();
        let role = sent.find("\"role\"").expect(&sent);
        let text = sent.find("\"!\"").expect(&sent);
        assert!(role < text, "{sent}");
        assert_eq!(sent.matches("\"role\"").count(), 1, "{sent}");
    }
}

#[tokio::test]
async fn an_upstream_is_let_go_once_it_and_the_stages_have_ended_every_choice() {
    let other = event(r#"{"content":"now"}"#).replace("\"index\":0", "\"index\":1");
    let say = event(r#"{"content":"say"}"#);
    for events in [[&say, FINISH, &other], [&other, &say, FINISH]] {
        let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
        let mut stages = finishes_at("now");
        for (number, event) in events.iter().enumerate() {
            assert!(!stream.has_enough(2), "before {number} of {events:?}");
            let event = Bytes::from((*event).to_owned());
            stream.read(&mut stages, event).await.unwrap();
        }
        assert!(stream.has_enough(2), "{events:?}");
        assert!(!stream.has_enough(3), "{events:?}");
    }
    // What the upstream ends by itself may have its usage behind it.
    let mut stream = AnswerStream::new(Dialect::Chat, UnknownMembers::Drop);
    let mut stages = finishes_at("now");
    let all = [&*say, FINISH].concat();
    stream.read(&mut stages, all.into()).await.unwrap();
    assert!(!stream.has_enough(1));
}
