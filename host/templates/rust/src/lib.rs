//! Puts stars in the place of words that answers shouldn't say, and denies requests that are too long.

use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor, Words};

/// What the operator may set: `settings.schema.json` says the same to their editor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    words: Vec<String>,
    longest: Option<usize>,
}

/// What every exchange starts with.
#[derive(Clone)]
pub struct Guard {
    words: Words,
    longest: usize,
}

impl Policy for Guard {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Guard {
            words: Words::new(settings.words, "***"),
            longest: settings.longest.unwrap_or(2000),
        })
    }

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
        // Holds back no more than may yet become a word, so the same text comes out wherever the answer is cut.
        let redactor = Redactor::new(self.words.clone(), Form::of(channel));
        Some(Box::new(redactor.telling(|_: &mut Self, counts| {
            report("word", counts.iter().sum());
            None
        })))
    }
}

witgate_policy::export!(Guard);

#[cfg(test)]
mod tests {
    use super::*;
    use witgate_policy::{serde_json::json, testing};

    fn guard() -> testing::Configured<Guard> {
        let settings = json!({"words": ["blue moon"], "longest": 10});
        testing::configure(settings).expect("the settings are right")
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
