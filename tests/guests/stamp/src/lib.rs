//! Puts `<ORIGIN.MARK>` into what passes, in place of one sign in requests and of another in answers: the origin is the component's,
//! the mark the settings'. So an answer shows which generation made it, piece by piece.

use witgate_policy::prelude::*;

/// A test makes other components by writing another origin into these bytes. One that begins with `trap` traps in every exchange.
static ORIGIN: [u8; 16] = *b"origin: built000";

/// The settings.
#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", deny_unknown_fields)]
struct Stamp {
    mark: String,
    /// The sign in requests.
    request: char,
    /// The sign in answers.
    answer: char,
}

impl Stamp {
    fn text(&self) -> String {
        format!("<{}.{}>", origin(), self.mark)
    }
}

/// Read from memory: the compiler must not know it.
fn origin() -> &'static str {
    let bytes: &'static [u8; 16] = std::hint::black_box(&ORIGIN);
    std::str::from_utf8(&bytes[8..]).expect("an origin is text")
}

impl Policy for Stamp {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn on_request(&mut self) -> Verdict {
        assert!(!origin().starts_with("trap"), "as its origin says");
        for (index, segment) in request::segments().iter().enumerate() {
            if segment.text.contains(self.request) {
                let text = segment.text.replace(self.request, &self.text());
                request::replace_segment(index as u32, &text);
            }
        }
        Verdict::Proceed
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        matches!(channel, Channel::Content).then(|| Box::new(Stamping) as Box<_>)
    }
}

/// A text for a sign: where chunks are cut makes no difference.
struct Stamping;

impl Passage<Stamp> for Stamping {
    fn on_delta(&mut self, policy: &mut Stamp, text: &str) -> Edit {
        if text.contains(policy.answer) {
            return Edit::replace(text.replace(policy.answer, &policy.text()));
        }
        Edit::Forward
    }
}

witgate_policy::export!(Stamp);
