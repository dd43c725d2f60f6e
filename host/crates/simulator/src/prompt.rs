//! How long a prompt is, and how much of it was seen before.
//!
//! Cerebras caches prompts in blocks of 128 tokens. A block's hash covers everything before it, so a block that is known
//! stands behind a prefix that is known.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use super::random::Hasher;
use super::tokens;

const BLOCK: u64 = 128;
/// How many blocks are remembered: those of 8 million tokens.
const MOST_BLOCKS: usize = 1 << 16;
/// The tokens that the frame of a message costs, by rule of thumb.
const PER_MESSAGE: u64 = 4;
/// The most tokens that Cerebras counts for an image.
const PER_IMAGE: u64 = 280;

/// A measured prompt.
#[derive(Debug)]
pub(super) struct Prompt {
    /// All tokens, those of images among them.
    pub(super) tokens: u64,
    pub(super) image_tokens: u64,
    blocks: Vec<u64>,
}

/// Measures the prompt of a chat or of a text completion. `owner` keeps the prompts of different keys and models apart.
pub(super) fn measure(body: &Value, owner: &[&str]) -> Prompt {
    let mut meter = Meter {
        prompt: Prompt {
            tokens: 0,
            image_tokens: 0,
            blocks: Vec::new(),
        },
        hasher: Hasher::new(),
    };
    for part in owner {
        meter.hasher.write(part.as_bytes());
        meter.hasher.write(&[0]);
    }
    if !body["tools"].is_null() {
        meter.text(&body["tools"].to_string());
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        meter.message(message);
    }
    meter.completion(&body["prompt"]);
    meter.prompt
}

struct Meter {
    prompt: Prompt,
    hasher: Hasher,
}

impl Meter {
    fn text(&mut self, text: &str) {
        for token in tokens::cut(text) {
            self.hasher.write(token.as_bytes());
            self.add(1);
        }
        self.hasher.write(&[0]);
    }

    fn add(&mut self, tokens: u64) {
        for _ in 0..tokens {
            self.prompt.tokens += 1;
            if self.prompt.tokens.is_multiple_of(BLOCK) {
                self.prompt.blocks.push(self.hasher.finish());
            }
        }
    }

    fn message(&mut self, message: &Value) {
        self.hasher
            .write(message["role"].as_str().unwrap_or_default().as_bytes());
        self.add(PER_MESSAGE);
        for field in ["reasoning", "content"] {
            match &message[field] {
                Value::String(text) => self.text(text),
                Value::Array(parts) => parts.iter().for_each(|part| self.part(part)),
                _ => {}
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            for field in ["name", "arguments"] {
                self.text(call["function"][field].as_str().unwrap_or_default());
            }
        }
    }

    fn part(&mut self, part: &Value) {
        match part["text"].as_str() {
            Some(text) => self.text(text),
            None => {
                self.hasher.write(part.to_string().as_bytes());
                self.add(PER_IMAGE);
                self.prompt.image_tokens += PER_IMAGE;
            }
        }
    }

    fn completion(&mut self, prompt: &Value) {
        match prompt {
            Value::String(text) => self.text(text),
            Value::Number(id) => self.token_id(id),
            Value::Array(items) => items.iter().for_each(|item| self.completion(item)),
            _ => {}
        }
    }

    fn token_id(&mut self, id: &serde_json::Number) {
        self.hasher
            .write(&id.as_u64().unwrap_or_default().to_le_bytes());
        self.add(1);
    }
}

/// The blocks of earlier prompts, the oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Cache {
    /// Returns how many tokens at the prompt's beginning were known, a multiple of 128, and remembers the whole prompt.
    pub(super) fn visit(&mut self, prompt: &Prompt) -> u64 {
        let leading = prompt
            .blocks
            .iter()
            .take_while(|block| self.known.contains(block))
            .count();
        for block in &prompt.blocks[leading..] {
            if self.known.insert(*block) {
                self.order.push_back(*block);
            }
            if self.order.len() > MOST_BLOCKS
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        leading as u64 * BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chat(text: &str) -> Value {
        json!({"messages": [{"role": "system", "content": "s ".repeat(200)}, {"role": "user", "content": text}]})
    }

    #[test]
    fn a_repeated_prefix_is_cached_in_blocks_of_128() {
        let mut cache = Cache::default();
        let first = measure(&chat("one"), &["key", "model"]);
        assert!((208..220).contains(&first.tokens), "{}", first.tokens);
        assert_eq!(cache.visit(&first), 0);
        assert_eq!(cache.visit(&measure(&chat("two"), &["key", "model"])), 128);
        assert_eq!(cache.visit(&measure(&chat("two"), &["other", "model"])), 0);
    }

    #[test]
    fn a_short_prompt_has_nothing_to_cache() {
        let mut cache = Cache::default();
        let short = measure(&json!({"prompt": "Hello"}), &[]);
        assert_eq!(
            (short.tokens, cache.visit(&short), cache.visit(&short)),
            (1, 0, 0)
        );
    }

    #[test]
    fn token_ids_and_images_count() {
        assert_eq!(measure(&json!({"prompt": [1, 2, 3]}), &[]).tokens, 3);
        let image =
            json!({"messages": [{"role": "user", "content": [{"type": "image", "image": "x"}]}]});
        assert_eq!(measure(&image, &[]).image_tokens, 280);
    }
}
