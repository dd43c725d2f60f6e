//! What a stage looks out for: an expression that some word of a text must match for the stage to be shown that text.
//!
//! It is a whole automaton, made at load: reading a byte is one look into a table, and what is known of the word that is being read is a
//! number, which is kept where the text goes on later. Nobody else's text can make it slow or large.
//!
//! What must stay true: where it can't decide, the word counts as matching, so that the stage is called.

use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

/// The longest word that is read to its end, in bytes; a longer one counts as matching.
const LONGEST_WORD: usize = 256;
/// The longest expression, in bytes.
const MOST_SOURCE: usize = 64 << 10;
/// The most memory that it may take when compiled, in bytes, and the most that compiling may take.
const MOST_COMPILED: usize = 4 << 20;
const MOST_COMPILING: usize = 16 << 20;
/// How much of a text is read before it is asked whether anything was found.
const PIECE: usize = 4 << 10;

/// Why an expression is no interest: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadInterest(String);

/// A compiled interest.
pub struct Interest {
    source: String,
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// What is known of the word that is being read. It is kept where a text goes on later.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    state: StateID,
    /// Bytes of it that were read; 0 between words.
    length: usize,
    matches: bool,
}

impl Interest {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Where it isn't one, or is too large.
    pub fn new(source: &str) -> Result<Interest, BadInterest> {
        if source.len() > MOST_SOURCE {
            let long = format!("it has {} bytes, and may have {MOST_SOURCE}", source.len());
            return Err(BadInterest(long));
        }
        let automaton = compile(source)?;
        let start = automaton
            .start_state(&start::Config::new())
            .map_err(|error| BadInterest(error.to_string()))?;
        Ok(Interest {
            source: source.to_owned(),
            automaton,
            start,
        })
    }

    /// The expression.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Before a word.
    pub fn word(&self) -> Word {
        Word {
            state: self.start,
            length: 0,
            matches: false,
        }
    }

    /// Whether any word of a text matches. `arguments`: they are a tool's, so that a backslash counts as a match.
    pub fn matches(&self, text: &str, arguments: bool) -> bool {
        let mut word = self.word();
        self.goes_on(&mut word, text.as_bytes(), arguments) || self.ends(&word)
    }

    /// Whether a word matches in a text that goes on from there.
    pub fn goes_on(&self, word: &mut Word, text: &[u8], arguments: bool) -> bool {
        let mut pieces = text.chunks(PIECE);
        pieces.any(|piece| self.read(word, piece, arguments).is_some())
    }

    /// Reads on. Of the first word that turns out to match in this text, where it begins: from the text's first byte on, or so many before it.
    pub fn read(&self, word: &mut Word, text: &[u8], arguments: bool) -> Option<isize> {
        let Word {
            mut state,
            mut length,
            mut matches,
        } = *word;
        let mut first = None;
        let begins = |at: usize, length: usize| at as isize - length as isize;
        for (at, &byte) in text.iter().enumerate() {
            if byte.is_ascii_whitespace() {
                if length > 0 {
                    if !matches && self.matches_at_end(state) {
                        first.get_or_insert(begins(at, length));
                    }
                    (state, length, matches) = (self.start, 0, false);
                }
                continue;
            }
            length += 1;
            if matches {
                continue;
            }
            state = self.automaton.next_state(state, byte);
            let special = self.automaton.is_special_state(state);
            matches = special && self.decides(state)
                || length > LONGEST_WORD
                || arguments && byte == b'\\';
            if matches {
                first.get_or_insert(begins(at + 1, length));
            }
        }
        *word = Word {
            state,
            length,
            matches,
        };
        first
    }

    /// Whether that word matches, if nothing more of it comes and it wasn't known before.
    pub fn ends(&self, word: &Word) -> bool {
        word.length > 0 && !word.matches && self.matches_at_end(word.state)
    }

    /// It matches, or gave up over a byte.
    fn decides(&self, state: StateID) -> bool {
        self.automaton.is_match_state(state) || self.automaton.is_quit_state(state)
    }

    fn matches_at_end(&self, state: StateID) -> bool {
        self.decides(self.automaton.next_eoi_state(state))
    }
}

impl Word {
    /// Whether a word is being read.
    pub fn is_open(&self) -> bool {
        self.length > 0
    }

    /// Whether the word that is being read matches, whatever follows.
    pub fn matches(&self) -> bool {
        self.matches
    }

    /// Bytes of the word that is being read.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes of a word that is being read and doesn't match so far.
    pub fn undecided(&self) -> usize {
        if self.matches { 0 } else { self.length }
    }

    /// It counts as matching from here on.
    pub fn give_up(&mut self) {
        self.matches = self.length > 0;
    }
}

impl std::fmt::Debug for Interest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Interest").field(&self.source).finish()
    }
}

