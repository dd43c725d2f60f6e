//! From a text to a score.
//!
//! The text is read in chunks that overlap, so that memory stays small and a long document without triggers costs a
//! quick look. A hit's weight is how sure it is by itself; hits of different kinds that stand close together add up as
//! independent evidence: `1 - (1 - a)(1 - b)`. Hits far apart don't, or every book would be an attack.

use crate::context::Context;
use crate::decode;
use crate::fold::{Folder, hidden};
use crate::lexicon::Lexicon;
use crate::patterns::Patterns;
use crate::plain;
use crate::signals::{self, Kind, Origin};

/// Bytes read at a time, and how many of them again with the next.
const CHUNK: usize = 16 << 10;
const OVERLAP: usize = 1 << 10;
/// Hits add up within this many bytes and those of the neighbour.
const NEIGHBOURHOOD: usize = 2 << 10;
/// How deep encodings are undone: base64 inside base64.
const DEPTH: u32 = 2;
/// The weight from which on a hit is reported and counted.
const TOLD: f32 = 0.25;
/// How many hits are counted before the rest of a text is skipped: a flood of attacks needn't be counted to its end.
const MANY: u32 = 200;

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// How sure the scanner is that the text is an attack: 0 not at all, 1 quite.
    pub value: f32,
    /// How many signals of each kind were found, in the order of [`Kind::ALL`]. Signals of little weight aren't counted.
    pub counts: [u32; Kind::COUNT],
}

impl Score {
    /// The kinds that were found, and how often.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u32)> {
        Kind::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }

    /// Joins the scores of two texts: the higher value, and the signals of both.
    pub fn merge(&mut self, other: &Score) {
        self.value = self.value.max(other.value);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }
}

/// Finds attacks. It is built once; reading a text takes no lock and keeps nothing.
pub struct Scanner {
    lexicon: Lexicon,
    patterns: Option<Patterns>,
    max_bytes: usize,
    enough: f32,
}

impl Scanner {
    /// A scanner that reads `max_bytes` of a text, and no further once a hit weighs `enough`.
    pub(crate) fn build(
        patterns: Option<Patterns>,
        max_bytes: usize,
        enough: f32,
    ) -> Result<Self, String> {
        Ok(Scanner {
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

    /// Scores a text. Of a very long text, only the head and the tail are read.
    pub fn scan(&self, text: &str, origin: Origin) -> Score {
        let mut scan = Scan {
            scanner: self,
            folder: Folder::new(&self.lexicon),
            events: Vec::new(),
            origin,
            hits: Hits::default(),
        };
        if text.len() <= self.max_bytes {
            scan.whole(text, 0, 0);
        } else {
            let half = self.max_bytes / 2;
            scan.whole(&text[..text.floor_char_boundary(half)], 0, 0);
            let tail = text.ceil_char_boundary(text.len() - half);
            scan.whole(&text[tail..], tail, 0);
        }
        scan.hits.score()
    }
}

struct Scan<'a> {
    scanner: &'a Scanner,
    folder: Folder<'a>,
    events: Vec<crate::lexicon::Event>,
    origin: Origin,
    hits: Hits,
}

impl Scan<'_> {
    /// Reads `text`, which stands at `base`, and what is hidden or encoded in it.
    fn whole(&mut self, text: &str, base: usize, depth: u32) {
        let (mut at, mut encoded) = (0, false);
        loop {
            let end = chunk_end(text, at);
            encoded |= self.chunk(&text[at..end], base + at);
            let enough = self.hits.heaviest >= self.scanner.enough;
            if end == text.len() || enough || self.hits.counts.iter().sum::<u32>() >= MANY {
                break;
            }
            at = text.floor_char_boundary(end - OVERLAP);
        }
        if depth < DEPTH {
            self.hidden(text, base, depth);
            if encoded {
                self.encoded(text, base, depth);
            }
        }
    }

    /// Reads one chunk. True if it may hold something encoded.
    fn chunk(&mut self, chunk: &str, base: usize) -> bool {
        let suspicion = plain::look(chunk);
        if !suspicion.fold
            && self.scanner.patterns.is_none()
            && !self.scanner.lexicon.has_trigger(chunk)
        {
            return suspicion.decode;
        }
        let folded = self.folder.fold(chunk);
        self.scanner.lexicon.events(&folded.text, &mut self.events);
        let cx = Context::new(folded, &self.events);
        let (mut best, mut best_at) = (0.0, 0);
        for i in 0..self.events.len() {
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
        suspicion.decode
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
            let at = base + decoded.at.start;
            if self.inner(&decoded.text, at, depth) >= TOLD {
                self.hits.add(at, Kind::Encoded, 0.4);
            }
        }
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
        score.value
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
        }
    }
}

fn together(weights: &[f32]) -> f32 {
    1.0 - weights.iter().map(|weight| 1.0 - weight).product::<f32>()
}

#[cfg(test)]
mod tests;
