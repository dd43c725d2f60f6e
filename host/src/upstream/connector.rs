//! How a connection to a target is made: straight, or by way of the proxy that the environment names.

use super::client::{TooLong, USER_AGENT};
use super::connections::MADE;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri, header};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tower::Service;

type BoxError = Box<dyn Error + Send + Sync>;

/// After so long without a sign of life the other side is asked for one; so often without any, and it is gone.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVES: u32 = 3;

/// How long sent bytes may go unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Makes connections. Cloning shares its settings.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
    limit: Duration,
}

impl Connector {
    /// Each connection within that time; through `proxies`, where these say so.
    pub(super) fn new(tls: ClientConfig, proxies: Option<Matcher>, limit: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Connector {
            tcp,
            tls: Arc::new(tls),
            proxies: proxies.map(Arc::new),
            limit,
        }
    }

    /// What a request has to show to a proxy that it is sent to. With TLS it is the connection that shows it.
    pub(super) fn proxy_authorization(&self, to: &Uri) -> Option<HeaderValue> {
        let proxies = self.proxies.as_ref()?;
        if to.scheme() != Some(&Scheme::HTTP) {
            return None;
        }
        proxies.intercept(to)?.basic_auth().cloned()
    }

    async fn connect(self, to: Uri) -> Result<Made, BoxError> {
        let proxy = self.proxies.as_ref().and_then(|it| it.intercept(&to));
        let Some(proxy) = proxy else {
            let made = HttpsConnector::from((self.tcp, self.tls)).call(to).await?;
            return Ok(Made::to_target(made));
        };
        // A proxy is spoken to in HTTP/1 alone.
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols.clear();
        let mut to_proxy = HttpsConnector::from((self.tcp, tls));
        if to.scheme() == Some(&Scheme::HTTP) {
            let made = to_proxy.call(proxy.uri().clone()).await?;
            return Ok(Made::to_proxy(made));
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy).with_headers(
            HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))]),
        );
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let made = HttpsConnector::from((tunnel, self.tls)).call(to).await?;
        Ok(Made::to_target(made))
    }
}

impl Service<Uri> for Connector {
    type Response = Made;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Made, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let limit = connector.limit;
            let made = timeout(limit, connector.connect(to)).await;
            let made = made.map_err(|_| TooLong)??;
            // One that is made for the pool, after the request has found another, is nobody's.
            MADE.try_with(|it| it.set(true)).ok();
            Ok(made)
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("proxies", &self.proxies)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A connection, made in whichever way.
pub(super) struct Made {
    io: Box<dyn Io>,
    to_proxy: bool,
    /// How much was written since there was nothing to write, or since others had their turn.
    written: usize,
}

/// After so much of a request, in bytes, others have their turn, however much more the connection takes.
const STEP: usize = 128 << 10;

trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

impl Made {
    fn to_target(io: impl Io + 'static) -> Self {
        Made {
            io: Box::new(io),
            to_proxy: false,
            written: 0,
        }
    }

    /// To a proxy that goes on by what each request says.
    fn to_proxy(io: impl Io + 'static) -> Self {
        Made {
            io: Box::new(io),
            to_proxy: true,
            written: 0,
        }
    }

    /// Writes by `write`, which is told how much, unless it is others' turn.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut dyn Io>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let left = STEP.saturating_sub(self.written);
        if left == 0 {
            self.written = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = write(Pin::new(&mut *self.io), cx, left);
        if let Poll::Ready(Ok(bytes)) = written {
            self.written += bytes;
        }
        written
    }
}

impl Connection for Made {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.to_proxy)
    }
}

