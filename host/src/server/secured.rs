//! A connection in the clear, or under TLS.
//!
//! The handshake is a part of the first read: so it has the time of a connection's first head and no more, and a connection that shakes hands
//! gives way as any that waits for its client does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

use super::certificate::Certificate;

/// How many bytes wait for a client beside what the system keeps of them.
const BUFFER: usize = 16 << 10;

/// A connection that may be under TLS. Bytes go through it as they do through the connection below.
pub(super) enum Secured<T> {
    Clear(T),
    /// The handshake is under way.
    Greets(Box<Accept<T>>, Counter),
    Open(Box<TlsStream<T>>),
    /// The handshake failed.
    Strange,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Secured<T> {
    /// The server's end of a connection, which shows the certificate where there is one.
    pub(super) fn new(io: T, certificate: Option<&Certificate>) -> Self {
        let Some(certificate) = certificate else {
            return Self::Clear(io);
        };
        let limited = |tls: &mut tokio_rustls::rustls::ServerConnection| {
            tls.set_buffer_limit(Some(BUFFER));
        };
        let accept = certificate.acceptor().accept_with(io, limited);
        Self::Greets(Box::new(accept), certificate.failed_handshakes().clone())
    }

    fn poll_greeted(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greets(accept, failed) = self {
            match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => *self = Self::Open(Box::new(stream)),
                Err(error) => {
                    // Whoever goes away has no quarrel: ports are scanned, and probed by balancers.
                    if error.kind() == io::ErrorKind::InvalidData {
                        failed.inc();
                    }
                    *self = Self::Strange;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn strange() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "there was no TLS handshake",
    )
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_greeted(cx))?;
        match &mut *self {
            Self::Clear(io) => Pin::new(io).poll_read(cx, buf),
            Self::Open(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Greets(..) | Self::Strange => Poll::Ready(Err(strange())),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_greeted(cx))?;
        match &mut *self {
            Self::Clear(io) => Pin::new(io).poll_write(cx, buf),
            Self::Open(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Greets(..) | Self::Strange => Poll::Ready(Err(strange())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_greeted(cx))?;
        match &mut *self {
            Self::Clear(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Open(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Greets(..) | Self::Strange => Poll::Ready(Err(strange())),
        }
    }

    /// Under TLS too: head and first frame go into one record.
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(io) => io.is_write_vectored(),
            _ => true,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(io) => Pin::new(io).poll_flush(cx),
            Self::Open(stream) => Pin::new(stream).poll_flush(cx),
            // Nothing was written yet, or ever will be.
            Self::Greets(..) | Self::Strange => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Clear(io) => Pin::new(io).poll_shutdown(cx),
            Self::Open(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Greets(..) | Self::Strange => Poll::Ready(Ok(())),
        }
    }
}
