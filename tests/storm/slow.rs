//! Streams whose clients hardly read, beside a caller who reads as others do: what the slow ones take must be bounded, and the other
//! must not feel them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, post};
use crate::figures::{Times, ratio};
use crate::gauge::{Counts, memory, mib};
use crate::support::scripted::{Scripted, Step, event};
use crate::support::{Process, ask, ask_stream, bench, json, until, with};
use crate::upstream;

/// The slow ones ask a target of their own.
const CONFIG: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n\
                      providers: {targets: [\
                        {id: endless, provider: x, model: endless, base_url: \"http://@0/v1\"}, \
                        {id: sim, provider: cerebras, model: llama3.1-8b, base_url: \"http://@1/v1\"}]}";

/// How many events that target writes, each of some words: more than stand in any buffer on the way.
const ENDLESS: usize = 200_000;

/// What a slow stream may take of the gateway's memory: three instances of bundled policies, and what waits for its client.
const EACH: u64 = 2 << 20;

/// How slow, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    pub streams: usize,
    /// How often a slow client reads a byte.
    pub every: Duration,
    /// How long they do.
    pub time: Duration,
    /// Requests of the other caller, before and beside them.
    pub requests: usize,
}

impl Slow {
    pub async fn run(&self) -> Report {
        let flood = Step::Flood(event("The cat sat on the mat, "), ENDLESS);
        let endless = Scripted::serve(vec![flood]).await;
        let upstreams = [endless.address, upstream::simulated(None).await];
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let file = folder.path().join("policy-config.yaml");
        std::fs::write(&file, bench::complete(CONFIG, &upstreams, folder.path())).unwrap();
        let most = (self.streams + 16).to_string();
        let args = [
            "--policy-config",
            file.to_str().unwrap(),
            "--max-exchanges",
            &most,
        ];
        let gateway = Process::with(folder, &args).await;
        let quiet = self.others(&gateway).await;
        let before = memory(gateway.id());
        let stop = CancellationToken::new();
        let mut clients = JoinSet::new();
        for _ in 0..self.streams {
            let (to, every) = (gateway.traffic, self.every);
            let client = async move {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_recv_buffer_size(4 << 10).unwrap();
                let mut stream = socket.connect(to).await.unwrap();
                let body = with(ask_stream("on and on"), json!({"model": "endless"}));
                stream.write_all(&post(&body)).await.unwrap();
                while stream.read_u8().await.is_ok() {
                    tokio::time::sleep(every).await;
                }
            };
            clients.spawn(stop.clone().run_until_cancelled_owned(client));
        }
        until("all of them run", async || {
            let counts = Counts::of(&gateway).await;
            (counts.get("witgate_exchanges_running") == self.streams as u64).then_some(())
        })
        .await;
        // What stands in the buffers on the way is written first.
        tokio::time::sleep(self.time).await;
        let beside = self.others(&gateway).await;
        let after = memory(gateway.id());
        let running = Counts::of(&gateway).await.get("witgate_exchanges_running");
        stop.cancel();
        while clients.join_next().await.is_some() {}
        until("all of them are over", async || {
            let counts = Counts::of(&gateway).await;
            (counts.get("witgate_exchanges_open") == 0).then_some(())
        })
        .await;
        Report {
            streams: self.streams as u64,
            running,
            memory: [before, after],
            times: [quiet, beside],
        }
    }

    /// How long the other caller's requests take, one after the other.
    async fn others(&self, gateway: &Process) -> Times {
        let mut connection = Connection::open(gateway.traffic).await;
        let request = post(&ask("say: The cat sat on the mat."));
        let mut times = Vec::with_capacity(self.requests);
        for _ in 0..self.requests {
            let asked = Instant::now();
            let (status, answer) = connection.ask(&request).await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));
            times.push(asked.elapsed());
        }
        times.into_iter().collect()
    }
}

/// What it came to.
#[derive(Debug)]
pub struct Report {
    streams: u64,
    /// Of them, those that ran at the end.
    running: u64,
    /// Before and beside the slow ones.
    memory: [u64; 2],
    times: [Times; 2],
}

impl Report {
    fn each(&self) -> u64 {
        let [before, after] = self.memory;
        after.saturating_sub(before) / self.streams
    }

    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        let each = self.each();
        let large = (each > EACH).then(|| format!("a slow stream takes {}", mib(each)));
        let lost = (self.running < self.streams)
            .then(|| format!("{} slow streams were lost", self.streams - self.running));
        large.into_iter().chain(lost).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.memory.map(mib);
        writeln!(
            f,
            "{} slow streams, {} of them to the end; memory {before} before, {after} beside them: {} each",
            self.streams,
            self.running,
            mib(self.each())
        )?;
        for (times, when) in self.times.iter().zip(["before", "beside"]) {
            let at = |share: f64| times.at(share);
            writeln!(
                f,
                "another caller's request {when} them: median {:.2?}, 99th percentile {:.2?}, longest {:.2?}",
                at(0.5),
                at(0.99),
                at(1.0)
            )?;
        }
        let [quiet, beside] = &self.times;
        writeln!(
            f,
            "beside them against before: median {:.2}, 99th percentile {:.2}",
            ratio(beside.at(0.5), quiet.at(0.5)),
            ratio(beside.at(0.99), quiet.at(0.99))
        )?;
        match self.faults().as_slice() {
            [] => write!(f, "bounded"),
            faults => write!(f, "NOT bounded: {}", faults.join("; ")),
        }
    }
}
