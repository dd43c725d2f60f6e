//! What is asked during a storm, what must be answered, and what that shows of the generation that answered.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::support::Reply;

/// What is personal in every answer.
const PERSONAL: &str = "ann@example.org";

/// What an answer shows of the generation that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Origin and mark of the first stage.
    pub first: String,
    /// Origin and mark of the last stage.
    pub last: String,
    /// Whether `pii-detector` stands between them.
    pub masks: bool,
}

/// The message to which the upstream answers with a text of so many lines. `%` and `#` are for the stages to stamp on the way there, `!`
/// and `?` on the way back.
pub fn asked(lines: usize) -> String {
    format!("say: %# {}", body(lines, "!", "?", PERSONAL))
}

/// The text that a generation must make of it.
fn expected(shown: &Shown, lines: usize) -> String {
    let (first, last) = (format!("<{}>", shown.first), format!("<{}>", shown.last));
    let personal = if shown.masks { "[EMAIL]" } else { PERSONAL };
    format!("{first}{last} {}", body(lines, &first, &last, personal))
}

fn body(lines: usize, first: &str, last: &str, personal: &str) -> String {
    let line = format!("one more line{first} and the rest of it{last} ");
    format!("{}by {personal}.", line.repeat(lines))
}

/// What was answered so far, by the value of `x-witgate-chain`.
#[derive(Default)]
pub struct Answers {
    generations: Mutex<BTreeMap<String, Shown>>,
    faults: Mutex<Vec<String>>,
}

impl Answers {
    /// Takes an answer to [`asked`]. It must be complete and be one generation's, the one that it names, from beginning to end.
    pub fn take(&self, reply: &Reply, lines: usize) -> Option<Shown> {
        match self.check(reply, lines) {
            Ok(shown) => Some(shown),
            Err(why) => {
                // What went wrong stands at the end.
                let text = reply.text();
                let end = text
                    .trim_end()
                    .rfind('\n')
                    .map_or(text, |at| &text[at + 1..]);
                self.fault(format!("{why}: {} ... {end}", reply.status));
                None
            }
        }
    }

    pub fn fault(&self, what: String) {
        self.faults.lock().push(what);
    }

    /// What was wrong.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().clone()
    }

    /// How many generations have answered.
    pub fn generations(&self) -> usize {
        self.generations.lock().len()
    }

    fn check(&self, reply: &Reply, lines: usize) -> Result<Shown, String> {
        if reply.status != 200 {
            return Err("it was refused".into());
        }
        let streamed = reply
            .header("content-type")
            .starts_with("text/event-stream");
        if let Some(why) = &reply.broken {
            return Err(format!("it broke off ({why})"));
        }
        if streamed && !reply.is_done() {
            return Err("it has no end".into());
        }
        let said = reply.said();
        let shown = shown(said.content(), reply.header("x-witgate-policies"));
        let shown = shown.ok_or("it shows no generation")?;
        if said.content() != expected(&shown, lines) {
            return Err("it is no generation's answer".into());
        }
        if said.finishes.get(&0).map(String::as_str) != Some("stop") {
            return Err("it doesn't finish".into());
        }
        if mark(&shown.first).is_none() || mark(&shown.first) != mark(&shown.last) {
            return Err("it is of no good configuration, or of two".into());
        }
        let generation = reply.header("x-witgate-chain").to_owned();
        let mut generations = self.generations.lock();
        let known = generations
            .entry(generation)
            .or_insert_with(|| shown.clone());
        if *known == shown {
            Ok(shown)
        } else {
            Err(format!("others of its generation show {known:?}"))
        }
    }
}

/// What the beginning of an answer shows, and its header.
fn shown(content: &str, policies: &str) -> Option<Shown> {
    let (first, rest) = content.strip_prefix('<')?.split_once("><")?;
    let (last, _) = rest.split_once('>')?;
    Some(Shown {
        first: first.to_owned(),
        last: last.to_owned(),
        masks: policies.contains("pii-detector"),
    })
}

/// The mark in a stamp, if all of that is of good files.
fn mark(stamp: &str) -> Option<&str> {
    let (origin, mark) = stamp.split_once('.')?;
    let good = origin.starts_with("made") || origin.starts_with("seen");
    (good && mark.starts_with('m')).then_some(mark)
}
