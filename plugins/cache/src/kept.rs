//! An answer as it is kept: pieces of its text in the order in which they came.

use serde::{Deserialize, Serialize};
use witgate_policy::{Channel, Delta, ToolCall};

/// Pieces of one passage that follow each other are one, up to so many bytes.
const PIECE: usize = 256;

/// Which passage of the answer.
pub(crate) type Lane = usize;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    lanes: Vec<Passage>,
    pieces: Vec<(Lane, String)>,
    /// The passages of which more may come.
    open: usize,
    /// There was a text for which there is no word, which no response can give back.
    other: bool,
    bytes: usize,
    most: usize,
}

/// A passage, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passage {
    choice: u32,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Call>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Content,
    Reasoning,
    Refusal,
    Call,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    index: u32,
    id: String,
    name: String,
}

/// All of it, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lanes: Vec<Passage>,
    pieces: Vec<(Lane, String)>,
}

impl Kept {
    /// Nothing yet, and no more than so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Kept {
            lanes: Vec::new(),
            pieces: Vec::new(),
            open: 0,
            other: false,
            bytes: 0,
            most,
        }
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.bytes > self.most
    }

    /// A passage begins.
    pub(crate) fn open(&mut self, choice: u32, channel: &Channel) -> Lane {
        let (kind, call) = match channel {
            Channel::Content => (Kind::Content, None),
            Channel::Other(_) => {
                self.other = true;
                (Kind::Content, None)
            }
            Channel::Reasoning => (Kind::Reasoning, None),
            Channel::Refusal => (Kind::Refusal, None),
            Channel::ToolArguments(call) => {
                let call = Call {
                    index: call.index,
                    id: call.id.clone(),
                    name: call.name.clone(),
                };
                self.bytes += call.id.len() + call.name.len();
                (Kind::Call, Some(call))
            }
        };
        let lane = self.lanes.len();
        // A call is one without arguments, too.
        if kind == Kind::Call {
            self.pieces.push((lane, String::new()));
        }
        self.lanes.push(Passage { choice, kind, call });
        self.open += 1;
        lane
    }

    /// A passage ends: all of it came.
    pub(crate) fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// The next text of a passage.
    pub(crate) fn push(&mut self, lane: Lane, text: &str) {
        self.bytes += text.len();
        if self.is_too_long() {
            // It won't be kept.
            self.pieces = Vec::new();
            return;
        }
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == lane && piece.len() + text.len() <= PIECE => {
                piece.push_str(text);
            }
            _ if text.is_empty() => {}
            _ => self.pieces.push((lane, text.to_owned())),
        }
    }

    /// The text to keep; `None` where there is nothing, or too much, or what can't be given back, or a passage that didn't end: a stage behind this one
    /// finished the choice there, and what it wrote was never shown here.
    pub(crate) fn written(&mut self) -> Option<String> {
        if self.is_too_long() || self.pieces.is_empty() || self.open > 0 || self.other {
            return None;
        }
        let written = Written {
            lanes: std::mem::take(&mut self.lanes),
            pieces: std::mem::take(&mut self.pieces),
        };
        // Escapes may make it longer than a value may be; then the store says so.
        serde_json::to_string(&written).ok()
    }
}

/// What was kept, to be answered with. `None`: it isn't what this version writes.
pub(crate) fn read(value: &str) -> Option<Vec<Delta>> {
    let written: Written = serde_json::from_str(value).ok()?;
    let channels: Option<Vec<(u32, Channel)>> = written
        .lanes
        .into_iter()
        .map(|lane| {
            let channel = match (lane.kind, lane.call) {
                (Kind::Content, None) => Channel::Content,
                (Kind::Reasoning, None) => Channel::Reasoning,
                (Kind::Refusal, None) => Channel::Refusal,
                (Kind::Call, Some(Call { index, id, name })) => {
                    Channel::ToolArguments(ToolCall { index, id, name })
                }
                _ => return None,
            };
            Some((lane.choice, channel))
        })
        .collect();
    let channels = channels?;
    let delta = |(lane, text): (Lane, String)| {
        let (choice, channel) = channels.get(lane)?.clone();
        Some(Delta {
            choice,
            channel,
            text,
        })
    };
    written.pieces.into_iter().map(delta).collect()
}
