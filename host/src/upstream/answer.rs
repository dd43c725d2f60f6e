//! A target's answer: status and headers at once, the body as it comes. The file is long because the body is of no use without its head.
//!
//! The body is never buffered here beyond its beginning, as far as that was waited for. Time counts only while a reader waits for the
//! target, not while a slow client keeps the body from being read. Dropping the body closes the stream to the target.

use super::beginning::{Begins, ReadsBeginning};
use super::candidates::Candidate;
use super::client_error::error_answer;
use super::connections::InFlight;
use super::error_body::ErrorBody;
use super::failure::{BodyError, Failure, StatusFailure, sentence};
use super::headers;
use super::health::Attempt;
use super::keys::KeyUse;
use super::target::Target;
use crate::api::headers::DROPPED;
use crate::api::{ApiError, Charge};
use crate::config::UnknownMembers;
use crate::metrics::TargetMetrics;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, StreamBody};
use hyper::body::Incoming;
use smallvec::SmallVec;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, timeout};
use witgate_own_secret::OwnSecret;

/// The largest whole answer, in bytes.
pub const WHOLE_BODY_CAP: usize = 64 << 20;

/// The most that is read of the body of an error, in bytes.
const ERROR_BODY_CAP: usize = 64 << 10;

/// How long to wait for the body of an error, at most.
const ERROR_BODY_TIME: Duration = Duration::from_secs(60);

/// The same of a failure. A short time, because the next target can only be tried afterwards.
const FAILURE_BODY_TIME: Duration = Duration::from_secs(5);

/// So much of a stream may be waited through before its first content, in bytes.
const LONGEST_BEGINNING: usize = 64 << 10;

/// The time limits of an answer that no target makes. It is there at once, so they are never reached.
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
    /// What of the request didn't go to the target, for the client.
    pub(super) dropped: Option<HeaderValue>,
    body: AnswerBody,
}

impl Answer {
    pub(super) fn new(
        response: Response<Incoming>,
        target: &Target,
        model: Arc<str>,
        asked: Instant,
    ) -> Answer {
        Answer::of(response.map(Either::Left), target, model, asked)
    }

