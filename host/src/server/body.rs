//! Reading a request's body, within bounds of size, memory and time.
//!
//! What must stay true: no exchange waits here. A body that is slow has a place of its own, gives way when places are short, and ends
//! when it doesn't keep to the least rate.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::patience::Patience;
use super::reading::{Place, Reading, TooMany};
use crate::api::{ApiError, Charge, Party};

/// How large a request's body may be, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The most bytes that it may have.
    pub size: usize,
    /// How long it may take without keeping to the rate.
    pub grace: Duration,
    /// The least that must come after that, in bytes a second on the average.
    pub rate: u32,
    /// How long the client may send nothing, however fast it was before.
    pub silence: Duration,
    /// How long all of it may take.
    pub time: Duration,
}

impl Default for BodyLimits {
    /// 10 MiB; 5 s, and then 1 KiB a second; 15 s of silence, 120 s for all of it.
    fn default() -> Self {
        Self {
            size: 10 << 20,
            grace: Duration::from_secs(5),
            rate: 1 << 10,
            silence: Duration::from_secs(15),
            time: Duration::from_secs(120),
        }
    }
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestBodyError {
    /// The body has more bytes than it may have.
    #[error("The request's body is larger than the {limit} bytes that this gateway takes.")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body didn't arrive in time.
    #[error("The request's body did not arrive in time: it was sent too slowly.")]
    TooSlow,
    /// The body broke off, or its framing is wrong.
    #[error("The request's body could not be read: {0}.")]
    Broken(#[source] axum::Error),
    /// There was no place for it any more.
    #[error(
        "Too many bodies are being sent at once, and this one had been coming for the longest. Try again in a second."
    )]
    GaveWay,
    /// The caller sends more bodies at once than it may.
    #[error(
        "As many of your requests are being sent as one caller may have. Try again when one has arrived."
    )]
    TooMany,
    /// There is no memory for it.
    #[error(transparent)]
    NoMemory(ApiError),
}

impl RequestBodyError {
    /// Whether the client is still sending, and would see the answer only after that.
    pub(super) fn is_still_coming(&self) -> bool {
        !matches!(self, Self::TooSlow | Self::Broken(_))
    }
}

impl From<RequestBodyError> for ApiError {
    fn from(why: RequestBodyError) -> Self {
        let (status, kind, code) = match why {
            RequestBodyError::NoMemory(error) => return error,
            RequestBodyError::TooLarge { .. } => (413, INVALID, "request_too_large"),
            RequestBodyError::TooSlow => (408, INVALID, "request_timeout"),
            RequestBodyError::Broken(_) => (400, INVALID, "bad_body"),
            RequestBodyError::GaveWay => (503, "overloaded", "overloaded"),
            RequestBodyError::TooMany => (429, "overloaded", "share_taken"),
        };
        let status = StatusCode::from_u16(status).expect("each of them is a status");
        let error = Self::new(status, kind, code, why.to_string()).param("body");
        if kind == INVALID {
            error
        } else {
            error.retry_after(1)
        }
    }
}

/// After so much of a body, in bytes, others have their turn, however much of it is there already.
const STEP: usize = 128 << 10;

const INVALID: &str = "invalid_request_error";

