//! Reading a request's body, within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::api::ApiError;

/// How large a request's body may be, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The most bytes that it may have.
    pub size: usize,
    /// How long the client may send nothing.
    pub silence: Duration,
    /// How long all of it may take.
    pub time: Duration,
}

impl Default for BodyLimits {
    /// 10 MiB, 15 s of silence, 120 s for all of it.
    fn default() -> Self {
        Self {
            size: 10 << 20,
            silence: Duration::from_secs(15),
            time: Duration::from_secs(120),
        }
    }
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The body has more bytes than it may have.
    #[error("The request's body is larger than the {limit} bytes that this gateway takes.")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body didn't arrive in time.
    #[error("The request's body did not arrive in time.")]
    TooSlow,
    /// The body broke off, or its framing is wrong.
    #[error("The request's body could not be read: {0}.")]
    Broken(#[source] axum::Error),
}

impl From<RequestBodyError> for ApiError {
    fn from(why: RequestBodyError) -> Self {
        let (status, code) = match why {
            RequestBodyError::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large")
            }
            RequestBodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            RequestBodyError::Broken(_) => (StatusCode::BAD_REQUEST, "bad_body"),
        };
        let kind = "invalid_request_error";
        Self::new(status, kind, code, why.to_string()).param("body")
    }
}

/// Reads all of a body. A body that arrived in one piece is not copied.
///
/// # Errors
///
/// See [`RequestBodyError`]; its [`ApiError`] is a 413, 408 or 400. A body whose `content-length` is too large is refused
/// before it is read.
pub async fn read_body(mut body: Body, limits: BodyLimits) -> Result<Bytes, RequestBodyError> {
    let limit = limits.size;
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        discard(&mut body).await;
        return Err(RequestBodyError::TooLarge { limit });
    }

    let deadline = Instant::now() + limits.time;
    let Some(first) = next(&mut body, limits.silence, deadline).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        discard(&mut body).await;
        return Err(RequestBodyError::TooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(first);
    }

    // `content-length` says how much is left to come, and was checked against the limit. Nothing else that a client says decides
    // how much is reserved.
    let rest = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let mut whole = BytesMut::with_capacity((first.len() + rest).min(limit));
    whole.extend_from_slice(&first);
    while let Some(piece) = next(&mut body, limits.silence, deadline).await? {
        if whole.len() + piece.len() > limit {
            discard(&mut body).await;
            return Err(RequestBodyError::TooLarge { limit });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// The next piece that isn't empty, or the end.
async fn next(
    body: &mut Body,
    silence: Duration,
    deadline: Instant,
) -> Result<Option<Bytes>, RequestBodyError> {
    loop {
        let until = deadline.min(Instant::now() + silence);
        let frame = match timeout_at(until, body.frame()).await {
            Err(_) => return Err(RequestBodyError::TooSlow),
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => frame.map_err(RequestBodyError::Broken)?,
        };
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            _ => {} // Nobody needs trailers.
        }
    }
}

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

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        size: 8,
        silence: Duration::from_secs(2),
        time: Duration::from_secs(5),
    };

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
        let error = read_body(body, LIMITS).await.unwrap_err();
        assert!(matches!(error, RequestBodyError::TooSlow), "{error}");
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
