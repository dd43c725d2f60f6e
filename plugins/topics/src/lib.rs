//! Says what requests and answers may be about, by words with weights.

mod policy;
mod score;
mod settings;
mod terms;
mod words;

#[cfg(test)]
mod tests;

pub use policy::Topics;
pub use settings::Settings;

witgate_policy::export!(Topics);