/// Reads the body of one request.
pub(super) struct Reader<'a> {
    limits: BodyLimits,
    reading: &'a Reading,
    party: &'a Party,
    charge: &'a mut Charge,
    patience: Patience,
    deadline: Instant,
    place: Option<Place>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        limits: BodyLimits,
        reading: &'a Reading,
        party: &'a Party,
        charge: &'a mut Charge,
    ) -> Self {
        Self {
            limits,
            reading,
            party,
            charge,
            patience: Patience::new(limits.grace, limits.silence, limits.rate),
            deadline: Instant::now() + limits.time,
            place: None,
        }
    }

    /// Reads all of a body. A body that arrived in one piece is not copied.
    ///
    /// # Errors
    ///
    /// See [`RequestBodyError`]; its [`ApiError`] is what the client is told. A body whose `content-length` is too large is refused
    /// before it is read.
    pub(super) async fn read(mut self, body: &mut Body) -> Result<Bytes, RequestBodyError> {
        let limit = self.limits.size;
        if body.size_hint().lower() > limit as u64 {
            return Err(RequestBodyError::TooLarge { limit });
        }
        let Some(first) = self.next(body, limit).await? else {
            return Ok(Bytes::new());
        };
        if body.is_end_stream() {
            return Ok(first);
        }
        // `content-length` says how much is left to come, and was checked against the limit. Nothing else that a client says decides
        // how much is reserved.
        let rest = usize::try_from(body.size_hint().lower()).unwrap_or(0);
        let mut whole = BytesMut::with_capacity((first.len() + rest).min(limit));
        whole.extend_from_slice(&first);
        drop(first);
        let mut step = 0;
        while let Some(piece) = self.next(body, limit - whole.len()).await? {
            whole.extend_from_slice(&piece);
            step += piece.len();
            if step >= STEP {
                step = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(whole.freeze())
    }

    /// The next piece that isn't empty, or the end. It is charged by then.
    async fn next(
        &mut self,
        body: &mut Body,
        room: usize,
    ) -> Result<Option<Bytes>, RequestBodyError> {
        loop {
            let frame = match body.frame().now_or_never() {
                Some(frame) => frame,
                None => self.wait(body).await?,
            };
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(RequestBodyError::Broken)?;
            match frame.into_data() {
                Ok(data) if data.len() > room => {
                    let limit = self.limits.size;
                    return Err(RequestBodyError::TooLarge { limit });
                }
                Ok(data) if !data.is_empty() => {
                    self.patience.took(data.len() as u64);
                    let charged = self.charge.grow(data.len());
                    charged.map_err(RequestBodyError::NoMemory)?;
                    return Ok(Some(data));
                }
                _ => {} // Nobody needs trailers.
            }
        }
    }

    /// Waits for the next frame, in a place of its own.
    async fn wait(&mut self, body: &mut Body) -> Result<NextFrame, RequestBodyError> {
        let place = match &mut self.place {
            Some(place) => place,
            none => {
                let place = self.reading.begin(self.party);
                none.insert(place.map_err(|TooMany| RequestBodyError::TooMany)?)
            }
        };
        let began = Instant::now();
        let until = self.deadline.min(began + self.patience.left());
        let frame = tokio::select! {
            biased;
            frame = body.frame() => Ok(frame),
            () = place.given_away() => Err(RequestBodyError::GaveWay),
            () = sleep_until(until) => Err(RequestBodyError::TooSlow),
        };
        self.patience.waited(began.elapsed());
        frame
    }
}

type NextFrame = Option<Result<http_body::Frame<Bytes>, axum::Error>>;

/// How much of an unwanted body is read, and for how long.
const DISCARD_BYTES: usize = 32 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads on for a while and throws the bytes away. A client that is still sending doesn't look for an answer, and a connection
/// that is closed on unread bytes is reset, so the client might never see the answer.
pub(super) async fn discard(body: &mut Body) {
    let all = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(size) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    // The answer goes out whether the body has ended or not.
    let _ = timeout(DISCARD_TIME, all).await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::convert::Infallible;

    use futures_util::stream::{self, StreamExt};
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use crate::api::{Memory, Share};

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        size: 8,
        grace: Duration::from_secs(2),
        rate: 2,
        silence: Duration::from_secs(2),
        time: Duration::from_secs(5),
    };

    async fn read_body(body: Body, limits: BodyLimits) -> Result<Bytes, RequestBodyError> {
        read_in(&Reading::new(1, Share(100), Gauge::default()), body, limits).await
    }

    async fn read_in(
        reading: &Reading,
        mut body: Body,
        limits: BodyLimits,
    ) -> Result<Bytes, RequestBodyError> {
        let mut charge = Charge::unbound();
        let reader = Reader::new(limits, reading, &Party::Anyone, &mut charge);
        reader.read(&mut body).await
    }

    /// A body of pieces, each after that many seconds.
    fn paced(pieces: &'static [(u64, &'static str)]) -> Body {
        let pieces = stream::iter(pieces).then(|(wait, piece)| async {
            tokio::time::sleep(Duration::from_secs(*wait)).await;
            Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes()))
        });
        Body::from_stream(pieces)
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_become_one_body() {
        let body = paced(&[(0, "ab"), (1, ""), (1, "cd"), (1, "efgh")]);
        assert_eq!(read_body(body, LIMITS).await.unwrap(), "abcdefgh");
        assert_eq!(read_body(Body::empty(), LIMITS).await.unwrap(), "");
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let bytes = Bytes::from_static(b"12345678");
        let read = read_body(Body::from(bytes.clone()), LIMITS).await.unwrap();
        assert_eq!(read.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn a_body_that_is_all_there_lets_others_have_their_turn() {
        let size = 64 << 10;
        let pieces = vec![Ok::<_, Infallible>(Bytes::from(vec![b'a'; size])); 40];
        let limits = BodyLimits {
            size: 40 * size,
            ..LIMITS
        };
        let reading = Reading::new(0, Share(100), Gauge::default());
        let body = Body::from_stream(stream::iter(pieces));
        let mut read = std::pin::pin!(read_in(&reading, body, limits));
        let mut steps = 0;
        let read = std::future::poll_fn(|cx| {
            steps += 1;
            read.as_mut().poll(cx)
        });
        assert_eq!(read.await.unwrap().len(), 40 * size);
        assert!(steps >= 40 * size / STEP, "{steps}");
    }

    #[tokio::test]
    async fn too_many_bytes_are_a_413_declared_or_not() {
        for body in [Body::from("123456789"), paced(&[(0, "12345"), (0, "6789")])] {
            let error = ApiError::from(read_body(body, LIMITS).await.unwrap_err());
            assert_eq!(error.status, 413);
            assert_eq!(error.code, "request_too_large");
            assert!(error.message.contains("8 bytes"), "{}", error.message);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_408() {
        let error = read_body(paced(&[(0, "a"), (3, "b")]), LIMITS).await;
        let error = ApiError::from(error.unwrap_err());
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (408, "request_timeout")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_a_408_too() {
        let body = paced(&[(1, "a"), (1, "b"), (1, "c"), (1, "d"), (1, "e"), (1, "f")]);
        let start = Instant::now();
        let error = read_body(body, LIMITS).await.unwrap_err();
        assert!(matches!(error, RequestBodyError::TooSlow), "{error}");
        // Two seconds of grace, and half a second for each of the three bytes that came by then.
        assert_eq!(start.elapsed(), Duration::from_millis(3500));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_keeps_to_the_rate_has_its_time_and_no_more() {
        let limits = BodyLimits {
            size: 100,
            ..LIMITS
        };
        let pieces: &[_] = &[(1, "ab"); 4];
        assert_eq!(read_body(paced(pieces), limits).await.unwrap().len(), 8);
        let start = Instant::now();
        let error = read_body(paced(&[(1, "ab"); 9]), limits).await.unwrap_err();
        assert!(matches!(error, RequestBodyError::TooSlow), "{error}");
        assert_eq!(start.elapsed(), LIMITS.time);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_dribbles_gives_way_to_the_next() {
        let reading = Reading::new(1, Share(100), Gauge::default());
        let dribbled = read_in(&reading, paced(&[(1, "a"), (1, "b")]), LIMITS);
        let prompt = async {
            tokio::task::yield_now().await;
            read_in(&reading, paced(&[(0, ""), (1, "ab")]), LIMITS).await
        };
        let (dribbled, prompt) = tokio::join!(dribbled, prompt);
        let error = ApiError::from(dribbled.unwrap_err());
        assert_eq!((error.status.as_u16(), error.retry_after), (503, Some(1)));
        assert_eq!(prompt.unwrap(), "ab");
    }

    #[tokio::test]
    async fn a_body_that_is_there_takes_no_place() {
        let reading = Reading::new(0, Share(100), Gauge::default());
        let read = read_in(&reading, Body::from("12345678"), LIMITS).await;
        assert_eq!(read.unwrap(), "12345678");
    }

    #[tokio::test]
    async fn what_came_is_charged_before_it_is_kept() {
        let used = Gauge::default();
        let memory = Memory::new(40, Share(100), used.clone(), Counter::default());
        let mut charge = memory.charge(&Party::Anyone);
        let reading = Reading::new(1, Share(100), Gauge::default());
        let reader = Reader::new(LIMITS, &reading, &Party::Anyone, &mut charge);
        reader.read(&mut Body::from("12345678")).await.unwrap();
        assert_eq!(used.get(), 32);
        let reader = Reader::new(LIMITS, &reading, &Party::Anyone, &mut charge);
        let error = reader.read(&mut Body::from("123")).await.unwrap_err();
        assert!(matches!(error, RequestBodyError::NoMemory(_)), "{error}");
        drop(charge);
        assert_eq!(used.get(), 0);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_400() {
        let pieces = [
            Ok(Bytes::from_static(b"{")),
            Err(std::io::Error::other("gone")),
        ];
        let body = Body::from_stream(stream::iter(pieces));
        let error = ApiError::from(read_body(body, LIMITS).await.unwrap_err());
        assert_eq!((error.status.as_u16(), &*error.code), (400, "bad_body"));
    }
}
