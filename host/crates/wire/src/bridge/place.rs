//! A request of a dialect that no upstream speaks, read where it lies, with the way to each value for what is said of it.
//!
//! What must stay true: nothing is built of what is read. And no member of an object that is read is passed over: it is known, or says
//! nothing, or the request is refused.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::json::{BadRequest, Kind, cut, cut_at, items, members, string_at};

/// The way to a value, from the top.
#[derive(Clone, Copy, Debug)]
enum Way<'w> {
    Top,
    Member(&'w Way<'w>, &'w str),
    Item(&'w Way<'w>, usize),
}

/// A value of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a, 'w> {
    /// The value as it came.
    pub(crate) json: &'a str,
    way: Way<'w>,
}

impl<'a> Place<'a, 'static> {
    /// The whole of a body, which must be an object.
    pub(crate) fn top(body: &'a [u8]) -> Result<Place<'a, 'static>, BadRequest> {
        let bad = |why: String| BadRequest::new("", why);
        let text = std::str::from_utf8(body)
            .map_err(|error| bad(format!("the body can't be read as JSON: {error}")))?;
        if text.trim_ascii().is_empty() {
            return Err(bad("the body is empty; it must be a JSON object".into()));
        }
        let read: Result<&RawValue, _> = serde_json::from_str(text);
        let json = read
            .map_err(|error| bad(format!("the body can't be read as JSON: {error}")))?
            .get();
        let way = Way::Top;
        let top = Place { json, way };
        if !top.is(Kind::Object) {
            let is = top.kind().word();
            return Err(bad(format!("the body must be a JSON object, not {is}")));
        }
        Ok(top)
    }
}

impl<'a, 'w> Place<'a, 'w> {
    /// A member of it, by a name and its value.
    pub(crate) fn member<'p>(&'p self, name: &'p str, json: &'a str) -> Place<'a, 'p> {
        let way = Way::Member(&self.way, name);
        Place { json, way }
    }

    /// An item of it.
    pub(crate) fn item(&self, index: usize, json: &'a str) -> Place<'a, '_> {
        let way = Way::Item(&self.way, index);
        Place { json, way }
    }

    fn kind(&self) -> Kind {
        Kind::of(self.json.bytes().next()).unwrap_or(Kind::Null)
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.kind() == kind
    }

    pub(crate) fn must_be(&self, kind: Kind) -> Result<(), BadRequest> {
        if self.is(kind) {
            return Ok(());
        }
        let (must, is) = (kind.word(), self.kind().word());
        Err(self.bad(format_args!("must be {must}, not {is}")))
    }

    /// The literal of a string, which it must be.
    pub(crate) fn string(&self) -> Result<&'a str, BadRequest> {
        self.must_be(Kind::String)?;
        Ok(self.json)
    }

    /// The text of a string, which it must be.
    pub(crate) fn text(&self) -> Result<Cow<'a, str>, BadRequest> {
        self.must_be(Kind::String)?;
        Ok(string_at(self.json.as_bytes(), 0..self.json.len()))
    }

    /// The items of an array, which it must be.
    pub(crate) fn items(&self) -> Result<impl Iterator<Item = &'a str> + 'a, BadRequest> {
        self.must_be(Kind::Array)?;
        let json = self.json;
        Ok(items(json.as_bytes(), 0).map(|place| &json[place]))
    }

    /// The value under a key, of an object; the first.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        let json = self.json;
        if !self.is(Kind::Object) {
            return None;
        }
        let mut members = members(json.as_bytes(), 0);
        let found = members.find(|(name, _)| string_at(json.as_bytes(), name.clone()) == key);
        found.map(|(_, value)| &json[value])
    }

    /// The values of an object's members, in the order of these names; `None` for one that isn't there or null. Those `beside` may be
    /// there as well. What isn't known is refused, unless it is null or false, and so is a name that stands twice.
    pub(crate) fn known<const N: usize>(
        &self,
        names: [&str; N],
        beside: &[&str],
    ) -> Result<[Option<&'a str>; N], BadRequest> {
        debug_assert!(N + beside.len() <= 64, "a bit for each");
        self.must_be(Kind::Object)?;
        let (mut found, mut seen) = ([None; N], 0_u64);
        let json = self.json;
        for (key, value) in members(json.as_bytes(), 0) {
            let key = string_at(json.as_bytes(), key);
            let value = &json[value];
            let mut all = names.iter().chain(beside);
            let Some(at) = all.position(|name| *name == key) else {
                if matches!(value, "null" | "false") {
                    continue;
                }
                let key = cut_at(&key, 64);
                let why = "isn't supported here; leave it out";
                return Err(self.member(&key, value).bad(why));
            };
            if seen & 1 << at != 0 {
                let path = self.member(&key, value).path();
                let sentence = format!("the key `{path}` stands twice; send it once");
                return Err(BadRequest::new(&path, sentence));
            }
            seen |= 1 << at;
            if at < N {
                found[at] = Some(value).filter(|value| *value != "null");
            }
        }
        Ok(found)
    }

    /// What is wrong with it: a sentence that begins with its path.
    pub(crate) fn bad(&self, why: impl std::fmt::Display) -> BadRequest {
        let path = self.path();
        let sentence = match &*path {
            "" => format!("the body {why}"),
            path => format!("`{path}` {why}"),
        };
        BadRequest::new(&path, sentence)
    }

    /// The same of a member that isn't there.
    pub(crate) fn lacks(&self, name: &str) -> BadRequest {
        self.member(name, "null").bad("is missing")
    }

    /// The literal of a string that must be there.
    pub(crate) fn needs(&self, name: &str, json: Option<&'a str>) -> Result<&'a str, BadRequest> {
        let json = json.ok_or_else(|| self.lacks(name))?;
        self.member(name, json).string()
    }

    /// What a string says, short enough to be repeated.
    pub(crate) fn quoted(&self) -> String {
        format!("{:?}", cut_at(&self.text().unwrap_or_default(), 64))
    }

    fn path(&self) -> String {
        fn write(way: &Way<'_>, path: &mut String) {
            match way {
                Way::Top => {}
                Way::Member(above, name) => {
                    write(above, path);
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Way::Item(above, index) => {
                    write(above, path);
                    _ = write!(path, "[{index}]");
                }
            }
        }
        let mut path = String::new();
        write(&self.way, &mut path);
        cut(&path).into_owned()
    }
}
