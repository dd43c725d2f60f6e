//! From a schema's JSON to nodes.

use std::collections::BTreeMap;

use regex_lite::RegexBuilder;
use serde_json::{Map, Value};

use crate::{Node, Place, Schema, Types};

/// What says nothing about which values are valid.
const ANNOTATIONS: [&str; 14] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "strict",
];

/// The most places that a schema may have.
const MOST_PLACES: usize = 4096;
/// The most memory that an expression may take, in bytes.
const EXPRESSION: usize = 64 * 1024;

type Done<T = ()> = Result<T, String>;

struct Compiler<'a> {
    whole: &'a Value,
    nodes: Vec<Node>,
    /// The places that are compiled or begun, by pointer.
    known: BTreeMap<String, Place>,
}

pub(crate) fn schema(whole: &Value) -> Result<Schema, String> {
    let mut compiler = Compiler {
        whole,
        nodes: Vec::new(),
        known: BTreeMap::new(),
    };
    compiler.place(whole, String::new())?;
    compiler.no_circles()?;
    Ok(Schema {
        nodes: compiler.nodes,
    })
}

impl Compiler<'_> {
    fn place(&mut self, schema: &Value, pointer: String) -> Done<Place> {
        if let Some(place) = self.known.get(&pointer) {
            return Ok(*place);
        }
        if self.nodes.len() == MOST_PLACES {
            return Err(format!("it has more than {MOST_PLACES} places"));
        }
        let place = self.nodes.len();
        self.known.insert(pointer.clone(), place);
        self.nodes.push(Node {
            pointer: pointer.clone(),
            ..Node::default()
        });
        let mut node = Node {
            pointer,
            ..Node::default()
        };
        match schema {
            Value::Bool(all) => node.never = !all,
            Value::Object(members) => {
                for (keyword, value) in members {
                    self.keyword(&mut node, members, keyword, value)
                        .map_err(|why| match why.starts_with('`') {
                            true => why,
                            false => format!("`{}/{keyword}`: {why}", node.pointer),
                        })?;
                }
            }
            _ => {
                return Err(format!(
                    "`{}`: a schema is an object, true or false",
                    node.pointer
                ));
            }
        }
        self.nodes[place] = node;
        Ok(place)
    }

    fn keyword(
        &mut self,
        node: &mut Node,
        members: &Map<String, Value>,
        keyword: &str,
        value: &Value,
    ) -> Done {
        let at = |part: &str| format!("{}/{}", node.pointer, part);
        match keyword {
            "type" => node.types = Some(types(value)?),
            "enum" => node.values = Some(list(value)?.clone()),
            "const" => node.values = Some(vec![value.clone()]),
            "minimum" => node.minimum = Some(number(value)?),
            "maximum" => node.maximum = Some(number(value)?),
            "exclusiveMinimum" => node.above = Some(number(value)?),
            "exclusiveMaximum" => node.below = Some(number(value)?),
            "multipleOf" => match number(value)? {
                step if step > 0.0 => node.multiple_of = Some(step),
                _ => return Err("a number above 0 is expected".into()),
            },
            "minLength" => node.min_length = Some(count(value)?),
            "maxLength" => node.max_length = Some(count(value)?),
            "pattern" => node.pattern = Some(expression(text(value)?)?),
            "prefixItems" => node.prefix_items = self.places(value, &at("prefixItems"))?,
            "items" => node.items = Some(self.place(value, at("items"))?),
            "contains" => node.contains = Some(self.place(value, at("contains"))?),
            "minItems" => node.min_items = Some(count(value)?),
            "maxItems" => node.max_items = Some(count(value)?),
            "uniqueItems" => node.unique = value.as_bool().ok_or("true or false is expected")?,
            "properties" => {
                for (name, schema) in object(value)? {
                    let place = self.place(schema, at(&format!("properties/{}", token(name))))?;
                    node.properties.insert(name.clone(), place);
                }
            }
            "patternProperties" => {
                for (source, schema) in object(value)? {
                    let pointer = at(&format!("patternProperties/{}", token(source)));
                    let expression = expression(source)?;
                    let place = self.place(schema, pointer)?;
                    node.pattern_properties.push((expression, place));
                }
            }
            "additionalProperties" => {
                node.additional = Some(self.place(value, at("additionalProperties"))?);
            }
            "propertyNames" => node.names = Some(self.place(value, at("propertyNames"))?),
            "required" => node.required = texts(value)?,
            "dependentRequired" => {
                for (name, needs) in object(value)? {
                    node.dependent.push((name.clone(), texts(needs)?));
                }
            }
            "minProperties" => node.min_properties = Some(count(value)?),
            "maxProperties" => node.max_properties = Some(count(value)?),
            "allOf" => node.all = self.places(value, &at("allOf"))?,
            "anyOf" => node.any = self.places(value, &at("anyOf"))?,
            "oneOf" => node.one = self.places(value, &at("oneOf"))?,
            "not" => node.not = Some(self.place(value, at("not"))?),
            "if" => {
                let condition = self.place(value, at("if"))?;
                let mut branch = |name: &str| match members.get(name) {
                    Some(schema) => self.place(schema, at(name)).map(Some),
                    None => Ok(None),
                };
                node.condition = Some((condition, branch("then")?, branch("else")?));
            }
            "then" | "else" => {}
            "$ref" => node.reference = Some(self.reference(text(value)?)?),
            _ if ANNOTATIONS.contains(&keyword) => {}
            _ => {
                return Err(format!(
                    "the keyword `{keyword}` isn't taken; see the policy's README for those that are"
                ));
            }
        }
        Ok(())
    }

    fn places(&mut self, value: &Value, pointer: &str) -> Done<Vec<Place>> {
        let schemas = list(value)?.clone();
        if schemas.is_empty() {
            return Err("at least one schema is expected".into());
        }
        let places = schemas.iter().enumerate();
        places
            .map(|(n, schema)| self.place(schema, format!("{pointer}/{n}")))
            .collect()
    }

    fn reference(&mut self, reference: &str) -> Done<Place> {
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!(
                "`{reference}` is elsewhere; write what it stands for under `$defs` and refer to `#/$defs/NAME`"
            ));
        };
        let whole = self.whole;
        match whole.pointer(pointer) {
            Some(schema) => self.place(schema, pointer.to_owned()),
            None => Err(format!("there is nothing at `{reference}`")),
        }
    }

    /// A place that asks for itself, of the same value, would ask for ever.
    fn no_circles(&self) -> Done {
        // 0: not seen, 1: on the way, 2: done.
        let mut seen = vec![0u8; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut way = vec![(start, 0)];
            while let Some((place, next)) = way.pop() {
                let node = &self.nodes[place];
                if next == 0 {
                    seen[place] = 1;
                }
                match node.of_the_same().nth(next) {
                    None => seen[place] = 2,
                    Some(to) => {
                        way.push((place, next + 1));
                        match seen[to] {
                            0 => way.push((to, 0)),
                            1 => {
                                return Err(format!(
                                    "`{}`: this leads back to itself without going into the value",
                                    self.nodes[to].pointer
                                ));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Node {
    /// The places that this one asks of the same value.
    fn of_the_same(&self) -> impl Iterator<Item = Place> {
        let (condition, then, or) = match self.condition {
            Some((condition, then, or)) => (Some(condition), then, or),
            None => (None, None, None),
        };
        let lists = [&self.all, &self.any, &self.one].into_iter().flatten();
        let others = [self.reference, self.not, condition, then, or];
        lists.copied().chain(others.into_iter().flatten())
    }
}

/// An expression, found anywhere in a text.
fn expression(source: &str) -> Done<regex_lite::Regex> {
    let expression = RegexBuilder::new(source).size_limit(EXPRESSION).build();
    expression
        .map_err(|error| format!("`{source}` is no regular expression that can be taken: {error}"))
}

fn types(value: &Value) -> Done<Types> {
    let names: Vec<&Value> = match value {
        Value::Array(names) if !names.is_empty() => names.iter().collect(),
        name => vec![name],
    };
    let mut types = Types::default();
    for name in names {
        match name.as_str() {
            Some("null") => types.null = true,
            Some("boolean") => types.boolean = true,
            Some("integer") => types.integer = true,
            Some("number") => types.number = true,
            Some("string") => types.string = true,
            Some("array") => types.array = true,
            Some("object") => types.object = true,
            _ => {
                return Err(format!(
                    "{name} is no type: null, boolean, integer, number, string, array, object"
                ));
            }
        }
    }
    Ok(types)
}

fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn number(value: &Value) -> Done<f64> {
    value.as_f64().ok_or_else(|| "a number is expected".into())
}

fn count(value: &Value) -> Done<usize> {
    let whole = value.as_u64().and_then(|count| usize::try_from(count).ok());
    whole.ok_or_else(|| "a whole number is expected".into())
}

fn text(value: &Value) -> Done<&str> {
    value.as_str().ok_or_else(|| "a string is expected".into())
}

fn texts(value: &Value) -> Done<Vec<String>> {
    let texts = list(value)?.iter();
    texts.map(|value| text(value).map(str::to_owned)).collect()
}

fn list(value: &Value) -> Done<&Vec<Value>> {
    value.as_array().ok_or_else(|| "a list is expected".into())
}

fn object(value: &Value) -> Done<&Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| "an object is expected".into())
}
