//! A request's body and what stages do to it.

use arbitrary::Unstructured;
use bytes::Bytes;
use serde_json::Value;

use crate::wire::Role;
use crate::wire::raw::RawObject;
use crate::wire::{Dialect, Draft, Request};

/// A body, and after a zero byte, which no JSON has, the edits that stages make.
pub fn request(data: &[u8]) {
    let (body, script) = match memchr::memchr(0, data) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    for dialect in super::DIALECTS {
        in_dialect(dialect, body, script);
    }
}

fn in_dialect(dialect: Dialect, body: &[u8], script: &[u8]) {
    let original = Bytes::copy_from_slice(body);
    let Ok(request) = Request::parse(dialect, original.clone()) else {
        return;
    };
    let text = std::str::from_utf8(body).expect("JSON is UTF-8");
    let value: Value = serde_json::from_str(text).expect("what is read strictly is JSON");
    assert!(keys_differ(text), "a key stands twice");

    reads(&request, &value);
    goes_on_as_it_came(&request, &original, &value);
    for index in 0..request.segments(0).len().min(16) {
        one_segment_changes(&request, index);
    }
    for index in 0..request.texts().len().min(32) {
        one_text_changes(&request, index);
    }
    nothing_is_kept_back(&request, &value);
    fitted(&request);
    edited(&request, Unstructured::new(script));
}

/// Whether no object in the text has a key twice.
fn keys_differ(text: &str) -> bool {
    if let Ok(object) = RawObject::parse(text) {
        let mut keys: Vec<&str> = object.members.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        let differ = keys.windows(2).all(|pair| pair[0] != pair[1]);
        let mut values = object.members.iter();
        return differ && values.all(|(_, value)| keys_differ(value.get()));
    }
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).unwrap_or_default();
    items.iter().all(|item| keys_differ(item.get()))
}

fn reads(request: &Request, value: &Value) {
    assert_eq!(request.model(), value["model"]);
    assert_eq!(request.stream(), value["stream"] == Value::Bool(true));
    let messages = match request.dialect() {
        Dialect::Completions => prompts(&value["prompt"]),
        _ => value["messages"].as_array().map_or(0, Vec::len),
    };
    assert_eq!(request.roles().len(), messages);
    let all = request.segments(0);
    let size: usize = all.iter().map(|segment| segment.text.len()).sum();
    assert_eq!(request.size(), size as u64);
    for from in 0..=messages.min(8) as u32 + 1 {
        let later = all.iter().filter(|segment| segment.message >= from);
        assert!(later.eq(&request.segments(from)), "from message {from}");
    }
    let whole = request.get("").expect("there is a body");
    assert_eq!(&serde_json::from_str::<Value>(&whole).expect("JSON"), value);
    request.tools();
}

/// How many prompts there are: a list of tokens is one.
fn prompts(prompt: &Value) -> usize {
    let Some(list) = prompt.as_array() else {
        return 1;
    };
    let mut more = list.iter().skip(1);
    1 + more.by_ref().filter(|item| !item.is_number()).count()
}

fn goes_on_as_it_came(request: &Request, original: &Bytes, value: &Value) {
    assert_eq!(request.to_bytes(None), original);
    assert_eq!(request.to_bytes(Some(request.model())), original);
    assert_eq!(
        request
            .draft()
            .commit()
            .expect("nothing to refuse")
            .to_bytes(None),
        original
    );
    let mut renamed = value.clone();
    renamed["model"] = "another".into();
    let bytes = request.to_bytes(Some("another"));
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes).expect("JSON"),
        renamed
    );
}

/// What goes to a strict upstream is a request, has nothing more to mend, and says only what the client said.
fn fitted(request: &Request) {
    for model in [request.model(), "gpt-oss-120b", "gemma-4-31b"] {
        let fitted = request.fitted(model);
        let again = Request::parse(Dialect::Chat, fitted.body.clone()).expect("it is mended");
        if fitted.dropped.is_none() {
            assert_eq!(fitted.body, request.to_bytes(Some(model)));
            continue;
        }
        let promised = |it: &Request| (it.stream(), it.n(), it.roles().len());
        assert_eq!(
            (again.model(), promised(&again)),
            (model, promised(request))
        );
        assert_eq!(again.fitted(model).dropped, None, "it is mended twice");
        let said: std::collections::HashSet<_> =
            request.texts().into_iter().map(|text| text.text).collect();
        for text in again.texts() {
            assert!(
                said.contains(&text.text) || text.text.len() <= 24,
                "{text:?} is new"
            );
        }
    }
    // Whether or not, it comes to an end.
    _ = request.fits(request.model());
}

/// Every string of the body is among the texts, and every key that isn't the protocol's, but for what may not be shown.
fn nothing_is_kept_back(request: &Request, value: &Value) {
    let texts = request.texts();
    let shown: std::collections::HashSet<&str> = texts.iter().map(|text| &*text.text).collect();
    let mut left = vec![("", value)];
    while let Some((key, value)) = left.pop() {
        let data = [
            "url",
            "data",
            "file_data",
            "image",
            "image_url",
            "input_audio",
            "audio_url",
            "video_url",
            "file",
            "model",
        ];
        match value {
            Value::String(text) if data.contains(&key) || text.len() <= 24 => {}
            Value::String(text) => assert!(shown.contains(&**text), "{text:?} isn't shown"),
            Value::Array(items) => left.extend(items.iter().map(|item| (key, item))),
            Value::Object(members) => {
                for (key, value) in members {
                    assert!(
                        key.len() <= 24 || shown.contains(&**key),
                        "{key:?} isn't shown"
                    );
                    left.push((key, value));
                }
            }
            _ => {}
        }
    }
}

