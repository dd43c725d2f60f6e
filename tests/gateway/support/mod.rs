//! What the tests stand on.
//!
//! - [`bench`]: a gateway in this process, between a client and simulators that record what reaches them;
//! - [`scripted`]: an upstream that writes the very bytes that a test gives it;
//! - [`reply`]: answers, read as a client reads them;
//! - [`process`]: the program itself;
//! - [`policies`], [`build`]: the components that the tests build;
//! - [`python`], [`node`]: the clients that people use, installed below the target directory.

pub mod bench;
#[path = "../../guests/build.rs"]
pub mod build;
pub mod node;
pub mod policies;
pub mod process;
pub mod python;
pub mod reply;
pub mod scripted;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

pub use bench::{Bench, Upstream};
pub use process::Process;
pub use reply::{Reply, Stream};
pub use serde_json::{Value, json};

/// Long enough for a busy machine; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What the test binary keeps between runs.
pub fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Tries again until there is something, or panics at the deadline.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(found) = check().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// A future that must not take for ever.
pub async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, wait).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// A chat request with one message from the user.
pub fn ask(text: &str) -> Value {
    json!({"model": "llama3.1-8b", "messages": [{"role": "user", "content": text}]})
}

/// The same, to be streamed.
pub fn ask_stream(text: &str) -> Value {
    with(ask(text), json!({"stream": true}))
}

/// The request with more members, or others.
pub fn with(mut body: Value, more: Value) -> Value {
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body
}

/// One tool, as a member of a request.
pub fn tools() -> Value {
    json!({"tools": [{"type": "function", "function": {
        "name": "lookup",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
    }}]})
}