fn compile(source: &str) -> Result<dense::DFA<Vec<u32>>, BadInterest> {
    dense::Builder::new()
        .syntax(syntax::Config::new())
        .thompson(thompson::Config::new().nfa_size_limit(Some(MOST_COMPILED)))
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Unanchored)
                // Of other letters at such a border it gives up, which counts as a match.
                .unicode_word_boundary(true)
                .accelerate(false)
                .dfa_size_limit(Some(MOST_COMPILED))
                .determinize_size_limit(Some(MOST_COMPILING)),
        )
        .build(source)
        .map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            let reason = cause.to_string();
            if error.is_size_limit_exceeded() || reason.contains("limit") {
                let most = MOST_COMPILED >> 20;
                return BadInterest(format!(
                    "it takes more than {most} MiB when compiled; name fewer words, or bound its repetitions"
                ));
            }
            let line = reason.lines().last().unwrap_or_default().trim();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            let shown = &source[..source.floor_char_boundary(100)];
            BadInterest(format!("it is no regular expression ({line}): {shown:?}"))
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use proptest::prelude::*;

    use super::*;

    fn matches(source: &str, text: &str) -> bool {
        Interest::new(source).unwrap().matches(text, false)
    }

    #[test]
    fn a_word_matches_by_itself_whatever_stands_beside_it() {
        for (source, text, found) in [
            ("@", "write to a@b now", true),
            ("@", "write to me now", false),
            ("^ssn$", "the ssn is", true),
            ("^ssn$", "the ssn, is", false),
            ("^ssn$", "ssn", true),
            ("^ssn$", "\t\nssn\r", true),
            ("a b", "a b", false),
            ("(?i)straße", "die STRASSE Straße", true),
            ("[0-9]", "", false),
            ("[0-9]", " \n ", false),
            ("a*", "x", true),
            ("a*", "  ", false),
            (r"\bcat\b", "con-cat.", true),
            (r"\bcat\b", "concat", false),
            // Where ends a word in front of such a letter? It doesn't say, and so it counts.
            (r"\bcat\b", "catäx", true),
        ] {
            assert_eq!(matches(source, text), found, "{source} in {text:?}");
        }
    }

    #[test]
    fn a_long_word_counts_and_so_does_a_backslash_in_arguments() {
        let interest = Interest::new("@").unwrap();
        assert!(!interest.matches(&"x".repeat(LONGEST_WORD), false));
        assert!(interest.matches(&"x".repeat(LONGEST_WORD + 1), false));
        assert!(!interest.matches(&format!("{} x", "x".repeat(LONGEST_WORD)), false));
        assert!(!interest.matches(r"a\u0040b", false));
        assert!(interest.matches(r"a\u0040b", true));
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said() {
        let why = |source: &str| Interest::new(source).unwrap_err().to_string();
        assert!(why("(").contains("unclosed group"), "{}", why("("));
        let large = r"(\w{0,200}x){0,200}";
        assert!(why(large).contains("more than 4 MiB"), "{}", why(large));
        let long = "x".repeat(MOST_SOURCE + 1);
        assert!(why(&long).contains("may have 65536"), "{}", why(&long));
    }

    #[test]
    fn the_first_word_that_matches_is_where_it_begins() {
        let interest = Interest::new("c|d$").unwrap();
        let mut word = interest.word();
        assert_eq!(interest.read(&mut word, b"a abb", false), None);
        assert_eq!(word.undecided(), 3);
        // `abb` goes on and ends with `d`.
        assert_eq!(interest.read(&mut word, b"d e", false), Some(-3));
        assert_eq!(word.undecided(), 1);
        // Of a `c` the next byte tells.
        assert_eq!(interest.read(&mut word, b" xc", false), None);
        assert_eq!(interest.read(&mut word, b"c", false), Some(-2));
        assert!(word.matches() && word.is_open());
        assert_eq!(interest.read(&mut word, b"c c", false), None);
        assert_eq!(interest.read(&mut word, b" d", false), Some(-1));
        assert!(interest.ends(&word));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// The crate's own search of each word is what decides, wherever the text is cut.
        #[test]
        fn it_finds_what_a_search_of_each_word_finds(
            source in prop::sample::select(vec!["@", "^a", "b$", "^ab$", "a.b", "(?i)K", "é|x", "aa|bb@", "[^ab]"]),
            pieces in prop::collection::vec("[ab@ékK.\t \n]{0,5}", 0..6),
        ) {
            let interest = Interest::new(source).unwrap();
            let other = regex_automata::meta::Regex::new(source).unwrap();
            let text = pieces.concat();
            let expected = text.split_ascii_whitespace().any(|word| other.is_match(word));
            prop_assert_eq!(interest.matches(&text, false), expected, "{} {:?}", source, &text);
            let mut word = interest.word();
            let mut found = false;
            for piece in &pieces {
                found |= interest.read(&mut word, piece.as_bytes(), false).is_some();
            }
            prop_assert_eq!(found || interest.ends(&word), expected);
        }
    }
}
