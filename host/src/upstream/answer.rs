//! A target's answer: status and headers at once, the body as it comes.
//!
//! The body is never buffered here beyond the one chunk that was peeked at. Time counts only while a reader waits for the
//! target, not while a slow client keeps the body from being read. Dropping the body closes the stream to the target.

use super::client_error::error_answer;
use super::error_body::ErrorBody;
use super::failure::{BodyError, Failure, StatusFailure, sentence};
use super::headers;
use super::own_secret::OwnSecret;
use super::target::Target;
use crate::api::{ApiError, Charge};
use crate::config::UnknownMembers;
use crate::metrics::TargetMetrics;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, timeout};

/// The largest whole answer, in bytes.
pub const WHOLE_BODY_CAP: usize = 64 << 20;

/// The most that is read of the body of an error, in bytes.
const ERROR_BODY_CAP: usize = 64 << 10;

/// How long to wait for the body of an error, at most.
const ERROR_BODY_TIME: Duration = Duration::from_secs(60);

/// The same of a failure. A short time, because the next target can only be tried afterwards.
const FAILURE_BODY_TIME: Duration = Duration::from_secs(5);

/// The time limits of a scripted answer. A script answers at once, so they are never reached.
const SCRIPTED: Duration = Duration::from_secs(60);

/// An answer that has begun.
#[derive(Debug)]
pub struct Answer {
    /// One of success, or of an error other than 408, 429 and 5xx.
    pub status: StatusCode,
    /// All headers as they came. [`Answer::passed_on`] picks those that may go on to the client.
    pub headers: HeaderMap,
    /// The id of the target that answered.
    pub target: Arc<str>,
    /// The model that this target was asked for.
    pub model: Arc<str>,
    /// The target's counters.
    pub metrics: Arc<TargetMetrics>,
    secret: OwnSecret,
    /// What becomes of members of the answer that aren't known.
    pub unknown_members: UnknownMembers,
    body: AnswerBody,
}

impl Answer {
    pub(super) fn new(
        response: reqwest::Response,
        target: &Target,
        model: Arc<str>,
        first_byte: Instant,
    ) -> Answer {
        let response: http::Response<reqwest::Body> = response.into();
        let (parts, body) = response.into_parts();
        let timeouts = target.timeouts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            target: target.shared_id(),
            model,
            metrics: target.metrics().clone(),
            secret: target.secret().clone(),
            unknown_members: target.unknown_members(),
            body: AnswerBody::new(body, first_byte, timeouts.first_byte, timeouts.silence),
        }
    }

    /// An answer of a script, in place of a target's. It isn't counted in any metric.
    pub fn scripted(
        target: &str,
        model: &str,
        content_type: HeaderValue,
        body: Vec<Bytes>,
    ) -> Answer {
        let body = futures_util::stream::iter(body.into_iter().map(Ok::<_, Infallible>));
        let body = reqwest::Body::wrap_stream(body);
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]),
            target: target.into(),
            model: model.into(),
            metrics: Arc::new(TargetMetrics::unregistered()),
            secret: OwnSecret::default(),
            unknown_members: UnknownMembers::default(),
            body: AnswerBody::new(body, Instant::now() + SCRIPTED, SCRIPTED, SCRIPTED),
        }
    }

    /// Whether the body is a stream of events.
    pub fn is_stream(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| {
            let kind = kind.trim_start().to_ascii_lowercase();
            kind.starts_with("text/event-stream")
        })
    }

    /// The headers that may go on to the client.
    pub fn passed_on(&self) -> HeaderMap {
        self.secret
            .strike_headers(headers::passed_on(&self.headers))
    }

    /// The target's own secret, to be struck out of what becomes an error.
    pub fn secret(&self) -> &OwnSecret {
        &self.secret
    }

    /// How the body is encoded, if it is: the bytes aren't what the target says then.
    pub(super) fn coding(&self) -> Option<String> {
        let plain = |word: &str| {
            let word = word.trim();
            word.is_empty()
                || ["identity", "chunked"]
                    .iter()
                    .any(|it| word.eq_ignore_ascii_case(it))
        };
        [header::CONTENT_ENCODING, header::TRANSFER_ENCODING]
            .into_iter()
            .find_map(|name| {
                let coded = |value: &&HeaderValue| {
                    !value
                        .to_str()
                        .is_ok_and(|words| words.split(',').all(plain))
                };
                let value = self.headers.get_all(&name).iter().find(coded)?;
                Some(format!(
                    "{name}: {}",
                    String::from_utf8_lossy(value.as_bytes())
                ))
            })
    }

    /// Waits for the body's first chunk and leaves it in place; `None` is an empty body. A caller that looks at the first
    /// chunk can still ask another target when the stream dies or begins with an error.
    ///
    /// # Errors
    /// When the body doesn't begin; another candidate may be tried then.
    pub async fn peek(&mut self) -> Result<Option<&Bytes>, Failure> {
        Ok(self.body.peek().await?)
    }

    /// The body, without status and headers.
    pub fn into_body(self) -> AnswerBody {
        self.body
    }

    /// Reads the whole body, of at most `cap` bytes, within this time from now. Each byte is charged before it is kept.
    ///
    /// # Errors
    /// When it is larger, doesn't end in time, or breaks off; or there is no memory for it.
    pub async fn whole(
        self,
        cap: usize,
        within: Duration,
        charge: &mut Charge,
    ) -> Result<Bytes, BodyError> {
        let declared = self.headers.get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| length > cap) {
            return Err(BodyError::TooLarge(cap));
        }
        timeout(within, self.body.whole(cap, charge))
            .await
            .map_err(|_| BodyError::Deadline(within))?
    }

    /// The error that this answer is. Even if none of its body arrives, the result has its status.
    pub async fn into_error(self, charge: &mut Charge) -> ApiError {
        let (headers, error) = self.said(ERROR_BODY_TIME, charge).await;
        error_answer(headers, error)
    }

    /// Reads the body of a failing target's answer, as [`Answer::into_error`] does.
    pub(super) async fn into_status_failure(self) -> Box<StatusFailure> {
        let status = self.status;
        // Of how many exchanges it can be is bounded, and so is each.
        let (headers, error) = self.said(FAILURE_BODY_TIME, &mut Charge::unbound()).await;
        Box::new(StatusFailure {
            status,
            headers,
            error,
        })
    }

    /// The headers that may go on, and what the body of an error says as far as it comes in time.
    async fn said(self, within: Duration, charge: &mut Charge) -> (HeaderMap, ErrorBody) {
        let (headers, coding) = (self.passed_on(), self.coding());
        let Answer {
            status,
            mut body,
            secret,
            ..
        } = self;
        let status = status.as_u16();
        if let Some(coding) = coding {
            return (headers, ErrorBody::coded(status, &coding, &secret));
        }
        let mut read = BytesMut::new();
        let reading = async {
            while let Some(Ok(chunk)) = body.next().await {
                let room = ERROR_BODY_CAP - read.len();
                let chunk = &chunk[..chunk.len().min(room)];
                if charge.grow(chunk.len()).is_err() {
                    break;
                }
                read.extend_from_slice(chunk);
                if read.len() == ERROR_BODY_CAP {
                    break;
                }
            }
        };
        // A body that is cut off by the timeout, or for want of memory, counts as far as it came.
        timeout(within, reading).await.ok();
        (headers, ErrorBody::parse(status, &read, &secret))
    }
}

