//! Reading a body that has been gone over before, where it lies. Nothing is built of it: a value is the text that it was.

use std::fmt;

use crate::bridge;
use crate::json::{BadRequest, Kind, Scanner};
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

/// The members of some names of one object, as far as they have come.
struct Fields<'b, const N: usize> {
    names: [&'static str; N],
    found: [Option<&'b str>; N],
}

impl<'b, const N: usize> Fields<'b, N> {
    fn new(names: [&'static str; N]) -> Self {
        Fields {
            names,
            found: [None; N],
        }
    }

    /// Takes one, whose key is written so. One that stands twice is refused: one reader would take the first, another the last.
    fn take(&mut self, key: &str, value: &'b str, at: &At<'_>) -> Result<(), BadRequest> {
        let key = unescape(key).unwrap_or_default();
        let Some(place) = self.names.iter().position(|name| *name == key) else {
            return Ok(());
        };
        match self.found[place].replace(value) {
            None => Ok(()),
            Some(_) => {
                Err(At::Member(at, self.names[place]).bad("stands there twice; send it once"))
            }
        }
    }

    /// One that is null counts as none.
    fn values(self) -> [Option<&'b str>; N] {
        self.found
            .map(|value| value.filter(|value| *value != "null"))
    }
}

/// The members of these names of a body, which nobody has read before. Others are gone over, and left.
pub(super) fn body_fields<'b, const N: usize>(
    body: &'b [u8],
    names: [&'static str; N],
) -> Result<[Option<&'b str>; N], BadRequest> {
    let mut fields = Fields::new(names);
    bridge::each_checked(body, |key, value| fields.take(key, value, &At::Body))?;
    Ok(fields.values())
}

/// The same of an object in a body that has been gone over.
pub(super) fn fields<'b, const N: usize>(
    json: &'b str,
    names: [&'static str; N],
    at: &At<'_>,
) -> Result<[Option<&'b str>; N], BadRequest> {
    Items::at(json).fields(names, at)
}

/// Goes over the elements of an array in a body that has been gone over. Each is read once, where it lies.
#[derive(Clone)]
pub(super) struct Items<'b> {
    json: &'b str,
    scan: Scanner<'b>,
}

impl<'b> Items<'b> {
    /// Those of that array.
    pub(super) fn of(json: &'b str, must_be: &str, at: &At<'_>) -> Result<Self, BadRequest> {
        if kind(json) != Some(Kind::Array) {
            return Err(at.wrong(must_be, json));
        }
        let mut items = Items::at(json);
        items.scan.takes(b'[');
        Ok(items)
    }

    fn at(json: &'b str) -> Self {
        Items {
            json,
            scan: Scanner::new(json.as_bytes(), 0),
        }
    }

    /// Whether there is one more.
    pub(super) fn more(&self) -> bool {
        !matches!(self.scan.peek(), None | Some(b']'))
    }

    /// Reads these members of the next, which must be an object.
    pub(super) fn fields<const N: usize>(
        &mut self,
        names: [&'static str; N],
        at: &At<'_>,
    ) -> Result<[Option<&'b str>; N], BadRequest> {
        let Items { json, scan } = self;
        if !scan.takes(b'{') {
            return Err(at.wrong("an object", &json[scan.at..]));
        }
        let mut fields = Fields::new(names);
        while scan.peek() == Some(b'"') {
            let key = Self::value(json, scan);
            scan.takes(b':');
            let value = Self::value(json, scan);
            scan.takes(b',');
            fields.take(key, value, at)?;
        }
        scan.takes(b'}');
        scan.takes(b',');
        Ok(fields.values())
    }

    /// The next, as it is written.
    pub(super) fn next(&mut self) -> &'b str {
        let value = Self::value(self.json, &mut self.scan);
        self.scan.takes(b',');
        value
    }

    fn value(json: &'b str, scan: &mut Scanner<'b>) -> &'b str {
        let start = scan.at;
        scan.skip();
        let value = &json[start..scan.at];
        scan.space();
        value
    }
}
