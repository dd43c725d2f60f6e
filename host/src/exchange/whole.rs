//! A whole answer goes the way of a stream: cut into deltas, and put together again from what comes out.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;

use super::assembled::{Assembled, Render};
use super::errors;
use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, TextRef};
use super::stream::OutOfTurn;
use crate::api::{ApiError, Turns};
use crate::config::UnknownMembers;
use crate::upstream::{ErrorBody, OwnSecret};
use crate::wire::choices::chunk::NotAChunk;
use crate::wire::choices::compose::Denied;
use crate::wire::choices::whole::WholeAnswer;
use crate::wire::{ChannelKey, Dialect};

/// The longest delta that a whole answer is cut into, in bytes.
const PIECE: usize = 4 << 10;

/// After so much text, in bytes, a long answer lets others have their turn.
const STEP: usize = 64 << 10;

/// Reads a whole answer. `judged`: what becomes of what isn't known, where a stage that enforces sees the answer. `None` where it can't be
/// read, and needn't. An error in an answer's place is one, whatever the status.
pub(super) async fn read(
    turns: &Turns,
    dialect: Dialect,
    body: Bytes,
    judged: Option<UnknownMembers>,
    secret: OwnSecret,
) -> Result<Option<WholeAnswer>, ApiError> {
    let bytes = body.len() as u64;
    let read = move || {
        let said = || ErrorBody::in_place_of_an_answer(&body, &secret).map(ApiError::from);
        if memmem::find(&body, b"\"error\"").is_some()
            && let Some(error) = said()
        {
            return Err(error);
        }
        match readable(dialect, &body, judged) {
            Ok(Some(answer)) if answer.choices() == 0 => said().map_or(Ok(Some(answer)), Err),
            Err(error) => Err(said().unwrap_or(error)),
            read => read,
        }
    };
    turns.aside(bytes, read).await
}

fn readable(
    dialect: Dialect,
    body: &Bytes,
    judged: Option<UnknownMembers>,
) -> Result<Option<WholeAnswer>, ApiError> {
    let unreadable = |error: NotAChunk| errors::unreadable(&error);
    let (answer, unknown) = match (dialect.whole(body.clone()), judged) {
        (Ok(answer), None) => return Ok(Some(answer)),
        (Ok(answer), Some(_)) if answer.is_readable() => return Ok(Some(answer)),
        (Ok(answer), Some(unknown)) => (answer, unknown),
        (Err(_), None) if dialect.is_whole(body) => return Ok(None),
        (Err(error), _) => return Err(unreadable(error)),
    };
    if let (UnknownMembers::Refuse, Some(place)) = (unknown, answer.unknown()) {
        return Err(errors::unreadable(&OutOfTurn::Unknown(place)));
    }
    let readable = answer.readable(unknown == UnknownMembers::Pass);
    readable.map(Some).map_err(unreadable)
}

/// The body to send.
pub(super) async fn written(turns: &Turns, body: WholeAnswer) -> Bytes {
    if body.is_unchanged() {
        return body.to_bytes();
    }
    turns
        .aside(body.size() as u64, move || body.to_bytes())
        .await
}

/// A whole answer as the stages made it.
pub(super) struct Filtered {
    pub(super) body: WholeAnswer,
    pub(super) assembled: Assembled,
    /// The deltas that it came in; where no stage sees it, its texts.
    pub(super) deltas: u64,
}

impl Filtered {
    /// An answer that no stage sees.
    pub(super) fn untouched(body: WholeAnswer) -> Self {
        Filtered {
            deltas: body.texts().len() as u64,
            assembled: Assembled::default(),
            body,
        }
    }
}

