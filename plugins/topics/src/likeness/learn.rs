//! How much each feature speaks for a topic, and what a sum of that means.
//!
//! A feature's weight is the logarithm of how much more often it stands in a topic's sentences than in others, with a word that stands in one sentence
//! alone counted for half: it may be there by chance. A word of none of a topic's sentences speaks a little against it. What a sum of weights means is
//! found from the sentences themselves: each is judged by what is learned from all others, and a logistic curve is laid through how the topic's own and
//! the others come out, both sides counting alike. So a likelihood of 0.9 says: of texts that come out so, nine in ten are about the topic, where as many are
//! about it as are not.

use std::collections::BTreeSet;

use super::features::{ByFeature, Features, Silent};
use super::seen::{Judged, Seen, Weights};
use super::{LEAST_WORDS, ORDINARY};
use crate::words::words;

/// The most words that all sentences have together, and the most of these times topics: what is learned must fit into the time and memory that a policy has to
/// be configured.
const MOST_WORDS: usize = 100_000;
const MOST_WEIGHED: usize = 500_000;

/// The fewest sentences that anything can be learned from.
const LEAST: usize = 5;

/// What a word of none of a topic's sentences says of it, at most.
const UNKNOWN: f32 = -0.4;

/// The most that one feature says, for and against.
const MOST: f32 = 5.0;

/// A pair says again what its words have said.
const OF_PAIRS: f32 = 0.5;

/// The sentences of a topic, and from which likelihood on a text is about it.
pub(crate) struct Sentences<'a> {
    pub(crate) examples: &'a [String],
    pub(crate) likelihood: f64,
}

/// What was learned of all topics that have examples.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    pub(crate) weights: Table,
    /// By topic: what a sum must come to.
    pub(crate) enough: Vec<f64>,
    /// By topic: how its own sentences and the others come out, each judged by what is learned from all but it.
    pub(crate) told: Vec<Told>,
}

/// How many sentences a topic would take for its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Of its own.
    pub(crate) own: (usize, usize),
    /// Of others: ordinary ones, and those of other topics.
    pub(crate) others: (usize, usize),
}

/// The weights of features.
#[derive(Debug, Default)]
pub(crate) struct Table {
    silent: Silent,
    topics: usize,
    /// Where the weights of a feature begin, one for each topic.
    features: ByFeature<usize>,
    weights: Vec<f32>,
}

impl Table {
    fn add(&mut self, topic: usize, feature: u64, weight: f32) {
        let at = *self.features.entry(feature).or_insert_with(|| {
            let at = self.weights.len();
            self.weights.resize(at + self.topics, UNKNOWN);
            at
        });
        self.weights[at + topic] = weight;
    }

    fn of(&self, feature: Option<u64>) -> Option<&[f32]> {
        let at = *self.features.get(&feature?)?;
        Some(&self.weights[at..at + self.topics])
    }
}

impl Weights for Table {
    fn say(&self, features: Features, said: &mut [f32]) {
        if self.silent.is(features.word) {
            return said.fill(0.0);
        }
        let (word, stem) = (self.of(Some(features.word)), self.of(features.stem));
        let pair = self.of(features.pair);
        for (topic, said) in said.iter_mut().enumerate() {
            let weight = |of: Option<&[f32]>| of.map(|weights| weights[topic]);
            *said = together(weight(word), weight(stem), weight(pair));
        }
    }
}

/// What a word says by what is known of it, of its beginning, and of it with the word before.
fn together(word: Option<f32>, stem: Option<f32>, pair: Option<f32>) -> f32 {
    // A beginning speaks for a word that isn't known, and says nothing more of one that is.
    let alone = word.unwrap_or(UNKNOWN).max(stem.unwrap_or(UNKNOWN));
    alone + pair.map_or(0.0, |pair| pair.max(0.0) * OF_PAIRS)
}

/// Sentences, and in how many of them each feature stands.
#[derive(Default)]
struct Counted {
    sentences: Vec<Sentence>,
    features: ByFeature<u32>,
}

struct Sentence {
    words: Vec<Features>,
    features: ByFeature<()>,
}

impl Counted {
    fn add(&mut self, text: &str) {
        let mut before = None;
        let words: Vec<Features> = words(text)
            .iter()
            .map(|word| {
                let features = Features::of(word, before);
                before = Some(features.word);
                features
            })
            .collect();
        let features = words.iter().flat_map(|word| word.all());
        let features: ByFeature<()> = features.map(|feature| (feature, ())).collect();
        for feature in features.keys() {
            *self.features.entry(*feature).or_default() += 1;
        }
        self.sentences.push(Sentence { words, features });
    }

