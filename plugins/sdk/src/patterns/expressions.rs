//! Regular expressions as a finder.

use super::automaton::{Automaton, Walk};
use super::{Bytes, count_step, is_word};
use crate::redact::{Finder, Found, Named, Scan, View};

#[cfg(test)]
mod tests;

/// The most patterns that a finder may have.
const MOST: usize = 64;
/// Bytes that the longest match of a pattern has, unless its author asks for more.
const LONGEST: usize = 256;
/// Bytes that anyone may ask for.
const LONGEST_OF_ALL: usize = 1024;
/// Bytes that the longest matches of a finder's patterns have together: so often, and no oftener, a byte is looked at.
const TOGETHER: usize = 2048;
/// Memory that a finder's automata take together, in bytes.
const MEMORY: usize = 8 << 20;

/// Something to look for: a regular expression, its name, and what stands in its place.
///
/// The syntax is that of Rust's `regex`, with `\d`, `\s`, `\w` and cases of all letters, and without the other classes of Unicode: `\p{L}` is refused, unless a crate of the policy's turns that on in `regex-syntax`. A match has a greatest length, of
/// at most 256 bytes or as many as [`longest`](Pattern::longest) says; `\b` goes by letters of ASCII; `^` and `$` are the beginning and the end of the text.
#[derive(Clone, Debug)]
pub struct Pattern {
    name: String,
    label: String,
    expression: String,
    replacement: String,
    /// Bytes that its longest match may have.
    longest: usize,
    /// It doesn't begin behind such a character.
    follows_none: fn(char) -> bool,
    check: fn(&str) -> bool,
}

impl Pattern {
    /// A pattern with a name for findings and denials, as in `ticket`: `[a-z0-9][a-z0-9._-]{0,39}`. It is replaced by `[TICKET]`.
    pub fn new(name: impl Into<String>, expression: impl Into<String>) -> Pattern {
        let name = name.into();
        let letter = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        };
        let label: String = name.chars().map(letter).collect();
        Pattern {
            replacement: format!("[{label}]"),
            name,
            label,
            expression: expression.into(),
            longest: LONGEST,
            follows_none: |_| false,
            check: |_| true,
        }
    }

    /// Replaced by this.
    #[must_use]
    pub fn replaced_by(mut self, text: impl Into<String>) -> Pattern {
        self.replacement = text.into();
        self
    }

    /// Its longest match may have so many bytes, of at most 1,024, and not 256. In a text that looks like a match at each place, as a long run of digits does to `[0-9]{10,1000}x`, a byte is
    /// looked at as often as the longest match has bytes.
    #[must_use]
    pub fn longest(mut self, bytes: usize) -> Pattern {
        self.longest = bytes.min(LONGEST_OF_ALL);
        self
    }

    /// A match that this refuses is none, as where its check digit is wrong. It sees the match and nothing else.
    #[must_use]
    pub fn checked(mut self, check: fn(&str) -> bool) -> Pattern {
        self.check = check;
        self
    }

    /// A match doesn't begin right behind a character of which this says yes. That is asked before anything is looked at, so it also spares a long run of such characters
    /// from being looked at from each of them on.
    #[must_use]
    pub fn not_after(mut self, is_part: fn(char) -> bool) -> Pattern {
        self.follows_none = is_part;
        self
    }

    /// An e-mail address of letters of ASCII: `email`.
    #[must_use]
    pub fn email() -> Pattern {
        let part = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
        let address =
            format!(r"[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{{0,63}}@(?:{part}\.){{1,4}}[A-Za-z]{{2,24}}");
        Pattern::new("email", address)
            .longest(512)
            .not_after(|c| c.is_ascii_alphanumeric() || "._%+-".contains(c))
    }

    /// A key by the prefix of whoever made it: of Cerebras, OpenAI, Anthropic, GitHub, GitLab, AWS, Google, Slack, Stripe, Hugging Face, npm. `key`. The bundled policy
    /// `secrets` knows many more. Of a key of OpenAI's or Cerebras' kind with more than 500 characters, which nobody makes, the first 500 are replaced and the rest isn't.
    #[must_use]
    pub fn key() -> Pattern {
        let all = [
            "c?sk-[A-Za-z0-9_-]{20,500}",
            "gh[opsur]_[A-Za-z0-9]{36}",
            "github_pat_[A-Za-z0-9_]{22,100}",
            "glpat-[A-Za-z0-9_-]{20,64}",
            "(?:AKIA|ASIA)[A-Z0-9]{16}",
            "AIza[A-Za-z0-9_-]{35}",
            "xox[abeoprs]-[A-Za-z0-9-]{10,100}",
            "[rs]k_(?:live|test)_[A-Za-z0-9]{16,110}",
            "hf_[A-Za-z0-9]{30,40}",
            "npm_[A-Za-z0-9]{36}",
        ];
        Pattern::new("key", format!("(?:{})", all.join("|")))
            .longest(512)
            .not_after(is_word)
    }

    /// The number of a payment card, in groups or not, whose check digit is right: `card`.
    #[must_use]
    pub fn card() -> Pattern {
        let all = [
            r"[2-6][0-9]{3}(?:[ -][0-9]{4}){3}",
            r"3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}",
            "[2-6][0-9]{12,18}",
        ];
        Pattern::new("card", format!(r"(?:{})\b", all.join("|")))
            .not_after(is_word)
            .checked(has_its_check_digit)
    }
}

