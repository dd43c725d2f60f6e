//! Goes over a body by a table, once, and finds what isn't accepted.
//!
//! The body has been read, so it is JSON, no key stands twice in it, and where its strings end is known: a text costs a step here,
//! however long it is, and so does the schema of a tool.
//!
//! The file is long for it is one pass: each kind of value, and what becomes of a member that it doesn't fit.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::found::{Found, Step, With, name, path, plain};
use super::models::{self, Model};
use super::table::{Facts, Field, Fields, Kind, Mend, Other, OtherTag, Rule, Tagged, number};
use crate::index::{Index, Span};
use crate::json::{Kind as Json, Scanner, members, string_at};

/// A member that the table knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) field: u8,
    pub(crate) value: Span,
    key: Span,
    /// By which other name it stands there.
    other: Option<&'static Other>,
    /// Of a list: how many elements go on.
    pub(crate) items: u32,
    /// The word that took the place of the one that came.
    pub(crate) word: Option<&'static str>,
    gone: bool,
}

impl Member {
    pub(crate) fn goes_on(&self) -> bool {
        !self.gone
    }
}

type Members = SmallVec<[Member; 16]>;

/// Whether a value is what its place takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Fits,
    Unfit,
    /// It is an element that goes, alone.
    Goes,
}

pub(super) struct Walk<'w> {
    body: &'w [u8],
    index: &'w Index,
    scan: Scanner<'w>,
    /// The first text, and the first schema, that doesn't lie before the scanner.
    text: usize,
    schema: usize,
    model: &'static Model,
    path: SmallVec<[Step; 12]>,
    /// Of the last list and the last word that were read.
    items: u32,
    word: Option<&'static str>,
    found: &'w mut Found,
}

