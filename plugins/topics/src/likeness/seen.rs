//! The last words of a text, and what they come to for each topic.

use std::collections::{BTreeMap, VecDeque};

use super::features::Features;
use super::{LEAST_FOR, LEAST_WORDS, SPAN};

/// How much features say.
pub(crate) trait Weights {
    /// Of how many topics.
    fn topics(&self) -> usize;
    /// What a word says of a topic.
    fn of(&self, topic: usize, features: Features) -> f64;
}

/// What the last words come to.
pub(crate) enum Judged {
    /// Too few words speak for the topic.
    Nothing,
    /// This much.
    Sum(f64),
}

/// A text, of which the beginning has come. Each word counts once within the span, however often it is there.
#[derive(Debug)]
pub(crate) struct Seen {
    before: Option<u64>,
    span: VecDeque<u64>,
    /// By word of the span: how often it is there, and what it said of each topic when it came.
    words: BTreeMap<u64, (u32, Vec<f64>)>,
    topics: Vec<Sum>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    of: f64,
    /// How many words speak for it.
    speak_for: u32,
}

/// From this weight on a word speaks for a topic.
const FOR: f64 = 0.7;

impl Seen {
    pub(crate) fn new(topics: usize) -> Seen {
        Seen {
            before: None,
            span: VecDeque::new(),
            words: BTreeMap::new(),
            topics: vec![Sum::default(); topics],
        }
    }

    /// Takes a word as it is written, and tells what the last ones come to for each topic.
    pub(crate) fn text(
        &mut self,
        weights: &impl Weights,
        word: &str,
        judged: impl FnMut(usize, Judged),
    ) {
        self.word(weights, Features::of(word, self.before), judged);
    }

    /// Takes the next word.
    pub(crate) fn word(
        &mut self,
        weights: &impl Weights,
        features: Features,
        mut judged: impl FnMut(usize, Judged),
    ) {
        if self.span.len() == SPAN {
            self.forget_first();
        }
        self.before = Some(features.word);
        self.span.push_back(features.word);
        let topics = weights.topics();
        let (times, said) = self
            .words
            .entry(features.word)
            .or_insert_with(|| (0, Vec::new()));
        *times += 1;
        if *times == 1 {
            said.extend((0..topics).map(|topic| weights.of(topic, features)));
            for (sum, weight) in self.topics.iter_mut().zip(&*said) {
                sum.of += weight;
                sum.speak_for += u32::from(*weight >= FOR);
            }
        }
        for (topic, sum) in self.topics.iter().enumerate() {
            let enough = self.span.len() >= LEAST_WORDS && sum.speak_for >= LEAST_FOR;
            judged(
                topic,
                if enough {
                    Judged::Sum(sum.of)
                } else {
                    Judged::Nothing
                },
            );
        }
    }

    fn forget_first(&mut self) {
        let Some(first) = self.span.pop_front() else {
            return;
        };
        let Some((times, _)) = self.words.get_mut(&first) else {
            return;
        };
        *times -= 1;
        if *times > 0 {
            return;
        }
        let (_, said) = self.words.remove(&first).unwrap_or_default();
        for (sum, weight) in self.topics.iter_mut().zip(&said) {
            sum.of -= weight;
            sum.speak_for -= u32::from(*weight >= FOR);
        }
    }
}
