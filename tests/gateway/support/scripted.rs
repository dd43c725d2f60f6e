//! An upstream that writes the very bytes that a test gives it, when the test says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What the upstream does next.
#[derive(Clone)]
pub enum Step {
    /// Writes this, as one chunk.
    Write(String),
    /// Writes this in two chunks.
    Cut(Vec<u8>),
    /// Waits until the test lets it go on.
    Gate,
    /// Writes this so many times, and notes when it can't write on for a while.
    Flood(String, usize),
    /// Breaks the connection.
    Reset,
}

/// One answer, given to every request, as a stream of events.
pub struct Scripted {
    pub address: SocketAddr,
    gate: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
    /// Bytes that a flood could write so far.
    pub written: Arc<AtomicU64>,
    /// Cancelled when a flood could not write on.
    pub blocked: CancellationToken,
    stop: CancellationToken,
}

/// A flood that makes no progress for this long is held back.
const HELD_BACK: Duration = Duration::from_millis(700);

impl Scripted {
    pub async fn serve(steps: Vec<Step>) -> Self {
        Self::serve_as("200 OK", "text/event-stream; charset=utf-8", steps).await
    }

    /// How far the cuts of [`cutting`](Scripted::cutting) are apart, in bytes.
    pub const STRIDE: usize = 5;

    /// Writes these bytes in two pieces, and cuts them elsewhere for each request.
    pub async fn cutting(bytes: &str) -> Self {
        Self::serve(vec![Step::Cut(bytes.as_bytes().to_vec())]).await
    }

    pub async fn serve_as(status: &'static str, kind: &'static str, steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scripted = Scripted {
            address: listener.local_addr().unwrap(),
            gate: Arc::new(Semaphore::new(0)),
            asked: Arc::default(),
            written: Arc::default(),
            blocked: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        let player = Player {
            head: format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            ),
            steps,
            gate: scripted.gate.clone(),
            asked: scripted.asked.clone(),
            written: scripted.written.clone(),
            blocked: scripted.blocked.clone(),
            cut: AtomicU64::new(0),
        };
        let (player, stop) = (Arc::new(player), scripted.stop.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let player = player.clone();
                // The other side may be gone: that is what some tests are about.
                tokio::spawn(async move { player.play(stream).await.ok() });
            }
        }));
        scripted
    }

    /// How many requests it got.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Lets it pass one gate.
    pub fn go_on(&self) {
        self.gate.add_permits(1);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Player {
    head: String,
    steps: Vec<Step>,
    gate: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
    written: Arc<AtomicU64>,
    blocked: CancellationToken,
    /// Where the next cut is.
    cut: AtomicU64,
}

impl Player {
    async fn play(&self, mut stream: TcpStream) -> std::io::Result<()> {
        read_request(&mut stream).await?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        stream.write_all(self.head.as_bytes()).await?;
        for step in &self.steps {
            match step {
                Step::Write(text) => write(&mut stream, text.as_bytes()).await?,
                Step::Cut(bytes) => {
                    let at = self
                        .cut
                        .fetch_add(Scripted::STRIDE as u64, Ordering::Relaxed)
                        as usize
                        % bytes.len();
                    let (before, after) = bytes.split_at(at.max(1));
                    write(&mut stream, before).await?;
                    // What is written is on its way before the rest follows.
                    tokio::task::yield_now().await;
                    write(&mut stream, after).await?;
                }
                Step::Gate => self.gate.acquire().await.unwrap().forget(),
                Step::Flood(text, times) => {
                    for _ in 0..*times {
                        self.flood(&mut stream, text).await?;
                    }
                }
                Step::Reset => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
            }
        }
        stream.write_all(b"0\r\n\r\n").await?;
        stream.shutdown().await
    }

    async fn flood(&self, stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
        let mut writing = std::pin::pin!(write(stream, text.as_bytes()));
        if tokio::time::timeout(HELD_BACK, writing.as_mut())
            .await
            .is_err()
        {
            self.blocked.cancel();
            writing.await?;
        }
        self.written.fetch_add(text.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let length = format!("{:x}\r\n", bytes.len());
    stream
        .write_all(&[length.as_bytes(), bytes, b"\r\n"].concat())
        .await
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Ok(());
        }
    }
}

/// An event with a text of choice 0.
pub fn event(text: &str) -> String {
    delta(0, serde_json::json!({"content": text}))
}

/// An event with this delta.
pub fn delta(choice: u32, delta: serde_json::Value) -> String {
    let chunk = serde_json::json!({
        "id": "chatcmpl-1", "choices": [{"delta": delta, "index": choice}], "created": 1, "model": "llama3.1-8b",
        "system_fingerprint": "fp_1", "object": "chat.completion.chunk",
    });
    format!("data: {chunk}\n\n")
}

/// The event that finishes a choice.
pub fn finish(choice: u32) -> String {
    let chunk = serde_json::json!({
        "id": "chatcmpl-1", "choices": [{"delta": {}, "finish_reason": "stop", "index": choice}], "created": 1,
        "model": "llama3.1-8b", "object": "chat.completion.chunk",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    });
    format!("data: {chunk}\n\n")
}

pub const DONE: &str = "data: [DONE]\n\n";
