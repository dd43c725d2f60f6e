//! Clients: some that ask again as soon as they are answered, some that read streams, and one that looks at the clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use memchr::memmem;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::connection::{Connection, post};
use crate::support::{ask, ask_stream};
use crate::upstream::{ADDRESS, paced};

/// What stands before the moment at which a chunk was sent, in nanoseconds.
pub const MARK: &str = "fp_";

/// Whether the policies find something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    Plain,
    Hit,
}

impl Traffic {
    fn says(self) -> String {
        match self {
            Traffic::Plain => "Say hello in one sentence, please.".to_owned(),
            Traffic::Hit => format!("Say hello to {ADDRESS}, please."),
        }
    }

    /// A request for a whole answer.
    pub fn request(self) -> Vec<u8> {
        post(&ask(&self.says()))
    }

    /// A request for a stream of so many chunks, one at each `pace`.
    pub fn stream(self, pace: Duration, chunks: u64) -> Vec<u8> {
        let says = format!("{} {}", self.says(), paced(pace, chunks));
        post(&ask_stream(&says))
    }
}

/// A clock that all processes of a machine share, in nanoseconds.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Asks on so many connections for so long, and returns how many answers came.
pub async fn requests(to: SocketAddr, connections: usize, request: &[u8], time: Duration) -> u64 {
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let request = request.to_vec();
        clients.spawn(async move {
            let mut connection = Connection::open(to).await;
            let mut answers = 0;
            while Instant::now() < end {
                let (status, answer) = connection.ask(&request).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
                answers += 1;
            }
            answers
        });
    }
    clients.join_all().await.into_iter().sum()
}

/// How long each of so many requests takes, one after the other on one connection.
pub async fn times(connection: &mut Connection, request: &[u8], many: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(many);
    for _ in 0..many {
        let asked = Instant::now();
        let (status, answer) = connection.ask(request).await;
        times.push(asked.elapsed());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
    }
    times
}

/// How long it takes until the first chunk of a stream is there.
pub async fn first_token(to: SocketAddr, request: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let asked = Instant::now();
    stream.write_all(request).await.unwrap();
    let mut read = Vec::with_capacity(4 << 10);
    while memmem::find(&read, MARK.as_bytes()).is_none() {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "closed");
    }
    asked.elapsed()
}

/// Streams that are read until they are stopped, each begun anew when it is over.
pub struct Streams {
    clients: JoinSet<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    chunks: AtomicU64,
    delays: Mutex<Vec<Duration>>,
}

/// What came of all streams together.
pub struct Read {
    pub chunks: u64,
    /// From the upstream's sending to the client's reading.
    pub delays: Vec<Duration>,
}

impl Streams {
    /// Opens them, not too many at once, and waits until each has begun.
    pub async fn open(to: SocketAddr, many: usize, request: Vec<u8>) -> Self {
        let seen = Arc::<Seen>::default();
        let mut clients = JoinSet::new();
        let request: Arc<[u8]> = request.into();
        for number in 0..many {
            clients.spawn(read_on(to, request.clone(), seen.clone()));
            while seen.begun.load(Relaxed) + 32 < number as u64 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        while seen.begun.load(Relaxed) < many as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Streams { clients, seen }
    }

    /// What comes in so much time from now.
    pub async fn read(&self, time: Duration) -> Read {
        self.seen.delays.lock().clear();
        let before = self.seen.chunks.load(Relaxed);
        tokio::time::sleep(time).await;
        Read {
            chunks: self.seen.chunks.load(Relaxed) - before,
            delays: std::mem::take(&mut self.seen.delays.lock()),
        }
    }

    /// Closes all of them.
    pub async fn close(mut self) {
        self.clients.shutdown().await;
    }
}

async fn read_on(to: SocketAddr, request: Arc<[u8]>, seen: Arc<Seen>) {
    let mut first = true;
    loop {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request).await.unwrap();
        let mut read = Vec::with_capacity(2 << 10);
        let mut done = false;
        while !done {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0, "closed");
            let at = now();
            done = memmem::find(&read, b"[DONE]").is_some();
            let mut rest = 0;
            while let Some(mark) = memmem::find(&read[rest..], MARK.as_bytes()) {
                let digits = rest + mark + MARK.len();
                let Some(end) = memchr::memchr(b'"', &read[digits..]) else {
                    break;
                };
                let sent = std::str::from_utf8(&read[digits..digits + end]);
                let sent: u64 = sent.unwrap().parse().unwrap();
                let delay = Duration::from_nanos(at.saturating_sub(sent));
                seen.delays.lock().push(delay);
                seen.chunks.fetch_add(1, Relaxed);
                if std::mem::take(&mut first) {
                    seen.begun.fetch_add(1, Relaxed);
                }
                rest = digits + end;
            }
            // A mark, or the end, may have come in part.
            let kept = read.len().saturating_sub(32).max(rest);
            read.drain(..kept);
        }
    }
}
