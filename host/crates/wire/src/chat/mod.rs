//! The chat-completions dialect: its requests. Its answers are [`choices`](crate::choices).
//!
//! - [`request`]: what the client asks, read where it lies; [`draft`]: edits to it that take effect together.

mod check;
pub mod draft;
pub mod request;
mod walk;

pub use draft::Draft;
pub use request::Request;
