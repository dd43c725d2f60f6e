//! What the tables are made of.

use std::borrow::Cow;
use std::ops::Range;

use super::models::Model;
use super::walk::Member;
use crate::json::{Kind as Json, items, members, string_at};

/// What is accepted of one dialect's requests.
pub(crate) type Table = Fields;

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Anything.
    Any,
    /// True or false.
    Flag,
    /// A whole number, from the first to the last.
    Whole(i128, i128),
    /// A number, from the first to the last.
    Number(f64, f64),
    /// A string of at most so many characters.
    Text(usize),
    /// One of these words; and words of others that mean one of them.
    Word(
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
    ),
    /// Any object: a schema.
    Open,
    /// An object whose values are all of this kind, under any keys.
    Map(&'static Kind),
    /// An object that has these members and no other.
    Object(&'static Fields),
    /// A list of these, with the least and the greatest length.
    List(&'static Kind, usize, usize),
    /// The first of these that is of the value's JSON type.
    Either(&'static [Kind]),
    /// An object that one of its members tells apart from others.
    Tagged(&'static Tagged),
}

/// The members of an object, and the rules between them.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) fields: &'static [Field],
    pub(crate) rules: &'static [Rule],
}

/// One member.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it may be null.
    pub(crate) null: bool,
    /// Whether its object is nothing without it. It is never dropped alone.
    pub(crate) needed: bool,
    /// Whether it is what the client says: never dropped, whatever is wrong in it.
    pub(crate) stays: bool,
    /// What others call it.
    pub(crate) others: &'static [Other],
    /// Whether of several that mean it the smallest number stays, not the one by its own name.
    pub(crate) smallest: bool,
    /// For whoever reads the table.
    pub(crate) note: &'static str,
}

/// Another name of a member.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) name: &'static str,
    /// The key to put in its place, as JSON.
    pub(crate) key: &'static str,
    /// What stands after its value then.
    pub(crate) after: &'static str,
    /// What it may be, where that is another kind than the member's own.
    pub(crate) kind: Option<Kind>,
}

/// Objects that a member tells apart.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) by: &'static str,
    /// Whether the tag stands in the paths of Cerebras's sentences.
    pub(crate) in_path: bool,
    pub(crate) variants: &'static [(&'static str, &'static Fields)],
    /// Tags of others.
    pub(crate) others: &'static [OtherTag],
}

/// What an object with a tag of another's is.
#[derive(Debug)]
pub(crate) enum OtherTag {
    /// The variant of that tag.
    Is(&'static str, &'static str),
    /// The same, for the models of which this is true.
    For(&'static str, &'static str, fn(&Model) -> bool),
    /// This JSON, in the object's place.
    All(&'static str, &'static str),
    /// Nothing that is said: it goes, as an element of its list.
    Goes(&'static str),
}

/// A rule between the members of an object.
pub(crate) struct Rule {
    /// The number of the field that the rule is about. It holds where that is there.
    pub(crate) on: u8,
    /// For whoever reads the table.
    pub(crate) what: &'static str,
    /// What Cerebras says where it is broken.
    pub(crate) broken: fn(&Facts<'_>) -> Option<Cow<'static, str>>,
    pub(crate) mend: Mend,
    /// Whether it is this gateway's own, and Cerebras wouldn't refuse.
    pub(crate) ours: bool,
}

/// What mends a broken rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mend {
    /// The field goes.
    Drop,
    /// Of the field and the one of that number, the larger goes.
    DropLarger(u8),
    /// The field's word becomes this.
    Word(&'static str),
    /// The client alone can mend it.
    Nothing,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("what", &self.what).finish()
    }
}

/// A member that may be left out, and be null.
pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        null: true,
        needed: false,
        stays: false,
        others: &[],
        smallest: false,
        note: "",
    }
}

impl Field {
    pub(crate) const fn never_null(mut self) -> Field {
        self.null = false;
        self
    }

    /// It must be there, and not be null.
    pub(crate) const fn needed(mut self) -> Field {
        self.needed = true;
        self.null = false;
        self
    }

    pub(crate) const fn stays(mut self) -> Field {
        self.stays = true;
        self
    }

    pub(crate) const fn others(mut self, others: &'static [Other]) -> Field {
        self.others = others;
        self
    }

    pub(crate) const fn smallest(mut self) -> Field {
        self.smallest = true;
        self
    }

    pub(crate) const fn note(mut self, note: &'static str) -> Field {
        self.note = note;
        self
    }
}

/// Another name, in whose place that key is put. The key is JSON.
pub(crate) const fn other(name: &'static str, key: &'static str) -> Other {
    Other {
        name,
        key,
        after: "",
        kind: None,
    }
}

