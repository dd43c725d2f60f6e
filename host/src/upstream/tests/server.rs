//! A target for tests. It answers each request with the next of the bytes it was given, and reports the requests.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request that the server got: the head in small letters, the body as it came, and the number of its connection.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: String,
    pub(super) connection: usize,
}

/// A running server, and what it reports.
#[derive(Debug)]
pub(super) struct Server {
    /// `http://127.0.0.1:PORT/v1`
    pub(super) base: String,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    /// Yields one value for each connection that the other side has closed.
    pub(super) closed: mpsc::UnboundedReceiver<()>,
}

impl Server {
    /// Answers the n-th request with the n-th bytes, exactly as they are; after the last it says nothing more, and keeps the
    /// connection open until the other side closes it.
    pub(super) async fn start(answers: &[&str]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (request_sender, requests) = mpsc::unbounded_channel();
        let (closed_sender, closed) = mpsc::unbounded_channel();
        let mut answers: std::collections::VecDeque<String> =
            answers.iter().map(|answer| (*answer).to_owned()).collect();
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                while let Some(mut request) = read_request(&mut socket).await {
                    request.connection = connection;
                    request_sender.send(request).ok();
                    if let Some(answer) = answers.pop_front() {
                        socket.write_all(answer.as_bytes()).await.ok();
                    }
                }
                closed_sender.send(()).ok();
                connection += 1;
            }
        });
        Server {
            base,
            requests,
            closed,
        }
    }
}

pub(super) async fn read_request(socket: &mut TcpStream) -> Option<Request> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = find(&read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if read.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
                return Some(Request {
                    head,
                    body,
                    connection: 0,
                });
            }
        }
        match socket.read_buf(&mut read).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// A whole answer with this status line's end, these header lines and this body.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
