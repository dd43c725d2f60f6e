//! A list of models, and what stands in it. Of an entry nothing but its id is read: the rest differs between catalogs and stays as it came.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// One model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// All of it, as text.
    pub(super) json: String,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
}

impl Entry {
    /// Reads an entry; `None` where it is no object with an id.
    pub(super) fn read(json: &[u8]) -> Option<Entry> {
        let named: Named<'_> = serde_json::from_slice(json).ok()?;
        Some(Entry {
            id: named.id.into_owned(),
            json: std::str::from_utf8(json).ok()?.to_owned(),
        })
    }

    /// All that is known of a model that its target serves and doesn't list.
    pub(super) fn bare(id: &str, provider: &str) -> Entry {
        let json =
            serde_json::json!({"id": id, "object": "model", "created": 0, "owned_by": provider});
        Entry {
            id: id.to_owned(),
            json: json.to_string(),
        }
    }

    /// The same under another id.
    pub(super) fn called(&self, id: &str) -> Entry {
        let mut members = self.members();
        members.insert("id".to_owned(), id.into());
        Entry {
            id: id.to_owned(),
            json: Value::Object(members).to_string(),
        }
    }

    pub(super) fn members(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// A list of models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// The word that OpenAI's form calls it by; some forms have none.
    pub(super) object: Option<String>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Data<'a> {
    object: Option<String>,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

impl List {
    /// Reads a list. What isn't a model in it is left out.
    pub(super) fn read(json: &[u8]) -> Option<List> {
        let Data { object, data } = serde_json::from_slice(json).ok()?;
        let entries = data.into_iter();
        Some(List {
            object,
            entries: entries
                .filter_map(|raw| Entry::read(raw.get().as_bytes()))
                .collect(),
        })
    }

    /// Adds what isn't in it yet.
    pub(super) fn take_in(&mut self, other: List) {
        self.object = self.object.take().or(other.object);
        let known: HashSet<&str> = self.entries.iter().map(|it| &*it.id).collect();
        let mut seen = HashSet::new();
        let new: Vec<bool> = other
            .entries
            .iter()
            .map(|it| !known.contains(&*it.id) && seen.insert(it.id.clone()))
            .collect();
        let added = other.entries.into_iter().zip(new);
        self.entries
            .extend(added.filter_map(|(entry, new)| new.then_some(entry)));
    }

    pub(super) fn to_json(&self) -> Bytes {
        let mut json = String::from("{");
        if let Some(object) = &self.object {
            json += &format!("\"object\":{},", Value::from(&**object));
        }
        json += "\"data\":[";
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json += &entry.json;
        }
        json += "]}";
        json.into()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn entries_stay_as_they_came_and_stand_once() {
        let one = r#"{"object":"list","data":[ {"id":"a","created":1.50, "x":[]},{"id":"b"},{"id":"a"},{"no":1},7]}"#;
        let two = r#"{"data":[{"id":"\u0062"},{"id":"c","x":1e2}],"object":"list"}"#;
        let mut list = List::default();
        list.take_in(List::read(one.as_bytes()).unwrap());
        list.take_in(List::read(two.as_bytes()).unwrap());
        let expected = r#"{"object":"list","data":[{"id":"a","created":1.50, "x":[]},{"id":"b"},{"id":"c","x":1e2}]}"#;
        assert_eq!(list.to_json(), expected);
        let bare = List::read(br#"{"data":[]}"#).unwrap();
        assert_eq!(bare.to_json(), r#"{"data":[]}"#);
        for no in ["", "[]", "{}", "{\"data\":{}}", "<html>"] {
            assert_eq!(List::read(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn another_name_changes_the_id_alone() {
        let entry = Entry::read(br#"{"object":"model","id":"a","n":[1]}"#).unwrap();
        let called = entry.called("b");
        assert_eq!(called.json, r#"{"object":"model","id":"b","n":[1]}"#);
        assert_eq!(called.id, "b");
    }
}
