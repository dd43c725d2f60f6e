//! Finds personal data: a library of `pii-detector` and `pii-vault`, whose tests are also this one's.
//!
//! `find` says for each entity what is found and what isn't; the README of `pii-detector` says it for operators.

mod entity;
mod find;
mod interest;
mod scope;

pub use entity::Entity;
pub use find::scan;
pub use interest::expression;
pub use scope::{Regions, Scope, Set};
