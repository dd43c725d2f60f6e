//! The ways in which a target fails, told apart by what a caller can do about them.
//!
//! A [`Failure`] happens before any byte of an answer has gone on to the client, so the next candidate may be tried. A
//! [`BodyError`] happens later.

use super::connections::NoAnswer;
use super::error_body::ErrorBody;
use super::keys::NoKey;
use super::limits::{Limits, used_up};
use super::retry::retry_after;
use crate::api::ApiError;
use crate::metrics::Failover;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::error::Error;
use std::time::Duration;
use witgate_own_secret::OwnSecret;

/// Why a target gave no answer. Another target may be asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be made.
    #[error("no connection could be made: {0}")]
    Connect(String),
    /// No connection could be made in time.
    #[error("no connection could be made within {0:?}")]
    ConnectTimeout(Duration),
    /// The answer did not begin in time.
    #[error("the answer did not begin within {0:?}")]
    FirstByteTimeout(Duration),
    /// It began, and nothing of its body came in time.
    #[error("nothing of the answer's body came within {0:?}")]
    FirstTokenTimeout(Duration),
    /// There is no more time for an answer.
    #[error("there was no answer within {0:?}")]
    Deadline(Duration),
    /// The target said that it can't answer now: 408, 429 or 5xx.
    #[error("{0}")]
    Status(Box<StatusFailure>),
    /// The target refuses this gateway's key: 401, 402 or 403. Its words are for the log: to a client they would be about its own key.
    #[error("it refuses this gateway's key: {0}")]
    Refused(Box<StatusFailure>),
    /// The target is sent no key, and wants one or refuses this gateway: 401, 402 or 403.
    #[error("it refuses this gateway, which has no key for it: {0}")]
    Keyless(Box<StatusFailure>),
    /// Every key of the target's has used up its limit for the model. The first is one that may be sent after this time.
    #[error("every key for it has used up its limit for the model, the next one for {0:?}")]
    Resting(Duration),
    /// The target sent the request elsewhere, which is never followed.
    #[error("it answered {0}, a redirect, and none is followed; check the target's base_url")]
    Redirect(StatusCode),
    /// The connection broke before the answer began.
    #[error("the connection broke before the answer began: {0}")]
    Broken(String),
    /// It was a kept connection, and the target closed it without an answer: the connection's fault, most likely.
    #[error("the connection was a kept one, and was closed before the answer began: {0}")]
    Closed(String),
    /// The name of a model that was asked about is no name, but a path.
    #[error(
        "a model's name has no empty part, no `.` or `..` for a part, and no control characters"
    )]
    NoName,
    /// A status that no API answers.
    #[error("it answered {0}, which is no status of an answer; check the target's base_url")]
    NoStatus(u16),
    /// The body is compressed or encoded in another way, though none was asked for. Unread it can't be shown to a policy.
    #[error(
        "its answer is encoded ({0}), though the request asked for none; turn that off at the target, or at a proxy before it"
    )]
    Coded(String),
}

/// A status that says "not now", with all that came with it.
#[derive(Debug, thiserror::Error)]
#[error("it answered {status}: {}", in_one_line(&error.message))]
pub struct StatusFailure {
    /// 408, 429 or 5xx.
    pub status: StatusCode,
    /// The answer's headers that may go on to the client.
    pub headers: HeaderMap,
    /// What the body says.
    pub error: ErrorBody,
}

impl Failure {
    /// The failure that the HTTP client's error means, for a request that got no answer.
    pub(super) fn of_request(NoAnswer { error, closed }: NoAnswer, secret: &OwnSecret) -> Failure {
        let connect = error.is_connect();
        // The client's own words say only at which step it was.
        let why = error.source().map_or_else(|| error.to_string(), sentence);
        let why = secret.strike(why);
        match (connect, closed) {
            (true, _) => Failure::Connect(why),
            (false, true) => Failure::Closed(why),
            (false, false) => Failure::Broken(why),
        }
    }

    /// The failure of a stream that began with this error, as if the error had been the answer's status.
    pub(super) fn said(data: Bytes, secret: &OwnSecret) -> Failure {
        let error = ErrorBody::parse(200, &data, secret);
        Failure::Status(Box::new(StatusFailure {
            status: error.status(),
            headers: HeaderMap::new(),
            error,
        }))
    }

