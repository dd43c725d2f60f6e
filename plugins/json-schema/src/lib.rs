//! What a JSON Schema says of a value.
//!
//! A subset of draft 2020-12 that holds what tool arguments and answers are described by, and compiles small. A keyword that would change
//! what is valid and isn't taken is an error that names it: a schema never means less than it says. Annotations say nothing and are passed over;
//! `format` is one of them, as in the draft.
//!
//! [`read`] reads what is to be checked: JSON in which no key hides another's value.
//!
//! Schemas refer to places in themselves alone (`#`, `#/$defs/price`). Checking is bounded: [`MOST_STEPS`] visits, after which a value counts as one that
//! doesn't match. Expressions are `regex-lite`'s, whose time is linear in the text.

mod check;
mod compile;
mod read;

#[cfg(test)]
mod tests;

pub use check::{MOST_STEPS, Violation};
pub use read::{Unread, read};

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

/// A place in a schema, by which what is read so far can be followed.
pub type Place = usize;

/// A schema, compiled.
#[derive(Clone, Debug)]
pub struct Schema {
    nodes: Vec<Node>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean,
    /// A number, whole or not.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// An object may not have a property of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchProperty;

/// The keywords of one place. What isn't said allows everything.
#[derive(Clone, Debug, Default)]
struct Node {
    /// The JSON pointer of the place.
    pointer: String,
    /// Nothing matches: the schema `false`.
    never: bool,
    types: Option<Types>,
    /// `enum`, or the one value of `const`.
    values: Option<Vec<Value>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    above: Option<f64>,
    below: Option<f64>,
    multiple_of: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: Option<Regex>,
    prefix_items: Vec<Place>,
    items: Option<Place>,
    contains: Option<Place>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    unique: bool,
    properties: BTreeMap<String, Place>,
    pattern_properties: Vec<(Regex, Place)>,
    additional: Option<Place>,
    names: Option<Place>,
    required: Vec<String>,
    dependent: Vec<(String, Vec<String>)>,
    min_properties: Option<usize>,
    max_properties: Option<usize>,
    all: Vec<Place>,
    any: Vec<Place>,
    one: Vec<Place>,
    not: Option<Place>,
    condition: Option<(Place, Option<Place>, Option<Place>)>,
    reference: Option<Place>,
}

/// Which types are allowed.
#[derive(Clone, Copy, Debug, Default)]
struct Types {
    null: bool,
    boolean: bool,
    integer: bool,
    number: bool,
    string: bool,
    array: bool,
    object: bool,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// A sentence that names the place and the keyword: one that isn't taken, one whose value can't be, a reference that leads nowhere or in a circle.
    pub fn new(schema: &Value) -> Result<Schema, String> {
        compile::schema(schema)
    }

    /// Where a document begins.
    #[must_use]
    pub fn root(&self) -> Place {
        0
    }

    /// Whether a value that begins so may still match. `true` where that takes more than a look at its type.
    #[must_use]
    pub fn may_be(&self, place: Place, kind: Kind) -> bool {
        let node = &self.nodes[place];
        let of_values = |values: &Vec<Value>| values.iter().any(|value| Kind::of(value) == kind);
        !node.never
            && node.types.is_none_or(|types| types.may_be(kind))
            && node.values.as_ref().is_none_or(of_values)
            && node.reference.is_none_or(|place| self.may_be(place, kind))
            && node.all.iter().all(|place| self.may_be(*place, kind))
            && (node.any.is_empty() || node.any.iter().any(|place| self.may_be(*place, kind)))
    }

    /// The place of an object's property, if one schema alone speaks of it.
    ///
    /// # Errors
    ///
    /// There may be no such property.
    pub fn property(&self, place: Place, name: &str) -> Result<Option<Place>, NoSuchProperty> {
        let node = self.plain(place);
        let Some(node) = node else { return Ok(None) };
        if let Some(place) = node.properties.get(name) {
            return Ok(node.pattern_properties.is_empty().then_some(*place));
        }
        if !node.pattern_properties.is_empty() {
            return Ok(None);
        }
        match node.additional {
            Some(place) if self.nodes[place].never => Err(NoSuchProperty),
            place => Ok(place),
        }
    }

    /// The place of an array's item.
    #[must_use]
    pub fn item(&self, place: Place, index: usize) -> Option<Place> {
        let node = self.plain(place)?;
        node.prefix_items.get(index).copied().or(node.items)
    }

    /// The pointer of a place, for messages.
    #[must_use]
    pub fn pointer(&self, place: Place) -> &str {
        &self.nodes[place].pointer
    }

    /// The node behind references, where what it says of parts isn't also said elsewhere.
    fn plain(&self, mut place: Place) -> Option<&Node> {
        loop {
            let node = &self.nodes[place];
            match node.reference {
                Some(next) if !node.speaks_of_parts() => place = next,
                _ => return Some(node),
            }
        }
    }
}

impl Node {
    fn speaks_of_parts(&self) -> bool {
        !self.properties.is_empty()
            || !self.pattern_properties.is_empty()
            || self.additional.is_some()
            || !self.prefix_items.is_empty()
            || self.items.is_some()
    }
}

impl Kind {
    /// The kind of a value.
    #[must_use]
    pub fn of(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }
}

impl Types {
    fn may_be(self, kind: Kind) -> bool {
        match kind {
            Kind::Null => self.null,
            Kind::Boolean => self.boolean,
            Kind::Number => self.number || self.integer,
            Kind::String => self.string,
            Kind::Array => self.array,
            Kind::Object => self.object,
        }
    }
}
