//! What the policies of governance share.
//!
//! - [`Who`], [`Asked`]: whose a sum is, and whether it is about this exchange at all.
//! - [`Estimate`]: what a request will take, and what it has taken.
//! - [`Taken`]: taking from several sums, all or none of them, and settling afterwards.
//! - [`keys`]: settings that other gateways know, and what to use here.
//!
//! What must stay true: whatever fails, sums are rather too high than too low. What was taken and never settled stays taken.

mod estimate;
pub mod keys;
mod parts;
mod shown;
mod taken;
#[cfg(test)]
mod tests;
mod who;

pub use estimate::{Estimate, Tokens};
pub use taken::Taken;
pub use who::{Asked, By, Who};
