//! Edits to a request that take effect together.
//!
//! Indices are those at the start: until [`Draft::commit`] no message or array element moves. So an inserted message waits in
//! a list, and a removed element is only marked and goes at the end. Pointers walk the request as the edits so far made it, but for
//! keys that [`Draft::replace_text`] replaced: those keep their old names till the end. Of two edits to one place the later wins.
//!
//! What must stay true: whatever was set, the result is a request of its dialect with the same `stream` and `n`; and what no edit touched is in it
//! as it came. An edit costs what it brings and what it goes through, however large the request is.
//!
//! The file is long for all edits are in it: they share the tree, its marks and its splices.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use crate::Role;
use crate::chat::shape::Shape;
use crate::dialect::Dialect;
use crate::index::{Entry, Span};
use crate::json::{MAX_DEPTH, cut, depth, literal, members, string_at};
use crate::read;
use crate::request::Request;
use crate::steps;

mod members;
mod node;
pub(crate) mod pointer;

use self::node::{Node, Splices};
use self::pointer::{Step, at, index, purge, tokens};

/// There is no such segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no segment {index}; the request has {segments}")]
pub struct OutOfRange {
    /// The segment that was asked for.
    pub index: u32,
    /// How many there are.
    pub segments: usize,
}

/// Why a text wasn't replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is no such text.
    #[error("there is no text {index}; the request has {texts}")]
    OutOfRange {
        /// The text that was asked for.
        index: u32,
        /// How many there are.
        texts: usize,
    },
    /// The string can't stand in that place.
    #[error("{0}")]
    Refused(String),
}

/// Edits, not yet in effect.
#[derive(Debug)]
pub struct Draft {
    request: Request,
    tree: Node,
    /// Strings of the original body that are replaced, wherever the tree still has them.
    splices: Splices,
    /// The segments, each by its number among the texts.
    segments: Option<Vec<u32>>,
    keys: Option<Keys>,
    inserted: Vec<(u32, Box<str>)>,
    /// Array elements that are to be removed. They stand where they stood until the end, so that what was valid stays valid.
    removed: BTreeSet<Vec<Step>>,
    edited: bool,
}

/// The keys that objects have, as far as texts show them: each by its object and hash.
#[derive(Debug)]
struct Keys {
    all: HashSet<(u32, u64)>,
    /// The hash of a key that was replaced, by its number among the texts.
    replaced: HashMap<u32, u64>,
}

/// How to take one `set` back.
enum Undo {
    Nothing,
    /// What an element was; what a member was, if there was one.
    Element(Node),
    Member(Option<Node>),
    /// The element is new.
    Remove,
    /// The element was only marked as removed.
    Unmark,
}

impl Draft {
    pub(super) fn new(request: Request) -> Draft {
        let tree = Node::Raw(Span::of(0, request.body().len()));
        Draft {
            request,
            tree,
            splices: Splices::new(),
            segments: None,
            keys: None,
            inserted: Vec::new(),
            removed: BTreeSet::new(),
            edited: false,
        }
    }

