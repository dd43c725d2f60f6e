//! The rules that only the whole of the messages and the tools can break.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::table::{Facts, inside, text};
use crate::json::{cut_at, items};

type Said = Option<Cow<'static, str>>;

const MOST_IMAGES: usize = 5;

/// What is told, of so many lines at most.
fn lines(lines: &[String]) -> Said {
    (!lines.is_empty()).then(|| lines.join("\n").into())
}

const MOST_LINES: usize = 20;

/// `tool_choice` names a tool that isn't there.
pub(super) fn unknown_choice(it: &Facts<'_>) -> Said {
    let choice = it.value("tool_choice")?;
    if it.body[choice.start] != b'{' || !it.has_items("tools") {
        return None;
    }
    let called = match inside(it.body, choice.clone(), "function") {
        Some(function) => inside(it.body, function, "name"),
        None => inside(it.body, choice, "name"),
    };
    let called = text(it.body, called?)?;
    let mut names = it
        .items("tools")
        .filter_map(|tool| tool_name(it.body, tool));
    if names.any(|name| name == called) {
        return None;
    }
    let called = cut_at(&called, 64);
    Some(format!("\"tool_choice\" names a tool that is not in \"tools\": {called}").into())
}

fn tool_name(body: &[u8], tool: Range<usize>) -> Option<Cow<'_, str>> {
    let function = inside(body, tool, "function")?;
    text(body, inside(body, function, "name")?)
}

/// Names that no tool may have.
pub(super) fn tool_names(it: &Facts<'_>) -> Said {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let wrong = |name: &str| !(1..=64).contains(&name.len()) || !name.bytes().all(plain);
    let tools = it.items("tools").enumerate();
    let wrong = tools.filter(|(_, tool)| {
        let name = tool_name(it.body, tool.clone());
        name.is_some_and(|name| wrong(&name))
    });
    let sentence = |(place, _)| {
        format!(
            "tools.{place}.function.name: String should match pattern '^[A-Za-z0-9_-]{{1,64}}$'"
        )
    };
    lines(&wrong.map(sentence).take(MOST_LINES).collect::<Vec<_>>())
}

/// Every call is answered right after its message, and nothing else is.
pub(super) fn tool_messages(it: &Facts<'_>) -> Said {
    let mut wrong = Vec::new();
    let mut ids = HashSet::new();
    // In their order, those that were answered left out; and where each is.
    let mut open: Vec<Option<Cow<'_, str>>> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let unanswered = |open: &mut Vec<Option<Cow<'_, str>>>, wrong: &mut Vec<String>| {
        for id in open.drain(..).flatten().take(MOST_LINES) {
            let id = cut_at(&id, 64);
            wrong.push(format!(
                "An assistant message with 'tool_calls' must be followed by a tool message for '{id}'"
            ));
        }
    };
    for (place, message) in it.items("messages").enumerate() {
        if wrong.len() >= MOST_LINES {
            break;
        }
        let word = |member| text(it.body, inside(it.body, message.clone(), member)?);
        if word("role").as_deref() == Some("tool") {
            let id = word("tool_call_id").unwrap_or_default();
            match places.remove(&id) {
                Some(at) => open[at] = None,
                None => {
                    let id = cut_at(&id, 64);
                    wrong.push(format!(
                        "messages.{place}.tool.tool_call_id: no preceding tool call has the id '{id}'"
                    ));
                }
            }
            continue;
        }
        unanswered(&mut open, &mut wrong);
        places.clear();
        let calls = inside(it.body, message, "tool_calls");
        let calls = calls.filter(|calls| it.body[calls.start] == b'[');
        for call in calls.into_iter().flat_map(|it_| items(it.body, it_.start)) {
            let id = inside(it.body, call, "id").and_then(|id| text(it.body, id));
            let id = id.unwrap_or_default();
            if !ids.insert(id.clone()) {
                let id = cut_at(&id, 64);
                wrong.push(format!(
                    "messages.{place}.assistant.tool_calls: duplicate tool call id '{id}'"
                ));
            }
            places.insert(id.clone(), open.len());
            open.push(Some(id));
        }
    }
    unanswered(&mut open, &mut wrong);
    wrong.truncate(MOST_LINES);
    lines(&wrong)
}

/// Images that aren't read.
pub(super) fn images(it: &Facts<'_>) -> Said {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (place, message) in it.items("messages").enumerate() {
        let content = inside(it.body, message.clone(), "content");
        let content = content.filter(|content| it.body[content.start] == b'[');
        let Some(content) = content else {
            continue;
        };
        let role = inside(it.body, message, "role").and_then(|role| text(it.body, role));
        let role = role.unwrap_or_default();
        for part in items(it.body, content.start) {
            let word = |member| text(it.body, inside(it.body, part.clone(), member)?);
            let url = match word("type").as_deref() {
                Some("image_url") => inside(it.body, part.clone(), "image_url")
                    .and_then(|image| inside(it.body, image, "url")),
                Some("image") => inside(it.body, part.clone(), "image"),
                _ => continue,
            };
            count += 1;
            if wrong.len() >= MOST_LINES {
                continue;
            }
            if role != "user" {
                wrong.push(format!(
                    "messages.{place}.{role}.content: images are only supported in user messages"
                ));
            }
            let inline = ["\"data:image/png;base64,", "\"data:image/jpeg;base64,"];
            let url = url.map(|url| &it.body[url]).unwrap_or_default();
            if !inline.iter().any(|begin| url.starts_with(begin.as_bytes())) {
                wrong.push(format!(
                    "messages.{place}.{role}.content: images must be base64 data URIs of type image/png or image/jpeg"
                ));
            }
        }
    }
    if count > 0 && !it.model.images {
        wrong.push("This model does not support image inputs".to_owned());
    }
    if count > MOST_IMAGES {
        wrong.push(format!("A request may have at most {MOST_IMAGES} images"));
    }
    lines(&wrong)
}
