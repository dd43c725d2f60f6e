//! Connections to targets, kept and new.
//!
//! A server closes a connection that is idle for long, and may do so just as the next request comes. Whoever sends on a kept connection
//! can't tell that from a server that is broken: but it is the connection's fault, so that request goes once more, on a new connection
//! (see [`RetryPolicy`](super::RetryPolicy)). For that two things must be known: whether the connection was a kept one, and that
//! the next is not.
//!
//! Over HTTP/2 the client has one connection for all requests, and a server lets only so many run on it; further ones would wait in the
//! client, unseen, for streams to end. So there are several clients, each with its connection. The first with room is taken.

use super::client::{CONNECTION_WINDOW, STREAM_WINDOW, TooLong};
use super::connector::Connector;
use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// How long an idle connection is kept. Common servers close theirs after 5 s (uvicorn, Node), others later: so that it is nearly always us
/// who close it.
const IDLE: Duration = Duration::from_secs(4);

/// Which connection a request goes out on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Connection {
    /// A kept one where there is any.
    Kept,
    /// One that is made for this request, which was first sent then.
    New(Instant),
}

impl Connection {
    /// When the request was first sent: its time for the first byte counts from there.
    pub(super) fn since(self) -> Instant {
        match self {
            Connection::Kept => Instant::now(),
            Connection::New(since) => since,
        }
    }
}

/// How many clients keep connections where HTTP/2 may be spoken.
pub(super) const KEPT_CLIENTS: usize = 8;

/// How many requests run with one client before the next is taken: as many as every server should let run on a connection (RFC 9113, 6.5.2).
const AT_ONCE: usize = 100;

/// Clients that keep their connections, and one that makes a new one for each request. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    kept: Arc<[KeptClient]>,
    new: Client<Connector, Full<Bytes>>,
    connector: Connector,
}

/// A client that keeps its connections.
#[derive(Debug)]
struct KeptClient {
    client: Client<Connector, Full<Bytes>>,
    running: Arc<AtomicUsize>,
}

/// A request among those that its client counts. It is kept until the answer's last byte, among the answer's extensions.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    _counted: Arc<Counted>,
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl KeptClient {
    fn enter(&self) -> InFlight {
        self.running.fetch_add(1, Relaxed);
        InFlight {
            _counted: Arc::new(Counted(Arc::clone(&self.running))),
        }
    }
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) error: legacy::Error,
    /// The connection was a kept one, and the target closed it without an answer.
    pub(super) closed: bool,
}

impl NoAnswer {
    /// A connection could not be made in time.
    pub(super) fn took_too_long(&self) -> bool {
        causes(&self.error).any(|cause| cause.is::<TooLong>())
    }
}

tokio::task_local! {
    /// Whether a connection was made for the request that is being sent.
    pub(super) static MADE: Cell<bool>;
}

impl Connections {
    /// So many clients that keep the connections that `connector` makes.
    pub(super) fn new(clients: usize, connector: Connector) -> Connections {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            // A connection that died unnoticed would take every request that shares it along.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10));
        let kept = |_| KeptClient {
            client: builder.build(connector.clone()),
            running: Arc::default(),
        };
        let kept = (0..clients).map(kept).collect();
        let new = builder.pool_max_idle_per_host(0).build(connector.clone());
        Connections {
            kept,
            new,
            connector,
        }
    }

    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        on: Connection,
    ) -> Result<Response<Incoming>, NoAnswer> {
        if let Some(shown) = self.connector.proxy_authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, shown);
        }
        if let Connection::New(_) = on {
            let sent = self.new.request(request).await;
            return sent.map_err(|error| NoAnswer {
                error,
                closed: false,
            });
        }
        let kept = self.kept();
        let in_flight = kept.enter();
        let send = async {
            let sent = kept.client.request(request).await;
            let made = MADE.with(Cell::get);
            sent.map_err(|error| NoAnswer {
                closed: !made && was_closed(&error) || was_not_taken(&error),
                error,
            })
        };
        let mut sent = MADE.scope(Cell::new(false), send).await;
        if let Ok(response) = &mut sent {
            response.extensions_mut().insert(in_flight);
        }
        sent
    }

    /// The first client with room. Where none has any, the one with the fewest requests.
    fn kept(&self) -> &KeptClient {
        let running = |kept: &&KeptClient| kept.running.load(Relaxed);
        let free = self.kept.iter().find(|kept| running(kept) < AT_ONCE);
        let kept = free.or_else(|| self.kept.iter().min_by_key(running));
        kept.expect("there is one at least")
    }
}

/// Whether an HTTP/2 server says that it hasn't looked at the request: it is about to close the connection, or has no room for more streams.
fn was_not_taken(error: &legacy::Error) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<h2::Error>().is_some_and(|error| {
            let reason = error.reason();
            error.is_remote()
                && (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
                    || error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
        })
    })
}

/// Whether the connection was closed before an answer began. Of HTTP/2 it is never said: there the server tells which requests it has
/// not looked at.
fn was_closed(error: &legacy::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            let closed = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected];
            return closed.contains(&error.kind());
        }
    }
    false
}

/// What is behind an error, one behind the other.
fn causes(error: &legacy::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
