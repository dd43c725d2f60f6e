#![doc = include_str!("../README.md")]
//!
//! # Settings, and the snapshot
//!
//! What an operator writes under `policy.<id>` becomes the [`Settings`](Policy::Settings), once; [`new`](Policy::new) checks them and makes the policy. Then the gateway
//! takes a snapshot of the sandbox's memory, and every exchange begins from that, with a clone of the policy. So
//!
//! - what is built in `new` is built once, however many exchanges there are: matchers, tables. Put what is big into an [`Rc`](std::rc::Rc), so that the clone costs nothing;
//! - a field that a hook changes belongs to one exchange, and nothing has to be cleared;
//! - an error of `new` is a sentence that the operator reads at load, and the policy doesn't run.
//!
//! # The hooks
//!
//! | hook | when | says |
//! |---|---|---|
//! | [`on_request`](Policy::on_request) | the request has come | a [`Verdict`]: proceed, with the changes made through [`request`]; deny; respond in the model's place |
//! | [`on_answer`](Policy::on_answer) | a channel of a choice begins | a [`Passage`], or `None`: all of it passes |
//! | [`on_complete`](Policy::on_complete) | the exchange is over, in whatever way | nothing; [`outcome`] tells how it went |
//!
//! [`hooks`](Policy::hooks) says which of them these settings need. One that isn't named costs nothing: without `ON_ANSWER` no delta crosses into the sandbox. And a policy
//! that can say which words matter to it declares an [`interest`](Policy::interest): most texts then never reach it.
//!
//! # Requests
//!
//! [`request::segments`] is what people wrote; [`request::texts`] is every string that the model may be shown, tool descriptions and schemas too. A guard reads `texts`. Any other member of the body is at a
//! JSON pointer:
//!
//! ```
//! use witgate_policy::prelude::*;
//!
//! fn on_request() -> Verdict {
//!     match request::read::<f64>("/temperature") {
//!         Ok(Some(it)) if it > 1.0 => match request::write("/temperature", &1.0) {
//!             Ok(()) => Verdict::Proceed,
//!             Err(why) => Verdict::deny("temperature", why),
//!         },
//!         Ok(_) => Verdict::Proceed,
//!         // There is something else than a number.
//!         Err(why) => Verdict::from(Denial::new("temperature", why).with_status(400)),
//!     }
//! }
//! ```
//!
//! Changes take effect together, when `on_request` returns `Proceed`. Until then reads and indices are those of the start of the call.
//!
//! # Answers, and holding back
//!
//! An answer comes in pieces, and a policy can't know where they are cut. So a [`Passage`] decides by the text so far and never by the delta, and where the end of the text
//! may still become something, that end waits. Each delta is answered by an [`Edit`], which speaks for the delta and for all that is held:
//!
//! | edit | means |
//! |---|---|
//! | [`Edit::Forward`] | all of it goes, as it came, byte for byte |
//! | [`Edit::hold_last`] | the last so many bytes wait, the rest goes as it came |
//! | [`Edit::replace`] | this goes in its place |
//! | [`Edit::replace_and_hold_last`] | this goes in the place of all but the last so many bytes, which wait |
//! | [`Edit::deny`] | the choice ends, and what is held is dropped |
//! | [`Edit::finish`] | this goes in its place, and the choice ends as if the model had stopped |
//! | [`Edit::Hold`] | all of it waits; seldom what you want, since it makes a clean text late |
//!
//! A [`redact::Redactor`] does this for whoever takes things out. It is a passage, so it is returned as it is:
//!
//! ```
//! use witgate_policy::prelude::*;
//! use witgate_policy::redact::{Form, Redactor, Words};
//! # use witgate_policy::{serde_json::json, testing};
//!
//! #[derive(Deserialize)]
//! # #[serde(crate = "witgate_policy::serde")]
//! struct Settings {
//!     names: Vec<String>,
//! }
//!
//! #[derive(Clone)]
//! struct Discreet(Words);
//!
//! impl Policy for Discreet {
//!     type Settings = Settings;
//!
//!     fn new(settings: Settings) -> Result<Self, String> {
//!         Ok(Discreet(Words::new(settings.names, "[NAME]")))
//!     }
//!
//!     fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
//!         Some(Box::new(Redactor::new(self.0.clone(), Form::of(channel))))
//!     }
//! }
//! # let policy = testing::configure::<Discreet>(json!({"names": ["Project Lynx"]}))?;
//! # assert_eq!(policy.every_chunking("our Project Lynx").text, "our [NAME]");
//! # Ok::<(), String>(())
//! ```
//!
//! [`redact::Guard`] does the same to requests, and redacts, denies or reports as its operator says. [`patterns::Patterns`] finds what has a shape, by regular expressions; for what
//! none of them tells, write a [`redact::Finder`].
//!
//! # Grants
//!
//! What a component imports is the list of what it can do, and the operator grants each by name. Using a module is what makes a component need it:
//!
//! | module | gives |
//! |---|---|
//! | [`journal`] | entries in the tamper-evident journal |
//! | [`counters`] | sums in windows of time, which all exchanges of the stage share |
//! | [`kv`] | small values that expire, shared likewise |
//! | [`http`] | requests to hosts that the operator names, with credentials that the policy never sees |
//!
//! Each call may fail, and the policy decides what that means: one that guards something denies.
//!
//! # Testing
//!
//! `witgate_policy::testing` drives a policy under plain `cargo test`, and holds it to the contract: what the gateway would find a fault is a panic with the reason.
//!
//! ```
//! # use witgate_policy::prelude::*;
//! # use witgate_policy::redact::{Form, Redactor, Words};
//! # #[derive(Clone)]
//! # struct Discreet;
//! # impl Policy for Discreet {
//! #     type Settings = witgate_policy::serde_json::Value;
//! #     fn new(_: Self::Settings) -> Result<Self, String> {
//! #         Ok(Discreet)
//! #     }
//! #     fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
//! #         Some(Box::new(Redactor::new(Words::new(["lynx"], "[NAME]"), Form::of(channel))))
//! #     }
//! # }
//! use witgate_policy::{serde_json::json, testing};
//!
//! let policy = testing::configure::<Discreet>(json!({"names": ["lynx"]}))?;
//! // At every cut the same text, denial, findings and tags, or a panic that names the cut.
//! assert_eq!(policy.every_chunking("our lynx!").text, "our [NAME]!");
//! # Ok::<(), String>(())
//! ```
//!
//! `witgate policy test` runs samples, exchanges in YAML, against the component in the sandbox that will run it.
//!
//! # What a policy can't do
//!
//! - **Reach anything** but what it is granted: no file, socket, environment. It sees what people write.
//! - **Remember** another exchange, but by a grant, which says by name what is kept: what one caller wrote reaches no other.
//! - **Run in the background, or for long.** Time, memory and held text are bounded, and the bounds are the operator's to raise.
//! - **Take back** what has gone out. Hold it until it is decided, or deny: no text of the choice follows.
//! - **See the wire**: framing, status and headers of an answer are the host's, so that a policy can't break a stream.
//! - **Print**: a snapshot keeps no handle. [`prelude`] has a `println!` that writes to the gateway's log.
//!
//! A panic, a passed limit or a call at the wrong time ends the policy's part in that exchange, and the next begins anew; the operator's `on_error` says what the exchange meets.
//!
//! # A tour of the crate
//!
//! - [`Policy`] and [`Passage`] are what an author writes, [`export!`] makes a component of it.
//! - [`request`], [`outcome`] and [`host`] are what the host offers, [`journal`], [`counters`], [`kv`] and [`http`] what it grants; [`log`] formats for it.
//! - [`redact`] takes things out of requests and answers, however they are cut; [`patterns`] finds them.
//! - [`prelude`] has the most used in one `use`.
//! - `testing` drives a policy natively, as the host would.

