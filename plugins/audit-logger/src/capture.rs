//! The part of an entry that holds the request's text. An entry never holds any of the answer's text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use witgate_policy::{Account, Channel, Segment, request};

use crate::entry::{self, NAME};
use crate::room::Room;

/// What a segment takes in the entry beside its texts, at most.
const SEGMENT: usize = 112;

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
    /// The request's segments, as the chain made them, once every enforcing stage has let them pass; else what `hash` keeps. A
    /// stage that denied, failed or was never reached can't have redacted what it would have.
    Full,
}

impl Capture {
    /// The entry's record of this exchange's request.
    pub(crate) fn take<'a>(
        self,
        stages: &'a [Account],
        room: &mut Room<'_>,
    ) -> Option<Captured<'a>> {
        let hash = |not_passed| Captured::Hash {
            sha256: hash(&request::segments()).1,
            not_passed,
        };
        match self {
            Self::None => None,
            Self::Hash => Some(hash(None)),
            Self::Full => Some(match stages.iter().find(|stage| !let_pass(stage)) {
                Some(stage) => hash(Some(room.text("/capture/not_passed", &*stage.stage, NAME))),
                None => Captured::Segments(segments(request::segments(), room)),
            }),
        }
    }
}

/// Whether the stage has seen the exchange and let it go on, so that what it would have redacted is redacted. A stage in shadow
/// changes nothing, and keeps nothing back.
fn let_pass(account: &Account) -> bool {
    let verdict = account.verdict.as_str();
    matches!(verdict, "proceed" | "edit") || verdict.starts_with("shadow:")
}

/// `{"sha256": "..."}` or `{"segments": [...]}`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Captured<'a> {
    Segments(Vec<Text>),
    #[serde(untagged)]
    Hash {
        sha256: String,
        /// The stage for whose sake the text isn't kept, where it was to be.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_passed: Option<Cow<'a, str>>,
    },
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
    fn of(segment: Segment, at: usize, room: &mut Room<'_>) -> Self {
        let (channel, tool) = match segment.channel {
            Channel::Content => ("content", None),
            Channel::Reasoning => ("reasoning", None),
            Channel::Refusal => ("refusal", None),
            Channel::ToolArguments(call) => ("tool_arguments", Some(call.name)),
            Channel::Other(other) => ("other", other.tool_call.map(|call| call.name)),
        };
        let tool = tool.map(|tool| {
            let at = format_args!("/capture/segments/{at}/tool");
            room.text(at, tool, NAME).into_owned()
        });
        let at = format_args!("/capture/segments/{at}/text");
        Self {
            message: segment.message,
            role: entry::role(segment.role),
            channel,
            tool,
            text: room.text(at, segment.text, usize::MAX).into_owned(),
        }
    }
}

/// As many as there is room for, and the hash of the rest.
fn segments(segments: Vec<Segment>, room: &mut Room<'_>) -> Vec<Text> {
    let mut kept = Vec::new();
    let mut segments = segments.into_iter();
    while !segments.as_slice().is_empty() && room.item(SEGMENT) {
        kept.extend(
            segments
                .next()
                .map(|segment| Text::of(segment, kept.len(), room)),
        );
    }
    let rest = segments.as_slice();
    if !rest.is_empty() {
        room.more("/capture/segments", rest.len(), Some(hash(rest)));
    }
    kept
}

/// Bytes of all texts, and the hash of each after its length in bytes (64 bits, big-endian), so that no two lists of texts look
/// the same.
fn hash(segments: &[Segment]) -> (u64, String) {
    let (mut bytes, mut hash) = (0, Sha256::new());
    for segment in segments {
        let length = segment.text.len() as u64;
        bytes += length;
        hash.update(length.to_be_bytes());
        hash.update(&segment.text);
    }
    (bytes, format!("{:x}", hash.finalize()))
}
