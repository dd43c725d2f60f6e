//! What a text is like: learned from an operator's example sentences, once, when the settings are read.
//!
//! - `features`: what is looked at of a word.
//! - `learn`: how much each of these speaks for a topic, and what that comes to as a likelihood.
//! - `seen`: the last words of a text, and how likely it is that they are about a topic.
//!
//! A topic's sentences are weighed against all other topics' and against a hundred and sixty ordinary ones in four languages (`ordinary.txt`), to which
//! an operator may add. Words of grammar (`silent.txt`) say nothing. What must stay true: the same settings learn the same, and a text costs the same for each of its words, whatever they are.

mod features;
mod learn;
mod seen;

pub(crate) use learn::{Learned, Sentences};
pub(crate) use seen::{Judged, Seen};

/// So many words are judged together: a sentence.
const SPAN: usize = 24;

/// Fewer words say too little.
const LEAST_WORDS: usize = 4;

/// So many words must speak for a topic: one alone never does.
const LEAST_FOR: u32 = 2;

/// Ordinary sentences, one a line.
const ORDINARY: &str = include_str!("ordinary.txt");

/// Words that say nothing of what a text is about, whatever examples they stand in: those of grammar, and those of asking.
const SILENT: &str = include_str!("silent.txt");
