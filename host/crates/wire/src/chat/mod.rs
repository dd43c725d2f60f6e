//! The chat-completions dialect.
//!
//! - [`request`]: what the client asks, read where it lies; [`draft`]: edits to it that take effect together;
//! - [`chunk`]: one event of a streamed answer, the hot path; [`splice`]: another text in its place; [`split`]: parts of it;
//! - [`envelope`]: new chunks that look like the upstream's;
//! - [`answer`]: a whole answer.

pub mod answer;
mod check;
pub mod chunk;
pub mod draft;
pub mod envelope;
pub mod request;
mod scan;
pub mod splice;
pub mod split;
mod walk;

pub use draft::Draft;
pub use request::Request;
