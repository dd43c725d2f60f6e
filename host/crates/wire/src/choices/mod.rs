//! Answers that are lists of choices: what chat completions say, and text completions nearly so.
//!
//! - [`chunk`]: one event of a streamed answer, the hot path; [`splice`]: another text in its place; [`split`]: parts of it;
//! - [`envelope`]: new chunks that look like the upstream's;
//! - [`render`]: a chunk on its way out, by way of both;
//! - `scan` is how they are read, `known` what is left where something in them isn't known, `restate` which logprobs tell a text again,
//!   and `fault` what is said of bytes that can't be read;
//! - [`whole`]: a whole answer; [`compose`]: an answer that no upstream made.

pub mod chunk;
pub mod compose;
pub mod envelope;
mod fault;
mod known;
pub mod render;
mod restate;
mod scan;
pub mod splice;
pub mod split;
pub mod whole;
