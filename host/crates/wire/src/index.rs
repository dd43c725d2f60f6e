//! What is remembered of a request: where its strings lie, and the few values that the gateway itself acts on.
//!
//! What must stay true: it is small beside the body, so a body of short strings alone has a bound ([`Index::most`]); and whoever reads
//! a text later only decodes it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use smallvec::SmallVec;

use crate::chat::shape::Shape;
use crate::json::{Scanner, cut_at, string_at};
use crate::{Channel, Role, Segment, Text, ToolCall};

/// No number.
pub(crate) const NONE: u32 = u32::MAX;

/// Puts one more into a list that may become long, and then grows by a quarter: what a body takes beside it has a bound.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() && list.len() >= 1024 {
        list.reserve_exact(list.len() / 4);
    }
    list.push(item);
}

/// Stands for the message after the last, as which a prediction counts, and the suffix of a text completion.
pub(crate) const PREDICTION: u32 = u32::MAX - 1;

/// What a text counts for beside its bytes where the cost of reading it is reckoned: its pointer, and what else tells of it.
pub(crate) const A_TEXT: u64 = 128;

/// Most texts that are shown at a time, and the bytes after which no other one is: who asks for many lets others have their turn.
const PAGE: usize = 1024;
const PAGE_BYTES: usize = 1 << 20;

/// The longest pointer that is told whole, in bytes.
const POINTER: usize = 256;

/// From where to where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(start: usize, end: usize) -> Span {
        let number = |at| u32::try_from(at).unwrap_or(NONE);
        Span {
            start: number(start),
            end: number(end),
        }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A string that may be shown, as the literal that it is in the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The array or object that it stands in, and where there.
    pub(crate) parent: u32,
    pub(crate) step: u32,
    pub(crate) message: u32,
    /// Of a key: of the object that has it.
    pub(crate) shape: Shape,
    pub(crate) is_key: bool,
}

impl Entry {
    pub(crate) fn is_segment(&self) -> bool {
        let shape = matches!(
            self.shape,
            Shape::Content
                | Shape::Prompts
                | Shape::Prompt
                | Shape::Reasoning
                | Shape::Refusal
                | Shape::Arguments
        );
        shape && !self.is_key && self.message != NONE
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn text<'t>(&self, body: &'t [u8]) -> Cow<'t, str> {
        string_at(body, self.range())
    }
}

/// An array or object that has a text somewhere in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container {
    pub(crate) parent: u32,
    /// Where it stands in its parent: the element's number, or where the key lies.
    pub(crate) step: u32,
    pub(crate) array: bool,
}

/// The call that a text is the arguments of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call {
    pub(crate) text: u32,
    pub(crate) index: u32,
    pub(crate) id: Span,
    pub(crate) name: Span,
}

/// How many segments there are: those of messages, and those of a prediction, which come after them.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    said: u32,
    predicted: u32,
}

impl Counted {
    /// Counts a text, if it is a segment: whether it is a prediction's, and which of its kind.
    fn count(&mut self, entry: &Entry) -> Option<(bool, u32)> {
        let predicted = entry.message == PREDICTION;
        let count = match predicted {
            true => &mut self.predicted,
            false => &mut self.said,
        };
        entry.is_segment().then(|| {
            *count += 1;
            (predicted, *count - 1)
        })
    }
}

/// All that is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// In the order of the body.
    pub(crate) texts: Vec<Entry>,
    /// The segments before each page of texts, and in all.
    pages: Vec<Counted>,
    counted: Counted,
    pub(crate) containers: Vec<Container>,
    pub(crate) calls: Vec<Call>,
    /// Where the schemas of tools and formats lie, so that whoever looks for something else goes past them at once.
    pub(crate) schemas: Vec<Span>,
    /// Where each message of a chat begins; who speaks in each, a prompt too; and in what counts as the one after the last.
    pub(crate) messages: Vec<u32>,
    pub(crate) roles: Vec<Role>,
    pub(crate) last_role: Role,
    /// Bytes of all segments, and what all texts cost to read, in bytes.
    pub(crate) size: u64,
    pub(crate) shown: u64,
    pub(crate) model: Box<str>,
    pub(crate) model_span: Span,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) n: u32,
    /// The most tokens that a choice may have, where the request says.
    pub(crate) most_tokens: Option<u64>,
    /// The pointer of the first content part that has something which is no text.
    pub(crate) opaque: Option<Box<str>>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            texts: Vec::new(),
            pages: Vec::new(),
            counted: Counted::default(),
            containers: Vec::new(),
            calls: Vec::new(),
            schemas: Vec::new(),
            messages: Vec::new(),
            roles: Vec::new(),
            last_role: Role::Assistant,
            size: 0,
            shown: 0,
            model: Box::default(),
            model_span: Span::default(),
            stream: false,
            include_usage: false,
            n: 1,
            most_tokens: None,
            opaque: None,
        }
    }
}

impl Index {
    /// An empty one, of a request in which that role has what counts as the message after the last.
    pub(crate) fn of(last_role: Role) -> Index {
        Index {
            last_role,
            ..Index::default()
        }
    }