/// The number of a field; one that isn't there doesn't compile.
pub(crate) const fn at(fields: &[Field], name: &str) -> u8 {
    let mut number = 0;
    while number < fields.len() {
        if same(fields[number].name.as_bytes(), name.as_bytes()) {
            return number as u8;
        }
        number += 1;
    }
    panic!("there is no such field")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl Fields {
    /// The field that a key means, and by which other name it does.
    pub(crate) fn find(&self, key: &[u8]) -> Option<(u8, Option<&'static Other>)> {
        let is = |name: &str| name.as_bytes() == key;
        let own = self.fields.iter().position(|field| is(field.name));
        if let Some(number) = own {
            return Some((number as u8, None));
        }
        let mut numbered = self.fields.iter().enumerate();
        numbered.find_map(|(number, field)| {
            let other = field.others.iter().find(|other| is(other.name))?;
            Some((number as u8, Some(other)))
        })
    }
}

impl Kind {
    /// Whether a value of that JSON type may be of this kind.
    pub(crate) fn is_type_of(&self, json: Option<Json>) -> bool {
        let Some(json) = json else {
            return false;
        };
        match self {
            Kind::Any => true,
            Kind::Flag => json == Json::Bool,
            Kind::Whole(..) | Kind::Number(..) => json == Json::Number,
            Kind::Text(_) | Kind::Word(..) => json == Json::String,
            Kind::Open | Kind::Map(_) | Kind::Object(_) | Kind::Tagged(_) => json == Json::Object,
            Kind::List(..) => json == Json::Array,
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.is_type_of(Some(json))),
        }
    }

    /// In Cerebras's words.
    pub(crate) fn noun(&self) -> Cow<'static, str> {
        match self {
            Kind::Any => "anything".into(),
            Kind::Flag => "a valid boolean".into(),
            Kind::Whole(..) => "a valid integer".into(),
            Kind::Number(..) => "a valid number".into(),
            Kind::Text(_) => "a valid string".into(),
            Kind::Word(words, _) => {
                let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
                words.join(" or ").into()
            }
            Kind::Open | Kind::Map(_) | Kind::Object(_) | Kind::Tagged(_) => {
                "a valid dictionary".into()
            }
            Kind::List(..) => "a valid list".into(),
            Kind::Either(kinds) => {
                let nouns: Vec<_> = kinds.iter().map(Kind::noun).collect();
                nouns.join(" or ").into()
            }
        }
    }
}

/// What a rule looks at: the members of an object, as they go on.
pub(crate) struct Facts<'w> {
    pub(crate) body: &'w [u8],
    pub(crate) fields: &'static [Field],
    pub(crate) members: &'w [Member],
    pub(crate) model: &'static Model,
}

impl<'w> Facts<'w> {
    /// A member that goes on and isn't null.
    pub(crate) fn member(&self, name: &str) -> Option<&'w Member> {
        let is = |member: &&Member| self.fields[usize::from(member.field)].name == name;
        let mut members = self.members.iter().filter(|member| member.goes_on());
        members
            .find(is)
            .filter(|member| self.body[member.value.start as usize] != b'n')
    }

    pub(crate) fn value(&self, name: &str) -> Option<Range<usize>> {
        self.member(name).map(|member| member.value.range())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        let value = self.value(name);
        value.is_some_and(|value| self.body[value.start] == b't')
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        number(self.body, self.value(name)?)
    }

    /// The text of a string, or the word in its place.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'w, str>> {
        let member = self.member(name)?;
        match member.word {
            Some(word) => Some(Cow::Borrowed(word)),
            None => text(self.body, member.value.range()),
        }
    }

    /// Whether a list has an element that goes on.
    pub(crate) fn has_items(&self, name: &str) -> bool {
        self.member(name).is_some_and(|member| member.items > 0)
    }

    /// The text of a member of a member that is an object.
    pub(crate) fn text_in(&self, name: &str, inner: &str) -> Option<Cow<'w, str>> {
        text(self.body, inside(self.body, self.value(name)?, inner)?)
    }

    /// The elements of a list, as they came.
    pub(crate) fn items(&self, name: &str) -> impl Iterator<Item = Range<usize>> + 'w {
        let body = self.body;
        let list = self.value(name).filter(|list| body[list.start] == b'[');
        list.into_iter()
            .flat_map(move |list| items(body, list.start))
    }
}

/// The text of a string that lies there.
pub(crate) fn text(body: &[u8], place: Range<usize>) -> Option<Cow<'_, str>> {
    (body[place.start] == b'"').then(|| string_at(body, place))
}

/// A number that lies there.
pub(crate) fn number(body: &[u8], place: Range<usize>) -> Option<f64> {
    let digits = std::str::from_utf8(&body[place]).ok()?;
    digits.parse().ok()
}

/// The value under that key, where an object lies there.
pub(crate) fn inside(body: &[u8], place: Range<usize>, key: &str) -> Option<Range<usize>> {
    if body[place.start] != b'{' {
        return None;
    }
    let mut members = members(body, place.start);
    let found = members.find(|(name, _)| string_at(body, name.clone()) == key);
    found.map(|(_, value)| value)
}