    fn words(&self) -> usize {
        self.sentences.iter().map(|it| it.words.len()).sum()
    }

    fn times(&self, feature: u64) -> u32 {
        self.features.get(&feature).copied().unwrap_or(0)
    }
}

/// The weight of a feature that stands in so many of a topic's sentences, and of others.
fn weight(own: u32, of_own: usize, others: u32, of_others: usize) -> f32 {
    let share = |times: u32, of: usize, floor: f32| (times as f32 + floor) / (of as f32 + 2.0);
    let ratio = share(own, of_own, 0.3) / share(others, of_others, 1.0);
    let sure = own as f32 / (own as f32 + 1.0);
    match own {
        0 => ratio.ln().clamp(-MOST, UNKNOWN),
        _ => (ratio.ln() * sure).clamp(-MOST, MOST),
    }
}

/// A topic's sentences against all others.
struct Against<'a> {
    silent: &'a Silent,
    own: &'a Counted,
    /// In how many sentences each feature stands, of the topic's own and of others.
    all: &'a ByFeature<u32>,
    others: Vec<&'a Sentence>,
}

/// What is learned from all sentences but one of the topic's own, or of the others.
struct Without<'a> {
    against: &'a Against<'a>,
    sentence: &'a Sentence,
    is_own: bool,
}

impl Without<'_> {
    fn weight(&self, feature: Option<u64>) -> Option<f32> {
        let feature = feature?;
        let left_out = u32::from(self.sentence.features.contains_key(&feature));
        let own = self.against.own.times(feature);
        let others = self.against.others_times(feature);
        let (own, others) = match self.is_own {
            true => (own - left_out, others),
            false => (own, others - left_out),
        };
        let of_own = self.against.own.sentences.len() - usize::from(self.is_own);
        let of_others = self.against.others.len() - usize::from(!self.is_own);
        (own + others > 0).then(|| weight(own, of_own, others, of_others))
    }
}

impl Weights for Without<'_> {
    fn say(&self, features: Features, said: &mut [f32]) {
        if self.against.silent.is(features.word) {
            return said.fill(0.0);
        }
        let (word, stem) = (Some(features.word), features.stem);
        let pair = self.weight(features.pair);
        said.fill(together(self.weight(word), self.weight(stem), pair));
    }
}

impl Learned {
    /// Learns from the topics' sentences, and from ordinary ones beside those that are built in.
    ///
    /// # Errors
    ///
    /// For which topic, by its place, nothing can be learned, and why.
    pub(crate) fn new(
        topics: &[Sentences<'_>],
        ordinary: &[String],
    ) -> Result<Learned, (usize, String)> {
        let mut common = Counted::default();
        for sentence in ORDINARY.lines().chain(ordinary.iter().map(String::as_str)) {
            common.add(sentence);
        }
        let mut counted = Vec::with_capacity(topics.len());
        for (at, topic) in topics.iter().enumerate() {
            counted.push(count(topic).map_err(|why| (at, why))?);
        }
        let all = counted.iter().chain([&common]);
        let words: usize = all.map(Counted::words).sum();
        if words > MOST_WORDS || words * topics.len() > MOST_WEIGHED {
            let why = format!(
                "examples: all sentences, ordinary ones as well, have {words} words, and each is weighed for {} topics; at most {MOST_WORDS} words, and {MOST_WEIGHED} times that a \
                 word is weighed, are possible. Write fewer or shorter ones",
                topics.len()
            );
            return Err((0, why));
        }
        let mut learned = Learned {
            weights: Table {
                silent: Silent::new(),
                topics: topics.len(),
                ..Table::default()
            },
            enough: Vec::new(),
            told: Vec::new(),
        };
        let mut all = ByFeature::default();
        for (feature, times) in counted.iter().chain([&common]).flat_map(|it| &it.features) {
            *all.entry(*feature).or_default() += times;
        }
        let weights = &mut learned.weights.weights;
        weights.reserve_exact(all.len() * topics.len());
        for (at, topic) in topics.iter().enumerate() {
            let rest = counted.iter().enumerate().filter(|(n, _)| *n != at);
            let others = rest.map(|(_, it)| it).chain([&common]);
            let against = Against {
                silent: &learned.weights.silent,
                own: &counted[at],
                all: &all,
                others: others.flat_map(|it| &it.sentences).collect(),
            };
            let (enough, told) = against.calibrate(topic.likelihood).ok_or_else(|| {
                let why = "examples: they have few words in common that ordinary sentences haven't; write more of them, and about one thing";
                (at, why.to_owned())
            })?;
            let weights = against.weights();
            learned.enough.push(enough);
            learned.told.push(told);
            for (feature, weight) in weights {
                learned.weights.add(at, feature, weight);
            }
        }
        Ok(learned)
    }
}

fn count(topic: &Sentences<'_>) -> Result<Counted, String> {
    let mut counted = Counted::default();
    let mut known = BTreeSet::new();
    for (n, example) in topic.examples.iter().enumerate() {
        if !known.insert(example) {
            return Err(format!("examples[{n}]: it stands there twice"));
        }
        counted.add(example);
        let words = counted.sentences[n].words.len();
        if words < LEAST_WORDS {
            return Err(format!(
                "examples[{n}]: a sentence of {LEAST_WORDS} words at least, as people would write it; single words are for `terms`"
            ));
        }
    }
    if topic.examples.len() < LEAST {
        return Err(format!(
            "examples: {LEAST} sentences at least, and better twenty, each about another side of it"
        ));
    }
    Ok(counted)
}

impl Against<'_> {
    /// In how many of the others' sentences a feature stands.
    fn others_times(&self, feature: u64) -> u32 {
        let all = self.all.get(&feature).copied().unwrap_or(0);
        all - self.own.times(feature)
    }

