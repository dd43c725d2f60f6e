//! The operator's patterns, as one automaton over bytes.
//!
//! A walk from a place on ends as soon as no pattern can match any more, so what is undecided is exact; and after [`LONGEST`] bytes, so that it is
//! bounded. It knows of what comes before by one byte.
//!
//! The SDK's `Patterns` won't do in its place: it refuses an expression whose matches have no greatest length (`sk-[a-z]+`), which operators write and of
//! which 256 bytes are the match here, takes 64 patterns at most, and walks once for each of them, where this walks once for all.

use regex_automata::Anchored;
use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use witgate_policy::patterns::count_step;

use crate::Try;

/// Of a longer match so many bytes are the match.
pub(crate) const LONGEST: usize = 256;
/// The most memory that the automaton may take, in bytes.
const MEMORY: usize = 2 * 1024 * 1024;

/// Patterns, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Expressions {
    dfa: dense::DFA<Vec<u32>>,
    /// For single words, where such can tell.
    pub(crate) interest: Option<String>,
}

impl Expressions {
    pub(crate) fn new(sources: &[String]) -> Result<Expressions, String> {
        let mut all = Vec::with_capacity(sources.len());
        let mut interest = Some(Vec::new());
        for (n, source) in sources.iter().enumerate() {
            let failed = |why: &dyn std::fmt::Display| format!("detect_patterns[{n}]: {why}");
            let hir = regex_syntax::parse(source).map_err(|error| failed(&error))?;
            if hir
                .properties()
                .minimum_len()
                .is_none_or(|least| least == 0)
            {
                return Err(failed(
                    &"it matches where nothing stands; write what must be there",
                ));
            }
            if let Some(all) = &mut interest {
                match in_a_word(&hir) {
                    Some(part) => all.push(part),
                    None => interest = None,
                }
            }
            all.push(with_ascii_borders(hir));
        }
        let large = |error: &dyn std::fmt::Display| {
            format!(
                "detect_patterns: together they are too large ({error}); write [0-9] for \\d and [A-Za-z] for \\w, and smaller repetitions"
            )
        };
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(MEMORY)))
            .build_many_from_hir(&all)
            .map_err(|error| large(&error))?;
        let config = dense::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(MEMORY))
            .determinize_size_limit(Some(2 * MEMORY));
        let dfa = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|error| large(&error))?;
        Ok(Expressions {
            dfa,
            interest: interest.map(|all: Vec<String>| all.join("|")),
        })
    }

    /// Whether a match may begin with this byte, whatever comes before.
    pub(crate) fn may_begin(&self, byte: u8) -> bool {
        let before = [None, Some(b' '), Some(b'a'), Some(b'\n'), Some(b'\r')];
        before.into_iter().any(|before| {
            let start = self.start(before);
            let next = start.map(|start| self.dfa.next_state(start, byte));
            next.is_none_or(|next| !self.dfa.is_dead_state(next))
        })
    }

    /// The match that starts with this text, which goes on unless `end` is set.
    pub(crate) fn at(&self, text: &str, end: bool, before: Option<u8>) -> Try {
        let Some(mut state) = self.start(before) else {
            return Try::No;
        };
        let mut found = Try::No;
        let number = |state| self.dfa.match_pattern(state, 0).as_usize();
        let bytes = text.as_bytes();
        // A match is told by the byte behind it.
        for (at, byte) in bytes.iter().enumerate().take(LONGEST + 1) {
            count_step();
            state = self.dfa.next_state(state, *byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) && at > 0 {
                    found = Try::Match(at, number(state));
                } else if self.dfa.is_dead_state(state) || self.dfa.is_quit_state(state) {
                    return found;
                }
            }
        }
        if bytes.len() > LONGEST {
            return found;
        }
        if !end {
            return Try::More;
        }
        state = self.dfa.next_eoi_state(state);
        if self.dfa.is_match_state(state) && !bytes.is_empty() {
            found = Try::Match(bytes.len(), number(state));
        }
        found
    }

    fn start(&self, before: Option<u8>) -> Option<regex_automata::util::primitives::StateID> {
        let config = start::Config::new()
            .anchored(Anchored::Yes)
            .look_behind(before);
        self.dfa.start_state(&config).ok()
    }
}

/// Borders of words are told by ASCII letters: an automaton over bytes can't tell others.
fn with_ascii_borders(hir: Hir) -> Hir {
    each_look(hir, &|look| {
        Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => other,
        })
    })
}

fn each_look(hir: Hir, look: &dyn Fn(Look) -> Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Look(it) => look(it),
        HirKind::Repetition(mut it) => {
            it.sub = Box::new(each_look(*it.sub, look));
            Hir::repetition(it)
        }
        HirKind::Capture(it) => each_look(*it.sub, look),
        HirKind::Concat(parts) => Hir::concat(
            parts
                .into_iter()
                .map(|part| each_look(part, look))
                .collect(),
        ),
        HirKind::Alternation(parts) => Hir::alternation(
            parts
                .into_iter()
                .map(|part| each_look(part, look))
                .collect(),
        ),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(it) => Hir::literal(it.0),
        HirKind::Class(it) => Hir::class(it),
    }
}

/// An expression that matches within a word wherever the pattern matches: the pattern without its borders, where no white space can be part of
/// a match. `None` where it can, or where the pattern asks where the text begins.
fn in_a_word(hir: &Hir) -> Option<String> {
    let looks = hir.properties().look_set();
    let borders = Look::WordAscii.as_repr()
        | Look::WordUnicode.as_repr()
        | Look::WordStartAscii.as_repr()
        | Look::WordEndAscii.as_repr()
        | Look::WordStartUnicode.as_repr()
        | Look::WordEndUnicode.as_repr();
    if looks.iter().any(|look| look.as_repr() & borders == 0) || may_be_space(hir) {
        return None;
    }
    let plain = each_look(hir.clone(), &|_| Hir::empty());
    Some(format!("(?:{plain})"))
}

fn may_be_space(hir: &Hir) -> bool {
    let space = |c: char| c.is_ascii_whitespace();
    match hir.kind() {
        HirKind::Literal(it) => String::from_utf8_lossy(&it.0).contains(space),
        HirKind::Class(Class::Unicode(class)) => [' ', '\t', '\n', '\r', '\u{c}'].iter().any(|c| {
            class
                .iter()
                .any(|range| range.start() <= *c && *c <= range.end())
        }),
        HirKind::Class(Class::Bytes(_)) => true,
        HirKind::Repetition(it) => may_be_space(&it.sub),
        HirKind::Capture(it) => may_be_space(&it.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_be_space),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}
