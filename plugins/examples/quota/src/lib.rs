//! So many requests of each client in a window of time: an example of the grant `counters`.
//!
//! ```yaml
//! policies: {chain: [{id: quota, component: ./quota.wasm, grants: [counters]}]}
//! policy: {quota: {requests: 100, seconds: 3600}}
//! ```

use serde::Deserialize;
use witgate_policy::prelude::*;
use witgate_policy::{counters, request};

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// How many.
    requests: i64,
    /// The window's length. Windows are aligned to 1970, UTC: 3600 are the hours of the clock.
    seconds: u32,
}

impl Policy for Quota {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        Ok(settings)
    }

    fn on_request(&mut self) -> Verdict {
        let client = request::principal().unwrap_or_default();
        match counters::take(&client, 1, self.seconds, self.requests) {
            Ok(Some(_)) => Verdict::Proceed,
            Ok(None) => Verdict::Deny(Denial {
                code: "quota.used-up".into(),
                message: format!("{} requests were made already", self.requests),
                status: Some(429),
                retry_after: Some(self.left()),
            }),
            // Who guards something and can't count lets nothing through.
            Err(why) => Verdict::Deny(Denial {
                code: "quota.unknown".into(),
                message: format!("requests can't be counted: {why}"),
                status: Some(503),
                retry_after: Some(1),
            }),
        }
    }
}

impl Quota {
    /// Seconds until the next window.
    fn left(&self) -> u32 {
        let length = u64::from(self.seconds);
        let left = length - request::received_at() / 1000 % length;
        left.try_into().unwrap_or(u32::MAX)
    }
}

witgate_policy::export!(Quota);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use witgate_policy::serde_json::json;
    use witgate_policy::testing::{self, Request, StageState};

    fn ask(state: &StageState, principal: &str) -> Verdict {
        let quota = testing::configure::<Quota>(json!({"requests": 2, "seconds": 60})).unwrap();
        let request = Request::user("hello").principal(principal);
        let mut exchange = quota.exchange(request.received_at(1_000_059_000));
        exchange.keep_in(state);
        exchange.on_request()
    }

    fn refused(verdict: Verdict) -> (String, Option<u16>, Option<u32>) {
        match verdict {
            Verdict::Deny(denial) => (denial.code, denial.status, denial.retry_after),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_client_has_so_many() {
        let state = StageState::default();
        for principal in ["ann", "ann", "bob"] {
            assert_eq!(ask(&state, principal), Verdict::Proceed);
        }
        // The window ends at a full minute.
        let wanted = ("quota.used-up".into(), Some(429), Some(21));
        assert_eq!(refused(ask(&state, "ann")), wanted);
        assert_eq!(ask(&state, "bob"), Verdict::Proceed);
    }

    #[test]
    fn what_cannot_be_counted_does_not_pass() {
        let state = StageState::default();
        state.fail("the disk is full");
        let wanted = ("quota.unknown".into(), Some(503), Some(1));
        assert_eq!(refused(ask(&state, "ann")), wanted);
    }
}
