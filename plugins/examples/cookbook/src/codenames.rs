//! Keeps a list of names out of requests and answers: replaces them, denies, or only reports, as the operator says.

use witgate_policy::prelude::*;
use witgate_policy::redact::{Action, Guard, Terms, Words};

/// The settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What isn't to be read by anyone.
    names: Vec<String>,
    /// `redact`, `deny` or `report`.
    #[serde(default)]
    action: Action,
}

/// The policy.
#[derive(Clone)]
pub struct Codenames(Guard<Words>);

impl Policy for Codenames {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.names.is_empty() {
            return Err("`names`: name at least one".into());
        }
        let words = Words::new(settings.names, "[NAME]");
        let terms = Terms { denial: "codename", finding: "codename.", things: "names of ours" };
        Ok(Codenames(Guard::new(words, settings.action, terms)))
    }

    fn on_request(&mut self) -> Verdict {
        self.0.on_request()
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = self.0.redactor(channel);
        Some(Box::new(redactor.telling(|policy: &mut Self, counts| policy.0.found(counts))))
    }
}

witgate_policy::export!(Codenames);

#[cfg(test)]
mod tests {
    use witgate_policy::{Channel, serde_json::json, testing};

    #[test]
    fn names_are_replaced_on_both_ways() {
        let settings = json!({"names": ["Project Lynx"]});
        let policy = testing::configure::<super::Codenames>(settings).expect("these are settings");
        let mut exchange = policy.exchange(testing::Request::user("What is project lynx?"));
        exchange.on_request();
        assert_eq!(exchange.texts(), ["What is [NAME]?"]);
        assert_eq!(policy.every_chunking("Project Lynx is...").text, "[NAME] is...");
        let call = policy.chunkings().on(Channel::arguments("mail"));
        assert_eq!(call.of(r#"{"to":"Project\u0020Lynx"}"#).text, r#"{"to":"[NAME]"}"#);
    }

    #[test]
    fn or_denied() {
        let settings = json!({"names": ["lynx"], "action": "deny"});
        let policy = testing::configure::<super::Codenames>(settings).expect("these are settings");
        assert!(policy.every_chunking("The lynx.").denial.is_some());
    }
}
