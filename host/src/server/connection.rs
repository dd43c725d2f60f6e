//! One client connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::ServerSettings;
use super::connections::Seated;
use super::patience::SlowReader;
use super::phase::{Activity, MonitoredIo, Phase, ServingBody};
use super::secured::Secured;

/// How long, once the listener is closed, an idle connection waits for its client's next request: what the client has sent by then, because it
/// can't know, is answered. The answer says that the connection closes. A connection that has yet to bring its first request has the
/// time that it always has.
const GRACE: Duration = Duration::from_secs(1);

/// Serves what comes over `io` until it is closed by either side, stays too long in one phase, must give its `seat` to another, or
/// `shutdown` is cancelled and the request at hand is answered.
pub(super) async fn serve<T, H, F>(
    io: T,
    handler: Arc<H>,
    settings: &ServerSettings,
    shutdown: &CancellationToken,
    seat: &Seated,
) where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response>,
{
    let activity = Activity::new();
    let service = service_fn(|request| {
        let serving = activity.begin();
        // Some kilobytes, which the library would move several times if they weren't kept apart.
        let answer = Box::pin(handler(request));
        async move {
            let mut answer = answer.await.map(|body| ServingBody::new(body, serving));
            if shutdown.is_cancelled() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let io = MonitoredIo::new(io, Arc::clone(&activity));
    let io = TokioIo::new(Secured::new(io, settings.certificate.as_deref()));
    // The limit of 100 headers is the library's own. With a limit of ours it would allocate for each request.
    // Head and first frame go out in one write: the library gathers what is ready before it flushes, and a socket takes both in
    // one vectored write. `pipeline_flush` stays off, because with it a frame could wait for the next request.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(settings.max_head)
        .serve_connection(io, service);

    let mut connection = pin!(connection);
    let mut stop = pin!(shutdown.cancelled());
    let mut stopping = false;
    let mut grace = pin!(sleep(GRACE));
    let mut closing = false;
    let mut phase = Phase::Head(0);
    let mut timer = pin!(sleep(settings.head_timeout));
    let mut reader = SlowReader::new(settings);
    let mut first = true;
    poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            grace
                .as_mut()
                .reset(Instant::now() + settings.linger + GRACE);
        }
        let now = loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                if let Err(error) = end {
                    tracing::debug!(%error, "a client connection ended early");
                }
                return Poll::Ready(());
            }
            let now = activity.phase();
            let closes = match now {
                _ if !stopping || closing => false,
                Phase::Head(_) => false,
                Phase::Idle(_) => grace.as_mut().poll(cx).is_ready(),
                Phase::Busy | Phase::Stuck(_) => true,
            };
            if !closes {
                break now;
            }
            closing = true;
            connection.as_mut().graceful_shutdown();
        };
        if now != phase || first {
            if now != phase {
                let stuck = matches!(now, Phase::Stuck(_));
                if reader.moves(stuck, activity.written()) {
                    let left = stuck.then(|| reader.patience.left());
                    seat.lags(left, cx.waker());
                }
            }
            if now.waits() {
                seat.waits(cx.waker());
            } else if phase.waits() {
                seat.serves();
            }
            if let Some(limit) = now.limit(settings, &reader.patience) {
                timer.as_mut().reset(Instant::now() + limit);
            }
            (phase, first) = (now, false);
        }
        if seat.gives_way() {
            tracing::debug!(
                ?phase,
                "a client connection was closed: another needed its room"
            );
            return Poll::Ready(());
        }
        let limit = now.limit(settings, &reader.patience);
        if limit.is_some() && timer.as_mut().poll(cx).is_ready() {
            tracing::debug!(?phase, "a client connection was closed: it waited too long");
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::io::{self, IoSlice};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Context;
    use std::time::Duration;

    use axum::body::Body;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

    use super::super::connections::Connections;
    use super::*;
    use crate::api::Share;

    /// A connection that counts its writes and takes vectored ones, as a socket does.
    struct CountingIo(DuplexStream, Arc<AtomicUsize>);

    impl AsyncRead for CountingIo {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for CountingIo {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Relaxed);
            Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let whole: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            self.poll_write(cx, &whole)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    fn settings() -> ServerSettings {
        ServerSettings {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            read_rate: 16,
            ..ServerSettings::default()
        }
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    /// The client's end of a connection on which every request is answered with this body.
    fn connect(
        buffer: usize,
        body: impl Fn() -> Body + Send + Sync + 'static,
    ) -> (DuplexStream, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
        connect_to(&Connections::new(1, Share(100)), buffer, body)
    }

    fn connect_to(
        connections: &Arc<Connections>,
        buffer: usize,
        body: impl Fn() -> Body + Send + Sync + 'static,
    ) -> (DuplexStream, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
        let connections = Arc::clone(connections);
        let (client, server) = duplex(buffer);
        let writes = Arc::new(AtomicUsize::new(0));
        let counted = CountingIo(server, Arc::clone(&writes));
        let handler = Arc::new(move |_| std::future::ready(Response::new(body())));
        let served = tokio::spawn(async move {
            let seat = connections.take(None).await.unwrap();
            serve(
                counted,
                handler,
                &settings(),
                &CancellationToken::new(),
                &seat,
            )
            .await;
        });
        (client, writes, served)
    }

    async fn read_until(client: &mut DuplexStream, end: &[u8]) {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            assert!(client.read_buf(&mut read).await.unwrap() > 0, "closed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_and_the_first_frame_leave_in_one_write() {
        let body = || {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"data: 1\n\n"))]);
            Body::from_stream(first.chain(stream::pending()))
        };
        let (mut client, writes, _served) = connect(4096, body);
        client.write_all(GET).await.unwrap();
        read_until(&mut client, b"data: 1\n\n\r\n").await;
        assert_eq!(writes.load(Relaxed), 1);
    }

    /// How long the connection stayed open after `start`, in seconds.
    async fn closed_after(served: tokio::task::JoinHandle<()>, start: Instant) -> u64 {
        served.await.unwrap();
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_that_says_nothing_is_closed() {
        let (_client, _, served) = connect(4096, Body::empty);
        assert_eq!(closed_after(served, Instant::now()).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_cut_off() {
        let (mut client, _, served) = connect(4096, Body::empty);
        let start = Instant::now();
        tokio::spawn(async move {
            for byte in GET {
                client.write_all(&[*byte]).await?;
                sleep(Duration::from_secs(3)).await;
            }
            io::Result::Ok(())
        });
        assert_eq!(closed_after(served, start).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_longer_than_a_slow_head() {
        let (mut client, _, served) = connect(4096, Body::empty);
        for _ in 0..3 {
            client.write_all(GET).await.unwrap();
            read_until(&mut client, b"\r\n\r\n").await;
            sleep(Duration::from_secs(70)).await;
        }
        let start = Instant::now();
        assert_eq!(closed_after(served, start).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_head_has_the_same_limit_as_the_first() {
        let (mut client, _, served) = connect(4096, Body::empty);
        client.write_all(GET).await.unwrap();
        read_until(&mut client, b"\r\n\r\n").await;
        sleep(Duration::from_secs(30)).await;
        let start = Instant::now();
        client.write_all(b"GET / HT").await.unwrap();
        assert_eq!(closed_after(served, start).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_waited_for() {
        let body = || {
            let pieces = stream::iter(["a", "b"]).then(|piece| async move {
                sleep(Duration::from_secs(600)).await;
                Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes()))
            });
            Body::from_stream(pieces)
        };
        let (mut client, _, _served) = connect(4096, body);
        client.write_all(GET).await.unwrap();
        read_until(&mut client, b"0\r\n\r\n").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_cut_off() {
        let (mut client, _, served) = connect(256, || Body::from(vec![b'x'; 4096]));
        let start = Instant::now();
        client.write_all(GET).await.unwrap();
        assert_eq!(closed_after(served, start).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_served() {
        let (mut client, _, _served) = connect(256, || Body::from(vec![b'x'; 2048]));
        client.write_all(GET).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(&[b'x'; 2048]) {
            // Sixteen bytes a second, as much as it must.
            sleep(Duration::from_secs(15)).await;
            assert!(client.read_buf(&mut read).await.unwrap() > 0, "closed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_byte_now_and_then_is_cut_off() {
        let (mut client, _, served) = connect(256, || Body::from(vec![b'x'; 1 << 20]));
        let start = Instant::now();
        client.write_all(GET).await.unwrap();
        let reads = tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(50)).await;
                if client.read_u8().await.is_err() {
                    break;
                }
            }
        });
        // A minute, and a sixteenth of a second for the byte.
        assert_eq!(closed_after(served, start).await, 60);
        reads.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_that_lags_most_gives_way_where_others_need_its_exchange() {
        let connections = Connections::new(3, Share(100));
        let large = || Body::from(vec![b'x'; 1 << 20]);
        let [mut first, mut second, mut prompt] =
            [(); 3].map(|()| connect_to(&connections, 256, large));
        let hurry = || connections.hurry(settings().write_timeout);
        let start = Instant::now();
        for (client, ..) in [&mut first, &mut second, &mut prompt] {
            client.write_all(GET).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        hurry();
        sleep(Duration::from_secs(3)).await;
        assert!(!first.2.is_finished(), "five seconds aren't over");
        hurry();
        assert_eq!(closed_after(first.2, start).await, 6);
        // The second lags by five seconds now; the third takes its answer.
        let mut read = Vec::new();
        while read.len() < 100_000 {
            assert!(prompt.0.read_buf(&mut read).await.unwrap() > 0, "closed");
        }
        hurry();
        assert_eq!(closed_after(second.2, start).await, 6);
        sleep(Duration::from_secs(1)).await;
        hurry();
        sleep(Duration::from_secs(1)).await;
        assert!(!prompt.2.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upstream_costs_its_client_no_patience() {
        let body = || {
            let pieces = stream::iter([(); 8]).then(|()| async move {
                sleep(Duration::from_secs(50)).await;
                Ok::<_, Infallible>(Bytes::from(vec![b'x'; 300]))
            });
            Body::from_stream(pieces)
        };
        let (mut client, _, _served) = connect(256, body);
        client.write_all(GET).await.unwrap();
        // It takes each piece ten seconds late, which in all is more than a minute.
        let mut read = Vec::new();
        while !read.ends_with(b"0\r\n\r\n") {
            sleep(Duration::from_secs(10)).await;
            assert!(client.read_buf(&mut read).await.unwrap() > 0, "closed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_has_a_moment_for_a_request_that_was_on_its_way() {
        let connections = Connections::new(2, Share(100));
        let stop = CancellationToken::new();
        let mut idle = Vec::new();
        for _ in 0..2 {
            let (mut client, io) = duplex(4096);
            let (connections, stop) = (Arc::clone(&connections), stop.clone());
            let handler = Arc::new(|_| std::future::ready(Response::new(Body::empty())));
            let served = tokio::spawn(async move {
                let seat = connections.take(None).await.unwrap();
                serve(io, handler, &settings(), &stop, &seat).await;
            });
            client.write_all(GET).await.unwrap();
            read_until(&mut client, b"\r\n\r\n").await;
            idle.push((client, served));
        }
        let start = Instant::now();
        stop.cancel();
        sleep(GRACE / 2).await;
        let (mut asks, served) = idle.pop().unwrap();
        asks.write_all(GET).await.unwrap();
        let mut answer = Vec::new();
        asks.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        served.await.unwrap();
        let (_silent, served) = idle.pop().unwrap();
        assert_eq!(closed_after(served, start).await, GRACE.as_secs());
    }
}