    /// What it says of the target: that it fails, or that it is well and something else is wrong. `None`: nothing.
    pub(super) fn blames_target(&self) -> Option<bool> {
        match self {
            Failure::Status(failure) => Some(failure.status != StatusCode::TOO_MANY_REQUESTS),
            Failure::Refused(_) | Failure::Keyless(_) => Some(false),
            Failure::Resting(_) | Failure::NoName => None,
            Failure::Connect(_)
            | Failure::ConnectTimeout(_)
            | Failure::FirstByteTimeout(_)
            | Failure::FirstTokenTimeout(_)
            | Failure::Deadline(_)
            | Failure::Redirect(_)
            | Failure::Broken(_)
            | Failure::Closed(_)
            | Failure::NoStatus(_)
            | Failure::Coded(_) => Some(true),
        }
    }

    /// What it is about, and so whether another key of the same target may do better.
    pub(super) fn about(&self) -> About {
        let limited = |failure: &StatusFailure| failure.status == StatusCode::TOO_MANY_REQUESTS;
        match self {
            Failure::Refused(failure) if failure.status == StatusCode::FORBIDDEN => {
                About::Unclear(None)
            }
            Failure::Refused(_) => About::Key,
            // Cerebras' word for more requests, of whomsoever, than it has room for.
            Failure::Status(failure) if failure.error.code == "queue_exceeded" => About::Target,
            Failure::Status(failure) if limited(failure) => match used_up(&failure.headers) {
                Limits::UsedUp(_) => About::Key,
                Limits::Left => About::Unclear(None),
                Limits::Unknown => About::Unclear(retry_after(failure)),
            },
            _ => About::Target,
        }
    }

    /// The reason, as the metrics count it.
    pub fn reason(&self) -> Failover {
        match self {
            Failure::Connect(_) | Failure::ConnectTimeout(_) => Failover::Connect,
            Failure::FirstByteTimeout(_) | Failure::FirstTokenTimeout(_) | Failure::Deadline(_) => {
                Failover::Timeout
            }
            Failure::Status(failure) if failure.status == StatusCode::TOO_MANY_REQUESTS => {
                Failover::RateLimited
            }
            Failure::Resting(_) => Failover::RateLimited,
            Failure::Status(failure) if failure.status == StatusCode::REQUEST_TIMEOUT => {
                Failover::Timeout
            }
            Failure::Status(_)
            | Failure::Refused(_)
            | Failure::Keyless(_)
            | Failure::Redirect(_)
            | Failure::NoStatus(_)
            | Failure::NoName
            | Failure::Coded(_) => Failover::Server,
            Failure::Broken(_) | Failure::Closed(_) => Failover::Broken,
        }
    }

    /// The status that came, if one did.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Failure::Status(failure) | Failure::Refused(failure) | Failure::Keyless(failure) => {
                Some(failure.status)
            }
            Failure::Redirect(status) => Some(*status),
            _ => None,
        }
    }
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The key: another one is another matter.
    Key,
    /// The key or this one request. Where it is the key, it wants to be left alone for so long.
    Unclear(Option<Duration>),
    /// The target, whatever the key.
    Target,
}

/// Why an answer did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body did not begin in time.
    #[error("the answer's body did not begin within {0:?}")]
    FirstTokenTimeout(Duration),
    /// Nothing came for this long.
    #[error("nothing came for {0:?}")]
    Silence(Duration),
    /// The connection broke.
    #[error("the connection broke in the middle of the answer: {0}")]
    Broken(String),
    /// The body is larger than will be read, in bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// There is no memory for it.
    #[error("{}", .0.message)]
    NoMemory(Box<ApiError>),
    /// The body took longer than it was given.
    #[error("the answer was not complete within {0:?}")]
    Deadline(Duration),
}

impl NoKey {
    /// The failure of a target whose keys, as far as they were tried, have `failed` so.
    pub(super) fn after(self, failed: Option<Failure>) -> Failure {
        match (failed, self) {
            (Some(failed), _) => failed,
            (None, NoKey::Resting(rest)) => Failure::Resting(rest),
            (None, NoKey::Tried) => unreachable!("a key that was tried has failed or answered"),
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Failure {
        match error {
            BodyError::FirstTokenTimeout(limit) | BodyError::Silence(limit) => {
                Failure::FirstTokenTimeout(limit)
            }
            BodyError::Deadline(limit) => Failure::Deadline(limit),
            other => Failure::Broken(other.to_string()),
        }
    }
}

/// Whether a status means "not now", so that another target may well succeed. Every other status is an answer.
pub(super) fn failed_status(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// Whether a status is about the key that was sent, which is this gateway's.
pub(super) fn refuses_key(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401..=403)
}

/// Whether a status is one that an API answers with, be it a failure.
pub(super) fn is_an_answers(status: StatusCode) -> bool {
    status.is_success() || status.is_client_error() || status.is_server_error()
}

/// A text of the target's, for a line of the log: no line of its own making, and nothing that a terminal obeys.
pub(super) fn in_one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// An error and its causes in one line, without saying anything twice.
pub fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
