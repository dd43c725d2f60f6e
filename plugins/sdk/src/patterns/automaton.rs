//! One regular expression as an automaton over bytes, which also knows of each of its states whether a match can still come.
//!
//! A walk from a place on ends with the byte that decides it: no match can come any more, or one has come that nothing can make longer. Where the
//! text ends before that, what may follow decides, and there is a text that would make a match of it. That is what makes holding back exact.

use std::fmt;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Look};

use super::count_step;

/// Memory that an automaton may take, in bytes.
const MEMORY: usize = 1 << 20;

/// A match can still come.
const OPEN: u8 = 1;
/// What was read is a match, whatever follows.
const SETTLED: u8 = 2;

/// What a walk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// A match of so many bytes, whatever follows.
    Match(usize),
    /// No match, whatever follows.
    None,
    /// What follows decides.
    Undecided,
}

/// An expression, compiled. A match begins where the walk begins.
#[derive(Clone)]
pub(super) struct Automaton {
    dfa: dense::DFA<Vec<u32>>,
    /// By the byte before; the last is for the beginning of a text.
    starts: Vec<StateID>,
    /// By state: [`OPEN`], [`SETTLED`].
    states: Vec<u8>,
    /// Bytes that its longest match has.
    longest: usize,
}

/// Its tables tell nobody anything.
impl fmt::Debug for Automaton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = self.states.len();
        f.debug_struct("Automaton")
            .field("states", &states)
            .finish_non_exhaustive()
    }
}

impl Automaton {
    /// Compiles an expression whose match has at most so many bytes. The error says what is wrong with it, and what to write.
    pub(super) fn new(expression: &str, most: usize) -> Result<Automaton, String> {
        let hir = regex_syntax::parse(expression).map_err(|error| one_line(&error))?;
        let properties = hir.properties();
        match properties.minimum_len() {
            None => return Err("nothing matches it: a class in it is empty".into()),
            Some(0) => {
                return Err("it matches where nothing stands; write what must be there".into());
            }
            Some(_) => {}
        }
        match properties.maximum_len() {
            None => {
                return Err(format!(
                    "a match of it has no greatest length, so a text could wait for its end for ever; write {{1,64}} for + and {{0,64}} for *, at most {most} bytes in all"
                ));
            }
            Some(longest) if longest > most => {
                return Err(format!(
                    "a match of it may have {longest} bytes, and {most} are the most; write smaller repetitions"
                ));
            }
            Some(_) => {}
        }
        let longest = properties.maximum_len().unwrap_or_default();
        let large = |error: &dyn std::fmt::Display| {
            format!(
                "it is too large ({error}); write [0-9] for \\d, [A-Za-z0-9_] for \\w and fewer or smaller repetitions"
            )
        };
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(MEMORY)))
            .build_from_hir(&with_ascii_borders(hir))
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
        let before = (0..=255).map(Some).chain([None]);
        let starts = before.map(|byte| start(&dfa, byte));
        let starts: Vec<StateID> = starts.collect::<Result<_, _>>()?;
        let states = states(&dfa, &starts);
        Ok(Automaton {
            dfa,
            starts,
            states,
            longest,
        })
    }

    /// Whether a match may begin with this byte, whatever comes before.
    pub(super) fn may_begin(&self, byte: u8) -> bool {
        let mut starts = self.starts.iter();
        starts.any(|start| self.is(self.dfa.next_state(*start, byte), OPEN | SETTLED))
    }

    /// Walks over a text that a match would begin with. More may follow, unless `end` is set.
    #[inline]
    pub(super) fn walk(&self, text: &[u8], end: bool, before: Option<u8>) -> Walk {
        let mut state = self.starts[before.map_or(256, usize::from)];
        let mut found = Walk::None;
        for (at, byte) in text.iter().enumerate() {
            count_step();
            state = self.dfa.next_state(state, *byte);
            // A match is told by the byte behind it.
            if self.dfa.is_match_state(state) {
                found = Walk::Match(at);
            }
            if !self.is(state, OPEN) {
                return found;
            }
        }
        let last = || self.dfa.is_match_state(self.dfa.next_eoi_state(state));
        match end {
            true if last() => Walk::Match(text.len()),
            true => found,
            false if self.is(state, SETTLED) => Walk::Match(text.len()),
            false => Walk::Undecided,
        }
    }

    /// Bytes that its longest match has: no walk is longer, but for the byte behind it.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// How many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.dfa.memory_usage() + self.states.len() + self.starts.len() * 4
    }

    #[inline]
    fn is(&self, state: StateID, what: u8) -> bool {
        self.states[state.as_usize() >> self.dfa.stride2()] & what != 0
    }
}

