//! Says something where the model said nothing. A choice's content is told of its end also where there was none.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotEmpty {
    /// What is said then.
    text: String,
}

impl Policy for NotEmpty {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        (*channel == Channel::Content).then(|| Box::new(Spoken(false)) as Box<_>)
    }
}

/// Whether anything was said.
struct Spoken(bool);

impl Passage<NotEmpty> for Spoken {
    fn on_delta(&mut self, _policy: &mut NotEmpty, text: &str) -> Edit {
        self.0 |= !text.trim().is_empty();
        Edit::Forward
    }

    fn on_end(&mut self, policy: &mut NotEmpty, finish: &str) -> Edit {
        // A call of tools needs no words.
        match self.0 || finish == "tool_calls" {
            true => Edit::Forward,
            false => Edit::replace(&policy.text),
        }
    }
}

witgate_policy::export!(NotEmpty);

#[cfg(test)]
mod tests {
    use witgate_policy::{Channel, serde_json::json, testing};

    #[test]
    fn nothing_becomes_something() {
        let policy = testing::configure::<super::NotEmpty>(json!({"text": "I'd rather not."}));
        let policy = policy.expect("these are settings");
        let exchange = || policy.exchange(testing::Request::user("hi"));
        assert_eq!(exchange().answer(&[]).text, "I'd rather not.");
        assert_eq!(exchange().answer_on(0, Channel::Content, &[], "tool_calls").text, "");
        assert!(policy.every_chunking("Hello.").untouched);
    }
}
