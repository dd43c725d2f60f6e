//! Denies requests that shout, and lowers the voice of answers that do.

use witgate_policy::prelude::{println, *};

/// The settings: how many capital letters in one text are too many.
#[derive(Clone, Deserialize)]
#[serde(crate = "witgate_policy::serde", deny_unknown_fields)]
pub struct NoShouting {
    limit: usize,
}

impl Policy for NoShouting {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        // Goes to the host's log, also while configuring.
        println!("more than {} capital letters are shouting", settings.limit);
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn on_request(&mut self) -> Verdict {
        if request::segments()
            .iter()
            .any(|segment| is_shouting(&segment.text, self.limit))
        {
            return Verdict::deny("shouting", "please don't shout");
        }
        Verdict::Proceed
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        matches!(channel, Channel::Content).then(|| Box::new(Softer) as Box<_>)
    }
}

fn is_shouting(text: &str, limit: usize) -> bool {
    text.chars().filter(|c| c.is_uppercase()).count() > limit
}

/// Turns `!` into `.`: a text for a text, so where chunks are cut makes no difference.
struct Softer;

impl Passage<NoShouting> for Softer {
    fn on_delta(&mut self, _policy: &mut NoShouting, text: &str) -> Edit {
        if text.contains('!') {
            return Edit::replace(text.replace('!', "."));
        }
        Edit::Forward
    }
}

witgate_policy::export!(NoShouting);

#[cfg(test)]
mod tests {
    use super::*;
    use witgate_policy::{serde_json::json, testing};

    fn policy() -> testing::Configured<NoShouting> {
        testing::configure(json!({"limit": 3})).expect("the settings are right")
    }

    #[test]
    fn a_request_that_shouts_is_denied() {
        let verdict = |text| policy().exchange(testing::Request::user(text)).on_request();
        assert_eq!(verdict("Hello"), Verdict::Proceed);
        let denied = Verdict::deny("shouting", "please don't shout");
        assert_eq!(verdict("HELLO"), denied);
    }

    #[test]
    fn an_answer_that_shouts_is_softened_and_another_left_alone() {
        let mut exchange = policy().exchange(testing::Request::user("hello"));
        let answer = exchange.answer(&["hey", "!", " you", "!!"]);
        assert_eq!(answer.chunks, ["hey", ".", " you", ".."]);
        assert!(exchange.answer(&["quiet", " words"]).untouched);
        assert_eq!(policy().every_chunking("a!b!! é!").text, "a.b.. é.");
    }

    #[test]
    fn printing_goes_to_the_log() {
        let line = "more than 3 capital letters are shouting";
        assert_eq!(policy().log(), [(Level::Info, line.to_string())]);
    }

    #[test]
    fn a_setting_that_is_missing_is_named() {
        let error = testing::configure::<NoShouting>(json!({})).err();
        assert_eq!(error.as_deref(), Some("missing field `limit`"));
    }
}