/// Takes every text of the answer through the stages.
pub(super) async fn filter<S: AnswerStages>(
    stages: &mut S,
    mut body: WholeAnswer,
) -> Result<Filtered, Aborted> {
    let mut passages = Passages::new();
    let mut outputs = Vec::new();
    let mut assembled = Assembled::default();
    let mut render = WholeRender {
        texts: (0..body.texts().len()).map(|_| Text::default()).collect(),
        body: &mut body,
    };
    let mut fold = |stages: &mut S, outputs: &mut Vec<Output>, render: &mut WholeRender<'_>| {
        let folded = assembled.fold(outputs, stages, render);
        folded.expect("nothing is read here");
    };
    for number in 0..render.texts.len() {
        // What has come out is folded piece by piece, so that no more of the answer is kept than has changed.
        let mut start = Some(0);
        while let Some(at) = start {
            let text = &render.body.texts()[number];
            let (piece, next) = piece(&text.text, at);
            let known = &mut render.texts[number];
            let delta = Delta {
                choice: text.choice,
                channel: &text.channel,
                place: Some(TextRef {
                    chunk: number as u64,
                    piece: known.starts.len() as u32,
                }),
                text: Cow::Borrowed(piece),
            };
            known.starts.push(at);
            start = next;
            if known.starts.len().is_multiple_of(STEP / PIECE) {
                tokio::task::yield_now().await;
            }
            passages.push(stages, delta, &mut outputs).await?;
            fold(stages, &mut outputs, &mut render);
        }
        let texts = render.body.texts();
        let choice = texts[number].choice;
        if texts
            .get(number + 1)
            .is_none_or(|next| next.choice != choice)
        {
            let finish = finish_of(render.body, choice);
            passages
                .finish(stages, choice, &finish, &mut outputs)
                .await?;
            fold(stages, &mut outputs, &mut render);
        }
    }
    let silent = |choice: &u32| {
        render
            .body
            .texts()
            .iter()
            .all(|text| text.choice != *choice)
    };
    let silent: Vec<u32> = render
        .body
        .indices()
        .iter()
        .copied()
        .filter(silent)
        .collect();
    for choice in silent {
        let finish = finish_of(render.body, choice);
        passages
            .finish(stages, choice, &finish, &mut outputs)
            .await?;
        fold(stages, &mut outputs, &mut render);
    }
    let texts = render.texts;
    for (number, text) in texts.into_iter().enumerate() {
        if let Some(now) = text.now {
            body.set_text(number, now);
        }
    }
    Ok(Filtered {
        body,
        assembled,
        deltas: passages.deltas(),
    })
}

/// Why that choice ended, as the answer says.
fn finish_of(body: &WholeAnswer, choice: u32) -> String {
    let mut finishes = body.finishes().iter();
    let finish = finishes.find(|(of, _)| *of == choice);
    finish.map_or(String::new(), |(_, finish)| finish.clone())
}

/// What has become of a text.
#[derive(Default)]
struct Text {
    /// Where its pieces begin.
    starts: Vec<usize>,
    /// Something came out of it, if only the opening of a tool call.
    came: bool,
    /// So much of its beginning went as it came.
    went: usize,
    /// The text as it is now, once anything of it is another one.
    now: Option<String>,
}

/// Puts the texts together again, in order.
struct WholeRender<'a> {
    body: &'a mut WholeAnswer,
    texts: Vec<Text>,
}

impl WholeRender<'_> {
    /// The text as it is now, to be written on.
    fn now(&mut self, number: usize) -> &mut String {
        let (text, before) = (&mut self.texts[number], &self.body.texts()[number].text);
        text.came = true;
        let went = text.went;
        text.now.get_or_insert_with(|| before[..went].to_owned())
    }
}

impl Render for WholeRender<'_> {
    fn text(&mut self, place: TextRef, text: Option<String>) -> Result<(), NotAChunk> {
        let number = place.chunk as usize;
        if let Some(text) = text {
            self.now(number).push_str(&text);
            return Ok(());
        }
        let whole = &self.body.texts()[number].text;
        let text = &mut self.texts[number];
        let start = text.starts[place.piece as usize];
        let (piece, _) = piece(whole, start);
        text.came = true;
        match &mut text.now {
            Some(now) => now.push_str(piece),
            None => text.went = start + piece.len(),
        }
        Ok(())
    }

    fn added(&mut self, choice: u32, channel: ChannelKey, text: String) -> Result<(), NotAChunk> {
        let mut known = self.body.texts().iter();
        let known = known.rposition(|it| (it.choice, it.channel.key()) == (choice, channel));
        match known {
            Some(number) => self.now(number).push_str(&text),
            // Only content ends without having begun.
            None => self.body.add_content(choice, &text),
        }
        Ok(())
    }

    fn denied(&mut self, denied: &Denied<'_>) -> Result<(), NotAChunk> {
        self.body.deny_choice(denied);
        Ok(())
    }

    /// What had not come out by then is no part of the answer: no stage has let it go.
    fn finished(&mut self, choice: u32) -> Result<(), NotAChunk> {
        let texts = self.body.texts().iter().zip(&mut self.texts);
        let (mut calls, mut kept) = (0, 0);
        for (text, state) in texts.filter(|(text, _)| text.choice == choice) {
            if text.channel.key().is_call() {
                calls += 1;
                if state.came {
                    kept = calls;
                }
            }
            // A long text goes in piece by piece, and may have come out in part.
            let went = state.went;
            state
                .now
                .get_or_insert_with(|| text.text[..went].to_owned());
        }
        self.body.finish_choice(choice, kept);
        Ok(())
    }
}

