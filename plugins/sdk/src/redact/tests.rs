#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::testing::{self, Answer, Request};
use crate::{Channel, Edit, Hooks, Passage, Policy, Verdict};

/// Every way to cut a text into up to four pieces, and into single characters.
fn cuts(text: &str) -> Vec<Vec<&str>> {
    let at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let mut all = vec![
        at.iter()
            .zip(at.iter().skip(1).chain([&text.len()]))
            .map(|(a, b)| &text[*a..*b])
            .collect(),
    ];
    for &a in &at {
        for &b in at.iter().filter(|b| **b >= a) {
            for &c in at.iter().filter(|c| **c >= b) {
                all.push(vec![&text[..a], &text[a..b], &text[b..c], &text[c..]]);
            }
        }
    }
    all
}

#[track_caller]
fn check(finder: &Words, form: Form, text: &str, expected: &str) {
    let whole = redact_all(finder, form, text);
    assert_eq!(whole.as_deref().unwrap_or(text), expected);
    for chunks in cuts(text) {
        let run = |redactor| testing::redact(redactor, chunks.iter().copied());
        let answer = run(Redactor::new(finder, form));
        assert_eq!(answer.text, expected, "cut as {chunks:?}");
        assert_eq!(answer.untouched, whole.is_none(), "cut as {chunks:?}");
        let Answer {
            untouched,
            text: watched,
            most_held,
            ..
        } = run(Redactor::new(finder, form).watching());
        assert!(untouched && watched == text, "watched, cut as {chunks:?}");
        assert_eq!(most_held, 0, "watched, cut as {chunks:?}");
    }
}

#[test]
fn phrases_are_found_at_every_chunking() {
    let words = Words::new(["red fox", "red", "Ünal", "c++"], "#");
    for (text, expected) in [
        ("", ""),
        ("a blue dog", "a blue dog"),
        ("Red FOX, red fo", "#, # fo"),
        ("credo red foxes", "credo # foxes"),
        ("x ünal ÜNAL ünals", "x # # ünals"),
        ("use C++, c+", "use #, c+"),
        ("red", "#"),
        ("redred red-red", "redred #-#"),
    ] {
        check(&words, Form::Text, text, expected);
    }
}

