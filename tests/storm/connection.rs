//! A client that costs next to nothing: one connection, bytes made once, and no more of HTTP than the gateway's own answers need.

use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Value;

/// A connection that is kept for one request after another.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream,
            read: Vec::with_capacity(8 << 10),
        }
    }

    /// Sends a request, and returns the body of the answer as it came. Anything but a complete 200 is a panic.
    pub async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        let mut body = None;
        loop {
            let more = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(more > 0, "closed after {}", text(&self.read));
            if body.is_none() {
                let end = memmem::find(&self.read, b"\r\n\r\n").map(|at| at + 4);
                body = end.map(|end| (end, length(&self.read[..end])));
            }
            let Some((start, length)) = body else {
                continue;
            };
            let so_far = &self.read[start..];
            let complete = match length {
                Some(length) => so_far.len() == length,
                None => so_far.ends_with(b"\r\n0\r\n\r\n"),
            };
            if complete {
                return &self.read[start..];
            }
        }
    }
}

/// A chat request, as bytes.
pub fn post(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The body's length, from the head; none where it comes in chunks.
fn length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
