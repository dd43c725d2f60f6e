//! JSON objects whose values stay the bytes that they were.
//!
//! For bodies that are taken apart and put together again: numbers keep their digits, strings their escapes, and what nobody
//! knows stays as it is.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::write_str;

/// A JSON object, one layer of it read.
#[derive(Debug, Default)]
pub struct RawObject<'a> {
    /// Keys without escapes, and values as they came, in order. A key may stand twice.
    pub members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> RawObject<'a> {
    /// Reads one layer.
    ///
    /// # Errors
    /// Where the text isn't one JSON object.
    pub fn parse(text: &'a str) -> Result<RawObject<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value under this key; the last, where there are several, as most readers do.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .rfind(|(name, _)| name == key)
            .map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(RawObject { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Shows each member of an object in turn, and keeps none.
///
/// # Errors
/// Where the text isn't one JSON object, or with what `see` says.
pub(super) fn each_member<'a>(
    json: &'a str,
    see: impl FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), &'static str>,
) -> Result<(), serde_json::Error> {
    struct Members<F>(F);

    impl<'a, F: FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), &'static str>> Visitor<'a>
        for Members<F>
    {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(key)) = map.next_key()? {
                (self.0)(key, map.next_value()?).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }

    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members(see))?;
    reader.end()
}

/// Shows each item of an array in turn, and keeps none.
///
/// # Errors
/// Where the text isn't one JSON array, or with what `see` says.
pub(super) fn each_item<'a>(
    json: &'a str,
    see: impl FnMut(&'a RawValue) -> Result<(), &'static str>,
) -> Result<(), serde_json::Error> {
    struct Items<F>(F);

    impl<'a, F: FnMut(&'a RawValue) -> Result<(), &'static str>> Visitor<'a> for Items<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(item) = seq.next_element()? {
                (self.0)(item).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }

    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_seq(Items(see))?;
    reader.end()
}

/// The value under this key of an object; the last, where there are several.
pub(super) fn member<'a>(json: &'a str, key: &str) -> Option<&'a RawValue> {
    let mut found = None;
    let read = each_member(json, |name, value| {
        if name == key {
            found = Some(value);
        }
        Ok(())
    });
    found.filter(|_| read.is_ok())
}

/// A string, borrowed where it has no escapes.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyString;

        impl<'de> Visitor<'de> for AnyString {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(AnyString)
    }
}

/// Where `part`, which was borrowed from `whole`, lies in it.
pub(super) fn span_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// The text of a JSON string literal; `None` where the value isn't one.
///
/// Half of a surrogate pair has no place in a text: it is read as U+FFFD, one for each half.
pub(super) fn unescape(literal: &str) -> Option<Cow<'_, str>> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    match memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        Some(first) => Some(Cow::Owned(without_escapes(inner, first))),
    }
}

/// The inside of a literal, of which `first` is the first backslash. The JSON reader has seen it, so every escape is whole.
fn without_escapes(inner: &str, first: usize) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(&rest[..at]);
        let escape = &rest.as_bytes()[at..];
        let mut length = 2;
        out.push(match escape.get(1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let second = escape.get(6..).and_then(unit);
                let units = unit(escape).into_iter().chain(second);
                let char = char::decode_utf16(units).next().and_then(Result::ok);
                length = if char.is_some_and(|char| char.len_utf16() == 2) {
                    12
                } else {
                    6
                };
                char.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(&other) => char::from(other),
            None => char::REPLACEMENT_CHARACTER,
        });
        rest = rest.get(at + length..).unwrap_or_default();
        next = memchr(b'\\', rest.as_bytes());
    }
    out.push_str(rest);
    out
}

/// The UTF-16 unit of an escape that begins these bytes.
fn unit(escape: &[u8]) -> Option<u16> {
    let [b'\\', b'u', hex @ ..] = escape else {
        return None;
    };
    hex.get(..4)?.iter().try_fold(0_u16, |unit, digit| {
        Some(unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?)
    })
}

/// Writes a JSON object, member by member.
pub(super) struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> ObjectWriter<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> ObjectWriter<'o> {
        out.push(b'{');
        ObjectWriter { out, first: true }
    }

    /// Begins a member; its value is to be written into what this returns.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write_str(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Where the value that was begun last goes on.
    pub(super) fn value(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub(super) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        write_str(self.key(key), text);
    }

    /// Members that were written before, without braces; at least one.
    pub(super) fn members(&mut self, members: &[u8]) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(members);
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_keep_their_bytes_and_keys_lose_their_escapes() {
        let object =
            RawObject::parse(r#" {"\u0061" : 1.50e0 ,"b": [ 1 , 2 ] ,"a":"\ud83d"} "#).unwrap();
        assert_eq!(object.members[0].0, "a");
        assert_eq!(object.members[0].1.get(), "1.50e0");
        assert_eq!(object.get("b").unwrap().get(), "[ 1 , 2 ]");
        assert_eq!(object.get("a").unwrap().get(), r#""\ud83d""#);
        assert!(RawObject::parse("[]").is_err());
    }

    #[test]
    fn halves_of_surrogate_pairs_become_replacement_characters() {
        for (literal, text) in [
            (r#""plain ü""#, "plain ü"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00\n\"b\\\/\u00e9 c""#, "\u{fffd}\n\"b\\/é c"),
            (
                r#""\ud83d\ud83d\ude00\t\b\f\r""#,
                "\u{fffd}😀\t\u{8}\u{c}\r",
            ),
            (r#""\ud83dü\ude00x""#, "\u{fffd}ü\u{fffd}x"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
        ] {
            assert_eq!(unescape(literal).unwrap(), text, "{literal}");
        }
        assert_eq!(unescape("null"), None);
        assert_eq!(unescape("12"), None);
    }

    proptest! {
        #[test]
        fn any_literal_reads_as_the_json_reader_has_it(units in prop::collection::vec(any::<u16>(), 0..20), plain in ".*") {
            let literal = serde_json::to_string(&plain).unwrap();
            prop_assert_eq!(unescape(&literal).unwrap(), plain);
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let literal = format!("\"{escapes}\"");
            prop_assert_eq!(unescape(&literal).unwrap(), String::from_utf16_lossy(&units));
        }
    }
}
