//! JSON Schema, as far as settings need it: what a policy's author says of them, checked before the policy is asked.
//!
//! Read are `type`, `enum`, `const`, the bounds of numbers, texts, lists and mappings, `properties`, `required`, `additionalProperties`, `items`,
//! `prefixItems`, `uniqueItems`, `allOf`, `anyOf`, `oneOf`, `not`, `if`, and `$ref` within the schema. Other keywords say nothing here, `pattern` and
//! `format` among them: the policy itself has the last word. One is ours: `x-instead`, what to use in the place of keys that others have. A schema is a stranger's: what it costs is bounded, and where the bound is reached
//! nothing more is found wrong.

use super::nearest::suggestion;
use serde_json::{Map, Value};

/// How deep a schema is followed.
const DEEPEST: usize = 64;
/// Schemas that are looked at, for one value.
const STEPS: usize = 50_000;
/// What is told.
const MOST: usize = 20;
/// Keys that are known elsewhere and not here, each with a sentence that says what to use. Beside `additionalProperties: false`; JSON Schema itself knows
/// no such keyword, and lets it stand.
const INSTEAD: &str = "x-instead";

/// A part of a value that a schema doesn't allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, from the value down.
    pub path: Vec<Part>,
    /// Whether it is the last key that is wrong, and not what stands under it.
    pub on_key: bool,
    /// What is wrong, without the value, which may be a secret.
    pub message: String,
}

/// A step from a value to one within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The value of a key.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// All that is wrong with a value, by that schema.
pub fn mismatches(schema: &Value, value: &Value) -> Vec<Mismatch> {
    let mut check = Check {
        root: schema,
        steps: STEPS,
        gave_up: false,
    };
    let mut found = Vec::new();
    check.value(schema, value, &mut Vec::new(), 0, &mut found);
    found.truncate(MOST);
    found
}

struct Check<'s> {
    root: &'s Value,
    steps: usize,
    /// There was more to look at than is looked at: what isn't known to fit isn't said to.
    gave_up: bool,
}