/// An edit of one text changes just that, and of the bytes what stands between its quotation marks.
fn one_text_changes(request: &Request, index: usize) {
    let before = request.texts();
    let mut draft = request.draft();
    let text = "another \"text\"\u{1f600}";
    if draft.replace_text(index as u32, text).is_err() {
        return;
    }
    let edited = sent(draft, request);
    let after = edited.texts();
    assert_eq!(after.len(), before.len());
    for (at, (before, after)) in before.iter().zip(&after).enumerate() {
        let expected = if at == index { text } else { &before.text };
        assert_eq!(after.text, expected);
        assert_eq!(
            (after.is_key, after.segment),
            (before.is_key, before.segment)
        );
    }
    let (old, new) = (request.to_bytes(None), edited.to_bytes(None));
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    let same_end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let literal = serde_json::to_string(text).expect("a string makes JSON");
    assert!(
        new.len() <= same + same_end + literal.len(),
        "more than one string was changed"
    );
}

fn one_segment_changes(request: &Request, index: usize) {
    let mut draft = request.draft();
    let text = "another \"text\"\n\u{1f600}";
    let replaced = draft.replace_segment(index as u32, text);
    replaced.expect("there is such a segment");
    let edited = sent(draft, request);
    let mut expected = request.segments(0);
    expected[index].text = text.into();
    assert_eq!(edited.segments(0), expected);
    assert_eq!(edited.model(), request.model());
    assert_eq!(edited.roles(), request.roles());
}

/// The request as the upstream reads it.
fn sent(draft: Draft, before: &Request) -> Request {
    as_sent(draft.commit().expect("one edit goes with itself"), before)
}

fn as_sent(edited: Request, before: &Request) -> Request {
    let sent =
        Request::parse(before.dialect(), edited.to_bytes(None)).expect("it is still a request");
    assert_eq!(
        sent.segments(0),
        edited.segments(0),
        "stages and upstream read two things"
    );
    assert_eq!(sent.get(""), edited.get(""));
    assert_eq!((sent.stream(), sent.n()), (before.stream(), before.n()));
    sent
}

/// Edits as the script says.
fn edited(request: &Request, mut script: Unstructured<'_>) {
    let mut draft = request.draft();
    let mut changed = false;
    for _ in 0..64 {
        if script.is_empty() {
            break;
        }
        let number = u32::from(script.arbitrary::<u8>().unwrap_or(0));
        changed |= match number % 5 {
            4 => draft.replace_text(number / 5, word(&mut script)).is_ok(),
            0 => draft.replace_segment(number / 4, word(&mut script)).is_ok(),
            1 => {
                let roles = [
                    Role::System,
                    Role::Developer,
                    Role::User,
                    Role::Assistant,
                    Role::Tool,
                ];
                let role = roles[number as usize / 4 % roles.len()];
                draft
                    .insert_message(number / 20, role, word(&mut script))
                    .is_ok()
            }
            _ => {
                let pointer: String = (0..number / 4 % 7)
                    .map(|_| format!("/{}", word(&mut script)))
                    .collect();
                let value = json(&mut script);
                draft.set(&pointer, value.as_deref()).is_ok()
            }
        };
    }
    let before = request;
    let Ok(edited) = draft.commit() else {
        return;
    };
    let sent = as_sent(edited, before);
    if !changed {
        assert_eq!(
            sent.get(""),
            request.get(""),
            "what was refused took effect"
        );
    }
}

/// A key, an index or a text.
fn word<'s>(script: &mut Unstructured<'s>) -> &'s str {
    const WORDS: [&str; 30] = [
        "messages",
        "prompt",
        "suffix",
        "0",
        "1",
        "2",
        "-",
        "content",
        "text",
        "type",
        "refusal",
        "reasoning",
        "name",
        "role",
        "tool_calls",
        "function",
        "arguments",
        "custom",
        "input",
        "function_call",
        "model",
        "stream",
        "n",
        "tools",
        "prediction",
        "stream_options",
        "include_usage",
        "user",
        "",
        "~01",
    ];
    let number = usize::from(script.arbitrary::<u8>().unwrap_or(0));
    match WORDS.get(number) {
        Some(word) => word,
        None => {
            let bytes = script
                .bytes((number % 16).min(script.len()))
                .unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
        }
    }
}

/// A value to set; `None` removes.
fn json(script: &mut Unstructured<'_>) -> Option<String> {
    const VALUES: [&str; 14] = [
        "null",
        "true",
        "0",
        "1",
        "\"a\"",
        "\"user\"",
        "\"text\"",
        "[]",
        "{}",
        "[{\"type\":\"text\",\"text\":\"a\"}]",
        "{\"role\":\"user\",\"content\":\"a\"}",
        "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}",
        "{\"name\":\"f\",\"arguments\":\"{}\"}",
        "{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
    ];
    let number = usize::from(script.arbitrary::<u8>().unwrap_or(0)) % 20;
    match VALUES.get(number) {
        Some(value) => Some((*value).to_owned()),
        None if number < 17 => None,
        None => Some(word(script).to_owned()),
    }
}
