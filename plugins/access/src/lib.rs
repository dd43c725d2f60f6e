//! Says which roles and teams may use which models, targets, tools, endpoints and hours.
//!
//! - `settings`: what the operator writes, Keeptrusts' keys among it.
//! - `rules`: the rules that are made of it, and which of them decides.
//! - `hours`: days and times of day in a time zone.

mod hours;
mod policy;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

pub use policy::Access;
pub use settings::Settings;

witgate_policy::export!(Access);
