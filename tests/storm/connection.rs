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

    /// Sends a request, and returns status and body of the answer as they came. An answer that breaks off is a panic.
    pub async fn ask(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        let mut head = None;
        loop {
            let more = self.stream.read_buf(&mut self.read).await.unwrap();
            let so_far = || String::from_utf8_lossy(&self.read);
            assert!(more > 0, "closed after {}", so_far());
            if head.is_none() {
                let end = memmem::find(&self.read, b"\r\n\r\n").map(|at| at + 4);
                head = end.map(|end| Head::of(&self.read[..end]));
            }
            if let Some(head) = head
                && head.is_complete_with(&self.read[head.size..])
            {
                return (head.status, &self.read[head.size..]);
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

/// What an answer's head says.
#[derive(Clone, Copy)]
struct Head {
    /// Of the head itself.
    size: usize,
    status: u16,
    /// Of the body; none where it comes in chunks.
    length: Option<usize>,
}

impl Head {
    fn of(head: &[u8]) -> Self {
        let text = std::str::from_utf8(head).unwrap();
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().unwrap())
        });
        Head {
            size: head.len(),
            status: status.unwrap_or_else(|| panic!("no answer: {text}")),
            length,
        }
    }

    fn is_complete_with(&self, body: &[u8]) -> bool {
        match self.length {
            Some(length) => body.len() == length,
            None => body.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}
