//! Shapes of JSON, closed: what isn't in the shape is a problem, and all problems are reported.
//!
//! The sentence for an unknown property is Cerebras's own; the others are in its manner.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What a value may be.
#[derive(Debug)]
pub(super) enum Kind {
    Any,
    Bool,
    Integer(i64, i64),
    Number(f64, f64),
    /// A text of at most this many characters.
    Text(usize),
    OneOf(&'static [&'static str]),
    /// Any object.
    Open,
    /// An object whose values are all of this kind.
    Map(&'static Kind),
    Closed(&'static [Field]),
    /// A list, with the least and the greatest length.
    List(&'static Kind, usize, usize),
    /// The first of these that is of the value's JSON type.
    Either(&'static [Kind]),
    /// A closed object that one of its properties picks.
    Tagged(&'static Tagged),
}

/// Closed objects told apart by a property.
#[derive(Debug)]
pub(super) struct Tagged {
    pub(super) by: &'static str,
    /// Whether the tag stands in the paths of the problems within.
    pub(super) in_path: bool,
    pub(super) variants: &'static [(&'static str, &'static [Field])],
}

/// A property of a closed object.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
    nullable: bool,
}

/// A property that must be there.
pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
        nullable: false,
    }
}

/// A property that may be missing or null.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        nullable: true,
    }
}

/// A property that may be missing, but not null.
pub(super) const fn never_null(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
        nullable: false,
    }
}

/// Every problem that a request body has with its shape, in the body's order.
pub(super) fn problems(body: &Value, shape: &'static [Field]) -> Vec<String> {
    let mut check = Check {
        path: String::new(),
        problems: Vec::new(),
    };
    match body {
        Value::Object(map) => check.object(map, shape),
        _ => check
            .problems
            .push("body: Input should be a valid dictionary".to_owned()),
    }
    check.problems
}

struct Check {
    path: String,
    problems: Vec<String>,
}

impl Check {
    /// Top-level properties are written `body.x`, what lies deeper from its top-level property on.
    fn shown(&self) -> String {
        if self.path.contains('.') {
            self.path.clone()
        } else {
            format!("body.{}", self.path)
        }
    }

    fn problem(&mut self, sentence: impl std::fmt::Display) {
        let path = self.shown();
        self.problems.push(format!("{path}: {sentence}"));
    }

    fn within(&mut self, step: impl std::fmt::Display, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let dot = if length == 0 { "" } else { "." };
        let _ = write!(self.path, "{dot}{step}");
        inner(self);
        self.path.truncate(length);
    }

    fn object(&mut self, map: &Map<String, Value>, fields: &'static [Field]) {
        for (name, value) in map {
            let field = fields.iter().find(|field| field.name == name);
            self.within(name, |check| match field {
                None => {
                    let path = check.shown();
                    check.problem(format_args!("property '{path}' is unsupported"));
                }
                Some(field) if field.nullable && value.is_null() => {}
                Some(field) => check.value(value, &field.kind),
            });
        }
        for field in fields {
            if field.required && !map.contains_key(field.name) {
                self.within(field.name, |check| check.problem("Field required"));
            }
        }
    }

    fn value(&mut self, value: &Value, kind: &'static Kind) {
        if !kind.is_type_of(value) {
            return self.problem(format_args!("Input should be {}", kind.noun()));
        }
        match (kind, value) {
            (Kind::Integer(least, most), Value::Number(number)) => {
                // Of a number outside of i64 only the sign matters.
                let number = number.as_i64().unwrap_or(i64::MAX);
                if number < *least {
                    self.problem(format_args!(
                        "Input should be greater than or equal to {least}"
                    ));
                } else if number > *most {
                    self.problem(format_args!("Input should be less than or equal to {most}"));
                }
            }
            (Kind::Number(least, most), Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::MAX);
                if number < *least {
                    self.problem(format_args!(
                        "Input should be greater than or equal to {least}"
                    ));
                } else if number > *most {
                    self.problem(format_args!("Input should be less than or equal to {most}"));
                }
            }
            (Kind::Text(most), Value::String(text))
                if text.len() > *most && text.chars().count() > *most =>
            {
                self.problem(format_args!("String should have at most {most} characters"));
            }
            (Kind::OneOf(names), Value::String(text)) if !names.contains(&text.as_str()) => {
                let names = quoted(names.iter().copied(), " or ");
                self.problem(format_args!("Input should be {names}"));
            }
            (Kind::Map(inner), Value::Object(map)) => {
                for (name, value) in map {
                    self.within(name, |check| check.value(value, inner));
                }
            }
            (Kind::Closed(fields), Value::Object(map)) => self.object(map, fields),
            (Kind::List(inner, least, most), Value::Array(items)) => {
                if items.len() < *least {
                    self.problem(format_args!("List should have at least {least} item"));
                } else if items.len() > *most {
                    self.problem(format_args!("List should have at most {most} items"));
                }
                for (index, item) in items.iter().enumerate() {
                    self.within(index, |check| check.value(item, inner));
                }
            }
            (Kind::Either(kinds), value) => {
                if let Some(kind) = kinds.iter().find(|kind| kind.is_type_of(value)) {
                    self.value(value, kind);
                }
            }
            (Kind::Tagged(tagged), Value::Object(map)) => self.tagged(map, tagged),
            _ => {}
        }
    }

    fn tagged(&mut self, map: &Map<String, Value>, tagged: &'static Tagged) {
        let Some(tag) = map.get(tagged.by) else {
            return self.problem(format_args!(
                "Unable to extract tag using discriminator '{}'",
                tagged.by
            ));
        };
        let known = tagged
            .variants
            .iter()
            .find(|(name, _)| tag.as_str() == Some(name));
        match known {
            Some((name, fields)) if tagged.in_path => {
                self.within(name, |check| check.object(map, fields));
            }
            Some((_, fields)) => self.object(map, fields),
            None => {
                let expected = quoted(tagged.variants.iter().map(|(name, _)| *name), ", ");
                let found = tag.as_str().map_or_else(|| tag.to_string(), str::to_owned);
                self.problem(format_args!(
                    "Input tag '{found}' found using '{}' does not match any of the expected tags: {expected}",
                    tagged.by
                ));
            }
        }
    }
}

impl Kind {
    fn is_type_of(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Bool => value.is_boolean(),
            Self::Integer(..) => value.is_i64() || value.is_u64(),
            Self::Number(..) => value.is_number(),
            Self::Text(_) | Self::OneOf(_) => value.is_string(),
            Self::Open | Self::Map(_) | Self::Closed(_) | Self::Tagged(_) => value.is_object(),
            Self::List(..) => value.is_array(),
            Self::Either(kinds) => kinds.iter().any(|kind| kind.is_type_of(value)),
        }
    }

    fn noun(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Bool => "a valid boolean".to_owned(),
            Self::Integer(..) => "a valid integer".to_owned(),
            Self::Number(..) => "a valid number".to_owned(),
            Self::Text(_) => "a valid string".to_owned(),
            Self::OneOf(names) => quoted(names.iter().copied(), " or "),
            Self::Open | Self::Map(_) | Self::Closed(_) | Self::Tagged(_) => {
                "a valid dictionary".to_owned()
            }
            Self::List(..) => "a valid list".to_owned(),
            Self::Either(kinds) => {
                let nouns: Vec<_> = kinds.iter().map(Self::noun).collect();
                nouns.join(" or ")
            }
        }
    }
}

fn quoted(names: impl Iterator<Item = &'static str>, between: &str) -> String {
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    names.join(between)
}