    /// Puts another text in the place of a segment, counted from the first segment of the first message.
    ///
    /// Does nothing where an earlier [`set`](Draft::set) took the segment's place away.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn replace_segment(&mut self, index: u32, text: &str) -> Result<(), OutOfRange> {
        let request = &self.request;
        let segments = self.segments.get_or_insert_with(|| {
            request
                .index()
                .segments()
                .map(|(number, _)| number)
                .collect()
        });
        let Some(number) = segments.get(index as usize) else {
            return Err(OutOfRange {
                index,
                segments: segments.len(),
            });
        };
        let entry = request.index().texts[*number as usize];
        self.replace(&entry, text);
        Ok(())
    }

    /// Puts another string in the place of one of the [`texts`](Request::texts), by its index. A key that is replaced keeps its old name
    /// for the pointers of these edits.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn replace_text(&mut self, index: u32, text: &str) -> Result<(), TextError> {
        let texts = &self.request.index().texts;
        let Some(entry) = texts.get(index as usize).copied() else {
            return Err(TextError::OutOfRange {
                index,
                texts: texts.len(),
            });
        };
        if entry.is_key {
            self.may_be_key(index, &entry, text)
                .map_err(TextError::Refused)?;
            let splice = (entry.end, literal(text).into());
            self.splices.insert(entry.start, splice);
            self.edited = true;
            return Ok(());
        }
        if entry.shape == Shape::Name && text.chars().count() > read::MAX_NAME {
            let sentence = format!(
                "a message's name may have at most {} characters",
                read::MAX_NAME
            );
            return Err(TextError::Refused(sentence));
        }
        self.replace(&entry, text);
        Ok(())
    }

    /// Puts a text in a value's place, if that is still there.
    fn replace(&mut self, entry: &Entry, text: &str) {
        let body = self.request.body();
        let json: Box<str> = literal(text).into();
        let steps = self.request.index().steps(entry);
        match still_there(&mut self.tree, body, steps) {
            None => return,
            Some(Node::Raw(span)) if span.range().contains(&(entry.start as usize)) => {
                self.splices.insert(entry.start, (entry.end, json));
            }
            Some(node) => *node = Node::New(json),
        }
        self.edited = true;
    }

    /// Whether that key may get another, and takes it down.
    fn may_be_key(&mut self, number: u32, entry: &Entry, key: &str) -> Result<(), String> {
        let shape = entry.shape;
        if let Some(meant) = read::taken_for(self.request.dialect(), shape, key) {
            return Err(format!(
                "a key that differs from `{meant}` in case alone would be taken for it"
            ));
        }
        if self
            .request
            .dialect()
            .members(shape)
            .iter()
            .any(|(name, _)| *name == key)
        {
            return Err(format!(
                "`{}` would be a member that has a meaning",
                cut(key)
            ));
        }
        let (body, texts) = (self.request.body(), &self.request.index().texts);
        let hash = |entry: &Entry| read::key_hash(entry.shape, &string_at(body, entry.range()));
        let keys = self.keys.get_or_insert_with(|| {
            let keys = texts.iter().filter(|entry| entry.is_key);
            Keys {
                all: keys.map(|entry| (entry.parent, hash(entry))).collect(),
                replaced: HashMap::new(),
            }
        });
        let new = read::key_hash(shape, key);
        let old = keys.replaced.get(&number).copied();
        let old = old.unwrap_or_else(|| hash(entry));
        if new != old && !keys.all.insert((entry.parent, new)) {
            return Err("another member of that object has this key".to_owned());
        }
        if new != old {
            keys.all.remove(&(entry.parent, old));
        }
        keys.replaced.insert(number, new);
        Ok(())
    }

    /// Inserts a message before the message of that number, or at the end where there is none. Of several inserted at one place, the
    /// first stays first.
    ///
    /// # Errors
    /// A sentence, for a role whose messages need more than a text, and where requests have no messages.
    pub fn insert_message(&mut self, before: u32, role: Role, text: &str) -> Result<(), String> {
        let message = self.request.dialect().message(role, text)?;
        self.inserted.push((before, message.into()));
        self.edited = true;
        Ok(())
    }

    /// Puts JSON at a JSON pointer (RFC 6901); `None` removes what is there. A last `-` appends to an array.
    ///
    /// # Errors
    /// A sentence, and nothing is changed: where the pointer leads nowhere, the JSON can't be read, `stream` or `n` would
    /// change, or the request would no longer be one of its dialect.
    pub fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String> {
        let tokens = tokens(pointer)?;
        let pointer = &*cut(pointer);
        let Some(first) = tokens.first() else {
            return self.set_all(json);
        };
        if json.map_or(0, |json| depth(json.as_bytes())) + tokens.len() > MAX_DEPTH {
            return Err(format!("`{pointer}` would nest deeper than {MAX_DEPTH}"));
        }
        if first == "stream" || first == "n" {
            return Err(promised(first));
        }
        let path = self.resolve(pointer, &tokens)?;
        let dialect = self.request.dialect();
        let (shape, outer) = shapes(dialect, &path);
        if let Some(json) = json {
            read::value(dialect, json, shape, &dotted(&path)).map_err(|bad| bad.message)?;
            self.may_be_new(&path, outer)?;
        }
        let revived: Vec<_> = self.removed_under(&path).cloned().collect();
        for path in &revived {
            self.removed.remove(path);
        }
        let undo = self.put(&path, json.map(|json| Node::New(json.trim().into())));
        let checked = self
            .check(&path)
            .and_then(|()| self.answers_as_many(&path, &undo));
        if let Err(sentence) = checked {
            self.undo(&path, undo);
            self.removed.remove(&path);
            self.removed.extend(revived);
            return Err(sentence);
        }
        self.edited |= !matches!(undo, Undo::Nothing);
        Ok(())
    }

    fn set_all(&mut self, json: Option<&str>) -> Result<(), String> {
        let json = json.filter(|json| json.trim_start().starts_with('{'));
        let Some(json) = json else {
            return Err("the whole request can only be replaced by an object".to_owned());
        };
        let read = self.request.dialect().read(json.as_bytes());
        let read = read.map_err(|bad| bad.message)?;
        if self.request.dialect().answers_each() && read.roles.len() != self.request.roles().len() {
            return Err(promised_each(self.request.dialect().said()));
        }
        for name in ["stream", "n"] {
            if member(json.as_bytes(), name) != member(self.request.body(), name) {
                return Err(promised(name));
            }
        }
        self.tree = Node::New(json.into());
        self.removed.clear();
        self.edited = true;
        Ok(())
    }

    /// The pointer as steps that lead to a place where something is or may be put.
    fn resolve(&mut self, pointer: &str, tokens: &[String]) -> Result<Vec<Step>, String> {
        let nowhere = || format!("`{pointer}` leads nowhere in this request");
        let body = self.request.body();
        let mut path = Vec::with_capacity(tokens.len());
        let mut node = &mut self.tree;
        for (at, token) in tokens.iter().enumerate() {
            let last = at + 1 == tokens.len();
            match node.open(body) {
                Node::Object(members) => {
                    path.push(Step::Key(token.clone()));
                    match members.get_mut(body, token) {
                        Some(member) => node = member,
                        None if last => break,
                        None => return Err(nowhere()),
                    }
                }
                Node::Array(items) if last && token == "-" => {
                    path.push(Step::Index(items.len()));
                    break;
                }
                Node::Array(items) => {
                    let index = index(token).ok_or_else(nowhere)?;
                    path.push(Step::Index(index));
                    match items.get_mut(index) {
                        Some(_) if !last && self.removed.contains(&path) => return Err(nowhere()),
                        Some(item) => node = item,
                        None if last => {
                            return Err(format!(
                                "`{pointer}`: there is no such element; `-` in its place appends one"
                            ));
                        }
                        None => return Err(nowhere()),
                    }
                    if last {
                        break;
                    }
                }
                _ => return Err(nowhere()),
            }
        }
        Ok(path)
    }

    /// Whether a member may come into an object, or a value there: its key must be no other's.
    fn may_be_new(&mut self, path: &[Step], shape: Shape) -> Result<(), String> {
        let body = self.request.body();
        let Some((Step::Key(name), up)) = path.split_last() else {
            return Ok(());
        };
        let Some(Node::Object(members)) = at(&mut self.tree, body, up).map(|node| node.open(body))
        else {
            return Ok(());
        };
        if let Some(meant) = read::taken_for(self.request.dialect(), shape, name) {
            return Err(format!(
                "`{}` differs from `{meant}` in case alone, and some readers take one for the other",
                cut(name)
            ));
        }
        let Some(other) = members.taken_for(body, shape, name) else {
            return Ok(());
        };
        let (name, other) = (cut(name), cut(&other));
        Err(format!(
            "`{name}` differs from `{other}` in case alone, and some readers take one for the other"
        ))
    }

    fn put(&mut self, path: &[Step], value: Option<Node>) -> Undo {
        let body = self.request.body();
        let Some((last, parent)) = path
            .split_last()
            .and_then(|(last, up)| Some((last, at(&mut self.tree, body, up)?.open(body))))
        else {
            return Undo::Nothing;
        };
        match (parent, last, value) {
            (Node::Object(members), Step::Key(name), value) => {
                let removes = value.is_none();
                match members.put(body, name, value) {
                    None if removes => Undo::Nothing,
                    old => Undo::Member(old),
                }
            }
            (Node::Array(items), Step::Index(index), value) => match (items.get_mut(*index), value)
            {
                (Some(item), Some(value)) => Undo::Element(std::mem::replace(item, value)),
                (Some(_), None) => {
                    self.removed.insert(path.to_vec());
                    Undo::Unmark
                }
                (None, Some(value)) => {
                    items.push(value);
                    Undo::Remove
                }
                (None, None) => Undo::Nothing,
            },
            _ => Undo::Nothing,
        }
    }

    fn undo(&mut self, path: &[Step], undo: Undo) {
        let body = self.request.body();
        let Some((last, up)) = path.split_last() else {
            return;
        };
        match (at(&mut self.tree, body, up), last, undo) {
            (Some(Node::Object(members)), Step::Key(name), Undo::Member(old)) => {
                members.put(body, name, old);
            }
            (Some(Node::Array(items)), Step::Index(index), Undo::Element(old)) => {
                items[*index] = old;
            }
            (Some(Node::Array(items)), _, Undo::Remove) => {
                items.pop();
            }
            _ => {}
        }
    }

    /// Whether it still is a request of its dialect, looking only at what that path may have changed.
    fn check(&mut self, path: &[Step]) -> Result<(), String> {
        let body = self.request.body();
        let dialect = self.request.dialect();
        let (said, request) = (dialect.said(), dialect.request_name());
        let Some(Step::Key(name)) = path.first() else {
            return Ok(());
        };
        let Some(value) = at(&mut self.tree, body, &path[..1]) else {
            if name == "model" || name == said {
                return Err(format!("`{name}` can't be removed: {request} needs it"));
            }
            return Ok(());
        };
        let Some((_, up)) = path[1..]
            .split_last()
            .map(|(last, _)| (last, &path[..path.len() - 1]))
        else {
            // What was put whole has been read.
            return Ok(());
        };
        if path.len() == 2 && name == said && self.removed.contains(path) {
            let Node::Array(messages) = value.open(body) else {
                return Ok(());
            };
            let gone = || {
                under(&self.removed, up)
                    .filter(|gone| gone.len() == 2)
                    .count()
            };
            let some = self.removed.len() < messages.len() || gone() < messages.len();
            if some || !self.inserted.is_empty() {
                return Ok(());
            }
            return Err(format!(
                "the last {} can't be removed: {request} needs one",
                said.trim_end_matches('s')
            ));
        }
        // A value has been read, too. What it may have made wrong is what its object says of its members, and no other's.
        let (shape, _) = shapes(dialect, up);
        let object = at(&mut self.tree, body, up).map(|node| node.open(body));
        let Some(object @ Node::Object(_)) = object else {
            return Ok(());
        };
        if dialect.members(shape).is_empty() {
            return Ok(());
        }
        let mut json = Vec::new();
        object.write_outline(&mut json, body, &self.splices);
        let json = String::from_utf8_lossy(&json);
        read::outline(dialect, &json, shape, &dotted(up)).map_err(|bad| bad.message)
    }

    /// Whether there are as many of what is answered one by one as there were.
    fn answers_as_many(&mut self, path: &[Step], undo: &Undo) -> Result<(), String> {
        let (body, dialect) = (self.request.body(), self.request.dialect());
        let said = match path {
            [said @ Step::Key(name), ..] if name == dialect.said() => std::slice::from_ref(said),
            _ => return Ok(()),
        };
        let as_before = path.len() > 2 || matches!(undo, Undo::Nothing | Undo::Element(_));
        if !dialect.answers_each() || as_before {
            return Ok(());
        }
        let Some(value) = at(&mut self.tree, body, said).map(|node| node.open(body)) else {
            return Ok(());
        };
        let count = match value {
            Node::Array(items) if items.first().is_none_or(|first| !first.is_number(body)) => {
                items.len()
                    - under(&self.removed, said)
                        .filter(|gone| gone.len() == 2)
                        .count()
            }
            // A list of tokens is one prompt.
            _ => 1,
        };
        if count == self.request.roles().len() {
            return Ok(());
        }
        Err(promised_each(dialect.said()))
    }

    fn removed_under<'s>(&'s self, path: &'s [Step]) -> impl Iterator<Item = &'s Vec<Step>> {
        under(&self.removed, path)
    }

    /// The request with all edits in effect; the same request where there were none.
    ///
    /// # Errors
    /// A sentence, where two edits that could be made alone can't be made together.
    pub fn commit(mut self) -> Result<Request, String> {
        if !self.edited {
            return Ok(self.request);
        }
        let body = self.request.body();
        let mut messages = BTreeSet::new();
        let mut others = Vec::new();
        for path in self.removed {
            match path.as_slice() {
                [Step::Key(name), Step::Index(index)] if name == "messages" => {
                    _ = messages.insert(*index)
                }
                _ => others.push(path),
            }
        }
        purge(&mut self.tree, body, others);
        if !self.inserted.is_empty() || !messages.is_empty() {
            let place = at(&mut self.tree, body, &[Step::Key("messages".to_owned())]);
            if let Some(Node::Array(items)) = place.map(|node| node.open(body)) {
                let mut inserted = self.inserted;
                inserted.sort_by_key(|(before, _)| *before);
                let mut inserted = inserted.into_iter().peekable();
                for (index, item) in std::mem::take(items).into_iter().enumerate() {
                    while let Some((_, message)) =
                        inserted.next_if(|(before, _)| *before as usize <= index)
                    {
                        items.push(Node::New(message));
                    }
                    if !messages.contains(&index) {
                        items.push(item);
                    }
                }
                items.extend(inserted.map(|(_, message)| Node::New(message)));
            }
        }
        let mut edited = Vec::with_capacity(body.len());
        self.tree.write(&mut edited, body, &self.splices);
        self.request.edited(edited).map_err(|bad| bad.message)
    }
}

