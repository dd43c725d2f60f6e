//! The grant `http`: requests to the hosts that the grant names. A component that uses this module needs the grant.
//!
//! The host adds the credentials and bounds time, size and number. A policy that guards something denies where there is no reply.
//!
//! ```
//! use witgate_policy::{http, prelude::*, serde_json::json, testing};
//!
//! #[derive(Clone, Deserialize)]
//! # #[serde(crate = "witgate_policy::serde")]
//! struct Asks {
//!     url: String,
//! }
//!
//! impl Policy for Asks {
//!     type Settings = Self;
//!
//!     fn new(settings: Self) -> Result<Self, String> {
//!         Ok(settings)
//!     }
//!
//!     fn on_request(&mut self) -> Verdict {
//!         let texts: Vec<String> = request::segments().into_iter().map(|it| it.text).collect();
//!         let call = http::post_json(&self.url, &json!({"texts": texts}));
//!         match http::send(&call) {
//!             Ok(reply) if http::json(&reply)["fine"] == true => Verdict::Proceed,
//!             Ok(_) => Verdict::deny("not-fine", "the service says no"),
//!             Err(why) => Verdict::deny("unknown", why),
//!         }
//!     }
//! }
//!
//! let policy = testing::configure::<Asks>(json!({"url": "https://a.example/"}))?
//!     .replying(|call| {
//!         let fine = !String::from_utf8_lossy(&call.body).contains("bad");
//!         Ok(http::reply(200, json!({"fine": fine}).to_string()))
//!     });
//! let mut exchange = policy.exchange(testing::Request::user("good"));
//! assert_eq!(exchange.on_request(), Verdict::Proceed);
//! let mut exchange = policy.exchange(testing::Request::user("bad"));
//! assert!(matches!(exchange.on_request(), Verdict::Deny(_)));
//! # Ok::<(), String>(())
//! ```

use std::string::String;
use std::vec::Vec;

use serde_json::Value;

pub use crate::bindings::witgate::policy::http::{Call, Reply};
use crate::imports::http as host_side;

/// Sends a call and waits for the reply, whatever its status.
///
/// # Errors
///
/// A sentence: the grant doesn't let it, the time was over, or there is no reply that a policy may see.
pub fn send(call: &Call) -> Result<Reply, String> {
    host_side::send(call)
}

/// A call without a body.
pub fn get(url: impl Into<String>) -> Call {
    Call {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_ms: 0,
    }
}

/// A call that sends JSON, and takes JSON.
pub fn post_json(url: impl Into<String>, json: &Value) -> Call {
    let header = |name: &str| (name.into(), "application/json".into());
    Call {
        method: "POST".into(),
        headers: [header("content-type"), header("accept")].into(),
        body: json.to_string().into_bytes(),
        ..get(url)
    }
}

/// The body as JSON; null where it is none.
pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// A reply, for tests.
pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}
