//! The accept loop and its end.
//!
//! What must stay true: after `shutdown` and the time to linger nothing new is accepted but what had connected by then, and `run` returns only
//! when no connection is left.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use prometheus_client::metrics::gauge::Gauge;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::{Connections, Seated};
use super::{ServerSettings, connection};

/// Where a request comes from, among its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// How many bytes the system takes for a client beyond what is on its way, in bytes. Without a limit it takes some megabytes for each client that
/// doesn't read.
const UNSENT: u32 = 128 << 10;

/// How long the listener rests when the system has no room for another connection, such as no file descriptor.
const REST: Duration = Duration::from_millis(100);

/// Serves connections until `shutdown` and [`ServerSettings::linger`] more, then lets the running ones finish, and `also` after them, for
/// [`ServerSettings::drain_deadline`] at most. Returns how many had to be dropped.
pub(super) async fn run<H, F>(
    listener: TcpListener,
    room: Arc<Connections>,
    handler: H,
    settings: ServerSettings,
    shutdown: CancellationToken,
    open: Option<Gauge>,
    also: impl Future<Output = ()>,
) -> usize
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let handler = Arc::new(handler);
    let settings = Arc::new(settings);
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();

    let serve = |stream: TcpStream, peer: SocketAddr, seat: Seated| {
        let open = open.clone().map(CountedConnection::new);
        let (handler, settings) = (Arc::clone(&handler), Arc::clone(&settings));
        let (shutdown, cut) = (shutdown.clone(), cut.clone());
        connections.spawn(async move {
            tracing::trace!(%peer, "a client connected");
            let _open = open;
            let handler = Arc::new(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(Peer(peer.ip()));
                handler(request)
            });
            let served = connection::serve(stream, handler, &settings, &shutdown, &seat);
            cut.run_until_cancelled(served).await;
        });
    };

    let mut closes = pin!(async {
        shutdown.cancelled().await;
        sleep(settings.linger).await;
    });
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut closes => break,
            accepted = accept(&listener) => accepted,
        };
        // Where there is no room, this one connection waits here, and all others in the system's queue.
        let seat = tokio::select! {
            biased;
            () = &mut closes => break,
            seat = room.take(Some(peer.ip())) => seat,
        };
        match seat {
            Some(seat) => serve(stream, peer, seat),
            None => {
                tracing::debug!(%peer, "a connection was refused: its address has as many as it may");
            }
        }
    }
    // Whoever has connected already is served, as far as there is room: closing the listener would cut them off.
    while let Some((stream, peer)) = accept(&listener).now_or_never()
        && let Some(Some(seat)) = room.take(Some(peer.ip())).now_or_never()
    {
        serve(stream, peer, seat);
    }

    drop(listener);
    connections.close();
    // One after the other, because a connection that is still open may begin what `also` waits for.
    let finished = async {
        connections.wait().await;
        also.await;
    };
    if timeout(settings.drain_deadline, finished).await.is_ok() {
        return 0;
    }
    let left = connections.len();
    cut.cancel();
    connections.wait().await;
    left
}

/// The next connection. A failed accept doesn't end the listener.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without this option a small frame waits up to 40 ms for the client's acknowledgement of the frame before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                let unsent = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
                if let Err(error) = unsent {
                    tracing::debug!(%error, "TCP_NOTSENT_LOWAT could not be set");
                }
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a client went away before it was accepted");
            }
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again");
                sleep(REST).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Counts an open connection for as long as it lives.
struct CountedConnection(Gauge);

impl CountedConnection {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
