//! The text-completions dialect: what of its requests differs from chat's. They are read by the same pass
//! ([`read`](crate::read)), over another table of members. Its answers are [`choices`](crate::choices).
//!
//! Each prompt counts as a message of the user's, and the suffix as one more after them. A prompt may be a list of tokens, which no
//! policy can read: it is opaque, as a picture is in a chat.
//!
//! As many choices are answered as `n` says, for each prompt. `best_of` counts for nothing here: of so many the upstream makes, it shows `n`.

use crate::chat::shape::Shape::{
    self, Content, Count, Flag, Model, Names, Open, Prompts, StreamOptions, Word,
};

/// The members of the body that have a meaning.
pub(crate) const BODY: &[(&str, Shape)] = &[
    ("model", Model),
    ("prompt", Prompts),
    ("suffix", Content),
    ("stream", Flag),
    ("stream_options", StreamOptions),
    ("n", Count),
    ("best_of", Open),
    ("echo", Open),
    ("temperature", Open),
    ("top_p", Open),
    ("max_tokens", Open),
    ("min_tokens", Open),
    ("stop", Open),
    ("user", Open),
    ("seed", Open),
    ("logprobs", Open),
    ("logit_bias", Names),
    ("presence_penalty", Open),
    ("frequency_penalty", Open),
    ("grammar_root", Word),
    ("return_raw_tokens", Open),
    ("reasoning_format", Word),
    ("service_tier", Word),
    ("prompt_cache_key", Open),
];

#[cfg(test)]
mod tests;