    /// How many strings a body of so many bytes may have. What is remembered of each, and of what it stands in, takes up to 40 bytes.
    pub(crate) fn most(bytes: usize) -> usize {
        10_000 + bytes / 24
    }

    /// The texts that are segments, in the order in which segments are counted, each by its number among the texts.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let all = || {
            (0..)
                .zip(&self.texts)
                .filter(|(_, entry)| entry.is_segment())
        };
        let (said, predicted) = (all(), all());
        said.filter(|(_, entry)| entry.message != PREDICTION)
            .chain(predicted.filter(|(_, entry)| entry.message == PREDICTION))
    }

    fn message(&self, entry: &Entry) -> Option<u32> {
        match entry.message {
            NONE => None,
            PREDICTION => u32::try_from(self.roles.len()).ok(),
            message => Some(message),
        }
    }

    fn role(&self, entry: &Entry) -> Option<Role> {
        match entry.message {
            NONE => None,
            PREDICTION => Some(self.last_role),
            message => self.roles.get(message as usize).copied(),
        }
    }

    /// The segments of the messages from that one on.
    pub(crate) fn shown_segments<'t>(&self, body: &'t [u8], from: u32) -> Vec<Segment<'t>> {
        let segments = self.segments();
        let later = segments
            .filter(|(_, entry)| self.message(entry).is_some_and(|message| message >= from));
        later
            .map(|(text, entry)| Segment {
                message: self.message(entry).unwrap_or(NONE),
                role: self.role(entry).unwrap_or(Role::User),
                channel: match entry.shape {
                    Shape::Refusal => Channel::Refusal,
                    Shape::Reasoning => Channel::Reasoning,
                    Shape::Arguments => Channel::ToolArguments(self.call(body, text)),
                    _ => Channel::Content,
                },
                text: entry.text(body),
            })
            .collect()
    }

    fn call<'t>(&self, body: &'t [u8], text: u32) -> ToolCall<'t> {
        let call = self.calls.binary_search_by_key(&text, |call| call.text);
        let call = call.map(|at| self.calls[at]).unwrap_or_default();
        let text = |span: Span| string_at(body, span.range());
        ToolCall::new(call.index, text(call.id), text(call.name))
    }

    /// Remembers one more text.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.texts.len().is_multiple_of(PAGE) {
            self.pages.push(self.counted);
        }
        self.counted.count(&entry);
        push(&mut self.texts, entry);
    }

    /// The texts from that one on: a page, which ends earlier where there is much in it.
    pub(crate) fn shown_texts<'t>(&self, body: &'t [u8], first: u32) -> Vec<Text<'t>> {
        let first = first as usize;
        let Some(mut before) = self.pages.get(first / PAGE).copied() else {
            return Vec::new();
        };
        let page = first / PAGE * PAGE;
        for entry in self.texts[page..].iter().take(first - page) {
            before.count(entry);
        }
        let mut room = PAGE_BYTES;
        let texts = self.texts.iter().skip(first).take(PAGE).map_while(|entry| {
            if room == 0 {
                return None;
            }
            room = room.saturating_sub((entry.end - entry.start) as usize);
            let segment = before.count(entry).map(|(predicted, nth)| {
                let said = if predicted { self.counted.said } else { 0 };
                said + nth
            });
            Some(Text {
                pointer: self.pointer(body, entry),
                is_key: entry.is_key,
                message: self.message(entry),
                role: self.role(entry),
                segment,
                text: entry.text(body),
            })
        });
        texts.collect()
    }

    /// Where a text stands; cut where that is long.
    fn pointer(&self, body: &[u8], entry: &Entry) -> String {
        let mut pointer = String::new();
        for (step, array) in self.steps(entry) {
            if array {
                _ = write!(pointer, "/{step}");
            } else {
                pointer.push('/');
                let key = key_at(body, step);
                // An escape of the pointer's own makes it longer at most.
                let key = cut_at(&key, POINTER + 1);
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            if pointer.len() > POINTER {
                return cut_at(&pointer, POINTER).into_owned();
            }
        }
        pointer
    }

    /// The way to a text from the top: the element's number, or where the key lies, and whether it is an array that it leads into.
    pub(crate) fn steps(&self, entry: &Entry) -> impl Iterator<Item = (u32, bool)> + use<> {
        let mut steps = SmallVec::<[(u32, bool); 12]>::new();
        let (mut parent, mut step) = (entry.parent, entry.step);
        while let Some(container) = self.containers.get(parent as usize) {
            steps.push((step, container.array));
            (parent, step) = (container.parent, container.step);
        }
        steps.into_iter().rev()
    }
}

/// The key that lies there.
pub(crate) fn key_at(body: &[u8], at: u32) -> Cow<'_, str> {
    let mut scanner = Scanner::new(body, at as usize);
    match scanner.string() {
        Ok(literal) => scanner.text(literal),
        Err(_) => Cow::Borrowed(""),
    }
}
