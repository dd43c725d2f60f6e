//! An answer: one chunk of it, or the whole.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::exchange::around;

use crate::wire::choices::chunk::{Chunk, Piece};
use crate::wire::choices::compose::Denied;
use crate::wire::choices::splice::{Slot, set_texts};
use crate::wire::choices::split::{Rest, only, without, without_any_choice, without_choices};
use crate::wire::choices::whole::{AnswerText, WholeAnswer};
use crate::wire::{Beside, Channel, Dialect, Voice};

/// What stands in the place of a text.
const OTHER: &str = "another \"text\"\n\u{1f600}";

/// So many pieces of a chunk are looked at one by one.
const PIECES: usize = 8;

/// Bytes as the data of an event and as a whole answer.
pub fn response(data: &[u8]) {
    for dialect in super::DIALECTS {
        in_dialect(dialect, data);
    }
}

fn in_dialect(dialect: Dialect, data: &[u8]) {
    let Ok(chunk) = dialect.chunk(data) else {
        assert!(dialect.whole(Bytes::copy_from_slice(data)).is_err());
        return;
    };
    if !dialect.needs_parse(data) {
        assert!(chunk.finishes.is_empty() && chunk.usage.is_none() && chunk.error.is_none());
    }
    // Some chunks can't be read this way: a number may be past what a float holds, a text may have half a surrogate pair.
    let value = serde_json::from_slice::<Value>(data).ok();
    if let Some(value) = &value {
        assert_eq!(
            texts(&chunk),
            shown(dialect, value),
            "a client would read something else"
        );
    }
    readable(dialect, data, &chunk);
    spliced(dialect, data, &chunk, value.as_ref());
    split(dialect, data, &chunk);
    enveloped(dialect, data, &chunk);
    whole(dialect, data, &chunk);
}

fn read(dialect: Dialect, data: &[u8]) -> Chunk<'_> {
    match dialect.chunk(data) {
        Ok(chunk) => chunk,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(data)),
    }
}

