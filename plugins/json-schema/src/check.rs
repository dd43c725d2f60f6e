//! Whether a value matches.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use crate::{Kind, Node, Place, Schema, Types};

/// So many places of a schema are visited for one value. Where alternatives hold alternatives of the same value, it could be any number.
pub const MOST_STEPS: usize = 100_000;

/// Why a value doesn't match. It says nothing of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The JSON pointer of the keyword in the schema, such as `/properties/price/minimum`.
    pub pointer: String,
}

struct Check<'a> {
    nodes: &'a [Node],
    steps: usize,
}

/// `Err` names the keyword.
type Matched = Result<(), (Place, &'static str)>;

impl Schema {
    /// Whether the value matches.
    ///
    /// # Errors
    ///
    /// The first keyword that isn't met.
    pub fn check(&self, value: &Value) -> Result<(), Violation> {
        let mut check = Check {
            nodes: &self.nodes,
            steps: 0,
        };
        check.value(0, value).map_err(|(place, keyword)| Violation {
            pointer: match keyword {
                "" => self.nodes[place].pointer.clone(),
                keyword => format!("{}/{keyword}", self.nodes[place].pointer),
            },
        })
    }
}

impl Check<'_> {
    fn value(&mut self, place: Place, value: &Value) -> Matched {
        let nodes = self.nodes;
        let node = &nodes[place];
        self.steps += 1;
        let must = |met: bool, keyword: &'static str| match met {
            true => Ok(()),
            false => Err((place, keyword)),
        };
        must(!node.never && self.steps <= MOST_STEPS, "")?;
        must(node.types.is_none_or(|types| types.allow(value)), "type")?;
        if let Some(values) = &node.values {
            must(values.iter().any(|one| same(one, value)), "enum")?;
        }
        match value {
            Value::Number(number) => node.number(number).map_err(|keyword| (place, keyword))?,
            Value::String(text) => node.text(text).map_err(|keyword| (place, keyword))?,
            Value::Array(items) => self.items(place, items)?,
            Value::Object(members) => self.members(place, members)?,
            Value::Null | Value::Bool(_) => {}
        }
        if let Some(to) = node.reference {
            self.value(to, value)?;
        }
        for to in &node.all {
            self.value(*to, value)?;
        }
        if !node.any.is_empty() {
            let any = node.any.iter().any(|to| self.value(*to, value).is_ok());
            must(any, "anyOf")?;
        }
        if !node.one.is_empty() {
            let all = node.one.iter();
            let matching = all.filter(|to| self.value(**to, value).is_ok()).count();
            must(matching == 1, "oneOf")?;
        }
        if let Some(to) = node.not {
            must(self.value(to, value).is_err(), "not")?;
        }
        if let Some((condition, then, or)) = node.condition {
            let branch = match self.value(condition, value) {
                Ok(()) => then,
                Err(_) => or,
            };
            if let Some(to) = branch {
                self.value(to, value)?;
            }
        }
        // What went over the bound within a `not` must not count as a match.
        must(self.steps <= MOST_STEPS, "")
    }

    fn items(&mut self, place: Place, items: &[Value]) -> Matched {
        let nodes = self.nodes;
        let node = &nodes[place];
        if node.min_items.is_some_and(|least| items.len() < least) {
            return Err((place, "minItems"));
        }
        if node.max_items.is_some_and(|most| items.len() > most) {
            return Err((place, "maxItems"));
        }
        for (n, item) in items.iter().enumerate() {
            if let Some(to) = node.prefix_items.get(n).copied().or(node.items) {
                self.value(to, item)?;
            }
        }
        if let Some(to) = node.contains
            && !items.iter().any(|item| self.value(to, item).is_ok())
        {
            return Err((place, "contains"));
        }
        if node.unique {
            let mut seen = BTreeSet::new();
            if !items.iter().all(|item| seen.insert(written(item))) {
                return Err((place, "uniqueItems"));
            }
        }
        Ok(())
    }

    fn members(&mut self, place: Place, members: &Map<String, Value>) -> Matched {
        let nodes = self.nodes;
        let node = &nodes[place];
        if !node.required.iter().all(|name| members.contains_key(name)) {
            return Err((place, "required"));
        }
        if node
            .min_properties
            .is_some_and(|least| members.len() < least)
        {
            return Err((place, "minProperties"));
        }
        if node.max_properties.is_some_and(|most| members.len() > most) {
            return Err((place, "maxProperties"));
        }
        for (name, needs) in &node.dependent {
            if members.contains_key(name) && !needs.iter().all(|need| members.contains_key(need)) {
                return Err((place, "dependentRequired"));
            }
        }
        for (name, value) in members {
            if let Some(to) = node.names {
                self.value(to, &Value::String(name.clone()))?;
            }
            let mut known = false;
            if let Some(to) = node.properties.get(name) {
                known = true;
                self.value(*to, value)?;
            }
            for (expression, to) in &node.pattern_properties {
                if expression.is_match(name) {
                    known = true;
                    self.value(*to, value)?;
                }
            }
            if let (false, Some(to)) = (known, node.additional) {
                self.value(to, value)?;
            }
        }
        Ok(())
    }
}

impl Node {
    fn number(&self, number: &Number) -> Result<(), &'static str> {
        let Some(number) = number.as_f64() else {
            return Err("type");
        };
        let all = [
            (self.minimum.is_none_or(|least| number >= least), "minimum"),
            (self.maximum.is_none_or(|most| number <= most), "maximum"),
            (
                self.above.is_none_or(|bound| number > bound),
                "exclusiveMinimum",
            ),
            (
                self.below.is_none_or(|bound| number < bound),
                "exclusiveMaximum",
            ),
            (
                self.multiple_of
                    .is_none_or(|step| is_multiple(number, step)),
                "multipleOf",
            ),
        ];
        first_unmet(&all)
    }

    fn text(&self, text: &str) -> Result<(), &'static str> {
        let needs_length = self.min_length.is_some() || self.max_length.is_some();
        let length = if needs_length {
            text.chars().count()
        } else {
            0
        };
        let all = [
            (
                self.min_length.is_none_or(|least| length >= least),
                "minLength",
            ),
            (
                self.max_length.is_none_or(|most| length <= most),
                "maxLength",
            ),
            (
                self.pattern
                    .as_ref()
                    .is_none_or(|pattern| pattern.is_match(text)),
                "pattern",
            ),
        ];
        first_unmet(&all)
    }
}

fn first_unmet(all: &[(bool, &'static str)]) -> Result<(), &'static str> {
    match all.iter().find(|(met, _)| !met) {
        Some((_, keyword)) => Err(keyword),
        None => Ok(()),
    }
}

/// 0.3 is a multiple of 0.1, though not as floating-point numbers have it.
fn is_multiple(number: f64, step: f64) -> bool {
    let times = number / step;
    times.is_finite() && (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

impl Types {
    fn allow(self, value: &Value) -> bool {
        match value {
            Value::Number(number) if self.integer && !self.number => {
                number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            value => self.may_be(Kind::of(value)),
        }
    }
}

/// Whether two values are the same: 1 and 1.0 are, and so are objects whose members come in another order.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) | (Value::Array(_), Value::Array(_)) => {
            written(a) == written(b)
        }
        (Value::Object(_), Value::Object(_)) => written(a) == written(b),
        (a, b) => a == b,
    }
}

/// The one way to write a value.
fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            // 2^63 and beyond are written as numbers that aren't whole; below, as those that are.
            (.., Some(number)) if number.fract() == 0.0 && number.abs() < 9.0e18 => {
                format!("{number:.0}")
            }
            _ => number.to_string(),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), written(value)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}