impl<'s> Check<'s> {
    fn value(
        &mut self,
        schema: &'s Value,
        value: &Value,
        path: &mut Vec<Part>,
        depth: usize,
        found: &mut Vec<Mismatch>,
    ) {
        if depth > DEEPEST || self.steps == 0 {
            self.gave_up = true;
        }
        if self.gave_up || found.len() >= MOST {
            return;
        }
        self.steps -= 1;
        let rules = match schema {
            Value::Object(rules) => rules,
            Value::Bool(false) => return wrong(path, "nothing may stand here", found),
            _ => return,
        };
        if let Some(target) = rules.get("$ref").and_then(Value::as_str)
            && let Some(target) = target.strip_prefix('#')
            && let Some(target) = self.root.pointer(target)
        {
            self.value(target, value, path, depth + 1, found);
        }
        if let Some(kinds) = rules.get("type")
            && let Some(wanted) = other_kind(kinds, value)
        {
            // The rest would be said of something else.
            return wrong(
                path,
                format!("expected {wanted}, found {}", kind(value)),
                found,
            );
        }
        self.alternatives(rules, value, path, depth, found);
        if let Some(Value::Array(allowed)) = rules.get("enum")
            && self.affords(allowed.len())
            && !allowed.iter().any(|it| same(it, value))
        {
            let names: Vec<String> = allowed.iter().take(30).map(Value::to_string).collect();
            wrong(path, format!("expected one of {}", names.join(", ")), found);
        }
        if let Some(only) = rules.get("const")
            && !same(only, value)
        {
            wrong(path, format!("expected {only}"), found);
        }
        match value {
            Value::Number(_) => number(rules, value, path, found),
            Value::String(text) => {
                let has = text.chars().count();
                length(
                    rules,
                    ("minLength", "maxLength", "characters"),
                    has,
                    path,
                    found,
                );
            }
            Value::Array(items) => self.list(rules, items, path, depth, found),
            Value::Object(entries) => self.mapping(rules, entries, path, depth, found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Takes what so many comparisons cost.
    fn affords(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_sub(steps);
        self.steps > 0
    }

    fn fits(&mut self, schema: &'s Value, value: &Value, depth: usize) -> bool {
        let mut found = Vec::new();
        self.value(schema, value, &mut Vec::new(), depth + 1, &mut found);
        found.is_empty()
    }

    fn alternatives(
        &mut self,
        rules: &'s Map<String, Value>,
        value: &Value,
        path: &mut Vec<Part>,
        depth: usize,
        found: &mut Vec<Mismatch>,
    ) {
        let list = |key: &str| rules.get(key).and_then(Value::as_array);
        for schema in list("allOf").into_iter().flatten() {
            self.value(schema, value, path, depth + 1, found);
        }
        for (key, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
            let Some(schemas) = list(key) else {
                continue;
            };
            let fitting = schemas.iter().filter(|it| self.fits(it, value, depth));
            match fitting.count() {
                _ if self.gave_up => return,
                0 => wrong(
                    path,
                    format!(
                        "it is in none of the {} forms that it may have",
                        schemas.len()
                    ),
                    found,
                ),
                some if some > most => wrong(
                    path,
                    "it is in more than one of the forms of which it may have one",
                    found,
                ),
                _ => {}
            }
        }
        if let Some(schema) = rules.get("not")
            && self.fits(schema, value, depth)
            && !self.gave_up
        {
            wrong(path, "it is just what it must not be", found);
        }
        if let Some(schema) = rules.get("if") {
            let then = if self.fits(schema, value, depth) {
                "then"
            } else {
                "else"
            };
            if let Some(schema) = rules.get(then) {
                self.value(schema, value, path, depth + 1, found);
            }
        }
    }

    fn list(
        &mut self,
        rules: &'s Map<String, Value>,
        items: &[Value],
        path: &mut Vec<Part>,
        depth: usize,
        found: &mut Vec<Mismatch>,
    ) {
        length(
            rules,
            ("minItems", "maxItems", "items"),
            items.len(),
            path,
            found,
        );
        let first = rules.get("prefixItems").and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let own = first.and_then(|first| first.get(index));
            if let Some(schema) = own.or_else(|| rules.get("items")) {
                path.push(Part::Index(index));
                self.value(schema, item, path, depth + 1, found);
                path.pop();
            }
            let unique = rules.get("uniqueItems") == Some(&Value::Bool(true));
            let twice =
                unique && self.affords(index) && items[..index].iter().any(|it| same(it, item));
            if twice {
                path.push(Part::Index(index));
                wrong(path, "this stands here twice; keep one of the two", found);
                path.pop();
            }
        }
    }

    fn mapping(
        &mut self,
        rules: &'s Map<String, Value>,
        entries: &Map<String, Value>,
        path: &mut Vec<Part>,
        depth: usize,
        found: &mut Vec<Mismatch>,
    ) {
        length(
            rules,
            ("minProperties", "maxProperties", "keys"),
            entries.len(),
            path,
            found,
        );
        let required = rules.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let missing: Vec<String> = required
            .filter(|key| !entries.contains_key(*key))
            .map(|key| format!("`{key}`"))
            .collect();
        if !missing.is_empty() {
            wrong(path, format!("missing: {}", missing.join(", ")), found);
        }
        let known = rules.get("properties").and_then(Value::as_object);
        let others = rules.get("additionalProperties");
        // Which keys these are is said by expressions, which aren't read here.
        let others = others.filter(|_| !rules.contains_key("patternProperties"));
        for (key, value) in entries {
            path.push(Part::Key(key.clone()));
            match (known.and_then(|known| known.get(key)), others) {
                (Some(schema), _) => self.value(schema, value, path, depth + 1, found),
                (None, Some(Value::Bool(false))) => {
                    let names: Vec<&str> = known
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str)
                        .collect();
                    let instead = rules.get(INSTEAD).and_then(|keys| keys.get(key)?.as_str());
                    let message = match instead {
                        Some(what) => format!("`{key}` is no setting here: {what}"),
                        None => format!("unknown key `{key}`{}", suggestion(key, &names)),
                    };
                    found.push(Mismatch {
                        path: path.clone(),
                        on_key: true,
                        message,
                    });
                }
                (None, Some(schema)) => self.value(schema, value, path, depth + 1, found),
                (None, None) => {}
            }
            path.pop();
        }
    }
}

fn wrong(path: &[Part], message: impl Into<String>, found: &mut Vec<Mismatch>) {
    found.push(Mismatch {
        path: path.to_vec(),
        on_key: false,
        message: message.into(),
    });
}

/// What was wanted, where the value is of none of these types.
fn other_kind(kinds: &Value, value: &Value) -> Option<String> {
    let kinds: Vec<&str> = match kinds {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|it| it.fract() == 0.0)
        }
        // A type of a later standard.
        _ => true,
    };
    if kinds.iter().any(is) {
        return None;
    }
    let words = kinds.iter().map(|kind| match *kind {
        "null" => "nothing",
        "boolean" => "true or false",
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        _ => "a number",
    });
    Some(words.collect::<Vec<_>>().join(" or "))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Numbers are the same where they are equal: `1` and `1.0`.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn number(rules: &Map<String, Value>, value: &Value, path: &[Part], found: &mut Vec<Mismatch>) {
    let bound = |key: &str| rules.get(key).and_then(Value::as_f64);
    let value = value.as_f64().unwrap_or_default();
    let bounds = [
        (
            "minimum",
            "at least",
            bound("minimum").filter(|it| value < *it),
        ),
        (
            "maximum",
            "at most",
            bound("maximum").filter(|it| value > *it),
        ),
        (
            "exclusiveMinimum",
            "more than",
            bound("exclusiveMinimum").filter(|it| value <= *it),
        ),
        (
            "exclusiveMaximum",
            "less than",
            bound("exclusiveMaximum").filter(|it| value >= *it),
        ),
    ];
    for (key, words, broken) in bounds {
        if broken.is_some() {
            wrong(path, format!("expected {words} {}", rules[key]), found);
        }
    }
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0)
        && ((value / step).round() - value / step).abs() > 1e-9
    {
        wrong(
            path,
            format!("expected a multiple of {}", rules["multipleOf"]),
            found,
        );
    }
}

