//! Lets only answers through that are JSON, and match a schema.

mod answer;
mod fence;
mod policy;
mod reader;
mod settings;

#[cfg(test)]
mod tests;

pub use policy::JsonAnswer;
pub use settings::Settings;

witgate_policy::export!(JsonAnswer);
