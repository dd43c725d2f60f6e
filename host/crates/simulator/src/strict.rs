//! The subset of JSON Schema that constrained decoding (`strict: true`) takes.

use serde_json::{Map, Value};

const LONGEST: usize = 5_000;
const DEEPEST: usize = 10;
const MOST_PROPERTIES: usize = 500;
const MOST_ENUM_VALUES: usize = 500;
/// References let a short schema stand for an endless one.
const MOST_NODES: usize = 10_000;
const UNSUPPORTED: [&str; 5] = ["nullable", "pattern", "format", "minItems", "maxItems"];

/// The first problem that a strict schema has.
pub(super) fn problem(schema: &Value) -> Option<String> {
    let Some(root) = schema.as_object() else {
        return Some("JSON schema must be an object".to_owned());
    };
    if root.get("type").is_some_and(|kind| kind != "object") {
        return Some("The root of a JSON schema must be of type object".to_owned());
    }
    let length = schema.to_string().chars().count();
    if length > LONGEST {
        return Some(format!(
            "JSON schema is too long: {length} characters while limit is {LONGEST}"
        ));
    }
    let mut walk = Walk {
        root,
        nodes: 0,
        properties: 0,
        enum_values: 0,
        references: Vec::new(),
    };
    walk.schema(schema, 1).err()
}

struct Walk<'a> {
    root: &'a Map<String, Value>,
    nodes: usize,
    properties: usize,
    enum_values: usize,
    /// The references that are being followed. Meeting one of them again is a recursion.
    references: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value, depth: usize) -> Result<(), String> {
        let Some(map) = schema.as_object() else {
            return Ok(());
        };
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err("JSON schema is too complex".to_owned());
        }
        if depth > DEEPEST {
            return Err(format!(
                "JSON schema is nested deeper than {DEEPEST} levels"
            ));
        }
        self.keywords(map)?;
        if let Some(Value::Object(properties)) = map.get("properties") {
            self.properties += properties.len();
            if self.properties > MOST_PROPERTIES {
                return Err(format!(
                    "JSON schema has more than {MOST_PROPERTIES} properties"
                ));
            }
            for property in properties.values() {
                self.schema(property, depth + 1)?;
            }
        }
        for list in ["anyOf", "prefixItems"] {
            for item in map
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.schema(item, depth + 1)?;
            }
        }
        if let Some(items) = map.get("items") {
            self.schema(items, depth + 1)?;
        }
        match map.get("$ref") {
            Some(Value::String(reference)) => self.reference(reference, depth),
            _ => Ok(()),
        }
    }

    fn keywords(&mut self, map: &Map<String, Value>) -> Result<(), String> {
        if map.contains_key("definitions") {
            return Err(
                "'definitions' is not supported in JSON schema. Use '$defs' instead".to_owned(),
            );
        }
        let unsupported: Vec<_> = UNSUPPORTED
            .iter()
            .filter(|name| map.contains_key(**name))
            .map(|name| format!("'{name}'"))
            .collect();
        if !unsupported.is_empty() {
            return Err(format!(
                "Unsupported JSON schema fields: {{{}}}",
                unsupported.join(", ")
            ));
        }
        self.enum_values += map
            .get("enum")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if self.enum_values > MOST_ENUM_VALUES {
            return Err(format!(
                "JSON schema has more than {MOST_ENUM_VALUES} enum values"
            ));
        }
        match map.get("type") {
            Some(Value::Array(_)) => Err("Lists of types are not supported in JSON schema. \
                 If you are trying to make a field Optional, use anyOf with a null type"
                .to_owned()),
            Some(Value::String(kind)) if kind == "object" => {
                match map.get("additionalProperties") {
                    Some(Value::Bool(false)) => Ok(()),
                    _ => Err(
                        "additionalProperties must be set to false for all objects in JSON schema"
                            .to_owned(),
                    ),
                }
            }
            Some(Value::String(kind)) if kind == "array" => match map.get("items") {
                Some(Value::Bool(true)) => {
                    Err("'items: true' is not supported in JSON schema".to_owned())
                }
                None if !map.contains_key("prefixItems") => {
                    Err("Array fields require at least one of 'items' or 'prefixItems'.".to_owned())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn reference(&mut self, reference: &'a str, depth: usize) -> Result<(), String> {
        let Some(name) = reference.strip_prefix("#/$defs/") else {
            return Err(format!(
                "$ref '{reference}' is not supported in JSON schema"
            ));
        };
        if self.references.contains(&name) {
            return Err("Recursive JSON schemas are not supported".to_owned());
        }
        let root = self.root;
        let Some(target) = root.get("$defs").and_then(|defs| defs.get(name)) else {
            return Err(format!("$ref '{reference}' points to nothing"));
        };
        self.references.push(name);
        let result = self.schema(target, depth);
        self.references.pop();
        result
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use serde_json::json;

    fn object(property: Value) -> Value {
        json!({"type": "object", "properties": {"a": property}, "additionalProperties": false})
    }

    #[test]
    fn each_rule_has_its_sentence() {
        for (schema, part) in [
            (json!({"type": "array"}), "root"),
            (
                json!({"type": "object"}),
                "additionalProperties must be set to false for all objects",
            ),
            (
                object(json!({"type": ["string", "null"]})),
                "Lists of types are not supported",
            ),
            (
                object(json!({"type": "string", "nullable": true})),
                "Unsupported JSON schema fields: {'nullable'}",
            ),
            (
                object(json!({"type": "array"})),
                "at least one of 'items' or 'prefixItems'.",
            ),
            (
                object(json!({"type": "array", "items": true})),
                "items: true",
            ),
            (object(json!({"$ref": "https://x/y"})), "is not supported"),
            (object(json!({"$ref": "#/$defs/none"})), "points to nothing"),
            (json!({"definitions": {}}), "Use '$defs' instead"),
            (
                object(json!({"description": "x".repeat(5_000)})),
                "too long",
            ),
        ] {
            let found = problem(&schema).unwrap();
            assert!(found.contains(part), "{schema}: {found}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_refused() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"next": {"$ref": "#/$defs/node"}},
            "$defs": {"node": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}
        });
        assert_eq!(
            problem(&schema).unwrap(),
            "Recursive JSON schemas are not supported"
        );
    }

    #[test]
    fn a_schema_that_multiplies_itself_is_refused() {
        let mut schema =
            json!({"type": "object", "additionalProperties": false, "$defs": {"9": {}}});
        for level in 0..9 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            schema["$defs"][level.to_string()] = json!({"anyOf": vec![next; 8]});
        }
        schema["properties"] = json!({"a": {"$ref": "#/$defs/1"}});
        assert_eq!(problem(&schema).unwrap(), "JSON schema is too complex");
    }

    #[test]
    fn optional_fields_and_tuples_are_fine() {
        let schema = object(json!({
            "type": "array", "items": false,
            "prefixItems": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "integer"}]
        }));
        assert_eq!(problem(&schema), None);
    }
}