    /// What each feature says of the topic.
    fn weights(&self) -> Vec<(u64, f32)> {
        let of_own = self.own.sentences.len();
        let each = self.all.keys().map(|feature| {
            let (own, others) = (self.own.times(*feature), self.others_times(*feature));
            (*feature, weight(own, of_own, others, self.others.len()))
        });
        each.collect()
    }

    /// What a sum must come to for that likelihood, and how the sentences come out by it. `None`: the topic's own come out no higher than others.
    fn calibrate(&self, likelihood: f64) -> Option<(f64, Told)> {
        let own = self.own.sentences.iter();
        let mine: Vec<f64> = own.map(|it| self.judge(it, true)).collect();
        let others = self.others.iter();
        let rest: Vec<f64> = others.map(|it| self.judge(it, false)).collect();
        let enough = logistic(&mine, &rest, likelihood)?;
        let taken = |sums: &[f64]| {
            let taken = sums.iter().filter(|sum| **sum >= enough);
            (taken.count(), sums.len())
        };
        let told = Told {
            own: taken(&mine),
            others: taken(&rest),
        };
        Some((enough, told))
    }

    /// The most that a sentence comes to by what all others teach.
    fn judge(&self, sentence: &Sentence, is_own: bool) -> f64 {
        let weights = Without {
            against: self,
            sentence,
            is_own,
        };
        let mut highest = None::<f64>;
        let mut seen = Seen::new(1);
        for word in &sentence.words {
            seen.word(&weights, *word, |_, judged| {
                if let Judged::Sum(sum) = judged {
                    highest = Some(highest.map_or(sum, |it| it.max(sum)));
                }
            });
        }
        // Too little speaks for it to be judged at all.
        highest.unwrap_or(0.0)
    }
}

/// Where the logistic curve through these two sides has that height. Both sides weigh alike, and a little is taken from certainty (as Platt does), so that sides
/// that nothing mixes have a curve, too.
fn logistic(mine: &[f64], rest: &[f64], height: f64) -> Option<f64> {
    let side = |sums: &[f64], target: f64| -> Vec<(f64, f64, f64)> {
        let weight = 1.0 / sums.len() as f64;
        sums.iter().map(|sum| (*sum, target, weight)).collect()
    };
    let sure = |sums: &[f64]| (sums.len() as f64 + 1.0) / (sums.len() as f64 + 2.0);
    let mut points = side(mine, sure(mine));
    points.extend(side(rest, 1.0 - sure(rest)));
    let (mut slope, mut base) = (0.1, 0.0);
    for _ in 0..50 {
        let (mut by_slope, mut by_base) = (1e-3 * slope, 0.0);
        let (mut ss, mut sb, mut bb) = (1e-3, 0.0, 1e-9);
        for (sum, target, weight) in &points {
            let at = 1.0 / (1.0 + (-(slope * sum + base)).exp());
            let (off, bend) = (weight * (at - target), weight * at * (1.0 - at));
            by_slope += off * sum;
            by_base += off;
            ss += bend * sum * sum;
            sb += bend * sum;
            bb += bend;
        }
        let determinant = ss * bb - sb * sb;
        if determinant.abs() < 1e-12 {
            break;
        }
        slope -= (bb * by_slope - sb * by_base) / determinant;
        base -= (ss * by_base - sb * by_slope) / determinant;
    }
    let enough = ((height / (1.0 - height)).ln() - base) / slope;
    (slope > 0.0 && enough.is_finite()).then_some(enough.max(0.0))
}
