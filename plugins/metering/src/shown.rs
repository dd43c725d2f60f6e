//! What the model is shown of a request: bytes of text, and images.
//!
//! What must stay true: every byte of a request is looked at so many times and no more, however it is made. What has more pieces than are looked at
//! one by one is counted as JSON, which is more. Images are counted the same for both.

use witgate_policy::request;

use crate::parts::NotText;

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

/// So many strings are looked at one by one.
const MOST: usize = 1024;

impl Shown {
    pub(crate) fn read() -> Shown {
        let whole = || request::get("").map_or(u64::MAX, |body| body.len() as u64);
        Shown {
            bytes: piece_by_piece().unwrap_or_else(whole),
            images: images(),
        }
    }
}

/// Bytes that the model is shown. `None`: they are in too many pieces.
fn piece_by_piece() -> Option<u64> {
    let json = AS_JSON.map(|pointer| request::get(pointer).map_or(0, |json| json.len() as u64));
    let mut bytes: u64 = json.into_iter().sum();
    let mut next = 0;
    loop {
        let texts = request::texts_from(next);
        if texts.is_empty() {
            return Some(bytes);
        }
        next += texts.len() as u32;
        if next as usize > MOST {
            return None;
        }
        let outside = texts.iter().filter(|text| !is_in_json(&text.pointer));
        bytes += outside.map(|text| text.text.len() as u64).sum::<u64>();
    }
}

fn is_in_json(pointer: &str) -> bool {
    let within = |member: &str| {
        let rest = pointer.strip_prefix(member);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    AS_JSON.iter().any(|member| within(member))
}

/// The parts of messages that are no texts, read once from beginning to end: whoever searches for them can be led astray, or made to search for
/// long. What can't be read is taken for more than any limit has.
fn images() -> u64 {
    if request::endpoint() == "completions" {
        // It has prompts and no messages.
        return 0;
    }
    match request::read::<NotText>("/messages") {
        Ok(parts) => parts.map_or(0, |parts| parts.0),
        Err(_) => u64::MAX,
    }
}
