//! `docs/compatibility.md`, written from the tables.

use std::fmt::Write as _;
use std::path::Path;

use super::super::models::{ANY, MODELS};
use super::super::table::{Field, Fields, Kind, Mend, OtherTag};
use super::*;

const DOCUMENT: &str = "../../../docs/compatibility.md";

/// What the test is called, and so how the document is written.
const WRITE: &str =
    "WITGATE_WRITE_DOCS=1 cargo test --workspace --lib -- the_document_says_what_the_tables_say";

const HEAD: &str = "\
# What Cerebras takes

Cerebras closes every object of a request: a member that it doesn't know is a 400, where other providers pass over it. So a target of
provider `cerebras` gets what it takes, and the client is told what it didn't get. The tables here are what the gateway goes by; they are
written from its sources (`host/crates/wire/src/parameters`), and why it is so is in [a decision](decisions/parameters.md).

A target's `parameters` (see [configuration](configuration.md#providers)) says what becomes of a request that doesn't fit:

| `parameters` | what happens |
|---|---|
| `strip` | what Cerebras would refuse is dropped, or gets the name that Cerebras has for it; `x-witgate-dropped` says what |
| `strict` | the request is a 400 in Cerebras's words, with its `type`, `param` and `code`, and isn't sent. No other target is asked |
| `pass` | it goes on as it came, and Cerebras refuses it |

`x-witgate-dropped` is on the answer, whole or streamed, and on an error of the target's. It is a list of at most 16 names, then `...`:

| in the list | means |
|---|---|
| `store` | the member was dropped |
| `messages[].reasoning_content->reasoning` | the member got another name |
| `reasoning_effort:minimal->low` | the word became another |
| `tools[type=web_search]` | elements of that type were dropped |
| `stop[4..]` | elements from the fifth on were dropped |

What the client *says* is never dropped: no message, text, picture or prompt, and no limit of tokens. Where one of them can't be taken,
Cerebras says so (*stays* below). `n` and `stream` stay because the answer has been promised in that form. Of several limits of tokens
the smallest stays, so none is ever raised. Policies are asked before: what is dropped they have seen, and nothing is added that they haven't.
";

/// One of the places that a table leads to.
struct Writer {
    text: String,
    /// Objects that were written, by their place in memory.
    written: Vec<*const ()>,
    /// Objects that are still to be written, each with its path.
    next: Vec<(String, Vec<&'static Fields>)>,
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Any => "anything".into(),
        Kind::Flag => "`true`, `false`".into(),
        Kind::Whole(i128::MIN, i128::MAX) => "a whole number".into(),
        Kind::Whole(least, most) if *most >= i64::MAX.into() => {
            format!("a whole number from {least}")
        }
        Kind::Whole(least, most) => format!("a whole number, {least} to {most}"),
        Kind::Number(least, most) => format!("a number, {least} to {most}"),
        Kind::Text(usize::MAX) => "text".into(),
        Kind::Text(most) => format!("text of at most {most} characters"),
        Kind::Word(words, _) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Kind::Open => "an object".into(),
        Kind::Map(of) => format!("an object of any keys, each with {}", takes(of)),
        Kind::Object(_) => "an object, see below".into(),
        Kind::List(of, 0, usize::MAX) => format!("a list of {}", several(of)),
        Kind::List(of, least, usize::MAX) => {
            format!("a list of at least {least} of {}", several(of))
        }
        Kind::List(of, _, most) => format!("a list of at most {most} of {}", several(of)),
        Kind::Either(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(takes).collect();
            kinds.join(" or ")
        }
        Kind::Tagged(tagged) => {
            let tags: Vec<_> = tagged.variants.iter().map(|(tag, _)| *tag).collect();
            format!("an object with `{}` `{}`", tagged.by, tags.join("`, `"))
        }
    }
}

fn several(kind: &Kind) -> String {
    match kind {
        Kind::Text(_) => "texts".into(),
        Kind::Whole(0, _) => "tokens".into(),
        Kind::Object(_) | Kind::Tagged(_) => "objects, see below".into(),
        other => takes(other),
    }
}

impl Writer {
    fn row(&mut self, path: &str, field: &'static Field) {
        let mut takes = takes(&field.kind);
        if field.null {
            takes += ", null";
        }
        if field.needed {
            takes += "; required";
        }
        let mut else_ = vec![match field.stays || field.needed {
            true => "stays".to_owned(),
            false => "dropped".to_owned(),
        }];
        if !field.others.is_empty() {
            let names: Vec<_> = field
                .others
                .iter()
                .map(|it| format!("`{}`", it.name))
                .collect();
            else_.push(format!("gets this name: {}", names.join(", ")));
        }
        self.words(&field.kind, &mut else_);
        if !field.note.is_empty() {
            else_.push(field.note.to_owned());
        }
        let dot = if path.is_empty() { "" } else { "." };
        let name = format!("{path}{dot}{}", field.name);
        _ = writeln!(self.text, "| `{name}` | {takes} | {} |", else_.join("; "));
        self.inner(name, &field.kind);
    }

