//! Clients in a storm: some always have a stream open, others ask at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::answers::{Answers, Shown, asked};
use crate::support::{Process, ask, ask_stream};

/// Every so many streams, one is left in the middle.
const LEFT: u64 = 8;
/// Lines of a short answer.
const SHORT: usize = 1;

/// What all clients have in common.
#[derive(Clone)]
pub struct Client {
    pub gateway: Arc<Process>,
    pub answers: Arc<Answers>,
    pub counts: Arc<Counts>,
}

/// Exchanges so far, by how they ended for the client.
#[derive(Default)]
pub struct Counts {
    pub streams: AtomicU64,
    pub left: AtomicU64,
    pub requests: AtomicU64,
}

impl Counts {
    /// Every exchange.
    pub fn all(&self) -> u64 {
        let counts = [&self.streams, &self.left, &self.requests];
        counts.iter().map(|it| it.load(Ordering::Relaxed)).sum()
    }
}

impl Client {
    /// Asks for a short answer, whole.
    pub async fn ask(&self) -> Option<Shown> {
        self.request(false).await
    }

    async fn request(&self, streamed: bool) -> Option<Shown> {
        let text = asked(SHORT);
        let body = if streamed {
            ask_stream(&text)
        } else {
            ask(&text)
        };
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        let Some(reply) = self.gateway.try_chat(&body).await else {
            self.answers.fault("a request got no answer".into());
            return None;
        };
        self.answers.take(&reply, SHORT)
    }

    /// Reads a stream to its end.
    async fn stream(&self, lines: usize) {
        self.counts.streams.fetch_add(1, Ordering::Relaxed);
        match self.gateway.try_chat(&ask_stream(&asked(lines))).await {
            Some(reply) => drop(self.answers.take(&reply, lines)),
            None => self.answers.fault("a stream got no answer".into()),
        }
    }

    /// Reads the beginning of a stream and goes away.
    async fn leave(&self, lines: usize) {
        self.counts.left.fetch_add(1, Ordering::Relaxed);
        let mut stream = self.gateway.open(&ask_stream(&asked(lines))).await;
        match stream.status() {
            200 => stream.read_until("one more line").await,
            status => self
                .answers
                .fault(format!("a stream was refused: {status}")),
        }
    }
}

/// Clients at work.
pub struct Clients {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Keeps so many streams of so many lines open, and asks so many times a second beside them.
    pub fn start(client: &Client, streams: usize, lines: usize, requests: u32) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for number in 0..streams as u64 {
            tasks.spawn(keep_streaming(client.clone(), lines, number, stop.clone()));
        }
        tasks.spawn(keep_asking(client.clone(), requests, stop.clone()));
        Clients { stop, tasks }
    }

    /// Lets every exchange come to its end, and begins no more.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}

async fn keep_streaming(client: Client, lines: usize, first: u64, stop: CancellationToken) {
    for number in first.. {
        if stop.is_cancelled() {
            return;
        }
        match number % LEFT {
            0 => client.leave(lines).await,
            _ => client.stream(lines).await,
        }
    }
}

async fn keep_asking(client: Client, requests: u32, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / requests);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut running = JoinSet::new();
    let mut streamed = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {
                let client = client.clone();
                running.spawn(async move { drop(client.request(streamed).await) });
                streamed = !streamed;
            }
            Some(done) = running.join_next() => done.unwrap(),
        }
    }
    running.join_all().await;
}
