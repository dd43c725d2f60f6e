//! The keys that matter, by kind of object.

use std::fmt;

use serde::de::{Deserializer, Visitor};

/// Names the keys that matter in one kind of object.
macro_rules! keys {
    ($name:ident { $($key:ident = $text:literal,)* }) => {
        #[derive(Clone, Copy, PartialEq)]
        pub(in crate::choices) enum $name { $($key,)* Other }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Key;

                impl Visitor<'_> for Key {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a key")
                    }

                    fn visit_str<E>(self, key: &str) -> Result<$name, E> {
                        Ok($name::of(key))
                    }
                }

                deserializer.deserialize_identifier(Key)
            }
        }

        impl $name {
            /// What is said of each that stands twice.
            pub(super) const TWICE: &[&str] = &[$(concat!("`", $text, "` stands twice"),)*];

            pub(in crate::choices) fn of(key: &str) -> Self {
                match key {
                    $($text => $name::$key,)*
                    _ => $name::Other,
                }
            }

            /// # Errors
            /// Where the key was seen before.
            pub(super) fn once<E: serde::de::Error>(self, seen: &mut u16) -> Result<Self, E> {
                let bit = match self {
                    $name::Other => 0,
                    key => 1 << key as u16,
                };
                if *seen & bit != 0 {
                    return Err(E::custom(match self {
                        $($name::$key => concat!("`", $text, "` stands twice"),)*
                        $name::Other => "a key stands twice",
                    }));
                }
                *seen |= bit;
                Ok(self)
            }
        }
    };
}

keys!(TopKey {
    Id = "id",
    Object = "object",
    Created = "created",
    Model = "model",
    Fingerprint = "system_fingerprint",
    Tier = "service_tier",
    TierUsed = "service_tier_used",
    Choices = "choices",
    Usage = "usage",
    Time = "time_info",
    Error = "error",
    Status = "status_code",
});
keys!(ChoiceKey {
    Index = "index",
    Delta = "delta",
    Message = "message",
    Text = "text",
    Finish = "finish_reason",
    Logprobs = "logprobs",
    ReasoningLogprobs = "reasoning_logprobs",
    Tokens = "tokens",
    TokenIds = "token_ids",
    PromptLogprobs = "prompt_logprobs",
});
keys!(DeltaKey {
    Role = "role",
    Content = "content",
    Reasoning = "reasoning",
    ReasoningContent = "reasoning_content",
    Refusal = "refusal",
    ToolCalls = "tool_calls",
    FunctionCall = "function_call",
});
keys!(CallKey { Index = "index", Id = "id", Type = "type", Function = "function", Custom = "custom", });
keys!(FunctionKey { Name = "name", Arguments = "arguments", });
keys!(PartKey { Type = "type", Text = "text", Refusal = "refusal", });

/// What is said of any key that matters and stands twice.
pub(in crate::choices) const TWICE: &[&[&str]] = &[
    TopKey::TWICE,
    ChoiceKey::TWICE,
    DeltaKey::TWICE,
    CallKey::TWICE,
    FunctionKey::TWICE,
    PartKey::TWICE,
];
