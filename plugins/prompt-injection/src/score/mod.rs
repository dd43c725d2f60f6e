//! The statistical scorer: how much a text reads like attacks that were seen, window by window.
//!
//! Those features of words that tell most have a weight, learned from attacks and harmless texts; the others have none. A window's margin is
//! the sum of the weights of its words over the root of their number. `tools/detection/train.py` makes the weights and what follows from margins.

mod calibration;
mod features;
mod tokens;
pub(crate) mod views;
mod words;

pub use features::Group;

use crate::signals::Origin;
use crate::steps;
use features::{BLOCK, Each, Features};
use views::Unknown;
use words::Words;

/// A place by a feature's hash: a byte of the hash, so that a feature without a weight isn't taken for the one that has its place, and
/// the weights in a person's text and in a tool's.
const WEIGHTS: &[u8; PLACES * PLACE] = include_bytes!("weights.bin");
const PLACES: usize = 43_690;
const PLACE: usize = 3;
/// Bits of a hash that are looked at.
const BITS: u32 = 29;
/// Blocks in a short window and in a long one, and from one long window to the next.
const SHORT: usize = 2;
const LONG: usize = 6;
const STRIDE: usize = 3;

/// The longest text that the rules read again with its disguises undone.
const UNDISGUISED: usize = 64 << 10;

/// The scorer.
pub(crate) struct Model {
    words: Words,
}

/// What the scorer saw of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Margins {
    /// The highest margin of a short window.
    pub short: f32,
    /// The highest margin of a long window.
    pub long: f32,
    /// The mean of the five highest margins of long windows.
    pub spread: f32,
    /// The mean of the margins of all long windows.
    pub mean: f32,
    /// How many blocks of words there are.
    pub blocks: usize,
    /// How many words there are.
    pub words: u32,
    /// How many words were in disguise.
    pub disguised: u32,
    /// Where in the text the short window ends.
    pub end: usize,
}

impl Model {
    pub(crate) fn new() -> Self {
        Model {
            words: Words::new(),
        }
    }

    /// Reads a text.
    pub(crate) fn margins(&self, text: &str, origin: Origin) -> (Margins, Unknown) {
        steps::took(text.len());
        let mut blocks = Vec::new();
        let mut features = Features::new(Sums {
            offset: 1 + usize::from(origin == Origin::Tool),
            blocks: &mut blocks,
            now: Block::default(),
        });
        let (disguised, unknown) = tokens::read(text, &self.words, &mut features);
        let sums = features.each;
        if sums.now.words > 0 {
            let last = sums.now;
            sums.blocks.push(last);
        }
        let margins = windows(&blocks, Calibration::of(origin).scale);
        (
            Margins {
                disguised,
                ..margins
            },
            unknown,
        )
    }

    /// What the text says when its cipher is undone, if it has one.
    pub(crate) fn deciphered(&self, text: &str, unknown: &Unknown) -> Vec<String> {
        views::deciphered(text, unknown, &self.words)
    }

    /// The text's words, disguises undone, if many of them were in one.
    pub(crate) fn undisguised(&self, text: &str, margins: &Margins) -> Option<String> {
        let many = margins.disguised >= 2 && margins.disguised as usize >= margins.blocks * 2;
        (many && text.len() <= UNDISGUISED).then(|| tokens::undisguised(text, &self.words))
    }

    /// The text's words, disguises undone, in a line.
    pub(crate) fn words(&self, text: &str) -> String {
        tokens::line(text, &self.words)
    }

    /// The features of each block, for training.
    pub(crate) fn features(&self, text: &str) -> Vec<BlockFeatures> {
        let mut features = Features::new(Listed::default());
        tokens::read(text, &self.words, &mut features);
        let mut listed = features.each;
        if listed.now.words > 0 {
            listed.done.push(std::mem::take(&mut listed.now));
        }
        listed.done
    }
}

/// Words in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Block {
    sum: i32,
    words: u32,
    /// Where in the text they end.
    end: u32,
}

/// What margins and the rules' score say together, as training found it on sources that it hadn't seen.
#[derive(Debug)]
struct Calibration {
    /// What one step of a weight is worth.
    scale: f32,
    short: f32,
    long: f32,
    /// In a tool's text a window is held against the others; a person's has little else than the attack, so there it isn't.
    spread: f32,
    mean: f32,
    /// For each doubling of the length beyond [`MANY`]: the highest of many windows is higher.
    length: f32,
    rules: f32,
    start: f32,
    /// How steep it is below an even chance, beside how steep it is above: so `high` is where it should be, too.
    below: f32,
}

