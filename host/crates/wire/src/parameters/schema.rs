//! The schemas that can be decoded strictly: a part of JSON Schema, and no long ones.

use std::borrow::Cow;

use serde_json::{Map, Value};

type Checked = Result<(), Cow<'static, str>>;

const LONGEST: usize = 5_000;
const DEEPEST: u32 = 10;
const MOST_PROPERTIES: usize = 500;
const MOST_ENUM_VALUES: usize = 500;
/// References make much of little.
const MOST_PLACES: u32 = 10_000;

const UNSUPPORTED: [&str; 5] = ["nullable", "pattern", "format", "minItems", "maxItems"];

/// What is wrong with a schema, as JSON text that has been read.
pub(super) fn problem(json: &[u8]) -> Option<Cow<'static, str>> {
    let length = length(json);
    if length > LONGEST {
        let sentence =
            format!("JSON schema is too long: {length} characters while limit is {LONGEST}");
        return Some(sentence.into());
    }
    let Ok(Value::Object(root)) = serde_json::from_slice(json) else {
        return Some("JSON schema must be an object".into());
    };
    if root.get("type").is_some_and(|kind| kind != "object") {
        return Some("The root of a JSON schema must be of type object".into());
    }
    let mut check = Check {
        root: &root,
        places: 0,
        properties: 0,
        enum_values: 0,
        following: Vec::new(),
    };
    check.object(&root, 1).err()
}

/// Characters of it without the space between its tokens.
fn length(json: &[u8]) -> usize {
    let (mut length, mut within, mut escaped) = (0, false, false);
    for byte in json {
        let begins_char = byte & 0xc0 != 0x80;
        length += usize::from(begins_char && (within || !byte.is_ascii_whitespace()));
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = within,
            b'"' => within = !within,
            _ => {}
        }
    }
    length
}

struct Check<'s> {
    root: &'s Map<String, Value>,
    places: u32,
    properties: usize,
    enum_values: usize,
    /// The definitions that are being gone through.
    following: Vec<&'s str>,
}

impl<'s> Check<'s> {
    fn schema(&mut self, schema: &'s Value, depth: u32) -> Checked {
        match schema {
            Value::Object(schema) => self.object(schema, depth),
            _ => Ok(()),
        }
    }

    fn object(&mut self, schema: &'s Map<String, Value>, depth: u32) -> Checked {
        self.places += 1;
        if self.places > MOST_PLACES {
            return Err("JSON schema is too complex".into());
        }
        if depth > DEEPEST {
            return Err(format!("JSON schema is nested deeper than {DEEPEST} levels").into());
        }
        if schema.contains_key("definitions") {
            return Err(
                "'definitions' is not supported in JSON schema. Use '$defs' instead".into(),
            );
        }
        let unsupported = UNSUPPORTED.iter().filter(|key| schema.contains_key(**key));
        let unsupported: Vec<_> = unsupported.map(|key| format!("'{key}'")).collect();
        if !unsupported.is_empty() {
            let fields = unsupported.join(", ");
            return Err(format!("Unsupported JSON schema fields: {{{fields}}}").into());
        }
        self.kind(schema)?;
        if let Some(Value::Array(values)) = schema.get("enum") {
            self.enum_values += values.len();
        }
        if self.enum_values > MOST_ENUM_VALUES {
            let sentence = format!("JSON schema has more than {MOST_ENUM_VALUES} enum values");
            return Err(sentence.into());
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            self.properties += properties.len();
            if self.properties > MOST_PROPERTIES {
                let sentence = format!("JSON schema has more than {MOST_PROPERTIES} properties");
                return Err(sentence.into());
            }
            for property in properties.values() {
                self.schema(property, depth + 1)?;
            }
        }
        for list in ["anyOf", "prefixItems"] {
            if let Some(Value::Array(schemas)) = schema.get(list) {
                for schema in schemas {
                    self.schema(schema, depth + 1)?;
                }
            }
        }
        if let Some(items) = schema.get("items") {
            self.schema(items, depth + 1)?;
        }
        match schema.get("$ref") {
            Some(Value::String(reference)) => self.follow(reference, depth),
            _ => Ok(()),
        }
    }

    fn kind(&self, schema: &Map<String, Value>) -> Checked {
        let kind = match schema.get("type") {
            Some(Value::Array(_)) => {
                return Err("Lists of types are not supported in JSON schema. If you are trying to make a field Optional, use anyOf with a null type".into());
            }
            Some(Value::String(kind)) => kind.as_str(),
            _ => return Ok(()),
        };
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        match kind {
            "object" if !closed => Err(
                "additionalProperties must be set to false for all objects in JSON schema".into(),
            ),
            "array" if schema.get("items") == Some(&Value::Bool(true)) => {
                Err("'items: true' is not supported in JSON schema".into())
            }
            "array" if !schema.contains_key("items") && !schema.contains_key("prefixItems") => {
                Err("Array fields require at least one of 'items' or 'prefixItems'.".into())
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, reference: &'s str, depth: u32) -> Checked {
        let Some(name) = reference.strip_prefix("#/$defs/") else {
            return Err(format!("$ref '{reference}' is not supported in JSON schema").into());
        };
        if self.following.contains(&name) {
            return Err("Recursive JSON schemas are not supported".into());
        }
        let definitions = self.root.get("$defs").and_then(Value::as_object);
        let Some(definition) = definitions.and_then(|all| all.get(name)) else {
            return Err(format!("$ref '{reference}' points to nothing").into());
        };
        self.following.push(name);
        let checked = self.schema(definition, depth);
        self.following.pop();
        checked
    }
}
