//! From a text to a score.
//!
//! A text without triggers costs a quick look. Around each place that asks for more, a chunk is read, so that memory stays small.
//! A hit's weight is how sure it is by itself; hits of different kinds that stand close together add up as
//! independent evidence: `1 - (1 - a)(1 - b)`. Hits far apart don't, or every book would be an attack.

use crate::context::Context;
use crate::decode;
use crate::fold::{Folder, hidden};
use crate::lexicon::{Lexicon, class};
use crate::patterns::Patterns;
use crate::plain;
use crate::score::{BlockFeatures, Margins, Model, views};
use crate::signals::{self, Kind, Origin};
use crate::squeeze::squeeze;

/// Bytes read at a time, how many of them before the place that asked for it, and how many again with the next.
const CHUNK: usize = 4 << 10;
const BEFORE: usize = 3 << 9;
const OVERLAP: usize = 1 << 9;
/// Hits add up within this many bytes and those of the neighbour.
const NEIGHBOURHOOD: usize = 1 << 9;
/// How deep encodings are undone: base64 inside base64.
const DEPTH: u32 = 2;
/// The weight from which on a hit is reported and counted.
const TOLD: f32 = 0.25;
/// How many hits are counted in a text that is denied or reported anyhow: a flood of attacks needn't be counted to its end.
const MANY: u32 = 200;

/// How many words that a signal may start from are weighed in a text, and for how many bytes of it one more: what each costs is bounded,
/// and all of them stay within the time that a policy has for a request. No text but one made for it has as many.
const WEIGHED: usize = 30_000;
const BYTES_FOR_ONE_MORE: usize = 64;

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// How sure the scanner is that the text is an attack: 0 not at all, 1 quite.
    pub value: f32,
    /// How many signals of each kind were found, in the order of [`Kind::ALL`]. Signals of little weight aren't counted.
    pub counts: [u32; Kind::COUNT],
    /// How sure the rules are of what no wording makes up for: marks between turns, hidden text, the operator's own patterns.
    pub certain: f32,
    /// Where in the text the window ends that reads most like an attack.
    pub end: usize,
    /// Bytes of the text that were not read, because it is longer than is read of one, or has too many words to weigh.
    pub unread: usize,
}

impl Score {
    /// The kinds that were found, and how often.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u32)> {
        Kind::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }

    /// Joins the scores of two texts: the higher value, the signals of both, and what was read of neither.
    pub fn merge(&mut self, other: &Score) {
        self.unread += other.unread;
        if other.value > self.value {
            (self.value, self.end) = (other.value, other.end);
        }
        self.certain = self.certain.max(other.certain);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }
}

/// Kinds of signals that need no wording to be believed.
const CERTAIN: [Kind; 2] = [Kind::Hidden, Kind::Pattern];
/// The rules' score from which on they are believed whatever the words around: hardly any harmless text has it.
const SURE: f32 = 0.65;
/// The probability from which on the wording alone is told.
const WORDED: f32 = 0.1;

/// Finds attacks. It is built once; reading a text takes no lock and keeps nothing.
pub struct Scanner {
    model: Model,
    lexicon: Lexicon,
    patterns: Option<Patterns>,
    max_bytes: usize,
    /// The weight of a hit after which no other matters.
    enough: f32,
}

impl Scanner {
    /// A scanner that reads `max_bytes` of a text, and no further once a hit weighs `enough`, or many were found and
    /// one of them is sure.
    pub(crate) fn build(
        patterns: Option<Patterns>,
        max_bytes: usize,
        enough: f32,
    ) -> Result<Self, String> {
        Ok(Scanner {
            model: Model::new(),
            lexicon: Lexicon::new()?,
            patterns,
            max_bytes,
            enough,
        })
    }

    /// A scanner without an operator's patterns.
    ///
    /// # Errors
    ///
    /// A sentence, if the tables can't be compiled.
    pub fn new() -> Result<Self, String> {
        Scanner::build(None, usize::MAX, f32::INFINITY)
    }

