//! Keeps what has a shape rather than a name out of requests and answers: addresses, keys and cards, and whatever the operator writes an expression for.

use std::collections::BTreeMap;

use witgate_policy::patterns::{Pattern, Patterns};
use witgate_policy::prelude::*;
use witgate_policy::redact::{Action, Guard, Terms};

/// The settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Regular expressions by name, as in `ticket: '\bT-[0-9]{5}\b'`. They go before what is ready.
    #[serde(default)]
    patterns: BTreeMap<String, String>,
    /// `redact`, `deny` or `report`.
    #[serde(default)]
    action: Action,
}

/// The policy.
#[derive(Clone)]
pub struct Shapes(Guard<Patterns>);

impl Policy for Shapes {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let own = settings.patterns.into_iter();
        let own = own.map(|(name, expression)| Pattern::new(name, expression));
        let ready = [Pattern::email(), Pattern::key(), Pattern::card()];
        // What can't be, such as an expression whose match has no end, is a sentence that the operator reads.
        let patterns = Patterns::new(own.chain(ready))?;
        let terms = Terms { denial: "shape", finding: "shape.", things: "what isn't to leave" };
        Ok(Shapes(Guard::new(patterns, settings.action, terms)))
    }

    fn on_request(&mut self) -> Verdict {
        self.0.on_request()
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = self.0.redactor(channel);
        Some(Box::new(redactor.telling(|policy: &mut Self, counts| policy.0.found(counts))))
    }
}

witgate_policy::export!(Shapes);

#[cfg(test)]
mod tests {
    use witgate_policy::{Channel, serde_json::json, testing};

    #[test]
    fn shapes_are_replaced_on_both_ways() {
        let settings = json!({"patterns": {"ticket": r"\bT-[0-9]{5}\b"}});
        let policy = testing::configure::<super::Shapes>(settings).expect("these are settings");
        let mut exchange = policy.exchange(testing::Request::user("Mail ann@example.com of T-12345"));
        exchange.on_request();
        assert_eq!(exchange.texts(), ["Mail [EMAIL] of [TICKET]"]);
        let answer = policy.every_chunking("T-12345, not T-123456.");
        assert_eq!(answer.text, "[TICKET], not T-123456.");
        let call = policy.chunkings().on(Channel::arguments("mail"));
        assert_eq!(call.of(r#"{"to":"a\u0040b.de"}"#).text, r#"{"to":"[EMAIL]"}"#);
    }

    #[test]
    fn an_expression_that_can_t_be_is_told_to_the_operator() {
        let settings = json!({"patterns": {"ticket": "T-[0-9]+"}});
        let error = testing::configure::<super::Shapes>(settings).err().unwrap_or_default();
        assert!(error.contains("`ticket`") && error.contains("{1,64}"), "{error}");
    }
}