impl Read for Made {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Made {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx, most| {
            io.poll_write(cx, &buf[..buf.len().min(most)])
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx, most| {
            let mut room = most;
            let fits = |buf: &&IoSlice<'_>| {
                let left = room.checked_sub(buf.len());
                room = left.unwrap_or(0);
                left.is_some()
            };
            let whole = bufs.iter().take_while(fits).count();
            // What fits goes whole; of one that alone is too long goes what fits of it.
            match bufs[..whole].iter().all(|buf| buf.is_empty()) {
                true if whole < bufs.len() => io.poll_write(cx, &bufs[whole][..most]),
                _ => io.poll_write_vectored(cx, &bufs[..whole]),
            }
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_ready() {
            self.written = 0;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::upstream::connections::{Connection as On, Connections};
    use crate::upstream::trust::Trust;
    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What reaches a proxy first of a request to this address.
    async fn reaches_proxy(to: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://me:secret@{}", listener.local_addr().unwrap());
        let proxies = Matcher::builder().all(at).no("elsewhere.invalid").build();
        let tls = Trust::default().config(true).unwrap();
        let connector = Connector::new(tls, Some(proxies), Duration::from_secs(60));
        let connections = Connections::new(1, connector);
        let asked = tokio::spawn(async move {
            let mut request = http::Request::new(Full::new(Bytes::new()));
            *request.uri_mut() = Uri::from_static(to);
            connections.send(request, On::Kept).await.is_ok()
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut said).await.unwrap() > 0, "closed");
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        drop(stream);
        assert_eq!(asked.await.unwrap(), to.starts_with("http:"));
        String::from_utf8(said).unwrap()
    }

    /// Takes all that is written.
    #[derive(Clone, Default)]
    struct Takes(Arc<parking_lot::Mutex<Vec<u8>>>);

    impl Read for Takes {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl Write for Takes {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.lock().extend_from_slice(buf);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let mut taken = self.0.lock();
            let before = taken.len();
            bufs.iter().for_each(|buf| taken.extend_from_slice(buf));
            Poll::Ready(Ok(taken.len() - before))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Connection for Takes {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    #[tokio::test]
    async fn a_large_request_lets_others_have_their_turn() {
        let head = [b'h'; 100];
        let body: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
        let whole = [&head[..], &body].concat();
        let takes = Takes::default();
        let mut made = Made::to_target(takes.clone());
        let (mut at, mut turns) = (0, 0);
        std::future::poll_fn(|cx| {
            turns += 1;
            while at < whole.len() {
                // The head by itself, as long as it hasn't gone, then the body.
                let (head, body) = (&head[at.min(100)..], &whole[at.max(100)..]);
                let bufs = [IoSlice::new(head), IoSlice::new(body)];
                match Pin::new(&mut made).poll_write_vectored(cx, &bufs) {
                    Poll::Ready(written) => at += written.unwrap(),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(*takes.0.lock(), whole);
        assert_eq!(turns, whole.len().div_ceil(STEP));
        // What is small goes at once, however much there was before.
        assert!(
            Pin::new(&mut made)
                .poll_flush(&mut Context::from_waker(std::task::Waker::noop()))
                .is_ready()
        );
        let small = vec![b's'; STEP];
        let written = Pin::new(&mut made)
            .poll_write(&mut Context::from_waker(std::task::Waker::noop()), &small);
        assert!(matches!(written, Poll::Ready(Ok(STEP))));
    }

    const SHOWN: &str = "proxy-authorization: Basic bWU6c2VjcmV0\r\n";

    #[tokio::test]
    async fn a_proxy_is_asked_for_the_whole_address() {
        let said = reaches_proxy("http://target.invalid:81/v1/models").await;
        assert!(
            said.starts_with("GET http://target.invalid:81/v1/models HTTP/1.1\r\n"),
            "{said}"
        );
        assert!(said.contains(SHOWN), "{said}");
    }

    #[tokio::test]
    async fn behind_a_proxy_tls_is_with_the_target() {
        let said = reaches_proxy("https://target.invalid/v1/models").await;
        assert!(
            said.starts_with("CONNECT target.invalid:443 HTTP/1.1\r\n"),
            "{said}"
        );
        let said = said.to_ascii_lowercase();
        assert!(said.contains(&SHOWN.to_ascii_lowercase()), "{said}");
        assert!(
            said.contains(&format!("user-agent: {USER_AGENT}")),
            "{said}"
        );
    }
}
