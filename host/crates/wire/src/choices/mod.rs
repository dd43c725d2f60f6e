//! Answers that are lists of choices: what chat completions say, and text completions nearly so.
//!
//! - [`chunk`]: one event of a streamed answer, the hot path; [`splice`]: another text in its place; [`split`]: parts of it;
//! - [`envelope`]: new chunks that look like the upstream's;
//! - [`whole`]: a whole answer.

pub mod chunk;
pub mod envelope;
mod scan;
pub mod splice;
pub mod split;
pub mod whole;
