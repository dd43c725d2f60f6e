//! The part of an entry that holds the request's text. An entry never holds any of the answer's text.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use witgate_policy::{Channel, Segment, request};

use crate::entry;

/// The setting `capture`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// Nothing.
    #[default]
    None,
    /// A SHA-256 of the request's segments: enough to show that a text was the one sent, not to read it. A short or
    /// common text can be guessed from it.
    Hash,
    /// The request's segments, as the chain made them.
    Full,
}

impl Capture {
    /// The entry's record of this exchange's request.
    pub(crate) fn take(self) -> Option<Captured> {
        match self {
            Self::None => None,
            Self::Hash => Some(Captured::Sha256(hash(&request::segments()))),
            Self::Full => {
                let segments = request::segments().into_iter();
                Some(Captured::Segments(segments.map(Text::of).collect()))
            }
        }
    }
}

/// `{"sha256": "..."}` or `{"segments": [...]}`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Captured {
    Sha256(String),
    Segments(Vec<Text>),
}

#[derive(Serialize)]
pub(crate) struct Text {
    message: u32,
    role: &'static str,
    channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    text: String,
}

impl Text {
    fn of(segment: Segment) -> Self {
        let (channel, tool) = match segment.channel {
            Channel::Content => ("content", None),
            Channel::Reasoning => ("reasoning", None),
            Channel::Refusal => ("refusal", None),
            Channel::ToolArguments(call) => ("tool_arguments", Some(call.name)),
        };
        Self {
            message: segment.message,
            role: entry::role(segment.role),
            channel,
            tool,
            text: segment.text,
        }
    }
}

/// Each text after its length in bytes (64 bits, big-endian), so that no two lists of texts look the same.
fn hash(segments: &[Segment]) -> String {
    let mut hash = Sha256::new();
    for segment in segments {
        hash.update((segment.text.len() as u64).to_be_bytes());
        hash.update(&segment.text);
    }
    format!("{:x}", hash.finalize())
}
