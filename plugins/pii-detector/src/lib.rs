//! Keeps personal data and secrets out of requests and answers.
//!
//! [`PiiDetector`] is the policy, [`Detector`] the finder behind it. What is found `pii-entities` says, and the README for operators.

mod detector;
mod policy;
mod settings;

#[cfg(test)]
mod tests;

pub use detector::Detector;
pub use pii_entities::{Entity, Regions, Scope, Set};
pub use policy::PiiDetector;
pub use settings::Format;

witgate_policy::export!(PiiDetector);