    /// Words of others, and what becomes of them.
    fn words(&mut self, kind: &'static Kind, into: &mut Vec<String>) {
        let (tag, others) = match kind {
            Kind::Word(_, others) => {
                let others = others
                    .iter()
                    .map(|(from, to)| format!("`{from}` becomes `{to}`"));
                into.extend(others);
                return;
            }
            Kind::List(of, ..) => return self.words(of, into),
            Kind::Either(kinds) => return kinds.iter().for_each(|kind| self.words(kind, into)),
            Kind::Tagged(tagged) if self.is_new(std::ptr::from_ref(tagged).cast()) => {
                (tagged.by, tagged.others)
            }
            _ => return,
        };
        for other in others {
            into.push(match other {
                OtherTag::Is(from, to) => format!("`{tag}` `{from}` becomes `{to}`"),
                OtherTag::For(from, to, _) => {
                    format!("`{tag}` `{from}` becomes `{to}`, by model")
                }
                OtherTag::All(from, json) => {
                    format!("the object with `{tag}` `{from}` becomes `{json}`")
                }
                OtherTag::Goes("") => continue,
                OtherTag::Goes(from) => format!("`{tag}` `{from}` is dropped"),
            });
        }
    }

    /// What lies within is written later, and once.
    fn inner(&mut self, path: String, kind: &'static Kind) {
        match kind {
            Kind::Object(fields) => self.later(path, vec![fields]),
            Kind::List(of, ..) => self.inner(format!("{path}[]"), of),
            Kind::Either(kinds) => {
                for kind in *kinds {
                    self.inner(path.clone(), kind);
                }
            }
            Kind::Tagged(tagged) => {
                let mut variants: Vec<(Vec<&str>, &'static Fields)> = Vec::new();
                for (tag, fields) in tagged.variants {
                    match variants
                        .iter_mut()
                        .find(|(_, known)| std::ptr::eq(*known, *fields))
                    {
                        Some((tags, _)) => tags.push(tag),
                        None => variants.push((vec![tag], fields)),
                    }
                }
                let path = path.trim_end_matches("[]");
                for (tags, fields) in variants {
                    self.later(
                        format!("{path}[{}={}]", tagged.by, tags.join(",")),
                        vec![fields],
                    );
                }
            }
            _ => {}
        }
    }

    fn later(&mut self, path: String, fields: Vec<&'static Fields>) {
        if self.is_new(std::ptr::from_ref(fields[0]).cast()) {
            self.next.push((path, fields));
        }
    }

    fn is_new(&mut self, place: *const ()) -> bool {
        let new = !self.written.contains(&place);
        if new {
            self.written.push(place);
        }
        new
    }

    fn table(&mut self, table: &'static Fields) {
        let head = "\n| member | takes | else |\n|---|---|---|\n";
        self.text += head;
        for field in table.fields {
            self.row("", field);
        }
        let mut rules = vec![(String::new(), table)];
        while !self.next.is_empty() {
            let (path, all) = self.next.remove(0);
            for fields in all {
                // The tag is in the path.
                let tag = |field: &&Field| {
                    let name = field.name;
                    path.ends_with(']') && path.contains(&format!("[{name}="))
                };
                for field in fields.fields.iter().filter(|field| !tag(field)) {
                    self.row(&path, field);
                }
                rules.push((path.clone(), fields));
            }
        }
        self.text += "\nRules between members:\n\n| about | rule | else |\n|---|---|---|\n";
        for (path, fields) in rules {
            for rule in fields.rules {
                let about = fields.fields[usize::from(rule.on)].name;
                let dot = if path.is_empty() { "" } else { "." };
                let mend = match rule.mend {
                    Mend::Drop if rule.ours => {
                        "dropped, a choice of this gateway's: `strict` lets it through".to_owned()
                    }
                    Mend::Drop => "dropped".to_owned(),
                    Mend::DropLarger(_) => "the larger is dropped".to_owned(),
                    Mend::Word(word) => format!("becomes `{word}`"),
                    Mend::Nothing => "stays".to_owned(),
                };
                let what = rule.what;
                _ = writeln!(self.text, "| `{path}{dot}{about}` | {what} | {mend} |");
            }
        }
    }
}

fn document() -> String {
    let mut writer = Writer {
        text: HEAD.to_owned(),
        written: Vec::new(),
        next: Vec::new(),
    };
    writer.text += "\n## Chat completions\n";
    writer.table(&CHAT);
    writer.text += "\n## Text completions\n";
    writer.table(&COMPLETIONS);
    writer.text += "\n## Models\n\nBy how a model's name at the target begins. Of others everything is taken.\n\n\
        | model | `reasoning_effort` | tools with a format of JSON | `reasoning_format` `raw`, `hidden` | role `developer` | images | `clear_thinking` |\n\
        |---|---|---|---|---|---|---|\n";
    for model in MODELS.iter().chain([&ANY]) {
        let yes = |it: bool| if it { "yes" } else { "no" };
        let begins = match model.begins {
            "" => "any other".to_owned(),
            begins => format!("`{begins}...`"),
        };
        _ = writeln!(
            writer.text,
            "| {begins} | {} | {} | {} | {} | {} | {} |",
            model.efforts.join(", "),
            yes(model.tools_with_format),
            yes(model.raw_reasoning),
            yes(model.developer),
            yes(model.images),
            yes(model.clear_thinking),
        );
    }
    writer.text
}

#[test]
fn the_document_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let document = document();
    if std::env::var_os("WITGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == document,
        "docs/compatibility.md differs from the tables; this writes it: {WRITE}"
    );
}