#[test]
fn json_stays_json_at_every_chunking() {
    let words = Words::new(["42", "a\"b", "red\nfox", "naïve", "🦊"], "\"#\"");
    for (text, expected) in [
        (r##"{"a":"42"}"##, r##"{"a":"\"#\""}"##),
        (r##"{"a":42,"b":421}"##, r##"{"a":"\"#\"","b":421}"##),
        (r##"[42.5,-42,42e1]"##, r##"[42.5,-0,42e1]"##),
        (r##"["\u0034\u0032"]"##, r##"["\"#\""]"##),
        (r##"["\n42\n"]"##, r##"["\n\"#\"\n"]"##),
        (r##"["red\nfox"]"##, r##"["\"#\""]"##),
        (r##"["a\"b","a"]"##, r##"["\"#\"","a"]"##),
        (r##"["na\u00efve\\"]"##, r##"["\"#\"\\"]"##),
        (r##"["\ud83e\udd8a\ud83e"]"##, r##"["\"#\"\ud83e"]"##),
        (r##"["\x42 \u00"##, r##"["\x42 \u00"##),
        (r##"["a" ,"b"]"##, r##"["a" ,"b"]"##),
    ] {
        check(&words, Form::Json, text, expected);
    }
}

/// Finds from `<` to `>`, or to the eighth byte.
struct Brackets;

impl Finder for Brackets {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let Some(start) = view.text[from..].find('<').map(|at| from + at) else {
            return Scan::Clear(view.text.len());
        };
        let rest = &view.text.as_bytes()[start..];
        let end = rest.iter().take(8).position(|b| *b == b'>');
        match end {
            Some(end) => Scan::Found(Found {
                start,
                end: start + end + 1,
                kind: 0,
            }),
            None if rest.len() >= 8 || view.end => Scan::Found(Found {
                start,
                end: start + rest.len().min(8),
                kind: 1,
            }),
            None => Scan::Clear(start),
        }
    }
    fn replace(&self, kind: usize, _: &str, out: &mut String) {
        out.push_str(if kind == 0 { "[]" } else { "[" });
    }
}

#[test]
fn a_json_match_ends_with_its_string() {
    for chunks in cuts(r#"["a<b","c<d>"]"#) {
        let answer = testing::redact(Redactor::new(Brackets, Form::Json), chunks.iter().copied());
        assert_eq!(answer.text, r#"["a[","c[]"]"#, "cut as {chunks:?}");
    }
}

#[test]
fn what_is_open_behind_a_match_stays_with_the_host() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    let edit = redactor.push("a red re");
    assert_eq!(edit, Edit::replace_and_hold_last("a # ", 2));
    assert_eq!(redactor.undecided(), 2);
    assert_eq!(redactor.push("d"), Edit::HoldLast(3));
    assert_eq!(redactor.push("o. "), Edit::Forward);
    assert_eq!(redactor.undecided(), 0);
    assert_eq!(redactor.push("blue. "), Edit::Forward);
    assert_eq!(redactor.take_counts(), [1]);
    assert!(redactor.take_counts().is_empty());
    assert_eq!(redactor.finish(), Edit::Forward);
}

#[test]
fn a_match_behind_another_has_what_the_host_still_keeps() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    let edit = redactor.push("red r");
    assert_eq!(edit, Edit::replace_and_hold_last("# ", 1));
    assert_eq!(redactor.push("ow r"), Edit::HoldLast(1));
    // The host keeps "ow r" whole, and of "red r" nothing.
    let edit = redactor.push("ed r");
    assert_eq!(edit, Edit::replace_and_hold_last("ow # ", 1));
    assert_eq!(redactor.push("ed"), Edit::HoldLast(3));
    assert_eq!(redactor.finish(), Edit::Replace("#".into()));
}

#[test]
fn clean_text_is_held_only_while_it_is_undecided() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    assert_eq!(redactor.push("a blue r"), Edit::HoldLast(1));
    assert_eq!(redactor.push("e"), Edit::HoldLast(2));
    assert_eq!(redactor.push("ap"), Edit::Forward);
    assert_eq!(redactor.push("er"), Edit::Forward);
    assert_eq!(redactor.push(" red"), Edit::HoldLast(3));
    assert_eq!(redactor.finish(), Edit::Replace(" #".into()));
}

#[test]
fn a_replacement_has_what_the_host_keeps_and_nothing_else() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    assert_eq!(redactor.push("one r"), Edit::HoldLast(1));
    assert_eq!(redactor.push("ow re"), Edit::HoldLast(2));
    // The host keeps "one r" no longer.
    assert_eq!(redactor.push("d."), Edit::Replace("ow #.".into()));

    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Json);
    // A delta ends within an escape, and the host lets that delta go.
    assert_eq!(redactor.push(r#"["\u00"#), Edit::HoldLast(4));
    assert_eq!(redactor.push(r#"20r"#), Edit::HoldLast(1));
    assert_eq!(redactor.push(r#"ed "#), Edit::Replace("20# ".into()));
}

#[test]
fn tokens_of_clean_text_are_late_by_the_open_word() {
    // Every word may become the phrase, to its last letter.
    let words = Words::new(["r and r"], "#");
    let text = "r r r r and r, r and red r r ran";
    let tokens: Vec<&str> = text.split_inclusive(' ').collect();
    let answer = testing::redact(Redactor::new(&words, Form::Text), tokens);
    assert_eq!(answer.text, "r r r #, r and red r r ran");
    let clean = text.replace("and r", "and s");
    let tokens = clean.split_inclusive(' ');
    let answer = testing::redact(Redactor::new(&words, Form::Text), tokens);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!((answer.text, answer.most_deltas_held), (clean, 2));
}

#[test]
fn finders_see_two_characters_before() {
    let view = View {
        text: "cd",
        end: false,
        before: Preceding::default().then("a").then("").then("ßb"),
    };
    assert_eq!(view.before(0), (Some('b'), Some('ß')));
    assert_eq!(view.before(1), (Some('c'), Some('b')));
    assert_eq!(View::whole("x").before(0), (None, None));
}

#[test]
fn find_all_lists_matches_in_order() {
    let words = Words::new(["red", "blue"], "");
    let all: Vec<_> = find_all(&words, "blue red")
        .iter()
        .map(|f| (f.start, f.end, f.kind))
        .collect();
    assert_eq!(all, [(0, 4, 1), (5, 8, 0)]);
    assert_eq!(
        redact_all(std::rc::Rc::new(words), Form::Text, "Blue.").unwrap(),
        "."
    );
}

/// Finds digits, of which zeros stay.
#[derive(Debug)]
struct Digits;

impl Finder for Digits {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        match view.text[from..].find(|c: char| c.is_ascii_digit()) {
            None => Scan::Clear(view.text.len()),
            Some(at) => Scan::Found(Found {
                start: from + at,
                end: from + at + 1,
                kind: usize::from(view.text.as_bytes()[from + at] - b'0'),
            }),
        }
    }

    fn replace(&self, _kind: usize, _value: &str, out: &mut String) {
        out.push('#');
    }

    fn keeps(&self, kind: usize) -> bool {
        kind == 0
    }
}

impl Named for Digits {
    fn kinds(&self) -> usize {
        10
    }

    fn name(&self, kind: usize) -> &str {
        if kind.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        }
    }

    fn label(&self, _kind: usize) -> &str {
        "DIGIT"
    }
}

#[derive(Clone)]
struct NoDigits(Guard<Digits>);

impl Policy for NoDigits {
    type Settings = Action;

    fn new(action: Action) -> Result<Self, String> {
        let terms = Terms {
            denial: "digit",
            finding: "digits.",
            things: "digits",
        };
        Ok(NoDigits(Guard::new(Digits, action, terms)))
    }

    fn on_request(&mut self) -> Verdict {
        self.0.on_request()
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = self.0.redactor(channel);
        Some(Box::new(
            redactor.telling(|policy: &mut Self, counts| policy.0.found(counts)),
        ))
    }
}

fn exchange(action: &str) -> testing::Exchange<NoDigits> {
    let policy = testing::configure::<NoDigits>(action.into()).unwrap();
    policy.exchange(Request::user("1, 2 and 4").with("user", "a7".into()))
}

fn found(exchange: &testing::Exchange<NoDigits>) -> Vec<(&str, u32)> {
    let findings = exchange.findings().iter();
    findings.map(|it| (it.code.as_str(), it.count)).collect()
}

#[test]
fn a_guard_does_as_its_action_says() {
    let mut redacts = exchange("redact");
    assert_eq!(redacts.on_request(), Verdict::Proceed);
    assert_eq!(redacts.texts(), ["#, # and #"]);
    assert_eq!(redacts.request().body()["user"], "a#");
    assert_eq!(found(&redacts), [("digits.even", 2), ("digits.odd", 2)]);
    assert_eq!(redacts.answer(&["a1", "0"]).text, "a#0");
    assert_eq!(
        found(&redacts)[2..],
        [("digits.odd", 1), ("digits.even", 1)]
    );

    let mut denies = exchange("deny");
    let denied = Verdict::deny("digit", "the request contains digits: even, odd");
    assert_eq!(denies.on_request(), denied);
    assert_eq!(denies.answer(&["0 "]).denial, None, "that stays");
    let denial = denies.answer(&["1"]).denial.unwrap();
    assert_eq!(denial.message, "the answer contains digits: even, odd");

    let mut reports = exchange("report");
    assert_eq!(reports.on_request(), Verdict::Proceed);
    assert_eq!(reports.texts(), ["1, 2 and 4"]);
    assert!(reports.answer(&["a1"]).untouched);
    assert_eq!(found(&reports).len(), 3);
}

#[test]
fn looking_nowhere_is_an_error() {
    assert_eq!(hooks(true, false), Ok(Hooks::ON_REQUEST));
    assert_eq!(hooks(true, true), Ok(Hooks::ON_REQUEST | Hooks::ON_ANSWER));
    assert!(hooks(false, false).unwrap_err().contains("both false"));
}

#[test]
fn escapes_are_undone_as_finders_see_a_text() {
    for (text, undone) in [
        ("as it is", "as it is"),
        (r"a\nb", "a\nb"),
        (r"a\\\nb \u00e4", "a\nb ä"),
        (r"\ud83d\ude00\", "😀\\"),
        (r"C:\salary", r"C:\salary"),
    ] {
        assert_eq!(unescaped(text), undone, "{text}");
    }
}

#[test]
#[should_panic(expected = "has more than 24 bytes")]
fn a_prefix_that_leaves_a_name_no_room_is_told_when_the_policy_is_configured() {
    let terms = Terms {
        denial: "digit",
        finding: "digits-as-people-write-them.",
        things: "digits",
    };
    let _ = Guard::new(Digits, Action::Report, terms);
}

/// Finds nothing, and its second kind has that name.
struct Called(&'static str);

impl Finder for Called {
    fn scan(&self, view: &View<'_>, _from: usize) -> Scan {
        Scan::Clear(view.text.len())
    }

    fn replace(&self, _kind: usize, _value: &str, _out: &mut String) {}
}

impl Named for Called {
    fn kinds(&self) -> usize {
        2
    }

    fn name(&self, kind: usize) -> &str {
        ["good", self.0][kind]
    }
}

fn guards(name: &'static str, denial: &'static str) {
    let (finding, things) = ("ids.", "ids");
    let terms = Terms {
        denial,
        finding,
        things,
    };
    let _ = Guard::new(Called(name), Action::Report, terms);
}

#[test]
#[should_panic(
    expected = "`ids.E-Mail` would be the code of findings of kind 1, and doesn't match [a-z0-9][a-z0-9._-]{0,63}"
)]
fn a_name_that_no_finding_can_have_is_told_when_the_policy_is_configured() {
    guards("a.name_of-60", "id");
    guards("E-Mail", "id");
}

#[test]
#[should_panic(expected = "f23456789-g` would be the code of findings of kind 1")]
fn so_is_one_that_is_too_long_behind_the_prefix() {
    guards(
        "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-",
        "id",
    );
    guards(
        "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-g",
        "id",
    );
}

#[test]
#[should_panic(expected = "`No ids` is the code of denials")]
fn so_is_a_code_of_denials_that_is_none() {
    guards("good", "No ids");
}
