//! Reads one JSON value byte by byte, and follows it through a schema as far as single types and names of properties tell.
//!
//! An error is told at the first byte that can't be, however the text is cut.

use json_schema::{Kind, NoSuchProperty, Place, Schema};

/// How deep arrays and objects may lie in each other, as with the parser that reads the whole.
const DEEPEST: usize = 127;
/// A longer name of a property isn't followed.
const LONGEST_NAME: usize = 1024;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// This byte can't follow.
    Syntax,
    /// Arrays and objects lie too deep in each other.
    Depth,
    /// The schema allows no such value: the place in it.
    Schema(String),
}

/// One value, of which the beginning has been read.
#[derive(Debug)]
pub(crate) struct Reader {
    state: State,
    frames: Vec<Frame>,
    /// The place in the schema of the value that comes, where one is known.
    expected: Option<Place>,
    /// The name that is being read, quotes and escapes included.
    name: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    is_object: bool,
    place: Option<Place>,
    index: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value follows.
    Value,
    /// A value or the array's end follows.
    FirstItem,
    /// A name or the object's end follows.
    FirstName,
    /// A name follows.
    Name,
    /// A colon follows.
    Colon,
    /// A comma or an end follows.
    After,
    Text,
    Escape,
    /// So many hexadecimal digits of an escape follow.
    Hex(u8),
    Number(Number),
    /// Of a literal, this is left.
    Literal(&'static [u8]),
    /// The value has ended.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Reader {
    pub(crate) fn new(schema: Option<&Schema>) -> Reader {
        Reader {
            state: State::Value,
            frames: Vec::new(),
            expected: schema.map(Schema::root),
            name: Vec::new(),
        }
    }

    /// Whether something else than white space has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Value || !self.frames.is_empty()
    }

    /// Whether the value is whole, if nothing of it follows.
    pub(crate) fn is_whole(&self) -> bool {
        match self.state {
            State::Number(number) => self.frames.is_empty() && number.may_end(),
            State::Literal(rest) => self.frames.is_empty() && rest.is_empty(),
            state => state == State::Done,
        }
    }

    /// Reads on. How many bytes were read: all, or up to where the value ended. An error comes with its place.
    pub(crate) fn read(
        &mut self,
        text: &[u8],
        schema: Option<&Schema>,
    ) -> Result<usize, (usize, Wrong)> {
        let mut at = 0;
        while at < text.len() && self.state != State::Done {
            if self.state == State::Text {
                let rest = &text[at..];
                let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
                let ends = rest.iter().position(|byte| !plain(byte));
                let length = ends.unwrap_or(rest.len());
                self.keep_name(&rest[..length]);
                at += length;
                if length == rest.len() {
                    break;
                }
            }
            if self.step(text[at], schema).map_err(|wrong| (at, wrong))? {
                at += 1;
            }
        }
        Ok(at)
    }

