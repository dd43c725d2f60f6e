//! Connections to targets, kept and new.
//!
//! A server closes a connection that is idle for long, and may do so just as the next request comes. Whoever sends on a kept connection
//! can't tell that from a server that is broken: but it is the connection's fault, so that request goes once more, on a new connection
//! (see [`RetryPolicy`](super::RetryPolicy)). For that two things must be known: whether the connection was a kept one, and that
//! the next is not.

use reqwest::ClientBuilder;
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
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

/// A client that keeps its connections, and one that makes a new one for each request. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    kept: reqwest::Client,
    new: reqwest::Client,
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
    pub(super) fn new(builder: impl Fn() -> ClientBuilder) -> reqwest::Result<Connections> {
        Ok(Connections {
            kept: builder()
                .pool_idle_timeout(IDLE)
                .connector_layer(Noticed)
                .build()?,
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
        let send = async {
            let sent = self.kept.execute(request).await;
            let made = MADE.with(Cell::get);
            sent.map_err(|error| NoAnswer {
                closed: !made && was_closed(&error),
                error,
            })
        };
        MADE.scope(Cell::new(false), send).await
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