fn under<'s>(
    removed: &'s BTreeSet<Vec<Step>>,
    path: &'s [Step],
) -> impl Iterator<Item = &'s Vec<Step>> {
    removed
        .range::<[Step], _>((Bound::Included(path), Bound::Unbounded))
        .take_while(move |gone| gone.starts_with(path))
}

fn promised(name: &str) -> String {
    format!("`{name}` can't be changed: the answer has already been promised in that form")
}

fn promised_each(name: &str) -> String {
    format!(
        "`{name}` must have as many elements as it had: each has been promised answers of its own"
    )
}

/// What stands where a text stood at the start: the part of the body that still has it, or whatever was put there.
fn still_there<'n>(
    tree: &'n mut Node,
    body: &[u8],
    steps: impl Iterator<Item = (u32, bool)>,
) -> Option<&'n mut Node> {
    let mut node = tree;
    for (step, _) in steps {
        steps::took(1);
        if let Node::Raw(_) = node {
            break;
        }
        node = match node.open(body) {
            Node::Array(items) => items.get_mut(step as usize)?,
            Node::Object(members) => members.at_key(body, step)?,
            _ => return None,
        };
    }
    Some(node)
}

/// The value of a member, as it lies there.
fn member<'b>(body: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let mut members = members(body, 0);
    let found = members.find(|(key, _)| string_at(body, key.clone()) == name);
    found.map(|(_, value)| &body[value])
}

/// What the place at that path is, and what it stands in.
fn shapes(dialect: Dialect, path: &[Step]) -> (Shape, Shape) {
    path.iter()
        .fold((Shape::Body, Shape::Open), |(shape, _), step| match step {
            Step::Key(name) => (dialect.member(shape, name).0, shape),
            Step::Index(_) => (shape.item(), shape),
        })
}

/// A path as errors write it.
fn dotted(path: &[Step]) -> String {
    let mut dotted = String::new();
    for step in path {
        match step {
            Step::Key(name) if dotted.is_empty() => dotted.push_str(&cut(name)),
            Step::Key(name) => dotted.extend([".", &*cut(name)]),
            Step::Index(index) => dotted.push_str(&format!("[{index}]")),
        }
    }
    dotted
}

#[cfg(test)]
mod tests;
