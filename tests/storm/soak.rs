//! Very many exchanges, one like the other: nothing may grow with their number but the journal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::task::JoinSet;

use crate::connection::{Connection, post};
use crate::gauge::{Counts, descriptors, ends, memory, mib, settled};
use crate::support::{Process, ask, ask_stream, kept};
use crate::upstream;

/// The bundled policies with their defaults.
const CONFIG: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";
const ASKED: &str = "say: The cat sat on the mat, and nobody minded.";

/// Samples that are taken on the way.
const SAMPLES: u64 = 20;
/// Growth that is taken for flat, from the first quarter to the last: sixteen bytes an exchange, of a million. The pool keeps what the most
/// instances at once have needed, and that moment may come late.
const FLAT: u64 = 16 << 20;
/// Descriptors that come and go with connections to the target.
const SPARE: u64 = 8;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    pub exchanges: u64,
    /// Connections that are kept, each with one exchange at a time; streamed on every other one.
    pub connections: usize,
}

impl Soak {
    /// Does it, and tells each sample as it is taken, after what their columns are.
    pub async fn run(&self, tell: impl Fn(&dyn fmt::Display)) -> Report {
        let upstream = upstream::simulated(None).await;
        // Not where temporary files may be in memory: the journal of a million exchanges takes a gigabyte.
        let folder = Arc::new(tempfile::tempdir_in(kept()).unwrap());
        let gateway = Process::again(folder, CONFIG, &[upstream]).await;
        let (done, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for number in 0..self.connections {
            let connection = Connection::open(gateway.traffic).await;
            let client = SoakClient {
                connection,
                streamed: number % 2 == 0,
                done: done.clone(),
                refused: refused.clone(),
                most: self.exchanges,
            };
            tasks.spawn(client.run());
        }
        tell(&COLUMNS);
        let began = Instant::now();
        let mut samples = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while !tasks.is_empty() {
            tokio::select! {
                _ = tick.tick() => {}
                Some(done) = tasks.join_next() => done.unwrap(),
            }
            let done = done.load(Ordering::Relaxed).min(self.exchanges);
            if done * SAMPLES >= (samples.len() as u64 + 1) * self.exchanges {
                let sample = Sample::take(&gateway, done, began.elapsed()).await;
                tell(&sample);
                samples.push(sample);
            }
        }
        settled(&gateway, self.exchanges).await;
        let last = Sample::take(&gateway, self.exchanges, began.elapsed()).await;
        tell(&last);
        Report {
            exchanges: self.exchanges,
            refused: refused.load(Ordering::Relaxed),
            samples,
        }
    }
}

/// One connection's part.
struct SoakClient {
    connection: Connection,
    streamed: bool,
    done: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    most: u64,
}

impl SoakClient {
    async fn run(mut self) {
        let (request, end) = if self.streamed {
            (post(&ask_stream(ASKED)), &b"data: [DONE]"[..])
        } else {
            (post(&ask(ASKED)), &b"nobody minded."[..])
        };
        while self.done.fetch_add(1, Ordering::Relaxed) < self.most {
            while !self.exchange(&request, end).await {
                // An answer doesn't wait for its entry. Where the disk doesn't keep up, as many exchanges wait as may run, and one more
                // is told to come later.
                self.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// Whether there was one: it may be refused.
    async fn exchange(&mut self, request: &[u8], end: &[u8]) -> bool {
        let (status, answer) = self.connection.ask(request).await;
        let complete = status == 503 || memmem::find(answer, end).is_some();
        assert!(complete, "{status} {}", String::from_utf8_lossy(answer));
        status != 503
    }
}

/// What there is of everything after so many exchanges.
#[derive(Clone, Debug)]
struct Sample {
    exchanges: u64,
    after: Duration,
    memory: u64,
    descriptors: u64,
    instances: u64,
    tasks: u64,
    queue: u64,
    journal: u64,
}

impl Sample {
    async fn take(gateway: &Process, exchanges: u64, after: Duration) -> Self {
        let counts = Counts::of(gateway).await;
        let status = gateway.ask_admin("/status").await.unwrap().json();
        Sample {
            exchanges,
            after,
            memory: memory(gateway.id()),
            descriptors: descriptors(gateway.id()),
            instances: counts.get("witgate_instances_live"),
            tasks: status["tasks"].as_u64().unwrap(),
            queue: counts.get("witgate_journal_queue"),
            journal: std::fs::metadata(gateway.journal()).unwrap().len(),
        }
    }
}

/// Of a sample.
const COLUMNS: &str =
    "exchanges    a second      memory  descriptors  instances  tasks  queue     journal";

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.exchanges as f64 / self.after.as_secs_f64();
        write!(
            f,
            "{:>9} {rate:>11.0} {:>11} {:>12} {:>10} {:>6} {:>6} {:>11}",
            self.exchanges,
            mib(self.memory),
            self.descriptors,
            self.instances,
            self.tasks,
            self.queue,
            mib(self.journal)
        )
    }
}

/// What a soak came to.
#[derive(Debug)]
pub struct Report {
    exchanges: u64,
    /// Requests that were told to come later.
    refused: u64,
    samples: Vec<Sample>,
}

impl Report {
    /// The most of something at the beginning and at the end.
    fn ends(&self, of: impl Fn(&Sample) -> u64) -> (u64, u64) {
        ends(&self.samples.iter().map(of).collect::<Vec<_>>())
    }

    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (first, last) = self.ends(|sample| sample.memory);
        if last > first + FLAT {
            let (first, last) = (mib(first), mib(last));
            faults.push(format!("memory grew from {first} to {last}"));
        }
        let (first, last) = self.ends(|sample| sample.descriptors);
        if last > first + SPARE {
            faults.push(format!("descriptors grew from {first} to {last}"));
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.ends(|sample| sample.memory);
        let grown = last as f64 - first as f64;
        writeln!(
            f,
            "memory from the first quarter to the last: {} to {}, {:.1} bytes an exchange; {} requests were told to come later",
            mib(first),
            mib(last),
            grown / (self.exchanges as f64 * 0.75),
            self.refused
        )?;
        match self.faults().as_slice() {
            [] => write!(f, "flat"),
            faults => write!(f, "NOT flat: {}", faults.join("; ")),
        }
    }
}
