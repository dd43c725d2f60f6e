//! Keeps an operator's own terms and patterns, and what documents are classified by, out of requests and answers.

mod expressions;
mod finder;
mod fuzzy;
mod interest;
mod letters;
mod markers;
mod policy;
mod settings;
mod trie;

#[cfg(test)]
mod tests;

pub use policy::Dlp;
pub use settings::Settings;

witgate_policy::export!(Dlp);

/// What is known of a match that would start at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// There is none, whatever follows.
    No,
    /// What follows decides.
    More,
    /// It ends there, whatever follows, and is of this number.
    Match(usize, usize),
}