    /// The features of each block of a text's words, for training.
    pub fn features(&self, text: &str) -> Vec<BlockFeatures> {
        self.model.features(text)
    }

    /// A text's words as the statistical scorer takes them, with a space between them, for training.
    pub fn words(&self, text: &str) -> String {
        self.model.words(text)
    }

    /// What the statistical scorer sees of a text.
    pub fn margins(&self, text: &str, origin: Origin) -> Margins {
        self.model.margins(text, origin).0
    }

    /// Scores a text. Of a text that is longer than is read, head and tail are read, and the score says how much was not.
    pub fn scan(&self, text: &str, origin: Origin) -> Score {
        self.read(text, origin, true)
    }

    /// Scores a text in which instructions are ordinary, as in what a tool is said to be: only what the rules are sure of counts.
    pub fn scan_instructions(&self, text: &str, origin: Origin) -> Score {
        let mut score = self.rules(text, origin);
        if score.value < SURE {
            score.value = (score.value / SURE * 0.5).max(score.certain);
        }
        score
    }

    /// What the rules alone make of a text.
    pub fn rules(&self, text: &str, origin: Origin) -> Score {
        self.read(text, origin, false)
    }

    fn read(&self, text: &str, origin: Origin, words: bool) -> Score {
        let text = &*squeeze(text);
        let over = text.len().saturating_sub(self.max_bytes);
        let mut scan = Scan {
            scanner: self,
            folder: Folder::new(&self.lexicon),
            events: Vec::new(),
            origin,
            hits: Hits::default(),
            weighing: WEIGHED + (text.len() - over) / BYTES_FOR_ONE_MORE,
            unread: over,
            words,
            inside: 0.0,
        };
        let parts = if over == 0 {
            [(text, 0), ("", 0)]
        } else {
            let half = self.max_bytes / 2;
            let tail = text.ceil_char_boundary(text.len() - half);
            [
                (&text[..text.floor_char_boundary(half)], 0),
                (&text[tail..], tail),
            ]
        };
        for (part, base) in parts {
            scan.whole(part, base, 0);
        }
        let strongest = scan.hits.strongest();
        let rules = together(&strongest);
        let mut score = Score {
            value: rules,
            certain: together(&CERTAIN.map(|kind| strongest[kind as usize])),
            unread: scan.unread,
            ..Score::default()
        };
        if words {
            let mut likely = 0.0;
            for (part, base) in parts {
                let (probability, end) = scan.wording(part, base, 0, rules);
                if probability > likely {
                    (likely, score.end) = (probability, base + end);
                }
            }
            let rules = rules.max(together(&scan.hits.strongest()));
            let sure = if rules >= SURE { rules } else { score.certain };
            score.value = likely.max(scan.inside).max(sure);
        }
        score.counts = scan.hits.counts;
        if words && score.value >= WORDED && score.counts == [0; Kind::COUNT] {
            score.counts[Kind::Wording as usize] = 1;
        }
        score
    }

    /// The first place in `text` that asks for a closer look.
    fn suspicion(&self, text: &str) -> Option<usize> {
        match self.patterns {
            Some(_) => Some(0),
            None => plain::suspicion(&self.lexicon, text),
        }
    }
}

struct Scan<'a> {
    scanner: &'a Scanner,
    folder: Folder<'a>,
    events: Vec<crate::lexicon::Event>,
    origin: Origin,
    hits: Hits,
    /// How many words may still be weighed.
    weighing: usize,
    unread: usize,
    /// Whether the scorer reads what is found inside.
    words: bool,
    /// How likely the likeliest text inside is an attack.
    inside: f32,
}

