//! What a chat's answer says, as the items of a response, which grow as it comes.
//!
//! What must stay true: an item has the same id and the same place however the answer came. A text is kept as the inside of its literal: it
//! is written several times, and escaped once.

use std::io::Write as _;

use super::KEPT;
use crate::choices::chunk::{Chunk, Piece};
use crate::choices::envelope::now;
use crate::json::write_str;
use crate::raw::{ObjectWriter, each_member, member};
use crate::{Channel, Member, Voice};

/// The choice that a response shows: no request asks for more.
pub(super) const SHOWN: u32 = 0;

/// The longest part of the upstream's id that goes into ours, in bytes: with what stands around it, clients take 64.
const ID: usize = 48;

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reasoning,
    Message,
    /// A call of a function: its index upstream, its id and its name, the last two as JSON.
    Call {
        index: u32,
        id: Vec<u8>,
        name: Vec<u8>,
    },
}

/// An item. Reasoning and calls have one part.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// Members that tell an event's item: its id and its place.
    pub(super) place: Vec<u8>,
    pub(super) parts: Vec<Part>,
}

/// One text of an item.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// It says why the model won't.
    pub(super) refusal: bool,
    /// The inside of its literal.
    pub(super) text: Vec<u8>,
    /// The inside of the list of its tokens, where they were asked for.
    pub(super) logprobs: Vec<u8>,
}

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) item: usize,
    pub(super) part: usize,
    /// It is the item's first.
    pub(super) opens_item: bool,
    /// It is the part's first.
    pub(super) opens_part: bool,
}

/// What a text is, of those that have events of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Reasoning,
    Said,
    Refusal,
    Arguments,
}

/// All items.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    /// What the ids have of the upstream's.
    base: String,
    pub(super) items: Vec<Item>,
    /// The member of which each voice's text is shown: an upstream may say the same in two.
    shown: [Option<Member>; 3],
}

impl Output {
    /// Of an answer with that id.
    pub(super) fn of(id: &str) -> Output {
        let id = id.strip_prefix("chatcmpl-").unwrap_or(id);
        let id = if id.is_empty() { "0" } else { id };
        let base = id[..id.floor_char_boundary(ID)].to_owned();
        Output {
            base,
            ..Output::default()
        }
    }

    /// The id of the whole.
    pub(super) fn id(&self) -> String {
        format!("resp_{}", self.base)
    }

    /// Where that text goes; nowhere, if another member says the same.
    pub(super) fn spot(&mut self, channel: &Channel<'_>) -> Option<Spot> {
        let key = channel.key();
        let (Some(voice), Some(member)) = (key.voice(), key.member()) else {
            return Some(self.call(channel));
        };
        let shown = self.shown[voice as usize].get_or_insert(member);
        if *shown != member {
            return None;
        }
        let kind = match voice {
            Voice::Reasoning => Kind::Reasoning,
            Voice::Content | Voice::Refusal => Kind::Message,
        };
        let found = self.items.iter().position(|item| item.kind == kind);
        let item = found.unwrap_or_else(|| {
            let prefix = if kind == Kind::Reasoning { "rs" } else { "msg" };
            let id = format!("{prefix}_{}", self.base);
            self.open(kind, id)
        });
        let refusal = voice == Voice::Refusal;
        let parts = &mut self.items[item].parts;
        let known = parts.iter().position(|part| part.refusal == refusal);
        let part = known.unwrap_or_else(|| {
            parts.push(Part {
                refusal,
                ..Part::default()
            });
            parts.len() - 1
        });
        Some(Spot {
            item,
            part,
            opens_item: found.is_none(),
            opens_part: known.is_none(),
        })
    }

    fn call(&mut self, channel: &Channel<'_>) -> Spot {
        let (at, id) = match channel {
            Channel::ToolArguments(call) => (call.index, call.id()),
            // The old kind, of which there is one.
            _ => (u32::MAX, ""),
        };
        let said = channel.name().unwrap_or_default();
        let mine = |item: &Item| matches!(&item.kind, Kind::Call { index, .. } if *index == at);
        let found = self.items.iter().rposition(mine);
        let item = found.unwrap_or_else(|| {
            let number = if at == u32::MAX { 0 } else { at };
            let base = &self.base;
            let own = format!("call_{base}_{number}");
            let literal = |text: &str| {
                let mut out = Vec::with_capacity(text.len() + 2);
                write_str(&mut out, text);
                out
            };
            let kind = Kind::Call {
                index: at,
                id: literal(if id.is_empty() { &own } else { id }),
                name: literal(said),
            };
            let id = format!("fc_{base}_{number}");
            let item = self.open(kind, id);
            self.items[item].parts.push(Part::default());
            item
        });
        Spot {
            item,
            part: 0,
            opens_item: found.is_none(),
            opens_part: found.is_none(),
        }
    }

    fn open(&mut self, kind: Kind, id: String) -> usize {
        let mut place = Vec::with_capacity(96);
        let mut writer = ObjectWriter::new(&mut place);
        writer.text("item_id", &id);
        number(writer.key("output_index"), self.items.len() as u64);
        place[0] = b',';
        self.items.push(Item {
            kind,
            id,
            place,
            parts: Vec::with_capacity(1),
        });
        self.items.len() - 1
    }

    /// What the text there is.
    pub(super) fn text(&self, spot: Spot) -> Text {
        let item = &self.items[spot.item];
        match (&item.kind, item.parts[spot.part].refusal) {
            (Kind::Reasoning, _) => Text::Reasoning,
            (Kind::Message, false) => Text::Said,
            (Kind::Message, true) => Text::Refusal,
            (Kind::Call { .. }, _) => Text::Arguments,
        }
    }

