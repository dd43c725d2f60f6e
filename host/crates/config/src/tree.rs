//! The YAML document as a tree, and the way back from a path in it to a line and a column.
//!
//! serde gives a visitor no positions, but it gives an error that a visitor makes the position of the node at which it was
//! made. So the text is read once into a tree. Only to find a position it is read again, down to the node in question,
//! where the visitor makes an error on purpose.
//!
//! The file is long because serde wants a method for each kind of value, from both of the readings.

use super::error::Position;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::Cell;
use std::fmt;

/// One node of the document. Mappings keep their order and their duplicates: the checks report those.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A node with a tag of its own (`!name`).
    Tagged,
    /// A number that JSON can't carry.
    Odd,
}

impl Node {
    /// The kind of this node, with its article, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Node::Null => "nothing",
            Node::Bool(_) => "true or false",
            Node::Number(_) | Node::Odd => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a mapping",
            Node::Tagged => "a tagged value",
        }
    }

    /// The node as JSON. Of duplicate keys, which have been reported, the last one counts.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Node::Null | Node::Tagged | Node::Odd => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(value) => Value::Number(value.clone()),
            Node::Text(value) => Value::String(value.clone()),
            Node::List(items) => items.iter().map(Node::to_json).collect(),
            Node::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect(),
        }
    }
}

impl From<&serde_json::Value> for Node {
    fn from(value: &serde_json::Value) -> Node {
        use serde_json::Value;
        match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(value) => Node::Number(value.clone()),
            Value::String(value) => Node::Text(value.clone()),
            Value::Array(items) => Node::List(items.iter().map(Node::from).collect()),
            Value::Object(entries) => Node::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), Node::from(value)))
                    .collect(),
            ),
        }
    }
}

/// The most that a document may hold, in bytes: the text of every key and value, and [`VALUE`] for each value. Every alias
/// counts as all that it stands for, because a few lines of aliases can stand for gigabytes.
const LARGEST: usize = 8 << 20;
const VALUE: usize = 8;

/// One step from a node to one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value of this key; the number counts the same key's occurrences from 0.
    Key(String, usize),
    Index(usize),
}

/// A place in the document: a node, or the key that it stands under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodePath {
    pub(super) steps: Vec<Step>,
    pub(super) on_key: bool,
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Key(key, _) => {
                    if index > 0 {
                        f.write_str(".")?;
                    }
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.chars().all(plain) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Why the text is no tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TreeError {
    Empty,
    /// Not YAML, or YAML of a kind that isn't read here.
    Yaml(Position, String),
}

/// Reads the one document in `text`.
pub(super) fn read(text: &str) -> Result<Node, TreeError> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Err(TreeError::Empty);
    };
    let room = Cell::new(LARGEST);
    let tree = TreeVisitor { room: &room };
    let node = tree.deserialize(first).map_err(yaml_error)?;
    if let Some(second) = documents.next() {
        let at = match second.deserialize_any(Walk::new(&NodePath::default())) {
            Err(error) => position(&error),
            Ok(_) => Position::default(),
        };
        let message = "a second document starts here; a configuration is one document: remove the `---` or split the file";
        return Err(TreeError::Yaml(at, message.to_owned()));
    }
    match node {
        Node::Null => Err(TreeError::Empty),
        node => Ok(node),
    }
}

/// Finds positions. Each costs a reading of the text, so that of a large text only a few are found, and of a usual one all.
pub(super) struct Locator<'t> {
    text: &'t str,
    /// How much may still be read, in bytes.
    left: usize,
}

impl<'t> Locator<'t> {
    /// Reads `most` bytes at most.
    pub(super) fn new(text: &'t str, most: usize) -> Self {
        Locator { text, left: most }
    }

    /// The position of a place; the default one, which is no position, where it isn't looked for any more.
    pub(super) fn locate(&mut self, place: &NodePath) -> Position {
        let Some(left) = self.left.checked_sub(self.text.len()) else {
            return Position::default();
        };
        self.left = left;
        locate(self.text, place)
    }
}

/// The position of a place in the text, or the start of the text if the place can't be found.
fn locate(text: &str, place: &NodePath) -> Position {
    let Some(document) = serde_yaml::Deserializer::from_str(text).next() else {
        return START;
    };
    match document.deserialize_any(Walk::new(place)) {
        Err(error) => position(&error),
        Ok(_) => START,
    }
}

const START: Position = Position { line: 1, column: 1 };

fn position(error: &serde_yaml::Error) -> Position {
    error.location().map_or(START, |location| Position {
        line: location.line(),
        column: location.column(),
    })
}

fn yaml_error(error: serde_yaml::Error) -> TreeError {
    let at = position(&error);
    let text = error.to_string();
    // The position stands in front of the sentence already.
    let message = text.replacen(&format!(" at line {} column {}", at.line, at.column), "", 1);
    TreeError::Yaml(at, format!("this is not the YAML it should be: {message}"))
}

/// Reads nodes, until the document holds more than it may.
#[derive(Clone, Copy)]
struct TreeVisitor<'r> {
    room: &'r Cell<usize>,
}

impl TreeVisitor<'_> {
    fn take<E: serde::de::Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.room.get().checked_sub(bytes).ok_or_else(|| {
            let limit = LARGEST >> 20;
            E::custom(format!(
                "with every alias (`*name`) followed it holds more than {limit} MiB; repeat less"
            ))
        })?;
        self.room.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for TreeVisitor<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.take(VALUE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeVisitor<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Odd)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Odd)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Node::Odd, Node::Number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.take(value.len())?;
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key_seed(KeyVisitor { stop_at: None })? {
            self.take(key.len())?;
            entries.push((key, access.next_value_seed(self)?));
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Node, A::Error> {
        let (IgnoredAny, variant) = access.variant()?;
        variant.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged)
    }
}

