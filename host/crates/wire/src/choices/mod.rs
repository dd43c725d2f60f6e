//! Answers that are lists of choices: what chat completions say, and text completions nearly so.
//!
//! - [`chunk`]: one event of a streamed answer, the hot path; [`splice`]: another text in its place; [`split`]: parts of it;
//! - [`envelope`]: new chunks that look like the upstream's;
//! - [`render`]: a chunk on its way out, by way of both;
//! - [`whole`]: a whole answer; [`compose`]: an answer that no upstream made.

pub mod chunk;
pub mod compose;
pub mod envelope;
pub mod render;
mod scan;
pub mod splice;
pub mod split;
pub mod whole;