    /// Takes a byte. `false`: it wasn't of this value, which ended before it.
    fn step(&mut self, byte: u8, schema: Option<&Schema>) -> Result<bool, Wrong> {
        match self.state {
            State::Text | State::Escape | State::Hex(_) => {
                self.in_text(byte, schema)?;
                return Ok(true);
            }
            State::Number(number) => {
                if let Some(next) = number.next(byte) {
                    self.state = State::Number(next);
                    return Ok(true);
                }
                if !number.may_end() {
                    return Err(Wrong::Syntax);
                }
                self.ended();
                return Ok(false);
            }
            State::Literal(rest) => {
                let Some((first, rest)) = rest.split_first() else {
                    self.ended();
                    return Ok(false);
                };
                if *first != byte {
                    return Err(Wrong::Syntax);
                }
                self.state = State::Literal(rest);
                return Ok(true);
            }
            _ => {}
        }
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Ok(true);
        }
        match (self.state, byte) {
            (State::FirstItem, b']') | (State::FirstName, b'}') => self.close(),
            (State::Value | State::FirstItem, _) => self.begin(byte, schema)?,
            (State::FirstName | State::Name, b'"') => {
                self.state = State::Text;
                self.name.push(b'"');
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::After, _) => {
                let frame = self.frames.last_mut().ok_or(Wrong::Syntax)?;
                match (byte, frame.is_object) {
                    (b'}', true) | (b']', false) => self.close(),
                    (b',', true) => self.state = State::Name,
                    (b',', false) => {
                        frame.index += 1;
                        self.expected = item(frame, schema);
                        self.state = State::Value;
                    }
                    _ => return Err(Wrong::Syntax),
                }
            }
            _ => return Err(Wrong::Syntax),
        }
        Ok(true)
    }

    fn in_text(&mut self, byte: u8, schema: Option<&Schema>) -> Result<(), Wrong> {
        self.keep_name(&[byte]);
        self.state = match (self.state, byte) {
            (State::Text, b'"') => {
                if self.name.is_empty() {
                    self.ended();
                } else {
                    self.named(schema)?;
                    self.state = State::Colon;
                }
                return Ok(());
            }
            (State::Text, b'\\') => State::Escape,
            (State::Escape, b'u') => State::Hex(4),
            (State::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => State::Text,
            (State::Hex(1), byte) if byte.is_ascii_hexdigit() => State::Text,
            (State::Hex(left), byte) if byte.is_ascii_hexdigit() => State::Hex(left - 1),
            _ => return Err(Wrong::Syntax),
        };
        Ok(())
    }

    fn keep_name(&mut self, bytes: &[u8]) {
        if !self.name.is_empty() && self.name.len() <= LONGEST_NAME {
            self.name.extend_from_slice(bytes);
        }
    }

    /// The name of a property has come.
    fn named(&mut self, schema: Option<&Schema>) -> Result<(), Wrong> {
        let name = std::mem::take(&mut self.name);
        let place = self.frames.last().and_then(|frame| frame.place);
        self.expected = None;
        let (Some(schema), Some(place)) = (schema, place) else {
            return Ok(());
        };
        if name.len() > LONGEST_NAME {
            return Ok(());
        }
        let Ok(name) = serde_json::from_slice::<String>(&name) else {
            return Ok(());
        };
        match schema.property(place, &name) {
            Ok(place) => self.expected = place,
            Err(NoSuchProperty) => {
                let pointer = schema.pointer(place);
                return Err(Wrong::Schema(format!("{pointer}/additionalProperties")));
            }
        }
        Ok(())
    }

    /// The first byte of a value.
    fn begin(&mut self, byte: u8, schema: Option<&Schema>) -> Result<(), Wrong> {
        let (kind, state) = match byte {
            b'{' => (Kind::Object, State::FirstName),
            b'[' => (Kind::Array, State::FirstItem),
            b'"' => (Kind::String, State::Text),
            b'-' => (Kind::Number, State::Number(Number::Minus)),
            b'0' => (Kind::Number, State::Number(Number::Zero)),
            b'1'..=b'9' => (Kind::Number, State::Number(Number::Whole)),
            b't' => (Kind::Boolean, State::Literal(b"rue")),
            b'f' => (Kind::Boolean, State::Literal(b"alse")),
            b'n' => (Kind::Null, State::Literal(b"ull")),
            _ => return Err(Wrong::Syntax),
        };
        let place = self.expected.take();
        if let (Some(schema), Some(place)) = (schema, place)
            && !schema.may_be(place, kind)
        {
            return Err(Wrong::Schema(format!("{}/type", schema.pointer(place))));
        }
        self.state = state;
        if matches!(kind, Kind::Object | Kind::Array) {
            if self.frames.len() == DEEPEST {
                return Err(Wrong::Depth);
            }
            let frame = Frame {
                is_object: kind == Kind::Object,
                place,
                index: 0,
            };
            self.expected = match kind {
                Kind::Array => item(&frame, schema),
                _ => None,
            };
            self.frames.push(frame);
        }
        Ok(())
    }

    fn close(&mut self) {
        self.frames.pop();
        self.ended();
    }

    fn ended(&mut self) {
        self.state = match self.frames.is_empty() {
            true => State::Done,
            false => State::After,
        };
    }
}

