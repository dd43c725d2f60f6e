//! What a connection is waiting for, and how long it may.
//!
//! The HTTP library has one timer for a request's head, and an idle connection falls under it too: a limit short
//! enough against slow heads would close the idle connections that clients keep in their pools. It has none for a
//! client that doesn't read. So the connection's bytes are watched here, and each phase has a limit of its own.
//!
//! What must stay true: every flag is changed inside a poll of the connection, so reading them after that poll shows
//! where the connection stands.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ServerSettings;
use super::patience::Patience;

/// The phase of a connection. Two values that differ are two waits, each with the whole of its limit. A request can come
/// and be answered within one poll, so the numbers tell one wait from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request's head is awaited, after this many requests. A new connection begins in this phase, because it must send a
    /// head soon.
    Head(u64),
    /// The connection is idle, after this many requests.
    Idle(u64),
    /// A request is being served. Its limits are the exchange's.
    Busy,
    /// The client has taken this many bytes, and doesn't take the next.
    Stuck(u64),
}

impl Phase {
    /// How long a connection may stay in this phase. `patience` is what the client has left where it must take an answer.
    pub(super) fn limit(self, settings: &ServerSettings, patience: &Patience) -> Option<Duration> {
        match self {
            Self::Head(_) => Some(settings.head_timeout),
            Self::Idle(_) => Some(settings.idle_timeout),
            Self::Busy => None,
            Self::Stuck(_) => Some(patience.left()),
        }
    }

    /// Whether the client has asked for nothing.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Head(_) | Self::Idle(_))
    }
}

/// The state of a connection, as its reads and writes show it.
#[derive(Debug)]
pub(super) struct Activity {
    busy: AtomicBool,
    /// Whether a part of the next head was read.
    head: AtomicBool,
    served: AtomicU64,
    stuck: AtomicBool,
    written: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            busy: AtomicBool::new(false),
            head: AtomicBool::new(true),
            served: AtomicU64::new(0),
            stuck: AtomicBool::new(false),
            written: AtomicU64::new(0),
        })
    }

    /// The present phase of the connection.
    pub(super) fn phase(&self) -> Phase {
        if self.stuck.load(Relaxed) {
            Phase::Stuck(self.written.load(Relaxed))
        } else if self.busy.load(Relaxed) {
            Phase::Busy
        } else if self.head.load(Relaxed) {
            Phase::Head(self.served.load(Relaxed))
        } else {
            Phase::Idle(self.served.load(Relaxed))
        }
    }

    /// How many bytes the client has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Notes that a request's head is complete. Dropping the guard marks the end of its answer.
    pub(super) fn begin(self: &Arc<Self>) -> Serving {
        self.busy.store(true, Relaxed);
        Serving(Arc::clone(self))
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Ready(Ok(n)) => {
                self.written.fetch_add(*n as u64, Relaxed);
                self.stuck.store(false, Relaxed);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.stuck.store(true, Relaxed),
        }
    }
}

/// Marks a connection as busy for as long as it lives.
#[derive(Debug)]
pub(super) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.head.store(false, Relaxed);
        self.0.served.fetch_add(1, Relaxed);
        self.0.busy.store(false, Relaxed);
    }
}

/// A connection whose reads and writes are noted in its [`Activity`].
#[derive(Debug)]
pub(super) struct MonitoredIo<T> {
    io: T,
    seen: Arc<Activity>,
}

impl<T> MonitoredIo<T> {
    pub(super) fn new(io: T, seen: Arc<Activity>) -> Self {
        Self { io, seen }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for MonitoredIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before && !self.seen.busy.load(Relaxed) {
            self.seen.head.store(true, Relaxed);
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for MonitoredIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.seen.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.seen.wrote(&result);
        result
    }

    /// This must be the socket's own answer, or hyper would copy head and first frame into one buffer.
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// An answer's body. Its connection is busy until it ends.
#[derive(Debug)]
pub(super) struct ServingBody {
    body: Body,
    _serving: Serving,
}

impl ServingBody {
    pub(super) fn new(body: Body, serving: Serving) -> Self {
        Self {
            body,
            _serving: serving,
        }
    }
}

impl HttpBody for ServingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
