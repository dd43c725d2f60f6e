//! Gives every conversation an instruction of the house.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The instruction.
    text: String,
}

impl Policy for Note {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        // Behind the application's own, so that it has the last word.
        let roles = request::messages();
        let own = |role: &&Role| matches!(role, Role::System | Role::Developer);
        let before = roles.iter().take_while(own).count();
        match request::insert_message(before as u32, Role::System, &self.text) {
            Ok(()) => Verdict::Proceed,
            // A text completion has no messages. Who relies on the instruction lets none pass without it.
            Err(why) => Verdict::deny("no-note", why),
        }
    }
}

witgate_policy::export!(Note);

#[cfg(test)]
mod tests {
    use witgate_policy::testing::{self, Request};
    use witgate_policy::{Role, Verdict, serde_json::json};

    #[test]
    fn it_stands_behind_the_applications_own() {
        let policy = testing::configure::<super::Note>(json!({"text": "Be kind."}));
        let policy = policy.expect("these are settings");
        let request = Request::new().message(Role::System, "Be brief.").message(Role::User, "hi");
        let mut exchange = policy.exchange(request);
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        assert_eq!(exchange.texts(), ["Be brief.", "Be kind.", "hi"]);
        let mut exchange = policy.exchange(Request::prompt("Once upon"));
        assert!(matches!(exchange.on_request(), Verdict::Deny(_)));
    }
}
