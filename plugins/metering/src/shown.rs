//! What the model is shown of a request: bytes of text, and images.
//!
//! What must stay true: it takes no longer however a request is made. The data of images never crosses into the sandbox, and what has more pieces
//! than are looked at one by one is counted as JSON, which is more.

use std::collections::BTreeMap;

use witgate_policy::request;

/// What the model is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Bytes of all strings, wherever they stand, and of the JSON of tools and schemas.
    pub(crate) bytes: u64,
    /// Parts of messages that are no text: images, and what else there may be.
    pub(crate) images: u64,
}

/// Members that a model is shown as JSON, all of it.
const AS_JSON: [&str; 2] = ["/tools", "/response_format"];

/// So many strings are looked at one by one, and so many messages.
const MOST: usize = 1024;

/// What a message's content is, as far as its texts tell.
enum Content {
    /// One string.
    Text,
    /// A list, of which so many are texts.
    Parts(u64),
}

impl Shown {
    pub(crate) fn read() -> Shown {
        Shown::piece_by_piece().unwrap_or_else(|| Shown {
            bytes: request::get("").map_or(u64::MAX, |body| body.len() as u64),
            images: 0,
        })
    }

    /// `None`: it has too many pieces.
    fn piece_by_piece() -> Option<Shown> {
        let json = AS_JSON.map(|pointer| request::get(pointer).map_or(0, |json| json.len() as u64));
        let mut bytes: u64 = json.into_iter().sum();
        let mut contents = BTreeMap::new();
        let mut next = 0;
        loop {
            let texts = request::texts_from(next);
            if texts.is_empty() {
                break;
            }
            next += texts.len() as u32;
            if next as usize > MOST {
                return None;
            }
            for text in texts.iter().filter(|text| !is_in_json(&text.pointer)) {
                bytes += text.text.len() as u64;
                note(&mut contents, &text.pointer);
            }
        }
        Some(Shown {
            bytes,
            images: images(&contents)?,
        })
    }
}

fn is_in_json(pointer: &str) -> bool {
    let within = |member: &str| {
        let rest = pointer.strip_prefix(member);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    AS_JSON.iter().any(|member| within(member))
}

/// Takes down which message's content, or part of it, a text is.
fn note(contents: &mut BTreeMap<usize, Content>, pointer: &str) {
    let mut names = pointer.split('/').skip(1);
    let (Some("messages"), Some(message), Some("content")) =
        (names.next(), names.next(), names.next())
    else {
        return;
    };
    let Ok(message) = message.parse() else { return };
    if names.next().is_none() {
        contents.insert(message, Content::Text);
        return;
    }
    // What else stands in a part, behind a name that nobody knows, makes no text of it.
    let is_text = matches!(names.next(), Some("text" | "refusal")) && names.next().is_none();
    if let Content::Parts(texts) = contents.entry(message).or_insert(Content::Parts(0)) {
        *texts += u64::from(is_text);
    }
}

/// The parts of messages that are no texts. A message whose content is one string is asked for nothing. `None`: there are too many others.
fn images(contents: &BTreeMap<usize, Content>) -> Option<u64> {
    let mut images = 0;
    let mut asked = 0;
    for message in 0..request::messages().len() {
        let texts = match contents.get(&message) {
            Some(Content::Text) => continue,
            Some(Content::Parts(texts)) => *texts,
            None => 0,
        };
        asked += 1;
        if asked > MOST {
            return None;
        }
        images += parts(message).saturating_sub(texts);
    }
    Some(images)
}

/// How many parts a message's content has; 0 where it is no list. It is looked for by halves: what stands before a part is passed over again for
/// each question about it.
fn parts(message: usize) -> u64 {
    let has = |part: u64| {
        let pointer = format!("/messages/{message}/content/{part}/type");
        request::get(&pointer).is_some()
    };
    let mut beyond = 1;
    while has(beyond - 1) {
        beyond *= 2;
    }
    // As many as half of it there are, and fewer than it.
    let (mut least, mut beyond) = (beyond / 2, beyond);
    while beyond - least > 1 {
        let middle = least + (beyond - least) / 2;
        match has(middle - 1) {
            true => least = middle,
            false => beyond = middle,
        }
    }
    least
}