impl Calibration {
    fn of(origin: Origin) -> &'static Calibration {
        match origin {
            Origin::Person => &calibration::PERSON,
            Origin::Tool => &calibration::TOOL,
        }
    }
}

impl Margins {
    /// How likely it is that the text is an attack. `rules` is what the rules make of it.
    pub(crate) fn probability(&self, rules: f32, origin: Origin) -> f32 {
        if self.words <= NOTHING {
            return 0.0;
        }
        let by = Calibration::of(origin);
        let z = by.start
            + by.short * self.short
            + by.long * self.long
            + by.spread * self.spread
            + by.mean * self.mean
            + by.length * (self.blocks as f32 / MANY).log2().max(0.0)
            + by.rules * rules;
        let z = if z < 0.0 { z * by.below } else { z };
        1.0 / (1.0 + (-z).exp())
    }
}

/// A few words say little, whatever they weigh: `hi` begins many attacks. (In training each text counts with the words that it has.)
const FEWEST: u32 = 6;
/// Blocks from which on a text is long.
const MANY: f32 = 32.0;
/// So many words say nothing: for them there are the rules.
const NOTHING: u32 = 3;

fn margin(blocks: &[Block], scale: f32) -> f32 {
    let (sum, words) = blocks.iter().fold((0, 0), |(sum, words), block| {
        (sum + block.sum, words + block.words)
    });
    sum as f32 * scale / (words.max(FEWEST) as f32).sqrt()
}

fn windows(blocks: &[Block], scale: f32) -> Margins {
    let mut best = Margins {
        short: f32::NEG_INFINITY,
        long: f32::NEG_INFINITY,
        blocks: blocks.len(),
        words: blocks.iter().map(|block| block.words).sum(),
        ..Margins::default()
    };
    if blocks.is_empty() {
        return Margins::default();
    }
    for window in blocks.windows(SHORT.min(blocks.len())) {
        let margin = margin(window, scale);
        if margin > best.short {
            best.short = margin;
            best.end = window.last().map_or(0, |block| block.end as usize);
        }
    }
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let end = (from + LONG).min(blocks.len());
        let margin = margin(&blocks[end.saturating_sub(LONG)..end], scale);
        best.long = best.long.max(margin);
        all.push(margin);
        if end == blocks.len() {
            break;
        }
        from += STRIDE;
    }
    best.mean = all.iter().sum::<f32>() / all.len() as f32;
    all.sort_unstable_by(|a, b| b.total_cmp(a));
    let top = &all[..all.len().min(5)];
    best.spread = top.iter().sum::<f32>() / top.len() as f32;
    best
}

struct Sums<'b> {
    offset: usize,
    blocks: &'b mut Vec<Block>,
    now: Block,
}

impl Each for Sums<'_> {
    #[inline(always)]
    fn feature(&mut self, _: Group, hash: u32) {
        let hash = hash >> (32 - BITS);
        let place = ((u64::from(hash) * PLACES as u64) >> BITS) as usize * PLACE;
        let same = -i32::from(WEIGHTS[place] == hash as u8);
        self.now.sum += i32::from(WEIGHTS[place + self.offset] as i8) & same;
    }

    #[inline]
    fn word_ends(&mut self, at: usize) {
        self.now.words += 1;
        if self.now.words as usize == BLOCK {
            self.now.end = at as u32;
            self.blocks.push(std::mem::take(&mut self.now));
        }
    }
}

/// A block's features, for training.
#[derive(Clone, Debug, Default)]
pub struct BlockFeatures {
    /// Each with its group.
    pub all: Vec<(Group, u32)>,
    /// Its words.
    pub words: u32,
}

#[derive(Default)]
struct Listed {
    done: Vec<BlockFeatures>,
    now: BlockFeatures,
}

impl Each for Listed {
    fn feature(&mut self, group: Group, hash: u32) {
        self.now.all.push((group, hash));
    }

    fn word_ends(&mut self, _: usize) {
        self.now.words += 1;
        if self.now.words as usize == BLOCK {
            self.done.push(std::mem::take(&mut self.now));
        }
    }
}