/// The piece that begins there, cut at a character, and where the next one begins. A text that is empty is one piece: it opens a tool call.
fn piece(text: &str, start: usize) -> (&str, Option<usize>) {
    if text.len() - start <= PIECE {
        return (&text[start..], None);
    }
    let end = text.floor_char_boundary(start + PIECE);
    (&text[start..end], Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::passages::StageFailure;
    use crate::exchange::passages::fuzz::rewriters::Rewriters;
    use crate::exchange::passages::tests::{OnDelta, OnEnd, Script, forward, stage};
    use crate::policy::types::Edit;

    fn pieces(text: &str) -> Vec<&str> {
        let mut pieces = Vec::new();
        let mut start = Some(0);
        while let Some(at) = start {
            let (cut, next) = piece(text, at);
            pieces.push(cut);
            start = next;
        }
        pieces
    }

    #[test]
    fn a_text_is_cut_at_characters_and_loses_nothing() {
        let text = "é".repeat(5000);
        let cut = pieces(&text);
        assert!(cut.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(cut.concat(), text);
        assert_eq!(cut.len(), 3);
    }

    #[test]
    fn an_empty_text_is_one_piece() {
        assert_eq!(pieces(""), [""]);
    }

    #[tokio::test]
    async fn a_long_answer_lets_others_have_their_turn() {
        let text = "a".repeat(10 * STEP);
        let body = format!(r#"{{"choices":[{{"message":{{"content":"{text}"}}}}]}}"#);
        let answer = WholeAnswer::parse(body.into()).expect("an answer");
        let mut stages = Rewriters::new(arbitrary::Unstructured::new(&[]), &[]);
        let mut filter = std::pin::pin!(filter(&mut stages, answer));
        let mut turns = 0;
        let filtered = std::future::poll_fn(|cx| {
            turns += 1;
            filter.as_mut().poll(cx)
        });
        assert!(filtered.await.is_ok());
        assert!(turns >= 10, "{turns}");
    }

    /// Holds content, and fails at the second piece of a call's arguments: what it held then meets a stage that finishes the choice.
    #[tokio::test]
    async fn of_a_text_that_is_cut_short_nothing_goes_that_no_stage_saw() {
        let mut pieces = 0;
        let moderation: (OnDelta, OnEnd) = (
            Box::new(move |text| {
                if text == "stop" {
                    return Ok(Edit::Hold);
                }
                pieces += 1;
                match pieces {
                    2 => Err(StageFailure::Skip),
                    _ => Ok(Edit::Forward),
                }
            }),
            Box::new(forward),
        );
        let stop = stage(
            |text| match text {
                "stop" => Edit::Finish("end".into()),
                _ => Edit::Forward,
            },
            forward,
        );
        let pii = stage(forward, forward);
        let mut stages = Script::new(vec![moderation, stop, pii]);
        let long = "a".repeat(5 * PIECE);
        let call = |name: &str, text: &str| serde_json::json!({"id": name, "function": {"name": name, "arguments": text}});
        let calls = [call("one", &long), call("two", "{}")];
        let message = serde_json::json!({"content": "stop", "tool_calls": calls});
        let body = serde_json::json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        let answer = WholeAnswer::parse(body.to_string().into()).expect("an answer");
        let filtered = filter(&mut stages, answer).await.expect("none aborts");
        let body = filtered.body.to_bytes();
        let said: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let choice = &said["choices"][0];
        assert_eq!(choice["message"]["content"], "end");
        assert_eq!(choice["finish_reason"], "stop");
        let calls = choice["message"]["tool_calls"].as_array().expect("calls");
        assert_eq!(calls.len(), 1, "nothing came of the second");
        let arguments = calls[0]["function"]["arguments"].as_str();
        let seen: String = stages.saw[2]
            .iter()
            .filter(|it| *it != "end")
            .cloned()
            .collect();
        assert_eq!(arguments, Some(&*seen), "{} bytes went", body.len());
        assert_eq!(seen.len(), 2 * PIECE);
    }
}
