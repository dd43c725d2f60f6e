//! Asks a moderation service about requests, and about answers sentence by sentence; what it flags is denied or reported.

mod pieces;
mod policy;
mod service;
mod settings;

#[cfg(test)]
mod tests;

pub use policy::Moderation;

witgate_policy::export!(Moderation);
