//! Bounds how long and how wild answers may be.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Tokens of an answer, at most.
    tokens: u64,
    /// The highest temperature.
    temperature: f64,
}

impl Policy for Sampling {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        match self.bound() {
            Ok(()) => Verdict::Proceed,
            // Something else stands there than a number.
            Err(why) => Denial::new("sampling", why).with_status(400).into(),
        }
    }
}

impl Sampling {
    fn bound(&self) -> Result<(), String> {
        let tokens = request::read::<u64>("/max_completion_tokens")?;
        if tokens.is_none_or(|it| it > self.tokens) {
            request::write("/max_completion_tokens", &self.tokens)?;
        }
        if request::read("/temperature")?.is_some_and(|it: f64| it > self.temperature) {
            request::write("/temperature", &self.temperature)?;
        }
        Ok(())
    }
}

witgate_policy::export!(Sampling);

#[cfg(test)]
mod tests {
    use witgate_policy::{Verdict, serde_json::json, testing};

    #[test]
    fn what_is_more_becomes_less() {
        let settings = json!({"tokens": 100, "temperature": 1.0});
        let policy = testing::configure::<super::Sampling>(settings).expect("these are settings");
        let request = testing::Request::user("hi").with("temperature", json!(1.5));
        let mut exchange = policy.exchange(request);
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        let body = exchange.request().body();
        assert_eq!((&body["temperature"], &body["max_completion_tokens"]), (&json!(1.0), &json!(100)));
        let request = testing::Request::user("hi").with("max_completion_tokens", json!("many"));
        assert!(matches!(policy.exchange(request).on_request(), Verdict::Deny(_)));
    }
}