/// Reads a key as text, and makes an error at the key that is searched for.
struct KeyVisitor<'a> {
    stop_at: Option<&'a str>,
}

impl KeyVisitor<'_> {
    fn key<E: serde::de::Error>(self, key: String) -> Result<String, E> {
        match self.stop_at {
            Some(stop) if stop == key => Err(E::custom("here")),
            _ => Ok(key),
        }
    }
}

impl<'de> DeserializeSeed<'de> for KeyVisitor<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is a text")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<String, E> {
        self.key(value.to_owned())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<String, E> {
        self.key(value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<String, E> {
        self.key(value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<String, E> {
        self.key(value.to_string())
    }
}

/// Walks down to a place and makes an error there.
struct Walk<'a> {
    steps: &'a [Step],
    on_key: bool,
}

impl<'a> Walk<'a> {
    fn new(place: &'a NodePath) -> Self {
        Walk {
            steps: &place.steps,
            on_key: place.on_key,
        }
    }

    fn below(&self) -> Self {
        Walk {
            steps: &self.steps[1..],
            on_key: self.on_key,
        }
    }

    fn refuse<E: serde::de::Error>(&self) -> Result<(), E> {
        Err(E::custom("here"))
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node looked for")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some(Step::Index(wanted)) = self.steps.first() else {
            return self.refuse();
        };
        for _ in 0..*wanted {
            access.next_element::<IgnoredAny>()?;
        }
        access.next_element_seed(self.below())?;
        self.refuse()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some(Step::Key(wanted, occurrence)) = self.steps.first() else {
            return self.refuse();
        };
        let last = self.steps.len() == 1;
        let mut seen = 0;
        loop {
            let stop_at = (last && self.on_key && seen == *occurrence).then_some(wanted.as_str());
            let Some(key) = access.next_key_seed(KeyVisitor { stop_at })? else {
                return self.refuse();
            };
            if key != *wanted {
                access.next_value::<IgnoredAny>()?;
            } else if seen == *occurrence {
                access.next_value_seed(self.below())?;
                return self.refuse();
            } else {
                seen += 1;
                access.next_value::<IgnoredAny>()?;
            }
        }
    }

    // Every other node has no parts, so the walk ends here.
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("here"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned(), 0)
    }

    fn at(text: &str, steps: &[Step], on_key: bool) -> (usize, usize) {
        let place = NodePath {
            steps: steps.to_vec(),
            on_key,
        };
        let found = locate(text, &place);
        (found.line, found.column)
    }

    #[test]
    fn keys_values_and_items_are_found() {
        let text = "a: 1\nb:\n  - x\n  - {c: é, d: [true, null]}\n";
        assert_eq!(at(text, &[key("a")], false), (1, 4));
        assert_eq!(at(text, &[key("b")], true), (2, 1));
        assert_eq!(at(text, &[key("b"), Step::Index(1)], false), (4, 5));
        assert_eq!(
            at(text, &[key("b"), Step::Index(1), key("d")], true),
            (4, 12)
        );
        assert_eq!(
            at(
                text,
                &[key("b"), Step::Index(1), key("d"), Step::Index(1)],
                false
            ),
            (4, 22)
        );
    }

    #[test]
    fn of_a_large_text_a_few_places_are_found() {
        let text = "a: 1\nb: 2\n";
        let mut locator = Locator::new(text, 3 * text.len() - 1);
        let place = NodePath {
            steps: vec![key("b")],
            on_key: true,
        };
        let found: Vec<_> = (0..4).map(|_| locator.locate(&place).line).collect();
        assert_eq!(found, [2, 2, 0, 0]);
    }

    #[test]
    fn the_second_of_a_duplicate_key_is_found() {
        let text = "a: 1\nb: 2\na: 3\n";
        assert_eq!(at(text, &[Step::Key("a".to_owned(), 1)], true), (3, 1));
    }

    #[test]
    fn anchors_stand_for_what_they_name() {
        let node = read("a: &x {k: 1}\nb: *x\n").unwrap();
        let Node::Map(entries) = node else {
            panic!("a mapping");
        };
        assert_eq!(entries[0].1, entries[1].1);
    }

    #[test]
    fn no_document_is_empty() {
        for text in ["", "\n", "# only a comment\n", "---\n", "~"] {
            assert_eq!(read(text), Err(TreeError::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_tower_of_anchors_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = level - 1;
            let items = vec![format!("*a{below}"); 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        let result = read(&text);
        assert!(matches!(result, Err(TreeError::Yaml(..))), "{result:?}");
    }

    #[test]
    fn a_wide_list_that_is_repeated_is_refused() {
        let wide = |item: &str| format!("[{}]", vec![item; 4_000].join(", "));
        let text = format!("a: &a {}\nb: {}\n", wide("x"), wide("*a"));
        let Err(TreeError::Yaml(at, message)) = read(&text) else {
            panic!("16 million values were read");
        };
        assert_eq!(at.line, 1);
        assert!(
            message.contains("more than 8 MiB; repeat less"),
            "{message}"
        );
        let text = format!("a: &a {:?}\nb: {}\n", "x".repeat(4_000), wide("*a"));
        let result = read(&text);
        assert!(matches!(result, Err(TreeError::Yaml(..))), "{result:?}");
        read(&format!("a: &a {}\nb: [*a, *a]\n", wide("x"))).unwrap();
    }

    #[test]
    fn numbers_json_cannot_carry_are_marked() {
        for text in [".inf", "-.inf", ".nan", "99999999999999999999999"] {
            assert_eq!(read(text), Ok(Node::Odd), "{text}");
        }
    }
}