/// A finder of patterns by regular expressions.
///
/// Of matches that begin at one place that of the first pattern is taken, and of a pattern's own the one that `regex` would: of alternatives the first, of a
/// repetition the longest. The search goes on behind it. What is held back is exact: the text waits from the first place on where what has come may still become a match or
/// a longer one, and no byte waits where none can.
///
/// The work is linear in the text. A byte is looked at from each place from which a match could still reach it: mostly once or twice, and where the text looks like a match everywhere as often
/// as the longest matches of all patterns have bytes, which together are at most 2,048. Their automata have at most 1 MiB each, and 8 MiB together.
///
/// The automata are built by [`new`](Patterns::new), so they are part of the snapshot; an exchange builds nothing. Put it into an [`Rc`](std::rc::Rc), or a
/// [`Guard`](crate::redact::Guard), which shares it.
///
/// ```
/// use witgate_policy::patterns::{Pattern, Patterns};
/// use witgate_policy::redact::{Form, redact_all};
///
/// let patterns = Patterns::new([Pattern::email(), Pattern::new("ticket", r"\bT-[0-9]{5}\b")])?;
/// let text = redact_all(&patterns, Form::Text, "ann@example.com has T-12345, not T-123456.");
/// assert_eq!(text.as_deref(), Some("[EMAIL] has [TICKET], not T-123456."));
///
/// let error = Patterns::new([Pattern::new("key", "sk-[a-z]+")]).unwrap_err();
/// assert!(error.starts_with("pattern `key`: a match of it has no greatest length"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Patterns {
    all: Vec<(Pattern, Automaton)>,
    /// The bytes that a match may begin with.
    starts: Bytes,
}

impl Patterns {
    /// A finder of these patterns, the first of which goes before the others. The kind of a match is its pattern's place.
    ///
    /// # Errors
    ///
    /// A sentence for the operator: which pattern, what is wrong with it, what to write.
    pub fn new(patterns: impl IntoIterator<Item = Pattern>) -> Result<Patterns, String> {
        let mut all: Vec<(Pattern, Automaton)> = Vec::new();
        let (mut longest, mut memory) = (0, 0);
        for pattern in patterns {
            let failed = |why: String| format!("pattern `{}`: {why}", pattern.name);
            if !is_name(&pattern.name) {
                return Err(failed("a name has 1 to 40 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or a digit".into()));
            }
            if all.len() == MOST {
                return Err(failed(format!(
                    "{MOST} patterns are the most; put several into one, as in `a|b`"
                )));
            }
            let automaton = Automaton::new(&pattern.expression, pattern.longest).map_err(failed)?;
            longest += automaton.longest();
            if longest > TOGETHER {
                return Err(failed(format!(
                    "with those before it the longest matches have {longest} bytes together, and {TOGETHER} are the most; write smaller repetitions"
                )));
            }
            memory += automaton.memory();
            if memory > MEMORY {
                return Err(failed(format!(
                    "with those before it the patterns take {memory} bytes of memory, and {MEMORY} are the most; write fewer, or [0-9] for \\d and [A-Za-z0-9_] for \\w"
                )));
            }
            all.push((pattern, automaton));
        }
        let may_begin = |byte: &u8| all.iter().any(|(_, automaton)| automaton.may_begin(*byte));
        let starts: Vec<u8> = (0..=255).filter(may_begin).collect();
        let starts = Bytes::of(&starts);
        Ok(Patterns { all, starts })
    }

    /// What begins at this place of the text, behind that character.
    fn at(&self, view: &View<'_>, at: usize, before: Option<char>) -> Option<Scan> {
        let mut bytes = [0; 4];
        let last = before.map(|c| *c.encode_utf8(&mut bytes).as_bytes().last().unwrap_or(&0));
        let text = &view.text.as_bytes()[at..];
        for (kind, (pattern, automaton)) in self.all.iter().enumerate() {
            if before.is_some_and(pattern.follows_none) {
                continue;
            }
            match automaton.walk(text, view.end, last) {
                Walk::None => {}
                Walk::Undecided => return Some(Scan::Clear(at)),
                Walk::Match(length) => {
                    let (start, end) = (at, at + length);
                    if (pattern.check)(&view.text[start..end]) {
                        return Some(Scan::Found(Found { start, end, kind }));
                    }
                }
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.all.iter().map(|(_, it)| it.memory()).sum()
    }
}

impl Finder for Patterns {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let bytes = view.text.as_bytes();
        for (at, byte) in bytes.iter().enumerate().skip(from) {
            count_step();
            if !self.starts.has(*byte) {
                continue;
            }
            let before = match at.checked_sub(1).map(|last| bytes[last]) {
                Some(last) if last.is_ascii() => Some(char::from(last)),
                _ => view.before(at).0,
            };
            if let Some(scan) = self.at(view, at, before) {
                return scan;
            }
        }
        Scan::Clear(view.text.len())
    }

    fn replace(&self, kind: usize, _value: &str, out: &mut String) {
        out.push_str(&self.all[kind].0.replacement);
    }
}

impl Named for Patterns {
    fn kinds(&self) -> usize {
        self.all.len()
    }

    fn name(&self, kind: usize) -> &str {
        &self.all[kind].0.name
    }

    fn label(&self, kind: usize) -> &str {
        &self.all[kind].0.label
    }
}

fn is_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 40 && name.starts_with(part) && name.chars().all(|c| part(c) || "._-".contains(c))
}

/// Luhn's.
fn has_its_check_digit(number: &str) -> bool {
    let digits = number.chars().rev().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits
        .enumerate()
        .map(|(n, digit)| match n % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}