pub mod counters;
pub mod export;
pub mod glob;
pub mod host;
pub mod http;
pub mod journal;
pub mod kv;
pub mod log;
pub mod outcome;
pub mod patterns;
pub mod prelude;
pub mod print;
pub mod redact;
pub mod request;
pub mod scripts;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;

mod panics;
mod policy;
mod sanction;
mod settings;
mod words;

/// The host's side of the imports: the real one in a sandbox, a fake in native tests.
#[cfg(target_family = "wasm")]
use bindings::witgate::policy as imports;
#[cfg(not(target_family = "wasm"))]
use testing::imports;

pub use bindings::witgate::policy::types::{
    Account, Channel, DataPolicy, Delta, Denial, Description, Edit, Ending, Finding, Hooks, Level,
    OtherChannel, Replacement, Role, Segment, Target, Text, Tool, ToolCall, Usage, Verdict, Wants,
};
pub use policy::{NoSettings, Passage, Policy};
pub use sanction::Sanction;
pub use words::report;

/// serde, for policies without a dependency on it: derive with `#[serde(crate = "witgate_policy::serde")]`.
pub use serde;
/// The JSON library that reads the settings.
pub use serde_json;

/// Keeps the examples of the authors' guide compiling.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/policies.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/authors/tutorial.md")]
struct Tutorial;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/contract-review.md")]
struct Review;
