//! Edits of a tool call's arguments must leave JSON what was JSON. An answer's arguments may be long, and a stream's have no end that is
//! known: so they are read as they pass, and not kept.

/// The arguments of one call, as they came and as they went.
#[derive(Default)]
pub(super) struct Arguments {
    came: Reader,
    went: Reader,
    /// The stage that edited last, in the order of answers.
    editor: Option<usize>,
}

impl Arguments {
    pub(super) fn came(&mut self, text: &str) {
        self.came.read(text);
    }

    pub(super) fn went(&mut self, text: &str) {
        self.went.read(text);
    }

    pub(super) fn edited_by(&mut self, at: usize) {
        self.editor = Some(at);
    }

    /// The stage that broke them, if one did: the one that edited last.
    pub(super) fn broken_by(&self) -> Option<usize> {
        let editor = self.editor?;
        (self.came.is_json() && !self.went.is_json()).then_some(editor)
    }
}

/// How deep arrays and objects may nest; what nests deeper counts as no JSON, as most readers refuse it.
const DEPTH: u32 = 127;

/// Reads JSON text in pieces, and keeps where it is.
#[derive(Default)]
struct Reader {
    at: At,
    /// What the place lies in, the innermost as the lowest bit: 1 for an object, 0 for an array.
    within: u128,
    depth: u32,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum At {
    /// A value is to come.
    #[default]
    Value,
    /// The first value of an array, or its end.
    FirstItem,
    /// The first key of an object, or its end.
    FirstKey,
    Key,
    Colon,
    /// A value has ended.
    After,
    /// In a string. `true`: it is a key.
    Text(bool),
    Escape(bool),
    /// So many hexadecimal digits are to come.
    Hex(bool, u8),
    /// What is left of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Number),
    /// It is no JSON.
    Broken,
}

#[derive(Clone, Copy, PartialEq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Number {
    fn may_end(self) -> bool {
        use Number::{Fraction, Integer, Power, Zero};
        matches!(self, Zero | Integer | Fraction | Power)
    }

    fn next(self, byte: u8) -> Option<Number> {
        use Number::{Exponent, Fraction, Integer, Minus, Point, Power, Sign, Zero};
        Some(match (self, byte) {
            (Minus, b'0') => Zero,
            (Minus | Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => Sign,
            (Exponent | Sign | Power, b'0'..=b'9') => Power,
            _ => return None,
        })
    }
}

impl Reader {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.at == At::Broken {
                return;
            }
            self.at = self.step(byte);
        }
    }

    /// Whether what was read is one JSON value.
    fn is_json(&self) -> bool {
        let ended = match self.at {
            At::After => true,
            At::Number(number) => number.may_end(),
            _ => false,
        };
        ended && self.depth == 0
    }

    fn step(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Text(_), 0..0x20) => At::Broken,
            (At::Text(key), b'"') => {
                if key {
                    At::Colon
                } else {
                    At::After
                }
            }
            (At::Text(key), b'\\') => At::Escape(key),
            (text @ At::Text(_), _) => text,
            (At::Escape(key), b'u') => At::Hex(key, 4),
            (At::Escape(key), b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                At::Text(key)
            }
            (At::Hex(key, left), _) if byte.is_ascii_hexdigit() => match left {
                1 => At::Text(key),
                _ => At::Hex(key, left - 1),
            },
            (At::Word(left), _) => match left {
                [last] if *last == byte => At::After,
                [next, rest @ ..] if *next == byte => At::Word(rest),
                _ => At::Broken,
            },
            (At::Number(number), _) => match number.next(byte) {
                Some(next) => At::Number(next),
                None if number.may_end() => self.after(byte),
                None => At::Broken,
            },
            (at, b' ' | b'\t' | b'\n' | b'\r') if !matches!(at, At::Escape(_) | At::Hex(..)) => at,
            (At::After, _) => self.after(byte),
            (At::FirstItem, b']') | (At::FirstKey, b'}') => self.end(),
            (At::FirstKey | At::Key, b'"') => At::Text(true),
            (At::Colon, b':') => At::Value,
            (At::Value | At::FirstItem, _) => self.begin(byte),
            _ => At::Broken,
        }
    }

    fn begin(&mut self, byte: u8) -> At {
        match byte {
            b'"' => At::Text(false),
            b'{' | b'[' if self.depth == DEPTH => At::Broken,
            b'{' => {
                self.depth += 1;
                self.within = self.within << 1 | 1;
                At::FirstKey
            }
            b'[' => {
                self.depth += 1;
                self.within <<= 1;
                At::FirstItem
            }
            b't' => At::Word(b"rue"),
            b'f' => At::Word(b"alse"),
            b'n' => At::Word(b"ull"),
            b'-' => At::Number(Number::Minus),
            b'0' => At::Number(Number::Zero),
            b'1'..=b'9' => At::Number(Number::Integer),
            _ => At::Broken,
        }
    }

    /// What follows a value.
    fn after(&mut self, byte: u8) -> At {
        let object = self.within & 1 == 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => At::After,
            _ if self.depth == 0 => At::Broken,
            b',' if object => At::Key,
            b',' => At::Value,
            b'}' if object => self.end(),
            b']' if !object => self.end(),
            _ => At::Broken,
        }
    }

    fn end(&mut self) -> At {
        self.depth -= 1;
        self.within >>= 1;
        At::After
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_json(pieces: &[&str]) -> bool {
        let mut reader = Reader::default();
        pieces.iter().for_each(|piece| reader.read(piece));
        reader.is_json()
    }

    fn parses(text: &str) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    #[test]
    fn what_nests_too_deeply_is_none() {
        for (depth, json) in [(126, true), (127, true), (128, false), (100_000, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(is_json(&[&text]), json, "{depth}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn json_is_what_the_json_reader_takes_wherever_it_is_cut(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\n", "\\u00e9", "\\ud83d", "\\u00", "-", "0", "1",
                    "12", ".", "5", "e", "E+", "true", "false", "null", "nul", " ", "\n", "\u{1}", "é", "[]", "{}", "{\"a\":1}", "[1,2]",
                ]),
                0..8,
            ),
        ) {
            let text = parts.concat();
            prop_assert_eq!(is_json(&parts), parses(&text), "{}", text);
        }

        #[test]
        fn any_value_is_json(value in any::<Vec<(String, f64, Option<bool>)>>()) {
            let text = serde_json::to_string(&value).expect("it is written");
            let (before, after) = text.split_at(text.floor_char_boundary(text.len() / 2));
            prop_assert!(is_json(&[before, after]));
            prop_assert_eq!(is_json(&[before]), parses(before));
        }
    }
}
