//! The last words of a text, and what they come to for each topic.

use super::features::Features;
use super::{LEAST_FOR, LEAST_WORDS, SPAN};

/// How much features say.
pub(crate) trait Weights {
    /// Writes what a word says of each topic.
    fn say(&self, features: Features, said: &mut [f32]);
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
    /// How many words have come.
    count: usize,
    /// The last words, each at its number's rest by the span's length.
    words: [Word; SPAN],
    /// At the same places, for each topic: what the word said of it.
    said: Vec<f32>,
    topics: Vec<Sum>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Word {
    number: u64,
    /// It came again later and counts there, or it has left the span.
    is_past: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    of: f64,
    /// How many words speak for it.
    speak_for: u32,
}

/// From this weight on a word speaks for a topic.
const FOR: f32 = 0.7;

impl Sum {
    fn add(&mut self, weight: f32) {
        self.of += f64::from(weight);
        self.speak_for += u32::from(weight >= FOR);
    }

    fn take(&mut self, weight: f32) {
        self.of -= f64::from(weight);
        self.speak_for -= u32::from(weight >= FOR);
    }
}

impl Seen {
    pub(crate) fn new(topics: usize) -> Seen {
        Seen {
            before: None,
            count: 0,
            words: [Word::default(); SPAN],
            said: vec![0.0; SPAN * topics],
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
        let (at, of) = (self.count % SPAN, self.topics.len());
        let said = |at: usize| at * of..(at + 1) * of;
        if self.count >= SPAN && !self.words[at].is_past {
            self.words[at].is_past = true;
            for (sum, weight) in self.topics.iter_mut().zip(&self.said[said(at)]) {
                sum.take(*weight);
            }
        }
        self.before = Some(features.word);
        let known = &mut self.words[..self.count.min(SPAN)];
        let again = |word: &Word| word.number == features.word && !word.is_past;
        if let Some(earlier) = known.iter().position(again) {
            known[earlier].is_past = true;
            self.said.copy_within(said(earlier), at * of);
        } else {
            weights.say(features, &mut self.said[said(at)]);
            for (sum, weight) in self.topics.iter_mut().zip(&self.said[said(at)]) {
                sum.add(*weight);
            }
        }
        self.words[at] = Word {
            number: features.word,
            is_past: false,
        };
        self.count += 1;
        for (topic, sum) in self.topics.iter().enumerate() {
            let enough = self.count >= LEAST_WORDS && sum.speak_for >= LEAST_FOR;
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Says of each word what its number comes to, and of the second topic the opposite.
    struct Numbers;

    impl Weights for Numbers {
        fn say(&self, features: Features, said: &mut [f32]) {
            let weight = (features.word % 5) as f32 - 2.0;
            said.copy_from_slice(&[weight, -weight]);
        }
    }

    proptest! {
        /// However often a word comes, and whichever leave: what is there is the sum over the different words among the last ones.
        #[test]
        fn a_span_comes_to_what_its_words_say_each_once(numbers in proptest::collection::vec(0u64..40, 1..120)) {
            let mut seen = Seen::new(2);
            for (n, number) in numbers.iter().enumerate() {
                let features = Features { word: *number, stem: None, pair: None };
                let mut sums = Vec::new();
                seen.word(&Numbers, features, |_, judged| sums.push(judged));
                let last = &numbers[(n + 1).saturating_sub(SPAN)..=n];
                let words: std::collections::BTreeSet<u64> = last.iter().copied().collect();
                for (topic, judged) in sums.into_iter().enumerate() {
                    let sign = [1.0, -1.0][topic];
                    let said: Vec<f64> = words.iter().map(|word| sign * ((word % 5) as f64 - 2.0)).collect();
                    let speak_for = said.iter().filter(|weight| **weight >= f64::from(FOR)).count();
                    let enough = n + 1 >= LEAST_WORDS && speak_for >= LEAST_FOR as usize;
                    let expected = enough.then(|| said.iter().sum());
                    let sum = match judged {
                        Judged::Nothing => None,
                        Judged::Sum(sum) => Some(sum),
                    };
                    prop_assert_eq!(sum, expected);
                }
            }
        }
    }
}
