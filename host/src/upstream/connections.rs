//! Connections to targets, kept and new.
//!
//! A server closes a connection that is idle for long, and may do so just as the next request comes. Whoever sends on a kept connection
//! can't tell that from a server that is broken: but it is the connection's fault, so that request goes once more, on a new connection
//! (see [`RetryPolicy`](super::RetryPolicy)). For that two things must be known: whether the connection was a kept one, and that
//! the next is not.
//!
//! Over HTTP/2 the client has one connection for all requests, and a server lets only so many run on it; further ones would wait in the
//! client, unseen, for streams to end. So there are several clients, each with its connection. The first with room is taken.

use reqwest::ClientBuilder;
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

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
    new: reqwest::Client,
}

/// A client that keeps its connections.
#[derive(Debug)]
struct KeptClient {
    client: reqwest::Client,
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
    pub(super) error: reqwest::Error,
    /// The connection was a kept one, and the target closed it without an answer.
    pub(super) closed: bool,
}

tokio::task_local! {
    /// Whether a connection was made for the request that is being sent.
    static MADE: Cell<bool>;
}

impl Connections {
    /// `builder` makes a builder with all other settings.
    pub(super) fn new(
        clients: usize,
        builder: impl Fn() -> ClientBuilder,
    ) -> reqwest::Result<Connections> {
        let kept = |_| {
            let builder = builder().pool_idle_timeout(IDLE).connector_layer(Noticed);
            let (client, running) = (builder.build()?, Arc::default());
            Ok(KeptClient { client, running })
        };
        Ok(Connections {
            kept: (0..clients).map(kept).collect::<reqwest::Result<_>>()?,
            new: builder().pool_max_idle_per_host(0).build()?,
        })
    }

    pub(super) async fn send(
        &self,
        request: reqwest::Request,
        on: Connection,
    ) -> Result<reqwest::Response, NoAnswer> {
        if let Connection::New(_) = on {
            let sent = self.new.execute(request).await;
            return sent.map_err(|error| NoAnswer {
                error,
                closed: false,
            });
        }
        let kept = self.kept();
        let in_flight = kept.enter();
        let send = async {
            let sent = kept.client.execute(request).await;
            let made = MADE.with(Cell::get);
            sent.map_err(|error| NoAnswer {
                closed: !made && was_closed(&error),
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

/// Whether the connection was closed before an answer began. Of HTTP/2 it is never said: there the server tells which requests it has
/// not looked at, and those are sent again below here.
fn was_closed(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
            let closed = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected];
            return closed.contains(&error.kind());
        }
        cause = error.source();
    }
    false
}

/// Notes when a connection was made, where a request waits for it.
#[derive(Clone, Copy)]
struct Noticed;

/// A connector that notes what it made.
#[derive(Clone)]
struct Noticing<C>(C);

impl<C> Layer<C> for Noticed {
    type Service = Noticing<C>;

    fn layer(&self, connector: C) -> Noticing<C> {
        Noticing(connector)
    }
}

impl<C, A> Service<A> for Noticing<C>
where
    C: Service<A>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: A) -> Self::Future {
        let connecting = self.0.call(address);
        Box::pin(async move {
            let made = connecting.await?;
            // One that is made for the pool, after the request has found another, is nobody's.
            MADE.try_with(|it| it.set(true)).ok();
            Ok(made)
        })
    }
}