/// Every text of a chunk: choice, kind, text; in no order.
type Texts = Vec<(u32, &'static str, String)>;

fn texts(chunk: &Chunk<'_>) -> Texts {
    let pieces = chunk.pieces.iter().filter(|piece| !piece.text.is_empty());
    let text = |piece: &Piece<'_>| (piece.choice, kind(&piece.channel), piece.text.to_string());
    sorted(pieces.map(text).collect())
}

fn kind(channel: &Channel<'_>) -> &'static str {
    match channel.key().voice() {
        Some(Voice::Reasoning) => "reasoning",
        Some(Voice::Content) => "content",
        Some(Voice::Refusal) => "refusal",
        None => "call",
    }
}

fn sorted(mut texts: Texts) -> Texts {
    texts.sort_unstable();
    texts
}

/// The same, as a client finds them in the JSON.
fn shown(dialect: Dialect, value: &Value) -> Texts {
    let mut texts = Texts::new();
    for choice in value["choices"].as_array().into_iter().flatten() {
        let index = choice["index"].as_u64().unwrap_or(0) as u32;
        let mut show = |kind, text: &Value| match text.as_str() {
            None | Some("") => {}
            Some(text) => texts.push((index, kind, text.to_owned())),
        };
        if dialect == Dialect::Completions {
            show("content", &choice["text"]);
        }
        for delta in [&choice["delta"], &choice["message"]] {
            for (name, kind) in [
                ("content", "content"),
                ("reasoning", "reasoning"),
                ("reasoning_content", "reasoning"),
                ("refusal", "refusal"),
            ] {
                show(kind, &delta[name]);
                for part in delta[name].as_array().into_iter().flatten() {
                    show(kind, &part["text"]);
                    show("refusal", &part["refusal"]);
                }
            }
            show("call", &delta["function_call"]["arguments"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                show("call", &call["function"]["arguments"]);
            }
        }
    }
    sorted(texts)
}

/// Without what a stage can't read it is the same chunk, and can be read; and whatever it says beside its texts is short.
fn readable(dialect: Dialect, data: &[u8], chunk: &Chunk<'_>) {
    for passes in [false, true] {
        let now = chunk.readable(data, passes);
        let now = now.unwrap_or_else(|error| panic!("a chunk that was read: {error}"));
        let after = read(dialect, &now);
        let unknown = passes && after.unknown.is_some();
        assert!(
            unknown || after.is_readable(&now),
            "{:?}: {}",
            after.unknown,
            String::from_utf8_lossy(&now)
        );
        assert_eq!(texts(&after), texts(chunk));
        assert_eq!(after.choices, chunk.choices);
        assert_eq!(&after.finishes[..], &chunk.finishes[..]);
        assert_eq!(after.error.is_some(), chunk.error.is_some());
    }
}

fn spliced(dialect: Dialect, data: &[u8], chunk: &Chunk<'_>, value: Option<&Value>) {
    assert_eq!(set_texts(data, &[], &[]), data);
    let slots = || chunk.pieces.iter().map(|piece| &piece.slot);
    let one = slots().take(PIECES).map(|slot| vec![slot]);
    let all = std::iter::once(slots().collect::<Vec<_>>());
    for changed in one.chain(all) {
        let edits: Vec<(&Slot, &str)> = changed.iter().map(|slot| (*slot, OTHER)).collect();
        let nulled: Vec<_> = chunk
            .logprobs
            .iter()
            .map(|logprobs| logprobs.span.clone())
            .collect();
        let bytes = set_texts(data, &edits, &nulled);
        let after = read(dialect, &bytes);
        assert_eq!(after.pieces.len(), chunk.pieces.len());
        for (before, after) in chunk.pieces.iter().zip(&after.pieces) {
            let text = if changed.contains(&&before.slot) {
                OTHER
            } else {
                &before.text
            };
            assert_eq!(
                (after.choice, kind(&after.channel), after.channel.name()),
                (before.choice, kind(&before.channel), before.channel.name())
            );
            assert_eq!(after.text, text);
        }
        assert!(after.logprobs.is_empty());
        assert_eq!(&after.finishes[..], &chunk.finishes[..]);
        assert_eq!(after.usage, chunk.usage);
        if let Some(value) = value {
            let after = serde_json::from_slice(&bytes).expect("it was JSON before");
            assert_eq!(around(after), around(value.clone()));
        }
    }
}

fn split(dialect: Dialect, data: &[u8], chunk: &Chunk<'_>) {
    let cut = |error| -> Rest { panic!("a chunk that was read can't be cut: {error}") };
    let pieces = || chunk.pieces.iter();
    for piece in pieces().take(PIECES) {
        let bytes = only(data, &piece.slot).expect("a piece of this chunk");
        let alone = read(dialect, &bytes);
        assert_eq!(alone.pieces.len(), 1, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(says(&alone.pieces[0]), says(piece));
        assert!(alone.finishes.is_empty() && alone.usage.is_none() && alone.error.is_none());

        let rest = without(data, &[&piece.slot]).unwrap_or_else(cut);
        left(
            dialect,
            &rest,
            pieces().filter(|other| other.slot != piece.slot),
        );
    }
    let odd = || pieces().skip(1).step_by(2);
    let slots: Vec<&Slot> = odd().map(|piece| &piece.slot).collect();
    let rest = without(data, &slots).unwrap_or_else(cut);
    left(dialect, &rest, pieces().step_by(2));

    for choice in pieces().map(|piece| piece.choice).take(PIECES) {
        let rest = without_choices(data, &[choice]).unwrap_or_else(cut);
        left(
            dialect,
            &rest,
            pieces().filter(|piece| piece.choice != choice),
        );
    }
    let rest = without_any_choice(data).unwrap_or_else(cut);
    assert!(!matches!(rest, Rest::Chunk(_)));
    left(dialect, &rest, pieces().take(0));
}

/// What a piece says. A call that has no index is told by its place, which may be another now: so not that.
fn says(piece: &Piece<'_>) -> (u32, &'static str, Option<String>, Option<String>, String) {
    let named = |name: &Option<Cow<'_, str>>| name.as_deref().map(str::to_owned);
    let (id, name) = match &piece.channel {
        Channel::ToolArguments(call) => (named(&call.id), named(&call.name)),
        _ => (None, None),
    };
    (
        piece.choice,
        kind(&piece.channel),
        id,
        name,
        piece.text.to_string(),
    )
}

/// That these pieces are what is left.
fn left<'p>(dialect: Dialect, rest: &Rest, pieces: impl Iterator<Item = &'p Piece<'p>>) {
    let bytes = match rest {
        Rest::Nothing => &b"{}"[..],
        Rest::Usage(bytes) | Rest::Chunk(bytes) => bytes,
    };
    let mut expected: Vec<_> = pieces.map(says).collect();
    let mut found: Vec<_> = read(dialect, bytes).pieces.iter().map(says).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
}

fn denied(choice: u32, word: &str) -> Denied<'_> {
    Denied {
        choice,
        policy: word,
        code: word,
        message: word,
        status: 403,
        retry_after: None,
    }
}

fn enveloped(dialect: Dialect, data: &[u8], chunk: &Chunk<'_>) {
    let envelope = dialect
        .envelope(data)
        .expect("it has been read as an object");
    let pieces = chunk.pieces.iter().take(PIECES);
    let channels = pieces.map(|piece| piece.channel.clone());
    // A text completion has no other texts.
    let channels = channels.filter(|_| dialect != Dialect::Completions);
    for channel in channels.chain([Channel::Content]) {
        let bytes = envelope.text_chunk(7, &channel, OTHER);
        let made = read(dialect, &bytes);
        assert_eq!((made.choices.len(), made.pieces.len()), (1, 1));
        assert_eq!(
            (
                made.pieces[0].choice,
                kind(&made.pieces[0].channel),
                made.pieces[0].channel.name()
            ),
            (7, kind(&channel), channel.name())
        );
        assert_eq!(
            (&made.pieces[0].text[..], made.model.as_deref()),
            (OTHER, chunk.model.as_deref())
        );
    }
    for bytes in [
        envelope.denied_chunk(&denied(7, OTHER)),
        envelope.finish_chunk(7, "stop", chunk.usage.as_ref()),
    ] {
        let made = read(dialect, &bytes);
        assert_eq!(
            (made.choices.len(), made.pieces.len(), made.finishes.len()),
            (1, 0, 1)
        );
    }
}

fn whole(dialect: Dialect, data: &[u8], chunk: &Chunk<'_>) {
    let parse = |data: Bytes| -> WholeAnswer {
        match dialect.whole(data.clone()) {
            Ok(answer) => answer,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&data)),
        }
    };
    let original = Bytes::copy_from_slice(data);
    let mut indices = chunk.choices.to_vec();
    indices.sort_unstable();
    if indices.is_empty() || indices.windows(2).any(|pair| pair[0] == pair[1]) {
        assert!(dialect.whole(original).is_err());
        return;
    }
    let answer = parse(original.clone());
    assert_eq!(answer.to_bytes(), original);
    let said = |answer: &WholeAnswer| -> Vec<(u32, String)> {
        let texts = answer.texts().iter().filter(|text| !text.text.is_empty());
        texts.map(|text| (text.choice, text.text.clone())).collect()
    };
    // A part that says an earlier one again is told by its text, which may be another then.
    let again =
        |text: &AnswerText| matches!(text.channel, Channel::Beside(Beside { part: 1.., .. }));
    if answer.texts().iter().any(again) {
        return;
    }
    for index in 0..answer.texts().len().min(PIECES) {
        let mut changed = answer.clone();
        changed.set_text(index, OTHER.to_owned());
        let after = parse(changed.to_bytes());
        let mut expected: Vec<AnswerText> = answer.texts().to_vec();
        expected[index].text = OTHER.to_owned();
        let expected = expected.iter().filter(|text| !text.text.is_empty());
        let expected: Vec<_> = expected
            .map(|text| (text.choice, text.text.clone()))
            .collect();
        assert_eq!(said(&after), expected);

        let choice = answer.texts()[index].choice;
        changed.deny_choice(&denied(choice, "word"));
        let after = parse(changed.to_bytes());
        assert_eq!(after.choices(), answer.choices());
        let others = said(&answer).into_iter().filter(|(of, _)| *of != choice);
        assert_eq!(said(&after), others.collect::<Vec<_>>());
        let ends = after.finishes().iter().filter(|(of, _)| *of == choice);
        for (_, reason) in ends {
            assert_eq!(reason, "content_filter");
        }
    }
}
