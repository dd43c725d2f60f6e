//! What a request will take, and what it has taken.

use serde::Deserialize;
use witgate_policy::{Ending, outcome, request};

use crate::shown::Shown;

/// How tokens are guessed where nobody has counted them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Estimate {
    /// So many bytes of what the model is shown of a request are taken for a token.
    pub bytes_per_token: u32,
    /// So many tokens are reserved for an answer whose request doesn't bound it.
    pub answer_tokens: u32,
    /// So many tokens each image of a request is taken for, and each other part of a message that is no text. Cerebras scales an image to as
    /// many patches as 280 tokens have, whatever its size, so it counts 280 at most and seldom much less.
    pub image_tokens: u32,
}

impl Default for Estimate {
    fn default() -> Self {
        Estimate {
            bytes_per_token: 4,
            answer_tokens: 1024,
            image_tokens: 280,
        }
    }
}

/// Tokens of a request and of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the request, those that were cached included.
    pub prompt: u64,
    /// Of the request's, those that were cached.
    pub cached: u64,
    /// Of the answer.
    pub completion: u64,
}

impl Tokens {
    /// All of them.
    #[must_use]
    pub fn all(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

/// The bytes around the text of an event in a stream.
const FRAME: u64 = 256;

impl Estimate {
    /// # Errors
    ///
    /// Numbers that guess nothing.
    pub fn check(self) -> Result<(), String> {
        if self.bytes_per_token == 0 {
            return Err(
                "`estimate.bytes_per_token`: a token has at least one byte; 4 is usual".into(),
            );
        }
        Ok(())
    }

    /// What a request is taken to take, before anybody knows: a token for every few bytes of what the model is shown of it, so many for each
    /// image, and as many more as its answer may have, for each choice.
    #[must_use]
    pub fn of_request(self) -> Tokens {
        let number = |pointer: &str| request::get(pointer)?.parse::<u64>().ok();
        let most = number("/max_completion_tokens").or_else(|| number("/max_tokens"));
        let answer = most.unwrap_or(u64::from(self.answer_tokens));
        let choices = number("/n").unwrap_or(1).max(1);
        let shown = Shown::read();
        let images = shown.images.saturating_mul(self.image_tokens.into());
        Tokens {
            prompt: self.of_bytes(shown.bytes).saturating_add(images).max(1),
            cached: 0,
            completion: answer.saturating_mul(choices),
        }
    }

    fn of_bytes(self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.bytes_per_token))
    }

    /// What it took, in `on-complete`: what the upstream counted. Where it told nothing:
    ///
    /// - nothing, where no answer of an upstream had begun;
    /// - for a stream that was left, denied or broken off: the request as `reserved`, and of the answer a token for each piece that came, or
    ///   for every few bytes that were sent, if that is more;
    /// - all that was reserved, where nobody can know: a whole answer that its client didn't wait for.
    #[must_use]
    pub fn of_outcome(self, reserved: Tokens) -> Tokens {
        if let Some(usage) = outcome::tokens() {
            return Tokens {
                prompt: usage.prompt_tokens.into(),
                cached: usage.cached_tokens.into(),
                completion: usage.completion_tokens.into(),
            };
        }
        let ended = outcome::ended();
        let begun = outcome::target().is_some();
        let refused = outcome::status().is_some_and(|status| !(200..300).contains(&status));
        match ended {
            Ending::Responded => return Tokens::default(),
            // It may be on its way to an upstream, which nobody hears of any more.
            Ending::Disconnected if !begun => return reserved,
            _ if !begun || refused => return Tokens::default(),
            _ => {}
        }
        if request::get("/stream").as_deref() != Some("true") {
            return reserved;
        }
        let pieces = outcome::deltas();
        let text = outcome::sent_bytes().saturating_sub(pieces.saturating_mul(FRAME));
        Tokens {
            prompt: reserved.prompt,
            cached: 0,
            completion: pieces.max(self.of_bytes(text)),
        }
    }
}
