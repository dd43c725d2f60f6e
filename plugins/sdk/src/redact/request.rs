//! Every string of a request that a model may be shown is looked at, and each match is replaced by what is valid in its place.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::redactor::count;
use super::{Finder, Form, Redactor, Scan, View, find_all};
use crate::Text;
use crate::request;

/// What [`redact_request`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// How often each kind was found, by kind. The list ends with the last kind that was found.
    pub counts: Vec<u32>,
    /// Something was found in a place where nothing else can be put. A request in which it must not be is denied.
    pub is_stuck: bool,
}

/// Looks at every string of the request that a model may be shown, and replaces each match by what is valid in its place, if `change` says so.
/// Values that are cut over content parts of one message are found.
///
/// In names, ids, keys and the like, which upstreams take with few letters only and which refer to each other, a match becomes its kind's
/// `label` and a number, `EMAIL_1`: the same for the same value in all of the request. It is the finder's own [number](Finder::number), where
/// it has one.
pub fn redact_request<'l, F: Finder>(
    finder: &F,
    change: bool,
    label: &dyn Fn(usize) -> &'l str,
) -> Redacted {
    let mut done = Redacted::default();
    let names = Names {
        finder,
        label,
        numbers: RefCell::default(),
    };
    let mut texts = request::texts();
    let cut = parts_cut(finder, &mut texts, &mut done.counts);
    for (index, (text, cut)) in (0..).zip(texts.iter().zip(cut)) {
        let redacted = if is_name(text) {
            redact_one(Redactor::new(&names, Form::Text), &text.text, &mut done)
        } else {
            redact_one(Redactor::new(finder, form(text)), &text.text, &mut done)
        };
        let redacted = redacted.or_else(|| cut.then(|| text.text.clone()));
        if let Some(redacted) = redacted.filter(|_| change)
            && request::replace_text(index, &redacted).is_err()
        {
            done.is_stuck = true;
        }
    }
    done
}

fn redact_one<F: Finder>(
    mut redactor: Redactor<F>,
    text: &str,
    done: &mut Redacted,
) -> Option<String> {
    let redacted = redactor.whole(text);
    for (kind, times) in redactor.take_counts().into_iter().enumerate() {
        count(&mut done.counts, kind, times);
    }
    redacted
}

/// The arguments of tool calls are JSON, whatever they look like.
fn form(text: &Text) -> Form {
    let arguments = text.pointer.ends_with("/arguments") || text.pointer.ends_with("/input");
    match text.segment.is_some() && arguments {
        true => Form::Json,
        false => Form::Text,
    }
}

/// Whether something refers to the text by what it says, or has rules for its letters: a key, a name, an id, one of several that must
/// differ.
fn is_name(text: &Text) -> bool {
    let mut tokens = text.pointer.rsplit('/');
    let (last, parent) = (tokens.next(), tokens.next());
    text.is_key
        || matches!(
            last,
            Some("name" | "id" | "tool_call_id" | "$ref" | "$id" | "$anchor")
        )
        || matches!(parent, Some("required" | "enum"))
}

/// Finds the same, and writes it as upstreams take it in names: `EMAIL_1`. A value has one number in all of a request, so that what
/// refers to a name still does.
struct Names<'a, 'l, F> {
    finder: &'a F,
    label: &'a dyn Fn(usize) -> &'l str,
    numbers: RefCell<BTreeMap<(usize, String), usize>>,
}

impl<F: Finder> Finder for Names<'_, '_, F> {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        self.finder.scan(view, from)
    }

    fn keeps(&self, kind: usize) -> bool {
        self.finder.keeps(kind)
    }

    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        let number = self.finder.number(kind, value).unwrap_or_else(|| {
            let mut numbers = self.numbers.borrow_mut();
            let next = numbers.len() + 1;
            *numbers.entry((kind, value.to_owned())).or_insert(next)
        });
        out.push_str(&format!("{}_{number}", (self.label)(kind)));
    }
}

/// Replaces values that are cut over content parts of one message, because a model reads the parts as one text. What replaces a value
/// stands in the part in which it begins. For each text, whether it was changed.
fn parts_cut<F: Finder>(finder: &F, texts: &mut [Text], counts: &mut Vec<u32>) -> Vec<bool> {
    let mut cut = vec![false; texts.len()];
    let mut at = 0;
    while at < texts.len() {
        let Some(list) = content_of(&texts[at]).map(str::to_owned) else {
            at += 1;
            continue;
        };
        let parts = texts[at..]
            .iter()
            .take_while(|text| content_of(text) == Some(&list));
        let end = at + parts.count();
        if end - at > 1 {
            join(finder, &mut texts[at..end], &mut cut[at..end], counts);
        }
        at = end;
    }
    cut
}

/// What a model reads as one text, of each list of content parts that has several: the parts joined. Each part stands among the texts as well.
#[must_use]
pub fn joined_parts(texts: &[Text]) -> Vec<String> {
    let mut joined: Vec<(&str, usize, String)> = Vec::new();
    for text in texts {
        let Some(list) = content_of(text) else {
            continue;
        };
        match joined.last_mut() {
            Some((last, parts, whole)) if *last == list => {
                *parts += 1;
                whole.push_str(&text.text);
            }
            _ => joined.push((list, 1, text.text.clone())),
        }
    }
    let several = joined.into_iter().filter(|(_, parts, _)| *parts > 1);
    several.map(|(.., whole)| whole).collect()
}

/// The list of content parts that the text is one of.
fn content_of(text: &Text) -> Option<&str> {
    text.segment?;
    let (list, _) = text.pointer.rsplit_once("/content/")?;
    Some(list)
}

fn join<F: Finder>(finder: &F, parts: &mut [Text], cut: &mut [bool], counts: &mut Vec<u32>) {
    let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
    let mut ends = Vec::with_capacity(parts.len());
    let mut end = 0;
    for part in &*parts {
        end += part.text.len();
        ends.push(end);
    }
    // From the back, so that no edit moves the place of another.
    let mut last = parts.len();
    for found in find_all(finder, &whole).into_iter().rev() {
        while last > 0 && ends[last - 1] >= found.end {
            last -= 1;
        }
        // The part in which the match ends, and that in which it begins.
        let to = last;
        let from = ends.partition_point(|end| *end <= found.start);
        if from >= to {
            continue;
        }
        count(counts, found.kind, 1);
        if finder.keeps(found.kind) {
            continue;
        }
        let mut value = String::new();
        finder.replace(found.kind, &whole[found.start..found.end], &mut value);
        for part in from..=to {
            let start = if part == 0 { 0 } else { ends[part - 1] };
            let gone = found.start.max(start) - start..found.end.min(ends[part]) - start;
            let put = if part == from { value.as_str() } else { "" };
            parts[part].text.replace_range(gone, put);
            cut[part] = true;
        }
    }
}