impl<'w> Walk<'w> {
    pub(super) fn new(
        body: &'w [u8],
        index: &'w Index,
        model: &str,
        found: &'w mut Found,
    ) -> Walk<'w> {
        Walk {
            body,
            index,
            scan: Scanner::new(body, 0),
            text: 0,
            schema: 0,
            model: models::of(model),
            path: SmallVec::new(),
            items: 0,
            word: None,
            found,
        }
    }

    /// Goes over the whole body.
    pub(super) fn over(&mut self, table: &'static Fields) {
        self.scan.space();
        self.object(table);
    }

    fn value(&mut self, kind: &'static Kind) -> Fit {
        let json = Json::of(self.scan.peek());
        if let Kind::Either(kinds) = kind
            && let Some(kind) = kinds.iter().find(|kind| kind.is_type_of(json))
        {
            return self.value(kind);
        }
        if !kind.is_type_of(json) {
            self.wrong(|| format!("Input should be {}", kind.noun()));
            self.skip();
            return Fit::Unfit;
        }
        match kind {
            Kind::Any | Kind::Flag | Kind::Open => {
                self.skip();
                Fit::Fits
            }
            Kind::Whole(least, most) => self.whole(*least, *most),
            Kind::Number(least, most) => self.number(*least, *most),
            Kind::Text(most) => self.text(*most),
            Kind::Word(words, others) => self.word(kind, words, others),
            Kind::Map(of) => self.map(of),
            Kind::Object(fields) => self.object(fields),
            Kind::List(of, least, most) => self.list(of, *least, *most),
            Kind::Either(_) => Fit::Unfit,
            Kind::Tagged(tagged) => self.tagged(tagged),
        }
    }

    fn whole(&mut self, least: i128, most: i128) -> Fit {
        let digits = self.scalar();
        let text = std::str::from_utf8(&self.body[digits]).unwrap_or_default();
        let read = text.parse::<i128>().ok().or_else(|| {
            // 4096.0 is a whole number to most readers.
            let number: f64 = text.parse().ok()?;
            (number.fract() == 0.0).then_some(number as i128)
        });
        let Some(read) = read else {
            self.wrong(|| "Input should be a valid integer".to_owned());
            return Fit::Unfit;
        };
        self.within(read < least, read > most, least, most)
    }

    fn number(&mut self, least: f64, most: f64) -> Fit {
        let digits = self.scalar();
        let read = number(self.body, digits).unwrap_or(f64::INFINITY);
        self.within(read < least, read > most, least, most)
    }

    fn within<N: std::fmt::Display>(&mut self, less: bool, more: bool, least: N, most: N) -> Fit {
        match (less, more) {
            (true, _) => self.wrong(|| format!("Input should be greater than or equal to {least}")),
            (_, true) => self.wrong(|| format!("Input should be less than or equal to {most}")),
            _ => return Fit::Fits,
        }
        Fit::Unfit
    }

    fn text(&mut self, most: usize) -> Fit {
        let place = self.string();
        // Of few bytes there are no more characters.
        if place.len() <= most || string_at(self.body, place).chars().count() <= most {
            return Fit::Fits;
        }
        self.wrong(|| format!("String should have at most {most} characters"));
        Fit::Unfit
    }

    fn word(
        &mut self,
        kind: &'static Kind,
        words: &'static [&'static str],
        others: &'static [(&'static str, &'static str)],
    ) -> Fit {
        let place = self.string();
        let said = string_at(self.body, place.clone());
        if words.contains(&&*said) {
            return Fit::Fits;
        }
        let other = others.iter().find(|(other, _)| *other == said);
        match (other, &mut *self.found) {
            (Some((other, word)), Found::Mends(mends)) => {
                let path = &self.path;
                let place = Span::of(place.start, place.end);
                mends.edit(place, With::Word(word), || {
                    format!("{}:{other}->{word}", name(path, None))
                });
                self.word = Some(word);
                Fit::Fits
            }
            _ => {
                self.wrong(|| format!("Input should be {}", kind.noun()));
                Fit::Unfit
            }
        }
    }

    fn map(&mut self, of: &'static Kind) -> Fit {
        let mut fit = Fit::Fits;
        self.scan.takes(b'{');
        while self.scan.peek() == Some(b'"') {
            self.key();
            if self.value(of) != Fit::Fits {
                fit = Fit::Unfit;
            }
            self.scan.space();
            self.scan.takes(b',');
        }
        self.scan.at += 1;
        fit
    }

    fn list(&mut self, of: &'static Kind, least: usize, most: usize) -> Fit {
        let (mut fit, mut kept, mut count) = (Fit::Fits, 0, 0);
        // The elements that are too many, together.
        let mut over: Option<(usize, usize)> = None;
        self.scan.takes(b'[');
        while !matches!(self.scan.peek(), None | Some(b']')) && !self.found.enough() {
            if count < most {
                self.path.push(Step::Item(count as u32));
                let item = self.value(of);
                self.path.pop();
                if item == Fit::Unfit {
                    fit = Fit::Unfit;
                }
                kept += u32::from(item != Fit::Goes);
            } else {
                let start = over.map_or(self.scan.at, |(start, _)| start);
                self.skip();
                over = Some((start, self.scan.at));
            }
            count += 1;
            self.scan.space();
            self.scan.takes(b',');
        }
        if let Some((start, end)) = over {
            self.wrong(|| format!("List should have at most {most} items"));
            let path = &self.path;
            if let Found::Mends(mends) = &mut *self.found {
                mends.edit(Span::of(start, end), With::Cut, || {
                    format!("{}[{most}..]", name(path, None))
                });
            }
        }
        self.scan.at += 1;
        if count < least {
            self.wrong(|| format!("List should have at least {least} item"));
            fit = Fit::Unfit;
        }
        self.items = kept;
        fit
    }

    /// An object that a member of it tells apart.
    fn tagged(&mut self, of: &'static Tagged) -> Fit {
        let Some((place, tag)) = self.tag(of.by) else {
            let by = of.by;
            self.wrong(|| format!("Unable to extract tag using discriminator '{by}'"));
            self.skip();
            return Fit::Unfit;
        };
        let variant = |tag: &str| of.variants.iter().find(|(name, _)| *name == tag);
        let known = variant(&tag);
        let other = of.others.iter().find(|other| match other {
            OtherTag::For(from, _, holds) => *from == tag && holds(self.model),
            OtherTag::Is(from, _) | OtherTag::All(from, _) => known.is_none() && *from == tag,
            OtherTag::Goes(from) => known.is_none() && (*from == tag || from.is_empty()),
        });
        let start = self.scan.at;
        let variant = match (known, other, &mut *self.found) {
            (Some(known), None, _) => Some(known),
            (_, Some(OtherTag::Is(from, to) | OtherTag::For(from, to, _)), Found::Mends(mends)) => {
                let (path, by) = (&self.path, of.by);
                let place = Span::of(place.start, place.end);
                mends.edit(place, With::Word(to), || {
                    format!("{}:{from}->{to}", name(path, Some(by)))
                });
                variant(to)
            }
            (_, Some(OtherTag::All(from, json)), Found::Mends(_)) => {
                self.skip();
                let (path, by) = (&self.path, of.by);
                if let Found::Mends(mends) = &mut *self.found {
                    let place = Span::of(start, self.scan.at);
                    mends.edit(place, With::Put(json), || {
                        let to = json.trim_matches('"');
                        format!("{}:{from}->{to}", name(path, Some(by)))
                    });
                }
                return Fit::Fits;
            }
            (_, Some(OtherTag::Goes(_)), Found::Mends(_)) => {
                self.skip();
                let (list, by) = (&self.path[..self.path.len().saturating_sub(1)], of.by);
                if let Found::Mends(mends) = &mut *self.found {
                    let place = Span::of(start, self.scan.at);
                    mends.edit(place, With::Cut, || {
                        format!("{}[{by}={}]", name(list, None), plain(&tag))
                    });
                }
                return Fit::Goes;
            }
            _ => None,
        };
        let Some((known, fields)) = variant else {
            self.wrong(|| {
                if known.is_some() {
                    return format!("{} '{tag}' is not supported by this model", of.by);
                }
                let tags = of.variants.iter().map(|(name, _)| format!("'{name}'"));
                let tags = tags.collect::<Vec<_>>().join(", ");
                let (by, tag) = (of.by, crate::json::cut_at(&tag, 64));
                format!(
                    "Input tag '{tag}' found using '{by}' does not match any of the expected tags: {tags}"
                )
            });
            self.skip();
            return Fit::Unfit;
        };
        if of.in_path {
            self.path.push(Step::Tag(known));
        }
        let fit = self.object(fields);
        if of.in_path {
            self.path.pop();
        }
        fit
    }

    /// The member that tells what the object is that the scanner stands at: nearly always its first.
    fn tag(&self, by: &str) -> Option<(Range<usize>, Cow<'w, str>)> {
        let mut scan = self.scan.clone();
        scan.takes(b'{');
        let first = (scan.peek() == Some(b'"')).then(|| short_string(&mut scan));
        if first.is_some_and(|key| *inner(self.body, key) == *by.as_bytes()) {
            scan.space();
            scan.takes(b':');
            if scan.peek() == Some(b'"') {
                let tag = short_string(&mut scan);
                return Some((tag.clone(), string_at(self.body, tag)));
            }
            return None;
        }
        let mut members = members(self.body, self.scan.at);
        let (_, value) = members.find(|(key, _)| string_at(self.body, key.clone()) == by)?;
        let tag = super::table::text(self.body, value.clone())?;
        Some((value, tag))
    }

    fn object(&mut self, of: &'static Fields) -> Fit {
        let mut fit = Fit::Fits;
        let mut members = Members::new();
        let mut renames = false;
        self.scan.takes(b'{');
        while self.scan.peek() == Some(b'"') && !self.found.enough() {
            let key = self.key();
            let start = self.scan.at;
            let said = inner(self.body, key.clone());
            let found = of.find(&said);
            let strict = matches!(self.found, Found::Sentences(_));
            match found.filter(|(_, other)| other.is_none() || !strict) {
                None => {
                    self.skip();
                    self.unknown(&String::from_utf8_lossy(&said), key.start);
                }
                Some((number, other)) => {
                    let field = &of.fields[usize::from(number)];
                    let mut member = Member {
                        field: number,
                        value: Span::of(start, start),
                        key: Span::of(key.start, key.end),
                        other,
                        items: 0,
                        word: None,
                        gone: false,
                    };
                    renames |= other.is_some();
                    let fits = self.member(field, &mut member);
                    if !fits && field.needed {
                        fit = Fit::Unfit;
                    } else if !fits && !field.stays {
                        self.cut(of, &mut member);
                    }
                    members.push(member);
                }
            }
            self.scan.space();
            self.scan.takes(b',');
        }
        self.scan.at += 1;
        if self.found.enough() {
            return fit;
        }
        if renames {
            self.rename(of, &mut members);
        }
        let there = members.iter().filter(|member| !member.gone);
        let there = there.fold(0_u64, |bits, member| bits | 1 << member.field);
        if self.misses(of, there) {
            fit = Fit::Unfit;
        }
        for rule in of.rules {
            if there & 1 << rule.on != 0 {
                self.rule(of, rule, &mut members);
            }
        }
        fit
    }

    /// Reads a member's value: whether it fits.
    fn member(&mut self, field: &'static Field, member: &mut Member) -> bool {
        let name = member.other.map_or(field.name, |other| other.name);
        self.path.push(Step::Name(name));
        self.items = 0;
        self.word = None;
        let kind = member.other.and_then(|other| other.kind.as_ref());
        let null = self.scan.peek() == Some(b'n');
        let fits = if null && (field.null || member.other.is_some()) {
            self.skip();
            true
        } else {
            self.value(kind.unwrap_or(&field.kind)) == Fit::Fits
        };
        self.path.pop();
        member.value.end = Span::of(0, self.scan.at).end;
        (member.items, member.word) = (self.items, self.word);
        fits
    }

    /// A member that isn't in the table.
    fn unknown(&mut self, key: &str, start: usize) {
        let steps = &self.path;
        match &mut *self.found {
            Found::Mends(mends) => {
                let place = Span::of(start, self.scan.at);
                mends.edit(place, With::Cut, || name(steps, Some(key)));
            }
            Found::Sentences(sentences) => {
                let path = path(steps, Some(key));
                sentences.push(format!("{path}: property '{path}' is unsupported"));
            }
        }
    }

    /// A known member goes.
    fn cut(&mut self, of: &'static Fields, member: &mut Member) {
        member.gone = true;
        let called = called(of, member);
        let path = &self.path;
        if let Found::Mends(mends) = &mut *self.found {
            let place = Span {
                start: member.key.start,
                end: member.value.end,
            };
            mends.edit(place, With::Cut, || name(path, Some(called)));
        }
    }

    /// Of several members that mean the same, one stays, and gets its own name.
    #[cold]
    fn rename(&mut self, of: &'static Fields, members: &mut Members) {
        for number in 0..of.fields.len() {
            let field = &of.fields[number];
            let means = |member: &Member| usize::from(member.field) == number && !member.gone;
            let other = |member: &Member| means(member) && member.other.is_some();
            if !members.iter().any(other) {
                continue;
            }
            let says = |member: &Member| self.body[member.value.start as usize] != b'n';
            let meant = members.iter().enumerate();
            let meant = meant.filter(|(_, member)| means(member) && says(member));
            let keep = meant.min_by(|(_, one), (_, other)| {
                let size = |member: &Member| limit(number_of(self.body, member));
                let by_size = size(one).total_cmp(&size(other));
                let by_size = if field.smallest {
                    by_size
                } else {
                    std::cmp::Ordering::Equal
                };
                by_size.then(one.other.is_some().cmp(&other.other.is_some()))
            });
            let keep = keep.map(|(place, _)| place);
            for (place, member) in members.iter_mut().enumerate() {
                if means(member)
                    && Some(place) != keep
                    && (keep.is_some() || member.other.is_some())
                {
                    self.cut(of, member);
                }
            }
            if let Some(member) = keep.map(|place| members[place])
                && let Some(other) = member.other
                && let Found::Mends(mends) = &mut *self.found
            {
                let path = &self.path;
                mends.edit(member.key, With::Put(other.key), || {
                    format!("{}->{}", name(path, Some(other.name)), field.name)
                });
                if !other.after.is_empty() {
                    let end = member.value.end;
                    mends.also(Span { start: end, end }, With::Put(other.after));
                }
            }
        }
    }

    /// Whether a member is missing without which the object is none.
    fn misses(&mut self, of: &'static Fields, there: u64) -> bool {
        let mut misses = false;
        for (number, field) in of.fields.iter().enumerate() {
            if field.needed && there & 1 << number == 0 {
                misses = true;
                self.path.push(Step::Name(field.name));
                self.wrong(|| "Field required".to_owned());
                self.path.pop();
            }
        }
        misses
    }

    fn rule(&mut self, of: &'static Fields, rule: &'static Rule, members: &mut Members) {
        let about = |member: &Member| member.field == rule.on && !member.gone;
        let Some(place) = members.iter().position(about) else {
            return;
        };
        let moot = match self.found {
            Found::Mends(_) => matches!(rule.mend, Mend::Nothing),
            Found::Sentences(_) => rule.ours,
        };
        if moot {
            return;
        }
        let facts = Facts {
            body: self.body,
            fields: of.fields,
            members,
            model: self.model,
        };
        let Some(sentence) = (rule.broken)(&facts) else {
            return;
        };
        match (&mut *self.found, rule.mend) {
            (Found::Sentences(sentences), _) => sentences.push(sentence.into_owned()),
            (_, Mend::Nothing) => {}
            (_, Mend::Drop) => self.cut(of, &mut members[place]),
            (_, Mend::DropLarger(other)) => {
                let other = members
                    .iter()
                    .position(|member| member.field == other && !member.gone);
                let Some(other) = other else {
                    return;
                };
                let size = |place: usize| limit(number_of(self.body, &members[place]));
                let larger = if size(other) > size(place) {
                    other
                } else {
                    place
                };
                self.cut(of, &mut members[larger]);
            }
            (Found::Mends(mends), Mend::Word(word)) => {
                let member = &mut members[place];
                let said = member
                    .word
                    .map_or_else(|| string_at(self.body, member.value.range()), Cow::Borrowed);
                let (path, called) = (&self.path, called(of, member));
                mends.instead(member.value, With::Word(word), || {
                    format!("{}:{}->{word}", name(path, Some(called)), plain(&said))
                });
                member.word = Some(word);
            }
        }
    }

    /// What Cerebras says of the value at this place.
    fn wrong(&mut self, says: impl FnOnce() -> String) {
        if let Found::Sentences(sentences) = &mut *self.found {
            sentences.push(format!("{}: {}", path(&self.path, None), says()));
        }
    }

    /// Goes over a key, and up to its value.
    fn key(&mut self) -> Range<usize> {
        let key = short_string(&mut self.scan);
        self.scan.space();
        self.scan.takes(b':');
        key
    }

    fn scalar(&mut self) -> Range<usize> {
        let start = self.scan.at;
        self.scan.skip();
        start..self.scan.at
    }

    /// Goes over a string. Where a text ends is known.
    fn string(&mut self) -> Range<usize> {
        let start = self.scan.at;
        let texts = &self.index.texts;
        while let Some(text) = texts.get(self.text) {
            let at = text.start as usize;
            if at == start {
                self.scan.at = text.end as usize;
                return start..self.scan.at;
            }
            if at > start {
                break;
            }
            self.text += 1;
        }
        self.scan.skip_string();
        start..self.scan.at
    }

    /// Goes over a value. Where the schema of a tool ends is known.
    fn skip(&mut self) {
        match self.scan.peek() {
            Some(b'"') => _ = self.string(),
            Some(b'{') => {
                let schemas = &self.index.schemas;
                while let Some(schema) = schemas.get(self.schema) {
                    let place = schema.range();
                    if place.start == self.scan.at {
                        self.scan.at = place.end;
                        return;
                    }
                    if place.start > self.scan.at {
                        break;
                    }
                    self.schema += 1;
                }
                self.scan.skip();
            }
            _ => self.scan.skip(),
        }
    }
}

