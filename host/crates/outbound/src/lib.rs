//! What policies ask of others over HTTP: the host's side of the grant `http`.
//!
//! A policy says what it wants ([`Call`]); whether it may, with which credentials, to which address, for how long and how much of it,
//! the configuration says ([`HttpConfig`](witgate_config::HttpConfig)).
//!
//! - `checks` is what a call must be before anything is done for it.
//! - `addresses` finds a host's addresses, and keeps those out that the configuration didn't mean.
//! - `asking` sends it, bounded in time and size.
//!
//! What must stay true: nothing goes to a host that isn't named; a private address is connected to only where the configuration says so,
//! and it is the address of the connection that is looked at; a policy never sees a credential; no redirect is followed.

mod addresses;
mod asking;
mod checks;

pub use asking::{Outbound, OutboundError};
pub use checks::{Checked, REQUEST_HEADERS, check};

/// A request of a policy's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// All of the address.
    pub url: String,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    /// May be nothing.
    pub body: Vec<u8>,
    /// How long to wait, in milliseconds; 0: as long as the grant lets it.
    pub timeout_ms: u32,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// As it came.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// Why there is no reply. The sentence is for the policy and the log; no credential is in it, and no address that a name led to.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// It may not be asked.
    #[error("{0}")]
    Refused(String),
    /// The time was over.
    #[error("there was no reply within {0} ms")]
    Late(u128),
    /// The other side said too much.
    #[error("the reply has more than {0} bytes, which is the grant's `max_reply`")]
    TooLarge(u64),
    /// The other side couldn't be reached, or broke off, or said something that can't be shown.
    #[error("{0}")]
    Failed(String),
}

impl NoReply {
    fn refused(why: impl Into<String>) -> Self {
        NoReply::Refused(why.into())
    }
}
