//! Every string of a request that an upstream may show the model, as the host walks them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::body::{Body, role};
use super::shape::{Shape, folded};
use crate::{Role, Text};

/// The longest pointer that is told whole, in bytes.
const POINTER: usize = 256;

/// One of them, where it lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The whole pointer, of the member itself where it is a key.
    pub(super) pointer: String,
    pub(super) shape: Shape,
    pub(super) is_key: bool,
}

/// All of them, each with its place.
pub(super) fn texts(body: &Body) -> Vec<(Place, Text)> {
    let segments = body.segments().into_iter().enumerate();
    let mut walk = Walk {
        segments: segments
            .map(|(index, (pointer, segment))| (pointer, (index, segment.message, segment.role)))
            .collect(),
        found: Vec::new(),
        message: None,
    };
    walk.value(body.shape(), String::new(), &body.0);
    walk.found
}

struct Walk {
    segments: BTreeMap<String, (usize, u32, Role)>,
    found: Vec<(Place, Text)>,
    message: Option<(u32, Role)>,
}

impl Walk {
    fn value(&mut self, shape: Shape, pointer: String, value: &Value) {
        match value {
            Value::String(text) if shape.shows(text) => self.show(pointer, shape, false, text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let outer = self.message;
                    if shape == Shape::Messages {
                        self.message = Some((u32::try_from(index).unwrap_or(u32::MAX), role(item)));
                    }
                    self.value(shape.item(), format!("{pointer}/{index}"), item);
                    self.message = outer;
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    let (inner, known) = shape.member(key);
                    let token = key.replace('~', "~0").replace('/', "~1");
                    let at = format!("{pointer}/{token}");
                    if !known {
                        self.show(at.clone(), shape, true, key);
                    }
                    self.value(inner, at, value);
                }
            }
            _ => {}
        }
    }

    fn show(&mut self, pointer: String, shape: Shape, is_key: bool, text: &str) {
        let segment = self.segments.get(&pointer).filter(|_| !is_key).copied();
        let speaker = segment
            .map(|(_, message, role)| (message, role))
            .or(self.message);
        let shown = Text {
            pointer: cut(&pointer),
            is_key,
            message: speaker.map(|(message, _)| message),
            role: speaker.map(|(_, role)| role),
            segment: segment.and_then(|(index, ..)| u32::try_from(index).ok()),
            text: text.into(),
        };
        let place = Place {
            pointer,
            shape,
            is_key,
        };
        self.found.push((place, shown));
    }
}

fn cut(pointer: &str) -> String {
    if pointer.len() <= POINTER {
        return pointer.into();
    }
    format!("{}…", &pointer[..pointer.floor_char_boundary(POINTER)])
}

/// Whether a member of an object at a place of that shape may have that key: no other has it, and it isn't taken for one that
/// has a meaning.
pub(super) fn may_be_key(shape: Shape, key: &str, others: &[String]) -> bool {
    let same = |other: &str| match shape.minds_case() {
        true => other == key,
        false => folded(other).eq(folded(key)),
    };
    let known = shape.members().iter().any(|(name, _)| same(name));
    !known && !others.iter().any(|other| same(other))
}

/// Gives members their new keys, those of one object at once, the innermost object first.
pub(super) fn rename(body: &mut Value, keys: Vec<(String, String)>) {
    let mut objects = BTreeMap::<String, BTreeMap<String, String>>::new();
    for (pointer, new) in keys {
        if let Some((object, old)) = pointer.rsplit_once('/') {
            let old = old.replace("~1", "/").replace("~0", "~");
            objects.entry(object.into()).or_default().insert(old, new);
        }
    }
    // What an object's pointer begins with is sorted before it.
    for (pointer, mut new) in objects.into_iter().rev() {
        if let Some(Value::Object(members)) = body.pointer_mut(&pointer) {
            let before = std::mem::take(members).into_iter();
            members.extend(before.map(|(key, value)| (new.remove(&key).unwrap_or(key), value)));
        }
    }
}

/// The keys of the object that has the member at that pointer, but for that one's own; of those that get another, the new one.
pub(super) fn siblings(body: &Value, pointer: &str, renamed: &[(String, String)]) -> Vec<String> {
    let Some((parent, _)) = pointer.rsplit_once('/') else {
        return Vec::new();
    };
    let members = body.pointer(parent).and_then(Value::as_object);
    let keys = members.into_iter().flat_map(|members| members.keys());
    let others = keys.filter_map(|key| {
        let token = key.replace('~', "~0").replace('/', "~1");
        let at = format!("{parent}/{token}");
        let new = renamed.iter().find(|(place, _)| *place == at);
        (at != pointer).then(|| new.map_or(key, |(_, new)| new).clone())
    });
    others.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pointer_is_cut_between_characters() {
        let body = serde_json::json!({"model": "m", "messages": [], "é".repeat(200): "x"});
        let texts = texts(&Body(body));
        assert_eq!(texts[0].1.pointer, format!("/{}…", "é".repeat(127)));
    }
}
