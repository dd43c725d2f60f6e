//! A request body, read strictly.
//!
//! What must stay true: a body that is read here means the same to every reader. So a key that stands twice in one object is
//! refused: of two prompts under one key, a policy could see one and the upstream the other.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 127;

/// The client sent something that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong and where, in a sentence.
    pub message: String,
    /// The path of what is wrong, as in `messages[0].content`; empty where it is the body as a whole.
    pub param: String,
}

impl BadRequest {
    /// `message` is the whole sentence.
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> BadRequest {
        BadRequest {
            message: message.into(),
            param: param.into(),
        }
    }
}

/// Reads a request body, which is one JSON object.
///
/// # Errors
/// [`BadRequest`], with line and column or the path, where the bytes aren't JSON, nest deeper than [`MAX_DEPTH`], go on after
/// the object, or have a key twice.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, BadRequest> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(BadRequest::new(
            "",
            "the body is empty; it must be a JSON object",
        ));
    }
    match parse(body, "the body")? {
        Value::Object(object) => Ok(object),
        other => Err(BadRequest::new(
            "",
            format!("the body must be a JSON object, not {}", kind(&other)),
        )),
    }
}

/// Reads any JSON text, as strictly.
///
/// # Errors
/// As [`parse_object`]; the sentence calls the text `name`.
pub fn parse(text: &[u8], name: &str) -> Result<Value, BadRequest> {
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict {
        path: &Path::Root,
        twice: &twice,
    }
    .deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match twice.take() {
        Some(path) => {
            let (line, column) = (error.line(), error.column());
            let message = format!("{name} has `{path}` twice, the second time near line {line} column {column}; send it once");
            BadRequest::new(path, message)
        }
        None => BadRequest::new("", format!("{name} can't be read as JSON: {error}")),
    })
}

/// What a value is, for a sentence.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// How deep a value nests: 0 for one that holds no others.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Appends a string as a JSON literal.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a Vec takes every byte");
}

/// Where the reader is. It lives on the stack, so that a path costs nothing until one is told.
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Strict<'p> {
    path: &'p Path<'p>,
    twice: &'p RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict {
            path: &Path::Index(self.path, items.len()),
            twice: self.twice,
        })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = Path::Key(self.path, &key);
            let value = map.next_value_seed(Strict {
                path: &path,
                twice: self.twice,
            })?;
            match members.entry(key) {
                serde_json::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                serde_json::map::Entry::Occupied(place) => {
                    self.twice
                        .replace(Some(Path::Key(self.path, place.key()).to_string()));
                    return Err(A::Error::custom("a key stands twice"));
                }
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;

    fn refused(body: &str) -> BadRequest {
        parse_object(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn key_order_and_values_stay() {
        let body = r#"{"z":18446744073709551615,"a":[-9223372036854775808,0.1,1e300,null,true],"m":{"é":"\ud83d\ude00"}}"#;
        let object = parse_object(body.as_bytes()).unwrap();
        assert_eq!(
            Value::Object(object).to_string(),
            r#"{"z":18446744073709551615,"a":[-9223372036854775808,0.1,1e+300,null,true],"m":{"é":"😀"}}"#
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_by_its_path() {
        let error = refused("{\"messages\":[{},{\"content\":\"a\",\n\"cont\\u0065nt\":\"b\"}]}");
        assert_eq!(error.param, "messages[1].content");
        assert_eq!(
            error.message,
            "the body has `messages[1].content` twice, the second time near line 2 column 19; send it once"
        );
        assert_eq!(refused(r#"{"model":"a","model":"a"}"#).param, "model");
    }

    #[test]
    fn what_is_no_json_object_is_refused_with_its_place() {
        for (body, said) in [
            ("", "the body is empty"),
            (" \n", "the body is empty"),
            ("[1]", "not an array"),
            ("{\"a\":1}\n{}", "trailing characters at line 2 column 1"),
            ("{\"a\":}", "expected value at line 1 column 6"),
            ("{\"a\":1", "EOF while parsing an object at line 1 column 6"),
            ("{\"a\":\"\\ud83d\"}", "at line 1 column"),
            ("{\"a\":NaN}", "expected value"),
        ] {
            let error = refused(body);
            assert!(error.message.contains(said), "{body}: {error}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        let deepest = parse_object(nested(MAX_DEPTH).as_bytes()).unwrap();
        assert_eq!(depth(&Value::Object(deepest)), MAX_DEPTH);
        assert!(
            refused(&nested(MAX_DEPTH + 1))
                .message
                .contains("recursion limit")
        );
        assert!(parse_object("[".repeat(100_000).as_bytes()).is_err());
    }
}
