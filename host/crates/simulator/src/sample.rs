//! A small JSON value that a simple schema accepts.

use serde_json::{Map, Value, json};

/// References let a short schema stand for an endless one. After this many values, the rest is null.
const MOST_VALUES: u32 = 10_000;
/// Deep enough for any schema that upstream takes.
const DEEPEST: usize = 16;

/// A value for the schema: required properties only, lists empty unless told otherwise.
pub(super) fn of(schema: &Value) -> Value {
    let mut left = MOST_VALUES;
    value(schema, schema, 0, &mut left)
}

fn value(schema: &Value, root: &Value, depth: usize, left: &mut u32) -> Value {
    if depth > DEEPEST || *left == 0 {
        return Value::Null;
    }
    *left -= 1;
    for fixed in ["const", "default"] {
        if let Some(value) = schema.get(fixed) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(target) = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'))
    {
        return root
            .pointer(target)
            .map_or(Value::Null, |target| value(target, root, depth + 1, left));
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[list].get(0) {
            return value(first, root, depth + 1, left);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().unwrap_or(&Value::Null),
        kind => kind,
    };
    match kind.as_str() {
        Some("string") => text(schema),
        Some("integer") => number(schema, |least| json!(least.ceil() as i64)),
        Some("number") => number(schema, |least| json!(least)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => array(schema, root, depth, left),
        _ => object(schema, root, depth, left),
    }
}

fn text(schema: &Value) -> Value {
    let word = "simulated";
    let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000) as usize;
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    let text: String = word
        .chars()
        .cycle()
        .take(
            least
                .max(word.len())
                .min(usize::try_from(most).unwrap_or(usize::MAX)),
        )
        .collect();
    json!(text)
}

fn number(schema: &Value, write: impl Fn(f64) -> Value) -> Value {
    let least = schema["minimum"]
        .as_f64()
        .or_else(|| schema["exclusiveMinimum"].as_f64().map(|bound| bound + 1.0));
    let most = schema["maximum"].as_f64();
    match (least, most) {
        (Some(least), _) => write(least),
        (None, Some(most)) if most < 0.0 => write(most),
        _ => json!(0),
    }
}

fn array(schema: &Value, root: &Value, depth: usize, left: &mut u32) -> Value {
    if let Some(items) = schema["prefixItems"].as_array() {
        return items
            .iter()
            .map(|item| value(item, root, depth + 1, left))
            .collect();
    }
    let least = schema["minItems"].as_u64().unwrap_or(0).min(100);
    (0..least)
        .map(|_| value(&schema["items"], root, depth + 1, left))
        .collect()
}

fn object(schema: &Value, root: &Value, depth: usize, left: &mut u32) -> Value {
    let Some(properties) = schema["properties"].as_object() else {
        return json!({});
    };
    let required = schema["required"].as_array();
    let made: Map<String, Value> = properties
        .iter()
        .filter(|(name, _)| {
            required.is_none_or(|names| names.iter().any(|required| required == name.as_str()))
        })
        .map(|(name, property)| (name.clone(), value(property, root, depth + 1, left)))
        .collect();
    Value::Object(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_what_is_required_and_of_the_right_kind() {
        let schema = json!({
            "type": "object", "required": ["name", "age", "tags", "home", "kind"],
            "properties": {
                "name": {"type": "string", "maxLength": 3},
                "age": {"type": "integer", "minimum": 18},
                "tags": {"type": "array", "minItems": 1, "items": {"type": "boolean"}},
                "home": {"$ref": "#/$defs/home"},
                "kind": {"enum": ["a", "b"]},
                "left_out": {"type": "string"}
            },
            "$defs": {"home": {"anyOf": [{"type": "null"}, {"type": "string"}]}}
        });
        assert_eq!(
            of(&schema),
            json!({"name": "sim", "age": 18, "tags": [true], "home": null, "kind": "a"})
        );
    }

    #[test]
    fn a_schema_without_end_ends() {
        let itself = json!({"$ref": "#"});
        let schema = json!({"properties": {"a": itself, "b": itself, "c": itself, "d": itself,
            "e": itself, "f": itself, "g": itself, "h": itself, "i": itself, "j": itself}});
        assert!(of(&schema).is_object());
    }
}
