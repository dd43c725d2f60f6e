//! Lets no request through twice that has the same `x-order`. Grant: `kv`; the operator lists the header in `policies.headers`. (A name with `key` or
//! `token` in it is taken for a credential, and no policy is shown it.)

use witgate_policy::kv;
use witgate_policy::prelude::*;

/// The settings, and the policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// For how long a key is remembered.
    seconds: u32,
}

impl Policy for Once {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let Some(key) = request::header("x-order") else {
            return Verdict::Proceed;
        };
        let key = format!("{}/{key}", request::principal().unwrap_or_default());
        // Of two at the same moment one is new.
        match kv::put_new(&key, "", self.seconds) {
            Ok(true) => Verdict::Proceed,
            Ok(false) => Denial::new("again", "this was asked before")
                .with_status(409)
                .into(),
            // What guards something and can't look lets nothing through.
            Err(why) => Denial::new("unknown", why).with_status(503).into(),
        }
    }
}

witgate_policy::export!(Once);

#[cfg(test)]
mod tests {
    use witgate_policy::testing::{self, Request, StageState};
    use witgate_policy::{Verdict, serde_json::json};

    #[test]
    fn the_second_is_refused_until_the_first_is_forgotten() {
        let policy = testing::configure::<super::Once>(json!({"seconds": 60}));
        let policy = policy.expect("these are settings");
        let state = StageState::default();
        let passes = |key: &str, at: u64| {
            let request = Request::user("hi").header("x-order", key);
            let mut exchange = policy.exchange(request.received_at(at));
            exchange.keep_in(&state);
            exchange.on_request() == Verdict::Proceed
        };
        assert!(passes("a", 1_000_000) && passes("b", 1_000_000));
        assert!(!passes("a", 1_059_000));
        assert!(passes("a", 1_061_000));
        state.fail("the disk is full");
        assert!(!passes("c", 1_000_000));
    }
}