impl Scan<'_> {
    /// How likely the words of `text` make it an attack, where the window that says so ends, and what ciphers hide in it.
    fn wording(&mut self, text: &str, base: usize, depth: u32, mut rules: f32) -> (f32, usize) {
        let (margins, unknown) = self.scanner.model.margins(text, self.origin);
        let mut closer = Margins::default();
        if let Some(undisguised) = self.scanner.model.undisguised(text, &margins) {
            rules = rules.max(self.said(&undisguised, base));
            closer = self.scanner.model.margins(&undisguised, self.origin).0;
        }
        if depth < DEPTH {
            for undone in self.scanner.model.deciphered(text, &unknown) {
                self.encoded_text(&undone, base, depth);
            }
        }
        let [likely, closer] = [margins, closer].map(|read| read.probability(rules, self.origin));
        (likely.max(closer), margins.end)
    }

    /// Reads `text`, which stands at `base`, and what is hidden or encoded in it.
    fn whole(&mut self, text: &str, base: usize, depth: u32) {
        let mut at = 0;
        while at < text.len() && !self.is_sure() {
            let Some(found) = self.scanner.suspicion(&text[at..]) else {
                break;
            };
            if self.weighing == 0 {
                self.unread += text.len() - at;
                break;
            }
            let start = text.floor_char_boundary((at + found).saturating_sub(BEFORE).max(at));
            let end = chunk_end(text, start);
            self.chunk(&text[start..end], base + start);
            if end == text.len() {
                break;
            }
            at = text.floor_char_boundary(end - OVERLAP);
        }
        if depth < DEPTH {
            self.hidden(text, base, depth);
            self.encoded(text, base, depth);
        }
    }

    /// True if what is left of the text changes nothing.
    fn is_sure(&self) -> bool {
        let heaviest = self.hits.heaviest;
        heaviest >= self.scanner.enough
            || heaviest >= SURE && self.hits.counts.iter().sum::<u32>() >= MANY
    }

    /// Reads one chunk.
    fn chunk(&mut self, chunk: &str, base: usize) {
        let folded = self.folder.fold(chunk);
        self.scanner.lexicon.events(&folded.text, &mut self.events);
        let cx = Context::new(folded, &self.events);
        let (mut best, mut best_at) = (0.0, 0);
        for i in 0..self.events.len() {
            let weighed = class::is_trigger(self.events[i].classes);
            self.weighing = self.weighing.saturating_sub(usize::from(weighed));
            signals::at(&cx, i, self.origin, &mut |hit| {
                if hit.weight < 0.05 {
                    return;
                }
                let weight = hit.weight * cx.share(hit.first, hit.last);
                let at = base + self.events[hit.first].start as usize;
                if weight > best {
                    (best, best_at) = (weight, at);
                }
                self.hits.add(at, hit.kind, weight);
            });
        }
        if let Some(patterns) = &self.scanner.patterns {
            let missing: f32 = patterns
                .find(&folded.text)
                .map(|weight| 1.0 - weight)
                .product();
            self.hits.add(base, Kind::Pattern, 1.0 - missing);
        }
        let disguises = folded.disguised + folded.invisible.div_ceil(2);
        if best >= TOLD && disguises > 0 {
            self.hits.add(
                best_at,
                Kind::Disguised,
                (0.2 + 0.05 * disguises as f32).min(0.4),
            );
        }
    }

    fn hidden(&mut self, text: &str, base: usize, depth: u32) {
        if text.is_ascii() {
            return;
        }
        let spelled = hidden::spelled(text);
        let letters = spelled.chars().filter(|c| c.is_alphabetic()).count();
        if letters >= 4 {
            // An honest text has no invisible sentence.
            self.hits
                .add(base, Kind::Hidden, if letters >= 12 { 0.7 } else { 0.4 });
            self.inner(&spelled, base, depth);
        }
    }

    fn encoded(&mut self, text: &str, base: usize, depth: u32) {
        for decoded in decode::decode(text) {
            self.encoded_text(&decoded.text, base + decoded.at.start, depth);
        }
        if self.words {
            let views = [
                views::morse(text),
                views::numbers(text),
                views::linked(text),
            ];
            for undone in views.into_iter().flatten() {
                self.encoded_text(&undone, base, depth);
            }
        }
    }

    fn encoded_text(&mut self, text: &str, at: usize, depth: u32) {
        if self.inner(text, at, depth) >= TOLD {
            self.hits.add(at, Kind::Encoded, 0.4);
        }
    }

    /// What the rules make of a text that stands for the one at `at`.
    fn said(&mut self, text: &str, at: usize) -> f32 {
        let outer = std::mem::take(&mut self.hits);
        self.whole(text, 0, DEPTH);
        let inner = std::mem::replace(&mut self.hits, outer);
        for (kind, weight) in Kind::ALL.into_iter().zip(inner.strongest()) {
            self.hits.add(at, kind, weight);
        }
        inner.score().value
    }

    /// Reads a text found inside another, as one hit at `at`. Returns its value.
    fn inner(&mut self, text: &str, at: usize, depth: u32) -> f32 {
        let outer = std::mem::take(&mut self.hits);
        self.whole(text, 0, depth + 1);
        let inner = std::mem::replace(&mut self.hits, outer);
        let score = inner.score();
        let near = inner.strongest();
        for (kind, weight) in Kind::ALL.into_iter().zip(near) {
            self.hits.add(at, kind, weight);
        }
        if !self.words {
            return score.value;
        }
        let (likely, _) = self.wording(text, at, depth + 1, score.value);
        let sure = if score.value >= SURE {
            score.value
        } else {
            0.0
        };
        let probability = likely.max(sure);
        self.inside = self.inside.max(probability);
        probability
    }
}