/// Goes over a string that is most likely a word: faster than a search made for long ones.
fn short_string(scan: &mut Scanner<'_>) -> Range<usize> {
    const SHORT: usize = 24;
    let start = scan.at;
    let rest = scan.text.get(start + 1..).unwrap_or_default();
    let end = rest
        .iter()
        .take(SHORT)
        .position(|byte| matches!(byte, b'"' | b'\\'));
    match end {
        Some(end) if rest[end] == b'"' => scan.at = start + end + 2,
        _ => scan.skip_string(),
    }
    start..scan.at
}

/// The bytes of a string, without its quotation marks and escapes.
fn inner(body: &[u8], place: Range<usize>) -> Cow<'_, [u8]> {
    let literal = body.get(place.start + 1..place.end.saturating_sub(1));
    let literal = literal.unwrap_or_default();
    if literal.len() <= 24 && !literal.contains(&b'\\') {
        return Cow::Borrowed(literal);
    }
    match string_at(body, place) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// What a member is called in the body.
fn called(of: &'static Fields, member: &Member) -> &'static str {
    let own = of.fields[usize::from(member.field)].name;
    member.other.map_or(own, |other| other.name)
}

fn number_of(body: &[u8], member: &Member) -> Option<f64> {
    number(body, member.value.range())
}

/// How much a limit of tokens lets through: less than none is all that there is.
fn limit(number: Option<f64>) -> f64 {
    number
        .filter(|number| *number >= 0.0)
        .unwrap_or(f64::INFINITY)
}
