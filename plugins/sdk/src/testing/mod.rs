//! Drives a policy natively, as the host would: plain `cargo test`, no component, no gateway.
//!
//! The imports are a fake here, one exchange's at a time. It holds the policy to the contract: what the host would call
//! a fault of the stage (a hold at the end, a code that can't be a header, an edit outside `on_request`) is a panic
//! with the reason. It knows one stage, so edits of others aren't seen. It bounds what a policy says, as the host does (tags,
//! findings, lines of the log, entries of the journal, calls of grants), but no time and no memory. Where a policy declares an interest, every exchange
//! runs twice, with and without it, and a difference is a panic: the promise is broken.
//!
//! ```
//! use witgate_policy::{prelude::*, serde_json::json, testing};
//!
//! #[derive(Clone, Deserialize)]
//! # #[serde(crate = "witgate_policy::serde")]
//! struct Dashes {}
//!
//! impl Policy for Dashes {
//!     type Settings = Self;
//!
//!     fn new(settings: Self) -> Result<Self, String> {
//!         Ok(settings)
//!     }
//!
//!     fn on_answer(&mut self, _choice: u32, _channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
//!         struct Plain;
//!         impl Passage<Dashes> for Plain {
//!             fn on_delta(&mut self, _policy: &mut Dashes, text: &str) -> Edit {
//!                 if text.contains('—') {
//!                     Edit::replace(text.replace('—', "-"))
//!                 } else {
//!                     Edit::Forward
//!                 }
//!             }
//!         }
//!         Some(Box::new(Plain))
//!     }
//! }
//!
//! let policy = testing::configure::<Dashes>(json!({}))?;
//! let mut exchange = policy.exchange(testing::Request::user("hello"));
//! assert_eq!(exchange.on_request(), Verdict::Proceed);
//! let answer = exchange.answer(&["no — ", "yes"]);
//! assert_eq!(answer.chunks, ["no - ", "yes"]);
//! assert_eq!(policy.every_chunking("a — b").text, "a - b");
//! # Ok::<(), String>(())
//! ```

mod answer;
mod answer_header;
mod body;
mod check;
mod chunking;
mod draft;
mod exchange;
mod http;
pub(crate) mod imports;
mod interest;
mod json;
mod outcome;
mod request;
mod shape;
mod stage_state;
mod texts;

pub use answer::{Answer, redact};
pub use chunking::Chunkings;
pub use exchange::{Exchange, Record};
pub use outcome::Outcome;
pub use request::Request;
pub use stage_state::StageState;

use self::http::Replier;
use crate::{Hooks, Level, Policy};
use imports::{Phase, State};
use interest::Interest;

thread_local! {
    /// How many bytes were looked at, each as often as it was.
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[inline]
pub(crate) fn count_step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// How many bytes [`patterns`](crate::patterns) looked at during this work, each as often as it did: with it a test tells that twice the text is
/// twice the work, where time would tell nothing.
pub fn steps(work: impl FnOnce()) -> usize {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

/// Holds a policy to what its schema says of keys that are known elsewhere (`x-instead`): with each of them in these settings the policy refuses, in the
/// words of the schema, which an operator reads before the policy is asked.
///
/// # Panics
///
/// Where a key is taken, or another thing is said of it.
pub fn says_what_to_use_instead<P: Policy>(settings: &serde_json::Value) {
    let schema = P::schema().expect("it has a schema of its settings");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let instead = schema["x-instead"]
        .as_object()
        .expect("the schema has `x-instead`");
    for (key, what) in instead {
        let mut settings = settings.clone();
        settings[key] = serde_json::json!({});
        let said = configure::<P>(settings).err();
        let said = said.unwrap_or_else(|| panic!("`{key}` is taken"));
        let what = what.as_str().expect("what to use is a sentence");
        assert!(said.contains(what), "`{key}`: {said}");
    }
}

/// A policy that has its settings. Every [`exchange`](Configured::exchange) starts from it, with nothing of another.
#[derive(Debug)]
pub struct Configured<P> {
    policy: P,
    settings: String,
    hooks: Hooks,
    interest: Option<Interest>,
    log: Vec<(Level, String)>,
    replier: Replier,
}

/// Configures a policy from its settings, as the host does at load.
///
/// # Errors
///
/// The sentence that the operator would read.
pub fn configure<P: Policy>(settings: serde_json::Value) -> Result<Configured<P>, String> {
    let settings = settings.to_string();
    let mut state = State::default();
    let (policy, hooks, interest) = imports::within(&mut state, Phase::Configure, || {
        let policy: P = crate::settings::configure(&settings)?;
        let (hooks, interest) = (policy.hooks(), policy.interest());
        Ok::<_, String>((policy, hooks, interest))
    })?;
    Ok(Configured {
        policy,
        settings,
        hooks,
        interest: interest.map(Interest::new),
        log: state.log,
        replier: Replier::default(),
    })
}

impl<P: Policy> Configured<P> {
    /// The hooks that these settings need.
    pub fn hooks(&self) -> Hooks {
        self.hooks
    }

    /// What was logged while configuring.
    pub fn log(&self) -> &[(Level, String)] {
        &self.log
    }

    /// Says what comes of requests that the policy makes by the grant `http`. Without it nobody replies.
    #[must_use]
    pub fn replying(
        self,
        replies: impl Fn(&crate::http::Call) -> Result<crate::http::Reply, String> + 'static,
    ) -> Self {
        Configured {
            replier: Replier::new(replies),
            ..self
        }
    }

    /// The policy as every exchange begins with it.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// The policy, configured anew. A clone would do, but for what the policy shares with its clones: in an `Rc`, say. In the sandbox two
    /// exchanges share nothing, for each has a memory of its own.
    fn anew(&self) -> P {
        let mut state = State::default();
        let configured = imports::within(&mut state, Phase::Configure, || {
            crate::settings::configure(&self.settings)
        });
        configured.expect("it has taken these settings before")
    }

    /// A new exchange with this request, on a policy that is configured anew. Where the policy has an interest, it is run a second time beside itself, shown what matches that
    /// alone; it panics where another thing comes of that.
    pub fn exchange(&self, request: Request) -> Exchange<P> {
        let exchange = Exchange::new(self.anew(), self.hooks, request.clone());
        let exchange = exchange.replying(&self.replier);
        match &self.interest {
            None => exchange,
            Some(interest) => {
                let twin = Exchange::new(self.anew(), self.hooks, request);
                let twin = twin.replying(&self.replier);
                exchange.with_twin(twin.asleep(interest.clone()))
            }
        }
    }

    /// Whether the policy isn't called for this text: it has an interest, and no word of the text matches.
    pub fn sleeps_through(&self, text: &str) -> bool {
        let interest = self.interest.as_ref();
        interest.is_some_and(|interest| !interest.text(text, false))
    }
}

#[cfg(test)]
mod tests;