fn length(
    rules: &Map<String, Value>,
    (least, most, what): (&str, &str, &str),
    has: usize,
    path: &[Part],
    found: &mut Vec<Mismatch>,
) {
    let bound = |key: &str| rules.get(key).and_then(Value::as_u64);
    let has = has as u64;
    if let Some(least) = bound(least).filter(|least| has < *least) {
        wrong(
            path,
            format!("expected at least {least} {what}, found {has}"),
            found,
        );
    }
    if let Some(most) = bound(most).filter(|most| has > *most) {
        wrong(
            path,
            format!("expected at most {most} {what}, found {has}"),
            found,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The sentences, each with its path.
    fn said(schema: &Value, value: &Value) -> Vec<String> {
        let part = |part: &Part| match part {
            Part::Key(key) => format!(".{key}"),
            Part::Index(index) => format!("[{index}]"),
        };
        mismatches(schema, value)
            .iter()
            .map(|it| it.path.iter().map(part).collect::<String>() + ": " + &it.message)
            .collect()
    }

    /// What is too deep to be looked at isn't said to fit, nor not to.
    #[test]
    fn nothing_is_wrong_where_looking_ended() {
        let rule = json!({"oneOf": [
            {"type": "string"},
            {"type": "object", "properties": {"all": {"type": "array", "items": {"$ref": "#"}}}},
        ]});
        let mut value = json!("word");
        for _ in 0..100 {
            value = json!({"all": [value]});
        }
        assert_eq!(said(&rule, &value), [""; 0]);
        let not = json!({"not": rule.clone(), "oneOf": rule["oneOf"].clone()});
        assert_eq!(said(&not, &value), [""; 0]);
        assert_eq!(said(&rule, &json!({"all": [1]})).len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_the_value() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["words"],
            "properties": {
                "words": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "minLength": 2}},
                "most": {"type": "integer", "minimum": 1, "maximum": 9},
                "action": {"enum": ["deny", "redact"]},
                "by": {"$ref": "#/$defs/by"},
            },
            "$defs": {"by": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["id"]}]}},
        });
        for good in [
            json!({"words": ["ab", "bc"], "most": 9.0, "action": "deny", "by": "ann"}),
            json!({"words": ["ab"], "by": {"id": 1}}),
        ] {
            assert_eq!(said(&schema, &good), [] as [&str; 0]);
        }
        let bad = json!({"wrods": 1, "most": 1.5, "action": "secret", "by": []});
        assert_eq!(
            said(&schema, &bad),
            [
                ": missing: `words`",
                ".wrods: unknown key `wrods`; did you mean `words`? (valid: words, most, action, by)",
                ".most: expected a whole number, found a number",
                ".action: expected one of \"deny\", \"redact\"",
                ".by: it is in none of the 2 forms that it may have",
            ]
        );
        let bad = json!({"words": ["ab", "a", "ab"], "most": 10});
        assert_eq!(
            said(&schema, &bad),
            [
                ".words[1]: expected at least 2 characters, found 1",
                ".words[2]: this stands here twice; keep one of the two",
                ".most: expected at most 9",
            ]
        );
    }

    #[test]
    fn a_key_that_others_have_says_what_to_use() {
        let schema = json!({
            "properties": {"limits": {}}, "additionalProperties": false, "x-instead": {"rpm": "say `limits`", "tpm": 3},
        });
        assert_eq!(
            said(&schema, &json!({"rpm": 1, "tpm": 1})),
            [
                ".rpm: `rpm` is no setting here: say `limits`",
                ".tpm: unknown key `tpm` (valid: limits)",
            ]
        );
        let none = json!({"properties": {}, "additionalProperties": false, "x-instead": []});
        assert_eq!(said(&none, &json!({"a": 1})).len(), 1);
    }

    #[test]
    fn a_schema_without_an_end_ends() {
        let endless =
            json!({"$ref": "#", "allOf": [{"$ref": "#"}, {"$ref": "#"}], "anyOf": [{"$ref": "#"}]});
        assert_eq!(said(&endless, &json!({"a": 1})), [] as [&str; 0]);
        let many = json!({"items": false});
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(said(&many, &json!(items)).len(), MOST);
        let large: Vec<Value> = (0..100_000).map(Value::from).collect();
        assert_eq!(
            said(&json!({"uniqueItems": true}), &json!(large)),
            [] as [&str; 0]
        );
    }

    #[test]
    fn what_is_no_schema_says_nothing() {
        for schema in [
            json!(3),
            json!({"type": 3, "enum": 4, "required": "a", "minimum": "b", "properties": []}),
            json!({"$ref": "https://elsewhere"}),
        ] {
            assert_eq!(said(&schema, &json!({"a": [1]})), [] as [&str; 0]);
        }
    }
}
