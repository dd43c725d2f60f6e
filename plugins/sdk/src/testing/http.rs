//! Who replies to a policy under test that has the grant `http`.

use std::fmt;
use std::rc::Rc;

use crate::http::{Call, Reply};

/// Calls of an exchange that the grant lets a policy make, where it says nothing else.
const CALLS: usize = 256;
/// The headers that a policy may set.
const HEADERS: [&str; 9] = [
    "accept",
    "accept-language",
    "content-language",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "traceparent",
    "x-correlation-id",
    "x-request-id",
];

type Replies = dyn Fn(&Call) -> Result<Reply, String>;

/// Who replies; nobody, unless it is said.
#[derive(Clone, Default)]
pub(super) struct Replier(Option<Rc<Replies>>);

impl Replier {
    pub(super) fn new(replies: impl Fn(&Call) -> Result<Reply, String> + 'static) -> Self {
        Replier(Some(Rc::new(replies)))
    }

    /// The reply to the call of that number, from 1.
    pub(super) fn send(&self, call: &Call, number: usize) -> Result<Reply, String> {
        if number > CALLS {
            return Err(format!(
                "an exchange takes no more than {CALLS} calls of `http` of one stage"
            ));
        }
        let method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&&*call.method);
        let web = call.url.starts_with("https://") || call.url.starts_with("http://");
        if !method || !web {
            return Err(format!(
                "there is no such call as {} {}",
                call.method, call.url
            ));
        }
        for (name, value) in &call.headers {
            let known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
            if !known || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(format!("a policy may set these headers alone: {HEADERS:?}"));
            }
        }
        match &self.0 {
            Some(replies) => replies(call),
            None => Err("nobody replies: say who does by `Configured::replying`".into()),
        }
    }
}

impl fmt::Debug for Replier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replier")
    }
}
