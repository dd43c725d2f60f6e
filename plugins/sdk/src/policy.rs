//! The two traits an author writes: [`Policy`], and [`Passage`] for policies that read answers.

use serde::de::DeserializeOwned;

use crate::{Channel, Edit, Hooks, Verdict};

/// A policy: what is made of its settings, and what it does with an exchange.
///
/// The host reads the [`Settings`](Policy::Settings) once, makes a policy of them with [`new`](Policy::new) and takes a snapshot of the
/// memory. Every exchange starts from that snapshot with a clone, so a field that a hook changes belongs to one
/// exchange alone. Put what is big (matchers, tables) into an [`Rc`](std::rc::Rc), so that the clone costs nothing.
pub trait Policy: Clone + 'static {
    /// What the operator may set, under `policy.<id>`.
    ///
    /// Derive `Deserialize` with `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error and not a default. Where the policy is its
    /// settings, this is `Self`, and [`new`](Policy::new) gives them back; where there are none, it is [`NoSettings`].
    type Settings: DeserializeOwned;

    /// Checks the settings and builds what the hooks need, once, before the snapshot.
    ///
    /// Random values that are drawn here, the seed of a `HashMap` included, are shared by all exchanges, and clocks stand
    /// still. The modules `request`, `outcome` and `journal` can't be used yet.
    ///
    /// # Errors
    ///
    /// The sentence that the operator reads when the settings don't make sense: what is wrong, and what to do.
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// The hooks that these settings need; asked once, after [`new`](Policy::new).
    ///
    /// All three, unless a policy narrows them. Narrowing pays, because a hook that isn't wanted costs nothing: without
    /// `ON_ANSWER` no delta crosses into the sandbox, and with `ON_REQUEST` alone the sandbox is gone before the answer
    /// starts.
    fn hooks(&self) -> Hooks {
        Hooks::all()
    }

    /// What the policy looks out for, where nothing else matters to it: a regular expression in the syntax of the crate `regex`, for
    /// single words. Asked once, after [`new`](Policy::new). `None`: the policy is shown everything.
    ///
    /// This is a promise: **text in which no word matches, before, behind or between what the policy is shown, makes no difference to what it says
    /// and does.** The host keeps it from the sandbox then, and it costs a scan. A word is a run without ASCII white space; one of more than 256
    /// bytes counts as matching, and one with a backslash in a tool's arguments. So the expression must match some word of every text that the
    /// policy would deny, change, report, tag or remember. It decides by text alone: a policy that goes by the model, a header, a picture or the
    /// number of messages has none.
    ///
    /// `testing` runs every exchange with and without it and compares, and so do samples: a false promise is found there.
    fn interest(&self) -> Option<String> {
        None
    }

    /// Decides what happens to the request. Edits made through [`request`](crate::request) take effect if this returns
    /// `Proceed`.
    fn on_request(&mut self) -> Verdict {
        Verdict::Proceed
    }

    /// A channel of a choice begins. `None` lets the whole channel pass, without a call for each of its deltas.
    ///
    /// This may be called without [`on_request`](Policy::on_request) before it, where an earlier stage responded. The channels of a choice
    /// stand beside each other, each until the choice finishes. Content begins at the finish at the latest, also where there is none, so an
    /// empty answer has an [`on_end`](Passage::on_end), and nothing before it.
    ///
    /// A [`Redactor`](crate::redact::Redactor) is a passage already.
    fn on_answer(&mut self, choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let _ = (choice, channel);
        None
    }

    /// The exchange is over; [`outcome`](crate::outcome) says how. This is called exactly once, whatever happened, and no
    /// client waits for it. It may be the first hook of the exchange, and a policy whose sandbox was lost starts from the
    /// snapshot again here.
    fn on_complete(&mut self) {}

    /// A JSON Schema of the settings, for tools that help to write them.
    fn schema() -> Option<String> {
        None
    }
}

/// The settings of a policy that has none: any key is an error.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// One channel of one choice, from its first delta to its end.
///
/// A policy can't know where chunks are cut: keep what is needed in `self`, and answer so that the same text comes out at
/// every chunking. [`every_chunking`] tests that. `policy` belongs to this exchange alone.
///
/// [`every_chunking`]: https://docs.rs/witgate-policy/latest/witgate_policy/testing/struct.Configured.html
pub trait Passage<P> {
    /// A piece of text has come. The returned edit applies to this piece and to every delta of this passage that is held.
    ///
    /// Where only the end of the text is undecided, [`Edit::hold_last`] keeps that end back and lets the deltas before it
    /// go; `Hold` keeps all of them.
    fn on_delta(&mut self, policy: &mut P, text: &str) -> Edit;

    /// The passage ends. `finish` is the upstream's finish reason (`stop`, `length`, `tool_calls` and the like). A hold is
    /// a fault here. This isn't called after a denial, a disconnect, or an upstream that broke off.
    fn on_end(&mut self, policy: &mut P, finish: &str) -> Edit {
        let _ = (policy, finish);
        Edit::Forward
    }
}