    fn of(
        response: Response<ComingBody>,
        target: &Target,
        model: Arc<str>,
        asked: Instant,
    ) -> Answer {
        let (mut parts, body) = response.into_parts();
        let timeouts = target.timeouts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            target: target.shared_id(),
            model,
            metrics: target.metrics().clone(),
            secret: target.secret().clone(),
            unknown_members: target.unknown_members(),
            dropped: None,
            body: AnswerBody {
                _in_flight: parts.extensions.remove(),
                ..AnswerBody::new(
                    body,
                    asked + timeouts.first_token,
                    timeouts.first_token,
                    timeouts.silence,
                )
                .within(asked, timeouts.total)
            },
        }
    }

    /// What a target would say of a request that isn't sent to it for that.
    pub(super) fn refused(candidate: &Candidate, error: &ApiError) -> Answer {
        let body = Response::new(script([Ok::<_, Infallible>(error.to_json().into())]));
        let target = candidate.target();
        let first_byte = Instant::now() + SCRIPTED;
        let mut answer = Answer::of(body, target, candidate.model().into(), first_byte);
        answer.status = error.status;
        answer
    }

    /// An answer of a script, in place of a target's. It isn't counted in any metric.
    pub fn scripted(
        target: &str,
        model: &str,
        content_type: HeaderValue,
        body: Vec<Bytes>,
    ) -> Answer {
        let body = script(body.into_iter().map(Ok::<_, Infallible>));
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]),
            target: target.into(),
            model: model.into(),
            metrics: Arc::new(TargetMetrics::unregistered()),
            secret: OwnSecret::default(),
            unknown_members: UnknownMembers::default(),
            dropped: None,
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
        let passed_on = headers::passed_on(&self.headers);
        let mut passed_on = self.secret.strike_headers(passed_on);
        passed_on.extend(self.dropped.clone().map(|dropped| (DROPPED, dropped)));
        passed_on
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

    /// Where a stream's first content is, `reads` knows. Without it the first bytes are.
    pub(super) fn begins_by(&mut self, reads: ReadsBeginning) {
        self.body.begins_by(reads);
    }

    /// Waits for the first content, or an end, and leaves everything in place. A caller that waits can still ask another target when the stream dies or
    /// begins with an error: that is returned, if it does.
    ///
    /// # Errors
    /// When the body doesn't begin; another candidate may be tried then.
    pub async fn begin(&mut self) -> Result<Option<Bytes>, Failure> {
        Ok(self.body.begin().await?)
    }

    /// What becomes of the rest of it counts for the target, or against it.
    pub(super) fn watched(mut self, mut attempt: Attempt) -> Answer {
        if self.body.begun {
            attempt.first_token();
        }
        self.body.attempt = Some(attempt);
        self
    }

    /// What becomes of the rest of it counts for the key that it was asked for with, or against it.
    pub(super) fn sent_with(mut self, used: Option<KeyUse>) -> Answer {
        if let Some(used) = &used {
            used.answered(&self.headers);
            if self.body.begun {
                used.first_token();
            }
        }
        self.body.key = used;
        self
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

/// The bytes of an answer: the target's, or a script's.
pub(super) type ComingBody = Either<Incoming, UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>>;

/// The body that such a stream is.
pub(super) fn streamed<E>(
    stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> ComingBody
where
    E: Error + Send + Sync + 'static,
{
    let body = StreamBody::new(stream.map(|piece| piece.map(Frame::data)));
    Either::Right(UnsyncBoxBody::new(body.map_err(|error| Box::from(error))))
}

fn script<E, I>(pieces: I) -> ComingBody
where
    E: Error + Send + Sync + 'static,
    I: IntoIterator<Item = Result<Bytes, E>, IntoIter: Send + 'static>,
{
    streamed(futures_util::stream::iter(pieces))
}

/// The body of an answer: chunks as they come, none of them empty. Ends after the first error.
#[derive(Debug)]
pub struct AnswerBody {
    inner: Option<ComingBody>,
    /// What came while its beginning was waited for.
    kept: SmallVec<[Bytes; 2]>,
    /// Something was said, or nothing more will be.
    begun: bool,
    /// Tells content from what comes before it. `None`: all is content.
    reads: Option<ReadsBeginning>,
    attempt: Option<Attempt>,
    key: Option<KeyUse>,
    first_token: (Instant, Duration),
    silence: Duration,
    /// When all of it must be there, if it must.
    total: Option<(Instant, Duration)>,
    /// When the present wait ends; `None` while no reader waits.
    limit: Option<Instant>,
    /// Armed for `limit` or earlier. It is moved only when it fires, so that a chunk costs no change of timers.
    timer: Option<Pin<Box<Sleep>>>,
    /// It is in flight until this is dropped.
    _in_flight: Option<InFlight>,
}

/// A chunk of a body.
struct Chunk {
    bytes: Bytes,
    /// What it says, where that is an error in place of any content.
    error: Option<Bytes>,
}

impl AnswerBody {
    pub(super) fn new(
        body: ComingBody,
        deadline: Instant,
        first_token: Duration,
        silence: Duration,
    ) -> Self {
        AnswerBody {
            inner: Some(body),
            kept: SmallVec::new(),
            begun: false,
            reads: None,
            attempt: None,
            key: None,
            first_token: (deadline, first_token),
            silence,
            total: None,
            limit: None,
            timer: None,
            _in_flight: None,
        }
    }

    /// All of it must be there so long after the request was sent. It is noticed while a reader waits.
    pub(super) fn within(mut self, asked: Instant, total: Duration) -> Self {
        self.total = Some((asked + total, total));
        self
    }

    /// Where its content begins, `reads` knows.
    pub(super) fn begins_by(&mut self, reads: ReadsBeginning) {
        self.reads = Some(reads);
    }

    /// Waits until something is said, and leaves all that came in place. An error in place of any content is returned.
    ///
    /// # Errors
    /// When nothing is said in time, or the body breaks off.
    pub async fn begin(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut bytes: usize = self.kept.iter().map(Bytes::len).sum();
        while !self.begun && bytes < LONGEST_BEGINNING {
            let Chunk {
                bytes: chunk,
                error,
            } = match poll_fn(|context| self.poll_chunk(context)).await {
                Some(chunk) => chunk?,
                None => break,
            };
            bytes += chunk.len();
            self.kept.push(chunk);
            if error.is_some() {
                return Ok(error);
            }
        }
        Ok(None)
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
            let wait = if self.begun {
                Instant::now() + self.silence
            } else {
                self.first_token.0
            };
            self.total.map_or(wait, |(end, _)| wait.min(end))
        });
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(limit)));
        if timer.deadline() > limit {
            timer.as_mut().reset(limit);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= limit {
                return Poll::Ready(match self.total {
                    Some((end, total)) if end <= limit => BodyError::Deadline(total),
                    _ if self.begun => BodyError::Silence(self.silence),
                    _ => BodyError::FirstTokenTimeout(self.first_token.1),
                });
            }
            timer.as_mut().reset(limit);
        }
        Poll::Pending
    }

    /// The next chunk from the target.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Chunk, BodyError>>> {
        loop {
            let Some(inner) = self.inner.as_mut() else {
                return Poll::Ready(None);
            };
            let error = match Pin::new(inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => {
                        let error = if self.begun { None } else { self.look(&chunk) };
                        self.limit = None;
                        let bytes = chunk;
                        return Poll::Ready(Some(Ok(Chunk { bytes, error })));
                    }
                    // Trailers and empty chunks don't end the wait.
                    _ => continue,
                },
                Poll::Ready(Some(Err(error))) => BodyError::Broken(sentence(&*error)),
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
            if let Some(attempt) = &mut self.attempt {
                attempt.failed();
            }
            self.begun = true;
            self.inner = None;
            return Poll::Ready(Some(Err(error)));
        }
    }

    /// Looks for the first content in a chunk, and for an error in its place.
    fn look(&mut self, chunk: &Bytes) -> Option<Bytes> {
        let error = match self.reads.as_mut().map(|reads| reads.read(chunk)) {
            Some(Begins::NotYet) => return None,
            Some(Begins::Error(error)) => Some(error),
            Some(Begins::Content) | None => None,
        };
        self.begun = true;
        self.reads = None;
        if let Some(attempt) = &mut self.attempt {
            attempt.first_token();
        }
        if let Some(key) = &self.key {
            key.first_token();
        }
        error
    }
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.kept.is_empty() {
            return Poll::Ready(Some(Ok(self.kept.remove(0))));
        }
        let chunk = self.poll_chunk(context);
        chunk.map(|chunk| chunk.map(|chunk| chunk.map(|chunk| chunk.bytes)))
    }
}
