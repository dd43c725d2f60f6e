//! Changes of a request, as the host collects them in one call.
//!
//! Indices are those at the start: until the commit no element of an array moves. So an inserted message waits in a list, and a mark
//! stands where an element was removed. Pointers walk the body as the changes so far made it; of two changes of one place the
//! later counts. A change that would leave no valid request is refused, and changes nothing.

use serde_json::Value;

use super::body::{Body, message};
use super::shape::Shape;
use super::texts::{Place, may_be_key, rename, siblings, texts};
use super::{check, json};
use crate::Role;

/// Deeper than this the host lets no JSON nest.
const MAX_DEPTH: usize = 127;

#[derive(Clone, Debug)]
pub(super) struct Draft {
    body: Value,
    /// The pointers of the segments at the start.
    places: Vec<String>,
    /// The places of the texts at the start.
    texts: Vec<Place>,
    /// Members that get another key in the end, by their pointers: until then they are found by the old one.
    keys: Vec<(String, String)>,
    inserted: Vec<(usize, Value)>,
    shape: Shape,
    /// How many prompts there are: each has been promised answers of its own.
    prompts: usize,
}

impl Draft {
    pub(super) fn new(body: &Body) -> Self {
        Self {
            body: body.0.clone(),
            places: body.segments().into_iter().map(|(at, _)| at).collect(),
            texts: texts(body).into_iter().map(|(place, _)| place).collect(),
            keys: Vec::new(),
            inserted: Vec::new(),
            shape: body.shape(),
            prompts: body.prompts(),
        }
    }

    /// The error says that there is no such segment.
    pub(super) fn replace_segment(&mut self, index: u32, text: &str) -> Result<(), String> {
        let Some(place) = self.places.get(index as usize) else {
            let all = self.places.len();
            return Err(format!("no segment {index}, there are {all}"));
        };
        // An earlier `set` may have taken the place away.
        if let Some(value) = self.body.pointer_mut(place) {
            *value = text.into();
        }
        Ok(())
    }

    /// `None`: there is no such text. The error says why it can't be.
    pub(super) fn replace_text(&mut self, index: u32, text: &str) -> Option<Result<(), String>> {
        let place = self.texts.get(index as usize)?.clone();
        Some(if place.is_key {
            self.replace_key(place, text)
        } else {
            self.replace_value(&place, text)
        })
    }

    fn replace_value(&mut self, place: &Place, text: &str) -> Result<(), String> {
        if place.shape == Shape::Name && text.chars().count() > check::MAX_NAME {
            let at = &place.pointer;
            return Err(format!("`{at}` may have at most 64 characters"));
        }
        if let Some(value) = self.body.pointer_mut(&place.pointer) {
            *value = text.into();
        }
        Ok(())
    }

    fn replace_key(&mut self, place: Place, text: &str) -> Result<(), String> {
        let Place { pointer, shape, .. } = place;
        let others = siblings(&self.body, &pointer, &self.keys);
        if !may_be_key(shape, text, &others) {
            return Err(format!(
                "another member has the key that `{pointer}` would get"
            ));
        }
        self.keys.retain(|(at, _)| *at != pointer);
        self.keys.push((pointer, text.into()));
        Ok(())
    }

    pub(super) fn insert_message(
        &mut self,
        before: u32,
        role: Role,
        text: &str,
    ) -> Result<(), String> {
        if !self.body["messages"].is_array() {
            let sentence =
                "a text completion has no messages; change its prompt with `replace-text` or `set`";
            return Err(sentence.into());
        }
        if role == Role::Tool {
            return Err("a tool message needs a tool_call_id; put it in with `set`".into());
        }
        if role == Role::Other {
            let sentence = "a message can't be put in for a speaker without a word: `other`";
            return Err(sentence.into());
        }
        self.inserted.push((before as usize, message(role, text)));
        Ok(())
    }

    pub(super) fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String> {
        let value = json.map(json::parse).transpose()?;
        if pointer.is_empty() {
            return self.set_all(value);
        }
        let Some(tokens) = pointer.strip_prefix('/') else {
            return Err(format!(
                "`{pointer}` is no JSON pointer: it must begin with `/`"
            ));
        };
        let tokens: Vec<String> = tokens
            .split('/')
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect();
        if value.as_ref().map_or(0, json::depth) + tokens.len() > MAX_DEPTH {
            return Err(format!("`{pointer}` would nest deeper than {MAX_DEPTH}"));
        }
        let first = tokens[0].as_str();
        if matches!(first, "stream" | "n") {
            return Err(promised(first));
        }
        if value.is_some() {
            may_be_new(self.shape, &self.body, &tokens)?;
        }
        let before = self.body.clone();
        let done = put(&mut self.body, &tokens, value)
            .ok_or_else(|| format!("`{pointer}` leads nowhere in this request"))
            .and_then(|()| check::after(&self.body, &tokens, !self.inserted.is_empty()))
            .and_then(|()| self.answers_as_many());
        if done.is_err() {
            self.body = before;
        }
        done
    }