    /// Takes a text whole. What it is as JSON is written to `out`, and remembered.
    pub(super) fn take(&mut self, spot: Spot, text: &str, out: &mut Vec<u8>) {
        let start = out.len();
        write_str(out, text);
        let part = &mut self.items[spot.item].parts[spot.part];
        part.text.extend_from_slice(&out[start + 1..out.len() - 1]);
    }
}

/// The texts of the choice that is shown.
pub(super) fn shown<'c, 'a>(chunk: &'c Chunk<'a>) -> impl Iterator<Item = &'c Piece<'a>> {
    chunk.pieces.iter().filter(|piece| piece.choice == SHOWN)
}

/// The inside of the list of what is said of each token of a chunk's text; empty where there is none.
pub(super) fn logprobs<'d>(chunk: &Chunk<'_>, data: &'d [u8], voice: Voice) -> &'d str {
    let mut mine = chunk.logprobs.iter();
    let found = mine.find(|it| it.choice == SHOWN && it.of == Some(Voice::Content));
    let Some(found) = found else {
        return "";
    };
    let json = data.get(found.span.clone()).map(std::str::from_utf8);
    let json = json.and_then(Result::ok).unwrap_or("null");
    let name = match voice {
        Voice::Refusal => "refusal",
        _ => "content",
    };
    let list = json.starts_with('{').then(|| member(json, name)).flatten();
    let list = list.map(|list| list.get().trim_ascii());
    let inside = list.and_then(|list| list.strip_prefix('[')?.strip_suffix(']'));
    inside.map(str::trim_ascii).unwrap_or_default()
}

impl Item {
    /// The item before anything was said.
    pub(super) fn empty(&self) -> Item {
        Item {
            kind: self.kind.clone(),
            id: self.id.clone(),
            place: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Writes it as it is now.
    pub(super) fn write(&self, status: &str, keeps: bool, out: &mut Vec<u8>) {
        let mut item = ObjectWriter::new(out);
        item.text("id", &self.id);
        match &self.kind {
            Kind::Reasoning => {
                item.text("type", "reasoning");
                item.raw("summary", "[]");
                self.write_parts(item.key("content"));
                if let Some(part) = self.parts.first().filter(|_| keeps) {
                    let out = item.key("encrypted_content");
                    out.push(b'"');
                    out.extend_from_slice(KEPT.as_bytes());
                    out.extend_from_slice(&part.text);
                    out.push(b'"');
                } else {
                    item.raw("encrypted_content", "null");
                }
            }
            Kind::Message => {
                item.text("type", "message");
                item.text("role", "assistant");
                self.write_parts(item.key("content"));
            }
            Kind::Call { id, name, .. } => {
                item.text("type", "function_call");
                item.key("call_id").extend_from_slice(id);
                item.key("name").extend_from_slice(name);
                let out = item.key("arguments");
                out.push(b'"');
                for part in &self.parts {
                    out.extend_from_slice(&part.text);
                }
                out.push(b'"');
            }
        }
        item.text("status", status);
        item.end();
    }

    fn write_parts(&self, out: &mut Vec<u8>) {
        let mut before = b'[';
        for part in &self.parts {
            out.push(std::mem::replace(&mut before, b','));
            part.write(&self.kind, out);
        }
        if before == b'[' {
            out.push(b'[');
        }
        out.push(b']');
    }
}

impl Part {
    /// Writes it as it is now; of a call there are no parts.
    pub(super) fn write(&self, of: &Kind, out: &mut Vec<u8>) {
        let (kind, name) = match (of, self.refusal) {
            (Kind::Reasoning, _) => ("reasoning_text", "text"),
            (_, true) => ("refusal", "refusal"),
            (_, false) => ("output_text", "text"),
        };
        let mut part = ObjectWriter::new(out);
        part.text("type", kind);
        let out = part.key(name);
        out.push(b'"');
        out.extend_from_slice(&self.text);
        out.push(b'"');
        if kind == "output_text" {
            part.raw("annotations", "[]");
            let out = part.key("logprobs");
            out.push(b'[');
            out.extend_from_slice(&self.logprobs);
            out.push(b']');
        }
        part.end();
    }
}

/// What an answer says of itself, beside its texts.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The upstream's id.
    pub(super) id: String,
    /// When it began, in seconds since 1970.
    pub(super) created: u64,
    /// The tier that it was made on, as JSON.
    pub(super) tier: Option<String>,
    /// Why a stage denied it, as JSON.
    pub(super) denial: Option<String>,
}

impl Head {
    /// Reads what stands at the top of a chunk or an answer.
    pub(super) fn read(data: &[u8]) -> Head {
        let mut head = Head::default();
        let text = std::str::from_utf8(data).unwrap_or_default();
        let _ = each_member(text, |key, value| {
            let json = value.get();
            match &*key {
                "id" => {
                    let id = crate::raw::unescape(json).unwrap_or_default();
                    head.id = id.into_owned();
                }
                "created" => {
                    let whole = json.split(['.', 'e', 'E']).next().unwrap_or_default();
                    head.created = whole.parse().unwrap_or_default();
                }
                "service_tier" | "service_tier_used" if json.starts_with('"') => {
                    head.tier = Some(json.to_owned());
                }
                "witgate" => head.denial = Some(json.to_owned()),
                _ => {}
            }
            Ok(())
        });
        if head.created == 0 {
            head.created = now();
        }
        head
    }
}

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    write!(out, "{number}").expect("a Vec takes every byte");
}
