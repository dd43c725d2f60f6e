//! Sends a share of the exchanges to another model, each caller always to the same, and marks them for whoever compares.

use std::hash::{DefaultHasher, Hash, Hasher};

use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The other model.
    model: String,
    /// Of a hundred callers, so many.
    percent: u64,
}

impl Policy for Experiment {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        match settings.percent {
            0..=100 => Ok(settings),
            percent => Err(format!("`percent`: {percent} is more than 100")),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        // Who wants one of the two says so: the operator lists the header in `policies.headers`.
        let variant = match request::header("x-variant").as_deref() {
            Some("b") => "b",
            Some(_) => "a",
            None => self.drawn(),
        };
        if variant == "b"
            && let Err(why) = request::write("/model", &self.model)
        {
            log::warn!("the experiment is off: {why}");
            return Verdict::Proceed;
        }
        // A tag more or less is no reason to fail.
        let _ = request::tag("variant", variant);
        Verdict::Proceed
    }
}

impl Experiment {
    fn drawn(&self) -> &'static str {
        // This hasher has no seed: the same caller gets the same in every exchange.
        let mut hash = DefaultHasher::new();
        request::principal().unwrap_or_else(request::id).hash(&mut hash);
        if hash.finish() % 100 < self.percent { "b" } else { "a" }
    }
}

witgate_policy::export!(Experiment);

#[cfg(test)]
mod tests {
    use witgate_policy::{serde_json::json, testing};

    #[test]
    fn a_caller_stays_where_it_is() {
        let settings = json!({"model": "other", "percent": 50});
        let policy = testing::configure::<super::Experiment>(settings).expect("these are settings");
        let variant = |caller: &str| {
            let request = testing::Request::user("hi").principal(caller);
            let mut exchange = policy.exchange(request);
            exchange.on_request();
            let is_b = exchange.request().body()["model"] == "other";
            assert_eq!(exchange.tags()[0].1 == "b", is_b);
            is_b
        };
        let callers: Vec<String> = (0..40).map(|n| format!("caller-{n}")).collect();
        let drawn: Vec<bool> = callers.iter().map(|it| variant(it)).collect();
        assert!(drawn.contains(&true) && drawn.contains(&false));
        assert_eq!(callers.iter().map(|it| variant(it)).collect::<Vec<_>>(), drawn);
    }
}