    fn answers_as_many(&self) -> Result<(), String> {
        let mut body = self.body.clone();
        purge(&mut body);
        if Body(body).prompts() == self.prompts {
            return Ok(());
        }
        Err("`prompt` must have as many elements as it had: each has been promised answers of its own".into())
    }

    fn set_all(&mut self, value: Option<Value>) -> Result<(), String> {
        let Some(body @ Value::Object(_)) = value else {
            return Err("the whole request can only be replaced by an object".into());
        };
        check::all(&body)?;
        for name in ["stream", "n"] {
            if body.get(name) != self.body.get(name) {
                return Err(promised(name));
            }
        }
        let before = std::mem::replace(&mut self.body, body);
        let same = self.answers_as_many();
        if same.is_err() {
            self.body = before;
        }
        same
    }

    /// The body with all changes in effect.
    pub(super) fn commit(mut self) -> Body {
        rename(&mut self.body, self.keys);
        if let Some(Value::Array(messages)) = self.body.get_mut("messages") {
            self.inserted.sort_by_key(|(before, _)| *before);
            // From the back, so that no insertion moves the place of another; of several before one message the first said comes first.
            for (before, message) in self.inserted.into_iter().rev() {
                messages.insert(before.min(messages.len()), message);
            }
        }
        purge(&mut self.body);
        Body(self.body)
    }
}

/// Whether a member may come where it is none yet: readers that don't mind case must not take it for another.
fn may_be_new(whole: Shape, body: &Value, tokens: &[String]) -> Result<(), String> {
    let Some((last, up)) = tokens.split_last() else {
        return Ok(());
    };
    let (mut shape, mut value) = (whole, Some(body));
    for token in up {
        (shape, value) = match value {
            Some(Value::Array(items)) => (
                shape.item(),
                index(token).and_then(|index| items.get(index)),
            ),
            Some(value) => (shape.member(token).0, value.get(token)),
            None => return Ok(()),
        };
    }
    let Some(Value::Object(members)) = value else {
        return Ok(());
    };
    let others = members.keys().filter(|key| *key != last).cloned();
    let known = shape.members().iter().any(|(name, _)| name == last);
    if known || may_be_key(shape, last, &others.collect::<Vec<_>>()) {
        return Ok(());
    }
    Err(format!("`{last}` differs from another key in case alone"))
}

fn promised(name: &str) -> String {
    format!("`{name}` can't be changed: the answer has already been promised in that form")
}

/// Stands where an element was removed, until the commit: a text that nobody writes.
const MARK: &str = "\0removed";

pub(super) fn is_mark(value: &Value) -> bool {
    value.as_str() == Some(MARK)
}

/// Takes the marks out, and with them the elements that they stand for.
pub(super) fn purge(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_mark(item));
            items.iter_mut().for_each(purge);
        }
        Value::Object(members) => members.values_mut().for_each(purge),
        _ => {}
    }
}

/// Puts a value there, or takes it away. `None`: the pointer leads nowhere.
fn put(body: &mut Value, tokens: &[String], value: Option<Value>) -> Option<()> {
    let (last, parents) = tokens.split_last()?;
    let parent = parents.iter().try_fold(body, |value, token| match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?).filter(|item| !is_mark(item)),
        _ => None,
    })?;
    match (parent, value) {
        (Value::Object(members), Some(value)) => {
            members.insert(last.clone(), value);
        }
        (Value::Object(members), None) => {
            members.retain(|name, _| name != last);
        }
        (Value::Array(items), value) if last == "-" => items.extend(value),
        (Value::Array(items), value) => {
            *items.get_mut(index(last)?)? = value.unwrap_or_else(|| MARK.into());
        }
        _ => return None,
    }
    Some(())
}

/// An array index as RFC 6901 writes it.
fn index(token: &str) -> Option<usize> {
    if token.starts_with('+') || (token.starts_with('0') && token.len() > 1) {
        return None;
    }
    token.parse().ok()
}
