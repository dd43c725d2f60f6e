//! Ends an answer that gives the system prompt away: the prompt has a word in it that no answer would have by itself.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The word, such as `heron-5512`.
    word: String,
}

impl Policy for Canary {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        match settings.word.len() {
            8.. => Ok(settings),
            _ => Err("`word`: give one of 8 letters or more, which no answer has by chance".into()),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_ANSWER
    }

    fn on_answer(&mut self, _choice: u32, _channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        Some(Box::new(Tail::default()))
    }
}

/// The end of the text so far: a chunk may end within the word.
#[derive(Default)]
struct Tail(String);

impl Passage<Canary> for Tail {
    fn on_delta(&mut self, policy: &mut Canary, text: &str) -> Edit {
        self.0.push_str(text);
        if self.0.contains(&policy.word) {
            report("canary", 1);
            return Edit::deny("leak", "the answer gives its instructions away");
        }
        let from = self.0.len().saturating_sub(policy.word.len());
        self.0.drain(..self.0.floor_char_boundary(from));
        // What may become the word stays back, so that no part of it goes out.
        let begun = (0..=self.0.len()).filter(|at| self.0.is_char_boundary(*at));
        let mut begun = begun.map(|at| &self.0[at..]);
        let open = begun.find(|end| policy.word.starts_with(end));
        Edit::hold_last(open.map_or(0, str::len))
    }
}

witgate_policy::export!(Canary);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn no_part_of_it_goes_out() {
        let policy = testing::configure::<super::Canary>(json!({"word": "heron-5512"}));
        let policy = policy.expect("these are settings");
        assert!(policy.every_chunking("a heron-5511 and a her").untouched);
        let answer = policy.every_chunking("They say heron-5512.");
        assert_eq!(answer.denial.map(|it| it.code).as_deref(), Some("leak"));
        let mut exchange = policy.exchange(testing::Request::user("hi"));
        assert_eq!(exchange.answer(&["They say ", "her", "on-5512"]).text, "They say ");
        let short = testing::configure::<super::Canary>(json!({"word": "dog"}));
        assert!(short.is_err());
    }
}
