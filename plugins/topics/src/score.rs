//! What a text is about: the weights of a topic's terms within the last so many words, each term once; and what its last words are like.

use std::collections::VecDeque;

use witgate_policy::Sanction;

use crate::likeness::{Judged, Learned, Seen, Sentences};
use crate::settings::Settings;
use crate::terms::{Last, Terms};
use crate::words::Words;

/// The settings, compiled.
#[derive(Debug)]
pub(crate) struct Topics {
    terms: Terms,
    /// Which topic a term is of, and its weight.
    weights: Vec<(usize, f64)>,
    pub(crate) topics: Vec<Topic>,
    window: usize,
    /// What was learned from examples.
    pub(crate) learned: Learned,
    /// Which topic each one is of which something was learned.
    pub(crate) with_examples: Vec<usize>,
}

/// By what a text is about a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Terms,
    Examples,
}

/// From which likelihood on a text is about a forbidden topic: a text that isn't is rather let through.
const FORBIDDEN: f64 = 0.8;

/// And about an allowed one: a text that may be is rather let through as well.
const ALLOWED: f64 = 0.5;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    threshold: f64,
    has_terms: bool,
    pub(crate) is_allowed: bool,
    pub(crate) action: Sanction,
}

/// A text, of which the beginning has come.
#[derive(Debug)]
pub(crate) struct Score {
    words: Words,
    last: Last,
    /// How many words have come.
    pub(crate) count: usize,
    /// The terms of the window: the word's number and the term's.
    window: VecDeque<(usize, usize)>,
    /// How often each term stands in the window.
    times: Vec<u32>,
    /// The topics' sums.
    sums: Vec<f64>,
    /// What its last words are like, where anything was learned.
    seen: Option<Seen>,
    /// The topics that were reached.
    reached: Vec<bool>,
}

impl Topics {
    pub(crate) fn new(settings: &Settings) -> Result<Topics, String> {
        let mut all = Topics {
            terms: Terms::default(),
            weights: Vec::new(),
            topics: Vec::new(),
            window: settings.window,
            learned: Learned::default(),
            with_examples: Vec::new(),
        };
        let mut sentences = Vec::new();
        for (place, topics) in [
            ("forbidden", &settings.forbidden),
            ("allowed", &settings.allowed),
        ] {
            for (name, topic) in topics {
                for (n, term) in topic.terms.iter().enumerate() {
                    let added = all.terms.add(term.text(), all.weights.len());
                    added.map_err(|why| format!("{place}.{name}.terms[{n}]: {why}"))?;
                    all.weights.push((all.topics.len(), term.weight()));
                }
                let is_allowed = place == "allowed";
                if !topic.examples.is_empty() {
                    let usual = if is_allowed { ALLOWED } else { FORBIDDEN };
                    all.with_examples.push(all.topics.len());
                    sentences.push(Sentences {
                        examples: &topic.examples,
                        likelihood: topic.likelihood.unwrap_or(usual),
                    });
                }
                all.topics.push(Topic {
                    name: name.clone(),
                    threshold: topic.threshold(),
                    has_terms: !topic.terms.is_empty(),
                    is_allowed,
                    action: topic.action.unwrap_or(settings.action),
                });
            }
        }
        if !sentences.is_empty() {
            let learned = Learned::new(&sentences, &settings.ordinary);
            all.learned = learned.map_err(|(at, why)| {
                let topic = &all.topics[all.with_examples[at]];
                let place = if topic.is_allowed {
                    "allowed"
                } else {
                    "forbidden"
                };
                format!("{place}.{}.{why}", topic.name)
            })?;
        }
        Ok(all)
    }

    /// A text that hasn't begun.
    pub(crate) fn score(&self) -> Score {
        Score {
            words: Words::default(),
            last: Last::default(),
            count: 0,
            window: VecDeque::new(),
            times: vec![0; self.weights.len()],
            sums: vec![0.0; self.topics.len()],
            seen: (!self.with_examples.is_empty()).then(|| Seen::new(self.with_examples.len())),
            reached: vec![false; self.topics.len()],
        }
    }
}

impl Score {
    /// Takes the next text, and tells of each topic that it reaches for the first time. `false` ends it there.
    pub(crate) fn push(
        &mut self,
        topics: &Topics,
        text: &str,
        mut reaches: impl FnMut(usize, By) -> bool,
    ) -> bool {
        let mut words = std::mem::take(&mut self.words);
        let goes_on = words.push(text, |word| self.word(topics, word, &mut reaches));
        self.words = words;
        goes_on
    }

    /// Nothing follows.
    pub(crate) fn end(
        &mut self,
        topics: &Topics,
        mut reaches: impl FnMut(usize, By) -> bool,
    ) -> bool {
        let mut words = std::mem::take(&mut self.words);
        words.end(|word| self.word(topics, word, &mut reaches))
    }

    /// How many bytes at the end of the text are of a word that isn't judged yet.
    pub(crate) fn open(&self) -> usize {
        self.words.open()
    }

    /// Whether the text was about this at some place.
    pub(crate) fn reached(&self, topic: usize) -> bool {
        self.reached[topic]
    }

    fn word(
        &mut self,
        topics: &Topics,
        word: &str,
        reaches: &mut impl FnMut(usize, By) -> bool,
    ) -> bool {
        self.count += 1;
        self.by_terms(topics, word, reaches) && self.by_examples(topics, word, reaches)
    }

    fn by_examples(
        &mut self,
        topics: &Topics,
        word: &str,
        reaches: &mut impl FnMut(usize, By) -> bool,
    ) -> bool {
        let Some(seen) = &mut self.seen else {
            return true;
        };
        let (mut goes_on, reached) = (true, &mut self.reached);
        seen.text(&topics.learned.weights, word, |at, judged| {
            let n = topics.with_examples[at];
            let is_about = matches!(judged, Judged::Sum(sum) if sum >= topics.learned.enough[at]);
            if goes_on && is_about && !reached[n] {
                reached[n] = true;
                goes_on = reaches(n, By::Examples);
            }
        });
        goes_on
    }

    fn by_terms(
        &mut self,
        topics: &Topics,
        word: &str,
        reaches: &mut impl FnMut(usize, By) -> bool,
    ) -> bool {
        let (count, times, sums, window) = (
            self.count,
            &mut self.times,
            &mut self.sums,
            &mut self.window,
        );
        while let Some((at, term)) = window
            .front()
            .copied()
            .filter(|(at, _)| at + topics.window <= count)
        {
            debug_assert!(at < count);
            window.pop_front();
            times[term] -= 1;
            if times[term] == 0 {
                let (topic, weight) = topics.weights[term];
                sums[topic] -= weight;
            }
        }
        let mut any = false;
        topics.terms.word(&mut self.last, word, |term| {
            any = true;
            window.push_back((count, term));
            times[term] += 1;
            if times[term] == 1 {
                let (topic, weight) = topics.weights[term];
                sums[topic] += weight;
            }
        });
        if !any {
            return true;
        }
        for (n, topic) in topics.topics.iter().enumerate() {
            // What was added and taken away again may be less by a little.
            if topic.has_terms && !self.reached[n] && self.sums[n] + 1e-9 >= topic.threshold {
                self.reached[n] = true;
                if !reaches(n, By::Terms) {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED, FORBIDDEN};

    #[test]
    fn the_schema_says_the_likelihoods_that_count() {
        let said = format!("{FORBIDDEN} where it is forbidden and {ALLOWED} where it is allowed");
        assert!(include_str!("../settings.schema.json").contains(&said));
    }
}
