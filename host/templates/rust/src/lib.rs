//! Puts stars in the place of words that answers shouldn't say, and denies requests that are too long.

use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor, Words};

/// The settings, and all that an exchange starts with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    words: Vec<String>,
    #[serde(default = "longest")]
    longest: usize,
}

fn longest() -> usize {
    2000
}

impl Policy for Guard {
    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_ANSWER
    }

    fn on_request(&mut self) -> Verdict {
        let too_long = |segment: &Segment| segment.text.chars().count() > self.longest;
        if request::segments().iter().any(too_long) {
            let why = format!("a message may have {} characters", self.longest);
            return Verdict::deny("too-long", why);
        }
        Verdict::Proceed
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let words = Words::new(&self.words, "***");
        let redactor = Redactor::new(words, Form::of(channel));
        Some(Box::new(Masked(redactor)))
    }
}

/// One channel of an answer. It holds back no more than may yet become a word.
struct Masked(Redactor<Words>);

impl Passage<Guard> for Masked {
    fn on_delta(&mut self, _policy: &mut Guard, text: &str) -> Edit {
        let edit = self.0.push(text);
        self.tell();
        edit
    }

    fn on_end(&mut self, _policy: &mut Guard, _finish: &str) -> Edit {
        let edit = self.0.finish();
        self.tell();
        edit
    }
}

impl Masked {
    fn tell(&mut self) {
        let found = self.0.take_counts().into_iter().sum();
        if found > 0 {
            report("word", found);
        }
    }
}

witgate_policy::export!(Guard);

#[cfg(test)]
mod tests {
    use super::*;
    use witgate_policy::{serde_json::json, testing};

    fn guard() -> testing::Configured<Guard> {
        testing::configure(json!({"words": ["blue moon"], "longest": 10})).expect("the settings are right")
    }

    #[test]
    fn a_word_goes_at_every_cut() {
        assert_eq!(guard().every_chunking("a Blue Moon!").text, "a ***!");
    }

    #[test]
    fn a_long_request_is_denied() {
        let verdict = |text| guard().exchange(testing::Request::user(text)).on_request();
        assert_eq!(verdict("short"), Verdict::Proceed);
        assert!(matches!(verdict("longer than that"), Verdict::Deny(_)));
    }
}
