//! Edits to a request that take effect together.
//!
//! Indices are those at the start: until [`Draft::commit`] no message or array element moves. So an inserted message waits in
//! a list, and a removed element is only marked and goes at the end. Pointers walk the request as the edits so far made it. Of two edits to one place the later wins.
//!
//! What must stay true: whatever was set, the result is a chat request with the same `stream` and `n`.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use crate::Role;
use crate::chat::shape::Shape;
use crate::chat::texts;
use crate::chat::walk::Place;
use crate::dialect::Dialect;
use crate::json::{MAX_DEPTH, depth, parse};
use crate::request::Request;

mod pointer;

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
    body: Arc<Value>,
    places: Option<Vec<(usize, Place)>>,
    texts: Option<Vec<texts::Place>>,
    keys: Vec<(String, String)>,
    inserted: Vec<(u32, Value)>,
    /// Array elements that are to be removed. They stand where they stood until the end, so that what was valid stays valid.
    removed: BTreeSet<Vec<Step>>,
    edited: bool,
}

/// How to take one `set` back.
enum Undo {
    Nothing,
    Put(Value),
    Reinsert(usize, Value),
    Remove,
    /// The element was only marked as removed.
    Unmark,
}

impl Draft {
    pub(super) fn new(request: Request) -> Draft {
        let body = request.body().clone();
        Draft {
            request,
            body,
            places: None,
            texts: None,
            keys: Vec::new(),
            inserted: Vec::new(),
            removed: BTreeSet::new(),
            edited: false,
        }
    }

    fn dialect(&self) -> Dialect {
        self.request.dialect()
    }