fn start(dfa: &dense::DFA<Vec<u32>>, before: Option<u8>) -> Result<StateID, String> {
    let config = start::Config::new()
        .anchored(Anchored::Yes)
        .look_behind(before);
    dfa.start_state(&config)
        .map_err(|error| format!("it can't be begun with: {error}"))
}

/// What is known of each state that can be reached.
fn states(dfa: &dense::DFA<Vec<u32>>, starts: &[StateID]) -> Vec<u8> {
    let bytes: Vec<u8> = dfa
        .byte_classes()
        .representatives(0..=255)
        .filter_map(|unit| unit.as_u8())
        .collect();
    let index = |state: StateID| state.as_usize() >> dfa.stride2();
    // Where each state is reached from.
    let mut from: Vec<Vec<StateID>> = Vec::new();
    let mut reached = Vec::new();
    let mut ahead: Vec<StateID> = starts.to_vec();
    let mut seen = Vec::new();
    while let Some(state) = ahead.pop() {
        let number = index(state);
        if seen.len() <= number {
            seen.resize(number + 1, false);
        }
        if std::mem::replace(&mut seen[number], true) {
            continue;
        }
        reached.push(state);
        for byte in &bytes {
            let next = dfa.next_state(state, *byte);
            if from.len() <= index(next) {
                from.resize(index(next) + 1, Vec::new());
            }
            from[index(next)].push(state);
            ahead.push(next);
        }
    }
    let mut states = vec![0; seen.len().max(from.len())];
    let matches_after =
        |state: StateID, byte: &u8| dfa.is_match_state(dfa.next_state(state, *byte));
    let matches_at_end = |state: StateID| dfa.is_match_state(dfa.next_eoi_state(state));
    // Open is whatever leads to a match.
    let is_last = |state: &StateID| {
        matches_at_end(*state) || bytes.iter().any(|byte| matches_after(*state, byte))
    };
    let mut open: Vec<StateID> = reached.iter().copied().filter(is_last).collect();
    while let Some(state) = open.pop() {
        let known = &mut states[index(state)];
        if *known & OPEN == 0 {
            *known |= OPEN;
            open.extend(from.get(index(state)).into_iter().flatten());
        }
    }
    for state in reached {
        let ends = |byte: &u8| {
            let next = index(dfa.next_state(state, *byte));
            matches_after(state, byte) && states[next] & OPEN == 0
        };
        if matches_at_end(state) && bytes.iter().all(ends) {
            states[index(state)] |= SETTLED;
        }
    }
    states
}

/// What is wrong with an expression, and where.
fn one_line(error: &regex_syntax::Error) -> String {
    let (what, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), error.span().start.offset)
        }
        other => return other.to_string(),
    };
    format!("{what}, at its byte {at}")
}

/// Borders of words are told by ASCII letters: an automaton over bytes can't tell others.
pub(super) fn with_ascii_borders(hir: Hir) -> Hir {
    let all = |parts: Vec<Hir>| parts.into_iter().map(with_ascii_borders).collect();
    match hir.into_kind() {
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => other,
        }),
        HirKind::Repetition(mut it) => {
            it.sub = Box::new(with_ascii_borders(*it.sub));
            Hir::repetition(it)
        }
        HirKind::Capture(it) => with_ascii_borders(*it.sub),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(it) => Hir::literal(it.0),
        HirKind::Class(it) => Hir::class(it),
    }
}