fn item(frame: &Frame, schema: Option<&Schema>) -> Option<Place> {
    schema?.item(frame.place?, frame.index)
}

impl Number {
    fn next(self, byte: u8) -> Option<Number> {
        Some(match (self, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus, b'1'..=b'9') | (Number::Whole, b'0'..=b'9') => Number::Whole,
            (Number::Zero | Number::Whole, b'.') => Number::Dot,
            (Number::Dot | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Whole | Number::Fraction, b'e' | b'E') => Number::E,
            (Number::E, b'+' | b'-') => Number::Sign,
            (Number::E | Number::Sign | Number::Exponent, b'0'..=b'9') => Number::Exponent,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Number::Zero | Number::Whole | Number::Fraction | Number::Exponent
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Whether a text is one value, byte by byte.
    fn reads(text: &str) -> bool {
        let mut reader = Reader::new(None);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() && reader.state != State::Done {
            match reader.read(&bytes[at..=at], None) {
                Ok(read) => at += read,
                Err(_) => return false,
            }
        }
        let rest = &bytes[at..];
        reader.is_whole() && rest.iter().all(|byte| b" \n\r\t".contains(byte))
    }

    #[test]
    fn what_is_json_is_read_and_what_isnt_is_not() {
        for text in [
            "0",
            "-1.5e+3",
            "1E9",
            "true",
            "null",
            r#""a\u00e9\n""#,
            "[]",
            "{}",
            " [1, [ ], {\"a\" : {}} ] ",
            r#"{"a":"b","c":[true,false,null]}"#,
        ] {
            assert!(reads(text), "{text}");
        }
        for text in [
            "",
            "-",
            "01",
            "1.",
            "1e",
            "tru",
            "truex",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\n\"",
            "[1,]",
            "[1 2]",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":1,}",
            "[}",
            "{]",
            "]",
            "[1]]",
            "1 2",
            "{\"a\":}",
            ",",
            "\"\\u12g4\"",
        ] {
            assert!(!reads(text), "{text}");
        }
    }

    #[test]
    fn a_value_that_cant_match_is_told_at_its_first_byte() {
        let schema = Schema::new(&json!({
            "type": "object",
            "properties": {"list": {"type": "array", "items": {"type": "number"}}, "a\"b": {"type": "null"}},
            "additionalProperties": false
        }))
        .unwrap();
        for (text, at, pointer) in [
            ("[1]", 0, "/type"),
            (r#"{"list": [1, "x"]}"#, 13, "/properties/list/items/type"),
            (r#"{"list": 1}"#, 9, "/properties/list/type"),
            (r#"{"lisp": 1}"#, 6, "/additionalProperties"),
            (r#"{"a\"b": 0}"#, 9, "/properties/a\"b/type"),
        ] {
            let mut reader = Reader::new(Some(&schema));
            reader.read(&text.as_bytes()[..at], Some(&schema)).unwrap();
            let wrong = reader.read(&text.as_bytes()[at..=at], Some(&schema));
            assert_eq!(wrong, Err((0, Wrong::Schema(pointer.into()))), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_as_it_is_for_the_parser() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for depth in [126, 127, 128] {
            let parses = serde_json::from_str::<Value>(&deep(depth)).is_ok();
            assert_eq!(reads(&deep(depth)), parses, "{depth}");
        }
    }

    proptest! {
        /// It reads what the parser reads, but for halves of surrogates, which it passes over.
        #[test]
        fn it_agrees_with_the_parser(text in r#"[\[\]{}:, "a\\n0-9.e+tru-]{0,24}"#) {
            prop_assert_eq!(reads(&text), serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
