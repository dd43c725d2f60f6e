//! Keeps keys, tokens and passwords out of requests and answers, by the rules of those who issue them.

mod finder;
mod policy;

#[cfg(test)]
mod tests;

pub use finder::SecretFinder;
pub use policy::{Generic, Secrets};

witgate_policy::export!(Secrets);
