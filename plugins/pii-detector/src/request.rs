//! Every string of a request that a model may be shown is looked at, and each match is replaced by what is valid in its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use witgate_policy::prelude::*;
use witgate_policy::redact::{Finder, Form, Redactor, Scan, View, find_all};

use crate::detector::Detector;
use crate::entity::Entity;
use crate::policy::Counts;

/// Redacts the request in place and counts what it finds. `Err`: something was found in a place that can't be changed.
pub(crate) fn redact(detector: &Rc<Detector>, change: bool, counts: &mut Counts) -> Result<(), ()> {
    let names = Names::new(detector);
    let mut texts = request::texts();
    let cut = parts_cut(detector, &mut texts, counts);
    let mut all = Ok(());
    for (index, (text, cut)) in (0..).zip(texts.iter().zip(cut)) {
        let redacted = if is_name(text) {
            redact_one(Redactor::new(&names, Form::Text), &text.text, counts)
        } else {
            redact_one(
                Redactor::new(Rc::clone(detector), form(text)),
                &text.text,
                counts,
            )
        };
        let redacted = redacted.or_else(|| cut.then(|| text.text.clone()));
        if let Some(redacted) = redacted.filter(|_| change)
            && request::replace_text(index, &redacted).is_err()
        {
            all = Err(());
        }
    }
    all
}

fn redact_one<F: Finder>(
    mut redactor: Redactor<F>,
    text: &str,
    counts: &mut Counts,
) -> Option<String> {
    let redacted = redactor.whole(text);
    counts.add(&redactor.take_counts());
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
struct Names<'a> {
    detector: &'a Detector,
    numbers: RefCell<BTreeMap<(usize, String), usize>>,
}

impl<'a> Names<'a> {
    fn new(detector: &'a Detector) -> Names<'a> {
        Names {
            detector,
            numbers: RefCell::default(),
        }
    }
}

impl Finder for Names<'_> {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        self.detector.scan(view, from)
    }

    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        let mut numbers = self.numbers.borrow_mut();
        let next = numbers.len() + 1;
        let number = *numbers.entry((kind, value.to_owned())).or_insert(next);
        out.push_str(&format!("{}_{number}", Entity::ALL[kind].label()));
    }
}

/// Replaces values that are cut over content parts of one message, because a model reads the parts as one text. What replaces a value
/// stands in the part in which it begins. For each text, whether it was changed.
fn parts_cut(detector: &Detector, texts: &mut [Text], counts: &mut Counts) -> Vec<bool> {
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
            join(detector, &mut texts[at..end], &mut cut[at..end], counts);
        }
        at = end;
    }
    cut
}

/// The list of content parts that the text is one of.
fn content_of(text: &Text) -> Option<&str> {
    text.segment?;
    let (list, _) = text.pointer.rsplit_once("/content/")?;
    Some(list)
}

fn join(detector: &Detector, parts: &mut [Text], cut: &mut [bool], counts: &mut Counts) {
    let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
    let mut ends = Vec::with_capacity(parts.len());
    let mut end = 0;
    for part in &*parts {
        end += part.text.len();
        ends.push(end);
    }
    // From the back, so that no edit moves the place of another.
    let mut last = parts.len();
    for found in find_all(detector, &whole).into_iter().rev() {
        while last > 0 && ends[last - 1] >= found.end {
            last -= 1;
        }
        // The part in which the match ends, and that in which it begins.
        let to = last;
        let from = ends.partition_point(|end| *end <= found.start);
        if from >= to {
            continue;
        }
        counts.add_one(found.kind);
        let mut value = String::new();
        detector.replace(found.kind, &whole[found.start..found.end], &mut value);
        for part in from..=to {
            let start = if part == 0 { 0 } else { ends[part - 1] };
            let gone = found.start.max(start) - start..found.end.min(ends[part]) - start;
            let put = if part == from { value.as_str() } else { "" };
            parts[part].text.replace_range(gone, put);
            cut[part] = true;
        }
    }
}
