//! Ends an answer before a word of the operator's, as the model's own stop words do: `finish_reason` is `stop`, and the model is let go.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Where answers end, such as `###`.
    word: String,
}

impl Policy for Stop {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        match settings.word.is_empty() {
            false => Ok(settings),
            true => Err("`word`: every answer begins with the empty one; give another".into()),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        (*channel == Channel::Content).then(|| Box::new(Open::default()) as Box<_>)
    }
}

/// The end of the text so far, which may become the word: the host holds just that.
#[derive(Default)]
struct Open(String);

impl Passage<Stop> for Open {
    fn on_delta(&mut self, policy: &mut Stop, text: &str) -> Edit {
        let word = &policy.word;
        let before = self.0.len();
        self.0.push_str(text);
        if let Some(at) = self.0.find(word.as_str()) {
            return Edit::finish(&self.0[..at]);
        }
        let mut ends = self.0.char_indices().map(|(at, _)| &self.0[at..]);
        let open = ends.find(|end| word.starts_with(end)).map_or(0, str::len);
        let decided: String = self.0.drain(..self.0.len() - open).collect();
        match (before, open) {
            // Nothing is held, so it goes byte for byte as it came.
            (0, 0) => Edit::Forward,
            (_, open) => Edit::replace_and_hold_last(decided, open),
        }
    }
}

witgate_policy::export!(Stop);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn an_answer_ends_before_the_word_wherever_it_is_cut() {
        let policy = testing::configure::<super::Stop>(json!({"word": "###"}));
        let policy = policy.expect("these are settings");
        let answer = policy.every_chunking("All there is. ### And more, ###.");
        assert_eq!((answer.text.as_str(), answer.finished), ("All there is. ", true));
        let answer = policy.every_chunking("# One, ## two.");
        assert_eq!((answer.text.as_str(), answer.finished), ("# One, ## two.", false));
    }
}
