//! Policies that are forged, and the lists of what they and the hostile guest do wrong. `build.rs` beside this makes the guests.

pub(crate) mod forge;
pub(crate) mod forged;
#[path = "hostile/src/list.rs"]
pub(crate) mod list;
mod mutations;