/// The end of the chunk that begins at `at`: a space, if there is one near.
fn chunk_end(text: &str, at: usize) -> usize {
    if text.len() - at <= CHUNK {
        return text.len();
    }
    let end = text.floor_char_boundary(at + CHUNK);
    let space = text.as_bytes()[end - 200..end]
        .iter()
        .rposition(u8::is_ascii_whitespace);
    space.map_or(end, |i| end - 200 + i)
}

/// The strongest hit of each kind in each neighbourhood, and how many there were.
#[derive(Default)]
struct Hits {
    weights: Vec<[f32; Kind::COUNT]>,
    /// The weight of the heaviest hit.
    heaviest: f32,
    counts: [u32; Kind::COUNT],
}

impl Hits {
    fn add(&mut self, at: usize, kind: Kind, weight: f32) {
        if weight < 0.05 {
            return;
        }
        let place = at / NEIGHBOURHOOD;
        if self.weights.len() <= place {
            self.weights.resize(place + 1, [0.0; Kind::COUNT]);
        }
        let slot = &mut self.weights[place][kind as usize];
        *slot = slot.max(weight);
        self.heaviest = self.heaviest.max(weight);
        self.counts[kind as usize] += u32::from(weight >= TOLD);
    }

    /// The neighbourhood that together weighs most.
    fn strongest(&self) -> [f32; Kind::COUNT] {
        let none = [0.0; Kind::COUNT];
        let mut best = (0.0, none);
        for (i, here) in self.weights.iter().enumerate() {
            let next = self.weights.get(i + 1).unwrap_or(&none);
            let both: [f32; Kind::COUNT] = std::array::from_fn(|k| here[k].max(next[k]));
            let value = together(&both);
            if value > best.0 {
                best = (value, both);
            }
        }
        best.1
    }

    fn score(&self) -> Score {
        Score {
            value: together(&self.strongest()),
            counts: self.counts,
            ..Score::default()
        }
    }
}

fn together(weights: &[f32]) -> f32 {
    1.0 - weights.iter().map(|weight| 1.0 - weight).product::<f32>()
}

#[cfg(test)]
mod tests;
