//! Sends what is short and has no tools to a smaller model.

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cheaper {
    /// Requests of no more text than this are small.
    bytes: u64,
    /// The model for those.
    model: String,
}

impl Policy for Cheaper {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        // Neither copies any text into the sandbox.
        if request::size() <= self.bytes && request::tools().is_empty() {
            match request::write("/model", &self.model) {
                Ok(()) => host::count("cheaper", 1),
                Err(why) => log::warn!("it keeps its model: {why}"),
            }
        }
        Verdict::Proceed
    }
}

witgate_policy::export!(Cheaper);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn only_what_is_small() {
        let settings = json!({"bytes": 5, "model": "small"});
        let policy = testing::configure::<super::Cheaper>(settings).expect("these are settings");
        for (text, small) in [("hi", true), ("a longer question", false)] {
            let mut exchange = policy.exchange(testing::Request::user(text));
            exchange.on_request();
            assert_eq!(exchange.request().body()["model"] == "small", small, "{text}");
        }
    }
}
