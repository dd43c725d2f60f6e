//! Keeps personal data and secrets out of requests and answers.
//!
//! [`PiiDetector`] is the policy, [`Detector`] the finder behind it, for other policies to use. `find` says for each
//! entity what is found and what isn't; the README says it for operators.

mod detector;
mod entity;
mod find;
mod interest;
mod policy;
mod settings;

#[cfg(test)]
mod tests;

pub use detector::Detector;
pub use entity::Entity;
pub use policy::PiiDetector;
pub use settings::{Format, Regions, Scope, Set};

witgate_policy::export!(PiiDetector);
