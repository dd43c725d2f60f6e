//! Answers in the model's place where the question is known.

use std::collections::BTreeMap;

use witgate_policy::prelude::*;

/// Questions and their answers.
#[derive(Clone, Deserialize)]
pub struct Canned(BTreeMap<String, String>);

impl Policy for Canned {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let said = request::segments();
        let last = said.iter().rfind(|it| it.role == Role::User);
        match last.and_then(|it| self.0.get(it.text.trim())) {
            Some(answer) => Verdict::respond(answer),
            None => Verdict::Proceed,
        }
    }
}

witgate_policy::export!(Canned);

#[cfg(test)]
mod tests {
    use witgate_policy::{Verdict, serde_json::json, testing};

    #[test]
    fn what_is_known_is_answered() {
        let known = json!({"/help": "Ask me anything."});
        let policy = testing::configure::<super::Canned>(known).expect("these are settings");
        let ask = |text| policy.exchange(testing::Request::user(text)).on_request();
        assert_eq!(ask(" /help "), Verdict::respond("Ask me anything."));
        assert_eq!(ask("help"), Verdict::Proceed);
    }
}