/// The body of an answer: chunks as they come, none of them empty. Ends after the first error.
#[derive(Debug)]
pub struct AnswerBody {
    inner: Option<reqwest::Body>,
    peeked: Option<Bytes>,
    begun: bool,
    first_byte: (Instant, Duration),
    silence: Duration,
    /// When the present wait ends; `None` while no reader waits.
    limit: Option<Instant>,
    /// Armed for `limit` or earlier. It is moved only when it fires, so that a chunk costs no change of timers.
    timer: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    pub(super) fn new(
        body: reqwest::Body,
        deadline: Instant,
        first_byte: Duration,
        silence: Duration,
    ) -> Self {
        AnswerBody {
            inner: Some(body),
            peeked: None,
            begun: false,
            first_byte: (deadline, first_byte),
            silence,
            limit: None,
            timer: None,
        }
    }

    /// Waits for the first chunk and leaves it in place; `None` is an empty body, or one that has begun to be read.
    ///
    /// # Errors
    /// When it doesn't come.
    pub async fn peek(&mut self) -> Result<Option<&Bytes>, BodyError> {
        if self.peeked.is_none() && !self.begun {
            self.peeked = self.next().await.transpose()?;
        }
        Ok(self.peeked.as_ref())
    }

    pub(super) async fn whole(
        mut self,
        cap: usize,
        charge: &mut Charge,
    ) -> Result<Bytes, BodyError> {
        let mut charged = |chunk: &Bytes, room: usize| {
            if chunk.len() > room {
                return Err(BodyError::TooLarge(cap));
            }
            let grown = charge.grow(chunk.len());
            grown.map_err(|error| BodyError::NoMemory(Box::new(error)))
        };
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        charged(&first, cap)?;
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            charged(&chunk, cap - all.len())?;
            all.extend_from_slice(&chunk);
            next = self.next().await.transpose()?;
        }
        Ok(all.freeze())
    }

    fn poll_limit(&mut self, context: &mut Context<'_>) -> Poll<BodyError> {
        let limit = *self.limit.get_or_insert_with(|| {
            if self.begun {
                Instant::now() + self.silence
            } else {
                self.first_byte.0
            }
        });
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(limit)));
        if timer.deadline() > limit {
            timer.as_mut().reset(limit);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= limit {
                return Poll::Ready(if self.begun {
                    BodyError::Silence(self.silence)
                } else {
                    BodyError::FirstByteTimeout(self.first_byte.1)
                });
            }
            timer.as_mut().reset(limit);
        }
        Poll::Pending
    }
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(chunk) = self.peeked.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        loop {
            let Some(inner) = self.inner.as_mut() else {
                return Poll::Ready(None);
            };
            let error = match Pin::new(inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => {
                        self.begun = true;
                        self.limit = None;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    // Trailers and empty chunks don't end the wait.
                    _ => continue,
                },
                Poll::Ready(Some(Err(error))) => BodyError::Broken(sentence(&error.without_url())),
                Poll::Ready(None) => {
                    self.begun = true;
                    self.inner = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => match self.poll_limit(context) {
                    Poll::Ready(error) => error,
                    Poll::Pending => return Poll::Pending,
                },
            };
            // Nothing comes after an error, so the connection is dropped at once.
            self.begun = true;
            self.inner = None;
            return Poll::Ready(Some(Err(error)));
        }
    }
}
