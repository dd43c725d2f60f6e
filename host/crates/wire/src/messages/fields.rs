//! Reading a body that has been gone over before, where it lies. Nothing is built of it: a value is the text that it was.

use std::fmt;
use std::ops::Range;

use crate::json::{BadRequest, Kind, items as places, members};
use crate::raw::unescape;

/// Where a value stands, for whoever reads of an error in it.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Body,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Body => Ok(()),
            At::Member(At::Body, name) => f.write_str(name),
            At::Member(above, name) => write!(f, "{above}.{name}"),
            At::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

impl At<'_> {
    /// The value is none that may stand here.
    pub(super) fn wrong(&self, must_be: &str, json: &str) -> BadRequest {
        let is = Kind::of(json.bytes().next()).map_or("nothing", Kind::word);
        self.bad(format_args!("must be {must_be}, not {is}"))
    }

    pub(super) fn missing(&self, name: &str) -> BadRequest {
        At::Member(self, name).bad("is missing")
    }

    /// `says` is what follows the path.
    pub(super) fn bad(&self, says: impl fmt::Display) -> BadRequest {
        let path = self.to_string();
        let message = format!("`{path}` {says}");
        BadRequest::new(path, message)
    }
}

pub(super) fn kind(json: &str) -> Option<Kind> {
    Kind::of(json.bytes().next())
}

/// A string literal, as it stands there.
pub(super) fn string<'b>(json: &'b str, at: &At<'_>) -> Result<&'b str, BadRequest> {
    match kind(json) {
        Some(Kind::String) => Ok(json),
        _ => Err(at.wrong("a string", json)),
    }
}

/// The members of these names; one that is null counts as none. Others aren't looked at. One that stands twice is refused: one reader would
/// take the first, another the last.
pub(super) fn fields<'b, const N: usize>(
    json: &'b str,
    names: [&str; N],
    at: &At<'_>,
) -> Result<[Option<&'b str>; N], BadRequest> {
    if kind(json) != Some(Kind::Object) {
        return Err(at.wrong("an object", json));
    }
    let mut found = [None; N];
    for (key, value) in members(json.as_bytes(), 0) {
        let key = unescape(&json[key]).unwrap_or_default();
        let Some(place) = names.iter().position(|name| *name == key) else {
            continue;
        };
        if found[place].replace(&json[value]).is_some() {
            return Err(At::Member(at, names[place]).bad("stands there twice; send it once"));
        }
    }
    Ok(found.map(|value| value.filter(|value| *value != "null")))
}

/// The places of an array's elements.
pub(super) fn items<'b>(
    json: &'b str,
    must_be: &str,
    at: &At<'_>,
) -> Result<impl Iterator<Item = Range<usize>> + Clone + use<'b>, BadRequest> {
    match kind(json) {
        Some(Kind::Array) => Ok(places(json.as_bytes(), 0)),
        _ => Err(at.wrong(must_be, json)),
    }
}