    /// Puts another text in the place of a segment, counted from the first segment of the first message.
    ///
    /// Does nothing where an earlier [`set`](Draft::set) took the segment's place away.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn replace_segment(&mut self, index: u32, text: &str) -> Result<(), OutOfRange> {
        let places = self.places.get_or_insert_with(|| {
            let mut places = Vec::new();
            let dialect = self.request.dialect();
            dialect.walk(self.request.body(), 0, |site| {
                places.push((site.message, site.place))
            });
            places
        });
        let Some(&(message, place)) = places.get(index as usize) else {
            return Err(OutOfRange {
                index,
                segments: places.len(),
            });
        };
        let body = Arc::make_mut(&mut self.body);
        if let Some(value) = self.request.dialect().at_mut(body, message, place) {
            *value = Value::String(text.to_owned());
            self.edited = true;
        }
        Ok(())
    }

    /// Puts another string in the place of one of the [`texts`](Request::texts), by its index. A key that is replaced keeps its old name
    /// for the pointers of these edits.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn replace_text(&mut self, index: u32, text: &str) -> Result<(), TextError> {
        let places = self.texts.get_or_insert_with(|| {
            let texts = texts::texts(self.request.body());
            texts.into_iter().map(|(place, _)| place).collect()
        });
        let Some(place) = places.get(index as usize).cloned() else {
            return Err(TextError::OutOfRange {
                index,
                texts: places.len(),
            });
        };
        let at = place.pointer;
        if place.is_key {
            let others = texts::siblings(&self.body, &at, &self.keys);
            if !texts::may_be_key(place.shape, text, &others) {
                let sentence = format!("another member has the key that `{at}` would get");
                return Err(TextError::Refused(sentence));
            }
            self.keys.retain(|(pointer, _)| *pointer != at);
            self.keys.push((at, text.to_owned()));
            self.edited = true;
            return Ok(());
        }
        if place.shape == Shape::Name && text.chars().count() > 64 {
            let sentence = format!("`{at}` may have at most 64 characters");
            return Err(TextError::Refused(sentence));
        }
        if let Some(value) = Arc::make_mut(&mut self.body).pointer_mut(&at) {
            *value = Value::String(text.to_owned());
            self.edited = true;
        }
        Ok(())
    }

    /// Inserts a message before the message of that number, or at the end where there is none. Of several inserted at one place, the
    /// first stays first.
    ///
    /// # Errors
    /// A sentence, for a role whose messages need more than a text.
    pub fn insert_message(&mut self, before: u32, role: Role, text: &str) -> Result<(), String> {
        if role == Role::Tool {
            return Err("a tool message needs a tool_call_id; put it in with `set`".to_owned());
        }
        let message = self.dialect().message(role, text);
        self.inserted.push((before, message));
        self.edited = true;
        Ok(())
    }

    /// Puts JSON at a JSON pointer (RFC 6901); `None` removes what is there. A last `-` appends to an array.
    ///
    /// # Errors
    /// A sentence, and nothing is changed: where the pointer leads nowhere, the JSON can't be read, `stream` or `n` would
    /// change, or the request would no longer be a chat request.
    pub fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String> {
        let value = json
            .map(|json| parse(json.as_bytes(), "the value"))
            .transpose()
            .map_err(|error| error.message)?;
        let tokens = tokens(pointer)?;
        if value.as_ref().map_or(0, depth) + tokens.len() > MAX_DEPTH {
            return Err(format!("`{pointer}` would nest deeper than {MAX_DEPTH}"));
        }
        let Some(first) = tokens.first() else {
            return self.set_all(value);
        };
        if first == "stream" || first == "n" {
            return Err(format!(
                "`{first}` can't be changed: the answer has already been promised in that form"
            ));
        }
        let path = self.resolve(pointer, &tokens)?;
        let revived: Vec<_> = self.removed_under(&path).cloned().collect();
        for path in &revived {
            self.removed.remove(path);
        }
        let undo = self.put(&path, value);
        if let Err(sentence) = self.check(&path) {
            self.undo(&path, undo);
            self.removed.remove(&path);
            self.removed.extend(revived);
            return Err(sentence);
        }
        self.edited |= !matches!(undo, Undo::Nothing);
        Ok(())
    }

    fn set_all(&mut self, value: Option<Value>) -> Result<(), String> {
        let Some(Value::Object(body)) = value else {
            return Err("the whole request can only be replaced by an object".to_owned());
        };
        self.dialect().check(&body).map_err(|error| error.message)?;
        for name in ["stream", "n"] {
            if body.get(name) != self.body.get(name) {
                return Err(format!(
                    "`{name}` can't be changed: the answer has already been promised in that form"
                ));
            }
        }
        self.body = Arc::new(Value::Object(body));
        self.removed.clear();
        self.edited = true;
        Ok(())
    }

    /// The pointer as steps that lead to a place where something is or may be put.
    fn resolve(&self, pointer: &str, tokens: &[String]) -> Result<Vec<Step>, String> {
        let nowhere = || format!("`{pointer}` leads nowhere in this request");
        let mut path = Vec::with_capacity(tokens.len());
        let mut value = &*self.body;
        for (at, token) in tokens.iter().enumerate() {
            let last = at + 1 == tokens.len();
            match value {
                Value::Object(members) => {
                    path.push(Step::Key(token.clone()));
                    match members.get(token) {
                        Some(member) => value = member,
                        None if last => break,
                        None => return Err(nowhere()),
                    }
                }
                Value::Array(items) if last && token == "-" => path.push(Step::Index(items.len())),
                Value::Array(items) => {
                    let index = index(token).ok_or_else(nowhere)?;
                    path.push(Step::Index(index));
                    match items.get(index) {
                        Some(_) if !last && self.removed.contains(&path) => return Err(nowhere()),
                        Some(item) => value = item,
                        None if last => {
                            return Err(format!(
                                "`{pointer}`: there is no such element; `-` in its place appends one"
                            ));
                        }
                        None => return Err(nowhere()),
                    }
                }
                _ => return Err(nowhere()),
            }
        }
        Ok(path)
    }

    fn put(&mut self, path: &[Step], value: Option<Value>) -> Undo {
        let Some((last, parent)) = path
            .split_last()
            .and_then(|(last, up)| Some((last, at(&mut self.body, up)?)))
        else {
            return Undo::Nothing;
        };
        match (parent, last, value) {
            (Value::Object(members), Step::Key(key), Some(value)) => members
                .insert(key.clone(), value)
                .map_or(Undo::Remove, Undo::Put),
            (Value::Object(members), Step::Key(key), None) => {
                match members.keys().position(|name| name == key) {
                    Some(index) => members
                        .shift_remove(key)
                        .map_or(Undo::Nothing, |old| Undo::Reinsert(index, old)),
                    None => Undo::Nothing,
                }
            }
            (Value::Array(items), Step::Index(index), value) => match items.get_mut(*index) {
                Some(item) => match value {
                    Some(value) => Undo::Put(std::mem::replace(item, value)),
                    None => {
                        self.removed.insert(path.to_vec());
                        Undo::Unmark
                    }
                },
                None => {
                    let Some(value) = value else {
                        return Undo::Nothing;
                    };
                    items.push(value);
                    Undo::Remove
                }
            },
            _ => Undo::Nothing,
        }
    }

    fn undo(&mut self, path: &[Step], undo: Undo) {
        let Some((last, up)) = path.split_last() else {
            return;
        };
        match (at(&mut self.body, up), last, undo) {
            (Some(Value::Object(members)), Step::Key(key), Undo::Put(old)) => {
                members.insert(key.clone(), old);
            }
            (Some(Value::Object(members)), Step::Key(key), Undo::Reinsert(index, old)) => {
                members.shift_insert(index, key.clone(), old);
            }
            (Some(Value::Object(members)), Step::Key(key), Undo::Remove) => {
                members.shift_remove(key);
            }
            (Some(Value::Array(items)), Step::Index(index), Undo::Put(old)) => items[*index] = old,
            (Some(Value::Array(items)), _, Undo::Remove) => {
                items.pop();
            }
            _ => {}
        }
    }

    /// Whether it still is a chat request, looking only at what that path may have changed.
    fn check(&self, path: &[Step]) -> Result<(), String> {
        let Some(Step::Key(name)) = path.first() else {
            return Ok(());
        };
        let Some(value) = self.body.get(name) else {
            return match name.as_str() {
                "model" | "messages" => Err(format!(
                    "`{name}` can't be removed: a chat request needs it"
                )),
                _ => Ok(()),
            };
        };
        let checked = match (name.as_str(), path.get(1)) {
            ("messages", Some(Step::Index(index))) => {
                if self.removed.contains(&path[..2]) {
                    let gone = self
                        .removed_under(&path[..1])
                        .filter(|gone| gone.len() == 2)
                        .count();
                    if self.inserted.is_empty()
                        && value
                            .as_array()
                            .is_some_and(|messages| messages.len() == gone)
                    {
                        return Err(
                            "the last message can't be removed: a chat request needs one"
                                .to_owned(),
                        );
                    }
                    return Ok(());
                }
                self.dialect()
                    .check_message(*index, value.get(*index).unwrap_or(&Value::Null))
            }
            _ => self.dialect().check_field(name, value),
        };
        checked.map_err(|error| error.message)
    }

    fn removed_under<'s>(&'s self, path: &'s [Step]) -> impl Iterator<Item = &'s Vec<Step>> {
        self.removed
            .range::<[Step], _>((Bound::Included(path), Bound::Unbounded))
            .take_while(move |gone| gone.starts_with(path))
    }

    /// The request with all edits in effect; the same request where there were none.
    pub fn commit(mut self) -> Request {
        if !self.edited {
            return self.request;
        }
        let body = Arc::make_mut(&mut self.body);
        texts::rename(body, self.keys);
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
        purge(body, others);
        if let Some(Value::Array(items)) = body.get_mut("messages") {
            let mut inserted = self.inserted;
            inserted.sort_by_key(|(before, _)| *before);
            let mut inserted = inserted.into_iter().peekable();
            for (index, item) in std::mem::take(items).into_iter().enumerate() {
                while let Some((_, message)) =
                    inserted.next_if(|(before, _)| *before as usize <= index)
                {
                    items.push(message);
                }
                if !messages.contains(&index) {
                    items.push(item);
                }
            }
            items.extend(inserted.map(|(_, message)| message));
        }
        self.request.with_body(self.body)
    }
}

#[cfg(test)]
mod tests;
