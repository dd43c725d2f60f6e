//! `POST /v1/responses`: OpenAI's newer dialect, by way of chat.
//!
//! - [`request`]: what is asked becomes a chat request; [`items`]: the conversation in it; [`tools`];
//! - [`echo`]: what every answer repeats of its request;
//! - [`output`]: what a chat's answer says, as items; [`answer`]: the whole of it; [`stream`]: events, as it grows.
//!
//! What must stay true: whole or streamed, an answer has the same items with the same ids, and what is in force is named: what can't be
//! done is refused with its place, and nothing is silently left out that would make another answer.

mod answer;
mod echo;
mod items;
mod output;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use answer::answer;
pub use echo::Echo;
pub(crate) use request::request;
pub(crate) use stream::Stream;

/// Before reasoning that a client keeps for the next turn as `encrypted_content`. Nothing is encrypted: those who ask for that member send
/// it back instead of the text, and a policy reads what comes back.
const KEPT: &str = "witgate-reasoning:";
