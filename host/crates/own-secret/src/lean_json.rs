//! JSON of a target's errors, read without the memory that a value of every number in it would take: a body of a mebibyte may be made of
//! half a million of them.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// How many values of a body are kept, the first ones. No error has as many; what comes after isn't there.
const MOST: usize = 1000;

/// The value that a body is, as far as it is kept. `None` where it is no JSON.
pub fn value(body: &[u8]) -> Option<Value> {
    let mut left = MOST;
    read(body, Kept(&mut left))
}

/// Whether any text of it, a name among them, is one of these. `false` where it is no JSON.
pub fn has_text(body: &[u8], mut wanted: impl FnMut(&str) -> bool) -> bool {
    let mut found = false;
    let mut see = |text: &str| found |= wanted(text);
    read(body, Seen(&mut see));
    found
}

fn read<'de, S: DeserializeSeed<'de>>(body: &'de [u8], seed: S) -> Option<S::Value> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = seed.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

/// Keeps values while there is room.
struct Kept<'l>(&'l mut usize);

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        if *self.0 == 0 {
            json.deserialize_ignored_any(IgnoredAny)?;
            return Ok(Value::Null);
        }
        *self.0 -= 1;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while *self.0 > 0 {
            match items.next_element_seed(Kept(&mut *self.0))? {
                Some(item) => kept.push(item),
                None => return Ok(kept.into()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while *self.0 > 0 {
            let Some(name) = members.next_key::<String>()? else {
                return Ok(kept.into());
            };
            kept.insert(name, members.next_value_seed(Kept(&mut *self.0))?);
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }
}

/// Shows every text and keeps nothing.
struct Seen<'s>(&'s mut dyn FnMut(&str));

impl<'de> DeserializeSeed<'de> for Seen<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seen<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.0)(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Seen(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Seen(&mut *self.0))?.is_some() {
            members.next_value_seed(Seen(&mut *self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_as_it_was() {
        let text = r#"{"a":[1,-2,0.5,null,true,"x\n"],"b":{"c":{}}}"#;
        let whole = json!({"a": [1, -2, 0.5, null, true, "x\n"], "b": {"c": {}}});
        assert_eq!(value(text.as_bytes()), Some(whole));
        for text in ["", "{", "{} x", "\"\u{1}\"", "nul"] {
            assert_eq!(value(text.as_bytes()), None, "{text}");
        }
    }

    /// How many values there are.
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }

    #[test]
    fn of_a_body_of_numbers_little_is_kept() {
        let numbers = "0,".repeat(200_000);
        let lists = "[".repeat(50) + &"[],".repeat(100_000) + "0" + &"]".repeat(50);
        let objects: String = (0..100_000).map(|it| format!("\"{it}\":{{}},")).collect();
        for text in [
            format!("[{numbers}0]"),
            lists,
            format!("{{{objects}\"x\":0}}"),
            format!("{{\"message\":\"said\",\"x\":[{numbers}0]}}"),
        ] {
            let kept = value(text.as_bytes()).map(|value| count(&value));
            assert!(kept.is_some_and(|kept| kept <= MOST + 1), "{kept:?}");
        }
        let said = value(format!("{{\"message\":\"said\",\"x\":[{numbers}0]}}").as_bytes());
        assert_eq!(
            said.map(|said| said["message"].clone()),
            Some(json!("said"))
        );
    }

    #[test]
    fn every_text_is_seen() {
        let text = r#"[{"a":"b"},["c"],"\u0064",[[{"e":[0,"f"]}]]]"#;
        let mut seen = String::new();
        let found = has_text(text.as_bytes(), |text| {
            seen += text;
            text == "d"
        });
        assert_eq!((found, &*seen), (true, "abcdef"));
        assert!(!has_text(b"no JSON", |_| true));
    }
}
